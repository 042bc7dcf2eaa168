"""Draws of the missing cells of a table from a mixture, parameters drawn with them: data augmentation (Tanner and Wong 1987).

Rows are a vector of coordinates y (numbers, and ordered labels as intervals of a coordinate) and labels c. In each of K components, labels
follow a network of tables, and `y | c ~ N(b + B c, S)`: regressions on which label each column has, with one covariance (the general
location model: Olkin and Tate 1961; in a mixture, Murray and Reiter 2016). Slopes, covariances and tables of a component are drawn towards
those of all components. What is drawn in turn: parameters, components of rows with all of their missing coordinates, missing labels,
missing coordinates one by one; each given all else.

Tables often hold columns that others determine, or nearly: a sum, a ratio. So nothing that is known beforehand may be as wide as a column
is: covariances are drawn towards what their precisions have in common, and intercepts hardly towards anything.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dmlcore.base.records import dataclass
from dmlcore.imputation.coordinates import drawn_within
from dmlcore.imputation.gaps import GivenSeen, groups_of, log_determinants
from dmlcore.imputation.network import Network

COMPONENTS_WEIGHT = 1.0  # of the Dirichlet law of the components' weights, all together: few of them are used
FAINT, AT_ZERO = 0.005, 1.0  # pseudo-observations of an intercept at the mean of all rows, and of a slope at zero
SHARED = 30.0  # of a slope at that of all components
TIED = 2.0  # pseudo-observations of a covariance at that of all components, for each coordinate
RIDGE = 2.0  # of that at one without correlation
DETERMINED = 1e-10  # variance of a coordinate that others determine
ALONE, SPREAD, LOOKS = 10, 20, (5, 30, 60)  # sweeps until rows are spread over components; and at which parents of labels are chosen
JOINTLY = 3  # of so many sweeps, one draws all that is gone of a row at once
ROUNDS = 8  # of k-means, that spreads them


@dataclass(frozen=True)
class KnownCells:
    """What is known of a table's cells.

    y: coordinates `(n, d)`, NaN where they are drawn, between `low` and `high` `(n, d)`. c: labels as whole numbers `(n, L)`, -1 where
    missing; sizes: how many each of them may be. gone `(n, d)`: of which coordinates nothing is known but what is so of the whole column.
    """

    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    gone: np.ndarray
    c: np.ndarray
    sizes: list[int]


class AugmentationChain:
    """A chain of draws. `sweep` makes the next; y `(n, d)` and c `(n, L)` are then the completed table.

    open_y, open_c: the rows of each column that are drawn.
    """

    def __init__(self, cells: KnownCells, components: int, rng: np.random.Generator):
        self.cells, self.K, self.rng = cells, components, rng
        (self.n, self.d), self.L = cells.y.shape, cells.c.shape[1]
        self.open_y = [np.flatnonzero(np.isnan(column)) for column in cells.y.T]
        self.open_c = [np.flatnonzero(column < 0) for column in cells.c.T]
        self.bounded = [bool((cells.low[o, j] > -np.inf).any() or (cells.high[o, j] < np.inf).any()) for j, o in enumerate(self.open_y)]
        self.y, self.c = cells.y.copy(), cells.c.copy()
        for j, rows in enumerate(self.open_y):
            known = np.delete(cells.y[:, j], rows)
            low, high = cells.low[rows, j], cells.high[rows, j]
            free = drawn_within(np.zeros(len(rows)), np.ones(len(rows)), low, high, rng)
            self.y[rows, j] = rng.choice(known, len(rows)) if len(known) else free
        for column, rows in enumerate(self.open_c):
            self.c[rows, column] = rng.choice(np.delete(cells.c[:, column], rows), len(rows))
        self.network = Network(cells.sizes, components)
        self.first = np.cumsum([1, *(size - 1 for size in cells.sizes)])  # of the columns of the design that stand for a column of labels
        self.x = self._design()
        self.of = np.zeros(self.n, dtype=np.intp)
        self.slopes = np.zeros((self.K, self.x.shape[1], self.d))
        self.precisions = np.tile(np.eye(self.d), (self.K, 1, 1))
        self.log_weights = np.zeros(self.K)
        self.groups = groups_of(cells.gone)
        self.apart = self.y
        self.sweeps = 0

    def _design(self) -> np.ndarray:
        """One, and for each label but the first of its column whether a row has it `(n, p)`."""
        x = np.zeros((self.n, int(self.first[-1])))
        x[:, 0] = 1
        for first, codes in zip(self.first.tolist(), self.c.T, strict=False):
            rows = np.flatnonzero(codes)
            x[rows, first + codes[rows] - 1] = 1
        return x

    def sweep(self) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
        """Draws everything once. Gives the laws from which cells were drawn: `("label", column, scores, scores)`, whose exponentials are
        probabilities up to a factor `(m, labels)`, and `("number", j, mean, sd)` of coordinates before their bounds."""
        if self.sweeps in LOOKS and self.L > 1:
            self.network.learn(self.c)
        if self.sweeps == SPREAD and self.K > 1:
            self._spread()
        self.sweeps += 1
        self._draw_parameters()
        moving = self.K > 1 and self.sweeps > SPREAD
        if moving:
            self._draw_components()
        if self.d and self.sweeps % JOINTLY == 0:
            self._draw_gone(moving)
        self.apart = self._residuals()
        for column in range(self.L):
            if len(self.open_c[column]):
                scores = self._draw_labels(column)
                yield "label", column, scores, scores
        if self.L:
            self.x = self._design()
        for j in range(self.d):
            if len(self.open_y[j]):
                yield "number", j, *self._draw_coordinates(j)

    # -- parameters ----------------------------------------------------------------------------------------------------

    def _draw_parameters(self) -> None:
        rng, p = self.rng, self.x.shape[1]
        rows = [np.flatnonzero(self.of == k) for k in range(self.K)]
        counts = np.array(list(map(len, rows)))
        with np.errstate(divide="ignore"):
            self.log_weights = np.log(rng.dirichlet(counts + COMPONENTS_WEIGHT / self.K))
        self.network.draw(self.c, self.of, rng)
        if not self.d:
            return
        prior, strength = self._common_slopes(rows, counts), np.full(p, AT_ZERO if self.K == 1 else SHARED)
        strength[0], prior[0] = FAINT, self.y.mean(axis=0)
        xs, ys = [self.x[own] for own in rows], [self.y[own] for own in rows]
        grams = np.array([x.T @ x for x in xs]) + np.diag(strength)
        means = np.linalg.solve(grams, np.array([x.T @ y for x, y in zip(xs, ys, strict=True)]) + strength[:, None] * prior)
        left, shifts = [y - x @ mean for x, y, mean in zip(xs, ys, means, strict=True)], means - prior
        squares = np.array([each.T @ each for each in left]) + shifts.swapaxes(1, 2) @ (strength[:, None] * shifts)
        tied, target = self._common_covariance()
        freedom = counts + self.d + 1 + tied
        roots = self._wishart_roots(squares + tied * target + freedom[:, None, None] * (DETERMINED * np.eye(self.d)), freedom)
        self.precisions = roots @ roots.swapaxes(1, 2)
        noise = rng.standard_normal((self.K, p, self.d))
        self.slopes = means + np.linalg.solve(np.linalg.cholesky(grams).swapaxes(1, 2), noise) @ np.linalg.inv(roots)

    def _common_covariance(self) -> tuple[float, np.ndarray]:
        """A draw of what covariances of components are drawn towards, and by how many observations. Of one component, variances; these
        follow what is left of each coordinate given the others (Huang and Wand 2013), so that coordinates that nearly determine each
        other stay so."""
        if self.K == 1:
            shape, rate = (self.d + 1 + RIDGE) / 2 + 1, 1 + RIDGE * np.diag(self.precisions[0]) / 2
            return RIDGE, np.diag(self.rng.standard_gamma(shape, self.d) / rate)
        tied = TIED * self.d
        freedom = np.array([self.K * (self.d + 1 + tied) + self.d + 1])
        [root] = self._wishart_roots(tied * self.precisions.sum(axis=0)[None] + RIDGE * np.eye(self.d), freedom)
        return tied, root @ root.T

    def _common_slopes(self, rows: list[np.ndarray], counts: np.ndarray) -> np.ndarray:
        """A draw of what the slopes of components are drawn towards, whose intercepts are their own `(p, d)`; zero for one component."""
        p = self.x.shape[1]
        out = np.zeros((p, self.d))
        if self.K == 1 or p == 1:
            return out
        gram, cross = AT_ZERO * np.eye(p - 1), np.zeros((p - 1, self.d))
        for own in rows:
            if len(own):
                x = self.x[own, 1:] - self.x[own, 1:].mean(axis=0)
                gram, cross = gram + x.T @ x, cross + x.T @ self.y[own]
        covariance = np.tensordot(counts / self.n, np.linalg.inv(self.precisions), 1)
        noise = self.rng.standard_normal((p - 1, self.d)) @ np.linalg.cholesky(covariance).T
        out[1:] = np.linalg.solve(gram, cross) + np.linalg.solve(np.linalg.cholesky(gram).T, noise)
        return out

    def _wishart_roots(self, scales: np.ndarray, freedom: np.ndarray) -> np.ndarray:
        """Roots of precisions from their Wishart laws, by Bartlett's decomposition. scales `(K, d, d)`, freedom `(K,)`."""
        lower = np.tril(self.rng.standard_normal(scales.shape), -1)
        places = np.arange(self.d)
        lower[:, places, places] = np.sqrt(self.rng.chisquare(freedom[:, None] - places))
        return np.linalg.solve(np.linalg.cholesky(scales).swapaxes(1, 2), lower)

    # -- components ----------------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        """Rows over components, by k-means of their coordinates and labels."""
        points = np.hstack([self.y, *(np.eye(size)[codes] for size, codes in zip(self.cells.sizes, self.c.T, strict=True))])
        centres = points[self.rng.choice(self.n, 1)]
        while len(centres) < self.K:
            nearest = self._squares(points, centres).min(axis=1)
            share = nearest / nearest.sum() if nearest.sum() > 0 else None
            centres = np.vstack([centres, points[self.rng.choice(self.n, p=share)]])
        for _ in range(ROUNDS):
            self.of = self._squares(points, centres).argmin(axis=1)
            centres = np.array([points[self.of == k].mean(axis=0) if (self.of == k).any() else centres[k] for k in range(self.K)])

    @staticmethod
    def _squares(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
        """Squared distances up to what is the same for all centres, and not below zero `(n, K)`."""
        return np.maximum((points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1), 0.0)

    def _draw_components(self) -> None:
        log = self.log_weights + self.network.log_densities(self.c)
        if self.d:
            roots = np.linalg.cholesky(self.precisions)
            log += log_determinants(roots)
            for k, root in enumerate(roots):
                apart = (self.y - self.x @ self.slopes[k]) @ root
                log[:, k] -= 0.5 * np.einsum("nd,nd->n", apart, apart)
        self.of = self._chosen(log)

    def _draw_gone(self, moving: bool) -> None:
        """Draws all that is gone of a row at once, with its component, if rows are `moving`, given what is seen of the row: else they
        would hold each other fast. The law drawn from has no bounds; a row that would leave its bounds stays as it is, so that in the
        long run draws are from the law within them (Metropolis and Hastings)."""
        log = self.log_weights + self.network.log_densities(self.c)
        for group in self.groups:
            rows, at, gone = group.rows, group.at, group.gone
            laws = GivenSeen.under_each(self.precisions, group)
            means = [self.x[rows] @ slopes for slopes in self.slopes]
            apart = [self.y[rows] - mean for mean in means]
            for part in apart:
                part[gone] = 0.0
            of, new = self.of[rows], self.y[rows]
            if moving:
                of = self._chosen(log[rows] + np.column_stack([law.log_densities(part, at) for law, part in zip(laws, apart, strict=True)]))
            for k in np.unique(of).tolist():
                own = np.flatnonzero(of == k)
                places = own[:, None], gone[1][own]
                noise = self.rng.standard_normal(places[1].shape)
                new[places] = means[k][places] + laws[k].expected(apart[k][own], at[own], noise)
            inside = ((new >= self.cells.low[rows]) & (new <= self.cells.high[rows]))[gone].all(axis=1)
            self.y[rows[inside]], self.of[rows[inside]] = new[inside], of[inside]

    def _chosen(self, log: np.ndarray) -> np.ndarray:
        """A choice for each row, with probabilities up to a factor by their logarithms."""
        return (log + self.rng.gumbel(size=log.shape)).argmax(axis=1)

    # -- cells ---------------------------------------------------------------------------------------------------------

    def _residuals(self) -> np.ndarray:
        apart = self.y.copy()
        for k in range(self.K):
            rows = np.flatnonzero(self.of == k)
            apart[rows] -= self.x[rows] @ self.slopes[k]
        return apart

    def _draw_labels(self, column: int) -> np.ndarray:
        """Draws missing labels given what is known of the coordinates, and moves the missing ones along with their mean, so that
        neither holds the other fast; keeps the residuals true."""
        rows, first, size = self.open_c[column], self.first[column], self.cells.sizes[column]
        of, old, gone = self.of[rows], self.c[rows, column], self.cells.gone[rows]
        shifts = np.concatenate([np.zeros((self.K, 1, self.d)), self.slopes[:, first : first + size - 1]], axis=1)
        covariances = np.linalg.inv(self.precisions)[of]
        seen = ~gone[:, :, None] & ~gone[:, None, :]
        weights = np.linalg.inv(covariances * seen + np.eye(self.d) * gone[:, :, None]) * seen
        without = self.apart[rows] + shifts[of, old]
        scores = self.network.of_each_label(column, self.c[rows], of)
        for k in np.unique(of).tolist():
            own = of == k
            weighed = weights[own] @ shifts[k].T
            scores[own] += np.einsum("md,mdl->ml", without[own], weighed) - 0.5 * np.einsum("ld,mdl->ml", shifts[k], weighed)
        scores -= scores.max(axis=1, keepdims=True)
        new = self._chosen(scores)
        step = (shifts[of, new] - shifts[of, old])[:, :, None]
        along = gone * (step - covariances @ (weights @ step))[:, :, 0]
        moved = np.where(gone, np.clip(self.y[rows] + along, self.cells.low[rows], self.cells.high[rows]), self.y[rows])
        self.apart[rows] = without - shifts[of, new] + moved - self.y[rows]
        self.y[rows], self.c[rows, column] = moved, new
        return scores

    def law_of(self, j: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of a coordinate of rows given the others."""
        precision = self.precisions[self.of[rows], j]
        own = precision[:, j]
        return self.y[rows, j] - (precision * self.apart[rows]).sum(axis=1) / own, 1 / np.sqrt(own)

    def _draw_coordinates(self, j: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.open_y[j]
        mean, sd = self.law_of(j, rows)
        if self.bounded[j]:
            new = drawn_within(mean, sd, self.cells.low[rows, j], self.cells.high[rows, j], self.rng)
        else:
            new = mean + sd * self.rng.standard_normal(len(rows))
        self.apart[rows, j] += new - self.y[rows, j]
        self.y[rows, j] = new
        return mean, sd
