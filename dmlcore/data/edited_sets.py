"""Pairs of sets, before and after: read as the set before, and as the set of what was removed, added and kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.records import dataclass
from dmlcore.data.columns import Column, Record
from dmlcore.data.record_layouts import Fields
from dmlcore.data.sequences import LabelSet

REMOVED, ADDED, STAYED = range(3)


class EditRecord(Record):
    """The sets before, and the sets of edits `(label, REMOVED, ADDED or STAYED)`; a row is the pair of sets that they come to."""

    def slice(self, start: int, stop: int) -> EditRecord:
        return EditRecord(stop - start, tuple(field.slice(start, stop) for field in self.fields))

    def take(self, rows: np.ndarray) -> EditRecord:
        return EditRecord(len(rows), tuple(field.take(rows) for field in self.fields))

    def shortened(self, most: int) -> Column:
        return self

    def row(self, i: int) -> Any:
        return sets_of(self.fields[1].row(i))

    def listed(self) -> list[Any]:
        return list(map(sets_of, self.fields[1].listed()))


def sets_of(edits: Any) -> tuple[list[Any], list[Any]]:
    """The sets before and after."""
    return [a for a, how in edits if how != ADDED], [a for a, how in edits if how != REMOVED]


def edits_of(before: Any, after: Any) -> list[tuple[Any, int]]:
    """What became of each label that is in one of two sets."""
    old, new = set(before), set(after)
    kept = [(a, STAYED if a in new else REMOVED) for a in before]
    return kept + [(a, ADDED) for a in after if a not in old]


@dataclass(frozen=True)
class EditedSets(Fields):
    """A pair of sets of labels: `values` are two `LabelSet`."""

    def encode(self, values: Any) -> Column:
        pairs: Any = super().encode(values)
        before, after = pairs.fields
        edits = LabelSet(self.label).encode(list(map(edits_of, before.listed(), after.listed())))
        return EditRecord(len(pairs), (before, edits))
