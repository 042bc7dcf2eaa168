"""The heaviest component first, in a fit and in what its record says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from dmlcore.fitting.record import Fit
from dmlcore.inference.relabel import exchanges, permuted
from dmlcore.regression.checked_rows import Given
from dmlcore.stats.latent.gated_mixture import GatedMixtureDistribution


def heaviest_first(record: Fit, given: Given) -> tuple[Fit, np.ndarray]:
    """The record with components in order of their weights, and these, `(K,)`."""
    weights = mean_weights(record.model, given)
    order = np.argsort(-weights, kind="stable")
    model = permuted(record.model, exchanges(record.model)[0], order)
    place = {int(old): new for new, old in enumerate(order)}
    events = [renumbered(event, place) for event in record.events]
    fitted_by: Any = record.estimator  # whose components need not be alike
    fitted_by = fitted_by.replace(estimators=tuple(fitted_by.estimators[k] for k in order))
    return replace(record, model=model, estimator=fitted_by, message=renumbered(record.message, place), events=events), weights[order]


def mean_weights(model: Any, given: Given) -> np.ndarray:
    """Weights of the components `(K,)`; where they depend on a gate, their mean over rows."""
    if isinstance(model, GatedMixtureDistribution):
        return np.average(model.weights_given(given.unit_gate), axis=0, weights=given.unit_weights)
    return np.array(model.w)


def renumbered(text: str, place: dict[int, int]) -> str:
    """A message with components called by their new numbers; those that were removed keep the numbers they began with."""
    if " was removed" in text:
        return text
    return re.sub(r"(components\[|\bcomponent )(\d+)", lambda m: f"{m[1]}{place[int(m[2])]}", text)
