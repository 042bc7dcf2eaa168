"""The columns of the table whose rows a model reads: one for each field of a record, and for each coordinate of a vector over several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dmlcore.base.errors import DataError, StructureError, shorten
from dmlcore.base.marks import is_missing
from dmlcore.base.records import dataclass
from dmlcore.core.partial import UNKNOWN, Parts, field_path
from dmlcore.data.layouts import Layout, Real, Vector
from dmlcore.data.record_layouts import Fields, columns_of
from dmlcore.data.values import is_row


@dataclass(frozen=True)
class RowColumn:
    """One column. key: how a record calls it, by name or by number. path: where its values stand in a row; `()`, where they are the rows.
    layout: of its values. width: of the vector that it is a coordinate of, if it is."""

    key: Any
    path: tuple[int, ...]
    layout: Layout
    width: int = 0

    def value(self, row: Any) -> Any:
        """What stands there in a row; of a vector that is not there, the mark that stands for it. Raises `DataError` for no such vector."""
        entry = row[self.path[0]]
        if len(self.path) == 1 or entry is UNKNOWN or is_missing(entry):
            return entry
        if not is_row(entry, self.width):
            raise DataError(f"{self.key}: stands in a vector of {self.width} entries, got {shorten(entry)}")
        return entry[self.path[1]]


def row_columns(layout: Layout) -> list[RowColumn]:
    """The columns that a model of this layout reads, in order."""
    if isinstance(layout, Vector):
        return [RowColumn(i, (i,), Real(layout.label), layout.dim or 0) for i in range(layout.dim or 0)]
    if not isinstance(layout, Fields):
        return [RowColumn(0, (), layout)]
    if layout.entry_names is None:
        return [RowColumn(j, (j,), part) for j, part in enumerate(layout.values)]
    out: list[RowColumn] = []
    for j, (name, part) in enumerate(zip(layout.entry_names, layout.values, strict=True)):
        if isinstance(name, str):
            out.append(RowColumn(name, (j,), part))
        else:
            out += [RowColumn(column, (j, i), Real(column), len(name)) for i, column in enumerate(columns_of(name))]
    return out


def column_place(layout: Layout, key: Any) -> int:
    """Which of the columns a position or a name means. Raises `StructureError`, also for a vector over several of them."""
    path, columns = field_path(layout, key), row_columns(layout)
    paths = [column.path for column in columns]
    if path not in paths:
        inside = ", ".join(column.key for column in columns if column.path[:1] == path)
        raise StructureError(f"{layout.label}: {key!r} is a vector over several columns; name one of {inside}")
    return paths.index(path)


def nested(columns: Sequence[RowColumn], entries: Sequence[Any]) -> Any:
    """What is known of each column, as `given` reads it of a row."""
    if columns and not columns[0].path:
        return entries[0]
    out: list[Any] = []
    for column, entry in zip(columns, entries, strict=True):
        if len(column.path) == 1:
            out.append(entry)
        elif column.path[1] == 0:
            out.append([entry])
        else:
            out[-1].append(entry)
    return Parts([Parts(entry) if isinstance(entry, list) else entry for entry in out])


def asked_for(layout: Layout, paths: Sequence[tuple[int, ...]]) -> tuple[Parts, list[int]]:
    """Rows of which nothing is known, apart in the coordinates that are asked for, and the numbers of these unknowns.

    paths: of fields, or of coordinates of their vectors. Raises `StructureError` where one is asked for twice.
    """
    whole = {path for path in paths if len(path) == 1}
    if len(set(paths)) < len(paths) or any(path[:1] in whole for path in paths if len(path) > 1):
        raise StructureError("fields: each may be asked for once")
    apart = {path[0] for path in paths if len(path) > 1}
    count = len(layout.values) if isinstance(layout, Fields) else getattr(layout, "dim", 0)
    slots: dict[tuple[int, ...], int] = {}
    entries: list[Any] = []
    for j in range(count):
        width = len(layout.entry_names[j]) if j in apart and isinstance(layout, Fields) and layout.entry_names else 0
        entries.append(Parts([UNKNOWN] * width) if width else UNKNOWN)
        inside: list[tuple[int, ...]] = [(j, i) for i in range(width)]
        for path in inside or [(j,)]:
            slots[path] = len(slots)
    return Parts(entries), [slots[path] for path in paths]


def names_of(layout: Fields, paths: Sequence[tuple[int, ...]]) -> list[str | tuple[str, ...]]:
    """The names of the fields of a law of these columns: coordinates of one vector that stand next to each other make one."""
    out: list[list[str]] = []
    last = None
    for path in paths:
        name = (layout.entry_names or ())[path[0]]
        if len(path) == 1:
            out.append([name])  # type: ignore[list-item]
        elif path[0] == last:
            out[-1].append(name[path[1]])
        else:
            out.append([name[path[1]]])
        last = path[0] if len(path) > 1 else None
    return [names[0] if len(names) == 1 else tuple(names) for names in out]
