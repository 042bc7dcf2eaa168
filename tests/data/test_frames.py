"""What comes out of a column of each dtype of each library; frames of other libraries; sliced ones; names."""

from __future__ import annotations

import datetime
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from dmlcore import fit
from dmlcore.base.errors import DataError, LibraryError
from dmlcore.data.encoded import encode
from dmlcore.data.frames import Columns, levels_of, one_below_the_other, plain_column, some_rows, with_only
from dmlcore.data.layouts import Labels, Maybe
from dmlcore.data.plain_columns import Factor, Nullable, PlainColumn, ZonedTimes
from dmlcore.data.values import plain_list
from dmlcore.stats import CategoricalEstimator, CompositeEstimator, GaussianEstimator, OptionalEstimator

pa = pytest.importorskip("pyarrow")
nw = pytest.importorskip("narwhals")

DAY = datetime.date(2024, 2, 29)
MOMENT = datetime.datetime(2024, 2, 29, 12, 30)
ZONED = MOMENT.replace(tzinfo=datetime.UTC)
LASTS = datetime.timedelta(minutes=90)
CLOCK = datetime.time(12, 30)
CENTS = Decimal("1.50")
ROW = {"a": 1, "b": "x"}
A, ARRAY, LIST, FACTOR, NULLABLE, ZONES = pa.array, np.ndarray, list, Factor, Nullable, ZonedTimes


def pandas(values: Any, dtype: Any = None) -> Any:
    return pd.Series(values, dtype=dtype)


def arrow_backed(values: Any, dtype: Any) -> Any:
    return pd.Series(values, dtype=pd.ArrowDtype(dtype))


def polars(values: Any, dtype: Any) -> Any:
    return pl.Series("x", values, dtype=dtype)


