"""Densities, tails and moments at the ends of the range of numbers: right by mpmath, or refused by name.

Here at some places; at all of them by `python -m tests.extremes`.
"""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import ParameterError
from dmlcore.stats import (
    BinomialDistribution,
    BinomialEstimator,
    DirichletDistribution,
    GammaDistribution,
    GeometricDistribution,
    InverseGaussianDistribution,
    LaplaceDistribution,
    LogGaussianDistribution,
    NegativeBinomialDistribution,
    NegativeBinomialRegressionDistribution,
    PoissonDistribution,
    PoissonRegressionDistribution,
    StudentTDistribution,
    VonMisesFisherDistribution,
    WeibullDistribution,
)
from tests.extremes.exact import LAWS, wrong

PLACES = 120  # of each law in the suite
EPS = 2.0**-52
TAILS = [1e-300, 1e-100, 1e-30, 1e-12, 0.1, 0.5, 1 - 1e-3, 1 - 2**-53]


@pytest.mark.parametrize("name", LAWS)
def test_log_densities_have_the_digits_of_their_arguments(name: str) -> None:
    every = max(1, len(list(LAWS[name].places())) // PLACES)
    assert wrong(name, slice(None, None, every)) == []


def normal(z: Any) -> Any:
    return mp.erfc(-z / mp.sqrt(2)) / 2


def above_inverse_gaussian(mu: Any, lam: Any, x: Any) -> Any:
    root = mp.sqrt(lam / x)
    return normal(-root * (x / mu - 1)) - mp.exp(2 * lam / mu) * normal(-root * (x / mu + 1))


def above_student_t(mu: Any, scale: Any, df: Any, x: Any) -> Any:
    z = (x - mu) / scale
    half = mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + z * z), regularized=True) / 2
    return half if z > 0 else 1 - half


def above_laplace(mu: Any, scale: Any, x: Any) -> Any:
    half = mp.exp(-abs(x - mu) / scale) / 2
    return half if x > mu else 1 - half


FAR_OUT = [
    *((StudentTDistribution, p, above_student_t) for p in [(0, 1, 1), (0, 1, 3), (0, 1, 1e4), (0, 1e-150, 2), (5, 1e150, 4)]),
    *((InverseGaussianDistribution, p, above_inverse_gaussian) for p in [(1, 1e-8), (1, 1), (1e-150, 1e-150), (1, 1e8)]),
    *((LaplaceDistribution, p, above_laplace) for p in [(1e12, 1e-2), (3, 1e150)]),
    *((LogGaussianDistribution, p, lambda m, s, x: normal((m - mp.log(x)) / mp.sqrt(s))) for p in [(-300, 1), (0, 1e-8)]),
    *((WeibullDistribution, p, lambda k, s, x: mp.exp(-((x / s) ** k))) for p in [(0.3, 1e-150), (1e8, 1)]),
]


@pytest.mark.parametrize(("family", "parameters", "above"), FAR_OUT)
def test_tails_are_right_down_to_the_least_numbers(family: Any, parameters: Any, above: Any) -> None:
    law, exact = family(*parameters), [mp.mpf(v) for v in parameters]
    with mp.workdps(60):
        for q in TAILS:
            x = float(law.isf(q))
            ends = [float(above(*exact, mp.mpf(x) * (1 + sign * mp.mpf(4e-15)))) for sign in (-1, 1)]
            assert min(ends) * (1 - 1e-9) - EPS * (q > 0.5) <= q <= max(ends) * (1 + 1e-9) + EPS * (q > 0.5), (q, x)
            assert law.sf(x) == pytest.approx(float(above(*exact, mp.mpf(x))), rel=1e-9, abs=abs(ends[1] - ends[0]))


