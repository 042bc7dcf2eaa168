"""What `dmlcore.regression` refuses, or answers in a defined way: matrices, frames and formulas, at the fit and after it; and leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from dmlcore import fit
from dmlcore.base.errors import DataError, DegenerateError, EmptyError, ParameterError, SupportError
from dmlcore.regression import MixtureRegression, select_components
from dmlcore.stats import (
    GammaRegressionEstimator,
    GatedMixtureEstimator,
    LinearRegressionEstimator,
    LogisticRegressionEstimator,
    NegativeBinomialRegressionEstimator,
    PoissonRegressionEstimator,
)

pytestmark = pytest.mark.usefixtures("short_searches")

NAN, INF = float("nan"), float("inf")
ROLES = {"sample_weight": "w", "offset": "off", "trials": "n", "groups": "who", "gate": "z"}


def frame_of(**changes: Any) -> pd.DataFrame:
    """Twelve sound rows, with other columns put in."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(12, 2)).round(3)
    sound = dict(age=x[:, 0], dose=x[:, 1], y=[1.0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0], w=1.0, off=0.1, n=[2.0] * 12)
    return pd.DataFrame({**sound, "who": [0.0, 1, 2, 3] * 3, "z": [0.3, 1.1, -0.4, 0.7] * 3, "sex": list("fmfmfmmffmfm"), **changes})


def by_names(data: pd.DataFrame, roles: dict[str, str], family: str) -> MixtureRegression:
    return MixtureRegression(1, family).fit(data[["age", "dose", "y", *roles.values()]], "y", **roles)


def by_polars(data: pd.DataFrame, roles: dict[str, str], family: str) -> MixtureRegression:
    return MixtureRegression(1, family).fit(pl.from_pandas(data[["age", "dose", "y", *roles.values()]]), "y", **roles)


def by_columns(data: pd.DataFrame, roles: dict[str, str], family: str) -> MixtureRegression:
    given = {role: data[name] if role != "gate" else data[[name]] for role, name in roles.items()}
    return MixtureRegression(1, family).fit(data[["age", "dose"]], data["y"], **given)


def by_formula(data: pd.DataFrame, roles: dict[str, str], family: str) -> MixtureRegression:
    pytest.importorskip("formulaic")
    own = {"weights" if role == "sample_weight" else role: name for role, name in roles.items()}
    return MixtureRegression.from_formula("y ~ age + dose", data, 1, family, **own)


WAYS = pytest.mark.parametrize("way", [by_names, by_polars, by_columns, by_formula])


def spoilt(name: str, value: Any, row: int = 2) -> pd.DataFrame:
    data = frame_of()
    data.loc[row, name] = value
    return data


# -- cells -------------------------------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in ("age", "y", *ROLES.values()) for value in (NAN, INF) if (name, value) != ("who", INF)]
)
def test_missing_and_infinite_cells(way: Any, name: str, value: float) -> None:
    role = {own: role for role, own in ROLES.items()}.get(name)
    need = "the label of a group" if name == "who" else "a finite number"
    with pytest.raises(DataError, match=f"^column '{name}': row 2 is {value}; need {need}$"):
        way(spoilt(name, value), {} if role is None else {role: name}, "binomial" if role == "trials" else "poisson")


@WAYS
@pytest.mark.parametrize(
    ("family", "value", "need"),
    [
        ("binomial", 2.0, r"need 0 or 1 \(or give trials\)"),
        ("binomial", 0.5, "need 0 or 1"),
        ("poisson", -1.0, "need a whole number >= 0"),
        ("poisson", 1.5, "need a whole number >= 0"),
        ("negative_binomial", -1.0, "need a whole number >= 0"),
        ("gamma", -1.0, "need a finite number > 0"),
    ],
)
def test_impossible_responses(way: Any, family: str, value: float, need: str) -> None:
    data = frame_of(y=frame_of()["y"] + (family == "gamma"))
    data.loc[2, "y"] = value
    with pytest.raises(DataError, match=f"^column 'y': row 2 is {value}; {need}"):
        way(data, {}, family)


@WAYS
@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("y", 3.0, "^column 'y': row 2 is 3.0 of 2 trials; need a whole number from 0 to the trials of its row$"),
        ("y", -1.0, "^column 'y': row 2 is -1.0 of 2 trials"),
        ("n", 0.0, "^column 'y': row 2 is 1.0 of 0 trials"),
        ("n", 1.5, "^column 'n': row 2 is 1.5; need a whole number >= 0$"),
        ("n", -2.0, "^column 'n': row 2 is -2.0; need a whole number >= 0$"),
    ],
)
def test_trials_below_successes(way: Any, name: str, value: float, match: str) -> None:
    with pytest.raises(DataError, match=match):
        way(spoilt(name, value), {"trials": "n"}, "binomial")


