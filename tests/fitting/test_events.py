"""What happens in a fit is told by values that read as sentences."""

from __future__ import annotations

import copy
import pickle

import numpy as np

from dmlcore import fit
from dmlcore.fitting.events import Event
from dmlcore.stats import GaussianDistribution, GaussianEstimator, MixtureDistribution, MixtureEstimator

PLACES, COMPONENTS = {"components[0]": "components[1]", "components[1]": "components[0]"}, {0: 1, 1: 0}


def test_an_event_is_a_sentence_and_knows_what_it_says() -> None:
    event = Event("no weight", "component {component} has no weight", step=3, place="dist", component=2)
    assert event == "dist: component 2 has no weight"
    for same in (pickle.loads(pickle.dumps(event)), copy.deepcopy(event)):
        assert (same, same.kind, same.step, same.place, same.component) == (event, "no weight", 3, "dist", 2)


def test_parts_are_called_by_their_new_names() -> None:
    assert Event("a", "is flat", place="components[0].dist").moved(PLACES, COMPONENTS) == "components[1].dist: is flat"
    assert Event("a", "component {component} is", component=1).moved(PLACES, COMPONENTS) == "component 0 is"
    inner = Event("a", "component {component} is", place="components[0]", component=1)  # whose own components stay
    assert inner.moved(PLACES, COMPONENTS) == "components[1]: component 1 is"
    assert Event("removed", "component 1 was removed", step=2).moved(PLACES, COMPONENTS) == "component 1 was removed"


def test_a_fit_tells_its_events_as_values() -> None:
    start = MixtureDistribution([GaussianDistribution(0.0, 1.0), GaussianDistribution(1e6, 1.0)], [0.5, 0.5])
    record = fit(np.linspace(0, 1, 50), MixtureEstimator([GaussianEstimator()] * 2), start=start)
    (event,) = [event for event in record.events if event.kind == "no weight"]
    assert (event.place, event.component) == ("", 1)
