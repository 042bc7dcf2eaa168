"""Markov chains over labels."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore import kernels
from dmlcore.base.domains import Domain, chosen_probability
from dmlcore.base.errors import DataError, DegenerateError
from dmlcore.base.label_domains import LabelProbabilities, TransitionMap, Transitions
from dmlcore.base.labels import LabelMap, Vocabulary
from dmlcore.base.numerics import by_rows, logs_of
from dmlcore.core.declared import child, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, cut
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.powers import HasTypical, InWords
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.statistics import Counts, Node, Sums
from dmlcore.core.unseen import AllowsUnseen, chance_of_one_more, log_of_unseen
from dmlcore.core.weights import share
from dmlcore.core.words import TOP, labels_in_words
from dmlcore.data.layouts import Layout
from dmlcore.data.sequences import LabelSequence
from dmlcore.kernels.codes import gather_many, scatter_many
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.sequences.chain_draws import Walks
from dmlcore.stats.sequences.chain_runs import given_elements, likeliest_path

MAX_PAIRS = 1 << 20  # a table of more pairs of labels is refused


class MarkovChainDistribution(Distribution, HasTypical, InWords):
    """A list of labels with density `len_dist(n) init[x_1] prod_t transition[x_{t-1}][x_t]`; an empty list has `len_dist(0)`.

    init_prob_map: probabilities of the first label. transition_map: for each label, probabilities of the next. len_dist: the law
    of the length (default: says nothing). default_value: the probability of a label or pair that is not in the maps. A label without
    transitions ends a list; draws follow the law normalised over the lists that are possible, and hold labels and pairs of the maps alone.
    """

    init_prob_map: Any = parameter(LabelProbabilities(total=True))
    transition_map: Any = parameter(Transitions())
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    default_value: float = parameter(chosen_probability, default=0.0)
    name: str | None = name()
    keys: str | None = keys()

    @cached_property
    def layout(self) -> Layout:
        return LabelSequence(self.label, self.len_dist.layout)

    @property
    def _initial(self) -> Any:
        return self.stored("init_prob_map")

    @property
    def _pairs(self) -> Any:
        """The probabilities of the next label, by pairs `(label, next)`."""
        return self.stored("transition_map").pairs

    @cached_property
    def _logs(self) -> tuple[np.ndarray, np.ndarray, float]:
        return logs_of(self._initial.values_array), logs_of(self._pairs.values_array), log_of_unseen(self.default_value)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        length, length_tape = score(self.len_dist, column.lengths)
        initial, pairs, default = self._logs
        log = by_rows(kernels.gather_sum_many, self._pairs.lookup(column.pairs, pairs, default), column.pair_codes, column.offsets)
        log += length
        first = by_rows(gather_many, self._initial.lookup(column.labels, initial, default), column.first)
        if len(column.started) == len(column):
            log += first
        else:
            log[..., column.started] += first
        return log, (column, length_tape)

    def log_likelihood(self, statistics: Any) -> float:
        initial, pairs, default = self._logs
        first = self._initial.lookup(statistics.first.values, initial, default)
        return first @ statistics.first.weights + self._pairs.lookup(statistics.pairs.values, pairs, default) @ statistics.pairs.weights

    def typical(self) -> list[Any]:
        return likeliest_path(self, Walks(self).typical_length())

    def given(self, x: Any, n: int) -> Any:
        return given_elements(self, x, n)

    def in_words(self) -> str:
        after = [f"after {label}: {labels_in_words(row, total=True)}" for label, row in list(self.transition_map.items())[:TOP]]
        more = "; …" if len(self.transition_map) > TOP else ""
        return f"first {labels_in_words(self.init_prob_map, total=True)}; {'; '.join(after)}{more}"

    def draw(self, size: int, rng: np.random.Generator) -> list[list[Any]]:
        walks = Walks(self)
        lengths = walks.lengths(size, rng)
        return cut([walks.labels[code] for code in walks.paths(lengths, rng).tolist()], lengths)

    def estimator(self, pseudo_count: Any = None) -> MarkovChainEstimator:
        length, unseen = self.len_dist.estimator(pseudo_count), self.default_value or False
        return MarkovChainEstimator(pseudo_count, None, length, self.name, self.keys, default_value=unseen)

    def explain_zero_density(self, x: Any) -> str:
        if self.len_dist.log_density(len(x)) == -np.inf:
            return f"length of {self.label}, {self.len_dist.explain_zero_density(len(x))}"
        for i, label in enumerate(x):
            if self.replace(len_dist=NullDistribution()).log_density(x[: i + 1]) == -np.inf:
                how = f"cannot follow {x[i - 1]!r}" if i else "cannot come first"
                return f"element {i} of {self.label}: {label!r} {how}; default_value gives such labels a probability"
        return super().explain_zero_density(x)


class MarkovChainEstimator(AllowsUnseen, Estimator):
    """Maximum likelihood for a Markov chain: shares of first labels, and of next labels after each label.

    levels: labels to allow for beside those in the data. pseudo_count: so many pseudo-observations of the first label, and of the
    label after each label, spread evenly over all labels; their log likelihood is the log prior. len_estimator: of the length.
    A label that is never left in the data has no transitions.
    default_value: what scores a first label, or a pair, that was unseen in the fit: False -inf; True `1 / (n + 1)` with n the weight of all
    the labels of the data; or a probability. It plays no part in the fit.
    """

    pseudo_count: Any = setting()
    levels: Any = setting()
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    name: str | None = name()
    keys: str | None = keys()
    default_value: Any = parameter(Domain(), default=False, kw_only=True)

    family = MarkovChainDistribution
    stacks = True
    labels: ClassVar[Any] = None
    pairs: ClassVar[Any] = None
    row: ClassVar[Any] = None

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "MarkovChainEstimator")
        self.check_default_value()

    @property
    def known(self) -> int:
        return len(self.labels) + len(self.pairs)

    @cached_property
    def layout(self) -> Layout:
        return LabelSequence(self.label, self.len_estimator.layout)

    def open(self, column: Any, open: Any) -> Any:
        return column, open(self.len_estimator, column.lengths)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        column, length = tape
        first = by_rows(scatter_many, weights[..., column.started], column.first, len(column.labels))
        pairs = by_rows(kernels.scatter_rows_many, weights, column.pair_codes, column.offsets, len(column.pairs))
        own = Sums(first=Counts(column.labels, first), pairs=Counts(column.pairs, pairs))
        return Node(own, [send(self.len_estimator, length, weights)])

    def resolve(self, statistics: Any) -> Self:
        (count,) = pseudo_counts(self.pseudo_count, 1, "MarkovChainEstimator")
        pairs, prior = statistics.pairs.weighty(), None
        labels: Vocabulary = statistics.first.values
        seen = set(statistics.first.weighty()).union(*pairs)  # type: ignore[arg-type]
        if len(seen) < len(labels):
            labels = Vocabulary(label for label in labels if label in seen)
        if self.levels is not None:
            labels = labels.union(Vocabulary(self.levels))
        if count > 0 and len(labels) ** 2 > MAX_PAIRS:
            need = f"pseudo_count gives a probability to each of {len(labels)} x {len(labels)} pairs of labels, too many for a table"
            raise DataError(f"{self.label}: {need}; leave it out, or group labels")
        if count > 0 and len(labels):
            pairs = pairs.union(Vocabulary((a, b) for a in labels for b in labels))
            size = len(labels)
            every = Counts(labels, np.full(size, count / size)), Counts(pairs, np.full(len(pairs), count / size))
            prior = PseudoObservations(Sums(first=every[0], pairs=every[1]))
        row = np.array([labels.place[a] for a, _ in pairs], dtype=np.intp)
        return self.pinned(labels=labels, pairs=pairs, row=row, prior=prior, unseen=chance_of_one_more(_labels_in(statistics)))

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> MarkovChainDistribution:
        both = self.with_prior(own)
        first, pairs = both.first.over(self.labels), both.pairs.over(self.pairs)
        started = first.sum(axis=-1) > 0
        if previous is None and not np.all(started):
            raise DegenerateError(f"{self.label}: all sequences are empty; a first label is needed to estimate from")
        if not np.any(started):
            return previous.with_children(children)
        kept, before = pairs, None
        if previous is not None:
            before = previous._initial.lookup(self.labels, previous._initial.values_array, 0.0)
            kept = previous._pairs.lookup(self.pairs, previous._pairs.values_array, 0.0)
        p = np.ones(pairs.shape)
        for ways in (p, kept, pairs):  # a label that is left with no weight keeps its transitions; one that never was has even ones
            leaving = by_rows(scatter_many, ways, self.row, len(self.labels))[..., self.row]
            p = np.where(leaving > 0, ways / np.where(leaving > 0, leaving, 1.0), p)
        transitions = TransitionMap(LabelMap(self.pairs, p))
        initial, chance = LabelMap(self.labels, share(first, before)), self.chance_of_unseen(_labels_in(own))
        return self.law(init_prob_map=initial, transition_map=transitions, len_dist=children[0], default_value=chance)


def _labels_in(statistics: Any) -> Any:
    """How many labels there are, of weighted lists."""
    return statistics.first.weights.sum(axis=-1) + statistics.pairs.weights.sum(axis=-1)
