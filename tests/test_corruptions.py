"""A small part of `python -m tests.corruptions`, and the smallest case of each thing that it, or `python -m tests.fuzz`, has found."""

from __future__ import annotations

import io
import math
import numbers
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet

from dmlcore import fit, impute, read
from dmlcore.base.errors import DataError, DegenerateError, FormatError, ParameterError, shorten
from dmlcore.base.labels import MAX_NESTED, is_kept
from dmlcore.core.partial import UNKNOWN, unknown_inside
from dmlcore.io import from_json, to_json
from dmlcore.io.reading import Reader
from dmlcore.stats import (
    BernoulliSetDistribution,
    BinomialDistribution,
    CategoricalDistribution,
    CategoricalEstimator,
    CensoredDistribution,
    CompositeDistribution,
    GaussianDistribution,
    HiddenMarkovModelDistribution,
    IntegerCategoricalDistribution,
    LinearRegressionDistribution,
    MultinomialDistribution,
    MultivariateGaussianDistribution,
    OptionalDistribution,
    PartialGaussianDistribution,
    PoissonDistribution,
    PoissonRegressionDistribution,
    SpikeAndSlabDistribution,
    TimeDistribution,
    TruncatedDistribution,
)
from tests.corruptions import check_data, check_text, texts
from tests.damaged import REFUSED, RIGHT, check_table
from tests.examples import BY_NAME, EXAMPLES, Example
from tests.spoiling import VALUES, itself, nested

N = GaussianDistribution
LINE = LinearRegressionDistribution([1.5, -0.4], 0.5, 2.0)


@pytest.mark.parametrize("e", EXAMPLES, ids=repr)
def test_one_corrupt_cell_is_refused_or_right(e: Example) -> None:
    check_data(e, seed=11, thorough=False)


