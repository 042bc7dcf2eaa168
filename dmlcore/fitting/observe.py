"""Who watches long work: the user's callback, and a line on the screen that says what is happening."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from dmlcore.core.distribution import Distribution

if TYPE_CHECKING:
    from dmlcore.fitting.ascent import State

Callback = Callable[[int, float, Distribution], None]
Tell = Callable[["State"], None]

AFTER = 1.0  # seconds of work before anything is shown
REDRAWN = 0.1  # seconds after which the line may change again
BAR = 10  # letters
WIDTH = 80  # letters of a line, where the terminal does not say


class Screen(Protocol):
    """Where one line can be shown, changed, and taken away."""

    def show(self, text: str) -> None:
        """Shows a line in place of the one before."""

    def clear(self) -> None:
        """Takes the line away."""


class Watch:
    """What one level of work says of itself; a fit within a search for the number of components is a level below it."""

    def __init__(self, line: _Line | None = None, level: int = 0):
        self._line, self._level = line, level

    def say(self, text: str, done: int = 0, of: int = 0) -> None:
        """What is happening now, in place of what was said before; of work that can be counted, how much is done."""
        if self._line is not None:
            self._line.say(self._level, text if not of else f"{_bar(done, of)} {text}")

    def tick(self) -> None:
        """It is still what was said last, some time later."""
        if self._line is not None:
            self._line.draw()

    def clear(self) -> None:
        """Takes the line away until more is said, as others want to write."""
        if self._line is not None:
            self._line.clear()


NOBODY = Watch()


class _Here(threading.local):
    """How many levels of this thread's work are not to be shown."""

    muted = 0


_here = _Here()


@contextmanager
def watched(progress: bool, began: float | None = None) -> Iterator[Watch]:
    """A level of work whose steps are shown, if `progress`, on a terminal or in a notebook; nowhere else.

    began: since when (`time.perf_counter`). Nothing is shown in the first second. There is one line: work within work adds to it, and
    other threads say nothing, nor does work within work that is not to be shown. However the work ends, the line is taken away.
    """
    if not progress or _here.muted:
        _here.muted += 1
        try:
            yield NOBODY
        finally:
            _here.muted -= 1
        return
    line = _Line.of_this_thread(began)
    if line is None:
        yield NOBODY
        return
    level = len(line.parts)
    line.parts.append("")
    try:
        yield Watch(line, level)
    finally:
        del line.parts[level:]
        if not line.parts:
            line.close()


@contextmanager
def observers(callback: Callback | None, progress: bool, began: float) -> Iterator[Tell]:
    """What to call after each step of an ascent: it tells the callback, and whoever looks at the screen."""
    with watched(progress, began) as watch:

        def tell(state: State) -> None:
            watch.say(f"EM step {state.step}, log likelihood {state.log_likelihood:.2f}")
            if callback is not None:
                watch.clear()
                callback(state.step, state.log_likelihood, state.model)

        yield tell


class _Line:
    """The line, and what each level of work has said last, outermost first."""

    current: _Line | None = None
    lock = threading.Lock()

    def __init__(self, screen: Screen, began: float | None):
        self.screen, self.owner = screen, threading.get_ident()
        self.began = time.perf_counter() if began is None else began
        self.due = self.began + AFTER
        self.parts: list[str] = []
        self.visible = False

    @classmethod
    def of_this_thread(cls, began: float | None) -> _Line | None:
        """The line, if this thread may write to it; None where there is no screen."""
        with cls.lock:
            if cls.current is None:
                screen = screen_here()
                cls.current = None if screen is None else cls(screen, began)
            return cls.current if cls.current is not None and cls.current.owner == threading.get_ident() else None

    def say(self, level: int, text: str) -> None:
        del self.parts[level + 1 :]
        self.parts[level] = text
        self.draw()

    def draw(self) -> None:
        now = time.perf_counter()
        if now >= self.due:
            self.due = now + REDRAWN
            minutes, seconds = divmod(int(now - self.began), 60)
            self.visible = True
            with suppress(OSError, ValueError):  # a screen that is gone is no reason to stop work
                self.screen.show(" | ".join([f"{minutes}:{seconds:02d}", *filter(None, self.parts)]))

    def clear(self) -> None:
        if self.visible:
            self.visible = False
            with suppress(OSError, ValueError):
                self.screen.clear()

    def close(self) -> None:
        self.clear()
        _Line.current = None


def screen_here() -> Screen | None:
    """A notebook or a terminal that somebody may look at; None in a pipe."""
    ipython: Any = sys.modules.get("IPython")
    if hasattr(ipython.get_ipython() if ipython is not None else None, "kernel"):
        return _Notebook()
    stream = sys.stderr
    on_a_terminal = stream is not None and not stream.closed and stream.isatty() and os.environ.get("TERM") != "dumb"
    return _Terminal(stream) if on_a_terminal else None


class _Terminal:
    def __init__(self, stream: TextIO):
        self.stream, self.length = stream, 0

    def show(self, text: str) -> None:
        text = text[: self._width() - 1]
        self.stream.write("\r" + text.ljust(self.length))
        self.stream.flush()
        self.length = len(text)

    def clear(self) -> None:
        self.stream.write("\r" + " " * self.length + "\r")
        self.stream.flush()
        self.length = 0

    def _width(self) -> int:
        with suppress(OSError, ValueError):
            return os.get_terminal_size(self.stream.fileno()).columns or WIDTH
        return WIDTH


class _Notebook:
    """An output of the cell that is written over; what is left of it in the end is empty."""

    def __init__(self) -> None:
        self.output: Any = None

    def show(self, text: str) -> None:
        content = {"text/plain": text}
        if self.output is None:
            self.output = importlib.import_module("IPython.display").display(content, raw=True, display_id=True)
        else:
            self.output.update(content, raw=True)

    def clear(self) -> None:
        self.output.update({"text/plain": ""}, raw=True)


def _bar(done: int, of: int) -> str:
    filled = BAR * done // of
    return f"[{'#' * filled}{'.' * (BAR - filled)}]"
