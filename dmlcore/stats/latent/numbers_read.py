"""The single numbers of a column, for laws that look at them beside the law that they wrap."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.data.columns import Distinct, Record, Versions


def numbers_in(column: Any, layout: Any) -> np.ndarray:
    """The numbers, or responses, of a column that a layout of these reads, `(n,)`; NaN where a row is none."""
    if type(column) is Record:
        return numbers_in(column.fields[1], layout.values[1])
    if type(column) is Distinct:
        return numbers_in(column.values, layout)[column.codes]
    if type(column) is Versions:
        part, out = column.kinds[layout.version], np.full(len(column), np.nan)
        out[part.present] = numbers_in(part.value, layout)
        return out
    return np.asarray(column.x, dtype=np.float64)
