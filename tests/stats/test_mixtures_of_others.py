"""Mixtures that R's flexmix and psychomix have drivers of their own for, written with what is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.stats import (
    LogisticRegressionEstimator,
    MixtureEstimator,
    MultinomialLogisticRegressionEstimator,
    PoissonEstimator,
    SequenceEstimator,
    ZeroInflatedEstimator,
)
from tests.reference import load

REFERENCE = load("flexmix_more")


def test_packs_of_candy() -> None:
    """A mixture of Poissons one of which has mean zero: zeros beyond those of a mixture."""
    case = REFERENCE["candy"]
    found: Any = fit(case["data"]["y"], ZeroInflatedEstimator(MixtureEstimator([PoissonEstimator()] * 2)), weights=case["data"]["w"], rng=1)
    assert found.log_likelihood == pytest.approx(case["loglik"], abs=1e-8)
    means = sorted((np.log(law.lam) for law in found.model.dist.components), reverse=True)
    assert means == pytest.approx(case["theta"][:2], abs=1e-5)


def test_labels_in_groups() -> None:
    case, groups = REFERENCE["groups"], dict[str, list[Any]]()
    for y, x, g in zip(*(case["data"][name] for name in ("y", "x", "g")), strict=True):
        groups.setdefault(g, []).append((x, y))
    model = MixtureEstimator([SequenceEstimator(MultinomialLogisticRegressionEstimator())] * 2)
    assert fit(list(groups.values()), model, rng=1).log_likelihood == pytest.approx(case["loglik"], abs=1e-8)


def test_paired_comparisons() -> None:
    """A mixture of Bradley-Terry models: logistic regressions on who stands on which side, without an intercept."""
    case = REFERENCE["parties"]
    sides = np.zeros((15, 6))
    for i, (one, other) in enumerate((a, b) for b in range(1, 6) for a in range(b)):
        sides[i, one], sides[i, other] = 1.0, -1.0
    rows = [[(side[1:], int(won > 0)) for side, won in zip(sides, person, strict=True)] for person in case["data"]["preference"]]
    found: Any = fit(rows, MixtureEstimator([SequenceEstimator(LogisticRegressionEstimator(intercept=False))] * 2), rng=1)
    assert found.log_likelihood == pytest.approx(case["loglik"], abs=1e-8)
