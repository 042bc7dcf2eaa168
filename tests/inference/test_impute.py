"""Imputation: against conditioning row by row, on frames and arrays, its uncertainty, Rubin's rules, and what is refused."""

from __future__ import annotations

import copy
import math
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from dmlcore import UNKNOWN, condition, fit, impute, marginal, pool, standard_errors
from dmlcore.base.errors import DataError, DegenerateError, FitWarning, ParameterError, StructureError, SupportError
from dmlcore.data.record_layouts import Fields
from dmlcore.fitting.problem import Problem
from dmlcore.inference.pooling import mean_of_column
from dmlcore.inference.uncertainty import bootstrap
from dmlcore.stats import (
    BernoulliSetDistribution,
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    DiagonalGaussianDistribution,
    ExponentialDistribution,
    GaussianDistribution,
    GaussianEstimator,
    JointMixtureDistribution,
    MarkovChainDistribution,
    MixtureDistribution,
    MultivariateGaussianDistribution,
    NullDistribution,
    OptionalDistribution,
    OptionalEstimator,
    PoissonDistribution,
    SequenceDistribution,
)
from tests.examples import EXAMPLES, Example
from tests.pages import DOCS, run
from tests.penguins import penguins
from tests.reference import build, composite_rows, load

N, Mix, Tuple, C, Opt = GaussianDistribution, MixtureDistribution, CompositeDistribution, CategoricalDistribution, OptionalDistribution
S = [[2.0, 0.6, -0.3], [0.6, 0.5, 0.1], [-0.3, 0.1, 1.2]]
VECTORS = Mix(
    [MultivariateGaussianDistribution([1.0, -2.0, 0.5], S), DiagonalGaussianDistribution([4.0, 0.0, 2.0], [1.0, 2.0, 0.5])], [0.6, 0.4]
)
RECORDS = Mix(
    [
        Tuple((N(m, 1.0), PoissonDistribution(lam), C({"a": p, "b": 1 - p}), Opt(ExponentialDistribution(lam), q)))
        for m, lam, p, q in ((0.0, 2.0, 0.9, 0.1), (4.0, 9.0, 0.2, 0.5), (-3.0, 1.0, 0.5, 0.2))
    ],
    [0.5, 0.3, 0.2],
)


def with_gaps(rows: list[Any], seed: int, share: float = 0.3) -> tuple[list[Any], np.ndarray]:
    hide = np.random.default_rng(seed).random((len(rows), len(rows[0]))) < share
    return [tuple(None if h else v for v, h in zip(row, gaps, strict=True)) for row, gaps in zip(rows, hide.tolist(), strict=True)], hide


def one_by_one(model: Any, row: Any, gaps: np.ndarray) -> list[Any]:
    """The law of each missing cell, by conditioning."""
    optional = [Opt in map(type, (d,)) for d in model.components[0].dists]
    observed = tuple(v if v is not None or o else UNKNOWN for v, o in zip(row, optional, strict=True))
    law = condition(model, observed)
    return [law] if gaps.sum() == 1 else [marginal(law, j) for j in range(int(gaps.sum()))]


def test_every_cell_gets_what_conditioning_says() -> None:
    rows, _ = with_gaps(RECORDS.sample(60, rng=1), seed=2)
    means, medians, modes = (impute(RECORDS, rows, how=how) for how in ("mean", "median", "mode"))
    laws = impute(RECORDS, rows, how="distribution")
    where = {name: {row: i for i, row in enumerate(filled.rows.tolist())} for name, filled in means.cells.items()}
    for i, row in enumerate(rows):
        gaps = np.array([v is None for v in row])
        if not gaps.any():
            assert means.data[i] == row
            continue
        for j, law in zip(np.flatnonzero(gaps).tolist(), one_by_one(RECORDS, row, gaps), strict=True):
            sure = means.cells[f"field {j}"].uncertainty[where[f"field {j}"][i]]
            if j == 2:
                assert means.data[i][j] == medians.data[i][j] == law.mode()
                assert sure == pytest.approx(max(law.probabilities().values()), rel=1e-10)
                assert laws.data[i][j].probabilities() == pytest.approx(law.probabilities())
            else:
                assert means.data[i][j] == pytest.approx(law.mean(), rel=1e-10)
                assert sure == pytest.approx(math.sqrt(law.variance()), rel=1e-9)
                assert medians.data[i][j] == pytest.approx(law.quantile(0.5), rel=1e-9)
                assert law.log_density(modes.data[i][j]) == pytest.approx(law.log_density(law.mode()), abs=1e-9)
                assert laws.data[i][j].mean() == pytest.approx(law.mean(), rel=1e-10)
        known = [j for j in range(4) if not gaps[j]]
        assert [means.data[i][j] for j in known] == [row[j] for j in known]


