"""`MixtureClassifier`: one mixture for each class, and Bayes' rule."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from dmlcore.base.errors import DataError
from dmlcore.base.marks import missing_among
from dmlcore.base.random import Random, generator
from dmlcore.core.estimator import Estimator
from dmlcore.data.columns import Record
from dmlcore.data.encoded import Encoded, encode
from dmlcore.data.frames import rows_at
from dmlcore.fitting.fit import fit
from dmlcore.fitting.record import Fit
from dmlcore.proposal.result import Proposal
from dmlcore.sklearn.base import TableModel, steps_taken
from dmlcore.sklearn.distinct_rows import distinct_rows
from dmlcore.stats import MixtureDistribution, SemiSupervisedMixtureDistribution, SemiSupervisedMixtureEstimator

UNKNOWN_CLASS = -1  # the number of no class


class MixtureClassifier(ClassifierMixin, TableModel):
    """A classifier of rows of a table: each class is a mixture of records, and its share of the rows is its prior probability.

    Arguments as of `MixtureDensity`, where n_components is that of each class. unknown_label: what stands in y for a class that is not
    known, beside None and NaN, unless there is only one other class (labels -1 and 1 are both known); None for nothing else. Where classes
    are not known, EM learns from such rows too (semi-supervised). pseudo_count: each component has so many pseudo-observations of the law
    of all rows, so that what is constant in a class, or a label that it lacks, is not taken for certain; 0 for none.

    After `fit`: `classes_`, `class_prior_`, `model_` (the mixture of the classes), `fits_` (the record of the fit of each class alone), and
    `fit_`, that of all rows, if some classes were not known.
    """

    def __init__(
        self,
        n_components: int | str = 2,
        estimator: Estimator | str = "auto",
        *,
        unknown_label: Any = -1,
        pseudo_count: float = 0.1,
        starts: int | None = None,
        max_iter: int = 1000,
        random_state: Random = None,
    ):
        super().__init__(n_components, estimator, starts=starts, max_iter=max_iter, random_state=random_state)
        self.unknown_label = unknown_label
        self.pseudo_count = pseudo_count

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fits a mixture to the rows of each class. y: the class of each row, which may be unknown. sample_weight: numbers >= 0."""
        table, weights = self._read_first(X, sample_weight)
        codes = self._classes_of(y, len(table), weights)
        rows, weights = distinct_rows(table, weights, codes)
        codes, rng = codes[rows], generator(self.random_state)
        table, component = self._one_component(rows_at(table, rows), weights, rng)
        component = self._with_prior(component, table, weights, rng)
        self.fits_: list[Fit] = []
        for k in range(len(self.classes_)):
            mine = np.flatnonzero(codes == k)
            self.fits_.append(self._fit_of(rows_at(table, mine), weights[mine], component, rng))
        shares = np.bincount(codes[codes >= 0], weights[codes >= 0])
        model = MixtureDistribution([one.model for one in self.fits_], shares / shares.sum())
        if (codes < 0).any():
            model = self._with_unknown(model, table, codes, weights, rng)
        self._adopt(model)
        self.n_iter_ = max(map(steps_taken, self.fits_))
        self.class_prior_ = self.weights_
        return self

    def _classes_of(self, y: Any, n: int, weights: np.ndarray) -> np.ndarray:
        """The number of the class of each row `(n,)`; of those that take part in the fit."""
        y = column_or_1d(y, warn=True)
        check_consistent_length(y, weights)
        known = ~missing_among(y if y.dtype.kind in "fiub" else y.tolist())
        if self.unknown_label is not None:
            called = known & (y.astype(object) != self.unknown_label)
            known = called if len(set(y[called].tolist())) != 1 else known  # labels -1 and 1 are two classes
        there = known & (weights > 0)
        values = y[there]
        check_classification_targets(values)
        if len(values) == 0:
            raise DataError("y holds no class that is known")
        self.classes_ = np.unique(values)
        codes = np.full(n, UNKNOWN_CLASS)
        codes[there] = np.searchsorted(self.classes_, values)
        return codes

    def _with_prior(self, component: Any, table: Any, weights: np.ndarray, rng: np.random.Generator) -> Estimator:
        """What each component is, with the law of all rows as its prior."""
        component = component.estimator if isinstance(component, Proposal) else component
        if not self.pseudo_count:
            return component
        return fit(table, component, weights=weights, rng=rng, progress=False).model.estimator(self.pseudo_count)

    def _with_unknown(
        self, model: MixtureDistribution, table: Any, codes: np.ndarray, weights: np.ndarray, rng: np.random.Generator
    ) -> MixtureDistribution:
        """From the classes as their own rows have them, EM over all rows."""
        estimator = SemiSupervisedMixtureEstimator([one.estimator for one in self.fits_])
        layout: Any = estimator.layout
        known = layout.values[1].encode([None if code < 0 else code for code in codes.tolist()])
        pairs = Encoded(Record(len(codes), (encode(table, layout.values[0]).column, known)), layout)
        start = SemiSupervisedMixtureDistribution(model.components, model.w)
        self.fit_ = fit(pairs, estimator, weights=weights, start=start, rng=rng, max_its=self.max_iter, progress=False)
        return MixtureDistribution(self.fit_.model.components, self.fit_.model.w)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row, `(n,)`."""
        best = self.predict_proba(X).argmax(axis=1)
        found: np.ndarray = self.classes_[best]
        return found

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, `(n, C)`. Raises `SupportError` naming a row that no class could have produced."""
        table = self._read(X)
        return self.model_.seq_posterior(table)

    def score_samples(self, X: Any) -> np.ndarray:
        """The log density of each row, whatever its class, `(n,)`."""
        table = self._read(X)
        return self.model_.seq_log_density(table)
