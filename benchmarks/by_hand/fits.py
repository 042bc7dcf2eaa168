"""Whole fits, by a call as it comes, beside ten restarts of somebody else's: of scikit-learn's mixture, or of a loop written by hand.

Each function makes both calls for a problem; a call takes a seed and gives an `End`. To add one, write it and a line in `FITS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import dmlcore
from benchmarks.by_hand.em import Labels, Lines, Model, Poissons, best_of
from benchmarks.convergence.judge import spurious
from benchmarks.convergence.peers import named
from benchmarks.convergence.problems import PROBLEMS
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    GaussianEstimator,
    MixtureEstimator,
    MultivariateGaussianEstimator,
)

RESTARTS = 10
TIGHT = {"n_init": RESTARTS, "init_params": "random_from_data", "tol": 1e-8, "max_iter": 1000}  # its ridge of 1e-6 stays: it needs one


@dataclass(frozen=True)
class End:
    """Where a call ended. value: log likelihood."""

    value: float
    spurious: bool = False


Call = Callable[[int], End]


@dataclass(frozen=True)
class Pair:
    """A call of dmlcore, and the restarts it is measured beside. best: the best known value, where one is known."""

    ours: Call
    peer: Call
    best: float | None = None


@dataclass(frozen=True)
class Whole:
    """A fit. target: what is wanted of ours, a multiple of the peer's time, or in seconds where `unit` says so."""

    name: str
    what: str
    peer: str
    make: Callable[[], Pair]
    target: float | None = None
    unit: str = "x"


def fit_of(rows: Any, estimator: Any) -> Call:
    """What a user calls."""

    def call(seed: int) -> End:
        record = dmlcore.fit(rows, estimator, rng=seed)
        return End(record.log_likelihood, spurious(record.model, len(rows)))

    return call


def plainly(found: Any) -> Any:
    """A mixture of scikit-learn, as the rule about spurious optima reads one."""
    covariances = [np.diag(c) if c.ndim == 1 else c for c in found.covariances_]
    parts = [named("MultivariateGaussian", mu=mu, covar=c) for mu, c in zip(found.means_, covariances, strict=True)]
    return named("Mixture", components=parts, w=found.weights_)


def sklearn_of(x: np.ndarray, K: int) -> Call:
    """The best of ten restarts of scikit-learn's."""
    from sklearn.mixture import GaussianMixture

    def call(seed: int) -> End:
        found: Any = GaussianMixture(K, random_state=seed, **TIGHT).fit(x)
        return End(float(found.score_samples(x).sum()), spurious(plainly(found), len(x)))

    return call


def by_hand(model: Model) -> Call:
    """Ten restarts of a loop."""
    return lambda seed: End(best_of(model, RESTARTS, np.random.default_rng(seed)))


# -- the fits ------------------------------------------------------------------------------------------------------------


def vectors(name: str, K: int) -> Pair:
    """Full-covariance Gaussians on a problem of `benchmarks.convergence`."""
    problem = PROBLEMS[name]
    return Pair(fit_of(problem.rows, problem.estimator()), sklearn_of(problem.rows, K), problem.best)


def reals(K: int) -> Pair:
    """1,000 draws of K Gaussians with standard deviation 1, their means 3 apart."""
    rng = np.random.default_rng(21)
    x = 3.0 * rng.integers(K, size=1000) + rng.standard_normal(1000)
    return Pair(fit_of(x, MixtureEstimator([GaussianEstimator()] * K)), sklearn_of(x[:, None], K))


def items() -> Pair:
    """Three latent classes that answer ten questions with yes or no."""
    rng = np.random.default_rng(22)
    yes = rng.uniform(0.1, 0.9, (3, 10))
    x = (rng.random((1000, 10)) < yes[rng.integers(3, size=1000)]).astype(np.uint8)
    estimator = MixtureEstimator([CompositeEstimator((CategoricalEstimator(),) * 10)] * 3)
    return Pair(fit_of([tuple(row) for row in x.tolist()], estimator), by_hand(Labels(x, np.full(3, 1 / 3), np.full((3, 10, 2), 0.5))))


def vectors_drawn() -> Pair:
    """500 draws in ten dimensions from three Gaussians, with covariances of their own."""
    rng = np.random.default_rng(23)
    roots = rng.normal(size=(3, 10, 10)) / np.sqrt(10) + np.eye(10) / 2
    means, which = rng.normal(scale=1.0, size=(3, 10)), rng.integers(3, size=500)
    x = means[which] + np.einsum("nij,nj->ni", roots[which], rng.standard_normal((500, 10)))
    return Pair(fit_of(x, MixtureEstimator([MultivariateGaussianEstimator(dim=10)] * 3)), sklearn_of(x, 3))


def regressions(name: str, law: Callable[..., Model]) -> Pair:
    """A mixture of three regressions of `benchmarks.convergence`."""
    problem = PROBLEMS[name]
    x, y = (np.array(part, dtype=float) for part in zip(*problem.rows, strict=True))
    model = law(np.column_stack([np.ones(len(x)), x]), y, 3)
    return Pair(fit_of(problem.rows, problem.estimator()), by_hand(model), problem.best)


SKLEARN = "scikit-learn"
LINES = partial(Lines, shared=True)

ALL = [
    Whole("iris 3", "iris, K = 3, full covariances", SKLEARN, partial(vectors, "iris 3", 3), 1),
    Whole("iris 4", "iris, K = 4, full covariances", SKLEARN, partial(vectors, "iris 4", 4), 1),
    Whole("reals 2", "1,000 reals, K = 2", SKLEARN, partial(reals, 2), 1),
    Whole("reals 5", "1,000 reals, K = 5", SKLEARN, partial(reals, 5), 1),
    Whole("items", "1,000 rows x 10 binary items, K = 3", "by hand", items, 1),
    Whole("vectors", "500 rows x 10 reals, K = 3, full covariances", SKLEARN, vectors_drawn, 1),
    Whole("lines", "CO2 and GNP, 28 rows, three lines, one variance", "by hand", partial(regressions, "lines", LINES), 0.2, "s"),
    Whole("patents", "flexmix's patents, 70 rows, three Poisson regressions", "by hand", partial(regressions, "patents", Poissons), 1),
]
FITS = {whole.name: whole for whole in ALL}
