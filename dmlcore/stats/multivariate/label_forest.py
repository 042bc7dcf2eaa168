"""Whole numbers that depend on each other along the edges of a forest: sums over it, in two passes (Pearl 1988)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.numerics import logs
from dmlcore.core.rowlaws import Atom, RowLaw, check_cases
from dmlcore.stats.univariate.integer_categorical import IntegerCategoricalDistribution
from dmlcore.stats.univariate.row_labels import drawn_codes

ForestNodes = Mapping[int, tuple[int | None, np.ndarray]]


class LabelForest:
    """`p(x) = prod_j p(x_j | x_parent(j))` of whole numbers x_j >= 0.

    nodes: of each number its parent and its table, probabilities `(S_parent, S_j)`, or `(S_j,)` where the parent is None; parents come
    before their children.
    """

    def __init__(self, nodes: ForestNodes):
        self.nodes = dict(nodes)

    @cached_property
    def log_tables(self) -> dict[int, np.ndarray]:
        """Logarithms of the tables."""
        return {j: logs(table) for j, (_, table) in self.nodes.items()}

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        """Log probabilities `(n,)` of rows `(n, F)` of numbers within the tables."""
        out = np.zeros(len(x))
        for j, (parent, _) in self.nodes.items():
            table = self.log_tables[j]
            out += table[x[:, j]] if parent is None else table[x[:, parent], x[:, j]]
        return out

    def marginals(self) -> dict[int, np.ndarray]:
        """Probabilities of the values of each number."""
        out: dict[int, np.ndarray] = {}
        for j, (parent, table) in self.nodes.items():
            out[j] = table if parent is None else out[parent] @ table
        return out

    def pairs(self, size: int) -> np.ndarray:
        """Probabilities `(F, F, size, size)` of the values of each two of the numbers 0, 1, .., F - 1."""
        each, out = self.marginals(), np.zeros((len(self.nodes), len(self.nodes), size, size))
        done: list[int] = []
        for j, (parent, table) in self.nodes.items():
            S = table.shape[-1]
            for i in done:
                T = len(each[i])
                both = np.outer(each[i], each[j]) if parent is None else out[i, parent, :T, : len(table)] @ table
                out[i, j, :T, :S], out[j, i, :S, :T] = both, both.T
            out[j, j, range(S), range(S)] = each[j]
            done.append(j)
        return out

    def most_probable(self) -> dict[int, int]:
        """The values of highest probability together (Dawid 1992)."""
        best = {j: np.zeros(table.shape[-1]) for j, (_, table) in self.nodes.items()}
        choice: dict[int, np.ndarray] = {}
        for j, (parent, _) in reversed(self.nodes.items()):
            reached = self.log_tables[j] + best[j]
            choice[j] = np.argmax(reached, axis=-1)
            if parent is not None:
                best[parent] += reached.max(axis=-1)
        out: dict[int, int] = {}
        for j, (parent, _) in self.nodes.items():
            out[j] = int(choice[j] if parent is None else choice[j][out[parent]])
        return out

    def upward(
        self, known: Mapping[int, np.ndarray], n: int, allowed: Mapping[int, np.ndarray] | None = None
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Of n rows, some of whose numbers are known: log probabilities `(n,)` of these, and of each number what it and those below it say
        of its values, `(n, S_j)`, in proportion. allowed: of some of the others ones at the values that they may have, zeros elsewhere."""
        log, below = np.zeros(n), {j: np.ones((n, table.shape[-1])) for j, (_, table) in self.nodes.items()}
        for j, (parent, table) in reversed(self.nodes.items()):
            if j in known:
                below[j] *= known[j][:, None] == np.arange(table.shape[-1])
            if allowed is not None and j in allowed:
                below[j] *= allowed[j]
            if parent is None:
                log += logs(below[j] @ table)
                continue
            reached = below[j] @ table.T
            top = reached.max(axis=1)
            log += logs(top)
            below[parent] *= reached / np.where(top > 0, top, 1.0)[:, None]
        return log, below

    def draw(self, below: Mapping[int, np.ndarray], rng: np.random.Generator) -> dict[int, np.ndarray]:
        """One draw of all numbers for each row, given what `upward` says."""
        out: dict[int, np.ndarray] = {}
        for j, (parent, table) in self.nodes.items():
            prior = table if parent is None else table[out[parent]]
            out[j] = drawn_codes((prior * below[j]).T, rng)
        return out

    def posteriors(self, below: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
        """Probabilities `(n, S_j)` of the values of each number, given what `upward` says."""
        out: dict[int, np.ndarray] = {}
        for j, (parent, table) in self.nodes.items():
            if parent is None:
                own = below[j] * table
            else:
                reached = below[j] @ table.T
                own = below[j] * ((out[parent] / np.where(reached > 0, reached, 1.0)) @ table)
            total = own.sum(axis=1, keepdims=True)
            out[j] = own / np.where(total > 0, total, 1.0)
        return out

    def given(self, known: Mapping[int, int], below: Mapping[int, np.ndarray]) -> LabelForest:
        """The law of the other numbers, given some; below: what `upward` says, of this one row `(S_j,)`."""
        out: dict[int, tuple[int | None, np.ndarray]] = {}
        for j, (parent, table) in self.nodes.items():
            if j in known:
                continue
            if parent in known:
                parent, table = None, table[known[parent]]  # type: ignore[index]
            own = table * below[j]
            total = own.sum(axis=-1, keepdims=True)
            even = np.full(own.shape, 1.0 / own.shape[-1])  # below a value that the others rule out
            out[j] = parent, np.where(total > 0, own / np.where(total > 0, total, 1.0), even)
        return LabelForest(out)

    def without(self, j: int) -> list[tuple[float, LabelForest]]:
        """The law of all numbers but one, as a mixture of forests: of one alone, unless three or more others depend on it directly."""
        parent, table = self.nodes[j]
        below = [i for i, (above, _) in self.nodes.items() if above == j]
        rest = {i: node for i, node in self.nodes.items() if i != j}
        if len(below) + (parent is not None) > 2:
            out = []
            for value, share in enumerate(self.marginals()[j].tolist()):
                if share > 0:
                    known = {j: value}
                    said = self.upward({j: np.array([value])}, 1)[1]
                    out.append((share, self.given(known, {i: part[0] for i, part in said.items()})))
            return out
        if below:
            first, *others = below
            into = rest[first][1]
            rest[first] = parent, table @ into
            for other in others:  # beside a first one where there is nothing above: it then depends on that
                both = (table[:, None] * into).T @ rest[other][1]
                total = both.sum(axis=1, keepdims=True)
                rest[other] = first, np.where(total > 0, both / np.where(total > 0, total, 1.0), 1.0 / both.shape[1])
        return [(1.0, LabelForest(parents_first(rest)))]

    def of(self, kept: Iterable[int]) -> list[tuple[float, LabelForest]]:
        """The law of some of the numbers, as a mixture of forests."""
        wanted, out = set(kept), [(1.0, self)]
        while True:
            left = [(w, forest, next((j for j in reversed(forest.nodes) if j not in wanted), None)) for w, forest in out]
            if all(j is None for _, _, j in left):
                return out
            out = [(w * v, part) for w, forest, j in left for v, part in ([(1.0, forest)] if j is None else forest.without(j))]


def parents_first(nodes: ForestNodes) -> dict[int, tuple[int | None, np.ndarray]]:
    """The nodes of a forest by their depth, and then by their number, so that parents come before their children; those in a circle, and
    below one, are left out."""
    out: dict[int, tuple[int | None, Any]] = {}
    left = dict(nodes)
    while left:
        ready = sorted(j for j, (parent, _) in left.items() if parent is None or parent in out)
        if not ready:
            break
        for j in ready:
            out[j] = left.pop(j)
    return out


# -- rows of which some numbers are known ----------------------------------------------------------------------------------

LawOf = Callable[[LabelForest, Sequence[int]], Any]


class ForestRows(RowLaw):
    """Unknown numbers of n rows, given those that are known. below: what these say, as `LabelForest.upward` gives it. kept: those whose
    law it is, in order. law_of: the distribution of such numbers of a forest."""

    def __init__(self, forest: LabelForest, known: dict[int, np.ndarray], below: dict[int, np.ndarray], kept: list[int], law_of: LawOf):
        self.forest, self.known, self.below, self.kept, self.law_of = forest, known, below, kept, law_of
        self.slots = len(kept)

    def keep(self, slots: list[int]) -> RowLaw:
        kept = [self.kept[slot] for slot in slots]
        if len(kept) == 1:
            return RowNumber(self.forest.posteriors(self.below)[kept[0]])
        return ForestRows(self.forest, self.known, self.below, kept, self.law_of)

    def within(self, events: dict[int, Any], n: int) -> tuple[np.ndarray, RowLaw]:
        allowed = {self.kept[slot]: event.fits(range(self.below[self.kept[slot]].shape[1])) for slot, event in events.items()}
        before, (log, below) = self.forest.upward(self.known, n)[0], self.forest.upward(self.known, n, allowed)
        told = np.where(before > -np.inf, log - np.where(before > -np.inf, before, 0.0), -np.inf)
        return told, ForestRows(self.forest, self.known, below, self.kept, self.law_of)

    def atoms(self) -> list[tuple[Any, Any]]:
        return self.keep([0]).atoms()

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        if self.slots == 1:
            return self.keep([0]).cases(row)
        known = {j: int(values[row]) for j, values in self.known.items()}
        parts = self.forest.given(known, {j: said[row] for j, said in self.below.items()}).of(self.kept)
        check_cases(len(parts))
        return [(w, (self.law_of(part, self.kept),)) for w, part in parts]

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        drawn = self.forest.draw({j: said[rows] for j, said in self.below.items()}, rng)
        return [drawn[j].astype(np.float64) for j in self.kept]


class RowNumber(Atom):
    """A whole number >= 0, with probabilities `(n, S)` of each row's own."""

    def __init__(self, p: np.ndarray):
        self.p = p

    def at(self, rows: np.ndarray) -> RowNumber:
        return RowNumber(self.p[rows])

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        return [(1.0, (IntegerCategoricalDistribution(0, self.p[row]),))]

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        return [drawn_codes(self.p[rows].T, rng).astype(np.float64)]

    def ask(self, what: str, *args: Any) -> Any:
        values = np.arange(self.p.shape[1])
        mean = self.p @ values
        if what == "mean":
            return mean
        if what == "variance":
            return self.p @ values**2 - mean**2
        if what == "mode":
            return np.argmax(self.p, axis=1)
        if what == "cdf":
            return np.where(values <= np.reshape(args[0], (-1, 1)), self.p, 0.0).sum(axis=1)
        if what == "quantile":
            reached = np.cumsum(self.p, axis=1) < np.reshape(args[0], (-1, 1))
            return np.minimum(reached.sum(axis=1), len(values) - 1)
        return super().ask(what, *args)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        inside = (x >= 0) & (x < self.p.shape[1]) & (np.floor(x) == x)
        p = self.p[np.arange(len(self.p)), np.where(inside, x, 0.0).astype(np.intp)]
        return logs(np.where(inside, p, 0.0))
