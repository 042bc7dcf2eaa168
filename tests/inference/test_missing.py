"""Fitting rows with missing cells: known cells alone decide, and complete rows are fitted as ever."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dmlcore import UNKNOWN, condition, fit, impute, missing_at_random, stats
from dmlcore.base.errors import DataError, EmptyError
from dmlcore.data.layouts import Layout, Maybe
from dmlcore.data.record_layouts import Explained, Fields
from dmlcore.data.sequences import Repeated
from dmlcore.inference.condition import always_there, log_evidence
from dmlcore.stats import (
    BernoulliSetEstimator,
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    DiagonalGaussianEstimator,
    GatedMixtureDistribution,
    GatedMixtureEstimator,
    GaussianDistribution,
    GaussianEstimator,
    GeometricEstimator,
    HierarchicalMixtureEstimator,
    JointMixtureEstimator,
    LinearRegressionEstimator,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialLogisticRegressionDistribution,
    MultivariateGaussianEstimator,
    OptionalDistribution,
    OptionalEstimator,
    PartialGaussianDistribution,
    PartialGaussianEstimator,
    PoissonDistribution,
    PoissonEstimator,
    SequenceEstimator,
)
from dmlcore.stats.multivariate.partial_vectors import PartialVector
from tests.examples import EXAMPLES, Example
from tests.reference import composite_rows, load

RECORD = CompositeEstimator((GaussianEstimator(), PoissonEstimator(), CategoricalEstimator()))
TRUTH = MixtureDistribution(
    [
        CompositeDistribution((GaussianDistribution(m, 1.0), PoissonDistribution(lam), CategoricalDistribution({"a": p, "b": 1 - p})))
        for m, lam, p in ((0.0, 2.0, 0.9), (6.0, 9.0, 0.2))
    ],
    [0.6, 0.4],
)


def test_one_record_is_fitted_field_by_field_from_known_cells() -> None:
    rows = [(1.0, None, "a"), (None, 3, "b"), (2.0, 5, None), (6.0, None, "a"), (None, None, None)]
    law: Any = fit(rows, missing_at_random(RECORD)).model
    assert [type(d) for d in law.dists] == [OptionalDistribution] * 3
    assert law.dists[0].dist.mu == pytest.approx(3.0)
    assert law.dists[0].dist.sigma2 == pytest.approx(np.var([1.0, 2.0, 6.0]))
    assert law.dists[1].dist.lam == pytest.approx(4.0)
    assert dict(law.dists[2].dist.pmap) == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    assert law.log_density((None, None, None)) == 0.0


def test_complete_rows_give_the_plain_model_to_the_bit() -> None:
    rows = TRUTH.sample(2000, rng=1)
    plain = fit(rows, MixtureEstimator([RECORD] * 2), rng=2)
    loose = fit(rows, missing_at_random(MixtureEstimator([RECORD] * 2)), rng=2)
    assert loose.history == plain.history
    assert always_there(loose.model) == plain.model


def test_the_truth_is_found_from_rows_with_gaps_and_gaps_are_filled() -> None:
    rows = TRUTH.sample(6000, rng=3)
    hide = np.random.default_rng(4).random((6000, 3)) < 0.3
    cut = [tuple(None if h else v for v, h in zip(row, gaps, strict=True)) for row, gaps in zip(rows, hide.tolist(), strict=True)]
    result = fit(cut, missing_at_random(MixtureEstimator([RECORD] * 2)), rng=5)
    assert np.diff(result.history).min() > -1e-8
    model: Any = result.model
    first = int(np.argmax(model.w))
    assert model.w[first] == pytest.approx(0.6, abs=0.04)
    for k, (m, lam, p) in ((first, (0.0, 2.0, 0.9)), (1 - first, (6.0, 9.0, 0.2))):
        gaussian, poisson, labels = (d.dist for d in model.components[k].dists)
        assert gaussian.mu == pytest.approx(m, abs=0.15)
        assert poisson.lam == pytest.approx(lam, abs=0.25)
        assert labels.pmap["a"] == pytest.approx(p, abs=0.05)
    out = impute(model, cut)
    right = np.mean([out.data[i][2] == rows[i][2] for i in np.flatnonzero(hide[:, 2])])
    sure = out.cells["field 2"].uncertainty.mean()
    assert right == pytest.approx(sure, abs=0.03)  # the probabilities given are what they say
    error = np.mean([(out.data[i][0] - rows[i][0]) ** 2 for i in np.flatnonzero(hide[:, 0])])
    assert math.sqrt(error) == pytest.approx(math.sqrt(np.mean(out.cells["field 0"].uncertainty ** 2)), rel=0.05)


def test_what_each_node_becomes() -> None:
    wide = missing_at_random(
        JointMixtureEstimator(
            [MultivariateGaussianEstimator(2, name="v")] * 2, [OptionalEstimator(GeometricEstimator(), est_prob=True)] * 2
        )
    )
    assert wide.estimators1[0] == PartialGaussianEstimator(2, name="v")
    assert wide.estimators2[0].est_prob
    sets = missing_at_random(CompositeEstimator((BernoulliSetEstimator(), MarkovChainEstimator(len_estimator=PoissonEstimator()))))
    rows = [(x[3], x[2]) for x in composite_rows()[:200]]
    cut = [(None if i % 3 == 0 else a, None if i % 4 == 0 else b) for i, (a, b) in enumerate(rows)]
    law: Any = fit(cut, sets).model
    kept = [a for a, _ in cut if a is not None]
    assert law.dists[0].dist.pmap["a"] == pytest.approx(np.mean(["a" in a for a in kept]))
    vectors: Any = fit(
        [([1.0, None], 1), ([2.0, 3.0], None), ([4.0, 4.0], 2), ([0.0, 1.0], 5)],
        missing_at_random(CompositeEstimator((MultivariateGaussianEstimator(), PoissonEstimator()))),
    ).model
    assert isinstance(vectors.dists[0], PartialGaussianDistribution)
    assert vectors.dists[0].mu[0] == pytest.approx(1.75)


# -- over the registry -------------------------------------------------------------------------------------------------

MARKS = (None, math.nan, pd.NA, np.datetime64("NaT", "s"))


def whole(row: Any) -> bool:
    """Whether nothing in a row is None."""
    return row is not None and not (isinstance(row, (tuple, list, set, frozenset)) and not all(map(whole, row)))


def cut(layout: Layout, row: Any, mark: Any) -> list[Any]:
    """A row with one part missing, in every way that its layout allows for: at any depth, wholly and partly."""
    inner: Any = layout.value if isinstance(layout, Maybe) else layout
    ways: list[list[Any]] = []
    if isinstance(inner, Explained):
        ways = [[mark] if layout.takes_missing else []] * len(row)
    elif isinstance(inner, Fields):
        ways = [cut(part, value, mark) for part, value in zip(inner.values, row, strict=True)]
    elif isinstance(inner, Repeated):
        ways = [cut(inner.value, value, mark) for value in row]
    elif isinstance(inner, PartialVector):
        ways = [[mark]] * len(row)
    kind = tuple if isinstance(row, tuple) else list
    out = [kind([*row[:j], value, *row[j + 1 :]]) for j, values in enumerate(ways) for value in values]
    return [*out, mark] if layout.takes_missing else out


@pytest.mark.parametrize("e", EXAMPLES, ids=lambda e: e.name.replace(" ", "_"))
def test_complete_data_give_the_plain_model_and_what_is_missing_says_nothing(e: Example) -> None:
    rows = [row for row in e.data(70) if whole(row)]
    estimator = missing_at_random(e.estimator)
    brief: Any = {"rng": 3, "starts": 1, "max_its": 5}
    try:
        plain = fit(rows, e.estimator, **brief)
    except EmptyError:
        return  # all of its rows are missing ones
    loose = fit(rows, estimator, **brief)
    np.testing.assert_allclose(loose.history, plain.history, rtol=1e-12)
    model: Any = loose.model
    np.testing.assert_allclose(model.seq_log_density(rows), plain.model.seq_log_density(rows), rtol=1e-10)

    gaps = [row for i in range(8) for row in cut(model.layout, rows[i], MARKS[i % 4])]
    for row, log in zip(gaps, model.seq_log_density(gaps).tolist(), strict=True):
        if isinstance(model, GatedMixtureDistribution) and not isinstance(row, tuple | list):
            assert log == 0.0
        elif not (isinstance(model, GatedMixtureDistribution) and not isinstance(row[0], np.ndarray)):
            expected = log_evidence(model, row)  # by another way, through the law of what is unknown
            assert log == expected or log == pytest.approx(expected, abs=1e-9)
    at = np.random.default_rng(4).integers(len(gaps), size=35)
    record = fit(rows[:35] + [gaps[i] for i in at], estimator, rng=2, starts=1, max_its=8)
    assert np.diff(record.objective).min(initial=0.0) > -1e-8


# -- what each part says -----------------------------------------------------------------------------------------------


def test_missing_elements_of_sequences_count_in_the_length_alone() -> None:
    rows = [["a", None, "b"], [None], ["a"], None, []]
    law: Any = fit(rows, missing_at_random(SequenceEstimator(CategoricalEstimator(), len_estimator=PoissonEstimator()))).model
    assert dict(law.dist.dist.dist.pmap) == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    assert law.dist.len_dist.lam == pytest.approx(5 / 4)
    topics: Any = missing_at_random(HierarchicalMixtureEstimator([CompositeEstimator([GaussianEstimator()] * 2)] * 2, 2))
    assert all(isinstance(e, OptionalEstimator) for topic in topics.estimator.estimators for e in topic.estimators)


def test_optional_parts_stay_and_what_is_below_them_may_be_missing() -> None:
    inner = OptionalEstimator(CompositeEstimator((CategoricalEstimator(), GaussianEstimator())), est_prob=True)
    law: Any = fit([("a", 1.0), (None, 3.0), None, ("b", None), ("a", 2.0)], missing_at_random(inner)).model
    assert law.p == pytest.approx(0.2)
    assert [type(d) for d in law.dist.dists] == [OptionalDistribution] * 2
    assert law.dist.dists[1].dist.mu == 2.0
    assert impute(law, [("a", None), (None, 3.0)]).data == [("a", 2.0), ("a", 3.0)]


def test_both_sides_of_a_joint_mixture_down_to_their_elements() -> None:
    sides: Any = [[SequenceEstimator(CategoricalEstimator())] * 2, [CompositeEstimator([PoissonEstimator(), GaussianEstimator()])] * 2]
    rows = [(["a", None], (1, 0.5)), (None, (2, None)), (["b"], (None, 1.5)), (["a"], None), None, (["b", "a"], (4, 2.5))]
    record = fit(rows, missing_at_random(JointMixtureEstimator(*sides)), rng=1, starts=2, max_its=20)
    assert np.diff(record.objective).min() > -1e-9
    assert record.model.log_density(None) == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("estimator", [LinearRegressionEstimator(), MixtureEstimator([LinearRegressionEstimator()])], ids=["one", "mixed"])
def test_a_regression_learns_from_complete_observations_and_tells_a_missing_response(estimator: Any) -> None:
    rng = np.random.default_rng(5)
    rows: list[Any] = [((x,), 2.0 * x + 1.0 + e) for x, e in rng.normal(size=(60, 2)).tolist()]
    gaps = [((None,), 1.0), ((0.3,), None), None, (None, None)]
    law: Any = fit(rows + gaps, missing_at_random(estimator), rng=1).model
    plain: Any = fit(rows, estimator, rng=1).model
    assert law.seq_log_density(rows) == pytest.approx(plain.seq_log_density(rows), rel=1e-9)
    assert condition(law, ((0.3,), UNKNOWN)).mean() == pytest.approx(condition(plain, ((0.3,), UNKNOWN)).mean(), rel=1e-9)
    assert impute(law, gaps[1:2]).data[0][1] == pytest.approx(condition(plain, ((0.3,), UNKNOWN)).mean(), rel=1e-9)
    with pytest.raises(DataError, match="OptionalEstimator or use missing_at_random"):
        fit(rows + gaps[:1], estimator)


def test_a_gate_learns_from_rows_that_have_covariates() -> None:
    rng = np.random.default_rng(6)
    z = rng.normal(size=400)
    which = rng.random(400) < 1 / (1 + np.exp(-2 * z))
    labels = np.where(rng.random((400, 3)) < np.where(which, 0.9, 0.2)[:, None], "a", "b").tolist()
    hide = rng.random((400, 4)) < 0.2
    rows: list[Any] = [
        (None if h[3] else (v,), tuple(None if gone else a for a, gone in zip(each, h[:3], strict=True)))
        for v, each, h in zip(z.tolist(), labels, hide.tolist(), strict=True)
    ]
    plain = GatedMixtureEstimator([CompositeEstimator([CategoricalEstimator()] * 3)] * 2)
    known, lost = ([row for row, h in zip(rows, hide.tolist(), strict=True) if h[3] is gone] for gone in (False, True))
    whole_table = fit(rows, missing_at_random(plain), start=which.astype(int))
    alone = fit(known, missing_at_random(plain), start=which[~hide[:, 3]].astype(int))
    law: Any = whole_table.model
    assert whole_table.log_likelihood == pytest.approx(alone.log_likelihood, abs=1e-6)
    assert law.gate.coef == pytest.approx(alone.model.gate.coef, rel=1e-3)  # type: ignore[attr-defined]
    assert set(law.components[0].dists[0].dist.pmap) == {"a", "b"}
    assert (law.seq_log_density([*lost, None]) == 0.0).all()
    one = law.components[0].log_density(("a", "a", "a")) - law.components[1].log_density(("a", "a", "a"))
    assert law.posterior((None, ("a", "a", "a")))[0] == pytest.approx(1 / (1 + math.exp(-one)))
    assert eval(repr(law), vars(stats)) == law
    filled = impute(law, [((2.0,), ("a", None, "a")), ((2.0,), None)]).data
    assert filled == [((2.0,), ("a", "a", "a")), ((2.0,), ("a", "a", "a"))]
    with pytest.raises(DataError, match=r"gate: row 1 is None; need .*missing_at_random"):
        fit([((1.0,), ("a", "b", "a")), (None, ("a", "b", "b"))], plain)


def test_the_published_latent_classes_of_an_election_survey() -> None:
    saved = load("polca_election")
    rows = [((float(r[12]) if r[12] != "0" else None,), tuple(None if c == "0" else c for c in r[:12])) for r in saved["rows"]]
    leaves = [[OptionalDistribution(CategoricalDistribution(dict(zip("1234", p, strict=True)))) for p in one] for one in saved["p"]]
    gate = MultinomialLogisticRegressionDistribution(saved["coef"], saved["intercept"], (0, 1, 2))
    start = GatedMixtureDistribution(list(map(CompositeDistribution, leaves)), gate, missing_covariates=True)
    plain = GatedMixtureEstimator([CompositeEstimator([CategoricalEstimator()] * 12)] * 3)
    record = fit(rows, missing_at_random(plain), start=start, max_its=2)
    assert record.history[0] == pytest.approx(saved["log_likelihood"], abs=0.01)
    assert record.log_likelihood == pytest.approx(record.history[0], abs=1e-4)  # it is a maximum


def test_components_that_do_not_agree_on_their_gaps_are_missing_as_a_whole() -> None:
    rows = np.random.default_rng(7).normal(size=(40, 2)).tolist()
    mixed = missing_at_random(MixtureEstimator([MultivariateGaussianEstimator(2), DiagonalGaussianEstimator(2)]))
    assert fit([*rows, None], mixed, rng=1, starts=1, max_its=3).model.log_density(None) == 0.0
    with pytest.raises(DataError, match="row 40"):
        fit([*rows, [1.0, None]], mixed)
