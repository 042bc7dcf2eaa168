"""What a search may spend: EM steps and time, and whom it tells how it goes. One per search; everything that takes steps asks it."""

from __future__ import annotations

import time
from typing import Any

from dmlcore.base.records import dataclass
from dmlcore.fitting.observe import Watch

FIRST = 40  # EM steps of a short run
THEN = 40  # steps that the better part of them takes beyond
MAX_STEPS = 400  # EM steps of one ascent
IN_ALL = 48  # times the limit of one ascent: EM steps of a search, after which nothing new begins


@dataclass(frozen=True)
class Starts:
    """How a search begins. random: how many starts are random; None: as many as it takes, and then moves. known: a model from whose
    components others begin: as they are, or, if there is one less, with each in turn split."""

    random: int | None = None
    known: Any = None


class Effort:
    """EM steps taken so far, how many one ascent may take at each stage, and the time (`time.perf_counter`) after which nothing begins.

    watch: is told what is happening.
    """

    def __init__(self, deadline: float, max_its: int, watch: Watch):
        self.deadline, self.steps, self.budget, self.watch = deadline, 0, IN_ALL * max_its, watch
        self.first = min(FIRST, max_its)
        self.then = min(THEN, max_its - self.first)
        self.most = min(MAX_STEPS, max_its)

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() > self.deadline

    @property
    def spent(self) -> bool:
        """Whether nothing new should begin."""
        return self.late or self.steps >= self.budget