@pytest.mark.parametrize("part", range(8))
def test_one_corrupt_place_of_a_file_is_refused_or_right(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dmlcore.stats.latent.state_paths.ENDLESS", 50)
    for name in list(texts())[part::16]:
        check_text(name, seed=11)


def reads_number(v: Any) -> bool:
    """What a law of real numbers reads, told another way."""
    if not isinstance(v, (numbers.Real, np.bool_, Decimal)) or isinstance(v, np.timedelta64):
        return False
    try:
        return not math.isnan(float(v))
    except (OverflowError, ValueError):
        return False


def reads_whole(v: Any) -> bool:
    """What a law of whole numbers reads."""
    return reads_number(v) and math.isfinite(v) and v == math.floor(v) and -(2**63) <= int(v) < 2**63


def reads_pair(v: Any) -> bool:
    """What a law of vectors of two reals reads."""
    listed = isinstance(v, (list, tuple, range)) or (isinstance(v, np.ndarray) and v.ndim == 1)
    return listed and len(v) == 2 and all(map(reads_number, v))


@pytest.mark.parametrize(
    ("law", "reads"),
    [
        (N(0.0, 1.0), reads_number),
        (PoissonDistribution(3.0), reads_whole),
        (MultivariateGaussianDistribution([0.0, 1.0], np.eye(2)), reads_pair),
        (TimeDistribution(N(0.0, 9.0), "D", "2021-03-01"), lambda v: isinstance(v, (date, np.datetime64)) and v == v and not zoned(v)),
    ],
    ids=["reals", "whole numbers", "vectors", "times"],
)
def test_what_is_read_is_what_should_be(law: Any, reads: Any) -> None:
    for value in VALUES:
        if reads(value):
            assert not math.isnan(law.log_density(value))
        else:
            with pytest.raises(DataError, match=r"row 0 is (?s:.*); need "):
                law.log_density(value)


def zoned(v: Any) -> bool:
    """Whether a time has a zone, or cannot be in the years of a column of days."""
    return getattr(v, "tzinfo", None) is not None


# -- found, and mended -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [nested(5000), nested(5000, tuple), 10**5000, itself()], ids=["lists", "tuples", "number", "itself"])
def test_what_cannot_be_written_is_named_all_the_same(value: Any) -> None:
    for law in (N(0.0, 1.0), PoissonDistribution(1.0), CategoricalDistribution({"a": 1.0}), BY_NAME["semi-supervised"].law):
        with pytest.raises(DataError, match="row 0 is "):
            law.log_density(value if law.layout.single else (1.0, value))
    assert not unknown_inside([value])
    assert unknown_inside([{"a": (1, UNKNOWN)}])
    assert len(shorten(value)) < 120


def test_labels_are_kept_as_deep_and_as_wide_as_files_hold_them() -> None:
    deep, wide = nested(MAX_NESTED - 1, tuple), 1 << 13_999
    for label in (deep, wide):
        law = fit([label, "a"], CategoricalEstimator()).model
        assert from_json(to_json(law)) == law
        assert not is_kept((label, label) if label is deep else label * 2)


def test_ranges_beyond_64_bits_are_not_drawn_from() -> None:
    for law in (IntegerCategoricalDistribution(2**70, [0.5, 0.5]), SpikeAndSlabDistribution(2**70, 3, 0.5, 2**70)):
        with pytest.raises(ParameterError, match=r"draws from .* would exceed whole numbers of 64 bits"):
            law.sample(3, rng=1)
    assert min(IntegerCategoricalDistribution(2**63 - 2, [0.5, 0.5]).sample(20, rng=1)) == 2**63 - 2


def test_arrays_that_hold_nan_equal_themselves() -> None:
    marks = [Decimal("nan"), math.nan, None]
    laws = [OptionalDistribution(N(0.0, 1.0), 0.5, mark) for mark in marks]
    for i, law in enumerate(laws):
        again = from_json(to_json(law))
        assert [again == other for other in laws] == [i == j for j in range(len(laws))]
        assert hash(again) == hash(law)
    law = OptionalDistribution(N(0.0, 1.0), 0.5, np.array(np.nan))
    again = from_json(to_json(law))
    assert again == law
    assert hash(again) == hash(law)


def test_whole_numbers_beyond_reach_are_refused_at_once() -> None:
    with pytest.raises(ParameterError, match="n must be a whole number"):
        BinomialDistribution(0.5, Decimal("1e999999999"))
    assert BinomialDistribution(0.5, Decimal(5)).n == 5
    assert BinomialDistribution(0.5, 10**400).n == 10**400


def test_covariates_far_away_in_half_of_the_rows_cost_the_others_no_digits() -> None:
    law = LinearRegressionDistribution([0.4, -0.3], 0.2, 1.0)
    near = ((-2.5, -0.5), 1.0)
    alone = law.log_density(near)
    for rows in (1, 3, 20):  # of few rows all are looked at
        np.testing.assert_allclose(law.seq_log_density([((2.0**63, 0.5), 1.0), near] * rows)[1::2], alone, rtol=1e-12)


def test_counts_that_are_gone_through_one_by_one_are_bounded() -> None:
    counts = PoissonRegressionDistribution([0.5], 0.4)
    assert np.isfinite(TruncatedDistribution(counts, 100).seq_log_density([([9.0], 120)])).all()
    with pytest.raises(ParameterError, match="low of a regression of counts must be at most 10000, got 2e\\+50"):
        TruncatedDistribution(counts, 2e50)


def test_bags_of_too_many_are_shown_whole() -> None:
    bag = [("a", 2**63 - 1), ("b", 1)]
    with pytest.raises(DataError, match=r"row 0 is \[\('a', 9223372036854775807\), \('b', 1\)\]; need counts whose sum"):
        MultinomialDistribution(CategoricalDistribution({"a": 0.5, "b": 0.5})).seq_log_density([bag])


def test_names_of_parts_that_are_no_utf_8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "names.jsonl"
    for line in (b'{"a": {"\xe5": null}}', b'{"a": [{"\xe5": 1}]}'):
        path.write_bytes(b'{"a": null}\n' + line)
        with pytest.raises(DataError, match="line 2 holds the byte 0xe5"):
            read(path)


def test_null_in_place_of_an_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "null.jsonl"
    for text, line in ((b'null\n{"a": 1}\n', 1), (b"\xef\xbb\xbfnull}}\n", 1), (b'{"a": 1}\n\n \tnull\n', 3), (b'{"a": "\xff"}\n null', 1)):
        path.write_bytes(text)
        with pytest.raises(DataError, match=f"line {line} "):
            read(path)


def test_a_column_of_times_does_not_go_round() -> None:
    law = TimeDistribution(N(0.0, 4.0), "D", "2021-03-04")
    for far, rest in ((np.datetime64("300000-01-01"), datetime(2021, 3, 4)), (datetime(3000, 1, 1), np.datetime64(1, "ns"))):
        with pytest.raises(DataError, match=r"time: row 0 is .*; need dates or times within reach of the unit of the column, (us|ns)"):
            law.seq_log_density([far, rest])
    with pytest.raises(
        DataError, match=r"row 1 is np.datetime64\(.*\); need dates or times in a unit within reach of the others: as does not reach 2021"
    ):
        law.seq_log_density([datetime(2021, 3, 4), np.datetime64(1, "as"), date(2021, 3, 5)])
    for year in (np.array([2**61], "M8[Y]"), [np.datetime64(2**61, "Y")]):
        with pytest.raises(DataError, match=r"row 0 is .*; need dates or times within reach of days"):
            law.seq_log_density(year)
    with pytest.raises(DataError, match=r"row 1 is np.timedelta64\(5,'Y'\); need dates or times of a fixed unit"):
        law.seq_log_density([datetime(2021, 3, 4), np.timedelta64(5, "Y")])


def test_covariates_far_away_leave_other_rows_alone() -> None:
    rows = [([i / 7, -i / 3], 0.5) for i in range(40)]
    for e in (LINE, BY_NAME["ordinal regression"].law, BY_NAME["multinomial logistic regression"].law):
        y = 0.5 if e is LINE else e.labels[0] if hasattr(e, "labels") else e.levels[0]
        own = [(x, y) for x, _ in rows]
        before = e.seq_log_density(own)
        after = e.seq_log_density([([2.0**63, 0.0], y), *own[1:]])
        np.testing.assert_allclose(after[1:], before[1:], rtol=1e-12)


def test_ranges_without_probability_have_density_zero() -> None:
    for law, y in ((TruncatedDistribution(LINE, -1.0, 2.0), 0.5), (BY_NAME["hurdle regression"].law, 2)):
        for far in (1e30, -1e30, 1e308):
            assert not math.isnan(law.log_density(([0.0, far], y)))
    trials = BY_NAME["binomial regression"].law
    assert not np.isnan(trials.seq_log_density([([far, 0.0], y, 5, 0.0) for far in (1e308, -1e308) for y in (0, 4, 5)])).any()
    censored = CensoredDistribution(LINE)
    assert [censored.log_density(([far, 0.0], (None, 1.0))) for far in (1e308, -1e308)] == [-math.inf, 0.0]


def test_counts_of_a_bag_have_a_sum() -> None:
    law = MultinomialDistribution(CategoricalDistribution({"a": 0.5, "b": 0.5}), PoissonDistribution(3.0))
    with pytest.raises(DataError, match=r"multinomial: row 1 is .*; need counts whose sum is a whole number of at most 64 bits"):
        law.seq_log_density([[("a", 1)], [("a", 2**63 - 1), ("b", 2**63 - 1)]])
    assert np.isfinite(law.seq_log_density([[("a", 2**62)]] * 5)).all()


def test_one_long_word_is_no_long_work() -> None:
    rows: list[Any] = [np.array([1.0, 2.0])] * 30 + [[1.0, "x" * 100_000]]
    for law in (MultivariateGaussianDistribution([0.0, 0.0], np.eye(2)), PartialGaussianDistribution([0.0, 0.0], np.eye(2))):
        with pytest.raises(DataError, match="row 30 is "):
            law.seq_log_density(rows)


@pytest.mark.parametrize("value", [memoryview(b"ab"), bytearray(b"ab"), pd.DataFrame({"a": [1.0]})], ids=lambda v: type(v).__name__)
def test_bytes_and_frames_are_no_rows_of_lists(value: Any) -> None:
    for law in (MultivariateGaussianDistribution([0.0, 0.0], np.eye(2)), BernoulliSetDistribution({"a": 0.5}), LINE):
        with pytest.raises(DataError, match="row 0 is "):
            law.log_density((value, 1.0) if law is LINE else value)


def test_arrays_of_tuples_are_completed_as_such() -> None:
    rows = np.empty(2, dtype=object)
    rows[:] = [(1.0, "a"), (math.nan, "a")]
    filled = impute(CompositeDistribution((N(3.0, 1.0), CategoricalDistribution({"a": 1.0}))), rows).data
    assert isinstance(filled, np.ndarray)
    assert filled.tolist() == [(1.0, "a"), (3.0, "a")]


def test_a_mapping_of_which_nothing_is_known_is_completed() -> None:
    e = BY_NAME["optional composite"]
    done = impute(e.law, [("a", 1), {}]).data
    assert done[0] == ("a", 1)
    assert np.isfinite(e.law.log_density(done[1]))


def test_responses_of_which_some_are_intervals_are_completed() -> None:
    filled = impute(CensoredDistribution(LINE), [([1.0, 0.0], None), ([1.0, 0.0], (1.0, None))])
    assert filled.data[0][1] == 2.0
    assert filled.cells["field 1"].uncertainty[0] == pytest.approx(math.sqrt(2.0))


def test_a_decimal_that_signals_is_missing_as_nan_is() -> None:
    law = OptionalDistribution(GaussianDistribution(2.0, 3.0), 0.3, missing_value=-999.0)
    np.testing.assert_array_equal(law.seq_log_density([Decimal("sNaN")]), law.seq_log_density([math.nan]))


def test_draws_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match=r"poisson: draws of mean 1e\+30 would exceed"):
        PoissonDistribution(1e30).sample(2, rng=0)
    for large in (BinomialDistribution(0.5, 10**30), BinomialDistribution(0.5, 4, 2**63)):
        with pytest.raises(ParameterError, match=r"binomial: draws from .* would exceed whole numbers of 64 bits"):
            large.sample(2, rng=0)
    monkeypatch.setattr("dmlcore.stats.latent.state_paths.ENDLESS", 50)
    endless = HiddenMarkovModelDistribution([CategoricalDistribution({"a": 1.0})], [1.0], [[1.0]], terminal_values=["b"])
    with pytest.raises(DegenerateError, match=r"without one of the terminal_values \['b'\]"):
        endless.sample(1, rng=0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"fraction": "1e9999999"}, "cannot be read"),  # which Python's own fraction reads for hours
        ({"fraction": "1/2/3"}, "cannot be read"),
        ({"map": [[{"family": "NullDistribution"}, 1]]}, "is no label; need str"),
        ({"set": [{"tuple": [{"family": "NullDistribution"}]}]}, "is no label; need str"),
    ],
)
def test_values_of_files_that_are_none(data: Any, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        Reader().value(data, "here")


FINDINGS: list[tuple[str, bytes]] = [
    (".jsonl", b'{": [1, 2], \xded": {"e": null}}\n{"a": 2.5, "b": null}\n'),  # a name that is not UTF-8
    (".jsonl", b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"),  # which ended the process
]


@pytest.mark.parametrize(("old", "new"), [(b"abcd", b"ab\xe5d"), (b"wxyz", b"wx\xe5z")], ids=["name", "text"])
def test_parquet_that_holds_other_than_utf8(old: bytes, new: bytes) -> None:
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"abcd": ["wxyz"]}), file, compression="none", store_schema=False)
    assert check_table(".parquet", file.getvalue()) == RIGHT
    assert check_table(".parquet", file.getvalue().replace(old, new)) == REFUSED


@pytest.mark.parametrize(("suffix", "content"), FINDINGS, ids=range(len(FINDINGS)))
def test_texts_that_were_found_by_fuzzing(suffix: str, content: bytes) -> None:
    assert check_table(suffix, content) == REFUSED
