"""One observation scores what it scores among others, to the bit, and is refused in the same words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dmlcore.base.errors import DmlcoreError
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeDistribution,
    GaussianDistribution,
    MixtureDistribution,
    MultivariateGaussianDistribution,
    OptionalDistribution,
    PoissonDistribution,
)
from tests.examples import EXAMPLES

RECORD = MixtureDistribution(
    [
        CompositeDistribution(
            {
                "x": GaussianDistribution(mu, 2.0),
                "n": PoissonDistribution(lam),
                "city": CategoricalDistribution({"A": p, "B": 1 - p}),
                "gap": OptionalDistribution(GaussianDistribution(-mu, 1.0), 0.2),
                "v": MultivariateGaussianDistribution([mu, 1.0], [[2.0, 0.3], [0.3, 1.0]]),
            }
        )
        for mu, lam, p in ((0.0, 2.0, 0.3), (4.0, 5.0, 0.9))
    ],
    [0.4, 0.6],
)
GOOD = {"x": 1.5, "n": 3, "city": "A", "gap": 0.5, "v": [0.5, 1.0]}


def told(score: Any, x: Any) -> Any:
    """What a way of scoring says of an observation."""
    try:
        return score(x)
    except (DmlcoreError, TypeError) as error:
        return type(error), str(error)


def as_a_batch(law: Any, x: Any) -> float:
    return float(law.seq_log_density(law.seq_encode([x]))[0])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_alone_and_in_a_batch(example: Any) -> None:
    law = example.law
    for x in [*example.data(6), *example.off, *example.wrong]:
        alone, batch = told(law.log_density, x), told(lambda x: as_a_batch(law, x), x)
        assert alone == batch or (math.isnan(alone) and math.isnan(batch)), x


ODD = [
    True,
    "A",
    2.5,
    3.0,
    np.float64(1.5),
    np.int64(3),
    np.str_("A"),
    None,
    math.nan,
    math.inf,
    [1.0],
    [1.0, math.nan],
    (1, 2),
    [],
    {},
    b"A",
    10**400,
    1 << 60,
]


@pytest.mark.parametrize("field", list(GOOD))
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_odd_values(field: str, value: Any) -> None:
    row = {**GOOD, field: value}
    for x in (row, tuple(row.values())):
        assert told(RECORD.log_density, x) == told(lambda x: as_a_batch(RECORD, x), x)


@pytest.mark.parametrize("row", [{}, {"x": 1.0}, {**GOOD, "more": 1}, (1.0, 2), None, 3.0, "row", [*GOOD.values()]], ids=repr)
def test_odd_records(row: Any) -> None:
    assert told(RECORD.log_density, row) == told(lambda x: as_a_batch(RECORD, x), row)


def test_values_that_come_again_are_looked_up() -> None:
    law = CategoricalDistribution({1: 0.25, "1": 0.75})
    for _ in range(2):
        assert law.log_density(1) == math.log(0.25)
        assert law.log_density("1") == math.log(0.75)
        assert law.log_density("2") == -math.inf
