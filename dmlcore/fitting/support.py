"""Is a component of an optimum there, or is it a few values that each predict themselves?

Where a law can collapse, the likelihood of a mixture is unbounded, and its surface has many high local maxima at components fitted to a few
values that lie close together, or almost in a plane, by chance (Day 1969; McLachlan and Peel 2000, section 3.10). Being small makes a
component no such spike: three galaxies may be a cluster. Two things do.

- It is *narrow and rests on few values*: fewer than `VALUES_PER_NUMBER` for each free number of its law, and a variance, in some direction,
  below `NARROW` of that of all the data: as happens where rounding made values equal.
- *What it adds to the likelihood does not last when values are left out.* A component adds `log p(x) - log p(x, not k)` to each of its
  rows. Each row is scored again by the component estimated without it (one EM step): of a component that is there most of the sum is
  left, of a spike little or nothing. Leaving out the rows that contribute most is how Seo and Kim (2012) tell spurious roots of normal
  mixtures from others; here each row is left out in turn, and the component is suspected if less than `KEPT` of what it adds is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.flat import flatten, own_parts
from dmlcore.core.keys import own_statistics
from dmlcore.core.stacks import SeveralEstimator
from dmlcore.core.walk import Backward, DistinctCache, Forward, take_pending
from dmlcore.fitting.events import Event
from dmlcore.fitting.problem import Problem, paired

VALUES_PER_NUMBER = 4.0  # values for each free number of a law, from which on a component is not doubted
NARROW = 1e-3  # of the variance of all the data
KEPT = 0.5  # of what a component adds to the likelihood, that must be left when each of its rows is scored without itself
LEFT_OUT = 200  # rows that are left out at most, those of the smallest components: with a hundred of these the question is another
CERTAIN = 36.0  # nats that a component adds to one row at most: what is left of the others is rounding


def rests_on_few(problem: Problem, stack: Any, statistics: list[Any], narrow: bool = False) -> Any:
    """Whether any law that could collapse rests on few values; of a stack of models, for each. narrow: and has collapsed, or nearly."""
    return _rests_on_few(problem.estimator, stack, iter(statistics), problem.unit, narrow, stack.batch[:1])


def _rests_on_few(e: Any, law: Any, owns: Iterator[Any], unit: float, narrow: bool, models: tuple[int, ...]) -> Any:
    own, out = next(owns), np.zeros(models, dtype=bool)
    if type(e).min_relative_variance is not Estimator.min_relative_variance and own is not None:
        few = np.asarray(own.count) / unit < VALUES_PER_NUMBER * e.free_numbers(law)
        if np.any(few):
            few = few & (np.asarray(e.min_relative_variance(law)) < NARROW) if narrow else few
            out = out | few.reshape(*models, -1).any(axis=-1)
    apart = isinstance(e, SeveralEstimator)
    below = [
        _rests_on_few(child, part, owns, unit, narrow, () if apart else models)
        for child, part in zip(e.children(), law.children(), strict=True)
    ]
    return out | (np.reshape(below, (*models, -1)).any(axis=-1) if apart else np.any(below, axis=0)) if below else out


def weakly_supported(problem: Problem, model: Distribution, statistics: list[Any]) -> list[Event]:
    """The places where an optimum may be a spike: narrow laws on few values, and components that do not last."""
    out, doubted = [], set()
    for (path, e, law), own in zip(paired(problem.estimator, model), statistics, strict=True):
        spread = e.min_relative_variance(law)
        if spread is None:
            continue
        values, free = own.count / problem.unit, _own_numbers(e, law)
        if values >= VALUES_PER_NUMBER * free:
            continue
        if spread < NARROW:
            rests = f"the {e.label} rests on about {values:.3g} values, with {spread:.2g} of the variance of all"
            doubt = f"{rests}; near degenerate: fewer than {VALUES_PER_NUMBER * free:g} may follow chance"
            out.append(Event("weakly supported", doubt, place=path or "at the top"))
        else:
            doubted.add(path.split(".")[0])
    return out + _not_lasting(problem, model, doubted) if doubted else out


def _own_numbers(e: Any, law: Any) -> int:
    """How many coordinates a law has, without those that others say too."""
    names = (f for f, _, _ in law.parameters())
    return sum(len(part) for f, part in zip(names, own_parts(law), strict=True) if f not in e.shared_names)


def _not_lasting(problem: Problem, model: Any, doubted: set[str]) -> list[Event]:
    """Of a mixture's components at the doubted places, those that do not last when each of their rows is left out."""
    problem = problem.in_memory
    if not problem.estimator.is_mixture:
        return []
    named = [k for k, place in enumerate(model.places()[: len(model.components)]) if place in doubted]
    posterior = model.seq_posterior(problem.encoded, "prior")  # a row of no weight may be impossible
    logs = model.seq_component_log_density(problem.encoded)
    held = problem.rows.each_weight @ posterior / problem.unit
    out, looked_at = [], 0.0
    for k in sorted(named, key=lambda k: (held[k], k)):
        component = model.components[k]
        looked_at += held[k]
        if held[k] >= VALUES_PER_NUMBER * len(flatten(component)) or looked_at > LEFT_OUT:
            break
        left = share_left(problem, k, component, posterior[:, k], logs[:, k])
        if left < KEPT:
            rests = f"the {component.label} holds about {held[k]:.3g} rows, and {left:.0%} of what it adds to the log likelihood"
            doubt = f"{rests} is left when each is scored without itself; near degenerate: it may follow chance"
            out.append(Event("weakly supported", doubt, place=model.places()[k]))
    return out


