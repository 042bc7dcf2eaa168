"""What the files under tests/golden hold. Later versions must read every one of them as exactly these models.

Files are never changed and entries never edited: a new family, or a new way of writing, adds an entry. `python -m tests.golden_models`
writes the files that are missing, and nothing else.
"""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any

import numpy as np

from dmlcore.io import save
from dmlcore.stats import (
    BernoulliEditDistribution,
    BernoulliEditEstimator,
    BernoulliSetDistribution,
    BernoulliSetEstimator,
    BetaDistribution,
    BetaEstimator,
    BetaRegressionDistribution,
    BetaRegressionEstimator,
    BinomialDistribution,
    BinomialEstimator,
    CategoricalDistribution,
    CategoricalEstimator,
    CensoredDistribution,
    CensoredEstimator,
    CommonParametersDistribution,
    CommonParametersEstimator,
    CompositeDistribution,
    CompositeEstimator,
    ConditionalDistribution,
    ConditionalDistributionEstimator,
    DiagonalGaussianDistribution,
    DiagonalGaussianEstimator,
    DirichletDistribution,
    DirichletEstimator,
    ExponentialDistribution,
    ExponentialEstimator,
    FactorAnalyzerDistribution,
    FactorAnalyzerEstimator,
    GammaDistribution,
    GammaEstimator,
    GammaRegressionDistribution,
    GammaRegressionEstimator,
    GatedHiddenMarkovEstimator,
    GatedHiddenMarkovModelDistribution,
    GatedMixtureDistribution,
    GatedMixtureEstimator,
    GaussianDistribution,
    GaussianEstimator,
    GeometricDistribution,
    GeometricEstimator,
    HeterogeneousMixtureDistribution,
    HeterogeneousMixtureEstimator,
    HiddenAssociationDistribution,
    HiddenAssociationEstimator,
    HiddenMarkovEstimator,
    HiddenMarkovModelDistribution,
    HierarchicalMixtureDistribution,
    HierarchicalMixtureEstimator,
    HurdleDistribution,
    HurdleEstimator,
    ICLTreeDistribution,
    ICLTreeEstimator,
    IgnoredDistribution,
    IgnoredEstimator,
    IntegerCategoricalDistribution,
    IntegerCategoricalEstimator,
    IntegerHiddenAssociationDistribution,
    IntegerHiddenAssociationEstimator,
    IntegerMarkovChainDistribution,
    IntegerMarkovChainEstimator,
    IntegerPLSIDistribution,
    IntegerPLSIEstimator,
    InverseGaussianDistribution,
    InverseGaussianEstimator,
    JointMixtureDistribution,
    JointMixtureEstimator,
    LaplaceDistribution,
    LaplaceEstimator,
    LDADistribution,
    LDAEstimator,
    LinearMixedRegressionDistribution,
    LinearMixedRegressionEstimator,
    LinearRegressionDistribution,
    LinearRegressionEstimator,
    LogGaussianDistribution,
    LogGaussianEstimator,
    LogisticRegressionDistribution,
    LogisticRegressionEstimator,
    LookbackHiddenMarkovDistribution,
    LookbackHiddenMarkovEstimator,
    MarkovChainDistribution,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialDistribution,
    MultinomialEstimator,
    MultinomialLogisticRegressionDistribution,
    MultinomialLogisticRegressionEstimator,
    MultivariateGaussianDistribution,
    MultivariateGaussianEstimator,
    MultivariateStudentTDistribution,
    MultivariateStudentTEstimator,
    NegativeBinomialDistribution,
    NegativeBinomialEstimator,
    NegativeBinomialRegressionDistribution,
    NegativeBinomialRegressionEstimator,
    NullDistribution,
    NullEstimator,
    OptionalDistribution,
    OptionalEstimator,
    OrdinalDistribution,
    OrdinalEstimator,
    OrdinalRegressionDistribution,
    OrdinalRegressionEstimator,
    PartialGaussianDistribution,
    PartialGaussianEstimator,
    PartialStructuredGaussianDistribution,
    PartialStructuredGaussianEstimator,
    PointMassDistribution,
    PointMassEstimator,
    PoissonDistribution,
    PoissonEstimator,
    PoissonRegressionDistribution,
    PoissonRegressionEstimator,
    SemiSupervisedMixtureDistribution,
    SemiSupervisedMixtureEstimator,
    SequenceDistribution,
    SequenceEstimator,
    SparseMarkovAssociationDistribution,
    SparseMarkovAssociationEstimator,
    SpearmanRankingDistribution,
    SpearmanRankingEstimator,
    SpikeAndSlabDistribution,
    SpikeAndSlabEstimator,
    StructuredGaussianDistribution,
    StructuredGaussianEstimator,
    StudentTDistribution,
    StudentTEstimator,
    TimeDistribution,
    TimeEstimator,
    TreeHiddenMarkovEstimator,
    TreeHiddenMarkovModelDistribution,
    TruncatedDistribution,
    TruncatedEstimator,
    UniformDistribution,
    UniformEstimator,
    UniformVectorDistribution,
    UniformVectorEstimator,
    VonMisesDistribution,
    VonMisesEstimator,
    VonMisesFisherDistribution,
    VonMisesFisherEstimator,
    WeibullDistribution,
    WeibullEstimator,
    WeibullRegressionDistribution,
    WeibullRegressionEstimator,
    WeightedDistribution,
    WeightedEstimator,
    ZeroInflatedDistribution,
    ZeroInflatedEstimator,
)

