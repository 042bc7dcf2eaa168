"""The bootstrap: fit again to data drawn again, and see how the parameters spread (Efron 1979; McLachlan and Peel 2000, section 2.16)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dmlcore.base.errors import DegenerateError, FitWarning, ParameterError, StructureError
from dmlcore.base.random import Random, generator, spawn
from dmlcore.base.threads import map_in_order
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.redraw import redrawn
from dmlcore.data.encoded import Encoded, encode, row_weights
from dmlcore.fitting.fit import fit
from dmlcore.fitting.problem import Problem
from dmlcore.inference.parameters import PROBABILITY_SCALE, Block, named_numbers
from dmlcore.inference.relabel import aligned
from dmlcore.inference.uncertainty.result import StandardErrors, failure, lengths

FEWEST = 2  # replicates that have a spread
REFIT_GAIN = 1e-6  # nats that the last step of a refit gains: what is left is nothing against the spread of refits
Draw = Callable[[np.random.Generator], tuple[Any, Any]]  # data and weights
MOST_FAILED = 0.1  # share of replicates that may fail before the caller hears of it


def bootstrapped(
    problem: Problem,
    estimator: Estimator,
    model: Distribution,
    weights: Any,
    parts: list[Block],
    notes: dict[str, str],
    replicates: int,
    parametric: bool,
    rng: Random,
) -> StandardErrors:
    """Standard errors from refits, each started from the model, their components matched to its."""
    if not isinstance(replicates, (int, np.integer)) or replicates < FEWEST:
        raise ParameterError(f"replicates must be a whole number >= {FEWEST}, got {replicates!r}")
    problem = problem.with_single_rows("a bootstrap")
    streams = spawn(generator(rng), int(replicates))
    draw = new_rows(problem, model, weights) if parametric else partial(rows_again, problem)

    found = refits(draw, estimator, model, streams, problem.rows.threads)
    failures = [e for e in found if isinstance(e, Exception)]
    models = tuple(m for m in found if not isinstance(m, Exception))
    if len(models) < max(FEWEST, replicates / 2):
        raise DegenerateError(f"{len(failures)} of {replicates} bootstrap fits failed; the first: {failures[0]}") from failures[0]
    if len(failures) > MOST_FAILED * replicates:
        warnings.warn(f"{len(failures)} of {replicates} bootstrap fits failed; the first: {failures[0]}", FitWarning, stacklevel=4)
    names = tuple(name for part in parts for name in part.names)
    scales = tuple(scale for part in parts for scale in part.scales)
    default = [0.0 if scale == PROBABILITY_SCALE else np.nan for scale in scales]  # a label that was not drawn has probability zero
    values = np.array([[numbers.get(n, d) for n, d in zip(names, default, strict=True)] for numbers in map(named_numbers, models)])
    apart = (values - values.mean(axis=0)).T / np.sqrt(len(values) - 1)
    errors, covariance = lengths(apart), apart @ apart.T
    out = np.array([name in notes for name in names], dtype=bool)
    errors[out], covariance[out], covariance[:, out] = np.nan, np.nan, np.nan
    estimates = np.concatenate([np.zeros(0), *(part.numbers() for part in parts)])
    return StandardErrors(model, "bootstrap", names, scales, estimates, errors, covariance, notes, np.zeros((0, 0)), models, values)


def refits(
    draw: Draw, estimator: Estimator, model: Distribution, streams: list[np.random.Generator], threads: int, assign: str = "soft"
) -> list[Any]:
    """Fits, each from the model on, to the data that `draw` makes of each stream: the models, components in the order of `model`'s, or
    the error of a fit that failed because of its data."""

    def refit(stream: np.random.Generator) -> Any:
        data, weights = draw(stream)
        try:
            found = fit(
                data, estimator, weights=weights, start=model, threads=1, assign=assign, delta=REFIT_GAIN, accelerate=assign == "soft"
            )
        except Exception as error:
            if failure(error):
                return error
            raise
        return aligned(found.model, model)

    return list(map_in_order(refit, streams, threads))


def posterior_models(
    estimator: Estimator, model: Distribution, data: Any, weights: Any, count: int, rng: np.random.Generator, assign: str = "soft"
) -> list[Distribution]:
    """So many models about as likely, given the data, as a posterior draw: fits, from `model` on, to rows weighted at random.

    The weighted likelihood bootstrap (Rubin 1981; Newton and Raftery 1994). No row is left out, so that what was seen keeps a density
    under each, rare labels too. Fits that fail are drawn again; raises `DegenerateError` where more fail than are wanted.
    """
    problem = Problem.of(data, estimator, weights).with_single_rows("a bootstrap")
    assign = "hard" if assign == "hard" else "soft"  # the maximum that drawn classes seek is that of posteriors
    models: list[Distribution] = []
    failures: list[Exception] = []
    while len(models) < count:
        found = refits(partial(random_weights, problem), estimator, model, spawn(rng, count - len(models)), problem.rows.threads, assign)
        failures += [e for e in found if isinstance(e, Exception)]
        models += [m for m in found if not isinstance(m, Exception)]
        if len(failures) > count:
            raise DegenerateError(f"{len(failures)} fits to rows weighted at random failed; the first: {failures[0]}") from failures[0]
    if len(failures) > MOST_FAILED * count:
        warnings.warn(f"{len(failures)} fits to rows weighted at random failed; the first: {failures[0]}", FitWarning, stacklevel=4)
    return models


def random_weights(problem: Problem, rng: np.random.Generator) -> tuple[Any, Any]:
    """The rows with weights from a Dirichlet law about their own, which sum to as much: a weight counts as so many rows."""
    share = problem.rows.each_weight
    drawn = rng.gamma(share)
    return problem.encoded, drawn * (share.sum() / drawn.sum())


def rows_again(problem: Problem, rng: np.random.Generator) -> tuple[Any, Any]:
    """The rows drawn with replacement, as weights."""
    share = problem.rows.each_weight
    total = float(share.sum())
    return problem.encoded, rng.multinomial(max(1, round(total)), share / total).astype(np.float64)


def new_rows(problem: Problem, model: Distribution, weights: Any) -> Draw:
    """Draws as many new rows from the model as there are; at the covariates there are, and at labels and lengths that have no law."""
    layout = problem.estimator.layout
    if not model.given_covariates:
        count = problem.rows.count if problem.rows.weights is None else max(1, round(problem.rows.weight))
        return lambda rng: (encode(model.sample(count, rng), layout), None)
    if isinstance(problem.rows.raw, Encoded):
        raise StructureError("a parametric bootstrap of a regression, or of what has no law, needs the rows themselves, not encoded data")
    repeats: Any = row_weights(weights, problem.rows.count)
    if repeats is not None and (repeats != np.round(repeats)).any():
        raise ParameterError("a parametric bootstrap of a regression, or of what has no law, needs weights that are whole numbers of rows")
    each = problem.rows.observations()
    rows = [each[i] for i in np.repeat(np.arange(problem.rows.count), 1 if repeats is None else repeats.astype(int)).tolist()]
    return lambda rng: (encode(redrawn(model, rows, rng), layout), None)
