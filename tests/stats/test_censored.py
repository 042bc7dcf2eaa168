"""Censored laws: maxima in closed form and by numerical search, the law behind an interval, and rows that are no intervals."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from dmlcore import UNKNOWN, condition, fit
from dmlcore.base.errors import DataError, ParameterError, StructureError, SupportError
from dmlcore.stats import (
    BetaDistribution,
    CategoricalEstimator,
    CensoredDistribution,
    CensoredEstimator,
    CompositeEstimator,
    ExponentialEstimator,
    GammaDistribution,
    GammaEstimator,
    GaussianDistribution,
    GaussianEstimator,
    InverseGaussianDistribution,
    LaplaceDistribution,
    LinearRegressionEstimator,
    LogGaussianDistribution,
    MixtureDistribution,
    MixtureEstimator,
    NegativeBinomialDistribution,
    PoissonDistribution,
    PoissonEstimator,
    PoissonRegressionEstimator,
    StudentTDistribution,
    UniformDistribution,
    VonMisesDistribution,
    WeibullDistribution,
)
from dmlcore.stats.univariate.gaussian_tails import moments_within
from dmlcore.stats.univariate.intervals import _by_quantiles, spread

RNG = np.random.default_rng(1)


def right_censored(x: np.ndarray, limits: np.ndarray) -> list[Any]:
    return [(limit, None) if value > limit else value for value, limit in zip(x.tolist(), limits.tolist(), strict=True)]


def test_exponential_lifetimes_have_a_closed_form() -> None:
    rows = right_censored(RNG.exponential(6.0, 500), RNG.exponential(8.0, 500))
    seen = [x for x in rows if not isinstance(x, tuple)]
    total = sum(seen) + sum(x[0] for x in rows if isinstance(x, tuple))
    found: Any = fit(rows, CensoredEstimator(ExponentialEstimator()), rng=1)
    beta = total / len(seen)
    assert found.model.dist.beta == pytest.approx(beta, rel=1e-7)
    assert found.log_likelihood == pytest.approx(-len(seen) * np.log(beta) - total / beta, abs=1e-8)


def test_gaussian_intervals_against_a_numerical_maximum() -> None:
    x = RNG.normal(2.0, 3.0, 600)
    rows = [(5.0, None) if v > 5 else (None, 0.0) if v < 0 else (2.0, 3.0) if 2 < v < 3 else v for v in x.tolist()]

    def loss(t: np.ndarray) -> float:
        law = scipy.stats.norm(t[0], np.exp(t[1]))
        seen = x[(x >= 0) & (x <= 5) & ~((x > 2) & (x < 3))]
        parts = (
            (x > 5).sum() * law.logsf(5.0),
            (x < 0).sum() * law.logcdf(0.0),
            ((x > 2) & (x < 3)).sum() * np.log(law.cdf(3.0) - law.cdf(2.0)),
        )
        return -(law.logpdf(seen).sum() + sum(parts))

    best = scipy.optimize.minimize(loss, [1.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9})
    assert fit(rows, CensoredEstimator(GaussianEstimator()), rng=1).log_likelihood == pytest.approx(-best.fun, abs=1e-7)


def test_counts_in_classes_against_a_numerical_maximum() -> None:
    n = RNG.poisson(4.0, 500)
    rows = [(6, None) if v >= 6 else (0, 2) if v <= 2 else v for v in n.tolist()]

    def loss(lam: float) -> float:
        law = scipy.stats.poisson(lam)
        return -(law.logpmf(n[(n > 2) & (n < 6)]).sum() + (n >= 6).sum() * law.logsf(5) + (n <= 2).sum() * law.logcdf(2))

    best = scipy.optimize.minimize_scalar(loss, bounds=(1.0, 9.0), method="bounded", options={"xatol": 1e-10})
    assert fit(rows, CensoredEstimator(PoissonEstimator()), rng=1).log_likelihood == pytest.approx(-best.fun, abs=1e-8)


def test_a_mixture_inside_and_a_mixture_outside_are_one_law() -> None:
    x = np.concatenate([RNG.exponential(1.0, 150), RNG.exponential(30.0, 150)])
    rows = right_censored(x, RNG.exponential(40.0, 300))
    inside = fit(rows, CensoredEstimator(MixtureEstimator([ExponentialEstimator()] * 2)), rng=1, starts=4)
    outside = fit(rows, MixtureEstimator([CensoredEstimator(ExponentialEstimator())] * 2), rng=1, starts=4)
    assert inside.log_likelihood == pytest.approx(outside.log_likelihood, abs=1e-5)


def test_far_tails_keep_their_digits() -> None:
    law = CensoredDistribution(GaussianDistribution(0.0, 1.0))
    logs = law.seq_log_density([(30.0, None), (None, -30.0), (20.0, 21.0)])
    norm = scipy.stats.norm
    assert logs == pytest.approx([norm.logsf(30.0), norm.logcdf(-30.0), np.log(norm.sf(20.0) - norm.sf(21.0))], rel=1e-12)


def test_the_number_behind_an_interval() -> None:
    law = CensoredDistribution(GaussianDistribution(1.0, 4.0))
    assert law.value_given((3.0, None)).mean() == pytest.approx(scipy.stats.truncnorm(1.0, 30.0, 1.0, 2.0).mean())  # type: ignore[attr-defined]
    assert [law.mean(), law.quantile(0.5)] == [1.0, 1.0]


def test_what_is_no_interval_has_no_number_behind_it() -> None:
    law = CensoredDistribution(GaussianDistribution(3.0, 1.0))
    with pytest.raises(ParameterError, match=r"censored: 2.0 is no interval"):
        law.value_given(2.0)
    moved = law.with_children((GaussianDistribution(1.0, 1.0),))
    assert moved.log_density((None, 1.0)) == pytest.approx(np.log(0.5))
    with pytest.raises(StructureError, match=r"a von mises has no cdf\(\) and quantile\(\)"):
        CensoredDistribution(VonMisesDistribution(0.0, 1.0))
    with pytest.raises(StructureError, match="put it in place of the value"):
        condition(law, (5.0, UNKNOWN))


def test_beside_other_fields() -> None:
    rows = [((5.0, None), "a"), (1.0, "b"), (2.5, "a"), ((None, 0.5), "b"), (4.0, "a")]
    found: Any = fit(rows, CompositeEstimator((CensoredEstimator(GaussianEstimator()), CategoricalEstimator())), rng=1).model
    assert found.seq_log_density(rows) == pytest.approx([found.log_density(row) for row in rows])


@pytest.mark.parametrize(
    ("row", "need"),
    [
        ((2.0, 1.0), "low is at most its high"),
        ((None, None), "one of which may be None"),
        ("x", "a real number"),
        ((1.0, 2.0, 3.0), "a pair"),
    ],
)
def test_what_is_no_interval_is_refused(row: Any, need: str) -> None:
    with pytest.raises(DataError, match=rf"row 1 is .*{need}"):
        fit([1.0, row, 3.0], CensoredEstimator(GaussianEstimator()))


def test_laws_and_rows_that_cannot_be() -> None:
    with pytest.raises(StructureError, match="no law of single numbers"):
        CensoredEstimator(CategoricalEstimator())
    with pytest.raises(SupportError, match="row 1 "):
        fit([1.0, (None, -2.0), 3.0, 2.0], CensoredEstimator(GammaEstimator()))


@pytest.mark.parametrize(
    "law",
    [
        GaussianDistribution(1.0, 4.0),
        GammaDistribution(0.7, 3.0),
        MixtureDistribution([GammaDistribution(2.0, 1.0), GammaDistribution(9.0, 1.0)], [0.4, 0.6]),
    ],
)
def test_numbers_that_stand_for_many_intervals_keep_moments(law: Any) -> None:
    """Against the sum of each interval's own numbers, on the scale of probabilities."""
    ends = np.sort(RNG.gamma(2.0, 2.0, 60))
    low = np.concatenate([ends, np.full(60, -np.inf), ends[:-1]])
    high = np.concatenate([np.full(60, np.inf), ends, ends[1:] + 0.5])
    weights = RNG.random(len(low))
    x, p = spread(law, low, high, weights)
    y, q, which = _by_quantiles(law, low, high)
    positive = not isinstance(law, GaussianDistribution)
    for f in (np.ones_like, lambda v: v, np.square, *([np.log] if positive else [])):
        assert p @ f(x) == pytest.approx((q * weights[which]) @ f(y), rel=1e-8)
    assert len(x) < len(y) / 2


