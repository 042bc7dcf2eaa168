"""The problems: data, estimator and best known optimum, by name; made by NumPy alone, so that every system can read them.

To add one, write a function that gives its rows and a line in `PROBLEMS`, then find its optimum: `python -m benchmarks.convergence --find`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import Spec, build, composites, joint, law

HERE = Path(__file__).resolve().parent
REFERENCE = HERE.parents[1] / "tests" / "reference"
OPTIMA = HERE / "best_known.json"
TOLERANCE = 1e-4  # of the log likelihood: how near to the best known optimum a call must end


@dataclass(frozen=True)
class Problem:
    """Rows to fit by maximum likelihood, and the estimator of the model.

    spec: the estimator as plain values (`benchmarks.workloads.law`). optimum: the name of the problem that has the same best
    optimum, if it is not its own.
    """

    name: str
    what: str
    make: Callable[[], Any]
    spec: Spec
    optimum: str = ""

    @cached_property
    def rows(self) -> Any:
        """The observations: a list, or a matrix."""
        return self.make()

    @cached_property
    def known(self) -> dict[str, Any]:
        """The best known optimum, as `best_known.json` has it; `{}` before `--find`."""
        found = json.loads(OPTIMA.read_text(encoding="utf-8")) if OPTIMA.exists() else {}
        out: dict[str, Any] = found.get(self.optimum or self.name, {})
        return out

    @property
    def best(self) -> float:
        """Log likelihood of the best known optimum; NaN before `--find`."""
        return float(self.known.get("log_likelihood", np.nan))

    @property
    def within(self) -> float:
        """How many nats from `best` still count as found."""
        return TOLERANCE * abs(self.best)

    def estimator(self) -> Any:
        """The estimator, in dmlcore."""
        from dmlcore import stats

        return build(self.spec, stats, "Estimator")


def reference(case: str) -> dict[str, Any]:
    """One of the files of reference values that the tests read."""
    out: dict[str, Any] = json.loads((REFERENCE / f"{case}.json").read_text(encoding="utf-8"))
    return out


def composite_rows() -> Any:
    """The 1,000 rows of the composite mixture: a real, a count or None, a list of letters, a list of distinct letters."""
    return [(x, count, list(letters), list(members)) for x, count, letters, members in reference("composite_mixture_4_fields")["data"]]


def fresh_composite_rows() -> Any:
    """2,000 rows of the same law."""
    return composites(2000, 3, np.random.default_rng(2002)).rows


def sequences() -> Any:
    """1,000 sequences of five reals from four mixtures of three shared Gaussians."""
    rng = np.random.default_rng(1003)
    taus = np.array([[0.34, 0.33, 0.33], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    which = rng.choice(4, size=1000, p=[0.4, 0.2, 0.2, 0.2])
    topic = (rng.random((1000, 5, 1)) > np.cumsum(taus, axis=1)[which][:, None, :]).sum(axis=2).clip(max=2)
    return (np.array([-5.0, 0.0, 5.0])[topic] + rng.standard_normal((1000, 5))).tolist()


def pairs() -> Any:
    """9,000 rows of the joint mixture: (label, real) and a sequence of reals."""
    return joint(9000, np.random.default_rng(1004)).rows


def positive_reals() -> Any:
    """10,000 draws of 0.1 Exponential(5) + 0.3 Exponential(10) + 0.6 LogGaussian(0.5, 1)."""
    rng = np.random.default_rng(1005)
    z = rng.choice(3, size=10_000, p=[0.1, 0.3, 0.6])
    return np.choose(z, [rng.exponential(5.0, 10_000), rng.exponential(10.0, 10_000), rng.lognormal(0.5, 1.0, 10_000)])


def counts() -> Any:
    """10,000 draws of half a Poisson(1), half 0 to 9 with 95% on seven and the rest even."""
    rng = np.random.default_rng(1006)
    others = rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 9], size=10_000)
    spiked = np.where(rng.random(10_000) < 0.95, 7, others)
    return np.where(rng.random(10_000) < 0.5, spiked, rng.poisson(1.0, 10_000)).tolist()


def two_gaussians() -> Any:
    """The 5,000 reals of the first mixture of the notebook, drawn as it draws them."""
    rng = np.random.RandomState(1)
    return np.array([rng.normal(loc=5, scale=1) if rng.rand() <= 0.3 else rng.normal(loc=15, scale=1) for _ in range(5000)])


def three_bivariate() -> Any:
    """The 2,000 points of its bivariate mixture, training and validation rows together."""
    case = reference("mvn_mixture_2d")
    return np.array(case["train"] + case["valid"])


def faithful() -> Any:
    """Old Faithful: 272 eruptions and waiting times, in minutes."""
    return np.array(reference("sklearn_gmm_faithful")["X"])


def iris() -> Any:
    """Fisher's 150 irises: four lengths in cm."""
    with open(HERE / "data" / "iris.csv", newline="", encoding="utf-8") as file:
        return np.array([row[:4] for row in list(csv.reader(file))[1:]], dtype=float)


