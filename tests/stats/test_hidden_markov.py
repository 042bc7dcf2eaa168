"""Hidden Markov models against sums over all paths, published fits, and themselves cut into windows."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dmlcore import UNKNOWN, condition, fit
from dmlcore.base.errors import ParameterError, StructureError, SupportError
from dmlcore.core.flat import n_parameters
from dmlcore.core.partial import given, partial
from dmlcore.fitting.drivers import estimate
from dmlcore.inference.condition import log_evidence
from dmlcore.inference.relabel import ordered
from dmlcore.kernels import log_filtered
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeDistribution,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    HiddenMarkovEstimator,
    HiddenMarkovModelDistribution,
    IgnoredEstimator,
    IntegerCategoricalDistribution,
    LinearRegressionEstimator,
    MarkovChainDistribution,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianDistribution,
    OptionalEstimator,
    PoissonDistribution,
    PoissonEstimator,
)
from dmlcore.stats.latent import state_passes
from dmlcore.stats.latent.state_steps import ONE_KIND
from dmlcore.stats.latent.stationary import stationary
from tests.examples import BY_NAME
from tests.reference import load

N = GaussianDistribution
P = [[0.8, 0.1, 0.1], [0.3, 0.5, 0.2], [0.1, 0.0, 0.9]]
REALS = HiddenMarkovModelDistribution([N(-1.0, 1.0), N(2.0, 0.5), N(0.0, 4.0)], [0.5, 0.3, 0.2], P, len_dist=PoissonDistribution(4.0))
SHARED = HiddenMarkovModelDistribution([N(-1.0, 1.0), N(2.0, 0.5)], [0.5, 0.3, 0.2], P, [[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])


def paths_of(law: Any, x: Any) -> dict[tuple[int, ...], float]:
    """Every path of states, with the log of its joint density with a list, without the length."""
    each = np.array([[law.emission(s).log_density(v) for s in range(law.num_states)] for v in x])
    with np.errstate(divide="ignore"):
        log_w, log_P = np.log(law.w), np.log(law.transitions)
    return {
        path: log_w[path[0]] + sum(log_P[i, j] for i, j in itertools.pairwise(path)) + sum(each[t, s] for t, s in enumerate(path))
        for path in itertools.product(range(law.num_states), repeat=len(x))
    }


def sum_over_paths(law: Any, x: Any) -> float:
    return float(np.logaddexp.reduce(list(paths_of(law, x).values())))


@pytest.mark.parametrize("law", [REALS, SHARED], ids=["states", "shared topics"])
def test_states_against_all_paths(law: Any) -> None:
    x = [0.3, -1.2, 2.2, 1.9, -0.4]
    paths = paths_of(law, x)
    total = np.logaddexp.reduce(list(paths.values()))
    length = law.len_dist.log_density(5)
    assert law.log_density(x) == pytest.approx(total + length, abs=1e-12)
    share = {path: np.exp(log - total) for path, log in paths.items()}
    smoothed = [[sum(p for path, p in share.items() if path[t] == s) for s in range(3)] for t in range(5)]
    np.testing.assert_allclose(law.posterior(x), smoothed, atol=1e-13)
    pairs = [[[sum(p for q, p in share.items() if q[t : t + 2] == (i, j)) for j in range(3)] for i in range(3)] for t in range(4)]
    np.testing.assert_allclose(law.pair_posterior(x), pairs, atol=1e-13)
    before = [law.posterior(x[: t + 1])[-1] for t in range(5)]
    np.testing.assert_allclose(law.filtered_posterior(x), before, atol=1e-13)
    best = max(paths, key=paths.__getitem__)
    assert tuple(law.most_probable_states(x)) == tuple(law.viterbi(x)) == best
    ahead = law.predict(x)
    for y in (-1.0, 0.4, 3.0):
        assert ahead.log_density(y) == pytest.approx(sum_over_paths(law, [*x, y]) - total, abs=1e-12)
    two = law.predict(x, 2)
    first = law.predict([])
    np.testing.assert_allclose(two.w, (before[-1] @ law.transitions @ law.transitions) @ (np.eye(3) if law.taus is None else law.taus))
    np.testing.assert_allclose(first.w, law.w if law.taus is None else law.w @ law.taus)


@pytest.mark.parametrize("unknown", [[1], [0, 3], [2, 3, 4], [0, 1, 2, 3, 4]])
def test_conditioning_on_any_elements(unknown: list[int]) -> None:
    x: list[Any] = [0.3, -1.2, 2.2, 1.9, -0.4]
    seen = [UNKNOWN if t in unknown else v for t, v in enumerate(x)]
    law = condition(REALS, seen)
    values = tuple(x[t] for t in unknown)
    chain = log_evidence(REALS, seen) + law.log_density(values[0] if len(values) == 1 else values)
    assert chain == pytest.approx(REALS.log_density(x), abs=1e-12)


def test_conditioning_inside_elements() -> None:
    states = [CompositeDistribution((N(m, 1.0), CategoricalDistribution({"a": p, "b": 1 - p}))) for m, p in ((-2.0, 0.9), (2.0, 0.2))]
    law = HiddenMarkovModelDistribution(states, [0.6, 0.4], [[0.9, 0.1], [0.2, 0.8]])
    seen = [(-1.0, UNKNOWN), (UNKNOWN, "b"), (1.5, "b")]
    out = condition(law, seen)
    chain = log_evidence(law, seen) + out.log_density(("a", 0.7))
    assert chain == pytest.approx(law.log_density([(-1.0, "a"), (0.7, "b"), (1.5, "b")]), abs=1e-12)
    _, rows = given(law, partial(law.layout, seen), 1)
    labels, reals = rows.draw(np.zeros(20_000, dtype=np.intp), np.random.default_rng(1))
    both = np.mean((np.array(labels) == "a") & (np.array(reals) > 0.0))
    expected = sum(w * parts[0].density("a") * (1 - parts[1].cdf(0.0)) for w, parts in rows.cases(0))
    assert both == pytest.approx(expected, abs=5 * np.sqrt(0.25 / 20_000))


def test_of_equally_probable_paths_the_first_is_taken() -> None:
    alike = HiddenMarkovModelDistribution([N(0.0, 1.0)] * 3, np.full(3, 1 / 3), np.full((3, 3), 1 / 3))
    assert alike.viterbi([0.0, 1.0, 2.0]).tolist() == [0, 0, 0]


def test_hmmlearn() -> None:
    """Log likelihoods, posteriors, the Viterbi path and steps of EM."""
    case = load("hmmlearn_gaussian")
    cuts = np.cumsum(case["data"]["lengths"])[:-1]
    rows = [part.tolist() for part in np.split(np.array(case["data"]["x"]), cuts)]
    start = case["fixed"]
    states = [N(mu, sigma2) for mu, sigma2 in zip(start["means"], start["variances"], strict=True)]
    law = HiddenMarkovModelDistribution(states, start["startprob"], start["transmat"])
    assert law.seq_log_density(rows).sum() == pytest.approx(case["fit"]["loglik"], rel=1e-12)
    np.testing.assert_allclose(np.concatenate(law.seq_posterior(rows)), case["fit"]["posteriors"], atol=1e-12)
    np.testing.assert_array_equal(np.concatenate(law.seq_viterbi(rows)), case["fit"]["viterbi_path"])
    for after in case["after_em"]:
        found: Any = fit(
            rows, HiddenMarkovEstimator([GaussianEstimator()] * 3), start=law, max_its=after["n_iter"], delta=None, accelerate=False
        )
        model = found.model
        assert model.seq_log_density(rows).sum() == pytest.approx(after["loglik"], rel=1e-9)
        np.testing.assert_allclose(model.w, after["startprob"], atol=1e-5)
        np.testing.assert_allclose(model.transitions, after["transmat"], atol=1e-5)
        np.testing.assert_allclose([state.mu for state in model.topics], after["means"], rtol=1e-5)
        np.testing.assert_allclose([state.sigma2 for state in model.topics], after["variances"], rtol=1e-4)


def test_likeliest_paths_score_elements_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, seen = REALS.sample(30, rng=1), []
    known = state_passes.Emissions.__init__

    def counted(self: Any, law: Any, flat: Any, score: Any) -> None:
        seen.append(len(flat))
        known(self, law, flat, score)

    monkeypatch.setattr(state_passes.Emissions, "__init__", counted)
    paths = REALS.seq_viterbi(rows)
    assert sum(seen) == sum(map(len, rows)) == sum(map(len, paths))


def states_of(name: str, start: Any) -> list[Any]:
    """States as hmmlearn has them."""
    if name == "full":
        return list(itertools.starmap(MultivariateGaussianDistribution, zip(start["means"], start["covars"], strict=True)))
    if name == "gmm":
        parts = [[N(mu, v) for (mu,), (v,) in zip(*pair, strict=True)] for pair in zip(start["means"], start["covars"], strict=True)]
        return list(itertools.starmap(MixtureDistribution, zip(parts, start["weights"], strict=True)))
    if name == "poisson":
        return [PoissonDistribution(lam) for (lam,) in start["lambdas"]]
    return [IntegerCategoricalDistribution(0, p) for p in start["emissionprob"]]


@pytest.mark.parametrize("name", ["full", "gmm", "poisson", "categorical"])
def test_hmmlearn_on_other_emissions(name: str) -> None:
    """Its steps for mixtures are other ones than EM's in the variances, and so agree in the rest of the first alone."""
    whole = load("hmmlearn_emissions")
    case = whole[name]
    x = np.array(case["x"])
    rows = [list(part) for part in np.split(x if name == "full" else x[:, 0], np.cumsum(whole["lengths"])[:-1])]
    law = HiddenMarkovModelDistribution(states_of(name, case["start"]), whole["startprob"], whole["transmat"])
    assert law.seq_log_density(rows).sum() == pytest.approx(case["loglik"], rel=1e-12)
    np.testing.assert_allclose(np.concatenate(law.seq_posterior(rows))[:20], case["posterior"], atol=1e-12)
    np.testing.assert_array_equal(np.concatenate(law.seq_viterbi(rows)), case["viterbi"])
    for steps in (1, 3)[: 1 if name == "gmm" else 2]:
        found: Any = fit(rows, law.estimator(), start=law, max_its=steps, delta=None, accelerate=False)
        after = case[f"after_{steps}"]
        np.testing.assert_allclose(found.model.w, after["startprob"], atol=1e-13)
        np.testing.assert_allclose(found.model.transitions, after["transmat"], rtol=1e-12)
        if name == "gmm":
            np.testing.assert_allclose([state.w for state in found.model.topics], after["weights_"], rtol=1e-12)
            means = [[part.mu for part in state.components] for state in found.model.topics]
            np.testing.assert_allclose(means, np.array(after["means_"])[..., 0], rtol=1e-12)
        else:
            assert found.log_likelihood == pytest.approx(after["loglik"], rel=1e-12)


