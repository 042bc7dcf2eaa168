"""Observations that may be missing."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.domains import Absent, probability
from dmlcore.base.errors import StructureError, inside
from dmlcore.base.numerics import logs
from dmlcore.core.declared import child, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, as_values, typical_of
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.one import Otherwise
from dmlcore.core.partial import MISSING, ObservedRows, Outcomes, given
from dmlcore.core.powers import HasProbabilities, HasTypical, MayBeMissing, Redraws
from dmlcore.core.prior import PseudoCounts
from dmlcore.core.redraw import redrawn
from dmlcore.core.rowlaws import Fixed, RowLaw
from dmlcore.core.statistics import Node, beside
from dmlcore.core.weights import share
from dmlcore.data.layouts import Layout, Maybe
from dmlcore.data.record_layouts import Explained


class MaybeProbability(Absent):
    """None, or a probability."""

    need = "a probability in [0, 1] or None"
    axes = 0

    def check(self, value: Any) -> float | None:
        return None if value is None else probability.check(value)

    def free(self, value: Any) -> int:
        return 0 if value is None else probability.free(value)

    def flatten(self, value: Any) -> np.ndarray:
        return super().flatten(value) if value is None else probability.flatten(value)

    def unflatten(self, vector: np.ndarray, like: Any) -> Any:
        return None if like is None else probability.unflatten(vector, like)


class OptionalDistribution(Distribution, HasTypical, HasProbabilities, MayBeMissing, Redraws):
    """An observation of `dist` with probability 1 - p, missing with probability p.

    p: in [0, 1]; or None: missingness is ignored (missing at random), a missing value has log density 0 and a value that of `dist`,
    so the densities do not sum to one. missing_value: what stands for missing in samples; None, NaN, NaT, a frame's NA and what a mask
    hides are missing too, at any depth below, and so is an observation of a regression that lacks one of its parts. What is missing is
    so by the outermost Optional that reads it: where one of the same missing_value stands below, its p is not asked and counts for nothing.
    """

    dist: Distribution = child()
    p: float | None = parameter(MaybeProbability(), default=None)
    missing_value: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    shown_with_child = True

    @cached_property
    def layout(self) -> Layout:
        return Maybe(self.label, self.dist.layout, self.missing_value)

    @property
    def missing_or_there(self) -> np.ndarray:
        """Probabilities of missing and of present, `(2,)`."""
        p: Any = self.p
        return np.stack([p, 1 - p], axis=-1)

    @cached_property
    def log_shares(self) -> tuple[Any, Any]:
        """Log probabilities of missing and of present."""
        if self.p is None:
            return 0.0, 0.0
        if self.batch:
            return logs(self.p), logs(1 - self.p)
        return math.log(self.p) if self.p > 0 else -math.inf, math.log1p(-self.p) if self.p < 1 else -math.inf

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        value, tape = score(self.dist, column.value)
        missing, there = self.log_shares
        log = value + beside(there, value)
        if log.shape[-1] < len(column):
            inside, log = log, np.empty((*self.batch, len(column)))
            log[...] = beside(missing, log)
            log[..., column.present] = inside
        return log, (column.present, len(column), tape)

    def one(self, of: Any) -> Any:
        value, (missing, there) = of(self.dist), self.log_shares
        gone = np.empty((*self.batch, 1))
        gone[...] = beside(missing, gone)

        def missing_or_there(x: Any) -> np.ndarray:
            if x is None or (isinstance(x, float) and x != x):
                return gone
            if not isinstance(x, (float, int, str)) or x == self.missing_value:
                raise Otherwise
            log = value(x)
            return log + beside(there, log)

        return missing_or_there

    def given(self, x: Any, n: int) -> Any:
        missing, there = self.log_shares
        if x is MISSING:  # the law of the value it would have had
            return np.full(n, missing), Fixed(self.dist)
        if isinstance(x, ObservedRows):
            log = x.log_densities(self.dist, n)
            log[x.known] += there
            log[x.missing] = missing
            return log, Fixed(self.dist)
        if isinstance(x, Outcomes) and x.missing:
            return self._there_or_missing(x.there(), n)
        log, law = given(self.dist, x, n)
        lacks_response = isinstance(self.dist.layout, Explained) and MISSING in x.entries
        return log + (missing if lacks_response else there), law

    def _there_or_missing(self, event: Outcomes, n: int) -> tuple[np.ndarray, RowLaw]:
        """`given` where the value is missing, or in an event."""
        if self.p is None:
            raise StructureError(f"{self.label}: p is None, so nothing is said of how probable a missing value is")
        log, law = given(self.dist, event, n)
        (_, (inside,)), there = law.cases(0)[0], (1 - self.p) * math.exp(log[0])
        total = self.p + there
        return np.full(n, math.log(total) if total > 0 else -math.inf), Fixed(
            self.replace(dist=inside, p=self.p / total if total > 0 else 1.0)
        )

    def typical(self) -> Any:
        return typical_of(self.dist)

    def probabilities(self) -> dict[Any, float]:
        """Of missing and of each label."""
        table: dict[Any, float] = Fixed(self.dist).ask("probabilities")
        p = self.p or 0.0
        out = {label: (1.0 - p) * share for label, share in table.items()}
        return {**out, self.missing_value: out.get(self.missing_value, 0.0) + p}

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        present = np.flatnonzero(rng.random(size) >= (self.p or 0.0))
        out = np.full(size, None, dtype=object)
        out[:] = [self.missing_value] * size
        values = as_values(self.dist.draw(len(present), rng)) if len(present) else []
        out[present] = np.fromiter(values, dtype=object, count=len(values))
        return out.tolist()

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        layout: Any = self.layout
        there = layout.present(rows).tolist()
        values = iter(redrawn(self.dist, [row for row, present in zip(rows, there, strict=True) if present], rng))
        return [next(values) if present else row for row, present in zip(rows, there, strict=True)]

    def value_law(self) -> Distribution:
        return self.dist

    def missing_probability(self) -> float | None:
        return self.p

    def estimator(self, pseudo_count: Any = None) -> OptionalEstimator:
        inner = self.dist.estimator(pseudo_count)
        return OptionalEstimator(inner, self.missing_value, self.p is not None, pseudo_count, self.name, self.keys)

    def explain_zero_density(self, x: Any) -> str:
        layout: Any = self.layout
        if not layout.present([x])[0]:
            return f"{self.label}: a missing value has probability zero"
        return inside(f"({self.label})", self.dist.explain_zero_density(x))


def which_may_be_missing(estimator: Estimator) -> Estimator:
    """An estimator of values that may be missing: itself, where it takes missing ones, or else one that ignores missingness."""
    return estimator if estimator.layout.takes_missing else OptionalEstimator(estimator)


class OptionalEstimator(Estimator):
    """Estimates the law of the values that are there, and with est_prob the probability of missing.

    est_prob=False gives p=None: missingness is ignored. pseudo_count: pseudo-observations, half of them missing; the log prior is
    `pseudo_count / 2 (log p + log(1 - p))`.
    """

    estimator: Estimator = child()
    missing_value: Any = setting()
    est_prob: bool = setting(False)
    pseudo_count: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = OptionalDistribution
    shown_with_child = True
    stacks = True

    def validate(self) -> None:
        (count,) = pseudo_counts(self.pseudo_count, 1, "OptionalEstimator")
        self.derive(prior=PseudoCounts(np.full(2, count / 2), "missing_or_there") if count and self.est_prob else None)

    @cached_property
    def layout(self) -> Layout:
        return Maybe(self.label, self.estimator.layout, self.missing_value)

    def with_gaps(self, allow: Any) -> OptionalEstimator:
        return self.replace(estimator=self.estimator.with_gaps(allow))

    def why_outside_support(self, x: Any) -> str | None:
        layout: Any = self.layout
        why = self.estimator.why_outside_support(x) if layout.present([x])[0] else None
        return why and f"({self.label}).{why}"

    def open(self, column: Any, open: Any) -> Any:
        return column.present, len(column), open(self.estimator, column.value)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        present, n, inner = tape
        there, missing = weights, np.zeros(weights.shape[:-1])
        if len(present) < n:
            gone = np.ones(n, dtype=bool)
            gone[present] = False
            there, missing = np.ascontiguousarray(weights[..., present]), weights[..., gone].sum(axis=-1)
        return Node(np.stack([missing, there.sum(axis=-1)], axis=-1), [send(self.estimator, inner, there)])

    def assemble(self, own: np.ndarray, children: tuple[Any, ...], previous: Any = None) -> OptionalDistribution:
        p = None
        if self.est_prob:
            before = None if previous is None or previous.p is None else previous.missing_or_there
            p = share(self.with_prior(own), before)[..., 0]
        return self.law(dist=children[0], p=p, missing_value=self.missing_value)
