"""Beta regression: published fits, its density, its slopes, and precisions that run off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats

from dmlcore import fit
from dmlcore.base.errors import DegenerateError
from dmlcore.stats import BetaRegressionDistribution, BetaRegressionEstimator, MixtureEstimator
from tests.reference import load

REFERENCE = load("betareg")


def test_gasoline() -> None:
    case = REFERENCE["gasoline"]
    found = fit(case["data"], BetaRegressionEstimator(), rng=1)
    model: Any = found.model
    assert found.status == "converged"
    assert found.log_likelihood == pytest.approx(case["loglik"], abs=5e-3)
    assert model.precision == pytest.approx(case["precision"], abs=5e-3)
    assert [model.intercept, model.coef[-1]] == pytest.approx([case["intercept"], case["temp"]], rel=1e-3)


def test_a_mixture_of_readers() -> None:
    case = REFERENCE["reading"]
    found = fit(case["data"], MixtureEstimator([BetaRegressionEstimator()] * 2), rng=1)
    parts: Any = sorted(found.model.components, key=lambda law: law.intercept)  # type: ignore[attr-defined]
    theta = np.reshape(case["theta"][:6], (2, 3))
    assert found.log_likelihood == pytest.approx(case["loglik"], abs=1e-5)
    for part, (intercept, slope, log_precision) in zip(parts, theta, strict=True):
        assert [part.intercept, part.coef[0], np.log(part.precision)] == pytest.approx([intercept, slope, log_precision], abs=1e-4)


@pytest.mark.parametrize("precision", [0.3, 5.0, 1e3, 1e8])
def test_density(precision: float) -> None:
    law, y = BetaRegressionDistribution([], 0.4, precision), np.array([0.01, 0.5, 0.6, 0.61, 0.99])
    mean = float(law.mean_of(np.array([0.4]))[0])
    expected = scipy.stats.beta.logpdf(y, mean * precision, (1 - mean) * precision)
    assert law.seq_log_density([([], v) for v in y]) == pytest.approx(expected, rel=1e-9 if precision < 1e6 else 1e-6)


def test_a_precision_without_end_is_named() -> None:
    rows = [(x, 1 / (1 + np.exp(-x))) for x in np.linspace(-1.0, 1.0, 20).tolist()]
    found = fit(rows, BetaRegressionEstimator(), rng=1)
    assert found.status == "degenerate"
    with pytest.raises(DegenerateError, match="all responses are equal"):
        fit([(x, 0.25) for x, _ in rows], BetaRegressionEstimator())
