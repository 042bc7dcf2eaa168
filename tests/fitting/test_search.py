"""Starts, acceleration and restarts: where a default fit ends, and what its record says of the way."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

import dmlcore.fitting.search as searching
from dmlcore import OnlineEM, best_of, fit, optimize
from dmlcore.base.errors import DataError, EmptyError, FitWarning, ParameterError, StructureError, SupportError
from dmlcore.base.threads import map_in_order
from dmlcore.core.flat import flatten
from dmlcore.fitting import drivers, side_by_side
from dmlcore.fitting.acceleration import Extrapolation
from dmlcore.fitting.ascent import ascend, begun
from dmlcore.fitting.moves import proposals
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.search import search
from dmlcore.fitting.seeding import Descriptions, nearest
from dmlcore.fitting.starts import random_start, stack_of_starts
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    LinearRegressionEstimator,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianEstimator,
    OptionalEstimator,
    PoissonEstimator,
    SequenceDistribution,
    SequenceEstimator,
    seq_encode,
)
from tests.reference import load

TWO = MixtureEstimator([GaussianEstimator()] * 2)
FIVE = MixtureEstimator([GaussianEstimator()] * 5)
TRUTH = MixtureDistribution([GaussianDistribution(m, v) for m, v in ((0, 1), (3, 0.5), (5, 2), (9, 0.3), (10, 1))], [0.2] * 5)


@pytest.fixture(scope="module")
def five() -> np.ndarray:
    return TRUTH.sample(3000, rng=3)


# -- where it ends -------------------------------------------------------------------------------------------------------


def test_faithful_with_three_components_from_any_seed() -> None:
    """The best optimum is found by one random start in ten; scikit-learn's 20 starts end at -1119.2140."""
    x = np.array(load("sklearn_gmm_faithful")["X"])
    for seed in range(4):
        record = fit(x, MixtureEstimator([MultivariateGaussianEstimator(dim=2)] * 3), rng=seed)
        assert record.log_likelihood == pytest.approx(-1114.4398729, abs=1e-5)
        assert record.converged


def test_a_poor_optimum_is_left_by_merging_and_splitting(five: np.ndarray) -> None:
    single = [fit(five, FIVE, rng=seed, starts=1).log_likelihood for seed in range(6)]
    searched = fit(five, FIVE, rng=0)
    assert searched.log_likelihood == pytest.approx(-7473.8077, abs=1e-3)
    assert sum(value < searched.log_likelihood - 1 for value in single) >= 3  # random starts alone end lower


def test_many_rows_are_searched_through_a_sample() -> None:
    law = MixtureDistribution([CategoricalDistribution({"a": 0.9, "b": 0.1}), CategoricalDistribution({"a": 0.2, "b": 0.8})], [0.5, 0.5])
    rows = [(x, y) for x, y in zip(law.sample(20_000, rng=1), law.sample(20_000, rng=1), strict=True)]
    rows[17] = ("rare", "a")  # a label that a sample of the rows lacks
    estimator = MixtureEstimator([CompositeEstimator((CategoricalEstimator(), CategoricalEstimator()))] * 2)
    problem = Problem.of(rows, estimator)
    small = problem.sample(500, np.random.default_rng(0))
    assert len(small.encoded) == 500
    record = fit(rows, estimator, rng=2)
    assert record.converged
    assert record.model.log_density(("rare", "a")) > -np.inf


@pytest.mark.parametrize("threads", [1, 3])
def test_a_search_gives_the_same_bits_for_any_number_of_workers(threads: int) -> None:
    x = TRUTH.sample(300, rng=5)
    three = MixtureEstimator([GaussianEstimator()] * 3)
    one, other = fit(x, three, rng=1, threads=1, starts=6), fit(x, three, rng=1, threads=threads, starts=6)
    assert one.model == other.model
    assert one.history == other.history
    assert [s.objective for s in one.starts] == [s.objective for s in other.starts]


# -- the record ----------------------------------------------------------------------------------------------------------


