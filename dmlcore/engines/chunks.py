"""Chunks of encoded rows, and what every engine does with them: map a function over them, in order, and add the results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, DmlcoreError, EmptyError
from dmlcore.base.records import dataclass
from dmlcore.data.encoded import Encoded, checked_weights, encode
from dmlcore.data.frames import column_at, column_names, is_frame, with_only
from dmlcore.data.layouts import Layout
from dmlcore.data.record_layouts import Fields
from dmlcore.data.values import listed

CHUNK_ROWS = 1 << 17  # rows of a chunk, at most


@dataclass(frozen=True)
class Piece:
    """A table that is a part of the data. number: which part, from 0; where: what it is a part of, for messages (a file), and `first`: its
    first row there. weights: of its rows, where they are no column."""

    table: Any
    number: int
    where: str = ""
    first: int = 0
    weights: Any = None


@dataclass(frozen=True)
class Chunk:
    """Encoded rows that are a part of the data, with weights `(n,)` or None; `number`, `where` and `first` as of the piece they were."""

    encoded: Encoded
    weights: Any
    number: int
    where: str
    first: int

    def __len__(self) -> int:
        return len(self.encoded)

    @classmethod
    def of(cls, piece: Piece, layout: Layout, weights: Any = None) -> Chunk:
        """A table as a chunk. weights: the name of the column with the rows' weights. Raises `DataError` naming the part and the row."""
        try:
            table = listed(piece.table, coded=True)
            own = piece.weights
            if weights is not None:
                own, table = weights_apart(table, weights)
            encoded = encode(table, layout, piece.first)
            own = None if own is None else checked_weights(own, len(encoded), piece.first)
            return cls(encoded, own, piece.number, piece.where, piece.first)
        except DataError as error:
            raise type(error)(f"{piece.where}: {error}" if piece.where else str(error)) from None


def weights_apart(table: Any, name: Any) -> tuple[Any, Any]:
    """A column of weights, and the table without it."""
    if not is_frame(table):
        raise DataError(f"weights={name!r} names a column, so every part of the data must be a frame; got {type(table).__name__}")
    names = column_names(table)
    if name not in names:
        raise DataError(f"weights: there is no column {name!r}; there are {names}")
    place = names.index(name)
    return column_at(table, place), with_only(table, [j for j in range(len(names)) if j != place])


def with_columns_of(where: str, table: Any, names: list[Any] | None) -> Any:
    """A frame that is a part of the data, with its columns in the order of those of the parts before, if there are any. Raises `DataError`
    where they are others."""
    there = column_names(table)
    if names is None or there == names:
        return table
    if set(there) != set(names):
        raise DataError(f"{where}: the columns are {there}; those of the tables before are {names}")
    return with_only(table, [there.index(name) for name in names])


class Chunks(ABC):
    """Encoded chunks of one layout, wherever an engine keeps them."""

    layout: Layout

    @abstractmethod
    def map(self, work: Callable[[Chunk], Any]) -> Iterator[Any]:
        """`work(chunk)` of each chunk, in order; `work` and what it gives can be pickled."""

    def total(self, work: Callable[[Chunk], Any]) -> Any:
        """The sum of `work(chunk)` over all chunks, added in order, so that it has the same bits whoever works."""
        sums = self.map(work)
        first = next(sums, None)
        if first is None:
            raise EmptyError("there are no rows; a fit needs at least one")
        return reduce(add, sums, first)


def layout_for(layout: Layout, names: Sequence[Any], weights: Any = None) -> Layout:
    """A model's layout, with the names that columns have (without that of weights), where it is a record without names."""
    return layout.named([name for name in names if name != weights]) if isinstance(layout, Fields) else layout


@contextmanager
def naming_rows(where: str, first: int, count: int) -> Iterator[None]:
    """Errors raised inside say which rows they are about: `count` from the first on, of a file, say."""
    try:
        yield
    except DmlcoreError as error:
        rows = f"rows {first} to {first + count - 1}"
        error.args = (f"{where}, {rows}: {error}" if where else f"{rows}: {error}",)
        raise


def chunk_weights(chunk: Chunk) -> np.ndarray:
    """The weight of each row of a chunk `(n,)`."""
    return np.ones(len(chunk)) if chunk.weights is None else chunk.weights
