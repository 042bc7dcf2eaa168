"""Statistics as plain values that files hold, and back, to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import FormatError, StructureError
from dmlcore.base.labels import Vocabulary
from dmlcore.core.statistics import SAVED_KINDS, Sums


def plain_statistics(owns: Sequence[Any]) -> list[Any]:
    """Statistics in preorder as plain values. Raises `StructureError` for those of a kind that is not known."""
    return list(map(_plain, owns))


def statistics_of(plain: Sequence[Any]) -> list[Any]:
    """The statistics that plain values stand for."""
    return list(map(_statistic, plain))


def _plain(own: Any) -> Any:
    if own is None or isinstance(own, (bool, int, float, str, np.ndarray, np.generic)):
        return own
    if type(own) is Vocabulary:
        return {"labels": list(own)}
    if type(own) is Sums:
        return {"sums": {name: _plain(value) for name, value in own.items()}}
    for name, (kind, fields) in SAVED_KINDS.items():
        if type(own) is kind:
            return {name: [_plain(getattr(own, field)) for field in fields]}
    raise StructureError(f"statistics of the kind {type(own).__name__} cannot be saved as JSON; pickle the OnlineEM")


def _statistic(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    ((name, content),) = plain.items()
    if name == "labels":
        return Vocabulary(content)
    if name == "sums":
        return Sums(**{field: _statistic(value) for field, value in content.items()})
    if name not in SAVED_KINDS:
        raise FormatError(f"statistics of the kind {name!r} are not known to this version")
    return SAVED_KINDS[name][0](*map(_statistic, content))
