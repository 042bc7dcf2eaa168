"""The functions users of DMLearn know: signatures, and what each does."""

from __future__ import annotations

import inspect
import io
from typing import Any

import numpy as np
import pytest

import dmlcore
import dmlcore.data.encoded
import dmlcore.utils.optsutil as ops
from dmlcore import OnlineEM, fit, stats
from dmlcore.base.errors import DataError, DegenerateError, EmptyError, FitWarning, ParameterError, StructureError, SupportError
from dmlcore.base.random import spawn
from dmlcore.base.threads import thread_count
from dmlcore.fitting import drivers
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    ExponentialDistribution,
    GaussianDistribution,
    GaussianEstimator,
    MixtureDistribution,
    MixtureEstimator,
    OptionalEstimator,
    PoissonEstimator,
    PoissonRegressionEstimator,
    dump_models,
    estimate,
    initialize,
    load_models,
    seq_encode,
    seq_estimate,
    seq_initialize,
    seq_log_density,
    seq_log_density_sum,
)
from dmlcore.utils.estimation import (
    best_of,
    empirical_kl_divergence,
    iterate,
    k_fold_split_index,
    optimize,
    partition_data,
    partition_data_index,
)

TWO = MixtureEstimator([GaussianEstimator()] * 2)
TRUTH = MixtureDistribution([GaussianDistribution(0.0, 1.0), GaussianDistribution(3.0, 1.0)], [0.4, 0.6])
DATA = TRUTH.sample(400, rng=0)
HELD_OUT = TRUTH.sample(200, rng=1)
START = MixtureDistribution([GaussianDistribution(-1.0, 2.0), GaussianDistribution(1.0, 2.0)], [0.5, 0.5])


def sum_of_logs(model: Any, data: Any) -> float:
    return float(model.seq_log_density(data).sum())


SIGNATURES = {
    initialize: "data, estimator, rng, p",
    estimate: "data, estimator, prev_estimate",
    seq_encode: "data, encoder, estimator, model, num_chunks, chunk_size",
    dump_models: "x",
    load_models: "x",
    seq_log_density: "enc_data, estimate",
    seq_log_density_sum: "enc_data, estimate",
    seq_initialize: "enc_data, estimator, rng, p",
    seq_estimate: "enc_data, estimator, prev_estimate",
    optimize: "data, estimator, max_its, delta, init_estimator, init_p, rng, prev_estimate, vdata, enc_data, enc_vdata, out, print_iter, "
    "num_chunks",
    iterate: "data, estimator, max_its, prev_estimate, init_p, rng",
    best_of: "data, vdata, est, trials, max_its, init_p, delta, rng, init_estimator, enc_data, enc_vdata, out, print_iter",
    partition_data: "data, pvec, rng",
    partition_data_index: "size, pvec, rng",
    k_fold_split_index: "size, k, rng",
    empirical_kl_divergence: "dist1, dist2, enc_data",
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda f: f.__name__)
def test_arguments_stand_where_users_expect_them(function: Any) -> None:
    expected = SIGNATURES[function].split(", ")
    assert list(inspect.signature(function).parameters)[: len(expected)] == expected
    defaults = {name: p.default for name, p in inspect.signature(function).parameters.items()}
    for name, value in {"p": 0.1, "init_p": 0.1, "num_chunks": 1}.items():
        assert defaults.get(name, value) == value
    if function is optimize:
        assert (defaults["max_its"], defaults["delta"], defaults["print_iter"]) == (1000, None, None)


def test_star_import_is_the_catalogue() -> None:
    names: dict[str, Any] = {}
    exec("from dmlcore.stats import *", names)
    assert {"GaussianDistribution", "MixtureEstimator", "initialize", "seq_log_density_sum"} <= names.keys()
    assert set(stats.__all__) == names.keys() - {"__builtins__"}
    functions = {name for name in stats.__all__ if not name.endswith(("Distribution", "Estimator"))}
    assert functions == {f.__name__ for f in SIGNATURES if getattr(stats, f.__name__, None) is f}


# -- one step, and encoded data ------------------------------------------------------------------------------------------


