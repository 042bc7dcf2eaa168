"""Many starts side by side: plain EM steps of all of them at once, as one stack."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.base.random import spawn
from dmlcore.core.stacks import stack_of, taken
from dmlcore.fitting.ascent import at_limit
from dmlcore.fitting.observe import NOBODY, Watch
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.seeding import Descriptions
from dmlcore.fitting.starts import stack_of_starts
from dmlcore.fitting.support import rests_on_few

TOGETHER = 1 << 17  # rows (or elements) x nodes x starts that one stack holds: its arrays stay in the nearer caches


@dataclass
class Run:
    """One start. ahead: where it goes next, as a stack of one model; stack: where it stands, once it has taken a step; objective: there.

    kind: how it begins (`stack_of_starts`). steps: of EM taken so far; gain: of the last. followed: whether it went on alone. narrow:
    whether a law has collapsed on few rows, or nearly. error: why it failed, if it did.
    """

    rng: np.random.Generator
    kind: Any
    ahead: Any = None
    stack: Any = None
    objective: float = -np.inf
    steps: int = 0
    gain: float = np.inf
    narrow: bool = False
    followed: bool = False
    error: Exception | None = None


def new_runs(
    problem: Problem, rng: np.random.Generator, kinds: Sequence[Any], descriptions: Descriptions, deadline: float = np.inf
) -> list[Run]:
    """Starts of so many kinds, each with a random stream of its own."""
    runs = [Run(stream, kind) for stream, kind in zip(spawn(rng, len(kinds)), kinds, strict=True)]

    def start(together: Problem, part: Sequence[Run]) -> None:
        stack = stack_of_starts(together, [run.rng for run in part], [run.kind for run in part], descriptions)
        for r, run in enumerate(part):
            run.ahead = taken(stack, r)

    _in_stacks(problem, runs, start, deadline)
    return runs


def carried_on(problem: Problem, runs: Sequence[Run], steps: int, deadline: float = np.inf, watch: Watch = NOBODY) -> int:
    """Takes each start so many EM steps further, unless it is late; one that fails keeps its error. How many steps were taken. watch:
    is told that time goes by."""
    one = problem.stacked().estimator
    taken_before = sum(run.steps for run in runs)

    def carry_on(together: Problem, part: Sequence[Run]) -> None:
        ahead: Any = stack_of(one, [run.ahead for run in part])
        stack: Any = ahead
        statistics: list[Any] = []
        objective: Any = np.array([run.objective for run in part])
        gain = objective
        done = 0
        while done < steps and (not done or time.perf_counter() < deadline):
            done += 1
            stack = ahead
            value, statistics = together.expect(stack)
            value = value + together.log_prior(stack)
            gain, objective = value - objective, value
            ahead = together.maximise(statistics, stack)
            watch.tick()
        narrow = rests_on_few(together, stack, statistics, narrow=True)
        for r, run in enumerate(part):
            run.stack, run.ahead, run.steps = taken(stack, r), taken(ahead, r), run.steps + done
            run.objective, run.gain, run.narrow = float(objective[r]), float(gain[r]), bool(narrow[r])

    if steps > 0:
        _in_stacks(problem, [run for run in runs if run.error is None and run.ahead is not None], carry_on, deadline)
    return sum(run.steps for run in runs) - taken_before


def _in_stacks(problem: Problem, runs: Sequence[Run], work: Any, deadline: float) -> None:
    """Does work on stacks of runs. One in which something fails is taken apart, until the run that fails is alone."""
    size = max(1, TOGETHER // problem.work) if problem.resolved.stackable else 1
    waiting = [runs[at : at + size] for at in range(0, len(runs), size)][::-1]
    begun_one = False
    while waiting and not (begun_one and time.perf_counter() > deadline):
        part, begun_one = waiting.pop(), True
        try:
            work(problem.stacked(len(part)), part)
        except OUTSIDE_DOMAIN as error:
            if len(part) == 1:
                part[0].error = error
            else:
                half = len(part) // 2
                waiting += [part[half:], part[:half]]


def spiky(problem: Problem, run: Run) -> bool:
    """Whether a start stands at a limit of its laws, or a law of it has collapsed on few rows, or nearly."""
    return run.stack is not None and (run.narrow or at_limit(problem.stacked(), run.stack, unbounded=True))
