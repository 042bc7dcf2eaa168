"""The log likelihood around a model, as a function of its flat parameters, and its curvature there.

Everything is differenced row by row from the log densities under the model itself, so that sums of small differences are not
lost in a large log likelihood. Steps are taken in coordinates in which the curvature is about one, found by iteration: first one
scale per coordinate, then, where coordinates are strongly dependent (an intercept and the slope of a covariate far from zero),
rotated by the eigenvectors of the last estimate. In such coordinates a step of h standard errors costs h^2 / 2 nats.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from dmlcore.base.errors import DmlcoreError
from dmlcore.base.records import dataclass
from dmlcore.base.threads import map_in_order
from dmlcore.core.distribution import Distribution
from dmlcore.core.flat import Shape, flatten
from dmlcore.core.walk import DistinctCache, Forward
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.rows import RowBlock, WeightedRows

OFF = -1e300  # the gain of a point outside the domain of a family
TARGET = 1e-3  # nats by which a trial step in one coordinate, both ways, should lower the objective
MAX_TRIALS = 120  # most of them
LONGEST_WALK = 300.0  # beyond which a logarithm that costs nothing is not determined
LEAST_COST = 0.0025  # nats that a standard error costs at least, on either side: what is left to gain on the way to where FAINT is
WEAK_ERROR = 20.0  # standard error of a logarithm beyond which fewer than 0.0025 observations speak of it
LARGEST_STEP = 0.3  # standard errors
WELL = 1e3  # how far from one a curvature may lie for differences to lose nothing that matters
COMPARABLE = 0.1  # a curvature from which on the errors of others, where those are about one, do not matter
EXACT = 1e-3  # how far a curvature may be off when it is taken again, along its own axis
PASSES = 5  # most rotations
FLOOR = 1e-6  # least curvature that one pass resolves, where others are about one
UPWARD = 1e-5  # an upward curvature beyond this is no rounding
REACHES = (0.3, 1.0, 3.0)  # how far to look along directions that do not fall


@dataclass(frozen=True)
class Curvature:
    """The objective around a model: `-z'z / 2` at flat parameters `centre + root z`, so that `root root'` is the inverse information.

    root `(d, m)`. loose `(d, r)`: directions in which the objective does not fall, in units of the scales of single coordinates. step:
    of the differences, in standard errors. left: nats by which the objective could still rise, by Newton's method or along `loose`.
    """

    root: np.ndarray
    loose: np.ndarray
    step: float
    left: float


class Surface:
    """The objective (log likelihood, and log prior) of a problem near a model."""

    def __init__(self, problem: Problem, model: Distribution):
        self.problem, self.model = problem, model
        self.centre, self.shape = flatten(model), Shape(model)
        problem.log_likelihood(model)  # names a row that has density zero
        self.prior = problem.log_prior(model)
        rows = problem.rows
        self.base = [_log_densities(model, block) for block in rows.blocks] if rows.in_memory is rows else None
        self.count = problem.rows.weight

    def moved(self, shift: np.ndarray) -> Distribution:
        """The model with its flat parameters moved."""
        return self.shape.model(self.centre + shift)

    def gain(self, shift: np.ndarray) -> float:
        """By how much the objective at flat parameters `centre + shift` exceeds that at the centre; `OFF` outside the domain."""
        return float(self._gains([shift])[0])

    def gains(self, shifts: Sequence[np.ndarray]) -> np.ndarray:
        """`gain` of several shifts, by all threads of the problem; of rows in chunks, in one pass over these."""
        if self.base is None:
            return self._gains(shifts)
        return np.array(list(map_in_order(self.gain, shifts, self.problem.rows.threads)))

    def _gains(self, shifts: Sequence[np.ndarray]) -> np.ndarray:
        models, priors = zip(*map(self._at, shifts), strict=True)
        rises = self.problem.rows.total(partial(_rises, models, self.model, self.base))
        return np.array([total if total > OFF else OFF for total in priors + rises])  # a sum that is no number is not above

    def _at(self, shift: np.ndarray) -> tuple[Distribution | None, float]:
        """The model at a shift, and by how much its prior exceeds that of the centre; None outside the domain."""
        with np.errstate(all="ignore"):
            try:
                model = self.moved(shift)
                return model, float(self.problem.log_prior(model) - self.prior)
            except OFF_DOMAIN:
                return None, 0.0

    # -- scales and steps ------------------------------------------------------------------------------------------------

    def scale(self, i: int, bounded: bool) -> float:
        """How far coordinate i alone must move to cost half a nat, by the curvature at the centre; inf if it never does."""
        step = 1e-4 * (1.0 if bounded else max(1.0, abs(self.centre[i])))
        axis = np.eye(len(self.centre))[i]
        far = self.distance(axis, step, LONGEST_WALK if bounded else 1e200)
        return far if bounded or self.parabolic(axis, far) else np.inf

    def fall(self, shift: np.ndarray) -> float:
        """By how much the objective falls in all when parameters are moved both ways."""
        return -(self.gain(shift) + self.gain(-shift))

    def parabolic(self, axis: np.ndarray, far: float) -> bool:
        """Whether the objective falls as a standard error is gone along an axis, near the centre as from there on, and on both sides.

        Where labels are separated there is nothing to lose on one side, and on the other nothing for long, and then very much: what is seen
        at a distance is no curvature at the centre.
        """
        if far == np.inf or self.fall(0.01 * far * axis) < 0.5e-4:
            return False
        return max(self.gain(far * axis), self.gain(-far * axis)) < -LEAST_COST

    def distance(self, axis: np.ndarray, step: float, farthest: float) -> float:
        """How far to go along an axis, beginning with a step, to lose half a nat, as told by a loss of about `TARGET`; inf if never."""
        near, far = 0.0, np.inf
        for _ in range(MAX_TRIALS):
            fall = abs(self.fall(step * axis))
            if TARGET / 4 <= fall <= 4 * TARGET:
                return step / np.sqrt(fall)
            near, far = (step, far) if fall < TARGET else (near, step)
            if fall > -0.1 * OFF:
                step *= 0.03
            else:
                step *= float(np.clip(np.sqrt(TARGET / fall), 1e-200, 10.0)) if fall > 1e-2 * TARGET else 30.0
            if not near < step < far:
                step = np.sqrt(near) * np.sqrt(far)
            if step > farthest:
                return np.inf
        return np.inf

    def scales(self, free: np.ndarray, bounded: np.ndarray) -> np.ndarray:
        """`scale` of the free coordinates, `(d,)`; zero for the others. bounded: which are logarithms or log odds."""
        out = np.zeros(len(self.centre))
        out[free] = list(map_in_order(lambda i: self.scale(i, bounded[i]), free.tolist(), self.problem.rows.threads))
        return out

    def step(self, scales: np.ndarray) -> float:
        """A step, in standard errors, that balances rounding (of the objective, and of the parameters) against higher derivatives.

        The rounding of the objective is read off its third differences at points so near that it does not change otherwise (Hamming
        1971, section 6.4; More and Wild 2011); the fourth derivative, in units of standard errors, is of the order of 1 / n.
        """
        direction = np.random.default_rng(0).standard_normal(len(scales)) * scales * 1e-7
        thirds = np.diff(self.gains([k * direction for k in range(10)]), 3)
        rounding = max(float(np.sqrt((thirds**2).mean() / 20)), 1e-16 * self.count)
        moved = scales > 0
        coarse = float((np.spacing(np.abs(self.centre[moved])) / scales[moved]).max(initial=0.0))
        return float(min(max((48 * rounding * self.count) ** 0.25, (12 * coarse * self.count) ** (1 / 3)), LARGEST_STEP))

    # -- curvature -------------------------------------------------------------------------------------------------------

    def curvature(self, axes: np.ndarray, h: float) -> tuple[np.ndarray, np.ndarray]:
        """The slope `(m,)` of the objective and minus its second derivatives `(m, m)` along the columns of `axes` `(d, m)`.

        By steps h, from `f(a + b) + f(-a - b) - f(a) - f(-a) - f(b) - f(-b) = 2 a'Hb + O(h^4)`, which is free of odd derivatives.
        """
        m = axes.shape[1]
        pairs = [(k, l) for k in range(m) for l in range(k)]
        points = [h * axes[:, k] for k in range(m)] + [h * (axes[:, k] + axes[:, l]) for k, l in pairs]
        up, down = np.maximum(self.gains([*points, *(-p for p in points)]), -1e3).reshape(2, -1)
        both = up + down
        out = np.diag(-both[:m])
        for (k, l), value in zip(pairs, both[m:], strict=True):
            out[k, l] = out[l, k] = (both[k] + both[l] - value) / 2
        return (up - down)[:m] / (2 * h), out / h**2

    def principal(self, axes: np.ndarray, h: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The principal axes of the curvature along `axes`, the curvatures and slopes `(m,)` along them, and which are near one."""
        slope, information = self.curvature(axes, h)
        values, vectors = np.linalg.eigh(information)
        return axes @ vectors, values, slope @ vectors, (values > 1 / WELL) & (values < WELL)

    def flat(self, axes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Which axes, of those of little curvature, are no parabola."""
        out = np.zeros(len(values), dtype=bool)
        for k in np.flatnonzero(values < COMPARABLE):
            out[k] = not self.parabolic(axes[:, k], self.distance(axes[:, k], 1.0, 1e200 / np.abs(axes[:, k]).max()))
        return out

    def confirmed(self, axes: np.ndarray, h: float) -> bool:
        """Whether the curvature along each of these axes is one when it is taken along that axis alone.

        A small curvature that was found as a difference of large ones carries their errors, those of steps of finite length above all.
        """
        up, down = self.gains([*(h * axes.T), *(-h * axes.T)]).reshape(2, -1)
        return bool((np.abs(-(up + down) / h**2 - 1.0) <= EXACT).all())

    def whitened(self, scales: np.ndarray, bounded: np.ndarray) -> Curvature:
        """The curvature, taken where it is close to one in every direction that the data determine.

        scales: as `scales` gives them; coordinates of scale 0 are held fixed. bounded: which coordinates are logarithms or log odds.
        """
        free = np.flatnonzero(scales)
        axes = np.zeros((len(self.centre), len(free)))
        axes[free, np.arange(len(free))] = scales[free]
        h = self.step(scales)
        loose = axes[:, :0]
        for left in reversed(range(PASSES)):
            axes, values, slope, good = self.principal(axes, h)
            least = values.min(initial=1.0)
            if not left or least < -UPWARD or (good.all() and (least > COMPARABLE or self.confirmed(axes / np.sqrt(values), h))):
                break
            flat = self.flat(axes, values)
            loose, axes = np.concatenate([loose, axes[:, flat]], axis=1), (axes / np.sqrt(np.maximum(values, FLOOR)))[:, ~flat]
        loose = np.concatenate([loose, axes[:, ~good]], axis=1)
        if len(good) > good.sum():  # long steps along loose directions have spoilt what was seen of the others
            axes, values, slope, good = self.principal(axes[:, good] / np.sqrt(values[good]), h)
            loose = np.concatenate([loose, axes[:, ~good]], axis=1)
        root = axes[:, good] / np.sqrt(values[good])
        gain = float((slope[good] ** 2 / values[good]).sum()) / 2
        _, spreads, turn = np.linalg.svd(root[bounded])
        faint = np.zeros(root.shape[1], dtype=bool)
        faint[: len(spreads)] = spreads > WEAK_ERROR
        root, loose = (root @ turn.T)[:, ~faint], np.concatenate([loose, (root @ turn.T)[:, faint]], axis=1)
        loose = loose / np.sqrt(((loose[free] / scales[free, None]) ** 2).sum(axis=0))
        ahead = [reach * direction for direction in loose.T for reach in REACHES]
        return Curvature(root, loose, h, max(gain, self.gains([0 * scales, *ahead, *(-a for a in ahead)]).max()))

    def scores(self, axes: np.ndarray, h: float) -> np.ndarray:
        """The sum over rows of products of scores `(m, m)`: derivatives of each row's log density along the columns of `axes`."""
        ends = [(self.moved(h * axis), self.moved(-h * axis)) for axis in axes.T]
        return np.asarray(self.problem.rows.total(partial(_score_products, ends, h)))

    def cluster_scores(self, axes: np.ndarray, h: float, codes: np.ndarray) -> np.ndarray:
        """The sum over clusters of products of their scores `(m, m)`: weighted sums of those of their rows. codes `(n,)`: whose each given
        row is, from 0 on."""
        rows = self.problem.rows.one_by_one()
        ends = [(self.moved(h * axis), self.moved(-h * axis)) for axis in axes.T]
        totals = np.array(list(map_in_order(partial(_cluster_totals, rows, h, codes), ends, rows.threads)))
        return np.asarray(totals @ totals.T)


OFF_DOMAIN = (DmlcoreError, ArithmeticError, np.linalg.LinAlgError)  # what a model outside a domain raises


def _log_densities(model: Distribution, block: RowBlock, tables: DistinctCache | None = None) -> np.ndarray:
    return Forward(model.repeated, tables or DistinctCache())(model, block.column)[0]


def _rises(models: Sequence[Distribution | None], centre: Distribution, base: list[np.ndarray] | None, rows: WeightedRows) -> np.ndarray:
    """By how much the log likelihood of each model exceeds that at the centre; -inf outside its domain. base: log densities there, block by
    block, if they are known."""
    out = np.zeros(len(models))
    tables = [DistinctCache() for _ in models]
    at_centre = DistinctCache()
    for i, block in enumerate(rows.blocks):
        here = base[i] if base is not None else _log_densities(centre, block, at_centre)
        for k, model in enumerate(models):
            out[k] += -np.inf if model is None else _rise(model, block, here, tables[k])
    return out


def _rise(model: Distribution, block: RowBlock, base: np.ndarray, tables: DistinctCache) -> float:
    with np.errstate(all="ignore"):
        try:
            rise = _log_densities(model, block, tables) - base
            return float(np.where(block.weights > 0, rise * block.weights, 0.0).sum())
        except OFF_DOMAIN:
            return -np.inf


def _score_products(ends: Sequence[tuple[Distribution, Distribution]], h: float, rows: WeightedRows) -> np.ndarray:
    work = partial(_block_products, ends, [(DistinctCache(), DistinctCache()) for _ in ends], h)
    return np.asarray(sum(map_in_order(work, rows.blocks, rows.threads)))


def _cluster_totals(rows: WeightedRows, h: float, codes: np.ndarray, ends: tuple[Distribution, Distribution]) -> np.ndarray:
    """Weighted sums over the rows of each cluster of differences of log densities between two ends, `2 h` apart."""
    count = int(codes.max()) + 1
    out, tables = np.zeros(count), (DistinctCache(), DistinctCache())
    for block in rows.blocks:
        up, down = (_log_densities(model, block, own) for model, own in zip(ends, tables, strict=True))
        with np.errstate(invalid="ignore"):  # a row of weight zero may have density zero
            score = np.where(block.weights > 0, block.weights * (up - down) / (2 * h), 0.0)
        out += np.bincount(codes[block.start : block.start + len(score)], score, count)
    return out


def _block_products(ends: Sequence[Any], tables: Sequence[Any], h: float, block: RowBlock) -> np.ndarray:
    """The sum over rows of products of differences of log densities between two ends, `2 h` apart."""
    scores = np.empty((len(ends), len(block.weights)))
    for k, (models, own) in enumerate(zip(ends, tables, strict=True)):
        up, down = (_log_densities(model, block, t) for model, t in zip(models, own, strict=True))
        with np.errstate(invalid="ignore"):  # a row of weight zero may have density zero
            scores[k] = (up - down) / (2 * h)
    scores[:, block.weights == 0] = 0.0
    return np.asarray((scores * block.weights) @ scores.T)
