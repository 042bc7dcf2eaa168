"""What a fitted mixture of regressions answers: the summary's head and intervals, predictions between bounds, labels, pictures."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from dmlcore import plot
from dmlcore.base.errors import ParameterError
from dmlcore.regression import MixtureRegression, simulate_regression_mixture


@cache
def lines() -> Any:
    return simulate_regression_mixture(
        200, betas=[[0.0, 4.0, 1.0], [6.0, -3.0, 0.5]], weights=[0.65, 0.35], noise=[0.5, 1.0], random_state=1
    )


@cache
def fitted() -> MixtureRegression:
    return MixtureRegression(2, starts=4, random_state=0).fit(lines().frame(), "y")


def test_the_head_of_a_summary_says_how_the_fit_went() -> None:
    model = fitted()
    facts = model.summary().facts
    assert facts["family"] == "gaussian"
    assert facts["rows"] == "200"
    assert facts["parameters"] == 9
    assert (facts["log likelihood"], facts["AIC"], facts["BIC"]) == (model.log_likelihood_, model.aic(), model.bic())
    assert facts["status"].startswith("converged (")
    assert facts["starts"] == f"{model.fit_.reached} of {model.fit_.ended} that were followed to their end agree"
    assert "groups" not in facts
    rows = pd.DataFrame({"x": lines().X[:, 0], "y": lines().y, "who": np.arange(200) // 2})
    grouped = MixtureRegression(1).fit(rows, "y", groups="who").summary().facts
    assert (grouped["rows"], grouped["groups"]) == ("200", "100")


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_intervals_are_those_of_the_standard_errors(level: float) -> None:
    model = fitted()
    errors = model.standard_errors()
    intervals = dict(zip(errors.names, errors.interval(level).tolist(), strict=True))
    found = model.conf_int(level)
    assert found.loc[("component 1", "x2")].tolist() == intervals["components[1].coef[1]"]
    assert found.loc[("component 0", "weight")].tolist() == intervals["w[0]"]
    np.testing.assert_allclose(found.loc[("component 0", "standard deviation")], np.sqrt(intervals["components[0].sigma2"]), rtol=1e-12)
    frame = model.summary(level).frame()
    assert list(frame.columns) == ["part", "term", "estimate", "error", "z", "p", "low", "high", "note"]
    assert set(frame["term"]) == {"weight", "standard deviation", "(intercept)", "x1", "x2"}
    heads = {0.95: "2.5%   97.5%", 0.8: "10%      90%"}
    assert heads[level] in str(model.summary(level))


def test_a_dispersion_has_its_interval_upside_up() -> None:
    rng = np.random.default_rng(0)
    model = MixtureRegression(1, "gamma").fit(rng.normal(size=100), rng.gamma(4.0, 1.0, size=100))
    low, high = model.conf_int().loc[("component 0", "dispersion")]
    assert low < model.scale_[0] < high
    shape = model.standard_errors()
    at = shape.names.index("components[0].shape")
    np.testing.assert_allclose([1 / high, 1 / low], shape.interval()[at], rtol=1e-12)


def test_a_fitted_model_shows_itself() -> None:
    said = repr(fitted())
    assert said.startswith("MixtureRegression(starts=4, random_state=0)\nMixture of 2 gaussian regressions of 200 rows: log likelihood")
    table = [line.split() for line in said.splitlines()[2:]]
    assert table[0] == ["component", "0", "component", "1"]
    assert [line[0] for line in table[1:]] == ["weight", "(intercept)", "x1", "x2", "standard"]
    np.testing.assert_allclose([float(v) for v in table[3][1:]], fitted().coef_[:, 0], atol=1e-4)


def simulated(family: str) -> tuple[np.ndarray, np.ndarray, Any]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=150)
    eta = np.where(rng.random(150) < 0.4, 1 + 0.8 * x, -0.5 * x)
    trials = rng.integers(1, 9, size=150) if family == "binomial" else None
    y = {
        "gaussian": lambda: rng.normal(3 * eta),
        "poisson": lambda: rng.poisson(np.exp(eta)),
        "gamma": lambda: rng.gamma(3.0, np.exp(eta) / 3.0),
        "weibull": lambda: np.exp(eta) * rng.weibull(2.5, size=len(x)),
        "negative_binomial": lambda: rng.poisson(rng.gamma(3.0, np.exp(eta) / 3.0)),
        "binomial": lambda: rng.binomial(trials, 1 / (1 + np.exp(-eta))),
    }[family]()
    return x, y, trials


LAWS: dict[str, Any] = {
    "gaussian": lambda mean, scale, n: scipy.stats.norm(mean, scale),
    "poisson": lambda mean, scale, n: scipy.stats.poisson(mean),
    "gamma": lambda mean, scale, n: scipy.stats.gamma(1 / scale, scale=mean * scale),
    "weibull": lambda mean, scale, n: scipy.stats.weibull_min(1 / scale, scale=mean / scipy.special.gamma(1 + scale)),
    "negative_binomial": lambda mean, scale, n: scipy.stats.nbinom(1 / scale, 1 / (1 + scale * mean)),
    "binomial": lambda mean, scale, n: scipy.stats.binom(n, mean),
}


@pytest.mark.parametrize("family", LAWS)
def test_bounds_are_quantiles_of_the_mixture(family: str) -> None:
    x, y, trials = simulated(family)
    model = MixtureRegression(2, family, starts=2, random_state=0, max_iter=60).fit(x, y, trials=trials)
    means, bounds = model.predict(x, trials=trials, interval=0.9)
    np.testing.assert_array_equal(means, model.predict(x))
    each, own = model.predict(x, trials=trials, interval=0.9, per_component=True)
    unit = np.ones(150) if trials is None else trials
    laws = [LAWS[family](each[:, k], model.scale_[k], unit) for k in range(2)]
    for end, tail in enumerate((0.05, 0.95)):
        for k, law in enumerate(laws):
            np.testing.assert_allclose(own[:, k, end] * unit, law.ppf(tail), rtol=1e-8, atol=1e-9)
        at = bounds[:, end] * unit
        if family in ("gaussian", "gamma", "weibull"):
            np.testing.assert_allclose(sum(w * law.cdf(at) for w, law in zip(model.weights_, laws, strict=True)), tail, atol=1e-9)
        else:
            at = np.round(at)
            reached = sum(w * law.cdf(at) for w, law in zip(model.weights_, laws, strict=True))
            before = sum(w * law.cdf(at - 1) for w, law in zip(model.weights_, laws, strict=True))
            assert ((reached >= tail - 1e-12) & (before < tail + 1e-12)).all()


def test_bounds_of_several_responses_and_of_weights_that_depend_on_a_gate() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(80, 4)), columns=["x", "z", "a", "b"])
    model = MixtureRegression(2, starts=1, random_state=0, max_iter=30).fit(data, ["a", "b"], gate="z")
    means, bounds = model.predict(data, interval=0.5)
    assert (means.shape, bounds.shape) == ((80, 2), (80, 2, 2))
    assert model.predict(data, interval=0.5, per_component=True)[1].shape == (80, 2, 2, 2)
    w, each = model.model_.weights_given(data[["z"]].to_numpy()), model.predict(data, per_component=True)
    below = scipy.stats.norm.cdf(bounds[:, None, :, 0], each, model.scale_)
    np.testing.assert_allclose((w[:, :, None] * below).sum(axis=1), 0.25, atol=1e-9)
    for level in (90, "0.9"):
        with pytest.raises(ParameterError, match=f"level must be between 0 and 1, got {level!r}"):
            model.predict(data, interval=level)  # type: ignore[arg-type]


def test_labels_are_the_most_probable_components() -> None:
    data, model = lines(), fitted()
    found = model.predict_labels(data.X, data.y)
    np.testing.assert_array_equal(found, model.predict_proba(data.X, data.y).argmax(axis=1))
    assert (found == data.component).mean() > 0.9
    assert math.isclose((found == 0).mean(), model.weights_[0], abs_tol=0.1)


# -- the rows of the fit, and pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["poisson", "binomial", "gamma"])
def test_residuals_are_those_of_pearson(family: str) -> None:
    x, y, trials = simulated(family)
    model = MixtureRegression(2, family, starts=1, random_state=0, max_iter=30).fit(x, y, trials=trials)
    means, unit = model.predict(x, per_component=True), 1 if trials is None else trials[:, None]
    variances = {"poisson": means, "binomial": unit * means * (1 - means), "gamma": model.scale_ * means**2}[family]
    np.testing.assert_allclose(model.residuals(), (y[:, None] - unit * means) / np.sqrt(variances), rtol=1e-9)
    np.testing.assert_array_equal(model.fitted_means(), means)
    np.testing.assert_allclose(model.posterior_, model.predict_proba(x, y, trials=trials), atol=1e-12)


def test_pictures_show_the_numbers() -> None:
    model = fitted()
    ax = model.plot()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["(intercept)", "x1", "x2"]
    np.testing.assert_allclose(ax.lines[2].get_xdata(), [model.intercept_[1], *model.coef_[1]])
    low, high = model.conf_int().loc[("component 1", "x1")]
    np.testing.assert_allclose(ax.collections[1].get_segments()[1][:, 0], [low, high])
    assert [text.get_text() for text in plot.coefficients(model, intercept=False).get_yticklabels()] == ["x1", "x2"]
    panels = model.plot("residuals")
    seen = model.posterior_[:, 0] >= 0.02
    np.testing.assert_allclose(
        panels[0].collections[-1].get_offsets(), np.c_[model.fitted_means()[seen, 0], model.residuals()[seen, 0]], rtol=1e-12
    )
    roots = plot.rootogram(model)
    heights = sum(bar.get_height() ** 2 for bar in roots[1].patches)
    assert heights == pytest.approx((model.posterior_[:, 1] >= 1e-4).sum())
    own = plt.subplots(1, 2)[1]
    assert (model.plot("rootogram", axes=own) == own).all()
    with pytest.raises(ParameterError, match="there is no picture 'fit'; there are coefficients, residuals, rootogram"):
        model.plot("fit")
    with pytest.raises(ParameterError, match="axes must be one for each of 2 components, got 1"):
        model.plot("residuals", axes=ax)
    with pytest.raises(ParameterError, match="there is no response 'z'; there are y"):
        model.plot(response="z")
    plt.close("all")


def test_pictures_of_several_responses_some_missing() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=60), "a": rng.normal(size=60), "b": rng.poisson(2.0, size=60).astype(float)})
    data.loc[:9, "b"] = np.nan
    model = MixtureRegression(1, ["gaussian", "poisson"], missing="keep").fit(data, ["a", "b"])
    assert model.residuals().shape == (60, 1, 2)
    assert np.isnan(model.residuals()[:, 0, 1]).sum() == 10
    (panel,) = model.plot("residuals", response="b")
    assert len(panel.collections[-1].get_offsets()) == 50
    assert model.plot(response="b").get_xlabel() == "coefficient of b, 95% interval"
    plt.close("all")
