"""Vectors any of whose coordinates may be missing, and what a Gaussian law says of those from the others."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dmlcore.base.errors import BadValue
from dmlcore.base.marks import is_missing, missing_among
from dmlcore.base.numerics import HALF_LOG_2PI, joined
from dmlcore.base.support import Support
from dmlcore.core.statistics import Node, Scatter
from dmlcore.data.columns import Values
from dmlcore.data.layouts import Layout, Vector
from dmlcore.data.values import cells_inside, is_listed, matrix
from dmlcore.stats.multivariate.vectors import check_dimension

BATCH = 1 << 18  # numbers in the Cholesky factors of one batch


class Gapped(Values):
    """Vectors `(n, d)` with NaN where a coordinate is missing. `pattern` `(n,)` numbers the rows of `patterns` `(P, d)`, True where known.

    complete: whether all coordinates of all rows are known and finite. centre, spread: mean and variance of each coordinate `(d,)`.
    """

    def __init__(self, x: np.ndarray, pattern: np.ndarray, patterns: np.ndarray, complete: bool, centre: np.ndarray, spread: np.ndarray):
        super().__init__(x)
        self.pattern, self.patterns, self.complete, self.centre, self.spread = pattern, patterns, complete, centre, spread

    @classmethod
    def of(cls, x: np.ndarray) -> Gapped:
        """The column of vectors `(n, d)` with NaN where a coordinate is missing."""
        known, finite = ~np.isnan(x), np.isfinite(x)
        patterns, pattern = np.unique(known, axis=0, return_inverse=True) if len(x) else (known, np.zeros(0, dtype=np.intp))
        count, there = np.maximum(finite.sum(axis=0), 1), np.where(finite, x, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            centre = there.sum(axis=0) / count
            spread = (np.where(finite, there - centre, 0.0) ** 2).sum(axis=0) / count
        return cls(x, pattern.ravel(), patterns, bool(finite.all()), centre, spread)

    def slice(self, start: int, stop: int) -> Gapped:
        return Gapped(self.x[start:stop], self.pattern[start:stop], self.patterns, self.complete, self.centre, self.spread)

    def take(self, rows: np.ndarray) -> Gapped:
        x = np.asfortranarray(self.x[rows])
        return Gapped(x, self.pattern[rows], self.patterns, self.complete, self.centre, self.spread)

    @cached_property
    def batches(self) -> list[Batch]:
        """The rows in batches of bounded size, those of one pattern together."""
        found, pattern = np.unique(self.pattern, return_inverse=True)
        counts = self.patterns[found].sum(axis=1)
        rank = np.empty(len(found), dtype=np.intp)
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(found))
        pattern = rank[pattern]  # the fullest patterns first
        rows = np.argsort(pattern, kind="stable")
        known = self.patterns[found][np.argsort(rank)]
        size = max(BATCH // known.shape[1] ** 2, 1)
        begins = range(0, len(found), size)
        ends = np.searchsorted(pattern[rows], [begin + size for begin in begins])
        each = np.split(rows, ends[:-1])
        return [Batch(self.x, known[begin : begin + size], own, pattern[own] - begin) for begin, own in zip(begins, each, strict=True)]


class Batch:
    """Rows `(n,)` that show some of P patterns, and what is the same for all laws of them.

    order: the coordinates of each pattern, the known ones first, `(P, d)`. known: which places of that order are known, `(P, d)`.
    least: how many all patterns know. Rows stand in tiles of one pattern each, `of` `(Q,)`: row i at `slot[i]` of all places in tiles.
    values: `(Q, d, width)` in the order of each pattern, 0 where missing; gaps: where those are, there and among the vectors.
    """

    def __init__(self, x: np.ndarray, known: np.ndarray, rows: np.ndarray, pattern: np.ndarray):
        self.rows, self.pattern = rows, pattern
        self.order = np.argsort(~known, axis=1, kind="stable")
        self.known = np.take_along_axis(known, self.order, axis=1)
        self.least = int(known.sum(axis=1).min())
        counts = np.bincount(pattern, minlength=len(known))
        width = -(-len(rows) // len(known))
        tiles = -(-counts // width)
        self.of = np.repeat(np.arange(len(known)), tiles)
        before = (np.cumsum(tiles) - tiles) * width - (np.cumsum(counts) - counts)  # of places in tiles, and of rows
        self.slot = np.arange(len(rows)) + before[pattern]
        i, place = np.nonzero(~self.known[pattern])
        tile, at = np.divmod(self.slot[i], width)
        self.gaps = (tile, place, at), (rows[i], self.order[pattern[i], place])
        values = np.zeros((len(self.of) * width, x.shape[1]))
        values[self.slot] = x[rows[:, None], self.order[pattern]]
        self.values = np.ascontiguousarray(values.reshape(len(self.of), width, -1).transpose(0, 2, 1))
        self.values[self.gaps[0]] = 0.0

    def factors(self, covar: np.ndarray) -> np.ndarray:
        """Cholesky factors of a covariance with each pattern's known coordinates first, `(P, d, d)`."""
        return np.linalg.cholesky(covar[self.order[:, :, None], self.order[:, None, :]])

    def regressed(self, mu: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Known coordinates about their mean, whitened, and what they predict of the others about theirs: `(Q, d, width)`."""
        apart = self.values - np.where(self.known, mu[self.order], 0.0)[self.of, :, None]
        if apart.shape[2] > apart.shape[1]:  # rows enough to share the solution for all right-hand sides
            unit = np.broadcast_to(np.eye(len(mu)), factors.shape)
            return substituted(factors, self.known, unit)[self.of] @ apart
        return substituted(factors[self.of], self.known[self.of], apart)

    def left(self, factors: np.ndarray) -> np.ndarray:
        """Covariances of the coordinates from `least` on, given the known ones, which have none: `(P, m, m)`."""
        inner = factors[:, self.least :, self.least :] * ~self.known[:, None, self.least :]
        return inner @ inner.transpose(0, 2, 1)

    def added(self, covariances: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The sum `(d, d)` over rows of weight times what `left` gives of their pattern."""
        d = self.order.shape[1]
        where = self.order[:, self.least :]
        total = np.bincount(self.pattern, weights[self.rows], len(self.order))
        places = where[:, :, None] * d + where[:, None, :]
        return np.bincount(places.ravel(), (total[:, None, None] * covariances).ravel(), d * d).reshape(d, d)


def substituted(factors: np.ndarray, known: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Forward substitution in known places `(P, d)`, the first ones; in others what the solution so far predicts. `(P, d, n)`.

    With lower triangular factors L `(P, d, d)` and deviations r, the known part is `L11^-1 r1`, the other `L21 L11^-1 r1`.
    """
    L, right = (np.ascontiguousarray(part.transpose(1, 2, 0)) for part in (factors, apart))  # patterns last: they are many
    white, out = np.zeros(right.shape), np.empty(right.shape)
    for j, there in enumerate(known.T):
        predicted = np.einsum("ip,inp->np", L[j, :j], white[:j])
        white[j] = np.where(there, (right[j] - predicted) / L[j, j], 0.0)
        out[j] = np.where(there, white[j], predicted)
    return out.transpose(2, 0, 1)


class PartialVector(Vector):
    """A vector of `dim` reals, each of which may be missing, or all of them: a mark in place of the vector."""

    @property
    def takes_missing(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartialVector) and Vector.__eq__(self, other)

    __hash__ = Vector.__hash__

    def encode(self, values: Any) -> Gapped:
        values = cells_inside(values)
        x: Any = matrix(values)
        if x is None:
            x = self._with_gaps(values)
        if self.dim is not None and len(x) and x.shape[1] != self.dim:
            raise self.bad(0, x[0].tolist(), f"vectors of {self.dim} real numbers")
        return Gapped.of(x)

    def _with_gaps(self, values: Any) -> np.ndarray:
        """Vectors from lists, some of whose entries are marks."""
        absent = missing_among(values)
        filled = [[0.0 if is_missing(v) else v for v in row] if is_listed(row) else row for row in values]
        dim = self.dim or next((len(row) for row in filled if isinstance(row, list)), None)
        if dim is not None:
            filled = [[0.0] * dim if gone else row for row, gone in zip(filled, absent.tolist(), strict=True)]
        try:
            inner: Any = Vector(self.label, self.dim).encode(filled)
        except BadValue as error:
            error.value = values[error.index]  # as it is, with its gaps
            raise
        x = np.array(inner.x, order="F")
        for i, row in enumerate(values):
            x[i, slice(None) if absent[i] else [is_missing(v) for v in row]] = np.nan
        return x


class FiniteWhereKnown(Support):
    """Vectors whose coordinates are finite, but for those that are missing."""

    def contains(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(~np.isinf(x).any(axis=1))

    def covers(self, column: Any) -> bool:
        return not np.isinf(column.x).any()


def conditional_moments(column: Gapped, mu: np.ndarray, covar: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Log densities, vectors with missing coordinates at their conditional mean, and the conditional covariances of each batch.

    From the Cholesky factor of the covariance with the known coordinates first (Little and Rubin 2002, section 11.2).
    """
    log, x, left = np.zeros(len(column)), column.x.copy(order="F"), []
    for batch in column.batches:
        factors = batch.factors(covar)
        logs = HALF_LOG_2PI + np.log(np.diagonal(factors, axis1=1, axis2=2))
        with np.errstate(invalid="ignore", over="ignore"):
            out = batch.regressed(mu, factors)
            squares = np.einsum("qdw,qdw,qd->qw", out, out, batch.known[batch.of].astype(np.float64)).ravel()[batch.slot]
        own = -0.5 * squares - np.where(batch.known, logs, 0.0).sum(axis=1)[batch.pattern]
        log[batch.rows] = np.where(np.isnan(own), -np.inf, own)
        tiled, among = batch.gaps
        x[among] = mu[among[1]] + out[tiled]
        left.append(batch.left(factors))
    x[log == -np.inf] = mu  # such rows can take part with weight zero only
    return log, x, left


class WithGaps:
    """What makes the law of a Gaussian vector one of vectors any of whose coordinates may be missing: the law of those that are known."""

    support: ClassVar[Any] = FiniteWhereKnown("finite real numbers where they are known")

    @cached_property
    def layout(self: Any) -> Layout:
        """Vectors with gaps."""
        return PartialVector(self.label, self.dim)

    def forward(self: Any, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        """Log densities of what is known, and the vectors with what is expected of the rest."""
        check_dimension(column.x, self.dim, self.label)
        if column.complete:
            with np.errstate(over="ignore"):
                return self.log_densities(column.x), (column, None)
        places = [conditional_moments(column, mu, covar) for mu, covar in zip(joined(self.mu), joined(self.covar, 2), strict=True)]
        log = np.array([log for log, _, _ in places]).reshape(*self.batch, len(column))
        return log, (column, [(x, left) for _, x, left in places])


class FromGaps:
    """What makes an estimator of a Gaussian vector one from vectors any of whose coordinates may be missing: its statistics become expected
    ones, with missing coordinates at their conditional mean, and their conditional covariance added to the scatter (Dempster, Laird and
    Rubin 1977, section 4.1)."""

    @cached_property
    def layout(self: Any) -> Layout:
        """Vectors with gaps."""
        return PartialVector(self.label, self.dim)

    def with_gaps(self, allow: Any) -> Any:
        """Itself."""
        return self

    def open(self, column: Any, open: Any) -> Any:
        """Before there is a law, coordinates stand at their own mean, with their own variance."""
        if column.complete:
            return column, None
        open.shares(1, len(column))  # what is missing is latent
        x = np.where(np.isfinite(column.x), column.x, column.centre)
        each = [np.where(b.known, 0.0, column.spread[b.order])[:, b.least :] for b in column.batches]
        place = x, [spread[:, :, None] * np.eye(spread.shape[1]) for spread in each]
        return column, [place] * math.prod(open.batch)

    def backward(self: Any, tape: Any, weights: np.ndarray, send: Any) -> Node:
        """Expected moments."""
        column, places = tape
        if places is None:
            return Node(self.statistics(column.x, weights))
        parts = [self._expected(column, x, left, w) for (x, left), w in zip(places, joined(weights), strict=True)]
        return Node(Scatter.together(parts, weights.shape[:-1]))

    def _expected(self: Any, column: Gapped, x: np.ndarray, left: list[np.ndarray], weights: np.ndarray) -> Scatter:
        own = self.statistics(x, weights)
        more = sum(batch.added(covariances, weights) for batch, covariances in zip(column.batches, left, strict=True))
        return Scatter(own.count, own.mean, own.m2 + more)
