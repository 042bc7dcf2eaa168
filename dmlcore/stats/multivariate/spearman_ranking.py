"""Rankings around a central one: Mallows' model with Spearman's distance."""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any, Self

import numpy as np

from dmlcore.base.domains import Array, Whole, frozen, nonnegative
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import across
from dmlcore.base.records import dataclass
from dmlcore.base.support import Support
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator, pseudo_counts, pseudo_observations
from dmlcore.core.powers import HasEntropy, HasMean, HasMode
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Layout, Vector
from dmlcore.stats.multivariate.vectors import check_dimension
from dmlcore.stats.univariate.row_labels import drawn_codes

MOST_ITEMS = 15  # rankings of more: tables of all their subsets take too long
STEEPEST = 15.0  # of rho: where one ranking in 1e13 differs from the central one


class CentralRanking(Array):
    """An order of 0, 1, .., d - 1, which is no free number."""

    ties = False

    def __init__(self) -> None:
        super().__init__(f"a ranking: the numbers 0, 1, .., d - 1 in some order, d from 1 to {MOST_ITEMS}", 1)

    def check(self, value: Any) -> np.ndarray:
        array = super().check(value)
        if len(array) > MOST_ITEMS or (np.sort(array) != np.arange(len(array))).any():
            raise self.fail(value)
        return array

    def free(self, value: np.ndarray) -> int:
        return 0

    def flatten(self, value: np.ndarray) -> np.ndarray:
        return np.zeros(0)

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        return like


class NumberOfItems(Whole):
    """How many items a ranking has."""

    def __init__(self) -> None:
        super().__init__(1)
        self.need = f"a whole number from 1 to {MOST_ITEMS}"

    def check(self, value: Any) -> int:
        number = super().check(value)
        if number > MOST_ITEMS:
            raise self.fail(value)
        return number


@dataclass(frozen=True)
class Rankings(Support):
    """Vectors that hold each of 0, 1, .., d - 1 once."""

    def contains(self, x: np.ndarray) -> np.ndarray:
        return np.asarray((np.sort(x, axis=1) == np.arange(x.shape[1])).all(axis=1))

    def covers(self, column: Any) -> bool:
        return bool(self.contains(column.x).all())


@cache
def subsets_by_size(d: int) -> list[np.ndarray]:
    """The subsets of d ranks, as whole numbers in binary: those of 0, 1, .., d ranks."""
    every = np.arange(1 << d)
    size = sum((every >> j) & 1 for j in range(d)) + np.zeros(1 << d, dtype=np.intp)
    return [np.flatnonzero(size == k) for k in range(d + 1)]


