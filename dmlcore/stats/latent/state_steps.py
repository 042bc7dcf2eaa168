"""How the states of a hidden chain follow each other: by one matrix in all steps, or by matrices that covariates of the steps decide."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.core.walk import scattered
from dmlcore.stats.latent.stationary import stationary


class ChainSteps:
    """The steps of lists into their elements, of so many kinds (Q): steps of one kind have the same transitions.

    which: the kind of the step into each element `(N,)`; where all are of one kind, nobody looks at it. z: the covariates of each kind
    `(Q, d)`, if any decide it. What is said of the first element of a list, into which no step leads, is not used.
    """

    __slots__ = ("kinds", "which", "z")

    def __init__(self, kinds: int, which: np.ndarray, z: Any = None):
        self.kinds, self.which, self.z = kinds, which, z

    def kind(self, t: int) -> int:
        """The kind of the step into element t."""
        return 0 if self.kinds == 1 else int(self.which[t])

    def into(self, P: np.ndarray, start: int, stop: int) -> np.ndarray:
        """The matrices that lead into elements `start` to `stop`, of those of the kinds `(.., Q, S, S)`: `(.., stop - start, S, S)`."""
        if self.kinds == 1:
            return np.broadcast_to(P, (*P.shape[:-3], stop - start, *P.shape[-2:]))
        return P[..., self.which[start:stop], :, :]

    def onward(self, P: np.ndarray, now: np.ndarray) -> np.ndarray:
        """Probabilities of the states at all elements but the first, from those at the element before `(.., S, N)`."""
        now, N = now[..., :-1], now.shape[-1]
        if self.kinds == 1:
            return np.asarray(P[..., 0, :, :].swapaxes(-1, -2) @ now)
        return np.einsum("...nij,...in->...jn", self.into(P, 1, N), now)

    def pair_sums(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Sums over the steps of each kind of `before[i, t - 1] after[j, t]`, both `(.., S, N)`: `(.., Q, S, S)`."""
        before, after = before[..., :-1], after[..., 1:]
        if self.kinds == 1:
            return np.asarray(before @ after.swapaxes(-1, -2))[..., None, :, :]
        S = before.shape[-2]
        out = np.empty((*before.shape[:-2], self.kinds, S, S))
        for i in range(S):
            out[..., i, :] = scattered(before[..., i, None, :] * after, self.which[1:], self.kinds).swapaxes(-1, -2)
        return out


ONE_KIND = ChainSteps(1, np.zeros(0, dtype=np.int64))


class OneMatrix:
    """What follows what does not depend on the step: an element is what the states' laws describe."""

    def read(self, flat: Any) -> tuple[Any, ChainSteps]:
        """What the states' laws read of elements, and the steps into these."""
        return flat, ONE_KIND

    def observed(self, element: Any) -> Any:
        """What the states' laws describe of one element."""
        return element


class LongRun:
    """What one matrix of transitions says of stays in states and of their shares."""

    def mean_stays(self: Any) -> np.ndarray:
        """How many steps a stay in each state lasts on average `(S,)`: `1 / (1 - transitions[s, s])`; inf where it is never left."""
        leaving = 1.0 - np.diagonal(self.transitions)
        return np.divide(1.0, leaving, out=np.full(len(leaving), np.inf), where=leaving > 0)

    def long_run_shares(self: Any) -> np.ndarray:
        """The share of the steps that each state has in the long run `(S,)`: the stationary probabilities of the transitions; one of them,
        where there are several."""
        return stationary(self.transitions)


class ByCovariates:
    """An element is (z, x): z decides how likely each state is after each, x is what the states' laws describe."""

    def read(self, flat: Any) -> tuple[Any, ChainSteps]:
        """What the states' laws read of elements, and the steps into these."""
        return flat.fields[1], flat.kept(steps_of, lambda: steps_of(flat.fields[0].x))

    def observed(self, element: Any) -> Any:
        """What the states' laws describe of one element."""
        return element[1]


class ByLinks(OneMatrix):
    """An element is (link, x): the link says after which element of its list it comes, x is what the states' laws describe."""

    def read(self, flat: Any) -> tuple[Any, ChainSteps]:
        """What the states' laws read of elements, and the steps into these."""
        return flat.fields[1], ONE_KIND

    def observed(self, element: Any) -> Any:
        """What the states' laws describe of one element."""
        return element[1]


def steps_of(z: np.ndarray) -> ChainSteps:
    """Steps at covariates `(N, d)`: those at equal ones are of one kind, unless few are equal."""
    N = len(z)
    if not z.shape[1]:
        return ChainSteps(1, ONE_KIND.which, np.zeros((1, 0)))
    values, which = np.unique(z, axis=0, return_inverse=True)
    if 2 * len(values) > N:
        return ChainSteps(N, np.arange(N), z)
    return ChainSteps(len(values), which.reshape(-1).astype(np.int64), values)
