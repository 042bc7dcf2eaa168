"""New data like the old: what a law describes is drawn again, what it is conditional on (covariates, offsets, trials) is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.core.distribution import as_values
from dmlcore.core.powers import Redraws, has


def redrawn(law: Any, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    """As many draws of the law as there are rows, each at what its row has that has no law: covariates, or labels or lengths.

    Where there is such, lengths of sequences and which values are missing are kept with it. Raises `StructureError` for a nesting
    that cannot be drawn from in this way.
    """
    if not law.given_covariates:
        return as_values(law.draw(len(rows), rng))
    if not has(law, Redraws):
        raise StructureError(f"{law.label}: holds a regression, or what has no law, and cannot be drawn from at what given rows have there")
    return law.redraw(rows, rng)  # type: ignore[no-any-return]


def redrawn_by_component(components: Any, which: np.ndarray, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    """The same, each row by the component that `which` `(n,)` says."""
    out: list[Any] = [None] * len(rows)
    for k, component in enumerate(components):
        at = np.flatnonzero(which == k).tolist()
        for i, value in zip(at, redrawn(component, [rows[i] for i in at], rng) if at else [], strict=True):
            out[i] = value
    return out