@WAYS
def test_weights_must_be_weights(way: Any) -> None:
    with pytest.raises(DataError, match=r"^column 'w': row 2 is -1.0; need a finite number >= 0$"):
        way(spoilt("w", -1.0), {"sample_weight": "w"}, "gaussian")
    with pytest.raises(EmptyError, match=r"^column 'w': all weights are zero"):
        way(frame_of(w=0.0), {"sample_weight": "w"}, "gaussian")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (dict(X=frame_of(age="old")[["age", "dose"]]), r"column 'age': row 0 is 'old'; need a finite number \(code text"),
        (dict(X=frame_of()[["age", "dose"]].astype("Float64").mask(frame_of()[["age", "dose"]] < -1)), r"column '\w+': row \d+ is nan"),
        (dict(X=[[1.0, 2.0], [1.0]]), r"^covariates: row 1 has 1 entries; need 2"),
        (dict(X=np.zeros((2, 2, 2))), "matrix with one row per observation, got an array of shape"),
        (dict(X=None), "^covariates must be a matrix .*, got NoneType$"),
        (dict(X=frame_of()[["age", "age"]]), r"column 'age' is there 2 times"),
        (dict(y=[1.0, None, *[2.0] * 10]), r"^column 'y': row 1 is None; need a finite number$"),
        (dict(y=[1.0, "two", *[2.0] * 10]), r"^column 'y': row 1 is 'two'"),
        (dict(y=[1.0, 10**400, *[2.0] * 10]), r"^column 'y': row 1 is 1000.*; need a finite number$"),
        (dict(y=[[1.0, 2.0], [1.0], *[[2.0, 1.0]] * 10]), r"^responses: row 1 has 1 entries; need 2"),
        (dict(y=[1.0, 2.0]), "^y has 2 entries, X has 12 rows; need one for each row$"),
        (dict(y=np.zeros((12, 0))), "^y has no columns"),
        (dict(y=None), "needs responses y"),
        (dict(y="weight"), r"^there is no column 'weight'; there are \['age', 'dose'\]"),
        (dict(X=np.eye(12), y="weight"), "^column 'weight' is given by name, so X must be a data frame$"),
        (dict(sample_weight=np.ones(3)), "^sample_weight has 3 entries, X has 12 rows"),
        (dict(sample_weight=np.ones((12, 2))), "one entry per row"),
        (dict(sample_weight=["a"] * 12), "^column 'sample_weight': row 0 is 'a'; need a finite number"),
        (dict(offset="hours"), r"^there is no column 'hours'"),
        (dict(groups=["a", None, *"bbbbbbbbbb"]), "^column 'groups': row 1 is None; need the label of a group$"),
        (dict(groups=[[1], [2, 3], *[[1]] * 10]), "entries of several lengths"),
        (dict(gate=np.ones((2, 1))), "^gate has 2 entries, X has 12 rows"),
        (dict(gate=np.ones((12, 1, 1))), "^the gate's covariates must be a matrix"),
        (dict(start=[0, 1]), "^start has 2 entries, X has 12 rows"),
        (dict(start=[[0], [1, 2], *[[1]] * 10]), "^start: row 1 has 2 entries"),
        (dict(start=[3] + [0] * 11), "^start: row 0 is 3; need a component, 0 to 0$"),
    ],
)
def test_wrong_widths_and_kinds(given: Any, match: str) -> None:
    sound = dict(X=frame_of()[["age", "dose"]], y=frame_of()["y"].to_list())
    with pytest.raises(DataError, match=match):
        MixtureRegression(1).fit(**sound | given)


