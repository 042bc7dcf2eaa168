"""The parameters of a model by name, in the units their users know, and the coordinates of the flat vector they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dmlcore.base.domains import Array, Covariance, Domain, PartlyFree
from dmlcore.base.label_domains import TransitionMap
from dmlcore.base.labels import LabelMap
from dmlcore.base.records import dataclass
from dmlcore.base.sparse import SparseTable
from dmlcore.core.flat import parameters_once
from dmlcore.fitting.problem import paired

REAL_SCALE, POSITIVE_SCALE, PROBABILITY_SCALE = "real", "positive", "probability"
ON_BOUND = "on its bound"
FIXED = "not estimated"


@dataclass(frozen=True)
class Block:
    """One declared parameter of one node. Its coordinates are `start` to `start + size` of the flat vector.

    path: the node's place, such as `components[1].dists[0]`. names: of its `m` numbers, such as `components[1].dists[0].mu`.
    scales: what each number is: real, positive, or a probability. bounded `(size,)`: which coordinates are logarithms or log odds.
    """

    path: str
    field: str
    domain: Domain
    value: Any
    start: int
    size: int
    names: tuple[str, ...]
    scales: tuple[str, ...]
    bounded: np.ndarray

    @property
    def stop(self) -> int:
        """Where its numbers end."""
        return self.start + self.size

    def numbers(self, flat: np.ndarray | None = None) -> np.ndarray:
        """The numbers `(m,)` of the value, or of the value at other coordinates `(size,)`."""
        return numbers_of(self.domain, self.value if flat is None else self.domain.unflatten(flat, self.value))

    def jacobian(self, steps: np.ndarray) -> np.ndarray:
        """Derivatives `(m, size)` of the numbers by the coordinates: central differences of fourth order with these steps."""
        here = self.domain.flatten(self.value)
        out = np.zeros((len(self.names), self.size))
        for i, step in enumerate(steps):
            quotients = []
            least = max(step, 1e3 * np.spacing(abs(here[i])))
            for reach in (least, 2 * least):
                up, down = here.copy(), here.copy()
                up[i] += reach
                down[i] -= reach
                with np.errstate(over="ignore", invalid="ignore"):
                    ahead, behind = self.numbers(up), self.numbers(down)
                    quotients.append(np.where(ahead == behind, 0.0, ahead - behind) / (up[i] - down[i]))  # -inf does not move
            out[:, i] = (4 * quotients[0] - quotients[1]) / 3
        return out

    def on_bound(self) -> np.ndarray:
        """Which numbers sit exactly on a bound of their domain, and so have no coordinate, `(m,)`."""
        values = self.numbers()
        if self.size == 0:
            return np.ones(len(values), dtype=bool)
        inside = np.array([scale == PROBABILITY_SCALE for scale in self.scales])
        return inside & (len(values) > 1) & ((values == 0) | (values == 1) | np.isneginf(values))


def numbers_of(domain: Domain, value: Any) -> np.ndarray:
    """The numbers of a parameter's value, `(m,)`; of a covariance, the lower triangle; of a vector, those not taken from elsewhere."""
    if isinstance(domain, Covariance):
        return value[np.tril_indices(len(value))]
    if isinstance(domain, PartlyFree):
        return value[domain.where]
    if isinstance(value, (LabelMap, SparseTable)):
        return value.values_array
    if isinstance(value, TransitionMap):
        return value.pairs.values_array
    if isinstance(value, np.ndarray):
        return value.ravel()
    if _are_tables(value):
        return np.concatenate([table.ravel() for table in value])
    return np.array([value], dtype=np.float64) if isinstance(value, (float, int)) else domain.flatten(value)


def _suffixes(domain: Domain, value: Any) -> list[str]:
    if isinstance(domain, Covariance):
        return [f"[{i}, {j}]" for i, j in zip(*np.tril_indices(len(value)), strict=True)]
    if isinstance(domain, PartlyFree):
        return [f"[{i}]" for i in domain.where.tolist()]
    if isinstance(value, TransitionMap):
        pairs: Any = value.pairs.labels
        return [f"[{label!r}][{to!r}]" for label, to in pairs]
    if isinstance(value, Mapping):
        return [f"[{label!r}]" for label in value]
    if isinstance(value, np.ndarray):
        return [f"[{', '.join(map(str, at))}]" for at in np.ndindex(value.shape)]
    if _are_tables(value):
        return [f"[{j}][{', '.join(map(str, at))}]" for j, table in enumerate(value) for at in np.ndindex(table.shape)]
    return [""] if isinstance(value, (float, int)) else [f"[{i}]" for i in range(len(domain.flatten(value)))]


