"""Columns that follow from others: computed from the completed table, not drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError
from dmlcore.data.frames import Columns

Follows = Mapping[Any, Callable[[Any], Any]]


class Completed:
    """The columns of a table by name, as arrays."""

    def __init__(self, columns: Columns):
        self._columns = columns

    def __getitem__(self, name: Any) -> np.ndarray:
        return np.asarray(self._columns.plain(self._columns.place(name)))


def computed(function: Callable[[Any], Any], name: Any, columns: Columns, rows: np.ndarray) -> np.ndarray:
    """What a column is in some rows. Raises `DataError` where the function gives no number for each row."""
    found = np.asarray(function(Completed(columns)))
    if found.shape != (len(columns),):
        raise DataError(f"follows: {name!r} must be one value for each of {len(columns)} rows, got an array of shape {found.shape}")
    return found[rows]
