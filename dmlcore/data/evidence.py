"""What is known of the class of an observation: nothing, its label, or how well each label fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dmlcore.base.labels import is_kept, plain
from dmlcore.base.marks import holds_mark, is_missing
from dmlcore.base.records import dataclass
from dmlcore.data.columns import Distinct, Values
from dmlcore.data.layouts import Labels, Layout
from dmlcore.data.values import is_hashable, is_number

WANTED = "a label, nothing (None), or pairs (label, probability) or a mapping, with finite probabilities >= 0"


class KnownClasses(Values):
    """How well each of K labels fits, `(n, K)`: all of them alike where nothing is known."""

    def __init__(self, x: np.ndarray, labels: tuple[Any, ...]):
        super().__init__(x)
        self.labels = labels

    def slice(self, start: int, stop: int) -> KnownClasses:
        return KnownClasses(self.x[start:stop], self.labels)

    def take(self, rows: np.ndarray) -> KnownClasses:
        return KnownClasses(self.x[rows], self.labels)

    def row(self, i: int) -> Any:
        fits = self.x[i].tolist()
        if set(fits) == {1.0}:
            return None
        pairs = [(label, fit) for label, fit in zip(self.labels, fits, strict=True) if fit > 0]
        return pairs[0][0] if len(pairs) == 1 and pairs[0][1] == 1.0 else pairs

    def listed(self) -> list[Any]:
        return list(map(self.row, range(len(self))))


@dataclass(frozen=True)
class Evidence(Labels):
    """What is known of a class among `labels`: a mark, where nothing is; one of them; or pairs `(label, probability)`, or a mapping, of
    those that it may be. Kept once for rows of which the same is known. Where it is none of the labels, no class fits.
    """

    labels: tuple[Any, ...] = ()

    @property
    def takes_missing(self) -> bool:
        return True

    def joined(self, other: Layout) -> Layout | None:
        return self if self == other else None

    def encode(self, values: Any) -> Distinct:
        values = values.tolist() if hasattr(values, "tolist") else values
        place = {label: k for k, label in enumerate(self.labels)}
        number: dict[tuple[float, ...], int] = {}
        codes = np.empty(len(values), dtype=np.int32)
        for i, value in enumerate(values):
            key = self._key(i, value, place)
            codes[i] = number.setdefault(key, len(number))
        return Distinct(codes, KnownClasses(np.array(list(number), dtype=np.float64).reshape(len(number), len(place)), self.labels))

    def _key(self, index: int, value: Any, place: dict[Any, int]) -> tuple[float, ...]:
        """How well each label fits."""
        if is_hashable(value) and value in place:
            return tuple(float(k == place[value]) for k in range(len(place)))
        if is_missing(value):
            return (1.0,) * len(place)
        fits = [0.0] * len(place)
        if isinstance(value, (Mapping, list)) or (isinstance(value, tuple) and all(map(_is_pair, value))):
            for pair in value.items() if isinstance(value, Mapping) else value:
                if not (_is_pair(pair) and is_hashable(pair[0]) and 0 <= pair[1] < np.inf):
                    raise self.bad(index, value, WANTED)
                if pair[0] in place:
                    fits[place[pair[0]]] = float(pair[1])
        elif not is_hashable(value) or holds_mark(value) or not is_kept(plain(value)):
            raise self.bad(index, value, WANTED)
        return tuple(fits)


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and is_number(value[1])
