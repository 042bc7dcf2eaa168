"""EM steps with and without acceleration, started alike: `python -m benchmarks.convergence.acceleration`.

Over the problems of this benchmark (three random starts each) and every latent example of the tests' registry. Steps are counted until the
objective is within 1e-6 nats of where it ends, refused steps included; runs that end at different optima are counted apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.convergence.problems import PROBLEMS
from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.fitting.ascent import ascend, begun
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.starts import random_start
from dmlcore.fitting.stopping import Remaining

NEAR = 1e-6  # nats
MOST = 5000  # EM steps of a run


def tasks() -> Iterator[tuple[str, Problem, Any]]:
    """`(name, problem, start)`."""
    for name, problem in PROBLEMS.items():
        ours = Problem.of(problem.rows, problem.estimator(), threads=1)
        for seed in range(3):
            yield f"{name}, start {seed}", ours, random_start(ours, np.random.default_rng(seed), 0.1)
    from tests.examples import EXAMPLES

    for example in EXAMPLES:
        if example.tags & {"deaf", "fixed"}:
            continue
        for kind, estimator in (("plain", example.estimator), ("prior", example.law.estimator(1.5))):
            ours = Problem.of(example.data(300, 1), estimator, threads=1)
            if ours.latent:
                yield f"{example.name}, {kind}", ours, random_start(ours, np.random.default_rng(0), 0.3)


def ascent(problem: Problem, start: Any, accelerate: bool) -> tuple[float, int, bool]:
    """`(objective at the end, steps to within NEAR of it, whether it converged to a sound model)`."""
    first, rule = begun(problem, start), Remaining(problem.unit)
    state, objective, converged = first, [first.objective], False
    for state in islice(ascend(first, accelerate), MOST):
        objective.append(state.objective)
        converged = rule.met(state) is not None
        if converged:
            break
    steps = next(i for i, value in enumerate(objective) if value >= objective[-1] - NEAR)
    return objective[-1], steps, converged and state.nondegenerate


def main() -> None:
    """Prints a line per start, then the medians."""
    same, slow, lower, higher, unended, apart = [], [], [], [], [], []
    for name, problem, start in tasks():
        try:
            (plain, n, sound), (fast, m, also) = (ascent(problem, start, accelerate) for accelerate in (False, True))
        except OUTSIDE_DOMAIN as error:
            print(f"{name}: {error}")
            continue
        print(f"{name}: {n} -> {m} steps, objective {plain:.9f} -> {fast:.9f}{'' if sound and also else ' (not both converged)'}")
        if not (sound and also):
            unended.append(name)
        elif abs(fast - plain) > NEAR * (1 + abs(plain)):
            (higher if fast > plain else lower).append(name)
        elif n >= 3:
            same.append(n / max(m, 1))
            apart.append(abs(fast - plain))
            if n >= 500:
                slow.append(n / max(m, 1))
    ratios = f"median {np.median(same):.2f}, least {min(same):.2f}, greatest {max(same):.0f}"
    print(f"\nsame optimum: {len(same)} starts, ratio of steps: {ratios}")
    print(f"of those, slow (500 plain steps or more): {len(slow)}, median {np.median(slow):.1f}")
    print(f"objectives apart: median {np.median(apart):.1e}, at most {max(apart):.1e}")
    print(f"another optimum: {len(higher)} higher, {len(lower)} lower ({', '.join(lower)}); not both converged: {len(unended)}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
