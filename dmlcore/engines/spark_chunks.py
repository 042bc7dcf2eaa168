"""DataFrames of Spark: encoded chunks that Spark keeps in its executors, and what a function makes of each row as a DataFrame again.

Rows come to Python as batches of Arrow, never one by one. What travels in a step is a function with the model in it, which Spark
broadcasts once for each stage, and the sums of each partition. Errors travel as values: raised in an executor, they would be tried again
and come back inside Spark's own.
"""

from __future__ import annotations

import pickle
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, DmlcoreError, EmptyError, StructureError, shorten
from dmlcore.base.extras import library
from dmlcore.base.labels import distinct
from dmlcore.base.records import dataclass
from dmlcore.base.threads import one_blas_thread
from dmlcore.data.frames import one_below_the_other, rows_at_ends
from dmlcore.data.layouts import Layout
from dmlcore.data.record_layouts import Fields
from dmlcore.engines.chunks import CHUNK_ROWS, Chunk, Chunks, Piece, layout_for, naming_rows

PER_PARTITION = 1 << 24  # chunks, at most, so that each has a number of its own
SPARK_NEEDS = "DataFrames of Spark need"


def is_spark(data: Any) -> bool:
    """Whether data are a DataFrame of Spark."""
    kind = type(data)
    return kind.__name__ == "DataFrame" and kind.__module__.startswith("pyspark.sql.")


@dataclass(frozen=True)
class SparkRows:
    """The rows of a DataFrame of Spark, read by the names of its columns."""

    frame: Any

    def chunks(self, layout: Layout, weights: str | None = None) -> SparkChunks:
        """The rows as encoded chunks. weights: the name of the column with their weights. Columns that are not read are not fetched.

        Raises `DataError` for a column that Arrow cannot hold, `StructureError` for a session of Spark Connect.
        """
        if ".connect." in type(self.frame).__module__:
            raise StructureError("a fit keeps its rows in RDDs, which Spark Connect has not; use a classic session (SparkSession.master)")
        names = distinct(list(self.frame.columns))
        layout = layout_for(layout, names, weights)
        for name in (*(getattr(layout, "names", None) or ()), *([] if weights is None else [weights])):
            if name not in names:
                raise DataError(f"the DataFrame has no column {name!r}; its columns are {names}")
        read = [name for name in names if name in (*layout.names, weights)] if isinstance(layout, Fields) and layout.names else names
        for field in self.frame.schema.fields:
            if field.name in read:
                _check_type(field)
        made = self.frame.select(*map(_quoted, read)).mapInArrow(_Encoding(layout, weights), "chunk binary")
        return SparkChunks(made.rdd.map(_only_column), layout)

    def through(self, function: Callable[..., Any], seed: int | None = None) -> Any:
        """The DataFrame of what a function makes of tables of its rows, with the same columns; as `Stream.through`."""
        return self.frame.mapInArrow(_Through(function, seed), self.frame.schema)

    def sample(self, rows: int, seed: int = 0) -> Any:
        """About so many rows as a table of pyarrow; as `Stream.sample`."""
        share = min(rows / max(self.frame.count(), 1), 1.0)
        if share == 1:
            return self.frame.toArrow()
        ends = rows_at_ends(self.through(rows_at_ends).toArrow())
        return one_below_the_other([self.frame.sample(share, seed).toArrow(), ends])

    def beside(self, name: str, function: Callable[[Any], np.ndarray], one: np.ndarray) -> Any:
        """The DataFrame with a column more: the numbers that a function gives for each row of a table, arrays of them where there are
        several. one: what it gives for a row `(1, ..)`. Raises `DataError` where the name is taken."""
        types = library("pyspark.sql.types", SPARK_NEEDS)
        if name in self.frame.columns:
            raise DataError(f"the DataFrame has a column {name!r} already; drop or rename it")
        kind = types.DoubleType()
        for _ in one.shape[1:]:
            kind = types.ArrayType(kind)
        schema = types.StructType([*self.frame.schema.fields, types.StructField(name, kind)])
        return self.frame.mapInArrow(_Through(_Beside(name, function)), schema)


class SparkChunks(Chunks):
    """Chunks in an RDD, pickled, which Spark keeps in memory or on disk for as long as this lives."""

    def __init__(self, pickled: Any, layout: Layout):
        self.layout = layout
        self._held = pickled.persist(library("pyspark", SPARK_NEEDS).StorageLevel.MEMORY_AND_DISK)
        weakref.finalize(self, _let_go, self._held).atexit = False

    def map(self, work: Callable[[Chunk], Any]) -> Iterator[Any]:
        return self._made(_OnPartition(work, together=False))

    def total(self, work: Callable[[Chunk], Any]) -> Any:
        """The sum of `work(chunk)` over all chunks: in order within each partition, where they are, then over partitions in order."""
        sums = list(self._made(_OnPartition(work, together=True)))
        if not sums:
            raise EmptyError("there are no rows; a fit needs at least one")
        return reduce(add, sums)

    def _made(self, work: _OnPartition) -> Iterator[Any]:
        for made in self._held.mapPartitions(work).collect():
            if isinstance(made, DmlcoreError):
                raise made
            yield made


