"""How each system takes an EM step of a mixture of regressions. A system gives a function that takes one step and returns the log
likelihood of the model that the step started from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], float]


def of_dmlcore(x: np.ndarray, y: np.ndarray, family: str, start: Any) -> Step:
    """`Problem.expect` and `Problem.maximise`, the inside of `fit`; for Poisson responses one Fisher scoring step."""
    from dmlcore import stats
    from dmlcore.data.columns import Record
    from dmlcore.data.encoded import Encoded
    from dmlcore.fitting.problem import Problem

    kind = "LinearRegression" if family == "gaussian" else "PoissonRegression"
    scales = [(v,) if family == "gaussian" else () for v in start["sigma2"]]
    law, leaf = getattr(stats, f"{kind}Distribution"), getattr(stats, f"{kind}Estimator")()
    model = stats.MixtureDistribution([law(b[1:], b[0], *s) for b, s in zip(start["beta"], scales, strict=True)], start["w"])
    estimator = stats.MixtureEstimator([leaf] * len(start["w"]))
    covariates, response = estimator.layout.values
    encoded = Encoded(Record(len(x), (covariates.encode(x), response.encode(y))), estimator.layout)
    problem = Problem.of(encoded, estimator, threads=1)

    def step() -> float:
        nonlocal model
        log_likelihood, statistics = problem.expect(model)
        model = problem.maximise(statistics, model)
        return log_likelihood

    return step


def of_the_seed(x: np.ndarray, y: np.ndarray, family: str, start: Any) -> Step:
    """The class the project grew from: densities by scipy, weighted least squares through a diagonal matrix of n x n weights."""
    from scipy.stats import norm

    if family != "gaussian":
        raise NotImplementedError("it has Gaussian responses only")
    design = np.column_stack([np.ones(len(x)), x])
    w, beta, sigma = start["w"].copy(), start["beta"].copy(), np.sqrt(start["sigma2"])

    def step() -> float:
        joint = np.column_stack([w[k] * norm.pdf(y, design @ beta[k], sigma[k]) for k in range(len(w))])
        total = joint.sum(axis=1, keepdims=True)
        shares = joint / total
        for k in range(len(w)):
            weights = np.diag(shares[:, k])
            beta[k] = np.linalg.inv(design.T @ weights @ design) @ design.T @ weights @ y
            sigma[k] = np.sqrt(shares[:, k] @ (y - design @ beta[k]) ** 2 / shares[:, k].sum())
        w[:] = shares.mean(axis=0)
        return float(np.log(total).sum())

    return step


def of_sklearn(x: np.ndarray, y: np.ndarray, family: str, start: Any) -> Step:
    """What one writes by hand with scikit-learn: its weighted regressions inside a loop, Poisson ones fitted to their end each time."""
    from scipy.stats import norm, poisson
    from sklearn.linear_model import LinearRegression, PoissonRegressor

    w, beta, sigma = start["w"].copy(), start["beta"].copy(), np.sqrt(start["sigma2"])
    poissons = [PoissonRegressor(alpha=0.0, tol=1e-8, max_iter=1000, warm_start=True) for _ in w]

    def logs(k: int) -> np.ndarray:
        eta = beta[k, 0] + x @ beta[k, 1:]
        out = norm.logpdf(y, eta, sigma[k]) if family == "gaussian" else poisson.logpmf(y, np.exp(eta))
        return np.asarray(np.log(w[k]) + out)

    def step() -> float:
        joint = np.array([logs(k) for k in range(len(w))])
        total = np.logaddexp.reduce(joint)
        shares = np.exp(joint - total)
        for k, weights in enumerate(shares):
            fitted = (LinearRegression() if family == "gaussian" else poissons[k]).fit(x, y, sample_weight=weights)
            beta[k] = np.r_[fitted.intercept_, fitted.coef_]
            sigma[k] = np.sqrt(weights @ (y - fitted.predict(x)) ** 2 / weights.sum())
        w[:] = shares.mean(axis=1)
        return float(total.sum())

    return step


SYSTEMS = {"dmlcore": of_dmlcore, "seed": of_the_seed, "sklearn": of_sklearn}
