"""How well latent classes fit, against published figures."""

from __future__ import annotations

import numpy as np
import pytest

import dmlcore
from dmlcore.base.errors import DataError, StructureError
from dmlcore.inference.latent_classes import goodness_of_fit
from dmlcore.stats import CategoricalEstimator, CompositeEstimator, GaussianEstimator, MixtureEstimator, OptionalEstimator
from tests.reference import load


def test_carcinoma() -> None:
    """poLCA prints G2 15.26171 and X2 20.50336 for three classes."""
    found = load("polca_carcinoma")
    rows, weights = [tuple(pattern) for pattern in found["patterns"]], list(found["patterns"].values())
    estimator = MixtureEstimator([CompositeEstimator({name: CategoricalEstimator() for name in "ABCDEFG"})] * 3)
    model = dmlcore.fit(rows, estimator, weights=weights, delta=1e-10, rng=1).model
    said = goodness_of_fit(model, rows, weights)
    assert (said.g2, said.x2) == (pytest.approx(found["g2"], abs=2e-5), pytest.approx(found["x2"], abs=2e-4))
    assert (said.cells, said.parameters, said.df, said.n) == (128, 23, 104, 118)
    assert said.g2_p == pytest.approx(1.0)

    posterior = model.seq_posterior(rows)  # type: ignore[attr-defined]
    w = np.array(weights)
    np.testing.assert_allclose(said.classification.sum(axis=1), w @ posterior)
    assert said.classification_error == pytest.approx(1 - w @ posterior.max(axis=1) / 118)
    entropy = -(np.where(posterior > 0, posterior * np.log(np.where(posterior > 0, posterior, 1)), 0)).sum(axis=1)
    assert said.relative_entropy == pytest.approx(1 - w @ entropy / (118 * np.log(3)))
    assert said.entropy_r2 == pytest.approx(1 - w @ entropy / (118 * -(model.w * np.log(model.w)).sum()))  # type: ignore[attr-defined]
    assert "g2" in str(said)


def test_bivariate_residuals_of_independence() -> None:
    """With one class they are Pearson's statistics of the two-way tables."""
    rows = [("a", "x")] * 30 + [("a", "y")] * 10 + [("b", "x")] * 15 + [("b", "y")] * 45
    model = dmlcore.fit(rows, CompositeEstimator([CategoricalEstimator()] * 2)).model
    said = goodness_of_fit(model, rows)
    expected = np.outer([40, 60], [45, 55]) / 100
    x2 = ((np.array([[30, 10], [15, 45]]) - expected) ** 2 / expected).sum()
    assert said.residuals == {(0, 1): pytest.approx(x2)}
    assert (said.x2, said.df, said.entropy_r2) == (pytest.approx(x2), 1, 1.0)


def test_rows_with_gaps_are_left_out() -> None:
    rows = [("a", "x"), ("b", None), ("b", "x"), ("a", "y"), (None, None)]
    model = dmlcore.fit(rows, CompositeEstimator([OptionalEstimator(CategoricalEstimator())] * 2)).model
    said = goodness_of_fit(model, rows)
    assert (said.n, said.left_out, said.cells) == (3, 2, 4)


def test_there_must_be_a_table() -> None:
    rows = [("a", 1.0), ("b", 2.0), ("b", 4.0)]
    model = dmlcore.fit(rows, CompositeEstimator([CategoricalEstimator(), GaussianEstimator()])).model
    with pytest.raises(StructureError, match="finitely many"):
        goodness_of_fit(model, rows)
    labels = dmlcore.fit(["a", "b"], CategoricalEstimator()).model
    with pytest.raises(StructureError, match="goodness of fit is of models of tuples of labels"):
        goodness_of_fit(labels, ["a"])
    pairs = dmlcore.fit([("a", "x"), ("b", "y")], CompositeEstimator([OptionalEstimator(CategoricalEstimator())] * 2)).model
    with pytest.raises(DataError, match="no row is complete"):
        goodness_of_fit(pairs, [("a", None)])
    assert goodness_of_fit(pairs, [("a", "x")])._repr_html_().startswith("<table><caption>Goodness of fit")
