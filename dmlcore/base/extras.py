"""Libraries that are not needed by all: asked for where one is used, before any work, with one sentence where it is missing."""

from __future__ import annotations

import importlib
from typing import Any

from dmlcore.base.errors import LibraryError

EXTRAS = {
    "dask": "dask",
    "formulaic": "formula",
    "matplotlib": "plot",
    "narwhals": "frames",
    "pandas": "frames",
    "polars": "frames",
    "pyarrow": "frames",
    "pyspark": "spark",
    "sklearn": "compare",
}
NAMES = {"sklearn": "scikit-learn"}  # what a library is called where it is installed from


def library(module: str, what: str, otherwise: str = "", extra: str | None = None) -> Any:
    """An optional library's module, such as "matplotlib.pyplot". what: "plots need", for the message; otherwise: what else could be done;
    extra: which brings it, where several do.

    Raises `LibraryError` naming the extra of dmlcore that brings it.
    """
    root = module.partition(".")[0]
    name = NAMES.get(root, root)
    try:
        return importlib.import_module(module)
    except ImportError as error:
        hint = f"; {otherwise}" if otherwise else ""
        raise LibraryError(f"{what} {name}: pip install 'dmlcore[{extra or EXTRAS[root]}]', or pip install {name}{hint}") from error
