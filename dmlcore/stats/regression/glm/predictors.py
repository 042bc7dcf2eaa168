"""One block as a regression reads it: covariates, response, trials, offset; and the linear predictor.

One observation is `(x, y)`, x a vector of p covariates (the bare number will do where p = 1) and y the response; with `trials` it is
`(x, y, trials)`, and with `offset` the known part of the linear predictor comes last.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.data.columns import Distinct
from dmlcore.data.layouts import Count, Layout, Real
from dmlcore.data.record_layouts import Explained
from dmlcore.kernels.codes import gather
from dmlcore.stats.multivariate.vectors import check_dimension

AMID = 9  # rows that say where the middle of a block is
NEARER = 1e8  # times nearer to zero than the middle: numbers that would lose half of their digits about it


class Rows:
    """One block as a regression reads it: `x` `(n, p)`, the response's distinct `values` and the `codes` of rows into them (None: as
    they are), `offset` and `trials` (0 and 1 without), and which rows the response's law can have produced (`inside`; None: all)."""

    def __init__(self, node: Any, column: Any):
        x, response, *rest = column.fields
        self.n, self.x = len(column), x.x
        table: Any = response.values if type(response) is Distinct else response
        self.codes: Any = response.codes if type(response) is Distinct else None
        self.values: Any = table.x
        self.offset: Any = rest[-1].x if node.offset else 0.0
        self.trials: Any = as_floats(rest[0]) if node.has_trials else 1.0
        self.inside: np.ndarray | None = None
        if isinstance(self.values, np.ndarray):
            self.values = self.values.astype(np.float64)
            self._fence(node.support, table)

    def _fence(self, support: Any, table: Any) -> None:
        """Puts a harmless value where the response is impossible."""
        inside = None
        if not support.covers(table):
            inside = support.contains(table.x)
            self.values = np.where(inside, self.values, 1.0 if support.contains(np.ones(1))[0] else 0.5)
            inside = inside if self.codes is None else inside[self.codes]
        if isinstance(self.trials, np.ndarray) and self.n:
            y = self.of(self.values)
            possible = y <= self.trials
            if not possible.all():
                inside = possible if inside is None else inside & possible
                self.values, self.codes = np.where(possible, y, 0.0), None
                self.trials = np.maximum(self.trials, 0.0)
        self.inside = inside

    def of(self, table: np.ndarray) -> np.ndarray:
        """Numbers of the distinct values, per row: `(.., n)` from `(.., values)`."""
        if self.codes is None:
            return table
        return gather(table, self.codes) if table.ndim == 1 else table[..., self.codes]

    def with_responses(self, y: np.ndarray) -> Rows:
        """The same rows with other responses `(n,)`, which are possible ones."""
        out = copy(self)
        out.values, out.codes, out.inside, out.y = y, None, None, y
        return out

    @cached_property
    def y(self) -> np.ndarray:
        """The response `(n,)`."""
        return self.of(self.values)

    @cached_property
    def centre(self) -> np.ndarray:
        """A point amid the covariates, about which sums are taken."""
        return amid(self.x)

    @cached_property
    def apart(self) -> np.ndarray:
        """Covariates about `centre`, `(p, n)`."""
        return self.x.T - self.centre[:, None]

    def bar(self, logs: np.ndarray) -> np.ndarray:
        """Log densities `(.., n)` with -inf where the response is impossible."""
        if self.inside is not None:
            logs[..., ~self.inside] = -np.inf
        return logs

    def admit(self, weights: np.ndarray) -> np.ndarray:
        """Weights `(.., n)` with 0 where the response is impossible."""
        return weights if self.inside is None else weights * self.inside


def amid(x: np.ndarray) -> np.ndarray:
    """A point amid covariates `(n, p)`: in each column the median of a few rows, so that a row far away costs the others no digits; or,
    where many rows are far away, one of the others."""
    if not len(x):
        return np.zeros(x.shape[1])
    few = x if len(x) <= AMID else x[np.linspace(0, len(x) - 1, AMID).astype(np.intp)]
    middle, near = np.sort(few, axis=0)[len(few) // 2], np.sort(np.abs(few), axis=0)[len(few) // 4]
    return np.where(np.abs(middle) / NEARER > np.maximum(near, 1.0), near, middle)


def as_floats(column: Any) -> np.ndarray:
    """A column of numbers, row by row, as floats."""
    if type(column) is Distinct:
        table: Any = column.values
        return gather(table.x.astype(np.float64), column.codes)
    return column.x.astype(np.float64)


class Tape:
    """What the way back needs of one block: its rows, the law that was scored (None: none yet), and what it made of the rows."""

    __slots__ = ("law", "made", "rows")

    def __init__(self, rows: Rows, law: Any = None, made: Any = None):
        self.rows, self.law, self.made = rows, law, made


def row_layout(node: Any, covariates: Layout, response: Layout) -> Explained:
    """The layout of `(x, y)`, `(x, y, offset)`, `(x, y, trials)` or `(x, y, trials, offset)`."""
    more = ((Count(node.label),) if node.has_trials else ()) + ((Real(node.label, finite=True),) if node.offset else ())
    return Explained(node.label, (covariates, response, *more))


def predictors(law: Any, rows: Rows) -> np.ndarray:
    """Linear predictors `(.., n)`; summed about the block's centre, so that covariates far from zero lose no digits."""
    check_dimension(rows.x, law.coef.shape[-1], law.label)
    eta = law.coef @ rows.apart
    eta += at_centre(law.coef, 0.0 if law.intercept is None else law.intercept, rows.centre)[..., None]
    if law.offset:
        eta += rows.offset
    return eta


def at_centre(coef: np.ndarray, intercepts: Any, centre: np.ndarray) -> np.ndarray:
    """`intercepts + coef @ centre`, `(..)`, in extended precision: its terms may be large and cancel."""
    return np.asarray(np.asarray(intercepts, np.longdouble) + (coef * centre.astype(np.longdouble)).sum(axis=-1), dtype=np.float64)


def impossible_response(node: Any, x: Any) -> str | None:
    """Why one raw observation has density zero whatever the parameters, or None."""
    column: Any = node.layout.encode([x])
    rows = Rows(node, column)
    if rows.inside is None or rows.inside[0]:
        return None
    need = node.support.need if not node.has_trials else "whole numbers from 0 to the number of trials"
    return f"{node.label}: the response {x[1]!r} has density zero; it needs {need}"
