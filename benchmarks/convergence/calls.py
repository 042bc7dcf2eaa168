"""The calls of dmlcore that are compared, and `run`, which makes the calls of a method for some seeds and says where each ended."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.convergence.judge import spurious
from benchmarks.convergence.peers import MOST, PEERS, Made
from benchmarks.convergence.problems import PROBLEMS, Problem

DELTA = 1e-9  # nats: the gain of a step below which plain EM stops, as the peers do
SHORT = 20.0  # CPU seconds: a first call that took less is made again, as it loaded what is loaded once


@dataclass(frozen=True)
class Call:
    """Where one call ended. steps: EM steps in all, short runs and trials included. seconds: CPU. error: why there is no result."""

    seed: int
    log_likelihood: float
    steps: int | None
    seconds: float
    spurious: bool = False
    error: str = ""


def default(data: Any, estimator: Any, seed: int) -> Any:
    """What `dmlcore.optimize(data, estimator, rng=seed)` does, with its record."""
    import dmlcore

    return dmlcore.fit(data, estimator, rng=seed)


def plain(data: Any, estimator: Any, seed: int) -> Any:
    """Plain EM from one random start, until a step gains less than `DELTA`."""
    import dmlcore

    start = dmlcore.stats.initialize(data, estimator, rng=seed)
    return dmlcore.fit(data, estimator, start=start, delta=DELTA, max_its=MOST)


def steps(record: Any) -> int:
    """EM steps of a record, short runs and trials included."""
    return int(record.iterations + record.searched)


OURS = {"default": default, "plain": plain}
METHODS = {**dict.fromkeys(OURS, "dmlcore"), **{name: system for name, (system, _) in PEERS.items()}}  # method: its system


def prepare(problem: Problem, method: str) -> Made:
    """The data encoded; what makes the call of one seed, and gives `(model, log likelihood, EM steps)`."""
    if method in PEERS:
        return PEERS[method][1](problem)
    from dmlcore.stats import seq_encode

    estimator = problem.estimator()
    data = seq_encode(problem.rows, estimator=estimator)

    def call(seed: int) -> tuple[Any, float, int | None]:
        record = OURS[method](data, estimator, seed)
        return record.model, record.log_likelihood, steps(record)

    return call


def run(name: str, seeds: Iterable[int], method: str = "default", budget: float = np.inf) -> list[Call]:
    """The calls of a method, one for each seed; none begins after `budget` CPU seconds."""
    problem = PROBLEMS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call, rows = prepare(problem, method), len(problem.rows)
        out: list[Call] = []
        for seed in seeds:
            if sum(done.seconds for done in out) >= budget:
                break
            done = one_call(call, seed, rows)
            out.append(one_call(call, seed, rows) if not out and done.seconds < SHORT else done)
    return out


def one_call(call: Made, seed: int, rows: int) -> Call:
    """One call, timed and judged."""
    began = time.process_time()
    try:
        model, log_likelihood, taken = call(seed)
    except Exception as error:  # of many systems: a call that fails is a result
        return Call(seed, -np.inf, None, time.process_time() - began, error=f"{type(error).__name__}: {error}"[:160])
    return Call(seed, log_likelihood, taken, time.process_time() - began, spurious(model, rows))


def verdict(problem: Problem, call: Call) -> str:
    """Where a call ended: at the best known optimum (found), below, or above it, which is spurious (`judge.py`) or new; or it failed."""
    if call.error or not np.isfinite(call.log_likelihood):
        return "failed"
    if abs(call.log_likelihood - problem.best) <= problem.within:
        return "found"
    if call.log_likelihood < problem.best:
        return "below"
    return "spurious" if call.spurious else "new"


VERDICTS: tuple[str, ...] = ("found", "below", "spurious", "new", "failed")
