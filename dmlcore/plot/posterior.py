"""What a mixture says about rows: which component, and how surely."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.plot.axes import MAX_LEGEND, axes_or_new, colours, component_names, legend, plain_axes, posteriors

MAX_ROWS = 2000  # of a picture; of more rows, evenly chosen ones are drawn


def responsibilities(model: Any, data: Any, *, ax: Any = None) -> Any:
    """The posterior probabilities of the components of each row, one column of the picture per row.

    Rows are ordered by their most probable component, the surest first. Returns the axes. Raises `StructureError` for a model without
    components, `SupportError` for a row without density.
    """
    posterior = posteriors(model, data)
    n, K = posterior.shape
    order = np.lexsort((-posterior.max(axis=1), posterior.argmax(axis=1)))
    rows = posterior[order[np.linspace(0, n - 1, min(n, MAX_ROWS)).astype(int)]]
    ax = plain_axes(axes_or_new(ax, (7.0, 3.6)))
    edges = np.linspace(0, n, len(rows) + 1)
    base = np.zeros(len(rows))
    for share, name, colour in zip(rows.T, _names(model, K), colours(K), strict=True):
        ax.stairs(base + share, edges, baseline=base, fill=True, color=colour, alpha=0.75, linewidth=0, label=name)
        base = base + share
    ax.set(xlim=(0, n), ylim=(0, 1), xlabel="rows, by most probable component, surest first", ylabel="posterior probability")
    if K <= MAX_LEGEND:
        legend(ax)
    else:
        ax.set_title(f"{K} components, in order", fontsize="small")
    return ax


def uncertainty(model: Any, data: Any, *, ax: Any = None, threshold: float = 0.1) -> Any:
    """How unsure the most probable component of each row is: 1 - its posterior probability, rows in increasing order.

    threshold: the uncertainty that the picture marks, with the share of rows above it. Returns the axes. Raises as `responsibilities`.
    """
    return uncertainty_of(posteriors(model, data), ax, threshold)


def uncertainty_of(posterior: np.ndarray, ax: Any = None, threshold: float = 0.1) -> Any:
    """`uncertainty`, of posterior probabilities `(n, K)` that are there already."""
    n = len(posterior)
    unsure = np.sort(1 - posterior.max(axis=1))
    share = np.arange(1, n + 1) / n
    ax = plain_axes(axes_or_new(ax, (6.0, 3.8)))
    ax.fill_between(share, unsure, color="C0", alpha=0.2, linewidth=0)
    ax.plot(share, unsure, color="C0", linewidth=1.8)
    above = float((unsure > threshold).mean())
    ax.axhline(threshold, color="0.4", linewidth=0.9, linestyle="--")
    top = max(1.08 * float(unsure[-1]), 1.6 * threshold)
    behind = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1}
    text = f"{above:.1%} of rows above {threshold:g}"
    ax.annotate(text, (0.02, threshold), (0, 5), textcoords="offset points", fontsize="small", bbox=behind)
    ax.set(xlim=(0, 1), ylim=(0, min(top, 1)), xlabel="share of rows, surest first", ylabel="1 - largest posterior")
    ax.xaxis.set_major_formatter(_percent())
    return ax


def _percent() -> Any:
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1.0)


def _names(model: Any, count: int) -> list[str]:
    parts = getattr(model, "components", None)
    if parts is not None and len(parts) == count:
        return component_names(parts, getattr(model, "w", None))
    return [f"state {k}" for k in range(count)]
