"""What a formula says, as text: which columns it names, offsets, several responses, and groups after a bar."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

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


def named_columns(text: str, columns: Iterable[str]) -> set[str]:
    """The columns that a text names: as words, in backticks, or all of it."""
    columns = set(columns)
    words = set(WORD.findall(QUOTED.sub(" ", with_backticks(text, columns)))) | set(NAME.findall(with_backticks(text, columns))) | {text}
    return words & columns


def names_all(formula: str) -> bool:
    """Whether a term of a formula is a dot, as of R's formulas for all other columns."""
    return re.search(r"(^|[~+\s])\.($|[+\s])", _hidden(formula)) is not None


def texts_in(said: Any) -> list[str]:
    """The texts in nested lists and mappings."""
    if isinstance(said, dict):
        said = list(said.values())
    if isinstance(said, (list, tuple)):
        return [text for part in said for text in texts_in(part)]
    return [said] if isinstance(said, str) else []


def groups_apart(formula: str) -> tuple[str, str | None]:
    """A formula "y ~ x | g" as "y ~ x" and the name of the column of groups, None without. Raises `ParameterError`."""
    hidden, bars = _hidden(formula), _outside(formula, "|")
    if not bars:
        return formula, None
    name = formula[bars[0] + 1 :].strip()
    if len(bars) > 1 or "~" not in hidden[: bars[0]] or not (WORD.fullmatch(name) or NAME.fullmatch(name)):
        raise ParameterError(f"formula {formula!r}: after | need the name of one column, the groups of rows, such as 'y ~ x | g'")
    return formula[: bars[0]].strip(), name.strip("`")


def offset_apart(formula: str) -> tuple[str, str | None]:
    """A formula "y ~ x + offset(log(base))" as "y ~ x" and "log(base)", None without; several offsets add."""
    left, tilde, right = formula.partition("~")
    terms = _cut(right, "+")
    inside = [found[0] for term in terms if (found := arguments(term, "offset")) is not None and len(found) == 1]
    if not tilde or not inside:
        return formula, None
    rest = [term for term in terms if arguments(term, "offset") is None]
    return f"{left}~{'+'.join(rest) or ' 1'}", " + ".join(f"({one})" for one in inside) if len(inside) > 1 else inside[0]


def arguments(text: str, function: str) -> list[str] | None:
    """The arguments of a call such as "cbind(a, b)", if that is all the text is."""
    text = text.strip()
    head = re.match(rf"{function}\s*\(", text)
    inside = text[head.end() : -1] if head and text.endswith(")") else ""
    return [part.strip() for part in _cut(inside, ",")] if inside and _closed(inside) else None


def _hidden(text: str) -> str:
    """The text with what is quoted made unreadable."""
    return QUOTED.sub(lambda found: "_" * len(found[0]), text)


def _depths(text: str) -> list[int]:
    """How many brackets are open after each letter."""
    return list(accumulate((letter in "([{") - (letter in ")]}") for letter in _hidden(text)))


def _closed(text: str) -> bool:
    """Whether brackets that open in the text close in it, and none other do."""
    depths = _depths(text)
    return min(depths, default=0) >= 0 and depths[-1:] in ([], [0])


def _outside(text: str, letter: str) -> list[int]:
    """Where a letter stands outside of brackets and quotes."""
    return [i for i, (found, depth) in enumerate(zip(_hidden(text), _depths(text), strict=True)) if found == letter and not depth]


def _cut(text: str, letter: str) -> list[str]:
    """The text cut where that letter stands outside of brackets and quotes."""
    ends = [-1, *_outside(text, letter), len(text)]
    return [text[start + 1 : stop] for start, stop in pairwise(ends)]


def in_one_line(error: Exception) -> str:
    """What an error says, without line breaks and the colours of terminals."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
