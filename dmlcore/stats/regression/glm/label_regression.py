"""Regressions of labels: what the laws of a label given covariates share, whatever their probabilities are."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.base.labels import LabelMap, Vocabulary
from dmlcore.base.random import Random, generator
from dmlcore.core.declared import setting
from dmlcore.data.encoded import encode
from dmlcore.data.layouts import Covariates, Labels
from dmlcore.data.record_layouts import Explained
from dmlcore.stats.regression.glm.label_predictors import Design, LabelStart, LabelTape, chosen_rows, distinct_labels
from dmlcore.stats.regression.glm.regression_distribution import RegressionDistribution
from dmlcore.stats.regression.glm.regression_estimator import RegressionEstimator
from dmlcore.stats.univariate.categorical import CategoricalDistribution
from dmlcore.stats.univariate.row_labels import RowLabels


def layout_of_labels(node: Any, dim: int | None) -> Any:
    """The layout of (x, label), x of `dim` covariates."""
    return Explained(node.label, (Covariates(node.label, dim), Labels(node.label)))


class LabelRegressionDistribution(RegressionDistribution):
    """Base: the law of a label given covariates x. Labels other than `labels` have probability zero."""

    response = Labels

    def log_probabilities(self, design: Design) -> np.ndarray:
        """Log probabilities of the labels, `(C, n)`."""
        raise StructureError(f"{type(self).__name__} has no log_probabilities(design)")

    @property
    def dim(self) -> int:
        return self.coef.shape[-1]

    @cached_property
    def layout(self) -> Any:
        return layout_of_labels(self, self.dim)

    @cached_property
    def vocabulary(self: Any) -> Vocabulary:
        """The labels, with their positions."""
        return Vocabulary(self.labels)

    def mean_given(self, x: Any, offset: Any = None) -> np.ndarray:
        """Probabilities of the labels, `(n, C)`, at covariates `(n, p)`."""
        column: Any = encode(x, Covariates(self.label, self.dim)).column
        return np.exp(self.log_probabilities(Design(column.x))).T

    def law_given(self, x: Any, offset: Any = None, trials: int | None = None) -> CategoricalDistribution:
        p = self.mean_given([x])[0]
        return CategoricalDistribution(LabelMap(self.vocabulary, p / p.sum()))

    def laws_given(self, x: np.ndarray, offset: Any = None, trials: Any = None) -> RowLabels:
        p = self.mean_given(x).T
        return RowLabels(self.vocabulary, p / p.sum(axis=0))

    def sample_given(self: Any, x: Any, rng: Random = None, offset: Any = None, trials: Any = None) -> Any:
        """One label for each row of covariates `(n, p)`: a list."""
        return [self.labels[c] for c in chosen_rows(self.mean_given(x), generator(rng)).tolist()]

    def explain_zero_density(self: Any, x: Any) -> str:
        return f"{self.label}: the label {x[1]!r} has probability zero; it needs one of {list(self.labels)!r}"


class LabelRegressionEstimator(RegressionEstimator):
    """Base of estimators of regressions of labels. labels: what they are; None takes those of all the data that carry weight."""

    labels: Any = setting()

    bounded = True
    runaway = "covariates separate labels"
    pinned_labels: ClassVar[Vocabulary | None] = None

    def validate(self) -> None:
        super().validate()
        if self.labels is not None:
            self.derive(labels=distinct_labels(self.labels, type(self).__name__))

    @cached_property
    def layout(self) -> Any:
        return layout_of_labels(self, None if self.names is None else len(self.names))

    def open(self, column: Any, open: Any) -> Any:
        covariates, response = column.fields
        return LabelTape(Design(covariates.x), None, response.values.x, response.codes)

    def vocabulary_of(self, statistics: LabelStart) -> Vocabulary:
        """The labels, of the setting, or as pinned, or of what the first pass has seen."""
        if self.labels is not None:
            return Vocabulary(self.labels)
        if self.pinned_labels is not None:
            return self.pinned_labels
        return Vocabulary(label for label, w in zip(statistics.labels, statistics.sums.score[:, 0], strict=True) if w > 0)

    def covers(self, column: Any) -> bool:
        response = column.fields[1]
        return self.labels is None or all(response.values.x[i] in self.labels for i in np.unique(response.codes).tolist())

    def why_outside_support(self, x: Any) -> str | None:
        if self.labels is None or x[1] in self.labels:
            return None
        return f"{self.label}: the label {x[1]!r} has probability zero; it needs one of {list(self.labels)!r}"
