"""Simulation-based calibration (Talts et al. 2018): where data come from the model, what it says of them is true as often as it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.stats

from dmlcore import UNKNOWN, condition, fit, impute, pool, standard_errors
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeDistribution,
    ExponentialDistribution,
    GaussianDistribution,
    GaussianEstimator,
    LinearRegressionDistribution,
    MixtureDistribution,
    MultivariateGaussianDistribution,
    OptionalDistribution,
    OptionalEstimator,
    PoissonDistribution,
)

N, Mix, Tuple, C, Opt = GaussianDistribution, MixtureDistribution, CompositeDistribution, CategoricalDistribution, OptionalDistribution
CHANCE = 1e-3  # least p-value of a test of uniformity


def records(wait: Callable[[float, float], list[Any]]) -> Any:
    """A mixture of records, in which a number is a mixture again; `wait` makes the last fields from a mean and a share missing."""
    parts = (
        ([(-2.0, 0.5), (0.0, 1.0)], 2.0, 0.8, 0.5, 0.1),
        ([(0.5, 1.0), (3.0, 0.3)], 6.0, 0.3, 2.0, 0.6),
        ([(1.0, 4.0), (5.0, 1.0)], 3.5, 0.5, 1.0, 0.3),
    )
    return Mix(
        [
            Tuple([Mix([N(*a) for a in inner], [0.4, 0.6]), PoissonDistribution(lam), C({"a": p, "b": 0.9 - p, "c": 0.1}), *wait(m, q)])
            for inner, lam, p, m, q in parts
        ],
        [0.45, 0.3, 0.25],
    )


# A value and whether it is missing are drawn apart, so that the truth about missing values is known.
APART = records(lambda mean, q: [ExponentialDistribution(mean), C({True: q, False: 1 - q})])
RECORDS = records(lambda mean, q: [Opt(ExponentialDistribution(mean), q)])
S = [[2.0, 0.6, -0.3], [0.6, 0.5, 0.1], [-0.3, 0.1, 1.2]]
VECTORS = Mix([MultivariateGaussianDistribution(m, S) for m in ([1.0, -2.0, 0.5], [2.0, 0.0, 3.0])], [0.6, 0.4])


def observed(n: int, seed: int) -> tuple[list[Any], list[Any]]:
    """Rows with missing cells (None), and the values that they have."""
    truth = APART.sample(n, rng=seed)
    hide = np.random.default_rng(seed).random((n, 3)) < 0.4
    rows = [
        (*(None if h else v for v, h in zip(row, gaps, strict=False)), None if row[4] else row[3])
        for row, gaps in zip(truth, hide.tolist(), strict=True)
    ]
    return rows, [row[:4] for row in truth]


def place(law: Any, value: Any, u: float) -> float:
    """Where a value stands in a law: the probability of less, and a share u of its own. Uniform if the value is drawn from the law."""
    if isinstance(value, str):
        p = law.probabilities()
        return sum(p[label] for label in p if label < value) + u * p[value]
    if isinstance(value, (int, np.integer)):
        return law.cdf(value - 1) + u * law.density(value)
    return law.cdf(value)


def assert_uniform(places: Any) -> None:
    assert len(places) > 100
    assert scipy.stats.kstest(places, "uniform").pvalue > CHANCE


def test_laws_of_missing_cells_are_calibrated() -> None:
    rows, truth = observed(350, seed=1)
    laws = impute(RECORDS, rows, how="distribution").data
    u = np.random.default_rng(2).random((350, 4))
    for j in range(4):
        assert_uniform([place(laws[i][j], truth[i][j], u[i, j]) for i in range(350) if rows[i][j] is None])


def test_whether_an_unseen_value_is_missing_is_calibrated() -> None:
    rows = RECORDS.sample(250, rng=3)
    seen = np.array([row[3] is None for row in rows])
    chance = np.array([condition(RECORDS, (*row[:3], UNKNOWN)).density(None) for row in rows])
    assert chance.max() - chance.min() > 0.4
    assert abs((seen - chance).sum()) < 3.5 * np.sqrt((chance * (1 - chance)).sum())
    likely = chance > np.median(chance)
    assert abs((seen - chance)[likely].sum()) < 3.5 * np.sqrt((chance * (1 - chance))[likely].sum())


def test_laws_of_missing_coordinates_are_calibrated() -> None:
    x = VECTORS.sample(300, rng=5)
    hidden = np.random.default_rng(6).random(x.shape) < 0.4
    laws = impute(VECTORS, np.where(hidden, np.nan, x), how="distribution").data
    for j in range(3):
        assert_uniform([laws[i, j].cdf(x[i, j]) for i in np.flatnonzero(hidden[:, j])])


def test_the_truth_has_any_rank_among_draws() -> None:
    rows, truth = observed(700, seed=7)
    rng, m = np.random.default_rng(8), 9
    copies = impute(RECORDS, rows, draws=m, rng=9).copies
    for j in range(4):
        gaps = [i for i in range(700) if rows[i][j] is None]
        below = np.array([sum(copy[i][j] < truth[i][j] for copy in copies) for i in gaps])
        equal = np.array([sum(copy[i][j] == truth[i][j] for copy in copies) for i in gaps])
        counts = np.bincount(below + rng.integers(equal + 1), minlength=m + 1)
        assert len(counts) == m + 1
        assert scipy.stats.chisquare(counts).pvalue > CHANCE


def test_posteriors_of_components_are_calibrated() -> None:
    z = np.random.default_rng(10).choice(3, size=3000, p=APART.w)
    rows = [(*row[:3], None if row[4] else row[3]) for row in (APART.components[k].sample(1, rng=i)[0] for i, k in enumerate(z))]
    posterior = RECORDS.seq_posterior(rows)
    own = posterior[np.arange(3000), z]
    below = np.cumsum(posterior, axis=1)[np.arange(3000), z] - own
    assert_uniform(below + np.random.default_rng(11).random(3000) * own)


# -- intervals ---------------------------------------------------------------------------------------------------------


def assert_covers(shares: np.ndarray, repeats: int) -> None:
    """Over all numbers 90 to 98%; each alone as near to that as so many repetitions can tell."""
    assert 0.9 <= shares.mean() <= 0.98
    assert (shares * repeats >= scipy.stats.binom(repeats, 0.9).ppf(1e-2)).all()


def covered(
    draw: Callable[[np.random.Generator], Any], start: Any, truth: dict[str, float], repeats: int, of: Callable[[Any], float] | None = None
) -> np.ndarray:
    """In which share of repetitions 95% intervals hold the true parameters, and what is computed from them."""
    hits = np.zeros((repeats, len(truth) + (of is not None)))
    for r in range(repeats):
        rows = draw(np.random.default_rng(r))
        found = standard_errors(fit(rows, start.estimator(), start=start, threads=1).model, rows, threads=1)
        low, high = found.interval(0.95)[[found.names.index(name) for name in truth]].T
        hits[r, : len(truth)] = (low <= list(truth.values())) & (list(truth.values()) <= high)
        if of is not None:
            value, error = found.of(of)
            hits[r, -1] = abs(value - of(start)) <= scipy.stats.norm.ppf(0.975) * error
    return hits.mean(axis=0)


def test_intervals_of_a_mean_and_a_variance_cover() -> None:
    law = N(3.0, 4.0)
    assert_covers(covered(lambda rng: law.sample(100, rng=rng), law, {"mu": 3.0, "sigma2": 4.0}, 120), 120)


def test_intervals_of_a_mixture_cover() -> None:
    law = Mix([N(-2.5, 1.0), N(2.5, 2.0)], [0.4, 0.6])
    truth = {"w[0]": 0.4} | {f"components[{k}].{name}": getattr(law.components[k], name) for k in (0, 1) for name in ("mu", "sigma2")}
    assert_covers(covered(lambda rng: law.sample(200, rng=rng), law, truth, 40), 40)


def test_intervals_of_weights_and_of_imputed_means_cover() -> None:
    law = Mix([Tuple((PoissonDistribution(m), C({"a": p, "b": 1 - p}))) for m, p in ((2.0, 0.8), (12.0, 0.3))], [0.4, 0.6])
    truth = {"w[0]": 0.4, "components[1].dists[0].lam": 12.0, "components[0].dists[1].pmap['a']": 0.8}
    shares = covered(lambda rng: law.sample(120, rng=rng), law, truth, 30, lambda model: condition(model, (UNKNOWN, "a")).mean())
    assert_covers(shares, 30)


def test_intervals_of_coefficients_cover() -> None:
    law = LinearRegressionDistribution([1.5], -1.0, 0.5)

    def draw(rng: np.random.Generator) -> list[Any]:
        x = rng.normal(size=80)
        return [([a], b) for a, b in zip(x.tolist(), (1.5 * x - 1.0 + rng.normal(0, np.sqrt(0.5), 80)).tolist(), strict=True)]

    assert_covers(covered(draw, law, {"coef[0]": 1.5, "intercept": -1.0}, 60), 60)


def test_pooled_errors_say_that_missing_numbers_tell_nothing() -> None:
    """Of 30 numbers 8 are known: what is pooled must be as unsure as those 8 are, and not as 30 numbers whose law is known."""
    ratios = []
    for seed in range(2):
        rows = [*np.random.default_rng(seed).normal(size=8).tolist(), *[None] * 22]
        copies = impute(fit(rows, OptionalEstimator(GaussianEstimator())), rows, draws=30, rng=seed).copies
        error = pool(copies, lambda x: (np.mean(x), np.var(x, ddof=1) / 30)).error
        ratios.append(error / (np.std(rows[:8], ddof=1) / np.sqrt(8)))
    assert 0.8 < np.mean(ratios) < 1.2  # 0.6 where parameters are taken to be known