def test_the_record_tells_every_start() -> None:
    record = fit(TRUTH.sample(500, rng=1), TWO, rng=0, starts=6)
    assert len(record.starts) == 6
    assert {start.status for start in record.starts} <= {"given up", "degenerate"}
    best = max(start.objective for start in record.starts)
    assert record.ended == sum(start.steps > 40 for start in record.starts) == 3
    assert 1 <= record.reached <= sum(abs(start.objective - best) < 0.1 for start in record.starts)
    assert record.searched >= sum(start.steps for start in record.starts) > 0
    assert f"starts=6, reached='{record.reached} of 3'" in repr(record)


def test_a_start_that_fails_is_recorded_and_not_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    real, second = side_by_side.stack_of_starts, []

    def starts(problem: Problem, rngs: Any, kinds: Any, descriptions: Any) -> Any:
        second.extend(rngs[1:2] if not second else [])
        if any(rng is second[0] for rng in rngs):
            raise ParameterError("this one cannot start")
        return real(problem, rngs, kinds, descriptions)

    monkeypatch.setattr(side_by_side, "stack_of_starts", starts)
    record = fit(TRUTH.sample(200, rng=1), TWO, rng=0, starts=4)
    assert [s.status for s in record.starts].count("failed") == 1
    assert any("1 of 4 starts failed; the first: this one cannot start" in event for event in record.events)


def test_where_only_one_start_reached_the_best_the_user_is_told() -> None:
    """Few starts on a bumpy likelihood: of several ends, one is best."""
    x = TRUTH.sample(300, rng=8)
    told = 0
    for seed in range(6):
        record = fit(x, FIVE, rng=seed, starts=2, max_its=1)
        if record.reached == 1 and record.ended == 2:
            with pytest.warns(FitWarning, match="only one of 2 starts"):
                optimize(x, FIVE, rng=seed, starts=2, max_its=1)
            told += 1
            break
    assert told


def test_where_every_start_fails_the_first_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any) -> Any:
        raise ParameterError("no start is possible")

    monkeypatch.setattr(side_by_side, "stack_of_starts", fails)
    with pytest.raises(ParameterError, match="no start is possible"):
        fit(TRUTH.sample(200, rng=1), TWO, rng=0, starts=4)


