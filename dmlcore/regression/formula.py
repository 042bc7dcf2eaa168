"""Formulas as R has them, through the library formulaic: imported here only, where a formula is given."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, ParameterError, shorten
from dmlcore.base.extras import library
from dmlcore.base.labels import plain
from dmlcore.base.records import dataclass
from dmlcore.data.frames import Columns, check_paired, index_of, is_frame, levels_of
from dmlcore.data.values import first, floats, integers, is_missing, listed, unit_hint
from dmlcore.regression.formula_text import (
    NAME,
    WORD,
    arguments,
    groups_apart,
    in_one_line,
    named_columns,
    names_all,
    offset_apart,
    texts_in,
    variables,
    with_backticks,
)
from dmlcore.regression.incomplete_rows import KEEP, incomplete, kept_rows
from dmlcore.regression.named_columns import NamedColumns, check_cells, check_rows, is_name, names_in, raw, with_nan
from dmlcore.regression.schema import OF_EACH, OPTIONAL, Term
from dmlcore.regression.shared_coefficients import Sharing, blocks_of, check_shared


def as_frame(data: Any) -> Any:
    """A frame, or a mapping of columns, as a pandas frame with rows numbered from 0: numbers as such, text as objects, categories as
    those that occur, in their order. Raises `DataError`."""
    pandas, data = library("pandas", "formulas need", extra="formula"), listed(data)
    if not is_frame(data) and not isinstance(data, dict):
        raise DataError(f"a formula needs a data frame with its columns, got {type(data).__name__}")
    table = Columns(data) if is_frame(data) else None
    names = list(data) if table is None else table.names
    columns = [_for_formulaic(data[name] if table is None else table.held(j), pandas) for j, name in enumerate(names)]
    if lengths := [(name, len(column)) for name, column in zip(names, columns, strict=True) if len(column) != len(columns[0])]:
        raise DataError(f"column {lengths[0][0]!r} has {lengths[0][1]} entries, {names[0]!r} has {len(columns[0])}; need as many")
    return pandas.DataFrame(dict(zip(names, columns, strict=True)))


def _for_formulaic(values: Any, pandas: Any) -> Any:
    column, levels = raw(values), levels_of(values)
    if levels is not None:
        there = set(column if isinstance(column, list) else column.tolist())
        return pandas.Categorical(column, categories=[level for level in levels if level in there])
    if isinstance(column, np.ndarray):
        return column
    whole, real = integers(column), floats(column)
    if real is None or all(isinstance(v, bool) for v in column):
        return pandas.Series(column, dtype=object)
    return real if whole is None else whole


class ModelMatrix:
    """The columns that one side of a formula makes of a frame; levels and scales are those of the first frame. gaps: whether numbers may
    be missing."""

    def __init__(self, formula: str, frame: Any, said: str | None = None, gaps: bool = False):
        formulaic = library("formulaic", "formulas need")
        self._said: Any = formulaic.errors.FormulaicError
        self._unseen: Any = formulaic.errors.DataMismatchWarning
        self.formula, self.gaps = formula if said is None else said, gaps
        if names_all(formula):
            raise ParameterError(f"formula {self.formula!r}: a dot for all other columns is not read; name them, such as 'x + z'")
        quoted = with_backticks(formula, map(str, frame.columns))
        try:
            parsed = formulaic.Formula(quoted)
            wanted = set(map(str, parsed.required_variables))
        except self._said as error:
            raise ParameterError(f"formula {self.formula!r}: {in_one_line(error)}") from None
        if not isinstance(parsed, formulaic.formula.SimpleFormula):
            raise ParameterError(
                f"formula {formula!r}: need terms joined by + (and :, *), such as 'x + z'; one | names groups, last of all"
            )
        self.names = variables(quoted, wanted, set(map(str, frame.columns)))
        self._check(frame, self.names)
        how: dict[str, Any] = dict(context={}, na_action="ignore", output="numpy")  # frames of pandas would lose columns of one name
        self.spec: Any = self._made(lambda: formulaic.model_matrix(quoted, frame, **how)).model_spec
        for factor, levels in self.levels.items():
            if len(levels) == 1:
                raise DataError(f"column {factor!r} has one level only, {shorten(levels[0])}; leave it out of the formula")

    def of(self, frame: Any) -> Any:
        """The columns, a pandas frame, without the intercept. Raises `DataError` naming column and row, and for levels that are new."""
        self._check(frame, self.names)
        for factor, levels in self.levels.items():
            name = factor.removeprefix("C(").split(",")[0].removesuffix(")").strip("`")  # C(name), C(name, contr.sum)
            column = frame[name].tolist() if name in frame.columns else []
            if (row := first(column, lambda v, known=set(levels): v not in known)) is not None:
                raise DataError(f"column {name!r}: row {row} is {shorten(column[row])}; need a level of the fit, {shorten(levels)}")
        made = self._made(lambda: self.spec.get_model_matrix(frame, context={}))
        return library("pandas", "formulas need", extra="formula").DataFrame(np.asarray(made)[:, self._places], columns=list(self.columns))

    @property
    def intercept(self) -> bool:
        """Whether the formula has an intercept."""
        return len(self._places) < len(self.spec.column_names)

    @property
    def levels(self) -> dict[str, list[Any]]:
        """The levels of each factor."""
        states = {factor: list(state.get("categories", ())) for factor, (_, state) in self.spec.encoder_state.items()}
        return {factor: levels for factor, levels in states.items() if levels}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it makes, without the intercept."""
        return tuple(str(self.spec.column_names[j]) for j in self._places)

    @property
    def _places(self) -> list[int]:
        """Where these columns stand. What tells the intercept is its term: a column of data may have its name."""
        return [j for term, places in self.spec.term_indices.items() if term.degree for j in places]

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
                check_cells(column, np.isfinite(column) | (self.gaps & np.isnan(column)), name, "a finite number")
            elif (row := first(column, is_missing)) is not None:
                raise DataError(f"column {name!r}: row {row} is {shorten(column[row])}; need a value")
            elif (row := first(column, unit_hint)) is not None:
                raise DataError(
                    f"column {name!r}: row {row} is {shorten(plain(column[row]))}; need numbers or text{unit_hint(column[row])}"
                )

    def _made(self, make: Any) -> Any:
        """Unseen levels, of which formulaic warns, are errors here."""
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error", self._unseen)
                return make()
        except (self._said, self._unseen, TypeError, ValueError, ArithmeticError) as error:
            raise DataError(f"formula {self.formula!r}: {in_one_line(error)}") from None


