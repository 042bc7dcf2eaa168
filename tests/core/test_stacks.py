"""Stacks: laws held together take the same steps of EM as each of them alone."""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dmlcore import kernels
from dmlcore.core.flat import flatten
from dmlcore.core.keys import preorder
from dmlcore.core.stacks import SeveralDistribution, like, taken
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.starts import random_start
from dmlcore.stats import (
    BernoulliSetDistribution,
    BernoulliSetEstimator,
    BinomialEstimator,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    DiagonalGaussianDistribution,
    DiagonalGaussianEstimator,
    ExponentialEstimator,
    FactorAnalyzerEstimator,
    GammaEstimator,
    GammaRegressionEstimator,
    GatedMixtureEstimator,
    GaussianDistribution,
    GaussianEstimator,
    GeometricEstimator,
    HeterogeneousMixtureEstimator,
    HierarchicalMixtureDistribution,
    HierarchicalMixtureEstimator,
    IgnoredDistribution,
    IgnoredEstimator,
    IntegerCategoricalEstimator,
    JointMixtureDistribution,
    JointMixtureEstimator,
    LinearMixedRegressionEstimator,
    LinearRegressionEstimator,
    LogGaussianEstimator,
    LogisticRegressionEstimator,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialLogisticRegressionEstimator,
    MultivariateGaussianEstimator,
    NegativeBinomialDistribution,
    NegativeBinomialEstimator,
    NegativeBinomialRegressionEstimator,
    NullEstimator,
    OptionalEstimator,
    PartialGaussianEstimator,
    PoissonEstimator,
    PoissonRegressionEstimator,
    SequenceEstimator,
    SpikeAndSlabEstimator,
    StructuredGaussianEstimator,
    VonMisesDistribution,
    VonMisesEstimator,
)
from dmlcore.stats.combinators.label_fields import LabelFieldsDistribution

rng = np.random.default_rng(0)
X = np.r_[rng.normal(0, 1, 60), rng.normal(4, 2, 50)]
POSITIVE = np.abs(X) + 0.1
COUNTS = rng.poisson(5, 100) * (np.arange(100) > 5)
LISTS = [v.tolist() for v in rng.normal(size=(60, 4))]
PAIRS = [tuple(row) for row in rng.normal(size=(100, 2)).tolist()]
LABELS = ["abc"[i] for i in rng.integers(3, size=100)]
SOME = [None if rng.random() < 0.2 else int(v) for v in COUNTS]
WORDS = [["abc"[i] for i in rng.integers(3, size=n)] for n in rng.poisson(3, 80) + 1]
SETS = [[label for label in "abcd" if rng.random() < 0.4] for _ in range(100)]
VECTORS = rng.normal(size=(150, 3))
FACTORS = np.outer(VECTORS[:, 0], [1.0, 2.0, -1.0, 1.5]) + np.random.default_rng(1).normal(size=(150, 4))
GAPPED = np.where(rng.random(VECTORS.shape) < 0.2, np.nan, VECTORS)
TABLE = [tuple(row) for row in np.array(list("abcd"))[rng.integers(4, size=(100, 4))].tolist()]
ROWS = [tuple(row) for row in rng.normal(size=(100, 3)).tolist()]
Z = rng.normal(size=(60, 2))
LINES = list(zip(Z.tolist(), (Z @ [1.0, 2.0] + rng.normal(size=60) + 3 * (rng.random(60) < 0.5)).tolist(), strict=True))
COUNTED = list(zip(Z.tolist(), rng.poisson(np.exp(Z @ [0.3, 0.5] + 0.5)).tolist(), strict=True))

