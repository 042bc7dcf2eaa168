"""Rows that no parameters could have produced are found without asking, or reading, those that could."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dmlcore.data.encoded
from dmlcore import fit
from dmlcore.base.errors import DegenerateError, SupportError
from dmlcore.fitting.impossible import Doubts, first_impossible
from dmlcore.fitting.problem import Problem
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    GammaEstimator,
    GaussianEstimator,
    GeometricEstimator,
    HeterogeneousMixtureEstimator,
    LogisticRegressionEstimator,
    MarkovChainEstimator,
    MixtureEstimator,
    MultinomialLogisticRegressionEstimator,
    OptionalEstimator,
    PoissonEstimator,
    PoissonRegressionEstimator,
    SequenceEstimator,
)

N = 500
DRAWS = np.random.default_rng(0)
REALS = DRAWS.gamma(2.0, 1.0, N).tolist()
LABELS = DRAWS.choice(list("ab"), N).tolist()
ABOVE = CompositeEstimator((CategoricalEstimator(), GammaEstimator()))


LISTS = [list(a + b) for a, b in zip(LABELS, LABELS[::-1], strict=True)]


def with_one(rows: list[Any], at: int, bad: Any) -> list[Any]:
    return [*rows[:at], bad, *rows[at + 1 :]]


CASES: dict[str, Any] = {
    "record": (ABOVE, list(zip(LABELS, REALS, strict=True)), ("a", -1.0), "field 1.gamma: -1.0"),
    "mixture": (MixtureEstimator([ABOVE] * 2), list(zip(LABELS, REALS, strict=True)), ("a", -1.0), "field 1.gamma: -1.0"),
    "counts": (PoissonEstimator(), DRAWS.poisson(3.0, N).tolist(), -2, "poisson: -2"),
    "optional": (OptionalEstimator(GammaEstimator()), with_one(REALS, 3, None), -1.0, "gamma: -1.0"),
    "sequence": (SequenceEstimator(GammaEstimator()), [[x, x + 1] for x in REALS], [1.0, -1.0], "element 1"),
    "regression": (PoissonRegressionEstimator(), [([x], 2) for x in REALS], ([1.0], -1), "the response -1"),
    "trials": (LogisticRegressionEstimator(trials=True), [([x], 2, 3) for x in REALS], ([1.0], 4, 3), "the response 4"),
    "labels": (
        MultinomialLogisticRegressionEstimator(labels=["a", "b"]),
        [([x], c) for x, c in zip(REALS, LABELS, strict=True)],
        ([1.0], "z"),
        "'z'",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_row_is_named_and_few_others_are_asked(case: str) -> None:
    estimator, rows, bad, why = CASES[case]
    read: list[tuple[int, int]] = []

    def observed(start: int, stop: int) -> list[Any]:
        read.append((start, stop))
        return problem.rows.observations()[start:stop]

    for at in (0, 317, N - 1):
        problem = Problem.of(with_one(rows, at, bad), estimator)
        places = np.arange(N) if problem.rows.codes is None else problem.rows.codes
        found = first_impossible(problem.estimator, problem.encoded.column, places, observed)
        assert found is not None
        assert found[0] == at
        assert why in found[1]
        if case != "labels":  # whose node does not look at its columns
            assert sum(stop - start for start, stop in read) <= 16
        read.clear()
    problem = Problem.of(rows, estimator)
    places = np.arange(N) if problem.rows.codes is None else problem.rows.codes
    assert first_impossible(problem.estimator, problem.encoded.column, places, observed) is None


def test_no_row_is_read_where_all_are_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: Any) -> Any:
        raise AssertionError("rows were read again")

    monkeypatch.setattr("dmlcore.fitting.rows.plain_observations", never)
    with pytest.raises(DegenerateError, match="all values equal"):
        fit([(2.0, x) for x in REALS], CompositeEstimator((GaussianEstimator(), GammaEstimator())))


def test_a_message_about_one_row_reads_that_row_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"label": LABELS, "x": with_one(REALS, 400, -1.0)})
    sizes: list[int] = []
    plain = dmlcore.data.encoded.observations

    def seen(data: Any, layout: Any) -> Any:
        sizes.append(len(data))
        return plain(data, layout)

    monkeypatch.setattr(dmlcore.data.encoded, "observations", seen)
    with pytest.raises(SupportError, match=r"row 400 .*x.gamma: -1.0"):
        fit(frame, MixtureEstimator([ABOVE] * 2), starts=1, rng=0)
    assert sizes == [N, 1]


def test_lists_that_are_read_in_two_ways_are_looked_at_in_both() -> None:
    lists = SequenceEstimator(CategoricalEstimator(), GeometricEstimator())
    for other, doubted in ((MarkovChainEstimator(len_estimator=GeometricEstimator()), True), (MarkovChainEstimator(), False)):
        for rows, bad in ((LISTS, False), ([*LISTS, []], True)):
            problem = Problem.of(
                rows, HeterogeneousMixtureEstimator([other, lists if doubted else SequenceEstimator(CategoricalEstimator())])
            )
            doubts = Doubts()
            doubts(problem.estimator, problem.encoded.column)
            assert doubts.any is (bad and doubted)
