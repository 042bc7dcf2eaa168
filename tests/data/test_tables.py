"""Every kind of table says the same: masks, gaps, dtypes, long whole numbers, names, index and order (laws 33 and 35)."""

from __future__ import annotations

import datetime
import io
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest

from dmlcore import compare, fit, from_json, impute, pool, synthesise, to_json
from dmlcore.base.errors import DataError, DmlcoreError, LibraryError, SupportError
from dmlcore.base.extras import library
from dmlcore.base.labels import plain
from dmlcore.data.encoded import observation
from dmlcore.data.frames import Columns, is_frame, plain_column
from dmlcore.data.values import is_missing
from dmlcore.inference.pooling import mean_of_column
from dmlcore.regression import MixtureRegression, select_components
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureDistribution,
    MultivariateGaussianDistribution,
    MultivariateGaussianEstimator,
    OptionalDistribution,
    OptionalEstimator,
    PartialGaussianEstimator,
    PoissonDistribution,
    PoissonEstimator,
    SequenceEstimator,
)

pytestmark = pytest.mark.usefixtures("short_searches")

pa = pytest.importorskip("pyarrow")

C, N, Tuple = CategoricalDistribution, GaussianDistribution, CompositeDistribution
LONG = 2**60 + 1
NAMES = ["id", "size", "kind", "flag", "count"]
ROWS: list[Any] = [
    (LONG, 1.5, "u", True, 3),
    (LONG + 2, 0.1 + 0.2, "v", False, 2**60 + 3),
    (None, None, None, None, None),
    (LONG, -0.1, None, True, 5),
    (LONG, None, "u", True, None),
]
RECORD = Tuple(
    (C({LONG: 0.6, LONG + 2: 0.4}), N(1.2, 2.0), C({"u": 0.5, "v": 0.2, "w": 0.3}), C({True: 0.7, False: 0.3}), PoissonDistribution(3.6))
)
LAW = MixtureDistribution([RECORD] * 2, [0.5, 0.5])
COLUMNS = dict(zip(NAMES, map(list, zip(*ROWS, strict=True)), strict=True))
LABELS = ["w", "v", "u"]


def by_pandas() -> Any:
    dtypes: Any = {"id": "Int64", "size": "float64", "kind": object, "flag": "boolean", "count": "Int64"}
    return pd.DataFrame({name: pd.Series(values, dtype=dtypes[name]) for name, values in COLUMNS.items()})


KINDS: dict[str, Callable[[], Any]] = {
    "tuples": lambda: list(ROWS),
    "lists": lambda: list(map(list, ROWS)),
    "array of objects": lambda: np.array(ROWS, dtype=object),
    "masked array": lambda: np.ma.masked_array(
        [[7 if v is None else v for v in row] for row in ROWS], mask=[[v is None for v in row] for row in ROWS], dtype=object
    ),
    "pandas": by_pandas,
    "pandas, objects": lambda: pd.DataFrame(ROWS, columns=NAMES, dtype=object),
    "pandas, string": lambda: by_pandas().astype({"kind": "string"}),
    "pandas, str": lambda: by_pandas().astype({"kind": "str"}),
    "pandas, Arrow": lambda: by_pandas().convert_dtypes(dtype_backend="pyarrow"),
    "pandas, categories": lambda: by_pandas().astype({"id": "category", "kind": pd.CategoricalDtype(LABELS)}),
    "pandas, any index": lambda: by_pandas().set_axis([9, 7, 7, 3, 1]),
    "polars": lambda: pl.DataFrame(COLUMNS),
    "polars, Enum": lambda: pl.DataFrame(COLUMNS, schema_overrides={"kind": pl.Enum(LABELS)}),
    "polars, Categorical": lambda: pl.DataFrame(COLUMNS, schema_overrides={"kind": pl.Categorical}),
    "Arrow": lambda: pa.table(COLUMNS),
    "Arrow, batch": lambda: pa.RecordBatch.from_pydict(COLUMNS),
    "Arrow, dictionary": lambda: pa.table({**COLUMNS, "kind": pa.array(COLUMNS["kind"]).dictionary_encode()}),
    "Arrow, chunks": lambda: pa.concat_tables([pa.table(COLUMNS).slice(0, 2), pa.table(COLUMNS).slice(2)]),
}
EVERY = pytest.mark.parametrize("kind", KINDS)
FRAMES = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith(("pandas", "polars", "Arrow"))])