def test_functions_on_encoded_data_agree_with_those_on_rows() -> None:
    for how in ({"estimator": TWO}, {"model": TRUTH}, {"encoder": TWO}):
        encoded = seq_encode(DATA, num_chunks=3, **how)
        assert len(encoded) == 400
    assert seq_initialize(encoded, TWO, np.random.RandomState(4), 0.2) == initialize(DATA, TWO, np.random.RandomState(4), 0.2)
    assert seq_estimate(encoded, TWO, START) == estimate(DATA, TWO, START)
    log = seq_log_density(encoded, TRUTH)
    assert log.tolist() == [TRUTH.log_density(x) for x in DATA.tolist()]
    assert seq_log_density_sum(encoded, TRUTH) == (400, pytest.approx(log.sum()))
    assert optimize(None, TWO, prev_estimate=START, enc_data=encoded) == optimize(DATA, TWO, prev_estimate=START)
    with pytest.raises(StructureError, match="seq_encode"):
        seq_encode(DATA)
    with pytest.raises(StructureError, match="encode"):
        seq_log_density(encoded, CategoricalEstimator().family({"a": 1.0}))


def test_estimate_needs_a_model_where_parts_are_latent() -> None:
    with pytest.raises(StructureError, match="prev_estimate"):
        estimate(DATA, TWO)
    assert estimate(DATA, GaussianEstimator()).mu == pytest.approx(DATA.mean())
    with pytest.raises(StructureError, match=r"components\[1\]"):
        estimate(DATA, TWO, MixtureDistribution([GaussianDistribution(0, 1), ExponentialDistribution(1.0)], [0.5, 0.5]))
    with pytest.raises(StructureError, match="estimator"):
        optimize(DATA, TRUTH)  # a distribution where an estimator is needed


@pytest.mark.parametrize("p", [0.0, -1, 1.5])
def test_shares_of_a_start_are_checked(p: float) -> None:
    with pytest.raises(ParameterError):
        initialize(DATA, TWO, 1, p)
    with pytest.raises(ParameterError):
        optimize(DATA, TWO, init_p=p)


# -- optimize, iterate, best_of ------------------------------------------------------------------------------------------


def test_iterate_takes_exactly_so_many_steps() -> None:
    model = START
    for steps in range(4):
        assert iterate(DATA, TWO, steps, START) == model
        assert iterate(DATA, TWO, steps, prev_estimate=START) == model
        model = estimate(DATA, TWO, model)
    best = optimize(DATA, TWO, prev_estimate=START)
    out = io.StringIO()
    iterate(DATA, TWO, 7, best, out=out, print_iter=1)  # at the maximum, still no test of convergence
    assert "Iteration 7" in out.getvalue()


def test_delta_is_the_absolute_gain_of_a_step() -> None:
    record = fit(DATA, TWO, start=START, delta=0.5)
    gains = np.diff(record.objective)
    assert record.status == "converged"
    assert gains[-1] < 0.5 <= gains[:-1].min()
    assert sum_of_logs(optimize(DATA, TWO, 1000, 0.5, prev_estimate=START), DATA) == pytest.approx(record.log_likelihood, rel=1e-14)
    assert fit(DATA, TWO, start=START, delta=0.0, max_its=30).status == "iteration limit"


def test_the_last_step_is_kept() -> None:
    """The model returned is the one after the last step, at least as good as all before."""
    record = fit(DATA, TWO, start=START, max_its=5, delta=0.0)
    assert sum_of_logs(record.model, DATA) == pytest.approx(max(record.history), rel=1e-14)
    assert record.iterations == 5
    assert optimize(DATA, TWO, 5, 0.0, prev_estimate=START) == record.model == iterate(DATA, TWO, 5, START)
    assert optimize(DATA, TWO, 0, prev_estimate=START) == START


