"""What is wrong with a design: columns that are constant or follow from others, and how messages call columns."""

from __future__ import annotations

from typing import Any

import numpy as np

COLLINEAR = 1e-13  # times the number of columns: a share of a column's spread, left by those before it, that is rounding
CONSTANT = 2.0**-46  # relative to its mean: a column's standard deviation below this is rounding


def column_name(j: int, names: Any) -> str:
    """`the intercept`, `column 2`, or `column 'age'`."""
    return "the intercept" if j < 0 else f"column {j}" if names is None else f"column {names[j]!r}"


def dependence(matrix: np.ndarray, centre: np.ndarray, columns: np.ndarray, names: Any) -> str:
    """Which of these columns (-1: the intercept, first if there is one), with these second moments, is constant or follows from those
    before it, and how; or nothing."""
    q, first = len(columns), int((columns[:1] == -1).sum())
    middle, scale = centre[columns[first:]], roots_of_diagonal(matrix)
    called = [column_name(int(j), names) for j in columns]
    for j in range(first, q):
        at = middle[j - first] if first else 0.0
        if not scale[j] > CONSTANT * abs(at):
            word = "zero in all rows" if at == 0 else f"constant ({at:.6g})"
            return f"{called[j]} is {word}" + (", which the intercept already says" if first else "")
    correlation = matrix / scale[:, None] / scale
    for j in range(first, q):
        before = correlation[:j, :j]
        share = np.linalg.lstsq(before, correlation[:j, j], rcond=None)[0] if j else np.zeros(0)
        left = 1.0 - 2 * share @ correlation[:j, j] + share @ before @ share
        if left <= COLLINEAR * q:
            terms = [(i, share[i] * scale[j] / scale[i]) for i in range(first, j) if abs(share[i]) > 1e-6]
            how = " + ".join(f"{value:.6g} {called[i]}" for i, value in terms) or "the intercept"
            return f"{called[j]} follows from those before it: it is {how}" + (" + a constant" if first else "")
    return ""


def roots_of_diagonal(matrix: np.ndarray) -> np.ndarray:
    """Square roots of second moments; of those below zero by rounding, zero."""
    return np.sqrt(np.maximum(np.diag(matrix), 0.0))