def test_the_reference_imputation() -> None:
    case = load("composite_mixture_4_fields")
    model, rows = build(case["fitted_model"]), composite_rows()
    out = impute(model, rows)
    assert out.data[38][1] == pytest.approx(4.7514160723, abs=1e-10)
    assert len(out.cells["field 1"].rows) == case["imputation"]["n_missing"]
    assert list(out.cells) == ["field 1"]
    assert out.data[0] == rows[0]


def test_every_kind_of_cell_is_filled_never_with_a_missing_value() -> None:
    model = build(load("composite_mixture_4_fields")["fitted_model"])
    rows, hide = with_gaps(composite_rows(), seed=3)
    for how in ("mean", "median", "mode", "sample"):
        out = impute(model, rows, how=how, rng=0)
        for row, before, gaps in zip(out.data, rows, hide, strict=True):
            assert all(v is not None for v in row)
            assert all(v == b for v, b, gap in zip(row, before, gaps, strict=True) if not gap and b is not None)
        assert np.isfinite(model.seq_log_density([(a, max(1, round(b)), c, d) for a, b, c, d in out.data])).all()
    filled = impute(model, rows).cells["field 2"]
    assert filled.measure == "probability"
    assert ((filled.uncertainty > 0) & (filled.uncertainty < 1)).all()


@pytest.mark.parametrize("e", [e for e in EXAMPLES if isinstance(e.law.layout, Fields) and "unsampled" not in e.tags], ids=repr)
def test_draws_fill_every_example_with_possible_values(e: Example) -> None:
    rows = e.data(60, seed=5)
    if "null" in e.name:
        return
    hidden = [
        tuple(UNKNOWN if (i + j) % 3 == 0 and (j or "forward" not in e.tags) else v for j, v in enumerate(row))
        for i, row in enumerate(rows)
    ]
    out = impute(e.law, hidden, how="sample", rng=3)
    assert np.isfinite(e.law.seq_log_density(out.data)).all()
    assert impute(e.law, hidden, how="sample", rng=3).data == out.data


# -- vectors, arrays, lists --------------------------------------------------------------------------------------------


def test_coordinates_of_vectors_in_an_array() -> None:
    x = VECTORS.sample(300, rng=4)
    gaps = np.random.default_rng(5).random(x.shape) < 0.4
    data = np.where(gaps, np.nan, x)
    out = impute(VECTORS, data)
    assert out.data.shape == x.shape
    np.testing.assert_array_equal(out.data[~gaps], x[~gaps])
    for i in range(len(x)):
        if gaps[i].any():
            law: Any = condition(VECTORS, [UNKNOWN if g else v for g, v in zip(gaps[i], x[i], strict=True)])
            np.testing.assert_allclose(out.data[i][gaps[i]], law.mean(), rtol=1e-10)
    medians = impute(VECTORS, data, how="median").data
    i = int(np.flatnonzero(gaps.sum(axis=1) == 1)[0])
    law = condition(VECTORS, [UNKNOWN if g else v for g, v in zip(gaps[i], x[i], strict=True)])
    assert medians[i][gaps[i]][0] == pytest.approx(law.quantile(0.5), rel=1e-9)
    assert np.isnan(data[gaps]).all()  # the input is left as it was


def test_draws_of_a_row_hang_together() -> None:
    data = np.tile([np.nan, np.nan, 0.5], (20_000, 1))
    law = MultivariateGaussianDistribution([1.0, -2.0, 0.5], S)
    out = impute(law, data, how="sample", rng=6).data
    expected: Any = condition(law, [UNKNOWN, UNKNOWN, 0.5])
    np.testing.assert_allclose(np.cov(out[:, :2].T), expected.covar, atol=0.06)
    np.testing.assert_allclose(out[:, :2].mean(axis=0), expected.mu, atol=0.05)
    split = Mix([Tuple((N(-5.0, 1.0), C({"a": 1.0}))), Tuple((N(5.0, 1.0), C({"b": 1.0})))], [0.5, 0.5])
    for value, label in impute(split, [(None, None)] * 300, how="sample", rng=1).data:
        assert (value < 0) == (label == "a")


def test_draws_follow_the_law() -> None:
    rows = [(None, 3, "b", None)] * 4000
    out = impute(RECORDS, rows, how="sample", rng=7).data
    first: Any = marginal(condition(RECORDS, (UNKNOWN, 3, "b", None)), 0)
    assert scipy.stats.kstest([row[0] for row in out], first.cdf).pvalue > 1e-4


