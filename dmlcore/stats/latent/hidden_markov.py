"""Hidden Markov models: lists whose elements come from states that form a Markov chain nobody sees."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.domains import Absent, Simplex, simplex, stochastic_matrix
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.core.declared import child, children, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, common_layout, cut, typical_of
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.partial import Parts
from dmlcore.core.powers import Exchange, FollowsStates, HasTypical, Relabels
from dmlcore.core.prior import PriorOfParts, PseudoCounts
from dmlcore.core.statistics import Node, Sums
from dmlcore.core.weights import share
from dmlcore.data.layouts import Layout
from dmlcore.data.sequences import Repeated
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.latent.state_paths import (
    LearnsStates,
    StateMethods,
    drawn_elements,
    drawn_paths,
    drawn_to_the_end,
    occupancy,
    typical_path,
)
from dmlcore.stats.latent.state_steps import ChainSteps, LongRun, OneMatrix
from dmlcore.stats.latent.stationary import TOLERANCE, stationary, stationary_step
from dmlcore.stats.sequences.sequence import drawn_lengths, fix_length, typical_length


class MaybeStochastic(Absent, Simplex):
    """A matrix whose rows are probabilities, or None."""

    def __init__(self) -> None:
        super().__init__(2)

    def check(self, value: Any) -> Any:
        return None if value is None else super().check(value)

    def free(self, value: Any) -> int:
        return 0 if value is None else super().free(value)

    def flatten(self, value: Any) -> np.ndarray:
        return np.zeros(0) if value is None else super().flatten(value)

    def unflatten(self, vector: np.ndarray, like: Any) -> Any:
        return None if like is None else super().unflatten(vector, like)


FREE, STATIONARY = "free", "stationary"  # how the first state is estimated


class HiddenMarkovModelDistribution(OneMatrix, StateMethods, LongRun, Distribution, HasTypical, Relabels, FollowsStates):
    """A list of elements with density `len_dist(n) sum_z w[z_1] prod_t transitions[z_(t-1), z_t] prod_t topics[z_t](x_t)`, the sum over all
    paths z of states; an empty list has `len_dist(0)`.

    topics: the law of an element in each of S states; with `taus` `(S, K)`, K laws that the states share, of which state s has the
    mixture `sum_k taus[s, k] topics[k]`. w: probabilities of the first state `(S,)`. transitions: of the next after each `(S, S)`, rows
    summing to one. len_dist: the law of the length (default: says nothing). terminal_values: elements with which a drawn list ends, in
    place of a length; they have no part in the density. use_numba: of no effect. Raises `ParameterError` where shapes do not agree,
    `StructureError` if topics describe different observations.

    Source: Baum, Petrie, Soules and Weiss (1970); Rabiner (1989).
    """

    topics: Sequence[Distribution] = children("state")
    w: Any = parameter(simplex)
    transitions: Any = parameter(stochastic_matrix)
    taus: Any = parameter(MaybeStochastic(), None)
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    name: str | None = name()
    keys: tuple[str | None, str | None, str | None] = keys("weights", "transitions", "topics")
    terminal_values: Any = setting()
    use_numba: Any = setting(False)

    components_field = "topics"

    @classmethod
    def family_name(cls) -> str:
        """The word for this family in messages."""
        return "hidden markov"

    def validate(self) -> None:
        S, who = len(self.w), "HiddenMarkovModelDistribution"
        if self.transitions.shape != (S, S):
            raise ParameterError(f"{who}: transitions must be {(S, S)}, as w has {S} states, got shape {self.transitions.shape}")
        if self.taus is None and len(self.topics) != S:
            raise ParameterError(f"{who}: topics must be one for each of the {S} states of w, got {len(self.topics)}; or give taus")
        if self.taus is not None and self.taus.shape != (S, len(self.topics)):
            need = f"taus must have one row per state and one column per topic, {(S, len(self.topics))}"
            raise ParameterError(f"{who}: {need}, got shape {self.taus.shape}")

    @cached_property
    def layout(self) -> Layout:
        return lists_of(self, self.topics, self.len_dist)

    @property
    def tied_parts(self) -> Any:
        parts = keys_of_parts(self.keys, self.taus is not None)
        return tuple((part, (key, part)) for part, key in parts.items() if key is not None)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:  # type: ignore[override]
        """What may be numbered otherwise: states, and topics where states share them."""
        arrays = (("w", 0), ("transitions", 0), ("transitions", 1))
        if self.taus is None:
            return (Exchange("topics", arrays, occupancy),)
        return Exchange("topics", (("taus", 1),), lambda law: occupancy(law) @ law.taus), Exchange(None, (*arrays, ("taus", 0)), occupancy)

    def transitions_of(self, steps: ChainSteps) -> np.ndarray:
        """The transitions of each kind of step `(.., 1, S, S)`."""
        return np.asarray(self.transitions[..., None, :, :])

    def elements_of(self, x: Parts) -> tuple[Sequence[Any], Sequence[np.ndarray]]:
        """What is known of what the states' laws describe, and the transitions into each element, of lists that are known in part."""
        return x.entries, [self.transitions] * len(x.entries)

    def predict(self, x: Any, steps: int = 1) -> Any:
        """The law of the element so many steps after the end of a list: a mixture of the states' laws. Of an empty list it is the law of
        its element number `steps`."""
        if not isinstance(steps, (int, np.integer)) or steps < 1:
            raise ParameterError(f"steps must be a whole number >= 1, got {steps!r}")
        known = len(x) > 0
        now = self.filtered_posterior(x)[-1] if known else self.w
        return self.law_of_element(now @ np.linalg.matrix_power(self.transitions, steps if known else steps - 1))

    def typical(self) -> list[Any]:
        length = typical_length(self)
        path = typical_path(self, length)
        each = {int(z): typical_of(self.emission(int(z))) for z in np.unique(path)}
        return [each[z] for z in path.tolist()]

    def draw(self, size: int, rng: np.random.Generator) -> list[list[Any]]:
        if self.terminal_values is not None and isinstance(self.len_dist, NullDistribution):
            return drawn_to_the_end(self, size, rng)
        lengths = drawn_lengths(self, size, rng)
        return cut(drawn_elements(self, drawn_paths(self, lengths, rng), rng), lengths)

    def estimator(self, pseudo_count: Any = None) -> HiddenMarkovEstimator:
        parts, length = tuple(t.estimator(pseudo_count) for t in self.topics), self.len_dist.estimator(pseudo_count)
        states = None if self.taus is None else self.num_states
        return HiddenMarkovEstimator(
            parts, length, pseudo_count, self.name, self.keys, num_states=states, terminal_values=self.terminal_values
        )


