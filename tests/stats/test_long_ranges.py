"""Laws over long ranges of whole numbers, and of many labels: memory and time go with the data, and answers are those of the tables."""

from __future__ import annotations

import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base import sparse
from dmlcore.base.sparse import SparseTable
from dmlcore.core.flat import flatten, n_parameters, unflatten
from dmlcore.inference.parameters import named_numbers
from dmlcore.io.json import from_json, to_json
from dmlcore.stats import (
    BernoulliSetDistribution,
    BinomialEstimator,
    IntegerCategoricalDistribution,
    IntegerCategoricalEstimator,
    MixtureEstimator,
    SpikeAndSlabDistribution,
    SpikeAndSlabEstimator,
    estimate,
)

P = np.zeros(40)
P[[2, 3, 17, 30]] = [0.4, 0.1, 0.3, 0.2]


@pytest.fixture
def both(monkeypatch: Any) -> tuple[Any, Any]:
    """One law, kept as a table and kept sparse."""
    dense = IntegerCategoricalDistribution(-5, P)
    monkeypatch.setattr(sparse, "LONG_TABLE", 8)
    kept = IntegerCategoricalDistribution(-5, P)
    assert isinstance(kept.stored("p_vec"), SparseTable)
    assert not isinstance(dense.stored("p_vec"), SparseTable)
    return dense, kept


def test_a_sparse_table_answers_as_the_table_does(both: tuple[Any, Any]) -> None:
    dense, kept = both
    np.testing.assert_array_equal(kept.p_vec, P)
    assert not kept.p_vec.flags.writeable
    assert kept == dense
    assert hash(kept) == hash(dense)
    assert repr(kept) == repr(dense)
    x = list(range(-8, 40))
    np.testing.assert_array_equal(kept.seq_log_density(x), dense.seq_log_density(x))
    np.testing.assert_array_equal(kept.cdf(np.array(x) + 0.5), dense.cdf(np.array(x) + 0.5))
    q = np.array([0.0, 1e-300, 0.1, 0.4, 0.400001, 0.5, 0.8, 0.99, 1.0, -0.1, 1.1])
    np.testing.assert_array_equal(kept.quantile(q), dense.quantile(q))
    for method in ("mean", "variance", "mode", "entropy"):
        assert getattr(kept, method)() == getattr(dense, method)()
    assert (kept.num_vals, kept.min_val, kept.max_val) == (40, -5, 34)
    np.testing.assert_array_equal(kept.sample(500, rng=3), dense.sample(500, rng=3))
    assert kept.probabilities() == {v: p for v, p in dense.probabilities().items() if p}
    assert n_parameters(kept) == n_parameters(dense) == 39
    np.testing.assert_array_equal(flatten(kept), flatten(dense))
    np.testing.assert_allclose(unflatten(flatten(dense) + 0.2, kept).p_vec, unflatten(flatten(dense) + 0.2, dense).p_vec, rtol=1e-14)
    assert named_numbers(kept) == {f"p_vec[{i}]": P[i] for i in np.flatnonzero(P)}
    for again in (pickle.loads(pickle.dumps(kept)), from_json(to_json(kept)), kept.replace(name=None), eval(repr(kept))):
        assert again == kept
        assert isinstance(again.stored("p_vec"), SparseTable)


def test_estimates_are_those_of_the_table(both: tuple[Any, Any], monkeypatch: Any) -> None:
    dense, kept = both
    rows = dense.sample(300, rng=1).tolist()
    estimators = [
        IntegerCategoricalEstimator(),
        IntegerCategoricalEstimator(-9, 60),
        IntegerCategoricalEstimator(-5, 34, pseudo_count=3.0),
        IntegerCategoricalEstimator(-5, 34, pseudo_count=3.0, suff_stat=P),
    ]
    found = [estimate(rows, e) for e in estimators]
    back = estimate(rows, estimators[1]).estimator(2.0)
    assert [isinstance(law.stored("p_vec"), SparseTable) for law in found] == [True, True, False, True]
    assert estimators[0].estimate(kept.expected_statistics(7.0)).num_vals == 40
    assert kept.estimator().estimate(kept.expected_statistics(7.0)).p_vec == pytest.approx(P)
    mixed = fit(rows, MixtureEstimator([IntegerCategoricalEstimator()] * 2), rng=1)
    monkeypatch.undo()
    for law, e in zip(found, estimators, strict=True):
        expected = estimate(rows, e)
        assert not isinstance(expected.stored("p_vec"), SparseTable)
        np.testing.assert_allclose(law.p_vec, expected.p_vec, rtol=1e-14)
    assert estimate(rows, back).p_vec == pytest.approx(found[1].p_vec, rel=1e-14)
    assert fit(rows, MixtureEstimator([IntegerCategoricalEstimator()] * 2), rng=1).log_likelihood == pytest.approx(mixed.log_likelihood)


