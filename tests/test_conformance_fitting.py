"""What fitting must satisfy for every family and nesting: statistics, keys, priors, EM, starts, equivariance, honest status.

Over the registry in `tests/examples.py`, with and without pseudo-counts.
"""

from __future__ import annotations

import dataclasses
import math
import pickle
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.optimize

import dmlcore.data.encoded
from dmlcore import fit
from dmlcore.base.errors import DegenerateError, KeyClashError
from dmlcore.core.declared import Declared
from dmlcore.core.distribution import Distribution
from dmlcore.core.flat import flatten, unflatten
from dmlcore.core.statistics import Counts, Sums
from dmlcore.engines.stream import stream
from dmlcore.fitting.ascent import begun
from dmlcore.fitting.problem import Problem
from dmlcore.stats import (
    BernoulliSetEstimator,
    BinomialEstimator,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    DiagonalGaussianDistribution,
    DiagonalGaussianEstimator,
    ExponentialDistribution,
    ExponentialEstimator,
    GammaDistribution,
    GammaEstimator,
    GaussianDistribution,
    GaussianEstimator,
    HierarchicalMixtureDistribution,
    IgnoredDistribution,
    IgnoredEstimator,
    IntegerCategoricalEstimator,
    InverseGaussianDistribution,
    InverseGaussianEstimator,
    JointMixtureDistribution,
    LogGaussianDistribution,
    LogGaussianEstimator,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianDistribution,
    MultivariateGaussianEstimator,
    OptionalEstimator,
    PoissonEstimator,
    SequenceEstimator,
    SpikeAndSlabEstimator,
    estimate,
    initialize,
)
from dmlcore.stats.multivariate.multivariate_gaussian import GaussianVectorDistribution
from dmlcore.stats.regression.glm.common_parameters import Contributions
from tests.examples import BY_NAME, EXAMPLES, Example, points


@dataclasses.dataclass(frozen=True)
class Case:
    """An example, and an estimator for it: its own ("plain"), or one with pseudo-counts ("prior")."""

    example: Example
    kind: str

    @property
    def law(self) -> Any:
        return self.example.law

    @property
    def estimator(self) -> Any:
        return self.example.estimator if self.kind == "plain" else self.law.estimator(1.5)

    def rows(self, n: int, seed: int = 1) -> list[Any]:
        return data(self.example.name, n, seed)


@cache
def data(name: str, n: int, seed: int) -> list[Any]:
    return BY_NAME[name].data(n, seed)


def cases(kinds: str = "plain prior", only: Any = lambda e: True) -> Any:
    chosen = [Case(e, kind) for e in EXAMPLES if only(e) for kind in kinds.split()]
    return pytest.mark.parametrize("case", chosen, ids=[f"{c.example.name}-{c.kind}".replace(" ", "_") for c in chosen])


def is_leaf(e: Example) -> bool:
    return type(e.law).log_densities is not Distribution.log_densities


@cache
def problem_of(e: Example) -> Problem:
    """Of few rows, for what the estimator alone decides."""
    return Problem.of(data(e.name, 5, 1), e.estimator)


def is_latent(e: Example) -> bool:
    return problem_of(e).resolved.latent


def is_choosing(e: Example) -> bool:
    """Whether a row is of one of several classes, so that starts differ."""
    return problem_of(e).resolved.choosing


def is_closed(e: Example) -> bool:
    """Whether one step of estimation gives the maximum, and there is one (values that are never seen have none)."""
    exact = all(node.closed_form for node in problem_of(e).ties.nodes)
    return is_fitted(e) and exact and not is_latent(e) and e.name != "optional always"


def is_fitted(e: Example) -> bool:
    return not e.tags & {"deaf", "fixed"}