@pytest.mark.parametrize(
    ("law", "peer", "x"),
    [
        (PoissonDistribution(3.0), scipy.stats.poisson(3.0), 60),
        (NegativeBinomialDistribution(3.0, 0.5), scipy.stats.nbinom(2.0, 0.4), 300),
        (NegativeBinomialDistribution(3.0, 0.25), scipy.stats.nbinom(4.0, 4.0 / 7.0), 100),
        (WeibullDistribution(1.5, 2.0), scipy.stats.weibull_min(1.5, scale=2.0), 30.0),
        (StudentTDistribution(1.0, 2.0, 5.0), scipy.stats.t(5.0, 1.0, 2.0), 1e6),
        (LaplaceDistribution(1.0, 2.0), scipy.stats.laplace(1.0, 2.0), 200.0),
        (BetaDistribution(2.0, 30.0), scipy.stats.beta(2.0, 30.0), 0.9),
        (UniformDistribution(0.0, 3.0), scipy.stats.uniform(0.0, 3.0), 2.999),
    ],
)
def test_upper_tails_keep_their_digits(law: Any, peer: Any, x: float) -> None:
    assert law.sf(x) == pytest.approx(peer.sf(x), rel=1e-9)
    assert law.isf(law.sf(x) * (1 + 1e-9)) == pytest.approx(x, rel=1e-9)
    x = x + 1 if isinstance(x, int) else x  # an interval's ends belong to it
    assert CensoredDistribution(law).log_density((x, None)) == pytest.approx(peer.logsf(x - 1 if isinstance(x, int) else x), rel=1e-9)


