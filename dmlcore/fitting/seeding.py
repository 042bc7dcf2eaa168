"""Starts whose components lie apart: like rows begin together, wherever a model has classes to choose.

Rows are alike if laws of the model find them alike: each is described by its log densities under a few laws, fitted to random parts of the
rows. For an exponential family these are random projections of the sufficient statistics, in the scale of their sampling errors (a
Fisher kernel: Jaakkola and Haussler 1999), so that means, variances, labels, sequences and residuals count each by its own measure and no
family needs a rule of its own. Among rows so described, centres are drawn as in k-means++ (Arthur and Vassilvitskii 2007), and each
row begins with the component of the nearest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dmlcore.base.errors import DmlcoreError
from dmlcore.base.labels import Vocabulary
from dmlcore.core.keys import Ties, maximise, own_statistics, resolve
from dmlcore.core.walk import Backward, DistinctCache, FirstPass, Forward, take_pending
from dmlcore.data.columns import Distinct, Option, Parallel, Ragged, Record, Values
from dmlcore.fitting.assignment import EVEN_SHARE, random_shares

PROJECTIONS = 8  # laws by which rows are described
LABELS = 24  # of one field, that have a coordinate each
PART = 0.3  # of the rows in the fit of each
FAR = 30.0  # standard deviations beyond which a row is no further away: densities of zero are that far


class Descriptions:
    """Rows as points at each latent node of an estimator, once: by the identity of the node's column."""

    def __init__(self, estimator: Any, column: Any, rng: np.random.Generator):
        self.known: dict[int, tuple[Any, np.ndarray | None, np.ndarray | None]] = {}
        self.rng = rng
        FirstPass(self._look, DistinctCache())(estimator, column)

    def _look(self, K: int, n: int, estimators: Any = (), column: Any = None) -> np.ndarray:
        if column is not None and id(column) not in self.known:
            several = len(estimators) > 1 and n > K
            by_laws = described(estimators, column, n, self.rng) if several else None
            self.known[id(column)] = column, by_laws, points_of(column) if several else None
        return np.zeros((K, n))

    def by_laws(self, column: Any) -> np.ndarray | None:
        """The rows of a column by what laws say of them, `(n, d)`; None where they cannot be told apart."""
        return self.known.get(id(column), (None, None, None))[1]

    def by_values(self, column: Any) -> np.ndarray | None:
        """The rows of a column by their values, `(n, d)`; None where they have none in common."""
        return self.known.get(id(column), (None, None, None))[2]


def shares_apart(rng: np.random.Generator, descriptions: Descriptions, kind: str) -> Any:
    """Responsibilities that give like rows to one component, all but a faint share; at random where the rows cannot be told apart.

    kind: "far" for centres far from each other among the rows as laws describe them, "laws" for any, "values" for any by their values.
    """
    at_random = random_shares(rng)

    def shares(K: int, n: int, estimators: Any = (), column: Any = None) -> np.ndarray:
        seen = descriptions.by_values(column) if kind == "values" else descriptions.by_laws(column)
        return at_random(K, n) if seen is None else one_component_each(nearest(seen, K, rng, kind == "far"), K)

    return shares


def one_component_each(which: np.ndarray, K: int) -> np.ndarray:
    """Shares `(K, n)` that give each row to one component, all but a faint share."""
    out = np.full((K, len(which)), EVEN_SHARE / K)
    out[which, np.arange(len(which))] += 1 - EVEN_SHARE
    return out