def test_single_values_and_vectors_inside_records() -> None:
    assert impute(Mix([N(0.0, 1.0), N(4.0, 1.0)], [0.5, 0.5]), [1.0, None, math.nan]).data == [1.0, 2.0, 2.0]
    assert impute(PoissonDistribution(3.0), np.array([1.0, np.nan])).data.tolist() == [1.0, 3.0]
    law = Tuple((MultivariateGaussianDistribution([1.0, 2.0], [[1.0, 0.5], [0.5, 1.0]]), PoissonDistribution(3.0)))
    out = impute(law, [([2.0, None], 1), (None, None), ([0.0, 1.0], None)])
    assert out.data == [([2.0, 2.5], 1), ([1.0, 2.0], 3.0), ([0.0, 1.0], 3.0)]
    nested = impute(
        Tuple((Tuple((N(0.0, 1.0), PoissonDistribution(2.0))), N(5.0, 1.0))), [((None, 1), 2.0), ((1.0, None), None), (None, 1.0)]
    )
    deep = impute(Tuple((law, N(1.0, 1.0))), [(([2.0, None], 1), None), ((None, None), 3.0)])
    assert deep.data == [(([2.0, 2.5], 1), 1.0), (([1.0, 2.0], 3.0), 3.0)]
    assert nested.data == [((0.0, 1), 2.0), ((1.0, 2.0), 5.0), ((0.0, 2.0), 1.0)]


def test_cells_that_were_there_stay_as_they_were() -> None:
    """Rows of fields keep their kind, numbers their digits: whole numbers beyond 2^53, and floats wider than 64 bits."""
    big = 2**60 + 1
    law = Tuple((MultivariateGaussianDistribution([1.0, 2.0], np.eye(2)), N(5.0, 1.0)))
    pair = namedtuple("pair", "x y")
    rows = [((big, 2), 1.0), ([big, None], 1), (np.array([big, None], dtype=object), 2), (pair(None, big), 3), (None, None)]
    before = copy.deepcopy(rows)
    out = impute(law, rows).data
    assert [type(row[0]) for row in out] == [tuple, list, np.ndarray, pair, tuple]
    assert out[0] == rows[0]
    assert out[1] == ([big, 2.0], 1)
    assert out[2][0].tolist() == [big, 2.0]
    assert out[3][0] == (1.0, big)
    assert out[4] == ((1.0, 2.0), 5.0)
    assert repr(rows) == repr(before)
    vectors = [(np.array([0.1, np.nan], dtype=np.float32), None), (np.array([0.1, 0.2], dtype=np.float32), 2.0)]
    filled = impute(law, vectors).data
    assert filled[0][0][0] == np.float32(0.1)
    assert filled[1][0].dtype == np.float32
    wide = np.array([1.0, np.nan], dtype=np.longdouble)
    wide[0] += np.finfo(np.longdouble).eps
    assert impute(N(0.0, 1.0), wide).data[0] == wide[0]


def test_unknown_elements_of_lists() -> None:
    chain = MarkovChainDistribution({"a": 0.5, "b": 0.5}, {"a": {"a": 0.9, "b": 0.1}, "b": {"b": 0.8, "a": 0.2}}, PoissonDistribution(4.0))
    law = Tuple((chain, SequenceDistribution(Opt(N(3.0, 1.0), 0.1), PoissonDistribution(2.0))))
    rows = [(["a", UNKNOWN, "a"], [1.0, None]), (["b", "b"], [2.0]), ([UNKNOWN] * 2, None), (None, [UNKNOWN, 7.0])]
    out = impute(law, rows)
    assert out.data[0] == (["a", "a", "a"], [1.0, 3.0])
    assert out.data[1] == rows[1]
    assert out.data[2] == (["a", "a"], [3.0, 3.0])
    assert out.data[3] == (["a"] * 4, [3.0, 7.0])
    first = out.cells["field 0"]
    assert first.uncertainty[0] == pytest.approx(0.81 / 0.83)
    assert impute(law, rows, how="sample", rng=1).data[0][0][::2] == ["a", "a"]


def test_sets_and_sequences_get_a_typical_value() -> None:
    sets = Mix([BernoulliSetDistribution({"a": 0.9, "b": 0.2, "c": 0.6}), BernoulliSetDistribution({"a": 0.1, "b": 0.7})], [0.7, 0.3])
    out = impute(Tuple((sets, SequenceDistribution(C({"x": 0.3, "y": 0.7}), PoissonDistribution(3.4)))), [(None, None)])
    assert out.data == [(["a", "c"], ["y", "y", "y"])]
    assert out.cells["field 0"].uncertainty[0] == pytest.approx(sets.density(["a", "c"]))
    with pytest.raises(StructureError, match="has no len_dist"):
        impute(Tuple((SequenceDistribution(N(0.0, 1.0)),)), [(None,)])