CASES: dict[str, tuple[Any, type, list[Any]]] = {
    "pandas int8": (pandas([1, 2], "int8"), ARRAY, [1, 2]),
    "pandas Int64": (pandas([2**60 + 1, None], "Int64"), NULLABLE, [2**60 + 1, None]),
    "pandas UInt8, whole": (pandas([1, 2], "UInt8"), ARRAY, [1, 2]),
    "pandas Float32": (pandas([1.5, None], "Float32"), ARRAY, [1.5, None]),
    "pandas bool": (pandas([True, False]), ARRAY, [True, False]),
    "pandas boolean": (pandas([True, None], "boolean"), NULLABLE, [True, None]),
    "pandas category": (pandas(pd.Categorical(["u", None], categories=["w", "u"])), FACTOR, ["u", None]),
    "pandas category of numbers": (pandas(pd.Categorical([3, None], categories=[5, 3])), FACTOR, [3, None]),
    "pandas category of times": (pandas(pd.Categorical([pd.Timestamp(MOMENT), None])), FACTOR, [MOMENT, None]),
    "pandas str": (pandas(["a", None], "str"), FACTOR, ["a", None]),
    "pandas string": (pandas(["a", None], "string"), FACTOR, ["a", None]),
    "pandas string, of Python": (pandas(["a", None], pd.StringDtype("python")), FACTOR, ["a", None]),
    "pandas objects": (pandas(["a", None, 1], object), LIST, ["a", None, 1]),
    "pandas Decimal": (pandas([CENTS, None], object), LIST, [CENTS, None]),
    "pandas dates": (pandas([DAY, None], object), LIST, [DAY, None]),
    "pandas datetime64[ns]": (pandas([MOMENT, None], "datetime64[ns]"), ARRAY, [MOMENT, None]),
    "pandas datetime64[us]": (pandas([MOMENT, None], "datetime64[us]"), ARRAY, [MOMENT, None]),
    "pandas datetime with zone": (pandas([ZONED, None]), ZONES, [ZONED, None]),
    "pandas timedelta64": (pandas([LASTS, None], "timedelta64[ns]"), ARRAY, [LASTS, None]),
    "pandas periods": (pandas(pd.period_range("2021-03", periods=2, freq="M")), LIST, [pd.Period("2021-03"), pd.Period("2021-04")]),
    "pandas lists": (pandas([[1, 2], None]), LIST, [[1, 2], None]),
    "pandas dicts": (pandas([ROW, None]), LIST, [ROW, None]),
    "pandas Arrow int": (arrow_backed([1, None], pa.int64()), NULLABLE, [1, None]),
    "pandas Arrow text": (arrow_backed(["a", None], pa.string()), FACTOR, ["a", None]),
    "pandas Arrow dictionary": (arrow_backed(["a", None], pa.dictionary(pa.int8(), pa.string())), FACTOR, ["a", None]),
    "pandas Arrow decimal": (arrow_backed([CENTS, None], pa.decimal128(5, 2)), LIST, [CENTS, None]),
    "pandas Arrow time": (arrow_backed([MOMENT, None], pa.timestamp("ns")), ARRAY, [MOMENT, None]),
    "pandas Arrow lists": (arrow_backed([["a"], None], pa.list_(pa.string())), LIST, [["a"], None]),
    "polars Int8": (polars([1, 2], pl.Int8), ARRAY, [1, 2]),
    "polars Int64, gap": (polars([2**60 + 1, None], pl.Int64), NULLABLE, [2**60 + 1, None]),
    "polars UInt64": (polars([2**63, None], pl.UInt64), NULLABLE, [2**63, None]),
    "polars Float32": (polars([1.5, None], pl.Float32), ARRAY, [1.5, None]),
    "polars Boolean": (polars([True, False], pl.Boolean), ARRAY, [True, False]),
    "polars Boolean, gap": (polars([True, None], pl.Boolean), NULLABLE, [True, None]),
    "polars String": (polars(["a", None], pl.String), FACTOR, ["a", None]),
    "polars Categorical": (polars(["a", None], pl.Categorical), FACTOR, ["a", None]),
    "polars Enum": (polars(["u", None], pl.Enum(["w", "u"])), FACTOR, ["u", None]),
    "polars Decimal": (polars([CENTS, None], pl.Decimal(5, 2)), LIST, [CENTS, None]),
    "polars Date": (polars([DAY, None], pl.Date), ARRAY, [DAY, None]),
    "polars Datetime": (polars([MOMENT, None], pl.Datetime("ns")), ARRAY, [MOMENT, None]),
    "polars Datetime with zone": (polars([ZONED, None], pl.Datetime("us", "UTC")), ZONES, [ZONED, None]),
    "polars Duration": (polars([LASTS, None], pl.Duration("us")), ARRAY, [LASTS, None]),
    "polars Time": (polars([CLOCK, None], pl.Time), LIST, [CLOCK, None]),
    "polars Null": (polars([None, None], pl.Null), LIST, [None, None]),
    "polars Binary": (polars([b"a", None], pl.Binary), LIST, [b"a", None]),
    "polars List": (polars([["a"], None], pl.List(pl.String)), LIST, [["a"], None]),
    "NumPy times, masked": (np.ma.masked_array(np.array([DAY, DAY], "M8[D]"), [True, False]), ARRAY, [None, DAY]),
    "polars Array of numbers": (polars([[1.0, 2.0], [3.0, 4.0]], pl.Array(pl.Float64, 2)), ARRAY, [[1.0, 2.0], [3.0, 4.0]]),
    "polars Array": (polars([[1.0, 2.0], None], pl.Array(pl.Float64, 2)), LIST, [[1.0, 2.0], None]),
    "polars Struct": (polars([ROW, None], pl.Struct({"a": pl.Int64, "b": pl.String})), LIST, [ROW, None]),
    "Arrow int8": (A([1, 2], pa.int8()), ARRAY, [1, 2]),
    "Arrow int64, gap": (A([2**60 + 1, None]), NULLABLE, [2**60 + 1, None]),
    "Arrow float32": (A([1.5, None], pa.float32()), ARRAY, [1.5, None]),
    "Arrow bool": (A([True, False]), ARRAY, [True, False]),
    "Arrow bool, gap": (A([True, None]), NULLABLE, [True, None]),
    "Arrow string": (A(["a", None]), FACTOR, ["a", None]),
    "Arrow large_string": (A(["a", None], pa.large_string()), FACTOR, ["a", None]),
    "Arrow dictionary": (A(["u", None]).dictionary_encode(), FACTOR, ["u", None]),
    "Arrow dictionary of numbers": (A([3, None]).dictionary_encode(), FACTOR, [3, None]),
    "Arrow dictionary with gaps": (pa.DictionaryArray.from_arrays(A([0, 1, 2]), A(["a", None, "a"])), FACTOR, ["a", None, "a"]),
    "Arrow decimal": (A([CENTS, None]), LIST, [CENTS, None]),
    "Arrow date32": (A([DAY, None]), ARRAY, [DAY, None]),
    "Arrow date64": (A([DAY, None], pa.date64()), ARRAY, [DAY, None]),
    "Arrow timestamp": (A([MOMENT, None], pa.timestamp("ns")), ARRAY, [MOMENT, None]),
    "Arrow timestamp with zone": (A([ZONED, None], pa.timestamp("us", "UTC")), ZONES, [ZONED, None]),
    "Arrow duration": (A([LASTS, None], pa.duration("ns")), ARRAY, [LASTS, None]),
    "Arrow time": (A([CLOCK, None]), LIST, [CLOCK, None]),
    "Arrow null": (pa.nulls(2), LIST, [None, None]),
    "Arrow list": (A([["a"], None]), LIST, [["a"], None]),
    "Arrow struct": (A([ROW, None]), LIST, [ROW, None]),
    "Arrow chunks": (pa.chunked_array([["a"], ["b", None]]), FACTOR, ["a", "b", None]),
    "Arrow, no chunk": (pa.chunked_array([], pa.string()), FACTOR, []),
}


