"""Tables of other libraries (pandas, polars, pyarrow) as plain columns: the one place that knows how they are read.

A plain column is an array of numbers, truth values or vectors without gaps but NaN, or of dates, times or durations with NaT; a `Factor`,
of text and categories; a `Nullable`, of whole numbers and truth values with gaps; `ZonedTimes`; or a list of plain Python values in which
None stands for what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from dmlcore.base.errors import DataError, shorten
from dmlcore.base.labels import distinct, plain
from dmlcore.base.marks import missing_among
from dmlcore.data.libraries import is_frame as is_frame
from dmlcore.data.libraries import library_of as library_of
from dmlcore.data.plain_columns import Factor, Nullable, PlainColumn, ZonedTimes
from dmlcore.data.values import first, floats, in_order, is_row, plain_list

NUMERIC_KINDS = "fiub"  # kinds of NumPy's dtypes
TIME_KINDS = "mM"


def column_names(frame: Any) -> list[Any]:
    """The names of the columns in order. Raises `DataError` where two share a name."""
    return distinct(list(frame.schema.names if library_of(frame) == "pyarrow" else frame.columns))


def column_at(frame: Any, place: int) -> Any:
    """A column as the frame's library holds it."""
    match library_of(frame):
        case "pandas":
            return frame.iloc[:, place]
        case "polars":
            return frame.to_series(place)
    return frame.column(place)


def with_only(frame: Any, places: list[int]) -> Any:
    """The frame with the columns at some places only, in this order."""
    match library_of(frame):
        case "pandas":
            return frame.iloc[:, places]
        case "polars":
            return frame[:, places]
    return frame.select(places)


def some_rows(data: Any, start: int, stop: int) -> Any:
    """The same table, column, array or list with the rows from `start` to before `stop` only."""
    if hasattr(data, "iloc"):
        return data.iloc[start:stop]
    return data.slice(start, stop - start) if library_of(data) in ("polars", "pyarrow") else data[start:stop]


def rows_at(data: Any, rows: np.ndarray) -> Any:
    """The same table, column, array or list with the rows of these numbers only."""
    match library_of(data):
        case "pandas":
            return data.iloc[rows]
        case "polars":
            return data[rows]
        case "pyarrow":
            return data.take(rows)
    return data[rows] if isinstance(data, np.ndarray) else [data[i] for i in rows.tolist()]


def some_at_random(table: Any, share: float, rng: np.random.Generator) -> Any:
    """The rows of a table that are drawn, each with the same probability."""
    return table if share == 1 else rows_at(table, np.flatnonzero(rng.random(len(table)) < share))


def one_below_the_other(tables: list[Any]) -> Any:
    """Tables of one kind as one table."""
    match library_of(tables[0]):
        case "pandas":
            import pandas

            return pandas.concat(tables, ignore_index=True)
        case "polars":
            import polars

            return polars.concat(tables, how="vertical_relaxed")
        case "pyarrow":
            import pyarrow

            return pyarrow.concat_tables(tables, promote_options="permissive")
    return np.concatenate(tables) if isinstance(tables[0], np.ndarray) else [row for table in tables for row in table]


def rows_at_ends(table: Any) -> Any:
    """The rows of a table in which a column of numbers or times has its least or its largest value."""
    rows: set[int] = set()
    for column in Columns(table).columns if len(table) else ():
        if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "iufmM":
            there = np.flatnonzero(~(np.isnat(column) if column.dtype.kind in TIME_KINDS else np.isnan(column)))
            rows |= {int(there[column[there].argmin()]), int(there[column[there].argmax()])} if len(there) else set()
        elif isinstance(column, Nullable):
            there = np.flatnonzero(~column.missing)
            rows |= {int(there[column.x[there].argmin()]), int(there[column.x[there].argmax()])} if len(there) else set()
    return rows_at(table, np.array(sorted(rows), dtype=np.intp))


