"""Chow-Liu trees against sums over all vectors, and over all trees."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats

from dmlcore import UNKNOWN, condition, fit, impute, marginal
from dmlcore.base.errors import DataError, ParameterError
from dmlcore.inference.condition import log_evidence
from dmlcore.stats import ICLTreeDistribution, ICLTreeEstimator, IntegerCategoricalDistribution, MixtureEstimator

RNG = np.random.default_rng(0)


def tables(*shapes: Any) -> list[np.ndarray]:
    return [np.log(RNG.dirichlet(np.ones(shape[-1]), shape[:-1])) for shape in shapes]


STAR = ICLTreeDistribution([(0, None), (1, 0), (2, 0), (3, 0), (4, 1)], tables((3,), (3, 2), (3, 3), (3, 2), (2, 2)))
FOREST = ICLTreeDistribution([(3, 1), (1, None), (0, 3), (2, None)], tables((2, 3), (2,), (3, 2), (4,)))


def everything(law: Any) -> tuple[np.ndarray, np.ndarray]:
    x = np.array(list(itertools.product(*map(range, law.num_states))))
    return x, np.exp(law.seq_log_density(x))


@pytest.mark.parametrize("law", [STAR, FOREST])
def test_moments_are_sums_over_all_vectors(law: Any) -> None:
    x, p = everything(law)
    assert p.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(law.mean(), p @ x)
    np.testing.assert_allclose(law.variance(), p @ x**2 - (p @ x) ** 2)
    assert law.entropy() == pytest.approx(-p @ np.log(p))
    assert law.mode().tolist() == x[np.argmax(p)].tolist()
    pairs = law.expected_statistics(2.0).pairs
    for i, j in itertools.product(range(law.num_features), repeat=2):
        both = np.zeros(pairs.shape[2:])
        np.add.at(both, (x[:, i], x[:, j]), 2.0 * p)
        np.testing.assert_allclose(pairs[i, j], both, atol=1e-15)


@pytest.mark.parametrize("law", [STAR, FOREST])
def test_the_law_of_any_features_given_any_others(law: Any) -> None:
    x, p = everything(law)
    for known in itertools.product([False, True], repeat=law.num_features):
        seen, rest = np.flatnonzero(known), np.flatnonzero(~np.array(known))
        if not len(rest) or not len(seen):
            continue
        at = [int(x[7, j]) if j in seen else UNKNOWN for j in range(law.num_features)]
        here = (x[:, seen] == x[7, seen]).all(axis=1)
        assert log_evidence(law, at) == pytest.approx(np.log(p[here].sum()))
        found: Any = condition(law, at)
        assert type(found) is (IntegerCategoricalDistribution if len(rest) == 1 else ICLTreeDistribution)
        values = x[here][:, rest[0]] if len(rest) == 1 else x[here][:, rest]
        np.testing.assert_allclose(np.exp(found.seq_log_density(values)), p[here] / p[here].sum(), atol=1e-15)
        names, where = np.unique(x[:, rest], axis=0, return_inverse=True)
        share = np.bincount(where.ravel(), p)
        alone: Any = marginal(law, rest.tolist())
        np.testing.assert_allclose(np.exp(alone.seq_log_density(names[:, 0] if len(rest) == 1 else names)), share, atol=1e-15)


def test_a_value_that_cannot_be_says_so() -> None:
    law = ICLTreeDistribution([(0, None), (1, 0)], [[0.0, -np.inf], np.log([[0.3, 0.7], [0.5, 0.5]])])
    assert log_evidence(law, [1, UNKNOWN]) == -np.inf
    assert log_evidence(law, [0, UNKNOWN]) == 0.0
    assert log_evidence(law, [UNKNOWN, 7]) == -np.inf


def all_trees(n: int) -> Any:
    """Every rooted tree of n nodes, as the parent of each (Pruefer's words would do; here by what has no circle)."""
    for parents in itertools.product(range(n), repeat=n - 1):
        pairs = [(0, None), *zip(range(1, n), parents, strict=True)]
        reached = {0}
        for _ in range(n):
            reached |= {j for j, parent in pairs if parent in reached}
        if len(reached) == n:
            yield pairs


def test_no_other_tree_is_more_likely() -> None:
    x = np.array(STAR.sample(300, rng=1))[:, [2, 0, 4, 3]]
    best = fit(x, ICLTreeEstimator()).model
    top = best.seq_log_density(x).sum()
    found = []
    for pairs in all_trees(4):
        total = 0.0
        for j, parent in pairs:
            above = x[:, parent] if parent is not None else np.zeros(len(x))
            both, one = (np.unique(v, axis=0, return_counts=True)[1] for v in (np.stack([above, x[:, j]], axis=1), above[:, None]))
            total += scipy.special.xlogy(both, both).sum() - scipy.special.xlogy(one, one).sum()
        found.append(total)
    assert len(found) == 16
    assert top == pytest.approx(max(found), rel=1e-12)


def test_estimates_are_shares_and_the_prior_is_pseudo_vectors() -> None:
    rows = [[0, 1, 2], [0, 0, 0], [1, 1, 1], [1, 1, 2], [0, 0, 1]]
    law = fit(rows, ICLTreeEstimator()).model
    assert law.num_states == [2, 2, 3]
    one, two = law.estimator(2.0), ICLTreeEstimator(pseudo_count=12.0)
    again = fit(rows, one).model
    np.testing.assert_allclose(again.seq_log_density(rows), law.seq_log_density(rows))
    vectors = [*rows, *map(list, itertools.product(range(2), range(2), range(3)))]
    assert fit(rows, two).model.dependency_list == fit(vectors, ICLTreeEstimator()).model.dependency_list
    np.testing.assert_allclose(
        fit(rows, two).model.seq_log_density(vectors), fit(vectors, ICLTreeEstimator()).model.seq_log_density(vectors)
    )
    assert ICLTreeEstimator(num_states=4, pseudo_count=1.0).family is ICLTreeDistribution
    assert fit(rows, ICLTreeEstimator(num_states=4, pseudo_count=1.0)).model.density([3, 3, 3]) > 0


def test_the_order_of_pairs_and_tables() -> None:
    pairs, parts = [(0, None), (1, 0), (2, 1)], tables((2,), (2, 3), (3, 2))
    law = ICLTreeDistribution(pairs, parts)
    assert ICLTreeDistribution(pairs, [parts[i] for i in (2, 0, 1)], [2, 0, 1]) == law
    assert ICLTreeDistribution([pairs[i] for i in (2, 0, 1)], [parts[i] for i in (2, 0, 1)]) == law
    assert law.log_density([1, 2, 0]) == pytest.approx(parts[0][1] + parts[1][1, 2] + parts[2][2, 0])


def test_a_mixture_of_trees_finds_both() -> None:
    near = np.log([[0.9, 0.1], [0.1, 0.9]])
    laws = [
        ICLTreeDistribution([(j, i) for j, i in zip(order, [None, *order[:-1]], strict=True)], [np.log([0.5, 0.5]), *[near] * 3])
        for order in ([0, 1, 2, 3], [0, 2, 1, 3])
    ]
    rows = np.concatenate([law.sample(1500, rng=k) for k, law in enumerate(laws)])
    record = fit(rows, MixtureEstimator([ICLTreeEstimator(4, 2)] * 2), rng=1, starts=8)
    truth = np.logaddexp(*(law.seq_log_density(rows) for law in laws)).sum() + len(rows) * np.log(0.5)
    assert record.log_likelihood >= truth
    assert all(b >= a - 1e-9 * abs(a) for a, b in itertools.pairwise(record.objective))


def test_imputed_cells_follow_the_law() -> None:
    rows = np.array(STAR.sample(4000, rng=2))
    holed = rows.tolist()
    for row in holed:
        row[1] = row[4] = None
    filled = np.array(impute(STAR, holed, how="sample", rng=3).data)
    assert (filled[:, [0, 2, 3]] == rows[:, [0, 2, 3]]).all()
    both = np.stack([filled[:, 1] * 2 + filled[:, 4], filled[:, 0]])
    table = [[np.sum((both[0] == a) & (both[1] == b)) for b in range(3)] for a in range(4)]
    before = [[np.sum((rows[:, 1] * 2 + rows[:, 4] == a) & (rows[:, 0] == b)) for b in range(3)] for a in range(4)]
    assert scipy.stats.chi2_contingency(np.array([np.ravel(table), np.ravel(before)])).pvalue > 1e-3
    mean = np.array(impute(STAR, holed[:3]).data)[:, 1]
    np.testing.assert_allclose(mean, [condition(STAR, [a, UNKNOWN, b, c, UNKNOWN]).mean()[0] for a, _, b, c, _ in holed[:3]])  # type: ignore[attr-defined]


def test_bad_trees_and_bad_data() -> None:
    good = tables((2,), (2, 2))
    for pairs, parts, message in [
        ([(0, None), (1, 1)], good, "must be a tree"),
        ([(0, 1), (1, 0)], [good[1], good[1]], "must be a tree"),
        ([(0, None), (1, 5)], good, "must be a tree"),
        ([(0, None), (2, 0)], good, "of each feature one"),
        ([(0, None), (1, 0)], good[:1], "as many tables"),
        ([(0, None), (1, 0)], [good[0], good[0]], "shape"),
        ([(0, None), (1, 0)], [good[0], tables((3, 2))[0]], "shape"),
        ([(0, None), (1, 0)], [good[0], [[0.0, 0.0], [0.0, -1.0]]], "sum to one"),
        ([(0, None), (1, 0)], [good[0], [[-np.inf, -np.inf], good[0]]], "feature 0 takes a value"),
    ]:
        with pytest.raises(ParameterError, match=message):
            ICLTreeDistribution(pairs, parts)
    with pytest.raises(DataError, match=r"row 1 .*\[0.5, 1.0\].*whole numbers >= 0"):
        fit([[0, 1], [0.5, 1.0]], ICLTreeEstimator())
    with pytest.raises(DataError, match="at most 1"):
        fit([[0, 1], [0, 2]], ICLTreeEstimator(2, 2))
    with pytest.raises(DataError, match="cells"):
        fit([[0, 1], [10**9, 0]], ICLTreeEstimator())
    with pytest.raises(ParameterError, match="suff_stat"):
        ICLTreeEstimator(2, 2, 1.0, np.ones((2, 2)))
