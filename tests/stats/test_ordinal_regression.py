"""Ordinal regression: published fits, slopes by differences, tails, and its order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats

from dmlcore import fit
from dmlcore.base.errors import DegenerateError, ParameterError
from dmlcore.regression import Lasso
from dmlcore.stats import LogisticRegressionEstimator, OrdinalRegressionDistribution, OrdinalRegressionEstimator
from dmlcore.stats.regression.ordinal_regression import between
from tests.reference import load

HOUSING = load("polr_housing")
LEVELS = ("Low", "Medium", "High")


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_housing(link: str) -> None:
    rows, freq = [(x, y) for x, y, _ in HOUSING["data"]], [n for *_, n in HOUSING["data"]]
    found = fit(rows, OrdinalRegressionEstimator(labels=LEVELS, link=link), weights=freq, rng=1)
    assert found.status == "converged"
    assert -2 * found.log_likelihood == pytest.approx(HOUSING["deviance"][link], abs=1e-3)
    model: Any = found.model
    if link == "logit":
        assert model.coef == pytest.approx(HOUSING["coef"][link], abs=1e-6)
        assert model.cutpoints == pytest.approx(HOUSING["cutpoints"][link], abs=1e-6)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_slopes_and_curvatures_are_derivatives(link: str) -> None:
    low, high, h = np.array([-2.0, -0.3, 1.0, 6.0]), np.array([-1.0, 0.9, 1.2, 7.0]), 1e-5

    def log(a: Any, b: Any) -> np.ndarray:
        return between(link, a, b)[0]

    law = scipy.stats.logistic if link == "logit" else scipy.stats.norm
    assert log(low, high) == pytest.approx(np.log(law.sf(low) - law.sf(high)), rel=1e-9)
    _, in_low, in_high, *bends = between(link, low, high)
    assert in_low == pytest.approx((log(low + h, high) - log(low - h, high)) / (2 * h), rel=1e-6)
    assert in_high == pytest.approx((log(low, high + h) - log(low, high - h)) / (2 * h), rel=1e-6)
    slopes = [between(link, *ends) for ends in ((low + h, high), (low - h, high), (low, high + h), (low, high - h))]
    assert bends[0] == pytest.approx(-(slopes[0][1] - slopes[1][1]) / (2 * h), rel=1e-5)
    assert bends[1] == pytest.approx(-(slopes[0][2] - slopes[1][2]) / (2 * h), rel=1e-5)
    assert bends[2] == pytest.approx(-(slopes[2][2] - slopes[3][2]) / (2 * h), rel=1e-5)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_tails_keep_their_digits(link: str) -> None:
    far = OrdinalRegressionDistribution([1.0], [0.0, 1.0], LEVELS, link)
    logs = [far.log_density((30.0 * sign, level)) for sign, level in ((1, "Low"), (-1, "High"), (1, "High"))]
    law = scipy.stats.logistic if link == "logit" else scipy.stats.norm
    assert logs == pytest.approx([law.logcdf(-30.0), law.logsf(31.0), law.logsf(-29.0)], rel=1e-12)


def test_newtons_steps_are_few() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=120)
    rows = list(zip(x.tolist(), np.digitize(x + rng.logistic(size=120), [-1.0, 0.0, 1.5]).tolist(), strict=True))
    found = fit(rows, OrdinalRegressionEstimator(), rng=1, accelerate=False)
    assert found.status == "converged"
    assert found.iterations < 15  # by the curvature that there is; without that of neighbouring cutpoints, hundreds


def test_two_labels_are_a_logistic_regression() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 2))
    y = (rng.random(300) < 1 / (1 + np.exp(-x[:, 0]))).astype(int)
    rows = list(zip(x, y.tolist(), strict=True))
    one, two = fit(rows, OrdinalRegressionEstimator(), rng=1), fit(rows, LogisticRegressionEstimator(), rng=1)
    assert one.log_likelihood == pytest.approx(two.log_likelihood, abs=1e-9)
    assert one.model.coef == pytest.approx(two.model.coef, abs=1e-6)  # type: ignore[attr-defined]
    assert one.model.cutpoints == pytest.approx([-two.model.intercept], abs=1e-6)  # type: ignore[attr-defined]


def test_the_order_of_labels_is_given_or_that_of_sorting() -> None:
    rows = [(float(i), level) for i, level in enumerate([3, 3, 1, 3, 2, 1, 2, 2, 1, 1])]
    model: Any = fit(rows, OrdinalRegressionEstimator(), rng=1).model
    assert model.labels == (1, 2, 3)
    assert model.coef[0] < 0
    turned: Any = fit(rows, OrdinalRegressionEstimator(labels=(3, 2, 1)), rng=1).model
    assert turned.coef == pytest.approx(-model.coef, rel=1e-4)


def test_what_makes_no_law_is_refused() -> None:
    with pytest.raises(ParameterError, match="cutpoints must be a vector of finite reals that increase"):
        OrdinalRegressionDistribution([1.0], [1.0, 0.5], LEVELS)
    with pytest.raises(ParameterError, match="one for each label but the last"):
        OrdinalRegressionDistribution([1.0], [1.0], LEVELS)
    with pytest.raises(ParameterError, match="link must be 'logit' or 'probit'"):
        OrdinalRegressionEstimator(link="log")
    with pytest.raises(DegenerateError, match="column 1 is constant"):
        fit([([0.1 * i, 1.0], i % 3) for i in range(9)], OrdinalRegressionEstimator())


def test_one_label_is_certain() -> None:
    model: Any = fit([([float(i)], "a") for i in range(5)], OrdinalRegressionEstimator(), rng=1).model
    assert (model.labels, len(model.cutpoints)) == (("a",), 0)
    assert model.log_density(([9.0], "a")) == 0.0


def test_a_lasso_leaves_out_what_is_not_spoken_of() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=100), 0.01 * rng.normal(size=100)])
    rows = list(zip(x, np.array(LEVELS)[np.digitize(1.5 * x[:, 0] + rng.logistic(size=100), [0.0, 1.0])].tolist(), strict=True))
    model: Any = fit(rows, OrdinalRegressionEstimator(labels=LEVELS, penalty=Lasso(2.0)), rng=1).model
    assert model.coef[1] == 0.0

    def objective(coef: Any, cutpoints: Any) -> float:
        law = OrdinalRegressionDistribution(coef, cutpoints, LEVELS)
        return float(law.seq_log_density(rows).sum()) - 2.0 * float(np.abs(coef).sum())

    best = objective(model.coef, model.cutpoints)
    for step in (-1e-3, 1e-3):
        for move in np.eye(2) * step:
            assert objective(model.coef + move, model.cutpoints) < best
            assert objective(model.coef, model.cutpoints + move) < best
