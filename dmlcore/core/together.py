"""Leaves some of whose parameters are tied to those of others, or held: how the laws of a group are estimated together.

Each leaf has coordinates of its own, and others in common. The sum of their log likelihoods and priors is maximised by Newton's method,
from the better of the laws before and those that each leaf alone would have, so that no step goes downhill. Slopes and curvatures are
differences of each leaf's own `log_likelihood`, which takes sums of rows, and so cost the same however many rows there are.

It is one file, of over 300 lines, as groups, their laws and the search for these know each other's members.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

from dmlcore.base.errors import DmlcoreError, EmptyError, StructureError, inside
from dmlcore.base.records import dataclass
from dmlcore.core.distribution import Distribution
from dmlcore.core.parts import free_domains

DIFFERENCE = 1e-3  # of a coordinate, in differences: unless the log likelihood of an observation changes by more than
CHANGE = 1e-3
NEWTON_STEPS = 100
LEAST_STEP = 1e-10  # of Newton's
LAST_LOSS = 1e-14  # of a log likelihood: the last step may seem to lose so much
LAST_GAIN = 1e-13  # what a step gains for an observation, below which it is the last


@dataclass(frozen=True, eq=False)
class Member:
    """One leaf of a group: its estimator, its statistics, the law before (None: none yet), and what ties its parameters, by name.

    lead: the axes in front, of whole models that are estimated side by side; statistics and laws have them.
    """

    estimator: Any
    statistics: Any
    previous: Any
    tied: dict[str, Any]
    lead: tuple[int, ...] = ()

    @property
    def count(self) -> Any:
        """The weight of its rows, of each model."""
        return np.zeros(self.lead) if self.statistics is None else np.asarray(self.statistics.count)

    @property
    def live(self) -> np.ndarray:
        """Of which models it has rows, or a prior that decides without."""
        return np.asarray((self.count > 0) | self.estimator.has_prior)

    @property
    def held(self) -> dict[str, Any]:
        """The values of parameters that are held, by name."""
        pairs = self.estimator.held_parts
        return {f: np.broadcast_to(v, (*self.lead, *np.shape(v))) for f, v in pairs} if self.lead else dict(pairs)

    def law(self, **values: Any) -> Any:
        """The law of these parameters, held ones as they are held."""
        return self.estimator.law(self.lead, **{**values, **self.held})

    def model(self, r: tuple[int, ...]) -> Member:
        """The same of one model alone."""
        return Member(self.estimator, self.statistics and self.statistics.at(r), _law_at(self.previous, r), self.tied)


def estimated_together(members: list[Member]) -> list[Any]:
    """The laws of a group. A leaf without rows and prior keeps what it shares with none that has any."""
    live = [m.live for m in members]
    if all(one.all() for one in live):
        return list(members[0].estimator.estimate_together(members))
    if any(m.previous is None for m in members):
        raise EmptyError(f"{members[0].estimator.label}: no row gives it any weight; it cannot be estimated")
    some = [k for k, one in enumerate(live) if one.any()]
    with np.errstate(all="ignore"):
        found = dict(zip(some, members[some[0]].estimator.estimate_together([members[k] for k in some]), strict=True)) if some else {}
    said: dict[Any, Any] = {}
    for k in some:
        for tag in members[k].tied.values():
            said[tag] = said.get(tag, False) | live[k]
    shared = {tag: found[k].stored(f) for k in some for f, tag in members[k].tied.items()}
    return [_kept(m, found.get(k), live[k], said, shared) for k, m in enumerate(members)]


def _kept(member: Member, law: Any, live: np.ndarray, said: dict[Any, Any], shared: dict[Any, Any]) -> Any:
    """What rows say of a member, or those of others that share it; else what it was."""
    values = {}
    for f, domain in member.previous._fields:
        if f in member.estimator.carried:
            continue
        before, tag = member.previous.stored(f), member.tied.get(f)
        new, where = (
            (law.stored(f) if law is not None else before, live) if tag is None else (shared.get(tag, before), said.get(tag, False))
        )
        values[f] = domain.chosen(np.broadcast_to(where, member.lead), new, before) if member.lead else new if where else before
    return member.law(**values)


def check_estimable(leaf: Any) -> None:
    """Raises `StructureError` for a leaf whose single parameters cannot be tied or held."""
    general = getattr(type(leaf).estimate_together, "__qualname__", "").startswith("Estimator.")
    if general and leaf.family.log_likelihood is Distribution.log_likelihood:
        need = "has no log_likelihood(statistics), so no single parameter is tied or held"
        raise StructureError(f"{leaf.label}: {leaf.family.__name__} {need}")


def maximised_together(members: list[Member]) -> list[Any]:
    """The laws of a group of any family that has `log_likelihood(statistics)`."""
    one = members[0].estimator
    check_estimable(one)
    every = free_domains(one.family)
    if all(m.tied.keys() == every.keys() and m.tied == members[0].tied for m in members):  # one law
        total = one.with_prior(members[0].statistics)
        for m in members[1:]:
            total = total + m.estimator.with_prior(m.statistics)
        law = one.alone.pinned(prior=None).estimate(total, members[0].previous)
        return [m.law(**{f: law.stored(f) for f, _ in law._fields if f not in one.carried}) for m in members]
    alone = [m.estimator.alone.estimate(m.statistics, m.previous) for m in members]
    try:
        group = _Group(members, alone)
    except _Uneven:  # the models differ in what lies on a bound
        return _one_by_one(members)
    x, previous = group.joined(alone), [m.previous for m in members]
    if any(law is None for law in previous):
        return group.laws(group.climbed(x))
    try:
        before = group.joined(previous)
    except _Uneven:  # so do the laws and those before
        if members[0].lead:
            return _one_by_one(members)
        return max(group.laws(group.climbed(x)), previous, key=lambda laws: _objective(members, laws))
    x = np.where((group.objective(before) >= group.objective(x))[:, None], before, x)
    return group.laws(group.climbed(x))


def _one_by_one(members: list[Member]) -> list[Any]:
    apart = [maximised_together([m.model(r) for m in members]) for r in np.ndindex(members[0].lead)]
    return [_joined([laws[k] for laws in apart], members[0].lead) for k in range(len(members))]


def _objective(members: list[Member], laws: list[Any]) -> float:
    """Log likelihood and prior of the laws of one model."""
    return sum(float(law.log_likelihood(m.statistics) + m.estimator.log_prior(law)) for m, law in zip(members, laws, strict=True))


class _Uneven(Exception):
    """Models that are estimated side by side have not the same coordinates."""


class _Group:
    """Coordinates of a group, shared ones once, and the objective in them: of each model, `(models, coordinates)`."""

    def __init__(self, members: list[Member], like: list[Any]):
        self.members, self.like, self.lead = members, like, members[0].lead
        self.models = math.prod(self.lead)
        self.count = np.maximum(sum(m.count for m in members), 1e-300).reshape(self.models)
        self.where: list[np.ndarray] = []  # of each member, which coordinates are its
        self.fields: list[list[tuple[str, Any, int]]] = []
        tags: dict[Any, np.ndarray] = {}
        self.size = 0
        for m, law in zip(members, like, strict=True):
            own, fields = [np.zeros(0, np.intp)], []
            for field, domain in free_domains(type(law)).items():
                if field in m.held:
                    continue
                length, left = divmod(len(domain.flatten(law.stored(field))), self.models)
                if self.models > 1 and (left or length < domain.free(domain.apart(law.stored(field), (0,) * len(self.lead)))):
                    raise _Uneven
                tag: Any = m.tied.get(field, object())
                if tag not in tags:
                    tags[tag] = np.arange(self.size, self.size + length)
                    self.size += length
                if len(tags[tag]) != length:
                    raise StructureError(f"{m.estimator.label}: {field} is tied to one of another shape")
                own.append(tags[tag])
                fields.append((field, domain, length))
            self.where.append(np.concatenate(own))
            self.fields.append(fields)

    def joined(self, laws: list[Any]) -> np.ndarray:
        """The coordinates of laws; of what they share, the mean over their rows."""
        total, weight = np.zeros((self.models, self.size)), np.zeros((self.models, self.size))
        for m, law, where, fields in zip(self.members, laws, self.where, self.fields, strict=True):
            count = m.count.reshape(self.models, 1) + 1e-9
            parts = [domain.flatten(law.stored(field)) for field, domain, _ in fields]
            if any(part.size != self.models * length for part, (_, _, length) in zip(parts, fields, strict=True)):
                raise _Uneven
            parts = [part.reshape(self.models, -1) for part in parts]
            total[:, where] += count * np.concatenate([np.zeros((self.models, 0)), *parts], axis=1)
            weight[:, where] += count
        return total / np.where(weight > 0, weight, 1.0)

    def law(self, k: int, z: np.ndarray, trial: bool = False) -> Any:
        """The law of one member at its own coordinates `(models, q)`; trial: at points `(P, models, q)` that are tried, unchecked."""
        m, like, values, start = self.members[k], self.like[k], {}, 0
        front = z.shape[:1] if trial else ()
        for field, domain, length in self.fields[k]:
            stored = self._repeated(like.stored(field), front)
            values[field] = domain.unflatten(z[..., start : start + length].ravel(), stored)
            start += length
        rest = {f: self._repeated(like.stored(f), front, d) for f, d in like._fields if f not in m.estimator.carried and f not in values}
        held = {f: self._repeated(v, front) for f, v in m.held.items()}
        estimator = m.estimator.pinned(of_stacks=True) if trial else m.estimator
        return estimator.law((*front, *self.lead), **{**rest, **values, **held})

    @staticmethod
    def _repeated(value: Any, front: tuple[int, ...], domain: Any = None) -> Any:
        if not front or (domain is not None and domain.axes is None):
            return value
        return np.array(np.broadcast_to(value, (*front, *np.shape(value))))

    def laws(self, x: np.ndarray) -> list[Any]:
        """The laws of all."""
        return [self.law(k, x[:, where]) for k, where in enumerate(self.where)]

    def parts(self, k: int, z: np.ndarray) -> np.ndarray:
        """Log likelihood and prior of one member at points `(P, models, q)`, `(P, models)`."""
        m = self.members[k]
        with np.errstate(all="ignore"):
            if m.estimator.stacks:
                law = self.law(k, z, True)
                value = law.log_likelihood(m.statistics) + m.estimator.log_prior(law)
            else:
                laws = [self.law(k, point) for point in z]
                value = np.array([law.log_likelihood(m.statistics) + m.estimator.log_prior(law) for law in laws])
        value = np.asarray(value, dtype=np.float64).reshape(z.shape[:2])
        return np.where(np.isnan(value), -np.inf, value)

    def objective(self, x: np.ndarray) -> np.ndarray:
        """The sum over members, of each model."""
        return np.asarray(sum(self.parts(k, x[None, :, where])[0] for k, where in enumerate(self.where)))

    def climbed(self, x: np.ndarray) -> np.ndarray:
        """Coordinates at the top of the hill that a point is on, of each model."""
        value = self.objective(x)
        for _ in range(NEWTON_STEPS if self.size else 0):
            gradient, hessian = self._slopes(x)
            step = _uphill(gradient, hessian)
            last, size = (gradient * step).sum(axis=1) <= LAST_GAIN * self.count, np.ones(self.models)
            while True:
                there = self.objective(x + size[:, None] * step)
                better = there > np.where(last, value - LAST_LOSS * np.abs(value), value)
                again = ~better & ~last & (size > LEAST_STEP)
                if not again.any():
                    break
                size = np.where(again, size / 4, size)
            x, value = np.where(better[:, None], x + size[:, None] * step, x), np.where(better, there, value)
            if (last | ~better).all():
                break
        return x

    def _slopes(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and Hessian of each model, from differences of each member's part."""
        gradient, hessian = np.zeros(x.shape), np.zeros((*x.shape, self.size))
        for k, where in enumerate(self.where):
            q, z = len(where), x[:, where]
            h = np.full(z.shape, DIFFERENCE)
            while True:
                along = np.eye(q)[:, None, :] * h  # (q, models, q)
                seen = self.parts(k, z + np.concatenate([along, -along, 2 * along, -2 * along, np.zeros((1, *z.shape))]))
                up, down, further, back = seen[:-1].reshape(4, q, -1).swapaxes(1, 2)
                here = seen[-1][:, None]
                wide = (np.maximum(np.abs(up - here), np.abs(down - here)) > CHANGE * self.count[:, None]) & (h > 1e-290)
                if not wide.any():
                    break
                h = np.where(wide, h / 8, h)
            gradient[:, where] += (8 * (up - down) - (further - back)) / (12 * h)
            hessian[:, where, where] += (up - 2 * here + down) / h**2
            pairs = [(i, j) for i in range(q) for j in range(i)]
            if pairs:
                both = np.array([along[i] + along[j] for i, j in pairs])
                seen = self.parts(k, z + np.concatenate([both, -both]))
                for (i, j), more, less in zip(pairs, seen[: len(pairs)], seen[len(pairs) :], strict=True):
                    curve = more + less - up[:, i] - down[:, i] - up[:, j] - down[:, j] + 2 * here[:, 0]
                    curve = curve / (2 * h[:, i] * h[:, j])
                    hessian[:, where[i], where[j]] += curve
                    hessian[:, where[j], where[i]] += curve
        return gradient, hessian


