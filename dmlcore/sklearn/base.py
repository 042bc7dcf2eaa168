"""What the estimators have in common: reading tables, fitting a mixture to them, and what a fitted one tells."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from dmlcore.base.errors import DataError, FitWarning, ParameterError, shorten
from dmlcore.base.random import Random, generator, spawn
from dmlcore.core.estimator import Estimator
from dmlcore.data.frames import Columns, is_frame, library_of, rows_at
from dmlcore.data.layouts import Maybe, Vector
from dmlcore.data.record_layouts import Fields
from dmlcore.fitting.drivers import UNSOUND
from dmlcore.fitting.record import Fit
from dmlcore.inference.missing import missing_at_random
from dmlcore.inference.relabel import ordered
from dmlcore.proposal.fitting import fit
from dmlcore.proposal.number import COMPONENTS_LOOKED_AT, PATIENCE
from dmlcore.proposal.proposing import propose
from dmlcore.proposal.result import Proposal
from dmlcore.selection.criteria import aic, bic
from dmlcore.selection.sweep import select
from dmlcore.sklearn.distinct_rows import distinct_rows, weights_or_ones
from dmlcore.stats import CompositeEstimator, MixtureDistribution, MixtureEstimator


class TableModel(BaseEstimator):
    """Base: a mixture of records, fitted to the rows of a table.

    After `fit`: `model_` (a `MixtureDistribution`, heaviest component first), `fit_` (the record of the fit), `weights_` `(K,)`,
    `n_components_` (K), `n_iter_`, `n_features_in_`, and of frames `feature_names_in_`.
    """

    def __init__(
        self,
        n_components: int | str = 2,
        estimator: Estimator | str = "auto",
        *,
        starts: int | None = None,
        max_iter: int = 1000,
        random_state: Random = None,
    ):
        self.n_components = n_components
        self.estimator = estimator
        self.starts = starts
        self.max_iter = max_iter
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.non_deterministic = self.random_state is None
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fits the mixture to the rows of X, a frame or an array, in which cells may be missing (at random).

        y is not looked at. sample_weight: numbers >= 0; one row of weight 2 is two rows, to the bit.
        """
        table, weights = self._read_first(X, sample_weight)
        rows, weights = distinct_rows(table, weights)
        rng = generator(self.random_state)
        table, component = self._one_component(rows_at(table, rows), weights, rng)
        self.fit_ = self._fit_of(table, weights, component, rng)
        self._adopt(ordered(_as_mixture(self.fit_.model)))
        self.n_iter_ = steps_taken(self.fit_)
        return self

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _read_first(self, X: Any, sample_weight: Any) -> tuple[Any, np.ndarray]:
        """The table of a fit, and the weights of its rows `(n,)`."""
        table = self._checked(X, reset=True)
        return table, weights_or_ones(sample_weight, len(table))

    def _read(self, X: Any) -> Any:
        """The table of a later call, as the model reads it."""
        return self._modelled(self._read_all(X))

    def _modelled(self, table: Any) -> Any:
        """The table of a later call as the model reads it."""
        if not is_frame(table) and hasattr(self, "feature_names_in_") and getattr(self.model_.layout, "names", None) is not None:
            names = self.feature_names_in_.tolist()  # by which the model reads; scikit-learn has warned
            return [dict(zip(names, row, strict=True)) for row in Columns(table).rows()]
        return self._at_places(table)

    def _at_places(self, table: Any) -> Any:
        """The columns of a table that are modelled, where these are known by their places."""
        if self._places is None:
            return table
        return table[:, self._places] if isinstance(table, np.ndarray) else [tuple(row[j] for j in self._places) for row in table]

    def _read_all(self, X: Any) -> Any:
        """The table of a later call."""
        check_is_fitted(self)
        return self._checked(X, reset=False)

    def _checked(self, X: Any, reset: bool) -> Any:
        """A frame as it is, if the fit is by its names; otherwise an array of numbers, or rows of anything else."""
        if is_frame(X):
            if reset:
                _check_finite(Columns(X))
            validate_data(self, X, reset=reset, skip_check_array=True)
            if hasattr(self, "feature_names_in_"):
                return X
            cells = Columns(X).vectors()
            return cells if isinstance(cells, np.ndarray) else list(map(tuple, cells))
        least = 2 if reset else 1
        X = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan", ensure_min_samples=least)
        return X if X.dtype.kind in "fiub" else list(map(tuple, X.tolist()))

    # -- fitting -------------------------------------------------------------------------------------------------------

    def _one_component(self, table: Any, weights: np.ndarray, rng: np.random.Generator) -> tuple[Any, Estimator | Proposal]:
        """A table with the columns that are modelled, and what each component is: proposed, or what was given."""
        self._places: list[int] | None = None
        if not isinstance(self.estimator, str):
            return table, missing_at_random(self._of_a_row(self.estimator))
        if self.estimator != "auto":
            raise ParameterError(f"estimator must be an estimator of one component or 'auto', got {self.estimator!r}")
        found = propose(table, weights=weights, rng=spawn(rng, 1)[0], progress=False)
        columns = tuple(replace(one, estimator=missing_at_random(one.estimator)) for one in found.columns)
        if not found.named:
            self._places = [found.order.index(one.name) for one in columns]
            return self._at_places(table), replace(found, columns=columns, order=tuple(one.name for one in columns))
        return table, replace(found, columns=columns)

    def _of_a_row(self, one: Any) -> Estimator:
        """An estimator of whole rows; one of single values stands for one of each column."""
        layout = one.layout.value if isinstance(one.layout, Maybe) else one.layout
        if isinstance(layout, (Fields, Vector)):
            return one
        names = getattr(self, "feature_names_in_", None)
        return CompositeEstimator([one] * self.n_features_in_ if names is None else dict.fromkeys(names.tolist(), one))

    def _fit_of(self, table: Any, weights: np.ndarray, component: Estimator | Proposal, rng: np.random.Generator) -> Fit:
        """The fit of a mixture of so many components as was asked for."""
        options: dict[str, Any] = dict(weights=weights, rng=rng, starts=self.starts, max_its=self.max_iter, progress=False)
        if isinstance(component, Proposal):
            return fit(table, component, components=self.n_components, **options)
        if isinstance(self.n_components, str) and self.n_components == "auto":
            found = select(partial(_mixture_of, component), COMPONENTS_LOOKED_AT, table, "bic", patience=PATIENCE, **options).best
        else:
            K = self.n_components
            if not isinstance(K, (int, np.integer)) or isinstance(K, bool) or K < 1:
                raise ParameterError(f"n_components must be a whole number >= 1 or 'auto', got {K!r}")
            found = fit(table, _mixture_of(component, int(K)), **options)
        if found.status in UNSOUND:
            warnings.warn(f"the fit is {found.status}: {found.message}", FitWarning, stacklevel=3)
        return found

    def _adopt(self, model: MixtureDistribution) -> None:
        self.model_ = model
        self.weights_: np.ndarray = np.asarray(model.w)
        self.n_components_ = model.num_components


