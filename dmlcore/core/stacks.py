"""Stacks: many laws of one make held together, their parameters in arrays with leading axes.

A fit holds the components of a mixture as one stack, and the starts of a search as another: a step of EM then costs what its arithmetic
costs, not what its objects cost. A stack is a distribution of the same family whose parameters have the axes of its `shape` in front; the
family's formulas broadcast over them, and give log densities `(*shape, n)` and statistics of that shape. The tree of a stack is shorter
than that of the laws in it: the K components of a mixture are one child, whose shape has an axis K more than that of the mixture.

Families whose formulas are written for one law alone (`Estimator.stacks` False: a user's own, say) are held as a `Several`, a list that
the engine goes through one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmlcore.base.domains import Child, Children
from dmlcore.base.numerics import joined
from dmlcore.core.declared import Declared, children, own_fields, same, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.keys import Ties, preorder
from dmlcore.core.statistics import Node
from dmlcore.data.layouts import Layout


class SeveralDistribution(Distribution):
    """A stack of laws that are kept apart. laws: those of its places, in the order of the axes of its shape."""

    laws: Sequence[Distribution] = children("law")
    places: Any = setting(())

    @property
    def layout(self) -> Layout:  # type: ignore[override]
        return self.laws[0].layout

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        logs, tapes = score.each(self.laws, column)
        return logs.reshape(*self.batch, logs.shape[-1]), tapes


class SeveralEstimator(Estimator):
    """Estimates laws that are kept apart, one by one."""

    estimators: Sequence[Estimator] = children("law")
    places: Any = setting(())

    family = SeveralDistribution

    @property
    def layout(self) -> Layout:  # type: ignore[override]
        return self.estimators[0].layout

    def open(self, column: Any, open: Any) -> Any:
        return open.apart(self.estimators, column)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(None, send.shared_out(self.estimators, tape, joined(weights)))

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> SeveralDistribution:
        return several(children, self.places)


def several(laws: Sequence[Any], shape: tuple[int, ...]) -> SeveralDistribution:
    return SeveralDistribution.unchecked(shape, laws=tuple(laws), places=shape)


class Stacking:
    """How the laws of one resolved estimator are held as stacks, and given back as a tree of laws.

    estimator: the tree of the user's model, resolved, every place a node of its own. shape: of the stack of whole models (starts of a
    search); `()` for one model. apart: whether components of mixtures stay apart all the same. column: the rows, of which like fields of
    records may be read together. ties: of the estimator. `stacked` is the estimator of such a stack; `apart` then says whether no parts are
    held together.
    """

    def __init__(self, estimator: Estimator, ties: Ties, apart: bool, shape: tuple[int, ...] = (), column: Any = None):
        self.estimator, self.shape = estimator, shape
        self._ties = ties
        self._place = {id(e): i for i, e in enumerate(self._ties.nodes)}
        self._held = set() if apart else self._stackable()
        self._plans: dict[int, Any] = {}
        self.stacked = self._estimator([estimator] * int(np.prod(shape)), shape, column)
        self.apart = not self._held and not self._plans

    def holds(self, e: Any) -> bool:
        """Whether a mixture's components are one stack."""
        return id(e) in self._held

    def _stackable(self) -> set[int]:
        """The mixtures whose components are alike, and tied, if they are, one for one to those of other such mixtures."""
        sizes = {}  # where the components of a mixture begin: how many, and the places of each
        for i, e in enumerate(self._ties.nodes):
            if e.components_field is not None and e.stacked_children > 1:
                first, *others = e.children()[: e.stacked_children]
                if all(like(first, other) for other in others):
                    sizes[i + 1] = e.stacked_children, sum(1 for _ in preorder(first))
        while True:
            fitting = {begin: size for begin, size in sizes.items() if self._tied_alike(begin, sizes)}
            if len(fitting) == len(sizes):
                return {id(self._ties.nodes[begin - 1]) for begin in sizes}
            sizes = fitting

    def _tied_alike(self, begin: int, sizes: dict[int, tuple[int, int]]) -> bool:
        """Whether a place of one component is tied to the like places of some mixtures, as are those of the others to theirs."""
        K, size = sizes[begin]
        for i in range(size):
            if self._ties.nodes[begin + i].coupled and len(self._tied(begin + i)) > 1:
                return False
            partners = [frozenset(place - k * size - i for place in self._tied(begin + k * size + i)) for k in range(K)]
            if any(other != partners[0] for other in partners):
                return False
            if not all(sizes.get(other) == (K, size) for other in partners[0]):
                return False
        return True

    def _tied(self, place: int) -> list[int]:
        """The places that one is tied to, and it."""
        return self._ties.groups.get(place, [place])

    def _ties_inside(self, e: Any) -> bool:
        """Whether any place of a node, or below it, is tied to another or held, in part or as a whole."""
        place = self._place[id(e)]
        below = range(place, place + sum(1 for _ in preorder(e)))
        nodes = self._ties.nodes
        return any(len(self._tied(i)) > 1 or nodes[i].shared_names or nodes[i].held_parts for i in below)

    def _estimator(self, es: list[Any], shape: tuple[int, ...], column: Any) -> Any:
        e = es[0]
        if not e.stacks:
            return e if not shape else SeveralEstimator.unchecked((), estimators=tuple(es), places=shape)
        places = list(zip(*(x.children() for x in es), strict=True))
        K = e.stacked_children if places and self.holds(e) else 0
        columns = e.columns_of_children(column) if column is not None else (None,) * len(places)
        kids = [self._estimator(list(place), shape, part) for place, part in zip(places[K:], columns[K:], strict=True)]
        plan = None if column is None or self._ties_inside(e) else e.together_on(column)
        if plan is not None:
            self._plans[id(e)] = plan
            e = plan.estimator(kids)
        elif K:
            one = self._estimator([c for x in es for c in x.children()[:K]], (*shape, K), columns[0])
            e = e.pinned(**{e.components_field: (one,), **e.child_values(kids, e.components_field)}, together=K)
        elif kids:
            e = e.with_children(tuple(kids))
        return e.pinned(of_stacks=True)

    def fits(self, models: Sequence[Any]) -> bool:
        """Whether the laws of models that become one stack have the same settings, labels and ranges."""
        return self._fits(self.estimator, list(models))

    def _fits(self, e: Any, laws: list[Any]) -> bool:
        if not e.stacks:
            return True
        first = laws[0]
        if not all(type(law) is type(first) for law in laws):
            return False
        columns = {f: [law.stored(f) for law in laws] for f, _, _ in own_fields(first) if f not in ("name", "keys")}
        if len(laws) > 1 and not all(d.alike(columns[f]) for f, d, _ in own_fields(first) if f in columns):
            return False
        kids = list(zip(e.children(), zip(*(law.children() for law in laws), strict=True), strict=True))
        K = e.stacked_children if kids and self.holds(e) else 0
        if K and not self._fits(e.children()[0], [c for law in laws for c in law.children()[:K]]):
            return False
        return all(self._fits(child, list(column)) for child, column in kids[K:])

    def of(self, models: Sequence[Any]) -> Any:
        """The stack of models, one for each place of its shape, in order."""
        return self._stack(self.estimator, list(models), self.shape, {})

    def _stack(self, e: Any, laws: list[Any], shape: tuple[int, ...], done: dict[Any, Any]) -> Any:
        key = self._ties.whole[self._place[id(e)]], shape, *map(id, laws)
        if key[0] is None:
            return self._joined(e, laws, shape, done)
        if key not in done:  # what is tied is one object, and stays one
            done[key] = self._joined(e, laws, shape, done)
        return done[key]

    def _joined(self, e: Any, laws: list[Any], shape: tuple[int, ...], done: dict[Any, Any]) -> Any:
        law = laws[0]
        if not e.stacks:
            return law if not shape else several(laws, shape)
        if not shape and not law.children():
            return law
        kids = law.children()
        K = e.stacked_children if kids and self.holds(e) else 0
        new = [self._stack(child, [x.children()[j] for x in laws], shape, done) for j, child in enumerate(e.children()) if j >= K]
        if id(e) in self._plans:
            return self._plans[id(e)].joined(new, shape)
        fields = {f: d.together([x.stored(f) for x in laws], shape) if shape else v for f, d, v in own_fields(law)}
        if K:
            one = self._stack(e.children()[0], [c for x in laws for c in x.children()[:K]], (*shape, K), done)
            own = {law.components_field: (one,), **law.child_values(new, law.components_field)}
        else:
            own = law.child_values(tuple(new))
        return type(law).unchecked(shape, **fields, **own, **{f: v for f, v in law.facts.items() if not shape})

    def model(self, stack: Any, index: tuple[int, ...] = ()) -> Any:
        """The tree of laws of one model of a stack."""
        return self._law(self.estimator, stack, index, {})

    def _law(self, e: Any, law: Any, index: tuple[int, ...], done: dict[Any, Any]) -> Any:
        key = id(law), index  # what is tied is one object, and stays one
        if key not in done:
            done[key] = self._unstacked(e, law, index, done)
        return done[key]

    def _unstacked(self, e: Any, law: Any, index: tuple[int, ...], done: dict[Any, Any]) -> Any:
        if isinstance(law, SeveralDistribution):
            return law.laws[int(np.ravel_multi_index(index, law.batch))]
        if not e.stacks:
            return law
        if hasattr(law, "plan"):
            key = id(law), "parts"
            if key not in done:
                done[key] = law.plan.split(law)
            kids = zip(e.children(), done[key], strict=True)
            laws = tuple(self._law(child, part, index, done) for child, part in kids)
            return e.family(laws, **{field: getattr(e, field) for field in e.carried})
        fields = {f: d.apart(v, index) if law.batch else v for f, d, v in own_fields(law)}
        given = {f: getattr(e, f) for f in e.carried if f in fields and f in dict(e._fields)}
        kids = law.children()
        if kids and self.holds(e):
            K = e.stacked_children
            parts = [self._law(child, kids[0], (*index, k), done) for k, child in enumerate(e.children()[:K])]
            parts += [self._law(child, kid, index, done) for child, kid in zip(e.children()[K:], kids[1:], strict=True)]
            own = {law.components_field: tuple(parts[:K]), **law.child_values(parts[K:], law.components_field)}
        else:
            own = law.child_values(tuple(self._law(child, kid, index, done) for child, kid in zip(e.children(), kids, strict=True)))
        return type(law)(**{**fields, **given, **own}).pinned(**law.facts_at(index))


