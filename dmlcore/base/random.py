"""Random numbers: whatever the user holds (Generator, RandomState, int, None) becomes a Generator; no global state."""

from __future__ import annotations

import numpy as np

from dmlcore.base.errors import ParameterError

Random = np.random.Generator | np.random.RandomState | int | None


def generator(rng: Random) -> np.random.Generator:
    """A Generator from a Generator (itself), a RandomState (sharing and advancing its state), a seed, or None (fresh entropy)."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, np.random.RandomState):
        return np.random.Generator(rng._bit_generator)
    if rng is None or (isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0):
        return np.random.default_rng(rng)
    raise ParameterError(f"rng must be a Generator, a RandomState, a whole number >= 0 or None, got {rng!r}")


def spawn(rng: np.random.Generator, count: int) -> list[np.random.Generator]:
    """`count` independent streams, drawn from the state of `rng` (which advances, so a second call gives others)."""
    seeds = np.random.SeedSequence(rng.integers(0, 2**63, size=4).tolist())
    return [np.random.default_rng(s) for s in seeds.spawn(count)]
