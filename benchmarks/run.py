"""Runs the benchmark and prints its table: `python -m benchmarks`. See README.md."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.environments import Unavailable, python_of
from benchmarks.table import SYSTEMS, Row, against_dedicated, remarks, table
from benchmarks.workloads import SIZES, TRUE_COMPOSITE_MIXTURE, make

HERE = Path(__file__).resolve().parent
PINNED = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "DMLCORE_NUM_THREADS"), "1")
TURNS = 2  # in which the steps of one system are taken, between those of the others

STEPS = {  # row: what it is, and how many times faster than which system
    "W1": ("Gaussian mixture, K=5", {"mixle": 6.0, "dmx": 15.0}),
    "W2": ("full-covariance mixture, d=10, K=10", {"sklearn": 4.0}),
    "W3": ("composite mixture of four fields, K=3", {"mixle": 300.0, "dmx": 300.0}),
    "W4": ("hierarchical mixture, 10 topics, 8 mixtures", {"dmx": 15.0}),
    "W4K": ("the same in its keyed form", {}),
    "W5": ("joint mixture, 3 x 3", {"dmx": 5.0}),
    "W6": ("hidden Markov chains, 8 Gaussian states, sequences of 100", {"mixle": 4.4, "hmmlearn": 12.0}),
}
OTHERS = ("encode", "sample", "posterior", "import", "threads", "memory")


class Worker:
    """A system in a process of its own, with one thread."""

    def __init__(self, system: str, python: str, module: str = "benchmarks.worker", **environment: str):
        self.process = subprocess.Popen(
            [python, "-m", module, system],
            cwd=HERE.parent,
            env={**os.environ, **PINNED, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("DMLCORE_BENCH_VERBOSE") else subprocess.DEVNULL,
            text=True,
        )
        self.hello = self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "its process ended"}
        if "error" in answer:
            raise Unavailable(answer["error"])
        return answer

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """The answer to one command; raises `Unavailable` where it failed."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Unavailable("its process ended") from None
        return self.answer()

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


