"""Latent Dirichlet allocation: bags of words that come from shared topics, in proportions of each bag's own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base import special
from dmlcore.base.domains import frozen, positive, positive_vector
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import by_rows, joined
from dmlcore.core.declared import child, children, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, common_layout, cut, interleaved, typical_of
from dmlcore.core.estimator import Estimator, impossible_under_all, pseudo_counts
from dmlcore.core.powers import Exchange, HasTypical, Relabels
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.statistics import Node, Sums
from dmlcore.core.walk import Components
from dmlcore.data.layouts import Layout
from dmlcore.data.sequences import Bag
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.latent.mixture import MixtureDistribution, Posteriors
from dmlcore.stats.sequences.multinomial import MultinomialEstimator, counted
from dmlcore.stats.sequences.sequence import drawn_lengths, fix_length, impossible_element, typical_length
from dmlcore.stats.univariate.beta import concentrations_log_likelihood, concentrations_of, mean_logs, shares_gap

LEAST_ALPHA, MOST_ALPHA = 1e-8, 1e8  # topics that no document has, and documents that all have the same proportions, have no maximum


class TopicTape:
    """Scores of the words, their counts, and the Dirichlet laws of the documents' proportions, by their parameters `(.., K, n)`."""

    __slots__ = ("column", "gammas", "length", "scored")

    def __init__(self, scored: Components, column: Any, gammas: np.ndarray, length: Any):
        self.scored, self.column, self.gammas, self.length = scored, column, gammas, length

    def posterior(self) -> np.ndarray:
        """Expected proportions of the topics `(.., K, n)`."""
        return self.gammas / self.gammas.sum(axis=-2, keepdims=True)

    def words(self, weights: np.ndarray) -> np.ndarray:
        """Weights of the words under each topic `(.., K, N)`, from weights of documents `(.., n)`."""
        scaled, column = self.scored.scaled, self.column
        weights = np.broadcast_to(weights, (*scaled.shape[:-2], len(column)))
        each = kernels.topic_weights(joined(scaled, 2), joined(self.gammas, 2), column.offsets, column.counts, joined(weights))
        return np.asarray(each).reshape(scaled.shape)


class OpenedTopics(TopicTape):
    """The same before there is a model: words have the topics that they were given."""

    def words(self, weights: np.ndarray) -> np.ndarray:
        return self.scored.scaled * (by_rows(kernels.repeat_rows, weights, self.column.offsets) * self.column.counts)[..., None, :]


