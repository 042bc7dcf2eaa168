"""Hierarchical mixtures: sequences whose elements come from shared topics, in proportions that are one of M kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dmlcore import kernels
from dmlcore.base.domains import Proportions, simplex, stochastic_matrix
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import by_rows, joined, logs_of
from dmlcore.core.declared import child, children, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, common_layout, cut, interleaved
from dmlcore.core.estimator import Estimator, impossible_under_all, pseudo_counts, pseudo_tables
from dmlcore.core.mixing import exact_mix
from dmlcore.core.powers import Exchange, HasTypical, Relabels
from dmlcore.core.prior import PseudoCounts
from dmlcore.core.statistics import Node
from dmlcore.core.walk import SMALL, Components, scaled_by_largest
from dmlcore.core.weights import share
from dmlcore.data.layouts import Layout
from dmlcore.data.sequences import Repeated
from dmlcore.kernels.codes import scatter_many
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.latent.mixture import MixtureDistribution, MixtureTape, PosteriorMethods, mixed
from dmlcore.stats.sequences.sequence import SequenceDistribution, blame_element, drawn_lengths, fix_length, impossible_element


class HierarchicalTape:
    """Topic scores of the elements, `totals = taus @ scaled` `(.., M, N)`, and the tape of the outer mixture."""

    __slots__ = ("exact", "length", "offsets", "outer", "scored", "taus", "totals")

    def __init__(
        self, scored: Components, taus: np.ndarray, totals: np.ndarray, outer: MixtureTape, offsets: np.ndarray, length: Any, exact: Any
    ):
        self.scored, self.taus, self.totals, self.outer = scored, taus, totals, outer
        self.offsets, self.length, self.exact = offsets, length, exact

    def posterior(self) -> np.ndarray:
        """Posterior probabilities `(M, n)` of the outer components."""
        return self.outer.posterior()


class HierarchicalMixtureDistribution(PosteriorMethods, Distribution, HasTypical, Relabels):
    """A list of elements with density `len_dist(n) sum_m w[m] prod_i sum_k taus[m, k] topics[k](x_i)`.

    topics: K distributions of an element. w (or mixture_weights): weights of the M outer components `(M,)`. taus (or topic_weights):
    proportions of the topics in each, `(M, K)`, rows summing to one. len_dist: the law of the length (default: says nothing).
    """

    topics: Sequence[Distribution] = children("topic")
    w: Any = parameter(simplex)
    taus: Any = parameter(stochastic_matrix)
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("weights", "topics")

    components_field = "topics"
    exchanges = (
        Exchange("topics", (("taus", 1),), lambda node: node.w @ node.taus),
        Exchange(None, (("w", 0), ("taus", 0)), lambda node: node.w),
    )
    other_names: ClassVar[Mapping[str, str]] = {"mixture_weights": "w", "topic_weights": "taus"}

    def validate(self) -> None:
        if self.taus.shape != (len(self.w), len(self.topics)):
            need = f"taus must have one row per entry of w and one column per topic, {(len(self.w), len(self.topics))}"
            raise ParameterError(f"HierarchicalMixtureDistribution: {need}, got shape {self.taus.shape}")

    @cached_property
    def layout(self) -> Layout:
        return Repeated(self.label, common_layout(self.topics, "HierarchicalMixtureDistribution"), self.len_dist.layout)

    @property
    def own_key(self) -> str | None:
        return self.keys[0]

    @property
    def choices(self) -> np.ndarray:
        """Probabilities of the outer components, and beside each those of the topics in it, `(M, 1 + K)`."""
        return np.concatenate([self.w[..., None], self.taus], axis=-1)

    @property
    def num_topics(self) -> int:
        """K, the number of topics."""
        return self.taus.shape[-1]

    @property
    def num_mixtures(self) -> int:
        """M, the number of outer components."""
        return self.w.shape[-1]

    @property
    def num_components(self) -> int:
        """M, the number of outer components."""
        return self.w.shape[-1]

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, HierarchicalTape]:
        scored = score.components(self.topics, column.flat, self.batch)
        totals = self.taus @ scored.scaled
        exact = None
        chooses = score.mix is not exact_mix
        if chooses or (totals.size and not totals.min() > SMALL):
            elements = np.flatnonzero(chooses | ~(joined(totals).min(axis=0) > SMALL))
            joint = scored.logs[..., None, :, elements] + logs_of(self.taus)[..., None]
            sums, posterior = score.mix(joint)
            exact = (elements, posterior)
            totals[..., elements] = 1.0
        logs = by_rows(kernels.segment_log_product, totals, column.offsets)
        logs += by_rows(kernels.segment_sum, scored.shift, column.offsets)[..., None, :]
        if exact is not None:
            row = np.searchsorted(column.offsets, elements, side="right") - 1
            logs += by_rows(scatter_many, sums - scored.shift[..., None, elements], row, len(column))
        log, outer = mixed(scaled_by_largest(logs, []), self.w, score.mix)
        length, length_tape = score(self.len_dist, column.lengths)
        return log + length, HierarchicalTape(scored, self.taus, totals, outer, column.offsets, length_tape, exact)

    def component_logs(self, column: Any, score: Any) -> np.ndarray:
        """Log densities under each outer component, `(M, n)`."""
        return self.forward(column, score)[1].outer.scored.logs + score(self.len_dist, column.lengths)[0]

    def to_mixture(self) -> MixtureDistribution:
        """The same law as a mixture of sequences of mixtures."""
        parts = [SequenceDistribution(MixtureDistribution(self.topics, tau), self.len_dist) for tau in self.taus]
        return MixtureDistribution(parts, self.w, self.name)

    def given(self, x: Any, n: int) -> Any:
        return self.to_mixture().given(x, n)

    def typical(self) -> list[Any]:
        return self.to_mixture().typical()

    def draw(self, size: int, rng: np.random.Generator) -> list[list[Any]]:
        lengths = drawn_lengths(self, size, rng)
        outer = np.repeat(rng.choice(len(self.w), size=size, p=self.w), lengths)
        reached = np.cumsum(self.taus, axis=1)
        u = rng.random(len(outer))
        topic = np.minimum((reached[outer] <= u[:, None] * reached[outer, -1:]).sum(axis=1), len(self.topics) - 1)
        counts = np.bincount(topic, minlength=len(self.topics))
        order = np.empty(len(topic), dtype=np.intp)
        order[np.argsort(topic, kind="stable")] = np.arange(len(topic))
        flat = interleaved([t.draw(int(count), rng) for t, count in zip(self.topics, counts, strict=True)], order)
        return cut(flat.tolist() if isinstance(flat, np.ndarray) and flat.ndim == 1 else list(flat), lengths)

    def estimator(self, pseudo_count: Any = None) -> HierarchicalMixtureEstimator:
        topics, length = tuple(t.estimator(pseudo_count) for t in self.topics), self.len_dist.estimator(pseudo_count)
        own = None if pseudo_count is None else (self.w, self.taus)
        return HierarchicalMixtureEstimator(topics, len(self.w), length, None, own, pseudo_count, self.name, self.keys)

    def explain_zero_density(self, x: Any) -> str:
        return blame_element(self, x, MixtureDistribution(self.topics, self.taus[int(np.argmax(self.w))]))


class HierarchicalMixtureEstimator(Estimator):
    """Maximum likelihood by EM for a hierarchical mixture; the same optimum as its expansion with keyed topics, at less cost.

    estimators: one per topic. num_mixtures: M. len_estimator: of the length; len_dist: a fixed law of it instead. pseudo_count:
    pseudo-observations of the outer component, and as many of the topic in each, spread as suff_stat = (w, taus) says (default:
    evenly); a pair gives the two numbers apart. They add `a sum_m s_m log w_m + b sum_mk t_mk log taus_mk` to the objective.
    keys: (weights, topics).
    """

    estimators: Sequence[Estimator] = children("topic")
    num_mixtures: int = setting()
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    len_dist: Any = setting()
    suff_stat: Any = setting()
    pseudo_count: Any = setting()
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("weights", "topics")

    family = HierarchicalMixtureDistribution
    stacks = True
    components_field = "estimators"
    parted = ("estimators",)

    def validate(self) -> None:
        if not isinstance(self.num_mixtures, (int, np.integer)) or self.num_mixtures < 1:
            raise ParameterError(f"HierarchicalMixtureEstimator: num_mixtures must be a whole number >= 1, got {self.num_mixtures!r}")
        fix_length(self)
        a, b = pseudo_counts(self.pseudo_count, 2, "HierarchicalMixtureEstimator")
        M, K = self.num_mixtures, len(self.estimators)
        domains = {"w": Proportions(), "taus": Proportions(ndim=2)}
        w, taus = pseudo_tables(self, domains, (np.full(M, 1 / M), np.full((M, K), 1 / K)))
        self.derive(prior=PseudoCounts(np.column_stack([a * w, b * taus]), "choices") if a or b else None)

    @cached_property
    def layout(self) -> Layout:
        return Repeated(self.label, common_layout(self.estimators, "HierarchicalMixtureEstimator"), self.len_estimator.layout)

    def ties(self) -> Any:
        weights, topics = self.keys
        labels = () if topics is None else (topics,)
        return None, weights, (*(tuple((key, k) for key in labels) for k in range(len(self.estimators))), ())

    def why_outside_support(self, x: Any) -> str | None:
        return impossible_element(self, x, lambda value: impossible_under_all(self.estimators, value))

    def open(self, column: Any, open: Any) -> HierarchicalTape:
        scored = open.components(self.estimators, column.flat, self.together)
        (*batch, K, N), M, n = scored.scaled.shape, self.num_mixtures, len(column)
        outer = Components([], np.empty((0, 0)), open.shares(M, n), np.zeros((*batch, n)))
        tape = MixtureTape(outer, np.ones((*batch, M)), np.ones((*batch, n)))
        totals, length = np.ones((*batch, M, N)), open(self.len_estimator, column.lengths)
        return HierarchicalTape(scored, np.ones((*batch, M, K)), totals, tape, column.offsets, length, None)

    def backward(self, tape: HierarchicalTape, weights: np.ndarray, send: Any) -> Node:
        outer = tape.posterior() * weights[..., None, :]
        rows = by_rows(kernels.spread_quotients, outer, joined(tape.totals), tape.offsets)
        extra = None
        if tape.exact is not None:  # there, totals are one
            elements, posterior = tape.exact
            extra = posterior * rows[..., None, elements]
            rows[..., elements] = 0.0
        topic_weights = tape.taus.swapaxes(-1, -2) @ rows
        topic_weights *= tape.scored.scaled
        taus = tape.taus * (rows @ tape.scored.scaled.swapaxes(-1, -2))
        if extra is not None:
            topic_weights[..., elements] = extra.sum(axis=-3)
            taus += extra.sum(axis=-1)
        own = np.concatenate([outer.sum(axis=-1)[..., None], taus], axis=-1)
        topics = send.shared_out(self.estimators, tape.scored.tapes, topic_weights)
        return Node(own, [*topics, send(self.len_estimator, tape.length, weights)])

    def assemble(self, own: np.ndarray, children: tuple[Any, ...], previous: Any = None) -> HierarchicalMixtureDistribution:
        counts = self.with_prior(own)
        w = share(counts[..., 0], None if previous is None else previous.w)
        taus = share(counts[..., 1:], None if previous is None else previous.taus)
        return self.law(w=w, taus=taus, topics=children[:-1], len_dist=children[-1])