class Expression(ModelMatrix):
    """One column of numbers that is computed of others, such as `np.log(base)`."""

    def __init__(self, said: str, frame: Any):
        super().__init__(f"0 + I({said})", frame, said)
        if len(self.columns) != 1:
            raise DataError(f"{said!r} makes {len(self.columns)} columns; need one column of numbers")

    def column(self, frame: Any) -> Any:
        """The numbers, named by what was said."""
        return self.of(frame).iloc[:, 0].rename(self.formula)


@dataclass(frozen=True)
class Formula:
    """What `from_formula` was given, to read later frames by. responses: of each its left and its right side. columns: names of columns,
    or expressions, by what they are; of the offset, the exposure and the trials also by response. shared: covariates that components
    share, beside those of responses."""

    responses: tuple[tuple[ModelMatrix, ModelMatrix], ...]
    gate: ModelMatrix | None
    columns: dict[str, Any]
    shared: tuple[ModelMatrix, ...]
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
        pd = library("pandas", "formulas need", extra="formula")
        frame, out = as_frame(data), {role: _paired(value, data, role) for role, value in roles.items()}
        for role, named in self.columns.items():
            if role in out and out[role] is None and (role not in OPTIONAL or _there(named, frame)):
                out[role] = {name: _column(frame, own) for name, own in named.items()} if isinstance(named, dict) else _column(frame, named)
        if self.gate is not None and "gate" in out and out["gate"] is None:
            out["gate"] = self.gate.of(frame)
        if "y" in out and out["y"] is None:
            out["y"] = pd.concat([left.of(frame) for left, _ in self.responses], axis=1)
        rights = {right.formula: right for right in [*(right for _, right in self.responses), *self.shared]}
        made = pd.concat([right.of(frame) for right in rights.values()], axis=1)
        return made.loc[:, ~made.columns.duplicated()], out


