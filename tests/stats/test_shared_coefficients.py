"""Coefficients and scales that regressions share or hold: against R's flexmix, against regressions on stacked rows, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dmlcore import OnlineEM, fit, standard_errors, stats
from dmlcore.base.errors import KeyClashError, ParameterError, StructureError
from dmlcore.core.flat import flatten, n_parameters, unflatten
from dmlcore.fitting.problem import Problem
from dmlcore.io.json import from_json, to_json
from dmlcore.stats import (
    CommonParametersDistribution,
    CompositeEstimator,
    GammaRegressionEstimator,
    GatedMixtureEstimator,
    LinearRegressionDistribution,
    LinearRegressionEstimator,
    LogisticRegressionEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialLogisticRegressionEstimator,
    NegativeBinomialRegressionEstimator,
    PoissonRegressionEstimator,
    SequenceEstimator,
)
from tests.reference import load

# -- flexmix -------------------------------------------------------------------------------------------------------------


def nested() -> tuple[list[Any], Any]:
    """A gated mixture: x2 and the variance shared by all, x1 by two of three components and without effect in the other."""
    data = load("flexmix_nested_varfix")["data"]
    rows = [((w,), ((a, b), y)) for a, b, w, y in zip(data["x1"], data["x2"], data["w"], data["y"], strict=True)]
    everywhere = {"x2": "fixed", "sigma2": "variance"}
    leaves = [LinearRegressionEstimator(names=("x1", "x2"), tied=everywhere, held={"x1": 0.0})]
    leaves += [LinearRegressionEstimator(names=("x1", "x2"), tied={**everywhere, "x1": "nested"})] * 2
    return rows, GatedMixtureEstimator(leaves, MultinomialLogisticRegressionEstimator(names=("w",)))


def betablockers() -> tuple[list[Any], Any]:
    """Centres, each of one of three levels of mortality; the effect of the treatment is the same in all."""
    data = load("flexmix_betablocker")["data"]
    centres: dict[Any, list[Any]] = {}
    for centre, treatment, deaths, n in zip(data["Center"], data["Treatment"], data["Deaths"], data["Total"], strict=True):
        centres.setdefault(centre, []).append(((float(treatment == "Treated"),), deaths, n))
    leaf = LogisticRegressionEstimator(trials=True, names=("treatment",), tied={"treatment": "effect"})
    return list(centres.values()), MixtureEstimator([SequenceEstimator(leaf)] * 3)


def by_value(errors: Any) -> dict[float, float]:
    """Standard errors by the estimate they belong to."""
    return {round(row["estimate"], 5): row["error"] for row in errors.rows()}


def test_flexmix_nested_coefficients_and_one_variance() -> None:
    rows, estimator = nested()
    maximum = load("flexmix_nested_varfix")["maximum"]
    found = fit(rows, estimator, rng=1)
    assert found.log_likelihood == pytest.approx(maximum["loglik"], abs=1e-8)
    assert found.status == "converged"
    assert n_parameters(found.model) == 10
    params, se = maximum["params"], maximum["se"]
    common = found.model.components[0].common
    assert common.coef["fixed"] == pytest.approx(params["r0.coef.x21"], abs=1e-6)
    assert common.coef["nested"] == pytest.approx(params["r0.coef.x1"], abs=1e-6)
    assert 0.5 * np.log(common.scale["variance"]) == pytest.approx(params["r0.log_sigma"], abs=1e-6)
    assert [law.common for law in found.model.components] == [common] * 3
    assert [law.coef[0] for law in found.model.components] == [0.0, common.coef["nested"], common.coef["nested"]]
    intercepts = [params[f"r0.c{k}.coef.(Intercept)"] for k in range(3)]
    np.testing.assert_allclose(sorted(law.intercept for law in found.model.components), sorted(intercepts), rtol=1e-6)
    errors = by_value(standard_errors(found.model, rows, estimator=estimator))
    for name in ("r0.coef.x21", "r0.coef.x1", "r0.c0.coef.(Intercept)", "r0.c1.coef.(Intercept)", "r0.c2.coef.(Intercept)"):
        assert errors[round(params[name], 5)] == pytest.approx(se[name], rel=1e-4)


def test_flexmix_one_effect_over_grouped_components() -> None:
    rows, estimator = betablockers()
    maximum = load("flexmix_betablocker")["maximum"]
    found = fit(rows, estimator, rng=1)
    assert found.log_likelihood == pytest.approx(maximum["loglik"], abs=1e-8)
    assert n_parameters(found.model) == 6
    params, se = maximum["params"], maximum["se"]
    assert {law.dist.coef[0] for law in found.model.components} == {found.model.components[0].dist.common.coef["effect"]}
    errors = by_value(standard_errors(found.model, rows, estimator=estimator))
    for name in params:
        if "logit" not in name:
            assert errors[round(params[name], 5)] == pytest.approx(se[name], rel=1e-4)


# -- two regressions that share, against one on stacked rows -----------------------------------------------------------------

RNG = np.random.default_rng(11)
X = RNG.normal(size=(80, 2)) * [1.0, 30.0] + [0.0, 400.0]
ETA = np.array([0.3 * X[:, 0] + 0.02 * (X[:, 1] - 400.0) + level for level in (0.5, 1.2)])
Y = {
    "linear": ETA + RNG.normal(size=ETA.shape),
    "poisson": RNG.poisson(np.exp(ETA)),
    "logistic": RNG.binomial(1, 1 / (1 + np.exp(-ETA))),
    "gamma": RNG.gamma(2.5, np.exp(ETA) / 2.5),
    "negative binomial": RNG.poisson(np.exp(ETA) * RNG.gamma(2.0, 0.5, size=ETA.shape)),
}
FAMILIES = {
    "linear": LinearRegressionEstimator,
    "poisson": PoissonRegressionEstimator,
    "logistic": LogisticRegressionEstimator,
    "gamma": GammaRegressionEstimator,
    "negative binomial": NegativeBinomialRegressionEstimator,
}
SCALES = {"linear": "sigma2", "gamma": "shape", "negative binomial": "dispersion"}


def pairs(family: str) -> list[Any]:
    """One observation holds both responses, each with its covariates."""
    return [((x, one), (x, two)) for x, one, two in zip(X, *Y[family].tolist(), strict=True)]


def stacked(family: str, *designs: np.ndarray) -> list[Any]:
    return [(x, y) for design, ys in zip(designs, Y[family].tolist(), strict=True) for x, y in zip(design, ys, strict=True)]


@pytest.mark.parametrize("family", FAMILIES)
def test_shared_slopes_are_those_of_one_regression_with_two_levels(family: str) -> None:
    tied = {0: "a", 1: "b"} | ({SCALES[family]: "s"} if family in SCALES else {})
    leaf = FAMILIES[family](tied=tied)
    found = fit(pairs(family), CompositeEstimator([leaf, leaf]))
    second = np.column_stack([X, np.ones(80)])
    one = fit(stacked(family, np.column_stack([X, np.zeros(80)]), second), FAMILIES[family]()).model
    laws = found.model.dists
    assert np.diff(found.objective).min() > -1e-12 * abs(found.objective[-1])
    for law, level in zip(laws, (one.intercept, one.intercept + one.coef[2]), strict=True):
        np.testing.assert_allclose([*law.coef, law.intercept], [*one.coef[:2], level], rtol=2e-6)
        if family in SCALES:
            assert getattr(law, SCALES[family]) == pytest.approx(getattr(one, SCALES[family]), rel=1e-6)
    assert n_parameters(found.model) == n_parameters(one)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_shared_intercept_and_a_held_slope(family: str) -> None:
    tied = {"intercept": "level"} | ({SCALES[family]: "s"} if family in SCALES else {})
    kind = FAMILIES[family]
    x = X - [0.0, 400.0]
    rows = [((a, one), (a, two)) for a, one, two in zip(x, *Y[family].tolist(), strict=True)]
    found = fit(rows, CompositeEstimator([kind(tied=tied, held={1: 0.02}), kind(tied=tied, held={1: 0.02})]))
    known = np.repeat(0.02, 80) * x[:, 1]
    first, second = np.column_stack([x[:, 0], np.zeros(80)]), np.column_stack([np.zeros(80), x[:, 0]])
    offset = [(z, y, k) for (z, y), k in zip(stacked(family, first, second), np.tile(known, 2), strict=True)]
    one = fit(offset, kind(offset=True)).model
    laws = found.model.dists
    np.testing.assert_allclose([law.coef[0] for law in laws], one.coef, rtol=1e-5)
    assert {law.intercept for law in laws} == {laws[0].common.coef["level"]}
    assert laws[0].intercept == pytest.approx(one.intercept, rel=1e-6)
    assert [law.coef[1] for law in laws] == [0.02, 0.02]
    assert n_parameters(found.model) == n_parameters(one)


def test_a_shared_slope_with_unlike_variances_is_weighted_by_them() -> None:
    y = Y["linear"] * [[1.0], [10.0]]
    rows = [((x, one), (x, two)) for x, one, two in zip(X, *y.tolist(), strict=True)]
    leaf = LinearRegressionEstimator(tied={0: "a"})
    laws = fit(rows, CompositeEstimator([leaf, leaf]), accelerate=False, max_its=5000).model.dists
    beta, variances = np.zeros(5), np.ones(2)
    blank = np.zeros((80, 1))
    ones = np.ones((80, 1))
    one = np.hstack([X[:, :1], X[:, 1:], ones, blank, blank])
    two = np.hstack([X[:, :1], blank, blank, X[:, 1:], ones])
    for _ in range(2000):  # generalised least squares, weights from the residuals
        w = np.repeat(1 / np.sqrt(variances), 80)
        beta = np.linalg.lstsq(np.vstack([one, two]) * w[:, None], np.ravel(y) * w, rcond=None)[0]
        variances = np.mean((y - np.array([one @ beta, two @ beta])) ** 2, axis=1)
    assert laws[0].coef[0] == laws[1].coef[0] == pytest.approx(beta[0], rel=1e-6)
    np.testing.assert_allclose([law.sigma2 for law in laws], variances, rtol=1e-6)
    np.testing.assert_allclose([laws[0].coef[1], laws[1].coef[1]], beta[[1, 3]], rtol=1e-6)


def test_one_key_for_two_columns_makes_their_coefficients_equal() -> None:
    rows = stacked("linear", X / [1.0, 30.0], X / [1.0, 30.0])
    law = fit(rows, LinearRegressionEstimator(tied={0: "same", 1: "same"})).model
    one = fit([(x.sum(), y) for x, y in rows], LinearRegressionEstimator()).model
    np.testing.assert_allclose(law.coef, np.repeat(one.coef, 2), rtol=1e-9)
    assert law.sigma2 == pytest.approx(one.sigma2, rel=1e-9)


def test_ridge_is_paid_once_by_each_regression() -> None:
    leaf = LinearRegressionEstimator(tied={0: "a", 1: "b", "sigma2": "s"}, ridge=3.0)
    found = fit(pairs("linear"), CompositeEstimator([leaf, leaf]))
    law = found.model.dists[0]
    centred = [Y["linear"][i] - Y["linear"][i].mean() for i in range(2)]
    x = X - X.mean(axis=0)
    expected = np.linalg.solve(2 * x.T @ x + 6.0 * np.eye(2), x.T @ (centred[0] + centred[1]))
    np.testing.assert_allclose(law.coef, expected, rtol=1e-9)
    assert found.objective[-1] - found.log_likelihood == pytest.approx(-3.0 * float(expected @ expected) / law.sigma2, rel=1e-9)


# -- with everything else ----------------------------------------------------------------------------------------------------


def test_keyed_regressions_share_too() -> None:
    """Groups of two as sequences, and as tuples whose fields are tied whole, are one model."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 2, 1))
    level = rng.integers(2, size=60) * 4.0
    y = level[:, None] + 1.5 * x[..., 0] + rng.normal(size=(60, 2))
    rows = [[(a, float(b)) for a, b in zip(*both, strict=True)] for both in zip(x, y, strict=True)]
    tied: Any = {0: "slope", "sigma2": "noise"}
    sequences = MixtureEstimator([SequenceEstimator(LinearRegressionEstimator(tied=tied))] * 2)
    tuples = MixtureEstimator([CompositeEstimator([LinearRegressionEstimator(tied=tied, keys=f"{k}")] * 2) for k in range(2)])
    one = fit(rows, sequences, rng=1, starts=1)
    two = fit([tuple(row) for row in rows], tuples, rng=1, starts=1)
    assert two.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-10)
    slopes = {law.dists[i].coef[0] for law in two.model.components for i in range(2)}
    assert len(slopes) == 1
    assert slopes.pop() == pytest.approx(one.model.components[0].dist.coef[0], rel=1e-5)
    assert n_parameters(two.model) == n_parameters(one.model) == 5


