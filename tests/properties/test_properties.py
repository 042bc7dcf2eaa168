"""What must hold of every model, on random ones: trees of any nesting with random parameters, and data with gaps.

`python -m tests.properties --examples 2000 --seed 1` sees more of them than the suite does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, event, given, note, reject
from hypothesis import strategies as st

import dmlcore.data.encoded
from dmlcore import condition, fit, marginal, missing_at_random
from dmlcore.base.errors import DataError, DegenerateError, EmptyError, KeyClashError, StructureError, SupportError
from dmlcore.core.nodes import distinct_nodes
from dmlcore.data.encoded import encode
from dmlcore.data.layouts import AnyKind, Maybe
from dmlcore.data.record_layouts import Fields
from dmlcore.data.sequences import Bag, LabelSet, Repeated
from dmlcore.fitting.problem import Problem
from dmlcore.inference.condition import log_evidence
from dmlcore.io.json import to_json
from dmlcore.stats import initialize
from tests.inference.test_condition import hidden, unknowns
from tests.properties.profile import few
from tests.properties.strategies import Tree, trees
from tests.test_conformance_distributions import by_hand, copies
from tests.test_conformance_fitting import assert_same

seeds = st.integers(0, 999)


# -- densities ---------------------------------------------------------------------------------------------------------


def shape_and_reals(layout: Any, x: Any, atoms: frozenset[float]) -> tuple[Any, list[float]]:
    """An observation with its real numbers taken out, and these. Sets and bags have no order; atoms are numbers of a probability."""
    if isinstance(layout, Maybe):
        layout = layout.value
    if isinstance(x, np.ndarray):
        return ("vector", len(x)), x.tolist()
    if isinstance(x, float) and x not in atoms:
        return "real", [x]
    if not isinstance(x, (list, tuple)):
        return x, []
    fields = layout.values if isinstance(layout, Fields) else [getattr(layout, "value", None)] * len(x)
    parts = [shape_and_reals(part, v, atoms) for part, v in zip(fields, x, strict=True)]
    if isinstance(layout, (LabelSet, Bag)):
        parts.sort(key=repr)
    return (type(x).__name__, *(shape for shape, _ in parts)), [real for _, reals in parts for real in reals]


def with_real(x: Any, real: float, atoms: frozenset[float]) -> Any:
    """An observation with another number in place of its one real."""
    if isinstance(x, float) and x not in atoms:
        return real
    return type(x)(with_real(v, real, atoms) for v in x) if isinstance(x, (list, tuple)) else x


def panels(reals: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights to integrate along a line, from draws of it: Gauss-Legendre rules between some of these, and in the tails."""
    ends = np.unique([*np.quantile(reals, np.linspace(0, 1, 40)), 0.0])
    tails = max(np.ptp(ends), 1e-9) * 2.0 ** np.arange(-6, 9)
    ends = np.unique(np.concatenate([ends[0] - tails, ends, ends[-1] + tails]))
    node, weight = np.polynomial.legendre.leggauss(10)
    half = np.diff(ends)[:, None] / 2
    return (ends[:-1, None] + half + half * node).ravel(), (half * weight).ravel()


