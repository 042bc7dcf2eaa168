"""Numbers and ordered labels as coordinates of a Gaussian vector, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.records import dataclass

POWERS_TRIED = (0.5, 0.0)  # of numbers >= 0, beside 1; of 0, the logarithm
POWER_GAIN = 0.02  # nats per cell that a power must gain
MOST_DECIMALS = 10
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(7)  # of the quadrature for means of what was transformed
LEAST_INSIDE = 1e-300  # the least probability of an interval from which quantiles are drawn


@dataclass(frozen=True)
class Number:
    """A column of numbers as a coordinate: a power (0: the logarithm) of it, less its centre, in its unit.

    decimals: what its cells are rounded to; draws are too. bounds: the least and the largest value that it may have. limits: these as
    coordinates, and no farther from the coordinates seen than these are from each other.
    """

    power: float
    centre: float
    unit: float
    decimals: int
    bounds: tuple[float, float]
    limits: tuple[float, float]

    @classmethod
    def of(cls, x: np.ndarray, bounds: tuple[float, float] | None = None) -> Number:
        """For the cells that are there `(n,)`, with the power that is best for this column alone. bounds: by default 0 and infinity where
        nothing negative is seen, and none elsewhere."""
        plain = cls.raised(x, 1.0, bounds or (0.0 if x.min() >= 0 else -np.inf, np.inf))
        best, most = plain, POWER_GAIN * len(x)
        for other in [plain.with_power(x, power) for power in plain.powers(x)]:
            gain = other.log_slope(x) - plain.log_slope(x)
            if gain > most:
                best, most = other, gain
        return best

    @classmethod
    def raised(cls, x: np.ndarray, power: float, bounds: tuple[float, float]) -> Number:
        """For the cells that are there `(n,)`, with a power."""
        low, high = bounds
        y = _raised(x, power)
        decimals = next((d for d in range(MOST_DECIMALS) if np.allclose(np.round(x, d), x, rtol=0, atol=1e-9)), MOST_DECIMALS)
        centre, unit, span = float(y.mean()), float(y.std()) or 1.0, y.max() - y.min()
        with np.errstate(divide="ignore"):
            ends = max(_raised(np.float64(low), power), y.min() - span), min(_raised(np.float64(high), power), y.max() + span)
        limits = (float(ends[0]) - centre) / unit, (float(ends[1]) - centre) / unit
        return cls(power, centre, unit, decimals, (float(low), float(high)), limits)

    def powers(self, x: np.ndarray) -> list[float]:
        """Which powers can be taken of the cells that are there `(n,)`."""
        return [1.0, *(power for power in POWERS_TRIED if self.bounds[0] >= 0 and (x.min() if power == 0 else x.max()) > 0)]

    def with_power(self, x: np.ndarray, power: float) -> Number:
        """For the cells that are there `(n,)`, with another power."""
        return self if power == self.power else self.raised(x, power, self.bounds)

    def log_slope(self, x: np.ndarray) -> float:
        """The sum of the logarithms of the slopes of the coordinates of numbers >= 0, by which densities of coordinates become those of
        numbers. As coordinates have variance one, the likelihood as a normal law alone differs by this only (Box and Cox 1964)."""
        there = x[x > 0] if self.power != 1 else x[:0]  # without a power, slopes are those of the unit
        return float((self.power - 1) * np.log(there).sum() + len(there) * np.log(self.power or 1.0) - len(x) * np.log(self.unit))

    def coordinate(self, x: Any) -> Any:
        """Of numbers."""
        return (_raised(x, self.power) - self.centre) / self.unit

    def numbers(self, z: np.ndarray) -> np.ndarray:
        """Of coordinates."""
        y = np.clip(z, *self.limits) * self.unit + self.centre
        x = np.exp(y) if self.power == 0 else y if self.power == 1 else y ** (1 / self.power)
        return np.clip(x, *self.bounds)

    def drawn(self, z: np.ndarray) -> np.ndarray:
        """The cells that coordinates stand for."""
        return np.clip(np.round(self.numbers(z), self.decimals), *self.bounds)

    def moments(self, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
        """Mean, and mean square, of the numbers whose coordinates are normal `(2, n)`."""
        x = self.numbers(mean + sd * NODES[:, None])
        w = WEIGHTS / WEIGHTS.sum()
        return np.array([w @ x, w @ (x * x)])


@dataclass(frozen=True)
class Ordered:
    """A column of ordered labels, or of few whole numbers, as a coordinate: each is an interval of it, of the size of its share.

    levels: in order. cuts: between them, with infinity at both ends.
    """

    levels: list[Any]
    cuts: np.ndarray

    @classmethod
    def of(cls, codes: np.ndarray, levels: list[Any]) -> Ordered:
        """For the places in `levels` of the cells that are there."""
        counts = np.bincount(codes, minlength=len(levels)) + 0.5
        return cls(levels, np.concatenate([[-np.inf], special.ndtri(np.cumsum(counts)[:-1] / counts.sum()), [np.inf]]))

    def codes(self, z: np.ndarray) -> np.ndarray:
        """The places in `levels` for which coordinates stand."""
        return np.searchsorted(self.cuts[1:-1], z)

    def probabilities(self, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
        """Of each level `(n, levels)`, where the coordinate is normal."""
        return np.diff(special.ndtr((self.cuts - mean[:, None]) / sd[:, None]), axis=1)


def drawn_within(mean: np.ndarray, sd: np.ndarray, low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws from normal laws between bounds `(n,)`, by the quantile of a uniform draw on the side where the tail is small."""
    a, b = (low - mean) / sd, (high - mean) / sd
    upper = a > 0
    a, b = np.where(upper, -b, a), np.where(upper, -a, b)
    below, mass = special.ndtr(a), special.ndtr(b) - special.ndtr(a)
    x = np.clip(special.ndtri(below + rng.random(len(mean)) * mass), a, b)
    x = np.where((mass > LEAST_INSIDE) & np.isfinite(x), x, np.where(np.isfinite(b), b, a))  # far out, the end that is nearest
    return mean + sd * np.where(upper, -x, x)


def _raised(x: Any, power: float) -> Any:
    return x if power == 1 else np.log(x) if power == 0 else x**power
