"""Which rows are least and most typical, and which cells make a row odd."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from dmlcore.inference.surprise import cell_excess, shapes_of, usual_cells, usual_log_density
from dmlcore.reporting.subject import Subject


class Oddness:
    """Rows by their log density, above that of rows of their shape; cells by their surprise, minus the log density of the cell given the
    rest of its row.

    As units differ between columns, what counts is `excess`: by how many nats a cell is more surprising than cells of its column are on
    average.
    """

    def __init__(self, subject: Subject):
        self.subject = subject
        self.order = np.argsort(self.above_usual, kind="stable")

    @cached_property
    def above_usual(self) -> np.ndarray:
        """Log density of each row less what it is on average in rows that have the same cells, and lists as long, `(n,)`."""
        log, shapes = self.subject.log_density, shapes_of(self.subject)
        return np.asarray(log - usual_log_density(log, shapes).of(shapes))

    def excess(self, rows: np.ndarray) -> np.ndarray:
        """How much more surprising each cell of some rows is than its column usually is, in nats, `(rows, columns)`."""
        return cell_excess(self.subject, rows, usual_cells(self.subject))
