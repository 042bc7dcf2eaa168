"""Draws at what given rows have that has no law: covariates, labels, lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dmlcore.base.errors import StructureError
from dmlcore.core.redraw import redrawn
from dmlcore.inference.uncertainty import standard_errors
from dmlcore.stats import (
    BernoulliEditDistribution,
    BernoulliSetDistribution,
    CategoricalDistribution,
    CensoredDistribution,
    CompositeDistribution,
    ConditionalDistribution,
    GaussianDistribution,
    HiddenAssociationDistribution,
    IgnoredDistribution,
    LinearRegressionDistribution,
    LogisticRegressionDistribution,
    MixtureDistribution,
    MultinomialDistribution,
    PointMassDistribution,
    SequenceDistribution,
    TruncatedDistribution,
    ZeroInflatedDistribution,
)
from tests.examples import BY_NAME

UP, DOWN = (LinearRegressionDistribution([slope], 1.0, 1e-18) for slope in (2.0, -1.0))
ONE, TWO = PointMassDistribution(1), PointMassDistribution(2)
EDIT = BernoulliEditDistribution({"a": 1.0}, {"a": 0.0})
BY_LABEL = ConditionalDistribution({"a": ONE, "b": TWO})

CASES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "record": (CompositeDistribution((UP, CategoricalDistribution({"a": 1.0}))), [(([3.0], 0.0), "b")], [(([3.0], 7.0), "a")]),
    "held": (IgnoredDistribution(UP), [([3.0], 0.0)], [([3.0], 7.0)]),
    "held in a mixture": (MixtureDistribution([UP, IgnoredDistribution(DOWN)], [0.0, 1.0]), [([3.0], 0.0)], [([3.0], -2.0)]),
    "censored": (CensoredDistribution(UP), [([3.0], (None, 0.0))], [([3.0], 7.0)]),
    "labels with a law": (
        ConditionalDistribution({"a": UP, "b": DOWN}, None, CategoricalDistribution({"b": 1.0})),
        [("a", ([3.0], 0.0)), ("b", ([4.0], 0.0))],
        [("b", ([3.0], -2.0)), ("b", ([4.0], -3.0))],
    ),
    "labels without": (BY_LABEL, [("b", 1), ("a", 2), ("b", 2)], [("b", 2), ("a", 1), ("b", 2)]),
    "lengths without": (SequenceDistribution(TWO), [[1, 1], [], [1]], [[2, 2], [], [2]]),
    "inside others": (CompositeDistribution((SequenceDistribution(BY_LABEL), ONE)), [([("b", 0)], 0)], [([("b", 2)], 1)]),
    "sets without": (EDIT, [(["a"], ["a"]), ([], [])], [(["a"], []), ([], ["a"])]),
    "zeros by a gate": (
        ZeroInflatedDistribution(PointMassDistribution(4), gate=LogisticRegressionDistribution([1.0], 0.0)),
        [([900.0], 4), ([-900.0], 0)],
        [([900.0], 0), ([-900.0], 4)],
    ),
}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize("case", CASES)
def test_what_has_no_law_stays(case: str, rng: np.random.Generator) -> None:
    law, rows, expected = CASES[case]
    assert law.given_covariates
    drawn = redrawn(law, rows, rng)
    assert rounded(drawn) == expected
    assert rounded(law.redraw(rows, rng)) == expected


def rounded(value: Any) -> Any:
    """With all numbers rounded, at any depth."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(rounded, value))
    return round(value, 6) if isinstance(value, float) else value


def test_what_has_a_law_is_drawn(rng: np.random.Generator) -> None:
    bags = MultinomialDistribution(CategoricalDistribution({"a": 1.0}), ONE)
    for law in (HiddenAssociationDistribution(BY_LABEL, bags, ONE), BY_NAME["lookback"].law):  # which draw the labels themselves
        assert not law.given_covariates
        assert len(redrawn(law, [None] * 3, rng)) == 3
    known = EDIT.replace(init_dist=BernoulliSetDistribution({"a": 1.0}))
    assert not known.given_covariates
    assert known.redraw([([], [])], rng) == redrawn(known, [([], [])], rng) == [(["a"], [])]
    within = TruncatedDistribution(GaussianDistribution(0.0, 1.0), 1.0, 1.5)
    assert all(1.0 <= x <= 1.5 for x in within.redraw([9.0] * 20, rng))


def test_a_range_that_is_hardly_ever_reached_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(StructureError, match=r"truncated: after \d+ rounds draws are out of the range"):
        redrawn(TruncatedDistribution(UP, None, 0.0), [([3.0], -1.0)], rng)


def test_a_parametric_bootstrap_keeps_labels_that_have_no_law() -> None:
    law = ConditionalDistribution({"a": GaussianDistribution(0.0, 4.0), "b": GaussianDistribution(3.0, 1.0)})
    rows = [("a", -2.0), ("a", 2.0), ("b", 2.0), ("b", 4.0)] * 10
    found = standard_errors(law, rows, kind="bootstrap", parametric=True, replicates=4, rng=1)
    assert (found.errors[[0, 2]] > 0).all()
