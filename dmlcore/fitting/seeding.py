"""Starts whose components lie apart: like rows begin together, wherever a model has classes to choose.

Rows are alike if laws of the model find them alike: each is described by its log densities under a few laws, fitted to random parts of the
rows. For an exponential family these are random projections of the sufficient statistics, in the scale of their sampling errors (a
Fisher kernel: Jaakkola and Haussler 1999), so that means, variances, labels, sequences and residuals count each by its own measure and no
family needs a rule of its own. Among rows so described, centres are drawn as in k-means++ (Arthur and Vassilvitskii 2007), and each
row begins with the component of the nearest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.core.errors import DmlcoreError
from dmlcore.core.keys import Ties, flat, maximise, resolve
from dmlcore.core.walk import Open, Score, Send, Tables, settle
from dmlcore.fitting.assignment import FAINT, random_shares

PROJECTIONS = 8  # laws by which rows are described
PART = 0.3  # of the rows in the fit of each
LLOYD = 8  # steps of Lloyd's by which the centres settle
FAR = 30.0  # standard deviations beyond which a row is no further away: densities of zero are that far


def spread_shares(rng: np.random.Generator) -> Any:
    """Responsibilities that give like rows to one component, all but a faint share; at random where the rows cannot be told apart."""
    at_random = random_shares(rng)

    def shares(K: int, n: int, estimators: Any = (), column: Any = None) -> np.ndarray:
        seen = described(estimators, column, n, rng) if len(estimators) > 1 and n > K else None
        if seen is None:
            return at_random(K, n)
        out = np.full((K, n), FAINT / K)
        out[nearest(seen, K, rng), np.arange(n)] += 1 - FAINT
        return out

    return shares


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


def nearest(points: np.ndarray, K: int, rng: np.random.Generator) -> np.ndarray:
    """Which of K centres each point `(n, d)` is nearest to: centres are points, drawn with odds of the squared distance to those before."""
    out = np.zeros(len(points), dtype=np.intp)
    least = _squared_distance(points, points[rng.integers(len(points))])
    for k in range(1, K):
        if not least.sum() > 0:
            return rng.integers(K, size=len(points))
        distance = _squared_distance(points, points[rng.choice(len(points), p=least / least.sum())])
        out[distance < least] = k
        least = np.minimum(least, distance)
    for _ in range(LLOYD):
        held = np.bincount(out, minlength=K)
        means = np.array([np.bincount(out, column, K) for column in points.T]) / np.maximum(held, 1)
        distances = (means**2).sum(axis=0) - 2 * points @ means
        out = np.argmin(np.where(held > 0, distances, np.inf), axis=1)
    return out


def _squared_distance(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.asarray(((points - centre) ** 2).sum(axis=1))


def _part(n: int, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(n) < PART, 1.0, FAINT)


def _log_density(estimator: Any, column: Any, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Log densities `(n,)` of the rows under the law fitted to them with weights; what is latent in it is shared out at random."""

    def said() -> tuple[Ties, list[Any]]:
        ties = Ties(estimator)
        send = Send(ties.by_id)
        statistics = settle(estimator, send(estimator, Open(random_shares(rng), Tables())(estimator, column), weights), send)
        return ties, ties.pool(flat(estimator, statistics))

    ties, owns = said()
    if any(node.entangled for node in ties.nodes):  # what it shares with other places is here its own
        estimator = resolve(estimator, owns, ties)
        ties, owns = said()
    law = maximise(estimator, owns, ties)
    return Score(law.repeated, Tables())(law, column)[0]


def _standardised(values: np.ndarray) -> np.ndarray | None:
    finite = np.isfinite(values)
    deviation = values[finite].std() if finite.any() else 0.0
    if not deviation > 0:
        return None
    scaled = (values - values[finite].mean()) / deviation
    return np.clip(np.where(finite, scaled, -FAR), -FAR, FAR)