def listed(table: Any) -> list[list[Any]]:
    """The rows of any table as plain values."""
    return [list(row) for row in (Columns(table).rows() if is_frame(table) else table)]


def schema(table: Any) -> Any:
    return table.dtypes.tolist() if isinstance(table, pd.DataFrame) else table.schema if is_frame(table) else None


def exactly(value: Any) -> Any:
    value = plain(value)
    return type(value), value.hex() if isinstance(value, float) else value


@EVERY
def test_gaps_and_long_whole_numbers_are_read_alike(kind: str) -> None:
    optional = CompositeEstimator([OptionalEstimator(e) for e in (CategoricalEstimator(), GaussianEstimator(), CategoricalEstimator())])
    estimator = CompositeEstimator(
        [*optional.estimators, OptionalEstimator(CategoricalEstimator()), OptionalEstimator(CategoricalEstimator())]
    )
    model = fit(KINDS[kind](), estimator).model
    assert model.dists == fit(ROWS, estimator).model.dists
    assert list(map(exactly, model.dists[0].dist.pmap)) == [(int, LONG), (int, LONG + 2)]
    assert list(map(exactly, model.dists[4].dist.pmap)) == [(int, 3), (int, 5), (int, 2**60 + 3)]


@EVERY
@pytest.mark.parametrize("how", ["mean", "mode", "median", "sample"])
def test_imputing_changes_no_cell_that_is_there(kind: str, how: str) -> None:
    table = KINDS[kind]()
    before, types = listed(KINDS[kind]()), schema(table)
    out = impute(LAW, table, how=how, rng=1).data
    assert schema(out) == types
    assert type(out) is type(table)
    for row, old in zip(listed(out), ROWS, strict=True):
        for new, cell in zip(row, old, strict=True):
            assert exactly(new) == exactly(cell) if cell is not None else new is not None
    assert [row[0] for row in listed(out)][2] in (LONG, LONG + 2)
    assert repr(listed(table)) == repr(before)
    if isinstance(table, pd.DataFrame):
        assert out.index.equals(table.index)
    if is_frame(table) and kind != "pandas, objects":
        assert isinstance(listed(out)[2][4], int)


@FRAMES
def test_synthetic_frames_and_comparisons_of_every_kind(kind: str) -> None:
    frame = KINDS[kind]()
    out = synthesise(LAW, 40, rng=0, like=frame)
    assert type(out) is type(frame)
    if kind != "pandas, any index":
        assert schema(out) == schema(frame)
    assert {row[0] for row in listed(out)} <= {LONG, LONG + 2, None}
    report = compare(frame, out, classify=False)
    assert [m.name for m in report.marginals] == NAMES
    assert report.marginals[0].missing[0] == 0.2


@EVERY
def test_one_row_is_read_alone(kind: str) -> None:
    table, layout = KINDS[kind](), Tuple([OptionalDistribution(d, 0.5) for d in RECORD.dists]).layout
    for i, row in enumerate(ROWS):
        assert [None if is_missing(v) else exactly(v) for v in observation(table, layout, i)] == [
            v if v is None else exactly(v) for v in row
        ]


def test_laws_in_the_place_of_cells_leave_the_others() -> None:
    for kind in ("pandas", "polars", "lists"):
        rows = listed(impute(LAW, KINDS[kind](), how="distribution").data)
        assert exactly(rows[1][0]) == (int, LONG + 2)
        assert rows[2][1].mean() == pytest.approx(1.2)
    with pytest.raises(DataError, match="columns of pyarrow hold no laws"):
        impute(LAW, KINDS["Arrow"](), how="distribution")


