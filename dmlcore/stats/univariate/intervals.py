"""Laws of numbers within intervals: probabilities, and numbers with shares that stand for the law there.

Sums over these numbers are expectations within an interval. Of whole numbers they are exact. Of reals they are a double-exponential rule
(Takahasi and Mori 1974) on the scale of probabilities: the ends of that scale, where quantiles run off to infinity, do it no harm, so
that means, squares and logarithms come out to some twelve digits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.core.powers import HasCdf, HasQuantile, HasSurvival, Mixing, has
from dmlcore.data.layouts import Count, Real

NODE_STEP, NODE_REACH = 0.16, 3.2  # of the rule; beyond its reach a share is below the rounding of one
UNSEEN_TAIL = 1e-16  # whole numbers are listed up to where less than this lies beyond


def _rule() -> tuple[np.ndarray, np.ndarray]:
    """Points of (0, 1), and their shares, which sum to one."""
    t = np.arange(-NODE_REACH, NODE_REACH + NODE_STEP / 2, NODE_STEP)
    u = 1.0 / (1.0 + np.exp(-math.pi * np.sinh(t)))
    share = np.cosh(t) * u * (1.0 - u)
    return u, share / share.sum()


NODE_LEVELS, NODE_SHARES = _rule()


def check_of_numbers(node: Any, who: str) -> None:
    """Raises `StructureError` unless a law, or an estimator, is of one number, whole or real."""
    if not isinstance(node.layout, (Count, Real)):
        raise StructureError(f"{who}: a {node.label} is no law of single numbers")


def check_quantiles(law: Any, who: str) -> None:
    """Raises `StructureError` unless a law of numbers has a distribution function and quantiles."""
    if not (has(law, HasCdf) and has(law, HasQuantile)):
        raise StructureError(f"{who}: a {law.label} has no cdf() and quantile()")


def is_whole_law(law: Any) -> bool:
    """Whether a law of numbers is of whole ones."""
    return isinstance(law.layout, Count)


def tails(law: Any, x: Any) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of numbers up to each of these, and of numbers above."""
    below = np.asarray(law.cdf(x), dtype=np.float64)
    return below, np.asarray(law.sf(x)) if has(law, HasSurvival) else 1.0 - below


def masses(law: Any, low: Any, high: Any) -> np.ndarray:
    """The probability of each interval `(n,)`, its ends included; from whichever tail keeps more digits."""
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    before = np.ceil(low) - 1.0 if is_whole_law(law) else low
    (f0, s0), (f1, s1) = tails(law, before), tails(law, high)
    return np.maximum(np.where(f0 < 0.5, f1 - f0, s0 - s1), 0.0)


def nodes_within(law: Any, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a law of reals: numbers `(n, m)` that stand for it in each interval, and their probabilities, which sum to `masses`. Those of a
    mixture are its components'."""
    if has(law, Mixing):
        parts = [(nodes_within(part, low, high), w) for part, w in zip(law.components, law.w, strict=True) if w > 0]
        return np.hstack([x for (x, _), _ in parts]), np.hstack([w * p for (_, p), w in parts])
    (f0, s0), (f1, s1) = tails(law, low), tails(law, high)
    upper = (f0 >= 0.5) & has(law, HasSurvival)
    x = np.empty((len(low), len(NODE_LEVELS)))
    for part, ends, quantile, most in ((~upper, (f0, f1), law.quantile, 1.0 - 2.0**-53), (upper, (s1, s0), getattr(law, "isf", None), 1.0)):
        if part.any() and quantile is not None:
            a, b = (end[part, None] for end in ends)
            x[part] = quantile(np.clip(a + (b - a) * NODE_LEVELS, np.finfo(float).tiny, most))
    x = np.clip(x, low[:, None], high[:, None])
    p = np.maximum(np.where(f0 < 0.5, f1 - f0, s0 - s1), 0.0)[:, None] * NODE_SHARES
    there = np.isfinite(x) if law.support is None else law.support.contains(x.ravel()).reshape(x.shape)
    return (x, p) if there.all() else (np.where(there, x, law.quantile(0.5)), np.where(there, p, 0.0))


def least_whole(law: Any) -> int:
    """The least number that a law of whole numbers can give."""
    lows = [node.support.low for node in with_support(law)]
    return int(min(lows)) if lows and np.isfinite(lows).all() else int(law.quantile(UNSEEN_TAIL))


def with_support(law: Any) -> list[Any]:
    return [law] if law.support is not None else [node for child in law.children() for node in with_support(child)]


def last_whole(law: Any, at_least: float = -math.inf) -> int:
    """A number beyond which a law of whole numbers has no probability to speak of, and at least one above a given one."""
    reach = float(law.quantile(1.0 - UNSEEN_TAIL))
    reach = reach if np.isfinite(reach) else float(law.quantile(1.0 - 1e-14))
    start = max(reach, at_least if at_least > -math.inf else reach)
    return int(start) + 40 + math.ceil(10 * math.sqrt(float(law.variance())))
