"""Weibull regressions: R's figures of censored lifetimes, a numerical maximum with intervals of all kinds, and mixtures."""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from dmlcore import UNKNOWN, condition, fit
from dmlcore.regression import MixtureRegression
from dmlcore.stats import CensoredEstimator, MixtureEstimator, WeibullDistribution, WeibullEstimator, WeibullRegressionEstimator
from dmlcore.stats.regression.weibull_regression import slopes_within

# the data `ovarian` of R's package survival (Edmunson et al. 1979): days, whether the patient died, ecog.ps, rx
OVARIAN = """59 1 1 1|115 1 1 1|156 1 2 1|421 0 1 2|431 1 1 1|448 0 2 1|464 1 2 2|475 1 2 2|477 0 1 1|563 1 2 2|638 1 2 1
|744 0 1 2|769 0 2 2|770 0 1 2|803 0 1 1|855 0 2 1|1040 0 2 1|1106 0 1 1|1129 0 1 2|1206 0 1 2|1227 0 2 2
|268 1 2 1|329 1 1 1|353 1 2 2|365 1 1 2|377 0 1 2"""


def ovarian() -> list[Any]:
    table = [tuple(map(float, row.split())) for row in OVARIAN.split("|")]
    return [((ecog, rx), days if died else (days, None)) for days, died, ecog, rx in table]


@pytest.mark.parametrize(
    ("held", "lines", "log_likelihood"),
    [({}, [6.897, -0.385, 0.529], -97.1), ({"shape": 1.0}, [6.962, -0.433, 0.582], -97.2)],
)
def test_survreg_of_ovarian_cancer(held: dict[str, float], lines: list[float], log_likelihood: float) -> None:
    """survreg(Surv(futime, fustat) ~ ecog.ps + rx, ovarian), and with dist = "exponential", as R prints them."""
    found: Any = fit(ovarian(), CensoredEstimator(WeibullRegressionEstimator(held=held)), rng=1)
    law = found.model.dist
    np.testing.assert_allclose([law.intercept, *law.coef], lines, atol=5e-4)
    assert round(found.log_likelihood, 1) == log_likelihood
    assert held or np.log(1 / law.shape) == pytest.approx(-0.123, abs=5e-4)
    assert np.diff(found.objective).min() >= -1e-10


def test_intervals_of_all_kinds_against_a_numerical_maximum() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 2))
    t = np.exp(1.0 + x @ [0.5, -0.3] + np.log(rng.exponential(size=200)) / 2.5)
    kind = rng.integers(4, size=200)
    low, high = (np.choose(kind, ends) for ends in ([t, 0.8 * t, 0 * t, 0.7 * t], [t, np.inf + t, 1.3 * t, 1.2 * t]))
    rows = [(a, b if b == c else (b, None) if c == np.inf else (b, c)) for a, b, c in zip(x, low.tolist(), high.tolist(), strict=True)]

    def loss(p: np.ndarray) -> float:
        law = scipy.stats.weibull_min(np.exp(p[3]), scale=np.exp(p[0] + x @ p[1:3]))
        mass = np.maximum(law.sf(low) - law.sf(high), 1e-300)
        return -float(np.where(kind == 0, law.logpdf(t), np.log(mass)).sum())

    best = scipy.optimize.minimize(
        loss, [1.0, 0.0, 0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000}
    )
    found: Any = fit(rows, CensoredEstimator(WeibullRegressionEstimator()), rng=1)
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-7)
    np.testing.assert_allclose([found.model.dist.intercept, *found.model.dist.coef], best.x[:3], atol=1e-4)


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 0.5), (0.2, None), (None, 0.3), (1.0, 1.0001), (2.0, 3.0), (-30.0, -29.0), (5.0, 5.5), (None, -40.0)]
)
def test_slopes_of_an_interval(low: Any, high: Any) -> None:
    """Against derivatives in 50 digits, as the linear predictor moves both ends and the shape stretches them."""

    def log(move: Any, stretch: Any) -> Any:
        ends = [None if end is None else mp.exp((mp.mpf(end) + move) * mp.exp(stretch)) for end in (low, high)]
        return mp.log((1 if ends[0] is None else mp.exp(-ends[0])) - (0 if ends[1] is None else mp.exp(-ends[1])))

    value, made = slopes_within(np.array([-np.inf if low is None else low]), np.array([np.inf if high is None else high]))
    with mp.workdps(50):
        orders = {"once": (1, 0), "twice": (2, 0), "stretch": (0, 1), "stretch_twice": (0, 2), "turn": (1, 1)}
        expected = {name: float(mp.diff(log, (0, 0), order)) for name, order in orders.items()}
        assert value[0] == pytest.approx(float(log(0, 0)), rel=1e-12)
    assert {name: getattr(made, name)[0] for name in orders} == pytest.approx(expected, rel=1e-9, abs=1e-11)


def test_without_covariates_that_matter_it_is_a_weibull() -> None:
    rng = np.random.default_rng(1)
    t = 3.0 * rng.weibull(1.7, 200)
    rows = [((), float(v)) for v in t]
    found: Any = fit(rows, WeibullRegressionEstimator(), rng=1).model
    alone: Any = fit(t, WeibullEstimator(), rng=1).model
    assert [found.shape, np.exp(found.intercept)] == pytest.approx([alone.shape, alone.scale], rel=1e-5)


def test_mixtures_of_censored_lifetimes() -> None:
    rng = np.random.default_rng(3)
    x, first = rng.normal(size=300), rng.random(300) < 0.4
    t = np.exp(np.where(first, 1 + 0.5 * x, 4 - 0.5 * x) + np.log(rng.exponential(size=300)) / np.where(first, 2.0, 3.0))
    limit = rng.exponential(90.0, 300)
    rows = [(a, b if b <= c else (c, None)) for a, b, c in zip(x.tolist(), t.tolist(), limit.tolist(), strict=True)]
    found: Any = fit(rows, MixtureEstimator([CensoredEstimator(WeibullRegressionEstimator())] * 2), rng=1)
    assert np.diff(found.objective).min() >= -1e-9
    lines = sorted((part.dist.coef[0], part.dist.intercept) for part in found.model.components)
    np.testing.assert_allclose(lines, [(-0.5, 4.0), (0.5, 1.0)], atol=0.15)
    there: Any = condition(found.model.components[0], (0.0, UNKNOWN))
    assert isinstance(there.dist, WeibullDistribution)
    assert there.log_density((80.0, None)) == pytest.approx(found.model.components[0].log_density((0.0, (80.0, None))))
    assert found.model.components[0].value_given((0.0, (80.0, None))).mean() > 80


def test_a_family_of_mixture_regression() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(300, 1))
    y = np.exp(1.0 + 0.5 * X[:, 0]) * rng.weibull(2.0, 300)
    found = MixtureRegression(1, "weibull").fit(X, y)
    np.testing.assert_allclose([found.intercept_[0], found.coef_[0, 0], found.scale_[0]], [1.0, 0.5, 0.5], atol=0.1)
    assert found.predict(X)[:5] == pytest.approx(np.exp(found.intercept_[0] + X[:5] @ found.coef_[0]) * math.gamma(1 + found.scale_[0]))
