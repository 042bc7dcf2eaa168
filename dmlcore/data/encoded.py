"""Encoded data: observations as columns, once, with the blocks they are processed in."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.collector import collector_held
from dmlcore.base.errors import BadValue, DataError, EmptyError, StructureError, shorten
from dmlcore.base.labels import plain
from dmlcore.data.columns import Column, blocks
from dmlcore.data.files import READERS
from dmlcore.data.frames import Columns, is_frame, library_of, plain_column, some_rows
from dmlcore.data.layouts import Layout, Maybe, Vector
from dmlcore.data.plain_columns import PlainColumn
from dmlcore.data.record_layouts import Fields
from dmlcore.data.values import listed

MANY_ROWS = 1000  # rows from which holding the garbage collector pays
BLOCK_ROWS = 1 << 15  # rows, or elements, whose block x components arrays stay in the nearer caches


class Encoded:
    """Observations as columns of one layout. `len(encoded)` is the number of rows; `nbytes` what the columns hold.

    It is also the one chunk of a list of chunks, as DMLearn has them: `encoded[0]` is `(rows, encoded)`, and it may be gone through.
    """

    def __init__(self, column: Column, layout: Layout):
        self.column, self.layout = column, layout

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, chunk: int) -> tuple[int, Encoded]:
        if chunk not in (0, -1):
            raise IndexError(f"encoded data are one chunk, [0], whatever num_chunks or chunk_size was; there is no chunk {chunk!r}")
        return len(self), self

    def __repr__(self) -> str:
        return f"Encoded({len(self)} rows of {type(self.layout).__name__.lower()})"

    @property
    def nbytes(self) -> int:
        """Bytes that the columns take."""
        return self.column.nbytes

    @cached_property
    def blocks(self) -> list[tuple[int, int, Column]]:
        """`(start, stop, column)` of each block, cut by the data alone."""
        if len(self) <= 1:
            return [(0, len(self), self.column)]
        return [(a, b, self.column.slice(a, b)) for a, b in blocks(self.column, BLOCK_ROWS)]


def encode(data: Any, layout: Layout, first: int = 0) -> Encoded:
    """Observations (a list, an array, a data frame, an iterator) as columns; encoded data of the same layout pass through.

    The layout of a frame's rows has the names of its columns, where that of the model has none. first: the number of the first row, for
    messages.
    Raises `DataError` naming the field path, the row, the value and what is needed.
    """
    if isinstance(data, Encoded):
        if data.layout.joined(layout) != data.layout:
            raise StructureError(f"the data were encoded for {data.layout}, the model reads {layout}; encode them again")
        return data
    data = listed(data, coded=True)
    values = observations(data, layout)
    if isinstance(values, Columns) and isinstance(layout, Fields):
        layout = layout.named(values.names)
    reader = layout.without_none() if is_table(data) else layout
    try:
        if len(values) <= MANY_ROWS:
            return Encoded(reader.encode(values), layout)
        with collector_held():
            return Encoded(reader.encode(values), layout)
    except BadValue as error:
        raise DataError(message(error, first)) from None


def is_table(data: Any) -> bool:
    """Whether data are a frame, a series or an array, in which None can only stand for a missing cell."""
    return isinstance(data, np.ndarray) or is_frame(data) or library_of(data) is not None or hasattr(data, "to_numpy")


def observations(data: Any, layout: Layout) -> Any:
    """Rows in the form that a layout encodes: a list, an array, or the columns of a frame.

    A frame of one column is read as that column where the model reads single values. Raises `DataError` for what are no rows.
    """
    if isinstance(data, (str, bytes, dict)) or not hasattr(data, "__len__"):
        hint = "; collect() it first" if hasattr(data, "collect") else ""
        hint = f"; files end in {', '.join(READERS)}" if isinstance(data, str) else hint
        raise DataError(f"data must be a list, an array or a data frame with one entry per row, got {shorten(data)}{hint}")
    if is_frame(data):
        table = Columns(data)
        if isinstance(layout, Fields):
            return table
        if isinstance(layout, Vector):
            return table.vectors()
        return table.plain(0) if len(table.names) == 1 and not has_parts(layout) else table.rows()
    values = plain_column(data)
    if isinstance(values, np.ndarray) and values.ndim == 0:
        raise DataError(f"data must have one entry per row, got the single value {shorten(values.item())}")
    return values if isinstance(values, (list, tuple, np.ndarray, PlainColumn)) else list(values)


def has_parts(layout: Layout) -> bool:
    """Whether an observation is a tuple or a vector, so that a table has a column for each of its parts."""
    return has_parts(layout.value) if isinstance(layout, Maybe) else isinstance(layout, (Fields, Vector))


def plain_observations(data: Any, layout: Layout, start: int, stop: int) -> list[Any]:
    """The observations from `start` to before `stop` as plain values, of a list, an array, a column, a frame or encoded data. No other
    rows are read."""
    if isinstance(data, Encoded):
        return data.column.slice(start, stop).listed()
    values = observations(some_rows(data, start, stop), layout)
    return list(map(plain, values.rows() if isinstance(values, Columns) else values))


def observation(data: Any, layout: Layout, row: int) -> Any:
    """One of them."""
    return plain_observations(data, layout, row, row + 1)[0]


def message(error: BadValue, first: int = 0) -> str:
    """`field 1 (optional).geometric: row 17 is 2.5; need whole numbers`."""
    path = error.path.lstrip(". ") or "data"
    return f"{path}: row {error.index + first}{error.within} is {shorten(error.value)}; need {error.need}"


def row_weights(weights: Any, n: int) -> np.ndarray | None:
    """Checked row weights `(n,)`, or None for all ones."""
    if n == 0:
        raise EmptyError("there are no rows; a fit needs at least one")
    if weights is None:
        return None
    w = checked_weights(weights, n)
    if not w.sum() > 0:
        raise EmptyError("all row weights are zero; a fit needs some weight")
    return w


def checked_weights(weights: Any, n: int, first: int = 0) -> np.ndarray:
    """Weights of rows `(n,)`, of a part too in which none has any. first: the number of the first row, for messages."""
    try:
        w = np.array(plain_column(weights), dtype=np.float64)  # NaN where one is missing
    except (TypeError, ValueError):
        raise DataError(f"weights must be {n} numbers >= 0, one per row, got {shorten(weights)}") from None
    if w.shape != (n,):
        raise DataError(f"weights must be {n} numbers, one per row, got an array of shape {w.shape}")
    wrong = ~((w >= 0) & (w < np.inf))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"weights: row {row + first} is {w[row]}; need finite numbers >= 0")
    return w