def described(estimators: Any, column: Any, n: int, rng: np.random.Generator) -> np.ndarray | None:
    """Rows by their log densities under laws of random parts of them, `(n, d)`, each of mean 0 and variance 1; None if all are alike."""
    kinds = list({e.family: e for e in estimators}.values())
    columns = []
    with np.errstate(all="ignore"):
        for kind in kinds:
            try:
                whole = _log_density(kind, column, np.ones(n), rng)
                parts = [_log_density(kind, column, _part(n, rng), rng) for _ in range(-(-PROJECTIONS // len(kinds)))]
            except (DmlcoreError, np.linalg.LinAlgError, FloatingPointError, OverflowError):
                continue  # a law that these rows cannot give describes nothing
            columns += [_standardised(part - whole) for part in parts]
    useful = [values for values in columns if values is not None]
    return np.column_stack(useful) if useful else None


def nearest(points: np.ndarray, K: int, rng: np.random.Generator, far: bool = False) -> np.ndarray:
    """Which of K centres each point `(n, d)` is nearest to. Centres are points: any, or, far apart, drawn with odds of the squared distance
    to those before."""
    out = np.zeros(len(points), dtype=np.intp)
    least = _squared_distance(points, points[rng.integers(len(points))])
    for k in range(1, K):
        if not least.sum() > 0:
            return rng.integers(K, size=len(points))
        at = rng.choice(len(points), p=least / least.sum()) if far else rng.integers(len(points))
        distance = _squared_distance(points, points[at])
        out[distance < least] = k
        least = np.minimum(least, distance)
    return out


def points_of(column: Any) -> np.ndarray | None:
    """Rows as points `(n, d)` by their values: numbers in units of their spread, labels as indicators, lists by their mean element and
    their length; None where there is nothing to see."""
    parts = [part for part in _parts_of(column) if part is not None]
    whole = np.column_stack(parts) if parts else np.zeros((len(column), 0))
    spread = whole.std(axis=0)
    return np.clip((whole - whole.mean(axis=0))[:, spread > 0] / spread[spread > 0], -FAR, FAR) if (spread > 0).any() else None


def _parts_of(column: Any) -> list[np.ndarray]:
    if isinstance(column, Distinct):
        return [part[column.codes] for part in _parts_of(column.values)]
    if isinstance(column, Parallel):
        return _parts_of(next(iter(column.columns.values())))
    if isinstance(column, Record):
        return [part for field in column.fields for part in _parts_of(field)]
    if isinstance(column, Option):
        missing, inside = np.ones(len(column)), _parts_of(column.value)
        missing[column.present] = 0.0
        return [missing, *(_filled(part, column.present, len(column)) for part in inside)]
    if isinstance(column, Ragged):
        lengths = np.diff(column.offsets)
        row = np.repeat(np.arange(len(column)), lengths)
        means = [
            np.array([np.bincount(row, v, len(column)) for v in np.reshape(part, (len(row), math.prod(part.shape[1:]))).T])
            for part in _parts_of(column.flat)
        ]
        return [lengths.astype(np.float64), *((part / np.maximum(lengths, 1)).T for part in means)]
    if not isinstance(column, Values):
        return []
    if isinstance(column.x, Vocabulary):
        return [np.eye(len(column), min(len(column), LABELS))] if len(column) > 1 else []
    x = np.asarray(column.x, dtype=np.float64)
    return [np.where(np.isfinite(x), x, 0.0)]


def _filled(part: np.ndarray, present: np.ndarray, n: int) -> np.ndarray:
    """Values of the rows that are there, and their mean in the others."""
    out = np.zeros((n, *part.shape[1:])) + (part.mean(axis=0) if len(part) else 0.0)
    out[present] = part
    return out


def _squared_distance(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.asarray(((points - centre) ** 2).sum(axis=1))


def _part(n: int, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(n) < PART, 1.0, EVEN_SHARE)


def _log_density(estimator: Any, column: Any, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Log densities `(n,)` of the rows under the law fitted to them with weights; what is latent in it is shared out at random."""

    def said() -> tuple[Ties, list[Any]]:
        ties = Ties(estimator)
        send = Backward(ties.by_id)
        statistics = take_pending(
            estimator, send(estimator, FirstPass(random_shares(rng), DistinctCache())(estimator, column), weights), send
        )
        return ties, ties.pool(own_statistics(estimator, statistics))

    ties, owns = said()
    if any(node.coupled for node in ties.nodes):  # what it shares with other places is here its own
        estimator = resolve(estimator, owns, ties)
        ties, owns = said()
    law = maximise(estimator, owns, ties)
    return Forward(law.repeated, DistinctCache())(law, column)[0]


def _standardised(values: np.ndarray) -> np.ndarray | None:
    finite = np.isfinite(values)
    deviation = values[finite].std() if finite.any() else 0.0
    if not deviation > 0:
        return None
    scaled = (values - values[finite].mean()) / deviation
    return np.clip(np.where(finite, scaled, -FAR), -FAR, FAR)
