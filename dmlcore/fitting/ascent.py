"""Ascents by EM, as states that follow one another: expect, add, maximise; steps beyond EM's own where they rise higher; never down."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from dmlcore.base.errors import DegenerateError
from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.base.records import dataclass
from dmlcore.core.distribution import Distribution
from dmlcore.core.flat import flatten, unflatten
from dmlcore.core.keys import preorder
from dmlcore.fitting.acceleration import Extrapolation
from dmlcore.fitting.events import Event
from dmlcore.fitting.problem import Problem, paired
from dmlcore.fitting.stopping import fell
from dmlcore.fitting.support import rests_on_few, weakly_supported

HALVINGS = 30  # how often a step of an estimator whose step is not its maximum is halved until the objective rises


@dataclass(frozen=True, eq=False)
class State:
    """Where an ascent stands after a step, and where EM leads from there.

    problem: the rows and the estimator; stack: the model, as `problem.stacked(apart=apart)` holds it. objective: what is maximised, the
    log likelihood with the log prior, or the classification log likelihood with it where rows are assigned hard; gain: on the state
    before. statistics: expected at the model; ahead: the model that maximises them.

    refused: whether the step would have gone down, by `shortfall` nats, so that the state repeats the one before. beyond: whether the last
    step went beyond EM's; extrapolated: whether the model was reached by such a step. limited: whether the step that comes was cut short.
    changed: whether the problem was another before, so that objectives do not compare. turned: whether `ahead` is no EM step. status: None
    while it goes on, then how it ended, and `message` why.
    """

    problem: Problem
    apart: bool
    stack: Any
    log_likelihood: float
    objective: float
    statistics: list[Any]
    ahead: Any
    step: int = 0
    gain: float = math.nan
    shortfall: float = 0.0
    refused: bool = False
    beyond: bool = False
    extrapolated: bool = False
    limited: bool = False
    changed: bool = False
    turned: bool = False
    next_problem: Problem | None = None  # where the problem changes with the next step, which is then begun apart
    status: str | None = None
    message: str = ""

    @property
    def held(self) -> Problem:
        """The problem for models as the state holds them."""
        return self.problem.stacked(apart=self.apart)

    @cached_property
    def model(self) -> Any:
        """The model, as a tree of distributions."""
        return self.as_model(self.stack)

    def as_model(self, stack: Any) -> Any:
        """A stack of the state as a tree of distributions."""
        stacking = self.held.stacking
        assert stacking is not None
        return stacking.model(stack)

    @property
    def nondegenerate(self) -> bool:
        """Whether the model lies on no floor below which its likelihood would grow without bound."""
        return self.status not in ("decreased", "degenerate") and not at_limit(self.held, self.stack, unbounded=True)

    @property
    def runaways(self) -> list[Event]:
        """Places whose law is on its way to infinity."""
        return runaways(self.problem, self.model, self.problem.expect(self.model)[1])

    @cached_property
    def weakly_supported(self) -> list[Event]:
        """Why the model may rest on a spike (`dmlcore.fitting.support`)."""
        if not np.any(rests_on_few(self.held, self.stack, self.statistics)):
            return []
        return weakly_supported(self.problem, self.model, self.problem.expect(self.model)[1])

    @cached_property
    def rank(self) -> tuple[bool, bool, float]:
        """What makes one ascent better than another: on no floor, on no spike, high."""
        return self.nondegenerate, not self.weakly_supported, self.objective

    @property
    def shares(self) -> np.ndarray:
        """What part of the row weights each component of the mixture held at the last step, `(K,)`."""
        held = self.statistics[0]
        return np.asarray(held / held.sum())

    def change(self) -> float:
        """The largest change of a flat parameter in the EM step from here; infinite if its shape changes."""
        here, there = flatten(self.stack), flatten(self.ahead)
        return float(np.abs(here - there).max(initial=0.0)) if len(here) == len(there) else np.inf

    def but(self, **changes: Any) -> State:
        """The same with other fields; what is known of its model is kept, where that stays."""
        out = replace(self, **changes)
        if "stack" not in changes:
            out.__dict__.update({field: self.__dict__[field] for field in ("model", "weakly_supported") if field in self.__dict__})
        return out

    def turned_to(self, stack: Any, problem: Problem | None = None) -> State:
        """The same, from which the ascent goes on to another stack; of another problem, held apart, even if it is lower there."""
        return self.but(ahead=stack, turned=True, next_problem=problem)


def scored(problem: Problem, stack: Any, apart: bool = False) -> State:
    """The state at a stack of a problem: an EM step is taken from there."""
    return _state(problem, stack, apart, _expected(problem, stack, apart))


def begun(problem: Problem, model: Distribution) -> State:
    """The state at a model. A law may have settings of its own, so that its like parts, where it has any, take the first step apart."""
    stacking = problem.stacked().stacking
    assert stacking is not None
    apart = not stacking.apart
    return scored(problem, problem.stacked(apart=apart).stack([model]), apart=apart)


def _expected(problem: Problem, stack: Any, apart: bool) -> tuple[float, float, list[Any]]:
    """Log likelihood, objective and expected statistics at a stack."""
    held = problem.stacked(apart=apart)
    value, statistics = held.expect(stack)
    log_likelihood = held.log_likelihood(stack) if held.assign == "hard" else value
    return log_likelihood, value + held.log_prior(stack), statistics


def _state(problem: Problem, stack: Any, apart: bool, expected: tuple[float, float, list[Any]], **fields: Any) -> State:
    """The state at a stack, with the EM step that comes; like parts together, where these were apart and fit."""
    held, (log_likelihood, objective, statistics) = problem.stacked(apart=apart), expected
    try:
        ahead = held.maximise(statistics, stack)
    except DegenerateError as error:
        fields |= {"status": "degenerate", "message": str(error)}
        return State(problem, apart, stack, log_likelihood, objective, statistics, stack, **fields)
    state = State(problem, apart, stack, log_likelihood, objective, statistics, ahead, **fields)
    together = problem.stacked()
    assert together.stacking is not None
    if apart and not together.stacking.apart:
        models = state.model, state.as_model(ahead)
        if together.stacking.fits(models):
            stack, ahead = (together.stack([model]) for model in models)
            return state.but(apart=False, stack=stack, ahead=ahead, statistics=together.expect(stack)[1])
    return state


def ascend(state: State, accelerate: bool = True, course: Course | None = None) -> Iterator[State]:
    """The states that follow one, without end unless an ascent fails (`status`). accelerate: whether steps go beyond EM's; course: what
    says so in its place, if it has a memory."""
    course = Course(accelerate) if course is None else course
    there, beyond, _ = (state.ahead, False, False) if state.turned else course.from_here(state)
    halvings = 0
    while state.status is None:
        exact = (state.next_problem or state.problem).resolved.closed_form
        new = _stepped(state, there, beyond, must_exist=exact and not beyond)
        if not new.refused:
            course.succeeded(beyond)
            there, beyond, limited = course.from_here(new)
            new, halvings = new.but(limited=limited) if limited else new, 0
        elif beyond:
            course.failed()
            there, beyond = state.ahead, False
        elif not exact and halvings < HALVINGS:
            there, halvings = _halfway(state.stack, there), halvings + 1
        else:
            message = f"step {state.step + 1} lowered the objective from {state.objective!r} to {state.objective - new.shortfall!r}"
            new = new.but(step=state.step, status="decreased", message=message)
        yield new
        state = new


def _stepped(state: State, there: Any, beyond: bool, must_exist: bool) -> State:
    """The state after a step to `there`; where that goes down, or (unless it must exist) lies outside a domain, the same state again."""
    problem = state.next_problem or state.problem
    changed, drawn = state.next_problem is not None, problem.assign == "stochastic"
    apart, step, gain, down = state.apart or changed, state.step + 1, -np.inf, True
    try:
        expected = _expected(problem, there, apart)
        gain = expected[1] - state.objective
        if changed or drawn:
            down = expected[1] == -np.inf
        else:
            down = not gain >= 0 if beyond else fell(state.objective, expected[1], problem.unit)
    except OUTSIDE_DOMAIN:
        if must_exist:
            raise
    if down:
        return state.but(step=step, gain=0.0, refused=True, beyond=beyond, shortfall=-gain, changed=False)
    return _state(problem, there, apart, expected, step=step, gain=gain, beyond=beyond, extrapolated=beyond, changed=changed)


def _halfway(here: Any, there: Any) -> Any:
    one, other = flatten(here), flatten(there)
    return unflatten((one + other) / 2, there, checked=False) if len(one) == len(other) else here


class Course:
    """Where the steps of an ascent go: EM's way, or beyond it."""

    def __init__(self, accelerate: bool):
        self.extrapolation = Extrapolation() if accelerate else None

    def from_here(self, state: State) -> tuple[Any, bool, bool]:
        """`(stack, whether it is beyond EM's step, whether it was cut short)`."""
        beyond = None if self.extrapolation is None or state.status is not None else self._beyond(self.extrapolation, state)
        if beyond is None:
            return state.ahead, False, self.extrapolation is not None and self.extrapolation.limited
        return beyond, True, self.extrapolation is not None and self.extrapolation.limited

    @staticmethod
    def _beyond(extrapolation: Extrapolation, state: State) -> Any:
        here, there = flatten(state.stack), flatten(state.ahead)
        if len(here) != len(there) or not len(here) or at_limit(state.held, state.ahead):
            extrapolation.forget()
            return None
        extrapolation.add(here, there)
        beyond = extrapolation.propose()
        if beyond is None:
            return None
        beyond = np.where(here == there, there, beyond)  # what EM leaves alone, fixed weights say, keeps its bits
        try:
            with np.errstate(all="ignore"):
                trial = unflatten(beyond, state.ahead, checked=False)
            if not at_limit(state.held, trial) and within_bounds(state.held, trial):
                return trial
        except OUTSIDE_DOMAIN:
            pass  # as a step that failed
        extrapolation.failed()
        return None

    def memory(self) -> Any:
        """What the steps so far leave behind, as JSON holds it: without the last point, which the next step adds again."""
        return None if self.extrapolation is None else self.extrapolation.memory()

    def afresh(self) -> Course:
        """Another of the kind, without a memory."""
        return Course(self.extrapolation is not None)

    @classmethod
    def with_memory(cls, memory: Any) -> Course:
        """The course that left this behind."""
        course = cls(memory is not None)
        if course.extrapolation is not None:
            course.extrapolation.remember(memory)
        return course

    def succeeded(self, beyond: bool) -> None:
        """A step rose; beyond: one beyond EM's."""
        if beyond and self.extrapolation is not None:
            self.extrapolation.succeeded()

    def failed(self) -> None:
        """A step beyond EM's did not."""
        if self.extrapolation is not None:
            self.extrapolation.failed()


