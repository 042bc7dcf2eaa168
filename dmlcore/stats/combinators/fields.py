"""Like fields of a record read together, in a fit.

What a `CompositeEstimator` becomes in a stack (`dmlcore.core.stacks`). Fields whose laws have the same settings are one stack, with an axis
more than that of the record: real numbers (which may be missing) are then scored by one kernel, and discrete fields through one table, on
the distinct values of them all, by one gather and one scatter, not by one a field. So are labels, whose tables stand end to end. The laws
of the fields are taken apart again when somebody looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base import special
from dmlcore.base.domains import Array
from dmlcore.base.labels import LabelMap, Vocabulary
from dmlcore.base.numerics import joined, logs
from dmlcore.base.support import REALS
from dmlcore.core.declared import child, children, parameter, setting
from dmlcore.core.distribution import CombinatorDistribution, Distribution
from dmlcore.core.estimator import CombinatorEstimator, Estimator
from dmlcore.core.stacks import like, own_fields, taken
from dmlcore.core.statistics import Moments, Node
from dmlcore.data.columns import Distinct, Option, Record, Values
from dmlcore.data.layouts import Anything
from dmlcore.kernels.codes import narrow
from dmlcore.stats.combinators.optional import OptionalEstimator
from dmlcore.stats.univariate.categorical import CategoricalDistribution, CategoricalEstimator
from dmlcore.stats.univariate.gaussian import GaussianEstimator

MOST = 1 << 24  # numbers of like fields that are copied side by side
LIKE = 8  # groups of like fields, the last ones, to which a further field is held
EMPTY = 2  # how many times more cells a table of whole numbers by fields may have than are read, but for
SPARE = 1024  # so many


class LikeFieldsDistribution(CombinatorDistribution):
    """Fields of one family. law: the stack of their laws, whose last axis are the fields."""

    law: Distribution = child()

    kind = Anything


class LikeFieldsEstimator(CombinatorEstimator):
    """Estimates fields of one family."""

    estimator: Estimator = child()

    family = LikeFieldsDistribution
    stacks = True

    @classmethod
    def of(cls, es: Sequence[Any]) -> Any:
        return cls.unchecked((), estimator=cls.common(es).pinned(of_stacks=True))

    @staticmethod
    def common(es: Sequence[Any]) -> Any:
        """The estimator of the stack of the fields' laws."""
        return es[0]

    @staticmethod
    def alike(one: Any, other: Any) -> bool:
        """Whether two fields can be of one stack."""
        return like(one, other)

    @staticmethod
    def pays(columns: Sequence[Any]) -> bool:
        """Whether reading these columns together costs less."""
        return len(columns) > 1

    @classmethod
    def joined(cls, laws: Sequence[Any], es: Sequence[Any]) -> Any:
        """The law of stacks of the fields' laws."""
        batch = laws[0].batch
        return cls.family.unchecked(batch, law=side_by_side(laws))

    @staticmethod
    def split(law: Any, es: Sequence[Any]) -> list[Any]:
        """The inverse of `joined`."""
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

    column = RealColumns

    @staticmethod
    def common(es: Sequence[Any]) -> Any:
        return with_floor(es[0], np.array([gaussian(e).floor for e in es]))

    @staticmethod
    def reads(e: Any, column: Any) -> bool:
        """Whether an estimator's field can be one of them."""
        gaussian, numbers = e, column
        if type(e) is OptionalEstimator and type(column) is Option:
            gaussian, numbers = e.estimator, column.value
        plain = type(gaussian) is GaussianEstimator and gaussian.prior is None
        return plain and type(numbers) is Values and numbers.x.dtype == np.float64 and REALS.covers(numbers)

    @staticmethod
    def alike(one: Any, other: Any) -> bool:
        return like(with_floor(one, 0.0), with_floor(other, 0.0))

    def open(self, column: Any, open: Any) -> Any:
        return column

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        shape = (*weights.shape[:-1], len(tape.x))
        count, gone, mean, m2 = (part.reshape(shape) for part in kernels.independent_moments(tape.x, joined(weights), tape.gaps))
        own = Node(Moments(count, mean, m2))
        if tape.gaps:
            own = Node(np.stack([gone, count], axis=-1), [own])
        return Node(None, [own])


