"""Kernels are compiled, or a warning says that they are not."""

from __future__ import annotations

import importlib

import numba
import pytest

from dmlcore.base.errors import SlowWarning
from dmlcore.kernels import compiled


def test_kernels_that_are_not_compiled_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with pytest.warns(SlowWarning, match="NUMBA_DISABLE_JIT is set") as told:
        importlib.reload(compiled)
    assert len(told) == 1
    monkeypatch.undo()
    importlib.reload(compiled)
