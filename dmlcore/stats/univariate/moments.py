"""What Gaussian-like families share: their prior, their variance floor, and the moments that maximise likelihood and prior."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore import kernels
from dmlcore.base.domains import frozen, nonnegative
from dmlcore.base.errors import DegenerateError, ParameterError
from dmlcore.base.numerics import by_rows
from dmlcore.base.records import dataclass
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.estimator import REMEDY, Estimator, pseudo_counts
from dmlcore.core.prior import Prior
from dmlcore.core.statistics import Moments, Scatter, beside
from dmlcore.core.together import Member

VARIANCE_FLOOR = 1e-12  # of the variance of all the data: reached only by a component that sits on one value
LEAST_WIDTH = 1 / math.sqrt(
    2 * math.pi
)  # of a rounding: the standard deviation of a Gaussian whose density, times the rounding, comes to 1
TURNS = 1000  # of means and variances, each given the other
TURNED = 1e-14  # relative: a change of variances that is rounding
BOUND_ROUNDING = 1e-9  # relative: a law this little below a bound lies on it
RELATIVE_ROUNDING = 2.0**-51  # relative to the mean: a standard deviation below this is rounding, and all values are equal


class MomentsEstimator(Estimator):
    """Base of estimators of a mean and a variance: the weighted ones, or those that maximise likelihood and prior together.

    pseudo_count=(a, b) with suff_stat=(m, v): `a` pseudo-observations say the mean is m, `b` say the variance is v; m and v default
    to those of all the data. The log prior is `-a (mu - m)^2 / (2 sigma2) - b/2 (log sigma2 + v / sigma2)`; with a = b it is that
    of a observations with mean m and variance v. Variances are held above `VARIANCE_FLOOR` times that of all the data.
    rounding: the values are rounded to multiples of it. A density times the rounding is then a probability, and no estimate is so narrow
    that it exceeds one: its standard deviation is at least `LEAST_WIDTH` roundings.
    Raises `DegenerateError` where all values are equal and there is no prior on the variance.
    """

    pseudo_count: Any = setting((None, None))
    suff_stat: Any = setting((None, None))
    name: str | None = name()
    keys: str | None = keys()
    rounding: float = parameter(nonnegative, default=0.0)

    floor = 0.0
    least: ClassVar[Any] = 0.0  # standard deviation, in the units of the values
    stacks = True

    def validate(self) -> None:
        check_prior(self)
        self.derive(least=LEAST_WIDTH * self.rounding)

    def resolve(self, statistics: Moments) -> Self:
        check_scale(self.label, statistics)
        return self.pinned(floor=VARIANCE_FLOOR * variance_of(statistics), prior=prior_moments(self, statistics))

    def estimate(self, statistics: Moments, previous: Any = None) -> Any:
        mu, sigma2 = posterior_moments(self, statistics)
        mu, sigma2 = self.no_narrower(mu, np.maximum(sigma2, self.floor))
        if not np.all(sigma2 > 0):
            value = np.ravel(mu)[np.argmin(sigma2)]
            raise DegenerateError(
                f"{self.label}: all values equal {float(value)!r}{or_nearly(value)}, so the variance has no maximum; {REMEDY}"
            )
        return self.law(mu=mu, sigma2=sigma2)

    def estimate_together(self, members: list[Member]) -> list[Any]:
        floor = max(np.max(np.maximum(m.estimator.floor, np.square(m.estimator.least))) for m in members)
        mus, variances = shared_moments(members, "sigma2", lambda sigma2: np.maximum(sigma2, floor))
        if not all(np.all(sigma2 > 0) for sigma2 in variances):
            raise DegenerateError(f"{self.label}: all values are equal, so the variance has no maximum; {REMEDY}")
        return [m.law(mu=mu, sigma2=sigma2) for m, mu, sigma2 in zip(members, mus, variances, strict=True)]

    def no_narrower(self, mu: Any, sigma2: Any) -> tuple[Any, Any]:
        """The mean and variance that maximise, of those that the rounding allows."""
        return mu, np.maximum(sigma2, self.least * self.least)

    def within_bounds(self, law: Any) -> bool:
        return bool(np.all(self.spread(law) >= self.least * (1 - BOUND_ROUNDING)))

    @staticmethod
    def spread(law: Any) -> Any:
        """The standard deviation, in the units of the values."""
        return np.sqrt(law.sigma2)

    def degenerate(self, distribution: Any) -> str | None:
        return floor_message(self.label, distribution.sigma2, self.floor)

    def min_relative_variance(self, distribution: Any) -> Any:
        return relative_variance(distribution.sigma2, self.floor)


class LocalMoments(Moments):
    """Moments from which a law begins whose further statistics hold at one law alone, so that none of another law are added to them."""

    local: ClassVar[bool] = True

    @classmethod
    def of(cls, moments: Moments) -> Self:
        """The same moments."""
        return cls(moments.count, moments.mean, moments.m2)


def moments_of(x: np.ndarray, weights: np.ndarray) -> Moments:
    """Moments of numbers `(n,)`, from weights `(.., n)`."""
    if weights.ndim == 1:
        return Moments(*kernels.moments(x, weights))
    count, mean, m2 = np.moveaxis(by_rows(lambda rows: kernels.moments_many(x, rows), weights), -1, 0)
    return Moments(count, mean, m2)


def moments_log_likelihood(statistics: Any, mu: Any, sigma2: Any) -> Any:
    """Log likelihood of means and variances, up to a constant; of data, or of the two halves of a prior."""
    about, spread = statistics if isinstance(statistics, tuple) else (statistics, statistics)
    shift = about.mean - mu
    misfit = about.count * (shift * shift) + spread.m2
    return -0.5 * (spread.count * np.log(sigma2) + misfit / sigma2)


def check_prior(estimator: Any) -> None:
    """Raises `ParameterError` unless pseudo_count is one number or two and suff_stat a pair, of a mean and a variance >= 0; stores them."""
    who = type(estimator).__name__
    pseudo_counts(estimator.pseudo_count, 2, who)
    pair = (None, None) if estimator.suff_stat is None else estimator.suff_stat
    if not isinstance(pair, (tuple, list, np.ndarray)) or len(pair) != 2:
        raise ParameterError(f"{who}: suff_stat must be a pair (mean, variance), each may be None, got {estimator.suff_stat!r}")
    stored: list[Any] = []
    for what, part in zip(("mean", "variance"), pair, strict=True):
        try:
            value = None if part is None else frozen(part)
        except (TypeError, ValueError):
            value = np.array(np.nan)
        variances: Any = np.diagonal(value) if value is not None and value.ndim == 2 else value
        if value is not None and not (np.isfinite(value).all() and (what == "mean" or np.all(variances >= 0))):
            raise ParameterError(f"{who}: the {what} in suff_stat must be finite{' and >= 0' * (what == 'variance')}, got {part!r}")
        stored.append(value.item() if value is not None and value.ndim == 0 else value)
    estimator.derive(suff_stat=tuple(stored))


def variance_of(statistics: Moments) -> Any:
    """Variance, per coordinate; exactly 0 where all values are equal up to rounding."""
    if not np.any(statistics.count > 0):
        return 0.0 * statistics.m2
    variance = statistics.m2 / beside(statistics.count, statistics.m2)
    return np.where(variance > np.square(RELATIVE_ROUNDING * statistics.mean), variance, 0.0)[()]


def check_scale(label: str, statistics: Moments) -> None:
    """Raises `DegenerateError` where variances lie outside the range of floating-point numbers, though the values do not."""
    if not statistics.count > 0:
        return
    variance = np.diagonal(statistics.m2) if np.ndim(statistics.m2) == 2 else np.atleast_1d(statistics.m2)
    variance = variance / statistics.count
    if not np.isfinite(variance).all():
        raise DegenerateError(
            f"{label}: its values are too large, the squares of their differences exceed 1e308; divide them by a constant"
        )
    if ((variance > 0) & (variance < np.finfo(np.float64).tiny)).any():
        raise DegenerateError(f"{label}: its values differ by less than 1e-154, too little for squares; multiply them by a constant")


def or_nearly(mean: Any) -> str:
    """What to add where values of this size are found to be equal: of very small ones, squares cannot tell."""
    tiny = np.abs(mean) < 1e-150
    return " (or differ by less than 1e-154: multiply them by a constant)" if np.any(tiny & (np.asarray(mean) != 0)) else ""


@dataclass(frozen=True, eq=False)
class PseudoMoments(Prior):
    """Observations that were never made, some of which speak of the mean alone, and others of the variance (or covariance) alone."""

    about: Moments
    spread: Moments

    @property
    def decides(self) -> bool:  # type: ignore[override]
        return bool(self.spread.count > 0)

    def added_to(self, statistics: Any) -> Any:
        both = statistics + self.about
        return type(both)(statistics.count + self.spread.count, both.mean, both.m2 + self.spread.m2)

    def log_density(self, law: Any) -> Any:
        return law.log_likelihood((self.about, self.spread))


def prior_moments(estimator: Any, pooled: Moments) -> PseudoMoments | None:
    """Pseudo-observations, as an estimator's settings and the moments of all the data say."""
    a, b = pseudo_counts(estimator.pseudo_count, 2, type(estimator).__name__)
    m, v = (None, None) if estimator.suff_stat is None else estimator.suff_stat
    if (a == 0 and b == 0) or (pooled.count == 0 and (m is None or v is None)):
        return None
    m = pooled.mean if m is None else np.asarray(m, dtype=np.float64)[()]
    v = pooled.m2 / pooled.count if v is None else np.asarray(v, dtype=np.float64)[()]
    if pooled.count > 0 and (np.shape(m), np.shape(v)) != (np.shape(pooled.mean), np.shape(pooled.m2)):
        need = f"shapes {np.shape(pooled.mean)} and {np.shape(pooled.m2)}"
        raise ParameterError(f"{type(estimator).__name__}: suff_stat must have {need}, got {np.shape(m)} and {np.shape(v)}")
    return PseudoMoments(type(pooled)(a, m, 0.0 * v), type(pooled)(b, m, b * v))


