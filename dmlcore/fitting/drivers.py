"""The functions users of DMLearn know, thin on `Problem` and `fit`."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from dmlcore.core.distribution import Distribution
from dmlcore.core.errors import EmptyError, ParameterError, StructureError
from dmlcore.core.estimator import Estimator
from dmlcore.core.random import Random, generator, spawn
from dmlcore.core.walk import log_densities
from dmlcore.data.encoded import Encoded, encode, row_weights
from dmlcore.fitting.fit import Fit, fit
from dmlcore.fitting.problem import Problem


def initialize(data: Any, estimator: Estimator, rng: Random = None, p: float = 0.1, weights: Any = None) -> Distribution:
    """A random start: about a fraction `p` of the rows, assigned at random wherever a component must be chosen."""
    if not 0 < p <= 1:
        raise ParameterError(f"p must be in (0, 1], got {p!r}")
    return Problem(data, estimator, weights).start(generator(rng), p)


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

    prev_estimate: a model to begin from. enc_data: encoded data in place of `data`. vdata or enc_vdata: validation data; the model
    returned is the one, of those after each step, under which they are most likely. print_iter: print every so many steps, to `out`
    or the current stdout; None prints nothing.
    """
    watch = _Watch(print_iter, out, _validation(vdata, enc_vdata))
    record = fit(
        _given(data, enc_data),
        estimator,
        weights=weights,
        start=prev_estimate,
        rng=rng,
        init_p=init_p,
        init_estimator=init_estimator,
        max_its=max_its,
        delta=delta,
        threads=threads,
        callback=watch,
    )
    watch.end(record)
    return record.model if watch.best is None else watch.best


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

    Without validation data the training data decide. A start that fails is passed over; if all do, the first error is raised.
    """
    if trials < 1:
        raise ParameterError(f"trials must be >= 1, got {trials}")
    training, validation = encode(_given(data, enc_data), est.layout), _validation(vdata, enc_vdata)
    best: tuple[float, Any] | None = None
    first_error: Exception | None = None
    for trial, stream in enumerate(spawn(generator(rng), trials), start=1):
        try:
            model = optimize(
                training,
                est,
                max_its,
                delta,
                init_estimator,
                init_p,
                stream,
                out=out,
                print_iter=print_iter,
                weights=weights,
                threads=threads,
            )
        except (ValueError, np.linalg.LinAlgError) as error:
            first_error = first_error or error
            _say(print_iter, out, f"Trial {trial}: failed, {error}")
            continue
        held_out = weights is not None and validation is None
        _, value = seq_log_density_sum(training if validation is None else validation, model, weights if held_out else None, threads)
        _say(print_iter, out, f"Trial {trial}: validation log likelihood {value:.6f}")
        if best is None or value > best[0]:
            best = (value, model)
    if best is None:
        raise first_error  # type: ignore[misc]
    return best


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
