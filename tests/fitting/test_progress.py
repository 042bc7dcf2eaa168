"""The line that says what long work is doing: what stands in it, where it appears, and that it is taken away."""

from __future__ import annotations

import io
import sys
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dmlcore import best_of, fit, optimize, propose, select
from dmlcore.fitting import observe
from dmlcore.fitting.observe import watched
from dmlcore.stats import GaussianEstimator, MixtureEstimator

ROWS = np.concatenate([np.random.default_rng(0).normal(m, 1.0, 60) for m in (-3.0, 3.0)])
TWO = MixtureEstimator([GaussianEstimator()] * 2)


class Terminal(io.StringIO):
    """A terminal that keeps all that was written."""

    def isatty(self) -> bool:
        return True

    def seen(self) -> list[str]:
        """What stood on its line, one after the other."""
        return [text.rstrip() for text in self.getvalue().split("\r")]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setattr(observe, "REDRAWN", 0.0)
    monkeypatch.setattr(observe, "AFTER", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    return put_before(Terminal(), monkeypatch)


def put_before(stream: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stream, in the place of standard error, which pytest has replaced itself."""
    monkeypatch.setattr(observe, "sys", SimpleNamespace(stderr=stream, modules=sys.modules))
    return stream


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (lambda **o: fit(ROWS, TWO, rng=1, **o), ["search round 1: 0 starts tried", "EM step 1, log likelihood"]),
        (lambda **o: optimize(ROWS, TWO, rng=1, **o), ["search round 1", "best -2"]),
        (lambda **o: best_of(ROWS, None, TWO, 3, rng=1, **o), ["2 of 3 starts, best so far -2", "starts | EM step 1"]),
        (
            lambda **o: select(lambda K: MixtureEstimator([GaussianEstimator()] * K), [2, 3], ROWS, rng=1, starts=2, **o),
            ["[..........] candidate 2 | ", "[#####.....] candidate 3, best so far 2 (bic 5"],
        ),
        (lambda **o: propose([{"a": x, "b": x * x} for x in ROWS.tolist()], **o), ["[..........] column a", "[#####.....] column b"]),
        (lambda **o: fit([{"a": x} for x in ROWS.tolist()], components=2, rng=1, **o), ["[..........] column a", "EM step 1"]),
    ],
)
def test_long_work_says_what_it_does_and_leaves_nothing(work: Any, says: list[str], terminal: Terminal) -> None:
    work(progress=False)
    assert terminal.getvalue() == ""
    work()
    seen = terminal.seen()
    for text in says:
        assert any(text in line for line in seen), seen
    assert seen[-2:] == ["", ""]


def test_what_is_not_to_be_shown_hides_what_is_within(terminal: Terminal) -> None:
    with watched(False), watched(True) as inner:
        inner.say("inner")
    assert terminal.getvalue() == ""
    with watched(True) as inner:
        inner.say("inner")
    assert "inner" in terminal.getvalue()


def test_short_work_says_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "AFTER", 100.0)
    fit(ROWS, TWO, rng=1)
    assert terminal.getvalue() == ""


def test_pipes_stay_silent(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (io.StringIO(), None):
        put_before(stream, monkeypatch)
        fit(ROWS, TWO, rng=1, progress=True)
    put_before(terminal, monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    fit(ROWS, TWO, rng=1, progress=True)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_line_goes_when_work_fails(error: type[BaseException], terminal: Terminal) -> None:
    def work() -> None:
        with watched(True) as outer:
            outer.say("outer")
            with watched(True) as inner:
                inner.say("inner", 1, 2)
                raise error

    with pytest.raises(error):
        work()
    assert [line.partition(" ")[2] for line in terminal.seen() if line] == ["| outer", "| outer | [#####.....] inner"]
    assert observe._Line.current is None


def test_callbacks_write_below_no_line(terminal: Terminal) -> None:
    fit(ROWS, TWO, start=[0] * 60 + [1] * 60, callback=lambda *told: terminal.write(f"step {told[0]}\n"))
    lines = terminal.getvalue().split("\n")
    assert all(line.rpartition("\r")[2].startswith("step ") for line in lines[:-1])


def test_other_threads_and_lost_screens_do_no_harm(terminal: Terminal) -> None:
    with watched(True) as outer:
        outer.say("mine")
        other = threading.Thread(target=lambda: fit(ROWS, TWO, rng=1))
        other.start()
        other.join()
        terminal.close()
        outer.say("nowhere")
    assert observe._Line.current is None


def test_a_notebook_shows_one_output(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Output:
        def __init__(self, content: dict[str, str], **_: Any):
            self.update(content)

        def update(self, content: dict[str, str], **_: Any) -> None:
            shown.append(content["text/plain"])

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=None)))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=Output))
    fit(ROWS, TWO, rng=1)
    assert "search round 1" in shown[0]
    assert shown[-1] == ""
    assert terminal.getvalue() == ""
