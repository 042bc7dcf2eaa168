"""What a method says of hidden cells, and how good that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.imputation.tables import Table

COPIES = 19  # of which the range holds one more draw of the same law in 18 of 20 cases


@dataclass(frozen=True)
class Answer:
    """Of the hidden cells of a column: values, and draws of numbers `(COPIES, m)`; None of labels."""

    values: list[Any]
    draws: np.ndarray | None


def score(table: Table, rows: dict[str, np.ndarray], said: dict[str, Answer]) -> dict[str, dict[str, float]]:
    """By column: error (root mean square in units of the column's standard deviation, or share of wrong labels), and of numbers the
    continuous ranked probability score, how often the truth is inside the range of draws, and its mean width, in those units too."""
    out = {}
    for name, where in rows.items():
        if not len(where):
            continue
        truth, answer = [table.columns[name][i] for i in where.tolist()], said[name]
        if answer.draws is None:
            out[name] = {"error": float(np.mean([str(a) != str(b) for a, b in zip(answer.values, truth, strict=True)]))}
            continue
        x, unit = np.array(truth, dtype=np.float64), table.spread(name)
        low, high = answer.draws.min(axis=0), answer.draws.max(axis=0)
        out[name] = {
            "error": float(np.sqrt(np.mean((np.array(answer.values, dtype=np.float64) - x) ** 2))) / unit,
            "crps": float(ranked_score(answer.draws, x).mean()) / unit,
            "covered": float(inside(answer.draws, x).mean()),
            "width": float(np.mean(high - low)) / unit,
        }
    return out


def inside(draws: np.ndarray, x: np.ndarray) -> np.ndarray:
    """How probable it is that x is neither the first nor the last among itself and the draws in order, equals at random: for draws of
    the right law (m - 1) / (m + 1) on average, also where numbers are rounded, and so often equal to the ends of the range."""
    equal = (draws == x).sum(axis=0)
    ends = (draws >= x).all(axis=0).astype(np.float64) + (draws <= x).all(axis=0)
    return 1 - ends / (equal + 1)


def ranked_score(draws: np.ndarray, x: np.ndarray) -> np.ndarray:
    """E|X - x| - E|X - X'| / 2, from pairs of different draws: the same in the mean for any number of them (Ferro 2014)."""
    m = len(draws)
    ordered, place = np.sort(draws, axis=0), np.arange(1, m + 1)[:, None]
    spread = ((2 * place - m - 1) * ordered).sum(axis=0) / (m * (m - 1))
    return np.abs(draws - x).mean(axis=0) - spread
