"""Components that read one list in different ways stand in one mixture; lists in another order are different to who minds the order."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import dmlcore.data.encoded
from dmlcore import fit, from_json, to_json
from dmlcore.data.columns import Distinct
from dmlcore.data.layouts import Labels
from dmlcore.data.sequences import Repeated
from dmlcore.stats import (
    BernoulliSetDistribution,
    CategoricalDistribution,
    CompositeEstimator,
    GaussianEstimator,
    MarkovChainDistribution,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    OptionalEstimator,
    PoissonDistribution,
    SequenceDistribution,
    SequenceEstimator,
)

CHAIN = MarkovChainDistribution({"a": 0.5, "b": 0.5}, {"a": {"a": 0.1, "b": 0.9}, "b": {"a": 0.9, "b": 0.1}}, PoissonDistribution(8.0))
BAG = SequenceDistribution(CategoricalDistribution({"a": 0.8, "b": 0.2}), PoissonDistribution(6.0))
BOTH = MixtureDistribution([CHAIN, BAG], [0.6, 0.4])


def test_the_density_is_that_of_each_reading() -> None:
    rows = [["a", "b"], ["b", "a", "a"], [], ["b"], ["a", "a", "b"]]
    each = np.array([CHAIN.seq_log_density(rows), BAG.seq_log_density(rows)])
    np.testing.assert_allclose(BOTH.seq_log_density(rows), np.logaddexp(each[0] + np.log(0.6), each[1] + np.log(0.4)), rtol=1e-12)
    np.testing.assert_allclose(BOTH.seq_component_log_density(rows), each.T, rtol=1e-12)
    sets = MixtureDistribution([BernoulliSetDistribution({"a": 0.3, "b": 0.6}), BAG], [0.5, 0.5])
    alone = [law.log_density(["a", "b"]) for law in sets.components]
    assert sets.log_density(["a", "b"]) == pytest.approx(np.logaddexp(*alone) - np.log(2), rel=1e-12)


def test_a_fit_tells_them_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = BOTH.sample(1500, rng=1)
    estimator = MixtureEstimator([CHAIN.estimator(), BAG.estimator()])
    found = fit(rows, estimator, rng=0)
    assert found.converged
    assert np.diff(found.objective).min() > -1e-8
    assert found.log_likelihood > BOTH.seq_log_density(rows).sum()
    np.testing.assert_allclose(found.model.w, [0.6, 0.4], atol=0.05)
    monkeypatch.setattr(dmlcore.data.encoded, "BLOCK_ROWS", 64)
    np.testing.assert_allclose(found.model.seq_log_density(rows).sum(), found.log_likelihood, rtol=1e-11)
    for again in (from_json(to_json(found.model)), pickle.loads(pickle.dumps(found.model))):
        assert again == found.model


def test_inside_records_that_may_be_missing() -> None:
    lists: list[Any] = BOTH.sample(300, rng=2)
    lists[5] = None
    rows = list(zip(lists, np.random.default_rng(0).normal(size=300).tolist(), strict=True))
    mixture = MixtureEstimator([MarkovChainEstimator(), SequenceEstimator(CategoricalDistribution({"a": 1.0}).estimator())])
    found = fit(rows, CompositeEstimator((OptionalEstimator(mixture, est_prob=True), GaussianEstimator())), rng=0)
    assert found.converged
    assert found.model.dists[0].p == pytest.approx(1 / 300)


def test_lists_in_another_order_are_different_to_who_minds_the_order() -> None:
    rows = [["a", "b"], ["b", "a"], ["a", "b"], ["b", "b"], ["a", "a", "b"], ["a", "b", "a"]] * 40
    bags, ordered = Repeated("x", Labels("y")), Repeated("x", Labels("y"), ordered=True)
    for layout, count in ((bags, 3), (ordered, 5)):
        column = layout.encode(rows)
        assert isinstance(column, Distinct)
        assert len(column.values) == count
        assert [sorted(column.row(i)) for i in range(len(rows))] == [sorted(row) for row in rows]
    assert [ordered.encode(rows).row(i) for i in range(6)] == rows[:6]
    assert bags.joined(ordered) == ordered