KINDS: dict[str, tuple[Any, Any]] = {
    "gaussian": (X, GaussianEstimator((1.0, 2.0), (0.0, 1.0))),
    "exponential": (POSITIVE, ExponentialEstimator(1.0)),
    "gamma": (POSITIVE, GammaEstimator(1.0)),
    "log gaussian": (POSITIVE, LogGaussianEstimator()),
    "poisson": (COUNTS, PoissonEstimator(1.0)),
    "geometric": (COUNTS + 1, GeometricEstimator(1.0)),
    "binomial": (COUNTS, BinomialEstimator(max_val=20, pseudo_count=1.0)),
    "categorical": (LABELS, CategoricalEstimator(pseudo_count=1.0)),
    "negative binomial": (COUNTS, NegativeBinomialEstimator(1.0)),
    "integer categorical": (COUNTS, IntegerCategoricalEstimator(pseudo_count=1.0)),
    "spike and slab": (COUNTS, SpikeAndSlabEstimator(pseudo_count=1.0, suff_stat=(6, 0.5))),
    "set": (SETS, BernoulliSetEstimator(pseudo_count=1.0)),
    "multivariate gaussian": (VECTORS, MultivariateGaussianEstimator(3, (1.0, 1.0))),
    "structured gaussian": (VECTORS, StructuredGaussianEstimator(3, "VVV", (1.0, 1.0))),
    "common axes": (VECTORS, MixtureEstimator([StructuredGaussianEstimator(3, "VVE", (1.0, 1.0))] * 2)),
    "common axes and shape": (VECTORS, MixtureEstimator([StructuredGaussianEstimator(3, "VEE")] * 2)),
    "factors": (FACTORS, MixtureEstimator([FactorAnalyzerEstimator(1, 4, (1.0, 1.0))] * 2)),
    "one variance among components": (X, MixtureEstimator([GaussianEstimator(tied={"sigma2": True})] * 2)),
    "one variance for components": (X, MixtureEstimator([GaussianEstimator((1.0, 2.0), (0.0, 1.0), tied={"sigma2": "s"})] * 2)),
    "one mean for components": (VECTORS, MixtureEstimator([MultivariateGaussianEstimator(3, tied={"mu": "m"})] * 2)),
    "one shape for components": (POSITIVE, MixtureEstimator([GammaEstimator(1.0, tied={"k": "k"})] * 2)),
    "a mean that is held": (X, MixtureEstimator([GaussianEstimator(held={"mu": 1.0})] * 2)),
    "diagonal gaussian": (VECTORS, DiagonalGaussianEstimator(3, (1.0, 1.0))),
    "partial gaussian": (GAPPED, PartialGaussianEstimator(3, (1.0, 1.0))),
    "partial gaussian, complete": (VECTORS, PartialGaussianEstimator(3)),
    "optional": (SOME, OptionalEstimator(PoissonEstimator(), est_prob=True, pseudo_count=1.0)),
    "composite": (list(zip(X[:100], LABELS, strict=True)), CompositeEstimator((GaussianEstimator(), CategoricalEstimator()))),
    "mixture": (X, MixtureEstimator([GaussianEstimator()] * 2, pseudo_count=2.0)),
    "unlike components": (POSITIVE, HeterogeneousMixtureEstimator([GaussianEstimator(), ExponentialEstimator()])),
    "sequence": (LISTS, SequenceEstimator(MixtureEstimator([GaussianEstimator()] * 2), PoissonEstimator())),
    "lists of labels": (WORDS, SequenceEstimator(CategoricalEstimator())),
    "markov chain": ([*WORDS, []], MarkovChainEstimator(pseudo_count=1.0, len_estimator=PoissonEstimator())),
    "hierarchical mixture": (LISTS, HierarchicalMixtureEstimator([GaussianEstimator()] * 3, 2, PoissonEstimator(), pseudo_count=1.0)),
    "joint mixture": (PAIRS, JointMixtureEstimator([GaussianEstimator()] * 2, [GaussianEstimator()] * 3, pseudo_count=1.0)),
    "labels together": (TABLE, CompositeEstimator([CategoricalEstimator(pseudo_count=1.0), *[CategoricalEstimator()] * 3])),
    "reals together": (ROWS, CompositeEstimator([GaussianEstimator((1.0, 1.0)), *[GaussianEstimator()] * 2])),
    "some together": (
        [(*labels, *reals, count) for labels, reals, count in zip(TABLE, ROWS, SOME, strict=True)],
        CompositeEstimator([*[CategoricalEstimator()] * 4, *[GaussianEstimator()] * 3, OptionalEstimator(PoissonEstimator())]),
    ),
    "counts together": (
        [tuple(int(v) for v in row) for row in np.random.default_rng(1).poisson([2, 3, 2, 5, 1, 1], (100, 6)) + 1],
        CompositeEstimator(
            [
                *[PoissonEstimator()] * 2,
                *[GeometricEstimator()] * 2,
                *[IntegerCategoricalEstimator(min_val=1, max_val=15, pseudo_count=1.0)] * 2,
            ]
        ),
    ),
    "gaps together": (
        [(*reals, *gaps, count) for reals, gaps, count in zip(ROWS, GAPPED.tolist(), SOME, strict=False)],
        CompositeEstimator(
            [
                *[GaussianEstimator()] * 3,
                *[OptionalEstimator(GaussianEstimator(), est_prob=True, pseudo_count=1.0)] * 2,
                OptionalEstimator(GaussianEstimator()),
                OptionalEstimator(PoissonEstimator()),
            ]
        ),
    ),
    "gaps in labels and counts": (
        [
            tuple(None if gone else value for value, gone in zip((*labels, *labels[:2], int(a) % 7, int(b) % 5), mask, strict=True))
            for labels, a, b, mask in zip(TABLE, COUNTS, COUNTS[::-1], np.random.default_rng(2).random((100, 8)) < 0.1, strict=True)
        ],
        CompositeEstimator(
            [
                *[OptionalEstimator(CategoricalEstimator(), est_prob=True)] * 3,
                OptionalEstimator(CategoricalEstimator(pseudo_count=1.0)),
                *[OptionalEstimator(CategoricalEstimator())] * 2,
                *[OptionalEstimator(PoissonEstimator(), est_prob=True)] * 2,
            ]
        ),
    ),
    "linear regression": (LINES, LinearRegressionEstimator(ridge=1.0, pseudo_count=1.0)),
    "one variance": (LINES, LinearRegressionEstimator(tied={"sigma2": "s"})),
    "one slope, one held": (LINES, LinearRegressionEstimator(tied={0: "s"}, held={1: 0.5})),
    "linear mixed regression": (
        [LINES[i : i + 1 + i % 4] for i in range(0, len(LINES) - 4, 2)],
        LinearMixedRegressionEstimator(("intercept", 1), pseudo_count=1.0),
    ),
    "poisson regression": (COUNTED, PoissonRegressionEstimator()),
    "negative binomial regression": (COUNTED, NegativeBinomialRegressionEstimator(tied={1: "s"})),
    "gamma regression": ([(z, np.exp(y / 4)) for z, y in LINES], GammaRegressionEstimator()),
    "logistic regression": ([(z, int(k > 2)) for z, k in COUNTED], LogisticRegressionEstimator(tied={0: "s", "intercept": "i"})),
    "label regression": ([(z, label) for (z, _), label in zip(LINES, LABELS, strict=False)], MultinomialLogisticRegressionEstimator()),
    "fixed": (PAIRS, CompositeEstimator((IgnoredEstimator(GaussianDistribution(0.0, 1.0)), GaussianEstimator()))),
    "nothing": (PAIRS, CompositeEstimator((NullEstimator(), GaussianEstimator()))),
}


