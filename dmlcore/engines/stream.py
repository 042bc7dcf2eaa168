"""Tables that are read one after the other, anew in each pass over the rows, so that memory does not grow with their number."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, EmptyError, ParameterError, shorten
from dmlcore.base.extras import library
from dmlcore.base.records import dataclass
from dmlcore.base.threads import map_stream
from dmlcore.data.files import READERS, read, suffix_of
from dmlcore.data.frames import column_names, is_frame, one_below_the_other, plain_column, rows_at_ends, some_at_random, some_rows
from dmlcore.data.layouts import Layout
from dmlcore.engines.chunks import CHUNK_ROWS, Chunk, Chunks, Piece, layout_for, naming_rows, with_columns_of

MAGIC = "*?["  # marks of a pattern


@dataclass(frozen=True)
class Stream:
    """Data in parts, as `stream` makes them.

    source: gives the tables, `(what they are part of, table)` or with the rows' weights behind, from the first again each time it is
    called. weights: the name of the column with the rows' weights. cache: a folder in which encoded rows are kept for the passes after
    the first, or None.
    """

    source: Callable[[], Iterable[tuple[Any, ...]]]
    weights: Any = None
    cache: Any = None
    chunk_rows: int = CHUNK_ROWS
    files: tuple[str, ...] = ()

    def pieces(self) -> Iterator[Piece]:
        """The tables in pieces of at most `chunk_rows` rows. Raises `DataError` naming the table where columns change their names."""
        number, before, first, names = 0, None, 0, None
        for where, table, *own in self.source():
            first = first if where == before else 0
            before = where
            if is_frame(table):
                table = with_columns_of(where, table, names)
                names = column_names(table)
            for start in range(0, len(table), self.chunk_rows):
                stop = start + self.chunk_rows
                part = table if len(table) <= self.chunk_rows else some_rows(table, start, stop)
                yield Piece(part, number, where, first + start, *(some_rows(weights, start, stop) for weights in own))
                number += 1
            first += len(table)

    def layout(self, layout: Layout) -> Layout:
        """A model's layout, with the names that the columns of the first table have, where it is a record without names."""
        table = next((table for _, table, *_ in self.source()), None)
        if table is None:
            raise EmptyError(f"{self}: there are no tables, and no rows")
        return layout_for(layout, column_names(table), self.weights) if is_frame(table) else layout

    def through(self, function: Callable[..., Any], seed: int | None = None) -> Stream:
        """The stream of what a function makes of each table, when it is read: of tables with dates filled in, say, or of scores.

        seed: gives the function a random stream behind the table, of the table's own, the same in each pass. Errors name the table and
        its rows. `write` puts what comes out into a file.
        """
        return Stream(_Through(self, function, seed))

    def end_to_end(self, function: Callable[[Any], Any]) -> np.ndarray:
        """What a function makes of each table, an array with an entry for each row, as one array."""
        return np.concatenate([made for _, made in self.through(function).source()])

    @property
    def rows(self) -> int:
        """How many rows there are: of Parquet files their own word, of other sources counted in one pass."""
        if self.files and all(suffix_of(path) == ".parquet" for path in self.files):
            reader = library("pyarrow.parquet", "Parquet files need")
            return sum(reader.read_metadata(path).num_rows for path in self.files)
        return sum(len(table) for _, table, *_ in self.source())

    def sample(self, rows: int, seed: int = 0) -> Any:
        """About so many rows as one table, each with the same probability, and those where columns have their least and largest values."""
        share, drawn, ends = min(rows / max(self.rows, 1), 1.0), [], []
        for piece in self.pieces():
            drawn.append(some_at_random(piece.table, share, np.random.default_rng((seed, piece.number))))
            ends.append(rows_at_ends(piece.table))
        return one_below_the_other([*drawn, rows_at_ends(one_below_the_other(ends))]) if share < 1 else one_below_the_other(drawn)

    def cache_size(self, model: Any) -> int:
        """About how many bytes a cache takes, for an estimator, a distribution or a layout: as the first piece does for each row."""
        layout = self.layout(getattr(model, "layout", model))
        piece = next((piece for piece in self.pieces() if len(piece.table)), None)
        return 0 if piece is None else Chunk.of(piece, layout, self.weights).encoded.nbytes * self.rows // len(piece.table)

    def __str__(self) -> str:
        return f"the stream of {shorten(list(self.files))}" if self.files else "the stream"


class Reread(Chunks):
    """The chunks of a stream, read and encoded anew in each pass. Raises `DataError` where a pass meets other rows than the first: more, or
    fewer."""

    def __init__(self, stream: Stream, layout: Layout, threads: int):
        self.stream, self.layout, self.threads = stream, layout, threads
        self._rows: int | None = None  # those of the first whole pass

    def map(self, work: Callable[[Chunk], Any]) -> Iterator[Any]:
        return map_stream(_Encoding(work, self.layout, self.stream.weights), self._counted(), self.threads)

    def _counted(self) -> Iterator[Piece]:
        rows = 0
        for piece in self.stream.pieces():
            rows += len(piece.table)
            yield piece
        self._rows = rows if self._rows is None else self._rows
        if rows != self._rows:
            raise DataError(
                f"{self.stream} had {self._rows} rows in the first pass, and {rows} in a later one; each must give the same rows"
            )


@dataclass(frozen=True)
class _Encoding:
    work: Callable[[Chunk], Any]
    layout: Layout
    weights: Any

    def __call__(self, piece: Piece) -> Any:
        return self.work(Chunk.of(piece, self.layout, self.weights))


