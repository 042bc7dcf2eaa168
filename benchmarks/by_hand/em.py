"""EM written by hand for one model at a time: what somebody writes who needs that model only, with NumPy and numba, and no more.

What several of the models need stands once.
"""

from __future__ import annotations

import math
from contextlib import suppress

import numba
import numpy as np

compiled = numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz", "arcp"})  # sums in any order; infinities keep their meaning


# -- what every mixture needs --------------------------------------------------------------------------------------------


@compiled
def normalise(joint: np.ndarray) -> float:
    """Log densities with the weights become posteriors, in place; the log likelihood."""
    n, K = joint.shape
    total = 0.0
    for i in range(n):
        top = joint[i, 0]
        for k in range(1, K):
            top = max(top, joint[i, k])
        mass = 0.0
        for k in range(K):
            joint[i, k] = math.exp(joint[i, k] - top)
            mass += joint[i, k]
        for k in range(K):
            joint[i, k] /= mass
        total += top + math.log(mass)
    return total


class Model:
    """A mixture of one kind of law: its rows, its weights `w` `(K,)`, and the parameters of the laws."""

    rows: int
    w: np.ndarray

    def joint(self) -> np.ndarray:
        """Log densities of the rows with the weights, `(n, K)`."""
        raise NotImplementedError

    def estimate(self, posteriors: np.ndarray) -> None:
        """New parameters, from posteriors `(n, K)`."""
        raise NotImplementedError

    def draw(self, rng: np.random.Generator) -> None:
        """Random parameters: those of rows given to components at random."""
        posteriors = np.zeros((self.rows, len(self.w)))
        posteriors[np.arange(self.rows), rng.integers(len(self.w), size=self.rows)] = 1
        self.estimate(posteriors)

    def step(self) -> float:
        """One EM step; the log likelihood it began from."""
        posteriors = self.joint()
        log_likelihood = normalise(posteriors)
        self.estimate(posteriors)
        return log_likelihood

    def run(self, steps: int) -> list[float]:
        """The log likelihoods before and after each of some steps."""
        return [self.step() for _ in range(steps)] + [normalise(self.joint())]

    def climb(self, tolerance: float = 1e-8, most: int = 1000) -> float:
        """Steps until one gains less than `tolerance` a row, which is how scikit-learn counts it; the log likelihood."""
        before = -np.inf
        for _ in range(most):
            now = self.step()
            if now - before < tolerance * self.rows:
                break
            before = now
        return now


def best_of(model: Model, restarts: int, rng: np.random.Generator) -> float:
    """The highest log likelihood that random restarts end at. One whose regression has no solution is begun anew."""
    ends: list[float] = []
    while len(ends) < restarts:
        with suppress(np.linalg.LinAlgError):
            model.draw(rng)
            ends.append(model.climb())
    return max(ends)


# -- columns of labels, reals, counts, reals that may be missing: log densities added to `joint`, and estimates ------------


@compiled
def labels_density(x: np.ndarray, logs: np.ndarray, joint: np.ndarray) -> None:
    """x: codes `(n, d)`. logs: of the probabilities, `(K, d, values)`."""
    for i in range(x.shape[0]):
        for k in range(joint.shape[1]):
            total = 0.0
            for j in range(x.shape[1]):
                total += logs[k, j, x[i, j]]
            joint[i, k] += total


@compiled
def labels_count(x: np.ndarray, posteriors: np.ndarray, counts: np.ndarray) -> None:
    """Posteriors added where the labels are."""
    for i in range(x.shape[0]):
        for k in range(posteriors.shape[1]):
            for j in range(x.shape[1]):
                counts[k, j, x[i, j]] += posteriors[i, k]


@compiled
def reals_density(x: np.ndarray, mu: np.ndarray, var: np.ndarray, joint: np.ndarray) -> None:
    """x: `(n, d)`. mu, var: `(K, d)`."""
    half = -0.5 / var
    constants = -0.5 * np.log(2 * np.pi * var).sum(axis=1)
    for i in range(x.shape[0]):
        for k in range(joint.shape[1]):
            total = constants[k]
            for j in range(x.shape[1]):
                total += half[k, j] * (x[i, j] - mu[k, j]) ** 2
            joint[i, k] += total


