"""Mixtures of laws of several kinds: each reads a value in its own way, and what it cannot read has density zero under it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore import stats
from dmlcore.base.errors import DataError, EmptyError, StructureError, SupportError
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    ExponentialDistribution,
    ExponentialEstimator,
    GaussianDistribution,
    GaussianEstimator,
    GeometricDistribution,
    HeterogeneousMixtureDistribution,
    HeterogeneousMixtureEstimator,
    HiddenMarkovModelDistribution,
    HierarchicalMixtureDistribution,
    IgnoredDistribution,
    JointMixtureDistribution,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    OptionalDistribution,
    PoissonDistribution,
    PoissonEstimator,
    SemiSupervisedMixtureDistribution,
    SequenceDistribution,
    SequenceEstimator,
)

N, P = GaussianDistribution(1.0, 2.0), PoissonDistribution(2.0)
LABELS = CategoricalDistribution({0: 0.5, 1: 0.3, 7: 0.2})
MIXED = {
    "label, count": ([LABELS, P], [0, 1, 2, 7, 3]),
    "count, label": ([P, LABELS], [0, 1, 2, 7, 3]),
    "number, count": ([N, P], [0, 1, 2, 7, 3]),
    "label, number, two kinds of counts": ([LABELS, N, P, GeometricDistribution(0.5)], [0, 1, 2, 7, 3]),
    "fixed, number": ([IgnoredDistribution(P), N], [0, 1, 2, 7, 3]),
    "mixture of counts, number": ([MixtureDistribution([P, PoissonDistribution(5.0)], [0.5, 0.5]), N], [0, 1, 2, 7, 3]),
    "time, count": ([ExponentialDistribution(2.0), P], [0, 1, 2, 7, 3]),
    "tuples": ([CompositeDistribution([N, LABELS]), CompositeDistribution([P, LABELS])], [(1, 0), (2, 7), (3, 1)]),
    "lists": ([SequenceDistribution(N), SequenceDistribution(P)], [[1, 2], [], [7]]),
    "optional": ([OptionalDistribution(N, 0.1), OptionalDistribution(P, 0.2)], [1, None, 3]),
}


@pytest.mark.parametrize(("parts", "some"), MIXED.values(), ids=MIXED)
def test_laws_of_several_kinds_score_as_their_sum(parts: Any, some: Any) -> None:
    w = np.arange(1.0, len(parts) + 1) / sum(range(1, len(parts) + 1))
    law = HeterogeneousMixtureDistribution(parts, w)
    each = np.array([part.seq_log_density(some) for part in parts]).T
    many = [*some * 30]  # enough to be kept once each
    np.testing.assert_allclose(
        law.seq_log_density(many)[: len(some)], np.logaddexp.reduce(np.log(w) + each, axis=1), rtol=1e-12, atol=1e-15
    )
    np.testing.assert_allclose([law.log_density(x) for x in some], law.seq_log_density(some), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(law.seq_component_log_density(some), each, rtol=1e-12)
    assert parts[0].seq_log_density(law.seq_encode(some)).tolist() == each[:, 0].tolist()
    record = dmlcore.fit(many, law.estimator(), start=law, max_its=5, delta=0.0)
    assert (np.diff(record.history) >= -1e-9).all()
    assert record.history[-1] > record.history[0]
    assert eval(repr(law), vars(stats)) == law == dmlcore.from_json(dmlcore.to_json(law))


def test_what_a_law_cannot_read_has_density_zero_under_it() -> None:
    law = HeterogeneousMixtureDistribution([N, P], [0.3, 0.7])
    np.testing.assert_allclose(law.seq_log_density([2.5, -1.0]), np.log(0.3) + N.seq_log_density([2.5, -1.0]))
    words = HeterogeneousMixtureDistribution([CategoricalDistribution({"a": 0.5, 2: 0.5}), P, N], [0.2, 0.3, 0.5])
    assert words.log_density("a") == pytest.approx(np.log(0.1))
    assert words.log_density(2) == pytest.approx(np.log(0.1 + 0.3 * P.density(2) + 0.5 * N.density(2)))
    assert words.log_density("b") == -np.inf
    assert set(map(type, words.sampler(1).sample(50))) == {str, int, float}
    with pytest.raises(DataError, match="row 1 is 'a'; need a real number"):
        law.seq_log_density([1, "a"])
    with pytest.raises(SupportError, match=r"row 1 .*poisson: -3\.5 has density zero; it needs whole numbers"):
        dmlcore.fit([1, -3.5], HeterogeneousMixtureEstimator([PoissonEstimator(), ExponentialEstimator()]))


def test_what_cannot_be_one_observation_is_refused() -> None:
    for make in (
        lambda: MixtureDistribution([N, SequenceDistribution(N)], [0.5, 0.5]),
        lambda: HeterogeneousMixtureDistribution([CompositeDistribution([N]), CompositeDistribution([P, P])], [0.5, 0.5]),
        lambda: MixtureEstimator([PoissonEstimator(), CompositeEstimator([GaussianEstimator()])]),
    ):
        with pytest.raises(StructureError, match="different observations"):
            make()


def test_every_law_with_components_takes_several_kinds() -> None:
    """States, topics, components of pairs and known classes: against sums that are written out."""
    w, steps = np.array([0.6, 0.4]), np.array([[0.7, 0.3], [0.2, 0.8]])
    rows = [[1, 2, 3], [0, 1], [1, 0, 4, 2]]
    each = [np.array([[N.density(v), P.density(v)] for v in row]) for row in rows]
    paths = [sum(np.prod(d[range(len(d)), p]) * w[p[0]] * np.prod(steps[p[:-1], p[1:]]) for p in _paths(len(d))) for d in each]
    lists = HierarchicalMixtureDistribution([N, P], w, steps, len_dist=PoissonDistribution(3.0))
    blends = [w @ np.prod(d @ steps.T, axis=0) * lists.len_dist.density(len(d)) for d in each]
    pairs = [(1, 7), (2, 1), (3, 0), (0, 1)]
    both = [sum(w[i] * steps[i, j] * [N, P][i].density(x) * [LABELS, P][j].density(y) for i, j in np.ndindex(2, 2)) for x, y in pairs]
    known = [(1, None), (2, 1), (3.5, 0)]
    for law, data, densities in (
        (HiddenMarkovModelDistribution([N, P], w, steps), rows, paths),
        (lists, rows, blends),
        (JointMixtureDistribution([N, P], [LABELS, P], w, None, steps), pairs, both),
        (SemiSupervisedMixtureDistribution([N, P], w), known, [w @ each[0][0], w[1] * P.density(2), w[0] * N.density(3.5)]),
    ):
        np.testing.assert_allclose(law.seq_log_density(data), np.log(densities), rtol=1e-12)
        record = dmlcore.fit(data * 20, law.estimator(), start=law, max_its=5, delta=0.0)
        assert (np.diff(record.history) >= -1e-9).all()


def _paths(n: int) -> list[np.ndarray]:
    return [np.array(path) for path in np.ndindex(*[2] * n)]


def test_a_chain_beside_a_sequence_and_words_beside_counts() -> None:
    rng = np.random.default_rng(1)
    alternating = [list("abab"[i:]) for i in rng.integers(0, 2, 50)]
    lists = [*alternating, *(["ab"[i] for i in rng.integers(0, 2, 4)] for _ in range(50))]
    chain = MixtureEstimator([MarkovChainEstimator(), SequenceEstimator(CategoricalEstimator())])
    found = dmlcore.fit(lists, chain, rng=1)
    assert found.status == "converged"
    assert found.model.seq_posterior(alternating)[:, 0].min() > 0.5
    counts = [*["none", "many"] * 30, *rng.poisson(4.0, 60).tolist()]
    spread = dict.fromkeys(["none", "many"], 1.0)
    either = MixtureEstimator([CategoricalEstimator(pseudo_count=1.0, suff_stat=spread), PoissonEstimator()])
    words = dmlcore.fit(counts, either, start=np.repeat([0, 1], 60)).model
    assert words.w.sum() == 1.0


def test_a_law_beside_rows_that_it_cannot_read() -> None:
    with pytest.raises(EmptyError, match=r"component 0\.gaussian: no row gives it any weight"):
        dmlcore.fit(["a", "b"] * 30, MixtureEstimator([GaussianEstimator(), CategoricalEstimator()]), rng=1)
