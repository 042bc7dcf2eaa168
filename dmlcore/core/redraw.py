"""New data like the old: what a law describes is drawn again, what it is conditional on (covariates, offsets, trials) is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.core.distribution import Distribution, as_values
from dmlcore.core.nodes import distinct_nodes
from dmlcore.core.powers import Redraws, has


def redrawn(law: Any, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    """As many draws of the law as there are rows, each at the covariates of its row.

    Where a law has covariates, lengths of sequences and which values are missing are kept with them. Raises `StructureError` for a
    nesting of regressions that cannot be drawn from in this way.
    """
    if not conditional(law):
        return as_values(law.draw(len(rows), rng))
    if not has(law, Redraws):
        raise StructureError(f"{law.label}: holds a regression, and cannot be drawn from at the covariates of given rows")
    return law.redraw(rows, rng)  # type: ignore[no-any-return]


def conditional(law: Distribution) -> bool:
    """Whether draws of a law need covariates."""
    return any(node.given_covariates for node in distinct_nodes(law))


def redrawn_by_component(components: Any, which: np.ndarray, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    """The same, each row by the component that `which` `(n,)` says."""
    out: list[Any] = [None] * len(rows)
    for k, component in enumerate(components):
        at = np.flatnonzero(which == k).tolist()
        for i, value in zip(at, redrawn(component, [rows[i] for i in at], rng) if at else [], strict=True):
            out[i] = value
    return out