FOLDER = Path(__file__).resolve().parent / "golden"


def numbers() -> Any:
    """Leaves of numbers and counts, at awkward values."""
    leaves = [
        GaussianDistribution(-0.0, 5e-324, "né\u2028", "k"),
        GaussianDistribution(1 / 3, 1.7976931348623157e308),
        LogGaussianDistribution(0.1 + 0.2, 2.5),
        ExponentialDistribution(1e-300),
        GammaDistribution(2.3, math.pi),
        PoissonDistribution(0.0),
        GeometricDistribution(1.0),
        BinomialDistribution(0.3, 10**15, -2),
        IntegerCategoricalDistribution(-1, [0.1, 0.0, 0.2, 0.7]),
        SpikeAndSlabDistribution(5, 6, 0.4, 3),
    ]
    return CompositeDistribution(leaves, "numbers")


def vectors() -> Any:
    one = MultivariateGaussianDistribution([1.0, -2.0, 0.1], [[2.0, 0.6, 0.1], [0.6, 0.5, -0.1], [0.1, -0.1, 1 / 3]], keys="v")
    return CompositeDistribution([one, DiagonalGaussianDistribution([0.0, 2.0], [1.0, 1e-9])])


def parts_in_common() -> Any:
    """Single parameters that are tied or held, and a covariance of a structure."""
    axes = [[0.6, -0.8], [0.8, 0.6]]
    laws = [StructuredGaussianDistribution([m, 0.1], 0.5 + m, [2.0, 0.5], axes, "VEE", "one") for m in (0.0, 2.0)]
    tied = [GaussianDistribution(m, 0.3, tied={"sigma2": "s"}) for m in (0.1, 2.0)]
    held = DiagonalGaussianDistribution([0.0, 2.0], [1.0, 1e-9], held={"mu": [0.0, 2.0]})
    return CompositeDistribution([MixtureDistribution(laws, [0.5, 0.5]), MixtureDistribution(tied, [0.1, 0.9]), held])


def part_estimators() -> Any:
    leaf = GaussianEstimator(tied={"sigma2": "s"}, held={"mu": 0.5})
    return CompositeEstimator([leaf, StructuredGaussianEstimator(2, "tied", (1.0, 2.0), (None, [[1.0, 0.0], [0.0, 1.0]]))])


def gapped_structures() -> Any:
    laws = [PartialStructuredGaussianDistribution([m, 0.1], 0.5, [2.0, 0.5], [[0.6, -0.8], [0.8, 0.6]], "EEE") for m in (0.0, 2.0)]
    return MixtureDistribution(laws, [0.25, 0.75])


def gapped_structure_estimators() -> Any:
    return MixtureEstimator([PartialStructuredGaussianEstimator(2, "EEE", (1.0, 2.0), keys="k")] * 2)


def boxes() -> Any:
    return CompositeDistribution(
        (UniformVectorDistribution([-0.0, 1 / 3], [1e300, 0.5]), UniformVectorDistribution([-1.0], [1.0], "noise", "k"))
    )


def box_estimators() -> Any:
    return CompositeEstimator((UniformVectorEstimator(2, keys="k"), UniformVectorEstimator(None, [0.0], [0.5]), UniformVectorEstimator()))


def factors() -> Any:
    """Vectors with factors, which share what is tied among the components of a mixture."""
    loadings = [[1.2, 0.0], [-0.7, 1 / 3], [0.9, 0.1], [0.4, 0.5], [0.0, -2.0]]
    laws = [FactorAnalyzerDistribution([m] * 5, loadings, [0.5, 1e-9, 1.0, 2.0, 0.3], "f", tied={"psi": True}) for m in (0.1, 2.0)]
    return MixtureDistribution(laws, [0.25, 0.75])


def factor_estimators() -> Any:
    prior = FactorAnalyzerEstimator(1, 3, (1.0, 2.0), (None, np.eye(3)))
    return CompositeEstimator([prior, FactorAnalyzerEstimator(2, tied={"loadings": True}, held={"psi": [0.1, 1 / 3]})])


