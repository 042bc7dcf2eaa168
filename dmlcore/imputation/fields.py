"""Columns of a table as cells of a chain, and what a chain drew as cells of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, ParameterError
from dmlcore.base.labels import plain
from dmlcore.base.records import dataclass
from dmlcore.data.frames import Columns, is_ordered
from dmlcore.data.values import in_order
from dmlcore.imputation.chain import KnownCells
from dmlcore.imputation.coordinates import Number, Ordered
from dmlcore.imputation.powers import powers_together
from dmlcore.proposal.kinds import Contents, NotModelled, cells_of

FEW_NUMBERS = 10  # different whole numbers, up to which a column of them is one of ordered levels


@dataclass(frozen=True)
class NumberField:
    """A column of numbers or times."""

    name: Any
    contents: Contents
    number: Number
    kind = "number"

    @property
    def values(self) -> np.ndarray:
        """The numbers that are there."""
        return self.contents.values.astype(np.float64)

    def coordinates(self) -> np.ndarray:
        """NaN where missing `(n,)`."""
        return self.number.coordinate(self.seen())

    def seen(self) -> np.ndarray:
        """The numbers themselves, NaN where missing `(n,)`."""
        x = np.full(len(self.contents.missing), np.nan)
        x[~self.contents.missing] = self.values
        return x

    def moments(self, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
        """What is averaged over laws: mean and mean square `(2, m)`."""
        return self.number.moments(mean, sd)

    def filled(self, moments: np.ndarray) -> tuple[Any, np.ndarray]:
        """Values and their standard deviations."""
        whole = self.contents.kind == "whole"
        mean = np.round(moments[0]) if whole else moments[0]
        return self.cells(mean), np.sqrt(np.maximum(moments[1] - moments[0] ** 2, 0.0))

    def cells(self, x: np.ndarray) -> Any:
        """Numbers as the column holds them."""
        if self.contents.scale is not None:
            return self.contents.scale.times(x)
        return np.round(x).astype(np.int64) if self.contents.kind == "whole" else x


@dataclass(frozen=True)
class LevelField:
    """A column of labels, or of levels in order. codes `(n,)`: places in levels, -1 where missing. ordered: as a coordinate, if they are.

    numbers: whether the levels are whole numbers.
    """

    name: Any
    contents: Contents
    levels: list[Any]
    codes: np.ndarray
    ordered: Ordered | None
    numbers: bool

    @property
    def kind(self) -> str:
        """What its coordinates are."""
        return "label" if self.ordered is None else "ordered"

    def filled(self, p: np.ndarray) -> tuple[Any, np.ndarray]:
        """From probabilities `(m, levels)`: the most probable labels and how probable they are; of numbers the nearest to the mean, and
        standard deviations."""
        if not self.numbers:
            best = p.argmax(axis=1)
            return self.cells(best), p[np.arange(len(p)), best]
        levels = np.array(self.levels, dtype=np.float64)
        mean = p @ levels
        return np.round(mean).astype(np.int64), np.sqrt(np.maximum(p @ levels**2 - mean**2, 0.0))

    def cells(self, codes: np.ndarray) -> Any:
        """Places in levels as the column holds them."""
        return np.array(self.levels)[codes] if self.numbers else [self.levels[code] for code in codes.tolist()]


Field = NumberField | LevelField


def fields_of(
    columns: Columns, names: Sequence[Any], bounds: Mapping[Any, Any], ordered: Mapping[Any, Any] | Sequence[Any]
) -> tuple[list[Field], dict[Any, str]]:
    """The columns that can be modelled, numbers first, then levels in order, then labels; and why others are not."""
    kept: list[Field] = []
    left_out: dict[Any, str] = {}
    orders = ordered if isinstance(ordered, Mapping) else dict.fromkeys(ordered)
    for name in [*bounds, *orders]:
        columns.place(name)
    for name in names:
        place = columns.place(name)
        levels = columns.levels(place)
        try:
            contents = cells_of(name, columns.plain(place), None if levels is None else tuple(levels))
        except NotModelled as reason:
            left_out[name] = str(reason)
            continue
        in_turn = name in orders or is_ordered(columns.held(place))
        kept.append(_field(contents, bounds.get(name), orders.get(name) if name in orders else None, in_turn))
    numbers = [field for field in kept if isinstance(field, NumberField)]
    levels = [field for field in kept if isinstance(field, LevelField)]
    return [*_with_powers(numbers), *sorted(levels, key=lambda field: field.kind == "label")], left_out


def _with_powers(fields: list[NumberField]) -> list[NumberField]:
    if not fields:
        return fields
    powers = powers_together([field.number for field in fields], np.column_stack([field.seen() for field in fields]))
    return [replace(field, number=field.number.with_power(field.values, power)) for field, power in zip(fields, powers, strict=True)]


def _field(contents: Contents, bounds: Any, order: Any, in_turn: bool) -> Field:
    values, name = contents.values, contents.name
    if contents.kind == "label" or in_turn:
        levels = list(order) if order is not None else list(contents.levels) if contents.levels is not None and in_turn else None
        return _levels(contents, in_order(dict.fromkeys(map(plain, values))) if levels is None else levels, in_turn)
    few = contents.kind == "whole" and len(each := np.unique(values)) <= FEW_NUMBERS
    if few and bounds is None:
        return _levels(contents, each.tolist(), True)
    return NumberField(name, contents, Number.of(values.astype(np.float64), _checked(bounds, values, name)))


def _levels(contents: Contents, levels: list[Any], ordered: bool) -> LevelField:
    place = {level: i for i, level in enumerate(levels)}
    codes = np.full(len(contents.missing), -1, dtype=np.intp)
    try:
        codes[~contents.missing] = [place[plain(value)] for value in contents.values]
    except KeyError as error:
        raise DataError(f"column {contents.name!r} holds {error.args[0]!r}, which is not among the ordered labels {levels}") from None
    numbers = contents.kind == "whole"
    return LevelField(contents.name, contents, levels, codes, Ordered.of(codes[codes >= 0], levels) if ordered else None, numbers)


def _checked(bounds: Any, values: np.ndarray, name: Any) -> tuple[float, float] | None:
    """The bounds of a column of numbers as numbers. Raises `ParameterError` where they are none, `DataError` where cells are outside."""
    if bounds is None:
        return None
    try:
        low, high = (-np.inf if bounds[0] is None else float(bounds[0])), (np.inf if bounds[1] is None else float(bounds[1]))
    except (TypeError, ValueError, IndexError, KeyError):
        raise ParameterError(f"bounds of {name!r} must be a pair (least, largest), None for none, got {bounds!r}") from None
    if not low < high:
        raise ParameterError(f"bounds of {name!r} must be a pair (least, largest), None for none, got {bounds!r}")
    if values.min() < low or values.max() > high:
        raise DataError(f"column {name!r} holds numbers from {values.min():g} to {values.max():g}, outside its bounds {bounds!r}")
    return low, high


def cells_for_chain(fields: list[Field], n: int) -> KnownCells:
    """The fields as coordinates and labels."""
    numbers = [field for field in fields if isinstance(field, NumberField)]
    levels = [field for field in fields if isinstance(field, LevelField) and field.ordered is not None]
    labels = [field for field in fields if isinstance(field, LevelField) and field.ordered is None]
    d = len(numbers) + len(levels)
    y, low, high = np.full((n, d), np.nan), np.full((n, d), -np.inf), np.full((n, d), np.inf)
    for j, number in enumerate(numbers):
        y[:, j], (low[:, j], high[:, j]) = number.coordinates(), number.number.limits
    for j, level in enumerate(levels, len(numbers)):
        there, cuts = level.codes >= 0, level.ordered.cuts  # type: ignore[union-attr]
        low[there, j], high[there, j] = cuts[level.codes[there]], cuts[level.codes[there] + 1]
    c = np.array([field.codes for field in labels], dtype=np.intp).reshape(len(labels), n).T
    vector: list[Field] = [*numbers, *levels]
    gone = np.array([field.contents.missing for field in vector], dtype=np.bool_).reshape(d, n).T
    return KnownCells(y, low, high, gone, c, [len(field.levels) for field in labels])
