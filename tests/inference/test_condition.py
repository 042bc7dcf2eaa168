"""Conditioning and marginals: `p(x, y) = p(x) p(y | x)` on every example, closed forms, brute force, and what is refused."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from dmlcore import UNKNOWN, condition, fit, impute, marginal
from dmlcore.base.domains import real
from dmlcore.base.errors import DataError, ParameterError, StructureError, SupportError
from dmlcore.core.declared import parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.partial import Known, given, partial, unknown_inside
from dmlcore.core.rowlaws import EachRow
from dmlcore.data.layouts import Maybe, Real, Vector
from dmlcore.data.record_layouts import Fields
from dmlcore.data.sequences import LabelSequence, Repeated
from dmlcore.inference.condition import log_evidence
from dmlcore.stats import (
    BernoulliSetDistribution,
    BinomialDistribution,
    CategoricalDistribution,
    CompositeDistribution,
    DiagonalGaussianDistribution,
    ExponentialDistribution,
    GaussianDistribution,
    GeometricDistribution,
    HierarchicalMixtureDistribution,
    IgnoredDistribution,
    IntegerCategoricalDistribution,
    JointMixtureDistribution,
    MarkovChainDistribution,
    MixtureDistribution,
    MultivariateGaussianDistribution,
    OptionalDistribution,
    PoissonDistribution,
    SequenceDistribution,
)
from tests.examples import BY_NAME, EXAMPLES, Example
from tests.reference import build, composite_rows, load

N, Mix, Tuple, C = GaussianDistribution, MixtureDistribution, CompositeDistribution, CategoricalDistribution
VECTORS = MultivariateGaussianDistribution([1.0, -2.0, 0.5], [[2.0, 0.6, -0.3], [0.6, 0.5, 0.1], [-0.3, 0.1, 1.2]])
CHAIN = MarkovChainDistribution(
    {"a": 0.7, "c": 0.3},
    {"a": {"a": 0.2, "b": 0.5, "c": 0.3}, "b": {"a": 0.6, "b": 0.4}, "c": {"c": 0.1, "a": 0.9}},
    PoissonDistribution(4.0),
)


def hidden(layout: Any, x: Any) -> list[tuple[Any, Any]]:
    """Each way to hide one part of an observation, at any depth: `(observation with UNKNOWN, what was hidden)`."""
    out: list[tuple[Any, Any]] = [(UNKNOWN, x)]
    if isinstance(layout, Maybe):
        return out + (hidden(layout.value, x)[1:] if layout.present([x])[0] else [])
    if isinstance(layout, Fields):
        parts = layout.values
    elif isinstance(layout, Repeated):
        parts = (layout.value,) * len(x)
    elif isinstance(layout, (Vector, LabelSequence)):
        parts = (None,) * len(x)
    else:
        return out
    for j, part in enumerate(parts):
        values = list(x)
        for inner, value in hidden(part, x[j]):
            values[j] = inner
            out.append((type(x)(values) if isinstance(x, (list, tuple)) else list(values), value))
    return out


def unknowns(layout: Any, x: Any) -> list[bool]:
    """What has a law of its own in the result, in order: True for UNKNOWN, False for values seen to be missing."""
    if x is UNKNOWN:
        return [True]
    if isinstance(layout, Maybe):
        return unknowns(layout.value, x) if layout.present([x])[0] else [False]
    if isinstance(layout, (Fields, Repeated)):
        parts = layout.values if isinstance(layout, Fields) else (layout.value,) * len(x)
        return [found for part, value in zip(parts, x, strict=True) for found in unknowns(part, value)]
    return [True] if unknown_inside(x) else []


@pytest.mark.parametrize("e", EXAMPLES, ids=repr)
def test_joint_is_evidence_times_conditional(e: Example) -> None:
    for x in e.data(6, seed=11):
        for observed, value in hidden(e.law.layout, x):
            try:
                law, slots = condition(e.law, observed), unknowns(e.law.layout, observed)
            except StructureError:
                if not e.sampled or e.tags & {"whole", "forward", "shaped"}:  # covariates have no law
                    continue
                raise
            law = law if len(slots) == 1 else marginal(law, slots.index(True))
            left, right = e.law.log_density(x), log_evidence(e.law, observed) + law.log_density(value)
            assert left == pytest.approx(right, rel=1e-10, abs=1e-10), (observed, value)


TUPLES = [
    e for e in EXAMPLES if e.sampled and isinstance(e.law.layout, Fields) and len(e.law.layout.values) > 1 and "forward" not in e.tags
]


@pytest.mark.parametrize("e", TUPLES, ids=repr)
def test_evidence_is_the_marginal(e: Example) -> None:
    count = len(e.law.layout.values)  # type: ignore[attr-defined]
    for x in e.data(5, seed=3):
        for j in range(count):
            rest = [i for i in range(count) if i != j]
            if any(isinstance(e.law.layout.values[i], Maybe) for i in rest):  # type: ignore[attr-defined]
                continue
            observed = tuple(UNKNOWN if i == j else v for i, v in enumerate(x))
            assert marginal(e.law, rest).log_density(tuple(x[i] for i in rest)) == pytest.approx(log_evidence(e.law, observed), rel=1e-10)


def test_the_reference_imputation() -> None:
    case = load("composite_mixture_4_fields")
    model, row = build(case["fitted_model"]), composite_rows()[case["imputation"]["point_index"]]
    law: Any = condition(model, row)
    np.testing.assert_allclose(law.w, case["imputation"]["posterior"], rtol=1e-9)
    assert law.mean() == pytest.approx(4.7514160723400645, rel=1e-12)
    assert [c.p for c in law.components] == pytest.approx(case["imputation"]["geometric_p"])


def test_what_missing_unknown_and_values_mean_for_an_optional() -> None:
    law = Mix(
        [Tuple((OptionalDistribution(N(m, 1.0), p), C({"a": q, "b": 1 - q}))) for m, p, q in ((0, 0.1, 0.8), (5, 0.6, 0.3))], [0.5, 0.5]
    )
    seen_missing: Any = condition(law, (None, "a"))
    w = np.array([0.5 * 0.1 * 0.8, 0.5 * 0.6 * 0.3])
    np.testing.assert_allclose(seen_missing.w, w / w.sum(), rtol=1e-14)
    assert seen_missing.mean() == pytest.approx(5 * w[1] / w.sum())
    nothing: Any = condition(law, (UNKNOWN, "a"))
    assert nothing.density(None) == pytest.approx(w.sum() / (0.5 * 0.8 + 0.5 * 0.3))
    values: Any = condition(law, (UNKNOWN, "a"), values=True)
    np.testing.assert_allclose(values.w, nothing.w)
    assert values.mean() == pytest.approx(5 * 0.15 / 0.55)
    with pytest.raises(StructureError, match=r"a optional has no mean\(\); condition\(.., values=True\) gives"):
        nothing.mean()
    assert marginal(law, 0).density(None) == pytest.approx(0.5 * 0.1 + 0.5 * 0.6)
    assert marginal(law, 0, values=True).mean() == pytest.approx(2.5)  # type: ignore[attr-defined]
    fixed = Tuple((IgnoredDistribution(OptionalDistribution(N(2.0, 1.0), 0.3)), C({"a": 1.0})))
    assert condition(fixed, (UNKNOWN, "a")).density(None) == pytest.approx(0.3)
    assert condition(fixed, (UNKNOWN, "a"), values=True).log_density(2.5) == pytest.approx(N(2.0, 1.0).log_density(2.5))
    both = condition(law, (None, UNKNOWN))
    assert marginal(both, 1).density("a") == pytest.approx(w.sum() / (0.05 + 0.3))


# -- Gaussian vectors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("places", [p for size in (1, 2) for p in itertools.combinations(range(3), size)], ids=str)
def test_coordinates_of_a_gaussian_vector(places: tuple[int, ...]) -> None:
    x = np.array([0.3, -1.0, 2.0])
    rest = [j for j in range(3) if j not in places]
    observed = [UNKNOWN if j in places else x[j] for j in range(3)]
    law: Any = condition(VECTORS, observed)
    S = VECTORS.covar
    inverse = np.linalg.inv(S[np.ix_(rest, rest)])
    mean = VECTORS.mu[list(places)] + S[np.ix_(places, rest)] @ inverse @ (x[rest] - VECTORS.mu[rest])
    covar = S[np.ix_(places, places)] - S[np.ix_(places, rest)] @ inverse @ S[np.ix_(rest, places)]
    np.testing.assert_allclose(law.mean(), mean if len(places) > 1 else mean[0], rtol=1e-12)
    np.testing.assert_allclose(
        law.covariance() if len(places) > 1 else law.variance(), covar if len(places) > 1 else covar[0, 0], rtol=1e-12
    )
    known = scipy.stats.multivariate_normal(VECTORS.mu[rest], S[np.ix_(rest, rest)])
    assert log_evidence(VECTORS, observed) == pytest.approx(known.logpdf(x[rest]), rel=1e-12)


def test_marginals_of_vectors_and_of_mixtures_of_them() -> None:
    assert marginal(VECTORS, 1) == N(-2.0, 0.5)
    assert marginal(VECTORS, [2, 0]) == MultivariateGaussianDistribution([0.5, 1.0], [[1.2, -0.3], [-0.3, 2.0]])
    law = Mix([DiagonalGaussianDistribution([0.0, 2.0, 1.0], [1.0, 3.0, 2.0]), VECTORS], [0.3, 0.7])
    assert marginal(law, 0) == Mix([N(0.0, 1.0), N(1.0, 2.0)], [0.3, 0.7])
    two: Any = condition(law, [UNKNOWN, 1.0, UNKNOWN])
    w = np.array([0.3 * N(2.0, 3.0).density(1.0), 0.7 * N(-2.0, 0.5).density(1.0)])
    np.testing.assert_allclose(two.w, w / w.sum(), rtol=1e-12)
    assert isinstance(two.components[0], DiagonalGaussianDistribution)
    np.testing.assert_allclose([two.components[0].mu, two.components[0].covar], [[0.0, 1.0], [1.0, 2.0]], rtol=1e-14)


def test_nearly_singular_covariances_keep_their_digits() -> None:
    law = MultivariateGaussianDistribution([0.0, 0.0], [[1.0, 1.0 - 1e-9], [1.0 - 1e-9, 1.0]])
    rest: Any = condition(law, [1.0, UNKNOWN])
    assert rest.mean() == pytest.approx(1.0 - 1e-9, rel=1e-12)
    assert rest.variance() == pytest.approx(2e-9, rel=1e-6)


# -- chains and sequences ----------------------------------------------------------------------------------------------


def by_enumeration(law: Any, observed: list[Any], labels: str) -> dict[tuple[Any, ...], float]:
    """Probabilities of all ways to fill the unknown elements."""
    places = [i for i, v in enumerate(observed) if v is UNKNOWN]
    out = {}
    for fill in itertools.product(labels, repeat=len(places)):
        x = list(observed)
        for i, v in zip(places, fill, strict=True):
            x[i] = v
        out[fill] = law.density(x)
    return out


PATTERNS = ["?", "?b", "a?", "a?a", "c??a", "??", "a??", "?a?", "a?b??", "???", "a?a?c?", "????b"]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("law", [CHAIN, Mix([CHAIN, BY_NAME["markov chain"].law.replace(len_dist=PoissonDistribution(3.0))], [0.4, 0.6])])
def test_chains_against_enumeration(law: Any, pattern: str) -> None:
    observed = [UNKNOWN if v == "?" else v for v in pattern]
    expected = by_enumeration(law, observed, "abc")
    assert math.exp(log_evidence(law, observed)) == pytest.approx(sum(expected.values()), rel=1e-12)
    result: Any = condition(law, observed)
    for fill, p in expected.items():
        assert result.density(fill[0] if len(fill) == 1 else fill) == pytest.approx(p / sum(expected.values()), rel=1e-10, abs=1e-15)
    if len(pattern) > 1 and pattern.count("?") > 1:
        again: Any = condition(result, ("a", *[UNKNOWN] * (pattern.count("?") - 1)))
        total = sum(p for fill, p in expected.items() if fill[0] == "a")
        for fill, p in expected.items():
            if fill[0] == "a":
                assert again.density(fill[1] if len(fill) == 2 else fill[1:]) == pytest.approx(p / total, rel=1e-10, abs=1e-15)


def test_a_long_chain_with_one_gap_and_draws_of_a_long_run() -> None:
    row: list[Any] = ["a", "b"] * 5000
    row[5000] = UNKNOWN
    law: Any = condition(CHAIN.replace(len_dist=BinomialDistribution(0.5, 20000)), row)
    p = {x: CHAIN.transition_map["b"].get(x, 0.0) * CHAIN.transition_map[x].get("b", 0.0) for x in "abc"}
    assert law.density("a") == pytest.approx(p["a"] / sum(p.values()), rel=1e-12)
    with pytest.raises(StructureError, match="ask for fewer, or draw from it"):
        condition(CHAIN, ["a", *[UNKNOWN] * 12, "a"])


def test_draws_of_a_run_of_unknown_elements_hang_together() -> None:
    observed = ["a", UNKNOWN, UNKNOWN, UNKNOWN, "a"]
    law = given(CHAIN, partial(CHAIN.layout, observed), 1)[1]
    n = 20_000
    drawn = list(zip(*law.draw(np.zeros(n, dtype=int), np.random.default_rng(1)), strict=True))
    expected = by_enumeration(CHAIN, observed, "abc")
    total = sum(expected.values())
    for fill, p in expected.items():
        assert drawn.count(fill) / n == pytest.approx(p / total, abs=5 * math.sqrt(p / total / n) + 1e-12)


def test_sequences_sets_and_hierarchical_mixtures() -> None:
    hmix: Any = BY_NAME["hierarchical"].law.replace(len_dist=PoissonDistribution(3.0))
    for pattern in ("?", "a?", "?b?", "c?a"):
        observed = [UNKNOWN if v == "?" else v for v in pattern]
        expected = by_enumeration(hmix, observed, "abc")
        result: Any = condition(hmix, observed)
        for fill, p in expected.items():
            assert result.density(fill[0] if len(fill) == 1 else fill) == pytest.approx(p / sum(expected.values()), rel=1e-12)
    nested = SequenceDistribution(SequenceDistribution(C({"a": 0.3, "b": 0.7}), PoissonDistribution(2.0)), PoissonDistribution(2.0))
    assert condition(nested, [["a", UNKNOWN], ["b"]]) == C({"a": 0.3, "b": 0.7})
    with pytest.raises(StructureError, match="has no parts here"):
        condition(BernoulliSetDistribution({"a": 0.5}), [UNKNOWN])


# -- joint mixtures, deep nesting, names -------------------------------------------------------------------------------


def test_one_side_of_a_joint_mixture() -> None:
    law: Any = BY_NAME["joint"].law
    given_x: Any = condition(law, (0.4, UNKNOWN))
    np.testing.assert_allclose(given_x.w, law.given1(0.4).w, rtol=1e-13)
    given_b: Any = condition(law, (UNKNOWN, "b"))
    np.testing.assert_allclose(given_b.w, law.given2("b").w, rtol=1e-13)
    assert len(condition(law, (0.4, UNKNOWN)).children()) == 2
    second: Any = marginal(law, 1)
    assert len(second.components) == 2
    np.testing.assert_allclose(second.w, law.w2, rtol=1e-14)
    assert condition(law, (UNKNOWN, UNKNOWN)).density((0.3, "b")) == pytest.approx(law.density((0.3, "b")), rel=1e-12)


def test_independent_unknowns_stay_a_product_and_dependent_ones_a_mixture_of_products() -> None:
    inner = Mix([Tuple((N(m, 1.0), PoissonDistribution(m + 1.0))) for m in (0.0, 4.0)], [0.5, 0.5])
    law = Tuple((N(0.0, 1.0), inner, inner))
    flat = condition(law, (UNKNOWN, (UNKNOWN, UNKNOWN), (1.0, UNKNOWN)))
    x = (0.2, 1.5, 3, 2)
    expected = N(0.0, 1.0).log_density(0.2) + inner.log_density((1.5, 3)) + condition(inner, (1.0, UNKNOWN)).log_density(2)
    assert flat.log_density(x) == pytest.approx(expected, rel=1e-12)
    apart: Any = condition(law, (UNKNOWN, (1.0, UNKNOWN), (1.0, UNKNOWN)))
    assert isinstance(apart, CompositeDistribution)
    assert len(apart.dists) == 3


def test_fields_by_position_and_by_name() -> None:
    fields = (N(0.0, 1.0, name="length"), OptionalDistribution(C({"a": 0.5, "b": 0.5}, name="sex"), 0.1), PoissonDistribution(2.0))
    law = Mix([Tuple(fields), Tuple((N(3.0, 1.0, name="length"), *fields[1:]))], [0.5, 0.5])
    whole = condition(law, (1.0, UNKNOWN, UNKNOWN))
    assert condition(law, {"length": 1.0}) == condition(law, {0: 1.0}) == whole
    assert marginal(law, "length") == marginal(law, 0)
    assert marginal(law, ["sex", "poisson"]) == marginal(law, [1, 2])
    for wrong in ("width", 7, -1):
        with pytest.raises(StructureError, match=r"has no field .*; it has 3 fields: length, sex, poisson"):
            marginal(law, wrong)
    with pytest.raises(ParameterError, match="fields must be a whole number or a text or a list, got None"):
        marginal(law, None)  # type: ignore[arg-type]
    with pytest.raises(StructureError, match="has no field 'width'"):
        condition(law, {"width": 1.0})
    with pytest.raises(StructureError, match="has no fields"):
        marginal(N(0.0, 1.0), 0)


def test_keeping_unknown_whole_is_the_model_itself() -> None:
    for e in EXAMPLES:
        assert condition(e.law, UNKNOWN) == e.law
    law = IgnoredDistribution(Tuple((N(0.0, 1.0), PoissonDistribution(2.0))))
    assert condition(law, (UNKNOWN, 3)) == N(0.0, 1.0)


def test_a_fit_stands_for_its_model() -> None:
    law = CompositeDistribution([GaussianDistribution(0.0, 1.0), CategoricalDistribution({"a": 1.0})])
    found = fit([(1.0, "a"), (2.0, "b"), (4.0, "b")], law.estimator())
    assert condition(found, (UNKNOWN, "a")) == marginal(found, 0) == marginal(found.model, 0)
    assert log_evidence(found, (UNKNOWN, "a")) == log_evidence(found.model, (UNKNOWN, "a"))
    with pytest.raises(StructureError, match="condition: model must be a distribution"):
        condition(None, UNKNOWN)  # type: ignore[arg-type]


def test_unknown_is_one_object() -> None:
    assert copy.copy(UNKNOWN) is UNKNOWN
    assert copy.deepcopy([UNKNOWN])[0] is UNKNOWN
    assert pickle.loads(pickle.dumps(UNKNOWN)) is UNKNOWN
    assert repr(UNKNOWN) == "UNKNOWN"


# -- summaries of results ----------------------------------------------------------------------------------------------


def test_summaries_against_quadrature() -> None:
    law = Mix([N(-2.0, 1.0), N(3.0, 0.25), ExponentialDistribution(2.0)], [0.3, 0.3, 0.4])
    low, high = law.interval(0.8)
    inside = scipy.integrate.quad(law.density, low, high, points=[0.0, 3.0], limit=200)[0]
    assert inside == pytest.approx(0.8, abs=1e-9)
    assert law.cdf(low) == pytest.approx(0.1, abs=1e-13)
    grid = np.linspace(-8, 20, 280_001)
    assert law.mode() == pytest.approx(grid[np.argmax(law.seq_log_density(grid))], abs=2e-4)
    assert law.quantile([0.5, 0.0, 1.0]).tolist() == [law.quantile(0.5), -math.inf, math.inf]
    counts = Mix([PoissonDistribution(1.0), PoissonDistribution(400.0), GeometricDistribution(0.9)], [0.2, 0.5, 0.3])
    p = np.exp(counts.seq_log_density(np.arange(1000)))
    q = np.array([0.01, 0.3, 0.49999, 0.5, 0.6, 0.99])
    np.testing.assert_array_equal(counts.quantile(q), np.searchsorted(np.cumsum(p), q))
    assert counts.mode() == int(np.argmax(p))
    assert isinstance(counts.mode(), int)
    wide = Mix([PoissonDistribution(1e6), PoissonDistribution(1.2e6)], [0.5, 0.5])
    assert wide.mode() in (10**6, 10**6 - 1)


def test_summaries_of_labels_and_tuples() -> None:
    labels = Mix([C({"a": 0.6, "b": 0.4}), C({"b": 0.5, None: 0.5})], [0.5, 0.5])
    assert labels.probabilities() == pytest.approx({"a": 0.3, "b": 0.45, None: 0.25})
    assert labels.mode() == "b"
    assert OptionalDistribution(labels, 0.2).probabilities() == pytest.approx({"a": 0.24, "b": 0.36, None: 0.4})
    assert IntegerCategoricalDistribution(-1, [0.25, 0.75]).probabilities() == {-1: 0.25, 0: 0.75}
    both = Tuple((N(1.0, 4.0), PoissonDistribution(3.0)))
    assert both.mean() == (1.0, 3.0)
    assert both.variance() == (4.0, 3.0)
    assert both.interval(0.5)[1] == (2.0, 4.0)
    with pytest.raises(StructureError, match=r"a categorical has no quantile\(\)"):
        Tuple((C({"a": 1.0}),)).quantile(0.5)
    with pytest.raises(StructureError, match=r"a categorical has no mean\(\)"):
        labels.mean()
    with pytest.raises(StructureError, match="no interval"):
        C({"a": 1.0}).interval()
    with pytest.raises(ParameterError, match="level must be"):
        N(0.0, 1.0).interval(90)


# -- the hook ----------------------------------------------------------------------------------------------------------


class Doubling(Distribution):
    """A pair (x, y): nothing is said of x, and y given x is Gaussian with mean `slope x` and variance 1. A user's family."""

    slope: float = parameter(real)

    @property
    def layout(self) -> Any:  # type: ignore[override]
        return Fields("doubling", (Real("x"), Real("y")))

    def seq_log_density(self, encoded: Any, threads: Any = None) -> np.ndarray:
        x, y = (field.x for field in self.seq_encode(encoded).column.fields)  # type: ignore[attr-defined]
        return N(0.0, 1.0).log_densities(y - self.slope * x)

    def given(self, x: Any, n: int) -> Any:
        first = x.entries[0]
        if not isinstance(first, Known):
            raise StructureError("doubling: nothing is known of x, and it has no law; give x")
        means: Any = self.slope * first.encoded(Real("x")).column.x  # type: ignore[attr-defined]
        return np.zeros(n), EachRow([N(m, 1.0) for m in means])


