"""One ascent to its end: rules and limits that stop it, saddles that it leaves, components that are removed on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dmlcore.fitting.ascent import Course, State, ascend, interrupted, on_an_em_step
from dmlcore.fitting.checkpoint import Checkpoint, events_of, state_of
from dmlcore.fitting.events import Event
from dmlcore.fitting.observe import Tell
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.removal import Removal
from dmlcore.fitting.saddle import off_the_saddle
from dmlcore.fitting.stopping import Remaining


@dataclass(frozen=True)
class Limits:
    """How many steps an ascent may take, and until when (`time.perf_counter`)."""

    steps: int
    deadline: float

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() > self.deadline


@dataclass
class Path:
    """What an ascent leaves behind: after each step the log likelihood and the objective, what happened, and where it ended."""

    last: State
    history: list[float] = field(default_factory=list)
    objective: list[float] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def add(self, state: State) -> None:
        """One state more, unless it is the last again, with how it ended."""
        if state.step == len(self.history):
            self.history.append(state.log_likelihood)
            self.objective.append(state.objective)
        self.last = state


def run_to_end(
    first: State | dict[str, Any],
    accelerate: bool,
    rules: Sequence[Any],
    removal: Removal | None,
    limits: Limits,
    tell: Tell,
    checkpoint: Checkpoint | None = None,
    problem: Problem | None = None,
) -> Path:
    """The path of an ascent from a state. Ctrl-C ends it where it stands.

    rules: each asked after each step; the first may be a `Remaining`, which also says where EM stands nearly still. checkpoint: where the
    ascent is saved after each step; first may be what was saved there, which goes on with the rows of a problem.
    """
    course, plateaus = Course(accelerate), _Plateaus(rules)
    if isinstance(first, dict):
        assert problem is not None
        path = Path(state_of(first, problem), first["history"], first["objective"], events_of(first))
        course = Course.with_memory(first["course"])
        plateaus.remember(first["rules"])
    else:
        first = first.but(step=0, gain=math.nan, status=None if first.status == "converged" else first.status)
        path = Path(first)
        path.add(first)
    try:
        _run(path, course, plateaus, rules, removal, limits, tell, checkpoint)
    except (KeyboardInterrupt, SystemError) as error:
        if not interrupted(error):
            raise
        said = f"interrupted after {path.last.step} steps; the model is the best so far"
        path.add(path.last.but(status="interrupted", message=said))
    return path


def _run(
    path: Path,
    course: Course,
    plateaus: _Plateaus,
    rules: Sequence[Any],
    removal: Removal | None,
    limits: Limits,
    tell: Tell,
    checkpoint: Checkpoint | None,
) -> None:
    states = ascend(path.last, course=course)
    removed: Event | None = None
    while path.last.status is None:
        state = path.last
        if removed is not None and state.changed:
            path.events.append(removed)
            removed = None
        tell(state)
        if checkpoint is not None:
            checkpoint.save(state, course, plateaus.memory(), path)
        may_go_on = state.step < limits.steps and not limits.late
        if removal is not None and may_go_on and (lighter := removal.applied(state)):
            turned: State | None = lighter[0]
            removed = lighter[1]
        else:
            whys = [rule.met(state) if state.step else None for rule in rules]
            why = next(filter(None, whys), None)
            better = plateaus.left(state, whys[:1]) if may_go_on else None
            if better is None and (end := _end(state, why, limits)):
                finish(path, end, may_go_on, tell)
                return
            turned = better
            if better is not None:
                said = f"step {state.step}: EM stood nearly still at a saddle; went on from a better point nearby"
                path.events.append(Event("saddle", said, step=state.step))
        if turned is not None:
            course = course.afresh()
            states = ascend(turned, course=course)
        path.add(next(states))


def _end(state: State, why: str | None, limits: Limits) -> tuple[str, str] | None:
    """How an ascent ends at a state, and why; None where it goes on."""
    if limits.late:
        return "time limit", f"stopped at the time limit after {state.step} steps; more may be gained"
    if why is not None:
        return "converged", why
    if state.step >= limits.steps:
        return "iteration limit", f"stopped at the limit of {limits.steps} steps; more may be gained"
    return None


def finish(path: Path, end: tuple[str, str], may_go_on: bool, tell: Tell) -> None:
    """Ends a path; one that converged, on a model that an EM step gives."""
    state, (status, message) = path.last, end
    if status == "converged" and may_go_on:
        state = on_an_em_step(state)
        if state.step > path.last.step:
            path.add(state)
            tell(state)
    path.add(state if state.status is not None else state.but(status=status, message=message))


class _Plateaus:
    """Asks, where gains die out or stay small, whether EM stands at a saddle."""

    def __init__(self, rules: Sequence[Any]):
        self.gains = next((rule for rule in rules[:1] if isinstance(rule, Remaining)), None)
        self.rng = np.random.default_rng(0)

    def memory(self) -> dict[str, Any]:
        """What it and the gains it looks at have counted so far, as JSON holds it."""
        return {"random": self.rng.bit_generator.state, "gains": None if self.gains is None else self.gains.memory()}

    def remember(self, memory: dict[str, Any]) -> None:
        """Takes up what another left."""
        self.rng.bit_generator.state = memory["random"]
        if self.gains is not None:
            vars(self.gains).update(memory["gains"])

    def left(self, state: State, met: list[str | None]) -> State | None:
        """The state turned to a better point, or None."""
        if self.gains is None or state.problem.assign != "soft" or not state.step:
            return None
        return off_the_saddle(state, self.rng) if any(met) or self.gains.stalled(state) else None
