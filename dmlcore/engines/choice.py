"""Which engine data are for: the data say so themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError, shorten
from dmlcore.base.records import dataclass
from dmlcore.base.threads import thread_count
from dmlcore.data.layouts import Layout
from dmlcore.data.values import listed
from dmlcore.engines.chunks import Chunks
from dmlcore.engines.dask_chunks import Partitions, is_dask
from dmlcore.engines.kept import keep
from dmlcore.engines.spark_chunks import SparkRows, is_spark
from dmlcore.engines.stream import InMemory, Reread, Stream, as_stream, is_stream


def in_parts(data: Any) -> bool:
    """Whether data are not one table in memory, but parts that an engine goes through."""
    return is_stream(data) or is_dask(data) or is_spark(data)


def parts_of(data: Any) -> Stream | Partitions | SparkRows:
    """Data that are `in_parts`, as what makes chunks and new data of them."""
    return SparkRows(data) if is_spark(data) else Partitions(data) if is_dask(data) else as_stream(data)


def chunks_of(data: Any, layout: Layout, weights: Any = None, threads: int | None = None, engine: Any = None) -> Chunks:
    """The rows of data as chunks encoded for a model's layout. Data that are not `in_parts` are cut.

    weights: the name of the column with their weights; of data in memory, one for each row. engine: an executor that works on them.
    """
    if in_parts(data) and not (weights is None or isinstance(weights, str)):
        raise ParameterError(f"weights of data in parts must be the name of their column, got {type(weights).__name__}")
    if is_spark(data) or is_dask(data):
        if engine is not None:
            raise ParameterError("engine is for other data: the workers of Dask, or the executors of Spark, work on theirs")
        return parts_of(data).chunks(layout, weights)  # type: ignore[union-attr]
    if in_parts(data):
        stream = as_stream(data) if weights is None else replace(as_stream(data), weights=weights)
    else:
        stream = Stream(InMemory(listed(data, coded=True), weights))
    again = Reread(stream, stream.layout(layout), thread_count(threads))
    if engine is None and stream.cache is None:
        return again
    return keep(again, stream.cache, _executor(engine))


def _executor(engine: Any) -> Executor | None:
    if engine is not None and not isinstance(engine, Executor):
        raise ParameterError(f"engine must be an executor of concurrent.futures, got {shorten(engine)}")
    return engine


def by_parts(method: Callable[..., np.ndarray]) -> Callable[..., Any]:
    """A method `seq_..` of observations that takes data in parts too: what it gives for each, end to end; of a DataFrame of Spark, the
    DataFrame with a column more, that is named as the method is, without `seq_`."""

    @functools.wraps(method)
    def taking(self: Any, data: Any, *args: Any, **options: Any) -> Any:
        if not in_parts(data):
            return method(self, data, *args, **options)
        parts, of_table = parts_of(data), _OfTable(method.__name__, self, args, options)
        if isinstance(parts, SparkRows):
            return parts.beside(method.__name__.removeprefix("seq_"), of_table, of_table(self.sampler(0).sample(1)))
        return parts.end_to_end(of_table)

    return taking


@dataclass(frozen=True)
class _OfTable:
    """What a method of a model gives for the rows of a table."""

    method: str
    model: Any
    args: tuple[Any, ...]
    options: dict[str, Any]

    def __call__(self, table: Any) -> np.ndarray:
        return np.asarray(getattr(self.model, self.method)(table, *self.args, **self.options))