def peak_megabytes(work: Any) -> tuple[Any, float]:
    tracemalloc.start()
    try:
        out = work()
        return out, tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_a_few_values_far_apart_take_little_memory() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.poisson(m, 60) for m in (3, 1000, 10**7)]).tolist()
    record, used = peak_megabytes(lambda: fit(rows, MixtureEstimator([IntegerCategoricalEstimator()] * 5), rng=0, starts=1, max_its=20))
    assert used < 160  # at most two tables of 76 MB at a time, of memory that is never touched; ten and more would be held
    model: Any = record.model
    assert np.isfinite(model.seq_log_density(rows)).all()
    assert model.log_density(500_000) == -np.inf
    assert len(model.components[0].p_vec) == max(rows) - min(rows) + 1


def test_a_spike_on_a_long_slab_with_a_prior_takes_little_memory() -> None:
    rows = [0, 5, 5, 5, 10**7] * 4
    law, used = peak_megabytes(lambda: estimate(rows, SpikeAndSlabEstimator(pseudo_count=2.0)))
    assert used < 5
    assert (law.k, law.num_vals, law.p) == (5, 10**7 + 1, pytest.approx((12 + 2e-7) / 22))


@pytest.mark.parametrize("spread", [None, (3, 0.5), (6, 0.2), (1, 1.0)])
@pytest.mark.parametrize("rows", [[1, 2, 2, 4], [4, 4, 1, 1], [3], [0, 9, 9]])
def test_the_prior_of_a_spike_is_that_of_its_pseudo_observations(rows: Any, spread: Any) -> None:
    """Against the table of all pseudo-observations, value by value."""
    a, low, high = 3.0, 0, 9
    estimator = SpikeAndSlabEstimator(low, high, pseudo_count=a, suff_stat=spread)
    k0, p0 = spread or (0, 0.1)
    pseudo = np.full(10, (1 - p0) / 9)
    pseudo[k0] = p0
    weights = np.bincount(rows, minlength=10) + a * pseudo
    law = estimate(rows, estimator)
    assert (law.k, law.p) == (np.argmax(weights), pytest.approx(max(weights.max() / weights.sum(), 0.1)))
    other = SpikeAndSlabDistribution(2, 10, 0.45)
    resolved = estimator.resolve(estimator.statistics(np.array(rows), np.ones(len(rows))))
    assert resolved.log_prior(other) == pytest.approx(a * float(pseudo @ other.seq_log_density(list(range(10)))))


def test_binomials_of_many_trials_and_sets_of_many_labels_take_little_memory() -> None:
    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.binomial(10**12, p, 50) for p in (0.2, 0.7)]).tolist()
    fit(rows[:9], BinomialEstimator(10**12))  # what is loaded and compiled once
    record, used = peak_megabytes(lambda: fit(rows, MixtureEstimator([BinomialEstimator(10**12)] * 2), rng=0, starts=1))
    assert used < 5
    assert sorted(c.p for c in record.model.components) == pytest.approx([0.2, 0.7], rel=1e-6)  # type: ignore[attr-defined]
    law = BernoulliSetDistribution({i: 0.001 for i in range(3000)})
    drawn, used = peak_megabytes(lambda: law.sample(5000, rng=2))
    assert used < 80  # 115 for all at once
    assert np.mean([len(labels) for labels in drawn]) == pytest.approx(3.0, abs=0.15)


def test_sparse_tables_are_mappings_of_what_is_positive() -> None:
    table = SparseTable(10, np.array([2, 7]), np.array([0.25, 0.75]))
    assert dict(table) == {2: 0.25, 7: 0.75}
    with pytest.raises(KeyError):
        table[3]
    assert table == pickle.loads(pickle.dumps(table))
    assert table != SparseTable(11, np.array([2, 7]), np.array([0.25, 0.75]))
