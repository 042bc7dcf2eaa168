"""`MixtureRegression` with coefficients that components share or lack, one scale, other ways to assign rows, and fewer components."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from dmlcore.base.errors import DataError, DmlcoreError, ParameterError
from dmlcore.regression import MixtureRegression, select_components, simulate_regression_mixture
from tests.reference import load

NESTED = load("flexmix_nested_varfix")


@cache
def frame() -> pd.DataFrame:
    return pd.DataFrame(NESTED["data"])


@cache
def by_formula() -> MixtureRegression:
    """flexmix(y ~ 1, k = 3, FLXMRglmfix(fixed = ~ x2, nested = list(k = c(1, 2), formula = c(~ 0, ~ x1)), varFix = TRUE), ~ w)"""
    return MixtureRegression.from_formula(
        "y ~ 1", frame(), 3, fixed="~ x2", nested=[(1, "~ 0"), (2, "~ x1")], gate="~ w", shared_scale=True, random_state=1
    )


def test_flexmix_fixed_and_nested_by_formula() -> None:
    model, maximum = by_formula(), NESTED["maximum"]
    params, se = maximum["params"], maximum["se"]
    assert model.log_likelihood_ == pytest.approx(maximum["loglik"], rel=1e-10)
    assert model.bic() == pytest.approx(NESTED["fit"]["BIC"], abs=2e-3)  # flexmix stops 7e-4 nats below
    assert model.feature_names_in_.tolist() == ["x2", "x1"]
    np.testing.assert_allclose(model.coef_[:, 0], params["r0.coef.x21"], rtol=1e-6)
    np.testing.assert_allclose(sorted(model.coef_[:, 1]), [0.0, *[params["r0.coef.x1"]] * 2], rtol=1e-6)
    np.testing.assert_allclose(np.log(model.scale_), params["r0.log_sigma"], rtol=1e-6)
    rows = [row for row in model.summary().rows if row["term"] == "x2"]
    assert [row["note"] for row in rows] == ["shared"] * 3
    np.testing.assert_allclose([row["error"] for row in rows], se["r0.coef.x21"], rtol=1e-4)
    assert [row["term"] for row in model.summary().rows].count("x1") == 2
    scales = [row["error"] / row["estimate"] for row in model.summary().rows if row["term"] == "standard deviation"]
    np.testing.assert_allclose(scales, se["r0.log_sigma"], rtol=1e-4)
    np.testing.assert_allclose(model.predict(frame().head(5)), model.predict(frame())[:5], rtol=1e-12)


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: pl.DataFrame(f.to_dict("list"))], ids=["pandas", "polars"])
def test_fixed_and_nested_by_names_of_columns(wrap: Any) -> None:
    X = wrap(frame())[["x1", "x2", "w"]]
    model = MixtureRegression(3, shared_scale=True, random_state=1)
    start = by_formula().predict_proba(frame())
    model.fit(X, frame()["y"], fixed="x2", nested=[(1, None), (2, "x1")], gate="w", start=start)
    assert model.log_likelihood_ == pytest.approx(by_formula().log_likelihood_, rel=1e-10)
    np.testing.assert_allclose(model.predict(X), by_formula().predict(frame()), rtol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X, frame()["y"]), by_formula().predict_proba(frame()), atol=1e-6)


def test_estimators_go_with_their_components_to_the_front() -> None:
    rng = np.random.default_rng(0)
    x, heavy = rng.normal(size=60), np.arange(60) % 3 > 0
    y = np.where(heavy, 3 + 2 * x, -3) + 0.5 * rng.normal(size=60)
    model = MixtureRegression(2, starts=1, random_state=1).fit(pd.DataFrame({"x": x}), y, nested=[(1, None), (1, "x")])
    assert model.coef_[1].tolist() == [0.0]  # the first block is the lighter one
    assert [len(own.held) for own in model.fit_.estimator.estimators] == [0, 1]


def test_fixed_as_an_array_is_further_columns() -> None:
    data = frame()
    named = MixtureRegression(2, starts=1, random_state=1).fit(data[["x1", "x2"]], data["y"], fixed="x2")
    arrays = MixtureRegression(2, starts=1, random_state=1).fit(data[["x1"]].to_numpy(), data["y"].to_numpy(), fixed=data["x2"].to_numpy())
    formula = MixtureRegression.from_formula("y ~ x1", data, 2, fixed=data["x2"].to_numpy(), starts=1, random_state=1)
    by_column = MixtureRegression.from_formula("y ~ x1", data, 2, fixed="x2", starts=1, random_state=1)
    for model in (arrays, formula, by_column):
        assert model.log_likelihood_ == pytest.approx(named.log_likelihood_, rel=1e-10)
        np.testing.assert_allclose(model.coef_, named.coef_, rtol=1e-5)
    np.testing.assert_allclose(arrays.predict(data[["x1", "x2"]].to_numpy()), named.predict(data[["x1", "x2"]]), rtol=1e-5)
    assert named.coef_[0, 1] == named.coef_[1, 1] != named.coef_[0, 0]


def test_flexmix_one_effect_of_a_factor_over_groups() -> None:
    case = load("flexmix_betablocker")
    model = MixtureRegression.from_formula(
        "Deaths ~ 1", pd.DataFrame(case["data"]), 3, "binomial", fixed="~ Treatment", trials="Total", groups="Center", random_state=1
    )
    assert model.log_likelihood_ == pytest.approx(case["maximum"]["loglik"], rel=1e-10)
    assert model.bic("rows") == pytest.approx(case["fit"]["BIC"], abs=1e-8)
    assert model.bic() == pytest.approx(model.bic("rows") + 6 * (np.log(22) - np.log(44)), rel=1e-12)
    assert model.aic() == pytest.approx(case["fit"]["AIC"], abs=1e-8)
    with pytest.raises(ParameterError, match="count must be"):
        model.bic("centres")


def test_a_fixed_intercept() -> None:
    data = simulate_regression_mixture(300, betas=[[2.0, 3.0], [2.0, -3.0]], noise=0.5, random_state=3).frame()
    model = MixtureRegression.from_formula("y ~ 0 + x1", data, 2, fixed="~ 1", starts=1, random_state=0)
    assert model.intercept_[0] == model.intercept_[1] == pytest.approx(2.0, abs=0.15)
    plain = MixtureRegression.from_formula("y ~ x1", data, 2, starts=1, random_state=0)
    assert plain.log_likelihood_ > model.log_likelihood_
    assert plain.log_likelihood_ - model.log_likelihood_ < 4.0


def test_several_responses_share_within_each() -> None:
    rng = np.random.default_rng(0)
    z, x = rng.integers(2, size=300), rng.normal(size=(300, 2))
    y = np.column_stack([5 * z + x[:, 0] * (1 - 2 * z) + 2 * x[:, 1], 3 * x[:, 0] - x[:, 1] * z]) + rng.normal(size=(300, 2))
    model = MixtureRegression(2, shared_scale=True, starts=1, random_state=0).fit(x, y, fixed="x0")
    assert model.coef_.shape == (2, 2, 2)
    np.testing.assert_array_equal(model.coef_[0, :, 0], model.coef_[1, :, 0])
    assert model.coef_[0, 0, 0] != model.coef_[0, 1, 0]
    np.testing.assert_array_equal(model.scale_[0], model.scale_[1])
    assert "shared" in str(model.summary())


def test_a_sweep_with_a_fixed_covariate() -> None:
    data = simulate_regression_mixture(300, betas=[[0.0, 2.0], [6.0, 2.0]], noise=1.0, random_state=3).frame()
    found = select_components(data, "y", fixed="x1", shared_scale=True, starts=1, random_state=0, components=range(1, 4))
    assert found.n_components == 2
    assert [row["parameters"] for row in found.rows] == [3, 5, 7]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (dict(fixed="z"), "no column 'z'"),
        (dict(fixed="y"), "no covariate"),
        (dict(fixed="x2", nested=[(3, "x2")]), "both fixed and nested"),
        (dict(fixed=["x2", "x2"]), "named twice"),
        (dict(nested=[(1, "x1")]), "nested speaks of 1 components, n_components is 3"),
        (dict(nested="x1"), "nested must be a list"),
        (dict(nested=[(0, "x1"), (3, None)]), "nested must be a list"),
        (dict(fixed=frame()[["x1"]]), "fixed: column 'x1' is in X already; give its name"),
        (dict(fixed=np.ones((5, 1))), "fixed has 5 entries"),
        (dict(fixed=np.where(np.arange(200) == 3, np.nan, 1.0)), "'fixed': row 3 is nan"),
    ],
)
def test_bad_sharing_is_named(given: Any, match: str) -> None:
    with pytest.raises(DmlcoreError, match=match):
        MixtureRegression(3).fit(frame()[["x1", "x2", "y"]], "y", **given)


def test_bad_sharing_in_formulas_is_named() -> None:
    with pytest.raises(ParameterError, match="'x2' varies, so it cannot be fixed"):
        MixtureRegression.from_formula("y ~ x1 + x2", frame(), 2, fixed="~ x2")
    with pytest.raises(DataError, match="no column 'age'"):
        MixtureRegression.from_formula("y ~ x1", frame(), 2, fixed="~ age")
    with pytest.raises(DataError, match="no column 'age'"):
        MixtureRegression.from_formula("y ~ x1", frame(), 2, nested=[(1, "age"), (1, None)])


# -- other ways to fit -------------------------------------------------------------------------------------------------------


def test_hard_assignment_maximises_the_classification_likelihood() -> None:
    data = simulate_regression_mixture(200, betas=[[0.0, 4.0], [6.0, -3.0]], noise=0.5, random_state=1).frame()
    soft = MixtureRegression(2, starts=1, random_state=0).fit(data, "y")
    hard = MixtureRegression(2, starts=1, random_state=0, assign="hard").fit(data, "y")

    def classified(model: MixtureRegression) -> float:
        laws = model.components_
        rows = list(zip(data[["x1"]].to_numpy(), data["y"], strict=True))
        logs = np.array([law.seq_log_density(rows) for law in laws]) + np.log(model.weights_)[:, None]
        return float(logs.max(axis=0).sum())

    assert classified(hard) > classified(soft)
    assert hard.fit_.objective[-1] == pytest.approx(classified(hard), rel=1e-10)
    assert hard.log_likelihood_ < soft.log_likelihood_


def test_light_components_are_removed_and_what_follows_knows() -> None:
    data = simulate_regression_mixture(150, betas=[[0.0, 4.0], [6.0, -3.0]], weights=[0.7, 0.3], noise=0.5, random_state=1).frame()
    start = np.random.default_rng(0).integers(4, size=150)
    model = MixtureRegression(4, min_share=0.2).fit(data, "y", start=start)
    assert len(model.weights_) == model.coef_.shape[0] < 4
    assert model.weights_.min() >= 0.2
    k = len(model.weights_)
    assert model.bic() == pytest.approx((4 * k - 1) * np.log(150) - 2 * model.log_likelihood_, rel=1e-12)
    assert f"component {k - 1}" in str(model.summary())
    gone = [event for event in model.fit_.events if "removed" in event]
    assert len(gone) == model.fit_.removed == 4 - k
