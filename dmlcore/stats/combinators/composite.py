"""Tuples of independent fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.domains import Domain
from dmlcore.base.errors import ParameterError, StructureError, inside
from dmlcore.core.declared import children, keys, name, parameter
from dmlcore.core.distribution import Distribution, as_values, typical_of
from dmlcore.core.estimator import Estimator, impossible_part
from dmlcore.core.partial import independent
from dmlcore.core.powers import HasMean, HasMode, HasQuantile, HasTypical, HasVariance, JointlyNormal, MayBeMissing, Redraws, has
from dmlcore.core.redraw import redrawn
from dmlcore.core.statistics import Node
from dmlcore.data.columns import Record
from dmlcore.data.layouts import Fields, Layout, Real
from dmlcore.stats.combinators.fields import Plan


class NamedFields:
    """What a record's law and its estimator have in common: the names of its fields."""

    field_names: tuple[str, ...] | None

    def __post_init__(self: Any) -> None:
        field = self._child_fields[0][0]
        nodes = self.__dict__[field]
        if isinstance(nodes, Mapping):
            self.derive(**{field: tuple(nodes.values()), "field_names": tuple(nodes)})
        super().__post_init__()  # type: ignore[misc]

    def validate(self: Any) -> None:
        """Checks that names are different texts; raises `ParameterError`."""
        names, count = self.field_names, len(self.children())
        if names is not None and not (len(names) == count == len(set(names)) and all(isinstance(name, str) for name in names)):
            raise ParameterError(f"{type(self).__name__}: field_names must be {count} different texts, one for each field, got {names!r}")

    def places(self: Any) -> list[str]:
        """How each field is reached: by its name."""
        return list(self.field_names or super().places())  # type: ignore[misc]

    def steps(self: Any) -> list[str]:
        """How messages name the way to each field: by its name."""
        return list(self.field_names or super().steps())  # type: ignore[misc]

    def layout_of(self: Any, nodes: Sequence[Any]) -> Fields:
        """The layout of a record whose fields these nodes read."""
        return Fields(self.label, tuple(node.layout for node in nodes), self.field_names)

    def record(self: Any, values: Sequence[Any]) -> Any:
        """Entries as a record: a tuple, or, where fields have names, a dict."""
        return tuple(values) if self.field_names is None else dict(zip(self.field_names, values, strict=True))

    def records(self: Any, columns: Sequence[Sequence[Any]]) -> list[Any]:
        """Columns as records."""
        rows = zip(*columns, strict=True)
        names = self.field_names
        return list(rows) if names is None else [dict(zip(names, row, strict=True)) for row in rows]

    def __repr__(self: Any) -> str:
        if self.field_names is None:
            return super().__repr__()
        fields = ", ".join(f"{name!r}: {node!r}" for name, node in zip(self.field_names, self.children(), strict=True))
        rest = [f", {field}={getattr(self, field)!r}" for field in ("keys", "name") if getattr(self, field) is not None]
        return f"{type(self).__name__}({{{fields}}}{''.join(rest)})"


