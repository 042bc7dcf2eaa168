"""Probabilistic latent semantic indexing: bags of words of documents that are all known, each with proportions of topics of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base import special
from dmlcore.base.domains import Simplex, Whole, simplex, stochastic_matrix
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import by_rows, logs_of
from dmlcore.core.declared import child, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, cut
from dmlcore.core.estimator import Estimator, pseudo_counts, pseudo_tables
from dmlcore.core.partial import UNKNOWN, Known, Outcomes, Parts
from dmlcore.core.powers import Exchange, Relabels
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.rowlaws import EachRow
from dmlcore.core.statistics import Node, Sums
from dmlcore.core.weights import share
from dmlcore.data.columns import Distinct
from dmlcore.data.layouts import Count, Layout
from dmlcore.data.record_layouts import Fields
from dmlcore.data.sequences import Bag
from dmlcore.kernels.codes import gather_many, scatter_many
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.latent.conditional import ConditionalDistribution
from dmlcore.stats.latent.summaries import probabilities_of
from dmlcore.stats.sequences.multinomial import MultinomialDistribution, counted
from dmlcore.stats.sequences.sequence import drawn_lengths
from dmlcore.stats.univariate.integer_categorical import IntegerCategoricalDistribution

PLSI_TABLES = ("state_word_mat", "doc_state_mat", "doc_vec")  # in the order of their keys
MOST_CELLS = 1 << 26  # numbers of a table that are not refused


class ColumnsOnSimplex(Simplex):
    """A matrix whose columns are probabilities."""

    def __init__(self) -> None:
        super().__init__(2)
        self.need = "a matrix of numbers >= 0 whose columns sum to one"

    def check(self, value: Any) -> np.ndarray:
        try:
            turned = np.array(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise self.fail(value) from None
        if turned.ndim != 2:
            raise self.fail(value)
        return super().check(turned.T).T

    def free(self, value: np.ndarray) -> int:
        return super().free(value.T)

    def flatten(self, value: np.ndarray) -> np.ndarray:
        return super().flatten(np.ascontiguousarray(value.swapaxes(-1, -2)))

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        return super().unflatten(vector, np.ascontiguousarray(like.swapaxes(-1, -2))).swapaxes(-1, -2)


class Words:
    """The words of a block end to end: `(N,)` their values, the documents they are in, and which of both there are in the tables."""

    def __init__(self, column: Any, documents: int, values: int):
        ids, self.bags = column.fields
        self.document, self.known = within(ids, documents)
        self.word, there = within(self.bags.flat, values)
        owner = np.repeat(np.arange(len(column)), np.diff(self.bags.offsets))
        self.of, self.there = self.document[owner], there


def within(column: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers of a column, 0 in place of those that are none of 0, ..., size - 1; and which are."""
    distinct: Any = column.values if isinstance(column, Distinct) else column
    x = distinct.x[column.codes] if isinstance(column, Distinct) else distinct.x
    there = (x >= 0) & (x < size)
    return np.where(there, x, 0), there