def formula_of(
    formula: Any, data: Any, given: dict[str, Any], fixed: Any, nested: Any, family: Any = None, gaps: bool = False
) -> tuple[Formula, Any, dict[str, Any]]:
    """The formula, or formulas, the frame, and what is given as arrays. given: a name of a column, an expression such as "np.log(base)",
    or an array; the gate also a formula "~ z", as are fixed and what nested blocks have. family: of responses, which says what
    `cbind(a, b)` is: successes and failures of a binomial one, otherwise two responses. gaps: whether responses may be missing."""
    frame, rest = as_frame(data), {role: _paired(value, data, role) for role, value in given.items()}
    fixed = _paired(fixed, data, "fixed")
    gate = None
    if isinstance(rest.get("gate"), str):
        gate, rest["gate"] = ModelMatrix(_right(rest["gate"]), frame), None
    columns: dict[str, Any] = {}
    for role, value in rest.items():
        if isinstance(value, str):
            columns[role] = _said(value, frame)
        elif isinstance(value, dict) and role in OF_EACH:
            columns[role], rest[role] = {name: _said(own, frame) for name, own in value.items()}, None
    formulas = [formula] if isinstance(formula, str) or not isinstance(formula, (list, tuple)) else formula
    parts = [groups_apart(one) if isinstance(one, str) else (one, None) for one in formulas]
    if groups := {group for _, group in parts if group is not None}:
        if len(groups) > 1 or given.get("groups") is not None:
            raise ParameterError(f"the groups of rows are given twice: after | in the formula, {sorted(groups)}, and elsewhere")
        columns["groups"] = groups.pop()
    for named in columns.values():
        for name in named.values() if isinstance(named, dict) else [named]:
            _column(frame, name)  # later frames may lack some of them, this one may not
    responses: list[tuple[ModelMatrix, ModelMatrix]] = []
    for one, _ in parts:
        sides, own = _sides(one, frame, family[len(responses) :] if isinstance(family, (list, tuple)) else [family], gaps)
        responses += sides
        for role, each in own.items():
            if rest.get(role) is not None or isinstance(columns.get(role), (str, Expression)):
                raise ParameterError(f"{role} is given twice: in the formula {one!r}, and beside it")
            columns[role] = {**columns.get(role, {}), **each}
    if fixed is not None and not is_name(fixed):
        frame, fixed = _with_columns(frame, NamedColumns(fixed, "fixed", "fixed covariates"))
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


def with_complete_rows(formula: Any, data: Any, given: dict[str, Any], nested: Any, missing: str) -> tuple[Any, np.ndarray]:
    """The frame without the rows that lack a cell of a column that is used, and which these are, `(n,)`. given: what stands beside it, or
    is named."""
    for role, value in given.items():
        _paired(value, data, role)
    frame = as_frame(data)
    names = list(map(str, frame.columns))
    formulas = [one.partition("~") for one in texts_in(formula)]
    lefts = {name for left, _, _ in formulas for name in named_columns(left, names)}
    each = [own for value in given.values() for own in (value.values() if isinstance(value, dict) else [value]) if own is not None]
    named = [isinstance(own, str) or (is_name(own) and len(own) != len(frame)) for own in each]  # text in as many rows is a column
    said = [*(right for _, _, right in formulas), *texts_in(nested), *texts_in([own for own, by in zip(each, named, strict=True) if by])]
    used = {name for text in said for name in named_columns(text, names)} - lefts
    arrays = [own for own, by in zip(each, named, strict=True) if not by]
    beside = [column for own in arrays for column in NamedColumns(own).columns.values()]
    needed, responses = ([frame[name] for name in names if name in chosen] for chosen in (used, lefts))
    gone = incomplete(len(frame), [*needed, *beside], responses, missing)
    for name in lefts if missing == KEEP else ():
        if (numbers := floats(with_nan(raw(frame[name])))) is not None:
            frame[name] = numbers
    return kept_rows(data, ~gone) if missing != KEEP else frame[~gone], gone


