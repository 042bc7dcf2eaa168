"""Marks of missing values mean one thing from every kind of table, of every dtype; in lists, None may also be a label."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from dmlcore import fit, impute, missing_at_random
from dmlcore.base.errors import DataError, ParameterError
from dmlcore.base.marks import holds_mark, is_missing, missing_among
from dmlcore.stats import (
    BernoulliSetEstimator,
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeEstimator,
    GaussianEstimator,
    LinearRegressionEstimator,
    MarkovChainEstimator,
    MultivariateGaussianEstimator,
    OptionalDistribution,
    OptionalEstimator,
    PoissonEstimator,
    SequenceEstimator,
)

pytestmark = pytest.mark.usefixtures("short_searches")

nan = math.nan
DAY, LATER = datetime.date(2020, 1, 1), datetime.date(2020, 1, 5)
NAT = np.datetime64("NaT")
MARKS = [None, nan, np.float32(nan), pd.NA, pd.NaT, NAT, np.datetime64("NaT", "ns"), np.timedelta64("NaT"), np.ma.masked, Decimal("NaN")]
HINT = "OptionalEstimator or use missing_at_random"


def objects(values: Any) -> np.ndarray:
    return np.fromiter(values, dtype=object, count=len(values))


def series(values: Any, pandas: Any = (), polars: Any = ()) -> dict[str, Any]:
    """Values with one missing in every column that can hold them, of pandas and polars, alone and in a frame; and as arrays."""
    out = {f"pandas {kind}": pd.Series(values, dtype=kind, index=range(7, 7 + len(values))) for kind in ("object", *pandas)}
    out |= {f"polars {kind}": pl.Series("a", values, dtype=kind) for kind in polars}
    hidden = np.ma.array(objects(["hidden" if v is None else v for v in values]), mask=[v is None for v in values])
    return out | {"objects": objects(values), "masked objects": hidden}


LABELS = series(["x", None, "y", "x"], ("str", "string", "category"), (pl.String, pl.Categorical, pl.Enum(["x", "y"])))
TRUTHS = series([True, None, False, True], ("boolean",), (pl.Boolean,))
WHOLE = series([1, None, 2, 1], ("Int64", "float64", "Float64"), (pl.Int64, pl.UInt8, pl.Float64))
WHOLE |= {"masked": np.ma.array([1, 9, 2, 1], mask=[0, 1, 0, 0]), "floats": np.array([1.0, nan, 2.0, 1.0])}
DATES = series([DAY, None, LATER, DAY], (), (pl.Date,)) | {"dates": np.array([DAY, None, LATER, DAY], dtype="M8[D]")}
SETS = {
    "pandas": pd.Series([{"a"}, None, {"a", "b"}, set()]),
    "polars": pl.Series("a", [["a"], None, ["a", "b"], []]),
    "list": [{"a"}, None, {"a", "b"}, set()],
}
LISTS: list[Any] = [
    (leaf, [present[0], mark, *present[1:]])
    for mark in (None, nan, pd.NA, pd.NaT, NAT, np.ma.masked)
    for leaf, present in ((CategoricalEstimator, ["x", "y", "x"]), (PoissonEstimator, [1, 2, 1]), (GaussianEstimator, [1, 2, 1]))
]
COLUMNS: list[Any] = [
    *((f"label, {kind}", CategoricalEstimator, column, ["x", "y", "x"]) for kind, column in LABELS.items()),
    *((f"truth, {kind}", CategoricalEstimator, column, [True, False, True]) for kind, column in TRUTHS.items()),
    *((f"date, {kind}", CategoricalEstimator, column, [DAY, LATER, DAY]) for kind, column in DATES.items()),
    *((f"number as label, {kind}", CategoricalEstimator, column, [1, 2, 1]) for kind, column in WHOLE.items()),
    *((f"count, {kind}", PoissonEstimator, column, [1, 2, 1]) for kind, column in WHOLE.items()),
    *((f"real, {kind}", GaussianEstimator, column, [1, 2, 1]) for kind, column in WHOLE.items()),
    *((f"set, {kind}", BernoulliSetEstimator, column, [{"a"}, {"a", "b"}, set()]) for kind, column in SETS.items()),
    *((f"{leaf.__name__}, list with {column[1]!r}", leaf, column, [column[0], *column[2:]]) for leaf, column in LISTS),
]


@pytest.mark.parametrize(("leaf", "column", "known"), [c[1:] for c in COLUMNS], ids=[c[0] for c in COLUMNS])
def test_a_missing_cell_is_one_thing_in_every_column(leaf: Any, column: Any, known: Any) -> None:
    expected: Any = fit(known, leaf(), rng=1).model
    law: Any = fit(column, OptionalEstimator(leaf(), est_prob=True), rng=1).model
    assert law == OptionalDistribution(expected, 0.25)
    assert fit(column, missing_at_random(leaf()), rng=1).model.dist == expected
    framed = {"pandas": pd.DataFrame, "polars": pl.DataFrame}.get(type(column).__module__.split(".")[0])
    if framed is not None:
        frame = framed({"a": column})
        record: Any = fit(frame, missing_at_random(CompositeEstimator([leaf()])), rng=1).model
        assert record.dists[0].dist == expected
        with pytest.raises(DataError, match=rf"^a\b.*: row 1 is.*{HINT}"):
            fit(frame, CompositeEstimator([leaf()]), rng=1)
    if isinstance(column, list) and column[1] is None and leaf is CategoricalEstimator:
        return  # a label
    with pytest.raises(DataError, match=f"row 1 is.*{HINT}"):
        fit(column, leaf(), rng=1)


def test_arrow_columns() -> None:
    pa = pytest.importorskip("pyarrow")
    for column in (pa.array(["x", None, "y", "x"]), pa.chunked_array([["x", None], ["y", "x"]])):
        assert fit(column, missing_at_random(CategoricalEstimator())).model.dist == fit(["x", "y", "x"], CategoricalEstimator()).model
        with pytest.raises(DataError, match="row 1 is None"):
            fit(column, CategoricalEstimator())


@pytest.mark.parametrize("mark", MARKS, ids=repr)
def test_what_is_a_mark(mark: Any) -> None:
    assert is_missing(mark)
    assert missing_among([1, mark, "x"]).tolist() == [False, True, False]
    assert holds_mark(("a", (mark,))) == (mark is not None)
    for value in (0, "", "nan", (), [], DAY, np.datetime64("2020-01-01"), np.float64(0), np.bool_(False), Decimal(1), ("a", None)):
        assert not is_missing(value)
        assert not holds_mark(tuple(value) if isinstance(value, list) else value)


def test_none_is_a_label_in_lists_alone() -> None:
    law = CategoricalDistribution({"a": 0.5, None: 0.5})
    assert fit(["a", None], CategoricalEstimator()).model == law
    assert law.seq_log_density(["a", None]).tolist() == [math.log(0.5)] * 2
    for table in (objects(["a", None]), pd.Series(["a", None], dtype=object), pd.Series(["a", None]), pl.Series(["a", None])):
        with pytest.raises(DataError, match=HINT):
            law.seq_log_density(table)
    with pytest.raises(DataError, match="element 1 is nan"):
        fit([objects(["a", None]), objects(["a", "b"])], SequenceEstimator(CategoricalEstimator()))
    with pytest.raises(ParameterError, match="the label nan; a missing value is none"):
        CategoricalDistribution({"a": 0.5, nan: 0.5})


@pytest.mark.parametrize(
    "label", [("a", nan), ("a", pd.NA), ("a", ("b", NAT)), frozenset(["a", nan])], ids=["NaN", "NA", "NaT inside", "set"]
)
def test_a_label_with_a_mark_inside_is_refused_and_one_with_none_is_not(label: Any) -> None:
    with pytest.raises(DataError, match=r"row 1 is .*; need a label without missing parts"):
        fit([("a", "b"), label], CategoricalEstimator())
    assert fit([("a", None), ("a", None)], CategoricalEstimator()).model.density(("a", None)) == 1.0


def test_lists_and_sets_that_lack_a_label_are_missing_as_a_whole_or_refused() -> None:
    for estimator, rows, place in (
        (MarkovChainEstimator(), [["a", "b"], ["a", None]], "row 1, element 1 is None"),
        (BernoulliSetEstimator(), [{"a"}, {"a", None}], "row 1 is"),
    ):
        assert fit(rows, estimator).model.log_density(rows[1]) > -math.inf  # None is a label here
        with pytest.raises(DataError, match=f"{place}.*None in place of the whole"):
            fit(rows, missing_at_random(estimator))
        assert fit([rows[0], None], missing_at_random(estimator)).model.dist == fit(rows[:1], estimator).model


def test_masked_vectors_in_a_list_are_read_with_their_mask() -> None:
    rows = [np.ma.array([1.0, 99.0], mask=[False, True]), np.ma.array([2.0, 3.0]), np.ma.array([4.0, 4.0]), np.ma.array([0.0, 1.0])]
    law: Any = fit(rows, missing_at_random(MultivariateGaussianEstimator()), rng=1).model
    assert law == fit([[1.0, None], [2.0, 3.0], [4.0, 4.0], [0.0, 1.0]], missing_at_random(MultivariateGaussianEstimator()), rng=1).model
    with pytest.raises(DataError, match=r"row 0 is .*PartialGaussianEstimator"):
        fit(rows, MultivariateGaussianEstimator())
    with pytest.raises(DataError, match=f"row 0 is.*{HINT}"):
        fit([((None,), 1.0), ((1.0,), 2.0)], LinearRegressionEstimator())


def test_imputed_frames_keep_what_was_there() -> None:
    truths = pd.Series([True, False, None, True], dtype="boolean")
    frame = pd.DataFrame({"a": pd.Series(["x", None, "y", "x"], dtype="string"), "b": truths})
    model = fit(frame, missing_at_random(CompositeEstimator([CategoricalEstimator()] * 2))).model
    done = impute(model, frame).data
    assert done["a"].tolist() == ["x", "x", "y", "x"]
    assert done["b"].tolist() == [True, False, True, True]
    assert (done.dtypes == frame.dtypes).all()
