"""Tables in: arrays and data frames (pandas, polars) as columns of numbers with names, each cell checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.core.errors import BadValue, DataError, shorten
from dmlcore.data.layouts import Labels
from dmlcore.data.values import first, floats, is_missing, is_number, plain_list


def is_name(given: Any) -> bool:
    """Whether columns are given by name: a string, or a list of strings."""
    return isinstance(given, str) or (isinstance(given, (list, tuple)) and len(given) > 0 and all(isinstance(v, str) for v in given))


def names_in(given: Any) -> tuple[str, ...]:
    """The names in a string or a list of strings."""
    return (given,) if isinstance(given, str) else tuple(given)


def raw(values: Any) -> Any:
    """A column as an array of numbers, or as a list of plain values."""
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"a column must have one entry per row, got an array of shape {array.shape}")
    return array if array.dtype.kind in "fiub" else plain_list(array)


def numbers(values: Any, name: str) -> np.ndarray:
    """A column of finite numbers `(n,)`. Raises `DataError` naming column and row."""
    column = raw(values)
    x = floats(column)
    if x is None:
        row = first(column, lambda v: not is_number(v))
        hint = "" if row is None or is_missing(column[row]) else " (code text as columns of numbers, one for each level but one)"
        raise DataError(f"column {name!r}: row {row} is {shorten(column[row])}; need a finite number{hint}")
    if not np.isfinite(x).all():
        row = int(np.argmin(np.isfinite(x)))
        raise DataError(f"column {name!r}: row {row} is {x[row]}; need a finite number")
    return x


def codes_of(values: Any, name: str) -> np.ndarray:
    """A column of labels as numbers 0, 1, ... in the order of the labels, `(n,)`. Raises `DataError` for missing ones."""
    column = raw(values)
    if isinstance(column, list) and (row := first(column, is_missing)) is not None:
        raise DataError(f"column {name!r}: row {row} is {shorten(column[row])}; need the label of a group")
    try:
        return Labels(name).number(column)[0].astype(np.int64)
    except BadValue as error:
        raise DataError(f"column {name!r}: row {error.index} is {shorten(error.value)}; need {error.need}") from None


class Table:
    """Columns by name. Those of an array are called `x0`, `x1`, ... (with another `prefix`: by that)."""

    def __init__(self, data: Any, prefix: str = "x"):
        self.framed = hasattr(data, "columns")
        if self.framed:
            self.names = tuple(str(name) for name in data.columns)
            if len(set(self.names)) < len(self.names):
                twice = next(name for name in self.names if self.names.count(name) > 1)
                raise DataError(f"column {twice!r} is there {self.names.count(twice)} times; need distinct names")
            self.columns = {str(name): data[name] for name in data.columns}
            self.n = len(data)
            return
        try:
            array = np.asarray(data.to_numpy() if hasattr(data, "to_numpy") else data)
            if array.dtype.kind in "US":  # NumPy has made text of the numbers too
                array = np.array(data, dtype=object)
        except ValueError:
            lengths = [np.size(row) for row in data]
            row = next(i for i, length in enumerate(lengths) if length != lengths[0])
            raise DataError(f"row {row} has {lengths[row]} entries; need {lengths[0]}, as row 0 has") from None
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2:
            raise DataError(f"covariates must be a matrix with one row per observation, got an array of shape {array.shape}")
        self.n = len(array)
        self.names = (
            (getattr(data, "name", None) or prefix,) if np.ndim(data) == 1 else tuple(f"{prefix}{j}" for j in range(array.shape[1]))
        )
        self.columns = dict(zip(self.names, array.T, strict=True))

    def take(self, name: str) -> Any:
        """A column as it is. Raises `DataError` where there is none of this name."""
        if not self.framed:
            raise DataError(f"column {name!r} is given by name, so X must be a data frame")
        if name not in self.columns:
            raise DataError(f"there is no column {name!r}; there are {shorten(list(self.names))}")
        return self.columns[name]

    def matrix(self, names: tuple[str, ...] | None = None) -> np.ndarray:
        """Columns `(n, p)`: those named, or all. Raises `DataError` naming column and row, or a column that is not there."""
        if names is None or not self.framed:
            if names is not None and len(names) != len(self.names):
                raise DataError(f"there are {len(self.names)} columns; need {len(names)}: {shorten(list(names))}")
            chosen = [(shown, self.columns[own]) for shown, own in zip(names or self.names, self.names, strict=True)]
        else:
            chosen = [(name, self.take(name)) for name in names]
        out = np.empty((self.n, len(chosen)), order="F")
        for j, (name, column) in enumerate(chosen):
            out[:, j] = numbers(column, name)
        return out
