"""Which engine data are for: the data say so themselves."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from dmlcore.base.errors import ParameterError, shorten
from dmlcore.base.threads import thread_count
from dmlcore.data.layouts import Layout
from dmlcore.data.values import listed
from dmlcore.engines.chunks import Chunks
from dmlcore.engines.kept import keep
from dmlcore.engines.stream import InMemory, Reread, Stream, as_stream, is_stream


def in_parts(data: Any) -> bool:
    """Whether data are not one table in memory, but parts that an engine goes through."""
    return is_stream(data)


def chunks_of(data: Any, layout: Layout, weights: Any = None, threads: int | None = None, engine: Any = None) -> Chunks:
    """The rows of data as chunks encoded for a model's layout. Data that are not `in_parts` are cut.

    weights: the name of the column with their weights; of data in memory, one for each row. engine: an executor that works on them.
    """
    if not in_parts(data):
        stream = Stream(InMemory(listed(data, coded=True), weights))
    elif weights is None or isinstance(weights, str):
        stream = as_stream(data)
        stream = stream if weights is None else replace(stream, weights=weights)
    else:
        raise ParameterError(f"weights of data in parts must be the name of their column, got {type(weights).__name__}")
    again = Reread(stream, stream.layout(layout), thread_count(threads))
    if engine is None and stream.cache is None:
        return again
    return keep(again, stream.cache, _executor(engine))


def _executor(engine: Any) -> Executor | None:
    if engine is not None and not isinstance(engine, Executor):
        raise ParameterError(f"engine must be an executor of concurrent.futures, got {shorten(engine)}")
    return engine