@compiled
def reals_estimate(x: np.ndarray, posteriors: np.ndarray, mu: np.ndarray, var: np.ndarray) -> None:
    """In place; moments about the means before, which are near. mu, var: `(K, d)`."""
    first, second = np.zeros_like(mu), np.zeros_like(mu)
    for i in range(x.shape[0]):
        for k in range(posteriors.shape[1]):
            for j in range(x.shape[1]):
                part = posteriors[i, k] * (x[i, j] - mu[k, j])
                first[k, j] += part
                second[k, j] += part * (x[i, j] - mu[k, j])
    mass = posteriors.sum(axis=0)
    for k in range(len(mass)):
        first[k] /= mass[k]
        var[k] = second[k] / mass[k] - first[k] ** 2
        mu[k] += first[k]


@compiled
def optional_density(x: np.ndarray, p: np.ndarray, mu: np.ndarray, var: np.ndarray, joint: np.ndarray) -> None:
    """x: `(n, d)`, NaN where missing. p: probabilities of that, `(K, d)`."""
    half, missing, there = -0.5 / var, np.log(p), np.log1p(-p) - 0.5 * np.log(2 * np.pi * var)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            for k in range(joint.shape[1]):
                joint[i, k] += missing[k, j] if np.isnan(x[i, j]) else there[k, j] + half[k, j] * (x[i, j] - mu[k, j]) ** 2


@compiled
def optional_estimate(x: np.ndarray, posteriors: np.ndarray, p: np.ndarray, mu: np.ndarray, var: np.ndarray) -> None:
    """In place."""
    there, first, second = np.zeros_like(mu), np.zeros_like(mu), np.zeros_like(mu)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if not np.isnan(x[i, j]):
                for k in range(posteriors.shape[1]):
                    part = posteriors[i, k] * (x[i, j] - mu[k, j])
                    there[k, j] += posteriors[i, k]
                    first[k, j] += part
                    second[k, j] += part * (x[i, j] - mu[k, j])
    mass = posteriors.sum(axis=0)
    for k in range(len(mass)):
        first[k] /= there[k]
        var[k] = second[k] / there[k] - first[k] ** 2
        mu[k] += first[k]
        p[k] = 1 - there[k] / mass[k]


class Labels(Model):
    """Columns of labels. x: codes `(n, d)`, small whole numbers. p: probabilities `(K, d, values)`."""

    def __init__(self, x: np.ndarray, w: np.ndarray, p: np.ndarray):
        self.x, self.w, self.p, self.rows = x, w.copy(), p.copy(), len(x)

    def joint(self) -> np.ndarray:
        joint = np.zeros((self.rows, len(self.w))) + np.log(self.w)
        with np.errstate(divide="ignore"):  # a label that a component has not seen
            logs = np.log(self.p)
        labels_density(self.x, logs, joint)
        return joint

    def estimate(self, posteriors: np.ndarray) -> None:
        mass = posteriors.sum(axis=0)
        self.w = mass / self.rows
        self.p = np.zeros_like(self.p)
        labels_count(self.x, posteriors, self.p)
        self.p /= mass[:, None, None]


class Reals(Model):
    """Columns of reals. x: `(n, d)`. mu, var: `(K, d)`."""

    def __init__(self, x: np.ndarray, w: np.ndarray, mu: np.ndarray, var: np.ndarray):
        self.x, self.w, self.mu, self.var, self.rows = x, w.copy(), mu.copy(), var.copy(), len(x)

    def joint(self) -> np.ndarray:
        joint = np.zeros((self.rows, len(self.w))) + np.log(self.w)
        reals_density(self.x, self.mu, self.var, joint)
        return joint

    def estimate(self, posteriors: np.ndarray) -> None:
        self.w = posteriors.mean(axis=0)
        reals_estimate(self.x, posteriors, self.mu, self.var)


