"""Fits that go on from a checkpoint: the same bits wherever they were stopped, and errors for what is of another fit or damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import FormatError, ParameterError
from dmlcore.engines.stream import stream
from dmlcore.stats import CompositeEstimator, GaussianEstimator, MixtureEstimator, PoissonEstimator

pa = pytest.importorskip("pyarrow")

RECORD = MixtureEstimator([CompositeEstimator({"x": GaussianEstimator(), "c": PoissonEstimator()})] * 3)
TWO = MixtureEstimator([GaussianEstimator()] * 2)


def table(n: int = 240, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    k = rng.integers(0, 3, n)
    return pa.table({"x": rng.normal(1.5 * k, 1.0), "c": rng.poisson(1.0 + 2.0 * k)})


def in_parts(n: int = 240) -> Any:
    return stream(lambda: iter(table(n).to_batches(max_chunksize=70)))


class Killed(Exception):
    """What a fit is stopped by in the middle."""


def killed_at(step: int) -> Callable[[int, float, Any], None]:
    def callback(here: int, log_likelihood: float, model: Any) -> None:
        if here == step:
            raise Killed

    return callback


def assert_same_fit(one: Any, other: Any) -> None:
    assert (one.model, one.history, one.objective, one.status, one.message) == (
        other.model,
        other.history,
        other.objective,
        other.status,
        other.message,
    )


@pytest.mark.parametrize(("data", "accelerate"), [(table, True), (in_parts, True), (table, False)])
def test_a_fit_that_is_killed_at_any_step_ends_with_the_same_bits(tmp_path: Path, data: Callable[[], Any], accelerate: bool) -> None:
    options: dict[str, Any] = {"rng": 3, "starts": 1, "accelerate": accelerate, "max_its": 14}
    whole = fit(data(), RECORD, **options)
    assert whole.iterations > 10
    for step in range(1, whole.iterations + 1, 1 if accelerate and data is table else 4):
        path = tmp_path / f"{step}.json"
        with pytest.raises(Killed):
            fit(data(), RECORD, checkpoint=path, callback=killed_at(step), **options)
        assert path.exists()
        assert_same_fit(fit(data(), RECORD, checkpoint=path, **options), whole)


def test_a_fit_that_is_killed_twice_and_searched_goes_on(tmp_path: Path) -> None:
    options: dict[str, Any] = {"rng": 1, "starts": 4}
    whole, path = fit(table(), RECORD, **options), tmp_path / "fit.json"
    for step in (2, 4):
        with pytest.raises(Killed):
            fit(table(), RECORD, checkpoint=path, callback=killed_at(step), **options)
    assert_same_fit(fit(table(), RECORD, checkpoint=path, **options), whole)


def test_a_checkpoint_of_a_finished_fit_gives_its_end_again(tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    one = fit(table(), RECORD, rng=1, starts=2, checkpoint=path)
    seen: list[int] = []
    again = fit(table(), RECORD, checkpoint=path, callback=lambda step, value, model: seen.append(step))  # nothing at random is asked
    assert_same_fit(again, one)
    assert seen in ([one.iterations], [one.iterations - 1, one.iterations])


def test_more_steps_may_be_asked_for_later(tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    short = fit(table(), RECORD, rng=3, starts=1, max_its=5, checkpoint=path)
    assert short.status == "iteration limit"
    whole = fit(table(), RECORD, rng=3, starts=1)
    assert fit(table(), RECORD, checkpoint=path).history == whole.history


@pytest.mark.parametrize(
    ("data", "estimator", "options", "said"),
    [
        (
            table(),
            MixtureEstimator(RECORD.estimators[:2]),
            {},
            "its estimator differs",
        ),
        (table(239), RECORD, {}, "its rows differs"),
        (table(), RECORD, {"weights": [2.0] * 240}, "its weight differs"),
        (table(), RECORD, {"delta": 1e-3}, "its delta differs"),
        (table(), RECORD, {"accelerate": False}, "its accelerate differs"),
        (table(seed=1), RECORD, {}, "the checkpoint is of other rows"),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(tmp_path: Path, data: Any, estimator: Any, options: dict[str, Any], said: str) -> None:
    path = tmp_path / "fit.json"
    fit(table(), RECORD, rng=3, starts=1, max_its=3, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ParameterError, match=said):
        fit(data, estimator, rng=3, starts=1, max_its=3, checkpoint=path, **options)
    assert path.read_bytes() == before


@pytest.mark.parametrize("options", [{"assign": "hard"}, {"min_share": 0.1}, {"vdata": [1.0]}])
def test_options_that_leave_more_behind_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="checkpoint does not go with"):
        fit([1.0, 2.0, 4.0, 8.0], TWO, checkpoint=tmp_path / "fit.json", **options)


def emptied(content: bytes) -> bytes:
    return b""


def cut(content: bytes) -> bytes:
    return content[:-20]


def changed(content: bytes) -> bytes:
    return content.replace(b'["gain", ', b'["gain", 1', 1)


def without_a_model(content: bytes) -> bytes:
    return json.dumps({key: value for key, value in json.loads(content).items() if key != "model"}).encode()


def of_another_version(content: bytes) -> bytes:
    return content.replace(b'"schema": ', b'"schema": 9', 1)


def a_list(content: bytes) -> bytes:
    return b"[1, 2]"


def no_text(content: bytes) -> bytes:
    return b"\xff\xfe\x00"


@pytest.mark.parametrize("spoil", [emptied, cut, changed, without_a_model, of_another_version, a_list, no_text])
def test_a_damaged_checkpoint_is_an_error_that_names_the_file(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "fit.json"
    fit(table(), RECORD, rng=3, starts=1, max_its=3, checkpoint=path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(FormatError, match=r"checkpoint .*fit\.json") as raised:
        fit(table(), RECORD, rng=3, starts=1, max_its=3, checkpoint=path)
    assert "\n" not in str(raised.value)


def test_a_model_that_json_cannot_hold_and_a_folder_that_is_not_there_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        fit([1.0, 2.0, 4.0, 8.0], TWO, rng=1, checkpoint=tmp_path / "nowhere" / "fit.json")