def _are_tables(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(table, np.ndarray) for table in value)


def _scales(domain: Domain, value: Any) -> list[str]:
    """How each number answers when coordinates move says what it is: a doubled number is positive, doubled odds a probability."""
    here, own = domain.flatten(value), numbers_of(domain, value)
    if isinstance(domain, Covariance):
        return [POSITIVE_SCALE if i == j else REAL_SCALE for i, j in zip(*np.tril_indices(len(value)), strict=True)]
    if len(here) < len(own) and not isinstance(domain, Array):  # probabilities that sum to one, and no direction
        return [PROBABILITY_SCALE if len(own) > 1 or (here.size and 0 < own[0] < 1) else REAL_SCALE] * len(own)
    out = []
    moved = [(factor, numbers_of(domain, domain.unflatten(here + np.log(factor), value))) for factor in (2.0, 3.0)]
    for i, v in enumerate(own):
        inside = 0 < v < 1 and all(np.isclose(to[i] * (1 - v), factor * v * (1 - to[i]), rtol=1e-9) for factor, to in moved)
        positive = v > 0 and all(np.isclose(to[i], factor * v, rtol=1e-9) for factor, to in moved)
        out.append(PROBABILITY_SCALE if inside else POSITIVE_SCALE if positive else REAL_SCALE)
    return out


def parameter_blocks(model: Any) -> list[Block]:
    """Every parameter of a model in the order of its flat vector; of tied nodes the first."""
    with np.errstate(over="ignore"):  # of probabilities that are zero but for rounding
        return list(_blocks(model))


def _blocks(model: Any) -> Iterator[Block]:
    start = 0
    places = first_places(model)
    for node, own in parameters_once(model):
        path = places[id(node)]
        for field, domain, value in own:
            size = len(domain.flatten(value))
            if domain.free(value):
                name = f"{path}.{field}".lstrip(".")
                scales = _scales(domain, value)
                bounded = np.full(size, scales[0] != REAL_SCALE)
                if isinstance(domain, Covariance):
                    bounded = np.array([scale == POSITIVE_SCALE for scale in scales])
                names = tuple(name + suffix for suffix in _suffixes(domain, value))
                yield Block(path, field, domain, value, start, size, names, tuple(scales), bounded)
            start += size


def first_places(model: Any, readable: bool = False) -> dict[int, str]:
    """Where each node stands, by its id; of one that stands in several places the first. readable: by its name, where it has one."""
    out: dict[int, str] = {}
    stack = [("", model)]
    while stack:
        path, node = stack.pop()
        if id(node) not in out:
            out[id(node)] = path
            below = [
                (_step(node, place, child) if readable else place, child)
                for place, child in zip(node.places(), node.children(), strict=True)
            ]
            stack.extend(reversed([(".".join(filter(None, (path, step))), child) for step, child in below]))
    return out


def _step(node: Any, place: str, child: Any) -> str:
    """What users call the step to a child: nothing, where trees show both in one line."""
    if _in_one_line(node):
        return ""
    while not child.name and _in_one_line(child):
        (child,) = child.children()
    return child.name or place


def _in_one_line(node: Any) -> bool:
    return node.shown_with_child and len(node.children()) == 1


def readable_names(model: Any) -> tuple[str, ...]:
    """The names of the numbers of all blocks, in order, as their users call the parts: by the names they gave, and without the steps to a
    law that trees show in one line with what holds it, `components[0].size.mu`. Where two would be alike, the exact ones."""
    called = first_places(model, readable=True)
    by_path = {path: called[node] for node, path in first_places(model).items()}
    exact = [(block.path, name) for block in parameter_blocks(model) for name in block.names]
    names = [(by_path[path] + "." + name[len(path) :].lstrip(".")).lstrip(".") for path, name in exact]
    often = Counter(names)
    return tuple(name if often[name] == 1 else own for name, (_, own) in zip(names, exact, strict=True))


def fixed_fields(estimator: Any, model: Any) -> set[tuple[str, str]]:
    """`(path, field)` of parameters that the estimator does not estimate, such as fixed weights."""
    return {(path, field) for path, e, _ in paired(estimator, model) for field in e.fixed_fields}


def named_numbers(model: Any) -> dict[str, float]:
    """Every parameter of a model by name."""
    return {name: float(v) for block in parameter_blocks(model) for name, v in zip(block.names, block.numbers(), strict=True)}
