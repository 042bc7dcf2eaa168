"""Draws house.png, the floors of the package as pyproject.toml holds them: `python docs/design/draw_house.py`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
SAYS = {
    "cli": "the command line",
    "demo": "an example, from a table to pictures",
    "reporting": "one page about a model and its data",
    "utils": "names of DMLearn",
    "datasets": "small tables",
    "sklearn": "estimators for scikit-learn",
    "imputation": "gaps filled without a model of one's own",
    "regression": "mixtures of regressions",
    "proposal": "a model for a table",
    "selection": "how many, which",
    "plot": "pictures",
    "inference": "what a model says: given, probable, how sure",
    "fitting": "starts, steps, stopping",
    "stats": "the catalogue of families",
    "io": "models and tables in files",
    "core": "trees, the two walks, statistics, keys, stacks",
    "engines": "who works on the rows, and where they are",
    "data": "rows into columns",
    "kernels": "the few compiled loops",
    "base": "errors, domains, numbers, threads",
}


def main() -> None:
    contracts = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    floors = next(contract for contract in contracts if contract["type"] == "layers")["layers"]
    floors = [[room.strip() for room in floor.split("|")] for floor in floors if not floor.startswith("_")]
    figure, ax = plt.subplots(figsize=(9, 0.46 * len(floors) + 0.5))
    for height, rooms in enumerate(reversed(floors)):
        for place, room in enumerate(rooms):
            width = 10 / len(rooms)
            ax.add_patch(plt.Rectangle((place * width, height), width, 0.86, facecolor="#fff6df", edgecolor="0.35"))
            ax.text(place * width + 0.15, height + 0.43, room, va="center", fontsize=10, weight="bold")
            ax.text(place * width + 1.75, height + 0.43, SAYS[room], va="center", fontsize=9)
    ax.annotate("", (10.5, 0.1), (10.5, len(floors) - 0.6), arrowprops={"arrowstyle": "-|>", "color": "#1f5fa8"})
    ax.text(10.5, len(floors) - 0.45, "imports", ha="center", color="#1f5fa8")
    ax.set(xlim=(-0.05, 11.2), ylim=(-0.1, len(floors)))
    ax.axis("off")
    figure.savefig(HERE / "house.png", dpi=100, bbox_inches="tight")


if __name__ == "__main__":
    main()
