"""The few loops NumPy has no word for, compiled by numba when first used; importing this compiles and loads nothing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    loops = import_module("dmlcore.kernels.loops")

    kernel = getattr(loops, name)
    globals()[name] = kernel
    return kernel
