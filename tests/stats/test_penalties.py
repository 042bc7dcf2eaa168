"""Penalties of coefficients: ridge as a value, and the lasso against scikit-learn, by its conditions of optimality, and in mixtures."""

from __future__ import annotations

import pickle
from typing import Any

import matplotlib
import numpy as np
import pytest
import sklearn.linear_model

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import dmlcore
from dmlcore import fit, from_json, to_json
from dmlcore.base.errors import DegenerateError, ParameterError
from dmlcore.core.flat import n_parameters
from dmlcore.regression import ElasticNet, Lasso, MixtureRegression, Ridge, penalty_path, select_components
from dmlcore.selection import free_parameters
from dmlcore.stats import (
    GammaRegressionEstimator,
    LinearRegressionEstimator,
    LogisticRegressionEstimator,
    MixtureEstimator,
    MultinomialLogisticRegressionEstimator,
    NegativeBinomialRegressionEstimator,
    PoissonRegressionEstimator,
)
from tests.reference import load

REFERENCE = load("sklearn_lasso")
X, W = np.array(REFERENCE["data"]["X"]), np.array(REFERENCE["data"]["w"])
Y = {family: np.array(y) for family, y in REFERENCE["data"]["y"].items()}
Y["gamma"] = np.exp(0.4 * Y["gaussian"])
KINDS: dict[str, Any] = {
    "gaussian": LinearRegressionEstimator,
    "binomial": LogisticRegressionEstimator,
    "poisson": PoissonRegressionEstimator,
    "gamma": GammaRegressionEstimator,
    "negative binomial": NegativeBinomialRegressionEstimator,
}
Y["negative binomial"] = Y["poisson"] * 3


def rows_of(family: str) -> list[Any]:
    return list(zip(X.tolist(), Y[family].tolist(), strict=True))


@pytest.mark.parametrize("case", [(family, i) for family in ("gaussian", "binomial") for i in range(3)], ids=str)
def test_lassoed_regressions_are_those_of_scikit_learn(case: tuple[str, int]) -> None:
    family, i = case
    expected = REFERENCE["fit"][family][i]
    found = fit(rows_of(family), KINDS[family](penalty=Lasso(expected["weight"])), weights=W)
    assert found.status == "converged", found.message
    np.testing.assert_allclose(found.model.coef, expected["coef"], atol=1e-7)
    np.testing.assert_allclose(found.model.intercept, expected["intercept"], atol=1e-7)
    np.testing.assert_array_equal(found.model.coef == 0, np.array(expected["coef"]) == 0)
    assert np.diff(found.objective).min(initial=0.0) >= -1e-10


@pytest.mark.parametrize("family", KINDS)
def test_a_lasso_is_at_its_maximum_and_counts_what_is_not_zero(family: str) -> None:
    """Slopes of the log likelihood are plus or minus the weight where a coefficient is, and within that where it is zero."""
    weight = {"poisson": 20.0, "gamma": 40.0}.get(family, 10.0)
    estimator = KINDS[family](penalty=Lasso(weight))
    found = fit(rows_of(family), estimator, weights=W, max_its=3000)
    law = found.model
    assert found.converged, found.message
    zero = law.coef == 0
    assert zero.any()
    assert not zero.all()
    assert found.objective[-1] - found.log_likelihood == pytest.approx(
        -weight * np.abs(law.coef).sum() / (law.sigma2 if family == "gaussian" else 1.0)
    )

    def slope(j: int) -> float:
        up, down = (law.replace(coef=law.coef + step * np.eye(6)[j]).seq_log_density(rows_of(family)) @ W for step in (1e-5, -1e-5))
        return float((up - down) / 2e-5 * (law.sigma2 if family == "gaussian" else 1.0))

    slopes = np.array([slope(j) for j in range(6)])
    np.testing.assert_allclose(slopes[~zero], weight * np.sign(law.coef[~zero]), rtol=2e-4)
    assert np.abs(slopes[zero]).max() < weight
    assert free_parameters(law, estimator) == n_parameters(law) - zero.sum()
    assert dmlcore.aic(found) == -2 * found.log_likelihood + 2 * (n_parameters(law) - zero.sum())
    errors = dmlcore.standard_errors(law, rows_of(family), estimator=estimator, weights=W)
    assert [errors.notes.get(f"coef[{j}]") == "set to zero by the penalty" for j in range(6)] == zero.tolist()
    assert np.isfinite([errors.errors[errors.names.index(f"coef[{j}]")] for j in np.flatnonzero(~zero)]).all()


