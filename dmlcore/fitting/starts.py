"""Where an ascent begins: random starts, alone or many as one stack; a model, labels or shares of the rows that are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, DegenerateError, EmptyError, ParameterError, StructureError, SupportError
from dmlcore.base.random import spawn
from dmlcore.core.declared import check_node
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.fitting.assignment import EVEN_SHARE, random_shares, shares_first
from dmlcore.fitting.impossible import first_impossible
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.resolved import added, local
from dmlcore.fitting.rows import RowBlock
from dmlcore.fitting.seeding import Descriptions, shares_apart


def random_start(problem: Problem, rng: np.random.Generator, p: float) -> Any:
    """A fraction `p` of the rows, assigned at random wherever a component must be chosen.

    Without components to choose between (none are latent, or there is one) it is the maximum of what all rows say.
    """

    def start() -> Any:
        if not problem.resolved.choosing:
            return problem.maximise(problem.resolved.start_statistics, None)
        return chosen_at_random(problem.in_memory)

    def chosen_at_random(problem: Problem) -> Any:
        shares_rng, rows_rng = spawn(rng, 2)
        owns = problem.opened(random_shares(shares_rng), np.maximum(problem.rows.kept(rows_rng, p), EVEN_SHARE * p))
        if problem.rows.share < 1 and problem.resolved.scalable:
            owns = with_all_rows(owns, problem.downweighted(EVEN_SHARE * p * problem.rows.share))
        return problem.maximise(owns, None)

    return _naming_impossible_rows(problem, start)


def _naming_impossible_rows(problem: Problem, start: Callable[[], Any]) -> Any:
    """What `start` gives. Raises `SupportError` for the first row that no parameters could have produced, if it fails by one."""
    try:
        return start()
    except (EmptyError, DegenerateError):
        rows = problem.rows.in_memory
        places = np.arange(rows.count) if rows.codes is None else rows.codes
        if found := first_impossible(problem.estimator, rows.encoded.column, places, rows.observations):
            row, why = found
            said = f"row {row} has density zero under every choice the model allows ({why}); leave it out or model it"
            raise SupportError(said) from None
        raise


def with_all_rows(owns: list[Any], everywhere: list[Any]) -> list[Any]:
    """Statistics in preorder, and a little of all rows. Local ones stay as they are: they say nothing of another law, and theirs has a
    density everywhere."""
    return [own if own is None or local(own) else own + other for own, other in zip(owns, everywhere, strict=True)]


def stack_of_starts(problem: Problem, rngs: Sequence[np.random.Generator], kinds: Sequence[Any], descriptions: Descriptions) -> Any:
    """Starts as one stack, of a problem `stacked` for as many. A kind is a number, the part of the rows that a random start begins with; a
    word, for components that lie apart (`shares_apart`); or shares `(K, n)` of the outermost latent node."""
    shares, kept = [], np.ones((len(rngs), len(problem.rows)))
    for r, (rng, kind) in enumerate(zip(rngs, kinds, strict=True)):
        if isinstance(kind, str):
            shares.append(shares_apart(rng, descriptions, kind))
        elif isinstance(kind, np.ndarray):
            shares.append(shares_first(kind, random_shares(rng)))
        else:
            shares_rng, rows_rng = spawn(rng, 2)
            kept[r] = np.maximum(problem.rows.kept(rows_rng, kind), EVEN_SHARE * kind)
            shares.append(random_shares(shares_rng))
    blocks = problem.rows.one_block
    owns = problem.opened(shares, kept, blocks)
    if problem.rows.share < 1:
        fractions = np.array([kind if isinstance(kind, float) else 1.0 for kind in kinds])
        every = np.broadcast_to((EVEN_SHARE * fractions * problem.rows.share)[:, None], kept.shape)
        owns = with_all_rows(owns, problem.opened([_all_rows] * len(rngs), every, blocks))
    return problem.maximise(owns, None)


def _all_rows(K: int, n: int, estimators: Any = (), column: Any = None) -> np.ndarray:
    return np.ones((K, n))


def start_from_shares(problem: Problem, shares: np.ndarray, rng: np.random.Generator) -> Distribution:
    """The model that follows from shares `(K, count)` of the components of a mixture; what else is latent starts at random."""
    shares = EVEN_SHARE / len(shares) + (1 - EVEN_SHARE) * problem.rows.mean_over_copies(shares)
    inner = random_shares(rng)

    def of_block(block: RowBlock) -> list[Any]:
        own = shares[:, block.start : block.start + len(block.weights)]
        return problem.opened(shares_first(own, inner), blocks=[block])

    return problem.maximise(reduce(added, map(of_block, problem.rows.blocks)), None)


def first_model(problem: Problem, init_estimator: Estimator | None, rng: Any, p: float) -> Distribution:
    """A random start of the problem's estimator, or of another of the same shape."""
    if init_estimator is None:
        return random_start(problem, rng, p)
    check_node(init_estimator, Estimator.noun, "init_estimator", StructureError)
    layout = problem.estimator.layout
    if layout.joined(init_estimator.layout) == layout:
        return adjusted(problem, random_start(problem.learning(init_estimator), rng, p))
    rows = problem.rows.in_memory
    weights = np.broadcast_to(rows.given_weights, rows.count)
    return adjusted(problem, random_start(Problem.of(rows.raw, init_estimator, weights, rows.threads), rng, p))


