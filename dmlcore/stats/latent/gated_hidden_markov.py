"""Hidden Markov models whose transitions depend on covariates: each state has a multinomial logistic gate to the next."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dmlcore.base.domains import Children, simplex
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.labels import Vocabulary
from dmlcore.base.random import Random, generator
from dmlcore.core.declared import Declared, child, children, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, cut
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.partial import Parts
from dmlcore.core.powers import Exchange, Redraws, Relabels
from dmlcore.core.prior import PseudoCounts
from dmlcore.core.redraw import redrawn_by_component
from dmlcore.core.statistics import Node
from dmlcore.core.weights import share
from dmlcore.data.encoded import encode
from dmlcore.data.layouts import Covariates, Layout
from dmlcore.data.sequences import Repeated
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.latent.gated_mixture import GatedSampler, check_gate, drawn_by, gate_of, gated_layout, with_labels_permuted
from dmlcore.stats.latent.state_paths import LearnsStates, StateMethods, drawn_paths, two_entries
from dmlcore.stats.latent.state_steps import ByCovariates, ChainSteps, steps_of
from dmlcore.stats.regression.glm.label_predictors import Design, LabelTape, share_sums
from dmlcore.stats.regression.glm.regression_distribution import known_values
from dmlcore.stats.sequences.sequence import fix_length


class OneForEach(Children):
    """One nested estimator for each state; a single one, or None, stands for as many."""

    need = "an estimator, one for each state, or None"

    def check(self, value: Any) -> tuple[Any, ...]:
        if value is None or isinstance(value, Declared):
            return () if value is None else (value,)
        return super().check(value)


class GatedHiddenMarkovModelDistribution(ByCovariates, StateMethods, Distribution, Redraws, Relabels):
    """A list of elements (z, x), where the x given the z have density
    `len_dist(n) sum_s w[s_1] prod_(t >= 2) gates[s_(t-1)](s_t | z_t) prod_t topics[s_t](x_t)`, the sum over all paths s of states.

    topics: the law of x in each of S states. w: probabilities of the first state `(S,)`. gates: for each state that is left, a
    `MultinomialLogisticRegressionDistribution` over the labels 0, ..., S - 1, the state that follows; state 0 is its reference. z stands
    with the element that it leads into, so that of the first element of a list is not used. z and x may share covariates: each reads its
    own. len_dist: the law of the length (default: says nothing). Raises `ParameterError` where numbers of states or covariates do not
    agree, `StructureError` if topics describe different observations.

    Source: Diebold, Lee and Weinbach (1994); Hughes, Guttorp and Charles (1999).
    """

    topics: Sequence[Distribution] = children("state")
    w: Any = parameter(simplex)
    gates: Sequence[Distribution] = children("gate of state")
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    name: str | None = name()
    keys: tuple[str | None, str | None, str | None] = keys("weights", "gates", "topics")

    components_field = "topics"
    taus: ClassVar[None] = None
    exchanges = (
        Exchange(
            "topics",
            (("w", 0),),
            lambda law: np.zeros(law.num_states),
            lambda law, order: {"gates": tuple(with_labels_permuted(law.gates[i], order) for i in order)},
        ),
    )

    @classmethod
    def family_name(cls) -> str:
        """The word for this family in messages."""
        return "gated hidden markov"

    def validate(self) -> None:
        S, who = len(self.w), type(self).__name__
        if len(self.topics) != S or len(self.gates) != S:
            got = f"got {len(self.topics)} topics and {len(self.gates)} gates"
            raise ParameterError(f"{who}: topics and gates must be one for each of the {S} states of w, {got}")
        for i, gate in enumerate(self.gates):
            check_gate(f"{who}: gates[{i}]", gate, S)
        gates: Any = self.gates
        if len({gate.dim for gate in gates}) > 1:
            raise ParameterError(f"{who}: gates must have the same number of covariates, got {[gate.dim for gate in gates]}")
        _ = self.layout  # raises where topics describe different observations

    @cached_property
    def layout(self) -> Layout:
        gates: Any = self.gates
        return gated_lists_of(self, self.topics, gates[0].dim, self.len_dist)

    @property
    def own_key(self) -> str | None:
        return self.keys[0]

    def transitions_of(self, steps: ChainSteps) -> np.ndarray:
        """The transitions of each kind of step `(.., Q, S, S)`."""
        gates: Any = self.gates
        design = Design(steps.z)
        return np.exp(np.stack([gate.log_probabilities(design) for gate in gates], axis=-2).swapaxes(-3, -1))

    def transitions_given(self, z: Any) -> np.ndarray:
        """The transitions `(n, S, S)` into elements at covariates `(n, d)`."""
        return self._transitions(self.covariates(z))

    def _transitions(self, z: np.ndarray) -> np.ndarray:
        return self.transitions_of(ChainSteps(len(z), np.arange(len(z)), z))

    def covariates(self, z: Any) -> np.ndarray:
        """Covariates as an array `(n, d)`."""
        gates: Any = self.gates
        column: Any = encode(z, Covariates(f"{self.label} gate", gates[0].dim)).column
        return np.asarray(column.x)

    def predict(self, x: Any, z: Any) -> Any:
        """The law of what follows a list, at covariates z `(d,)` of the next element, or `(n, d)` of n elements of which the last is meant:
        a mixture of the states' laws. Of an empty list it is the law of its element number n."""
        P = self.transitions_given([z] if np.ndim(z) == 1 else z)
        now, P = (self.filtered_posterior(x)[-1], P) if len(x) else (self.w, P[1:])
        for step in P:
            now = now @ step
        return self.law_of_element(now)

    def elements_of(self, x: Parts) -> tuple[Sequence[Any], Sequence[np.ndarray]]:
        """What is known of what the states' laws describe, and the transitions into each element, of lists that are known in part."""
        layout: Any = self.layout
        parts = [two_entries(entry, layout.value) for entry in x.entries]
        zs = [known_values(self, known, layout.value.values[0]) for known, _ in parts]
        entries = [inner for _, inner in parts]
        return entries, np.split(self._transitions(np.concatenate(zs)), len(zs)) if zs else []

    def sample_given(self, z: Any, rng: Random = None, x: Any = None, **given: Any) -> list[list[Any]]:
        """One list of what the states' laws describe for each list of covariates z; of regressions, of responses at covariates x, in lists
        like those of z, with `offset` and `trials` as they need them."""
        rng = generator(rng)
        lengths = np.array([len(row) for row in z], dtype=np.int64)
        path = drawn_paths(self, lengths, rng, self._steps([at for row in z for at in row]))
        flat = drawn_by(self, self.topics, path, rng, None if x is None else [at for row in x for at in row], given)
        return cut(list(flat), lengths)

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        flat = [(element[0], element[1]) for row in rows for element in row]
        path = drawn_paths(self, lengths, rng, self._steps([z for z, _ in flat]))
        drawn = redrawn_by_component(self.topics, path, [x for _, x in flat], rng)
        return cut([(z, x) for (z, _), x in zip(flat, drawn, strict=True)], lengths)

    def _steps(self, z: list[Any]) -> ChainSteps:
        return steps_of(self.covariates(z))

    def sampler(self, seed: Random = None) -> GatedSampler:
        return GatedSampler(self, generator(seed))

    def draw(self, size: int, rng: np.random.Generator) -> Any:
        raise StructureError(f"{self.label}: cannot be sampled without its covariates; use sample_given(z), or condition on z")

    def estimator(self, pseudo_count: Any = None) -> GatedHiddenMarkovEstimator:
        parts, length = tuple(topic.estimator(pseudo_count) for topic in self.topics), self.len_dist.estimator(pseudo_count)
        gates = tuple(gate.estimator(pseudo_count) for gate in self.gates)
        return GatedHiddenMarkovEstimator(parts, gates, length, pseudo_count, self.name, self.keys)


