"""Files with tables: each kind comes back as it was written; what is none is refused in one line that says where."""

from __future__ import annotations

import datetime
import io
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import dmlcore
from dmlcore import compare, fit, impute, propose, read, synthesise
from dmlcore.base.errors import DataError, EmptyError, LibraryError
from dmlcore.engines.stream import stream
from dmlcore.io.tables import write
from dmlcore.regression import MixtureRegression
from dmlcore.stats import CategoricalEstimator, CompositeEstimator, GaussianEstimator, OptionalEstimator, PoissonEstimator, TimeEstimator

pa = pytest.importorskip("pyarrow")

DAY = datetime.date(2024, 2, 29)
COLUMNS = {"size": [1.5, None, -2.0], "n": [1, 2, None], "kind": ["u", None, "wé"], "on": [DAY, DAY, None], "flag": [True, False, True]}
KINDS = ("parquet", "csv", "tsv", "jsonl", "ndjson")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [pa.table, pl.DataFrame, pd.DataFrame, lambda d: pl.DataFrame(d).to_dicts()])
def test_what_is_written_is_read(tmp_path: Path, kind: str, make: Any) -> None:
    path = tmp_path / f"x.{kind}"
    write(make(COLUMNS), path)
    table = read(path).to_pydict()
    on = [None if v is None else datetime.date(v.year, v.month, v.day) for v in table.pop("on")]
    assert on == COLUMNS["on"]
    assert table == {name: column for name, column in COLUMNS.items() if name != "on"}
    assert read(str(path), columns=["kind", "size"]).column_names == ["kind", "size"]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_rows_without_names(tmp_path: Path) -> None:
    for rows in ([(1.0, "a"), (2.0, "b")], np.array([(1.0, "a"), (2.0, "b")], dtype=object)):
        write(rows, tmp_path / "x.csv", force=True)
        assert read(tmp_path / "x.csv").to_pydict() == {"field 0": [1, 2], "field 1": ["a", "b"]}
    write([1.0, 2.0], tmp_path / "y.csv", names=["a"])
    assert read(tmp_path / "y.csv").column_names == ["a"]
    with pytest.raises(DataError, match=r"row 1 is \(2.0,\); need 2 cells"):
        write([(1.0, "a"), (2.0,)], tmp_path / "z.csv")


@pytest.mark.parametrize("values", [[1, None, 3], ["a", None], [1.5, None], [DAY, None]])
@pytest.mark.parametrize("kind", KINDS)
def test_gaps_in_the_only_column(tmp_path: Path, kind: str, values: list[Any]) -> None:
    write(pa.table({"a": values}), tmp_path / f"x.{kind}")
    assert [v is None for v in read(tmp_path / f"x.{kind}").column("a").to_pylist()] == [v is None for v in values]