def test_validation_data_choose_among_the_steps() -> None:
    few = DATA[:12]
    estimator = MixtureEstimator([GaussianEstimator()] * 3)
    start = initialize(few, estimator, 1, 1.0)
    models = [iterate(few, estimator, k, start) for k in range(41)]
    values = [sum_of_logs(m, HELD_OUT) for m in models]
    assert 0 < int(np.argmax(values)) < 40  # overfits after some steps
    chosen = optimize(few, estimator, 40, 0.0, prev_estimate=start, vdata=HELD_OUT)
    assert sum_of_logs(chosen, HELD_OUT) == max(values)
    encoded = seq_encode(HELD_OUT, estimator=estimator)
    assert optimize(few, estimator, 40, 0.0, prev_estimate=start, enc_vdata=encoded) == chosen


def test_printing_goes_to_the_current_stdout_or_to_out_and_is_off_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    optimize(DATA, TWO, 12, 0.0, rng=1)
    iterate(DATA, TWO, 3, rng=1)
    best_of(DATA, HELD_OUT, TWO, 2, 3, rng=1)
    fit(DATA, TWO, rng=1, max_its=3)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    optimize(DATA, TWO, 12, 0.0, rng=1, print_iter=5)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["Iteration 5", "Iteration 10"]
    assert "iteration limit" in lines[-1]
    out = io.StringIO()
    best_of(DATA, HELD_OUT, TWO, 2, 3, rng=1, out=out, print_iter=1)
    assert out.getvalue().count("Trial") == 2
    assert capsys.readouterr().out == ""


def test_init_estimator_makes_the_start() -> None:
    prior = MixtureEstimator([GaussianEstimator((1e9, 1e9), (5.0, 1.0)), GaussianEstimator((1e9, 1e9), (-5.0, 1.0))])
    model = optimize(DATA, TWO, 0, init_estimator=prior, rng=1)
    assert [c.mu for c in model.components] == pytest.approx([5, -5], abs=1e-3)
    _, model = best_of(DATA, None, TWO, 1, 0, rng=1, init_estimator=prior)
    assert [c.mu for c in model.components] == pytest.approx([5, -5], abs=1e-3)


def test_init_estimator_may_read_rows_in_another_way_and_must_make_the_model() -> None:
    pair = MixtureEstimator([CompositeEstimator((GaussianEstimator(), GaussianEstimator()))] * 2)
    rows = [(float(x), float(-x)) for x in DATA]
    prior = MixtureEstimator([CompositeEstimator((GaussianEstimator(), OptionalEstimator(GaussianEstimator())))] * 2)
    with pytest.raises(StructureError, match=r"components\[0\].* is OptionalDistribution"):
        fit(rows, pair, init_estimator=prior, rng=1)
    with pytest.raises(StructureError, match=r"components\[0\] is PoissonDistribution.*expected a GaussianDistribution"):
        fit([1, 2, 5, 8], TWO, init_estimator=MixtureEstimator([PoissonEstimator()] * 2), rng=1)


def test_interruption_returns_the_best_model_so_far() -> None:
    models = []

    def stop(step: int, log_likelihood: float, model: Any) -> None:
        models.append((log_likelihood, model))
        if step == 4:
            raise KeyboardInterrupt

    record = fit(DATA, TWO, start=START, callback=stop)
    assert record.status == "interrupted"
    assert (record.log_likelihood, record.model) == models[-1]
    assert not record.converged
    assert record.iterations == 4
    assert "4" in record.message


def test_callback_sees_every_step() -> None:
    seen: list[Any] = []
    record = fit(DATA, TWO, start=START, max_its=6, delta=0.0, callback=lambda *args: seen.append(args))
    assert [step for step, _, _ in seen] == list(range(7))
    assert [value for _, value, _ in seen] == record.history
    assert seen[0][2] == START
    assert seen[-1][2] is record.model
    assert record.seconds >= 0


# -- restarts ------------------------------------------------------------------------------------------------------------

BUMPY = MixtureEstimator([GaussianEstimator()] * 5)


def test_more_restarts_are_never_worse_and_the_best_is_returned() -> None:
    values = []
    for trials in range(1, 7):
        value, model = best_of(DATA, HELD_OUT, BUMPY, trials, 30, 0.1, None, 3)
        assert value == pytest.approx(sum_of_logs(model, HELD_OUT), rel=1e-14)
        values.append(value)
    each = [sum_of_logs(optimize(DATA, BUMPY, 30, rng=stream, starts=1), HELD_OUT) for stream in spawn(np.random.default_rng(3), 6)]
    assert values == np.maximum.accumulate(each).tolist()
    assert each.index(max(each)) not in (0, 5)  # else the test could not tell the best from the first or the last


