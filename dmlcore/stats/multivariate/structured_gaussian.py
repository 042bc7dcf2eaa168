"""The Gaussian law of a vector whose covariance has a volume, a shape and an orientation, which components of a mixture may share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import SETTING, Domain, positive, vector
from dmlcore.base.errors import DegenerateError, ParameterError, StructureError
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.estimator import REMEDY, pseudo_counts
from dmlcore.core.statistics import Scatter
from dmlcore.core.together import Member
from dmlcore.stats.multivariate.covariance_structures import (
    COVARIANCE_STRUCTURES,
    PARTS,
    Axes,
    Decomposed,
    Structure,
    UnitProduct,
    check_structure,
    maximal,
)
from dmlcore.stats.multivariate.multivariate_gaussian import (
    AT_FLOOR,
    GaussianVectorDistribution,
    GaussianVectorEstimator,
    least_eigenvalue,
    regular_factor,
)
from dmlcore.stats.multivariate.partial_vectors import FromGaps, WithGaps
from dmlcore.stats.multivariate.vectors import Dimension
from dmlcore.stats.univariate.moments import VARIANCE_FLOOR, or_nearly, posterior_moments

WITHOUT_SHAPE = {"shape": 1, "orientation": 2}  # parts that may be those of the identity, and the place of their letter


class StructuredGaussianDistribution(GaussianVectorDistribution):
    """A vector of d reals, Gaussian with mean mu and covariance `volume orientation diag(shape) orientation'`.

    mu: the mean `(d,)`, in the units of each coordinate. volume: positive, the d-th root of the determinant of the covariance. shape:
    positive `(d,)`, with product one, the variances along the axes relative to the volume. orientation: orthogonal `(d, d)`, its columns
    are the axes; their signs mean nothing. structure: three letters on volume, shape and orientation, as of the estimator: I says that
    this part is that of the identity, and E that the components of a mixture have it in common, so that it counts once.
    Raises `ParameterError` outside these domains.
    """

    mu: np.ndarray = parameter(vector)
    volume: float = parameter(positive)
    shape: np.ndarray = parameter(UnitProduct())
    orientation: np.ndarray = parameter(Axes())
    structure: str = parameter(Structure(), default="VVV")
    name: str | None = name()
    keys: str | None = keys()

    def check_parts(self) -> None:
        check_no_parts(self)

    def validate(self) -> None:
        check_structure(self)

    @cached_property
    def covar(self) -> np.ndarray:
        """The covariance `(d, d)`."""
        roots = self.orientation * np.sqrt(self.shape)[..., None, :]
        return np.asarray(self.volume)[..., None, None] * (roots @ roots.swapaxes(-1, -2))

    @property
    def among_alternatives(self) -> tuple[str, ...]:
        return shared_parts(self.structure)

    def parameters(self) -> Iterator[tuple[str, Domain, Any]]:
        for field, domain, value in super().parameters():
            given = field in WITHOUT_SHAPE and self.structure[WITHOUT_SHAPE[field]] == "I"
            yield field, SETTING if given else domain, value

    def estimator(self, pseudo_count: Any = None) -> StructuredGaussianEstimator:
        if pseudo_count is None:
            return self.estimator_family(self.dim, self.structure, name=self.name, keys=self.keys)  # type: ignore[no-any-return]
        counts = pseudo_counts(pseudo_count, 2, type(self).__name__)
        return self.estimator_family(  # type: ignore[no-any-return]
            self.dim, self.structure, counts, (self.mu, self.covar), self.name, self.keys
        )


class StructuredGaussianEstimator(GaussianVectorEstimator):
    """Maximum likelihood for a Gaussian whose covariance has one of the fourteen structures of mclust.

    dim: the length of the vectors (None: that of the data). structure: three letters on volume, shape and orientation: E if the components
    of a mixture have it in common, V if each has its own, I if it is that of the identity; or "spherical" (VII), "diagonal" (VVI), "tied"
    (EEE) or "full" (VVV). What is in common is so among the components (or topics, or states) of the mixture, or the labels of the
    conditional law, that is next above; alone, or in a joint mixture, each has its own.
    pseudo_count and suff_stat are as of `MultivariateGaussianEstimator`.
    No variance along an axis comes from less than `VARIANCE_FLOOR` times the least of all the data. Raises `DegenerateError` where all
    the data lie in a plane (of structures without orientation: a coordinate is constant) and there is no prior.
    """

    dim: int | None = parameter(Dimension(), default=None)
    structure: str = parameter(Structure(), default="VVV")
    pseudo_count: Any = setting((None, None))
    suff_stat: Any = setting((None, None))
    name: str | None = name()
    keys: str | None = keys()

    family = StructuredGaussianDistribution
    stacks = True
    structures: ClassVar[tuple[str, ...]] = COVARIANCE_STRUCTURES
    """All fourteen, to choose among."""
    floor: ClassVar[Any] = 0.0  # of variances along the axes

    def check_parts(self) -> None:
        check_no_parts(self)

    def with_gaps(self, allow: Any) -> Any:
        return PartialStructuredGaussianEstimator(**self.fields())

    @property
    def among_alternatives(self) -> tuple[str, ...]:
        return shared_parts(self.structure)

    def resolve(self, statistics: Scatter) -> Self:
        out = super().resolve(statistics)
        if not (statistics.count > 0 or out.has_prior):
            return out
        _, covar = posterior_moments(out, statistics)
        if self.structure[2] == "I":
            return out.pinned(floor=VARIANCE_FLOOR * np.diag(covar))
        return out.pinned(floor=0.0 if out.pooled is None else VARIANCE_FLOOR * least_eigenvalue(covar))

    def estimate(self, statistics: Scatter, previous: Any = None) -> Any:
        both = self.with_prior(statistics)
        start = None if previous is None else _decomposed([previous])
        return self._laws(both.mean[..., None, :], both.m2[..., None, :, :], np.asarray(both.count)[..., None], start)[0]

    def estimate_together(self, members: list[Member]) -> list[Any]:
        if any(m.estimator.structure != self.structure for m in members):
            raise StructureError(f"{self.label}: components of one mixture need one structure, got another beside {self.structure}")
        each = [m.estimator.with_prior(m.statistics) for m in members]
        known = all(m.previous is not None and m.previous.structure == self.structure for m in members)
        start = _decomposed([m.previous for m in members]) if known else None
        mean, m2 = np.stack([one.mean for one in each], axis=-2), np.stack([one.m2 for one in each], axis=-3)
        return self._laws(mean, m2, np.stack([np.asarray(one.count) for one in each], axis=-1), start)

    def _laws(self, mean: np.ndarray, m2: np.ndarray, count: np.ndarray, start: Decomposed | None) -> list[Any]:
        self._check_regular(mean, m2, count)
        found = maximal((m2 + m2.swapaxes(-1, -2)) / 2, count, self.structure, self.floor, start)
        if not np.isfinite(found.volume).all() or not (found.volume > 0).all():
            raise DegenerateError(f"{self.label}: its covariance has no maximum; {REMEDY}")
        return [
            self.law(
                mu=mean[..., k, :],
                volume=found.volume[..., k][()],
                shape=np.array(found.shape[..., k, :]),
                orientation=np.array(found.orientation[..., k, :, :]),
                structure=self.structure,
            )
            for k in range(count.shape[-1])
        ]

    def _check_regular(self, mean: np.ndarray, m2: np.ndarray, count: np.ndarray) -> None:
        """Raises `DegenerateError` where no floor holds the covariance above zero, and one is singular."""
        if np.all(np.asarray(self.floor) > 0):
            return
        d = mean.shape[-1]
        for one, spread in zip(mean.reshape(-1, d), (m2 / np.maximum(count, 1e-300)[..., None, None]).reshape(-1, d, d), strict=True):
            if self.structure[2] == "I":
                flat = np.flatnonzero(~(np.diag(spread) > 0))
                constant = f"coordinate {', '.join(map(str, flat))} is constant{or_nearly(one[flat])}"
                trouble = constant if len(flat) == d or (len(flat) and self.structure[1] != "I") else ""
            else:
                trouble = regular_factor(one, spread)[1]
            if trouble:
                raise DegenerateError(f"{self.label}: {trouble}; {REMEDY}")

    def min_relative_variance(self, distribution: Any) -> Any:
        if self.structure[2] != "I":
            return super().min_relative_variance(distribution)
        variances = np.einsum("...ii->...i", distribution.covar)
        known = np.asarray(self.floor) > 0
        return np.where(known, variances / np.where(known, self.floor, 1.0) * VARIANCE_FLOOR, 1.0).min(axis=-1)[()]

    def degenerate(self, distribution: Any) -> str | None:
        variances = np.asarray(distribution.volume)[..., None] * distribution.shape
        if not np.any((variances <= AT_FLOOR * np.asarray(self.floor)) & (np.asarray(self.floor) > 0)):
            return None
        return f"{self.label} sits in a plane (a variance is at its floor); its density there is unbounded"


class PartialStructuredGaussianDistribution(WithGaps, StructuredGaussianDistribution):
    """As `StructuredGaussianDistribution`, of vectors some of whose coordinates may not have been observed.

    The log density of a vector is that of its known coordinates; what goes missing is not modelled, and should not depend on the missing
    values (missing at random, Rubin 1976). Parameters are as there. Draws are complete.
    """


class PartialStructuredGaussianEstimator(FromGaps, StructuredGaussianEstimator):
    """Maximum likelihood for a Gaussian of structured covariance from all coordinates that were observed, by EM.

    A step maximises, or goes up, for the expected moments of vectors, as `StructuredGaussianEstimator` does for those of complete ones.
    Arguments, priors and floors are as there.
    """

    family = PartialStructuredGaussianDistribution
    stacks = True


def shared_parts(structure: str) -> tuple[str, ...]:
    """The parts that a structure's components have in common."""
    return tuple(part for part, letter in zip(PARTS, structure, strict=True) if letter == "E")


def check_no_parts(node: Any) -> None:
    """Raises `ParameterError` where single parameters are tied or held beside a structure."""
    if node.tied or node.held:
        raise ParameterError(f"{type(node).__name__}: its structure says what is tied or held")


def _decomposed(laws: list[Any]) -> Decomposed:
    return Decomposed(
        np.stack([np.asarray(law.volume) for law in laws], axis=-1),
        np.stack([law.shape for law in laws], axis=-2),
        np.stack([law.orientation for law in laws], axis=-3),
    )
