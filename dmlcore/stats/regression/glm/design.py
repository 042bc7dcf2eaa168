"""What is wrong with a design: columns that are constant or follow from others, and how messages call columns."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np

COLLINEAR_COLUMN = 1e-13  # times the number of columns: a share of a column's spread, left by those before it, that is rounding
LEAST_SPREAD, MOST_SPREAD = 2.0**-511, 2.0**501  # spreads whose squares, and sums of them, are numbers with all their digits
CONSTANT = 2.0**-46  # relative to its mean: a column's standard deviation below this is rounding


def column_name(j: int, names: Any) -> str:
    """`the intercept`, `column 2`, or `column 'age'`."""
    return "the intercept" if j < 0 else f"column {j}" if names is None else f"column {names[j]!r}"


def collinearity(matrix: np.ndarray, centre: np.ndarray, columns: np.ndarray, names: Any) -> str:
    """Which of these columns (-1: the intercept, first if there is one), with these second moments, is constant or follows from those
    before it, and how; or nothing."""
    q, first = len(columns), int((columns[:1] == -1).sum())
    middle, scale = centre[columns[first:]], roots_of_diagonal(matrix)
    called = [column_name(int(j), names) for j in columns]
    for j in range(first, q):
        if not scale[j] <= MOST_SPREAD or 0 < scale[j] < LEAST_SPREAD:
            size, remedy = ("small", "multiply") if scale[j] < 1 else ("large", "divide")
            return f"{called[j]} is too {size} for the squares of its differences; {remedy} it by a constant"
        at = middle[j - first] if first else 0.0
        if not scale[j] > CONSTANT * abs(at):
            word = "zero in all rows" if at == 0 else f"constant ({at:.6g})"
            word += " (or varies by less than 1e-154: multiply it by a constant)" if 0 < abs(at) < LEAST_SPREAD else ""
            return f"{called[j]} is {word}" + (", which the intercept already says" if first else "")
    correlation = matrix / scale[:, None] / scale
    if well_conditioned(correlation, COLLINEAR_COLUMN * q):
        return ""
    j = bisect_left(range(q), True, key=lambda j: not well_conditioned(correlation[: j + 1, : j + 1], COLLINEAR_COLUMN * q))
    share = np.linalg.lstsq(correlation[:j, :j], correlation[:j, j], rcond=None)[0]
    terms = [(i, share[i] * scale[j] / scale[i]) for i in range(first, j) if abs(share[i]) > 1e-6]
    how = " + ".join(f"{value:.6g} {called[i]}" for i, value in terms) or "the intercept"
    return f"{called[j]} follows from those before it: it is {how}" + (" + a constant" if first else "")


def well_conditioned(correlation: np.ndarray, share: float) -> bool:
    """Whether each column keeps more than this share of its spread beside those before it: the squared pivots of Cholesky's method."""
    try:
        return bool((np.diag(np.linalg.cholesky(correlation)) ** 2 > share).all())
    except np.linalg.LinAlgError:
        return False


def roots_of_diagonal(matrix: np.ndarray) -> np.ndarray:
    """Square roots of second moments; of those below zero by rounding, zero."""
    return np.sqrt(np.maximum(np.diag(matrix), 0.0))
