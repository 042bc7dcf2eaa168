"""Encoded chunks on disk, mapped into memory while they are worked on: by threads, or by any executor of `concurrent.futures`."""

from __future__ import annotations

import json
import mmap
import os
import pickle
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError
from dmlcore.base.records import dataclass
from dmlcore.base.threads import map_stream, results_in_order
from dmlcore.data.layouts import Layout
from dmlcore.engines.chunks import Chunk, Chunks
from dmlcore.engines.stream import Reread

CACHE_FORMAT = 1  # of the files of a cache; another cannot be read
CONTENTS = "contents.json"  # says what is in a folder, once all of it is there
ALIGNED = 64  # bytes at whose multiples arrays begin
HEAD = struct.Struct("<QQ")  # how many arrays there are, and how long their description is


def put_chunk(chunk: Chunk, path: Path) -> int:
    """Writes a chunk to a file; how many bytes it takes."""
    arrays: list[pickle.PickleBuffer] = []
    description = pickle.dumps(chunk, protocol=5, buffer_callback=arrays.append)
    views = [array.raw() for array in arrays]
    lengths = struct.pack(f"<{len(views)}Q", *(view.nbytes for view in views))
    with path.open("wb") as file:
        file.write(HEAD.pack(len(views), len(description)) + lengths + description)
        for view in views:
            file.write(bytes(-file.tell() % ALIGNED))
            file.write(view)
        return file.tell()


def mapped(path: str) -> Chunk:
    """The chunk in a file. Its arrays are the file's pages, which are read when they are used, and let go with the chunk."""
    with open(path, "rb") as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    count, length = HEAD.unpack_from(view)
    sizes = struct.unpack_from(f"<{count}Q", view, HEAD.size)
    place = HEAD.size + 8 * count
    description, place = view[place : place + length], place + length
    arrays = []
    for size in sizes:
        place += -place % ALIGNED
        arrays.append(view[place : place + size])
        place += size
    return pickle.loads(description, buffers=arrays)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Kept(Chunks):
    """Chunks in files, one each. executor: who works on them; None: threads of this process."""

    paths: tuple[str, ...]
    layout: Layout
    threads: int = 1
    executor: Executor | None = None
    folder: Any = None  # one that goes with the chunks

    def map(self, work: Callable[[Chunk], Any]) -> Iterator[Any]:
        on_file = partial(_on_file, work)
        if self.executor is None:
            return map_stream(on_file, self.paths, self.threads)
        return results_in_order(self.executor, on_file, self.paths, len(self.paths))


def _on_file(work: Callable[[Chunk], Any], path: str) -> Any:
    return work(mapped(path))


def keep(chunks: Reread, folder: Any = None, executor: Executor | None = None) -> Kept:
    """The chunks of a stream in a folder, which is made; what it holds already is taken, where it is of the same files and the same layout.

    folder: None for one of the machine's own, which goes when the chunks are no longer needed. Raises `DataError` where the disk has not
    room enough.
    """
    own = tempfile.TemporaryDirectory(prefix="dmlcore-") if folder is None else None
    place = Path(folder if own is None else own.name)
    place.mkdir(parents=True, exist_ok=True)
    of = _identity(chunks)
    names = _known(place, of)
    if names is None:
        names = _written(place, chunks, of)
    return Kept(tuple(str(place / name) for name in names), chunks.layout, chunks.threads, executor, own)


def _written(place: Path, chunks: Reread, of: Any) -> list[str]:
    """The names of the chunks, written anew into a folder. What is there of them goes, first of all the word that it is whole."""
    contents, half = place / CONTENTS, place / (CONTENTS + ".part")
    contents.unlink(missing_ok=True)
    _clear(place)
    _check_room(place, chunks)
    try:
        sizes = dict(chunks.map(partial(_put, str(place))))
        half.write_text(json.dumps({"of": of, "chunks": sizes}), "utf-8")
        half.replace(contents)
    except BaseException as error:
        _clear(place)
        half.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            raise DataError(f"cache {place}: it could not be written ({error.strerror})") from error
        raise
    return list(sizes)


def _clear(place: Path) -> None:
    for old in place.glob("*.chunk"):
        old.unlink()


def _identity(chunks: Reread) -> Any:
    """What encoded rows follow from, as JSON holds it; None where nobody can say whether it is still the same."""
    stream = chunks.stream
    if not stream.files:
        return None
    stats = [(path, os.stat(path)) for path in stream.files]
    files = [[path, stat.st_size, stat.st_mtime_ns] for path, stat in stats]
    return {
        "layout": repr(chunks.layout),
        "weights": repr(stream.weights),
        "rows": stream.chunk_rows,
        "files": files,
        "format": [CACHE_FORMAT, np.__version__],
    }


def _known(place: Path, of: Any) -> list[str] | None:
    """The names of the chunks in a folder that follow from this, or None where any of them is not there whole."""
    if of is None or not (place / CONTENTS).exists():
        return None
    try:
        known = json.loads((place / CONTENTS).read_text("utf-8"))
        if known["of"] != of:
            return None
        whole = all((place / name).stat().st_size == size for name, size in known["chunks"].items())
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return None
    return list(known["chunks"]) if whole else None


def _check_room(place: Path, chunks: Reread) -> None:
    need, free = chunks.stream.cache_size(chunks.layout), shutil.disk_usage(place).free
    if need > free:
        raise DataError(
            f"cache {place}: encoded rows take about {need:,} bytes, and {free:,} are free; leave cache out, or name another disk"
        )


def _put(folder: str, chunk: Chunk) -> tuple[str, int]:
    """Writes a chunk into a folder; the name of its file, and how many bytes it takes."""
    name = f"{chunk.number:06d}.chunk"
    return name, put_chunk(chunk, Path(folder) / name)