def test_a_set_is_typical_of_the_component_that_the_row_belongs_to() -> None:
    one, two = BernoulliSetDistribution({"a": 0.9, "b": 0.2}), BernoulliSetDistribution({"b": 0.6, "c": 0.8})
    law = Mix([Tuple((one, N(0.0, 1.0))), Tuple((two, N(4.0, 1.0)))], [0.5, 0.5])
    out = impute(law, [(None, 0.0), (None, 4.0)])
    assert out.data == [(["a"], 0.0), (["b", "c"], 4.0)]
    for x, members, sure in zip((0.0, 4.0), (["a"], ["b", "c"]), out.cells["field 0"].uncertainty, strict=True):
        assert sure == pytest.approx(condition(law, (UNKNOWN, x)).density(members))


def test_a_list_is_as_sure_as_its_least_sure_element() -> None:
    chain = MarkovChainDistribution({"a": 0.5, "b": 0.5}, {"a": {"a": 0.9, "b": 0.1}, "b": {"b": 0.7, "a": 0.3}}, PoissonDistribution(4.0))
    row = ["a", UNKNOWN, "a", "b", UNKNOWN]
    law = condition(chain, row)
    each = [max(marginal(law, j).probabilities().values()) for j in (0, 1)]
    assert abs(each[0] - each[1]) > 0.1
    assert impute(Tuple((chain,)), [(row,)]).cells["field 0"].uncertainty == pytest.approx([min(each)])


def test_lists_of_records_and_of_vectors() -> None:
    pair = Mix([Tuple((N(m, 1.0), C({"a": p, "b": 1 - p}))) for m, p in ((0.0, 0.9), (9.0, 0.1))], [0.5, 0.5])
    law = Tuple((SequenceDistribution(pair, PoissonDistribution(2.0)), PoissonDistribution(1.0)))
    rows = [([(0.1, UNKNOWN), (8.0, "b")], 1), ([UNKNOWN, (UNKNOWN, "a")], None), ([(1.0, "a")], 2)]
    out = impute(law, rows)
    assert out.data[0] == ([(0.1, "a"), (8.0, "b")], 1)
    assert out.data[1][0][1] == (pytest.approx(0.9), "a")
    assert out.data[2] == rows[2]
    assert list(out.cells["field 0"].rows) == [0, 1]


def test_laws_of_cells_of_joint_mixtures() -> None:
    law = JointMixtureDistribution(
        [N(-2.0, 1.0), N(2.0, 0.5)], [C({"a": 0.9, "b": 0.1}), C({"b": 1.0})], [0.3, 0.7], None, [[0.9, 0.1], [0.2, 0.8]]
    )
    rows = [(None, "a"), (0.3, None), (None, "b"), (None, None)]
    out = impute(law, rows, how="distribution").data
    for row, filled in zip(rows[:3], out[:3], strict=True):
        j = row.index(None)
        exact: Any = condition(law, tuple(UNKNOWN if v is None else v for v in row))
        x = 0.7 if j == 0 else "b"
        assert filled[j].log_density(x) == pytest.approx(exact.log_density(x), rel=1e-12)
    assert out[3][1].probabilities() == pytest.approx(law.marginal2.probabilities())


def test_none_as_a_label_is_no_gap() -> None:
    law = Tuple((C({"a": 0.5, None: 0.5}), N(0.0, 1.0)))
    out = impute(law, [(None, 1.0), (UNKNOWN, None), ("a", None)])
    assert out.data[0] == (None, 1.0)
    assert out.data[2] == ("a", 0.0)


def test_unknown_and_missing_differ_in_an_optional() -> None:
    law = Mix([Tuple((Opt(N(0.0, 1.0), 0.1),)), Tuple((Opt(N(8.0, 1.0), 0.9),))], [0.5, 0.5])
    assert [row[0] for row in impute(law, [(None,), (UNKNOWN,), (math.nan,)]).data] == pytest.approx([7.2, 4.0, 7.2])


# -- frames ------------------------------------------------------------------------------------------------------------


def frame_of(rows: list[Any]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["x", "count", "kind", "wait"], index=pd.Index(range(100, 100 + len(rows)), name="id"))
    return frame.astype({"x": "float32", "count": "Int64", "kind": "category", "wait": float})


def test_a_pandas_frame_keeps_names_dtypes_and_index() -> None:
    rows, _ = with_gaps(RECORDS.sample(200, rng=8), seed=9)
    frame = frame_of(rows)
    before = frame.copy()
    for how in ("mean", "median", "mode", "sample"):
        out = impute(RECORDS, frame, how=how, rng=1).data
        assert out.dtypes.equals(frame.dtypes)
        assert out.index.equals(frame.index)
        assert list(out.columns) == list(frame.columns)
        assert not out.isna().any().any()
        pd.testing.assert_frame_equal(out[frame.notna()], frame)
    pd.testing.assert_frame_equal(frame, before)
    plain = impute(RECORDS, rows).data
    out = impute(RECORDS, frame)
    np.testing.assert_allclose(out.data["x"], [row[0] for row in plain], rtol=1e-5)
    assert out.data["count"].tolist() == [round(row[1]) for row in plain]
    assert out.data["kind"].tolist() == [row[2] for row in plain]
    assert set(out.cells) == set(frame.columns)


