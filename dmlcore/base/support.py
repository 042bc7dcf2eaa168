"""Which values can have positive density: declared once per family, used to score and to write messages."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from dmlcore.base.records import dataclass


class Ranged(Protocol):
    """A column that knows its least and its largest value."""

    @property
    def extent(self) -> tuple[float, float]:
        """The least value and the largest."""
        raise NotImplementedError


@dataclass(frozen=True)
class Support:
    """Numbers in an interval; `whole` for integers, `open_low` if `low` itself is left out."""

    need: str
    low: float = -np.inf
    high: float = np.inf
    open_low: bool = False

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Which values (or rows of vectors) lie inside. Shape `(n,)`."""
        inside: Any = (x > self.low) if self.open_low or self.low == -np.inf else (x >= self.low)
        inside &= (x < np.inf) if self.high == np.inf else (x <= self.high)
        return inside if x.ndim == 1 else np.all(inside, axis=1)

    def covers(self, column: Ranged) -> bool:
        """Whether every value of a column lies inside, from the column's own range."""
        low, high = column.extent
        above = low > self.low if self.open_low or self.low == -np.inf else low >= self.low
        return bool(above and (high < np.inf if self.high == np.inf else high <= self.high))


REALS = Support("finite real numbers")
POSITIVE = Support("numbers > 0", low=0.0, open_low=True)
NONNEGATIVE = Support("numbers >= 0", low=0.0)
COUNTS = Support("whole numbers >= 0", low=0)
TRIALS = Support("whole numbers >= 1", low=1)


def whole_range(low: Any, high: Any) -> Support:
    """Whole numbers from `low` to `high`; None leaves an end open."""
    if low is None and high is None:
        return Support("whole numbers")
    if high is None:
        return Support(f"whole numbers >= {low}", low=low)
    if low is None:
        return Support(f"whole numbers <= {high}", high=high)
    return Support(f"whole numbers from {low} to {high}", low=low, high=high)
