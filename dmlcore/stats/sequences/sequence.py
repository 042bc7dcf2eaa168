"""Sequences of independent, identically distributed elements."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.numerics import by_rows
from dmlcore.core.declared import check_node, child, keys, name, setting
from dmlcore.core.distribution import Distribution, as_values, cut, typical_of
from dmlcore.core.estimator import Estimator
from dmlcore.core.one import as_a_column
from dmlcore.core.partial import independent
from dmlcore.core.powers import HasTypical, InWords, Redraws
from dmlcore.core.redraw import redrawn
from dmlcore.core.statistics import Node
from dmlcore.core.words import list_in_words
from dmlcore.data.layouts import Layout
from dmlcore.data.sequences import Repeated
from dmlcore.stats.combinators.ignored import IgnoredEstimator
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator

FEW_ELEMENTS = 32  # of a list alone, whose elements are sooner scored one by one


class SequenceDistribution(Distribution, HasTypical, InWords, Redraws):
    """A list `[x_1, ..., x_n]` with density `len_dist(n) prod_i dist(x_i)`.

    dist: the law of each element. len_dist: the law of the length, a distribution of whole numbers; the default says nothing.
    """

    dist: Distribution = child()
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    len_normalized: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    def validate(self) -> None:
        check_not_normalized(self)

    @cached_property
    def layout(self) -> Layout:
        return Repeated(self.label, self.dist.layout, self.len_dist.layout)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        return scored_together(column.offsets, score(self.dist, column.flat), score(self.len_dist, column.lengths))

    def one(self, of: Any) -> Any:
        element, length, as_many = of(self.dist), of(self.len_dist), as_a_column(self)

        def elements(x: Any) -> np.ndarray:
            if type(x) not in (list, tuple) or len(x) > FEW_ELEMENTS:
                return as_many(x)
            each = np.concatenate([np.empty((*self.batch, 0)), *map(element, x)], axis=-1)
            return scored_together(np.array([0, len(x)]), (each, None), (length(len(x)), None))[0]

        return elements

    def given(self, x: Any, n: int) -> Any:
        log, law = independent([(self.dist, entry) for entry in x.entries], n)
        return log + self.len_dist.log_density(len(x.entries)), law

    def typical(self) -> list[Any]:
        return [typical_of(self.dist)] * typical_length(self)

    def in_words(self) -> str:
        return list_in_words(self.dist, self.len_dist)

    def draw(self, size: int, rng: np.random.Generator) -> list[list[Any]]:
        lengths = drawn_lengths(self, size, rng)
        return cut(as_values(self.dist.draw(int(lengths.sum()), rng)), lengths)

    @cached_property
    def given_covariates(self) -> bool:
        return self.len_dist.says_nothing or self.dist.given_covariates

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        flat = iter(redrawn(self.dist, [value for row in rows for value in row], rng))
        return [[next(flat) for _ in row] for row in rows]

    def estimator(self, pseudo_count: Any = None) -> SequenceEstimator:
        inner, length = self.dist.estimator(pseudo_count), self.len_dist.estimator(pseudo_count)
        return SequenceEstimator(inner, length, name=self.name, keys=self.keys)

    def explain_zero_density(self, x: Any) -> str:
        return blame_element(self, x, self.dist)


class SequenceEstimator(Estimator):
    """Estimates the law of the elements from all of them, and that of the lengths.

    len_estimator: of the length. len_dist: a fixed law of the length instead.
    """

    estimator: Estimator = child()
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    len_dist: Any = setting()
    len_normalized: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    family = SequenceDistribution
    stacks = True
    parted = ("estimator",)

    def validate(self) -> None:
        check_not_normalized(self)
        fix_length(self)

    @cached_property
    def layout(self) -> Layout:
        return Repeated(self.label, self.estimator.layout, self.len_estimator.layout)

    def why_outside_support(self, x: Any) -> str | None:
        return impossible_element(self, x, self.estimator.why_outside_support)

    def open(self, column: Any, open: Any) -> Any:
        return column.offsets, open(self.estimator, column.flat), open(self.len_estimator, column.lengths)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        offsets, inner, length = tape
        elements = send(self.estimator, inner, by_rows(kernels.repeat_rows, weights, offsets))
        return Node(None, [elements, send(self.len_estimator, length, weights)])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> SequenceDistribution:
        return self.law(dist=children[0], len_dist=children[1])


def scored_together(offsets: np.ndarray, elements: tuple[np.ndarray, Any], lengths: tuple[np.ndarray, Any]) -> tuple[np.ndarray, Any]:
    """Log densities of lists `(.., n)` and the tape, from those of all their elements `(.., N)` and of their lengths `(.., n)`."""
    log = by_rows(kernels.segment_sum, elements[0], offsets)
    log += lengths[0]
    return log, (offsets, elements[1], lengths[1])


def impossible_element(estimator: Any, x: Any, impossible: Any) -> str | None:
    """The first element that is impossible, and why."""
    reasons = ((i, impossible(value)) for i, value in enumerate(x))
    return next((f"element {i} of {estimator.label}, {why}" for i, why in reasons if why), None)


def check_not_normalized(node: Any) -> None:
    """Dividing a log density by the length gives no density; refused."""
    if node.len_normalized:
        need = "len_normalized must be False: a log density divided by the length is none. Leave it out, and divide where scores are"
        raise ParameterError(f"{type(node).__name__}: {need} compared: model.seq_log_density(x) / [max(len(row), 1) for row in x]")


def fix_length(estimator: Any) -> None:
    """A given `len_dist` stands in for the estimator of lengths."""
    if estimator.len_dist is None:
        return
    if not isinstance(estimator.len_estimator, (NullEstimator, IgnoredEstimator)):
        raise ParameterError(f"{type(estimator).__name__}: give len_estimator or len_dist, not both")
    check_node(estimator.len_dist, Distribution.noun, f"{type(estimator).__name__}: len_dist")
    estimator.derive(len_estimator=IgnoredEstimator(estimator.len_dist))


def drawn_lengths(node: Any, size: int, rng: np.random.Generator) -> np.ndarray:
    """Lengths drawn from `len_dist`. Raises `StructureError` where there is none."""
    if isinstance(node.len_dist, NullDistribution):
        raise StructureError(f"{node.label}: has no len_dist, so lengths cannot be drawn; give it one")
    drawn = node.len_dist.draw(size, rng)
    lengths = np.asarray(drawn if isinstance(drawn, np.ndarray) or all(isinstance(n, int) for n in drawn) else [np.nan])
    if len(lengths) and (lengths.ndim > 1 or lengths.dtype.kind not in "iu" or lengths.min() < 0):
        raise StructureError(f"{node.label}: len_dist must draw whole numbers >= 0")
    return lengths.astype(np.int64)


def typical_length(node: Any) -> int:
    """The most probable length. Raises `StructureError` where there is no law of it."""
    if isinstance(node.len_dist, NullDistribution):
        raise StructureError(f"{node.label}: has no len_dist, so no length is typical; give it one")
    return round(float(typical_of(node.len_dist)))


def blame_element(node: Any, x: Any, dist: Distribution) -> str:
    """Which element, or the length, has no density."""
    for i, value in enumerate(x):
        if dist.log_density(value) == -np.inf:
            return f"element {i} of {node.label}, {dist.explain_zero_density(value)}"
    return f"length of {node.label}, {node.len_dist.explain_zero_density(len(x))}"
