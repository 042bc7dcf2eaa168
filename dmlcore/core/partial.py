"""Observations of which part is unknown, for many rows that know the same parts: what `given` of a distribution reads.

`UNKNOWN`: nothing is known. `MISSING`: seen to be missing, where a value may be (an Optional reads it). `Known`: the values, one per
row. `ObservedRows`: values of some rows; others are unknown, or seen to be missing. `Outcomes`: one of some values, such as those of a
range. `Parts`: entry by entry, the fields of a tuple, the coordinates of a vector or the elements of a sequence.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError, shorten
from dmlcore.base.marks import is_missing
from dmlcore.core.rowlaws import Fixed, Product, RowLaw
from dmlcore.data.encoded import Encoded, encode
from dmlcore.data.layouts import Labels, Layout, Maybe, Real, Vector, lacks_a_part
from dmlcore.data.record_layouts import Explained, Fields, columns_of
from dmlcore.data.sequences import LabelSequence, Repeated
from dmlcore.data.values import is_listed, is_row


class _Sign:
    """A value of its own, equal only to itself."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return self.name

    def __copy__(self) -> _Sign:
        return self

    def __deepcopy__(self, memo: Any) -> _Sign:
        return self


UNKNOWN: Any = _Sign("UNKNOWN")
MISSING: Any = _Sign("MISSING")


class Known:
    """Values, one per row, encoded once per layout that reads them.

    layout: that of all the laws which read them beside each other, as components of a mixture do; each then reads its own kind of them.
    """

    __slots__ = ("done", "layout", "values")

    def __init__(self, values: Any, encoded: Encoded | None = None, layout: Layout | None = None):
        self.values, self.layout = values, layout
        self.done = [] if encoded is None else [(encoded.layout, encoded)]

    def listed(self) -> Any:
        """The values, one for each row."""
        return self.done[0][1].column.listed() if self.values is None else self.values

    def encoded(self, layout: Layout) -> Encoded:
        """The values as columns of a layout."""
        for other, encoded in self.done:
            if other is layout or (type(other) is type(layout) and other == layout):
                return encoded
        if self.values is None:
            return encode(self.done[0][1], layout)
        self.done.append((layout, encode(self.values, layout)))
        return self.done[-1][1]

    def read_by(self, node: Any) -> Encoded:
        """The values as columns that a law reads beside others."""
        wide, own = self.layout, node.layout
        return self.encoded(own if wide is None or wide.joined(own) != wide else wide)


class ObservedRows:
    """Values of the rows `known`, as a column of their own; the rows `missing` were seen to be so (None: of a value that is always there).

    Nothing is known of the other rows. Where values may be missing, `encoded` is by the layout of the values.
    """

    __slots__ = ("encoded", "known", "missing")

    def __init__(self, known: np.ndarray, encoded: Encoded, missing: np.ndarray | None = None):
        self.known, self.encoded, self.missing = known, encoded, missing

    def log_densities(self, node: Any, n: int) -> np.ndarray:
        """Log densities `(n,)` under `node` where values are known, 0 elsewhere."""
        log = np.zeros(n)
        if len(self.known):
            log[self.known] = node.seq_log_density(self.encoded)
        return log


class Outcomes(ABC):
    """Some of the values that one value may have. It is a value not known, whose density is replaced by the probability of these."""

    missing: bool = False  # whether a value that is missing is among them

    @abstractmethod
    def of(self, law: Any, n: int) -> tuple[np.ndarray, RowLaw]:
        """`given` of a law of single values that is not made of others. Raises `StructureError` where it says no probability."""

    @abstractmethod
    def fits(self, labels: Sequence[Any]) -> np.ndarray:
        """Which of some labels are among them: ones and zeros, `(labels,)`."""

    @abstractmethod
    def moved(self, move: Callable[[Any], Any]) -> Outcomes:
        """The same on another scale."""

    @abstractmethod
    def there(self) -> Outcomes:
        """The same without what is missing."""


