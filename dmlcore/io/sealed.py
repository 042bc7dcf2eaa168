"""Files of values with models among them, that say what they are and whether they are whole: what a fit or a stream goes on from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmlcore.base.errors import FormatError
from dmlcore.io.files import replaced
from dmlcore.io.reading import Reader
from dmlcore.io.text import parse
from dmlcore.io.writing import Writer

SEALED_SCHEMA = 1


def write_sealed(path: str | os.PathLike[str], what: str, content: Mapping[str, Any]) -> None:
    """Writes values by name to a JSON file, which is replaced whole or not at all. what: it holds, for `read_sealed`. Each value is
    written for itself: a part of one may stand in another, too."""
    data: dict[str, Any] = {
        "format": what,
        "schema": SEALED_SCHEMA,
        **{name: Writer().value(value, name) for name, value in content.items()},
    }
    with replaced(path) as file:
        file.write(json.dumps({**data, "digest": _digest(data)}).encode() + b"\n")


def read_sealed(path: str | os.PathLike[str], what: str) -> dict[str, Any]:
    """The values in a file that `write_sealed` wrote. Raises `FormatError`, naming the file, for one that holds something else or is
    damaged, `OSError` where it cannot be read."""
    try:
        data = parse(Path(path).read_bytes())
        if not isinstance(data, dict) or data.get("format") != what or data.get("schema") != SEALED_SCHEMA:
            raise FormatError(f"this is no {what} of this version; name another file, or remove it")
        digest = data.pop("digest", None)
        if digest != _digest(data):
            raise FormatError("the file is damaged; remove it")
        return {name: Reader().value(value, name) for name, value in data.items() if name not in ("format", "schema")}
    except FormatError as error:
        raise FormatError(f"{what} {os.fspath(path)}: {error}") from None


def _digest(data: Mapping[str, Any]) -> str:
    """What says whether data are those that were written."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