def _paired(value: Any, data: Any, role: str) -> Any:
    """What is given beside a frame, its rows numbered as those of `as_frame`. Raises `DataError` where they are in another order."""
    if isinstance(value, dict):
        return {name: _paired(own, data, f"{role} of {name}") for name, own in value.items()}
    check_paired(index_of(data), value, role, "data")
    return value if index_of(value) is None else value.reset_index(drop=True)


def _right(said: str) -> str:
    """The right side of a formula "~ z"; a name of a column stands for itself."""
    said = said.strip()
    return said.removeprefix("~").strip() if said.startswith("~") else f"`{said}`"


def _joined(said: Any, frame: Any) -> ModelMatrix:
    """The columns of a formula "~ z", or of those named."""
    return ModelMatrix(" + ".join(map(_right, names_in(said))), frame)


def _with_columns(frame: Any, table: NamedColumns) -> tuple[Any, list[str]]:
    """The frame with further columns, and their names."""
    check_rows(table.n, "fixed", len(frame))
    return frame.assign(**{name: raw(column) for name, column in table.pick()}), list(table.names)


def _sides(
    formula: Any, frame: Any, families: Any, gaps: bool
) -> tuple[list[tuple[ModelMatrix, ModelMatrix]], dict[str, dict[str, Expression]]]:
    """The responses of a formula `"y1 + y2 ~ x"`, or `"cbind(y1, y2) ~ x"`, each with the covariates; and by response what else the
    formula says: `offset(..)` among the covariates, and the trials of `cbind(successes, failures)`."""
    plain, offset = offset_apart(formula) if isinstance(formula, str) else ("", None)
    left, tilde, right = plain.partition("~")
    if not tilde or not left.strip() or not right.strip():
        raise ParameterError(f"formula must be a response and covariates, such as 'y ~ x', got {formula!r}")
    covariates = ModelMatrix(right.strip(), frame)
    bound = arguments(left, "cbind")
    trials = None
    if bound is not None and len(bound) == 2 and list(families)[:1] == ["binomial"]:
        trials, bound = Expression(" + ".join(f"({one})" for one in bound), frame), bound[:1]
    parts = ModelMatrix(f"0 + {left.strip()}", frame, gaps=gaps).parts if bound is None else bound
    responses = [ModelMatrix(f"0 + {term}", frame, gaps=gaps) for term in parts]
    for design in responses:
        if len(design.columns) != 1:
            said = design.formula.removeprefix("0 + ")
            raise DataError(f"the response {said!r} makes {len(design.columns)} columns; need one column of numbers")
    own: dict[str, dict[str, Expression]] = {}
    if trials is not None:
        own["trials"] = {responses[0].columns[0]: trials}
    if offset is not None:
        own["offset"] = dict.fromkeys((response.columns[0] for response in responses), Expression(offset, frame))
    return [(response, covariates) for response in responses], own


def _said(value: Any, frame: Any) -> Any:
    """The name of a column as it is, other text as an expression, and an array as it is."""
    is_column = not isinstance(value, str) or value in frame.columns or WORD.fullmatch(value) or NAME.fullmatch(value)
    return value if is_column else Expression(value, frame)


def _there(named: Any, frame: Any) -> bool:
    """Whether a frame has the column of this name, or those that an expression needs."""
    return all(name in frame.columns for name in (named.names if isinstance(named, Expression) else [named]))


def _column(frame: Any, name: Any) -> Any:
    if isinstance(name, Expression):
        return name.column(frame)
    if not isinstance(name, str):
        return name  # an array
    if name not in frame.columns:
        raise DataError(f"there is no column {name!r}; there are {shorten(list(frame.columns))}")
    return frame[name]
