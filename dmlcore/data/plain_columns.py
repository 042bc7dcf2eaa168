"""Columns of tables that hold gaps or repeat, without one Python object a row: a list to whoever asks for a row, arrays to who does not."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import numpy as np

from dmlcore.base.labels import plain
from dmlcore.base.marks import is_missing


class PlainColumn(Sequence[Any]):
    """Base: a sequence of plain values, None where one is missing, as `missing` `(n,)` says too."""

    __slots__ = ()

    missing: Any

    @abstractmethod
    def __getitem__(self, rows: Any) -> Any:
        """The value of a row; of several rows (a slice, an array), their column, or an array where it holds them."""

    @abstractmethod
    def _objects(self) -> np.ndarray:
        """The values as an array of objects `(n,)`."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._objects() if dtype is None else self._objects().astype(dtype)

    def tolist(self) -> list[Any]:
        """The values, one per row."""
        return self._objects().tolist()


class Factor(PlainColumn):
    """Text or categories: `codes` `(n,)` into `levels`, plain values; -1 where one is missing."""

    __slots__ = ("codes", "levels")

    def __init__(self, codes: np.ndarray, levels: Iterable[Any]):
        self.codes, self.levels = codes, list(levels)

    @classmethod
    def of(cls, codes: np.ndarray, levels: Iterable[Any]) -> Factor:
        """The same of levels as a library holds them: times as plain ones, and None or NaN among them as missing."""
        levels = list(map(plain, levels))
        if any(gone := list(map(is_missing, levels))):
            codes = np.where(np.array([*gone, True])[codes], -1, codes)
        return cls(codes, levels)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Any:
        codes = self.codes[rows]
        if isinstance(codes, np.ndarray):
            return Factor(codes, self.levels)
        return self.levels[codes] if codes >= 0 else None

    def __repr__(self) -> str:
        return f"Factor({len(self)} rows, levels {self.levels})"

    @property
    def missing(self) -> np.ndarray:  # type: ignore[override]
        """Which rows hold none, `(n,)`."""
        return self.codes < 0

    def _objects(self) -> np.ndarray:
        values = np.empty(len(self.levels) + 1, dtype=object)  # the last one, None, is where -1 points to
        for i, level in enumerate(self.levels):
            values[i] = level
        return values[self.codes]


class Nullable(PlainColumn):
    """Whole numbers or truth values `x` `(n,)`, which no float need hold, of which some are missing."""

    __slots__ = ("missing", "x")

    def __init__(self, x: np.ndarray, missing: np.ndarray):
        self.x, self.missing = x, missing

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> Any:
        x, missing = self.x[rows], self.missing[rows]
        if isinstance(x, np.ndarray):
            return Nullable(x, missing) if missing.any() else x
        return None if missing else x.item()

    def __repr__(self) -> str:
        return f"Nullable({len(self)} rows of {self.x.dtype}, {int(self.missing.sum())} missing)"

    def _objects(self) -> np.ndarray:
        values = self.x.astype(object)
        values[self.missing] = None
        return values


class ZonedTimes(PlainColumn):
    """Moments `x` `(n,)`, an array of NumPy in UTC in which NaT is missing, and the time zone they are told in, to the microsecond."""

    __slots__ = ("x", "zone")

    def __init__(self, x: np.ndarray, zone: tzinfo):
        self.x, self.zone = x, zone

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> Any:
        x = self.x[rows]
        return ZonedTimes(x, self.zone) if isinstance(x, np.ndarray) else self._in_zone(x.astype("M8[us]").item())

    def __repr__(self) -> str:
        return f"ZonedTimes({len(self)} rows in {self.zone})"

    @property
    def missing(self) -> np.ndarray:  # type: ignore[override]
        """Which rows hold none, `(n,)`."""
        return np.isnat(self.x)

    def _in_zone(self, moment: datetime | None) -> datetime | None:
        return moment if moment is None else moment.replace(tzinfo=UTC).astimezone(self.zone)

    def _objects(self) -> np.ndarray:
        return np.fromiter(map(self._in_zone, self.x.astype("M8[us]").tolist()), dtype=object, count=len(self))
