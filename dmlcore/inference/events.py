"""What is known of an observation, as ranges and sets of values in it say it; and of which two things are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError, shorten
from dmlcore.core.partial import MISSING, UNKNOWN, Known, Outcomes, Parts, partial
from dmlcore.data.encoded import encode
from dmlcore.data.intervals import Interval
from dmlcore.data.layouts import AnyKind, Count, Labels, Layout, Maybe, Real
from dmlcore.data.record_layouts import Fields
from dmlcore.data.times import Times
from dmlcore.data.values import is_row
from dmlcore.stats.latent.events import AnyOf, Between


def read_event(layout: Layout, x: Any, points: bool) -> Any:
    """One raw observation with ranges and sets in it, as `given` reads it. points: whether a number is the event that it is that."""
    return partial(layout, x, _points_too if points else outcomes, whole=False)


def collapsed(x: Any, layout: Any) -> Any:
    """The same, where each value of which all parts are known is one that is known."""
    if not isinstance(x, Parts):
        return x
    value = layout.value if isinstance(layout, Maybe) else layout
    inside = value.values if isinstance(value, Fields) else [getattr(value, "value", None)] * len(x.entries)
    entries = list(map(collapsed, x.entries, inside))
    if all(isinstance(entry, Known) for entry in entries):
        return Known([tuple(entry.values[0] for entry in entries)], layout=layout)
    return Parts(entries)


def outcomes(layout: Layout, x: Any) -> Outcomes | None:
    """A range or a set of values where one value is expected, or None."""
    if isinstance(x, Outcomes):
        return x
    if isinstance(layout, Maybe):
        return _of_maybe(layout, x)
    if isinstance(x, set) and isinstance(layout, (Real, Count, Labels, AnyKind, Times)):
        return AnyOf(tuple(x))
    ordered = isinstance(layout, (Real, Count, Times)) or (isinstance(layout, AnyKind) and Labels not in layout.read_by)
    if ordered and isinstance(x, (tuple, list)) and len(x) == 2:
        return _range(layout, *x)
    return None


def _of_maybe(layout: Maybe, x: Any) -> Outcomes | None:
    """Of a value that may be missing: a set may say so too."""
    if not isinstance(x, set) or not layout.value.single:
        return outcomes(layout.value, x)
    values = list(x)
    there = layout.present(values)
    inside = outcomes(layout.value, {value for value, present in zip(values, there, strict=True) if present})
    return None if inside is None else AnyOf(inside.values, missing=not there.all())  # type: ignore[attr-defined]


def _points_too(layout: Layout, x: Any) -> Outcomes | None:
    """The same; where laws may have a density, one value is an event too."""
    found = outcomes(layout, x)
    if found is not None or x is UNKNOWN:
        return found
    if isinstance(layout, Interval):
        return Between(*x) if is_row(x, 2) else Between(x, x)
    if isinstance(layout, Maybe):
        return _points_too(layout.value, x) if layout.present([x])[0] else None
    if isinstance(layout, (Real, AnyKind, Times)):
        encode([x], layout)  # raises where it is none of these
        return AnyOf((x,))
    return None


def _range(layout: Layout, low: Any, high: Any) -> Between:
    """A range. Raises `ParameterError` where its ends are in the wrong order or none of the values that the layout reads."""
    ends = [end for end in (low, high) if end is not None]
    if isinstance(layout, Times):
        encode(ends, layout)
    elif not all(isinstance(end, (int, float, np.integer, np.floating)) and not math.isnan(end) for end in ends):
        raise ParameterError(f"{layout.label}: a range is a pair (low, high) of numbers or None, got {shorten((low, high))}")
    if len(ends) == 2 and not low <= high:
        raise ParameterError(f"{layout.label}: a range needs low <= high, got {shorten((low, high))}")
    return Between(low, high)


# -- two at once -------------------------------------------------------------------------------------------------------


class Disjoint(Exception):
    """Two things that cannot both be."""


def both_of(x: Any, y: Any) -> Any:
    """What is known of an observation of which two things are known. Raises `Disjoint` where no value is like that."""
    if x is UNKNOWN or y is UNKNOWN:
        return y if x is UNKNOWN else x
    if isinstance(x, Parts) and isinstance(y, Parts):
        if len(x.entries) != len(y.entries):
            raise Disjoint
        return Parts(list(map(both_of, x.entries, y.entries)))
    if isinstance(x, Outcomes) and isinstance(y, Outcomes):
        return _intersection(x, y)
    if isinstance(y, Outcomes):
        x, y = y, x
    if isinstance(x, Outcomes):
        inside = x.missing if y is MISSING else isinstance(y, Known) and x.holds(y.values[0])  # type: ignore[attr-defined]
    else:
        inside = x is y or (isinstance(x, Known) and isinstance(y, Known) and bool(x.values[0] == y.values[0]))
    if not inside:
        raise Disjoint
    return y


def _intersection(x: Any, y: Any) -> Any:
    missing = x.missing and y.missing
    if isinstance(x, Between) and isinstance(y, Between):
        lows, highs = [end for end in (x.low, y.low) if end is not None], [end for end in (x.high, y.high) if end is not None]
        out = Between(max(lows, default=None), min(highs, default=None), missing)
        if out.low is not None and out.high is not None and not out.low <= out.high:
            raise Disjoint
        return out
    if isinstance(x, Between):
        x, y = y, x
    values = tuple(value for value in x.values if y.holds(value))
    if not values and not missing:
        raise Disjoint
    return AnyOf(values, missing)
