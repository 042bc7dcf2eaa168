"""What a formula says, as text: which columns it names, and groups after a bar."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dmlcore.base.errors import ParameterError

WORD = re.compile(r"[^\W\d][\w.]*")
NAME = re.compile(r"`([^`]*)`")
QUOTED = re.compile(r"""(`[^`]*`|"[^"]*"|'[^']*')""")  # names in backticks, and text


def with_backticks(formula: str, columns: Iterable[str]) -> str:
    """The formula with names of columns that have dots, such as `Sepal.Length`, in backticks: they would be read as attributes."""
    dotted = {name for name in columns if "." in name}

    def marked(found: re.Match[str]) -> str:
        return f"`{found[0]}`" if found[0] in dotted else found[0]

    return "".join(part if i % 2 else WORD.sub(marked, part) for i, part in enumerate(QUOTED.split(formula)))


def variables(formula: str, found: set[str], columns: set[str]) -> list[str]:
    """The columns that a formula needs, and what it needs that is no column.

    found: what formulaic says, which cuts names at their first dot, and does not see the arguments of some functions.
    """
    named = set(NAME.findall(formula))
    bare = QUOTED.sub(" ", formula)
    words = {word[0] for word in WORD.finditer(bare) if not re.match(r"\s*[(=]", bare[word.end() :])}
    cut = {name.partition(".")[0] for name in named if "." in name}
    return sorted(named | (words & columns) | (found - cut))


def groups_apart(formula: str) -> tuple[str, str | None]:
    """A formula "y ~ x | g" as "y ~ x" and the name of the column of groups, None without. Raises `ParameterError`."""
    hidden = QUOTED.sub(lambda found: "_" * len(found[0]), formula)
    depth, bars = 0, []
    for i, letter in enumerate(hidden):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "|" and not depth:
            bars.append(i)
    if not bars:
        return formula, None
    name = formula[bars[0] + 1 :].strip()
    if len(bars) > 1 or "~" not in hidden[: bars[0]] or not (WORD.fullmatch(name) or NAME.fullmatch(name)):
        raise ParameterError(f"formula {formula!r}: after | need the name of one column, the groups of rows, such as 'y ~ x | g'")
    return formula[: bars[0]].strip(), name.strip("`")


def in_one_line(error: Exception) -> str:
    """What an error says, without line breaks and the colours of terminals."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