def test_steps_climb_and_threads_agree() -> None:
    rows, estimator = nested()
    plain = fit(rows * 200, estimator, rng=3, starts=1, accelerate=False, max_its=30, threads=1)
    again = fit(rows * 200, estimator, rng=3, starts=1, accelerate=False, max_its=30, threads=2)
    assert plain.history == again.history
    steps = np.diff(plain.objective)
    assert steps.min() > -1e-9 * abs(plain.objective[-1])
    assert steps.max() > 1.0


def test_round_trips() -> None:
    rows, estimator = nested()
    model = fit(rows, estimator, rng=1, starts=1, max_its=20).model
    assert from_json(to_json(model)) == model
    assert from_json(to_json(estimator)) == estimator
    assert eval(repr(model), vars(stats)) == model
    assert from_json(to_json(model)).components[0].common is not None
    vector = flatten(model)
    assert unflatten(vector, model) == model
    moved = unflatten(vector + 0.125, model)
    np.testing.assert_allclose(flatten(moved), vector + 0.125, rtol=1e-12)
    assert len({law.coef[1] for law in moved.components}) == 1
    assert moved.components[0].coef[0] == 0.0
    own = model.components[1].estimator()
    assert own.tied == estimator.estimators[1].tied
    assert Problem.of(rows, estimator).is_feasible(model)


