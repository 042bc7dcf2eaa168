"""Tables of data on which one EM step of dmlcore is timed beside one written by hand, from the same start.

To add one, write a function that gives a `Pair` and a line in `TABLES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.by_hand.em import Labels, Mixed, Reals
from benchmarks.by_hand.own_leaf import OwnGaussianDistribution, OwnGaussianEstimator
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureDistribution,
    MixtureEstimator,
    OptionalDistribution,
    OptionalEstimator,
    PoissonDistribution,
    PoissonEstimator,
    seq_encode,
)

Run = Callable[[int], list[float]]  # so many EM steps from the start: log likelihoods before and after each
LABELS = "abcd"


@dataclass(frozen=True)
class Pair:
    """dmlcore, and what it is measured beside."""

    ours: Run
    peer: Run


@dataclass(frozen=True)
class Table:
    """A table of data. target: what is wanted of a step of ours, a multiple of the peer's time, or in ms where `unit` says so."""

    name: str
    what: str
    make: Callable[[], Pair]
    steps: int
    target: float | None = None
    unit: str = "x"
    peer: str = "by hand"


def by_fit(rows: Any, fields: list[Any], w: np.ndarray, components: list[list[Any]]) -> Run:
    """EM steps of dmlcore on records of so many fields: plain ones, by `fit`, from a model given."""
    import dmlcore

    estimator = MixtureEstimator([CompositeEstimator(tuple(fields))] * len(w))
    start = MixtureDistribution([CompositeDistribution(tuple(laws)) for laws in components], w)
    encoded = seq_encode(rows, estimator=estimator)

    def run(steps: int) -> list[float]:
        return list(dmlcore.fit(encoded, estimator, start=start, max_its=steps, delta=0, accelerate=False).history)

    return run


def records(*columns: np.ndarray) -> list[tuple[Any, ...]]:
    """Rows of columns `(n, d)` that stand side by side, as Python values; NaN is None."""
    lists = (column.tolist() for column in columns)
    return [tuple(None if value != value else value for part in row for value in part) for row in zip(*lists, strict=True)]