@pytest.mark.parametrize("states", [2, 3])
def test_earthquakes_by_the_default_call(states: int) -> None:
    case = load("earthquakes")
    found = fit([case["x"]], HiddenMarkovEstimator([PoissonEstimator()] * states), rng=5)
    assert found.log_likelihood == pytest.approx(case["log_likelihood"][str(states)], abs=1e-4)


@pytest.mark.parametrize("name", ["fedfunds", "lag", "lag and covariates", "areturns"])
def test_markov_switching_regression(name: str) -> None:
    """The first regime by its stationary probabilities; one variance, or (areturns) one each."""
    case = load("markov_switching")
    f, a = case["fedfunds"], case["areturns"]
    covariates = {
        "fedfunds": [() for _ in f],
        "lag": [(v,) for v in f[:-1]],
        "lag and covariates": list(zip(f[3:-1], case["ogap"][4:], case["inf"][4:], strict=True)),
        "areturns": [(v,) for v in a[:-1]],
    }[name]
    y = {"fedfunds": f, "lag": f[1:], "lag and covariates": f[4:], "areturns": a[1:]}[name]
    tied = {} if name == "areturns" else {"tied": {"sigma2": "one"}}
    estimator = HiddenMarkovEstimator([LinearRegressionEstimator(**tied)] * 2, initial="stationary")
    found: Any = fit([list(zip(covariates, y, strict=True))], estimator, rng=1, starts=8)
    assert found.log_likelihood == pytest.approx(case["log_likelihood"][name], abs=1e-4)
    np.testing.assert_allclose(found.model.w, stationary(found.model.transitions), rtol=1e-12)