@few(20)
@given(trees(), seeds)
def test_density_sums_to_one_and_draws_follow_it(tree: Tree, seed: int) -> None:
    """The probability of every shape of an observation that is drawn, a sum or an integral along its one real number, against how often
    it is drawn; of all that are not drawn the rest is left, which is about the share of those drawn once (Good 1953)."""
    assume(tree.replay is None and not tree.tags & {"loose", "round"})
    law, n = tree.law, 2000
    assume(not any(isinstance(node.layout, AnyKind) for node in distinct_nodes(law)))  # 2 may be a real, and a whole number
    rows = tree.rows(n, seed)
    repeats = Counter(real for x in rows for real in shape_and_reals(law.layout, x, frozenset())[1])
    atoms = frozenset(real for real, count in repeats.items() if count > 1)
    shapes = [shape_and_reals(law.layout, x, atoms) for x in rows]
    assume(all(len(reals) <= 1 for _, reals in shapes))
    of_shape: dict[str, list[int]] = {}
    for i, (shape, _) in enumerate(shapes):
        of_shape.setdefault(repr(shape), []).append(i)
    assume(len(of_shape) <= 400 and sum(bool(shapes[found[0]][1]) for found in of_shape.values()) <= 20)
    expected = np.zeros(len(of_shape))
    for j, found in enumerate(of_shape.values()):
        here = rows[found[0]]
        reals = [real for i in found for real in shapes[i][1]]
        if reals:
            x, weights = panels(reals)
            expected[j] = np.exp(law.seq_log_density([with_real(here, real, atoms) for real in x.tolist()])) @ weights
        else:
            expected[j] = law.density(here)
    counts = np.array([len(found) for found in of_shape.values()])
    once = int((counts == 1).sum())
    assert expected.sum() <= 1.01
    assert expected.sum() + once / n >= 0.99 - 5 * math.sqrt(once) / n
    far = np.abs(counts - n * expected) - 6 * np.sqrt(n * expected) - 8 - 0.01 * counts
    assert far.max() < 0, (list(of_shape)[int(far.argmax())], counts[far.argmax()], n * expected[far.argmax()])