def labels() -> Any:
    """Every kind of label."""
    kinds = ["a", "é\ud800\n", b"\x00\xff", True, 2, -(10**40), 2.5, -0.0, math.inf, None, (), (1, ("b", None)), frozenset({"x", 3})]
    dates = [datetime.date(2020, 1, 31), datetime.datetime(2020, 1, 31, 12, 0, 0, 5)]
    zoned = datetime.datetime(2020, 1, 31, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=-3)))
    every = [*kinds, *dates, zoned]
    pmap = {label: (i + 1) / 136 for i, label in enumerate(every)}
    return CompositeDistribution(
        [
            CategoricalDistribution(pmap, 1e-9),
            BernoulliSetDistribution({"milk": 0.3, "bread": 1.0, 7: 0.0}, min_prob=0.0),
            MarkovChainDistribution(
                {"a": 0.7, None: 0.3}, {"a": {"a": 0.25, (1,): 0.75}, (1,): {"a": 1.0}}, PoissonDistribution(3.0), 1e-3
            ),
        ]
    )


def combinators() -> Any:
    return CompositeDistribution(
        [
            OptionalDistribution(GaussianDistribution(2.0, 3.0), 0.3, -999.0),
            OptionalDistribution(GeometricDistribution(0.4), missing_value=math.nan),
            SequenceDistribution(CompositeDistribution([PoissonDistribution(2.0)]), BinomialDistribution(0.5, 4)),
            SequenceDistribution(ExponentialDistribution(2.0)),
            IgnoredDistribution(GaussianDistribution(1.0, 2.0)),
            NullDistribution("anything"),
        ]
    )


def mixtures() -> Any:
    ab, bc = CategoricalDistribution({"a": 0.35, "b": 0.65}), CategoricalDistribution({"b": 0.1, "c": 0.9})
    return CompositeDistribution(
        [
            MixtureDistribution([GaussianDistribution(-2.0, 1.0), GaussianDistribution(3.0, 0.5)], [1 / 3, 2 / 3], keys=("w", None)),
            HeterogeneousMixtureDistribution([ExponentialDistribution(1.0), GammaDistribution(9.0, 0.5)], [1.0, 0.0]),
            HierarchicalMixtureDistribution([ab, bc], [0.4, 0.6], [[0.7, 0.3], [0.1, 0.9]], PoissonDistribution(4.0)),
            JointMixtureDistribution(
                [PoissonDistribution(1.0), PoissonDistribution(9.0)], [ab, bc], [0.3, 0.7], None, [[0.9, 0.1], [0.2, 0.8]]
            ),
        ]
    )


def shared() -> Any:
    """Tied nodes: one object at several places, also below another that is shared."""
    leaf = GaussianDistribution(1.0, 2.0, keys="k")
    pair = CompositeDistribution([leaf, PoissonDistribution(3.0)])
    return CompositeDistribution([MixtureDistribution([pair, pair], [0.5, 0.5]), leaf, SequenceDistribution(pair)])


def leaf_estimators() -> Any:
    return CompositeEstimator(
        [
            GaussianEstimator((1, None), (0.5, -0.0), "named", "k"),
            LogGaussianEstimator(),
            ExponentialEstimator(2.0, 1.5),
            GammaEstimator((2.0, 2.0), (1.5, 0.25), 1e-10),
            PoissonEstimator(1.0, 3.0),
            GeometricEstimator(0.5),
            BinomialEstimator(7, -1),
            IntegerCategoricalEstimator(0, 3, 1.0, np.array([0.1, 0.2, 0.3, 0.4])),
            SpikeAndSlabEstimator(0, 9),
            CategoricalEstimator(1.0, {"a": 0.5, None: 0.5}, True),
            BernoulliSetEstimator(1e-9, 1.0, {"milk": 0.5}),
            MultivariateGaussianEstimator(2, (1.0, 1.0), ([0.0, 1.0], [[1.0, 0.0], [0.0, 1.0]])),
            DiagonalGaussianEstimator(2, (1.0, None), (np.array([0.0, 1.0]), None)),
            MarkovChainEstimator(1.0, ["a", "b"], PoissonEstimator()),
            NullEstimator(),
            IgnoredEstimator(GaussianDistribution(0.0, 1.0)),
        ]
    )


def combinator_estimators() -> Any:
    one = GaussianEstimator()
    return CompositeEstimator(
        [
            OptionalEstimator(one, -1, True, 2.0),
            SequenceEstimator(OptionalEstimator(PoissonEstimator()), GeometricEstimator()),
            MixtureEstimator([one] * 3, fixed_weights=np.array([0.1, 0.2, 0.7]), keys=(None, "c")),
            HeterogeneousMixtureEstimator([ExponentialEstimator(), GammaEstimator()], suff_stat=[0.5, 0.5], pseudo_count=1.0),
            HierarchicalMixtureEstimator([CategoricalEstimator(keys="t")] * 2, 3, PoissonEstimator()),
            JointMixtureEstimator(
                [one, one], [PoissonEstimator(), PoissonEstimator()], pseudo_count=(1.0, 2.0, 3.0), keys=("a", None, "b")
            ),
        ],
        name="combined",
    )


