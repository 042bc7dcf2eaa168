"""Posteriors of rows that no component gives any density: an error that names rows, field and remedy, or the mixing weights."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import ParameterError, SupportError
from dmlcore.core.powers import HasClasses, has
from dmlcore.regression import MixtureRegression
from dmlcore.selection import responsibilities
from dmlcore.stats import (
    BernoulliSetDistribution,
    CategoricalDistribution,
    CompositeDistribution,
    GatedMixtureDistribution,
    GaussianDistribution,
    HeterogeneousMixtureDistribution,
    HierarchicalMixtureDistribution,
    JointMixtureDistribution,
    MarkovChainDistribution,
    MixtureDistribution,
    MultinomialLogisticRegressionDistribution,
    OptionalDistribution,
    PoissonDistribution,
    PoissonEstimator,
    seq_encode,
)
from tests.examples import EXAMPLES, Example

Mix = MixtureDistribution
LABELS = [CategoricalDistribution({"a": p, "b": 1 - p}) for p in (0.2, 0.7)]
RECORDS = Mix([CompositeDistribution((GaussianDistribution(3.0 * i, 1.0), law)) for i, law in enumerate(LABELS)], [0.4, 0.6])
GATE = MultinomialLogisticRegressionDistribution([[1.0, -0.5]], [0.3], (0, 1))
CHAIN = MarkovChainDistribution({"a": 1.0}, {"a": {"a": 0.5, "b": 0.5}})
UNSEEN = "categorical: 'z' is not among its labels; default_value gives such labels a probability"
CASES: list[tuple[Any, Any, Any, str, Any]] = [
    (RECORDS, (1.0, "a"), (1.0, "z"), f"field 1.{UNSEEN}", [0.4, 0.6]),
    (Mix([OptionalDistribution(law, 0.2) for law in LABELS], [0.4, 0.6]), None, "z", f"(optional).{UNSEEN}", [0.4, 0.6]),
    (HeterogeneousMixtureDistribution(LABELS, [0.4, 0.6]), "a", "z", UNSEEN, [0.4, 0.6]),
    (Mix([CHAIN, CHAIN], [0.4, 0.6]), ["a", "b"], ["a", "b", "a"], "element 2 of markov chain: 'a' cannot follow 'b'", [0.4, 0.6]),
    (Mix([BernoulliSetDistribution({"a": 0.5})] * 2, [0.4, 0.6]), ["a"], ["z"], "bernoulli set: 'z' is not among", [0.4, 0.6]),
    (
        HierarchicalMixtureDistribution(LABELS, [0.3, 0.7], [[0.5, 0.5], [0.1, 0.9]], PoissonDistribution(2.0)),
        ["a", "b"],
        ["a", "z"],
        f"element 1 of hierarchical mixture, {UNSEEN}",
        [0.3, 0.7],
    ),
    (
        JointMixtureDistribution([GaussianDistribution(0.0, 1.0)] * 2, LABELS, [0.3, 0.7], None, [[0.5, 0.5], [0.1, 0.9]]),
        (0.0, "a"),
        (0.0, "z"),
        f"field 1.{UNSEEN}",
        [[0.15, 0.15], [0.07, 0.63]],
    ),
    (GatedMixtureDistribution(LABELS, GATE), ([0.0, 0.0], "a"), ([1.0, 2.0], "z"), UNSEEN, GATE.mean_given([[1.0, 2.0]])[0]),
]


@pytest.mark.parametrize(("law", "good", "bad", "why", "prior"), CASES, ids=lambda v: v.label if hasattr(v, "label") else "")
def test_rows_without_density(law: Any, good: Any, bad: Any, why: str, prior: Any) -> None:
    beginning = f"{law.label}: row 0 has density zero under every component ({why}"
    with pytest.raises(SupportError, match=f"^{re.escape(beginning)}.*impossible='prior' gives the mixing weights"):
        law.posterior(bad)
    np.testing.assert_allclose(law.posterior(bad, impossible="prior"), prior, rtol=1e-12)
    for n in (1, 50):  # rows that repeat are kept once
        rows = [good, bad, good, bad, bad] * n
        for data in (rows, law.seq_encode(rows)):
            with pytest.raises(SupportError, match=rf"row 1 has density zero .*; likewise {3 * n - 1} other rows, \[3, 4"):
                law.seq_posterior(data)
            got = law.seq_posterior(data, impossible="prior")
            np.testing.assert_allclose(got[1::5], np.broadcast_to(prior, got[1::5].shape), rtol=1e-12)
            np.testing.assert_allclose(got[2::5], np.broadcast_to(law.posterior(good), got[2::5].shape), rtol=1e-12)
    np.testing.assert_array_equal(responsibilities(law, [bad], impossible="prior")[0], law.posterior(bad, impossible="prior"))


def test_other_ways_to_posteriors() -> None:
    law: Any = CASES[6][0]
    np.testing.assert_allclose(law.posterior2("z", impossible="prior"), law.w2)
    np.testing.assert_allclose(law.posterior1_given2("z", impossible="prior"), law.w1)
    np.testing.assert_allclose(RECORDS.transform([(0.0, "z")], impossible="prior"), [[0.4, 0.6]])
    with pytest.raises(SupportError, match="row 0"):
        law.posterior2("z")
    with pytest.raises(ParameterError, match="impossible must be 'error' or 'prior', got 'weights'"):
        RECORDS.posterior((0.0, "a"), impossible="weights")
    x, y = np.arange(40.0) % 7, np.arange(40) % 5
    model = MixtureRegression(2, family="poisson").fit(x[:, None], y)
    posterior = model.predict_proba([[1.0], [2.0]], [3, 2], impossible="prior")
    np.testing.assert_array_equal(posterior, model.predict_proba([[1.0], [2.0]], [3, 2]))


@pytest.mark.parametrize("e", [e for e in EXAMPLES if e.off and has(e.law, HasClasses)], ids=repr)
def test_every_mixture_names_the_rows(e: Example) -> None:
    rows = [*e.data(3), *e.off]
    with pytest.raises(SupportError, match=r"row 3 has density zero under every component \(.+\)"):
        e.law.seq_posterior(rows)  # type: ignore[attr-defined]
    posterior = e.law.seq_posterior(rows, impossible="prior")  # type: ignore[attr-defined]
    np.testing.assert_allclose(posterior.reshape(len(rows), -1).sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("e", [e for e in EXAMPLES if "deaf" not in e.tags], ids=repr)
def test_columns_give_back_their_rows(e: Example) -> None:
    """What messages show of a row of encoded data scores as the row does."""
    rows = e.data(80)
    for encoded in (e.law.seq_encode(rows), e.law.seq_encode(rows[:5])):
        again = [encoded.column.row(i) for i in range(len(encoded))]
        np.testing.assert_array_equal(e.law.seq_log_density(again), e.law.seq_log_density(encoded))


def test_an_impossible_row_of_encoded_data_is_named_with_its_field() -> None:
    rows = seq_encode([1, 2, -1, 3], estimator=PoissonEstimator())
    with pytest.raises(SupportError, match=r"row 2 .*poisson: -1 has density zero; it needs whole numbers >= 0"):
        fit(rows, PoissonEstimator())


def test_one_number_is_not_taken_for_several_rows() -> None:
    with pytest.raises(SupportError, match=r"row 0 has density zero under every component \(gaussian: inf has density zero"):
        MixtureDistribution([GaussianDistribution(0.0, 1.0)] * 2, [0.5, 0.5]).posterior(np.inf)
