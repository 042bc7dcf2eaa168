"""Gaussians whose covariances have one of the fourteen structures: against mclust, other formulas, and figures that are published."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

import dmlcore
from dmlcore.base.errors import DegenerateError, ParameterError, StructureError
from dmlcore.core.flat import flatten, n_parameters, unflatten
from dmlcore.selection.sweep import select
from dmlcore.stats import (
    CategoricalEstimator,
    ConditionalDistributionEstimator,
    DiagonalGaussianEstimator,
    GaussianEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianDistribution,
    MultivariateGaussianEstimator,
    PartialGaussianEstimator,
    PartialStructuredGaussianEstimator,
    SemiSupervisedMixtureEstimator,
    StructuredGaussianDistribution,
    StructuredGaussianEstimator,
)
from dmlcore.stats.multivariate.covariance_structures import COVARIANCE_STRUCTURES, maximal
from tests.examples import AXES
from tests.reference import load

DIABETES = load("mclust_diabetes")
X = np.array(DIABETES["data"], dtype=np.float64)
rng = np.random.default_rng(2)


def posteriors(fit: Any) -> np.ndarray:
    """Of the rows, at the parameters that mclust found."""
    laws = [MultivariateGaussianDistribution(mean, sigma) for mean, sigma in zip(fit["mean"], fit["sigma"], strict=True)]
    return MixtureDistribution(laws, fit["pro"]).seq_posterior(X)


@pytest.mark.parametrize("structure", COVARIANCE_STRUCTURES)
def test_mclust_three_components_on_diabetes(structure: str) -> None:
    theirs = DIABETES["fits"][structure]
    found = dmlcore.fit(X, MixtureEstimator([StructuredGaussianEstimator(3, structure)] * 3), start=posteriors(theirs))
    assert found.status == "converged"
    assert n_parameters(found.model) == len(flatten(found.model)) == theirs["df"]
    if structure == "VVE":  # where mclust stopped is no maximum: the same path goes on to one that is 35 higher
        assert found.log_likelihood > theirs["loglik"] + 35
    else:
        assert found.log_likelihood == pytest.approx(theirs["loglik"], abs=1e-5)
        assert np.array([c.covar for c in found.model.components]) == pytest.approx(np.array(theirs["sigma"]), rel=1e-2, abs=1.0)


@pytest.mark.parametrize("structure", COVARIANCE_STRUCTURES)
def test_the_maximum_is_one(structure: str) -> None:
    """No small change of the flat parameters, what is common changed in all, is better."""
    scatter = np.array([a @ a.T for a in rng.normal(size=(3, 3, 9))]) * [[[9.0]], [[20.0]], [[3.0]]]
    count = np.array([50.0, 90.0, 20.0])
    found = maximal(scatter, count, structure, 0.0, None)
    fields = (np.zeros((3, 3)), found.volume, found.shape, found.orientation)
    model = MixtureDistribution(
        [StructuredGaussianDistribution(*(part[k] for part in fields), structure=structure) for k in range(3)], np.full(3, 1 / 3)
    )

    def value(law: Any) -> float:
        each = [
            np.linalg.slogdet(c.covar)[1] * n + np.trace(np.linalg.solve(c.covar, s))
            for c, n, s in zip(law.components, count, scatter, strict=True)
        ]
        return -0.5 * sum(each)

    here, best = flatten(model), value(model)
    for direction in rng.normal(size=(40, len(here))):
        assert value(unflatten(here + 1e-3 * direction, model)) <= best + 1e-10 * abs(best)


def test_alone_it_is_the_gaussian_it_says() -> None:
    rows = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 3)) + [1.0, -2.0, 5.0]
    full, diagonal = dmlcore.fit(rows, MultivariateGaussianEstimator()), dmlcore.fit(rows, DiagonalGaussianEstimator())
    for structure in COVARIANCE_STRUCTURES:
        alone = dmlcore.fit(rows, StructuredGaussianEstimator(structure=structure))
        if structure.endswith("II"):
            assert alone.model.covar == pytest.approx(np.eye(3) * rows.var(axis=0).mean())
        else:
            same = diagonal if structure.endswith("I") else full
            assert alone.log_likelihood == pytest.approx(same.log_likelihood, abs=1e-9)
            assert n_parameters(alone.model) == n_parameters(same.model)


def test_plain_words() -> None:
    words = ("spherical", "diagonal", "tied", "full")
    assert [StructuredGaussianEstimator(2, word).structure for word in words] == ["VII", "VVI", "EEE", "VVV"]


def test_priors_floors_and_far_units() -> None:
    rows = np.concatenate([rng.normal(size=(40, 2)), np.tile([[9.0, 9.0]], (12, 1))])
    for structure in ("VEV", "VVE", "EVI", "EEE"):
        plain = dmlcore.fit(rows, MixtureEstimator([StructuredGaussianEstimator(2, structure)] * 2), rng=1, starts=3)
        prior = dmlcore.fit(rows, MixtureEstimator([StructuredGaussianEstimator(2, structure, (1.0, 2.0))] * 2), rng=1, starts=3)
        assert {plain.status, prior.status} <= {"converged", "degenerate"}
        tiny = dmlcore.fit(rows * 2.0**-300, MixtureEstimator([StructuredGaussianEstimator(2, structure, (1.0, 2.0))] * 2), rng=1, starts=3)
        assert tiny.log_likelihood == pytest.approx(prior.log_likelihood + 2 * len(rows) * 300 * np.log(2), rel=1e-9)


def test_the_components_of_each_mixture_share_their_own() -> None:
    inner = MixtureEstimator([StructuredGaussianEstimator(2, "EEE")] * 2)
    rows = np.concatenate([rng.normal(m, s, size=(40, 2)) for m, s in ((0, 1), (4, 1), (20, 3), (40, 3))])
    model = dmlcore.fit(rows, MixtureEstimator([inner, inner]), start=np.repeat([0, 1], 80), rng=1).model
    one, other = (part.components for part in model.components)
    assert (one[0].covar == one[1].covar).all()
    assert (other[0].covar == other[1].covar).all()
    assert one[0].volume != other[0].volume
    assert n_parameters(model) == 3 + 8 + 2 * 3


def test_select_over_structures_and_numbers() -> None:
    rows = np.concatenate([rng.normal((0, 0), (1, 3), size=(60, 2)), rng.normal((8, 4), (1, 3), size=(60, 2))])
    found = select(
        lambda one: MixtureEstimator([StructuredGaussianEstimator(2, one[0])] * one[1]),
        [(structure, k) for structure in ("EII", "EEI", "VVV") for k in (1, 2)],
        rows,
        rng=1,
    )
    assert found.value == ("EEI", 2)


def test_what_is_refused() -> None:
    with pytest.raises(ParameterError, match="structure must be one of EII, VII"):
        StructuredGaussianEstimator(2, "EEX")
    with pytest.raises(ParameterError, match="its structure says"):
        StructuredGaussianEstimator(2, "EEE", held={"mu": [0.0, 0.0]})
    with pytest.raises(ParameterError, match="product is one"):
        StructuredGaussianDistribution([0.0, 0.0], 1.0, [2.0, 2.0], AXES)
    with pytest.raises(ParameterError, match="orthogonal"):
        StructuredGaussianDistribution([0.0, 0.0], 1.0, [2.0, 0.5], [[1.0, 1.0], [0.0, 1.0]])
    with pytest.raises(ParameterError, match="where it says I"):
        StructuredGaussianDistribution([0.0, 0.0], 1.0, [2.0, 0.5], AXES, "VVI")
    with pytest.raises(DegenerateError, match="coordinate 1 is constant"):
        dmlcore.fit([[1.0, 2.0], [2.0, 2.0], [4.0, 2.0]], StructuredGaussianEstimator(2, "VVI"))
    with pytest.raises(DegenerateError, match="coordinate 1 follows"):
        dmlcore.fit([[1.0, 2.0], [2.0, 4.0], [4.0, 8.0]], StructuredGaussianEstimator(2, "VVV"))


def measured(name: str) -> np.ndarray:
    """The numbers of a table of the benchmarks."""
    path = Path(__file__).parents[2] / "benchmarks" / "convergence" / "data" / f"{name}.csv"
    return np.array([[float(v) for v in line.split(",")[: 4 if name == "iris" else 6]] for line in path.read_text("utf-8").split()[1:]])


def test_known_classes_of_iris() -> None:
    """EDDA of R's mclust, structure VEV: log likelihood -187.7097 of the mixture of the classes, 36 parameters without proportions."""
    rows, estimator = measured("iris"), StructuredGaussianEstimator(4, "VEV")
    labels = np.repeat([0, 1, 2], 50)
    by_label = ConditionalDistributionEstimator([estimator] * 3, given_estimator=CategoricalEstimator())
    found = dmlcore.fit(list(zip(labels, rows, strict=True)), by_label)
    known = dmlcore.fit(list(zip(rows, labels, strict=True)), SemiSupervisedMixtureEstimator([estimator] * 3))
    assert known.log_likelihood == pytest.approx(found.log_likelihood)
    assert n_parameters(found.model) == len(flatten(found.model)) == n_parameters(known.model) == 36 + 2
    for laws in (found.model.dists, known.model.components):
        assert MixtureDistribution(laws, [1 / 3] * 3).seq_log_density(rows).sum() == pytest.approx(-187.7097, abs=1e-4)
    half = [label if i % 2 else None for i, label in enumerate(labels.tolist())]
    some = dmlcore.fit(list(zip(rows, half, strict=True)), SemiSupervisedMixtureEstimator([estimator] * 3))
    assert (some.model.components[0].shape == some.model.components[2].shape).all()
    assert (np.diff(some.history) >= -1e-9).all()