def regressions() -> Any:
    """Laws of y given x, and a mixture whose weights depend on x."""
    gate = MultinomialLogisticRegressionDistribution([[1.0, -0.5], [0.3, 0.1]], [0.2, -0.0], ("a", None, 3), name="gate")
    parts = [
        LinearRegressionDistribution([1.5, -0.4], 0.5, 1e-9, name="linear"),
        LinearRegressionDistribution([1 / 3], None, 2.0, offset=True, keys="k"),
        PoissonRegressionDistribution([0.5], 0.9),
        LogisticRegressionDistribution([1.0, -0.5], 0.3, trials=True, offset=True),
        GammaRegressionDistribution([0.5, -0.2], 0.4, 2.5),
        NegativeBinomialRegressionDistribution([0.3, -0.2], 0.9, 0.4),
        gate,
        NegativeBinomialDistribution(2.5, 1 / 3),
        PartialGaussianDistribution([0.5, -1.0], [[2.0, 0.3], [0.3, 1.0]]),
        GatedMixtureDistribution(
            [GaussianDistribution(-2.0, 1.0), GaussianDistribution(3.0, 2.0)],
            MultinomialLogisticRegressionDistribution([[1.0, -0.5]], [0.3], (0, 1)),
        ),
    ]
    return CompositeDistribution(parts)


def regression_estimators() -> Any:
    parts = [
        LinearRegressionEstimator(False, 0.5, keys="k"),
        PoissonRegressionEstimator(offset=True),
        LogisticRegressionEstimator(trials=True),
        GammaRegressionEstimator(),
        NegativeBinomialRegressionEstimator(ridge=1.0),
        NegativeBinomialEstimator(),
        PartialGaussianEstimator(2),
        MultinomialLogisticRegressionEstimator(labels=("a", None, 3)),
        GatedMixtureEstimator([GaussianEstimator()] * 2, MultinomialLogisticRegressionEstimator(ridge=0.1)),
    ]
    return CompositeEstimator(parts)


def mixed_regressions() -> Any:
    """Laws of groups of rows, with random intercepts and slopes."""
    both = LinearMixedRegressionDistribution([1 / 3, -0.5], 0.1 + 0.2, 1e-3, [[2.0, 0.3], [0.3, 1.0]], ("intercept", 1), name="growth")
    return MixtureDistribution([both, both.replace(coef=[0.0, 2.0])], [0.25, 0.75])


def mixed_regression_estimators() -> Any:
    parts = [LinearMixedRegressionEstimator(), LinearMixedRegressionEstimator((1, 0), False, ("x", "z"), 2.0, 0.5, name="growth", keys="k")]
    return CompositeEstimator(parts)


def shared_parameters() -> Any:
    """Regressions that share a coefficient and a scale, and hold another."""
    common = CommonParametersDistribution({"fixed": 0.1 + 0.2}, {"s": 1 / 3})
    tied = {0: "fixed", "sigma2": "s"}
    laws = [LinearRegressionDistribution([0.0, 2.0], level, 1.0, tied=tied, held={1: level}, common=common) for level in (0.5, -1.5)]
    return MixtureDistribution(laws, [0.25, 0.75])


def shared_parameter_estimators() -> Any:
    parts = [
        LinearRegressionEstimator(names=("x", "z"), tied={"x": "fixed", "sigma2": "s"}, held={"z": 0.0}),
        GammaRegressionEstimator(tied={0: "g", "intercept": "level"}, held={"shape": 2.0}),
        CommonParametersEstimator(),
    ]
    return CompositeEstimator(parts)


def times() -> Any:
    durations = TimeDistribution(GammaDistribution(2.0, 3.0), "m")
    days = TimeDistribution(GaussianDistribution(3.0, 4.0), origin="2020-01-31", name="day")
    zoned = TimeDistribution(GaussianDistribution(3.0, 4.0), "h", "2020-01-31T12:00:00.000005+00:00")
    return CompositeDistribution((durations, OptionalDistribution(days, 0.25), zoned))


def time_estimators() -> Any:
    return CompositeEstimator((TimeEstimator(GaussianEstimator()), TimeEstimator(GammaEstimator(), "h", "2020-01-31", keys="k")))


def points() -> Any:
    masses = PointMassDistribution(-0.5), PointMassDistribution("a", keys="k")
    return HeterogeneousMixtureDistribution((*masses, GammaDistribution(2.0, 9.0)), [0.25, 0.25, 0.5])


