"""Laws of numbers of which some values have a probability of their own, beside others that have a density: many zeros, a limit, a code."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.records import dataclass
from dmlcore.core.powers import HasMean, HasVariance, Mixing, has
from dmlcore.core.words import mean_and_deviation, percent
from dmlcore.data.layouts import AnyKind, Labels
from dmlcore.stats.latent.mixture import MixtureDistribution


@dataclass(frozen=True)
class Spiked:
    """spikes: value -> its probability. laws, shares: of the other values."""

    spikes: dict[float, float]
    laws: list[Any]
    shares: np.ndarray

    def in_words(self) -> str:
        """Each spike with its probability, and the mean ± standard deviation of the others."""
        said = [f"{value:g}\u00a0{percent(share)}" for value, share in sorted(self.spikes.items()) if share >= 5e-4]
        if self.shares.sum() >= 5e-4:
            w = self.shares / self.shares.sum()
            means, variances = (np.array([float(getattr(law, what)()) for law in self.laws]) for what in ("mean", "variance"))
            mean = float(w @ means)
            said.append(f"{'else ' * bool(said)}{mean_and_deviation(mean, float(w @ (variances + (means - mean) ** 2)) ** 0.5)}")
        return ", ".join(said)

    def others(self) -> Any:
        """The law of the other values; None where their laws are of several kinds."""
        if not self.laws or self.shares.sum() <= 0 or not all(type(law.layout) is type(self.laws[0].layout) for law in self.laws):
            return None
        return MixtureDistribution(self.laws, self.shares / self.shares.sum()) if len(self.laws) > 1 else self.laws[0]


def spiked(law: Any) -> Spiked | None:
    """A law of numbers of several kinds, taken apart; None of other laws, and where a part has no mean and variance."""
    if not isinstance(law.layout, AnyKind) or not has(law, Mixing):
        return None
    spikes: dict[float, float] = {}
    others = []
    for part, share in _parts(law, 1.0):
        if not (has(part, HasMean) and has(part, HasVariance)) or Labels in part.layout.kinds():
            return None
        if float(part.variance()) == 0:
            spikes[float(part.mean())] = spikes.get(float(part.mean()), 0.0) + share
        else:
            others.append((part, share))
    return Spiked(spikes, [part for part, _ in others], np.array([share for _, share in others]))


def _parts(law: Any, share: float) -> Any:
    if not has(law, Mixing):
        yield law, share
        return
    for part, w in zip(law.components, law.w, strict=True):
        yield from _parts(part, share * float(w))
