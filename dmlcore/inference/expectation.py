"""Expectation values of what one likes: exact sums where a model has few values, draws and their error elsewhere."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dmlcore.base.domains import Whole
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.random import Random, generator
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution, as_values
from dmlcore.core.powers import HasProbabilities, MayBeMissing, has
from dmlcore.data.layouts import Count, Maybe
from dmlcore.data.record_layouts import Fields
from dmlcore.fitting.record import Fit, model_of
from dmlcore.inference.condition import marginal

MOST_VALUES = 1 << 17  # so many values are gone through one by one
TOTAL_TOLERANCE = 1e-9  # how far from one the probabilities of all values may sum to


class Expectation(NamedTuple):
    """An expected value, and its standard error: 0 where it is an exact sum."""

    value: Any
    error: Any


@takes()
def expected(model: Distribution | Fit, f: Callable[[Any], Any], size: int = 100_000, rng: Random = None) -> Expectation:
    """The expected value of `f(x)` for an observation x of the model, with its standard error.

    model: a distribution, or what `fit` returned. f: of one observation as the model draws it (a dict where its fields have names), a
    number or an array. Where an observation has at most 131,072 values (labels, whole numbers in a range, tuples of them), the sum over all
    of them, with error 0; else the mean of `size` draws from `rng`. Of what is left unknown, ask `expected(condition(model, observed), f)`.
    """
    model = model_of(model, "expected")
    check_draws(size)
    found = finite_values(model)
    if found is not None:
        values, p = found
        return Expectation(np.tensordot(p, np.array([f(x) for x in values], dtype=np.float64), 1)[()], 0.0)
    return mean_of_draws(np.array([f(x) for x in as_values(model.sample(size, rng=generator(rng)))], dtype=np.float64))


def check_draws(size: Any) -> None:
    """Raises `ParameterError` unless a mean of so many draws has an error."""
    try:
        Whole(2).check(size)
    except ParameterError as error:
        raise ParameterError(f"size {error}") from None


def mean_of_draws(values: np.ndarray) -> Expectation:
    """The mean of draws `(n, ..)`, and its standard error."""
    return Expectation(values.mean(axis=0)[()], (values.std(axis=0, ddof=1) / math.sqrt(len(values)))[()])


def finite_values(model: Any) -> tuple[list[Any], np.ndarray] | None:
    """All values of an observation, and their probabilities; None where there are too many, or the model has a density."""
    try:
        values = values_of(model)
    except StructureError:
        return None
    if values is None:
        return None
    p = np.exp(model.seq_log_density(values))
    if not abs(p.sum() - 1.0) < TOTAL_TOLERANCE:
        return None
    there = np.flatnonzero(p > 0).tolist()
    return [values[i] for i in there], p[there]


def values_of(law: Any) -> list[Any] | None:
    """Values among which are all that a law can give."""
    layout = law.layout
    if has(law, MayBeMissing):
        inside = values_of(law.value_law())
        return inside if inside is None or law.missing_probability() is None else [*inside, law.missing_value]
    if isinstance(layout, Fields):
        return _rows_of(layout, [values_of(marginal(law, j)) for j in range(len(layout.values))])
    if not (layout.value if isinstance(layout, Maybe) else layout).single:
        return None
    if isinstance(layout, Count) and law.support is not None and np.isfinite([law.support.low, law.support.high]).all():
        low, high = math.ceil(law.support.low), math.floor(law.support.high)
        return list(range(low, high + 1)) if high - low < MOST_VALUES else None
    if law.children():
        parts = [values_of(child) for child in law.children()]
        return None if any(part is None for part in parts) else list(dict.fromkeys(itertools.chain(*parts)))  # type: ignore[arg-type]
    return list(law.probabilities()) if has(law, HasProbabilities) else None


def _rows_of(layout: Fields, columns: Sequence[list[Any] | None]) -> list[Any] | None:
    """Rows of all values of their columns."""
    if any(column is None for column in columns) or math.prod(map(len, columns)) > MOST_VALUES:  # type: ignore[arg-type]
        return None
    rows = itertools.product(*columns)  # type: ignore[arg-type]
    return list(rows) if layout.entry_names is None else list(map(layout.by_name, rows))