def point_estimators() -> Any:
    return HeterogeneousMixtureEstimator((PointMassEstimator(99), GammaEstimator(), PointMassEstimator("a", name="text")))


def gated_chains() -> Any:
    gates = [MultinomialLogisticRegressionDistribution([[slope, 1 / 3]], [-slope], (0, 1)) for slope in (0.5, -2.0)]
    laws = [GaussianDistribution(0.1 + 0.2, 1.0), GaussianDistribution(3.0, 2.0, name="high")]
    return GatedHiddenMarkovModelDistribution(laws, [0.25, 0.75], gates, PoissonDistribution(3.0), "chain", ("w", None, "t"))


def gated_chain_estimators() -> Any:
    gates = [MultinomialLogisticRegressionEstimator(ridge=0.1), MultinomialLogisticRegressionEstimator(intercept=False)]
    return GatedHiddenMarkovEstimator([GaussianEstimator()] * 2, gates, PoissonEstimator(), 0.5, keys=(None, None, "t"))


def shares_and_directions() -> Any:
    leaves = [
        InverseGaussianDistribution(1 / 3, 1e-9),
        BetaDistribution(0.1 + 0.2, 5e300, "share", "k"),
        VonMisesDistribution(-2.5, 0.0),
        VonMisesFisherDistribution([0.6, -0.0, -0.8], math.pi),
        DirichletDistribution([0.1, 1 / 3, 7.0]),
    ]
    return CompositeDistribution(leaves)


def shares_and_directions_estimators() -> Any:
    return CompositeEstimator(
        (
            InverseGaussianEstimator(1.5, (2.0, 3.0)),
            BetaEstimator(2.0, (0.5, 0.5), keys="k"),
            VonMisesEstimator(1.0, (0.1, 2.0), "angle"),
            VonMisesFisherEstimator(3, 1.0, suff_stat=[0.1, 0.0, -0.2]),
            DirichletEstimator(3, 1.0, np.log([0.2, 0.3, 0.4]), use_mpe=True),
        )
    )


def label_trees() -> Any:
    tables = [np.log([0.25, 0.75]), [[-math.inf, 0.0], np.log([1 / 3, 2 / 3])], np.log([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]), [0.0]]
    return CompositeDistribution((ICLTreeDistribution([(2, None), (0, 2), (1, 2), (3, None)], tables, name="né"),))


def label_tree_estimators() -> Any:
    pairs = np.zeros((2, 2, 2, 2))
    pairs[0, 1] = pairs[1, 0] = 0.25
    pairs[0, 0] = pairs[1, 1] = np.eye(2) / 2
    return CompositeEstimator((ICLTreeEstimator(2, None, 0.5, pairs, "k"), ICLTreeEstimator(num_states=3, name="tree")))


def rankings() -> Any:
    return MixtureDistribution(
        [SpearmanRankingDistribution([2, 0, 1], 1 / 3), SpearmanRankingDistribution([0, 1, 2], 0.0, "né", "k")], [0.25, 0.75]
    )


def ranking_estimators() -> Any:
    return CompositeEstimator((SpearmanRankingEstimator(3, 1.5, [1.0, 0.5, 1.5], keys="k"), SpearmanRankingEstimator(15, name="long")))


def edits() -> Any:
    before = BernoulliSetDistribution({"a": 0.1 + 0.2, 7: 1.0})
    alone = BernoulliEditDistribution({(1, "x"): 0.0}, {(1, "x"): 1.0}, min_prob=0.0, name="né")
    return CompositeDistribution((BernoulliEditDistribution({"a": 1 / 3, 7: 0.5}, {7: 0.25, "a": 1.0}, before, keys="k"), alone))


def edit_estimators() -> Any:
    prior = BernoulliEditEstimator(BernoulliSetEstimator(), 0.0, 1.5, {"a": (1, 1, 2, 0)}, keys="k")
    return CompositeEstimator((prior, BernoulliEditEstimator(two_levels=True, name="levels")))


def heavy_tails() -> Any:
    leaves = [
        StudentTDistribution(-0.0, 1e-300, 1 / 3),
        MultivariateStudentTDistribution([0.1, -2.0], [[2.0, 0.6], [0.6, 0.5]], 4.5, keys="v"),
        LaplaceDistribution(0.1 + 0.2, 2.5, "né"),
        WeibullDistribution(math.pi, 5e300),
        OrdinalDistribution(("low", 2, None, (1, "x")), [0.25, 0.0, 0.5, 0.25]),
    ]
    return CompositeDistribution(leaves)


def heavy_tails_estimators() -> Any:
    parts = [
        StudentTEstimator(4.0, "held"),
        MultivariateStudentTEstimator(2, keys="v"),
        LaplaceEstimator(),
        WeibullEstimator("life", "k"),
        OrdinalEstimator(("low", 2, None), 1.0, [1, 2, 3]),
    ]
    return CompositeEstimator(parts)


