"""Hidden Markov models that have names of their own in DMLearn, as the general forms that they are here.

Each is a function that returns the model: that is what it prints and saves as, and what a fit returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.stats.combinators.composite import CompositeDistribution, CompositeEstimator
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.combinators.optional import OptionalDistribution, OptionalEstimator
from dmlcore.stats.latent.hidden_markov import HiddenMarkovEstimator, HiddenMarkovModelDistribution
from dmlcore.stats.latent.lookback import LookbackDistribution, LookbackEstimator
from dmlcore.stats.univariate.integer_categorical import IntegerCategoricalDistribution, IntegerCategoricalEstimator

ThreeKeys = tuple[str | None, str | None, str | None]
NO_KEYS: ThreeKeys = (None, None, None)


def IntegerHiddenMarkovModelDistribution(
    pmat: Any,
    w: Any,
    transitions: Any,
    len_dist: Distribution | None = None,
    name: str | None = None,
    keys: ThreeKeys = NO_KEYS,
    terminal_values: Any = None,
) -> HiddenMarkovModelDistribution:
    """A HiddenMarkovModel of whole numbers from 0. pmat: probability of each number in each state `(numbers, S)`."""
    pmat = np.asarray(pmat, dtype=np.float64)
    if pmat.ndim != 2:
        raise ParameterError(f"IntegerHiddenMarkovModelDistribution: pmat must be a matrix, a row a number, got shape {pmat.shape}")
    topics = [IntegerCategoricalDistribution(0, column) for column in pmat.T]
    return HiddenMarkovModelDistribution(topics, w, transitions, None, len_dist, name, keys, terminal_values)  # type: ignore[arg-type]


def IntegerHiddenMarkovEstimator(
    num_words: int,
    num_states: int,
    len_estimator: Estimator | None = None,
    pseudo_count: tuple[Any, Any, Any] = (None, None, None),
    name: str | None = None,
    keys: ThreeKeys = NO_KEYS,
) -> HiddenMarkovEstimator:
    """The estimator of a HiddenMarkovModel of whole numbers from 0 to num_words - 1. pseudo_count: of the first state, of the next after
    each, and of the numbers in each state."""
    state = IntegerCategoricalEstimator(0, num_words - 1, pseudo_count=pseudo_count[2])
    return HiddenMarkovEstimator([state] * num_states, len_estimator, tuple(pseudo_count[:2]), name, keys)  # type: ignore[arg-type]


def LookbackHiddenMarkovDistribution(
    topics: Sequence[Distribution],
    w: Any,
    transitions: Any,
    lag: int = 0,
    init_dist: Sequence[Distribution] | None = None,
    len_dist: Distribution | None = None,
    name: str | None = None,
) -> LookbackDistribution:
    """A Lookback of a HiddenMarkovModel whose states give the first `lag` elements by init_dist, and each further one by topics.

    topics: for each state a law of windows, of x_t and the `lag` elements before it. init_dist: for each state a law of `x[:lag]`; by
    default it says nothing. len_dist: the law of the number of states, `len(x) - lag + 1`.
    """
    first = [NullDistribution()] * len(topics) if init_dist is None else init_dist
    states = [CompositeDistribution((OptionalDistribution(a), OptionalDistribution(b))) for a, b in zip(first, topics, strict=True)]
    return LookbackDistribution(HiddenMarkovModelDistribution(states, w, transitions, None, len_dist), lag, name)  # type: ignore[arg-type]


def LookbackHiddenMarkovEstimator(
    estimators: Sequence[Estimator],
    lag: int = 0,
    init_estimators: Sequence[Estimator] | None = None,
    len_estimator: Estimator | None = None,
    suff_stat: Any = None,
    pseudo_count: tuple[Any, Any] = (None, None),
    name: str | None = None,
    keys: ThreeKeys = NO_KEYS,
) -> LookbackEstimator:
    """The estimator of a Lookback of a HiddenMarkovModel: for each state one of windows, and one of first elements. pseudo_count and keys
    are those of `HiddenMarkovEstimator`; suff_stat is of no effect."""
    first = [NullEstimator()] * len(estimators) if init_estimators is None else init_estimators
    states = [CompositeEstimator((OptionalEstimator(a), OptionalEstimator(b))) for a, b in zip(first, estimators, strict=True)]
    return LookbackEstimator(HiddenMarkovEstimator(states, len_estimator, pseudo_count, keys=keys), lag, name)  # type: ignore[arg-type]
