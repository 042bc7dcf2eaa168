"""`MixtureRegression.from_formula`: the same fits as from matrices, later frames, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from dmlcore.base.errors import DataError, DmlcoreError, ParameterError
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
    model = MixtureRegression.from_formula(formulas, data, 2, families, gate=gate, starts=8, random_state=0)
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
        ("y ~ .", {}, r"formula '.': a dot for all other columns is not read; name them"),
        ("y ~ x + .", dict(missing="drop"), r"a dot for all other columns is not read"),
        ("y ~ log(f)", {}, r"formula 'log\(f\)': Unable to evaluate"),
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
        ("y ~ x", dict(groups="nobody"), r"there is no column 'nobody'"),
        ("y ~ x | nobody", {}, r"there is no column 'nobody'"),
        ("y ~ x | f", dict(groups="one"), r"groups of rows are given twice"),
        ("y ~ x | f | one", {}, r"after \| need the name of one column"),
        ("y ~ x | f + one", {}, r"after \| need the name of one column"),
        ("y | f ~ x", {}, r"after \| need the name of one column"),
        ("y ~ x + (1|f)", {}, r"Operator `\|` is incorrectly used\. [^\n\x1b]*$"),
        ("y ~ x", dict(gate="~ x | f"), r"formula 'x \| f': need terms joined by \+"),
        ("y ~ when", {}, r"column 'when': row 0 is datetime\.datetime\(2020, 1, 1.*; need numbers or text"),
        ("y ~ took", {}, r"column 'took': row 0 is datetime\.timedelta.*; need numbers or text \(divide durations by a unit"),
        ("y ~ bs(gap, df=3)", {}, r"column 'gap': row 1 is nan"),
        ("y ~ none.such", {}, r"there is no column"),
        ("y ~ NA", {}, r"column 'NA': row 2 is None; need a value"),
    ],
)
def test_refused(formula: str, more: Any, match: str) -> None:
    gap: Any = [1.0, np.nan, 2.0, 3.0]
    data = pd.DataFrame({"y": [1.0, 2.0, 4.0, 3.0], "x": [1.0, 2.0, 3.0, 5.0], "gap": gap, "f": list("abab")})
    data = data.assign(hole=pd.Series(["a", "b", None, "a"], dtype=object), one="a", NA=pd.array([1, 2, None, 3], dtype="Int64"))
    data = data.assign(when=pd.date_range("2020", periods=4), took=pd.to_timedelta([1, 2, 3, 4], unit="s"))
    with pytest.raises(DmlcoreError, match=match):
        MixtureRegression.from_formula(formula, data, 1, **more)


def test_columns_of_a_dict_are_as_long_as_each_other() -> None:
    with pytest.raises(DataError, match="column 'x' has 2 entries, 'y' has 3; need as many"):
        MixtureRegression.from_formula("y ~ x", {"y": [1.0, 2.0, 3.0], "x": [1.0, 2.0]}, 1)


def test_later_calls_need_a_frame() -> None:
    data = pd.DataFrame({"y": [1.0, 2.0, 4.0, 3.0], "x": [1.0, 2.0, 3.0, 5.0]})
    model = MixtureRegression.from_formula("y ~ x", data, 1)
    with pytest.raises(DmlcoreError, match="needs a data frame"):
        model.predict(np.ones((2, 1)))
    assert model.fit(data[["x"]].to_numpy(), data["y"]).predict([[1.0]]).shape == (1,)
    with pytest.raises(ParameterError, match="no setting"):
        model.set_params(formula="y ~ x")


# -- dtypes and names --------------------------------------------------------------------------------------------------


def factors() -> Any:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.normal(size=60), "g": pd.Series(rng.choice(["u", "v", "w"], 60), dtype=object)})
    return data.assign(y=data["x"] + (data["g"] == "u") + 2 * (data["g"] == "w") + 0.1 * rng.normal(size=60))


def coefficients(formula: str, data: Any, **more: Any) -> dict[str, float]:
    model = MixtureRegression.from_formula(formula, data, 1, starts=1, **more)
    return {"": model.intercept_[0], **dict(zip(map(str, model.feature_names_in_), model.coef_[0].tolist(), strict=True))}


def arrow(make: Any) -> Any:
    return lambda data: make(pytest.importorskip("pyarrow"), data)


LEVELS = ["w", "v", "u", "unused"]
TEXT: dict[str, Any] = {
    "convert_dtypes": lambda d: d.convert_dtypes(),
    "string": lambda d: d.astype({"g": "string"}),
    "str": lambda d: d.astype({"g": "str"}),
    "Arrow behind pandas": arrow(lambda pa, d: d.convert_dtypes(dtype_backend="pyarrow")),
    "dictionary behind pandas": arrow(
        lambda pa, d: d.assign(g=pd.Series(d["g"], dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))))
    ),
    "Arrow": arrow(lambda pa, d: pa.Table.from_pandas(d)),
    "Arrow batch": arrow(lambda pa, d: pa.RecordBatch.from_pandas(d)),
    "Arrow dictionary": arrow(
        lambda pa, d: pa.table({**{k: d[k].to_numpy() for k in "xy"}, "g": pa.array(d["g"].tolist()).dictionary_encode()})
    ),
    "polars": pl.from_pandas,
    "polars Categorical": lambda d: pl.from_pandas(d).with_columns(pl.col("g").cast(pl.Categorical)),
    "mapping": lambda d: {name: d[name].tolist() for name in d},
    "Decimal": lambda d: d.assign(x=[Decimal(repr(v)) for v in d["x"]]),
    "any index": lambda d: d.set_axis(range(60, 0, -1)),
    "another order": lambda d: d[["y", "g", "x"]],
}


@cache
def with_a_factor() -> tuple[MixtureRegression, dict[str, float]]:
    return MixtureRegression.from_formula("y ~ x + g", factors(), 1, starts=1), coefficients("y ~ x + g", factors())


@pytest.mark.parametrize("make", TEXT.values(), ids=TEXT)
def test_text_of_every_dtype_is_a_factor(make: Any) -> None:
    data, (model, expected) = factors(), with_a_factor()
    assert coefficients("y ~ x + g", make(data)) == pytest.approx(expected, rel=1e-9)
    assert list(expected) == ["", "x", "g[T.v]", "g[T.w]"]
    np.testing.assert_allclose(model.predict(make(data)), model.predict(data), rtol=1e-12)


@pytest.mark.parametrize("formula", ["y ~ x + g", "y ~ x + C(g)"])
def test_categories_keep_their_order_and_lose_what_does_not_occur(formula: str) -> None:
    data = factors()
    frames = [
        data.assign(g=pd.Categorical(data["g"], categories=LEVELS)),
        pl.from_pandas(data).with_columns(pl.col("g").cast(pl.Enum(LEVELS))),
    ]
    for frame in frames:
        found = coefficients(formula, frame)
        assert [name.removeprefix("C(g)").removeprefix("g") for name in found] == ["", "x", "[T.v]", "[T.u]"]
        model = MixtureRegression.from_formula(formula, frame, 1, starts=1)
        np.testing.assert_allclose(model.predict(data), MixtureRegression.from_formula(formula, data, 1, starts=1).predict(data), rtol=1e-9)


def test_whole_numbers_and_truth_values_of_every_dtype() -> None:
    data = factors().assign(k=np.arange(60) % 7)
    for dtype in (object, "Int64", "float32"):
        assert coefficients("y ~ k", data.astype({"k": dtype})) == pytest.approx(coefficients("y ~ k", data))
    assert list(coefficients("y ~ k", data.astype({"k": "category"}))) == ["", *(f"k[T.{k}]" for k in range(1, 7))]
    flags = data.assign(b=data["x"] > 0)
    for dtype in (object, "boolean"):
        assert coefficients("y ~ b", flags.astype({"b": dtype})) == pytest.approx(coefficients("y ~ b", flags))


def test_names_with_dots_and_spaces() -> None:
    data, names = factors(), {"x": "Sepal.Length", "y": "out.come", "g": "a b"}
    renamed = data.rename(columns=names)
    for formula, plain in (
        ("out.come ~ Sepal.Length", "y ~ x"),
        ("`out.come` ~ `Sepal.Length` + `a b`", "y ~ x + g"),
        ("out.come ~ exp(Sepal.Length) + I(Sepal.Length ** 2)", "y ~ exp(x) + I(x ** 2)"),
        ("out.come ~ C(`a b`, contr.treatment(base='v')) * Sepal.Length", "y ~ C(g, contr.treatment(base='v')) * x"),
    ):
        found, expected = coefficients(formula, renamed), coefficients(plain, data)
        assert list(found.values()) == pytest.approx(list(expected.values()), rel=1e-12)
    model = MixtureRegression.from_formula("out.come ~ exp(Sepal.Length)", renamed, 1, starts=1, gate=None)
    assert model.predict(renamed[:2]).shape == (2,)
    with pytest.raises(DmlcoreError, match=r"there is no column 'Sepal\.Length'"):
        model.predict(renamed.drop(columns="Sepal.Length"))
    gated = MixtureRegression.from_formula("out.come ~ 1 + Sepal.Length", renamed, 2, starts=1, gate="Sepal.Length", random_state=0)
    assert gated.gate_names_ == ("Sepal.Length",)


def test_a_column_called_as_the_intercept() -> None:
    data = factors().assign(Intercept=np.arange(60.0) % 5, z=np.arange(60.0) % 5)
    for left in ("", "0 + "):
        found, expected = coefficients(f"y ~ {left}x + Intercept", data), coefficients(f"y ~ {left}x + z", data)
        assert list(found) == ["", "x", "Intercept"]
        assert list(found.values()) == pytest.approx(list(expected.values()))


@pytest.mark.parametrize("formula", ["y ~ x | who", "y ~ x | `who`", ["y ~ x | who", "x ~ y | who"]])
def test_groups_after_a_bar(formula: Any) -> None:
    data = factors().assign(who=np.repeat(np.arange(20), 3))
    model = MixtureRegression.from_formula(formula, data, 2, starts=1, random_state=0)
    assert model.n_rows_ == (20.0, "groups")
    plain = [one.partition("|")[0] for one in formula] if isinstance(formula, list) else formula.partition("|")[0]
    assert model.log_likelihood_ == MixtureRegression.from_formula(plain, data, 2, starts=1, random_state=0, groups="who").log_likelihood_
    assert model.predict_proba(data).shape == (60, 2)


def test_bars_inside_functions_are_no_groups() -> None:
    data = factors()
    assert coefficients("y ~ I((x > 1) | (x < -1))", data)["I((x > 1) | (x < -1))"] != 0.0


def test_text_in_a_formula_names_no_column() -> None:
    assert len(coefficients("y ~ C(g, contr.treatment(base='v'))", factors().assign(v=np.nan))) == 3


# -- offsets, exposures, trials as expressions -------------------------------------------------------------------------


def counts() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.normal(size=80), "ba.se": rng.uniform(1, 5, size=80), "asked": rng.integers(1, 9, size=80)})
    data["y"] = rng.poisson(data["ba.se"] * np.exp(0.3 + 0.5 * data["x"]))
    data["yes"] = rng.binomial(data["asked"], 1 / (1 + np.exp(-data["x"])))
    return data.assign(no=data["asked"] - data["yes"], base=data["ba.se"])


@pytest.mark.parametrize(
    ("formula", "more"),
    [
        ("y ~ x", dict(offset="np.log(base)")),
        ("y ~ x", dict(offset="log(ba.se)")),
        ("y ~ x", dict(offset={"y": "log(base)"})),
        ("y ~ x", dict(exposure="base")),
        ("y ~ x", dict(exposure="ba.se / 2", offset="np.log(2 + 0 * x)")),
        ("y ~ x + offset(log(base))", {}),
        ("y ~ offset(log(ba.se) - 1) + x + offset(1 + 0 * x)", {}),
    ],
)
def test_a_known_part_of_the_predictor_is_said_in_many_ways(formula: str, more: Any) -> None:
    data = counts()
    expected = MixtureRegression(1, "poisson").fit(data[["x"]], data["y"], offset=np.log(data["base"]))
    found = MixtureRegression.from_formula(formula, data, 1, "poisson", **more)
    assert found.log_likelihood_ == pytest.approx(expected.log_likelihood_, rel=1e-12)
    np.testing.assert_allclose(found.predict(data[:5]), expected.predict(data[["x"]][:5], offset=np.log(data["base"][:5])), rtol=1e-9)
    by_name = MixtureRegression(1, "poisson").fit(data[["x", "y", "base"]], "y", exposure="base")
    assert by_name.log_likelihood_ == pytest.approx(expected.log_likelihood_, rel=1e-12)
    np.testing.assert_allclose(by_name.predict(data[["x"]], exposure=data["base"]), by_name.predict(data), rtol=1e-12)


def test_successes_and_failures_or_two_responses() -> None:
    data = counts()
    expected = MixtureRegression(1, "binomial").fit(data[["x"]], data["yes"], trials=data["asked"])
    for formula, more in (("cbind(yes, no) ~ x", {}), ("yes ~ x", dict(trials="yes + no"))):
        found = MixtureRegression.from_formula(formula, data, 1, "binomial", **more)
        assert found.log_likelihood_ == pytest.approx(expected.log_likelihood_, rel=1e-12)
        assert found.response_names_ == ("yes",)
        assert found.predict_proba(data[:3]).shape == (3, 1)
    two = MixtureRegression.from_formula("cbind(y, base) ~ x", data, 1)
    assert two.response_names_ == ("y", "base")
    mixed = ["y ~ x + offset(log(base))", "cbind(yes, no) ~ 1"]
    both = MixtureRegression.from_formula(mixed, data, 1, ["poisson", "binomial"])
    apart = MixtureRegression.from_formula("cbind(yes, no) ~ 1", data, 1, "binomial").log_likelihood_
    alone = MixtureRegression.from_formula("y ~ x", data, 1, "poisson", exposure="base").log_likelihood_
    assert both.log_likelihood_ == pytest.approx(alone + apart, rel=1e-12)
    assert both.predict(data[:2]).shape == (2, 2)


@pytest.mark.parametrize(
    ("formula", "more", "match"),
    [
        ("y ~ x", dict(offset="np.log(bse)"), r"there is no column 'bse', which 'np\.log\(bse\)' needs"),
        ("y ~ x", dict(offset="C(kind)"), r"'C\(kind\)' makes 2 columns; need one column of numbers"),
        ("y ~ x", dict(offset="np.log(base"), r"formula 'np\.log\(base'"),
        ("y ~ x + offset(base)", dict(offset="base"), "offset is given twice"),
        ("y ~ x", dict(exposure="x"), r"column 'x': row \d+ is -.*; need a number > 0"),
        ("y ~ x + offset(log(x))", {}, r"column 'log\(x\)': row"),
    ],
)
def test_bad_expressions(formula: str, more: Any, match: str) -> None:
    with pytest.raises(DmlcoreError, match=match):
        MixtureRegression.from_formula(formula, counts().assign(kind=["u", "v"] * 40), 1, "poisson", **more)
    with pytest.raises(ParameterError, match="an exposure is of families with a log link, poisson, gamma, negative_binomial"):
        MixtureRegression.from_formula("y ~ x", counts(), 1, exposure="base")