def conditionals() -> Any:
    dmap = {"a": GaussianDistribution(0.0, 1 / 3), (1, None): ExponentialDistribution(2.5)}
    whole = ConditionalDistribution(dmap, GammaDistribution(2.0, 3.0), CategoricalDistribution({"a": 0.25, (1, None): 0.75}), "pairs", "k")
    return CompositeDistribution((whole, ConditionalDistribution([PoissonDistribution(1.0), PoissonDistribution(2.0)])))


def conditional_estimators() -> Any:
    each = {"a": GaussianEstimator(), None: ExponentialEstimator(keys="k")}
    return ConditionalDistributionEstimator(each, GammaEstimator(), CategoricalEstimator(), name="pairs")


def wrapped() -> Any:
    return CompositeDistribution((WeightedDistribution(GaussianDistribution(1.0, 2.0), "counted", "k"),))


def wrapped_estimators() -> Any:
    return CompositeEstimator((WeightedEstimator(GaussianEstimator(), "k", "counted"),))


def bags() -> Any:
    words = MultinomialDistribution(CategoricalDistribution({"a": 0.25, None: 0.75}), PoissonDistribution(3.0), name="words", keys="k")
    return CompositeDistribution((words, MultinomialDistribution(IntegerCategoricalDistribution(-1, [0.5, 0.25, 0.25]))))


def topics() -> Any:
    words = [CategoricalDistribution({"a": 0.25, "b": 0.75}), CategoricalDistribution({"a": 1.0})]
    return LDADistribution(words, [1 / 3, 2.0], PoissonDistribution(3.0), 1e-9, ("k", None), "documents")


def topic_estimators() -> Any:
    free = LDAEstimator([CategoricalEstimator()] * 2, np.array([-1.0, -2.0]), 1.5, len_estimator=PoissonEstimator())
    return CompositeEstimator((free, LDAEstimator([PoissonEstimator()] * 3, fixed_alpha=0.1, keys=(None, "t"))))


def integers() -> Any:
    start = SequenceDistribution(IntegerCategoricalDistribution(0, [0.25, 0.75]))
    chain = IntegerMarkovChainDistribution(2, [[1 / 3, 2 / 3], [1.0, 0.0]], 1, start, PoissonDistribution(2.0), "k", "steps")
    words = [[0.5, 0.1], [0.3, 0.1], [0.2, 0.8]]
    return CompositeDistribution((chain, IntegerPLSIDistribution(words, [[0.9, 0.1], [0.25, 0.75]], [0.4, 0.6], PoissonDistribution(2.0))))


def integer_estimators() -> Any:
    chain = IntegerMarkovChainEstimator(2, 3, SequenceEstimator(CategoricalEstimator()), pseudo_count=0.5)
    return CompositeEstimator((chain, IntegerPLSIEstimator(3, 2, 4, PoissonEstimator(), (1.0, None, 2.0), name="documents")))


def associations() -> Any:
    words = ConditionalDistribution({"a": CategoricalDistribution({"x": 0.25, None: 0.75}), 7: CategoricalDistribution({"x": 1.0})})
    sources = MultinomialDistribution(CategoricalDistribution({"a": 1 / 3, 7: 2 / 3}), PoissonDistribution(2.0))
    numbers = IntegerHiddenAssociationDistribution(
        [[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]], [[1 / 3, 2 / 3]], 0.1, name="numbers", keys=("k", "k")
    )
    return CompositeDistribution((HiddenAssociationDistribution(words, sources, PoissonDistribution(3.0), "words", ("w", None)), numbers))


def association_estimators() -> Any:
    words = ConditionalDistributionEstimator({"a": CategoricalEstimator(1.0), 7: CategoricalEstimator()})
    numbers = IntegerHiddenAssociationEstimator((3, 2), 2, 0.25, len_estimator=PoissonEstimator(), pseudo_count=(1.0, None), use_numba=True)
    return CompositeEstimator((HiddenAssociationEstimator(words, MultinomialEstimator(CategoricalEstimator()), name="words"), numbers))


def sparse_tables() -> Any:
    table = {0: {0: 1 / 3, 2: 2 / 3}, 2: {1: 1.0}}
    lengths = CompositeDistribution((PoissonDistribution(2.0), PoissonDistribution(3.0)))
    return CompositeDistribution((SparseMarkovAssociationDistribution([0.5, 0.25, 0.25], table, 0.1, lengths, True, ("k", "k"), "pairs"),))


def sparse_table_estimators() -> Any:
    own = ([0.5, 0.5], [[0.0, 1.0], [0.25, 0.75]])
    told = SparseMarkovAssociationEstimator(2, 0.25, None, own, 2.0)
    return CompositeEstimator((told, SparseMarkovAssociationEstimator(3, name="pairs")))