def test_columns_by_name_and_others_that_pass_through() -> None:
    rows, _ = with_gaps(RECORDS.sample(50, rng=8), seed=9)
    frame = frame_of(rows)
    frame.insert(0, "note", ["n"] * 50)
    shuffled = frame[["wait", "note", "kind", "x", "count"]]
    out = impute(RECORDS, shuffled, columns=["x", "count", "kind", "wait"]).data
    assert list(out.columns) == list(shuffled.columns)
    pd.testing.assert_frame_equal(out[["x", "count", "kind", "wait"]], impute(RECORDS, frame_of(rows)).data)
    with pytest.raises(DataError, match="has 5 columns, the model reads 4; extra: 'wait'"):
        impute(RECORDS, frame)
    with pytest.raises(DataError, match=r"columns are missing"):
        impute(RECORDS, frame[["x", "count"]])
    with pytest.raises(DataError, match="has no column 'size'"):
        impute(RECORDS, frame, columns=["x", "count", "kind", "size"])
    with pytest.raises(DataError, match="columns must be 4 names"):
        impute(RECORDS, frame, columns=["x", "count"])


def test_other_dtypes() -> None:
    law = Tuple((PoissonDistribution(3.0), C({True: 0.8, False: 0.2}), C({"u": 0.6, "v": 0.4}), PoissonDistribution(2.2)))
    frame = pd.DataFrame(
        {"i": [1, UNKNOWN, 2], "b": pd.array([True, None, False], "boolean"), "s": ["u", None, "v"], "f": [1.0, np.nan, 4.0]}
    )
    frame["s"] = frame["s"].astype("string")
    out = impute(law, frame).data
    assert out.iloc[1].tolist() == [3.0, True, "u", 2.2]
    assert out.dtypes.equals(frame.dtypes)
    laws = impute(law, frame, how="distribution").data
    assert laws.iloc[1].tolist() == list(law.dists)


def test_a_polars_frame() -> None:
    pl = pytest.importorskip("polars")
    rows, _ = with_gaps(RECORDS.sample(60, rng=8), seed=9)
    frame = pl.DataFrame(rows, schema={"x": pl.Float64, "count": pl.Int32, "kind": pl.String, "wait": pl.Float64}, orient="row")
    out = impute(RECORDS, frame).data
    assert out.schema == frame.schema
    assert sum(out.null_count().row(0)) == 0
    plain = impute(RECORDS, rows).data
    assert out["x"].to_list() == pytest.approx([row[0] for row in plain])
    assert out["count"].to_list() == [round(row[1]) for row in plain]


# -- multiple imputation -----------------------------------------------------------------------------------------------


def test_copies_and_rubins_rules() -> None:
    rows, _ = with_gaps(RECORDS.sample(300, rng=10), seed=11)
    out = impute(RECORDS, rows, draws=5, rng=1)
    assert len(out.copies) == 5
    assert out.data == out.copies[0]
    assert len({row[0] for copy in out.copies for row in copy[:1]} | {copy[i][0] for copy in out.copies for i in range(50)}) > 5
    got = pool(out.copies, lambda data: mean_of_column(data, 0))
    estimates = np.array([np.mean([row[0] for row in copy]) for copy in out.copies])
    errors = np.array([np.var([row[0] for row in copy], ddof=1) / 300 for copy in out.copies])
    between = estimates.var(ddof=1)
    assert got.estimate == pytest.approx(estimates.mean())
    assert got.error == pytest.approx(math.sqrt(errors.mean() + 1.2 * between))
    large = pool(out.copies, lambda data: mean_of_column(data, 0), freedom=math.inf)
    assert large.freedom == pytest.approx(4 * (1 + errors.mean() / (1.2 * between)) ** 2)
    known = 300 / 302 * 299 * (1 - got.missing)
    assert got.freedom == pytest.approx(1 / (1 / large.freedom + 1 / known))
    low, high = got.interval(0.9)
    assert high - got.estimate == pytest.approx(scipy.stats.t(got.freedom).ppf(0.95) * got.error)
    assert low < got.estimate < high
    whole = pool([1, 2, 3], lambda copy: (np.array([2.0, 3.0]), np.array([1.0, 4.0])))
    assert whole.error.tolist() == [1.0, 2.0]
    assert whole.interval()[1][0] == pytest.approx(2 + scipy.stats.norm.ppf(0.975))
    with pytest.raises(ParameterError, match="at least two"):
        pool([1], lambda copy: (1.0, 1.0))
    with pytest.raises(ParameterError, match="squared standard error"):
        pool([1, 2], lambda copy: (1.0, -1.0))


