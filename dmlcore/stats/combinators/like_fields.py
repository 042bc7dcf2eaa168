"""Fields of a record whose laws have one family and the same settings: their laws are one stack, with an axis more than that of the record.

Real numbers are scored by one kernel, whole numbers through one table of the law of each field at the distinct numbers of them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base.numerics import joined
from dmlcore.base.support import REALS
from dmlcore.core.declared import child, name, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.stacks import like, own_fields, taken
from dmlcore.core.statistics import Moments, Node
from dmlcore.data.columns import Distinct, Option, Values
from dmlcore.data.layouts import Anything
from dmlcore.stats.combinators.cells import cells_at
from dmlcore.stats.combinators.optional import OptionalEstimator
from dmlcore.stats.combinators.read_together import FieldsTogether
from dmlcore.stats.univariate.gaussian import GaussianEstimator

EMPTY = 2  # how many times more cells a table of whole numbers by fields may have than are read, but for
SPARE = 1024  # so many


class LikeFieldsDistribution(Distribution):
    """Fields of one family. law: the stack of their laws, whose last axis are the fields."""

    law: Distribution = child()

    kind = Anything


class LikeFieldsEstimator(FieldsTogether):
    """Estimates fields of one family. width: how many there are."""

    estimator: Estimator = child()
    width: int = setting()
    name: str | None = name()

    family = LikeFieldsDistribution
    stacks = True

    @classmethod
    def of(cls, es: Sequence[Any]) -> Any:
        return cls.unchecked((), estimator=cls.common(es).pinned(of_stacks=True), width=len(es))

    @staticmethod
    def common(es: Sequence[Any]) -> Any:
        """The estimator of the stack of the fields' laws."""
        return es[0]

    @staticmethod
    def alike(one: Any, other: Any) -> bool:
        return like(one, other)

    @classmethod
    def joined(cls, laws: Sequence[Any], es: Sequence[Any]) -> Any:
        return cls.family.unchecked(laws[0].batch, law=side_by_side(laws))

    @classmethod
    def split(cls, law: Any, es: Sequence[Any]) -> list[Any]:
        places = (slice(None),) * len(law.batch)
        return [taken(law.law, (*places, j)) for j in range(len(es))]

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> Any:
        return self.family.unchecked(children[0].batch[:-1], law=children[0])


def side_by_side(laws: Sequence[Any]) -> Any:
    """Stacks of one shape as one, along a new last axis."""
    batch, first = laws[0].batch, laws[0]
    shape, places = (*batch, len(laws)), list(np.ndindex(*batch))

    def values(domain: Any, field: str) -> list[Any]:
        each = [law.stored(field) for law in laws]
        return [domain.apart(value, i) for i in places for value in each] if batch else each

    fields = {field: domain.together(values(domain, field), shape) for field, domain, _ in own_fields(first)}
    kids = tuple(map(side_by_side, zip(*(law.children() for law in laws), strict=True)))
    return type(first).unchecked(shape, **fields, **first.child_values(kids))


class RealFieldsDistribution(LikeFieldsDistribution):
    """Gaussian fields, which may be missing."""

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        law: Any = self.law
        shape = law.batch
        gone, there = law.log_shares if column.gaps else (0.0, 0.0)
        mu, scale, constant = (law.dist if column.gaps else law).constants
        parameters = np.empty((4, *shape))
        for row, value in zip(parameters, (mu, scale, constant + there, gone), strict=True):
            row[...] = value
        log = kernels.independent_squares(column.x, parameters.reshape(4, -1, shape[-1]), column.gaps)
        return log.reshape(*self.batch, -1), column


class RealColumns:
    """Real numbers of several fields `(J, n)`. gaps: whether some may be missing, which are NaN."""

    def __init__(self, columns: Sequence[Any]):
        self.n, self.gaps = len(columns[0]), type(columns[0]) is Option
        self.x = np.full((len(columns), self.n), np.nan)
        for row, column in zip(self.x, columns, strict=True):
            row[column.present if self.gaps else slice(None)] = column.value.x if self.gaps else column.x

    def __len__(self) -> int:
        return self.n


