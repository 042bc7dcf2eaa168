"""Partitions of Dask as chunks: encoded where they are, kept there, and their results added there, along a tree that follows from their
number alone. Whoever runs Dask's tasks works: the workers of a current `distributed.Client`, or else threads of this process.

Every chunk is made from its partition by a task that the scheduler knows, so that what a lost worker held is made again, with the same
bits. Errors of this library travel as results (`Failed`), so that the call that waits for them raises them as they are.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, DmlcoreError, EmptyError, shorten
from dmlcore.base.extras import library
from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.base.records import dataclass
from dmlcore.base.threads import keep_freed_memory, one_blas_thread
from dmlcore.data.frames import column_names, is_frame, one_below_the_other, rows_at_ends, some_at_random
from dmlcore.data.layouts import Layout
from dmlcore.engines.chunks import Chunk, Chunks, Piece, layout_for, with_columns_of

COLLECTIONS = ("DataFrame", "Series", "Bag", "Delayed")  # of Dask, whose partitions hold rows
FAN_IN = 16  # results that one task adds
SMALL_WORK = 1 << 16  # bytes of work that go out with each task; of more, once to each worker, which costs a task more
NEED = "data of Dask need"


def is_dask(data: Any) -> bool:
    """Whether data are Dask's: a `dask.dataframe`, a bag, or delayed partitions (one or a list), frames or lists of rows."""
    if isinstance(data, (list, tuple)):
        return bool(data) and all(_kind(one) == "Delayed" for one in data)
    return _kind(data) is not None


def _kind(data: Any) -> str | None:
    """Which of the collections of Dask data are, without an import of it."""
    bases = (kind for kind in type(data).__mro__ if kind.__module__.partition(".")[0] == "dask")
    return next((kind.__name__ for kind in bases if kind.__name__ in COLLECTIONS), None)


@dataclass(frozen=True)
class Partitions:
    """The partitions of data that `is_dask` knows."""

    data: Any

    @property
    def delayed(self) -> list[Any]:
        """The partitions, delayed."""
        if isinstance(self.data, (list, tuple)):
            return list(self.data)
        return [self.data] if _kind(self.data) == "Delayed" else list(self.data.to_delayed())

    @property
    def names(self) -> list[Any] | None:
        """The names of the columns, of delayed partitions those of the first; None where these are no frames."""
        if _kind(self.data) == "DataFrame":
            return list(self.data.columns)
        return None if _kind(self.data) in ("Series", "Bag") else _computed(_tasks("names", _names, [(self.delayed[0],)]))[0]

    def chunks(self, layout: Layout, weights: Any = None) -> DaskChunks:
        """The rows encoded for a model's layout, where the partitions are. weights: the name of the column with their weights. Raises
        `DataError` naming partition and row."""
        names = self.names
        layout = layout if names is None else layout_for(layout, names, weights)
        encoding = _sent(Encoding(layout, weights, names))
        encoded = _tasks("encode", _called, [(encoding, part, number) for number, part in enumerate(self.delayed)])
        return DaskChunks.kept(encoded, layout)

    def through(self, function: Callable[..., Any], seed: int | None = None) -> Any:
        """What a function makes of each table, as a collection of the same kind, which Dask computes when it is asked for it.

        seed: gives the function a random stream behind the table, of the partition's own. Errors name the partition.
        """
        made = self._made(function, seed)
        kind = _kind(self.data)
        if kind == "Bag":
            return library("dask.bag", "bags need").from_delayed(made)
        if kind in ("DataFrame", "Series"):
            meta = function(self._blank, *_random(seed, 0))
            divisions = getattr(self.data, "divisions", None)
            return library("dask.dataframe", "data frames of Dask need").from_delayed(made, meta, divisions, verify_meta=False)
        return made if isinstance(self.data, (list, tuple)) else made[0]

    def end_to_end(self, function: Callable[[Any], Any]) -> Any:
        """What a function makes of each table, an array with an entry for each row, as one `dask.array`, which is not computed yet."""
        arrays, blank = library("dask.array", "arrays of Dask need"), np.asarray(function(self._blank))
        shape = (np.nan, *blank.shape[1:])
        parts = [arrays.from_delayed(part, shape, blank.dtype) for part in self._made(function, None)]
        return arrays.concatenate(parts, allow_unknown_chunksizes=True)

    def sample(self, rows: int, seed: int = 0) -> Any:
        """About so many rows as one table in memory; as `Stream.sample`."""
        counts = _computed(_tasks("count", _called, [(len, part) for part in self._listed]))
        share = min(rows / max(sum(counts), 1), 1.0)
        drawn = _computed(_tasks("draw", some_at_random, [(part, share, *_random(seed, i)) for i, part in enumerate(self._listed)]))
        if share == 1:
            return one_below_the_other(drawn)
        ends = _computed(_tasks("ends", rows_at_ends, [(part,) for part in self._listed]))
        return one_below_the_other([*drawn, rows_at_ends(one_below_the_other(ends))])

    @property
    def _listed(self) -> list[Any]:
        """The partitions, delayed, those of bags as lists."""
        if _kind(self.data) != "Bag":
            return self.delayed
        return [library("dask", NEED).delayed(list)(part) for part in self.delayed]

    def _made(self, function: Callable[..., Any], seed: int | None) -> list[Any]:
        sent = _sent(Through(function, seed))
        make = library("dask", NEED).delayed(_called, pure=False)
        return [make(sent, part, number) for number, part in enumerate(self.delayed)]

    @property
    def _blank(self) -> Any:
        """A table without rows."""
        return self.data._meta if _kind(self.data) in ("DataFrame", "Series") else []


