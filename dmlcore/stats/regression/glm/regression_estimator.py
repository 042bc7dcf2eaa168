"""What estimators of regressions share: the Fisher scoring step of each step of EM."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import nonnegative
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.records import dataclass
from dmlcore.core.declared import parameter, setting
from dmlcore.core.estimator import Estimator
from dmlcore.core.prior import Prior
from dmlcore.core.statistics import Node
from dmlcore.data.layouts import Covariates, Layout
from dmlcore.stats.regression.glm.coefficients import ColumnNames
from dmlcore.stats.regression.glm.design import column_name
from dmlcore.stats.regression.glm.predictors import Rows, Tape, impossible_response, row_layout
from dmlcore.stats.regression.glm.scoring import LEVEL_FLOOR, SHAPE_FLOOR, STRIDE, WEAK_SUPPORT, Frame, Scoring, level_of, scorings
from dmlcore.stats.regression.penalties import MaybePenalty, Penalty, Ridge


@dataclass(frozen=True, eq=False)
class CoefficientPrior(Prior):
    """A penalty of coefficients, whose own part in an estimate is its step."""

    penalty: Penalty

    decides = False

    def added_to(self, statistics: Any) -> Any:
        return statistics

    def log_density(self, law: Any) -> Any:
        return self.penalty.log_density(law.coef)


class RegressionEstimator(Estimator):
    """Base of estimators of regressions.

    intercept: whether there is one. ridge: the prior, which adds `-ridge/2 |coef|^2` to the objective (the intercept is not
    penalised); a number >= 0 in units of information, so standardise covariates of unlike units. offset: whether observations end
    with an offset. names: of the covariates, for messages. penalty: in place of `ridge`, any of `dmlcore.stats.regression.penalties`:
    `Lasso(weight)` adds `-weight sum_j |coef_j|`, and sets coefficients to zero.

    One step of EM takes one Fisher scoring step, at most `stride` long. Raises `DegenerateError` at the start of a fit if, over all
    the rows, a column is constant or follows from others and there is no penalty. In a component whose rows say nothing about some
    direction (information below `SHAPE_FLOOR` of that of all the data), the parameters keep their value in that direction, and the
    record of the fit says so.
    """

    intercept: bool = setting(True)
    ridge: float = parameter(nonnegative, default=0.0)
    offset: Any = setting(False)
    names: Any = parameter(ColumnNames(), default=None)
    penalty: Any = parameter(MaybePenalty(), default=None, kw_only=True)

    closed_form: ClassVar[bool] = False
    stacks = True
    frame: ClassVar[Frame | None] = None
    shape_floor: ClassVar[float] = SHAPE_FLOOR
    level_floor: ClassVar[float] = LEVEL_FLOOR
    runaway: ClassVar[str] = "they would run off without end"
    log_scale: ClassVar[bool] = True  # whether linear predictors are logarithms or log odds, and can run off

    def validate(self) -> None:
        for field in ("intercept", "offset"):
            if not isinstance(getattr(self, field), (bool, np.bool_)):
                raise ParameterError(f"{type(self).__name__}: {field} must be True or False, got {getattr(self, field)!r}")
        if self.penalty is not None and self.ridge:
            raise ParameterError(f"{type(self).__name__}: give ridge, or penalty, not both; ridge={self.ridge!r} is Ridge({self.ridge!r})")

    @cached_property
    def prior_of_coef(self) -> Penalty:
        """The penalty, whichever way it was given."""
        return Ridge(self.ridge) if self.penalty is None else self.penalty  # type: ignore[no-any-return]

    @cached_property
    def prior(self) -> Prior:  # type: ignore[override]
        """The penalty, as what is known beforehand."""
        return CoefficientPrior(self.prior_of_coef)

    @cached_property
    def layout(self) -> Layout:
        family: Any = self.family
        return row_layout(self, Covariates(self.label, None if self.names is None else len(self.names)), family.response(self.label))

    @property
    def has_trials(self) -> bool:
        """Whether observations hold a number of trials."""
        return False

    # -- what a family implements --------------------------------------------------------------------------------------

    def slopes(self, tape: Tape) -> tuple[np.ndarray, np.ndarray]:
        """Slopes and curvatures `(.., n)` of log densities in the linear predictor; where no law has been scored yet, of
        a first working response (McCullagh and Nelder 1989, section 2.5.1) at coefficients zero."""
        raise StructureError(f"{type(self).__name__} has no slopes(tape)")

    def further(self, tape: Tape, weights: np.ndarray) -> Any:
        """Other sums that `scale` needs, of the shape of the weights `(.., n)` without rows; they add."""
        return None

    def scale(self, statistics: Any, previous: Any, intercept: Any, coef: np.ndarray) -> dict[str, Any]:
        """The other parameters of the law with these new coefficients, by name."""
        return {}

    def stride(self, scoring: Scoring, law: Any) -> Any:
        """How far a step may change linear predictors, root mean square over rows weighted by information."""
        return STRIDE

    def changes(self, law: Any) -> np.ndarray | None:
        """By how much coordinates that are not its own to estimate change in a step, `(q,)`; None where all are."""
        return None

    # -- what the engine asks ------------------------------------------------------------------------------------------

    def open(self, column: Any, open: Any) -> Tape:
        return Tape(Rows(self, column))

    def backward(self, tape: Tape, weights: np.ndarray, send: Any) -> Node:
        with np.errstate(over="ignore", invalid="ignore"):  # squares beyond 1e308: `collinearity` names the column
            return Node(self.sums(tape, tape.rows.admit(weights)))

    def sums(self, tape: Tape, weights: np.ndarray) -> Any:
        """Statistics, from weights `(.., n)`."""
        if not tape.rows.n:
            shape, p = weights.shape[:-1], tape.rows.x.shape[1]
            nothing = np.zeros((*shape, 1, p + 1)), np.zeros((*shape, 1, p + 1, 1, p + 1))
            return Scoring(np.zeros(shape)[()], np.zeros((*shape, p)), *nothing)
        slopes, curves = self.slopes(tape)
        return scorings(tape.rows, weights, weights * slopes, weights * curves, self.further(tape, weights))

    def resolve(self, statistics: Any) -> Self:
        said = level_of(self.scoring(statistics, None)) > 0
        return self.pinned(frame=self.frame_of(statistics)) if said else self.pinned(stacks=False)

    def frame_of(self, statistics: Any) -> Frame:
        """The coordinates of the step, from statistics of all rows. Raises `DegenerateError` as the class says."""
        return Frame(self.scoring(statistics, None), self.intercept, self.prior_of_coef, self.label, self.names)

    def scoring(self, statistics: Any, previous: Any) -> Scoring:
        """The statistics as scores and informations at the previous law."""
        return statistics

    def estimate(self, statistics: Any, previous: Any = None) -> Any:
        if self.frame is None:
            self = self.pinned(frame=self.frame_of(statistics))
        intercept, coef, undetermined = self.moved(statistics, previous)
        law = self.law(coef=coef, intercept=intercept, **self.scale(statistics, previous, intercept, coef), **self.passed_on())
        return law if undetermined is None else law.pinned(undetermined=undetermined)

    def passed_on(self) -> dict[str, Any]:
        """The law's fields that are the estimator's own."""
        return {field: getattr(self, field) for field, _ in self.family._fields if field in ("offset", "trials", "link")}

    def moved(self, statistics: Any, previous: Any) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """Intercept and coefficients after the step, and what they did not learn."""
        scoring = self.scoring(statistics, previous)
        assert self.frame is not None
        coef = np.zeros(scoring.centre.shape) if previous is None else previous.coef
        stride = None if previous is None or self.closed_form else self.stride(scoring, previous)
        step = self.frame.step(scoring, coef[..., None, :], self.shape_floor, self.level_floor, stride, self.changes(previous))
        before = 0.0 if previous is None or previous.intercept is None else previous.intercept
        return (before + step.intercept[..., 0] if self.intercept else None), coef + step.coef[..., 0, :], step.undetermined

    def left_out(self, distribution: Any) -> dict[str, np.ndarray]:
        return {"coef": self.prior_of_coef.left_out(distribution.coef)}

    def covers(self, column: Any) -> bool:
        inside = Rows(self, column).inside
        return inside is None or bool(inside.all())

    def why_outside_support(self, x: Any) -> str | None:
        return impossible_response(self, x)

    def is_feasible(self, distribution: Any) -> bool:
        return (distribution.intercept is not None) == self.intercept

    def degenerate(self, distribution: Any) -> str | None:
        return undetermined_message(self, distribution.undetermined)

    def runs_off(self, distribution: Any, statistics: Any, unit: float) -> str | None:
        if self.frame is None or not self.log_scale or not statistics.count > 0:
            return None
        scoring = self.scoring(statistics, distribution)
        return undetermined_message(self, self.frame.faint(scoring, np.atleast_2d(distribution.coef), WEAK_SUPPORT * unit))


def undetermined_message(estimator: Any, which: np.ndarray | None) -> str | None:
    """A sentence on the intercept and coefficients `(p + 1,)` that the rows do not determine, or None."""
    if which is None or not which.any() or estimator.frame is None:
        return None
    columns = (np.flatnonzero(which.reshape(-1, which.shape[-1]).any(axis=0)) - 1).tolist()
    named = ", ".join(f"the coefficient of {column_name(j, estimator.names)}" if j >= 0 else "the intercept" for j in columns)
    return f"{estimator.label}: its rows do not determine {named} ({estimator.runaway}); ridge would"
