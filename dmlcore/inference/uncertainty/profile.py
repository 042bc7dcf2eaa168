"""Profile likelihood: the values of one parameter that the data do not reject, all others being chosen at their best."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import DegenerateError, ParameterError
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.record import Fit, fitted_by
from dmlcore.inference.parameters import POSITIVE_SCALE, PROBABILITY_SCALE, parameter_blocks, readable_names
from dmlcore.inference.uncertainty.estimate import curved, standard_errors_of, without_coordinates
from dmlcore.inference.uncertainty.result import check_level

CLOSE = 1e-3  # nats by which an end may miss its height
PROFILE_STEP = 1e-3  # standard errors


@takes(law="model")
def profile_interval(
    model: Distribution | Fit,
    data: Any,
    parameter: str,
    *,
    level: float = 0.95,
    estimator: Estimator | None = None,
    weights: Any = None,
    threads: int | None = None,
) -> tuple[float, float]:
    """The profile likelihood interval of one parameter, by its name in `standard_errors(..).names`, or as its table shows it.

    Its ends are the least and the greatest value of the parameter on the set where the log likelihood is within half the chi-squared
    quantile of its maximum (Venzon and Moolgavkar 1988). Other arguments as in `standard_errors`. Raises `DegenerateError` where the
    parameter has no coordinate of its own, or the log likelihood never falls so far.
    """
    check_level(level)
    model, estimator = fitted_by(model, estimator)
    problem = Problem.of(data, estimator, weights, threads)
    parts = parameter_blocks(problem.check(model))
    exact = [name for part in parts for name in part.names]
    parameter = dict(zip(readable_names(model), exact, strict=True)).get(parameter, parameter)
    found = [(part, part.names.index(parameter)) for part in parts if parameter in part.names]
    if not found:
        raise ParameterError(f"there is no parameter {parameter!r}; there are {', '.join(exact)}")
    notes = dict(without_coordinates(problem, model, parts))
    surface, curvature = curved(problem, model, parts, notes)
    notes = standard_errors_of(model, "observed", parts, notes, curvature.root, curvature.loose).notes
    if parameter in notes:
        raise DegenerateError(f"{parameter} has no interval: {notes[parameter]}")
    part, place = found[0]
    root, scale = curvature.root, part.scales[place]
    depth = float(special.ndtri((1 + level) / 2)) ** 2 / 2
    own, start = root[part.start : part.stop], part.domain.flatten(part.value)

    def value(z: np.ndarray) -> float:
        return _outer(part.numbers(start + own @ z)[place], scale)

    def slope(function: Any, z: np.ndarray) -> np.ndarray:
        moves = PROFILE_STEP * np.eye(len(z))
        return np.array([function(z + move) - function(z - move) for move in moves]) / (2 * PROFILE_STEP)

    def height_slope(z: np.ndarray) -> np.ndarray:
        moves = PROFILE_STEP * np.eye(len(z))
        up, down = surface.gains([root @ (z + move) for move in moves] + [root @ (z - move) for move in moves]).reshape(2, -1)
        return (up - down) / (2 * PROFILE_STEP)

    origin = np.zeros(root.shape[1])
    steepest = slope(value, origin)
    error = float(np.linalg.norm(steepest))
    ends = []
    for sign in (-1.0, 1.0):
        ends.append(_end(value, slope, surface, root, height_slope, depth, sign, sign * np.sqrt(2 * depth) * steepest / error, error))
    low, high = (_inner(end, scale) for end in ends)
    return low, high


def _end(
    value: Any, slope: Any, surface: Any, root: Any, height_slope: Any, depth: float, sign: float, start: np.ndarray, error: float
) -> float:
    """The extreme of `value` on the set where the objective has not fallen by more than `depth`."""
    from scipy.optimize import minimize

    best = minimize(
        lambda z: -sign * value(z) / error,
        start,
        jac=lambda z: -sign * slope(value, z) / error,
        constraints={"type": "ineq", "fun": lambda z: max(surface.gain(root @ z), -1e6) + depth, "jac": height_slope},
        method="SLSQP",
        options={"ftol": 1e-10, "maxiter": 200},
    )
    if not np.isfinite(best.fun) or abs(surface.gain(root @ best.x) + depth) > CLOSE:
        side = "below" if sign < 0 else "above"
        raise DegenerateError(f"the log likelihood does not fall by {depth:.3g} {side} the estimate, or too irregularly to tell where")
    return value(best.x)


def _outer(v: float, scale: str) -> float:
    """A number on the scale of its logarithm or log odds, where likelihoods are closer to parabolas."""
    if scale == POSITIVE_SCALE:
        return float(np.log(v))
    with np.errstate(divide="ignore"):  # on the way to a bound
        return float(np.log(v) - np.log1p(-v)) if scale == PROBABILITY_SCALE else float(v)


def _inner(u: float, scale: str) -> float:
    if scale == POSITIVE_SCALE:
        return float(np.exp(u))
    return float(1 / (1 + np.exp(-u))) if scale == PROBABILITY_SCALE else u