@pytest.mark.parametrize("role", ["sample_weight", "gate", "start"])
def test_what_a_group_must_share(role: str) -> None:
    with pytest.raises(
        DataError, match=rf"^column '{role}': row 8 differs from an earlier row of its group; need one value for each group$"
    ):
        MixtureRegression(2).fit(frame_of()[["age", "y", "who"]], "y", groups="who", **{role: np.arange(12) // 8})


# -- settings and several responses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "given", "match"),
    [
        (dict(family="cauchy"), {}, "^family must be one of gaussian, poisson"),
        (dict(family=["gaussian", "poisson"]), {}, r"^family must be one name, or one for each of the responses \['y'\]"),
        (dict(fit_intercept=[True, False]), {}, "^fit_intercept must be one, or one for each"),
        (dict(fit_intercept="yes"), {}, "intercept must be True or False"),
        (dict(n_components=0), {}, "^n_components must be a whole number >= 1, got 0$"),
        (dict(n_components=1.5), {}, "^n_components must be a whole number >= 1"),
        (dict(n_components=True), {}, "^n_components must be a whole number >= 1"),
        (dict(family="poisson"), dict(trials="n"), "^trials are of the binomial family only$"),
        ({}, dict(y=["y", "off"], offset="w"), r"^there are several responses: offset must say whose it is, such as \{'y': \.\.\.\}$"),
        ({}, dict(y=["y", "off"], offset={"q": "w"}), r"^offset: there is no response 'q'; there are \['y', 'off'\]$"),
        ({}, dict(trials={"y": "n"}), "^trials are of the binomial family only$"),
        (dict(starts=3), dict(start=[0, 1] * 6), "starts is for random starts"),
    ],
)
def test_bad_settings(settings: Any, given: Any, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        MixtureRegression(**settings).fit(frame_of()[["age", "y", "off", "w", "n"]], **dict(y="y") | given)


def test_cells_of_several_responses() -> None:
    data = frame_of(second=[0, 1, 2, -3, *[1] * 8])
    with pytest.raises(DataError, match=r"^column 'second': row 3 is -3\.0; need a whole number >= 0$"):
        MixtureRegression(1, ["binomial", "poisson"]).fit(data[["age", "y", "second"]], ["y", "second"])
    with pytest.raises(DataError, match=r"^column 'y1': row 3 is -3\.0"):
        MixtureRegression(1, ["binomial", "poisson"]).fit(data[["age"]], data[["y", "second"]].to_numpy())
    model = MixtureRegression(1, ["binomial", "poisson"]).fit(data[["age"]], data[["y", "n"]], offset={"n": data["off"]})
    with pytest.raises(DataError, match=r"^there are 1 responses; need 2: \['y', 'n'\]$"):
        model.score(data[["age"]], data["y"], offset={"n": data["off"]})
    with pytest.raises(DataError, match=r"^the model was fitted with offset of n; give it$"):
        model.predict(data[["age"]])
    with pytest.raises(DataError, match=r"^the model was fitted without offset of y; give none$"):
        model.predict(data[["age"]], offset={"n": 0 * data["off"], "y": data["off"]})


# -- designs -----------------------------------------------------------------------------------------------------------


def test_a_factor_of_one_level() -> None:
    pytest.importorskip("formulaic")
    data = frame_of(one="a", same=1, kind=pd.Categorical(["k"] * 12))
    for term, level in (("one", "'a'"), ("C(same)", "1"), ("kind", "'k'")):
        with pytest.raises(DataError, match=rf"^column '{term.replace('(', '.').replace(')', '.')}' has one level only, {level}"):
            MixtureRegression.from_formula(f"y ~ age + {term}", data, 1)
    with pytest.raises(DataError, match="column 'one' has one level only"):
        MixtureRegression.from_formula("y ~ age", data, 2, gate="~ one")
    with pytest.raises(DegenerateError, match=r"column 'same' is constant \(1\)"):
        MixtureRegression(1).fit(data[["age", "same"]], data["y"])


@pytest.mark.parametrize(
    ("scale", "match"), [(1e-160, "too small.*; multiply"), (1e-200, "varies by less.*: multiply"), (1e160, "too large.*; divide")]
)
@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_columns_whose_squares_are_no_numbers_are_named(family: str, scale: float, match: str) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DegenerateError, match=f"column 'x1' .*{match} it by a constant"):
        MixtureRegression(1, family=family).fit(rng.normal(size=(30, 2)) * [1.0, scale], rng.integers(2, size=30))


def test_columns_that_follow_from_others() -> None:
    data = frame_of()
    with pytest.raises(DegenerateError, match="column 'twice' follows from those before it"):
        MixtureRegression(1).fit(data[["age"]].assign(twice=2 * data["age"]), data["y"])
    assert MixtureRegression(1, ridge=0.1).fit(data[["age"]].assign(twice=2 * data["age"]), data["y"]).status_ == "converged"
    with pytest.raises(EmptyError, match="no rows"):
        MixtureRegression(1).fit(np.zeros((0, 2)), [])


def test_groups_of_one_are_no_groups() -> None:
    data = frame_of(who=np.arange(12) * 7)
    grouped = MixtureRegression(1).fit(data[["age", "y", "who"]], "y", groups="who")
    plain = MixtureRegression(1).fit(data[["age"]], data["y"])
    assert grouped.log_likelihood_ == pytest.approx(plain.log_likelihood_, rel=1e-12)
    assert grouped.bic() == pytest.approx(plain.bic(), rel=1e-12)
    np.testing.assert_allclose(grouped.coef_, plain.coef_, rtol=1e-9)


def test_more_parameters_than_rows() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4, 6)), [1.0, 2.0, 2.5, 4.0]
    with pytest.raises(DegenerateError, match=r"column 'x3' follows from those before it.*\(the rows weigh 4 in all, for 7 coefficients\)"):
        MixtureRegression(1).fit(X, y)
    assert MixtureRegression(1, ridge=1.0).fit(X, y).status_ == "converged"
    line = MixtureRegression(1).fit(X[:, :3], y)  # as many coefficients as rows: an exact fit
    assert line.status_ == "degenerate"
    assert "components[0]: the linear regression rests on about 4 values" in str(line.summary())
    found = select_components(X[:, :3], y, components=[1, 2], starts=2, random_state=0)
    assert [row["status"] for row in found.rows] == ["degenerate"] * 2


