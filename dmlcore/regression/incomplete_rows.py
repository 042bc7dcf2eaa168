"""Rows that lack cells, which a fit leaves out; where there are several responses it may keep those that lack some of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, ParameterError
from dmlcore.data.frames import rows_at
from dmlcore.data.values import is_missing, listed
from dmlcore.regression.named_columns import NamedColumns, is_name, names_in, raw

ERROR, DROP, KEEP = GAP_RULES = ("error", "drop", "keep")


def check_missing(missing: Any) -> None:
    """Raises `ParameterError` for what says nothing about missing cells."""
    if missing not in GAP_RULES:
        raise ParameterError(
            f"missing must be 'error', 'drop' (rows that lack a cell) or 'keep' (rows that lack responses), got {missing!r}"
        )


def missing_cells(column: Any) -> np.ndarray:
    """Which cells of a column are missing, `(n,)`."""
    values = raw(column)
    if isinstance(values, np.ndarray):
        return np.isnan(values)
    return np.fromiter(map(is_missing, values), dtype=bool, count=len(values))


def incomplete(n: int, needed: Iterable[Any], responses: Sequence[Any], missing: str) -> np.ndarray:
    """Which of n rows are left out, `(n,)`: those that lack one of the columns `needed`, and those that lack a response, or ("keep") all.

    None where a column has another length, of which others say what is wrong. Raises `DataError` where no row is left.
    """
    gaps, lacking = [missing_cells(column) for column in needed], [missing_cells(column) for column in responses]
    gone = np.zeros(n, dtype=bool)
    if any(len(cells) != n for cells in gaps + lacking):
        return gone
    for cells in gaps if missing == KEEP else gaps + lacking:
        gone |= cells
    if missing == KEEP and lacking:
        gone |= np.all(lacking, axis=0)
    if n and gone.all():
        raise DataError(f"each of {n} rows lacks a cell that the fit needs; leave out a column that is missing so often")
    return gone


def kept_rows(given: Any, kept: np.ndarray) -> Any:
    """What a fit is given row by row, for some of its rows: an array, a column, a frame, or a mapping of such. kept: which, `(n,)`.
    Names, and what has another number of rows, stay as they are."""
    if isinstance(given, dict):
        return {name: kept_rows(own, kept) for name, own in given.items()}
    if given is None or isinstance(given, str):
        return given
    given = listed(given)
    return rows_at(given, np.flatnonzero(kept)) if len(given) == len(kept) else given


def incomplete_rows_of(X: Any, given: dict[str, Any], missing: str) -> np.ndarray:
    """Which rows a fit leaves out, `(n,)`. given: the responses `y`, and what else it is given."""
    table = NamedColumns(X)
    called = names_in(given["y"]) if is_name(given["y"]) else ()
    responses = [column for name, column in table.columns.items() if name in called]
    needed = [column for name, column in table.columns.items() if name not in called]
    for role, value in given.items():
        for own in value.values() if isinstance(value, dict) else [value]:
            if own is not None and not is_name(own):
                (responses if role == "y" else needed).extend(NamedColumns(own).columns.values())
    return incomplete(table.n, needed, responses, missing)