def test_without_validation_data_the_training_data_decide() -> None:
    value, model = best_of(DATA, None, BUMPY, 4, 30, rng=5)
    assert value == pytest.approx(
        max(sum_of_logs(optimize(DATA, BUMPY, 30, rng=s, starts=1), DATA) for s in spawn(np.random.default_rng(5), 4))
    )
    assert value == pytest.approx(sum_of_logs(model, DATA), rel=1e-14)
    with pytest.raises(ParameterError, match="trials"):
        best_of(DATA, None, TWO, 0)


def test_a_failing_start_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    out, real, calls = io.StringIO(), drivers.fit, []

    def sometimes(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) != 2:
            raise DegenerateError(f"no luck with start {len(calls)}")
        return real(*args, **kwargs)

    monkeypatch.setattr(drivers, "fit", sometimes)
    with pytest.warns(FitWarning, match="2 of 3 starts failed; the first: no luck with start 1"):
        value, model = best_of(DATA, HELD_OUT, TWO, 3, 5, rng=1, out=out, print_iter=1)
    assert value == pytest.approx(sum_of_logs(model, HELD_OUT))
    assert "Trial 1: failed, no luck with start 1" in out.getvalue()
    with pytest.raises(DegenerateError, match="start 4"):  # none is left: the first error
        best_of(DATA, HELD_OUT, TWO, 3, 5, rng=1)


def test_an_interruption_ends_the_restarts_with_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    real, records = drivers.fit, []

    def interrupted_at_the_second(*args: Any, **kwargs: Any) -> Any:
        if len(records) == 1:

            def callback(step: int, *rest: Any) -> None:
                if step == 1:
                    raise KeyboardInterrupt

            kwargs["callback"] = callback
        records.append(real(*args, **kwargs))
        return records[-1]

    monkeypatch.setattr(drivers, "fit", interrupted_at_the_second)
    value, model = best_of(DATA, None, TWO, 5, 50, rng=1)
    assert [record.status for record in records][1] == "interrupted"
    assert len(records) == 2
    assert (value, model) == (records[0].log_likelihood, records[0].model)


