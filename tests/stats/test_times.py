"""Dates, times and durations: what is read, as which numbers, and that columns come back as they went in."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest

from dmlcore import condition, fit, impute, marginal, plot, probability, report, synthesise
from dmlcore.base.errors import DataError, DmlcoreError, ParameterError, StructureError, SupportError
from dmlcore.core.tree import tree
from dmlcore.core.words import in_words
from dmlcore.data.times import TimeScale
from dmlcore.engines.stream import stream
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    ConditionalDistribution,
    ExponentialEstimator,
    GammaEstimator,
    GaussianDistribution,
    GaussianEstimator,
    IgnoredDistribution,
    MixtureDistribution,
    MixtureEstimator,
    OptionalDistribution,
    OptionalEstimator,
    PointMassDistribution,
    PoissonDistribution,
    TimeDistribution,
    TimeEstimator,
)

pa = pytest.importorskip("pyarrow")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

DAYS = [date(2021, 3, 1), date(2021, 3, 3), date(2021, 3, 8)]  # mean 4 March, variance 26 / 3 days
TIMES = [datetime(2021, 3, 1, 6), datetime(2021, 3, 3, 6), datetime(2021, 3, 8, 6)]
ZONED = [t.replace(hour=7, tzinfo=timezone(timedelta(hours=1))) for t in TIMES]
SPANS = [timedelta(days=1), timedelta(days=3), timedelta(days=8)]
stamps, spans = pd.Series(TIMES), pd.Series(SPANS)
FORMS: dict[str, tuple[Any, Any]] = {
    "dates": (DAYS, date(2021, 3, 4)),
    "datetimes": (TIMES, datetime(2021, 3, 4, 6)),
    "datetimes with zones": (ZONED, datetime(2021, 3, 4, 6, tzinfo=UTC)),
    "timedeltas": (SPANS, timedelta(4)),
    "dates and datetimes": ([DAYS[0], datetime(2021, 3, 3), DAYS[2]], datetime(2021, 3, 4)),
    "Timestamps": (list(stamps), datetime(2021, 3, 4, 6)),
    "Timestamps with zones": (list(stamps.dt.tz_localize("UTC")), datetime(2021, 3, 4, 6, tzinfo=UTC)),
    "Timedeltas": (list(spans), timedelta(4)),
    "numpy days": (np.array(DAYS, "M8[D]"), date(2021, 3, 4)),
    "numpy ns": (np.array(TIMES, "M8[ns]"), datetime(2021, 3, 4, 6)),
    "numpy big-endian": (np.array(TIMES, ">M8[s]"), datetime(2021, 3, 4, 6)),
    "numpy hours": (np.array(SPANS, "m8[h]"), timedelta(4)),
    "numpy scalars": (list(np.array(TIMES, "M8[ms]")), datetime(2021, 3, 4, 6)),
    "pandas": (stamps.astype("datetime64[s]"), datetime(2021, 3, 4, 6)),
    "pandas with zone": (stamps.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"), datetime(2021, 3, 4, 6, tzinfo=UTC)),
    "pandas objects": (pd.Series(DAYS, dtype=object), date(2021, 3, 4)),
    "pandas timedelta": (spans, timedelta(4)),
    "pandas Arrow": (pd.Series(TIMES, dtype=pd.ArrowDtype(pa.timestamp("ns"))), datetime(2021, 3, 4, 6)),
    "polars Date": (pl.Series(DAYS), date(2021, 3, 4)),
    "polars Datetime": (pl.Series(TIMES, dtype=pl.Datetime("ms")), datetime(2021, 3, 4, 6)),
    "polars with zone": (pl.Series(ZONED, dtype=pl.Datetime("us", "UTC")), datetime(2021, 3, 4, 6, tzinfo=UTC)),
    "polars Duration": (pl.Series(SPANS), timedelta(4)),
    "Arrow date32": (pa.array(DAYS), date(2021, 3, 4)),
    "Arrow date64": (pa.array(DAYS, pa.date64()), date(2021, 3, 4)),
    "Arrow timestamp": (pa.chunked_array([pa.array(TIMES, pa.timestamp("s"))]), datetime(2021, 3, 4, 6)),
    "Arrow with zone": (pa.array(ZONED, pa.timestamp("us", "+01:00")), datetime(2021, 3, 4, 6, tzinfo=UTC)),
    "Arrow duration": (pa.array(SPANS, pa.duration("ms")), timedelta(4)),
}


@pytest.mark.parametrize(("data", "mean"), FORMS.values(), ids=FORMS)
def test_every_form_is_read(data: Any, mean: Any) -> None:
    model = fit(data, TimeEstimator(GaussianEstimator())).model
    assert model.mean() == mean
    assert type(model.mean()) is type(mean)
    assert getattr(model.mean(), "tzinfo", None) is getattr(mean, "tzinfo", None)
    assert model.variance() == pytest.approx(26 / 3)
    in_hours = fit(data, TimeEstimator(GaussianEstimator(), "h")).model
    assert in_hours.variance() == pytest.approx(26 / 3 * 24**2)
    np.testing.assert_allclose(in_hours.seq_log_density(data) + math.log(24), model.seq_log_density(data), rtol=1e-9)
    assert type(model.sample(rng=1)) is type(mean)


@pytest.mark.parametrize("parts", [[DAYS, TIMES], [TIMES, DAYS]], ids=["dates first", "times first"])
def test_dates_in_one_part_of_the_data_and_times_in_another_are_times(parts: list[Any]) -> None:
    model: Any = fit(stream(lambda: iter(parts)), TimeEstimator(GaussianEstimator())).model
    assert model.origin == "1970-01-01T00:00:00"


def test_times_come_back_from_their_numbers_to_the_microsecond() -> None:
    moments = [datetime(2021, 3, 1, 6, 0, 0, us) for us in range(20)]
    scale = TimeScale("D", "1970-01-01T00:00:00")  # far enough for some numbers to lie below what they stand for
    assert scale.times(scale.number(moments)).tolist() == moments


def test_nanoseconds_and_far_origins_are_read_exactly() -> None:
    fine = np.array(["2021-03-04T00:00:00.000000001", "2021-03-04T00:00:00.000000003"], "M8[ns]")
    assert TimeScale("ns", "2021-03-04").numbers(fine).tolist() == [1.0, 3.0]
    assert TimeScale("D", "0001-01-01").numbers(np.array(["9999-12-31"], "M8[D]")).tolist() == [date.max.toordinal() - 1]
    assert TimeScale("s", "0001-01-01").numbers(fine)[0] == (date(2021, 3, 4).toordinal() - 1) * 86400.0  # beyond the reach of ns
    assert TimeScale("W", None).numbers(np.array([14], "m8[D]")).tolist() == [2.0]


def columns(gap: int) -> dict[str, Any]:
    """Columns of every dtype in frames, one cell missing."""
    t, d = pd.Series(TIMES * 4).astype("datetime64[ns]"), pd.Series(SPANS * 4).astype("timedelta64[ns]")
    t[gap], d[gap] = pd.NaT, pd.NaT
    in_paris = pl.Series(t).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Paris")
    zoned, days = t.dt.tz_localize("Europe/Paris"), pl.Series(t).cast(pl.Date)
    each = {"ns": t, "us": t.astype("datetime64[us]"), "zone": zoned, "timedelta": d}
    each["dates"] = pd.Series([None if v is pd.NaT else v.date() for v in t], dtype=object)
    out = {f"pandas {name}": pd.DataFrame({"t": column.array}, index=range(5, 17)) for name, column in each.items()}
    of_polars = {"Date": days, "Datetime": pl.Series(t).cast(pl.Datetime("ms")), "zone": in_paris, "Duration": pl.Series(d)}
    out |= {f"polars {name}": pl.DataFrame({"t": column}) for name, column in of_polars.items()}
    of_arrow = {
        "date32": days.to_arrow(),
        "date64": days.to_arrow().cast(pa.date64()),
        "zone": in_paris.to_arrow(),
        "duration": pa.array(d),
    }
    return out | {f"Arrow {name}": pa.table({"t": column}) for name, column in of_arrow.items()}


@pytest.mark.parametrize("frame", columns(4).values(), ids=columns(4))
def test_what_comes_back_has_the_dtype_that_went_in(frame: Any) -> None:
    model = fit(frame, CompositeEstimator([OptionalEstimator(TimeEstimator(GaussianEstimator()))])).model
    made = [impute(model, frame, how=how, rng=1).data for how in ("mean", "sample", "median")] + [synthesise(model, 20, 1, frame)]
    given = frame["t"]
    for table in made:
        column = table["t"]
        assert getattr(column, "dtype", None) == getattr(given, "dtype", None)
        assert getattr(column, "type", None) == getattr(given, "type", None)
    before, after = (list(column.to_pylist() if hasattr(column, "to_pylist") else column) for column in (given, made[0]["t"]))
    assert before[:4] + before[5:] == after[:4] + after[5:]
    assert not pd.isna(after[4])


def test_a_mixture_says_what_a_law_of_its_numbers_says() -> None:
    parts = [(0.3, -9.0, 4.0), (0.7, 3.0, 9.0)]
    w = [share for share, _, _ in parts]
    numbers = MixtureDistribution([GaussianDistribution(m, v) for _, m, v in parts], w)
    times = MixtureDistribution([TimeDistribution(GaussianDistribution(m, v), "h", TIMES[0]) for _, m, v in parts], w)
    hour = timedelta(hours=1)
    for what, args in (("mean", ()), ("mode", ()), ("quantile", (0.3,))):
        assert (getattr(times, what)(*args) - TIMES[0]) / hour == pytest.approx(float(getattr(numbers, what)(*args)), abs=1e-9)
    assert times.variance() == pytest.approx(numbers.variance())
    assert times.cdf(TIMES[0] + hour) == pytest.approx(numbers.cdf(1.0))
    assert times.cdf([TIMES[0], TIMES[0] + hour])[1] == times.cdf(TIMES[0] + hour)
    assert times.interval()[0] < times.mean() < times.interval()[1]
    pair = [
        CompositeDistribution({"t": OptionalDistribution(law, 0.5), "x": GaussianDistribution(m, 1.0)})
        for law, m in zip(times.components, (0.0, 9.0), strict=True)
    ]
    both = MixtureDistribution(pair, w)
    assert (condition(both, {"x": 9.0}, values=True).mean() - TIMES[0]) / hour == pytest.approx(3.0, abs=1e-3)
    assert marginal(both, "t", values=True).quantile(0.3) == times.quantile(0.3)
    filled = impute(both, [{"t": None, "x": 0.0}])
    assert (filled.data[0]["t"] - TIMES[0]) / hour == pytest.approx(-9.0, abs=1e-3)
    assert filled.cells["t"].uncertainty[0] == pytest.approx(2.0, abs=1e-3)  # hours


def test_times_that_are_counted_in_several_ways_have_no_mean() -> None:
    hours, days = (TimeDistribution(GaussianDistribution(3.0, 4.0), unit, TIMES[0]) for unit in "hD")
    both = MixtureDistribution([hours, days], [0.5, 0.5])
    assert both.typical() == TIMES[0] + timedelta(hours=3)
    labels = CategoricalDistribution({"a": 1.0})
    records = MixtureDistribution([CompositeDistribution((law, labels)) for law in (hours, days)], [0.5, 0.5])
    by_label = ConditionalDistribution({"a": hours, "b": days}, None, CategoricalDistribution({"a": 0.5, "b": 0.5}))
    for ask in (both.mean, lambda: impute(records, [(None, "a")]), lambda: impute(by_label, [("a", None), ("b", None)])):
        with pytest.raises(StructureError, match=r"have no number in common, .* one unit and one origin"):
            ask()
    alike = by_label.replace(dists=(hours, TimeDistribution(GaussianDistribution(5.0, 4.0), "h", TIMES[0])))
    filled = impute(alike, [("a", None), ("b", None)]).data
    assert [time - TIMES[0] for _, time in filled] == [timedelta(hours=3), timedelta(hours=5)]


def test_held_times_and_events_of_times() -> None:
    law = TimeDistribution(GaussianDistribution(3.0, 4.0), "h", TIMES[0])
    later = law.replace(dist=GaussianDistribution(5.0, 4.0))
    held = MixtureDistribution([IgnoredDistribution(law), later], [0.5, 0.5])
    assert held.mean() == MixtureDistribution([law, later], [0.5, 0.5]).mean() == TIMES[0] + timedelta(hours=4)
    spike = MixtureDistribution([law.replace(dist=PointMassDistribution(3.0)), later], [0.3, 0.7])
    assert probability(spike, {TIMES[0] + timedelta(hours=3)}) == pytest.approx(0.3)
    with pytest.raises(StructureError, match="one law cannot be of durations and of times"):
        fit(list(zip(TIMES, SPANS, strict=True)), CompositeEstimator([TimeEstimator(GaussianEstimator(), keys="tied")] * 2))


def test_two_groups_of_dates_are_found() -> None:
    rng = np.random.default_rng(1)
    days = np.concatenate([rng.normal(18_000, 5, 200), rng.normal(18_400, 9, 200)]).round().astype("M8[D]")
    for estimator in (
        MixtureEstimator([TimeEstimator(GaussianEstimator())] * 2),
        TimeEstimator(MixtureEstimator([GaussianEstimator()] * 2)),
    ):
        model = fit(days, estimator, rng=1).model
        laws = model.components if isinstance(model, MixtureDistribution) else model.dist.components
        means = sorted(law.mean() if isinstance(law, TimeDistribution) else date(1970, 1, 1) + timedelta(law.mean()) for law in laws)
        assert [abs(mean - day).days // 3 for mean, day in zip(means, (date(2019, 4, 14), date(2020, 5, 18)), strict=True)] == [0, 0]


def test_shown_in_words() -> None:
    law = TimeDistribution(GaussianDistribution(62.0, 156.25), origin="2021-01-01")
    assert "seen  time gaussian  mean=2021-03-04, sd=12.5 days" in tree(CompositeDistribution({"seen": law}))
    assert in_words(law) == "2021-03-04\u00a0±\u00a012.5 days"
    assert in_words(TimeDistribution(GaussianDistribution(62.0, 9.0), "m", TIMES[0])) == "2021-03-01 07:02:00\u00a0±\u00a03 minutes"
    assert in_words(TimeDistribution(GaussianDistribution(62.0, 9.0), "m")) == "62 minutes\u00a0±\u00a03 minutes"
    far = TimeDistribution(GaussianDistribution(1e9, 9.0), origin="2021-01-01")
    assert in_words(far) == "1e+09 days from 2021-01-01\u00a0±\u00a03 days"


def test_times_that_are_asked_for_are_read_as_those_of_the_law() -> None:
    law = TimeDistribution(GaussianDistribution(62.0, 156.25), origin="2021-01-01")
    np.testing.assert_allclose(law.cdf(DAYS), law.dist.cdf(np.array([(day - date(2021, 1, 1)).days for day in DAYS])))
    assert np.asarray(law.quantile(np.array([0.5, 0.5]))).tolist() == [law.quantile(0.5)] * 2
    for wrong in (3.0, "soon", SPANS[0], np.array([1, 2], "m8[M]")):
        with pytest.raises(DataError, match="is none of the dates that are read here"):
            law.cdf(wrong)


WRONG: dict[str, tuple[Any, Any, str]] = {
    "number": ([1.5], None, "row 0 is 1.5; need dates, times or durations"),
    "text": ([DAYS[0], "2021-01-01"], None, "row 1 is '2021-01-01'; need dates"),
    "gap": ([DAYS[0], None], None, "row 1 is None; need dates, .*OptionalEstimator"),
    "NaT": (np.array(["2021-01-01", "NaT"], "M8[D]"), None, "row 1 is .*NaT.*; need dates"),
    "durations among dates": ([DAYS[0], SPANS[0]], None, "row 1 is .*; need .* of one kind, as the dates above"),
    "no zone": ([ZONED[0], TIMES[0]], None, "row 1 is .* of one kind, as the times with a time zone above"),
    "durations since": (SPANS, "2021-01-01", "row 0 is .*; need dates or times"),
    "another zone": (TIMES, ZONED[0], "row 0 is .*; need times with a time zone"),
    "times of no unit": (np.array(["NaT"], "M8"), None, "row 0 is .*NaT.*; need dates"),
    "months": (np.array([1, 2], "m8[M]"), None, "row 0 is .* of a fixed unit, such as days"),
}


@pytest.mark.parametrize(("data", "origin", "said"), WRONG.values(), ids=WRONG)
def test_what_is_no_time_is_named(data: Any, origin: Any, said: str) -> None:
    with pytest.raises(DataError, match=f"time: {said}"):
        fit(data, TimeEstimator(GaussianEstimator(), origin=origin))


def test_laws_of_numbers_say_what_reads_times() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "seen": TIMES})
    with pytest.raises(DataError, match=r"seen: row 0 is .*; need a real number \(.*TimeEstimator\(GaussianEstimator\(\)\)\)"):
        fit(frame, CompositeEstimator((GaussianEstimator(), GaussianEstimator())))


def test_settings_are_checked() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"unit": "month"}, "unit must be one of W, D"),
        ({"origin": "soon"}, "origin must be None, or a date"),
        ({"origin": 2021}, "origin must be None, or a date"),
        ({"origin": pd.NaT}, "origin must be None, or a date"),
    ]
    for settings, said in wrong:
        with pytest.raises(ParameterError, match=said):
            TimeDistribution(GaussianDistribution(0.0, 1.0), **settings)
    with pytest.raises(ParameterError, match="dist must be of one real number; poisson reads"):
        TimeDistribution(PoissonDistribution(1.0))
    assert TimeEstimator(GaussianEstimator(), origin=pd.Timestamp(ZONED[0])).origin == "2021-03-01T06:00:00+00:00"
    with pytest.raises(DmlcoreError, match="beyond the years 1 to 9999"):
        TimeDistribution(GaussianDistribution(1e9, 1.0), origin=DAYS[0]).mean()


def test_rows_before_the_origin_of_a_positive_law_are_named() -> None:
    with pytest.raises(SupportError, match=r"row 0 .*2021-03-01|row 0 .*datetime.date\(2021, 3, 1\).*needs numbers >= 0"):
        fit(DAYS, TimeEstimator(ExponentialEstimator(), origin=DAYS[1]))


def test_a_start_on_another_scale_is_refused() -> None:
    start = fit(DAYS, TimeEstimator(GaussianEstimator(), "h")).model
    with pytest.raises(StructureError, match="at the top counts in"):
        fit(DAYS, TimeEstimator(GaussianEstimator()), start=start)


def test_times_are_still_labels() -> None:
    for data in (stamps, stamps.dt.tz_localize("Asia/Tokyo"), pl.Series(DAYS), pa.array(ZONED, pa.timestamp("us", "+01:00"))):
        assert sorted(fit(data, CategoricalEstimator()).model.pmap.values()) == pytest.approx([1 / 3] * 3)


def test_reports_pictures_and_given_values_of_times() -> None:
    days = pd.Series(pd.to_datetime(["2021-03-01 06:00", "2021-03-03 00:00", None, "2021-03-08 00:00"]))
    frame = pd.DataFrame({"seen": days, "zoned": days.dt.tz_localize("UTC"), "took": pd.to_timedelta([1, 2, 4, 8], unit="h")})
    law = OptionalEstimator(TimeEstimator(GaussianEstimator()))
    found = fit(frame, CompositeEstimator({"seen": law, "zoned": law, "took": TimeEstimator(GammaEstimator(), "h")}))
    assert "2021-03-01 06:00:00" in report(found, frame)
    axes = plot.density(found.model, frame, field="zoned")
    axes.figure.canvas.draw()
    assert any(label.get_text().startswith("2021-03-") for label in axes.get_xticklabels())
    plt.close("all")
    given = synthesise(found.model, 2, 1, frame, given={"seen": pd.Timestamp("2021-04-01")})
    assert (given["seen"] == pd.Timestamp("2021-04-01")).all()
