"""Like fields of a record read together, in a fit: real fields by matrix products, labels through one table.

What a `CompositeEstimator` becomes in a stack (`dmlcore.core.stacks`). A record of a hundred labels costs one gather and one scatter, not a
hundred; the laws of the fields are taken apart again when somebody looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base.domains import Array
from dmlcore.base.labels import LabelMap, Vocabulary
from dmlcore.base.numerics import by_rows, logs
from dmlcore.base.support import REALS
from dmlcore.core.declared import children, parameter, setting
from dmlcore.core.distribution import CombinatorDistribution, Distribution
from dmlcore.core.estimator import CombinatorEstimator, Estimator
from dmlcore.core.prior import PseudoCounts
from dmlcore.core.statistics import Node
from dmlcore.data.columns import Column, Distinct, Record, Values
from dmlcore.data.layouts import Anything
from dmlcore.stats.multivariate.diagonal_gaussian import DiagonalGaussianDistribution, DiagonalGaussianEstimator
from dmlcore.stats.univariate.categorical import CategoricalDistribution, CategoricalEstimator
from dmlcore.stats.univariate.gaussian import GaussianDistribution, GaussianEstimator

MOST = 1 << 24  # numbers of like fields that are copied side by side


class GaussianFieldsEstimator(DiagonalGaussianEstimator):
    """Gaussian fields as the coordinates of a vector."""

    family = DiagonalGaussianDistribution
    stacks = True

    def free_numbers(self, law: Any) -> int:
        return 2

    @classmethod
    def of(cls, es: Sequence[Any]) -> GaussianFieldsEstimator:
        return cls(len(es)).pinned(floor=np.array([e.floor for e in es]), of_stacks=True)

    @staticmethod
    def reads(e: Any, column: Any) -> bool:
        """Whether an estimator's field can be one of them."""
        plain = type(e) is GaussianEstimator and e.prior is None
        return plain and type(column) is Values and column.x.dtype == np.float64 and REALS.covers(column)

    @staticmethod
    def column(columns: Sequence[Any]) -> Column:
        return Values(np.column_stack([column.x for column in columns]))

    @staticmethod
    def joined(laws: Sequence[Any], es: Sequence[Any]) -> Any:
        """The law of stacks of the fields' laws."""
        mu, covar = (np.stack([getattr(law, field) for law in laws], axis=-1) for field in ("mu", "sigma2"))
        return DiagonalGaussianDistribution.unchecked(laws[0].batch, mu=mu, covar=covar, name=None, keys=(None, None))

    @staticmethod
    def split(law: Any, es: Sequence[Any]) -> list[Any]:
        """The inverse of `joined`."""
        return [
            GaussianDistribution.unchecked(law.batch, mu=law.mu[..., j], sigma2=law.covar[..., j], name=e.name, keys=e.keys)
            for j, e in enumerate(es)
        ]


class FieldSimplices(Array):
    """Rows of probabilities, each of which sums to one, end to end `(V,)`. Flat, they are the logarithms of those that are positive."""

    def __init__(self, starts: np.ndarray):
        super().__init__("probabilities", 1)
        self.starts = starts

    def flatten(self, value: np.ndarray) -> np.ndarray:
        return np.log(value[value > 0])

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        out = np.full(like.shape, -np.inf)
        out[like > 0] = vector
        return shares_by_field(np.exp(out - self._of_each(np.maximum.reduceat(out, self.starts, axis=-1), like)), self.starts)

    def _of_each(self, sums: np.ndarray, like: np.ndarray) -> np.ndarray:
        return np.repeat(sums, np.diff(self.starts, append=like.shape[-1]), axis=-1)