def gaussian(e: Any) -> Any:
    """The estimator of a field's numbers, which may be missing or not."""
    return e.children()[0] if e.children() else e


def with_floor(e: Any, floor: Any) -> Any:
    """An estimator of a real field with another floor."""
    return e.with_children((with_floor(e.children()[0], floor),)) if e.children() else e.pinned(floor=floor)


class Cells:
    """The cells of a table of all fields, each one value of one field. numbers: the values, where they are the same for all fields."""

    def __init__(self, size: int, numbers: Values | None = None):
        self.size, self.numbers = size, numbers

    def __len__(self) -> int:
        return self.size


def cells_at(columns: Sequence[Any], places: Sequence[np.ndarray], size: int, numbers: Values | None = None) -> Distinct:
    """The cells of several fields, row by row. places: for each field, the cells of its distinct values."""
    codes = np.empty((len(columns[0]), len(columns)), dtype=narrow(size))
    for j, (column, cells) in enumerate(zip(columns, places, strict=True)):
        codes[:, j] = cells.astype(codes.dtype)[column.codes]
    return Distinct(codes, Cells(size, numbers))  # type: ignore[arg-type]


class NumberFieldsDistribution(LikeFieldsDistribution):
    """Fields of whole numbers."""

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        log, tape = score(self.law, column.numbers)
        return log.reshape(*self.batch, -1), tape


class NumberFieldsEstimator(LikeFieldsEstimator):
    """Estimates fields of whole numbers, each from a weight for each of the numbers of all."""

    family = NumberFieldsDistribution
    stacks = True

    @staticmethod
    def reads(e: Any, column: Any) -> bool:
        coded = type(column) is Distinct and isinstance(getattr(column.values, "x", None), np.ndarray)
        return coded and e.stacks and not e.children()

    @staticmethod
    def pays(columns: Sequence[Any]) -> bool:
        each = [column.values.x for column in columns]
        return len(columns) > 1 and len(columns) * len(np.unique(np.concatenate(each))) <= EMPTY * sum(map(len, each)) + SPARE

    @staticmethod
    def column(columns: Sequence[Any]) -> Distinct:
        numbers = np.unique(np.concatenate([column.values.x for column in columns]))
        size = len(numbers)
        places = [np.searchsorted(numbers, column.values.x) + j * size for j, column in enumerate(columns)]
        return cells_at(columns, places, len(columns) * size, Values(numbers))

    def open(self, column: Any, open: Any) -> Any:
        return open(self.estimator, column.numbers)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(None, [send(self.estimator, tape, weights.reshape(*weights.shape[:-1], -1, len(tape)))])


class FieldSimplices(Array):
    """Probabilities of the labels of several fields, end to end `(V,)`; those of each field, so many as `sizes` says, sum to one.

    Flat, they are the logarithms of those that are positive.
    """

    def __init__(self, sizes: Sequence[int]):
        super().__init__("probabilities", 1)
        self.starts = np.cumsum([0, *sizes[:-1]])
        self.field = np.repeat(np.arange(len(sizes)), sizes)  # of each label
        self.even = np.repeat(1.0 / np.array(sizes), sizes)

    def flatten(self, value: np.ndarray) -> np.ndarray:
        return np.log(value[value > 0])

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        out = np.full(like.shape, -np.inf)
        out[like > 0] = vector
        return self.shares(np.exp(out - np.maximum.reduceat(out, self.starts, axis=-1)[..., self.field]))

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """Counts `(.., V)` as shares of each field."""
        return np.asarray(counts / np.add.reduceat(counts, self.starts, axis=-1)[..., self.field])

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """Those of each field."""
        return np.split(values, self.starts[1:], axis=-1)


