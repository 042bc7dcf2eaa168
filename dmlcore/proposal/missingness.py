"""Whether it tells something about a row that one of its cells is missing."""

from __future__ import annotations

import numpy as np

from dmlcore.base import special
from dmlcore.proposal.kinds import Contents

CHANCE = 1e-4  # of an association as strong where there is none, over all columns looked at
GROUPS = 5  # that a column's numbers are cut into
LEAST_ON_A_SIDE = 10  # rows on either side


def told_by(cells: Contents, others: list[Contents]) -> str | None:
    """The name of the column with which missing goes together most, as `name` or `missing name`; None where it does with none."""
    gone, w = cells.missing, cells.row_weights
    if min(gone.sum(), (~gone).sum()) < LEAST_ON_A_SIDE:
        return None
    best, found = CHANCE / max(2 * len(others), 1), None
    for other in others:
        there = ~other.missing
        for text, rows, group in ((str(other.name), there, _groups(other)), (f"missing {other.name}", slice(None), other.missing * 1)):
            p = _chance(gone[rows], group, w[rows])
            if p < best:
                best, found = p, text
    return found


def _groups(cells: Contents) -> np.ndarray:
    """A small whole number for each cell that is there: its label, or which part of the range it is in."""
    if cells.kind == "label":
        return np.unique([repr(value) for value in cells.values], return_inverse=True)[1]
    cuts = np.unique(np.quantile(cells.values, np.arange(1, GROUPS) / GROUPS))
    return np.searchsorted(cuts, cells.values, side="left")


def _chance(gone: np.ndarray, group: np.ndarray, w: np.ndarray) -> float:
    """The probability of a likelihood ratio as large as that of missing by group, if they have nothing to do with each other."""
    table = np.array([np.bincount(group[side], w[side], minlength=group.max(initial=0) + 1) for side in (gone, ~gone)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    expected = table.sum(axis=0) * table.sum(axis=1, keepdims=True) / table.sum()
    ratio = 2 * (table * np.log(np.where(table > 0, table, 1.0) / expected))[table > 0].sum()
    return float(special.chdtrc(table.shape[1] - 1, ratio))