class Both:
    """Models one by one, and as one stack."""

    def __init__(self, problem: Problem, models: list[Any], shape: tuple[int, ...]):
        self.problem, self.models, self.shape = problem, models, shape
        self.together = problem.stacked(*shape)
        self.stacking: Any = self.together.stacking
        self.stack = self.together.stack(models)

    def step(self) -> int:
        """How many models took a step, each compared with the stack's."""
        logs, owns = self.together.expect(self.stack)
        priors = np.broadcast_to(self.together.log_prior(self.stack), np.shape(logs))
        self.stack = self.together.maximise(owns, self.stack)
        for j, model in enumerate(self.models):
            log, own = self.problem.expect(model)
            assert np.ravel(logs)[j] == pytest.approx(log, rel=1e-10)
            assert np.ravel(priors)[j] == pytest.approx(self.problem.log_prior(model), rel=1e-9, abs=1e-9)
            self.models[j] = self.problem.maximise(own, model)
        return len(self.models)

    def compare(self) -> int:
        """How many flat numbers of the models were compared with those of the stack."""
        for j, model in enumerate(self.models):
            back = self.stacking.model(self.stack, (j,) if self.shape else ())
            np.testing.assert_allclose(flatten(back), flatten(model), rtol=1e-7, atol=1e-7)
            assert self.problem.check(back) is back
        others = any(isinstance(law, LabelFieldsDistribution) for law in preorder(self.stack))  # whose flat numbers are others
        if not others and not self.problem.ties.tags:  # tied ones stand in a stack at each of its places
            numbers = np.concatenate(list(map(flatten, self.models)))
            np.testing.assert_allclose(np.sort(flatten(self.stack)), np.sort(numbers), rtol=1e-7, atol=1e-7)
        for law in preorder(self.stack):
            for _, domain, value in law.parameters():
                vector = domain.flatten(value)
                np.testing.assert_allclose(domain.flatten(domain.unflatten(vector, value)), vector, rtol=1e-7, atol=1e-7)
        return sum(len(flatten(model)) for model in self.models)