def test_degrees_of_freedom_are_those_that_mice_prints() -> None:
    for m, within, between, total, complete, freedom, missing in load("mice_pool")["rows"]:
        pairs = [(math.sqrt(between) * z, within) for z in scipy.stats.zscore(np.arange(m), ddof=1)]
        got = pool(pairs, lambda pair: pair, complete)
        assert got.error**2 == pytest.approx(total, rel=2e-6)
        assert got.missing == pytest.approx(missing, rel=2e-6)
        assert got.freedom == pytest.approx(freedom, rel=2e-6)


def test_fits_are_pooled_and_tested_as_mice_does() -> None:
    known = load("mice_d1")
    pairs = [(b, np.reshape(V, (3, 3))) for b, V in zip(known["coefficients"], known["covariances"], strict=True)]
    got = pool(pairs, freedom=known["dfcom"])
    for name in ("estimate", "error", "freedom", "p"):
        np.testing.assert_allclose(getattr(got, name), known[name], rtol=2e-8)
    np.testing.assert_allclose(got.interval()[0], known["low"], rtol=2e-8)
    one = got.test([1, 2])
    assert (one.statistic, *one.freedom, one.p) == pytest.approx((known["D1"]["F"], *known["D1"]["df"], known["D1"]["p"]), rel=2e-8)
    assert one.lost == pytest.approx(known["D1"]["riv"], rel=2e-8)
    large = pool(pairs).test([1, 2])
    assert (*large.freedom, large.p) == pytest.approx((*known["D1 large"]["df"], known["D1 large"]["p"]), rel=2e-8)
    two = known["two"]
    few = pool([(b, np.reshape(V, (3, 3))) for b, V in zip(two["coefficients"], two["covariances"], strict=True)]).test([1])
    assert (few.statistic, *few.freedom, few.p) == pytest.approx((two["F"], *two["df"], two["p"]), rel=2e-8)
    assert pool(pairs).test([1]).freedom[1] == pytest.approx(pool(pairs).freedom[1])  # of one number, the square of its t
    with pytest.raises(ParameterError, match="there is no number 'height'"):
        got.test(["height"])
    with pytest.raises(ParameterError, match="needs their covariances"):
        pool(pairs, lambda pair: (pair[0], np.diag(pair[1]))).test()


def test_fits_say_their_numbers_by_name() -> None:
    class Result:  # as those of statsmodels
        df_resid = 22.0

        def __init__(self, b: Any, V: Any):
            self.params, self._V = pd.Series(b, ["(Intercept)", "bmi", "age"]), V

        def cov_params(self) -> Any:
            return self._V

    known = load("mice_d1")
    fits = [Result(b, np.reshape(V, (3, 3))) for b, V in zip(known["coefficients"], known["covariances"], strict=True)]
    got = pool(fits)
    np.testing.assert_allclose(got.freedom, known["freedom"], rtol=2e-8)
    assert got.test(["bmi", "age"]).p == pytest.approx(known["D1"]["p"], rel=2e-8)
    assert "bmi" in repr(got)
    assert "bmi" in got._repr_html_()
    rows = [np.random.default_rng(i).normal(size=50).tolist() for i in range(3)]
    own = [standard_errors(fit(x, GaussianEstimator()).model, x) for x in rows]
    np.testing.assert_allclose(pool(own).estimate, np.mean([errors.estimates for errors in own], axis=0))
    assert pool(own).names == own[0].names
    with pytest.raises(ParameterError, match="same numbers, by name"):
        pool([fits[0], own[0]])
    with pytest.raises(ParameterError, match="says no estimates"):
        pool([1.0, 2.0])


def test_degrees_of_freedom_of_tables_follow_from_their_rows() -> None:
    rows = [np.random.default_rng(i).normal(size=(12, 3)) for i in range(4)]

    def means(data: Any) -> tuple[Any, Any]:
        x = np.asarray(data)
        return x.mean(axis=0), x.var(axis=0, ddof=1) / 12

    for kind in (np.asarray, np.ndarray.tolist, pd.DataFrame):
        got = pool([kind(x) for x in rows], means)
        np.testing.assert_array_equal(got.freedom, pool(rows, means, 9).freedom)
        assert (got.freedom < 9).all()
    np.testing.assert_array_equal(pool(rows, means, [9, 5, np.inf]).freedom[0], got.freedom[0])
    pairs = [(1.0, 0.5), (2.0, 0.5)]
    assert pool(pairs, lambda pair: pair).freedom == pytest.approx((1 + 0.5 / (1.5 * 0.5)) ** 2)
    assert pool(rows, lambda data: (data.sum(), 0.0)).freedom == 3
    with pytest.raises(ParameterError, match="degrees of freedom > 0"):
        pool(rows, means, 0)