class Parts:
    """Entries of a tuple, a vector or a sequence, each `Known`, `ObservedRows`, `Outcomes`, `Parts`, UNKNOWN or MISSING."""

    __slots__ = ("entries",)

    def __init__(self, entries: Sequence[Any]):
        self.entries = tuple(entries)


def given(node: Any, x: Any, n: int) -> tuple[np.ndarray, RowLaw]:
    """Log density `(n,)` of what is known of n rows, and the law of what is not."""
    if x is UNKNOWN:
        return np.zeros(n), Fixed(node)
    if isinstance(x, Known):
        return node.seq_log_density(x.read_by(node)), Product([])
    if isinstance(x, ObservedRows) and x.missing is None:
        return x.log_densities(node, n), Fixed(node)
    if isinstance(x, Parts) and isinstance(node.layout, Vector) and not node.children():
        return _given_coordinates(node, x, n)
    return node.given(x, n)


def _given_coordinates(node: Any, x: Parts, n: int) -> tuple[np.ndarray, RowLaw]:
    """`given` of a law of vectors: what is known of the unknown coordinates narrows their law. All that is known has a density."""
    if all(isinstance(entry, Known) for entry in x.entries):
        return node.seq_log_density(np.column_stack([entry.listed() for entry in x.entries])), Product([])
    log, law = node.given(Parts([UNKNOWN if isinstance(entry, Outcomes) else entry for entry in x.entries]), n)
    open_ones = [entry for entry in x.entries if entry is UNKNOWN or isinstance(entry, Outcomes)]
    return narrowed(log, law, {slot: entry for slot, entry in enumerate(open_ones) if entry is not UNKNOWN}, n)


def narrowed(log: np.ndarray, law: RowLaw, events: dict[int, Outcomes], n: int) -> tuple[np.ndarray, RowLaw]:
    """`given`, from log density `(n,)` and law of the unknown values, where events are known of some of these."""
    if not events:
        return log, law
    more, law = law.within(events, n)
    return log + more, law


def independent(pairs: Sequence[tuple[Any, Any]], n: int) -> tuple[np.ndarray, RowLaw]:
    """`given` of independent parts, `(distribution, what is known of its value)`: log densities add, laws stand side by side."""
    log, laws = np.zeros(n), []
    for node, x in pairs:
        own, law = given(node, x, n)
        log = log + own
        laws.append(law)
    return log, Product(laws)


def no_event(layout: Layout, x: Any) -> Outcomes | None:
    """How a value is read where all values are known or unknown."""
    return None


def partial(layout: Layout, x: Any, event: Callable[[Layout, Any], Outcomes | Known | None] = no_event, whole: bool = True) -> Any:
    """One raw observation with UNKNOWN in places, as `given` reads it (one row).

    A missing value where the layout allows for one is MISSING; an unknown, missing or NaN coordinate of a vector is UNKNOWN.
    event: reads what stands for an event of one value, and gives None for what does not. whole: whether a value of which all parts are
    known is one `Known`. Raises `StructureError` where UNKNOWN stands inside a value that has no parts of that layout.
    """
    if x is UNKNOWN or x is MISSING:
        return x
    if (found := event(layout, x)) is not None:
        return found
    entries: list[Any] | None = None
    if isinstance(layout, Maybe):
        x = with_missing_response(layout, x)
        if not layout.present([x])[0]:
            return MISSING
        inner = partial(layout.value, x, event, whole)
        return Known([x], layout=layout) if isinstance(inner, Known) else inner
    if isinstance(layout, Fields):
        x = named_fields(layout, x) if isinstance(x, dict) else layout.entries(x) if layout.takes_missing else x
        if is_listed(x) and len(x) == len(layout.values):
            entries = [partial(part, value, event, whole) for part, value in zip(layout.values, x, strict=True)]
    elif isinstance(layout, Vector) and is_listed(x) and len(x) == (layout.dim or len(x)):
        one = Real(layout.label)
        entries = [UNKNOWN if v is UNKNOWN or is_missing(v) else event(one, v) or Known([v]) for v in x]
    elif isinstance(layout, LabelSequence) and is_listed(x):
        label = Labels(layout.label)
        entries = [UNKNOWN if v is UNKNOWN else event(label, v) or Known([v]) for v in x]
    elif isinstance(layout, Repeated) and is_listed(x):
        entries = [partial(layout.value, v, event, whole) for v in x]
    elif unknown_inside(x):
        raise StructureError(f"{layout.label}: UNKNOWN stands inside {shorten(x)}, which has no parts here; put it in place of the value")
    if entries is None or (whole and all(isinstance(entry, Known) for entry in entries)):
        return Known([x], layout=layout)
    return Parts(entries)