@pytest.mark.parametrize(("mu", "lam", "x"), [(1.0, 2.0, 100.0), (3.0, 0.2, 1500.0), (1.0, 500.0, 2.0), (1.0, 2.0, 1.0001)])
def test_the_upper_tail_of_an_inverse_gaussian(mu: float, lam: float, x: float) -> None:
    """Against the difference of its two terms in 60 digits."""
    with mp.workdps(60):
        root, ratio = mp.sqrt(mp.mpf(lam) / x), mp.mpf(x) / mu
        expected = mp.ncdf(-root * (ratio - 1)) - mp.exp(2 * mp.mpf(lam) / mu) * mp.ncdf(-root * (ratio + 1))
    law = InverseGaussianDistribution(mu, lam)
    assert law.sf(x) == pytest.approx(float(expected), rel=1e-11)
    assert law.isf(law.sf(x)) == pytest.approx(x, rel=1e-9)


DURABLE = [0.0, 0.7, 0.0, 0.0, 0.0, 0.0, 0.0, 3.7, 0.0, 3.0, 10.4, 0.0, 0.0, 0.0, 1.5, 0.0, 0.0, 3.5, 6.1, 0.0]
AGE = [57.7, 50.9, 48.5, 41.7, 47.7, 59.8, 44.3, 45.1, 51.7, 50.0, 46.8, 58.0, 58.9, 40.0, 34.1, 39.9, 33.4, 48.1, 46.6, 53.1]
LIQUID = [236, 283, 207, 220, 238, 216, 284, 221, 275, 269, 207, 249, 246, 277, 231, 219, 240, 266, 214, 251]


def test_tobin_s_durable_goods() -> None:
    """R's survreg(Surv(durable, durable > 0, type = "left") ~ age + quant, tobin, dist = "gaussian"), as its help page prints it."""
    rows = [((age, liquid), y if y > 0 else (None, 0.0)) for y, age, liquid in zip(DURABLE, AGE, LIQUID, strict=True)]
    found: Any = fit(rows, CensoredEstimator(LinearRegressionEstimator()), rng=1)
    law = found.model.dist
    np.testing.assert_allclose([law.intercept, *law.coef], [15.14487, -0.12906, -0.04554], atol=5e-6)
    assert 0.5 * np.log(law.sigma2) == pytest.approx(1.71785, abs=5e-6)
    assert round(found.log_likelihood, 1) == -28.9
    assert np.diff(found.objective).min() >= -1e-12
    behind = found.model.value_given(rows[0])
    assert behind.mean() < 0
    assert behind.high == 0.0