def galaxies() -> Any:
    """The speeds of 82 galaxies, 1,000 km/s."""
    return np.array(reference("galaxies")["x"])


def two_gammas() -> Any:
    """400 draws of two gamma laws of shape 20 and means 1 and 10."""
    rng = np.random.default_rng(1007)
    return np.concatenate([rng.gamma(20, 1 / 20, 200), rng.gamma(20, 10 / 20, 200)])


def banknotes() -> Any:
    """200 Swiss banknotes, six lengths in mm (Flury and Riedwyl 1988)."""
    with open(HERE / "data" / "banknote.csv", newline="", encoding="utf-8") as file:
        return np.array(list(csv.reader(file))[1:], dtype=float)


def countries() -> Any:
    """28 countries: gross national product, and CO2."""
    case = reference("co2_gnp")
    return [([x], y) for x, y in zip(case["gnp"], case["co2"], strict=True)]


def patents() -> Any:
    """70 firms: the log of research and development and its square, and patents."""
    case = reference("flexmix_patent")
    return [([x, x * x], y) for x, y in zip(case["lgRD"], case["y"], strict=True)]


def beetles() -> Any:
    """27 counts of beetles of 50: replicate, then two of three species, the count and 50."""
    case = reference("flexmix_tribolium")
    columns = (case["replicate"], case["confusum"], case["madens"], case["y"], case["n"])
    return [([float(z)], ([float(c), float(m)], y, n)) for z, c, m, y, n in zip(*columns, strict=True)]


COMPOSITE = composites(0, 3, np.random.default_rng(0)).estimator
HIERARCHICAL = law("HierarchicalMixture", [law("Gaussian")] * 3, 4)
KEYED = law("Mixture", [law("Sequence", law("Mixture", [law("Gaussian")] * 3, keys=(None, "comps")))] * 4)
JOINT = joint(1, np.random.default_rng(0)).estimator
CONTINUOUS = law("HeterogeneousMixture", [law("Exponential"), law("Exponential"), law("LogGaussian")])
DISCRETE = law("HeterogeneousMixture", [law("SpikeAndSlab"), law("Poisson")])
LINES = law("Mixture", [law("LinearRegression", tied={"sigma2": "s"})] * 3, fixed_weights=[1 / 3] * 3)
PATENTS = law("Mixture", [law("PoissonRegression")] * 3)
SPECIES = {"confusum": "c", "madens": "m"}
BEETLES = law("GatedMixture", [law("LogisticRegression", trials=True, names=list(SPECIES), tied=SPECIES)] * 3)


def vectors(K: int, d: int) -> Spec:
    """A mixture of Gaussians with full covariances."""
    return law("Mixture", [law("MultivariateGaussian", dim=d)] * K)


ALL = [
    Problem("composite", "composite mixture of four fields, K=3, 1,000 rows", composite_rows, COMPOSITE),
    Problem("composite fresh", "the same model, 2,000 fresh rows", fresh_composite_rows, COMPOSITE),
    Problem("hierarchical", "hierarchical mixture, 3 topics, 4 mixtures, 1,000 sequences", sequences, HIERARCHICAL),
    Problem("keyed", "the same law, as a mixture of sequences of keyed mixtures", sequences, KEYED, optimum="hierarchical"),
    Problem("joint", "joint mixture, 3 x 3, 9,000 rows", pairs, JOINT),
    Problem("heterogeneous continuous", "two exponentials and a log Gaussian, 10,000 rows", positive_reals, CONTINUOUS),
    Problem("heterogeneous discrete", "a spike and slab and a Poisson, 10,000 rows", counts, DISCRETE),
    Problem("gaussians", "two Gaussians, 5,000 rows", two_gaussians, law("Mixture", [law("Gaussian")] * 2)),
    Problem("bivariate", "three bivariate Gaussians, 2,000 rows", three_bivariate, vectors(3, 2)),
    *(Problem(f"galaxies {K}", f"galaxies, {K} Gaussians", galaxies, law("Mixture", [law("Gaussian")] * K)) for K in (3, 4)),
    Problem("gammas", "two gamma laws, 400 rows", two_gammas, law("Mixture", [law("Gamma")] * 2)),
    Problem("banknote 3", "Swiss banknotes, 3 full-covariance Gaussians", banknotes, vectors(3, 6)),
    Problem("lines", "CO2 and GNP, three lines, one variance, equal weights, 28 rows", countries, LINES),
    Problem("patents", "flexmix's patent data, three Poisson regressions with a square", patents, PATENTS),
    Problem("beetles", "flexmix's tribolium, three binomial regressions under a gate", beetles, BEETLES),
    *(Problem(f"iris {K}", f"iris, {K} full-covariance Gaussians", iris, vectors(K, 4)) for K in (2, 3, 4, 5)),
    *(Problem(f"faithful {K}", f"Old Faithful, {K} full-covariance Gaussians", faithful, vectors(K, 2)) for K in (2, 3, 4, 5)),
]
PROBLEMS = {problem.name: problem for problem in ALL}
