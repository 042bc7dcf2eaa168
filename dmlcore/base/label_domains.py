"""Domains of tables over labels: probabilities per label, and transitions from label to label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dmlcore.base.domains import SUM_TOLERANCE, Domain, Proportions, from_log_ratios, log_ratios, normalised
from dmlcore.base.errors import ParameterError, shorten
from dmlcore.base.labels import FixedDict, LabelMap, Vocabulary, plain
from dmlcore.base.marks import holds_mark
from dmlcore.base.numerics import joined


class LabelProbabilities(Domain):
    """A mapping from labels to probabilities; with `total`, they sum to one, otherwise each stands alone."""

    def __init__(self, total: bool):
        self.total = total
        self.need = "a mapping from labels to probabilities" + (" that sum to one" if total else " in [0, 1]")

    def check(self, value: Any) -> LabelMap:
        if not isinstance(value, Mapping) or (self.total and not value):
            raise self.fail(value)
        try:
            pmap = LabelMap.of(value)
        except (TypeError, ValueError, OverflowError):
            raise self.fail(value) from None
        if pmap is not value:
            refuse_marks(pmap, self.need)
        p = pmap.values_array
        if not (p >= 0).all() or not (p <= 1 + SUM_TOLERANCE).all():
            raise self.fail(value)
        if not self.total:
            return LabelMap(pmap.labels, np.minimum(p, 1.0))
        if abs(p.sum() - 1.0) > SUM_TOLERANCE:
            raise ParameterError(f"must be {self.need}, got {shorten(value)} with sum {float(p.sum())!r}")
        return LabelMap(pmap.labels, normalised(p))

    def shown(self, value: LabelMap) -> Any:
        return value.shown()

    def shape_of(self, value: LabelMap) -> tuple[int, ...]:
        return value.values_array.shape[:-1]

    def together(self, values: list[Any], shape: tuple[int, ...]) -> LabelMap:
        return together_by_label(values, shape)

    def alike(self, values: list[Any]) -> bool:
        return same_labels([value.labels for value in values])

    def apart(self, value: LabelMap, index: Any) -> LabelMap:
        return LabelMap(value.labels, value.values_array[index])

    def chosen(self, first: np.ndarray, one: LabelMap, other: LabelMap) -> LabelMap:
        return chosen_by_label(first, one, other)

    def free(self, value: LabelMap) -> int:
        return len(value) - self.total

    def flatten(self, value: LabelMap) -> np.ndarray:
        p = value.values_array
        if self.total:
            return log_ratios(p)
        inside = p[(p > 0) & (p < 1)]
        return np.log(inside) - np.log1p(-inside)

    def unflatten(self, vector: np.ndarray, like: LabelMap) -> LabelMap:
        p = like.values_array
        if self.total:
            return LabelMap(like.labels, from_log_ratios(vector, p))
        out = p.copy()
        out[(p > 0) & (p < 1)] = 1.0 / (1.0 + np.exp(-vector))
        return LabelMap(like.labels, out)


def same_labels(vocabularies: list[Vocabulary]) -> bool:
    """Whether vocabularies hold the same labels, in any order."""
    first = vocabularies[0]
    return all(v is first or (len(v) == len(first) and v.place.keys() == first.place.keys()) for v in vocabularies)


def chosen_by_label(first: np.ndarray, one: LabelMap, other: LabelMap) -> LabelMap:
    """A stack's table from two: of one where `first`, of the other elsewhere; zero for labels that it does not have."""
    labels = one.labels.union(other.labels)
    tables = (table.lookup(labels, table.values_array, 0.0) for table in (one, other))
    return LabelMap(labels, np.where(first[..., None], *tables))


def together_by_label(values: list[Any], shape: tuple[int, ...]) -> LabelMap:
    """Tables of several laws as one of their stack, by the labels of the first."""
    first = values[0].labels
    tables = np.array([v.values_array if v.labels is first else v.lookup(first, v.values_array, 0.0) for v in values])
    return LabelMap(first, tables.reshape(*shape, *tables.shape[1:]))


def refuse_marks(table: LabelMap, need: str) -> None:
    """Raises `ParameterError` where a label of a table is, or holds, a mark of something missing."""
    label = next((label for label in table if holds_mark(label)), None)
    if label is not None:
        raise ParameterError(f"must be {need}, got the label {label!r}; a missing value is none (None may be one)")


