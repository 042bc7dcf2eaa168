"""How often intervals hold the truth: `python -m benchmarks.calibration`. See README.md."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.calibration.coverage import Case, Tally, by_family, markdown
from benchmarks.calibration.imputations import tables
from benchmarks.calibration.mixtures import MIXTURES, SINGLE
from benchmarks.calibration.one_large import Large, markdown_of_large
from benchmarks.calibration.regressions import large, truths

HERE = Path(__file__).resolve().parent
README, KEPT = HERE / "README.md", HERE / "figures.json"
MARKS = "<!-- figures -->\n", "<!-- end of figures -->\n"
MARKS_OF_FAMILIES = "<!-- families -->\n", "<!-- end of families -->\n"
MARKS_OF_LARGE = "<!-- large -->\n", "<!-- end of large -->\n"
BATCH = 25  # tables of a case between those of others


def cases() -> Iterator[Case]:
    """All there are."""
    for truth in truths():
        yield from truth.cases()
    for one in (*SINGLE, *MIXTURES, *tables()):
        yield one.case()


def large_tables() -> Iterator[tuple[Case, Large]]:
    """One of each true model, where the law is the right one."""
    for truth in truths():
        if not truth.only:
            case = next(truth.cases())
            yield case, large(truth, case.rng(0))
    for mixture in MIXTURES:
        case = mixture.case()
        yield case, mixture.large(case.rng(0))


def keep(tallies: dict[str, Any]) -> None:
    """Writes the sums, a line for each case."""
    lines = [f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(tally)}" for name, tally in tallies.items()]
    KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def put(text: str, marks: tuple[str, str]) -> None:
    """Writes a table into README.md, and prints it."""
    print(text)
    before, rest = README.read_text().split(marks[0])
    README.write_text(f"{before}{marks[0]}{text}\n{marks[1]}{rest.split(marks[1])[1]}")


def main() -> None:
    """Draw, print, and write the table into README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description="How often intervals hold the truth.")
    parser.add_argument("--tables", type=int, default=1000, help="of each case, with those that figures.json has (default: 1000)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="after which no more begin (default: none)")
    parser.add_argument("--only", default="", help="cases whose name this expression is found in: '^(?!impute)' (default: all)")
    parser.add_argument("--afresh", action="store_true", help="forget what figures.json has of these cases")
    parser.add_argument("--large", action="store_true", help="instead, one large table of each regression: a minute or two")
    given = parser.parse_args()
    if given.large:
        put(markdown_of_large(large_tables()), MARKS_OF_LARGE)
        return
    chosen = [case for case in cases() if re.search(given.only, case.name)]
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    tallies = {case.name: Tally() if given.afresh or case.name not in kept else Tally.read(kept[case.name]) for case in chosen}
    end = time.monotonic() + 60 * given.minutes
    while time.monotonic() < end and (left := [case for case in chosen if tallies[case.name].drawn < given.tables]):
        case = min(left, key=lambda one: tallies[one.name].drawn)
        tally = tallies[case.name]
        tally.draw(case, min(BATCH, given.tables - tally.drawn))
        kept = (json.loads(KEPT.read_text()) if KEPT.exists() else {}) | {case.name: tally.kept()}
        keep(kept)
        print(case.name, tally.drawn, file=sys.stderr, flush=True)
    tallies = [(case, Tally.read(kept[case.name])) for case in cases() if case.name in kept]
    put(by_family(tallies), MARKS_OF_FAMILIES)
    put(markdown(tallies), MARKS)


if __name__ == "__main__":
    main()
