"""Tables over the values of several discrete fields, which rows read at one code for each field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.data.columns import Distinct
from dmlcore.kernels.codes import narrow


class Cells:
    """The cells of a table of all fields, each one value of one field. values: a column of these, where it is one for all fields."""

    def __init__(self, size: int, values: Any = None):
        self.size, self.values = size, values

    def __len__(self) -> int:
        return self.size


def cells_at(columns: Sequence[Any], places: Sequence[np.ndarray], size: int, values: Any = None) -> Distinct:
    """The cells of several fields, row by row. places: for each field, the cells of its distinct values."""
    codes = np.empty((len(columns[0]), len(columns)), dtype=narrow(size))
    for j, (column, cells) in enumerate(zip(columns, places, strict=True)):
        codes[:, j] = cells.astype(codes.dtype)[column.codes]
    return Distinct(codes, Cells(size, values))  # type: ignore[arg-type]
