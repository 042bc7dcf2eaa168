"""Gated mixtures: against flexmix, a numeric maximum and brute force; nesting, ties, starts and bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.special

from dmlcore import fit
from dmlcore.base.errors import DataError, ParameterError, StructureError, SupportError
from dmlcore.core.flat import flatten, n_parameters, unflatten
from dmlcore.fitting.problem import Problem
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeEstimator,
    GatedMixtureDistribution,
    GatedMixtureEstimator,
    GaussianDistribution,
    GaussianEstimator,
    LinearRegressionDistribution,
    LinearRegressionEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialLogisticRegressionDistribution,
    MultinomialLogisticRegressionEstimator,
    OptionalEstimator,
    PoissonRegressionEstimator,
    SequenceEstimator,
)
from tests.reference import load

Gate = MultinomialLogisticRegressionDistribution
GATE = Gate([[1.5, 0.0], [-1.0, 0.8]], [0.3, -0.2], (0, 1, 2))
THREE = [GaussianDistribution(m, 1.0) for m in (-3.0, 0.0, 4.0)]
LAW = GatedMixtureDistribution(THREE, GATE)


def rows_of(law: Any, n: int, seed: int = 0) -> list[Any]:
    z = np.random.default_rng(seed).normal(size=(n, 2))
    return list(zip(z, law.sample_given(z, seed + 1).tolist(), strict=True))


def test_density_and_posterior_are_their_definition() -> None:
    rows = [*rows_of(LAW, 30), (np.array([300.0, 0.0]), 4.0), (np.array([-500.0, 2.0]), 1e4)]
    for z, x in rows:
        eta = np.r_[0.0, GATE.intercept + GATE.coef @ z]
        joint = eta - scipy.special.logsumexp(eta) + [c.log_density(x) for c in THREE]
        assert LAW.log_density((z, x)) == pytest.approx(scipy.special.logsumexp(joint), rel=1e-12)
        np.testing.assert_allclose(LAW.posterior((z, x)), scipy.special.softmax(joint), rtol=1e-9, atol=1e-300)
        np.testing.assert_allclose(LAW.component_log_density((z, x)), [c.log_density(x) for c in THREE], rtol=1e-12)
        np.testing.assert_allclose(LAW.weights_given([z])[0], scipy.special.softmax(eta), rtol=1e-12)
        assert LAW.law_given(z).log_density(x) == pytest.approx(LAW.log_density((z, x)), rel=1e-10)


def test_flexmix_with_a_concomitant_variable() -> None:
    """`FLXPmultinom(~ yb)`, with a Gaussian and a Poisson response in each component."""
    case = load("flexmix_npreg")
    data = {k: np.array(v) for k, v in case["data"].items()}
    squares, counts = np.c_[data["x"], data["x"] ** 2], data["yp"].astype(int)
    rows = [(z, ((x, y), (x[:1], c))) for z, x, y, c in zip(data["yb"].astype(float).tolist(), squares, data["yn"], counts, strict=True)]
    part = CompositeEstimator((LinearRegressionEstimator(), PoissonRegressionEstimator()))
    record = fit(rows, GatedMixtureEstimator([part] * 2), rng=1, init_p=1.0)
    assert record.status == "converged", record.message
    assert np.diff(record.objective).min() >= -1e-9
    expected = case["maxima"]["joint_concomitant"]
    assert record.log_likelihood == pytest.approx(expected["loglik"], rel=1e-9)
    law, params = record.model, expected["params"]
    turn = law.components[0].dists[0].intercept < 5  # their component 0 is the parabola
    one, two = law.components[::-1] if turn else law.components
    sign = -1 if turn else 1
    found = [one.dists[0].intercept, *one.dists[0].coef, two.dists[1].intercept, *two.dists[1].coef]
    names = ["r0.c0.coef.(Intercept)", "r0.c0.coef.x", "r0.c0.coef.I(x^2)", "r1.c1.coef.(Intercept)", "r1.c1.coef.x"]
    np.testing.assert_allclose(found, [params[name] for name in names], rtol=1e-5)
    gate = sign * np.r_[law.gate.intercept, law.gate.coef[0]]
    np.testing.assert_allclose(gate, [params["conc.c1.0"], params["conc.c1.1"]], rtol=1e-4)
    assert n_parameters(law) == 14


def test_the_fit_is_the_maximum_of_its_objective() -> None:
    rows = rows_of(LAW, 250)
    estimator = GatedMixtureEstimator([GaussianEstimator()] * 3, MultinomialLogisticRegressionEstimator(ridge=0.5))
    record = fit(rows, estimator, start=LAW)
    assert record.status == "converged", record.message
    problem, at = Problem.of(rows, estimator), flatten(record.model)
    again = scipy.optimize.minimize(lambda v: -problem.objective(unflatten(v, record.model)), at + 0.01, method="BFGS")
    assert -again.fun == pytest.approx(record.objective[-1], abs=1e-6)
    assert record.objective[-1] - record.log_likelihood == pytest.approx(-0.25 * np.sum(record.model.gate.coef**2))


def test_truth_is_recovered() -> None:
    record = fit(rows_of(LAW, 4000), GatedMixtureEstimator([GaussianEstimator()] * 3), start=LAW)
    np.testing.assert_allclose(record.model.gate.coef, GATE.coef, atol=0.25)
    np.testing.assert_allclose([c.mu for c in record.model.components], [-3.0, 0.0, 4.0], atol=0.15)


def test_a_gate_without_covariates_is_a_plain_mixture() -> None:
    x = MixtureDistribution(THREE, [0.2, 0.3, 0.5]).sample(300, rng=1)
    plain = fit(x, MixtureEstimator([GaussianEstimator()] * 3), start=MixtureDistribution(THREE, [0.3, 0.3, 0.4]))
    start = GatedMixtureDistribution(THREE, Gate(np.zeros((2, 0)), [0.0, 0.0], (0, 1, 2)))
    gated = fit([([], v) for v in x], GatedMixtureEstimator([GaussianEstimator()] * 3), start=start)
    assert gated.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(gated.model.weights_given([[]])[0], plain.model.w, rtol=1e-4)


def test_components_in_another_order_change_nothing_else() -> None:
    rows, order = rows_of(LAW, 120), [2, 0, 1]
    eta, intercept = np.vstack([np.zeros(2), GATE.coef])[order], np.r_[0.0, GATE.intercept][order]
    turned = GatedMixtureDistribution([THREE[k] for k in order], Gate(eta[1:] - eta[0], intercept[1:] - intercept[0], (0, 1, 2)))
    np.testing.assert_allclose(turned.seq_log_density(rows), LAW.seq_log_density(rows), rtol=1e-12)
    one, other = (fit(rows, law.estimator(), start=law, max_its=6, delta=0.0) for law in (LAW, turned))
    np.testing.assert_allclose(one.history, other.history, rtol=1e-9)


def test_one_component_and_labels_as_what_is_seen() -> None:
    z = np.linspace(-1.0, 1.0, 40)
    rows = [(v, "ab"[i % 2]) for i, v in enumerate(z)]
    record = fit(rows, GatedMixtureEstimator([CategoricalEstimator()]))
    assert record.log_likelihood == pytest.approx(40 * math.log(0.5))
    two = GatedMixtureDistribution(
        [CategoricalDistribution({"a": 0.9, "b": 0.1}), CategoricalDistribution({"b": 1.0})], Gate([[2.0]], [0.0], (0, 1))
    )
    assert two.log_density((0.0, "a")) == pytest.approx(math.log(0.45))
    assert two.log_density((0.0, "c")) == -math.inf
    with pytest.raises(SupportError, match="row 0"):
        two.seq_posterior([(0.0, "c")])


def test_it_nests_and_ties() -> None:
    rows = rows_of(LAW, 90)
    part = GatedMixtureEstimator([GaussianEstimator()] * 3, keys=("gate", "parts"))
    pair = fit(
        [(a, [b, b]) for a, b in zip(rows[:45], rows[45:], strict=True)],
        CompositeEstimator((part, SequenceEstimator(part))),
        start=LAW_PAIR,
        max_its=4,
        delta=0.0,
    ).model
    one, other = pair.dists[0], pair.dists[1].dist
    assert one.gate is other.gate
    assert all(a is b for a, b in zip(one.components, other.components, strict=True))
    plain = fit(rows[:45] + rows[45:] * 2, LAW.estimator(), start=LAW, max_its=4, delta=0.0).model
    np.testing.assert_allclose(one.gate.coef, plain.gate.coef, rtol=1e-8)
    inside = fit([*rows, None], OptionalEstimator(LAW.estimator()), rng=1, max_its=5, delta=0.0)
    assert np.diff(inside.objective).min() >= -1e-9


def law_pair() -> Any:
    from dmlcore.stats import CompositeDistribution, SequenceDistribution

    return CompositeDistribution((LAW, SequenceDistribution(LAW)))


LAW_PAIR = law_pair()


@pytest.mark.parametrize("seed", range(4))
def test_random_starts_climb(seed: int) -> None:
    rows = rows_of(LAW, 150, seed)
    record = fit(rows, GatedMixtureEstimator([GaussianEstimator()] * 3), rng=seed, max_its=60, delta=0.0)
    assert np.diff(record.objective).min() >= -1e-9


def test_samples_of_gated_regressions() -> None:
    law = GatedMixtureDistribution([LinearRegressionDistribution([b], 0.0, 0.01) for b in (1.0, -1.0)], Gate([[50.0]], [0.0], (0, 1)))
    z, x = np.repeat([-1.0, 1.0], 200)[:, None], np.full((400, 1), 3.0)
    y = law.sample_given(z, 1, x=x)
    assert abs(y[:200] - 3.0).max() < 0.6
    assert abs(y[200:] + 3.0).max() < 0.6
    np.testing.assert_allclose(law.mean_given(z[[0, -1]], x[[0, -1]]), [3.0, -3.0], atol=1e-9)
    np.testing.assert_array_equal(law.sampler(1).sample_given(z, x), y)
    with pytest.raises(StructureError, match="sample_given"):
        law.sample()
    with pytest.raises(StructureError, match="no regression"):
        LAW.mean_given(np.zeros((1, 2)), np.zeros((1, 1)))


def test_separated_gates_are_named() -> None:
    z = np.linspace(-1.0, 1.0, 60)
    rows = [(v, 100.0 * (v > 0.1) + math.sin(30 * v)) for v in z]
    start = GatedMixtureDistribution([GaussianDistribution(m, 1.0) for m in (0.0, 100.0)], Gate([[0.0]], [0.0], (0, 1)))
    record = fit(rows, start.estimator(), start=start)
    assert record.status == "degenerate"
    assert "gate" in record.message
    assert "separate labels" in record.message
    ridged = fit(rows, GatedMixtureEstimator([GaussianEstimator()] * 2, MultinomialLogisticRegressionEstimator(ridge=1.0)), start=start)
    assert ridged.status == "converged", ridged.message


def test_bad_input_is_named() -> None:
    rows = rows_of(LAW, 30)
    estimator = LAW.estimator()
    for bad, match in [
        ((np.array([0.0, math.nan]), 1.0), r"field 0.*gate: row 5 is \[0.0, nan\]"),
        ((np.array([0.0]), 1.0), r"field 0.*gate: row 5 is"),
        ((rows[5][0], "x"), r"field 1.gaussian: row 5 is 'x'"),
        (3.0, "row 5 is 3.0; need a tuple of 2 entries"),
    ]:
        with pytest.raises(DataError, match=match):
            fit([*rows[:5], bad, *rows[6:]], estimator)
    with pytest.raises(SupportError, match="row 5"):
        fit([*rows[:5], (rows[5][0], math.inf), *rows[6:]], estimator, rng=1)
    with pytest.raises(ParameterError, match="labels 0 to 1"):
        GatedMixtureDistribution(THREE[:2], GATE)
    with pytest.raises(ParameterError, match="gate must be"):
        GatedMixtureEstimator([GaussianEstimator()] * 2, GaussianEstimator())
    with pytest.raises(StructureError, match="different observations"):
        GatedMixtureEstimator([GaussianEstimator(), SequenceEstimator(GaussianEstimator())])


def test_a_fit_may_begin_from_labels_or_shares() -> None:
    rng = np.random.default_rng(1)
    w, x = rng.normal(size=80), rng.normal(size=80)
    z = (rng.random(80) < scipy.special.expit(2 * w)).astype(int)
    y = np.where(z, 1 + x, -1 - x) + rng.normal(0, 0.5, 80)
    rows = [((a,), ((b,), c)) for a, b, c in zip(w.tolist(), x.tolist(), y.tolist(), strict=True)]
    estimator = GatedMixtureEstimator([LinearRegressionEstimator()] * 2)
    labels = fit(rows, estimator, start=z)
    assert labels.log_likelihood == pytest.approx(fit(rows, estimator, start=np.eye(2)[z]).log_likelihood, abs=1e-9)
    assert labels.log_likelihood == pytest.approx(fit(rows, estimator, rng=0).log_likelihood, abs=1e-6)
    assert labels.model.components[1].coef[0] > 0 > labels.model.components[0].coef[0]
