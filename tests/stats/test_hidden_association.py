"""Associations of bags: densities by going through all assignments of words, steps of EM by them, conditioning, and errors."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import dmlcore
from dmlcore import UNKNOWN, fit
from dmlcore.base.errors import ParameterError, StructureError, SupportError
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    ConditionalDistribution,
    ConditionalDistributionEstimator,
    GaussianDistribution,
    HiddenAssociationDistribution,
    HiddenAssociationEstimator,
    IntegerCategoricalDistribution,
    IntegerHiddenAssociationDistribution,
    IntegerHiddenAssociationEstimator,
    IntegerMultinomialDistribution,
    MultinomialDistribution,
    PoissonDistribution,
    SparseMarkovAssociationDistribution,
    SparseMarkovAssociationEstimator,
)

C = CategoricalDistribution
WORDS = {"a": C({"x": 0.7, "y": 0.3}), "b": C({"y": 0.2, "z": 0.8})}
LENGTHS = [0.1, 0.3, 0.2, 0.4]
SOURCES = MultinomialDistribution(C({"a": 0.6, "b": 0.4}), PoissonDistribution(2.0))
law = HiddenAssociationDistribution(ConditionalDistribution(WORDS), SOURCES, IntegerCategoricalDistribution(0, LENGTHS))
ROWS: list[Any] = [([("a", 1), ("b", 1)], [("z", 1)]), ([("a", 2)], [("x", 2)]), ([("a", 2), ("b", 1)], {"y": 2, "z": 1}), ([], [])]
NUMBERS: list[Any] = [([(0, 1), (1, 1)], [(2, 1)]), ([(0, 2)], [(0, 2)]), ([(0, 2), (1, 1)], [(1, 2), (2, 1)])]
STATES, WEIGHTS = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]), np.array([[0.9, 0.1], [0.25, 0.75]])


def listed(bag: Any) -> list[Any]:
    return list(Counter(dict(bag)).elements())


def orders(bag: Any) -> float:
    counts = dict(bag).values()
    return math.factorial(sum(counts)) / math.prod(map(math.factorial, counts))


def assignments(row: Any, of: Any) -> list[tuple[float, list[tuple[Any, Any]]]]:
    """All ways in which the words of a target may come from the values of its source, and the joint probability of each."""
    values, words = map(listed, row)
    ways = itertools.product(values, repeat=len(words))
    return [
        (math.prod(of(v, w) / len(values) for v, w in zip(way, words, strict=True)), list(zip(way, words, strict=True))) for way in ways
    ]


def test_density_is_the_sum_over_all_assignments() -> None:
    def of(value: Any, word: Any) -> float:
        return WORDS[value].density(word)

    for row in ROWS:
        p = sum(joint for joint, _ in assignments(row, of)) if listed(row[0]) else 1.0
        expected = p * SOURCES.density(row[0]) * (orders(row[1]) * LENGTHS[len(listed(row[1]))] if listed(row[0]) else 1.0)
        assert law.density(row) == pytest.approx(expected, rel=1e-12)


def test_one_step_shares_words_out_as_the_assignments_do() -> None:
    def of(value: Any, word: Any) -> float:
        return WORDS[value].density(word)

    expected: Counter[Any] = Counter()
    for row in ROWS[:3]:
        ways = assignments(row, of)
        for joint, pairs in ways:
            for pair in pairs:
                expected[pair] += joint / sum(p for p, _ in ways)
    model = fit(ROWS, law.estimator(), start=law, max_its=1, delta=0.0).model
    for value, dist in model.cond_dist.dmap.items():
        whole = sum(count for (v, _), count in expected.items() if v == value)
        for word in dist.pmap:
            assert dist.density(word) == pytest.approx(expected[value, word] / whole, rel=1e-12)
    np.testing.assert_allclose(list(model.len_dist.p_vec), [0.0, 1 / 3, 1 / 3, 1 / 3])  # of the three with a source


def test_words_are_told_apart_by_which_sources_they_come_with() -> None:
    truth = law.replace(cond_dist=ConditionalDistribution({"a": GaussianDistribution(-3.0, 1.0), "b": GaussianDistribution(3.0, 0.5)}))
    found = fit(truth.sample(400, rng=1), truth.estimator(), rng=1).model.cond_dist.dmap
    assert found["a"].mu == pytest.approx(-3, abs=0.2)
    assert found["b"].mu == pytest.approx(3, abs=0.2)


def test_the_target_given_its_source_and_nothing_the_other_way() -> None:
    given = dmlcore.condition(law, ([("a", 2), ("b", 1)], UNKNOWN))
    assert given.log_density([("y", 2)]) == pytest.approx(math.log(0.2 * (0.3 * 2 / 3 + 0.2 / 3) ** 2), rel=1e-12)
    assert given == law.target_given({"a": 2, "b": 1})
    assert dmlcore.condition(law, ([], UNKNOWN)).log_density([]) == 0.0
    for other, row in ((law, (UNKNOWN, [("x", 1)])), (number_law(0.1), (UNKNOWN, [(1, 1)]))):
        with pytest.raises(StructureError, match="no law of a source given its target"):
            dmlcore.condition(other, row)
    given = dmlcore.condition(number_law(0.2), ([(0, 2), (1, 1)], UNKNOWN))
    np.testing.assert_allclose(given.dist.p_vec, 0.2 / 3 + 0.8 * (2 * WEIGHTS[0] + WEIGHTS[1]) / 3 @ STATES)


def number_law(alpha: float) -> IntegerHiddenAssociationDistribution:
    parts = IntegerMultinomialDistribution(0, [0.6, 0.4], PoissonDistribution(2.0)), IntegerCategoricalDistribution(0, LENGTHS)
    return IntegerHiddenAssociationDistribution(STATES, WEIGHTS, alpha, *parts)


def test_states_between_values_and_words_are_conditional_mixtures() -> None:
    table = 0.2 / 3 + 0.8 * WEIGHTS @ STATES
    flat = law.replace(
        cond_dist=ConditionalDistribution([IntegerCategoricalDistribution(0, row) for row in table]), given_dist=number_law(0.2).prev_dist
    )
    rows = number_law(0.2).sample(300, rng=1)
    np.testing.assert_allclose(number_law(0.2).seq_log_density(rows), flat.seq_log_density(rows), rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_a_step_with_states_shares_words_out_among_values_and_states(alpha: float) -> None:
    weights, states = np.zeros((2, 2)), np.zeros((2, 3))
    for row in NUMBERS:
        source, whole = dict(row[0]), sum(dict(row[0]).values())
        for word, count in row[1]:
            joint = np.array([source.get(v, 0) / whole * WEIGHTS[v] * STATES[:, word] for v in (0, 1)]) * (1 - alpha)
            joint *= count / (joint.sum() + alpha / 3)
            weights += joint
            states[:, word] += joint.sum(axis=0)
    start = number_law(alpha)
    model = fit(NUMBERS, start.estimator(), start=start, max_its=1, delta=0.0).model
    np.testing.assert_allclose(model.cond_weights, weights / weights.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(model.state_prob_mat, states / states.sum(axis=1, keepdims=True), rtol=1e-12)


def test_dmx_agrees_where_it_is_right() -> None:
    """Of dmx-learn 1.1.1: without the orders of words, and with no law of sources; its alpha counts once for each value of a source."""
    bare = law.replace(given_dist=None)
    for row, value in zip(ROWS, (-2.120263536200091, -2.3227878003115654, -4.881558251821114), strict=False):
        assert bare.log_density(row) - math.log(orders(row[1])) == pytest.approx(value, rel=1e-12)
    for alpha, values in ((0.0, (-1.9914306643571225, -3.162495491432093, -4.7401044669623715)), (0.2, (None, -3.275789562761397, None))):
        own = number_law(alpha).replace(prev_dist=None)
        for row, value in zip(NUMBERS, values, strict=True):
            if value is not None:
                assert own.log_density(row) - math.log(orders(row[1])) == pytest.approx(value, rel=1e-12)


TABLE = [[0.2, 0.8, 0.0], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]


@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_a_sparse_table_is_a_conditional_of_numbers(alpha: float) -> None:
    both = CompositeDistribution((PoissonDistribution(2.0), PoissonDistribution(3.0)))
    sparse = SparseMarkovAssociationDistribution([0.5, 0.3, 0.2], scipy.sparse.csr_array(TABLE), alpha, both)
    assert sparse == SparseMarkovAssociationDistribution([0.5, 0.3, 0.2], TABLE, alpha, both)
    halves = scipy.sparse.coo_array((np.repeat(0.5, 6), (np.repeat(range(3), 2), np.repeat(range(3), 2))))  # entries in parts
    assert SparseMarkovAssociationDistribution([0.5, 0.3, 0.2], halves) == SparseMarkovAssociationDistribution([0.5, 0.3, 0.2], np.eye(3))
    words = ConditionalDistribution([IntegerCategoricalDistribution(0, row) for row in alpha / 3 + (1 - alpha) * np.array(TABLE)])
    flat = HiddenAssociationDistribution(words, IntegerMultinomialDistribution(0, [0.5, 0.3, 0.2]))
    rows = [row for row in sparse.sample(300, rng=1) if row[0]]
    np.testing.assert_allclose(sparse.replace(len_dist=None).seq_log_density(rows), flat.seq_log_density(rows), rtol=1e-12)
    np.testing.assert_allclose(
        sparse.seq_log_density(rows) - sparse.replace(len_dist=None).seq_log_density(rows),
        both.seq_log_density([(sum(c for _, c in source), sum(c for _, c in target)) for source, target in rows]),
        rtol=1e-9,
    )
    given = dmlcore.condition(sparse, ([(0, 2), (1, 1)], UNKNOWN))
    np.testing.assert_allclose(given.dist.p_vec, [flat.target_given([(0, 2), (1, 1)]).dist.density(w) for w in range(3)])
    values = (-1.3862943611198906, -3.2188758248682006, -2.50510935710552), (-1.3217558399823195, -2.9685495389601884, -2.544118936086604)
    for row, value in zip(NUMBERS, values[alpha > 0], strict=True):  # dmx-learn's, which scores targets alone, without their orders
        target = sparse.target_given(row[0]).replace(len_dist=None).log_density(row[1])
        assert target - math.log(orders(row[1])) == pytest.approx(value, rel=1e-12)


def test_a_step_of_a_sparse_table_leaves_the_background_out() -> None:
    start = SparseMarkovAssociationDistribution([0.5, 0.3, 0.2], TABLE, 0.2)
    expected = np.zeros((3, 3))
    for source, target in NUMBERS:
        whole = sum(c for _, c in source)
        for word, count in target:
            parts = np.array([dict(source).get(v, 0) / whole * 0.8 * TABLE[v][word] for v in range(3)])
            expected[:, word] += count * parts / (parts.sum() + 0.2 / 3)
    model = fit(NUMBERS, start.estimator(), start=start, max_its=1, delta=0.0).model
    for v, row in model.cond_prob_mat.items():
        for word, p in row.items():
            assert p == pytest.approx(expected[v, word] / expected[v].sum(), rel=1e-12)
    np.testing.assert_allclose(model.init_prob_vec, [5 / 7, 2 / 7, 0])


def test_values_that_bring_no_word_leave_all_alike() -> None:
    sparse = SparseMarkovAssociationDistribution([0.5, 0.5], {0: {1: 1.0}})
    np.testing.assert_allclose(sparse.target_given([(0, 1), (1, 1)]).dist.p_vec, [0.25, 0.75])
    np.testing.assert_allclose(sparse.target_given([]).dist.p_vec, [0.5, 0.5])
    estimator = SparseMarkovAssociationEstimator(2, pseudo_count=2.0)
    model = fit([([(0, 2)], [(1, 1)]), ([], [(0, 1)])], estimator).model
    np.testing.assert_allclose(model.init_prob_vec, [3 / 4, 1 / 4])
    assert model.cond_prob_mat == {0: {1: 1.0}}
    told = fit([([(0, 2)], [(1, 1)])], estimator.replace(suff_stat=([0.5, 0.5], [[1.0, 0.0], [0.0, 1.0]]))).model
    assert told.cond_prob_mat[0] == pytest.approx({0: 2 / 3, 1: 1 / 3})
    assert told.cond_prob_mat[1] == {1: 1.0}


def test_pseudo_observations_of_states_and_words() -> None:
    one = IntegerHiddenAssociationEstimator((2, 3), 1, pseudo_count=(1.0, 3.0))
    model = fit([([(0, 1)], [(0, 4), (1, 2)])], one, rng=1).model
    np.testing.assert_allclose(model.state_prob_mat, [[5 / 9, 3 / 9, 1 / 9]])
    told = fit([([(0, 1)], [(0, 4)])], one.replace(suff_stat=(None, [[0.0, 0.5, 0.5]])), rng=1).model
    np.testing.assert_allclose(told.state_prob_mat, [[4 / 7, 1.5 / 7, 1.5 / 7]])


def test_what_is_wrong_is_said() -> None:
    cond = ConditionalDistributionEstimator({"a": CategoricalEstimator(), "b": CategoricalEstimator()})
    with pytest.raises(ParameterError, match="must be a Conditional"):
        HiddenAssociationDistribution(WORDS["a"])
    with pytest.raises(ParameterError, match="must have no given_estimator"):
        HiddenAssociationEstimator(cond.replace(given_estimator=CategoricalEstimator()))
    with pytest.raises(ParameterError, match="give it to the estimators of its parts"):
        HiddenAssociationEstimator(cond, pseudo_count=1.0)
    with pytest.raises(StructureError, match="no law of a bag"):
        HiddenAssociationDistribution(ConditionalDistribution(WORDS), WORDS["a"])
    with pytest.raises(StructureError, match="no law of a bag of whole numbers"):
        IntegerHiddenAssociationDistribution(STATES, WEIGHTS, prev_dist=SOURCES)
    with pytest.raises(ParameterError, match="one column per row of state_prob_mat"):
        IntegerHiddenAssociationDistribution(STATES, np.eye(3))
    with pytest.raises(SupportError, match=r"row 1 .*'c' has density zero"):
        fit([([("a", 1), ("b", 1)], [("x", 1)]), ([("c", 1)], [("x", 1)])], HiddenAssociationEstimator(cond), rng=1)
    with pytest.raises(SupportError, match=r"row 1 .*the source is empty"):
        fit([([("a", 1), ("b", 1)], [("x", 1)]), ([], [("x", 1)])], HiddenAssociationEstimator(cond), rng=1)
    with pytest.raises(ParameterError, match="whole numbers from 0 to 1"):
        SparseMarkovAssociationDistribution([0.5, 0.5], {0: {2: 1.0}})
    for table in (np.eye(2), np.eye(4), scipy.sparse.csr_array(np.eye(3)[:2])):
        with pytest.raises(ParameterError, match=r"cond_prob_mat must be a matrix \(3, 3\), .*got one of shape"):
            SparseMarkovAssociationDistribution([0.5, 0.3, 0.2], table)
    with pytest.raises(StructureError, match="must draw pairs of whole numbers"):
        SparseMarkovAssociationDistribution([0.5, 0.5], {0: {1: 1.0}}, len_dist=PoissonDistribution(2.0)).sample(3, rng=1)
    with pytest.raises(ParameterError, match=r"row 0 .* sum"):
        SparseMarkovAssociationDistribution([0.5, 0.5], [[0.5, 0.4], [0.0, 1.0]])
    with pytest.raises(SupportError, match=r"row 1 .*word 2 is none of 0 to 1"):
        fit([([(0, 1)], [(1, 1)]), ([(0, 1)], [(2, 1)])], SparseMarkovAssociationEstimator(2), rng=1)
    for row, said in ((([(2, 1)], []), "value 2 is none of 0 to 1"), (([(0, 1)], [(3, 1)]), "word 3"), (([], [(1, 1)]), "is empty")):
        with pytest.raises(SupportError, match=said):
            fit([([(0, 1)], [(1, 1)]), row], IntegerHiddenAssociationEstimator((2, 3), 2), rng=1)


def test_sources_that_are_not_there_or_unknown() -> None:
    law = HiddenAssociationDistribution(ConditionalDistribution({"a": CategoricalDistribution({"b": 1.0})}))
    with pytest.raises(StructureError, match="has no given_dist, so sources cannot be drawn; give it one, or condition on a source"):
        law.sample(3)
    with pytest.raises(StructureError, match="'z' has density zero; it is none of the labels 'a'"):
        law.target_given([("z", 1)])
    with pytest.raises(StructureError, match="has no len_dist, so lengths cannot be drawn"):
        SparseMarkovAssociationDistribution([0.5, 0.5], {0: {0: 1.0}, 1: {1: 1.0}}).sample(3)