def test_a_lassoed_multinomial_regression_is_at_its_maximum() -> None:
    labels = np.digitize(Y["gaussian"], [-1.0, 1.0])
    rows = list(zip(X.tolist(), labels.tolist(), strict=True))
    found = fit(rows, MultinomialLogisticRegressionEstimator(penalty=Lasso(4.0)))
    law = found.model
    assert found.converged, found.message
    onehot = labels[:, None] == [1, 2]
    slopes = (onehot - law.mean_given(X)[:, 1:]).T @ X
    zero = law.coef == 0
    assert zero.any()
    np.testing.assert_allclose(slopes[~zero], 4.0 * np.sign(law.coef[~zero]), rtol=1e-4)
    assert np.abs(slopes[zero]).max() < 4.0


@pytest.mark.parametrize("family", KINDS)
def test_the_objective_of_mixtures_of_lassoed_regressions_never_falls(family: str) -> None:
    draws = np.random.default_rng(3)
    which = draws.integers(3, size=len(X))
    y = np.where(which == 0, Y[family], draws.permutation(Y[family]))
    estimator = MixtureEstimator([KINDS[family](penalty=Lasso(weight)) for weight in (2.0, 2.0, 5.0)])
    found = fit(list(zip(X.tolist(), y.tolist(), strict=True)), estimator, rng=1, starts=2, max_its=300, accelerate=False)
    assert found.status != "decreased"
    assert np.diff(found.objective).min() >= -1e-9
    zeros = sum(int((law.coef == 0).sum()) for law in found.model.components)
    assert zeros > 0
    assert free_parameters(found.model, estimator) == n_parameters(found.model) - zeros


def test_a_lasso_takes_more_columns_than_rows_constant_ones_and_copies() -> None:
    wide = np.c_[X, X[:, 0], np.ones(80), np.random.default_rng(0).normal(size=(80, 120))]
    rows = list(zip(wide.tolist(), Y["gaussian"].tolist(), strict=True))
    with pytest.raises(DegenerateError, match="column 7 is constant"):
        fit(rows, LinearRegressionEstimator())
    found = fit(rows, LinearRegressionEstimator(penalty=Lasso(15.0)))
    assert found.status == "converged", found.message
    left = Y["gaussian"] - found.model.intercept - wide @ found.model.coef
    slopes = wide.T @ left
    assert found.model.coef[7] == 0
    assert np.abs(slopes).max() <= 15.0 * (1 + 1e-9)
    assert np.count_nonzero(found.model.coef) < 80


def test_a_lasso_beside_what_is_held() -> None:
    estimator = LinearRegressionEstimator(penalty=Lasso(20.0), held={1: -0.5, "intercept": -3.0})
    found = fit(rows_of("gaussian"), estimator)
    law = found.model
    assert (law.coef[1], law.intercept) == (-0.5, -3.0)
    slopes = X.T @ (Y["gaussian"] + 3.0 - X @ law.coef)
    free, zero = np.arange(6) != 1, law.coef == 0
    np.testing.assert_allclose(slopes[free & ~zero], 20.0 * np.sign(law.coef[free & ~zero]), rtol=1e-9)
    assert np.abs(slopes[zero]).max() <= 20.0
    assert free_parameters(law, estimator) == 6 - zero.sum()
    with pytest.raises(ParameterError, match="goes with no tied coefficients"):
        LinearRegressionEstimator(penalty=Lasso(1.0), tied={0: "a"})
    shared = MixtureEstimator([LinearRegressionEstimator(penalty=Lasso(5.0), tied={"sigma2": "s"})] * 2)
    both = fit(rows_of("gaussian"), shared, rng=0, starts=2)
    assert both.model.components[0].sigma2 == both.model.components[1].sigma2
    assert np.diff(both.objective).min() >= -1e-9
    beside = LinearRegressionEstimator(tied={0: "a", "sigma2": "s"})
    assert fit(rows_of("gaussian"), shared.replace(estimators=(shared.estimators[0], beside, beside)), rng=0, starts=2).converged


def test_penalties_are_values() -> None:
    for family, kind in KINDS.items():
        one, other = kind(ridge=3.0), kind(penalty=Ridge(3.0))
        assert fit(rows_of(family), one).model == fit(rows_of(family), other).model
    estimator = PoissonRegressionEstimator(penalty=Lasso(0.5))
    assert repr(estimator) == "PoissonRegressionEstimator(penalty=Lasso(0.5))"
    for copy in (pickle.loads(pickle.dumps(estimator)), from_json(to_json(estimator)), eval(repr(estimator))):
        assert copy == estimator
    assert hash(Lasso(0.5)) == hash(Lasso(0.5)) != hash(Ridge(0.5))
    with pytest.raises(ParameterError, match="give ridge, or penalty"):
        PoissonRegressionEstimator(ridge=1.0, penalty=Lasso(1.0))
    with pytest.raises(ParameterError, match="penalty must be a Penalty"):
        PoissonRegressionEstimator(penalty=1.0)
    with pytest.raises(ParameterError, match="Lasso: weight must be"):
        Lasso(-1.0)


