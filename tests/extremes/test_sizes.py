"""Many labels, components, fields and steps. Larger ones: `python -m tests.extremes`."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.seeding import LABELS, points_of
from dmlcore.io.json import from_json, to_json
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    HiddenMarkovEstimator,
    HiddenMarkovModelDistribution,
    IntegerMarkovChainEstimator,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    PoissonEstimator,
    SequenceEstimator,
)

RNG = np.random.default_rng(0)
STEPS = 10**6


def megabytes(work: Any) -> float:
    """The most that something takes beyond what is there."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_a_hundred_thousand_labels() -> None:
    codes = np.concatenate([np.arange(10**5), RNG.integers(10**5, size=10**5)])
    model: Any = fit(codes.tolist(), CategoricalEstimator()).model
    counts = np.bincount(codes)
    assert [model.log_density(i) for i in (0, 99_999)] == pytest.approx(np.log(counts[[0, 99_999]] / 2e5).tolist())
    assert model.log_density(-1) == -np.inf


def test_a_mixture_of_many_labels_begins_in_little_memory() -> None:
    """Its rows are points by their first labels alone, of which no table over all labels is made."""
    estimator = CompositeEstimator((CategoricalEstimator(), GaussianEstimator()))
    rows = [(f"label {i}", float(i % 7)) for i in range(10**4)]
    points: Any = None

    def look() -> None:
        nonlocal points
        points = points_of(encoded)

    encoded = Problem.of(rows, estimator).encoded.column
    assert megabytes(look) < 40  # 800 for a table of labels by labels
    assert points.shape == (10**4, LABELS + 1)
    assert fit(rows, MixtureEstimator([estimator] * 2), rng=1, starts=1, max_its=2).history


def test_three_hundred_components() -> None:
    mu = np.arange(300) * 20.0
    x = (mu + RNG.normal(size=(10, 300))).ravel()
    start = MixtureDistribution([GaussianDistribution(m + 1.0, 4.0) for m in mu], np.full(300, 1 / 300))
    record = fit(x, start.estimator(), start=start)
    assert record.converged
    np.testing.assert_allclose([c.mu for c in record.model.components], x.reshape(10, 300).mean(axis=0), atol=1e-6)
    searched = fit(x, MixtureEstimator([GaussianEstimator()] * 300), rng=1, starts=1, max_its=3)
    assert np.isfinite(searched.log_likelihood)


def test_five_hundred_fields() -> None:
    z = np.arange(60) % 2
    columns = [RNG.normal(z, 1.0) if j % 2 else RNG.poisson(2 + z) for j in range(500)]
    record_of = CompositeEstimator([GaussianEstimator() if j % 2 else PoissonEstimator() for j in range(500)])
    rows = list(zip(*[column.tolist() for column in columns], strict=True))
    model: Any = fit(rows, MixtureEstimator([record_of] * 2), start=z, max_its=1).model
    assert model.w.tolist() == pytest.approx([0.5, 0.5])
    assert model.components[0].dists[1].mu == pytest.approx(columns[1][z == 0].mean())
    assert from_json(to_json(model)) == model


def test_a_million_steps() -> None:
    x = RNG.integers(2, size=STEPS)
    half = -STEPS * np.log(2.0)
    for rows, estimator in [(["ab"[i] for i in x], MarkovChainEstimator()), (x.tolist(), IntegerMarkovChainEstimator(2))]:
        model: Any = fit([rows], estimator).model
        assert model.log_density(rows) == pytest.approx(half, rel=1e-5)
    y = RNG.normal(np.repeat(x[:1000] * 6.0, STEPS // 1000), 1.0)
    numbers = y.tolist()
    assert fit([numbers], SequenceEstimator(GaussianEstimator())).model.log_density(numbers) < 0
    start = HiddenMarkovModelDistribution([GaussianDistribution(m, 1.0) for m in (-1.0, 7.0)], [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]])
    hidden = fit([numbers], HiddenMarkovEstimator([GaussianEstimator()] * 2), start=start, max_its=2)
    assert [c.mu for c in hidden.model.topics] == pytest.approx([0.0, 6.0], abs=0.01)  # type: ignore[attr-defined]
    assert np.isfinite(hidden.model.log_density(numbers))
