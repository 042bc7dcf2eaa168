"""Parameters that several regressions share: a node of its own below each of them, and how it is estimated.

Regressions name what they share by keys (`tied`). Each sends this node its statistics beside its own; the places are kept apart,
as the best shared values depend on what each regression can still choose for itself. A step solves for all at once: what is a
regression's own is eliminated (a Schur complement), what is shared is solved for, and each regression then takes its own step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from dmlcore.base.domains import positive, real
from dmlcore.base.errors import KeyClashError, StructureError
from dmlcore.base.labels import LabelMap, shared_vocabulary
from dmlcore.base.records import dataclass
from dmlcore.core.declared import name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.data.layouts import Anything
from dmlcore.stats.regression.glm.coefficients import Named
from dmlcore.stats.regression.glm.scoring import pseudo_solved, shortened, whitening


class CommonParametersDistribution(Distribution):
    """Numbers that several regressions share, by key; no law of any observation.

    coef: shared intercepts and coefficients, reals. scale: shared variances, shapes or dispersions, positive. Raises `ParameterError`
    outside these domains.
    """

    coef: Any = parameter(Named(real), default=None)
    scale: Any = parameter(Named(positive), default=None)
    name: str | None = name()

    kind = Anything
    undetermined: ClassVar[np.ndarray | None] = None  # which of the coefficients a fit could not determine

    def numbers(self, field: str) -> dict[str, Any]:
        """The shared numbers of a field by key; of a stack, arrays of its shape."""
        table = self.stored(field)
        return {key: table.values_array[..., i][()] for i, key in enumerate(table.labels)}

    def estimator(self, pseudo_count: Any = None) -> CommonParametersEstimator:
        return CommonParametersEstimator(self.name)

    def draw(self, size: int, rng: np.random.Generator) -> Any:
        raise StructureError(f"{self.label}: shared parameters are no law; sample the regressions that share them")


class Share(NamedTuple):
    """What one regression adds: its statistics, its estimator, and the law they were taken at (None: none yet)."""

    statistics: Any
    estimator: Any
    law: Any

    def __add__(self, other: Any) -> Share:
        law = self.law if other.law is None else other.law  # of a stream's batches, that of the later one
        return Share(self.statistics + other.statistics, self.estimator, law)


@dataclass(frozen=True)
class Contributions:
    """Statistics of the regressions that share parameters, each in its place."""

    by_place: dict[Any, Share]

    @property
    def count(self) -> Any:
        """The weight of all rows, of each regression."""
        return sum(share.statistics.count for share in self.by_place.values())

    @property
    def local(self) -> bool:
        """Whether they hold at one law alone."""
        return any(getattr(share.statistics, "local", False) for share in self.by_place.values())

    def __add__(self, other: Contributions) -> Contributions:
        places = dict(self.by_place)
        for place, share in other.by_place.items():
            places[place] = places[place] + share if place in places else share
        return Contributions(places)

    def scaled(self, factor: float) -> Contributions:
        """As if every weight had been multiplied."""
        return Contributions({place: share._replace(statistics=share.statistics.scaled(factor)) for place, share in self.by_place.items()})

    def __iter__(self) -> Iterator[Share]:
        return (share for share in self.by_place.values() if np.any(share.statistics.count > 0))


class CommonParametersEstimator(Estimator):
    """Maximum likelihood for what regressions share. It has no settings: the regressions' `tied` say what is shared."""

    name: str | None = name()

    family = CommonParametersDistribution
    bounded = stacks = True
    closed_form: ClassVar[bool] = False
    coupled: ClassVar[bool] = True
    whiten: ClassVar[Any] = None

    def resolve(self, statistics: Contributions) -> Self:
        families: dict[str, type] = {}
        for share in statistics:
            family = families.setdefault(share.estimator.scale_key, type(share.estimator))
            if share.estimator.scale_key is not None and family is not type(share.estimator):
                raise KeyClashError(
                    f"key {share.estimator.scale_key!r} ties a scale of {family.__name__} to one of {type(share.estimator).__name__}"
                )
        keys = shared_keys(statistics)
        if not keys or not statistics.count > 0:
            return self
        matrix = np.zeros((len(keys), len(keys)))
        for share in statistics:
            frame, chosen = share.estimator.frame_of(share.statistics), share.estimator.chosen(keys)
            matrix += chosen.T @ frame.relative[np.ix_(frame.others, frame.others)] @ chosen
        return self.pinned(whiten=whitening(matrix))

    def estimate(self, statistics: Contributions, previous: Any = None) -> CommonParametersDistribution:
        keys, before = shared_keys(statistics), known_before(statistics, previous, "coef")
        coef = {key: before.get(key, 0.0 * statistics.count) for key in keys}
        undetermined = None
        if keys:
            change, undetermined = self._step(statistics, keys, self._shared(coef, {}), previous is None)
            coef = {key: coef[key] + change[..., j] for j, key in enumerate(keys)}
        law = self._shared(coef, self._scales(statistics, coef, previous))
        return law if undetermined is None else law.pinned(undetermined=undetermined)

    def _shared(self, coef: dict[str, Any], scale: dict[str, Any]) -> Any:
        """The law of shared numbers, by key."""
        tables = (LabelMap(shared_vocabulary(tuple(t)), np.stack(list(t.values()), axis=-1) if t else np.zeros(0)) for t in (coef, scale))
        return self.law(**dict(zip(("coef", "scale"), tables, strict=True)))

    def _step(self, statistics: Contributions, keys: list[str], base: Any, first: bool) -> tuple[np.ndarray, np.ndarray | None]:
        m = len(keys)
        matrix, gradient, floor = np.zeros((m, m)), np.zeros(m), 0.0
        level: Any = 0.0
        strides = (
            []
            if first
            else [share.estimator.stride(share.statistics, share.law) for share in statistics if not share.estimator.closed_form]
        )
        for share in statistics:
            e = share.estimator
            chosen, floor = e.chosen(keys), max(floor, e.shape_floor)
            equations = e.pinned(shared=base).equations(share.statistics, share.law)
            if equations is not None:
                matrix = matrix + chosen.T @ equations[0] @ chosen
                gradient = gradient + equations[1] @ chosen
                level = level + equations[2]
        said = np.asarray(level > 0)
        change, missed = pseudo_solved(matrix, gradient, self.whiten, np.where(said, level, 1.0), floor)
        stride = np.minimum.reduce(strides) if strides else None
        change = change * np.asarray(shortened(change, matrix, np.where(said, level, 1.0), stride))[..., None]
        change = np.where(said[..., None], change, 0.0)
        if missed is None:
            return change, None if said.all() else np.broadcast_to(~said[..., None], change.shape)
        most = np.abs(missed).argmax(axis=-2)[..., None] == np.arange(m)
        there = np.abs(missed).max(axis=-2)[..., None] > 0
        return change, (most & there).any(axis=-2) | ~said[..., None]

    def _scales(self, statistics: Contributions, coef: dict[str, float], previous: Any) -> dict[str, float]:
        now = self._shared(coef, {})
        sums: dict[str, Any] = {}
        sharing: dict[str, list[Share]] = {}
        for share in statistics:
            key = share.estimator.scale_key
            if key is not None:
                moved = share.estimator.pinned(shared=now).moved(share.statistics, share.law)
                own = share.estimator.scale_sums(share.statistics, *moved[:2])
                sums[key] = sums[key] + own if key in sums else own
                sharing.setdefault(key, []).append(share)
        named = {share.estimator.scale_key for share in statistics.by_place.values()}
        scales = {key: value for key, value in known_before(statistics, previous, "scale").items() if key in named}
        for key, shares in sharing.items():
            widest = max(shares, key=lambda share: share.estimator.floor)
            scales[key] = widest.estimator.scale_from(sums[key], widest.law)
        return scales

    def degenerate(self, distribution: Any) -> str | None:
        which = distribution.undetermined
        if which is None or not which.any():
            return None
        which = which.reshape(-1, which.shape[-1]).any(axis=0)
        keys = [key for key, missed in zip(distribution.numbers("coef"), which, strict=True) if missed]
        return f"{self.label}: the rows do not determine {', '.join(map(repr, keys))}; ridge would"


def shared_keys(statistics: Contributions) -> list[str]:
    """The keys of shared coefficients, in order."""
    return sorted({key for share in statistics.by_place.values() for key in share.estimator.coef_keys})


def known_before(statistics: Contributions, previous: Any, field: str) -> dict[str, float]:
    """Shared numbers as they were; a law that was fitted apart, without some of the others, may bring those it knows."""
    laws = [share.law.common for share in statistics.by_place.values() if share.law is not None]
    return {key: value for law in (*laws, previous) if law is not None for key, value in law.numbers(field).items()}
