"""The passes of a hidden chain that branches: up, from what hangs on each node to the roots, and down again (Crouse, Nowak and Baraniuk
1998), in logarithms, and level by level over all trees at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from dmlcore.base.numerics import joined, logs_of
from dmlcore.core.mixing import Drawn, exact_mix, largest
from dmlcore.core.walk import SMALL
from dmlcore.data.trees import ROOT, TreeLevels
from dmlcore.stats.latent.state_passes import Emissions, Given, StatesOfElements


class Upward:
    """What is seen at each node and below it, given its state.

    levels: the nodes. logs `(.., S, N)`: log densities of what is seen at them. w `(.., S)`, P `(.., S, S)`: of the states at roots, and of
    those at a node from that of the node it hangs on. best: whether of the most probable states alone, instead of the sum over all.

    seen `(.., S, N)`: log densities of what is seen at a node and below it, in the order of places (`TreeLevels`). log `(.., n)`: log
    densities of the trees, in the order of their roots. scaled, sums `(.., S, N)`: the densities relative to the best state's, and their
    sums by the state of the node above, in that order too; none, if best.
    """

    def __init__(self, levels: TreeLevels, logs: np.ndarray, w: np.ndarray, P: np.ndarray, best: bool = False):
        self.levels, self.P, self.log_P = levels, P, logs_of(P)
        self.seen = logs[..., levels.order]
        kept: np.ndarray = np.empty((2, *(() if best else self.seen.shape)))
        self.scaled, self.sums = kept
        for level in range(len(levels) - 1, 0, -1):
            here = levels.part(level)
            told = self._most(self.seen[..., here]) if best else self._told(here)
            self.seen[..., levels.owners[level]] += np.add.reduceat(told, levels.starts[level], axis=-1)
        self.begun = logs_of(w)[..., None] + self.seen[..., levels.part(0)]
        self.log = (largest if best else exact_mix)(self.begun)[0]

    def _told(self, here: slice) -> np.ndarray:
        """Log densities of what is seen at nodes and below them, given the states of the nodes that these hang on `(.., S, m)`."""
        seen = self.seen[..., here]
        top = seen.max(axis=-2, keepdims=True)
        top = np.where(top > -np.inf, top, 0.0)
        scaled = np.exp(seen - top, out=self.scaled[..., here])
        sums = np.matmul(self.P, scaled, out=self.sums[..., here])
        told = logs_of(sums)
        told += top
        if sums.size and not sums.min() > SMALL:
            lost = np.any(joined(sums < SMALL), axis=0)
            told[..., lost] = self._exactly_told(seen[..., lost])
        return told

    def _exactly_told(self, seen: np.ndarray) -> np.ndarray:
        each = [exact_mix(self.log_P[..., i, :, None] + seen)[0] for i in range(self.P.shape[-1])]
        return np.stack(each, axis=-2)

    def _most(self, seen: np.ndarray) -> np.ndarray:
        each = [(self.log_P[..., i, :, None] + seen).max(axis=-2) for i in range(self.P.shape[-1])]
        return np.stack(each, axis=-2)

    def states(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weighted probabilities of the states `(.., S, N)`, and their sums at roots `(.., S)` and at pairs of a node and one that hangs on
        it `(.., S, S)`; weights `(.., n)`. Trees without density get probability zero."""
        out = np.empty(self.seen.shape)
        roots = self.levels.part(0)
        out[..., roots] = exact_mix(self.begun)[1] * weights[..., None, :]
        ratios, exact = np.zeros(self.P.shape), np.zeros(self.P.shape)
        for level in range(1, len(self.levels)):
            here = self.levels.part(level)
            sums, scaled, above = self.sums[..., here], self.scaled[..., here], out[..., self.levels.up[level]]
            lost = np.zeros(0, dtype=np.intp)
            if sums.size and not sums.min() > SMALL:
                lost = np.flatnonzero(np.any(joined((sums < SMALL) & (above > 0)), axis=0))
            ratio = above / np.where(sums < SMALL, 1.0, sums)
            ratio[..., lost] = 0.0
            np.multiply(scaled, self.P.swapaxes(-1, -2) @ ratio, out=out[..., here])
            ratios += ratio @ scaled.swapaxes(-1, -2)
            if len(lost):
                joint = self._pairs(self.seen[..., here][..., lost], above[..., lost])
                out[..., here.start + lost] = joint.sum(axis=-3)
                exact += joint.sum(axis=-1)
        return self._by_node(out), out[..., roots].sum(axis=-1), self.P * ratios + exact

    def _pairs(self, seen: np.ndarray, above: np.ndarray) -> np.ndarray:
        """Probabilities of pairs of states `(.., S, S, m)`, by logarithms, from what is seen at nodes and below and the states above."""
        told = self._exactly_told(seen)
        known = logs_of(above) - np.where(told > -np.inf, told, 0.0)
        return np.exp(known[..., :, None, :] + self.log_P[..., None] + seen[..., None, :, :])

    def pairs(self, weights: np.ndarray) -> np.ndarray:
        """Of each node of trees of one law the weighted probabilities of the pairs of the state above it and its own `(N, S, S)`."""
        levels, states = self.levels, self.states(weights)[0][..., self.levels.order]
        below = levels.bounds[1]
        out = np.zeros((*self.P.shape, states.shape[-1]))
        out[..., below:] = self._pairs(self.seen[..., below:], states[..., np.concatenate(levels.up)])
        return self._by_node(out).transpose(2, 0, 1)

    def chosen(self, mix: Any) -> np.ndarray:
        """One state at each node of each tree by a rule (`dmlcore.core.mixing`), given that of the node it hangs on `(.., S, N)`, in zeros
        and ones; all zero, where a tree has no density."""
        out = np.empty(self.seen.shape)
        out[..., self.levels.part(0)] = mix(self.begun)[1]
        for level in range(1, len(self.levels)):
            here, above = self.levels.part(level), out[..., self.levels.up[level]]
            there = (above > 0).any(axis=-2, keepdims=True)
            log_P = np.take_along_axis(self.log_P, above.argmax(axis=-2)[..., None], axis=-2).swapaxes(-1, -2)
            out[..., here] = mix(log_P + self.seen[..., here])[1] * there
        return self._by_node(out)

    def _by_node(self, values: np.ndarray) -> np.ndarray:
        out = np.empty(values.shape)
        out[..., self.levels.order] = values
        return out


