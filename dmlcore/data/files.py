"""Files with a table in them (Parquet, CSV, JSON lines) as tables of pyarrow, which is imported here where one is read."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, shorten
from dmlcore.base.extras import library
from dmlcore.base.labels import distinct

STANDARD = "-"  # standard input or output, where a path is asked for
DELIMITERS = ";\t|,"  # that cells are separated by in practice
CODE_BYTES = 4  # of a file for each cell, above which text is taken to differ from row to row
MAX_BLOCK = 2**31 - 1  # bytes that pyarrow reads at once, at most
MAX_LEVELS = 100  # of lists and objects in each other, in JSON lines
NULL_LINE = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|\n)[ \t\r]*null")  # a line of JSON that begins with null
JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
OPENING, CLOSING = list(b"[{"), list(b"]}")
BYTE_ORDER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def suffix_of(path: str | PurePath) -> str:
    """What says how a file is written: ".csv" of "Table.CSV"."""
    return PurePath(path).suffix.lower()


def is_path(data: Any) -> bool:
    """Whether data are named and not given: a `Path`, or a string that ends as files with tables do."""
    return isinstance(data, PurePath) or (isinstance(data, str) and suffix_of(data) in READERS)


def read(path: str | os.PathLike[str], columns: Sequence[str] | None = None, coded: bool = False) -> Any:
    """The table in a file, as a table of pyarrow: all columns, or those named, in this order.

    path: ends in .parquet, .csv, .tsv, .jsonl or .ndjson (JSON lines: one object a line); "-" is standard input, read as CSV. Text is
    UTF-8. In CSV, the first line names the columns; empty cells, NA, NaN, null and their like are missing. coded: text that repeats comes
    as a dictionary with codes where the file holds such (Parquet), several times faster.

    Raises `DataError`, in one line that names the file and what is known of line and column, for what is no table: no rows, lines of
    several lengths, another encoding, columns that share a name, an unknown suffix. `OSError` where a file cannot be read, `LibraryError`
    without pyarrow.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise DataError(f"read: a path is a text or a Path, got {shorten(path)}")
    if columns is not None and not isinstance(columns, Iterable):
        raise DataError(f"read: columns is a list of names, got {shorten(columns)}")
    name = "standard input" if os.fspath(path) == STANDARD else os.fspath(path)
    suffix = ".csv" if os.fspath(path) == STANDARD else known_suffix(path)
    arrow = library("pyarrow", f"reading {suffix} files needs")
    try:
        if os.fspath(path) == STANDARD:
            content = arrow.py_buffer(sys.stdin.buffer.read())
        else:
            content = _content(Path(path), arrow)
        if not len(content):
            raise DataError("the file is empty; need a table")
        table = READERS[suffix](content, coded)
        distinct(table.column_names)
        if not table.num_rows:
            raise DataError(f"there are no rows below the columns {shorten(table.column_names)}; need at least one")
        return table if columns is None else _chosen(table, list(columns))
    except DataError as error:
        raise DataError(f"{name}: {error}") from None


