"""Proposals: what each column is, which family it follows, what is left out, and fits of tables without an estimator."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.stats

import dmlcore
from dmlcore.base.errors import DataError, FitWarning, ParameterError
from dmlcore.proposal.candidates import families_for, rounding_of, spikes_of
from dmlcore.proposal.judging import best_of_the_simplest, judge
from dmlcore.proposal.kinds import cells_of
from dmlcore.proposal.missingness import _chance
from dmlcore.stats import CategoricalEstimator, GaussianEstimator, IgnoredEstimator, OptionalEstimator, TimeEstimator

N = 500
LAWS: dict[str, Any] = {
    "Gaussian": lambda rng: rng.normal(-3, 2, N),
    "log-Gaussian": lambda rng: rng.lognormal(1, 0.8, N),
    "exponential": lambda rng: rng.exponential(4, N),
    "gamma": lambda rng: rng.gamma(2.5, 2, N),
    "Poisson": lambda rng: rng.poisson(6, N),
    "geometric": lambda rng: rng.geometric(0.2, N),
    "negative binomial": lambda rng: rng.negative_binomial(2, 0.2, N),
    "binomial": lambda rng: rng.binomial(9, 0.4, N),
    "integer categorical": lambda rng: rng.choice(6, N, p=[0.3, 0.02, 0.3, 0.05, 0.03, 0.3]),
    "0 or log-Gaussian": lambda rng: np.where(rng.random(N) < 0.3, 0, rng.lognormal(0, 1, N)),
    "1e-06 or gamma": lambda rng: np.where(rng.random(N) < 0.3, 1e-6, rng.gamma(2, 3, N)),
    "99 or Gaussian": lambda rng: np.where(rng.random(N) < 0.1, 99, rng.normal(0, 10, N)),
    "0, 40 or exponential": lambda rng: np.where(rng.random(N) < 0.2, 0, np.minimum(rng.exponential(20, N), 40)),
}


@pytest.mark.parametrize("family", LAWS)
def test_the_family_that_made_a_column_is_found(family: str) -> None:
    rng = np.random.default_rng(5)
    cells = cells_of("x", LAWS[family](rng))
    judged = judge(cells.values, families_for(cells), rng, cells.row_weights)
    best = judged[best_of_the_simplest(judged)]
    right = max((one for one in judged if one.family.label == family), key=lambda one: one.held_out)
    assert best.family.label == family or best.held_out > right.held_out - 0.001


def test_the_family_is_found_inside_a_mixture() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(5, 1, N), rng.normal(15, 0.5, N)])  # positive, and alone no Gaussian at all
    cells = cells_of("x", x)
    judged = judge(cells.values, families_for(cells), rng, cells.row_weights)
    best = judged[best_of_the_simplest(judged)]
    assert (best.family.label, best.components) == ("Gaussian", 2)


@pytest.mark.parametrize(
    "x",
    [
        lambda rng: rng.normal(0, 1, N).round(1),  # ties everywhere
        lambda rng: rng.exponential(1, N).round(1),
        lambda rng: rng.choice([1.5, 2.5, 4.0], N),  # as many at each
    ],
)
def test_ties_are_no_spikes(x: Any) -> None:
    assert spikes_of(x(np.random.default_rng(0))) == []


def test_a_law_of_reals_does_not_gain_by_collapsing_on_a_whole_number() -> None:
    rng = np.random.default_rng(1)
    cells = cells_of("x", rng.geometric(0.2, 2000))
    further_up = families_for(cells_of("x", cells.values + 10))  # where laws of positive numbers are considered
    families = [*families_for(cells), *(one for one in further_up if one.label == "log-Gaussian")]
    judged = {one.family.label: one.held_out for one in judge(cells.values, families, rng, cells.row_weights)}
    assert judged["log-Gaussian"] < judged["geometric"]


def test_rows_count_as_their_weights_say() -> None:
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(0, 1, 150), rng.exponential(1, 150), [1e9]])
    gone = np.where(rng.random(301) < 0.2, None, "a")
    rows, w = list(zip(x.tolist(), gone.tolist(), strict=True)), np.repeat([3.0, 0.0, 0.0], [150, 150, 1])
    weighted, alone = dmlcore.propose(rows, weights=w, progress=False), dmlcore.propose(rows[:150] * 3, progress=False)
    assert weighted.columns[0].family == alone.columns[0].family == "Gaussian"
    assert weighted.rows == 150
    assert [one.missing for one in weighted.columns] == pytest.approx([one.missing for one in alone.columns])
    with pytest.raises(DataError, match="weights must be 301 numbers"):
        dmlcore.propose(rows, weights=[1.0, 2.0])


def mixed(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    group = rng.random(n) < 0.5
    frame = pd.DataFrame({"row": range(n), "size": rng.normal(np.where(group, 0, 6), 1), "kind": np.where(group, "a", "b"), "site": "here"})
    frame["note"] = [f"a remark on row {i}" for i in range(n)]
    frame["code"] = [f"x{i}" for i in range(n)]
    frame["label"] = [f"l{i % (2 * n // 3)}" for i in range(n)]
    frame["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n), unit="D")
    frame["nothing"] = None
    return frame


def test_what_is_left_out_is_named_with_the_reason() -> None:
    proposal = dmlcore.propose(mixed())
    assert [column.name for column in proposal.columns] == ["size", "kind", "day"]
    reasons = {name: reason.split(":")[0].split(";")[0] for name, reason in proposal.left_out}
    assert reasons == {
        "row": "identifier-like",
        "site": "constant",
        "note": "free text",
        "code": "identifier-like",
        "label": "near-unique labels",
        "nothing": "every cell is missing",
    }


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pd.Series([pd.Timestamp("2020-01-01")] * 40), "constant: every cell that is there is 2020-01-01 00:00:00"),
        (pd.Series([np.inf, 1.0] * 20), "holds infinite numbers"),
        (pd.Series([(1, 2), (2, 3)] * 20), "holds values with parts, such as (1, 2)"),
        (pl.Series([[1.0, 2.0]] * 40, dtype=pl.Array(pl.Float64, 2)), "holds vectors; propose models columns of single values"),
    ],
    ids=["one day", "infinite", "tuples", "vectors"],
)
def test_columns_without_a_family_are_left_out(column: Any, reason: str) -> None:
    x = np.random.default_rng(0).normal(size=40)
    proposal = dmlcore.propose((pl if isinstance(column, pl.Series) else pd).DataFrame({"odd": column, "x": x}))
    assert [one.name for one in proposal.columns] == ["x"]
    assert [tuple(one) for one in proposal.left_out] == [("odd", reason)]


def test_whole_numbers_beside_a_spike_are_counts() -> None:
    draws = np.random.default_rng(1).poisson(30, 200).astype(float)
    (column,) = dmlcore.propose(pd.DataFrame({"n": np.r_[np.full(80, 0.5), draws]})).columns
    assert "Poisson" in column.family
    law = dmlcore.fit(np.r_[np.full(80, 0.5), draws], column.estimator, rng=1).model
    assert dmlcore.probability(law, 0.5) == pytest.approx(80 / 280, abs=0.01)


def test_components_by_a_criterion_are_those_of_a_sweep() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": np.r_[rng.normal(size=60), rng.normal(9, 1, 60)]})
    found = dmlcore.fit(table, criterion="bic", rng=1, starts=2)
    assert found.proposal.selection.value == 2
    assert found.proposal.selection.criterion == "bic"
    assert found.model.num_components == 2


def test_dates_times_and_durations_are_modelled_whatever_holds_them() -> None:
    rng, n = np.random.default_rng(2), 300
    day = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.normal(0, 30, n), unit="D"))
    took = pd.Series(pd.to_timedelta(rng.gamma(2.0, 20, n), unit="s"))
    frame = pd.DataFrame({"day": day, "zoned": day.dt.tz_localize("UTC"), "date": day.dt.date, "took": took, "x": rng.normal(size=n)})
    frame["some"] = day.mask(rng.random(n) < 0.2)
    frame["quarter"] = pd.to_datetime(rng.choice(["2020-01-01", "2020-04-01"], n))
    proposal = dmlcore.propose(frame)
    by_name = {column.name: column for column in proposal.columns}
    each = {name: column.estimator for name, column in by_name.items()}
    assert not proposal.left_out
    for name in ("day", "zoned"):
        assert each[name] == TimeEstimator(GaussianEstimator(), "D")
    assert each["date"] == TimeEstimator(GaussianEstimator(rounding=1.0), "D")
    assert each["some"] == OptionalEstimator(TimeEstimator(GaussianEstimator(), "D"))
    assert isinstance(each["took"], TimeEstimator)
    assert each["took"].unit == "m"
    assert isinstance(each["quarter"], CategoricalEstimator)
    assert "times from 2019-" in by_name["day"].why
    assert dmlcore.propose(frame.to_dict("records")).estimator == proposal.estimator


def test_reals_that_recur_are_labels_and_come_back_as_numbers() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.choice([17.5, 22.0, 27.0, 32.5], 200), "size": rng.normal(size=200)})
    frame.loc[::7, "age"] = np.nan
    proposal = dmlcore.propose(frame)
    assert proposal.columns[0].estimator == OptionalEstimator(CategoricalEstimator(1.0, default_value=True))
    assert "4 numbers from 17.5 to 32.5" in proposal.columns[0].why
    model = dmlcore.fit(frame, proposal, components=2, rng=1).model
    for table in (dmlcore.impute(model, frame, rng=1).data, dmlcore.synthesise(model, 50, 1, frame)):
        assert table["age"].dtype == frame["age"].dtype
        assert set(table["age"].dropna()) <= {17.5, 22.0, 27.0, 32.5}


@pytest.mark.parametrize(
    ("x", "rounding"),
    [
        (lambda rng: rng.normal(0, 1, N), 0.0),
        (lambda rng: rng.normal(0, 1, N).round(1), 0.1),
        (lambda rng: np.append(rng.normal(0, 1, N).round(1), [0.123, 2.3456]), 0.1),  # a few with more digits
        (lambda rng: rng.integers(200, 900, N) / 12, 0.0833),
    ],
)
def test_what_reals_are_rounded_to_is_seen(x: Any, rounding: float) -> None:
    assert rounding_of(x(np.random.default_rng(0))) == pytest.approx(rounding)


def test_rounding_alone_makes_no_components() -> None:
    x = np.random.default_rng(2).normal(0, 1, (400, 2)).round(1)
    found = dmlcore.fit(x, rng=1)
    assert found.proposal.selection.value == 1
    assert all(one.status == "converged" for one in found.proposal.selection.fits)


def test_no_more_components_are_tried_than_rows_can_tell() -> None:
    found = dmlcore.fit(mixed(60)[["size", "kind"]], rng=1)
    assert all(row["parameters"] <= 60 for row in found.proposal.selection.rows)


def test_a_degenerate_fit_is_no_secret() -> None:
    x = np.random.default_rng(0).normal(size=(6, 1))
    proposal = dmlcore.propose(x)
    with pytest.warns(FitWarning, match="degenerate"):
        assert dmlcore.fit(x, proposal, components=5, rng=0).status == "degenerate"


def test_the_code_makes_the_estimator_and_the_views_name_every_column() -> None:
    frame = mixed()
    proposal = dmlcore.propose(frame, target="kind")
    for components in (1, 2):
        made: dict[str, Any] = {}
        exec(proposal.code(components), made)
        assert made["estimator"] == proposal.mixture(components)
    assert "kind (target)" in proposal.table()
    for text in (repr(proposal), proposal._repr_html_()):
        assert all(name in text for name in frame.columns)


def test_columns_left_out_keep_their_place_where_rows_are_tuples() -> None:
    frame = mixed()[["row", "size", "kind"]]
    proposal = dmlcore.propose(list(frame.itertuples(index=False, name=None)))
    assert proposal.estimator.children()[0] == IgnoredEstimator()
    made: dict[str, Any] = {}
    exec(proposal.code(), made)
    assert made["estimator"] == proposal.estimator
    by_name = dmlcore.propose(frame.to_dict("records"))
    assert by_name.estimator == dmlcore.propose(frame).estimator


def test_missingness_is_modelled_where_it_tells_something() -> None:
    frame = mixed(400)[["size", "kind"]]
    rng = np.random.default_rng(0)
    frame["at_random"] = np.where(rng.random(400) < 0.3, np.nan, rng.normal(size=400))
    frame["by_kind"] = np.where((frame["kind"] == "a") & (rng.random(400) < 0.8), np.nan, rng.normal(size=400))
    proposal = dmlcore.propose(frame)
    assert [column.estimator for column in proposal.columns[2:]] == [
        OptionalEstimator(GaussianEstimator()),
        OptionalEstimator(GaussianEstimator(), est_prob=True),
    ]
    assert "kind" in proposal.columns[3].why


def test_the_chance_of_an_association_is_that_of_a_likelihood_ratio() -> None:
    gone, group = np.repeat([True, False], [13, 27]), np.arange(40) % 3
    table = [np.bincount(group[side]) for side in (gone, ~gone)]
    exact = scipy.stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue
    assert _chance(gone, group, np.ones(40)) == pytest.approx(exact)


def test_truth_values_and_levels_that_do_not_occur_are_labels() -> None:
    frame = pd.DataFrame({"yes": [True, False, True] * 10, "level": pd.Categorical(["a", "b"] * 15, ["a", "b", "c"])})
    yes, level = dmlcore.propose(frame).columns
    assert yes.estimator == CategoricalEstimator(1.0, default_value=True)
    model = dmlcore.fit(frame[["level"]], components=1).model
    assert model.dists[0].pmap["c"] > 0
    assert level.family == "categorical"


def test_a_fit_without_an_estimator_carries_its_proposal() -> None:
    frame = mixed()
    found = dmlcore.fit(frame, rng=1)
    assert found.proposal.selection.value == found.model.num_components == 2
    assert found.proposal.selection.criterion == "held_out"
    assert found.converged
    again = dmlcore.fit(frame, found.proposal, components=2, rng=1)
    assert again.log_likelihood == pytest.approx(found.log_likelihood)
    assert dmlcore.fit([1.0, 2.0], GaussianEstimator()).proposal is None


def test_fits_of_tables_have_the_options_of_every_fit() -> None:
    options = inspect.signature(dmlcore.fit).parameters
    assert {"data", "estimator", "components", "criterion", "rng", "weights", "starts", "progress"} <= set(options)
    assert "weights: one" in (dmlcore.fit.__doc__ or "")


def test_a_sample_of_the_rows_is_looked_at_but_ranges_are_those_of_all() -> None:
    x = np.concatenate([np.ones(2000), [-1.0]]) * np.random.default_rng(0).lognormal(size=2001)
    (column,) = dmlcore.propose(x[:, None], rows=100).columns
    assert column.estimator == GaussianEstimator()  # no law of positive numbers, whatever the sample


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: dmlcore.propose(mixed(), target="site"), "cannot be modelled: constant"),
        (lambda: dmlcore.propose(mixed(), target="sice"), "no column 'sice'"),
        (lambda: dmlcore.propose(pd.DataFrame({"a": [1, 1, 1, 1]})), "no column to model"),
        (lambda: dmlcore.propose(3), "a table is"),
        (lambda: dmlcore.propose([(1, 2), (1,)]), "row 1"),
        (lambda: dmlcore.propose(mixed(), rows=1), "rows must be"),
        (lambda: dmlcore.fit(mixed(), components=0), "components must be"),
        (lambda: dmlcore.fit([1.0, 2.0], GaussianEstimator(), components=2), "an estimator says itself"),
    ],
)
def test_errors_say_what_is_needed(call: Any, said: str) -> None:
    with pytest.raises((DataError, ParameterError), match=said):
        call()


def two_groups(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    first = rng.random(n) < 0.4
    x = rng.standard_normal((n, 3)) @ np.array([[1, 0.8, 0], [0, 0.6, 0], [0, 0, 1]]) + np.where(first[:, None], [4, -3, 0], 0)
    return pd.DataFrame({"a": x[:, 0], "kind": np.where(rng.random(n) < np.where(first, 0.9, 0.2), "u", "v"), "b": x[:, 1], "c": x[:, 2]})


def test_columns_that_tell_of_each_other_within_components_become_a_vector() -> None:
    frame, new = two_groups(800, 1), two_groups(4000, 2)
    found = dmlcore.fit(frame, rng=1, progress=False)
    proposal: Any = found.proposal
    assert [column.name for column in proposal.columns] == [("a", "b"), "kind", "c"]
    assert proposal.selection.value == 2  # in components in which columns are independent it takes more
    made: dict[str, Any] = {}
    exec(proposal.code(2), made)
    assert made["estimator"] == proposal.mixture(2) == found.estimator
    assert "a, b " in proposal.table()
    assert "4 of 4 columns" in repr(proposal)
    truth = dmlcore.fit(two_groups(20_000, 3), proposal, components=2, rng=1, progress=False).model
    assert found.model.seq_log_density(new).mean() > truth.seq_log_density(new).mean() - 0.03


def test_columns_without_more_to_tell_stay_apart() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"a": rng.standard_normal(600), "b": rng.standard_normal(600)})
    assert [column.name for column in dmlcore.fit(frame, rng=1, progress=False).proposal.columns] == ["a", "b"]
    frame["b"] = frame["a"].round(1)  # what is rounded would be known closer than it is written
    frame["a"] = frame["a"].round(1) * 2
    assert [column.name for column in dmlcore.fit(frame, rng=1, progress=False).proposal.columns] == ["a", "b"]


@pytest.mark.parametrize("of_stream", [True, False])
def test_a_table_in_parts_is_proposed_for_by_a_sample_whose_weights_are_no_column(of_stream: bool) -> None:
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, 600)
    table = pd.DataFrame({"x": rng.normal(8.0 * z), "kind": np.array(["a", "b"])[z], "w": 1.0 + z})
    parts = [table[:100], table[100:420], table[420:]]
    named: dict[str, Any] = {"weights": "w"}
    found = dmlcore.fit(dmlcore.stream(lambda: iter(parts), **(named if of_stream else {})), rng=1, **({} if of_stream else named))
    assert [column.name for column in found.proposal.columns] == ["x", "kind"]
    assert found.rows == table["w"].sum()
    assert found.model.w.max() == pytest.approx(2 * z.sum() / table["w"].sum(), abs=0.01)


def test_counts_that_begin_near_zero_follow_no_law_that_forbids_zero() -> None:
    x = np.random.default_rng(0).negative_binomial(2, 0.1, 400)
    labels = {one.label for one in families_for(cells_of("x", x[x > 0], None))}
    assert {"Gaussian", "negative binomial"} <= labels
    assert not labels & {"gamma", "log-Gaussian", "exponential"}
    assert "gamma" in {one.label for one in families_for(cells_of("x", x + 10, None))}
