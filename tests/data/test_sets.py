"""Sets as columns."""

from __future__ import annotations

from dmlcore.stats import BernoulliSetDistribution


def test_elements_stand_in_the_order_of_their_labels() -> None:
    """Whatever the order in which a set gives them, which differs between processes."""
    law = BernoulliSetDistribution(dict.fromkeys("abcdefgh", 0.5))
    column = law.seq_encode([{"h", "b", "e"}, [], ["c", "a"], ("g",)]).column
    assert column.listed() == [["b", "e", "h"], [], ["a", "c"], ["g"]]