def test_other_values_are_taken_from_what_is_shared() -> None:
    law = LinearRegressionDistribution([9.0, 2.0], 0.0, 1.0, tied={0: "a"}, common=CommonParametersDistribution({"a": 3.0}))
    assert law.coef.tolist() == [3.0, 2.0]
    assert law.mean_given([[1.0, 1.0]]).tolist() == [5.0]
    assert n_parameters(law) == 4
    moved = law.with_children((CommonParametersDistribution({"a": 7.0}),))
    assert moved.coef.tolist() == [7.0, 2.0]


def test_streams_share_coefficients_too() -> None:
    leaf = LinearRegressionEstimator(tied={0: "a", "sigma2": "s"})
    estimator, rows = CompositeEstimator([leaf, leaf]), pairs("linear")
    online = OnlineEM(estimator, decay=1.0)
    for start in range(0, 80, 20):
        online.partial_fit(rows[start : start + 20])
    np.testing.assert_allclose(flatten(online.model), flatten(fit(rows, estimator).model), rtol=1e-9)
    assert online.model.dists[0].common is online.model.dists[1].common
    with pytest.raises(StructureError, match="of regressions, only those of linear ones do"):
        OnlineEM(PoissonRegressionEstimator(tied={0: "a"})).partial_fit(stacked("poisson", X, X))


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "logistic"])  # mixed, these have ridges
def test_maxima_of_mixtures_that_share_are_flat(family: str) -> None:
    """Ridges, unlike weights, a component that lacks what others share: no free number can move the objective, nor can other steps."""
    slope: Any = {0: "slope"}
    first = slope | ({SCALES[family]: "scale"} if family in SCALES else {})
    kind = FAMILIES[family]
    estimator = MixtureEstimator([kind(tied=first, ridge=2.0), kind(tied={**first, "intercept": "level"}, held={1: 0.5}, ridge=1.0)])
    rows = list(zip((X - [0.0, 400.0]) / [1.0, 30.0], Y[family][0].tolist(), strict=True))
    weights = np.random.default_rng(3).uniform(0.5, 1.5, 80)
    found = fit(rows, estimator, weights=weights, rng=1, starts=2)
    plain = fit(rows, estimator, weights=weights, start=found.model, accelerate=False)
    problem, at = Problem.of(rows, estimator, weights), flatten(found.model)
    moves = 1e-4 * np.eye(len(at))
    slopes = [problem.objective(unflatten(at + m, found.model)) - problem.objective(unflatten(at - m, found.model)) for m in moves]
    np.testing.assert_allclose(np.array(slopes) / 2e-4, 0.0, atol=2e-3)
    assert plain.objective[-1] == pytest.approx(found.objective[-1], abs=1e-6)


