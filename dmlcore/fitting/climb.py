"""One ascent by EM: expect, add, maximise; steps beyond EM's own where they rise higher; never down."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from dmlcore.base.errors import DegenerateError, DmlcoreError
from dmlcore.core.distribution import Distribution
from dmlcore.core.flat import flatten, unflatten
from dmlcore.core.keys import preorder
from dmlcore.fitting.acceleration import Extrapolation
from dmlcore.fitting.problem import Problem, paired
from dmlcore.fitting.stopping import Remaining, fell
from dmlcore.fitting.support import rests_on_few, weakly_supported

HALVINGS = 30  # how often a step of an estimator that is not exact is halved until the objective rises
OFF_THE_MAP = (DmlcoreError, np.linalg.LinAlgError, FloatingPointError, OverflowError)  # what a point outside a domain raises


class EMRun:
    """An ascent from a model. `step` takes one EM step; `model` is where it stands.

    history: the log likelihood after i steps; objective: what is maximised, the same with the log prior, or the classification log
    likelihood with it where rows are assigned hard. A step that would have gone down, by more than rounding, is refused and repeats
    the last value, but for stochastic EM and where a component was removed: `anew` says whether that was so at the last step. bold:
    whether the last step went beyond EM's. refused: whether it was refused, by `shortfall` nats. limited: whether the step that comes
    was cut short. status: None while it goes on, then how it ended, and `message` why.
    """

    def __init__(self, problem: Problem, model: Distribution | None, accelerate: bool = True):
        self.problem = problem
        self._here = self._coming = problem.stacked()
        self._problem_to_come: Problem | None = None
        self._stack: Any = None
        self._model: tuple[Any, Any] = None, None
        self.history: list[float] = []
        self.objective: list[float] = []
        self.status: str | None = None
        self.message = ""
        self.bold = self.refused = self.anew = False
        self.shortfall = 0.0
        self._extrapolation = Extrapolation() if accelerate else None
        self._halvings = 0
        self._statistics: list[Any] = []
        self._doubts: tuple[Distribution, list[str]] | None = None
        if model is not None:
            self.move_to(model)
            self._stack = self._next

    @classmethod
    def at(cls, problem: Problem, stack: Any) -> EMRun:
        """An ascent from a stack of one model, one step taken."""
        out = cls(problem, None)
        out.go_on_from(stack)
        out.step()
        return out

    @property
    def model(self) -> Any:
        """Where the ascent stands, as a tree of distributions: made when somebody looks."""
        return self._seen(self._stack)

    @property
    def stack(self) -> Any:
        """Where the ascent stands, as the stack that it works on."""
        return self._stack

    @property
    def apart(self) -> bool:
        """Whether like laws are kept apart in it."""
        return self._here.stacking is not None and self._here.stacking.apart

    def _seen(self, stack: Any) -> Any:
        if self._model[0] is not stack:
            stacking = (self._here if stack is self._stack else self._coming).stacking
            assert stacking is not None
            self._model = stack, stacking.model(stack)
        return self._model[1]

    @property
    def steps(self) -> int:
        """EM steps taken."""
        return len(self.history) - 1

    @property
    def limited(self) -> bool:
        """Whether the last extrapolation was cut short, so that more may lie beyond."""
        return self._extrapolation is not None and self._extrapolation.limited

    @property
    def sound(self) -> bool:
        """Whether the model lies on no floor below which its likelihood would grow without bound."""
        if self.status in ("decreased", "degenerate"):
            return False
        return not at_limit(self._here, self._stack, unbounded=True)

    @property
    def runaways(self) -> list[str]:
        """Places whose law is on its way to infinity, as messages."""
        return runaways(self.problem, self.model, self.problem.expect(self.model)[1])

    @property
    def weakly_supported(self) -> list[str]:
        """Why the optimum may be a spike on a few values (`dmlcore.fitting.support`), as messages."""
        if self._doubts is None or self._doubts[0] is not self._stack:
            few = rests_on_few(self._here, self._stack, self._statistics)
            self._doubts = self._stack, weakly_supported(self.problem, self.model, self.problem.expect(self.model)[1]) if few else []
        return self._doubts[1]

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """What makes one ascent better than another: sound, no spike, high."""
        return self.sound, not self.weakly_supported, self.objective[-1]

    @property
    def shares(self) -> np.ndarray:
        """What part of the row weights each component of the mixture held at the last step, `(K,)`."""
        held = self._statistics[0]
        return np.asarray(held / held.sum())

    @property
    def plain(self) -> Any:
        """Where the EM step from here leads."""
        return self._seen(self._plain)

    def move_to(self, model: Distribution, problem: Problem | None = None) -> None:
        """Goes on from another model; of another problem, from the next step on, even if it is lower."""
        if problem is not None:
            self._problem_to_come = problem
        self._coming = (problem or self.problem).stacked(apart=True)  # a law may have settings of its own: it takes the first step
        self.go_on_from(self._coming.stack([model]))

    def go_on_from(self, stack: Any) -> None:
        """Goes on from another stack."""
        self._next, self._plain, self._bold = stack, stack, False
        if self._extrapolation is not None:
            self._extrapolation.forget()

    def change(self) -> float:
        """The largest change of a flat parameter in the EM step from where the ascent stands; infinite if its shape changes."""
        here, there = flatten(self._stack), flatten(self._plain)
        return float(np.abs(here - there).max(initial=0.0)) if len(here) == len(there) else np.inf

    def step(self) -> None:
        """Scores the next model and finds the one after it."""
        there, self.bold, problem = self._next, self._bold, self._coming
        try:
            value, statistics = problem.expect(there)
            log_likelihood = problem.log_likelihood(there) if problem.assign == "hard" else value
            value += problem.log_prior(there)
        except OFF_THE_MAP:
            if not self.bold and (problem.exact or not self.objective):
                raise
            value = -np.inf
        if self.objective and self._down(value):
            self._refuse(there, value)
            return
        if self.bold and self._extrapolation is not None:
            self._extrapolation.succeeded()
        self.refused, self._halvings = False, 0
        self.anew = self._problem_to_come is not None and problem is not self._here
        if self._problem_to_come is not None:
            self.problem, self._problem_to_come = self._problem_to_come, None
        self._here = problem
        self._stack = there
        self.history.append(log_likelihood)
        self.objective.append(value)
        self._plan(statistics)

    def finish_on_an_em_step(self) -> None:
        """Ends on a model that EM gives: one that an extrapolation gave is tied and fixed only to rounding."""
        if self.bold and self.status is None and not self.refused:
            self._next, self._bold = self._plain, False
            self.step()

    def _put_together(self) -> None:
        """Where laws were kept apart: holds them as stacks, once they fit."""
        here, together = self._here.stacking, self.problem.stacked()
        assert here is not None
        assert together.stacking is not None
        if here.apart == together.stacking.apart:
            return
        models = here.model(self._stack), here.model(self._plain)
        if together.stacking.fits(models):
            self._here = self._coming = together
            self._stack, self._plain = (together.stack([model]) for model in models)
            self._next, self._statistics = self._plain, together.expect(self._stack)[1]

    def _down(self, value: float) -> bool:
        last, unit = self.objective[-1], self.problem.unit
        if self._problem_to_come is not None or self.problem.assign == "stochastic":
            return value == -np.inf
        return not value >= last if self.bold else fell(last, value, unit)

    def _refuse(self, there: Distribution, value: float) -> None:
        self.refused, self.shortfall = True, self.objective[-1] - value
        if self.bold and self._extrapolation is not None:
            self._extrapolation.failed()
            self._next, self._bold = self._plain, False
        elif not self.problem.exact and self._halvings < HALVINGS:
            self._halvings += 1
            self._next = self._halfway(there)
        else:
            step, last = len(self.history), self.objective[-1]
            self.status, self.message = "decreased", f"step {step} lowered the objective from {last!r} to {value!r}"
            return
        self.history.append(self.history[-1])
        self.objective.append(self.objective[-1])

    def _halfway(self, there: Distribution) -> Distribution:
        here, far = flatten(self._stack), flatten(there)
        return unflatten((here + far) / 2, there, checked=False) if len(here) == len(far) else self._stack

    def _plan(self, statistics: list[Any]) -> None:
        self._statistics = statistics
        self._bold = False
        try:
            self._next = self._plain = self._here.maximise(statistics, self._stack)
            self._put_together()
        except DegenerateError as error:
            self.status, self.message = "degenerate", str(error)
            return
        if self._extrapolation is None:
            return
        here, there = flatten(self._stack), flatten(self._plain)
        if len(here) != len(there) or not len(here) or at_limit(self._here, self._plain):
            self._extrapolation.forget()
            return
        self._extrapolation.add(here, there)
        beyond = self._extrapolation.propose()
        if beyond is None:
            return
        beyond = np.where(here == there, there, beyond)  # what EM leaves alone, fixed weights say, keeps its bits
        try:
            with np.errstate(all="ignore"):
                trial = unflatten(beyond, self._plain, checked=False)
            if not at_limit(self._here, trial):
                self._next, self._bold = trial, True
                return
        except OFF_THE_MAP:
            pass  # outside a domain: as a step that failed
        self._extrapolation.failed()


def follow(climb: EMRun, rule: Remaining, steps: int, deadline: float = np.inf) -> EMRun:
    """An ascent carried on until it has taken so many steps, its rule is met, or it is late."""
    while climb.status is None and climb.steps < steps and (climb.steps < 0 or time.perf_counter() < deadline):
        climb.step()
        if climb.status is None and climb.steps and (why := rule.met(climb)):
            climb.status, climb.message = "converged", why
    return climb


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


def reasons(problem: Problem, model: Distribution, unbounded: bool = False) -> list[str]:
    """Why a model is no ordinary maximum: the places that lie on a floor, or at infinity.

    unbounded: those alone where the likelihood has no bound.
    """
    places = paired(problem.estimator, model)
    found = [(path, why) for path, e, law in places if not (unbounded and e.bounded) and (why := e.degenerate(law))]
    return [f"{path}: {why}" if path else why for path, why in found]


def runaways(problem: Problem, model: Distribution, statistics: list[Any]) -> list[str]:
    """The places whose law is on its way to infinity, so slowly by now that it looks as if it stood, and why."""
    places = zip(paired(problem.estimator, model), statistics, strict=True)
    return [f"{path}: {why}" for (path, e, law), own in places if own is not None and (why := e.runs_off(law, own, problem.unit))]
