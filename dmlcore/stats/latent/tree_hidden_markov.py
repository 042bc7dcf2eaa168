"""Hidden Markov trees: trees whose nodes come from states that nobody sees, each of which depends on that of the node above it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dmlcore import kernels
from dmlcore.base.domains import Whole, simplex, stochastic_matrix
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.numerics import by_rows
from dmlcore.core.declared import child, children, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, common_layout
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.partial import Known, Parts
from dmlcore.core.powers import Exchange, FollowsStates, Relabels
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Layout
from dmlcore.data.record_layouts import Fields
from dmlcore.data.trees import NUMBERED, ROOT, Link, Tree, misplaced
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.latent.hidden_markov import LearnsOneMatrix, chain_prior, keys_of_parts
from dmlcore.stats.latent.state_paths import HiddenStates, drawn_elements, occupancy, of_lists, two_entries
from dmlcore.stats.latent.state_steps import ByLinks, ChainSteps, LongRun
from dmlcore.stats.latent.tree_passes import OpenedTrees, PartlySeenTrees, TreePass
from dmlcore.stats.sequences.sequence import drawn_lengths, fix_length

LEVELS = 10  # below its root that a drawn tree may have


class TreeHiddenMarkovModelDistribution(ByLinks, HiddenStates, LongRun, Distribution, Relabels, FollowsStates):
    """A tree `[((0, -1), x_0), ((1, above_1), x_1), ..]`, a list of nodes, each with its number, that of the node it hangs on, and what is
    observed there. Its density is `sum_z w[z_0] topics[z_0](x_0) prod_(v >= 1) transitions[z_above(v), z_v] topics[z_v](x_v)`, the sum
    over all states z of the nodes, times `prod_v len_dist(number of nodes on v)`.

    topics: the law of x in each of S states. w: probabilities of the root's state `(S,)`. transitions: of the state of a node, from that of
    the node it hangs on `(S, S)`, rows summing to one. len_dist: the law of how many nodes hang on a node (default: says nothing).
    terminal_level: a drawn tree has no nodes further below its root; it has no part in the density. use_numba: of no effect. Nodes are
    numbered from 0, each after the one it hangs on; trees that are drawn are so level by level. Raises `ParameterError` where shapes do not
    agree, `StructureError` if topics describe different observations.

    Source: Crouse, Nowak and Baraniuk (1998); Durand, Goncalves and Guedon (2004).
    """

    topics: Sequence[Distribution] = children("state")
    w: Any = parameter(simplex)
    transitions: Any = parameter(stochastic_matrix)
    len_dist: Distribution = child(default=NullDistribution(), at="number of nodes on a node")
    terminal_level: int = parameter(Whole(0), default=LEVELS)
    name: str | None = name()
    use_numba: Any = setting(False)
    keys: tuple[str | None, str | None, str | None] = keys("weights", "transitions", "topics")

    components_field = "topics"
    passes: ClassVar[Any] = TreePass
    taus: ClassVar[None] = None
    exchanges = (Exchange("topics", (("w", 0), ("transitions", 0), ("transitions", 1)), occupancy),)

    @classmethod
    def family_name(cls) -> str:
        """The word for this family in messages."""
        return "tree hidden markov"

    def validate(self) -> None:
        S, who = len(self.w), "TreeHiddenMarkovModelDistribution"
        if self.transitions.shape != (S, S):
            raise ParameterError(f"{who}: transitions must be {(S, S)}, as w has {S} states, got shape {self.transitions.shape}")
        if len(self.topics) != S:
            raise ParameterError(f"{who}: topics must be one for each of the {S} states of w, got {len(self.topics)}")

    @cached_property
    def layout(self) -> Layout:
        return trees_of(self, self.topics, self.len_dist)

    @property
    def tied_parts(self) -> Any:
        return tuple((part, (key, part)) for part, key in keys_of_parts(self.keys, False).items() if key is not None)

    def transitions_of(self, steps: ChainSteps) -> np.ndarray:
        """The transitions of each kind of step `(.., 1, S, S)`."""
        return np.asarray(self.transitions[..., None, :, :])

    def of_each_list(self, length: np.ndarray, column: Any) -> np.ndarray:
        return by_rows(kernels.segment_sum, length, column.offsets)

    def lengths_of(self, x: Any) -> Iterator[tuple[str, int]]:
        above = [link[1] for link, _ in x]
        for v in range(len(x)):
            yield f"number of nodes on node {v}", above.count(v)

    def pair_posterior(self, x: Any) -> np.ndarray:
        """Probabilities of the states of each node but the root and of the node it hangs on `(T - 1, S, S)`, given the whole tree."""
        return of_lists(self, [x], pairs_with_above)[0][1:]

    def unseen_states(self, column: Any, row: int) -> np.ndarray:
        """Probabilities of the states of one tree of a column `(T, S)` before anything is seen."""
        levels = column.take(np.array([row])).levels
        out = np.tile(self.w, (len(levels.order), 1))
        for level in range(1, len(levels)):
            out[levels.order[levels.part(level)]] = out[levels.order[levels.up[level]]] @ self.transitions
        return out

    def read_parts(self, x: Parts, n: int) -> tuple[Sequence[Any], Callable[[np.ndarray], tuple[Any, Any]]]:
        """What is known of what the states' laws describe, of n trees that are known in part; and what makes of its log densities
        `(T, S, n)` what there is to know of the states, beside the log densities of the numbers of nodes on nodes."""
        layout: Any = self.layout
        parts = [two_entries(entry, layout.value) for entry in x.entries]
        above = np.array([self._above(t, link) for t, (link, _) in enumerate(parts)])
        below = np.array([(above == t).sum(axis=0) for t in range(len(parts))])
        lengths = self.len_dist.seq_log_density(below.ravel()).reshape(below.shape).sum(axis=0)
        return [inner for _, inner in parts], lambda logs: (PartlySeenTrees(self.w, self.transitions, above, logs), lengths)

    def _above(self, t: int, link: Any) -> np.ndarray:
        """The nodes that the nodes of this number hang on, in each of some trees."""
        if not isinstance(link, Known):
            raise StructureError(
                f"{self.label}: the shape of a tree must be known; put UNKNOWN in place of what is observed at node {t} alone"
            )
        layout: Any = self.layout
        column: Any = link.encoded(layout.value.values[0]).column
        if misplaced(column.x, np.full(len(column.x), t)).any():
            raise StructureError(f"{self.label}: needs {NUMBERED}; got {tuple(column.x[0].tolist())} at place {t}")
        return np.asarray(column.x[:, 1])

    def draw(self, size: int, rng: np.random.Generator) -> list[list[Any]]:
        tree, number, above, state = drawn_shapes(self, size, rng)
        links = zip(number.tolist(), above.tolist(), strict=True)
        out: list[list[Any]] = [[] for _ in range(size)]
        for row, link, value in zip(tree.tolist(), links, drawn_elements(self, state, rng), strict=True):
            out[row].append((link, value))
        return out

    def estimator(self, pseudo_count: Any = None) -> TreeHiddenMarkovEstimator:
        parts, length = tuple(t.estimator(pseudo_count) for t in self.topics), self.len_dist.estimator(pseudo_count)
        return TreeHiddenMarkovEstimator(parts, length, pseudo_count, self.name, self.keys, terminal_level=self.terminal_level)


class TreeHiddenMarkovEstimator(LearnsOneMatrix, ByLinks, Estimator):
    """Maximum likelihood for a hidden Markov tree by EM: expected counts of the states of roots and of the states on each state, and each
    state's law fitted to its share of the nodes.

    estimators: one per state. len_estimator: of how many nodes hang on a node; len_dist: a fixed law of it instead. pseudo_count:
    pseudo-observations of the root's state, and of the state of a node on each, spread evenly; a pair gives the two numbers apart. They
    add `a / S sum_s log w_s + b / S sum_sr log transitions_sr` to the objective. keys: (weights, transitions, topics). terminal_level: as
    of the distribution.
    """

    estimators: Sequence[Estimator] = children("state")
    len_estimator: Estimator = child(default=NullEstimator(), at="number of nodes on a node")
    pseudo_count: Any = setting()
    name: str | None = name()
    keys: tuple[str | None, str | None, str | None] = keys("weights", "transitions", "topics")
    use_numba: Any = setting(True)
    len_dist: Any = setting()
    terminal_level: int = parameter(Whole(0), default=LEVELS)

    family = TreeHiddenMarkovModelDistribution
    stacks = True
    components_field = "estimators"
    parted = ("estimators",)
    carried = ("name", "keys", "tied", "held", "terminal_level")
    opened: ClassVar[Any] = OpenedTrees
    num_states: ClassVar[None] = None  # of states that share topics

    def validate(self) -> None:
        fix_length(self)
        a, b = pseudo_counts(self.pseudo_count, 2, "TreeHiddenMarkovEstimator")
        self.derive(prior=chain_prior(a, b, len(self.estimators)))

    @cached_property
    def layout(self) -> Layout:
        return trees_of(self, self.estimators, self.len_estimator)

    def of_each_length(self, weights: np.ndarray, lists: Any) -> np.ndarray:
        return np.repeat(weights, np.diff(lists.column.offsets), axis=-1)

    def assemble(self, own: Sums, children: tuple[Any, ...], previous: Any = None) -> TreeHiddenMarkovModelDistribution:
        found = self.probabilities_from(dict(self.with_prior(own).items()), previous)
        return self.law(**found, topics=children[:-1], len_dist=children[-1])


def trees_of(node: Any, parts: Any, length: Any) -> Tree:
    """The layout of trees of what all parts describe."""
    pair = Fields(node.label, (Link(f"{node.label} node"), common_layout(parts, type(node).__name__)))
    return Tree(node.label, pair, length.layout, ordered=True)


def pairs_with_above(law: Any, column: Any, score: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of each node the probabilities of the pairs of the state above it and its own `(N, S, S)`, none at roots; and log densities of trees
    `(n,)`."""
    log, tape = law.forward(column, score)
    return tape.lists.pairs(), log


def drawn_shapes(law: Any, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Trees without what is observed, one after the other: each node's tree, its number, that of the node it hangs on, and its state."""
    tree, number = np.arange(size), np.zeros(size, dtype=np.int64)
    above, state = np.full(size, ROOT), rng.choice(law.num_states, size, p=law.w)
    levels, there = [(tree, number, above, state)], np.ones(size, dtype=np.int64)
    reached = np.cumsum(law.transitions, axis=-1)
    for _ in range(law.terminal_level):
        up = np.repeat(np.arange(len(tree)), drawn_lengths(law, len(tree), rng))
        if not len(up):
            break
        tree, above = tree[up], number[up]
        sums = reached[state[up]]
        state = (sums[:, :-1] <= rng.random(len(up))[:, None] * sums[:, -1:]).sum(axis=1)
        new = np.bincount(tree, minlength=size)
        number = np.arange(len(tree)) - np.repeat(np.cumsum(new) - new, new) + there[tree]
        there += new
        levels.append((tree, number, above, state))
    columns = [np.concatenate(column) for column in zip(*levels, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    tree, number, above, state = (column[order] for column in columns)
    return tree, number, above, state
