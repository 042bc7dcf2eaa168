"""`MixtureRegression.from_formula`: the same fits as from matrices, later frames, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from dmlcore.core.errors import DmlcoreError, ParameterError
from dmlcore.regression import MixtureRegression
from tests.reference import load

pytest.importorskip("formulaic")


def test_flexmix_quadratic_and_later_frames() -> None:
    case = load("flexmix_standard_errors")
    data = pd.DataFrame(case["data"])
    model = MixtureRegression.from_formula("yn ~ x + I(x**2)", data, 2, random_state=0)
    assert model.log_likelihood_ == pytest.approx(case["gaussian"]["loglik"], rel=1e-6)
    assert list(model.feature_names_in_) == ["x", "I(x ** 2)"]
    x = data["x"].to_numpy()
    mean = model.intercept_ + np.c_[x, x**2] @ model.coef_.T
    np.testing.assert_allclose(model.predict(data.iloc[5:9]), (mean @ model.weights_)[5:9], rtol=1e-9)
    assert model.score(data) * len(data) == pytest.approx(model.log_likelihood_, rel=1e-10)
    assert "I(x ** 2)" in str(model.summary())


def test_seizures_with_factor_interaction_and_offset() -> None:
    case = load("flexmix_seizure")
    data = pl.DataFrame(case["data"])
    model = MixtureRegression.from_formula("Seizures ~ Treatment * log(Day)", data, family="poisson", offset="logHours", random_state=0)
    assert model.log_likelihood_ == pytest.approx(case["maximum"]["loglik"], rel=1e-6)
    names = {"Treatment[T.Yes]": "TreatmentYes", "log(Day)": "log(Day)", "Treatment[T.Yes]:log(Day)": "TreatmentYes:log(Day)"}
    expected = [[case["maximum"]["params"][f"r0.c{k}.coef.{names[name]}"] for name in model.feature_names_in_] for k in range(2)]
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-5)
    assert model.predict(data[:3]).shape == (3,)
    with pytest.raises(DmlcoreError, match="Maybe"):
        model.predict(data[:3].with_columns(Treatment=pl.lit("Maybe")))


def test_gate_groups_and_no_intercept() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.normal(size=120), "z": np.repeat(rng.normal(size=30), 4), "who": np.repeat(np.arange(30), 4)})
    data["y"] = np.where(data["z"] > 0, 3, -3) * data["x"] + rng.normal(size=120)
    by_formula = MixtureRegression.from_formula("y ~ 0 + x", data, gate="~ z", groups="who", starts=3, random_state=0)
    by_matrix = MixtureRegression(2, fit_intercept=False, starts=3, random_state=0).fit(data, "y", gate="z", groups="who")
    assert by_formula.log_likelihood_ == pytest.approx(by_matrix.log_likelihood_, rel=1e-12)
    np.testing.assert_allclose(by_formula.predict(data), by_matrix.predict(data), rtol=1e-9)
    np.testing.assert_allclose(by_formula.predict_proba(data), by_matrix.predict_proba(data, "y"), rtol=1e-9)


@pytest.mark.parametrize(("case", "gate"), [("joint_gaussian_poisson", None), ("joint_concomitant", "~ yb")])
def test_flexmix_responses_with_covariates_of_their_own(case: str, gate: Any) -> None:
    reference = load("flexmix_npreg")
    data, expected = pd.DataFrame(reference["data"]), reference["maxima"][case]
    formulas, families = ["yn ~ x + I(x**2)", "yp ~ x"], ["gaussian", "poisson"]
    model = MixtureRegression.from_formula(formulas, data, 2, families, gate=gate, random_state=0)
    assert model.log_likelihood_ == pytest.approx(expected["loglik"], rel=1e-8)
    assert list(model.feature_names_in_) == ["x", "I(x ** 2)"]
    assert (model.coef_[:, 1, 1] == 0).all()  # no quadratic term in the second formula
    params, errors = expected["params"], expected["se"]
    firsts = np.array([params[f"r0.c{c}.coef.(Intercept)"] for c in range(2)])
    order = np.abs(model.intercept_[:, 0] - firsts[:, None]).argmin(axis=1)  # our component for each of the reference's
    rows = model.summary().rows
    for c, k in enumerate(order.tolist()):
        for r, (response, coefficients) in enumerate((("yn", [*model.coef_[k, 0]]), ("yp", [model.coef_[k, 1, 0]]))):
            found = [model.intercept_[k, r], *coefficients]
            names = [f"r{r}.c{c}.coef.{name}" for name in ("(Intercept)", "x", "I(x^2)")[: len(found)]]
            np.testing.assert_allclose(found, [params[name] for name in names], rtol=1e-5, atol=1e-5)
            own = [row["error"] for row in rows if row["part"] == f"component {k}, {response}" and row["z"] is not None]
            np.testing.assert_allclose(own, [errors[name] for name in names], rtol=0.01)
        assert model.scale_[k, 0] == pytest.approx(np.exp(params[f"r0.c{c}.log_sigma"]), rel=1e-5)
    assert model.predict(data, per_component=True).shape == (200, 2, 2)
    assert model.score(data) * 200 == pytest.approx(model.log_likelihood_, rel=1e-10)


def test_several_responses_in_one_formula() -> None:
    rng = np.random.default_rng(1)
    data = pl.DataFrame({"x": rng.normal(size=80), "hours": rng.uniform(1, 3, size=80)})
    data = data.with_columns(a=pl.col("x") + rng.normal(size=80), b=pl.Series(rng.poisson(data["hours"] * np.exp(0.5 * data["x"]))))
    made = data.with_columns(log_hours=pl.col("hours").log())
    by_formula = MixtureRegression.from_formula("exp(a) + b ~ 0 + x", made, 1, ["gamma", "poisson"], offset={"b": "log_hours"})
    y = made.select(pl.col("a").exp(), "b")
    model = MixtureRegression(1, ["gamma", "poisson"], fit_intercept=False).fit(made[["x"]], y, offset={"b": made["log_hours"]})
    assert by_formula.log_likelihood_ == pytest.approx(model.log_likelihood_, rel=1e-12)
    assert by_formula.response_names_ == ("exp(a)", "b")
    np.testing.assert_allclose(by_formula.predict(made[:5]), model.predict(made[:5, ["x"]], offset={"b": made["log_hours"][:5]}), rtol=1e-9)
    mixed = MixtureRegression.from_formula(["a ~ x", "b ~ 0 + x"], made, 1, ["gaussian", "poisson"])
    assert mixed.fit_intercept == [True, False]
    assert mixed.intercept_[0, 0] != 0.0
    assert mixed.intercept_[0, 1] == 0.0


@pytest.mark.parametrize(
    ("formula", "more", "match"),
    [
        ("y ~ q", {}, r"there is no column 'q', which 'q' needs; there are"),
        ("y", {}, r"formula must be a response and covariates"),
        ("y ~ x +", {}, r"formula 'x \+'"),
        ("y ~ gap", {}, r"column 'gap': row 1 is nan"),
        ("y ~ hole", {}, r"column 'hole': row 2 is None"),
        ("y ~ one", {}, r"column 'one' has one level only, 'a'"),
        ("y ~ log(x - 2)", {}, r"column 'log\(x - 2\)': row 0 is"),
        ("f ~ x", {}, r"the response 'f' makes 2 columns"),
        ("y ~ x", dict(offset="hours"), r"there is no column 'hours'"),
        ("y ~ x", dict(fit_intercept=False), r"said by the formula"),
    ],
)
def test_refused(formula: str, more: Any, match: str) -> None:
    gap: Any = [1.0, np.nan, 2.0, 3.0]
    data = pd.DataFrame({"y": [1.0, 2.0, 4.0, 3.0], "x": [1.0, 2.0, 3.0, 5.0], "gap": gap, "f": list("abab")})
    data = data.assign(hole=pd.Series(["a", "b", None, "a"], dtype=object), one="a")
    with pytest.raises(DmlcoreError, match=match):
        MixtureRegression.from_formula(formula, data, 1, **more)


def test_later_calls_need_a_frame() -> None:
    data = pd.DataFrame({"y": [1.0, 2.0, 4.0, 3.0], "x": [1.0, 2.0, 3.0, 5.0]})
    model = MixtureRegression.from_formula("y ~ x", data, 1)
    with pytest.raises(DmlcoreError, match="needs a data frame"):
        model.predict(np.ones((2, 1)))
    assert model.fit(data[["x"]].to_numpy(), data["y"]).predict([[1.0]]).shape == (1,)
    with pytest.raises(ParameterError, match="no setting"):
        model.set_params(formula="y ~ x")
