"""The families that are considered for a column, by what it holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dmlcore.base.records import dataclass
from dmlcore.core.estimator import Estimator
from dmlcore.proposal.kinds import Contents
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
    PointMassEstimator,
    PoissonEstimator,
)

LEAST_AT_A_SPIKE = 5  # cells at it
AT_AN_END = (0.01, 2.0)  # of a spike at the least or the largest value: its share of the cells, and how many times that of those near it
INSIDE = (0.05, 5.0)  # of another
NEIGHBOURS = 5  # values on either side that are near one
MOST_SPIKES = 3
WIDE = 30  # whole numbers with a range from here on may follow the law of a real
NEAR_ZERO = 5  # whole numbers that begin here or below may be zero the next time, which laws of positive numbers forbid
WIDEST_TABLE = 100  # the widest range of a table of whole numbers
PER_ENTRY = 5  # cells for each entry of a table, at least
MOST_TRIALS = 60  # the most trials of a binomial
OFTEN = 5  # cells at the largest count, from which on it is taken for the number of trials
EQUAL = 3  # cells with one value, from which on reals are taken to be rounded
SMALL_GAPS = 0.1  # of the gaps between neighbouring values: those as small as a rounding, where some values have more digits
NO_GAP = 1e-9  # relative to the values: a gap that rounding of the last digits makes
PSEUDO_COUNT = 1.0  # spread over all entries of a table, so that none of them is impossible


@dataclass(frozen=True)
class Alternative:
    """A family that is considered: what it is called, how it is estimated, and the number of its parameters.

    At equal likelihoods the one with fewest parameters is chosen, and the first of those. table: whether it has a probability for each
    value, so that a mixture of such laws is one, as is a mixture of any others. density: whether it is a law of reals for whole numbers,
    and stands for the probabilities of intervals of length one around them.
    """

    label: str
    estimator: Estimator
    parameters: int
    table: bool = False
    density: bool = False


def families_for(cells: Contents) -> list[Alternative]:
    """Those for a column. All have densities with respect to one measure, so that their likelihoods compare.

    Counts have probabilities. A real law for whole numbers over a wide range stands for the probability of an interval of length one
    around each. A value that many real cells share, and those near it do not, is a spike: it has a
    probability under every law considered, and no density counts there. Where the cells beside spikes are whole numbers, these have
    probabilities.
    """
    if cells.scale is not None:
        every = list(_for_reals(cells.values, rounding_of(cells.values)))
        return [one for one in every if cells.scale.origin is None or one.label == "Gaussian"]
    values = cells.values
    if cells.kind == "label":
        return [Alternative("categorical", _categorical(cells), len(set(values)) - 1, table=True)]
    spikes = spikes_of(values)
    rest = values[~np.isin(values, spikes)] if spikes else values
    if cells.kind == "whole":
        without = list(_for_whole_numbers(values))
        return without + [_beside(spikes, one) for one in _for_whole_numbers(rest) if spikes and _is_wide(values) and not one.table]
    if spikes and (rest == np.floor(rest)).all() and np.abs(rest).max() < 2**53:
        return [_beside(spikes, one) for one in _for_whole_numbers(rest.astype(np.int64))]
    return [_beside(spikes, one) for one in _for_reals(rest, rounding_of(rest))]


def spikes_of(x: np.ndarray) -> list[float]:
    """Values that many cells share while those near them in order are rarer, in order; no more than `MOST_SPIKES`.

    The least and the largest come first (zero, a cap, a number that stands for missing): there a density may be without bound.
    """
    each, counts = np.unique(x, return_counts=True)
    last = len(each) - 1
    found = []
    for i in np.flatnonzero(counts >= LEAST_AT_A_SPIKE).tolist() if last >= NEIGHBOURS else []:
        share, times = AT_AN_END if i in (0, last) else INSIDE
        near = np.delete(counts[max(i - NEIGHBOURS, 0) : i + NEIGHBOURS + 1], min(i, NEIGHBOURS))
        if counts[i] >= max(share * len(x), times * np.median(near)):
            found.append(i)
    found.sort(key=lambda i: (i not in (0, last), -counts[i]))
    return sorted(each[i].item() for i in found[:MOST_SPIKES])


def rounding_of(x: np.ndarray) -> float:
    """What reals are rounded to: the smaller gaps between neighbouring ones; 0 where they are not."""
    each, counts = np.unique(x, return_counts=True)
    gaps = np.diff(each)
    gaps = gaps[gaps > NO_GAP * np.abs(each).max()]
    return float(f"{np.quantile(gaps, SMALL_GAPS):.3g}") if counts.max() >= EQUAL and len(gaps) else 0.0


def _beside(spikes: list[float], law: Alternative) -> Alternative:
    """A law, with a probability for each of the spikes beside it."""
    if not spikes:
        return law
    masses = [PointMassEstimator(value) for value in spikes]
    label = f"{', '.join(f'{value:g}' for value in spikes)} or {law.label}"
    estimator = HeterogeneousMixtureEstimator([*masses, law.estimator], pseudo_count=PSEUDO_COUNT)
    return Alternative(label, estimator, law.parameters + len(spikes), density=law.density)


def _categorical(cells: Contents) -> Estimator:
    unused = None if cells.levels is None else set(cells.levels) - set(cells.values)
    spread = dict.fromkeys(cells.levels or (), 1.0) if unused else None
    return CategoricalEstimator(PSEUDO_COUNT, spread, default_value=True)


def _for_whole_numbers(x: np.ndarray) -> Iterator[Alternative]:
    low, high = int(x.min()), int(x.max())
    size = high - low + 1
    measured = low > WIDE  # rather than counted
    if measured:
        yield from _for_wide(x)
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
        yield Alternative("integer categorical", IntegerCategoricalEstimator(*ends, PSEUDO_COUNT), size - 1, table=True)
    if not measured:
        yield from (one for one in _for_wide(x) if low > NEAR_ZERO or one.label == "Gaussian")


def _is_wide(x: np.ndarray) -> bool:
    return int(x.max()) - int(x.min()) >= WIDE


def _for_wide(x: np.ndarray) -> Iterator[Alternative]:
    """Laws of reals for whole numbers over a wide range."""
    if _is_wide(x):
        for one in _for_reals(x, 1.0):
            if x.min() != 0 or one.label != "exponential":  # its density at zero says nothing of an interval around it
                yield replace(one, density=True)


def _trials(x: np.ndarray) -> int:
    """The number of trials of a binomial: the largest count, where it is seen often; otherwise what mean and variance say."""
    mean, variance, high = float(x.mean()), float(x.var()), int(x.max())
    if np.sum(x == high) >= OFTEN or variance >= mean * (1 - 1e-6):
        return high
    return max(high, round(mean * mean / (mean - variance)))


def _for_reals(x: np.ndarray, rounding: float) -> Iterator[Alternative]:
    low = x.min()
    if low >= 0:
        yield Alternative("exponential", ExponentialEstimator(), 1)
    yield Alternative("Gaussian", GaussianEstimator(rounding=rounding), 2)
    if low > 0:
        yield Alternative("log-Gaussian", LogGaussianEstimator(rounding=rounding), 2)
        yield Alternative("gamma", GammaEstimator(rounding=rounding), 2)
