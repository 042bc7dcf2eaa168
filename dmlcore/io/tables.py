"""Tables to files: Parquet, CSV or JSON lines. What reads them is `dmlcore.data.files`."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, EmptyError, shorten
from dmlcore.base.extras import library
from dmlcore.base.labels import distinct
from dmlcore.core.arguments import takes
from dmlcore.data.files import STANDARD, known_suffix
from dmlcore.data.files import read as read
from dmlcore.data.frames import is_frame, library_of
from dmlcore.data.values import is_row, listed, plain_list
from dmlcore.engines.stream import Stream
from dmlcore.io.files import replaced

ROWS_AT_ONCE = 1 << 14  # rows that are written as text at once


@takes()
def write(table: Any, path: str | os.PathLike[str], force: bool = False, names: Sequence[str] | None = None) -> None:
    """Writes a table (a frame of any library, or rows: tuples, dicts, an array) to a file, which is replaced whole or not at all.

    Of a stream (`dmlcore.stream`), its tables one after the other, so that memory does not grow with their number.

    path: its end says how it is written, as of `read`; "-" is standard output, as CSV. force: whether a file that is there may be
    replaced. names: of the columns of rows that have none ("field 0", ...). Dates are written as such; in JSON lines, as ISO 8601 says.

    Raises `DataError` for a file that is there, and for cells that such a file cannot hold; `OSError` where it cannot be written.
    """
    to_screen = os.fspath(path) == STANDARD
    suffix = ".csv" if to_screen else known_suffix(path)
    if not (to_screen or force) and os.path.lexists(path):
        raise DataError(f"{os.fspath(path)} is there already; give another name, or force=True to replace it")
    arrow = library("pyarrow", f"writing {suffix} files needs")
    try:
        content = _pieces(table, names)
        if to_screen:
            text = io.BytesIO()
            WRITERS[suffix](content, text)
            sys.stdout.write(text.getvalue().decode())
            return
        with replaced(path) as file:
            WRITERS[suffix](content, file)
    except arrow.ArrowException as error:
        raise DataError(f"{os.fspath(path)}: the table cannot be written ({shorten(' '.join(str(error).split()), 200)})") from None


def as_arrow(table: Any, names: Sequence[str] | None = None) -> Any:
    """A frame, or rows, as a table of pyarrow. Raises `DataError`."""
    arrow = library("pyarrow", "Arrow tables need")
    table = listed(table)
    if is_frame(table):
        match library_of(table):
            case "pandas":
                distinct(list(map(str, table.columns)))
                return arrow.Table.from_pandas(table, preserve_index=False)
            case "polars":
                return table.to_arrow()
            case "pyarrow":
                return table if isinstance(table, arrow.Table) else arrow.Table.from_batches([table])
    if isinstance(table, np.ndarray):
        table = plain_list(table)
    if not hasattr(table, "__len__"):
        raise DataError(f"a table is a data frame, or rows, got {shorten(table)}")
    if len(table) and all(isinstance(row, Mapping) for row in table):
        names = list(dict.fromkeys(name for row in table for name in row)) if names is None else list(names)
        return arrow.table({str(name): [row.get(name) for row in table] for name in names})
    rows = [row if isinstance(row, (tuple, list, np.ndarray)) else (row,) for row in table]
    count = len(names) if names is not None else len(rows[0]) if rows else 0
    if (wrong := next((i for i, row in enumerate(rows) if not is_row(row, count)), None)) is not None:
        raise DataError(f"row {wrong} is {shorten(rows[wrong])}; need {count} cells, as there are columns")
    columns = zip(*rows, strict=True) if rows else [()] * count
    return arrow.table(dict(zip(names or [f"field {j}" for j in range(count)], map(list, columns), strict=True)))


def _pieces(table: Any, names: Sequence[str] | None) -> Iterator[Any]:
    """Tables of pyarrow, all with the schema of the first."""
    if not isinstance(table, Stream):
        yield as_arrow(table, names)
        return
    schema = None
    for where, piece, *_ in table.source():
        content = as_arrow(piece, names)
        schema = content.schema if schema is None else schema
        if sorted(content.column_names) != sorted(schema.names):
            raise DataError(
                f"{where}: its columns are {shorten(content.column_names)}, those before {shorten(schema.names)}; need the same"
            )
        if content.schema != schema:
            try:
                content = content.select(schema.names).cast(schema)
            except ValueError as error:
                raise DataError(f"{where}: its columns are not as those before ({shorten(str(error), 200)})") from None
        yield content
    if schema is None:
        raise EmptyError("there are no tables, and so no columns to write")


def _parquet(tables: Iterable[Any], file: Any) -> None:
    rest = iter(tables)
    first = next(rest)
    with library("pyarrow.parquet", "Parquet files need").ParquetWriter(file, first.schema) as writer:
        for table in chain([first], rest):
            writer.write_table(table)


def _comma(tables: Iterable[Any], file: Any, delimiter: str = ",") -> None:
    writer = library("pyarrow.csv", "CSV files need")
    header = True
    for table in tables:
        if table.num_columns == 1 and table.column(0).null_count:  # a line with nothing on it would be no row
            table = table.set_column(0, table.column_names[0], table.column(0).cast("string").fill_null("NA"))
        writer.write_csv(table, file, writer.WriteOptions(include_header=header, delimiter=delimiter))
        header = False


def _tab(tables: Iterable[Any], file: Any) -> None:
    _comma(tables, file, "\t")


def _json_lines(tables: Iterable[Any], file: Any) -> None:
    for table in tables:
        for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
            for row in batch.to_pylist():
                file.write((json.dumps(_without_nan(row), ensure_ascii=False, default=_as_json) + "\n").encode())


def _without_nan(value: Any) -> Any:
    """The same with null for what is NaN: JSON has no word for it."""
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list):
        return list(map(_without_nan, value))
    return None if value != value else value


def _as_json(value: Any) -> Any:
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    raise DataError(f"JSON lines cannot hold {shorten(value)}; write Parquet")


WRITERS: dict[str, Callable[[Iterable[Any], Any], None]] = {
    ".parquet": _parquet,
    ".csv": _comma,
    ".tsv": _tab,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}