class DaskChunks(Chunks):
    """Encoded chunks that Dask's workers keep for as long as this object is there."""

    def __init__(self, chunks: list[Any], layout: Layout):
        self.chunks, self.layout = chunks, layout

    @classmethod
    def kept(cls, chunks: list[Any], layout: Layout) -> DaskChunks:
        """Chunks yet to be computed, once they are; those without rows are left out. Raises the first partition's error."""
        try:
            kept = list(library("dask", NEED).persist(*chunks))
            rows = _computed(_tasks("rows", _rows, [(chunk,) for chunk in kept]))
        except DmlcoreError:
            raise
        except Exception as error:
            raise _blamed(chunks, error) from error
        return cls([chunk for chunk, n in zip(kept, rows, strict=True) if n], layout)

    def map(self, work: Callable[[Chunk], Any]) -> Iterator[Any]:
        return iter(_computed(self._worked(work)))

    def total(self, work: Callable[[Chunk], Any]) -> Any:
        """The sum of `work(chunk)` over all chunks: of `FAN_IN` neighbours each, then of as many of these sums, and so on. Where there are
        few chunks it is added here, in the same order: each task costs milliseconds."""
        tasks = self._worked(work)
        if not tasks:
            raise EmptyError("there are no rows; a fit needs at least one")
        while len(tasks) > FAN_IN * FAN_IN:
            tasks = _tasks("add", _added, _neighbours(tasks))
        sums = _computed(tasks)
        while len(sums) > 1:
            sums = [_added(*part) for part in _neighbours(sums)]
        return sums[0]

    def _worked(self, work: Callable[[Chunk], Any]) -> list[Any]:
        packed = library("cloudpickle", NEED).dumps(work)  # which a user's own family in a notebook needs
        if len(packed) > SMALL_WORK:
            sent = _sent(work)
            return _tasks("work", _called, [(sent, chunk) for chunk in self.chunks])
        return _tasks("work", _unpacked, [(packed, chunk) for chunk in self.chunks])


# -- tasks -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Failed:
    """An error, as what came of a task."""

    error: Exception


@dataclass(frozen=True)
class Encoding:
    """How partitions are encoded. names: of the columns, where they are frames."""

    layout: Layout
    weights: Any
    names: list[Any] | None

    def __call__(self, table: Any, number: int) -> Chunk | None:
        """A partition as a chunk; None if it has no rows, whose columns then need not be of any kind."""
        where = f"partition {number}"
        table = list(table) if isinstance(table, Iterator) else table
        table = with_columns_of(where, table, self.names) if is_frame(table) else table
        return Chunk.of(Piece(table, number, where), self.layout, self.weights) if len(table) else None


@dataclass(frozen=True)
class Through:
    """A function of tables, as one of partitions."""

    function: Callable[..., Any]
    seed: int | None

    def __call__(self, table: Any, number: int) -> Any:
        try:
            return self.function(table, *_random(self.seed, number))
        except DmlcoreError as error:
            error.args = (f"partition {number}: {error}",)
            raise


def _random(seed: int | None, number: int) -> tuple[Any, ...]:
    return () if seed is None else (np.random.default_rng((seed, number)),)


def _tried(function: Callable[..., Any], *args: Any) -> Any:
    """What a function gives, or the error that it raises or that is among its arguments, as a value."""
    failed = next((arg for arg in args if isinstance(arg, Failed)), None)
    if failed is not None:
        return failed
    keep_freed_memory()
    try:
        with one_blas_thread():
            return function(*args)
    except OUTSIDE_DOMAIN as error:
        return Failed(error.with_traceback(None))


def _called(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def _unpacked(packed: bytes, chunk: Chunk) -> Any:
    return pickle.loads(packed)(chunk)


def _neighbours(parts: list[Any]) -> list[list[Any]]:
    return [parts[i : i + FAN_IN] for i in range(0, len(parts), FAN_IN)]


def _rows(chunk: Chunk | None) -> int:
    return 0 if chunk is None else len(chunk)


def _names(table: Any) -> list[Any] | None:
    return column_names(table) if is_frame(table) else None


def _added(*parts: Any) -> Any:
    return reduce(add, parts)


# -- what Dask is told -------------------------------------------------------------------------------------------------


def _tasks(name: str, function: Callable[..., Any], each: Iterable[Sequence[Any]]) -> list[Any]:
    """One task for each of several lists of arguments, whose errors are values. They have one name, and a number each: by this a
    scheduler knows that they are alike, and spreads them evenly."""
    from uuid import uuid4  # which looks at the machine when it is loaded

    make, name = library("dask", NEED).delayed(_tried, pure=False), f"{name}-{uuid4().hex}"
    return [make(function, *args, dask_key_name=(name, i)) for i, args in enumerate(each)]


def _sent(value: Any) -> Any:
    """A value that many tasks take, as one of its own, so that each worker gets it once."""
    return library("dask", NEED).delayed(value, pure=False, traverse=False)


def _computed(tasks: Sequence[Any]) -> list[Any]:
    """What comes of tasks, in order. Raises the first error among them."""
    results = list(library("dask", NEED).compute(*tasks))
    failed = next((result for result in results if isinstance(result, Failed)), None)
    if failed is not None:
        raise failed.error
    return results


def _blamed(chunks: list[Any], error: Exception) -> DataError:
    """The error for partitions that Dask itself could not make: it names the first of these."""
    for number, chunk in enumerate(chunks):
        try:
            _computed([chunk])
        except Exception as own:
            return DataError(f"partition {number} cannot be computed: {shorten(own, 200)}")
    return DataError(f"the partitions cannot be computed: {shorten(error, 200)}")
