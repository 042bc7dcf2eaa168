"""DataFrames of Spark, on two executors' threads of this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import Any

import numpy as np
import pytest

from dmlcore import fit, impute
from dmlcore.base.errors import DataError, EmptyError, ParameterError, SupportError
from dmlcore.engines.spark_chunks import SparkRows
from dmlcore.fitting.drivers import seq_log_density_sum
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    GammaEstimator,
    GaussianEstimator,
    MixtureEstimator,
    MultivariateGaussianEstimator,
    OptionalEstimator,
    PoissonEstimator,
    SequenceEstimator,
    TimeEstimator,
)

pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyspark", reason="there is no pyspark: pip install 'dmlcore[spark]'")
if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    pytest.skip(
        "there is no Java, which Spark runs on: install openjdk 17 (apt-get install openjdk-17-jre-headless)", allow_module_level=True
    )

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")  # which it says of new versions

SETTINGS = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "50",  # so that a partition has several
}
MIXED = MixtureEstimator(
    [
        CompositeEstimator(
            {
                "x": GaussianEstimator(),
                "y y": GammaEstimator(),
                "n": PoissonEstimator(),
                "l": CategoricalEstimator(),
                "m": OptionalEstimator(GaussianEstimator(), est_prob=True),
            }
        )
    ]
    * 2
)


FEW_STEPS: dict[str, Any] = {"rng": 1, "starts": 1, "max_its": 6}


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    before = {name: os.environ.get(name) for name in ("PYSPARK_PYTHON", "PYTHONPATH", "SPARK_LOCAL_IP")}
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "SPARK_LOCAL_IP": "127.0.0.1"}
    session = SparkSession.builder.config(conf=SparkConf().setAll(list(SETTINGS.items()))).getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


def table(n: int = 600) -> Any:
    rng = np.random.default_rng(0)
    k = rng.integers(0, 2, n)
    return pa.table(
        {
            "left out": ["text"] * n,
            "l": np.array(list("abcdef"))[rng.integers(0, 3, n) + 3 * (np.arange(n) > n // 2)],  # others in later partitions
            "x": rng.normal(3.0 * k, 1.0),
            "y y": rng.gamma(2.0 + 3.0 * k),
            "n": rng.poisson(1.0 + 4.0 * k).astype(np.int32),
            "m": pa.array(rng.normal(k, 1.0), mask=rng.random(n) < 0.2),
            "w": rng.integers(0, 3, n),
        }
    )


def parted(spark: Any, *tables: Any) -> Any:
    """Tables as a DataFrame with two partitions for each, and two that are empty after those of the first."""
    frames = [spark.createDataFrame(one.combine_chunks()) for one in tables]
    return reduce(type(frames[0]).union, [frames[0], *frames]).where("spark_partition_id() not in (2, 3)")


@pytest.fixture(scope="module")
def frame(spark: Any) -> Any:
    whole = table()
    return parted(spark, whole.slice(0, 250), whole.slice(250))


@pytest.fixture(scope="module")
def found(frame: Any) -> Any:
    return fit(frame, MIXED, **FEW_STEPS)


def test_a_fit_is_that_of_the_rows_in_memory(frame: Any, found: Any) -> None:
    assert [len(rows) for rows in frame.rdd.glom().collect()] == [125, 125, 0, 0, 175, 175]
    whole = fit(table(), MIXED, **FEW_STEPS)
    assert found.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-10)
    assert found.rows == 600
    assert found.model.components[0].layout.names == ("x", "y y", "n", "l", "m")
    assert fit(frame, MIXED, **FEW_STEPS).history == found.history  # to the bit


def test_a_checkpoint_and_weights_go_with_it(frame: Any, tmp_path: Any) -> None:
    options: dict[str, Any] = {"weights": "w", "rng": 1, "starts": 1, "max_its": 2, "checkpoint": tmp_path / "fit.json"}
    short = fit(frame, MIXED, **options)
    again = fit(frame, MIXED, **options | {"max_its": 3})
    assert (again.history[:3], again.iterations) == (short.history, 3)
    weights = table()["w"].to_numpy()
    assert again.rows == weights.sum()
    assert again.log_likelihood == pytest.approx(float(weights @ again.model.seq_log_density(table())), rel=1e-10)


def test_scores_and_posteriors_are_columns_beside(frame: Any, found: Any) -> None:
    model, rows = found.model, frame.toArrow()
    scored = model.seq_log_density(frame)
    assert scored.columns == [*frame.columns, "log_density"]
    np.testing.assert_array_equal(scored.toArrow()["log_density"].to_numpy(), model.seq_log_density(rows))
    posterior = model.seq_posterior(frame)
    assert posterior.schema["posterior"].dataType.simpleString() == "array<double>"
    assert posterior.select("left out").count() == 600
    np.testing.assert_array_equal(posterior.toArrow()["posterior"].to_pylist(), model.seq_posterior(rows))
    count, total = seq_log_density_sum(frame, model)
    assert (count, total) == (600, pytest.approx(found.log_likelihood, rel=1e-10))
    with pytest.raises(DataError, match="has a column 'log_density' already"):
        model.seq_log_density(scored)


def test_imputations_keep_the_schema(frame: Any, found: Any) -> None:
    filled = impute(found.model, frame, how="sample", rng=3)
    assert filled.schema == frame.schema
    one, other, before = filled.toArrow(), filled.toArrow(), frame.toArrow()
    assert one.equals(other)  # drawn with the partition and the batch, whenever it is asked for
    assert one["m"].null_count == 0
    there = before["m"].is_valid().to_numpy()
    np.testing.assert_array_equal(one["m"].to_numpy()[there], before["m"].to_numpy()[there])
    assert len(set(one["m"].to_numpy()[~there])) == (~there).sum()
    means = impute(found.model, frame).toArrow()["m"].to_numpy()
    np.testing.assert_allclose(means[~there], impute(found.model, before).data["m"].to_numpy()[~there], rtol=1e-12)


def test_columns_of_all_kinds_are_read(spark: Any) -> None:
    days = [date(2020, 1, 1 + i % 28) for i in range(60)]
    rows = pa.table(
        {
            "decimal": pa.array([Decimal(i) / 4 for i in range(60)], pa.decimal128(10, 2)),
            "day": days,
            "list": [[float(i % 7)] * (i % 4) for i in range(60)],
            "truth": [i % 3 == 0 for i in range(60)],
        }
    )
    estimator = CompositeEstimator(
        {
            "truth": CategoricalEstimator(),
            "list": SequenceEstimator(GaussianEstimator(), PoissonEstimator()),
            "decimal": GaussianEstimator(),
            "day": TimeEstimator(GaussianEstimator()),
        }
    )
    record = fit(spark.createDataFrame(rows), estimator)
    assert record.log_likelihood == pytest.approx(fit(rows, estimator).log_likelihood, rel=1e-10)


def test_vectors_of_columns_and_single_columns(frame: Any) -> None:
    for names, estimator in ((["x", "y y"], MultivariateGaussianEstimator(2)), (["x"], GaussianEstimator())):
        record = fit(frame.select(*(f"`{name}`" for name in names)), estimator)
        assert record.log_likelihood == pytest.approx(fit(table().select(names), estimator).log_likelihood, rel=1e-10)


def spoilt(name: str, row: int, value: Any) -> Any:
    whole = table()
    values = whole[name].to_pylist()
    values[row] = value
    return whole.set_column(whole.column_names.index(name), name, pa.array(values))


@pytest.mark.parametrize(
    ("name", "value", "weights", "kind", "said"),
    [
        ("x", None, None, DataError, "partition 4: x: row 7 is nan; need"),
        ("w", -1, "w", DataError, "partition 4: weights: row 7 is -1.0; need finite numbers"),
        ("y y", -1.0, None, SupportError, "partition 4: row 7 has density zero under every choice"),
    ],
)
def test_bad_rows_are_named_with_their_partition(spark: Any, name: str, value: Any, weights: Any, kind: Any, said: str) -> None:
    bad = spoilt(name, 307, value)
    with pytest.raises(kind, match=said) as raised:
        fit(parted(spark, bad.slice(0, 300), bad.slice(300)), MIXED, weights=weights, rng=1, starts=1)
    assert "\n" not in str(raised.value)


def test_what_cannot_be_fitted_is_refused_at_once(spark: Any, frame: Any) -> None:
    with pytest.raises(DataError, match="the DataFrame has no column 'x'; its columns are"):
        fit(frame.drop("x"), MIXED)
    with pytest.raises(DataError, match="the DataFrame has no column 'weight'"):
        fit(frame, MIXED, weights="weight")
    with pytest.raises(ParameterError, match="name of their column"):
        fit(frame, MIXED, weights=[1.0] * 600)
    with pytest.raises(ParameterError, match="engine is for other data"):
        fit(frame, MIXED, engine=object())
    with pytest.raises(EmptyError, match="there are no rows"):
        fit(frame.limit(0), MIXED)
    spans = spark.sql("select make_interval(0, 1, 0, 1, 0, 0, 0) as span, 1.0D as x")
    with pytest.raises(DataError, match="column 'span': values of Spark's type 'interval' cannot be read"):
        fit(spans, CompositeEstimator({"x": GaussianEstimator(), "span": CategoricalEstimator()}))
    twice = frame.select("x", "x")
    with pytest.raises(DataError, match="'x'"):
        fit(twice, MIXED)


def test_chunks_are_let_go_with_the_fit(spark: Any, frame: Any) -> None:
    def kept() -> set[int]:
        return set(spark.sparkContext._jsc.getPersistentRDDs())

    before = kept()
    chunks = SparkRows(frame.select("x")).chunks(GaussianEstimator().layout)
    assert len(kept() - before) == 1
    del chunks
    assert kept() == before


def test_a_sample_has_the_ends_of_every_column(spark: Any) -> None:
    whole = table(2000)
    found = SparkRows(spark.createDataFrame(whole)).sample(400)
    assert 280 < found.num_rows < 520
    for name in ("x", "y y", "n"):
        values = whole[name].to_numpy()
        assert (found[name].to_numpy().min(), found[name].to_numpy().max()) == (values.min(), values.max())