def shares_by_field(counts: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Counts `(.., V)` of the labels of several fields, end to end, as shares of each field."""
    totals = np.add.reduceat(counts, starts, axis=-1)
    return np.asarray(counts / np.repeat(totals, np.diff(starts, append=counts.shape[-1]), axis=-1))


class LabelFieldsDistribution(CombinatorDistribution):
    """Independent labels: the probabilities of those of all fields end to end, `p` `(V,)`; field j's begin at `starts[j]`."""

    p: Any = parameter(Array("probabilities", 1))
    starts: Any = setting()

    kind = Anything

    def parameters(self) -> Any:
        yield "p", FieldSimplices(self.starts), self.p

    @cached_property
    def _logs(self) -> np.ndarray:
        return logs(self.p)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        return by_rows(kernels.gather_sum_many, self._logs, column.codes, column.offsets), column


class LabelColumns:
    """The labels of several fields, row by row: codes into those of all fields end to end. Made of one block, which is not cut further."""

    def __init__(self, columns: Sequence[Any]):
        sizes = [len(column.values) for column in columns]
        first = np.concatenate([[0], np.cumsum(sizes)])
        self.n, self.size = len(columns[0]), int(first[-1])
        self.codes = np.column_stack([column.codes + start for column, start in zip(columns, first, strict=False)]).ravel()
        self.offsets = np.arange(self.n + 1, dtype=np.int64) * len(columns)

    def __len__(self) -> int:
        return self.n


class LabelFieldsEstimator(CombinatorEstimator):
    """Categorical fields together. labels, defaults: of each field."""

    starts: Any = setting()

    family = LabelFieldsDistribution
    stacks = True

    @classmethod
    def of(cls, es: Sequence[Any]) -> LabelFieldsEstimator:
        sizes = [len(e.labels) for e in es]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        none = all(e.prior is None for e in es)
        counts = [np.zeros(len(e.labels)) if e.prior is None else e.prior.statistics.weights for e in es]
        return cls(starts).pinned(prior=None if none else PseudoCounts(np.concatenate(counts), "p"), of_stacks=True)

    @staticmethod
    def reads(e: Any, column: Any) -> bool:
        if type(e) is not CategoricalEstimator or type(column) is not Distinct or e.labels is None or not len(e.labels):
            return False
        values: Any = getattr(column.values, "x", None)
        return isinstance(values, Vocabulary) and values == e.labels

    @staticmethod
    def column(columns: Sequence[Any]) -> LabelColumns:
        return LabelColumns(columns)

    @staticmethod
    def joined(laws: Sequence[Any], es: Sequence[Any]) -> Any:
        tables = [law.stored("pmap").lookup(e.labels, law.stored("pmap").values_array, 0.0) for law, e in zip(laws, es, strict=True)]
        starts = np.concatenate([[0], np.cumsum([len(e.labels) for e in es])[:-1]])
        return LabelFieldsDistribution.unchecked(laws[0].batch, p=np.concatenate(tables, axis=-1), starts=starts)

    @staticmethod
    def split(law: Any, es: Sequence[Any]) -> list[Any]:
        ends = [*law.starts[1:].tolist(), law.p.shape[-1]]
        return [
            CategoricalDistribution.unchecked(
                law.batch,
                pmap=LabelMap(e.labels, law.p[..., start:end]),
                default_value=e.chance_of_unseen,
                name=e.name,
                keys=e.keys,
            )
            for e, start, end in zip(es, law.starts.tolist(), ends, strict=True)
        ]

    def open(self, column: Any, open: Any) -> Any:
        return column

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(by_rows(kernels.scatter_rows_many, weights, tape.codes, tape.offsets, tape.size))

    def assemble(self, own: np.ndarray, children: tuple[Any, ...], previous: Any = None) -> LabelFieldsDistribution:
        counts = self.with_prior(own)
        with np.errstate(invalid="ignore", divide="ignore"):
            p = shares_by_field(counts, self.starts)
        if np.isnan(p).any():  # a component that lost its weight keeps its law
            p = np.where(np.isnan(p), 1.0 / len(p) if previous is None else previous.p, p)
        return LabelFieldsDistribution.unchecked(p.shape[:-1], p=p, starts=self.starts)


READ_TOGETHER: tuple[Any, ...] = (GaussianFieldsEstimator, LabelFieldsEstimator)


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
        rest, groups = list(range(len(estimators))), []
        for kind in READ_TOGETHER:
            fields = [j for j in rest if kind.reads(estimators[j], column.fields[j])]
            if len(fields) > 1:
                groups.append((kind, fields))
                rest = [j for j in rest if j not in fields]
        return cls(estimators, [*groups, *((None, [j]) for j in rest)]) if groups else None

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