class Bench:
    """The workers, the data on disk, and how large everything is."""

    def __init__(self, systems: list[str], scale: float, folder: Path):
        self.scale, self.folder = scale, folder
        self.made: dict[str, tuple[str, int]] = {}
        self.workers: dict[str, Worker] = {}
        self.missing: dict[str, str] = {}
        for system in systems:
            try:
                self.workers[system] = Worker(system, python_of(system))
            except (Unavailable, OSError, subprocess.SubprocessError) as error:
                self.missing[system] = str(error)

    def rows(self, name: str, base: int | None = None) -> int:
        return max(100, round((SIZES[name] if base is None else base) * self.scale))

    def data(self, name: str) -> tuple[str, int]:
        """The file of a workload, made once, and the number of EM steps on it."""
        if name not in self.made:
            work = make(name, self.rows(name))
            path = self.folder / f"{name}.pickle"
            path.write_bytes(pickle.dumps(work, protocol=5))
            self.made[name] = str(path), work.steps
        return self.made[name]

    def each(self, row: Row, call: Callable[[str, Worker], None]) -> None:
        """Call for each system; a failure becomes a note."""
        for system, worker in self.workers.items():
            if system not in row.notes:
                try:
                    call(system, worker)
                except Unavailable as error:
                    row.notes[system] = str(error)

    def steps(self, name: str) -> Row:
        """Seconds per EM step, the systems taking turns."""
        what, wanted = STEPS[name]
        row = Row(name, f"{what}: {self.rows(name):,} rows", wanted=wanted)
        path, steps = self.data(name)
        runs: dict[str, dict[str, list[float]]] = {}

        def first(system: str, worker: Worker) -> None:
            row.detail[system] = worker.ask("open", path=path)
            runs[system] = {"cpu": [], "wall": []}

        def step(system: str, worker: Worker) -> None:
            for clock, seconds in worker.ask("step", times=(steps - 1) // TURNS).items():
                runs[system][clock] += seconds

        def last(system: str, worker: Worker) -> None:
            row.check[system] = worker.ask("log_likelihood")["value"]
            row.values[system] = median(runs[system]["cpu"])
            row.detail[system] |= {"cpu": runs[system]["cpu"], "wall": runs[system]["wall"]}

        self.each(row, first)
        for _ in range(TURNS):
            self.each(row, step)
        self.each(row, last)
        row.detail["after"] = steps
        for worker in self.workers.values():
            worker.ask("close")
        return row

    def encode(self) -> list[Row]:
        row = Row("encode", f"encoding W3 from Python objects: {self.rows('W3'):,} rows", wanted={"dmx": 1.0})
        path = self.data("W3")[0]

        def call(system: str, worker: Worker) -> None:
            row.detail[system] = worker.ask("encode", path=path)
            row.values[system] = row.detail[system]["cpu"]

        self.each(row, call)
        return [row]

    def sample(self) -> list[Row]:
        row = Row("sample", "sampling W3's model, as Python values", wanted={"mixle": 3.0}, rate=True, unit="rows/s")

        def call(system: str, worker: Worker) -> None:
            row.detail[system] = worker.ask("sample", law=TRUE_COMPOSITE_MIXTURE, most=self.rows("W3"))
            row.values[system] = row.detail[system]["rate"]

        self.each(row, call)
        return [row]

    def posterior(self) -> list[Row]:
        batch = Row("posterior", f"posteriors of encoded W3: {self.rows('W3'):,} rows", wanted={"mixle": 100.0, "dmx": 100.0})
        single = Row("posterior 1", "posterior of one raw W3 row at a time", rate=True, unit="rows/s", target="10,000 rows/s")
        path = self.data("W3")[0]

        def call(system: str, worker: Worker) -> None:
            worker.ask("encode", path=path)
            answer = worker.ask("posterior")
            batch.values[system], single.values[system], batch.check[system] = answer["cpu"], answer["single"], answer["check"]
            batch.detail[system] = answer

        self.each(batch, call)
        single.notes = batch.notes
        if "dmlcore" in single.values:
            single.met = single.values["dmlcore"] >= 10_000
        return [batch, single]

    def start(self) -> list[Row]:
        """Import, and the first fit with an empty and with a filled kernel cache, each in fresh processes."""
        rows = [
            Row("import", "import, CPU", target="0.5 s"),
            Row("first fit", "first fit, empty kernel cache, over the same fit again", target="10 s"),
            Row("second", "first fit of a process, filled cache, over the same fit again", target="1 s"),
        ]
        for system, worker in self.workers.items():
            rows[0].values[system] = worker.hello["cpu"]
        if "dmlcore" not in self.workers:
            return rows
        code = "import time; from dmlcore.stats import *; print(time.process_time())"
        runs = [self.fresh(["-c", code]) for _ in range(5)]
        blank = [self.fresh(["-c", "import time; print(time.process_time())"]) for _ in range(5)]
        rows[0].values["dmlcore"] = median(runs) - median(blank)
        rows[0].met = rows[0].values["dmlcore"] <= 0.5
        cache = str(self.folder / "kernels")
        for row, limit in zip(rows[1:], (10.0, 1.0), strict=True):
            try:
                worker = Worker("dmlcore", sys.executable, NUMBA_CACHE_DIR=cache)
                answer = row.detail["dmlcore"] = worker.ask("special", what="first_fit", name="W3", rows=1000)
                worker.stop()
                row.values["dmlcore"] = answer["first"] - answer["again"]
                row.met = row.values["dmlcore"] <= limit
            except Unavailable as error:
                row.notes["dmlcore"] = str(error)
        return rows

    def fresh(self, arguments: list[str]) -> float:
        """What a fresh process of this python prints, a number."""
        done = subprocess.run([sys.executable, *arguments], cwd=HERE.parent, env={**os.environ, **PINNED}, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(done.stderr.strip().splitlines()[-1])
        return float(done.stdout)

    def alone(self, row: Row, **command: Any) -> dict[str, Any] | None:
        """The answer of a fresh dmlcore process."""
        try:
            worker = Worker("dmlcore", sys.executable)
            answer = row.detail["dmlcore"] = worker.ask("special", **command)
            worker.stop()
            return answer
        except Unavailable as error:
            row.notes["dmlcore"] = str(error)
            return None

    def threads(self) -> list[Row]:
        rows = []
        for name in ("W1", "W2", "W3"):
            n = self.rows(name, 1_000_000)
            row = Row(f"threads {name}", f"two threads over one, {n:,} rows, wall", rate=True, unit="x", target="1.6x")
            answer = self.alone(row, what="two_threads", name=name, rows=n, steps=11)
            if answer:
                row.values["dmlcore"] = median(answer["one"]) / median(answer["two"])
                row.met = row.values["dmlcore"] >= 1.6
            rows.append(row)
        return rows

    def memory(self) -> list[Row]:
        rows = []
        for name, K in (("W1", 3), ("W1", 30), ("W3", 3), ("W3", 30)):
            n = self.rows(name, 1_000_000)
            row = Row(f"memory {name}", f"peak beyond the encoded data, K={K}, {n:,} rows", unit="MB", target="200 MB")
            answer = self.alone(row, what="peak_memory", name=name, rows=n, components=K, steps=3)
            if answer:
                row.values["dmlcore"] = answer["beyond"]
                row.met = answer["beyond"] < 200
            rows.append(row)
        return rows

    def all(self, only: set[str]) -> Iterator[Row]:
        done: dict[str, Row] = {}
        for name in STEPS:
            if name in only:
                done[name] = self.steps(name)
                if name == "W4K" and "W4" in done:
                    against_dedicated(done["W4K"], done["W4"])
                yield done[name]
        groups = {"encode": self.encode, "sample": self.sample, "posterior": self.posterior}
        groups |= {"import": self.start, "threads": self.threads, "memory": self.memory}
        for name, group in groups.items():
            if name in only:
                yield from group()


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="dmlcore beside dmx-learn, mixle, scikit-learn and hmmlearn.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--only", default=",".join([*STEPS, *OTHERS]), help="rows to run, such as W1,W3,sample (default: all)")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="systems to run (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    given = parser.parse_args()
    only, systems = set(given.only.split(",")), given.systems.split(",")
    if unknown := only - {*STEPS, *OTHERS} | set(systems) - set(SYSTEMS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; rows: {', '.join([*STEPS, *OTHERS])}; systems: {', '.join(SYSTEMS)}")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(systems, 0.1 if given.quick else 1.0, Path(folder))
        rows = []
        for row in bench.all(only):
            rows.append(row)
            print(f"{row.name} done", file=sys.stderr)
        versions = [worker.hello["versions"] for worker in bench.workers.values()]
        for worker in bench.workers.values():
            worker.stop()
    print("; ".join(versions))
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f} before; W rows: median CPU seconds per EM step, one thread\n")
    print(table(rows, systems), end="\n\n")
    print(remarks(rows, bench.missing))
    if given.json:
        found = {"versions": versions, "load": load, "quick": given.quick, "rows": [vars(row) for row in rows]}
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