def _uphill(gradient: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """Newton's steps to maxima, with curvatures that bend the other way turned round."""
    fine = np.isfinite(gradient).all(axis=1) & np.isfinite(hessian).all(axis=(1, 2))
    gradient, hessian = np.where(fine[:, None], gradient, 0.0), np.where(fine[:, None, None], hessian, 0.0)
    scale = np.sqrt(np.maximum(np.abs(np.einsum("rii->ri", hessian)), 1e-300))
    values, vectors = np.linalg.eigh(-hessian / scale[:, None, :] / scale[:, :, None])
    values = np.maximum(np.abs(values), 1e-10)
    return np.asarray(np.einsum("rij,rj,rkj,rk->ri", vectors, 1.0 / values, vectors, gradient / scale) / scale)


class Together:
    """The places of an estimator's tree whose leaves are estimated together with others.

    nodes: in preorder. tags: as of `shared_tags`. leaders: of each place that which it is tied to as a whole, or None. lead: how many
    axes of a stack are whole models.
    """

    def __init__(self, nodes: list[Any], tags: dict[int, dict[str, Any]], leaders: list[int | None], lead: int):
        self.nodes, self.tags, self.lead = nodes, tags, lead
        self.places = [i for i, e in enumerate(nodes) if e.shared_names and leaders[i] in (None, i)]
        for i in self.places:
            check_estimable(nodes[i])

    def laws(self, owns: list[Any], previous: list[Any]) -> dict[int, Any]:
        """The laws of these places, from own statistics and the laws before, both in preorder."""
        if not self.places:
            return {}
        shapes = {i: _shape(owns[i], previous[i]) for i in self.places}
        lead = max((shape[: self.lead] for shape in shapes.values()), key=len)
        found: dict[int, list[tuple[Any, Any]]] = {i: [] for i in self.places}
        for group in self._groups(shapes):
            members = [self._member(i, at, lead, owns[i], previous[i]) for i, at in group]
            try:
                laws = estimated_together(members)
            except DmlcoreError as error:
                error.args = (reduce(lambda said, step: inside(step, said), reversed(self._way_to(group[0][0])), str(error)),)
                raise
            for (i, at), law in zip(group, laws, strict=True):
                found[i].append((at, law))
        return {i: _stacked(laws, shapes[i], lead) for i, laws in found.items()}

    def _way_to(self, place: int) -> list[str]:
        """How messages name the way from the root to a place."""
        way, begin, node = [], 0, self.nodes[0]
        while begin < place:
            begin += 1
            for step, child in zip(node.steps(), node.children(), strict=True):
                size = _size(child)
                if place < begin + size:
                    way.append(step)
                    node = child
                    break
                begin += size
        return way

    def _member(self, place: int, at: tuple[int, ...], lead: tuple[int, ...], own: Any, previous: Any) -> Member:
        tied = {name: tag.at(at) for name, tag in self.tags.get(place, {}).items()}
        index = (*(slice(None) for _ in lead), *at)
        own = own if own is None or not at else own.at(index)
        return Member(self.nodes[place], own, _law_at(previous, index) if at else previous, tied, lead)

    def _groups(self, shapes: dict[int, tuple[int, ...]]) -> list[list[tuple[int, tuple[int, ...]]]]:
        """Leaves, each a place and where it stands in the stack there, in groups that share parameters with one another."""
        groups: list[tuple[set[Any], list[Any]]] = []
        for i in self.places:
            for at in np.ndindex(shapes[i][self.lead :]):
                tags = {tag.at(at) for tag in self.tags.get(i, {}).values()}
                mine = [group for group in groups if group[0] & tags]
                groups = [group for group in groups if not group[0] & tags]
                groups.append((tags.union(*(t for t, _ in mine)), [leaf for _, leaves in mine for leaf in leaves] + [(i, at)]))
        return [leaves for _, leaves in groups]


def _size(node: Any) -> int:
    """How many nodes a tree has."""
    return 1 + sum(map(_size, node.children()))


def _shape(own: Any, previous: Any) -> tuple[int, ...]:
    return np.shape(own.count) if own is not None else () if previous is None else previous.batch


def _law_at(law: Any, index: tuple[Any, ...]) -> Any:
    if law is None:
        return None
    shape = np.empty(law.batch, dtype=bool)[index].shape
    return type(law).unchecked(shape, **{f: d.apart(law.stored(f), index) for f, d in law._fields})


def _joined(laws: list[Any], shape: tuple[int, ...]) -> Any:
    return type(laws[0]).unchecked(shape, **{f: d.together([law.stored(f) for law in laws], shape) for f, d in laws[0]._fields})


def _stacked(laws: list[tuple[Any, Any]], shape: tuple[int, ...], lead: tuple[int, ...]) -> Any:
    """The stack of the laws at places behind the axes of whole models."""
    if len(shape) == len(lead):
        return laws[0][1]
    ordered = [law for _, law in sorted(laws, key=lambda pair: pair[0])]
    models = list(np.ndindex(lead))
    fields = {f: [d.apart(law.stored(f), r) if lead else law.stored(f) for r in models for law in ordered] for f, d in ordered[0]._fields}
    return type(ordered[0]).unchecked(shape, **{f: d.together(fields[f], shape) for f, d in ordered[0]._fields})