class LabelFieldsDistribution(CombinatorDistribution):
    """Independent labels: the probabilities of those of all fields end to end, `p` `(V,)`."""

    p: Any = parameter(Array("probabilities", 1))
    simplices: Any = setting()

    kind = Anything

    def parameters(self) -> Any:
        yield "p", self.simplices, self.p

    @cached_property
    def _logs(self) -> np.ndarray:
        return logs(self.p)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        return self._logs, column


class LabelFieldsEstimator(CombinatorEstimator):
    """Categorical fields together."""

    simplices: Any = setting()
    prior_counts: Any = setting()

    family = LabelFieldsDistribution
    stacks = True

    @classmethod
    def of(cls, es: Sequence[Any]) -> LabelFieldsEstimator:
        none = all(e.prior is None for e in es)
        counts = None if none else np.concatenate([np.zeros(len(e.labels)) if e.prior is None else e.prior.weights for e in es])
        return cls(simplices_of(es), counts).pinned(of_stacks=True)

    @staticmethod
    def reads(e: Any, column: Any) -> bool:
        if type(e) is not CategoricalEstimator or type(column) is not Distinct or e.labels is None or not len(e.labels):
            return False
        values: Any = getattr(column.values, "x", None)
        return isinstance(values, Vocabulary) and values == e.labels

    @staticmethod
    def alike(one: Any, other: Any) -> bool:
        return True

    @staticmethod
    def pays(columns: Sequence[Any]) -> bool:
        return len(columns) > 1

    @staticmethod
    def column(columns: Sequence[Any]) -> Distinct:
        ends = np.cumsum([len(column.values) for column in columns]).tolist()
        return cells_at(columns, [np.arange(a, b) for a, b in zip([0, *ends], ends, strict=False)], ends[-1])

    @staticmethod
    def joined(laws: Sequence[Any], es: Sequence[Any]) -> Any:
        tables = [law.stored("pmap").lookup(e.labels, law.stored("pmap").values_array, 0.0) for law, e in zip(laws, es, strict=True)]
        return LabelFieldsDistribution.unchecked(laws[0].batch, p=np.concatenate(tables, axis=-1), simplices=simplices_of(es))

    @staticmethod
    def split(law: Any, es: Sequence[Any]) -> list[Any]:
        return [
            CategoricalDistribution.unchecked(
                law.batch,
                pmap=LabelMap(e.labels, p),
                default_value=e.chance_of_unseen,
                name=e.name,
                keys=e.keys,
            )
            for e, p in zip(es, law.simplices.split(law.p), strict=True)
        ]

    def open(self, column: Any, open: Any) -> Any:
        return column

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(weights)

    def assemble(self, own: np.ndarray, children: tuple[Any, ...], previous: Any = None) -> LabelFieldsDistribution:
        counts = own if self.prior_counts is None else own + self.prior_counts
        with np.errstate(invalid="ignore", divide="ignore"):
            p = self.simplices.shares(counts)
        if np.isnan(p).any():  # a component that lost its weight keeps its law
            p = np.where(np.isnan(p), self.simplices.even if previous is None else previous.p, p)
        return LabelFieldsDistribution.unchecked(p.shape[:-1], p=p, simplices=self.simplices)

    def log_prior(self, distribution: Any) -> Any:
        return 0.0 if self.prior_counts is None else special.xlogy(self.prior_counts, distribution.p).sum(axis=-1)


def simplices_of(es: Sequence[Any]) -> FieldSimplices:
    """Where the probabilities of the labels of categorical fields stand."""
    return FieldSimplices([len(e.labels) for e in es])


READ_TOGETHER: tuple[Any, ...] = (RealFieldsEstimator, LabelFieldsEstimator, NumberFieldsEstimator)


