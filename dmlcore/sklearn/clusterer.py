"""`MixtureClusterer`: kinds of rows of a table."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin

from dmlcore.selection.assignments import most_probable
from dmlcore.sklearn.base import Density
from dmlcore.stats import MixtureDistribution


class MixtureClusterer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, Density):
    """Clusters of rows of a table: each is a component of a mixture of records.

    Arguments as of `MixtureDensity`. `labels_` `(n,)` after `fit`, and `predict`: the most probable component of each row; the heaviest is
    number 0. `predict_proba`: how probable each is, which is also what `transform` gives, as columns for what comes next in a pipeline.
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        super().fit(X, y, sample_weight)
        self.labels_ = self.predict(X)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The most probable component of each row, `(n,)`."""
        return most_probable(self.predict_proba(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Posterior probabilities of the components, `(n, K)`. Raises `SupportError` naming a row that none of them could have produced."""
        table = self._read(X)
        return self.model_.seq_posterior(table)

    def transform(self, X: Any) -> np.ndarray:
        """Posterior probabilities of the components, `(n, K)`."""
        return self.predict_proba(X)

    def _adopt(self, model: MixtureDistribution) -> None:
        super()._adopt(model)
        self._n_features_out = self.n_components_