def on_an_em_step(state: State) -> State:
    """The state, or, of one that an extrapolation reached, the next: on a model that EM gives, tied and fixed not to rounding only."""
    if not state.extrapolated or state.status is not None or (state.refused and not state.beyond):
        return state
    return next(ascend(state.but(turned=True), False))


def followed(start: State, rule: Any, steps: int, deadline: float = np.inf, accelerate: bool = True) -> State:
    """Where an ascent stands once it has taken so many steps, its rule is met, or it is late (`time.perf_counter`)."""
    for state in chain([start], ascend(start, accelerate)):
        if state.step > start.step and state.status is None and (why := rule.met(state)):
            return state.but(status="converged", message=why)
        if state.status is not None or state.step >= steps or time.perf_counter() > deadline:
            break
    return state


def interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: while numba reads its arguments it arrives as a SystemError, or several, that it caused."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def at_limit(problem: Problem, stack: Any, unbounded: bool = False) -> bool:
    """Whether any law of a stack is no ordinary maximum: it lies on a floor, or at infinity. unbounded: of those whose likelihood has no
    bound."""
    laws = zip(preorder(problem.estimator), preorder(stack), strict=True)
    return any(e.degenerate(law) is not None for e, law in laws if not (unbounded and e.bounded))


def within_bounds(problem: Problem, stack: Any) -> bool:
    """Whether all laws of a stack are within the bounds of their estimators."""
    laws = zip(preorder(problem.estimator), preorder(stack), strict=True)
    return all(e.within_bounds(law) for e, law in laws)


def reasons(problem: Problem, model: Distribution, unbounded: bool = False) -> list[Event]:
    """Why a model is no ordinary maximum: the places that lie on a floor, or at infinity.

    unbounded: those alone where the likelihood has no bound.
    """
    places = paired(problem.estimator, model)
    found = [(path, why) for path, e, law in places if not (unbounded and e.bounded) and (why := e.degenerate(law))]
    return [Event("degenerate", why, place=path) for path, why in found]


def runaways(problem: Problem, model: Distribution, statistics: list[Any]) -> list[Event]:
    """The places whose law is on its way to infinity, so slowly by now that it looks as if it stood, and why."""
    places = zip(paired(problem.estimator, model), statistics, strict=True)
    found = [(path, e.runs_off(law, own, problem.unit)) for (path, e, law), own in places if own is not None]
    return [Event("degenerate", why, place=path) for path, why in found if why]
