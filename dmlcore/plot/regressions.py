"""What a mixture of regressions found, component by component: coefficients, residuals, and how surely rows belong."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.plot.axes import as_written, axes_or_new, colours, legend, matplotlib, plain_axes

LEAST_SHOWN = 1e-4  # posterior probabilities below are left out of a rootogram, which they would fill
BINS_OF_POSTERIORS = 25
SURE_BAND = 2.0  # standard deviations, between which most residuals lie
FAINTEST_SHOWN = 0.02  # posterior probability below which a residual is not drawn


def coefficients(model: Any, *, response: str | None = None, level: float = 0.95, intercept: bool = True, ax: Any = None) -> Any:
    """The coefficients of each component with their intervals, term by term.

    model: a fitted `MixtureRegression`. response: of several, whose. level: of the intervals. intercept: whether it is among them; without,
    the slopes have the width of the picture. Returns the axes.
    """
    names = model.response_names_
    called = _place(names, response)
    suffix = f", {names[called]}" if len(names) > 1 else ""
    K = len(model.weights_)
    rows = [row for row in model.summary(level).rows if row["z"] is not None]
    own = [[row for row in rows if row["part"] == f"component {k}{suffix}"] for k in range(K)]
    terms = list(dict.fromkeys(row["term"] for part in own for row in part if intercept or row["term"] != "(intercept)"))
    ax = plain_axes(axes_or_new(ax, (6.0, 1.2 + (0.16 * K + 0.14) * len(terms))))
    ax.axvline(0.0, color="0.6", linewidth=1, linestyle="--")
    for k, (part, colour) in enumerate(zip(own, colours(K), strict=True)):
        there = [row for row in part if row["term"] in terms]
        y = np.array([terms.index(row["term"]) for row in there]) + 0.7 * ((k + 0.5) / K - 0.5)
        middle, low, high = (np.array([row[key] for row in there], dtype=np.float64) for key in ("estimate", "low", "high"))
        ax.hlines(y, low, high, color=colour, linewidth=2)
        ax.plot(middle, y, "o", color=colour, markersize=5, label=f"component {k} ({model.weights_[k]:.0%})")
    ax.set_yticks(np.arange(len(terms)), [as_written(term) for term in terms])
    of = f" of {as_written(names[called])}" if len(names) > 1 else ""
    ax.set(ylim=(len(terms) - 0.5, -0.5), xlabel=f"coefficient{of}, {100 * level:.4g}% interval")
    legend(ax)
    return ax


def residuals(model: Any, *, response: str | None = None, axes: Any = None) -> Any:
    """Residuals of the rows of the fit in each component, in units of its standard deviation, against its mean: a panel for each.

    A row is drawn in every component as dark as it is probable there, so that no row is given to the component that happens to suit it.
    model: a fitted `MixtureRegression`. axes: one for each component. Returns them as an array. Raises `ParameterError`.
    """
    j = _place(model.response_names_, response)
    means, scaled = (np.reshape(part, (*np.shape(part)[:2], -1))[:, :, j] for part in (model.fitted_means(), model.residuals()))
    panels = _panels(len(model.weights_), axes)
    reach = max(3.0, 1.05 * float(np.abs(scaled[model.posterior_ > 0.5]).max(initial=0.0)))
    for k, (ax, colour) in enumerate(zip(panels, colours(len(panels)), strict=True)):
        share = model.posterior_[:, k]
        there = (share >= FAINTEST_SHOWN) & np.isfinite(scaled[:, k])
        ax.axhspan(-SURE_BAND, SURE_BAND, color="0.94", linewidth=0)
        ax.axhline(0.0, color="0.6", linewidth=0.8)
        ax.scatter(means[there, k], scaled[there, k], s=10, color=colour, alpha=np.minimum(share[there], 0.8), linewidths=0)
        ax.set(ylim=(-reach, reach), xlabel="mean of the component")
        ax.set_title(f"component {k} ({model.weights_[k]:.0%})", fontsize="small")
    panels[0].set_ylabel("residual / standard deviation")
    return panels


def rootogram(model: Any, *, axes: Any = None) -> Any:
    """How surely the rows of the fit belong to each component: a histogram of posterior probabilities, a panel for each.

    Heights are square roots of counts, so that few rows are seen beside many. Posteriors of nearly zero are left out. Peaks at one, and
    little between, are components that are apart. model: a fitted `MixtureRegression`. axes: one for each component. Returns them.
    """
    panels = _panels(len(model.weights_), axes)
    edges = np.linspace(0.0, 1.0, BINS_OF_POSTERIORS + 1)
    for k, (ax, colour) in enumerate(zip(panels, colours(len(panels)), strict=True)):
        share = model.posterior_[:, k]
        counts = np.histogram(share[share >= LEAST_SHOWN], edges)[0]
        ax.bar(edges[:-1], np.sqrt(counts), np.diff(edges), align="edge", color=colour, edgecolor="white", linewidth=0.4)
        ax.set(xlim=(0, 1), xlabel="posterior probability")
        ax.set_title(f"component {k} ({model.weights_[k]:.0%})", fontsize="small")
    top = max(ax.get_ylim()[1] for ax in panels)
    ticks = _round_counts(top**2)
    for ax in panels:
        ax.set(ylim=(0, top))
        ax.set_yticks(np.sqrt(ticks), [f"{tick:g}" for tick in ticks])
    panels[0].set_ylabel("rows (square root)")
    return panels


def _round_counts(most: float) -> list[float]:
    """Round numbers from 0 to the most whose square roots are far enough apart to be read."""
    out = [0.0]
    for tick in (digit * 10.0**power for power in range(9) for digit in (1, 2, 5)):
        if tick <= most and np.sqrt(tick) - np.sqrt(out[-1]) > np.sqrt(most) / 8:
            out.append(tick)
    return out


def _place(names: tuple[str, ...], response: str | None) -> int:
    """Which response is meant."""
    if response is None:
        return 0
    if response not in names:
        raise ParameterError(f"there is no response {response!r}; there are {', '.join(names)}")
    return names.index(response)


def _panels(count: int, axes: Any) -> np.ndarray:
    """Axes side by side, of a new figure unless they are given."""
    if axes is None:
        axes = matplotlib().subplots(1, count, figsize=(1.2 + 2.6 * count, 3.0), layout="constrained", sharey=True, squeeze=False)[1][0]
    panels = np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
    if len(panels) != count:
        raise ParameterError(f"axes must be one for each of {count} components, got {len(panels)}")
    return np.array([plain_axes(ax) for ax in panels], dtype=object)
