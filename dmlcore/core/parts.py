"""Single parameters of leaves: held at a value, or tied to those of other leaves.

A leaf says of each by name what is so (`tied`, `held`). What is tied has a tag, by which others have the same: the key that the user
gave, or, for what the components of one mixture share (`among_alternatives`), the mixture and the way down from its components.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from dmlcore.base.domains import Child, Children
from dmlcore.base.errors import KeyClashError, ParameterError
from dmlcore.core.declared import same
from dmlcore.core.nodes import distinct_nodes


def free_domains(family: Any) -> dict[str, Any]:
    """The parameters of a family that are numbers to be estimated, by name."""
    return {f: d for f, d in family._fields if d.axes is not None and not isinstance(d, (Child, Children))}


def check_single_parts(node: Any, family: Any) -> None:
    """Raises `ParameterError` where a node ties or holds what is no parameter of its family, or one both ways; stores what is held."""
    if not node.tied and not node.held:
        return
    who, domains = type(node).__name__, free_domains(family)
    if node._child_fields:
        raise ParameterError(f"{who}: it is made of others; tie or hold the parameters of these")
    for name in [*dict(node.tied), *dict(node.held)]:
        if name not in domains:
            raise ParameterError(f"{who}: there is no parameter {name!r}; there are {', '.join(domains)}")
    for name in dict(node.tied):
        if not domains[name].ties:
            raise ParameterError(f"{who}: {name} cannot be tied alone; hold it, or tie the whole law by keys")
    both = dict(node.tied).keys() & dict(node.held)
    if both:
        raise ParameterError(f"{who}: {min(both)!r} is both tied and held")
    held = []
    for name, value in node.held:
        try:
            held.append((name, domains[name].check(value)))
        except ParameterError as error:
            raise ParameterError(f"{who}: held {name} {error}") from None
    node.derive(held=tuple(held))


def check_held(law: Any) -> None:
    """Raises `ParameterError` where a law's parameter is not what it is held at."""
    for name, value in law.held:
        if not same(law.stored(name), value):
            raise ParameterError(f"{type(law).__name__}: {name} is held at {value!r}, got {law.stored(name)!r}")


class Tag(NamedTuple):
    """What ties a parameter: all that have the same are one. inner: whether along the last axis of a stack alone; None: along all."""

    what: Any
    inner: bool | None = None

    def at(self, index: tuple[int, ...]) -> Any:
        """What ties it at one place of a stack."""
        return self.what if self.inner is None else (self.what, index[:-1] if self.inner else index)


def shared_tags(tree: Any) -> dict[int, dict[str, Tag]]:
    """The tags of parameters that are tied, by name, of the places of a tree (in preorder) that have any."""
    if not any(node.tied_parts or node.among_alternatives for node in distinct_nodes(tree)):
        return {}
    out: dict[int, dict[str, Tag]] = {}
    places = itertools.count()

    def visit(node: Any, among: Any, path: tuple[int, ...]) -> None:
        place = next(places)
        tags = {name: Tag(("key", key)) for name, key in node.tied_parts if key is not True}
        if among is not None:
            tags |= {name: Tag((among[0], path, name), among[1]) for name in node.among_alternatives}
        if tags:
            out[place] = tags
        inner = place, getattr(node, "together", None) is not None
        for j, below in enumerate(node.children()):
            visit(below, inner if j < node.alternatives else among, () if j < node.alternatives else (*path, j))

    visit(tree, None, ())
    return out


def checked_tags(nodes: list[Any], tags: dict[int, dict[str, Tag]]) -> dict[int, dict[str, Tag]]:
    """The tags. Raises `KeyClashError` where one ties parameters of two families, or two parameters of one."""
    first: dict[Any, tuple[Any, str]] = {}
    for place, own in tags.items():
        for name, tag in own.items():
            node, other = first.setdefault(tag.what, (nodes[place], name))
            if type(node) is not type(nodes[place]) or name != other:
                both = f"ties {other} of a {node.label} to {name} of a {nodes[place].label}"
                raise KeyClashError(f"key {tag.what[-1]!r} {both}; only like parameters of one family can be tied")
    return tags
