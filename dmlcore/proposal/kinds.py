"""What a column holds: real numbers, whole numbers, times or labels; or why it is left out of a model."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from dmlcore.base.errors import shorten
from dmlcore.base.labels import plain
from dmlcore.base.marks import missing_among
from dmlcore.base.records import dataclass
from dmlcore.data.plain_columns import PlainColumn, ZonedTimes
from dmlcore.data.times import EPOCHS, TimeScale, as_times
from dmlcore.data.values import floats, is_hashable, plain_list

Kind = Literal["real", "whole", "label", "time"]

FEW_CELLS = 20  # cells below which nothing is said about how many of them differ
COINCIDENCE = 7.0  # minus the log probability of a coincidence that is none
NEARLY_ALL, MANY = 0.9, 0.5  # shares of cells with a label of their own: of identifiers; of labels too rare to learn from
FEW_THAT_RECUR = 12  # different dates, times or reals, up to which they are labels where each is there `AGAIN` times on average
AGAIN = 10
WORDS = 4  # words of a label, on average, from which on it is a text


@dataclass(frozen=True)
class Contents:
    """The cells of a column that is modelled.

    values: those that are there: an array of floats or of whole numbers, or a list of labels. missing: which are missing, of all rows
    `(n,)`. levels: the labels of a column that says which there may be, whether or not they occur. scale: on which times are numbers.
    weights: of all rows `(n,)`; None where they count alike.
    """

    name: Any
    kind: Kind
    values: Any
    missing: np.ndarray
    levels: tuple[Any, ...] | None = None
    scale: TimeScale | None = None
    weights: np.ndarray | None = None

    @property
    def row_weights(self) -> np.ndarray:
        """How much each row counts, `(n,)`."""
        return np.ones(len(self.missing)) if self.weights is None else self.weights

    def among(self, rows: np.ndarray) -> Contents:
        """The cells of some rows."""
        place = np.cumsum(~self.missing) - 1
        there = place[rows][~self.missing[rows]]
        values = self.values[there] if isinstance(self.values, np.ndarray) else [self.values[i] for i in there.tolist()]
        return replace(self, values=values, missing=self.missing[rows], weights=None if self.weights is None else self.weights[rows])


class NotModelled(Exception):
    """Why a column is left out."""


def cells_of(name: Any, column: Any, levels: tuple[Any, ...] | None = None) -> Contents:
    """What a plain column holds. Raises `NotModelled` with the reason why a column is left out."""
    if isinstance(column, np.ndarray) and column.ndim > 1:
        raise NotModelled("holds vectors; propose models columns of single values")
    missing = column.missing if isinstance(column, PlainColumn) else missing_among(column)
    if missing.all():
        raise NotModelled("every cell is missing")
    values: Any
    if isinstance(column, (np.ndarray, ZonedTimes)):
        values = column[~missing]
    else:
        values = [value for value, gone in zip(column, missing.tolist(), strict=True) if not gone]
    if levels is not None or _all_truth_values(values):
        return Contents(name, "label", _labels(list(values)), missing, levels)
    if (times := as_times(values)) is not None:
        return _times(name, *times, values, missing)
    numbers = floats(values)
    if numbers is None:
        return Contents(name, "label", _labels(list(values)), missing)
    return _numbers(name, numbers, missing)


def _all_truth_values(values: Any) -> bool:
    return values.dtype.kind == "b" if isinstance(values, np.ndarray) else set(map(type, values)) <= {bool, np.bool_}


def _times(name: Any, x: np.ndarray, kind: str, values: Any, missing: np.ndarray) -> Contents:
    """Dates, times or durations as numbers of the longest unit that there are two of between the first and the last."""
    if x.min() == x.max():
        raise NotModelled(f"constant: every cell that is there is {plain(values[0])}")
    if _few_that_recur(x):
        return Contents(name, "label", plain_list(x) if isinstance(values, np.ndarray) else list(values), missing)
    span = x.max() - x.min()
    unit = next((unit for unit in ("D", "h", "m", "s", "ms") if span >= np.timedelta64(2, unit)), "us")
    scale = TimeScale(unit, EPOCHS[kind])
    return Contents(name, "time", scale.numbers(x), missing, scale=scale)


def _few_that_recur(x: np.ndarray) -> bool:
    different = len(np.unique(x))
    return different <= FEW_THAT_RECUR and different * AGAIN <= len(x)


def _numbers(name: Any, values: np.ndarray, missing: np.ndarray) -> Contents:
    if not np.isfinite(values).all():
        raise NotModelled("holds infinite numbers")
    low, high = values.min(), values.max()
    if low == high:
        raise NotModelled(f"constant: every cell that is there is {values[0]:g}")
    if not (values == np.floor(values)).all() or max(-low, high) >= 2**53:
        if _few_that_recur(values):
            return Contents(name, "label", values.tolist(), missing)
        return Contents(name, "real", values, missing)
    n = len(values)
    if n >= FEW_CELLS and len(np.unique(values)) == n and n * n / (2 * (high - low + 1)) > COINCIDENCE:
        raise NotModelled(f"identifier-like: {n} different whole numbers between {low:.0f} and {high:.0f}")
    return Contents(name, "whole", values.astype(np.int64), missing)


def _labels(values: list[Any]) -> list[Any]:
    """Labels of which a law can be learnt. Raises `NotModelled`."""
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
        if all(type(label) is float for label in labels):
            return f"{len(labels)} numbers from {_short(min(labels))} to {_short(max(labels))}"
        return "true or false" if set(labels) <= {True, False} else f"{len(labels)} labels"
    low, high = values.min(), values.max()
    if cells.scale is not None:
        return f"{cells.scale.kind} from {cells.scale.time(low)} to {cells.scale.time(high)}"
    if cells.kind == "whole":
        return f"whole numbers from {low} to {high}"
    sign = "positive " if low > 0 else "" if low < 0 else "non-negative "
    return f"{sign}numbers from {_short(low)} to {_short(high)}"


def _short(value: float) -> str:
    return f"{value:.3g}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.1e}" if math.isfinite(value) else str(value)
