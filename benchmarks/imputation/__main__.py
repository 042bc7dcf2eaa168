"""Hidden cells of real tables, filled by this library and by scikit-learn: `python -m benchmarks.imputation`. See README.md."""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.imputation.ours import composites, vectors
from benchmarks.imputation.peers import forests, iterative
from benchmarks.imputation.scores import score
from benchmarks.imputation.tables import TABLES, Table, hidden

METHODS = {"vectors": vectors, "composites": composites, "IterativeImputer": iterative, "forests": forests}
README = Path(__file__).with_name("README.md")
MARKS = "<!-- figures -->\n", "<!-- end of figures -->\n"
WHAT = {"error": "error", "log": "log score", "covered": "covered", "width": "width"}


def main() -> None:
    """Run, print, and write the tables into README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imputation", description="How well hidden cells are filled.")
    parser.add_argument("--seeds", type=int, default=5, help="how often cells are hidden (default: 5)")
    parser.add_argument("--first", type=int, default=100, help="the first seed (default: 100)")
    parser.add_argument("--share", type=float, default=0.15, help="of the cells that are hidden (default: 0.15)")
    parser.add_argument("--tables", default=",".join(TABLES), help="(default: all)")
    parser.add_argument("--methods", default=",".join(METHODS), help="(default: all)")
    parser.add_argument("--print", action="store_true", help="leave README.md as it is")
    given = parser.parse_args()
    names, methods = given.tables.split(","), given.methods.split(",")
    tables = {name: TABLES[name]() for name in names}
    scores: dict[tuple[str, str], Any] = {}
    seconds: dict[tuple[str, str], float] = {}
    warm_up()
    for name, table in tables.items():
        for method in methods:
            began, found = 0.0, []
            for seed in range(given.first, given.first + given.seeds):
                seen, rows = hidden(table, given.share, seed)
                start = time.process_time()
                said = METHODS[method](seen, rows, seed)
                began += time.process_time() - start
                found.append(score(table, rows, said))
            scores[name, method], seconds[name, method] = found, began / given.seeds
            print(f"{name}: {method} done", file=sys.stderr)
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
    composites(small, few, 0)
    iterative(small, few, 0)


def mean_over(scores: list[Any], columns: tuple[str, ...], what: str) -> float:
    return float(np.mean([seed[name][what] for seed in scores for name in columns]))


def shown(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def best(values: list[float], largest: bool) -> list[str]:
    """The numbers, the best in bold."""
    top = (np.nanmax if largest else np.nanmin)([*values])
    return [f"**{shown(v)}**" if v == top else shown(v) for v in values]


def summary(tables: dict[str, Table], methods: list[str], scores: Any, seconds: Any) -> str:
    """A row per table and method: means over seeds and columns."""
    lines = []
    for name, table in tables.items():
        each = [scores[name, method] for method in methods]
        columns = [best([mean_over(found, table.numbers, what) for found in each], what == "log") for what in ("error", "log")]
        columns += [[shown(mean_over(found, table.numbers, what)) for found in each] for what in ("covered", "width")]
        columns += [best([mean_over(found, table.labels, what) for found in each], what == "log") for what in ("error", "log")]
        columns += [[f"{seconds[name, method]:.1f}" for method in methods]]
        lines += [[name, method, *(column[i] for column in columns)] for i, method in enumerate(methods)]
    head = ["table", "method", "error of numbers", "log score", "covered by 90%", "width", "wrong labels", "log score", "CPU s"]
    return markdown(head, lines)


def by_column(tables: dict[str, Table], methods: list[str], scores: Any) -> str:
    """A row per column: the error of each method."""
    lines = []
    for name, table in tables.items():
        for column in table.columns:
            kind = "wrong" if column in table.labels else "error"
            lines.append([name, column, kind, *best([mean_over(scores[name, method], (column,), "error") for method in methods], False)])
    return markdown(["table", "column", "", *methods], lines)


def markdown(head: list[str], lines: list[list[str]]) -> str:
    """A table, the first two columns to the left."""
    rule = ["---", "---", *["--:"] * (len(head) - 2)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


if __name__ == "__main__":
    main()
