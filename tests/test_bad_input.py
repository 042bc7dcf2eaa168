"""Missing data and bad input: a defined result, or a typed error that says where, what came and what is needed."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dmlcore import fit, optimize, stats
from dmlcore.base.errors import (
    DataError,
    DegenerateError,
    EmptyError,
    KeyClashError,
    ParameterError,
    StructureError,
    SupportError,
    shorten,
)
from dmlcore.data.bag_pairs import PairsOfBags
from dmlcore.data.edited_sets import EditedSets
from dmlcore.data.evidence import Evidence
from dmlcore.data.intervals import ExplainedWithin, Interval
from dmlcore.data.layouts import AnyKind, Anything, Count, Covariates, Labels, Maybe, Real, RealAtom, Vector
from dmlcore.data.record_layouts import Explained, Fields
from dmlcore.data.sequences import Bag, LabelSequence, LabelSet, Lagged, Lookback, Repeated
from dmlcore.data.times import Times
from dmlcore.data.trees import Link, Tree
from dmlcore.stats import (
    BernoulliEditDistribution,
    BernoulliEditEstimator,
    BernoulliSetDistribution,
    BernoulliSetEstimator,
    BetaEstimator,
    BinomialDistribution,
    BinomialEstimator,
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    ConditionalDistribution,
    DiagonalGaussianDistribution,
    DiagonalGaussianEstimator,
    DirichletEstimator,
    ExponentialDistribution,
    ExponentialEstimator,
    FactorAnalyzerEstimator,
    GammaDistribution,
    GammaEstimator,
    GatedHiddenMarkovEstimator,
    GaussianDistribution,
    GaussianEstimator,
    GeometricDistribution,
    GeometricEstimator,
    HeterogeneousMixtureEstimator,
    HierarchicalMixtureDistribution,
    HierarchicalMixtureEstimator,
    ICLTreeDistribution,
    ICLTreeEstimator,
    IgnoredDistribution,
    IgnoredEstimator,
    IntegerBernoulliEditEstimator,
    IntegerBernoulliSetDistribution,
    IntegerCategoricalDistribution,
    IntegerCategoricalEstimator,
    IntegerHiddenAssociationEstimator,
    IntegerPLSIEstimator,
    InverseGaussianEstimator,
    JointMixtureDistribution,
    JointMixtureEstimator,
    LaplaceEstimator,
    LogGaussianEstimator,
    MarkovChainDistribution,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialLogisticRegressionEstimator,
    MultivariateGaussianDistribution,
    MultivariateGaussianEstimator,
    MultivariateStudentTEstimator,
    NullEstimator,
    OptionalDistribution,
    OptionalEstimator,
    OrdinalDistribution,
    OrdinalEstimator,
    OrdinalRegressionDistribution,
    PoissonDistribution,
    PoissonEstimator,
    SemiSupervisedMixtureDistribution,
    SequenceDistribution,
    SequenceEstimator,
    SpearmanRankingDistribution,
    SpearmanRankingEstimator,
    SpikeAndSlabDistribution,
    SpikeAndSlabEstimator,
    StructuredGaussianDistribution,
    StudentTEstimator,
    UniformVectorDistribution,
    VonMisesEstimator,
    VonMisesFisherEstimator,
    WeibullEstimator,
    estimate,
    initialize,
    seq_encode,
    seq_estimate,
    seq_log_density_sum,
)
from dmlcore.stats.multivariate.partial_vectors import PartialVector
from tests.examples import EXAMPLES, Example

inf, nan = math.inf, math.nan
G = GaussianEstimator


def some(test: Any) -> Any:
    return pytest.mark.parametrize("e", [e for e in EXAMPLES if test(e)], ids=repr)


every = some(lambda e: True)
reading = some(lambda e: "deaf" not in e.tags)


# -- one corrupt cell --------------------------------------------------------------------------------------------------

Site = tuple[str, str, Any, Any]  # field path, position within the row, the offending value, the corrupted observation


def corruptions(layout: Any, x: Any, path: str = "", within: str = "") -> Iterator[Site]:
    """Every way to spoil one cell of a valid observation: text in a real, 2.5 in a count, a short tuple, NaN, at any depth."""
    here = f"{path}.{layout.label}"
    match layout:
        case Maybe():
            if x is not None and not (np.ndim(x) == 0 and x == layout.missing):
                for site in corruptions(layout.value, x, f"{path} ({layout.label})", within):
                    if site[2] is not None and not (isinstance(site[2], float) and math.isnan(site[2])):
                        yield site
        case Fields(values=values):
            for bad in (x[:-1], (*x, x[0]), 3.5, "ab", None):
                yield path, within, bad, bad
            for j, (value, entry) in enumerate(zip(values, x, strict=True)):
                for where, place, bad, spoilt in corruptions(value, entry, f"{path}.field {j}", within):
                    yield where, place, bad, (*x[:j], spoilt, *x[j + 1 :])
        case Link():
            yield from ((here, within, bad, bad) for bad in (3.5, "ab", None, (0,), (-1, -1), (0, 0.5), (0, -2)))
        case Repeated(value=value):
            yield from ((here, within, bad, bad) for bad in (3.5, "ab", None, {1: 2}, {1}))
            for i, entry in enumerate(x):
                for where, place, bad, spoilt in corruptions(value, entry, f"{path} ({layout.label})", f"{within}, element {i}"):
                    yield where, place, bad, [*x[:i], spoilt, *x[i + 1 :]]
        case Lookback():
            yield from ((here, within, bad, bad) for bad in (3.5, "ab", None, {1: 2}, {1}))
        case Bag(value=value):
            yield from ((here, within, bad, bad) for bad in (3.5, "ab", None, {1}, [("a",)], ["ab"]))
            for i, (entry, count) in enumerate(x):
                place = f"{within}, element {i}"
                yield from ((here, place, bad, [*x[:i], (entry, bad), *x[i + 1 :]]) for bad in (1.5, -1, None, "2", nan))
                for where, inner, bad, spoilt in corruptions(value, entry, f"{path} ({layout.label})", place):
                    yield where, inner, bad, [*x[:i], (spoilt, count), *x[i + 1 :]]
        case Evidence():
            yield from ((here, within, bad, bad) for bad in ({x: -1.0}, [(x, inf)], {1, 2}, [x]))
        case Lagged():
            yield from ((here, within, bad, bad) for bad in (3.5, "ab", None, {1: 2}))
            for i in range(len(x)):
                place = f"{path} ({layout.label}).{layout.label}", f"{within}, element {i}"
                yield from ((*place, bad, [*x[:i], bad, *x[i + 1 :]]) for bad in (1.5, "a", nan))
        case LabelSequence():
            yield from ((here, within, bad, bad) for bad in (3.5, "ab", None, {1: 2}))
            for i in range(len(x)):
                yield from ((here, f"{within}, element {i}", bad, [*x[:i], bad, *x[i + 1 :]]) for bad in (["a"], nan))
        case LabelSet():
            spoilt = (3.5, "ab", None, {1: 2}, [*x, ["a"]], [*x, nan], *([[*x, x[0]]] if len(x) else []))
            yield from ((here, within, bad, bad) for bad in spoilt)
        case Labels():
            yield from ((here, within, bad, bad) for bad in (["a"], {}, nan))
        case Count():
            yield from ((here, within, bad, bad) for bad in (2.5, "2", None, nan, inf, 2**64, 10**400, [1], 1j))
        case Interval():
            bad = ("1.5", None, nan, 1j, [1.0], (2.0, 1.0), (None, None), *((2.5, (0.5, 2)) if layout.whole else ()))
            yield from ((here, within, value, value) for value in bad)
        case Real():
            yield from ((here, within, bad, bad) for bad in ("1.5", None, nan, 1j, [1.0], 10**400, b"1"))
        case AnyKind():
            yield from ((here, within, bad, bad) for bad in ("1.5", nan, 1j, [1.0]))
        case Times():
            other = datetime.timedelta(1) if isinstance(x, datetime.date) else datetime.date(2020, 1, 1)
            yield from ((here, within, bad, bad) for bad in ("2021-03-04", None, 1.0, [x], other))
        case Vector():
            x = np.asarray(x).tolist()
            gaps = () if isinstance(layout, PartialVector) else (None, [None, *x[1:]], [nan, *x[1:]])
            for bad in (x[:-1], [*x, 0.0], ["1.5", *x[1:]], 1.0, "ab", [x], *gaps):
                yield here, within, bad, bad
            if isinstance(layout, Covariates):
                yield here, within, [inf, *x[1:]], [inf, *x[1:]]


@some(lambda e: "deaf" not in e.tags and e.name != "optional always")
def test_one_corrupt_cell_is_named_with_path_row_and_value(e: Example) -> None:
    rng = np.random.default_rng(0)
    rows = e.data(90)
    sites: dict[tuple[str, str], tuple[Site, int]] = {}
    for row in range(len(rows)):  # each kind of damage once, at random rows and elements
        for site in corruptions(e.law.layout, rows[row]):
            key = (site[0], repr(site[2]) if not isinstance(site[2], (list, tuple)) else type(site[2]).__name__)
            if key not in sites or rng.random() < 0.1:
                sites[key] = (site, row)
    assert sites
    for (path, within, bad, spoilt), row in sites.values():
        data = [*rows[:row], spoilt, *rows[row + 1 :]]
        beginning = f"{path.lstrip('. ') or 'data'}: row {row}{within} is {shorten(bad)}; need "
        for encode in (e.law.seq_encode, lambda d: fit(d, e.estimator, rng=0, max_its=1)):
            with pytest.raises(DataError, match=re.escape(beginning)) as caught:
                encode(data)
            assert str(caught.value).startswith(beginning)
            assert not isinstance(caught.value, SupportError)
        with pytest.raises(DataError, match="row 0"):
            e.law.log_density(spoilt)


@some(lambda e: e.wrong)
def test_wrong_kinds_are_refused(e: Example) -> None:
    for x in e.wrong:
        with pytest.raises(DataError, match=r"row 0.* is .*; need "):
            e.law.density(x)


def test_messages_name_nodes_by_their_name() -> None:
    law = CompositeDistribution((OptionalDistribution(GeometricDistribution(0.5, name="trials"), 0.5, name="perhaps"),))
    with pytest.raises(DataError, match=re.escape("field 0 (perhaps).trials: row 1 is 2.5; need whole numbers")):
        law.seq_encode([(1,), (2.5,)])


def test_the_message_of_the_design() -> None:
    law = CompositeDistribution((GaussianDistribution(0.0, 1.0), OptionalDistribution(GeometricDistribution(0.5))))
    rows = [(0.0, 1)] * 17 + [(0.0, 2.5)]
    with pytest.raises(DataError, match=re.escape("field 1 (optional).geometric: row 17 is 2.5; need whole numbers")):
        law.seq_encode(rows)


@pytest.mark.parametrize("data", [None, 3, "abc", b"abc", {"a": 1}, np.array(3.0)], ids=lambda data: type(data).__name__)
def test_data_that_are_no_rows(data: Any) -> None:
    for node in (GaussianDistribution(0.0, 1.0), CategoricalDistribution({"a": 1.0}), MultivariateGaussianDistribution([0.0], [[1.0]])):
        with pytest.raises(DataError, match="data must"):
            node.seq_encode(data)


@pytest.mark.parametrize(
    ("estimator", "data", "message"),
    [
        (G(), np.zeros((3, 2)), "gaussian: row 0 is "),
        (PoissonEstimator(), np.zeros((3, 2), int), "poisson: row 0 is "),
        (G(), pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]}), "gaussian: row 0 is (1.0, 1.0); need a real number"),
        (PoissonEstimator(), pd.DataFrame({"a": [1, 2], "b": [1, 2]}), "poisson: row 0 is (1, 1); need whole numbers"),
        (G(), pd.DataFrame({"a": ["1.0", "2.0"]}), "gaussian: row 0 is '1.0'; need a real number"),
        (SequenceEstimator(G()), pd.DataFrame({"a": [1.0, None], "b": [1.0, 2.0]}), "row 1, element 0 is nan"),
        (CompositeEstimator((G(), G())), pd.DataFrame({"a": [1.0]}), "need 2 columns, one for each field"),
        (CompositeEstimator((G(), G())), pd.DataFrame({"a": [1.0], "b": ["x"]}), "b: row 0 is 'x'; need a real number"),
        (CompositeEstimator((G(), G())), np.zeros((3, 3)), "data: row 0 is array"),
        (CompositeEstimator((G(),)), pd.DataFrame({"a": [1.0, nan]}), "a: row 1 is nan"),
        (CompositeEstimator((PoissonEstimator(),)), pd.DataFrame({"a": [1.0, nan]}), "a: row 1 is nan"),
        (MultivariateGaussianEstimator(), pd.DataFrame({"a": [1.0, 2.0], "b": ["2", "x"]}), "row 0 is [1.0, '2']"),
        (MultivariateGaussianEstimator(), [1.0, 2.0], "row 0 is 1.0; need vectors"),
        (MultivariateGaussianEstimator(), [[], []], "row 0 is []; need vectors"),
        (MultivariateGaussianEstimator(2), [[1.0, 2.0, 3.0]], "row 0 is [1.0, 2.0, 3.0]; need vectors of 2"),
        (DiagonalGaussianEstimator(), np.zeros((2, 2, 2)), "need vectors"),
        (G(), np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False]), "row 1 is None; need a real number"),
        (G(), np.array([1.0, 1j]), "gaussian: row 0 is"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_wrong_shapes_and_types(estimator: Any, data: Any, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        estimate(data, estimator)


def test_masked_and_missing_cells_of_any_container() -> None:
    law = OptionalDistribution(GaussianDistribution(0.0, 1.0), 0.25)
    expected = law.seq_log_density([1.0, None, 3.0])
    masked = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])
    for data in (masked, [1.0, nan, 3.0], [1.0, pd.NA, 3.0], pd.Series([1.0, None, 3.0]), pd.array([1.0, None, 3.0], dtype="Float64")):
        np.testing.assert_array_equal(law.seq_log_density(data), expected)
    pair = OptionalDistribution(CompositeDistribution((GaussianDistribution(0.0, 1.0), GaussianDistribution(0.0, 1.0))), 0.5)
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [0.0, 1.0]})
    np.testing.assert_array_equal(pair.seq_log_density(frame), pair.seq_log_density([(1.0, 0.0), (2.0, 1.0)]))


def test_dates_are_labels_from_any_container() -> None:
    day = datetime.date(2020, 1, 31)
    for data in ([day] * 3, np.array([day] * 3, "M8[D]"), [np.datetime64(day)] * 3):
        assert estimate(data, CategoricalEstimator()) == CategoricalDistribution({day: 1.0})
    moment = datetime.datetime(2020, 1, 31, 12)
    for unit in ("s", "us", "ns"):
        assert estimate(np.array([moment] * 3, f"M8[{unit}]"), CategoricalEstimator()) == CategoricalDistribution({moment: 1.0})
    law = OptionalDistribution(CategoricalDistribution({moment: 1.0}), 0.5)
    assert law.seq_log_density(pd.Series([moment, None])).tolist() == [math.log(0.5)] * 2


# -- empty, weightless, constant, few ----------------------------------------------------------------------------------


@reading
def test_no_rows(e: Example) -> None:
    assert e.law.seq_log_density([]).shape == (0,)
    assert len(e.law.seq_encode([])) == 0
    assert seq_log_density_sum([], e.law) == (0.0, 0.0)
    for work in (estimate, fit, optimize, initialize):
        with pytest.raises(EmptyError, match="no rows"):
            work([], e.estimator)


@every
def test_no_weight(e: Example) -> None:
    rows = e.data(5)
    with pytest.raises(EmptyError, match="weights are zero"):
        fit(rows, e.estimator, weights=np.zeros(5), rng=0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, nan, 1.0], "row 1 is nan"),
        ([1.0, 1.0, -1.0], "row 2 is -1.0"),
        ([inf, 1.0, 1.0], "row 0 is inf"),
        ([1.0], "3 numbers"),
        ("abc", "3 numbers"),
        ([[1.0] * 3], "shape"),
        ([1.0, None, "x"], "3 numbers"),
    ],
)
def test_bad_weights(weights: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit([1.0, 2.0, 4.0], G(), weights=weights)


CONSTANT = [
    (G(), 2.0, "variance"),
    (LogGaussianEstimator(), 2.0, "variance"),
    (GammaEstimator(), 2.0, "shape"),
    (InverseGaussianEstimator(), 2.0, "shape"),
    (StudentTEstimator(), 2.0, "variance"),
    (MultivariateStudentTEstimator(), [1.0, 2.0], "coordinate 0, 1 is constant"),
    (LaplaceEstimator(), 2.0, "scale"),
    (WeibullEstimator(), 2.0, "shape"),
    (OrdinalEstimator(), "a", OrdinalDistribution(("a",), [1.0])),
    (BetaEstimator(), 0.25, "precision"),
    (VonMisesEstimator(), 2.0, "concentration"),
    (VonMisesFisherEstimator(), [0.6, 0.8], "concentration"),
    (DirichletEstimator(), [0.25, 0.75], "precision"),
    (SpearmanRankingEstimator(3), [1, 2, 0], SpearmanRankingDistribution([1, 2, 0], 15.0)),
    (ICLTreeEstimator(), [1, 0], ICLTreeDistribution([(0, None), (1, 0)], [[-inf, 0.0], [[0.0], [0.0]]])),
    (ExponentialEstimator(), 0.0, "mean"),
    (MultivariateGaussianEstimator(), [1.0, 2.0], "coordinate 0, 1 is constant"),
    (FactorAnalyzerEstimator(), [1.0, 2.0, 3.0], "coordinate 0, 1, 2 is constant"),
    (DiagonalGaussianEstimator(), [1.0, 2.0], "coordinate 0, 1 is constant"),
    (ExponentialEstimator(), 2.0, ExponentialDistribution(2.0)),
    (PoissonEstimator(), 2, PoissonDistribution(2.0)),
    (PoissonEstimator(), 0, PoissonDistribution(0.0)),
    (GeometricEstimator(), 1, GeometricDistribution(1.0)),
    (GeometricEstimator(), 4, GeometricDistribution(0.25)),
    (BinomialEstimator(), 3, BinomialDistribution(1.0, 3)),
    (BinomialEstimator(), 0, BinomialDistribution(0.0, 0)),
    (BinomialEstimator(max_val=4), 1, BinomialDistribution(0.25, 4)),
    (IntegerCategoricalEstimator(), 7, IntegerCategoricalDistribution(7, [1.0])),
    (SpikeAndSlabEstimator(), 7, SpikeAndSlabDistribution(7, 1, 1.0, 7)),
    (CategoricalEstimator(), "a", CategoricalDistribution({"a": 1.0})),
    (BernoulliSetEstimator(), ["a"], BernoulliSetDistribution({"a": 1.0})),
    (BernoulliSetEstimator(), [], BernoulliSetDistribution({})),
    (BernoulliEditEstimator(), ([], ["a"]), BernoulliEditDistribution({"a": 1.0}, {"a": 0.5})),
    (MarkovChainEstimator(), ["a"], MarkovChainDistribution({"a": 1.0}, {})),
    (MarkovChainEstimator(), ["a", "a"], MarkovChainDistribution({"a": 1.0}, {"a": {"a": 1.0}})),
    (SequenceEstimator(PoissonEstimator()), [3, 3], SequenceDistribution(PoissonDistribution(3.0))),
    (MixtureEstimator([PoissonEstimator()] * 2), 4, 4.0),
    (HeterogeneousMixtureEstimator([PoissonEstimator(), GeometricEstimator()]), 1, 1.0),
    (MixtureEstimator([G()] * 2), 4.0, "variance"),
]


@pytest.mark.parametrize("n", [1, 60])
@pytest.mark.parametrize(("estimator", "value", "result"), CONSTANT, ids=lambda v: type(v).__name__)
def test_one_row_or_a_constant_column(estimator: Any, value: Any, result: Any, n: int) -> None:
    if isinstance(result, str):
        with pytest.raises(DegenerateError, match=result):
            optimize([value] * n, estimator, rng=1)
        return
    model = optimize([value] * n, estimator, rng=1)
    if isinstance(result, float):
        assert model.mean() == pytest.approx(result)
    else:
        assert model == result
        assert np.isfinite(model.log_density(value))


@pytest.mark.parametrize(
    ("estimator", "value"),
    [
        (G((1.0, 1.0), (0.0, 1.0)), 2.0),
        (LogGaussianEstimator((1.0, 1.0), (0.0, 1.0)), 2.0),
        (GammaEstimator((1.0, 1.0), (2.0, 0.1)), 2.0),
        (InverseGaussianEstimator(1.0, (1.0, 1.0)), 2.0),
        (BetaEstimator(1.0, (1.0, 1.0)), 0.25),
        (VonMisesEstimator(1.0, (0.0, 1.0)), 2.0),
        (VonMisesFisherEstimator(2, 1.0, suff_stat=[0.0, 0.0]), [0.6, 0.8]),
        (DirichletEstimator(2, 1.0, [-1.0, -1.0]), [0.25, 0.75]),
        (ExponentialEstimator(1.0, 1.0), 0.0),
        (DiagonalGaussianEstimator(pseudo_count=(1.0, 1.0), suff_stat=(np.zeros(2), np.ones(2))), [1.0, 2.0]),
        (MultivariateGaussianEstimator(pseudo_count=(1.0, 1.0), suff_stat=(np.zeros(2), np.eye(2))), [1.0, 2.0]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_prior_makes_constant_columns_estimable(estimator: Any, value: Any) -> None:
    assert np.isfinite(estimate([value] * 3, estimator).log_density(value))


@pytest.mark.parametrize(("seed", "starts"), [(0, 1), (1, 1), (2, 2)])
@pytest.mark.parametrize(
    ("estimator", "rows"),
    [
        (MixtureEstimator([G()] * 5), [1.0, 2.0, 4.0]),
        (MixtureEstimator([PoissonEstimator()] * 5), [1, 3]),
        (MixtureEstimator([MultivariateGaussianEstimator()] * 4), [[1.0, 2.0], [3.0, 4.0], [7.0, 5.0]]),
        (JointMixtureEstimator([PoissonEstimator()] * 3, [CategoricalEstimator()] * 2), [(1, "a")]),
        (HierarchicalMixtureEstimator([CategoricalEstimator()] * 4, 3), [["a"], ["b", "a"]]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_fewer_rows_than_components(estimator: Any, rows: Any, seed: int, starts: int) -> None:
    record = fit(rows, estimator, rng=seed, starts=starts)
    assert record.status in ("converged", "degenerate")
    assert np.isfinite(record.model.seq_log_density(rows)).all()
    assert all(b >= a - 1e-9 * abs(a) for a, b in pairwise(record.objective))


@pytest.mark.parametrize("inner", [G(), CategoricalEstimator(), SequenceEstimator(G()), CompositeEstimator((PoissonEstimator(),))])
def test_all_missing(inner: Any) -> None:
    for estimator in (OptionalEstimator(inner), OptionalEstimator(inner, est_prob=True), MixtureEstimator([OptionalEstimator(inner)] * 2)):
        for rows in ([None] * 3, [nan] * 70):
            with pytest.raises(EmptyError, match="no row gives it any weight"):
                optimize(rows, estimator, rng=1)


@pytest.mark.parametrize("inner", [BinomialEstimator(min_val=None), VonMisesEstimator(pseudo_count=1.0), BernoulliEditEstimator()])
def test_nothing_to_see_in_one_step(inner: Any) -> None:
    with pytest.raises(EmptyError, match="no row gives it any weight"):
        estimate([None] * 3, OptionalEstimator(inner))


def test_a_constant_coordinate_of_variances_in_common_is_named() -> None:
    with pytest.raises(DegenerateError, match="diagonal gaussian: coordinate 0 is constant, so its variance has no maximum"):
        fit([[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]], MixtureEstimator([DiagonalGaussianEstimator(tied={"covar": "k"})] * 2), rng=1, starts=1)


def test_all_missing_with_a_prior_is_the_prior() -> None:
    law = GaussianDistribution(1.0, 2.0)
    got = estimate([None] * 3, OptionalEstimator(law.estimator(2.0), est_prob=True))
    assert got.p == 1.0
    assert (got.dist.mu, got.dist.sigma2) == (1.0, 2.0)


def test_sequences_without_elements() -> None:
    with pytest.raises(EmptyError, match="gaussian: no row gives it any weight"):
        estimate([[], []], SequenceEstimator(G(), PoissonEstimator()))
    with pytest.raises(DegenerateError, match="all sequences are empty"):
        estimate([[], []], MarkovChainEstimator(len_estimator=PoissonEstimator()))


# -- missing values ----------------------------------------------------------------------------------------------------


def bare(node: Any, keep: Any) -> Any:
    """The estimator of a law or of fields, each made optional where `keep` says so."""
    return CompositeEstimator(tuple(OptionalEstimator(e, est_prob=keep) if keep is not None else e for e in node))


@pytest.mark.parametrize("est_prob", [False, True])
def test_missing_aware_models_on_complete_data_are_the_plain_ones(est_prob: bool) -> None:
    parts = (G(), PoissonEstimator(), CategoricalEstimator(), SequenceEstimator(G()))
    rng = np.random.default_rng(3)
    rows = [(rng.normal(), int(rng.poisson(2)), "ab"[rng.integers(2)], rng.normal(size=2).tolist()) for _ in range(200)]
    plain, aware = (MixtureEstimator([bare(parts, keep)] * 2) for keep in (None, est_prob))
    one, two = (fit(rows, e, rng=np.random.default_rng(5), max_its=15, delta=0.0) for e in (plain, aware))
    np.testing.assert_allclose(two.history, one.history, rtol=1e-12)
    np.testing.assert_allclose(two.model.seq_log_density(rows), one.model.seq_log_density(rows), rtol=1e-9)
    for component in two.model.components:
        assert [field.p for field in component.dists] == [0.0 if est_prob else None] * 4


def test_a_wholly_missing_row_changes_only_the_count() -> None:
    rng = np.random.default_rng(4)
    rows: list[Any] = [(rng.normal(), int(rng.poisson(2)), "ab"[rng.integers(2)]) for _ in range(100)]
    estimator = MixtureEstimator([bare((G(), PoissonEstimator(), CategoricalEstimator()), False)] * 2)
    start = initialize(rows, estimator, rng=1)
    ghosts = [*rows, (None, nan, None)]
    one, two = (fit(data, estimator, start=start, max_its=5, delta=0.0) for data in (rows, ghosts))
    assert two.history[0] == pytest.approx(one.history[0], rel=1e-13)
    single = CompositeEstimator(bare((G(), PoissonEstimator(), CategoricalEstimator()), False).estimators)
    assert estimate(ghosts, single) == estimate(rows, single)
    fixed = MixtureEstimator(estimator.estimators, fixed_weights=[0.5, 0.5])
    one, two = (fit(data, fixed, start=start, max_its=5, delta=0.0) for data in (rows, ghosts))
    np.testing.assert_allclose(two.history, one.history, rtol=1e-12)
    assert two.model.seq_log_density([(None, None, None)])[0] == pytest.approx(0.0, abs=1e-15)
    counted = bare((G(), PoissonEstimator(), CategoricalEstimator()), True)
    more, less = estimate(ghosts, counted), estimate(rows, counted)
    for a, b in zip(more.dists, less.dists, strict=True):
        assert a.dist == b.dist
        assert (a.p, b.p) == (pytest.approx(1 / 101), 0.0)


@pytest.mark.parametrize("missing", [None, nan, -999.0, -999, "none"])
def test_the_missing_value_is_missing(missing: Any) -> None:
    law = OptionalDistribution(GaussianDistribution(0.0, 1.0), 0.25, missing_value=missing)
    assert law.seq_log_density([missing, None, nan]).tolist() == [math.log(0.25)] * 3
    assert law.seq_log_density([missing, None, nan, 0.5] * 200).tolist() == law.seq_log_density([missing, None, nan, 0.5]).tolist() * 200
    drawn = [x for x in law.sampler(1).sample(200) if x is missing or x == missing]
    assert 20 < len(drawn) < 90
    got = estimate([missing, None, 1.0, 3.0], OptionalEstimator(G(), missing, est_prob=True))
    assert (got.p, got.dist) == (0.5, GaussianDistribution(2.0, 1.0))
    assert repr(eval(repr(got), {**vars(stats), "nan": nan})) == repr(got)


def test_minus_999_is_a_value_where_it_is_not_the_missing_value() -> None:
    assert OptionalDistribution(GaussianDistribution(0.0, 1.0), 0.25).log_density(-999.0) < -1e5


def test_optionals_that_disagree_about_missing_do_not_mix() -> None:
    one, two = (OptionalDistribution(GaussianDistribution(0.0, 1.0), 0.5, missing_value=m) for m in (None, -999.0))
    with pytest.raises(StructureError, match="different observations"):
        MixtureDistribution([one, two], [0.5, 0.5])
    MixtureDistribution([one, OptionalDistribution(GaussianDistribution(0.0, 1.0), 0.5, missing_value=nan)], [0.5, 0.5])
    with pytest.raises(StructureError, match="encode"):
        one.seq_log_density(two.seq_encode([1.0, -999.0]))


def test_ignored_missingness_scores_zero() -> None:
    law = OptionalDistribution(PoissonDistribution(2.0))
    assert law.log_density(None) == 0.0
    assert law.log_density(3) == PoissonDistribution(2.0).log_density(3)


# -- values of density zero --------------------------------------------------------------------------------------------


def test_unseen_labels() -> None:
    model = estimate(["a", "b", "a"], CategoricalEstimator())
    assert model.log_density("z") == -inf
    assert model.seq_log_density(["z", "a"] * 100).tolist() == [-inf, math.log(2 / 3)] * 100
    assert estimate(["a", "b", "a"], CategoricalEstimator(default_value=True)).density("z") == pytest.approx(1 / 4)
    assert estimate(["a"], CategoricalEstimator(default_value=0.01)).density("z") == pytest.approx(0.01)
    law = CategoricalDistribution({"a": 0.5, "b": 0.5}, default_value=0.125)
    assert law.density("z") == pytest.approx(0.125)
    assert law.seq_log_density(["z", "a"] * 100).tolist() == [math.log(0.125), math.log(0.5)] * 100
    assert set(law.sampler(1).sample(200)) == {"a", "b"}
    chain = MarkovChainDistribution({"a": 1.0}, {"a": {"a": 0.5, "b": 0.5}})
    assert chain.log_density(["a", "z"]) == -inf
    assert chain.log_density(["z"]) == -inf
    assert chain.log_density(["b", "a"]) == -inf
    assert chain.replace(default_value=0.1).density(["z", "y"]) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("estimator", "value", "need"),
    [
        (PoissonEstimator(), -3, "whole numbers >= 0"),
        (GeometricEstimator(), 0, "whole numbers >= 1"),
        (BinomialEstimator(), -1, "whole numbers from 0 to 5"),
        (BinomialEstimator(max_val=9), 10, "whole numbers from 0 to 9"),
        (IntegerCategoricalEstimator(0, 9), 10, "whole numbers from 0 to 9"),
        (SpikeAndSlabEstimator(0, 9), -1, "whole numbers from 0 to 9"),
        (ExponentialEstimator(), -1, "numbers >= 0"),
        (GammaEstimator(), 0, "numbers > 0"),
        (LogGaussianEstimator(), 0, "numbers > 0"),
        (G(), inf, "finite"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_row_that_no_parameters_could_give_is_named(estimator: Any, value: Any, need: str) -> None:
    rows = [1, 2, 3, 4, 2, 5, 1, 3, 2, 4]
    rows[7] = value
    for n in (1, 20):
        with pytest.raises(SupportError, match=rf"row 7 .*{re.escape(repr(value))}.*{need}"):
            fit(rows * n, estimator, rng=1)
        with pytest.raises(SupportError, match="row 7 "):
            estimate(rows * n, estimator)
    weights = np.ones(10)
    weights[7] = 0.0
    kept = [x for i, x in enumerate(rows) if i != 7]
    assert estimate(rows, estimator, weights=weights) == estimate(kept, estimator)


@pytest.mark.parametrize("n", [1, 30])
@pytest.mark.parametrize("kind", [list, np.array, lambda x: pd.Series(x, index=range(7, 7 + len(x)))])
def test_a_row_impossible_under_every_component_is_named(kind: Any, n: int) -> None:
    rows = kind([1, 2, 0, 8, -4, 3, 9, 1] * n)
    estimator = MixtureEstimator([PoissonEstimator(), PoissonEstimator()], pseudo_count=5.0)
    with pytest.raises(SupportError, match=r"row 4 .*poisson: -4 has density zero"):
        fit(rows, estimator, rng=2)
    weights = np.where(np.asarray(rows) == -4, 0.0, 1.0)
    record = fit(rows, estimator, weights=weights, rng=2, starts=1)
    assert np.isfinite(record.history).all()
    either = HeterogeneousMixtureEstimator([PoissonEstimator(), IntegerCategoricalEstimator()])
    allowed = fit(rows, either, rng=2, starts=1, max_its=20)
    assert np.isfinite(allowed.history).all()


@pytest.mark.parametrize(
    ("estimator", "rows", "message"),
    [
        (CompositeEstimator((G(), PoissonEstimator())), [(0.0, 1), (1.0, 2), (2.0, -1)], "row 2 .*field 1.poisson: -1"),
        (SequenceEstimator(GeometricEstimator()), [[1, 2], [3, 0], []], "row 1 .*element 1 of sequence, geometric: 0"),
        (OptionalEstimator(GeometricEstimator()), [1, None, 0, 3], r"row 2 .*\(optional\).geometric: 0"),
        (
            HierarchicalMixtureEstimator([GeometricEstimator()] * 2, 2),
            [[1, 2, 1], [1], [5, 0]],
            "row 2 .*element 1 of hierarchical mixture, geometric: 0",
        ),
        (
            JointMixtureEstimator([G()] * 2, [GeometricEstimator()] * 2),
            [(0.0, 1), (1.0, 3), (2.0, 0), (4.0, 2)],
            "row 2 .*field 1.geometric: 0",
        ),
    ],
    ids=lambda v: type(v).__name__,
)
def test_the_impossible_part_of_a_row_is_named(estimator: Any, rows: Any, message: str) -> None:
    with pytest.raises(SupportError, match=message):
        fit(rows, estimator, rng=0)
    with pytest.raises(SupportError, match=r"row \d"):
        fit(seq_encode(rows, estimator=estimator), estimator, rng=0)


def test_an_impossible_row_of_a_frame_is_named() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 0.5], "n": [1, 0, 2]}, index=[9, 8, 7])
    with pytest.raises(SupportError, match=r"row 1 .*n\.geometric: 0"):
        fit(frame, CompositeEstimator((G(), GeometricEstimator())))


# -- parameters --------------------------------------------------------------------------------------------------------


def gate(names: list[str]) -> MultinomialLogisticRegressionEstimator:
    return MultinomialLogisticRegressionEstimator(names=names)


ab = {"a": 0.5, "b": 0.5}
N = GaussianDistribution(0.0, 1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianDistribution(0.0, -3.0), "GaussianDistribution: sigma2 must be positive, got -3.0"),
        (lambda: GaussianDistribution(nan, 1.0), "mu must be a finite real number"),
        (lambda: GaussianDistribution("0", 1.0), "mu must be"),
        (lambda: GaussianDistribution(0.0, 0.0), "sigma2 must be positive"),
        (lambda: ExponentialDistribution(-1), "beta must be positive, got -1"),
        (lambda: GammaDistribution(1.0, inf), "theta must be positive"),
        (lambda: PoissonDistribution(-1.0), "lam must be"),
        (lambda: GeometricDistribution(0.0), "p must be"),
        (lambda: GeometricDistribution(1.5), "p must be"),
        (lambda: BinomialDistribution(0.5, -1), "n must be"),
        (lambda: BinomialDistribution(0.5, 2.5), "n must be"),
        (lambda: BinomialDistribution(1.1, 2), "p must be"),
        (lambda: CategoricalDistribution({"a": 0.5, "b": 0.4}), "sum to one.*sum 0.9"),
        (lambda: CategoricalDistribution({"a": 1.5, "b": -0.5}), "pmap must be"),
        (lambda: CategoricalDistribution({}), "pmap must be"),
        (lambda: CategoricalDistribution(["a"]), "pmap must be"),
        (lambda: CategoricalDistribution({"a": nan}), "pmap must be"),
        (lambda: CategoricalDistribution(ab, default_value=2.0), "default_value must be"),
        (lambda: IntegerCategoricalDistribution(0, [0.5, 0.4]), "p_vec must be"),
        (lambda: IntegerCategoricalDistribution(0.5, [1.0]), "min_val must be"),
        (lambda: IntegerCategoricalDistribution(0, []), "p_vec must be"),
        (lambda: SpikeAndSlabDistribution(0, 4, 0.2), "1 / num_vals"),
        (lambda: SpikeAndSlabDistribution(9, 4, 0.9), "k must be"),
        (lambda: MultivariateGaussianDistribution([0.0], [[1.0, 0.0], [0.0, 1.0]]), "covar must"),
        (lambda: MultivariateGaussianDistribution([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]]), "positive definite"),
        (lambda: MultivariateGaussianDistribution([0.0, 0.0], [[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
        (lambda: DiagonalGaussianDistribution([0.0, 0.0], [1.0, -1.0]), "covar must"),
        (lambda: DiagonalGaussianDistribution([0.0, 0.0], [1.0]), "covar must"),
        (lambda: BernoulliSetDistribution({"a": 1.5}), "pmap must be"),
        (lambda: BernoulliSetDistribution({"a": -0.1}), "pmap must be"),
        (lambda: MarkovChainDistribution(ab, {"a": {"a": 0.5}}), "transition_map row 'a'.*sum 0.5"),
        (lambda: MarkovChainDistribution({"a": 0.5}, {}), "init_prob_map must be"),
        (lambda: OptionalDistribution(N, 1.5), "p must be"),
        (lambda: OptionalDistribution(N, nan), "p must be"),
        (lambda: MixtureDistribution([N, N], [0.5, 0.4]), "w must be.*sum 0.9"),
        (lambda: MixtureDistribution([N, N], [1.0]), "w must have one entry per component"),
        (lambda: MixtureDistribution([N, N], [1.5, -0.5]), "w must be"),
        (lambda: MixtureDistribution([], []), "components must be"),
        (lambda: MixtureDistribution("NN", [0.5, 0.5]), "components must be a non-empty sequence .*, got 'NN'"),
        (lambda: G(tied=[("mu", "a"), ("mu", "b")]), "tied must name each parameter once"),
        (lambda: HierarchicalMixtureDistribution([N, N], [1.0], [[0.5, 0.5], [0.5, 0.5]]), "taus must"),
        (lambda: HierarchicalMixtureDistribution([N, N], [1.0], [[0.5, 0.4]]), "taus must be"),
        (lambda: JointMixtureDistribution([N], [N], [1.0], None, [[0.5, 0.5]]), "w1 and taus12 must have shapes"),
        (lambda: JointMixtureDistribution([N], [N], [1.0], None, [[0.9]]), "taus12 must be"),
        (lambda: SequenceDistribution(N, len_normalized=True), "len_normalized"),
        (lambda: IgnoredDistribution(G()), "dist must be a distribution"),
        (lambda: G(pseudo_count=-1.0), "pseudo_count"),
        (lambda: G(pseudo_count=(1.0, 1.0, 1.0)), "pseudo_count"),
        (lambda: G(suff_stat=3.0), "suff_stat"),
        (lambda: MixtureEstimator([G()] * 2, fixed_weights=[0.5, 0.4]), "fixed_weights"),
        (lambda: MixtureEstimator([G()] * 2, fixed_weights=[1.0]), "fixed_weights"),
        (lambda: MixtureEstimator([G()] * 2, suff_stat=[1.0], pseudo_count=1.0), "suff_stat"),
        (lambda: HierarchicalMixtureEstimator([G()], 0), "num_mixtures"),
        (lambda: BinomialEstimator(max_val=1, min_val=2), "max_val"),
        (lambda: SequenceEstimator(G(), PoissonEstimator(), len_dist=PoissonDistribution(1.0)), "not both"),
        (lambda: SemiSupervisedMixtureDistribution([N, N], [1.0]), "w must have one entry per component, 2, got 1"),
        (lambda: ConditionalDistribution({}), "must be a non-empty sequence"),
        (
            lambda: ICLTreeDistribution([(0, None)], [np.log([0.5, 0.5])], feature_order=[1]),
            "feature_order must be an order of the 1 pairs",
        ),
        (lambda: UniformVectorDistribution([0.0, 1.0], [1.0]), "low and high must be of one length, got 2 and 1"),
        (
            lambda: StructuredGaussianDistribution([0.0, 0.0], 1.0, [1.0], [[1.0]], "VVV"),
            r"shape and orientation must have shapes \(2,\) and \(2, 2\), as mu says, got \(1,\) and \(1, 1\)",
        ),
        (lambda: IntegerBernoulliSetDistribution("x"), "log_pvec must be a vector of logarithms of probabilities, got 'x'"),
        (lambda: IntegerBernoulliEditEstimator(2, suff_stat=[[1.0]]), r"2 rows of four shares, got shape \(1, 1\)"),
        (lambda: IntegerBernoulliEditEstimator(2, suff_stat="x"), "IntegerBernoulliEditEstimator: suff_stat must be rows of finite"),
        (lambda: IntegerHiddenAssociationEstimator((2, 3, 4), 2), r"num_vals must be .* a pair of them, got \(2, 3, 4\)"),
        (lambda: IntegerPLSIEstimator(2, 2, 2, suff_stat=(None, None, [1.0])), r"suff_stat, doc_vec must be of shape \(2,\), got \(1,\)"),
        (lambda: PoissonEstimator(suff_stat=-1.0), "PoissonEstimator: suff_stat PoissonDistribution: lam must be .*, got -1.0"),
        (lambda: OrdinalRegressionDistribution([1.0], [], ["a", "b"]), "cutpoints must be 1, one for each label but the last"),
        (
            lambda: GatedHiddenMarkovEstimator([G()] * 2, [gate(["a"]), gate(["a", "b"])]),
            r"names for the same number of covariates, got \[1, 2\]",
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_parameters_outside_their_domain(make: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make()


WITH_SUFF_STAT = {type(e.estimator): e.estimator for e in EXAMPLES if "suff_stat" in dict(e.estimator._fields)}
for of_no_use in (IgnoredEstimator, NullEstimator):
    del WITH_SUFF_STAT[of_no_use]
NO_SUFF_STAT = [
    3,
    -1.0,
    "x",
    (1.0, 2.0),
    ("a", "b"),
    (nan, nan),
    (None,) * 3,
    (None, [[inf]]),
    [[]],
    [[1.0], [1.0, 2.0]],
    {"a": 1.0},
    object(),
]


@pytest.mark.parametrize("family", WITH_SUFF_STAT, ids=lambda family: family.__name__)
def test_what_is_no_suff_stat_is_refused_by_name(family: Any) -> None:
    said = [refusal(lambda v=value: WITH_SUFF_STAT[family].replace(suff_stat=v, pseudo_count=1.0)) for value in NO_SUFF_STAT]
    assert sum(message is not None for message in said) >= 6
    for message in said:
        assert message is None or re.match(rf"{family.__name__}: (the \w+ in )?suff_stat\b", message)


def refusal(make: Any) -> str | None:
    """The message of a `ParameterError`, if there is one."""
    try:
        make()
    except ParameterError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "make",
    [
        lambda: G(keys=("a", "b")),
        lambda: G(keys=3),
        lambda: MixtureEstimator([G()], keys="k"),
        lambda: MixtureEstimator([G()], keys=(1, None)),
        lambda: JointMixtureEstimator([G()], [G()], keys=("a", "b")),
        lambda: GaussianDistribution(0.0, 1.0, name=3),
        lambda: MixtureDistribution([N], [1.0], keys=("a", "b", "c")),
    ],
)
def test_keys_and_names_of_a_wrong_shape(make: Any) -> None:
    with pytest.raises(TypeError, match="must be a"):
        make()


def test_probabilities_off_one_within_the_tolerance_are_normalised() -> None:
    for off in (1e-7, -1e-7, 9e-7):
        assert MixtureDistribution([N, N], [0.5, 0.5 + off]).w.sum() == pytest.approx(1.0, abs=1e-15)
        assert sum(CategoricalDistribution({"a": 0.5, "b": 0.5 + off}).pmap.values()) == pytest.approx(1.0, abs=1e-15)
        assert IntegerCategoricalDistribution(0, [0.5, 0.5 + off]).p_vec.sum() == pytest.approx(1.0, abs=1e-15)
        assert HierarchicalMixtureDistribution([N, N], [1.0], [[0.5, 0.5 + off]]).taus.sum() == pytest.approx(1.0, abs=1e-15)
        chain = MarkovChainDistribution(ab, {"a": {"a": 0.5, "b": 0.5 + off}})
        assert sum(chain.transition_map["a"].values()) == pytest.approx(1.0, abs=1e-15)
    for off in (2e-6, -2e-6):
        with pytest.raises(ParameterError, match="sum to one"):
            MixtureDistribution([N, N], [0.5, 0.5 + off])
        with pytest.raises(ParameterError, match="sum to one"):
            CategoricalDistribution({"a": 0.5, "b": 0.5 + off})


def test_inconsistent_halves_of_a_joint_mixture_are_replaced() -> None:
    law = JointMixtureDistribution([N, N], [N, N], [0.5, 0.5], [0.9, 0.1], [[1.0, 0.0], [0.5, 0.5]], [[0.1, 0.9], [0.9, 0.1]])
    np.testing.assert_allclose(law.w2, [0.75, 0.25])
    np.testing.assert_allclose(law.taus21, [[2 / 3, 1 / 3], [0.0, 1.0]])
    assert law == JointMixtureDistribution([N, N], [N, N], [0.5, 0.5], None, [[1.0, 0.0], [0.5, 0.5]])


def test_labels_with_zero_weight_are_legal() -> None:
    law = CategoricalDistribution({"a": 1.0, "b": 0.0})
    assert law.seq_log_density(["a", "b"]).tolist() == [0.0, -inf]
    assert set(law.sampler(1).sample(100)) == {"a"}
    weighted = estimate(["a", "b", "a"], CategoricalEstimator(), weights=[1.0, 0.0, 1.0])
    assert weighted.log_density("b") == -inf
    assert weighted.log_density("a") == 0.0


def test_set_members_that_are_certain_or_impossible() -> None:
    strict = BernoulliSetDistribution({"in": 1.0, "out": 0.0}, min_prob=0.0)
    assert strict.seq_log_density([["in"], [], ["out"], ["in", "out"]]).tolist() == [0.0, -inf, -inf, -inf]
    lenient = BernoulliSetDistribution({"in": 1.0, "out": 0.0})
    np.testing.assert_allclose(lenient.seq_log_density([["in"], [], ["in", "out"]]), [0.0, math.log(1e-128), math.log(1e-128)], atol=1e-12)
    for law in (strict, lenient):
        assert law.sampler(1).sample(5) == [["in"]] * 5
    always = estimate([["x"], ["x", "y"]], BernoulliSetEstimator(min_prob=0.0))
    assert (always.density(["x"]), always.density(["y"])) == (0.5, 0.0)
    with pytest.raises(DataError, match=r"bernoulli set: row 1 is \['a', 'a'\]; need collections whose elements are distinct"):
        lenient.seq_encode([["a"], ["a", "a"]])


# -- structure ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: MixtureDistribution([N, OptionalDistribution(N, 0.5)], [0.5, 0.5]),
        lambda: MixtureDistribution([CompositeDistribution((N,)), CompositeDistribution((N, N))], [0.5, 0.5]),
        lambda: MixtureEstimator([G(), MultivariateGaussianEstimator()]),
        lambda: HeterogeneousMixtureEstimator([G(), SequenceEstimator(G())]),
        lambda: HierarchicalMixtureEstimator([G(), SequenceEstimator(PoissonEstimator())], 2).layout,
        lambda: JointMixtureEstimator([G(), CompositeEstimator([G()])], [G()]).layout,
        lambda: JointMixtureDistribution([N], [N, CompositeDistribution([N])], [1.0], None, [[0.5, 0.5]]).layout,
    ],
)
def test_components_of_different_observations(make: Any) -> None:
    with pytest.raises(StructureError, match="different observations"):
        make()


@pytest.mark.parametrize(
    "parts",
    [
        (G(keys="k"), LogGaussianEstimator(keys="k")),
        (G(keys="k"), PoissonEstimator(keys="k")),
        (G(keys="k"), G((1.0, 1.0), (0.0, 1.0), keys="k")),
        (OptionalEstimator(G(), keys="k"), OptionalEstimator(PoissonEstimator(), keys="k")),
        (SequenceEstimator(G(), keys="k"), OptionalEstimator(G(), keys="k")),
        (MixtureEstimator([G()] * 2, keys=("k", None)), MixtureEstimator([G()] * 3, keys=("k", None))),
    ],
)
def test_keys_that_clash(parts: Any) -> None:
    rows = [tuple([1.0, 2.0] if isinstance(p, SequenceEstimator) else float(1 + i) for p in parts) for i in range(4)]
    with pytest.raises(KeyClashError, match="key 'k'"):
        fit(rows, CompositeEstimator(parts), rng=1)


@pytest.mark.parametrize(
    ("start", "estimator"),
    [
        (PoissonDistribution(1.0), G()),
        (MixtureDistribution([N, N], [0.5, 0.5]), MixtureEstimator([G()] * 3)),
        (CompositeDistribution((N, N)), CompositeEstimator((G(),))),
        (N, NullEstimator()),
        ("model", G()),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_start_of_another_shape(start: Any, estimator: Any) -> None:
    rows = [(1.0,), (2.0,)] if isinstance(estimator, CompositeEstimator) else [1.0, 2.0]
    with pytest.raises(StructureError, match="does not fit the estimator"):
        fit(rows, estimator, start=start)


@pytest.mark.parametrize(
    ("start", "estimator"),
    [
        (SequenceDistribution(N, CategoricalDistribution({2: 1.0})), SequenceEstimator(G())),
        (SequenceDistribution(N, PoissonDistribution(2.0)), SequenceEstimator(G(), len_dist=PoissonDistribution(2.0))),
        (
            HierarchicalMixtureDistribution([N, GaussianDistribution(3.0, 1.0)], [1.0], [[0.5, 0.5]], CategoricalDistribution({2: 1.0})),
            HierarchicalMixtureEstimator([G()] * 2, 1),
        ),
        (
            MixtureDistribution([SequenceDistribution(N, PoissonDistribution(v)) for v in (1.0, 3.0)], [0.5, 0.5]),
            MixtureEstimator([SequenceEstimator(G())] * 2),
        ),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_start_may_say_more_than_is_estimated(start: Any, estimator: Any) -> None:
    """A law of lengths, where the estimator has none or holds it fixed, is no part of what goes on."""
    rows = [[0.1, 3.0], [2.0, 2.5], [-1.0, 0.3]]
    record = fit(rows, estimator, start=start, max_its=3)
    assert not any("the start" in event for event in record.events)
    one = estimate(rows, estimator, start)
    for node in (estimator, start):  # data encoded for either will do
        assert seq_estimate(seq_encode(rows, node), estimator, start) == one


def test_data_encoded_for_other_lengths_are_refused() -> None:
    rows = seq_encode([["a"], ["b", "a"]], SequenceEstimator(CategoricalEstimator(), CategoricalEstimator()))
    with pytest.raises(StructureError, match="encode them again"):
        fit(rows, SequenceEstimator(CategoricalEstimator(), PoissonEstimator()))
    with pytest.raises(StructureError, match="encode them again"):
        fit(seq_encode([[1.0, 2.0]], MultivariateGaussianEstimator(2)), MultivariateGaussianEstimator(3))


def test_latent_models_need_a_start_for_one_step() -> None:
    with pytest.raises(StructureError, match="prev_estimate"):
        estimate([1.0, 2.0], MixtureEstimator([G()] * 2))


def test_what_is_no_estimator() -> None:
    with pytest.raises(StructureError, match="must be an estimator"):
        fit([1.0, 2.0], N)  # type: ignore[arg-type]


@pytest.mark.parametrize("rng", [-1, 1.5, "seed", True])
def test_a_bad_rng(rng: Any) -> None:
    with pytest.raises(ParameterError, match="rng must be"):
        N.sample(3, rng=rng)


@every
def test_layouts_of_the_registry_are_known_to_these_tests(e: Example) -> None:
    known = (
        Anything,
        Bag,
        Count,
        EditedSets,
        Explained,
        ExplainedWithin,
        Fields,
        Interval,
        LabelSequence,
        LabelSet,
        Lagged,
        Labels,
        Lookback,
        Maybe,
        PairsOfBags,
        PartialVector,
        Real,
        Repeated,
        Times,
        Tree,
        Vector,
    )
    assert type(e.law.layout) in (*known, AnyKind, RealAtom)
