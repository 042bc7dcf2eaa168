"""What a column holds: real numbers, whole numbers or labels; or why it is left out of a model."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dmlcore.base.errors import DataError, shorten
from dmlcore.base.marks import missing_among
from dmlcore.data.frames import Columns, is_frame, levels_of
from dmlcore.data.values import floats, is_hashable, is_row, listed, unit_hint

Kind = Literal["real", "whole", "label"]

FEW_CELLS = 20  # cells below which nothing is said about how many of them differ
COINCIDENCE = 7.0  # minus the log probability of a coincidence that is none
NEARLY_ALL, MANY = 0.9, 0.5  # shares of cells with a label of their own: of identifiers; of labels too rare to learn from
WORDS = 4  # words of a label, on average, from which on it is a text


@dataclass(frozen=True)
class Contents:
    """The cells of a column that is modelled.

    values: those that are there: an array of floats or of whole numbers, or a list of labels. missing: which are missing, of all rows
    `(n,)`. levels: the labels of a column that says which there may be, whether or not they occur.
    """

    name: Any
    kind: Kind
    values: Any
    missing: np.ndarray
    levels: tuple[Any, ...] | None = None

    def among(self, rows: np.ndarray) -> Contents:
        """The cells of some rows."""
        place = np.cumsum(~self.missing) - 1
        there = place[rows][~self.missing[rows]]
        values = self.values[there] if isinstance(self.values, np.ndarray) else [self.values[i] for i in there.tolist()]
        return Contents(self.name, self.kind, values, self.missing[rows], self.levels)


class NotModelled(Exception):
    """Why a column is left out."""


@dataclass(frozen=True)
class PlainColumns:
    """A table's columns as arrays and lists of plain values. n: the number of rows."""

    names: list[Any]
    columns: list[Any]
    n: int

    def __len__(self) -> int:
        return self.n


def columns_of(table: Any) -> tuple[PlainColumns, list[tuple[Any, ...] | None]]:
    """The columns of a frame, of an array or of a list of rows, named or not, and the levels that each declares."""
    rows = listed(table)
    if is_frame(rows):
        frame = Columns(rows)
        found = [levels_of(frame.held(j)) for j in range(len(frame.names))]
        plain = [column if isinstance(column, np.ndarray) else list(column) for column in frame.columns]
        return PlainColumns(frame.names, plain, len(frame)), [None if levels is None else tuple(levels) for levels in found]
    if isinstance(rows, np.ndarray) and rows.ndim == 2:
        each = [column if rows.dtype != object else column.tolist() for column in rows.T]
        return PlainColumns(list(range(len(each))), each, len(rows)), [None] * len(each)
    if isinstance(rows, (list, tuple)) and rows and all(isinstance(row, dict) for row in rows):
        names = list(dict.fromkeys(name for row in rows for name in row))
        return PlainColumns(names, [[row.get(name) for row in rows] for name in names], len(rows)), [None] * len(names)
    if isinstance(rows, (list, tuple)) and rows and is_row(rows[0], len(rows[0]) if hasattr(rows[0], "__len__") else 0):
        if odd := next((i for i, row in enumerate(rows) if not is_row(row, len(rows[0]))), None):
            raise DataError(f"row {odd} is {shorten(rows[odd])}; need {len(rows[0])} entries, as row 0 has")
        return PlainColumns(list(range(len(rows[0]))), list(map(list, zip(*rows, strict=True))), len(rows)), [None] * len(rows[0])
    raise DataError(f"a table is a data frame, an array of rows and columns, or a list of tuples or of dictionaries; got {shorten(table)}")


def cells_of(name: Any, column: Any, levels: tuple[Any, ...] | None = None) -> Contents:
    """What a plain column holds. Raises `NotModelled` with the reason why a column is left out."""
    if isinstance(column, np.ndarray) and column.ndim > 1:
        raise NotModelled("holds vectors; propose models columns of single values")
    missing = missing_among(column)
    if missing.all():
        raise NotModelled("every cell is missing")
    if isinstance(column, np.ndarray):
        values = column[~missing]
    else:
        values = [value for value, gone in zip(column, missing.tolist(), strict=True) if not gone]
    if levels is not None or _all_truth_values(values):
        return Contents(name, "label", _labels(list(values)), missing, levels)
    numbers = floats(values)
    if numbers is None:
        return Contents(name, "label", _labels(list(values)), missing)
    return _numbers(name, numbers, missing)


def _all_truth_values(values: Any) -> bool:
    return values.dtype.kind == "b" if isinstance(values, np.ndarray) else set(map(type, values)) <= {bool, np.bool_}


def _numbers(name: Any, values: np.ndarray, missing: np.ndarray) -> Contents:
    if not np.isfinite(values).all():
        raise NotModelled("holds infinite numbers")
    low, high = values.min(), values.max()
    if low == high:
        raise NotModelled(f"constant: every cell that is there is {values[0]:g}")
    if not (values == np.floor(values)).all() or max(-low, high) >= 2**53:
        return Contents(name, "real", values, missing)
    n = len(values)
    if n >= FEW_CELLS and len(np.unique(values)) == n and n * n / (2 * (high - low + 1)) > COINCIDENCE:
        raise NotModelled(f"identifier-like: {n} different whole numbers between {low:.0f} and {high:.0f}")
    return Contents(name, "whole", values.astype(np.int64), missing)


def _labels(values: list[Any]) -> list[Any]:
    """Labels of which a law can be learnt. Raises `NotModelled`."""
    odd = next((value for value in values if unit_hint(value)), None)
    if odd is not None:
        raise NotModelled(f"holds dates, times or durations; to model them give numbers{unit_hint(odd)}")
    odd = next((value for value in values if not is_hashable(value) or isinstance(value, (tuple, frozenset))), None)
    if odd is not None:
        raise NotModelled(f"holds values with parts, such as {shorten(odd, 30)}")
    counts = Counter(values)
    if len(counts) == 1:
        raise NotModelled(f"constant: every cell that is there is {shorten(values[0], 30)}")
    n, share = len(values), len(counts) / len(values)
    if n >= FEW_CELLS and share > MANY:
        texts = [value for value in counts if isinstance(value, str)]
        if texts and sum(len(text.split()) for text in texts) >= WORDS * len(texts):
            raise NotModelled(f"free text: {len(counts)} different texts in {n} cells")
        if share > NEARLY_ALL:
            raise NotModelled(f"identifier-like: {len(counts)} different labels in {n} cells")
        raise NotModelled(f"near-unique labels: {len(counts)} different ones in {n} cells")
    return values


def in_a_few_words(cells: Contents) -> str:
    """A column in a few words."""
    values = cells.values
    if cells.kind == "label":
        labels = set(values) if cells.levels is None else cells.levels
        return "true or false" if set(labels) <= {True, False} else f"{len(labels)} labels"
    low, high = values.min(), values.max()
    if cells.kind == "whole":
        return f"whole numbers from {low} to {high}"
    sign = "positive " if low > 0 else "" if low < 0 else "non-negative "
    return f"{sign}numbers from {_short(low)} to {_short(high)}"


def _short(value: float) -> str:
    return f"{value:.3g}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.1e}" if math.isfinite(value) else str(value)
