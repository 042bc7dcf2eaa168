"""What repeats is kept once: whole numbers as codes, and rows that hold the same codes as one row."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.data.columns import Distinct, Values

CODED_MIN_ROWS = 64  # below this, coding costs more than it saves
CODED_MAX_VALUES = 1 << 14  # more distinct values than a block has rows: a table would outgrow the block


def coded(x: np.ndarray, always: bool = False) -> Any:
    """Whole numbers as `Distinct` where few values repeat, as `Values` otherwise (or `Distinct` whatever they are)."""
    n = len(x)
    limit = n if always else min(CODED_MAX_VALUES, n // 2)
    if n < CODED_MIN_ROWS and not always:
        return Values(x)
    low, high = (int(x.min()), int(x.max())) if n else (0, 0)
    if high - low < 1 << 16:
        seen = np.zeros(high - low + 1, dtype=bool)
        seen[x - low] = True
        values = np.flatnonzero(seen) + low
        if n and len(values) <= limit:
            table = np.zeros(len(seen), dtype=np.uint16)
            table[values - low] = np.arange(len(values))
            return Distinct(table[x - low], Values(values))
        return Distinct(np.zeros(0, np.uint16), Values(x[:0])) if always else Values(x)
    if not always and len(np.unique(x[:: max(1, n // 4096)])) > 2048:
        return Values(x)
    values, codes = np.unique(x, return_inverse=True)
    if len(values) > limit:
        return Values(x)
    return Distinct(codes.astype(np.uint16 if len(values) <= 1 << 16 else np.int32), Values(values))


def same_bags(
    offsets: np.ndarray, codes: np.ndarray, size: int, extra: np.ndarray | None = None, ordered: bool = False
) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows that hold the same codes (below `size`), in whatever order (or, ordered, in the same), and the same `extra` whole number.

    `(one row of each group, the group of each row)`, or None where too few rows repeat to keep them once. Rows are compared by two
    independent 64-bit sums of random numbers, one number per code.
    """
    n = len(offsets) - 1
    if n < CODED_MIN_ROWS:
        return None
    marks = np.random.default_rng(20261122).integers(0, 2**64, size=(2, size), dtype=np.uint64)
    sums = []
    place = np.arange(len(codes), dtype=np.uint64) - np.repeat(offsets[:-1], np.diff(offsets)).astype(np.uint64) if ordered else None
    for mark, odd in zip(marks, (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F), strict=True):
        each = mark[codes] if place is None else mixed_bits(mark[codes] + place * np.uint64(odd))
        total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(each, dtype=np.uint64)])
        sums.append(total[offsets[1:]] - total[offsets[:-1]] + np.diff(offsets).astype(np.uint64) * np.uint64(odd))
        if extra is not None:
            sums[-1] ^= extra.astype(np.uint64) * np.uint64(odd >> 3 | 1)
    _, kept, groups = np.unique(sums[0], return_index=True, return_inverse=True)
    if len(kept) > min(CODED_MAX_VALUES, n // 2) or (sums[1] != sums[1][kept][groups]).any():
        return None
    return kept, groups.astype(np.uint16)


def mixed_bits(x: np.ndarray) -> np.ndarray:
    """64-bit numbers as others, one to one, in which every bit depends on all (the finaliser of SplitMix64: Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
