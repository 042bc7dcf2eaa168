"""Synthetic data: conditional draws against their laws, frames in the form of the training frame, and the comparison of tables."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from dmlcore import UNKNOWN, compare, condition, marginal, synthesise
from dmlcore.base.errors import DataError, DmlcoreError, ParameterError, StructureError, SupportError
from dmlcore.inference.compare import area, plain_columns, ranks
from dmlcore.inference.synthesise import decimals
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeDistribution,
    ExponentialDistribution,
    GaussianDistribution,
    IgnoredDistribution,
    MixtureDistribution,
    MultivariateGaussianDistribution,
    OptionalDistribution,
    PoissonDistribution,
)
from tests.penguins import penguins

N, Mix, Tuple, C, Opt = GaussianDistribution, MixtureDistribution, CompositeDistribution, CategoricalDistribution, OptionalDistribution
RECORDS = Mix(
    [
        Tuple((N(m, 1.0, name="size"), PoissonDistribution(lam), C({"a": p, "b": 1 - p}), Opt(ExponentialDistribution(lam), q)))
        for m, lam, p, q in ((0.0, 2.0, 0.9, 0.1), (4.0, 9.0, 0.2, 0.5))
    ],
    [0.6, 0.4],
)


def training(n: int = 400) -> pd.DataFrame:
    frame = pd.DataFrame(RECORDS.sample(n, rng=1), columns=["size", "count", "kind", "wait"])
    frame["size"] = frame["size"].round(1).astype("float32")
    return frame.astype({"count": "int32", "kind": pd.CategoricalDtype(["b", "a", "never"], ordered=True)})


def test_rows_without_conditions_are_the_models_draws() -> None:
    assert synthesise(RECORDS, 20, rng=3) == RECORDS.sample(20, rng=3)
    vectors = MultivariateGaussianDistribution([1.0, 2.0], [[1.0, 0.5], [0.5, 2.0]])
    assert synthesise(vectors, 5, rng=1).shape == (5, 2)
    assert synthesise(PoissonDistribution(3.0), 4, rng=1).tolist() == PoissonDistribution(3.0).sample(4, rng=1).tolist()
    assert synthesise(RECORDS, 0) == []


def test_conditional_draws_follow_the_conditional_law() -> None:
    rows = synthesise(RECORDS, 20_000, rng=4, given={"size": 2.1, 2: "b"})
    assert {(row[0], row[2]) for row in rows} == {(2.1, "b")}
    law = condition(RECORDS, {0: 2.1, 2: "b"})
    counts: Any = marginal(law, 0)
    values, seen = np.unique([row[1] for row in rows], return_counts=True)
    expected = np.exp(counts.seq_log_density(values)) * len(rows)
    keep = expected > 5
    assert scipy.stats.chisquare(seen[keep], expected[keep] * seen[keep].sum() / expected[keep].sum()).pvalue > 1e-4
    missing = np.mean([row[3] is None for row in rows])
    assert missing == pytest.approx(marginal(law, 1).density(None), abs=4 * math.sqrt(0.25 / len(rows)))
    big = [row for row in rows if row[1] > 6]  # the fields hang together: many counts go with the second component
    assert np.mean([row[3] is None for row in big]) > missing + 0.02


def test_given_values_row_by_row() -> None:
    sizes = np.array([-9.0, 0.0, 4.0, 9.0])
    rows = synthesise(RECORDS, rng=5, given={"size": np.repeat(sizes, 3000)})
    assert [row[0] for row in rows[::3000]] == sizes.tolist()
    for i, size in enumerate(sizes.tolist()):
        share = np.mean([row[2] == "a" for row in rows[i * 3000 : (i + 1) * 3000]])
        exact = condition(RECORDS, (size, UNKNOWN, UNKNOWN, UNKNOWN))
        assert share == pytest.approx(marginal(exact, 1).density("a"), abs=0.04)
    law = MultivariateGaussianDistribution([1.0, 2.0], [[1.0, 0.5], [0.5, 2.0]])
    out = synthesise(law, rng=6, given={0: [0.0] * 9000})
    expected: Any = condition(law, [0.0, UNKNOWN])
    assert out[:, 1].mean() == pytest.approx(expected.mean(), abs=0.06)
    assert out[:, 1].var() == pytest.approx(expected.variance(), rel=0.06)
    gone = synthesise(RECORDS, 50, rng=5, given={3: None})
    assert {row[3] for row in gone} == {None}


def test_a_frame_like_the_training_frame() -> None:
    frame = training()
    out = synthesise(RECORDS, 3000, rng=7, like=frame)
    assert out.dtypes.equals(frame.dtypes)
    assert len(out) == 3000
    for name in ("size", "count", "wait"):
        assert out[name].min() >= frame[name].min()
        assert out[name].max() <= frame[name].max()
    assert np.allclose(out["size"], out["size"].round(1), atol=1e-6)
    assert set(out["kind"]) == {"a", "b"}
    assert out["wait"].isna().mean() == pytest.approx(0.6 * 0.1 + 0.4 * 0.5, abs=0.03)
    assert not out[["size", "count", "kind"]].isna().any().any()
    given = synthesise(RECORDS, rng=8, like=frame, given={"kind": ["a"] * 5, "count": 7})
    assert given["kind"].tolist() == ["a"] * 5
    assert given["count"].tolist() == [7] * 5
    beyond = synthesise(RECORDS, 3, rng=8, like=frame, given={"size": 20.125, "wait": 1e6})
    assert beyond["size"].tolist() == [20.125] * 3  # what is given is kept, out of range and to the digit
    assert beyond["wait"].tolist() == [1e6] * 3
    two = frame.assign(note="x")[["kind", "note", "wait", "size", "count"]]
    out = synthesise(RECORDS, 10, rng=7, like=two, columns=["size", "count", "kind", "wait"])
    assert list(out.columns) == ["size", "count", "kind", "wait"]


def test_draws_beyond_the_bounds_are_replaced_by_draws_within() -> None:
    law = Mix([Tuple((N(0.0, 1.0), C({"a": 1.0}))), Tuple((N(2.0, 1.0), C({"b": 1.0})))], [0.5, 0.5])
    frame = pd.DataFrame({"x": np.linspace(0.0, 1.0, 1001) ** 1.01, "k": ["a", "b"] * 500 + ["a"]})
    out = synthesise(law, 20_000, rng=9, like=frame)
    for k, mean in (("a", 0.0), ("b", 2.0)):
        x = out["x"][out["k"] == k]
        assert scipy.stats.kstest(x, scipy.stats.truncnorm(0.0 - mean, 1.0 - mean, mean).cdf).pvalue > 1e-4
    far = pd.DataFrame({"x": [500.0, 501.0]})
    assert set(synthesise(Tuple((N(0.0, 1.0),)), 5, rng=1, like=far)["x"]) == {500.0}
    counts = synthesise(PoissonDistribution(5.0), 8000, rng=1, like=pd.DataFrame({"x": [3, 4, 5, 6]}))["x"]
    p = scipy.stats.poisson(5.0).pmf([3, 4, 5, 6])
    np.testing.assert_allclose(counts.value_counts(normalize=True).sort_index(), p / p.sum(), atol=0.02)


def test_bounds_of_values_that_may_be_missing() -> None:
    law = Mix([Tuple((Opt(N(0.0, 1.0), 0.9),)), Tuple((Opt(N(3.0, 1.0), 0.0),))], [0.8, 0.2])
    x = synthesise(law, 30_000, rng=1, like=pd.DataFrame({"x": [0.0, 1.5, 1 / 3]}))["x"].dropna()
    present: Any = Mix([N(0.0, 1.0), N(3.0, 1.0)], [0.08 / 0.28, 0.2 / 0.28])
    below, above = present.cdf(0.0), present.cdf(1.5)
    assert scipy.stats.kstest(x, lambda v: (present.cdf(v) - below) / (above - below)).pvalue > 1e-4


def test_bounds_of_a_mixture_of_values_that_may_be_missing() -> None:
    law = Tuple((Mix([Opt(N(0.0, 1.0), 0.9), Opt(N(3.0, 1.0), 0.0)], [0.8, 0.2]),))  # the mixture is inside the field
    x = synthesise(law, 20_000, rng=1, like=pd.DataFrame({"x": [0.0, 1.5, 1 / 3]}))["x"].dropna()
    present: Any = Mix([N(0.0, 1.0), N(3.0, 1.0)], [0.08 / 0.28, 0.2 / 0.28])
    below, above = present.cdf(0.0), present.cdf(1.5)
    assert scipy.stats.kstest(x, lambda v: (present.cdf(v) - below) / (above - below)).pvalue > 1e-4


def test_rounding_keeps_draws_within_the_bounds() -> None:
    """Bounds that are decimal numbers up to rounding, and bounds of so many digits that rounding to them moves a number."""
    frame = pd.DataFrame({"x": [0.1 + 3e-14, 0.3, 0.4 - 3e-14]})
    x = synthesise(Tuple((N(0.25, 1.0),)), 60, rng=1, like=frame)["x"]
    assert x.nunique() == 4
    assert frame["x"].min() <= x.min()
    assert x.max() <= frame["x"].max()


X_GAPS = np.where(np.arange(40) % 2, np.nan, np.arange(40) / 4)
LABEL_GAPS = np.array(["a", None, "b", "b"] * 10, dtype=object)


@pytest.mark.parametrize(
    ("law", "column", "share"),
    [
        (Opt(N(0.0, 1.0), 0.3), X_GAPS, 0.3),
        (Opt(N(0.0, 1.0), 0.0), X_GAPS, 0.0),
        (Opt(N(0.0, 1.0)), X_GAPS, 0.5),
        (N(0.0, 1.0), X_GAPS, 0.5),
        (Mix([Opt(N(0.0, 1.0), 0.1), Opt(N(5.0, 1.0), 0.5)], [0.5, 0.5]), X_GAPS, 0.3),
        (Opt(Opt(PoissonDistribution(3.0), 0.3)), X_GAPS, 0.3),
        (IgnoredDistribution(Opt(N(0.0, 1.0), 0.3)), X_GAPS, 0.3),
        (C({"a": 0.6, None: 0.4}), LABEL_GAPS, 0.4),
        (C({"a": 0.6, "b": 0.4}), LABEL_GAPS, 0.25),
    ],
    ids=["optional", "never", "ignored", "plain", "mixture", "nested", "fixed", "label", "labels"],
)
def test_the_share_that_is_missing_in_frames_of_one_row_as_in_large_ones(law: Any, column: Any, share: float) -> None:
    """That of the model where it says one, of the frame otherwise."""
    model, frame, rng = Tuple((law, N(0.0, 1.0))), pd.DataFrame({"a": column, "b": np.arange(40.0)}), np.random.default_rng(3)
    one = np.mean([synthesise(model, 1, rng=rng, like=frame)["a"].isna().all() for _ in range(80)])
    assert one == pytest.approx(share, abs=3.3 * math.sqrt(share * (1 - share) / 80))
    large = synthesise(model, 3000, rng=rng, like=frame)["a"].isna().mean()
    assert large == pytest.approx(share, abs=3.3 * math.sqrt(share * (1 - share) / 3000))


def test_the_share_that_is_missing_where_other_fields_are_given() -> None:
    frame = training(40)
    one = [synthesise(RECORDS, rng=i, like=frame, given={"kind": ["b"]})["wait"].isna().all() for i in range(80)]
    share = marginal(condition(RECORDS, {2: "b"}), 2).density(None)
    assert np.mean(one) == pytest.approx(share, abs=3.3 * math.sqrt(share * (1 - share) / 80))


def test_missingness_that_the_model_ignores_is_that_of_the_frame() -> None:
    law = Tuple((Opt(N(0.0, 1.0)), Opt(C({"a": 0.5, "b": 0.5})), N(0.0, 1.0)))
    frame = pd.DataFrame(synthesise(law, 300, rng=1), columns=["x", "k", "y"])
    frame.loc[::3, ["x", "k"]] = None
    out = synthesise(law, 6000, rng=2, like=frame)
    assert out["x"].isna().mean() == pytest.approx(1 / 3, abs=0.03)
    assert out["x"].isna().equals(out["k"].isna())
    assert not out["y"].isna().any()


def test_a_polars_frame() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        RECORDS.sample(90, rng=1), schema={"size": pl.Float64, "count": pl.Int32, "kind": pl.String, "wait": pl.Float64}, orient="row"
    )
    out = synthesise(RECORDS, 50, rng=7, like=frame)
    assert out.schema == frame.schema
    assert out.height == 50


def test_penguins_fool_a_comparison_of_marginals() -> None:
    frame, model = penguins()
    out = synthesise(model, 1000, rng=3, like=frame)
    assert out.dtypes.equals(frame.dtypes)
    assert set(out["sex"].dropna()) == {"female", "male"}
    report = compare(frame, out, classify=False)
    assert max(m.distance for m in report.marginals) < 0.12
    assert max(p.gap for p in report.pairs) < 0.25
    assert out["body_mass_g"].dropna().map(float.is_integer).all()


# -- comparing ---------------------------------------------------------------------------------------------------------


def test_the_parts_of_a_comparison() -> None:
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(1)
    x = rng.normal(size=500)
    real = pd.DataFrame(
        {"x": x, "y": x + rng.normal(size=500), "k": np.where(x > 0, "u", "v"), "s": [[1] * int(n) for n in rng.poisson(3, 500)]}
    )
    other = real.copy()
    other["x"] = rng.permutation(x) + 0.5
    other.loc[:99, "k"] = None
    report = compare(real, other, rng=1)
    by_name = {m.name: m for m in report.marginals}
    assert by_name["x"].distance == pytest.approx(scipy.stats.ks_2samp(real["x"], other["x"]).statistic)
    assert by_name["y"].distance == 0.0
    assert by_name["k"].missing == (0.0, 0.2)
    shares = [(side["k"].dropna() == "u").mean() for side in (real, other)]
    assert by_name["k"].distance == pytest.approx(abs(shares[0] - shares[1]))
    assert by_name["s"].real[0] == pytest.approx(np.mean([len(v) for v in real["s"]]))
    pairs = {p.names: p for p in report.pairs}
    assert pairs["x", "y"].real == pytest.approx(scipy.stats.spearmanr(real["x"], real["y"]).statistic)
    r = ranks(real["y"].to_numpy())
    within = sum(((r[real["k"] == k] - r[real["k"] == k].mean()) ** 2).sum() for k in "uv")
    assert pairs["y", "k"].real == pytest.approx(math.sqrt(1 - within / ((r - r.mean()) ** 2).sum()))
    assert report.classifier is not None
    assert report.classifier.auc > 0.8
    with pytest.raises(ParameterError, match="at least 20 rows"):
        compare([(1.0,)], [(1.0,)])
    assert report.classifier.p < 1e-6
    text = str(report)
    assert "x - y" in text
    assert "rows held out" in text
    assert max(map(len, text.splitlines())) < 120


def drawn_lists(stay: float, n: int, seed: int) -> list[list[str]]:
    """Sequences of two letters of which the next is the same as often as `stay`."""
    rng = np.random.default_rng(seed)
    turns = [np.cumsum(rng.random(length + 1) > stay) + rng.integers(2) for length in rng.poisson(4, n)]
    return [["uv"[i % 2] for i in row.tolist()] for row in turns]


def test_vectors_are_compared_by_their_coordinates_and_their_dependence() -> None:
    rng = np.random.default_rng(4)
    x, far = rng.normal(size=(200, 3)), rng.normal(100.0, 50.0, size=(200, 3))
    for kind in (np.asarray, list, tuple):
        report = compare([(kind(v), "a") for v in x], [(kind(v), "a") for v in far], classify=False)
        assert [m.name for m in report.marginals] == ["field 0, 0", "field 0, 1", "field 0, 2", "field 1"]
        expected = [scipy.stats.ks_2samp(a, b).statistic for a, b in zip(x.T, far.T, strict=True)]
        assert [m.distance for m in report.marginals] == pytest.approx([*expected, 0.0])
    frames = [pd.DataFrame({"v": list(side)}) for side in (x, np.stack([x[:, 0], x[:, 0], rng.permutation(x[:, 2])], axis=1))]
    pair = compare(*frames, classify=False).pairs[0]
    assert pair.names == ("v, 0", "v, 1")
    assert abs(pair.real) < 0.2
    assert pair.synthetic == pytest.approx(1.0)
    pytest.importorskip("sklearn")
    few = compare([(v,) for v in x[:20]], [(v,) for v in far[:20]], rng=1).classifier
    assert few is not None
    assert few.p < 0.01


def test_lists_are_compared_by_length_elements_and_order() -> None:
    real, other = drawn_lists(0.9, 200, 1), drawn_lists(0.5, 200, 2)
    for one, two in ((real, other), ([(v,) for v in real], [(v,) for v in other])):
        report = compare(one, two, classify=False)
        assert [m.name for m in report.marginals] == ["field 0", "field 0, element"]
        assert max(m.distance for m in report.marginals) < 0.1
        assert report.pairs[0].names == ("field 0, element", "next")
        assert report.pairs[0].gap > 0.6
    numbers = [[[float(i)] * (1 + i % 2) for i in range(40)], [[float(i + 40)] * (1 + i % 2) for i in range(40)]]
    assert [m.distance for m in compare(*numbers, classify=False).marginals] == [0.0, 1.0]
    inner = [[([(1.0, label)] * (1 + i % 3),) for i in range(30)] for label in "ab"]
    report = compare(*inner, classify=False)
    assert {m.name: m.distance for m in report.marginals} == {"field 0": 0.0, "field 0, element, 0": 0.0, "field 0, element, 1": 1.0}
    pytest.importorskip("sklearn")
    told = compare(*numbers, rng=1).classifier
    assert told is not None
    assert told.p < 1e-3


def test_the_classifier_sees_what_is_in_lists() -> None:
    lists = [[[label] * (i % 3) for i in range(4)] for label in "uv"]
    (length, element) = plain_columns("x", lists)
    assert [list(column) for column in length.features(0, 4)] == [[0.0, 1.0, 2.0, 0.0]]
    np.testing.assert_array_equal(element.features(0, 4), [[np.nan, 1.0, 1.0, np.nan], [np.nan, 0.0, 0.0, np.nan]])
    _, _, numbers = plain_columns("x", [[[(0, 1.0), (1, 3.0)], [(0, 5.0)], []], [[], [], [(0, 1.0), (0, 1.0)]]])
    np.testing.assert_array_equal(numbers.features(0, 3), [[2.0, 5.0, np.nan], [1.0, 0.0, np.nan]])


def test_sets_are_compared_by_their_members() -> None:
    real, other = ([(frozenset(v),) for v in side] for side in (["ab"] * 30 + ["c"] * 30, ["cd"] * 30 + ["b"] * 30))
    report = compare(real, other, classify=False)
    assert {m.name: m.distance for m in report.marginals} == {
        "field 0": 0.0,
        **{f"field 0: {v}": distance for v, distance in zip("abcd", (0.5, 0.0, 0.0, 0.5), strict=True)},
        "field 0, element": pytest.approx(1 / 3),
    }
    assert {p.names: (p.real, p.synthetic) for p in report.pairs}["field 0: b", "field 0: a"] == pytest.approx((1.0, 0.0))
    as_lists = compare(real, [(sorted(v[0]),) for v in real], classify=False)
    assert max(m.distance for m in as_lists.marginals) == 0.0
    assert not any("next" in p.names for p in report.pairs)


def test_records_dates_and_missing_entries() -> None:
    one = [{"r": (1.0, "a"), "m": {"x": 1}}, {"r": None, "m": {"x": 2}}, {"r": (None, "b"), "m": {"x": 1}}]
    two = [{"m": {"x": 3}, "r": (1.0, "a")}, {"m": {"x": 3}, "r": (2.0, "a")}]
    report = compare(one, two, classify=False)
    assert {m.name: m.missing for m in report.marginals} == {"r, 0": (2 / 3, 0.0), "r, 1": (1 / 3, 0.0), "m, x": (0.0, 0.0)}
    assert [m.distance for m in report.marginals] == [0.5, 0.5, 1.0]
    days = pd.date_range("2020-01-01", periods=40)
    frames = [pd.DataFrame({"when": days, "for": days - days[0], "as": days.date})[:n] for n in (40, 20)]
    assert [m.distance for m in compare(*frames, classify=False).marginals] == [0.5, 0.5, 0.5]
    swapped = compare(frames[0], frames[1][["as", "for", "when"]], classify=False)
    assert [m.name for m in swapped.marginals] == ["when", "for", "as"]


def test_labels_against_labels_and_equal_tables() -> None:
    rng = np.random.default_rng(2)
    rows = [(str(a), b) for a, b in zip(rng.integers(0, 3, 900), rng.choice(["u", "v"], 900), strict=True)]
    rows += [("2", "v")] * 100
    report = compare(rows, rows, classify=False)
    table = pd.crosstab(*map(pd.Series, zip(*rows, strict=True)))
    chi2 = scipy.stats.chi2_contingency(table, correction=False).statistic
    assert report.pairs[0].real == pytest.approx(math.sqrt(chi2 / 1000))
    assert report.pairs[0].gap == 0
    assert report.classifier is None
    pytest.importorskip("sklearn")
    half = RECORDS.sample(2000, rng=3)
    alike = compare(half[:1000], half[1000:], rng=1).classifier
    assert alike is not None
    assert 0.4 < alike.auc < 0.6
    assert alike.p > 1e-3


def test_the_area_of_scores_that_tie_is_mann_whitneys() -> None:
    rng = np.random.default_rng(5)
    label = rng.integers(0, 2, 90)
    score = np.floor(label + 3 * rng.random(90))
    auc, p = area(score, label)
    one, other = score[label == 1], score[label == 0]
    expected = scipy.stats.mannwhitneyu(one, other, alternative="greater", use_continuity=False, method="asymptotic")
    assert auc == pytest.approx(expected.statistic / len(one) / len(other))
    assert p == pytest.approx(expected.pvalue)
    assert area(np.ones(9), np.arange(9) % 2)[1] == 1.0


def test_dependence_is_that_of_rows_without_gaps() -> None:
    x = np.array([1.0, 2.0, np.nan, 4.0, 3.0, 9.0, np.nan])
    y = np.array([2.0, 1.0, 5.0, np.nan, 7.0, 8.0, np.nan])
    frame = pd.DataFrame({"x": x, "y": y, "k": ["u", "v", None, "u", "v", "v", "u"]})
    pairs = {p.names: p.real for p in compare(frame, frame, classify=False).pairs}
    whole = frame.dropna()
    assert pairs["x", "y"] == pytest.approx(scipy.stats.spearmanr(whole["x"], whole["y"]).statistic)
    assert pairs["x", "k"] == pytest.approx(math.sqrt(1 - (4.5 + 14 / 3) / 10))


def test_the_area_and_its_p_value_are_mann_whitneys() -> None:
    pytest.importorskip("sklearn")
    real, other = np.random.default_rng(3).normal(size=(2, 300, 1))
    got = compare(real, other + 0.3, rng=2).classifier
    assert got is not None
    assert 0.5 < got.auc < 0.75
    n = got.rows / 2
    z = (got.auc - 0.5) / math.sqrt((2 * n + 1) / (12 * n * n))
    assert got.p == pytest.approx(scipy.stats.norm.sf(z), rel=0.5)


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_what_synthesising_refuses() -> None:
    frame = training(50)
    for wrong in ({}, {"n": -1}, {"n": 1.5}):
        with pytest.raises(ParameterError, match="n must be"):
            synthesise(RECORDS, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="like must be a data frame"):
        synthesise(RECORDS, 3, like=[(1, 2)])
    with pytest.raises(SupportError, match=r"given: row 1, \{2: 'z'\}, has density zero"):
        synthesise(RECORDS, given={2: ["a", "z"]})
    with pytest.raises(StructureError, match="has no field 'colour'"):
        synthesise(RECORDS, 3, given={"colour": 1})
    with pytest.raises(StructureError, match="given twice"):
        synthesise(RECORDS, 3, given={"size": 1.0, 0: 1.0})
    with pytest.raises(StructureError, match="no fields that could be given"):
        synthesise(N(0.0, 1.0), 3, given={0: 1.0})
    with pytest.raises(DataError, match="one value for each row"):
        synthesise(RECORDS, 3, given={0: [1.0, 2.0]})
    with pytest.raises(DataError, match="is 'tall'"):
        synthesise(RECORDS, 3, given={0: "tall"})
    with pytest.raises(DataError, match=r"column 'kind': row .* would be '.', which is not among the categories"):
        synthesise(RECORDS, 30, rng=1, like=frame.assign(kind=pd.Series(["u"] * 50, dtype="category")))
    with pytest.raises(DataError, match="columns are missing"):
        synthesise(RECORDS, 3, like=frame[["size"]])


def test_what_comparing_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="different columns"):
        compare(pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]}))
    with pytest.raises(DataError, match="at least one row"):
        compare([], [(1.0,)])
    for rows, message in (
        ([(1.0,), ([1.0],)], r"column 'field 0': 1.0 and \[1.0\] stand in one column"),
        ([(1.5,), ("a",)], "column 'field 0': 1.5 and 'a' stand in one column; compare needs numbers or labels"),
        ([({"x": 1},), ({"y": 1},)], "column 'field 0': mappings with different keys"),
        ([(bytearray(b"x"),)], "column 'field 0': bytearray.* is no number, label"),
    ):
        with pytest.raises(DataError, match=message):
            compare(rows, rows, classify=False)
    assert compare([(1,), ("a",)], [(1,), ("a",)], classify=False).marginals[0].kind == "label"
    with pytest.raises(DataError, match="rows of one length"):
        compare([(1.0,), (1.0, 2.0)], [(1.0,)])
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(DmlcoreError, match=r"needs scikit-learn: pip install 'dmlcore\[compare\]', or pip install scikit-learn"):
        compare([(1.0,)] * 30, [(1.0,)] * 30)


def test_decimals() -> None:
    assert [decimals(np.array(v)) for v in ([1.0, 20.0], [0.5, 1.25], [1 / 3])] == [0, 2, 16]
