"""Leaving a poor optimum of a mixture: two components are merged and a third is split, or a pair is divided anew.

Which ones, is judged from fits of one and of two components to the rows that each holds, weighted by their posteriors (after Ueda,
Nakano, Ghahramani and Hinton 2000, with likelihoods in place of their criteria). The most promising are tried, each by a short ascent.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from dmlcore.core.distribution import Distribution
from dmlcore.core.keys import interchangeable
from dmlcore.engines.threads import map_in_order
from dmlcore.fitting.climb import OFF_THE_MAP, Climb, follow
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.stopping import Remaining

SPLITS = 3  # random ways in which rows are divided between two components; the best counts
SPLIT_STEPS = 12  # EM steps for each
TRIALS = 6  # merged and split arrangements that are tried, of those judged best
PAIRS = 3  # pairs divided anew that are tried
NEARER = 1.0  # nats by which a trial may be worse after its short ascent and still be carried on for a while
HOPE = 2.0  # how many times its latest gain a trial may lack later on
BETTER = 1e-4  # nats by which an arrangement must be better in the end
MOVES = 12  # most rearrangements in a row


@dataclass
class Parts:
    """Laws fitted to weighted rows, their weights, and by how much they change the log likelihood there."""

    change: float
    laws: tuple[Distribution, ...]
    w: np.ndarray


class Rearranging:
    """Improves ascents of one problem, if that is a mixture of at least three components.

    first, most: EM steps of a short ascent and of a whole one; budget: after how many in all to stop. steps: EM steps taken so far;
    gains: what each move that was kept gained.
    """

    def __init__(self, problem: Problem, first: int, most: int, budget: int):
        self.problem, self.first, self.most, self.budget = problem, first, most, budget
        self.estimators = problem.estimator.children()
        self.possible = problem.estimator.mixes and len(self.estimators) > 2
        self.steps = 0
        self.gains: list[float] = []
        self.deadline = np.inf

    def improved(self, climb: Climb, rng: np.random.Generator, workers: int, deadline: float) -> Climb:
        """The ascent, or a better one by other arrangements of its components."""
        self.deadline = deadline
        for _ in range(MOVES if self.possible else 0):
            if self.steps > self.budget or time.perf_counter() > deadline:
                break
            models = self._arrangements(climb.model, rng)
            trials = [t for t in map_in_order(partial(self._tried, climb), models, workers) if t is not None]
            self.steps += sum(trial.steps for trial in trials)
            better = max((trial for trial in trials if self._better(trial, climb)), key=lambda trial: trial.rank, default=None)
            if better is None:
                break
            self.gains.append(better.objective[-1] - climb.objective[-1])
            climb = better
        return climb

    def _tried(self, climb: Climb, model: Distribution) -> Climb | None:
        rule, unit, late = Remaining(self.problem.unit), self.problem.unit, self.deadline
        goal = climb.objective[-1] + BETTER * unit
        try:
            if not self.problem.permits(model):  # fixed weights, ties within components
                model = self.problem.maximise(self.problem.expect(model)[1], model)
            trial = follow(Climb(self.problem, model), rule, self.first, late)
            if trial.objective[-1] > goal - NEARER * unit:
                follow(trial, rule, 3 * self.first, late)
            while trial.status is None and trial.steps < self.most and time.perf_counter() < late:
                now = trial.objective[-1]
                if now + HOPE * (now - trial.objective[-self.first]) < goal:
                    break
                follow(trial, rule, trial.steps + self.first, late)
        except OFF_THE_MAP:
            return None
        return trial

    def _better(self, trial: Climb, climb: Climb) -> bool:
        higher = trial.objective[-1] > climb.objective[-1] + BETTER * self.problem.unit
        return trial.rank[:2] > climb.rank[:2] or (trial.rank[:2] == climb.rank[:2] and higher)

    def _arrangements(self, model: Any, rng: np.random.Generator) -> list[Distribution]:
        """Models with some components exchanged, the most promising of each kind."""
        logs = model.seq_component_log_density(self.problem.encoded)
        shares = model.seq_posterior(self.problem.encoded) * self.problem.row_weights[:, None]
        w = np.asarray(model.w)
        parted = {k: self._divided(k, shares[:, k], logs[:, k], rng) for k in range(len(w))}
        halves = {k: parts for k, parts in parted.items() if parts is not None}
        triples: list[tuple[tuple[int, ...], Parts]] = []
        pairs: list[tuple[tuple[int, ...], Parts]] = []
        for i, j in combinations(range(len(w)), 2):
            both, mixed = shares[:, i] + shares[:, j], mixed_logs(logs[:, [i, j]], w[[i, j]])
            anew = self._divided(i, both, mixed, rng) if self._alike(i, j) else None
            if anew is not None and anew.change > 0:
                pairs.append(((i, j), Parts(anew.change, anew.laws, (w[i] + w[j]) * anew.w)))
            one = self._merged(i, model, both, mixed)
            for k, two in halves.items():
                if one is not None and k not in (i, j) and self._alike(j, k):
                    weights = np.append(w[i] + w[j], w[k] * two.w)
                    triples.append(((i, j, k), Parts(one.change + two.change, one.laws + two.laws, weights)))
        chosen = [entry for kind, most in ((triples, TRIALS), (pairs, PAIRS)) for entry in sorted(kind, key=_promise)[:most]]
        return [_exchanged(model, places, parts) for places, parts in chosen]

    def _alike(self, i: int, j: int) -> bool:
        return interchangeable(self.estimators[i], self.estimators[j])

    def _divided(self, k: int, weights: np.ndarray, logs: np.ndarray, rng: np.random.Generator) -> Parts | None:
        """The best of a few fits of two components to weighted rows; `logs` are their log densities now."""
        estimator = self.estimators[k]
        found = []
        try:
            mixture: Any = type(self.problem.estimator)
            both = Problem(self.problem.encoded, mixture([estimator, estimator]), weights, threads=1)
            starts = [both.start(rng, (0.3, 1.0)[i % 2]) for i in range(SPLITS)]
        except OFF_THE_MAP:
            return None
        for start in starts:
            climb = self._short(both, start, SPLIT_STEPS)
            if climb is not None:
                law: Any = climb.model
                found.append(Parts(climb.objective[-1] - total(weights, logs), law.components, np.asarray(law.w)))
        return max(found, key=lambda parts: parts.change, default=None)

    def _merged(self, i: int, model: Any, weights: np.ndarray, logs: np.ndarray) -> Parts | None:
        """One component fitted to the rows of two."""
        try:
            one = Problem(self.problem.encoded, self.estimators[i], weights, threads=1)
            closed = one.exact and not one.latent
            climb = self._short(one, one.start(np.random.default_rng(0), 1.0) if closed else model.components[i], 0 if closed else 4)
        except OFF_THE_MAP:
            return None
        return None if climb is None else Parts(climb.objective[-1] - total(weights, logs), (climb.model,), np.ones(1))

    def _short(self, problem: Problem, start: Distribution, steps: int) -> Climb | None:
        """A sound ascent by plain steps, or None."""
        climb = Climb(problem, start, accelerate=False)
        try:
            while climb.status is None and climb.steps < steps:
                climb.step()
        except OFF_THE_MAP:
            return None
        finally:
            self.steps += climb.steps + 1
        return climb if climb.sound else None


def _promise(entry: tuple[tuple[int, ...], Parts]) -> tuple[float, tuple[int, ...]]:
    return -entry[1].change, entry[0]


def _exchanged(model: Any, places: tuple[int, ...], parts: Parts) -> Distribution:
    components, w = list(model.components), np.array(model.w)
    for place, law, weight in zip(places, parts.laws, parts.w, strict=True):
        components[place], w[place] = law, weight
    out: Distribution = model.replace(components=components, w=w / w.sum())
    return out


def mixed_logs(logs: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Log densities `(n,)` of two components mixed, from theirs `(n, 2)`."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.logaddexp.reduce(logs + np.log(w / w.sum()), axis=1))


def total(weights: np.ndarray, logs: np.ndarray) -> float:
    """Weighted log likelihood; rows of weight zero may have none."""
    return float(weights @ np.where(weights > 0, logs, 0.0))