@pytest.mark.parametrize("before", [0, 1])
def test_an_interruption_between_restarts(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    real, records = drivers.fit, []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        if len(records) == before:
            raise KeyboardInterrupt
        records.append(real(*args, **kwargs))
        return records[-1]

    monkeypatch.setattr(drivers, "fit", interrupted)
    if before:
        assert best_of(DATA, None, TWO, 5, 50, rng=1) == (records[0].log_likelihood, records[0].model)
    else:
        with pytest.raises(KeyboardInterrupt):
            best_of(DATA, None, TWO, 5, 50, rng=1)


def test_a_degenerate_fit_is_warned_of_and_taken_last() -> None:
    start = MixtureDistribution([GaussianDistribution(5.0, 1e-4), GaussianDistribution(1.5, 1.0)], [0.5, 0.5])
    with pytest.warns(FitWarning, match="degenerate"):
        optimize([1.0, 2.0, 5.0, 5.0], MixtureEstimator([GaussianEstimator()] * 2), prev_estimate=start)
    rows = [1.0, 2.0, 5.0, 5.0, 7.0, 9.0, 3.0, 4.0]
    fits = [fit(rows, MixtureEstimator([GaussianEstimator()] * 2), rng=seed, starts=1) for seed in range(8)]
    assert {"degenerate", "converged"} <= {f.status for f in fits}
    value, model = best_of(rows, None, MixtureEstimator([GaussianEstimator()] * 2), 8, rng=3)
    assert min(component.sigma2 for component in model.components) > 1e-6
    assert value < max(f.log_likelihood for f in fits if f.status == "degenerate")
    with pytest.warns(FitWarning, match="the best fit is degenerate: "):
        best_of([1.0, 1.0, 2.0], None, MixtureEstimator([GaussianEstimator()] * 3), 2, rng=1)


def test_threads_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DMLCORE_NUM_THREADS", "2")
    assert thread_count(None) == 2
    assert thread_count(3) == 3
    monkeypatch.setenv("DMLCORE_NUM_THREADS", "many")
    with pytest.raises(ParameterError, match="DMLCORE_NUM_THREADS must be a whole number >= 1, got 'many'"):
        fit(DATA, TWO)


def test_errors_that_no_other_start_would_avoid_are_raised() -> None:
    with pytest.raises(DataError, match="row 1"):
        best_of([0.0, "x"], None, TWO, 3)
    with pytest.raises(EmptyError):
        best_of([], None, TWO, 3)
    with pytest.raises(EmptyError):
        optimize(None, TWO)
    with pytest.raises(ParameterError):
        optimize(DATA, TWO, -1)
    with pytest.raises(SupportError, match="row 1"):
        optimize([1.0, -1.0], ExponentialDistribution(1.0).estimator())


# -- randomness ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda seed: seed, np.random.RandomState, np.random.default_rng], ids=["int", "RandomState", "Generator"])
def test_same_seed_same_result_and_other_seeds_differ(make: Any) -> None:
    functions = [
        lambda rng: initialize(DATA, BUMPY, rng),
        lambda rng: optimize(DATA, BUMPY, 3, rng=rng, starts=1),
        lambda rng: iterate(DATA, BUMPY, 3, rng=rng),
        lambda rng: best_of(DATA, HELD_OUT, BUMPY, 2, 3, rng=rng),
        lambda rng: fit(DATA[:60], BUMPY, max_its=3, rng=rng, starts=2).history,
        lambda rng: [part.tolist() for part in partition_data(DATA, [0.5, 0.5], rng)],
        lambda rng: k_fold_split_index(50, 5, rng).tolist(),
    ]
    for function in functions:
        assert function(make(7)) == function(make(7)) != function(make(8))


def test_no_global_random_state_and_no_shared_default() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index]
    models = [optimize(DATA, BUMPY, 1, starts=1) for _ in range(2)]
    best_of(DATA, None, BUMPY, 2, 1)
    assert models[0] != models[1]
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]
    rng = np.random.RandomState(3)
    assert optimize(DATA, BUMPY, 1, rng=rng, starts=1) != optimize(DATA, BUMPY, 1, rng=rng, starts=1)  # the passed one advances


# -- weights -------------------------------------------------------------------------------------------------------------


def test_weights_are_taken_everywhere() -> None:
    w = np.random.default_rng(0).integers(0, 4, len(DATA))
    repeated, half = np.repeat(DATA, w), w / 2
    assert estimate(DATA, TWO, START, weights=w).w == pytest.approx(estimate(repeated, TWO, START).w, rel=1e-12)
    assert seq_log_density_sum(DATA, TRUTH, weights=half) == pytest.approx((half.sum(), sum_of_logs(TRUTH, repeated) / 2))
    for function in (optimize, iterate):
        one, other = function(DATA, TWO, 20, prev_estimate=START, weights=half), function(repeated, TWO, 20, prev_estimate=START)
        assert [c.mu for c in one.components] == pytest.approx([c.mu for c in other.components], rel=1e-9)
    assert fit(DATA, TWO, start=START, weights=w).log_likelihood == pytest.approx(fit(repeated, TWO, start=START).log_likelihood, rel=1e-11)
    value, model = best_of(DATA, None, TWO, 2, 200, rng=1, weights=w)
    assert value == pytest.approx(sum_of_logs(model, repeated))
    only = (DATA > 1.5).astype(float)
    assert initialize(DATA, TWO, 1, 1.0, weights=only).components[0].mu == pytest.approx(DATA[DATA > 1.5].mean(), abs=0.2)
    encoded = seq_encode(DATA, estimator=TWO)
    assert seq_estimate(encoded, TWO, START, weights=w) == estimate(DATA, TWO, START, weights=w)
    assert seq_initialize(encoded, TWO, 1, 1.0, weights=only) == initialize(DATA, TWO, 1, 1.0, weights=only)