def test_windows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [*REALS.sample(30, rng=1), [], *([np.linspace(-2.0, 3.0, 90).tolist()] * 2)]
    estimator = HiddenMarkovEstimator([GaussianEstimator()] * 3, num_states=2)
    whole = fit(rows, estimator, rng=2, starts=2, max_its=4)
    posterior, log = REALS.seq_posterior(rows), REALS.seq_log_density(rows)
    before = REALS.seq_filtered_posterior(rows)
    monkeypatch.setattr(state_passes, "WINDOW", 17)
    np.testing.assert_allclose(REALS.seq_log_density(rows), log, rtol=1e-12)
    for one, other in zip(REALS.seq_posterior(rows), posterior, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    for one, other in zip(REALS.seq_filtered_posterior(rows), before, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    again = fit(rows, estimator, start=whole.model, max_its=2, accelerate=False)
    monkeypatch.undo()
    np.testing.assert_allclose(again.log_likelihood, fit(rows, estimator, start=whole.model, max_its=2, accelerate=False).log_likelihood)


def exactly(law: Any, x: Any) -> float:
    logs = np.array([law.emission(s).seq_log_density(x) for s in range(law.num_states)])
    with np.errstate(divide="ignore"):
        forth = log_filtered(logs, np.log(law.w)[None], np.log(law.transitions)[None], ONE_KIND.which, np.array([0, len(x)]))
    return float(np.logaddexp.reduce(forth[:, -1]))


def test_paths_that_were_given_up_count_again() -> None:
    """Two states that never meet: the first is far likelier for a long time, and then the second."""
    apart = HiddenMarkovModelDistribution([N(0.0, 1.0), N(10.0, 1.0)], [0.5, 0.5], np.eye(2))
    x = [0.0] * 20 + [10.0] * 20
    rows = [x, [0.0, 1.0], x[::-1], [10.0] * 30 + [0.0] * 60]
    np.testing.assert_allclose(apart.seq_log_density(rows), [exactly(apart, row) for row in rows], rtol=1e-12)
    np.testing.assert_allclose(apart.posterior(x), 0.5, atol=1e-9)
    np.testing.assert_allclose(apart.filtered_posterior(x)[-1], 0.5, atol=1e-9)
    forward = HiddenMarkovModelDistribution([N(0.0, 1.0), N(500.0, 1.0)], [1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]])
    for row in ([0.0, 500.0, 0.0], [500.0, 0.0], [0.0, 500.0, 500.0]):
        assert forward.log_density(row) == pytest.approx(exactly(forward, row), rel=1e-12)
    fitted: Any = fit(rows, HiddenMarkovEstimator([GaussianEstimator()] * 2), start=apart, max_its=1, accelerate=False).model
    share = np.concatenate(apart.seq_posterior(rows))
    flat = np.concatenate(rows)
    np.testing.assert_allclose([state.mu for state in fitted.topics], share.T @ flat / share.sum(axis=0), rtol=1e-9)


def test_a_million_steps_do_not_underflow() -> None:
    x = np.tile([0.0, 0.1, 3.0], 70_000)
    chain = HiddenMarkovModelDistribution([N(0.0, 1.0), N(3.0, 1.0)], [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]])
    log = chain.log_density(x)
    assert np.isfinite(log)
    assert log == pytest.approx(chain.log_density(x[:105_000]) * 2, rel=1e-4)


