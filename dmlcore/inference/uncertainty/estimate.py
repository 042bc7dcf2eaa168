"""Standard errors of the parameters of any model: observed information, sandwich, bootstrap."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, FitWarning, ParameterError, StructureError
from dmlcore.base.random import Random
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.data.frames import plain_column
from dmlcore.data.values import is_missing, listed
from dmlcore.fitting.problem import Problem, paired
from dmlcore.fitting.record import Fit, fitted_by
from dmlcore.inference.parameters import FIXED, ON_BOUND, Block, fixed_fields, numbers_of, parameter_blocks
from dmlcore.inference.uncertainty.bootstrap import bootstrapped
from dmlcore.inference.uncertainty.result import StandardErrors, lengths
from dmlcore.inference.uncertainty.surface import WEAK_ERROR, Curvature, Surface

METHODS = ("observed", "sandwich", "bootstrap")
EACH_ROW = "rows"  # in place of labels of clusters
FEWEST_CLUSTERS = 2
UNDETERMINED = "the data do not determine it"
ZEROED = "set to zero by the penalty"
LEFT = 1e-2  # nats still to gain, beyond which a model is no maximum to speak of
LOADING = 1e-3  # standard errors by which an undetermined direction moves a parameter that takes part in it


@takes(law="model")
def standard_errors(
    model: Distribution | Fit,
    data: Any,
    *,
    estimator: Estimator | None = None,
    weights: Any = None,
    kind: str = "observed",
    replicates: int = 200,
    parametric: bool = False,
    rng: Random = None,
    threads: int | None = None,
    clusters: Iterable[Any] | str | None = None,
) -> StandardErrors:
    """Standard errors of every parameter of a fitted model.

    model: a distribution, or what `fit` returned. data, weights: what it was fitted to; a weight counts as so many rows. estimator: what it
    was fitted by (default: that of the fit, or `model.estimator()`); it says what is held fixed, what lies on a floor, and with
    pseudo-counts it adds their curvature.
    kind: "observed": the inverse of minus the second derivatives of the log likelihood, in unconstrained parameters, carried to
    the parameters by the delta method. "sandwich": valid also where the model is only an approximation (Huber 1967; White 1982).
    "bootstrap": the spread of `replicates` fits, started from the model, to rows drawn again, or with `parametric` to rows drawn from
    the model (of a regression, at the covariates there are); components are matched to the model's. rng: for the bootstrap. threads:
    how many; results do not depend on it.
    clusters: labels `(n,)` of rows that may depend on each other, as those of one firm or village; the errors are then sandwich ones with
    the scores of clusters in place of rows (Liang and Zeger 1986), times G / (G - 1) of G clusters. The weights are then those of a
    sampling design, whose unit does not matter; "rows": each row is drawn by itself.

    Observed and sandwich errors take about d^2 evaluations of the log likelihood, of d free parameters; they hold near a maximum only, and
    a `FitWarning` says so where the model is none. Parameters without a standard error (on a bound or a floor, fixed, or
    undetermined by the data) are listed with the reason in `notes`. Raises `SupportError` for a row without density.
    """
    if kind not in METHODS:
        raise ParameterError(f"kind must be one of {', '.join(METHODS)}, got {kind!r}")
    if clusters is not None:
        if kind == "bootstrap":
            raise ParameterError("clusters are of sandwich errors; a bootstrap draws rows by themselves")
        kind = "sandwich"
    model, estimator = fitted_by(model, estimator)
    problem = Problem.of(data, estimator, weights, threads)
    problem.check(model)
    if not problem.is_feasible(model):
        raise StructureError("the model is not tied or fixed as the estimator is; pass the estimator that it was fitted by")
    parts = parameter_blocks(model)
    notes = dict(without_coordinates(problem, model, parts))
    if kind == "bootstrap":
        return bootstrapped(problem, estimator, model, weights, parts, notes, replicates, parametric, rng)
    surface, curvature = curved(problem, model, parts, notes)
    root = curvature.root
    count = 0
    if kind == "sandwich":
        if clusters is None:
            products = surface.scores(root, curvature.step)
        else:
            codes = cluster_codes(clusters, problem.with_single_rows("errors by clusters").rows.count)
            count = int(codes.max()) + 1
            products = surface.cluster_scores(root, curvature.step, codes) * count / (count - 1)
        values, vectors = np.linalg.eigh(products)
        root = root @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    return replace(standard_errors_of(model, kind, parts, notes, root, curvature.loose), clusters=count)


def cluster_codes(labels: Any, n: int) -> np.ndarray:
    """Labels of clusters as numbers from 0 on, `(n,)`. Raises `DataError` for missing ones, `ParameterError` for fewer than two."""
    if isinstance(labels, str):
        if labels != EACH_ROW:
            raise ParameterError(f"clusters must be a label for each row, or {EACH_ROW!r}, got {labels!r}")
        return np.arange(n)
    values = plain_column(listed(labels))
    known: dict[Any, int] = {}
    codes = np.array([known.setdefault(value, len(known)) for value in np.asarray(values, dtype=object).tolist()], dtype=np.intp)
    if len(codes) != n:
        raise DataError(f"clusters has {len(codes)} entries, there are {n} rows; need one for each row")
    if (gone := next((label for label in known if is_missing(label)), EACH_ROW)) is not EACH_ROW:
        raise DataError(f"clusters: row {int(np.argmax(codes == known[gone]))} is {gone!r}; need the label of a cluster")
    if len(known) < FEWEST_CLUSTERS:
        raise ParameterError(f"errors by clusters need at least {FEWEST_CLUSTERS} of them, got {len(known)}")
    return codes


def curved(problem: Problem, model: Distribution, parts: list[Block], notes: dict[str, str]) -> tuple[Surface, Curvature]:
    """The curvature of the objective in the coordinates of all parameters that have no note, or sit next to one on a bound."""
    surface = Surface(problem, model)
    d = len(surface.centre)
    bounded, free = np.zeros(d, dtype=bool), np.zeros(d, dtype=bool)
    for part in parts:
        bounded[part.start : part.stop] = part.bounded
        free[part.start : part.stop] = any(notes.get(name, ON_BOUND) == ON_BOUND for name in part.names)
    scales = surface.scales(np.flatnonzero(free), bounded)
    silent = ~np.isfinite(scales) | (bounded & (scales > WEAK_ERROR))
    scales[silent] = 0.0
    curvature = surface.whitened(scales, bounded)
    if curvature.left > LEFT * problem.unit:
        why = f"the model is not at a maximum: at least {curvature.left:.3g} nats are left to gain nearby"
        warnings.warn(f"{why}, so its standard errors say little; fit it further", FitWarning, stacklevel=4)
    return surface, replace(curvature, loose=np.concatenate([curvature.loose, np.eye(d)[:, silent]], axis=1))


def standard_errors_of(
    model: Distribution, kind: str, parts: list[Block], notes: dict[str, str], root: np.ndarray, loose: np.ndarray
) -> StandardErrors:
    """The result, from a root of the covariance of the flat parameters and the directions that are not determined."""
    spreads = [np.zeros((0, root.shape[1]))]
    for part in parts:
        own = root[part.start : part.stop]
        errors = lengths(own)
        steps = np.where(part.bounded | (errors == 0), 1e-3 * np.clip(errors, 1e-3, 1.0), 1e-2 * errors)
        jacobian = part.jacobian(steps)
        spreads.append(jacobian @ own)
        reach = np.abs(jacobian @ loose[part.start : part.stop]).max(axis=1, initial=0.0)
        unsure = reach > LOADING * lengths(spreads[-1])
        notes |= {name: UNDETERMINED for name, out in zip(part.names, unsure, strict=True) if out and name not in notes}
    spread = np.concatenate(spreads)
    errors = lengths(spread)
    with np.errstate(over="ignore", under="ignore"):
        covariance = spread @ spread.T
    names = tuple(name for part in parts for name in part.names)
    out = np.array([name in notes for name in names], dtype=bool)
    errors[out], covariance[out], covariance[:, out] = np.nan, np.nan, np.nan
    scales = tuple(scale for part in parts for scale in part.scales)
    values = np.concatenate([np.zeros(0), *(part.numbers() for part in parts)])
    return StandardErrors(model, kind, names, scales, values, errors, covariance, notes, root)


def without_coordinates(problem: Problem, model: Distribution, parts: list[Block]) -> Iterator[tuple[str, str]]:
    """Names of parameters that are fixed, at a floor, or on a bound, and why."""
    fixed = fixed_fields(problem.estimator, model)
    left_out = {(path, field): out for path, e, law in paired(problem.estimator, model) for field, out in e.left_out(law).items()}
    floors = {path: why for path, e, law in paired(problem.estimator, model) if (why := e.degenerate(law))}
    for part in parts:
        if (out := left_out.get((part.path, part.field))) is not None:
            yield from ((name, ZEROED) for name, zero in zip(part.names, numbers_of(part.domain, out), strict=True) if zero)
        if (part.path, part.field) in fixed:
            yield from ((name, FIXED) for name in part.names)
        elif part.path in floors and part.bounded.any():
            yield from ((name, f"at its floor: {floors[part.path]}") for name in part.names)
        else:
            yield from ((name, ON_BOUND) for name, bound in zip(part.names, part.on_bound(), strict=True) if bound)
