"""`python -m benchmarks.select`: sweeps over the number of components, beside `Mclust` of R. See README.md."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.by_hand.__main__ import commit
from benchmarks.convergence.table import markdown
from benchmarks.run import Worker
from benchmarks.select.worker import SWEEPS
from benchmarks.table import number

HERE = Path(__file__).resolve().parent
MARK = "<!-- written by `python -m benchmarks.select --write`; what stands below is replaced -->\n"
HEAD = ["sweep", "of", "CPU s", "to reach, s", "chosen", "lowest, nats above Mclust's", "seeds"]


def line(name: str, found: list[dict[str, Any]]) -> list[str]:
    """A row of the table. found: one run for each seed."""
    sweep = SWEEPS[name]
    chosen = ", ".join(sorted({str(run["chosen"]) for run in found}))
    above = [run["above"] for run in found if run["above"] is not None]
    lowest = f"{min(above):+.3f}" if above else ""
    return [name, sweep.what, number(median(run["seconds"] for run in found)), sweep.target, chosen, lowest, str(len(found))]


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.select", description="Sweeps over the number of components.")
    parser.add_argument("--only", default=",".join(SWEEPS), help=f"names of sweeps, of: {', '.join(SWEEPS)}")
    parser.add_argument("--seeds", type=int, default=3, help="calls of each (3)")
    parser.add_argument("--write", action="store_true", help="write the table to the end of README.md")
    given = parser.parse_args()
    head = f"{commit()}, {datetime.date.today()}, python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
    lines = []
    for name in given.only.split(","):
        worker = Worker("select", sys.executable, "benchmarks.select.worker")
        lines.append(line(name, [worker.ask("sweep", name=name, seed=seed) for seed in range(given.seeds)]))
        worker.stop()
        print(f"{name} done", file=sys.stderr)
    page = f"{head}, one thread, load {os.getloadavg()[0]:.1f}; medians\n\n{markdown(HEAD, lines)}\n"
    print(page)
    if given.write:
        readme = HERE / "README.md"
        readme.write_text(readme.read_text(encoding="utf-8").partition(MARK)[0] + MARK + "\n" + page, encoding="utf-8")


if __name__ == "__main__":
    main()
