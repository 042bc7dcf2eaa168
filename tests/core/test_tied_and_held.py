"""Single parameters of leaves that are tied or held: maxima, counts, what they go with, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.optimize import minimize

import dmlcore
from dmlcore import fit
from dmlcore.base.domains import positive, real
from dmlcore.base.errors import KeyClashError, ParameterError, StructureError
from dmlcore.core.declared import name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.flat import flatten, n_parameters, unflatten
from dmlcore.core.parts import free_domains
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Real
from dmlcore.io.json import from_json, to_json
from dmlcore.stats import (
    CompositeEstimator,
    DiagonalGaussianEstimator,
    GammaEstimator,
    GaussianDistribution,
    GaussianEstimator,
    LogGaussianEstimator,
    MixtureEstimator,
    MultivariateGaussianEstimator,
    NegativeBinomialEstimator,
    PoissonEstimator,
    SequenceEstimator,
)
from dmlcore.utils.estimation import optimize
from tests.examples import EXAMPLES, Example

rng = np.random.default_rng(4)
PAIRS = [(float(x), float(y)) for x, y in zip(rng.normal(0, 1, 60), rng.normal(5, 3, 60), strict=True)]
X = np.array(PAIRS)
POSITIVE = [(float(x), float(y)) for x, y in zip(rng.gamma(2, 1.5, 80), rng.gamma(6, 2.0, 80), strict=True)]
COUNTS = [(int(x), int(y)) for x, y in zip(rng.negative_binomial(2, 0.3, 80), rng.negative_binomial(4, 0.1, 80), strict=True)]
TWO = np.r_[rng.normal(0, 1, 60), rng.normal(4, 2, 50)]


def pair(one: Any, other: Any = None) -> Any:
    return CompositeEstimator((one, one if other is None else other))


def highest(log_likelihood: Any, *starts: list[float]) -> float:
    return -min(
        minimize(lambda z: -log_likelihood(z), s, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11}).fun for s in starts
    )


def test_a_tied_variance_is_the_pooled_one_within() -> None:
    law = dmlcore.fit(PAIRS, pair(GaussianEstimator(tied={"sigma2": "s"}))).model
    assert [d.mu for d in law.dists] == pytest.approx(X.mean(axis=0))
    assert [d.sigma2 for d in law.dists] == pytest.approx([X.var(axis=0).mean()] * 2)
    assert n_parameters(law) == len(flatten(law)) == 3


def test_a_tied_mean_is_weighted_by_precisions() -> None:
    found = dmlcore.fit(PAIRS, pair(GaussianEstimator(tied={"mu": "m"})))
    best = highest(
        lambda z: sum(scipy_stats.norm(z[0], np.exp(s)).logpdf(x).sum() for s, x in zip(z[1:], X.T, strict=True)), [0, 0, 2], [4, 2, 1]
    )
    assert found.log_likelihood == pytest.approx(best, abs=1e-6)
    assert found.model.dists[0].mu == found.model.dists[1].mu


@pytest.mark.parametrize(
    ("tied", "log_likelihood"),
    [
        ("theta", lambda z, x: scipy_stats.gamma.logpdf(x, np.exp(z[1]), scale=np.exp(z[0]))),
        ("k", lambda z, x: scipy_stats.gamma.logpdf(x, np.exp(z[0]), scale=np.exp(z[1]))),
    ],
)
def test_gammas_that_share_one_parameter(tied: str, log_likelihood: Any) -> None:
    data = np.array(POSITIVE)
    found = dmlcore.fit(POSITIVE, pair(GammaEstimator(pseudo_count=None, tied={tied: "c"})))
    best = highest(lambda z: sum(log_likelihood((z[0], z[1 + j]), data[:, j]).sum() for j in range(2)), [0.5, 0.5, 1.5])
    assert found.log_likelihood == pytest.approx(best, abs=1e-7)
    assert n_parameters(found.model) == 3


def test_counts_that_share_their_dispersion() -> None:
    data = np.array(COUNTS)

    def log_likelihood(z: Any) -> float:
        r = np.exp(-z[0])
        return float(sum(scipy_stats.nbinom.logpmf(data[:, j], r, r / (r + np.exp(z[1 + j]))).sum() for j in range(2)))

    found = dmlcore.fit(COUNTS, pair(NegativeBinomialEstimator(tied={"dispersion": "c"})))
    assert found.log_likelihood == pytest.approx(highest(log_likelihood, [-1, 1.5, 3.5]), abs=1e-7)


def test_what_is_held_stays_and_the_rest_is_the_best_beside_it() -> None:
    law = dmlcore.fit(TWO, GaussianEstimator(held={"mu": 1.0})).model
    assert (law.mu, law.sigma2) == (1.0, pytest.approx(((TWO - 1) ** 2).mean()))
    data = np.array(POSITIVE)[:, 0]
    law = dmlcore.fit(data, GammaEstimator(held={"k": 2.0})).model
    assert (law.k, law.theta) == (2.0, pytest.approx(data.mean() / 2, rel=1e-9))
    law = dmlcore.fit(data, GammaEstimator(held={"theta": 1.0})).model
    assert law.theta == 1.0
    assert scipy_stats.gamma.logpdf(data, law.k).sum() >= max(scipy_stats.gamma.logpdf(data, law.k + e).sum() for e in (-1e-4, 1e-4))
    assert n_parameters(law) == len(flatten(law)) == 1


def test_vectors() -> None:
    rows = [(x, y) for x, y in zip(rng.normal(size=(60, 2)), rng.normal(1, 2, size=(60, 2)), strict=True)]
    one, other = (np.array(part) for part in zip(*rows, strict=True))
    law = dmlcore.fit(rows, pair(MultivariateGaussianEstimator(tied={"covar": "c"}))).model
    assert law.dists[0].covar == pytest.approx((np.cov(one.T, bias=True) + np.cov(other.T, bias=True)) / 2)
    law = dmlcore.fit(rows, pair(DiagonalGaussianEstimator(tied={"covar": "c"}))).model
    assert law.dists[1].covar == pytest.approx((one.var(axis=0) + other.var(axis=0)) / 2)
    law = dmlcore.fit(list(one), MultivariateGaussianEstimator(held={"mu": [1.0, 0.0]})).model
    assert law.covar == pytest.approx((one - [1.0, 0.0]).T @ (one - [1.0, 0.0]) / 60)


def test_a_key_reaches_across_the_tree() -> None:
    rows = [(a, [b, b + 1.0]) for a, b in PAIRS]
    leaf = GaussianEstimator(tied={"sigma2": "s"})
    found = dmlcore.fit(rows, CompositeEstimator((MixtureEstimator([leaf, leaf]), SequenceEstimator(leaf))), rng=1)
    first, second = found.model.dists
    assert len({*(c.sigma2 for c in first.components), second.dist.sigma2}) == 1
    assert found.status == "converged"


def test_components_of_a_mixture_and_its_flat_vector_file_and_errors() -> None:
    found = dmlcore.fit(TWO, MixtureEstimator([GaussianEstimator(tied={"sigma2": "s"})] * 2), rng=1)
    law = found.model
    assert found.status == "converged"
    assert n_parameters(law) == 4
    assert unflatten(flatten(law), law) == law
    moved = unflatten(flatten(law) + 0.1, law)
    assert moved.components[0].sigma2 == moved.components[1].sigma2 == pytest.approx(law.components[0].sigma2 * np.exp(0.1))
    assert from_json(to_json(law)) == law
    assert from_json(to_json(found.estimator)) == found.estimator
    assert eval(repr(law), dict(vars(dmlcore.stats))) == law
    assert law.estimator() == found.estimator
    errors = dmlcore.standard_errors(found.model, TWO)
    assert "sigma2" in str(errors)
    assert optimize(TWO, found.estimator, prev_estimate=law, out=None) is not None


def test_a_step_is_never_downhill_with_priors() -> None:
    for leaf in (
        GaussianEstimator((1.0, 2.0), tied={"sigma2": "s"}),
        GaussianEstimator((1.0, 2.0), tied={"mu": "s"}),
        GaussianEstimator((2.0, 1.0), held={"mu": 1.0}),
    ):
        start = MixtureEstimator([leaf] * 3)
        record = dmlcore.fit(TWO, start, rng=2, starts=2)
        assert record.status in ("converged", "degenerate"), record.message


def test_a_start_without_the_ties_is_taken() -> None:
    start = dmlcore.fit(TWO, MixtureEstimator([GaussianEstimator()] * 2), rng=1).model
    found = dmlcore.fit(TWO, MixtureEstimator([GaussianEstimator(tied={"sigma2": "s"})] * 2), start=start)
    assert found.status == "converged"
    assert found.model.components[0].sigma2 == found.model.components[1].sigma2


def test_what_is_refused() -> None:
    with pytest.raises(ParameterError, match="no parameter 'sigma'; there are mu, sigma2"):
        GaussianEstimator(tied={"sigma": "s"})
    with pytest.raises(ParameterError, match="'mu' is both tied and held"):
        GaussianEstimator(tied={"mu": "s"}, held={"mu": 0.0})
    with pytest.raises(ParameterError, match="held sigma2 must be positive"):
        GaussianEstimator(held={"sigma2": -1.0})
    with pytest.raises(ParameterError, match=r"mu is held at 1\.0, got 0\.0"):
        GaussianDistribution(0.0, 1.0, held={"mu": 1.0})
    with pytest.raises(ParameterError, match="made of others"):
        MixtureEstimator([GaussianEstimator()], tied={"w": "s"})
    with pytest.raises(ParameterError, match="rounding"):
        LogGaussianEstimator(rounding=0.1, held={"mu": 0.0})
    with pytest.raises(KeyClashError, match="ties mu of a gaussian to lam of a poisson"):
        dmlcore.fit([(1.0, 1)], pair(GaussianEstimator(tied={"mu": "s"}), PoissonEstimator(tied={"lam": "s"})))
    with pytest.raises(StructureError, match="no log_likelihood"):
        dmlcore.fit([1.0, 2.0, 4.0], PlainEstimator(held={"mu": 2.0}))


class PlainDistribution(Distribution):
    mu: float = parameter(real)
    sigma2: float = parameter(positive)
    name: str | None = name()

    kind = Real


class PlainEstimator(Estimator):
    name: str | None = name()

    family = PlainDistribution

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Any:
        return Sums(count=weights.sum(), x=weights @ x)

    def estimate(self, statistics: Any, previous: Any = None) -> Any:
        return self.law(mu=statistics.x / statistics.count, sigma2=1.0)


LEAVES = {type(e.law): e for e in reversed(EXAMPLES) if not e.law.children()}


@pytest.mark.filterwarnings("ignore::dmlcore.base.errors.FitWarning")
@pytest.mark.parametrize("e", LEAVES.values(), ids=lambda e: e.name.replace(" ", "_"))
def test_any_parameter_of_any_leaf_is_tied_and_held_or_refused_in_words(e: Example) -> None:
    rows, refused = e.data(80), []
    for field in free_domains(type(e.law)):
        value = e.law.stored(field)
        for parts in ({"tied": {field: "k"}}, {"held": {field: value}}):
            try:
                estimator = MixtureEstimator([e.law.estimator().replace(**parts)] * 2)
                model: Any = fit(rows, estimator, rng=0, starts=1, max_its=2).model
            except (ParameterError, StructureError) as error:
                refused.append(str(error))
                continue
            one, other = (np.ravel(component.stored(field)) for component in model.components)
            np.testing.assert_allclose(one, np.ravel(value) if "held" in parts else other, rtol=1e-12)
    assert all(any(word in said for word in ("tied", "held", "there is no parameter")) for said in refused), refused
