"""Dates, times and durations: as NumPy's arrays, and as numbers of units from an origin.

A column of them holds what was given, exactly: a law reads it in its own unit and from its own origin. A time zone says which moments are
meant, and they are held as those of UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, shorten
from dmlcore.base.labels import is_time_of_pandas
from dmlcore.base.marks import is_missing
from dmlcore.base.records import dataclass
from dmlcore.data.columns import Column, Distinct, Values
from dmlcore.data.layouts import Layout, first_odd
from dmlcore.data.plain_columns import Factor, ZonedTimes
from dmlcore.data.repeats import coded
from dmlcore.data.values import is_time

DATES, TIMES, ZONED, DURATIONS = "dates", "times", "times with a time zone", "durations"  # what a column of times holds
EPOCHS = {DATES: "1970-01-01", TIMES: "1970-01-01T00:00:00", ZONED: "1970-01-01T00:00:00+00:00", DURATIONS: None}
LENGTHS = {"as": 1, "fs": 10**3, "ps": 10**6, "ns": 10**9, "us": 10**12, "ms": 10**15, "s": 10**18}  # of units, in attoseconds
LENGTHS |= {"m": 60 * LENGTHS["s"], "h": 3600 * LENGTHS["s"], "D": 86400 * LENGTHS["s"], "W": 604800 * LENGTHS["s"]}
UNITS = ("W", "D", "h", "m", "s", "ms", "us", "ns")  # by the names that NumPy has for them
UNIT_WORDS = {"W": "weeks", "D": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "ms", "us": "µs", "ns": "ns"}
EARLIEST, LATEST = np.datetime64("0001-01-01", "us").astype(int), np.datetime64("9999-12-31T23:59:59.999999", "us").astype(int)
DAYS = {"Y": 366, "M": 31, "W": 7, "D": 1}  # at most, of units of whole days
NAT_TICKS = -(2**63)  # the ticks of NaT
MOST_TICKS = 2**63 - 1  # of a time, either way
EXACT_TICKS = 2**62  # ticks below which differences are exact


@dataclass(frozen=True)
class TimeScale:
    """How times are numbers: so many units from an origin, ISO text; from None, durations are. What is drawn has the form of the origin."""

    unit: str
    origin: str | None

    @cached_property
    def kind(self) -> str:
        """What its numbers stand for."""
        if self.origin is None:
            return DURATIONS
        return DATES if len(self.origin) == 10 else TIMES if self._start.tzinfo is None else ZONED

    @cached_property
    def _start(self) -> datetime:
        return datetime.fromisoformat(str(self.origin))

    @cached_property
    def start(self) -> int:
        """The origin in microseconds from the beginning of 1970."""
        if self.origin is None:
            return 0
        since = self._start.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return since // timedelta(microseconds=1)

    def agrees_with(self, other: TimeScale) -> bool:
        """Whether the same number stands for the same time."""
        return self.unit == other.unit and self.start == other.start

    def numbers(self, x: np.ndarray) -> np.ndarray:
        """Times or durations of NumPy as numbers `(n,)`."""
        name, many = np.datetime_data(x.dtype)
        tick, unit, start = many * LENGTHS[name], LENGTHS[self.unit], self.start * LENGTHS["us"]
        ticks: Any = x.view(np.int64)
        exact = start % tick == 0 and abs(start // tick) < EXACT_TICKS and (not len(ticks) or np.abs(ticks).max() < EXACT_TICKS)
        if start:
            ticks = ticks - (start // tick if exact else start / tick)
        return np.asarray(ticks / (unit // tick) if unit % tick == 0 else ticks * (tick / unit), dtype=np.float64)

    def times(self, numbers: Any) -> Any:
        """Numbers `(n,)` as an array of NumPy, to the day where the origin is a date and to the microsecond elsewhere; with a time zone as
        a list. Raises `DataError` for what is out of the reach of Python's own times."""
        numbers = np.asarray(numbers, dtype=np.float64)
        short = "D" if self.kind == DATES else "us"
        ticks = np.rint(numbers * (LENGTHS[self.unit] / LENGTHS[short])) + self.start // (LENGTHS[short] // LENGTHS["us"])
        if self.kind == DURATIONS:
            low, high = -EXACT_TICKS, EXACT_TICKS
        else:
            low, high = (int(end) * LENGTHS["us"] // LENGTHS[short] for end in (EARLIEST, LATEST))
        gone = np.isnan(ticks)
        if not np.all(gone | ((ticks >= low) & (ticks <= high))):
            odd = numbers[~gone & ((ticks < low) | (ticks > high))][0]
            reach = "146,000 years" if self.kind == DURATIONS else "the years 1 to 9999"
            raise DataError(f"{odd:.6g} {self.unit} from {self.origin or 'none'} is beyond {reach}, and no {self.kind[:-1]} of Python")
        whole = np.where(gone, 0, ticks).astype(np.int64).view(f"{'m' if self.kind == DURATIONS else 'M'}8[{short}]")
        whole[gone] = "NaT"
        return with_zone(whole) if self.kind == ZONED else whole

    def time(self, number: Any) -> Any:
        """One number as a date, a time or a duration of Python; of an array, what `times` gives."""
        if np.ndim(number):
            return self.times(number)
        out = self.times([float(number)])
        return out[0] if isinstance(out, list) else out.tolist()[0]

    def number(self, value: Any) -> Any:
        """A date, a time or a duration as a number; of several, an array. Raises `DataError`."""
        several = isinstance(value, (np.ndarray, list, tuple, ZonedTimes))
        found = as_times(value if several else [value])
        if found is None or (found[1] == DURATIONS) != (self.kind == DURATIONS):
            raise DataError(f"{shorten(value)} is none of the {self.kind} that are read here")
        x = self.numbers(found[0])
        return x if several else float(x[0])

    def in_words(self, mean: float, deviation: float) -> tuple[str, str]:
        """A mean, as precise as the deviation asks for, and the deviation."""
        spread = f"{deviation:.3g} {UNIT_WORDS[self.unit]}"
        if self.kind == DURATIONS:
            return f"{mean:.4g} {UNIT_WORDS[self.unit]}", spread
        try:
            moment = self.time(mean)
        except DataError:  # too far away for a date
            return f"{mean:.4g} {UNIT_WORDS[self.unit]} from {self.origin}", spread
        if self.kind == DATES or deviation * LENGTHS[self.unit] >= LENGTHS["D"]:
            return f"{moment:%Y-%m-%d}", spread
        return f"{moment:%Y-%m-%d %H:%M:%S}{' UTC' * (self.kind == ZONED)}", spread


class TimeColumn(Values):
    """Dates, times or durations `x` `(n,)` as NumPy has them; `kind` says which."""

    def __init__(self, x: np.ndarray, kind: str | None):
        super().__init__(x)
        self.kind = kind
        self._numbers: dict[TimeScale, Values] = {}

    def slice(self, start: int, stop: int) -> TimeColumn:
        return TimeColumn(self.x[start:stop], self.kind)

    def take(self, rows: np.ndarray) -> TimeColumn:
        return TimeColumn(self.x[rows], self.kind)

    def row(self, i: int) -> Any:
        value = self.x[i : i + 1].tolist()[0]
        return value.replace(tzinfo=UTC) if self.kind == ZONED else self.x[i] if isinstance(value, int) else value

    def listed(self) -> list[Any]:
        return list(map(self.row, range(self.n)))

    def numbers(self, scale: TimeScale) -> Values:
        """The column of numbers that they are on a scale, made once."""
        if scale not in self._numbers:
            self._numbers[scale] = Values(scale.numbers(self.x))
        return self._numbers[scale]


@dataclass(frozen=True, eq=False)
class Times(Layout):
    """A date, a time or a duration. kind: which, as the origin of a law says; None: any one of them, the data say which.

    Dates are times at midnight to a law of times, and times are read by a law of dates.
    """

    kind: str | None = field(default=None, compare=False)

    single = True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Times):
            return NotImplemented
        return self.kind is None or other.kind is None or _group(self.kind) == _group(other.kind)

    __hash__ = Layout.__hash__

    def joined(self, other: Layout) -> Layout | None:
        return other if isinstance(other, Times) and self == other and self.kind is None else super().joined(other)

    def encode(self, values: Any) -> Column:
        if isinstance(values, Factor):
            index = first_odd(values, lambda moment: True, datetime.fromisoformat)
            raise self.bad(index, values[index], _need(self.kind))
        try:
            x, found, group = read_times(values)
        except _OddTime as odd:
            raise self.bad(odd.index, values[odd.index], f"{_need(self.kind)}{odd.hint}") from None
        if np.isnat(x).any():
            index = int(np.argmax(np.isnat(x)))
            raise self.bad(index, values[index], _need(self.kind))
        if self.kind is not None and len(x) and _group(self.kind) != group:
            raise self.bad(0, values[0], _need(self.kind))
        kind = found if len(x) else self.kind
        column: Any = coded(x.view(np.int64))
        if isinstance(column, Distinct):
            each: Any = column.values
            return Distinct(column.codes, TimeColumn(each.x.view(x.dtype), kind))
        return TimeColumn(x, kind)


