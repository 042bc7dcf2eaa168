"""Unknown elements of Markov chains, given their neighbours: forwards and backwards along each run of them (Baum et al. 1970)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.base.labels import LabelMap, Vocabulary
from dmlcore.base.numerics import logs_of
from dmlcore.core.partial import Known, Outcomes, Parts
from dmlcore.core.rowlaws import Product, RowLaw, check_cases
from dmlcore.data.layouts import Labels
from dmlcore.stats.univariate.categorical import CategoricalDistribution
from dmlcore.stats.univariate.row_labels import RowLabels, drawn_codes


class UnknownRun(RowLaw):
    """Successive unknown labels with probability `start[x_1] prod_t steps[t][x_t, x_(t+1)] end[x_m] / total`.

    start, end: `(labels, n)`, from the neighbours before and after. steps: between the labels, each `(labels, labels)`.
    """

    def __init__(self, labels: Vocabulary, start: np.ndarray, steps: Sequence[np.ndarray], end: np.ndarray):
        self.labels, self.start, self.steps, self.slots = labels, start, steps, len(steps) + 1
        self.after, scale = [end], np.zeros(end.shape[1])
        for step in reversed(steps):
            message = step @ self.after[0]
            top = np.where(message.max(axis=0) > 0, message.max(axis=0), 1.0)
            self.after.insert(0, message / top)
            scale += np.log(top)
        self.log_total = logs_of((start * self.after[0]).sum(axis=0)) + scale

    def keep(self, slots: list[int]) -> RowLaw:
        if self.slots > 1 and slots == list(range(self.slots)):
            return self
        if len(slots) != 1:
            raise StructureError("part of a run of unknown elements has no law of its own here; ask for one, or draw from all")
        before = self.start
        for step in self.steps[: slots[0]]:
            before = step.T @ before
            before = before / np.where(before.max(axis=0) > 0, before.max(axis=0), 1.0)
        return RowLabels(self.labels, shares(before * self.after[slots[0]]))

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        check_cases(len(self.labels) ** (self.slots - 1))
        paths: list[tuple[float, tuple[int, ...]]] = [(1.0, ())]
        for t in range(self.slots - 1):
            grown = []
            for w, path in paths:
                p = self._next(path, t, row)
                grown += [(w * float(p[i]), (*path, int(i))) for i in np.flatnonzero(p)]
            paths = grown
        sure = [CategoricalDistribution({label: 1.0}) for label in self.labels]
        out = []
        for w, path in paths:
            last = CategoricalDistribution(LabelMap(self.labels, self._next(path, self.slots - 1, row)))
            out.append((w, (*(sure[i] for i in path), last)))
        return out

    def _next(self, path: tuple[int, ...], t: int, row: int) -> np.ndarray:
        before = self.steps[t - 1][path[-1]] if path else self.start[:, row]
        return shares((before * self.after[t][:, row])[:, None])[:, 0]

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        out, before = [], self.start[:, rows]
        for t, message in enumerate(self.after):
            code = drawn_codes(before * message[:, rows], rng)
            out.append([self.labels[i] for i in code.tolist()])
            if t < len(self.steps):
                before = self.steps[t][code].T
        return out


def given_elements(chain: Any, x: Parts, n: int) -> tuple[np.ndarray, RowLaw]:
    """Log density `(n,)` of the known elements of a Markov chain, and the law of the others."""
    labels, initial, A = tables(chain)
    L = len(labels)
    log = np.full(n, chain.len_dist.log_density(len(x.entries)))
    start, runs, t = np.tile(initial[:, None], (1, n)), [], 0
    while t < len(x.entries):
        begin = t
        while t < len(x.entries) and not isinstance(x.entries[t], Known):
            t += 1
        codes = known_codes(x.entries[t], labels, chain.label) if t < len(x.entries) else None
        if t > begin:
            end = np.ones((L, n)) if codes is None else A[:L, codes]
            fits = [entry.fits(labels) if isinstance(entry, Outcomes) else None for entry in x.entries[begin:t]]
            steps = [A[:L, :L] if fit is None else A[:L, :L] * fit for fit in fits[1:]]
            runs.append(UnknownRun(labels, start[:L] if fits[0] is None else start[:L] * fits[0][:, None], steps, end))
            log = log + runs[-1].log_total
        elif codes is not None:
            log = log + logs_of(start[codes, np.arange(n)])
        if codes is not None:
            start = A[codes].T
        t += 1
    return log, Product([run.keep([0]) if run.slots == 1 else run for run in runs])


def tables(chain: Any) -> tuple[Vocabulary, np.ndarray, np.ndarray]:
    """All L labels, probabilities of the first `(L + 1,)` and of the next after each `(L + 1, L + 1)`; last those of other labels."""
    pairs: Any = chain._pairs
    labels: Any = chain._initial.labels.union(Vocabulary(label for pair in pairs.labels for label in pair))
    A = np.full((len(labels) + 1, len(labels) + 1), chain.default_value)
    A[[labels.place[a] for a, _ in pairs.labels], [labels.place[b] for _, b in pairs.labels]] = pairs.values_array
    initial = chain._initial.lookup(labels, chain._initial.values_array, chain.default_value)
    return labels, np.append(initial, chain.default_value), A


def likeliest_path(chain: Any, length: int) -> list[Any]:
    """The most probable list of a length (Viterbi 1967)."""
    labels, initial, A = tables(chain)
    best, back = logs_of(initial[:-1]), []
    for _ in range(length - 1):
        ways = best[:, None] + logs_of(A[:-1, :-1])
        back.append(np.argmax(ways, axis=0))
        best = ways.max(axis=0)
    path = [int(np.argmax(best))] if length else []
    for step in reversed(back):
        path.append(int(step[path[-1]]))
    return [labels[i] for i in reversed(path)]


def known_codes(entry: Known, labels: Vocabulary, label: str) -> np.ndarray:
    """Positions of known labels in a vocabulary, its length for those that are not there."""
    column: Any = entry.encoded(Labels(label)).column
    found = labels.positions(column.values.x)
    return np.where(found < 0, len(labels), found)[column.codes]


def shares(weights: np.ndarray) -> np.ndarray:
    """Columns divided by their sums; even where they are zero, as of rows that have no density."""
    total = weights.sum(axis=0)
    return np.where(total > 0, weights / np.where(total > 0, total, 1.0), 1.0 / len(weights))
