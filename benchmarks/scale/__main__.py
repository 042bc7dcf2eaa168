"""Rows beyond memory and beyond one machine: `python -m benchmarks.scale`. See README.md."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scale.data import estimator, table
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.starts import random_start
from dmlcore.stats import CategoricalEstimator, CompositeEstimator, GaussianEstimator, MixtureEstimator

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}


def measured(kind: str, rows: int, folder: Path) -> dict[str, Any] | None:
    """One kind of fit on so many rows, in a process of its own; None where it cannot run."""
    command = [sys.executable, "-m", "benchmarks.scale.worker", kind, str(rows), str(folder)]
    out = subprocess.run(command, capture_output=True, text=True, env=os.environ | ONE_THREAD)
    lines = [line for line in out.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        print(f"{kind}, {rows:,} rows: {(out.stderr.strip().splitlines() or ['no result'])[-1]}", file=sys.stderr)
    return json.loads(lines[0][7:]) if lines else None


def least(work: Callable[[], Any], repeats: int = 20) -> float:
    """The least seconds of several runs."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def travelling() -> None:
    """Bytes of what travels for some models, and the seconds that it takes to pack, unpack and add them."""
    rng = np.random.default_rng(0)
    wide = [tuple(row) for row in rng.standard_normal((2000, 100))]
    labels = rng.integers(0, 100_000, 200_000).astype(str).tolist()
    cases = {
        "six mixed columns, 3 components": (table(20_000, 0), estimator()),
        "six mixed columns, 30 components": (table(20_000, 0), estimator(30)),
        "100 reals, 10 components": (wide, MixtureEstimator([CompositeEstimator([GaussianEstimator()] * 100)] * 10)),
        "a label of 100,000, 10 components": (labels, MixtureEstimator([CategoricalEstimator()] * 10)),
    }
    print("\n| model | model out, bytes | statistics in, bytes | pack and unpack a model, ms | add two statistics, ms |")
    print("|---|---|---|---|---|")
    for name, (rows, of) in cases.items():
        problem = Problem.of(rows, of)
        held = problem.stacked()
        stack = held.stack([random_start(problem, rng, 0.5)])
        step: Any = held.estimator, held.ties, stack
        out, statistics = pickle.dumps(step), held.expect(stack)[1]
        back = pickle.dumps(statistics)
        there = least(lambda step=step: pickle.loads(pickle.dumps(step)))
        together = least(lambda own=statistics: [a if a is None else a + a for a in own])
        print(f"| {name} | {len(out):,} | {len(back):,} | {1e3 * there:.2f} | {1e3 * together:.3f} |", flush=True)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description="EM steps on rows beyond memory and beyond one machine."
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000], help="(default: 1e5, 1e6 and 1e7)")
    parser.add_argument("--kinds", nargs="+", default=["memory", "cache", "stream", "processes", "dask", "spark"])
    parser.add_argument("--in-memory", type=int, default=2_000_000, help="most rows for what holds them in memory (default: 2e6)")
    parser.add_argument("--folder", type=Path, help="for the files (30 bytes a row) and caches (35); kept (default: one that goes)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        folder = given.folder or Path(own)
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
        print("| rows | kind | wall s a step | CPU s a step, here | ns a row, wall | peak MB beyond the start |\n|---|---|---|---|---|---|")
        for rows in given.rows:
            for kind in given.kinds:
                if kind in ("cache", "stream") or rows <= given.in_memory:
                    found = measured(kind, rows, folder)
                    if found is not None:
                        each, memory = f"{1e9 * found['wall'] / rows:.0f}", f"{found['memory']:.0f}"
                        print(f"| {rows:,} | {kind} | {found['wall']:.3f} | {found['cpu']:.3f} | {each} | {memory} |", flush=True)
    travelling()


if __name__ == "__main__":
    main()
