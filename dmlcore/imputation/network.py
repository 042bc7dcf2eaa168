"""The joint law of labels in each component: every column given at most two others, as a table."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_PARENTS = 2
CELLS_PER_ROW = 0.5  # entries of a table, for each row of data, at most
COMMON = 5.0  # pseudo-observations of the table of all components in that of one
LEAST_PROBABILITY = 1e-12  # probability


class Network:
    """The laws of columns of labels in K components: `p(c_l | c_parents, component)`, tables drawn from their posterior.

    sizes: how many labels each column has. parents: of each column, others. logs: of each column log probabilities
    `(K, what parents hold, labels)`.
    """

    def __init__(self, sizes: list[int], components: int):
        self.sizes, self.components = sizes, components
        self.parents: list[tuple[int, ...]] = [()] * len(sizes)
        self.logs: list[np.ndarray] = []

    def learn(self, codes: np.ndarray) -> None:
        """Chooses the parents, column by column, from those before it: the ones that help most by BIC, halved as of tables that shrink.

        The next column is always that which its parents help most; the first one that with most labels.
        """
        order: list[int] = []
        chosen: dict[int, tuple[int, ...]] = {}
        while len(order) < len(self.sizes):
            tried = []
            for column in set(range(len(self.sizes))) - set(order):
                gain, parents = self._best_parents(column, order, codes)
                tried.append((gain, -self.sizes[column] if order else self.sizes[column], -column, parents))
            _, _, found, parents = max(tried)
            chosen[-found] = parents
            order.append(-found)
        self.parents = [chosen[column] for column in range(len(self.sizes))]

    def _best_parents(self, column: int, before: list[int], codes: np.ndarray) -> tuple[float, tuple[int, ...]]:
        alone = best = self._bic(column, (), codes)
        parents: tuple[int, ...] = ()
        while len(parents) < MOST_PARENTS:
            tried = [(self._bic(column, (*parents, other), codes), other) for other in before if other not in parents]
            if not tried or max(tried)[0] <= best:
                break
            best, other = max(tried)
            parents += (other,)
        return best - alone, parents

    def _bic(self, column: int, parents: tuple[int, ...], codes: np.ndarray) -> float:
        if parents and self._held(parents) * self.sizes[column] > CELLS_PER_ROW * len(codes):
            return -np.inf
        counts = self._counts(column, parents, codes, np.zeros(len(codes), dtype=np.intp), 1)[0]
        seen = counts.sum(axis=1, keepdims=True)
        log = (counts * np.log(np.where(counts > 0, counts, 1.0) / np.maximum(seen, 1.0))).sum()
        return float(log - 0.25 * np.log(len(codes)) * (seen > 0).sum() * (self.sizes[column] - 1))

    def _held(self, parents: tuple[int, ...]) -> int:
        return int(np.prod([self.sizes[other] for other in parents], dtype=np.intp))

    def _place(self, parents: tuple[int, ...], codes: np.ndarray) -> Any:
        """What the parents hold, as one number `(n,)`."""
        return np.ravel_multi_index([codes[:, other] for other in parents], [self.sizes[other] for other in parents]) if parents else 0

    def _counts(self, column: int, parents: tuple[int, ...], codes: np.ndarray, of: np.ndarray, components: int) -> np.ndarray:
        held, size = self._held(parents), self.sizes[column]
        flat = (of * held + self._place(parents, codes)) * size + codes[:, column]
        return np.bincount(flat, minlength=components * held * size).reshape(components, held, size).astype(np.float64)

    def draw(self, codes: np.ndarray, of: np.ndarray, rng: np.random.Generator) -> None:
        """Draws tables given the labels of all rows, and which component each row is of `(n,)`."""
        self.logs = []
        for column, parents in enumerate(self.parents):
            counts = self._counts(column, parents, codes, of, self.components)
            whole = counts.sum(axis=0)
            margin = (whole.sum(axis=0) + 1) / (whole.sum() + whole.shape[1])
            shared = (whole + margin) / (whole.sum(axis=1, keepdims=True) + 1)
            drawn = rng.standard_gamma(counts + (COMMON * shared if self.components > 1 else margin))
            self.logs.append(np.log(np.maximum(drawn / np.maximum(drawn.sum(axis=2, keepdims=True), LEAST_PROBABILITY), LEAST_PROBABILITY)))

    def log_densities(self, codes: np.ndarray) -> np.ndarray:
        """Of the labels of rows in each component `(n, K)`."""
        parts = [
            log[:, self._place(parents, codes), codes[:, column]]
            for column, (parents, log) in enumerate(zip(self.parents, self.logs, strict=True))
        ]
        return np.sum(parts, axis=0).T if parts else np.zeros((len(codes), self.components))

    def of_each_label(self, column: int, codes: np.ndarray, of: np.ndarray) -> np.ndarray:
        """Log densities of the labels of rows in their components, with each label of a column in place of its own `(n, labels)`."""
        out, tried = np.zeros((len(codes), self.sizes[column])), codes.copy()
        touched = [other for other, parents in enumerate(self.parents) if other == column or column in parents]
        for label in range(self.sizes[column]):
            tried[:, column] = label
            for other in touched:
                out[:, label] += self.logs[other][of, self._place(self.parents[other], tried), tried[:, other]]
        return out
