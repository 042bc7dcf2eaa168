"""Keys: nodes with one key share their statistics, and so their law. Written once, for every family and any depth.

A key on a node ties the node and everything below it, place by place. A key on a node's own statistics (the weights of a
mixture) ties only those. Ties are transitive. Statistics are handled here as lists in preorder, one entry per node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import DmlcoreError, KeyClashError, inside
from dmlcore.core.declared import same
from dmlcore.core.estimator import Estimator
from dmlcore.core.parts import checked_tags, shared_tags
from dmlcore.core.statistics import Node
from dmlcore.core.together import Together
from dmlcore.core.walk import NOTHING


def preorder(tree: Any) -> Iterator[Any]:
    """A node, then all below it, left to right."""
    yield tree
    for child in tree.children():
        yield from preorder(child)


class Ties:
    """Which nodes of an estimator's tree are tied: groups of whole nodes, groups of own statistics, and single parameters (`tags`).

    lead: of an estimator of stacks, how many of their axes are whole models.
    """

    def __init__(self, estimator: Estimator, lead: int = 0):
        self.nodes: list[Estimator] = []
        self._whole: list[frozenset[Any]] = []
        self._own: list[frozenset[Any]] = []
        self._visit(estimator, frozenset())
        self.stacked: dict[Any, Any] = {}  # what holds models of this estimator as stacks, once made
        self.whole = self._groups(self._whole)  # place -> group or None
        self.own = self._groups(self._own)
        self.tags = checked_tags(self.nodes, shared_tags(estimator))
        self.together = Together(self.nodes, self.tags, self.whole, lead)

    @cached_property
    def by_id(self) -> dict[int, int]:
        """The group of each tied node, by the identity of the node."""
        return {id(e): group for e, group in zip(self.nodes, self.whole, strict=True) if group is not None}

    def __getstate__(self) -> dict[str, Any]:
        return {**{field: value for field, value in self.__dict__.items() if field != "by_id"}, "stacked": {}}  # a copy's nodes are others

    @cached_property
    def groups(self) -> dict[int, list[int]]:
        """The places whose own statistics are added up, for each of them."""
        members: dict[int, list[int]] = {}
        for i, group in enumerate(self.own):
            if group is not None:
                members.setdefault(group, []).append(i)
        return {i: places for places in members.values() for i in places}

    @property
    def any(self) -> bool:
        """Whether any places are tied."""
        return bool(self.tags) or any(group not in (None, i) for i, group in enumerate(self.own))

    def _visit(self, node: Estimator, inherited: frozenset[Any]) -> None:
        whole_key, own_key, child_labels = node.ties()
        labels = inherited | {(whole_key,)} if whole_key is not None else inherited
        self.nodes.append(node)
        self._whole.append(labels)
        self._own.append(labels | {(own_key, "own")} if own_key is not None else labels)
        for i, (child, extra) in enumerate(zip(node.children(), child_labels, strict=True)):
            self._visit(child, frozenset((*label, i) for label in labels) | frozenset(extra))

    def _groups(self, labels: list[frozenset[Any]]) -> list[int | None]:
        """For each place, the first place it is tied to (itself, if it is the first), or None if it stands alone."""
        root: dict[Any, Any] = {}

        def find(x: Any) -> Any:
            while root.setdefault(x, x) != x:
                x = root[x]
            return x

        for own in labels:
            first, *rest = own or (None,)
            for other in rest:
                root[find(other)] = find(first)
        leader: dict[Any, int] = {}
        out: list[int | None] = [None if not own else leader.setdefault(find(next(iter(own))), i) for i, own in enumerate(labels)]
        for i, group in enumerate(out):
            if group is not None and group != i:
                self._check(self.nodes[group], self.nodes[i], labels[group] & labels[i] or labels[i])
        return out

    @staticmethod
    def _check(one: Estimator, other: Estimator, labels: frozenset[Any]) -> None:
        key = min(str(label[0]) for label in labels)
        if type(one) is not type(other) or len(one.children()) != len(other.children()):
            raise KeyClashError(f"key {key!r} ties a {one.label} to a {other.label}; only nodes of one family and shape can be tied")
        settings = [{f: v for f, _, v in e.parameters() if f not in ("name", "keys")} for e in (one, other)]
        if not all(same(value, settings[1][field]) for field, value in settings[0].items()):
            raise KeyClashError(f"key {key!r} ties {one!r} to {other!r}; tied nodes need equal settings")

    def pool(self, owns: list[Any]) -> list[Any]:
        """Own statistics in preorder, each replaced by the sum over its group."""
        sums: dict[int, Any] = {}
        for own, group in zip(owns, self.own, strict=True):
            if group is not None and own is not None:
                sums[group] = sums[group] + own if group in sums else own
        return [own if group is None else sums.get(group) for own, group in zip(owns, self.own, strict=True)]


def own_statistics(estimator: Estimator, statistics: Any) -> list[Any]:
    """Own statistics of a tree of `Node` in preorder."""
    if statistics is NOTHING:
        return [None] * sum(1 for _ in preorder(estimator))
    out = [statistics.own]
    for child, node in zip(estimator.children(), statistics.children, strict=True):
        out += own_statistics(child, node)
    return out


def below(node: Estimator, visit: Callable[..., Any], *beside: Any) -> tuple[Any, ...]:
    """`visit` of each child, and of what stands beside it; an error says at which."""
    out = []
    for i, parts in enumerate(zip(node.children(), *beside, strict=True)):
        try:
            out.append(visit(*parts))
        except DmlcoreError as error:
            error.args = (inside(node.steps()[i], str(error)),)
            raise
    return tuple(out)


def resolve(estimator: Estimator, owns: list[Any], ties: Ties) -> Estimator:
    """The estimator with what depends on the data fixed, every place a node of its own that knows it. `owns` as from `pool`."""
    return _placed(estimator, ties, lambda node, i: node.resolve(owns[i]))


def placed(estimator: Estimator, ties: Ties) -> Estimator:
    """An estimator that is resolved already, every place a node of its own that knows it."""
    return _placed(estimator, ties, lambda node, i: node)


def _placed(estimator: Estimator, ties: Ties, fixed: Callable[[Estimator, int], Estimator]) -> Estimator:
    places = enumerate(ties.whole)

    def visit(node: Estimator) -> Estimator:
        i, group = next(places)
        children = below(node, visit)
        fresh = node.with_children(children) if children else node
        return fixed(fresh, i).pinned(place=i if group is None else group)

    return visit(estimator)


def maximise(estimator: Estimator, owns: list[Any], ties: Ties, previous: Any = None) -> Any:
    """The distribution that maximises the likelihood of pooled statistics; tied nodes become one object."""
    rest = iter(owns)
    done: dict[int, Any] = {}
    kept: set[int] = set()
    place = iter(range(len(owns)))
    before = [None] * len(owns) if previous is None or not ties.together.places else list(preorder(previous))
    together = ties.together.laws(owns, before)

    def visit(node: Estimator, before: Any) -> Any:
        i, own = next(place), next(rest)
        children = below(node, visit, before.children() if before is not None else (None,) * len(node.children()))
        group = ties.whole[i]
        if group in done:
            return done[group]
        out = together[i] if i in together else node.assemble(own, children, before)
        if group is not None:
            done[group] = out
        elif out is before:
            out = out.pinned() if id(out) in kept else out  # what was one law at two places is two, which are not tied
            kept.add(id(before))
        return out

    return visit(estimator, previous)


def log_prior(estimator: Estimator, model: Any, ties: Ties) -> Any:
    """The sum of what the priors add to the objective, once per key; of a stack of models, of each."""
    total: Any = 0.0
    for i, (node, law) in enumerate(zip(ties.nodes, preorder(model), strict=True)):
        if ties.own[i] is None or ties.own[i] == i:
            own: Any = node.log_prior(law)
            total = total + (own if np.ndim(own) == 0 else own.reshape(*model.batch, -1).sum(axis=-1))
    return total


__all__ = ["Node", "Ties", "log_prior", "maximise", "own_statistics", "preorder", "resolve"]
