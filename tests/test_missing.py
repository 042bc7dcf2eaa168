"""Fitting rows with missing cells: known cells alone decide, and complete rows are fitted as ever."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dmlcore import fit, impute, missing_at_random
from dmlcore.inference.condition import always_there
from dmlcore.stats import (
    BernoulliSetEstimator,
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    GeometricEstimator,
    JointMixtureEstimator,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianEstimator,
    OptionalDistribution,
    OptionalEstimator,
    PartialGaussianDistribution,
    PartialGaussianEstimator,
    PoissonDistribution,
    PoissonEstimator,
)
from tests.reference import composite_rows

RECORD = CompositeEstimator((GaussianEstimator(), PoissonEstimator(), CategoricalEstimator()))
TRUTH = MixtureDistribution(
    [
        CompositeDistribution((GaussianDistribution(m, 1.0), PoissonDistribution(lam), CategoricalDistribution({"a": p, "b": 1 - p})))
        for m, lam, p in ((0.0, 2.0, 0.9), (6.0, 9.0, 0.2))
    ],
    [0.6, 0.4],
)


def test_one_record_is_fitted_field_by_field_from_known_cells() -> None:
    rows = [(1.0, None, "a"), (None, 3, "b"), (2.0, 5, None), (6.0, None, "a"), (None, None, None)]
    law: Any = fit(rows, missing_at_random(RECORD)).model
    assert [type(d) for d in law.dists] == [OptionalDistribution] * 3
    assert law.dists[0].dist.mu == pytest.approx(3.0)
    assert law.dists[0].dist.sigma2 == pytest.approx(np.var([1.0, 2.0, 6.0]))
    assert law.dists[1].dist.lam == pytest.approx(4.0)
    assert dict(law.dists[2].dist.pmap) == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    assert law.log_density((None, None, None)) == 0.0


def test_complete_rows_give_the_plain_model_to_the_bit() -> None:
    rows = TRUTH.sample(2000, rng=1)
    plain = fit(rows, MixtureEstimator([RECORD] * 2), rng=2)
    loose = fit(rows, missing_at_random(MixtureEstimator([RECORD] * 2)), rng=2)
    assert loose.history == plain.history
    assert always_there(loose.model) == plain.model


def test_the_truth_is_found_from_rows_with_gaps_and_gaps_are_filled() -> None:
    rows = TRUTH.sample(6000, rng=3)
    hide = np.random.default_rng(4).random((6000, 3)) < 0.3
    cut = [tuple(None if h else v for v, h in zip(row, gaps, strict=True)) for row, gaps in zip(rows, hide.tolist(), strict=True)]
    result = fit(cut, missing_at_random(MixtureEstimator([RECORD] * 2)), rng=5)
    assert np.diff(result.history).min() > -1e-8
    model: Any = result.model
    first = int(np.argmax(model.w))
    assert model.w[first] == pytest.approx(0.6, abs=0.04)
    for k, (m, lam, p) in ((first, (0.0, 2.0, 0.9)), (1 - first, (6.0, 9.0, 0.2))):
        gaussian, poisson, labels = (d.dist for d in model.components[k].dists)
        assert gaussian.mu == pytest.approx(m, abs=0.15)
        assert poisson.lam == pytest.approx(lam, abs=0.25)
        assert labels.pmap["a"] == pytest.approx(p, abs=0.05)
    out = impute(model, cut)
    right = np.mean([out.data[i][2] == rows[i][2] for i in np.flatnonzero(hide[:, 2])])
    sure = out.cells["field 2"].uncertainty.mean()
    assert right == pytest.approx(sure, abs=0.03)  # the probabilities given are what they say
    error = np.mean([(out.data[i][0] - rows[i][0]) ** 2 for i in np.flatnonzero(hide[:, 0])])
    assert math.sqrt(error) == pytest.approx(math.sqrt(np.mean(out.cells["field 0"].uncertainty ** 2)), rel=0.05)


def test_what_each_node_becomes() -> None:
    wide = missing_at_random(
        JointMixtureEstimator(
            [MultivariateGaussianEstimator(2, name="v")] * 2, [OptionalEstimator(GeometricEstimator(), est_prob=True)] * 2
        )
    )
    assert wide.estimators1[0] == PartialGaussianEstimator(2, name="v")
    assert wide.estimators2[0].est_prob
    sets = missing_at_random(CompositeEstimator((BernoulliSetEstimator(), MarkovChainEstimator(len_estimator=PoissonEstimator()))))
    rows = [(x[3], x[2]) for x in composite_rows()[:200]]
    cut = [(None if i % 3 == 0 else a, None if i % 4 == 0 else b) for i, (a, b) in enumerate(rows)]
    law: Any = fit(cut, sets).model
    kept = [a for a, _ in cut if a is not None]
    assert law.dists[0].dist.pmap["a"] == pytest.approx(np.mean(["a" in a for a in kept]))
    vectors: Any = fit(
        [([1.0, None], 1), ([2.0, 3.0], None), ([4.0, 4.0], 2), ([0.0, 1.0], 5)],
        missing_at_random(CompositeEstimator((MultivariateGaussianEstimator(), PoissonEstimator()))),
    ).model
    assert isinstance(vectors.dists[0], PartialGaussianDistribution)
    assert vectors.dists[0].mu[0] == pytest.approx(1.75)
