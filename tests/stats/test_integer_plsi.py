"""Latent semantic indexing is a Conditional of Multinomials of Mixtures that share their topics: densities, steps of EM, and errors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dmlcore import fit, ordered
from dmlcore.base.errors import ParameterError, SupportError
from dmlcore.core.flat import n_parameters
from dmlcore.fitting.drivers import estimate
from dmlcore.stats import (
    CompositeDistribution,
    CompositeEstimator,
    ConditionalDistribution,
    ConditionalDistributionEstimator,
    IntegerCategoricalDistribution,
    IntegerCategoricalEstimator,
    IntegerHiddenAssociationDistribution,
    IntegerHiddenAssociationEstimator,
    IntegerPLSIDistribution,
    IntegerPLSIEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialDistribution,
    MultinomialEstimator,
    PoissonDistribution,
    SparseMarkovAssociationDistribution,
    SparseMarkovAssociationEstimator,
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
    with pytest.raises(ParameterError, match=r"suff_stat, doc_state_mat must be of shape \(3, 2\), got \(2, 2\)"):
        IntegerPLSIEstimator(3, 2, 3, pseudo_count=1.0, suff_stat=(WORDS, SHARES[:2], None))
    with pytest.raises(SupportError, match="word 3 is none of 0 to 2"):
        fit([(0, {1: 2}), (1, {3: 1})], IntegerPLSIEstimator(3, 2, 3))


ASSOCIATION = IntegerHiddenAssociationDistribution([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]], [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
SPARSE = SparseMarkovAssociationDistribution([0.5, 0.3, 0.2], [[0.2, 0.8, 0.0], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])
TABLES = [
    (law, IntegerPLSIEstimator(3, 2, 3, pseudo_count=(1.0, 2.0, 3.0)), ("state_word_mat", "doc_state_mat", "doc_vec")),
    (ASSOCIATION, IntegerHiddenAssociationEstimator(3, 2, pseudo_count=(1.0, 2.0)), ("cond_weights", "state_prob_mat")),
    (SPARSE, SparseMarkovAssociationEstimator(3, pseudo_count=1.0), ("init_prob_vec", "cond_prob_mat")),
]


@pytest.mark.parametrize(("start", "estimator", "fields"), TABLES, ids=lambda case: getattr(case, "label", ""))
def test_each_key_ties_the_table_that_it_names(start: Any, estimator: Any, fields: tuple[str, ...]) -> None:
    lengths = CompositeDistribution((PoissonDistribution(2.0), PoissonDistribution(3.0)))
    rows = law.sample(60, rng=1) if start is law else [row for row in SPARSE.replace(len_dist=lengths).sample(80, rng=1) if row[0]][:60]
    start = start.replace(len_dist=None)
    pooled = [as_array(getattr(estimate(rows, estimator, start), field)) for field in fields]
    for j in range(len(fields)):
        keys = tuple("k" if i == j else None for i in range(len(fields)))
        both = CompositeEstimator([estimator.replace(keys=keys)] * 2)
        before: Any = CompositeDistribution([start.replace(keys=keys) for _ in range(2)])
        pairs = list(zip(rows[:30], rows[30:], strict=True))
        after: Any = estimate(pairs, both, before)
        for i, field in enumerate(fields):
            one, other = (as_array(getattr(side, field)) for side in after.dists)
            assert np.array_equal(one, other) == (i == j)
            assert (one.shape == pooled[i].shape and np.allclose(one, pooled[i], rtol=1e-12)) == (i == j)
        assert n_parameters(after) < 2 * n_parameters(after.dists[0])
        record = fit(pairs, both, start=before, max_its=5)
        assert all(b >= a - 1e-9 * abs(a) for a, b in itertools.pairwise(record.objective))
        one, other = (as_array(getattr(side, fields[j])) for side in ordered(record.model).dists)
        assert np.array_equal(one, other)


def as_array(table: Any) -> Any:
    return table if isinstance(table, np.ndarray) else np.array(sorted((v, w, p) for v, row in table.items() for w, p in row.items()))
