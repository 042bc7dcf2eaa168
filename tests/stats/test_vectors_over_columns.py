"""Fields of a record that are vectors over several columns: `("height", "weight"): MultivariateGaussianEstimator(2)`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats

import dmlcore
from dmlcore import condition, fit, from_json, impute, marginal, missing_at_random, standard_errors, synthesise, to_json
from dmlcore.base.errors import DataError, ParameterError, StructureError
from dmlcore.core.words import in_words
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    GaussianEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianDistribution,
    MultivariateGaussianEstimator,
    OptionalEstimator,
    PartialGaussianDistribution,
    PartialGaussianEstimator,
)

BODY = ("height", "weight")
MU, COVAR = np.array([170.0, 70.0]), np.array([[100.0, 60.0], [60.0, 64.0]])


def record(kind: dict[str, float], mu: Any = MU, family: Any = PartialGaussianDistribution) -> CompositeDistribution:
    return CompositeDistribution({"kind": CategoricalDistribution(kind), BODY: family(mu, COVAR)})


WHOLE = record({"a": 0.4, "b": 0.6}, family=MultivariateGaussianDistribution)
GAPPED = record({"a": 0.4, "b": 0.6})
MIXTURE = MixtureDistribution([record({"a": 0.9, "b": 0.1}), record({"a": 0.1, "b": 0.9}, MU + 40)], [0.3, 0.7])
FRAME = pd.DataFrame(WHOLE.sample(300, rng=1))[["weight", "kind", "height"]]
HOLES = FRAME.copy()
HOLES.loc[::7, "height"] = np.nan
HOLES.loc[::11, "weight"] = np.nan
HOLES.loc[::13, "kind"] = None
NORMAL = stats.multivariate_normal(MU, COVAR)
FRAMES: dict[str, Any] = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
}


def estimator(vectors: Any) -> CompositeEstimator:
    return CompositeEstimator({"kind": CategoricalEstimator(), BODY: vectors})


@pytest.mark.parametrize("library", FRAMES)
def test_a_frame_is_scored_by_the_names_of_the_coordinates(library: str) -> None:
    expected = NORMAL.logpdf(FRAME[list(BODY)]) + np.log(np.where(FRAME["kind"] == "a", 0.4, 0.6))
    for columns in (["kind", *BODY], ["weight", "kind", "height"]):
        frame = FRAMES[library](FRAME[columns].assign(note="x"))
        np.testing.assert_allclose(WHOLE.seq_log_density(frame), expected)
    with pytest.raises(DataError, match=r"the frame has no column 'height'; its columns are \['weight', 'kind'\]"):
        WHOLE.seq_log_density(FRAMES[library](FRAME[["weight", "kind"]]))


def test_mappings_hold_the_coordinates_and_tuples_the_vector() -> None:
    expected = WHOLE.seq_log_density(FRAME)
    rows = FRAME.to_dict("records")
    tuples = [(row["kind"], (row["height"], row["weight"])) for row in rows]
    np.testing.assert_array_equal(WHOLE.seq_log_density(rows), expected)
    np.testing.assert_array_equal(WHOLE.seq_log_density(tuples), expected)
    np.testing.assert_array_equal(WHOLE.seq_log_density([*rows[:5], *tuples[5:]]), expected)
    with pytest.raises(DataError, match=r"row 1 is .*; need a mapping with the keys kind, height, weight"):
        WHOLE.seq_log_density([rows[0], ("a", (1.0, 2.0, 3.0))])
    with pytest.raises(
        DataError, match=r"height, weight.multivariate gaussian: row 0 is \(1.0, 2.0, 3.0\); need vectors of 2 real numbers"
    ):
        WHOLE.seq_log_density([("a", (1.0, 2.0, 3.0))])


def test_missing_coordinates_are_integrated_out() -> None:
    law = stats.norm(MU[1], COVAR[1, 1] ** 0.5)
    for row in ({"kind": "a", "weight": 64.0}, {"kind": "a", "height": None, "weight": 64.0}, ("a", (None, 64.0))):
        assert GAPPED.log_density(row) == pytest.approx(np.log(0.4) + law.logpdf(64.0))
    assert GAPPED.log_density({"kind": "a"}) == GAPPED.log_density(("a", None)) == pytest.approx(np.log(0.4))
    whole = pd.DataFrame({"kind": ["a"], "height": pd.array([None], dtype="Int64"), "weight": [64]})
    assert GAPPED.seq_log_density(whole)[0] == pytest.approx(np.log(0.4) + law.logpdf(64.0))


def test_messages_name_the_column() -> None:
    with pytest.raises(DataError, match=r"^height: row 3 is nan; need a real number \(.*PartialGaussianEstimator takes\)"):
        WHOLE.seq_log_density(FRAME.assign(height=FRAME["height"].where(FRAME.index != 3)))
    for model in (WHOLE, GAPPED):
        with pytest.raises(DataError, match=r"^weight: row 5 is 'x'; need a real number"):
            model.seq_log_density(FRAME.assign(weight=[*FRAME["weight"][:5], "x", *FRAME["weight"][6:]]))


def test_names_that_do_not_fit_are_refused() -> None:
    for fields in (
        {BODY: GaussianEstimator()},
        {BODY: MultivariateGaussianEstimator(3)},
        {BODY: OptionalEstimator(MultivariateGaussianEstimator(2))},
        {BODY: MultivariateGaussianEstimator(2), "height": GaussianEstimator()},
        {("height", "height"): MultivariateGaussianEstimator(2)},
        {(): MultivariateGaussianEstimator()},
    ):
        with pytest.raises(ParameterError, match=r"must read vectors of|must be . different texts"):
            CompositeEstimator(fields)


def test_names_travel() -> None:
    assert sorted(WHOLE.sample(1, rng=2)[0]) == ["height", "kind", "weight"]
    assert CompositeDistribution({BODY: WHOLE.dists[1]}).mean() == {"height": 170.0, "weight": 70.0}
    assert WHOLE.places() == ["kind", "height, weight"]
    assert "height, weight  multivariate gaussian" in WHOLE.summary()
    assert in_words(WHOLE) == "kind b\u00a060%, a\u00a040%, height, weight 170\u00a0±\u00a010, 70\u00a0±\u00a08"
    for law in (WHOLE, estimator(PartialGaussianEstimator(2))):
        again = from_json(to_json(law))
        assert again.field_names == ("kind", BODY)
        assert repr(again) == repr(law)
    assert eval(repr(WHOLE), vars(dmlcore.stats)) == WHOLE
    np.testing.assert_array_equal(from_json(to_json(WHOLE)).seq_log_density(FRAME), WHOLE.seq_log_density(FRAME))
    assert WHOLE.estimator().field_names == ("kind", BODY)


def test_fits_are_those_of_rows_with_vectors() -> None:
    tuples = [(row["kind"], (row["height"], row["weight"])) for row in FRAME.to_dict("records")]
    named = fit(FRAME, estimator(MultivariateGaussianEstimator(2))).model
    plain = fit(tuples, CompositeEstimator((CategoricalEstimator(), MultivariateGaussianEstimator(2)))).model
    np.testing.assert_array_equal(named.dists[1].covar, plain.dists[1].covar)
    np.testing.assert_allclose(named.dists[1].covar, np.cov(FRAME[list(BODY)].T, bias=True))
    assert named.dists[0] == plain.dists[0]
    gaps = fit(HOLES.dropna(subset=["kind"]), missing_at_random(estimator(MultivariateGaussianEstimator(2)))).model
    assert isinstance(gaps.dists[1], PartialGaussianDistribution)
    assert gaps.field_names == ("kind", BODY)
    errors = standard_errors(named, FRAME, estimator=estimator(MultivariateGaussianEstimator(2)))
    assert errors["height, weight.mu[0]"]["error"] == pytest.approx((named.dists[1].covar[0, 0] / len(FRAME)) ** 0.5)


def test_conditioning_asks_by_the_names_of_the_coordinates() -> None:
    law = condition(WHOLE, {"height": 180.0})
    assert law.field_names == ("kind", "weight")
    assert law.dists[1].mu == pytest.approx(70 + 60 / 100 * 10)
    assert law.dists[1].sigma2 == pytest.approx(64 - 60**2 / 100)
    assert condition(WHOLE, {"height": 180.0, "kind": "a"}).mu == pytest.approx(76.0)
    assert condition(WHOLE, {"kind": "a"}) == WHOLE.dists[1]
    assert condition(WHOLE, {BODY: (180.0, 76.0)}) == WHOLE.dists[0]
    assert condition(WHOLE, {}).field_names == ("kind", BODY)
    mixed = condition(MIXTURE, {"height": 170.0})
    w = np.array([0.3, 0.7]) * stats.norm(10).pdf(0) * np.exp([0, -0.5 * 16])
    np.testing.assert_allclose(mixed.w, w / w.sum())
    assert [part.field_names for part in mixed.components] == [("kind", "weight")] * 2
    with pytest.raises(StructureError, match="has no field 'age'; it has 3 fields: kind, height, weight"):
        condition(WHOLE, {"age": 3})


def test_marginals_take_coordinates_out_of_the_vector() -> None:
    assert marginal(WHOLE, "height").sigma2 == 100.0
    assert marginal(WHOLE, ["height"]).field_names == ("height",)
    assert marginal(WHOLE, ["weight", "kind"]).field_names == ("weight", "kind")
    assert marginal(WHOLE, list(BODY)).field_names == (BODY,)
    turned = marginal(MIXTURE, ["weight", "height"])
    assert turned.layout.names == ("weight", "height")
    np.testing.assert_array_equal(turned.dists[0].components[0].covar, COVAR[::-1, ::-1])
    assert marginal(WHOLE, 1) == WHOLE.dists[1]
    with pytest.raises(StructureError, match="each may be asked for once"):
        marginal(WHOLE, ["height", 1])


@pytest.mark.parametrize("library", FRAMES)
def test_imputation_conditions_inside_the_vector(library: str) -> None:
    frame = FRAMES[library](HOLES)
    for model in (GAPPED, MIXTURE):
        out = impute(model, frame)
        assert type(out.data) is type(frame)
        filled = out.data if library == "pandas" else out.data.to_pandas()
        assert list(filled.columns) == list(HOLES.columns)
        assert filled.dtypes.tolist() == HOLES.dtypes.tolist()
        assert not filled.isna().any().any()
    filled = impute(GAPPED, HOLES)
    rows = filled.cells["height"].rows
    known = HOLES["weight"].to_numpy()[rows]
    expected = np.where(np.isnan(known), 170.0, 170 + 60 / 64 * (np.nan_to_num(known) - 70))
    np.testing.assert_allclose(filled.cells["height"].values, expected)
    np.testing.assert_allclose(filled.cells["height"].uncertainty, np.where(np.isnan(known), 10.0, (100 - 60**2 / 64) ** 0.5))


def test_rows_are_filled_as_what_they_are() -> None:
    rows: list[Any] = [{"kind": "a", "weight": 70.0}, ("b", (None, 70.0)), ("b", [170.0, None]), ("b", None)]
    filled = impute(GAPPED, rows).data
    assert filled == [{"kind": "a", "weight": 70.0, "height": 170.0}, ("b", (170.0, 70.0)), ("b", [170.0, 70.0]), ("b", [170.0, 70.0])]
    with pytest.raises(DataError, match=r"height: stands in a vector of 2 entries, got \(1.0,\)"):
        impute(GAPPED, [("a", (1.0,))])


@pytest.mark.parametrize("model", [WHOLE, GAPPED, MIXTURE])
def test_synthetic_frames_have_the_columns_of_the_frame(model: Any) -> None:
    frame = HOLES.astype({"height": "float32"})
    drawn = synthesise(model, 400, 1, like=frame)
    assert list(drawn.columns) == list(frame.columns)
    assert drawn.dtypes.tolist() == frame.dtypes.tolist()
    assert 0 < drawn["height"].isna().mean() < 0.3
    given = synthesise(model, given={"height": [150.0] * 500 + [190.0] * 500}, rng=2)
    weights = np.array([row["weight"] for row in given])
    assert {row["height"] for row in given} == {150.0, 190.0}
    if model is not MIXTURE:
        np.testing.assert_allclose(weights.reshape(2, -1).mean(axis=1), [58.0, 82.0], atol=1.5)
    with pytest.raises(StructureError, match="is a vector over several columns; name one of height, weight"):
        synthesise(model, 3, given={BODY: (1.0, 2.0)})


def test_mixtures_of_such_records_are_fitted_also_to_streams(tmp_path: Any) -> None:
    frame = pd.DataFrame(MIXTURE.sample(600, rng=3))[["weight", "kind", "height"]]
    frame.loc[::9, "weight"] = np.nan
    each = MixtureEstimator([estimator(PartialGaussianEstimator(2))] * 2)
    whole = fit(frame, each, rng=1).model
    order = np.argsort([part.dists[1].mu[0] for part in whole.components])
    np.testing.assert_allclose(whole.w[order], [0.3, 0.7], atol=0.05)
    np.testing.assert_allclose([whole.components[k].dists[1].mu[0] for k in order], [170, 210], atol=2)
    assert whole.posterior({"height": 170.0, "kind": "a"}).max() > 0.9
    frame.to_csv(tmp_path / "rows.csv", index=False)
    parts = dmlcore.stream(lambda: iter([frame[:300][["kind", "weight", "height"]], frame[300:]]))
    streamed = fit(parts, each, rng=1).model
    assert streamed.seq_log_density(frame).sum() == pytest.approx(whole.seq_log_density(frame).sum(), rel=1e-4)
    filled = impute(streamed, dmlcore.read(tmp_path / "rows.csv"))
    assert list(filled.cells) == ["weight"]


def test_pictures_and_reports_know_the_coordinates() -> None:
    pytest.importorskip("matplotlib")
    from dmlcore import plot
    from dmlcore.reporting.report import report
    from dmlcore.reporting.subject import Subject

    frame = pd.DataFrame(MIXTURE.sample(120, rng=3))[["weight", "kind", "height"]]
    frame.loc[::9, "weight"] = np.nan
    ax = plot.density(MIXTURE, frame, field="weight")
    assert ax.get_xlabel() == "weight"
    ax = plot.contours(MIXTURE, frame, fields=("height", "weight"))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("height", "weight")
    ax = plot.contours(WHOLE, frame.to_dict("records"), fields=("weight", "height"))
    mean, covar = WHOLE.normal_of([2, 1])
    np.testing.assert_array_equal(mean, MU[::-1])
    np.testing.assert_array_equal(covar, COVAR[::-1, ::-1])
    for data in (frame, frame.to_dict("records")):
        page = report(MIXTURE, data, progress=False)
        assert all(name in page for name in ("height", "weight", "kind"))
        assert "nothing to show" not in page
        assert "no surprise of their own" not in page
        np.testing.assert_allclose(Subject(MIXTURE, data).log_density, MIXTURE.seq_log_density(frame))