@cache
def rankings_at_distance(d: int) -> np.ndarray:
    """How many rankings of d items are at the squared distances 0, 2, 4, .., d (d^2 - 1) / 3 from one of them.

    Half the distance is what the sum of the products of ranks lacks of its largest value. Item after item gets one of the ranks that are
    left (dynamic programming over subsets of ranks, as Held and Karp 1962): a row of numbers for each subset of so many ranks.
    """
    size, largest = subsets_by_size(d), (d - 1) * d * (2 * d - 1) // 6
    place, counts = np.zeros(1 << d, dtype=np.intp), np.ones((1, 1))
    for i in range(d):
        place[size[i]] = np.arange(len(size[i]))
        after = np.zeros((len(size[i + 1]), counts.shape[1] + i * (d - 1)))
        for j in range(d):
            with_j = np.flatnonzero((size[i + 1] >> j) & 1)
            after[with_j, i * j : i * j + counts.shape[1]] += counts[place[size[i + 1][with_j] ^ (1 << j)]]
        counts = after[:, : largest + 1]
    return counts[0, ::-1][: d * (d * d - 1) // 6 + 1]


@cache
def distances(d: int) -> tuple[np.ndarray, np.ndarray]:
    """The squared distances that rankings of d items have from one of them, and the log of how many there are at each."""
    counts = rankings_at_distance(d)
    there = counts > 0
    return 2.0 * np.flatnonzero(there), np.log(counts[there])


def distance_moments(d: int, rho: float) -> tuple[float, float, float]:
    """The log of the sum of `exp(-rho distance)` over all rankings, and the mean and variance of the distance in that proportion."""
    apart, count = distances(d)
    log = count - rho * apart
    top = log.max()
    p = np.exp(log - top)
    total = p.sum()
    mean = p @ apart / total
    return float(top + np.log(total)), float(mean), float(p @ (apart - mean) ** 2 / total)


class SpearmanRankingDistribution(Distribution, HasMean, HasMode, HasEntropy):
    """A ranking x of d items, where x_i in 0, 1, .., d - 1 is the rank of item i, with probability `exp(-rho |x - sigma|^2) / Z(rho)`:
    Mallows' model with Spearman's distance, the sum of squared differences of ranks.

    sigma: the central ranking `(d,)`, each of 0, 1, .., d - 1 once; d <= 15. rho: a pure number >= 0; 0 is the uniform law. Z is the exact
    sum over all d! rankings, by how many there are at each distance. Raises `ParameterError` outside these domains.
    """

    sigma: Any = parameter(CentralRanking())
    rho: float = parameter(nonnegative, default=1.0)
    name: str | None = name()
    keys: str | None = keys()

    kind = Vector
    support = Rankings("a ranking, which holds each of 0, 1, .., d - 1 once")

    @property
    def dim(self) -> int:
        """d, the number of items."""
        return int(self.sigma.shape[-1])

    @cached_property
    def layout(self) -> Layout:
        return Vector(self.label, self.dim)

    @cached_property
    def _log_sum(self) -> Any:
        """log Z(rho)."""
        rho = np.asarray(self.rho)
        return np.array([distance_moments(self.dim, one)[0] for one in rho.ravel().tolist()]).reshape(rho.shape)[()]

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        check_dimension(x, self.dim, self.label)
        apart = 2.0 * (largest_product(self.dim) - self.sigma @ x.T)
        return -across(self.rho) * apart - across(self._log_sum)

    def mean(self) -> np.ndarray:
        return self._given_places @ np.arange(self.dim)

    def mode(self) -> np.ndarray:
        return self.sigma

    def entropy(self) -> float:
        log, mean, _ = distance_moments(self.dim, self.rho)
        return log + self.rho * mean

    @cached_property
    def _ways(self) -> np.ndarray:
        """Of each subset of ranks, the sum of `exp(-rho distance)` over all ways to give them to as many items, the centrally first."""
        size, out = subsets_by_size(self.dim), np.zeros(1 << self.dim)
        out[0] = 1.0
        for i in range(self.dim):
            for j in range(self.dim):
                with_j = size[i + 1][(size[i + 1] >> j) & 1 == 1]
                out[with_j] += np.exp(-self.rho * (i - j) ** 2) * out[with_j ^ (1 << j)]
        return out

    @cached_property
    def _given_places(self) -> np.ndarray:
        """How probable each rank is for each item `(d, d)`."""
        items = np.argsort(self.sigma)
        out = np.zeros((self.dim, self.dim))
        whole = np.zeros(1 << self.dim)
        whole[-1] = 1.0
        for i in reversed(range(self.dim)):
            after = np.zeros(1 << self.dim)
            layer = subsets_by_size(self.dim)[i + 1]
            for j in range(self.dim):
                with_j = layer[(layer >> j) & 1 == 1]
                before = with_j ^ (1 << j)
                ways = self._ways[with_j]
                share = np.exp(-self.rho * (i - j) ** 2) * self._ways[before] / np.where(ways > 0, ways, 1.0)
                p = whole[with_j] * share
                out[items[i], j] = p.sum()
                after[before] += p
            whole = after
        return out

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        d, left, out = self.dim, np.full(size, (1 << self.dim) - 1), np.zeros((size, self.dim))
        for item in np.argsort(self.sigma)[::-1].tolist():
            near = np.exp(-self.rho * (self.sigma[item] - np.arange(d)) ** 2)
            there = (left[:, None] >> np.arange(d)) & 1 == 1
            weights = np.where(there, near * self._ways[left[:, None] & ~(1 << np.arange(d))], 0.0)
            rank = drawn_codes(weights.T, rng)
            out[:, item] = rank
            left ^= 1 << rank
        return out

    def expected_statistics(self, count: float) -> Sums:
        return Sums(count=count, x=count * self.mean())

    def log_likelihood(self, statistics: Any) -> float:
        count = statistics.count
        apart = 2.0 * (count * largest_product(self.dim) - (self.sigma * statistics.x).sum(axis=-1))
        return -self.rho * apart - count * self._log_sum

    def estimator(self, pseudo_count: Any = None) -> SpearmanRankingEstimator:
        own = None if pseudo_count is None else self.mean()
        return SpearmanRankingEstimator(self.dim, pseudo_count, own, self.name, self.keys)


def largest_product(d: int) -> float:
    """The sum of the squares of 0, 1, .., d - 1: of the products of the ranks of two rankings of d items, if they are one."""
    return (d - 1) * d * (2 * d - 1) / 6


class SpearmanRankingEstimator(Estimator):
    """Maximum likelihood for a Mallows model: sigma ranks the items by their mean ranks, and the mean distance from it is the data's.

    dim: d, the number of items, at most 15. pseudo_count=a with suff_stat `(d,)`: a pseudo-rankings of these mean ranks (default: those of
    all the data); the log prior is a times their mean log density. rho is at most 15, where all rankings are one but one
    in 1e13.
    """

    dim: int = parameter(NumberOfItems())
    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = SpearmanRankingDistribution
    stacks = True

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "SpearmanRankingEstimator")
        if self.suff_stat is None:
            return
        try:
            ranks = frozen(self.suff_stat)
        except (TypeError, ValueError):
            ranks = np.zeros(0)
        least = np.arange(self.dim) * np.arange(1, self.dim + 1) / 2  # what so many ranks sum to at least
        sums = np.cumsum(np.sort(ranks)) if ranks.shape == (self.dim,) else least - 1.0
        if not (sums >= least - 1e-9).all() or abs(sums[-1] - least[-1]) > 1e-9:
            raise ParameterError(f"SpearmanRankingEstimator: suff_stat must be mean ranks of {self.dim} items, got {self.suff_stat!r}")
        self.derive(suff_stat=ranks)

    @cached_property
    def layout(self) -> Layout:
        return Vector(self.label, self.dim)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Sums:
        check_dimension(x, self.dim, self.label)
        return Sums(count=weights.sum(axis=-1), x=weights @ x)

    def resolve(self, statistics: Sums) -> Self:
        if self.suff_stat is None:
            return self.pinned(prior=pseudo_observations(self, statistics))
        (count,) = pseudo_counts(self.pseudo_count, 1, "SpearmanRankingEstimator")
        return self.pinned(prior=PseudoObservations(Sums(count=count, x=count * self.suff_stat)) if count > 0 else None)

    def estimate(self, statistics: Sums, previous: Any = None) -> SpearmanRankingDistribution:
        both = self.with_prior(statistics)
        means = both.x / np.asarray(both.count)[..., None]
        sigma = np.argsort(np.argsort(means, axis=-1, kind="stable"), axis=-1).astype(np.float64)
        apart = np.asarray(2.0 * (largest_product(self.dim) - (sigma * means).sum(axis=-1)))
        rho = np.array([steepness(self.dim, one) for one in apart.ravel().tolist()]).reshape(apart.shape)
        return self.law(sigma=sigma, rho=rho[()] if rho.ndim else float(rho))

    def within_bounds(self, law: Any) -> bool:
        return bool(np.all(law.rho <= STEEPEST))


def steepness(d: int, apart: float) -> float:
    """The rho, at most `STEEPEST`, at which rankings of d items have this mean distance from the central one: by Newton's method on its
    logarithm, within bounds."""
    low, high = 0.0, STEEPEST
    if d == 1 or apart >= distance_moments(d, low)[1]:
        return 0.0
    if apart <= distance_moments(d, high)[1]:
        return STEEPEST
    rho = 0.0
    for _ in range(200):
        _, mean, variance = distance_moments(d, rho)
        low, high = (rho, high) if mean > apart else (low, rho)
        before, rho = rho, rho + mean * np.log(mean / apart) / variance
        rho = rho if low < rho < high else (low + high) / 2
        if abs(rho - before) <= 1e-12 * max(rho, 1e-3):
            break
    return float(rho)
