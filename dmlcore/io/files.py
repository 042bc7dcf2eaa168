"""Model files, and files that are replaced whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from dmlcore.base.errors import FormatError
from dmlcore.core.arguments import takes
from dmlcore.io.json import parsed, to_json

MAX_BYTES = 256 * 2**20


@takes()
def save(model: Any, path: str | os.PathLike[str], beside: Mapping[str, Any] | None = None) -> None:
    """Writes a distribution or an estimator to a JSON file that `load` and people can read; see `dmlcore.io.json` for its form.

    The file is replaced whole or not at all: what was there stays until the new text is on disk. Raises `FormatError` for what
    JSON cannot hold exactly, `OSError` where the file cannot be written. beside: values that are kept in the file by name (`kept_beside`).
    """
    text = to_json(model, beside) + "\n"
    with replaced(path) as file:
        file.write(text.encode())


@contextmanager
def replaced(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write bytes into, which takes the place of what is at a path when all is on disk, and leaves it alone otherwise."""
    target = Path(os.path.realpath(path))  # a link stays a link
    if target.exists() and not target.is_file():  # a device or a pipe, which nothing could replace
        with open(target, "wb") as file:
            yield file
        return
    draft = target.with_name(f".{target.name[:60]}.{secrets.token_hex(8)}.tmp")
    try:
        with open(draft, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, draft)
        os.replace(draft, target)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = os.fspath(path)  # a full disk names no file, and the draft is none of the caller's
        raise


@takes()
def load(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Any:
    """The distribution or estimator in a file that `save` wrote. Families of your own must be defined (imported) before.

    The file may come from anywhere: nothing in it is run or imported. Raises `FormatError`, naming the file and the place in it,
    if it is no saved model (damaged, cut short, of an unknown schema, larger than `max_bytes`), `OSError` where it cannot be read.
    """
    return parsed(_text_of(path, max_bytes), f"load {path}")


def kept_beside(path: str | os.PathLike[str], name: str, max_bytes: int = MAX_BYTES) -> Any:
    """What a model file holds beside the model under a name; None where there is no such thing. Raises as `load` does."""
    return parsed(_text_of(path, max_bytes), f"load {path}", name)


def _text_of(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    path = Path(path)
    who = f"load {path}"
    if path.exists() and not path.is_file():
        raise FormatError(f"{who}: not a file")
    with open(path, "rb") as file:
        text = file.read(max_bytes + 1)
    if len(text) > max_bytes:
        raise FormatError(f"{who}: larger than {max_bytes:,} bytes; give max_bytes if it is a model all the same")
    return text
