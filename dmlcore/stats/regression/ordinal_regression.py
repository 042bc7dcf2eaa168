"""Ordinal regression: labels in an order, with cumulative log odds (or probits) that are linear in the covariates."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import Array, Domain, OneOf
from dmlcore.base.errors import ParameterError
from dmlcore.base.labels import Vocabulary
from dmlcore.base.numerics import across
from dmlcore.base.records import dataclass
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.statistics import Node
from dmlcore.data.values import in_order
from dmlcore.stats.multivariate.vectors import check_dimension
from dmlcore.stats.regression.glm.coefficients import Coefficients
from dmlcore.stats.regression.glm.label_predictors import Design, LabelStart, distinct_labels, share_sums
from dmlcore.stats.regression.glm.label_regression import LabelRegressionDistribution, LabelRegressionEstimator
from dmlcore.stats.regression.glm.predictors import at_centre
from dmlcore.stats.regression.glm.regression_estimator import undetermined_message
from dmlcore.stats.regression.glm.scoring import (
    STRIDE,
    WEAK_SUPPORT,
    Frame,
    Scoring,
    level_of,
    pseudo_solved,
    shortened,
    squares_about,
    whitening,
)
from dmlcore.stats.univariate.gaussian_tails import log_mass_and_slopes

LEAST_GAP = 1e-9  # between cutpoints: a label of which no row speaks sends those about it towards each other
MOST_OF_A_GAP = 0.9  # the most of a gap that one step takes away
STARTING_SHARE = 1e-3  # a share that every label has at a start


class Cutpoints(Array):
    """Finite reals that increase, which may be none; unconstrained as the first and the logarithms of the differences."""

    def __init__(self) -> None:
        super().__init__("a vector of finite reals that increase, one for each label but the last", 1)

    def check(self, value: Any) -> np.ndarray:
        if np.ndim(value) == 1 and not np.size(value):
            return Coefficients().check(value)
        array = super().check(value)
        if not (np.diff(array) > 0).all():
            raise self.fail(value)
        return array

    def holds(self, value: Any) -> bool:
        return super().holds(value) and bool((np.diff(value, axis=-1) > 0).all())

    def flatten(self, value: np.ndarray) -> np.ndarray:
        return np.concatenate([value[..., :1], np.log(np.diff(value, axis=-1))], axis=-1).ravel() if value.size else np.zeros(0)

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        steps = vector.reshape(like.shape).copy()
        steps[..., 1:] = np.exp(steps[..., 1:])
        return np.asarray(np.cumsum(steps, axis=-1))


def between(link: str, low: Any, high: Any) -> tuple[np.ndarray, ...]:
    """Log probabilities of a standard logistic (or Gaussian) number from `low` to `high`, their slopes in both, and minus their second
    derivatives: in `low` twice, in both, in `high` twice. Ends may be infinite; no tail loses its digits."""
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        log, *slopes = _between_logistic(low, high) if link == "logit" else log_mass_and_slopes(low, high)
        return log, *(np.where(np.isfinite(slope) & (log > -np.inf), slope, 0.0) for slope in slopes)  # what has no density gets no weight


def _between_logistic(low: Any, high: Any) -> tuple[np.ndarray, ...]:
    """The density is `s(high) s(-low) (1 - exp(low - high))`, with s the logistic function."""
    gap = high - low
    above = np.where(gap < np.inf, 1.0 / np.expm1(gap), 0.0)
    log = special.log_expit(high) + special.log_expit(-low) + np.log(-np.expm1(-gap))
    s_low, s_high = special.expit(low), special.expit(-high)
    bend = above * (1.0 + above)
    return log, -s_low - above, s_high + above, s_low * special.expit(-low) + bend, -bend, s_high * special.expit(high) + bend


class OrdinalTape:
    """What the way back needs of one block: its covariates, each row's label as a position (-1: none of the labels), and what `between`
    made of the rows of each label."""

    __slots__ = ("design", "made", "rows")

    def __init__(self, design: Design, rows: list[np.ndarray], made: list[tuple[np.ndarray, ...]]):
        self.design, self.rows, self.made = design, rows, made


class OrdinalRegressionDistribution(LabelRegressionDistribution):
    """A label y of an order, given x: `P(y is labels[c] or before) = F(cutpoints[c] - coef . x)`, F the logistic function or that of a
    Gaussian. With the logit, odds are proportional (McCullagh 1980).

    coef: `(p,)`; a positive one makes later labels more probable as x grows, in log odds (or standard deviations) per unit of x.
    cutpoints: `(C - 1,)`, increasing: between one label and the next, at x = 0. labels: the C labels in their order, any hashables; others
    have probability zero. link: "logit" or "probit". Raises `ParameterError` outside these domains.
    """

    intercept: ClassVar[None] = None  # type: ignore[misc,assignment]
    coef: np.ndarray = parameter(Coefficients())
    cutpoints: np.ndarray = parameter(Cutpoints())
    labels: Any = parameter(Domain())
    link: str = parameter(OneOf("logit", "probit"), default="logit")
    name: str | None = name()
    keys: str | None = keys()

    def validate(self) -> None:
        self.derive(labels=distinct_labels(self.labels, type(self).__name__))
        if len(self.cutpoints) != len(self.labels) - 1:
            raise ParameterError(f"{type(self).__name__}: cutpoints must be {len(self.labels) - 1}, one for each label but the last")

    def _ends(self, design: Design) -> tuple[np.ndarray, np.ndarray]:
        """Cutpoints `(.., C + 1)` at the centre of the block, the infinite ones among them, and `coef . (x - centre)` `(.., n)`."""
        check_dimension(design.x, self.dim, self.label)
        inner = np.asarray(self.cutpoints) - across(at_centre(self.coef, 0.0, design.centre))
        edge = np.full((*self.batch, 1), np.inf)
        return np.concatenate([-edge, inner, edge], axis=-1), self.coef @ design.apart

    def log_probabilities(self, design: Design) -> np.ndarray:
        ends, eta = self._ends(design)
        at = ends[..., None] - eta[..., None, :]
        return between(self.link, at[..., :-1, :], at[..., 1:, :])[0]

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        covariates, response = column.fields
        design = Design(covariates.x)
        where = self.vocabulary.positions(response.values.x)[response.codes]
        ends, eta = self._ends(design)
        out, rows, made = np.full((*self.batch, design.n), -np.inf), [], []
        for c in range(len(self.labels)):
            rows.append(np.flatnonzero(where == c))
            own = eta[..., rows[c]]
            made.append(between(self.link, ends[..., c, None] - own, ends[..., c + 1, None] - own))
            out[..., rows[c]] = made[c][0]
        return out, OrdinalTape(design, rows, made)

    def estimator(self, pseudo_count: Any = None) -> Any:
        ridge = 0.0 if pseudo_count is None else float(np.ravel(pseudo_count)[0] or 0.0)
        return self.estimator_family(ridge=ridge, labels=self.labels, link=self.link, name=self.name, keys=self.keys)


@dataclass(frozen=True)
class _Joint:
    """Score `(.., m)` and information `(.., m, m)` of cutpoints and coefficients."""

    score: np.ndarray
    information: np.ndarray

    @classmethod
    def of(cls, sums: Scoring) -> _Joint:
        """From those of one linear predictor `cutpoint - coef . x` for each cutpoint, whose coefficients are the same."""
        score, information = sums.score, sums.information
        between_them = -information[..., :, 0, :, 1:].sum(axis=-2)
        slopes = information[..., :, 1:, :, 1:].sum(axis=(-4, -2))
        top = np.concatenate([information[..., :, 0, :, 0], between_them], axis=-1)
        low = np.concatenate([between_them.swapaxes(-1, -2), slopes], axis=-1)
        return cls(np.concatenate([score[..., 0], -score[..., 1:].sum(axis=-2)], axis=-1), np.concatenate([top, low], axis=-2))


def in_common(sums: Scoring) -> Scoring:
    """The sums of one linear predictor that moves all cutpoints alike."""
    score, information = sums.score.sum(axis=-2, keepdims=True), sums.information.sum(axis=(-4, -2))
    return Scoring(sums.count, sums.centre, score, information[..., None, :, None, :])


class OrdinalRegressionEstimator(LabelRegressionEstimator):
    """Maximum likelihood for an ordinal regression, by one Newton step in each step of EM (the log likelihood is concave: Pratt 1981).

    ridge, names, penalty: as for `RegressionEstimator`. labels: in their order; None takes those of all the data that carry weight, in
    sorted order. link: "logit" or "probit". Where covariates separate labels there is no maximum: coefficients run off, and are held
    where their information falls below `SHAPE_FLOOR` of that of all the data. Where no row speaks of a label, the cutpoints about it meet.
    """

    intercept: ClassVar[bool] = True  # type: ignore[misc]
    offset: ClassVar[Any] = False  # type: ignore[misc]
    link: str = parameter(OneOf("logit", "probit"), default="logit")
    name: str | None = name()
    keys: str | None = keys()

    family = OrdinalRegressionDistribution
    stacks = True
    whiten: ClassVar[Any] = None

    def is_feasible(self, distribution: Any) -> bool:
        return bool(distribution.link == self.link)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        if not isinstance(tape, OrdinalTape):
            shares = np.zeros((*weights.shape[:-1], len(tape.labels), tape.design.n))
            there = np.flatnonzero(tape.where >= 0)
            shares[..., tape.where[there], there] = weights[..., there]
            return Node(share_sums(tape, shares))
        design, short = tape.design, len(tape.rows) - 1
        seen = np.zeros(design.n)
        seen[np.concatenate(tape.rows)] = 1.0
        weights = weights * seen
        count, p = weights.sum(axis=-1), design.apart.shape[0]
        shift = weights @ design.apart.T / np.where(count > 0, count, 1.0)[..., None]
        score, information = np.zeros((*weights.shape[:-1], short, p + 1)), np.zeros((*weights.shape[:-1], short, p + 1, short, p + 1))
        for c, (rows, made) in enumerate(zip(tape.rows, tape.made, strict=True)):
            x, w = design.apart[:, rows], weights[..., rows]
            _, low, high, low_low, low_high, high_high = made
            if c > 0:
                score[..., c - 1, :] += tilted_once(w * low, x, shift)
                information[..., c - 1, :, c - 1, :] += squares_about(x, w * low_low, shift)
            if c < short:
                score[..., c, :] += tilted_once(w * high, x, shift)
                information[..., c, :, c, :] += squares_about(x, w * high_high, shift)
            if 0 < c < short:
                both = squares_about(x, w * -low_high, shift)
                information[..., c, :, c - 1, :] -= both
                information[..., c - 1, :, c, :] -= both
        return Node(Scoring(count, design.centre + shift, score, information))

    def vocabulary_of(self, statistics: LabelStart) -> Vocabulary:
        labels = super().vocabulary_of(statistics)
        return labels if self.labels is not None else Vocabulary(in_order(labels))

    def scoring(self, statistics: Any, previous: Any) -> Scoring:
        return statistics if isinstance(statistics, Scoring) else self._started(statistics)[1]

    def _started(self, statistics: LabelStart) -> tuple[np.ndarray, Scoring]:
        """Cutpoints `(.., C - 1)` that the labels' shares give without covariates, and the sums there; curvatures are those of all rows."""
        sums = statistics.over(self.vocabulary_of(statistics))
        C = sums.score.shape[-2]
        n = sums.score[..., 0]
        p = (n / np.where(n.sum(axis=-1) > 0, n.sum(axis=-1), 1.0)[..., None] + STARTING_SHARE) / (1.0 + STARTING_SHARE * C)
        p = p / p.sum(axis=-1, keepdims=True)
        total = np.cumsum(p, axis=-1)[..., :-1]
        cutpoints = special.logit(total) if self.link == "logit" else special.ndtri(total)
        edge = np.full((*cutpoints.shape[:-1], 1), np.inf)
        ends = np.concatenate([-edge, cutpoints, edge], axis=-1)
        _, low, high, low_low, low_high, high_high = between(self.link, ends[..., :-1], ends[..., 1:])
        score = high[..., :-1, None] * sums.score[..., :-1, :] + low[..., 1:, None] * sums.score[..., 1:, :]
        each = np.zeros((*cutpoints.shape, C - 1))
        at = np.arange(C - 1)
        each[..., at, at] = p[..., :-1] * high_high[..., :-1] + p[..., 1:] * low_low[..., 1:]
        each[..., at[1:], at[:-1]] = each[..., at[:-1], at[1:]] = (p * low_high)[..., 1:-1]
        information = each[..., :, None, :, None] * sums.information[..., 0, :, 0, :][..., None, :, None, :]
        return cutpoints, Scoring(sums.count, sums.centre, score, information)

    def resolve(self, statistics: Any) -> Self:
        if not statistics.count > 0:
            return self
        out = self.pinned(pinned_labels=self.vocabulary_of(statistics))
        return out._framed(out.scoring(statistics, None))

    def _framed(self, sums: Scoring) -> Self:
        """With the coordinates of the step, from sums over all rows: those in which the information per row is the identity."""
        if not level_of(in_common(sums)) > 0:  # one label alone
            return self
        frame = Frame(in_common(sums), True, self.prior_of_coef, self.label, self.names)
        matrix = self._penalised(_Joint.of(sums), np.zeros(sums.centre.shape)).information / level_of(in_common(sums))
        return self.pinned(frame=frame, whiten=None if self.prior_of_coef.selects else whitening(matrix))

    def _penalised(self, joint: _Joint, coef: np.ndarray) -> _Joint:
        """With what is smooth of the penalty."""
        ridge, short = self.prior_of_coef.curvature, joint.score.shape[-1] - coef.shape[-1]
        if not ridge:
            return joint
        score, information = joint.score.copy(), joint.information.copy()
        score[..., short:] -= ridge * coef
        at = np.arange(short, score.shape[-1])
        information[..., at, at] += ridge
        return _Joint(score, information)

    def estimate(self, statistics: Any, previous: Any = None) -> OrdinalRegressionDistribution:
        if previous is None:
            cutpoints, sums = self._started(statistics)
            labels, coef, before = tuple(self.vocabulary_of(statistics)), np.zeros(sums.centre.shape), cutpoints
        else:
            sums, labels, coef = statistics, previous.labels, previous.coef
            before = previous.cutpoints - across(at_centre_of(coef, sums.centre))  # about the centre of the covariates
        undetermined = None
        if len(labels) > 1:
            frame = self if self.frame is not None else self._framed(sums)
            step, undetermined = frame._step(sums, coef)
            before, coef = widened(before, step[..., : len(labels) - 1]), coef + step[..., len(labels) - 1 :]
        cutpoints = before + across(at_centre_of(coef, sums.centre))
        law = self.law(coef=coef, cutpoints=cutpoints, labels=labels, link=self.link)
        return law if undetermined is None else law.pinned(undetermined=undetermined)

    def runs_off(self, distribution: Any, statistics: Any, unit: float) -> str | None:
        if self.frame is None or not statistics.count > 0 or isinstance(statistics, LabelStart):
            return None
        faint = self.frame.faint(in_common(statistics), np.atleast_2d(distribution.coef), WEAK_SUPPORT * unit)
        return undetermined_message(self, faint)

    def _step(self, sums: Scoring, coef: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The change of cutpoints and coefficients `(.., m)`, and which of the intercept and coefficients `(p + 1,)` it did not learn."""
        joint, level = self._penalised(_Joint.of(sums), coef), level_of(in_common(sums))
        held = np.asarray(level > self.level_floor * sums.count)
        short, p = joint.score.shape[-1] - coef.shape[-1], coef.shape[-1]
        missed = None
        if self.prior_of_coef.selects:
            here = np.concatenate([np.zeros((*coef.shape[:-1], short)), coef], axis=-1)
            step = self.prior_of_coef.step(joint.information, joint.score, here, np.arange(short + p) >= short)
        else:
            step, missed = pseudo_solved(joint.information, joint.score, self.whiten, np.where(held, level, 1.0), self.shape_floor)
        step = step * (np.asarray(shortened(step, joint.information, np.where(held, level, 1.0), STRIDE)) * held)[..., None]
        if missed is None and held.all():
            return step, None
        undetermined = np.zeros((*held.shape, p + 1), dtype=bool)
        undetermined[..., 0] = ~held
        if missed is not None:
            most = np.abs(missed).argmax(axis=-2)
            there = np.abs(missed).max(axis=-2) > 0
            for j in range(p):
                undetermined[..., j + 1] |= ((most == short + j) & there).any(axis=-1)
        return step, undetermined if undetermined.any() else None


def tilted_once(slopes: np.ndarray, x: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Sums of slopes `(.., n)` times (1, x - shift), x `(p, n)`: `(.., q)`."""
    total = slopes.sum(axis=-1)[..., None]
    return np.concatenate([total, slopes @ x.T - total * shift], axis=-1)


def at_centre_of(coef: np.ndarray, centre: np.ndarray) -> Any:
    """`coef . centre`, in extended precision."""
    return np.asarray((coef.astype(np.longdouble) * centre).sum(axis=-1), dtype=np.float64)


def widened(cutpoints: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Cutpoints after a step, which stay in order: no gap loses more than its part."""
    gap, change = np.diff(cutpoints, axis=-1), np.diff(step, axis=-1)
    change = np.maximum(change, np.minimum(LEAST_GAP, gap) - gap)
    change = np.maximum(change, -MOST_OF_A_GAP * gap)
    first = cutpoints[..., :1] + step[..., :1]
    return np.concatenate([first, first + np.cumsum(np.maximum(gap + change, LEAST_GAP), axis=-1)], axis=-1)
