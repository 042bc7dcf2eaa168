"""Log densities and tails of univariate laws by mpmath, with as many digits as they take, and extreme places at which to ask for them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np

from dmlcore.stats import (
    BetaDistribution,
    BinomialDistribution,
    ExponentialDistribution,
    GammaDistribution,
    GaussianDistribution,
    GeometricDistribution,
    InverseGaussianDistribution,
    LaplaceDistribution,
    LogGaussianDistribution,
    NegativeBinomialDistribution,
    PoissonDistribution,
    StudentTDistribution,
    VonMisesDistribution,
    WeibullDistribution,
)

EPS = mp.mpf(2) ** -52
ROUNDINGS = 1500  # of a value and of what it depends on: log-gamma formulas are used up to arguments of 1,000, as Loader (2000) has it
NUDGE = mp.mpf(10) ** -25  # relative, for derivatives
WHOLE = [0, 1, 2, 17, 999, 1000, 1001, 10**6, 10**12, 2**53 - 1, 2**53, 2**53 + 1, 2**60, 2**62 + 12345, 2**63 - 1]
AWAY = [-1e3, -30.0, -5.0, -1.0, -0.01, 0.0, 0.01, 1.0, 5.0, 30.0, 1e3]  # standard deviations
SIZES = [1e-150, 1e-8, 1.0, 1e8, 1e150]
SHAPES = [1e-300, 1e-100, 1e-8, 0.3, 1.0, 3.0, 400.0, 999.0, 1001.0, 1e6, 1e10, 1e15, 1e100]


@dataclass(frozen=True)
class Exact:
    """A family: its log density, places `(*parameters, x)`, and which of these arguments are whole numbers, that cannot be nudged."""

    family: Any
    log: Callable[..., Any]
    places: Callable[[], Iterator[tuple[Any, ...]]]
    whole: tuple[int, ...] = ()


def about(centre: float, deviation: float, *more: float) -> list[float]:
    """Numbers near a centre and far from it, and some more."""
    return [centre + k * deviation for k in AWAY] + list(more)


def counts_about(mean: float, deviation: float) -> list[int]:
    """Whole numbers of all sizes, and those near a mean."""
    return WHOLE + [max(0, min(2**63 - 1, round(min(mean + k * deviation, 1e19)))) for k in (-30, -5, -1, 0, 1, 5, 30)]


def located(scales: list[float], root: bool = False) -> Iterator[tuple[Any, ...]]:
    """Places of laws of a location and a scale (root: its square)."""
    for mu, scale in itertools.product((0.0, 1.5, -1e12, 1e150), scales):
        yield from ((mu, scale, x) for x in about(mu, math.sqrt(scale) if root else scale, 0.0, 1e-300))


def of_student_t() -> Iterator[tuple[Any, ...]]:
    for mu, scale, df in itertools.product((0.0, -3e12), (1e-150, 1.0, 1e150), (1e-8, 0.1, 1.0, 2.5, 30.0, 1e4, 1e8, 1e15, 1e100)):
        yield from ((mu, scale, df, x) for x in about(mu, scale, 1e-300, 1e300, -1e308))


def of_exponential() -> Iterator[tuple[Any, ...]]:
    for beta, z in itertools.product((1e-300, *SIZES), (0.0, 1e-20, 1.0, 50.0, 1e5)):
        yield beta, beta * z


def of_gamma() -> Iterator[tuple[Any, ...]]:
    for k, theta in itertools.product(SHAPES, (1e-150, 1.0, 1e150)):
        x = about(k * theta, math.sqrt(k) * theta, k * theta * 1e-5, k * theta * 1e5, 1e-300, theta, theta * 20)
        yield from ((k, theta, v) for v in x if 0 < v < math.inf)


def of_inverse_gaussian() -> Iterator[tuple[Any, ...]]:
    for mu, lam in itertools.product(SIZES, SIZES):
        x = about(mu, mu * math.sqrt(mu) / math.sqrt(lam), mu * 1e-5, mu * 1e5, mu * (1 + 1e-8), 1e-300, 1e300)
        yield from ((mu, lam, v) for v in x if 0 < v < math.inf)


def of_weibull() -> Iterator[tuple[Any, ...]]:
    for shape, scale in itertools.product((1e-8, 0.3, 1.0, 3.0, 1e3, 1e8, 1e12), (1e-150, 1.0, 1e150)):
        near = [scale * (1 + k / shape) for k in (-30, -1, 0, 1)]
        yield from ((shape, scale, x) for x in [*near, scale * 1e-5, scale * 2, scale * 1e5, 1e-300] if x > 0)


def of_log_gaussian() -> Iterator[tuple[Any, ...]]:
    for mu, sigma2 in itertools.product((0.0, -300.0, 300.0, 1.5), (1e-20, 1e-8, 1.0, 1e8, 1e150)):
        near = [math.exp(max(min(mu + k * math.sqrt(sigma2), 700), -700)) for k in (-5, -1, 0, 1, 5)]
        yield from ((mu, sigma2, x) for x in [*near, 1.0, 1e-300, 1e300])


def of_beta() -> Iterator[tuple[Any, ...]]:
    for a, b in itertools.product(SHAPES, SHAPES):
        mean = a / (a + b)
        x = about(mean, math.sqrt(mean * (b / (a + b)) / (a + b + 1)), 0.5, 1e-300, 1e-5, 1 - 1e-5, 1 - 2**-53)
        yield from ((a, b, v) for v in x if 0 < v < 1)


def of_von_mises() -> Iterator[tuple[Any, ...]]:
    for mu, kappa in itertools.product((0.0, 3.0, -1e5), (0.0, 1e-300, 0.3, 30.0, 499.0, 501.0, 1e4, 1e8, 1.1e9, 1e12, 1e100, 1e300)):
        yield from ((mu, kappa, x) for x in about(mu, 1 / math.sqrt(max(kappa, 1.0)), mu + math.pi))


def of_poisson() -> Iterator[tuple[Any, ...]]:
    for lam in (1e-300, 1e-8, 0.3, 3.0, 999.0, 1001.0, 1e6, 1e12, 2.0**53, 2.0**60, 1e100):
        yield from ((lam, x) for x in counts_about(lam, math.sqrt(lam)))


def of_negative_binomial() -> Iterator[tuple[Any, ...]]:
    for mu, d in itertools.product((1e-300, 1e-8, 0.3, 1001.0, 1e6, 1e12, 2.0**60), (1e-90, 1e-20, 1e-8, 0.3, 1.0, 30.0, 1e8, 1e100)):
        yield from ((mu, d, x) for x in counts_about(mu, math.sqrt(mu) * math.sqrt(1 + mu * d)))


def of_geometric() -> Iterator[tuple[Any, ...]]:
    yield from ((p, x) for p in (1e-300, 1e-18, 1e-8, 0.3, 1 - 1e-8, 1 - 2**-53) for x in WHOLE[1:])


def of_binomial() -> Iterator[tuple[Any, ...]]:
    for p, n in itertools.product((1e-300, 1e-18, 1e-8, 0.3, 0.9, 1 - 1e-8, 1 - 2**-53), (1, 5, 1000, 10**6, 2**53 + 1, 2**60, 2**62)):
        near = [round(n * p + k * math.sqrt(n * p * (1 - p))) for k in (-5, -1, 0, 1, 5)]
        yield from ((p, n, x) for x in [*WHOLE, n, n - 1, n // 3, *near] if 0 <= x <= n)


def times_log(x: Any, y: Any) -> Any:
    return x * mp.log(y) if x else mp.mpf(0)


def log_student_t(mu: Any, scale: Any, df: Any, x: Any) -> Any:
    z = (x - mu) / scale
    constant = mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2) - mp.log(df * mp.pi) / 2 - mp.log(scale)
    return constant - (df + 1) / 2 * mp.log1p(z * z / df)


def log_von_mises(mu: Any, kappa: Any, x: Any) -> Any:
    if kappa < 1e4:
        log = mp.log(mp.besseli(0, kappa)) - kappa
    else:  # Hankel's expansion, to its smallest term
        terms = [mp.mpf(1)]
        while terms[-1] > mp.mpf(10) ** -70:
            k = len(terms)
            terms.append(terms[-1] * (2 * k - 1) ** 2 / (8 * k * kappa))
        log = mp.log(mp.fsum(terms)) - mp.log(2 * mp.pi * kappa) / 2
    return -2 * kappa * mp.sin((x - mu) / 2) ** 2 - mp.log(2 * mp.pi) - log


def log_negative_binomial(mu: Any, dispersion: Any, x: Any) -> Any:
    t = 1 / dispersion
    return mp.loggamma(x + t) - mp.loggamma(t) - mp.loggamma(x + 1) - t * mp.log1p(mu / t) + times_log(x, mu / (t + mu))


def log_binomial(p: Any, n: Any, x: Any) -> Any:
    ways = mp.loggamma(n + 1) - mp.loggamma(x + 1) - mp.loggamma(n - x + 1)
    return ways + times_log(x, p) + (n - x) * mp.log1p(-p)


def log_gaussian(mu: Any, sigma2: Any, x: Any) -> Any:
    return -mp.log(2 * mp.pi * sigma2) / 2 - (x - mu) ** 2 / (2 * sigma2)


def log_inverse_gaussian(mu: Any, lam: Any, x: Any) -> Any:
    return mp.log(lam / (2 * mp.pi * x**3)) / 2 - lam * (x - mu) ** 2 / (2 * mu * mu * x)


def log_beta(a: Any, b: Any, x: Any) -> Any:
    return (a - 1) * mp.log(x) + (b - 1) * mp.log1p(-x) + mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(b)


LAWS = {
    "gaussian": Exact(GaussianDistribution, log_gaussian, lambda: located([1e-300, 1e-150, 1e-8, 1.0, 1e8, 1e150, 1e300], root=True)),
    "laplace": Exact(LaplaceDistribution, lambda mu, b, x: -mp.log(2 * b) - abs(x - mu) / b, lambda: located(SIZES)),
    "student t": Exact(StudentTDistribution, log_student_t, of_student_t),
    "exponential": Exact(ExponentialDistribution, lambda b, x: -mp.log(b) - x / b, of_exponential),
    "gamma": Exact(GammaDistribution, lambda k, t, x: (k - 1) * mp.log(x) - x / t - k * mp.log(t) - mp.loggamma(k), of_gamma),
    "inverse gaussian": Exact(InverseGaussianDistribution, log_inverse_gaussian, of_inverse_gaussian),
    "weibull": Exact(WeibullDistribution, lambda k, s, x: mp.log(k / s) + (k - 1) * mp.log(x / s) - (x / s) ** k, of_weibull),
    "log gaussian": Exact(LogGaussianDistribution, lambda mu, s, x: log_gaussian(mu, s, mp.log(x)) - mp.log(x), of_log_gaussian),
    "beta": Exact(BetaDistribution, log_beta, of_beta),
    "von mises": Exact(VonMisesDistribution, log_von_mises, of_von_mises),
    "poisson": Exact(PoissonDistribution, lambda lam, x: times_log(x, lam) - lam - mp.loggamma(x + 1), of_poisson, (1,)),
    "negative binomial": Exact(NegativeBinomialDistribution, log_negative_binomial, of_negative_binomial, (2,)),
    "geometric": Exact(GeometricDistribution, lambda p, x: mp.log(p) + (x - 1) * mp.log1p(-p), of_geometric, (1,)),
    "binomial": Exact(BinomialDistribution, log_binomial, of_binomial, (1, 2)),
}


def roundings(law: Exact, place: tuple[Any, ...]) -> float:
    """How far a log density is from the exact one, in roundings: of its value, and of what it changes by when its arguments are rounded.

    Far below the range of numbers, -inf is right.
    """
    *parameters, x = place
    found = float(law.family(*parameters).log_density(x))
    magnitude = max(abs(math.log10(abs(v))) for v in (*place, 1.0) if v)
    with mp.workdps(60 + min(math.ceil(magnitude), 150)):  # log-gamma functions of large numbers cancel
        return _roundings(law, [mp.mpf(v) for v in place], found)


def _roundings(law: Exact, at: list[Any], found: float) -> float:
    exact = law.log(*at)
    if exact < -1e307:
        return 0.0 if found < -1e307 else math.inf
    if not np.isfinite(found):
        return math.inf
    allowed = 1 + abs(exact)
    for i, v in enumerate(at):
        if i not in law.whole:
            allowed += abs(law.log(*at[:i], v * (1 + NUDGE), *at[i + 1 :]) - exact) / NUDGE
    return float(min(abs(found - exact) / (EPS * allowed), mp.mpf(10) ** 300))


def wrong(name: str, part: slice = slice(None)) -> list[tuple[float, tuple[Any, ...]]]:
    """The places of a law, or some of them, at which its log density is wrong, with by how much."""
    law = LAWS[name]
    off = [(roundings(law, place), place) for place in list(dict.fromkeys(law.places()))[part]]
    return [(by, place) for by, place in off if not by < ROUNDINGS]
