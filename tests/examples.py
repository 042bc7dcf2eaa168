"""One registry of examples: every family, and nestings of them. The conformance suite does the rest.

A new family adds one line to `EXAMPLES`. `over` describes all observations, for sums and integrals:

    Line(low, high)      the reals between two bounds
    TimeLine(low, ..)    times
    a list               these values
    Pair(a, b, ..)       tuples of entries from each
    Either(a, b, ..)     values of any of these
    Image(a, of)         what `of` makes of each of these
    Lists(a, lengths)    lists of elements from one, of these lengths
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from dmlcore.core.distribution import Distribution, as_values
from dmlcore.core.estimator import Estimator
from dmlcore.data.times import TimeScale
from dmlcore.stats import (
    BernoulliEditDistribution,
    BernoulliSetDistribution,
    BetaDistribution,
    BetaRegressionDistribution,
    BinomialDistribution,
    CategoricalDistribution,
    CensoredDistribution,
    CommonParametersDistribution,
    CompositeDistribution,
    CompositeEstimator,
    ConditionalDistribution,
    DiagonalGaussianDistribution,
    DirichletDistribution,
    ExponentialDistribution,
    FactorAnalyzerDistribution,
    GammaDistribution,
    GammaRegressionDistribution,
    GatedHiddenMarkovModelDistribution,
    GatedMixtureDistribution,
    GaussianDistribution,
    GaussianEstimator,
    GeometricDistribution,
    HeterogeneousMixtureDistribution,
    HiddenAssociationDistribution,
    HiddenMarkovModelDistribution,
    HierarchicalMixtureDistribution,
    HurdleDistribution,
    ICLTreeDistribution,
    IgnoredDistribution,
    IntegerCategoricalDistribution,
    IntegerHiddenAssociationDistribution,
    IntegerMarkovChainDistribution,
    IntegerMultinomialDistribution,
    IntegerPLSIDistribution,
    InverseGaussianDistribution,
    JointMixtureDistribution,
    LaplaceDistribution,
    LDADistribution,
    LinearMixedRegressionDistribution,
    LinearRegressionDistribution,
    LogGaussianDistribution,
    LogisticRegressionDistribution,
    LookbackHiddenMarkovDistribution,
    MarkovChainDistribution,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialDistribution,
    MultinomialLogisticRegressionDistribution,
    MultivariateGaussianDistribution,
    MultivariateStudentTDistribution,
    NegativeBinomialDistribution,
    NegativeBinomialRegressionDistribution,
    NullDistribution,
    OptionalDistribution,
    OrdinalDistribution,
    OrdinalRegressionDistribution,
    PartialGaussianDistribution,
    PartialStructuredGaussianDistribution,
    PointMassDistribution,
    PoissonDistribution,
    PoissonEstimator,
    PoissonRegressionDistribution,
    SemiSupervisedMixtureDistribution,
    SequenceDistribution,
    SparseMarkovAssociationDistribution,
    SpearmanRankingDistribution,
    SpikeAndSlabDistribution,
    StructuredGaussianDistribution,
    StudentTDistribution,
    StudentTEstimator,
    TimeDistribution,
    TreeHiddenMarkovModelDistribution,
    TruncatedDistribution,
    UniformDistribution,
    UniformEstimator,
    UniformVectorDistribution,
    UniformVectorEstimator,
    VonMisesDistribution,
    VonMisesFisherDistribution,
    WeibullDistribution,
    WeibullRegressionDistribution,
    WeightedDistribution,
    ZeroInflatedDistribution,
)

inf = math.inf


@dataclass(frozen=True)
class Line:
    """The reals in an interval, by a double-exponential rule (Takahasi and Mori 1974): exact to rounding for smooth densities."""

    low: float = -inf
    high: float = inf

    def points(self, n: int) -> list[tuple[Any, float]]:
        t, step = np.linspace(-4.0, 4.0, n, retstep=True)
        s, ds = 0.5 * math.pi * np.sinh(t), 0.5 * math.pi * np.cosh(t)
        if self.low == -inf:
            x, dx = np.sinh(s), np.cosh(s) * ds
        elif self.high == inf:
            x, dx = self.low + np.exp(s), np.exp(s) * ds
        else:
            half = (self.high - self.low) / 2
            x, dx = self.low + half * (1 + np.tanh(s)), half * ds / np.cosh(s) ** 2
        return list(zip(x.tolist(), (dx * step).tolist(), strict=True))


@dataclass(frozen=True)
class TimeLine(Line):
    """Times or durations in an interval of so many units from an origin."""

    unit: str = "D"
    origin: str | None = None

    def points(self, n: int) -> list[tuple[Any, float]]:
        return [(TimeScale(self.unit, self.origin).time(x), dx) for x, dx in super().points(n)]


@dataclass(frozen=True, init=False)
class Pair:
    """Tuples."""

    parts: tuple[Any, ...]

    def __init__(self, *parts: Any):
        object.__setattr__(self, "parts", parts)

    def points(self, n: int) -> list[tuple[Any, float]]:
        rows = itertools.product(*(points(part, n) for part in self.parts))
        return [(tuple(v for v, _ in row), math.prod(w for _, w in row)) for row in rows]


@dataclass(frozen=True, init=False)
class Either:
    """Values of one kind or another, such as a number or None."""

    parts: tuple[Any, ...]

    def __init__(self, *parts: Any):
        object.__setattr__(self, "parts", parts)

    def points(self, n: int) -> list[tuple[Any, float]]:
        return [point for part in self.parts for point in points(part, n)]


@dataclass(frozen=True)
class Image:
    """Values that another kind of observations stands for, such as angles for directions."""

    over: Any
    of: Callable[[Any], Any]

    def points(self, n: int) -> list[tuple[Any, float]]:
        return [(self.of(x), w) for x, w in points(self.over, n)]


@dataclass(frozen=True)
class Lists:
    """Lists of the given lengths."""

    element: Any
    lengths: tuple[int, ...]

    def points(self, n: int) -> list[tuple[Any, float]]:
        each = points(self.element, n)
        rows = (row for size in self.lengths for row in itertools.product(each, repeat=size))
        return [([v for v, _ in row], math.prod(w for _, w in row)) for row in rows]


def points(over: Any, n: int = 161) -> list[tuple[Any, float]]:
    """Observations with integration weights; `n` for each line."""
    return over.points(n) if hasattr(over, "points") else [(value, 1.0) for value in over]


def bags(labels: Any, largest: int) -> list[list[Any]]:
    """Every bag of at most so many labels, as pairs of each label in it and its count."""
    many = (bag for size in range(largest + 1) for bag in itertools.combinations_with_replacement(labels, size))
    return [list(Counter(bag).items()) for bag in many]


def subsets(labels: Any) -> list[list[Any]]:
    return [list(part) for size in range(len(labels) + 1) for part in itertools.combinations(labels, size)]


@dataclass(frozen=True, eq=False)
class Example:
    """A law with what a test needs to know about it.

    tags: "deaf" if it does not look at its observations, "loose" if its density does not sum to one, "unsampled" if it cannot be drawn
    from, "lengthless" if a sequence in it has no law of its length, "spiked" if one of its reals has a probability, "in part" if it is
    drawn from as it is not seen, "whole" if it gives no law of a part of a vector, "forward" if it gives that of its second part alone,
    "shaped" if what an observation has for a shape must be known, "round" if its density is that of a turn, over and over.
    off: observations of density zero. rows: valid observations, where it cannot be drawn from.
    """

    name: str
    law: Distribution
    estimator: Estimator
    over: Any = None
    off: tuple[Any, ...] = ()
    wrong: tuple[Any, ...] = ()
    rows: tuple[Any, ...] = ()
    tags: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return self.name

    @property
    def sampled(self) -> bool:
        return "unsampled" not in self.tags

    def data(self, n: int, seed: int = 1) -> list[Any]:
        """`n` valid observations as a list of plain values (vectors are arrays)."""
        if self.sampled:
            return as_values(self.law.sampler(seed).sample(n))
        return [self.rows[i] for i in np.random.default_rng(seed).integers(len(self.rows), size=n)]


def example(
    name: str, law: Distribution, over: Any = None, off: Any = (), wrong: Any = (), *tags: str, rows: Any = (), estimator: Any = None
) -> Example:
    return Example(name, law, estimator or law.estimator(), over, tuple(off), tuple(wrong), tuple(rows), frozenset(tags))


def regression(name: str, law: Any, over: Any, off: Any = None, wrong: Any = None) -> Example:
    """An example of a law of y given two covariates. It cannot be drawn without them: its rows are drawn here, at random covariates,
    with 5 trials and an offset of 0.3 where it has them."""
    parts = law.components if isinstance(law, Mix) else (law,)
    settings = {"trials": 5, "offset": 0.3}
    given = {k: v for k, v in settings.items() if getattr(parts[0], k, False)}
    x = np.random.default_rng(5).normal(size=(400, 2))
    drawn = [as_values(part.sample_given(x, 7 + k, **given)) for k, part in enumerate(parts)]
    which = np.random.default_rng(6).choice(len(parts), size=len(x), p=getattr(law, "w", None))
    rows = [(at, drawn[k][i], *given.values()) for i, (at, k) in enumerate(zip(x, which, strict=True))]

    def at_one_x(y: Any) -> tuple[Any, ...]:
        return (x[3], y, *given.values())

    return example(
        name,
        law,
        Pair([x[3]], over, *([value] for value in given.values())),
        [] if off is None else [at_one_x(off)],
        [(x[3],)] if wrong is None else [at_one_x(wrong), (x[3][:1], *rows[0][1:]), (x[3],)],
        "unsampled",
        rows=rows,
    )


def mixed_regression(name: str, law: Any) -> Example:
    """An example of a law of groups of rows, of one to four rows at random covariates."""
    parts = law.components if isinstance(law, Mix) else (law,)
    rng = np.random.default_rng(5)
    groups = [[(x, 0.0) for x in rng.normal(size=(1 + i % 4, 2))] for i in range(200)]
    rows = [group for k, part in enumerate(parts) for group in part.redraw(groups[k :: len(parts)], rng)]
    x = rng.normal(size=2)
    over, off, wrong = Lists(Pair([x], REAL), (2,)), [(x, 0.0), (x, inf)], [[(x, "x")], (x, 0.0), [(x[:1], 0.0)] * 2, [(x,)]]
    return example(name, law, over, [off], wrong, "unsampled", rows=rows)


def chain_given_covariates(name: str, law: Any) -> Example:
    """An example of a law of lists of (z, label) given two covariates z of each element, in lists of up to two."""
    rng = np.random.default_rng(5)
    z = [rng.normal(size=(size, 2)) for size in rng.choice(3, size=400, p=law.len_dist.p_vec)]
    rows = [list(zip(at, x, strict=True)) for at, x in zip(z, law.sample_given(z, 7), strict=True)]
    at = rng.normal(size=2)
    return example(
        name,
        law,
        Lists(Pair([at], "abc"), (0, 1, 2)),
        [[(at, "a"), (at, "x")], [(at, "a")] * 3],
        [[(at[:1], "a")], [(at,)], [(at, ["a"])], 3],
        "unsampled",
        rows=rows,
    )


def gated_zeros(name: str, law: Any) -> Example:
    """An example of a regression of counts with a gate of its zeros, at random covariates of both."""
    z, x = np.random.default_rng(5).normal(size=(2, 400, 2))
    rows = [(at, (there, y)) for at, there, y in zip(z, x, as_values(law.sample_given(x, 7, z=z)), strict=True)]
    over = Pair([z[3]], Pair([x[3]], range(60)))
    return example(name, law, over, [(z[3], (x[3], -1))], [(z[3], (x[3], 2.5)), (z[3],)], "unsampled", rows=rows)


def censored(name: str, law: Any, seen: Any, wrong: Any, off: Any = inf) -> Example:
    """An example of numbers of which each third is seen as an interval."""
    rows = [x if i % 3 else seen[i // 3 % len(seen)] for i, x in enumerate(as_values(law.sample(200, rng=3)))]
    return example(name, law, None, [off], wrong, "loose", "unsampled", "in part", rows=rows)


def tobit(name: str, law: Any, seen: Any = ((1.0, None), (None, 0.0), (-0.5, 2.0))) -> Example:
    """An example of a regression of which each third of responses is seen as an interval."""
    x = np.random.default_rng(5).normal(size=(300, 2))
    parts = law.components if isinstance(law, Mix) else (law,)
    drawn = [part.sample_given(x, 7 + k).tolist() for k, part in enumerate(parts)]
    rows = [(at, drawn[i % len(parts)][i] if i % 3 else seen[i // 3 % 3]) for i, at in enumerate(x)]
    wrong = [(x[3], "x"), (x[3], (2.0, 1.0)), (x[3], (None, None)), (x[3],)]
    return example(name, law, None, [(x[3], inf)], wrong, "loose", "unsampled", "in part", rows=rows)


GATE = LogisticRegressionDistribution([1.0, -0.5], -0.7)
SHARED = CommonParametersDistribution({"slope": 0.5}, {"noise": 1.5})
N = GaussianDistribution
L = LogGaussianDistribution
E = ExponentialDistribution
Mix = MixtureDistribution
Bag = MultinomialDistribution
C = CategoricalDistribution
Cond = ConditionalDistribution
Tuple = CompositeDistribution
Opt = OptionalDistribution
Seq = SequenceDistribution
Time = TimeDistribution

REAL, ABOVE, ODD_REALS = Line(), Line(0.0), ("1.5", None, float("nan"), 1j, [1.0], (2.0,))
SHARE, TURN = Line(0.0, 1.0), Line(-math.pi, math.pi)
NOON = datetime(2021, 3, 4, 12)
ODD_TIMES = (1.0, "2021-03-04", None, [NOON], NOON - NOON)
ODD_COUNTS = (2.5, "2", None, float("nan"), inf, [2])
FEW = IntegerCategoricalDistribution(0, [0.3, 0.45, 0.25])  # lengths 0 to 2
ONE = BinomialDistribution(0.5, 1)  # lengths 0 and 1
ab = C({"a": 0.35, "b": 0.65})
chain = {"a": {"a": 0.2, "b": 0.5, "c": 0.3}, "b": {"a": 0.6, "b": 0.4}, "c": {"c": 0.1, "a": 0.9}}
mover = MarkovChainDistribution({"a": 0.7, "c": 0.3}, chain, FEW)
stayer = MarkovChainDistribution({"a": 0.5, "b": 0.5}, {"a": {"a": 0.9, "b": 0.1}, "b": {"b": 1.0}}, FEW)
basket = BernoulliSetDistribution({"milk": 0.3, "bread": 0.8, 7: 0.05})
basket_edit = BernoulliEditDistribution({"milk": 0.2, "bread": 0.5, 7: 0.1}, {"bread": 0.7, "milk": 0.6, 7: 0.9}, basket)
AXES = [[0.6, -0.8], [0.8, 0.6]]
vectors = MultivariateGaussianDistribution([1.0, -2.0], [[2.0, 0.6], [0.6, 0.5]])
label_tables = [[0.5, 0.2, 0.3], [[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]], [[0.8, 0.2], [0.3, 0.7]], [[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]]
label_tree = ICLTreeDistribution([(0, None), (1, 0), (2, 1), (3, 1)], list(map(np.log, label_tables)))
other_tables = [
    np.log(table) for table in ([0.1, 0.1, 0.8], [[0.2, 0.8], [0.6, 0.4]], [[0.7, 0.3], [0.1, 0.9], [0.4, 0.6]], [0.2, 0.5, 0.3])
]
LABEL_VECTORS = Image(Pair(range(3), range(2), range(2), range(3)), lambda x: np.array(x, dtype=np.float64))
RANKINGS = Image(list(itertools.permutations(range(4))), lambda x: np.array(x, dtype=np.float64))
topics = [C({"a": 0.9, "b": 0.1}), C({"a": 0.2, "b": 0.8}), C({"a": 0.5, "c": 0.5})]
taus = [[0.6, 0.3, 0.1], [0.1, 0.1, 0.8]]
keyed_gaussian, keyed_poisson = N(1.0, 2.0, keys="k"), PoissonDistribution(2.0, keys="k")
moves = [[0.8, 0.1, 0.1], [0.3, 0.5, 0.2], [0.1, 0.0, 0.9]]

EXAMPLES = [
    # leaves
    example("gaussian", N(1.2, 2.5), REAL, [inf, -inf], ODD_REALS),
    example("gaussian narrow", N(-3.0, 0.01, name="narrow"), Line(-5.0, -1.0), [inf], ODD_REALS),
    example("laplace", LaplaceDistribution(0.0, 0.7), Either(ABOVE, Image(ABOVE, lambda x: -x)), [inf, -inf], ODD_REALS),
    example("weibull", WeibullDistribution(2.3, 1.7), ABOVE, [0.0, -1.0, inf, -inf], ODD_REALS),
    example("weibull falling", WeibullDistribution(0.7, 3.0), ABOVE, [0.0, -2, inf], ODD_REALS),
    example("student t", StudentTDistribution(1.2, 0.7, 9.0), REAL, [inf, -inf], ODD_REALS),
    example("student t held", StudentTDistribution(-0.5, 2.0, 7.0), REAL, [inf], ODD_REALS, estimator=StudentTEstimator(7.0)),
    example("log gaussian", L(0.3, 0.4), ABOVE, [0.0, -1.0, inf, -inf], ODD_REALS),
    example("exponential", E(2.5), ABOVE, [-1e-300, -1.0, inf, -inf], ODD_REALS),
    example("gamma", GammaDistribution(2.3, 1.7), ABOVE, [0.0, -1.0, inf, -inf], ODD_REALS),
    example("gamma peaked", GammaDistribution(0.6, 3.0), ABOVE, [0.0, -2, inf], ODD_REALS),
    example("gamma sharp", GammaDistribution(5000.0, 1e-4), Line(0.45, 0.56), [0.0, -1.0, inf], ODD_REALS),
    example("inverse gaussian", InverseGaussianDistribution(1.3, 2.0), ABOVE, [0.0, -1.0, inf, -inf], ODD_REALS),
    example("inverse gaussian sharp", InverseGaussianDistribution(2.0, 4000.0), Line(1.6, 2.4), [0.0, -1.0, inf], ODD_REALS),
    example("beta", BetaDistribution(2.3, 4.1), SHARE, [0.0, 1.0, -0.5, 1.5, inf, -inf], ODD_REALS),
    example("beta sharp", BetaDistribution(3000.0, 9000.0), Line(0.2, 0.3), [0.0, 1.0, 2.0], ODD_REALS),
    example("von mises", VonMisesDistribution(2.5, 1.7), TURN, [inf, -inf], ODD_REALS, "round"),
    example("von mises sharp", VonMisesDistribution(-0.3, 300.0), Line(-1.1, 0.5), [inf, -inf], ODD_REALS, "round"),
    example(
        "uniform",
        UniformDistribution(-1.5, 4.0),
        Line(-1.5, 4.0),
        [-1.6, 4.1, inf, -inf],
        ODD_REALS,
        estimator=UniformEstimator(-1.5, 4.0),
    ),
    example("poisson", PoissonDistribution(3.1), range(60), [-1, -(10**12)], ODD_COUNTS),
    example("poisson large", PoissonDistribution(1e5), range(90_000, 110_000), [-1], ODD_COUNTS),
    example("poisson zero", PoissonDistribution(0.0), range(3), [-1, 1], ODD_COUNTS),
    example("negative binomial", NegativeBinomialDistribution(3.1, 0.4), range(400), [-1, -(10**12)], ODD_COUNTS),
    example("negative binomial wide", NegativeBinomialDistribution(0.7, 3.0), range(700), [-1], ODD_COUNTS),
    example("geometric", GeometricDistribution(0.35), range(1, 120), [0, -1], ODD_COUNTS),
    example("geometric sure", GeometricDistribution(1.0), range(1, 4), [0, 2], ODD_COUNTS),
    example("binomial", BinomialDistribution(0.3, 7), range(8), [-1, 8], ODD_COUNTS),
    example("binomial shifted", BinomialDistribution(0.8, 4, -2), range(-2, 3), [-3, 3], ODD_COUNTS),
    example("binomial large", BinomialDistribution(0.3, 5000), range(5001), [-1, 5001], ODD_COUNTS),
    example("binomial sure", BinomialDistribution(1.0, 3), range(4), [0, 2, 4], ODD_COUNTS),
    example("categorical", C({"a": 0.5, "b": 0.2, "c": 0.3}), "abc", ["d", None, 1, ("a",)], [["a"], {}, float("nan")]),
    example("categorical mixed labels", C({1: 0.25, "1": 0.25, None: 0.3, (1, "x"): 0.2}), [1, "1", None, (1, "x")], [2, "x"], [[1]]),
    example("categorical zero weight", C({"a": 1.0, "b": 0.0}), "ab", ["b", "c"], [["a"]]),
    example("integer categorical", IntegerCategoricalDistribution(-1, [0.2, 0.0, 0.5, 0.3]), range(-1, 3), [-2, 0, 3], ODD_COUNTS),
    example("ordinal", OrdinalDistribution(("low", "middle", "high"), [0.5, 0.2, 0.3]), ["low", "middle", "high"], ["none", 1], [["low"]]),
    example("spike and slab", SpikeAndSlabDistribution(5, 6, 0.4, 3), range(3, 9), [2, 9], ODD_COUNTS),
    example("spike alone", SpikeAndSlabDistribution(2, 4, 1.0), range(4), [0, 3], ODD_COUNTS),
    example("point mass", PointMassDistribution(99.0), [99.0], [98.0, inf, -inf], ODD_REALS),
    example("point mass of a label", PointMassDistribution("a"), ["a"], ["b", None, 1], [["a"]]),
    example(
        "multivariate gaussian",
        vectors,
        Pair(REAL, REAL),
        [[inf, 0.0]],
        [[1.0], [1.0, 2.0, 3.0], 1.0, ["x", 1.0], [1.0, float("nan")], None],
    ),
    example(
        "multivariate student t",
        MultivariateStudentTDistribution([0.5, 2.0], vectors.covar, 9.0),
        Pair(REAL, REAL),
        [[0.0, -inf]],
        [[1.0], 2.0],
    ),
    example("diagonal gaussian", DiagonalGaussianDistribution([0.0, 2.0], [1.0, 3.0]), Pair(REAL, REAL), [[0.0, -inf]], [[1.0], 2.0]),
    example(
        "structured gaussian", StructuredGaussianDistribution([1.0, -2.0], 0.9, [2.0, 0.5], AXES), Pair(REAL, REAL), [[inf, 0.0]], [[1.0]]
    ),
    example(
        "factor analyzer",
        FactorAnalyzerDistribution([1.0, -2.0, 0.5, 3.0], [[1.2], [-0.7], [0.9], [0.4]], [0.5, 1.5, 0.8, 0.3]),
        None,
        [[inf, 0.0, 0.0, 0.0]],
        [[1.0]],
    ),
    example(
        "structured gaussians",
        Mix([StructuredGaussianDistribution([m, 1.0], 0.5 + m, [2.0, 0.5], AXES, "VEE") for m in (0.0, 2.0)], [0.4, 0.6]),
        Pair(REAL, REAL),
        [[inf, 0.0]],
        [[1.0]],
    ),
    example(
        "gaussians that share a variance",
        Mix([GaussianDistribution(m, 2.0, tied={"sigma2": "s"}) for m in (-1.0, 3.0)], [0.4, 0.6]),
        REAL,
        [inf],
        ODD_REALS,
    ),
    example("gamma held", GammaDistribution(2.0, 1.5, held={"k": 2.0}), ABOVE, [0.0, -1.0], ODD_REALS),
    example(
        "uniform vector",
        UniformVectorDistribution([-1.0, 0.5], [2.0, 7.0]),
        Pair(Line(-1.0, 2.0), Line(0.5, 7.0)),
        [[2.5, 1.0], [0.0, inf]],
        [[1.0], 2.0],
        estimator=UniformVectorEstimator(2, [-1.0, 0.5], [2.0, 7.0]),
    ),
    example(
        "uniform noise of vectors",
        Mix([vectors, UniformVectorDistribution([-30.0, -30.0], [40.0, 30.0])], [0.6, 0.4]),
        None,
        [[inf, 0.0]],
        [[1.0]],
    ),
    example(
        "partial structured gaussian",
        PartialStructuredGaussianDistribution([1.0, -2.0], 0.9, [2.0, 0.5], AXES, "VVV"),
        None,
        [[inf, 0.0]],
        [[1.0], "x"],
        "loose",
    ),
    example("partial gaussian", PartialGaussianDistribution(vectors.mu, vectors.covar), None, [[inf, 0.0]], [[1.0], "x"], "loose"),
    example(
        "dirichlet",
        DirichletDistribution([1.9, 3.2]),
        Image(SHARE, lambda x: [x, 1.0 - x]),
        [[0.0, 1.0], [0.5, 0.6]],
        [[1.0], "x"],
        "whole",
    ),
    example(
        "von mises fisher",
        VonMisesFisherDistribution([0.6, -0.8], 2.5),
        Image(TURN, lambda x: [math.cos(x), math.sin(x)]),
        [[0.0, 0.0], [1.0, 1.0], [inf, 0.0]],
        [[1.0], "x"],
        "whole",
    ),
    example(
        "icl tree",
        label_tree,
        LABEL_VECTORS,
        [[0, 2, 0, 0], [0, 0, -1, 0], [0.5, 0, 0, 0]],
        [[1.0, 0.0], "x"],
    ),
    example(
        "mixture of icl trees",
        Mix([label_tree, ICLTreeDistribution([(0, None), (1, 2), (2, 3), (3, None)], other_tables)], [0.4, 0.6]),
        LABEL_VECTORS,
        [[0, 2, 0, 0], [inf, 0, 0, 0]],
    ),
    example(
        "spearman ranking",
        SpearmanRankingDistribution([2, 0, 3, 1], 0.15),
        RANKINGS,
        [[0, 0, 1, 2], [0, 1, 2, 4], [0.5, 1, 2, 3]],
        [[0, 1, 2], "x"],
        "whole",
    ),
    example(
        "mixture of rankings",
        Mix([SpearmanRankingDistribution([2, 0, 3, 1], 0.15), SpearmanRankingDistribution([0, 1, 2, 3], 0.6)], [0.4, 0.6]),
        RANKINGS,
        [[0, 0, 1, 2]],
        (),
        "whole",
    ),
    example("bernoulli set", basket, subsets(["milk", "bread", 7]), [["eggs"]], ["milk", ["milk", "milk"], 3, [["milk"]], None]),
    example(
        "bernoulli set certain",
        BernoulliSetDistribution({"in": 1.0, "out": 0.0, "maybe": 0.4}, min_prob=0.0),
        subsets(["in", "out", "maybe"]),
        [[], ["maybe"], ["in", "out"]],
        ["in"],
    ),
    example(
        "bernoulli edit",
        basket_edit,
        Pair(subsets(["milk", "bread", 7]), subsets(["milk", "bread", 7])),
        [(["eggs"], []), ([], ["eggs"])],
        ["milk", (["milk", "milk"], []), ([],), ([], 3), None],
    ),
    example(
        "bernoulli edit certain",
        BernoulliEditDistribution(
            {"in": 1.0, "out": 0.0, 3: 0.4}, {"in": 0.3, "out": 0.0, 3: 1.0}, BernoulliSetDistribution({"in": 0.5, 3: 0.5}, 0.0), 0.0
        ),
        Pair(subsets(["in", 3, "out"]), subsets(["in", 3, "out"])),
        [([], []), ([], ["in", "out"]), ([3], ["in"]), (["out"], ["in"])],
        [(["in"], "in")],
    ),
    example(
        "mixture of edits",
        Mix(
            [basket_edit, BernoulliEditDistribution({"milk": 0.9, 2: 0.5}, {"milk": 0.1, 2: 0.2}, BernoulliSetDistribution({"milk": 0.5}))],
            [0.4, 0.6],
        ),
        Pair(subsets(["milk", "bread", 7, 2]), subsets(["milk", "bread", 7, 2])),
        [(["eggs"], [])],
    ),
    example("null", NullDistribution(), None, (), (), "deaf", "loose", "unsampled", rows=[None, 1, "x", [2.0]]),
    # combinators and sequences
    example("time", Time(N(3.0, 4.0), "h", NOON), TimeLine(-30.0, 36.0, "h", "2021-03-04T12:00:00"), (), ODD_TIMES),
    example("date", Time(N(3.0, 400.0), origin=date(2021, 3, 4)), TimeLine(-300.0, 300.0, "D", "2021-03-04T00:00:00"), (), ODD_TIMES),
    example(
        "time with zone",
        Time(Mix([N(-9.0, 4.0), N(3.0, 9.0)], [0.3, 0.7]), "m", "2021-03-04T12:00:00+01:00"),
        TimeLine(-27.0, 27.0, "m", "2021-03-04T11:00:00+00:00"),
        (),
        [*ODD_TIMES, NOON],
    ),
    example(
        "duration",
        Time(GammaDistribution(2.3, 1.7), "h"),
        TimeLine(0.0, 100.0, "h"),
        [timedelta(0), timedelta(-1)],
        [1.0, NOON, None],
    ),
    example(
        "mixture of times", Mix([Time(N(m, 4.0), "h", NOON) for m in (-9.0, 6.0)], [0.4, 0.6]), TimeLine(-60, 60, "h", NOON.isoformat())
    ),
    example("optional time", Opt(Time(N(3.0, 4.0), "h", NOON), 0.3), Either([None], TimeLine(-30.0, 36.0, "h", NOON.isoformat()))),
    example("composite of times", Tuple((Time(N(3.0, 4.0), "s"), Time(N(3.0, 4.0), "D", "2021-03-04T00:00:00")))),
    example(
        "composite", Tuple((N(0.0, 1.0), PoissonDistribution(1.5))), Pair(REAL, range(40)), [(0.0, -1)], [(0.0,), (0.0, 1, 2), 3.0, "ab"]
    ),
    example("composite of one", Tuple((E(0.5),)), Pair(ABOVE), [(-1.0,)], [(), 1.0]),
    example("optional", Opt(N(2.0, 3.0), 0.3), Either([None], REAL), [inf], ["x", [1.0]]),
    example("optional ignored", Opt(GeometricDistribution(0.4)), None, [0], [2.5, "x"], "loose"),
    example("optional never", Opt(N(2.0, 3.0), 0.0), REAL, [None, float("nan")], ["x"]),
    example("optional always", Opt(PoissonDistribution(2.0), 1.0, missing_value=-9), [-9], [0, 1], ["x"]),
    example("optional coded missing", Opt(N(2.0, 3.0), 0.3, missing_value=-999.0), Either([-999.0], REAL), [inf], ["x"]),
    example(
        "sequence", Seq(C({"a": 0.5, "b": 0.3, "c": 0.2}), FEW), Lists("abc", (0, 1, 2)), [["a", "d"], ["a"] * 3], ["ab", 3, None, [["a"]]]
    ),
    example(
        "sequence of reals", Seq(N(0.5, 2.0), BinomialDistribution(0.4, 2)), Lists(REAL, (0, 1, 2)), [[0.0] * 3, [inf]], [[0.0, "x"], 2.0]
    ),
    example("sequence lengthless", Seq(E(2.0)), None, [[1.0, -1.0]], [1.0], "loose", "unsampled", rows=[[], [1.0, 2.5], [0.5]]),
    example(
        "multinomial",
        Bag(C({"a": 0.5, "b": 0.3, "c": 0.2}), IntegerCategoricalDistribution(0, [0.2, 0.3, 0.1, 0.4])),
        bags("abc", 3),
        [[("d", 1)], [("a", 4)], {"a": 2, "b": 2}],
        ["ab", 3, ["a"], [("a", 1.5)], [("a", -1)], [(["a"], 1)]],
    ),
    example(
        "integer multinomial", IntegerMultinomialDistribution(-1, [0.2, 0.5, 0.3], FEW), bags(range(-1, 2), 2), [[(2, 1)], [(0, 3)]], [[0]]
    ),
    example(
        "multinomial lengthless", Bag(E(2.0)), None, [[(-1.0, 1)]], [1.0], "loose", "unsampled", rows=[[], [(1.0, 1), (2.5, 3)], [(0.5, 2)]]
    ),
    example("markov chain", mover, Lists("abc", (0, 1, 2)), [["b"], ["a", "d"], ["a"] * 3, ["c", "b"]], ["ab", [["a"]], 3]),
    example(
        "markov chain default",
        MarkovChainDistribution({1: 1.0}, {1: {1: 0.5, None: 0.5}, None: {1: 1.0}}, FEW, default_value=1e-3),
        None,
        [[1, 1, 1]],
        [1],
        "loose",
    ),
    example(
        "conditional",
        Cond({"a": N(0.0, 1.0), "b": N(3.0, 2.0)}, given_dist=ab),
        Pair("ab", REAL),
        [("c", 0.0), ("a", inf)],
        [("a",), ("a", "x"), (["a"], 1.0), 1.0],
    ),
    example(
        "conditional default",
        Cond({"a": FEW, "b": PoissonDistribution(2.0)}, GeometricDistribution(0.5), C({"a": 0.3, "b": 0.2, 7: 0.1, (1, "x"): 0.4})),
        Pair(["a", "b", 7, (1, "x")], range(60)),
        [("c", 1), ("a", 3), (7, 0)],
        [("a", 2.5)],
    ),
    example(
        "conditional labelless",
        Cond([E(1.0), E(5.0)]),
        None,
        [(2, 1.0), (0, -1.0)],
        [(0,)],
        "loose",
        "unsampled",
        rows=[(0, 1.0), (1, 9.0)],
    ),
    example("ignored", IgnoredDistribution(N(1.0, 2.0)), REAL, [inf], ["x"], "fixed"),
    example("weighted", WeightedDistribution(N(1.0, 2.0)), None, [(inf, 1.0)], [(1.0, -1.0), (1.0, inf), (1.0, "x"), 1.0], "loose"),
    # latent
    example("mixture of weibulls", Mix([WeibullDistribution(0.9, 0.5), WeibullDistribution(5.0, 9.0)], [0.4, 0.6]), ABOVE, [-5.0], ["x"]),
    example(
        "mixture of student t", Mix([StudentTDistribution(-4.0, 1.0, 6.0), StudentTDistribution(3.0, 0.5, 9.0)], [0.4, 0.6]), REAL, [inf]
    ),
    example("mixture", Mix([N(-2.0, 1.0), N(3.0, 0.5), N(0.0, 9.0)], [0.5, 0.3, 0.2]), REAL, [inf, -inf], ODD_REALS),
    example("mixture zero weight", Mix([E(1.0), N(-5.0, 1.0)], [1.0, 0.0]), ABOVE, [-5.0], ["x"]),
    example(
        "uniform noise",
        Mix([N(0.0, 1.0), UniformDistribution(-9.0, 30.0)], [0.6, 0.4]),
        Either(Line(-60.0, -9.0), Line(-9.0, 30.0), Line(30.0, 60.0)),
        [inf],
        ODD_REALS,
    ),
    example("mixture of counts", Mix([GeometricDistribution(0.5), PoissonDistribution(8.0)], [0.4, 0.6]), range(120), [-1], ODD_COUNTS),
    example("mixture of exponentials", Mix([E(0.5), E(6.0)], [0.3, 0.7]), ABOVE, [-1.0], ODD_REALS),
    example("mixture of log gaussians", Mix([L(0.0, 1.0), L(2.0, 0.3)], [0.3, 0.7]), ABOVE, [0.0, -1.0], ODD_REALS),
    example("mixture of poissons", Mix([PoissonDistribution(2.0), PoissonDistribution(1100.0)], [0.4, 0.6]), range(1600), [-1], ODD_COUNTS),
    example("mixture of geometrics", Mix([GeometricDistribution(p) for p in (0.9, 0.2)], [0.4, 0.6]), range(1, 200), [0], ODD_COUNTS),
    example("mixture of binomials", Mix([BinomialDistribution(p, 5) for p in (0.1, 0.7)], [0.4, 0.6]), range(6), [-1, 6], ODD_COUNTS),
    example("mixture of categoricals", Mix([ab, C({"b": 0.2, None: 0.8})], [0.4, 0.6]), ["a", "b", None], ["c"], [["a"]]),
    example(
        "mixture of diagonals", Mix([DiagonalGaussianDistribution([m, 1.0], [1.0, 2.0]) for m in (0.0, 2.0)], [0.5, 0.5]), Pair(REAL, REAL)
    ),
    example(
        "mixture of like mixtures", Mix([Mix([N(m, 1.0), N(-m, 2.0)], [0.5, 0.5]) for m in (0.5, 2.0)], [0.8, 0.2]), REAL, [inf], ODD_REALS
    ),
    example(
        "mixture of unlike mixtures",
        Mix([Mix([N(2.0, 1.0)], [1.0]), Mix([E(1.0), N(-2.0, 2.0)], [0.5, 0.5])], [0.4, 0.6]),
        Either(Line(0.0), Line(-60.0, 0.0)),
        [inf],
        ODD_REALS,
    ),
    example(
        "heterogeneous",
        HeterogeneousMixtureDistribution([E(1.0), GammaDistribution(9.0, 0.5), L(0.0, 0.2)], [0.5, 0.3, 0.2]),
        ABOVE,
        [-1.0],
    ),
    example("heterogeneous counts", HeterogeneousMixtureDistribution([BinomialDistribution(0.5, 3), FEW], [0.7, 0.3]), range(4), [-1, 4]),
    example(
        "spike beside reals",
        HeterogeneousMixtureDistribution([PointMassDistribution(40.0), GammaDistribution(2.0, 9.0)], [0.3, 0.7]),
        Either([40.0], ABOVE),
        [0.0, -1.0],
    ),
    example(
        "hierarchical",
        HierarchicalMixtureDistribution(topics, [0.4, 0.6], taus, FEW),
        Lists("abc", (0, 1, 2)),
        [["a", "x"], ["a"] * 3],
        ["ab", 3, [["a"]]],
    ),
    example(
        "lda",
        LDADistribution(topics, [0.4, 1.5, 0.7], IntegerCategoricalDistribution(0, [0.1, 0.3, 0.2, 0.4])),
        None,
        [[("x", 1)], [("a", 2), ("b", 3)]],
        ["ab", 3, [("a", 1.5)]],
        "loose",
    ),
    example("lda of reals", LDADistribution([N(-1.0, 1.0), N(2.0, 0.5)], [0.5, 1.0], FEW), None, [[(inf, 1)]], [["x"], 2.0], "loose"),
    example(
        "integer plsi",
        IntegerPLSIDistribution([[0.5, 0.1], [0.3, 0.1], [0.2, 0.8]], [[0.9, 0.1], [0.25, 0.75]], [0.4, 0.6], FEW),
        Pair(range(2), bags(range(3), 2)),
        [(2, []), (0, [(3, 1)]), (-1, [(0, 1)]), (0, [(0, 3)])],
        [(0,), (0.5, []), (0, [(0, -1)]), (0, 3)],
    ),
    example(
        "hidden association",
        HiddenAssociationDistribution(Cond({"a": topics[0], "b": topics[2]}), Bag(ab, FEW), FEW),
        Pair(bags("abc", 2), bags("abc", 2)),
        [([], [("a", 1)]), ([("a", 1)], [("x", 1)]), ([("x", 1)], [])],
        [([("a", 1)],), ("ab", []), ([], [("a", 0.5)])],
        "forward",
    ),
    example(
        "hidden association of reals",
        HiddenAssociationDistribution(Cond({"a": N(-1.0, 1.0), "b": N(2.0, 0.5)}), Bag(ab, FEW), FEW),
        None,
        [([("a", 1)], [(inf, 1)])],
        [([("a", 1)], [("x", 1)])],
        "forward",
    ),
    example(
        "integer hidden association",
        IntegerHiddenAssociationDistribution(
            [[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], [[0.9, 0.1], [0.25, 0.75]], 0.2, IntegerMultinomialDistribution(0, [0.4, 0.6], FEW), FEW
        ),
        Pair(bags(range(2), 2), bags(range(3), 2)),
        [([], [(1, 1)]), ([(2, 1)], []), ([(0, 1)], [(3, 1)]), ([(0, 1)], [(-1, 1)])],
        [([(0, 1)],), ([(0, 1)], [(0.5, 1)]), ([], [(0, -1)])],
        "forward",
    ),
    example(
        "sparse markov association",
        SparseMarkovAssociationDistribution([0.5, 0.3, 0.2], {0: {0: 0.2, 1: 0.8}, 1: {1: 0.5, 2: 0.5}}, 0.2, Tuple((FEW, FEW))),
        Pair(bags(range(3), 2), bags(range(3), 2)),
        [([(3, 1)], []), ([(0, 1)], [(3, 1)]), ([], [(-1, 1)]), ([(0, 3)], [])],
        [([(0, 1)],), ([(0, 1)], [(0.5, 1)]), ([], [(0, -1)]), ("ab", [])],
        "forward",
    ),
    example(
        "integer markov chain",
        IntegerMarkovChainDistribution(2, [[0.2, 0.8], [1.0, 0.0]], 1, Seq(IntegerCategoricalDistribution(0, [0.3, 0.7])), FEW),
        Lists(range(2), (0, 1, 2)),
        [[2], [0, -1], [1, 1], [0, 0, 0]],
        ["ab", 3, [0.5], None],
    ),
    example(
        "integer markov chain of lag two",
        IntegerMarkovChainDistribution(
            2,
            [[0.2, 0.8], [0.5, 0.5], [0.9, 0.1], [0.4, 0.6]],
            2,
            Seq(IntegerCategoricalDistribution(0, [0.3, 0.7])),
            IntegerCategoricalDistribution(0, [0.1, 0.1, 0.2, 0.2, 0.4]),
        ),
        Lists(range(2), (0, 1, 2, 3, 4)),
        [[2], [0, 1, 0, 2], [0] * 5],
        ["ab", 3, [0.5]],
    ),
    example(
        "hidden markov",
        HiddenMarkovModelDistribution(topics, [0.5, 0.2, 0.3], moves, len_dist=FEW),
        Lists("abc", (0, 1, 2)),
        [["a", "x"], ["a"] * 3],
        ["ab", 3, [["a"]]],
    ),
    example(
        "hidden markov of reals",
        HiddenMarkovModelDistribution(
            [N(-1.0, 1.0), N(2.0, 0.5)], [1.0, 0.0], [[0.9, 0.1], [0.0, 1.0]], len_dist=BinomialDistribution(0.4, 2)
        ),
        Lists(REAL, (0, 1, 2)),
        [[0.0] * 3, [inf]],
        [[0.0, "x"], 2.0],
    ),
    example(
        "hidden markov of shared topics",
        HiddenMarkovModelDistribution(topics, [0.4, 0.6], [[0.7, 0.3], [0.2, 0.8]], taus, FEW),
        Lists("abc", (0, 1, 2)),
        [["a", "x"]],
        ["ab", 3],
    ),
    example(
        "tree hidden markov",
        TreeHiddenMarkovModelDistribution(topics, [0.5, 0.2, 0.3], moves, IntegerCategoricalDistribution(0, [0.7, 0.2, 0.1])),
        None,
        [[((0, -1), "a"), ((1, 0), "x")], [((0, -1), "a"), *(((v, 0), "a") for v in (1, 2, 3))]],
        ["ab", 3, [], [((0, -1), ["a"])], [((1, -1), "a")], [((0, -1), "a"), ((1, 1), "a")], [(0, "a")]],
        "loose",
        "shaped",
    ),
    example(
        "lookback",
        LookbackHiddenMarkovDistribution(
            [ConditionalDistribution({"a": one, "b": two}) for one, two in ((topics[0], topics[1]), (topics[1], ab))],
            [0.4, 0.6],
            [[0.7, 0.3], [0.2, 0.8]],
            1,
            [Tuple((topic,)) for topic in topics[:2]],
            FEW,
        ),
        Lists("ab", (0, 1, 2)),
        [["a", "d"], ["a"] * 3],
        ["ab", 3, [["a"]]],
    ),
    example(
        "joint",
        JointMixtureDistribution([N(-2.0, 1.0), N(2.0, 0.5)], [ab, C({"b": 0.1, "c": 0.9})], [0.3, 0.7], None, [[0.9, 0.1], [0.25, 0.75]]),
        Pair(REAL, "abc"),
        [(0.0, "d"), (inf, "a")],
        [(0.0,), 1.0, ("x", "a")],
    ),
    example(
        "semi-supervised",
        SemiSupervisedMixtureDistribution([N(-2.0, 1.0), N(3.0, 2.0)], [0.4, 0.6]),
        Pair(REAL, [0, 1]),
        [(0.0, 2), (inf, None), (0.0, [])],
        [("x", 0), (0.0, {1: -0.5}), (0.0, [(0,)]), (0.0,)],
    ),
    example(
        "semi-supervised labels",
        SemiSupervisedMixtureDistribution([Tuple((ab, FEW)), Tuple((C({"b": 1.0}), FEW))], [0.4, 0.6], labels=("red", (1, "x"))),
        Pair(Pair("ab", range(3)), ["red", (1, "x")]),
        [(("a", 1), (1, "x")), (("a", 1), "blue")],
        [(("a", 2.5), None)],
    ),
    # regressions: laws of y given x, drawn at given covariates
    regression("linear regression", LinearRegressionDistribution([1.5, -0.4], 0.5, 2.0), REAL, inf, "x"),
    regression("linear regression through zero", LinearRegressionDistribution([1.5, -0.4], None, 2.0, offset=True), REAL, inf, "x"),
    regression("poisson regression", PoissonRegressionDistribution([0.5, -0.2], 0.9), range(60), -1, 2.5),
    regression("poisson regression with exposure", PoissonRegressionDistribution([0.5, -0.2], 0.9, offset=True), range(60), -1, "x"),
    regression("logistic regression", LogisticRegressionDistribution([1.0, -0.5], 0.3), range(2), 2, 0.5),
    regression("binomial regression", LogisticRegressionDistribution([1.0, -0.5], 0.3, trials=True, offset=True), range(6), 6, 0.5),
    regression("gamma regression", GammaRegressionDistribution([0.5, -0.2], 0.4, 2.5), ABOVE, 0.0, "x"),
    regression(
        "gamma regression with an inverse link", GammaRegressionDistribution([0.5, -0.2], 4.0, 2.5, link="inverse"), ABOVE, 0.0, "x"
    ),
    regression("negative binomial regression", NegativeBinomialRegressionDistribution([0.3, -0.2], 0.9, 0.4), range(200), -1, 2.5),
    regression(
        "multinomial logistic regression",
        MultinomialLogisticRegressionDistribution([[1.0, -0.5], [0.3, 0.7]], [0.2, -0.3], ("a", "b", None)),
        ["a", "b", None],
        "c",
        ["a"],
    ),
    regression("weibull regression", WeibullRegressionDistribution([0.5, -0.2], 0.4, 1.5), ABOVE, 0.0, "x"),
    regression("beta regression", BetaRegressionDistribution([0.5, -0.2], 0.4, 6.0), Line(0.0, 1.0), 0.0, "x"),
    regression(
        "ordinal regression",
        OrdinalRegressionDistribution([1.0, -0.5], [-1.0, 0.2, 1.5], ("no", "little", "some", "much")),
        ["no", "little", "some", "much"],
        "all",
        ["no"],
    ),
    regression(
        "mixture of probit regressions",
        Mix([OrdinalRegressionDistribution([b, 0.5], [b, 2.0 + b], (0, 1, 2), "probit") for b in (1.5, -1.0)], [0.4, 0.6]),
        [0, 1, 2],
    ),
    regression(
        "mixture of linear regressions", Mix([LinearRegressionDistribution([b, 0.5], b, 1.0) for b in (2.0, -1.0)], [0.6, 0.4]), REAL
    ),
    regression(
        "mixture of poisson regressions", Mix([PoissonRegressionDistribution([b, 0.5], 1.0) for b in (1.0, -1.0)], [0.6, 0.4]), range(300)
    ),
    regression(
        "mixture of regressions that share",
        Mix(
            [
                LinearRegressionDistribution([b, 0.0], b, 1.0, tied={1: "slope", "sigma2": "noise"}, held={0: b}, common=SHARED)
                for b in (2.0, -1.0)
            ],
            [0.6, 0.4],
        ),
        REAL,
    ),
    regression(
        "gated mixture",
        GatedMixtureDistribution([N(-2.0, 1.0), N(3.0, 2.0)], MultinomialLogisticRegressionDistribution([[1.0, -0.5]], [0.3], (0, 1))),
        REAL,
        inf,
        "x",
    ),
    mixed_regression("linear mixed regression", LinearMixedRegressionDistribution([1.5, -0.4], 0.5, 2.0, [[1.5]])),
    mixed_regression(
        "linear mixed regression of slopes", LinearMixedRegressionDistribution([1.5, -0.4], None, 0.8, [[1.5, 0.3], [0.3, 0.4]], (1, 0))
    ),
    mixed_regression(
        "mixture of linear mixed regressions",
        Mix(
            [LinearMixedRegressionDistribution([b, 0.3], b, 0.5, [[1.5, -0.3], [-0.3, 0.4]], ("intercept", 0)) for b in (2.0, -2.0)],
            [0.6, 0.4],
        ),
    ),
    chain_given_covariates(
        "gated hidden markov",
        GatedHiddenMarkovModelDistribution(
            [C({"a": 0.9, "b": 0.1}), C({"b": 0.2, "c": 0.8})],
            [0.4, 0.6],
            [MultinomialLogisticRegressionDistribution([[slope, -0.3]], [0.2], (0, 1)) for slope in (-0.6, 0.4)],
            IntegerCategoricalDistribution(0, [0.03, 0.07, 0.9]),
        ),
    ),
    # counts with more zeros than their law has
    example("zero inflated", ZeroInflatedDistribution(PoissonDistribution(3.0), 0.25), range(60), [-1], ODD_COUNTS),
    example(
        "zero inflated mixture",
        Mix([ZeroInflatedDistribution(NegativeBinomialDistribution(m, 0.5), 0.3) for m in (2.0, 30.0)], [0.5, 0.5]),
        range(1000),
        [-1],
        ODD_COUNTS,
    ),
    regression(
        "zero inflated regression", ZeroInflatedDistribution(PoissonRegressionDistribution([0.5, -0.2], 0.9), 0.3), range(60), -1, 2.5
    ),
    gated_zeros("zero inflated with a gate", ZeroInflatedDistribution(PoissonRegressionDistribution([0.5, -0.2], 0.9), gate=GATE)),
    example("hurdle", HurdleDistribution(NegativeBinomialDistribution(2.5, 0.4), 0.4), range(200), [-1], ODD_COUNTS),
    example(
        "hurdle before a gamma", HurdleDistribution(GammaDistribution(2.3, 1.7), 0.4), Either([0.0], ABOVE), [-1.0], ODD_REALS, "spiked"
    ),
    regression("hurdle regression", HurdleDistribution(PoissonRegressionDistribution([0.5, -0.2], 0.4), 0.3), range(60), -1, 2.5),
    gated_zeros("hurdle with a gate", HurdleDistribution(PoissonRegressionDistribution([0.5, -0.2], 0.4), gate=GATE)),
    # numbers seen within a range
    example("truncated", TruncatedDistribution(N(1.0, 4.0), 0.0, 4.0), Line(0.0, 4.0), [-0.1, 4.1, inf], ODD_REALS),
    example("truncated below", TruncatedDistribution(GammaDistribution(2.3, 1.7), 2.0), Line(2.0), [1.9, -1.0, inf], ODD_REALS),
    example("truncated count", TruncatedDistribution(PoissonDistribution(3.0), 2, 9), range(2, 10), [1, 10, -1], ODD_COUNTS),
    example(
        "mixture of truncated", Mix([TruncatedDistribution(PoissonDistribution(m), 1) for m in (0.9, 9.0)], [0.4, 0.6]), range(1, 90), [0]
    ),
    example("truncated mixture", TruncatedDistribution(Mix([N(-2.0, 1.0), N(3.0, 2.0)], [0.5, 0.5]), -3.0), Line(-3.0), [-3.1]),
    regression(
        "truncated linear regression",
        TruncatedDistribution(LinearRegressionDistribution([0.5, -0.2], 0.4, 1.5), -1.0, 2.0),
        Line(-1.0, 2.0),
        2.5,
        "x",
    ),
    regression(
        "truncated regression", TruncatedDistribution(PoissonRegressionDistribution([0.5, -0.2], 0.4, offset=True), 1), range(1, 60), 0, 2.5
    ),
    # numbers, some of which are known up to an interval
    censored("censored", CensoredDistribution(N(1.0, 4.0)), [(2.0, None), (None, -1.0), (0.0, 1.0)], ["x", (2.0, 1.0), (None, None)]),
    censored("censored lifetimes", CensoredDistribution(GammaDistribution(2.3, 1.7)), [(5.0, None), (None, 0.5)], [None, ("x", 1.0)], -1.0),
    censored("censored count", CensoredDistribution(PoissonDistribution(4.0)), [(6, None), (0, 2)], [2.5, (0.5, 2)], -1),
    censored(
        "mixture of censored", Mix([CensoredDistribution(E(m)) for m in (1.0, 20.0)], [0.5, 0.5]), [(30.0, None), (2.0, 4.0)], ["x"], -1.0
    ),
    tobit(
        "censored weibull regression",
        CensoredDistribution(WeibullRegressionDistribution([0.5, -0.4], 0.5, 2.0)),
        ((1.0, None), (None, 0.5), (0.2, 2.0)),
    ),
    tobit("censored regression", CensoredDistribution(LinearRegressionDistribution([1.5, -0.4], 0.5, 2.0))),
    tobit(
        "mixture of censored regressions",
        Mix([CensoredDistribution(LinearRegressionDistribution([b, 0.5], b, 1.0)) for b in (2.5, -2.0)], [0.4, 0.6]),
    ),
    # nestings
    example("mixture of mixtures", Mix([Mix([N(-1.0, 1.0), N(1.0, 0.1)], [0.5, 0.5]), N(5.0, 2.0)], [0.8, 0.2]), REAL, [inf], ODD_REALS),
    example(
        "sequence of composites", Seq(Tuple((ab, FEW)), FEW), Lists(Pair("ab", range(3)), (0, 1, 2)), [[("a", 5)]], [[("a",)], ("a", 1)]
    ),
    example("optional sequence", Opt(Seq(ab, FEW), 0.25), Either([None], Lists("ab", (0, 1, 2))), [["c"]], [3, "ab"]),
    example("sequence of optionals", Seq(Opt(FEW, 0.5), FEW), Lists([None, 0, 1, 2], (0, 1, 2)), [[3]], [[2.5]]),
    example(
        "joint of sequences of mixtures",
        JointMixtureDistribution(
            [Seq(Mix([N(-3.0, 1.0), N(3.0, 1.0)], [p, 1 - p]), ONE) for p in (0.1, 0.8)],
            [PoissonDistribution(1.0), PoissonDistribution(9.0)],
            [0.5, 0.5],
            None,
            [[0.9, 0.1], [0.2, 0.8]],
        ),
        Pair(Lists(REAL, (0, 1)), range(60)),
        [([0.0], -1), ([0.0, 0.0], 1)],
        [([0.0], 2.5), (0.0, 1)],
    ),
    example(
        "composite of composites",
        Tuple((Tuple((N(0.0, 1.0), ab)), Tuple((FEW,)))),
        Pair(Pair(REAL, "ab"), Pair(range(3))),
        [((0.0, "c"), (1,))],
    ),
    example(
        "mixture of conditionals",
        Mix([Cond({"a": N(m, 1.0), "b": N(-m, 1.0)}, given_dist=C({"a": p, "b": 1 - p})) for m, p in ((0.0, 0.9), (6.0, 0.2))], [0.4, 0.6]),
        Pair("ab", REAL),
        [("c", 0.0)],
        [("a", "x")],
    ),
    example(
        "mixture of unlike conditionals",
        Mix(
            [
                Cond({"a": FEW, "b": FEW}, given_dist=ab),
                Cond({"b": PoissonDistribution(2.0)}, GeometricDistribution(0.3), C({"b": 0.5, "c": 0.5})),
            ],
            [0.4, 0.6],
        ),
        Pair("abc", range(120)),
        [("c", 0)],
    ),
    example(
        "sequence of conditionals",
        Seq(Cond({"a": Tuple((ab, Opt(FEW, 0.3))), "b": Tuple((C({"b": 1.0}), Opt(FEW, 0.9)))}, given_dist=ab), ONE),
        Lists(Pair("ab", Pair("ab", [None, 0, 1, 2])), (0, 1)),
        [[("b", ("a", 1))]],
    ),
    example(
        "mixture of weighted",
        Mix([WeightedDistribution(Tuple((ab, Opt(FEW, p)))) for p in (0.1, 0.6)], [0.5, 0.5]),
        None,
        [(("c", 1), 2.0)],
        [(("a", 1), None)],
        "loose",
    ),
    example(
        "mixture of multinomials",
        Mix([Bag(ab, FEW), Bag(C({"b": 0.5, "c": 0.5}), FEW)], [0.5, 0.5]),
        bags("abc", 2),
        [[("d", 1)], [("a", 1), ("c", 1)]],
    ),
    example(
        "multinomial of composites", Bag(Tuple((ab, FEW)), ONE), [[], *([((v, k), 1)] for v in "ab" for k in range(3))], [[(("c", 1), 1)]]
    ),
    example("optional set", Opt(basket, 0.3), Either([None], subsets(["milk", "bread", 7])), [["eggs"]], [3, "milk"]),
    example("mixture of optionals", Mix([Opt(N(-1.0, 1.0), 0.1), Opt(N(4.0, 1.0), 0.7)], [0.5, 0.5]), Either([None], REAL), [inf], ["x"]),
    example("mixture of markov chains", Mix([mover, stayer], [0.4, 0.6]), Lists("abc", (0, 1, 2)), [["a", "d"]], ["ab"]),
    example(
        "hierarchical of composites",
        HierarchicalMixtureDistribution([Tuple((ab, FEW)), Tuple((C({"b": 1.0}), FEW))], [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], FEW),
        Lists(Pair("ab", range(3)), (0, 1, 2)),
        [[("c", 1)]],
        [[("a", 2.5)], ("a", 1)],
    ),
    example("sequence of sequences", Seq(Seq(ab, FEW), FEW), Lists(Lists("ab", (0, 1, 2)), (0, 1, 2)), [[["c"]]], [["ab"], [3]]),
    example(
        "mixture of composites",
        Mix(
            [Tuple((N(0.0, 1.0), Opt(GeometricDistribution(0.5), 0.2))), Tuple((N(3.0, 2.0), Opt(GeometricDistribution(0.1), 0.6)))],
            [0.7, 0.3],
        ),
        Pair(REAL, [None, *range(1, 300)]),
        [(0.0, 0)],
        [(0.0, 2.5), ("x", 1)],
        estimator=MixtureEstimator([Tuple((N(0.0, 1.0), Opt(GeometricDistribution(0.5), 0.2))).estimator()] * 2),
    ),
    example(
        "keyed mixture",
        Mix([Tuple((keyed_gaussian, PoissonDistribution(lam))) for lam in (1.0, 7.0)], [0.4, 0.6], keys=("w", None)),
        Pair(REAL, range(50)),
        [(inf, 1), (0.0, -1)],
        [("x", 1), (1.0, 2.5)],
        estimator=MixtureEstimator([CompositeEstimator((GaussianEstimator(keys="k"), PoissonEstimator()))] * 2, keys=("w", None)),
    ),
    example(
        "keyed composite",
        Tuple((keyed_poisson, keyed_poisson)),
        Pair(range(40), range(40)),
        [(1, -1)],
        [(1, "x")],
        estimator=CompositeEstimator((PoissonEstimator(keys="k"), PoissonEstimator(keys="k"))),
    ),
    example(
        "mixture of sequences",
        Mix([Seq(ab, FEW), Seq(C({"b": 0.5, "c": 0.5}), FEW)], [0.5, 0.5]),
        Lists("abc", (0, 1, 2)),
        [["d"], ["a", "c"]],
    ),
    example(
        "mixture of vectors",
        Mix([vectors, MultivariateGaussianDistribution([3.0, 1.0], np.eye(2))], [0.5, 0.5]),
        Pair(REAL, REAL),
        [[inf, 1.0]],
        [[1.0]],
    ),
    example(
        "sequence of vectors",
        Seq(DiagonalGaussianDistribution([1.0, 2.0], [1.0, 4.0]), ONE),
        Lists(Pair(REAL, REAL), (0, 1)),
        [[[inf, 1.0]]],
        [[[1.0]]],
    ),
    example("optional vector", Opt(vectors, 0.4), Either([None], Pair(REAL, REAL)), [[inf, 0.0]], [[1.0], "x"]),
    example("optional composite", Opt(Tuple((ab, FEW)), 0.4), Either([None], Pair("ab", range(3))), [("c", 0)], [("a",)]),
    example(
        "composite of joint",
        Tuple((JointMixtureDistribution([ab, C({"a": 1.0})], [FEW, FEW], [0.5, 0.5], None, [[1.0, 0.0], [0.5, 0.5]]), ab)),
    ),
    example("sequence of chains", Seq(stayer, FEW), Lists(Lists("ab", (0, 1, 2)), (0, 1, 2)), [[["a"], ["b", "a"]]], [["a"]]),
    example("mixture of sets", Mix([basket, BernoulliSetDistribution({"milk": 0.9, "eggs": 0.5})], [0.3, 0.7]), None, [["soap"]], ["milk"]),
    example("ignored field", Tuple((IgnoredDistribution(FEW), N(0.0, 1.0))), Pair(range(3), REAL), [(9, 0.0)], [(2.5, 0.0)]),
    example(
        "composite with null",
        Tuple((NullDistribution(), ab)),
        None,
        [(0, "c")],
        [(0,)],
        "loose",
        "unsampled",
        rows=[(None, "a"), ("x", "b")],
    ),
    example(
        "mixture of hierarchical",
        Mix([HierarchicalMixtureDistribution(topics, [0.4, 0.6], taus, FEW), Seq(topics[0], FEW)], [0.5, 0.5]),
        Lists("abc", (0, 1, 2)),
        [["x"]],
    ),
    example(
        "heterogeneous in optional",
        Opt(HeterogeneousMixtureDistribution([E(1.0), N(5.0, 0.5)], [0.5, 0.5]), 0.2),
        Either([None], Line(0.0), Line(-60.0, 0.0)),
        [inf],
    ),
]

BY_NAME = {e.name: e for e in EXAMPLES}
assert len(BY_NAME) == len(EXAMPLES), "two examples with one name"
