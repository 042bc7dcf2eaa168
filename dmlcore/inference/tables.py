"""Tables: lists of rows, arrays, and data frames of pandas, polars or pyarrow, as named columns and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, shorten
from dmlcore.core.partial import UNKNOWN
from dmlcore.core.row_columns import RowColumn, row_columns
from dmlcore.data.frames import Columns, is_frame, library_of, plain_column
from dmlcore.data.layouts import Layout, Vector
from dmlcore.data.record_layouts import Fields
from dmlcore.data.values import first, is_row, listed
from dmlcore.inference.written_columns import as_given, as_objects, with_cells, with_columns


class ModelColumns:
    """The columns of a table that a model reads, one per field (or coordinate), with their names; `rebuilt` puts others in their place.

    Of frames, columns are those named, or all of them in order where names are not given. Raises `DataError` if they do not fit.
    """

    def __init__(self, data: Any, layout: Layout, names: Sequence[str] | None = None):
        data = listed(data)
        self.data, self.layout = data, layout
        names = getattr(layout, "names", None) if names is None else names
        self.single = not isinstance(layout, (Fields, Vector))
        self.read = row_columns(layout)
        self.count = len(self.read)
        self._frame = Columns(data) if is_frame(data) else None
        if self._frame is not None:
            self.names = self._chosen(self._frame.names, list(names) if names is not None else None)
            self.places = list(map(self._frame.place, self.names))
            self.columns = list(map(self._frame.plain, self.places))
        else:
            self.names = list(names) if names is not None else [f"field {j}" for j in range(self.count)]
            if isinstance(data, (str, bytes, dict)) or not hasattr(data, "__len__"):
                raise DataError(f"data must be a list, an array or a data frame with one entry per row, got {shorten(data)}")
            self.columns = self._split(plain_column(data))
        if len(self.names) != self.count:
            raise DataError(f"columns must be {self.count} names, one for each field of the model, got {self.names}")

    def __len__(self) -> int:
        return len(self.data)

    def _chosen(self, there: list[Any], names: list[Any] | None) -> list[Any]:
        if names is None:
            if len(there) > self.count:
                extra = ", ".join(map(repr, there[self.count :]))
                raise DataError(
                    f"the frame has {len(there)} columns, the model reads {self.count}; extra: {extra} (or say which: columns=[..])"
                )
            if len(there) < self.count:
                raise DataError(f"the frame has the columns {there}, the model reads {self.count} fields; columns are missing")
            return there
        return names

    def _split(self, data: Any) -> list[Any]:
        if self.single:
            return [data]
        k = self.entries
        if isinstance(data, np.ndarray) and data.ndim == 2 and data.shape[1] == self.count == k:
            return list(data.T) if data.dtype != object else [column.tolist() for column in data.T]
        if isinstance(self.layout, Fields) and self.layout.names is not None and any(isinstance(row, Mapping) for row in data):
            data = [self.layout.entries(row) if isinstance(row, Mapping) else row for row in data]
        index = first(data, lambda v: not is_row(v, k) and not _is_gap(v))
        if index is not None:
            raise DataError(f"row {index} is {shorten(data[index])}; need {k} entries, one for each field of the model")
        rows = [row if is_row(row, k) else (row,) * k for row in data]
        return [[column.value(row) for row in rows] for column in self.read]

    @property
    def entries(self) -> int:
        """How many entries a row has that is no row of a frame."""
        return len({column.path[0] for column in self.read})

    def held(self, j: int) -> Any:
        """The j-th column that the model reads as the frame's library holds it, or the values of a list."""
        return self.columns[j] if self._frame is None else self._frame.held(self.places[j])

    def rebuilt(self, cells: dict[int, tuple[np.ndarray, Any]], whole: bool = True) -> Any:
        """The table with cells exchanged: of each column the rows and their values. Nothing else is touched, and dtypes are kept.

        whole: the values are of the kind the column holds. Raises `DataError` for a value that a column cannot hold.
        """
        if not cells:
            return self.data
        if self._frame is not None:
            new = {j: with_cells(self.held(j), self.names[j], rows, values, not whole) for j, (rows, values) in cells.items()}
            return with_columns(self.data, {self.places[j]: column for j, column in new.items()})
        if self.single:
            return self._single(*cells[0], whole)
        if not isinstance(self.data, np.ndarray):
            return self._rows(cells)
        return self._array(cells, whole) if self.data.ndim > 1 else as_objects(self._rows(cells))

    def _single(self, rows: np.ndarray, values: Any, whole: bool) -> Any:
        if library_of(self.data) is not None or (isinstance(self.data, np.ndarray) and self.data.ndim == 1):
            return as_given(self.data, with_cells(self.data, self.names[0], rows, values, not whole))
        out = list(self.data)
        for i, value in zip(rows.tolist(), _plain(values), strict=True):
            out[i] = value
        return out

    def _array(self, cells: dict[int, tuple[np.ndarray, Any]], whole: bool) -> Any:
        columns = [self.data[:, j] for j in range(self.count)]
        for j, (rows, values) in cells.items():
            columns[j] = with_cells(columns[j], self.names[j], rows, values, not whole)
        stack = np.ma.stack if isinstance(self.data, np.ma.MaskedArray) else np.stack
        return stack(columns, axis=1)

    def _rows(self, cells: dict[int, tuple[np.ndarray, Any]]) -> Any:
        out = list(self.data)
        k = self.entries
        some = next((row for row in out if is_row(row, k)), ())
        new: dict[int, list[Any]] = {}
        for j, (rows, values) in cells.items():
            for i, value in zip(rows.tolist(), _plain(values), strict=True):
                if isinstance(out[i], Mapping):
                    out[i] = {**out[i], self.names[j]: value}
                    continue
                row = new.setdefault(i, list(out[i]) if is_row(out[i], k) else [None] * k)
                write_into(row, self.read[j], value)
        for i, row in new.items():
            out[i] = row_like(out[i] if is_row(out[i], k) else some, row)
        return out