class RealFieldsEstimator(LikeFieldsEstimator):
    """Estimates Gaussian fields."""

    family = RealFieldsDistribution
    stacks = True

    @classmethod
    def column(cls, columns: Sequence[Any], es: Sequence[Any]) -> RealColumns:
        return RealColumns(columns)

    @staticmethod
    def common(es: Sequence[Any]) -> Any:
        floors, least = np.array([[leaf.floor, leaf.least] for e in es for leaf in e.children() or (e,)]).T
        return with_bounds(es[0], floors, least)

    @staticmethod
    def reads(e: Any, column: Any) -> bool:
        gaussian, numbers = what_is_there(e, column)
        plain = type(gaussian) is GaussianEstimator and gaussian.prior is None
        return plain and type(numbers) is Values and numbers.x.dtype == np.float64 and REALS.covers(numbers)

    @staticmethod
    def alike(one: Any, other: Any) -> bool:
        return like(with_bounds(one, 0.0, 0.0), with_bounds(other, 0.0, 0.0))

    def open(self, column: Any, open: Any) -> Any:
        return column

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        shape = (*weights.shape[:-1], len(tape.x))
        count, gone, mean, m2 = (part.reshape(shape) for part in kernels.independent_moments(tape.x, joined(weights), tape.gaps))
        own = Node(Moments(count, mean, m2))
        if tape.gaps:
            own = Node(np.stack([gone, count], axis=-1), [own])
        return Node(None, [own])


def with_bounds(e: Any, floor: Any, least: Any) -> Any:
    """An estimator of a real field with other bounds below: of its variance, and of its standard deviation by rounding."""
    if e.children():
        return e.with_children((with_bounds(e.children()[0], floor, least),))
    return e.pinned(floor=floor, least=least, rounding=0.0)


class NumberFieldsDistribution(LikeFieldsDistribution):
    """Fields of whole numbers, which may be missing."""

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        log, tape = score(self.law, column.values)
        return log.reshape(*self.batch, -1), tape


class NumberFieldsEstimator(LikeFieldsEstimator):
    """Estimates fields of whole numbers, each from a weight for each of the numbers of all."""

    family = NumberFieldsDistribution
    stacks = True

    @staticmethod
    def reads(e: Any, column: Any) -> bool:
        leaf, values = what_is_there(e, column.values) if type(column) is Distinct else (e, None)
        return leaf.stacks and not leaf.children() and type(values) is Values and isinstance(values.x, np.ndarray)

    @staticmethod
    def pays(columns: Sequence[Any]) -> bool:
        each = list(map(field_numbers, columns))
        return len(columns) > 1 and len(columns) * len(np.unique(np.concatenate(each))) <= EMPTY * sum(map(len, each)) + SPARE

    @classmethod
    def column(cls, columns: Sequence[Any], es: Sequence[Any]) -> Distinct:
        numbers = np.unique(np.concatenate(list(map(field_numbers, columns))))
        values: Any = Values(numbers)
        if type(columns[0].values) is Option:  # the last one is missing
            values = Option(len(numbers) + 1, np.arange(len(numbers)), values)
        places = [np.append(np.searchsorted(numbers, field_numbers(column)), len(numbers)) for column in columns]
        size = len(values)
        return cells_at(columns, [place + j * size for j, place in enumerate(places)], len(columns) * size, values)

    def open(self, column: Any, open: Any) -> Any:
        return open(self.estimator, column.values)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(None, [send(self.estimator, tape, weights.reshape(*weights.shape[:-1], self.width, -1))])


def field_numbers(column: Any) -> np.ndarray:
    """The distinct numbers of a field, without what stands for missing."""
    values: Any = column.values
    return getattr(values, "value", values).x  # type: ignore[no-any-return]


def what_is_there(e: Any, column: Any) -> tuple[Any, Any]:
    """The estimator and the column of what may be missing; of other fields, their own."""
    optional = type(e) is OptionalEstimator and type(column) is Option
    return (e.estimator, column.value) if optional else (e, column)
