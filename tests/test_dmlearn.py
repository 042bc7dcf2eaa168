"""What code written for DMLearn relies on: it works as it stands, or an error says what to write."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dmlcore
import dmlcore.utils.optsutil as ops
from dmlcore import stats
from dmlcore.base.errors import DataError, FormatError, ParameterError, SupportError
from dmlcore.fitting.problem import Problem
from dmlcore.io.json import from_json, to_json
from dmlcore.regression import MixtureRegression
from dmlcore.stats import *
from dmlcore.utils.estimation import best_of, empirical_kl_divergence, iterate, optimize, partition_data

N, P = GaussianDistribution(1.0, 2.0), PoissonDistribution(2.0)
LABELS = CategoricalDistribution({0: 0.5, 1: 0.3, 7: 0.2})
TWO = MixtureEstimator([GaussianEstimator()] * 2)
CHAIN = MarkovChainDistribution({"a": 0.75, "b": 0.25}, {"a": {"a": 0.5, "b": 0.5}, "b": {"a": 1.0}})


# -- every name ------------------------------------------------------------------------------------------------------------

NAMES = [  # of `dmx.stats.__all__`, version 1.1.1
    "Binomial",
    "Categorical",
    "Multinomial",
    "Composite",
    "Conditional",
    "DiracMixture",
    "Dirichlet",
    "DiagonalGaussianMixture",
    "DiagonalGaussian",
    "Exponential",
    "Gamma",
    "Gaussian",
    "Geometric",
    "GaussianMixture",
    "HeterogeneousMixture",
    "HiddenAssociation",
    "HiddenMarkovModel",
    "HierarchicalMixture",
    "ICLTree",
    "Ignored",
    "IntegerBernoulliEdit",
    "IntegerStepBernoulliEdit",
    "IntegerHiddenAssociation",
    "IntegerHiddenMarkovModel",
    "IntegerMarkovChain",
    "IntegerPLSI",
    "SpikeAndSlab",
    "IntegerMultinomial",
    "IntegerCategorical",
    "IntegerBernoulliSet",
    "JointMixture",
    "LDA",
    "LogGaussian",
    "LookbackHiddenMarkov",
    "MarkovChain",
    "Mixture",
    "MultivariateGaussian",
    "Null",
    "Optional",
    "Poisson",
    "Sequence",
    "BernoulliSet",
    "SparseMarkovAssociation",
    "SpearmanRanking",
    "SemiSupervisedMixture",
    "TreeHiddenMarkovModel",
    "VonMisesFisher",
    "Weighted",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_here_or_the_page_says_what_to_write(name: str) -> None:
    page = (Path(__file__).parents[1] / "docs" / "coming_from_dmlearn.md").read_text("utf-8")
    assert f"{name}Distribution" in stats.__all__ or name in page


# -- None, and other names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [family for family in vars(stats).values() if hasattr(family, "_child_fields")])
def test_none_is_null_wherever_a_part_may_be_null(family: Any) -> None:
    defaults = {field: domain.absent for field, domain in family._fields if getattr(domain, "absent", None) is not None}
    assert set(map(type, defaults.values())) <= {NullDistribution, NullEstimator}
    lengths = [field for field, _ in family._fields if field in ("len_dist", "len_estimator")]
    assert defaults or not lengths
    for field, null in defaults.items():
        assert dict(family._fields)[field].check(None) is null


def test_laws_without_a_law_of_lengths() -> None:
    assert SequenceDistribution(N, len_dist=None).log_density([1.0, 2.0]) == N.log_density(1.0) + N.log_density(2.0)
    assert SequenceEstimator(GaussianEstimator(), len_estimator=None) == SequenceEstimator(GaussianEstimator())
    assert estimate([["a", "b"]], MarkovChainEstimator(len_estimator=None)).len_dist == NullDistribution()
    assert HierarchicalMixtureEstimator([GaussianEstimator()], 1, None).len_estimator == NullEstimator()
    assert IgnoredEstimator(None) == IgnoredEstimator()


def test_weights_of_a_hierarchical_mixture_by_their_names_there() -> None:
    w, taus = [0.25, 0.75], [[0.5, 0.5], [0.1, 0.9]]
    law = HierarchicalMixtureDistribution([N, N], mixture_weights=w, topic_weights=taus)  # type: ignore[call-arg]
    assert law == HierarchicalMixtureDistribution([N, N], w, taus) == pickle.loads(pickle.dumps(law))
    with pytest.raises(TypeError, match="w is given twice"):
        HierarchicalMixtureDistribution([N, N], w, taus, mixture_weights=w, w=w)  # type: ignore[call-arg,misc]


def test_a_law_by_its_length_is_no_law() -> None:
    for make in (lambda: SequenceDistribution(N, len_normalized=True), lambda: SequenceEstimator(GaussianEstimator(), len_normalized=True)):
        with pytest.raises(ParameterError, match="Leave it out, and divide where scores are compared"):
            make()


def test_a_choice_is_a_conditional_law_that_can_be_saved() -> None:
    def choice(x: float) -> int:
        return int(x > 0)

    values = [-2.0, -1.0, 0.5, 2.5, -1.5]
    parts = [GaussianEstimator(), ExponentialEstimator()]
    model: Any = dmlcore.fit([(choice(x), x) for x in values], ConditionalDistributionEstimator(parts)).model
    assert model.dmap[1] == ExponentialDistribution(1.5)
    again: Any = from_json(to_json(model))
    np.testing.assert_allclose(
        again.seq_log_density([(choice(x), x) for x in values]),
        [model.dmap[choice(x)].log_density(x) for x in values],
    )


# -- rows, and encoded rows ------------------------------------------------------------------------------------------------


ROWS = [(float(x), "ab"[i % 2]) for i, x in enumerate(np.random.default_rng(1).normal(size=40))]
PAIR = MixtureEstimator([CompositeEstimator([GaussianEstimator(), CategoricalEstimator()])] * 2)
FEW: dict[str, Any] = {"rng": 1, "max_its": 2}


def rows() -> Iterator[Any]:
    return zip(*map(list, zip(*ROWS, strict=True)), strict=True)


TAKERS = {
    "fit": lambda data: dmlcore.fit(data(), PAIR, starts=1, **FEW).model,
    "fit from another estimator": lambda data: dmlcore.fit(data(), PAIR, init_estimator=PAIR, **FEW).model,
    "fit with validation": lambda data: dmlcore.fit(data(), PAIR, starts=1, vdata=data(), **FEW).model,
    "optimize": lambda data: optimize(data(), PAIR, starts=1, vdata=data(), print_iter=1, **FEW),
    "iterate": lambda data: iterate(data(), PAIR, 2, rng=1),
    "best_of": lambda data: best_of(data(), data(), PAIR, 2, **FEW),
    "initialize": lambda data: initialize(data(), PAIR, 1),
    "estimate": lambda data: estimate(data(), PAIR.estimators[0]),
    "online": lambda data: dmlcore.OnlineEM(PAIR, rng=1).partial_fit(data()).partial_fit(data()).model,
    "select": lambda data: dmlcore.select(lambda k: PAIR, [1, 2], data(), starts=1, **FEW).rows,
    "scores": lambda data: START.seq_log_density(data()).tolist(),
    "scores of several": lambda data: seq_log_density(data(), [START, START]).tolist(),
    "posteriors": lambda data: START.seq_posterior(data()).tolist(),
    "divergence": lambda data: empirical_kl_divergence(START, START, data()),
    "partition": lambda data: partition_data(data(), [0.5, 0.5], 1),
    "impute": lambda data: dmlcore.impute(START, data(), rng=1).data,
    "compare": lambda data: str(dmlcore.compare(data(), data(), rng=1)),
    "standard errors": lambda data: dmlcore.standard_errors(START, data(), kind="bootstrap", replicates=5, rng=1).errors.tolist(),
    "criteria": lambda data: dmlcore.icl(START, data()),
}
START = initialize(ROWS, PAIR, 3)


@pytest.mark.filterwarnings("ignore::dmlcore.base.errors.FitWarning")
@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_rows_may_come_from_an_iterator(take: Any) -> None:
    assert repr(take(rows)) == repr(take(lambda: ROWS))


def test_regressions_take_iterators() -> None:
    x, y = [0.0, 1.0, 2.0, 3.5], [1.0, 2.5, 2.0, 4.0]
    one, two = (MixtureRegression(1, random_state=0).fit(*data) for data in ((zip(x), iter(y)), ([[v] for v in x], y)))
    np.testing.assert_array_equal(one.coef_, two.coef_)


@pytest.mark.parametrize("data", ["text", {"a": 1}, 3, None])
def test_what_is_no_rows(data: Any) -> None:
    with pytest.raises(DataError, match="data must be a list"):
        dmlcore.fit(data, GaussianEstimator())


def test_encoded_data_are_a_list_of_one_chunk() -> None:
    encoded = seq_encode([1, 2, 3], estimator=PoissonEstimator(), num_chunks=2, chunk_size=2)
    assert [(n, P.seq_log_density(x).tolist()) for n, x in encoded] == [(3, P.seq_log_density([1, 2, 3]).tolist())]
    assert encoded[0][1] is encoded[-1][1] is encoded
    assert len(encoded) == 3
    with pytest.raises(IndexError, match="one chunk"):
        encoded[1]
    assert seq_encode([1, 2], P.dist_to_encoder()).layout == P.layout
    assert optimize([1, 2, 3], PoissonEstimator(), num_chunks=4) == PoissonDistribution(2.0)


def test_several_models_score_together() -> None:
    both = (P, PoissonDistribution(5.0))
    np.testing.assert_array_equal(seq_log_density(seq_encode([1, 2, 3], model=P), both), [p.seq_log_density([1, 2, 3]) for p in both])


# -- what comes out --------------------------------------------------------------------------------------------------------


def test_samplers_give_lists_and_sample_may_give_arrays() -> None:
    for law in (N, P, MultivariateGaussianDistribution([0.0, 1.0], [[1.0, 0.0], [0.0, 1.0]]), MixtureDistribution([N, N], [0.5, 0.5])):
        both = law.sampler(1).sample(3) + law.sampler(2).sample(3)
        assert type(both) is list
        assert len(both) == 6
        assert isinstance(law.sample(3, rng=1), np.ndarray)
        np.testing.assert_array_equal(law.sampler(1).sample(3), law.sample(3, rng=1))
    assert type(P.sampler(1).sample()) is type(P.sample(rng=1)) is int


def test_tables_of_labels_are_dicts() -> None:
    assert json.loads(json.dumps(LABELS.pmap)) == {"0": 0.5, "1": 0.3, "7": 0.2}
    assert json.dumps(CHAIN.init_prob_map) == '{"a": 0.75, "b": 0.25}'
    assert json.loads(json.dumps(CHAIN.transition_map)) == {"a": {"a": 0.5, "b": 0.5}, "b": {"a": 1.0}}
    table = pd.DataFrame(CHAIN.transition_map)
    assert (list(table.index), list(table.columns), table.loc["b", "a"]) == (["a", "b"], ["a", "b"], 0.5)
    inside = BernoulliSetDistribution({"x": 0.3, "y": 0.9})
    assert pd.Series(inside.pmap).to_dict() == dict(inside.pmap) == {"x": 0.3, "y": 0.9}
    assert all(type(row) is type(inside.pmap) and isinstance(row, dict) for row in CHAIN.transition_map.values())
    assert json.dumps(CategoricalEstimator(1.0, {"a": 1.0}).suff_stat) == '{"a": 1.0}'
    assert json.dumps(BernoulliSetEstimator(pseudo_count=1.0, suff_stat={"a": 0.5}).suff_stat) == '{"a": 0.5}'


CHANGES = {
    "set": lambda table: table.__setitem__("a", 1.0),
    "delete": lambda table: table.__delitem__("a"),
    "update": lambda table: table.update(a=1.0),
    "or": lambda table: table.__ior__({"a": 1.0}),
    "pop": lambda table: table.pop("a"),
    "popitem": lambda table: table.popitem(),
    "clear": lambda table: table.clear(),
    "setdefault": lambda table: table.setdefault("z", 0.0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("where", [lambda: CHAIN.init_prob_map, lambda: CHAIN.transition_map, lambda: CHAIN.transition_map["a"]])
def test_a_law_cannot_be_changed_through_its_tables(where: Any, change: Any) -> None:
    before = repr(CHAIN)
    with pytest.raises(TypeError, match=r"change dict\(\.\.\)"):
        change(where())
    with pytest.raises(AttributeError):
        CHAIN.init_prob_map = {}
    assert repr(CHAIN) == before


def test_copies_of_a_table_may_be_changed() -> None:
    for copied in (dict, copy.copy, copy.deepcopy, lambda t: t.copy(), lambda t: pickle.loads(pickle.dumps(t)), lambda t: t | {}):
        table: Any = copied(LABELS.pmap)
        assert type(table) is dict
        table[0] = 0.0
    assert LABELS.pmap[0] == 0.5


def test_models_as_text() -> None:
    assert load_models(dump_models(CHAIN)) == CHAIN
    with pytest.raises(FormatError, match=r"eval\(text, vars\(dmlcore\.stats\)"):
        load_models("MixtureDistribution([GaussianDistribution(np.float64(0.0), 1.0)], [1.0])")
    with pytest.raises(FormatError, match="load_models: not JSON"):
        load_models("no model")


def test_parent_directories() -> None:
    assert [str(ops.get_parent_directory("/a/b/c.py", k)) for k in (0, 1, 2, 9)] == ["/a/b/c.py", "/a/b", "/a", "/"]


# -- settings of estimators ------------------------------------------------------------------------------------------------


def test_pseudo_observations_of_a_range_with_its_first_value() -> None:
    law = estimate([1, 2, 2, 6], IntegerCategoricalEstimator(pseudo_count=2.0, suff_stat=(0, [1.0, 1.0, 2.0])))
    assert law.min_val == 0
    assert law.p_vec == pytest.approx(np.array([0.5, 1.5, 3.0, 0, 0, 0, 1.0]) / 6)
    assert estimate([1], IntegerCategoricalEstimator(suff_stat=(0, np.ones(3)))).p_vec.tolist() == [0.0, 1.0, 0.0]
    estimator = IntegerCategoricalEstimator(pseudo_count=1.0, suff_stat=(np.int64(2), np.array([3.0, 1.0])))
    assert eval(repr(estimator), vars(stats)) == estimator == dmlcore.from_json(dmlcore.to_json(estimator))
    with pytest.raises(ParameterError, match=r"suff_stat must have .* from 0 to 1, .* got 3 from 0"):
        estimate([0, 1], IntegerCategoricalEstimator(max_val=1, pseudo_count=1.0, suff_stat=(0, [1, 1, 1])))


def test_pseudo_observations_need_not_sum_to_one() -> None:
    shares = CategoricalEstimator(2.0, {"a": 0.75, "c": 0.25})
    assert CategoricalEstimator(2.0, {"a": 3, "c": 1}) == shares
    assert estimate(["a", "b"], shares).pmap == pytest.approx({"a": 2.5 / 4, "b": 1 / 4, "c": 0.5 / 4})
    even = HierarchicalMixtureEstimator([GaussianEstimator()] * 2, 2, suff_stat=([1, 3], [[2, 2], [1, 3]]), pseudo_count=1.0)
    assert even.prior.counts.tolist() == [[0.25, 0.5, 0.5], [0.75, 0.25, 0.75]]
    for wrong in ({"a": -1}, {"a": 0.0}, {"a": np.inf}, {}, 3):
        with pytest.raises(ParameterError, match="suff_stat must be a mapping from labels"):
            CategoricalEstimator(1.0, wrong)


X = [1.0, 2.0, 4.0, 5.0]
HERE = [  # the column "here" of the page's table of pseudo-counts
    (GaussianEstimator((2.0, 2.0), (0.0, 1.0)), X, {"mu": 2.0, "sigma2": 4.0}),
    (GaussianEstimator((2.0, None), (0.0, None)), X, {"mu": 2.0, "sigma2": 5.5}),
    (GaussianEstimator((None, 2.0), (None, 1.0)), X, {"sigma2": 2.0}),
    (GaussianEstimator((2.0, 2.0)), X, {"sigma2": 2.5}),
    (ExponentialEstimator(2.0), X, {"beta": 3.0}),
    (ExponentialEstimator(2.0, 6.0), X, {"beta": 4.0}),
    (PoissonEstimator(2.0), [1, 2, 4, 5], {"lam": 3.0}),
    (PoissonEstimator(2.0, 6.0), [1, 2, 4, 5], {"lam": 4.0}),
    (GeometricEstimator(2.0), [1, 2, 4, 5], {"p": 1 / 3}),
    (GeometricEstimator(2.0, 0.25), [1, 2, 4, 5], {"p": 0.3}),
    (BinomialEstimator(5, 0, 2.0), [1, 2, 4, 5], {"p": 0.6}),
    (BinomialEstimator(5, 0, 2.0, 0.25), [1, 2, 4, 5], {"p": 0.483333333333333}),
    (CategoricalEstimator(2.0, {"a": 0.5, "c": 0.5}), list("aab"), {"pmap": {"a": 0.6, "b": 0.2, "c": 0.2}}),
    (CategoricalEstimator(2.0, {"a": 1, "c": 3}), list("aab"), {"pmap": {"a": 0.5, "b": 0.2, "c": 0.3}}),
    (CategoricalEstimator(8.0, {"a": 1, "c": 3}), list("aab"), {"pmap": {"a": 4 / 11, "b": 1 / 11, "c": 6 / 11}}),
    (IntegerCategoricalEstimator(None, None, 2.0, (0, [0.5, 0.5])), [1, 1, 3], {"p_vec": [0.2, 0.6, 0.0, 0.2]}),
    (SpikeAndSlabEstimator(pseudo_count=2.0), [1, 1, 2, 3], {"p": 4 / 9}),
    (SpikeAndSlabEstimator(pseudo_count=2.0, suff_stat=(1, 0.5)), [1, 1, 2, 3], {"p": 0.5}),
    (BernoulliSetEstimator(0.0, 2.0, {"a": 0.5, "c": 0.25}), [["a"], ["a", "b"]], {"pmap": {"a": 0.75, "b": 0.5, "c": 0.125}}),
    (OptionalEstimator(GaussianEstimator(), None, True, 2.0), [1.0, None, 2.0, 3.0], {"p": 1 / 3}),
]


@pytest.mark.parametrize(("estimator", "data", "expected"), HERE)
def test_pseudo_counts_as_the_page_has_them(estimator: Any, data: Any, expected: dict[str, Any]) -> None:
    law = estimate(data, estimator)
    for field, value in expected.items():
        assert getattr(law, field) == (pytest.approx(np.array(value)) if isinstance(value, list) else pytest.approx(value))


@pytest.mark.parametrize(
    ("estimator", "row", "says"),
    [
        (IntegerCategoricalEstimator(0, 3), 5, "max_val"),
        (IntegerCategoricalEstimator(0, 3), -1, "min_val"),
        (SpikeAndSlabEstimator(max_val=3), 5, "max_val"),
        (BinomialEstimator(), -2, "min_val"),
        (BinomialEstimator(max_val=4), 5, "max_val"),
    ],
)
def test_a_range_is_kept_and_how_to_take_it_from_the_data_is_said(estimator: Any, row: int, says: str) -> None:
    with pytest.raises(SupportError, match=f"row 2 .* and {says}=None takes that end of the range from the data"):
        dmlcore.fit([1, 2, row], estimator)
    estimate([1, 2, row], estimator.replace(min_val=None, max_val=None))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_a_start_draws_rows_and_not_distinct_values(p: float) -> None:
    x = np.repeat([0, 1, 5], [300, 200, 500])
    starts = [initialize(x, MixtureEstimator([PoissonEstimator()] * 2), seed, p) for seed in range(40)]
    means = [float(law.w @ [part.lam for part in law.components]) for law in starts]
    assert np.std(means) < 2 * np.std(x) / np.sqrt(p * len(x))
    assert np.mean(means) == pytest.approx(np.mean(x), abs=0.2)
    weights = Problem.of(x, PoissonEstimator()).rows.kept(np.random.default_rng(1), p)
    assert weights == pytest.approx(p, abs=6 * np.sqrt(p / 200))
