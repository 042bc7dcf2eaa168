"""Mass for labels that a fit has not seen."""

from __future__ import annotations

import math

import pytest

from dmlcore import fit, from_json, to_json
from dmlcore.base.errors import ParameterError
from dmlcore.stats import (
    BernoulliSetDistribution,
    BernoulliSetEstimator,
    CategoricalEstimator,
    MarkovChainEstimator,
    MixtureEstimator,
)

CHAINS = [["a", "b"], ["b", "a", "a"]]
SETS = [["a", "b"], ["b"], []]


def test_of_a_chain() -> None:
    model = fit(CHAINS, MarkovChainEstimator(default_value=True)).model
    assert model.density(["new"]) == pytest.approx(1 / 6)  # five labels, and one more
    assert model.density(["a", "new"]) == pytest.approx(0.5 / 6)
    assert model.density(["b", "b"]) == pytest.approx(0.5 / 6)  # a pair that was never seen
    assert fit(CHAINS, MarkovChainEstimator()).model.density(["new"]) == 0.0


def test_of_a_set() -> None:
    model = fit(SETS, BernoulliSetEstimator(default_value=True)).model
    known = fit(SETS, BernoulliSetEstimator()).model
    assert model.density(["b", "new"]) == pytest.approx(known.density(["b"]) / 4)
    assert model.density(["y", "z"]) == pytest.approx(known.density([]) / 16)
    assert known.density(["new"]) == 0.0
    assert "default_value" in known.explain_zero_density(["new"])
    sure = BernoulliSetDistribution({"a": 1.0}, min_prob=0.0, default_value=0.5)
    assert sure.density(["new"]) == 0.0
    assert sure.density(["a", "new"]) == pytest.approx(0.5)


@pytest.mark.parametrize("estimator", [MarkovChainEstimator(default_value=True), BernoulliSetEstimator(default_value=0.02)])
def test_in_mixtures_and_files(estimator: object) -> None:
    rows = CHAINS * 10 if isinstance(estimator, MarkovChainEstimator) else SETS * 10
    model = fit(rows, MixtureEstimator([estimator] * 2), rng=1).model  # type: ignore[list-item]
    chance = 1 / 51 if isinstance(estimator, MarkovChainEstimator) else 0.02
    assert [c.default_value for c in model.components] == [pytest.approx(chance)] * 2
    assert model.log_density(["new"]) > -math.inf
    assert from_json(to_json(model)) == model
    assert all(e.default_value == c.default_value for e, c in zip(model.estimator().estimators, model.components, strict=True))


@pytest.mark.parametrize("family", [CategoricalEstimator, MarkovChainEstimator, BernoulliSetEstimator])
def test_what_is_no_chance(family: type) -> None:
    for wrong in (1.5, -0.1, "some"):
        with pytest.raises(ParameterError, match=r"default_value .*, or True or False"):
            family(default_value=wrong)


def test_levels_that_are_not_in_the_data_share_the_prior() -> None:
    model = fit([["a", "b"]] * 3, MarkovChainEstimator(pseudo_count=1.0, levels=["a", "b", "z"])).model
    third = 1 / 3
    assert model.init_prob_map == pytest.approx({"a": (3 + third) / 4, "b": third / 4, "z": third / 4})
    assert model.transition_map["a"] == pytest.approx({"a": third / 4, "b": (3 + third) / 4, "z": third / 4})
