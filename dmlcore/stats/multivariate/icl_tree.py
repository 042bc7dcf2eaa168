"""Chow-Liu trees: vectors of whole numbers, each of which depends on one other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import SUM_TOLERANCE, Domain, Whole, from_log_ratios, frozen, log_ratios
from dmlcore.base.errors import DataError, ParameterError
from dmlcore.base.numerics import logs
from dmlcore.base.records import dataclass
from dmlcore.base.support import Support
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.partial import Known
from dmlcore.core.powers import HasMoments
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.rowlaws import Product, RowLaw
from dmlcore.core.statistics import saved_as
from dmlcore.data.layouts import Layout, Real, Vector
from dmlcore.stats.multivariate.label_forest import ForestRows, LabelForest, parents_first
from dmlcore.stats.multivariate.vectors import Dimension, check_dimension

MOST_PAIRS = 1 << 24  # tables of all pairs of values of all pairs of numbers that have more cells than this are refused
ALIKE_GAINS = 1e-12  # of nats: pairs whose dependence differs by less are alike


class Dependencies(Domain):
    """Pairs of a feature and of the one it depends on, or None."""

    need = "pairs (feature, the feature it depends on or None), of each feature one"

    def check(self, value: Any) -> tuple[tuple[int, int | None], ...]:
        try:
            pairs = tuple((Whole(0).check(j), None if parent is None else Whole(0).check(parent)) for j, parent in value)
        except (TypeError, ValueError):
            raise self.fail(value) from None
        if not pairs or sorted(j for j, _ in pairs) != list(range(len(pairs))):
            raise self.fail(value)
        return pairs


class LogTables(Domain):
    """Logarithms of probabilities: vectors `(S,)`, and matrices whose rows are such vectors; a row may be -inf throughout."""

    need = "logarithms of probabilities that sum to one, a vector or a matrix of rows for each feature"

    def check(self, value: Any) -> tuple[np.ndarray, ...]:
        try:
            return tuple(self._checked(np.array(table, dtype=np.float64)) for table in value)
        except (TypeError, ValueError):
            raise self.fail(value) from None

    def _checked(self, table: np.ndarray) -> np.ndarray:
        if table.ndim not in (1, 2) or not table.size or not (table <= SUM_TOLERANCE).all():
            raise ValueError
        total = np.exp(table).sum(axis=-1, keepdims=True)
        if not ((np.abs(total - 1.0) <= SUM_TOLERANCE) | ((total == 0.0) & (table.ndim == 2))).all():
            raise ValueError
        off = np.abs(total - 1.0) > 1e-12
        return frozen(np.where(off & (total > 0), table - logs(np.where(total > 0, total, 1.0)), table))

    def free(self, value: tuple[np.ndarray, ...]) -> int:
        return sum(table.size - table.size // table.shape[-1] for table in value)

    def flatten(self, value: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.concatenate([log_ratios(np.exp(table)) for table in value])

    def unflatten(self, vector: np.ndarray, like: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        ends = np.cumsum([len(log_ratios(np.exp(table))) for table in like])
        parts = np.split(vector, ends[:-1])
        return tuple(logs(from_log_ratios(part, np.exp(table))) for part, table in zip(parts, like, strict=True))


@dataclass(frozen=True)
class WholeVectors(Support):
    """Vectors of whole numbers >= 0, each below a bound of its own if there are bounds."""

    bounds: tuple[int, ...] = ()

    def contains(self, x: np.ndarray) -> np.ndarray:
        if self.bounds and x.shape[1] != len(self.bounds):
            return np.ones(len(x), dtype=bool)  # another error, which is raised where the numbers are read
        inside = (x >= 0) & (x < (np.array(self.bounds) if self.bounds else np.inf))
        return np.asarray((inside & (np.floor(x) == x)).all(axis=1))

    def covers(self, column: Any) -> bool:
        return bool(self.contains(column.x).all())


ANY_WHOLE = WholeVectors("a vector of whole numbers >= 0")


def whole_vectors(states: Sequence[int]) -> WholeVectors:
    """Vectors of whole numbers; states: how many values each may have."""
    most = str(states[0] - 1) if len(set(states)) == 1 else f"{', '.join(str(s - 1) for s in states)} in turn"
    return WholeVectors(f"a vector of whole numbers from 0 to at most {most}", bounds=tuple(states))


class ICLTreeDistribution(Distribution, HasMoments):
    """A vector of F whole numbers x_j >= 0 (features), each of which depends on one other, its parent, in a tree (Chow and Liu 1968):
    `p(x) = p(x_root) prod_j p(x_j | x_parent(j))`.

    dependency_list: pairs `(feature, parent)`, the parent of a root None; several roots are trees that are independent of each other.
    conditional_log_densities: for each pair, in order, the logarithms of the probabilities of its values 0, 1, .., S_j - 1: a vector
    `(S_j,)` for a root, else a matrix `(S_parent, S_j)`, whose rows sum to one (within 1e-6, then normalised). The row of a value that the
    parent never takes may be -inf throughout; it is then taken as even. feature_order: if the tables are in another order than the pairs,
    the places of their pairs, one after the other. They are stored by depth in
    the tree, whatever their order. Raises `ParameterError`
    for what is no tree, and for tables of other shapes.
    """

    dependency_list: Any = parameter(Dependencies())
    conditional_log_densities: Any = parameter(LogTables())
    feature_order: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    kind = Vector

    def validate(self) -> None:
        pairs, tables = self.dependency_list, self.conditional_log_densities
        if self.feature_order is not None:
            if sorted(self.feature_order) != list(range(len(pairs))):
                raise ParameterError(f"ICLTreeDistribution: feature_order must be an order of the {len(pairs)} pairs")
            pairs = tuple(pairs[i] for i in self.feature_order)
        if len(tables) != len(pairs):
            raise ParameterError(f"ICLTreeDistribution: {len(pairs)} features need as many tables, got {len(tables)}")
        nodes = parents_first({j: (parent, table) for (j, parent), table in zip(pairs, tables, strict=True)})
        if len(nodes) < len(pairs):
            raise ParameterError("ICLTreeDistribution: dependency_list must be a tree: some features depend on themselves, or on none")
        for j, (parent, table) in nodes.items():
            if table.ndim != (1 if parent is None else 2) or (parent is not None and len(table) != nodes[parent][1].shape[-1]):
                raise ParameterError(
                    f"ICLTreeDistribution: the table of feature {j} has shape {table.shape}, which does not go with its parent"
                )
        forest = LabelForest({j: (parent, np.exp(table)) for j, (parent, table) in nodes.items()})
        possible, out = forest.marginals(), []
        for parent, table in nodes.values():
            never = (table == -np.inf).all(axis=-1) if parent is not None else np.zeros(1, dtype=bool)
            if parent is not None and (possible[parent][never] > 0).any():
                raise ParameterError(f"ICLTreeDistribution: feature {parent} takes a value whose row is -inf throughout")
            out.append(frozen(np.where(never[:, None], -np.log(table.shape[-1]), table)) if never.any() else table)
        self.derive(
            dependency_list=tuple((j, parent) for j, (parent, _) in nodes.items()), conditional_log_densities=tuple(out), feature_order=None
        )

    @cached_property
    def forest(self) -> LabelForest:
        """The features and their tables."""
        pairs = zip(self.dependency_list, self.conditional_log_densities, strict=True)
        return LabelForest({j: (parent, np.exp(table)) for (j, parent), table in pairs})

    @classmethod
    def of_forest(cls, forest: LabelForest, features: Sequence[int]) -> ICLTreeDistribution:
        """The law of the numbers of a forest in an order."""
        place: dict[int | None, int | None] = {j: i for i, j in enumerate(features)}
        pairs = tuple((place[j], place.get(parent)) for j, (parent, _) in forest.nodes.items())
        return cls(pairs, tuple(forest.log_tables.values()))

    @property
    def num_features(self) -> int:
        """F, how many numbers a vector has."""
        return len(self.dependency_list)

    @cached_property
    def num_states(self) -> list[int]:
        """How many values each of them may have."""
        return [self.forest.nodes[j][1].shape[-1] for j in range(self.num_features)]

    @cached_property
    def layout(self) -> Layout:
        return Vector(self.label, self.num_features)

    @cached_property
    def support(self) -> Support:
        """Vectors whose numbers all have a table."""
        return whole_vectors(self.num_states)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        check_dimension(x, self.num_features, self.label)
        return self.forest.log_densities(x.astype(np.intp))

    @cached_property
    def marginals(self) -> list[np.ndarray]:
        """Probabilities of the values of each feature."""
        each = self.forest.marginals()
        return [each[j] for j in range(self.num_features)]

    def mean(self) -> np.ndarray:
        return np.array([p @ np.arange(len(p)) for p in self.marginals])

    def variance(self) -> np.ndarray:
        return np.array([p @ (np.arange(len(p)) - p @ np.arange(len(p))) ** 2 for p in self.marginals])

    def mode(self) -> np.ndarray:
        best = self.forest.most_probable()
        return np.array([best[j] for j in range(self.num_features)], dtype=np.float64)

    def entropy(self) -> float:
        total = 0.0
        for parent, table in self.forest.nodes.values():
            own = special.entr(table).sum(axis=-1)
            total += float(own if parent is None else self.marginals[parent] @ own)
        return total

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        drawn = self.forest.draw(self.forest.upward({}, size)[1], rng)
        return np.array([drawn[j] for j in range(self.num_features)], dtype=np.float64).T

    def given(self, x: Any, n: int) -> tuple[np.ndarray, RowLaw]:
        known: dict[int, np.ndarray] = {}
        for j, entry in enumerate(x.entries):
            if isinstance(entry, Known):
                known[j] = entry.encoded(Real(f"{self.label}, coordinate {j}")).column.x  # type: ignore[attr-defined]
        log, below = self.forest.upward(known, n)
        unknown = [j for j in range(self.num_features) if j not in known]
        return log, ForestRows(self.forest, known, below, unknown, self.of_forest) if unknown else Product([])

    def expected_statistics(self, count: float) -> PairCounts:
        return PairCounts(count, count * self.forest.pairs(max(self.num_states)))

    def log_likelihood(self, statistics: Any) -> float:
        pairs, total = statistics.pairs, 0.0
        for j, (parent, table) in self.forest.nodes.items():
            seen = np.diagonal(pairs[j, j]) if parent is None else pairs[parent, j]
            whole = np.zeros(np.maximum(seen.shape, table.shape))
            whole[tuple(map(slice, seen.shape))] = seen
            p = np.zeros(whole.shape)
            p[tuple(map(slice, table.shape))] = table
            total += float(special.xlogy(whole, p).sum())
        return total

    def estimator(self, pseudo_count: Any = None) -> ICLTreeEstimator:
        own = None if pseudo_count is None else self.expected_statistics(1.0).pairs
        return ICLTreeEstimator(self.num_features, None, pseudo_count, own, self.keys, self.name)


@saved_as("pair counts", "count", "pairs")
@dataclass(frozen=True)
class PairCounts:
    """The sum of weights, and how much weight each pair of values of each pair of features has `(F, F, S, S)`."""

    count: Any
    pairs: np.ndarray

    def __add__(self, other: Self) -> Self:
        shape = tuple(np.maximum(self.pairs.shape, other.pairs.shape).tolist())
        return type(self)(self.count + other.count, self.within(shape) + other.within(shape))

    def within(self, shape: tuple[int, ...]) -> np.ndarray:
        """The weights in a table of at least this size."""
        if self.pairs.shape == shape:
            return self.pairs
        out = np.zeros(shape)
        out[tuple(map(slice, self.pairs.shape))] = self.pairs
        return out

    def states(self) -> list[int]:
        """One more than the largest value of each feature that has weight."""
        each = np.einsum("iiss->is", self.pairs) > 0
        return [int(np.flatnonzero(row)[-1]) + 1 if row.any() else 1 for row in each]

    def scaled(self, factor: float) -> Self:
        """As if every weight had been multiplied."""
        return type(self)(self.count * factor, self.pairs * factor)


class ICLTreeEstimator(Estimator):
    """Maximum likelihood for a Chow-Liu tree: of all trees and tables. The tree has the largest sum of mutual informations along its edges
    (Chow and Liu 1968), by Prim's algorithm from feature 0, its root.

    num_features: how many numbers a vector has (None: as the data). num_states: how many values each may have; without, as many as the
    data show of each. pseudo_count=a with suff_stat `(F, F, S, S)`, probabilities of each pair of values of each pair of features: a
    pseudo-vectors that look so (default: all vectors alike); the log prior is `a` times their mean log density. In a mixture each component
    has a tree of its own, which may change from step to step.
    """

    num_features: int | None = parameter(Dimension(), default=None)
    num_states: int | None = parameter(Dimension(), default=None)
    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    keys: str | None = keys()
    name: str | None = name()

    family = ICLTreeDistribution
    states: ClassVar[tuple[int, ...] | None] = None

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "ICLTreeEstimator")
        if self.suff_stat is None:
            return
        try:
            shares = frozen(self.suff_stat)
        except (TypeError, ValueError):
            shares = np.zeros(0)
        shape = shares.shape
        if shares.ndim != 4 or shape[0] != shape[1] or shape[2] != shape[3] or not (shares >= 0).all():
            raise ParameterError("ICLTreeEstimator: suff_stat must be probabilities (F, F, S, S) of pairs of values")
        self.derive(suff_stat=shares)

    @cached_property
    def layout(self) -> Layout:
        return Vector(self.label, self.num_features)

    @property
    def support(self) -> Support:  # type: ignore[override]
        """Vectors whose numbers all can have a table."""
        F = self.num_features or len(self.states or ())
        if self.num_states is not None and F:
            return whole_vectors([self.num_states] * F)
        return replace(ANY_WHOLE, bounds=self.states or ())

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> PairCounts:
        check_dimension(x, self.num_features, self.label)
        F, S = x.shape[1], max(self.states) if self.states else int(x.max(initial=0.0)) + 1
        check_size(F, max(S, self.num_states or 1), self.label)
        codes, pairs = [x[:, j].astype(np.intp) for j in range(F)], np.zeros((F, F, S, S))
        for j in range(F):
            above = codes[j] * S
            for i in range(j, F):
                pairs[j, i] = np.bincount(above + codes[i], weights, S * S).reshape(S, S)
                pairs[i, j] = pairs[j, i].T
        return PairCounts(float(weights.sum()), pairs)

    def resolve(self, statistics: PairCounts) -> Self:
        (count,), prior = pseudo_counts(self.pseudo_count, 1, "ICLTreeEstimator"), None
        shares = None if self.suff_stat is None else PairCounts(1.0, self.suff_stat)
        if not statistics.count > 0 and shares is None:
            return self
        F = len(statistics.pairs)
        states = (statistics if shares is None else statistics + shares).states() if self.num_states is None else [self.num_states] * F
        if max(statistics.states(), default=1) > max(states):
            raise DataError(
                f"{self.label}: the data have values up to {max(statistics.states()) - 1}; num_states={self.num_states} allows fewer"
            )
        if count > 0:
            prior = PseudoObservations((even_pairs(states) if shares is None else shares).scaled(count))
        return self.pinned(states=tuple(states), prior=prior)

    def estimate(self, statistics: PairCounts, previous: Any = None) -> ICLTreeDistribution:
        both = self.with_prior(statistics)
        states = self.states or both.states()
        pairs = both.within((len(states), len(states), max(states), max(states)))
        nodes: dict[int, tuple[int | None, np.ndarray]] = {}
        for j, parent in spanning_tree(mutual_informations(pairs)):
            table = np.diagonal(pairs[j, j])[: states[j]] if parent is None else pairs[parent, j, : states[parent], : states[j]]
            total = table.sum(axis=-1, keepdims=True)
            nodes[j] = parent, np.where(total > 0, table / np.where(total > 0, total, 1.0), 1.0 / states[j])
        return self.law(
            dependency_list=tuple((j, parent) for j, (parent, _) in nodes.items()),
            conditional_log_densities=tuple(logs(table) for _, table in nodes.values()),
        )


def check_size(F: int, S: int, who: str) -> None:
    """Raises `DataError` where the tables of all pairs would be too large."""
    if F * F * S * S > MOST_PAIRS:
        raise DataError(f"{who}: tables of {S} values of each of {F} features, two by two, have more than {MOST_PAIRS} cells")


def even_pairs(states: Sequence[int]) -> PairCounts:
    """Vectors of weight one in all that are all alike; states: how many values each feature has."""
    S = max(states)
    each = np.array([np.where(np.arange(S) < s, 1.0 / s, 0.0) for s in states])
    pairs = np.einsum("is,jt->ijst", each, each)
    for j, p in enumerate(each):
        pairs[j, j] = np.diag(p)
    return PairCounts(1.0, pairs)


def mutual_informations(pairs: np.ndarray) -> np.ndarray:
    """Mutual information in nats of each two features `(F, F)`, from weights of their pairs of values."""
    total = np.diagonal(pairs[0, 0]).sum()
    each = special.entr(np.einsum("iiss->is", pairs) / total).sum(axis=1)
    return np.asarray(each[:, None] + each - special.entr(pairs / total).sum(axis=(-2, -1)))


def spanning_tree(gains: np.ndarray) -> list[tuple[int, int | None]]:
    """The edges of a spanning tree of the largest sum of gains `(F, F)`, from each node to its parent, node 0 first (Prim 1957)."""
    out: list[tuple[int, int | None]] = [(0, None)]
    best, parent, left = gains[0], np.zeros(len(gains), dtype=np.intp), np.arange(1, len(gains))
    while len(left):
        j = int(left[np.argmax(best[left] >= best[left].max() - ALIKE_GAINS)])  # the first of those that are alike
        out.append((j, int(parent[j])))
        left = left[left != j]
        nearer = gains[j] > best + ALIKE_GAINS
        best, parent = np.where(nearer, gains[j], best), np.where(nearer, j, parent)
    return out
