"""The beta law of a share."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import positive
from dmlcore.base.errors import DegenerateError
from dmlcore.base.numerics import HALF_LOG_2PI, LARGE, across, deviance, stirling_error
from dmlcore.base.support import Support
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import REMEDY, Estimator, given_law, pseudo_counts, pseudo_observations
from dmlcore.core.powers import HasSurvival, Univariate
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Real

SHARES_FLOOR = 1e-10  # of -log sum_j exp(mean log x_j) of all the data: reached only by a component that sits on one value
SHARES_ROUNDING = 1e-14  # below this the gap is rounding, and all values are equal
CONCENTRATION_STEPS = 200  # of Newton at most: far fewer, unless logarithms are those of no data
CONCENTRATION_STEP = 1e-8  # relative: Newton's method squares the error, and the next step would be rounding
OPEN_UNIT = Support("numbers between 0 and 1, neither of them", low=0.0, high=float(np.nextafter(1.0, 0.0)), open_low=True)
NEAREST_TO_ZERO = float(np.finfo(np.float64).tiny)


class BetaDistribution(Distribution, Univariate, HasSurvival):
    """A number 0 < x < 1 with density `x^(a - 1) (1 - x)^(b - 1) Gamma(a + b) / (Gamma(a) Gamma(b))`.

    a, b: positive pure numbers; the mean is a / (a + b), and a + b the precision. Raises `ParameterError` outside these domains. For a
    large precision the saddle-point form (Loader 2000) keeps all digits.
    """

    a: float = parameter(positive)
    b: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = OPEN_UNIT

    @cached_property
    def _constant(self) -> Any:
        """Of the plain form, and, where the precision is large, of the other."""
        total = self.a + self.b
        if np.all(total < LARGE):
            return special.gammaln(total) - special.gammaln(self.a) - special.gammaln(self.b)
        errors = stirling_error(self.a) + stirling_error(self.b) - stirling_error(total)
        return 0.5 * (np.log(self.a) + np.log(self.b) - np.log(total)) - HALF_LOG_2PI - errors

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        a, b, log, rest = across(self.a), across(self.b), np.log(x), np.log1p(-x)
        if np.all(a + b < LARGE):
            return (a - 1.0) * log + (b - 1.0) * rest + across(self._constant)
        return across(self._constant) - deviance(a, (a + b) * x) - deviance(b, (a + b) * (1.0 - x)) - log - rest

    def mean(self) -> float:
        return self.a / (self.a + self.b)

    def variance(self) -> float:
        total = self.a + self.b
        return (self.a / total) * (self.b / total) / (total + 1.0)

    def mode(self) -> float:
        if self.a > 1 and self.b > 1:
            return (self.a - 1.0) / (self.a + self.b - 2.0)
        inside = OPEN_UNIT.high if self.a > self.b else NEAREST_TO_ZERO
        return 0.5 if self.a == self.b == 1 else inside

    def entropy(self) -> float:
        a, b = self.a, self.b
        own = (a - 1) * special.psi(a) + (b - 1) * special.psi(b) - (a + b - 2) * special.psi(a + b)
        return float(special.betaln(a, b) - own)

    def cdf(self, x: Any) -> Any:
        return special.betainc(self.a, self.b, np.clip(x, 0.0, 1.0))

    def quantile(self, q: Any) -> Any:
        return special.betaincinv(self.a, self.b, q)

    def sf(self, x: Any) -> Any:
        return special.betaincc(self.a, self.b, np.clip(x, 0.0, 1.0))

    def isf(self, q: Any) -> Any:
        return special.betainccinv(self.a, self.b, q)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return np.clip(rng.beta(self.a, self.b, size), NEAREST_TO_ZERO, OPEN_UNIT.high)

    def expected_statistics(self, count: float) -> Sums:
        return Sums(count=count, logs=count * mean_logs(np.array([self.a, self.b])))

    def log_likelihood(self, statistics: Any) -> float:
        return concentrations_log_likelihood(statistics, np.stack([self.a, self.b], axis=-1))

    def estimator(self, pseudo_count: Any = None) -> BetaEstimator:
        own = None if pseudo_count is None else (self.a, self.b)
        return BetaEstimator(pseudo_count, own, self.name, self.keys)


class BetaEstimator(Estimator):
    """Maximum likelihood for a beta: a and b such that log x and log(1 - x) have their weighted means (`concentrations_of`).

    pseudo_count=n with suff_stat=(a, b): n pseudo-observations as a beta of these parameters gives on average (default: like all the
    data); the log prior is n times the mean of their log density. The precision a + b is capped where
    `-log(exp(mean log x) + exp(mean log(1 - x)))` reaches `SHARES_FLOOR` times that of all the data. Raises `DegenerateError` where all
    values are equal and there is no prior.
    """

    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = BetaDistribution
    stacks = True
    floor: ClassVar[float] = 0.0

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "BetaEstimator")
        given_law(self)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Sums:
        return Sums(count=weights.sum(axis=-1), logs=weights @ np.stack([np.log(x), np.log1p(-x)], axis=-1))

    def resolve(self, statistics: Sums) -> Self:
        return self.pinned(floor=shares_floor(statistics), prior=pseudo_observations(self, statistics, given_law(self)))

    def estimate(self, statistics: Sums, previous: Any = None) -> BetaDistribution:
        both = self.with_prior(statistics)
        near = None if previous is None else np.stack([previous.a, previous.b], axis=-1)
        alpha = estimated_concentrations(self, both, near)
        return self.law(a=alpha[..., 0][()], b=alpha[..., 1][()])

    def degenerate(self, distribution: Any) -> str | None:
        return concentrated(self, distribution.a + distribution.b, 2)


def mean_logs(alpha: np.ndarray) -> np.ndarray:
    """The expectations of the logarithms of shares that are Dirichlet with parameters `(.., d)`."""
    return special.psi(alpha) - special.psi(alpha.sum(axis=-1, keepdims=True))


def concentrations_log_likelihood(statistics: Any, alpha: np.ndarray) -> Any:
    """Log likelihood of parameters `(.., d)` of a Dirichlet, from the count and the sums of logarithms, up to a constant."""
    normaliser = special.gammaln(alpha.sum(axis=-1)) - special.gammaln(alpha).sum(axis=-1)
    return statistics.count * normaliser + (alpha * statistics.logs).sum(axis=-1)


def shares_gap(logs: np.ndarray) -> np.ndarray:
    """`-log sum_j exp(logs_j)` of mean logarithms `(.., d)` of shares: >= 0, and 0 where all of them are equal."""
    return -special.logsumexp(logs, axis=-1)


def shares_floor(statistics: Any) -> float:
    """The least gap of an estimate, from the sums of all the data; 0 where all are equal."""
    gap = float(shares_gap(statistics.logs / statistics.count)) if statistics.count > 0 else 0.0
    return max(SHARES_FLOOR * gap, SHARES_ROUNDING) if gap > SHARES_ROUNDING else 0.0


def estimated_concentrations(estimator: Any, sums: Any, near: np.ndarray | None) -> np.ndarray:
    """The likeliest parameters `(.., d)`, their sum capped as an estimator's `floor` says. Raises `DegenerateError` where all are equal."""
    logs = sums.logs / np.asarray(sums.count)[..., None]
    gap = np.asarray(shares_gap(logs))
    if np.any(gap <= (0.0 if estimator.floor > 0 else SHARES_ROUNDING)) and not estimator.floor > 0:
        raise DegenerateError(f"{estimator.label}: all values are equal, so the precision has no maximum; {REMEDY}")
    narrow = gap <= estimator.floor
    capped = np.exp(logs) * (most_concentrated(estimator, logs.shape[-1]) if estimator.floor > 0 else 1.0)
    wide = np.where(narrow[..., None], np.log(0.5 / logs.shape[-1]), logs)
    return np.where(narrow[..., None], capped, concentrations_of(wide, near))


