"""Components of a mixture that hold too small a share of the rows leave it during the fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.core.estimator import Estimator
from dmlcore.fitting.ascent import State
from dmlcore.fitting.events import Event
from dmlcore.fitting.problem import Problem


class Removal:
    """Takes away the lightest component whose share is below a minimum, one at a time, with an EM step in between.

    A share is a component's expected part of the row weights; the last component holds all of them and stays. Raises `ParameterError` for a
    minimum outside [0, 1) or weights that are fixed or tied, `StructureError` where the estimator is no mixture that can lose a component.
    """

    def __init__(self, problem: Problem, estimator: Estimator, least: Any):
        if isinstance(least, bool) or not isinstance(least, (int, float, np.number)) or not 0 <= least < 1:
            raise ParameterError(f"min_share must be a number in [0, 1), got {least!r}")
        if not hasattr(estimator, "without"):
            raise StructureError(f"min_share needs a mixture, or a gated mixture, at the top; a {estimator.label} cannot lose a component")
        if getattr(estimator, "fixed_weights", None) is not None:
            raise ParameterError("min_share needs weights that are estimated; leave out fixed_weights")
        if len(problem.ties.groups.get(0, [0])) > 1:
            raise ParameterError("min_share needs weights of the mixture's own; they are tied by a key to those of another")
        self.least = float(least)
        self._estimators: list[Any] = [estimator]
        self._left = list(range(len(self._estimators[0].estimators)))

    def applied(self, state: State) -> tuple[State, Event] | None:
        """The state, turned to the model without its lightest component, and what to say; None where none is too light."""
        shares = state.shares
        if len(shares) == 1 or not shares.min() < self.least:
            return None
        k = int(np.argmin(shares))
        fewer = self._estimators[-1].without(k)
        self._estimators.append(fewer)
        problem = state.problem.learning(fewer)
        stack = problem.stacked(apart=True).stack([state.as_model(state.ahead).without(k)])
        removed = f"component {self._left.pop(k)} held a share of {shares[k]:.3g} and was removed, as that is less than {self.least:g}"
        event = Event("removed", f"step {state.step}: {removed}; {len(self._left)} are left", step=state.step)
        return state.turned_to(stack, problem), event

    def estimator_of(self, model: Any) -> Estimator:
        """The estimator that the user gave, without the components that a model lacks."""
        wanted = len(model.components)
        return next(estimator for estimator in self._estimators if len(estimator.estimators) == wanted)
