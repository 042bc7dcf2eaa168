"""Model files that hold the record of the fit: it comes back as it was, and readers of models do not mind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dmlcore
from dmlcore.base.errors import FormatError
from dmlcore.reporting.kept import load_fit, save_fit
from dmlcore.stats import GaussianEstimator, MixtureEstimator

pytestmark = pytest.mark.usefixtures("short_searches")

ROWS = [{"a": i % 7 + i / 50, "b": "xyz"[i % 3], "number": i} for i in range(60)]


@pytest.fixture(scope="module")
def found() -> Any:
    return dmlcore.fit(ROWS, rng=1, starts=1)


def test_a_fit_comes_back(found: Any, tmp_path: Path) -> None:
    save_fit(found, tmp_path / "model.json")
    assert dmlcore.load(tmp_path / "model.json") == found.model
    back = load_fit(tmp_path / "model.json")
    for name in vars(found).keys() - {"proposal"}:
        assert getattr(back, name) == getattr(found, name), name
    assert [(type(e), e.kind, e.step) for e in back.events] == [(type(e), e.kind, e.step) for e in found.events]
    assert repr(back.proposal) == repr(found.proposal)
    assert repr(back.proposal.selection) == repr(found.proposal.selection)
    assert back.proposal.selection.best.history == found.history
    assert back.proposal.selection.model == found.model


def test_without_a_record_the_model_comes_back(tmp_path: Path) -> None:
    model = dmlcore.fit([1.0, 2.0, 4.0], GaussianEstimator()).model
    dmlcore.save(model, tmp_path / "model.json")
    assert load_fit(tmp_path / "model.json") == model
    found = dmlcore.fit([1.0, 2.0, 4.0, 8.0], MixtureEstimator([GaussianEstimator()] * 2), rng=1, starts=1)
    save_fit(found, tmp_path / "model.json")
    assert load_fit(tmp_path / "model.json").proposal is None


@pytest.mark.parametrize(
    "record",
    [
        {"map": [["record", "Start"], ["objective", 1.0], ["status", "x"], ["steps", 1]]},
        {"map": [["record", "Popen"], ["args", "ls"]]},
        {"map": [["record", "Fit"], ["history", "long"]]},
        {"map": [["record", ["Fit"]]]},
        [1.0],
        {"family": "Popen"},
    ],
)
def test_a_damaged_record_is_named(record: Any, found: Any, tmp_path: Path) -> None:
    save_fit(found, tmp_path / "model.json")
    saved = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(saved | {"fit": record}))
    with pytest.raises(FormatError, match="fit"):
        load_fit(tmp_path / "model.json")
    assert dmlcore.load(tmp_path / "model.json") == found.model
