"""Multinomial logistic regression: labels whose log odds are linear in the covariates. Also the gate of a gated mixture."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from dmlcore.base.domains import Domain
from dmlcore.base.errors import ParameterError
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.statistics import Node
from dmlcore.stats.multivariate.vectors import check_dimension
from dmlcore.stats.regression.glm.coefficients import Coefficients, MaybeVector
from dmlcore.stats.regression.glm.label_predictors import Design, LabelTape, distinct_labels, share_sums
from dmlcore.stats.regression.glm.label_regression import LabelRegressionDistribution, LabelRegressionEstimator
from dmlcore.stats.regression.glm.predictors import at_centre
from dmlcore.stats.regression.glm.scoring import STRIDE, Frame, Scoring, level_of


class MultinomialLogisticRegressionDistribution(LabelRegressionDistribution):
    """A label y given x, with `log p(labels[c] | x) = eta_c - log sum_d exp(eta_d)`, `eta_c = intercept[c - 1] + coef[c - 1] . x`,
    and eta_0 = 0: the first label is the reference.

    coef: `(C - 1, p)`, log odds against the first label per unit of x. intercept: `(C - 1,)`, log odds at x = 0, or None. labels: the
    C labels, any hashables. Other labels have probability zero. Raises `ParameterError` outside these domains.
    """

    coef: np.ndarray = parameter(Coefficients(2))
    intercept: Any = parameter(MaybeVector())
    labels: Any = parameter(Domain())
    name: str | None = name()
    keys: str | None = keys()

    def validate(self) -> None:
        self.derive(labels=distinct_labels(self.labels, type(self).__name__))
        short = len(self.labels) - 1
        if len(self.coef) != short or (self.intercept is not None and len(self.intercept) != short):
            who = type(self).__name__
            raise ParameterError(
                f"{who}: coef and intercept must have {short} rows, one for each label but the first, got {self.coef.shape}"
            )

    def log_probabilities(self, design: Design) -> np.ndarray:
        check_dimension(design.x, self.dim, self.label)
        eta = np.zeros((*self.batch, len(self.labels), design.n))
        if design.n:
            intercept = 0.0 if self.intercept is None else self.intercept
            np.matmul(self.coef, design.apart, out=eta[..., 1:, :])
            eta[..., 1:, :] += at_centre(self.coef, intercept, design.centre)[..., None]
            eta -= eta.max(axis=-2, keepdims=True)
            eta -= np.log(np.exp(eta).sum(axis=-2, keepdims=True))
        return eta

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        covariates, response = column.fields
        design = Design(covariates.x)
        logs = self.log_probabilities(design)
        where = self.vocabulary.positions(response.values.x)[response.codes]
        out = np.where(where >= 0, logs[..., where, np.arange(design.n)], -np.inf)
        return out, LabelTape(design, np.exp(logs, out=logs), self.vocabulary, where)

    def estimator(self, pseudo_count: Any = None) -> Any:
        ridge = 0.0 if pseudo_count is None else float(np.ravel(pseudo_count)[0] or 0.0)
        return MultinomialLogisticRegressionEstimator(self.intercept is not None, ridge, labels=self.labels, name=self.name, keys=self.keys)


class MultinomialLogisticRegressionEstimator(LabelRegressionEstimator):
    """Maximum likelihood for a multinomial logistic regression; arguments as for `RegressionEstimator`, without offset.

    labels: the labels, the first of which is the reference; None takes those of all the data that carry weight, in sorted order.
    Where covariates separate labels there is no maximum; what is said of `LogisticRegressionEstimator` holds here.
    """

    name: str | None = name()
    keys: str | None = keys()

    family = MultinomialLogisticRegressionDistribution
    stacks = True

    def validate(self) -> None:
        super().validate()
        if self.offset:
            raise ParameterError(f"{type(self).__name__}: there is no offset in a multinomial logistic regression")

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        shares = np.zeros((*weights.shape[:-1], len(tape.labels), tape.design.n))
        there = np.flatnonzero(tape.where >= 0)
        shares[..., tape.where[there], there] = weights[..., there]
        return Node(share_sums(tape, shares))

    def scoring(self, statistics: Any, previous: Any) -> Scoring:
        if isinstance(statistics, Scoring):
            return statistics
        sums = statistics.over(self.vocabulary_of(statistics))
        C = sums.score.shape[-2]
        each = np.eye(C)[1:, 1:] / C - 1.0 / C**2
        information = each[:, None, :, None] * sums.information[..., 0, :, 0, :][..., None, :, None, :]
        return Scoring(sums.count, sums.centre, sums.score[..., 1:, :] - sums.score.sum(axis=-2, keepdims=True) / C, information)

    def resolve(self, statistics: Any) -> Self:
        if not statistics.count > 0:
            return self
        out = self.pinned(pinned_labels=self.vocabulary_of(statistics))
        scoring = out.scoring(statistics, None)
        if not level_of(scoring) > 0:  # one label alone
            return out
        return out.pinned(frame=out.frame_of(statistics))

    def estimate(self, statistics: Any, previous: Any = None) -> MultinomialLogisticRegressionDistribution:
        labels = tuple(self.vocabulary_of(statistics)) if previous is None else previous.labels
        short = len(labels) - 1
        *shape, p = self.scoring(statistics, previous).centre.shape
        before = np.zeros((*shape, short)) if previous is None or previous.intercept is None else previous.intercept
        coef = np.zeros((*shape, short, p)) if previous is None else previous.coef
        undetermined = None
        if short:
            scoring = self.scoring(statistics, previous)
            frame = self.frame or Frame(scoring, self.intercept, self.prior_of_coef, self.label, self.names)
            step = frame.step(scoring, coef, self.shape_floor, self.level_floor, STRIDE)
            before, coef, undetermined = before + step.intercept, coef + step.coef, step.undetermined
        law = self.law(coef=coef, intercept=before if self.intercept else None, labels=labels)
        return law if undetermined is None else law.pinned(undetermined=undetermined)