def test_rows_keep_their_kind() -> None:
    class Bird(NamedTuple):
        kind: str | None
        size: float | None

    birds: list[Any] = [Bird("u", 1.0), Bird(None, 2.0), ["v", None], None]
    law = Tuple((C({"u": 0.6, "v": 0.4}), N(0.5, 1.0)))
    out = impute(law, birds).data
    assert out == [Bird("u", 1.0), Bird("u", 2.0), ["v", 0.5], Bird("u", 0.5)]
    assert [type(row) for row in out] == [Bird, Bird, list, Bird]
    assert out[0] is birds[0]
    assert impute(Tuple((law, N(0.0, 1.0))), [(birds[1], 1.0), (["v", 3.0], None)]).data == [(Bird("u", 2.0), 1.0), (["v", 3.0], 0.0)]


# -- one column --------------------------------------------------------------------------------------------------------

SINGLE: list[Callable[[list[Any]], Any]] = [
    list,
    lambda x: np.array(x, dtype=object),
    pd.Series,
    lambda x: pd.DataFrame({"a": x}),
    lambda x: pl.Series("a", x),
    lambda x: pl.DataFrame({"a": x}),
    pa.array,
    lambda x: pa.chunked_array([x]),
    lambda x: pa.table({"a": x}),
]


@pytest.mark.parametrize("make", SINGLE)
def test_a_frame_of_one_column_holds_single_values(make: Any) -> None:
    assert fit(make(["u", "v", "u"]), CategoricalEstimator()).model == C({"u": 2 / 3, "v": 1 / 3})
    assert fit(make([[1.0], [2.0, 3.0]]), SequenceEstimator(GaussianEstimator())).model.dist == N(2.0, 2 / 3)
    np.testing.assert_array_equal(C({"u": 0.25, "v": 0.75}).seq_log_density(make(["u", "v"])), np.log([0.25, 0.75]))


@pytest.mark.parametrize("make", SINGLE)
def test_a_single_column_is_imputed_in_its_place(make: Any) -> None:
    given = make([LONG, None, 4])
    out = impute(PoissonDistribution(2.6), given).data
    values = list(plain_column(out)) if not is_frame(out) else Columns(out).columns[0]
    assert type(out) is type(given)
    assert exactly(values[0]) == (int, LONG) or isinstance(
        given, (pd.Series, pd.DataFrame)
    )  # which took floats for whole numbers with gaps
    assert values[1] == pytest.approx(3.0, abs=0.5)
    if isinstance(given, pd.Series):
        assert out.index.equals(given.index)


DURATIONS = [datetime.timedelta(seconds=s) for s in (1, 2, 4)]
MOMENTS = [datetime.datetime(2020, 1, day) for day in (1, 2, 4)]
TIMES: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "numpy": lambda x: np.array(x, "m8[ns]" if x is DURATIONS else "M8[ns]"),
    "scalars": lambda x: list(np.array(x, "m8[ns]" if x is DURATIONS else "M8[ns]")),
    "times of pandas": lambda x: list(pd.Series(x)),
    "series": pd.Series,
    "polars": lambda x: pl.DataFrame({"a": x}),
    "Arrow": lambda x: pa.table({"a": x}),
}


@pytest.mark.parametrize("make", TIMES.values(), ids=TIMES)
def test_durations_and_times_have_no_unit_here(make: Any) -> None:
    for estimator, need in ((GaussianEstimator(), "a real number"), (PoissonEstimator(), "whole numbers")):
        for values in (DURATIONS, MOMENTS):
            with pytest.raises(DataError, match=rf"row 0 is .*; need {need}.* \(.* read by TimeEstimator\(GaussianEstimator\(\)\)\)"):
                fit(make(values), estimator)


