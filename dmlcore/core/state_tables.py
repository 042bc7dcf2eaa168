"""Hidden chains as tables, a line for each state: what it gives, how it begins, where it leads, how long it lasts."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from dmlcore.core.nodes import distinct_nodes
from dmlcore.core.powers import FollowsStates, has
from dmlcore.core.words import cut_short, in_words, number, percent

MANY_STATES = 12  # of one table: the first
MANY_CHAINS = 6  # of one model

Table = tuple[str, list[dict[str, Any]]]


def state_tables(node: Any) -> list[Table]:
    """Of the chains in a model: a title, and a line for each state. None of what is no distribution."""
    if not hasattr(node, "log_density"):
        return []
    chains = (law for law in distinct_nodes(node) if has(law, FollowsStates))
    return [_table(law) for law in islice(chains, MANY_CHAINS)]


def _table(law: Any) -> Table:
    S = len(law.w)
    laws = [law.emission(s) for s in range(min(S, MANY_STATES))]
    names = _names(laws)
    stays, shares = law.mean_stays(), law.long_run_shares()
    lines = [
        [name, cut_short(in_words(own)), percent(law.w[s]), *map(percent, law.transitions[s, : len(laws)]), number(stays[s], 3)]
        for s, (name, own) in enumerate(zip(names, laws, strict=True))
    ]
    for line, share in zip(lines, np.asarray(shares), strict=False):
        line.append(percent(share))
    head = ["state", "gives", "first", *(f"to {name}" for name in names), "mean stay", "long run"]
    title = f"States of {law.label}" + (f", the first {MANY_STATES} of {S}" if S > MANY_STATES else "")
    return title, [dict(zip(head, line, strict=True)) for line in lines]


def _names(laws: list[Any]) -> list[str]:
    """What states are called: as their laws are, where each has a name of its own; else their numbers."""
    names = [law.name for law in laws]
    return names if all(names) and len(set(names)) == len(names) else [str(s) for s in range(len(laws))]
