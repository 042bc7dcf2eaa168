"""Estimators that take rows with missing cells, learning from the cells that are there."""

from __future__ import annotations

from typing import Any

from dmlcore.core.estimator import Estimator
from dmlcore.stats.combinators.composite import CompositeEstimator
from dmlcore.stats.combinators.ignored import IgnoredEstimator
from dmlcore.stats.combinators.null import NullEstimator
from dmlcore.stats.combinators.optional import OptionalEstimator
from dmlcore.stats.latent.joint_mixture import JointMixtureEstimator
from dmlcore.stats.latent.mixture import MixtureEstimator
from dmlcore.stats.multivariate.multivariate_gaussian import MultivariateGaussianEstimator
from dmlcore.stats.multivariate.partial_gaussian import PartialGaussianEstimator


def missing_at_random(estimator: Estimator) -> Any:
    """The same estimator for rows of which any cell may be missing, at random (Rubin 1976): nothing is learnt from what is missing.

    Each field of a tuple becomes an Optional one that ignores missingness (its model says nothing about which cells go missing), and
    Gaussian vectors use those of their coordinates that are known (`PartialGaussianEstimator`). Other vectors, lists and sets are
    there or missing as a whole. Fields that are Optional already stay as they are. Rows without gaps are fitted as before, to the bit.
    """
    if isinstance(estimator, (CompositeEstimator, MixtureEstimator, JointMixtureEstimator)):
        return _rebuilt(estimator)
    if isinstance(estimator, (OptionalEstimator, IgnoredEstimator, NullEstimator, PartialGaussianEstimator)):
        return estimator
    if isinstance(estimator, MultivariateGaussianEstimator):
        return PartialGaussianEstimator(**estimator.fields())
    return OptionalEstimator(estimator)


def _rebuilt(estimator: Estimator) -> Any:
    fields = estimator.fields()
    for field, _ in estimator._child_fields:
        fields[field] = tuple(map(missing_at_random, fields[field]))
    return type(estimator)(**fields)
