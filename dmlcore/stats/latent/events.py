"""Events of one value: a range of it, or some of the values that it may have; and the law given such an event.

How probable one is, the `cdf` of a law of numbers says, and of labels and whole numbers their probabilities. A law of reals has a
density, so that one number, and any list of them, has probability zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError, StructureError, shorten
from dmlcore.base.records import dataclass
from dmlcore.core.partial import Outcomes
from dmlcore.core.powers import HasCdf, HasProbabilities, HasQuantile, has
from dmlcore.core.rowlaws import Atom, Fixed, RowLaw
from dmlcore.data.layouts import Count, Labels, RealAtom
from dmlcore.data.values import is_whole
from dmlcore.stats.latent.truncated import LEAST_MASS, TruncatedDistribution
from dmlcore.stats.univariate.categorical import CategoricalDistribution
from dmlcore.stats.univariate.integer_categorical import IntegerCategoricalDistribution
from dmlcore.stats.univariate.intervals import is_whole_law, masses
from dmlcore.stats.univariate.ordinal import OrdinalDistribution

WIDEST = 1 << 20  # so many whole numbers, from the least to the largest, a table of their probabilities may have


class Narrowed(Atom):
    """The law of a value given an event. make: the distribution that it is. mass: the probability of the event."""

    def __init__(self, law: Any, mass: float, make: Callable[[], Any]):
        self.law, self.mass, self.make = law, mass, make

    @property
    def hardly_ever(self) -> bool:
        return self.mass < LEAST_MASS

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        return [(1.0, (self.law if self.hardly_ever else self.make(),))]


def narrowed_to(law: Any, mass: float, n: int, make: Callable[[], Any]) -> tuple[np.ndarray, RowLaw]:
    """`given` of a law of which an event has a probability."""
    mass = min(mass, 1.0)
    out: RowLaw = Fixed(law) if mass in (0.0, 1.0) else Narrowed(law, mass, make)
    return np.full(n, math.log(mass) if mass > 0 else -math.inf), out


@dataclass(frozen=True)
class Between(Outcomes):
    """Values from low to high, both of which belong to the range; None leaves an end open.

    Of numbers, dates, times and durations; and of labels in the order of their law's levels, or else in the order that they have as
    Python values. Of laws with a density, whether an end belongs to the range makes no difference; of whole numbers, those below 40 are
    `Between(None, 39)`. `Between(None, None)` is every value that is there.
    """

    low: Any = None
    high: Any = None
    missing: bool = False

    def moved(self, move: Callable[[Any], Any]) -> Between:
        return replace(self, low=None if self.low is None else move(self.low), high=None if self.high is None else move(self.high))

    def there(self) -> Between:
        return replace(self, missing=False)

    def holds(self, value: Any) -> bool:
        """Whether a value is in the range. Raises `StructureError` where it cannot be compared with the ends."""
        try:
            return bool((self.low is None or self.low <= value) and (self.high is None or value <= self.high))
        except TypeError:
            raise StructureError(f"{shorten(value)} has no order beside {self.low!r} and {self.high!r}") from None

    def fits(self, labels: Sequence[Any]) -> np.ndarray:
        return np.array([self.holds(label) for label in labels], dtype=np.float64)

    def of(self, law: Any, n: int) -> tuple[np.ndarray, RowLaw]:
        if self.low is self.high is None:
            return np.zeros(n), Fixed(law)
        if has(law, HasProbabilities):
            labels = list(law.probabilities())
            inside = self._levels(labels, law) if isinstance(law.layout, Labels) and has(law, HasCdf) else self.fits(labels) > 0
            return AnyOf(tuple(label for label, fits in zip(labels, inside, strict=True) if fits)).of(law, n)
        if isinstance(law.layout, Labels) or not has(law, HasCdf):
            raise StructureError(f"{law.label}: says no probability of a range of its values; it has no cdf()")
        low, high = -math.inf if self.low is None else float(self.low), math.inf if self.high is None else float(self.high)
        if low > high:
            raise ParameterError(f"{law.label}: a range needs low <= high, got {self.low!r} and {self.high!r}")
        return narrowed_to(law, float(masses(law, [low], [high])[0]), n, lambda: truncated_to(law, self.low, self.high))

    def _levels(self, levels: list[Any], law: Any) -> np.ndarray:
        """Which levels are in the range, in their own order."""
        for end in (self.low, self.high):
            if end is not None and end not in levels:
                raise StructureError(f"{law.label}: {shorten(end)} is not one of its levels, {levels!r}")
        place = np.arange(len(levels))
        first = 0 if self.low is None else levels.index(self.low)
        last = len(levels) if self.high is None else levels.index(self.high)
        return (place >= first) & (place <= last)


@dataclass(frozen=True)
class AnyOf(Outcomes):
    """Some values, labels or numbers, one after the other. missing: whether a value that is missing is one of them too."""

    values: tuple[Any, ...]
    missing: bool = False

    def moved(self, move: Callable[[Any], Any]) -> AnyOf:
        return replace(self, values=tuple(map(move, self.values)))

    def there(self) -> AnyOf:
        return replace(self, missing=False)

    def holds(self, value: Any) -> bool:
        """Whether it is one of them."""
        return value in self.values

    def fits(self, labels: Sequence[Any]) -> np.ndarray:
        return np.array([label in self.values for label in labels], dtype=np.float64)

    def of(self, law: Any, n: int) -> tuple[np.ndarray, RowLaw]:
        layout = law.layout
        values = [v for v in dict.fromkeys(self.values) if is_whole(v) or isinstance(layout, Labels)]
        if isinstance(layout, RealAtom):
            values = [v for v in self.values if v == layout.at][:1]
        elif not isinstance(layout, (Labels, Count)):
            values = []  # one number has probability zero where there is a density
        if not values:
            return np.full(n, -math.inf), Fixed(law)
        p = np.exp(law.seq_log_density(values))
        mass = 1.0 if has(law, HasProbabilities) and set(law.probabilities()) <= set(values) else float(p.sum())
        return narrowed_to(law, mass, n, lambda: table_of(law, values, p / p.sum()))


def truncated_to(law: Any, low: Any, high: Any) -> Any:
    """The law of numbers given that they lie in a range."""
    if isinstance(law, TruncatedDistribution):
        lows, highs = [end for end in (law.low, low) if end is not None], [end for end in (law.high, high) if end is not None]
        return truncated_to(law.dist, max(lows, default=None), min(highs, default=None))
    if not has(law, HasQuantile):
        raise StructureError(f"{law.label}: has no quantile(), so its law within a range has no form; draw from the model instead")
    return TruncatedDistribution(law, low, high)


def table_of(law: Any, values: list[Any], p: np.ndarray) -> Any:
    """The law of labels or of whole numbers given that it is one of some values, which have these probabilities."""
    if not is_whole_law(law):
        if has(law, HasCdf):
            levels = [level for level in law.probabilities() if level in values]
            return OrdinalDistribution(levels, p[[values.index(level) for level in levels]])
        return CategoricalDistribution(dict(zip(values, p.tolist(), strict=True)))
    least, most = min(values), max(values)
    if most - least > WIDEST:
        raise StructureError(f"{law.label}: given one of {len(values)} numbers so far apart it has no form; ask for fewer")
    table = np.zeros(int(most - least) + 1)
    table[np.array(values, dtype=np.int64) - int(least)] = p
    return IntegerCategoricalDistribution(int(least), table)