def listed(column: Any) -> list[Any]:
    return [None if isinstance(v, float) and v != v else v for v in (plain_list(column) if isinstance(column, np.ndarray) else column)]


@pytest.mark.parametrize(("column", "form", "values"), CASES.values(), ids=CASES)
def test_columns_of_every_dtype(column: Any, form: type, values: list[Any]) -> None:
    plain = plain_column(column)
    assert type(plain) is form
    assert listed(plain) == values
    kinds = [type(v) for v in listed(plain)]
    assert kinds == list(map(type, values))
    assert listed(plain_column(some_rows(column, 1, 2))) == values[1:2]
    if isinstance(plain, PlainColumn):
        there = np.array([v is not None for v in values], dtype=bool)
        assert (plain.missing == ~there).all()
        assert f"({len(values)} rows" in repr(plain)
        assert [plain[i] for i in range(len(values))] == values == np.asarray(plain).tolist()
        assert list(plain[there]) == [v for v in values if v is not None]


@pytest.mark.parametrize(
    ("column", "levels"),
    [
        (CASES["pandas category"][0], ["w", "u"]),
        (CASES["pandas category of times"][0], [MOMENT]),
        (CASES["pandas Arrow dictionary"][0], ["a"]),
        (CASES["polars Enum"][0], ["w", "u"]),
        (CASES["Arrow dictionary with gaps"][0], ["a"]),
        (CASES["polars Categorical"][0], None),
        (CASES["Arrow string"][0], None),
    ],
)
def test_categories(column: Any, levels: Any) -> None:
    assert levels_of(column) == levels


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_columns_are_read_where_asked_for(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = make({"x": [1.0, 2.0], "kind": ["u", "v"], "other": ["a", None]})
    table = Columns(frame)
    assert (len(table), table.names, list(table.column("kind"))) == (2, ["x", "kind", "other"], ["u", "v"])
    assert list(table._plain) == [1]
    assert table.rows() == [(1.0, "u", "a"), (2.0, "v", None)]
    with pytest.raises(DataError, match="the frame has no column 'z'; its columns are"):
        table.column("z")


@pytest.mark.parametrize("values", [["v", "u", "v", "w"], ["v", None, "u", "v"], [(1, "a"), (1, "b"), (1, "a")], [2, 1, 2]])
def test_factors_are_numbered_as_lists_are(values: list[Any]) -> None:
    levels = [*dict.fromkeys(v for v in values if v is not None), "unused"]
    column = Factor(np.array([-1 if v is None else levels.index(v) for v in values]), levels)
    assert column.tolist() == values == list(column) == [column[i] for i in range(len(values))]
    assert column[1:].tolist() == values[1:]
    for layout in (Labels(), Maybe(value=Labels())):
        one, two = layout.encode(column), layout.encode(values)
        assert [one.row(i) for i in range(len(one))] == [two.row(i) for i in range(len(two))]
        assert one.codes.dtype == two.codes.dtype


def test_a_gap_among_labels_is_refused_in_every_table() -> None:
    for make in (pd.DataFrame, pl.DataFrame, pa.table):
        with pytest.raises(DataError, match=r"categorical: row 2 is None; need a label \(where values may be missing"):
            fit(make({"kind": ["u", "v", None]}), CategoricalEstimator())
        with pytest.raises(DataError, match=r"gaussian: row 0 is 'u'; need a real number"):
            fit(make({"kind": ["u", "v", None]}), GaussianEstimator())


class RowsOfNoFrame(list[Any]):
    """Rows that say how their columns are called, of no library."""

    columns = ("x", "kind")


def test_frames_of_other_libraries_come_through_narwhals(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0, 4.0], "kind": ["u", None, "v"]})
    pair = CompositeEstimator([GaussianEstimator(), OptionalEstimator(CategoricalEstimator())])
    expected = fit(frame, pair).model
    for other in (nw.from_native(frame), nw.from_native(frame.lazy()), nw.from_native(frame.to_pandas()), nw.from_native(frame.to_arrow())):
        assert fit(other, pair).model == expected
        assert len(encode(other, pair.layout)) == 3
    rows = RowsOfNoFrame([(1.0, "u"), (2.0, None), (4.0, "v")])
    assert fit(rows, pair).model.dists == expected.dists
    monkeypatch.setitem(sys.modules, "narwhals", None)
    with pytest.raises(
        LibraryError, match=r"frames of narwhals need narwhals: pip install 'dmlcore\[frames\]'.*; or give a frame of pandas"
    ):
        fit(nw.from_native(frame), pair)


