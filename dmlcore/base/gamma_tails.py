"""The incomplete gamma functions and their inverses, with the digits of small tails for shapes of any size.

Those of scipy have lost them from shapes of about 1e5 on (its series stop early: at a shape of 1e8, a tail of 1e-12 is off by a quarter).
Large shapes are done by the expansion that holds uniformly in x (Temme 1979; DLMF 8.12.3), in which the tail's exponential is a factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.numerics import deviance, stirling_error

LARGE_SHAPE = 1e4
FARTHEST_ETA = 0.5  # beyond, for large shapes, a tail is zero
INVERSE_STEPS = 4
_COEFFICIENTS = np.array(  # of 1, 1 / k and 1 / k^2, in powers of eta (Temme 1979)
    [
        [
            -0.33333333333333333,
            0.083333333333333333,
            -0.014814814814814815,
            0.0011574074074074074,
            0.0003527336860670194,
            -0.00017875514403292181,
            3.9192631785224378e-5,
            -2.1854485106799922e-6,
            -1.85406221071516e-6,
            8.296711340953086e-7,
            -1.7665952736826079e-7,
            6.7078535434014986e-9,
        ],
        [
            -0.0018518518518518519,
            -0.0034722222222222222,
            0.0026455026455026455,
            -0.00099022633744855967,
            0.00020576131687242798,
            -4.0187757201646091e-7,
            -1.8098550334489978e-5,
            7.6491609160811101e-6,
            -1.6120900894563446e-6,
            4.6471278028074343e-9,
            1.378633446915721e-7,
            -5.752545603517705e-8,
        ],
        [
            0.0041335978835978836,
            -0.0026813271604938272,
            0.00077160493827160494,
            2.0093878600823045e-6,
            -0.00010736653226365161,
            5.2923448829120125e-5,
            -1.2760635188618728e-5,
            3.4235787340961381e-8,
            1.3721957309062933e-6,
            -6.298992138380055e-7,
            1.4280614206064242e-7,
            -2.0477098421990866e-10,
        ],
    ]
)


def gamma_below(k: Any, x: Any) -> Any:
    """The probability that a gamma of shape k and scale 1 is below x >= 0."""
    return _tail(k, x, special.gammainc, -1.0)


def gamma_above(k: Any, x: Any) -> Any:
    """The probability that a gamma of shape k and scale 1 is above x >= 0."""
    return _tail(k, x, special.gammaincc, 1.0)


def gamma_quantile(k: Any, q: Any) -> Any:
    """The x with `gamma_below(k, x) = q`."""
    return _inverse(k, q, special.gammaincinv, gamma_below, -1.0)


def gamma_upper_quantile(k: Any, q: Any) -> Any:
    """The x with `gamma_above(k, x) = q`."""
    return _inverse(k, q, special.gammainccinv, gamma_above, 1.0)


def _tail(k: Any, x: Any, scipys: Callable[..., Any], side: float) -> Any:
    k, x = np.broadcast_arrays(np.asarray(k, dtype=np.float64), np.asarray(x, dtype=np.float64))
    large = (k >= LARGE_SHAPE) & (k < np.inf) & (x > 0) & (x < np.inf)
    out = np.array(scipys(k, x))
    out[large] = _uniform(k[large], x[large], side)
    return out[()]


def _uniform(k: np.ndarray, x: np.ndarray, side: float) -> np.ndarray:
    half = deviance(k, x)
    eta = np.clip(np.copysign(np.sqrt(2.0 * half / k), x - k), -FARTHEST_ETA, FARTHEST_ETA)
    ahead = np.where(side * (x - k) >= 0, 1.0, -1.0)  # whether this is the smaller tail
    series = sum(np.polynomial.polynomial.polyval(eta, c) / k**power for power, c in enumerate(_COEFFICIENTS))
    smaller = np.exp(-half) * (0.5 * special.erfcx(np.sqrt(half)) + ahead * side * series / np.sqrt(2 * math.pi * k))
    return np.where(ahead > 0, smaller, 1.0 - smaller)


def _inverse(k: Any, q: Any, scipys: Callable[..., Any], tail: Callable[..., Any], side: float) -> Any:
    k, q = np.broadcast_arrays(np.asarray(k, dtype=np.float64), np.asarray(q, dtype=np.float64))
    out = np.array(scipys(k, q))
    large = (k >= LARGE_SHAPE) & (q > 0) & (q < 1)
    k, q, x = k[large], q[large], out[large]
    for _ in range(INVERSE_STEPS):  # on the logarithm of the tail, from scipy's, which is near
        p = tail(k, x)
        density = np.exp(-deviance(k, x) - stirling_error(k)) * np.sqrt(k / (2 * math.pi)) / x
        x = x + side * (np.log(p) - np.log(q)) * (p / density)
    out[large] = x
    return out[()]
