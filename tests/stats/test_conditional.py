"""Conditional laws: groups by label, Bayes' rule for labels that are unknown, and the classifier that they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore import UNKNOWN, condition, fit, impute, marginal, missing_at_random
from dmlcore.base.errors import EmptyError, ParameterError, StructureError, SupportError
from dmlcore.inference.condition import log_evidence
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    ConditionalDistribution,
    ConditionalDistributionEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureDistribution,
    OptionalEstimator,
    PoissonDistribution,
    PoissonEstimator,
    SequenceDistribution,
)

N, P = GaussianDistribution, PoissonDistribution
shares = {"a": 0.2, "b": 0.5, "c": 0.3}
law = ConditionalDistribution({"a": N(0.0, 1.0), "b": N(3.0, 2.0), "c": N(-1.0, 0.5)}, given_dist=CategoricalDistribution(shares))


def test_each_label_is_fitted_on_its_own_rows() -> None:
    rows = law.sample(500, rng=1)
    model = fit(rows, law.estimator()).model
    for label, share in shares.items():
        mine = np.array([y for one, y in rows if one == label])
        assert model.dmap[label].mu == pytest.approx(mine.mean(), rel=1e-12)
        assert model.dmap[label].sigma2 == pytest.approx(mine.var(), rel=1e-12)
        assert model.given_dist.pmap[label] == pytest.approx(len(mine) / len(rows))
        assert abs(len(mine) / len(rows) - share) < 0.1


def test_bayes_rule_for_an_unknown_label() -> None:
    joint = {label: math.log(p) + law.dmap[label].log_density(1.0) for label, p in shares.items()}
    total = np.logaddexp.reduce(list(joint.values()))
    label = condition(law, (UNKNOWN, 1.0))
    assert log_evidence(law, (UNKNOWN, 1.0)) == pytest.approx(total)
    assert label.probabilities() == pytest.approx({one: math.exp(log - total) for one, log in joint.items()})
    labels, posterior = law.label_posterior([1.0, 5.0])
    assert dict(zip(labels, posterior[0], strict=True)) == pytest.approx(label.probabilities())
    assert law.classify([-1.0, 5.0, math.inf]) == ["c", "b", None]


def test_the_value_given_a_label_and_the_parts_alone() -> None:
    assert condition(law, ("b", UNKNOWN)) is law.dmap["b"]
    assert marginal(law, 0) is law.given_dist
    assert marginal(law, 1).log_density(0.3) == pytest.approx(MixtureDistribution(law.dists, list(shares.values())).log_density(0.3))
    with pytest.raises(SupportError):
        condition(law, ("d", UNKNOWN))


def test_part_of_the_value_informs_the_label_and_the_rest() -> None:
    pairs = {label: CompositeDistribution((N(m, 1.0), P(lam))) for label, m, lam in (("a", 0.0, 3.0), ("b", 4.0, 9.0))}
    both = ConditionalDistribution(pairs, given_dist=CategoricalDistribution({"a": 0.3, "b": 0.7}))
    weight = {label: p * pairs[label].dists[1].density(3) for label, p in (("a", 0.3), ("b", 0.7))}
    joint = condition(both, (UNKNOWN, (UNKNOWN, 3)))
    for label, w in weight.items():
        assert joint.density((label, 1.0)) == pytest.approx(w / sum(weight.values()) * pairs[label].dists[0].density(1.0))


def test_labels_and_values_that_are_missing_are_imputed() -> None:
    rows: list[Any] = [(UNKNOWN, 3.0), ("b", UNKNOWN), ("a", UNKNOWN), ("b", 1.0), (UNKNOWN, UNKNOWN)] * 200
    full = impute(law, rows, rng=0).copies[0]
    assert {label for label, _ in full[::5]} <= {"b", "a"}
    assert np.mean([y for _, y in full[1::5]]) == pytest.approx(3.0, abs=0.5)
    assert np.mean([y for _, y in full[2::5]]) == pytest.approx(0.0, abs=0.4)
    assert full[3] == ("b", 1.0)


def test_values_that_are_missing_at_random() -> None:
    rows = [("a", 1.0), ("a", None), ("b", 3.0), ("b", 5.0), ("a", 2.0)]
    model = fit(rows, missing_at_random(ConditionalDistributionEstimator({"a": GaussianEstimator(), "b": GaussianEstimator()}))).model
    assert model.dist.dmap["a"].dist.mu == 1.5


def test_a_default_takes_all_other_labels() -> None:
    rows = [("a", 1), ("b", 5), ("c", 7), ("c", 9), ("a", 3)]
    estimator = ConditionalDistributionEstimator({"a": PoissonEstimator()}, PoissonEstimator(), CategoricalEstimator())
    model = fit(rows, estimator).model
    assert model.dmap["a"].lam == 2.0
    assert model.default_dist.lam == 7.0
    assert condition(model, (UNKNOWN, 8)).probabilities()["c"] > 0.6
    assert {label for label, _ in model.sample(200, rng=0)} == {"a", "b", "c"}


def test_labels_without_rows_and_without_laws_are_named() -> None:
    estimator = ConditionalDistributionEstimator({"a": GaussianEstimator(), "b": GaussianEstimator()})
    with pytest.raises(SupportError, match=r"row 2.*'c' has density zero; it is none of the labels 'a', 'b'"):
        fit([("a", 1.0), ("b", 2.0), ("c", 1.0), ("a", 2.0), ("b", 3.0)], estimator)
    with pytest.raises(EmptyError, match=r"label 'b'.gaussian"):
        fit([("a", 1.0), ("a", 2.0)], estimator)


def test_what_it_refuses() -> None:
    for bad in ({}, {math.nan: N(0.0, 1.0)}):
        with pytest.raises(ParameterError):
            ConditionalDistribution(bad)
    with pytest.raises(ParameterError, match="2 different labels"):
        ConditionalDistribution([N(0.0, 1.0)] * 2, labels=("a", "a"))
    with pytest.raises(StructureError, match="different observations"):
        ConditionalDistribution({"a": N(0.0, 1.0), "b": SequenceDistribution(N(0.0, 1.0))})
    with pytest.raises(StructureError, match="no law of labels"):
        ConditionalDistribution({"a": N(0.0, 1.0)}, given_dist=SequenceDistribution(N(0.0, 1.0)))
    labelless = ConditionalDistribution({"a": N(0.0, 1.0)})
    with pytest.raises(StructureError, match="no given_dist"):
        labelless.sample(1)
    with pytest.raises(StructureError, match="no given_dist"):
        condition(labelless, (UNKNOWN, 1.0))
    with pytest.raises(StructureError, match="'b', for which there is no law"):
        ConditionalDistribution({"a": N(0.0, 1.0)}, given_dist=CategoricalDistribution({"b": 1.0})).sample(1)


def test_names_of_dmx_and_lists() -> None:
    assert ConditionalDistribution(dmap=[N(0.0, 1.0), N(1.0, 1.0)]).dmap[1].mu == 1.0
    estimator = ConditionalDistributionEstimator(estimator_map={"a": OptionalEstimator(PoissonEstimator())})
    assert estimator.estimator_map["a"].estimator == PoissonEstimator()
    assert eval(repr(estimator)) == estimator
    assert repr(law).startswith("ConditionalDistribution({'a': GaussianDistribution(0.0, 1.0), ")


def test_counts_may_be_labels() -> None:
    counted = ConditionalDistribution([N(0.0, 1.0), N(5.0, 1.0)], N(9.0, 1.0), P(1.0))
    rows = counted.sample(2000, rng=2)
    model = dmlcore.fit(rows, counted.estimator()).model
    assert model.given_dist.lam == pytest.approx(1.0, abs=0.1)
    assert model.default_dist.mu == pytest.approx(9.0, abs=0.2)
    assert counted.log_density((4, 9.0)) == pytest.approx(P(1.0).log_density(4) + N(9.0, 1.0).log_density(9.0))


def test_labels_that_take_the_default_need_their_probabilities() -> None:
    law = ConditionalDistribution({1: GaussianDistribution(0.0, 1.0)}, GaussianDistribution(9.0, 1.0), PoissonDistribution(2.0))
    with pytest.raises(StructureError, match=r"a poisson has no probabilities\(\), so the labels that take default_dist are unknown"):
        condition(law, (UNKNOWN, 3.0))
