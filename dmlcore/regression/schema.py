"""What a fit is given, and later calls must be given again: covariates, responses, and which columns they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dmlcore.base.errors import DataError, ParameterError, shorten
from dmlcore.base.records import dataclass
from dmlcore.data.frames import check_paired
from dmlcore.regression.named_columns import NamedColumns, check_rows, is_name, names_in
from dmlcore.regression.responses import families_of
from dmlcore.regression.shared_coefficients import Sharing

LISTS = ("y", "gate")  # what may be a list of names of columns
OF_EACH = ("offset", "exposure", "trials")  # what each response may have of its own
OPTIONAL = ("y", "sample_weight", "groups")  # what calls after the fit may leave out


@dataclass(frozen=True)
class Term:
    """What a response depends on, as formulas may say. columns: names of covariates, None for all. intercept: whether there is one."""

    columns: tuple[str, ...] | None
    intercept: bool


@dataclass(frozen=True)
class Response:
    """One response. columns: places of its covariates among all, None for all. offset, exposure, trials: whether it has them."""

    name: str
    family: str
    intercept: bool
    columns: tuple[int, ...] | None
    offset: bool
    exposure: bool
    trials: bool

    @property
    def shifted(self) -> bool:
        """Whether part of its linear predictor is known: an offset, the logarithm of an exposure, or both."""
        return self.offset or self.exposure


@dataclass(frozen=True)
class Schema:
    """What the fit was given, which later calls must give again. names: of the covariates. by_name: what came as names of columns of X.
    sharing: what components share; None for nothing. gaps: whether responses may be missing."""

    names: tuple[str, ...]
    responses: tuple[Response, ...]
    by_name: dict[str, tuple[str, ...]]
    gate_names: tuple[str, ...] | None
    sharing: Sharing | None = None
    gaps: bool = False

    def names_of(self, response: Response) -> tuple[str, ...]:
        """Names of the covariates of a response."""
        return self.names if response.columns is None else tuple(self.names[j] for j in response.columns)


def schema_of(
    table: NamedColumns, roles: dict[str, Any], family: Any, intercept: Any, terms: tuple[Term, ...] | None, sharing: Sharing
) -> Schema:
    """What the fit is given. A string (for y and the gate also a list of strings) means columns of X, which then are no covariates.

    family, intercept: one for all responses, or a list. terms: what formulas say of each response. sharing: of components. Raises
    `DataError`, `ParameterError`.
    """
    if roles["y"] is None:
        raise DataError("a regression needs responses y")
    called = tuple(name for name, _ in responses_in(table, roles["y"]))
    families = families_of(family, called)
    intercepts = list(intercept) if isinstance(intercept, (list, tuple)) else [intercept] * len(called)
    if len(intercepts) != len(called):
        raise ParameterError(f"fit_intercept must be one, or one for each of the responses {shorten(list(called))}; got {intercept!r}")
    roles = per_response(roles, called)
    by_name = {role: names_in(value) for role, value in roles.items() if isinstance(value, str) or (role in LISTS and is_name(value))}
    taken = {name for names in by_name.values() for name in names}
    names = tuple(name for name in table.names if name not in taken)
    if lost := [name for name in sharing.names if name not in names]:
        raise ParameterError(f"column {lost[0]!r} is no covariate, so it cannot be fixed or nested")
    gate_names = None
    if roles["gate"] is not None:
        gate_names = by_name.get("gate") or NamedColumns(roles["gate"], "z", "the gate's covariates").names
    responses = tuple(
        Response(
            name,
            families[j],
            intercepts[j] if terms is None else terms[j].intercept,
            None if terms is None or (columns := terms[j].columns) is None else tuple(map(names.index, columns)),
            *(roles[own_role(role, name, called)] is not None for role in OF_EACH),
        )
        for j, name in enumerate(called)
    )
    return Schema(names, responses, by_name, gate_names, None if sharing == Sharing() else sharing)


def own_role(role: str, name: str, names: tuple[str, ...]) -> str:
    """What the offset, say, of a response is called: of one response "offset", of several "offset of y1"."""
    return role if len(names) == 1 else f"{role} of {name}"


def per_response(roles: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Roles with an entry for the offset, the exposure and the trials of each response. Raises `ParameterError` where it is not said
    whose they are."""
    out = dict(roles)
    for role in set(OF_EACH) & set(roles):
        value = out.pop(role)
        if value is not None and not isinstance(value, Mapping):
            if len(names) > 1:
                raise ParameterError(f"there are several responses: {role} must say whose it is, such as {{{names[0]!r}: ...}}")
            value = {names[0]: value}
        if unknown := [name for name in value or () if name not in names]:
            raise ParameterError(f"{role}: there is no response {unknown[0]!r}; there are {shorten(list(names))}")
        out |= {own_role(role, name, names): (value or {}).get(name) for name in names}
    return out


def responses_in(table: NamedColumns, y: Any) -> list[tuple[str, Any]]:
    """Names and columns of responses: names of columns of X, or an array `(n,)` or `(n, q)`, or a frame."""
    if is_name(y):
        return [(name, table.take(name)) for name in names_in(y)]
    own = NamedColumns(y, "y", "responses")
    check_rows(own.n, "y", table.n)
    check_paired(table.index, y, "y")
    if not own.names:
        raise DataError("y has no columns; need one for each response")
    found = own.pick()
    return [("y", found[0][1])] if own.names == ("y0",) else found


def matched(found: list[tuple[str, Any]], names: tuple[str, ...]) -> list[tuple[str, Any]]:
    """Responses as those of the fit: several by name where they have the names, otherwise by place."""
    by_name = dict(found)
    if len(names) > 1 and all(name in by_name for name in names):
        return [(name, by_name[name]) for name in names]
    if len(found) != len(names):
        raise DataError(f"there are {len(found)} responses; need {len(names)}: {shorten(list(names))}")
    return found


def complete(table: NamedColumns, roles: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """What a call is given, with what was named at the fit. Raises `DataError` where something is missing or too much."""
    out = dict(roles)
    for role, names in schema.by_name.items():
        there = table.framed and all(name in table.names for name in names)
        if role in roles and out[role] is None and (role not in OPTIONAL or there):
            out[role] = list(names) if role in LISTS else names[0]
    called = tuple(response.name for response in schema.responses)
    wanted = {"gate": schema.gate_names is not None}
    for response in schema.responses:
        wanted |= {own_role(role, response.name, called): getattr(response, role) for role in OF_EACH}
    for role, needed in wanted.items():
        if role in roles and (out[role] is not None) != needed:
            raise DataError(f"the model was fitted {'with' if needed else 'without'} {role}; give {'it' if needed else 'none'}")
    return out
