"""Numbers of which some are known only up to an interval: censored observations, as in survival times and detection limits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.core.declared import child, keys, name
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.nodes import distinct_nodes
from dmlcore.core.partial import Outcomes, given
from dmlcore.core.powers import NumbersWithin, Redraws, ResponsesWithin, has
from dmlcore.core.redraw import redrawn
from dmlcore.core.rowlaws import Atom, only
from dmlcore.core.statistics import Node
from dmlcore.core.walk import DistinctCache, Forward
from dmlcore.data.columns import Distinct, Record, Values
from dmlcore.data.intervals import ExplainedWithin, Interval
from dmlcore.data.layouts import Count, Layout
from dmlcore.data.record_layouts import Explained
from dmlcore.stats.combinators.ignored import MOMENTS
from dmlcore.stats.latent.truncated import TruncatedDistribution
from dmlcore.stats.univariate.intervals import check_of_numbers, check_quantiles, last_whole, least_whole, masses, spread

GIVEN = ("mean_given", "law_given", "sample_given")  # what a censored regression passes on


def interval_layout(node: Any, inner: Any) -> Layout:
    """The layout of numbers (or of rows of a regression) that a law, or an estimator, reads, of which some numbers are intervals."""
    read = inner.layout
    if isinstance(read, Explained):
        if not has(getattr(inner, "family", inner), ResponsesWithin):
            raise StructureError(
                f"{type(node).__name__}: responses of a {inner.label} cannot be intervals; those of a linear or Weibull regression can"
            )
        return ExplainedWithin(node.label, (read.values[0], Interval(node.label), *read.values[2:]))
    check_of_numbers(inner, type(node).__name__)
    return Interval(node.label, isinstance(read, Count))


def ends_in(column: Any) -> np.ndarray:
    """Both ends of the number (or response) of each row, `(n, 2)`."""
    if type(column) is Record:
        return ends_in(column.fields[1])
    table: Any = column.values if type(column) is Distinct else column
    return np.asarray(table.x[column.codes] if type(column) is Distinct else table.x)


def with_numbers(column: Any, rows: np.ndarray, x: np.ndarray, whole: bool) -> Any:
    """Some rows of a column, as the law reads them, with these numbers (or responses)."""
    numbers = Values(x.astype(np.int64) if whole else np.ascontiguousarray(x))
    if type(column) is not Record:
        return numbers
    given, _, *rest = column.fields
    return Record(len(rows), (given.take(rows), numbers, *(field.take(rows) for field in rest)))


def with_number(layout: Layout, x: Any, number: Any) -> Any:
    """One observation with this number (or response)."""
    return (x[0], number, *x[2:]) if isinstance(layout, Explained) else number


class CensoredTape:
    """What the way back needs: which rows are known `(n,)`, the tape of their numbers, and what makes of weights of the others `(m,)` the
    tape of numbers that stand for them, and their weights (None before there is a law)."""

    __slots__ = ("inner", "known", "within")

    def __init__(self, known: np.ndarray, inner: Any, within: Callable[[np.ndarray], tuple[Any, np.ndarray]] | None):
        self.known, self.inner, self.within = known, inner, within


class CensoredRows(Atom):
    """Numbers with the laws of an atom, any of which may be seen as an interval."""

    def __init__(self, numbers: Any):
        self.numbers = numbers

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        return [(w, (CensoredDistribution(law),)) for w, (law,) in self.numbers.cases(row)]

    def at(self, rows: np.ndarray) -> Atom:
        return CensoredRows(self.numbers.at(rows))

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        return self.numbers.draw(rows, rng)  # type: ignore[no-any-return]

    def ask(self, what: str, *args: Any) -> Any:
        return self.numbers.ask(what, *args)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        return self.numbers.log_densities(x)  # type: ignore[no-any-return]


class CensoredDistribution(Distribution, Redraws):
    """A number of `dist`, or an interval in which it lies: density `dist(x)` of a number x, and of a pair (low, high) the probability
    `P(low <= X <= high)`.

    A pair is open at an end that is None (or NaN, or infinite): `(5.0, None)` is a time that is at least 5, censored on the right,
    `(None, 0.1)` a value of at most 0.1, below a limit of detection. Which numbers are seen as intervals is not modelled, so densities do
    not sum to one; draws are numbers. dist: a law of single numbers, whole or real, with a distribution function and quantiles, a mixture
    too. Moments are those of `dist`. Or a linear or Weibull regression: observations are `(x, y)`, y a number or a pair (Tobin 1958).
    """

    dist: Distribution = child()
    name: str | None = name()
    keys: str | None = keys()

    def validate(self) -> None:
        if not isinstance(self.layout, Explained):
            check_quantiles(self.dist, type(self).__name__)
        self.complete()

    def complete(self) -> None:
        self.derive(plain=self.dist)  # as the engine may hold the law in another form, that has no quantiles

    def with_children(self, new: tuple[Any, ...]) -> Any:
        out = super().with_children(new)
        if not any(node.of_stacks for node in distinct_nodes(new[0])):
            out.complete()
        return out

    @cached_property
    def layout(self) -> Layout:
        return interval_layout(self, self.dist)

    @property
    def _whole(self) -> bool:
        return bool(getattr(self.layout, "whole", False))

    def __getattr__(self, name: str) -> Any:
        if name in MOMENTS or name in GIVEN:
            return getattr(self.dist, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, CensoredTape]:
        ends = ends_in(column)
        known = ends[:, 0] == ends[:, 1]
        sure, rest = np.flatnonzero(known), np.flatnonzero(~known)
        out = np.empty(len(ends))
        out[sure], tape = score(self.dist, with_numbers(column, sure, ends[sure, 0], self._whole))
        if type(column) is Record:
            law: Any = self
            out[rest], apart = law.plain.forward_within(with_numbers(column, rest, np.ones(len(rest)), False), *ends[rest].T)
            return out, CensoredTape(known, tape, lambda weights: (apart, np.where(out[rest] > -np.inf, weights, 0.0)))
        own = Forward(score.repeated, DistinctCache(), score.mix)
        out[rest], points = self._within(*ends[rest].T)

        def within(weights: np.ndarray) -> tuple[Any, np.ndarray]:
            there = (weights > 0) & (out[rest] > -np.inf)
            x, shares = points(there, weights[there])
            return own(self.dist, with_numbers(column, there, x, self._whole))[1], shares

        return out, CensoredTape(known, tape, within)

    def _within(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, Callable[..., Any]]:
        """Log probabilities of intervals; and what gives, of those of them that are there and their weights, the numbers that stand for
        them, and their weights."""
        law: Any = self
        if not has(law.plain, NumbersWithin):
            mass = masses(law.plain, low, high)
            with np.errstate(divide="ignore"):
                return np.log(mass), lambda there, w: self._points(low[there], high[there], mass[there], w)
        log, x = law.plain.numbers_within(low, high)
        return log, lambda there, w: (x[there].ravel(), np.repeat(w / x.shape[1], x.shape[1]))

    def _points(self, low: np.ndarray, high: np.ndarray, mass: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers that stand for those in the intervals, and their weights."""
        law: Any = self
        if not self._whole:
            return spread(law.plain, low, high, weights / mass)
        if not len(low):
            return np.zeros(0), np.zeros(0)
        least = least_whole(law.plain)
        finite = np.append(high[np.isfinite(high)], low[np.isfinite(low)])
        last = max(last_whole(law.plain, finite.max(initial=least)) if np.isinf(high).any() else finite.max(initial=least), least)
        grid = np.arange(least, int(last) + 1)
        first = np.clip(np.ceil(low), least, last + 1).astype(np.int64) - least
        beyond = np.clip(np.floor(high), least - 1, last).astype(np.int64) + 1 - least
        size = len(grid) + 1
        each = np.cumsum(np.bincount(first, weights / mass, size) - np.bincount(beyond, weights / mass, size))[:-1]
        return grid, np.maximum(each, 0.0) * np.exp(law.plain.seq_log_density(grid))

    def value_given(self, x: Any) -> Distribution:
        """The law of the number behind one observation that is an interval, such as `(5.0, None)`."""
        low, high = ends_in(self.seq_encode([x]).column)[0].tolist()
        if low == high:
            raise ParameterError(f"{self.label}: {x!r} is no interval")
        dist: Any = self.dist
        law = dist.law_given(x[0], *x[2:]) if isinstance(self.layout, Explained) else dist
        return TruncatedDistribution(law, low if low > -np.inf else None, high if high < np.inf else None)

    def draw(self, size: int, rng: np.random.Generator) -> Any:
        return self.dist.draw(size, rng)

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        return redrawn(self.dist, rows, rng)

    def given(self, x: Any, n: int) -> Any:
        if isinstance(x, Outcomes):
            return given(self.dist, x, n)
        if not isinstance(self.layout, Explained):
            return super().given(x, n)
        log, numbers = given(self.dist, x, n)
        return log, CensoredRows(only(numbers))

    def estimator(self, pseudo_count: Any = None) -> CensoredEstimator:
        return CensoredEstimator(self.dist.estimator(pseudo_count), self.name, self.keys)

    def explain_zero_density(self, x: Any) -> str:
        y = x[1] if isinstance(self.layout, Explained) else x
        low, high = y if isinstance(y, (tuple, list, np.ndarray)) else (y, y)
        return (
            self.dist.explain_zero_density(with_number(self.layout, x, low)) if low == high else f"{self.label}: {x!r} has probability zero"
        )