class CompositeDistribution(NamedFields, Distribution, HasMean, HasVariance, HasMode, HasQuantile, HasTypical, JointlyNormal, Redraws):
    """A tuple `(x_0, ..., x_m)` of independent entries, with density `prod_j dists[j](x_j)`.

    dists: one distribution per entry; or a mapping of names to distributions. Fields with names are read from frames by name, in any order,
    from mappings, in which what is not there is missing, and from tuples in the order given; draws, means and so on are then dicts.
    field_names: the names.
    """

    dists: Any = children("field")
    name: str | None = name()
    keys: str | None = keys()
    field_names: tuple[str, ...] | None = parameter(Domain(), default=None, kw_only=True)

    takes_partial_rows = True

    @cached_property
    def layout(self) -> Layout:
        return self.layout_of(self.dists)

    @property
    def count(self) -> int:
        """The number of entries."""
        return len(self.dists)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        scored = [score(dist, field) for dist, field in zip(self.dists, column.fields, strict=True)]
        return sum_of([log for log, _ in scored]), [tape for _, tape in scored]

    def given(self, x: Any, n: int) -> Any:
        return independent(list(zip(self.dists, x.entries, strict=True)), n)

    def mean(self) -> Any:
        return each_of(self, "mean")

    def variance(self) -> Any:
        return each_of(self, "variance")

    def mode(self) -> Any:
        return each_of(self, "mode")

    def quantile(self, q: Any) -> Any:
        return each_of(self, "quantile", q)

    def typical(self) -> Any:
        return self.record(list(map(typical_of, self.dists)))

    def normal_of(self, coordinates: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        sides: list[Any] = [self.dists[j] for j in coordinates]
        values = [side.value_law() if has(side, MayBeMissing) else side for side in sides]
        if not all(has(value, JointlyNormal) and isinstance(value.layout, Real) for value in values):
            raise StructureError(f"{self.label}: fields {', '.join(map(str, coordinates))} are not all Gaussian")
        means, variances = zip(*(value.normal_of([0]) for value in values), strict=True)
        return np.concatenate(means), np.diag(np.ravel(variances))

    def interval(self, level: float = 0.9) -> Any:
        return each_of(self, "interval", level)

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        return self.records([as_values(dist.draw(size, rng)) for dist in self.dists])

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        layout: Any = self.layout
        entries = list(map(layout.entries, rows))
        return self.records([redrawn(dist, [row[j] for row in entries], rng) for j, dist in enumerate(self.dists)])

    def estimator(self, pseudo_count: Any = None) -> CompositeEstimator:
        each = tuple(dist.estimator(pseudo_count) for dist in self.dists)
        return CompositeEstimator(each, self.keys, self.name, field_names=self.field_names)

    def explain_zero_density(self, x: Any) -> str:
        layout: Any = self.layout
        for j, (dist, value) in enumerate(zip(self.dists, layout.entries(x), strict=True)):
            if dist.log_density(value) == -np.inf:
                return inside(layout.place(j), dist.explain_zero_density(value))
        return super().explain_zero_density(x)


def sum_of(logs: list[np.ndarray]) -> np.ndarray:
    """The sum of arrays of one shape, none of them written over."""
    if len(logs) == 1:
        return logs[0]
    total = logs[0] + logs[1]
    for log in logs[2:]:
        total += log
    return total


def each_of(node: Any, method: str, *args: Any) -> Any:
    """A method of every child, as a record. Raises `StructureError` if one does not have it."""
    for child in node.children():
        if not hasattr(child, method):
            raise StructureError(f"{node.label}: a {child.label} has no {method}()")
    return node.record([getattr(child, method)(*args) for child in node.children()])


class CompositeEstimator(NamedFields, Estimator):
    """Estimates each field on its own. estimators: one per entry of the tuple; or a mapping of names to estimators.

    field_names: the names; those of the columns of a frame that it is fitted on, where it has none.
    """

    estimators: Any = children("field")
    keys: str | None = keys()
    name: str | None = name()
    field_names: tuple[str, ...] | None = parameter(Domain(), default=None, kw_only=True)

    family = CompositeDistribution
    carried = ("name", "keys", "field_names")
    parted = ("estimators",)
    stacks = True

    @cached_property
    def layout(self) -> Layout:
        return self.layout_of(self.estimators)

    def open(self, column: Any, open: Any) -> Any:
        return [open(e, field) for e, field in zip(self.estimators, column.fields, strict=True)]

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(None, [send(e, t, weights) for e, t in zip(self.estimators, tape, strict=True)])

    def why_outside_support(self, x: Any) -> str | None:
        layout: Any = self.layout
        pairs = zip(self.estimators, layout.entries(x), strict=True)
        return impossible_part((layout.place(j), e.why_outside_support(value)) for j, (e, value) in enumerate(pairs))

    def columns_of_children(self, column: Any) -> tuple[Any, ...]:
        return column.fields if type(column) is Record else super().columns_of_children(column)

    def together_on(self, column: Any) -> Any:
        return Plan.of(self.estimators, column)

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> CompositeDistribution:
        return self.law(dists=children)
