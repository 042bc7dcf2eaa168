"""What tests of several folders ask for."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

import dmlcore.fitting.search as searching


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are made and kept: to look through all of them for garbage, again and again, is a quarter of the time it takes."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits seek from few starts and move no components: for tests that run through a fit and do not look at how good its optimum is."""
    monkeypatch.setattr(searching, "STARTS", 4)
    monkeypatch.setattr(searching, "MOST_STARTS", 4)
    monkeypatch.setattr(searching, "GENERATIONS", 0)