@pytest.mark.parametrize("way", [by_names, by_formula])
def test_perfect_separation(way: Any) -> None:
    data = frame_of()
    data["y"] = (data["age"] > 0.2).astype(float)
    model = way(data, {}, "binomial")
    assert model.status_ == "degenerate"
    assert "covariates separate successes from failures" in model.fit_.message
    assert "degenerate (components[0]: logistic regression" in str(model.summary())
    ridged = MixtureRegression(1, "binomial", ridge=0.1).fit(data[["age", "dose"]], data["y"])
    assert ridged.status_ == "converged"
    assert abs(ridged.coef_).max() < 50


# -- after the fit -----------------------------------------------------------------------------------------------------


def test_tables_after_the_fit() -> None:
    data = frame_of()[["age", "dose", "y"]]
    model = MixtureRegression(1).fit(data, "y")
    for bad, match in (
        (data[["age"]], r"^there is no column 'dose'; there are \['age'\]$"),
        (np.zeros((4, 3)), r"^there are 3 columns; need 2: \['age', 'dose'\]$"),
        (np.ones(2), r"^there are 1 columns; need 2"),
        (data.mask(data < -1), r"^column '\w+': row \d+ is nan; need a finite number$"),
        (pl.from_pandas(data).with_columns(age=pl.lit(INF)), r"^column 'age': row 0 is inf"),
    ):
        with pytest.raises(DataError, match=match):
            model.predict(bad)
    with pytest.raises(DataError, match=r"^the model was fitted without offset; give none$"):
        model.predict(data, offset=np.zeros(12))
    with pytest.raises(DataError, match=r"^the model was fitted without gate; give none$"):
        model.predict(data, gate=np.zeros(12))
    with pytest.raises(DataError, match=r"^responses y are needed$"):
        model.score(data[["age", "dose"]])
    with pytest.raises(DataError, match=r"^y has 2 entries, X has 12 rows"):
        model.predict_proba(data, [1.0, 2.0])
    with pytest.raises(DataError, match=r"^column 'y': row 0 is -1.0; need a whole number >= 0$"):
        MixtureRegression(1, "poisson").fit(data, "y").score(data.assign(y=-1.0))


def test_frames_after_a_formula() -> None:
    pytest.importorskip("formulaic")
    data = frame_of()
    model = MixtureRegression.from_formula("y ~ age + sex + C(who)", data, 1, "poisson", offset="off")
    for bad, match in (
        (data.drop(columns="sex"), r"^there is no column 'sex', which 'age \+ sex \+ C\(who\)' needs; there are"),
        (data.drop(columns="off"), r"^there is no column 'off'; there are"),
        (data.assign(sex=["f", "x"] * 6), r"^column 'sex': row 1 is 'x'; need a level of the fit, \['f', 'm'\]$"),
        (data.assign(who=[0, 9] * 6), r"^column 'who': row 1 is 9; need a level of the fit"),
        (spoilt("age", NAN), "^column 'age': row 2 is nan; need a finite number$"),
        (spoilt("sex", None), "^column 'sex': row 2 is (nan|None); need a value$"),
        (spoilt("off", INF), "^column 'off': row 2 is inf; need a finite number$"),
        (data[["age"]].to_numpy(), "^a formula needs a data frame with its columns, got ndarray$"),
    ):
        with pytest.raises(DataError, match=match):
            model.predict(bad)
    with pytest.raises(DataError, match=r"^column 'y': row 2 is -4.0; need a whole number >= 0$"):
        model.score(spoilt("y", -4.0))


