"""The estimators for scikit-learn: its own checks, and its tools around them."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from joblib import parallel_config
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_estimator,
    check_set_output_transform_pandas,
    check_set_output_transform_polars,
)

import dmlcore
from dmlcore.base.errors import LibraryError, ParameterError
from dmlcore.regression import MixtureRegression, simulate_regression_mixture
from dmlcore.sklearn import MixtureClassifier, MixtureClusterer, MixtureDensity, MixtureImputer, MixtureRegressor
from dmlcore.sklearn.distinct_rows import distinct_rows
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    GaussianEstimator,
    MixtureDistribution,
    MultivariateGaussianEstimator,
)

pytestmark = pytest.mark.usefixtures("short_searches")

BRIEF: dict[str, Any] = {"starts": 1, "max_iter": 3, "random_state": 0}
ALL = [MixtureClassifier, MixtureClusterer, MixtureDensity, MixtureImputer]
RECORD = CompositeEstimator({"height": GaussianEstimator(), "weight": GaussianEstimator(), "kind": CategoricalEstimator()})


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    side = rng.integers(2, size=120)
    table = pd.DataFrame(
        {
            "height": rng.normal(np.where(side, 4.0, 0.0), 1),
            "weight": rng.normal(np.where(side, -4.0, 0.0), 1),
            "kind": np.where(rng.random(120) < 0.9, np.array(["a", "b"])[side], "c"),
            "group": side,
        }
    )
    table.loc[::7, "height"] = np.nan
    return table


@pytest.fixture(scope="module")
def X(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["height", "weight", "kind"]]


@pytest.mark.parametrize("model", [*(kind(2, GaussianEstimator(), **BRIEF) for kind in ALL), MixtureRegressor(2, ridge=1.0, **BRIEF)])
@pytest.mark.filterwarnings("ignore")
def test_every_check_of_scikit_learn(model: Any) -> None:
    results = check_estimator(model, on_fail=None, on_skip=None)
    wrong = [(one["check_name"], one["status"], one["exception"]) for one in results if one["status"] not in ("passed", "skipped")]
    assert not wrong
    check_dataframe_column_names_consistency(type(model).__name__, model)
    assert {one["check_name"] for one in results if one["status"] == "skipped"} <= {"check_array_api_input"}


def test_clusters_are_those_of_the_library(X: pd.DataFrame) -> None:
    found = MixtureClusterer(2, RECORD, random_state=0).fit(X)
    assert isinstance(found.model_, MixtureDistribution)
    assert found.weights_[0] >= found.weights_[1]
    posterior = found.model_.seq_posterior(X)
    np.testing.assert_array_equal(found.predict_proba(X), posterior)
    np.testing.assert_array_equal(found.labels_, posterior.argmax(axis=1))
    logs = found.model_.seq_log_density(X)
    assert found.bic(X) == pytest.approx(dmlcore.bic(found.fit_))
    assert found.aic(X) == pytest.approx(dmlcore.aic(found.fit_))
    assert found.score(X, sample_weight=np.arange(120)) == pytest.approx(np.average(logs, weights=np.arange(120)))


def test_a_mixture_of_gaussian_vectors_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(80, 2)), rng.normal(5, 2, size=(60, 2))])
    own = MixtureDensity(2, MultivariateGaussianEstimator(2), random_state=0).fit(x)
    theirs = GaussianMixture(2, random_state=0, tol=1e-10, reg_covar=0, max_iter=1000).fit(x)
    np.testing.assert_allclose(own.score_samples(x), theirs.score_samples(x), atol=1e-3)
    assert own.bic(x) == pytest.approx(theirs.bic(x), abs=1e-3)
    assert own.sample(5, random_state=0).shape == (5, 2)
    named = MixtureDensity(2, MultivariateGaussianEstimator(2), **BRIEF).fit(pl.DataFrame(x, ["a", "b"]))
    assert named.sample(5, random_state=0).columns == ["a", "b"]


def test_the_number_of_components_may_be_chosen() -> None:
    x = np.random.default_rng(0).normal(size=(90, 1)) + np.repeat([0.0, 12.0, 24.0], 30)[:, None]
    assert MixtureDensity("auto", GaussianEstimator(), starts=2, random_state=0).fit(x).n_components_ == 3
    with pytest.raises(ParameterError, match="n_components must be a whole number"):
        MixtureDensity("three", GaussianEstimator()).fit(x)
    with pytest.raises(ParameterError, match="estimator must be"):
        MixtureDensity(2, "gaussian").fit(x)


def test_a_component_is_proposed_from_the_table(frame: pd.DataFrame) -> None:
    found = MixtureClusterer(2, starts=2, random_state=0).fit(frame[["height", "weight", "kind"]].assign(constant=1.0))
    assert (found.labels_ == frame["group"]).mean() in (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.02))
    assert [one.name for one in found.fit_.proposal.left_out] == ["constant"]
    drawn = found.sample(4, random_state=0)
    assert list(drawn.columns) == ["height", "weight", "kind"]
    with_gaps = frame.assign(constant=1.0, kind=None)  # where there were none
    assert np.isfinite(found.predict_proba(with_gaps[["height", "weight", "kind", "constant"]])).all()


@pytest.mark.parametrize("library", ["pandas", "polars", "objects"])
def test_gaps_are_filled_in_tables_of_the_kind_given(library: str, X: pd.DataFrame) -> None:
    table = X.assign(constant=1.0)
    given = {"pandas": table, "polars": pl.from_pandas(table), "objects": table.to_numpy(dtype=object)}[library]
    filled = MixtureImputer(2, starts=2, random_state=0).fit_transform(given)
    assert type(filled) is type(given)
    out = pd.DataFrame(np.asarray(filled), columns=list(table.columns))
    assert not out.isna().any(axis=None)
    there = table["height"].notna()
    assert (out["height"][there] == table["height"][there]).all()
    assert (out["constant"] == 1).all()


@pytest.mark.parametrize("check", [check_set_output_transform_pandas, check_set_output_transform_polars])
@pytest.mark.parametrize("kind", [MixtureClusterer, MixtureImputer])
@pytest.mark.filterwarnings("ignore")
def test_output_is_set(kind: Any, check: Any) -> None:
    check(kind.__name__, kind(2, GaussianEstimator(), **BRIEF))


def test_infinite_numbers_are_refused(X: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="column 'height': row 3 is inf; need a finite number"):
        MixtureDensity(2).fit(X.assign(height=np.where(np.arange(120) == 3, np.inf, 1.0)))
    with pytest.raises(ValueError, match="contains infinity"):
        MixtureDensity(2).fit([[1.0], [np.inf]])


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("estimator", ["auto", GaussianEstimator(), MultivariateGaussianEstimator(2)])
def test_frames_and_arrays_after_each_other(estimator: Any, X: pd.DataFrame) -> None:
    numbers = X[["height", "weight"]]
    found = MixtureImputer(2, estimator, **BRIEF).fit(numbers)
    filled = found.transform(numbers)
    np.testing.assert_array_equal(found.transform(numbers.to_numpy()), filled)
    assert type(found.fit(numbers.to_numpy()).transform(numbers)) is np.ndarray
    np.testing.assert_array_equal(found.transform(numbers), filled)


def test_drawn_fills_follow_the_random_state(X: pd.DataFrame) -> None:
    found = MixtureImputer(2, RECORD, how="sample", starts=2, random_state=0).fit(X)
    pd.testing.assert_frame_equal(found.transform(X), found.transform(X))
    assert not found.transform(X).equals(found.set_params(random_state=1).transform(X))
    as_pandas = (
        MixtureImputer(2, GaussianEstimator(), **BRIEF).set_output(transform="pandas").fit_transform(X[["height", "weight"]].to_numpy())
    )
    assert list(as_pandas.columns) == ["x0", "x1"]


def test_classes_known_and_unknown(frame: pd.DataFrame, X: pd.DataFrame) -> None:
    y = frame["group"].map({0: "low", 1: "high"})
    known = MixtureClassifier(1, RECORD, random_state=0).fit(X, y)
    assert known.score(X, y) > 0.97
    np.testing.assert_allclose(known.class_prior_, y.value_counts(normalize=True)[known.classes_])
    np.testing.assert_allclose(known.predict_proba(X).sum(axis=1), 1)
    mostly = y.astype(object).where(np.arange(120) % 10 == 0, None)
    found = MixtureClassifier(1, RECORD, random_state=0).fit(X, mostly)
    assert found.classes_.tolist() == ["high", "low"]
    assert found.score(X, y) > 0.97
    alone = MixtureClassifier(1, RECORD, random_state=0).fit(X[mostly.notna()], mostly[mostly.notna()])
    assert found.score_samples(X).sum() > alone.score_samples(X).sum()  # it has learnt from the others
    codes = np.where(mostly.isna(), -1, (mostly == "low").astype(int))
    np.testing.assert_array_equal(MixtureClassifier(1, RECORD, random_state=0).fit(X, codes).predict_proba(X), found.predict_proba(X))


def test_weights_count_in_the_shares_of_classes(frame: pd.DataFrame, X: pd.DataFrame) -> None:
    y, weights = frame["group"], 1 + np.arange(120) % 3
    found = MixtureClassifier(1, RECORD, **BRIEF).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(found.class_prior_, np.bincount(y, weights) / weights.sum())


def test_minus_one_beside_one_other_class_is_a_class(frame: pd.DataFrame, X: pd.DataFrame) -> None:
    y = np.where(frame["group"], 1, -1)
    assert MixtureClassifier(1, RECORD, random_state=0).fit(X, y).classes_.tolist() == [-1, 1]
    three = np.where(np.arange(120) < 20, 2, y)
    assert MixtureClassifier(1, RECORD, **BRIEF).fit(X, three).classes_.tolist() == [1, 2]
    assert MixtureClassifier(1, RECORD, unknown_label=None, **BRIEF).fit(X, three).classes_.tolist() == [-1, 1, 2]
    with pytest.raises(ValueError, match="no class that is known"):
        MixtureClassifier(1, RECORD).fit(X, [None] * 120)


def test_the_tools_of_scikit_learn(frame: pd.DataFrame, X: pd.DataFrame) -> None:
    y = frame["group"]
    posteriors = ColumnTransformer(
        [("kinds", MixtureClusterer(2, RECORD, starts=2, random_state=0), ["height", "weight", "kind"])], verbose_feature_names_out=False
    )
    piped = make_pipeline(posteriors.set_output(transform="pandas"), LogisticRegression())
    assert cross_val_score(piped, frame, y, cv=3).min() > 0.9
    assert list(piped.fit(frame, y)[0].get_feature_names_out()) == ["mixtureclusterer0", "mixtureclusterer1"]
    numbers = X[["height", "weight"]]
    with parallel_config("threading"):
        search = GridSearchCV(MixtureDensity(1, GaussianEstimator(), **BRIEF), {"n_components": [1, 2]}, cv=3, n_jobs=2).fit(numbers)
    assert search.best_params_ == {"n_components": 2}
    imputed = make_pipeline(MixtureImputer(2, GaussianEstimator(), **BRIEF), StandardScaler(), LogisticRegression())
    assert cross_val_score(imputed, numbers, y, cv=3).min() > 0.9
    best = GridSearchCV(MixtureClassifier(1, RECORD, **BRIEF), {"pseudo_count": [0.01, 1.0]}, cv=2).fit(X, y)
    assert best.best_score_ > 0.9
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        best.predict(X.iloc[:, ::-1])


def test_weights_are_routed(X: pd.DataFrame) -> None:
    numbers, weights = X[["height", "weight"]], np.arange(120) % 3
    with sklearn.config_context(enable_metadata_routing=True):
        plain = MixtureImputer(2, GaussianEstimator(), **BRIEF).set_fit_request(sample_weight=True)
        piped = make_pipeline(plain, MixtureDensity(2, GaussianEstimator(), **BRIEF).set_fit_request(sample_weight=True))
        piped.fit(numbers, sample_weight=weights)
    np.testing.assert_array_equal(piped[0].weights_, plain.fit(numbers, sample_weight=weights).weights_)
    repeated = numbers.loc[numbers.index.repeat(weights)].sample(frac=1, random_state=0)
    np.testing.assert_array_equal(plain.fit(repeated).weights_, piped[0].weights_)  # rows twice, in another order: the same bits


def test_a_regressor_is_a_mixture_of_regressions() -> None:
    frame = simulate_regression_mixture(150, betas=[[0.0, 2.0], [4.0, 2.0]], noise=0.3, random_state=1).frame()
    X, y, weights = frame[["x1"]], frame["y"], np.arange(150) % 3
    found = MixtureRegressor(2, starts=2, random_state=0).fit(X, y, sample_weight=weights)
    there = MixtureRegression(2, starts=2, random_state=0).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(found.predict(X), there.predict(X), atol=1e-6)
    assert found.regression_.feature_names_in_.tolist() == found.feature_names_in_.tolist() == ["x1"]
    chosen = MixtureRegressor("auto", starts=2, random_state=0).fit(X, y, sample_weight=weights).regression_
    assert chosen.n_components == 2
    assert chosen.log_likelihood_ == pytest.approx(there.log_likelihood_, rel=1e-9)
    assert cross_val_score(make_pipeline(StandardScaler(), MixtureRegressor(2, **BRIEF)), X, y, cv=3).mean() > 0.3  # R squared


@pytest.mark.parametrize("kind", ALL)
def test_copies(kind: Any, frame: pd.DataFrame, X: pd.DataFrame) -> None:
    found = kind(2, RECORD, **BRIEF).fit(X, frame["group"])
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.weights_, found.weights_)
    fresh = clone(found)
    assert fresh.get_params() == found.get_params()
    assert not hasattr(fresh, "model_")


def test_rows_are_drawn_in_tables_of_the_kind_given(X: pd.DataFrame) -> None:
    arrow = pytest.importorskip("pyarrow")
    table = X[["height", "weight"]].dropna()
    for given in (table, pl.from_pandas(table), arrow.Table.from_pandas(table, preserve_index=False)):
        rows = MixtureClusterer(1, GaussianEstimator(), **BRIEF).fit(given).sample(5)
        assert type(rows) is type(given)
        assert rows.shape == (5, 2)
    mixed = np.array([[1.0, "a"], [2.0, "b"], [4.0, "a"]] * 9, dtype=object)
    rows = MixtureClusterer(1, CompositeEstimator([GaussianEstimator(), CategoricalEstimator()]), **BRIEF).fit(mixed).sample(4)
    assert (rows.dtype, rows.shape) == (object, (4, 2))


def test_a_classifier_without_pseudo_observations(frame: pd.DataFrame, X: pd.DataFrame) -> None:
    heights = X[["height"]].dropna()
    group = frame["group"][heights.index]
    found = MixtureClassifier(1, CompositeEstimator({"height": GaussianEstimator()}), pseudo_count=0, **BRIEF).fit(heights, group)
    means = [dmlcore.marginal(law, "height", values=True).mean() for law in found.model_.components]
    np.testing.assert_allclose(means, heights["height"].groupby(group).mean())


def test_rows_that_are_alike_are_one() -> None:
    nan = float("nan")
    table = pd.DataFrame({"x": [1.0, nan, 1.0, nan, 2.0], "label": ["b", "a", "b", "a", None], "when": pd.to_datetime(["2020-01-01"] * 5)})
    rows, weights = distinct_rows(table, np.array([1.0, 1, 2, 1, 0]))
    assert (rows.tolist(), weights.tolist()) == ([1, 0], [2.0, 3.0])
    parts = pd.DataFrame({"x": [[1], [1]]})
    assert distinct_rows(parts, np.ones(2))[0].tolist() == [0, 1]


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(sys.modules, "dmlcore.sklearn")
    with pytest.raises(LibraryError, match=r"pip install 'dmlcore\[sklearn\]'"):
        import dmlcore.sklearn  # noqa: F401