def stream(source: Any, *, weights: Any = None, cache: Any = None, chunk_rows: int = CHUNK_ROWS) -> Stream:
    """Data to be read in parts, wherever data are asked for; memory does not grow with the number of rows.

    source: a pattern such as "data/*.parquet", a folder, a path or a list of these, or a function of no arguments that gives tables
    (frames, record batches, lists of rows) one after the other, the same ones each time it is called. Files are taken in the order of
    their names. weights: the name of a column with the rows' weights. cache: a folder for the encoded rows, which later passes then read
    in place of the source (`Stream.cache_size` says how much it takes). chunk_rows: how many rows are in memory at once, at most, for
    each thread.

    Raises `DataError` where there is no such file, `ParameterError` for what can be read only once.
    """
    if callable(source):
        return Stream(_Named(source), weights, cache, chunk_rows)
    if isinstance(source, Iterator):
        raise ParameterError(f"{shorten(source)} can be read only once; give a function that makes it anew: stream(lambda: ...)")
    files = tuple(files_of(source))
    return Stream(_Files(files, chunk_rows), weights, cache, chunk_rows, files)


@dataclass(frozen=True)
class InMemory:
    """One table in memory, with one weight for each row or None."""

    table: Any
    weights: Any

    def __call__(self) -> Iterator[tuple[Any, ...]]:
        yield ("", self.table) if self.weights is None else ("", self.table, plain_column(self.weights))


@dataclass(frozen=True)
class _Through:
    """What a function makes of the pieces of a stream."""

    stream: Stream
    function: Callable[..., Any]
    seed: int | None

    def __call__(self) -> Iterator[tuple[str, Any]]:
        for piece in self.stream.pieces():
            rngs = () if self.seed is None else (np.random.default_rng((self.seed, piece.number)),)
            with naming_rows(piece.where, piece.first, len(piece.table)):
                made = self.function(piece.table, *rngs)
            yield piece.where, made


class _Named:
    """What a user's function gives, with names for messages."""

    def __init__(self, source: Callable[[], Iterable[Any]]):
        self.source = source
        self._given: Any = None  # the iterator that the function gave last

    def __call__(self) -> Iterator[tuple[str, Any]]:
        tables = self.source()
        if isinstance(tables, Iterator):
            if tables is self._given:
                raise DataError("the function gives the same iterator again, which can be read only once; it must make a new one each time")
            self._given = tables
        for number, table in enumerate(tables):
            yield f"table {number}", _as_table(table)


def _as_table(table: Any) -> Any:
    """A record batch of pyarrow as a table; anything else as it is."""
    if type(table).__name__ == "RecordBatch" and type(table).__module__.startswith("pyarrow"):
        return library("pyarrow", "record batches need").Table.from_batches([table])
    return table


@dataclass(frozen=True)
class _Files:
    files: tuple[str, ...]
    rows: int

    def __call__(self) -> Iterator[tuple[str, Any]]:
        for path in self.files:
            if suffix_of(path) == ".parquet":
                for table in _batches(path, self.rows):
                    yield path, table
            else:
                yield path, read(path, coded=True)


def _batches(path: str, rows: int) -> Iterator[Any]:
    """The rows of a Parquet file as tables of at most so many. An empty file gives one of no rows."""
    arrow, reader = library("pyarrow", "Parquet files need"), library("pyarrow.parquet", "Parquet files need")
    try:
        with reader.ParquetFile(path) as file:
            if not file.metadata.num_rows:
                yield file.schema_arrow.empty_table()
            for batch in file.iter_batches(rows):
                yield arrow.Table.from_batches([batch])
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: this is no whole Parquet file ({shorten(' '.join(str(error).split()), 200)})") from None


def is_stream(data: Any) -> bool:
    """Whether data are read in parts: a stream, or a pattern, a folder or a list of paths that `stream` takes."""
    if isinstance(data, Stream):
        return True
    if isinstance(data, (list, tuple)):
        return bool(data) and all(isinstance(one, (str, PurePath)) and suffix_of(one) in READERS and os.path.exists(one) for one in data)
    if isinstance(data, PurePath):
        return data.suffix == "" and os.path.isdir(data)
    return isinstance(data, str) and suffix_of(data) in READERS and any(mark in data for mark in MAGIC)


def as_stream(data: Any) -> Stream:
    """Data that `is_stream` knows, as a stream."""
    return data if isinstance(data, Stream) else stream(data)


def files_of(source: Any) -> list[str]:
    """The files that a pattern, a folder, a path or a list of these names, in order. Raises `DataError` where there is none."""
    if isinstance(source, (list, tuple)):
        return [path for one in source for path in files_of(one)]
    if not isinstance(source, (str, os.PathLike)):
        raise ParameterError(f"a stream is made of paths, or of a function that gives tables; got {shorten(source)}")
    name = os.fspath(source)
    if os.path.isdir(name):
        found = sorted(str(path) for path in Path(name).iterdir() if path.suffix in READERS)
    elif any(mark in name for mark in MAGIC) and not os.path.exists(name):
        found = sorted(path for path in glob.glob(name, recursive=True) if suffix_of(path) in READERS)
    else:
        found = [name] if os.path.exists(name) else []
    if not found:
        raise DataError(f"{name}: there is no such file; need files that end in {', '.join(READERS)}")
    return found
