"""The Gaussian law of a vector whose coordinates vary together only through a few factors that are not observed."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import Whole, positive_vector, vector
from dmlcore.base.errors import DataError, DegenerateError, ParameterError
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.estimator import REMEDY, pseudo_counts
from dmlcore.core.statistics import Scatter
from dmlcore.core.together import Member
from dmlcore.stats.multivariate.covariance_structures import INNER_TURNS, MORE_TURNS, STANDS_STILL
from dmlcore.stats.multivariate.factors import Expected, Loadings, common_loadings, lower_trapezoid, maximal_factors
from dmlcore.stats.multivariate.multivariate_gaussian import GaussianVectorDistribution, GaussianVectorEstimator
from dmlcore.stats.multivariate.vectors import Dimension
from dmlcore.stats.univariate.moments import Spoken, members_sharing, or_nearly, pooled_mean, posterior_moments

LEAST_COUNT = 1e-100  # of the rows of a place without any, which keeps its law
SPECIFIC_FLOOR = 1e-9  # of the variance of a coordinate in all the data


class FactorAnalyzerDistribution(GaussianVectorDistribution):
    """A vector x of d reals, `x = mu + loadings z + e` of q factors z, standard Gaussian and unobserved, and errors e with variances psi.

    So x is Gaussian with mean mu and covariance `loadings loadings' + diag(psi)`. mu: `(d,)`, in the units of each coordinate. loadings:
    `(d, q)`, q <= d, in the units of each coordinate. Factors are determined up to a rotation, which changes no density: loadings are
    stored rotated so that nothing stands above their diagonal and nothing negative on it. psi: the specific variances `(d,)`, positive.
    Raises `ParameterError` outside these domains.
    """

    mu: np.ndarray = parameter(vector)
    loadings: np.ndarray = parameter(Loadings())
    psi: np.ndarray = parameter(positive_vector)
    name: str | None = name()
    keys: str | None = keys()

    def validate(self) -> None:
        if not len(self.mu) == len(self.loadings) == len(self.psi):
            lengths = f"{len(self.mu)}, {len(self.loadings)} and {len(self.psi)}"
            raise ParameterError(f"FactorAnalyzerDistribution: mu, loadings and psi must have a row for each coordinate, got {lengths}")

    @property
    def num_factors(self) -> int:
        """q, the number of factors."""
        return self.loadings.shape[-1]

    @cached_property
    def covar(self) -> np.ndarray:
        """The covariance `(d, d)`."""
        return self.loadings @ self.loadings.swapaxes(-1, -2) + np.eye(self.dim) * self.psi[..., None, :]

    def factor_scores(self, x: Any) -> np.ndarray:
        """Expected factors given each of some vectors, `(n, q)`, in the rotation in which the loadings are stored."""
        weighted = self.loadings / self.psi[:, None]
        column: Any = self.seq_encode(x).column
        apart = column.x - self.mu
        return np.linalg.solve(np.eye(self.num_factors) + self.loadings.T @ weighted, weighted.T @ apart.T).T

    def estimator(self, pseudo_count: Any = None) -> FactorAnalyzerEstimator:
        if pseudo_count is None:
            return FactorAnalyzerEstimator(self.num_factors, self.dim, name=self.name, keys=self.keys)
        counts = pseudo_counts(pseudo_count, 2, "FactorAnalyzerDistribution")
        return FactorAnalyzerEstimator(self.num_factors, self.dim, counts, (self.mu, self.covar), self.name, self.keys)


class FactorAnalyzerEstimator(GaussianVectorEstimator):
    """Maximum likelihood for a Gaussian vector with a few factors.

    num_factors: q, so few that the covariance has fewer free numbers than without, `(d - q)^2 >= d + q`. dim: the length of the vectors
    (None: that of the data). pseudo_count and suff_stat are as of `MultivariateGaussianEstimator`.
    No specific variance falls below `SPECIFIC_FLOOR` times the variance of that coordinate in all the data. Where the maximum lies
    there (a Heywood case), the coordinate is a factor itself. Unlike a full covariance it needs no more rows than coordinates. Raises
    `DegenerateError` where a coordinate is constant and there is no prior, `ParameterError` for more factors than vectors can tell.
    """

    num_factors: int = parameter(Whole(1), default=1)
    dim: int | None = parameter(Dimension(), default=None)
    pseudo_count: Any = setting((None, None))
    suff_stat: Any = setting((None, None))
    name: str | None = name()
    keys: str | None = keys()

    family = FactorAnalyzerDistribution
    stacks = True
    closed_form = False
    floor: ClassVar[Any] = 0.0  # of specific variances

    def validate(self) -> None:
        super().validate()
        if self.dim is not None and self.num_factors > most_factors(self.dim):
            raise ParameterError(f"FactorAnalyzerEstimator: num_factors {_too_many(self.num_factors, self.dim)}")

    def resolve(self, statistics: Scatter) -> Self:
        out = super().resolve(statistics)
        if not (statistics.count > 0 or out.has_prior):
            return out
        scale = np.diag(posterior_moments(out, statistics)[1])
        if not (scale > 0).all():
            return out.pinned(pooled=None, least=None)
        floor = SPECIFIC_FLOOR * scale
        return out.pinned(floor=floor, pooled=np.diag(np.sqrt(scale)), least=np.diag(np.sqrt(floor)))

    def estimate(self, statistics: Scatter, previous: Any = None) -> FactorAnalyzerDistribution:
        mu, covar = posterior_moments(self, statistics)
        d, q = mu.shape[-1], self.num_factors
        if q > most_factors(d):
            raise DataError(f"{self.label}: num_factors {_too_many(q, d)}")
        if not np.all(np.asarray(self.floor) > 0):
            self._check_varying(mu, covar)
        known = previous is not None and previous.num_factors == q
        loadings, psi = maximal_factors((covar + covar.swapaxes(-1, -2)) / 2, q, self.floor, previous.psi if known else None)
        return self.law(mu=mu, loadings=loadings, psi=psi)

    def estimate_together(self, members: list[Member]) -> list[Any]:
        """Of parts that are shared or held: means, loadings and specific variances in turn, each the maximum given the others and what is
        expected of the factors, so that no turn is downhill (ECM, Meng and Rubin 1993)."""
        spoken = [Spoken.of(m) for m in members]
        counts = [np.maximum(part.count, LEAST_COUNT)[..., None] for part in spoken]
        known = all(m.previous is not None for m in members)
        laws = [m.previous if known else m.estimator.alone.estimate(m.statistics) for m in members]
        floor = np.max([np.broadcast_to(m.estimator.floor, laws[0].psi.shape[-1:]) for m in members], axis=0)

        def shared(part: str, own: list[Any], joined: Any) -> list[Any]:
            """What each has of a part: what is held, or joined of all that share it."""
            out = [m.held.get(part, value) for m, value in zip(members, own, strict=True)]
            for group in members_sharing(members, part):
                if part not in members[group[0]].held:
                    value = joined(group)
                    out = [value if k in group else other for k, other in enumerate(out)]
            return out

        def mean_of(values: list[Any], axes: int = 1) -> Any:
            weights = [count.reshape(*count.shape[:-1], *[1] * axes) for count in counts]
            return lambda group: sum(weights[k] * values[k] for k in group) / sum(weights[k] for k in group)

        loadings = shared("loadings", [law.loadings for law in laws], mean_of([law.loadings for law in laws], 2))
        psi = shared("psi", [law.psi for law in laws], mean_of([law.psi for law in laws]))
        mu = [part.mean for part in spoken]
        for _ in range(MORE_TURNS if known else INNER_TURNS):
            own = [one @ one.swapaxes(-1, -2) + np.eye(len(floor)) * p[..., None, :] for one, p in zip(loadings, psi, strict=True)]
            mu = shared(
                "mu", mu, lambda g, own=own: spoken[g[0]].mean if len(g) == 1 else pooled_mean([spoken[k] for k in g], [own[k] for k in g])
            )
            seen = [part.about(m) / n[..., None] for part, m, n in zip(spoken, mu, counts, strict=True)]
            expected = [Expected.at(*one) for one in zip(seen, loadings, psi, strict=True)]
            weights = [n / p for n, p in zip(counts, psi, strict=True)]
            loadings = shared("loadings", loadings, lambda g, e=expected, w=weights: common_loadings([e[k] for k in g], [w[k] for k in g]))
            left = [e.left(s, one) for e, s, one in zip(expected, seen, loadings, strict=True)]
            before, joined = psi, mean_of(left)
            psi = shared("psi", psi, lambda g, joined=joined: np.maximum(joined(g), floor))
            if all(np.allclose(one, other, rtol=STANDS_STILL, atol=0.0) for one, other in zip(before, psi, strict=True)):
                break
        each = zip(members, mu, loadings, psi, strict=True)
        return [m.law(mu=one, loadings=lower_trapezoid(two), psi=three) for m, one, two, three in each]

    def _check_varying(self, mu: np.ndarray, covar: np.ndarray) -> None:
        flat = ~(np.einsum("...ii->...i", covar) > 0)
        if flat.any():
            places = ", ".join(map(str, np.unique(np.nonzero(flat)[-1])))
            raise DegenerateError(f"{self.label}: coordinate {places} is constant{or_nearly(mu[flat])}; {REMEDY}")


def most_factors(d: int) -> int:
    """How many factors d coordinates can tell: with more, the covariance would have more free numbers than a full one (Ledermann 1937)."""
    return int((2 * d + 1 - (8 * d + 1) ** 0.5) / 2 + 1e-9)


def _too_many(q: int, d: int) -> str:
    most = most_factors(d)
    need = f"be at most {most}" if most else "be left out: there is no fewer than a full covariance (MultivariateGaussianEstimator)"
    return f"must {need} for vectors of {d}, got {q}"