def pair_sums(levels: TreeLevels, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Sums over nodes that hang on another of `before[i]` there and `after[j]` of their own `(.., S, S)`, from both `(.., S, N)`."""
    below, above = levels.order[levels.bounds[1] :], levels.order[np.concatenate(levels.up)]
    return np.asarray(before[..., above] @ after[..., below].swapaxes(-1, -2))


class TreePass:
    """Trees scored by a chain that branches: `log` `(.., n)` of their nodes. `pieces(weights)` goes back over them."""

    def __init__(self, law: Any, column: Any, score: Any):
        self.column, self.emissions = column, Emissions(law, column.flat, score)
        self.mix, P = score.mix, self.emissions.P[..., 0, :, :]
        self.upward = Upward(column.levels, self.emissions.logs, law.w, P, best=score.mix is largest)
        self.log = self.upward.log
        self.chosen = None if score.mix is exact_mix else self.upward.chosen(score.mix)

    @staticmethod
    def likeliest(law: Any, column: Any, score: Any) -> tuple[np.ndarray, np.ndarray]:
        """The most probable states at the nodes of trees `(N,)`, and the log densities of the trees with them `(n,)`."""
        emissions = Emissions(law, column.flat, score)
        upward = Upward(column.levels, emissions.logs, law.w, emissions.P[..., 0, :, :], best=True)
        return upward.chosen(largest).argmax(axis=-2), upward.log

    def pairs(self) -> np.ndarray:
        """Of each node of the trees of one law the probabilities of the pairs of the state above it and its own `(N, S, S)`, none at
        roots."""
        return self.upward.pairs(np.ones(len(self.column)))

    def pieces(self, weights: np.ndarray) -> Iterator[StatesOfElements]:
        """What a pass back over the trees says, from their weights `(.., n)`; all of it in one piece."""
        if self.chosen is None:
            states, begun, pairs = self.upward.states(weights)
            yield StatesOfElements(self.emissions, states, begun, pairs[..., None, :, :], True, slice(None))
        else:
            yield piece_of(self.column, self.emissions, self.chosen, weights)


class OpenedTrees:
    """Trees before there is a model: nodes have responsibilities that were given, each for itself."""

    def __init__(self, estimator: Any, column: Any, open: Any):
        self.column = column
        observed, steps = estimator.read(column.flat)
        self.given = Given(open.components(estimator.estimators, observed, estimator.together), steps, None)

    def pieces(self, weights: np.ndarray) -> Iterator[StatesOfElements]:
        """What they say, as of `TreePass`."""
        yield piece_of(self.column, self.given, self.given.states, weights)


def piece_of(column: Any, emissions: Any, states: np.ndarray, weights: np.ndarray) -> StatesOfElements:
    """What trees say whose nodes have these shares of states `(.., S, N)`, which tell nothing of each other."""
    each = states * np.repeat(weights, np.diff(column.offsets), axis=-1)[..., None, :]
    pairs = pair_sums(column.levels, states, each)[..., None, :, :]
    return StatesOfElements(emissions, each, each[..., column.offsets[:-1]].sum(axis=-1), pairs, True, slice(None))


class PartlySeenTrees:
    """The states of n trees of T nodes, from log densities `(T, S, n)` of what is known of the nodes under each state.

    w `(S,)`, P `(S, S)`: as of `Upward`. above `(T, n)`: the node that each hangs on, -1 at the root.
    """

    def __init__(self, w: np.ndarray, P: np.ndarray, above: np.ndarray, logs: np.ndarray):
        self.w, self.P, self.above, self.logs = w, P, above, logs
        T, n = above.shape
        levels = TreeLevels(np.where(above >= 0, above + np.arange(n) * T, ROOT).T.ravel())
        self.upward = Upward(levels, logs.transpose(1, 2, 0).reshape(-1, n * T), w, P)
        self.log = self.upward.log

    @property
    def num_states(self) -> int:
        """S, the number of states."""
        return len(self.w)

    @cached_property
    def _states(self) -> np.ndarray:
        return self._by_tree(self.upward.states(np.ones(self.above.shape[1]))[0])

    def _by_tree(self, states: np.ndarray) -> np.ndarray:
        return states.reshape(len(states), -1, len(self.above))

    def smoothed(self, t: int) -> np.ndarray:
        """Probabilities of the states at node t `(S, n)`, given all that is known."""
        return self._states[:, :, t]

    def together(self, nodes: list[int], row: int) -> list[tuple[float, tuple[int, ...]]]:
        """Of one tree, the states that some nodes may have together, each with its probability: from as many trees, in each of which they
        have these."""
        every = np.array(list(product(range(self.num_states), repeat=len(nodes))))
        logs = np.repeat(self.logs[:, :, row : row + 1], len(every), axis=2)
        for node, states in zip(nodes, every.T, strict=True):
            logs[node] = np.where(np.arange(self.num_states)[:, None] == states, logs[node], -np.inf)
        above = np.repeat(self.above[:, row : row + 1], len(every), axis=1)
        log = PartlySeenTrees(self.w, self.P, above, logs).log
        p = exact_mix(log[:, None])[1][:, 0]
        return [(float(share), tuple(states)) for share, states in zip(p, every.tolist(), strict=True) if share > 0]

    def drawn(self, nodes: list[int], rows: np.ndarray, rng: np.random.Generator) -> dict[int, np.ndarray]:
        """Of some trees, states at some nodes, drawn together."""
        part = PartlySeenTrees(self.w, self.P, self.above[:, rows], self.logs[:, :, rows])
        states = self._by_tree(part.upward.chosen(Drawn(rng))).argmax(axis=0)
        return {t: states[:, t] for t in nodes}
