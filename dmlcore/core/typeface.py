"""Text as the terminal can show it: where its alphabet is narrow, signs of ASCII for those that it lacks."""

from __future__ import annotations

import sys

ASCII = {
    "├": "|",
    "└": "`",
    "│": "|",
    "─": "-",
    "±": "+-",
    "…": "...",
    "−": "-",
    "∞": "inf",
    "\u00a0": " ",
    "●": "*",
    "·": ".",
    "≥": ">=",
}


def for_terminal(text: str) -> str:
    """The text, with signs that standard output cannot write in ASCII; what users named that it cannot write, as escapes."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if _writes(text, encoding):
        return text
    for sign, plain in ASCII.items():
        if not _writes(sign, encoding):
            text = text.replace(sign, plain)
    return text if _writes(text, encoding) else text.encode("ascii", "backslashreplace").decode("ascii")


def _writes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    except LookupError:
        return text.isascii()
    return True
