"""When to stop: rules over the objective after each step.

Thresholds are in nats for rows of weight one. `unit` is the mean row weight of a fit: scaling all weights changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

REMAINING = 1e-8  # nats left to gain, by Aitken's estimate, below which a fit has converged
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
        self.message = f"the last step gained less than {delta:g}"

    def stalled(self, objective: Sequence[float]) -> bool:
        return False

    def met(self, objective: Sequence[float]) -> bool:
        return self.delta > 0 and objective[-1] - objective[-2] < self.delta


class Remaining:
    """Stop when what is left to gain is estimated below `REMAINING` nats, for `IN_A_ROW` steps.

    EM converges linearly: successive gains shrink by a ratio r, and the gains to come sum to g r / (1 - r) (Aitken; Boehning et al.
    1994). A plateau, where gains stop shrinking before they grow again, has r near or above one, and does not stop the fit.
    """

    PLATEAU_GAIN = 1e-5  # nats a step: slower than this, and not slowing down, is worth asking whether it is a saddle
    PLATEAU_STEPS = 50  # steps between asking

    def __init__(self, unit: float = 1.0) -> None:
        self.unit, self.asked = unit, 0
        self.message = f"less than {REMAINING:g} is left to gain, by Aitken's estimate"
        self.count = 0

    def met(self, objective: Sequence[float]) -> bool:
        if len(objective) < 3:
            return False
        gain, before = objective[-1] - objective[-2], objective[-2] - objective[-3]
        flat = 0.01 * noise(objective[-1], self.unit)
        if gain <= flat and before <= flat:
            small = True
        else:
            ratio = gain / before if before > 0 else 1.0
            small = 0 <= ratio < 1 and gain * ratio / (1 - ratio) < max(REMAINING * self.unit, flat)
        self.count = self.count + 1 if small else 0
        return self.count >= IN_A_ROW

    def stalled(self, objective: Sequence[float]) -> bool:
        """Whether gains have been small without dying out for a while: a plateau, perhaps the foot of a saddle."""
        if len(objective) - self.asked < self.PLATEAU_STEPS:
            return False
        gain, before = objective[-1] - objective[-2], objective[-2] - objective[-3]
        slow = gain < self.PLATEAU_GAIN * self.unit and gain > 0.97 * before
        if slow:
            self.asked = len(objective)
        return slow
