"""Which row has density zero under every choice that a model allows.

Rows are asked one by one only where some leaf meets a value outside its support: parts of the rows in which none does are passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dmlcore.core.estimator import Estimator
from dmlcore.core.walk import DistinctCache, FirstPass
from dmlcore.data.columns import Column, Distinct, Parallel

FEW = 16  # rows that are asked one by one


class Doubts(FirstPass):
    """Goes down a tree with its columns as a start does, and notes whether any node meets what it may give no density."""

    def __init__(self) -> None:
        super().__init__(lambda K, n, estimators, column: np.ones((K, n)), DistinctCache())
        self.any = False

    def __call__(self, estimator: Estimator, column: Any) -> Any:
        if type(column) is Distinct:
            column = column.values.take(np.unique(column.codes))
        if type(column) is Parallel and (read := column.read_by(estimator)) is not column:
            return self(estimator, read)
        self.any = self.any or not estimator.covers(column)
        return estimator.open(column, self)


def first_impossible(
    estimator: Estimator, column: Column, places: np.ndarray, observed: Callable[[int, int], list[Any]]
) -> tuple[int, str] | None:
    """The first row that no parameters could have produced, and why; None if there is none.

    places `(n,)`: of each row, where it stands in the column. observed: gives the observations of some rows, from the first to before the
    second.
    """

    def among(start: int, stop: int) -> tuple[int, str] | None:
        doubts = Doubts()
        doubts(estimator, column.take(places[start:stop]))
        if not doubts.any:
            return None
        if stop - start > FEW:
            middle = (start + stop) // 2
            return among(start, middle) or among(middle, stop)
        reasons = ((row, estimator.why_outside_support(x)) for row, x in enumerate(observed(start, stop), start))
        return next(((row, why) for row, why in reasons if why is not None), None)

    return among(0, len(places)) if len(places) else None