def _let_go(held: Any) -> None:
    """Tells Spark that chunks are no longer needed; where its session has ended, they are gone."""
    if held.ctx._jsc is not None:
        held.unpersist()


@dataclass(frozen=True)
class _OnPartition:
    """Work on the pickled chunks of a partition. together: whether what is made of them is added."""

    work: Callable[[Chunk], Any]
    together: bool

    @one_blas_thread()
    def __call__(self, held: Iterable[bytes]) -> list[Any]:
        made = []
        for one in map(pickle.loads, held):
            if isinstance(one, DmlcoreError):
                return [one]
            try:
                made.append(self.work(one))
            except DmlcoreError as error:
                return [error]
        return [reduce(add, made)] if self.together and made else made


@dataclass(frozen=True)
class _Encoding:
    """The rows of a partition as pickled chunks, or the error that one of them is."""

    layout: Layout
    weights: str | None

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        arrow, partition = library("pyarrow", SPARK_NEEDS), _partition()
        first = 0
        for i, table in enumerate(_tables(batches)):
            piece = Piece(table, partition * PER_PARTITION + i, f"partition {partition}", first)
            first += len(table)
            made: Any
            try:
                made = Chunk.of(piece, self.layout, self.weights)
            except DmlcoreError as error:
                made = error
            yield arrow.RecordBatch.from_pydict({"chunk": [pickle.dumps(made, protocol=5)]})


@dataclass(frozen=True)
class _Through:
    """Batches of what a function makes of each batch, as a table."""

    function: Callable[..., Any]
    seed: int | None = None

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        arrow, partition = library("pyarrow", SPARK_NEEDS), _partition()
        first = 0
        for i, batch in enumerate(batches):
            table = arrow.Table.from_batches([batch])
            rngs = () if self.seed is None else (np.random.default_rng((self.seed, partition, i)),)
            with naming_rows(f"partition {partition}", first, len(table)):
                made = self.function(table, *rngs)
                if self.seed is not None:
                    made = made.cast(table.schema)
            first += len(table)
            yield from made.combine_chunks().to_batches()


@dataclass(frozen=True)
class _Beside:
    """A table with what a function gives for its rows as a column more."""

    name: str
    function: Callable[[Any], np.ndarray]

    def __call__(self, table: Any) -> Any:
        return table.append_column(self.name, _as_column(self.function(table)))


def _as_column(values: np.ndarray) -> Any:
    """Numbers `(n, ..)` as a column of pyarrow, of lists where there are several for each row."""
    arrow = library("pyarrow", SPARK_NEEDS)
    column = arrow.array(np.ascontiguousarray(values, dtype=np.float64).ravel())
    for size in reversed(values.shape[1:]):
        column = arrow.ListArray.from_arrays(np.arange(0, len(column) + 1, size, dtype=np.int32), column)
    return column


def _tables(batches: Iterable[Any]) -> Iterator[Any]:
    """The rows of batches as tables of about `CHUNK_ROWS` rows; none for no rows."""
    arrow = library("pyarrow", SPARK_NEEDS)
    held: list[Any] = []
    for batch in batches:
        if batch.num_rows:
            held.append(batch)
        if sum(one.num_rows for one in held) >= CHUNK_ROWS:
            yield arrow.Table.from_batches(held)
            held = []
    if held:
        yield arrow.Table.from_batches(held)


def _partition() -> int:
    """Which partition this process works on."""
    context = library("pyspark", SPARK_NEEDS).TaskContext.get()
    return 0 if context is None else int(context.partitionId())


def _only_column(row: Any) -> bytes:
    return bytes(row[0])


def _quoted(name: str) -> str:
    """A column's name as Spark reads it, whatever is in it."""
    return "`" + name.replace("`", "``") + "`"


def _check_type(field: Any) -> None:
    """Raises `DataError` for a column whose values do not come to Python as plain ones."""
    if hasattr(field.dataType, "sqlType"):
        hint = "vectors become arrays by pyspark.ml.functions.vector_to_array"
        raise DataError(f"column {field.name!r} holds {field.dataType.simpleString()}, a type that a library adds to Spark's; {hint}")
    try:
        library("pyspark.sql.pandas.types", SPARK_NEEDS).to_arrow_type(field.dataType)
    except TypeError as error:
        raise DataError(f"column {field.name!r}: values of Spark's type {shorten(field.dataType.simpleString())} cannot be read") from error