SMALL = [(x, kind) for x, kind in zip([1.0, None, 3.5, 2.0, None, 7.0, 1.5, None, 4.0, 2.5], "aabbbbaabc", strict=True)] + [(None, None)]


def test_copies_of_a_fit_carry_what_is_not_known_of_its_parameters() -> None:
    found = fit(SMALL, CompositeEstimator((OptionalEstimator(GaussianEstimator()), OptionalEstimator(CategoricalEstimator()))))
    out = impute(found, SMALL, draws=12, rng=1)
    assert len(out.copies) == 12
    assert [out.copies[7][i][0] for i in (0, 2)] == [1.0, 3.5]
    assert impute(found.model, SMALL, draws=12, rng=1, estimator=found.estimator).copies == out.copies
    assert impute(found, SMALL, draws=12, rng=2).copies != out.copies
    known = impute(found.model, SMALL, draws=2, rng=1)
    assert known.cells["field 0"].uncertainty == pytest.approx([math.sqrt(found.model.dists[0].dist.variance())] * 4)
    laws = impute(found, SMALL, "distribution", draws=12, rng=1)
    law = laws.data[1][0]
    assert len(laws.copies) == 1
    assert len(law.components) == 12
    assert out.cells["field 0"].uncertainty == pytest.approx([math.sqrt(law.variance())] * 4)
    assert impute(found, SMALL, draws=12, rng=1, how="mean").data[1][0] == pytest.approx(law.mean())


def test_what_copies_are_fitted_to() -> None:
    found = fit(SMALL, CompositeEstimator((OptionalEstimator(GaussianEstimator()), OptionalEstimator(CategoricalEstimator()))))
    frame = pd.DataFrame(SMALL, columns=["x", "kind"])
    frame.insert(0, "note", "n")
    named = impute(found, frame, draws=3, rng=1, columns=["x", "kind"]).copies
    plain = impute(found, SMALL, draws=3, rng=1).copies
    assert [copy["x"].tolist() for copy in named] == [[row[0] for row in copy] for copy in plain]

    def spread(**fitted_to: Any) -> float:
        law = impute(found, [(None, "a")], "distribution", draws=8, rng=1, **fitted_to).data[0][0]
        return float(np.std([component.mean() for component in law.components]))

    once = spread(training=SMALL)
    assert once > 3 * spread(training=SMALL, weights=np.full(11, 50.0))
    assert once > 3 * spread(training=SMALL * 50)
    _, drawn = bootstrap.random_weights(Problem.of(SMALL, found.estimator, np.arange(11)), np.random.default_rng(1))
    assert drawn.sum() == pytest.approx(55.0)  # so that priors keep their part
    assert drawn[0] == 0.0
    with pytest.raises(DataError, match="row 0 is UNKNOWN"):
        impute(found, [(UNKNOWN, "a")], draws=2)
    for wrong in ({"training": SMALL}, {"weights": [1.0]}, {"draws": 2, "training": SMALL}):
        with pytest.raises(ParameterError, match="pass a fit"):
            impute(found.model, SMALL, **wrong)


def test_fits_that_fail_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = fit(SMALL, CompositeEstimator((OptionalEstimator(GaussianEstimator()), OptionalEstimator(CategoricalEstimator()))))
    whole = impute(found, SMALL, draws=5, rng=1)
    calls = iter(range(100))

    def failing(*args: Any, **options: Any) -> Any:
        if next(calls) in fails:
            raise DegenerateError("no")
        return fit(*args, **options)

    monkeypatch.setattr(bootstrap, "fit", failing)
    fails: Any = [2]
    with pytest.warns(FitWarning, match="1 fits to rows weighted at random failed; the first: no"):
        assert len(impute(found, SMALL, draws=5, rng=1).copies) == len(whole.copies)
    fails = range(100)
    with pytest.raises(DegenerateError, match="10 fits to rows weighted at random failed; the first: no"):
        impute(found, SMALL, draws=5, rng=1)


def test_a_label_seen_once_keeps_a_chance_in_every_copy() -> None:
    rows = [(float(i), "a") for i in range(12)] + [(3.0, "rare"), (None, "rare"), (4.0, None)]
    found = fit(rows, CompositeEstimator((OptionalEstimator(GaussianEstimator()), OptionalEstimator(CategoricalEstimator()))))
    assert len(impute(found, rows, draws=20, rng=1).copies) == 20


def test_intervals_of_cells_cover() -> None:
    x = VECTORS.sample(200, rng=12)
    data = x.copy()
    data[:, 1] = np.nan
    laws = impute(VECTORS, data, how="distribution").data
    inside = [low <= value <= high for law, value in zip(laws[:, 1], x[:, 1], strict=True) for low, high in [law.interval(0.9)]]
    assert 0.85 < np.mean(inside) < 0.95