@pytest.mark.parametrize(
    ("weights", "match"),
    [([1.0], "400 numbers"), (np.full(400, -1.0), "row 0"), ([np.nan] * 400, "row 0"), ("abc", "weights"), (np.ones((400, 1)), "shape")],
)
def test_bad_weights_are_refused(weights: Any, match: str) -> None:
    with pytest.raises(DataError, match=match):
        fit(DATA, TWO, weights=weights)
    with pytest.raises(EmptyError, match="zero"):
        fit(DATA, TWO, weights=np.zeros(400))


def test_fixed_weights_stay() -> None:
    estimator = MixtureEstimator([GaussianEstimator()] * 2, fixed_weights=[0.25, 0.75])
    record = fit(DATA, estimator, rng=2)
    assert record.model.w.tolist() == [0.25, 0.75]
    assert (np.diff(record.objective) >= -1e-9).all()
    free = fit(DATA, TWO, start=record.model)
    assert free.log_likelihood > record.log_likelihood
    for wrong in ([0.5, 0.6], [1.0], [1.5, -0.5]):
        with pytest.raises(ParameterError, match="fixed_weights"):
            MixtureEstimator([GaussianEstimator()] * 2, fixed_weights=wrong)


# -- splits and divergence -----------------------------------------------------------------------------------------------


def test_partitions_cover_every_row_once() -> None:
    rows = [(i, str(i)) for i in range(101)]
    parts = partition_data(rows, [0.8, 0.15, 0.05], 1)
    assert [len(part) for part in parts] == [81, 15, 5]
    assert sorted(row for part in parts for row in part) == rows
    index = partition_data_index(101, [0.8, 0.15, 0.05], 1)
    assert [[rows[i] for i in part] for part in index] == parts
    arrays = partition_data(np.arange(10.0), [0.5, 0.5], np.random.RandomState(1))
    assert all(isinstance(part, np.ndarray) for part in arrays)
    with pytest.raises(ParameterError, match="pvec"):
        partition_data(rows, [0.8, 0.3], 1)


def test_folds_are_even() -> None:
    fold = k_fold_split_index(23, 5, np.random.RandomState(1))
    assert sorted(np.bincount(fold).tolist()) == [4, 4, 5, 5, 5]
    assert fold.tolist() != sorted(fold.tolist())
    for k in (0, 24):
        with pytest.raises(ParameterError):
            k_fold_split_index(23, k)


def test_empirical_divergence_is_the_kullback_leibler_divergence() -> None:
    one, other = ExponentialDistribution(2.0), ExponentialDistribution(3.0)
    data = one.sampler(0).sample(20000)
    kl, bad1, bad2 = empirical_kl_divergence(one, other, data)
    error = 1 / 3 / np.sqrt(len(data))  # the logarithms differ by x / 6 and a constant
    assert kl == pytest.approx(np.log(3 / 2) + 2 / 3 - 1, abs=5 * error)
    assert (bad1, bad2) == (0, 0)
    assert empirical_kl_divergence(one, one, iter(data)) == (0.0, 0, 0)


def test_rows_that_one_of_two_laws_rules_out_are_counted() -> None:
    one, other = GaussianDistribution(0.0, 1.0), ExponentialDistribution(1.0)
    kl, bad1, bad2 = empirical_kl_divergence(one, other, [-1.0, 0.5, 2.0, -3.0])
    assert kl == pytest.approx(np.mean([one.log_density(x) - other.log_density(x) for x in (0.5, 2.0)]))
    assert (bad1, bad2) == (0, 2)
    assert empirical_kl_divergence(other, one, [-1.0, 0.5])[1:] == (1, 0)
    with pytest.raises(SupportError, match="none of the 2 rows"):
        empirical_kl_divergence(one, other, [-1.0, -3.0])


# -- what is at the top of the package -----------------------------------------------------------------------------------


def test_the_package_offers_the_drivers() -> None:
    assert dmlcore.optimize is optimize
    assert dmlcore.iterate is iterate
    assert dmlcore.best_of is best_of
    record = dmlcore.fit(DATA, TWO, rng=1)
    assert isinstance(record, dmlcore.Fit)
    assert record.status == "converged"
    assert "converged" in repr(record)


