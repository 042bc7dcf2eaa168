"""One system in a process of its own: `python -m benchmarks.convergence.worker mixle`, spoken to as `benchmarks.worker` is."""

from __future__ import annotations

import importlib
import sys
from dataclasses import asdict
from typing import Any

from benchmarks.convergence.calls import run
from benchmarks.worker import serve

PACKAGES = {
    "dmlcore": ("dmlcore", "dmlcore"),
    "dmx": ("dmx", "dmx-learn"),
    "mixle": ("mixle", "mixle"),
    "sklearn": ("sklearn", "scikit-learn"),
}


class Worker:
    """Answers commands. Every public method is one."""

    def __init__(self, system: str):
        module, self.package = PACKAGES[system]
        importlib.import_module(module)

    def run(self, name: str, method: str, seeds: int, budget: float) -> list[dict[str, Any]]:
        """The calls of a method on a problem, as plain values."""
        return [asdict(call) for call in run(name, range(seeds), method, budget)]


if __name__ == "__main__":
    serve(lambda: Worker(sys.argv[1]))