class LDADistribution(Posteriors, Distribution, HasTypical, Relabels):
    """A document: a bag `[(word, count), ...]`, or a mapping `{word: count}`, of n words in all, that are drawn by
    `theta ~ Dirichlet(alpha)` and `word ~ sum_k theta_k topics[k]`. Its density is

        len_dist(n) n! / prod_j c_j! E_theta prod_j (sum_k theta_k topics[k](word_j))^c_j,

    which has no closed form. **What `log_density` gives is a lower bound of its logarithm**, the largest that a variational law of theta
    and of the words' topics that are independent of each other has (Blei, Ng and Jordan 2003), and not the log density: `exp` of it sums to
    less than one over all documents. It is exact for documents of no word, and for one topic.

    topics: K distributions of a word, which may be any observation. alpha: `(K,)`, positive pure numbers; `alpha / sum(alpha)` are mean
    proportions of the topics, and the larger the sum the more alike documents are. len_dist: the law of n (default: says nothing).
    gamma_threshold: the search for a document's variational law ends when its parameters change by less than this part of their sum. It
    begins anew each time, so that a document's bound follows from the model alone.

    What some words of a document say of others has no closed form either: `condition` refuses a document of which words are unknown, and
    `predict` gives the law of a further word with theta at its variational mean.
    """

    topics: Sequence[Distribution] = children("topic")
    alpha: Any = parameter(positive_vector)
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    gamma_threshold: Any = setting(1e-8)
    keys: tuple[str | None, str | None] = keys("alpha", "topics")
    name: str | None = name()

    components_field = "topics"
    exchanges = (Exchange("topics", (("alpha", 0),), lambda law: law.alpha / law.alpha.sum()),)

    def validate(self) -> None:
        check_threshold(self, "gamma_threshold")
        if self.alpha.shape != (len(self.topics),):
            raise ParameterError(f"LDADistribution: alpha must have one entry per topic, {len(self.topics)}, got {len(self.alpha)}")

    @cached_property
    def layout(self) -> Layout:
        return Bag(self.label, common_layout(self.topics, "LDADistribution"), self.len_dist.layout)

    @property
    def own_key(self) -> str | None:
        return self.keys[0]

    @property
    def n_topics(self) -> int:
        """K, the number of topics."""
        return self.alpha.shape[-1]

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, TopicTape]:
        scored = score.components(self.topics, column.flat, self.batch)
        alpha = joined(np.broadcast_to(self.alpha, (*self.batch, self.n_topics)))
        scaled, shift = joined(scored.scaled, 2), joined(scored.shift)
        gammas, log = kernels.document_topics(scaled, shift, alpha, column.offsets, column.counts, self.gamma_threshold)
        length, tape = score(self.len_dist, column.lengths)
        log = log.reshape(*self.batch, len(column)) + (length + column.log_ways)
        return log, TopicTape(scored, column, gammas.reshape(*self.batch, self.n_topics, len(column)), tape)

    def predict(self, x: Any) -> MixtureDistribution:
        """The law of one more word of a document: the topics in their expected proportions under the variational law, which are exact for
        a document of no word."""
        return MixtureDistribution(self.topics, self.posterior(x))

    def prior_given(self, column: Any) -> np.ndarray:
        """Mean proportions of the topics before a document is seen, `(K, n)`."""
        return np.broadcast_to((self.alpha / self.alpha.sum())[:, None], (self.n_topics, len(column)))

    def log_likelihood(self, statistics: Any) -> float:
        return concentrations_log_likelihood(statistics, self.alpha)

    def typical(self) -> list[Any]:
        length = typical_length(self)
        return counted([typical_of(self._mean_topic())] * length)

    def _mean_topic(self) -> MixtureDistribution:
        """The law of one word."""
        return MixtureDistribution(self.topics, self.alpha / self.alpha.sum())

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        lengths = drawn_lengths(self, size, rng)
        shares = np.repeat(np.cumsum(rng.dirichlet(self.alpha, size), axis=1), lengths, axis=0)
        u = rng.random(len(shares)) * shares[:, -1]
        topic = np.minimum((shares <= u[:, None]).sum(axis=1), self.n_topics - 1)
        order = np.empty(len(topic), dtype=np.intp)
        order[np.argsort(topic, kind="stable")] = np.arange(len(topic))
        many = np.bincount(topic, minlength=self.n_topics).tolist()
        flat = interleaved([law.draw(count, rng) for law, count in zip(self.topics, many, strict=True)], order)
        words = flat.tolist() if isinstance(flat, np.ndarray) and flat.ndim == 1 else list(flat)
        return [counted(document) for document in cut(words, lengths)]

    def estimator(self, pseudo_count: Any = None) -> LDAEstimator:
        topics, length = tuple(t.estimator(pseudo_count) for t in self.topics), self.len_dist.estimator(pseudo_count)
        own = None if pseudo_count is None else mean_logs(self.alpha)
        return LDAEstimator(topics, own, pseudo_count, self.name, self.keys, None, self.gamma_threshold, len_estimator=length)

    def explain_zero_density(self, x: Any) -> str:
        pairs = list(x.items() if hasattr(x, "items") else x)
        for i, (word, count) in enumerate(pairs):
            if count and self._mean_topic().log_density(word) == -np.inf:
                return f"element {i} of {self.label}, {self._mean_topic().explain_zero_density(word)}"
        return f"length of {self.label}, {self.len_dist.explain_zero_density(sum(count for _, count in pairs))}"


