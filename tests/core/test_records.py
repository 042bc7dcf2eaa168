"""Dataclasses whose methods are written once do what those of the standard library do."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import field
from typing import Any

import pytest

from dmlcore.base.records import dataclass


@dataclass(frozen=True)
class Ours:
    a: int
    b: list[int] = field(default_factory=list, compare=False)
    c: str = "x"

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("a is below zero")


@dataclass(frozen=True, repr=False)
class OursLonger(Ours):
    d: float = field(default=2.5, repr=False)


@dataclasses.dataclass(frozen=True)
class Theirs:
    a: int
    b: list[int] = field(default_factory=list, compare=False)
    c: str = "x"


@dataclass(frozen=True, eq=False)
class ByIdentity:
    a: int


@pytest.mark.parametrize(("given", "named"), [((1,), {}), ((1, [2], "y"), {}), ((1,), {"c": "y"}), ((), {"a": 1, "b": [3]})])
def test_fields_and_defaults(given: Any, named: Any) -> None:
    ours, theirs = Ours(*given, **named), Theirs(*given, **named)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert vars(ours) == vars(theirs) == dataclasses.asdict(ours)
    assert hash(ours) == hash(theirs)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), dataclasses.replace(ours, b=[9])):
        assert other == ours
        assert other is not ours
    assert dataclasses.replace(ours, c="z") != ours != theirs


def test_defaults_are_not_shared_and_subclasses_have_more() -> None:
    assert Ours(1).b is not Ours(1).b
    longer = OursLonger(1, d=3.0)
    assert (longer.d, longer.c) == (3.0, "x")
    assert longer != Ours(1)
    assert longer != OursLonger(1)
    assert repr(longer) == "OursLonger(a=1, b=[], c='x')"
    assert ByIdentity(1) != ByIdentity(1)
    assert str(inspect.signature(OursLonger)) == "(a: 'int', b: 'list[int]' = [], c: 'str' = 'x', d: 'float' = 2.5) -> None"


@pytest.mark.parametrize(
    ("given", "named", "said"),
    [
        ((), {}, "a is missing"),
        ((1, [], "x", 4), {}, "got 4 values by their place"),
        ((1,), {"a": 2}, "a is given twice"),
        ((1,), {"e": 2}, "e is no field of it"),
    ],
)
def test_wrong_arguments_are_named(given: Any, named: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Ours(*given, **named)


def test_they_are_checked_and_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="below zero"):
        Ours(-1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot be changed"):
        Ours(1).a = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="stays"):
        del Ours(1).a  # type: ignore[misc]
    with pytest.raises(TypeError, match="frozen"):
        dataclass(frozen=False)
