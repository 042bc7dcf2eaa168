"""The families that are considered for a column, by what it holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dmlcore.core.estimator import Estimator
from dmlcore.data.layouts import Real
from dmlcore.proposal.kinds import Contents, commonest
from dmlcore.stats import (
    BinomialEstimator,
    CategoricalEstimator,
    ExponentialEstimator,
    GammaEstimator,
    GaussianEstimator,
    GeometricEstimator,
    HeterogeneousMixtureEstimator,
    IntegerCategoricalEstimator,
    LogGaussianEstimator,
    NegativeBinomialEstimator,
    PoissonEstimator,
)

SPIKE = 0.02  # the share of cells from which on one value among real ones is a spike
WIDE = 30  # whole numbers with a range from here on may follow the law of a real
WIDEST_TABLE = 100  # the widest range of a table of whole numbers
PER_ENTRY = 5  # cells for each entry of a table, at least
MOST_TRIALS = 60  # the most trials of a binomial
OFTEN = 5  # cells at the largest count, from which on it is taken for the number of trials
PSEUDO_COUNT = 1.0  # spread over all entries of a table, so that none of them is impossible


@dataclass(frozen=True)
class Alternative:
    """A family that is considered: what it is called, how it is estimated, and the number of its parameters.

    At equal likelihoods the one with fewest parameters is chosen, and the first of those.
    """

    label: str
    estimator: Estimator
    parameters: int


def families_for(cells: Contents) -> list[Alternative]:
    """Those for a column. All have densities with respect to one measure, so that their likelihoods compare.

    Counts have probabilities. A real law for whole numbers over a wide range stands for the probability of an interval of length one
    around each, which its density is nearly. A value that many real cells share has a probability, and no law without it is considered.
    """
    if cells.scale is not None:
        every = list(_for_reals(cells.values)) if cells.scale.origin is None else []
        return [one for one in every if isinstance(one.estimator.layout, Real)] or [Alternative("Gaussian", GaussianEstimator(), 2)]
    if cells.kind == "label":
        return [Alternative("categorical", _categorical(cells), len(set(cells.values)) - 1)]
    return list(_for_whole_numbers(cells.values) if cells.kind == "whole" else _for_reals(cells.values))


def _categorical(cells: Contents) -> Estimator:
    unused = None if cells.levels is None else set(cells.levels) - set(cells.values)
    spread = dict.fromkeys(cells.levels or (), 1.0) if unused else None
    return CategoricalEstimator(PSEUDO_COUNT, spread, default_value=True)


def _for_whole_numbers(x: np.ndarray) -> Iterator[Alternative]:
    low, high = int(x.min()), int(x.max())
    size = high - low + 1
    wide = size > WIDE
    if wide and low > WIDE:  # measured rather than counted
        yield from _for_reals(x)
    if low >= 1:
        yield Alternative("geometric", GeometricEstimator(), 1)
    if low >= 0:
        yield Alternative("Poisson", PoissonEstimator(), 1)
        trials = _trials(x)
        if trials <= MOST_TRIALS:
            yield Alternative("binomial", BinomialEstimator(trials), 2)
        yield Alternative("negative binomial", NegativeBinomialEstimator(), 2)
    if size <= max(2, min(WIDEST_TABLE, len(x) / PER_ENTRY)):
        beyond = 0 if size == 2 else math.ceil(size / 10)  # values that nobody saw yet
        ends = max(low - beyond, min(low, 0)), high + beyond
        yield Alternative("integer categorical", IntegerCategoricalEstimator(*ends, PSEUDO_COUNT), size - 1)
    if wide and low <= WIDE:
        for one in _for_reals(x):
            if low != 0 or one.label != "exponential":  # its density at zero says nothing of an interval around it
                yield one


def _trials(x: np.ndarray) -> int:
    """The number of trials of a binomial: the largest count, where it is seen often; otherwise what mean and variance say."""
    mean, variance, high = float(x.mean()), float(x.var()), int(x.max())
    if np.sum(x == high) >= OFTEN or variance >= mean * (1 - 1e-6):
        return high
    return max(high, round(mean * mean / (mean - variance)))


def _for_reals(x: np.ndarray) -> Iterator[Alternative]:
    low = x.min()
    spike, share = commonest(x)
    rest = x[x != spike]
    if share >= SPIKE and share * len(x) >= 5 and spike == low == 0 and len(rest) > 1:
        for label, estimator in (("log-Gaussian", LogGaussianEstimator()), ("gamma", GammaEstimator())):
            yield Alternative(f"{spike:g} or {label}", HeterogeneousMixtureEstimator([IntegerCategoricalEstimator(0, 0), estimator]), 3)
        return
    if low >= 0:
        yield Alternative("exponential", ExponentialEstimator(), 1)
    yield Alternative("Gaussian", GaussianEstimator(), 2)
    if low > 0:
        yield Alternative("log-Gaussian", LogGaussianEstimator(), 2)
        yield Alternative("gamma", GammaEstimator(), 2)
