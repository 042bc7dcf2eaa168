"""Rows that lack cells: left out, or kept with the responses that are there; sweeps by formulas."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.special
import scipy.stats

from dmlcore.base.errors import DataError, ParameterError
from dmlcore.regression import MixtureRegression, select_components

pytestmark = pytest.mark.usefixtures("short_searches")


@cache
def two_kinds() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    kind = rng.random(150) < 0.5
    data = pd.DataFrame({"x": rng.normal(size=150), "g": rng.choice(list("abc"), 150), "w": rng.uniform(1, 2, size=150)})
    data["y"] = np.where(kind, 2 * data["x"], 3 - data["x"]) + 0.5 * rng.normal(size=150)
    data["c"] = rng.poisson(np.exp(np.where(kind, 1.5, 0.0)))
    return data


def with_gaps() -> pd.DataFrame:
    data = two_kinds().copy()
    data.loc[3:5, "x"] = np.nan
    data.loc[7, "g"] = None
    data.loc[[20, 21], "y"] = np.nan
    data.loc[30, "w"] = np.nan
    return data.assign(unused=np.nan)


def settings(**more: Any) -> dict[str, Any]:
    return dict(random_state=0, starts=2, **more)


def test_rows_that_lack_a_cell_are_left_out_and_counted() -> None:
    pytest.importorskip("formulaic")
    data = with_gaps()
    model = MixtureRegression.from_formula("y ~ x + g", data, 2, weights="w", **settings(missing="drop"))
    whole = data.dropna(subset=["x", "g", "y", "w"])
    expected = MixtureRegression.from_formula("y ~ x + g", whole, 2, weights="w", **settings())
    assert model.log_likelihood_ == expected.log_likelihood_
    assert model.left_out_.tolist() == [3, 4, 5, 7, 20, 21, 30]
    assert model.summary().facts["left out"] == "7 rows that lack a cell"
    np.testing.assert_array_equal(model.predict(whole), expected.predict(whole))
    start = np.arange(150) % 2
    by_weight = MixtureRegression.from_formula("y ~ x", data, 2, weights=data["w"], start=start, missing="drop")
    kept = data["x"].notna() & data["y"].notna() & data["w"].notna()
    other = MixtureRegression.from_formula("y ~ x", data[kept], 2, weights="w", start=start[kept])
    assert by_weight.log_likelihood_ == other.log_likelihood_
    plain: Any = {name: data[name].tolist() for name in ("x", "y", "g", "w")}
    who: Any = [f"s{i // 2}" for i in range(150)]  # text beside the frame, and columns that are lists of text
    by_lists = MixtureRegression.from_formula("y ~ x + g", plain, 1, groups=who, missing="drop")
    assert by_lists.n_rows_ == (float(pd.Series(who)[data[["x", "y", "g"]].notna().all(axis=1)].nunique()), "groups")


@pytest.mark.parametrize("make", [pd.DataFrame, pl.from_pandas, lambda data: data.convert_dtypes()])
def test_frames_without_a_formula(make: Any) -> None:
    data = with_gaps()[["x", "y", "w"]]
    model = MixtureRegression(2, **settings(missing="drop")).fit(make(data), "y", sample_weight="w")
    whole = data.dropna()
    assert model.log_likelihood_ == MixtureRegression(2, **settings()).fit(whole, "y", sample_weight="w").log_likelihood_
    beside = MixtureRegression(2, **settings(missing="drop"))
    beside.fit(data["x"].tolist(), data["y"].tolist(), sample_weight=data["w"].to_numpy(), fixed=data[["w"]], offset=[None, *[0.0] * 149])
    assert beside.left_out_.tolist() == [0, 3, 4, 5, 20, 21, 30]
    assert MixtureRegression(1).fit(whole[["x"]], whole["y"]).left_out_.tolist() == []


def test_what_is_still_refused() -> None:
    data = with_gaps()[["x", "y"]]
    with pytest.raises(ParameterError, match=r"missing must be 'error', 'drop' .* got 'omit'"):
        MixtureRegression(1, missing="omit").fit(data, "y")
    with pytest.raises(DataError, match="each of 150 rows lacks a cell that the fit needs"):
        MixtureRegression(1, missing="drop").fit(data.assign(z=np.nan), "y")
    with pytest.raises(DataError, match="y has 2 entries, X has 150 rows"):
        MixtureRegression(1, missing="drop").fit(data[["x"]], [1.0, np.nan])
    with pytest.raises(DataError, match="column 'x': row 3 is nan"):
        MixtureRegression(1, missing="drop").fit(data, "y").predict(data)


@pytest.mark.parametrize("by_formula", [False, True])
def test_rows_with_some_responses_say_what_they_can(by_formula: bool) -> None:
    if by_formula:
        pytest.importorskip("formulaic")
    data, families = with_gaps().astype({"c": object}), ["gaussian", "poisson"]
    data.loc[[20, 40, 41, 42], "c"] = None
    if by_formula:
        model = MixtureRegression.from_formula("y + c ~ x", data, 2, families, **settings(missing="keep"))
    else:
        model = MixtureRegression(2, families, **settings(missing="keep")).fit(data[["x", "y", "c"]], ["y", "c"])
    assert model.left_out_.tolist() == [3, 4, 5, 20]
    assert model.summary().facts["missing"] == "y in 1 rows, c in 3 rows"
    assert np.diff(model.fit_.objective).min() >= -1e-9
    kept = data.drop(index=model.left_out_)
    y, c = (kept[name].astype(float).to_numpy() for name in ("y", "c"))
    means = model.predict(kept, per_component=True)
    joint = np.log(model.weights_) + np.where(
        np.isnan(y)[:, None], 0.0, scipy.stats.norm.logpdf(np.nan_to_num(y)[:, None], means[..., 0], model.scale_[:, 0])
    )
    joint += np.where(np.isnan(c)[:, None], 0.0, scipy.stats.poisson.logpmf(np.nan_to_num(c)[:, None], means[..., 1]))
    assert model.log_likelihood_ == pytest.approx(scipy.special.logsumexp(joint, axis=1).sum(), rel=1e-10)
    np.testing.assert_allclose(model.predict_proba(kept.astype({"c": float})), scipy.special.softmax(joint, axis=1), atol=1e-10)
    assert model.bic() == pytest.approx(-2 * model.log_likelihood_ + 11 * math.log(146), rel=1e-10)
    assert np.isfinite(model.conf_int().loc[("component 1, c", "x")]).all()
    assert model.predict_proba(kept.astype({"c": float}).dropna(subset=["y", "c"])).shape == (142, 2)


def test_kept_rows_within_groups_and_tied_coefficients() -> None:
    data = two_kinds()[["x", "y", "c"]].astype(float)
    data.loc[::7, "c"] = np.nan
    data["who"] = np.arange(150) // 3
    model = MixtureRegression(2, ["gaussian", "poisson"], **settings(missing="keep", shared_scale=True))
    model.fit(data, ["y", "c"], groups="who", fixed="x")
    assert (model.coef_[0] == model.coef_[1]).all()
    assert model.predict_proba(data).shape == (150, 2)
    assert "shared" in str(model.summary())


def test_a_sweep_by_a_formula_with_blocks_that_grow() -> None:
    pytest.importorskip("formulaic")
    data = with_gaps()
    found = select_components("y ~ x", data, components=[1, 2], missing="drop", **settings())
    alone = MixtureRegression.from_formula("y ~ x", data, 2, missing="drop", **settings())
    assert found.best.log_likelihood_ == pytest.approx(alone.log_likelihood_, rel=1e-6)
    assert found.best.left_out_.tolist() == [3, 4, 5, 20, 21]
    assert found.best.predict(two_kinds()).shape == (150,)
    grown = select_components("y ~ 1", two_kinds(), nested=[(1, None), (None, "~ x")], components=[1, 2], **settings())
    assert [row["parameters"] for row in grown.rows] == [2, 6]
    assert sorted((grown.best.coef_[:, 0] == 0).tolist()) == [False, True]
    by_columns = select_components(two_kinds()[["x", "y"]], "y", nested=[(1, None), (None, "x")], components=[1, 2], **settings())
    assert by_columns.rows[1]["log_likelihood"] == pytest.approx(grown.rows[1]["log_likelihood"], rel=1e-6)
    with pytest.raises(ParameterError, match="only one block may be of all other components"):
        select_components("y ~ 1", two_kinds(), nested=[(None, None), (None, "~ x")])
    with pytest.raises(ParameterError, match="nested speaks of 2 components, n_components is 1"):
        MixtureRegression(1).fit(two_kinds()[["x", "y"]], "y", nested=[(2, None), (None, "x")])
