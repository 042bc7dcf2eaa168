"""Children are checked where they are given; errors of estimation, and messages about rows, say where."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from dmlcore import fit, stats
from dmlcore.base.domains import Child, Children
from dmlcore.base.errors import DegenerateError, DmlcoreError, EmptyError, ParameterError, StructureError
from dmlcore.core.declared import Declared
from dmlcore.core.keys import preorder
from dmlcore.io.families import family_called
from dmlcore.stats import (
    CompositeEstimator,
    DiagonalGaussianEstimator,
    GammaEstimator,
    GaussianDistribution,
    GaussianEstimator,
    HierarchicalMixtureEstimator,
    IgnoredEstimator,
    JointMixtureEstimator,
    LinearRegressionEstimator,
    MarkovChainEstimator,
    MixtureEstimator,
    MultinomialLogisticRegressionEstimator,
    MultivariateGaussianEstimator,
    OptionalEstimator,
    PartialGaussianEstimator,
    PoissonEstimator,
    SequenceEstimator,
    initialize,
)
from tests.examples import EXAMPLES, Example

G, DG = GaussianEstimator, DiagonalGaussianEstimator
V = np.random.default_rng(1).normal(size=(30, 2)) + 1.0
every = pytest.mark.parametrize("e", EXAMPLES, ids=repr)


# -- children ----------------------------------------------------------------------------------------------------------


def nested_fields() -> list[tuple[Declared, str, bool]]:
    """One object of every family that has children, each of its fields that holds them, and whether that holds several."""
    found: dict[type, Declared] = {}
    for e in EXAMPLES:
        for root in (e.law, e.estimator):
            for node in preorder(root):
                found.setdefault(type(node), node)
    nested = [(node, field, domain) for node in found.values() for field, domain in node._fields]
    return [(n, field, isinstance(domain, Children)) for n, field, domain in nested if isinstance(domain, (Child, Children))]


@pytest.mark.parametrize(("node", "field", "several"), nested_fields(), ids=lambda v: v if isinstance(v, str) else type(v).__name__)
def test_children_are_checked(node: Any, field: str, several: bool) -> None:
    law = node.noun == "a distribution"
    own, other = (GaussianDistribution(0.0, 1.0), G()) if law else (G(), GaussianDistribution(0.0, 1.0))
    write = f"write {'GaussianDistribution(mu, sigma2)' if law else 'GaussianEstimator()'}"
    for wrong, got in (
        (other, f"{other!r}; {write}"),
        (type(own), f"the class {type(own).__name__}; {write}"),
        (type(other), f"the class {type(other).__name__}; {write}"),
        (3, "3"),
        ("gaussian", "'gaussian'"),
    ):
        place = f"{field}[1]" if several else field
        message = f"{type(node).__name__}: {place} must be {node.noun}, got {got}"
        with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
            node.replace(**{field: [node.children()[0], wrong] if several else wrong})


def test_every_family_with_children_is_in_that_test() -> None:
    nested = {family for name in vars(stats) if (family := family_called(name)) and family._child_fields}
    assert all(any(isinstance(node, family) for node, _, _ in nested_fields()) for family in nested)


def test_a_missing_child_and_laws_that_are_held_are_checked_too() -> None:
    with pytest.raises(ParameterError, match="OptionalEstimator: estimator must be an estimator, got None"):
        OptionalEstimator(None)  # type: ignore[arg-type]
    with pytest.raises(
        ParameterError, match=r"SequenceEstimator: len_dist must be a distribution, got .*; write PoissonDistribution\(lam\)"
    ):
        SequenceEstimator(G(), len_dist=PoissonEstimator())
    with pytest.raises(ParameterError, match="IgnoredEstimator: dist must be a distribution, got the class GaussianDistribution"):
        IgnoredEstimator(GaussianDistribution)
    with pytest.raises(StructureError, match=r"must be an estimator, got the class GaussianEstimator; write GaussianEstimator\(\)"):
        fit([1.0, 2.0], G)  # type: ignore[arg-type]


# -- errors of estimation ----------------------------------------------------------------------------------------------

ROWS = [(1.0, 2.0), (2.0, 2.0), (3.0, 2.0)]


@pytest.mark.parametrize(
    ("estimator", "rows", "message"),
    [
        (G(), [2.0, 2.0], "gaussian: all values equal 2.0"),
        (CompositeEstimator([G(), G(name="height")]), ROWS, "field 1.height: all values equal 2.0"),
        (CompositeEstimator([G(), OptionalEstimator(G())]), ROWS, "field 1 (optional).gaussian: all values equal 2.0"),
        (CompositeEstimator([G(), OptionalEstimator(G())]), [(1.0, None), (2.0, None)], "field 1 (optional).gaussian: no row gives it"),
        (MixtureEstimator([CompositeEstimator([G(), G()])] * 2), ROWS, "component 0.field 1.gaussian: all values equal"),
        (CompositeEstimator([G(), MarkovChainEstimator()]), [(1.0, []), (2.0, [])], "field 1.markov chain: all sequences are empty"),
        (SequenceEstimator(G()), [[], []], "(sequence).gaussian: no row gives it any weight"),
        (SequenceEstimator(G(), G()), [[1.0, 2.0]] * 3, "(sequence) length.gaussian: all values equal 2.0"),
        (HierarchicalMixtureEstimator([GammaEstimator()] * 2, 2), [[1.0], [1.0]], "topic 0.gamma: all values equal 1.0"),
        (JointMixtureEstimator([G()] * 2, [G()] * 2), ROWS, "field 1.component 0.gaussian: all values equal 2.0"),
        (CompositeEstimator([G(), CompositeEstimator([G(), GammaEstimator()])]), [(1.0, (2.0, 3.0)), (2.0, (3.0, 3.0))],
         "field 1.field 1.gamma: all values equal 3.0"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)  # fmt: skip
def test_errors_of_estimation_name_their_place(estimator: Any, rows: Any, message: str) -> None:
    with pytest.raises(DmlcoreError, match=f"^{re.escape(message)}"):
        fit(rows, estimator, rng=0)


def said(rows: Any, estimator: Any) -> str | None:
    """What an error of estimation says, or None."""
    try:
        initialize(rows, estimator, rng=0)
    except (DegenerateError, EmptyError) as error:
        return str(error)
    return None


@every
def test_every_family_names_its_place(e: Example) -> None:
    """Each example as the second field of records, with nothing but missing values, and with one value in all rows."""
    value = e.data(1)[0]
    missing = OptionalEstimator(e.estimator, missing_value="gone")
    for estimator, entry, place in ((missing, None, "field 1 (optional)"), (e.estimator, value, "field 1")):
        message = said([(float(i), entry) for i in range(4)], CompositeEstimator([G(), estimator]))
        if message is not None:
            assert re.match(re.escape(place) + r"[ .]", message)
            assert any(f"{node.label}: " in message for node in preorder(e.estimator))


@pytest.mark.parametrize(
    ("estimator", "rows", "message"),
    [
        (MultivariateGaussianEstimator(), [[0.0, 1.0], [1.0, 3.0]] * 500, "needs at least 3 distinct rows, not all on one line"),
        (PartialGaussianEstimator(), [[0.0, 1.0, 2.0], [1.0, 3.0, 4.0], [2.0, 5.0, 7.0]] * 99, "4 distinct rows, not all in one plane"),
        (MultivariateGaussianEstimator(), [[0.0, 1.0]] * 9, "coordinate 0, 1 is constant; give"),
        *((e, 1e155 * V, "too large, the squares of their differences exceed 1e308") for e in (MultivariateGaussianEstimator(), DG())),
        *((e, 1e-156 * V, "differ by less than 1e-154, too little for squares") for e in (MultivariateGaussianEstimator(), DG())),
        *((e, 1e-166 * V, r"constant \(or differ by less than 1e-154") for e in (MultivariateGaussianEstimator(), DG())),
        (G(), 1e155 * V[:, 0], "too large"),
        (G(), 1e-160 * V[:, 0], "too little"),
        (G(), 1e-166 * V[:, 0], r"all values equal .*e-16\d \(or differ by less than 1e-154"),
        (G(), [0.0, 0.0], "all values equal 0.0, so"),
        (LinearRegressionEstimator(), [([float(i)], 1e155 * v) for i, v in enumerate(V[:, 0])], "too large"),
        (LinearRegressionEstimator(), [([1e155 * v], float(i)) for i, v in enumerate(V[:, 0])], "too large"),
        (LinearRegressionEstimator(), [([1e-156 * v], float(i)) for i, v in enumerate(V[:, 0])], "too little"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)  # fmt: skip
def test_what_is_said_of_degenerate_data_is_true(estimator: Any, rows: Any, message: str) -> None:
    with pytest.raises(DegenerateError, match=message):
        fit(rows, estimator)


def test_a_message_about_the_whole_model_begins_with_its_name() -> None:
    record = fit([([float(i)], "ab"[i > 4]) for i in range(9)], MultinomialLogisticRegressionEstimator())
    assert record.status == "degenerate"
    assert record.message.startswith("multinomial logistic regression: ")
