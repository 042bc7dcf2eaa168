"""Hidden Markov trees against sums over all states, and against hidden Markov models where trees are chains."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dmlcore import UNKNOWN, condition, fit, impute
from dmlcore.base.errors import DataError, ParameterError, StructureError, SupportError
from dmlcore.core.partial import given, partial
from dmlcore.data.trees import TreeLevels, depths
from dmlcore.fitting.drivers import estimate
from dmlcore.inference.condition import log_evidence
from dmlcore.inference.relabel import ordered
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeDistribution,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    HiddenMarkovEstimator,
    HiddenMarkovModelDistribution,
    IntegerCategoricalDistribution,
    IntegerCategoricalEstimator,
    MixtureEstimator,
    OptionalEstimator,
    PoissonDistribution,
    TreeHiddenMarkovEstimator,
    TreeHiddenMarkovModelDistribution,
)

N = GaussianDistribution
TOPICS = [N(-1.0, 1.0), N(2.0, 0.5), N(0.0, 4.0)]
W, P = [0.5, 0.3, 0.2], [[0.8, 0.1, 0.1], [0.3, 0.5, 0.2], [0.1, 0.0, 0.9]]
BRANCHES = IntegerCategoricalDistribution(0, [0.6, 0.1, 0.3])
LAW = TreeHiddenMarkovModelDistribution(TOPICS, W, P, BRANCHES)
ABOVE = [-1, 0, 0, 1, 1, 4]
VALUES = [0.3, -1.2, 2.2, 1.9, -0.4, 0.7]


def tree(values: Any, above: Any) -> list[Any]:
    return [((v, p), x) for v, (p, x) in enumerate(zip(above, values, strict=True))]


def assignments(law: Any, x: Any) -> dict[tuple[int, ...], float]:
    """Every way to give states to nodes, with the log of its joint density with a tree, without the numbers of nodes on nodes."""
    each = np.array([[topic.log_density(value) for topic in law.topics] for _, value in x])
    with np.errstate(divide="ignore"):
        log_w, log_P = np.log(law.w), np.log(law.transitions)
    return {
        z: log_w[z[0]] + sum(log_P[z[p], z[v]] for (v, p), _ in x[1:]) + sum(each[v, s] for v, s in enumerate(z))
        for z in itertools.product(range(law.num_states), repeat=len(x))
    }


def branches(law: Any, x: Any) -> float:
    return sum(law.len_dist.log_density(sum(p == v for (_, p), _ in x)) for v in range(len(x)))


FAR = TreeHiddenMarkovModelDistribution([N(0.0, 1.0), N(60.0, 1.0)], [1.0, 0.0], [[0.999, 0.001], [0.0, 1.0]], PoissonDistribution(1.0))
APART = [0.0, 55.0, 60.0, 0.0, 4.0, 61.0]  # densities further apart than floating point reaches
NEVER = TreeHiddenMarkovModelDistribution([N(0.0, 1.0), N(90.0, 1.0)], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]])
SWITCHED = [0.0, 0.0, 0.0, 90.0, 90.0, 0.0]


@pytest.mark.parametrize(("law", "values"), [(LAW, VALUES), (FAR, APART), (NEVER, SWITCHED)], ids=["near", "far", "never"])
def test_states_against_all_assignments(law: Any, values: Any) -> None:
    x = tree(values, ABOVE)
    every = assignments(law, x)
    total = np.logaddexp.reduce(list(every.values()))
    assert law.log_density(x) == pytest.approx(total + branches(law, x), rel=1e-13)
    S, share = law.num_states, {z: np.exp(log - total) for z, log in every.items()}
    posterior = [[sum(p for z, p in share.items() if z[v] == s) for s in range(S)] for v in range(6)]
    np.testing.assert_allclose(law.posterior(x), posterior, atol=1e-12)
    both = [[[sum(q for z, q in share.items() if (z[p], z[v]) == (i, j)) for j in range(S)] for i in range(S)] for (v, p), _ in x[1:]]
    np.testing.assert_allclose(law.pair_posterior(x), both, atol=1e-12)
    assert tuple(law.most_probable_states(x)) == tuple(law.viterbi(x)) == max(every, key=every.__getitem__)
    after: Any = estimate([x], law.estimator(), law)
    np.testing.assert_allclose(after.w, posterior[0], atol=1e-12)
    counts = np.sum(both, axis=0)
    seen = counts.sum(axis=1) > 0
    np.testing.assert_allclose(after.transitions[seen], counts[seen] / counts[seen].sum(axis=1, keepdims=True), atol=1e-12)


def test_many_trees_at_once_are_each_for_itself() -> None:
    rows = LAW.sample(60, rng=1)
    together = LAW.seq_posterior(rows)
    for x, states in zip(rows[:12], together, strict=False):
        np.testing.assert_allclose(states, LAW.posterior(x), atol=1e-13)
    np.testing.assert_allclose(LAW.seq_log_density(rows), [LAW.log_density(x) for x in rows], rtol=1e-12)
    assert [len(path) for path in LAW.seq_viterbi(rows)] == [len(x) for x in rows]


def test_trees_that_are_chains_are_hidden_markov_models() -> None:
    chain = HiddenMarkovModelDistribution(TOPICS, W, P)
    lists = [row for row in chain.replace(len_dist=PoissonDistribution(6.0)).sample(40, rng=2) if row]
    trees = [tree(row, range(-1, len(row) - 1)) for row in lists]
    law = TreeHiddenMarkovModelDistribution(TOPICS, W, P)
    np.testing.assert_allclose(law.seq_log_density(trees), chain.seq_log_density(lists), rtol=1e-12)
    for one, two in zip(law.seq_posterior(trees), chain.seq_posterior(lists), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-12)
    assert [p.tolist() for p in law.seq_viterbi(trees)] == [p.tolist() for p in chain.seq_viterbi(lists)]
    np.testing.assert_allclose(law.pair_posterior(trees[0]), chain.pair_posterior(lists[0]), atol=1e-12)
    options: Any = {"pseudo_count": (1.0, 2.0)}
    one: Any = fit(trees, TreeHiddenMarkovEstimator([GaussianEstimator()] * 3, **options), start=law, max_its=4)
    two: Any = fit(lists, HiddenMarkovEstimator([GaussianEstimator()] * 3, **options), start=chain, max_its=4)
    np.testing.assert_allclose(one.objective, two.objective, rtol=1e-12)
    np.testing.assert_allclose(one.model.transitions, two.model.transitions, rtol=1e-9)


def test_deep_and_wide_trees_keep_their_digits() -> None:
    rng = np.random.default_rng(1)
    for above in (range(-1, 999), [-1, *[0] * 999], [-1, *(rng.integers(v) for v in range(1, 1000))]):
        x = tree(rng.normal(size=1000), [int(p) for p in above])
        law = TreeHiddenMarkovModelDistribution([N(0.0, 1.0)] * 2, [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]])
        assert law.log_density(x) == pytest.approx(N(0.0, 1.0).seq_log_density([v for _, v in x]).sum(), rel=1e-12)
    above = rng.integers(0, 50, size=200)
    above = np.minimum(above, np.arange(200) - 1)
    slow = [0] * 200
    for v in range(1, 200):
        slow[v] = slow[above[v]] + 1
    assert depths(above).tolist() == slow
    levels = TreeLevels(above)
    assert sorted(levels.order.tolist()) == list(range(200))
    assert (np.diff(np.array(slow)[levels.order]) >= 0).all()


def test_what_follows_from_parts() -> None:
    x = tree([UNKNOWN, -1.2, UNKNOWN, 1.9, UNKNOWN, 0.7], ABOVE)
    known = {v: value for (v, _), value in x if value is not UNKNOWN}
    full = assignments(LAW, tree([known.get(v, 0.0) for v in range(6)], ABOVE))
    zero = [topic.log_density(0.0) for topic in TOPICS]
    joint = {z: log - sum(zero[z[v]] for v in range(6) if v not in known) for z, log in full.items()}
    total = np.logaddexp.reduce(list(joint.values()))
    assert log_evidence(LAW, x) == pytest.approx(total + branches(LAW, x), abs=1e-12)
    law: Any = condition(LAW, x)
    cases: dict[tuple[int, ...], float] = {}
    for z, log in joint.items():
        cases[z[0], z[2], z[4]] = cases.get((z[0], z[2], z[4]), 0.0) + float(np.exp(log - total))
    y = (0.4, -0.3, 1.0)
    expected = sum(p * np.prod([TOPICS[s].density(v) for s, v in zip(z, y, strict=True)]) for z, p in cases.items())
    assert law.density(y) == pytest.approx(expected, rel=1e-12)
    alone: Any = condition(LAW, tree([*VALUES[:5], UNKNOWN], ABOVE))
    before = LAW.replace(len_dist=None).posterior(tree(VALUES[:5], ABOVE[:5]))
    np.testing.assert_allclose(alone.w, before[4] @ LAW.transitions, atol=1e-12)
    rows = [tree([UNKNOWN, *VALUES[1:]], ABOVE), tree([UNKNOWN, 0.1, 0.2, 0.3, 0.4, 0.5], [-1, 0, 1, 2, 2, 0])]
    filled = impute(LAW, rows).data
    for row, out in zip(rows, filled, strict=True):
        one: Any = condition(LAW, row)
        assert out[0][1] == pytest.approx(one.mean())
        assert out[1:] == row[1:]
    _, unknown = given(LAW, partial(LAW.layout, x), 1)
    first = np.array(unknown.draw(np.zeros(20_000, dtype=int), np.random.default_rng(1))).T
    mean = sum(p * np.array([TOPICS[s].mean() for s in z]) for z, p in cases.items())
    square = sum(p * TOPICS[z[0]].mean() * TOPICS[z[2]].mean() for z, p in cases.items())
    np.testing.assert_allclose(first.mean(axis=0), mean, atol=0.06)
    assert (first[:, 0] * first[:, 2]).mean() == pytest.approx(square, abs=0.12)


def test_draws_are_trees_level_by_level() -> None:
    rows = LAW.sample(4000, rng=3)
    assert max(len(x) for x in rows) > 5
    for x in rows[:200]:
        above = np.array([p for (_, p), _ in x])
        assert [v for (v, _), _ in x] == list(range(len(x)))
        assert (np.diff(depths(above)) >= 0).all()
        assert depths(above).max() <= LAW.terminal_level
    roots = np.bincount([sum(p == 0 for (_, p), _ in x) for x in rows], minlength=3) / len(rows)
    np.testing.assert_allclose(roots, BRANCHES.p_vec, atol=0.03)
    two = [(x[0][1], x[1][1]) for x in rows if len(x) > 1]
    mean = np.array([t.mean() for t in TOPICS])
    expected = np.array(W) @ (mean[:, None] * LAW.transitions * mean).sum(axis=1)
    assert np.mean([a * b for a, b in two]) == pytest.approx(expected, abs=0.2)
    short = LAW.replace(terminal_level=1, len_dist=PoissonDistribution(5.0))
    assert {p for x in short.sample(50, rng=1) for (_, p), _ in x} == {-1, 0}
    assert fit(rows[:50], short.estimator(), starts=1, max_its=2, rng=1).model.terminal_level == 1  # type: ignore[attr-defined]
    with pytest.raises(StructureError, match="has no len_dist"):
        LAW.replace(len_dist=None).sample(2)


@pytest.mark.parametrize("assign", ["soft", "hard", "stochastic"])
def test_fits(assign: Any) -> None:
    truth = TreeHiddenMarkovModelDistribution([N(-2.0, 1.0), N(2.0, 1.0)], [0.7, 0.3], [[0.9, 0.1], [0.3, 0.7]], BRANCHES)
    rows = truth.sample(300, rng=4)
    estimator = TreeHiddenMarkovEstimator([GaussianEstimator()] * 2, IntegerCategoricalEstimator(), (0.5, 1.0))
    found: Any = fit(rows, estimator, rng=0, starts=2, assign=assign, **({"max_its": 30} if assign == "stochastic" else {}))
    model: Any = ordered(found.model, key=lambda law: law.mean())
    np.testing.assert_allclose([law.mean() for law in model.topics], [-2.0, 2.0], atol=0.35)
    np.testing.assert_allclose(model.transitions, truth.transitions, atol=0.12)
    np.testing.assert_allclose(model.len_dist.p_vec, BRANCHES.p_vec, atol=0.06)
    if assign != "stochastic":
        assert np.diff(found.objective).min() > -1e-9 * abs(found.objective[-1])


def test_trees_nest_tie_and_have_gaps() -> None:
    rows = LAW.sample(40, rng=5)
    one = TreeHiddenMarkovEstimator([OptionalEstimator(GaussianEstimator())] * 2, keys=(None, "P", None))
    gaps = [[(link, None if i % 3 == 1 else x) for i, (link, x) in enumerate(row)] for row in rows]
    both: Any = fit(list(zip(gaps, gaps[::-1], strict=True)), CompositeEstimator([one] * 2), rng=0, starts=1, max_its=5)
    left, right = both.model.dists
    np.testing.assert_array_equal(left.transitions, right.transitions)
    assert (left.w != right.w).any()
    kinds: Any = fit(rows, MixtureEstimator([TreeHiddenMarkovEstimator([GaussianEstimator()] * 2)] * 2), rng=0, starts=2, max_its=5)
    for found in (both, kinds):
        assert np.diff(found.objective).min() > -1e-9 * abs(found.objective[-1])


def test_bad_input() -> None:
    G = GaussianEstimator()
    with pytest.raises(ParameterError, match=r"transitions must be \(2, 2\)"):
        TreeHiddenMarkovModelDistribution(TOPICS[:2], [0.5, 0.5], P)
    with pytest.raises(ParameterError, match="topics must be one for each of the 3 states"):
        TreeHiddenMarkovModelDistribution(TOPICS[:2], W, P)
    with pytest.raises(ParameterError, match="terminal_level"):
        TreeHiddenMarkovEstimator([G], terminal_level=-1)
    for above in ([-1, 1], [0, 0], [-1, -1], [-1, 0, 3]):
        with pytest.raises(DataError, match=r"row 1, element .*numbered from 0 in order"):
            LAW.seq_encode([tree([0.0], [-1]), tree([0.0] * len(above), above)])
    with pytest.raises(DataError, match="at least one node"):
        LAW.seq_encode([[]])
    with pytest.raises(DataError, match="its number, that of the node it hangs on"):
        LAW.seq_encode([[(0, 1.0)]])
    assert LAW.log_density([((0, None), 1.0)]) == LAW.log_density([((0, -1), 1.0)])
    with pytest.raises(StructureError, match="the shape of a tree must be known"):
        condition(LAW, [((0, -1), 1.0), UNKNOWN])
    with pytest.raises(StructureError, match="numbered from 0 in order"):
        condition(LAW, [((0, -1), UNKNOWN), ((5, 9), 1.0)])
    labels = [CategoricalDistribution({"a": 1.0}), CategoricalDistribution({"b": 1.0})]
    law = TreeHiddenMarkovModelDistribution(labels, [1.0, 0.0], [[0.0, 1.0], [1.0, 0.0]], BRANCHES)
    with pytest.raises(SupportError, match=r"row 1 has density zero .*no path of states"):
        law.seq_posterior([tree("ab", [-1, 0]), tree("aa", [-1, 0])])
    np.testing.assert_array_equal(law.seq_posterior([tree("aab", [-1, 0, 1])], impossible="prior")[0], [[1, 0], [0, 1], [1, 0]])
    assert law.explain_zero_density(tree("abbb", [-1, 0, 0, 0])).startswith("number of nodes on node 0 of tree hidden markov")
    short = LAW.seq_encode([tree(VALUES, ABOVE), tree([1.0], [-1])]).column.shortened(3)  # the first nodes of a tree are a tree
    assert short.listed() == [tree(VALUES[:3], ABOVE[:3]), tree([1.0], [-1])]
    assert len(short.lengths) == 4
    encoded = CompositeDistribution([LAW]).seq_encode([(tree([0.5, 1.0], [-1, 0]),), (tree([2.0], [-1]),)])
    assert encoded.column.listed() == [([((0, -1), 0.5), ((1, 0), 1.0)],), ([((0, -1), 2.0)],)]
