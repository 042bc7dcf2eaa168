"""The supports of families, which live in `dmlcore.base.support`: the path that programs written before hold."""

from dmlcore.base.support import (
    COUNTS,
    NONNEGATIVE,
    POSITIVE,
    REALS,
    TRIALS,
    Ranged,
    Support,
    whole_range,
)

__all__ = [
    "COUNTS",
    "NONNEGATIVE",
    "POSITIVE",
    "REALS",
    "TRIALS",
    "Ranged",
    "Support",
    "whole_range",
]