class TogetherDistribution(CombinatorDistribution):
    """A record some of whose fields are read together. parts: the laws of these, and of the other fields; plan: which is which."""

    parts: Sequence[Distribution] = children("part")
    plan: Any = setting()

    kind = Anything

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        scored = [score(law, part) for law, part in zip(self.parts, self.plan.columns(column), strict=True)]
        total = scored[0][0] + (scored[1][0] if len(scored) > 1 else 0.0)
        for log, _ in scored[2:]:
            total += log
        return total, [tape for _, tape in scored]


class TogetherEstimator(CombinatorEstimator):
    """Estimates the fields of a record, some of them together."""

    parts: Sequence[Estimator] = children("part")
    plan: Any = setting()

    family = TogetherDistribution
    stacks = True

    def open(self, column: Any, open: Any) -> Any:
        return [open(e, part) for e, part in zip(self.parts, self.plan.columns(column), strict=True)]

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(None, [send(e, t, weights) for e, t in zip(self.parts, tape, strict=True)])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> TogetherDistribution:
        return TogetherDistribution.unchecked(children[0].batch, parts=children, plan=self.plan)


class Plan:
    """Which fields of a record are read together. groups: `(kind, fields)`; kind None for a field that is read alone."""

    def __init__(self, estimators: Sequence[Any], groups: Sequence[tuple[Any, list[int]]]):
        self.estimators, self.groups = tuple(estimators), tuple(groups)

    @classmethod
    def of(cls, estimators: Sequence[Any], column: Any) -> Plan | None:
        """The plan for a record; None where nothing is gained."""
        if type(column) is not Record or len(column) * len(estimators) > MOST:
            return None
        groups: list[Any] = []
        for kind in READ_TOGETHER:
            fields = [j for j in range(len(estimators)) if kind.reads(estimators[j], column.fields[j])]
            alike = cls._alike(kind, estimators, fields)
            groups += [(kind, group) for group in alike if kind.pays([column.fields[j] for j in group])]
        grouped = {j for _, group in groups for j in group}
        return cls(estimators, [*groups, *((None, [j]) for j in range(len(estimators)) if j not in grouped)]) if groups else None

    @staticmethod
    def _alike(kind: Any, estimators: Sequence[Any], fields: Sequence[int]) -> list[list[int]]:
        """Fields in groups of those that are alike."""
        groups: list[list[int]] = []
        for j in fields:
            group = next((group for group in groups[-LIKE:] if kind.alike(estimators[group[0]], estimators[j])), None)
            if group is None:
                groups.append([j])
            else:
                group.append(j)
        return groups

    def columns(self, record: Any) -> list[Any]:
        """The columns of the groups, made once for each record."""
        return record.kept(self, lambda: [self._column(record, kind, fields) for kind, fields in self.groups])

    @staticmethod
    def _column(record: Any, kind: Any, fields: list[int]) -> Any:
        columns = [record.fields[j] for j in fields]
        return columns[0] if kind is None else kind.column(columns)

    def _of(self, fields: list[int]) -> list[Any]:
        return [self.estimators[j] for j in fields]

    def estimator(self, stacked: Sequence[Any]) -> TogetherEstimator:
        """The estimator of the record, from those of its fields as stacks have them."""
        parts = [stacked[fields[0]] if kind is None else kind.of(self._of(fields)) for kind, fields in self.groups]
        return TogetherEstimator.unchecked((), parts=tuple(parts), plan=self)

    def joined(self, laws: Sequence[Any], batch: tuple[int, ...]) -> TogetherDistribution:
        """The law of stacks of the fields' laws."""
        parts = [laws[f[0]] if kind is None else kind.joined([laws[j] for j in f], self._of(f)) for kind, f in self.groups]
        return TogetherDistribution.unchecked(batch, parts=tuple(parts), plan=self)

    def split(self, law: Any) -> tuple[Any, ...]:
        """Stacks of the laws of the fields, in order."""
        out: dict[int, Any] = {}
        for (kind, fields), part in zip(self.groups, law.parts, strict=True):
            out.update(zip(fields, [part] if kind is None else kind.split(part, self._of(fields)), strict=True))
        return tuple(out[j] for j in range(len(self.estimators)))
