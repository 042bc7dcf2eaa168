"""Three-step estimation, against stepmix and against what data were drawn from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dmlcore.base.errors import DataError, ParameterError, StructureError
from dmlcore.regression.three_step import three_step
from dmlcore.stats import (
    BernoulliSetEstimator,
    CategoricalDistribution,
    CompositeDistribution,
    GaussianDistribution,
    JointMixtureDistribution,
    MixtureDistribution,
    PoissonEstimator,
)
from tests.reference import load

FOUND = load("stepmix_three_step")
MODEL = MixtureDistribution(
    [CompositeDistribution([CategoricalDistribution({"0": 1 - p, "1": p}) for p in pis]) for pis in FOUND["pis"]], FOUND["weights"]
)
ROWS = [tuple(items) for items in FOUND["items"]]
CASES = FOUND["third_step"]


def said(case: Any) -> str:
    return f"{case['structural']} {case['correction']} {case['assignment']}"


@pytest.mark.parametrize("case", CASES, ids=said)
def test_as_stepmix(case: Any) -> None:
    correction = case["correction"] and case["correction"].lower()
    how = {"correction": correction, "assignment": case["assignment"]}
    if case["structural"] == "covariate":
        beta = np.array(case["beta"])
        found = three_step(MODEL, ROWS, covariates=FOUND["z"], **how)
        np.testing.assert_allclose(found.estimates, beta[1:] - beta[0], atol=1e-4)
        np.testing.assert_allclose(found.law.coef, found.estimates[:, 1:])
        assert (found.errors > 0).all()
    elif case["structural"] == "categorical":
        found = three_step(MODEL, ROWS, outcome=[str(label) for label in FOUND["label"]], **how)
        np.testing.assert_allclose(found.estimates, case["pis"], atol=1e-4)
    else:
        found = three_step(MODEL, ROWS, outcome=FOUND["y"], **how)
        np.testing.assert_allclose(found.estimates, case["means"], atol=1e-4)
        np.testing.assert_allclose([law.sigma2 for law in found.law.components], np.ravel(case["covariances"]), atol=1e-4)
    np.testing.assert_allclose(found.classification.sum(axis=1), 1.0)


def drawn(n: int) -> tuple[list[Any], np.ndarray, np.ndarray, np.ndarray]:
    """Items, a covariate, an outcome and the log odds that the classes were drawn with."""
    rng, beta = np.random.default_rng(8), np.array([[0.4, 1.0], [-0.3, -0.6]])
    z = rng.normal(size=n)
    p = np.exp(np.column_stack([np.zeros(n), beta[:, 0] + z[:, None] * beta[:, 1]]))
    which = (np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1) < rng.random(n)[:, None]).sum(axis=1)
    items = (rng.random((n, 6)) < np.array(FOUND["pis"])[which]).astype(int).astype(str)
    return list(map(tuple, items.tolist())), z, rng.poisson(np.array([1.0, 4.0, 9.0])[which]), beta


@pytest.mark.parametrize("assignment", ["modal", "soft"])
@pytest.mark.parametrize("correction", ["bch", "ml"])
def test_what_was_drawn_is_found_again(correction: str, assignment: str) -> None:
    rows, z, y, beta = drawn(6000)
    densities, sizes = np.exp(MODEL.seq_component_log_density(rows)), np.full(3, 1 / 3)
    for _ in range(300):  # class sizes at their maximum, as a fit of the classes has them
        sizes = (densities * sizes / (densities @ sizes)[:, None]).mean(axis=0)
    model = MODEL.replace(w=sizes)
    found = three_step(model, rows, covariates=z, correction=correction, assignment=assignment)
    assert (np.abs(found.estimates - beta) < 4 * found.errors).all()
    assert found.errors.max() < 0.15
    told = three_step(model, rows, outcome=y, correction=correction, assignment=assignment)
    np.testing.assert_allclose(told.estimates[:, 0], [1.0, 4.0, 9.0], rtol=0.12)
    naive = three_step(model, rows, outcome=y, correction=None, assignment=assignment)
    assert np.ptp(naive.estimates) < np.ptp(told.estimates)


def test_laws_of_ones_own_and_gaps() -> None:
    rows, _, y, _ = drawn(1000)
    counts: list[Any] = y.tolist()
    found = three_step(MODEL, rows, outcome=counts, correction="ml", estimator=PoissonEstimator())
    assert np.all(np.diff(found.estimates[:, 0]) > 0)
    gaps = [None if i % 10 == 0 else v for i, v in enumerate(counts)]
    assert np.isfinite(three_step(MODEL, rows, outcome=gaps).estimates).all()
    assert "standard_error" in str(found)


@pytest.mark.parametrize("correction", ["bch", "ml"])
def test_weights_count_as_rows(correction: str) -> None:
    rows, z, y, _ = drawn(300)
    weights = np.arange(300) % 3
    twice = np.repeat(np.arange(300), weights)
    for given in ({"covariates": z}, {"outcome": y}):
        (name, values), *_ = given.items()
        weighted = three_step(MODEL, rows, weights=weights, correction=correction, **given)
        repeated = three_step(MODEL, [rows[i] for i in twice], correction=correction, **{name: values[twice]})
        np.testing.assert_allclose(weighted.classification, repeated.classification, rtol=1e-12)
        np.testing.assert_allclose(weighted.estimates, repeated.estimates, rtol=1e-6)
        np.testing.assert_allclose(weighted.errors, repeated.errors, rtol=1e-5)


def test_outcomes_that_follow_assignments_more_than_classes_can_have_no_law() -> None:
    """Of them the correction makes shares, or variances, below zero; their sums and means stay what they are."""
    assigned = MODEL.seq_posterior(ROWS).argmax(axis=1)
    of_labels = three_step(MODEL, ROWS, outcome=[f"c{k}" for k in assigned])
    assert of_labels.law is None
    assert of_labels.estimates.min() < 0
    np.testing.assert_allclose(of_labels.estimates.sum(axis=1), 1.0)
    of_numbers = three_step(MODEL, ROWS, outcome=assigned)
    assert of_numbers.law is None
    np.testing.assert_allclose(of_numbers.estimates[:, 0], of_labels.estimates @ np.arange(len(MODEL.w)))
    assert of_numbers._repr_html_().startswith("<table><caption>Third step")


def test_laws_without_a_mean_are_there_without_numbers() -> None:
    sets = [{"u"} if y > 0 else set() for y in FOUND["y"]]
    found = three_step(MODEL, ROWS, outcome=sets, correction="ml", estimator=BernoulliSetEstimator())
    assert found.rows() == []
    share = float(found.law.w @ [law.pmap["u"] for law in found.law.components])
    assert share == pytest.approx(np.mean([len(one) for one in sets]), abs=0.02)


def test_what_cannot_be_asked() -> None:
    z = FOUND["z"]
    with pytest.raises(ParameterError, match="not both"):
        three_step(MODEL, ROWS)
    with pytest.raises(ParameterError, match="correction must be"):
        three_step(MODEL, ROWS, covariates=z, correction="BCH2")
    with pytest.raises(ParameterError, match="estimator is of an outcome"):
        three_step(MODEL, ROWS, covariates=z, estimator=PoissonEstimator())
    with pytest.raises(DataError, match="covariates must be"):
        three_step(MODEL, ROWS, covariates=z[1:])
    with pytest.raises(DataError, match="the same in all rows"):
        three_step(MODEL, ROWS, covariates=[1.0] * len(ROWS))
    with pytest.raises(StructureError, match="no latent classes"):
        three_step(MODEL.components[0], ROWS, covariates=z)
    with pytest.raises(StructureError, match="model must be a distribution"):
        three_step(None, ROWS, covariates=z)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="covariates must be numbers"):
        three_step(MODEL, ROWS, covariates=["a"] * len(ROWS))
    with pytest.raises(StructureError, match="one class alone"):
        three_step(MixtureDistribution(MODEL.components[:1], [1.0]), ROWS, covariates=z)
    with pytest.raises(DataError, match="no row may be of class 1"):
        three_step(MixtureDistribution(MODEL.components[:2], [1.0, 0.0]), ROWS, covariates=z)
    with pytest.raises(DataError, match=f"there are 1 outcomes for {len(ROWS)} rows"):
        three_step(MODEL, ROWS, outcome=[1.0])
    alike = MixtureDistribution(MODEL.components[:1] * 2, [0.5, 0.5])
    with pytest.raises(DataError, match="some class has no rows of its own by these assignments"):
        three_step(alike, ROWS, outcome=FOUND["y"], correction="bch")
    sides = [GaussianDistribution(0.0, 1.0), GaussianDistribution(3.0, 1.0)]
    with pytest.raises(StructureError, match="three steps need classes in one row, not pairs of them"):
        three_step(JointMixtureDistribution(sides, sides, [0.5, 0.5], None, [[0.9, 0.1], [0.1, 0.9]]), [(0.0, 1.0)], covariates=[1.0])
    for outcome in ([None] * len(ROWS), [np.inf, *FOUND["y"][1:]]):
        with pytest.raises(DataError, match="outcome must be finite numbers, or labels"):
            three_step(MODEL, ROWS, outcome=outcome)
