"""Layouts of trees: lists of nodes, each of which says which node it hangs on, and what is observed there."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import BadValue
from dmlcore.base.records import dataclass
from dmlcore.data.columns import Column, Distinct, Ragged, Values, taken_elements
from dmlcore.data.layouts import Layout
from dmlcore.data.sequences import Repeated, place_element
from dmlcore.data.values import first, is_row, is_whole

ROOT = -1  # in place of the node that a root hangs on
NUMBERED = "nodes that are numbered from 0 in order, each after the one it hangs on: (0, -1) first"


@dataclass(frozen=True)
class Link(Layout):
    """The number of a node, and that of the node it hangs on: -1 (or None) at the root."""

    need = "(its number, that of the node it hangs on, or -1 at the root)"

    def encode(self, values: Any) -> Column:
        pairs = [(v[0], ROOT if v[1] is None else v[1]) if is_row(v, 2) else v for v in values]
        wrong = first(pairs, lambda v: not is_row(v, 2) or not all(map(is_whole, v)) or v[0] < 0 or v[1] < ROOT)
        if wrong is not None:
            raise self.bad(wrong, values[wrong], self.need)
        return Values(np.array(pairs, dtype=np.int64).reshape(-1, 2))


@dataclass(frozen=True)
class Tree(Repeated):
    """A list of nodes `(link, value)`, numbered from 0 in order, each after the node that it hangs on; how many hang on each node is an
    observation of `length`."""

    def encode(self, values: Any) -> Column:
        column: Any = super().encode(values)
        column = column.values if isinstance(column, Distinct) else column
        links, offsets = column.flat.fields[0].x, column.offsets
        empty = np.flatnonzero(np.diff(offsets) == 0)
        if len(empty):
            raise self.bad(int(empty[0]), values[int(empty[0])], "a tree of at least one node")
        begin = np.repeat(offsets[:-1], np.diff(offsets))
        wrong = np.flatnonzero(misplaced(links, np.arange(len(links)) - begin))
        if len(wrong):
            error = BadValue(int(wrong[0]), tuple(links[wrong[0]].tolist()), NUMBERED, f" ({self.label}).{self.label}")
            place_element(error, offsets)
            raise error
        above = links[:, 1]
        below = np.bincount((above + begin)[above >= 0], minlength=len(links))
        return Forest(offsets, column.flat, self.length.encode(below))


def misplaced(links: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Which links `(n, 2)` are none of the nodes at these places of their trees `(n,)`."""
    number, above = links.T
    return (number != place) | (above >= place) | ((above == ROOT) != (place == 0))


class Forest(Ragged):
    """Trees: row `i` is the nodes `offsets[i]` to `offsets[i + 1]` of `flat`, a record of their links and values; `lengths` is the column
    of how many nodes hang on each of these nodes."""

    def __init__(self, offsets: np.ndarray, flat: Column, lengths: Column):
        super().__init__(offsets, flat, lengths, ordered=True)

    @cached_property
    def levels(self) -> TreeLevels:
        """The nodes of all rows by how far they are from their roots."""
        flat: Any = self.flat
        above = flat.fields[0].x[:, 1]
        return TreeLevels(np.where(above >= 0, above + np.repeat(self.offsets[:-1], np.diff(self.offsets)), ROOT))

    def slice(self, start: int, stop: int) -> Forest:
        a, b = int(self.offsets[start]), int(self.offsets[stop])
        return Forest(self.offsets[start : stop + 1] - a, self.flat.slice(a, b), self.lengths.slice(a, b))

    def take(self, rows: np.ndarray) -> Forest:
        return self.with_elements(*taken_elements(self.offsets, rows))

    def with_elements(self, offsets: np.ndarray, elements: np.ndarray) -> Forest:
        return Forest(offsets, self.flat.take(elements), self.lengths.take(elements))

    def row(self, i: int) -> Any:
        return [((number, above), value) for (number, above), value in super().row(i)]


class TreeLevels:
    """Nodes by how far they are from their roots, those on one node side by side; places are positions in that order.

    above: the node that each hangs on, -1 for roots. order: the nodes. bounds: where levels begin, and the end. up: of the nodes of each
    level but the first the places of those they hang on. owners, starts: which places these are, each once, and where the nodes on each
    of them begin in the level.
    """

    def __init__(self, above: np.ndarray):
        depth = depths(above)
        place = np.empty(len(above), dtype=np.int64)
        order = []
        self.bounds, self.up, self.owners, self.starts = [0], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        by_depth = np.argsort(depth, kind="stable")
        ends = np.cumsum(np.bincount(depth, minlength=1)).tolist()
        for level, (a, b) in enumerate(zip([0, *ends], ends, strict=False)):
            nodes = by_depth[a:b]
            if level:
                up = place[above[nodes]]
                sort = np.argsort(up, kind="stable")
                nodes, up = nodes[sort], up[sort]
                owners, starts = np.unique(up, return_index=True)
                self.up.append(up)
                self.owners.append(owners)
                self.starts.append(starts)
            place[nodes] = np.arange(a, b)
            order.append(nodes)
            self.bounds.append(b)
        self.order = np.concatenate(order)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def part(self, level: int) -> slice:
        """The places of a level."""
        return slice(self.bounds[level], self.bounds[level + 1])


def depths(above: np.ndarray) -> np.ndarray:
    """How far nodes are from their roots `(N,)`, from the node that each hangs on, -1 for roots: by jumps that become twice as long."""
    depth, ahead = (above >= 0).astype(np.int64), above.copy()
    while (going := np.flatnonzero(ahead >= 0)).size:
        depth[going] += depth[ahead[going]]
        ahead[going] = ahead[ahead[going]]
    return depth
