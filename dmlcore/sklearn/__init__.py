"""Estimators for scikit-learn's pipelines, searches and scores: clusters, densities, imputation, classes and regressions by mixtures."""

from typing import TYPE_CHECKING

from dmlcore.base.extras import library
from dmlcore.base.lazy import lazily

if TYPE_CHECKING:
    from dmlcore.sklearn.classifier import MixtureClassifier
    from dmlcore.sklearn.clusterer import MixtureClusterer
    from dmlcore.sklearn.density import MixtureDensity
    from dmlcore.sklearn.imputer import MixtureImputer
    from dmlcore.sklearn.regressor import MixtureRegressor
else:
    __getattr__ = lazily(
        __name__,
        {
            "dmlcore.sklearn.classifier": "MixtureClassifier",
            "dmlcore.sklearn.clusterer": "MixtureClusterer",
            "dmlcore.sklearn.density": "MixtureDensity",
            "dmlcore.sklearn.imputer": "MixtureImputer",
            "dmlcore.sklearn.regressor": "MixtureRegressor",
        },
    )

library("sklearn", "dmlcore.sklearn needs", extra="sklearn")

__all__ = ["MixtureClassifier", "MixtureClusterer", "MixtureDensity", "MixtureImputer", "MixtureRegressor"]
