"""Which engine data are for: the data say so themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dmlcore.base.errors import ParameterError
from dmlcore.base.threads import thread_count
from dmlcore.data.layouts import Layout
from dmlcore.engines.chunks import Chunks
from dmlcore.engines.kept import keep
from dmlcore.engines.stream import Reread, as_stream, is_stream


def in_parts(data: Any) -> bool:
    """Whether data are not one table in memory, but parts that an engine goes through."""
    return is_stream(data)


def chunks_of(data: Any, layout: Layout, weights: Any = None, threads: int | None = None) -> Chunks:
    """The rows of data that are `in_parts`, as chunks encoded for a model's layout. weights: the name of the column with their weights."""
    if weights is not None and not isinstance(weights, str):
        raise ParameterError(f"weights of data in parts must be the name of their column, got {type(weights).__name__}")
    stream = as_stream(data)
    stream = stream if weights is None else replace(stream, weights=weights)
    again = Reread(stream, stream.layout(layout), thread_count(threads))
    return again if stream.cache is None else keep(again, stream.cache)
