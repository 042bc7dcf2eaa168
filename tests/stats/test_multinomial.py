"""Bags of values with counts: the multinomial of SciPy, lists in any order, and what bags may look like."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import scipy.stats

from dmlcore import fit
from dmlcore.base.errors import DataError, ParameterError, SupportError
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    IntegerMultinomialDistribution,
    IntegerMultinomialEstimator,
    MixtureEstimator,
    MultinomialDistribution,
    MultinomialEstimator,
    MultivariateGaussianDistribution,
    PoissonDistribution,
    PoissonEstimator,
    SequenceDistribution,
)

P = {"a": 0.5, "b": 0.3, "c": 0.2}
law = MultinomialDistribution(CategoricalDistribution(P), PoissonDistribution(4.0))


def test_densities_are_those_of_scipy() -> None:
    for counts in ([3, 0, 2], [0, 0, 0], [40, 25, 11]):
        bag = dict(zip(P, counts, strict=True))
        expected = scipy.stats.multinomial(sum(counts), list(P.values())).logpmf(counts) + scipy.stats.poisson(4.0).logpmf(sum(counts))
        assert law.log_density(bag) == pytest.approx(expected, rel=1e-12)
        assert law.log_density(list(bag.items())) == law.log_density(bag)


def test_a_bag_has_the_density_of_all_its_orders() -> None:
    lists = SequenceDistribution(law.dist, law.len_dist)
    assert law.density([("a", 2), ("c", 1)]) == pytest.approx(3 * lists.density(["a", "c", "a"]))
    without = MultinomialDistribution(law.dist)  # DMLearn's density lacks the number of orders
    assert without.log_density([("a", 2), ("c", 1)]) - math.log(3) == pytest.approx(2 * math.log(0.5) + math.log(0.2))


def test_counts_of_a_value_are_added_and_zeros_left_out() -> None:
    assert law.log_density([("a", 1), ("b", 0), ("a", 2), ("d", 0)]) == law.log_density({"a": 3})
    assert law.log_density(Counter("abba")) == law.log_density({"a": 2, "b": 2})
    rows = [{"a": 1, "d": 0}, {"a": 2, "b": 1}]
    assert dict(fit(rows, MultinomialEstimator(CategoricalEstimator())).model.dist.pmap) == {"a": 0.75, "b": 0.25}


def test_the_fit_is_the_share_of_each_value() -> None:
    rows = law.sample(300, rng=1)
    model = fit(rows, law.estimator()).model
    total = Counter()  # type: Counter[str]
    for bag in rows:
        total.update(dict(bag))
    assert dict(model.dist.pmap) == pytest.approx({v: count / total.total() for v, count in total.items()})
    assert model.len_dist.lam == pytest.approx(total.total() / len(rows))


def test_a_mixture_of_multinomials_finds_two_kinds_of_texts() -> None:
    one, other = MultinomialDistribution(CategoricalDistribution({"a": 0.9, "b": 0.1}), PoissonDistribution(20.0)), law
    rows = one.sample(150, rng=1) + other.sample(150, rng=2)
    model = fit(rows, MixtureEstimator([MultinomialEstimator(CategoricalEstimator(), PoissonEstimator())] * 2), rng=3).model
    classes = model.seq_posterior(rows).argmax(axis=1)
    assert abs(classes[:150].mean() - classes[150:].mean()) > 0.95


def test_the_integer_form_is_the_multinomial_of_an_integer_categorical() -> None:
    integer = IntegerMultinomialDistribution(2, [0.5, 0.3, 0.2], PoissonDistribution(4.0))
    assert integer.log_density([(2, 3), (4, 2)]) == pytest.approx(law.log_density({"a": 3, "c": 2}))
    assert integer.log_density([(5, 1)]) == -math.inf
    model = fit(integer.sample(50, rng=0), IntegerMultinomialEstimator(2, 5, pseudo_count=1.0, len_dist=PoissonDistribution(4.0))).model
    assert model.dist.max_val == 5
    assert model.len_dist.dist.lam == 4.0


def test_values_that_cannot_be_compared() -> None:
    vectors = MultinomialDistribution(MultivariateGaussianDistribution([0.0, 1.0], np.eye(2)), PoissonDistribution(2.0))
    rows = vectors.sample(20, rng=0)
    assert np.isfinite(vectors.seq_log_density(rows)).all()


def test_what_is_no_bag_is_named() -> None:
    for bad, message in (
        ([("a", 1.5)], r"row 0, element 0 is 1.5; need whole numbers >= 0 as counts"),
        ([("a", 1), ("b", -1)], r"row 0, element 1 is -1; need whole numbers >= 0 as counts"),
        (["a"], r"row 0 is \['a'\]; need a list of pairs"),
        ("ab", r"row 0 is 'ab'; need a list of pairs"),
        ({("x",): 1, float("nan"): 2}, r"multinomial\).categorical: row 0, element 1 is nan"),
    ):
        with pytest.raises(DataError, match=message):
            law.log_density(bad)
    with pytest.raises(SupportError, match=r"row 1.*element 0.*-1"):
        fit([[(1, 1)], [(-1, 2)]], MultinomialEstimator(PoissonEstimator()))
    with pytest.raises(ParameterError, match="give it to the estimator of the values"):
        MultinomialEstimator(CategoricalEstimator(), pseudo_count=1.0)