@few(20)
@given(trees(), seeds)
def test_log_density_is_its_definition(tree: Tree, seed: int) -> None:
    rows = tree.rows(30, seed)
    log = tree.law.seq_log_density(rows)
    assert not np.isnan(log).any()
    np.testing.assert_allclose([tree.law.log_density(x) for x in rows], log, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose([by_hand(tree.law, x) for x in rows], log, rtol=1e-9, atol=1e-9)
    assert tree.replay is not None or (log > -np.inf).all()


# -- copies ------------------------------------------------------------------------------------------------------------


@few(20)
@given(trees(), seeds)
def test_copies_are_equal_to_the_bit(tree: Tree, seed: int) -> None:
    rows = tree.rows(20, seed)
    log = tree.law.seq_log_density(rows)
    for node in (tree.law, tree.law.estimator(), tree.law.estimator(1.5)):
        made = copies(node)
        number, shown, written = hash(node), repr(node), to_json(node)
        for i, other in enumerate(made):
            assert other == node
            assert hash(other) == number
            assert repr(other) == shown
            assert i == 0 or to_json(other) == written
            if node is tree.law:
                np.testing.assert_array_equal(other.seq_log_density(rows), log)


# -- what is unknown ---------------------------------------------------------------------------------------------------

NOT_IN_PART = {"unsampled", "whole", "forward", "shaped"}  # examples that give no law of a part of what they read


@few(20)
@given(trees(), seeds)
def test_joint_is_evidence_times_conditional(tree: Tree, seed: int) -> None:
    law = tree.law
    for x in tree.rows(3, seed):
        ways = hidden(law.layout, x)
        for at in np.random.default_rng(seed).permutation(len(ways))[:6]:
            observed, value = ways[at]
            try:
                unknown, slots = condition(law, observed), unknowns(law.layout, observed)
            except StructureError:
                if tree.tags & NOT_IN_PART:
                    continue
                raise
            note(f"{observed} was {value}")
            unknown = unknown if len(slots) == 1 else marginal(unknown, slots.index(True))
            right = log_evidence(law, observed) + unknown.log_density(value)
            assert law.log_density(x) == pytest.approx(right, rel=1e-9, abs=1e-9)


# -- fits --------------------------------------------------------------------------------------------------------------


def steps(tree: Tree, rows: Any, estimator: Any, start: Any, max_its: int, **settings: Any) -> Any:
    with refusals(tree):
        return fit(rows, estimator, start=start, max_its=max_its, delta=0.0, progress=False, **settings)


@contextmanager
def refusals(tree: Tree) -> Iterator[None]:
    """Passes over examples that cannot be fitted, as an error says: rows are too few, or alike; rows that are replayed, and not drawn,
    are impossible; laws of one key have other pseudo-observations."""
    try:
        yield
    except (DegenerateError, EmptyError, SupportError, KeyClashError) as error:
        if isinstance(error, SupportError) and tree.replay is None:
            raise
        event(str(error)[:60])
        reject()


def started(tree: Tree, rows: Any, estimator: Any, seed: int) -> Any:
    with refusals(tree):
        return initialize(rows, estimator, seed, 0.5)


priors = st.sampled_from([None, 0.3, 1.5])


@few(20)
@given(trees(), priors, st.integers(5, 60), seeds)
def test_em_never_falls(tree: Tree, prior: float | None, n: int, seed: int) -> None:
    """From the law itself, and from a random start: with few rows some components sit on their floors."""
    rows, estimator = tree.rows(n, seed), tree.law.estimator(prior)
    for start in (tree.law, started(tree, rows, estimator, seed)):
        record = steps(tree, rows, estimator, start, 8)
        assert record.status in ("iteration limit", "degenerate", "converged"), record.message
        assert np.diff(record.objective).min(initial=0.0) >= -1e-9 * (1 + abs(record.objective[-1]))
        assert Problem.of(rows, estimator).log_likelihood(record.model) == pytest.approx(record.log_likelihood, rel=1e-10, abs=1e-10)


def with_gaps(layout: Any, x: Any, share: float, rng: np.random.Generator) -> Any:
    """An observation with None in place of some of what may be missing."""
    if isinstance(layout, Maybe):
        return None if rng.random() < share else with_gaps(layout.value, x, share, rng)
    if isinstance(layout, (Fields, Repeated)) and isinstance(x, (list, tuple)):
        parts = layout.values if isinstance(layout, Fields) else [layout.value] * len(x)
        return type(x)(with_gaps(part, v, share, rng) for part, v in zip(parts, x, strict=True))
    return x


@few(20)
@given(trees(), priors, seeds)
def test_em_never_falls_on_data_with_gaps(tree: Tree, prior: float | None, seed: int) -> None:
    estimator, rng = missing_at_random(tree.law.estimator(prior)), np.random.default_rng(seed)
    whole = tree.rows(40, seed)
    try:
        encode(whole, estimator.layout)
    except DataError:  # a label None, which would be a gap
        reject()
    rows = [with_gaps(estimator.layout, x, 0.25, rng) for x in whole]
    record = steps(tree, rows, estimator, started(tree, rows, estimator, seed), 8)
    assert record.status in ("iteration limit", "degenerate", "converged"), record.message
    assert np.diff(record.objective).min(initial=0.0) >= -1e-9 * (1 + abs(record.objective[-1]))


@few(15)
@given(trees(), priors, seeds, st.sampled_from([15, 16, 17, 100]))
def test_any_number_of_threads_gives_the_same_bits(tree: Tree, prior: float | None, seed: int, n: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dmlcore.data.encoded, "BLOCK_ROWS", 16)
        rows, estimator = tree.rows(n, seed), tree.law.estimator(prior)
        one, *others = [steps(tree, rows, estimator, tree.law, 2, threads=threads) for threads in (1, 2, 5, 16)]
        for other in others:
            assert other.history == one.history
            assert other.model == one.model
        log = tree.law.seq_log_density(rows, threads=1)
        for threads in (3, 16):
            np.testing.assert_array_equal(tree.law.seq_log_density(rows, threads=threads), log)


@few(15)
@given(trees(), priors, seeds)
def test_rows_in_any_order_and_duplicates_as_weights_give_one_fit(tree: Tree, prior: float | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, estimator = tree.rows(25, seed), tree.law.estimator(prior)
    w = rng.integers(0, 4, len(rows))
    assume(w.any())
    repeated = [x for x, count in zip(rows, w, strict=True) for _ in range(count)]
    shuffled = [repeated[i] for i in rng.permutation(len(repeated))]
    one = steps(tree, rows, estimator, tree.law, 2, weights=w)
    for other in (steps(tree, repeated, estimator, tree.law, 2), steps(tree, shuffled, estimator, tree.law, 2)):
        np.testing.assert_allclose(other.history, one.history, rtol=1e-8, atol=1e-8)
        assert_same(other.model, one.model, 1e-5, 1e-8)
