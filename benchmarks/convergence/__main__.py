"""How often one call finds the best known optimum, and what it costs: `python -m benchmarks.convergence`. See README.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from benchmarks.convergence.calls import METHODS, Call
from benchmarks.convergence.problems import PROBLEMS
from benchmarks.convergence.table import costs, remarks, shares
from benchmarks.environments import Unavailable, python_of
from benchmarks.run import Worker


def main() -> None:
    """Read the arguments; search, or run and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.convergence", description="How often one call finds the best known optimum."
    )
    parser.add_argument("--seeds", type=int, default=50, help="calls of each method on each problem (default: 50)")
    parser.add_argument("--budget", type=float, default=300.0, help="CPU seconds of a method on a problem after which no call begins")
    parser.add_argument("--problems", default=",".join(PROBLEMS), help="such as 'composite,iris 3' (default: all)")
    parser.add_argument("--methods", default=",".join(METHODS), help=f"of {', '.join(METHODS)} (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every call there; what it has of other runs is shown too")
    parser.add_argument("--find", action="store_true", help="search for the best optima instead, and write best_known.json")
    parser.add_argument("--starts", type=int, default=300, help="of --find: random starts (default: 300)")
    parser.add_argument("--rounds", type=int, default=30, help="of --find: most rounds of bootstrap restarts (default: 30)")
    parser.add_argument("--search-seed", type=int, default=0, help="of --find")
    given = parser.parse_args()
    names, methods = given.problems.split(","), given.methods.split(",")
    if unknown := {*names} - {*PROBLEMS} | {*methods} - {*METHODS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; problems: {', '.join(PROBLEMS)}; methods: {', '.join(METHODS)}")
    if given.find:
        from benchmarks.convergence.find import find

        find([PROBLEMS[name] for name in names], given.starts, given.rounds, given.search_seed)
        return
    results = json.loads(given.json.read_text()) if given.json and given.json.exists() else {"versions": {}, "calls": {}, "notes": {}}
    for system in dict.fromkeys(METHODS[method] for method in methods):
        ask(system, names, [method for method in methods if METHODS[method] == system], given, results)
    show(results)


def ask(system: str, names: list[str], methods: list[str], given: argparse.Namespace, results: dict[str, Any]) -> None:
    """Have one system make its calls; results are kept after each problem."""
    try:
        worker = Worker(system, python_of(system), "benchmarks.convergence.worker")
    except (Unavailable, OSError) as error:
        results["notes"] |= {f"all: {method}": str(error) for method in methods}
        return
    results["versions"][system] = worker.hello["versions"]
    for name in names:
        for method in methods:
            key = f"{name}: {method}"
            for kept in ("calls", "notes"):
                results[kept].pop(key, None)
            try:
                results["calls"][key] = worker.ask("run", name=name, method=method, seeds=given.seeds, budget=given.budget)
            except Unavailable as error:
                results["notes"][key] = str(error)
            print(f"{key} done", file=sys.stderr)
            if given.json:
                given.json.write_text(json.dumps(results, indent=1))
    worker.stop()


def show(results: dict[str, Any]) -> None:
    """Print what there is, in the order of the problems and methods."""
    calls = {key: [Call(**call) for call in made] for key, made in results["calls"].items()}
    print("; ".join(results["versions"].values()))
    print(f"{platform.machine()}, {os.cpu_count()} cores, one thread each; CPU seconds\n")
    print(shares(calls), end="\n\n")
    print(costs(calls), end="\n\n")
    print(remarks(calls, results["notes"]))


if __name__ == "__main__":
    main()