def test_penguins() -> None:
    frame, model = penguins()
    out = impute(model, frame)
    assert not out.data.isna().any().any()
    assert len(out.cells["sex"].rows) == 11
    assert (out.cells["sex"].uncertainty >= 0.5).all()
    cut = frame.copy()
    cut.loc[frame.index % 10 == 0, "body_mass_g"] = np.nan
    filled = impute(model, cut).data.loc[cut["body_mass_g"].isna(), "body_mass_g"]
    truth = frame.loc[filled.index, "body_mass_g"].dropna()
    error = np.sqrt(np.mean((filled[truth.index] - truth) ** 2))
    assert error < 0.6 * frame["body_mass_g"].std()


@pytest.mark.usefixtures("short_searches")
def test_the_page_about_unknown_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = run(DOCS / "unknown_values.md")
    assert not names["filled"].data.isna().any().any()
    assert names["chances"]["male"] > 0.5 > names["chances"]["female"]
    truth = names["frame"]["body_mass_g"].mean()
    assert names["low"] < truth < names["high"]
    assert (names["heavy"]["species"] == "Gentoo").all()
    assert names["heavy"]["bill_length_mm"].mean() > names["synthetic"]["bill_length_mm"].mean() + 3
    assert names["synthetic"].dtypes.equals(names["frame"].dtypes)
    assert max(m.distance for m in names["report"].marginals) < 0.15


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1.0, 1, "a", 1.0), (1.0, None, "z", 1.0)], "column 'field 2': row 1 is 'z', a label that has probability zero"),
        ([(1.0, 1, "a", 1.0), (None, -3, "a", 1.0)], "column 'field 1': row 1 is -3, which has density zero"),
        ([(1.0, 1, None, -1.0)], "column 'field 3': row 0 is -1.0, which has density zero"),
        ([(None, 1, "a", 1.0), (1.0, 2.5, None, 1.0)], "column 'field 1': row 1 is 2.5; need whole numbers"),
        ([(None, 1, "a", 1.0), ("x", 2, None, 1.0)], "column 'field 0': row 1 is 'x'; need a real number"),
        ([(None, 1, "a", 1.0), (1.0, 2)], r"row 1 is \(1.0, 2\); need 4 entries"),
        ([(None, 1, ["a"], 1.0)], r"column 'field 2': row 0 is \['a'\]; need hashable labels"),
        ("text", "data must be a list"),
    ],
)
def test_what_imputing_refuses(rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        impute(RECORDS, rows)


def test_more_that_imputing_refuses() -> None:
    joint = JointMixtureDistribution([C({"a": 1.0}), C({"b": 1.0})], [C({"x": 1.0}), C({"y": 1.0})], [0.5, 0.5], None, np.eye(2))
    law = Tuple((joint, N(0.0, 1.0)))
    with pytest.raises(SupportError, match="row 1: its observed cells together have density zero"):
        impute(law, [(("a", "x"), None), (("a", "y"), None)])
    for wrong in ({"how": "best"}, {"how": "mean", "draws": 3}, {"draws": 0}, {"draws": 1.5}):
        with pytest.raises(ParameterError):
            impute(RECORDS, [(None, 1, "a", 1.0)], **wrong)
    narrow = frame_of([(1.0, 1, "b", 1.0), (1.0, 1, None, 1.0)])
    with pytest.raises(DataError, match="column 'kind': row 1 would be 'a', which is not among the categories"):
        impute(RECORDS, narrow)
    assert repr(impute(RECORDS, [(None, 1, "a", 1.0)])) == "Imputation(1 of 'field 0'; 1 copies)"
    assert impute(RECORDS, []).data == []
    assert impute(RECORDS, [(UNKNOWN,) * 4]).data[0] == (pytest.approx(0.6), pytest.approx(3.9), "a", pytest.approx(3.9))


def test_columns_that_the_model_ignores_keep_their_gaps() -> None:
    law = MixtureDistribution([Tuple((NullDistribution(), N(mu, 1.0))) for mu in (0.0, 9.0)], [0.5, 0.5])
    table = pd.DataFrame({"who": ["a", None, None], "x": [1.0, np.nan, 8.0]})
    found = impute(law, table)
    assert found.left_out == {"who": "the model has no law of it"}
    assert list(found.cells) == ["x"]
    assert found.data["who"].equals(table["who"])
    assert found.data["x"].tolist() == pytest.approx([1.0, 4.5, 8.0])
    assert impute(law, table.assign(who="a")).left_out == {}
    with pytest.raises(StructureError, match="column 'field 0' has no law of its values, only of whether they are missing"):
        impute(Tuple((OptionalDistribution(NullDistribution(), 0.5), N(0.0, 1.0))), [(None, 1.0), (3, None)])
