"""Which engine data are for: the data say so themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from dmlcore.base.errors import ParameterError, shorten
from dmlcore.base.threads import thread_count
from dmlcore.data.layouts import Layout
from dmlcore.data.values import listed
from dmlcore.engines.chunks import Chunks
from dmlcore.engines.dask_chunks import Partitions, is_dask
from dmlcore.engines.kept import keep
from dmlcore.engines.stream import InMemory, Reread, Stream, as_stream, is_stream


def in_parts(data: Any) -> bool:
    """Whether data are not one table in memory, but parts that an engine goes through."""
    return is_stream(data) or is_dask(data)


def parts_of(data: Any) -> Stream | Partitions:
    """Data that are `in_parts`, with what every kind of them can do: `through` and `end_to_end`."""
    return Partitions(data) if is_dask(data) else as_stream(data)


def by_parts(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of observations that takes data in parts too: what it gives for each, end to end."""

    @functools.wraps(method)
    def taking(self: Any, data: Any, *args: Any, **options: Any) -> Any:
        if not in_parts(data):
            return method(self, data, *args, **options)
        return parts_of(data).end_to_end(_OnTable(self, method.__name__, args, options))

    return taking


@dataclass(frozen=True)
class _OnTable:
    """A method of a model as a function of tables, which can be pickled."""

    model: Any
    name: str
    args: tuple[Any, ...]
    options: dict[str, Any]

    def __call__(self, table: Any) -> Any:
        return getattr(self.model, self.name)(table, *self.args, **self.options)


def chunks_of(data: Any, layout: Layout, weights: Any = None, threads: int | None = None, engine: Any = None) -> Chunks:
    """The rows of data as chunks encoded for a model's layout. Data that are not `in_parts` are cut.

    weights: the name of the column with their weights; of data in memory, one for each row. engine: an executor that works on them.
    """
    if in_parts(data) and not (weights is None or isinstance(weights, str)):
        raise ParameterError(f"weights of data in parts must be the name of their column, got {type(weights).__name__}")
    if is_dask(data):
        if engine is not None:
            raise ParameterError("engine is for other data: Dask's own scheduler works on data of Dask")
        return Partitions(data, weights).chunks(layout)
    if not in_parts(data):
        stream = Stream(InMemory(listed(data, coded=True), weights))
    else:
        stream = as_stream(data)
        stream = stream if weights is None else replace(stream, weights=weights)
    again = Reread(stream, stream.layout(layout), thread_count(threads))
    if engine is None and stream.cache is None:
        return again
    return keep(again, stream.cache, _executor(engine))


def _executor(engine: Any) -> Executor | None:
    if engine is not None and not isinstance(engine, Executor):
        raise ParameterError(f"engine must be an executor of concurrent.futures, got {shorten(engine)}")
    return engine
