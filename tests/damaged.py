"""What comes of reading a file that may be damaged: a refusal that names the reason, or something right. Raises `Wrong` for all else."""

from __future__ import annotations

import importlib
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from dmlcore import read
from dmlcore.base.errors import DataError, DmlcoreError, FormatError, shorten
from dmlcore.core.distribution import Distribution
from dmlcore.data.frames import Columns
from dmlcore.io import from_json, to_json
from dmlcore.io.tables import write

SECONDS = 180  # that one call may take; 0: any number
REFUSED, RIGHT, FAULT = "refused by name", "right", "FAULT"
FORBIDDEN = {"import", "exec", "compile", "open", "os.system", "subprocess.Popen", "socket.connect", "pickle.find_class", "os.remove"}

_CODECS = [f"encodings.utf_{bits}{end}" for bits in (16, 32) for end in ("", "_be", "_le")]
for _name in (
    "dmlcore.stats",
    "numpy.ma",
    "pandas",
    "encodings.utf_8_sig",
    *_CODECS,
):  # what reading may need: what is heard is the file's doing
    importlib.import_module(_name)
_heard: list[str] | None = None  # what the interpreter did while a file was read


def _hear(event: str, args: Any) -> None:
    if _heard is not None and event in FORBIDDEN:
        _heard.append(f"{event} {args}"[:200])


sys.addaudithook(_hear)


class TooLong(BaseException):
    """A call did not end."""


@dataclass(frozen=True)
class Outcome:
    """What came of a call: a value, an error of the library, or something else that was raised (`raw`)."""

    value: Any = None
    error: DmlcoreError | None = None
    raw: str = ""


@contextmanager
def time_limit() -> Iterator[None]:
    """Raises `TooLong` where the system can."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"more than {SECONDS} s")

    if not SECONDS or not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(work: Callable[[], Any]) -> Outcome:
    """What comes of a call."""
    try:
        with time_limit(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Outcome(work())
    except DmlcoreError as error:
        return Outcome(error=error)
    except (Exception, TooLong) as error:
        inside = [frame for frame in traceback.extract_tb(error.__traceback__) if "dmlcore" in Path(frame.filename).parts]
        where = f" in {Path(inside[-1].filename).name}, line {inside[-1].lineno}" if inside else ""
        return Outcome(raw=f"{type(error).__name__}: {shorten(str(error))}{where}")


class Wrong(AssertionError):
    """What came is neither a refusal that names its reason nor right."""


def typed(what: str, work: str, came: Outcome) -> None:
    if came.raw:
        raise Wrong(f"{what}: {work}: {came.raw}")


# -- model files -------------------------------------------------------------------------------------------------------


def check_loading(what: str, text: bytes, rows: Any = (), used: bool = True) -> str:
    """Loads a text that may be damaged. rows: data that its model may read. used: also draws and scores. Raises `Wrong`."""
    global _heard
    _heard = heard = []
    try:
        loaded = outcome(lambda: from_json(text))
    finally:
        _heard = None
    typed(what, "loads", loaded)
    if heard:
        raise Wrong(f"{what}: while it was read: {heard}")
    if loaded.error is not None:
        if not isinstance(loaded.error, FormatError) or not str(loaded.error).startswith("from_json: "):
            raise Wrong(f"{what}: refused by {loaded.error!r}")
        return REFUSED
    node = loaded.value
    again = outcome(lambda: from_json(to_json(node)))
    if again.value != node:
        raise Wrong(f"{what}: the model {shorten(node)} is not loaded again: {again.error or again.raw}")
    if used and isinstance(node, Distribution):
        typed(what, "draws", outcome(lambda: node.sample(2, rng=0)))
        scored = outcome(lambda: node.seq_log_density(list(rows)))
        typed(what, "scores", scored)
        if scored.error is None and (np.isnan(scored.value).any() or (scored.value == np.inf).any()):
            raise Wrong(f"{what}: log densities are {scored.value}")
    return RIGHT


# -- files of tables ---------------------------------------------------------------------------------------------------


def _told(table: Any) -> str:
    """What stands in a table, whatever the units of its times."""
    return repr((table.column_names, table.to_pylist()))


def check_table(suffix: str, content: bytes) -> str:
    """Reads a text that may be no table file of a kind, and what is read once more after it was written. Raises `Wrong`."""
    what = f"{suffix} of {shorten(content, 400)}"
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / f"x{suffix}", Path(folder) / "again.parquet"
        path.write_bytes(content)
        came = outcome(lambda: read(path))
        typed(what, "is read", came)
        if came.error is not None:
            if not isinstance(came.error, DataError) or not str(came.error).startswith(f"{path}: ") or "\n" in str(came.error):
                raise Wrong(f"{what}: refused by {came.error!r}")
            return REFUSED
        typed(what, "is read as codes", outcome(lambda: read(path, coded=True)))
        typed(what, "has columns", outcome(lambda: Columns(came.value).rows()))
        written = outcome(lambda: write(came.value, again))
        typed(what, "is written", written)
        if written.error is None and outcome(lambda: _told(read(again))) != outcome(lambda: _told(came.value)):
            raise Wrong(f"{what}: is not read again as it was written")
    return RIGHT
