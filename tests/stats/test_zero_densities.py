"""What is said of an observation of density zero: which part of it has none, and what is needed instead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dmlcore.stats import (
    BernoulliEditDistribution,
    BernoulliSetDistribution,
    CategoricalDistribution,
    CompositeDistribution,
    ConditionalDistribution,
    GammaRegressionDistribution,
    GatedMixtureEstimator,
    GaussianEstimator,
    HiddenAssociationDistribution,
    IgnoredDistribution,
    IntegerCategoricalDistribution,
    IntegerHiddenAssociationDistribution,
    IntegerMarkovChainDistribution,
    IntegerMultinomialDistribution,
    IntegerPLSIDistribution,
    JointMixtureDistribution,
    LinearMixedRegressionEstimator,
    MultinomialDistribution,
    OrdinalDistribution,
    OrdinalEstimator,
    PartialGaussianEstimator,
    PointMassDistribution,
    PointMassEstimator,
    PoissonDistribution,
    PoissonEstimator,
    PoissonRegressionEstimator,
    SequenceDistribution,
    SparseMarkovAssociationDistribution,
    TruncatedEstimator,
    WeightedEstimator,
)
from tests.examples import BY_NAME

C, FEW = CategoricalDistribution, IntegerCategoricalDistribution(0, [0.3, 0.45, 0.25])
CERTAIN = BernoulliSetDistribution({"in": 1.0, "out": 0.0, "maybe": 0.5}, min_prob=0.0)
EDITS = BernoulliEditDistribution({"a": 0.0, "b": 1.0}, {"a": 0.0, "b": 1.0}, min_prob=0.0)
WORDS = HiddenAssociationDistribution(
    ConditionalDistribution({"a": C({"u": 1.0}), "b": C({"v": 1.0})}), MultinomialDistribution(C({"a": 1.0, "b": 0.0}), FEW), FEW
)
NUMBERS = IntegerHiddenAssociationDistribution(
    [[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], 0.0, IntegerMultinomialDistribution(0, [1.0, 0.0], FEW), FEW
)
TABLE = SparseMarkovAssociationDistribution([1.0, 0.0], {0: {0: 1.0}, 1: {1: 1.0}}, 0.0, CompositeDistribution((FEW, FEW)))
DOCUMENTS = IntegerPLSIDistribution([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0], FEW)
STATES = JointMixtureDistribution(
    [C({"a": 1.0}), C({"b": 1.0})], [C({"c": 1.0}), C({"d": 1.0})], [0.5, 0.5], None, [[1.0, 0.0], [0.0, 1.0]]
)
CHAIN = IntegerMarkovChainDistribution(2, [[0.2, 0.8], [1.0, 0.0]], 1, SequenceDistribution(IntegerCategoricalDistribution(0, [1.0])), FEW)
NO_THREE = "3 has density zero; it needs whole numbers from 0 to 2"

LAWS: list[tuple[Any, Any, str]] = [
    # a value of the right kind is not told to be of it
    (PoissonDistribution(0.0), 1, "poisson: 1 has density zero under its parameters"),
    (PoissonDistribution(0.0), -1, "poisson: -1 has density zero; it needs whole numbers >= 0"),
    (IntegerCategoricalDistribution(0, [0.5, 0.0, 0.5]), 1, "integer categorical: 1 has density zero under its parameters"),
    (OrdinalDistribution(["low", "high"], [1.0, 0.0]), "high", "ordinal: 'high' has probability zero"),
    (PointMassDistribution(9.0), 1.0, "point mass: 1.0 has density zero; it needs 9.0"),
    (
        BY_NAME["partial gaussian"].law,
        [np.inf, 0.0],
        "partial gaussian: [inf, 0.0] has density zero; it needs finite real numbers where they are known",
    ),
    (CERTAIN, [], "bernoulli set: [] has density zero; 'in' is always in it"),
    (CERTAIN, ["in", "out"], "bernoulli set: ['in', 'out'] has density zero; 'out' is never in it"),
    (CERTAIN, ["in", "eggs"], "bernoulli set: 'eggs' is not among its labels; default_value gives such labels a probability"),
    (EDITS, ([], []), "bernoulli edit: ([], []) has density zero; 'b' is never left out"),
    (EDITS, (["b"], []), "bernoulli edit: (['b'], []) has density zero; 'b' is never removed"),
    (EDITS, ([], ["a", "b"]), "bernoulli edit: ([], ['a', 'b']) has density zero; 'a' is never added"),
    (EDITS, (["a"], ["a", "b"]), "bernoulli edit: (['a'], ['a', 'b']) has density zero; 'a' is never kept"),
    (EDITS, ([], ["b", "c"]), "bernoulli edit: 'c' is not among its labels"),
    # a part of it
    (IgnoredDistribution(PoissonDistribution(1.0)), -1, "poisson: -1 has density zero; it needs whole numbers >= 0"),
    (
        BY_NAME["duration"].law,
        BY_NAME["duration"].off[0],
        "time: datetime.timedelta(0) has density zero; gamma: 0.0 has density zero; it needs numbers > 0",
    ),
    (
        BY_NAME["conditional default"].law,
        ("c", 1),
        "categorical: 'c' is not among its labels; default_value gives such labels a probability",
    ),
    (BY_NAME["lookback"].law, ["a"] * 3, f"lookback, as pairs: length of hidden markov, integer categorical: {NO_THREE}"),
    (BY_NAME["markov chain"].law, ["a"] * 3, f"length of markov chain, integer categorical: {NO_THREE}"),
    (BY_NAME["sequence"].law, ["a"] * 3, f"length of sequence, integer categorical: {NO_THREE}"),
    (BY_NAME["multinomial"].law.replace(len_dist=FEW), [("z", 0), ("a", 3)], f"length of multinomial, integer categorical: {NO_THREE}"),
    (BY_NAME["lda"].law.replace(len_dist=FEW), [("a", 3), ("z", 0)], f"length of lda, integer categorical: {NO_THREE}"),
    (STATES, ("z", "c"), "field 0.categorical: 'z' is not among its labels; default_value gives such labels a probability"),
    (STATES, ("a", "d"), "joint mixture: the states that could give ('a', 'd') never meet"),
    (CHAIN, [0, 2], "integer markov chain: element 1 is 2, none of 0 to 1"),
    (
        CHAIN,
        [1],
        "first elements of integer markov chain, "
        "element 0 of sequence, integer categorical: 1 has density zero; it needs whole numbers from 0 to 0",
    ),
    (CHAIN, [0, 1, 1], f"length of integer markov chain, integer categorical: {NO_THREE}"),
    (CHAIN.replace(len_dist=PoissonDistribution(3.0)), [0, 1, 1], "element 2 of integer markov chain: 1 has probability zero after [1]"),
    (
        WORDS,
        ([("a", 1)], [("v", 1)]),
        "word 'v' of hidden association, label 'a'.categorical: 'v' is not among its labels; default_value gives such labels a probability",
    ),
    (WORDS, ([("b", 1)], [("v", 1)]), "element 0 of multinomial, categorical: 'b' has probability zero"),
    (WORDS, ([("a", 1)], [("u", 3)]), f"length of hidden association, integer categorical: {NO_THREE}"),
    (NUMBERS, ([], [(0, 1)]), "integer hidden association: the source is empty, so the target must be"),
    (NUMBERS, ([(0, 1)], [(1, 1)]), "integer hidden association: word 1 has probability zero for all values of its source"),
    (NUMBERS, ([(1, 1)], [(0, 1)]), "element 0 of multinomial, integer categorical: 1 has density zero under its parameters"),
    (NUMBERS, ([(0, 1)], [(0, 3)]), f"length of integer hidden association, integer categorical: {NO_THREE}"),
    (TABLE, ([(0, 1)], [(2, 1)]), "sparse markov association: word 2 is none of 0 to 1"),
    (TABLE, ([(1, 1)], [(1, 1)]), "sparse markov association: value 1 of the source has probability zero"),
    (TABLE, ([(0, 1)], [(1, 1)]), "sparse markov association: word 1 has probability zero for all values of its source"),
    (TABLE, ([(0, 3)], []), f"lengths of sparse markov association, field 0.integer categorical: {NO_THREE}"),
    (DOCUMENTS, (2, []), "integer plsi: document 2 is none of 0 to 1"),
    (DOCUMENTS, (0, [(2, 1)]), "integer plsi: word 2 is none of 0 to 1"),
    (DOCUMENTS, (1, []), "integer plsi: document 1 has probability zero"),
    (DOCUMENTS, (0, [(1, 1)]), "integer plsi: word 1 has probability zero in document 0"),
    (DOCUMENTS, (0, {0: 3}), f"length of integer plsi, integer categorical: {NO_THREE}"),
    # of regressions the response
    (
        BY_NAME["multinomial logistic regression"].law,
        ([0.0, 0.0], "c"),
        "multinomial logistic regression: the label 'c' has probability zero; it needs one of ['a', 'b', None]",
    ),
    (
        GammaRegressionDistribution([1.0], 0.5, 2.0, link="inverse"),
        ([1.0], -1.0),
        "gamma regression: the response -1.0 has density zero; it needs numbers > 0",
    ),
    (
        BY_NAME["truncated regression"].law,
        ([0.0, 0.0], 0, 0.3),
        "truncated: the response 0 has density zero; it needs numbers from 1 to inf",
    ),
]


@pytest.mark.parametrize(("law", "x", "said"), LAWS, ids=range(len(LAWS)))
def test_the_part_without_density_is_named(law: Any, x: Any, said: str) -> None:
    assert law.log_density(x) == -np.inf
    assert law.explain_zero_density(x) == said


TWO = ([0.5], 1.0)
ESTIMATORS: list[tuple[Any, Any, Any, str]] = [
    (WeightedEstimator(PoissonEstimator()), (1, 2.0), (-1, 2.0), "(weighted).poisson: -1 has density zero; it needs whole numbers >= 0"),
    (WeightedEstimator(PoissonEstimator()), (-1, 0.0), (-1, 1.0), "(weighted).poisson: -1 has density zero; it needs whole numbers >= 0"),
    (TruncatedEstimator(PoissonEstimator(), 1), 1, 0, "truncated: 0 has density zero; it needs numbers from 1 to inf"),
    (
        TruncatedEstimator(PoissonRegressionEstimator(), 1),
        ([0.5], 1),
        ([0.5], 0),
        "truncated: the response 0 has density zero; it needs numbers from 1 to inf",
    ),
    (TruncatedEstimator(PoissonEstimator(), None, 5), 0, -1, "poisson: -1 has density zero; it needs whole numbers >= 0"),
    (PointMassEstimator("a"), "a", "b", "point mass: 'b' has density zero; it needs 'a'"),
    (PointMassEstimator(2.0), 2.0, 1.0, "point mass: 1.0 has density zero; it needs the number 2.0"),
    (OrdinalEstimator(["low", "high"]), "low", "none", "ordinal: 'none' has density zero; it needs one of ['low', 'high']"),
    (
        OrdinalEstimator(["low", "high"]),
        "low",
        np.array(["low"] * 2),
        "ordinal: array(['low', 'low'], dtype='<U3') has density zero; it needs one of ['low', 'high']",
    ),
    (OrdinalEstimator(["low", "high"]), "low", ["none"], "ordinal: ['none'] has density zero; it needs one of ['low', 'high']"),
    (
        PartialGaussianEstimator(2),
        [None, 0.0],
        [None, np.inf],
        "partial gaussian: [None, inf] has density zero; it needs finite real numbers where they are known",
    ),
    (
        GatedMixtureEstimator([GaussianEstimator()] * 2),
        ([1.0], 0.0),
        ([1.0], np.inf),
        "gaussian: inf has density zero; it needs finite real numbers",
    ),
    (
        GatedMixtureEstimator([GaussianEstimator()] * 2, missing_covariates=True),
        (None, np.inf),
        ([1.0], np.inf),
        "gaussian: inf has density zero; it needs finite real numbers",
    ),
    (
        LinearMixedRegressionEstimator(),
        [TWO, TWO],
        [TWO, ([0.5], np.inf)],
        "element 1 of linear mixed regression: the response inf has density zero; it needs finite real numbers",
    ),
    (BY_NAME["lookback"].law.estimator(), ["a"], None, ""),
    (OrdinalEstimator(), "none", None, ""),
]


@pytest.mark.parametrize(("estimator", "possible", "x", "said"), ESTIMATORS, ids=range(len(ESTIMATORS)))
def test_what_no_parameters_could_give_is_named(estimator: Any, possible: Any, x: Any, said: str) -> None:
    assert estimator.why_outside_support(possible) is None
    assert not said or estimator.why_outside_support(x) == said
