"""How unusual records are: whatever their length and gaps, by the right field, and the same from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore.base.errors import DataError, FormatError, StructureError
from dmlcore.stats import (
    BernoulliSetDistribution,
    CategoricalDistribution,
    CompositeDistribution,
    ExponentialDistribution,
    GaussianDistribution,
    LinearRegressionDistribution,
    MixtureDistribution,
    MultinomialDistribution,
    NegativeBinomialDistribution,
    OptionalDistribution,
    SequenceDistribution,
)
from tests.examples import BY_NAME


def record(mu: float, lengths: tuple[float, float] = (1.0, 0.1)) -> Any:
    labels = CategoricalDistribution({"a": 0.5, "b": 0.3, "c": 0.19, "d": 0.01})
    return CompositeDistribution(
        {
            "x": GaussianDistribution(mu, 4.0),
            "gap": OptionalDistribution(GaussianDistribution(mu, 1.0), 0.3),
            "log": SequenceDistribution(labels, len_dist=NegativeBinomialDistribution(1.0, 0.08)),
            "tags": BernoulliSetDistribution({"u": 0.3, "v": 0.6}),
        }
    )


MODEL = MixtureDistribution([record(0.0), record(9.0)], [0.5, 0.5])
ROWS = MODEL.sample(3000, rng=1)
SURPRISE = dmlcore.Surprise(MODEL, among=ROWS[:2000])


def test_ranks_are_even_and_free_of_length_and_gaps() -> None:
    found = SURPRISE(ROWS[2000:])
    length = np.array([len(row["log"]) for row in ROWS[2000:]])
    gap = np.array([row["gap"] is None for row in ROWS[2000:]])
    assert np.corrcoef(length, found.log_density)[0, 1] < -0.8
    assert abs(np.corrcoef(length, found.rank)[0, 1]) < 0.1
    assert abs(found.rank[gap].mean() - found.rank[~gap].mean()) < 0.05
    assert found.rank.mean() == pytest.approx(0.5, abs=0.03)  # three deviations
    assert np.mean(found.rank > 0.95) == pytest.approx(0.05, abs=0.021)


ODD = {
    "x": [{**ROWS[0], "x": 60.0}],
    "gap": [{**ROWS[1], "gap": -40.0}],
    "log": [{**ROWS[2], "log": ["d"] * 6}, {**ROWS[3], "log": ["new"]}],
    "tags": [{**ROWS[4], "tags": ["w"]}],
}


@pytest.mark.parametrize("field", ODD)
def test_the_field_that_is_odd(field: str) -> None:
    found = SURPRISE(ODD[field])
    assert (found.rank > 0.995).all()
    assert [found.names[j] for j in found.share.argmax(axis=1)] == [field] * len(found)
    assert (found.share[:, found.names.index(field)] > 0.8).all()
    assert found.share.sum(axis=1) == pytest.approx(1.0)


def test_one_record_ranks_as_among_others() -> None:
    rows = [*ROWS[:50], *(row for rows in ODD.values() for row in rows), {"x": 1.0, "log": [], "tags": []}]
    assert [SURPRISE.one(row) for row in rows] == pytest.approx(SURPRISE(rows).rank, abs=1e-3)  # sums in another order
    gap = {**ROWS[0], "x": None}  # of which the model has no law
    assert SURPRISE.one(gap) == SURPRISE([gap]).rank[0]
    tuples = [tuple(row.values()) for row in ROWS[:20]]
    assert [SURPRISE.one(row) for row in tuples] == pytest.approx(SURPRISE(tuples).rank, abs=1e-3)


def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "surprise.json"
    SURPRISE.save(path)
    again = dmlcore.Surprise.load(path)
    rows = [*ROWS[:30], *ODD["x"]]
    assert list(again(rows).rank) == list(SURPRISE(rows).rank)
    assert np.array_equal(again(rows).excess, SURPRISE(rows).excess)
    path.write_text(path.read_text().replace("0.3", "0.4", 1))
    with pytest.raises(FormatError, match="damaged"):
        dmlcore.Surprise.load(path)


def test_without_records_draws_of_the_model_are_usual() -> None:
    alone = dmlcore.Surprise(MODEL)
    assert np.abs(alone(ROWS).rank - SURPRISE(ROWS).rank).mean() < 0.04


def test_of_single_values_and_lists_of_lists() -> None:
    assert dmlcore.Surprise(GaussianDistribution(0.0, 1.0))([0.0, 9.0]).rank == pytest.approx([0.0, 1.0], abs=1e-3)
    inner = SequenceDistribution(GaussianDistribution(0.0, 1.0), len_dist=NegativeBinomialDistribution(2.0, 0.3))
    lists = SequenceDistribution(inner, len_dist=NegativeBinomialDistribution(2.0, 0.3))
    rows = lists.sample(2000, rng=2)
    surprise = dmlcore.Surprise(lists, among=rows)
    sizes = np.array([sum(map(len, row)) for row in rows])
    found = surprise(rows)
    assert np.corrcoef(sizes, found.log_density)[0, 1] < -0.9
    assert abs(np.corrcoef(sizes, found.rank)[0, 1]) < 0.25
    assert surprise([[[0.1], [9.0, 0.2]]]).rank[0] > 0.999


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match="at least one record"):
        dmlcore.Surprise(MODEL, among=[])
    with pytest.raises(DataError, match="has a density"):
        dmlcore.Surprise(ExponentialDistribution(1.0), among=[-1.0, -2.0])
    with pytest.raises(StructureError, match="Surprise: model must be a distribution"):
        dmlcore.Surprise("model")
    with pytest.raises(DataError, match="x: row 0 is 'far'"):
        SURPRISE([{**ROWS[0], "x": "far"}])
    with pytest.raises(DataError, match="need 4 entries"):
        SURPRISE.one((1.0,))


@pytest.mark.parametrize("name", ["dirichlet", "von mises fisher", "spearman ranking", "mixture of rankings", "multivariate gaussian"])
def test_whole_vectors_have_a_density_whatever_their_law_says_of_parts(name: str) -> None:
    law = BY_NAME[name].law
    rows = law.sample(20, rng=1)
    np.testing.assert_allclose(dmlcore.Surprise(law, among=rows)(rows).log_density, law.seq_log_density(rows), rtol=1e-10)
    record = CompositeDistribution([law, GaussianDistribution(0.0, 1.0)])
    pairs = [(row, 0.5) for row in rows]
    np.testing.assert_allclose(dmlcore.Surprise(record, among=pairs)(pairs).log_density, record.seq_log_density(pairs), rtol=1e-10)


def test_cells_without_laws_of_their_own() -> None:
    law = LinearRegressionDistribution([2.0], 1.0, 0.5)
    found = dmlcore.Surprise(law, among=[([x], 1.0 + 2 * x) for x in (0.0, 0.5, 1.0)])([([0.5], 9.0)])
    assert repr(found) == "Surprises(1 records, 1 of them above rank 0.99)"
    with pytest.raises(StructureError, match="its columns have no laws of their own, so that no cell has a surprise"):
        found.excess  # noqa: B018


def test_counts_in_bags_are_no_surprise_and_single_values_rank_alone() -> None:
    words = MultinomialDistribution(CategoricalDistribution({"a": 0.5, "b": 0.5}), NegativeBinomialDistribution(9.0, 0.5))
    law = CompositeDistribution([words, GaussianDistribution(0.0, 1.0)])
    rows = law.sample(2000, rng=1)
    surprise = dmlcore.Surprise(law, among=rows)
    sizes = np.array([sum(count for _, count in bag) for bag, _ in rows])
    found = surprise(rows)
    assert abs(np.corrcoef(sizes, found.rank)[0, 1]) < abs(np.corrcoef(sizes, -found.log_density)[0, 1]) / 2
    pairs, mapping = surprise([([("a", 3), ("b", 1)], 0.5)]), surprise([({"a": 3, "b": 1}, 0.5)])
    assert pairs.rank.tolist() == mapping.rank.tolist()
    one = dmlcore.Surprise(GaussianDistribution(0.0, 1.0))
    assert one.one(3.0) == one([3.0]).rank[0]


def test_no_records() -> None:
    assert SURPRISE([]).share.shape == (0, 4)


def test_all_fields_that_make_a_record_impossible_are_told() -> None:
    model = CompositeDistribution([CategoricalDistribution({"a": 1.0}), ExponentialDistribution(1.0), GaussianDistribution(0.0, 1.0)])
    assert dmlcore.Surprise(model)([("b", -1.0, 0.0), ("b", 1.0, 0.0)]).share.tolist() == [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]


def test_rows_of_regressions() -> None:
    law = LinearRegressionDistribution([2.0], 1.0, 0.5)
    x = np.linspace(0, 1, 200)[:, None]
    rows = [(row, float(y)) for y, row in zip(law.sample_given(x, rng=1), x, strict=True)]
    assert dmlcore.Surprise(law, among=rows)([([0.5], 9.0), ([0.5], 2.0)]).rank == pytest.approx([1.0, 0.0], abs=0.05)
