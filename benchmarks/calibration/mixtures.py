"""True mixtures of two regressions, and single ones, by `MixtureRegression`: intervals of its summary, and of new responses.

A fit begins where the true components are, so that what is told is of the maximum next to the truth, not of how it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.calibration.coverage import LEVELS, Case, Told, held
from benchmarks.calibration.regressions import MANY, Rng, counts_nb, logistic, normal, weibull
from dmlcore.regression import MixtureRegression

NEW_ROWS = 20  # whose responses each fit foretells
TRIALS = 10
COUNTS = ("poisson", "negative_binomial", "binomial")
SCALES = {"gaussian": "standard deviation", "gamma": "dispersion", "negative_binomial": "dispersion", "weibull": "scale"}


@dataclass(frozen=True)
class TrueMixture:
    """Components by falling weight: intercepts `(K,)`, coefficients `(K, 2)`, scales `(K,)`, as `MixtureRegression` has them.

    gate: log odds of component 1 against 0, intercept first, at the first covariate; or None, and weights.
    """

    family: str
    name: str
    intercept: tuple[float, ...]
    coef: tuple[tuple[float, float], ...]
    scale: tuple[float, ...] = ()
    weights: tuple[float, ...] = (1.0,)
    gate: tuple[float, float] | None = None
    n: int = MANY

    @property
    def K(self) -> int:
        """How many components."""
        return len(self.intercept)

    def case(self) -> Case:
        """Tables of one size."""
        title = self.family.replace("_", " ")
        at_least = ("new responses",) if self.family in COUNTS else ()
        return Case(f"mixture of {title}" if self.K > 1 else f"{title}, predicted", self.name, f"{self.n} rows", self.repeat, at_least)

    def draw(self, rng: Rng, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Covariates, components and responses of n rows."""
        x = normal(rng, n)
        of_second = np.full(n, 1.0 - self.weights[0]) if self.gate is None else logistic(self.gate[0] + self.gate[1] * x[:, 0])
        z = (rng.random(n) < of_second).astype(int)
        y = np.zeros(n)
        for k in range(self.K):
            own = z == k
            eta = x[own] @ np.array(self.coef[k]) + self.intercept[k]
            y[own] = RESPONSES[self.family](rng, eta, self.scale[k] if self.scale else 1.0)
        return x, z, y

    def repeat(self, rng: Rng) -> Told:
        """The intervals of its summary; of one component, those of new responses alone."""
        x, z, y = self.draw(rng, self.n)
        model = MixtureRegression(self.K, self.family, random_state=rng)
        model.fit(x, y, start=z if self.K > 1 else None, **self._beside(x))
        return (self._parameters(model) if self.K > 1 else {}) | {"new responses": self._new(rng, model)}

    def _beside(self, x: np.ndarray) -> dict[str, Any]:
        """What a fit, and a prediction, are given beside covariates and responses."""
        trials = {"trials": np.full(len(x), TRIALS)} if self.family == "binomial" else {}
        return trials if self.gate is None else trials | {"gate": x[:, :1]}

    def _new(self, rng: Rng, model: MixtureRegression) -> np.ndarray:
        """How many new responses lie where the fit says that they will."""
        x, _, y = self.draw(rng, NEW_ROWS)
        unit = TRIALS if self.family == "binomial" else 1
        return held(y / unit, {level: model.predict(x, interval=level, **self._beside(x))[1] for level in LEVELS})

    def _parameters(self, model: MixtureRegression) -> Told:
        """How many of the intervals of the summary hold what is true."""
        rows = {level: {(row["part"], row["term"]): row for row in model.summary(level).rows} for level in LEVELS}
        out: Told = {}
        for kind, truth in self._truth().items():
            ends = {level: np.array([[own[place]["low"], own[place]["high"]] for place in truth]) for level, own in rows.items()}
            out[kind] = held(list(truth.values()), ends)
        return out

    def _truth(self) -> dict[str, dict[tuple[str, str], float]]:
        """By kind: by part and term of the summary."""
        parts = [f"component {k}" for k in range(self.K)]
        out = {
            "intercept": {(part, "(intercept)"): value for part, value in zip(parts, self.intercept, strict=True)},
            "coef": {(part, f"x{j}"): own[j] for part, own in zip(parts, self.coef, strict=True) for j in range(2)},
        }
        if self.scale:
            name = SCALES[self.family]
            out[name] = {(part, name): value for part, value in zip(parts, self.scale, strict=True)}
        if self.gate is None:
            return out | {"weight": {(parts[0], "weight"): self.weights[0]}}  # the other says the same
        return out | {"gate intercept": {("gate 1", "(intercept)"): self.gate[0]}, "gate coef": {("gate 1", "z0"): self.gate[1]}}


RESPONSES: dict[str, Callable[[Rng, np.ndarray, float], np.ndarray]] = {
    "gaussian": lambda rng, eta, scale: rng.normal(eta, scale),
    "poisson": lambda rng, eta, scale: rng.poisson(np.exp(eta)),
    "binomial": lambda rng, eta, scale: rng.binomial(TRIALS, logistic(eta)),
    "gamma": lambda rng, eta, scale: rng.gamma(1 / scale, np.exp(eta) * scale),
    "negative_binomial": lambda rng, eta, scale: counts_nb(rng, np.exp(eta), scale),
    "weibull": lambda rng, eta, scale: weibull(rng, eta, 1 / scale),
}

OPPOSED = ((0.6, -0.4), (-0.5, 0.3))
TWO = (0.65, 0.35)
RISING_GATE = (-0.8, 0.7)

MIXTURES = (
    TrueMixture("gaussian", "apart", (-1.0, 2.0), ((1.0, 0.5), (-1.0, 0.5)), (0.7, 0.5), TWO),
    TrueMixture("gaussian", "overlapping", (0.0, 1.0), ((1.0, 0.5), (-0.5, 0.0)), (0.8, 0.6), TWO, n=600),
    TrueMixture("gaussian", "weights by a gate", (-1.0, 1.0), ((1.0, 0.5), (-1.0, 0.5)), (0.7, 0.5), TWO, RISING_GATE, 600),
    TrueMixture("poisson", "apart", (0.5, 2.0), OPPOSED, (), TWO),
    TrueMixture("poisson", "weights by a gate", (0.5, 2.0), OPPOSED, (), TWO, RISING_GATE, 600),
    TrueMixture("binomial", "10 trials", (-1.0, 1.0), OPPOSED, (), TWO),
    TrueMixture("gamma", "apart", (0.0, 1.5), OPPOSED, (0.2, 0.2), TWO),
    TrueMixture("negative_binomial", "apart", (0.5, 3.0), OPPOSED, (0.3, 0.2), TWO, n=600),
    TrueMixture("weibull", "apart", (0.0, 1.5), OPPOSED, (0.4, 0.3), TWO),
)
SINGLE = tuple(
    TrueMixture(family, "new responses", (0.5,), ((0.6, -0.4),), (scale,) if scale else ())
    for family, scale in {"gaussian": 1.2, "poisson": 0.0, "binomial": 0.0, "gamma": 0.5, "negative_binomial": 0.7, "weibull": 0.6}.items()
)