def assert_same(one: Any, other: Any, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Equal distributions, statistics or values, up to rounding; the order of labels, and labels of weight zero, do not count."""
    if isinstance(one, Declared):
        assert type(one) is type(other)
        for (field, _, a), (_, _, b) in zip(one.parameters(), other.parameters(), strict=True):
            if field not in ("name", "keys"):
                assert_same(a, b, rtol, atol)
        for a, b in zip(one.children(), other.children(), strict=True):
            assert_same(a, b, rtol, atol)
    elif isinstance(one, Counts):
        assert_same(dict(zip(one.values, one.weights, strict=True)), dict(zip(other.values, other.weights, strict=True)), rtol, atol)
        assert one.total == pytest.approx(other.total, rel=rtol, abs=atol)
    elif isinstance(one, Sums):
        assert_same(one._values, other._values, rtol, atol)
    elif hasattr(one, "m2") and one.count > 0:
        spread = np.sqrt(np.max(other.m2) / other.count)
        assert_same(one.count, other.count, rtol, atol)
        np.testing.assert_allclose(one.mean, other.mean, rtol=rtol, atol=max(rtol * spread, atol))
        np.testing.assert_allclose(one.m2, other.m2, rtol=rtol, atol=max(rtol * np.max(other.m2), atol))
    elif isinstance(one, Contributions):  # places have names of each fit's own
        for a, b in zip(one.by_place.values(), other.by_place.values(), strict=True):
            assert_same(a.statistics, b.statistics, rtol, atol)
    elif dataclasses.is_dataclass(one):
        assert_same(vars(one), vars(other), rtol, atol)
    elif isinstance(one, Mapping):
        for label in one.keys() | other.keys():
            assert_same(one.get(label, 0.0), other.get(label, 0.0), rtol, atol)
    elif isinstance(one, (list, tuple)):
        for a, b in zip(one, other, strict=True):
            assert_same(a, b, rtol, atol)
    elif isinstance(one, (int, float, np.number, np.ndarray)) and not isinstance(one, bool):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)
    else:
        assert one == other


def statistics(case: Case, rows: Any, weights: Any = None) -> list[Any]:
    return Problem.of(rows, case.estimator, weights).expect(case.law)[1]


def added(one: list[Any], other: list[Any]) -> list[Any]:
    return [None if a is None else a + b for a, b in zip(one, other, strict=True)]


# -- weights (14) --------------------------------------------------------------------------------------------------------


@cases()
def test_whole_number_weight_is_repetition_and_zero_is_absence(case: Case) -> None:
    rows = case.rows(60)
    w = np.random.default_rng(2).integers(0, 4, len(rows))
    repeated = [x for x, count in zip(rows, w, strict=True) for _ in range(count)]
    assert_same(statistics(case, rows, w), statistics(case, repeated), 1e-11)
    assert_same(estimate(rows, case.estimator, case.law, w), estimate(repeated, case.estimator, case.law))
    one = fit(rows, case.estimator, start=case.law, weights=w, max_its=3, delta=0.0)
    other = fit(repeated, case.estimator, start=case.law, max_its=3, delta=0.0)
    np.testing.assert_allclose(one.history, other.history, rtol=1e-10)
    np.testing.assert_allclose(np.diff(one.objective), np.diff(other.objective), atol=1e-7)  # a prior's constant may differ


@cases("plain")
@pytest.mark.parametrize("factor", [3.7, 1e-8, 1e8])
def test_scaling_all_weights_leaves_the_fit_unchanged(case: Case, factor: float) -> None:
    assert_same(after_three_steps(case, 1.0), after_three_steps(case, factor))


@cache
def after_three_steps(case: Case, factor: float) -> Any:
    rows = case.rows(60)
    w = np.random.default_rng(2).random(len(rows)) + 0.1
    return fit(rows, case.estimator, start=case.law, weights=factor * w, max_its=3, delta=0.0).model


@cases("plain", lambda e: len(e.off) > 0)
def test_an_impossible_row_of_weight_zero_takes_no_part(case: Case) -> None:
    rows = case.rows(20)
    off = [*rows, case.example.off[0]]
    w = [1.0] * len(rows) + [0.0]
    assert_same(estimate(off, case.estimator, case.law, w), estimate(rows, case.estimator, case.law))


@pytest.mark.parametrize("prior", [None, 2.0])
@pytest.mark.parametrize(
    ("family", "rows"),
    [
        (CategoricalEstimator, ["a", "b", "z"]),
        (IntegerCategoricalEstimator, [0, 3, 9]),
        (SpikeAndSlabEstimator, [0, 3, 9]),
        (BinomialEstimator, [0, 3, 9]),
        (BernoulliSetEstimator, [["a"], ["b", "a"], ["z"]]),
        (MarkovChainEstimator, [["a", "b", "a"], ["b"], ["b", "z"]]),
    ],
)
def test_values_of_weight_zero_leave_no_trace(family: Any, rows: Any, prior: float | None) -> None:
    estimator = family(pseudo_count=prior)
    assert_same(estimate(rows, estimator, weights=[2.0, 1.0, 0.0]), estimate([rows[0], *rows[:2]], estimator), 1e-12)
    filled = [*rows * 40, *rows[:2] * 3]  # coded columns take another path
    w = [2.0, 1.0, 0.0] * 40 + [0.0] * 6
    assert_same(estimate(filled, estimator, weights=w), estimate([rows[0], *rows[:2]] * 40, estimator), 1e-12)


# -- statistics (15, 16) -------------------------------------------------------------------------------------------------


@cases("plain")
def test_statistics_add(case: Case) -> None:
    rows = case.rows(90)
    parts = [statistics(case, part) for part in (rows[:20], rows[20:50], rows[50:])]
    a, b, c = parts
    whole = statistics(case, rows)
    for total in (added(added(a, b), c), added(a, added(b, c)), added(added(c, a), b)):
        assert_same(total, whole, 1e-12)
    problem = Problem.of(rows[:20], case.estimator, np.ones(20))
    problem = problem.weighted(np.zeros(len(problem.rows)))  # nothing at all: what such rows contribute is the identity
    empty = problem.expect(case.law)[1]
    assert_same(added(whole, empty), whole, 0.0, 0.0)
    assert_same(added(empty, whole), whole, 1e-15, 0.0)


@cases("plain")
def test_any_chunking_and_any_row_order_give_the_same_statistics(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = case.rows(40)
    w = np.random.default_rng(3).random(len(rows))
    whole = statistics(case, rows, w)
    order = np.random.default_rng(4).permutation(len(rows))
    assert_same(statistics(case, [rows[i] for i in order], w[order]), whole, 1e-12)
    log = case.law.seq_log_density(rows)
    for size in (1, 7, 32):
        monkeypatch.setattr(dmlcore.data.encoded, "BLOCK_ROWS", size)
        assert_same(statistics(case, rows, w), whole, 1e-12)
        np.testing.assert_allclose(case.law.seq_log_density(rows), log, rtol=1e-12)


@cases("prior")
def test_any_number_of_threads_gives_the_same_bits(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dmlcore.data.encoded, "BLOCK_ROWS", 16)
    rows = case.rows(150)
    one, *others = [fit(rows, case.estimator, start=case.law, max_its=2, delta=0.0, threads=t) for t in (1, 2, 3)]
    assert len(Problem.of(rows, case.estimator).encoded.blocks) > 3 or len(set(map(repr, rows))) < 50
    for other in others:
        assert other.history == one.history
        assert other.model == one.model
    assert case.law.seq_log_density(rows, threads=3).tolist() == case.law.seq_log_density(rows).tolist()


@cases("prior")
def test_data_in_parts_give_the_same_step(case: Case) -> None:
    """Parts of all sizes, an empty one too, each with labels of its own: statistics that add give the step of all rows."""
    rows = case.rows(150)
    parts = [rows[:1], rows[1:40], [], rows[40:]]
    whole, cut = (Problem.of(data, case.estimator) for data in (rows, stream(lambda: iter(parts))))
    one, other = (problem.expect(problem.check(case.law)) for problem in (whole, cut))
    assert other[0] == pytest.approx(one[0], rel=1e-12, abs=1e-9)
    assert_same(cut.maximise(other[1], case.law), whole.maximise(one[1], case.law), 1e-9)
    assert cut.rows.weight == len(rows)


@cases()
def test_rows_of_a_column_are_the_same_together_and_one_by_one(case: Case) -> None:
    column = case.law.seq_encode(case.rows(40)).column
    assert repr(column.listed()) == repr(list(map(column.row, range(len(column)))))


@cases()
def test_what_travels_to_workers_pickles_to_the_bit(case: Case) -> None:
    state = begun(Problem.of(case.rows(60), case.estimator), case.law)
    here, stack = state.held, state.stack
    estimator, ties, law, rows = pickle.loads(pickle.dumps((here.estimator, here.ties, stack, here.rows)))
    there = Problem(rows, dataclasses.replace(here.resolved, estimator=estimator, ties=ties), stacking=here.stacking)
    assert here.maximise(there.expect(law)[1], stack) == here.maximise(here.expect(stack)[1], stack)


# -- keys (17) -----------------------------------------------------------------------------------------------------------


@cases()
def test_tied_is_pooled(case: Case) -> None:
    """Two fields under one key, whatever they are: the fit on the data of both, end to end."""
    one, other = case.rows(40, 1), case.rows(50, 2)[:40]
    tied = CompositeEstimator((case.estimator,), keys="outer")
    law = CompositeDistribution((case.law,))
    rows = [((x,), (y,)) for x, y in zip(one, other, strict=True)]
    both = estimate(rows, CompositeEstimator((tied, tied)), CompositeDistribution((law, law)))
    assert both.dists[0] is both.dists[1]
    assert both.dists[0].keys == "outer"
    assert_same(both.dists[0], estimate([(x,) for x in one + other], tied, law), 1e-10)


def own_key(estimator: Any) -> Any:
    return estimator.replace(keys="shared")


def is_marked(x: Any) -> bool:
    """Whether None stands where a label may."""
    return x is None or (isinstance(x, (list, tuple)) and any(part is None for part in x))


ONE_KEY = [e for e in EXAMPLES if isinstance(e.estimator.fields().get("keys"), str | None) and is_closed(e)]


@pytest.mark.parametrize("kind", ["plain", "prior"])
@pytest.mark.parametrize("e", ONE_KEY, ids=lambda e: e.name.replace(" ", "_"))
def test_a_key_ties_at_any_depth(e: Example, kind: str) -> None:
    case = Case(e, kind)
    x, y, z = case.rows(30, 1), case.rows(30, 2), case.rows(60, 3)
    keyed = own_key(case.estimator)
    pairs, wrapped = CompositeEstimator((keyed, keyed)), CompositeEstimator((keyed,))
    assert_same(estimate(list(zip(x, y, strict=True)), pairs).dists[1], estimate(x + y, case.estimator), 1e-10)
    deep = CompositeEstimator((keyed, SequenceEstimator(wrapped, PoissonEstimator()), OptionalEstimator(wrapped)))
    there = [i for i in range(30) if i % 3 and not is_marked(y[i])]  # below an Optional None is a missing value, and no label
    rows = [(x[i], [(z[2 * i],), (z[2 * i + 1],)], (y[i],) if i in there else None) for i in range(30)]
    found = estimate(rows, deep)
    places = found.dists[0], found.dists[1].dist.dists[0], found.dists[2].dist.dists[0]
    assert places[0] is places[1] is places[2]
    assert places[0].keys == keyed.keys
    assert_same(places[0], estimate(x + z + [y[i] for i in there], case.estimator), 1e-10)


GAUSSIANS = [GaussianDistribution(-1.0, 1.0), GaussianDistribution(2.0, 0.5)]


def two_mixtures(keys: Any, inner: Any = (None, None), prior: Any = None) -> tuple[Any, Any, Any, Any]:
    """A pair of mixtures with those keys, a start, and data for both."""
    estimator = MixtureEstimator([GaussianEstimator(keys=k) for k in inner], keys=keys, pseudo_count=prior)
    one, other = MixtureDistribution(GAUSSIANS, [0.4, 0.6]), MixtureDistribution(GAUSSIANS, [0.7, 0.3])
    x, y = one.sample(80, rng=1), other.sample(80, rng=2)
    return CompositeEstimator((estimator, estimator)), CompositeDistribution((one, other)), x, y


@pytest.mark.parametrize("prior", [None, 3.0])
def test_keys_of_mixing_weights_pool_the_weights_alone(prior: float | None) -> None:
    pair, start, x, y = two_mixtures(("w", None), prior=prior)
    found = estimate(list(zip(x, y, strict=True)), pair, start)
    alone = [estimate(v, MixtureEstimator([GaussianEstimator()] * 2), law) for v, law in zip((x, y), start.dists, strict=True)]
    counts = 80 * alone[0].w + 80 * alone[1].w + (0 if prior is None else prior / 2)  # the prior is counted once
    for mixture, single in zip(found.dists, alone, strict=True):
        np.testing.assert_allclose(mixture.w, counts / counts.sum(), rtol=1e-12)
        assert_same(mixture.components, single.components)
        assert mixture.keys == ("w", None)


@pytest.mark.parametrize(("keys", "inner"), [((None, "c"), (None, None)), ((None, None), ("a", "b"))])
def test_keys_of_components_pool_the_components_alone(keys: Any, inner: Any) -> None:
    pair, start, x, y = two_mixtures(keys, inner)
    found = estimate(list(zip(x, y, strict=True)), pair, start)
    posterior = [law.seq_posterior(v) for v, law in zip((x, y), start.dists, strict=True)]
    for k in range(2):
        pooled = estimate(np.concatenate([x, y]), GaussianEstimator(), weights=np.concatenate([p[:, k] for p in posterior]))
        assert_same(found.dists[0].components[k], pooled)
        assert found.dists[0].components[k] is found.dists[1].components[k]
    for mixture, p in zip(found.dists, posterior, strict=True):
        np.testing.assert_allclose(mixture.w, p.mean(axis=0), rtol=1e-12)


def test_tied_components_of_one_mixture_are_one_law() -> None:
    x = MixtureDistribution(GAUSSIANS, [0.5, 0.5]).sample(50, rng=1)
    found = fit(x, MixtureEstimator([GaussianEstimator(keys="k")] * 2), rng=1)
    assert found.status == "converged"
    assert_same(found.model.components[0], estimate(x, GaussianEstimator()))
    assert found.model.components[0] is found.model.components[1]


def test_a_start_that_is_not_tied_or_fixed_as_the_estimator_is_begins_one_step_later() -> None:
    """Otherwise the constraint would lower the objective at the first step, and the untied start would be returned."""
    x = MixtureDistribution(GAUSSIANS, [0.5, 0.5]).sample(80, rng=1)
    free = fit(x, MixtureEstimator([GaussianEstimator()] * 2), rng=1).model
    for estimator, start in (
        (MixtureEstimator([GaussianEstimator(keys="k")] * 2), MixtureDistribution(GAUSSIANS, [0.4, 0.6])),
        (MixtureEstimator([GaussianEstimator()] * 2, fixed_weights=[0.9, 0.1]), free),
        (CompositeEstimator((IgnoredEstimator(GAUSSIANS[0]),)), CompositeDistribution((IgnoredDistribution(free),))),
    ):
        rows = [(v,) for v in x] if isinstance(estimator, CompositeEstimator) else x
        record = fit(rows, estimator, start=start)
        assert record.status == "converged", record.message
        assert len(record.events) == 1
        assert record.history[0] == pytest.approx(estimate(rows, estimator, start).seq_log_density(rows).sum())
        again = fit(rows, estimator, start=record.model)
        assert again.events == []
        assert again.log_likelihood == pytest.approx(record.log_likelihood, abs=1e-6)
    pair, start, x, y = two_mixtures(("w", None))
    found = fit(list(zip(x, y, strict=True)), pair, start=start, max_its=30).model
    assert found.dists[0].w.tolist() == found.dists[1].w.tolist()


def test_a_prior_is_counted_once_per_key() -> None:
    x, y = (GaussianDistribution(m, 1.0).sample(25, rng=3) for m in (0.0, 1.0))
    prior = {"pseudo_count": (4.0, 9.0), "suff_stat": (3.0, 2.0)}
    tied = CompositeEstimator((GaussianEstimator(**prior, keys="k"), GaussianEstimator(**prior, keys="k")))
    record = fit(list(zip(x, y, strict=True)), tied)
    single = fit(np.concatenate([x, y]), GaussianEstimator(**prior))
    assert_same(record.model.dists[0], single.model)
    assert record.objective[-1] == pytest.approx(single.objective[-1], rel=1e-12)
    assert record.objective[-1] - record.log_likelihood == pytest.approx(single.objective[-1] - single.log_likelihood, rel=1e-12)


def test_keys_that_clash_are_named() -> None:
    gaussian = GaussianEstimator(keys="k")
    others = [
        (PoissonEstimator(keys="k"), 1),
        (GaussianEstimator((1.0, 1.0), (0.0, 1.0), keys="k"), 1.0),
        (CompositeEstimator((gaussian,), keys="k"), (1.0,)),
        (SequenceEstimator(GaussianEstimator(), keys="k"), [1.0, 2.0]),
    ]
    for other, value in others:
        with pytest.raises(KeyClashError, match="'k'"):
            fit([(1.0, value)] * 3, CompositeEstimator((gaussian, other)))
    counts = MixtureEstimator([PoissonEstimator()] * 2, keys=(None, "c"))
    with pytest.raises(KeyClashError, match="'c'"):
        fit([(1.0, 1)] * 3, CompositeEstimator((MixtureEstimator([gaussian] * 2, keys=(None, "c")), counts)))
    one, two = CompositeEstimator((gaussian,), "t"), CompositeEstimator((gaussian, gaussian), "t")
    with pytest.raises(KeyClashError):
        fit([((1.0,), (1.0, 2.0))] * 3, CompositeEstimator((one, two)))


# -- leaves (18) ---------------------------------------------------------------------------------------------------------


@cases("plain prior", is_leaf)
def test_estimate_inverts_expected_statistics(case: Case) -> None:
    resolved = Problem.of(case.rows(300), case.estimator).estimator
    assert_same(resolved.estimate(case.law.expected_statistics(37.5)), case.law, 1e-10)


def objective_of(case: Case, rows: Any, weights: Any = None) -> Any:
    problem = Problem.of(rows, case.estimator, weights)
    return lambda law: problem.log_likelihood(law) + problem.log_prior(law)


@cases("plain prior", is_closed)
def test_estimate_is_the_maximum_of_likelihood_and_prior(case: Case) -> None:
    """Against a general optimiser over the flat parameters, begun elsewhere."""
    rows = case.rows(80)
    w = np.random.default_rng(5).random(len(rows)) + 0.2
    found, objective = estimate(rows, case.estimator, weights=w), objective_of(case, rows, w)
    best = objective(found)
    start = flatten(found)
    if len(start):
        start = start + 0.3 * np.random.default_rng(6).standard_normal(len(start))
        result = scipy.optimize.minimize(lambda v: -objective(unflatten(v, found)), start, method="BFGS", options={"gtol": 1e-6})
        assert -result.fun <= best + 1e-9 * (1 + abs(best))
        assert -result.fun == pytest.approx(best, abs=1e-5 * (1 + abs(best)))  # the optimiser did arrive
    for law in (case.law, estimate(rows[:70], case.estimator)):
        try:
            assert objective(law) <= best + 1e-9 * (1 + abs(best))
        except ValueError:
            continue  # a law of the smaller part may rule out a row


@cases("prior", lambda e: is_leaf(e) and hasattr(e.estimator, "pseudo_count"))
def test_a_prior_is_pseudo_observations(case: Case) -> None:
    """The log prior of law d is the pseudo-count times the mean of log d over the law the pseudo-observations come from."""
    estimator, law, rows = case.estimator, case.law, case.rows(80)
    problem, other = Problem.of(rows, estimator), estimate(rows, estimator)
    change = problem.log_prior(other) - problem.log_prior(law)
    if isinstance(law, (GaussianVectorDistribution, DiagonalGaussianDistribution)):
        d = law.dim
        root = np.linalg.cholesky(law.covar) if law.covar.ndim == 2 else np.diag(np.sqrt(law.covar))
        over = [(law.mu + s * math.sqrt(d) * root[:, j], 1 / (2 * d)) for j in range(d) for s in (-1, 1)]  # exact for squares
        x, share = [v for v, _ in over], np.array([p for _, p in over])
    else:
        kinked = case.example.name == "laplace"
        over = points(case.example.over, 40_001 if kinked else 4001)
        x = [v for v, _ in over]
        share = law.seq_log_density(x)
        x, share = (
            [v for v, s in zip(x, share, strict=True) if s > -500],
            np.array([math.exp(s) * p for s, (_, p) in zip(share, over, strict=True) if s > -500]),
        )
    expected = 1.5 * float(share @ (other.seq_log_density(x) - law.seq_log_density(x)))
    assert change == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert change <= 0


# -- EM (19, 20) ---------------------------------------------------------------------------------------------------------


@cases()
def test_em_never_lowers_the_objective(case: Case) -> None:
    rows = case.rows(120)
    never_seen = case.example.name == "optional always" and case.kind == "plain"  # nothing to start from
    starts = [] if never_seen else [(initialize(rows, case.estimator, 3, 0.5), 25), (initialize(rows, case.estimator, 4), 5)]
    for start, steps in ((case.law, 5), *starts):
        record = fit(rows, case.estimator, start=start, max_its=steps, delta=0.0)
        assert record.status in ("iteration limit", "degenerate"), record.message
        assert record.iterations == steps
        assert np.diff(record.objective).min() >= -1e-10 * (1 + abs(record.objective[-1]))
        problem = Problem.of(rows, case.estimator)
        assert problem.log_likelihood(record.model) == pytest.approx(record.log_likelihood, rel=1e-12)
        prior = record.objective[-1] - record.log_likelihood
        assert prior == pytest.approx(problem.log_prior(record.model), rel=1e-9, abs=1e-9)
        assert case.kind == "prior" or prior == 0


@cases("prior", lambda e: is_fitted(e) and is_latent(e))
def test_a_converged_fit_is_a_stationary_point_and_stays(case: Case) -> None:
    rows = case.rows(60)
    record = fit(rows, case.estimator, start=case.law, max_its=20000)
    assert record.status == "converged", record.message
    again = fit(rows, case.estimator, start=record.model, max_its=5, delta=0.0)
    assert again.objective[-1] - again.objective[0] <= 1e-7
    objective, x = objective_of(case, rows), flatten(record.model)
    for direction in np.random.default_rng(7).standard_normal((4, len(x))):
        step = 1e-5 * direction / np.linalg.norm(direction)
        slope = (objective(unflatten(x + step, record.model)) - objective(unflatten(x - step, record.model))) / 2e-5
        assert abs(slope) < 2e-2


FLOORED = [
    GaussianEstimator,
    LogGaussianEstimator,
    ExponentialEstimator,
    GammaEstimator,
    InverseGaussianEstimator,
    MultivariateGaussianEstimator,
    DiagonalGaussianEstimator,
]
ONE_COUNT = (ExponentialEstimator, InverseGaussianEstimator)


@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize("family", FLOORED)
def test_em_never_falls_with_floors_active(family: Any, seed: int, prior: bool) -> None:
    """More components than distinct values: some sit on equal values, at their floors, and nothing oscillates."""
    rng = np.random.default_rng(seed)
    x = rng.choice([1.0, 1.0 + 1e-9, 2.0, 5.0, 5.5], 40)
    if family in (MultivariateGaussianEstimator, DiagonalGaussianEstimator):
        x = np.stack([x, rng.choice([0.0, 3.0], 40)], axis=1)
    count = 1e-3 if family in ONE_COUNT else (1e-3, 1e-3)
    part = family(pseudo_count=count) if prior else family()
    record = fit(x, MixtureEstimator([part] * 4), rng=seed, init_p=1.0, max_its=300, delta=0.0)
    assert record.status in ("iteration limit", "degenerate"), record.message
    assert np.diff(record.objective).min() >= -1e-9 * (1 + abs(record.objective[-1]))


def permuted(law: Any, order: list[int]) -> Any:
    return law.replace(components=[law.components[k] for k in order], w=law.w[order])


@cases("plain prior", lambda e: isinstance(e.law, MixtureDistribution))
def test_permuting_components_permutes_everything_else(case: Case) -> None:
    law, estimator, rows = case.law, case.estimator, case.rows(80)
    order = list(range(law.num_components))[::-1]
    turned = estimator.replace(estimators=[estimator.estimators[k] for k in order])
    if case.kind == "prior":
        turned = turned.replace(suff_stat=np.asarray(turned.suff_stat)[order])
    one = fit(rows, estimator, start=law, max_its=8, delta=0.0)
    other = fit(rows, turned, start=permuted(law, order), max_its=8, delta=0.0)
    np.testing.assert_allclose(one.objective, other.objective, rtol=1e-11)
    assert_same(permuted(one.model, order), other.model, 1e-8, 1e-10)
    np.testing.assert_allclose(one.model.seq_posterior(rows)[:, order], other.model.seq_posterior(rows), rtol=1e-7, atol=1e-12)


def test_permuting_topics_and_states() -> None:
    case = Case(BY_NAME["hierarchical"], "plain")
    law, rows = case.law, case.rows(120)
    topics, outer = [2, 0, 1], [1, 0]
    turned = HierarchicalMixtureDistribution([law.topics[k] for k in topics], law.w[outer], law.taus[np.ix_(outer, topics)], law.len_dist)
    one, other = (fit(rows, start.estimator(), start=start, max_its=8, delta=0.0) for start in (law, turned))
    np.testing.assert_allclose(one.history, other.history, rtol=1e-12)
    np.testing.assert_allclose(one.model.taus[np.ix_(outer, topics)], other.model.taus, rtol=1e-9)
    case = Case(BY_NAME["joint"], "plain")
    law, rows = case.law, case.rows(120)
    turned = JointMixtureDistribution(law.components1[::-1], law.components2[::-1], law.w1[::-1], None, law.taus12[::-1, ::-1])
    one, other = (fit(rows, start.estimator(), start=start, max_its=8, delta=0.0) for start in (law, turned))
    np.testing.assert_allclose(one.history, other.history, rtol=1e-12)
    np.testing.assert_allclose(one.model.taus12[::-1, ::-1], other.model.taus12, rtol=1e-9)


# -- equivariance (21) ---------------------------------------------------------------------------------------------------

SCALES = [1e-150, 2.0**-300, 1e-10, 1.0, 1e10, 2.0**300, 1e150]

SHIFTS = {  # the law of a x + b, from that of x
    "gaussian": (lambda d, a, b: GaussianDistribution(a * d.mu + b, a * a * d.sigma2), GaussianDistribution(0.7, 2.0)),
    "log gaussian": (lambda d, a, b: LogGaussianDistribution(d.mu + math.log(a), d.sigma2), LogGaussianDistribution(0.2, 0.5)),
    "exponential": (lambda d, a, b: ExponentialDistribution(a * d.beta), ExponentialDistribution(2.0)),
    "gamma": (lambda d, a, b: GammaDistribution(d.k, a * d.theta), GammaDistribution(2.5, 1.5)),
    "inverse gaussian": (lambda d, a, b: InverseGaussianDistribution(a * d.mu, a * d.lam), InverseGaussianDistribution(2.0, 3.0)),
    "diagonal": (
        lambda d, a, b: DiagonalGaussianDistribution(a * d.mu + b, a * a * d.covar),
        DiagonalGaussianDistribution([1.0, -1.0], [1.0, 4.0]),
    ),
    "multivariate": (
        lambda d, a, b: MultivariateGaussianDistribution(a * d.mu + b, a * a * d.covar),
        MultivariateGaussianDistribution([1.0, -1.0], [[1.0, 0.5], [0.5, 2.0]]),
    ),
}


@pytest.mark.parametrize("prior", [None, 2.0])
@pytest.mark.parametrize("a", SCALES)
@pytest.mark.parametrize("family", SHIFTS)
def test_fits_follow_the_scale(family: str, a: float, prior: float | None) -> None:
    move, law = SHIFTS[family]
    x = law.sample(300, rng=1)
    b = a * 0.5 if family in ("gaussian", "diagonal", "multivariate") else 0.0
    if a == 2.0**300:
        b = 0.0
    assert_same(estimate(a * x + b, move(law, a, b).estimator(prior)), move(estimate(x, law.estimator(prior)), a, b), 1e-9, 0.0)


@pytest.mark.parametrize("a", SCALES)
@pytest.mark.parametrize("family", SHIFTS)
def test_mixtures_follow_the_scale(family: str, a: float) -> None:
    """The whole fit, random start and all: floors and stopping are relative to the data's own scale."""
    move, law = SHIFTS[family]
    x = np.concatenate([law.sample(100, rng=1), move(law, 3.0, 8.0).sample(100, rng=2)])
    b = a * 0.5 if family in ("gaussian", "diagonal", "multivariate") else 0.0
    estimator = MixtureEstimator([law.estimator()] * 2)
    one, other = (fit(v, estimator, rng=3, init_p=0.5, max_its=30, delta=0.0) for v in (x, a * x + b))
    assert other.status == one.status == "iteration limit"
    expected = MixtureDistribution([move(c, a, b) for c in one.model.components], one.model.w)
    assert_same(other.model, expected, 1e-7, 0.0)
    np.testing.assert_allclose(other.model.seq_posterior(a * x + b), one.model.seq_posterior(x), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("offset", [1e4, 1e8])
@pytest.mark.parametrize("family", ["gaussian", "diagonal", "multivariate"])
def test_variances_survive_an_offset(family: str, offset: float) -> None:
    move, law = SHIFTS[family]
    x = np.concatenate([law.sample(200, rng=1), move(law, 2.0, 9.0).sample(200, rng=2)]) + offset
    centred = x - offset  # exact
    one, other = estimate(x, law.estimator()), estimate(centred, law.estimator())
    assert_same(one, move(other, 1.0, offset), 1e-6, 0.0)
    estimator = MixtureEstimator([law.estimator()] * 2)
    found, expected = (fit(v, estimator, rng=3, init_p=0.5, max_its=40, delta=0.0).model for v in (x, centred))
    assert_same(found.w, expected.w, 1e-6)
    assert_same(found.components, [move(c, 1.0, offset) for c in expected.components], 1e-6)


def test_coordinates_have_scales_of_their_own() -> None:
    law = MultivariateGaussianDistribution([1.0, -1.0, 0.5], [[1.0, 0.5, 0.2], [0.5, 2.0, -0.3], [0.2, -0.3, 0.7]])
    a = np.array([1e-140, 1.0, 1e140])
    x = law.sample(200, rng=1)
    one, other = estimate(x, MultivariateGaussianEstimator()), estimate(x * a, MultivariateGaussianEstimator())
    np.testing.assert_allclose(other.covar / a / a[:, None], one.covar, rtol=1e-9)
    two = MixtureEstimator([MultivariateGaussianEstimator()] * 2)
    one, other = (fit(v, two, rng=1, max_its=20, delta=0.0).model for v in (x, x * a))
    np.testing.assert_allclose(other.w, one.w, rtol=1e-6)


# -- starts and status (24, 25) ------------------------------------------------------------------------------------------


@cases("plain", lambda e: is_fitted(e) and is_choosing(e))
def test_starts_depend_on_the_seed_alone_and_give_every_row_density(case: Case) -> None:
    rows = case.rows(60)
    starts = [initialize(rows, case.estimator, seed, 0.3) for seed in (1, 1, 2)]
    assert starts[0] == starts[1]
    assert (starts[1] != starts[2]) == problem_of(case.example).resolved.choosing  # between classes
    for start in starts:
        assert np.isfinite(start.seq_log_density(rows)).all()
    for p in (1.0, 1e-6):
        assert np.isfinite(initialize(rows, case.estimator, 5, p).seq_log_density(rows)).all()


def test_status_is_honest() -> None:
    x = MixtureDistribution(GAUSSIANS, [0.5, 0.5]).sample(400, rng=1)
    two = MixtureEstimator([GaussianEstimator()] * 2)
    short = fit(x, two, rng=1, max_its=4)
    assert (short.status, short.converged, short.iterations) == ("iteration limit", False, 4)
    assert "4" in short.message
    full = fit(x, two, rng=1)
    assert (full.status, full.converged) == ("converged", True)
    assert full.log_likelihood == full.history[-1] == pytest.approx(max(full.history), rel=1e-13)
    longer = fit(x, two, start=full.model, max_its=2000, delta=0.0)
    assert longer.log_likelihood - full.log_likelihood < 1e-6
    assert fit(x, two, start=full.model, max_its=0).status == "iteration limit"
    leaf = fit(x, GaussianEstimator())
    assert leaf.status == "converged"


def test_a_degenerate_fit_is_named() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, 60), np.full(20, 3.0)])
    start = MixtureDistribution([GaussianDistribution(0, 1), GaussianDistribution(3, 0.01)], [0.7, 0.3])
    record = fit(x, start.estimator(), start=start)
    assert record.status == "degenerate"
    assert not record.converged
    assert "components[1]" in record.message
    assert np.diff(record.objective).min() >= -1e-9
    assert record.model.w[1] == pytest.approx(0.25, abs=0.02)
    with pytest.raises(DegenerateError, match="equal"):
        fit([2.0] * 5, GaussianEstimator())
    held = fit(x, MixtureEstimator([GaussianEstimator((0.0, 0.5), (None, None))] * 2), start=start)
    assert held.status == "converged", held.message  # a prior on the variance prevents it


