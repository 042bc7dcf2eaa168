"""Fields of labels read together: the probabilities of all of them stand end to end, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.domains import Array
from dmlcore.base.labels import LabelMap
from dmlcore.base.numerics import logs
from dmlcore.core.declared import name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.prior import PseudoCounts
from dmlcore.core.statistics import Node
from dmlcore.data.columns import Distinct, Option
from dmlcore.data.layouts import Anything
from dmlcore.stats.combinators.cells import cells_at
from dmlcore.stats.combinators.optional import OptionalDistribution, OptionalEstimator
from dmlcore.stats.combinators.read_together import FieldsTogether
from dmlcore.stats.univariate.categorical import CategoricalDistribution, CategoricalEstimator


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

    def shares(self, counts: np.ndarray, previous: Any = None) -> np.ndarray:
        """Counts `(.., V)` as shares of each field; a field without any keeps its previous ones, or they are even."""
        totals = np.add.reduceat(counts, self.starts, axis=-1)[..., self.field]
        if totals.min() > 0:
            return np.asarray(counts / totals)
        return np.where(totals > 0, counts / np.where(totals > 0, totals, 1.0), self.even if previous is None else previous)


class LabelFieldsDistribution(Distribution):
    """Independent labels, which may be missing: the probabilities of those of all fields end to end, `p` `(V,)`."""

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


class LabelFieldsEstimator(FieldsTogether):
    """Estimates categorical fields, which may be missing."""

    simplices: Any = setting()
    name: str | None = name()

    family = LabelFieldsDistribution
    stacks = True

    @classmethod
    def of(cls, es: Sequence[Any]) -> LabelFieldsEstimator:
        none = all(e.prior is None for e in es)
        counts = [np.zeros(sum(sizes_of(e))) if e.prior is None else e.prior.statistics.weights for e in es]
        return cls(simplices_of(es)).pinned(prior=None if none else PseudoCounts(np.concatenate(counts), "p"), of_stacks=True)

    @staticmethod
    def reads(e: Any, column: Any) -> bool:
        if type(column) is not Distinct:
            return False
        values: Any = column.values
        if type(e) is OptionalEstimator and type(values) is Option and e.prior is None and e.estimator.prior is None:
            e, values = e.estimator, values.value
        return type(e) is CategoricalEstimator and bool(e.labels) and getattr(values, "x", None) == e.labels

    @classmethod
    def column(cls, columns: Sequence[Any], es: Sequence[Any]) -> Distinct:
        starts = np.cumsum([0, *(sum(sizes_of(e)) for e in es)]).tolist()
        return cells_at(columns, [np.arange(len(c.values)) + start for c, start in zip(columns, starts, strict=False)], starts[-1])

    @classmethod
    def joined(cls, laws: Sequence[Any], es: Sequence[Any]) -> Any:
        p = np.concatenate(list(map(cell_probabilities, laws, es)), axis=-1)
        return LabelFieldsDistribution.unchecked(laws[0].batch, p=p, simplices=simplices_of(es))

    @classmethod
    def split(cls, law: Any, es: Sequence[Any]) -> list[Any]:
        ends = np.cumsum([sum(sizes_of(e)) for e in es])[:-1]
        return [law_of_cells(p, e) for p, e in zip(np.split(law.p, ends, axis=-1), es, strict=True)]

    def open(self, column: Any, open: Any) -> Any:
        return column

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(weights)

    def assemble(self, own: np.ndarray, children: tuple[Any, ...], previous: Any = None) -> LabelFieldsDistribution:
        p = self.simplices.shares(self.with_prior(own), None if previous is None else previous.p)
        return LabelFieldsDistribution.unchecked(p.shape[:-1], p=p, simplices=self.simplices)


def simplices_of(es: Sequence[Any]) -> FieldSimplices:
    """Where the probabilities of the labels of fields stand."""
    return FieldSimplices([size for e in es for size in sizes_of(e)])


def sizes_of(e: Any) -> list[int]:
    """How many cells a field has that sum to one: its labels, and missing, which is another label where its probability is estimated, and
    has density 1 by itself where it is ignored."""
    if not e.children():
        return [len(e.labels)]
    labels = len(e.estimator.labels)
    return [labels + 1] if e.est_prob else [labels, 1]


def cell_probabilities(law: Any, e: Any) -> np.ndarray:
    """The probabilities of the cells of a field's law."""
    if not e.children():
        table = law.stored("pmap")
        return np.asarray(table.lookup(e.labels, table.values_array, 0.0))
    labels = cell_probabilities(law.dist, e.estimator)
    missing = np.asarray(law.p)[..., None] if e.est_prob else np.ones((*law.batch, 1))
    return np.concatenate([labels * (1.0 - missing) if e.est_prob else labels, missing], axis=-1)


def law_of_cells(p: np.ndarray, e: Any) -> Any:
    """The law of a field from the probabilities of its cells. Labels that are always missing are all alike."""
    shape, given = p.shape[:-1], {"name": e.name, "keys": e.keys}
    if not e.children():
        return CategoricalDistribution.unchecked(shape, pmap=LabelMap(e.labels, p), default_value=e.chance_of_unseen(), **given)
    there = p[..., :-1].sum(axis=-1, keepdims=True)
    labels = np.where(there > 0, p[..., :-1] / np.where(there > 0, there, 1.0), 1.0 / len(e.estimator.labels))
    missing = p[..., -1] if e.est_prob else None
    dist = law_of_cells(labels, e.estimator)
    return OptionalDistribution.unchecked(shape, dist=dist, p=missing, missing_value=e.missing_value, **given)
