"""Keys: nodes with one key share their statistics, and so their law. Written once, for every family and any depth.

A key on a node ties the node and everything below it, place by place. A key on a node's own statistics (the weights of a
mixture) ties only those, or a part of them (the transitions of a hidden chain). Ties are transitive.
Statistics are handled here as lists in preorder, one entry per node.
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
from dmlcore.core.statistics import Node, Sums
from dmlcore.core.together import Together
from dmlcore.core.walk import NOTHING


def preorder(tree: Any) -> Iterator[Any]:
    """A node, then all below it, left to right."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children()))


WHOLE_OWN: Any = None  # the one part of own statistics that have no parts


class Ties:
    """Which nodes of an estimator's tree are tied: groups of whole nodes, groups of own statistics, and single parameters (`tags`).

    whole: for each place the first place that it is tied to (itself, if it is the first), or None if it stands alone. own: the same for
    each part of its own statistics.

    lead: of an estimator of stacks, how many of their axes are whole models.
    """

    def __init__(self, estimator: Estimator, lead: int = 0):
        self.nodes: list[Estimator] = []
        self._whole: list[frozenset[Any]] = []
        self._own: list[dict[Any, frozenset[Any]]] = []
        self._visit(estimator, frozenset())
        self.stacked: dict[Any, Any] = {}  # what holds models of this estimator as stacks, once made
        self.whole = self._groups(list(enumerate(self._whole)))
        slots = [(i, part) for i, own in enumerate(self._own) for part in own]
        leaders = iter(self._groups([(i, self._own[i][part]) for i, part in slots]))
        self.own: list[dict[Any, int | None]] = [{part: next(leaders) for part in own} for own in self._own]
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
        """The places whose own statistics, or parts of them, are added up, for each of them."""
        members: dict[Any, list[int]] = {}
        for i, own in enumerate(self.own):
            for part, group in own.items():
                if group is not None:
                    members.setdefault((group, part), []).append(i)
        out: dict[int, set[int]] = {}
        for places in members.values():
            for i in places:
                out.setdefault(i, set()).update(places)
        return {i: sorted(places) for i, places in out.items()}

    @cached_property
    def priors(self) -> list[tuple[int, Estimator]]:
        """The places that know something beforehand, once per key, each with a node that knows of its own parts alone."""
        found = []
        for i, node in enumerate(self.nodes):
            parts = self.once(i)
            if parts and (node.prior is not None or type(node).log_prior is not Estimator.log_prior):
                whole = len(parts) == len(self.own[i]) or node.prior is None
                found.append((i, node if whole else node.pinned(prior=node.prior.of(parts))))
        return found

    @property
    def any(self) -> bool:
        """Whether any places are tied."""
        return bool(self.tags) or any(len(places) > 1 for places in self.groups.values())

    def _visit(self, node: Estimator, inherited: frozenset[Any]) -> None:
        whole_key, own_key, child_labels = node.ties()
        labels = inherited | {(whole_key,)} if whole_key is not None else inherited
        self.nodes.append(node)
        self._whole.append(labels)
        own_keys = own_key if isinstance(own_key, dict) else {WHOLE_OWN: own_key}
        self._own.append({part: self._labels(labels, part, key) for part, key in own_keys.items()})
        for i, (child, extra) in enumerate(zip(node.children(), child_labels, strict=True)):
            self._visit(child, frozenset((*label, i) for label in labels) | frozenset(extra))

    @staticmethod
    def _labels(inherited: frozenset[Any], part: Any, key: Any) -> frozenset[Any]:
        labels = inherited if part is WHOLE_OWN else frozenset((*label, part) for label in inherited)
        return labels if key is None else labels | {(key, part, "own")}

    def _groups(self, labelled: list[tuple[int, frozenset[Any]]]) -> list[int | None]:
        """Of places with labels: the first place each is tied to (itself, if it is the first), or None if it stands alone."""
        root: dict[Any, Any] = {}

        def find(x: Any) -> Any:
            while root.setdefault(x, x) != x:
                x = root[x]
            return x

        for _, own in labelled:
            first, *rest = own or (None,)
            for other in rest:
                root[find(other)] = find(first)
        leaders: dict[Any, tuple[int, frozenset[Any]]] = {}
        out: list[int | None] = []
        for i, own in labelled:
            first, theirs = leaders.setdefault(find(next(iter(own))), (i, own)) if own else (None, own)
            out.append(first)
            if first not in (None, i):
                self._check(self.nodes[first], self.nodes[i], theirs & own or own)
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
        sums: dict[Any, Any] = {}
        for own, groups in zip(owns, self.own, strict=True):
            for part, group in groups.items():
                if group is not None and own is not None:
                    one, slot = own if part is WHOLE_OWN else getattr(own, part), (group, part)
                    sums[slot] = sums[slot] + one if slot in sums else one
        return [self._pooled(own, groups, sums) for own, groups in zip(owns, self.own, strict=True)]

    @staticmethod
    def _pooled(own: Any, groups: dict[Any, int | None], sums: dict[Any, Any]) -> Any:
        """Own statistics of one place, from the sums of all groups; those of a node that no row reached are the sums alone."""
        if all(group is None for group in groups.values()):
            return own
        found = {part: sums[group, part] for part, group in groups.items() if (group, part) in sums}
        if WHOLE_OWN in groups or not found:
            return found.get(WHOLE_OWN)
        return Sums(**({} if own is None else dict(own.items())) | found)

    def once(self, place: int) -> tuple[Any, ...]:
        """The parts of own statistics that a place is the first to have, among those that it is tied to."""
        return tuple(part for part, group in self.own[place].items() if group in (None, place))


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
    laws = list(preorder(model)) if ties.priors else []
    for place, node in ties.priors:
        own: Any = node.log_prior(laws[place])
        total = total + (own if np.ndim(own) == 0 else own.reshape(*model.batch, -1).sum(axis=-1))
    return total


__all__ = ["Node", "Ties", "log_prior", "maximise", "own_statistics", "preorder", "resolve"]