class LearnsOneMatrix(LearnsStates):
    """One whose states follow each other by one matrix: own statistics are expected counts of first states and of transitions."""

    def ties(self: Any) -> Any:
        """Keys of first states, of transitions and of the states' laws, each by itself (`Estimator.ties`)."""
        weights, transitions, topics = self.keys
        each = (() if topics is None else ((topics, k),) for k in range(len(self.estimators)))
        return None, keys_of_parts((weights, transitions, topics), self.num_states is not None), (*each, ())

    def sums_of(self: Any, piece: Any, send: Any) -> Node:
        """What one piece of a pass says (`LearnsStates`)."""
        topics, taus = piece.emissions.shares(piece.states, piece.exact)
        own = Sums(w=piece.begun, transitions=piece.pairs[..., 0, :, :], **({} if taus is None else {"taus": taus}))
        return Node(own, send.shared_out(self.estimators, piece.emissions.scored.tapes, topics))

    def probabilities_from(self: Any, counts: dict[str, np.ndarray], previous: Any) -> dict[str, np.ndarray]:
        """Counts as probabilities, by the names of the parameters."""
        return {part: share(count, None if previous is None else getattr(previous, part)) for part, count in counts.items()}


class HiddenMarkovEstimator(LearnsOneMatrix, OneMatrix, Estimator):
    """Maximum likelihood for a hidden Markov model by EM (Baum and Welch): expected counts of first states and of transitions, and each
    state's law fitted to its share of the elements.

    estimators: one per state; with num_states, one per topic, and so many states share them in proportions of their own. len_estimator:
    of the length; len_dist: a fixed law of it instead. pseudo_count: pseudo-observations of the first state, and of the next after each,
    spread evenly; a pair gives the two numbers apart. They add `a / S sum_s log w_s + b / S sum_sr log transitions_sr` to the objective.
    keys: (weights, transitions, topics). States with transitions in common are the same states: they share topics in the same proportions
    too. terminal_values: as of the distribution.
    initial: how the first state is estimated: "free"; "stationary", where it has the stationary probabilities of the transitions, which
    are then found by numerical steps uphill; or probabilities `(S,)` that are held.
    """

    estimators: Sequence[Estimator] = children("state")
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    pseudo_count: Any = setting()
    name: str | None = name()
    keys: tuple[str | None, str | None, str | None] = keys("weights", "transitions", "topics")
    use_numba: Any = setting(False)
    len_dist: Any = setting()
    num_states: Any = setting()
    terminal_values: Any = setting()
    initial: Any = setting(FREE)

    family = HiddenMarkovModelDistribution
    stacks = True
    components_field = "estimators"
    parted = ("estimators",)

    def validate(self) -> None:
        S, who = self.num_states, "HiddenMarkovEstimator"
        if S is not None and (not isinstance(S, (int, np.integer)) or S < 1):
            raise ParameterError(f"{who}: num_states must be a whole number >= 1, or None, got {S!r}")
        fix_length(self)
        a, b = pseudo_counts(self.pseudo_count, 2, who)
        size = S or len(self.estimators)
        if not isinstance(self.initial, str):
            try:
                self.derive(initial=simplex.check(self.initial))
            except ParameterError as error:
                raise ParameterError(f"{who}: initial {error}") from None
        if self.initial not in (FREE, STATIONARY) if isinstance(self.initial, str) else self.initial.shape != (size,):
            need = f'initial must be "free", "stationary" or {size} probabilities'
            raise ParameterError(f"{who}: {need}, one for each state, got {self.initial!r}")
        self.derive(prior=chain_prior(a, b, size))

    @cached_property
    def layout(self) -> Layout:
        return lists_of(self, self.estimators, self.len_estimator)

    @property
    def states(self) -> int:
        """S, the number of states."""
        return self.num_states or self.together or len(self.estimators)

    def ties(self) -> Any:
        whole, own, children = super().ties()
        if self.is_stationary:
            if own["w"] not in (None, own["transitions"]):
                need = "stationary weights follow from the transitions, and have no key but theirs"
                raise StructureError(f"{self.label}: {need}, got {self.keys!r}")
            own["w"] = own["transitions"]
        return whole, own, children

    def assemble(self, own: Sums, children: tuple[Any, ...], previous: Any = None) -> HiddenMarkovModelDistribution:
        counts = dict(self.with_prior(own).items())
        begun, pairs = counts["w"], counts["transitions"]
        found = self.probabilities_from(counts, previous)
        if self.is_stationary:
            found["w"], found["transitions"] = stationary_step(begun, pairs, previous)
        elif self.fixed_fields:
            found["w"] = np.broadcast_to(self.initial, begun.shape)
        return self.law(**found, topics=children[:-1], len_dist=children[-1], **self._passed_on)

    @property
    def is_stationary(self) -> bool:
        """Whether the first state has the stationary probabilities of the transitions."""
        return isinstance(self.initial, str) and self.initial == STATIONARY

    @property
    def fixed_fields(self) -> tuple[str, ...]:
        return () if isinstance(self.initial, str) and self.initial == FREE else ("w",)

    def is_feasible(self, distribution: Any) -> bool:
        if not self.fixed_fields:
            return True
        held = stationary(distribution.transitions) if self.is_stationary else self.initial
        return bool(np.abs(distribution.w - held).max() < TOLERANCE)

    @property
    def _passed_on(self) -> dict[str, Any]:
        return {} if self.terminal_values is None else {"terminal_values": self.terminal_values}


def keys_of_parts(keys: tuple[str | None, str | None, str | None], shares_topics: bool) -> dict[str, str | None]:
    """The key of each of a chain's own parameters, by name."""
    weights, transitions, _ = keys
    return {"w": weights, "transitions": transitions} | ({"taus": transitions} if shares_topics else {})


def chain_prior(a: float, b: float, states: Any) -> PriorOfParts | None:
    """Pseudo-observations of the first state, and of the next after each, spread evenly; None without any."""
    counts = {"w": np.full(states, a / states), "transitions": np.full((states, states), b / states)}
    return PriorOfParts({part: PseudoCounts(each, part) for part, each in counts.items()}) if a or b else None


def lists_of(node: Any, parts: Any, length: Any) -> Repeated:
    """The layout of lists of what all parts describe."""
    return Repeated(node.label, common_layout(parts, type(node).__name__), length.layout, ordered=True)
