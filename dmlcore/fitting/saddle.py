"""Is a point where EM stands still a maximum, or a saddle?

Near a fixed point EM multiplies deviations by a matrix J whose eigenvalues are below one exactly where the objective is curved
downwards (Dempster, Laird and Rubin 1977, section 3). A saddle (two components that are still alike, say) has an eigenvalue above
one, and EM leaves it so slowly that its gains look like convergence. Here the largest eigenvalue is found by Arnoldi's method
from a few EM steps at nearby points (Saad 1992, chapter 6), on a part of the rows if there are many; along its direction the
objective is then searched for a better point.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.core.flat import flatten, parameters_once, unflatten
from dmlcore.fitting.ascent import State
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.starts import random_start
from dmlcore.fitting.stopping import noise

SADDLE_ROWS = 20_000  # rows that suffice to tell a saddle from a maximum
STEPS = 30  # most EM steps spent on the question
NEARBY = 1e-4  # how far away they are taken, in units of the spread of random starts
WORTH = 1e-5  # nats by which another point must be better: ridges, flat to rounding, are no saddles
CLEAR = 1e-2  # nats by which it is better beyond doubt
DISTANCES = (1.0, 4.0, 16.0, 64.0)  # how far along a direction to look, in the same units
TRIAL_STEPS = 4  # EM steps from there
SURE = 1e-3  # an eigenvalue is above one if it is so by this much, or if the objective then rises


def off_the_saddle(state: State, rng: np.random.Generator) -> State | None:
    """The state, turned to a better point, if it is a saddle of its problem; None if it looks like a maximum."""
    if not state.problem.resolved.latent:
        return None
    part = state.problem.sample(SADDLE_ROWS, rng)
    try:
        direction = rising_direction(part, state.stack, rng, state.apart)
        better = None if direction is None else _beyond(state, part.stacked(apart=state.apart), direction)
    except OUTSIDE_DOMAIN:
        return None  # a trial point fell out of the domain of a family; the question stays open
    return None if better is None else state.turned_to(better)


def rising_direction(problem: Problem, model: Any, rng: np.random.Generator, apart: bool = False) -> np.ndarray | None:
    """The direction in flat parameters in which EM moves away from a model, a stack, or None."""
    here = flatten(model)
    if not len(here):
        return None
    scale = _scales(problem, model, rng, apart)
    problem = problem.stacked(apart=apart)
    base = _stepped(problem, model, here)
    if base is None:
        return None
    basis = [_unit(rng.standard_normal(len(here)))]
    hessenberg = np.zeros((STEPS + 1, STEPS))
    before = -np.inf
    for j in range(min(STEPS, len(here))):
        there = _stepped(problem, model, here + NEARBY * scale * basis[j])
        if there is None:
            return None
        moved = (there - base) / (NEARBY * scale)
        for i, q in enumerate(basis):
            hessenberg[i, j] = q @ moved
            moved = moved - hessenberg[i, j] * q
        hessenberg[j + 1, j] = np.linalg.norm(moved)
        values, vectors = np.linalg.eig(hessenberg[: j + 1, : j + 1])
        top = int(np.argmax(values.real))
        value, mix = float(values[top].real), vectors[:, top].real
        spanned = hessenberg[j + 1, j] < 1e-8  # all directions that EM mixes with the first
        exhausted = spanned or j + 1 == min(STEPS, len(here))
        settled = abs(value - before) < 1e-4 * max(1.0, 1.0 - value)
        if exhausted or (settled and j >= 5) or (value > 1 + SURE and j >= 9):
            direction = np.array(basis).T @ mix
            return scale * direction / np.abs(direction).max() if value > 1 - SURE else None
        before = value
        basis.append(moved / hessenberg[j + 1, j])
    return None


def _stepped(problem: Problem, model: Any, vector: np.ndarray) -> np.ndarray | None:
    """Flat parameters after an EM step; None if the step changed which parameters are free."""
    with np.errstate(all="ignore"):
        moved = unflatten(vector, model, checked=False)
    out = flatten(problem.maximise(problem.expect(moved)[1], moved))
    return out if len(out) == len(vector) and np.isfinite(out).all() else None


def _scales(problem: Problem, model: Any, rng: np.random.Generator, apart: bool) -> np.ndarray:
    """A natural unit for each flat parameter: how far random starts lie from the model; 1 where that cannot be said."""
    total: Any = 0.0
    owns = [own for _, own in parameters_once(model)]
    for _ in range(4):
        parts = []
        others = [own for _, own in parameters_once(problem.stacked(apart=apart).stack([random_start(problem, rng, 0.1)]))]
        if len(others) != len(owns):  # components that died at one law are one object
            return np.ones(len(flatten(model)))
        for own, other in zip(owns, others, strict=True):
            for (_, domain, value), (_, _, theirs) in zip(own, other, strict=True):
                one, two = domain.flatten(value), domain.flatten(theirs)
                parts.append((one - two) ** 2 if len(one) == len(two) else np.ones(len(one)))
        total = total + np.concatenate([np.zeros(0), *parts])
    spread = np.sqrt(total / 4)
    return np.where(spread > 0, spread, 1.0)


def _beyond(state: State, part: Problem, direction: np.ndarray) -> Any:
    """The best of the stacks that a few EM steps reach from points along a direction, both ways; None if none is better. part: some of
    the rows, that points are tried on.

    Steps are needed, as along a straight line the rest of the model does not follow: two like components moved apart need smaller
    variances before they are worth more than one.
    """
    model, unit = state.stack, state.problem.unit
    here, best = flatten(model), None
    base = height = part.objective(model) + WORTH * unit
    for far in DISTANCES:
        for distance in (far, -far):
            try:
                with np.errstate(all="ignore"):
                    trial = unflatten(here + distance * direction, model, checked=False)
                for _ in range(TRIAL_STEPS):
                    trial = part.maximise(part.expect(trial)[1], trial)
                value = part.objective(trial)
            except OUTSIDE_DOMAIN:
                continue  # the point lies outside the domain of a family
            if value > height:
                best, height = trial, value
        if height > base + CLEAR * unit:
            break  # no further than needed: what lies beyond may be another hill
    enough = state.objective + max(WORTH * unit, 100 * noise(state.objective, unit))
    return best if best is not None and state.held.objective(best) > enough else None


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
