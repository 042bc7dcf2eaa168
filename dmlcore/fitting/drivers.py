"""The functions users of DMLearn know, thin on `Problem` and `fit`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from dmlcore.base.errors import EmptyError, FitWarning, ParameterError, StructureError
from dmlcore.base.random import Random, generator, spawn
from dmlcore.base.threads import APART, map_in_order, thread_count
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.data.encoded import Encoded, encode, row_weights
from dmlcore.data.values import listed
from dmlcore.engines.choice import chunks_of, in_parts
from dmlcore.fitting.chunked import OnChunk
from dmlcore.fitting.fit import fit
from dmlcore.fitting.observe import watched
from dmlcore.fitting.problem import Problem, log_likelihood_of
from dmlcore.fitting.record import Fit
from dmlcore.fitting.rows import WeightedRows
from dmlcore.fitting.starts import adjusted, random_start

UNSOUND = ("degenerate", "decreased")  # how a fit may end that is no maximum at all


@takes(law="estimator")
def initialize(data: Any, estimator: Estimator, rng: Random = None, p: float = 0.1, weights: Any = None) -> Distribution:
    """A random start: about a fraction `p` of the rows, assigned at random wherever a component must be chosen."""
    if not 0 < p <= 1:
        raise ParameterError(f"p must be in (0, 1], got {p!r}")
    problem = Problem.of(data, estimator, weights)
    model = random_start(problem, generator(rng), p)
    problem.log_likelihood(model)  # raises `SupportError` for a row that no start gives a density
    return model


@takes(law="estimator")
def estimate(data: Any, estimator: Estimator, prev_estimate: Distribution | None = None, weights: Any = None) -> Distribution:
    """One EM step from `prev_estimate`. A model without latent parts needs none: the result is its maximum likelihood fit."""
    problem = Problem.of(data, estimator, weights)
    if prev_estimate is not None:
        previous = adjusted(problem, prev_estimate)
        return problem.maximise(problem.expect(previous)[1], previous)
    if not problem.resolved.latent and not problem.resolved.closed_form:
        return fit(problem, estimator).model
    if problem.resolved.latent:
        raise StructureError(f"{estimator.label} has latent parts: estimate() needs prev_estimate (see initialize), or use optimize()")
    model = random_start(problem, generator(0), 1.0)
    problem.log_likelihood(model)  # names a row that no parameters could give positive density
    return model


def seq_encode(
    data: Any, encoder: Any = None, estimator: Any = None, model: Any = None, num_chunks: int = 1, chunk_size: int | None = None
) -> Encoded:
    """Observations as columns, for an estimator or a model (any of the three arguments takes either).

    num_chunks and chunk_size are accepted and have no effect: there is one chunk, and the engine cuts it into blocks. The result reads
    as DMLearn's list of chunks too: `[0]` is the pair `(rows, encoded)`.
    """
    node = next((node for node in (encoder, estimator, model) if node is not None), None)
    if node is None:
        raise StructureError("seq_encode needs the estimator or the model that the data are for")
    return encode(data, node.layout)


def seq_log_density(enc_data: Any, estimate: Distribution | Sequence[Distribution], threads: int | None = None) -> np.ndarray:
    """Log densities `(n,)` of encoded (or raw) data; of several models, a list or tuple of them, `(models, n)`.

    Of data of Dask a `dask.array`, which is not computed yet; of several models, computed.
    """
    if isinstance(estimate, Distribution):
        return estimate.seq_log_density(enc_data, threads)
    data = enc_data if in_parts(enc_data) else listed(enc_data)
    return np.array([np.asarray(seq_log_density(data, model, threads)) for model in estimate])


def seq_log_density_sum(enc_data: Any, estimate: Distribution, weights: Any = None, threads: int | None = None) -> tuple[float, float]:
    """`(rows, log likelihood)`; with weights, their sum and the weighted log likelihood."""
    if in_parts(enc_data) and (weights is None or isinstance(weights, str)):
        both = chunks_of(enc_data, estimate.layout, weights, threads).total(OnChunk(partial(_weight_and_log, estimate)))
        return float(both[0]), float(both[1])
    log = np.asarray(seq_log_density(enc_data, estimate, threads))
    if weights is None:
        return float(len(log)), float(log.sum())
    w: Any = row_weights(weights, len(log))
    return float(w.sum()), float(np.where(w > 0, log, 0.0) @ w)


def _weight_and_log(model: Distribution, rows: WeightedRows) -> np.ndarray:
    return np.array([rows.weight, log_likelihood_of(model, rows)])


@takes(law="estimator", data="enc_data")
def seq_initialize(enc_data: Any, estimator: Estimator, rng: Random = None, p: float = 0.1, weights: Any = None) -> Distribution:
    """`initialize` on encoded data."""
    return initialize(enc_data, estimator, rng, p, weights)


@takes(law="estimator", data="enc_data")
def seq_estimate(enc_data: Any, estimator: Estimator, prev_estimate: Distribution, weights: Any = None) -> Distribution:
    """`estimate` on encoded data."""
    return estimate(enc_data, estimator, prev_estimate, weights)


@takes(fit, law="estimator")
def optimize(
    data: Any,
    estimator: Estimator,
    max_its: int = 1000,
    delta: float | None = None,
    init_estimator: Estimator | None = None,
    init_p: float = 0.1,
    rng: Random = None,
    prev_estimate: Distribution | None = None,
    vdata: Any = None,
    enc_data: Any = None,
    enc_vdata: Any = None,
    out: Any = None,
    print_iter: int | None = None,
    num_chunks: int = 1,
    **options: Any,
) -> Any:
    """Fits by EM and returns the distribution; `dmlcore.fit` returns the record of the same fit, and says what the options mean.

    Without `delta` a good start is searched for and steps are accelerated; with it, plain EM goes on from one random start until a step
    gains less, on a plateau too. prev_estimate: a model, labels or shares to begin from. enc_data: encoded data in place of `data`.
    vdata or enc_vdata: validation data; the model returned is the one, of those after each step, under which they are most likely.
    print_iter: print every so many steps, to `out` or the current stdout; None prints nothing. num_chunks: accepted, has no effect.
    options: further keyword arguments of `dmlcore.fit`: weights, threads, starts, accelerate, change, patience, time_limit, progress,
    assign, min_share.

    A `FitWarning` says where more starts, or another model, would help: a degenerate fit, or one best start among several asked for.
    """
    held_out = _validation(vdata, enc_vdata, estimator)
    record = fit(
        _given(data, enc_data),
        estimator,
        start=prev_estimate,
        rng=rng,
        init_p=init_p,
        init_estimator=init_estimator,
        max_its=max_its,
        delta=delta,
        vdata=held_out,
        callback=_Printer(print_iter, out, held_out) if print_iter else None,
        **options,
    )
    _tell_end(print_iter, out, record)
    if record.status in UNSOUND:
        warnings.warn(f"the fit is {record.status}: {record.message}", FitWarning, stacklevel=3)
    elif (options.get("starts") or 1) > 1 and record.reached == 1 < record.ended:
        warnings.warn(
            f"only one of {record.ended} starts came to the best value; more starts may find a better one", FitWarning, stacklevel=3
        )
    return record.model


@takes(fit, law="estimator")
def iterate(
    data: Any,
    estimator: Estimator,
    max_its: int,
    prev_estimate: Distribution | None = None,
    init_p: float = 0.1,
    rng: Random = None,
    init_estimator: Estimator | None = None,
    enc_data: Any = None,
    out: Any = None,
    print_iter: int | None = None,
    **options: Any,
) -> Any:
    """Exactly `max_its` plain EM steps, without a test of convergence."""
    places = (max_its, 0.0, init_estimator, init_p, rng, prev_estimate, None, enc_data, None, out, print_iter)
    return optimize(data, estimator, *places, **options)


@takes(fit, law="est")
def best_of(
    data: Any,
    vdata: Any,
    est: Estimator,
    trials: int,
    max_its: int = 1000,
    init_p: float = 0.1,
    delta: float | None = None,
    rng: Random = None,
    init_estimator: Estimator | None = None,
    enc_data: Any = None,
    enc_vdata: Any = None,
    out: Any = None,
    print_iter: int | None = None,
    **options: Any,
) -> tuple[float, Any]:
    """`(log likelihood of the validation data, model)` of the best of several fits, each from one random start and to its end.

    Without validation data the training data decide. A fit that ended degenerate is taken only if all did. A start that fails is
    passed over with a `FitWarning`; if all do, the first error is raised. Ctrl-C returns the best so far. With several `threads`, fits of
    large data run side by side. `fit(starts=n)` gives up hopeless starts early, and keeps a record of all.
    """
    if trials < 1:
        raise ParameterError(f"trials must be >= 1, got {trials}")
    training, validation = encode(_given(data, enc_data), est.layout), _validation(vdata, enc_vdata, est)
    threads = thread_count(options.pop("threads", None))
    side_by_side = threads if print_iter is None and training.nbytes >= APART else 1
    options = {"starts": 1, "threads": threads if side_by_side == 1 else 1} | options

    def one(stream: Any) -> Fit | Exception:
        watch = _Printer(print_iter, out, None) if print_iter else None
        try:
            return fit(
                training,
                est,
                rng=stream,
                init_p=init_p,
                init_estimator=init_estimator,
                max_its=max_its,
                delta=delta,
                callback=watch,
                **options,
            )
        except (ValueError, np.linalg.LinAlgError) as error:
            return error

    best: tuple[bool, float, Fit] | None = None
    failures: list[Exception] = []
    try:
        with watched(options.get("progress", True) and not print_iter) as watch:
            watch.say(f"the first of {trials} starts", 0, trials)
            for trial, ended in enumerate(map_in_order(one, spawn(generator(rng), trials), side_by_side), start=1):
                if isinstance(ended, Exception):
                    failures.append(ended)
                    _say(print_iter, out, f"Trial {trial}: failed, {ended}")
                    continue
                _tell_end(print_iter, out, ended)
                value = ended.log_likelihood
                if validation is not None:
                    _, value = seq_log_density_sum(validation, ended.model, None, threads)
                _say(print_iter, out, f"Trial {trial}: {'validation ' if validation is not None else ''}log likelihood {value:.6f}")
                found = (ended.status not in UNSOUND, value, ended)
                if best is None or found[:2] > best[:2]:
                    best = found
                if ended.status == "interrupted":
                    break
                watch.say(f"{trial} of {trials} starts, best so far {best[1]:.6g}", trial, trials)
    except KeyboardInterrupt:
        if best is None:
            raise
    if best is None:
        raise failures[0]
    if failures:
        warnings.warn(f"{len(failures)} of {trials} starts failed; the first: {failures[0]}", FitWarning, stacklevel=3)
    sound, value, record = best
    if not sound:
        warnings.warn(f"the best fit is {record.status}: {record.message}", FitWarning, stacklevel=3)
    return value, record.model


class _Printer:
    """Prints every so many steps of a fit, with the log likelihood of validation data if there are any."""

    def __init__(self, every: int, out: Any, validation: Any):
        self.every, self.out, self.validation = every, out, validation
        self.last = np.nan

    def __call__(self, step: int, log_likelihood: float, model: Distribution) -> None:
        if step and step % self.every == 0:
            text = f"Iteration {step}: log likelihood {log_likelihood:.6f}, gain {log_likelihood - self.last:.6e}"
            if self.validation is not None:
                text += f", validation {seq_log_density_sum(self.validation, model)[1]:.6f}"
            _say(self.every, self.out, text)
        self.last = log_likelihood


def _tell_end(every: int | None, out: Any, record: Fit) -> None:
    end = f"log likelihood {record.history[-1]:.6f}, {record.status}: {record.message}"
    _say(every, out, f"Iteration {record.iterations}: {end}")


def _say(every: int | None, out: Any, text: str) -> None:
    if every:
        print(text, file=sys.stdout if out is None else out, flush=True)


def _given(data: Any, enc_data: Any) -> Any:
    if data is None and enc_data is None:
        raise EmptyError("there are no data: give data or enc_data")
    return data if enc_data is None else enc_data


def _validation(vdata: Any, enc_vdata: Any, estimator: Estimator) -> Encoded | None:
    given = vdata if enc_vdata is None else enc_vdata
    return None if given is None else encode(given, estimator.layout)
