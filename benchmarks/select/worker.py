"""Sweeps in a process of its own: `python -m benchmarks.select.worker`, spoken to as `benchmarks.worker` is."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import dmlcore
from benchmarks.convergence.problems import reference
from benchmarks.worker import serve, spent
from dmlcore.regression import select_components
from dmlcore.stats import DiagonalGaussianEstimator, MixtureEstimator, MultivariateGaussianEstimator

DATA = Path(__file__).resolve().parent / "data"
LEAVES = {"VVV": MultivariateGaussianEstimator, "VVI": DiagonalGaussianEstimator}  # by Mclust's name of the model


@dataclass(frozen=True)
class Sweep:
    """A sweep. call: makes it, of a seed. mclust: what Mclust's fits of the same candidates reach. target: seconds wanted, of a group."""

    what: str
    call: Callable[[int], Any]
    mclust: tuple[float, ...] = ()
    target: str = ""


def gaussians(data: str, model: str) -> Sweep:
    """One to nine Gaussians."""
    x = np.loadtxt(DATA / f"{data}.csv", delimiter=",", skiprows=1)
    leaf = LEAVES[model](dim=x.shape[1])
    shape = {"VVV": "full", "VVI": "diagonal"}[model]
    return Sweep(
        f"1 to 9 Gaussians, {shape} covariances, {len(x):,} rows x {x.shape[1]}",
        lambda seed: dmlcore.select(lambda k: MixtureEstimator([leaf] * k), range(1, 10), x, rng=seed),
        tuple(json.loads((DATA / "mclust.json").read_text(encoding="utf-8"))[data][model]),
        {"diabetes": "1, both", "wreath": "2, both"}[data],
    )


def regressions() -> Sweep:
    """The number of regressions: three in truth."""
    case = reference("mixture_of_linear_regressions")
    rows = np.array(case["data"], dtype=float)
    x, y = (rows[:, [case["columns"].index(name) for name in names]] for names in (("x1", "x2", "x3"), ("y",)))
    return Sweep(
        "`select_components`, 1,000 rows x 3 covariates", lambda seed: select_components(x, y[:, 0], random_state=seed).selection, (), "0.5"
    )


MAKE = {f"{data} {model}": partial(gaussians, data, model) for data in ("diabetes", "wreath") for model in LEAVES}
SWEEPS = {name: make() for name, make in {**MAKE, "regressions": regressions}.items()}


class Worker:
    """Answers commands. Every public method is one."""

    package = "dmlcore"

    def __init__(self) -> None:
        warnings.simplefilter("ignore")
        x = np.random.default_rng(0).normal(size=(60, 2))  # loads what is loaded once
        for leaf in LEAVES.values():
            dmlcore.select(lambda k, leaf=leaf: MixtureEstimator([leaf(dim=2)] * k), [1, 2], x, rng=0)  # type: ignore[misc]
        select_components(x, x[:, 0] + x @ [1.0, 2.0], components=[1, 2], random_state=0)

    def sweep(self, name: str, seed: int) -> dict[str, Any]:
        """CPU seconds of a sweep, the candidate chosen, and by how much its lowest fit is above that of Mclust."""
        sweep = SWEEPS[name]
        seconds, _, found = spent(partial(sweep.call, seed))
        above = [fit.log_likelihood - theirs for fit, theirs in zip(found.fits, sweep.mclust, strict=False)]
        return {"seconds": seconds, "chosen": int(found.value), "above": min(above, default=None)}


if __name__ == "__main__":
    serve(Worker)
