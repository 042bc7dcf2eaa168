"""A fit of a model that is proposed, with as many components as predict best."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.base.random import Random, generator, spawn
from dmlcore.core.estimator import Estimator
from dmlcore.data.values import listed
from dmlcore.fitting.effort import Starts
from dmlcore.fitting.fit import fit as fit_by
from dmlcore.fitting.record import Fit
from dmlcore.proposal.proposing import propose
from dmlcore.proposal.result import Proposal
from dmlcore.selection.cross_validation import held_out_logs
from dmlcore.selection.sweep import FIRST_STARTS, Selection, select

COMPONENTS_LOOKED_AT = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32)  # as long as more are better
PATIENCE = 3  # numbers of components in a row that may be worse than the best
FOLDS = 3  # where AIC and BIC disagree
CLEARLY = 2.0  # standard errors by which the number that AIC takes must then predict better


def fit_proposed(
    data: Any, given: Estimator | Proposal | None, components: int | str | None, criterion: str | None, rng: Random, **options: Any
) -> Fit:
    """The fit of a proposal, or, without one, of what is proposed for the data. Arguments as of `dmlcore.fit`."""
    rng, data = generator(rng), listed(data)
    looking, choosing = spawn(rng, 2)
    proposal = given if isinstance(given, Proposal) else propose(data, rng=looking, progress=options.get("progress", False))
    if components is None or components == "auto":
        found = _chosen(proposal, data, criterion, rng=choosing, **options)
        return replace(found.best, proposal=replace(proposal, selection=found))
    if isinstance(components, bool) or not isinstance(components, int) or components < 1:
        raise ParameterError(f"components must be a whole number >= 1 or 'auto', got {components!r}")
    return replace(fit_by(data, proposal.mixture(components), rng=choosing, **options), proposal=proposal)


def _chosen(proposal: Proposal, data: Any, criterion: str | None, **options: Any) -> Selection:
    """The number of components. BIC asks for too few where a component has many parameters, AIC for too many where rows are plenty."""
    found = select(proposal.mixture, COMPONENTS_LOOKED_AT, data, criterion or "bic", patience=PATIENCE, **options)
    other = min(range(len(found.rows)), key=lambda i: found.rows[i]["aic"])
    if criterion is not None or other == found.best_index:
        return found
    pair = found.best_index, other
    seed = int(generator(options.pop("rng")).integers(2**32))  # the folds of both are the same
    refits = {"starts": Starts(FIRST_STARTS)} | options
    (fewer, w), (more, _) = (held_out_logs(data, proposal.mixture(found.values[i]), folds=FOLDS, rng=seed, **refits) for i in pair)
    with np.errstate(invalid="ignore"):  # of rows without density under both
        gain = w * (more - fewer)
    return replace(found, best_index=other) if gain.sum() > CLEARLY * np.sqrt((gain**2).sum()) else found