def bag_estimators() -> Any:
    words = MultinomialEstimator(CategoricalEstimator(1.0), PoissonEstimator(), name="words", keys="k")
    return CompositeEstimator((words, MultinomialEstimator(IntegerCategoricalEstimator(0, 3), len_dist=PoissonDistribution(2.0))))


def uniforms() -> Any:
    return CompositeDistribution((UniformDistribution(-0.0, 1 / 3), UniformDistribution(-1e300, 5e-324, "noise", "k")))


def uniform_estimators() -> Any:
    return CompositeEstimator((UniformEstimator(), UniformEstimator(0.0, keys="k"), UniformEstimator(-1.0, 0.1, name="noise")))


def semi_supervised() -> Any:
    parts = [GaussianDistribution(0.0, 1.0), GaussianDistribution(3.0, 1 / 3)]
    named = SemiSupervisedMixtureDistribution(parts, [0.25, 0.75], "classes", ("w", None), labels=("a", (1, None)))
    return CompositeDistribution((named, SemiSupervisedMixtureDistribution(parts, [1 / 3, 2 / 3])))


def semi_supervised_estimators() -> Any:
    parts = [GaussianEstimator(), GaussianEstimator(keys="k")]
    named = SemiSupervisedMixtureEstimator(parts, [1.0, 3.0], 2.0, ("w", "c"), "classes", labels=("a", (1, None)))
    return CompositeEstimator((named, SemiSupervisedMixtureEstimator(parts, fixed_weights=[0.25, 0.75])))


def hidden_chains() -> Any:
    states = [GaussianDistribution(0.0, 1 / 3), GaussianDistribution(3.0, 1.0)]
    transitions = [[0.9, 0.1], [1 / 3, 2 / 3]]
    plain = HiddenMarkovModelDistribution(states, [0.25, 0.75], transitions, None, PoissonDistribution(3.0), "chain", ("w", "w", "t"))
    shared = HiddenMarkovModelDistribution(states, [1.0, 0.0], transitions, [[0.5, 0.5], [0.1, 0.9]], terminal_values=[1.0, None])
    return CompositeDistribution((plain, shared))


def hidden_chain_estimators() -> Any:
    states = [GaussianEstimator(), GaussianEstimator(keys="k")]
    plain = HiddenMarkovEstimator(states, PoissonEstimator(), (1.0, 2.0), "chain", ("w", "w", "t"), initial="stationary")
    return CompositeEstimator((plain, HiddenMarkovEstimator(states, num_states=3, initial=[0.25, 0.25, 0.5])))


def hidden_trees() -> Any:
    states = [GaussianDistribution(0.0, 1 / 3), GaussianDistribution(3.0, 1.0)]
    transitions = [[0.9, 0.1], [1 / 3, 2 / 3]]
    plain = TreeHiddenMarkovModelDistribution(states, [0.25, 0.75], transitions)
    return CompositeDistribution(
        (plain, plain.replace(len_dist=PoissonDistribution(0.5), terminal_level=3, name="t", keys=("w", "p", "s")))
    )


def hidden_tree_estimators() -> Any:
    states = [GaussianEstimator(), GaussianEstimator(keys="k")]
    named = TreeHiddenMarkovEstimator(states, PoissonEstimator(), (1.0, 2.0), "tree", ("w", None, "t"), terminal_level=3)
    return CompositeEstimator((named, TreeHiddenMarkovEstimator(states, len_dist=PoissonDistribution(0.5))))


def zeros() -> Any:
    gate = LogisticRegressionDistribution([1.0, -0.5], -0.7)
    counts = PoissonRegressionDistribution([0.5], 0.1)
    return CompositeDistribution(
        (
            ZeroInflatedDistribution(PoissonDistribution(3.0), 0.25, name="visits"),
            ZeroInflatedDistribution(counts, gate=gate),
            HurdleDistribution(counts, 0.25, keys="k"),
            TruncatedDistribution(GaussianDistribution(1.0, 4.0), 0.0, 3.5),
        )
    )


def zero_estimators() -> Any:
    return CompositeEstimator(
        (
            ZeroInflatedEstimator(PoissonEstimator(), pseudo_count=2.0),
            ZeroInflatedEstimator(PoissonRegressionEstimator(), LogisticRegressionEstimator()),
            HurdleEstimator(NegativeBinomialRegressionEstimator()),
            TruncatedEstimator(GammaEstimator(), low=1.5, keys="k"),
        )
    )


def ordered() -> Any:
    grades = OrdinalRegressionDistribution([1.0, -0.5], [-1.0, 0.25], ("low", 2, None), "probit", name="grade")
    return CompositeDistribution((grades, OrdinalRegressionDistribution([], [0.5], (False, True))))


