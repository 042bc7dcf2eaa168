"""The README's example runs as it stands, and finds what its data were made from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.pages import ROOT, run

README = ROOT / "README.md"


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    return run(README)


def test_the_example_fits(example: dict[str, Any]) -> None:
    fit, truth = example["fit"], example["truth"]
    assert fit.status == "converged"
    assert fit.log_likelihood > truth.seq_log_density(example["visits"]).sum()
    assert (np.diff(fit.objective) >= -1e-12 * abs(fit.objective[-1])).all()
    short, long = sorted(fit.model.components, key=lambda c: c.dists[0].mean())
    assert (short.dists[0].mean(), long.dists[0].mean()) == pytest.approx((12, 50), rel=0.05)
    assert (short.dists[1].p, long.dists[1].p) == pytest.approx((0.1, 0.3), abs=0.03)
    assert short.dists[3].pmap["milk"] == pytest.approx(0.8, abs=0.03)


def test_the_example_imputes(example: dict[str, Any]) -> None:
    posterior, items, model = example["model"].posterior(example["seen"]), example["items"], example["model"]
    assert items.mean() == pytest.approx(posterior @ [c.dists[1].dist.lam for c in model.components])
    assert posterior.sum() == pytest.approx(1.0)
    assert np.all(posterior > 0.001)


def test_the_commands_are_there() -> None:
    lines = README.read_text("utf-8").splitlines()
    assert any(line.startswith("make test") for line in lines)
    assert any(line.startswith("make demo") for line in lines)
