"""Draws walk.png, the figure of how_it_works.md: `python docs/design/draw_walk.py`."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

FORWARD, BACKWARD, DATA, NODE = "#1f5fa8", "#b8322a", "#e9ecef", "#fff6df"


def box(ax: Any, x: float, y: float, width: float, text: str, colour: str, height: float = 0.62, style: str = "round") -> None:
    """A box centred at (x, y)."""
    shape = f"{style},pad=0.02" + (",rounding_size=0.1" if style == "round" else "")
    ax.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, boxstyle=shape, facecolor=colour, edgecolor="0.35", lw=1))
    ax.text(x, y, text, ha="center", va="center", fontsize=9)


def arrow(ax: Any, start: Any, end: Any, colour: str, text: str = "", side: str = "left") -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.5, "shrinkA": 0, "shrinkB": 0})
    if text:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        shift = -0.45 if side == "left" else 0.45
        ax.text(x + shift, y, text, color=colour, fontsize=8.5, ha="right" if side == "left" else "left", va="center")


def both(ax: Any, low: Any, high: Any, up: str = "", down: str = "") -> None:
    """Forward from `low` up to `high`, and backward from `high` down to `low`."""
    arrow(ax, (low[0] - 0.1, low[1]), (high[0] - 0.1, high[1]), FORWARD, up, "left")
    arrow(ax, (high[0] + 0.1, high[1]), (low[0] + 0.1, low[1]), BACKWARD, down, "right")


def main() -> None:
    figure, ax = plt.subplots(figsize=(11, 6.6))
    ax.set(xlim=(0, 15.4), ylim=(-0.35, 8.9))
    ax.axis("off")

    box(ax, 7.2, 8.2, 4.6, "mixture: w · scaled densities", NODE)
    for k, x in ((1, 3.7), (2, 10.7)):
        box(ax, x, 6.4, 3.2, f"composite {k}: sum of fields", NODE)
        box(ax, x - 1.7, 4.6, 1.9, f"gaussian {k}", NODE)
        box(ax, x + 1.7, 4.6, 2.3, f"optional {k}", NODE)
        box(ax, x + 1.7, 3.0, 2.3, f"poisson {k}", NODE)
        both(ax, (x - 1.7, 4.93), (x - 0.6, 6.07))
        both(ax, (x + 1.7, 4.93), (x + 0.6, 6.07))
        both(ax, (x + 1.7, 3.33), (x + 1.7, 4.27))
    both(ax, (3.9, 6.73), (6.2, 7.87), "log densities (n,)", "")
    both(ax, (10.5, 6.73), (8.2, 7.87), "", "weights × posterior (n,)")
    ax.text(0.15, 8.5, "score forward", color=FORWARD, fontsize=11, weight="bold")
    ax.text(0.15, 8.05, "send weights back", color=BACKWARD, fontsize=11, weight="bold")

    box(ax, 3.2, 1.35, 4.0, "field 0: Values\n5.1  0.2  3.3  …", DATA, 0.85, "square")
    box(ax, 10.4, 1.35, 5.2, "field 1: Distinct\ncodes  2 0 2 1 …  into  [0, 4, missing]", DATA, 0.85, "square")
    ax.text(3.2, 0.55, "read by gaussian 1 and 2, by one kernel", ha="center", va="center", fontsize=9, color="0.3")
    shared = "read by optional 1 and 2, once per distinct value:\nlog densities are gathered, weights are summed by code"
    ax.text(10.4, 0.45, shared, ha="center", va="center", fontsize=9, color="0.3")
    ax.text(7.2, 2.1, "columns of one block, about 32,000 rows", ha="center", va="center", fontsize=9.5, color="0.3")

    steps = ["statistics\nof each leaf", "add blocks,\nin order", "pool\nby key", "estimate,\nassemble", "next\nmodel"]
    ys = [6.9, 5.6, 4.3, 3.0, 1.7]
    for step, y in zip(steps, ys, strict=True):
        box(ax, 14.6, y, 1.45, step, "#e8f2e4", 0.75)
    for above, below in pairwise(ys):
        arrow(ax, (14.6, above - 0.42), (14.6, below + 0.42), "0.35")
    ax.text(14.6, 7.65, "then", ha="center", fontsize=10, color="0.3")

    figure.savefig(Path(__file__).with_name("walk.png"), dpi=110, bbox_inches="tight", pad_inches=0.05)


if __name__ == "__main__":
    main()
