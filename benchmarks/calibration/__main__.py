"""How often intervals hold the truth: `python -m benchmarks.calibration`. See README.md."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.calibration.coverage import Case, Tally, markdown
from benchmarks.calibration.imputations import tables
from benchmarks.calibration.mixtures import MIXTURES, SINGLE
from benchmarks.calibration.regressions import truths

HERE = Path(__file__).resolve().parent
README, KEPT = HERE / "README.md", HERE / "figures.json"
MARKS = "<!-- figures -->\n", "<!-- end of figures -->\n"
BATCH = 25  # tables of a case between those of others


def cases() -> Iterator[Case]:
    """All there are."""
    for truth in truths():
        yield from truth.cases()
    for one in (*SINGLE, *MIXTURES, *tables()):
        yield one.case()


def main() -> None:
    """Draw, print, and write the table into README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description="How often intervals hold the truth.")
    parser.add_argument("--tables", type=int, default=1000, help="of each case, with those that figures.json has (default: 1000)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="after which no more begin (default: none)")
    parser.add_argument("--only", default="", help="cases whose name has this in it, such as 'linear' (default: all)")
    parser.add_argument("--afresh", action="store_true", help="forget what figures.json has of these cases")
    given = parser.parse_args()
    chosen = [case for case in cases() if given.only in case.name]
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    tallies = {case.name: Tally() if given.afresh or case.name not in kept else Tally.read(kept[case.name]) for case in chosen}
    end = time.monotonic() + 60 * given.minutes
    while time.monotonic() < end and (left := [case for case in chosen if tallies[case.name].drawn < given.tables]):
        case = min(left, key=lambda one: tallies[one.name].drawn)
        tally = tallies[case.name]
        tally.draw(case, min(BATCH, given.tables - tally.drawn))
        kept = (json.loads(KEPT.read_text()) if KEPT.exists() else {}) | {case.name: tally.kept()}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
        print(case.name, tally.drawn, file=sys.stderr, flush=True)
    print(markdown((case, tallies[case.name]) for case in chosen))
    known = [(case, Tally.read(kept[case.name])) for case in cases() if case.name in kept]
    before, after = README.read_text().split(MARKS[0])[0], README.read_text().split(MARKS[1])[1]
    README.write_text(f"{before}{MARKS[0]}{markdown(known)}\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()