@pytest.mark.parametrize("make", TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("values", [DURATIONS, MOMENTS], ids=["durations", "times"])
def test_durations_and_times_are_labels_that_can_be_saved(make: Any, values: Any) -> None:
    model = fit(make(values), CategoricalEstimator()).model
    assert list(model.pmap) == values
    assert from_json(to_json(model)) == model


def test_times_with_zones_can_be_saved() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=1))
    moments = [moment.replace(tzinfo=zone) for moment in MOMENTS]
    for data in (moments, pd.Series(moments), pd.DataFrame({"a": moments}), list(pd.Series(moments)), pa.array(moments)):
        model = fit(data, CategoricalEstimator()).model
        assert list(from_json(to_json(model)).pmap) == moments


def test_times_that_python_does_not_hold_are_no_labels() -> None:
    fine = np.array([1, 2], "M8[ns]")
    for data in (fine, list(fine), pd.Series(fine), list(pd.Series(fine)), pl.Series(fine), pa.array(fine), fine - fine[0]):
        with pytest.raises(DataError, match=r"row [01] is .*; need times and durations of whole microseconds"):
            fit(data, CategoricalEstimator())


PRICES = [Decimal("1.25"), Decimal("2.50"), None, Decimal("3.75")]


@pytest.mark.parametrize("make", SINGLE)
def test_decimals_are_numbers(make: Any) -> None:
    assert fit(make(PRICES), OptionalEstimator(GaussianEstimator())).model.dist == N(2.5, 25 / 24)
    out = impute(N(2.123456, 1.0), make(PRICES)).data
    values = Columns(out).columns[0] if is_frame(out) else plain_column(out)
    assert [values[i] for i in (0, 1, 3)] == [PRICES[i] for i in (0, 1, 3)]
    assert values[2] == (2.123456 if isinstance(out, (list, np.ndarray)) else Decimal("2.12")) or values[2] == Decimal("2.12")


# -- masks -------------------------------------------------------------------------------------------------------------


def masked(values: Any, hidden: Any, **how: Any) -> Any:
    return np.ma.masked_array(values, mask=hidden, **how)


@pytest.mark.parametrize("hard", [False, True])
def test_masked_cells_are_filled(hard: bool) -> None:
    pair = MultivariateGaussianDistribution(np.array([0.0, 1.0]), np.eye(2))
    out = impute(pair, masked([[1.0, 2.0], [3.0, 1e6]], [[0, 0], [0, 1]], hard_mask=hard)).data
    assert out.tolist() == [[1.0, 2.0], [3.0, 1.0]]
    assert impute(N(2.0, 1.0), masked([1.0, 1e6], [0, 1], hard_mask=hard)).data.tolist() == [1.0, 2.0]
    assert impute(PoissonDistribution(2.6), masked([LONG, 7], [0, 1])).data.tolist() == [LONG, 3]
    assert impute(C({"u": 0.2, "wide": 0.8}), masked(["u", "z"], [0, 1])).data.tolist() == ["u", "wide"]


def test_masks_are_missing_in_every_part_of_a_regression() -> None:
    rng = np.random.default_rng(0)
    X, y, hide = rng.normal(size=(30, 2)), rng.normal(size=30), np.arange(30) == 4
    both = np.repeat(hide[:, None], 2, axis=1)
    cases: list[tuple[str, tuple[Any, Any], dict[str, Any]]] = [
        ("x0", (masked(X, both), y), {}),
        ("x0", (masked((9 * X).astype(int), both), y), {}),
        ("y", (X, masked(y, hide)), {}),
        ("y0", (X, masked(np.c_[y, y], both)), {}),
        ("z", (X, y), {"gate": masked(y, hide)}),
        ("start", (X, y), {"start": masked(hide.astype(int), hide)}),
    ]
    cases += [(role, (X, y), {role: masked(np.ones(30), hide)}) for role in ("sample_weight", "offset", "groups", "fixed")]
    for name, (covariates, responses), more in cases:
        with pytest.raises(DataError, match=rf"column '{name}\d?': row 4 is (nan|None)"):
            MixtureRegression(2).fit(covariates, responses, **more)
    open_mask = MixtureRegression(1, starts=1).fit(masked(X, False), masked(y, False))
    np.testing.assert_allclose(open_mask.coef_, MixtureRegression(1, starts=1).fit(X, y).coef_, rtol=1e-9)


