"""Values that tables of parameters are kept as: mappings of labels, sparse tables, columns put together, and words for numbers."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from dmlcore import marginal
from dmlcore.base.errors import StructureError
from dmlcore.base.sparse import SparseTable
from dmlcore.core.rowlaws import EachRow, put
from dmlcore.core.statistics import Counts, LogMoments, Sums
from dmlcore.core.typeface import for_terminal
from dmlcore.core.words import percent
from dmlcore.stats import CompositeDistribution, GaussianDistribution, MarkovChainDistribution, MultivariateGaussianDistribution


def test_sparse_tables_are_mappings() -> None:
    one = SparseTable(9, np.array([2, 5]), np.array([0.25, 0.75]))
    assert (len(one), dict(one)) == (2, {2: 0.25, 5: 0.75})
    assert one == SparseTable(9, np.array([2, 5]), np.array([0.25, 0.75]))
    assert hash(one) == hash(SparseTable(9, np.array([2, 5]), np.array([0.25, 0.75])))
    assert one != SparseTable(8, np.array([2, 5]), np.array([0.25, 0.75]))
    assert one != {2: 0.25, 5: 0.75}


def test_tables_of_labels_are_written_as_dicts() -> None:
    law = MarkovChainDistribution({"a": 1.0}, {"a": {"a": 0.5, "b": 0.5}, "b": {"a": 1.0}})
    assert repr(law.stored("init_prob_map")) == "{'a': 1.0}"
    assert repr(law.stored("transition_map")) == "{'a': {'a': 0.5, 'b': 0.5}, 'b': {'a': 1.0}}"
    assert repr(Sums(count=2.0, y=1.5)) == "Sums(count=2.0, y=1.5)"


def test_columns_put_together_have_the_wider_type() -> None:
    whole = put(None, np.array([1, 2]), np.array([0, 2]), 3)
    both = put(whole, np.array([0.5]), np.array([1]), 3)
    assert (both.dtype, both.tolist()) == (np.float64, [1.0, 0.5, 2.0])
    laws = EachRow([GaussianDistribution(m, 1.0) for m in (0.0, 3.0)])
    assert laws.ask("mean").tolist() == [0.0, 3.0]


def test_unknowns_that_hang_together_are_asked_for_next_to_each_other() -> None:
    pair = MultivariateGaussianDistribution([0.0, 1.0], [[1.0, 0.5], [0.5, 1.0]])
    law = CompositeDistribution({("a", "b"): pair, "c": GaussianDistribution(0.0, 1.0)})
    assert marginal(law, ["b", "a"]).dists[0].mu.tolist() == [1.0, 0.0]  # type: ignore[attr-defined]
    with pytest.raises(StructureError, match="values that depend on each other can be asked for only next to each other"):
        marginal(law, ["a", "c", "b"])


def test_ratios_beyond_the_range_of_numbers_keep_their_logarithms() -> None:
    """Of numbers whose ratio to their mean is none, the logarithms are subtracted."""
    x = np.array([1e-300, 1e300])
    found = LogMoments.of(x, np.ones(2))
    assert found.gap == pytest.approx(2 * np.log(5e299))
    assert repr(Counts(["a", "b"], np.array([1.0, 2.0]))) == "Counts({'a': 1.0, 'b': 2.0}, total=3.0)"


@pytest.mark.parametrize(("share", "said"), [(float("nan"), ""), (0.25, "25%"), (0.012, "1.2%"), (1.0, "100%")])
def test_shares_in_percent(share: float, said: str) -> None:
    assert percent(share) == said


def test_a_terminal_whose_encoding_nobody_knows_is_given_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(encoding="klingon"))
    assert for_terminal("1 ± 2") == "1 +- 2"
    assert for_terminal("1 or 2") == "1 or 2"
