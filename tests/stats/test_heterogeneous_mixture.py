"""Mixtures of laws of several kinds: each reads a value in its own way, and what it cannot read has density zero under it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore import stats
from dmlcore.base.errors import DataError, StructureError, SupportError
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeDistribution,
    ExponentialDistribution,
    ExponentialEstimator,
    GaussianDistribution,
    GaussianEstimator,
    GeometricDistribution,
    HeterogeneousMixtureDistribution,
    HeterogeneousMixtureEstimator,
    IgnoredDistribution,
    MixtureDistribution,
    MixtureEstimator,
    OptionalDistribution,
    PoissonDistribution,
    PoissonEstimator,
    SequenceDistribution,
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


def test_other_mixtures_still_need_one_kind() -> None:
    for make in (
        lambda: MixtureDistribution([N, P], [0.5, 0.5]),
        lambda: HeterogeneousMixtureDistribution([N, SequenceDistribution(N)], [0.5, 0.5]),
        lambda: HeterogeneousMixtureDistribution([CompositeDistribution([N]), CompositeDistribution([P, P])], [0.5, 0.5]),
    ):
        with pytest.raises(StructureError, match="different observations"):
            make()
    with pytest.raises(StructureError, match="a HeterogeneousMixture takes both"):
        MixtureEstimator([GaussianEstimator(), PoissonEstimator()])
