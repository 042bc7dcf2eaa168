"""Which powers of columns of numbers are jointly nearest to a Gaussian vector."""

from __future__ import annotations

import numpy as np

from dmlcore.imputation.coordinates import POWER_GAIN, Number
from dmlcore.imputation.gaps import GivenSeen, groups_of

ROWS_PER_COLUMN = 5  # with fewer rows, each column is looked at alone
POWER_STEPS, POWER_ROUNDS = 5, 3  # of EM for a power that is tried; and over all columns
POWER_RIDGE = 1e-7  # of variances that are one
POWER_ROWS = 2000  # of which about so many are looked at


def powers_together(numbers: list[Number], columns: np.ndarray) -> list[float]:
    """For columns `(n, d)`, NaN where missing, and their numbers, the powers under which all columns together are the most likely as a
    Gaussian vector (Andrews, Gnanadesikan and Warner 1971). So columns of which one is the sum of others are left as they are, and have
    logarithms where one is the product. Powers are changed one by one, once from none and once from logarithms everywhere: a sum or a
    product shows only when all its parts have them. With few rows, each column keeps what is best for it alone."""
    alone = [number.power for number in numbers]
    looked_at = columns[:: max(1, len(columns) // POWER_ROWS)]
    own = np.flatnonzero((~np.isnan(looked_at)).sum(axis=0) >= ROWS_PER_COLUMN)
    if len(own) < 2 or len(looked_at) < ROWS_PER_COLUMN * len(own):
        return alone
    powers = [numbers[j].powers(columns[~np.isnan(columns[:, j]), j]) for j in own]
    law = _Law(looked_at[:, own], powers)
    plain, found = law.climbed([numbers[j] for j in own], 1.0)
    logs, of_logs = law.climbed([numbers[j] for j in own], 0.0)
    best = logs if of_logs - found > POWER_GAIN * len(looked_at) else plain
    for j, number in zip(own, best, strict=True):
        alone[j] = number.power
    return alone


class _Law:
    """A Gaussian law of columns with gaps `(n, d)`, by EM. powers: which each column may have."""

    def __init__(self, columns: np.ndarray, powers: list[list[float]]):
        self.columns, self.powers, self.groups = columns, powers, groups_of(np.isnan(columns))
        self.seen = [x[~np.isnan(x)] for x in columns.T]

    def climbed(self, numbers: list[Number], power: float) -> tuple[list[Number], float]:
        """Numbers with powers that cannot be changed one by one for more likely ones, and their log likelihood up to a constant; from
        one power, for all columns that may have it."""
        first = [power if power in can else number.power for number, can in zip(numbers, self.powers, strict=True)]
        numbers = [number.raised(x, p, number.bounds) for number, x, p in zip(numbers, self.seen, first, strict=True)]
        y = np.column_stack([number.coordinate(x) for number, x in zip(numbers, self.columns.T, strict=True)])
        current, covariance = self.fitted(y, np.eye(len(numbers)), 2 * POWER_STEPS)
        for _ in range(POWER_ROUNDS):
            before = numbers
            for j, there in enumerate(self.seen):
                for other in [numbers[j].with_power(there, power) for power in self.powers[j] if power != numbers[j].power]:
                    tried = y.copy()
                    tried[:, j] = other.coordinate(self.columns[:, j])
                    found, own = self.fitted(tried, covariance, POWER_STEPS)
                    if found - current + other.log_slope(there) - numbers[j].log_slope(there) > POWER_GAIN * len(there):
                        numbers = [*numbers[:j], other, *numbers[j + 1 :]]
                        y, current, covariance = tried, found, own
            if numbers == before:
                break
        return numbers, current + sum(number.log_slope(there) for number, there in zip(numbers, self.seen, strict=True))

    def fitted(self, y: np.ndarray, covariance: np.ndarray, steps: int) -> tuple[float, np.ndarray]:
        """The log likelihood, up to a constant, and the covariance `(d, d)` after some steps from one."""
        n, d = y.shape
        mean, log_likelihood = np.zeros(d), -np.inf
        for _ in range(steps):
            precision = np.linalg.inv(covariance)
            log_likelihood, total, squares = 0.0, np.zeros(d), np.zeros((d, d))
            for group in self.groups:
                [law], whole = GivenSeen.under_each(precision[None], group), y[group.rows] - mean
                whole[group.gone] = 0.0
                log_likelihood += float(law.log_densities(whole, group.at).sum())
                whole[group.gone] = law.expected(whole, group.at)
                total += whole.sum(axis=0)
                squares += whole.T @ whole + law.covariance(group.at)
            shift = total / n
            mean, covariance = mean + shift, squares / n - np.outer(shift, shift) + POWER_RIDGE * np.eye(d)
        return log_likelihood, covariance