@pytest.mark.parametrize("assign", ["hard", "stochastic"])
def test_paths_that_are_chosen(assign: str) -> None:
    rows = REALS.sample(60, rng=3)
    start = REALS.replace(topics=[N(-2.0, 2.0), N(3.0, 1.0), N(0.5, 1.0)])
    found = fit(rows, REALS.estimator(), start=start, assign=assign, max_its=6, delta=None, rng=0)
    assert np.isfinite(found.log_likelihood)
    if assign == "hard":
        assert np.diff(found.history).min() >= -1e-9
        best = [max(paths_of(found.model, row).values()) for row in rows if 0 < len(row) < 6]
        exact = [sum_over_paths(found.model, row) for row in rows if 0 < len(row) < 6]
        assert all(a <= b + 1e-12 for a, b in zip(best, exact, strict=True))


def test_states_known_at_some_steps() -> None:
    """A label beside each element, where its state is known: the other states give it probability zero."""
    truth = HiddenMarkovModelDistribution(
        [N(0.0, 1.0), N(0.5, 1.0)], [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], len_dist=PoissonDistribution(20.0)
    )
    rows = truth.sample(40, rng=1)
    known = [[(x, None if t % 3 else int(x > 0.2)) for t, x in enumerate(row)] for row in rows]

    def state(k: int) -> Any:
        return CompositeEstimator((GaussianEstimator(), OptionalEstimator(IgnoredEstimator(CategoricalDistribution({k: 1.0})))))

    model: Any = fit(known, HiddenMarkovEstimator([state(0), state(1)]), rng=0).model
    posterior = model.seq_posterior(known)
    for row, p in zip(known, posterior, strict=True):
        for (_, label), share in zip(row, p, strict=True):
            assert label is None or share[label] == pytest.approx(1.0, abs=1e-12)


