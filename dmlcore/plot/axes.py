"""What the plots share: axes to draw on, colours, legends, and the names of things."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.base.extras import library
from dmlcore.core.nodes import distinct_nodes
from dmlcore.core.powers import HasClasses, Mixing, has
from dmlcore.core.row_columns import row_columns
from dmlcore.data.frames import Columns, is_frame
from dmlcore.data.values import listed

LONGEST_NAME = 40  # letters
MAX_LEGEND = 8  # components that a legend names one by one
GREY = "0.82"


def axes_or_new(ax: Any, size: tuple[float, float] | None = None) -> Any:
    """The axes given, or those of a new figure. Raises `LibraryError` with the remedy where matplotlib is missing."""
    if ax is not None:
        return ax
    return matplotlib().subplots(figsize=size, layout="constrained")[1]


def matplotlib() -> Any:
    """Its drawing module. Plots that work long before they draw ask for it first. Raises `LibraryError`."""
    return library("matplotlib.pyplot", "plots need")


def plain_axes(ax: Any) -> Any:
    """Without the frame's right and upper lines."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def whole_numbers(ax: Any) -> None:
    """Marks only whole numbers along x."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def colours(count: int) -> list[Any]:
    """As many colours that can be told apart as there are."""
    if count <= 10:
        return [f"C{k}" for k in range(count)]
    return list(library("matplotlib", "plots need").colormaps["turbo"](np.linspace(0.05, 0.95, count)))


def legend(ax: Any, title: str | None = None) -> None:
    """A legend above the axes, where it hides nothing, in as many columns as fit; data first and totals last."""
    handles, names = ax.get_legend_handles_labels()
    if not names:
        return
    order = sorted(range(len(names)), key=lambda i: (names[i] != "data", names[i].startswith("total")))
    points = ax.get_window_extent().width * 72 / ax.figure.dpi
    columns = max(1, int(points / (4.4 * max(map(len, names)) + 30)))
    ax.legend(
        [handles[i] for i in order],
        [names[i] for i in order],
        title=title,
        ncols=min(columns, len(names)),
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        frameon=False,
        fontsize="small",
        title_fontsize="small",
        alignment="left",
        columnspacing=1.2,
        handlelength=1.4,
        borderaxespad=0.3,
    )


def component_names(components: Any, w: Any = None) -> list[str]:
    """What legends call the components of a mixture: their own names if all differ, otherwise their numbers; and their weights, if any."""
    own = [component.name for component in components]
    names = own if None not in own and len(set(own)) == len(own) else [f"component {k}" for k in range(len(own))]
    weights = ["" if w is None else f" ({weight:.0%})" for weight in (names if w is None else w)]
    return [as_written(name) + weight for name, weight in zip(names, weights, strict=True)]


def as_written(text: str) -> str:
    """Text that leaves room for a picture, and whose dollar signs are no mathematics."""
    text = text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
    return text.replace("$", r"\$")


def common_name(law: Any) -> str | None:
    """The one name that nodes of a law carry, such as that of a field; None if there are several or none."""
    names = {node.name for node in distinct_nodes(law) if node.name}
    return as_written(names.pop()) if len(names) == 1 else None


def posteriors(model: Any, data: Any) -> np.ndarray:
    """Posterior probabilities `(n, K)` of the components. Raises `StructureError` for a model without components."""
    if not has(model, HasClasses):
        raise StructureError(f"{model.label}: has no components, so there are no posteriors to show; need a mixture")
    matplotlib()
    posterior = np.asarray(model.seq_posterior(data))
    return posterior.reshape(len(posterior), -1)


def column(data: Any, layout: Any, place: int | None) -> list[Any]:
    """The values of one of the columns that a layout reads, of records (rows, mappings or a data frame) or vectors; without a place, the
    data themselves."""
    names, data = getattr(layout, "names", None), listed(data)
    if is_frame(data):
        table = Columns(data)
        if place is not None and names is not None:
            return list(table.column(names[place]))
        return list(table.plain(place or 0)) if place is not None or len(table.names) == 1 else table.rows()
    if place is None:
        return list(data)
    chosen = row_columns(layout)[place]
    return [chosen.value(row if names is None else layout.entries(row)) for row in data]


def field_name(layout: Any, place: int) -> str | None:
    """The name that a column of records has, if it has one."""
    names = getattr(layout, "names", None)
    return None if names is None else as_written(names[place])


def is_mixture(law: Any) -> bool:
    return has(law, Mixing)