class Mixed(Model):
    """Labels `(p)`, reals `(mu, var)`, counts `(lam)` and reals that may be missing `(absent, mean, spread)`."""

    def __init__(self, x: dict[str, np.ndarray], w: np.ndarray, parameters: dict[str, np.ndarray]):
        self.x, self.w, self.rows = x, w.copy(), len(x["labels"])
        self.labels = Labels(x["labels"], w, parameters["p"])
        self.reals = Reals(x["reals"], w, parameters["mu"], parameters["var"])
        self.lam = parameters["lam"].copy()
        self.absent, self.mean, self.spread = (parameters[name].copy() for name in ("absent", "mean", "spread"))
        factorials = np.array([math.lgamma(x + 1) for x in range(int(x["counts"].max()) + 1)])
        self.base = -factorials[x["counts"].astype(int)].sum(axis=1)

    def joint(self) -> np.ndarray:
        joint = self.x["counts"] @ np.log(self.lam).T + (np.log(self.w) - self.lam.sum(axis=1)) + self.base[:, None]
        with np.errstate(divide="ignore"):
            labels_density(self.x["labels"], np.log(self.labels.p), joint)
        reals_density(self.x["reals"], self.reals.mu, self.reals.var, joint)
        optional_density(self.x["optional"], self.absent, self.mean, self.spread, joint)
        return joint

    def estimate(self, posteriors: np.ndarray) -> None:
        self.labels.estimate(posteriors)
        self.reals.estimate(posteriors)
        self.w = self.labels.w
        self.lam = posteriors.T @ self.x["counts"] / posteriors.sum(axis=0)[:, None]
        optional_estimate(self.x["optional"], posteriors, self.absent, self.mean, self.spread)


# -- regressions on a few covariates ---------------------------------------------------------------------------------------


@compiled
def least_squares(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least squares by the normal equations; `LinAlgError` where they have no solution."""
    weighted = x * weights.reshape(-1, 1)
    return np.linalg.solve(weighted.T @ x, weighted.T @ y)


class Lines(Model):
    """Linear regressions. x: `(n, p)` with a column of ones. shared: one variance and equal weights for all components."""

    def __init__(self, x: np.ndarray, y: np.ndarray, K: int, shared: bool = False):
        self.x, self.y, self.shared, self.rows = np.ascontiguousarray(x), y, shared, len(x)
        self.w, self.beta, self.var = np.full(K, 1 / K), np.zeros((K, x.shape[1])), np.ones(K)

    def joint(self) -> np.ndarray:
        residuals = self.y[:, None] - self.x @ self.beta.T
        return np.log(self.w) - 0.5 * np.log(2 * np.pi * self.var) - 0.5 * residuals**2 / self.var

    def estimate(self, posteriors: np.ndarray) -> None:
        for k in range(len(self.w)):
            self.beta[k] = least_squares(self.x, self.y, posteriors[:, k].copy())
        squares = (posteriors * (self.y[:, None] - self.x @ self.beta.T) ** 2).sum(axis=0)
        if self.shared:
            self.var[:] = squares.sum() / self.rows
        else:
            mass = posteriors.sum(axis=0)
            self.w, self.var = mass / self.rows, squares / mass


class Poissons(Model):
    """Poisson regressions. x: `(n, p)` with a column of ones. Each is fitted to its end in every step, by scoring, as R's `glm` is."""

    def __init__(self, x: np.ndarray, y: np.ndarray, K: int):
        self.x, self.y, self.rows = np.ascontiguousarray(x), y, len(x)
        self.w, self.beta = np.full(K, 1 / K), np.zeros((K, x.shape[1]))
        self.base = -np.array([math.lgamma(v + 1) for v in y])[:, None]

    def joint(self) -> np.ndarray:
        eta = self.x @ self.beta.T
        return self.y[:, None] * eta - np.exp(eta) + self.base + np.log(self.w)

    def draw(self, rng: np.random.Generator) -> None:
        self.beta[:] = 0
        self.beta[:, 0] = math.log(self.y.mean())
        super().draw(rng)

    def estimate(self, posteriors: np.ndarray) -> None:
        self.w = posteriors.mean(axis=0)
        for k in range(len(self.w)):
            self.beta[k] = scoring(self.x, self.y, posteriors[:, k].copy(), self.beta[k].copy())


@compiled
def scoring(x: np.ndarray, y: np.ndarray, weights: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Weighted Poisson regression by scoring from `beta`, a step halved while it lowers the likelihood."""
    value = (weights * (y * (x @ beta) - np.exp(x @ beta))).sum()
    for _ in range(50):
        mean = np.exp(x @ beta)
        move = least_squares(x, (y - mean) / mean, weights * mean)
        for _ in range(30):
            eta = x @ (beta + move)
            now = (weights * (y * eta - np.exp(eta))).sum()
            if now >= value:
                break
            move *= 0.5
        if not now > value:
            break
        beta = beta + move
        gained, value = now - value, now
        if gained < 1e-8 * (abs(now) + 0.1):
            break
    return beta