def test_missing_elements_and_mixtures_of_chains() -> None:
    truth = [
        HiddenMarkovModelDistribution([N(-3.0, 1.0), N(3.0, 1.0)], [0.5, 0.5], p)
        for p in ([[0.9, 0.1], [0.1, 0.9]], [[0.1, 0.9], [0.9, 0.1]])
    ]
    rows = [row for law in truth for row in law.replace(len_dist=CategoricalDistribution({30: 1.0})).sample(60, rng=1)]
    gaps = [[None if (t + i) % 5 == 0 else x for t, x in enumerate(row)] for i, row in enumerate(rows)]
    chain = HiddenMarkovEstimator([OptionalEstimator(GaussianEstimator())] * 2)
    model: Any = fit(gaps, MixtureEstimator([chain] * 2), rng=0, starts=6).model
    share = model.seq_posterior(gaps).argmax(axis=1)
    assert len(set(share[:60])) == len(set(share[60:])) == 1
    assert share[0] != share[-1]
    assert sorted(round(float(c.transitions[0, 0]), 1) for c in model.components) == [0.1, 0.9]


def test_states_in_a_stable_order() -> None:
    turned = ordered(REALS, key=lambda state: -state.mean())
    order = [1, 2, 0]
    assert turned == REALS.replace(
        topics=[REALS.topics[k] for k in order], w=REALS.w[order], transitions=REALS.transitions[np.ix_(order, order)]
    )
    x = [0.3, -1.2, 2.2]
    assert turned.log_density(x) == pytest.approx(REALS.log_density(x), rel=1e-14)


def test_one_state_for_each_label_is_a_markov_chain() -> None:
    chain = MarkovChainDistribution({"a": 0.7, "b": 0.3}, {"a": {"a": 0.2, "b": 0.8}, "b": {"a": 0.6, "b": 0.4}})
    hidden = HiddenMarkovModelDistribution([CategoricalDistribution({label: 1.0}) for label in "ab"], [0.7, 0.3], [[0.2, 0.8], [0.6, 0.4]])
    rows = [["a", "b", "b"], ["b"], []]
    np.testing.assert_allclose(hidden.seq_log_density(rows), chain.seq_log_density(rows), rtol=1e-13)
    model: Any = fit(
        rows * 3, HiddenMarkovEstimator([IgnoredEstimator(CategoricalDistribution({label: 1.0})) for label in "ab"]), rng=0
    ).model
    np.testing.assert_allclose(model.w, [0.5, 0.5])
    np.testing.assert_allclose(model.transitions, [[0.0, 1.0], [0.0, 1.0]], atol=1e-12)


