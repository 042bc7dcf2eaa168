"""Tables: lists of rows, arrays, and data frames of pandas or polars, as named columns and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.core.errors import DataError, shorten
from dmlcore.data.layouts import Fields, Layout, Vector
from dmlcore.data.values import first, frame_columns, is_row, listed


def is_frame(data: Any) -> bool:
    return hasattr(data, "columns") and hasattr(data, "shape")


class Table:
    """The columns that a model reads, one per field (or coordinate), with their names; `rebuilt` puts others in their place.

    Of frames, columns are those named, or all of them in order where names are not given. Raises `DataError` if they do not fit.
    """

    def __init__(self, data: Any, layout: Layout, names: Sequence[str] | None = None):
        data = listed(data)
        self.data, self.layout = data, layout
        self.single = not isinstance(layout, (Fields, Vector))
        self.count = 1 if self.single else len(layout.values) if isinstance(layout, Fields) else layout.dim  # type: ignore[attr-defined]
        if is_frame(data):
            self.names = self._frame_names(list(names) if names is not None else None)
            self.columns = frame_columns(data[self.names])
        else:
            self.names = list(names) if names is not None else [f"field {j}" for j in range(self.count)]
            if isinstance(data, (str, bytes, dict)) or not hasattr(data, "__len__"):
                raise DataError(f"data must be a list, an array or a data frame with one entry per row, got {shorten(data)}")
            self.columns = self._split(data)
        if len(self.names) != self.count:
            raise DataError(f"columns must be {self.count} names, one for each field of the model, got {self.names}")

    def __len__(self) -> int:
        return len(self.data)

    def _frame_names(self, names: list[str] | None) -> list[str]:
        there = list(self.data.columns)
        if names is None:
            if len(there) > self.count:
                extra = ", ".join(map(repr, there[self.count :]))
                raise DataError(
                    f"the frame has {len(there)} columns, the model reads {self.count}; extra: {extra} (or say which: columns=[..])"
                )
            if len(there) < self.count:
                raise DataError(f"the frame has the columns {there}, the model reads {self.count} fields; columns are missing")
            return there
        missing = [name for name in names if name not in there]
        if missing:
            raise DataError(f"the frame has no column {missing[0]!r}; its columns are {there}")
        return names

    def _split(self, data: Any) -> list[Any]:
        if self.single:
            return [data]
        if isinstance(data, np.ndarray) and data.ndim == 2 and data.shape[1] == self.count:
            return list(data.T) if data.dtype != object else [column.tolist() for column in data.T]
        index = first(data, lambda v: not is_row(v, self.count) and not _is_gap(v))
        if index is not None:
            raise DataError(f"row {index} is {shorten(data[index])}; need {self.count} entries, one for each field of the model")
        rows = [row if is_row(row, self.count) else (row,) * self.count for row in data]
        return list(map(list, zip(*rows, strict=True))) if rows else [[] for _ in range(self.count)]

    def rebuilt(self, columns: dict[int, Any], whole: bool = True) -> Any:
        """The table with some columns exchanged. whole: their values are of the kind the column holds, and its dtype is kept."""
        if is_frame(self.data):
            named = {self.names[j]: column for j, column in columns.items()}
            return polars_with(self.data, named, whole) if is_polars(self.data) else pandas_with(self.data, named, whole)
        if self.single:
            return columns.get(0, self.data)
        every = [columns.get(j, column) for j, column in enumerate(self.columns)]
        if isinstance(self.data, np.ndarray):
            return np.array(every).T if all(isinstance(c, np.ndarray) for c in every) else np.array(every, dtype=object).T
        kind = type(self.data[0]) if len(self.data) and isinstance(self.data[0], (list, np.ndarray)) else tuple
        rows = list(zip(*(c.tolist() if isinstance(c, np.ndarray) else c for c in every), strict=True))
        return rows if kind is tuple else [list(row) for row in rows] if kind is list else [np.array(row) for row in rows]


def _is_gap(value: Any) -> bool:
    from dmlcore.core.partial import UNKNOWN

    return value is None or value is UNKNOWN


def is_polars(frame: Any) -> bool:
    return type(frame).__module__.startswith("polars")


def pandas_with(frame: Any, columns: dict[str, Any], whole: bool) -> Any:
    """A copy of a pandas frame with some columns' values exchanged: names, order, index kept, and dtypes where they can hold the values."""
    import pandas as pd

    out = frame.copy()
    for name, values in columns.items():
        dtype = frame[name].dtype
        values = values.tolist() if isinstance(values, np.ndarray) and values.dtype == object else values
        if whole and pd.api.types.is_integer_dtype(dtype):
            values = pd.array(np.rint(np.asarray(values, dtype=np.float64)).astype(np.int64), dtype="Int64")
        elif whole and pd.api.types.is_bool_dtype(dtype):
            values = pd.array(np.asarray(values, dtype=bool), dtype="boolean")
        if whole:
            check_categories(name, values, dtype)
        out[name] = pd.Series(values, index=frame.index, dtype=dtype if whole else object)
    return out


def check_categories(name: str, values: Any, dtype: Any) -> None:
    """Raises `DataError` for a label that a categorical column cannot hold; pandas would make it missing."""
    categories = getattr(dtype, "categories", None)
    if categories is None:
        return
    row = first(values, lambda v: v is not None and v not in categories)
    if row is not None:
        raise DataError(f"column {name!r}: row {row} would be {shorten(values[row])}, which is not among the categories of the column")


def polars_with(frame: Any, columns: dict[str, Any], whole: bool) -> Any:
    """The same for polars."""
    import polars as pl

    out = []
    for name, values in columns.items():
        dtype = frame[name].dtype
        values = values.tolist() if isinstance(values, np.ndarray) else list(values)
        if whole and dtype.is_integer():
            values = [round(v) for v in values]
        out.append(pl.Series(name, values, dtype=dtype if whole else pl.Object))
    return frame.with_columns(out)
