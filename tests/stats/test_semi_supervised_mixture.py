"""Mixtures of which some rows have labels: evidence by hand, labels in frames, and the two ends, all rows labelled and none."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from dmlcore import UNKNOWN, condition, fit, impute, marginal
from dmlcore.base.errors import DataError, ParameterError, SupportError
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    ConditionalDistributionEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianEstimator,
    SemiSupervisedMixtureDistribution,
    SemiSupervisedMixtureEstimator,
)

N = GaussianDistribution
law = SemiSupervisedMixtureDistribution([N(0.0, 1.0), N(3.0, 1.0), N(6.0, 1.0)], [0.3, 0.4, 0.3], labels=("a", "b", "c"))
drawn = law.sample(400, rng=1)


def with_labels(share: float) -> list[tuple[float, str | None]]:
    rng = np.random.default_rng(2)
    return [(x, label if rng.random() < share else None) for x, label in drawn]


def test_evidence_by_hand() -> None:
    joint = {label: w * c.density(1.0) for label, w, c in zip("abc", law.w, law.components, strict=True)}
    assert law.density((1.0, "b")) == pytest.approx(joint["b"])
    assert law.density((1.0, None)) == law.density((1.0, math.nan)) == pytest.approx(sum(joint.values()))
    known = {"a": 0.7, "c": 0.2}
    fits = {label: known.get(label, 0.0) * p for label, p in joint.items()}
    assert law.density((1.0, known)) == law.density((1.0, list(known.items()))) == pytest.approx(sum(fits.values()))
    np.testing.assert_allclose(law.posterior((1.0, known)), np.array(list(fits.values())) / sum(fits.values()))


def test_a_step_of_em_by_hand() -> None:
    rows = [(0.5, "a"), (2.0, None), (3.5, [("b", 0.5), ("c", 1.0)]), (7.0, "c"), (2.5, "b"), (0.0, None), (6.0, None)]
    r = law.seq_posterior(rows)
    x = np.array([value for value, _ in rows])
    model = fit(rows, law.estimator(), start=law, max_its=1, delta=0.0).model
    np.testing.assert_allclose(model.w, r.mean(axis=0))
    for k, c in enumerate(model.components):
        mu = r[:, k] @ x / r[:, k].sum()
        assert c.mu == pytest.approx(mu)
        assert c.sigma2 == pytest.approx(r[:, k] @ (x - mu) ** 2 / r[:, k].sum())


def test_all_labels_are_a_conditional_law_and_none_a_mixture() -> None:
    whole = fit(drawn, law.estimator(), rng=0)
    pairs = [(label, x) for x, label in drawn]
    each = ConditionalDistributionEstimator({label: GaussianEstimator() for label in "abc"}, given_estimator=CategoricalEstimator())
    other = fit(pairs, each)
    assert whole.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    for one, two in zip(whole.model.components, other.model.dists, strict=True):
        assert (one.mu, one.sigma2) == pytest.approx((two.mu, two.sigma2), rel=1e-10)
    assert whole.model.classify([x for x, _ in drawn]) == other.model.classify([x for x, _ in drawn])
    plain = fit([x for x, _ in drawn], MixtureEstimator([GaussianEstimator()] * 3), rng=0)
    without = fit([(x, None) for x, _ in drawn], law.estimator(), rng=0)
    assert without.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-5)


@pytest.mark.parametrize("share", [0.3, 0.03])
def test_few_labels_say_which_component_is_which(share: float) -> None:
    rows = with_labels(share)
    best = fit(rows, law.estimator(), start=law)
    for seed in range(2):
        record = fit(rows, law.estimator(), rng=seed)
        assert record.log_likelihood >= best.log_likelihood - 1e-3
        right = np.mean([a == label for a, (_, label) in zip(record.model.classify([x for x, _ in drawn]), drawn, strict=True)])
        assert right > 0.85


def test_a_column_of_labels_with_gaps() -> None:
    rows = with_labels(0.2)
    frame = pd.DataFrame({"x": [x for x, _ in rows], "class": [label for _, label in rows]})
    estimator = SemiSupervisedMixtureEstimator([GaussianEstimator()] * 3, labels=("a", "b", "c"))
    assert fit(frame, estimator, start=law).model == fit(rows, estimator, start=law).model
    numbered = frame.assign(**{"class": frame["class"].map({"a": 0, "b": 1, "c": 2})})  # floats, NaN where there is none
    plain = fit(numbered, SemiSupervisedMixtureEstimator([GaussianEstimator()] * 3), start=law.replace(labels=None)).model
    assert plain.components == fit(rows, estimator, start=law).model.components


def test_what_is_unknown() -> None:
    assert condition(law, (1.0, UNKNOWN)).probabilities() == pytest.approx(dict(zip("abc", law.posterior((1.0, None)), strict=True)))
    assert condition(law, (UNKNOWN, "b")).mean() == 3.0
    assert marginal(law, 0).log_density(0.4) == pytest.approx(MixtureDistribution(law.components, law.w).log_density(0.4))
    assert marginal(law, 1) == CategoricalDistribution({"a": 0.3, "b": 0.4, "c": 0.3})
    assert impute(law, [(-1.0, UNKNOWN), (2.9, None), (7.0, UNKNOWN)]).data == [(-1.0, "a"), (2.9, "b"), (7.0, "c")]


def test_what_it_refuses() -> None:
    with pytest.raises(ParameterError, match="2 different labels"):
        SemiSupervisedMixtureDistribution([N(0.0, 1.0)] * 2, [0.5, 0.5], labels=("a", "a"))
    with pytest.raises(DataError, match=r"field 1.label: row 0 is \{'a': -1.0\}; need a label, nothing"):
        law.log_density((1.0, {"a": -1.0}))
    with pytest.raises(SupportError, match=r"row 1.*'d' fits none of the labels 'a', 'b', 'c'"):
        fit([(1.0, "a"), (2.0, "d"), (2.0, "b"), (3.0, "c")], law.estimator())


def test_quadratic_discriminant_analysis() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(3, size=300)
    x = rng.normal(size=(300, 2)) * (1 + y[:, None]) + 2.0 * y[:, None]
    classes = {k: MultivariateGaussianEstimator() for k in range(3)}
    pairs = list(zip(y.tolist(), x, strict=True))
    model = fit(pairs, ConditionalDistributionEstimator(classes, given_estimator=CategoricalEstimator())).model
    each = [scipy.stats.multivariate_normal(x[y == k].mean(axis=0), np.cov(x[y == k].T, bias=True)) for k in range(3)]
    joint = np.array([each[k].pdf(x) * (y == k).mean() for k in range(3)]).T
    labels, posterior = model.label_posterior(x)
    assert labels == [0, 1, 2]
    np.testing.assert_allclose(posterior, joint / joint.sum(axis=1, keepdims=True), rtol=1e-8)
    theirs = QuadraticDiscriminantAnalysis().fit(x, y)  # whose covariances may be divided by n - 1, by its version
    np.testing.assert_allclose(posterior, theirs.predict_proba(x), atol=0.02)
    assert np.mean(np.array(model.classify(x)) == theirs.predict(x)) > 0.98
