"""Measures in a process of its own: `python -m benchmarks.by_hand.worker`, spoken to as `benchmarks.worker` is."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np

from benchmarks.by_hand.fits import FITS, Call
from benchmarks.by_hand.steps import TABLES, Run
from benchmarks.worker import serve, spent

FEW = 2  # steps of the short run; what is not a step falls out of the difference
SHORT = 5.0  # CPU seconds: a first call that took less is made again, as it loaded what is loaded once
AGREE = 1e-9  # relative: log likelihoods after the same number of steps


def per_step(run: Run, steps: int) -> float:
    """CPU seconds of an EM step: a long run less a short one."""
    short, long = (spent(partial(run, count))[0] for count in (FEW, FEW + steps))
    return (long - short) / steps


def one(call: Call, seed: int) -> dict[str, Any]:
    """The end of a call, and its CPU seconds."""
    seconds, _, end = spent(partial(call, seed))
    return {"seconds": seconds, "value": float(end.value), "spurious": bool(end.spurious)}


class Worker:
    """Answers commands. Every public method is one."""

    package = "dmlcore"

    def steps(self, name: str, share: float, repetitions: int) -> dict[str, list[float]]:
        """CPU seconds of a step, of both in turn, each time; the first runs, not timed, must agree in every log likelihood."""
        table = TABLES[name]
        steps = max(2, round(table.steps * share))
        pair = table.make()
        ours, peer = (np.array(run(FEW + steps)) for run in (pair.ours, pair.peer))
        assert ours.shape == peer.shape, f"{name}: {len(ours)} log likelihoods and {len(peer)}"
        apart = np.abs(ours - peer).max() / np.abs(peer).max()
        assert apart < AGREE, f"{name}: the log likelihoods are {apart:.1e} apart"
        taken = [(per_step(pair.ours, steps), per_step(pair.peer, steps)) for _ in range(repetitions)]
        return {"ours": [a for a, _ in taken], "peer": [b for _, b in taken]}

    def fits(self, name: str, seeds: int, budget: float) -> dict[str, Any]:
        """Calls of both in turn, one of each for a seed; a first short one is made again, as it loads what is loaded once."""
        warnings.simplefilter("ignore")
        pair = FITS[name].make()
        made: dict[str, list[dict[str, Any]]] = {"ours": [], "peer": []}
        for seed in range(seeds):
            for who, call in (("ours", pair.ours), ("peer", pair.peer)):
                done = one(call, seed)
                made[who].append(one(call, seed) if not seed and done["seconds"] < SHORT else done)
            if sum(done["seconds"] for done in made["ours"]) > budget:
                break
        return {**made, "best": pair.best}


if __name__ == "__main__":
    serve(Worker)
