"""Conditioning: the law of what is unknown in an observation, given the rest. Exact, by walking the tree.

Each rule returns the log density of what was observed and the laws of the unknowns, in order. A mixture's rule is Bayes':
components are reweighted by how well they explain what was observed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.core.distribution import Distribution
from dmlcore.core.errors import StructureError, SupportError
from dmlcore.data.values import is_missing
from dmlcore.stats.combinators.composite import CompositeDistribution
from dmlcore.stats.combinators.ignored import IgnoredDistribution
from dmlcore.stats.combinators.optional import OptionalDistribution
from dmlcore.stats.latent.hierarchical_mixture import HierarchicalMixtureDistribution
from dmlcore.stats.latent.joint_mixture import JointMixtureDistribution
from dmlcore.stats.latent.mixture import MixtureDistribution
from dmlcore.stats.latent.weights import logs_of
from dmlcore.stats.sequences.sequence import SequenceDistribution


class _Unknown:
    """What is not known in an observation."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


def condition(model: Distribution, observed: Any) -> Distribution:
    """The law of what is unknown in `observed`, an observation of the model with `UNKNOWN` in places: a distribution.

    Of one unknown it is the law of that value; of several, a law of tuples in their order. None (or NaN) in an Optional field says
    the value was seen to be missing: that informs the posterior, and the result is the law of the value it would have had. UNKNOWN
    there says nothing was seen, and the result keeps both possibilities. Raises `SupportError` if what was observed is impossible,
    `StructureError` if nothing is unknown or no exact form exists.
    """
    evidence, laws = _given(model, observed)
    if not laws:
        raise StructureError("nothing is unknown in the observation; put UNKNOWN where a value is wanted")
    if evidence == -np.inf:
        raise SupportError(f"{model.label}: the observed part has density zero, so nothing follows from it")
    return laws[0] if len(laws) == 1 else CompositeDistribution(laws)


def _given(model: Distribution, x: Any) -> tuple[float, list[Distribution]]:
    if x is UNKNOWN:
        return 0.0, [model]
    if isinstance(model, OptionalDistribution):
        missing, there = model._logs
        if is_missing(x) or (not is_missing(model.missing_value) and x == model.missing_value):
            return missing, [model.dist]
        log, laws = _given(model.dist, x)
        return there + log, laws
    if isinstance(model, IgnoredDistribution):
        return _given(model.dist, x)
    if isinstance(model, HierarchicalMixtureDistribution):
        return _given(model.to_mixture(), x)
    if isinstance(model, JointMixtureDistribution):
        pairs = [CompositeDistribution((one, two)) for one in model.components1 for two in model.components2]
        return _given(MixtureDistribution(pairs, model.pairs.ravel()), x)
    if isinstance(model, MixtureDistribution):
        return _mixture(model, x)
    if isinstance(model, CompositeDistribution) and isinstance(x, (tuple, list)) and len(x) == model.count:
        return _together([_given(dist, value) for dist, value in zip(model.dists, x, strict=True)])
    if isinstance(model, SequenceDistribution) and isinstance(x, (tuple, list)) and _unknown_inside(x):
        log, laws = _together([_given(model.dist, value) for value in x])
        return log + model.len_dist.log_density(len(x)), laws
    if _unknown_inside(x):
        raise StructureError(f"{model.label}: conditioning on part of its value is not available; draw from the model instead")
    return model.log_density(x), []


def _together(parts: list[tuple[float, list[Distribution]]]) -> tuple[float, list[Distribution]]:
    return sum(log for log, _ in parts), [law for _, laws in parts for law in laws]


def _mixture(model: MixtureDistribution, x: Any) -> tuple[float, list[Distribution]]:
    parts = [_given(component, x) for component in model.components]
    joint = np.array([log for log, _ in parts]) + logs_of(model.w)
    top = joint.max()
    if top == -np.inf or not parts[0][1]:
        return float(np.logaddexp.reduce(joint)), parts[0][1]
    posterior = np.exp(joint - top)
    posterior /= posterior.sum()
    laws = [CompositeDistribution(own) if len(own) > 1 else own[0] for _, own in parts]
    return float(np.logaddexp.reduce(joint)), [MixtureDistribution(laws, posterior)]


def _unknown_inside(x: Any) -> bool:
    return isinstance(x, (tuple, list)) and any(value is UNKNOWN or _unknown_inside(value) for value in x)


def marginal(model: Distribution, fields: int | list[int]) -> Distribution:
    """The law of chosen fields of a law of tuples (a composite, or a mixture of such): one field's own law, or that of a tuple."""
    chosen = [fields] if isinstance(fields, int) else list(fields)
    if isinstance(model, MixtureDistribution):
        return MixtureDistribution([marginal(component, fields) for component in model.components], model.w)
    if len(set(chosen)) < len(chosen):
        raise StructureError(f"fields {chosen}: each may be asked for once")
    if not isinstance(model, CompositeDistribution) or not all(0 <= j < model.count for j in chosen):
        raise StructureError(f"{model.label}: has no fields {chosen}; marginals are of composites and mixtures of them")
    laws = [model.dists[j] for j in chosen]
    return laws[0] if isinstance(fields, int) else CompositeDistribution(laws)
