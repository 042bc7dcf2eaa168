"""The bootstrap: fit again to data drawn again, and see how the parameters spread (Efron 1979; McLachlan and Peel 2000, section 2.16)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dmlcore.core.distribution import Distribution
from dmlcore.core.errors import DegenerateError, FitWarning, ParameterError, StructureError
from dmlcore.core.estimator import Estimator
from dmlcore.core.random import Random, generator, spawn
from dmlcore.data.encoded import Encoded, encode, row_weights
from dmlcore.engines.threads import map_in_order
from dmlcore.fitting.fit import fit
from dmlcore.fitting.problem import Problem
from dmlcore.inference.uncertainty.parameters import PROBABILITY, Block, named_numbers
from dmlcore.inference.uncertainty.redraw import conditional, redrawn
from dmlcore.inference.uncertainty.result import StandardErrors, failure, lengths

FEWEST = 2  # replicates that have a spread
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
    from dmlcore.selection.order import aligned

    if not isinstance(replicates, (int, np.integer)) or replicates < FEWEST:
        raise ParameterError(f"replicates must be a whole number >= {FEWEST}, got {replicates!r}")
    streams = spawn(generator(rng), int(replicates))
    draw = new_rows(problem, model, weights) if parametric else partial(rows_again, problem)

    def refit(stream: np.random.Generator) -> Any:
        data, again = draw(stream)
        try:
            found = fit(data, estimator, weights=again, start=model, threads=1)
        except Exception as error:
            if failure(error):
                return error
            raise
        return aligned(found.model, model)

    found = list(map_in_order(refit, streams, problem.threads))
    failures = [e for e in found if isinstance(e, Exception)]
    models = tuple(m for m in found if not isinstance(m, Exception))
    if len(models) < max(FEWEST, replicates / 2):
        raise DegenerateError(f"{len(failures)} of {replicates} bootstrap fits failed; the first: {failures[0]}") from failures[0]
    if len(failures) > MOST_FAILED * replicates:
        warnings.warn(f"{len(failures)} of {replicates} bootstrap fits failed; the first: {failures[0]}", FitWarning, stacklevel=3)
    names = tuple(name for part in parts for name in part.names)
    scales = tuple(scale for part in parts for scale in part.scales)
    default = [0.0 if scale == PROBABILITY else np.nan for scale in scales]  # a label that was not drawn has probability zero
    values = np.array([[numbers.get(n, d) for n, d in zip(names, default, strict=True)] for numbers in map(named_numbers, models)])
    apart = (values - values.mean(axis=0)).T / np.sqrt(len(values) - 1)
    errors, covariance = lengths(apart), apart @ apart.T
    out = np.array([name in notes for name in names], dtype=bool)
    errors[out], covariance[out], covariance[:, out] = np.nan, np.nan, np.nan
    estimates = np.concatenate([np.zeros(0), *(part.numbers() for part in parts)])
    return StandardErrors(model, "bootstrap", names, scales, estimates, errors, covariance, notes, np.zeros((0, 0)), models, values)


def rows_again(problem: Problem, rng: np.random.Generator) -> tuple[Any, Any]:
    """The rows drawn with replacement, as weights."""
    share = np.ones(len(problem.encoded)) if problem.weights is None else problem.weights
    total = float(share.sum())
    return problem.encoded, rng.multinomial(max(1, round(total)), share / total).astype(np.float64)


def new_rows(problem: Problem, model: Distribution, weights: Any) -> Callable[[np.random.Generator], tuple[Any, Any]]:
    """Draws as many new rows from the model as there are; of a regression, at the covariates there are."""
    layout = problem.estimator.layout
    if not conditional(model):
        count = problem.rows if problem.weights is None else max(1, round(float(problem.weights.sum())))
        return lambda rng: (encode(model.sample(count, rng), layout), None)
    if isinstance(problem.raw, Encoded):
        raise StructureError("a parametric bootstrap of a regression needs the rows themselves, not encoded data")
    repeats: Any = row_weights(weights, problem.rows)
    if repeats is not None and (repeats != np.round(repeats)).any():
        raise ParameterError("a parametric bootstrap of a regression needs weights that are whole numbers of rows")
    each = problem.observations()
    rows = [each[i] for i in np.repeat(np.arange(problem.rows), 1 if repeats is None else repeats.astype(int)).tolist()]
    return lambda rng: (encode(redrawn(model, rows, rng), layout), None)