def posterior_moments(estimator: Any, statistics: Moments) -> tuple[Any, Any]:
    """Mean and variance (or covariance) that maximise likelihood and prior, without the floor."""
    if estimator.prior is None:
        if not isinstance(statistics, Scatter):
            return statistics.mean, variance_of(statistics)
        count = np.where(statistics.count > 0, statistics.count, 1.0)  # a place without any keeps its law, whatever is said of it here
        return statistics.mean, statistics.m2 / beside(count, statistics.m2)
    both = estimator.with_prior(statistics)
    return both.mean, both.m2 / beside(both.count, both.m2) if np.any(both.count > 0) else 0.0 * both.m2


def shared_moments(members: list[Member], spread: str, bounded: Any) -> tuple[list[Any], list[Any]]:
    """Means and variances (or covariances, of the parameter `spread`) that maximise likelihood and prior of leaves that share some of them.

    bounded: a variance as it may be. Where means are shared, they and the variances take turns, from the variances before: each is the
    maximum given the other, so that the objective rises.
    """
    parts = [Spoken.of(m) for m in members]
    means, spreads = members_sharing(members, "mu"), members_sharing(members, spread)
    mus = [np.asarray(m.held.get("mu", part.mean), dtype=np.float64) for m, part in zip(members, parts, strict=True)]
    common = [group for group in means if len(group) > 1]
    out: list[Any] = [m.held.get(spread, None if m.previous is None else m.previous.stored(spread)) for m in members]
    for turn in range(TURNS if common else 1):
        if all(variance is not None for variance in out):
            for group in common:
                mean = pooled_mean([parts[k] for k in group], [out[k] for k in group])
                mus = [mean if k in group else mu for k, mu in enumerate(mus)]
        before, out = out, list(out)
        for group in spreads:
            if spread in members[group[0]].held:
                continue
            total, count = sum(parts[k].about(mus[k]) for k in group), sum(parts[k].count for k in group)
            variance = bounded(total / beside(np.where(count > 0, count, 1.0)[()], total))
            for k in group:
                out[k] = variance
        if turn and all(np.allclose(one, other, rtol=TURNED, atol=0.0) for one, other in zip(before, out, strict=True)):
            break
    return [mu[()] for mu in mus], out


