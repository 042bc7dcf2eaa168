"""What a fit and a model are asked: criteria, labels, a summary, pictures; and arguments by other names or in each other's place."""

from __future__ import annotations

import inspect
import re
from typing import Any

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import dmlcore
from dmlcore.base.errors import DataError, ParameterError, StructureError
from dmlcore.core.arguments import check_of
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureDistribution,
    MixtureEstimator,
)

TWO = MixtureDistribution([GaussianDistribution(0.0, 1.0), GaussianDistribution(6.0, 1.0)], [0.4, 0.6])
DATA = TWO.sample(60, rng=1)
ESTIMATOR = MixtureEstimator([GaussianEstimator()] * 2)
FIT = dmlcore.fit(DATA, ESTIMATOR, rng=0, starts=1)
model: Any = FIT.model


def test_criteria_are_those_of_the_functions() -> None:
    assert FIT.bic == dmlcore.bic(FIT) == pytest.approx(model.bic(DATA), rel=1e-12)
    assert FIT.aic == dmlcore.aic(FIT) == pytest.approx(model.aic(DATA), rel=1e-12)
    assert FIT.icl(DATA) == dmlcore.icl(FIT, DATA) == model.icl(DATA)
    assert model.bic(DATA, weights=np.full(60, 2.0)) == pytest.approx(-4 * FIT.log_likelihood + 5 * np.log(120))


def test_labels_are_of_the_most_probable_component() -> None:
    expected = model.seq_posterior(DATA).argmax(axis=1).tolist()
    assert dmlcore.labels(FIT, DATA).tolist() == dmlcore.labels(model, DATA).tolist() == expected
    assert model.posterior(DATA[0]).tolist() == model.seq_posterior(DATA[:1])[0].tolist()
    with pytest.raises(DataError, match=r"posterior\(\) is of one observation, and these are 60; seq_posterior\(\) is of many"):
        model.posterior(DATA)


def test_the_summary_of_a_fit() -> None:
    head, facts, *rest = FIT.summary().splitlines()
    assert head == FIT.message
    assert facts.startswith(
        f"status: converged, rows: 60, log likelihood: {FIT.log_likelihood:.4f}, AIC: {FIT.aic:.4f}, BIC: {FIT.bic:.4f}"
    )
    assert "\n".join(rest).endswith(model.summary())


def test_plots_have_an_axes_for_each_column() -> None:
    rows = [(float(x), "ab"[int(x > 3)]) for x in DATA]
    found = dmlcore.fit(
        rows, MixtureEstimator([CompositeEstimator({"size": GaussianEstimator(), "kind": CategoricalEstimator()})] * 2), rng=0
    )
    assert [ax.get_xlabel() for ax in found.plot(rows)] == ["size", "kind"]
    assert [ax.get_xlabel() for ax in found.model.plot(fields=["kind"])] == ["kind"]
    assert len(FIT.plot(DATA)) == 1
    plt.close("all")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: dmlcore.fit(DATA, ESTIMATOR, max_iter=3), "fit has no argument 'max_iter': here it is called max_its"),
        (lambda: dmlcore.fit(DATA, random_state=1), "fit has no argument 'random_state': here it is called rng"),
        (lambda: dmlcore.optimize(DATA, ESTIMATOR, n_jobs=1), "optimize has no argument 'n_jobs': here it is called threads"),
        (lambda: dmlcore.select(lambda k: ESTIMATOR, [1], DATA, seed=1), "select has no argument 'seed': here it is called rng"),
        (lambda: dmlcore.fit(DATA, ESTIMATOR, foo=1), "fit has no argument 'foo'; it has accelerate, assign"),
        (lambda: dmlcore.fit(ESTIMATOR, DATA), r"estimator and data are in each other's place; it is fit\(data, estimator\)"),
        (lambda: dmlcore.labels(DATA, FIT), r"model and data are in each other's place; it is labels\(model, data\)"),
        (lambda: dmlcore.impute(DATA, model), r"model and data are in each other's place; it is impute\(model, data\)"),
        (lambda: dmlcore.select([1], DATA, lambda k: ESTIMATOR), "the first makes the estimator of a candidate"),
    ],
)
def test_what_was_meant_is_named(call: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        call()


PUBLIC = [getattr(dmlcore, name) for name in dmlcore.__all__ if inspect.isfunction(getattr(dmlcore, name))]


@pytest.mark.parametrize("function", [*PUBLIC, dmlcore.OnlineEM, dmlcore.Surprise], ids=lambda function: function.__name__)
def test_arguments_of_another_kind_are_refused_by_name(function: Any) -> None:
    for parameter in inspect.signature(function).parameters.values():
        if function not in (dmlcore.read, dmlcore.stream) and check_of(function.__name__, parameter) is not None:
            with pytest.raises((ParameterError, StructureError), match=f"^{function.__name__}: {parameter.name} must be a"):
                function(**{parameter.name: object()})


def test_numbers_that_are_texts_are_refused() -> None:
    with pytest.raises(ParameterError, match="OnlineEM: rate must be a number or None, got 'a'"):
        dmlcore.OnlineEM(ESTIMATOR, rate="a")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="expected: f must be a function, got None"):
        dmlcore.expected(model, f=None)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="rows must be a number above 0"):
        dmlcore.bic(FIT, rows=-1)


def test_a_criterion_of_a_model_alone_asks_for_its_log_likelihood_first() -> None:
    with pytest.raises(ParameterError, match="the log likelihood comes first"):
        dmlcore.bic(model, FIT.log_likelihood, 60)


def test_help_begins_with_three_examples_and_lists_every_argument() -> None:
    doc = inspect.getdoc(dmlcore.fit) or ""
    assert doc.split("\n\n")[1].count(">>> found = dmlcore.fit(") == 3
    listed = {name for line in re.findall(r"^((?:\w+, )*\w+): ", doc, re.MULTILINE) for name in line.split(", ")}
    assert set(inspect.signature(dmlcore.fit).parameters) <= listed


def test_a_test_and_a_comparison_show_themselves() -> None:
    test = dmlcore.likelihood_ratio_test(DATA, GaussianEstimator(), ESTIMATOR, replicates=3, starts=1, rng=0, delta=1e-2)
    assert repr(test).startswith("Likelihood ratio test: statistic ")
    assert "larger" in test._repr_html_()
    rows = [(float(x), "<b>") for x in DATA]
    found = dmlcore.compare(rows, rows[::-1], classify=False)
    page = found._repr_html_()
    assert "Real and synthetic, column by column" in page
    assert "&lt;b&gt; 1.00" in page
    assert repr(found) == str(found)
