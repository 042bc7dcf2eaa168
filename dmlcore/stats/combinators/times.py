"""Dates, times and durations, by the law of the number that each of them is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.domains import Domain
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.labels import plain
from dmlcore.base.records import dataclass
from dmlcore.core.declared import child, keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.partial import Outcomes, given
from dmlcore.core.powers import OnScale
from dmlcore.core.rowlaws import Fixed, RowLaw
from dmlcore.core.statistics import Node, saved_as
from dmlcore.data.layouts import Layout, Real
from dmlcore.data.times import DATES, DURATIONS, EPOCHS, TIMES, UNITS, Times, TimeScale

OF_TIMES, OF_NUMBERS = ("mean", "mode", "quantile"), ("variance", "entropy")  # what the law of the number says: a time, or a number


class Unit(Domain):
    """A unit of time, by the name that NumPy has for it."""

    need = f"one of {', '.join(UNITS)} (weeks, days, hours, minutes, seconds and parts of them)"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or value not in UNITS:
            raise self.fail(value)
        return value


class Origin(Domain):
    """None, or a date or a time, which is stored as ISO text; with a time zone, in UTC."""

    need = "None, or a date or a time, such as '2020-01-31' or '2020-01-31T12:00:00', to the microsecond"

    def check(self, value: Any) -> str | None:
        if value is None:
            return None
        try:
            moment = _parsed(value) if isinstance(value, str) else plain(value)
        except ValueError:
            raise self.fail(value) from None
        if not isinstance(moment, date) or hasattr(moment, "nanosecond"):
            raise self.fail(value)
        if isinstance(moment, datetime) and moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
        return moment.isoformat()


def _parsed(text: str) -> date:
    return date.fromisoformat(text) if len(text) == len("2020-01-31") else datetime.fromisoformat(text)


class TimeDistribution(Distribution, OnScale):
    """A point of time `t = origin + x unit`, or a duration `t = x unit`, where the number x has the law `dist`.

    dist: a law of one real number. unit: what x counts: W, D, h, m, s, ms, us or ns. origin: where it counts from, a date or a time, or
    ISO text of one; None: t is a duration. The density is that of x: of t, it is one per unit. What is drawn (means, quantiles and modes
    too) has the form of the origin: a date, to the nearest day; a time, to the microsecond; a time of UTC, where it has a time zone.
    The variance is in squared units. A duration or a date is read exactly, whatever its own unit.
    Raises `ParameterError` for an unknown unit, and for a law of anything but one real number.
    """

    dist: Distribution = child()
    unit: str = parameter(Unit(), default="D")
    origin: str | None = parameter(Origin(), default=None)
    name: str | None = name()
    keys: str | None = keys()

    shown_with_child = True

    def validate(self) -> None:
        check_real(self, self.dist, "dist")

    @cached_property
    def scale(self) -> TimeScale:
        """How times are numbers."""
        return TimeScale(self.unit, self.origin)

    @cached_property
    def layout(self) -> Layout:
        return Times(self.label, self.scale.kind)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        log, tape = score(self.dist, column.numbers(self.scale))
        return log, (column.kind, tape)

    def given(self, x: Outcomes, n: int) -> tuple[np.ndarray, RowLaw]:
        log, law = given(self.dist, x.moved(self.scale.number), n)
        ((_, (inside,)),) = law.cases(0)
        return log, Fixed(self.replace(dist=inside))

    def number_law(self) -> Distribution:
        return self.dist

    def mean_and_deviation(self) -> tuple[str, str]:
        return self.scale.in_words(float(self.dist.mean()), float(self.dist.variance()) ** 0.5)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        if name not in (*OF_TIMES, *OF_NUMBERS, "cdf"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        answer = getattr(self.dist, name)
        if name in OF_NUMBERS:
            return answer
        return (lambda x: answer(self.scale.number(x))) if name == "cdf" else lambda *args: self.scale.time(answer(*args))

    def draw(self, size: int, rng: np.random.Generator) -> Any:
        return self.scale.times(self.dist.draw(size, rng))

    def estimator(self, pseudo_count: Any = None) -> TimeEstimator:
        return TimeEstimator(self.dist.estimator(pseudo_count), self.unit, self.origin, self.name, self.keys)

    def explain_zero_density(self, x: Any) -> str:
        return f"{self.label}: {x!r} has density zero; {self.dist.explain_zero_density(self.scale.number(x))}"


@saved_as("times", "kind")
@dataclass(frozen=True)
class KindOfTimes:
    """Which kind of times the rows hold; the kind of all is that of dates and times where some are either."""

    kind: str | None  # None: there are none

    def __add__(self, other: KindOfTimes) -> KindOfTimes:
        kinds = {self.kind, other.kind} - {None}
        if len(kinds) < 2:
            return self if other.kind is None else other
        if kinds <= {DATES, TIMES}:
            return KindOfTimes(TIMES)
        raise StructureError(f"one law cannot be of {' and of '.join(sorted(map(str, kinds)))}")

    def scaled(self, factor: float) -> KindOfTimes:
        """The same, whatever the weights."""
        return self


class TimeEstimator(Estimator):
    """Estimates the law of the number that a date, a time or a duration is.

    estimator: of one real number. unit, origin: as of `TimeDistribution`. Where no origin is given, the data say whether they are
    durations; the origin of dates and times is then the beginning of 1970, as a date, a time or a time of UTC, as they are. So it does not
    depend on which rows there are, and two fits can be compared. To laws of any real number, such as the Gaussian, it does not matter; to
    one of positive numbers, give it. A prior of the estimator speaks of the number.
    """

    estimator: Estimator = child()
    unit: str = parameter(Unit(), default="D")
    origin: str | None = parameter(Origin(), default=None)
    name: str | None = name()
    keys: str | None = keys()

    family = TimeDistribution
    carried = ("unit", "name", "keys")
    shown_with_child = True
    stacks = True

    seen: str | None = None  # the origin that the data say, where none is given

    def validate(self) -> None:
        check_real(self, self.estimator, "estimator")

    @property
    def scale(self) -> TimeScale:
        """How times are numbers."""
        return TimeScale(self.unit, self.origin or self.seen)

    @cached_property
    def layout(self) -> Layout:
        return Times(self.label, None if self.origin is None else TimeScale(self.unit, self.origin).kind)

    def open(self, column: Any, open: Any) -> Any:
        return column.kind, open(self.estimator, column.numbers(self.scale))

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        kind, inner = tape
        return Node(KindOfTimes(kind), [send(self.estimator, inner, weights)])

    def resolve(self, statistics: KindOfTimes) -> TimeEstimator:
        return self.pinned(seen=EPOCHS[statistics.kind or DURATIONS])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> TimeDistribution:
        return self.law(dist=children[0], origin=self.scale.origin)

    def why_foreign(self, law: Any) -> str | None:
        if law.scale.agrees_with(self.scale):
            return None
        own, other = ((scale.unit, scale.origin) for scale in (self.scale, law.scale))
        return f"counts in (unit, origin) {other}, the estimator in {own}; need the same"

    def why_outside_support(self, x: Any) -> str | None:
        why = self.estimator.why_outside_support(self.scale.number(x))
        return why and f"{self.label}: {x!r} is {why}"


def check_real(node: Any, child: Any, field: str) -> None:
    """Raises `ParameterError` unless a child is of one real number."""
    if not isinstance(child.layout, Real):
        raise ParameterError(f"{type(node).__name__}: {field} must be of one real number; {child.label} reads {child.layout}")