class LDAEstimator(Estimator):
    """Latent Dirichlet allocation by variational EM: each step raises the sum of the bounds of the documents (`LDADistribution`), which is
    what a fit calls its log likelihood.

    estimators: one per topic. pseudo_count, suff_stat: so many pseudo-documents whose proportions have the mean logarithms `suff_stat`
    `(K,)` (default: those of even alpha of one); they add `a (log Gamma(sum alpha) - sum_k log Gamma(alpha_k) + alpha . suff_stat)` to the
    objective. keys: (alpha, topics). fixed_alpha: alpha that is not estimated, `(K,)` or one number for all; otherwise it is the maximum
    by Newton's method (Minka 2000), held between 1e-8 and 1e8. gamma_threshold: as of the distribution. alpha_threshold: accepted for
    compatibility; alpha is always exact to rounding. len_estimator: of the number of words; len_dist: a fixed law of it instead.
    """

    estimators: Sequence[Estimator] = children("topic")
    suff_stat: Any = setting()
    pseudo_count: Any = setting()
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("alpha", "topics")
    fixed_alpha: Any = setting()
    gamma_threshold: Any = setting(1e-8)
    alpha_threshold: Any = setting(1e-8)
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    len_dist: Any = setting()

    family = LDADistribution
    stacks = True
    components_field = "estimators"
    parted = ("estimators",)
    closed_form = False  # a document may come to lie in another optimum of its bound, so that a step that falls is shortened

    def validate(self) -> None:
        K, who = len(self.estimators), "LDAEstimator"
        check_threshold(self, "gamma_threshold")
        fix_length(self)
        if self.fixed_alpha is not None:
            try:
                self.derive(fixed_alpha=positive_vector.check(np.broadcast_to(self.fixed_alpha, (K,))))
            except (ParameterError, ValueError):
                raise ParameterError(f"{who}: fixed_alpha must be {K} positive numbers, one per topic, or one for all") from None
        (count,) = pseudo_counts(self.pseudo_count, 1, who)
        try:
            logs = mean_logs(np.ones(K)) if self.suff_stat is None else frozen(self.suff_stat)
        except (TypeError, ValueError):
            logs = np.zeros(0)
        if logs.shape != (K,) or not np.isfinite(logs).all() or (K > 1 and not shares_gap(logs) > 0):
            raise ParameterError(f"{who}: suff_stat must be mean logarithms of the {K} proportions, got {self.suff_stat!r}")
        given = count > 0 and self.fixed_alpha is None
        self.derive(prior=PseudoObservations(Sums(count=count, logs=count * logs)) if given else None)

    @cached_property
    def layout(self) -> Layout:
        return Bag(self.label, common_layout(self.estimators, "LDAEstimator"), self.len_estimator.layout)

    def ties(self) -> Any:
        alpha, topics = self.keys
        labels = () if topics is None else (topics,)
        return None, alpha, (*(tuple((key, k) for key in labels) for k in range(len(self.estimators))), ())

    def why_outside_support(self, x: Any) -> str | None:
        words = [word for word, count in (x.items() if hasattr(x, "items") else x) if count]
        return impossible_element(self, words, lambda word: impossible_under_all(self.estimators, word))

    def open(self, column: Any, open: Any) -> OpenedTopics:
        K = self.together or len(self.estimators)
        of_documents = [MultinomialEstimator(e) for e in self.estimators]  # by which like documents begin with one topic
        shares = open.shares(K, len(column), of_documents, column)
        scored = open.components(self.estimators, column.flat, self.together)
        each = by_rows(kernels.repeat_rows, shares, column.offsets)
        opened = Components(scored.tapes, scored.logs, 0.5 * (scored.scaled + each), scored.shift)
        words = np.diff(np.concatenate([[0.0], np.cumsum(column.counts)])[column.offsets])
        return OpenedTopics(opened, column, 1.0 + shares * words, open(self.len_estimator, column.lengths))

    def backward(self, tape: TopicTape, weights: np.ndarray, send: Any) -> Node:
        gammas = tape.gammas
        logs = special.psi(gammas) - special.psi(gammas.sum(axis=-2, keepdims=True))
        own = Sums(count=weights.sum(axis=-1), logs=(logs * weights[..., None, :]).sum(axis=-1))
        topics = send.shared_out(self.estimators, tape.scored.tapes, tape.words(weights))
        return Node(own, [*topics, send(self.len_estimator, tape.length, weights)])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> LDADistribution:
        if self.fixed_alpha is not None:
            alpha = np.broadcast_to(self.fixed_alpha, own.logs.shape)
        else:
            alpha = likeliest_alpha(self.with_prior(own), None if previous is None else previous.alpha)
        return self.law(alpha=alpha, topics=children[:-1], len_dist=children[-1], gamma_threshold=self.gamma_threshold)

    @property
    def fixed_fields(self) -> tuple[str, ...]:
        return () if self.fixed_alpha is None else ("alpha",)

    def is_feasible(self, distribution: Any) -> bool:
        return self.fixed_alpha is None or bool(np.array_equal(self.fixed_alpha, distribution.alpha))


def likeliest_alpha(sums: Any, previous: Any) -> np.ndarray:
    """The alpha `(.., K)` of the largest expected log density of proportions, of which `sums` are the logarithms; ones, or those before,
    where there is nothing to tell it from."""
    before = np.ones(sums.logs.shape) if previous is None else previous
    count = np.asarray(sums.count)[..., None]
    logs = sums.logs / np.where(count > 0, count, 1.0)
    told = np.asarray(count > 0) & (np.asarray(shares_gap(logs)) > 0.5 * (logs.shape[-1] - 1) / MOST_ALPHA)[..., None]
    logs = np.where(told, logs, mean_logs(np.ones(logs.shape)))
    if logs.shape[-1] == 1:  # whose proportion is one whatever alpha
        return np.ones(logs.shape)
    return np.where(told, np.clip(concentrations_of(logs, before), LEAST_ALPHA, MOST_ALPHA), before)


def check_threshold(node: Any, field: str) -> None:
    """Raises `ParameterError` for what is no positive number."""
    try:
        node.derive(**{field: positive.check(getattr(node, field))})
    except ParameterError as error:
        raise ParameterError(f"{type(node).__name__}: {field} {error}") from None
