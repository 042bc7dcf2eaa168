"""Standard errors by clusters and by weights of a design: against statsmodels, least squares, and their definition in a mixture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import dmlcore
from dmlcore.base.errors import DataError, ParameterError
from dmlcore.regression import MixtureRegression
from dmlcore.stats import GaussianEstimator, MixtureEstimator
from tests.reference import load

CASE = load("statsmodels_clusters")
DATA = pd.DataFrame(CASE["data"])


@pytest.mark.parametrize(
    ("case", "family", "response", "weights", "clusters"),
    [
        ("linear", "gaussian", "y", None, "firm"),
        ("weighted linear", "gaussian", "y", "w", "firm"),
        ("weighted rows", "gaussian", "y", "w", "rows"),
        ("logistic", "binomial", "hit", None, "firm"),
    ],
)
def test_errors_by_clusters_are_those_of_statsmodels(case: str, family: str, response: str, weights: Any, clusters: str) -> None:
    w = None if weights is None else DATA[weights]
    model = MixtureRegression(1, family).fit(DATA[["x"]], DATA[response], sample_weight=w)
    by: Any = clusters if clusters == "rows" else DATA[clusters]
    estimates, errors = CASE[case]
    rows = model.summary(clusters=by).frame().set_index("term").loc[["(intercept)", "x"]]
    np.testing.assert_allclose(rows["estimate"], estimates, rtol=1e-6)
    np.testing.assert_allclose(rows["error"], errors, rtol=1e-4)
    if w is not None:  # their unit does not matter
        other = MixtureRegression(1, family).fit(DATA[["x"]], DATA[response], sample_weight=10 * w)
        np.testing.assert_allclose(other.standard_errors(clusters=by).errors[1:], model.standard_errors(clusters=by).errors[1:], rtol=1e-4)
    assert model.summary(clusters=by).facts["errors"] == f"sandwich, {300 if clusters == 'rows' else 30} clusters"


def test_intervals_by_few_clusters_are_of_a_t_law() -> None:
    """Normal ones hold the truth in 92% of tables of 30 clusters, and in 85% of 12, where they should in 95%."""
    errors = MixtureRegression(1).fit(DATA[["x"]], DATA["y"]).standard_errors(clusters=DATA["firm"])
    law = scipy.stats.t(29)
    assert errors.freedom == 29
    place = errors.names.index("components[0].coef[0]")
    reach = law.ppf(0.95) * errors.errors[place]
    np.testing.assert_allclose(errors.interval(0.9)[place], errors.estimates[place] + np.array([-reach, reach]), rtol=1e-12)
    np.testing.assert_allclose(errors.p[place], 2 * law.sf(abs(errors.z[place])), rtol=1e-9)
    assert replace(errors, clusters=0).freedom == np.inf


def test_a_mixture_has_the_scores_of_its_clusters_whatever_their_order() -> None:
    """Equal rows, which are kept once, still belong to several clusters."""
    rng = np.random.default_rng(0)
    x = np.round(np.where(rng.random(80) < 0.4, 0.0, 4.0) + rng.normal(size=80), 1)
    villages = rng.integers(12, size=80)
    found = dmlcore.fit(x, MixtureEstimator([GaussianEstimator()] * 2), rng=0)
    errors = dmlcore.standard_errors(found.model, x, clusters=[f"v{i}" for i in villages])
    law = found.model

    def scores(data: np.ndarray) -> np.ndarray:
        def density(parameters: np.ndarray) -> np.ndarray:
            w, mu, sigma2 = parameters[0], parameters[1:3], parameters[3:]
            parts = np.exp(-((data[:, None] - mu) ** 2) / (2 * sigma2)) / np.sqrt(2 * np.pi * sigma2)
            return np.log(parts @ [w, 1 - w])

        at = np.array([law.w[0], *(c.mu for c in law.components), *(c.sigma2 for c in law.components)])
        moves = 1e-5 * np.eye(5)
        return np.array([(density(at + move) - density(at - move)) / 2e-5 for move in moves]).T

    own = scores(x)
    by_name = ["w[0]", *(f"components[{k}].{field}" for field in ("mu", "sigma2") for k in range(2))]
    totals = np.array([own[villages == v].sum(axis=0) for v in np.unique(villages)])
    order = [errors.names.index(name) for name in by_name]
    observed = dmlcore.standard_errors(law, x)
    bread = observed.covariance[np.ix_(order, order)]
    expected = bread @ (totals.T @ totals) @ bread * len(totals) / (len(totals) - 1)
    np.testing.assert_allclose(errors.errors[order], np.sqrt(np.diag(expected)), rtol=1e-3)
    assert errors.kind == "sandwich"
    assert errors.clusters == len(totals)
    assert repr(errors).startswith(f"Standard errors (sandwich, {len(totals)} clusters)")
    turn = rng.permutation(80)
    again = dmlcore.standard_errors(law, x[turn], clusters=villages[turn])
    np.testing.assert_allclose(again.errors, errors.errors, rtol=1e-6)


def test_few_clusters() -> None:
    """By year, against the closed form of least squares."""
    model = MixtureRegression(1).fit(DATA[["x"]], DATA["y"])
    X = np.c_[np.ones(len(DATA)), DATA["x"]]
    left = DATA["y"].to_numpy() - model.predict(DATA[["x"]])
    totals = np.array([X[DATA["year"] == t].T @ left[DATA["year"] == t] for t in range(1, 11)])
    bread = np.linalg.inv(X.T @ X)
    expected = np.sqrt(np.diag(bread @ totals.T @ totals @ bread) * 10 / 9)
    found = model.standard_errors(clusters=DATA["year"])
    np.testing.assert_allclose([found[f"components[0].{place}"]["error"] for place in ("intercept", "coef[0]")], expected, rtol=1e-5)


def test_groups_within_clusters_and_rows_left_out() -> None:
    data = DATA.assign(half=(DATA["year"] > 5) + 2 * DATA["firm"])
    data.loc[[0, 17], "x"] = np.nan
    model = MixtureRegression(1, missing="drop").fit(data[["x", "y"]], "y")
    whole = data.dropna()
    expected = MixtureRegression(1).fit(whole[["x", "y"]], "y").standard_errors(clusters=whole["firm"]).errors
    np.testing.assert_array_equal(model.standard_errors(clusters=data["firm"]).errors, expected)
    np.testing.assert_array_equal(model.standard_errors(clusters=whole["firm"].astype(str)).errors, expected)
    grouped = MixtureRegression(1).fit(DATA.assign(half=data["half"])[["x", "y", "half"]], "y", groups="half")
    np.testing.assert_allclose(
        grouped.standard_errors(clusters=DATA["firm"]).errors[1:],
        MixtureRegression(1).fit(DATA[["x", "y"]], "y").standard_errors(clusters=DATA["firm"]).errors[1:],
        rtol=1e-4,
    )
    with pytest.raises(DataError, match="column 'clusters': row 1 differs from an earlier row of its group"):
        grouped.standard_errors(clusters=np.arange(300))


@pytest.mark.parametrize(
    ("clusters", "error", "match"),
    [
        (np.zeros(300), ParameterError, "need at least 2 of them, got 1"),
        (np.zeros(3), DataError, "clusters has 3 entries, X has 300 rows"),
        ([None, *range(299)], DataError, "clusters: row 0 is None; need the label of a cluster"),
        ("firm", ParameterError, "clusters must be a label for each row, or 'rows', got 'firm'"),
    ],
)
def test_bad_clusters(clusters: Any, error: Any, match: str) -> None:
    model = MixtureRegression(1).fit(DATA[["x"]], DATA["y"])
    with pytest.raises(error, match=match):
        model.standard_errors(clusters=clusters)
    with pytest.raises(ParameterError, match="a bootstrap draws rows by themselves"):
        model.standard_errors("bootstrap", clusters=DATA["firm"])
