"""A fit: where it starts, its ascent by EM, and how it ends."""

from __future__ import annotations

import os
import time
from operator import attrgetter
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.base.random import Random, generator
from dmlcore.base.threads import one_blas_thread
from dmlcore.core.arguments import takes
from dmlcore.core.estimator import Estimator
from dmlcore.core.scoring import log_densities
from dmlcore.data.encoded import encode
from dmlcore.fitting.ascent import begun, reasons, runaways
from dmlcore.fitting.assignment import check_rule
from dmlcore.fitting.checkpoint import Checkpoint
from dmlcore.fitting.effort import Starts
from dmlcore.fitting.events import Event
from dmlcore.fitting.observe import Callback, observers, watched
from dmlcore.fitting.problem import Problem, paired
from dmlcore.fitting.record import Fit, Start
from dmlcore.fitting.removal import Removal
from dmlcore.fitting.run import Limits, run_to_end
from dmlcore.fitting.search import search
from dmlcore.fitting.starts import check_fraction, first_model, given_start, random_start
from dmlcore.fitting.stopping import Remaining, SmallChange, SmallGain, Unimproved


@takes(law="estimator")
@one_blas_thread()
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
    starts: int | Starts | None = None,
    accelerate: bool | None = None,
    change: float | None = None,
    vdata: Any = None,
    patience: int | None = None,
    time_limit: float | None = None,
    progress: bool = True,
    assign: str = "soft",
    min_share: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    engine: Any = None,
) -> Fit:
    """Maximum likelihood (or maximum a posteriori, where estimators have pseudo-counts) by EM.

    Without `delta` a good start is searched for (`dmlcore.fitting.search`), and steps longer than EM's are taken where they rise higher. A
    model without latent parts whose maximum is closed is fitted in one pass, without steps, unless `start`, `init_estimator` or `delta`
    ask for them. Ctrl-C returns the best model so far.

    The data:

    data: observations: a list, an array, a frame, a file; or what `seq_encode` made of them, or this estimator's `Problem` with them, which
        has their weights. Data may be read in parts (`dmlcore.stream`, a pattern of file names, a folder): the same EM, a sum over parts;
        the search for a start looks at a sample. Data of Dask (a `dask.dataframe`, a bag, delayed frames or lists of rows): its workers,
        those of the current `distributed.Client` if there is one, encode their partitions and keep them while the fit goes on. A DataFrame
        of Spark: its executors do so.
    weights: one number >= 0 per row; of data in parts the name of their column.

    Where it starts:

    start: a model to begin from; or, for a mixture (a gated one too), a component for each row `(n,)`, or shares of the components
        `(n, K)`.
    starts: how many random starts the search begins with (default: as many as it takes). 1 takes one random start as it is: about a
        fraction `init_p` of the rows, assigned to components at random (of `init_estimator`, if that is given).
    rng: a seed, or a source of random numbers; the same seed gives the same bits.
    init_p, init_estimator: of random starts, as DMLearn has them.

    When it stops: where less than 1e-8 is estimated to be left to gain (`dmlcore.fitting.stopping`) and the point is no saddle
    (`dmlcore.fitting.saddle`); or as one of these says.

    max_its: after so many steps from the start chosen.
    time_limit: after so many seconds.
    delta: where a step gains less than this (0 or less: never), with plain EM steps from one random start, as DMLearn does.
    change: also where an EM step changes no flat parameter by more than this.
    vdata: validation data; the model returned is the one, of those after each step, under which they are most likely.
    patience: when these have become no more likely for so many steps.

    How it goes:

    assign: how each step gives rows to latent classes. "soft": in parts, by posteriors; EM. "hard": to the most probable class, over all
        latent levels at once; classification EM, which maximises the classification log likelihood
        `sum_i weights_i max_z log p(x_i, z)` (k-means, where components differ in their means alone). "stochastic": to a class drawn with
        its posterior probability; the model returned is the best of those after each step, by log likelihood, and the fit stops after
        `max_its` steps, or when none of `patience` steps was better. Both take plain steps from where the search, which is soft, ends.
    min_share: components of the mixture that hold less than this share of the row weights are removed on the way, the lightest first
        (`Fit.events`, `Fit.removed`, `Fit.estimator`).
    accelerate: steps longer than EM's where they rise higher (`dmlcore.fitting.acceleration`); by default unless `delta` is given, or
        assign is not "soft".
    threads: how many; results do not depend on it.
    engine: a `concurrent.futures.Executor` whose workers, processes too, take the parts; data in memory are cut into parts for it.
    callback: called after each step with (steps, log likelihood, model).
    progress: whether a fit that takes longer than a second says in a line what it does, on a terminal or in a notebook; nothing is shown
        elsewhere.
    checkpoint: a file that is written after each step, from which the same call goes on to the same bits after it was killed; it stays when
        the fit has ended, and gives its end again.

    Returns a `Fit`: the model, and how it was found. Raises `DataError` for observations of the wrong kind, `SupportError` for a row
    without density, `EmptyError`, `DegenerateError`.
    """
    _check(max_its, delta, starts, time_limit, change)
    if starts is not None and starts != 1 and (start is not None or init_estimator is not None):
        raise ParameterError("starts is for random starts: leave it out, or leave out start and init_estimator")
    if patience is not None and ((vdata is None and assign != "stochastic") or not patience >= 1):
        raise ParameterError(f"patience must be a number of steps >= 1, and needs vdata or assign='stochastic'; got {patience!r}")
    check_fraction(init_p)
    check_rule(assign, accelerate, delta, change)
    began = time.perf_counter()
    deadline = np.inf if time_limit is None else began + time_limit
    problem = data if isinstance(data, Problem) else Problem.of(data, estimator, weights, threads, engine)
    estimator = problem.rows.named(estimator)  # so that the record's estimator reads other frames as its model does
    held_out = None if vdata is None else encode(vdata, problem.estimator.layout)
    if problem.resolved.closed and start is None and init_estimator is None and delta is None and min_share is None:
        return _closed(problem, estimator, callback, began, assign)
    removal = None if min_share is None else Removal(problem, estimator, min_share)
    rng = generator(rng)
    events: list[Event] = []
    tried: list[Start] = []
    searched, ended, reached, cut_short = 0, 0, 0, False
    first: Any = None
    resumable = None
    if checkpoint is not None:
        refused = {"vdata": vdata, "assign": None if assign == "soft" else assign, "min_share": min_share}
        resumable = _resumable(checkpoint, problem, estimator, refused, delta=delta, accelerate=accelerate)
    model: Any = None
    if resumable is not None and (first := resumable.saved()) is not None:
        pass  # it goes on from there
    elif start is not None:
        model = given_start(problem, start, rng)
    elif (
        starts == 1 or max_its == 0 or not problem.resolved.choosing or init_estimator is not None or (delta is not None and starts is None)
    ):
        model = first_model(problem, init_estimator, rng, init_p)
    else:
        with watched(progress, began) as shown:
            found = search(problem, rng, init_p, starts, deadline, max_its, shown)
        model, tried, searched, ended, reached = found.model, found.starts, found.steps, found.ended, found.reached
        events += found.events
        cut_short = found.interrupted
        first = found.state if assign == "soft" else None
    problem = problem.assigned(assign, rng)
    if model is not None and not problem.is_feasible(model):
        said = "the start is not tied or fixed as the estimator is; the record begins one EM step from it"
        events.append(Event("other start", said, step=0))
        model, first = problem.maximise(problem.expect(model)[1], model), None
    rules = _rules(problem, assign, delta, change)
    watch = None
    if held_out is not None:
        watch = Unimproved(lambda state: float(log_densities(state.model, held_out, threads).sum()), patience, "the validation data")
    elif assign == "stochastic":
        watch = Unimproved(attrgetter("rank"), patience, "the data")
    rules += [] if watch is None else [watch]
    accelerate = delta is None and assign == "soft" if accelerate is None else accelerate
    limits = Limits(0 if cut_short else max_its, deadline)
    with observers(callback, progress, began) as tell:
        path = run_to_end(first or begun(problem, model), accelerate, rules, removal, limits, tell, resumable, problem)
    last, problem = path.last, path.last.problem
    best, history, objective = last.model, path.history, path.objective
    events += path.events
    if watch is not None and watch.best is not None:
        said = f"of {last.step} steps, {watch.what} chose the model after step {watch.step}"
        events.append(Event("chosen step", said, step=watch.step))
        best, history, objective = watch.best, history[: watch.step + 1], objective[: watch.step + 1]
    status, message = last.status or "", last.message
    if cut_short:
        status, message = "interrupted", "interrupted in the search for a start; the model is the best so far"
    for place, _, law in paired(problem.estimator, best):
        for k in np.flatnonzero(np.asarray(getattr(law, "w", ())) == 0).tolist():
            said = "component {component} has no weight, and keeps the law it had"
            events.append(Event("no weight", said, place=place, component=k))
    if best is last.model and problem.resolved.latent:
        events += last.weakly_supported
    if (why := reasons(problem, best) or (last.runaways if best is last.model else [])) and status != "interrupted":
        status, message = "degenerate", why[0].with_text(f"{why[0].text} (after {last.step} steps: {message})")
    if assign == "hard":
        message += "; what it maximised is the classification log likelihood"
    seconds = time.perf_counter() - began
    kept = estimator if removal is None else removal.estimator_of(best)
    removed = len(estimator.children()) - len(kept.children())
    rows = problem.rows.weight
    return Fit(best, status, message, history, objective, seconds, events, tried, searched, ended, reached, assign, kept, removed, rows)


