"""True models of regression: laws of this library with their parameters, and responses drawn from them by NumPy alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.calibration.coverage import LEVELS, Case, Told, held
from benchmarks.calibration.one_large import ROWS, Large
from dmlcore import fit, standard_errors
from dmlcore.inference.parameters import named_numbers
from dmlcore.stats import (
    BetaRegressionDistribution,
    BetaRegressionEstimator,
    CensoredDistribution,
    CensoredEstimator,
    GammaRegressionDistribution,
    GammaRegressionEstimator,
    HurdleDistribution,
    HurdleEstimator,
    LinearMixedRegressionDistribution,
    LinearMixedRegressionEstimator,
    LinearRegressionDistribution,
    LinearRegressionEstimator,
    LogisticRegressionDistribution,
    LogisticRegressionEstimator,
    MultinomialLogisticRegressionDistribution,
    MultinomialLogisticRegressionEstimator,
    NegativeBinomialRegressionDistribution,
    NegativeBinomialRegressionEstimator,
    OrdinalRegressionDistribution,
    OrdinalRegressionEstimator,
    PoissonRegressionDistribution,
    PoissonRegressionEstimator,
    TruncatedDistribution,
    TruncatedEstimator,
    WeibullRegressionDistribution,
    WeibullRegressionEstimator,
    ZeroInflatedDistribution,
    ZeroInflatedEstimator,
)

Rng = np.random.Generator
COEF, INTERCEPT = np.array([0.6, -0.4]), 0.5
LINE = {"coef": COEF, "intercept": INTERCEPT}
GATE = {"coef": np.array([-0.8, 0.5]), "intercept": -0.7}
MANY, FEW = 300, 60  # rows
SMALL = 100  # rows or groups, of which fewer are few
PER_GROUP = 5
GRADES = ("low", "middle", "high", "very high")


@dataclass(frozen=True)
class Truth:
    """A law, what fits it, and how rows are drawn. sizes: of tables, in rows (or groups). only: the parameters that the law has where it is
    but an approximation. options: of `standard_errors`, from the rows."""

    family: str
    name: str
    law: Any
    estimator: Any
    draw: Callable[[Rng, int], list[Any]]
    sizes: tuple[int, ...] = (MANY,)
    only: str = ""
    options: Callable[[list[Any]], dict[str, Any]] = field(default=lambda rows: {})
    unit: str = "rows"

    def cases(self) -> Iterator[Case]:
        """One for each size."""
        for size in self.sizes:
            yield Case(self.family, self.name, f"{size} {self.unit}", lambda rng, n=size: self.repeat(rng, n), small=size < SMALL)

    def repeat(self, rng: Rng, n: int) -> Told:
        """The intervals of `standard_errors(fit(rows, estimator), rows)`."""
        rows = self.draw(rng, n)
        errors = standard_errors(fit(rows, self.estimator, rng=rng), rows, **self.options(rows))
        truth = named_numbers(self.law)
        intervals = {level: errors.interval(level) for level in LEVELS}
        places: dict[str, list[int]] = {}
        for i, name in enumerate(errors.names):
            if re.search(self.only, name):
                places.setdefault(kind_of(name), []).append(i)
        return {
            kind: held([truth[errors.names[i]] for i in own], {level: ends[own] for level, ends in intervals.items()})
            for kind, own in places.items()
        }


def large(truth: Truth, rng: Rng) -> Large:
    """What one large table says of estimates and their errors."""
    rows = truth.draw(rng, ROWS if truth.unit == "rows" else ROWS // PER_GROUP)
    found = fit(rows, truth.estimator, rng=rng)
    observed, robust = (standard_errors(found, rows, kind=kind) for kind in ("observed", "sandwich"))
    true = np.array([named_numbers(truth.law)[name] for name in observed.names])
    return Large((observed.estimates - true) / observed.errors, observed.errors / robust.errors)


def kind_of(name: str) -> str:
    """What a parameter is called in the table: `gate.coef[0]` is one of the "gate coef"."""
    last = re.sub(r"\[.*", "", name.rpartition(".")[2])
    return f"gate {last}" if name.startswith("gate") else last


# -- covariates ------------------------------------------------------------------------------------------------------------


def normal(rng: Rng, n: int) -> np.ndarray:
    return rng.normal(size=(n, 2))


def uneven(rng: Rng, n: int) -> np.ndarray:
    """A group that three in ten belong to, and an exponential number."""
    return np.column_stack([rng.random(n) < 0.3, rng.exponential(size=n)]).astype(np.float64)


def shares(rng: Rng, n: int) -> np.ndarray:
    return rng.random((n, 2))


DESIGNS = {"normal covariates": normal, "a binary and a skewed covariate": uneven}


def eta_of(x: np.ndarray, line: dict[str, Any] = LINE) -> np.ndarray:
    """The linear predictor."""
    return x @ line["coef"] + line["intercept"]


def logistic(eta: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-eta))


def rows_of(x: np.ndarray, *more: Any) -> list[Any]:
    """`(x, ...)`, as plain values."""
    return list(zip(x.tolist(), *(part.tolist() if isinstance(part, np.ndarray) else part for part in more), strict=True))


# -- one response given its linear predictor -------------------------------------------------------------------------------


def counts_nb(rng: Rng, mean: np.ndarray, dispersion: float) -> np.ndarray:
    """Negative binomial: Poisson counts with gamma means."""
    return rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, len(mean)))


def weibull(rng: Rng, eta: np.ndarray, shape: float) -> np.ndarray:
    return np.exp(eta) * rng.weibull(shape, len(eta))


def beta(rng: Rng, eta: np.ndarray, precision: float) -> np.ndarray:
    mean = logistic(eta)
    return rng.beta(mean * precision, (1 - mean) * precision)


def levels(rng: Rng, eta: np.ndarray, cutpoints: np.ndarray, noise: Callable[..., np.ndarray]) -> list[str]:
    """Labels by where `eta` and noise lie between cutpoints."""
    return [GRADES[i] for i in np.searchsorted(cutpoints, eta + noise(size=len(eta))).tolist()]


def above(rng: Rng, n: int, draw: Callable[[np.ndarray], np.ndarray], least: float) -> np.ndarray:
    """Draws that are at least so much: others are drawn again."""
    out = draw(np.arange(n))
    while (low := np.flatnonzero(out < least)).size:
        out[low] = draw(low)
    return out


# -- the truths --------------------------------------------------------------------------------------------------------------

SIMPLE: dict[str, tuple[Any, Any, Callable[[Rng, np.ndarray], Any]]] = {
    "linear": (
        LinearRegressionDistribution(**LINE, sigma2=1.5),
        LinearRegressionEstimator(),
        lambda rng, eta: rng.normal(eta, 1.5**0.5),
    ),
    "logistic": (
        LogisticRegressionDistribution(**LINE),
        LogisticRegressionEstimator(),
        lambda rng, eta: (rng.random(len(eta)) < logistic(eta)).astype(int),
    ),
    "Poisson": (PoissonRegressionDistribution(**LINE), PoissonRegressionEstimator(), lambda rng, eta: rng.poisson(np.exp(eta))),
    "gamma": (
        GammaRegressionDistribution(**LINE, shape=2.0),
        GammaRegressionEstimator(),
        lambda rng, eta: rng.gamma(2.0, np.exp(eta) / 2.0),
    ),
    "negative binomial": (
        NegativeBinomialRegressionDistribution(**LINE, dispersion=0.7),
        NegativeBinomialRegressionEstimator(),
        lambda rng, eta: counts_nb(rng, np.exp(eta), 0.7),
    ),
    "Weibull": (
        WeibullRegressionDistribution(**LINE, shape=1.5),
        WeibullRegressionEstimator(),
        lambda rng, eta: weibull(rng, eta, 1.5),
    ),
    "beta": (BetaRegressionDistribution(**LINE, precision=6.0), BetaRegressionEstimator(), lambda rng, eta: beta(rng, eta, 6.0)),
}


def simple() -> Iterator[Truth]:
    """One response with one linear predictor, with both kinds of covariates."""
    for family, (law, estimator, respond) in SIMPLE.items():
        for name, design in DESIGNS.items():

            def draw(rng: Rng, n: int, design: Any = design, respond: Any = respond) -> list[Any]:
                x = design(rng, n)
                return rows_of(x, respond(rng, eta_of(x)))

            yield Truth(family, name, law, estimator, draw, (MANY, FEW) if design is normal else (MANY,))


def with_more() -> Iterator[Truth]:
    """Rows with trials or offsets, and other links."""

    def trials(rng: Rng, n: int) -> list[Any]:
        x, count = normal(rng, n), rng.integers(1, 9, n)
        return rows_of(x, rng.binomial(count, logistic(eta_of(x))), count)

    def exposed(rng: Rng, n: int) -> list[Any]:
        x, hours = uneven(rng, n), rng.uniform(0.5, 4, n)
        return rows_of(x, rng.poisson(hours * np.exp(eta_of(x))), np.log(hours))

    def inverse(rng: Rng, n: int) -> list[Any]:
        x = shares(rng, n)
        return rows_of(x, rng.gamma(3.0, 1 / (3.0 * eta_of(x, rising))))

    rising = {"coef": np.array([0.6, 0.8]), "intercept": 0.5}
    law = LogisticRegressionDistribution(**LINE, trials=True)
    yield Truth("logistic", "1 to 8 trials", law, LogisticRegressionEstimator(trials=True), trials)
    yield Truth(
        "Poisson", "exposures", PoissonRegressionDistribution(**LINE, offset=True), PoissonRegressionEstimator(offset=True), exposed
    )
    law = GammaRegressionDistribution(**rising, shape=3.0, link="inverse")
    yield Truth("gamma", "inverse link", law, GammaRegressionEstimator(link="inverse"), inverse)


def of_labels() -> Iterator[Truth]:
    """Multinomial and ordinal."""
    coef, intercept, labels = np.array([[0.8, -0.4], [-0.5, 0.7]]), np.array([0.3, -0.2]), ("a", "b", "c")
    cutpoints, order = np.array([-1.0, 0.4, 1.8]), GRADES
    for name, design in DESIGNS.items():

        def draw(rng: Rng, n: int, design: Any = design) -> list[Any]:
            x = design(rng, n)
            odds = np.column_stack([np.zeros(n), x @ coef.T + intercept]) + rng.gumbel(size=(n, 3))
            return rows_of(x, [labels[i] for i in odds.argmax(axis=1).tolist()])

        law: Any = MultinomialLogisticRegressionDistribution(coef, intercept, labels)
        sizes = (MANY, FEW) if design is normal else (MANY,)
        yield Truth("multinomial", name, law, MultinomialLogisticRegressionEstimator(labels=labels), draw, sizes)
    for link, design in (("logit", normal), ("probit", uneven)):

        def ordered(rng: Rng, n: int, link: str = link, design: Any = design) -> list[Any]:
            x = design(rng, n)
            return rows_of(x, levels(rng, x @ COEF, cutpoints, rng.logistic if link == "logit" else rng.normal))

        law = OrdinalRegressionDistribution(COEF, cutpoints, order, link)
        sizes = (MANY, FEW) if design is normal else (MANY,)
        yield Truth("ordinal", link, law, OrdinalRegressionEstimator(labels=order, link=link), ordered, sizes)


def within_bounds() -> Iterator[Truth]:
    """Censored and truncated responses."""

    def lasting(rng: Rng, n: int) -> list[Any]:
        x = normal(rng, n)
        time, end = weibull(rng, eta_of(x), 1.5), rng.exponential(3.0, n)
        return rows_of(x, [t if t <= c else (c, None) for t, c in zip(time.tolist(), end.tolist(), strict=True)])

    def tobit(rng: Rng, n: int) -> list[Any]:
        x = uneven(rng, n)
        return rows_of(x, [y if y > 0 else (None, 0.0) for y in rng.normal(eta_of(x), 1.0).tolist()])

    def counted(rng: Rng, n: int) -> list[Any]:
        x = normal(rng, n)
        mean = np.exp(eta_of(x))
        return rows_of(x, above(rng, n, lambda i: rng.poisson(mean[i]), 1))

    def seen(rng: Rng, n: int) -> list[Any]:
        x = normal(rng, n)
        mean = eta_of(x) + 0.5
        return rows_of(x, above(rng, n, lambda i: rng.normal(mean[i], 1.0), 0.0))

    weibulls, lines = WeibullRegressionDistribution(**LINE, shape=1.5), LinearRegressionDistribution(**LINE, sigma2=1.0)
    law: Any = CensoredDistribution(weibulls)
    yield Truth("Weibull", "a third or so censored", law, CensoredEstimator(WeibullRegressionEstimator()), lasting, (MANY, FEW))
    yield Truth("linear", "censored at 0 (tobit)", CensoredDistribution(lines), CensoredEstimator(LinearRegressionEstimator()), tobit)
    law = TruncatedDistribution(PoissonRegressionDistribution(**LINE), 1)
    yield Truth("truncated", "Poisson, without zeros", law, TruncatedEstimator(PoissonRegressionEstimator(), 1), counted, (MANY, FEW))
    law = TruncatedDistribution(LinearRegressionDistribution(COEF, INTERCEPT + 0.5, 1.0), 0.0)
    yield Truth("truncated", "linear, above 0", law, TruncatedEstimator(LinearRegressionEstimator(), 0.0), seen)


def with_zeros() -> Iterator[Truth]:
    """Zero-inflated and hurdle laws, with and without covariates of the zeros."""

    def inflated(rng: Rng, n: int) -> list[Any]:
        x = normal(rng, n)
        y = np.where(rng.random(n) < logistic(eta_of(x, GATE)), 0, rng.poisson(np.exp(eta_of(x) + 0.5)))
        return rows_of(x, rows_of(x, y))

    def inflated_nb(rng: Rng, n: int) -> list[Any]:
        x = uneven(rng, n)
        return rows_of(x, np.where(rng.random(n) < 0.3, 0, counts_nb(rng, np.exp(eta_of(x) + 1.0), 0.4)))

    def hurdle(rng: Rng, n: int) -> list[Any]:
        x = normal(rng, n)
        mean = np.exp(eta_of(x))
        return rows_of(x, np.where(rng.random(n) < 0.35, 0, above(rng, n, lambda i: rng.poisson(mean[i]), 1)))

    def two_parts(rng: Rng, n: int) -> list[Any]:
        x = normal(rng, n)
        y = np.where(rng.random(n) < logistic(eta_of(x, GATE)), 0.0, rng.gamma(2.0, np.exp(eta_of(x)) / 2.0))
        return rows_of(x, rows_of(x, y))

    gate, gates = LogisticRegressionDistribution(**GATE), LogisticRegressionEstimator()
    law: Any = ZeroInflatedDistribution(PoissonRegressionDistribution(COEF, INTERCEPT + 0.5), gate=gate)
    yield Truth("zero-inflated", "Poisson, gate", law, ZeroInflatedEstimator(PoissonRegressionEstimator(), gates), inflated, (MANY, FEW))
    law = ZeroInflatedDistribution(NegativeBinomialRegressionDistribution(COEF, INTERCEPT + 1.0, 0.4), 0.3)
    estimator: Any = ZeroInflatedEstimator(NegativeBinomialRegressionEstimator())
    yield Truth("zero-inflated", "negative binomial, 30%", law, estimator, inflated_nb, (MANY, 1000))
    law = HurdleDistribution(PoissonRegressionDistribution(**LINE), 0.35)
    yield Truth("hurdle", "Poisson, 35%", law, HurdleEstimator(PoissonRegressionEstimator()), hurdle, (MANY, FEW))
    law = HurdleDistribution(GammaRegressionDistribution(**LINE, shape=2.0), gate=gate)
    yield Truth("hurdle", "gamma, gate", law, HurdleEstimator(GammaRegressionEstimator(), gates), two_parts)


def of_groups() -> Iterator[Truth]:
    """Random effects."""
    for name, random, covar in (
        ("random intercept", ("intercept",), np.array([[1.0]])),
        ("random intercept and slope", ("intercept", 0), np.array([[1.0, 0.3], [0.3, 0.6]])),
    ):

        def draw(rng: Rng, n: int, covar: np.ndarray = covar) -> list[Any]:
            out = []
            for b in rng.multivariate_normal(np.zeros(len(covar)), covar, n):
                x = normal(rng, PER_GROUP)
                z = np.column_stack([np.ones(PER_GROUP), x])[:, : len(covar)]
                out.append(rows_of(x, eta_of(x) + z @ b + rng.normal(size=PER_GROUP)))
            return out

        law = LinearMixedRegressionDistribution(**LINE, sigma2=1.0, covar=covar, random=random)
        estimator = LinearMixedRegressionEstimator(random)
        yield Truth("mixed", name, law, estimator, draw, (100, 30), unit=f"groups of {PER_GROUP}")


def approximate() -> Iterator[Truth]:
    """Where the law is but an approximation: sandwich errors, and those of clusters."""

    def uneven_noise(rng: Rng, n: int) -> list[Any]:
        x = normal(rng, n)
        return rows_of(x, rng.normal(eta_of(x), 0.5 + np.abs(x[:, 0])))

    def overdispersed(rng: Rng, n: int) -> list[Any]:
        x = uneven(rng, n)
        return rows_of(x, counts_nb(rng, np.exp(eta_of(x)), 0.5))

    def clustered(rng: Rng, n: int) -> list[Any]:
        x = normal(rng, n)
        x[:, 0] = np.repeat(x[::PER_GROUP, 0], PER_GROUP)
        return rows_of(x, rng.normal(eta_of(x) + np.repeat(rng.normal(size=n // PER_GROUP), PER_GROUP), 1.0))

    def clusters(rows: list[Any]) -> dict[str, Any]:
        return {"clusters": np.arange(len(rows)) // PER_GROUP}

    only, line, counts = "coef|intercept", LinearRegressionDistribution(**LINE, sigma2=1.0), PoissonRegressionDistribution(**LINE)
    for name, law, estimator, draw, options, sizes in (
        ("uneven noise, sandwich", line, LinearRegressionEstimator(), uneven_noise, sandwich, (MANY, FEW)),
        ("Poisson of overdispersed counts, sandwich", counts, PoissonRegressionEstimator(), overdispersed, sandwich, (MANY,)),
        (f"clusters of {PER_GROUP} rows", line, LinearRegressionEstimator(), clustered, clusters, (1000, MANY, FEW)),
    ):
        yield Truth("robust errors", name, law, estimator, draw, sizes, only, options)


def sandwich(rows: list[Any]) -> dict[str, Any]:
    return {"kind": "sandwich"}


def truths() -> Iterator[Truth]:
    """All of one component."""
    for some in (simple, with_more, of_labels, within_bounds, with_zeros, of_groups, approximate):
        yield from some()
