"""From many starts to one good optimum: short ascents from random and from spread starts, the best carried on and rearranged.

Short runs of EM (Biernacki, Celeux and Govaert 2003) from starts at random and from starts whose components lie apart
(`dmlcore.fitting.seeding`); then, for mixtures, components are merged, split and replaced where that promises more
(`dmlcore.fitting.rearrange`). Where the ascents of a round do not agree, there are more rounds. Many rows are searched through a sample of
them, with those that a first model explains worst.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import methodcaller
from typing import Any

import numpy as np

from dmlcore.core.distribution import Distribution
from dmlcore.core.random import spawn
from dmlcore.core.walk import log_densities
from dmlcore.engines.threads import APART, map_in_order
from dmlcore.fitting.climb import OFF_THE_MAP, Climb, follow, interrupted
from dmlcore.fitting.effort import Effort
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.rearrange import Rearranging
from dmlcore.fitting.record import Start, alike
from dmlcore.fitting.stopping import Remaining

ROWS = 4000  # rows of the sample in which optima are sought
UNLIKELY = 0.1  # part of them: rows that a first model explains worst
STARTS = 8  # starts of a round; every other one lies apart
FIRST = 12  # EM steps of each at first; then that doubles
FINALISTS = 4  # ascents of a round that are followed to their end
ROUNDS = 6  # most rounds
DISTINCT = 0.05  # nats by which ascents must differ for moves to be tried from each
AGREED = 5  # ascents that must end at the best optimum, where not all do
BUDGET = 60_000  # EM steps of a search, times the places of the model's tree, after which it starts nothing new
MOST = 400  # EM steps of one ascent
FAINT = 1e-6  # share of all rows added to the statistics of a sample, so that every row has a density


@dataclass
class Search:
    """Where a search ended: a model for all rows, each start's record, and all EM steps taken."""

    model: Distribution
    starts: list[Start]
    events: list[str]
    steps: int
    interrupted: bool
    ended: int  # ascents that were followed to their end, and improved by rearrangement
    reached: int  # of those, how many reached the best optimum


@dataclass
class Ascent:
    """One start and how far it has come."""

    problem: Problem
    rng: np.random.Generator
    p: float
    spread: bool = False  # whether it begins with components that lie apart
    rule: Remaining = field(init=False)
    climb: Climb | None = None
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.rule = Remaining(self.problem.unit)

    def run(self, steps: int, deadline: float) -> None:
        """Carried on until it has taken so many steps; a start that fails keeps its error."""
        try:
            if self.climb is None:
                start = self.problem.spread_start(self.rng) if self.spread else self.problem.start(self.rng, self.p)
                self.climb = Climb(self.problem, start)
            follow(self.climb, self.rule, steps, deadline)
        except OFF_THE_MAP as error:
            self.error = error

    @property
    def steps(self) -> int:
        """EM steps taken so far."""
        return 0 if self.climb is None else max(self.climb.steps, 0)

    @property
    def record(self) -> Start:
        steps = self.steps
        if self.error is not None:
            return Start(-np.inf, "failed", steps, str(self.error))
        if self.climb is None or not self.climb.history:
            return Start(-np.inf, "given up", 0)
        if not self.climb.sound:
            return Start(self.climb.objective[-1], "degenerate", steps, self.climb.message)
        return Start(self.climb.objective[-1], self.climb.status or "given up", steps, self.climb.message)


