"""A model as a readable tree of bounded size."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.core.declared import Declared
from dmlcore.core.domains import Keys, Text

MAX_CHILDREN = 12
MAX_ENTRIES = 6


def tree(node: Declared) -> str:
    """One line per node: its family, its parameters to four digits, and its children below it, mixing weights in front."""
    return "\n".join(_lines(node))


def _lines(node: Any) -> list[str]:
    out = [_title(node)]
    children = node.children()
    weights: Any = getattr(node, "w", None)
    weighted = weights is not None and len(weights) == len(children)
    names = [f"{weights[i]:.3f} " if weighted else f"{i}: " if _is_tuple(node) else "" for i in range(len(children))]
    shown = children[:MAX_CHILDREN]
    for i, child in enumerate(shown):
        last = i == len(children) - 1
        head, *rest = _lines(child)
        out.append(("└─ " if last else "├─ ") + names[i] + head)
        out.extend(("   " if last else "│  ") + line for line in rest)
    if len(children) > len(shown):
        out.append(f"└─ ... {len(children) - len(shown)} more")
    return out


def _is_tuple(node: Any) -> bool:
    return len(node.children()) > 1 and node.family_name() == "composite"


def _title(node: Any) -> str:
    values = []
    for field, domain, value in node.parameters():
        hidden = (
            isinstance(domain, (Text, Keys)) or value is None or value is False or (field == "w" and len(value) == len(node.children()))
        )
        if not hidden and field not in ("min_prob", "default_value", "missing_value"):
            values.append(f"{field}={_short(value)}")
    name = f" {node.name!r}" if node.name else ""
    return f"{node.family_name()}{name}" + (f"  {', '.join(values)}" if values else "")


def _short(value: Any) -> str:
    if isinstance(value, Declared):
        return _title(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray):
        body = np.array2string(value, precision=3, threshold=MAX_ENTRIES**2, edgeitems=2, separator=", ", suppress_small=True)
        return body.replace("\n", "")
    if hasattr(value, "items"):
        entries = [f"{label!r}: {_short(v)}" for label, v in list(value.items())[:MAX_ENTRIES]]
        more = [f"... {len(value) - MAX_ENTRIES} more"] if len(value) > MAX_ENTRIES else []
        return "{" + ", ".join(entries + more) + "}"
    return repr(value)