class LabelShares(Domain):
    """Numbers per label that stand in proportion to probabilities, stored as probabilities. A setting."""

    need = f"a mapping from labels to {Proportions.need}"

    def check(self, value: Any) -> LabelMap:
        if not isinstance(value, Mapping):
            raise self.fail(value)
        try:
            given = LabelMap.of(value)
            shares = LabelMap(given.labels, Proportions().check(given.values_array))
        except (TypeError, ValueError, OverflowError):
            raise self.fail(value) from None
        refuse_marks(given, self.need)
        return shares

    def shown(self, value: LabelMap) -> Any:
        return value.shown()


_each = LabelProbabilities(total=False)


class Transitions(Domain):
    """A mapping from a label to the probabilities of the next label, stored as one map over pairs `(label, next)`."""

    need = "a mapping from labels to mappings of next labels to probabilities that sum to one"

    def check(self, value: Any) -> TransitionMap:
        if isinstance(value, TransitionMap):
            return value
        if not isinstance(value, Mapping) or not all(isinstance(row, Mapping) for row in value.values()):
            raise self.fail(value)
        row_domain, pairs = LabelProbabilities(total=True), {}
        for label, row in value.items():
            try:
                checked = row_domain.check(row)
            except ParameterError as error:
                raise ParameterError(f"row {plain(label)!r} {error}") from None
            pairs.update({(plain(label), to): p for to, p in checked.items()})
        return TransitionMap(LabelMap.of(pairs))

    def shown(self, value: TransitionMap) -> Any:
        return value.shown()

    def shape_of(self, value: TransitionMap) -> tuple[int, ...]:
        return _each.shape_of(value.pairs)

    def together(self, values: list[Any], shape: tuple[int, ...]) -> TransitionMap:
        return TransitionMap(_each.together([value.pairs for value in values], shape))

    def alike(self, values: list[Any]) -> bool:
        return same_labels([value.pairs.labels for value in values])

    def apart(self, value: TransitionMap, index: Any) -> TransitionMap:
        return TransitionMap(_each.apart(value.pairs, index))

    def chosen(self, first: np.ndarray, one: TransitionMap, other: TransitionMap) -> TransitionMap:
        return TransitionMap(_each.chosen(first, one.pairs, other.pairs))

    def free(self, value: TransitionMap) -> int:
        return len(value.pairs) - len(value)

    def flatten(self, value: TransitionMap) -> np.ndarray:
        rows = list(value.rows().values())
        parts = [log_ratios(p[where]) for p in joined(value.pairs.values_array) for where in rows]
        return np.concatenate(parts) if parts else np.zeros(0)

    def unflatten(self, vector: np.ndarray, like: TransitionMap) -> TransitionMap:
        rows, start = list(like.rows().values()), 0
        out = np.zeros(like.pairs.values_array.shape)
        for p, new in zip(joined(like.pairs.values_array), joined(out), strict=True):
            for where in rows:
                size = int((p[where] > 0).sum()) - 1
                new[where] = from_log_ratios(vector[start : start + size], p[where])
                start += size
        return TransitionMap(LabelMap(like.pairs.labels, out))


class TransitionMap(Mapping[Any, Mapping[Any, float]]):
    """An immutable `{label: {next: probability}}`, stored as one `LabelMap` over pairs `(label, next)`."""

    __slots__ = ("_shown", "pairs")

    def __init__(self, pairs: LabelMap):
        self.pairs = pairs
        self._shown: FixedDict | None = None

    def shown(self) -> FixedDict:
        """As a dict of dicts."""
        if self._shown is None:
            out: dict[Any, dict[Any, float]] = {}
            pair: Any
            for pair, p in zip(self.pairs.labels, self.pairs.values_array.tolist(), strict=True):
                label, to = pair
                out.setdefault(label, {})[to] = p
            self._shown = FixedDict({label: FixedDict(row) for label, row in out.items()})
        return self._shown

    def rows(self) -> dict[Any, np.ndarray]:
        """For each label, the positions of its pairs."""
        out: dict[Any, list[int]] = {}
        pair: Any
        for i, pair in enumerate(self.pairs.labels):
            out.setdefault(pair[0], []).append(i)
        return {label: np.array(where) for label, where in out.items()}

    def __getitem__(self, label: Any) -> Mapping[Any, float]:
        return self.shown()[label]

    def __iter__(self) -> Any:
        return iter(self.shown())

    def __len__(self) -> int:
        return len(self.shown())

    def __repr__(self) -> str:
        return repr(self.shown())

    def __reduce__(self) -> Any:
        return TransitionMap, (self.pairs,)
