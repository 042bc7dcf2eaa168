"""Where an ascent begins when nothing is searched for: a random start, a model, labels or shares of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, ParameterError, StructureError
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.fitting.problem import Problem


def first_model(problem: Problem, data: Any, init_estimator: Estimator | None, weights: Any, rng: Any, p: float) -> Distribution:
    """A random start of the problem's estimator, or of another of the same shape."""
    if init_estimator is None:
        return problem.start(rng, p)
    return begun(problem, Problem(data, init_estimator, weights, problem.threads).start(rng, p))


def given_start(problem: Problem, start: Any, rng: np.random.Generator) -> Distribution:
    """The model to begin from, as the user gives it: a model, a component for each row, or shares of the components."""
    if isinstance(start, Distribution):
        return begun(problem, start)
    K = getattr(problem.estimator, "num_components", None)
    if K is None:
        got = type(start).__name__
        raise StructureError(f"start does not fit the estimator: {problem.estimator.label} is no mixture, so it must be a model, got {got}")
    return problem.start_from(shares_of(start, problem.rows, K), rng)


def begun(problem: Problem, model: Any) -> Distribution:
    """A model to begin from, as the estimator would have it. Raises `StructureError` where it is of another shape."""
    return problem.check(adopted(problem.estimator, model))


def adopted(estimator: Estimator, law: Any) -> Any:
    """A law whose parts are as the estimator would have them: without a law of lengths, say, where lengths are not modelled."""
    parts = law.children() if isinstance(law, Distribution) else ()
    if len(parts) != len(estimator.children()):
        return law
    new = tuple(adopted(e, e.adopt(part)) for e, part in zip(estimator.children(), parts, strict=True))
    return law if all(a is b for a, b in zip(new, parts, strict=True)) else law.replace(**law.child_values(new))


def shares_of(start: Any, n: int, K: int) -> np.ndarray:
    """Checked shares `(K, n)` of K components in n rows, from shares `(n, K)` or from one component per row `(n,)`."""
    try:
        given = np.asarray(start, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"start must be a model, {n} components, or shares ({n}, {K}); got {type(start).__name__}") from None
    if given.shape == (n,):
        wrong = (given != np.floor(given)) | ~(given >= 0) | ~(given < K)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(f"start: row {row} is {given[row]:g}; need a component, 0 to {K - 1}")
        return (np.arange(K)[:, None] == given).astype(np.float64)
    if given.shape != (n, K):
        raise DataError(f"start must have shape ({n},) or ({n}, {K}), got {given.shape}")
    wrong = ~((given >= 0) & np.isfinite(given)).all(axis=1) | ~(given.sum(axis=1) > 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"start: row {row} is {given[row].tolist()}; need shares >= 0, not all zero")
    return np.ascontiguousarray((given / given.sum(axis=1, keepdims=True)).T)


def check_fraction(p: float) -> None:
    """Raises `ParameterError` unless a fraction of the rows is in (0, 1]."""
    if not 0 < p <= 1:
        raise ParameterError(f"init_p must be in (0, 1], got {p!r}")
