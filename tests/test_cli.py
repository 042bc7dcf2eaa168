"""The command line: from file to file, and what it says of bad input: one line, an exit code, no traceback, and no file lost."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore.base.errors import DataError
from dmlcore.cli import run_command
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureDistribution,
    MixtureEstimator,
    OptionalDistribution,
    OptionalEstimator,
)


def component(age: float, oslo: float) -> CompositeDistribution:
    city = OptionalDistribution(CategoricalDistribution({"Oslo": oslo, "Rome": 1 - oslo}), 0.1)
    return CompositeDistribution({"age": OptionalDistribution(GaussianDistribution(age, 25.0), 0.1), "city": city})


MODEL = MixtureDistribution([component(30.0, 0.1), component(60.0, 0.8)], [0.4, 0.6])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_searches: None) -> Path:
    """A folder with a model, an estimator and a table."""
    monkeypatch.chdir(tmp_path)
    dmlcore.save(MODEL, "model.json")
    record = {"age": OptionalEstimator(GaussianEstimator()), "city": OptionalEstimator(CategoricalEstimator())}
    dmlcore.save(MixtureEstimator([CompositeEstimator(record)] * 2), "estimator.json")
    rows = MODEL.sample(60, rng=1)
    lines = [",".join("" if v is None else str(v) for v in row.values()) for row in rows]
    Path("t.csv").write_text("\n".join(["age,city", *lines]) + "\n")
    return tmp_path


def run(line: str) -> int:
    try:
        return run_command(line.split())
    except SystemExit as end:  # of argparse
        return int(end.code or 0)


@pytest.mark.usefixtures("folder")
def test_from_a_table_to_a_model_to_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fit t.csv -o fitted.json --estimator estimator.json --seed 1 --report fitted.html") == 0
    assert capsys.readouterr() == ("", "")  # pipes stay silent
    fitted = dmlcore.load("fitted.json")
    assert fitted == dmlcore.fit(dmlcore.read("t.csv"), dmlcore.load("estimator.json"), rng=1).model
    assert "EM step" in Path("fitted.html").read_text("utf-8")

    assert run("impute fitted.json t.csv -o full.parquet") == 0
    full = dmlcore.read("full.parquet")
    assert full.column_names == ["age", "city"]
    assert full.num_rows == 60
    assert not any(column.null_count for column in full.columns)

    assert run("show fitted.json") == 0
    assert "gaussian" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_without_an_estimator_a_model_is_proposed() -> None:
    assert run("fit t.csv -o fitted.json --components 2 --seed 1 --report fitted.html") == 0
    assert dmlcore.load("fitted.json").num_components == 2
    assert run("report fitted.json t.csv -o again.html") == 0  # the model file holds the record
    for name in ("fitted.html", "again.html"):
        assert "What was proposed" in Path(name).read_text("utf-8")
        assert "EM step" in Path(name).read_text("utf-8")


@pytest.mark.usefixtures("folder")
def test_a_seed_reaches_every_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []

    def fit(*given: Any, rng: Any = None, **options: Any) -> Any:
        seeds.append(rng)
        raise DataError("no more is asked of it")

    monkeypatch.setattr(dmlcore, "fit", fit)
    run("fit t.csv -o one.json --estimator estimator.json --seed 7")
    run("fit t.csv -o one.json --seed 8")
    assert seeds == [7, 8]


@pytest.mark.usefixtures("folder")
def test_scores_are_those_of_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    table = dmlcore.read("t.csv")
    log = MODEL.seq_log_density(table)
    assert run("score model.json t.csv") == 0
    assert f"{log.sum():.6f}" in capsys.readouterr().out
    assert run("score model.json t.csv -o scores.jsonl") == 0
    rows = [json.loads(line) for line in Path("scores.jsonl").read_text().splitlines()]
    assert [row["log_density"] for row in rows] == log.tolist()
    assert [row["component"] for row in rows] == MODEL.seq_posterior(table).argmax(axis=1).tolist()


@pytest.mark.usefixtures("folder")
def test_draws_and_their_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sample model.json -n 50 --seed 3 -o drawn.parquet") == 0
    drawn = dmlcore.read("drawn.parquet").to_pylist()
    assert drawn == dmlcore.synthesise(MODEL, 50, 3)
    assert run("sample model.json -n 50 --seed 3") == 0
    assert capsys.readouterr().out.splitlines()[0] == '"age","city"'
    assert run("compare t.csv drawn.parquet --no-classifier") == 0
    assert "largest gaps in dependence" in capsys.readouterr().out
    lines = Path("t.csv").read_text().splitlines()
    Path("numbered.csv").write_text("\n".join(["id," + lines[0], *(f"{i},{line}" for i, line in enumerate(lines[1:]))]))
    assert run("compare numbered.csv drawn.parquet --no-classifier") == 0
    assert capsys.readouterr().out.startswith("not compared, as drawn.parquet lacks them: id\n")


@pytest.mark.usefixtures("folder")
def test_standard_input_and_output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"city,age\nOslo,\n,30.5\n")))
    assert run("impute model.json - -o -") == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == '"city","age"'
    assert len(rest) == 2
    assert not any(line.startswith(",") or line.endswith(",") for line in rest)


@pytest.mark.usefixtures("folder")
def test_a_report_of_files() -> None:
    assert run("report model.json t.csv -o report.html --title Visitors") == 0
    text = Path("report.html").read_text("utf-8")
    assert "<title>Visitors</title>" in text
    assert "city" in text


BAD = {  # name of a file: its content
    "empty.csv": b"",
    "header.csv": b"age,city\n",
    "ragged.csv": b"age,city\n1,Oslo\n2\n",
    "latin.csv": "age,city\n1,Malmö\n2,Oslo\n".encode("latin-1"),
    "text.csv": b"age,city\n30,Oslo\n31,Oslo\nold,Rome\n",
    "other.csv": b"age,town\n30,Oslo\n",
    "unseen.csv": b"age,city\n,Oslo\n,Paris\n",
    "cut.parquet": b"PAR1",
    "broken.jsonl": b'{"age": 1}\n{"age": \n',
    "schema.json": b'{"dmlcore": 99, "model": {}}',
    "cut.json": b'{"dmlcore": 1, "mod',
}


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("score model.json empty.csv", 1, "empty"),
        ("score model.json header.csv", 1, "no rows"),
        ("score model.json ragged.csv", 1, "line 3"),
        ("score model.json latin.csv", 1, "UTF-8"),
        ("score model.json text.csv", 1, "age: row 2 is 'old'"),
        ("score model.json other.csv", 1, "'city'"),
        ("impute model.json unseen.csv", 1, "'city': row 1 is 'Paris'"),
        ("score model.json cut.parquet", 1, "Parquet"),
        ("score model.json broken.jsonl", 1, "line 2"),
        ("score model.json nowhere.csv", 1, "nowhere.csv: No such file"),
        ("score model.json t.xls", 1, "'.xls'"),
        ("fit text.csv -o new.json --estimator estimator.json", 1, "age: row 2 is 'old'"),
        ("fit t.csv -o new.json --estimator estimator.json --columns age,town", 1, "'town'"),
        ("fit t.csv -o new.json --estimator model.json", 1, "holds a model"),
        ("show schema.json", 1, "schema 99 is unknown"),
        ("show cut.json", 1, "damaged or cut short"),
        ("show nowhere.json", 1, "No such file"),
        ("score estimator.json t.csv", 1, "holds an estimator"),
        ("compare t.csv other.csv", 1, "different columns"),
        ("fit t.csv -o model.json", 2, "--force"),
        ("report model.json t.csv -o t.csv", 2, "--force"),
        ("impute model.json t.csv -o nowhere/full.csv", 2, "no such folder"),
        ("fit t.csv", 2, "--output"),
        ("fit t.csv -o new.json --components 0", 2, "whole number >= 1"),
        ("sample model.json -n many", 2, "'many'"),
        ("sample model.json -n 2 --seed -1", 2, "need a whole number >= 0, got '-1'"),
        ("sample model.json -n 5 -o rows.xls", 1, "'.xls'"),
        ("fit t.csv -o new.json --components x", 2, "or auto"),
        ("dance", 2, "dance"),
        ("", 2, "command"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_bad_input_is_said_in_one_line(line: str, code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in BAD.items():
        Path(name).write_bytes(content)
    kept = {path: path.read_bytes() for path in Path().iterdir()}
    assert run(line) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("dmlcore")
    assert err.count("\n") == 1
    assert says in err
    assert {path: path.read_bytes() for path in Path().iterdir()} == kept


@pytest.mark.usefixtures("folder")
def test_a_stray_text_among_numbers_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("stray.csv").write_text("age,code\n" + "".join(f"{30 + i % 9},{'uv'[i % 2]}\n" for i in range(40)) + "old,u\n")
    assert run("fit stray.csv -o new.json --components 1") == 0
    assert capsys.readouterr().err == "dmlcore fit: age: row 40 is 'old', and 40 of 41 cells are numbers; the column is read as text\n"


@pytest.mark.usefixtures("folder")
def test_a_full_disk_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    kept = {path: path.read_bytes() for path in Path().iterdir()}
    monkeypatch.setattr(os, "fsync", full)
    for line in ("impute model.json t.csv -o t.csv --force", "report model.json t.csv -o model.json --force"):
        assert run(line) == 1
        assert capsys.readouterr().err == f"dmlcore {line.partition(' ')[0]}: {line.split()[-2]}: No space left on device\n"
        assert {path: path.read_bytes() for path in Path().iterdir()} == kept


@pytest.mark.usefixtures("folder")
def test_force_replaces() -> None:
    assert run("impute model.json t.csv -o t.csv --force") == 0
    assert not any(column.null_count for column in dmlcore.read("t.csv").columns)


@pytest.mark.usefixtures("folder")
def test_an_interrupt_has_its_own_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dmlcore, "read", interrupted)
    assert run("score model.json t.csv") == 130
    assert capsys.readouterr().err == "dmlcore score: interrupted\n"


@pytest.mark.usefixtures("folder")
def test_a_folder_that_takes_no_file_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert run("fit t.csv -o new.json --estimator estimator.json") == 1
    assert capsys.readouterr().err == "dmlcore fit: new.json: Permission denied\n"


@pytest.mark.usefixtures("folder")
def test_standard_output_and_words_to_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("dmlcore.cli._on_a_terminal", lambda: True)
    lines = Path("t.csv").read_text().splitlines()
    Path("numbered.csv").write_text("\n".join(["id," + lines[0], *(f"{i},{line}" for i, line in enumerate(lines[1:]))]))
    assert run("fit numbered.csv -o - --components 1") == 0
    out, err = capsys.readouterr()
    assert dmlcore.from_json(out).layout.names == ("age", "city")
    assert "left out id: identifier-like" in err
    assert "1 component, log likelihood" in err
    assert run("report model.json t.csv -o -") == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


@pytest.mark.usefixtures("folder")
def test_rows_of_one_law_have_no_component() -> None:
    Path("one.json").write_text(dmlcore.to_json(MODEL.components[0]))
    assert run("score one.json t.csv -o scores.jsonl") == 0
    rows = [json.loads(line) for line in Path("scores.jsonl").read_text().splitlines()]
    assert {tuple(row) for row in rows} == {("log_density",)}


def test_the_demo_is_called_with_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    from dmlcore import demo

    called: list[tuple[Any, ...]] = []
    monkeypatch.setattr(demo, "main", lambda *given: called.append(given))
    assert run("demo") == 0
    assert len(called) == 1


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    assert "dmlcore fit visits.csv -o model.json" in capsys.readouterr().out
    for command in ("fit", "show", "impute", "score", "sample", "report", "compare", "demo"):
        assert run(f"{command} --help") == 0
        assert f"example:\n  dmlcore {command}" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_it_runs_as_a_module_and_survives_a_closed_pipe() -> None:
    command = f"{sys.executable} -m dmlcore sample model.json -n 40000 | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.stdout == '"age","city"\n'
    assert done.stderr == ""


ROOT = Path(dmlcore.__file__).resolve().parent.parent


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.usefixtures("folder")
def test_pipes_and_devices_are_written_to_and_not_replaced() -> None:
    os.mkfifo("pipe.csv")
    reader = os.open("pipe.csv", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("sample model.json -n 2 -o pipe.csv") == 0
        assert os.read(reader, 12) == b'"age","city"'
    finally:
        os.close(reader)
    assert Path("pipe.csv").is_fifo()


@pytest.mark.usefixtures("folder")
def test_files_that_are_read_in_parts(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for part in range(3):
        rows = "".join(f"{rng.normal(5 * (i % 2)):.3f},{'uv'[i % 2]},{'' if i % 7 == 0 else i % 5}\n" for i in range(60))
        Path(f"part{part}.csv").write_text("x,kind,visits\n" + rows)
    assert run("fit part*.csv -o parts.json --components 2 --seed 1 --report parts.html") == 0
    assert "180 rows of 3 columns" in Path("parts.html").read_text("utf-8")
    assert run("score parts.json part*.csv") == 0
    assert "rows                180" in capsys.readouterr().out
    assert run("score parts.json part*.csv -o scores.csv") == 0
    assert run("impute parts.json part*.csv -o whole.parquet") == 0
    assert dmlcore.read("scores.csv").num_rows == dmlcore.read("whole.parquet").num_rows == 180
    assert dmlcore.read("whole.parquet")["visits"].null_count == 0
    assert run("fit nothing*.csv -o none.json") == 1
    assert "nothing*.csv: there is no such file" in capsys.readouterr().err
