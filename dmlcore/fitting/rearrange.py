"""Leaving a poor optimum of a mixture: components are merged and split, a pair is divided anew, one is replaced by another elsewhere.

Which are merged and split, is judged from fits of one and of two components to the rows that each holds, weighted by their posteriors
(after Ueda, Nakano, Ghahramani and Hinton 2000, with likelihoods in place of their criteria). What may replace a component is a law of
rows that are alike; how much it would bring, is judged from its weight alone (after Verbeek, Vlassis and Krose 2003). The most promising of
each kind are tried, by short ascents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from dmlcore.core.distribution import Distribution
from dmlcore.core.flat import own_parts
from dmlcore.core.keys import interchangeable, preorder
from dmlcore.core.walk import Score, Tables, log_densities
from dmlcore.engines.threads import map_in_order
from dmlcore.fitting.assignment import FAINT
from dmlcore.fitting.climb import OFF_THE_MAP, Climb, follow
from dmlcore.fitting.effort import Effort
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.record import alike
from dmlcore.fitting.seeding import described
from dmlcore.fitting.stopping import Remaining

SPLITS = (None, 0.3)  # how rows are divided between two components: like with like, or at random that part of them; the best counts
SPLIT_STEPS = 8  # EM steps for each
NEAR = 28  # pairs of components that are looked at, those that share most rows: all, of up to eight
TRIALS = 6  # merged and split arrangements that are tried, of those judged best
PAIRS = 3  # pairs divided anew that are tried
SEEDS = 24  # laws of rows near one of them that may replace a component
REPLACED = 6  # components that may be replaced, those whose loss costs least
REPLACEMENTS = 6  # that are tried
ROWS_EACH = 3  # times the free numbers of a component: rows that such a law is fitted to
WEIGHT_STEPS = 5  # EM steps that its weight takes
NEARER = 1.0  # nats by which a trial may be worse after its short ascent and still be carried on for a while
HOPE = 2.0  # how many times its latest gain a trial may lack later on
BETTER = 1e-4  # nats by which an arrangement must be better in the end
LOOKS = 2  # how often the moves from one optimum are tried, whichever ascents end there
MOVES = 12  # most rearrangements in a row


@dataclass
class Parts:
    """Laws fitted to weighted rows, their shares of these, and by how much they change the log likelihood there."""

    change: float
    laws: tuple[Distribution, ...]
    w: np.ndarray


@dataclass
class Move:
    """Laws for some places of a mixture, with weights; each takes over from the place `origins`. change: what is hoped for."""

    change: float
    places: tuple[int, ...]
    laws: tuple[Distribution, ...]
    w: np.ndarray
    origins: tuple[int, ...]


class Rearranging:
    """Improves ascents of one problem, if that is a mixture of at least three components.

    first, most: EM steps of a short ascent and of a whole one. gains: what each move that was kept gained.
    """

    def __init__(self, problem: Problem, first: int, most: int, effort: Effort):
        self.problem, self.first, self.most, self.effort = problem, first, most, effort
        mixture: Any = problem.estimator
        self.mixture = mixture
        self.possible = mixture.mixes and mixture.num_components > 2
        self.estimators = mixture.children()[: mixture.num_components] if self.possible else ()
        self.gains: list[float] = []
        self._seen: dict[float, int] = {}

    def improved(self, climb: Climb, rng: np.random.Generator, workers: int) -> Climb:
        """The ascent, or a better one by other arrangements of its components."""
        for _ in range(MOVES if self.possible else 0):
            if self.effort.spent or self._known(climb):
                break
            models = self._arrangements(climb.model, rng)
            trials = [t for t in map_in_order(partial(self._tried, climb), models, workers) if t is not None]
            better = max((trial for trial in trials if self._better(trial, climb)), key=lambda trial: trial.rank, default=None)
            if better is None:
                break
            self.gains.append(better.objective[-1] - climb.objective[-1])
            climb = better
        return climb

    def _known(self, climb: Climb) -> bool:
        """Whether this optimum was rearranged as often as is worth it; counts it."""
        value = climb.objective[-1]
        here = next((known for known in self._seen if alike(value, known, self.problem.unit)), value)
        self._seen[here] = self._seen.get(here, 0) + 1
        return self._seen[here] > LOOKS

    def _tried(self, climb: Climb, model: Distribution) -> Climb | None:
        rule, unit, late = Remaining(self.problem.unit), self.problem.unit, self.effort.deadline
        goal = climb.objective[-1] + BETTER * unit
        trial = None
        try:
            if not self.problem.permits(model):  # fixed weights, ties within components
                model = self.problem.maximise(self.problem.expect(model)[1], model)
            trial = follow(Climb(self.problem, model), rule, self.first, late)
            if trial.objective[-1] > goal - NEARER * unit:
                follow(trial, rule, 3 * self.first, late)
            while trial.status is None and trial.steps < self.most and not self.effort.late:
                now = trial.objective[-1]
                if now + HOPE * (now - trial.objective[-self.first]) < goal:
                    break
                follow(trial, rule, trial.steps + self.first, late)
        except OFF_THE_MAP:
            return None
        finally:
            self.effort.steps += 0 if trial is None else trial.steps
        return trial

    def _better(self, trial: Climb, climb: Climb) -> bool:
        higher = trial.objective[-1] > climb.objective[-1] + BETTER * self.problem.unit
        if climb.rank[:2] == (True, True):
            return higher and trial.rank[:2] == (True, True)
        return trial.rank[:2] > climb.rank[:2] or (trial.rank[:2] == climb.rank[:2] and higher)

    def _arrangements(self, model: Any, rng: np.random.Generator) -> list[Distribution]:
        """Models with some components exchanged, the most promising of each kind."""
        logs = model.seq_component_log_density(self.problem.encoded)
        posterior = model.seq_posterior(self.problem.encoded)
        shares = posterior * self.problem.row_weights[:, None]
        held = shares.sum(axis=0) / shares.sum()
        triples: list[Move] = []
        pairs: list[Move] = []
        halves = [(k, two) for k in range(len(held)) for two in self._divided(k, shares[:, k], logs[:, k], rng)]
        for i, j in self._nearest_pairs(shares, logs):
            if self.effort.spent:
                break
            both, mixed = shares[:, i] + shares[:, j], mixed_logs(logs[:, [i, j]], held[[i, j]])
            for anew in self._divided(i, both, mixed, rng)[:1] if self._alike(i, j) else ():
                if anew.change > 0:
                    pairs.append(Move(anew.change, (i, j), anew.laws, (held[i] + held[j]) * anew.w, (i, j)))
            one = self._merged(i, model, both, mixed)
            for k, two in halves:
                if one is not None and k not in (i, j) and self._alike(j, k):
                    w = np.append(held[i] + held[j], held[k] * two.w)
                    origins = (i if held[i] >= held[j] else j, k, k)
                    triples.append(Move(one.change + two.change, (i, j, k), one.laws + two.laws, w, origins))
        kinds = ((triples, TRIALS), (pairs, PAIRS), (self._replacements(model, posterior, held, rng), REPLACEMENTS))
        chosen = [move for kind, most in kinds for move in sorted(kind, key=_promise)[:most]]
        return [model.exchanged(m.places, m.laws, m.w, m.origins, m.w / held[list(m.origins)]) for m in chosen if m.w.min() > 0]

    def _nearest_pairs(self, shares: np.ndarray, logs: np.ndarray) -> Iterator[tuple[int, int]]:
        """The pairs that share most rows (Ueda and others' criterion for merging), those with no row in common in their order."""
        K = shares.shape[1]
        lengths = np.sqrt(np.maximum((shares**2).sum(axis=0), 1e-300))
        shared = (shares.T @ shares) / np.outer(lengths, lengths)
        if K * (K - 1) // 2 <= NEAR:
            return combinations(range(K), 2)
        return iter(sorted(combinations(range(K), 2), key=lambda pair: -shared[pair])[:NEAR])

    def _alike(self, i: int, j: int) -> bool:
        return interchangeable(self.estimators[i], self.estimators[j])

    def _divided(self, k: int, weights: np.ndarray, logs: np.ndarray, rng: np.random.Generator) -> list[Parts]:
        """Fits of two components to weighted rows, the best first; `logs` are their log densities now."""
        found = []
        both, rows = self.problem.part([self.estimators[k]] * 2, weights)
        for fraction in SPLITS if len(rows) > 1 else ():
            if self.effort.spent:
                break
            try:
                start = both.spread_start(rng) if fraction is None else both.start(rng, fraction)
            except OFF_THE_MAP:
                continue
            climb = self._short(both, start, SPLIT_STEPS)
            if climb is not None:
                law: Any = climb.model
                found.append(Parts(climb.objective[-1] - total(weights[rows], logs[rows]), law.components, np.asarray(law.w)))
        return sorted(found, key=lambda parts: -parts.change)

    def _replacements(self, model: Any, posterior: np.ndarray, held: np.ndarray, rng: np.random.Generator) -> list[Move]:
        """For each of some laws fitted to rows that are alike, the component that it had best replace."""
        column, weights = self.mixture.component_column(self.problem.encoded.column), self.problem.row_weights
        seen = described(self.estimators, column, len(weights), rng)
        if seen is None or not all(self._alike(0, k) for k in range(1, len(held))):
            return []
        whole = log_densities(model, self.problem.encoded, 1)
        with np.errstate(divide="ignore"):
            rest = whole + np.log(np.maximum(1.0 - posterior.T, 1e-300)) - np.log1p(-np.minimum(held, 1 - 1e-9))[:, None]
        cheapest = np.argsort(-(rest @ weights), kind="stable")[:REPLACED]
        out = []
        for _ in range(SEEDS):
            law = self._law_near(seen, model.components[0], rng)
            if self.effort.spent or law is None:
                continue
            logs = Score(law.repeated, Tables())(law, column)[0]
            best = max(((*_weight_of(logs, rest[j], held[j], weights), j) for j in cheapest.tolist()), key=lambda found: found[0])
            value, w, j = best
            out.append(Move(value - float(whole @ weights), (j,), (law,), np.array([w * (1 - held[j]) / (1 - w)]), (j,)))
        return out

    def _law_near(self, seen: np.ndarray, law: Distribution, rng: np.random.Generator) -> Distribution | None:
        """A component's law of some rows that are alike, and of a faint share of the others; from `law`, where it takes steps."""
        centre = seen[rng.integers(len(seen))]
        free = sum(len(part) for e in preorder(law) for part in own_parts(e))
        near = np.argsort(((seen - centre) ** 2).sum(axis=1), kind="stable")[: ROWS_EACH * max(free, 1)]
        weights = np.full(len(seen), FAINT * len(near) / len(seen))
        weights[near] = 1.0
        part, _ = self.problem.part(self.estimators[:1], weights * self.problem.row_weights)
        self.effort.steps += 1
        try:
            if part.exact and not part.latent:
                return part.start(rng, 1.0)
            for _ in range(2):
                law = part.maximise(part.expect(law)[1], law)
            return law
        except OFF_THE_MAP:
            return None

    def _merged(self, i: int, model: Any, weights: np.ndarray, logs: np.ndarray) -> Parts | None:
        """One component fitted to the rows of two."""
        one, rows = self.problem.part([self.estimators[i]], weights)
        try:
            closed = one.exact and not one.latent
            climb = self._short(one, one.start(np.random.default_rng(0), 1.0) if closed else model.components[i], 0 if closed else 4)
        except OFF_THE_MAP:
            return None
        return None if climb is None else Parts(climb.objective[-1] - total(weights[rows], logs[rows]), (climb.model,), np.ones(1))

    def _short(self, problem: Problem, start: Distribution, steps: int) -> Climb | None:
        """A sound ascent by plain steps, or None."""
        climb = Climb(problem, start, accelerate=False)
        try:
            while climb.status is None and climb.steps < steps and not self.effort.late:
                climb.step()
        except OFF_THE_MAP:
            return None
        finally:
            self.effort.steps += climb.steps + 1
        return climb if climb.objective and climb.sound else None


def _weight_of(logs: np.ndarray, rest: np.ndarray, w: float, weights: np.ndarray) -> tuple[float, float]:
    """The log likelihood of a component beside the rest, and the weight that maximises it, after a few EM steps from `w`."""
    w = min(max(w, 1e-6), 1 - 1e-6)
    for _ in range(WEIGHT_STEPS):
        shares = 1.0 / (1.0 + np.exp(np.clip(rest - logs + np.log((1 - w) / w), -700, 700)))
        w = min(max(float(shares @ weights) / float(weights.sum()), 1e-6), 1 - 1e-6)
    return float(np.logaddexp(rest + np.log(1 - w), logs + np.log(w)) @ weights), w


def _promise(move: Move) -> tuple[float, tuple[int, ...]]:
    return -move.change, move.places


def mixed_logs(logs: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Log densities `(n,)` of two components mixed, from theirs `(n, 2)`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.logaddexp.reduce(logs + np.log(w / w.sum()), axis=1))


def total(weights: np.ndarray, logs: np.ndarray) -> float:
    """Weighted log likelihood; rows of weight zero may have none."""
    return float(weights @ np.where(weights > 0, logs, 0.0))
