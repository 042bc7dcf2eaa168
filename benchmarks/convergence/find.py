"""The search for the best known optima: `python -m benchmarks.convergence --find`. Writes `best_known.json`.

Plain EM from many random starts, a short run each; the best that are not spurious (`judge.py`) are continued to convergence. From the
best of those that are neither degenerate nor spurious the search goes on by bootstrap restarts (Wood 2001): a few EM steps on
rows weighted at random, then EM on the data again, as long as that leads higher. A call of any system that ends above what is
found, and is not spurious, is a better optimum than we know: the search then has to be longer.
"""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.convergence.judge import FLAT, LEAST, gaussians, measures, spurious
from benchmarks.convergence.problems import OPTIMA, Problem

if TYPE_CHECKING:
    from dmlcore.fitting.fit import Fit

FRACTIONS = (0.1, 1.0, 0.02, 0.3)  # of the rows in a random start, in turn
SHORT = 100  # EM steps of the short runs
KEPT = 60  # short runs continued
PARENTS = 12  # of the best optima, from which bootstrap restarts go out
RESTARTS = 40  # from each of them, a round
STRAY = 10  # EM steps on rows weighted at random
SAME = 1e-6  # relative: log likelihoods that are one optimum
LONG = 20_000  # most EM steps to convergence
RULE = f"not spurious: under each Gaussian as many rows as free numbers, at least {LEAST:g}; variances at least {FLAT:g} of the data's"


class Search:
    """The optima of a problem, best first, that are neither degenerate nor spurious, each once."""

    def __init__(self, problem: Problem, seed: int):
        import dmlcore

        self.fit, self.initialize = dmlcore.fit, dmlcore.stats.initialize
        self.estimator = problem.estimator()
        self.data = dmlcore.stats.seq_encode(problem.rows, estimator=self.estimator)
        self.rng = np.random.default_rng(seed)
        self.optima: list[Fit] = []
        self.hits: list[int] = []  # fits that ended at each

    def sound(self, record: Fit) -> bool:
        return record.status not in ("degenerate", "decreased") and not spurious(record.model, len(self.data))

    def take(self, record: Fit) -> None:
        """Keep what a fit found."""
        if not self.sound(record):
            return
        for i, known in enumerate(self.optima):
            if abs(record.log_likelihood - known.log_likelihood) <= SAME * abs(known.log_likelihood):
                self.hits[i] += 1
                return
        at = sum(known.log_likelihood > record.log_likelihood for known in self.optima)
        self.optima.insert(at, record)
        self.hits.insert(at, 1)

    def from_random_starts(self, starts: int) -> None:
        short = []
        for s in range(starts):
            try:
                start = self.initialize(self.data, self.estimator, self.rng, FRACTIONS[s % len(FRACTIONS)])
                short.append(self.fit(self.data, self.estimator, start=start, max_its=SHORT, delta=0.0))
            except ValueError:
                continue  # a start may leave a component without rows
        best = sorted(filter(self.sound, short), key=lambda record: record.log_likelihood, reverse=True)
        for record in best[:KEPT]:
            self.take(self.fit(self.data, self.estimator, start=record.model, max_its=LONG))

    def from_bootstraps(self) -> bool:
        """One round of bootstrap restarts; whether the best optimum rose."""
        before = self.optima[0]
        for parent in self.optima[:PARENTS]:
            for _ in range(RESTARTS):
                weights = self.rng.standard_exponential(len(self.data))
                try:
                    away = self.fit(self.data, self.estimator, weights=weights, start=parent.model, max_its=STRAY, delta=0.0)
                    short = self.fit(self.data, self.estimator, start=away.model, max_its=SHORT, delta=0.0)
                except ValueError:
                    continue
                if self.sound(short):
                    self.take(self.fit(self.data, self.estimator, start=short.model, max_its=LONG))
        return self.optima[0] is not before


def search(problem: Problem, starts: int, rounds: int, seed: int = 0) -> dict[str, Any]:
    """The best optimum that is not spurious, with how it was found. rounds: most of bootstrap restarts; 2 in vain are the end."""
    from dmlcore.io.json import to_json

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Search(problem, seed)
        found.from_random_starts(starts)
        vain = round = 0
        while round < rounds and vain < 2:
            round += 1
            vain = 0 if found.from_bootstraps() else vain + 1
    best = found.optima[0]
    rows, variance = measures(list(gaussians(best.model)), len(found.data))
    return {
        "log_likelihood": best.log_likelihood,
        "status": best.status,
        "found": f"{starts} random starts, {SHORT} EM steps each, the best {KEPT} continued; {round} rounds of bootstrap restarts; "
        f"{found.hits[0]} fits ended here, {len(found.optima)} optima seen",
        "next": [[round_to(record.log_likelihood), hits] for record, hits in zip(found.optima[1:6], found.hits[1:6], strict=True)],
        "rows_over_needed": None if np.isinf(rows) else round_to(rows),
        "least_variance": None if np.isinf(variance) else float(f"{variance:.4g}"),
        "model": json.loads(to_json(best.model)),
    }


def round_to(value: float) -> float:
    return float(f"{value:.9g}")


def find(problems: list[Problem], starts: int, rounds: int, seed: int = 0) -> None:
    """Search each problem and write what was found, keeping what was known where that is better."""
    for problem in problems:
        found = search(problem, starts, rounds, seed)
        known = json.loads(OPTIMA.read_text(encoding="utf-8")) if OPTIMA.exists() else {}
        name = problem.optimum or problem.name
        before = known.get(name, {}).get("log_likelihood", -np.inf)
        margin = SAME * abs(before) * (1 if problem.optimum else -1)  # the problem itself renews its entry, another has to beat it
        better = not np.isfinite(before) or found["log_likelihood"] > before + margin
        then = f"was {before!r}" if better else f"KEPT {before!r}"
        print(f"{problem.name}: {found['log_likelihood']!r}, {then}; {found['found']}; next {found['next']}", flush=True)
        if better:
            known |= {name: found, "rule": RULE}
            OPTIMA.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
