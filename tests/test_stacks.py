"""Stacks: laws held together take the same steps of EM as each of them alone."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from dmlcore.core.flat import flatten
from dmlcore.core.keys import Ties, preorder
from dmlcore.core.stacks import SeveralDistribution, Stacking
from dmlcore.fitting.problem import Problem
from dmlcore.stats import (
    BinomialEstimator,
    CategoricalEstimator,
    CompositeEstimator,
    DiagonalGaussianEstimator,
    ExponentialEstimator,
    GammaEstimator,
    GaussianDistribution,
    GaussianEstimator,
    GeometricEstimator,
    HeterogeneousMixtureEstimator,
    IgnoredEstimator,
    LogGaussianEstimator,
    MixtureEstimator,
    MultivariateGaussianEstimator,
    NullEstimator,
    OptionalEstimator,
    PoissonEstimator,
    SequenceEstimator,
)

rng = np.random.default_rng(0)
X = np.r_[rng.normal(0, 1, 60), rng.normal(4, 2, 50)]
POSITIVE = np.abs(X) + 0.1
COUNTS = rng.poisson(5, 100)
LISTS = [v.tolist() for v in rng.normal(size=(60, 4))]
PAIRS = [tuple(row) for row in rng.normal(size=(100, 2)).tolist()]
LABELS = ["abc"[i] for i in rng.integers(3, size=100)]
SOME = [None if rng.random() < 0.2 else int(v) for v in COUNTS]
WORDS = [["abc"[i] for i in rng.integers(3, size=n)] for n in rng.poisson(3, 80) + 1]
VECTORS = rng.normal(size=(150, 3))

KINDS: dict[str, tuple[Any, Any]] = {
    "gaussian": (X, GaussianEstimator((1.0, 2.0), (0.0, 1.0))),
    "exponential": (POSITIVE, ExponentialEstimator(1.0)),
    "gamma": (POSITIVE, GammaEstimator(1.0)),
    "log gaussian": (POSITIVE, LogGaussianEstimator()),
    "poisson": (COUNTS, PoissonEstimator(1.0)),
    "geometric": (COUNTS + 1, GeometricEstimator(1.0)),
    "binomial": (COUNTS, BinomialEstimator(max_val=20, pseudo_count=1.0)),
    "categorical": (LABELS, CategoricalEstimator(pseudo_count=1.0)),
    "multivariate gaussian": (VECTORS, MultivariateGaussianEstimator(3, (1.0, 1.0))),
    "diagonal gaussian": (VECTORS, DiagonalGaussianEstimator(3, (1.0, 1.0))),
    "optional": (SOME, OptionalEstimator(PoissonEstimator(), est_prob=True, pseudo_count=1.0)),
    "composite": (list(zip(X[:100], LABELS, strict=True)), CompositeEstimator((GaussianEstimator(), CategoricalEstimator()))),
    "mixture": (X, MixtureEstimator([GaussianEstimator()] * 2, pseudo_count=2.0)),
    "unlike components": (POSITIVE, HeterogeneousMixtureEstimator([GaussianEstimator(), ExponentialEstimator()])),
    "sequence": (LISTS, SequenceEstimator(MixtureEstimator([GaussianEstimator()] * 2), PoissonEstimator())),
    "lists of labels": (WORDS, SequenceEstimator(CategoricalEstimator())),
    "fixed": (PAIRS, CompositeEstimator((IgnoredEstimator(GaussianDistribution(0.0, 1.0)), GaussianEstimator()))),
    "nothing": (PAIRS, CompositeEstimator((NullEstimator(), GaussianEstimator()))),
}


@pytest.mark.parametrize("starts", [(), (3,)], ids=["components", "starts"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_takes_the_steps_of_its_laws(kind: str, starts: tuple[int, ...]) -> None:
    rows, estimator = KINDS[kind]
    problem = Problem(rows, MixtureEstimator([estimator] * 3))
    models = [problem.start(np.random.default_rng(seed), 0.5) for seed in range(*starts or (1,))]
    stacking = Stacking(problem.estimator, False, starts)
    together = copy.copy(problem)
    together.estimator, together.ties = stacking.stacked, Ties(stacking.stacked)
    stack = stacking.of(models)
    assert not any(isinstance(law, SeveralDistribution) for law in preorder(stack))

    for _ in range(3):
        logs, owns = together.expect(stack)
        priors = together.log_prior(stack)
        stack = together.maximise(owns, stack)
        for j, model in enumerate(models):
            log, own = problem.expect(model)
            assert np.ravel(logs)[j] == pytest.approx(log, rel=1e-10)
            assert np.ravel(priors)[j if np.size(priors) > 1 else 0] == pytest.approx(problem.log_prior(model), rel=1e-10, abs=1e-10)
            models[j] = problem.maximise(own, model)

    for j, model in enumerate(models):
        back = stacking.model(stack, (j,) if starts else ())
        np.testing.assert_allclose(flatten(back), flatten(model), rtol=1e-7, atol=1e-7)
        assert problem.check(back) is back
