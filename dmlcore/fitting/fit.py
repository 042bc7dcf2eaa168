"""The one EM loop: expect, add, maximise, stop; it returns what happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dmlcore.core.distribution import Distribution
from dmlcore.core.errors import ParameterError
from dmlcore.core.estimator import Estimator
from dmlcore.core.random import Random, generator
from dmlcore.fitting.problem import Problem, paired
from dmlcore.fitting.saddle import better_point
from dmlcore.fitting.stopping import Remaining, SmallGain, fell


@dataclass(repr=False)
class Fit:
    """What a fit did.

    model: the best distribution found. status: converged, iteration limit, decreased, degenerate or interrupted; message: why, in a
    sentence. history: the log likelihood after i steps, i = 0, 1, ..; objective: the same with the log prior. seconds: wall time.
    events: what else happened on the way, such as a saddle that was left.
    """

    model: Any
    status: str  # converged, iteration limit, decreased, degenerate, interrupted
    message: str
    history: list[float] = field(repr=False)
    objective: list[float] = field(repr=False)
    seconds: float
    events: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        head = f"status={self.status!r}, log_likelihood={self.log_likelihood!r}, iterations={self.iterations}, seconds={self.seconds:.3g}"
        return f"Fit({head}, message={self.message!r}, events={self.events!r}, model={self.model!r})"

    @property
    def log_likelihood(self) -> float:
        """Log likelihood of the data under `model`."""
        return self.history[-1]

    @property
    def iterations(self) -> int:
        """EM steps taken."""
        return len(self.history) - 1

    @property
    def converged(self) -> bool:
        """Whether the status is "converged"."""
        return self.status == "converged"


def fit(
    data: Any,
    estimator: Estimator,
    *,
    weights: Any = None,
    start: Distribution | None = None,
    rng: Random = None,
    init_p: float = 0.1,
    init_estimator: Estimator | None = None,
    max_its: int = 1000,
    delta: float | None = None,
    threads: int | None = None,
    callback: Callable[[int, float, Distribution], None] | None = None,
) -> Fit:
    """Maximum likelihood (or maximum a posteriori, where estimators have pseudo-counts) by EM.

    data: observations, or what `seq_encode` made of them. weights: one number >= 0 per row. start: a model to begin from; without
    one, a random start from `rng` and a fraction `init_p` of the rows (of `init_estimator`, if that is given). max_its: most steps.
    delta: stop when a step gains less than this; None: stop when what is left to gain is estimated below 1e-8
    (`dmlcore.fitting.stopping`) and the point is no saddle (`dmlcore.fitting.saddle`); 0 or less: never. threads: how many; results
    do not depend on it. callback: called after each step with (steps, log likelihood, model). Ctrl-C returns the best model so far.

    Raises `DataError` for observations of the wrong kind, `SupportError` for a row without density, `EmptyError`, `DegenerateError`.
    """
    if not isinstance(max_its, (int, np.integer)) or max_its < 0:
        raise ParameterError(f"max_its must be a whole number >= 0, got {max_its!r}")
    if delta is not None and not delta < np.inf:
        raise ParameterError(f"delta must be a number or None, got {delta!r}")
    began = time.perf_counter()
    problem = Problem(data, estimator, weights, threads)
    model = problem.check(start) if start is not None else first_model(problem, data, init_estimator, weights, generator(rng), init_p)
    rule = SmallGain(delta) if delta is not None else Remaining(problem.unit)
    escape_rng = np.random.default_rng(0)
    history: list[float] = []
    events: list[str] = []
    if not problem.permits(model):
        events.append("the start is not tied or fixed as the estimator is; the record begins one EM step from it")
        model = problem.maximise(problem.expect(model)[1], model)
    objective: list[float] = []
    best = model
    status, message = "iteration limit", f"stopped at the limit of {max_its} steps; more may be gained"
    try:
        for step in range(max_its + 1):
            log_likelihood, statistics = problem.expect(model)
            value = log_likelihood + problem.log_prior(model)
            if objective and fell(objective[-1], value, problem.unit):
                status, message = "decreased", f"step {step} lowered the objective from {objective[-1]!r} to {value!r}"
                break
            history.append(log_likelihood)
            objective.append(value)
            best = model
            if callback is not None:
                callback(step, log_likelihood, model)
            still = step > 0 and rule.met(objective)
            beyond = None
            if delta is None and step < max_its and (still or rule.stalled(objective)):
                beyond = better_point(problem, model, value, escape_rng)
            if beyond is not None:
                events.append(f"step {step}: EM stood nearly still at a saddle; went on from a better point nearby")
                model = beyond
            elif still:
                status, message = "converged", rule.message
                break
            elif step < max_its:
                model = problem.maximise(statistics, model)
    except (KeyboardInterrupt, SystemError) as error:
        if not history or not interrupted(error):
            raise
        status, message = "interrupted", f"interrupted after {len(history) - 1} steps; the model is the best so far"
    for path, _, law in paired(problem.estimator, best):
        for k in np.flatnonzero(np.asarray(getattr(law, "w", ())) == 0):
            events.append(f"{path or 'at the top'}: component {k} has no weight, and keeps the law it had")
    reasons = [f"{path}: {why}" for path, e, law in paired(problem.estimator, best) if (why := e.degenerate(law))]
    if reasons and status != "interrupted":
        status, message = "degenerate", f"{reasons[0]} (after {len(history) - 1} steps: {message})"
    return Fit(best, status, message, history, objective, time.perf_counter() - began, events)


def interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: while numba reads its arguments it arrives as a SystemError, or several, that it caused."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def first_model(problem: Problem, data: Any, init_estimator: Any, weights: Any, rng: Any, p: float) -> Distribution:
    """A random start of the problem's estimator, or of another of the same shape."""
    if not 0 < p <= 1:
        raise ParameterError(f"init_p must be in (0, 1], got {p!r}")
    if init_estimator is None:
        return problem.start(rng, p)
    return problem.check(Problem(data, init_estimator, weights, problem.threads).start(rng, p))
