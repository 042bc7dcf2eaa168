"""Tables in: arrays and data frames (pandas, polars, pyarrow) as columns of numbers with names, each cell checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import BadValue, DataError, EmptyError, shorten
from dmlcore.base.labels import distinct
from dmlcore.data.frames import Columns, index_of, is_frame, levels_of, library_of, plain_column
from dmlcore.data.layouts import Labels
from dmlcore.data.values import first, floats, is_missing, is_number, listed, plain_list, unit_hint

CODING = " (code text and categories as columns of numbers, one for each level but one, or give a formula)"


def is_name(given: Any) -> bool:
    """Whether columns are given by name: a string, or a list of strings."""
    return isinstance(given, str) or (isinstance(given, (list, tuple)) and len(given) > 0 and all(isinstance(v, str) for v in given))


def names_in(given: Any) -> tuple[str, ...]:
    """The names in a string or a list of strings."""
    return (given,) if isinstance(given, str) else tuple(given)


def raw(values: Any) -> Any:
    """A column as an array of numbers, or as a list of plain values."""
    values = plain_column(listed(values))
    try:
        array = np.asarray(values)
    except ValueError:
        raise DataError("a column must have one entry per row, got entries of several lengths") from None
    if array.dtype.kind in "US" and isinstance(values, (list, tuple)):  # NumPy has made text of the numbers too
        array = np.array(values, dtype=object)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"a column must have one entry per row, got an array of shape {array.shape}")
    return array if array.dtype.kind in "fiub" else plain_list(array)


def finite_column(values: Any, name: str, gaps: bool = False) -> np.ndarray:
    """A column of finite numbers `(n,)`; with gaps some may be missing, which are NaN. Raises `DataError` naming column and row."""
    if (levels := levels_of(values)) is not None:
        raise DataError(f"column {name!r} holds categories, {shorten(levels)}; need numbers{CODING}")
    column = with_nan(raw(values)) if gaps else raw(values)
    x = floats(column)
    if x is None:
        row = first(column, lambda v: not is_number(v))
        hint = CODING if isinstance(column[row], str) else unit_hint(column[row])
        raise DataError(f"column {name!r}: row {row} is {shorten(column[row])}; need a finite number{hint}")
    check_cells(x, np.isfinite(x) | (gaps & np.isnan(x)), name, "a finite number")
    return x


def with_nan(column: Any) -> Any:
    """A column as `raw` gives it, with NaN for what is missing."""
    return column if isinstance(column, np.ndarray) else [np.nan if is_missing(v) else v for v in column]


def check_cells(x: np.ndarray, right: np.ndarray, name: str, need: str, of: str = "") -> None:
    """Raises `DataError` naming column and row of the first cell of `x` `(n,)` that is not `right` `(n,)`; of: said of its value."""
    if not right.all():
        row = int(np.argmin(right))
        raise DataError(f"column {name!r}: row {row} is {shorten(x[row].item())}{of}; need {need}")


def check_rows(found: int, role: str, n: int) -> None:
    """Raises `DataError` where what is given has not one entry for each of n rows of X."""
    if found != n:
        raise DataError(f"{role} has {found} entries, X has {n} rows; need one for each row")


def weights_of(values: Any, name: str) -> np.ndarray:
    """A column of weights `(n,)`. Raises `DataError` for other than finite numbers >= 0, `EmptyError` where all are zero."""
    w = finite_column(values, name)
    check_cells(w, w >= 0, name, "a finite number >= 0")
    if len(w) and not w.any():
        raise EmptyError(f"column {name!r}: all weights are zero; need some weight")
    return w


def label_codes(values: Any, name: str) -> np.ndarray:
    """A column of labels as numbers 0, 1, ... in the order of the labels, `(n,)`. Raises `DataError` for missing ones."""
    column = raw(values)
    if isinstance(column, np.ndarray):
        check_cells(column, ~np.isnan(column), name, "the label of a group")
    elif (row := first(column, is_missing)) is not None:
        raise DataError(f"column {name!r}: row {row} is {shorten(column[row])}; need the label of a group")
    try:
        return Labels(name).number(column)[0].astype(np.int64)
    except BadValue as error:
        raise DataError(f"column {name!r}: row {error.index} is {shorten(error.value)}; need {error.need}") from None


class NamedColumns:
    """Columns by name. Those of an array are called `x0`, `x1`, ... (with another `prefix`: by that). what: they are, for messages."""

    def __init__(self, data: Any, prefix: str = "x", what: str = "covariates"):
        data = listed(data)
        self.framed, self.index = is_frame(data), index_of(data)
        if self.framed:
            table = Columns(data)
            self.names = tuple(distinct(list(map(str, table.names))))
            self.columns = {name: table.held(j) for j, name in enumerate(self.names)}
            self.n = len(data)
            return
        given, data = data, plain_column(data)
        try:
            array = np.asarray(data)
            if array.dtype.kind in "US":  # NumPy has made text of the numbers too
                array = np.array(data, dtype=object)
        except ValueError:
            lengths = [np.size(row) for row in data]
            row = next(i for i, length in enumerate(lengths) if length != lengths[0])
            raise DataError(f"{what}: row {row} has {lengths[row]} entries; need {lengths[0]}, as row 0 has") from None
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2:
            got = f"an array of shape {array.shape}" if array.ndim else type(data).__name__
            raise DataError(f"{what} must be a matrix with one row per observation, got {got}")
        self.n = len(array)
        self.names = (
            (getattr(given, "name", None) or prefix,) if np.ndim(data) == 1 else tuple(f"{prefix}{j}" for j in range(array.shape[1]))
        )
        self.columns = dict(zip(self.names, array.T if library_of(given) is None else [given], strict=True))

    def take(self, name: str) -> Any:
        """A column as it is. Raises `DataError` where there is none of this name."""
        if not self.framed:
            raise DataError(f"column {name!r} is given by name, so X must be a data frame")
        if name not in self.columns:
            raise DataError(f"there is no column {name!r}; there are {shorten(list(self.names))}")
        return self.columns[name]

    def pick(self, names: tuple[str, ...] | None = None) -> list[tuple[str, Any]]:
        """Names and columns of those named, or of all; of an array by their places. Raises `DataError` where they are not there."""
        if names is not None and self.framed:
            return [(name, self.take(name)) for name in names]
        if names is not None and len(names) != len(self.names):
            raise DataError(f"there are {len(self.names)} columns; need {len(names)}: {shorten(list(names))}")
        return list(zip(names or self.names, self.columns.values(), strict=True))

    def matrix(self, names: tuple[str, ...] | None = None) -> np.ndarray:
        """Columns `(n, p)`: those named, or all. Raises `DataError` naming column and row, or a column that is not there."""
        chosen = self.pick(names)
        out = np.empty((self.n, len(chosen)), order="F")
        for j, (name, column) in enumerate(chosen):
            out[:, j] = finite_column(column, name)
        return out
