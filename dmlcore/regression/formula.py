"""Formulas as R has them, through the library formulaic: imported here only, where a formula is given."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from dmlcore.core.errors import DataError, ParameterError, shorten
from dmlcore.data.values import first, is_missing
from dmlcore.regression.tables import numbers, raw

INTERCEPT = "Intercept"
OPTIONAL = ("sample_weight", "groups")


def as_frame(data: Any) -> Any:
    """A frame of pandas or polars, or a mapping of columns, as a pandas frame with rows numbered from 0."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data.reset_index(drop=True)
    if not hasattr(data, "columns") and not isinstance(data, dict):
        raise DataError(f"a formula needs a data frame with its columns, got {type(data).__name__}")
    return pd.DataFrame({name: raw(data[name]) for name in (data.columns if hasattr(data, "columns") else data)})


class Design:
    """The columns that one side of a formula makes of a frame; levels and scales are those of the first frame."""

    def __init__(self, formula: str, frame: Any):
        try:
            import formulaic
        except ImportError as error:
            raise ImportError('formulas need the library formulaic; install it with pip install "dmlcore[formula]"') from error
        self._said: Any = formulaic.errors.FormulaicError
        self._unseen: Any = formulaic.errors.DataMismatchWarning
        try:
            names = sorted(map(str, formulaic.Formula(formula).required_variables))
        except self._said as error:
            raise ParameterError(f"formula {formula!r}: {error}") from None
        self.formula = formula
        self._check(frame, names)
        self.names = names
        for name in names:
            column = raw(frame[name])
            if isinstance(column, list) and len(set(column)) == 1:
                raise DataError(f"column {name!r} has one level only, {shorten(column[0])}; leave it out of the formula")
        self.spec: Any = self._made(lambda: formulaic.model_matrix(formula, frame, context={}, na_action="ignore")).model_spec

    def of(self, frame: Any) -> Any:
        """The columns, a pandas frame, without the intercept. Raises `DataError` naming column and row, and for levels that are new."""
        self._check(frame, self.names)
        made = self._made(lambda: self.spec.get_model_matrix(frame, context={}))
        return made.loc[:, [name for name in made.columns if name != INTERCEPT]].reset_index(drop=True)

    @property
    def intercept(self) -> bool:
        """Whether the formula has an intercept."""
        return INTERCEPT in self.spec.column_names

    def _check(self, frame: Any, names: list[str]) -> None:
        for name in names:
            if name not in frame.columns:
                raise DataError(f"there is no column {name!r}, which {self.formula!r} needs; there are {shorten(list(frame.columns))}")
            column = raw(frame[name])
            if isinstance(column, np.ndarray):
                numbers(column, name)
            elif (row := first(column, is_missing)) is not None:
                raise DataError(f"column {name!r}: row {row} is {shorten(column[row])}; need a value")

    def _made(self, make: Any) -> Any:
        """Unseen levels, of which formulaic warns, are errors here."""
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error", self._unseen)
                return make()
        except (self._said, self._unseen) as error:
            raise DataError(f"formula {self.formula!r}: {error}") from None


@dataclass(frozen=True)
class Formula:
    """What `from_formula` was given, to read later frames by. columns: names of columns by what they are."""

    response: Design
    covariates: Design
    gate: Design | None
    columns: dict[str, str]

    def read(self, data: Any, roles: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Covariates, and what else a call needs and is not given."""
        frame, out = as_frame(data), dict(roles)
        for role, name in self.columns.items():
            if role in out and out[role] is None and (role not in OPTIONAL or name in frame.columns):
                if name not in frame.columns:
                    raise DataError(f"there is no column {name!r}; there are {shorten(list(frame.columns))}")
                out[role] = frame[name]
        if self.gate is not None and "gate" in out and out["gate"] is None:
            out["gate"] = self.gate.of(frame)
        if "y" in out and out["y"] is None:
            out["y"] = self.response.of(frame).iloc[:, 0]
        return self.covariates.of(frame), out


def formula_of(formula: str, data: Any, given: dict[str, Any]) -> tuple[Formula, dict[str, Any]]:
    """The formula, and what is given as arrays. given: a name of a column, or an array; the gate also a formula "~ z"."""
    left, tilde, right = formula.partition("~")
    if not tilde or not left.strip() or not right.strip():
        raise ParameterError(f"formula must be a response and covariates, such as 'y ~ x', got {formula!r}")
    frame, rest = as_frame(data), dict(given)
    gate = None
    if isinstance(rest.get("gate"), str):
        said = rest.pop("gate").strip()
        gate = Design(said.removeprefix("~").strip() if said.startswith("~") else f"`{said}`", frame)
        rest["gate"] = None
    columns = {role: value for role, value in rest.items() if isinstance(value, str)}
    response = Design(f"0 + {left.strip()}", frame)
    if len(response.spec.column_names) != 1:
        raise DataError(f"the response {left.strip()!r} makes {len(response.spec.column_names)} columns; need one column of numbers")
    made = Formula(response, Design(right.strip(), frame), gate, columns)
    return made, {role: None if role in columns else value for role, value in rest.items()}
