"""The errors, which live in `dmlcore.base.errors`: the path that programs written before hold."""

from dmlcore.base.errors import (
    BadValue,
    DataError,
    DegenerateError,
    DmlcoreError,
    EmptyError,
    FitWarning,
    FormatError,
    KeyClashError,
    LibraryError,
    LikelihoodError,
    ParameterError,
    SlowWarning,
    StructureError,
    SupportError,
    inside,
    shorten,
)

__all__ = [
    "BadValue",
    "DataError",
    "DegenerateError",
    "DmlcoreError",
    "EmptyError",
    "FitWarning",
    "FormatError",
    "KeyClashError",
    "LibraryError",
    "LikelihoodError",
    "ParameterError",
    "SlowWarning",
    "StructureError",
    "SupportError",
    "inside",
    "shorten",
]