def test_json_lines_hold_what_json_has_words_for(tmp_path: Path) -> None:
    row = {"x": np.nan, "d": Decimal("1.5"), "t": datetime.timedelta(seconds=90), "l": [1.0, np.nan], "s": {"a": None}}
    write([row], tmp_path / "x.jsonl")
    assert (tmp_path / "x.jsonl").read_text() == '{"x": null, "d": 1.5, "t": 90.0, "l": [1.0, null], "s": {"a": null}}\n'
    with pytest.raises(DataError, match=r"JSON lines cannot hold b'.'; write Parquet"):
        write([{"b": b"x"}], tmp_path / "y.jsonl")
    with pytest.raises(DataError, match=r"y\.csv: the table cannot be written"):
        write([{"l": [1.0]}], tmp_path / "y.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["x.jsonl"]


def test_a_file_that_is_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.csv"
    path.write_text("old")
    with pytest.raises(DataError, match=r"x\.csv is there already; .* force=True"):
        write([{"a": 1}], path)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write([{"a": 1}], path, force=True)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x.csv", "old")]


WHOLE = pa.table({"a": [1], "b": ["x"]})
OTHERS: dict[str, tuple[list[Any], str]] = {
    "a column less": ([WHOLE, pa.table({"a": [2]})], r"table 1: its columns are \['a'\], those before \['a', 'b'\]; need the same"),
    "a column more": ([WHOLE, WHOLE.append_column("c", [[2]])], r"table 1: its columns are \['a', 'b', 'c'\], those before"),
    "numbers cut off": ([WHOLE, pa.table({"a": [2.5], "b": ["y"]})], "table 1: its columns are not as those before .*2.5"),
    "no table": ([], "there are no tables, and so no columns to write"),
}


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize(("tables", "said"), OTHERS.values(), ids=OTHERS)
def test_tables_of_a_stream_lose_nothing(tmp_path: Path, tables: list[Any], said: str, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    with pytest.raises((DataError, EmptyError), match=said):
        write(stream(lambda: iter(tables)), path)
    assert not path.exists()
    write(stream(lambda: iter([WHOLE, WHOLE.select(["b", "a"]), pa.table({"a": [2.0], "b": ["y"]})])), path)
    assert read(path).to_pydict() == {"a": [1, 1, 2], "b": ["x", "x", "y"]}
    write(WHOLE.to_batches()[0], path, force=True)
    assert read(path).to_pydict() == WHOLE.to_pydict()
    with pytest.raises(DataError, match="a table is a data frame, or rows, got 3"):
        write(3, path, force=True)


def test_text_that_repeats_comes_as_codes_where_asked_for(tmp_path: Path) -> None:
    table = pa.table({"kind": ["u", "v", None] * 400, "id": [f"number {i}" for i in range(1200)], "row": [{"a": "x"}] * 1200})
    write(table, tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet") == table
    coded = read(tmp_path / "x.parquet", coded=True)
    assert [pa.types.is_dictionary(kind) for kind in coded.schema.types] == [True, False, False]
    assert coded.to_pydict() == table.to_pydict()


def test_standard_input_and_output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("a,b\n1,é\n".encode())))
    table = read("-")
    assert table.to_pylist() == [{"a": 1, "b": "é"}]
    write(table, "-")
    assert capsys.readouterr().out == '"a","b"\n1,"é"\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DataError, match="standard input: the file is empty"):
        read("-")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is blank"),
        (b"a,b\n", r"there are no rows below the columns \['a', 'b'\]"),
        (b"a,b\n1,2\n3\n4,5\n", r"line 3 has 1 of 2 cells: \['3'\]; 'b' and what follows lack"),
        (b'a,b\n1,"x\ny"\n3,4,5\n', r"line 4 has 3 of 2 cells"),
        (b"a,a\n1,2\n", "column 'a' is there 2 times"),
        (b"a;b\n1;2\n", "the header is one cell, 'a;b': ';' seems to separate the cells"),
        (b"a;b\n1,5;2\n", "the header is one cell, 'a;b': ';' seems to separate the cells"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n2\n", r"line 3 has 1 of 2 cells: \['2'\]"),
        (b'a,b\n1,2\n1,"x\n2,3\n', "a quotation mark in the last row is not closed"),
        (b"a,b\nx,1\ncaf\xe9,2\n", "line 3 holds the byte 0xe9, which is not of UTF-8"),
        (b"caf\xe9,b\nx,1\n", "line 1 holds the byte 0xe9"),
        ("a,b\nx,1\n".encode("utf-16"), "the text is UTF-16; need UTF-8"),
    ],
)
def test_csv_that_is_none(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"x\.csv: {said}") as error:
        read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n", "the file is blank"),
        (b'{"a": 1}\n{"a": "t"}\n', "line 2, column 'a': 't' is text, and 1 in line 1 is a number"),
        (b'{"a": 1}\n{"a": 2\n', r"line 2 is no JSON \(.* at character 8\)"),
        (b'{"a": null}\n\n{"a": 1}\n{"a": "t"}\n', "line 4, column 'a': 't' is text, and 1 in line 3 is a number"),
        (b'{"a": 1, "a": 2}\n', r"these are no JSON lines \(.*specified twice"),
        (b"[1, 2]\n", r"line 1 is \[1, 2\]; need an object"),
        (b'{"a": "caf\xe9"}\n', "line 1 holds the byte 0xe9"),
        ('{"a": 1}'.encode("utf-16"), "the text is UTF-16"),
    ],
)
def test_json_lines_that_are_none(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"x\.jsonl: {said}") as error:
        read(path)
    assert "\n" not in str(error.value)


