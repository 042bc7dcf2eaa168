"""Which library a table or a column belongs to. Three are known; frames of others come as theirs, through narwhals."""

from __future__ import annotations

from typing import Any

from dmlcore.base.extras import library

LIBRARIES = ("pandas", "polars", "pyarrow")


def library_of(values: Any) -> str | None:
    """Which of the libraries a table or a column belongs to."""
    return next((root for kind in type(values).__mro__ if (root := kind.__module__.partition(".")[0]) in LIBRARIES), None)


def is_frame(data: Any) -> bool:
    """Whether data are a table with named columns."""
    return library_of(data) is not None and hasattr(data, "shape") and hasattr(data, "columns")


def as_known(data: Any) -> Any:
    """A frame of another library (DuckDB, Modin, cuDF, Ibis, Dask, ...) as one of pandas or pyarrow, with all of its rows; anything else
    as it is. Raises `LibraryError` where narwhals, which reads them, is not installed."""
    kind = type(data)
    if library_of(data) is not None or not hasattr(kind, "columns"):
        return data
    need = f"frames of {kind.__module__.partition('.')[0]} need"
    narwhals = library("narwhals", need, "or give a frame of pandas, polars or pyarrow")
    frame = narwhals.from_native(data, pass_through=True)
    if isinstance(frame, narwhals.LazyFrame):
        library("pyarrow", need)
        frame = frame.collect("pyarrow")
    if not isinstance(frame, narwhals.DataFrame):
        return data
    held = frame.to_native()
    if library_of(held) is not None:
        return held
    return frame.to_pandas() if frame.implementation.is_pandas_like() else frame.to_arrow()