def test_masked_weights_are_refused() -> None:
    for weights in (masked([1.0, 5.0, 1.0], [0, 1, 0]), masked([1, 5, 1], [0, 1, 0]), pl.Series([1, None, 1]), pa.array([1, None, 1])):
        with pytest.raises(DataError, match="weights: row 1 is nan; need finite numbers >= 0"):
            fit([1.0, 2.0, 4.0], GaussianEstimator(), weights=weights)


# -- names, order, index -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "twice",
    [pd.DataFrame([[1.0, 2.0], [3.0, np.nan]], columns=["a", "a"]), pa.table([[1.0, 3.0], [2.0, None]], names=["a", "a"])],
    ids=["pandas", "Arrow"],
)
def test_columns_that_share_a_name_are_refused(twice: Any) -> None:
    pair = MultivariateGaussianDistribution(np.zeros(2), np.eye(2))
    calls: list[Callable[[], Any]] = [
        lambda: fit(twice, CompositeEstimator([GaussianEstimator()] * 2)),
        lambda: fit(twice, MultivariateGaussianEstimator()),
        lambda: fit(twice, CategoricalEstimator()),
        lambda: pair.seq_log_density(twice),
        lambda: impute(pair, twice),
        lambda: impute(N(0.0, 1.0), twice, columns=["a"]),
        lambda: synthesise(pair, 3, rng=0, like=twice),
        lambda: compare(twice, twice, classify=False),
        lambda: MixtureRegression(1).fit(twice, [1.0, 2.0]),
        lambda: MixtureRegression(1).fit([[1.0], [2.0]], twice),
    ]
    for call in calls:
        with pytest.raises(DataError, match="column 'a' is there 2 times"):
            call()


def regression_data() -> Any:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x1": rng.normal(size=40), "x2": rng.normal(size=40), "h": rng.uniform(1, 2, size=40)})
    return frame.assign(y=frame["x1"] - 2 * frame["x2"] + 0.1 * rng.normal(size=40))


@pytest.mark.parametrize("make", [lambda d: d, lambda d: d.set_axis(range(5, 45)), pl.from_pandas, pa.Table.from_pandas])
def test_later_frames_are_read_by_name(make: Any) -> None:
    data = regression_data()
    plain_model = MixtureRegression(1, starts=1).fit(data[["x1", "x2"]].to_numpy(), data["y"].to_numpy())
    model = MixtureRegression(1, starts=1).fit(make(data[["x1", "x2", "y"]]), "y")
    np.testing.assert_allclose(model.coef_, plain_model.coef_, rtol=1e-12)
    shuffled = make(data[["y", "x2", "h", "x1"]])
    np.testing.assert_allclose(model.predict(shuffled), plain_model.predict(data[["x1", "x2"]].to_numpy()), rtol=1e-12)
    with pytest.raises(DataError, match="there is no column 'x2'"):
        model.predict(make(data[["x1", "y"]]))


def test_rows_in_another_order_are_refused() -> None:
    data = regression_data()
    X, other = data[["x1", "x2"]], data.sample(frac=1.0, random_state=1)
    for role in ("sample_weight", "offset", "trials", "groups", "gate", "fixed", "start"):
        with pytest.raises(DataError, match=f"{role}: row 0 has the index label .* rows are paired by position"):
            MixtureRegression(2).fit(X, data["y"], **{role: other["h"]})
    for call in (
        lambda: MixtureRegression(1).fit(X, other["y"]),
        lambda: MixtureRegression(1).fit(X, other[["y", "h"]]),
        lambda: MixtureRegression(1).fit(X["x1"], other["y"]),
        lambda: select_components(X, other["y"]),
        lambda: MixtureRegression.from_formula("y ~ x1", data, 1, offset=other["h"]),
        lambda: MixtureRegression(1, starts=1).fit(X, data["y"]).score(X, other["y"]),
    ):
        with pytest.raises(DataError, match=r"(y|offset): row 0 has the index label"):
            call()
    with pytest.raises(DataError, match="weights: row 0 has the index label"):
        fit(X, CompositeEstimator([GaussianEstimator()] * 2), weights=other["h"])


