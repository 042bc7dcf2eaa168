"""Small functions on plain Python data, for shaping rows before a fit and reading results after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, MutableMapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
U = TypeVar("U")
K = TypeVar("K", bound=Hashable)

__all__ = [
    "count_by_value",
    "flat_map",
    "get_inv_map",
    "get_parent_directory",
    "group_by",
    "group_by_key",
    "least_occurring",
    "map_to_integers",
    "reduce_by_key",
    "sum_by_key",
    "text_file",
]


def map_to_integers(x: Iterable[K], val_map: MutableMapping[K, int]) -> list[int]:
    """The number of each value in `val_map`; values new to it are added there, with the next number (its length)."""
    return [val_map.setdefault(value, len(val_map)) for value in x]


def get_inv_map(val_map: MutableMapping[K, int]) -> list[K | None]:
    """The values of a map to whole numbers >= 0, listed by their number; None where a number is not used."""
    out: list[K | None] = [None] * (max(val_map.values(), default=-1) + 1)
    for value, number in val_map.items():
        out[number] = value
    return out


def count_by_value(x: Iterable[K]) -> dict[K, int]:
    """How often each value occurs, in order of first occurrence."""
    return dict(Counter(x))


def group_by(f: Callable[[T], K], x: Iterable[T]) -> dict[K, list[T]]:
    """The values listed under their key `f(value)`, in order."""
    return group_by_key((f(value), value) for value in x)


def group_by_key(x: Iterable[tuple[K, T]]) -> dict[K, list[T]]:
    """The values of `(key, value)` pairs listed under their key, in order."""
    out: dict[K, list[T]] = {}
    for key, value in x:
        out.setdefault(key, []).append(value)
    return out


def sum_by_key(x: Iterable[tuple[K, Any]]) -> dict[K, Any]:
    """The sum of the values of each key of `(key, value)` pairs; the values themselves are not changed."""
    return reduce_by_key(lambda a, b: a + b, x)


def reduce_by_key(f: Callable[[T, T], T], x: Iterable[tuple[K, T]]) -> dict[K, T]:
    """The values of each key of `(key, value)` pairs joined from the left by `f(so_far, value)`."""
    out: dict[K, T] = {}
    for key, value in x:
        out[key] = f(out[key], value) if key in out else value
    return out


def flat_map(f: Callable[[T], Iterable[U]], x: Iterable[T]) -> list[U]:
    """The elements of `f(value)` for each value, end to end."""
    return [element for value in x for element in f(value)]


def least_occurring(x: Sequence[K], count: int | None = None, percent: float | None = None, keep_freq: bool = True) -> list[K]:
    """The entries of `x` whose values are among the rarest (keep_freq), or those values once each, rarest first.

    The rarest are `count` distinct values, or the share `percent` (between 0 and 1) of the distinct values, at least one. Of values
    equally rare, those seen first come first. Without `count` and `percent`, all of `x`.
    """
    if count is None and percent is None:
        return list(x)
    frequency = count_by_value(x)
    rarest = sorted(frequency, key=frequency.__getitem__)
    rarest = rarest[: max(int(len(rarest) * percent), 1) if count is None else count]  # type: ignore[operator]
    if not keep_freq:
        return rarest
    kept = set(rarest)
    return [value for value in x if value in kept]


def get_parent_directory(filepath: str | PathLike[str], levels: int = 0) -> Path:
    """The folder `levels` above a path; the path itself with 0."""
    path = Path(filepath)
    for _ in range(levels):
        path = path.parent
    return path


def text_file(f: str | PathLike[str]) -> list[str]:
    """The lines of a UTF-8 text file, without the line ends."""
    return Path(f).read_text(encoding="utf-8").removesuffix("\n").split("\n")
