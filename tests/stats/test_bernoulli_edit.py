"""Pairs of sets against sums over all of them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.special

from dmlcore import UNKNOWN, condition, fit, impute, marginal
from dmlcore.base.errors import DataError, ParameterError, StructureError
from dmlcore.inference.condition import log_evidence
from dmlcore.stats import (
    BernoulliEditDistribution,
    BernoulliEditEstimator,
    BernoulliSetDistribution,
    BernoulliSetEstimator,
    IntegerBernoulliEditDistribution,
    IntegerBernoulliEditEstimator,
    IntegerBernoulliSetDistribution,
    IntegerStepBernoulliEditEstimator,
    MixtureEstimator,
    NullEstimator,
    PoissonDistribution,
)

BEFORE = BernoulliSetDistribution({"a": 0.3, "b": 0.6, "c": 0.5}, 0.0)
ADDED, KEPT = {"a": 0.2, "b": 1.0, "c": 0.4}, {"c": 0.0, "a": 0.9, "b": 0.3}
LAW = BernoulliEditDistribution(ADDED, KEPT, BEFORE, 0.0)
SETS = [list(part) for size in range(4) for part in itertools.combinations("abc", size)]


def by_hand(before: Any, after: Any) -> float:
    p = BEFORE.density(before)
    for a in "abc":
        there = KEPT[a] if a in before else ADDED[a]
        p *= there if a in after else 1 - there
    return p


def test_density_is_its_definition() -> None:
    for pairs in (list(itertools.product(SETS, SETS)), list(itertools.product(SETS, SETS)) * 40):
        np.testing.assert_allclose(np.exp(LAW.seq_log_density(pairs)), [by_hand(*pair) for pair in pairs], atol=1e-15)
    assert LAW.density((["a"], ["b", "z"])) == LAW.density((["z"], [])) == 0.0


def test_each_set_given_the_other() -> None:
    for at in SETS:
        found = condition(LAW, (at, UNKNOWN))
        np.testing.assert_allclose([found.density(s) for s in SETS], [by_hand(at, s) / BEFORE.density(at) for s in SETS], atol=1e-15)
        total = sum(by_hand(s, at) for s in SETS)
        assert np.exp(log_evidence(LAW, (UNKNOWN, at))) == pytest.approx(total)
        if total > 0:
            found = condition(LAW, (UNKNOWN, at))
            np.testing.assert_allclose([found.density(s) for s in SETS], [by_hand(s, at) / total for s in SETS], atol=1e-15)
    alone: Any = marginal(LAW, 1)
    np.testing.assert_allclose([alone.density(s) for s in SETS], [sum(by_hand(t, s) for t in SETS) for s in SETS], atol=1e-15)
    assert marginal(LAW, 0) == BEFORE
    filled = impute(LAW, [(["a"], None), (None, ["b"])], how="sample", rng=1).data
    assert filled[0][0] == ["a"]
    assert by_hand(*filled[0]) > 0
    assert by_hand(*filled[1]) > 0
    found = impute(LAW, [(["a"], None), (["b", "c"], None)])
    assert [row[1] for row in found.data] == [["a", "b"], []]
    np.testing.assert_allclose(found.cells["field 1"].uncertainty, [by_hand(*row) / BEFORE.density(row[0]) for row in found.data])


def test_estimates_are_shares() -> None:
    rows = LAW.sample(500, rng=1)
    model: Any = fit(rows, BernoulliEditEstimator(BernoulliSetEstimator())).model
    for a in "abc":
        was = [(a in before, a in after) for before, after in rows]
        assert model.added[a] == pytest.approx(np.mean([after for before, after in was if not before]))
        assert model.kept[a] == pytest.approx(np.mean([after for before, after in was if before]))
    assert model.init_dist == fit([before for before, _ in rows], BernoulliSetEstimator()).model
    prior: Any = fit(rows[:1], BernoulliEditEstimator(pseudo_count=4.0, suff_stat={"x": (1, 1, 1, 5)})).model
    assert (prior.added["x"], prior.kept["x"]) == (pytest.approx(0.5 / 2.0), pytest.approx(2.5 / 3.0))  # the pair itself has it not at all


def test_two_levels_are_the_best_of_all_ways_to_part_the_labels() -> None:
    rng = np.random.default_rng(1)
    law = IntegerBernoulliEditDistribution(np.log(rng.uniform(0.1, 0.9, (5, 2))), IntegerBernoulliSetDistribution(np.log([0.5] * 5)))
    rows = law.sample(200, rng=2)
    model: Any = fit(rows, IntegerStepBernoulliEditEstimator(5)).model
    for field, was in (("added", False), ("kept", True)):
        seen = [[j in after for before, after in rows if (j in before) is was] for j in range(5)]
        yes, size = np.array([sum(part) for part in seen]), np.array([len(part) for part in seen])
        best = -np.inf
        for part in itertools.product([False, True], repeat=5):
            total = 0.0
            for mine in (np.array(part), ~np.array(part)):
                a, n = yes[mine].sum(), size[mine].sum()
                total += scipy.special.xlogy(a, a / max(n, 1)) + scipy.special.xlogy(n - a, 1 - a / max(n, 1))
            best = max(best, total)
        p = np.array([getattr(model, field)[j] for j in range(5)])
        assert len(set(p.tolist())) <= 2
        assert yes @ np.log(p) + (size - yes) @ np.log(1 - p) == pytest.approx(best, rel=1e-12)
    record = fit(rows, MixtureEstimator([IntegerStepBernoulliEditEstimator(5, BernoulliSetEstimator())] * 2), rng=1, starts=2)
    assert all(b >= a - 1e-9 * abs(a) for a, b in itertools.pairwise(record.objective))


def test_sets_that_are_all_empty_have_no_labels() -> None:
    for two_levels in (False, True):
        assert fit([([], [])] * 3, BernoulliEditEstimator(two_levels=two_levels), rng=1).model.added == {}


def test_names_of_whole_numbers() -> None:
    two, rest = np.array([[0.2, 0.9], [0.5, 0.0]]), BernoulliSetDistribution({0: 0.5})
    with np.errstate(divide="ignore"):
        law = IntegerBernoulliEditDistribution(np.log(two), rest)
        assert law == IntegerBernoulliEditDistribution(np.log(np.hstack([1 - two, two])), rest)
    assert law == BernoulliEditDistribution({0: 0.2, 1: 0.5}, {0: 0.9, 1: 0.0}, rest, 0.0)
    assert IntegerBernoulliEditEstimator(2, pseudo_count=1.0) == BernoulliEditEstimator(
        NullEstimator(), 1e-128, 1.0, dict.fromkeys(range(2), (0.25,) * 4), closed=True
    )
    for bad in ([[0.1, -1.0]], [-1.0], [[-1.0] * 4], "x"):
        with pytest.raises(ParameterError, match="log_edit_pmat"):
            IntegerBernoulliEditDistribution(bad)


def test_without_a_law_of_the_set_before() -> None:
    law = BernoulliEditDistribution(ADDED, KEPT, min_prob=0.0)
    assert law.density((["a"], ["b"])) == pytest.approx(by_hand(["a"], ["b"]) / BEFORE.density(["a"]))
    assert len(law.sample_given([["a"], ["b", "c"]], np.random.default_rng(1))) == 2
    assert law.redraw([(["a"], []), (["b"], [])], np.random.default_rng(1))[1][0] == ["b"]
    with pytest.raises(StructureError, match="drawn"):
        law.sample(2)
    with pytest.raises(StructureError, match="nothing can be said"):
        condition(law, (UNKNOWN, ["a"]))


def test_bad_arguments_and_rows() -> None:
    with pytest.raises(ParameterError, match="same labels"):
        BernoulliEditDistribution({"a": 0.5}, {"b": 0.5})
    with pytest.raises(ParameterError, match="four shares"):
        BernoulliEditEstimator(suff_stat={"a": (0.5, 0.5)})
    with pytest.raises(ParameterError, match="num_vals must be a whole number >= 1"):
        IntegerBernoulliEditEstimator("2")  # type: ignore[arg-type]
    with pytest.raises(StructureError, match="no law of the set before"):
        fit([(["a"], [])], BernoulliEditEstimator(PoissonDistribution(1.0).estimator()))
    with pytest.raises(DataError, match=r"row 1"):
        fit([(["a"], []), (["a", "a"], [])], BernoulliEditEstimator())
