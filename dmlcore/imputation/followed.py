"""Columns that follow from others: computed from the completed table, not drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, ParameterError
from dmlcore.data.frames import Columns
from dmlcore.inference.tables import table_with

Follows = Mapping[Any, Callable[[Any], Any]]


class Completed:
    """A completed table, of which the columns that follow from others are computed when they are asked for.

    follows: their functions. gaps: the rows in which each lacks a value. found: what stands there now. Raises `ParameterError` where
    columns follow from each other, and `DataError` where a function gives no value for each row.
    """

    def __init__(self, table: Any, follows: Follows, gaps: Mapping[Any, np.ndarray]):
        self.table, self.found = table, dict[Any, np.ndarray]()
        self._follows, self._gaps, self._asked = follows, gaps, list[Any]()
        for name in follows:
            self[name]

    def __getitem__(self, name: Any) -> np.ndarray:
        place = Columns(self.table).place(name)
        if name in self._follows and name in self._gaps and name not in self.found:
            self._compute(name, place)
        return np.asarray(Columns(self.table).plain(place))

    def _compute(self, name: Any, place: int) -> None:
        if name in self._asked:
            circle = " follows from ".join(map(repr, [*self._asked[self._asked.index(name) :], name]))
            raise ParameterError(f"follows: {circle}, so their gaps cannot be computed; leave one of them out")
        self._asked.append(name)
        values = np.asarray(self._follows[name](self))
        columns = Columns(self.table)
        if values.shape != (len(columns),):
            raise DataError(f"follows: {name!r} must be one value for each of {len(columns)} rows, got an array of shape {values.shape}")
        self._asked.pop()
        self.found[name] = values[self._gaps[name]]
        self.table = table_with(self.table, columns, {place: (self._gaps[name], self.found[name])})
