"""Draws of a Markov chain: a length, and a path of that length, exactly, where labels may lead nowhere."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import DegenerateError
from dmlcore.base.labels import Vocabulary
from dmlcore.stats.sequences.sequence import drawn_lengths, typical_length

TAIL = 1e-14  # probability of longer lengths than those in a table
LONGEST = 1 << 20  # of lengths in a table
SETTLED = 1e-15  # a difference between survival probabilities that is rounding


class Walks:
    """The paths of a chain. `survival(r)` `(L,)` is proportional to the probability of r more steps from each of its L labels.

    A label without transitions ends a path. So of the lengths that `len_dist` gives, those are possible whose paths are, and the law of
    the chain's lists is `len_dist(n) P(a path has n labels)`, up to a constant: a length is drawn from that, and then, label by label,
    the path given that it reaches the length (forwards, with the survival probabilities of a backward recursion; Rabiner 1989, eq. 25).
    """

    def __init__(self, chain: Any):
        self.chain = chain
        pairs = chain._pairs
        self.labels: Vocabulary = chain._initial.labels.union(Vocabulary(label for pair in pairs.labels for label in pair))
        place = self.labels.place
        source = np.array([place[a] for a, _ in pairs.labels], dtype=np.intp)
        order = np.argsort(source, kind="stable")
        order = order[pairs.values_array[order] > 0]
        self.source, self.p = source[order], pairs.values_array[order]
        self.target = np.array([place[b] for _, b in pairs.labels], dtype=np.intp)[order]
        self.start = chain._initial.lookup(self.labels, chain._initial.values_array, 0.0)
        self.endless = len(np.unique(self.source)) == len(self.labels)
        self._survival = [np.ones(len(self.labels))]
        self._scale = [0.0]  # logs of what each is to be multiplied by

    def survival(self, r: int) -> np.ndarray:
        """Relative to the largest; the same array for all r where no label leads nowhere."""
        while not self.endless and len(self._survival) <= r:
            after = np.bincount(self.source, self.p * self._survival[-1][self.target], len(self.labels))
            top = float(after.max()) or 1.0
            relative, before = after / top, self._survival[-1]
            self._survival.append(before if np.abs(relative - before).max() < SETTLED else relative)
            self._scale.append(self._scale[-1] + float(np.log(top)))
        return self._survival[0 if self.endless else r]

    def log_reach(self, n: int) -> np.ndarray:
        """Log probabilities that a path has 0, ..., n labels, `(n + 1,)`."""
        self.survival(n)
        with np.errstate(divide="ignore"):
            reach = [np.log(self.start @ alive) + scale for alive, scale in zip(self._survival[:n], self._scale, strict=False)]
        return np.array([0.0, *reach])

    @cached_property
    def length_table(self) -> np.ndarray:
        """Probabilities of the lengths 0, 1, .., up to where nothing more is possible, or less than `TAIL` is left."""
        size = 64
        while True:
            reach = self.log_reach(size)
            log = self.chain.len_dist.seq_log_density(list(range(size + 1)))
            longer = 1.0 - float(np.exp(log).sum())
            with np.errstate(invalid="ignore"):
                both = np.where((log > -np.inf) & (reach > -np.inf), log + reach, -np.inf)
            top = both.max()
            if longer <= TAIL or reach[-1] == -np.inf or reach[-1] - top < np.log(TAIL):
                break
            if size >= LONGEST:
                raise DegenerateError(f"{self.chain.label}: lengths beyond {LONGEST} are too probable to be drawn exactly")
            size *= 2
        if top == -np.inf:
            raise DegenerateError(f"{self.chain.label}: no length that len_dist gives is possible, as labels lead nowhere before")
        p = np.exp(both - top)
        return p / p.sum()

    def lengths(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Lengths of `size` lists."""
        free = drawn_lengths(self.chain, size, rng)
        return free if self.endless else rng.choice(len(self.length_table), size, p=self.length_table)

    def typical_length(self) -> int:
        """The most probable length of its lists."""
        typical = typical_length(self.chain)
        return typical if self.endless else int(np.argmax(self.length_table))

    def paths(self, lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Codes of lists of these lengths, end to end; all lists that have as many steps before them take one together."""
        ends = np.cumsum(lengths)
        out = np.zeros(int(lengths.sum()), dtype=np.intp)
        order = np.argsort(-lengths, kind="stable")
        falling, state = lengths[order], np.zeros(len(lengths), dtype=np.intp)
        longest = int(falling[0]) if len(falling) else 0
        known, moving = None, 0
        for r in range(longest - 1, -1, -1):  # labels that follow the one drawn now
            begun, alive = int(np.searchsorted(-falling, -r, side="left")), self.survival(r)
            if moving:
                if known is not alive:
                    below, target, first = self._ways(alive)
                    known = alive
                here = state[:moving]
                step = np.searchsorted(below, here + rng.random(moving), side="right")
                state[:moving] = target[np.clip(step, first[here], first[here + 1] - 1)]
            if begun > moving:
                opening = self.start * alive
                state[moving:begun] = rng.choice(len(opening), begun - moving, p=opening / opening.sum())
            moving = begun
            out[ends[order[:begun]] - 1 - r] = state[:begun]
        return out

    def _ways(self, alive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The pairs that can be taken, by their first label: its number plus the cumulated probability, given what comes, of its pairs up
        to each; the second label of each; and where the pairs of each label begin."""
        p = self.p * alive[self.target]
        source, target, p = self.source[p > 0], self.target[p > 0], p[p > 0]
        first = np.searchsorted(source, np.arange(len(self.labels) + 1))
        reached = np.concatenate([[0.0], np.cumsum(p / np.bincount(source, p, len(self.labels))[source])])
        return reached[1:] - reached[first[source]] + source, target, first