def test_rows_that_belong_together_by_position_are_taken() -> None:
    data = regression_data()
    X, expected = data[["x1", "x2"]], MixtureRegression(1, starts=1).fit(data[["x1", "x2"]].to_numpy(), data["y"].to_numpy()).coef_
    order = data.sample(frac=1.0, random_state=1)
    for covariates, y in (
        (X.set_axis(range(100, 140)), data["y"]),
        (X, data["y"].set_axis(range(100, 140))),
        (X, data["y"].to_numpy()),
        (X, data["y"].tolist()),
        (order[["x1", "x2"]], order["y"]),
    ):
        np.testing.assert_allclose(MixtureRegression(1, starts=1).fit(covariates, y).coef_, expected, rtol=1e-9)
    by_formula = MixtureRegression.from_formula("y ~ x1 + x2", order, 1, offset=order["h"], starts=1)
    assert by_formula.predict(order[:3], offset=order["h"][:3]).shape == (3,)


# -- empty columns, labels that do not fit -----------------------------------------------------------------------------

PAIR = Tuple((C({"x": 0.7, "y": 0.3}), N(0.0, 1.0)))


@pytest.mark.parametrize(
    "empty",
    [
        pd.DataFrame({"a": [np.nan, np.nan], "b": [1.0, 2.0]}),
        pd.DataFrame({"a": pd.Series([None, None], dtype=object), "b": [1.0, 2.0]}),
        pd.DataFrame({"a": pd.array([None, None], dtype="Int64"), "b": [1.0, 2.0]}),
        pd.DataFrame({"a": pd.Series([pd.NaT, pd.NaT]), "b": [1.0, 2.0]}),
        pd.DataFrame({"a": pd.Series([None, None], dtype=pd.ArrowDtype(pa.null())), "b": [1.0, 2.0]}),
        pl.DataFrame({"a": [None, None], "b": [1.0, 2.0]}),
        pl.DataFrame({"a": [None, None], "b": [1.0, 2.0]}, schema_overrides={"a": pl.Float64}),
        pa.table({"a": [None, None], "b": [1.0, 2.0]}),
        np.array([[None, 1.0], [None, 2.0]], dtype=object),
        [(None, 1.0), (None, 2.0)],
    ],
    ids=lambda data: type(data).__module__,
)
def test_empty_columns_are_filled(empty: Any) -> None:
    assert listed(impute(PAIR, empty).data) == [["x", 1.0], ["x", 2.0]]


def test_empty_columns_of_numbers_and_of_arrays() -> None:
    assert listed(impute(PAIR, pl.DataFrame({"a": ["x", "y"], "b": [None, None]})).data) == [["x", 0.0], ["y", 0.0]]
    assert impute(C({"x": 1.0}), np.array([np.nan, np.nan])).data.tolist() == ["x", "x"]
    assert synthesise(PAIR, 3, rng=0, like=pl.DataFrame({"a": [None, None], "b": [1.0, 2.0]}))["a"].null_count() == 3


def test_labels_that_a_column_cannot_hold() -> None:
    enum = pl.DataFrame({"a": [None, "y"], "b": [1.0, 2.0]}, schema_overrides={"a": pl.Enum(["y"])})
    with pytest.raises(DataError, match="column 'a': row 0 would be 'x', which is not among the categories of the column"):
        impute(PAIR, enum)
    with pytest.raises(DataError, match=r"column 'a': row . would be 'x', which is not among the categories of the column"):
        synthesise(PAIR, 9, rng=0, like=enum)
    numbers = C({"x": 0.9, 1: 0.1})
    for given in (pd.Series([1, None], dtype="Int64"), pl.DataFrame({"a": [1, None]}), pa.table({"a": [1, None]})):
        with pytest.raises(DataError, match=r"row 1 would be 'x', which a column of .* cannot hold"):
            impute(numbers, given)


