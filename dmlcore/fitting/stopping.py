"""When to stop: rules that look at an ascent after each step.

Thresholds are in nats for rows of weight one. `unit` is the mean row weight of a fit: scaling all weights changes nothing.
A rule's `met` says of the state after a step why the ascent should end, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dmlcore.fitting.ascent import State

REMAINING = 1e-8  # nats left to gain below which a fit has converged
IN_A_ROW = 6  # steps for which that must hold: a faster rate may hide a slower one at first
ROUNDING = 1e-11  # of the objective: changes below this are rounding


def noise(value: float, unit: float = 1.0) -> float:
    """How much of an objective of this size may be rounding."""
    return ROUNDING * (unit + abs(value))


def fell(before: float, after: float, unit: float = 1.0) -> bool:
    """Whether the objective fell by more than rounding."""
    return not after >= before - 10 * noise(before, unit)


class SmallGain:
    """Stop when a step gains less than `delta` nats. `delta <= 0` never stops."""

    def __init__(self, delta: float):
        self.delta = delta

    def met(self, state: State) -> str | None:
        """Why a fit ends here, or None."""
        small = self.delta > 0 and not state.refused and not state.changed and state.gain < self.delta
        return f"the last step gained less than {self.delta:g}" if small else None


class SmallChange:
    """Stop when an EM step changes no flat parameter by more than `change`."""

    def __init__(self, change: float):
        self.change = change

    def met(self, state: State) -> str | None:
        """Why a fit ends here, or None."""
        return f"an EM step changes no parameter by more than {self.change:g}" if state.change() <= self.change else None


class Unimproved:
    """Stop when a score of the ascent has become no higher for `patience` steps; keeps the model at which it was highest.

    what: of which data, for messages. Where a component was removed, only later models count.
    """

    def __init__(self, score: Callable[[State], Any], patience: int | None, what: str):
        self.score, self.patience, self.what = score, patience, what
        self.best: Any = None
        self.value: Any = None
        self.since = self.step = 0

    def met(self, state: State) -> str | None:
        """Why a fit ends here, or None."""
        if state.refused:
            return None
        value = self.score(state)
        self.since += 1
        if self.best is None or value > self.value or state.changed:
            self.best, self.value, self.since, self.step = state.model, value, 0, state.step
        if self.patience is None or self.since < self.patience:
            return None
        return f"{self.what} have become no more likely for {self.patience} steps"


class Remaining:
    """Stop when what is left to gain is estimated below `REMAINING` nats, for `IN_A_ROW` steps.

    EM converges linearly: successive gains shrink by a ratio r, and the gains to come sum to g r / (1 - r) (Aitken; Boehning et al.
    1994). A plateau, where gains stop shrinking before they grow again, has r near or above one, and does not stop the fit.
    Extrapolated steps already go as far as their rates say: there the gain itself must be that small, with no direction cut short.
    """

    PLATEAU_GAIN = 1e-5  # nats a step: slower than this, and not slowing down, is worth asking whether it is a saddle
    PLATEAU_STEPS = 50  # steps between asking

    def __init__(self, unit: float = 1.0) -> None:
        self.unit, self.asked = unit, 0
        self.count = 0
        self.gains: list[float] = []  # the last two

    def memory(self) -> dict[str, Any]:
        """What it has counted so far, as JSON holds it; `vars(rule).update(memory)` takes it up."""
        return {"asked": self.asked, "count": self.count, "gains": list(self.gains)}

    def met(self, state: State) -> str | None:
        """Why a fit ends here, or None."""
        self.gains = [] if state.changed else [*self.gains[-1:], state.gain]
        if len(self.gains) < 2:
            self.count = 0
            return None
        before, gain = self.gains
        flat = 0.01 * noise(state.objective, self.unit)
        enough = max(REMAINING * self.unit, flat)
        if state.refused:
            small = state.shortfall <= enough
        elif (state.beyond and gain <= enough and not state.limited) or (gain <= flat and before <= flat):
            small = True
        else:
            ratio = gain / before if before > 0 else 1.0
            small = 0 <= ratio < 1 and gain * ratio / (1 - ratio) < enough
        self.count = self.count + 1 if small else 0
        return f"less than {REMAINING:g} is estimated to be left to gain" if self.count >= IN_A_ROW else None

    def stalled(self, state: State) -> bool:
        """Whether gains have been small without dying out for a while: a plateau, perhaps the foot of a saddle."""
        if state.step + 1 - self.asked < self.PLATEAU_STEPS or len(self.gains) < 2:
            return False
        before, gain = self.gains
        slow = gain < self.PLATEAU_GAIN * self.unit and gain > 0.97 * before
        if slow:
            self.asked = state.step + 1
        return slow
