"""Synthetic data beside the real data: one column, and the dependence of all pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.plot.axes import GREY, as_written, axes_or_new, legend, plain_axes

COLOURS = GREY, "C0"
BINS = 40  # at most
OWN_BARS = 25  # whole numbers up to which each has bars of its own
BARS = 12  # labels shown, the most frequent ones
NAMED = 3  # pairs that the legend names


def compared(report: Any, column: str, *, ax: Any = None) -> Any:
    """One column of two tables, such as real and synthetic: densities of numbers, shares of labels (and of missing values).

    report: what `compare` returned, or `Imputation.compared()`: observed and imputed values. column: its name. Infinite numbers are
    left out. Returns the axes. Raises `StructureError` for a column that is not there.
    """
    found = {side.name: side for side in report.columns}
    if column not in found:
        raise StructureError(f"there is no column {column!r} in this comparison; there are {', '.join(map(str, found))}")
    own, ax = found[column], plain_axes(axes_or_new(ax, (4.6, 3.2)))
    gone = [float(np.isnan(side).mean()) for side in own.sides]
    there = [side[np.isfinite(side)] for side in own.sides]
    values = np.unique(np.concatenate(there))
    whole = own.number and len(values) <= OWN_BARS and bool((values == np.round(values)).all())
    if own.number and not whole:
        _densities(ax, report.sides, there, gone)
    else:
        _shares(ax, own, report.sides, values, there, gone)
    cut = f" ({BARS} most frequent of {len(values)} labels)" * (own.what == "label" and len(values) > BARS)
    ax.set_xlabel(as_written("length of " * (own.what == "length") + str(column) + cut))
    legend(ax)
    return ax


def _densities(ax: Any, sides: tuple[str, str], there: list[np.ndarray], gone: list[float]) -> None:
    """Histograms with the same bins, about 2 n^(1/3) of them (Rice's rule) for the smaller of the tables."""
    both = np.concatenate([*there, [] if any(map(len, there)) else [0.0]])
    low, high = both.min(), both.max()
    if high - low <= 1e-9 * max(-low, high):  # one value, or nearly
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    count = 2 * min((len(x) for x in there if len(x)), default=1) ** (1 / 3)
    edges = np.linspace(low, high, int(np.clip(count, 10, BINS)) + 1)
    for name, colour, x, missing in zip(sides, COLOURS, there, gone, strict=True):
        label = name + f" ({missing:.0%} missing)" * any(gone)
        if len(x):
            filled = name == sides[0]
            ax.hist(x, edges, density=True, histtype="stepfilled" if filled else "step", color=colour, linewidth=1.8, label=label)
    ax.set_ylabel("density")


def _shares(ax: Any, own: Any, sides: tuple[str, str], values: np.ndarray, there: list[np.ndarray], gone: list[float]) -> None:
    """Two bars for each value, and for missing ones; of labels, the most frequent."""
    shares = [np.array([(side == v).sum() for v in values]) / max(len(full), 1) for side, full in zip(there, own.sides, strict=True)]
    order = np.arange(len(values)) if own.number else np.argsort(-shares[0] - shares[1], kind="stable")[:BARS]
    names = [f"{values[i]:.15g}" if own.number else str(own.labels[int(values[i])])[:16] for i in order]
    heights = [share[order] for share in shares]
    if any(gone):
        names, heights = [*names, "missing"], [np.append(side, missing) for side, missing in zip(heights, gone, strict=True)]
    x = np.arange(len(names))
    for name, colour, height, shift in zip(sides, COLOURS, heights, (-0.2, 0.2), strict=True):
        ax.bar(x + shift, height, 0.4, color=colour, label=name)
    crowded = sum(len(name) + 1 for name in names) > 42
    ax.set_xticks(x, names, rotation=35 if crowded else 0, ha="right" if crowded else "center", parse_math=False)
    ax.set_ylabel("share")


def dependence(report: Any, *, ax: Any = None) -> Any:
    """The dependence of each pair of columns, synthetic against real; pairs on the diagonal are as dependent as they should be.

    report: what `compare` returned; the measures are those of `Pair`. The legend names the pairs farthest off. Returns the axes. Raises
    `StructureError` where there is one column only.
    """
    if not report.pairs:
        raise StructureError("a table of one column has no pairs to show")
    ax = plain_axes(axes_or_new(ax, (4.8, 4.4)))
    real, synthetic = np.array([(pair.real, pair.synthetic) for pair in report.pairs]).T
    low = min(0.0, real.min(), synthetic.min()) - 0.05
    ax.plot([low, 1.05], [low, 1.05], color="0.6", linewidth=1, linestyle="--")
    farthest = sorted(report.pairs, key=lambda pair: -pair.gap)[:NAMED]
    ax.plot(real, synthetic, "o", color="C0", alpha=0.6, markersize=6, markeredgewidth=0)
    for i, pair in enumerate(farthest):
        name = " and ".join(as_written(str(name)) for name in pair.names)
        ax.plot(pair.real, pair.synthetic, "o", color=f"C{i + 1}", markersize=7, label=name)
    legend(ax, "farthest off")
    ax.set(xlim=(low, 1.05), ylim=(low, 1.05), xlabel="dependence in the real data", ylabel="in the synthetic data", aspect="equal")
    return ax
