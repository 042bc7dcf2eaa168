"""Latent classes and other variables in three steps: covariates that classes depend on, and outcomes that depend on the classes.

The classes are those of a model that was fitted without these variables. Rows are assigned to them, and step three corrects for how often
an assignment is wrong: by weights that undo it (Bolck, Croon and Hagenaars 2004; Vermunt 2010), or by maximum likelihood given how
probable each assignment is in each class (Vermunt 2010; Bakk, Tekle and Vermunt 2013).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, ParameterError, StructureError, shorten
from dmlcore.base.marks import missing_among
from dmlcore.base.records import dataclass
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.powers import HasClasses, HasMean, has
from dmlcore.core.text_tables import as_html, as_text
from dmlcore.data.encoded import encode, row_weights
from dmlcore.data.values import floats, in_order, listed
from dmlcore.fitting.fit import fit
from dmlcore.fitting.record import Fit, model_of
from dmlcore.stats.latent.mixture import MixtureDistribution
from dmlcore.stats.latent.semi_supervised_mixture import SemiSupervisedMixtureDistribution, SemiSupervisedMixtureEstimator
from dmlcore.stats.regression.multinomial_logistic_regression import MultinomialLogisticRegressionDistribution
from dmlcore.stats.univariate.categorical import CategoricalDistribution, CategoricalEstimator
from dmlcore.stats.univariate.gaussian import GaussianDistribution, GaussianEstimator

THIRD_STEP_ITERATIONS, THIRD_STEP_HALVINGS, THIRD_STEP_TOLERANCE = 200, 40, 1e-10
CORRECTIONS, ASSIGNMENTS = ("bch", "ml", None), ("modal", "soft")

Objective = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class ThreeStep:
    """What `three_step` finds of K classes.

    sizes `(K,)`: shares of the classes. classification `(K, K)`: how probable it is that a row of class k (row) is assigned to class l
    (column). law: of the class given covariates, or a mixture of the classes' laws of the outcome; None where a correction gives a share
    or a variance below zero, as that by weights may. estimates, errors: by class (the first is the reference where covariates are) and by
    `names`: log odds per unit of each covariate, means, or shares of labels, and their robust standard errors, which take the first step
    as it is (NaN where they are not known).
    """

    sizes: np.ndarray
    classification: np.ndarray = field(repr=False)
    law: Any = field(repr=False)
    names: tuple[Any, ...]
    classes: tuple[int, ...]
    estimates: np.ndarray
    errors: np.ndarray

    def rows(self) -> list[dict[str, Any]]:
        """One row for each number."""
        places = [(i, j) for i in range(len(self.classes)) for j in range(len(self.names))]
        return [
            {
                "class": self.classes[i],
                "of": self.names[j],
                "estimate": float(self.estimates[i, j]),
                "standard_error": float(self.errors[i, j]),
            }
            for i, j in places
        ]

    def __str__(self) -> str:
        return as_text(self.rows())

    def _repr_html_(self) -> str:
        return as_html(self.rows(), "Third step")


@takes()
def three_step(
    model: Distribution | Fit,
    data: Any,
    *,
    covariates: Any = None,
    outcome: Iterable[Any] | None = None,
    correction: str | None = "bch",
    assignment: str = "modal",
    estimator: Estimator | None = None,
    weights: Any = None,
) -> ThreeStep:
    """How classes depend on covariates, or an outcome on classes, of a model with latent classes that was fitted without them.

    data: the rows of the model, and weights of theirs: how often each stands there. covariates: numbers `(n, p)` or `(n,)`, on which the
    class depends by a multinomial logistic regression with an intercept. outcome: one number or one label for each row; rows where it is
    missing are left out. One of the two. correction: "bch", by weights; "ml", by maximum likelihood, with class sizes of the first step
    where there is an outcome; or None, which takes assignments for classes and so finds effects that are too small. assignment: "modal", to
    the most probable class, or "soft", to each by its posterior. estimator: of an outcome in each class, with "ml" (default: Gaussian or
    categorical).

    Raises `ParameterError` for other arguments, `StructureError` where the model has no classes, and `DataError` where rows do not go
    together.
    """
    model = model_of(model, "three_step")
    _check_arguments(model, covariates, outcome, correction, assignment, estimator)
    encoded = encode(data, model.layout)
    row_weight = row_weights(weights, len(encoded))
    w = np.ones(len(encoded)) if row_weight is None else row_weight
    posterior = model.seq_posterior(encoded)
    if posterior.ndim != 2:
        raise StructureError(f"{model.label}: three steps need classes in one row, not pairs of them")
    step = _Assigned.of(posterior, w, assignment, correction)
    return _of_covariates(step, _design(covariates, len(w))) if covariates is not None else _of_outcome(step, outcome, estimator)


def _check_arguments(model: Any, covariates: Any, outcome: Any, correction: Any, assignment: Any, estimator: Any) -> None:
    if not has(model, HasClasses):
        raise StructureError(f"{model.label}: has no latent classes")
    if (covariates is None) == (outcome is None):
        raise ParameterError("give covariates, or an outcome, and not both")
    for name, value, known in (("correction", correction, CORRECTIONS), ("assignment", assignment, ASSIGNMENTS)):
        if value not in known:
            raise ParameterError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")
    if estimator is not None and (outcome is None or correction != "ml"):
        raise ParameterError("estimator is of an outcome, with correction='ml'")


@dataclass(frozen=True)
class _Assigned:
    """Rows assigned to classes. assigned: `(n, K)`, each row by how much. weights: of the rows. table: P(assigned l | class k)."""

    assigned: np.ndarray
    weights: np.ndarray
    table: np.ndarray
    sizes: np.ndarray
    correction: str | None

    @classmethod
    def of(cls, posterior: np.ndarray, weights: np.ndarray, assignment: str, correction: str | None) -> _Assigned:
        K = posterior.shape[1]
        assigned = np.eye(K)[posterior.argmax(axis=1)] if assignment == "modal" else posterior
        counts = weights @ posterior
        if not (counts > 0).all():
            raise DataError(f"no row may be of class {int(np.argmin(counts > 0))}; leave it out of the model")
        return cls(assigned, weights, (posterior * weights[:, None]).T @ assigned / counts[:, None], counts / counts.sum(), correction)

    @property
    def shares(self) -> np.ndarray:
        """How much of each row counts for each class `(n, K)`; of the correction by weights, some of it is below zero."""
        if self.correction is None:
            return self.assigned
        if not np.linalg.cond(self.table) < 1e12:
            raise DataError("some class has no rows of its own by these assignments, so they cannot be undone; use fewer classes, or 'ml'")
        return self.assigned @ np.linalg.inv(self.table)

    def copies(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each row once for each class that it is assigned to: which row `(m,)`, its weight, and P(that assignment | class k) `(m, K)`."""
        row, to = np.nonzero(self.assigned * self.weights[:, None])
        return row, self.assigned[row, to] * self.weights[row], self.table.T[to]


