"""The functions users of DMLearn know, thin on `Problem` and `fit`."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np

from dmlcore.core.distribution import Distribution
from dmlcore.core.errors import EmptyError, FitWarning, ParameterError, StructureError
from dmlcore.core.estimator import Estimator
from dmlcore.core.random import Random, generator, spawn
from dmlcore.core.walk import log_densities
from dmlcore.data.encoded import Encoded, encode, row_weights
from dmlcore.fitting.fit import Fit, fit
from dmlcore.fitting.problem import Problem

UNSOUND = ("degenerate", "decreased")  # how a fit may end that is no maximum at all


def initialize(data: Any, estimator: Estimator, rng: Random = None, p: float = 0.1, weights: Any = None) -> Distribution:
    """A random start: about a fraction `p` of the rows, assigned at random wherever a component must be chosen."""
    if not 0 < p <= 1:
        raise ParameterError(f"p must be in (0, 1], got {p!r}")
    problem = Problem(data, estimator, weights)
    model = problem.start(generator(rng), p)
    problem.log_likelihood(model)  # raises `SupportError` for a row that no start gives a density
    return model


def estimate(data: Any, estimator: Estimator, prev_estimate: Distribution | None = None, weights: Any = None) -> Distribution:
    """One EM step from `prev_estimate`. A model without latent parts needs none: the result is its maximum likelihood fit."""
    problem = Problem(data, estimator, weights)
    if prev_estimate is not None:
        return problem.maximise(problem.expect(problem.check(prev_estimate))[1], prev_estimate)
    if problem.latent:
        raise StructureError(f"{estimator.label} has latent parts: estimate() needs prev_estimate (see initialize), or use optimize()")
    model = problem.start(generator(0), 1.0)
    problem.log_likelihood(model)  # names a row that no parameters could give positive density
    return model


def seq_encode(data: Any, encoder: Any = None, estimator: Any = None, model: Any = None, num_chunks: int = 1) -> Encoded:
    """Observations as columns, for an estimator or a model. num_chunks is accepted and has no effect: blocks are cut by the engine."""
    node = next((node for node in (encoder, estimator, model) if node is not None), None)
    if node is None:
        raise StructureError("seq_encode needs the estimator or the model that the data are for")
    return encode(data, node.layout)


def seq_log_density(enc_data: Any, estimate: Distribution, threads: int | None = None) -> np.ndarray:
    """Log densities `(n,)` of encoded (or raw) data."""
    return log_densities(estimate, encode(enc_data, estimate.layout), threads)


def seq_log_density_sum(enc_data: Any, estimate: Distribution, weights: Any = None, threads: int | None = None) -> tuple[float, float]:
    """`(rows, log likelihood)`; with weights, their sum and the weighted log likelihood."""
    log = seq_log_density(enc_data, estimate, threads)
    if weights is None:
        return float(len(log)), float(log.sum())
    w: Any = row_weights(weights, len(log))
    return float(w.sum()), float(np.where(w > 0, log, 0.0) @ w)


def seq_initialize(enc_data: Any, estimator: Estimator, rng: Random = None, p: float = 0.1, weights: Any = None) -> Distribution:
    """`initialize` on encoded data."""
    return initialize(enc_data, estimator, rng, p, weights)


def seq_estimate(enc_data: Any, estimator: Estimator, prev_estimate: Distribution, weights: Any = None) -> Distribution:
    """`estimate` on encoded data."""
    return estimate(enc_data, estimator, prev_estimate, weights)


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
    *,
    weights: Any = None,
    threads: int | None = None,
) -> Any:
    """Fits by EM and returns the distribution; `dmlcore.fit` returns the record of the same fit. Arguments as there.

    With `delta` the fit stops at the first step that gains less, on a plateau too; without, it looks for a way on from saddles.
    prev_estimate: a model to begin from. enc_data: encoded data in place of `data`. vdata or enc_vdata: validation data; the model
    returned is the one, of those after each step, under which they are most likely. print_iter: print every so many steps, to `out`
    or the current stdout; None prints nothing.
    """
    watch = _Watch(print_iter, out, _validation(vdata, enc_vdata))
    record = _watched(
        watch,
        _given(data, enc_data),
        estimator,
        max_its,
        delta,
        init_estimator,
        init_p,
        rng,
        prev_estimate,
        weights=weights,
        threads=threads,
    )
    if record.status in UNSOUND:
        warnings.warn(f"the fit is {record.status}: {record.message}", FitWarning, stacklevel=2)
    return record.model if watch.best is None else watch.best


def _watched(
    watch: _Watch,
    data: Any,
    estimator: Estimator,
    max_its: int,
    delta: float | None,
    init_estimator: Estimator | None,
    init_p: float,
    rng: Random,
    start: Distribution | None,
    weights: Any,
    threads: int | None,
) -> Fit:
    record = fit(
        data,
        estimator,
        weights=weights,
        start=start,
        rng=rng,
        init_p=init_p,
        init_estimator=init_estimator,
        max_its=max_its,
        delta=delta,
        threads=threads,
        callback=watch,
    )
    watch.end(record)
    return record


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
    *,
    weights: Any = None,
    threads: int | None = None,
) -> Any:
    """Exactly `max_its` EM steps, without a test of convergence."""
    return optimize(
        data,
        estimator,
        max_its,
        0.0,
        init_estimator,
        init_p,
        rng,
        prev_estimate,
        None,
        enc_data,
        None,
        out,
        print_iter,
        weights=weights,
        threads=threads,
    )


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
    *,
    weights: Any = None,
    threads: int | None = None,
) -> tuple[float, Any]:
    """`(log likelihood of the validation data, model)` of the best of several fits from random starts.

    Without validation data the training data decide. A fit that ended degenerate is taken only if all did. A start that fails is
    passed over with a `FitWarning`; if all do, the first error is raised. Ctrl-C returns the best so far.
    """
    if trials < 1:
        raise ParameterError(f"trials must be >= 1, got {trials}")
    training, validation = encode(_given(data, enc_data), est.layout), _validation(vdata, enc_vdata)
    held_out = validation is not None
    best: tuple[bool, float, Fit] | None = None
    failures: list[Exception] = []
    try:
        for trial, stream in enumerate(spawn(generator(rng), trials), start=1):
            try:
                watch = _Watch(print_iter, out, None)
                record = _watched(watch, training, est, max_its, delta, init_estimator, init_p, stream, None, weights, threads)
            except (ValueError, np.linalg.LinAlgError) as error:
                failures.append(error)
                _say(print_iter, out, f"Trial {trial}: failed, {error}")
                continue
            value = record.log_likelihood
            if held_out:
                _, value = seq_log_density_sum(validation, record.model, None, threads)
            _say(print_iter, out, f"Trial {trial}: {'validation ' if held_out else ''}log likelihood {value:.6f}")
            found = (record.status not in UNSOUND, value, record)
            if best is None or found[:2] > best[:2]:
                best = found
            if record.status == "interrupted":
                break
    except KeyboardInterrupt:
        if best is None:
            raise
    if best is None:
        raise failures[0]
    if failures:
        warnings.warn(f"{len(failures)} of {trials} starts failed; the first: {failures[0]}", FitWarning, stacklevel=2)
    sound, value, record = best
    if not sound:
        warnings.warn(f"the best fit is {record.status}: {record.message}", FitWarning, stacklevel=2)
    return value, record.model


class _Watch:
    """Sees each step of a fit: prints, and keeps the model under which validation data are most likely."""

    def __init__(self, every: int | None, out: Any, validation: Any):
        self.every, self.out, self.validation = every, out, validation
        self.best: Any = None
        self.best_value, self.last = -np.inf, np.nan

    def __call__(self, step: int, log_likelihood: float, model: Distribution) -> None:
        text = f"Iteration {step}: log likelihood {log_likelihood:.6f}, gain {log_likelihood - self.last:.6e}"
        if self.validation is not None:
            _, value = seq_log_density_sum(self.validation, model)
            text += f", validation {value:.6f}"
            if self.best is None or value > self.best_value:
                self.best, self.best_value = model, value
        self.last = log_likelihood
        if self.every and step and step % self.every == 0:
            _say(self.every, self.out, text)

    def end(self, record: Fit) -> None:
        _say(
            self.every,
            self.out,
            f"Iteration {record.iterations}: log likelihood {record.log_likelihood:.6f}, {record.status}: {record.message}",
        )


def _say(every: int | None, out: Any, text: str) -> None:
    if every:
        print(text, file=sys.stdout if out is None else out, flush=True)


def _given(data: Any, enc_data: Any) -> Any:
    if data is None and enc_data is None:
        raise EmptyError("there are no data: give data or enc_data")
    return data if enc_data is None else enc_data


def _validation(vdata: Any, enc_vdata: Any) -> Any:
    return vdata if enc_vdata is None else enc_vdata
