"""Cells of a table: which are known, which open, which seen to be missing; and groups of rows in which `given` can treat all at once.

The cells of a row are the fields of its tuple, at any depth, and the coordinates of vectors. Where cells are tied only through latent
choices, as those of composites in mixtures are, all rows form one group, whatever each of them knows. Rows that know different
coordinates of a vector, or parts of a regression, form different groups; so does each row with UNKNOWN inside a list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from dmlcore.base.errors import BadValue, DataError, StructureError, SupportError, shorten
from dmlcore.core.partial import (
    MISSING,
    UNKNOWN,
    Known,
    ObservedRows,
    Parts,
    given,
    named_fields,
    partial,
    unknown_inside,
    with_missing_response,
)
from dmlcore.core.powers import HoldsFixed, has
from dmlcore.core.row_columns import row_columns
from dmlcore.core.rowlaws import RowLaw
from dmlcore.data.columns import Column, Record
from dmlcore.data.encoded import Encoded
from dmlcore.data.intervals import Interval
from dmlcore.data.layouts import Anything, Count, Covariates, Labels, Layout, Maybe, Real, Vector
from dmlcore.data.plain_columns import PlainColumn
from dmlcore.data.record_layouts import Explained, Fields
from dmlcore.data.sequences import LabelSequence, Repeated
from dmlcore.data.times import Times
from dmlcore.data.values import is_missing, is_row
from dmlcore.stats.latent.joined import distribution_of

KNOWN, OPEN, ABSENT = 0, 1, 2  # ABSENT: seen to be missing, which informs


@dataclass(eq=False)
class Cell:
    """One cell of all rows. place: its path in a row. layout: of a value that is there. optional: whether it may be missing."""

    name: str
    place: tuple[int, ...]
    layout: Layout
    optional: bool
    tied: bool  # to others by more than latent choices, so that rows are grouped by whether they know it
    values: Any = None
    state: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int8))
    partly: np.ndarray | None = None  # rows whose list holds UNKNOWN
    kept: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.intp))  # positions, among the rows in order, that are known
    column: Column | None = None  # of these

    @property
    def kind(self) -> str:
        """ "real", "count", "label", "time" or "other"."""
        if isinstance(self.layout, Interval):  # what is filled in is a number
            return "count" if self.layout.whole else "real"
        kinds = {Real: "real", Count: "count", Times: "time"}
        return "label" if isinstance(self.layout, Labels) else kinds.get(type(self.layout), "other")


class Branch(list[Any]):
    """Cells, or branches of them, that are entries of one tuple or vector of this layout."""

    def __init__(self, parts: list[Any], layout: Layout):
        super().__init__(parts)
        self.layout = layout


class Grid:
    """The cells of a table, and how they nest: a `Cell`, or a `Branch` of such. columns: those of the table, one after the other."""

    def __init__(self, model: Any, names: list[str]):
        self.model, layout = model, model.layout
        self.cells: list[Cell] = []
        self.laws: dict[Cell, Any] = {}
        self.left_out: dict[str, str] = {}  # columns whose gaps cannot be filled, and why
        self.apart = all(node.takes_partial_rows or not isinstance(node.layout, Fields) for node in nodes(model))
        if isinstance(layout, (Fields, Vector)):
            columns = zip(row_columns(layout), names, strict=True)
            self.columns = [self._outline(None if column.width else column.layout, name, column.path) for column, name in columns]
            self.tree: Any = Branch(self._entries(layout), layout)
        else:
            self.tree = self._outline(layout, names[0], ())
            self.columns = [self.tree]

    def _entries(self, layout: Layout) -> list[Any]:
        """What the columns of the table make up: the coordinates of one vector a branch."""
        out: list[Any] = []
        for column, node in zip(row_columns(layout), self.columns, strict=True):
            if len(column.path) == 1:
                out.append(node)
            elif column.path[1]:
                out[-1].append(node)
            else:
                out.append(Branch([node], layout.values[column.path[0]]))  # type: ignore[attr-defined]
        return out

    def _outline(self, layout: Layout | None, name: str, place: tuple[int, ...]) -> Any:
        if layout is None or not isinstance(layout, (Fields, Vector)):
            inner = layout.value if isinstance(layout, Maybe) else layout or Real(name)
            optional = isinstance(layout, Maybe) and not isinstance(inner, Covariates)  # these have no law to be filled from
            self.cells.append(Cell(name, place, inner, optional, layout is None or not self.apart))
            return self.cells[-1]
        if isinstance(layout, Vector) and layout.dim is None:
            raise StructureError(f"{name}: the model does not say how long its vectors are")
        parts = layout.values if isinstance(layout, Fields) else [None] * layout.dim  # type: ignore[operator]
        return Branch([self._outline(part, f"{name}, {j}", (*place, j)) for j, part in enumerate(parts)], layout)

    def read(self, columns: list[Any]) -> None:
        """Takes the columns of a table."""
        for node, values in zip(self.columns, columns, strict=True):
            self._read(node, values)

    def _read(self, node: Any, values: Any) -> None:
        if isinstance(node, Cell):
            return self._states(node, values)
        k = len(node)
        gap = (UNKNOWN,) * k
        rows = [gap if row is UNKNOWN or is_missing(row) else row for row in values]
        for i, row in enumerate(rows):
            if not is_row(row, k):
                raise DataError(f"column {cells_in(node)[0].name!r}: row {i} is {shorten(row)}; need {k} entries")
        for j, part in enumerate(node):
            self._read(part, [row[j] for row in rows])
        return None

    def _states(self, cell: Cell, values: Any) -> None:
        if cell.optional and isinstance(cell.layout, Explained):
            values = [with_missing_response(Maybe(cell.name, cell.layout), row) for row in values]
        cell.values, n = values, len(values)
        unknown, missing = gaps(values)
        cell.state = np.zeros(n, dtype=np.int8)
        if cell.optional:
            layout = Maybe(cell.name, cell.layout, self._missing_value(cell))
            cell.state[~layout.present(values)] = ABSENT
        else:
            if missing.any() and cell.kind == "label":
                none = np.fromiter((v is None for v in values), dtype=bool, count=n)
                if self.prior is not None and self.possible(cell, None):  # None is a label
                    missing &= ~none
            cell.state[missing] = OPEN
        cell.state[unknown] = OPEN
        if isinstance(cell.layout, Anything):
            self._leave(cell)
        elif isinstance(cell.layout, (Repeated, LabelSequence, Fields)) or cell.layout.takes_missing:
            cell.partly = self._partly(cell)

    def _leave(self, cell: Cell) -> None:
        """Of a cell without a law nothing can be said, nor does it say anything: its gaps are left as they are."""
        if (cell.state == KNOWN).all():
            return
        if cell.optional:
            raise StructureError(f"column {cell.name!r} has no law of its values, only of whether they are missing, so it cannot be filled")
        self.left_out[cell.name] = "the model has no law of it"
        cell.state[:] = KNOWN

    def _missing_value(self, cell: Cell) -> Any:
        layout = self.model.layout
        for j in cell.place:
            layout = layout.values[j]
        return layout.missing

    def _partly(self, cell: Cell) -> np.ndarray | None:
        lists = [v for v, state in zip(cell.values, cell.state, strict=True) if state == KNOWN]
        simple = isinstance(cell.layout, LabelSequence) or type(getattr(cell.layout, "value", None)) in (Real, Count, Labels)
        try:
            if simple and UNKNOWN not in set(chain.from_iterable(lists)):
                return None
        except TypeError:  # elements that cannot be hashed
            pass
        found = (
            state == KNOWN and not isinstance(partial(cell.layout, v), Known) for v, state in zip(cell.values, cell.state, strict=True)
        )
        partly = np.fromiter(found, dtype=bool, count=len(cell.values))
        return partly if partly.any() else None

    @cached_property
    def prior(self) -> RowLaw | None:
        """The law of all cells when nothing is known; None where there is none, as of the covariates of a regression."""
        try:
            return given(self.model, template(self.tree, lambda cell: UNKNOWN), 1)[1]
        except StructureError:
            return None

    def possible(self, cell: Cell, value: Any) -> bool:
        """Whether a value of a cell can have positive density, when nothing else is known."""
        if cell not in self.laws:
            self.laws[cell] = None if self.prior is None else distribution_of(self.prior.keep([self.cells.index(cell)]))
        law = self.laws[cell]
        return law is None or law.log_density(value) > -np.inf

    # -- groups of rows ------------------------------------------------------------------------------------------------

    def groups(self) -> Iterator[tuple[np.ndarray, Any, list[tuple[Cell, int]]]]:
        """`(rows, what is known of them, [(cell, number of its unknowns)])` for the rows with gaps, a few rows at a time."""
        gaps = np.any([cell.state != KNOWN for cell in self.cells], axis=0) if self.cells else np.zeros(0, bool)
        for cell in self.cells:
            gaps |= cell.partly if cell.partly is not None else False
        rows = np.flatnonzero(gaps)
        keys = [cell.state[rows] for cell in self.cells if cell.tied]
        keys += [np.where(cell.partly[rows], rows + 1, 0) for cell in self.cells if cell.partly is not None]
        order, starts = np.arange(len(rows)), np.zeros(min(len(rows), 1), dtype=np.intp)
        if keys:
            _, number = np.unique(np.array(keys), axis=1, return_inverse=True)
            order = np.argsort(number.ravel(), kind="stable")
            starts = np.flatnonzero(np.diff(number.ravel()[order], prepend=-1))
        rows = rows[order]
        ends = [*starts[1:].tolist(), len(rows)] if len(rows) else []
        for cell in self.cells:
            cell.kept = np.flatnonzero(whole(cell)[rows])
            cell.column = self._encode(cell, rows[cell.kept], rows[cell.kept])
        for start, stop in zip(starts.tolist(), ends, strict=True):
            mine = rows[start:stop]
            x = template(self.tree, lambda cell, a=start, b=stop, mine=mine: self._known(cell, a, b, mine))
            yield mine, x, [(cell, self._open(cell, mine)) for cell in self.cells]

    def _encode(self, cell: Cell, rows: np.ndarray, places: np.ndarray) -> Column:
        values = cell.values[rows] if isinstance(cell.values, (np.ndarray, PlainColumn)) else [cell.values[i] for i in rows.tolist()]
        try:
            return cell.layout.encode(values)
        except BadValue as error:
            row = int(places[error.index])
            raise DataError(f"column {cell.name!r}: row {row}{error.within} is {shorten(error.value)}; need {error.need}") from None

    def _known(self, cell: Cell, start: int, stop: int, rows: np.ndarray) -> Any:
        if cell.partly is not None and cell.partly[rows[0]]:
            return partial(cell.layout, cell.values[int(rows[0])])
        a, b = np.searchsorted(cell.kept, [start, stop])
        encoded = Encoded(cell.column.slice(int(a), int(b)), cell.layout)  # type: ignore[union-attr]
        if cell.optional:
            return ObservedRows(cell.kept[a:b] - start, encoded, np.flatnonzero(cell.state[rows] == ABSENT))
        if b - a == len(rows):
            return Known(None, encoded)
        return ObservedRows(cell.kept[a:b] - start, encoded) if b > a else UNKNOWN

    def _open(self, cell: Cell, rows: np.ndarray) -> int:
        if cell.partly is not None and cell.partly[rows[0]]:
            return unknowns(partial(cell.layout, cell.values[int(rows[0])]))
        return int(cell.optional or (cell.state[rows] != KNOWN).any())

    def explain_zero_density(self, row: int) -> SupportError:
        """Why the known cells of a row have density zero."""
        for cell in self.cells:
            if whole(cell)[row] and not isinstance(cell.layout, Anything):
                value = cell.values[row]
                if not self.possible(cell, value):
                    zero = "a label that has probability zero" if cell.kind == "label" else "which has density zero"
                    return SupportError(f"column {cell.name!r}: row {row} is {shorten(value)}, {zero} under the model")
        return SupportError(f"row {row}: its observed cells together have density zero under the model")


def nodes(model: Any) -> Iterator[Any]:
    """A distribution and all below it."""
    yield model
    for child in (*model.children(), *([model.held_law()] if has(model, HoldsFixed) else [])):
        yield from nodes(child)


def whole(cell: Cell) -> np.ndarray:
    """Which rows know the cell and all that is in it."""
    known = cell.state == KNOWN
    return known if cell.partly is None else known & ~cell.partly


def template(node: Any, make: Any) -> Any:
    """The tree of cells as `Parts`, each cell as `make(cell)` says; tuples and vectors that are known in every row stay whole."""
    if isinstance(node, Cell):
        return make(node)
    parts = [template(part, make) for part in node]
    if not all(isinstance(part, Known) for part in parts):
        return Parts(parts)
    columns: list[Any] = [part.done[0][1].column for part in parts]
    if isinstance(node.layout, Fields):
        return Known(None, Encoded(Record(len(columns[0]), tuple(columns)), node.layout))
    return Known(None, Encoded(node.layout.encode(np.array([column.x for column in columns]).T), node.layout))


def unknowns(x: Any) -> int:
    """How many unknown values there are in a partly known one."""
    return sum(map(unknowns, x.entries)) if isinstance(x, Parts) else int(not isinstance(x, Known))


def cells_in(node: Any) -> list[Cell]:
    return [node] if isinstance(node, Cell) else [cell for part in node for cell in cells_in(part)]


def gaps(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Which values are UNKNOWN, and which missing: None, NaN, NA. Shapes `(n,)`."""
    n = len(values)
    if isinstance(values, PlainColumn):
        return np.zeros(n, dtype=bool), values.missing
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        return np.zeros(n, dtype=bool), np.isnan(values) if values.dtype.kind == "f" else np.zeros(n, dtype=bool)
    if isinstance(values, np.ndarray) and values.dtype.kind in "mM":
        return np.zeros(n, dtype=bool), np.isnat(values)
    types = set(map(type, values))
    unknown = np.zeros(n, dtype=bool)
    if type(UNKNOWN) in types:
        unknown = np.fromiter((v is UNKNOWN for v in values), dtype=bool, count=n)
    odd = types - {type(None), type(UNKNOWN), int, str, bool, list, tuple, set, frozenset, bytes}
    if odd:
        return unknown, np.fromiter((is_missing(v) for v in values), dtype=bool, count=n)
    return unknown, np.fromiter((v is None for v in values), dtype=bool, count=n) if type(None) in types else np.zeros(n, dtype=bool)


def refilled(x: Any, layout: Layout, values: Iterator[Any]) -> Any:
    """A list with its UNKNOWN (or missing) elements, at any depth, taken from `values`."""
    if x is UNKNOWN or x is MISSING or (isinstance(layout, Maybe) and not layout.present([x])[0]):
        return next(values)
    inner = layout.value if isinstance(layout, Maybe) else layout
    if isinstance(inner, (Repeated, LabelSequence)):
        part = inner.value if isinstance(inner, Repeated) else Anything()
        return [refilled(v, part, values) for v in x]
    if isinstance(inner, Fields):
        entries = named_fields(inner, x) if isinstance(x, dict) else inner.entries(x) if inner.takes_missing else x
        return tuple(refilled(v, part, values) for v, part in zip(entries, inner.values, strict=True))
    if isinstance(inner, Vector):
        return [next(values) if v is UNKNOWN or is_missing(v) else v for v in x]
    return x if not unknown_inside(x) else [refilled(v, Anything(), values) for v in x]
