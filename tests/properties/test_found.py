"""What random models showed (`tests/properties/test_properties.py`), and must not go wrong again: the smallest example of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dmlcore import UNKNOWN, condition, fit, probability, synthesise
from dmlcore.base.errors import StructureError
from dmlcore.core.distribution import Distribution
from dmlcore.stats import (
    BernoulliEditDistribution,
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    GammaDistribution,
    GaussianDistribution,
    GaussianEstimator,
    IntegerCategoricalDistribution,
    IntegerMarkovChainDistribution,
    JointMixtureDistribution,
    MixtureDistribution,
    MixtureEstimator,
    PointMassDistribution,
    SequenceDistribution,
    SparseMarkovAssociationDistribution,
)
from tests.examples import BY_NAME

CATEGORIES = CategoricalDistribution({"x": 1.0})
LENGTHS = IntegerCategoricalDistribution(0, [0.4, 0.3, 0.3])
SEQUENCES = SequenceDistribution(CATEGORIES, LENGTHS)


def test_settings_that_are_equal_have_one_hash() -> None:
    """A law's own estimator holds arrays; evaluated from its repr, lists."""
    estimator = MixtureDistribution([GaussianDistribution(0, 1), GaussianDistribution(1, 1)], [0.5, 0.5]).estimator(1.5)
    read = estimator.replace(suff_stat=[0.5, 0.5])
    assert read == estimator
    assert hash(read) == hash(estimator)
    assert hash(GaussianEstimator(suff_stat=np.array([0.0, 1.0]))) == hash(GaussianEstimator(suff_stat=np.array([-0.0, 1.0])))


@pytest.mark.parametrize(
    ("law", "need"),
    [
        (SequenceDistribution(CATEGORIES, SequenceDistribution(CATEGORIES, LENGTHS)), "len_dist must draw whole numbers >= 0"),
        (IntegerMarkovChainDistribution(1, [[1.0]], 1, GaussianDistribution(0, 1), LENGTHS), "init_dist must draw lists of whole numbers"),
        (BernoulliEditDistribution({"a": 0.5}, {"a": 0.5}, GaussianDistribution(0, 1)), "is no law of the set before"),
        (JointMixtureDistribution([CATEGORIES, SEQUENCES], [LENGTHS, LENGTHS], [0.5, 0.5], None, np.eye(2)), "components describe"),
        (
            SparseMarkovAssociationDistribution([1.0], {0: {0: 1.0}}, 0.5, SEQUENCES),
            "len_dist must draw pairs of whole numbers >= 0",
        ),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, Distribution) else "",
)
def test_a_law_whose_parts_do_not_fit_says_so_when_it_is_drawn_from(law: Any, need: str) -> None:
    with pytest.raises(StructureError, match=need):
        law.sample(20, rng=1)


def test_components_of_unlike_kinds_read_what_is_known_as_in_a_density() -> None:
    """40 is the point mass's alone, and a word is none of a law of numbers."""
    words = [CategoricalDistribution({word: 1.0}) for word in "ab"]
    one, other = PointMassDistribution(40.0), GammaDistribution(2.0, 9.0)
    spiked = MixtureDistribution([CompositeDistribution((one, words[0])), CompositeDistribution((other, words[1]))], [0.3, 0.7])
    assert condition(spiked, (40.0, UNKNOWN)).w.tolist() == [1.0, 0.0]
    assert synthesise(spiked, 5, given={0: [40.0] * 5}, rng=1) == [(40.0, "a")] * 5
    kinds = [GaussianDistribution(0, 1), CATEGORIES]
    pairs = [CompositeDistribution((CompositeDistribution((kind,)), word)) for kind, word in zip(kinds, words, strict=True)]
    assert probability(MixtureDistribution(pairs, [0.5, 0.5]), (UNKNOWN, "b"), given=(("x",), UNKNOWN)) == 1.0
    joint = JointMixtureDistribution(kinds, words, [0.5, 0.5], None, np.eye(2))
    assert condition(joint, ("x", UNKNOWN)).w.tolist() == [0.0, 1.0]


def test_one_row_of_a_mixture_of_gated_laws_scores_as_among_others() -> None:
    gated = [BY_NAME[name] for name in ("gated mixture", "gated hidden markov", "mixture of linear regressions")]
    for e in gated:
        law, rows = MixtureDistribution([e.law, e.law.replace()], [0.5, 0.5]), e.data(5)
        np.testing.assert_allclose([law.log_density(x) for x in rows], law.seq_log_density(rows), rtol=1e-14)


def test_an_impossible_row_of_weight_zero_raises_no_doubts() -> None:
    """Few rows, so that it is asked whether a component lasts; the label of the last is none of the model's."""
    rows = [(x, label) for x, label in zip((0.0, 0.1, 0.3, 5.0, 5.1, 5.3, 9.0), "abababz", strict=True)]
    record = CompositeEstimator((GaussianEstimator(), CategoricalEstimator()))
    found = fit(rows, MixtureEstimator([record] * 2), weights=[1.0] * 6 + [0.0], rng=1, max_its=5)
    assert found.log_likelihood == pytest.approx(fit(rows[:6], MixtureEstimator([record] * 2), rng=1, max_its=5).log_likelihood, rel=1e-6)
