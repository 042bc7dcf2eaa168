"""Mixtures that have names of their own in DMLearn, as the general forms that they are here.

Each is a function that returns the mixture: that is what it prints and saves as, and what a fit returns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.domains import probability
from dmlcore.base.errors import ParameterError
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.stats.latent.mixture import (
    HeterogeneousMixtureDistribution,
    HeterogeneousMixtureEstimator,
    MixtureDistribution,
    MixtureEstimator,
)
from dmlcore.stats.multivariate.diagonal_gaussian import DiagonalGaussianDistribution, DiagonalGaussianEstimator
from dmlcore.stats.univariate.gaussian import GaussianDistribution, GaussianEstimator
from dmlcore.stats.univariate.point_mass import PointMassDistribution, PointMassEstimator


def DiracMixtureDistribution(
    dist: Distribution, p: float, v: Any = 0, name: str | None = None, keys: tuple[str | None, str | None] = (None, None)
) -> HeterogeneousMixtureDistribution:
    """A value of `dist` with probability p, else v: a HeterogeneousMixture of `dist` and a PointMass at v, weights (p, 1 - p)."""
    try:
        p = probability.check(p)
    except ParameterError as error:
        raise ParameterError(f"DiracMixtureDistribution: p {error}") from None
    return HeterogeneousMixtureDistribution((dist, PointMassDistribution(v)), [p, 1 - p], name, keys)


def DiracMixtureEstimator(
    estimator: Estimator,
    v: Any = 0,
    fixed_p: float | None = None,
    suff_stat: float | None = None,
    pseudo_count: float | None = None,
    name: str | None = None,
    keys: tuple[str | None, str | None] = (None, None),
) -> HeterogeneousMixtureEstimator:
    """The estimator of a DiracMixture. fixed_p: p, where it is not estimated. suff_stat: the share p of the pseudo-observations."""
    fixed, spread = (None if share is None else [share, 1 - share] for share in (fixed_p, suff_stat))
    return HeterogeneousMixtureEstimator((estimator, PointMassEstimator(v)), fixed, spread, pseudo_count, name, keys)


def GaussianMixtureDistribution(
    mu: Any, sigma2: Any, w: Any, name: str | None = None, keys: tuple[str | None, str | None] = (None, None)
) -> MixtureDistribution:
    """A Mixture of Gaussians with means mu `(K,)` and variances sigma2, `(K,)` or one for all."""
    each = zip(mu, np.broadcast_to(sigma2, np.shape(mu)), strict=True)
    return MixtureDistribution([GaussianDistribution(m, v) for m, v in each], w, name, keys)


def GaussianMixtureEstimator(
    num_components: int,
    fixed_weights: Any = None,
    suff_stat: tuple[Any, Any, Any] = (None, None, None),
    pseudo_count: tuple[Any, Any, Any] = (None, None, None),
    tied: bool = False,
    keys: tuple[str | None, str | None] = (None, None),
    name: str | None = None,
) -> MixtureEstimator:
    """The estimator of a Mixture of Gaussians. suff_stat, pseudo_count: of the weights, the means and the variances, each for all
    components or `(K,)`. tied: whether all components have one variance."""
    means, variances = (prior_of_each(values, num_components, 0) for values in suff_stat[1:])
    each, one = zip(means, variances, strict=True), {"sigma2": True} if tied else {}
    parts = [GaussianEstimator(pseudo_count[1:], (mean, variance), tied=one) for mean, variance in each]
    return MixtureEstimator(parts, fixed_weights, suff_stat[0], pseudo_count[0], name, keys)


def DiagonalGaussianMixtureDistribution(
    mu: Any, covar: Any, w: Any, tied: bool = False, name: str | None = None, keys: tuple[str | None, str | None] = (None, None)
) -> MixtureDistribution:
    """A Mixture of DiagonalGaussians with means mu `(K, d)` and variances covar, `(K, d)` or `(d,)`. tied: whether these are one."""
    mu, covar = np.asarray(mu, dtype=np.float64), np.asarray(covar, dtype=np.float64)
    if tied and covar.ndim != 1:
        raise ParameterError(f"DiagonalGaussianMixtureDistribution: covar must be a vector where it is tied, got shape {covar.shape}")
    each, one = zip(mu, np.broadcast_to(covar, mu.shape), strict=True), {"covar": True} if tied else {}
    return MixtureDistribution([DiagonalGaussianDistribution(m, v, tied=one) for m, v in each], w, name, keys)


def DiagonalGaussianMixtureEstimator(
    num_components: int,
    dim: int | None = None,
    fixed_weights: Any = None,
    suff_stat: tuple[Any, Any, Any] = (None, None, None),
    pseudo_count: tuple[Any, Any, Any] = (None, None, None),
    tied: bool = False,
    keys: tuple[str | None, str | None] = (None, None),
    name: str | None = None,
) -> MixtureEstimator:
    """The estimator of a Mixture of DiagonalGaussians. suff_stat, pseudo_count: of the weights, the means and the variances, each for all
    components `(d,)` or `(K, d)`. tied: whether all components have one variance of each coordinate."""
    means, variances = (prior_of_each(values, num_components, 1) for values in suff_stat[1:])
    each, one = zip(means, variances, strict=True), {"covar": True} if tied else {}
    parts = [DiagonalGaussianEstimator(dim, pseudo_count[1:], (mean, variance), tied=one) for mean, variance in each]
    return MixtureEstimator(parts, fixed_weights, suff_stat[0], pseudo_count[0], name, keys)


def prior_of_each(values: Any, num_components: int, axes: int) -> list[Any]:
    """What each component's pseudo-observations have, given for all of them or one by one."""
    return list(values) if np.ndim(values) > axes else [values] * num_components
