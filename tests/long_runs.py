"""Long runs: `python -m tests.long_runs` makes 1,000 small fits in one process, and fits in sixteen threads and two processes at once.

Prints what they took, and exits with 1 if memory grew or a result differs from that of a fit alone. The suite runs a short form
(`tests/test_long_runs.py`).
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dmlcore import fit
from dmlcore.base.errors import FitWarning
from dmlcore.io.json import from_json, to_json
from tests.examples import BY_NAME

NAMES = [
    "mixture",
    "mixture of composites",
    "hidden markov",
    "mixture of markov chains",
    "poisson regression",
    "mixture of conditionals",
    "gamma",
    "mixture of sets",
    "keyed mixture",
    "mixture of vectors",
    "lda",
    "sparse markov association",
    "hidden association",
    "integer plsi",
    "mixture of categoricals",
    "semi-supervised",
]
FITS, WARM = 1000, 200
MOST_GROWTH = 4.0  # megabytes, from the WARM-th fit to the last: pages of the allocator, as nothing is kept
MOST_OBJECTS = 500
ROWS = 40


def case(i: int) -> tuple[list[Any], Any]:
    """The rows and the estimator of the i-th fit: no two have the same rows."""
    example = BY_NAME[NAMES[i % len(NAMES)]]
    return example.data(ROWS, seed=i), example.estimator


def fitted(i: int, threads: int = 1) -> str:
    """The model of the i-th fit, as text: all its bits."""
    rows, estimator = case(i)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        model = fit(rows, estimator, rng=i, starts=1, max_its=3, threads=threads).model
    text = to_json(model)
    from_json(text).seq_log_density(rows)
    return text


def resident() -> float:
    """Megabytes of this process in memory; NaN where the system does not say."""
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if path.exists() else float("nan")


def held(fits: int, warm: int, show: Any = None) -> tuple[float, int]:
    """By how many megabytes, and by how many objects, a process grows from its `warm`-th fit to its last."""
    before = (0.0, 0)
    for i in range(fits):
        fitted(i)
        if i + 1 in (warm, fits) or (show and (i + 1) % 200 == 0):
            gc.collect()
            now = resident(), len(gc.get_objects())
            before = now if i + 1 == warm else before
            if show:
                show(i + 1, *now)
    return now[0] - before[0], now[1] - before[1]


def at_once(pool: Executor, fits: Sequence[int], threads: int = 1) -> list[str]:
    """The models of fits that run beside each other."""
    return list(pool.map(fitted, fits, [threads] * len(fits)))


def main() -> int:
    began = time.perf_counter()

    def show(done: int, megabytes: float, objects: int) -> None:
        print(f"{done:6d} fits {megabytes:8.1f} MB {objects:8d} objects {time.perf_counter() - began:7.1f} s", flush=True)

    grown, objects = held(FITS, WARM, show)
    print(f"grown by {grown:.1f} MB and {objects} objects from fit {WARM} to fit {FITS}")
    alone = [fitted(i) for i in range(64)]
    with ThreadPoolExecutor(16) as pool:
        in_threads = [at_once(pool, range(64), threads) == alone for threads in (1, 4)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        in_processes = at_once(pool, range(64)) == alone
    print(f"64 fits at once, the same bits as alone: in 16 threads {in_threads[0]}, with 4 threads each {in_threads[1]}", end="; ")
    print(f"in 2 processes {in_processes}")
    failed = grown > MOST_GROWTH or objects > MOST_OBJECTS or not (all(in_threads) and in_processes)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
