"""Laws of shares, directions and first-passage times against scipy: densities, fits, extremes, floors, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import special
from scipy import stats as scipy_stats

from dmlcore import fit, standard_errors
from dmlcore.base.bessel import bessel_ratio, log_bessel
from dmlcore.base.errors import ParameterError
from dmlcore.stats import (
    BetaDistribution,
    BetaEstimator,
    DirichletDistribution,
    DirichletEstimator,
    InverseGaussianDistribution,
    InverseGaussianEstimator,
    MixtureDistribution,
    MixtureEstimator,
    VonMisesDistribution,
    VonMisesEstimator,
    VonMisesFisherDistribution,
    VonMisesFisherEstimator,
)
from dmlcore.stats.univariate.beta import concentrations_of, mean_logs
from dmlcore.stats.univariate.von_mises import concentration_of

PAIRS = [
    (InverseGaussianDistribution(1.3, 2.0), scipy_stats.invgauss(1.3 / 2.0, scale=2.0)),
    (InverseGaussianDistribution(0.5, 0.05), scipy_stats.invgauss(10.0, scale=0.05)),
    (InverseGaussianDistribution(3.0, 5000.0), scipy_stats.invgauss(3.0 / 5000.0, scale=5000.0)),
    (BetaDistribution(2.0, 3.0), scipy_stats.beta(2.0, 3.0)),
    (BetaDistribution(0.1, 0.2), scipy_stats.beta(0.1, 0.2)),
    (BetaDistribution(5e3, 2e4), scipy_stats.beta(5e3, 2e4)),
    (VonMisesDistribution(0.5, 1.7), scipy_stats.vonmises(1.7, loc=0.5)),
    (VonMisesDistribution(-3.0, 900.0), scipy_stats.vonmises(900.0, loc=-3.0)),
]


@pytest.mark.parametrize(("law", "other"), PAIRS, ids=lambda v: type(v).__name__)
def test_laws_of_one_number_are_those_of_scipy(law: Any, other: Any) -> None:
    x = np.clip(other.rvs(300, random_state=1), 1e-300 if law.support.low == 0 else -np.inf, 1 - 1e-16 if law.support.high < 2 else np.inf)
    np.testing.assert_allclose(law.seq_log_density(x), other.logpdf(x), rtol=1e-10, atol=1e-10)
    assert law.entropy() == pytest.approx(float(other.entropy()), abs=1e-10)
    if hasattr(law, "quantile"):
        q = np.array([1e-9, 0.01, 0.5, 0.9, 0.9999])
        np.testing.assert_allclose(law.quantile(q), other.ppf(q), rtol=1e-9)
        np.testing.assert_allclose(law.cdf(x), other.cdf(x), rtol=1e-11)


def test_laws_of_vectors_are_those_of_scipy() -> None:
    alpha, mu = [0.5, 2.0, 3.0], [0.0, 0.6, -0.8]
    x = scipy_stats.dirichlet(alpha).rvs(100, random_state=1)
    np.testing.assert_allclose(DirichletDistribution(alpha).seq_log_density(x), scipy_stats.dirichlet(alpha).logpdf(x.T), rtol=1e-12)
    assert DirichletDistribution(alpha).entropy() == pytest.approx(scipy_stats.dirichlet(alpha).entropy())
    for kappa in (0.3, 20.0, 3e4):
        other = scipy_stats.vonmises_fisher(mu, kappa)
        x = other.rvs(100, random_state=np.random.default_rng(1))
        np.testing.assert_allclose(VonMisesFisherDistribution(mu, kappa).seq_log_density(x), other.logpdf(x), rtol=1e-10, atol=1e-10)
        assert VonMisesFisherDistribution(mu, kappa).entropy() == pytest.approx(other.entropy(), abs=1e-9)


def test_fits_are_those_of_scipy() -> None:
    x = PAIRS[0][1].rvs(400, random_state=2)
    mu, _, scale = scipy_stats.invgauss.fit(x, floc=0)
    found: Any = fit(x, InverseGaussianEstimator()).model
    assert (found.mu, found.lam) == pytest.approx((mu * scale, scale), rel=1e-9)
    x = PAIRS[3][1].rvs(400, random_state=2)
    found = fit(x, BetaEstimator()).model
    assert (found.a, found.b) == pytest.approx(scipy_stats.beta.fit(x, floc=0, fscale=1)[:2], rel=1e-8)
    x = PAIRS[6][1].rvs(400, random_state=2)
    kappa, mu, _ = scipy_stats.vonmises.fit(x, fscale=1)
    found = fit(x + 2 * math.pi * np.arange(400), VonMisesEstimator()).model  # in any turn
    assert (found.mu, found.kappa) == pytest.approx((mu, kappa), rel=1e-8)
    x = scipy_stats.vonmises_fisher([0.0, 0.6, -0.8], 20.0).rvs(400, random_state=np.random.default_rng(2))
    found = fit(x, VonMisesFisherEstimator()).model
    mean, kappa = scipy_stats.vonmises_fisher.fit(x)
    np.testing.assert_allclose(found.mu, mean, rtol=1e-9)
    assert found.kappa == pytest.approx(kappa, rel=1e-8)


# I_v(x) of mpmath 1.3, with 40 digits: log(I_v(x) exp(-x) x^-v), and 1 - (I_{v + 1}(x) / I_v(x))^2
BESSEL = [
    (0.0, 0.3, -0.2776253113779581, 0.9779960077685605),
    (0.0, 200000.0, -7.021974230968197, 5.000000000015625e-06),
    (0.5, 40.0, -4.607817987318609, 0.049375),
    (9.0, 0.001, -19.041152080120977, 0.9999999975),
    (29.0, 10000.0, -272.666019079126, 0.005882913963680831),
    (49.5, 1e-05, -180.83005092843743, 0.9999999999999902),
    (60.0, 3.0, -233.1801299747573, 0.999396042254807),
    (149.0, 800.0, -1014.1126970022399, 0.3105313862737897),
    (2999.0, 50.0, -23144.558553874558, 0.9999305651957308),
]


@pytest.mark.parametrize(("order", "x", "log", "rest"), BESSEL)
def test_bessel_functions_of_any_size(order: float, x: float, log: float, rest: float) -> None:
    assert log_bessel(order, x) == pytest.approx(log, rel=1e-13)
    ratio, short = bessel_ratio(order, x)
    assert short == pytest.approx(rest, rel=1e-10)
    assert concentration_of(int(2 * order + 2), ratio, short) == pytest.approx(x, rel=1e-7)


def test_concentrations_follow_from_mean_logarithms() -> None:
    rng = np.random.default_rng(0)
    for spread, centre in ((0.5, 0.0), (2.0, 0.0), (0.5, -4.0), (0.5, 6.0), (3.0, 2.0)):
        alpha = np.exp(centre + spread * rng.standard_normal((6, 4)))
        np.testing.assert_allclose(concentrations_of(mean_logs(alpha)), alpha, rtol=1e-7)
    logs = np.log([0.2, 0.5, 0.25])  # the likelihood equations of Minka (2000)
    alpha = concentrations_of(logs)
    np.testing.assert_allclose(special.psi(alpha) - special.psi(alpha.sum()), logs, rtol=1e-10)


DIRECTIONS = VonMisesFisherDistribution([1.0, 0.0, 0.0], 30.0), VonMisesFisherDistribution([-0.6, 0.0, 0.8], 8.0)


@pytest.mark.parametrize(
    "truth",
    [
        MixtureDistribution(DIRECTIONS, [0.4, 0.6]),
        MixtureDistribution([VonMisesDistribution(3.0, 9.0), VonMisesDistribution(-1.0, 4.0)], [0.4, 0.6]),
        MixtureDistribution([BetaDistribution(2.0, 18.0), BetaDistribution(12.0, 4.0)], [0.4, 0.6]),
        MixtureDistribution([DirichletDistribution([1.0, 9.0, 3.0]), DirichletDistribution([6.0, 1.0, 1.0])], [0.4, 0.6]),
        MixtureDistribution([InverseGaussianDistribution(1.0, 9.0), InverseGaussianDistribution(9.0, 70.0)], [0.4, 0.6]),
    ],
    ids=lambda law: law.components[0].label,
)
def test_mixtures_are_found_again(truth: Any) -> None:
    rows = truth.sample(1500, rng=3)
    record = fit(rows, MixtureEstimator([truth.components[0].estimator()] * 2), rng=1)
    assert record.status == "converged", record.message
    assert record.log_likelihood >= truth.seq_log_density(rows).sum()
    np.testing.assert_allclose(sorted(record.model.w), [0.4, 0.6], atol=0.05)


def test_coordinates_of_a_direction_have_symmetric_intervals() -> None:
    law = VonMisesFisherDistribution([0.0, 0.6, -0.8], 9.0)
    rows = law.sample(500, rng=1)
    errors = standard_errors(fit(rows, VonMisesFisherEstimator()).model, rows)
    low, high = errors.interval()[:3].T
    np.testing.assert_allclose((low + high) / 2, errors.estimates[:3], atol=1e-12)
    ratio, _ = bessel_ratio(0.5, errors.estimates[3])
    tangent = 1 / math.sqrt(500 * errors.estimates[3] * ratio)  # the information of a mean direction (Mardia and Jupp 2000, section 10.3)
    assert math.sqrt(float((errors.errors[:3] ** 2).sum())) == pytest.approx(math.sqrt(2) * tangent, rel=1e-3)


@pytest.mark.parametrize(
    ("estimator", "value", "others"),
    [
        (BetaEstimator(), 0.25, [0.1, 0.4, 0.5, 0.9]),
        (VonMisesEstimator(), 1.0, [-2.0, -1.8, -2.2, -1.5]),
        (VonMisesFisherEstimator(), [0.6, 0.8], [[0.6, -0.8], [0.0, -1.0], [-0.8, -0.6], [-1.0, 0.0]]),
        (DirichletEstimator(), [0.25, 0.75], [[0.5, 0.5], [0.9, 0.1], [0.6, 0.4], [0.8, 0.2]]),
        (InverseGaussianEstimator(), 1.0, [5.0, 7.0, 9.0, 12.0]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_component_on_one_value_stands_at_its_floor(estimator: Any, value: Any, others: Any) -> None:
    rows = [value] * 10 + others * 5
    record = fit(rows, MixtureEstimator([estimator] * 2), rng=2, starts=4, max_its=200)
    objective = np.array(record.objective)
    assert np.diff(objective).min() >= -1e-9 * (1 + abs(objective[-1]))
    record = fit(rows, MixtureEstimator([estimator] * 2), start=[0] * 10 + [1] * 20, max_its=200)
    assert record.status == "degenerate"
    assert "sits on equal" in record.message


def test_directions_of_float32_and_shares_to_a_millionth_are_normalised() -> None:
    x = np.array([[0.6, 0.8], [0.28, 0.96]], dtype=np.float32)
    law = VonMisesFisherDistribution(x[0], 5.0)
    assert law.mu @ law.mu == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_allclose(law.seq_log_density(x), law.seq_log_density([[0.6, 0.8], [0.28, 0.96]]), rtol=1e-6)
    assert np.isfinite(DirichletDistribution([1.0, 2.0]).log_density([0.3, 0.7 + 5e-7]))
    assert DirichletDistribution([1.0, 2.0]).log_density([0.3, 0.6]) == -math.inf


@pytest.mark.parametrize(
    "make",
    [
        lambda: VonMisesFisherDistribution([1.0, 1.0], 1.0),
        lambda: VonMisesFisherDistribution([1.0], 1.0),
        lambda: VonMisesFisherDistribution([1.0, 0.0], -1.0),
        lambda: DirichletDistribution([1.0]),
        lambda: DirichletDistribution([1.0, 0.0]),
        lambda: DirichletEstimator(2, 1.0, [0.0, 0.0]),
        lambda: VonMisesFisherEstimator(2, 1.0, suff_stat=[1.0, 0.0]),
        lambda: BetaEstimator(1.0, (1.0, -1.0)),
        lambda: BetaEstimator(1.0, 3.0),
        lambda: InverseGaussianEstimator(1.0, (1.0,)),
        lambda: VonMisesEstimator(-1.0),
    ],
)
def test_what_is_outside_a_domain_is_refused(make: Any) -> None:
    with pytest.raises(ParameterError):
        make()