# -- leaves ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "row", "match"),
    [
        (LinearRegressionEstimator(), ([1.0, NAN], 1.0), r"^field 0\.linear regression: row 1 is \[1.0, nan\]"),
        (LinearRegressionEstimator(), ([1.0], 1.0), r"^field 0\.linear regression: row 1 is \[1.0\]; need vectors of 2"),
        (LinearRegressionEstimator(), ([1.0, 2.0], NAN), r"^field 1\.linear regression: row 1 is nan"),
        (LinearRegressionEstimator(), ([1.0, 2.0], INF), r"^row 1 has density zero .*the response inf"),
        (LinearRegressionEstimator(offset=True), ([1.0, 2.0], 1.0, INF), r"^field 2\.linear regression: row 1 is inf"),
        (LogisticRegressionEstimator(), ([1.0, 2.0], 2), r"^row 1 has density zero .*the response 2 .* whole numbers from 0 to 1"),
        (
            LogisticRegressionEstimator(trials=True),
            ([1.0, 2.0], 3, 2),
            r"^row 1 has density zero .*the response 3 .* to the number of trials",
        ),
        (PoissonRegressionEstimator(), ([1.0, 2.0], -2), r"^row 1 has density zero .*the response -2 .* whole numbers >= 0"),
        (NegativeBinomialRegressionEstimator(), ([1.0, 2.0], 2.5), r"^field 1\.negative binomial regression: row 1 is 2.5; need whole"),
        (GammaRegressionEstimator(), ([1.0, 2.0], 0.0), r"^row 1 has density zero .*the response 0.0 .* numbers > 0"),
        (
            GatedMixtureEstimator([LinearRegressionEstimator()]),
            ([NAN], ([1.0, 2.0], 1.0)),
            r"^field 0\.gated mixture gate: row 1 is \[nan\]",
        ),
    ],
)
def test_leaves_refuse(estimator: Any, row: Any, match: str) -> None:
    rows: list[Any] = [((a, b), 1, *([1] if len(row) == 3 else [])) for a, b in frame_of()[["age", "dose"]].to_numpy().tolist()]
    if isinstance(estimator, GatedMixtureEstimator):
        rows = [([0.5], sound) for sound in rows]
    with pytest.raises((DataError, SupportError), match=match):
        fit([rows[0], row, *rows[1:]], estimator)


def test_categories_are_no_numbers() -> None:
    y = np.arange(6.0) ** 2
    numbers = pd.Series(pd.Categorical([1, 2, 3, 1, 2, 3]))
    for X in (
        pd.DataFrame({"k": numbers}),
        numbers.rename("k"),
        pl.DataFrame({"k": pl.Series(list("abcabc"), dtype=pl.Enum(list("abc")))}),
    ):
        with pytest.raises(DataError, match=r"column 'k' holds categories, \[.*\]; need numbers \(code text and categories as columns"):
            MixtureRegression(1).fit(X, y)
    with pytest.raises(DataError, match="column 'y' holds categories"):
        MixtureRegression(1).fit(y[:, None], numbers)
    labelled = pd.DataFrame({"x": y**0.5, "who": numbers})
    assert MixtureRegression(1, starts=1).fit(labelled, y, groups="who").n_rows_ == (3.0, "groups")


def test_durations_have_no_unit() -> None:
    took, y = pd.to_timedelta(np.arange(6), unit="s"), np.arange(6.0) ** 2
    for X in (pd.DataFrame({"x": took}), took.to_numpy(), list(took), pl.DataFrame({"x": took.to_numpy()})):
        with pytest.raises(DataError, match=r"column 'x': row 0 is .*; need a finite number \(divide durations by a unit"):
            MixtureRegression(1).fit(X, y)
        with pytest.raises(DataError, match=r"column '[xy]': row 0 is .*; need a finite number \(divide durations by a unit"):
            MixtureRegression(1).fit(y, X)
