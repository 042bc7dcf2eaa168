"""What a method says of hidden cells, and how good that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp, ndtr
from scipy.stats import norm

from benchmarks.imputation.tables import Table

LEVEL = 0.9  # of the intervals


@dataclass(frozen=True)
class Numbers:
    """Of hidden numbers: values `(m,)`, and their law, a mixture of S normals each: w, mean, sd `(S, m)`."""

    values: np.ndarray
    w: np.ndarray
    mean: np.ndarray
    sd: np.ndarray

    def log_density(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return logsumexp(np.log(self.w) + norm.logpdf(x, self.mean, self.sd), axis=0)

    def quantile(self, p: float) -> np.ndarray:
        """By bisection, `(m,)`."""
        low, high = (self.mean - 10 * self.sd).min(axis=0), (self.mean + 10 * self.sd).max(axis=0)
        for _ in range(60):
            middle = (low + high) / 2
            below = (self.w * ndtr((middle - self.mean) / self.sd)).sum(axis=0) < p
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2


@dataclass(frozen=True)
class Labels:
    """Of hidden labels: values, and the probability of each label `(m, L)`; None where a method gives none."""

    values: list[Any]
    labels: list[Any]
    p: np.ndarray | None


def score(table: Table, rows: dict[str, np.ndarray], said: dict[str, Any]) -> dict[str, dict[str, float]]:
    """By column: error (root mean square in units of the column's standard deviation, or share of wrong labels), mean log score (of
    numbers in those units too), and of numbers coverage and mean width of the intervals."""
    out = {}
    for name, where in rows.items():
        truth, answer = [table.columns[name][i] for i in where.tolist()], said[name]
        if isinstance(answer, Labels):
            wrong = float(np.mean([a != b for a, b in zip(answer.values, truth, strict=True)]))
            place = {label: i for i, label in enumerate(answer.labels)}
            p = [answer.p[i, place[v]] if v in place else 0.0 for i, v in enumerate(truth)] if answer.p is not None else [np.nan]
            out[name] = {"error": wrong, "log": float(np.mean(np.log(p)))}
            continue
        x, unit = np.array(truth, dtype=np.float64), table.spread(name)
        low, high = answer.quantile((1 - LEVEL) / 2), answer.quantile((1 + LEVEL) / 2)
        out[name] = {
            "error": float(np.sqrt(np.mean((answer.values - x) ** 2))) / unit,
            "log": float(answer.log_density(x).mean() + np.log(unit)),
            "covered": float(np.mean((low <= x) & (x <= high))),
            "width": float(np.mean(high - low)) / unit,
        }
    return out