def test_regressions_with_intervals_in_mixtures() -> None:
    x = RNG.uniform(0.0, 4.0, 300)
    y = np.where(RNG.random(300) < 0.5, 1.0 + 2.0 * x, 8.0 - x) + RNG.normal(0.0, 0.4, 300)
    rows = [
        (a, (None, 2.0) if b < 2 else (8.0, None) if b > 8 else (b - 0.1, b + 0.1)) for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    found: Any = fit(rows, MixtureEstimator([CensoredEstimator(LinearRegressionEstimator())] * 2), rng=1, starts=4)
    lines = sorted(part.dist.coef[0] for part in found.model.components)
    np.testing.assert_allclose(lines, [-1.0, 2.0], atol=0.12)
    assert np.diff(found.objective).min() >= -1e-9
    assert condition(found.model, (1.0, UNKNOWN)).mean() == pytest.approx(5.0, abs=0.3)


def test_other_regressions_take_no_intervals() -> None:
    with pytest.raises(StructureError, match="cannot be intervals"):
        CensoredEstimator(PoissonRegressionEstimator())


@pytest.mark.parametrize(
    ("low", "high"), [(5.0, np.inf), (29.0, np.inf), (100.0, np.inf), (-8.0, -6.5), (50.0, 50.5), (1.0, 1.0 + 1e-6), (-3.0, 2.5)]
)
def test_moments_of_a_gaussian_within_an_interval(low: float, high: float) -> None:
    """Against sums over a fine grid about the end where the density is highest."""
    log, mean, variance = (float(part[0]) for part in moments_within(np.array([low]), np.array([high])))
    end = low if abs(low) < abs(high) else high
    reach = min(high - low, 40.0 / max(abs(end), 1.0))
    apart = (np.arange(400_000) + 0.5) / 400_000 * reach * (1 if end == low else -1)
    p = np.exp(-apart * (end + 0.5 * apart))
    total = p.sum()
    assert log == pytest.approx(np.log(total * reach / 400_000) - 0.5 * end * end - 0.5 * np.log(2 * np.pi), abs=1e-8)
    assert mean == pytest.approx(end + p @ apart / total, rel=1e-9, abs=1e-9)
    assert variance == pytest.approx(p @ (apart - p @ apart / total) ** 2 / total, rel=1e-7)


def test_ends_of_intervals_over_two_columns_of_a_frame() -> None:
    pd = pytest.importorskip("pandas")
    t = RNG.gamma(2.0, 2.0, 50)
    frame = pd.DataFrame({"low": np.minimum(t, 4.0), "group": np.where(t > 2, "a", "b"), "high": np.where(t > 4, np.nan, t)})
    estimator = CompositeEstimator({("low", "high"): CensoredEstimator(GammaEstimator()), "group": CategoricalEstimator()})
    rows = [((x, None) if x == 4 else x, g) for x, g in zip(frame.low.tolist(), frame.group, strict=True)]
    expected = fit(rows, CompositeEstimator((CensoredEstimator(GammaEstimator()), CategoricalEstimator())), rng=1).log_likelihood
    found: Any = fit(frame, estimator, rng=1)
    assert found.log_likelihood == pytest.approx(expected, rel=1e-12)
    records = frame.to_dict("records")
    assert found.model.seq_log_density(records).sum() == pytest.approx(expected, rel=1e-12)
    drawn = found.model.sample(3, rng=1)
    assert all(row["low"] == row["high"] for row in drawn)
    frame.loc[7, ["low", "high"]] = np.nan
    with pytest.raises(DataError, match=r"low, high: row 7 .* one of which may be None"):
        fit(frame, estimator)


@pytest.mark.parametrize("law", [GaussianDistribution(0.0, 1.0), LogGaussianDistribution(0.0, 1.0)])
def test_intervals_far_beyond_the_law_have_a_score(law: Any) -> None:
    far = [(50.0, None), (60.0, 60.5), (None, -50.0)]
    rows = far if isinstance(law, GaussianDistribution) else [tuple(end if end is None else np.exp(end) for end in row) for row in far]
    expected = [
        scipy.stats.norm.logsf(50.0),
        scipy.stats.norm.logsf(60.0) + np.log1p(-np.exp(-30.125) * 60.0 / 60.5),
        scipy.stats.norm.logcdf(-50.0),
    ]
    np.testing.assert_allclose(CensoredDistribution(law).seq_log_density(rows), expected, rtol=1e-12)
    found = fit(rows + [law.mean()] * 20, CensoredEstimator(law.estimator()), rng=1)
    assert np.isfinite(found.log_likelihood)
