"""`MixtureImputer`: missing cells filled from what the other cells of their row say."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin

from dmlcore.base.random import Random, generator
from dmlcore.core.estimator import Estimator
from dmlcore.data.frames import is_frame
from dmlcore.inference.impute import impute
from dmlcore.sklearn.base import TableModel


class MixtureImputer(OneToOneFeatureMixin, TransformerMixin, TableModel):
    """Fills missing cells of a table from their law given the rest of the row, under a mixture of records.

    Arguments as of `MixtureDensity`. how: "mean", "median" or "mode" of the law, or "sample", a draw from it (`dmlcore.impute`). Frames
    are filled as frames, with the dtypes they have; cells of columns that are not modelled stay as they are
    (`fit_.proposal.left_out` says which, and why).
    """

    def __init__(
        self,
        n_components: int | str = 2,
        estimator: Estimator | str = "auto",
        *,
        how: str = "mean",
        starts: int | None = None,
        max_iter: int = 1000,
        random_state: Random = None,
    ):
        super().__init__(n_components, estimator, starts=starts, max_iter=max_iter, random_state=random_state)
        self.how = how

    def transform(self, X: Any) -> Any:
        """The table with its missing cells filled."""
        table = self._read_all(X)
        filled = impute(self.model_, self._modelled(table), self.how, rng=generator(self.random_state)).data
        if is_frame(table):
            return deepcopy(filled) if filled is table else filled  # scikit-learn renames the columns of what it is given
        out = np.array(table, dtype=None if isinstance(table, np.ndarray) else object)
        rows = [tuple(row.values()) for row in filled] if isinstance(filled[0], dict) else filled
        out[:, slice(None) if self._places is None else self._places] = rows
        return out
