"""How well a family predicts cells of a column that it did not see: alone, and in a small mixture of itself.

A column of a mixture is a mixture of its family, so that the right one may not fit alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.base.records import dataclass
from dmlcore.core.scoring import log_densities
from dmlcore.data.encoded import Encoded, encode
from dmlcore.fitting.drivers import UNSOUND
from dmlcore.fitting.fit import fit
from dmlcore.proposal.candidates import Alternative
from dmlcore.stats import MixtureEstimator

COMPONENTS = 3  # of the mixtures of one family
JUDGING_STEPS = 30  # of EM: what is left to gain then does not matter
JUDGING_GAIN = 1e-4  # nats per row: EM ends where a step gains less
GAIN = 5e-4  # nats per row for which one component more is worth a look
BEHIND = {1: 5.0, 2: 1.0}  # by components: nats per row behind the best, from which on a family does not come back with one more
LEAST_SHARE = 1e-12  # a probability that a difference of two still shows


@dataclass(frozen=True)
class Judged:
    """A family, and the log density of each cell under the fit to the others `(n,)`, with so many components as predict best; and what the
    cells count."""

    family: Alternative
    components: int
    logs: np.ndarray
    weights: np.ndarray

    @property
    def held_out(self) -> float:
        """Log likelihood per row."""
        return float(np.average(self.logs, weights=self.weights))

    @property
    def parameters(self) -> int:
        """Of the mixture."""
        return mixed_parameters(self.family, self.components)


def mixed_parameters(family: Alternative, components: int) -> int:
    """The number of parameters of a mixture of so many laws of a family."""
    return components * (family.parameters + 1) - 1


def judge(values: Any, families: list[Alternative], rng: np.random.Generator, weights: np.ndarray) -> list[Judged]:
    """Each family at its best, in their order; those that give some cell no density are left out. weights: what each cell counts."""
    halves = np.array_split(rng.permutation(len(values)), 2)
    data: dict[Any, list[Encoded]] = {}
    best: dict[int, Judged] = {}
    looked_at = list(range(len(families)))
    most = min((one.parameters for one in families if one.table), default=np.inf)
    for k in range(1, COMPONENTS + 1):
        after = []
        for j in looked_at:
            if k > 1 and (families[j].table or mixed_parameters(families[j], k) >= most):
                continue  # the table is a mixture of such, with no more parameters
            layout = families[j].estimator.layout
            if layout not in data:
                data[layout] = [encode(_taken(values, half), layout) for half in halves]
            found = Judged(families[j], k, _cross_fitted(families[j], k, data[layout], values, halves, weights), weights)
            before = best.get(j)
            if before is None or found.held_out > before.held_out + GAIN:
                best[j] = found
                after.append(j)
        top = max(one.held_out for one in best.values())
        looked_at = [j for j in after if k in BEHIND and best[j].held_out > top - BEHIND[k]] if not isinstance(values, list) else []
    return [one for j, one in sorted(best.items()) if one.held_out > -np.inf]


def _cross_fitted(
    family: Alternative, k: int, data: list[Encoded], values: Any, halves: list[np.ndarray], weights: np.ndarray
) -> np.ndarray:
    """The log densities of each half under the fit to the other; -inf where there is none that counts."""
    logs = np.full(len(values), -np.inf)
    for seen, other in ((0, 1), (1, 0)):
        model = _fitted(family, k, data[seen], _taken(values, halves[seen]), weights[halves[seen]])
        if model is None:
            return np.full(len(values), -np.inf)
        x, found = _taken(values, halves[other]), log_densities(model, data[other], 1)
        logs[halves[other]] = _of_intervals(model, x, found) if family.density else found
    return logs


def _of_intervals(model: Any, x: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Log probabilities of the intervals of length one around whole numbers; log densities far out, where differences lose their digits."""
    share = model.cdf(x + 0.5) - model.cdf(x - 0.5)
    return np.where(share > LEAST_SHARE, np.log(np.maximum(share, LEAST_SHARE)), np.minimum(logs, np.log(LEAST_SHARE)))


def _fitted(family: Alternative, k: int, data: Encoded, values: Any, weights: np.ndarray) -> Any:
    """A mixture of k, begun from the values cut into k parts by their order; None where it is degenerate or cannot be fitted."""
    options: dict[str, Any] = {"max_its": JUDGING_STEPS, "threads": 1, "rng": 0, "weights": weights}
    estimator = family.estimator if k == 1 else MixtureEstimator([family.estimator] * k)
    if k > 1:
        cuts = np.unique(np.quantile(values, np.arange(1, k) / k))
        options |= {"start": np.searchsorted(cuts, values, side="right"), "delta": JUDGING_GAIN * weights.sum()}
    elif estimator.is_mixture:  # of spikes and a law
        options |= {"init_p": 1.0, "delta": JUDGING_GAIN * weights.sum()}
    try:
        found = fit(data, estimator, **options)
    except OUTSIDE_DOMAIN:
        return None
    return None if found.status in UNSOUND else found.model


def _taken(values: Any, rows: np.ndarray) -> Any:
    return values[rows] if isinstance(values, np.ndarray) else [values[i] for i in rows.tolist()]


def best_of_the_simplest(judged: list[Judged]) -> int:
    """The place of the family chosen: of those that cannot be told from the best, the one with fewest parameters, then the first.

    Two cannot be told apart where they differ by less than the standard error of the difference.
    """
    top = max(judged, key=lambda one: one.held_out)
    w = top.weights

    def close(one: Judged) -> bool:
        difference = top.logs - one.logs
        mean = np.average(difference, weights=w)
        return bool(mean <= np.sqrt(w**2 @ (difference - mean) ** 2) / w.sum())

    return min((j for j, one in enumerate(judged) if close(one)), key=lambda j: judged[j].parameters)
