"""Draws of Markov chains whose labels may lead nowhere: their law is the model's, normalised over the lists that are possible."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest

from dmlcore import UNKNOWN, condition, fit
from dmlcore.base.errors import DegenerateError
from dmlcore.stats import (
    BinomialDistribution,
    CategoricalDistribution,
    GeometricDistribution,
    GeometricEstimator,
    HierarchicalMixtureDistribution,
    IntegerCategoricalDistribution,
    JointMixtureDistribution,
    MarkovChainDistribution,
    MarkovChainEstimator,
    MixtureDistribution,
    PoissonDistribution,
    SequenceDistribution,
)

LEAKY = {"a": {"a": 0.3, "b": 0.5, "c": 0.2}, "c": {"a": 0.6, "c": 0.4}}  # b leads nowhere
LENGTHS = [
    BinomialDistribution(0.6, 5),
    CategoricalDistribution({0: 0.2, 3: 0.3, 5: 0.5}),
    IntegerCategoricalDistribution(2, [0.5, 0.0, 0.5]),
    MixtureDistribution([IntegerCategoricalDistribution(1, [1.0]), BinomialDistribution(0.5, 6)], [0.3, 0.7]),
]


@pytest.mark.parametrize("lengths", LENGTHS, ids=lambda law: law.label)
def test_draws_follow_the_normalised_law(lengths: Any) -> None:
    law = MarkovChainDistribution({"a": 0.7, "b": 0.1, "c": 0.2}, LEAKY, lengths)
    lists = [list(x) for n in range(7) for x in itertools.product("abc", repeat=n)]
    p = np.exp(law.seq_log_density(lists))
    assert p.sum() < 0.9
    n = 20_000
    found = Counter(map(tuple, law.sample(n, rng=1)))
    expected, observed = n * p / p.sum(), np.array([found.pop(tuple(x), 0) for x in lists])
    assert not found
    assert not observed[p == 0].any()
    often = expected > 5
    statistic = ((observed - expected)[often] ** 2 / expected[often]).sum()
    assert statistic < often.sum() + 5 * np.sqrt(2 * often.sum())


def test_a_fitted_chain_with_an_absorbing_last_label_draws_its_own_lists() -> None:
    rows = [list("ab"), list("aab"), list("aaab")]
    model: Any = fit(rows, MarkovChainEstimator(len_estimator=GeometricEstimator())).model
    drawn = model.sample(200, rng=0)
    assert np.isfinite(model.seq_log_density(drawn)).all()
    assert model.sample(3, rng=5) == model.sample(3, rng=5)


def test_survival_far_below_the_smallest_number() -> None:
    """Lengths of about 1000 of which a share of 2^-1000 is possible: Poisson lengths tilted by 2^-n are Poisson with half the mean."""
    law = MarkovChainDistribution({"a": 1.0}, {"a": {"a": 0.5, "b": 0.5}}, PoissonDistribution(1000.0))
    lengths = np.array([len(x) for x in law.sample(400, rng=2)])
    assert abs(lengths.mean() - 501.0) < 5 * np.sqrt(500 / 400)
    assert np.isfinite(law.log_density(law.typical()))
    assert abs(len(law.typical()) - 501) <= 1


def test_lengths_that_are_impossible() -> None:
    with pytest.raises(DegenerateError, match="no length that len_dist gives is possible"):
        MarkovChainDistribution({"a": 1.0}, {"a": {"b": 1.0}}, IntegerCategoricalDistribution(3, [1.0])).sample(2)
    assert MarkovChainDistribution({"a": 1.0}, {}, GeometricDistribution(0.01)).sample(3) == [["a"]] * 3


def test_conditional_draws_reach_their_length() -> None:
    law = MarkovChainDistribution({"a": 0.7, "b": 0.1, "c": 0.2}, LEAKY, PoissonDistribution(3.0))
    rest = condition(law, ["a", UNKNOWN, UNKNOWN, UNKNOWN, "b"]).sample(300, rng=3)
    whole = [["a", *middle, "b"] for middle in rest]
    assert np.isfinite(law.seq_log_density(whole)).all()


def test_components_of_which_none_is_drawn() -> None:
    """Labels as lengths: a component may be asked for no lists at all."""
    two = CategoricalDistribution({2: 1.0})
    lists = SequenceDistribution(PoissonDistribution(1.0), two)
    chain = MarkovChainDistribution({"a": 1.0}, {"a": {"b": 1.0}}, two)
    topics = HierarchicalMixtureDistribution([PoissonDistribution(1.0)] * 2, [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], two)
    for part in (lists, chain, topics):
        law = JointMixtureDistribution([part] * 2, [part] * 2, [0.5, 0.5], None, np.full((2, 2), 0.5))
        assert [len(x) for x in law.sample(1, rng=0)[0]] == [2, 2]
        assert part.sample(0) == []
