"""Rows read once: checked arrays of covariates, responses and what else there is; then columns for the engine."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError
from dmlcore.base.records import dataclass
from dmlcore.data.columns import Column, Option, Ragged, Record, ends_of
from dmlcore.data.encoded import Encoded
from dmlcore.data.frames import check_paired
from dmlcore.regression.named_columns import NamedColumns, check_rows, finite_column, is_name, label_codes, names_in, raw, weights_of
from dmlcore.regression.responses import FAMILIES, checked_exposure, checked_response, checked_trials
from dmlcore.regression.schema import Response, Schema, complete, matched, own_role, per_response, responses_in


@dataclass(frozen=True, eq=False)
class ModelFrame:
    """Rows as arrays. x `(n, p)`; y: of each response `(n,)`, or None; offset, trials: of each response, `(n,)` or None; weights `(n,)`,
    gate `(n, d)`, codes (the group of each row) `(n,)`, or None. called: names of columns, for messages."""

    x: np.ndarray
    schema: Schema
    y: list[np.ndarray] | None
    offset: list[np.ndarray | None]
    trials: list[np.ndarray | None]
    weights: np.ndarray | None
    gate: np.ndarray | None
    codes: np.ndarray | None
    called: dict[str, str]

    def x_of(self, response: Response) -> np.ndarray:
        """The covariates of a response."""
        return self.x if response.columns is None else self.x[:, list(response.columns)]

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

    def of_units(self, values: Any, name: str) -> Any:
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

    @property
    def total_rows(self) -> float:
        """The weight of all rows, in groups or not."""
        return float(len(self.x)) if self.weights is None else float(self.weights.sum())

    def unit_start(self, start: Any) -> np.ndarray | None:
        """Where a fit begins, a component or shares of them: of rows, or of groups."""
        if start is None:
            return None
        table = NamedColumns(start, "start", "start")
        check_rows(table.n, "start", len(self.x))
        matrix = table.matrix()
        each: np.ndarray = self.of_units(matrix[:, 0] if np.ndim(start) == 1 else matrix, "start")
        return each

    def encoded(self, layout: Any) -> Encoded:
        """The rows as columns of the layout of a model or an estimator."""
        inner = layout if self.gate is None else layout.values[1]
        row = inner if self.codes is None else inner.value
        records: tuple[Column, ...] = tuple(
            self._record(j, part) for j, part in enumerate(row.values if len(self.schema.responses) > 1 else [row])
        )
        column = Record(len(self.x), records) if len(records) > 1 else records[0]
        if self.codes is not None:
            column = Ragged(self.offsets, column.take(self.order), inner.length.encode(np.diff(self.offsets)))
        if self.gate is not None:
            column = Record(len(column), (layout.values[0].encode(self.unit_gate), column))
        return Encoded(column, layout)

    def _record(self, j: int, layout: Any) -> Column:
        """The rows of one response; with gaps, those where it is there."""
        if self.y is None:
            raise DataError("responses y are needed")
        response = self.schema.responses[j]
        given = [values for values in (self.x_of(response), self.y[j], self.trials[j], self.offset[j]) if values is not None]
        if not self.has_gaps(j):
            return Record(len(self.x), tuple(part.encode(values) for part, values in zip(layout.values, given, strict=True)))
        there = np.flatnonzero(~np.isnan(self.y[j]))
        given = [values[there] for values in given]
        if FAMILIES[response.family].whole:
            given[1] = given[1].astype(np.int64)
        inside = tuple(part.encode(values) for part, values in zip(layout.value.values, given, strict=True))
        return Option(len(self.x), there, Record(len(there), inside))

    def has_gaps(self, j: int) -> bool:
        """Whether some of the rows lack response j."""
        return self.y is not None and bool(np.isnan(self.y[j]).any())


def model_frame(table: NamedColumns, roles: dict[str, Any], schema: Schema) -> ModelFrame:
    """Checked rows, of the fit or of a later call. Raises `DataError` naming column and row."""
    names = tuple(response.name for response in schema.responses)
    roles = complete(table, per_response(roles, names), schema)
    called: dict[str, str] = {}

    def column(role: str) -> Any:
        value = roles.get(role)
        if value is None:
            return None
        by_name = isinstance(value, str)
        called[role] = value if by_name else str(getattr(value, "name", None) or role)
        found = raw(table.take(value) if by_name else value)
        check_rows(len(found), role, table.n)
        check_paired(table.index, value, role)
        return found

    def each(role: str) -> list[Any]:
        own = [own_role(role, name, names) for name in names]
        return [None if (values := column(place)) is None else finite_column(values, called[place]) for place in own]

    x, offset, exposure, trials = table.matrix(schema.names), each("offset"), each("exposure"), each("trials")
    for j, response in enumerate(schema.responses):
        if exposure[j] is not None:
            logs = checked_exposure(FAMILIES[response.family], exposure[j], called[own_role("exposure", response.name, names)])
            offset[j] = logs if offset[j] is None else offset[j] + logs
        if trials[j] is not None:
            place = called[own_role("trials", response.name, names)]
            trials[j] = checked_trials(FAMILIES[response.family], trials[j], place)
    y = None
    if roles.get("y") is not None:
        found = matched(responses_in(table, roles["y"]), names)
        checked = zip(schema.responses, found, trials, strict=True)
        y = [
            checked_response(FAMILIES[one.family], finite_column(values, name, schema.gaps), own, name)
            for one, (name, values), own in checked
        ]
    weights, labels = column("sample_weight"), column("groups")
    return ModelFrame(
        x,
        schema,
        y,
        offset,
        trials,
        None if weights is None else weights_of(weights, called["sample_weight"]),
        _gate_of(table, roles.get("gate"), schema.gate_names),
        None if labels is None else label_codes(labels, called["groups"]),
        called,
    )


def _gate_of(table: NamedColumns, gate: Any, names: tuple[str, ...] | None) -> np.ndarray | None:
    if gate is None:
        return None
    if is_name(gate):
        for name in names_in(gate):
            table.take(name)  # an array has no names to find it by
        return table.matrix(names_in(gate))
    own = NamedColumns(gate, "z", "the gate's covariates")
    check_rows(own.n, "gate", table.n)
    check_paired(table.index, gate, "gate")
    return own.matrix(names)
