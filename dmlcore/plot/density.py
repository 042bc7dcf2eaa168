"""The density of a number, a count or a label, over data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.core.distribution import as_values
from dmlcore.core.row_columns import column_place, row_columns
from dmlcore.core.words import present
from dmlcore.data.layouts import Count, Labels, Layout, Maybe, Real, Vector
from dmlcore.data.record_layouts import Fields
from dmlcore.data.times import Times
from dmlcore.data.values import is_missing
from dmlcore.inference.condition import marginal
from dmlcore.plot.axes import (
    GREY,
    MAX_LEGEND,
    axes_or_new,
    colours,
    column,
    common_name,
    component_names,
    field_name,
    is_mixture,
    legend,
    matplotlib,
    plain_axes,
    whole_numbers,
)
from dmlcore.stats.latent.summaries import in_numbers

DRAWS = 4000  # to find where a law has its mass
OUTSIDE = 0.001  # of the mass may lie outside the picture, on each side
POINTS = 600
MAX_BINS = 80
MAX_BARS = 60  # more whole numbers than this are drawn as steps
MAX_LABELS = 20
MAX_COLUMNS, ACROSS = 12, 3  # of one figure, in so many columns
DRAWABLE = (Real, Count, Labels, Times)


def density(
    model: Any, data: Any = None, *, field: int | str | None = None, components: bool = True, label: str | None = None, ax: Any = None
) -> Any:
    """The density of a law of a number, or the probabilities of counts or labels, over a histogram of data.

    model: a law of one number, time, count or label, which may be missing (the picture is of the values that are there); or of records,
    with `field` saying which, by position or name. data: observations of the model. components: whether a mixture's components are drawn
    as well, each times its weight. label: what the axis says, with its unit. Returns the axes. Raises `StructureError` for other
    observations.
    """
    place = None if field is None else column_place(model.layout, field)
    law, missing = present(model if place is None else marginal(model, row_columns(model.layout)[place].key))
    values = None if data is None else column(data, model.layout, place)
    there = None if values is None else [value for value in values if not _absent(value, missing)]
    ax = plain_axes(axes_or_new(ax))
    scale, law = in_numbers(law)
    if scale is not None:
        there = there and scale.number(there).tolist()
        ax.xaxis.set_major_formatter(lambda x, place: str(scale.time(x)).removesuffix(" 00:00:00"))
        ax.tick_params("x", rotation=30)
    draw = next((how for kind, how in _HOW.items() if isinstance(law.layout, kind)), None)
    if draw is None:
        raise StructureError(f"{law.label}: density() is of one number, time, count or label; give field=, or use contours() for vectors")
    parts = []
    if components and is_mixture(law) and law.num_components > 1:
        parts = list(zip(law.components, law.w, component_names(law.components, law.w), colours(law.num_components), strict=True))
        parts = [part for part in parts if part[1] > 0]
    note = draw(ax, law, parts, there)
    name = label or common_name(law) or ("value" if place is None else field_name(model.layout, place) or f"field {place}")
    ax.set(xlabel=name + note, ylabel="density" if draw is _curve else "probability")
    legend(ax)
    return ax


def columns(model: Any, data: Any = None, *, fields: Sequence[int | str] | None = None, components: bool = True) -> Any:
    """The law of each column of a model of records, as `density` draws it, side by side in a new figure; of single values the one there is.

    fields: which columns, by position or name (default: the first twelve that hold numbers, times, counts or labels). data, components: as
    of `density`. Returns the axes `(columns,)`. Raises `StructureError` where nothing can be drawn so.
    """
    names = _drawn(model) if fields is None else list(fields)
    if not names:
        raise StructureError(f"{model.label}: has no columns of numbers, times, counts or labels; dmlcore.plot draws others")
    across = min(len(names), ACROSS)
    down = -(-len(names) // across)
    grid = matplotlib().subplots(down, across, figsize=(4.4 * across, 3.2 * down), layout="constrained", squeeze=False)[1].ravel()
    for ax, field in zip(grid, names, strict=False):
        density(model, data, field=field, components=components, ax=ax)
    for ax in grid[len(names) :]:
        ax.remove()
    return grid[: len(names)]


def _drawn(model: Any) -> list[Any]:
    """The columns of a model that `density` draws: their positions; None for single values."""
    if not isinstance(model.layout, (Fields, Vector)):
        return [None] if isinstance(_inner(model.layout), DRAWABLE) else []
    return [j for j, column in enumerate(row_columns(model.layout)) if isinstance(_inner(column.layout), DRAWABLE)][:MAX_COLUMNS]


def _inner(layout: Any) -> Any:
    return layout.value if isinstance(layout, Maybe) else layout


def _absent(value: Any, missing: tuple[Any, ...]) -> bool:
    return bool(missing) and (is_missing(value) or value in missing)


# -- numbers -----------------------------------------------------------------------------------------------------------


def _curve(ax: Any, law: Any, parts: list[Any], values: list[Any] | None) -> str:
    tallest = np.inf
    if values:
        x = np.asarray(values, dtype=np.float64)
        x = x[np.isfinite(x)]
        edges = np.histogram_bin_edges(x, "auto")
        edges = edges if len(edges) <= MAX_BINS else np.linspace(edges[0], edges[-1], MAX_BINS + 1)
        heights = ax.hist(x, edges, density=True, color=GREY, label="data")[0]
        tallest = heights.max()
    grid = _grid(law, parts, values)
    for part, weight, name, colour in parts:
        curve = weight * np.exp(part.seq_log_density(grid))
        ax.fill_between(grid, curve, color=colour, alpha=0.12, linewidth=0)
        ax.plot(grid, curve, color=colour, linewidth=1.3, label=name if len(parts) <= MAX_LEGEND else None)
    total = np.exp(law.seq_log_density(grid))
    spike = total.max() > 3 * tallest  # it would flatten the rest
    name = ("total" if parts else "model") + f" (reaches {total.max():.3g})" * bool(spike)
    ax.plot(grid, total, color="0.15", linewidth=1.8, label=name)
    ax.set_ylim(0, 2 * tallest if spike else None)
    return ""


def _grid(law: Any, parts: list[Any], values: list[Any] | None) -> np.ndarray:
    """Points over the mass of the law and the data, dense where components are narrow."""
    low, high = _range(law, values)
    pad = 0.04 * (high - low) or 0.5
    own = [np.asarray(as_values(part.sample(200, rng=0)), dtype=np.float64) for part, *_ in parts]
    grid = np.unique(np.concatenate([np.linspace(low - pad, high + pad, POINTS), *own]))
    return grid[(grid >= low - pad) & (grid <= high + pad)]


def _range(law: Any, values: list[Any] | None) -> tuple[float, float]:
    draws = np.asarray(as_values(law.sample(DRAWS, rng=0)), dtype=np.float64)
    ends = list(np.quantile(draws, [OUTSIDE, 1 - OUTSIDE], method="nearest"))
    ends += [v for v in (min(values), max(values)) if np.isfinite(v)] if values else []
    return float(min(ends)), float(max(ends))


# -- counts and labels -------------------------------------------------------------------------------------------------


def _counts(ax: Any, law: Any, parts: list[Any], values: list[Any] | None) -> str:
    low, high = map(int, _range(law, values))
    x = np.arange(low, high + 1)
    _stacked(ax, law, parts, values, x, x.tolist())
    whole_numbers(ax)
    return ""


def _labels(ax: Any, law: Any, parts: list[Any], values: list[Any] | None) -> str:
    labels = list(dict.fromkeys([*_known(law), *(values or ())]))
    order = np.argsort(-law.seq_log_density(labels), kind="stable")[:MAX_LABELS]
    shown = [labels[i] for i in order]
    x = np.arange(len(shown))
    _stacked(ax, law, parts, values, x, shown)
    texts = [str(label) if len(str(label)) <= 16 else str(label)[:15] + "…" for label in shown]
    crowded = sum(map(len, texts)) > 50
    ax.set_xticks(x, texts, rotation=35 if crowded else 0, ha="right" if crowded else "center", parse_math=False)
    return f" ({len(shown)} most probable of {len(labels)} labels)" if len(labels) > len(shown) else ""


def _stacked(ax: Any, law: Any, parts: list[Any], values: list[Any] | None, x: np.ndarray, points: list[Any]) -> None:
    """Bars (steps, where they are many) of the components on top of each other, up to the total, and a dot for the data."""
    shares = [weight * np.exp(part.seq_log_density(points)) for part, weight, *_ in parts] or [np.exp(law.seq_log_density(points))]
    looks = [(name, colour) for *_, name, colour in parts] or [("model", "C0")]
    base = np.zeros(len(x))
    for share, (name, colour) in zip(shares, looks, strict=True):
        name = name if len(parts) <= MAX_LEGEND else None
        if len(x) > MAX_BARS:
            ax.fill_between(x, base, base + share, step="mid", color=colour, alpha=0.55, linewidth=0, label=name)
        else:
            ax.bar(x, share, 0.8, base, color=colour, alpha=0.55, label=name)
        base = base + share
    if values:
        ax.plot(x, _frequencies(values, points), "o", markersize=5 if len(x) <= MAX_BARS else 2, color="0.15", label="data")
    ax.set_ylim(bottom=0)


def _frequencies(values: list[Any], points: list[Any]) -> np.ndarray:
    places = {point: i for i, point in enumerate(points)}
    seen = [places[value] for value in values if value in places]
    return np.bincount(np.array(seen, dtype=np.intp), minlength=len(points)) / len(values)


def _known(law: Any) -> list[Any]:
    """The labels a law of labels knows."""
    inner = [label for child in law.children() for label in _known(child)]
    return [*inner, *getattr(law, "pmap", ())]


_HOW: dict[type[Layout], Any] = {Real: _curve, Count: _counts, Labels: _labels}