GUILTY: dict[str, tuple[str, str, Any, str]] = {
    "text": ("x.csv", "a,b\n1,u\n2.5,v\nabc,w\n-,x\n", GaussianEstimator(), "a: row 2 is 'abc'; need a real number"),
    "a text first": ("x.csv", "a,b\nabc,u\n2.5,v\n", GaussianEstimator(), "a: row 0 is 'abc'; need a real number"),
    "tab": ("x.tsv", "a\tb\n1\tu\n2.5\tv\n?\tw\n", GaussianEstimator(), r"a: row 2 is '\?'; need a real number"),
    "gap": ("x.csv", "a,b\n1,u\n,v\nabc,w\n", GaussianEstimator(), "a: row 1 is None; need a real number .*OptionalEstimator"),
    "optional": ("x.csv", "a,b\n1,u\n,v\nabc,w\n", OptionalEstimator(GaussianEstimator()), "a: row 2 is 'abc'; need a real number"),
    "count": ("x.csv", "a,b\n1,u\n2,v\nabc,w\n", PoissonEstimator(), "a: row 2 is 'abc'; need whole numbers"),
    "day": ("x.csv", "a,b\n2020-01-01,u\nsoon,v\n", TimeEstimator(GaussianEstimator()), "a: row 1 is 'soon'; need dates"),
    "all empty": ("x.csv", "a,b\n,u\n,v\n", GaussianEstimator(), "a: row 0 is None; need a real number"),
    "lines of JSON": ("x.jsonl", '{"a": "1", "b": "u"}\n{"a": "abc", "b": "v"}\n', GaussianEstimator(), "a: row 1 is 'abc'; need a real"),
}


@pytest.mark.parametrize(("name", "content", "estimator", "said"), GUILTY.values(), ids=GUILTY)
def test_the_cell_that_makes_a_column_text_is_named(tmp_path: Path, name: str, content: str, estimator: Any, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=f"^{said}"):
        fit(tmp_path / name, CompositeEstimator((estimator, CategoricalEstimator())))


