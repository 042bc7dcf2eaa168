"""An ascent that is saved after each step, and goes on from there with the same bits.

What is saved is small: the model, and what the steps so far leave behind for the next (the last points of the extrapolation, what the
stopping rules have counted, a random state). The rows are read again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dmlcore.base.errors import ParameterError
from dmlcore.base.records import dataclass
from dmlcore.fitting.ascent import Course, State, scored
from dmlcore.fitting.events import Event
from dmlcore.fitting.problem import Problem
from dmlcore.io.json import to_json
from dmlcore.io.sealed import read_sealed, write_sealed

CHECKPOINT = "checkpoint"  # what its files call themselves
FLAGS = ("step", "gain", "beyond", "extrapolated", "limited")  # of a state, that its model does not say


@dataclass(frozen=True)
class Checkpoint:
    """A file that an ascent is saved in. of: what says that a fit is the same: its estimator, its rows and how many, its options."""

    path: str
    of: dict[str, Any]

    @classmethod
    def at(cls, path: Any, problem: Problem, estimator: Any, options: dict[str, Any]) -> Checkpoint:
        """The file of a fit. Raises `FormatError` for an estimator that JSON cannot hold."""
        rows = {"rows": len(problem.rows), "weight": problem.rows.weight}
        return cls(os.fspath(path), {"estimator": json.loads(to_json(estimator)), **rows, **options})

    def saved(self) -> dict[str, Any] | None:
        """What was saved, or None. Raises `FormatError` for a file that is no checkpoint, `ParameterError` for one of another fit."""
        if not Path(self.path).exists():
            return None
        content = read_sealed(self.path, CHECKPOINT)
        for what, here in self.of.items():
            if content["of"].get(what) != here:
                raise ParameterError(f"{CHECKPOINT} {self.path} is of another fit: its {what} differs; name another file, or remove it")
        return content

    def save(self, state: State, course: Course, memory: Any, path: Any) -> None:
        """Saves an ascent as it stands after a step. memory: of the stopping rules; path: what it leaves behind (`run.Path`)."""
        if state.refused:
            return  # it repeats the state before, which is saved
        content = {
            "of": self.of,
            "model": state.model,
            "ahead": state.as_model(state.ahead),
            "state": {"apart": state.apart, **{flag: getattr(state, flag) for flag in FLAGS}},
            "course": course.memory(),
            "rules": memory,
            "history": path.history,
            "objective": path.objective,
            "events": [[event.kind, event.text, event.step, event.place, event.component] for event in path.events],
        }
        write_sealed(self.path, CHECKPOINT, content)


def state_of(content: dict[str, Any], problem: Problem) -> State:
    """The state that was saved, on the rows again. Raises `ParameterError` where these are not those that it was saved on."""
    flags = dict(content["state"])
    apart = flags.pop("apart")
    held = problem.stacked(apart=apart)
    stack, ahead = (held.stack([problem.check(content[name])]) for name in ("model", "ahead"))
    state = scored(problem, stack, apart).but(**flags, ahead=ahead)  # whose bits follow from the statistics that there were
    before = content["history"][-1]
    if state.log_likelihood != before:
        here = state.log_likelihood
        raise ParameterError(f"the checkpoint is of other rows: its model has the log likelihood {before!r} there, {here!r} here")
    return state


def events_of(content: dict[str, Any]) -> list[Event]:
    """The events that were saved."""
    return [Event(kind, text, step=step, place=place, component=component) for kind, text, step, place, component in content["events"]]
