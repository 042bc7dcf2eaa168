"""What the rows of a table say of a model that reads its columns: all of them, or all but one."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import BadValue, DataError
from dmlcore.core.partial import UNKNOWN, Known, ObservedRows, given
from dmlcore.core.row_columns import nested
from dmlcore.data.encoded import encode, message
from dmlcore.data.layouts import Maybe
from dmlcore.data.plain_columns import PlainColumn
from dmlcore.data.record_layouts import Explained
from dmlcore.inference.cells import gaps
from dmlcore.inference.tables import ModelColumns

BLOCK = 20_000  # rows scored at once


class TableEvidence:
    """A model and the columns that it reads. A gap says nothing where the model has no law of gaps."""

    def __init__(self, model: Any, table: ModelColumns):
        self.model, self.table = model, table
        self.names = [str(name) for name in table.names]
        self.columns = table.columns
        self.n = len(table)

    @cached_property
    def layouts(self) -> list[Any]:
        """What each column holds."""
        return [column.layout for column in self.table.read]

    def held(self, j: int) -> Any:
        """What a column holds where it is not missing."""
        layout = self.layouts[j]
        return layout.value if isinstance(layout, Maybe) else layout

    @cached_property
    def missing(self) -> list[np.ndarray]:
        """Of each column, which rows lack it."""
        return [np.logical_or(*gaps(column)) for column in self.columns]

    def values(self, j: int, rows: np.ndarray) -> Any:
        """Values of a column in some rows."""
        column = self.columns[j]
        return column[rows] if isinstance(column, (np.ndarray, PlainColumn)) else [column[i] for i in rows.tolist()]

    def known(self, j: int, rows: np.ndarray) -> Any:
        """A column of some rows, as `given` reads it. A gap says nothing where the model has no law of gaps."""
        gone = self.missing[j][rows]
        if isinstance(self.layouts[j], Maybe) or not gone.any():
            return Known(self.values(j, rows), layout=self.layouts[j])
        there = np.flatnonzero(~gone)
        return ObservedRows(there, encode(self.values(j, rows[there]), self.layouts[j])) if len(there) else UNKNOWN

    def evidence(self, rows: np.ndarray, without: Collection[int] = (), law: Any = None) -> np.ndarray:
        """Log density of what is known of some rows, of all columns or all but some, under the model or one of its components."""
        node, out = self.model if law is None else law, np.empty(len(rows))
        for mine in self._alike(rows):
            parts = [UNKNOWN if j in without else self.known(j, rows[mine]) for j in range(len(self.names))]
            out[mine] = given(node, self._together(parts), len(mine))[0]
        return out

    def _together(self, parts: list[Any]) -> Any:
        """What is known of the columns, as `given` reads it: of a response and what it is given, the whole where nothing is left open."""
        if isinstance(self.model.layout, Explained) and all(isinstance(part, Known) for part in parts):
            return Known(list(zip(*(part.values for part in parts), strict=True)))
        return nested(self.table.read, parts)

    def check(self) -> None:
        """Raises `DataError` at the first value that a column does not read, naming the column."""
        for j, name in enumerate(self.names):
            there = np.flatnonzero(~self.missing[j])
            try:
                self.held(j).encode(self.values(j, there))
            except BadValue as error:
                error.index, error.path = int(there[error.index]), f".{name}"
                raise DataError(message(error)) from None

    def _alike(self, rows: np.ndarray) -> list[np.ndarray]:
        """Positions of rows that know the same coordinates of vectors, which tell of each other."""
        tied = [j for j, column in enumerate(self.table.read) if column.width]
        if not tied or not len(rows):
            return [np.arange(len(rows))]
        _, pattern = np.unique(np.array([self.missing[j][rows] for j in tied]), axis=1, return_inverse=True)
        return [np.flatnonzero(pattern.ravel() == i) for i in range(pattern.max() + 1)]

    @cached_property
    def log_density(self) -> np.ndarray:
        """Of every row."""
        blocks = [np.arange(start, min(start + BLOCK, self.n)) for start in range(0, self.n, BLOCK)]
        return np.concatenate([np.zeros(0), *(self.evidence(rows) for rows in blocks)])