def search(problem: Problem, rng: np.random.Generator, p: float, starts: int | None, deadline: float, max_its: int = 1000) -> Search:
    """The best model found from random starts: `starts` of them, or rounds of `STARTS` until they agree. Raises as they do if all fail."""
    sample_rng, *round_rngs = spawn(rng, 1 + ROUNDS)
    small = problem.sample(ROWS, sample_rng)
    if small is not problem:
        small = problem.sample(ROWS, sample_rng, _unlikely_rows(problem, small, p, sample_rng, deadline))
    effort = Effort(min(BUDGET // len(problem.ties.nodes), (starts or STARTS) * max_its), deadline)
    first, most = min(FIRST, max_its), min(MOST, max_its)
    workers = problem.threads if small.encoded.nbytes >= APART else 1
    rearranging = Rearranging(small, first, most, effort)
    ascents: list[Ascent] = []
    ended: list[Climb] = []
    stopped = False
    try:
        for round_rng in round_rngs[: 1 if starts else None]:
            streams = spawn(round_rng, 1 + (starts or STARTS))
            fresh = [Ascent(small, stream, p, i % 2 == 0) for i, stream in enumerate(streams[1:])]
            ascents += fresh
            best = _best_of(fresh, workers, effort, first, most, DISTINCT if rearranging.possible else -1.0)
            ended += [rearranging.improved(climb, streams[0], workers) for climb in best]
            needed = 2 * FINALISTS if rearranging.gains else FINALISTS if len(best) > 1 else 1
            if (_reached(ended) == len(ended) >= needed) or _reached(ended) >= AGREED or effort.spent:
                break
    except (KeyboardInterrupt, SystemError) as error:
        ended += [a.climb for a in ascents if a.climb is not None and a.climb.history]
        if not ended or not interrupted(error):
            raise
        stopped = True
    if not ended:
        problem.log_likelihood(problem.start(np.random.default_rng(0), p))  # fails as the starts did, and names the row
        raise next(a.error for a in ascents if a.error is not None)
    best_end = max(ended, key=lambda c: c.rank)
    climb = next(c for c in ended if c.rank[:2] == best_end.rank[:2] and alike(c.objective[-1], best_end.objective[-1], small.unit))
    model = climb.model
    if small is not problem:
        model = problem.maximise(problem.faintly(small.expect(model)[1], FAINT * small.share), model)
    events = [] if stopped else _events(ascents, ended, rearranging)
    return Search(model, [a.record for a in ascents], events, effort.steps, stopped, len(ended), _reached(ended))


def _unlikely_rows(problem: Problem, small: Problem, p: float, rng: np.random.Generator, deadline: float) -> np.ndarray:
    """The rows that a first model, of a sample, explains worst: there may be a component that the sample missed."""
    try:
        first = Ascent(small, rng, p, spread=True)
        first.run(FIRST, deadline)
        if first.climb is None or first.error is not None:
            return np.zeros(0, dtype=np.intp)
        logs = log_densities(first.climb.model, problem.encoded, problem.threads)
    except OFF_THE_MAP:
        return np.zeros(0, dtype=np.intp)
    worst = int(UNLIKELY * ROWS)
    return np.argpartition(logs, worst)[:worst]


def _best_of(ascents: list[Ascent], workers: int, effort: Effort, first: int, most: int, apart: float) -> list[Climb]:
    """The few best ends, by successive halving; at least so many nats apart, as moves from one optimum twice find little more than once."""
    alive, steps = ascents, first
    while True:
        late = effort.late
        last = len(alive) <= FINALISTS or late or steps >= most
        before = sum(a.steps for a in alive)
        for _ in map_in_order(methodcaller("run", most if last and not late else steps, effort.deadline), alive, workers):
            pass
        effort.steps += sum(a.steps for a in alive) - before
        alive = sorted((a for a in alive if a.error is None and a.climb is not None), key=_rank, reverse=True)
        if last:
            kept = {id(a) for a in alive[:FINALISTS]}  # in their order: which of equal ends is the first must not depend on rounding
            return [a.climb for a in ascents if id(a) in kept and a.climb is not None]
        steps *= 2
        if len(alive) > STARTS:
            alive = alive[: max(STARTS, len(alive) // 2)]
        elif steps > 2 * first:
            alive = _distinct(alive, apart)[:FINALISTS]


def _distinct(ascents: list[Ascent], apart: float) -> list[Ascent]:
    """The best of those that lie within so many nats of each other."""
    out: list[Ascent] = []
    for ascent in ascents:
        if all(abs(_rank(ascent)[2] - _rank(other)[2]) > apart for other in out):
            out.append(ascent)
    return out


def _rank(ascent: Ascent) -> Any:
    """As an ascent's rank, in nats for rows of weight one and to what is no rounding: equal ends keep the order of their starts."""
    assert ascent.climb is not None
    sound, supported, objective = ascent.climb.rank
    return sound, supported, round(objective / ascent.problem.unit, 5)


def _reached(ended: list[Climb]) -> int:
    """How many ascents ended at the best of their optima."""
    if not ended:
        return 0
    best = max(ended, key=lambda climb: climb.rank)
    return sum(alike(climb.objective[-1], best.objective[-1], best.problem.unit) for climb in ended)


def _events(ascents: list[Ascent], ended: list[Climb], rearranging: Rearranging) -> list[str]:
    records = [a.record for a in ascents]
    out = []
    failed = [r for r in records if r.status == "failed"]
    if failed:
        out.append(f"{len(failed)} of {len(records)} starts failed; the first: {failed[0].message}")
    if rearranging.gains:
        out.append(f"components were merged and split {len(rearranging.gains)} times, each time for the better")
    if len(ended) > 1 and _reached(ended) == 1:
        out.append(f"only one of {len(ended)} ascents reached the best value found; more starts may find a better one")
    return out
