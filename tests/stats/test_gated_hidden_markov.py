"""Hidden Markov models whose transitions depend on covariates, against enumeration, plain chains, statsmodels and simulations."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dmlcore import UNKNOWN, condition, fit, impute
from dmlcore.base.errors import StructureError
from dmlcore.core.flat import n_parameters
from dmlcore.core.redraw import redrawn
from dmlcore.fitting.problem import Problem
from dmlcore.inference.condition import log_evidence
from dmlcore.inference.relabel import ordered
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeEstimator,
    GatedHiddenMarkovEstimator,
    GatedHiddenMarkovModelDistribution,
    GaussianDistribution,
    GaussianEstimator,
    HiddenMarkovEstimator,
    HiddenMarkovModelDistribution,
    LinearRegressionDistribution,
    LinearRegressionEstimator,
    MixtureEstimator,
    MultinomialLogisticRegressionDistribution,
    MultinomialLogisticRegressionEstimator,
)
from dmlcore.stats.latent import state_passes
from tests.reference import load

Gate = MultinomialLogisticRegressionDistribution


def gates(S: int, d: int, seed: int = 1, size: float = 1.0) -> list[Gate]:
    rng = np.random.default_rng(seed)
    return [Gate(size * rng.normal(size=(S - 1, d)), rng.normal(size=S - 1), tuple(range(S))) for _ in range(S)]


LABELS = [CategoricalDistribution({"a": 0.9, "b": 0.1}), CategoricalDistribution({"a": 0.2, "b": 0.8}), CategoricalDistribution({"a": 1.0})]
LAW = GatedHiddenMarkovModelDistribution(LABELS, [0.5, 0.2, 0.3], gates(3, 2))


def some_lists(n: int, seed: int, lengths: Any = (0, 1, 2, 4), few: bool = False) -> list[list[Any]]:
    rng = np.random.default_rng(seed)
    sizes = rng.choice(lengths, size=n)
    of = (lambda: rng.integers(0, 2, size=2).astype(float)) if few else (lambda: rng.normal(size=2))
    return [[(of(), str(rng.choice(["a", "b"]))) for _ in range(T)] for T in sizes]


def paths(law: Any, x: Any) -> list[tuple[tuple[int, ...], float]]:
    """Every path of states with its joint density."""
    out = []
    for path in itertools.product(range(law.num_states), repeat=len(x)):
        p = 1.0
        for t, s in enumerate(path):
            p *= law.gates[path[t - 1]].mean_given([x[t][0]])[0, s] if t else law.w[s]
            p *= law.topics[s].density(x[t][1])
        out.append((path, p))
    return out


@pytest.mark.parametrize("few", [False, True])
def test_densities_and_states_by_enumeration(few: bool) -> None:
    rows = some_lists(80, 1, few=few)
    np.testing.assert_allclose(LAW.seq_log_density(rows), [np.log(sum(p for _, p in paths(LAW, x))) for x in rows], rtol=1e-12)
    for x in [x for x in rows if len(x) == 4][:3]:
        every = paths(LAW, x)
        total = sum(p for _, p in every)
        states, pairs = np.zeros((4, 3)), np.zeros((3, 3, 3))
        for path, p in every:
            for t, s in enumerate(path):
                states[t, s] += p / total
                if t:
                    pairs[t - 1, path[t - 1], s] += p / total
        np.testing.assert_allclose(LAW.posterior(x), states, atol=1e-13)
        np.testing.assert_allclose(LAW.pair_posterior(x), pairs, atol=1e-13)
        np.testing.assert_allclose(LAW.filtered_posterior(x)[:3], LAW.filtered_posterior(x[:3]), atol=1e-13)
        np.testing.assert_allclose(LAW.filtered_posterior(x)[-1], states[-1], atol=1e-13)
        assert tuple(LAW.most_probable_states(x)) == max(every, key=lambda each: each[1])[0]


def test_windows_and_logarithms_agree_with_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = some_lists(3, 5, (0, 700))
    rows.append(some_lists(1, 6, (300,), few=True)[0])
    estimator = LAW.estimator()

    def step() -> Any:
        return fit(rows, estimator, start=LAW, max_its=2, threads=1)

    whole, states = step(), LAW.seq_posterior(rows)
    monkeypatch.setattr(state_passes, "WINDOW", 64)
    parts = step()
    assert parts.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(parts.model.gates[1].coef, whole.model.gates[1].coef, rtol=1e-8)
    for one, other in zip(LAW.seq_posterior(rows), states, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    monkeypatch.setattr(state_passes, "SMALL", 1.1)  # every list is doubtful
    logs = step()
    assert logs.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(logs.model.gates[1].coef, whole.model.gates[1].coef, rtol=1e-8)


def plain(law: Any) -> HiddenMarkovModelDistribution:
    return HiddenMarkovModelDistribution(law.topics, law.w, np.array([gate.mean_given([[]])[0] for gate in law.gates]))


def test_intercepts_alone_are_a_plain_chain() -> None:
    law = GatedHiddenMarkovModelDistribution(
        [GaussianDistribution(-1.0, 1.0), GaussianDistribution(1.5, 0.5)],
        [0.5, 0.5],
        [Gate(np.zeros((1, 0)), [b], (0, 1)) for b in (-2, 1)],
    )
    x = law.sample_given([np.zeros((20, 0))] * 40, 4)
    rows = [[([], v) for v in row] for row in x]
    np.testing.assert_allclose(law.seq_log_density(rows), plain(law).seq_log_density(x), rtol=1e-12)
    gated = fit(rows, law.estimator(), start=law)
    record = fit(x, plain(law).estimator(), start=plain(law))
    assert gated.log_likelihood == pytest.approx(record.log_likelihood, rel=1e-7)
    np.testing.assert_allclose(plain(gated.model).transitions, record.model.transitions, atol=1e-3)


def test_statsmodels_varying_transitions() -> None:
    case = load("statsmodels_varying_transitions")
    level0, level1, slope0, slope1, m0, m1, v0, v1 = case["params"]  # log odds of regime 0 against regime 1
    both = [Gate([[-slope]], [-level], (0, 1)) for level, slope in ((level0, slope0), (level1, slope1))]
    z, before = case["z"], case["before"]
    step = np.array([gate.mean_given([[z[0]]])[0] for gate in both])
    w = before @ step @ step
    law = GatedHiddenMarkovModelDistribution([GaussianDistribution(m0, v0), GaussianDistribution(m1, v1)], w, both)
    row = [([at], y) for at, y in zip(z, case["y"], strict=True)]
    assert law.log_density(row) == pytest.approx(case["log_likelihood"], rel=1e-10)
    np.testing.assert_allclose(law.posterior(row)[:, 0], case["smoothed_first_regime"], atol=1e-9)


def test_coefficients_come_back() -> None:
    truth = GatedHiddenMarkovModelDistribution(
        [GaussianDistribution(-2.0, 1.0), GaussianDistribution(2.0, 1.0)],
        [0.5, 0.5],
        [Gate([[2.0]], [-1.0], (0, 1)), Gate([[-1.0]], [1.5], (0, 1))],
    )
    rng = np.random.default_rng(1)
    z = [rng.normal(size=(50, 1)) for _ in range(60)]
    rows = [list(zip(at, x, strict=True)) for at, x in zip(z, truth.sample_given(z, 2), strict=True)]
    record = fit(rows, GatedHiddenMarkovEstimator([GaussianEstimator()] * 2), rng=1, starts=2)
    assert record.log_likelihood > truth.seq_log_density(rows).sum()
    found = ordered(record.model, key=lambda topic: topic.mu)
    np.testing.assert_allclose(found.seq_log_density(rows), record.model.seq_log_density(rows), rtol=1e-10)
    for gate, known in zip(found.gates, truth.gates, strict=True):
        assert abs(gate.coef[0, 0] - known.coef[0, 0]) < 0.3  # standard errors are about 0.1
        assert abs(gate.intercept[0] - known.intercept[0]) < 0.3


@pytest.mark.parametrize("few", [False, True])
def test_the_objective_never_falls(few: bool) -> None:
    rows = some_lists(60, 2, (3, 5), few)
    estimator = GatedHiddenMarkovEstimator(
        [LABELS[0].estimator(0.5)] * 3, MultinomialLogisticRegressionEstimator(ridge=0.1), pseudo_count=1.0
    )
    start = LAW.replace(topics=[LABELS[0], LABELS[1], LABELS[1]])
    problem = Problem.of(rows, estimator, threads=1).stacked()
    law, values = problem.stacking.of([start]), []
    for _ in range(12):
        log, statistics = problem.expect(law)
        values.append(float(np.sum(log)) + problem.log_prior(law))
        law = problem.maximise(statistics, law)
    assert (np.diff(values) > -1e-9).all()
    assert values[-1] > values[0] + 1.0


def test_prediction_and_conditions_at_known_covariates() -> None:
    x = some_lists(1, 7, (3,))[0]
    z = np.array([[0.3, -1.0], [1.0, 0.2]])
    one, two = LAW.predict(x, z[0]), LAW.predict(x, z)
    assert one.density("a") == pytest.approx(LAW.density([*x, (z[0], "a")]) / LAW.density(x), rel=1e-10)
    both = sum(LAW.density([*x, (z[0], y), (z[1], "a")]) for y in "ab")
    assert two.density("a") == pytest.approx(both / LAW.density(x), rel=1e-10)
    assert LAW.predict([], z).density("a") == pytest.approx(sum(LAW.density([(z[0], y), (z[1], "a")]) for y in "ab"), rel=1e-10)
    for t in range(3):
        known: list[Any] = list(x)
        known[t] = (x[t][0], UNKNOWN)
        every = {y: LAW.density([*x[:t], (x[t][0], y), *x[t + 1 :]]) for y in "ab"}
        assert np.exp(log_evidence(LAW, known)) == pytest.approx(sum(every.values()), rel=1e-10)
        assert condition(LAW, known).density("a") == pytest.approx(every["a"] / sum(every.values()), rel=1e-10)
    with pytest.raises(StructureError, match="covariates have no law"):
        condition(LAW, [x[0], UNKNOWN, x[2]])


def test_several_unknown_elements_of_many_lists() -> None:
    rows = some_lists(5, 8, (3,))
    partly: list[Any] = [[(z, UNKNOWN), x, (last, UNKNOWN)] for (z, _), x, (last, _) in rows]
    for x, known in zip(rows, partly, strict=True):
        joint = {(a, b): LAW.density([(x[0][0], a), x[1], (x[2][0], b)]) for a in "ab" for b in "ab"}
        law = condition(LAW, known)
        assert law.density(("a", "b")) == pytest.approx(joint["a", "b"] / sum(joint.values()), rel=1e-10)
        drawn = law.sample(2000, rng=1)
        for pair, p in joint.items():
            assert drawn.count(pair) / 2000 == pytest.approx(p / sum(joint.values()), abs=0.05)
    for row, known in zip(impute(LAW, partly, how="sample", rng=1).data, partly, strict=True):
        assert all((z == at).all() for (z, _), (at, _) in zip(row, known, strict=True))
        assert {x for _, x in row} <= {"a", "b"}


def test_regimes_with_covariates_of_both_kinds() -> None:
    truth = GatedHiddenMarkovModelDistribution(
        [LinearRegressionDistribution([b], 0.0, 0.3) for b in (-2.0, 2.0)],
        [0.5, 0.5],
        [Gate([[3.0]], [-1.0], (0, 1)), Gate([[0.0]], [1.0], (0, 1))],
    )
    rng = np.random.default_rng(2)
    z, x = rng.normal(size=(2, 30, 40, 1))
    y = truth.sample_given(z, 3, x=x)
    rows = [[(a, (b, c)) for a, b, c in zip(*row, strict=True)] for row in zip(z, x, y, strict=True)]
    record = fit(rows, GatedHiddenMarkovEstimator([LinearRegressionEstimator()] * 2), rng=1)
    assert record.log_likelihood > truth.seq_log_density(rows).sum()
    found = ordered(record.model, key=lambda topic: topic.coef[0])
    np.testing.assert_allclose([topic.coef[0] for topic in found.topics], [-2.0, 2.0], atol=0.1)
    partly = [*rows[0][:3], (rows[0][3][0], (rows[0][3][1][0], UNKNOWN))]
    assert abs(condition(found, partly).mean()) <= 2.1 * abs(rows[0][3][1][0][0]) + 0.1


def test_draws_at_covariates() -> None:
    z = [np.array([[0.0, 0.0], [1.0, -1.0]])] * 20_000
    drawn = LAW.sample_given(z, 1)
    for second in "ab":
        for first in "ab":
            p = LAW.density([(z[0][0], first), (z[0][1], second)])
            assert np.mean([row == [first, second] for row in drawn]) == pytest.approx(p, abs=0.015)
    rows = some_lists(50, 3)
    again = redrawn(LAW, rows, np.random.default_rng(1))
    assert [[list(z) for z, _ in row] for row in again] == [[list(z) for z, _ in row] for row in rows]
    with pytest.raises(StructureError, match="covariates"):
        LAW.sample(3)
    lines = LAW.replace(topics=[LinearRegressionDistribution([b], 0.0, 1e-6) for b in (0.0, 10.0, -10.0)])
    drawn = lines.sample_given(z[:5], 1, x=[[[1.0], [2.0]]] * 5)
    assert all(min(abs(y - b * x) for b in (0, 10, -10)) < 0.1 for row in drawn for y, x in zip(row, (1, 2), strict=True))


def test_impossible_lists_are_told() -> None:
    x = [(np.zeros(2), "a"), (np.zeros(2), "z")]
    assert "element 1 of gated hidden markov" in LAW.explain_zero_density(x)
    np.testing.assert_allclose(LAW.posterior(x, "prior")[1], LAW.w @ LAW.transitions_given([x[1][0]])[0])


def test_mixtures_of_them_and_gates_that_are_one() -> None:
    rows = some_lists(60, 4, (2, 3, 4))
    record = fit(rows, MixtureEstimator([LAW.estimator()] * 2), starts=1, max_its=5, rng=1)
    assert np.isfinite(record.log_likelihood)
    estimator = GatedHiddenMarkovEstimator([LABELS[0].estimator()] * 2, keys=(None, "g", None))
    record = fit(rows, estimator, starts=1, max_its=5, rng=1)
    assert record.model.gates[0] is record.model.gates[1]
    sides = CompositeEstimator([GatedHiddenMarkovEstimator([LABELS[0].estimator()] * 2, keys=("w", None, None))] * 2)
    model = fit([(row, row[::-1]) for row in rows], sides, starts=1, max_its=5, rng=1).model
    one, two = model.dists
    assert (one.w == two.w).all()
    assert one.gates != two.gates
    assert n_parameters(model) == n_parameters(one) + n_parameters(two) - 1


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"gates": gates(3, 2)[:2]}, "one for each of the 3 states"),
        ({"gates": gates(2, 2) + gates(3, 2)[:1]}, "labels 0 to 2"),
        ({"gates": [*gates(3, 2)[:2], gates(3, 1)[0]]}, "same number of covariates"),
    ],
)
def test_arguments_are_checked(change: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        LAW.replace(**change)
    with pytest.raises(ValueError, match="one for each of the 3 states"):
        GatedHiddenMarkovEstimator([GaussianEstimator()] * 3, [MultinomialLogisticRegressionEstimator()] * 2)


def test_one_state_says_nothing_of_covariates() -> None:
    estimator = GatedHiddenMarkovEstimator([GaussianEstimator()], gate=MultinomialLogisticRegressionEstimator())
    rows = [[([0.5], 1.0), ([1.0], 2.0)], [([0.1], 0.0)]]
    alone = fit([[v for _, v in row] for row in rows], HiddenMarkovEstimator([GaussianEstimator()]))
    assert fit(rows, estimator).log_likelihood == pytest.approx(alone.log_likelihood)
