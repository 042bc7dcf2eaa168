"""Scoring a model outside a fit, through stacks.

The like components of its mixtures are held together (`dmlcore.core.stacks`), so that their number costs arithmetic and no calls. The
stacks are made at the first use, and kept beside the model: what a row scores does not depend on how often, or with which others, it is
asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dmlcore.base.records import dataclass
from dmlcore.base.threads import map_in_order, thread_count
from dmlcore.core.declared import own_fields
from dmlcore.core.keys import preorder
from dmlcore.core.walk import DistinctCache, Forward
from dmlcore.data.encoded import Encoded

ITSELF = "itself"  # what a model keeps in place of stacks where none can be made


def log_densities(model: Any, data: Encoded, threads: int | None = None) -> np.ndarray:
    """Log densities `(n,)` of all rows."""
    return joined_blocks(list(over_blocks(model, data, _log_densities, threads)))


def _log_densities(model: Any, score: Forward, column: Any) -> np.ndarray:
    return score(model, column)[0]


def over_blocks(model: Any, data: Encoded, work: Callable[[Any, Forward, Any], Any], threads: int | None = None) -> Iterator[Any]:
    """`work(model, score, column)` of each block of rows, in order: the model as it is scored; tables of distinct values are shared."""
    return map_in_order(_OnBlock(to_score(model), work, DistinctCache()), data.blocks, thread_count(threads))


@dataclass(frozen=True)
class _OnBlock:
    model: Any
    work: Callable[[Any, Forward, Any], Any]
    tables: DistinctCache

    def __call__(self, block: tuple[int, int, Any]) -> Any:
        return self.work(self.model, Forward(self.model.repeated, self.tables), block[2])


def joined_blocks(parts: list[np.ndarray]) -> np.ndarray:
    """What was made of each block, end to end."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def to_score(model: Any) -> Any:
    """The same law in the form in which rows are scored: with stacks, where there can be any."""
    if model.scored_as is None:
        stacks = _Stacks().of(model)
        model.derive(scored_as=ITSELF if stacks is model else stacks)
    return model if model.scored_as is ITSELF else model.scored_as


class _Stacks:
    """Makes the tree of a model whose like components are stacks. What stands at several places is one object, and stays one."""

    def __init__(self) -> None:
        self.done: dict[Any, Any] = {}

    def of(self, law: Any) -> Any:
        if id(law) not in self.done:
            self.done[id(law)] = self._with_stacks(law)
        return self.done[id(law)]

    def _with_stacks(self, law: Any) -> Any:
        K = number_of_components(law)
        components, others = law.children()[:K], law.children()[K:]
        new = tuple(map(self.of, others))
        if K > 1 and can_be_one_stack(components) and not shares_below(components):
            key = tuple(map(id, components))
            if key not in self.done:
                self.done[key] = stack_of_laws(components, (K,))
            return with_components(law, self.done[key], new)
        new = (*map(self.of, components), *new)
        return law if all(a is b for a, b in zip(new, law.children(), strict=True)) else law.with_children(new)


def number_of_components(law: Any) -> int:
    """How many children, the first ones, are components that may be one stack."""
    return 0 if law.components_field is None else len(getattr(law, law.components_field))


def with_components(law: Any, stack: Any, others: tuple[Any, ...]) -> Any:
    """The same law, whose components are one stack."""
    return law.pinned(**{law.components_field: (stack,)}, **law.child_values(others, law.components_field))


def can_be_one_stack(laws: Any) -> bool:
    """Whether laws can be one stack: of one family, whose formulas broadcast, with the same settings, labels and ranges; and so below."""
    first = laws[0]
    family = type(first)
    estimators = getattr(family, "estimator_family", None)
    if estimators is None or not estimators.stacks or estimators.family is not family:
        return False
    if any(type(law) is not family or len(law.children()) != len(first.children()) for law in laws):
        return False
    fields = {f: d for f, d, _ in own_fields(first) if f not in ("name", "keys")}
    if not all(d.alike([law.stored(f) for law in laws]) for f, d in fields.items()):
        return False
    return all(map(can_be_one_stack, zip(*(law.children() for law in laws), strict=True)))


def shares_below(laws: Any) -> bool:
    """Whether an object with parameters stands at several places among laws and what is below them."""
    seen: set[int] = set()
    for node in (node for law in laws for node in preorder(law)):
        if id(node) in seen and len(node._fields) > 1:
            return True
        seen.add(id(node))
    return False


def stack_of_laws(laws: Any, shape: tuple[int, ...]) -> Any:
    """Laws that are alike as one stack of a shape, in order."""
    first = laws[0]
    fields = {f: d.together([law.stored(f) for law in laws], shape) for f, d, _ in own_fields(first)}
    K = number_of_components(first)
    inner = [component for law in laws for component in law.children()[:K]]
    if K > 1 and can_be_one_stack(inner):
        others = tuple(stack_of_laws(column, shape) for column in zip(*(law.children()[K:] for law in laws), strict=True))
        whole = type(first).unchecked(shape, **fields, **first.child_values(first.children()))
        return with_components(whole, stack_of_laws(inner, (*shape, K)), others)
    kids = tuple(stack_of_laws(column, shape) for column in zip(*(law.children() for law in laws), strict=True))
    return type(first).unchecked(shape, **fields, **first.child_values(kids))
