"""Records whose fields have names: frames by name in any order, mappings, tuples; names in draws, messages, trees, errors and JSON."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dmlcore
from dmlcore import condition, fit, from_json, impute, marginal, missing_at_random, standard_errors, synthesise, to_json
from dmlcore.base.errors import DataError, ParameterError, StructureError
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureEstimator,
    OptionalEstimator,
    PoissonDistribution,
    PoissonEstimator,
    SequenceEstimator,
    seq_encode,
)

pytestmark = pytest.mark.usefixtures("short_searches")

LAW = CompositeDistribution(
    {"age": GaussianDistribution(40.0, 25.0), "visits": PoissonDistribution(3.0), "city": CategoricalDistribution({"A": 0.3, "B": 0.7})}
)
ROWS = LAW.sample(200, rng=1)
FRAME = pd.DataFrame(ROWS)
NAMED = CompositeEstimator({"age": GaussianEstimator(), "visits": PoissonEstimator(), "city": CategoricalEstimator()})
PLAIN = CompositeEstimator((GaussianEstimator(), PoissonEstimator(), CategoricalEstimator()))
TUPLES = [tuple(row.values()) for row in ROWS]
FRAMES: dict[str, Any] = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
}


@pytest.mark.parametrize("library", FRAMES)
def test_frames_are_read_by_name_in_any_order_and_with_more_columns(library: str) -> None:
    expected = LAW.seq_log_density(TUPLES)
    for columns in (["age", "visits", "city"], ["city", "age", "visits"]):
        frame = FRAMES[library](FRAME[columns].assign(note="x"))
        np.testing.assert_array_equal(LAW.seq_log_density(frame), expected)
    with pytest.raises(DataError, match=r"the frame has no column 'visits'; its columns are \['age', 'city'\]"):
        LAW.seq_log_density(FRAMES[library](FRAME[["age", "city"]]))


def test_mappings_and_tuples_are_the_same_rows() -> None:
    expected = LAW.seq_log_density(TUPLES)
    np.testing.assert_array_equal(LAW.seq_log_density(ROWS), expected)
    np.testing.assert_array_equal(LAW.seq_log_density([{"more": 1, **row} for row in ROWS]), expected)
    np.testing.assert_array_equal(LAW.seq_log_density([ROWS[0], TUPLES[1]]), expected[:2])
    assert LAW.log_density(ROWS[0]) == expected[0]
    assert fit(ROWS, NAMED).model == fit(TUPLES, NAMED).model == fit(FRAME, NAMED).model


def test_a_positional_record_learns_its_names_from_a_frame() -> None:
    two = MixtureEstimator([PLAIN] * 2)
    model = fit(FRAME, two, rng=0, starts=2).model
    assert [law.field_names for law in model.components] == [("age", "visits", "city")] * 2
    back = FRAME[["city", "visits", "age"]]
    np.testing.assert_array_equal(model.seq_log_density(back), model.seq_log_density(FRAME))
    assert fit(seq_encode(FRAME, estimator=two), two, rng=0, starts=2).model == model
    assert fit(TUPLES, two, rng=0, starts=2).model.components[0].field_names is None
    numbered = FRAME.set_axis([0, 1, 2], axis=1)
    assert fit(numbered, two, rng=0, starts=2).model.components[0].field_names is None  # numbers are places
    with pytest.raises(StructureError, match="encode them again"):
        LAW.seq_log_density(seq_encode(back, estimator=CompositeEstimator(PLAIN.estimators[::-1])))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"age": "x", "visits": 1, "city": "A"}, "age: row 1 is 'x'; need a real number"),
        ({"age": 1.0, "city": "A"}, "visits: row 1 is None; need whole numbers"),
        ({"age": 1.0, "visits": 2}, "city: row 1 is None; need a label"),
        ((1.0, 2), r"row 1 is \(1.0, 2\); need a mapping with the keys age, visits, city, or a tuple of 3 entries"),
    ],
)
def test_messages_call_fields_by_their_names(row: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        LAW.seq_log_density([ROWS[0], row])


def test_names_stay_where_components_are_removed() -> None:
    found = fit(FRAME, MixtureEstimator([PLAIN] * 4), rng=0, min_share=0.3)
    assert found.removed >= 1
    assert all(law.field_names == ("age", "visits", "city") for law in found.model.components)


def test_the_estimator_of_a_record_reads_frames_as_its_model_does() -> None:
    found = fit(FRAME, MixtureEstimator([PLAIN] * 2), rng=0)
    assert found.estimator.layout.names == ("age", "visits", "city")
    one, other = (
        standard_errors(found.model, frame, estimator=found.estimator).rows() for frame in (FRAME, FRAME[["city", "visits", "age"]])
    )
    assert repr(one) == repr(other)  # some errors are NaN


def test_mappings_need_names() -> None:
    with pytest.raises(DataError, match="to read mappings, name the fields"):
        fit(ROWS, PLAIN)


def test_names_must_be_different_texts() -> None:
    for names in (("a", "a", "b"), ("a", "b"), (1, 2, 3)):
        with pytest.raises(ParameterError, match="field_names must be 3 different texts"):
            CompositeDistribution(LAW.dists, field_names=names)  # type: ignore[arg-type]


def test_what_is_missing_from_a_mapping_is_missing() -> None:
    rows = [{"age": None, "visits": 3}, {"visits": 2, "age": 3.0}, {"age": 5.0}, *[{"age": float(i), "visits": i} for i in range(9)]]
    model = fit(
        rows, CompositeEstimator({"age": OptionalEstimator(GaussianEstimator()), "visits": OptionalEstimator(PoissonEstimator())})
    ).model
    assert model.dists[1].dist.lam == pytest.approx((3 + 2 + sum(range(9))) / 11)
    filled = impute(model, rows).data
    assert filled[0]["visits"] == 3
    assert filled[0]["age"] == pytest.approx(model.dists[0].dist.mu)
    assert filled[2] == {"age": 5.0, "visits": model.dists[1].dist.lam}
    assert rows[2] == {"age": 5.0}


def test_names_travel() -> None:
    assert LAW.sample(3, rng=0)[0].keys() == {"age", "visits", "city"}
    assert CompositeDistribution({"a": GaussianDistribution(1.0, 2.0)}).mean() == {"a": 1.0}
    assert isinstance(condition(LAW, {"age": 41.0, "city": "A"}), PoissonDistribution)
    assert condition(LAW, {"age": 41.0}).field_names == ("visits", "city")  # type: ignore[attr-defined]
    assert marginal(LAW, ["age", "city"]).field_names == ("age", "city")  # type: ignore[attr-defined]
    mixture = fit(FRAME, MixtureEstimator([NAMED] * 2), rng=0).model
    assert condition(mixture, {"age": 41.0}).sample(1, rng=0)[0].keys() == {"visits", "city"}
    drawn = synthesise(LAW, 5, rng=0, like=FRAME[["city", "age", "visits"]], given={"city": "A"})
    assert set(drawn["city"]) == {"A"}
    assert synthesise(LAW, 2, rng=0, given={"city": "A"})[0]["city"] == "A"
    assert {row["parameter"] for row in standard_errors(fit(FRAME, NAMED).model, FRAME).rows()} >= {"age.mu", "visits.lam"}
    assert "├─ age  gaussian" in LAW.summary()
    assert "field" not in LAW.summary()
    for again in (from_json(to_json(LAW)), pickle.loads(pickle.dumps(LAW)), copy.deepcopy(LAW), eval(repr(LAW))):
        assert again == LAW
        assert again.field_names == LAW.field_names
    assert LAW.estimator().field_names == LAW.field_names


def test_records_in_records_and_lists() -> None:
    rows = [{"who": {"age": 20.0 + i, "city": "AB"[i % 2]}, "seen": [{"x": float(i)}, {"x": 1.0}][: i % 3]} for i in range(60)]
    inner = CompositeEstimator({"age": GaussianEstimator(), "city": CategoricalEstimator()})
    seen = SequenceEstimator(CompositeEstimator({"x": GaussianEstimator()}), PoissonEstimator())
    model = fit(rows, CompositeEstimator({"who": inner, "seen": seen})).model
    assert model.dists[0].dists[0].mu == pytest.approx(np.mean([row["who"]["age"] for row in rows]))
    drawn = model.sample(5, rng=0)
    assert drawn[0]["who"].keys() == {"age", "city"}
    assert np.isfinite(model.seq_log_density(drawn)).all()
    with pytest.raises(DataError, match=r"who\.age: row 3 is 'x'"):
        model.seq_log_density([*rows[:3], {"who": {"age": "x", "city": "A"}, "seen": []}])


def test_gaps_of_a_frame_are_filled_whatever_the_order_of_its_columns() -> None:
    gaps = FRAME.copy()
    gaps.loc[3, "age"] = np.nan
    gaps.loc[5, "city"] = None
    found = fit(gaps, missing_at_random(MixtureEstimator([PLAIN] * 2)), rng=0)
    one, other = (impute(found, gaps[order].assign(more=1)).data for order in (["age", "visits", "city"], ["city", "age", "visits"]))
    pd.testing.assert_frame_equal(one[other.columns], other)
    assert not other.isna().any(axis=None)


def test_pictures_take_names() -> None:
    pytest.importorskip("matplotlib")
    from dmlcore import plot

    ax = plot.density(LAW, FRAME[["city", "age", "visits"]], field="age")
    assert ax.get_xlabel() == "age"
    assert dmlcore.plot is plot