def test_linear_discriminant_analysis_of_iris() -> None:
    """One covariance for all classes: probabilities of the classes as those of scikit-learn."""
    rows, labels = measured("iris"), np.repeat([0, 1, 2], 50)
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(rows, labels).predict_proba(rows)
    pairs = list(zip(labels, rows, strict=True))
    for one in (MultivariateGaussianEstimator(tied={"covar": True}), StructuredGaussianEstimator(4, "tied")):
        model = dmlcore.fit(pairs, ConditionalDistributionEstimator([one] * 3, given_estimator=CategoricalEstimator())).model
        np.testing.assert_allclose(model.label_posterior(rows)[1], theirs, atol=1e-12)
        assert n_parameters(model) == 12 + 10 + 2
        again = dmlcore.fit(pairs, model.estimator()).model
        assert n_parameters(again) == 12 + 10 + 2


def test_labels_share_within_each_component() -> None:
    """What the labels of a conditional law have in common is not that of the components above."""
    rows = [(k % 2, float(x)) for k, x in enumerate(np.r_[rng.normal(0, 1, 60), rng.normal(20, 3, 60)])]
    inner = ConditionalDistributionEstimator([GaussianEstimator(tied={"sigma2": True})] * 2, given_estimator=CategoricalEstimator())
    one, other = dmlcore.fit(rows, MixtureEstimator([inner] * 2), rng=1).model.components
    assert one.dists[0].sigma2 == one.dists[1].sigma2
    assert other.dists[0].sigma2 == other.dists[1].sigma2
    assert one.dists[0].sigma2 != other.dists[0].sigma2


