"""`python -m benchmarks.by_hand`: EM steps beside loops written by hand, and whole fits beside ten restarts. See README.md."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.by_hand.fits import FITS
from benchmarks.by_hand.steps import TABLES
from benchmarks.by_hand.table import of_fits, of_steps
from benchmarks.environments import Unavailable
from benchmarks.run import Worker

HERE = Path(__file__).resolve().parent
MARK = "<!-- written by `python -m benchmarks.by_hand --write`; what stands below is replaced -->\n"


def commit() -> str:
    """The commit the working tree is at."""
    try:
        command = ["git", "describe", "--always", "--abbrev=7", "--exclude=*", "--dirty=+"]
        return subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no repository"


def measure(names: list[str], given: argparse.Namespace, measured: dict[str, Any]) -> dict[str, str]:
    """Measure what is named, into `measured`; why something could not be."""
    failed = {}
    on = f"{commit()}, {datetime.date.today()}, load {os.getloadavg()[0]:.1f}"
    worker = Worker("by hand", sys.executable, "benchmarks.by_hand.worker")
    for kind, known, arguments in (
        ("steps", TABLES, {"share": 0.2 if given.quick else 1.0, "repetitions": given.repetitions}),
        ("fits", FITS, {"seeds": given.seeds, "budget": given.budget}),
    ):
        for name in names:
            if name in known and kind not in given.without:
                try:
                    measured[kind][name] = {**worker.ask(kind, name=name, **arguments), "on": on}
                except Unavailable as error:
                    failed[f"{kind}: {name}"] = str(error)
                print(f"{kind}: {name} done", file=sys.stderr)
                if given.json:  # each row, so that a run cut short keeps what it has
                    given.json.write_text(json.dumps(measured, indent=1), encoding="utf-8")
    worker.stop()
    return failed


def shown(measured: dict[str, Any]) -> str:
    """The page that is printed and written."""
    head = f"python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, one thread; CPU time, medians"
    tables = [table(measured[kind]) for kind, table in (("steps", of_steps), ("fits", of_fits)) if measured[kind]]
    return "\n\n".join([head, *tables]) + "\n"


def main() -> None:
    """Read the arguments, measure, print."""
    names = list(dict.fromkeys([*TABLES, *FITS]))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.by_hand", description="EM steps and whole fits beside what one writes by hand."
    )
    parser.add_argument("--only", default=",".join(names), help=f"names of rows, of: {', '.join(names)}")
    parser.add_argument("--without", choices=("steps", "fits"), default="", help="leave out one of the two tables")
    parser.add_argument("--seeds", type=int, help="calls of each whole fit (20)")
    parser.add_argument("--repetitions", type=int, help="times a step is measured (7)")
    parser.add_argument("--budget", type=float, default=300.0, help="CPU seconds of dmlcore on one whole fit, after which no call begins")
    parser.add_argument("--quick", action="store_true", help="a fifth of the steps, three repetitions, one seed")
    parser.add_argument("--json", type=Path, help="keep what is measured here; what it holds is shown too, where not measured again")
    parser.add_argument("--write", action="store_true", help="write the tables to the end of README.md")
    given = parser.parse_args()
    given.seeds = given.seeds or (1 if given.quick else 20)
    given.repetitions = given.repetitions or (3 if given.quick else 7)
    wanted = [name for name in given.only.split(",") if name]
    if unknown := [name for name in wanted if name not in names]:
        parser.error(f"there is no row {unknown[0]!r}; there are {', '.join(names)}")
    measured = json.loads(given.json.read_text(encoding="utf-8")) if given.json and given.json.exists() else {"steps": {}, "fits": {}}
    failed = measure(wanted, given, measured) if wanted else {}
    page = shown(measured)
    print(page)
    if given.write:
        readme = HERE / "README.md"
        readme.write_text(readme.read_text(encoding="utf-8").partition(MARK)[0] + MARK + "\n" + page, encoding="utf-8")
    if failed:
        raise SystemExit("\n".join(f"{name}: {why}" for name, why in failed.items()))


if __name__ == "__main__":
    main()
