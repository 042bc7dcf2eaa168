"""What a search may still spend: EM steps and time. One per search; everything that takes steps asks it and tells it."""

from __future__ import annotations

import time


class Effort:
    """EM steps taken so far, how many there may be, and the time (`time.perf_counter`) after which nothing new begins."""

    def __init__(self, budget: float, deadline: float):
        self.budget, self.deadline, self.steps = budget, deadline, 0

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() > self.deadline

    @property
    def spent(self) -> bool:
        """Whether nothing new should begin."""
        return self.steps >= self.budget or self.late