def share_left(problem: Problem, k: int, component: Distribution, shares: np.ndarray, logs: np.ndarray) -> float:
    """The part of what a component adds to the log likelihood that is left when each of its rows is scored by the law without it.

    shares, logs: the posterior and the log density of each row under the component, `(n,)`.
    """
    part, held = problem.part(problem.estimator.children()[k], shares * problem.rows.each_weight)
    if not len(held):
        return 1.0  # it adds nothing
    shares, logs, weights = shares[held], logs[held], part.rows.each_weight
    others_weight = np.maximum(1.0 - problem.unit / problem.rows.each_weight[held], 0.0)  # what is left of a row that stands for several
    with np.errstate(divide="ignore"):
        others = np.maximum(np.log1p(-np.minimum(shares, 1.0)), -CERTAIN)  # relative to the density of the row
        own = np.log(shares)
    alone = _log_densities_without(part, others_weight, component)
    left = np.logaddexp(own + alone - logs, others) - others
    added = float(weights @ -others)
    return float(weights @ left) / added if added > 0 else 1.0


def _log_densities_without(part: Problem, left: np.ndarray, law: Distribution) -> np.ndarray:
    """The log density of each row under the law that follows by one EM step from the others, and from `left` of its own weight: `(n,)`."""
    n = len(left)
    if not part.resolved.stackable:
        return np.array([_one_without(part, i, left[i], law) for i in range(n)])
    together = part.stacked(n)
    stack, tables, column = together.stack([law] * n), DistinctCache(), part.encoded.column
    weights = np.tile(part.rows.each_weight, (n, 1))
    weights[np.arange(n), np.arange(n)] *= left
    try:
        send = Backward(together.ties.by_id)
        statistics = send(together.estimator, Forward(stack.repeated, tables)(stack, column)[1], weights)
        send.finish()
        owns = together.ties.pool(own_statistics(together.estimator, take_pending(together.estimator, statistics, send)))
        without = together.maximise(owns, stack)
        return np.asarray(np.diagonal(Forward(without.repeated, DistinctCache())(without, column)[0]))
    except OUTSIDE_DOMAIN:
        return np.array([_one_without(part, i, left[i], law) for i in range(n)])


def _one_without(part: Problem, i: int, left: float, law: Distribution) -> float:
    """The same of one row."""
    weights = part.rows.each_weight.copy()
    weights[i] *= left
    try:
        without = part.weighted(weights)
        law = without.maximise(without.expect(law)[1], law)
    except OUTSIDE_DOMAIN:
        return -np.inf
    return float(Forward(law.repeated, DistinctCache())(law, part.encoded.column.take(np.array([i])))[0][0])