# -- optsutil ------------------------------------------------------------------------------------------------------------


def test_numbering_values() -> None:
    numbers: dict[str, int] = {"b": 0}
    assert ops.map_to_integers(["a", "b", "a", "c"], numbers) == [1, 0, 1, 2]
    assert numbers == {"b": 0, "a": 1, "c": 2}
    assert ops.get_inv_map(numbers) == ["b", "a", "c"]
    assert ops.get_inv_map({"x": 2, "y": 0}) == ["y", None, "x"]
    assert ops.get_inv_map({}) == []


def test_counting_and_grouping() -> None:
    pairs = [("a", 1), ("b", 2), ("a", 3)]
    assert ops.count_by_value("abca") == {"a": 2, "b": 1, "c": 1}
    assert ops.count_by_value(np.array([2, 1, 2])) == {2: 2, 1: 1}
    assert ops.group_by(len, ["a", "bb", "c"]) == {1: ["a", "c"], 2: ["bb"]}
    assert ops.group_by_key(pairs) == {"a": [1, 3], "b": [2]}
    assert ops.sum_by_key(pairs) == {"a": 4, "b": 2}
    assert ops.reduce_by_key(max, pairs) == {"a": 3, "b": 2}
    assert ops.flat_map(lambda n: [n] * n, [1, 3, 0, 2]) == [1, 3, 3, 3, 2, 2]
    lists = [("a", [1]), ("a", [2])]
    assert ops.sum_by_key(lists) == {"a": [1, 2]}
    assert lists == [("a", [1]), ("a", [2])]  # sums leave the values as they are
    with pytest.raises(KeyError):
        ops.group_by_key(pairs)["z"]


def test_rarest_values() -> None:
    x = list("aaabbcdd")
    assert ops.least_occurring(x, count=2) == ["b", "b", "c"]
    assert ops.least_occurring(x, count=2, keep_freq=False) == ["c", "b"]
    assert ops.least_occurring(x, percent=0.5, keep_freq=False) == ["c", "b"]
    assert ops.least_occurring(x, percent=0.01) == ["c"]
    assert ops.least_occurring(x, count=99) == x == ops.least_occurring(x)


def test_lines_of_a_file(tmp_path: Any) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("eins\n\nzwei ü\n", encoding="utf-8")
    assert ops.text_file(str(path)) == ["eins", "", "zwei ü"]
    assert ops.text_file(path) == ["eins", "", "zwei ü"]
    path.write_text("eins\nzwei", encoding="utf-8")
    assert ops.text_file(path) == ["eins", "zwei"]
    path.write_text("eins\n\n", encoding="utf-8")  # an empty line is a line
    assert ops.text_file(path) == ["eins", ""]


def test_utilities_feed_a_fit() -> None:
    rows = [("x", 1.0), ("y", 2.0), ("x", 3.0)]
    model = estimate(rows, CompositeEstimator((CategoricalEstimator(), GaussianEstimator())))
    shares = {label: count / len(rows) for label, count in ops.count_by_value(label for label, _ in rows).items()}
    assert dict(model.dists[0].pmap) == pytest.approx(shares)


def test_data_are_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    plain = dmlcore.data.encoded.observations

    def seen(data: Any, layout: Any) -> Any:
        reads.append(len(data))
        return plain(data, layout)

    monkeypatch.setattr(dmlcore.data.encoded, "observations", seen)
    rows = [([float(i % 7)], i % 4) for i in range(60)]
    x = [float(i % 11) for i in range(50)]
    fit(x, TWO, rng=0, init_estimator=TWO.replace(pseudo_count=1.0))
    stream = OnlineEM(TWO, rng=0).partial_fit(x)
    stream.partial_fit(x[:40])
    estimate(rows, PoissonRegressionEstimator())
    assert reads == [50, 50, 40, 60]


def test_without_steps_a_fit_is_its_start() -> None:
    found = fit([0.0, 1.0, 2.0, 7.0, 8.0, 9.0], MixtureEstimator([GaussianEstimator()] * 2), max_its=0, rng=1)
    assert (found.status, found.iterations, len(found.history)) == ("iteration limit", 0, 1)