def ordered_estimators() -> Any:
    return CompositeEstimator(
        (OrdinalRegressionEstimator(2.0, ("x",), ("low", "high"), keys="k"), OrdinalRegressionEstimator(link="probit"))
    )


def shares() -> Any:
    return CompositeDistribution(
        (BetaRegressionDistribution([0.5], None, 6.0, offset=True), BetaRegressionDistribution([0.5, -0.25], 0.4, 1.5))
    )


def share_estimators() -> Any:
    return CompositeEstimator(
        (BetaRegressionEstimator(ridge=1.0, tied={"precision": "s"}), BetaRegressionEstimator(intercept=False, keys="k"))
    )


def intervals() -> Any:
    lives = MixtureDistribution([GammaDistribution(2.0, 3.0), GammaDistribution(5.0, 0.5)], [0.25, 0.75])
    return CompositeDistribution((CensoredDistribution(GaussianDistribution(1.0, 4.0), name="level"), CensoredDistribution(lives)))


def interval_estimators() -> Any:
    return CompositeEstimator((CensoredEstimator(GaussianEstimator(), keys="k"), CensoredEstimator(PoissonEstimator())))


def lookbacks() -> Any:
    """Autoregression whose coefficients switch."""
    lines = [LinearRegressionDistribution([0.1 + 0.2, -0.5], level, 2.0) for level in (-1.0, 1 / 3)]
    return LookbackHiddenMarkovDistribution(lines, [0.25, 0.75], [[0.9, 0.1], [0.2, 0.8]], 2, None, PoissonDistribution(9.0), "switching")


def lookback_estimators() -> Any:
    first = [CompositeEstimator([GaussianEstimator()] * 2)] * 2
    return LookbackHiddenMarkovEstimator([LinearRegressionEstimator()] * 2, 2, first, PoissonEstimator(), None, (1.0, 2.0), "switching")


def links_and_limits() -> Any:
    tobit = CensoredDistribution(LinearRegressionDistribution([0.5], -0.25, 2.0), name="hours")
    return CompositeDistribution(
        {
            "hours": tobit,
            "cost": GammaRegressionDistribution([0.5], 3.0, 1.5, link="inverse"),
            ("low", "high"): CensoredDistribution(GammaDistribution(2.0, 3.0)),
        }
    )


def link_and_limit_estimators() -> Any:
    return CompositeEstimator(
        (CensoredEstimator(LinearRegressionEstimator(ridge=0.5)), GammaRegressionEstimator(link="identity", tied={"shape": "s"}))
    )


def lifetimes() -> Any:
    line = WeibullRegressionDistribution([0.5, -0.25], 0.4, 1.5)
    return CompositeDistribution((CensoredDistribution(line, name="life"), WeibullRegressionDistribution([0.5], None, 1.0, offset=True)))


def lifetime_estimators() -> Any:
    return CompositeEstimator(
        (CensoredEstimator(WeibullRegressionEstimator(ridge=1.0)), WeibullRegressionEstimator(held={"shape": 1.0}, keys="k"))
    )


MODELS = {
    model.__name__: model
    for model in (
        numbers,
        vectors,
        labels,
        combinators,
        mixtures,
        shared,
        leaf_estimators,
        combinator_estimators,
        regressions,
        regression_estimators,
        mixed_regressions,
        mixed_regression_estimators,
        lookbacks,
        lookback_estimators,
        shared_parameters,
        shared_parameter_estimators,
        times,
        time_estimators,
        points,
        point_estimators,
        gated_chains,
        gated_chain_estimators,
        shares_and_directions,
        shares_and_directions_estimators,
        label_trees,
        label_tree_estimators,
        rankings,
        ranking_estimators,
        edits,
        edit_estimators,
        heavy_tails,
        heavy_tails_estimators,
        conditionals,
        conditional_estimators,
        wrapped,
        wrapped_estimators,
        bags,
        bag_estimators,
        topics,
        topic_estimators,
        integers,
        integer_estimators,
        associations,
        association_estimators,
        sparse_tables,
        sparse_table_estimators,
        uniforms,
        uniform_estimators,
        semi_supervised,
        semi_supervised_estimators,
        hidden_chains,
        hidden_chain_estimators,
        hidden_trees,
        hidden_tree_estimators,
        zeros,
        zero_estimators,
        ordered,
        ordered_estimators,
        shares,
        share_estimators,
        intervals,
        interval_estimators,
        links_and_limits,
        link_and_limit_estimators,
        lifetimes,
        lifetime_estimators,
        parts_in_common,
        part_estimators,
        gapped_structures,
        gapped_structure_estimators,
        boxes,
        box_estimators,
        factors,
        factor_estimators,
    )
}


def main() -> None:
    for name, model in MODELS.items():
        path = FOLDER / f"{name}.json"
        if not path.exists():
            save(model(), path)
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
