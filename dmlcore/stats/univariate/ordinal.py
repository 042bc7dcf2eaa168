"""The law of a label on an ordered scale, such as "low", "middle", "high"."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import Domain, OrNone, Proportions, probability, simplex
from dmlcore.base.errors import ParameterError, StructureError, shorten
from dmlcore.base.labels import Vocabulary
from dmlcore.base.marks import holds_mark
from dmlcore.base.numerics import logs
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.powers import HasCdf, HasEntropy, HasMode, HasProbabilities, HasQuantile
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.statistics import Counts
from dmlcore.data.layouts import Labels


class Levels(Domain):
    """Distinct labels in their order, the lowest first."""

    need = "distinct labels, the lowest first"

    def check(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise self.fail(value)
        try:
            levels = tuple(Vocabulary(value))
            distinct = len(set(levels)) == len(levels) > 0
        except TypeError:
            raise self.fail(value) from None
        if not distinct or any(map(holds_mark, levels)):
            raise self.fail(value)
        return levels


class OrdinalDistribution(Distribution, HasMode, HasEntropy, HasProbabilities, HasCdf, HasQuantile):
    """A label x of an ordered scale with probability `p_vec[j]` of `levels[j]`.

    It is a cumulative logit without covariates: `log(P(x <= levels[j]) / P(x > levels[j]))` is the cut point j. What it has beyond a
    categorical follows from the order: `cdf`, `quantile`, `median`.
    levels: the K distinct labels, any hashables, the lowest first. p_vec: their probabilities `(K,)`, which sum to one (within 1e-6, then
    normalised). Other labels have probability zero. Raises `ParameterError` outside these domains.
    """

    levels: Any = parameter(Levels())
    p_vec: np.ndarray = parameter(simplex)
    name: str | None = name()
    keys: str | None = keys()

    kind = Labels

    def validate(self) -> None:
        if len(self.levels) != len(self.p_vec):
            need = f"{len(self.levels)} probabilities, one for each level"
            raise ParameterError(f"OrdinalDistribution: p_vec must be {need}, got {len(self.p_vec)}")

    @cached_property
    def _labels(self) -> Vocabulary:
        return Vocabulary(self.levels)

    def log_densities(self, x: Vocabulary) -> np.ndarray:
        return self._labels.read(x, logs(self.p_vec), -np.inf)

    def mode(self) -> Any:
        return self.levels[int(np.argmax(self.p_vec))]

    def entropy(self) -> float:
        return float(special.entr(self.p_vec).sum())

    def probabilities(self) -> dict[Any, float]:
        """Of each level, in their order."""
        return dict(zip(self.levels, self.p_vec.tolist(), strict=True))

    def cdf(self, x: Any) -> float:
        """The probability of a level of at most `x`, one of the levels."""
        if x not in self._labels:
            raise ParameterError(f"{self.label}: {shorten(x)} is not one of its levels, {list(self.levels)!r}")
        return float(min(self.p_vec[: self.levels.index(x) + 1].sum(), 1.0))

    def quantile(self, q: float) -> Any:
        """The lowest level that the probability `q` is reached at."""
        try:
            level = probability.check(q)
        except ParameterError as error:
            raise ParameterError(f"{self.label}: q {error}") from None
        reached = np.cumsum(self.p_vec) * (1 + 1e-15 * len(self.levels)) >= level
        return self.levels[int(np.argmax(reached)) if reached.any() else int(np.flatnonzero(self.p_vec)[-1])]

    def median(self) -> Any:
        """The level in the middle: half of all are at most that."""
        return self.quantile(0.5)

    def cut_points(self) -> np.ndarray:
        """Log odds `(K - 1,)` of a level of at most each but the highest; infinite where that is certain."""
        below = np.cumsum(self.p_vec)[:-1]
        above = np.cumsum(self.p_vec[::-1])[-2::-1]
        return logs(below) - logs(above)

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        return [self.levels[i] for i in rng.choice(len(self.levels), size, p=self.p_vec).tolist()]

    def expected_statistics(self, count: float) -> Counts:
        return Counts(self._labels, count * self.p_vec)

    def log_likelihood(self, statistics: Any) -> float:
        there = statistics.weights > 0
        return self.log_densities(statistics.values)[..., there] @ statistics.weights[there]

    def explain_zero_density(self, x: Any) -> str:
        return f"{self.label}: {x!r} has probability zero" if x in self._labels else why_no_level(self, x)

    def estimator(self, pseudo_count: Any = None) -> OrdinalEstimator:
        return OrdinalEstimator(self.levels, pseudo_count, None if pseudo_count is None else self.p_vec, self.name, self.keys)


def why_no_level(node: Any, x: Any) -> str:
    """Why a label has density zero."""
    return f"{node.label}: {shorten(x)} has density zero; it needs one of {list(node.levels)!r}"


class OrdinalEstimator(Estimator):
    """Maximum likelihood for labels on an ordered scale: weighted shares of the levels.

    levels: the labels in their order, the lowest first; None: those of all the data that carry weight, sorted, as numbers and text can be.
    pseudo_count=a with suff_stat: a pseudo-observations spread over the levels in proportion to the numbers suff_stat `(K,)` (default:
    evenly). The log prior is `a sum_j suff_stat[j] log p_vec[j]`, suff_stat as shares. Raises `StructureError` for labels that cannot be
    sorted.
    """

    levels: Any = parameter(OrNone(Levels()), default=None)
    pseudo_count: Any = setting()
    suff_stat: Any = parameter(OrNone(Proportions()), default=None)
    name: str | None = name()
    keys: str | None = keys()

    family = OrdinalDistribution
    stacks = True
    labels: ClassVar[Vocabulary | None] = None

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "OrdinalEstimator")
        if self.suff_stat is not None and (self.levels is None or len(self.suff_stat) != len(self.levels)):
            raise ParameterError("OrdinalEstimator: suff_stat must have one number for each of the levels, which must be given")

    def statistics(self, x: Vocabulary, weights: np.ndarray) -> Counts:
        return Counts(x, weights) if self.labels in (None, x) else Counts(self.labels, Counts(x, weights).over(self.labels))

    def _ordered(self, labels: Any) -> Vocabulary:
        if self.levels is not None:
            return Vocabulary(self.levels)
        try:
            return Vocabulary(sorted(labels))
        except TypeError:
            raise StructureError(f"{self.label}: its labels have no order of their own; give levels, the lowest first") from None

    def resolve(self, statistics: Counts) -> Self:
        labels = self._ordered(statistics.weighty())
        (count,), prior = pseudo_counts(self.pseudo_count, 1, "OrdinalEstimator"), None
        if count > 0 and len(labels):
            shares = np.full(len(labels), 1.0 / len(labels)) if self.suff_stat is None else self.suff_stat
            prior = PseudoObservations(Counts(labels, count * shares))
        return self.pinned(labels=labels, prior=prior)

    def estimate(self, statistics: Counts, previous: Any = None) -> OrdinalDistribution:
        labels = self._ordered(statistics.values) if self.labels is None else self.labels
        weights = self.with_prior(statistics).over(labels)
        return self.law(levels=tuple(labels), p_vec=weights / weights.sum(axis=-1, keepdims=True))

    def why_outside_support(self, x: Any) -> str | None:
        if self.levels is None:
            return None
        try:
            return None if x in self.levels else why_no_level(self, x)
        except (TypeError, ValueError):
            return why_no_level(self, x)
