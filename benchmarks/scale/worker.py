"""EM steps on rows somewhere, in a process of its own; prints seconds and memory as JSON."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import dmlcore
from benchmarks.scale.data import estimator, files
from dmlcore.fitting.ascent import ascend, begun
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.starts import random_start

STEPS = 5  # of which the median counts, after one that may compile


def in_memory(paths: list[str]) -> Any:
    """The files as one table."""
    import pyarrow

    return pyarrow.concat_tables([dmlcore.read(path) for path in paths])


def problem(kind: str, paths: list[str], folder: Path) -> Problem:
    """The rows as a kind of fit holds them."""
    if kind == "memory":
        return Problem.of(in_memory(paths), estimator())
    if kind == "cache":
        return Problem.of(dmlcore.stream(paths, cache=folder / f"cache-{len(paths)}"), estimator())
    if kind == "stream":
        return Problem.of(dmlcore.stream(paths), estimator())
    if kind == "dask":
        import dask.dataframe
        from distributed import Client, LocalCluster

        Client(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None))
        return Problem.of(dask.dataframe.read_parquet(paths), estimator())
    if kind == "spark":
        from pyspark.sql import SparkSession

        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # of the executors
        session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
        return Problem.of(session.read.parquet(*paths), estimator())
    return Problem.of(in_memory(paths), estimator(), engine=ProcessPoolExecutor(2))


def peak() -> float:
    """The most memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(kind: str, rows: int, folder: Path) -> None:
    """Steps from one start, the same for every kind."""
    paths = files(folder, rows)
    dmlcore.read(paths[0])
    before = peak()
    here = problem(kind, paths, folder)
    states = ascend(begun(here, random_start(here, np.random.default_rng(0), 0.1)))
    next(states)
    wall, cpu = [], []
    for _ in range(STEPS):
        began, used = time.perf_counter(), time.process_time()
        state = next(islice(states, 1))
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    said = {"wall": float(np.median(wall)), "cpu": float(np.median(cpu)), "memory": peak() - before, "log": state.log_likelihood}
    print("RESULT", json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    sys.stdout.flush()