def _resumable(path: Any, problem: Problem, estimator: Any, refused: dict[str, Any], **options: Any) -> Checkpoint:
    """Where a fit is saved. Raises `ParameterError` for options whose ascents leave more behind than their last step."""
    for name, value in refused.items():
        if value is not None:
            raise ParameterError(f"checkpoint does not go with {name}={value!r}; leave one of them out")
    return Checkpoint.at(path, problem, estimator, options)


def _closed(problem: Problem, estimator: Estimator, callback: Callback | None, began: float, assign: str) -> Fit:
    """The record of a fit whose maximum follows from the statistics of all rows."""
    model = random_start(problem, np.random.default_rng(0), 1.0)
    log_likelihood = problem.log_likelihood(model)  # names a row that no parameters could give positive density
    objective = log_likelihood + float(problem.log_prior(model))
    if callback is not None:
        callback(0, log_likelihood, model)
    status, message = "converged", "the maximum is closed: it took no steps"
    if why := reasons(problem, model) or runaways(problem, model, problem.resolved.start_statistics):
        status, message = "degenerate", why[0].with_text(f"{why[0].text} ({message})")
    seconds = time.perf_counter() - began
    return Fit(model, status, message, [log_likelihood], [objective], seconds, assign=assign, estimator=estimator, rows=problem.rows.weight)


def _rules(problem: Problem, assign: str, delta: float | None, change: float | None) -> list[Any]:
    others: list[Any] = [] if change is None else [SmallChange(change)]
    if assign == "stochastic":
        return others
    return [SmallGain(delta) if delta is not None else Remaining(problem.unit), *others]


def _check(max_its: Any, delta: Any, starts: Any, time_limit: Any, change: Any) -> None:
    if not isinstance(max_its, (int, np.integer)) or max_its < 0:
        raise ParameterError(f"max_its must be a whole number >= 0, got {max_its!r}")
    if delta is not None and not delta < np.inf:
        raise ParameterError(f"delta must be a number or None, got {delta!r}")
    if starts is not None and not isinstance(starts, Starts) and (not isinstance(starts, (int, np.integer)) or starts < 1):
        raise ParameterError(f"starts must be a whole number >= 1 or None, got {starts!r}")
    if time_limit is not None and not time_limit > 0:
        raise ParameterError(f"time_limit must be seconds > 0 or None, got {time_limit!r}")
    if change is not None and not (isinstance(change, (int, float, np.number)) and change >= 0):
        raise ParameterError(f"change must be a number >= 0 or None, got {change!r}")