class Drawn:
    """Columns drawn from a mixture, and a start: the parameters drawn from, moved."""

    def __init__(self, n: int, K: int):
        self.rng = np.random.default_rng(11)
        self.n, self.K, self.w = n, K, np.full(K, 1 / K)
        self.which = self.rng.integers(K, size=n)

    def labels(self, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Codes `(n, d)`, and probabilities `(K, d, 4)`."""
        true, moved = (self.rng.dirichlet(np.ones(len(LABELS)), size=(self.K, d)) for _ in range(2))
        codes = (self.rng.random((self.n, d, 1)) > np.cumsum(true, axis=2)[self.which]).sum(axis=2).clip(max=len(LABELS) - 1)
        return codes.astype(np.uint8), (true + moved) / 2

    def reals(self, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reals `(n, d)`, means and variances `(K, d)`."""
        true = self.rng.normal(size=(self.K, d))
        x = true[self.which] + self.rng.standard_normal((self.n, d))
        return x, true + self.rng.normal(scale=0.5, size=(self.K, d)), np.full((self.K, d), 1.5)

    def counts(self, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Counts `(n, d)` as floats, and means `(K, d)`."""
        true = self.rng.gamma(3.0, 1.0, (self.K, d))
        return self.rng.poisson(true[self.which]).astype(float), true * self.rng.uniform(0.8, 1.25, (self.K, d))

    def optional(self, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Reals `(n, d)` with NaN for a fifth of them, shares missing, means and variances `(K, d)`."""
        x, mu, var = self.reals(d)
        return np.where(self.rng.random(x.shape) < 0.2, np.nan, x), np.full((self.K, d), 0.25), mu, var


def categoricals(p: np.ndarray) -> list[Any]:
    """A law for each column, `p` `(d, 4)`."""
    return [CategoricalDistribution(dict(zip(LABELS, row, strict=True))) for row in p.tolist()]


def gaussians(mu: np.ndarray, var: np.ndarray, family: Any = GaussianDistribution) -> list[Any]:
    """A law for each column, `mu` and `var` `(d,)`."""
    return [family(*parameters) for parameters in zip(mu.tolist(), var.tolist(), strict=True)]


def labels(n: int, d: int, K: int) -> Pair:
    drawn = Drawn(n, K)
    codes, p = drawn.labels(d)
    ours = by_fit(records(np.array(list(LABELS))[codes]), [CategoricalEstimator()] * d, drawn.w, [categoricals(part) for part in p])
    return Pair(ours, lambda steps: Labels(codes, drawn.w, p).run(steps))


def reals(n: int, d: int, K: int) -> Pair:
    drawn = Drawn(n, K)
    x, mu, var = drawn.reals(d)
    ours = by_fit(records(x), [GaussianEstimator()] * d, drawn.w, [gaussians(*laws) for laws in zip(mu, var, strict=True)])
    return Pair(ours, lambda steps: Reals(x, drawn.w, mu, var).run(steps))


def own_leaf(n: int, d: int, K: int) -> Pair:
    """A user's own Gaussian, beside the one of the library."""
    drawn = Drawn(n, K)
    x, mu, var = drawn.reals(d)
    own, built_in = (
        by_fit(records(x), [estimator()] * d, drawn.w, [gaussians(*laws, family) for laws in zip(mu, var, strict=True)])
        for estimator, family in ((OwnGaussianEstimator, OwnGaussianDistribution), (GaussianEstimator, GaussianDistribution))
    )
    return Pair(own, built_in)


def mixed(n: int, K: int) -> Pair:
    """Ten labels, ten reals, five counts, five reals that may be missing."""
    drawn = Drawn(n, K)
    (codes, p), (x, mu, var), (counts, lam), (y, absent, mean, spread) = (
        drawn.labels(10),
        drawn.reals(10),
        drawn.counts(5),
        drawn.optional(5),
    )
    fields: list[Any] = [CategoricalEstimator()] * 10 + [GaussianEstimator()] * 10 + [PoissonEstimator()] * 5
    fields += [OptionalEstimator(GaussianEstimator(), est_prob=True)] * 5
    components = [
        [
            *categoricals(p[k]),
            *gaussians(mu[k], var[k]),
            *(PoissonDistribution(value) for value in lam[k].tolist()),
            *(OptionalDistribution(g, share) for g, share in zip(gaussians(mean[k], spread[k]), absent[k].tolist(), strict=True)),
        ]
        for k in range(K)
    ]
    ours = by_fit(records(np.array(list(LABELS))[codes], x, counts.astype(int), y), fields, drawn.w, components)
    data = {"labels": codes, "reals": x, "counts": counts, "optional": y}
    parameters = {"p": p, "mu": mu, "var": var, "lam": lam, "absent": absent, "mean": mean, "spread": spread}
    return Pair(ours, lambda steps: Mixed(data, drawn.w, parameters).run(steps))


ALL = [
    Table("labels 10", "10 labels x 1,000 rows, K = 3", partial(labels, 1000, 10, 3), 200, 3),
    Table("labels 100", "100 labels x 1,000 rows, K = 5", partial(labels, 1000, 100, 5), 200, 2),
    Table("labels 30", "30 labels x 100,000 rows, K = 5", partial(labels, 100_000, 30, 5), 8, 1),
    Table("reals 10", "10 reals x 1,000 rows, K = 3", partial(reals, 1000, 10, 3), 200, 3),
    Table("reals 100", "100 reals x 1,000 rows, K = 5", partial(reals, 1000, 100, 5), 200, 1),
    Table("reals 30", "30 reals x 100,000 rows, K = 5", partial(reals, 100_000, 30, 5), 8, 1),
    Table("labels 34", "34 labels x 250 rows, K = 64", partial(labels, 250, 34, 64), 200, 2, "ms"),
    Table("mixed", "10 labels, 10 reals, 5 counts, 5 optional reals x 1,000 rows, K = 4", partial(mixed, 1000, 4), 200, 4),
    Table("own leaf", "a user's own Gaussian: 10 reals x 1,000 rows, K = 3", partial(own_leaf, 1000, 10, 3), 80, peer="built in"),
]
TABLES = {table.name: table for table in ALL}
