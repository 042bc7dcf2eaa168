"""What tests of several folders ask for."""

from __future__ import annotations

import pytest

import dmlcore.fitting.search as searching


@pytest.fixture
def short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits seek from few starts and move no components: for tests that run through a fit and do not look at how good its optimum is."""
    monkeypatch.setattr(searching, "STARTS", 4)
    monkeypatch.setattr(searching, "MOST_STARTS", 4)
    monkeypatch.setattr(searching, "GENERATIONS", 0)
