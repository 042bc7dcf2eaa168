"""`python -m benchmarks.regression`: seconds per EM step of mixtures of three regressions, dmlcore beside its peers. See README.md."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.regression.data import rows

HERE = Path(__file__).resolve().parent
PINNED = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "DMLCORE_NUM_THREADS"), "1")
TURNS = 3
COMPARED = [  # family, rows, steps of a turn, peers
    ("gaussian", 5_000, {"dmlcore": 40, "seed": 3, "sklearn": 10}),
    ("gaussian", 100_000, {"dmlcore": 20, "sklearn": 5}),
    ("poisson", 100_000, {"dmlcore": 20, "sklearn": 3}),
]
LARGE = [(family, n) for family in ("gaussian", "poisson") for n in (100_000, 1_000_000, 10_000_000)]


def measured(system: str, family: str, n: int, steps: int) -> dict[str, Any]:
    """One run of a worker, in a fresh process with one thread."""
    command = [sys.executable, "-m", "benchmarks.regression.worker", system, family, str(n), str(steps)]
    done = subprocess.run(command, cwd=HERE.parents[1], env={**os.environ, **PINNED}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{system} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def compared(family: str, n: int, steps: dict[str, int]) -> list[str]:
    """Lines of the table for one workload, the systems taking turns."""
    runs: dict[str, list[dict[str, Any]]] = {system: [] for system in steps if system != "sklearn" or importlib.util.find_spec("sklearn")}
    for _ in range(TURNS):
        for system, own in runs.items():
            own.append(measured(system, family, n, steps[system]))
    if family == "gaussian":  # the same steps in every system; Poisson ones differ in how far each goes in a step
        paths = [own[0]["log_likelihoods"][:3] for own in runs.values()]
        assert all(np.allclose(path, paths[0], rtol=1e-9, atol=0) for path in paths), f"log likelihoods differ: {paths}"
    cpu, wall = ({system: median([s for run in own for s in run[clock]]) for system, own in runs.items()} for clock in ("cpu", "wall"))
    if shutil.which("Rscript"):
        cpu["flexmix (R)"] = flexmix(family, n)
    ratio = {system: s / cpu["dmlcore"] for system, s in cpu.items()}
    return [f"| {family} | {n:,} | {name} | {s:.4g} | {wall.get(name, np.nan):.4g} | {ratio[name]:.1f} |" for name, s in cpu.items()]


def flexmix(family: str, n: int) -> float:
    """CPU seconds per EM step of flexmix."""
    x, y = rows(family, n)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        np.savetxt(path, np.column_stack([x, y]), delimiter=",", header="x1,x2,x3,y", comments="")
        done = subprocess.run(["Rscript", str(HERE / "flexmix.R"), str(path), family], capture_output=True, text=True)
    return float(done.stdout) if done.returncode == 0 else float("nan")


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regression", description="Mixtures of regressions: seconds per EM step.")
    parser.add_argument("--quick", action="store_true", help="without the rows of 10,000,000")
    given = parser.parse_args()
    print(f"python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before\n")
    print("| responses | rows | system | CPU s per step | wall s | over dmlcore |\n|---|---|---|---|---|---|")
    for family, n, steps in COMPARED:
        print("\n".join(compared(family, n, steps)), flush=True)
    print("\n| responses | rows | CPU s per step | ns per row | MB beyond the data |\n|---|---|---|---|---|")
    for family, n in LARGE:
        if not given.quick or n < 10_000_000:
            run = measured("dmlcore", family, n, 5)
            s = median(run["cpu"])
            print(f"| {family} | {n:,} | {s:.4g} | {1e9 * s / n:.1f} | {run['beyond']:.1f} |", flush=True)


main()
