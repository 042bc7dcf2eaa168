"""A fit: where it starts, its ascent by EM, and how it ends."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from dmlcore.core.errors import ParameterError
from dmlcore.core.estimator import Estimator
from dmlcore.core.random import Random, generator
from dmlcore.core.walk import log_densities
from dmlcore.data.encoded import encode
from dmlcore.fitting.climb import Climb, interrupted, reasons
from dmlcore.fitting.observe import Callback, observers
from dmlcore.fitting.problem import Problem, paired
from dmlcore.fitting.record import Fit, Start
from dmlcore.fitting.saddle import better_point
from dmlcore.fitting.search import search
from dmlcore.fitting.starts import check_fraction, first_model, given_start
from dmlcore.fitting.stopping import Remaining, SmallChange, SmallGain, Unimproved


def fit(
    data: Any,
    estimator: Estimator,
    *,
    weights: Any = None,
    start: Any = None,
    rng: Random = None,
    init_p: float = 0.1,
    init_estimator: Estimator | None = None,
    max_its: int = 1000,
    delta: float | None = None,
    threads: int | None = None,
    callback: Callback | None = None,
    starts: int | None = None,
    accelerate: bool | None = None,
    change: float | None = None,
    vdata: Any = None,
    patience: int | None = None,
    time_limit: float | None = None,
    progress: bool = False,
) -> Fit:
    """Maximum likelihood (or maximum a posteriori, where estimators have pseudo-counts) by EM.

    data: observations, or what `seq_encode` made of them. weights: one number >= 0 per row.

    Where it starts. start: a model to begin from; or, for a mixture, a component for each row `(n,)`, or shares of the components
    `(n, K)`. Without one, a good start is searched for (`dmlcore.fitting.search`), from `starts` random ones. starts=1 takes one random
    start as it is: about a fraction `init_p` of the rows, assigned to components at random (of `init_estimator`, if that is given).

    When it stops. Where less than 1e-8 is estimated to be left to gain (`dmlcore.fitting.stopping`) and the point is no saddle
    (`dmlcore.fitting.saddle`); after `max_its` steps from the start chosen, or `time_limit` seconds. delta: instead, where a step gains
    less than this (0 or less: never), with plain EM steps from one random start, as DMLearn does. change: also where an EM step changes
    no flat parameter by more than this. vdata: validation data; the model returned is the one, of those after each step, under which
    they are most likely; patience: stop when they have become no more likely for so many steps. Ctrl-C returns the best model so far.

    accelerate: steps longer than EM's where they rise higher (`dmlcore.fitting.acceleration`); by default unless `delta` is given.
    threads: how many; results do not depend on it. callback: called after each step with (steps, log likelihood, model). progress: show
    a bar (needs tqdm).

    Raises `DataError` for observations of the wrong kind, `SupportError` for a row without density, `EmptyError`, `DegenerateError`.
    """
    _check(max_its, delta, starts, time_limit, change)
    if starts is not None and starts > 1 and (start is not None or init_estimator is not None):
        raise ParameterError("starts is for random starts: leave it out, or leave out start and init_estimator")
    if patience is not None and (vdata is None or not patience >= 1):
        raise ParameterError(f"patience must be a number of steps >= 1, and needs vdata; got {patience!r}")
    check_fraction(init_p)
    began = time.perf_counter()
    deadline = np.inf if time_limit is None else began + time_limit
    problem = Problem(data, estimator, weights, threads)
    events: list[str] = []
    tried: list[Start] = []
    searched, ended, reached, cut_short = 0, 0, 0, False
    if start is not None:
        model = given_start(problem, start, generator(rng))
    elif starts == 1 or not problem.latent or init_estimator is not None or (delta is not None and starts is None):
        model = first_model(problem, data, init_estimator, weights, generator(rng), init_p)
    else:
        found = search(problem, generator(rng), init_p, starts, deadline)
        model, tried, searched, ended, reached = found.model, found.starts, found.steps, found.ended, found.reached
        events += found.events
        cut_short = found.interrupted
    if not problem.permits(model):
        events.append("the start is not tied or fixed as the estimator is; the record begins one EM step from it")
        model = problem.maximise(problem.expect(model)[1], model)
    climb = Climb(problem, model, accelerate=delta is None if accelerate is None else accelerate)
    rules: list[Any] = [SmallGain(delta) if delta is not None else Remaining(problem.unit)]
    if change is not None:
        rules.append(SmallChange(change))
    watch = None
    if vdata is not None:
        held_out = encode(vdata, problem.estimator.layout)
        watch = Unimproved(lambda law: float(log_densities(law, held_out, threads).sum()), patience)
        rules.append(watch)
    with observers(callback, progress, max_its) as tell:
        _ascend(climb, rules, 0 if cut_short else max_its, deadline, tell, events)
    if not climb.history:
        raise KeyboardInterrupt
    best, history, objective = climb.model, climb.history, climb.objective
    if watch is not None and watch.best is not None:
        events.append(f"of {climb.steps} steps, the validation data chose the model after step {watch.step}")
        best, history, objective = watch.best, history[: watch.step + 1], objective[: watch.step + 1]
    status, message = climb.status or "", climb.message
    if cut_short:
        status, message = "interrupted", "interrupted in the search for a start; the model is the best so far"
    for path, _, law in paired(problem.estimator, best):
        for k in np.flatnonzero(np.asarray(getattr(law, "w", ())) == 0):
            events.append(f"{path or 'at the top'}: component {k} has no weight, and keeps the law it had")
    if best is climb.model and problem.latent:
        events += climb.thin
    if (why := reasons(problem, best)) and status != "interrupted":
        status, message = "degenerate", f"{why[0]} (after {climb.steps} steps: {message})"
    seconds = time.perf_counter() - began
    return Fit(best, status, message, history, objective, seconds, events, tried, searched, ended, reached)


def _ascend(climb: Climb, rules: list[Any], max_its: int, deadline: float, tell: Callback, events: list[str]) -> None:
    """Steps until a rule is met, a limit is reached, or Ctrl-C; saddles are left on the way."""
    stop, escape_rng = rules[0], np.random.default_rng(0)
    try:
        while climb.status is None:
            climb.step()
            if climb.status is not None:
                break
            tell(climb.steps, climb.history[-1], climb.model)
            settled, *others = [rule.met(climb) if climb.steps else None for rule in rules]
            why = settled or next(filter(None, others), None)
            if time.perf_counter() > deadline:
                climb.status, climb.message = "time limit", f"stopped at the time limit after {climb.steps} steps; more may be gained"
            elif climb.steps >= max_its and why is None:
                climb.status, climb.message = "iteration limit", f"stopped at the limit of {max_its} steps; more may be gained"
            elif isinstance(stop, Remaining) and climb.steps < max_its and (settled or stop.stalled(climb)):
                beyond = better_point(climb.problem, climb.model, climb.objective[-1], escape_rng)
                if beyond is not None:
                    events.append(f"step {climb.steps}: EM stood nearly still at a saddle; went on from a better point nearby")
                    climb.move_to(beyond)
                    continue
            if climb.status is None and why is not None:
                before = climb.steps
                if climb.steps < max_its:
                    climb.settle()
                if climb.steps > before:
                    tell(climb.steps, climb.history[-1], climb.model)
                if climb.status is None:
                    climb.status, climb.message = "converged", why
    except (KeyboardInterrupt, SystemError) as error:
        if not climb.history or not interrupted(error):
            raise
        climb.status, climb.message = "interrupted", f"interrupted after {climb.steps} steps; the model is the best so far"


def _check(max_its: Any, delta: Any, starts: Any, time_limit: Any, change: Any) -> None:
    if not isinstance(max_its, (int, np.integer)) or max_its < 0:
        raise ParameterError(f"max_its must be a whole number >= 0, got {max_its!r}")
    if delta is not None and not delta < np.inf:
        raise ParameterError(f"delta must be a number or None, got {delta!r}")
    if starts is not None and (not isinstance(starts, (int, np.integer)) or starts < 1):
        raise ParameterError(f"starts must be a whole number >= 1 or None, got {starts!r}")
    if time_limit is not None and not time_limit > 0:
        raise ParameterError(f"time_limit must be seconds > 0 or None, got {time_limit!r}")
    if change is not None and not (isinstance(change, (int, float, np.number)) and change >= 0):
        raise ParameterError(f"change must be a number >= 0 or None, got {change!r}")