@pytest.mark.parametrize("shape", [(), (3,)], ids=["components", "starts"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_takes_the_steps_of_its_laws(kind: str, shape: tuple[int, ...]) -> None:
    rows, estimator = KINDS[kind]
    problem = Problem.of(rows, MixtureEstimator([estimator] * 3))
    both = Both(problem, [random_start(problem, np.random.default_rng(seed), 0.5) for seed in range(*shape or (1,))], shape)
    assert not any(isinstance(law, SeveralDistribution) for law in preorder(both.stack))
    for _ in range(3):
        both.step()
    assert both.compare() > 0


@pytest.mark.parametrize("shape", [(), (3,)], ids=["components", "starts"])
def test_a_gated_stack_takes_the_steps_of_its_laws(shape: tuple[int, ...]) -> None:
    rows = [(z, (z, y)) for z, y in LINES]
    problem = Problem.of(rows, GatedMixtureEstimator([LinearRegressionEstimator()] * 3))
    both = Both(problem, [random_start(problem, np.random.default_rng(seed), 0.5) for seed in range(*shape or (1,))], shape)
    for _ in range(3):
        both.step()
    assert both.compare() > 0


def tied(K: int, *keys: str) -> MixtureEstimator:
    """Mixtures of lists, whose elements come from mixtures of K topics that are tied under a key."""
    return MixtureEstimator(
        [SequenceEstimator(MixtureEstimator([GaussianEstimator()] * K, keys=(None, key)), PoissonEstimator()) for key in keys]
    )


TIED: dict[str, tuple[MixtureEstimator, list[int]]] = {  # and how many components are held together, mixture by mixture
    "topics in all": (tied(3, "t", "t", "t"), [3, 3, 3]),
    "topics in pairs": (tied(2, "s", "t", "s", "t"), [2, 2, 2, 2]),
    "one of two components": (
        MixtureEstimator(
            [
                SequenceEstimator(MixtureEstimator([GaussianEstimator(keys=key), GaussianEstimator()]), PoissonEstimator())
                for key in ("a", "a")
            ]
        ),
        [],
    ),
    "a component of each": (
        MixtureEstimator(
            [
                SequenceEstimator(MixtureEstimator([GaussianEstimator(keys="a"), GaussianEstimator(keys="b")]), PoissonEstimator()),
                SequenceEstimator(MixtureEstimator([GaussianEstimator(keys="b"), GaussianEstimator(keys="a")]), PoissonEstimator()),
            ]
        ),
        [],
    ),
    "the same in all components": (
        MixtureEstimator([SequenceEstimator(GaussianEstimator(keys="a"), PoissonEstimator())] * 3),
        [],
    ),
    "nothing": (tied(2, "s", "t"), [2]),
}


@pytest.mark.parametrize("shape", [(), (3,)], ids=["components", "starts"])
@pytest.mark.parametrize("kind", TIED)
def test_components_tied_one_for_one_are_held_together(kind: str, shape: tuple[int, ...]) -> None:
    estimator, held = TIED[kind]
    problem = Problem.of(LISTS, estimator)
    both = Both(problem, [random_start(problem, np.random.default_rng(seed), 0.5) for seed in range(*shape or (1,))], shape)
    mixtures = [law for law in preorder(both.stack) if isinstance(law, MixtureDistribution)]
    assert [law.num_components for law in mixtures if law.components[0].batch[len(shape) :]][-len(held) :] == held or not held
    for _ in range(3):
        both.step()
    for j, model in enumerate(both.models):
        back = both.stacking.model(both.stack, (j,) if shape else ())
        np.testing.assert_allclose(flatten(back), flatten(model), rtol=1e-7, atol=1e-7)
        assert problem.is_feasible(back)


@pytest.mark.parametrize("angles", [[0.0, 0.0, math.pi, -math.pi], [0.3, 0.6, 0.9, 2.5]], ids=["of the new laws", "of the old laws"])
@pytest.mark.parametrize("shape", [(), (2,)], ids=["components", "starts"])
def test_tied_laws_may_lie_on_other_bounds_than_those_beside_and_before_them(angles: list[float], shape: tuple[int, ...]) -> None:
    """A law without a direction has one coordinate less; of angles that cancel out, such laws come out of such laws."""
    problem = Problem.of(angles, MixtureEstimator([VonMisesEstimator(tied={"mu": "m"})] * 2))
    tied = {"tied": {"mu": "m"}}
    flat, turned = (
        MixtureDistribution([VonMisesDistribution(0.5, a, **tied), VonMisesDistribution(0.5, b, **tied)], [0.5, 0.5])
        for a, b in ((0.0, 0.0), (2.0, 1.0))
    )
    both = Both(problem, [flat, turned] if shape else [flat], shape)
    before = [problem.log_likelihood(model) for model in both.models]
    both.step()
    for j, model in enumerate(both.models):
        back = both.stacking.model(both.stack, (j,) if shape else ())
        np.testing.assert_allclose(flatten(back), flatten(model), rtol=1e-7, atol=1e-7)
        assert problem.log_likelihood(back) >= before[j] - 1e-9


def test_estimators_are_alike_whose_settings_and_facts_are() -> None:
    one = GaussianEstimator()
    assert like(one.pinned(place=1, low=0.0), GaussianEstimator(name="x").pinned(place=2, low=0.0))
    assert not like(one.pinned(low=0.0), one.pinned(low=1.0))
    assert not like(one.pinned(low=0.0), one.pinned(low=None))
    assert not like(one, GaussianEstimator(1.0))


def test_models_taken_from_a_stack() -> None:
    """What is no stack itself, such as a law that ignores what it sees, goes with all of them."""
    problem = Problem.of(PAIRS, KINDS["fixed"][1])
    models = [
        CompositeDistribution((IgnoredDistribution(GaussianDistribution(0.0, 1.0)), GaussianDistribution(m, 1.0))) for m in (1.0, 2.0, 4.0)
    ]
    stack = problem.stacked(3).stack(models)
    assert taken(stack, 1).dists[1].mu == 2.0
    assert taken(stack, np.array([2, 0])).dists[1].mu.tolist() == [4.0, 1.0]
    assert taken(models[0].dists[0], 1) is models[0].dists[0]


def test_fields_that_are_tied_are_not_read_together() -> None:
    fields = CompositeEstimator((GaussianEstimator(keys="a"), GaussianEstimator(keys="a"), GaussianEstimator()))
    problem = Problem.of(ROWS, MixtureEstimator([fields] * 2))
    both = Both(problem, [random_start(problem, np.random.default_rng(seed), 0.5) for seed in range(3)], (3,))
    for _ in range(2):
        both.step()
    for j, model in enumerate(both.models):
        np.testing.assert_allclose(flatten(both.stacking.model(both.stack, (j,))), flatten(model), rtol=1e-7, atol=1e-7)


def test_what_a_user_writes_anew_for_one_law_is_kept_apart() -> None:
    class Unit(GaussianEstimator):
        def estimate(self, statistics: Any, previous: Any = None) -> GaussianDistribution:
            return GaussianDistribution(float(statistics.mean), 1.0)

    problem = Problem.of(X, MixtureEstimator([Unit()] * 2))
    both = Both(problem, [random_start(problem, np.random.default_rng(0), 0.5)], ())
    assert any(isinstance(law, SeveralDistribution) for law in preorder(both.stack))
    both.step()
    assert both.compare() > 0


def test_starts_that_are_one_stack_are_fewer_where_rows_hold_many_elements() -> None:
    """Sums of arrays, not of rows: 40 rows of 5 elements are 200."""
    rows = np.random.default_rng(0).normal(size=(40, 5)).tolist()
    estimator = MixtureEstimator([SequenceEstimator(GaussianEstimator())] * 2)
    assert Problem.of(rows, estimator).work == 200 * len(Problem.of(rows, estimator).ties.nodes)
    assert Problem.of(X, MixtureEstimator([GaussianEstimator()] * 2)).work == len(X) * 3


def test_fields_that_are_read_together_are_as_fast_paths_must_be() -> None:
    """Coordinates whose variances are tiny beside their spread about the middle lose no digits."""
    x = np.array([[0.0, 5.0], [1e-7, 5.0], [2.0, -1.0], [2.0 + 1e-7, 1.0]])
    mu, covar = np.array([[5e-8, 5.0], [2.0 + 5e-8, 0.0]]), np.array([[2.5e-15, 1e-3], [2.5e-15, 1.0]])
    law = DiagonalGaussianDistribution.unchecked((2,), mu=mu, covar=covar)
    exact = [
        [sum(-0.5 * (math.log(2 * math.pi * c) + (v - m) ** 2 / c) for v, m, c in zip(row, *place, strict=True)) for row in x.tolist()]
        for place in zip(mu.tolist(), covar.tolist(), strict=True)
    ]
    np.testing.assert_allclose(law.log_densities(x), exact, rtol=1e-13)
    weights = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    moments = DiagonalGaussianEstimator(2).statistics(x, weights)
    np.testing.assert_allclose(moments.count, [2, 2])
    np.testing.assert_allclose(moments.mean, mu, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(moments.m2, [[5e-15, 0.0], [5e-15, 2.0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "groups"),
    [("counts together", [2, 2, 2]), ("gaps together", [3, 2]), ("gaps in labels and counts", [5, 2]), ("labels together", [4])],
)
def test_like_fields_are_read_together(kind: str, groups: list[int]) -> None:
    rows, estimator = KINDS[kind]
    problem = Problem.of(rows, MixtureEstimator([estimator] * 2))
    plan = problem.stacked().estimator.estimators[0].plan
    assert [len(fields) for family, fields in plan.groups if family is not None] == groups


def test_numbers_that_may_be_missing_have_the_moments_of_those_that_are_there() -> None:
    """Shares that are zero are zero, and spreads tiny beside that of the column keep their digits, in whatever tile they lie."""
    x = np.random.default_rng(0).normal(size=(3, 700)) * 1e-7
    x[:, 350:] += 1.0
    x[0, ::3] = x[1, :350] = np.nan
    weights = np.array([[1.0] * 350 + [0.0] * 350, [0.0] * 350 + [0.5] * 350])
    count, gone, mean, m2 = kernels.independent_moments(x, weights, True)
    for k, w in enumerate(weights):
        for j, row in enumerate(x):
            there = ~np.isnan(row)
            values, shares = [Fraction(v) for v in row[there].tolist()], [Fraction(v) for v in w[there].tolist()]
            assert (count[k, j], gone[k, j]) == (w[there].sum(), w[~there].sum())
            if count[k, j]:
                middle = sum(map(operator.mul, values, shares)) / sum(shares)
                squares = sum(share * (v - middle) ** 2 for v, share in zip(values, shares, strict=True))
                assert mean[k, j] == pytest.approx(float(middle), rel=1e-14, abs=1e-22)
                assert m2[k, j] == pytest.approx(float(squares), rel=1e-11)


def test_fields_read_together_give_the_same_bits_with_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dmlcore.data.encoded.BLOCK_ROWS", 30)
    kinds = "labels together", "counts together", "gaps together", "gaps in labels and counts"
    columns = [KINDS[kind][0] for kind in kinds]
    fields = [
        e
        for kind in ("labels together", "counts together", "gaps together", "gaps in labels and counts")
        for e in KINDS[kind][1].estimators
    ]
    rows = [(*a, *b, *c, *d) for a, b, c, d in zip(*columns, strict=True)]
    steps = []
    for threads in (1, 3):
        problem = Problem.of(rows, MixtureEstimator([CompositeEstimator(fields)] * 3), threads=threads).stacked()
        stack = problem.stack(
            [random_start(Problem.of(rows, MixtureEstimator([CompositeEstimator(fields)] * 3)), np.random.default_rng(0), 0.5)]
        )
        steps.append(flatten(problem.maximise(problem.expect(stack)[1], stack)))
    np.testing.assert_array_equal(*steps)


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_without_weight_does_what_a_law_does(kind: str) -> None:
    rows, estimator = KINDS[kind]
    without = {field: None for field in ("pseudo_count", "suff_stat") if hasattr(estimator, field)}
    estimator = estimator.replace(**without)
    problem = Problem.of(rows, MixtureEstimator([estimator] * 3))
    both = Both(problem, [random_start(problem, np.random.default_rng(0), 0.5).replace(w=[0.5, 0.5, 0.0])], ())
    both.step()
    assert both.compare() > 0


@pytest.mark.parametrize("shape", [(), (3,)], ids=["topics", "starts"])
def test_topics_that_underflow_are_taken_in_log_space(shape: tuple[int, ...]) -> None:
    rows = [*([v + 200.0 * (i % 2) for v in row] for i, row in enumerate(LISTS)), [0.0, 200.0], []]
    problem = Problem.of(rows, HierarchicalMixtureEstimator([GaussianEstimator()] * 2, 3))
    topics = [[GaussianDistribution(mu, 1.0 + r) for mu in (0.0, 200.0)] for r in range(*shape or (1,))]
    taus = [[1.0, 0.0], [1e-300, 1.0], [0.5, 0.5]]
    both = Both(problem, [HierarchicalMixtureDistribution(pair, [0.3, 0.3, 0.4], taus) for pair in topics], shape)
    assert not any(isinstance(law, SeveralDistribution) for law in preorder(both.stack))
    both.step()
    both.step()
    assert both.compare() > 0


def test_pairs_that_underflow_are_taken_in_log_space() -> None:
    rows = [(x + 300.0 * (i % 2), y + 300.0 * (i % 3 == 0)) for i, (x, y) in enumerate(PAIRS)]
    problem = Problem.of(rows, JointMixtureEstimator([GaussianEstimator()] * 2, [GaussianEstimator()] * 2))
    sides = [[GaussianDistribution(mu, 1.0 + r) for mu in (0.0, 300.0)] for r in range(3)]
    models = [JointMixtureDistribution(side, side, [0.5, 0.5], None, [[1.0, 0.0], [1e-300, 1.0]]) for side in sides]
    both = Both(problem, models, (3,))
    both.step()
    both.step()
    assert both.compare() > 0


def test_sets_without_a_certain_label_have_density_zero() -> None:
    problem = Problem.of([["a", "b"], ["b"], ["a"]], MixtureEstimator([BernoulliSetEstimator(min_prob=0.0)] * 2))
    laws = [BernoulliSetDistribution(table, 0.0) for table in ({"a": 0.5, "b": 1.0}, {"a": 1.0, "b": 0.2})]
    assert Both(problem, [MixtureDistribution(laws, [0.3, 0.7])], ()).step() == 1


def test_negative_binomial_places_of_zeros_keep_their_dispersion() -> None:
    estimator = Problem.of(COUNTS, NegativeBinomialEstimator()).estimator
    weights = np.array([np.ones(100), COUNTS == 0])
    before = NegativeBinomialDistribution.unchecked((2,), mu=np.ones(2), dispersion=np.array([2.0, 3.0]))
    law = estimator.estimate(estimator.statistics(COUNTS, weights), before)
    one = estimator.estimate(estimator.statistics(COUNTS, weights[0]))
    np.testing.assert_allclose(law.mu, [one.mu, 0.0])
    np.testing.assert_allclose(law.dispersion, [one.dispersion, 3.0])