class IntegerPLSIDistribution(Distribution, Relabels):
    """A pair of a document d and the bag of its n words, `(d, [(word, count), ...])`, both whole numbers from 0 on, with density

        doc_vec[d] len_dist(n) n! / prod_j c_j! prod_j (sum_s doc_state_mat[d, s] state_word_mat[word_j, s])^c_j.

    state_word_mat: probabilities of the V words in each of S topics `(V, S)`, columns summing to one. doc_state_mat: proportions of the
    topics in each of D documents `(D, S)`, rows summing to one. doc_vec: probabilities of the documents `(D,)`. len_dist: the law of n
    (default: says nothing). Words and documents outside the tables have density zero. Raises `ParameterError` where shapes do not agree.

    Source: Hofmann (1999), Probabilistic latent semantic indexing.
    """

    state_word_mat: Any = parameter(ColumnsOnSimplex())
    doc_state_mat: Any = parameter(stochastic_matrix)
    doc_vec: Any = parameter(simplex)
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    name: str | None = name()
    keys: tuple[str | None, str | None, str | None] = keys("words", "states", "documents")

    exchanges = (Exchange(None, (("state_word_mat", 1), ("doc_state_mat", 1)), lambda law: law.doc_vec @ law.doc_state_mat),)

    def validate(self) -> None:
        S = self.state_word_mat.shape[1]
        if self.doc_state_mat.shape != (len(self.doc_vec), S):
            need = f"doc_state_mat must have one row per entry of doc_vec and one column per topic, {(len(self.doc_vec), S)}"
            raise ParameterError(f"IntegerPLSIDistribution: {need}, got shape {self.doc_state_mat.shape}")

    @cached_property
    def layout(self) -> Layout:
        return documents_of(self, self.len_dist)

    @property
    def tied_parts(self) -> Any:
        return tied_by_keys(self.keys, PLSI_TABLES)

    @property
    def prob_mat(self) -> np.ndarray:
        """Probabilities of the words in each topic `(V, S)`."""
        return self.state_word_mat

    @property
    def state_mat(self) -> np.ndarray:
        """Proportions of the topics in each document `(D, S)`."""
        return self.doc_state_mat

    @property
    def num_vals(self) -> int:
        """V, the number of words."""
        return self.state_word_mat.shape[-2]

    @property
    def num_states(self) -> int:
        """S, the number of topics."""
        return self.state_word_mat.shape[-1]

    @property
    def num_docs(self) -> int:
        """D, the number of documents."""
        return self.doc_vec.shape[-1]

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        words = Words(column, self.num_docs, self.num_vals)
        bags = words.bags
        joint = by_rows(gather_many, logs_of(self.state_word_mat).swapaxes(-1, -2), words.word)
        joint += by_rows(gather_many, logs_of(self.doc_state_mat).swapaxes(-1, -2), words.of)
        joint[..., ~words.there] = -np.inf
        each, posterior = score.mix(joint)
        log = by_rows(kernels.segment_sum, each * bags.counts, bags.offsets)
        log += np.where(words.known, by_rows(gather_many, logs_of(self.doc_vec), words.document), -np.inf)
        length, tape = score(self.len_dist, bags.lengths)
        return log + (length + bags.log_ways), (words, posterior, tape)

    def log_likelihood(self, statistics: Any) -> float:
        words = special.xlogy(statistics.state_word_mat.swapaxes(-1, -2), self.state_word_mat).sum(axis=(-2, -1))
        states = special.xlogy(statistics.doc_state_mat.swapaxes(-1, -2), self.doc_state_mat).sum(axis=(-2, -1))
        return words + states + special.xlogy(statistics.doc_vec, self.doc_vec).sum(axis=-1)

    def to_conditional(self) -> ConditionalDistribution:
        """The same law as one of the bag given the document, and of the document."""
        words = self.doc_state_mat @ self.state_word_mat.T
        bags = {d: MultinomialDistribution(IntegerCategoricalDistribution(0, row), self.len_dist) for d, row in enumerate(words)}
        return ConditionalDistribution(bags, given_dist=IntegerCategoricalDistribution(0, self.doc_vec))

    def given(self, x: Any, n: int) -> Any:
        layout: Any = self.layout
        parts = zip(x.entries, layout.values, strict=True)  # the conditional law reads them in another way
        entries = [Known(part.encoded(own).column.listed()) if isinstance(part, Known) else part for part, own in parts]
        log, law = self.to_conditional().given(Parts(entries), n)
        if law.slots == 1 and (entries[0] is UNKNOWN or isinstance(entries[0], Outcomes)):  # documents are numbers here, and labels there
            labels, p = probabilities_of(law.atoms(), n)
            order = [labels.place[d] for d in range(self.num_docs)]
            law = EachRow([IntegerCategoricalDistribution(0, row) for row in np.broadcast_to(p, (len(p), n))[order].T])
        return log, law

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        lengths = drawn_lengths(self, size, rng)
        documents = rng.choice(self.num_docs, size, p=self.doc_vec)
        reached = np.cumsum(self.doc_state_mat, axis=1)[np.repeat(documents, lengths)]
        u = rng.random(len(reached)) * reached[:, -1]
        state = np.minimum((reached <= u[:, None]).sum(axis=1), self.num_states - 1)
        words = np.zeros(len(state), dtype=np.int64)
        for s in range(self.num_states):
            there = state == s
            words[there] = rng.choice(self.num_vals, int(there.sum()), p=self.state_word_mat[:, s])
        return list(zip(documents.tolist(), map(counted, cut(words.tolist(), lengths)), strict=True))

    def estimator(self, pseudo_count: Any = None) -> IntegerPLSIEstimator:
        own = (None,) * 3 if pseudo_count is None else (self.state_word_mat, self.doc_state_mat, self.doc_vec)
        shape, length = (self.num_vals, self.num_states, self.num_docs), self.len_dist.estimator(pseudo_count)
        return IntegerPLSIEstimator(*shape, length, pseudo_count, own, self.name, self.keys)

    def explain_zero_density(self, x: Any) -> str:
        outside = not_in_tables(self, x)
        if outside or self.doc_vec[x[0]] == 0:
            return f"{self.label}: {outside or f'document {x[0]} has probability zero'}"
        pairs = list(x[1].items() if hasattr(x[1], "items") else x[1])
        for word, count in pairs:
            if count and not self.state_word_mat[word] @ self.doc_state_mat[x[0]] > 0:
                return f"{self.label}: word {word} has probability zero in document {x[0]}"
        return f"length of {self.label}, {self.len_dist.explain_zero_density(sum(count for _, count in pairs))}"


