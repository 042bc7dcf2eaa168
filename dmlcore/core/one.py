"""Scoring one observation, as a service does, without making columns of it.

A law makes a function of one raw value from the functions of its children (`Distribution.one`). Such a function reads what is plainly a
number, a label, a record; whatever else stands there (another kind of number, a mark, a mistake) raises `Otherwise`, and then the whole
observation goes the ordinary way, which knows all kinds and says what is wrong. Both ways use the same formulas in the same order: the
bits are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dmlcore.base.errors import BadValue
from dmlcore.core.distribution import Distribution, log_densities_inside
from dmlcore.core.scoring import to_score
from dmlcore.core.walk import DistinctCache, Forward
from dmlcore.data.columns import Values
from dmlcore.data.layouts import Anything, Count, Labels, Real, Vector
from dmlcore.data.sequences import LabelSet

One = Callable[[Any], np.ndarray]  # log density (.., 1) of one value, of a law or of a stack of them; never to be written over
EXACT_WHOLE = 1 << 53  # whole numbers below are numbers of a column as they are
REMEMBERED = 1024  # distinct values of a discrete law whose log densities are kept


class Otherwise(Exception):
    """A value that is not plainly of its kind."""


def log_density_of_one(model: Any) -> Callable[[Any], float]:
    """The log density of one raw observation, as a function of it. Raises `DataError` for what the model does not read."""
    if model.scored_one is None:
        model.derive(scored_one=_made(model))
    return model.scored_one  # type: ignore[no-any-return]


def _made(model: Any) -> Callable[[Any], float]:
    one: One | None = None

    def log_density(x: Any) -> float:
        nonlocal one
        try:
            one = one or score_of_one(to_score(model))
            return one(x).item()
        except Otherwise:
            return float(model.seq_log_density(model.seq_encode([x]))[0])

    return log_density


def score_of_one(law: Any) -> One:
    """The log density of one value under a law, as a function of it."""
    return law.one(score_of_one)  # type: ignore[no-any-return]


def one_value(law: Any) -> One:
    """Of a law that says nothing better, by what it reads."""
    kind = type(law.layout)
    if kind is Real:
        score = _scored(law)
        return lambda x: score(Values(np.array([a_number(x)])))
    if kind is Anything:
        same = as_a_column(law)(None)
        return lambda x: same
    if kind in PLAIN:
        return _remembered(as_a_column(law), PLAIN[kind])
    return _of_a_vector(law) if kind is Vector and law.layout.dim else as_a_column(law)


def a_number(x: Any) -> float:
    """A finite number that is plainly one."""
    if isinstance(x, float) or (type(x) is int and abs(x) < EXACT_WHOLE):
        number = float(x)
        if math.isfinite(number):
            return number
    raise Otherwise


def _scored(law: Any) -> Callable[[Any], np.ndarray]:
    """The log densities of a column."""
    if type(law).forward is Distribution.forward:
        return partial(log_densities_inside, law)
    return lambda column: Forward(law.repeated, DistinctCache())(law, column)[0]


def _of_a_vector(law: Any) -> One:
    score = _scored(law)

    def one(x: Any) -> np.ndarray:
        if type(x) is not np.ndarray:
            x = np.array(list(map(a_number, x))) if type(x) in (list, tuple) else None
        if x is None or x.dtype != np.float64 or x.shape != (law.layout.dim,) or not np.isfinite(x).all():
            raise Otherwise
        return score(Values(x[None, :]))

    return one


def as_a_column(law: Any) -> One:
    """Of any law: the value as a column of one."""

    def one(x: Any) -> np.ndarray:
        try:
            column = law.layout.encode([x])
        except BadValue:
            raise Otherwise from None
        return Forward(law.repeated, DistinctCache())(law, column)[0]

    return one


def _remembered(one: One, plain: Callable[[Any], Any]) -> One:
    """The same for values that come again. plain: of a value that which is equal for equal ones alone; raises `Otherwise`."""
    known: dict[Any, np.ndarray] = {}

    def look(x: Any) -> np.ndarray:
        key = plain(x)
        found = known.get(key)
        if found is None:
            found = one(x)
            if len(known) < REMEMBERED:
                known[key] = found
        return found

    return look


def a_count(x: Any) -> int:
    """A whole number that is plainly one."""
    if type(x) is int:
        return x
    raise Otherwise


def a_label(x: Any) -> str | int:
    """A label of text or a whole number."""
    if isinstance(x, str) or type(x) is int:  # True equals 1
        return x
    raise Otherwise


def a_set(x: Any) -> frozenset[str]:
    """A set of distinct texts."""
    if type(x) in (list, tuple, set, frozenset) and all(isinstance(label, str) for label in x):
        labels = frozenset(x)
        if len(labels) == len(x):
            return labels
    raise Otherwise


PLAIN: dict[type, Callable[[Any], Any]] = {Count: a_count, Labels: a_label, LabelSet: a_set}
