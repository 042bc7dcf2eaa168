"""A fit of a table without an estimator: a model is proposed, and the number of components chosen."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from dmlcore.base.errors import ParameterError
from dmlcore.base.random import Random, generator, spawn
from dmlcore.core.estimator import Estimator
from dmlcore.fitting.fit import fit as fit_by
from dmlcore.fitting.record import Fit
from dmlcore.proposal.proposing import propose
from dmlcore.proposal.result import Proposal
from dmlcore.selection.sweep import select

MOST = 12  # components looked at
PATIENCE = 2  # numbers of components in a row that are worse than the best, after which no more are looked at


def fit(
    data: Any,
    estimator: Estimator | Proposal | None = None,
    *,
    components: int | str | None = None,
    criterion: str = "bic",
    rng: Random = None,
    **options: Any,
) -> Fit:
    """Maximum likelihood (or maximum a posteriori, where estimators have pseudo-counts) by EM; of a model that is proposed, without one.

    estimator: what to fit. Without one, data are a table (a frame, an array, a list of tuples or dictionaries): `dmlcore.propose` looks
    for a family for each column, and a mixture of records of these is fitted. A `Proposal` stands for the model that it proposes.
    components, of a model that is proposed: how many, or "auto" (the default): as many as the criterion chooses (see `dmlcore.select`;
    "bic", or "held_out" and others). The record carries the proposal, and in it the table of the choice (`Fit.proposal.selection`).
    """
    if estimator is not None and not isinstance(estimator, Proposal):
        if components is not None:
            raise ParameterError("components is for models that are proposed; an estimator says itself how many it has")
        return fit_by(data, estimator, rng=rng, **options)
    rng = generator(rng)
    looking, choosing = spawn(rng, 2)
    proposal = propose(data, rng=looking, progress=options.get("progress", False)) if estimator is None else estimator
    if components is None or components == "auto":
        found = select(proposal.mixture, range(1, MOST + 1), data, criterion, patience=PATIENCE, rng=choosing, **options)
        return replace(found.best, proposal=replace(proposal, selection=found))
    if isinstance(components, bool) or not isinstance(components, int) or components < 1:
        raise ParameterError(f"components must be a whole number >= 1 or 'auto', got {components!r}")
    return replace(fit_by(data, proposal.mixture(components), rng=choosing, **options), proposal=proposal)


def _with_options_of(lower: Any) -> None:
    """The options of fits of an estimator, in the signature and the docstring."""
    own, below = inspect.signature(fit), inspect.signature(lower)
    named = [p for name, p in below.parameters.items() if name not in own.parameters]
    *first, _ = own.parameters.values()
    fit.__signature__ = own.replace(parameters=[*first, *named])  # type: ignore[attr-defined]
    fit.__doc__ = f"{fit.__doc__}\n    The options of every fit:\n\n    {(lower.__doc__ or '').partition(chr(10) * 2)[2].strip()}\n    "


_with_options_of(fit_by)