def most_concentrated(estimator: Any, d: int) -> float:
    """The sum of parameters at the cap: about that where the gap is the floor."""
    return 0.5 * (d - 1) / estimator.floor


def concentrated(estimator: Any, total: Any, d: int) -> str | None:
    """A sentence if the sum of parameters lies at its cap."""
    if not estimator.floor > 0 or np.all(total < most_concentrated(estimator, d) * (1 - 1e-2)):
        return None
    return f"{estimator.label} sits on equal values (precision at its cap, {np.max(total):.3g}); its density there is unbounded"


def concentrations_of(logs: np.ndarray, near: np.ndarray | None = None) -> np.ndarray:
    """The parameters `(.., d)` of the Dirichlet of whose shares the logarithms have these expectations.

    Newton's method, whose step costs d since the matrix of second derivatives is diagonal but for a constant (Minka 2000, section 1).
    near: parameters to begin from; otherwise those that hold where they are large, or small.
    """
    if near is None:
        precision = 0.5 * (logs.shape[-1] - 1) / shares_gap(logs)
        near = np.maximum(np.exp(logs) * precision[..., None], -1.0 / logs)
    alpha = np.asarray(near)
    for _ in range(CONCENTRATION_STEPS):
        total = alpha.sum(axis=-1, keepdims=True)
        slope = logs - mean_logs(alpha)
        bends = -special.polygamma(1, alpha)
        common = (slope / bends).sum(axis=-1, keepdims=True) / (
            1.0 / special.polygamma(1, total) + (1.0 / bends).sum(axis=-1, keepdims=True)
        )
        step = (common - slope) / bends / alpha
        alpha = alpha * (1.0 + np.maximum(step, 0.0)) / (1.0 - np.minimum(step, 0.0))  # where it shrinks, a step of 1 / alpha
        if not np.abs(step).max(initial=0.0) > CONCENTRATION_STEP:
            break
    return alpha
