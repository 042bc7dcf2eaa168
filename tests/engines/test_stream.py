"""Streams: what may be one, files and tables that are not as they should be, and the folder that encoded rows are kept in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore import fit, impute, propose
from dmlcore.base.errors import DataError, EmptyError, ParameterError, SupportError
from dmlcore.engines.stream import stream
from dmlcore.io.tables import write
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureEstimator,
    MultivariateGaussianEstimator,
    OptionalEstimator,
)

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
polars = pytest.importorskip("polars")

RECORD = CompositeEstimator({"x": GaussianEstimator(), "l": CategoricalEstimator()})
TWO = MixtureEstimator([GaussianEstimator()] * 2)


def table(n: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    labels = np.array(list("abcdef"))[rng.integers(0, 3, n) + 3 * (seed > 0)]  # other ones in later files
    return pa.table({"x": rng.normal(seed, 1.0, n), "l": labels, "w": rng.integers(0, 3, n)})


def written(folder: Path, *tables: Any) -> list[str]:
    paths = [str(folder / f"part{i}.parquet") for i in range(len(tables))]
    for one, path in zip(tables, paths, strict=True):
        pq.write_table(one, path)
    return paths


def assert_fits_as(found: Any, rows: Any, estimator: Any = RECORD, **options: Any) -> None:
    whole = fit(rows, estimator, **options)
    assert found.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)
    assert found.rows == whole.rows


# -- what a stream may be ------------------------------------------------------------------------------------------------

SIZES = (3, 50, 0, 117)  # unequal, and one with no rows


@pytest.mark.parametrize("source", ["pattern", "folder", "list", "paths in a list", "batches", "rows", "stream of paths"])
def test_sources_give_the_fit_of_all_rows(tmp_path: Path, source: str) -> None:
    tables = [table(n, seed) for seed, n in enumerate(SIZES)]
    paths = written(tmp_path, *tables)
    (tmp_path / "notes.txt").write_text("no table")
    data: Any = {
        "pattern": str(tmp_path / "*.parquet"),
        "folder": tmp_path,
        "list": paths[::-1],  # in the order given
        "paths in a list": [Path(path) for path in paths],
        "batches": stream(lambda: (batch for one in tables for batch in one.to_batches(max_chunksize=20))),
        "rows": stream(lambda: (list(zip(*one.select(["x", "l"]).to_pydict().values(), strict=True)) for one in tables)),
        "stream of paths": stream(paths, chunk_rows=7),
    }[source]
    assert_fits_as(fit(data, RECORD), pa.concat_tables(tables))


def test_files_of_several_kinds_and_columns_in_another_order(tmp_path: Path) -> None:
    one, other = table(40), table(30, 1)
    pq.write_table(one, tmp_path / "a.parquet")
    write(other.select(["w", "l", "x"]), tmp_path / "b.csv")
    whole = pa.concat_tables([one, other])
    assert_fits_as(fit(tmp_path, RECORD), whole)
    vectors = MultivariateGaussianEstimator(2)  # reads columns by their place
    tables = [one.select(["x", "w"]), other.select(["w", "x"])]
    assert_fits_as(fit(stream(lambda: iter(tables)), vectors), whole.select(["x", "w"]), vectors)


def test_weights_are_a_column_and_a_part_may_have_none(tmp_path: Path) -> None:
    tables = [table(n, seed) for seed, n in enumerate((30, 20, 40))]
    tables[1] = tables[1].set_column(2, "w", pa.array([0] * 20))
    paths, whole = written(tmp_path, *tables), pa.concat_tables(tables)
    assert_fits_as(fit(paths, RECORD, weights="w"), whole, weights=whole["w"])
    x = stream(lambda: iter([one.select(["x", "w"]) for one in tables]), weights="w")
    assert_fits_as(fit(x, TWO, rng=1), whole["x"], TWO, weights=whole["w"], rng=1)
    with pytest.raises(ParameterError, match="name of their column, got list"):
        fit(paths, RECORD, weights=[1.0] * 90)


# -- what is refused -----------------------------------------------------------------------------------------------------


def lacking(one: Any) -> Any:
    return one.drop(["l"])


def text_for_numbers(one: Any) -> Any:
    return one.set_column(0, "x", pa.array(["5"] * 3 + ["five"] * (len(one) - 3)))


def no_weight(one: Any) -> Any:
    return one.set_column(2, "w", pa.array([1.0, None, *[1.0] * (len(one) - 2)]))


def negative(one: Any) -> Any:
    return one.set_column(2, "w", pa.array([1.0] * (len(one) - 1) + [-1.0]))


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (lacking, r"part1.parquet: the columns are \['x', 'w'\]; those of the tables before are \['x', 'l', 'w'\]"),
        (text_for_numbers, r"part1.parquet: x: row 3 is 'five'; need a real number"),
        (no_weight, r"part1.parquet: weights: row 1 is nan; need finite numbers"),
        (negative, r"part1.parquet: weights: row 29 is -1.0; need finite numbers"),
    ],
)
def test_a_bad_table_is_named_with_its_row(tmp_path: Path, spoilt: Callable[[Any], Any], said: str) -> None:
    paths = written(tmp_path, table(20), spoilt(table(30)))
    for data in (stream(paths, weights="w", chunk_rows=20), stream(paths, weights="w", cache=tmp_path / "cache")):
        with pytest.raises(DataError, match=said) as raised:
            fit(data, RECORD)
        assert "\n" not in str(raised.value)


def test_rows_are_counted_within_their_file(tmp_path: Path) -> None:
    late = table(30)
    infinite = late.set_column(0, "x", pa.array([*late["x"].to_pylist()[:27], np.inf, 1.0, 2.0]))
    with pytest.raises(SupportError, match=r"part1.parquet: row 27 has density zero"):
        fit(stream(written(tmp_path, table(20), infinite), chunk_rows=10), RECORD)
    gap = late.set_column(0, "x", pa.array([*late["x"].to_pylist()[:27], None, 1.0, 2.0]))
    with pytest.raises(DataError, match=r"part1.parquet, rows 20 to 29: x: row 7 is nan"):
        fit(late, RECORD).model.seq_log_density(stream(written(tmp_path, table(20), gap), chunk_rows=10))


def test_whole_numbers_may_become_reals_half_way() -> None:
    whole, reals = pa.table({"x": [1, 2, 4]}), pa.table({"x": [0.5, None]})
    estimator = CompositeEstimator({"x": OptionalEstimator(GaussianEstimator(), est_prob=True)})
    assert_fits_as(fit(stream(lambda: iter([whole, reals])), estimator), [(1,), (2,), (4,), (0.5,), (None,)], estimator)
    frames = [polars.DataFrame({"x": [1, 2] * 100}), polars.DataFrame({"x": [0.5, 3.25] * 100})]
    assert propose(stream(lambda: iter(frames))).columns[0].name == "x"


def test_what_needs_all_rows_in_memory_says_so() -> None:
    x = stream(lambda: iter([table(20).select(["x"]), table(30, 1).select(["x"])]))
    none = stream(lambda: iter([pa.table({"x": [1.0, 2.0], "w": [0, 0]})]), weights="w")
    rows = stream(lambda: iter([[1.0, 2.0], [3.0]]), weights="w")
    model = CompositeDistribution({"x": GaussianDistribution(0.0, 1.0)})
    for call, kind, said in (
        (lambda: fit(x, TWO, assign="stochastic"), ParameterError, "assign='stochastic' needs rows in memory"),
        (lambda: fit(x, TWO, start=[0] * 50), ParameterError, "start must be a model where data are read in parts"),
        (lambda: fit(x, TWO, engine=3), ParameterError, "engine must be an executor of concurrent.futures, got 3"),
        (lambda: fit(none, TWO), EmptyError, "all row weights are zero"),
        (lambda: fit(rows, TWO), DataError, "table 0: weights='w' names a column, .* must be a frame; got list"),
        (lambda: impute(x), ParameterError, "without a model, impute needs a table in memory"),
        (lambda: impute(model, x, draws=2), ParameterError, "draws= needs a table in memory"),
    ):
        with pytest.raises(kind, match=said):
            call()


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", None])
def test_a_file_that_is_no_whole_parquet_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    paths = written(tmp_path, table(20), table(5000))
    whole = Path(paths[1]).read_bytes()
    Path(paths[1]).write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(DataError, match=r"part1.parquet: this is no whole Parquet file"):
        fit(paths, RECORD)


def test_a_damaged_page_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    paths = written(tmp_path, table(20), table(5000))
    content = bytearray(Path(paths[1]).read_bytes())
    content[4 : len(content) // 3] = b"\xff" * (len(content) // 3 - 4)  # the end, which says where pages are, is whole
    Path(paths[1]).write_bytes(content)
    with pytest.raises(DataError, match=r"part1.parquet: this is no whole Parquet file"):
        fit(paths, RECORD)


def test_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        fit(tmp_path, RECORD)
    with pytest.raises(DataError, match="there is no such file"):
        fit(str(tmp_path / "*.parquet"), RECORD)
    paths = written(tmp_path, table(0), table(0))
    with pytest.raises(EmptyError, match="there are no rows"):
        fit(paths, RECORD)
    with pytest.raises(EmptyError, match="there are no tables"):
        fit(stream(lambda: iter(())), RECORD)


def test_what_can_be_read_only_once_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"can be read only once; give a function"):
        stream(iter([table(20)]))
    with pytest.raises(ParameterError, match=r"made of paths, or of a function"):
        stream(3)
    again = iter([table(20), table(20)])
    with pytest.raises(DataError, match="the same iterator again"):
        fit(stream(lambda: again), RECORD)


@pytest.mark.parametrize("rows", [19, 21])
def test_other_rows_in_a_later_pass_are_an_error(rows: int) -> None:
    passes = iter([20, 20])
    with pytest.raises(DataError, match=rf"had 20 rows in the first pass, and {rows} in a later one"):
        fit(stream(lambda: iter([table(next(passes, rows))])), RECORD)


# -- the cache -----------------------------------------------------------------------------------------------------------


def states(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_cache_serves_later_fits_of_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, cache = written(tmp_path, table(30), table(40, 1)), tmp_path / "cache"
    one = fit(stream(paths, cache=cache), RECORD)
    there = states(cache)
    assert sorted(there) == ["000000.chunk", "000001.chunk", "contents.json"]
    monkeypatch.setattr("dmlcore.engines.stream.Reread.map", None)  # nothing is read
    assert fit(stream(paths, cache=cache), RECORD).log_likelihood == one.log_likelihood
    assert states(cache) == there


def other_files(paths: list[str], cache: Path) -> None:
    pq.write_table(table(10, 2), paths[1])


def other_version(paths: list[str], cache: Path) -> None:
    contents = json.loads((cache / "contents.json").read_text())
    contents["of"]["format"] = [0, "1.0"]
    (cache / "contents.json").write_text(json.dumps(contents))


def cut_short(paths: list[str], cache: Path) -> None:
    (cache / "000001.chunk").write_bytes((cache / "000001.chunk").read_bytes()[:100])


def gone(paths: list[str], cache: Path) -> None:
    (cache / "000000.chunk").unlink()


def no_json(paths: list[str], cache: Path) -> None:
    (cache / "contents.json").write_text("[1]")


@pytest.mark.parametrize("spoil", [other_files, other_version, cut_short, gone, no_json])
def test_a_stale_or_damaged_cache_is_written_again(tmp_path: Path, spoil: Callable[[list[str], Path], None]) -> None:
    paths, cache = written(tmp_path, table(30), table(40, 1)), tmp_path / "cache"
    fit(stream(paths, cache=cache), RECORD)
    spoil(paths, cache)
    assert_fits_as(fit(stream(paths, cache=cache), RECORD), pa.concat_tables(map(pq.read_table, paths)))
    assert sorted(states(cache)) == ["000000.chunk", "000001.chunk", "contents.json"]


def test_a_cache_without_weights_is_not_taken_for_one_with_them(tmp_path: Path) -> None:
    one, cache = table(30), tmp_path / "cache"
    paths = written(tmp_path, one)
    fit(stream(paths, cache=cache), RECORD)
    assert_fits_as(fit(stream(paths, weights="w", cache=cache), RECORD), one, weights=one["w"])


def test_a_cache_that_cannot_be_had_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = stream(written(tmp_path, table(30)), cache=tmp_path / "cache")
    assert data.cache_size(RECORD) > 30 * 8
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=10))
    with pytest.raises(DataError, match=r"encoded rows take about [\d,]+ bytes, and 10 are free"):
        fit(data, RECORD)


FULL = """
import resource, signal, sys
from dmlcore import fit, impute, propose
from dmlcore.engines.stream import stream
from dmlcore.stats import GaussianEstimator
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))  # as of a full disk
try:
    fit(stream(lambda: iter([[1.0] * 10, [float(i) for i in range(5000)]]), cache="cache"), GaussianEstimator())
except ValueError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of files")
def test_a_full_disk_leaves_no_half_cache(tmp_path: Path) -> None:
    path = os.pathsep.join(filter(None, [str(Path(dmlcore.__file__).parent.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", FULL], capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": path}, cwd=tmp_path
    )
    assert done.stdout == "cache cache: it could not be written (File too large)\n", done.stderr
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_stream_is_not_read_before_it_is_asked_for() -> None:
    read = []

    def tables() -> Iterator[Any]:
        read.append(True)
        yield [1.0, 2.0]

    source = stream(tables)
    assert not read
    assert source.rows == 2
    assert read
