"""What happens in a fit is told by values that read as sentences."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dmlcore import OnlineEM, fit
from dmlcore.fitting.events import Event
from dmlcore.fitting.problem import Problem, paired
from dmlcore.fitting.stopping import Unimproved
from dmlcore.fitting.support import _log_densities_without
from dmlcore.stats import (
    CategoricalEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureDistribution,
    MixtureEstimator,
    PoissonEstimator,
)

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


class WrittenAnew(GaussianEstimator):
    """One that users write for one law at a time."""

    def estimate(self, statistics: Any, previous: Any = None) -> Any:
        return super().estimate(statistics, previous)


@pytest.mark.parametrize(
    ("rows", "estimator"),
    [
        ([0.3, 1.0, 1.2, 4.0], GaussianEstimator()),
        ([0.3, 1.0, 1.2, 4.0], WrittenAnew()),
        ([0, 0, 4], PoissonEstimator()),
        (["a", "a", "b"], CategoricalEstimator()),
    ],
    ids=["gaussian", "written anew", "counts", "labels"],
)
def test_rows_are_left_out_together_as_one_by_one(rows: list[Any], estimator: Any) -> None:
    problem = Problem.of(rows, estimator)
    law = fit(rows, estimator).model
    n = len(problem.encoded)
    found = _log_densities_without(problem, np.maximum(1 - 1 / problem.rows.each_weight, 0.0), law)
    kinds = problem.encoded.column.listed()
    for i in range(n):
        rest = list(rows)
        rest.remove(kinds[i])
        assert found[i] == pytest.approx(fit(rest, estimator).model.log_density(kinds[i]))


def test_records_say_how_rows_were_assigned() -> None:
    x = np.random.default_rng(0).normal(size=60)
    assert "assign='hard'" in repr(fit(x, MixtureEstimator([GaussianEstimator()] * 2), assign="hard", starts=1, rng=1))
    assert "assign" not in repr(fit(x, GaussianEstimator()))
    online = OnlineEM(GaussianEstimator()).partial_fit(x)
    assert repr(online) == f"OnlineEM(batches=1, rows=60, model={online.model!r})"


def test_a_refused_step_says_nothing_of_validation_data() -> None:
    rule = Unimproved(lambda state: state.value, 1, "they")
    assert rule.met(SimpleNamespace(refused=False, changed=False, value=1.0, model="first", step=1)) is None  # type: ignore[arg-type]
    assert rule.met(SimpleNamespace(refused=True)) is None  # type: ignore[arg-type]
    assert (rule.best, rule.since) == ("first", 0)


def test_trees_of_other_shapes_are_paired_as_far_as_they_go() -> None:
    estimator = MixtureEstimator([GaussianEstimator()] * 2)
    assert [path for path, _, _ in paired(estimator, GaussianDistribution(0.0, 1.0))] == [""]
