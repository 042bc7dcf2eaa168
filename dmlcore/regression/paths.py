"""How coefficients change with the weight of a penalty: a path of fits, each begun where the last one ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.base.records import dataclass
from dmlcore.core.scoring import log_densities
from dmlcore.data.encoded import Encoded
from dmlcore.fitting.drivers import UNSOUND
from dmlcore.fitting.fit import fit
from dmlcore.regression.component_selection import FittedSweep, check_criterion, rows_to_sweep
from dmlcore.regression.fitted import RowsToFit
from dmlcore.regression.model import MixtureRegression
from dmlcore.regression.ordering import mean_weights
from dmlcore.selection.sweep import Selection, table_row
from dmlcore.stats.combinators.optional import OptionalDistribution
from dmlcore.stats.regression.penalties import Lasso, Penalty

SPAN = 1e-3  # the least of them, as a share of the greatest
PAST_ROUNDING = 1e-9  # by which the heaviest weight exceeds the steepest slope
ALL_OUT = 1e100  # a weight beside which no row counts


@dataclass(frozen=True, repr=False)
class PenaltyPath(FittedSweep):
    """A path over the weights of a penalty, from heavy to light. coef: `(weights, K, p)` (of q responses `(weights, K, q, p)`), components
    in the order of the model chosen, all along."""

    coef: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """The weights of the penalty, `(weights,)`."""
        return np.array(self.selection.values)

    @property
    def weight(self) -> float:
        """The weight chosen."""
        return float(self.selection.value)

    def plot(self, component: int = 0, ax: Any = None) -> Any:
        """The coefficients of one component against the weight, the one chosen marked, on a matplotlib axes; returns the axes."""
        from dmlcore.plot.axes import as_written, axes_or_new, colours, legend, plain_axes

        ax = plain_axes(axes_or_new(ax, (6.0, 3.8)))
        lines = self.coef[:, component].reshape(len(self.coef), -1).T
        names = [str(name) for name in self.best.feature_names_in_]
        responses = self.best.response_names_
        labels = names if len(responses) == 1 else [f"{response}: {name}" for response in responses for name in names]
        for line, label, colour in zip(lines, labels, colours(len(lines)), strict=True):
            ax.plot(self.weights, line, color=colour, linewidth=1.4, label=as_written(label))
        ax.axvline(self.weight, color="0.6", linewidth=1, linestyle="--")
        ax.axhline(0.0, color="0.6", linewidth=0.8)
        ax.set(xscale="log", xlabel="weight of the penalty", ylabel=f"coefficients of component {component}")
        legend(ax)
        return ax


def penalty_path(
    X: Any,
    y: Any = None,
    *,
    n_components: int = 1,
    penalty: Callable[[float], Penalty] = Lasso,
    weights: Sequence[float] | int = 40,
    criterion: str = "bic",
    family: str | Sequence[str] = "gaussian",
    fit_intercept: bool | Sequence[bool] = True,
    starts: int | None = None,
    max_iter: int = 1000,
    random_state: Any = None,
    missing: str = "error",
    **given: Any,
) -> PenaltyPath:
    """Fits with ever heavier penalties, and the one that a criterion chooses.

    X, y: covariates and responses, or a formula and a frame. penalty: makes the penalty of a weight, such as `Lasso`, or
    `lambda weight: ElasticNet(weight, 0.8)`. weights: of the penalty; or how many, from that which leaves no coefficient of one component
    down to a thousandth of it. criterion: "bic", "aic", "icl" or "icl_hard"; coefficients that are zero are no parameters. The lightest is
    searched for as any fit; each of the others begins where the one before ended, and its objective never falls. given: sample_weight,
    offset, exposure, trials, groups and gate, as of `MixtureRegression.fit`; other arguments as of `MixtureRegression`, and what is raised.
    """
    check_criterion(criterion)
    settings: dict[str, Any] = dict(starts=starts, max_iter=max_iter, random_state=random_state, missing=missing)
    plan = MixtureRegression(n_components, family, fit_intercept=fit_intercept, **settings)
    read = rows_to_sweep(plan, X, y, given)
    settings["fit_intercept"] = plan.fit_intercept
    grid = _checked(_spread(plan, read, penalty, weights) if isinstance(weights, int) else weights)
    models, coefs, fits, table, start = [], [], [], [], None
    for weight in grid:  # from light to heavy: components are apart where coefficients are
        own = MixtureRegression(n_components, family, penalty=penalty(weight), **settings)
        estimator = own._estimator(n_components, read.rows)
        encoded = read.rows.encoded(estimator.layout)
        search = dict(rng=random_state, starts=starts) if start is None else dict(start=start)
        record = fit(encoded, estimator, weights=read.rows.unit_weights, max_its=max_iter, **search)
        own._adopt(read, record)
        start = record.model
        row = table_row(weight, record, encoded, read.rows.unit_weights, criterion, {})
        order = np.argsort(-mean_weights(record.model, read.rows), kind="stable")
        coefs.append(own.coef_[np.argsort(order)])  # in the order in which the path began
        models.append(own)
        fits.append(record)
        table.append(row | {"nonzero": int(np.count_nonzero(own.coef_)), "status": record.status})
    best = min(range(len(grid)), key=lambda i: (fits[i].status in UNSOUND, table[i][criterion]))
    order = np.argsort(-mean_weights(fits[best].model, read.rows), kind="stable")
    down: Any = slice(None, None, -1)
    selection = Selection(criterion, grid[down], tuple(fits[down]), tuple(table[down]), len(grid) - 1 - best)
    return PenaltyPath(tuple(models[down]), selection, np.array(coefs)[down][:, order])


def _checked(weights: Iterable[float]) -> tuple[float, ...]:
    """The weights, the lightest first."""
    found = np.sort(np.asarray(list(weights), dtype=np.float64))
    if not len(found) or not (np.isfinite(found).all() and found[0] >= 0):
        raise ParameterError(f"weights must be numbers >= 0, got {weights!r}")
    return tuple(found.tolist())


def _spread(plan: MixtureRegression, read: RowsToFit, penalty: Callable[[float], Penalty], count: int) -> np.ndarray:
    """So many weights, from that which just leaves no coefficient of one component, downwards, in equal steps of the logarithm."""
    slope = getattr(penalty(1.0), "slope_at_zero", 0.0)
    if not slope > 0:
        raise ParameterError(f"a {penalty(1.0)!r} sets no coefficient to zero, so there is no heaviest weight; give weights")
    rows = read.rows
    empty = MixtureRegression(1, plan.family, fit_intercept=plan.fit_intercept, penalty=Lasso(ALL_OUT), missing=plan.missing)
    estimator = empty._estimator(1, rows)
    empty._adopt(read, fit(rows.encoded(estimator.layout), estimator, weights=rows.unit_weights))
    steepest = max(_steepest(law, j, rows) for j, law in enumerate(empty._laws()[0]))
    return np.geomspace(SPAN, 1.0, count) * steepest / slope * (1 + PAST_ROUNDING)


def _steepest(law: Any, j: int, rows: Any) -> float:
    """The steepest slope of the log likelihood of response j along a coefficient; where penalties are divided by a variance, times that."""
    weights = np.ones(len(rows.x)) if rows.weights is None else rows.weights
    slopes = []
    for i, unit in enumerate(np.eye(len(law.coef))):
        step = 1e-4 / max(float(np.sqrt(np.average(rows.x_of(rows.schema.responses[j])[:, i] ** 2, weights=weights))), 1e-300)
        ends = [law.replace(coef=law.coef + way * step * unit) for way in (1, -1)]
        whole = [OptionalDistribution(end) if rows.has_gaps(j) else end for end in ends]
        up, down = (log_densities(end, Encoded(rows._record(j, end.layout), end.layout), None) @ weights for end in whole)
        slopes.append(abs(up - down) / (2 * step))
    return max(slopes, default=0.0) * float(getattr(law, "sigma2", 1.0))
