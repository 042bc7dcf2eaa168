"""Laws of numbers within intervals: probabilities, and numbers with shares that stand for the law there.

Sums over these numbers are expectations within an interval. Of whole numbers they are exact. Of reals they are Gauss's rule with the
density, where that finds the probability of the interval, as it does where intervals are narrow; else a double-exponential rule
(Takahasi and Mori 1974) on the scale of probabilities: the ends of that scale, where quantiles run off to infinity, do it no harm.
So means, squares and logarithms come out to some ten digits or more. Of many intervals that are open at one end, what they have in common
is gone through once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.core.powers import HasCdf, HasQuantile, HasSurvival, Mixing, has
from dmlcore.data.layouts import Count, Real

NODE_STEP, NODE_REACH = 0.16, 3.2  # of the rule; beyond its reach a share is below the rounding of one
MASS_TOLERANCE, TAIL_ROUNDING = 1e-10, 1e-14  # relative differences between probabilities that the rule and a distribution function give
UNSEEN_TAIL = 1e-16  # whole numbers are listed up to where less than this lies beyond


def _rule() -> tuple[np.ndarray, np.ndarray]:
    """Points of (0, 1), and their shares, which sum to one."""
    t = np.arange(-NODE_REACH, NODE_REACH + NODE_STEP / 2, NODE_STEP)
    u = 1.0 / (1.0 + np.exp(-math.pi * np.sinh(t)))
    share = np.cosh(t) * u * (1.0 - u)
    return u, share / share.sum()


NODE_LEVELS, NODE_SHARES = _rule()
LEAST_LEVEL = np.finfo(float).tiny


def _gauss(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes of Gauss's rule in (0, 1), and their shares, which sum to one."""
    x, w = np.polynomial.legendre.leggauss(size)
    return (x + 1.0) / 2.0, w / 2.0


GAUSS_RULES = [
    (*_gauss(3), 25.0),
    (*_gauss(6), 2.0),
]  # and how far, in widths, intervals are from ends of supports: logarithms there to 1e-11


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


def levels(law: Any, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The tails at both ends of intervals `(n,)`, from whichever side keeps more digits, and which of them are upper ones: `P(X <= low)`,
    `P(X <= high)`, or `P(X > high)`, `P(X > low)`."""
    least, most = (np.array(law.cdf(x), dtype=np.float64) for x in (low, high))
    upper = least >= 0.5
    if upper.any() and has(law, HasSurvival):
        least[upper], most[upper] = law.sf(high[upper]), law.sf(low[upper])
    elif upper.any():
        least[upper], most[upper] = 1.0 - most[upper], 1.0 - least[upper]
    return least, most, upper


def masses(law: Any, low: Any, high: Any) -> np.ndarray:
    """The probability of each interval `(n,)`, its ends included."""
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    least, most, _ = levels(law, np.ceil(low) - 1.0 if is_whole_law(law) else low, high)
    return np.maximum(most - least, 0.0)


def spread(law: Any, low: np.ndarray, high: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a law of reals: numbers `(m,)` that stand for it in intervals, each as often as its weight says, and their shares, which sum to
    those of weights times `masses`."""
    low, high, weights = pieces(low, high, weights)
    x, p, which = nodes_within(law, low, high)
    return x, p * weights[which]


def pieces(low: np.ndarray, high: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intervals that cover each number with the same weight as these do: of those open above, the numbers between each of their ends and
    the next; so of those open below. (Sums of weights alone, as differences would lose those that are small.)"""
    above, below = np.isinf(high), np.isinf(low)
    closed = ~(above | below)
    ends, each = sorted_sums(low[above], weights[above])
    starts, own = sorted_sums(-high[below], weights[below])
    return (
        np.concatenate([low[closed], ends, -np.append(starts[1:], np.inf)[: len(starts)]]),
        np.concatenate([high[closed], np.append(ends[1:], np.inf)[: len(ends)], -starts]),
        np.concatenate([weights[closed], each, own]),
    )


def sorted_sums(x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct numbers in order, and the weight of those up to each."""
    distinct, where = np.unique(x, return_inverse=True)
    return distinct, np.cumsum(np.bincount(where, weights, len(distinct)))


def nodes_within(law: Any, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a law of reals: numbers `(m,)` that stand for it in intervals, their probabilities, which sum to `masses`, and which interval
    each lies in."""
    found, rest = [], np.arange(len(low))
    for rule in GAUSS_RULES:
        x, p, fine = _by_density(law, low[rest], high[rest], *rule)
        found.append((x.ravel(), p.ravel(), np.repeat(rest[fine], len(rule[0]))))
        rest = rest[~fine]
    x, p, which = _by_quantiles(law, low[rest], high[rest])
    found.append((x, p, rest[which]))
    x, p, which = (np.concatenate(part) for part in zip(*found, strict=True))
    return x, p, which


def _by_density(
    law: Any, low: np.ndarray, high: np.ndarray, nodes: np.ndarray, shares: np.ndarray, distance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By Gauss's rule, of those intervals for which it is right: numbers `(k, m)`, and their probabilities; and which these are `(n,)`:
    those narrow beside their distance from the ends of supports, where logarithms bend, whose probability it finds."""
    ends = np.array([end for node in with_support(law) for end in (node.support.low, node.support.high) if np.isfinite(end)])
    apart = np.minimum(np.abs(low[:, None] - ends), np.abs(high[:, None] - ends)).min(axis=1, initial=np.inf)
    fine = np.isfinite(high - low) & (apart >= distance * (high - low))
    a, b = low[fine], high[fine]
    x = a[:, None] + (b - a)[:, None] * nodes
    p = np.exp(law.seq_log_density(x.ravel())).reshape(x.shape) * ((b - a)[:, None] * shares)
    least, most, _ = levels(law, a, b)
    right = np.abs(p.sum(axis=1) - (most - least)) <= MASS_TOLERANCE * (most - least) + TAIL_ROUNDING * most
    fine[fine] = right
    return x[right], p[right], fine


def _by_quantiles(law: Any, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `nodes_within`, on the scale of probabilities. Those of a mixture are its components'."""
    if has(law, Mixing):
        parts = [(*nodes_within(part, low, high), w) for part, w in zip(law.components, law.w, strict=True) if w > 0]
        x, p, which = (np.concatenate(each) for each in zip(*((x, w * p, which) for x, p, which, w in parts), strict=True))
        return x, p, which
    if not len(low):
        return np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.intp)
    least, most, upper = levels(law, low, high)
    level = least[:, None] + (most - least)[:, None] * NODE_LEVELS
    survives = upper & has(law, HasSurvival)
    x = np.empty(level.shape)
    x[~survives] = law.quantile(np.clip(np.where(upper[:, None], 1.0 - level, level)[~survives], LEAST_LEVEL, 1.0 - 2.0**-53))
    if survives.any():
        x[survives] = law.isf(np.maximum(level[survives], LEAST_LEVEL))
    x = np.clip(x, low[:, None], high[:, None])
    p = np.maximum(most - least, 0.0)[:, None] * NODE_SHARES
    which = np.repeat(np.arange(len(low)), len(NODE_LEVELS))
    x, p = x.ravel(), p.ravel()
    there = np.isfinite(x) & (p > 0) if law.support is None else law.support.contains(x) & (p > 0)
    return x[there], p[there], which[there]


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
