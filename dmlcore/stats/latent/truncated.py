"""Numbers that are seen only within a range: truncated laws."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.domains import Absent, real
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.random import Random, generator
from dmlcore.base.support import Support
from dmlcore.core.declared import child, keys, name, parameter
from dmlcore.core.distribution import Distribution, as_values
from dmlcore.core.estimator import Estimator
from dmlcore.core.nodes import distinct_nodes
from dmlcore.core.partial import UNKNOWN, Outcomes, Parts, given, narrowed
from dmlcore.core.powers import Redraws, ResponsesWithin, has
from dmlcore.core.redraw import redrawn
from dmlcore.core.rowlaws import Atom, EachRow, Product
from dmlcore.core.statistics import Node
from dmlcore.data.columns import Record, Values
from dmlcore.data.layouts import Count, Layout
from dmlcore.data.record_layouts import Explained
from dmlcore.stats.combinators.powers_of_law import PowersOfLaw
from dmlcore.stats.latent.numbers_read import numbers_in
from dmlcore.stats.univariate.intervals import (
    check_of_numbers,
    check_quantiles,
    is_whole_law,
    last_whole,
    least_whole,
    masses,
    nodes_within,
)

LEAST_MASS = 1e-12  # a law that has less probability in the range is none that could be truncated to it
MOST_BELOW = 10_000  # counts below the range of a regression, which are gone through one by one
DRAW_ROUNDS = 1000  # rounds of draws until all are in the range


class Limit(Absent):
    """A finite real, or None: no limit."""

    need = "a finite real number or None"
    axes = 0

    def check(self, value: Any) -> float | None:
        return None if value is None else real.check(value)

    def free(self, value: Any) -> int:
        return 0

    def flatten(self, value: Any) -> np.ndarray:
        return np.zeros(0)

    def unflatten(self, vector: np.ndarray, like: Any) -> Any:
        return like


class TruncatedTape:
    """What the way back needs: which rows are in the range, the tape of the law, and what stands for the numbers out of it: pairs of a tape
    and the expected count of each of its rows for one row that was seen, `(m,)` for all rows alike, or `(n,)` for each row its own."""

    __slots__ = ("inner", "inside", "outside")

    def __init__(self, inner: Any, inside: np.ndarray, outside: list[tuple[Any, np.ndarray]]):
        self.inner, self.inside, self.outside = inner, inside, outside


class _Ranged:
    """What the law and its estimator have in common: the range."""

    low: float | None
    high: float | None

    @property
    def inner(self) -> Any:
        """The law, or estimator, that is truncated."""
        raise NotImplementedError

    @cached_property
    def layout(self) -> Layout:
        """That of the law."""
        return self.inner.layout  # type: ignore[no-any-return]

    @property
    def least(self) -> float:
        """The lower end of the range."""
        return -math.inf if self.low is None else self.low

    @property
    def most(self) -> float:
        """The upper end of the range."""
        return math.inf if self.high is None else self.high

    @cached_property
    def support(self) -> Support:
        """The range."""
        return Support(f"numbers from {self.least:g} to {self.most:g}", self.least, self.most)

    def check_range(self) -> None:
        """Raises where there is no range, or the law is not of numbers."""
        who = type(self).__name__
        if not self.least < math.inf or not self.least <= self.most or (self.low is None and self.high is None):
            raise ParameterError(f"{who}: give low, high, or both, low <= high, got low={self.low!r}, high={self.high!r}")
        if not isinstance(self.layout, Explained):
            check_of_numbers(self.inner, who)
        elif self.counts_responses:
            if self.low is None or self.high is not None:
                raise StructureError(f"{who}: regressions of counts are truncated at their lower end alone")
            if self.least > MOST_BELOW:
                raise ParameterError(f"{who}: low of a regression of counts must be at most {MOST_BELOW}, got {self.low!r}")
        elif not has(getattr(self.inner, "family", self.inner), ResponsesWithin):
            raise StructureError(f"{who}: a {self.inner.label} cannot be truncated; linear, Weibull and count regressions can")

    @property
    def counts_responses(self) -> bool:
        """Whether a regression is of counts."""
        layout: Any = self.layout
        return isinstance(layout.values[1], Count)

    def within(self, column: Any) -> np.ndarray:
        """Which rows are in the range `(n,)`."""
        x = numbers_in(column, self.layout)
        return (x >= self.least) & (x <= self.most)

    def why_outside(self: Any, x: Any) -> str | None:
        """Why one raw observation is out of the range, or None."""
        of, y = ("the response ", x[1]) if isinstance(self.layout, Explained) else ("", x)
        need = f"it needs numbers from {self.least:g} to {self.most:g}"
        return None if self.least <= y <= self.most else f"{self.label}: {of}{y!r} has density zero; {need}"


class TruncatedDistribution(_Ranged, PowersOfLaw, Distribution, Redraws):
    """A number of `dist` that is seen only if it lies from low to high: density `dist(x) / P(low <= X <= high)` there, and zero elsewhere.

    dist: a law of single numbers, whole or real, with a distribution function and quantiles; or a linear or Weibull regression; or one of
    counts, which may have a lower end alone: `low=1` is the zero-truncated one. low, high: the ends, which belong to the range; None leaves
    one open. Raises `ParameterError` without any, and where the law has a probability below 1e-12 in the range.
    """

    dist: Distribution = child()
    low: float | None = parameter(Limit(), default=None)
    high: float | None = parameter(Limit(), default=None)
    name: str | None = name()
    keys: str | None = keys()

    def validate(self) -> None:
        self.check_range()
        self.complete()

    @property
    def inner(self) -> Any:
        return self.dist

    # What follows from the law stands beside it: the engine may hold the law in another form, that has no quantiles.

    def complete(self) -> None:
        if isinstance(self.layout, Explained):
            return
        check_quantiles(self.dist, type(self).__name__)
        if is_whole_law(self.dist):
            x, expected = self._outside_whole()
            mass = 1.0 - expected.sum() if len(x) != 1 else -math.expm1(self.dist.log_density(x[0]))  # a law near zero keeps its digits
        else:
            x, expected = self._outside_real()
            mass = float(masses(self.dist, [self.least], [self.most])[0])
        if not mass >= LEAST_MASS:
            raise ParameterError(f"{type(self).__name__}: {self.dist!r} has no probability from {self.least:g} to {self.most:g}")
        self.derive(log_mass=math.log(mass), outside=Values(x), expected=expected / mass)

    def _outside_whole(self) -> tuple[np.ndarray, np.ndarray]:
        """Whole numbers out of the range, and their probabilities."""
        law, parts = self.dist, [np.zeros(0, dtype=np.int64)]
        if self.low is not None:
            parts.append(np.arange(least_whole(law), math.ceil(self.low)))
        if self.high is not None:
            parts.append(np.arange(math.floor(self.high) + 1, last_whole(law, self.high)))
        x = np.concatenate(parts).astype(np.int64)
        return x, np.exp(law.seq_log_density(x))

    def _outside_real(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers that stand for those out of the range, and their probabilities."""
        low, high = np.array(self._sides()).T
        return nodes_within(self.dist, low, high)[:2]

    def with_children(self, new: tuple[Any, ...]) -> Any:
        out = super().with_children(new)
        if not any(node.of_stacks for node in distinct_nodes(new[0])):
            out.complete()
        return out

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, TruncatedTape]:
        log, tape = score(self.dist, column)
        inside = self.within(column)
        if isinstance(self.layout, Explained):
            log_mass, outside = self._outside_of_rows(column, score)
        else:
            law: Any = self
            log_mass, outside = law.log_mass, [(score(self.dist, law.outside)[1], law.expected)] if len(law.outside) else []
        with np.errstate(invalid="ignore"):  # at covariates so far away that no number in the range has a probability
            log = np.where(inside & np.isfinite(log_mass), log - log_mass, -np.inf)
        return log, TruncatedTape(tape, inside, outside)

    def _outside_of_rows(self, column: Any, score: Any) -> Any:
        """Of a regression: log probabilities of the range `(n,)`, and what stands for the numbers out of it: of reals a tape for each side,
        of counts one for each of those below."""
        n = len(column)
        if self.counts_responses:
            scored = [score(self.dist, with_response(column, v)) for v in range(math.ceil(self.least))]
            out = np.logaddexp.reduce(np.array([np.full(n, -np.inf), *(log for log, _ in scored)]), axis=0)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                log_mass = np.log(-np.expm1(np.minimum(out, 0.0)))
        else:
            scored = [self._between(column, low, high) for low, high in self._sides()]
            log_mass = self._between(column, self.least, self.most)[0]
        with np.errstate(invalid="ignore", over="ignore"):
            there = np.isfinite(log_mass)
            return log_mass, [(tape, np.where(there, np.minimum(np.exp(log - log_mass), 1.0 / LEAST_MASS), 0.0)) for log, tape in scored]

    def _between(self, column: Any, low: float, high: float) -> tuple[np.ndarray, Any]:
        """Of a regression of reals: log probabilities of the numbers between two ends `(n,)`, and the tape of what stands for them."""
        law: Any = self.dist
        return law.forward_within(column, np.full(len(column), low), np.full(len(column), high))  # type: ignore[no-any-return]

    def _sides(self) -> list[tuple[float, float]]:
        """The two ends of what is out of the range on either side, where anything is."""
        ends = [(-math.inf, self.least), (self.most, math.inf)]
        return [(a, b) for a, b in ends if a < b and (b < math.inf or a > -math.inf)]

    # -- moments, where the law has them -------------------------------------------------------------------------------

    def _within(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers in the range, and shares that stand for the law there."""
        law = self.dist
        if is_whole_law(law):
            high = last_whole(law, self.least) if self.high is None else min(math.floor(self.high), last_whole(law, self.least))
            x = np.arange(max(least_whole(law), math.ceil(self.least)) if self.low is not None else least_whole(law), high + 1)
            return x, np.exp(self.seq_log_density(x))
        x, p, _ = nodes_within(law, np.array([self.least]), np.array([self.most]))
        return x, p / p.sum()

    def _mean(self) -> float:
        x, share = self._within()
        return float(share @ x)

    def _variance(self) -> float:
        x, share = self._within()
        return float(share @ (x - share @ x) ** 2)

    def _mode(self) -> Any:
        law: Any = self.dist
        mode, whole = law.mode(), is_whole_law(law)
        if mode < self.least:
            return math.ceil(self.least) if whole else self.least
        return mode if mode <= self.most else math.floor(self.most) if whole else self.most

    def _entropy(self) -> float:
        x, share = self._within()
        log = self.seq_log_density(x)
        return -float(share[share > 0] @ log[share > 0])

    def _cdf(self, x: Any) -> Any:
        x = np.asarray(x, dtype=np.float64)
        inside = masses(self.dist, np.full(x.shape, self.least), np.clip(x, self.least, self.most)) / math.exp(self.log_mass)  # type: ignore[attr-defined]
        return np.where(x < self.least, 0.0, np.where(x >= self.most, 1.0, np.minimum(inside, 1.0)))[()]

    def _quantile(self, q: Any) -> Any:
        law: Any = self.dist
        q = np.asarray(q, dtype=np.float64)
        before = math.ceil(self.least) - 1.0 if is_whole_law(law) and self.low is not None else self.least
        start = float(law.cdf(before)) if self.low is not None else 0.0
        mass = math.exp(self.log_mass)  # type: ignore[attr-defined]
        level = start + np.clip(q, 0.0, 1.0) * mass
        most = math.floor(self.most) if is_whole_law(law) and self.high is not None else self.most
        out = np.clip(law.quantile(np.minimum(level, 1.0)), self.least, most)
        if is_whole_law(law):  # rounding of levels may have moved them across a step
            out = np.where((out > self.least) & (self._cdf(out - 1) >= q), out - 1, out)
            out = np.where((self._cdf(out) < q) & (out < most), out + 1, out)
        return np.where((q >= 0) & (q <= 1), np.where(q == 1, min(most, float(law.quantile(1.0))), out), np.nan)[()]

    # -- draws, and what is partly known -------------------------------------------------------------------------------

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        if isinstance(self.layout, Explained):
            return self.dist.draw(size, rng)  # type: ignore[no-any-return]
        if self.log_mass < math.log(0.02):  # type: ignore[attr-defined]
            drawn = np.asarray(self._quantile(rng.random(size)))
            return drawn.astype(np.int64) if is_whole_law(self.dist) else drawn
        out = np.asarray(self.dist.draw(size, rng))
        while len(again := np.flatnonzero(~((out >= self.least) & (out <= self.most)))):
            out[again] = self.dist.draw(len(again), rng)
        return out

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        if not isinstance(self.layout, Explained):
            return as_values(self.draw(len(rows), rng))
        out = list(rows)
        again = list(range(len(rows)))
        for _ in range(DRAW_ROUNDS):
            for i, row in zip(again, redrawn(self.dist, [rows[i] for i in again], rng), strict=True):
                out[i] = row
            again = [i for i in again if not self.least <= out[i][1] <= self.most]
            if not again:
                return out
        raise StructureError(f"{self.label}: after {DRAW_ROUNDS} rounds draws are out of the range, which is hardly ever reached")

    def given(self, x: Any, n: int) -> Any:
        if isinstance(x, Outcomes):
            return super().given(x, n)
        covariates, number, *more = x.entries  # of a regression, whose response is not known, but for an event
        log, law = given(self.dist, Parts([covariates, UNKNOWN, *more]), n)
        parts = law.parts if isinstance(law, Product) else [law]
        if len(parts) != 1 or not isinstance(parts[0], Atom):
            raise StructureError(f"{self.label}: conditioning is not available for a {self.dist.label}; draw from the model instead")
        laws = EachRow([TruncatedDistribution(parts[0].cases(row)[0][1][0], self.low, self.high) for row in range(n)])
        return narrowed(log, laws, {0: number} if isinstance(number, Outcomes) else {}, n)

    # -- of regressions ------------------------------------------------------------------------------------------------

    def mean_given(self, x: Any, offset: Any = None, trials: Any = None) -> np.ndarray:
        """Of a regression: the mean response `(n,)` at covariates `(n, p)`; with trials, the mean number of successes."""
        law = self.regression()
        if not self.counts_responses:
            offsets = [None] * len(x) if offset is None else np.broadcast_to(offset, len(x)).tolist()
            return np.array([self.law_given(row, own).mean() for row, own in zip(x, offsets, strict=True)])
        rows = self._rows(x, offset, trials)
        mean = np.asarray(law.mean_given(x, offset)) * (1 if trials is None else np.asarray(trials))
        mass = np.ones(len(rows))
        for v in range(math.ceil(self.least)):
            p = np.exp(self.dist.seq_log_density([(row[0], v, *row[2:]) for row in rows]))
            mean, mass = mean - v * p, mass - p
        return mean / mass  # type: ignore[no-any-return]

    def law_given(self, x: Any, offset: Any = None, trials: Any = None) -> Any:
        """Of a regression: the law of y at one x `(p,)`."""
        return TruncatedDistribution(self.regression().law_given(x, offset, trials), self.low, self.high)

    def sample_given(self, x: Any, rng: Random = None, offset: Any = None, trials: Any = None) -> np.ndarray:
        """Of a regression: one response for each row of covariates `(n, p)`."""
        return np.array([row[1] for row in self.redraw(self._rows(x, offset, trials), generator(rng))])

    def _rows(self, x: Any, offset: Any, trials: Any) -> list[Any]:
        """Rows of the regression at covariates, whose response is to be drawn."""
        self.regression()
        x = list(np.asarray(x, dtype=np.float64))
        more = [np.broadcast_to(value, len(x)).tolist() for value in (trials, offset) if value is not None]
        return list(zip(x, [0] * len(x), *more, strict=True))

    def estimator(self, pseudo_count: Any = None) -> TruncatedEstimator:
        return TruncatedEstimator(self.dist.estimator(pseudo_count), self.low, self.high, self.name, self.keys)

    def explain_zero_density(self, x: Any) -> str:
        return self.why_outside(x) or self.dist.explain_zero_density(x)


def with_response(column: Record, y: int) -> Record:
    """Rows of a regression with another response, the same in all."""
    x, _, *rest = column.fields
    return Record(len(column), (x, Values(np.full(len(column), y, dtype=np.int64)), *rest))


class TruncatedEstimator(_Ranged, Estimator):
    """Maximum likelihood for a truncated law by EM: numbers out of the range are what is missing, and for each that was seen as many of
    them are expected as the law has (Dempster, Laird and Rubin 1977, section 4.2). Where most of a law is out of range, steps are small.

    estimator: of the law that is truncated. low, high: as for the distribution.
    """

    estimator: Estimator = child()
    low: float | None = parameter(Limit(), default=None)
    high: float | None = parameter(Limit(), default=None)
    name: str | None = name()
    keys: str | None = keys()

    family = TruncatedDistribution
    closed_form = False

    def validate(self) -> None:
        self.check_range()

    @property
    def inner(self) -> Any:
        return self.estimator

    def open(self, column: Any, open: Any) -> TruncatedTape:
        return TruncatedTape(open(self.estimator, column), self.within(column), [])

    def backward(self, tape: TruncatedTape, weights: np.ndarray, send: Any) -> Node:
        weights = np.where(tape.inside, weights, 0.0)
        total, node, of_rows = weights.sum(), send(self.estimator, tape.inner, weights), isinstance(self.layout, Explained)
        for part, expected in tape.outside:
            node = node + send(self.estimator, part, expected * (weights if of_rows else total))
        return Node(None, [node])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> Any:
        return self.law(dist=children[0], low=self.low, high=self.high)

    def why_outside_support(self, x: Any) -> str | None:
        return self.why_outside(x) or self.estimator.why_outside_support(x)

    def covers(self, column: Any) -> bool:
        return bool(self.within(column).all())

    def is_feasible(self, distribution: Any) -> bool:
        return bool(distribution.low == self.low and distribution.high == self.high)