def members_sharing(members: list[Member], field: str) -> list[list[int]]:
    """Members in groups of those that have one parameter in common."""
    groups: dict[Any, list[int]] = {}
    for k, m in enumerate(members):
        groups.setdefault(m.tied.get(field, k), []).append(k)
    return list(groups.values())


@dataclass(frozen=True)
class Spoken:
    """What rows and prior say: how many of a mean and of a variance, the mean, and the second moment about it."""

    kind: Any
    weight: Any
    count: Any
    mean: Any
    m2: Any

    @classmethod
    def of(cls, member: Member) -> Spoken:
        """What the rows and the prior of one member say."""
        own, prior = member.statistics, member.estimator.prior
        own = prior.spread.scaled(0.0) if own is None else own
        if prior is None:
            with np.errstate(invalid="ignore", divide="ignore"):
                m2 = own.m2 if isinstance(own, Scatter) else variance_of(own) * beside(own.count, own.m2)
            return cls(type(own), own.count, own.count, own.mean, m2)
        both = own + prior.about
        return cls(type(own), both.count, own.count + prior.spread.count, both.mean, both.m2 + prior.spread.m2)

    def about(self, mean: Any) -> Any:
        """The second moment about another mean."""
        square = self.kind.square(self.mean - mean)
        return self.m2 + beside(self.weight, square) * square


def pooled_mean(parts: list[Spoken], variances: list[Any]) -> Any:
    """The mean that several have in common: theirs, weighted by their precisions."""
    if parts[0].kind is not Scatter:
        weights = [beside(part.weight, variance) / variance for part, variance in zip(parts, variances, strict=True)]
        return sum(w * part.mean for w, part in zip(weights, parts, strict=True)) / sum(weights)
    precisions = [beside(part.weight, covar) * np.linalg.inv(covar) for part, covar in zip(parts, variances, strict=True)]
    right = sum(p @ part.mean[..., None] for p, part in zip(precisions, parts, strict=True))
    return np.linalg.solve(sum(precisions), right)[..., 0]


def relative_variance(variance: Any, floor: Any) -> Any:
    """Variances relative to those of all the data, of which a floor is the known part; 1 where that cannot be said."""
    known = np.asarray(floor) > 0
    return np.where(known, variance / np.where(known, np.asarray(floor) / VARIANCE_FLOOR, 1.0), 1.0)[()]


def floor_message(label: str, variance: Any, floor: Any, sits: str = "sits on equal values") -> str | None:
    """A sentence if a variance lies on its floor, as the component sits on (nearly) equal values, or as `sits` says."""
    if not np.any((np.asarray(floor) > 0) & (np.asarray(variance) <= np.asarray(floor) * (1 + 1e-9))):
        return None
    return f"{label} {sits} (variance at its floor, {float(np.max(floor)):.3g}); its density there is unbounded"
