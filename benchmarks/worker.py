"""One system in a process of its own: `python -m benchmarks.worker dmx`. Reads one JSON command per line, answers with one line."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import pickle
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any


def spent(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU seconds, wall seconds, and what the call gave."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = call()
    return time.process_time() - cpu, time.perf_counter() - wall, value


def median_spent(call: Callable[[], Any], times: int = 5, limit: float = 5.0) -> dict[str, float]:
    """Median CPU and wall seconds of some calls after a first one; fewer calls where they are slow."""
    runs = [spent(call)[:2]]
    while len(runs) <= times and (len(runs) < 2 or sum(wall for _, wall in runs) < limit):
        runs.append(spent(call)[:2])
    cpu, wall = (median(values) for values in zip(*runs[1:], strict=True))
    return {"cpu": cpu, "wall": wall}


class Worker:
    """Answers commands about one workload at a time. Every public method is a command."""

    def __init__(self, module: Any):
        self.module, self.package = module, module.PACKAGE

    def open(self, path: str) -> dict[str, Any]:
        """Load a workload, encode it, choose the fastest way to take a step, take the first step."""
        with open(path, "rb") as file:
            self.system = self.module.System(pickle.load(file))
        self.system.encode()
        ways = self.system.ways()
        if len(ways) == 1:
            ((way, self.step_once),) = ways.items()
            self.model = self.step_once(self.system.start)
            return {"way": way}
        took: dict[str, float] = {}
        failed: dict[str, str] = {}
        for name, step in ways.items():
            try:
                model = step(self.system.start)  # may compile
                took[name], _, model = spent(partial(step, model))
            except Exception as error:
                failed[name] = brief(error)
        if not took:
            raise RuntimeError("; ".join(failed.values()))
        way = min(took, key=lambda name: took[name])
        self.step_once = ways[way]
        self.model = self.step_once(self.system.start)
        return {"way": way, "ways": took, "failed": failed}

    def step(self, times: int) -> dict[str, list[float]]:
        """Some EM steps in a row."""
        out: dict[str, list[float]] = {"cpu": [], "wall": []}
        for _ in range(times):
            cpu, wall, self.model = spent(lambda: self.step_once(self.model))
            out["cpu"].append(cpu)
            out["wall"].append(wall)
        return out

    def log_likelihood(self) -> dict[str, float]:
        """Of the model reached."""
        return {"value": self.system.log_likelihood(self.model)}

    def encode(self, path: str) -> dict[str, float]:
        """Encoding raw rows."""
        with open(path, "rb") as file:
            self.system = self.module.System(pickle.load(file))
        return median_spent(self.system.encode)

    def posterior(self) -> dict[str, float]:
        """Posteriors of the encoded rows, and of single raw rows per second; the mean of the first column, to compare."""
        out: dict[str, float] = median_spent(self.system.posteriors)
        out["check"] = float(self.system.posteriors()[:, 0].mean())
        rows = self.system.rows[:2000]
        self.system.posterior(rows[0])
        out["single"] = len(rows) / spent(lambda: [self.system.posterior(row) for row in rows])[0]
        return out

    def sample(self, law: Any, most: int) -> dict[str, float]:
        """Rows drawn per CPU second; fewer rows where that is slow."""
        draw = self.module.System.sample(law)
        draw(100)
        size = int(min(most, max(1000, 2000 / spent(lambda: draw(1000))[0])))
        return {"rows": size, "rate": size / median_spent(lambda: draw(size))["cpu"]}

    def close(self) -> dict[str, Any]:
        """Forget the workload."""
        self.__dict__.pop("system", None)
        self.__dict__.pop("model", None)
        self.__dict__.pop("step_once", None)
        return {}

    def special(self, what: str, name: str, rows: int, components: int | None = None, **arguments: Any) -> Any:
        """What only dmlcore is asked: a method of its System, on a workload made here."""
        from benchmarks.workloads import make

        work = make(name, rows, components)
        system = self.module.System(work)
        del work
        return getattr(system, what)(**arguments)


def brief(error: Exception) -> str:
    """An error in one short line."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:160]


def versions(package: str) -> str:
    """What a system runs on: its environment moves the numbers too."""
    own = "this tree" if package == "dmlcore" else importlib.metadata.version(package)
    below = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "scipy"))
    return f"{package} {own} (python {platform.python_version()}, {below})"


def serve(load: Callable[[], Any]) -> None:
    """Answer commands by the methods of what `load` gives, until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what systems print goes to stderr
    worker: Any = None
    try:
        cpu, wall, worker = spent(load)
        hello: dict[str, Any] = {"cpu": cpu, "wall": wall, "versions": versions(worker.package)}
    except Exception as error:
        hello = {"error": brief(error)}
    print(json.dumps(hello), file=answers)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(worker, command.pop("do"))(**command)
        except Exception as error:
            answer = {"error": brief(error)}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    serve(lambda: Worker(importlib.import_module(f"benchmarks.system_{sys.argv[1]}")))