def test_terminal_values_end_draws() -> None:
    law = HiddenMarkovModelDistribution(
        [CategoricalDistribution({"a": 0.9, ".": 0.1}), CategoricalDistribution({"b": 0.8, ".": 0.2})],
        [0.5, 0.5],
        [[0.5, 0.5], [0.5, 0.5]],
        terminal_values=["."],
    )
    rows = law.sample(200, rng=1)
    assert all(row[-1] == "." and "." not in row[:-1] for row in rows)
    assert 5.0 < np.mean([len(row) for row in rows]) < 9.0
    assert law.estimator().terminal_values == law.terminal_values


def test_held_first_states_and_pseudo_counts() -> None:
    rows = REALS.sample(50, rng=1)
    held: Any = fit(rows, HiddenMarkovEstimator([GaussianEstimator()] * 2, initial=[0.25, 0.75]), rng=0, starts=4)
    assert held.model.w.tolist() == [0.25, 0.75]
    prior: Any = fit(rows, HiddenMarkovEstimator([GaussianEstimator()] * 2, pseudo_count=(1e6, 1e6)), rng=0, starts=4).model
    np.testing.assert_allclose(prior.transitions, 0.5, atol=1e-3)


KEYS = [("w", None, None), (None, "P", None), ("c", "c", None), (None, "P", "x")]


@pytest.mark.parametrize("keys", KEYS, ids=str)
@pytest.mark.parametrize("shared", [False, True], ids=["states", "shared topics"])
def test_each_key_pools_what_it_names(keys: Any, shared: bool) -> None:
    """One step of EM from two models, against one of each alone on sums of statistics: counts from their posteriors."""
    taus = [[0.7, 0.3], [0.2, 0.8]] if shared else None
    topics = [N(-1.0, 1.0), N(2.0, 1.0)]
    same = [[0.9, 0.1], [0.3, 0.7]]
    laws = [HiddenMarkovModelDistribution(topics, [0.6, 0.4], same, taus, keys=keys) for _ in range(2)]
    sides = [REALS.sample(20, rng=rng) for rng in (1, 2)]
    one = HiddenMarkovEstimator([GaussianEstimator()] * 2, pseudo_count=(3.0, 2.0), num_states=2 if shared else None, keys=keys)
    before: Any = CompositeDistribution(laws)
    after: Any = estimate(list(zip(*sides, strict=True)), CompositeEstimator([one, one]), before)
    seen = [[row for row in side if row] for side in sides]
    begun = [sum(law.posterior(x)[0] for x in side) for law, side in zip(laws, seen, strict=True)]
    moved = [sum(law.pair_posterior(x).sum(axis=0) for x in side) for law, side in zip(laws, seen, strict=True)]
    for field, counts, pseudo, key in (("w", begun, 1.5, keys[0]), ("transitions", moved, 1.0, keys[1])):
        for side in (0, 1):
            whole = sum(counts) if key else counts[side]
            expected = (whole + pseudo) / (whole + pseudo).sum(axis=-1, keepdims=True)
            np.testing.assert_allclose(getattr(after.dists[side], field), expected, rtol=1e-12)
        assert (getattr(after.dists[0], field) == getattr(after.dists[1], field)).all() == (key is not None)
    if shared:
        assert (after.dists[0].taus == after.dists[1].taus).all() == (keys[1] is not None)
    free = 1 + (0 if keys[0] else 1) + 2 + (0 if keys[1] else 2) + (0 if keys[2] else 4) + 4
    assert n_parameters(after) == free + (0 if not shared else 2 if keys[1] else 4)


