"""Numbers about fits: their course, criteria for choosing among them, and intervals of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.plot.axes import axes_or_new, legend, plain_axes, whole_numbers


def history(fit: Any, *, remaining: bool = False, ax: Any = None) -> Any:
    """The log likelihood after each step of a fit; with a prior also the objective, to which the log prior is added.

    fit: the record that `dmlcore.fit` returns. remaining: shows on a log scale how far each step was below the best, which tells more
    where the first steps gain most. Returns the axes.
    """
    ax = plain_axes(axes_or_new(ax, (6.0, 3.8)))
    values, objective = np.asarray(fit.history), np.asarray(fit.objective)
    lines = [("log likelihood", values, "C0")]
    if not np.array_equal(values, objective):
        lines.append(("objective" if fit.assign == "hard" else "with the log prior", objective, "C1"))
    for name, line, colour in lines:
        shown = np.where(line < line.max(), line.max() - line, np.nan) if remaining else line
        ax.plot(np.arange(len(line)), shown, "o-" if len(line) <= 40 else "-", color=colour, markersize=3.5, linewidth=1.4, label=name)
    if remaining:
        ax.set_yscale("log")
    ax.set(xlabel="EM step", ylabel="below the best log likelihood" if remaining else "log likelihood")
    ax.set_title(f"{fit.status} after {fit.iterations} steps: {values[-1]:,.2f}", fontsize="small")
    whole_numbers(ax)
    if not remaining:
        ax.yaxis.set_major_formatter("{x:,.6g}")
    if len(lines) > 1:
        ax.legend(frameon=False, fontsize="small")  # within: above stands the title
    return ax


def criteria(values: Any, *, name: str = "BIC", label: str = "components", ax: Any = None) -> Any:
    """An information criterion against the number of components (or another size); the least value is marked.

    values: `(k, value)` pairs, or a mapping from the names of several criteria to such pairs. label: what k counts. Returns the axes.
    """
    curves = dict(values) if isinstance(values, Mapping) else {name: values}
    ax = plain_axes(axes_or_new(ax, (6.0, 3.8)))
    for i, (which, pairs) in enumerate(curves.items()):
        k, value = np.array(sorted(pairs), dtype=np.float64).reshape(-1, 2).T
        if not np.isfinite(value).any():
            raise StructureError(f"{which}: has no finite value to show")
        best = int(np.nanargmin(value))
        ax.plot(k, value, "o-", color=f"C{i}", markersize=4.5, linewidth=1.4, label=f"{which}, least at {k[best]:g}")
        ax.plot(k[best], value[best], "o", color=f"C{i}", markersize=11, fillstyle="none", markeredgewidth=1.6)
    ax.set(xlabel=label, ylabel=f"{next(iter(curves)) if len(curves) == 1 else 'criterion'} (smaller is better)")
    whole_numbers(ax)
    ax.yaxis.set_major_formatter("{x:,.6g}")
    legend(ax)
    return ax


def intervals(
    names: Sequence[str],
    estimates: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    *,
    reference: float | None = None,
    label: str = "estimate and interval",
    ax: Any = None,
) -> Any:
    """Parameters with their intervals, the first on top.

    names, estimates, lows, highs: one entry per parameter, in one unit. reference: a value to compare with, drawn as a line. label: what
    the axis says, with the unit. Returns the axes. Raises `StructureError` where the lengths differ or an interval is upside down.
    """
    low, middle, high = (np.asarray(part, dtype=np.float64) for part in (lows, estimates, highs))
    if not len(names) == len(low) == len(middle) == len(high):
        raise StructureError(
            f"names, estimates, lows and highs must be equally many, got {len(names)}, {len(middle)}, {len(low)}, {len(high)}"
        )
    upside_down = [i for i in range(len(low)) if not low[i] <= high[i]]
    if upside_down:
        i = upside_down[0]
        raise StructureError(f"the interval of {names[i]!r} must have low <= high, got {low[i]} and {high[i]}")
    ax = plain_axes(axes_or_new(ax, (6.0, 1.0 + 0.32 * len(names))))
    y = np.arange(len(names))
    if reference is not None:
        ax.axvline(reference, color="0.6", linewidth=1, linestyle="--")
    ax.hlines(y, low, high, color="C0", linewidth=2)
    ax.plot(middle, y, "o", color="C0", markersize=5.5)
    ax.set_yticks(y, [str(name) for name in names], parse_math=False)
    ax.set(ylim=(len(names) - 0.5, -0.5), xlabel=label)
    return ax