def test_an_interrupt_before_anything_is_found_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(searching, "new_runs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(TRUTH.sample(200, rng=1), TWO, rng=0)


def test_groups_of_points_that_are_all_one_are_drawn() -> None:
    groups = nearest(np.zeros((400, 2)), 3, np.random.default_rng(0), far=True)
    np.testing.assert_allclose(np.bincount(groups) / 400, 1 / 3, atol=0.1)


def test_all_rows_impossible_names_the_row() -> None:
    with pytest.raises(SupportError, match="row 2"):
        fit([1.0, 2.0, np.inf, 4.0], TWO, rng=1)


def test_data_that_no_start_can_explain_are_refused_after_one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    monkeypatch.setattr(searching, "new_runs", lambda *args: begun.append(len(args[2])) or side_by_side.new_runs(*args))
    with pytest.raises(SupportError, match="row 2"):
        fit([1, 2, -4, 3], MixtureEstimator([PoissonEstimator()] * 2), rng=1)
    assert begun == [searching.STARTS]


# -- starts that are given -----------------------------------------------------------------------------------------------


def test_labels_and_shares_as_starts(five: np.ndarray) -> None:
    labels = np.digitize(five, [1.5, 4.0, 7.0, 9.6])
    record = fit(five, FIVE, start=labels)
    assert record.log_likelihood == pytest.approx(-7473.8077, abs=1e-3)
    shares = np.eye(5)[labels] * 3.0  # rows need not sum to one
    assert fit(five, FIVE, start=shares).history == record.history
    first = fit(five, FIVE, start=labels, max_its=0, accelerate=False).model
    means = [five[labels == k].mean() for k in range(5)]
    np.testing.assert_allclose([c.mu for c in first.components], means, atol=0.1)
    discrete = [0, 0, 1, 9, 9, 8] * 20  # rows that repeat are kept once
    given = np.array([0, 0, 0, 1, 1, 1] * 20)
    poissons = MixtureEstimator([PoissonEstimator()] * 2)
    assert fit(discrete, poissons, start=given, max_its=0).model.components[1].lam == pytest.approx(26 / 3, rel=0.01)


@pytest.mark.parametrize(
    ("start", "error", "text"),
    [
        ([0, 1, 2], DataError, "row 2 is 2; need a component, 0 to 1"),
        ([0, 1], DataError, r"shape \(3,\) or \(3, 2\)"),
        ([[0.5, 0.5], [0.0, 0.0], [1.0, 0.0]], DataError, "row 1"),
        ("labels", DataError, "start must be a model"),
    ],
)
def test_bad_starts_are_named(start: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        fit([1.0, 2.0, 3.0], TWO, start=start)


def test_labels_are_for_mixtures() -> None:
    with pytest.raises(StructureError, match="is no mixture"):
        fit([1.0, 2.0], GaussianEstimator(), start=[0, 1])


# -- acceleration --------------------------------------------------------------------------------------------------------


def test_extrapolation_solves_a_linear_map() -> None:
    """On x -> J x + b the fixed point is found once the differences span the space."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    J = basis @ np.diag([0.999, 0.9, 0.5, 0.1]) @ basis.T
    fixed = rng.standard_normal(4)
    x, extrapolation = np.zeros(4), Extrapolation()
    extrapolation.limit = 1e9
    for _ in range(12):
        step = fixed + J @ (x - fixed)
        extrapolation.add(x, step)
        proposed = extrapolation.propose()
        x = step if proposed is None else proposed
    np.testing.assert_allclose(x, fixed, atol=1e-6)


def test_extrapolation_leaves_a_saddle_forward() -> None:
    """EM moves away along the first axis, by 1.05 a step; the fixed point is behind, and the proposal is ahead."""
    J, extrapolation, x = np.diag([1.05, 0.5]), Extrapolation(), np.array([1e-3, 1e-3])
    for _ in range(3):
        extrapolation.add(x, J @ x)
        proposed = extrapolation.propose()
        x = J @ x
    assert proposed is not None
    assert proposed[0] > x[0]
    assert extrapolation.limited


CASES: dict[str, Any] = {
    "faithful": lambda: (np.array(load("sklearn_gmm_faithful")["X"]), MixtureEstimator([MultivariateGaussianEstimator(dim=2)] * 3)),
    "five": lambda: (TRUTH.sample(1000, rng=3), FIVE),
    "chains": lambda: (
        [list(row) for row in np.random.default_rng(0).choice(list("ab"), (200, 6))],
        MixtureEstimator([MarkovChainEstimator(len_estimator=PoissonEstimator())] * 2),
    ),
    "keyed": lambda: (
        TRUTH.sample(1200, rng=4).reshape(-1, 4).tolist(),
        MixtureEstimator([SequenceEstimator(MixtureEstimator([GaussianEstimator()] * 3, keys=(None, "c")))] * 2),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_accelerated_is_monotone_tied_and_ends_where_plain_em_ends_or_higher(name: str) -> None:
    rows, estimator = CASES[name]()
    start = random_start(Problem.of(rows, estimator), np.random.default_rng(5 if name == "chains" else 3), 0.3)
    plain = fit(rows, estimator, start=start, accelerate=False, max_its=4000)
    fast = fit(rows, estimator, start=start)
    assert np.diff(fast.objective).min() >= -1e-12 * abs(fast.objective[-1])
    assert fast.status in ("converged", "iteration limit")
    assert fast.log_likelihood >= plain.log_likelihood - 1e-6
    problem = Problem.of(rows, estimator)
    assert problem.is_feasible(fast.model)
    assert problem.log_likelihood(fast.model) == pytest.approx(fast.log_likelihood, rel=1e-12)
    assert fast.iterations <= plain.iterations


def test_fixed_weights_keep_their_bits_under_acceleration() -> None:
    third = np.array([1 / 3, 2 / 3])
    record = fit(TRUTH.sample(400, rng=1), MixtureEstimator([GaussianEstimator()] * 2, fixed_weights=third), rng=1)
    assert record.iterations > 5
    np.testing.assert_array_equal(record.model.w, third)


def test_what_em_leaves_alone_keeps_its_bits_in_steps_beyond_it(monkeypatch: pytest.MonkeyPatch) -> None:
    propose = Extrapolation.propose

    def off_by_rounding(self: Extrapolation) -> Any:
        beyond = propose(self)
        return beyond if beyond is None else beyond + 1e-13

    monkeypatch.setattr(Extrapolation, "propose", off_by_rounding)
    half = np.array([0.5, 0.5])
    problem = Problem.of(TRUTH.sample(300, rng=1), MixtureEstimator([GaussianEstimator()] * 2, fixed_weights=half))
    beyond = 0
    for state in islice(ascend(begun(problem, random_start(problem, np.random.default_rng(1), 0.5))), 11):
        beyond += state.beyond
        np.testing.assert_array_equal(state.model.w, half)
    assert beyond > 3


def test_a_step_down_is_refused_and_the_plain_step_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    x = TRUTH.sample(400, rng=1)
    monkeypatch.setattr(Extrapolation, "propose", lambda self: self.points[-1] + 7.0)  # always wrong
    problem = Problem.of(x, TWO)
    start = begun(problem, random_start(problem, np.random.default_rng(1), 0.5))
    fast, plain = ([start, *islice(ascend(start, accelerate), steps)] for accelerate, steps in ((True, 20), (False, 10)))
    assert [state.refused for state in fast[1:]] == [True, False] * 10
    assert [state.objective for state in fast[::2]] == [state.objective for state in plain]  # a refused step repeats
    np.testing.assert_array_equal(flatten(fast[-1].model), flatten(plain[-1].model))


def test_the_slow_heterogeneous_fit_converges_ten_times_sooner() -> None:
    from dmlcore.stats import (
        ExponentialDistribution,
        ExponentialEstimator,
        HeterogeneousMixtureDistribution,
        HeterogeneousMixtureEstimator,
        LogGaussianDistribution,
        LogGaussianEstimator,
    )

    parts = [ExponentialDistribution(5.0), ExponentialDistribution(10.0), LogGaussianDistribution(0.5, 1.0)]
    x = HeterogeneousMixtureDistribution(parts, [0.1, 0.3, 0.6]).sample(5000, rng=1)
    estimator = HeterogeneousMixtureEstimator([ExponentialEstimator()] * 2 + [LogGaussianEstimator()])
    start = random_start(Problem.of(x, estimator), np.random.default_rng(0), 0.1)
    fast = fit(x, estimator, start=start)
    plain = fit(x, estimator, start=start, accelerate=False, max_its=10 * fast.iterations)
    assert fast.converged
    assert fast.log_likelihood > plain.log_likelihood + 1e-4  # ten times the steps do not get there


# -- stopping ------------------------------------------------------------------------------------------------------------


def test_time_limit() -> None:
    record = fit(TRUTH.sample(20_000, rng=1), FIVE, rng=1, time_limit=0.05)
    assert record.status == "time limit"
    assert "time limit" in record.message
    assert record.iterations == 0
    assert record.searched < 3000


def test_change_of_parameters() -> None:
    x = TRUTH.sample(1000, rng=1)
    record = fit(x, TWO, rng=1, change=1e-2)
    assert record.converged
    assert "changes no parameter by more than 0.01" in record.message
    problem = Problem.of(x, TWO)
    moved = flatten(problem.maximise(problem.expect(record.model)[1], record.model))
    assert np.abs(moved - flatten(record.model)).max() <= 1e-2


def test_validation_data_stop_a_fit() -> None:
    x, held_out = TRUTH.sample(60, rng=1), TRUTH.sample(200, rng=2)
    values: list[float] = []

    def see(step: int, log_likelihood: float, model: Any) -> None:
        values.append(float(model.seq_log_density(held_out).sum()))

    record = fit(x, FIVE, rng=3, starts=1, vdata=held_out, patience=4, accelerate=False, callback=see)
    assert "no more likely for 4 steps" in record.message
    assert float(record.model.seq_log_density(held_out).sum()) == max(values)
    assert record.log_likelihood == pytest.approx(float(record.model.seq_log_density(x).sum()), rel=1e-12)
    assert values[-5] == max(values)


def test_thin_components_are_named() -> None:
    x = np.concatenate([np.random.default_rng(0).normal(0, 1, 100), [30.0, 30.5]])
    record = fit(x, TWO, start=np.array([0] * 100 + [1] * 2))
    assert any("components[1]: the gaussian holds about 2 rows, and 0% of what it adds" in event for event in record.events)


BAD_OPTIONS: list[dict[str, Any]] = [
    *[{"starts": 0}, {"starts": 1.5}, {"time_limit": 0}, {"patience": 0}, {"patience": 3}],
    *[{"change": "a"}, {"change": -1}, {"delta": np.inf}, {"delta": np.nan}],
]


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=str)
def test_bad_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=next(iter(options))):
        fit([1.0, 2.0], TWO, **options)


def test_an_interrupted_search_returns_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = Problem.expect, []

    def expect(self: Problem, model: Any) -> Any:
        calls.append(1)
        if len(calls) == 60:
            raise KeyboardInterrupt
        return real(self, model)

    monkeypatch.setattr(Problem, "expect", expect)
    record = fit(TRUTH.sample(200, rng=1), TWO, rng=1)
    assert record.status == "interrupted"
    assert record.log_likelihood > -np.inf


def test_scales_change_nothing_but_units() -> None:
    x = TRUTH.sample(300, rng=2)
    three = MixtureEstimator([GaussianEstimator()] * 3)
    plain = fit(x, three, rng=1, starts=4)
    for scale in (1e-150, 1e150):
        scaled = fit(x * scale, three, rng=1, starts=4)
        assert scaled.log_likelihood + len(x) * np.log(scale) == pytest.approx(plain.log_likelihood, abs=1e-6)


# -- what a search must not trip over ------------------------------------------------------------------------------------


def test_threads_within_threads_do_not_wait_for_each_other() -> None:
    """Few rows of many elements: several blocks in a problem that is searched whole."""
    rows = np.random.default_rng(0).normal(size=(1500, 100)) + np.repeat([0.0, 3.0], 750)[:, None]
    estimator = MixtureEstimator([SequenceEstimator(GaussianEstimator())] * 2)
    one, two = (fit(rows.tolist(), estimator, rng=0, threads=threads) for threads in (1, 2))
    assert len(Problem.of(rows.tolist(), estimator).encoded.blocks) > 1
    assert one.history == two.history


def test_mapping_within_a_mapping_runs_on_its_own_thread() -> None:
    sums = map_in_order(lambda i: sum(map_in_order(lambda j: i * j, range(4), 2)), range(8), 2)
    assert list(sums) == [6 * i for i in range(8)]


def test_restarts_side_by_side_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    x = TRUTH.sample(400, rng=2)
    alone = best_of(x, None, FIVE, 4, 30, rng=1, threads=2)
    monkeypatch.setattr(drivers, "APART", 0)
    assert best_of(x, None, FIVE, 4, 30, rng=1, threads=2) == alone


def test_starts_side_by_side_are_those_one_by_one(five: np.ndarray) -> None:
    problem = Problem.of(five[:300], FIVE)
    descriptions = Descriptions(problem.estimator, problem.encoded.column, np.random.default_rng(0))
    kinds = [0.1, "far", "laws", 0.3, "values"]
    streams = [[np.random.default_rng(seed) for seed in range(5)] for _ in range(2)]
    together = stack_of_starts(problem.stacked(5), streams[0], kinds, descriptions)
    for r, (rng, kind) in enumerate(zip(streams[1], kinds, strict=True)):
        if isinstance(kind, float):
            alone = random_start(problem, rng, kind)
        else:
            one = problem.stacked(1)
            alone = one.stacking.model(stack_of_starts(one, [rng], [kind], descriptions), (0,))
        beside = problem.stacked(5).stacking.model(together, (r,))
        np.testing.assert_allclose(flatten(beside), flatten(alone), rtol=1e-12)


def test_a_sample_follows_the_weights() -> None:
    x = np.concatenate([TRUTH.sample(1000, rng=1), np.full(20_000, 1e6)])
    w = np.concatenate([np.ones(1000), np.zeros(20_000)])
    small = Problem.of(x, TWO, w).sample(500, np.random.default_rng(0))
    assert small.encoded.column.x.max() < 1e3
    assert small.rows.each_weight.sum() == 500
    assert fit(x, TWO, weights=w, rng=1).log_likelihood == pytest.approx(fit(x[:1000], TWO, rng=1).log_likelihood, abs=1e-6)


def test_label_starts_follow_the_weights() -> None:
    rows, labels = [0, 1, 8, 9] * 2000, np.array([0, 0, 1, 1] * 1000 + [1, 1, 0, 0] * 1000)
    w = np.repeat([1.0, 0.0], 4000)
    model = fit(rows, MixtureEstimator([PoissonEstimator()] * 2), start=labels, weights=w, max_its=0).model
    assert [c.lam for c in model.components] == pytest.approx([0.5, 8.5], abs=0.1)


def test_a_refused_step_is_not_a_small_gain() -> None:
    x = TRUTH.sample(1000, rng=3)
    start = random_start(Problem.of(x, FIVE), np.random.default_rng(2), 0.1)
    record = fit(x, FIVE, start=start, delta=1e-6, accelerate=True)
    assert record.objective[-1] - record.objective[-2] < 1e-6
    assert record.objective[-2] > record.objective[-3] or record.objective[-1] > record.objective[-2]


def test_fixed_weights_at_the_step_limit_and_in_a_search() -> None:
    third = np.ones(3) / 3
    estimator = MixtureEstimator([GaussianEstimator()] * 3, fixed_weights=third)
    record = fit(TRUTH.sample(300, rng=1), estimator, rng=1, starts=1, max_its=8)
    np.testing.assert_array_equal(record.model.w, third)
    problem = Problem.of(TRUTH.sample(500, rng=1), MixtureEstimator([GaussianEstimator()] * 4, fixed_weights=np.ones(4) / 4))
    np.testing.assert_array_equal(fit(problem.rows.raw, problem.estimator, rng=1).model.w, np.ones(4) / 4)


@pytest.mark.parametrize("K", [2, 3, 5])
def test_moves_are_shares_of_the_rows_that_differ(K: int) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 2))
    posterior = np.eye(K)[rng.integers(K, size=60)].T
    found = proposals(posterior, [points], 20, rng)
    assert len(found) > 15
    for shares in found:
        assert shares.shape == (K, 60)
        np.testing.assert_allclose(shares.sum(axis=0), 1.0)
        assert shares.min() > 0
        assert np.abs(shares - posterior).max() > 0.5


def test_dead_components_that_are_one_object_do_not_stop_a_fit() -> None:
    far = GaussianDistribution(1e6, 1.0)
    start = MixtureDistribution([GaussianDistribution(4.0, 9.0), far, far], [0.4, 0.3, 0.3])
    record = fit(TRUTH.sample(200, rng=1), MixtureEstimator([GaussianEstimator()] * 3), start=start)
    assert any("no weight" in event for event in record.events)


def test_callbacks_see_the_last_step_and_the_limit_holds() -> None:
    x, seen = TRUTH.sample(500, rng=1), []
    record = fit(x, TWO, rng=2, callback=lambda step, value, model: seen.append((step, model)))
    assert seen[-1][0] == record.iterations
    assert seen[-1][1] is record.model
    limited = fit(x, TWO, rng=2, max_its=record.iterations - 1)
    assert limited.iterations <= record.iterations - 1


# -- streams -------------------------------------------------------------------------------------------------------------


def test_online_with_equal_steps_is_the_fit_of_all_rows() -> None:
    x = np.random.default_rng(0).normal(5, 2, 600)
    rows = list(zip(x.tolist(), ["ab"[i % 3 == 0] for i in range(600)], strict=True))
    estimator = CompositeEstimator((GaussianEstimator(), OptionalEstimator(CategoricalEstimator(), est_prob=True)))
    online = OnlineEM(estimator, decay=1.0)
    for start in range(0, 600, 100):
        online.partial_fit(rows[start : start + 100])
    whole = fit(rows, estimator).model
    np.testing.assert_allclose(flatten(online.model), flatten(whole), rtol=1e-10)
    assert (online.batches, online.rows) == (6, 600)


def test_online_em_follows_a_mixture() -> None:
    law = MixtureDistribution([GaussianDistribution(0.0, 1.0), GaussianDistribution(4.0, 2.0)], [0.3, 0.7])
    x = law.sample(40_000, rng=1)
    online = OnlineEM(TWO, rng=1)
    for batch in x.reshape(80, 500):
        online.partial_fit(batch)
    whole = fit(x, TWO, rng=1)
    gap = whole.log_likelihood - float(online.model.seq_log_density(seq_encode(x, estimator=TWO)).sum())
    assert 0 <= gap < 20  # 40,000 rows: within sampling error of the maximum
    first = fit(x[:500], TWO, rng=1).model
    assert gap < 0.2 * (whole.log_likelihood - float(first.seq_log_density(x).sum()))


def test_online_bad_input() -> None:
    online = OnlineEM(CategoricalEstimator())
    with pytest.raises(EmptyError, match="first batch"):
        _ = online.model
    with pytest.raises(ParameterError, match="decay"):
        OnlineEM(TWO, decay=0.4)


def test_searching_uses_nothing_at_random_but_its_generator() -> None:
    problem = Problem.of(TRUTH.sample(200, rng=1), TWO)
    one, two = (search(problem, np.random.default_rng(4), 0.1, None, np.inf) for _ in range(2))
    assert one.model == two.model
    assert one.steps == two.steps
    assert len(one.starts) >= searching.STARTS


@pytest.mark.parametrize(
    "parts",
    [
        [
            SequenceEstimator(GaussianEstimator(), length)
            for length in (PoissonEstimator(), MixtureEstimator([PoissonEstimator()] * 2), PoissonEstimator())
        ],
        [LinearRegressionEstimator(tied=tied) for tied in ({0: "slope"}, {0: "slope"}, {})],
    ],
)
def test_laws_are_moved_between_like_places_only(parts: Any) -> None:
    """Components of unlike families or shapes below, or of which only some share parameters."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(m, 0.3, 20) for m in (1.0, 4.0, 9.0)])
    lists = parts[0].family is SequenceDistribution
    rows: Any = [[v] if lists else ([z], v * z) for v, z in zip(x, rng.normal(size=60), strict=True)]
    record = fit(rows, MixtureEstimator(parts), rng=0, starts=2)
    assert Problem.of(rows, MixtureEstimator(parts)).check(record.model) is record.model


@pytest.mark.parametrize("part", [GaussianEstimator(), MixtureEstimator([GaussianEstimator()])])
def test_where_there_is_nothing_to_choose_nothing_is_searched(part: Any, five: np.ndarray) -> None:
    record = fit(five, MixtureEstimator([part]), rng=1)
    assert (record.converged, record.starts, record.ended) == (True, [], 0)
    assert record.log_likelihood == pytest.approx(fit(five, GaussianEstimator()).log_likelihood, rel=1e-13)