def test_dates_of_files_are_read_as_such(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n2020-01-01,2020-01-01 12:00:00\n2020-01-03,\n2020-01-05,2020-01-03 12:00:00\n")
    times = TimeEstimator(GaussianEstimator())
    model = fit(tmp_path / "x.csv", CompositeEstimator((times, OptionalEstimator(times)))).model
    assert model.dists[0].mean() == datetime.date(2020, 1, 3)
    assert model.dists[1].dist.mean() == datetime.datetime(2020, 1, 2, 12)


def test_other_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"x\.parquet: this is no whole Parquet file"):
        read(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.xlsx: the name ends in '.xlsx'; need one of .parquet, .csv"):
        read("x.xlsx")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.csv")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(DataError, match=r"d\.csv: this is a folder"):
        read(tmp_path / "d.csv")
    write([{"a": 1}], tmp_path / "y.csv")
    with pytest.raises(DataError, match=r"y\.csv: there is no column 'b'; there are \['a'\]"):
        read(tmp_path / "y.csv", columns=["b"])


def test_a_column_whose_kind_shows_late(tmp_path: Path) -> None:
    many = 300_000  # more than is read at once
    (tmp_path / "x.csv").write_text("a,b,c\n" + "1,2,\n" * many + "1.5,x,7\n")
    table = read(tmp_path / "x.csv")
    assert table.schema.types == [pa.float64(), pa.string(), pa.int64()]
    assert table.slice(many).to_pylist() == [{"a": 1.5, "b": "x", "c": 7}]


@pytest.mark.parametrize(
    ("name", "form"), [("x.csv", "a,b\nu,1\n{},2\nv,3\n"), ("x.jsonl", '{{"a": "u", "b": 1}}\n{{"a": "{}", "b": 2}}\n')]
)
def test_a_row_may_be_longer_than_what_is_read_at_once(tmp_path: Path, name: str, form: str) -> None:
    (tmp_path / name).write_text(form.format("x" * 2_500_000))
    table = read(tmp_path / name)
    assert table["b"].to_pylist()[:2] == [1, 2]
    assert len(table["a"][1].as_py()) == 2_500_000


def test_many_lists_beside_each_other_are_not_deep(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"a": [' + ", ".join(["[]"] * 300) + "]}\n")
    assert read(tmp_path / "x.jsonl").to_pylist() == [{"a": [[]] * 300}]


@pytest.mark.parametrize(
    ("arguments", "said"), [((3,), "a path is a text or a Path, got 3"), (("x.csv", 3), "columns is a list of names, got 3")]
)
def test_what_is_no_path_is_named(arguments: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(*arguments)


def test_files_are_data(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=30), "kind": rng.choice(["u", "v"], 30)})
    pair = CompositeEstimator([GaussianEstimator(), CategoricalEstimator()])
    path = tmp_path / "x.parquet"
    write(frame, path)
    expected = fit(frame, pair).model
    assert fit(path, pair).model == expected == fit(str(path), pair).model
    assert impute(expected, path).data.schema == read(path).schema
    assert synthesise(expected, 3, rng=0, like=path).column_names == ["x", "kind"]
    assert all(column.distance == 0 for column in compare(path, frame, classify=False).marginals)
    assert expected.seq_log_density(path).tolist() == expected.seq_log_density(frame).tolist()
    assert str(propose(path)) == str(propose(frame))
    pairs = zip(frame["x"], frame["kind"], strict=True)
    assert fit(path, components=1).log_likelihood == fit(pairs, components=1).log_likelihood
    line = pd.DataFrame({"x": frame["x"], "y": 2 * frame["x"] + rng.normal(size=30)})
    write(line, tmp_path / "y.csv")
    model = MixtureRegression(1).fit(line, "y")
    np.testing.assert_allclose(MixtureRegression(1).fit(tmp_path / "y.csv", "y").coef_, model.coef_)
    np.testing.assert_allclose(MixtureRegression.from_formula("y ~ x", tmp_path / "y.csv", 1).coef_, model.coef_)
    with pytest.raises(DataError, match=r"got 'x.xls'; files end in .parquet"):
        fit("x.xls", GaussianEstimator())


def test_a_gap_in_a_file_is_no_label(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("kind\nu\nNA\n")
    with pytest.raises(DataError, match="row 1 is None; need a label"):
        fit(tmp_path / "x.csv", CategoricalEstimator())


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(LibraryError, match=r"reading .csv files needs pyarrow: pip install 'dmlcore\[frames\]'"):
        dmlcore.read("x.csv")


KILLED = """
import os, resource, signal, sys
import dmlcore
from dmlcore.io.tables import write
from dmlcore.stats import GaussianDistribution, MixtureDistribution

law = MixtureDistribution([GaussianDistribution(i / 7, 1.0) for i in range(1500)], [1 / 1500] * 1500)
rows = [{"a": i / 7} for i in range(9000)]
def work(path):
    if path.endswith(".json"):
        dmlcore.save(law, path)
    elif path.endswith(".html"):
        dmlcore.report(law.components[0], [1.0, 2.0, 4.0], path)
    else:
        write(rows, path, force=True)

def fail_and_die(path):
    os.chdir(path)  # a folder of this name for each
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))  # a file cannot grow beyond: at first an error, as of a full disk
    try:
        work(path)
    except OSError as error:
        print(error, flush=True)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # and now the end of the process, in the middle of the write
    work(path)

for path in sys.argv[1:]:
    child = os.fork()
    if not child:
        fail_and_die(path)
        os._exit(0)
    print(path, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
WRITTEN = ["model.json", "t.csv", "t.parquet", "t.jsonl", "report.html"]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where processes that were killed have written, a folder for each file, and what they said."""
    folder = tmp_path_factory.mktemp("killed")
    for name in WRITTEN:
        (folder / name).mkdir()
        (folder / name / name).write_text("old")
    path = os.pathsep.join(filter(None, [str(Path(dmlcore.__file__).parent.parent), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-c", KILLED, *WRITTEN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | {"PYTHONPATH": path}, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of files")
@pytest.mark.parametrize("name", WRITTEN)
def test_a_full_disk_and_a_killed_process_leave_the_old_file(killed: tuple[Path, str], name: str) -> None:
    folder, said = killed
    assert f"[Errno 27] File too large: '{name}'\n{name} {-signal.SIGXFSZ}\n" in said
    assert (folder / name / name).read_text() == "old"
    drafts = [p for p in (folder / name).iterdir() if p.name != name]
    assert [p.name.startswith(f".{name}.") for p in drafts] == [True]  # of the process that was killed; the error left none
