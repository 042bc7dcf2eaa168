"""Like fields of a record read together, in a fit.

What a `CompositeEstimator` becomes in a stack (`dmlcore.core.stacks`): a hundred fields of one kind are scored by one kernel, or one gather
and one scatter, not by one a field (`like_fields`, `label_fields`). The laws of the fields are taken apart again when somebody looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.core.declared import children, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.statistics import Node
from dmlcore.data.columns import Record
from dmlcore.data.layouts import Anything
from dmlcore.stats.combinators.label_fields import LabelFieldsEstimator
from dmlcore.stats.combinators.like_fields import NumberFieldsEstimator, RealFieldsEstimator

MOST = 1 << 24  # numbers of like fields that are copied side by side
LIKE = 8  # groups of like fields, the last ones, to which a further field is held

READ_TOGETHER: tuple[Any, ...] = (RealFieldsEstimator, LabelFieldsEstimator, NumberFieldsEstimator)


class TogetherDistribution(Distribution):
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


class TogetherEstimator(Estimator):
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

    def _column(self, record: Any, kind: Any, fields: list[int]) -> Any:
        columns = [record.fields[j] for j in fields]
        return columns[0] if kind is None else kind.column(columns, self._of(fields))

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