class Density(TableModel):
    """Base of those that are laws of the rows of a table."""

    def score_samples(self, X: Any) -> np.ndarray:
        """The log density of each row, `(n,)`."""
        table = self._read(X)
        return self.model_.seq_log_density(table)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The mean log density of a row; larger is better."""
        return float(np.average(self.score_samples(X), weights=sample_weight))

    def bic(self, X: Any) -> float:
        """The Bayesian information criterion of the model on X; smaller is better."""
        logs = self.score_samples(X)
        return bic(float(logs.sum()), self.fit_.model, len(logs), self.fit_.estimator)

    def aic(self, X: Any) -> float:
        """Akaike's information criterion of the model on X; smaller is better."""
        return aic(float(self.score_samples(X).sum()), self.fit_.model, self.fit_.estimator)

    def sample(self, n_samples: int = 1, random_state: Random = None) -> Any:
        """Rows drawn from the model: an array, or a frame like the one it was fitted to, without the columns that were not modelled."""
        check_is_fitted(self)
        return self._kind(self.model_.sample(n_samples, rng=random_state))

    def _read_first(self, X: Any, sample_weight: Any) -> tuple[Any, np.ndarray]:
        table, weights = super()._read_first(X, sample_weight)
        self._library = library_of(table) if hasattr(self, "feature_names_in_") else None
        return table, weights

    def _kind(self, rows: list[Any]) -> Any:
        """Rows as a table of the kind that was fitted to."""
        if self._library is not None and not isinstance(rows[0], dict):
            rows = [dict(zip(self.feature_names_in_.tolist(), row, strict=True)) for row in rows]
        match self._library:
            case "pandas":
                import pandas

                return pandas.DataFrame(rows)
            case "polars":
                import polars

                return polars.DataFrame(rows)
            case "pyarrow":
                import pyarrow

                return pyarrow.Table.from_pylist(rows)
        try:
            return np.array(rows, dtype=np.float64).reshape(len(rows), -1)
        except (TypeError, ValueError):
            return np.array(rows, dtype=object)


def _check_finite(columns: Columns) -> None:
    """Raises `DataError` naming column and row of a number without bound."""
    for name, column in zip(columns.names, columns.columns, strict=True):
        if isinstance(column, np.ndarray) and column.dtype.kind == "f" and (wrong := np.isinf(column)).any():
            row = int(np.argmax(wrong.reshape(len(wrong), -1).any(axis=1)))
            raise DataError(f"column {name!r}: row {row} is {shorten(column[row].tolist())}; need a finite number, or a missing cell")


def _mixture_of(component: Estimator, K: int) -> Estimator:
    return MixtureEstimator([component] * K)


def _as_mixture(model: Any) -> MixtureDistribution:
    """A record alone as a mixture of one."""
    return model if isinstance(model, MixtureDistribution) else MixtureDistribution([model], [1.0])


def steps_taken(record: Fit) -> int:
    """The EM steps of a fit with those of its search; a maximum that is closed takes one."""
    return max(record.searched + record.iterations, 1)
