"""What a sweep has to say besides its table: that it ended at an edge, what stood in its way, and what may have been missed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from dmlcore.fitting.drivers import UNSOUND

LOWER = 1e-3  # nats by which a larger model must lie below a smaller one to be called lower
REMEDIES = "a prior (pseudo_count=) or parts in common (tied=) keep components from collapsing on a few rows"


def remarks(values: Any, fits: Any, rows: Any, best: int, criterion: str) -> list[str]:
    """Sentences on a sweep; none where nothing is odd. fits: of those that are kept, the one chosen among them."""
    sizes = all(isinstance(value, (int, np.integer)) and not isinstance(value, bool) for value in values)
    said = [*_edge(values, best)] if sizes and len(values) > 1 else []
    said += _degenerate(values, rows, best, criterion)
    said += _lower(values, rows) if sizes else []
    found = fits[best]
    if found.ended > 1 and found.reached == 1:
        met = f"the best value for {values[best]} was met by one of {found.ended} starts only"
        said.append(f"{met}; another search (starts=500) may find a better one")
    return said


def _edge(values: Any, best: int) -> Iterator[str]:
    if values[best] == max(values):
        yield f"{values[best]} is the largest that was tried; larger ones may be better, and beyond=True goes on to them"
    elif values[best] == min(values) > 1:
        yield f"{values[best]} is the smallest that was tried; smaller ones may be better"


def _degenerate(values: Any, rows: Any, best: int, criterion: str) -> Iterator[str]:
    unsound = [value for value, row in zip(values, rows, strict=True) if row["status"] in UNSOUND]
    if not unsound:
        return
    named = ", ".join(map(str, unsound))
    if len(unsound) == len(values):
        yield f"every candidate is degenerate, so {criterion} compares no maxima; {REMEDIES}"
    elif len(unsound) == len(values) - 1:
        yield f"all others ({named}) are degenerate, so {values[best]} was not chosen among several; {REMEDIES}"
    else:
        yield f"degenerate, and so not chosen: {named}; {REMEDIES}"


def _lower(values: Any, rows: Any) -> Iterator[str]:
    """Of models of which each holds the one before, a larger one is as likely at least."""
    ordered = sorted(zip(values, rows, strict=True), key=lambda pair: pair[0])
    for (small, one), (large, other) in pairwise(ordered):
        gap = one["log_likelihood"] - other["log_likelihood"]
        if gap > LOWER and other["parameters"] > one["parameters"] and other["status"] not in UNSOUND and one["status"] not in UNSOUND:
            yield f"{large} came out {gap:.3g} nats below {small}: its search ended too low; fit it with more starts (starts=500)"