class Columns:
    """A table as columns with names, each read when it is asked for. `len(columns)` is the number of rows.

    table: a frame; or an array of rows and columns, or a list of tuples, whose columns are called by number; or a list of mappings, in
    which a key that is not there is a missing cell. Raises `DataError` for what is none of these.
    """

    def __init__(self, table: Any):
        self.names, self._held, self._n = _of_frame(table) if is_frame(table) else _of_rows(table)
        self._plain: dict[int, Any] = {}

    def __len__(self) -> int:
        return self._n

    def place(self, name: Any) -> int:
        """Where the column of a name stands. Raises `DataError` where there is none."""
        if name not in self.names:
            raise DataError(f"the frame has no column {name!r}; its columns are {self.names}")
        return self.names.index(name)

    def held(self, place: int) -> Any:
        """The column at a place as the frame's library holds it, or the values of a list."""
        return self._held(place)

    def levels(self, place: int) -> list[Any] | None:
        """The categories of a column that says which there may be; None of others."""
        return levels_of(self.held(place))

    def missing(self, name: Any) -> np.ndarray:
        """The rows in which a column has no value `(m,)`."""
        column = self.plain(self.place(name))
        return np.flatnonzero(column.missing if isinstance(column, PlainColumn) else missing_among(column))

    def plain(self, place: int) -> Any:
        """The column at a place as a plain column."""
        if place not in self._plain:
            self._plain[place] = plain_column(self.held(place))
        return self._plain[place]

    def column(self, name: Any) -> Any:
        """The plain column of a name. Raises `DataError` where there is none."""
        return self.plain(self.place(name))

    @property
    def columns(self) -> list[Any]:
        """All plain columns."""
        return list(map(self.plain, range(len(self.names))))

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows as tuples of plain values."""
        if not self.names:
            return [()] * len(self)
        return list(zip(*(plain_list(c) if isinstance(c, np.ndarray) and c.ndim == 1 else c for c in self.columns), strict=True))

    def vectors(self) -> Any:
        """The rows as vectors: an array where all columns are numbers, otherwise lists."""
        numbers = [floats(column) for column in self.columns]
        return np.array(numbers).T if numbers and all(column is not None for column in numbers) else list(map(list, self.rows()))


def _of_frame(frame: Any) -> tuple[list[Any], Callable[[int], Any], int]:
    """The names of the columns of a frame, what gives each of them, and the number of rows."""
    return column_names(frame), partial(column_at, frame), len(frame)


def _of_rows(rows: Any) -> tuple[list[Any], Callable[[int], Any], int]:
    """The same of rows."""
    if isinstance(rows, np.ndarray) and rows.ndim == 2:
        return list(range(rows.shape[1])), lambda place: rows[:, place], len(rows)
    if isinstance(rows, (list, tuple)) and rows and all(isinstance(row, dict) for row in rows):
        names = list(dict.fromkeys(name for row in rows for name in row))
        return names, lambda place: [row.get(names[place]) for row in rows], len(rows)
    if isinstance(rows, (list, tuple)) and rows and is_row(rows[0], len(rows[0]) if hasattr(rows[0], "__len__") else 0):
        width = len(rows[0])
        if odd := first(rows, lambda row: not is_row(row, width)):
            raise DataError(f"row {odd} is {shorten(rows[odd])}; need {width} entries, as row 0 has")
        return list(range(width)), lambda place: [row[place] for row in rows], len(rows)
    raise DataError(f"a table is a data frame, an array of rows and columns, or a list of tuples or of dictionaries; got {shorten(rows)}")


def plain_column(values: Any) -> Any:
    """A column of whatever library, or an array of whatever shape, as a plain column; lists and the like stay as they are."""
    match library_of(values):
        case "pandas":
            return _of_pandas(values)
        case "polars":
            return _of_polars(values)
        case "pyarrow":
            return _of_arrow(values)
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    return _of_array(values) if isinstance(values, np.ndarray) else values


def _of_array(array: np.ndarray) -> Any:
    if isinstance(array, np.ma.MaskedArray):
        if array.mask.any() and array.ndim == 1 and array.dtype.kind in "iub":
            return Nullable(array.data, np.ma.getmaskarray(array))
        if array.mask.any() and array.ndim == 1 and array.dtype.kind in TIME_KINDS:
            return np.where(np.ma.getmaskarray(array), np.array("NaT", dtype=array.dtype), array.data)
        if array.mask.any():
            return plain_list(array)
        array = array.data
    return array if array.dtype.kind in NUMERIC_KINDS or (array.dtype.kind in TIME_KINDS and array.ndim == 1) else plain_list(array)


def _of_pandas(column: Any) -> Any:
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return _of_array(column.to_numpy())
    if (arrow := arrow_of(column)) is not None:
        return _of_arrow(arrow)
    if hasattr(dtype, "categories") and hasattr(column, "cat"):
        return Factor.of(column.cat.codes.to_numpy(), dtype.categories)
    if dtype.name.startswith("str"):
        return Factor.of(*column.factorize())
    if getattr(dtype, "tz", None) is not None:
        return ZonedTimes(getattr(column, "dt", column).tz_convert(None).to_numpy(), dtype.tz)
    if dtype.kind in NUMERIC_KINDS:
        own, missing = getattr(dtype, "numpy_dtype", None) or getattr(dtype, "subtype", None), np.asarray(column.isna())
        x = column.to_numpy(dtype=own, na_value=np.nan if dtype.kind == "f" else 0)
        return Nullable(x, missing) if dtype.kind != "f" and missing.any() else x
    listed = column.to_numpy(dtype=object, na_value=None).tolist()
    return list(map(plain, listed)) if "M" in (dtype.kind, getattr(getattr(dtype, "categories", None), "dtype", dtype).kind) else listed


def _of_polars(column: Any) -> Any:
    dtype = column.dtype
    if str(dtype).startswith(("String", "Categorical", "Enum")):
        return _levels_of_polars(column)
    whole = dtype.is_integer() and "128" not in str(dtype)  # NumPy has none so wide
    if dtype.is_float():
        return column.to_numpy()
    if whole or str(dtype) == "Boolean":
        if not column.null_count():
            return column.to_numpy()
        return Nullable(column.fill_null(0 if whole else False).to_numpy(), column.is_null().to_numpy())
    inner = getattr(dtype, "inner", None)
    if hasattr(dtype, "shape") and inner is not None and inner.is_float() and not column.null_count():
        return column.to_numpy()  # vectors of one length
    if zone := getattr(dtype, "time_zone", None):
        return ZonedTimes(column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy(), ZoneInfo(zone))
    return column.to_numpy() if dtype.is_temporal() and str(dtype) != "Time" else column.to_list()


def _levels_of_polars(column: Any) -> Factor:
    import polars

    coded = column.cast(polars.Categorical) if column.dtype == polars.String else column
    levels = coded.drop_nulls().unique()
    numbers = levels.to_physical().cast(polars.Int64).to_numpy()
    place = np.full(int(numbers.max(initial=-1)) + 2, -1, dtype=np.int32)  # -1, a gap, points to its last entry
    place[numbers] = np.arange(len(numbers))
    return Factor.of(place[coded.to_physical().cast(polars.Int64).fill_null(-1).to_numpy()], levels.cast(polars.String).to_list())


def _of_arrow(column: Any) -> Any:
    from pyarrow import date32, int32, lib, types

    kind = column.type
    if types.is_dictionary(kind) or types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view":
        coded = _in_one_piece(column if types.is_dictionary(kind) else column.dictionary_encode())
        return Factor.of(coded.indices.cast(int32()).fill_null(-1).to_numpy(zero_copy_only=False), coded.dictionary.to_pylist())
    whole = types.is_integer(kind) or types.is_boolean(kind)
    if types.is_floating(kind) or (whole and not column.null_count):
        return column.to_numpy(zero_copy_only=False)
    if whole:
        x = column.fill_null(False if types.is_boolean(kind) else 0)
        return Nullable(x.to_numpy(zero_copy_only=False), column.is_null().to_numpy(zero_copy_only=False))
    if types.is_date(kind) or types.is_timestamp(kind) or types.is_duration(kind):
        x = (column.cast(date32()) if types.is_date(kind) else column).to_numpy(zero_copy_only=False)
        return ZonedTimes(x, lib.string_to_tzinfo(kind.tz)) if getattr(kind, "tz", None) else x
    return column.to_pylist()


def levels_of(column: Any) -> list[Any] | None:
    """The categories of a column that holds such, in their order, whether or not they occur; None of any other column."""
    library, dtype = library_of(column), getattr(column, "dtype", None)
    if (library == "pandas" and hasattr(dtype, "categories")) or (library == "polars" and type(dtype).__name__ == "Enum"):
        return list(map(plain, column.dtype.categories))
    if (arrow := arrow_of(column)) is not None:
        from pyarrow import types

        if types.is_dictionary(arrow.type):
            found = list(dict.fromkeys(level for level in _in_one_piece(arrow).dictionary.to_pylist() if level is not None))
            return found if arrow.type.ordered else in_order(found)  # else the order says how they were stored
    return None


def is_ordered(column: Any) -> bool:
    """Whether a column says that its categories are in order."""
    arrow = arrow_of(column)
    return bool(getattr(arrow.type if arrow is not None else getattr(column, "dtype", None), "ordered", False))


def _in_one_piece(column: Any) -> Any:
    """A column of pyarrow with a dictionary as one array."""
    return column.unify_dictionaries().combine_chunks() if hasattr(column, "chunks") else column


def arrow_of(column: Any) -> Any:
    """The array of pyarrow that a column is, or that is behind one of pandas; None of any other column."""
    library = library_of(column)
    if library == "pandas" and type(column.dtype).__name__ == "ArrowDtype":
        import pyarrow

        return pyarrow.array(getattr(column, "array", column))
    return column if library == "pyarrow" else None


def index_of(data: Any) -> Any:
    """The index of a frame or a series of pandas; None of other data."""
    return data.index if hasattr(data, "iloc") and hasattr(data, "index") else None


def check_paired(index: Any, other: Any, role: str, whose: str = "X") -> None:
    """Raises `DataError` where rows would be paired by position although their labels say otherwise.

    index: of the table, or None. other: what is paired with it row by row. Where one of the two only counts its rows (a `RangeIndex`, as
    `reset_index` makes it), and the labels are not the same in another order, it says nothing about which rows belong together.
    """
    own = index_of(other)
    if index is None or own is None or len(own) != len(index) or own.equals(index):
        return
    if any(_counts(one) for one in (own, index)) and not own.sort_values().equals(index.sort_values()):
        return
    row = next((i for i, (a, b) in enumerate(zip(own, index, strict=True)) if a != b), 0)
    said, there = plain(own[row]), plain(index[row])
    raise DataError(
        f"{role}: row {row} has the index label {said!r}, {whose} has {there!r} there; rows are paired by position, so give both the same "
        f"index in the same order, such as {role}.loc[{whose}.index], or arrays"
    )


def _counts(index: Any) -> bool:
    return type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1