def test_an_unseen_label_matters_in_rows_with_gaps_only() -> None:
    assert impute(PAIR, [("new", 1.0), ("x", None)]).data == [("new", 1.0), ("x", 0.0)]
    with pytest.raises(SupportError, match="column 'field 0': row 0 is 'new', a label that has probability zero"):
        impute(PAIR, [("new", None), ("x", None)])


def test_pooling_reads_frames_of_every_library() -> None:
    for kind in ("pandas", "polars", "Arrow", "Arrow, batch"):
        copies = impute(LAW, KINDS[kind](), draws=2, rng=0).copies
        assert np.isfinite(pool(copies, lambda rows: mean_of_column(rows, "size")).estimate)


def test_vectors_from_frames() -> None:
    for frame in (pd.DataFrame, pl.DataFrame, pa.table):
        whole = frame({"a": [1.0, 2.0, 4.0], "b": [2, 5, 3]})
        gaps = frame(
            {"a": [1.0, 2.0, 4.0, 3.0], "b": pd.array([2, None, 3, 4], dtype="Int64") if frame is pd.DataFrame else [2, None, 3, 4]}
        )
        assert fit(whole, MultivariateGaussianEstimator()).model.mu.tolist() == pytest.approx([7 / 3, 10 / 3])
        assert fit(gaps, PartialGaussianEstimator()).model.mu[0] == pytest.approx(2.5)
        with pytest.raises(DmlcoreError, match="row 1 is"):
            fit(gaps, MultivariateGaussianEstimator())


def test_a_message_about_one_row_reads_the_frame_once() -> None:
    class Counted(pd.DataFrame):
        reads = 0

        @property
        def iloc(self) -> Any:
            Counted.reads += 1
            return super().iloc

    frame = Counted({"a": np.ones(200), "b": np.arange(200.0)})
    with pytest.raises(DmlcoreError, match="all values equal"):
        fit(frame, CompositeEstimator([GaussianEstimator(), GaussianEstimator()]))
    assert Counted.reads < 20


# -- libraries that are not there, terminals ---------------------------------------------------------------------------


def test_a_missing_library_is_named_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(LibraryError, match=r"plots need matplotlib: pip install 'dmlcore\[plot\]', or pip install matplotlib"):
        library("matplotlib.pyplot", "plots need")
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(LibraryError, match=r"the classifier of compare needs scikit-learn: pip install 'dmlcore\[compare\]'"):
        compare([], [])
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(LibraryError, match=r"formulas need pandas: pip install 'dmlcore\[formula\]'"):
        MixtureRegression.from_formula("y ~ x", pl.DataFrame({"x": [1.0], "y": [2.0]}))
    assert issubclass(LibraryError, ImportError)


def test_trees_on_terminals_without_box_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="cp1252"))
    text = Tuple((N(0.0, 1.0), Tuple((N(0.0, 1.0),)))).summary()
    assert text.splitlines()[1:] == [
        "composite",
        "|- field 0  gaussian  mu=0, sigma2=1",
        "`- field 1  composite",
        "   `- field 0  gaussian  mu=0, sigma2=1",
    ]


def test_tools_of_scikit_learn() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import is_regressor
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = regression_data()
    X, y = data[["x1", "x2"]], data["y"]
    model = MixtureRegression(1, starts=1)
    assert is_regressor(model)
    assert cross_val_score(model, X, y, cv=2).shape == (2,)
    assert GridSearchCV(model, {"ridge": [0.0, 1.0]}, cv=2).fit(X, y).best_params_ == {"ridge": 0.0}
    assert make_pipeline(StandardScaler(), model).fit(X, y).predict(X).shape == (40,)