def test_tables_one_below_the_other() -> None:
    for make in (pd.DataFrame, pl.DataFrame, pa.table):
        both = one_below_the_other([make({"x": [1, 2]}), make({"x": [0.5]})])
        assert list(both["x"]) == [1.0, 2.0, 0.5] or both["x"].to_pylist() == [1.0, 2.0, 0.5]
        assert type(both) is type(make({"x": [1]}))
    np.testing.assert_array_equal(one_below_the_other([np.ones((2, 1)), np.zeros((1, 1))]), [[1.0], [1.0], [0.0]])
    assert one_below_the_other([[(1,)], [(2,), (3,)]]) == [(1,), (2,), (3,)]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_some_columns_of_a_frame(make: Any) -> None:
    frame = with_only(make({"x": [1], "y": [2], "z": [3]}), [2, 0])
    assert type(frame) is type(make({"x": [1]}))
    assert Columns(frame).names == ["z", "x"]
    assert Columns(frame).rows() == [(3, 1)]


def test_a_frame_without_columns_has_rows() -> None:
    assert Columns(pd.DataFrame(index=range(3))).rows() == [(), (), ()]


def test_anything_that_becomes_an_array_is_a_column() -> None:
    class Series(list[Any]):
        def to_numpy(self) -> np.ndarray:
            return np.array(self)

    np.testing.assert_array_equal(plain_column(Series([1, 2])), [1, 2])