class GatedHiddenMarkovEstimator(LearnsStates, ByCovariates, Estimator):
    """Maximum likelihood for a hidden Markov model with covariates by EM: states' laws are fitted to their shares of the elements, and each
    gate takes one Fisher scoring step towards the posteriors of the states that follow its own, in each step of EM.

    estimators: one per state. gates: a `MultinomialLogisticRegressionEstimator` (its ridge, intercept, names) for all states, or one for
    each; None is the plain one; `gate` is another name. len_estimator: of the length; len_dist: a fixed law of it instead. pseudo_count: a
    pseudo-observations of the first state, spread evenly: `a / S sum_s log w_s` in the objective. keys: (weights, gates, topics); with one
    key the gates of all states are one, and what follows does not depend on the state before. Lists of at most one element say nothing
    of the gates; `EmptyError` where all are such.
    """

    estimators: Sequence[Estimator] = children("state")
    gates: Any = parameter(OneForEach("gate of state"), None)
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    pseudo_count: Any = setting()
    name: str | None = name()
    keys: tuple[str | None, str | None, str | None] = keys("weights", "gates", "topics")
    len_dist: Any = setting()

    family = GatedHiddenMarkovModelDistribution
    stacks = True
    components_field = "estimators"
    parted = ("estimators",)
    other_names: ClassVar[dict[str, str]] = {"gate": "gates"}
    num_states: ClassVar[None] = None  # of states that share topics

    def validate(self) -> None:
        S, who = len(self.estimators), type(self).__name__
        fix_length(self)
        given = self.gates if len(self.gates) > 1 else (self.gates or (None,)) * S
        if len(given) != S:
            raise ParameterError(f"{who}: gates must be one estimator, or one for each of the {S} states, got {len(given)}")
        gates = tuple(gate_of(f"{who}: gates[{i}]", gate, S) for i, gate in enumerate(given))
        dims = {len(gate.names) for gate in gates if gate.names is not None}
        if len(dims) > 1:
            raise ParameterError(f"{who}: gates must have names for the same number of covariates, got {sorted(dims)}")
        dim = next(iter(dims), None)
        (a,) = pseudo_counts(self.pseudo_count, 1, who)
        prior = PseudoCounts(np.full(S, a / S), "w") if a else None
        self.derive(gates=gates, prior=prior, layout=gated_lists_of(self, self.estimators, dim, self.len_estimator))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The labels of the gates: the states' numbers."""
        return Vocabulary(range(len(self.gates)))

    def ties(self) -> Any:
        weights, gates, topics = self.keys
        of_topics = [() if topics is None else ((topics, k),) for k in range(len(self.estimators))]
        of_gates = [() if gates is None else ((gates, "gate"),)] * len(self.gates)
        return None, weights, (*of_topics, *of_gates, ())

    def sums_of(self, piece: Any, send: Any) -> Node:
        """What one piece of a pass says (`LearnsStates`)."""
        topics, _ = piece.emissions.shares(piece.states, piece.exact)
        nodes = send.shared_out(self.estimators, piece.emissions.scored.tapes, topics)
        return Node(piece.begun, [*nodes, *self._gate_sums(piece)])

    def _gate_sums(self, piece: Any) -> list[Node]:
        """The statistics of each gate: of the states after its own, by kinds of steps."""
        P, design = piece.emissions.P, Design(piece.emissions.steps.z)
        out = []
        for i in range(len(self.gates)):
            p = None if P is None else P[..., i, :].swapaxes(-1, -2)
            after = piece.pairs[..., i, :].swapaxes(-1, -2)
            out.append(Node(share_sums(LabelTape(design, p, self.vocabulary), after)))
        return out

    def assemble(self, own: np.ndarray, children: tuple[Any, ...], previous: Any = None) -> GatedHiddenMarkovModelDistribution:
        w, last = share(self.with_prior(own), None if previous is None else previous.w), len(children) - 1
        gates = children[last - len(self.gates) : last]
        return self.law(w=w, topics=children[: last - len(gates)], gates=gates, len_dist=children[last])


def gated_lists_of(node: Any, parts: Any, dim: int | None, length: Any) -> Layout:
    """The layout of lists of (z, x)."""
    return Repeated(node.label, gated_layout(node, parts, dim), length.layout, ordered=True)
