"""What is known of an observation, as ranges and sets of values in it say it; and of which two things are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, ParameterError, shorten
from dmlcore.core.partial import MISSING, UNKNOWN, Known, Outcomes, Parts, given, partial
from dmlcore.data.encoded import encode
from dmlcore.data.intervals import Interval
from dmlcore.data.layouts import AnyKind, Count, Labels, Layout, Maybe, Real
from dmlcore.data.record_layouts import Explained, Fields
from dmlcore.data.sequences import LabelSequence, Repeated
from dmlcore.data.times import Times
from dmlcore.data.values import is_hashable, is_number, is_row, is_time
from dmlcore.stats.latent.events import AnyOf, Between


class Composed(Known):
    """A tuple, a list or the like in place of one value: a label that is one, or what somebody meant for a set. `settled` asks the law."""


def read_event(model: Any, x: Any, points: bool = False) -> Any:
    """One raw observation with ranges and sets in it, as `given` reads it. points: whether a number is the event that it is that.

    Raises `DataError` where something composed stands for one value, and neither is one, nor a set or a range of them.
    """
    return _settled(model, model.layout, partial(model.layout, x, _points_too if points else _outcomes, whole=False), "", lambda one: one)


def _settled(model: Any, layout: Any, x: Any, path: str, alone: Callable[[Any], Any]) -> Any:
    """The same without `Composed`. path: to x, for messages. alone: the observation of which only what stands in place of x is known."""
    if isinstance(x, Composed):
        return _meant(model, layout, x, path, alone)
    if not isinstance(x, Parts):
        return x
    layout = layout.value if isinstance(layout, Maybe) else layout

    def at(j: int) -> Callable[[Any], Any]:
        others = x.entries if isinstance(layout, Explained) else (UNKNOWN,) * len(x.entries)
        return lambda one: alone(Parts((*others[:j], one, *others[j + 1 :])))

    entries = []
    for j, entry in enumerate(x.entries):
        inner = layout.values[j] if isinstance(layout, Fields) else layout.value if isinstance(layout, Repeated) else layout
        place = layout.place(j) if isinstance(layout, Fields) else f"entry {j}"
        entries.append(_settled(model, inner, entry, f"{path}{place}.", at(j)))
    return Parts(entries)


def _meant(model: Any, layout: Any, x: Composed, path: str, alone: Callable[[Any], Any]) -> Any:
    """What something composed stands for: the label that it is, if the law has such a label, else the set, if it is one."""
    (value,) = x.values
    if is_hashable(value) and _reads_labels(layout) and given(model, alone(Known([value])), 1)[0][0] > -math.inf:
        return Known([value])
    if isinstance(value, frozenset):
        return _outcomes(layout, set(value))
    if _reads_labels(layout):
        need = "one of its labels, a set of them, such as {'a', 'b'}, or a range, such as Between('a', 'c')"
    else:
        need = "a value, a set of values {a, b}, or a range (low, high)"
    raise DataError(f"{path}{layout.label}: {shorten(value)} is no value it may have; need {need}")


def _reads_labels(layout: Layout) -> bool:
    if isinstance(layout, Maybe):
        return _reads_labels(layout.value)
    return isinstance(layout, (Labels, LabelSequence)) or (isinstance(layout, AnyKind) and Labels in layout.read_by)


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


def _outcomes(layout: Layout, x: Any) -> Outcomes | Composed | None:
    """A range or a set of values where one value is expected, what else is no single value there, or None."""
    if isinstance(x, Outcomes):
        return x
    if isinstance(layout, Maybe):
        return _of_maybe(layout, x)
    if not isinstance(layout, (Real, Count, Labels, AnyKind, Times)):
        return None
    if isinstance(x, set) and (_reads_labels(layout) or all(map(is_time if isinstance(layout, Times) else is_number, x))):
        return AnyOf(tuple(x))
    if not _reads_labels(layout) and isinstance(x, (tuple, list)) and len(x) == 2:
        return _range(layout, *x)
    return Composed([x]) if isinstance(x, (Collection, slice)) and not isinstance(x, (str, bytes)) else None


def _of_maybe(layout: Maybe, x: Any) -> Outcomes | Composed | None:
    """Of a value that may be missing: a set may say so too."""
    if not isinstance(x, set) or not layout.value.single:
        return _outcomes(layout.value, x)
    values = list(x)
    there = layout.present(values)
    inside = _outcomes(layout.value, {value for value, present in zip(values, there, strict=True) if present})
    return AnyOf(inside.values, missing=not there.all()) if isinstance(inside, AnyOf) else inside


def _points_too(layout: Layout, x: Any) -> Outcomes | Composed | None:
    """The same; where laws may have a density, one value is an event too."""
    found = _outcomes(layout, x)
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
