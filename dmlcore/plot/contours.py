"""Two coordinates of Gaussian vectors, or of records with Gaussian fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.core.powers import JointlyNormal, has
from dmlcore.core.row_columns import column_place, row_columns
from dmlcore.data.layouts import Vector
from dmlcore.data.record_layouts import Fields
from dmlcore.data.values import is_missing
from dmlcore.plot.axes import (
    GREY,
    MAX_LEGEND,
    as_written,
    axes_or_new,
    colours,
    column,
    common_name,
    component_names,
    field_name,
    is_mixture,
    legend,
    plain_axes,
)


def contours(
    model: Any,
    data: Any = None,
    *,
    fields: tuple[int | str, int | str] = (0, 1),
    levels: tuple[float, ...] = (0.5, 0.95),
    labels: tuple[str, str] | None = None,
    ax: Any = None,
) -> Any:
    """Ellipses that hold shares `levels` of the mass of a Gaussian, or of each component of a mixture, in the plane of two coordinates.

    model: a law of Gaussian vectors, of records whose two fields are Gaussian (or may be missing), or a mixture of such. data:
    observations, each coloured by its most probable component. labels: what the axes say, with units. Returns the axes. Raises
    `StructureError` for other laws.
    """
    parts = list(model.components) if is_mixture(model) else [model]
    w = model.w if is_mixture(model) else [1.0]
    known = isinstance(model.layout, (Vector, Fields))
    places: Any = tuple(column_place(model.layout, field) for field in fields) if known else fields
    planes = [_plane(part, places) for part in parts]
    ax = plain_axes(axes_or_new(ax, (5.6, 4.8)))
    palette = colours(len(parts))
    if data is not None:
        _scatter(ax, model, data, places, palette)
    names = component_names(parts, w) if len(parts) > 1 else [as_written(model.name or model.family_name())]
    circle = np.array([np.cos(turn := np.linspace(0, 2 * np.pi, 181)), np.sin(turn)])
    for (mean, covar), name, colour, weight in zip(planes, names, palette, w, strict=True):
        if weight == 0:
            continue
        values, vectors = np.linalg.eigh(covar)
        axes = vectors * np.sqrt(np.maximum(values, 0.0))
        for i, share in enumerate(sorted(levels)):
            x, y = mean[:, None] + np.sqrt(-2 * np.log1p(-share)) * axes @ circle
            first = name if i == 0 and len(parts) <= MAX_LEGEND else None
            ax.plot(x, y, color=colour, linewidth=1.6, alpha=1 - 0.45 * i / len(levels), label=first)
        ax.plot(*mean, marker="+", color=colour, markersize=9, markeredgewidth=2)
    found = labels or tuple(_axis_name(model, j) for j in places)
    shares = " and ".join(f"{share:.0%}" for share in sorted(levels))
    ax.set(xlabel=found[0], ylabel=found[1])
    legend(ax, f"ellipses hold {shares} of {'each component' if len(parts) > 1 else 'the mass'}")
    return ax


def _plane(law: Any, fields: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Mean `(2,)` and covariance `(2, 2)` of two coordinates."""
    need = f"{law.label}: contours() is of Gaussian vectors, or of records with two Gaussian fields"
    if not has(law, JointlyNormal) or not isinstance(law.layout, (Vector, Fields)):
        raise StructureError(need)
    try:
        return law.normal_of(fields)  # type: ignore[no-any-return]
    except StructureError as error:
        raise StructureError(need) from error


def _scatter(ax: Any, model: Any, data: Any, fields: Sequence[int], palette: list[Any]) -> None:
    """The rows whose two coordinates are there."""
    xs, ys = (column(data, model.layout, j) for j in fields)
    there = [k for k, pair in enumerate(zip(xs, ys, strict=True)) if not any(map(is_missing, pair))]
    if not there:
        return
    colour: Any = GREY
    if is_mixture(model):
        which = model.seq_posterior(data)[there].argmax(axis=1)
        colour = [palette[k] for k in which]
    style = {"s": max(4.0, min(22.0, 4000 / len(there))), "alpha": 0.45, "linewidths": 0}
    ax.scatter([float(xs[k]) for k in there], [float(ys[k]) for k in there], c=colour, **style)


def _axis_name(model: Any, j: int) -> str:
    """The name of a field, where the model's nodes have one."""
    parts = model.components if is_mixture(model) else [model]
    names = {common_name(part.children()[row_columns(part.layout)[j].path[0]]) for part in parts if isinstance(part.layout, Fields)}
    only = names.pop() if len(names) == 1 else None
    only = field_name(model.layout, j) or only
    return only or (f"field {j}" if isinstance(parts[0].layout, Fields) else f"coordinate {j}")