def test_ties_of_chains_in_fits() -> None:
    """Objectives rise, with priors counted once; what is tied stays one, in stacks, with stationary starts and in what nests a chain."""
    rows = REALS.sample(40, rng=1)
    pairs = [(row, row[::-1]) for row in rows]
    free, still = (
        HiddenMarkovEstimator([GaussianEstimator()] * 2, pseudo_count=(3.0, 4.0), keys=(None, "P", None), initial=initial)
        for initial in ("free", "stationary")
    )
    kept: Any = fit(rows, MixtureEstimator([free] * 2), rng=0, starts=2, max_its=20)
    sides: Any = fit(pairs, CompositeEstimator([still] * 2), rng=0, starts=2, max_its=20)
    apart: Any = fit(pairs, MixtureEstimator([CompositeEstimator([free] * 2)] * 2), rng=0, starts=2, max_its=5)
    for found in (kept, sides, apart):
        assert np.diff(found.objective).min() > -1e-9 * abs(found.objective[-1])
    one, two = kept.model.components
    assert (one.transitions == two.transitions).all()
    assert (one.w != two.w).any()
    one, two = sides.model.dists
    np.testing.assert_allclose(one.w, stationary(one.transitions), atol=1e-9)
    assert (one.transitions == two.transitions).all()
    assert (one.w == two.w).all()
    chains = [chain for record in apart.model.components for chain in record.dists]
    assert all((chain.transitions == chains[0].transitions).all() for chain in chains)
    with pytest.raises(StructureError, match="stationary weights follow from the transitions"):
        fit(rows, HiddenMarkovEstimator([GaussianEstimator()] * 2, keys=("w", "P", None), initial="stationary"))


def test_bad_input() -> None:
    G = GaussianEstimator()
    with pytest.raises(ParameterError, match=r"transitions must be \(2, 2\)"):
        HiddenMarkovModelDistribution([N(0, 1), N(1, 1)], [0.5, 0.5], P)
    with pytest.raises(ParameterError, match="topics must be one for each of the 2 states"):
        HiddenMarkovModelDistribution([N(0, 1)], [0.5, 0.5], np.eye(2))
    with pytest.raises(ParameterError, match="taus must have one row per state"):
        HiddenMarkovModelDistribution([N(0, 1)], [0.5, 0.5], np.eye(2), [[1.0]])
    with pytest.raises(ParameterError, match="num_states must be a whole number"):
        HiddenMarkovEstimator([G], num_states=0)
    with pytest.raises(ParameterError, match='initial must be "free", "stationary" or 2 probabilities'):
        HiddenMarkovEstimator([G, G], initial="fixed")
    with pytest.raises(ParameterError, match="initial must be probabilities"):
        HiddenMarkovEstimator([G, G], initial=[0.5, 0.6])
    with pytest.raises(StructureError, match="components describe different observations"):
        assert HiddenMarkovEstimator([G, HiddenMarkovEstimator([G, G])]).layout
    law = HiddenMarkovModelDistribution(
        [CategoricalDistribution({"a": 1.0}), CategoricalDistribution({"b": 1.0})], [1.0, 0.0], [[0.0, 1.0], [1.0, 0.0]]
    )
    with pytest.raises(SupportError, match=r"row 1 has density zero .*no path of states"):
        law.seq_posterior([["a", "b"], ["a", "a"]])
    np.testing.assert_array_equal(law.seq_posterior([["a", "a"]], impossible="prior")[0], np.eye(2))
    with pytest.raises(ParameterError, match="steps must be a whole number"):
        law.predict(["a"], 0)
    assert law.explain_zero_density(["a", "z"]).startswith("element 1 of hidden markov")


def test_posteriors_of_lists_that_repeat() -> None:
    law: Any = BY_NAME["hidden markov"].law
    rows = [["a"], ["a", "b"], []]
    for many, one in zip(law.seq_posterior(rows * 100), law.seq_posterior(rows) * 100, strict=True):
        np.testing.assert_array_equal(many, one)
