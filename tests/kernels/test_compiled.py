"""Kernels are compiled, or a warning says that they are not."""

from __future__ import annotations

import importlib

import numba
import pytest

from dmlcore.base.errors import SlowWarning
from dmlcore.kernels import ROOMS, compiled


def test_kernels_that_are_not_compiled_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with pytest.warns(SlowWarning, match="NUMBA_DISABLE_JIT is set") as told:
        importlib.reload(compiled)
    assert len(told) == 1
    monkeypatch.undo()
    importlib.reload(compiled)


def test_bits_do_not_depend_on_what_was_loaded_first() -> None:
    """A kernel that another calls is compiled into both, and a process runs the one it loads first: none may have sums in any order."""
    rooms = [importlib.import_module(f"dmlcore.kernels.{room}") for room in ROOMS]
    kernels = [made for room in rooms for made in vars(room).values() if isinstance(made, numba.core.dispatcher.Dispatcher)]
    called = {name for made in kernels for name in made.py_func.__code__.co_names}
    named = [made for made in kernels if made.__name__ in called]
    assert {"exp_of", "digamma_gap"} <= {made.__name__ for made in named}
    assert not [made.__name__ for made in named if "reassoc" in made.targetoptions["fastmath"]]
