"""The heaviest component first, in a fit and in what its record says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dmlcore.core.powers import WeightsGiven, has
from dmlcore.fitting.events import Event
from dmlcore.fitting.record import Fit
from dmlcore.inference.relabel import exchanges, permuted
from dmlcore.regression.checked_rows import ModelFrame


def heaviest_first(record: Fit, given: ModelFrame) -> tuple[Fit, np.ndarray]:
    """The record with components in order of their weights, and these, `(K,)`."""
    weights = mean_weights(record.model, given)
    order = np.argsort(-weights, kind="stable")
    model = permuted(record.model, exchanges(record.model)[0], order)
    components = {int(old): new for new, old in enumerate(order)}
    places = {f"components[{old}]": f"components[{new}]" for old, new in components.items()}
    events = [event.moved(places, components) for event in record.events]
    message = record.message.moved(places, components) if isinstance(record.message, Event) else record.message
    fitted_by: Any = record.estimator  # whose components need not be alike
    fitted_by = fitted_by.replace(estimators=tuple(fitted_by.estimators[k] for k in order))
    return replace(record, model=model, estimator=fitted_by, message=message, events=events), weights[order]


def mean_weights(model: Any, given: ModelFrame) -> np.ndarray:
    """Weights of the components `(K,)`; where they depend on a gate, their mean over rows."""
    if has(model, WeightsGiven):
        return np.average(model.weights_given(given.unit_gate), axis=0, weights=given.unit_weights)
    return np.array(model.w)
