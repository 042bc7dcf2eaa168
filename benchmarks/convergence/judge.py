"""Is an optimum one of the model, or a spurious one? The rule, for models of every system alike.

The likelihood of a Gaussian mixture is unbounded, and on few rows its surface has many high local maxima at components fitted to a few
rows that lie almost in a plane by chance (McLachlan and Peel 2000, section 3.10). Such an optimum is *spurious* here if some Gaussian
in the model

- holds fewer rows (by posterior weight; weight times rows) than it has free numbers, `d + d (d + 1) / 2`, or fewer than `LEAST`; or
- has, in some direction, a variance below `FLAT` of that of all Gaussians at the same place of the model taken together.

At an optimum the latter are the moments of the data (law of total variance), so this is the smallest eigenvalue of a covariance against
the data's: it does not depend on units, or on linear maps of the data. `FLAT` is a standard deviation of 3% of the data's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

LEAST = 5.0  # rows under a Gaussian, if it has fewer free numbers
FLAT = 1e-3  # of the data's variance in any direction


@dataclass(frozen=True)
class Held:
    """A Gaussian of a model. place: where it stands, which component aside. share: of the rows, by the weights above it."""

    place: str
    share: float
    mean: np.ndarray
    covariance: np.ndarray


def gaussians(model: Any, share: float = 1.0, place: str = "") -> Iterator[Held]:
    """All Gaussians of a distribution with the share of rows that each holds; in sequences, of rows and not of elements."""
    kind = type(model).__name__.removesuffix("Distribution")
    if kind in ("Gaussian", "LogGaussian"):
        yield Held(place + kind, share, np.array([model.mu], dtype=float), np.array([[model.sigma2]], dtype=float))
    elif kind == "MultivariateGaussian":
        yield Held(place + kind, share, np.array(model.mu, dtype=float), np.array(model.covar, dtype=float))
    elif kind in ("Mixture", "HeterogeneousMixture"):
        for w, component in zip(model.w, model.components, strict=True):
            yield from gaussians(component, share * float(w), place)
    elif kind == "HierarchicalMixture":
        for w, topic in zip(np.asarray(model.w) @ np.asarray(model.taus), model.topics, strict=True):
            yield from gaussians(topic, share * float(w), place)
    elif kind == "JointMixture":
        for side, parts, weights in (("x.", model.components1, model.w1), ("y.", model.components2, model.w2)):
            for w, component in zip(weights, parts, strict=True):
                yield from gaussians(component, share * float(w), place + side)
    elif kind == "Composite":
        for i, part in enumerate(model.dists):
            yield from gaussians(part, share, f"{place}{i}.")
    elif kind == "Sequence":
        yield from gaussians(model.dist, share, place)


def measures(held: list[Held], rows: int) -> tuple[float, float]:
    """Over all Gaussians: the fewest rows, in multiples of those needed, and the least variance relative to the data's."""
    fewest = flattest = np.inf
    for place in {one.place for one in held}:
        here = [one for one in held if one.place == place]
        shares = np.array([one.share for one in here]) / sum(one.share for one in here)
        middle = sum(w * one.mean for w, one in zip(shares, here, strict=True))
        whole = sum(w * (one.covariance + np.outer(one.mean - middle, one.mean - middle)) for w, one in zip(shares, here, strict=True))
        inverse = np.linalg.inv(np.linalg.cholesky(whole))
        for one in here:
            d = len(one.mean)
            fewest = min(fewest, rows * one.share / max(LEAST, d + d * (d + 1) / 2))
            flattest = min(flattest, float(np.linalg.eigvalsh(inverse @ one.covariance @ inverse.T)[0]))
    return float(fewest), float(flattest)


def spurious(model: Any, rows: int) -> bool:
    """Whether the rule above calls an optimum spurious; models without Gaussians never are."""
    fewest, flattest = measures(list(gaussians(model)), rows)
    return fewest < 1 or flattest < FLAT
