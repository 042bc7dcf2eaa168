"""The categorical law of a label."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import OrNone, chosen_probability
from dmlcore.base.label_domains import LabelProbabilities, LabelShares
from dmlcore.base.labels import LabelMap, Vocabulary
from dmlcore.base.numerics import logs
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.powers import HasEntropy, HasMode, HasProbabilities
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.statistics import Counts
from dmlcore.core.unseen import AllowsUnseen, chance_of_one_more, log_of_unseen
from dmlcore.data.layouts import Labels


class CategoricalDistribution(Distribution, HasMode, HasEntropy, HasProbabilities):
    """A label x with probability `pmap[x]`.

    pmap: a mapping from labels (any hashables) to probabilities >= 0 that sum to one (within 1e-6, then normalised).
    default_value: the probability that scores a label outside pmap; 0 means -inf. It takes nothing from the labels in pmap, and
    such labels are never drawn. Raises `ParameterError` outside these domains.
    """

    pmap: Any = parameter(LabelProbabilities(total=True))
    default_value: float = parameter(chosen_probability, default=0.0)
    name: str | None = name()
    keys: str | None = keys()

    kind = Labels

    @property
    def _table(self) -> LabelMap:
        return self.stored("pmap")

    @cached_property
    def _logs(self) -> tuple[np.ndarray, float]:
        return logs(self._table.values_array), log_of_unseen(self.default_value)

    def log_densities(self, x: Vocabulary) -> np.ndarray:
        table, other = self._logs
        return self._table.lookup(x, table, other)

    def mode(self) -> Any:
        return self._table.labels[int(np.argmax(self._table.values_array))]

    def probabilities(self) -> dict[Any, float]:
        """Of each label."""
        return dict(self.pmap)

    def entropy(self) -> float:
        return float(special.entr(self._table.values_array).sum())

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        labels = self._table.labels.labels
        return [labels[i] for i in rng.choice(len(labels), size, p=self._table.values_array).tolist()]

    def expected_statistics(self, count: float) -> Counts:
        return Counts(self._table.labels, count * self._table.values_array)

    def log_likelihood(self, statistics: Any) -> float:
        there = statistics.weights > 0
        return self.log_densities(statistics.values)[..., there] @ statistics.weights[there]

    def explain_zero_density(self, x: Any) -> str:
        if x in self._table:
            return f"{self.label}: {x!r} has probability zero"
        return f"{self.label}: {x!r} is not among its labels; default_value gives such labels a probability"

    def estimator(self, pseudo_count: Any = None) -> CategoricalEstimator:
        own = None if pseudo_count is None else self._table
        return CategoricalEstimator(pseudo_count, own, self.default_value or False, self.name, self.keys)


class CategoricalEstimator(AllowsUnseen, Estimator):
    """Maximum likelihood for a categorical: weighted shares of the labels. The labels are those of all the data that carry weight.

    pseudo_count=a with suff_stat: a pseudo-observations spread over labels in proportion to the numbers of the mapping suff_stat
    (default: evenly over the labels of all the data); labels named only there are added. The log prior is
    `a sum_x suff_stat[x] log pmap[x]`, suff_stat as shares.
    default_value: what scores labels unseen in the fit: False -inf; True `1 / (n + 1)` with n the weight of all the data, as if one
    more row had brought a new label; or a probability. It plays no part in the fit, where every label is seen.
    """

    pseudo_count: Any = setting()
    suff_stat: Any = parameter(OrNone(LabelShares()), default=None)
    default_value: Any = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    family = CategoricalDistribution
    stacks = True
    labels: ClassVar[Vocabulary | None] = None

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "CategoricalEstimator")
        self.check_default_value()

    def statistics(self, x: Vocabulary, weights: np.ndarray) -> Counts:
        return Counts(x, weights) if self.labels in (None, x) else Counts(self.labels, Counts(x, weights).over(self.labels))

    def resolve(self, statistics: Counts) -> Self:
        labels = statistics.weighty()
        (count,) = pseudo_counts(self.pseudo_count, 1, "CategoricalEstimator")
        prior, spread = None, self.stored("suff_stat")
        if count > 0 and spread is not None:
            labels = labels.union(spread.labels)
            prior = PseudoObservations(Counts(labels, count * spread.lookup(labels, spread.values_array, 0.0)))
        elif count > 0 and len(labels):
            prior = PseudoObservations(Counts(labels, np.full(len(labels), count / len(labels))))
        return self.pinned(labels=labels, prior=prior, unseen=chance_of_one_more(statistics.count))

    def estimate(self, statistics: Counts, previous: Any = None) -> CategoricalDistribution:
        labels = statistics.values if self.labels is None else self.labels
        weights = self.with_prior(statistics).over(labels)
        chance = self.chance_of_unseen(statistics.count)
        return self.law(pmap=LabelMap(labels, weights / weights.sum(axis=-1, keepdims=True)), default_value=chance)