# -- covariates --------------------------------------------------------------------------------------------------------


def _design(covariates: Any, n: int) -> np.ndarray:
    try:
        x = np.asarray(covariates, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"covariates must be numbers, got {shorten(covariates)}; write labels as columns of 0 and 1") from None
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or len(x) != n or not np.isfinite(x).all():
        raise DataError(f"covariates must be finite numbers, one row for each of {n} rows of data, got shape {np.shape(covariates)}")
    return np.column_stack([np.ones(n), x])


def _of_covariates(step: _Assigned, x: np.ndarray) -> ThreeStep:
    if len(step.sizes) == 1:
        raise StructureError("there is one class alone, so that nothing depends on covariates")
    centre, spread = x[:, 1:].mean(axis=0), x[:, 1:].std(axis=0)
    if not (spread > 0).all():
        raise DataError(f"covariate {int(np.argmin(spread))} is the same in all rows, as the intercept is")
    inside = np.column_stack([x[:, :1], (x[:, 1:] - centre) / spread])
    of = _likelihood(step, inside) if step.correction == "ml" else _weighted(step, inside)
    back = np.diag([1.0, *(1.0 / spread)])  # coefficients of the covariates themselves from those of standardised ones
    back[0, 1:] = -centre / spread
    beta, covariance = _maximised(of, len(step.sizes) - 1, inside, step.weights)
    beta, whole = beta @ back.T, np.kron(np.eye(len(beta)), back)
    errors = np.sqrt(np.diag(whole @ covariance @ whole.T)).reshape(beta.shape)
    K, p = len(step.sizes), x.shape[1] - 1
    law = MultinomialLogisticRegressionDistribution(beta[:, 1:], beta[:, 0], tuple(range(K)))
    return ThreeStep(step.sizes, step.table, law, ("intercept", *range(p)), tuple(range(1, K)), beta, errors)


