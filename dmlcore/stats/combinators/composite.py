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
from dmlcore.core.one import Otherwise
from dmlcore.core.partial import independent
from dmlcore.core.powers import HasMean, HasMode, HasQuantile, HasTypical, HasVariance, JointlyNormal, MayBeMissing, Redraws, has
from dmlcore.core.redraw import redrawn
from dmlcore.core.row_columns import row_columns
from dmlcore.core.statistics import Node
from dmlcore.data.columns import Record
from dmlcore.data.layouts import Covariates, Layout, Real, Vector
from dmlcore.data.record_layouts import Fields, columns_of
from dmlcore.stats.combinators.fields import Plan


class NamedFields:
    """What a record's law and its estimator have in common: the names of its fields."""

    field_names: tuple[str | tuple[str, ...], ...] | None

    def __post_init__(self: Any) -> None:
        field = self._child_fields[0][0]
        nodes = self.__dict__[field]
        if isinstance(nodes, Mapping):
            self.derive(**{field: tuple(nodes.values()), "field_names": tuple(nodes)})
        super().__post_init__()  # type: ignore[misc]

    def validate(self: Any) -> None:
        """Checks that names are different texts, or tuples of them for vectors; raises `ParameterError`."""
        names, nodes, what = self.field_names, self.children(), type(self).__name__
        if names is None:
            return
        flat = [text for own in names for text in (own if isinstance(own, tuple) else (own,))]
        if not (len(names) == len(nodes) and all(names) and len(flat) == len(set(flat)) and all(isinstance(text, str) for text in flat)):
            raise ParameterError(f"{what}: field_names must be {len(nodes)} different texts, one for each field, got {names!r}")
        for own, node in zip(names, nodes, strict=True):
            if isinstance(own, tuple) and not reads_columns(node.layout, len(own)):
                raise ParameterError(f"{what}: {own!r} are the columns of a vector, so its field must read vectors of {len(own)}")

    def places(self: Any) -> list[str]:
        """How each field is reached: by its name."""
        return super().places() if self.field_names is None else [", ".join(columns_of(name)) for name in self.field_names]  # type: ignore[misc]

    def steps(self: Any) -> list[str]:
        """How messages name the way to each field: by its name."""
        return super().steps() if self.field_names is None else self.places()  # type: ignore[misc, no-any-return]

    def layout_of(self: Any, nodes: Sequence[Any]) -> Fields:
        """The layout of a record whose fields these nodes read."""
        return Fields(self.label, tuple(node.layout for node in nodes), self.field_names)

    def record(self: Any, values: Sequence[Any]) -> Any:
        """Entries as a record: a tuple, or, where fields have names, a dict."""
        return tuple(values) if self.field_names is None else self.layout.by_name(values)

    def records(self: Any, columns: Sequence[Sequence[Any]]) -> list[Any]:
        """Columns as records."""
        rows = zip(*columns, strict=True)
        names, layout = self.field_names, self.layout
        if names is None:
            return list(rows)
        return [dict(zip(names, row, strict=True)) for row in rows] if names == layout.names else list(map(layout.by_name, rows))

    def __repr__(self: Any) -> str:
        if self.field_names is None:
            return super().__repr__()
        fields = ", ".join(f"{name!r}: {node!r}" for name, node in zip(self.field_names, self.children(), strict=True))
        rest = [f", {field}={getattr(self, field)!r}" for field in ("keys", "name") if getattr(self, field) is not None]
        return f"{type(self).__name__}({{{fields}}}{''.join(rest)})"


class CompositeDistribution(NamedFields, Distribution, HasMean, HasVariance, HasMode, HasQuantile, HasTypical, JointlyNormal, Redraws):
    """A tuple `(x_0, ..., x_m)` of independent entries, with density `prod_j dists[j](x_j)`.

    dists: one distribution per entry; or a mapping of names to distributions. Fields with names are read from frames by name, in any order,
    from mappings, in which what is not there is missing, and from tuples in the order given; draws, means and so on are then dicts. A tuple
    of names, `("height", "weight")`, is a field that reads vectors over these columns; in tuples the vector is one entry.
    field_names: the names.
    """

    dists: Any = children("field")
    name: str | None = name()
    keys: str | None = keys()
    field_names: tuple[str | tuple[str, ...], ...] | None = parameter(Domain(), default=None, kw_only=True)

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

    def one(self, of: Any) -> Any:
        each, names = list(map(of, self.dists)), self.field_names or ()
        by_name = bool(names) and all(isinstance(name, str) for name in names)

        def entries(x: Any) -> np.ndarray:
            if by_name and type(x) is dict:
                x = list(map(x.get, names))
            elif type(x) not in (tuple, list) or len(x) != len(each):
                raise Otherwise
            return sum_of([one(value) for one, value in zip(each, x, strict=True)])

        return entries

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
        columns = row_columns(self.layout)
        paths = [columns[place].path for place in coordinates]
        mean, covar = np.zeros(len(paths)), np.zeros((len(paths), len(paths)))
        for j in dict.fromkeys(path[0] for path in paths):
            side: Any = self.dists[j]
            value = side.value_law() if has(side, MayBeMissing) else side
            mine = [place for place, path in enumerate(paths) if path[0] == j]
            if not has(value, JointlyNormal) or not (isinstance(value.layout, Real) or len(paths[mine[0]]) > 1):
                raise StructureError(f"{self.label}: fields {', '.join(map(str, coordinates))} are not all Gaussian")
            mean[mine], covar[np.ix_(mine, mine)] = value.normal_of([[*paths[place], 0][1] for place in mine])
        return mean, covar

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


def reads_columns(layout: Layout, count: int) -> bool:
    """Whether a layout reads vectors, or the ends of intervals, over so many columns."""
    if 1 < layout.width == count:
        return True
    return isinstance(layout, Vector) and not isinstance(layout, Covariates) and layout.dim in (None, count)


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

    A tuple of names, `("height", "weight")`, is a field that reads vectors over these columns.

    field_names: the names; those of the columns of a frame that it is fitted on, where it has none.
    """

    estimators: Any = children("field")
    keys: str | None = keys()
    name: str | None = name()
    field_names: tuple[str | tuple[str, ...], ...] | None = parameter(Domain(), default=None, kw_only=True)

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
