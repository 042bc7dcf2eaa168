"""Latent semantic indexing is a Conditional of Multinomials of Mixtures that share their topics: densities, steps of EM, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import ParameterError, StructureError, SupportError
from dmlcore.stats import (
    ConditionalDistribution,
    ConditionalDistributionEstimator,
    IntegerCategoricalDistribution,
    IntegerCategoricalEstimator,
    IntegerPLSIDistribution,
    IntegerPLSIEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialDistribution,
    MultinomialEstimator,
    PoissonDistribution,
)

WORDS = np.array([[0.5, 0.1], [0.3, 0.1], [0.2, 0.8]])
SHARES = np.array([[0.9, 0.1], [0.25, 0.75], [0.5, 0.5]])
law = IntegerPLSIDistribution(WORDS, SHARES, [0.4, 0.5, 0.1], PoissonDistribution(6.0))


def test_it_is_its_expansion_in_density_and_in_each_step() -> None:
    topics = [IntegerCategoricalDistribution(0, p) for p in WORDS.T]
    of = {d: MultinomialDistribution(MixtureDistribution(topics, w), PoissonDistribution(6.0)) for d, w in enumerate(SHARES)}
    expanded = ConditionalDistribution(of, given_dist=IntegerCategoricalDistribution(0, [0.4, 0.5, 0.1]))
    rows = law.sample(200, rng=1)
    np.testing.assert_allclose(law.seq_log_density(rows), expanded.seq_log_density(rows), rtol=1e-12)
    words = MixtureEstimator([IntegerCategoricalEstimator(0, 2)] * 2, keys=(None, "topics"))
    estimator = ConditionalDistributionEstimator(
        {d: MultinomialEstimator(words) for d in of}, given_estimator=IntegerCategoricalEstimator(0, 2)
    )
    bare = law.replace(len_dist=None)
    laws = {d: MultinomialDistribution(part.dist) for d, part in of.items()}
    one = fit(rows, bare.estimator(), start=bare, max_its=5, delta=0.0)
    other = fit(rows, estimator, start=ConditionalDistribution(laws, given_dist=expanded.given_dist), max_its=5, delta=0.0)
    np.testing.assert_allclose(one.history, other.history, rtol=1e-12)
    np.testing.assert_allclose(one.model.prob_mat.T, [t.p_vec for t in other.model.dmap[0].dist.components], rtol=1e-9)
    np.testing.assert_allclose(one.model.state_mat, [other.model.dmap[d].dist.w for d in of], rtol=1e-9)


def test_pseudo_observations_of_words_states_and_documents() -> None:
    model = fit([(0, {0: 4, 1: 2})], IntegerPLSIEstimator(3, 1, 2, pseudo_count=(3.0, 1.0, 2.0)), rng=1).model
    np.testing.assert_allclose(model.prob_mat[:, 0], [5 / 9, 3 / 9, 1 / 9])
    np.testing.assert_allclose(model.doc_vec, [2 / 3, 1 / 3])
    told = fit([(0, {0: 4, 1: 2})], IntegerPLSIEstimator(3, 1, 2, pseudo_count=(3.0, None, 2.0), suff_stat=(None, None, [0.0, 1.0])), rng=1)
    np.testing.assert_allclose(told.model.doc_vec, [1 / 3, 2 / 3])


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ParameterError, match="columns"):
        IntegerPLSIDistribution(WORDS.T, SHARES, [0.4, 0.5, 0.1])
    with pytest.raises(ParameterError, match="one row per entry of doc_vec"):
        IntegerPLSIDistribution(WORDS, SHARES[:2], [0.4, 0.5, 0.1])
    with pytest.raises(ParameterError, match="suff_stat must have shapes"):
        IntegerPLSIEstimator(3, 2, 3, pseudo_count=1.0, suff_stat=(WORDS, SHARES[:2], None))
    with pytest.raises(SupportError, match="word 3 is none of 0 to 2"):
        fit([(0, {1: 2}), (1, {3: 1})], IntegerPLSIEstimator(3, 2, 3))
    with pytest.raises(StructureError, match="must be the same"):
        fit([(0, {1: 2})], IntegerPLSIEstimator(3, 2, 3, keys=("a", None, None)))
