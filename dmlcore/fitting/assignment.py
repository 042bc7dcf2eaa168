"""How rows are given to latent classes: at random or as given for a start, and by posteriors in each step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.core.mixing import Drawn, exact_mix, largest

EVEN_SHARE = 0.01  # share of a random start that is spread evenly, so that every row has a density under every component

RULES = ("soft", "hard", "stochastic")  # rows are shared out by posteriors; given to the most probable class; to one that is drawn


def check_rule(assign: Any, accelerate: Any, delta: Any, change: Any) -> None:
    """Raises `ParameterError` for a rule that there is not, or that does not go with other options of a fit."""
    if assign not in RULES:
        raise ParameterError(f"assign must be one of {', '.join(map(repr, RULES))}, got {assign!r}")
    if assign != "soft" and accelerate:
        raise ParameterError(f"accelerate=True needs assign='soft': steps of assign={assign!r} do not follow a smooth path")
    if assign == "stochastic" and ((delta is not None and delta > 0) or change is not None):
        raise ParameterError("with assign='stochastic' gains and changes are chance: stop by max_its or patience, not by delta or change")


def mixing(assign: str, draws: np.random.Generator | None) -> Callable[[int], Any]:
    """Of one pass over the rows: what gives the rule of the block that begins at a row, the same for any number of threads."""
    if draws is None:
        return partial(_every_block, largest if assign == "hard" else exact_mix)
    return partial(_block_draws, int(draws.integers(1 << 62)))


def _every_block(mix: Any, start: int) -> Any:
    return mix


def _block_draws(seed: int, start: int) -> Drawn:
    return Drawn((seed, start))


def random_shares(rng: np.random.Generator) -> Any:
    """Responsibilities that assign each row to one component at random, all but a faint share."""

    def shares(K: int, n: int, estimators: Any = (), column: Any = None) -> np.ndarray:
        out = np.full((K, n), EVEN_SHARE / K)
        out[rng.integers(K, size=n), np.arange(n)] += 1 - EVEN_SHARE
        return out

    return shares


def shares_first(given: np.ndarray, then: Any) -> Any:
    """Responsibilities that are given for the outermost latent node, which asks first, and come from `then` for those inside."""
    waiting = [given]
    return lambda K, n, estimators=(), column=None: waiting.pop() if waiting else then(K, n, estimators, column)