def test_an_exponential_on_zeros_stands_at_its_floor() -> None:
    x = np.concatenate([np.zeros(20), np.linspace(1.0, 5.0, 20)])
    start = MixtureDistribution([ExponentialDistribution(3.0), ExponentialDistribution(1e-3)], [0.5, 0.5])
    record = fit(x, start.estimator(), start=start)
    assert record.status == "degenerate"
    assert "components[1]: exponential sits on zeros" in record.message
    assert record.model.components[1].beta == pytest.approx(1e-12 * x.mean())
    assert np.diff(record.objective).min() >= -1e-9


class WrongEstimator(GaussianEstimator):
    """An estimate that is not the maximum."""

    def estimate(self, statistics: Any, previous: Any = None) -> Any:
        right = super().estimate(statistics, previous)
        return right.replace(mu=right.mu + 0.1 * statistics.count**0.5)


def test_a_fall_of_the_objective_stops_the_fit_and_is_named() -> None:
    x = GAUSSIANS[0].sample(50, rng=1)
    right = estimate(x, GaussianEstimator())
    record = fit(x, WrongEstimator(), start=right)
    assert record.status == "decreased"
    assert not record.converged
    assert record.model == right
    assert record.log_likelihood == pytest.approx(right.seq_log_density(x).sum())
    assert "step 1" in record.message


@cases()
def test_a_component_without_weight_keeps_its_law(case: Case) -> None:
    if case.example.tags & {"deaf", "fixed"}:
        assert not case.estimator.has_prior
        return
    rows = case.rows(40)
    tuples = [(x, 0) for x in rows]
    here, gone = CompositeDistribution((case.law, PoissonLaw)), CompositeDistribution((case.law, FarLaw))
    start = MixtureDistribution([here, gone], [1.0, 0.0])
    part = CompositeEstimator((case.estimator, PoissonEstimator()))
    record = fit(tuples, MixtureEstimator([part, part]), start=start, max_its=3, delta=0.0)
    assert record.status in ("iteration limit", "degenerate"), record.message
    assert record.model.w.tolist() == [1.0, 0.0]
    if case.kind == "plain" and "share" not in case.example.name:
        assert_same(record.model.components[1].dists["keyed" in case.example.name :], gone.dists["keyed" in case.example.name :])


PoissonLaw, FarLaw = (BY_NAME["poisson"].law.replace(lam=lam) for lam in (0.0, 3.0))
