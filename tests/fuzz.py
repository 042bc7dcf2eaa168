"""Coverage-guided fuzzing of what reads files: `python -m tests.fuzz`. It needs atheris (`pip install atheris`), which nothing else does.

Targets: `from_json`, and `read` of CSV, tabs, JSON lines and Parquet. What is no model, or no table, is refused by `FormatError` or
`DataError`; what is read can be written and read again. Anything else is a finding: it is printed with its bytes, which belong into
`FINDINGS` of `tests/test_corruptions.py` once it is mended, and the exit status is not 0. Each target is fuzzed in a process of its own
for `--seconds`, from the golden files and small tables on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
TABLES = (
    b'a,b,c\n1,x,2021-03-04\n2.5,,2021-03-05 12:00:00\nNA,"y\nz",\n',
    b"a\tb\n1\tx\n\t\xc3\xa9\n",
    b'{"a": 1, "b": "x", "c": [1, 2], "d": {"e": null}}\n{"a": 2.5, "b": null}\n',
)
MAX_BYTES = 4096
PACKAGE = Path(__file__).parent.parent / "dmlcore"
# Modules whose branches guide the search. None that is compiled may be among them.
GUIDING = (
    "dmlcore.io.",
    "dmlcore.data.files",
    "dmlcore.data.frames",
    "dmlcore.base.",
    "dmlcore.core.declared",
)  # counted


def load(text: bytes) -> None:
    """One text as a model file."""
    from tests.damaged import check_loading

    check_loading(f"{text!r}", text, used=False)


def reader(suffix: str) -> Callable[[bytes], None]:
    """One text as a table file of a kind."""

    def check(content: bytes) -> None:
        from tests.damaged import check_table

        check_table(suffix, content)

    return check


TARGETS: dict[str, Callable[[bytes], None]] = {
    "from_json": load,
    **{f"read {suffix}": reader(suffix) for suffix in (".csv", ".tsv", ".jsonl", ".parquet")},
}


def seeds(folder: Path, target: str) -> None:
    """Files to begin with."""
    if target == "from_json":
        for path in GOLDEN.glob("*.json"):
            (folder / path.name).write_bytes(path.read_bytes())
        return
    for i, table in enumerate(TABLES):
        (folder / f"{i}").write_bytes(table)
    if target.endswith(".parquet"):
        import pyarrow
        from pyarrow import parquet

        table = pyarrow.table({"a": [1.5, None], "b": ["x", "y"], "c": [[1], None]})
        parquet.write_table(table, folder / "table.parquet", compression="none")


def fuzz(target: str, seconds: int) -> None:
    """Fuzzes one target in this process, which it ends."""
    import atheris

    modules = [".".join(("dmlcore", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in PACKAGE.rglob("*.py")]
    modules = [module.removesuffix(".__init__") for module in modules]
    with atheris.instrument_imports(include=["dmlcore"], exclude=[module for module in modules if not module.startswith(GUIDING)]):
        from tests import damaged
    damaged.SECONDS = 0  # the fuzzer has its own limit, by the same signal
    with tempfile.TemporaryDirectory() as folder:
        seeds(Path(folder), target)
        for path in GOLDEN.glob("*.json") if target == "from_json" else ():  # what is imported when it is first needed
            damaged.from_json(path.read_bytes())
        limits = [
            f"-max_total_time={seconds}",
            f"-max_len={MAX_BYTES}",
            "-timeout=300",
            "-rss_limit_mb=4096",
            f"-artifact_prefix={tempfile.gettempdir()}/found-",
        ]
        atheris.Setup([sys.argv[0], *limits, folder], TARGETS[target])
        atheris.Fuzz()


def main(words: list[str]) -> int:
    """The command. Gives its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=120, help="for each target")
    parser.add_argument("--target", choices=list(TARGETS), help="one of them, in this process")
    options = parser.parse_args(words)
    if options.target:
        fuzz(options.target, options.seconds)
        return 0
    found = 0
    for target in TARGETS:
        command = [sys.executable, "-m", "tests.fuzz", "--target", target, "--seconds", str(options.seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
        lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO: Instr")] or [""]
        runs = next((line for line in reversed(lines) if line.startswith("Done ")), lines[-1])
        print(f"{target:16} {'nothing found' if done.returncode == 0 else 'FOUND'}: {runs}", flush=True)
        if done.returncode:
            print("\n".join([*done.stdout.splitlines()[-40:], *lines[-40:]]), flush=True)
        found += done.returncode != 0
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
