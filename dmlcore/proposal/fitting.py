"""`dmlcore.fit`: of an estimator, or of a table for which a model is proposed."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from dmlcore.base.errors import ParameterError
from dmlcore.base.random import Random
from dmlcore.core.arguments import takes
from dmlcore.core.estimator import Estimator
from dmlcore.fitting.fit import fit as fit_by
from dmlcore.fitting.observe import watched
from dmlcore.fitting.record import Fit

if TYPE_CHECKING:
    from dmlcore.proposal.result import Proposal


@takes(fit_by, law="estimator")
def fit(
    data: Any,
    estimator: Estimator | Proposal | None = None,
    *,
    components: int | str | None = None,
    criterion: str | None = None,
    rng: Random = None,
    **options: Any,
) -> Fit:
    """Fits a model to data.

    >>> found = dmlcore.fit("visits.csv")  # a table: a model is proposed, and as many components as predict best
    >>> found = dmlcore.fit(frame, components=3, rng=1)  # three of them
    >>> found = dmlcore.fit(rows, MixtureEstimator([GaussianEstimator()] * 2), rng=1)  # a model of one's own

    `found.model` is the distribution, `found.summary()` says how the fit went, `found.plot(data)` shows it, `found.bic` and `found.aic`
    judge it; `dmlcore.labels(found, data)`, `impute`, `standard_errors` and `report` take it from there.

    What is fitted:

    estimator: a tree of estimators. Without one, data are a table (a frame, a file, an array, a list of tuples or dictionaries):
        `dmlcore.propose` looks for a family for each column, and a mixture of records of these is fitted. A `Proposal` stands for the
        model that it proposes.
    components: of a model that is proposed, how many, or "auto" (the default): as many as predict rows held out best, or the least number
        that cannot be told from it.
    criterion: one of those of `dmlcore.select`, which then chooses the number. The record carries the proposal, and in it the table of the
        choice (`Fit.proposal.selection`).
    """
    if estimator is not None and not hasattr(estimator, "looked_at"):
        if components is not None:
            raise ParameterError("components is for models that are proposed; an estimator says itself how many it has")
        return fit_by(data, estimator, rng=rng, **options)
    from dmlcore.proposal.number import fit_proposed  # with the whole catalogue, which other fits do without

    with watched(options.get("progress", True)):  # one line for all that follows
        return fit_proposed(data, estimator, components, criterion, rng, **options)


def _with_options_of(lower: Any) -> None:
    """The options of fits of an estimator, in the signature and the docstring."""
    own, below = inspect.signature(fit), inspect.signature(lower)
    named = [p for name, p in below.parameters.items() if name not in own.parameters]
    *first, _ = own.parameters.values()
    fit.__signature__ = own.replace(parameters=[*first, *named])  # type: ignore[attr-defined]
    fit.__doc__ = f"{fit.__doc__}\n    {(lower.__doc__ or '').strip()}\n    "


_with_options_of(fit_by)