def _probabilities(x: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Of the classes at each row `(n, K)`; the first is the reference."""
    eta = np.column_stack([np.zeros(len(x)), x @ beta.T])
    p = np.exp(eta - eta.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _spread_of(p: np.ndarray) -> np.ndarray:
    """Covariances `(n, K, K)` of the indicators of classes."""
    return p[:, :, None] * (np.eye(p.shape[1]) - p[:, None, :])


def _weighted(step: _Assigned, x: np.ndarray) -> Objective:
    """The log likelihood of classes that rows count for by their shares: concave, as the shares of a row sum to one."""
    shares, w = step.shares, step.weights

    def of(beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        p = _probabilities(x, beta)
        value = float(w @ (shares * np.log(np.maximum(p, 1e-300))).sum(axis=1))
        return value, w[:, None] * (shares - p), -w[:, None, None] * _spread_of(p)

    return of


def _likelihood(step: _Assigned, x: np.ndarray) -> Objective:
    """The log likelihood of the assignments."""
    row, w, fits = step.copies()
    at, n = x[row], len(x)

    def of(beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        p = _probabilities(at, beta)
        joint = p * fits
        total = joint.sum(axis=1, keepdims=True)
        r = joint / total
        slope, bend = np.zeros((n, p.shape[1])), np.zeros((n, p.shape[1], p.shape[1]))
        np.add.at(slope, row, w[:, None] * (r - p))
        np.add.at(bend, row, w[:, None, None] * (_spread_of(r) - _spread_of(p)))
        return float(w @ np.log(total[:, 0])), slope, bend

    return of


def _maximised(of: Objective, free: int, x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The coefficients `(free, p)` that maximise an objective, and their robust covariance. of: its value, its slopes `(n, K)` and second
    derivatives `(n, K, K)` in each row's predictors, times the weights of rows, which are how often each stands there. Newton's method;
    steps that do not rise are halved, and where the objective is not concave, steps go along the slope more."""
    beta = np.zeros((free, x.shape[1]))
    value, slope, bend = of(beta)
    for _ in range(THIRD_STEP_ITERATIONS):
        gradient, curvature = _total(slope, x), _curvature(bend, x)
        least = float(np.linalg.eigvalsh(curvature)[0])
        scale = float(np.trace(curvature)) / len(curvature) if np.trace(curvature) > 0 else float(len(x))
        ridge = max(0.0, 1e-8 * scale - least)
        step = np.linalg.solve(curvature + ridge * np.eye(len(curvature)), gradient)
        for _ in range(THIRD_STEP_HALVINGS):
            new = of(beta + step.reshape(beta.shape))
            if new[0] >= value:
                break
            step = step / 2
        else:
            break
        beta, (value, slope, bend) = beta + step.reshape(beta.shape), new
        if np.abs(step).max() <= THIRD_STEP_TOLERANCE * (1 + np.abs(beta).max()):
            break
    scores = np.einsum("nk,np->nkp", slope[:, 1:], x).reshape(len(x), -1)
    inverse = np.linalg.pinv(_curvature(bend, x))
    return beta, inverse @ (scores.T @ (scores / np.where(weights > 0, weights, 1.0)[:, None])) @ inverse


def _total(slope: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.asarray((slope[:, 1:].T @ x).ravel())


def _curvature(bend: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Minus the second derivatives in the coefficients."""
    size = (bend.shape[1] - 1) * x.shape[1]
    return np.asarray(-np.einsum("nkl,np,nq->kplq", bend[:, 1:, 1:], x, x, optimize=True).reshape(size, size))


# -- outcomes ----------------------------------------------------------------------------------------------------------


def _of_outcome(step: _Assigned, outcome: Any, estimator: Estimator | None) -> ThreeStep:
    y = listed(outcome)
    if len(y) != len(step.weights):
        raise DataError(f"there are {len(y)} outcomes for {len(step.weights)} rows")
    there = ~missing_among(y)
    values = [y[i] for i in np.flatnonzero(there).tolist()]
    x = floats(values)
    if not values or (x is not None and not np.isfinite(x).all()):
        raise DataError(f"outcome must be finite numbers, or labels, some of which are there, got {shorten(outcome)}")
    step = _Assigned(step.assigned[there], step.weights[there], step.table, step.sizes, step.correction)
    return _by_likelihood(step, values, estimator) if step.correction == "ml" else _by_weights(step, values, x)


def _by_weights(step: _Assigned, values: list[Any], x: np.ndarray | None) -> ThreeStep:
    shares = step.shares * step.weights[:, None]
    total = shares.sum(axis=0)
    if x is None:
        names = tuple(in_order(dict.fromkeys(values)))
        columns = np.array([[value == label for label in names] for value in values], dtype=np.float64)
    else:
        names, columns = ("mean",), x[:, None]
    means = shares.T @ columns / total[:, None]
    apart = step.shares[:, :, None] * (columns[:, None, :] - means)
    errors = np.sqrt(np.einsum("n,nkl->kl", step.weights, apart**2)) / np.abs(total)[:, None]
    laws: list[Any] | None = None
    if x is not None:
        variances = (shares * (x[:, None] - means[:, 0]) ** 2).sum(axis=0) / total
        if (variances > 0).all():
            laws = [GaussianDistribution(m, v) for m, v in zip(means[:, 0].tolist(), variances.tolist(), strict=True)]
    elif (means >= 0).all():
        laws = [CategoricalDistribution(dict(zip(names, row.tolist(), strict=True))) for row in means]
    law = None if laws is None else MixtureDistribution(laws, step.sizes)
    return ThreeStep(step.sizes, step.table, law, names, tuple(range(len(means))), means, errors)


def _by_likelihood(step: _Assigned, values: list[Any], estimator: Estimator | None) -> ThreeStep:
    estimator = estimator or (CategoricalEstimator() if floats(values) is None else GaussianEstimator())
    K, (row, w, fits) = len(step.sizes), step.copies()
    starts = [fit(values, estimator, weights=step.assigned[:, k] * step.weights, progress=False).model for k in range(K)]
    start = SemiSupervisedMixtureDistribution(starts, step.sizes)
    rows = [(values[i], list(enumerate(each))) for i, each in zip(row.tolist(), fits.tolist(), strict=True)]
    mixture = SemiSupervisedMixtureEstimator([estimator] * K, fixed_weights=step.sizes)
    found: Any = fit(rows, mixture, weights=w, start=start, delta=1e-10, max_its=10_000, progress=False).model
    laws = list(found.components)
    if all(isinstance(law, CategoricalDistribution) for law in laws):
        names = tuple(in_order({label: None for law in laws for label in law.pmap}))
        estimates = np.array([[law.pmap.get(label, 0.0) for label in names] for law in laws])
    elif all(has(law, HasMean) for law in laws):
        names, estimates = ("mean",), np.array([np.ravel(law.mean()) for law in laws])
    else:
        names, estimates = (), np.zeros((K, 0))
    return ThreeStep(
        step.sizes, step.table, MixtureDistribution(laws, step.sizes), names, tuple(range(K)), estimates, np.full(estimates.shape, np.nan)
    )
