"""A label whose probabilities differ from row to row."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.labels import LabelMap, Vocabulary
from dmlcore.core.rowlaws import Atom
from dmlcore.stats.univariate.categorical import CategoricalDistribution


class RowLabels(Atom):
    """A label, with probabilities `(labels, n)`."""

    def __init__(self, labels: Vocabulary, p: np.ndarray):
        self.labels, self.p = labels, p

    def at(self, rows: np.ndarray) -> RowLabels:
        return RowLabels(self.labels, self.p[:, rows])

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        return [(1.0, (CategoricalDistribution(LabelMap(self.labels, self.p[:, row].copy())),))]

    def table(self) -> tuple[Vocabulary, np.ndarray]:
        """All labels, and the probability of each in each row, `(labels, n)`."""
        return self.labels, self.p

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        return [[self.labels[i] for i in drawn_codes(self.p[:, rows], rng).tolist()]]


def drawn_codes(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One position drawn from each column of weights `(labels, n)`."""
    reached = np.cumsum(weights, axis=0)
    places = (reached <= rng.random(weights.shape[1]) * reached[-1]).sum(axis=0)
    return np.minimum(places, len(weights) - 1)
