"""What a regression is given, read once: covariates, response, and what else there is of each row; then as columns for the engine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.core.errors import DataError
from dmlcore.data.columns import Column, Ragged, Record, ends_of
from dmlcore.data.encoded import Encoded, row_weights
from dmlcore.regression.families import Family, checked_response, checked_trials
from dmlcore.regression.tables import Table, codes_of, is_name, names_in, numbers, raw

ONE = ("y", "sample_weight", "offset", "trials", "groups")  # what is one column
OPTIONAL = ("y", "sample_weight", "groups")  # what calls after the fit may leave out


@dataclass(frozen=True)
class Schema:
    """What the fit was given, which later calls must give again. by_name: what came as names of columns of X."""

    names: tuple[str, ...]
    by_name: dict[str, tuple[str, ...]]
    gate_names: tuple[str, ...] | None
    offset: bool
    trials: bool


@dataclass(frozen=True, eq=False)
class Given:
    """Rows as arrays. x `(n, p)`; y, weights, offset, trials `(n,)` or None; gate `(n, d)` or None; codes: the group of each row, or
    None."""

    x: np.ndarray
    y: np.ndarray | None = None
    weights: np.ndarray | None = None
    offset: np.ndarray | None = None
    trials: np.ndarray | None = None
    gate: np.ndarray | None = None
    codes: np.ndarray | None = None
    called: dict[str, str] = field(default_factory=dict)  # names of columns, for messages

    @cached_property
    def order(self) -> np.ndarray:
        """Rows with those of one group next to each other, otherwise as they came."""
        return np.argsort(self._groups, kind="stable")

    @cached_property
    def offsets(self) -> np.ndarray:
        """Where groups begin and end among rows in that order."""
        return ends_of(np.bincount(self._groups))

    @property
    def _groups(self) -> np.ndarray:
        return np.arange(len(self.x)) if self.codes is None else self.codes

    def of_units(self, values: np.ndarray | None, name: str) -> np.ndarray | None:
        """Values of rows as values of groups. Raises `DataError` where they differ within a group."""
        if values is None or self.codes is None:
            return values
        there = values[self.order]
        each = there[self.offsets[:-1]]
        differ = np.any(np.reshape(np.repeat(each, np.diff(self.offsets), axis=0) != there, (len(there), -1)), axis=1)
        if differ.any():
            row = int(self.order[np.argmax(differ)])
            raise DataError(f"column {name!r}: row {row} differs from an earlier row of its group; need one value for each group")
        return each

    @cached_property
    def unit_weights(self) -> np.ndarray | None:
        """Weights of rows, or of groups."""
        return self.of_units(self.weights, self.called.get("sample_weight", "sample_weight"))

    @cached_property
    def unit_gate(self) -> Any:
        """Gate covariates of rows, or of groups."""
        return self.of_units(self.gate, "gate")

    @cached_property
    def total(self) -> float:
        """The weight of all rows; of all groups, where there are groups."""
        units = len(self.x) if self.codes is None else len(self.offsets) - 1
        return float(units) if self.unit_weights is None else float(self.unit_weights.sum())

    def encoded(self, layout: Any) -> Encoded:
        """The rows as columns of the layout of a model or an estimator."""
        inner = layout if self.gate is None else layout.values[1]
        parts = (inner if self.codes is None else inner.value).values
        present = [values for values in (self.x, self.y, self.trials, self.offset) if values is not None]
        column: Column = Record(len(self.x), tuple(part.encode(values) for part, values in zip(parts, present, strict=True)))
        if self.codes is not None:
            column = Ragged(self.offsets, column.take(self.order), inner.length.encode(np.diff(self.offsets)))
        if self.gate is not None:
            column = Record(len(column), (layout.values[0].encode(self.unit_gate), column))
        return Encoded(column, layout)


def read(family: Family, X: Any, roles: dict[str, Any], schema: Schema | None = None) -> tuple[Given, Schema]:
    """Checked rows, and what they hold. schema: of the fit, None at the fit itself.

    A string (for the gate also a list of strings) means columns of X, which then are no covariates of the regression; what was named at the
    fit is looked for again. Raises `DataError` naming column and row.
    """
    table = Table(X)
    roles = roles if schema is None else _again(table, roles, schema)
    by_name = {role: names_in(value) for role, value in roles.items() if isinstance(value, str) or (role == "gate" and is_name(value))}
    taken = {name for names in by_name.values() for name in names}
    names = tuple(name for name in table.names if name not in taken) if schema is None else schema.names
    given = Given(table.matrix(names), called={role: names[0] for role, names in by_name.items()})
    called = given.called
    for role in ONE:
        value = table.take(by_name[role][0]) if role in by_name else roles.get(role)
        if value is None:
            continue
        called.setdefault(role, str(getattr(value, "name", None) or role))
        column = _as_long(value, table.n, role)
        if role == "groups":
            given = replace(given, codes=codes_of(column, called[role]))
        elif role == "sample_weight":
            given = replace(given, weights=row_weights(numbers(column, called[role]), table.n))
        else:
            found: dict[str, Any] = {role: numbers(column, called[role])}
            given = replace(given, **found)
    if given.trials is not None:
        given = replace(given, trials=checked_trials(family, given.trials, called["trials"]))
    if given.y is not None:
        given = replace(given, y=checked_response(family, given.y, given.trials, called["y"]))
    gate_names = None if schema is None else schema.gate_names
    if roles.get("gate") is not None:
        for name in by_name.get("gate", ()):
            table.take(name)  # an array has no names to find it by
        gate = table if "gate" in by_name else Table(roles["gate"], "z")
        gate_names = gate_names or by_name.get("gate", gate.names)
        if gate.n != table.n:
            raise DataError(f"gate has {gate.n} rows, X has {table.n}; need one for each row of X")
        given = replace(given, gate=gate.matrix(gate_names))
    return given, schema or Schema(names, by_name, gate_names, given.offset is not None, given.trials is not None)


def _again(table: Table, roles: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """What a call after the fit is given, and what it must be given."""
    out = dict(roles)
    for role, names in schema.by_name.items():
        if out.get(role) is None and role in roles and (role not in OPTIONAL or (table.framed and names[0] in table.names)):
            out[role] = list(names) if role == "gate" else names[0]
    wanted = {"offset": schema.offset, "trials": schema.trials, "gate": schema.gate_names is not None}
    for role, needed in wanted.items():
        if role in roles and (out.get(role) is not None) != needed:
            raise DataError(f"the model was fitted {'with' if needed else 'without'} {role}; give {'it' if needed else 'none'}")
    return out


def _as_long(value: Any, n: int, role: str) -> Any:
    column = raw(value)
    if len(column) != n:
        raise DataError(f"{role} has {len(column)} entries, X has {n} rows; need one for each row")
    return column