def _group(kind: str) -> str:
    """What can be read together."""
    return TIMES if kind == DATES else kind


def _need(kind: str | None) -> str:
    return "dates, times or durations" if kind is None else "dates or times" if kind in (DATES, TIMES) else kind


# -- raw values --------------------------------------------------------------------------------------------------------


class _OddTime(Exception):
    """Which of several values is no time, or of another kind than the first."""

    def __init__(self, index: int, hint: str = ""):
        super().__init__(index)
        self.index, self.hint = index, hint


def read_times(values: Any) -> tuple[np.ndarray, str, str]:
    """Values as an array of NumPy, what kind they are, and which others they can be read with."""
    x, kind = _read(values)
    return x, kind, _group(kind)


def as_times(values: Any) -> tuple[np.ndarray, str] | None:
    """Values as an array of NumPy and their kind, if all are dates and times, or all durations; None of others."""
    if not len(values) or not is_time(values[0]):
        return None
    try:
        return _read(values)
    except _OddTime:
        return None


def _read(values: Any) -> tuple[np.ndarray, str]:
    if isinstance(values, ZonedTimes):
        return values.x, ZONED
    if isinstance(values, np.ndarray) and values.dtype.kind in "mM" and values.ndim == 1:
        return _in_fixed_units(values)
    types = set(map(type, values))
    if types == {date}:
        return np.array(values, dtype="M8[D]"), DATES
    if types == {timedelta}:
        return np.array(values, dtype="m8[us]"), DURATIONS
    if types == {datetime} and all(value.tzinfo is None for value in values):
        return np.array(values, dtype="M8[us]"), TIMES
    return _one_by_one(values)