def test_a_shared_slope_that_runs_off_is_named() -> None:
    x = np.linspace(-2.0, 2.0, 40)
    rows = [((v, int(v > 0)), (v, int(v > 0))) for v in x]
    leaf = LogisticRegressionEstimator(names=("dose",), tied={"dose": "effect"})
    found = fit(rows, CompositeEstimator([leaf, leaf]))
    assert found.status == "degenerate"
    assert "the intercept, the coefficient of column 'dose' (covariates separate" in found.message


# -- what is refused ---------------------------------------------------------------------------------------------------------

A = CommonParametersDistribution({"a": 1.0})


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: LinearRegressionEstimator(tied={"age": "a"}), "there is no parameter 'age'"),
        (lambda: LinearRegressionEstimator(names=("x",), tied={1: "a"}), "there is no column 1"),
        (lambda: LinearRegressionEstimator(tied={-1: "a"}), "there is no column -1"),
        (lambda: LinearRegressionEstimator(tied={0: "a"}, held={0: 1.0}), "both tied and held"),
        (lambda: LinearRegressionEstimator(names=("x",), tied={0: "a", "x": "b"}), "each place once"),
        (lambda: LinearRegressionEstimator(tied={0: 1}), "a key"),
        (lambda: LinearRegressionEstimator(tied="a"), "a mapping"),
        (lambda: LinearRegressionEstimator(held={0: "high"}), "a finite real number"),
        (lambda: LinearRegressionEstimator(held={"sigma2": 0.0}), "sigma2 must be positive"),
        (lambda: LinearRegressionEstimator(False, held={"intercept": 0.0}), "no intercept"),
        (lambda: PoissonRegressionEstimator(tied={"sigma2": "s"}), "there is no parameter 'sigma2'"),
        (lambda: LinearRegressionDistribution([1.0], 0.0, 1.0, tied={0: "a"}), "tied and common"),
        (lambda: LinearRegressionDistribution([1.0], 0.0, 1.0, common=A), "tied and common"),
        (lambda: LinearRegressionDistribution([1.0], 0.0, 1.0, tied={0: "b"}, common=A), "common has no 'b'"),
        (lambda: LinearRegressionDistribution([1.0], 0.0, 1.0, held={3: 1.0}), "there is no column 3"),
        (lambda: CommonParametersDistribution({"a": 1.0}, {"s": -1.0}), "positive"),
        (lambda: fit([((1.0,), 2.0), ((2.0,), 5.0), ((3.0,), 4.0)], LinearRegressionEstimator(tied={4: "a"})), "there are 1 columns"),
    ],
)
def test_what_cannot_be_shared_is_named(make: Any, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        make()


def test_a_start_that_shares_nothing_is_refused() -> None:
    rows = stacked("linear", X, X)
    with pytest.raises(StructureError, match="expected a LinearRegressionDistribution with common"):
        fit(rows, LinearRegressionEstimator(tied={0: "a"}), start=LinearRegressionDistribution([1.0, 1.0], 0.0, 1.0))
    law = LinearRegressionDistribution([9.0, 2.0], 0.0, 1.0, tied={0: "a"}, common=CommonParametersDistribution({"a": 3.0}))
    with pytest.raises(StructureError, match="expected a LinearRegressionDistribution with no parts"):
        fit(rows, LinearRegressionEstimator(), start=law)


def test_scales_of_unlike_families_cannot_be_tied() -> None:
    rows = [((x, y), (x, y)) for x, y in zip(X, Y["gamma"][0].tolist(), strict=True)]
    estimator = CompositeEstimator([LinearRegressionEstimator(tied={"sigma2": "s"}), GammaRegressionEstimator(tied={"shape": "s"})])
    with pytest.raises(KeyClashError, match="key 's' ties a scale"):
        fit(rows, estimator)


def test_what_is_shared_and_not_determined_is_named() -> None:
    """Both intercepts and a column that is one in one regression and zero in the other: the data determine all but one number."""
    rows = [((x, 0.0), y) for x, y in zip(X[:, 0], Y["poisson"][0].tolist(), strict=True)]
    rows = [(((x, 1.0), y), ((x, 0.0), z)) for (((x, _), y), z) in zip(rows, Y["poisson"][1].tolist(), strict=True)]
    leaf = PoissonRegressionEstimator(tied={1: "shift"}, ridge=1e-12)
    found = fit(rows, CompositeEstimator([leaf, leaf]))
    assert np.isfinite(found.log_likelihood)
    assert any("shift" in event or "determine" in event for event in [*found.events, found.message])


def test_a_search_over_components_that_share_in_unlike_ways_finds_the_truth() -> None:
    """Components of which one lacks an effect that the others share: arrangements keep each law in a place of its kind."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 1))
    z = rng.integers(3, size=300)
    y = np.array([-6.0, 0.0, 6.0])[z] + 2.0 * x[:, 0] * (z > 0) + rng.normal(size=300)
    tied: Any = {"sigma2": "noise"}
    leaves = [LinearRegressionEstimator(tied=tied, held={0: 0.0})] + [LinearRegressionEstimator(tied={**tied, 0: "slope"})] * 2
    found = fit(list(zip(x, y.tolist(), strict=True)), MixtureEstimator(leaves), rng=1, starts=2, max_its=60)
    assert found.status == "converged"
    assert found.model.components[0].intercept == pytest.approx(-6.0, abs=0.5)
    assert sorted(round(law.intercept / 6) for law in found.model.components) == [-1, 0, 1]
    assert found.model.components[1].coef[0] == pytest.approx(2.0, abs=0.2)


def test_the_first_component_may_lack_what_others_share() -> None:
    """A search tries components fitted apart, which know only the keys that they name."""
    rng = np.random.default_rng(9)
    x, z = rng.normal(size=(250, 2)), rng.integers(3, size=250)
    y = np.array([-2.0, 0.0, 2.0])[z] + np.array([0.0, 1.5, 1.5])[z] * x[:, 0] + 0.5 * x[:, 1] + rng.normal(0, 0.8, 250)
    everywhere: Any = {1: "fixed", "sigma2": "noise"}
    nested = LinearRegressionEstimator(tied={**everywhere, 0: "nested"})
    mixture = MixtureEstimator([LinearRegressionEstimator(tied=everywhere, held={0: 0.0}), nested, nested])
    rows = list(zip(x, y.tolist(), strict=True))
    found = fit(rows, mixture, rng=0, starts=2, max_its=60)
    assert found.status == "converged"
    assert found.log_likelihood == pytest.approx(fit(rows, mixture, start=z).log_likelihood, abs=1e-6)


def test_a_start_whose_regressions_share_nothing_yet_or_other_keys() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(80, 2))
    rows = list(zip(x, (x[:, 0] + np.where(rng.random(80) < 0.5, 2.0, -2.0) + rng.normal(0, 0.3, 80)).tolist(), strict=True))
    leaf = LinearRegressionEstimator(tied={0: "a"})
    commons = [CommonParametersDistribution({"a": 0.5}), CommonParametersDistribution({"a": 0.9, "other": 3.0})]
    laws = [LinearRegressionDistribution([0.0, 0.0], b, 1.0, tied={0: "a"}, common=c) for b, c in zip((1.0, -1.0), commons, strict=True)]
    apart = fit(rows, MixtureEstimator([leaf] * 2), start=MixtureDistribution(laws, [0.5, 0.5]))
    assert list(apart.model.components[0].common.coef) == ["a"]
    assert apart.model.components[0].common is apart.model.components[1].common
    other = fit(rows, MixtureEstimator([LinearRegressionEstimator(tied={1: "b"})] * 2), rng=1).model
    again = fit(rows, MixtureEstimator([leaf] * 2), start=other)
    assert again.log_likelihood == pytest.approx(apart.log_likelihood, abs=1e-6)


def test_what_only_a_removed_component_named_is_no_parameter() -> None:
    rng = np.random.default_rng(5)
    x, z = rng.normal(size=(200, 2)), rng.integers(2, size=200)
    y = np.where(z, 1.0, -1.0) + 0.7 * x[:, 0] + np.where(z, 1.0, -0.5) * x[:, 1] + rng.normal(0, 0.4, 200)
    leaf = LinearRegressionEstimator(tied={0: "a"})
    mixture = MixtureEstimator([leaf, LinearRegressionEstimator(tied={0: "a", "intercept": "m", "sigma2": "q"}), leaf])
    shares = np.stack([np.where(z, 0.9, 0.05), np.full(200, 0.05), np.where(z, 0.05, 0.9)], axis=1)
    found = fit(list(zip(x, y.tolist(), strict=True)), mixture, start=shares, min_share=0.2)
    assert found.removed == 1
    common = found.model.components[0].common
    assert (list(common.coef), list(common.scale)) == (["a"], [])
    assert n_parameters(found.model) == 8
