"""DMLearn's sets of whole numbers are sets of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import ParameterError, SupportError
from dmlcore.stats import (
    BernoulliSetDistribution,
    BernoulliSetEstimator,
    IntegerBernoulliSetDistribution,
    IntegerBernoulliSetEstimator,
    IntegerStepBernoulliEditEstimator,
    MixtureEstimator,
)

P = np.array([0.2, 0.7, 0.0, 1.0])


def test_it_is_a_set_of_labels() -> None:
    with np.errstate(divide="ignore"):
        law = IntegerBernoulliSetDistribution(np.log(P), np.log(1 - P), name="basket")
    assert law == BernoulliSetDistribution(dict(enumerate(P)), 0.0, "basket")
    assert law.density([0, 3]) == pytest.approx(0.2 * 0.3)
    assert law.density([0]) == law.density([2, 3]) == law.density([9]) == 0.0


def test_numbers_that_are_not_in_the_data_are_allowed_for() -> None:
    model = fit([[0], [0, 1], [1]], IntegerBernoulliSetEstimator(4)).model
    assert dict(model.pmap) == pytest.approx({0: 2 / 3, 1: 2 / 3, 2: 0.0, 3: 0.0})
    told = fit([[0], [0, 1], [1]], IntegerBernoulliSetEstimator(3, pseudo_count=3.0, suff_stat=[0.0, 0.0, 1.0])).model
    assert dict(told.pmap) == pytest.approx({0: 1 / 3, 1: 1 / 3, 2: 0.5})


def test_what_is_wrong_is_said() -> None:
    for make in (
        lambda: IntegerBernoulliSetDistribution([0.5]),
        lambda: IntegerBernoulliSetDistribution(np.log([0.5]), np.log([0.4])),
        lambda: IntegerBernoulliSetEstimator(3, suff_stat=[0.5]),
        lambda: IntegerBernoulliSetEstimator("3"),
    ):
        with pytest.raises(ParameterError, match="IntegerBernoulliSet"):
            make()


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: MixtureEstimator([e, e])], ids=["alone", "in a mixture"])
def test_numbers_that_there_are_not_are_refused(wrap: Any) -> None:
    with pytest.raises(SupportError, match=r"row 2 .*7 is not among its labels, \[0, 1, 2\]"):
        fit([[0], [1, 2], [1, 7]], wrap(IntegerBernoulliSetEstimator(3)), rng=1)
    edits = IntegerStepBernoulliEditEstimator(2, IntegerBernoulliSetEstimator(3))
    for row, why in ((([0], [2]), "2 is not"), (([-1], []), "before.*-1 is not")):
        with pytest.raises(SupportError, match=f"row 1 .*{why} among its labels"):
            fit([([0], [1]), row], wrap(edits), rng=1)
    with pytest.raises(ParameterError, match="closed needs suff_stat"):
        BernoulliSetEstimator(closed=True)