def known_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix of a path, which says how the file is written. Raises `DataError` for another than those of `READERS`."""
    suffix = suffix_of(os.fspath(path))
    if suffix not in READERS:
        raise DataError(f"{os.fspath(path)}: the name ends in {suffix!r}; need one of {', '.join(READERS)}")
    return suffix


def _content(path: Path, arrow: Any) -> Any:
    if path.is_dir():
        raise DataError("this is a folder; need a file")
    if not path.stat().st_size:
        return b""
    with arrow.memory_map(str(path)) as file:
        return file.read_buffer()


def _chosen(table: Any, columns: list[str]) -> Any:
    for name in columns:
        if name not in table.column_names:
            raise DataError(f"there is no column {name!r}; there are {shorten(table.column_names)}")
    return table.select(columns)


# -- Parquet -----------------------------------------------------------------------------------------------------------


def _parquet(content: Any, coded: bool) -> Any:
    arrow = library("pyarrow", "Parquet files need")
    reader = library("pyarrow.parquet", "Parquet files need")
    try:
        file = reader.ParquetFile(arrow.BufferReader(content))
        if coded:
            file = reader.ParquetFile(arrow.BufferReader(content), read_dictionary=_repeating_text(file))
        out = file.read()
        out.validate(full=True)  # of a damaged file, places in text may be anywhere, and text not UTF-8
        return out
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"this is no whole Parquet file ({_one_line(error)})") from None


def _repeating_text(file: Any) -> list[str]:
    """The columns of text that take so few bytes that they are held as codes."""
    size: Counter[str] = Counter()
    for group in range(file.num_row_groups):
        chunks = map(file.metadata.row_group(group).column, range(file.metadata.num_columns))
        size.update({chunk.path_in_schema: chunk.total_uncompressed_size for chunk in chunks})
    texts = [field.name for field in file.schema_arrow if str(field.type) in ("string", "large_string")]
    return [name for name in texts if size[name] < CODE_BYTES * file.metadata.num_rows]


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _separated(content: Any, delimiter: str) -> Any:
    arrow = library("pyarrow", "CSV files need")
    reader = library("pyarrow.csv", "CSV files need")
    parse = reader.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    convert = reader.ConvertOptions(strings_can_be_null=True)

    def table(block: int | None) -> Any:
        return reader.read_csv(arrow.BufferReader(content), reader.ReadOptions(block_size=block), parse, convert)

    _refuse_other_encodings(content)
    try:
        out = _in_blocks(table, content)
        kinds = dict(zip(out.column_names, out.schema.types, strict=True))
    except (arrow.ArrowException, UnicodeDecodeError) as error:
        _check_utf8(content)
        _check_lengths(content, delimiter)
        raise DataError(f"this is no table of separated values ({_one_line(error)})") from None
    if any(map(arrow.types.is_binary, kinds.values())):  # text that is not UTF-8
        _check_utf8(content)
    _refuse_other_delimiters(out.column_names, delimiter)
    swallowed = any("\n" in str(cell) for row in out.slice(max(out.num_rows - 1, 0)).to_pylist() for cell in row.values())
    if swallowed and bytes(content).count(b'"') % 2:
        raise DataError("a quotation mark in the last row is not closed")
    return out


def _comma(content: Any, coded: bool) -> Any:
    return _separated(content, ",")


def _tab(content: Any, coded: bool) -> Any:
    return _separated(content, "\t")


def _refuse_other_delimiters(header: list[str], delimiter: str) -> None:
    """Raises `DataError` for a header of one cell that others than the delimiter seem to separate."""
    other = next((mark for mark in DELIMITERS if len(header) == 1 and mark in header[0]), None)
    if other is not None:
        raise DataError(
            f"the header is one cell, {shorten(header[0])}: {other!r} seems to separate the cells, where {delimiter!r} is needed (a tab in "
            ".tsv files); give a frame that another library has read"
        )


def _check_lengths(content: Any, delimiter: str) -> None:
    """Raises `DataError` for the first line that has not as many cells as the header."""
    lines = csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=""), delimiter=delimiter)
    limit = csv.field_size_limit(len(content) + 1)
    try:
        header: list[str] = []
        for cells in lines:
            if not header:
                header = cells
                _refuse_other_delimiters(header, delimiter)
            if cells and header and len(cells) != len(header):
                end = f"; {header[len(cells)]!r} and what follows lack" if len(cells) < len(header) else ""
                raise DataError(f"line {lines.line_num} has {len(cells)} of {len(header)} cells: {shorten(cells)}{end}")
        if not header:
            raise DataError("the file is blank; need a line with the names of the columns, and a line for each row")
    finally:
        csv.field_size_limit(limit)


# -- JSON lines --------------------------------------------------------------------------------------------------------


def _json_lines(content: Any, coded: bool) -> Any:
    arrow = library("pyarrow", "JSON lines need")
    reader = library("pyarrow.json", "JSON lines need")

    def table(block: int | None) -> Any:
        return reader.read_json(arrow.BufferReader(content), reader.ReadOptions(block_size=block))

    _refuse_other_encodings(content)
    _refuse_depth(content)
    if NULL_LINE.search(content):  # the reader ends the process where null stands in place of an object
        _check_utf8(content)
        _check_objects(content)
    try:
        out = _in_blocks(table, content)
        out.validate(full=True)  # that text is UTF-8
        _read_names(out.schema)
        names = out.column_names
    except (arrow.ArrowException, UnicodeDecodeError) as error:
        _check_utf8(content)
        _check_objects(content)
        raise DataError(f"these are no JSON lines ({_one_line(error)})") from None
    if not names:
        raise DataError("the file is blank; need an object {..} on each line")
    return out


def _read_names(fields: Iterable[Any]) -> None:
    """Reads the names of columns, and of the parts of objects in these; the reader passes over bytes in them that are no UTF-8."""
    for field in fields:
        field.name  # noqa: B018 - raises `UnicodeDecodeError`
        kind = field.type
        _read_names([kind.value_field] if hasattr(kind, "value_field") else [kind.field(i) for i in range(kind.num_fields)])


def _refuse_depth(content: Any) -> None:
    """Raises `DataError` for lists and objects in each other deeper than `MAX_LEVELS`: the reader calls itself for each level, and with it
    the process would end."""
    raw = np.frombuffer(content, dtype=np.uint8)
    bounds = np.concatenate([[-1], np.flatnonzero(raw == ord("\n")), [len(raw)]])
    opened = np.searchsorted(np.flatnonzero((raw == OPENING[0]) | (raw == OPENING[1])), bounds)
    for line in np.flatnonzero(np.diff(opened) > MAX_LEVELS).tolist():
        text = bytes(content[int(bounds[line]) + 1 : int(bounds[line + 1])])
        marks = np.frombuffer(JSON_TEXT.sub(b"", text), dtype=np.uint8)
        step = np.isin(marks, OPENING).astype(np.int32) - np.isin(marks, CLOSING)
        if np.cumsum(step).max(initial=0) > MAX_LEVELS:
            raise DataError(f"line {line + 1} is nested deeper than {MAX_LEVELS} levels")


def _check_objects(content: Any) -> None:
    """Raises `DataError` for the first line that is no object, or whose cell is of another kind than those above."""
    above: dict[str, tuple[str, int, Any]] = {}
    for number, row in _objects(content):
        for name, value in row.items():
            if (kind := _json_kind(value)) is None:
                continue
            known, where, first = above.setdefault(name, (kind, number, value))
            if known != kind:
                raise DataError(
                    f"line {number}, column {name!r}: {shorten(value)} is {kind}, and {shorten(first)} in line {where} is {known}; "
                    "need one kind of value in a column"
                )


def _objects(content: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(io.BytesIO(content), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except json.JSONDecodeError as error:
            raise DataError(
                f"line {number} is no JSON ({error.msg} at character {error.pos}); need an object {{..}} on each line"
            ) from None
        if not isinstance(row, dict):
            raise DataError(f"line {number} is {shorten(row)}; need an object {{..}} with a value for each column")
        yield number, row


def _json_kind(value: Any) -> str | None:
    kinds = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return kinds.get(type(value))


# -- of both kinds of text ---------------------------------------------------------------------------------------------


def _in_blocks(table: Callable[[int | None], Any], content: Any) -> Any:
    """What a reader of blocks makes of text: of one block, where the kind of a column shows only behind the first, or a row is longer."""
    try:
        return table(None)
    except library("pyarrow", "files of text need").ArrowInvalid as error:
        if not any(sign in str(error) for sign in ("conversion error", "straddling")):
            raise
        return table(min(len(content) + 1, MAX_BLOCK))


# -- encodings ---------------------------------------------------------------------------------------------------------


def _refuse_other_encodings(content: Any) -> None:
    """Raises `DataError` for text that says that it is not UTF-8."""
    if (encoding := BYTE_ORDER_MARKS.get(bytes(content[:2]))) is not None:
        raise DataError(f"the text is {encoding}; need UTF-8")


def _check_utf8(content: Any) -> None:
    """Raises `DataError` for the first byte that is not of UTF-8."""
    text = bytes(content)
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"line {line} holds the byte 0x{text[error.start]:02x}, which is not of UTF-8 (Latin-1 or Windows-1252, it seems); need UTF-8"
        ) from None


def _one_line(error: Exception) -> str:
    return shorten(" ".join(str(error).split()), 200).strip("'\"")


READERS: dict[str, Callable[[Any, bool], Any]] = {
    ".parquet": _parquet,
    ".csv": _comma,
    ".tsv": _tab,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}
