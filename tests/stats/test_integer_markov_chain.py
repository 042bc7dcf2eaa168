"""Chains of whole numbers with a memory: densities by hand, the Markov chain of lag one, fixed laws of the first elements, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import ParameterError, SupportError
from dmlcore.stats import (
    IntegerCategoricalDistribution,
    IntegerCategoricalEstimator,
    IntegerMarkovChainDistribution,
    IntegerMarkovChainEstimator,
    MarkovChainDistribution,
    MarkovChainEstimator,
    PoissonDistribution,
    SequenceDistribution,
    SequenceEstimator,
)

P = np.random.default_rng(0).dirichlet(np.ones(3), 9)
START = SequenceDistribution(IntegerCategoricalDistribution(0, [0.2, 0.3, 0.5]))
law = IntegerMarkovChainDistribution(3, P, 2, START, PoissonDistribution(5.0))


def test_density_of_lag_two_by_hand() -> None:
    x = [2, 0, 1, 1, 2]
    expected = math.log(0.5 * 0.2 * P[6, 1] * P[1, 1] * P[4, 2]) + PoissonDistribution(5.0).log_density(5)
    assert law.log_density(x) == pytest.approx(expected)
    assert law.log_density([1]) == pytest.approx(math.log(0.3) + PoissonDistribution(5.0).log_density(1))
    assert law.replace(init_dist=None).log_density([2, 0]) == pytest.approx(PoissonDistribution(5.0).log_density(2))


def test_lag_two_is_found_again() -> None:
    rows = law.sample(3000, rng=1)
    model = fit(rows, IntegerMarkovChainEstimator(3, 2, SequenceEstimator(IntegerCategoricalEstimator(0, 2)))).model
    np.testing.assert_allclose(model.cond_dist, P, atol=0.08)
    np.testing.assert_allclose(model.init_dist.dist.p_vec, [0.2, 0.3, 0.5], atol=0.03)


def test_lag_one_is_a_markov_chain() -> None:
    one = IntegerMarkovChainDistribution(3, P[:3], 1, START, PoissonDistribution(4.0))
    chain = MarkovChainDistribution(
        dict(enumerate([0.2, 0.3, 0.5])), {i: dict(enumerate(row)) for i, row in enumerate(P[:3])}, PoissonDistribution(4.0)
    )
    rows = one.sample(200, rng=1)
    np.testing.assert_allclose(one.seq_log_density(rows), chain.seq_log_density(rows))
    found, known = fit(rows, one.estimator()).model, fit(rows, MarkovChainEstimator()).model
    np.testing.assert_allclose(found.cond_dist, [[known.transition_map[i].get(j, 0.0) for j in range(3)] for i in range(3)])


def test_the_law_of_the_first_elements_may_be_given() -> None:
    record = fit(law.sample(50, rng=1), IntegerMarkovChainEstimator(3, 2, init_dist=START, pseudo_count=1.0))
    assert record.model.init_dist.dist == START
    assert len(record.model.replace(len_dist=PoissonDistribution(3.0)).sample(20, rng=1)) == 20
    assert (record.model.cond_dist > 0).all()


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ParameterError, match="num_values\\^lag rows"):
        IntegerMarkovChainDistribution(3, P, 1)
    with pytest.raises(ParameterError, match="at most"):
        IntegerMarkovChainEstimator(1000, 3)
    with pytest.raises(ParameterError, match="not both"):
        IntegerMarkovChainEstimator(3, 2, SequenceEstimator(IntegerCategoricalEstimator()), init_dist=START)
    with pytest.raises(SupportError, match="element 1 is 3, none of 0 to 2"):
        fit([[0, 1], [1, 3]], IntegerMarkovChainEstimator(3))
