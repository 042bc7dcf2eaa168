"""The few loops NumPy has no word for, compiled by numba when first used; importing this compiles and loads nothing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

ROOMS = ("sums", "components", "gaussians", "gamma_functions", "chains", "topics")


def __getattr__(name: str) -> Any:
    for room in ROOMS if not name.startswith("__") else ():
        kernel = getattr(import_module(f"dmlcore.kernels.{room}"), name, None)
        if kernel is not None:
            globals()[name] = kernel
            return kernel
    raise AttributeError(f"there is no kernel {name!r}")
