"""A model as a picture of its tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dmlcore.core.declared import Declared
from dmlcore.core.tree import Outline, outline
from dmlcore.plot.axes import axes_or_new

MAX_BOXES = 60
LETTERS = 34  # of one line in a box
LETTER, LINE = 0.615, 1.5  # width of a letter and height of a line, in font sizes
SIZE = 9.0  # points, where there is room
GAP = 4  # letters between columns


@dataclass
class _Box:
    lines: list[str]
    place: str
    depth: int
    y: float
    children: list[_Box]

    @property
    def width(self) -> int:
        return max(map(len, self.lines)) + 1


def tree(model: Declared, *, ax: Any = None) -> Any:
    """The nodes of a distribution or an estimator as boxes, children to the right of their parent, mixing weights on the branches.

    Shows at most 60 nodes, as `summary()` does; letters are made as small as the axes ask for. Returns the axes.
    """
    boxes: list[_Box] = []
    rows = [0.0]
    root = _placed(outline(model, MAX_BOXES), 0, rows, boxes)
    depth = 1 + max(box.depth for box in boxes)
    widths = [max(box.width for box in boxes if box.depth == level) for level in range(depth)]
    branches = [max((len(box.place) for box in boxes if box.depth == level), default=0) + GAP for level in range(1, depth)] + [0]
    lefts = [sum(widths[:level]) + sum(branches[:level]) for level in range(depth)]
    across, down = lefts[-1] + widths[-1] + 1, rows[0]
    if ax is None:
        ax = axes_or_new(None, (max(3.0, across * LETTER * SIZE / 72 + 0.1), max(1.0, down * LINE * SIZE / 72 + 0.1)))
        ax.figure.set_layout_engine("none")
        ax.set_position((0, 0, 1, 1))
    box = ax.get_window_extent()
    points = 72 / ax.figure.dpi
    font = min(SIZE, 0.97 * box.width * points / (across * LETTER), 0.97 * box.height * points / (down * LINE))
    ax.set(xlim=(-0.5, across), ylim=(down, -0.1))
    ax.axis("off")
    _draw(ax, root, lefts, widths, font)
    return ax


def _placed(node: Outline, depth: int, rows: list[float], boxes: list[_Box]) -> _Box:
    """The box of a node, beside the middle of its children; `rows[0]` is the height used so far, in lines."""
    values = [f"{field}={text}" for field, text in node.parameters]
    heading = f"{node.family} ({node.note})" if node.note else node.family
    lines = [_cut(heading), *([_cut(", ".join(values))] if values else [])]
    children = [_placed(child, depth + 1, rows, boxes) for child in node.children]
    if node.more:
        children.append(_Box([f"… {node.more} more"], "", depth + 1, rows[0] + 0.7, []))
        boxes.append(children[-1])
        rows[0] += 1.6
    if children:
        y = (children[0].y + children[-1].y) / 2
    else:
        y = rows[0] + len(lines) / 2 + 0.2
        rows[0] += len(lines) + 0.7
    boxes.append(_Box(lines, node.place, depth, y, children))
    return boxes[-1]


def _draw(ax: Any, box: _Box, lefts: list[int], widths: list[int], font: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    left, height = lefts[box.depth], len(box.lines) + 0.1
    right = left + box.width
    for child in box.children:
        start = lefts[child.depth]
        elbow = lefts[box.depth] + widths[box.depth] + 1.2
        ax.plot([right, elbow, elbow, start], [box.y, box.y, child.y, child.y], color="0.6", linewidth=0.9, zorder=1)
        if child.place:
            style: Any = {"ha": "center", "va": "center", "color": "0.25", "family": "monospace", "parse_math": False}
            behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            ax.text((elbow + start) / 2 + 0.3, child.y, child.place, fontsize=0.9 * font, bbox=behind, zorder=2, **style)
        _draw(ax, child, lefts, widths, font)
    shape: Any = {"boxstyle": "round,pad=0,rounding_size=0.4", "facecolor": "#eef3fa", "edgecolor": "0.55", "linewidth": 0.8}
    ax.add_patch(FancyBboxPatch((left, box.y - height / 2), box.width, height, mutation_aspect=1.0, zorder=3, **shape))
    style = {"ha": "left", "va": "center", "family": "monospace", "zorder": 4, "parse_math": False}
    for i, line in enumerate(box.lines):
        y = box.y + i - (len(box.lines) - 1) / 2
        colour, weight = ("0.1", "bold") if i == 0 else ("0.25", "normal")
        ax.text(left + 0.5, y, line, fontsize=font, color=colour, weight=weight, **style)


def _cut(text: str) -> str:
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"