def given_start(problem: Problem, start: Any, rng: np.random.Generator) -> Distribution:
    """The model to begin from, as the user gives it: a model, a component for each row, or shares of the components."""
    if isinstance(start, Distribution):
        return adjusted(problem, start)
    K = getattr(problem.estimator, "num_components", None)
    if K is None:
        got = type(start).__name__
        raise StructureError(f"start does not fit the estimator: {problem.estimator.label} is no mixture, so it must be a model, got {got}")
    if problem.rows.in_memory is not problem.rows:
        raise ParameterError("start must be a model where data are read in parts: labels and shares are one for each row")
    return start_from_shares(problem, shares_of(start, problem.rows.count, K), rng)


def adjusted(problem: Problem, model: Any) -> Distribution:
    """A model to begin from, as the estimator would have it. Raises `StructureError` where it is of another shape."""
    return problem.check(adopted(problem.estimator, model))


def adopted(estimator: Estimator, law: Any) -> Any:
    """A law whose parts are as the estimator would have them: without a law of lengths, say, where lengths are not modelled."""
    parts = law.children() if isinstance(law, Distribution) else ()
    if len(parts) != len(estimator.children()):
        return law
    new = tuple(adopted(e, e.adopt(part)) for e, part in zip(estimator.children(), parts, strict=True))
    return law if all(a is b for a, b in zip(new, parts, strict=True)) else law.replace(**law.child_values(new))


def shares_of(start: Any, n: int, K: int) -> np.ndarray:
    """Checked shares `(K, n)` of K components in n rows, from shares `(n, K)` or from one component per row `(n,)`."""
    try:
        given = np.asarray(start, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"start must be a model, {n} components, or shares ({n}, {K}); got {type(start).__name__}") from None
    if given.shape == (n,):
        wrong = (given != np.floor(given)) | ~(given >= 0) | ~(given < K)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(f"start: row {row} is {given[row]:g}; need a component, 0 to {K - 1}")
        return (np.arange(K)[:, None] == given).astype(np.float64)
    if given.shape != (n, K):
        raise DataError(f"start must have shape ({n},) or ({n}, {K}), got {given.shape}")
    wrong = ~((given >= 0) & np.isfinite(given)).all(axis=1) | ~(given.sum(axis=1) > 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"start: row {row} is {given[row].tolist()}; need shares >= 0, not all zero")
    return np.ascontiguousarray((given / given.sum(axis=1, keepdims=True)).T)


def check_fraction(p: float) -> None:
    """Raises `ParameterError` unless a fraction of the rows is in (0, 1]."""
    if not 0 < p <= 1:
        raise ParameterError(f"init_p must be in (0, 1], got {p!r}")
