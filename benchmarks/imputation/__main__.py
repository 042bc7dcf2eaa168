"""Hidden cells of real tables, filled by this library and others: `python -m benchmarks.imputation`. See README.md."""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.imputation.ours import imputed
from benchmarks.imputation.peers import forests, iterative, mice
from benchmarks.imputation.scores import score
from benchmarks.imputation.tables import TABLES, Table, hidden

METHODS = {"dmlcore": imputed, "mice": mice, "IterativeImputer": iterative, "forests": forests}
README = Path(__file__).with_name("README.md")
MARKS = "<!-- figures -->\n", "<!-- end of figures -->\n"
FEW_ROWS, FEW_ROWS_TIMES = 100, 5  # tables with fewer rows are hidden so many times as often
WITHOUT_R = ("penguins", "wine", "diabetes")  # tables that need no R


def main() -> None:
    """Run, print, and write the tables into README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imputation", description="How well hidden cells are filled.")
    parser.add_argument("--seeds", type=int, default=3, help="how often cells are hidden (default: 3)")
    parser.add_argument("--first", type=int, default=100, help="the first seed (default: 100)")
    parser.add_argument("--share", type=float, default=0.15, help="of the cells that are hidden (default: 0.15)")
    parser.add_argument("--tables", default=",".join(TABLES), help="(default: all)")
    parser.add_argument("--methods", default=",".join(METHODS), help="(default: all)")
    parser.add_argument("--print", action="store_true", help="leave README.md as it is")
    given = parser.parse_args()
    if shutil.which("Rscript") is None:
        print("without R, and its package mice: only " + ", ".join(WITHOUT_R), file=sys.stderr)
        given.tables = ",".join(name for name in given.tables.split(",") if name in WITHOUT_R)
        given.methods = ",".join(name for name in given.methods.split(",") if name != "mice")
    names, methods = given.tables.split(","), given.methods.split(",")
    tables = {name: TABLES[name]() for name in names}
    scores: dict[tuple[str, str], Any] = {}
    seconds: dict[tuple[str, str], float] = {}
    warm_up()
    for name, table in tables.items():
        for method in methods:
            spent, found = 0.0, []
            for seed in range(given.first, given.first + given.seeds * (FEW_ROWS_TIMES if len(table) < FEW_ROWS else 1)):
                seen, rows = hidden(table, given.share, seed)
                said, own = METHODS[method](seen, rows, seed)
                spent += own
                found.append(score(table, rows, said))
            scores[name, method], seconds[name, method] = found, spent / len(found)
            print("\n".join(summary({name: table}, [method], scores, seconds).splitlines()[2:]), file=sys.stderr, flush=True)
    text = f"{given.share:.0%} of the cells hidden, {given.seeds} times (seeds {given.first} to {given.first + given.seeds - 1}).\n\n"
    text += f"{summary(tables, methods, scores, seconds)}\n\n{by_column(tables, methods, scores)}\n"
    print(text)
    if not given.print:
        before, after = README.read_text().split(MARKS[0])[0], README.read_text().split(MARKS[1])[1]
        README.write_text(f"{before}{MARKS[0]}{text}{MARKS[1]}{after}")


def warm_up() -> None:
    """Compile, and import, before time is taken."""
    table, _ = hidden(TABLES["penguins"](), 0.1, 0)
    small = Table({name: values[::6] for name, values in table.columns.items()}, table.labels)
    few = {name: np.flatnonzero([v is None for v in values]) for name, values in small.columns.items()}
    imputed(small, few, 0)
    iterative(small, few, 0)


def mean_over(scores: list[Any], columns: tuple[str, ...], what: str) -> float:
    found = [seed[name][what] for seed in scores for name in columns if name in seed]
    return float(np.mean(found)) if found else np.nan


def shown(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def best(values: list[float]) -> list[str]:
    """The numbers, the least in bold."""
    return [f"**{shown(v)}**" if not np.isnan(v) and v == np.nanmin(values) else shown(v) for v in values]


def summary(tables: dict[str, Table], methods: list[str], scores: Any, seconds: Any) -> str:
    """A row per table and method: means over seeds and columns."""
    lines = []
    for name, table in tables.items():
        each = [scores[name, method] for method in methods]
        columns = [best([mean_over(found, table.numbers, what) for found in each]) for what in ("error", "crps")]
        columns += [[shown(mean_over(found, table.numbers, what)) for found in each] for what in ("covered", "width")]
        columns += [best([mean_over(found, table.labels, "error") for found in each])]
        columns += [[f"{seconds[name, method]:.1f}" for method in methods]]
        lines += [[name, method, *(column[i] for column in columns)] for i, method in enumerate(methods)]
    return markdown(["table", "method", "error of numbers", "CRPS", "covered by 90%", "width", "wrong labels", "CPU s"], lines)


def by_column(tables: dict[str, Table], methods: list[str], scores: Any) -> str:
    """A row per column: the error of each method."""
    lines = []
    for name, table in tables.items():
        for column in table.columns:
            found = [mean_over(scores[name, method], (column,), "error") for method in methods]
            if not np.isnan(found).all():
                lines.append([name, column, "wrong" if column in table.labels else "error", *best(found)])
    return markdown(["table", "column", "", *methods], lines)


def markdown(head: list[str], lines: list[list[str]]) -> str:
    """A table, the first two columns to the left."""
    rule = ["---", "---", *["--:"] * (len(head) - 2)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


if __name__ == "__main__":
    main()
