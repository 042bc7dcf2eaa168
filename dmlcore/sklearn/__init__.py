"""Estimators for scikit-learn's pipelines, searches and scores: clusters, densities, imputation and classes by mixtures over tables."""

from typing import TYPE_CHECKING

from dmlcore.base.extras import library
from dmlcore.base.lazy import lazily

if TYPE_CHECKING:
    from dmlcore.sklearn.classifier import MixtureClassifier
    from dmlcore.sklearn.clusterer import MixtureClusterer
    from dmlcore.sklearn.density import MixtureDensity
    from dmlcore.sklearn.imputer import MixtureImputer
else:
    __getattr__ = lazily(
        __name__,
        {
            "dmlcore.sklearn.classifier": "MixtureClassifier",
            "dmlcore.sklearn.clusterer": "MixtureClusterer",
            "dmlcore.sklearn.density": "MixtureDensity",
            "dmlcore.sklearn.imputer": "MixtureImputer",
        },
    )

library("sklearn", "dmlcore.sklearn needs", extra="sklearn")

__all__ = ["MixtureClassifier", "MixtureClusterer", "MixtureDensity", "MixtureImputer"]
