"""Data in other units, far from zero, of one row, or all alike: the same fit in those units, or refused by name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import DegenerateError, DmlcoreError
from dmlcore.stats import (
    GammaEstimator,
    GammaRegressionEstimator,
    InverseGaussianEstimator,
    LinearRegressionEstimator,
    LogGaussianEstimator,
    LogisticRegressionEstimator,
    PoissonRegressionEstimator,
)
from tests.examples import BY_NAME, EXAMPLES, Example

IN_UNITS = [
    "gaussian",
    "laplace",
    "weibull",
    "student t",
    "log gaussian",
    "exponential",
    "gamma",
    "inverse gaussian",
    "multivariate gaussian",
    "multivariate student t",
    "diagonal gaussian",
    "structured gaussian",
    "factor analyzer",
    "partial gaussian",
    "optional",
    "conditional",
    "sequence of reals",
    "composite",
    "mixture",
    "mixture of student t",
    "mixture of weibulls",
    "mixture of vectors",
    "gaussians that share a variance",
    "hidden markov of reals",
    "heterogeneous",
    "joint",
]
HALF_A_THOUSAND = 2.0**498  # 8e149: a power of two, so that a change of units rounds nothing
FAR = 2.0**40  # 1.1e12
GRAIN = 2.0**-12  # of numbers that a FAR offset leaves as they are


def changed(row: Any, change: Any) -> Any:
    """A row with each real number in it changed."""
    if isinstance(row, (float, np.ndarray)):
        return change(row)
    return type(row)(changed(part, change) for part in row) if isinstance(row, (tuple, list)) else row


def reals_in(row: Any) -> int:
    if isinstance(row, (tuple, list)):
        return sum(map(reals_in, row))
    return int(np.size(row)) if isinstance(row, (float, np.ndarray)) else 0


@pytest.mark.parametrize("scale", [1 / HALF_A_THOUSAND, HALF_A_THOUSAND])
@pytest.mark.parametrize("name", IN_UNITS)
def test_a_fit_in_other_units_is_the_same_fit(name: str, scale: float) -> None:
    """By the same steps, whose log likelihoods are apart by that of the units."""
    example = BY_NAME[name]
    rows = example.data(100)
    scaled = [changed(row, lambda x: x * scale) for row in rows]
    near, far = (fit(x, example.estimator, rng=1, starts=1, max_its=3, accelerate=False) for x in (rows, scaled))
    n = sum(map(reals_in, rows))
    assert far.log_likelihood + n * math.log(scale) == pytest.approx(near.log_likelihood, abs=1e-6 * n)
    assert np.isfinite(far.model.seq_log_density(scaled)).all()


@pytest.mark.parametrize(
    "name", ["gaussian", "laplace", "multivariate gaussian", "diagonal gaussian", "structured gaussian", "mixture", "factor analyzer"]
)
def test_an_offset_of_a_million_million_leaves_what_the_digits_allow(name: str) -> None:
    example = BY_NAME[name]
    rows = [changed(row, lambda x: np.round(x / GRAIN) * GRAIN) for row in example.data(200)]
    rows = [float(row) if isinstance(row, np.floating) else row for row in rows]
    near = fit(rows, example.estimator, rng=1, starts=2)
    far = fit([changed(row, lambda x: x + FAR) for row in rows], example.estimator, rng=1, starts=2)
    assert far.log_likelihood == pytest.approx(near.log_likelihood, abs=1e-4)


@pytest.mark.parametrize("estimator", [GammaEstimator(), InverseGaussianEstimator(), LogGaussianEstimator()])
def test_positive_laws_far_from_zero_are_nearly_gaussian(estimator: Any) -> None:
    x = 1e12 + np.random.default_rng(0).gamma(2.0, 3.0, 300)
    record = fit(x, estimator)
    assert record.model.mean() == pytest.approx(x.mean(), abs=0.1)
    assert record.model.variance() == pytest.approx(x.var(), rel=0.01)


@pytest.mark.parametrize("rows", ["one", "alike"])
@pytest.mark.parametrize("e", EXAMPLES, ids=lambda e: e.name.replace(" ", "_"))
def test_one_row_and_rows_that_are_all_alike_are_fitted_or_refused_in_words(e: Example, rows: str) -> None:
    row = e.data(1, 3)
    data = row if rows == "one" else row * 30
    try:
        record = fit(data, e.estimator, rng=1, starts=1, max_its=5)
    except DmlcoreError:
        return
    assert np.isfinite(record.model.seq_log_density(data)).all()


# -- covariates --------------------------------------------------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(300, 3))
ETA = 0.5 + X @ [0.8, -0.5, 0.3]
RESPONSES: list[tuple[Any, list[Any]]] = [
    (LinearRegressionEstimator(), (ETA + np.random.default_rng(1).normal(size=300)).tolist()),
    (PoissonRegressionEstimator(), np.random.default_rng(1).poisson(np.exp(ETA)).tolist()),
    (LogisticRegressionEstimator(), np.random.default_rng(1).binomial(1, 1 / (1 + np.exp(-ETA))).tolist()),
    (GammaRegressionEstimator(), np.random.default_rng(1).gamma(2.0, np.exp(ETA) / 2).tolist()),
]


@pytest.mark.parametrize(("estimator", "y"), RESPONSES, ids=lambda part: type(part).__name__)
def test_covariates_in_any_units_and_far_from_zero(estimator: Any, y: list[Any]) -> None:
    near = fit(list(zip(X, y, strict=True)), estimator)
    for units, offset in [([1e-8, 1.0, 1e8], 0.0), ([1e-150, 1.0, 1e150], 0.0), ([1e-8, 1.0, 1e8], [1e4, -1e6, 1e3])]:
        moved = (X + offset) * units
        far = fit(list(zip(moved, y, strict=True)), estimator)
        assert far.log_likelihood == pytest.approx(near.log_likelihood, abs=1e-6)
        np.testing.assert_allclose(far.model.coef * units, near.model.coef, rtol=1e-5)


@pytest.mark.parametrize(("estimator", "y"), RESPONSES, ids=lambda part: type(part).__name__)
def test_columns_that_follow_from_others_are_named_in_any_units(estimator: Any, y: list[Any]) -> None:
    for column, said in [(X @ [1.0, 2.0, -1.0] * 1e-9, "follows from those before it"), (np.full(300, 7e9), "is constant")]:
        with pytest.raises(DegenerateError, match=f"column 3 {said}"):
            fit(list(zip(np.column_stack([X * [1e-8, 1.0, 1e8], column]), y, strict=True)), estimator)


def test_covariates_that_separate_are_named_in_any_units() -> None:
    x = np.concatenate([np.linspace(-2, -0.1, 30), np.linspace(0.1, 2, 30)])[:, None]
    for scale in (1e-8, 1.0, 1e8):
        record = fit(list(zip(x * scale, (x[:, 0] > 0).astype(int).tolist(), strict=True)), LogisticRegressionEstimator())
        assert record.status == "degenerate"
        assert "covariates separate successes from failures" in record.message
