"""Data of Dask: what comes out is what comes of the same rows in memory, whoever works, and whoever dies at it."""

import logging
import os
import signal
import time

import dask
import dask.bag
import dask.dataframe
import distributed
import numpy as np
import pandas as pd
import pytest
from dask import delayed

from dmlcore import fit, impute
from dmlcore.base.errors import DataError, EmptyError, ParameterError, SupportError
from dmlcore.engines.choice import in_parts
from dmlcore.engines.dask_chunks import Partitions
from dmlcore.io.json import to_json
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    GammaEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureEstimator,
    OptionalEstimator,
    initialize,
    seq_log_density,
    seq_log_density_sum,
)

PARTITIONS = 5


def table(n=400):
    rng = np.random.default_rng(1)
    z = rng.random(n) < 0.4
    gaps = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n) + z)
    return pd.DataFrame({"x": rng.normal(size=n) + 4 * z, "label": np.where(z, "a", rng.choice(list("abc"), n)), "m": gaps})


def mixture():
    part = {"x": GaussianEstimator(), "label": CategoricalEstimator(), "m": OptionalEstimator(GaussianEstimator())}
    return MixtureEstimator([CompositeEstimator(part)] * 2)


def partitions(frame, n=PARTITIONS):
    """The rows as n delayed frames."""
    rows = len(frame) // n
    return [delayed(frame.iloc[i : i + rows]) for i in range(0, len(frame), rows)]


@pytest.fixture(scope="module")
def frame():
    return table()


@pytest.fixture(scope="module")
def ddf(frame):
    return dask.dataframe.from_pandas(frame, npartitions=PARTITIONS, sort=False)


@pytest.fixture(scope="module")
def in_memory(frame):
    return fit(frame, mixture(), rng=1)


@pytest.fixture(scope="module")
def found(ddf):
    return fit(ddf, mixture(), rng=1)


def test_the_optimum_is_that_of_the_rows_in_memory(found, in_memory):
    assert found.status == "converged"
    assert found.log_likelihood == pytest.approx(in_memory.log_likelihood, rel=1e-10)
    assert np.allclose(found.model.w, in_memory.model.w, atol=1e-6)


def test_delayed_frames_are_the_same_partitions(frame, found):
    cuts = partitions(frame)
    assert to_json(fit(cuts, mixture(), rng=1).model) == to_json(found.model)
    assert fit(cuts[0], mixture(), rng=1).rows == len(frame) / PARTITIONS


@pytest.mark.parametrize("kind", ["bag", "series", "delayed lists"])
def test_single_values(frame, ddf, kind):
    values = frame.x.tolist()
    kinds = {
        "bag": dask.bag.from_sequence(values, npartitions=3),
        "series": ddf.x,
        "delayed lists": [delayed(values[:150]), delayed(values[150:])],
    }
    rows = kinds[kind]
    estimator = MixtureEstimator([GaussianEstimator()] * 2)
    whole = fit(values, estimator, rng=1)
    assert fit(rows, estimator, rng=1).log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-10)
    assert np.allclose(seq_log_density(rows, whole.model).compute(), seq_log_density(values, whole.model))


def test_more_partitions_than_one_task_adds(frame):
    values = frame.x.tolist()
    bag = dask.bag.from_sequence(values, npartitions=40)
    assert fit(bag, GaussianEstimator()).log_likelihood == pytest.approx(fit(values, GaussianEstimator()).log_likelihood, rel=1e-12)


def test_sums_of_sums_and_work_that_is_sent_once(frame, monkeypatch):
    """Where there are many partitions, and where the work is large, as of a model of many labels."""
    monkeypatch.setattr("dmlcore.engines.dask_chunks.FAN_IN", 2)
    monkeypatch.setattr("dmlcore.engines.dask_chunks.SMALL_WORK", 100)
    values = frame.x.tolist()
    bag = dask.bag.from_sequence(values, npartitions=12)
    assert fit(bag, GaussianEstimator()).log_likelihood == pytest.approx(fit(values, GaussianEstimator()).log_likelihood, rel=1e-12)


def test_a_bag_is_imputed_and_sampled_as_a_bag(in_memory):
    rows = [(1.0, None), (None, 2.0)] * 4
    model = CompositeDistribution([GaussianDistribution(5.0, 1.0), GaussianDistribution(7.0, 1.0)])
    bag = dask.bag.from_sequence(rows, npartitions=2)
    assert impute(model, bag).compute() == [(1.0, 7.0), (5.0, 2.0)] * 4
    assert sorted(map(str, Partitions(bag).sample(8))) == sorted(map(str, rows))


def test_weights_are_a_column(frame, ddf):
    weights = 1.0 + (frame.x > 2)
    found = fit(ddf.assign(w=weights), mixture(), rng=1, weights="w")
    assert found.rows == weights.sum()
    assert found.log_likelihood == pytest.approx(fit(frame, mixture(), rng=1, weights=weights).log_likelihood, rel=1e-10)
    with pytest.raises(DataError, match=r"^partition 0: weights: there is no column 'nope'"):
        fit(ddf, mixture(), weights="nope")
    with pytest.raises(ParameterError, match="name of their column"):
        fit(ddf, mixture(), weights=weights)


def test_scores_and_posteriors_are_lazy_arrays(frame, ddf, in_memory):
    model = in_memory.model
    scores = seq_log_density(ddf, model)
    assert scores.npartitions == PARTITIONS
    assert np.allclose(scores.compute(), seq_log_density(frame, model))
    assert np.allclose(model.seq_posterior(ddf).compute(), model.seq_posterior(frame))
    assert seq_log_density_sum(ddf, model) == pytest.approx(seq_log_density_sum(frame, model))
    assert np.allclose(seq_log_density(ddf, [model, model]), seq_log_density(frame, [model, model]))


