"""Columns of all layouts: rows by their numbers, blocks, what they take of memory, and lists of which only the first elements are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore.core.walk import DistinctCache, Forward
from dmlcore.data.columns import Column
from dmlcore.fitting.chunked import rows_for
from dmlcore.stats import (
    CategoricalDistribution,
    HeterogeneousMixtureDistribution,
    IntegerCategoricalEstimator,
    MarkovChainDistribution,
    MarkovChainEstimator,
    MixtureEstimator,
    MultinomialEstimator,
    PoissonDistribution,
    SequenceDistribution,
)
from tests.examples import EXAMPLES

ENCODED = [
    (e.name, e.law, e.law.seq_encode(2 * list(e.rows) or list(e.law.sample(12, rng=1))).column)
    for e in EXAMPLES
    if e.rows or "unsampled" not in e.tags
]
WORDS = CategoricalDistribution({"a": 0.5, "b": 0.5})
SEVERAL_WAYS = HeterogeneousMixtureDistribution(
    [
        SequenceDistribution(WORDS, PoissonDistribution(2.0)),
        MarkovChainDistribution(dict(WORDS.pmap), {"a": dict(WORDS.pmap), "b": dict(WORDS.pmap)}, PoissonDistribution(2.0)),
    ],
    [0.4, 0.6],
)
ENCODED.append(("lists read in two ways", SEVERAL_WAYS, SEVERAL_WAYS.seq_encode([["a", "b", "b"], ["a"], [], ["b"]]).column))


def arrays(part: Any) -> list[np.ndarray]:
    """The arrays that a column holds, at any depth."""
    if isinstance(part, np.ndarray):
        return [part]
    if isinstance(part, Column):
        return [array for name, own in vars(part).items() if name != "_kept" for array in arrays(own)]
    parts = part.values() if isinstance(part, dict) else part if isinstance(part, tuple) else ()
    return [array for own in parts for array in arrays(own)]


def test_rows_are_the_same_in_blocks_and_copies() -> None:
    for name, _, column in ENCODED:
        rows = [column.row(i) for i in range(len(column))]
        assert column.listed() == rows or "nan" in str(rows), name
        assert str(column.slice(1, 3).listed()) == str(rows[1:3]), name
        assert str(column.take(np.array([2, 0])).listed()) == str([rows[2], rows[0]]), name


def test_memory_is_that_of_all_arrays() -> None:
    for name, _, column in ENCODED:
        assert column.nbytes == sum(array.nbytes for array in arrays(column)), name


def test_shortened_lists_are_scored_as_lists_of_their_first_elements() -> None:
    """Rows that were short enough keep their densities, and those that were not are scored too."""
    seen = 0
    for name, law, column in ENCODED:
        short = column.shortened(1)
        assert len(short) == len(column), name
        alike = np.array([str(short.row(i)) == str(column.row(i)) for i in range(len(column))])
        if alike.all():
            continue
        seen += 1
        log, new = (Forward(law.repeated, DistinctCache())(law, c)[0] for c in (column, short))
        assert np.isfinite(new).all(), name
        np.testing.assert_allclose(new[alike], log[alike], rtol=1e-12, err_msg=name)
    assert seen > 10


def test_long_documents_are_searched_through_their_first_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dmlcore.fitting.rows.ELEMENTS", 200)
    rng = np.random.default_rng(2)
    documents = [[(8 * (i % 2) + j, int(c) + 1) for j, c in enumerate(rng.poisson(3.0, 8))] for i in range(40)]
    words = MultinomialEstimator(IntegerCategoricalEstimator(min_val=0, max_val=15))
    first = dmlcore.fit(documents, MixtureEstimator([words] * 2), starts=2, rng=1).model.seq_posterior(documents).argmax(axis=1)
    assert (first == first[0]).tolist() == [i % 2 == 0 for i in range(40)]


def test_a_sample_of_lists_that_cannot_be_shortened_is_the_rows_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dmlcore.fitting.rows.ELEMENTS", 3)
    law = next(e.law for e in EXAMPLES if e.name == "integer markov chain")
    rows = rows_for(law.sample(20, rng=1), law.layout, None, 1)
    assert rows.work > 3
    assert rows.sample(100, np.random.default_rng(0)) is rows


def test_few_pairs_of_many_labels() -> None:
    """Enough labels for the way by arrays, and next to no pairs of them."""
    model = dmlcore.fit([["a"], ["b"], ["c"]] * 200 + [["a", "b"], ["a", "c"]], MarkovChainEstimator()).model
    assert model.transition_map == {"a": {"b": 0.5, "c": 0.5}}
    assert dmlcore.fit([["a"], ["b"]] * 300, MarkovChainEstimator()).model.transition_map == {}