class IntegerPLSIEstimator(Estimator):
    """Maximum likelihood by EM: each word of a document is shared out among the topics.

    num_vals, num_states, num_docs: the numbers V of words, S of topics and D of documents. len_estimator: of the number of words.
    pseudo_count: so many pseudo-words of each topic, pseudo-words of each document (that tell its proportions), and pseudo-documents; one
    number stands for all three. They are spread as suff_stat says, a triple like the law's parameters (None: evenly). keys: (words, states,
    documents), each of which ties the tables of that name. A document without words has even proportions.
    """

    num_vals: int = parameter(Whole(1))
    num_states: int = parameter(Whole(1))
    num_docs: int = parameter(Whole(1))
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    pseudo_count: Any = setting((None, None, None))
    suff_stat: Any = setting((None, None, None))
    name: str | None = name()
    keys: tuple[str | None, str | None, str | None] = keys("words", "states", "documents")

    family = IntegerPLSIDistribution
    stacks = True

    def validate(self) -> None:
        who, (V, S, D) = "IntegerPLSIEstimator", (self.num_vals, self.num_states, self.num_docs)
        if max(V * S, D * S, D) > MOST_CELLS:
            raise ParameterError(
                f"{who}: tables of {V} words and of {D} documents by {S} topics must have at most {MOST_CELLS} numbers each"
            )
        counts = pseudo_counts(self.pseudo_count, 3, who)
        domains = dict(zip(PLSI_TABLES, (ColumnsOnSimplex(), stochastic_matrix, simplex), strict=True))
        spread = pseudo_tables(self, domains, (np.full((V, S), 1 / V), np.full((D, S), 1 / S), np.full(D, 1 / D)))
        words, states, documents = (c * s for c, s in zip(counts, spread, strict=True))
        prior = Sums(count=counts[2], state_word_mat=words.T, doc_state_mat=states.T, doc_vec=documents)
        self.derive(prior=PseudoObservations(prior) if any(counts) else None)

    @cached_property
    def layout(self) -> Layout:
        return documents_of(self, self.len_estimator)

    def ties(self) -> Any:
        return None, keys_of_sums(self.keys, PLSI_TABLES), ((),)

    def why_outside_support(self, x: Any) -> str | None:
        outside = not_in_tables(self, x)
        return f"{self.label}: {outside}" if outside else None

    def open(self, column: Any, open: Any) -> Any:
        words = Words(column, self.num_docs, self.num_vals)
        return words, open.shares(self.num_states, len(words.word)), open(self.len_estimator, words.bags.lengths)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        words, posterior, length = tape
        each = by_rows(kernels.repeat_rows, weights, words.bags.offsets) * words.bags.counts
        shares = posterior * each[..., None, :]
        own = Sums(
            count=weights.sum(axis=-1),
            state_word_mat=by_rows(scatter_many, shares, words.word, self.num_vals),
            doc_state_mat=by_rows(scatter_many, shares, words.of, self.num_docs),
            doc_vec=by_rows(scatter_many, np.broadcast_to(weights, each.shape[:-1] + weights.shape[-1:]), words.document, self.num_docs),
        )
        return Node(own, [send(self.len_estimator, length, weights)])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> IntegerPLSIDistribution:
        sums = self.with_prior(own)
        words = share(sums.state_word_mat, None if previous is None else previous.state_word_mat.swapaxes(-1, -2))
        states = share(sums.doc_state_mat.swapaxes(-1, -2), None if previous is None else previous.doc_state_mat)
        documents = share(sums.doc_vec, None if previous is None else previous.doc_vec)
        return self.law(state_word_mat=words.swapaxes(-1, -2), doc_state_mat=states, doc_vec=documents, len_dist=children[0])


def keys_of_sums(keys: Sequence[str | None], fields: Sequence[str]) -> dict[str, str | None]:
    """The key of each part of own statistics, which is called as what it estimates; their weight has one where all have the same."""
    return dict(zip(fields, keys, strict=True)) | {"count": keys[0] if len(set(keys)) == 1 else None}


def tied_by_keys(keys: Sequence[str | None], fields: Sequence[str]) -> tuple[tuple[str, Any], ...]:
    """The parameters of a law that are tied by keys, as `tied_parts` has them."""
    return tuple((field, (key, field)) for field, key in zip(fields, keys, strict=True) if key is not None)


def documents_of(node: Any, length: Any) -> Fields:
    """The layout of pairs of a document's number and the bag of its words."""
    return Fields(node.label, (Count(node.label), Bag(node.label, Count(node.label), length.layout)))


def not_in_tables(node: Any, x: Any) -> str | None:
    """Which document or word of an observation is not in the tables, in words."""
    if not 0 <= x[0] < node.num_docs:
        return f"document {x[0]} is none of 0 to {node.num_docs - 1}"
    words = [word for word, count in (x[1].items() if hasattr(x[1], "items") else x[1]) if count and not 0 <= word < node.num_vals]
    return f"word {words[0]} is none of 0 to {node.num_vals - 1}" if words else None