def _in_fixed_units(x: np.ndarray) -> tuple[np.ndarray, str]:
    """An array of NumPy in native byte order, of whole days where its unit is days or longer."""
    name = np.datetime_data(x.dtype)[0]
    if x.dtype.kind == "M":
        if name in DAYS:
            far = (np.abs(x.astype(np.int64)) > EXACT_TICKS // (DAYS[name] * np.datetime_data(x.dtype)[1])) & ~np.isnat(x)
            if far.any():
                raise _OddTime(int(np.argmax(far)), " within reach of days")
            return np.ascontiguousarray(x.astype("M8[D]")), DATES
        if name != "generic":
            return np.ascontiguousarray(x.astype(x.dtype.newbyteorder("="))), TIMES
    elif name not in ("Y", "M", "generic"):
        return np.ascontiguousarray(x.astype(x.dtype.newbyteorder("="))), DURATIONS
    if np.isnat(x).all():
        return x.astype("M8[D]"), DATES
    raise _OddTime(int(np.argmax(~np.isnat(x))), " of a fixed unit, such as days")


def _one_by_one(values: Iterable[Any]) -> tuple[np.ndarray, str]:
    scalars: list[Any] = []
    found = ""
    for index, value in enumerate(values):
        scalar, kind = _scalar(value, index)
        scalars.append(scalar)
        if not kind:
            continue
        if found and _group(kind) != _group(found):
            raise _OddTime(index, f" of one kind, as the {found} above")
        found = kind if found in ("", DATES) else found
    letter = "m" if found == DURATIONS else "M"
    units = {np.datetime_data(scalar.dtype)[0] for scalar in scalars if scalar is not None}
    unit = "D" if found == DATES else min((name for name in units if name in LENGTHS), key=lambda name: LENGTHS[name], default="us")
    ticks = [_ticks(scalar, unit) for scalar in scalars]
    far = [index for index, (scalar, many) in enumerate(zip(scalars, ticks, strict=True)) if scalar is not None and abs(many) > MOST_TICKS]
    if far:
        finest = [index for index, scalar in enumerate(scalars) if scalar is not None and np.datetime_data(scalar.dtype)[0] == unit]
        if len(far) > len(finest):  # then what is odd is the unit
            raise _OddTime(finest[0], f" in a unit within reach of the others: {unit} does not reach {scalars[far[0]]}")
        raise _OddTime(far[0], f" within reach of the unit of the column, {unit}, which is the finest in it")
    return np.array(ticks, dtype=np.int64).view(f"{letter}8[{unit}]"), found or DATES


def _ticks(scalar: Any, unit: str) -> int:
    """A scalar of NumPy as a number of units that are as fine as its own, or finer. By Python's whole numbers: those of NumPy go round to
    the other end where a unit does not reach so far."""
    if scalar is None:
        return NAT_TICKS
    name, many = np.datetime_data(scalar.dtype)
    return int(scalar.view(np.int64)) * many * LENGTHS[name] // LENGTHS[unit]


def _scalar(value: Any, index: int) -> tuple[Any, str]:
    """One value as a scalar of NumPy and its kind; None and no kind where it is missing."""
    if is_missing(value):
        return None, ""
    if is_time_of_pandas(value):
        if hasattr(value, "to_timedelta64"):
            return value.to_timedelta64(), DURATIONS
        return (value if value.tzinfo is None else value.tz_convert(None)).to_datetime64(), TIMES if value.tzinfo is None else ZONED
    if isinstance(value, datetime):
        zoned = value.tzinfo is not None
        return np.datetime64(value.astimezone(UTC).replace(tzinfo=None) if zoned else value, "us"), ZONED if zoned else TIMES
    if isinstance(value, date):
        return np.datetime64(value, "D"), DATES
    if isinstance(value, timedelta):
        return np.timedelta64(value, "us"), DURATIONS
    if isinstance(value, (np.datetime64, np.timedelta64)):
        try:
            x, kind = _in_fixed_units(np.array([value]))
        except _OddTime as odd:
            raise _OddTime(index, odd.hint) from None
        return x[0], kind
    raise _OddTime(index)


def with_zone(x: np.ndarray) -> list[Any]:
    """Times of UTC as those of Python that say so; None where one is missing."""
    return [None if value is None else value.replace(tzinfo=UTC) for value in x.tolist()]