def test_known_classes_of_banknotes() -> None:
    """MclustDA of R's mclust: one Gaussian for genuine notes, EVE with two components for counterfeit ones, log likelihood -646.0801."""
    rows = measured("banknote")
    each = {"genuine": StructuredGaussianEstimator(6, "full"), "counterfeit": MixtureEstimator([StructuredGaussianEstimator(6, "EVE")] * 2)}
    labels = np.repeat(list(each), 100)
    estimator = ConditionalDistributionEstimator(each, given_estimator=CategoricalEstimator())
    found = dmlcore.fit(list(zip(labels, rows, strict=True)), estimator, rng=1, starts=4).model
    assert MixtureDistribution(found.dists, [0.5, 0.5]).seq_log_density(rows).sum() == pytest.approx(-646.0801, abs=1e-3)


def with_gaps() -> np.ndarray:
    """Rows of two classes that know five sixths of their coordinates."""
    draw = np.random.default_rng(3)
    x = draw.normal(size=(300, 3)) @ [[1.0, 0.6, 0.2], [0.0, 0.8, -0.3], [0.0, 0.0, 0.5]] + draw.integers(2, size=300)[:, None] * [
        4.0,
        2.0,
        -3.0,
    ]
    x[draw.random(x.shape) < 1 / 6] = np.nan
    return x[~np.isnan(x).all(axis=1)]


@cache
def fit_of_gaps(component: Any) -> Any:
    return dmlcore.fit(with_gaps(), MixtureEstimator([component] * 2), rng=1, starts=4)


@pytest.mark.parametrize(
    ("structure", "plain"),
    [("VVV", PartialGaussianEstimator()), ("EEE", PartialGaussianEstimator(tied={"covar": "s"}))],
)
def test_gaps_of_a_structure_are_those_of_the_same_law_by_another_way(structure: str, plain: Any) -> None:
    found = dmlcore.fit(with_gaps(), MixtureEstimator([PartialStructuredGaussianEstimator(3, structure)] * 2), rng=1, starts=4)
    assert found.log_likelihood == pytest.approx(fit_of_gaps(plain).log_likelihood, abs=1e-6)


def test_gaps_of_a_diagonal_structure_are_left_out_coordinate_by_coordinate() -> None:
    x = with_gaps()
    known, variance = (~np.isnan(x)).sum(axis=0), np.nanvar(x, axis=0)
    found: Any = dmlcore.fit(x, PartialStructuredGaussianEstimator(structure="diagonal"))
    assert found.log_likelihood == pytest.approx(-0.5 * (known * (np.log(2 * np.pi * variance) + 1)).sum())
    np.testing.assert_allclose(found.model.mu, np.nanmean(x, axis=0))


@pytest.mark.parametrize("structure", ["VEI", "EVE", "VEE", "VEV"])
def test_steps_from_rows_with_gaps_never_go_down(structure: str) -> None:
    estimator = MixtureEstimator([PartialStructuredGaussianEstimator(3, structure)] * 2)
    found = dmlcore.fit(with_gaps(), estimator, rng=1, starts=2, accelerate=False)
    assert np.diff(found.objective).min() >= -1e-9
    assert found.log_likelihood < fit_of_gaps(PartialGaussianEstimator()).log_likelihood


def test_a_structure_takes_gaps_when_asked() -> None:
    estimator: Any = dmlcore.missing_at_random(MixtureEstimator([StructuredGaussianEstimator(3, "VEV")] * 2))
    assert estimator.estimators[0] == PartialStructuredGaussianEstimator(3, "VEV")


def test_components_with_parts_in_common_need_one_structure() -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(StructureError, match="components of one mixture need one structure, got another beside EEE"):
        dmlcore.fit(
            x, MixtureEstimator([StructuredGaussianEstimator(structure=structure) for structure in ("EEE", "EEV")]), rng=1, starts=1
        )