def test_imputation_gives_the_collection_back(frame, ddf, in_memory):
    model = in_memory.model
    filled = impute(model, ddf)
    assert isinstance(filled, dask.dataframe.DataFrame)
    assert filled.divisions == ddf.divisions
    assert dict(filled.dtypes) == dict(ddf.dtypes)
    whole = impute(model, frame).data
    assert np.allclose(filled.compute().m, whole.m)
    assert np.allclose(impute(model, partitions(frame))[-1].compute().m, whole.m[-len(frame) // PARTITIONS :])
    drawn = [impute(model, ddf, "sample", rng=3).compute().m for _ in range(2)]
    assert drawn[0].equals(drawn[1])


def test_empty_partitions(frame, in_memory):
    cuts = partitions(frame)
    nothing = delayed(frame[:0].astype({"x": object}))
    found = fit([nothing, *cuts[:2], nothing, *cuts[2:]], mixture(), rng=1)
    assert found.log_likelihood == pytest.approx(in_memory.log_likelihood, rel=1e-10)
    assert len(seq_log_density([cuts[0], nothing], in_memory.model).compute()) == len(frame) / PARTITIONS
    with pytest.raises(EmptyError, match="no rows"):
        fit([nothing, nothing], mixture())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda part: part.astype({"x": object}).replace({"x": {part.x.iloc[7]: "?"}}),
            r"^partition 3: x: row 7 is '\?'; need a real number$",
        ),
        (lambda part: part.rename(columns={"x": "y"}), r"^partition 3: the columns are \['y', 'label', 'm'\]; those of the tables before"),
        (lambda part: part.drop(columns="x"), r"^partition 3: the columns are \['label', 'm'\]"),
        (lambda part: 1 / 0, r"^partition 3 cannot be computed: ZeroDivisionError\('division by zero'\)$"),
    ],
)
def test_errors_name_partition_and_row(frame, change, message):
    cuts = partitions(frame)
    cuts[3] = delayed(change)(cuts[3])
    with pytest.raises(DataError, match=message):
        fit(cuts, mixture())


def test_another_dtype_is_the_same_numbers(frame, in_memory):
    cuts = partitions(frame.round(2).astype({"m": "float64"}))
    whole = fit([*cuts], mixture(), rng=1).log_likelihood
    cuts[3] = delayed(lambda part: part.astype({"x": object, "label": "category"}))(cuts[3])
    assert fit(cuts, mixture(), rng=1).log_likelihood == pytest.approx(whole, rel=1e-10)


def test_a_row_without_density_is_named():
    with pytest.raises(SupportError, match=r"^partition 1: row 2 has density zero under every choice"):
        fit([delayed([1.0, 2.0, 3.0]), delayed([1.0, 2.0, -3.0])], MixtureEstimator([GammaEstimator()] * 2))
    scores = seq_log_density([delayed([1.0]), delayed([2.0, "x"])], fit([1.0, 2.0, 4.0], GammaEstimator()).model)
    with pytest.raises(DataError, match=r"^partition 1: .*row 1 is 'x'"):
        scores.compute()


def test_an_engine_is_for_other_data(ddf):
    with pytest.raises(ParameterError, match="engine is for other data"):
        fit(ddf, mixture(), engine=object())


def test_what_is_no_data_of_dask():
    assert not any(map(in_parts, ([], [1.0, delayed(1.0)], dask, 1.0, [[delayed(1.0)]])))


def test_worker_processes_give_the_same_bits_and_may_die(frame, ddf):
    """All that needs processes, in one test: they take seconds to start."""
    few = {"start": initialize(frame, mixture(), 1), "max_its": 4, "delta": -1}
    found = fit(ddf, mixture(), **few)
    quiet = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, **quiet) as cluster, distributed.Client(cluster) as client:
        assert fit(ddf, mixture(), **few).history == found.history
        assert len(client.has_what()) == 2
        deadline = time.monotonic() + 10
        while any(client.has_what().values()):  # the chunks go with the fit
            assert time.monotonic() < deadline
            time.sleep(0.02)

        held = []

        def see(step, log_likelihood, model):
            held.append(0 if held else sorted(map(len, client.has_what().values())))

        with dask.annotate(workers=[next(iter(client.has_what()))], allow_other_workers=False):
            assert fit(partitions(frame), mixture(), **few, callback=see).history == found.history
        assert held[0][0] == 0
        assert held[0][1] >= PARTITIONS

        cuts = partitions(frame)
        cuts[3] = delayed(lambda part: part.assign(x="?"))(cuts[3])
        with pytest.raises(DataError, match=r"^partition 3: x: row 0 is '\?'; need a real number$"):
            fit(cuts, mixture())

        killed = []

        def kill(step, log_likelihood, model):
            if step == 2:
                killed.append(next(iter(client.run(os.getpid).values())))
                os.kill(killed[0], signal.SIGKILL)

        last = fit(ddf, mixture(), **few, callback=kill)
        assert killed
        assert last.history == found.history
        assert to_json(last.model) == to_json(found.model)


def test_a_sample_has_the_ends_of_every_column() -> None:
    whole = table(4000)
    found = Partitions(dask.dataframe.from_pandas(whole, npartitions=PARTITIONS)).sample(300)
    assert 200 < len(found) < 400
    assert (found.x.min(), found.x.max(), found.m.min(), found.m.max()) == (whole.x.min(), whole.x.max(), whole.m.min(), whole.m.max())
    assert len(Partitions(dask.dataframe.from_pandas(whole, npartitions=2)).sample(5000)) == 4000
