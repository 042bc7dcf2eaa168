"""Values back into columns: filled cells, and drawn columns, in the form and the dtype of the columns that were given.

Cells are filled by laying the new values behind the old ones and gathering, so that no cell that was there passes through anything.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, shorten
from dmlcore.base.labels import plain
from dmlcore.data.frames import NUMERIC_KINDS, arrow_of, levels_of, library_of, plain_column
from dmlcore.data.values import first, is_missing, is_number

REFUSALS = (TypeError, ValueError, ArithmeticError, NotImplementedError)  # of the libraries, for values that a dtype does not hold


def with_cells(column: Any, name: Any, rows: np.ndarray, values: Any, objects: bool = False) -> Any:
    """A column with the cells of `rows` exchanged for `values`, of the same dtype, which only an empty column changes for what fits.

    objects: values are no observations (but laws), and the column must take any object. Raises `DataError` for what it cannot hold.
    """
    listed = list(map(plain, values.tolist() if isinstance(values, np.ndarray) else values))
    place = np.arange(len(column))
    place[rows] = len(column) + np.arange(len(rows))
    library = library_of(column)
    if objects:
        return _ofas_objects(column, library, place, listed)
    new = column_like(column, name, listed, rows)
    if len(rows) == len(column):  # whatever the dtype of a column without values was
        return _gathered(new, library, np.argsort(rows))
    return _gathered(_joined(column, new, library), library, place)


def column_like(column: Any, name: Any, values: list[Any], rows: np.ndarray | None = None) -> Any:
    """A column of plain values, None where missing, with the dtype of another; of one that holds nothing, with that which fits.

    rows: where the values belong, for messages. Raises `DataError` for a value that the dtype cannot hold.
    """
    library = library_of(column)
    levels = None if arrow_of(column) is not None else levels_of(column)  # dictionaries of Arrow grow
    row = None if levels is None else first(values, lambda v: not is_missing(v) and v not in levels)
    if row is not None:
        at = row if rows is None else rows[row]
        raise DataError(f"column {name!r}: row {at} would be {shorten(values[row])}, which is not among the categories of the column")
    make = MAKERS[library]
    try:
        return make(column, name, values)
    except REFUSALS as error:
        if _is_empty(column):
            return make(None, name, values)
        bad = first(values, lambda v: not _takes(make, column, name, v)) or 0
        at = bad if rows is None else rows[bad]
        kind = getattr(column, "dtype", None) or getattr(column, "type", None)
        raise DataError(f"column {name!r}: row {at} would be {shorten(values[bad])}, which a column of {kind} cannot hold") from error


def _takes(make: Callable[..., Any], column: Any, name: Any, value: Any) -> bool:
    try:
        make(column, name, [value])
    except REFUSALS:
        return False
    return True


def _is_empty(column: Any) -> bool:
    """Whether there is nothing but missing values."""
    return all(map(is_missing, plain_column(column)))


# -- columns of each library from plain values -------------------------------------------------------------------------


def _pandas_made(column: Any, name: Any, values: list[Any]) -> Any:
    import pandas as pd

    if column is None:
        return pd.Series(values, name=name)
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iub" and any(v is None for v in values):
        dtype = pd.BooleanDtype() if dtype.kind == "b" else pd.Int64Dtype()  # there is no missing value in the plain dtype
    if (arrow := arrow_of(column)) is not None:
        return pd.Series(pd.array(_arrow_made(arrow, name, values), dtype=dtype), name=name)
    if dtype.kind == "O" and isinstance(dtype, np.dtype):
        there = [v for v in column if not is_missing(v)]
        if there and all(isinstance(v, Decimal) for v in there):
            places = max(-int(v.as_tuple().exponent) for v in there)
            values = [_decimal(v, places) for v in values]
        return pd.Series(as_objects(values), dtype=object, name=name)
    return pd.Series(_of_kind(values, getattr(dtype, "kind", "O")), dtype=dtype, name=name)


def _polars_made(column: Any, name: Any, values: list[Any]) -> Any:
    import polars as pl

    if column is None:
        return pl.Series(name, values)
    dtype = column.dtype
    if dtype == pl.Null and any(v is not None for v in values):
        raise TypeError("a column of nulls")
    if isinstance(dtype, pl.Decimal):
        values = [_decimal(v, dtype.scale) for v in values]
    kind = "i" if dtype.is_integer() else "b" if dtype == pl.Boolean else "O"
    try:
        return pl.Series(name, _of_kind(values, kind), dtype=dtype)
    except pl.exceptions.PolarsError as error:
        raise ValueError(str(error)) from error


def _arrow_made(column: Any, name: Any, values: list[Any]) -> Any:
    import pyarrow
    from pyarrow import types

    if column is None:
        return pyarrow.array(values)
    kind = column.type
    if types.is_decimal(kind):
        values = [_decimal(v, kind.scale) for v in values]
    letter = "i" if types.is_integer(kind) else "b" if types.is_boolean(kind) else "O"
    if types.is_dictionary(kind):
        return pyarrow.array(values, kind.value_type).cast(kind)
    return pyarrow.array(_of_kind(values, letter), type=kind)


def _numpy_made(column: Any, name: Any, values: list[Any]) -> Any:
    dtype = np.dtype(object) if column is None else column.dtype
    if dtype.kind in "mM":
        return np.array([None if v is None else v for v in values], dtype=dtype)
    if dtype.kind == "O" or any(v is None for v in values):
        return as_objects(values)
    if dtype.kind in NUMERIC_KINDS and not all(map(is_number, values)):
        raise TypeError("numbers only")
    made = np.array(_of_kind(values, dtype.kind))
    return made if dtype.kind in "US" else made.astype(dtype)  # longer text widens the array


MAKERS: dict[str | None, Callable[..., Any]] = {
    "pandas": _pandas_made,
    "polars": _polars_made,
    "pyarrow": _arrow_made,
    None: _numpy_made,
}


def as_objects(values: list[Any]) -> np.ndarray:
    """An array of objects `(n,)`, in which lists and arrays stay whole."""
    out = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        out[i] = value
    return out


def _of_kind(values: list[Any], kind: str) -> list[Any]:
    """Numbers as a column of whole numbers, or of truth values, takes them: the nearest ones."""
    if kind in "iu":
        return [round(v) if is_number(v) else v for v in values]
    if kind == "b":
        if any(not is_number(v) and v is not None for v in values):
            raise TypeError("truth values only")
        return [None if v is None else bool(round(v)) for v in values]
    return values


def _decimal(value: Any, places: int) -> Any:
    return value if value is None else Decimal(value).quantize(Decimal(1).scaleb(-places))


# -- old and new values as one column ----------------------------------------------------------------------------------


def _joined(old: Any, new: Any, library: str | None) -> Any:
    match library:
        case "pandas":
            import pandas as pd

            return pd.concat([pd.Series(old), new], ignore_index=True)
        case "polars":
            import polars as pl

            return pl.concat([old, new])
        case "pyarrow":
            import pyarrow

            return pyarrow.chunked_array([*(old.chunks if hasattr(old, "chunks") else [old]), new])
    return np.ma.concatenate([old, new]) if isinstance(old, np.ma.MaskedArray) else np.concatenate([old, new])


def _gathered(column: Any, library: str | None, place: np.ndarray) -> Any:
    match library:
        case "pandas":
            return column.take(place)
        case "polars":
            return column.gather(place)
        case "pyarrow":
            import pyarrow

            return column.take(pyarrow.array(place))
    return column[place]


def _ofas_objects(column: Any, library: str | None, place: np.ndarray, values: list[Any]) -> Any:
    """The same for values that are any objects."""
    if library == "pyarrow":
        raise DataError('columns of pyarrow hold no laws; use how="distribution" with a frame of pandas or polars, or with rows')
    every = [*(column.astype(object) if library == "pandas" else column), *values]
    chosen = [every[i] for i in place.tolist()]
    if library == "polars":
        import polars as pl

        return pl.Series(column.name, chosen, dtype=pl.Object)
    if library == "pandas":
        import pandas as pd

        return pd.Series(as_objects(chosen), dtype=object)
    return as_objects(chosen)


# -- frames ------------------------------------------------------------------------------------------------------------


def with_columns(frame: Any, columns: dict[int, Any]) -> Any:
    """A frame with columns at some places exchanged; names, order and index are kept."""
    match library_of(frame):
        case "pandas":
            out = frame.copy()
            for j, column in columns.items():
                out.isetitem(j, column.set_axis(frame.index))
            return out
        case "polars":
            return frame.with_columns([column.alias(frame.columns[j]) for j, column in columns.items()])
        case "pyarrow":
            arrays, schema = list(frame.columns), frame.schema
            for j, column in columns.items():
                arrays[j], schema = _whole(column), schema.set(j, schema.field(j).with_type(column.type))
            return type(frame).from_arrays(arrays, schema=schema)
    raise DataError(f"columns can be put into frames of pandas, polars and pyarrow, got {type(frame).__name__}")


def frame_of(like: Any, names: list[Any], columns: list[Any]) -> Any:
    """A frame of the library of another, of these columns."""
    match library_of(like):
        case "pandas":
            import pandas as pd

            return pd.DataFrame(dict(zip(names, columns, strict=True)))
        case "polars":
            import polars as pl

            return pl.DataFrame([column.alias(name) for name, column in zip(names, columns, strict=True)])
        case "pyarrow":
            return type(like).from_arrays(list(map(_whole, columns)), names=names)
    raise DataError(f"frames can be made as those of pandas, polars and pyarrow, got {type(like).__name__}")


def as_given(data: Any, column: Any) -> Any:
    """A column in the place of a single one that was given: with its name and index, or as the array that it was."""
    match library_of(data):
        case "pandas":
            return column.set_axis(data.index).rename(data.name) if hasattr(data, "iloc") else column.array
        case "polars":
            return column.alias(data.name)
        case "pyarrow":
            return column if hasattr(data, "chunks") else _whole(column)
    return column


def _whole(column: Any) -> Any:
    return column.combine_chunks() if hasattr(column, "chunks") else column
