"""Formulas as R has them, through the library formulaic: imported here only, where a formula is given."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from dmlcore.core.errors import DataError, ParameterError, shorten
from dmlcore.data.values import first, is_missing
from dmlcore.regression.schema import OF_EACH, OPTIONAL, Term
from dmlcore.regression.sharing import Sharing, blocks_of, check_shared
from dmlcore.regression.tables import Table, check_rows, is_name, names_in, numbers, raw

INTERCEPT = "Intercept"


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
        self.spec: Any = self._made(lambda: formulaic.model_matrix(formula, frame, context={}, na_action="ignore")).model_spec
        for factor, levels in self.levels.items():
            if len(levels) == 1:
                raise DataError(f"column {factor!r} has one level only, {shorten(levels[0])}; leave it out of the formula")

    def of(self, frame: Any) -> Any:
        """The columns, a pandas frame, without the intercept. Raises `DataError` naming column and row, and for levels that are new."""
        self._check(frame, self.names)
        for factor, levels in self.levels.items():
            name = factor.removeprefix("C(").split(",")[0].removesuffix(")")  # C(name), C(name, contr.sum)
            column = frame[name].tolist() if name in frame.columns else []
            if (row := first(column, lambda v, known=set(levels): v not in known)) is not None:
                raise DataError(f"column {name!r}: row {row} is {shorten(column[row])}; need a level of the fit, {shorten(levels)}")
        made = self._made(lambda: self.spec.get_model_matrix(frame, context={}))
        return made.loc[:, list(self.columns)].reset_index(drop=True)

    @property
    def intercept(self) -> bool:
        """Whether the formula has an intercept."""
        return INTERCEPT in self.spec.column_names

    @property
    def levels(self) -> dict[str, list[Any]]:
        """The levels of each factor."""
        states = {factor: list(state.get("categories", ())) for factor, (_, state) in self.spec.encoder_state.items()}
        return {factor: levels for factor, levels in states.items() if levels}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it makes, without the intercept."""
        return tuple(str(name) for name in self.spec.column_names if name != INTERCEPT)

    @property
    def parts(self) -> list[str]:
        """Its terms, one by one."""
        return [str(term) for term in self.spec.terms]

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
    """What `from_formula` was given, to read later frames by. responses: of each its left and its right side. columns: names of columns
    by what they are; of the offset and the trials also by response. shared: covariates that components share, beside those of responses."""

    responses: tuple[tuple[Design, Design], ...]
    gate: Design | None
    columns: dict[str, Any]
    shared: tuple[Design, ...]
    sharing: Sharing

    @property
    def terms(self) -> tuple[Term, ...]:
        """What each response depends on."""
        return tuple(
            Term(tuple(dict.fromkeys(right.columns + self.sharing.names)), right.intercept or self.sharing.intercept)
            for _, right in self.responses
        )

    def read(self, data: Any, roles: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Covariates of all responses, and what else a call needs and is not given."""
        import pandas as pd

        frame, out = as_frame(data), dict(roles)
        for role, named in self.columns.items():
            if role in out and out[role] is None and (role not in OPTIONAL or named in frame.columns):
                out[role] = {name: _column(frame, own) for name, own in named.items()} if isinstance(named, dict) else _column(frame, named)
        if self.gate is not None and "gate" in out and out["gate"] is None:
            out["gate"] = self.gate.of(frame)
        if "y" in out and out["y"] is None:
            out["y"] = pd.concat([left.of(frame) for left, _ in self.responses], axis=1)
        rights = {right.formula: right for right in [*(right for _, right in self.responses), *self.shared]}
        made = pd.concat([right.of(frame) for right in rights.values()], axis=1)
        return made.loc[:, ~made.columns.duplicated()], out


def formula_of(formula: Any, data: Any, given: dict[str, Any], fixed: Any, nested: Any) -> tuple[Formula, Any, dict[str, Any]]:
    """The formula, or formulas, the frame, and what is given as arrays. given: a name of a column, or an array; the gate also a formula
    "~ z", as are fixed and what nested blocks have."""
    frame, rest = as_frame(data), dict(given)
    gate = None
    if isinstance(rest.get("gate"), str):
        gate, rest["gate"] = Design(_right(rest["gate"]), frame), None
    columns: dict[str, Any] = {}
    for role, value in rest.items():
        if isinstance(value, str):
            columns[role] = value
        elif isinstance(value, dict) and role in OF_EACH:
            columns[role], rest[role] = value, None
    formulas = [formula] if isinstance(formula, str) or not isinstance(formula, (list, tuple)) else formula
    responses = [pair for one in formulas for pair in _sides(one, frame)]
    if fixed is not None and not is_name(fixed):
        frame, fixed = _with_columns(frame, Table(fixed, "fixed", "fixed covariates"))
    common = None if fixed is None else _joined(fixed, frame)
    blocks = [(size, None if names is None else _joined(names, frame)) for size, names in blocks_of(nested)]
    intercept = common is not None and common.intercept and not any(right.intercept for _, right in responses)
    sharing = Sharing(
        () if common is None else common.columns, tuple((n, () if one is None else one.columns) for n, one in blocks), intercept
    )
    check_shared(sharing)
    for _, right in responses:
        if twice := [name for name in sharing.names if name in right.columns]:
            raise ParameterError(f"formula {right.formula!r}: its column {twice[0]!r} varies, so it cannot be fixed or nested")
    shared = tuple(design for design in [common, *(one for _, one in blocks)] if design is not None)
    made = Formula(tuple(responses), gate, columns, shared, sharing)
    return made, frame, {role: None if role in columns else value for role, value in rest.items()}


def _right(said: str) -> str:
    """The right side of a formula "~ z"; a name of a column stands for itself."""
    said = said.strip()
    return said.removeprefix("~").strip() if said.startswith("~") else f"`{said}`"


def _joined(said: Any, frame: Any) -> Design:
    """The columns of a formula "~ z", or of those named."""
    return Design(" + ".join(map(_right, names_in(said))), frame)


def _with_columns(frame: Any, table: Table) -> tuple[Any, list[str]]:
    """The frame with further columns, and their names."""
    check_rows(table.n, "fixed", len(frame))
    return frame.assign(**{name: raw(column) for name, column in table.pick()}), list(table.names)


def _sides(formula: Any, frame: Any) -> list[tuple[Design, Design]]:
    """The responses of a formula `"y1 + y2 ~ x"`, each with the covariates."""
    left, tilde, right = formula.partition("~") if isinstance(formula, str) else ("", "", "")
    if not tilde or not left.strip() or not right.strip():
        raise ParameterError(f"formula must be a response and covariates, such as 'y ~ x', got {formula!r}")
    covariates = Design(right.strip(), frame)
    responses = [Design(f"0 + {term}", frame) for term in Design(f"0 + {left.strip()}", frame).parts]
    for design in responses:
        if len(design.columns) != 1:
            said = design.formula.removeprefix("0 + ")
            raise DataError(f"the response {said!r} makes {len(design.columns)} columns; need one column of numbers")
    return [(response, covariates) for response in responses]


def _column(frame: Any, name: Any) -> Any:
    if not isinstance(name, str):
        return name  # an array
    if name not in frame.columns:
        raise DataError(f"there is no column {name!r}; there are {shorten(list(frame.columns))}")
    return frame[name]
