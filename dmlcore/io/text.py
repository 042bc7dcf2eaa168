"""JSON text: laid out for readers, and parsed with care, as a file may come from anywhere."""

from __future__ import annotations

import json
import re
from typing import Any

from dmlcore.base.errors import FormatError

LINE_WIDTH = 120  # longer objects and lists of lists are broken over lines
MAX_DEPTH = 100  # levels of lists and objects in one text; fifty nested combinators need them

_UNSEEN = re.compile("[\ud800-\udfff\u007f-\u009f\u2028\u2029]")  # no text of its own: half pairs, controls, other line ends


def laid_out(data: Any) -> str:
    """JSON data as text that fits UTF-8: what fits on a line stays on it. Raises `FormatError` where it is nested too deep."""
    check_depth(data)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", _laid_out(data))


def parse(text: str | bytes) -> Any:
    """The data of a JSON text. Raises `FormatError`, with line and column, if it is none, names a field twice, or is nested too deep."""
    try:
        data = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except FormatError:
        raise
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # also numbers of thousands of digits, and bytes that are no text
        raise FormatError(f"not JSON ({error}); the file is damaged or cut short, or is no model") from None
    check_depth(data)
    return data


def check_depth(data: Any) -> None:
    """Raises `FormatError` for lists and objects more than `MAX_DEPTH` deep."""
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        parts = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (list, dict)))
        level = [part for items in parts for part in items if isinstance(part, (list, dict))]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> FormatError:
    return FormatError(f"nested deeper than {MAX_DEPTH} levels")


def _no_constant(text: str) -> Any:
    raise FormatError(f'{text} is not JSON; write {{"float": "{text.replace("Infinity", "inf").lower()}"}}')


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        names = [name for name, _ in pairs]
        raise FormatError(f"an object names {next(name for name in names if names.count(name) > 1)!r} twice")
    return out


def _laid_out(data: Any, indent: str = "") -> str:
    line = json.dumps(data, ensure_ascii=False)
    single = isinstance(data, list) and not any(isinstance(item, (list, dict)) for item in data)
    if not isinstance(data, (list, dict)) or single or len(indent) + len(line) <= LINE_WIDTH:
        return line
    inner = indent + "  "
    if isinstance(data, dict):
        keys = {key: json.dumps(key, ensure_ascii=False) for key in data}
        parts, marks = [f"{keys[key]}: {_laid_out(value, inner)}" for key, value in data.items()], "{}"
    else:
        parts, marks = [_laid_out(item, inner) for item in data], "[]"
    return marks[0] + "\n" + ",\n".join(inner + part for part in parts) + "\n" + indent + marks[1]
