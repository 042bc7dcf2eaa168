"""From files and frames to encoded columns, beside Python tuples: `python -m benchmarks.reading`. See README.md."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dmlcore import read
from dmlcore.data.encoded import encode
from dmlcore.io.tables import write
from dmlcore.stats import CategoricalEstimator, CompositeEstimator, GaussianEstimator, PoissonEstimator

LAYOUT = CompositeEstimator([GaussianEstimator()] * 4 + [PoissonEstimator()] * 2 + [CategoricalEstimator()] * 2).layout


def columns(n: int) -> dict[str, Any]:
    """Four columns of reals, two of counts, two of labels (4 and 50 of them)."""
    rng = np.random.default_rng(0)
    labels = [np.array(["red", "green", "blue", "violet"]), np.array([f"place {i}" for i in range(50)])]
    reals = {f"real {j}": rng.normal(size=n) for j in range(4)}
    counts = {f"count {j}": rng.poisson(5 * (j + 1), size=n) for j in range(2)}
    return reals | counts | {f"label {j}": some[rng.integers(len(some), size=n)] for j, some in enumerate(labels)}


def seconds(work: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """The least wall time and the least CPU time of several runs."""
    wall, cpu = [], []
    for _ in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    return min(wall), min(cpu)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description="Seconds from tables to encoded columns.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="(default: a million)")
    parser.add_argument("--repeats", type=int, default=5, help="of which the fastest counts (default: 5)")
    given = parser.parse_args()
    import pandas
    import polars
    import pyarrow

    made = columns(given.rows)
    table = pyarrow.table(made)
    coded = table
    for j in (6, 7):
        coded = coded.set_column(j, table.column_names[j], table.column(j).dictionary_encode())
    rows = list(zip(*(column.tolist() for column in made.values()), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        text, dictionaries, lines = (Path(folder) / name for name in ("text.parquet", "dictionaries.parquet", "text.csv"))
        for path, content in ((text, table), (dictionaries, coded), (lines, table)):
            write(content, path)
        work: dict[str, Any] = {
            "Python tuples": rows,
            "Parquet file, labels as text": text,
            "Parquet file, labels as dictionaries": dictionaries,
            "CSV file": lines,
            "table of pyarrow, text": table,
            "table of pyarrow, dictionaries": coded,
            "frame of polars": polars.from_arrow(table),
            "frame of pandas": pandas.DataFrame(made),
            "frame of pandas, categories": coded.to_pandas(),
        }
        print(f"{given.rows:,} rows of 8 columns; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
        print("| from | wall s | CPU s | x, wall | x, CPU |\n|---|---|---|---|---|")
        first: tuple[float, float] | None = None
        for name, data in work.items():
            wall, cpu = seconds(lambda data=data: encode(data, LAYOUT), given.repeats)
            first = first or (wall, cpu)
            print(f"| {name} | {wall:.3f} | {cpu:.3f} | {first[0] / wall:.1f} | {first[1] / cpu:.1f} |", flush=True)
        wall, cpu = seconds(lambda: read(text), given.repeats)
        print(f"\n`read` alone of the first file: {wall:.3f} s ({cpu:.3f} s of CPU)")


if __name__ == "__main__":
    main()
