"""Estimators that take rows with missing parts, learning from the parts that are there."""

from __future__ import annotations

from typing import Any

from dmlcore.core.arguments import takes
from dmlcore.core.estimator import Estimator
from dmlcore.stats.combinators.optional import which_may_be_missing


@takes()
def missing_at_random(estimator: Estimator) -> Any:
    """The same estimator for rows of which any part may be missing, at random (Rubin 1976): nothing is learnt from what is missing.

    Each leaf becomes an Optional one that ignores missingness (its model says nothing about which values go missing): fields of tuples,
    elements of lists, components of mixtures of every kind. Gaussian vectures use those of their coordinates that are known
    (`PartialGaussianEstimator`). Other vectors, sets and Markov chains are there or missing as a whole, and so are the observations of a
    regression: covariates have no law, so without one of its parts the rest says nothing. The same holds of the covariates of a gated
    mixture. None is missing everywhere, never a label. Optional parts stay as they are; what is below them is treated as elsewhere.
    Rows without gaps are fitted as before, to the bit.
    """
    return which_may_be_missing(estimator.with_gaps(missing_at_random))