def with_missing_response(layout: Maybe, x: Any) -> Any:
    """A response that is missing beside all that it is given, with MISSING in its place, as the others tell its law; the rest as it is."""
    rows = layout.value
    if not isinstance(rows, Explained) or not is_row(x, len(rows.values)) or not is_missing(x[1]):
        return x
    return x if any(lacks_a_part(v) for j, v in enumerate(x) if j != 1) else (x[0], MISSING, *x[2:])


def named_fields(layout: Fields, x: dict[Any, Any]) -> tuple[Any, ...]:
    """A tuple of the values that a mapping gives by position or by name; UNKNOWN in the other fields."""
    out: list[Any] = [UNKNOWN] * len(layout.values)
    paths = [field_path(layout, key) for key in x]
    for key, path, value in zip(x, paths, x.values(), strict=True):
        j, *inside = path
        if paths.count(path) > 1 or (inside and (j,) in paths):
            raise StructureError(f"{layout.label}: {key!r} is given twice, once by another name")
        if inside:
            out[j] = [UNKNOWN] * len(layout.entry_names[j]) if out[j] is UNKNOWN else list(out[j])  # type: ignore[index]
            out[j][inside[0]] = value
        else:
            out[j] = value
    return tuple(out)


def field_path(layout: Any, key: Any) -> tuple[int, ...]:
    """Which field a position or a name means, `(j,)`, or which coordinate of a vector over several columns, `(j, i)`.

    Names are those of the nodes that read the fields, where a record has none of its own. Raises `StructureError`.
    """
    labels: list[Any] = list(layout.entry_names or map(_name, layout.values)) if isinstance(layout, Fields) else []
    count = len(labels) if isinstance(layout, Fields) else getattr(layout, "dim", None)
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool) and count is not None and 0 <= key < count:
        return (int(key),)
    if labels.count(key) == 1:
        return (labels.index(key),)
    for j, names in enumerate(labels):
        if isinstance(names, tuple) and key in names:
            return j, names.index(key)
    labels = [text for names in labels for text in columns_of(names)]
    count = len(labels) or count
    raise StructureError(f"{layout.label}: has no field {key!r}; it has {count or 'no'} fields{': ' if labels else ''}{', '.join(labels)}")


def _name(layout: Layout) -> str:
    inner = layout.value if isinstance(layout, Maybe) and layout.label == "optional" else layout
    return inner.label


def unknown_inside(x: Any) -> bool:
    """Whether UNKNOWN stands anywhere in a raw observation."""
    waiting, seen = [x], set()
    while waiting:  # not by recursion: what stands there may be nested deeper than Python's calls, or hold itself
        x = waiting.pop()
        if x is UNKNOWN:
            return True
        if not isinstance(x, (tuple, list, set, frozenset, dict, np.ndarray)) or id(x) in seen:
            continue
        if isinstance(x, np.ndarray) and (x.dtype != object or not x.ndim):
            continue
        seen.add(id(x))
        waiting.extend((*x, *x.values()) if isinstance(x, dict) else x)
    return False
