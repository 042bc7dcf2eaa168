"""One system on one workload, in a process of its own: seconds of each EM step, as JSON on standard output."""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import time
from typing import Any

from benchmarks.regression.data import rows, start
from benchmarks.regression.systems import SYSTEMS


def resident(field: str) -> float:
    """One field of this process's memory, in MB."""
    with open("/proc/self/status") as file:
        return next(float(line.split()[1]) for line in file if line.startswith(field + ":")) / 1e3


def main(system: str, family: str, n: int, steps: int) -> dict[str, Any]:
    """The first step is not timed, as it may compile."""
    SYSTEMS[system](*rows(family, 100), family, start(family))()
    x, y = rows(family, n)
    step = SYSTEMS[system](x, y, family, start(family))
    step()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts again from here
    before, cpu, wall, values = resident("VmRSS"), [], [], []
    for _ in range(steps):
        began = time.process_time(), time.perf_counter()
        values.append(step())
        cpu.append(time.process_time() - began[0])
        wall.append(time.perf_counter() - began[1])
    return {"cpu": cpu, "wall": wall, "log_likelihoods": values, "beyond": resident("VmHWM") - before}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
