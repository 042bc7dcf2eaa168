"""Reference values from other systems (`tests/reference/*.json`), and models built from their `{"type": ...}` dictionaries."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from dmlcore import stats

FOLDER = Path(__file__).parent / "reference"


@cache
def load(case: str) -> dict[str, Any]:
    """One file of reference values. Its fields `software`, `source` and `call` say where they come from."""
    return json.loads((FOLDER / f"{case}.json").read_text(encoding="utf-8"))


def build(saved: Any) -> Any:
    """The distribution that a `{"type": ...}` dictionary describes; maps are lists of `[label, value]`."""
    if isinstance(saved, list):
        return [build(item) for item in saved]
    if not isinstance(saved, dict):
        return saved
    fields = {name: build(value) for name, value in saved.items() if name != "type"}
    for name in ("pmap", "init_prob_map", "transition_map"):
        if name in fields:
            fields[name] = dict(fields[name])
    if "transition_map" in fields:
        fields["transition_map"] = {label: dict(row) for label, row in fields["transition_map"].items()}
    return getattr(stats, saved["type"])(**fields)


def composite_rows() -> list[tuple[Any, ...]]:
    """The 1,000 rows of the seed's composite mixture: a real, a count or None, a list of letters, a list of distinct letters."""
    return [(x, count, list(letters), list(members)) for x, count, letters, members in load("composite_mixture_4_fields")["data"]]
