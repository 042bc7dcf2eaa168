"""Scoring outside fits: through stacks where like components stand beside each other, and as the laws one by one would."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from dmlcore.core.keys import preorder
from dmlcore.core.scoring import to_score
from dmlcore.core.walk import DistinctCache, Forward
from dmlcore.stats import (
    BernoulliSetDistribution,
    CategoricalDistribution,
    CompositeDistribution,
    GaussianDistribution,
    MarkovChainDistribution,
    MixtureDistribution,
    OptionalDistribution,
    PoissonDistribution,
    SequenceDistribution,
)
from tests.examples import EXAMPLES


def record(k: int) -> CompositeDistribution:
    p = 0.2 + 0.1 * k
    return CompositeDistribution(
        (
            MixtureDistribution([GaussianDistribution(k, 1.0), GaussianDistribution(-k, 2.0)], [p, 1 - p]),
            OptionalDistribution(PoissonDistribution(1.0 + k), p),
            MarkovChainDistribution({"a": p, "b": 1 - p}, {"a": {"a": p, "b": 1 - p}, "b": {"a": 1 - p, "b": p}}, PoissonDistribution(3.0)),
            BernoulliSetDistribution({"x": p, "y": 1 - p}),
        )
    )


def one_by_one(model: Any, encoded: Any) -> np.ndarray:
    """Log densities without a stack."""
    return np.concatenate([Forward(model.repeated, DistinctCache())(model, column)[0] for _, _, column in encoded.blocks])


def test_the_components_of_a_model_that_is_used_are_one_stack() -> None:
    model = MixtureDistribution([record(k) for k in range(4)], [0.1, 0.2, 0.3, 0.4])
    rows = model.sample(400, rng=1)
    assert to_score(model).components[0].batch == (4,)
    encoded = model.seq_encode(rows)
    np.testing.assert_allclose(model.seq_log_density(encoded), one_by_one(model, encoded), rtol=1e-12)
    logs = np.array([one_by_one(component, encoded) for component in model.components]).T
    np.testing.assert_allclose(model.seq_component_log_density(encoded), logs, rtol=1e-12)
    joint = np.exp(logs - logs.max(axis=1, keepdims=True)) * model.w
    np.testing.assert_allclose(model.seq_posterior(encoded), joint / joint.sum(axis=1, keepdims=True), rtol=1e-10, atol=1e-300)
    assert pickle.loads(pickle.dumps(model)).scored_as is None
    other = model.with_children((*model.components[:3], record(6)))
    assert other.log_density(rows[0]) == pytest.approx(MixtureDistribution(other.components, other.w).log_density(rows[0]), rel=1e-12)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name.replace(" ", "_"))
def test_every_model_scores_the_same_through_stacks(example: Any) -> None:
    model = pickle.loads(pickle.dumps(example.law))
    encoded = model.seq_encode([*example.data(40), *example.off])
    expected = one_by_one(model, encoded)
    stacks = to_score(model)
    np.testing.assert_allclose(one_by_one(stacks, encoded), expected, rtol=1e-12, atol=1e-12)


def test_what_is_one_object_stays_one() -> None:
    topics = [GaussianDistribution(0.0, 1.0), GaussianDistribution(5.0, 1.0)]
    parts = [SequenceDistribution(MixtureDistribution(topics, w), PoissonDistribution(2.0)) for w in ([0.1, 0.9], [0.7, 0.3])]
    model = MixtureDistribution(parts, [0.5, 0.5])
    stacks = to_score(model)
    assert len({id(law) for law in preorder(stacks) if isinstance(law, GaussianDistribution)}) == 1
    rows = model.sample(50, rng=1)
    np.testing.assert_allclose(model.seq_log_density(rows), one_by_one(model, model.seq_encode(rows)), rtol=1e-12)


def test_components_that_differ_are_scored_one_by_one() -> None:
    labels = [CategoricalDistribution({"a": 0.5, "b": 0.5}), CategoricalDistribution({"a": 0.5, "c": 0.5})]
    model = MixtureDistribution(labels, [0.5, 0.5])
    assert to_score(model) is model

    class Halved(GaussianDistribution):
        """One whose formula is for one law."""

        def log_densities(self, x: np.ndarray) -> np.ndarray:
            return super().log_densities(x / 2) - float(np.log(2.0))

    model = MixtureDistribution([Halved(0.0, 1.0), Halved(1.0, 1.0)], [0.5, 0.5])
    assert to_score(model) is model
