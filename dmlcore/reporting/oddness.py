"""Which rows are least and most typical, and which cells make a row odd."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from dmlcore.inference.surprise import CELL_ROWS, cell_surprise
from dmlcore.reporting.subject import Subject


class Oddness:
    """Rows by their log density, above the usual; cells by their surprise, minus the log density of the cell given the rest of its row.

    As units differ between columns, what counts is `excess`: by how many nats a cell is more surprising than cells of its column are on
    average.
    """

    def __init__(self, subject: Subject):
        self.subject = subject
        self.order = np.argsort(self.above_usual, kind="stable")

    @cached_property
    def above_usual(self) -> np.ndarray:
        """Log density of each row less what it is on average, `(n,)`. Rows that lack cells have fewer factors: so the average is a linear
        function of which cells are missing, fitted by least squares."""
        log = self.subject.log_density
        finite = np.isfinite(log)
        gaps = [gone.astype(np.float64) for gone in self.subject.missing if gone.any()]
        terms = np.array([np.ones(len(log)), *gaps]).T
        usual = terms @ np.linalg.lstsq(terms[finite], log[finite], rcond=None)[0] if finite.any() else 0.0
        return np.asarray(log - usual)

    @cached_property
    def usual(self) -> np.ndarray:
        """The mean surprise of each column, over rows that are possible."""
        subject = self.subject
        rows = np.unique(np.linspace(0, subject.n - 1, min(subject.n, CELL_ROWS)).astype(np.intp))
        rows = rows[np.isfinite(subject.log_density[rows])]
        return cell_surprise(self.subject, rows).mean(axis=0) if len(rows) else np.zeros(len(subject.names))

    def excess(self, rows: np.ndarray) -> np.ndarray:
        """How much more surprising each cell of some rows is than its column usually is, in nats, `(rows, columns)`."""
        return cell_surprise(self.subject, rows) - self.usual