def table_with(data: Any, columns: Columns, cells: dict[int, tuple[np.ndarray, Any]]) -> Any:
    """A table of which columns are read, with cells of some of them exchanged: by place, the rows and their values."""
    if is_frame(data):
        return with_columns(data, {j: with_cells(columns.held(j), columns.names[j], *new) for j, new in cells.items()})
    if isinstance(data, np.ndarray):
        out = data.copy()
        for j, (rows, values) in cells.items():
            out[rows, j] = values
        return out
    rows_of: dict[int, dict[int, Any]] = {}
    for j, (rows, values) in cells.items():
        for i, value in zip(rows.tolist(), _plain(values), strict=True):
            rows_of.setdefault(i, {})[j] = value
    return [_exchanged(row, rows_of[i], columns.names) if i in rows_of else row for i, row in enumerate(data)]


def _exchanged(row: Any, new: dict[int, Any], names: Sequence[Any]) -> Any:
    if isinstance(row, Mapping):
        return {**row, **{names[j]: value for j, value in new.items()}}
    return row_like(row, [new.get(j, value) for j, value in enumerate(row)])


def write_into(row: list[Any], column: RowColumn, value: Any) -> None:
    """Writes a value of a column into a row; a vector that is not there becomes one of gaps."""
    if len(column.path) == 1:
        row[column.path[0]] = value
        return
    j, i = column.path
    old = row[j]
    vector = list(old) if is_row(old, column.width) else [math.nan] * column.width
    vector[i] = value
    row[j] = row_like(old, vector) if is_row(old, column.width) else vector


def row_like(row: Any, values: list[Any]) -> Any:
    """Values as a row of the same kind: a tuple, which may have names, a list or an array."""
    if isinstance(row, np.ndarray):
        return np.array(values, dtype=object if row.dtype == object else None)  # objects keep what each of them was
    return row._make(values) if hasattr(row, "_make") else type(row)(values)


def _plain(values: Any) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _is_gap(value: Any) -> bool:
    return value is None or value is UNKNOWN