class CensoredEstimator(Estimator):
    """Maximum likelihood for a law of numbers of which some are known up to an interval, by EM: what is not known of a number is expected
    under the law within its interval.

    estimator: of the law of the numbers, or of a linear regression. Of reals, expectations are sums over points of the intervals, right to
    some ten digits or more; of whole numbers, Gaussians, their logarithms and regressions, they are exact.
    """

    estimator: Estimator = child()
    name: str | None = name()
    keys: str | None = keys()

    family = CensoredDistribution
    closed_form = False

    def validate(self) -> None:
        assert self.layout is not None  # or else it raises

    @cached_property
    def layout(self) -> Layout:
        return interval_layout(self, self.estimator)

    def open(self, column: Any, open: Any) -> CensoredTape:
        """Before there is a law, an interval stands for its middle, or for its one end."""
        whole = bool(getattr(self.layout, "whole", False))
        low, high = ends_in(column).T
        low, high = np.where(low == -np.inf, high, low), np.where(high == np.inf, low, high)
        middle = np.where(low == high, low, low / 2 + high / 2)
        rows = np.arange(len(low))
        return CensoredTape(
            low == low, open(self.estimator, with_numbers(column, rows, np.round(middle) if whole else middle, whole)), None
        )

    def backward(self, tape: CensoredTape, weights: np.ndarray, send: Any) -> Node:
        node = send(self.estimator, tape.inner, np.ascontiguousarray(weights[tape.known]))
        if tape.within is not None and not tape.known.all():
            node = node + send(self.estimator, *tape.within(weights[~tape.known]))
        return Node(None, [node])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> Any:
        return self.law(dist=children[0])

    def why_outside_support(self, x: Any) -> str | None:
        y = x[1] if isinstance(self.layout, Explained) else x
        low, high = y if isinstance(y, (tuple, list, np.ndarray)) else (y, y)
        return self.estimator.why_outside_support(with_number(self.layout, x, low)) if low == high else None
