"""One large table of each true model: whether estimates lie about the truth as their errors say, and whether two kinds of errors agree.

Of the right law the curvature of the likelihood and the spread of its slopes are one matrix (White 1982), and the two kinds of errors,
which share no computation, are alike. A density, or an information matrix, that is wrong by a few points is seen in one table of
4,000 rows, where coverage needs a thousand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from benchmarks.calibration.coverage import Case

ROWS = 4000


class Large(NamedTuple):
    """Of each parameter `(m,)`: how many errors its estimate is from the truth, and the observed over the sandwich error."""

    apart: np.ndarray
    alike: np.ndarray


def markdown_of_large(found: Iterable[tuple[Case, Large]]) -> str:
    """A line for each true model, and one for all."""
    head = (
        "| family | true model | parameters | root mean square of z | largest | observed over sandwich error |\n|---|---|--:|--:|--:|--:|"
    )
    lines, every = [head], []
    for case, one in found:
        every.append(one)
        lines.append(f"| {case.family} | {case.truth} | {_said(one)} |")
    whole = Large(*(np.concatenate(parts) for parts in zip(*every, strict=True)))
    return "\n".join([*lines, f"| all | | {_said(whole)} |"])


def _said(one: Large) -> str:
    z, alike = np.abs(one.apart), one.alike
    return f"{len(z)} | {np.sqrt(np.mean(z**2)):.2f} | {z.max():.1f} | {alike.min():.3f} to {alike.max():.3f}"