def like(one: Any, other: Any) -> bool:
    """Whether two resolved estimators differ in nothing but their place and how they are called."""
    if type(one) is not type(other) or len(one.children()) != len(other.children()):
        return False
    own = ("name", "keys")
    if not all(
        f in own or same(v, other.stored(f)) for f, d in one._fields if not isinstance(d, (Child, Children)) for v in [one.stored(f)]
    ):
        return False
    facts = one.facts.keys() | other.facts.keys()
    if not all(f == "place" or equal(one.facts.get(f), other.facts.get(f)) for f in facts):
        return False
    return all(map(like, one.children(), other.children()))


def equal(a: Any, b: Any) -> bool:
    """Equality of facts: of values, or of objects field by field."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(v, b[f]) for f, v in a.items())
    if isinstance(a, (Sequence, Mapping, Declared)):
        return bool(a == b)
    one, other = ({s: getattr(x, s) for s in getattr(x, "__slots__", ())} or getattr(x, "__dict__", {}) for x in (a, b))
    if not one:
        return same(a, b)
    return one.keys() == other.keys() and all(equal(v, other[f]) for f, v in one.items())


def taken(law: Any, index: Any) -> Any:
    """Some models of a stack of them, `index` along its first axis: a number gives one, without that axis."""
    if not law.batch:
        return law
    shape = np.empty(law.batch, dtype=bool)[index].shape
    if isinstance(law, SeveralDistribution):
        laws = np.empty(len(law.laws), dtype=object)
        laws[:] = law.laws
        part = laws.reshape(law.batch)[index]
        return several(part.ravel().tolist(), shape) if shape else part
    fields = {f: d.apart(v, index) for f, d, v in own_fields(law)}
    own = law.child_values(tuple(taken(child, index) for child in law.children()))
    return type(law).unchecked(shape, **fields, **own).pinned(**law.facts_at(index))


def stack_of(estimator: Any, stacks: Sequence[Any]) -> Any:
    """One stack of several that an estimator's laws are held as, along a new first axis."""
    first = stacks[0]
    shape = (len(stacks), *first.batch)
    if isinstance(first, SeveralDistribution):
        return several([law for stack in stacks for law in stack.laws], shape)
    if not estimator.stacks:
        return several(stacks, shape)
    fields = {f: d.together([s.stored(f) for s in stacks], shape[:1]) for f, d, _ in own_fields(first)}
    kids = zip(estimator.children(), zip(*(s.children() for s in stacks), strict=True), strict=True)
    return type(first).unchecked(shape, **fields, **first.child_values(tuple(stack_of(e, column) for e, column in kids)))