def test_a_family_with_laws_that_differ_from_row_to_row() -> None:
    one, two = Doubling(2.0), Doubling(-1.0)
    assert condition(one, (3.0, UNKNOWN)) == N(6.0, 1.0)
    law: Any = condition(Mix([one, two], [0.25, 0.75]), (3.0, UNKNOWN))
    assert law.components == (N(6.0, 1.0), N(-3.0, 1.0))
    np.testing.assert_allclose(law.w, [0.25, 0.75], rtol=1e-14)
    with pytest.raises(StructureError, match="give x"):
        condition(one, (UNKNOWN, 1.0))
    both = Mix([Tuple((one, C({"a": 0.9, "b": 0.1}))), Tuple((two, C({"a": 0.2, "b": 0.8})))], [0.5, 0.5])
    rows = [((x, None), k) for x in (1.0, 2.0, 5.0) for k in "ab"] + [((1.0, 2.0), None)]
    out = impute(both, rows)
    for (x, _), k in rows[:6]:
        w = 0.9 / 1.1 if k == "a" else 0.1 / 0.9
        assert out.data[rows.index(((x, None), k))][0][1] == pytest.approx(x * (2 * w - (1 - w)))
    assert out.data[6][1] == "a"
    medians, modes = (impute(both, rows, how=how).data for how in ("median", "mode"))
    assert medians[4][0][1] == pytest.approx(condition(both, ((5.0, UNKNOWN), "a")).quantile(0.5))
    assert modes[4][0][1] == pytest.approx(10.0, abs=1e-6)
    drawn = impute(both, rows[4:5] * 4000, how="sample", rng=1).data
    assert np.mean([row[0][1] > 2.5 for row in drawn]) == pytest.approx(9 / 11, abs=0.03)


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_what_conditioning_refuses() -> None:
    law = Tuple((N(0.0, 1.0), C({"a": 0.5, "b": 0.5}), PoissonDistribution(1.0)))
    with pytest.raises(StructureError, match="nothing is unknown"):
        condition(law, (1.0, "a", 1))
    with pytest.raises(SupportError, match=r"the observed part \(UNKNOWN, 'z', 1\) has density zero"):
        condition(law, (UNKNOWN, "z", 1))
    with pytest.raises(SupportError, match="has density zero"):
        condition(Mix([law, law], [0.5, 0.5]), (UNKNOWN, "a", -1))
    for wrong in ((UNKNOWN, "a"), [UNKNOWN], {UNKNOWN: 1}, (UNKNOWN,) * 4):
        with pytest.raises(StructureError):
            condition(law, wrong)
    with pytest.raises(DataError, match="row 0 is 'x'"):
        condition(law, ("x", UNKNOWN, 1))
    with pytest.raises(DataError, match="whole numbers"):
        condition(law, (0.0, UNKNOWN, 1.5))
    with pytest.raises(SupportError):
        condition(CHAIN, ["b", UNKNOWN])
    with pytest.raises(SupportError):
        condition(
            HierarchicalMixtureDistribution([C({"a": 1.0})], [1.0], [[1.0]], IntegerCategoricalDistribution(0, [0.5, 0.5])), ["a", UNKNOWN]
        )
    with pytest.raises(StructureError, match="each may be asked for once"):
        marginal(JointMixtureDistribution([N(0.0, 1.0)], [N(0.0, 1.0)], [1.0], None, [[1.0]]), [1, 1])
