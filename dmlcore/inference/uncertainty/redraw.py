"""New data like the old: what a law describes is drawn again, what it is conditional on (covariates, offsets, trials) is kept."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.core.distribution import Distribution, as_values
from dmlcore.core.flat import distinct_nodes
from dmlcore.stats.combinators.composite import CompositeDistribution
from dmlcore.stats.combinators.ignored import IgnoredDistribution
from dmlcore.stats.combinators.optional import OptionalDistribution
from dmlcore.stats.latent.gated_mixture import GatedMixtureDistribution
from dmlcore.stats.latent.mixture import MixtureDistribution
from dmlcore.stats.regression.glm.regression_distribution import RegressionDistribution
from dmlcore.stats.sequences.sequence import SequenceDistribution


def redrawn(law: Distribution, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    """As many draws of the law as there are rows, each at the covariates of its row.

    Where a law has covariates, lengths of sequences and which values are missing are kept with them. Raises `StructureError` for a
    nesting of regressions that cannot be drawn from in this way.
    """
    if not conditional(law):
        return as_values(law.draw(len(rows), rng))
    return _redrawn(law, rows, rng)


def conditional(law: Distribution) -> bool:
    """Whether draws of a law need covariates."""
    return any(isinstance(node, (RegressionDistribution, GatedMixtureDistribution)) for node in distinct_nodes(law))


@singledispatch
def _redrawn(law: Any, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    raise StructureError(f"{law.label}: holds a regression, and cannot be drawn from at the covariates of given rows")


@_redrawn.register
def _(law: RegressionDistribution, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    names = [name for name, there in (("trials", law.has_trials), ("offset", law.offset)) if there]
    given: dict[str, Any] = {name: [row[2 + j] for row in rows] for j, name in enumerate(names)}
    drawn: Any = law.sample_given([row[0] for row in rows], rng, **given) if rows else []
    return [(row[0], y, *row[2:]) for row, y in zip(rows, as_values(drawn), strict=True)]


@_redrawn.register
def _(law: MixtureDistribution, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    return _by_component(law.components, rng.choice(len(law.w), len(rows), p=law.w), rows, rng)


@_redrawn.register
def _(law: GatedMixtureDistribution, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    layout: Any = law.layout
    rows = list(map(layout.entries, rows))
    gone = ~layout.values[0].present([row[0] for row in rows]) if law.missing_covariates else np.zeros(len(rows), dtype=bool)
    known = [row for row, absent in zip(rows, gone.tolist(), strict=True) if not absent]
    reached = np.cumsum(law.weights_given([row[0] for row in known]), axis=1)
    which = (reached[:, :-1] < rng.random((len(known), 1))).sum(axis=1)
    inner = iter(_by_component(law.components, which, [row[1] for row in known], rng))
    return [row if absent else (row[0], next(inner)) for row, absent in zip(rows, gone.tolist(), strict=True)]


@_redrawn.register
def _(law: CompositeDistribution, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    fields = [redrawn(dist, [row[j] for row in rows], rng) for j, dist in enumerate(law.dists)]
    return list(zip(*fields, strict=True))


@_redrawn.register
def _(law: SequenceDistribution, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    flat = iter(redrawn(law.dist, [value for row in rows for value in row], rng))
    return [[next(flat) for _ in row] for row in rows]


@_redrawn.register
def _(law: OptionalDistribution, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    layout: Any = law.layout
    there = layout.present(rows).tolist()
    values = iter(redrawn(law.dist, [row for row, present in zip(rows, there, strict=True) if present], rng))
    return [next(values) if present else row for row, present in zip(rows, there, strict=True)]


@_redrawn.register
def _(law: IgnoredDistribution, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    return redrawn(law.dist, rows, rng)


def _by_component(components: Any, which: np.ndarray, rows: list[Any], rng: np.random.Generator) -> list[Any]:
    out: list[Any] = [None] * len(rows)
    for k, component in enumerate(components):
        at = np.flatnonzero(which == k).tolist()
        for i, value in zip(at, redrawn(component, [rows[i] for i in at], rng) if at else [], strict=True):
            out[i] = value
    return out
