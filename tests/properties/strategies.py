"""Random models of any nesting, for properties that must hold of all: drawn from the registry and from declared domains.

A tree is an example of the registry (`tests/examples.py`) with random trees grafted in place of its children, wherever its family takes
them, and with new parameters throughout: normal steps of the unconstrained coordinates that their domains declare. So a family that
is registered comes in, at every place that it fits, without being named here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from dmlcore.base.errors import DataError, ParameterError, StructureError
from dmlcore.core.declared import keys, name, setting
from dmlcore.core.distribution import Distribution, as_values
from dmlcore.core.flat import flatten, unflatten
from dmlcore.data.layouts import Anything, Count, Maybe
from dmlcore.data.sequences import Readings
from tests.examples import EXAMPLES, Example

DEPTH = 4  # of the deepest trees: nodes on the way from the root to a leaf, the root not counted
LARGEST_ROW = 60  # values in one observation, so that trees of lists of lists stay small
LONGEST = 6  # counts that may be lengths of lists


class ReplayedDistribution(Distribution):
    """Draws from given rows, in place of a law that cannot be drawn from alone."""

    rows: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    kind = Anything

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        return [self.rows[i] for i in rng.integers(len(self.rows), size=size)]


class Tree(NamedTuple):
    """A random law. replay: where it cannot be drawn from, a law of the same shape which replays rows in places.

    tags: those of all the examples in it (`tests.examples.Example`). names: of these examples, the root's first.
    """

    law: Distribution
    replay: Distribution | None
    tags: frozenset[str]
    names: tuple[str, ...]

    def __repr__(self) -> str:
        return f"{' < '.join(self.names)}: {self.law!r}"

    @property
    def source(self) -> Distribution:
        """What its observations are drawn from."""
        return self.law if self.replay is None else self.replay

    def rows(self, n: int, seed: int = 1) -> list[Any]:
        """`n` observations, as plain values."""
        return as_values(self.source.sampler(seed).sample(n))


def of_example(e: Example) -> Tree:
    replay = None if e.sampled else ReplayedDistribution(e.rows).pinned(layout=e.law.layout)
    return Tree(e.law, replay, e.tags, (e.name,))


def redrawn(law: Distribution, step: float, seed: int) -> Distribution:
    """The same shape with other parameters: normal steps of their unconstrained coordinates."""
    x = flatten(law)
    with suppress(ParameterError):  # parameters that bound each other
        return unflatten(x + step * np.random.default_rng(seed).normal(size=len(x)), law)
    return law


def size_of(x: Any) -> int:
    """How many values an observation holds."""
    return sum(map(size_of, x)) if isinstance(x, (list, tuple, set)) else max(1, np.size(x))


def is_small(tree: Tree) -> bool:
    """Whether its observations are: as lengths of lists they may be needed many times over."""
    return all(size_of(x) <= LARGEST_ROW for x in tree.rows(20))


def fits(new: Tree, old: Distribution, place: str) -> bool:
    """Whether a tree may stand where a law does, as far as lengths of lists go, which counts may be."""
    if not isinstance(new.law.layout, Count):
        return "[" in place or not isinstance(old.layout, Count)
    return not isinstance(old.layout, Count) or set(new.rows(300)) <= set(range(LONGEST + 1))


def grafted(tree: Tree, places: dict[int, Tree]) -> Tree | None:
    """The tree with others in place of some of its children; None where its family does not take them."""
    if not all(fits(new, tree.law.children()[i], tree.law.places()[i]) for i, new in places.items()):
        return None
    parts = (tree, *places.values())
    drawn = all(part.replay is None for part in parts)
    with suppress(*((ParameterError, StructureError) if drawn else (Exception,))):  # rows that are replayed are no law
        law = with_some(tree.law, {i: new.law for i, new in places.items()})
        replay = None if drawn else with_some(tree.source, {i: new.source for i, new in places.items()})
        out = Tree(law, replay, frozenset().union(*(p.tags for p in parts)), sum((p.names for p in parts), ()))
        return out if is_small(out) and reads_its_own(out) else None
    return None


def reads_its_own(tree: Tree) -> bool:
    """Whether a law reads its own draws. Components that read one list each in its own way, as a set and a chain do, need not."""
    layout = tree.law.layout
    if isinstance(layout, Maybe) and isinstance(layout.value, Maybe):
        return False  # None would be two things
    if isinstance(layout, Readings) or tree.replay is not None:
        with suppress(DataError):
            return len(tree.law.seq_encode(tree.rows(50))) == 50
        return False
    return True


def with_some(law: Distribution, places: dict[int, Distribution]) -> Distribution:
    return law.replace(**law.child_values([places.get(i, child) for i, child in enumerate(law.children())]))


def alike(law: Distribution) -> Iterator[list[int]]:
    """The children in groups that may have to stay alike: those of one field that have one layout."""
    groups: dict[Any, list[int]] = {}
    for i, (place, child) in enumerate(zip(law.places(), law.children(), strict=True)):
        groups.setdefault((place.partition("[")[0], type(child.layout), child.layout), []).append(i)
    return iter(groups.values())


@st.composite
def trees(draw: Any, depth: int = DEPTH, only: Any = lambda e: True) -> Tree:
    """A random tree of at most so many levels below its root. only: which examples may be at the root."""
    tree = of_example(draw(st.sampled_from([e for e in EXAMPLES if only(e)])))
    if depth and len(tree.source.children()) == len(tree.law.children()):
        for group in list(alike(tree.law)):
            if draw(st.booleans()):
                new = draw(trees(depth - 1))
                tree = grafted_alike(tree, group, new, draw(st.integers(0, 99))) or tree
    step = draw(st.sampled_from([0.0, 0.3, 1.0]))
    law = redrawn(tree.law, step, draw(st.integers(0, 9999)))
    out = tree._replace(law=law)
    with suppress(StructureError):  # a length that is drawn hardly ever
        return out if is_small(out) else tree
    return tree


def grafted_alike(tree: Tree, group: list[int], new: Tree, seed: int) -> Tree | None:
    """The tree with another in place of one child of a group; or, where they must stay alike, with variants of it in place of them all."""
    one = grafted(tree, {group[seed % len(group)]: new})
    if one is not None or len(group) == 1:
        return one
    variants = {i: new._replace(law=redrawn(new.law, 0.5, seed + i)) for i in group}
    return grafted(tree, variants)
