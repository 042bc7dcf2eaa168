"""Expected values, and what columns tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dmlcore import UNKNOWN, condition, expected, most_informative, mutual_information
from dmlcore.base.errors import ParameterError, StructureError, SupportError
from dmlcore.stats import (
    BinomialDistribution,
    CategoricalDistribution,
    CompositeDistribution,
    ConditionalDistribution,
    GaussianDistribution,
    MixtureDistribution,
    MultivariateGaussianDistribution,
    OptionalDistribution,
    PoissonDistribution,
)

N, C = GaussianDistribution, CategoricalDistribution


def record(mean: float, p: float, q: float) -> CompositeDistribution:
    return CompositeDistribution(
        {"x": N(mean, 1.0), "u": C({"a": p, "b": 1 - p}), "v": OptionalDistribution(BinomialDistribution(q, 3), 0.2)}
    )


model = MixtureDistribution([record(0.0, 0.9, 0.2), record(2.0, 0.3, 0.7)], [0.4, 0.6])
labels = MixtureDistribution([CompositeDistribution(law.dists[1:]) for law in model.components], model.w)


def entropy(p: Any) -> float:
    p = np.asarray(p)[np.asarray(p) > 0]
    return float(-(p * np.log(p)).sum())


def table() -> np.ndarray:
    """P(u, v) of the labels, v missing last."""
    out = np.zeros((2, 5))
    for w, law in zip(labels.w, labels.components, strict=True):
        u, v = law.dists
        p = np.array([v.dist.density(i) for i in range(4)])
        out += w * np.outer(list(u.probabilities().values()), [*(0.8 * p), 0.2])
    return out


def test_exact_sums_where_they_are_finite() -> None:
    value, error = expected(labels, lambda row: (row[0] == "a") * (row[1] or 0))
    assert (value, error) == (pytest.approx(table()[0, :4] @ np.arange(4)), 0.0)
    both = expected(labels, lambda row: np.array([row[0] == "a", row[1] is None]))
    np.testing.assert_allclose(both.value, [0.54, 0.2])
    given = expected(condition(model, {"x": 1.0, "v": 2}), lambda u: u == "a")
    assert given.error == 0.0
    assert given.value == pytest.approx(condition(model, {"x": 1.0, "v": 2}).probabilities()["a"])  # type: ignore[attr-defined]


def test_draws_with_their_error_elsewhere() -> None:
    value, error = expected(model, lambda row: row["x"] * (row["u"] == "a"), size=4000, rng=1)
    assert 0 < error < 0.03
    assert abs(value - 0.6 * 2.0 * 0.3) < 4 * error
    value, error = expected(PoissonDistribution(3.0), lambda n: n * n, size=4000, rng=1)
    assert abs(value - 12.0) < 4 * error


def test_what_columns_tell_about_each_other() -> None:
    p = table()
    wanted = entropy(p.sum(axis=0)) + entropy(p.sum(axis=1)) - entropy(p.ravel())
    assert mutual_information(labels, 0, 1) == (pytest.approx(wanted, rel=1e-9), 0.0)
    assert mutual_information(labels, 1, 0).value == pytest.approx(wanted, rel=1e-9)
    assert mutual_information(model, "v", "u").value == pytest.approx(wanted, rel=1e-9)
    vectors = MultivariateGaussianDistribution([0.0, 1.0], [[1.0, 0.6], [0.6, 1.0]])
    exact = -0.5 * np.log(1 - 0.36)
    assert mutual_information(vectors, 0, 1) == (pytest.approx(exact), 0.0)
    drawn = mutual_information(MixtureDistribution([vectors] * 2, [0.5, 0.5]), 0, 1, size=4000, rng=1)
    assert abs(drawn.value - exact) < 4 * drawn.error
    pair = ConditionalDistribution({"a": N(0.0, 1.0), "b": N(50.0, 1.0)}, given_dist=C({"a": 0.5, "b": 0.5}))
    assert mutual_information(pair, 0, 1, size=500, rng=1).value == pytest.approx(np.log(2))
    with pytest.raises(StructureError, match="one column"):
        mutual_information(model, "x", 0)


def test_what_columns_tell_about_the_component() -> None:
    joint = np.array([[0.4 * 0.9, 0.4 * 0.1], [0.6 * 0.3, 0.6 * 0.7]])
    wanted = entropy([0.4, 0.6]) + entropy(joint.sum(axis=0)) - entropy(joint.ravel())
    assert mutual_information(model, "u") == (pytest.approx(wanted, rel=1e-9), 0.0)
    x = np.linspace(-8, 10, 4001)
    density = np.array([law.dists[0].log_densities(x) for law in model.components])
    parts = np.exp(density) * np.array([[0.4], [0.6]])
    falls = entropy([0.4, 0.6]) + (parts * np.log(parts / parts.sum(axis=0))).sum(axis=0) / parts.sum(axis=0)
    exact = np.trapezoid(falls * parts.sum(axis=0), x) if hasattr(np, "trapezoid") else np.trapz(falls * parts.sum(axis=0), x)
    drawn = mutual_information(model, "x", size=4000, rng=2)
    assert abs(drawn.value - exact) < 4 * drawn.error
    with pytest.raises(StructureError, match="no components"):
        mutual_information(model.components[0], "u")


def test_components_of_a_column() -> None:
    """Where the model has none itself, a mixture in one of its columns does."""
    first = MixtureDistribution([GaussianDistribution(0.0, 1.0), GaussianDistribution(4.0, 1.0)], [0.5, 0.5])
    law = CompositeDistribution([first, CategoricalDistribution({"a": 0.5, "b": 0.5})])
    alone = MixtureDistribution([CompositeDistribution([component]) for component in first.components], first.w)
    drawn = mutual_information(law, 0, size=300, rng=1)
    assert drawn == mutual_information(alone, 0, size=300, rng=1)
    (only,) = most_informative(law, (UNKNOWN, "a"), size=300, rng=1)
    assert only.information == pytest.approx(drawn.value, abs=5 * only.error)
    with pytest.raises(StructureError, match="say what the answer is to be about"):
        most_informative(law, (UNKNOWN, UNKNOWN))
    with pytest.raises(SupportError, match=r"the observed part \{'u': 'z'\} has density zero"):
        most_informative(model, {"u": "z"})


def test_which_cell_to_ask_for() -> None:
    first, second = most_informative(model, {"u": "a"}, rng=1)
    assert (first.column, second.column) == ("x", "v")
    asked = {one.column: one for one in most_informative(model, {"x": 1.0})}
    assert asked["u"].error == 0.0
    p = np.array([0.4, 0.6])  # x = 1 is as probable under both
    joint = p[:, None] * np.array([[0.9, 0.1], [0.3, 0.7]])
    assert asked["u"].information == pytest.approx(entropy(p) + entropy(joint.sum(axis=0)) - entropy(joint.ravel()), rel=1e-9)

    about = most_informative(model, {}, about="v", rng=1)
    assert {one.column for one in about} == {"x", "u"}
    given = condition(labels, (UNKNOWN, UNKNOWN))
    assert next(one for one in about if one.column == "u").information == pytest.approx(mutual_information(given, 0, 1).value)
    (only,) = most_informative(model, {"x": 1.0, "v": 2})
    assert only.column == "u"
    with pytest.raises(StructureError, match="is known"):
        most_informative(model, {"v": 2}, about="v")
    with pytest.raises(ParameterError, match="size must be a whole number >= 2"):
        mutual_information(model, "x", size=0)
    with pytest.raises(StructureError, match="nothing is unknown"):
        most_informative(model, (1.0, "a", 2))
