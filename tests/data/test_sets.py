"""Sets as columns."""

from __future__ import annotations

from dmlcore.data.values import in_order_of_kinds
from dmlcore.stats import BernoulliSetDistribution


def test_elements_stand_in_the_order_of_their_labels() -> None:
    """Whatever the order in which a set gives them, which differs between processes."""
    law = BernoulliSetDistribution(dict.fromkeys("abcdefgh", 0.5))
    column = law.seq_encode([{"h", "b", "e"}, [], ["c", "a"], ("g",)]).column
    assert column.listed() == [["b", "e", "h"], [], ["a", "c"], ["g"]]


def test_labels_of_several_kinds_stand_in_one_order_in_every_process() -> None:
    law = BernoulliSetDistribution({"milk": 0.5, "bread": 0.5, 7: 0.5, (1, "x"): 0.5})
    column = law.seq_encode([{"milk", 7}, [(1, "x"), "bread", "milk"], [7]]).column
    assert column.flat.values.x.labels == (7, "bread", "milk", (1, "x"))
    assert in_order_of_kinds(["b", 7, None, "a", 2.5]) == in_order_of_kinds([None, "a", 2.5, "b", 7]) == [None, 2.5, 7, "a", "b"]