def test_tails_that_are_powers_go_on_where_squares_overflow() -> None:
    law = StudentTDistribution(0.0, 1.0, 1.0)
    assert law.sf(1e299) == pytest.approx(1e-299 / math.pi, rel=1e-12)
    assert law.cdf(-1e299) == law.sf(1e299)
    assert StudentTDistribution(0.0, 1.0, 3.0).quantile(1e-300) < -1e99  # scipy's is inf
    assert StudentTDistribution(0.0, 1.0, 0.5).quantile([1e-300, 0.5]).tolist() == [-math.inf, 0.0]
    far = StudentTDistribution(0.0, 1e-150, 2.0).log_density(1e300)
    assert far == pytest.approx(-3 * 450 * math.log(10) + 150 * math.log(10), rel=1e-12)


@pytest.mark.parametrize(
    ("k", "q", "below", "above"),
    [  # by the series of the lower tail and the continued fraction of the upper one, in mpmath 1.3
        (1e5, 1e-300, 88737.3279114217, 112176.85724295325),
        (1e6, 1e-12, 992981.6691846466, 1007050.6534381917),
        (1e8, 1e-300, 99629986.05886416, 100370928.26589221),
        (1e8, 1e-30, 99885403.22377338, 100114683.72546668),
        (1e8, 1e-12, 99929671.32223764, 100070361.00040396),
    ],
)
def test_tails_of_large_shapes_keep_their_digits(k: float, q: float, below: float, above: float) -> None:
    law = GammaDistribution(k, 2.0)
    assert [law.quantile(q) / 2, law.isf(q) / 2] == pytest.approx([below, above], rel=1e-14)
    slack = 8 * EPS * math.sqrt(k) * 40  # what rounding x changes
    assert [law.cdf(2 * below), law.sf(2 * above)] == pytest.approx([q, q], rel=slack)
    assert law.cdf(2 * above) == 1.0 - law.sf(2 * above)
    counts = PoissonDistribution(k)
    x = counts.isf(q)
    assert counts.sf(x) <= q < counts.sf(x - 1)
    assert law.cdf([0.0, math.inf]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("law", [BinomialDistribution(0.3, 10**6), PoissonDistribution(900.0), NegativeBinomialDistribution(1e6, 1e-3)])
def test_quantiles_of_counts_far_out_do_not_rest_on_a_guess(law: Any) -> None:
    for q in TAILS:
        x = law.quantile(q)
        assert law.cdf(x) >= q > law.cdf(x - 1)


@pytest.mark.parametrize("alpha", [(1e10, 1e10, 3.0), (400.0, 700.0, 1e-8), (3.0, 0.2, 5.0), (1e15, 1e10, 1e5)])
@mp.workdps(60)
def test_shares_of_any_precision(alpha: tuple[float, ...]) -> None:
    a = [mp.mpf(v) for v in alpha]
    x = [0.5, 0.5 - 2.0**-10, 2.0**-10]
    exact = mp.loggamma(sum(a)) - sum(map(mp.loggamma, a)) + sum((one - 1) * mp.log(v) for one, v in zip(a, x, strict=True))
    slack = float(sum(a)) * 1e-15  # what rounding x changes
    assert DirichletDistribution(alpha).log_density(x) == pytest.approx(float(exact), rel=1e-12, abs=slack)
    sharp = [float(one / sum(a)) for one in a]
    exact = mp.loggamma(sum(a)) - sum(map(mp.loggamma, a)) + sum((one - 1) * mp.log(v) for one, v in zip(a, sharp, strict=True))
    assert DirichletDistribution(alpha).log_density(sharp) == pytest.approx(float(exact), rel=1e-10, abs=slack)


@pytest.mark.parametrize("kappa", [1e-300, 1.0, 1e9, 1e10, 1e100, 1e300])
@mp.workdps(60)
def test_directions_of_any_concentration(kappa: float) -> None:
    law = VonMisesFisherDistribution([0.0, 0.0, 1.0], kappa)
    exact = mp.log(kappa) - mp.log(2 * mp.pi) - mp.log(-mp.expm1(-2 * mp.mpf(kappa)))  # at mu
    assert law.log_density([0.0, 0.0, 1.0]) == pytest.approx(float(exact), rel=1e-13)
    drawn = np.array(law.sample(200, rng=1))
    if kappa >= 1e9:
        away = np.hypot(drawn[:, 0], drawn[:, 1])
        assert (away**2).mean() * kappa / 2 == pytest.approx(1.0, abs=0.4)  # nearly Gaussian around mu


@mp.workdps(60)
def test_moments_are_infinite_where_they_exceed_the_range_and_keep_their_digits() -> None:
    assert (WeibullDistribution(1e-3, 1.0).mean(), WeibullDistribution(1e-3, 1.0).variance()) == (math.inf, math.inf)
    assert WeibullDistribution(1e8, 1e12).variance() == pytest.approx(1e8 * math.pi**2 / 6, rel=1e-7)
    for shape in (0.5, 3.0, 99.0, 101.0, 1e5):
        exact = mp.gamma(1 + 2 / mp.mpf(shape)) - mp.gamma(1 + 1 / mp.mpf(shape)) ** 2
        assert WeibullDistribution(shape, 1.0).variance() == pytest.approx(float(exact), rel=1e-12)
    assert LogGaussianDistribution(0.0, 1e8).mean() == math.inf
    assert LogGaussianDistribution(-400.0, 1e-6).variance() == pytest.approx(math.exp(-800.0) * 1.0000015e-6, rel=1e-9)


# -- counts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [2**53 - 50, 2**60, -(2**61)])
def test_binomials_of_a_range_keep_the_digits_of_large_counts(base: int) -> None:
    y = np.random.default_rng(0).binomial(1000, 0.3, 400)
    near, far = (fit((y + shift).tolist(), BinomialEstimator(min_val=None)).model for shift in (0, base))
    assert (far.p, far.n, far.min_val) == (near.p, near.n, near.min_val + base)
    assert far.seq_log_density(y + base).tolist() == near.seq_log_density(y).tolist()


def test_binomials_of_few_failures_in_2_to_the_60_trials() -> None:
    law = BinomialDistribution(1.0 - 2.0**-53, 2**60)
    lam = 2.0**60 * 2.0**-53
    assert law.log_density(2**60 - 128) == pytest.approx(PoissonDistribution(lam).log_density(128), rel=1e-12)
    assert BinomialDistribution(1e-18, 2**60).quantile(0.5) == PoissonDistribution(2**60 * 1e-18).quantile(0.5)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: PoissonDistribution(1e19).sample(3, rng=1),
        lambda: NegativeBinomialDistribution(1e19, 0.1).sample(3, rng=1),
        lambda: PoissonRegressionDistribution([1.0], 44.0).sample_given(np.array([[1.0]]), 1),
        lambda: NegativeBinomialRegressionDistribution([1.0], 44.0, 0.1).sample_given(np.array([[1.0]]), 1),
    ],
)
def test_draws_beyond_64_bits_are_refused(draw: Any) -> None:
    with pytest.raises(ParameterError, match="would exceed whole numbers of 64 bits"):
        draw()


def test_pseudo_observations_of_endless_tails_are_refused() -> None:
    law = NegativeBinomialDistribution(3.0, 1e8)
    with pytest.raises(ParameterError, match=r"mean 3 and dispersion 1e\+08 spread over .* too many for a table"):
        fit([1, 2, 3], law.estimator(1.0))


def test_laws_that_are_nearly_poisson_have_its_tails() -> None:
    law, poisson = NegativeBinomialDistribution(0.3, 1e-300), PoissonDistribution(0.3)
    assert [law.sf(1.0), law.cdf(1.0), law.isf(1e-9)] == pytest.approx([poisson.sf(1.0), poisson.cdf(1.0), poisson.isf(1e-9)], rel=1e-12)
    assert np.isfinite(GeometricDistribution(1e-300).log_density(2**63 - 1))
