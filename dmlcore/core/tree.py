"""A model as a readable tree of bounded size: an outline of its nodes, which text, notebooks and plots show each in its way."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from dmlcore.base.records import dataclass
from dmlcore.core.declared import Declared, same
from dmlcore.core.flat import n_parameters
from dmlcore.core.nodes import distinct_nodes
from dmlcore.core.powers import HasMean, HasVariance, OnScale, has
from dmlcore.core.typeface import for_terminal

MAX_NODES = 150  # of one outline
MAX_CHILDREN = 12  # of one node
MAX_ENTRIES = 6  # of one table of labels
MAX_NUMBERS = 36  # of one array
MAX_TEXT = 60  # of one label or setting
NAMING = ("name", "field_names")  # shown where what they name stands


@dataclass(frozen=True)
class Outline:
    """One node as it is shown: where it stands, what it is, its parameters as text, and what is below.

    place: its weight in a mixture, its field in a record, or the name of the field that holds it. note: which object it is, where one
    object stands at several places. more: children that are not shown.
    """

    place: str
    family: str
    parameters: tuple[tuple[str, str], ...]
    note: str = ""
    children: tuple[Outline, ...] = ()
    more: int = 0


def outline(node: Declared, max_nodes: int = MAX_NODES) -> Outline:
    """The outline of a distribution or an estimator; fields at their defaults are left out. A node that stands at several places
    is shown at the first."""
    return _Outliner(node).of(node, "", max_nodes - 1)


def tree(node: Declared) -> str:
    """One line per node: its family, its parameters to four digits, and its children below it, mixing weights in front."""
    return for_terminal("\n".join(_lines(outline(node))))


def headline(node: Declared) -> str:
    """The class of a node, and of a distribution the number of free parameters."""
    if not hasattr(node, "log_density"):
        return type(node).__name__
    free = n_parameters(node)
    return f"{type(node).__name__} with {free:,} free parameter{'s' * (free != 1)}"


# -- outlines ----------------------------------------------------------------------------------------------------------


class _Outliner:
    def __init__(self, root: Any):
        tied: frozenset[int] = getattr(root, "repeated", frozenset())
        self.tied = {id(node) for node in distinct_nodes(root) if id(node) in tied and len(node._fields) > 1}
        self.numbers: dict[int, int] = {}

    def of(self, node: Any, place: str, room: int) -> Outline:
        """The outline of a node with at most `room` nodes below it."""
        seen = id(node) in self.numbers
        note = ""
        if id(node) in self.tied:
            number = self.numbers.setdefault(id(node), len(self.numbers) + 1)
            note = f"same as #{number}" if seen else f"#{number}"
        family = node.family_name() + (f" {shown(node.name)}" if node.name else "")
        if seen:
            return Outline(place, family, (), note)
        below = _children(node)
        if node.shown_with_child and len(below) == 1:
            inner = self.of(below[0][1], place, room)
            family, note = f"{family} {inner.family}", f"{note} {inner.note}".strip()
            return Outline(place, family, (*_parameters(node), *inner.parameters), note, inner.children, inner.more)
        count = min(len(below), MAX_CHILDREN, max(room, 0))
        each = (room - count) // count if count else 0
        children = tuple(self.of(child, where, each) for where, child in below[:count])
        return Outline(place, family, _parameters(node), note, children, len(below) - count)


def _children(node: Any) -> list[tuple[str, Any]]:
    """Nested nodes with their places; a `NullDistribution` that stands for "no law" is left out."""
    out: list[tuple[str, Any]] = []
    if getattr(node, "field_names", None) is not None:
        return list(zip(node.places(), node.children(), strict=True))
    children = dict(node._child_fields)
    domains = dict(node._fields)
    weights = node.__dict__.get("w") if _is_mixture(node) else None
    for field, value in node.fields().items():
        if children.get(field):
            for i, child in enumerate(value):
                place = f"{weights[i]:.3f}" if weights is not None else f"field {i}" if domains[field].each == "field" else f"{field}[{i}]"
                out.append((place, child))
        elif isinstance(value, Declared) and not value.says_nothing:
            out.append((field if field in children else f"{field} (fixed)", value))
    return out


def _is_mixture(node: Any) -> bool:
    """Whether `w` holds one weight per child."""
    weights = node.__dict__.get("w")
    return [many for _, many in node._child_fields] == [True] and isinstance(weights, np.ndarray) and len(weights) == len(node.children())


def _parameters(node: Any) -> tuple[tuple[str, str], ...]:
    defaults = {f.name: f.default for f in dataclasses.fields(node)}
    children = dict(node._child_fields)
    out = list(zip(("mean", "sd"), node.mean_and_deviation(), strict=True)) if _tells_moments(node) else []
    for field, value in node.fields().items():
        hidden = field in NAMING or field in children or isinstance(value, Declared) or (field == "w" and _is_mixture(node))
        if not hidden and not same(value, defaults[field]):
            out.append((field, shown(value)))
    return tuple(out)


def _tells_moments(node: Any) -> bool:
    """Whether its mean and deviation say more than the parameters, which count from an origin."""
    return has(node, OnScale) and has(node.number_law(), HasMean) and has(node.number_law(), HasVariance)


def shown(value: Any) -> str:
    """A value as short text."""
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        digits: Any = {"float_kind": lambda number: f"{number:.4g}"}
        text = np.array2string(value, threshold=MAX_NUMBERS, edgeitems=2, separator=", ", formatter=digits, max_line_width=10**6)
        text = " ".join(text.split()).replace("[ ", "[")
        return text if value.size <= MAX_NUMBERS else f"{text} of shape {value.shape}"
    if isinstance(value, Mapping):
        return _table(value)
    return _cut(repr(value))


def _table(table: Mapping[Any, Any]) -> str:
    """Labels with their values, the largest first."""
    entries = list(table.items())
    if all(isinstance(value, float) for value in table.values()):
        entries.sort(key=lambda entry: -entry[1])
    texts = [f"{_cut(repr(label))}: {shown(value)}" for label, value in entries[:MAX_ENTRIES]]
    if len(entries) > MAX_ENTRIES:
        texts.append(f"... {len(entries) - MAX_ENTRIES} more")
    return "{" + ", ".join(texts) + "}"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


# -- text --------------------------------------------------------------------------------------------------------------


def _lines(node: Outline) -> list[str]:
    values = ", ".join(f"{field}={text}" for field, text in node.parameters)
    head = "  ".join(filter(None, (node.place, node.family, values, node.note and f"({node.note})")))
    out = [head]
    for i, child in enumerate(node.children):
        last = i == len(node.children) - 1 and not node.more
        first, *rest = _lines(child)
        out.append(("└─ " if last else "├─ ") + first)
        out.extend(("   " if last else "│  ") + line for line in rest)
    if node.more:
        out.append(f"└─ ... {node.more} more")
    return out
