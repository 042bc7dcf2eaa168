"""Which powers of columns of numbers are jointly nearest to a Gaussian vector."""

from __future__ import annotations

import numpy as np

from dmlcore.imputation.coordinates import POWER_GAIN, Number
from dmlcore.imputation.gaps import GivenSeen, groups_of

ROWS_PER_COLUMN = 5  # with fewer rows, each column is looked at alone
STEPS, ROUNDS = 5, 3  # of EM for a power that is tried; and over all columns
RIDGE = 1e-7  # of variances that are one


def chosen_together(numbers: list[Number], columns: np.ndarray) -> list[Number]:
    """For columns `(n, d)`, NaN where missing, the numbers with those powers under which all columns together are the most likely as a
    Gaussian vector (Andrews, Gnanadesikan and Warner 1971). So columns of which one is the sum of others are left as they are, and have
    logarithms where one is the product. Powers are changed one by one, once from none and once from logarithms everywhere: a sum or a
    product shows only when all its parts have them. With few rows, each column keeps what is best for it alone."""
    n, d = columns.shape
    if d < 2 or n < ROWS_PER_COLUMN * d:
        return numbers
    law = _Law(columns)
    plain, found = law.climbed(law.with_power(numbers, 1.0))
    logs, of_logs = law.climbed(law.with_power(numbers, 0.0))
    return logs if of_logs - found > POWER_GAIN * n else plain


class _Law:
    """A Gaussian law of columns with gaps `(n, d)`, by EM."""

    def __init__(self, columns: np.ndarray):
        self.columns, self.groups = columns, groups_of(np.isnan(columns))
        self.seen = [x[~np.isnan(x)] for x in columns.T]

    def with_power(self, numbers: list[Number], power: float) -> list[Number]:
        """With one power for all columns that can have it."""
        others = [[number, *number.with_other_powers(there)] for number, there in zip(numbers, self.seen, strict=True)]
        return [next((other for other in each if other.power == power), each[0]) for each in others]

    def climbed(self, numbers: list[Number]) -> tuple[list[Number], float]:
        """Numbers with powers that cannot be changed one by one for more likely ones, and their log likelihood up to a constant."""
        y = np.column_stack([number.coordinate(x) for number, x in zip(numbers, self.columns.T, strict=True)])
        current, covariance = self.fitted(y, np.eye(len(numbers)), 2 * STEPS)
        for _ in range(ROUNDS):
            before = numbers
            for j, there in enumerate(self.seen):
                for other in numbers[j].with_other_powers(there):
                    tried = y.copy()
                    tried[:, j] = other.coordinate(self.columns[:, j])
                    found, own = self.fitted(tried, covariance, STEPS)
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
                law, whole = GivenSeen(precision, group), y[group.rows] - mean
                whole[group.gone] = 0.0
                log_likelihood += float(law.log_densities(whole, group.at).sum())
                whole[group.gone] = law.expected(whole, group.at)
                total += whole.sum(axis=0)
                squares += whole.T @ whole + law.covariance(group.at)
            shift = total / n
            mean, covariance = mean + shift, squares / n - np.outer(shift, shift) + RIDGE * np.eye(d)
        return log_likelihood, covariance
