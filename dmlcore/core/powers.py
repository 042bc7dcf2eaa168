"""What a family may be able to do, beside what every one can: small protocols, each a method or two and what it means.

A family says what it can by inheriting the protocols, and writes their methods; whoever needs one asks `has(law, HasQuantile)`. A family of
one's own need not inherit: the methods are enough. What every distribution has (`log_density`, `sample`, `given`, ..) stands in
`dmlcore.core.distribution`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np

from dmlcore.base.records import dataclass


def has(law: Any, power: Any) -> bool:
    """Whether a law can do what a protocol says: it has all of its methods and fields."""
    return all(hasattr(law, name) for name in members(power))


@cache
def members(power: Any) -> tuple[str, ...]:
    """The methods and fields of a protocol, and of those that it is made of."""
    protocols = [base for base in power.__mro__ if base.__module__ == power.__module__]
    named = [name for base in protocols for name in (*base.__dict__, *inspect.get_annotations(base))]
    return tuple(name for name in named if not name.startswith("_"))


# -- single values -----------------------------------------------------------------------------------------------------


class HasMean(Protocol):
    """It has an expectation."""

    def mean(self) -> Any:
        """The expected value; of vectors `(d,)`, of tuples a tuple."""


class HasVariance(Protocol):
    """It has a variance."""

    def variance(self) -> Any:
        """The variance, in squared units of the value; of vectors that of each coordinate `(d,)`, of tuples a tuple."""


class HasMode(Protocol):
    """It has a most probable value."""

    def mode(self) -> Any:
        """The value of highest density or probability; where several have it, one of them."""


class HasEntropy(Protocol):
    """Its entropy has a form."""

    def entropy(self) -> float:
        """The expected value of minus the log density, in nats."""
        raise NotImplementedError


class HasMoments(HasMean, HasVariance, HasMode, HasEntropy, Protocol):
    """A law of numbers or vectors in closed form."""


class HasCdf(Protocol):
    """It has a distribution function."""

    def cdf(self, x: Any) -> Any:
        """The probability of a value of at most `x`; of an array, of each of its numbers."""


class HasQuantile(Protocol):
    """It has quantiles."""

    def quantile(self, q: Any) -> Any:
        """The least value whose `cdf` reaches `q`, a probability; of an array, of each of its numbers. NaN for what is no probability."""


class HasSurvival(Protocol):
    """Its upper tail has a form of its own, which keeps its digits where the distribution function is one."""

    def sf(self, x: Any) -> Any:
        """The probability of a value above `x`; of an array, of each of its numbers."""

    def isf(self, q: Any) -> Any:
        """The least value that is passed with a probability of at most `q`; of an array, of each of its numbers."""


class Univariate(HasMoments, HasCdf, HasQuantile, Protocol):
    """A law of one number in closed form."""


class NumbersWithin(Protocol):
    """A law of one real number of which all that its estimate needs, within an interval, has a form, far out in the tails too."""

    def numbers_within(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log probabilities of intervals `(n,)`, and m numbers that stand for the law in each, in equal shares `(n, m)`."""
        raise NotImplementedError


class OnScale(Protocol):
    """Its values are numbers on a scale, such as times: so many units from an origin."""

    scale: Any

    def number_law(self) -> Any:
        """The law of the number."""

    def mean_and_deviation(self) -> tuple[str, str]:
        """The mean and the standard deviation in words."""
        raise NotImplementedError


class HasProbabilities(Protocol):
    """It is of labels, all of which are known."""

    def probabilities(self) -> dict[Any, float]:
        """Each label with its probability."""
        raise NotImplementedError


class HasTypical(Protocol):
    """Some value may stand for all, where a mode is hard to find or of no use."""

    def typical(self) -> Any:
        """A value that may stand for the law where one must (`dmlcore.core.distribution.typical_of`)."""


class InWords(Protocol):
    """It has words of its own, where its moments or its labels do not say what there is to say (`dmlcore.core.words`)."""

    def in_words(self) -> str:
        """The law in a few words, as one cell of a table."""
        raise NotImplementedError


class JointlyNormal(Protocol):
    """Coordinates (or fields) of it are jointly Gaussian."""

    def normal_of(self, coordinates: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Mean `(k,)` and covariance `(k, k)` of some coordinates. Raises `StructureError` where they are not jointly Gaussian."""
        raise NotImplementedError


# -- what a law is made of ---------------------------------------------------------------------------------------------


class Mixing(Protocol):
    """A mixture whose weights are the same for every observation."""

    components: Sequence[Any]
    w: np.ndarray


class HasClasses(Protocol):
    """Each observation is of one of several classes that are not seen: components, or pairs of them."""

    def prior_given(self, column: Any) -> np.ndarray:
        """Probabilities of the classes before an observation of a column is seen, `(.., n)`."""
        raise NotImplementedError

    def seq_posterior(self, encoded: Any, impossible: str = "error") -> np.ndarray:
        """Posterior probabilities of the classes, `(n, ..)`."""
        raise NotImplementedError


class MayBeMissing(Protocol):
    """Its value may be missing."""

    missing_value: Any

    def value_law(self) -> Any:
        """The law of the value where it is there."""

    def missing_probability(self) -> float | None:
        """The probability that it is missing; None where nothing is said of that."""


class HoldsFixed(Protocol):
    """It stands for another law, which it holds fixed."""

    def held_law(self) -> Any:
        """That law."""


# -- covariates --------------------------------------------------------------------------------------------------------


class Redraws(Protocol):
    """It can be drawn again at the covariates of given observations."""

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        """One draw for each of some observations, with what has no law (covariates, offsets, trials) as it is there; so are lengths of
        lists, and which values are missing, where a law has covariates below these."""
        raise NotImplementedError


class ResponsesWithin(Protocol):
    """A regression of which some responses may be known up to an interval."""

    def forward_within(self, column: Any, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, Any]:
        """Of rows `(n,)` whose response lies between two ends, whatever the column has there: log probabilities `(n,)`, and the tape of
        which its estimator's `backward` takes their statistics."""
        raise NotImplementedError


class WeightsGiven(Protocol):
    """A mixture whose weights depend on covariates."""

    def weights_given(self, z: Any) -> np.ndarray:
        """Mixing weights `(n, K)` at covariates `(n, d)`."""
        raise NotImplementedError


# -- latent states -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exchange:
    """What one permutation moves in a latent node, without a change of the law.

    children: the field that holds the components, or None where they are rows of an array only. arrays: `(field, axis)` of what is
    numbered like them. weights: the share of each, all zero where it depends on the row. more: other fields, from the node and an order.
    """

    children: str | None
    arrays: tuple[tuple[str, int], ...]
    weights: Callable[[Any], np.ndarray]
    more: Callable[[Any, np.ndarray], dict[str, Any]] = lambda node, order: {}


class FollowsStates(Protocol):
    """It goes from one state to the next by one matrix of transitions, and nobody sees the states."""

    w: np.ndarray
    transitions: np.ndarray

    def emission(self, state: int) -> Any:
        """The law of an element in a state."""

    def mean_stays(self) -> np.ndarray:
        """How many steps a stay in each state lasts on average `(S,)`."""
        raise NotImplementedError

    def long_run_shares(self) -> np.ndarray:
        """The share of the steps that each state has in the long run `(S,)`: the stationary probabilities of the transitions."""
        raise NotImplementedError


class Relabels(Protocol):
    """Its states can be numbered in another order."""

    exchanges: tuple[Exchange, ...]