def test_mixture_regression_takes_a_penalty() -> None:
    model = MixtureRegression(2, random_state=0, starts=4, penalty=Lasso(8.0)).fit(X, Y["gaussian"])
    zeros = int((model.coef_ == 0).sum())
    assert zeros
    assert model.bic() == pytest.approx(-2 * model.log_likelihood_ + np.log(80) * (17 - zeros))
    assert "set to zero by the penalty" in str(model.summary())
    chosen = select_components(X, Y["gaussian"], components=[1, 2], random_state=0, starts=4, penalty=Lasso(8.0))
    assert chosen.rows[1]["parameters"] == 17 - int((chosen.models[1].coef_ == 0).sum())


# -- elastic nets, and paths -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1.0, 0.4])
def test_a_path_is_that_of_coordinate_descent(ratio: float) -> None:
    y, rows = Y["gaussian"], len(X)
    found = penalty_path(X, y, penalty=lambda weight: ElasticNet(weight, ratio), weights=8)
    apart = X - X.mean(axis=0)
    alphas, l1 = found.weights / rows, dict(l1_ratio=ratio, tol=1e-12, max_iter=100_000)
    _, expected, _ = sklearn.linear_model.enet_path(apart, y - y.mean(), alphas=alphas, **l1)
    np.testing.assert_allclose(found.coef[:, 0], expected.T, atol=1e-9)
    assert found.rows[0]["nonzero"] == 0
    assert found.rows[1]["nonzero"] > 0
    assert found.weights[0] == pytest.approx(np.abs(apart.T @ (y - y.mean())).max() / ratio, rel=1e-6)
    best = min(found.rows, key=lambda row: row["bic"])
    assert found.weight == best["value"]
    assert found.best.bic() == pytest.approx(best["bic"])
    ax = found.plot()
    assert len(ax.lines) == 6 + 2
    plt.close(ax.figure)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_an_elastic_net_is_at_its_maximum(family: str) -> None:
    penalty = ElasticNet({"poisson": 80.0}.get(family, 20.0), 0.6)
    found = fit(rows_of(family), KINDS[family](penalty=penalty), weights=W, max_its=3000)
    law = found.model
    assert found.converged, found.message
    zero = law.coef == 0
    assert zero.any()
    left = W * (Y[family] - law.mean_given(X))
    slopes = left @ X
    np.testing.assert_allclose(
        slopes[~zero], penalty.slope_at_zero * np.sign(law.coef[~zero]) + penalty.curvature * law.coef[~zero], rtol=1e-4
    )
    assert np.abs(slopes[zero]).max() < penalty.slope_at_zero
    scale = law.sigma2 if family == "gaussian" else 1.0
    assert found.objective[-1] - found.log_likelihood == pytest.approx(penalty.log_density(law.coef) / scale)
    assert from_json(to_json(KINDS[family](penalty=penalty))).penalty == penalty == eval(repr(penalty))


def test_a_path_of_a_mixture_keeps_its_components_and_never_falls() -> None:
    draws = np.random.default_rng(0)
    first = draws.random(len(X)) < 0.6
    y = np.where(first, 3 * X[:, 0], -3 * X[:, 1]) + 0.5 * draws.normal(size=len(X))
    found = penalty_path(X, y, n_components=2, weights=[0.5, 2.0, 8.0], random_state=0, starts=3)
    assert found.weights.tolist() == [8.0, 2.0, 0.5]
    assert found.coef.shape == (3, 2, 6)
    strong = np.abs(found.coef).argmax(axis=2)
    assert (strong == strong[0]).all()
    assert sorted(strong[0].tolist()) == [0, 1]
    assert min(np.diff(model.fit_.objective).min(initial=0.0) for model in found.models) >= -1e-9
    np.testing.assert_array_equal(found.coef[found.selection.best_index], found.best.coef_)
    with pytest.raises(ParameterError, match="sets no coefficient to zero"):
        penalty_path(X, y, penalty=Ridge)
    with pytest.raises(ParameterError, match="weights must be numbers >= 0"):
        penalty_path(X, y, weights=[])
