"""Sets of labels, each in or out on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore import kernels
from dmlcore.base import special
from dmlcore.base.domains import Domain, OrNone, chosen_probability
from dmlcore.base.errors import ParameterError, shorten
from dmlcore.base.label_domains import LabelProbabilities
from dmlcore.base.labels import LabelMap, Vocabulary
from dmlcore.base.numerics import across, by_rows, logs_of
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, cut
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.powers import HasTypical, InWords
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.statistics import Counts
from dmlcore.core.unseen import AllowsUnseen, chance_of_one_more, log_of_unseen
from dmlcore.core.words import labels_in_words
from dmlcore.data.sequences import LabelSet

CELLS = 1 << 22  # labels times sets that are drawn at a time


class BernoulliSetDistribution(Distribution, HasTypical, InWords):
    """A set of labels; label a is in it with probability pmap[a], independently of the others.

    pmap: probabilities in [0, 1] per label. default_value: the probability that scores each label in a set that is not in pmap; 0 means
    -inf. It takes nothing from the labels in pmap, and such labels are never drawn. min_prob: no event is scored
    below this probability (so a label with probability 0 that is present scores log min_prob, and one with probability 1 that is
    absent too); with min_prob=0 such sets have density zero. Draws are lists in the order of pmap.
    """

    pmap: Any = parameter(LabelProbabilities(total=False))
    min_prob: float = parameter(chosen_probability, default=1e-128)
    name: str | None = name()
    keys: str | None = keys()
    default_value: float = parameter(chosen_probability, default=0.0, kw_only=True)

    kind = LabelSet

    @property
    def _table(self) -> LabelMap:
        return self.stored("pmap")

    @cached_property
    def _logs(self) -> tuple[np.ndarray, np.ndarray, Any]:
        """Log odds per label, which labels must be present, and the log probability that all others are absent."""
        p = self._table.values_array
        inside, outside = logs_of(np.maximum(p, self.min_prob)), logs_of(np.maximum(1.0 - p, self.min_prob))
        sure = outside == -np.inf
        return np.where(sure, inside, inside - np.where(sure, 0.0, outside)), sure, np.where(sure, 0.0, outside).sum(axis=-1)

    def log_densities(self, x: Any) -> np.ndarray:
        odds, sure, absent = self._logs
        return log_densities_of_sets(x, self._table.labels, odds, sure, absent, sure.sum(axis=-1), log_of_unseen(self.default_value))

    def typical(self) -> list[Any]:
        return [label for label, p in self.pmap.items() if p > 0.5]

    def in_words(self) -> str:
        return labels_in_words(self.pmap) or "nothing"

    def draw(self, size: int, rng: np.random.Generator) -> list[list[Any]]:
        p = self._table.values_array
        return drawn_sets(self._table.labels, size, lambda start, stop: p, rng)

    def expected_statistics(self, count: float) -> Counts:
        return Counts(self._table.labels, count * self._table.values_array, count)

    def log_likelihood(self, statistics: Any) -> float:
        where, count = self._table.labels.positions(statistics.values), statistics.total
        if (statistics.weights[where < 0] > 0).any():
            return -np.inf
        held = np.zeros(len(self._table))
        held[where[where >= 0]] = statistics.weights[where >= 0]
        p = self._table.values_array
        inside, outside = np.maximum(p, self.min_prob), np.maximum(1 - p, self.min_prob)
        return (special.xlogy(held, inside) + special.xlogy(count - held, outside)).sum(axis=-1)

    def estimator(self, pseudo_count: Any = None) -> BernoulliSetEstimator:
        own = None if pseudo_count is None else self._table
        return BernoulliSetEstimator(self.min_prob, pseudo_count, own, self.name, self.keys, default_value=self.default_value or False)

    def explain_zero_density(self, x: Any) -> str:
        strange = [label for label in x if label not in self._table]
        if strange:
            return f"{self.label}: {strange[0]!r} is not among its labels; default_value gives such labels a probability"
        odds, sure, _ = self._logs
        for label, odd, certain in zip(self._table.labels, odds, sure, strict=True):
            if odd == -np.inf and label in x:
                return f"{self.label}: {shorten(x)} has density zero; {label!r} is never in it"
            if certain and label not in x:
                return f"{self.label}: {shorten(x)} has density zero; {label!r} is always in it"
        return super().explain_zero_density(x)


def log_densities_of_sets(
    sets: Any, labels: Vocabulary, odds: np.ndarray, sure: np.ndarray, absent: Any, needed: Any, other: float = -np.inf
) -> np.ndarray:
    """Log densities `(.., n)` of sets: `absent`, and the log odds `(.., labels)` of the labels that are in each; -inf of one that has fewer
    than `needed` of the labels that are `sure`. other: what labels count that are none of these."""
    log = _summed(sets, labels, odds, other)
    log += across(absent)
    if sure.any():
        log[_summed(sets, labels, sure.astype(np.float64), 0.0) < across(needed)] = -np.inf
    return log


def _summed(sets: Any, labels: Vocabulary, table: np.ndarray, default: float) -> np.ndarray:
    """A table `(.., labels)` summed over the labels of each set `(.., n)`."""
    read = labels.read(sets.flat.values.x, table, default)
    return by_rows(kernels.gather_sum_many, read, sets.flat.codes, sets.offsets)


def drawn_sets(labels: Vocabulary, size: int, p: Callable[[int, int], np.ndarray], rng: np.random.Generator) -> list[list[Any]]:
    """Sets of labels, each in or out on its own with the probabilities that `p(start, stop)` gives of some of the sets, `(.., labels)`."""
    block, out = max(CELLS // max(len(labels), 1), 1), []
    for start in range(0, size, block):
        stop = min(start + block, size)
        rows, codes = np.nonzero(rng.random((stop - start, len(labels))) < p(start, stop))
        out += cut([labels[code] for code in codes.tolist()], np.bincount(rows, minlength=stop - start))
    return out


def counts_in_sets(sets: Any, weights: np.ndarray) -> Counts:
    """How much weight the sets have that hold each label, from weights `(.., n)`; in all, that of the sets."""
    labels = sets.flat.values.x
    held = by_rows(kernels.scatter_rows_many, weights, sets.flat.codes, sets.offsets, len(labels))
    return Counts(labels, held, weights.sum(axis=-1))


class BernoulliSetEstimator(AllowsUnseen, Estimator):
    """Maximum likelihood: the share of sets that hold each label.

    pseudo_count: so many pseudo-sets, that hold label a with probability suff_stat[a] (default: one half); the log prior is
    `pseudo_count sum_a (s_a log p_a + (1 - s_a) log(1 - p_a))`. Labels of suff_stat are allowed for beside those in the data.
    default_value: what scores each label of a set that was unseen in the fit: False -inf; True `1 / (n + 1)` with n the weight of all the
    sets; or a probability. It plays no part in the fit. closed: whether there are no labels but those of suff_stat, so that a set with
    others is an error.
    """

    min_prob: float = parameter(chosen_probability, default=1e-128)
    pseudo_count: Any = setting()
    suff_stat: Any = parameter(OrNone(LabelProbabilities(total=False)), default=None)
    name: str | None = name()
    keys: str | None = keys()
    default_value: Any = parameter(Domain(), default=False, kw_only=True)
    closed: bool = setting(False, kw_only=True)

    family = BernoulliSetDistribution
    stacks = True
    labels: ClassVar[Any] = None

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "BernoulliSetEstimator")
        self.check_default_value()
        check_closed(self)

    def covers(self, column: Any) -> bool:
        return first_strange(self, column.flat.values.x) is None

    def why_outside_support(self, x: Any) -> str | None:
        return first_strange(self, x)

    def statistics(self, x: Any, weights: np.ndarray) -> Counts:
        return counts_in_sets(x, weights)

    def resolve(self, statistics: Counts) -> Self:
        (count,) = pseudo_counts(self.pseudo_count, 1, "BernoulliSetEstimator")
        labels, spread = statistics.weighty(), self.stored("suff_stat")
        if spread is not None:
            labels = spread.labels if self.closed else labels.union(spread.labels)
        half = np.full(len(labels), 0.5) if spread is None else spread.lookup(labels, spread.values_array, 0.5)
        prior = PseudoObservations(Counts(labels, count * half, count)) if count > 0 else None
        return self.pinned(labels=labels, prior=prior, unseen=chance_of_one_more(statistics.total))

    def estimate(self, statistics: Counts, previous: Any = None) -> BernoulliSetDistribution:
        both = self.with_prior(statistics)
        total, held = both.total, both.over(self.labels)
        pmap, chance = LabelMap(self.labels, np.minimum(held / across(total), 1.0)), self.chance_of_unseen(statistics.total)
        return self.law(pmap=pmap, min_prob=self.min_prob, default_value=chance)


def check_closed(estimator: Any) -> None:
    """Raises `ParameterError` where there are to be no labels but those of suff_stat, and there is none."""
    if estimator.closed and estimator.suff_stat is None:
        raise ParameterError(f"{type(estimator).__name__}: closed needs suff_stat, which says the labels that there are")


def first_strange(estimator: Any, labels: Iterable[Any]) -> str | None:
    """In words, the first of some labels that is none of those of an estimator that is `closed`; None without."""
    if not estimator.closed:
        return None
    strange = next((label for label in labels if label not in estimator.suff_stat), estimator)
    return None if strange is estimator else f"{estimator.label}: {strange!r} is not among its labels, {shorten(list(estimator.suff_stat))}"
