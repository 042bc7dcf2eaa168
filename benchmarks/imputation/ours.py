"""Imputation by this library: a mixture fitted to rows with gaps, and the exact law of each missing cell given its row.

A row is `([numbers], label, label, ...)`. `composites` takes all cells to be independent within a component, and chooses the number of
components by BIC. `vectors` starts from it and gives the numbers of each component a full covariance, drawn towards the mean of those
of all components: as many pseudo-observations as twice the numbers in a row say that it is that (empirical Bayes).
"""

from __future__ import annotations

from typing import Any

import numpy as np

import dmlcore
from benchmarks.imputation.scores import Labels, Numbers
from benchmarks.imputation.tables import Table
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    GaussianEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianEstimator,
)

ROUNDS = 6  # of fits, each with the covariances of the one before as its prior
STEPS = 25  # EM steps of each
MOST = 12  # components tried
FAINT = 0.01  # pseudo-observations of means


def composites(table: Table, rows: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
    """A mixture of independent fields."""
    data = as_rows(table)
    return answers(chosen(table, data, seed).model, table, data, rows)


def vectors(table: Table, rows: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
    """A mixture of Gaussian vectors beside labels."""
    data = as_rows(table)
    found = chosen(table, data, seed)
    d, start, V = len(table.numbers), found.model.seq_posterior(data), None
    for _ in range(ROUNDS):
        gaussian = MultivariateGaussianEstimator(d, pseudo_count=(FAINT, 2.0 * d), suff_stat=(None, V))
        start = dmlcore.fit(data, mixture(gaussian, table, found.value), start=start, max_its=STEPS, threads=1).model
        V = np.tensordot(start.w, [component.dists[0].covar for component in start.components], 1)
    return answers(start, table, data, rows)


def chosen(table: Table, data: list[Any], seed: int) -> Any:
    numbers = CompositeEstimator([GaussianEstimator(pseudo_count=(FAINT, 1.0))] * len(table.numbers))
    return dmlcore.select(
        lambda k: mixture(numbers, table, k), range(1, MOST + 1), data, "bic", patience=2, starts=2, rng=seed, threads=1, max_its=300
    )


def mixture(numbers: Any, table: Table, k: int) -> Any:
    record = CompositeEstimator([numbers, *[CategoricalEstimator(pseudo_count=1.0)] * len(table.labels)])
    return dmlcore.missing_at_random(MixtureEstimator([record] * k, pseudo_count=1.0))


def as_rows(table: Table) -> list[Any]:
    numbers, labels = ([table.columns[name] for name in names] for names in (table.numbers, table.labels))
    return [(list(x), *rest) for x, *rest in zip(zip(*numbers, strict=True), *labels, strict=True)]


def answers(model: Any, table: Table, data: list[Any], rows: dict[str, np.ndarray]) -> dict[str, Any]:
    """The laws of the hidden cells."""
    filled, laws = (dmlcore.impute(model, data, how).data for how in ("mean", "distribution"))
    out: dict[str, Any] = {}
    for name, where in rows.items():
        own = where.tolist()
        if name in table.labels:
            j = 1 + table.labels.index(name)
            each = [laws[i][j].probabilities() for i in own]
            labels = sorted({label for p in each for label in p}, key=repr)
            out[name] = Labels([filled[i][j] for i in own], labels, np.array([[p.get(label, 0.0) for label in labels] for p in each]))
        else:
            j = table.numbers.index(name)
            out[name] = numbers_of(np.array([filled[i][0][j] for i in own]), [laws[i][0][j] for i in own])
    return out


def numbers_of(values: np.ndarray, laws: list[Any]) -> Numbers:
    """Laws of single cells, each a Gaussian or a mixture of such, side by side."""
    parts = [(law.w, law.components) if isinstance(law, MixtureDistribution) else ([1.0], [law]) for law in laws]
    w, mean, sd = np.zeros((3, max(len(part[0]) for part in parts), len(laws)))
    sd += 1.0
    mean += values
    for i, (weights, components) in enumerate(parts):
        w[: len(weights), i] = weights
        mean[: len(weights), i] = [component.mean() for component in components]
        sd[: len(weights), i] = [component.variance() ** 0.5 for component in components]
    return Numbers(values, w, mean, sd)
