"""Rows that are alike as one row with their weight, in an order of their own: what a fit finds then depends neither on the order in which
rows came, nor on whether a row stands there twice or has weight two."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.marks import missing_among
from dmlcore.data.encoded import row_weights
from dmlcore.data.frames import Columns, rows_at
from dmlcore.data.plain_columns import Factor, Nullable, ZonedTimes


def weights_or_ones(sample_weight: Any, n: int) -> np.ndarray:
    """Checked weights of rows `(n,)`."""
    weights = row_weights(None if sample_weight is None else np.asarray(sample_weight), n)
    return np.ones(n) if weights is None else weights


def distinct_rows(table: Any, weights: np.ndarray, beside: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of rows `(m,)` that are all different, in the order of what they hold, and the weight of each `(m,)`; none weighs nothing.

    beside: numbers `(n,)` that count as a further column. Where cells have parts, such as lists, rows stay as they are.
    """
    there = np.flatnonzero(weights)
    table, weights = rows_at(table, there), weights[there]
    columns = Columns(table).columns
    try:
        keys = [key for column in columns for key in _sort_keys(column)]
    except TypeError:
        return there, weights
    keys += [] if beside is None else [beside[there]]
    order = np.lexsort(keys)
    first = np.zeros(len(order), dtype=bool)
    first[0] = True
    for key in keys:
        one, next_ = key[order[:-1]], key[order[1:]]
        first[1:] |= (one != next_) & ((one == one) | (next_ == next_))  # what is missing equals what is missing
    return there[order[first]], np.bincount(np.cumsum(first) - 1, weights[order])


def _sort_keys(column: Any) -> list[np.ndarray]:
    """Arrays that are equal where cells are, and sort them. Raises `TypeError` for cells that have parts."""
    if isinstance(column, Factor):
        return [np.append(_ranks(column.levels), -1)[column.codes]]
    if isinstance(column, Nullable):
        return [np.where(column.missing, 0, column.x), column.missing]
    if isinstance(column, ZonedTimes):
        return [column.x]
    if isinstance(column, np.ndarray):
        return [column] if column.ndim == 1 else list(column.reshape(len(column), -1).T)
    missing = missing_among(column)
    values = [value for value, gone in zip(column, missing.tolist(), strict=True) if not gone]
    out = np.full(len(missing), -1, dtype=np.intp)
    out[~missing] = _ranks(values)
    return [out]


def _ranks(values: list[Any]) -> np.ndarray:
    """The place of each value among the different ones, in order."""
    levels = list(set(values))
    if any(isinstance(level, (tuple, frozenset)) for level in levels):
        raise TypeError("cells with parts have no order")
    try:
        levels.sort()
    except TypeError:
        levels.sort(key=lambda level: (type(level).__name__, repr(level)))
    place = {level: i for i, level in enumerate(levels)}
    return np.array([place[value] for value in values], dtype=np.intp)
