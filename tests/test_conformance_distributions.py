"""What every distribution must satisfy (density, sampling, persistence, input types), for every example of the registry."""

from __future__ import annotations

import copy
import math
import pickle
import random
from collections import Counter
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats

import dmlcore.data.encoded
from dmlcore import stats
from dmlcore.base.errors import DataError, StructureError, SupportError
from dmlcore.core.distribution import Distribution, as_values
from dmlcore.core.powers import HasSurvival, has
from dmlcore.data.layouts import Anything, Count, Labels, Maybe, Real, Vector
from dmlcore.data.record_layouts import Fields
from dmlcore.io.json import from_json, to_json
from tests.examples import BY_NAME, EXAMPLES, Either, Example, Image, Line, Lists, Pair, points

inf = math.inf


def some(test: Any) -> Any:
    """Parametrises over the examples that pass `test`."""
    return pytest.mark.parametrize("e", [e for e in EXAMPLES if test(e)], ids=repr)


every = some(lambda e: True)
sampled = some(lambda e: e.sampled)
integrable = some(lambda e: e.over is not None)


def assert_close(actual: Any, expected: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def lines(over: Any) -> int:
    """How many reals one observation holds at most."""
    if isinstance(over, Line):
        return 1
    if isinstance(over, Image):
        return lines(over.over)
    if isinstance(over, Lists):
        return lines(over.element) * max(over.lengths)
    parts = map(lines, over.parts) if isinstance(over, (Pair, Either)) else (0,)
    return max(parts) if isinstance(over, Either) else sum(parts)


def discrete(e: Example) -> bool:
    return e.over is not None and lines(e.over) == 0


def numeric(e: Example) -> bool:
    """Whether observations are single numbers, whose moments can be taken."""
    return isinstance(e.law.layout, (Real, Count)) and e.over is not None


@cache
def scored(e: Example) -> tuple[list[Any], np.ndarray, np.ndarray]:
    """All observations, their log densities, and their probabilities (density times integration weight)."""
    values, weights = zip(*points(e.over, 401 if lines(e.over) == 1 and "sequence" not in e.name else 161), strict=True)
    log = e.law.seq_log_density(list(values))
    return list(values), log, np.exp(log) * np.array(weights)


@cache
def draws(e: Example, n: int = 4000) -> list[Any]:
    return e.data(n, seed=20240101)


# -- density -----------------------------------------------------------------------------------------------------------


@integrable
def test_density_sums_to_one(e: Example) -> None:
    assert "loose" not in e.tags
    assert_close(scored(e)[2].sum(), 1.0, 1e-8)


UNITS = {"D": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def by_hand(law: Distribution, x: Any) -> float:
    """Log density of one observation by the definition of each family, one value at a time."""

    def total(logs: Any) -> float:
        logs = list(logs)
        return -inf if max(logs) == -inf else float(scipy.special.logsumexp(logs))

    def log(p: float) -> float:
        return math.log(p) if p > 0 else -inf

    match law:
        case stats.MixtureDistribution():
            return total(log(w) + part for w, part in zip(law.w, parts_by_hand(law, x), strict=True))
        case stats.HierarchicalMixtureDistribution():
            parts = [
                log(w) + sum(total(log(p) + if_read(t, v) for p, t in zip(tau, law.topics, strict=True)) for v in x)
                for w, tau in zip(law.w, law.taus, strict=True)
            ]
            return by_hand(law.len_dist, len(x)) + total(parts)
        case stats.JointMixtureDistribution():
            left, right = ([if_read(c, v) for c in side] for side, v in zip((law.components1, law.components2), x, strict=True))
            return total(log(law.w1[k] * law.taus12[k, j]) + left[k] + right[j] for k in range(len(left)) for j in range(len(right)))
        case stats.CompositeDistribution():
            return sum(by_hand(d, v) for d, v in zip(law.dists, x, strict=True))
        case stats.SemiSupervisedMixtureDistribution():
            value, known = x
            fits = [float(label == known or (isinstance(known, list) and label in dict(known))) for label in law.names]
            fits = [1.0] * len(fits) if known is None else fits
            return total(log(f * w) + if_read(part, value) for f, w, part in zip(fits, law.w, law.components, strict=True))
        case stats.MultinomialDistribution():
            bag = list(x.items() if isinstance(x, dict) else x)
            size = sum(count for _, count in bag)
            ways = math.lgamma(size + 1) - sum(math.lgamma(count + 1) for _, count in bag)
            return by_hand(law.len_dist, size) + ways + sum(count * by_hand(law.dist, v) for v, count in bag)
        case stats.WeightedDistribution():
            return x[1] * by_hand(law.dist, x[0])
        case stats.ConditionalDistribution():
            label, y = x
            if label not in law.dmap and isinstance(law.default_dist, stats.NullDistribution):
                return -inf
            return by_hand(law.given_dist, label) + by_hand(law.dmap.get(label, law.default_dist), y)
        case stats.OptionalDistribution():
            gone = x is None or (isinstance(x, float) and math.isnan(x)) or (np.ndim(x) == 0 and x == law.missing_value)
            if law.p is None:
                return 0.0 if gone else by_hand(law.dist, x)
            return log(law.p) if gone else log(1 - law.p) + by_hand(law.dist, x)
        case stats.SequenceDistribution():
            return by_hand(law.len_dist, len(x)) + sum(by_hand(law.dist, v) for v in x)
        case stats.MarkovChainDistribution():
            p = [law.init_prob_map.get(v, law.default_value) for v in x[:1]]
            p += [law.transition_map.get(a, {}).get(b, law.default_value) for a, b in pairwise(x)]
            return by_hand(law.len_dist, len(x)) + sum(map(log, p))
        case stats.BernoulliSetDistribution():
            if not set(x) <= set(law.pmap):
                return -inf
            return sum(log(max(p if label in x else 1 - p, law.min_prob)) for label, p in law.pmap.items())
        case stats.IgnoredDistribution():
            return by_hand(law.dist, x)
        case stats.TimeDistribution():
            since = x - type(x).fromisoformat(law.origin) if law.origin else x
            return by_hand(law.dist, since / timedelta(**{UNITS[law.unit]: 1}))
        case stats.NullDistribution():
            return 0.0
    return law.log_density(x)


def parts_by_hand(law: Any, x: Any) -> list[float]:
    """The same under each component. What has a point mass is left to it by laws of reals."""
    masses = [c.value for c in law.components if isinstance(c, stats.PointMassDistribution)]
    read = [isinstance(c, stats.PointMassDistribution) or x not in masses or not isinstance(c.layout, Real) for c in law.components]
    return [if_read(c, x) if reads else -inf for c, reads in zip(law.components, read, strict=True)]


def if_read(law: Distribution, x: Any) -> float:
    """The same of a component; beside others of another kind it may meet values that it does not read."""
    try:
        return by_hand(law, x)
    except DataError:
        return -inf


@every
def test_log_density_is_its_definition(e: Example) -> None:
    rows = e.data(40) + list(e.off)
    assert_close(e.law.seq_log_density(rows), [by_hand(e.law, x) for x in rows])


def far(shift: float) -> list[Distribution]:
    return [stats.GaussianDistribution(0.0, 1.0), stats.GaussianDistribution(shift, 1.0)]


def far_sequences() -> list[Distribution]:
    return [stats.SequenceDistribution(law, stats.PoissonDistribution(2.0)) for law in far(60.0)]


@pytest.mark.parametrize(
    ("law", "rows"),
    [
        (stats.MixtureDistribution(far(100.0), [1.0, 0.0]), [0.0, 100.0, 50.0, -1e3, 1e9]),
        (stats.MixtureDistribution(far(40.0), [1.0 - 1e-300, 1e-300]), [0.0, 20.0, 40.0, 80.0]),
        (stats.MixtureDistribution(far_sequences(), [1.0, 0.0]), [[60.0], [0.0, 60.0], [], [60.0] * 5]),
        (
            stats.HierarchicalMixtureDistribution(far(100.0), [0.5, 0.5], [[1.0, 0.0], [0.9, 0.1]], stats.PoissonDistribution(2.0)),
            [[100.0], [0.0, 50.0]],
        ),
        (
            stats.HierarchicalMixtureDistribution(far(100.0), [1.0], [[1.0, 0.0]], stats.PoissonDistribution(2.0)),
            [[100.0], [0.0, 100.0], []],
        ),
        (stats.JointMixtureDistribution(far(100.0), far(100.0), [0.5, 0.5], None, np.eye(2)), [(0.0, 100.0), (100.0, 1.0), (1.0, 2.0)]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_rows_whose_weighted_sum_underflows_keep_their_density(law: Distribution, rows: Any) -> None:
    expected = np.array([by_hand(law, x) for x in rows])
    assert_close(law.seq_log_density(rows), expected)
    assert_close(law.seq_log_density(rows * 200), np.tile(expected, 200))
    posterior = law.seq_posterior(rows)  # type: ignore[attr-defined]
    assert_close(posterior.reshape(len(rows), -1).sum(axis=1), 1.0)


@pytest.fixture
def block(monkeypatch: pytest.MonkeyPatch) -> int:
    """Rows of a block: few, so that few rows make several blocks, and enough for kernels, which begin at 256."""
    monkeypatch.setattr(dmlcore.data.encoded, "BLOCK_ROWS", 512)
    return 512


@every
def test_one_at_a_time_all_at_once_and_in_blocks(e: Example, block: int) -> None:
    rows = e.data(50) + list(e.off)
    one = np.array([e.law.log_density(x) for x in rows])
    assert not np.isnan(one).any()
    assert_close([e.law.density(x) for x in rows], np.exp(one))
    assert_close(e.law.seq_log_density(rows), one)
    order = np.random.default_rng(0).integers(len(rows), size=block + 60)
    encoded = e.law.seq_encode([rows[i] for i in order])
    many = e.law.seq_log_density(encoded)
    assert_close(many, one[order])
    np.testing.assert_array_equal(e.law.seq_log_density(encoded, threads=2), many)


SMOOTH = ("gaussian", "gamma", "mixture", "joint", "multivariate gaussian", "sequence of reals", "mixture of composites")


@some(lambda e: e.name in SMOOTH)
def test_distinct_rows_across_a_block_border(e: Example, block: int) -> None:
    rows = e.data(block + 200)
    here = slice(block - 150, block + 150)
    assert_close(e.law.seq_log_density(rows)[here], e.law.seq_log_density(rows[here]))


@every
def test_values_off_the_support_have_density_zero(e: Example) -> None:
    for x in e.off:
        assert e.law.log_density(x) == -inf, x
        assert e.law.density(x) == 0.0
    assert (e.law.seq_log_density(list(e.off) * 100) == -inf).all()


EXTREMES = {
    Real: [0.0, -0.0, 5e-324, -5e-324, 1e-300, 1e150, -1e150, 1.7e308, -1.7e308, inf, -inf],
    Count: [0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)],
    Labels: [None, "", b"", 0, -0.0, True, inf, (), ((),), frozenset()],
}


@some(lambda e: type(e.law.layout) in EXTREMES or isinstance(e.law.layout, Vector))
def test_no_value_gives_nan_or_a_warning(e: Example) -> None:
    layout = e.law.layout
    rows = EXTREMES[Real if isinstance(layout, Vector) else type(layout)]
    if isinstance(layout, Vector):
        rows = [[x, y, *[1.0] * ((layout.dim or 2) - 2)] for x in rows for y in rows]
    one = np.array([e.law.log_density(x) for x in rows])
    assert not np.isnan(one).any()
    assert (one < inf).all()
    assert_close(e.law.seq_log_density(rows), one)
    assert_close(e.law.seq_log_density(rows * 300), np.tile(one, 300))


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-300])
def test_the_smallest_scales_give_no_nan(scale: float) -> None:
    laws = [
        stats.GaussianDistribution(0.0, scale),
        stats.ExponentialDistribution(scale),
        stats.DiagonalGaussianDistribution([0.0], [scale]),
    ]
    laws += [stats.GammaDistribution(2.0, scale), stats.LogGaussianDistribution(0.0, scale), stats.PoissonDistribution(scale)]
    for law in laws:
        rows = np.array([0.0, 1.0, 2.0])
        rows = rows[:, None] if isinstance(law.layout, Vector) else rows
        for data in (rows, np.repeat(rows, 200, axis=0)):
            assert not np.isnan(law.seq_log_density(data)).any()


@pytest.mark.parametrize("length", [2000, 60_000])
def test_long_sequences_do_not_underflow(length: int) -> None:
    few = stats.IntegerCategoricalDistribution(length, [1.0])
    topics = [stats.CategoricalDistribution({"a": p, "b": 1 - p}) for p in (0.1, 0.7)]
    x = list("abbab" * (length // 5))
    held = np.array([x.count("a"), x.count("b")])
    law = stats.HierarchicalMixtureDistribution(topics, [0.5, 0.5], [[1.0, 0.0], [0.25, 0.75]], few)
    p = np.array(law.taus) @ [[0.1, 0.9], [0.7, 0.3]]
    expected = scipy.special.logsumexp(np.log(p) @ held + math.log(0.5))
    assert_close(law.log_density(x), expected, 1e-11)
    assert_close(law.to_mixture().log_density(x), expected, 1e-11)
    assert_close(law.seq_log_density([x, x, x]), [expected] * 3, 1e-11)
    chain = stats.MarkovChainDistribution({"a": 1.0}, {"a": {"b": 1.0}, "b": {"b": 0.5, "a": 0.5}}, few)
    assert_close(
        chain.log_density(["a", *"bba" * ((length - 2) // 3), *"b" * (1 + (length - 2) % 3)]),
        -math.log(2) * (length - 1 - (length + 1) // 3),
    )


# -- cdf, quantile, moments --------------------------------------------------------------------------------------------

with_cdf = some(lambda e: hasattr(e.law, "cdf") and numeric(e))
with_quantile = some(lambda e: hasattr(e.law, "quantile") and numeric(e) and "spiked" not in e.tags)
Q = np.array([1e-6, 1e-3, 0.05, 0.3, 0.5, 0.75, 0.9, 0.999, 1 - 1e-6])


@with_cdf
def test_cdf_adds_up_the_density(e: Example) -> None:
    cdf = e.law.cdf
    if discrete(e):
        values, _, p = scored(e)
        assert_close(cdf(np.array(values)), np.cumsum(p), 1e-10)
        assert_close(cdf(np.array(values) + 0.5), cdf(np.array(values)))
    else:
        ends = np.quantile(draws(e), np.linspace(0.02, 1, 30))
        ends = np.unique(np.append(ends, np.clip(0.0, ends[0], ends[-1])))  # densities may jump at zero
        node, weight = np.polynomial.legendre.leggauss(40)
        half = np.diff(ends) / 2
        x = (ends[:-1] + half)[:, None] + half[:, None] * node
        mass = (np.exp(e.law.seq_log_density(x.ravel())).reshape(x.shape) @ weight) * half
        assert_close(np.diff(cdf(ends)), mass, 1e-9)
    assert_close(cdf(np.array([-inf, inf])), [0.0, 1.0])
    assert np.ndim(cdf(1.0)) == 0


@with_quantile
def test_quantile_inverts_cdf(e: Example) -> None:
    x = e.law.quantile(Q)
    if discrete(e):
        assert (e.law.cdf(x) >= Q - 1e-15).all()
        assert (e.law.cdf(x - 1) < Q).all()
        assert np.isin(x, np.array(e.over)).all()
    else:
        assert_close(e.law.cdf(x), Q, 1e-10)
        np.testing.assert_allclose(e.law.quantile(e.law.cdf(x[:-1])), x[:-1], rtol=1e-8)
    values = [v for v, log in zip(*scored(e)[:2], strict=True) if log > -inf]
    assert e.law.quantile(1.0) >= max(v for v, p in zip(values, np.exp(e.law.seq_log_density(values)), strict=True) if p > 1e-3)
    assert np.isnan(e.law.quantile(np.array([-0.1, 1.1, np.nan]))).all()


@some(lambda e: has(e.law, HasSurvival))
def test_upper_tail_goes_with_cdf(e: Example) -> None:
    q = np.array([1e-6, 0.3, 0.9])
    x = e.law.isf(q)
    if isinstance(e.law.layout, Count):
        assert (e.law.sf(x) <= q).all()
        assert (e.law.sf(x - 1) > q).all()
    else:
        np.testing.assert_allclose(e.law.sf(x), q, rtol=1e-3)
    np.testing.assert_allclose(e.law.cdf(x) + e.law.sf(x), 1.0, rtol=1e-12)
    np.testing.assert_allclose(e.law.quantile(1.0 - q), x, rtol=1e-6)
    assert np.isnan(e.law.isf(np.array([-0.1, 1.1, np.nan]))).all()


@some(lambda e: numeric(e) and e.sampled)
def test_mean_and_variance_of_draws(e: Example) -> None:
    values, _, p = scored(e)
    x, got = np.array(values, dtype=float), np.array(draws(e), dtype=float)
    x, p = x[p > 0], p[p > 0]
    mean = p @ x
    variance, fourth = p @ (x - mean) ** 2, p @ (x - mean) ** 4
    assert abs(got.mean() - mean) <= 5 * math.sqrt(variance / len(got)) + 1e-12
    assert abs(got.var() - variance) <= 5 * math.sqrt(max(fourth - variance**2, 0.0) / len(got)) + 1e-3 * variance + 1e-12
    if hasattr(e.law, "mean"):
        assert_close(e.law.mean(), mean, 1e-8)
    if hasattr(e.law, "variance"):
        assert_close(e.law.variance(), variance, 1e-7)


@some(lambda e: hasattr(e.law, "entropy") and e.over is not None)
def test_entropy(e: Example) -> None:
    _, log, p = scored(e)
    assert_close(e.law.entropy(), -(p[p > 0] @ log[p > 0]), 1e-8)  # type: ignore[attr-defined]


def has_mode(e: Example) -> bool:
    """A mixture has one of numbers and labels only."""
    mixes = isinstance(e.law, stats.MixtureDistribution)
    return hasattr(e.law, "mode") and (isinstance(e.law.layout, (Real, Count, Labels)) or not mixes)


@some(
    lambda e: (
        has_mode(e)
        and e.over is not None
        and e.name not in ("gamma peaked", "weibull falling", "mixture of weibulls", "composite of joint")
    )
)
def test_mode_is_where_the_density_is_highest(e: Example) -> None:
    assert e.law.log_density(e.law.mode()) >= scored(e)[1].max() - 1e-12  # type: ignore[attr-defined]


# -- sampling ----------------------------------------------------------------------------------------------------------


@some(lambda e: hasattr(e.law, "cdf") and numeric(e) and not discrete(e) and e.sampled and "spiked" not in e.tags)
def test_draws_follow_the_cdf(e: Example) -> None:
    assert scipy.stats.kstest(draws(e), e.law.cdf).pvalue > 1e-6


@some(lambda e: discrete(e) and e.sampled)
def test_draws_follow_the_probabilities(e: Example) -> None:
    values, _, p = scored(e)
    counts = Counter(map(repr, draws(e)))
    assert counts.keys() <= set(map(repr, values))
    n, seen = len(draws(e)), np.array([counts[repr(v)] for v in values])
    p = np.minimum(p, 1.0)
    assert (scipy.stats.binom.cdf(seen, n, p) > 5e-7).all()
    assert (scipy.stats.binom.sf(seen - 1, n, p) > 5e-7).all()


@some(lambda e: e.over is not None and e.sampled)
def test_mean_log_density_of_draws_is_minus_the_entropy(e: Example) -> None:
    _, log, p = scored(e)
    log, p = log[p > 0], p[p > 0]
    mean = p @ log
    error = math.sqrt(max(p @ (log - mean) ** 2, 0.0) / len(draws(e)))
    assert abs(e.law.seq_log_density(draws(e)).mean() - mean) <= 5 * error + 1e-8


def feature(x: Any) -> float:
    """Some number of an observation that differs between components."""
    if isinstance(x, np.ndarray) and x.dtype == np.float64:
        return float(len(x) + (np.arange(len(x)) + 1.37) @ x)
    if isinstance(x, (list, tuple, np.ndarray)):
        return len(x) + sum((i + 1.37) * feature(v) for i, v in enumerate(x))
    if x is None or isinstance(x, (str, bytes)):
        return 0.1 * sum((x or "N").encode()) if not isinstance(x, bytes) else float(len(x))
    if isinstance(x, date):
        x = datetime.fromisoformat(x.isoformat()).replace(tzinfo=None) - datetime(2021, 1, 1)
    if isinstance(x, timedelta):
        x = x.total_seconds()
    return float(x)


def all_alike(rows: list[Any]) -> bool:
    return all(repr(x) == repr(rows[0]) for x in rows)


@sampled
def test_draws_score_finite_and_are_exchangeable(e: Example) -> None:
    rows = draws(e)
    log = e.law.seq_log_density(rows)
    assert np.isfinite(log).all()
    for values in (log, np.array([feature(x) for x in rows])):
        rank = scipy.stats.rankdata(values)
        rank -= rank.mean()
        spread = rank @ rank
        if spread == 0:
            continue
        n = len(rank)
        assert abs(rank[1:] @ rank[:-1] / spread) * math.sqrt(n) < 5.5  # neighbours are not alike
        assert abs(rank[: n // 2].mean()) < 5 * math.sqrt(spread / n / n)  # the first half is like the whole
    assert all_alike(rows) or repr(rows[:200]) != repr(rows[2000:2200])


def plain(x: Any) -> bool:
    if type(x) in (tuple, list, frozenset):
        return all(map(plain, x))
    if type(x) is np.ndarray:  # a vector
        return x.ndim == 1 and x.dtype == np.float64
    return x is None or type(x) in (int, float, str, bytes, bool, date, datetime, timedelta)


@sampled
def test_draws_are_plain_values(e: Example) -> None:
    law = e.law
    assert plain(law.sampler(3).sample())
    for size in (0, 1, 7):
        got, short = law.sampler(3).sample(size), law.sample(size, rng=3)
        assert len(got) == len(short) == size
        assert type(got) is list
        assert plain(got)
        assert same(got, short)
        assert type(short) is list or short.dtype in (np.float64, np.int64) or short.dtype.kind in "mM"
    assert len(law.sampler(1).sample(3) + law.sampler(2).sample(3)) == 6


def same(a: Any, b: Any) -> bool:
    return repr(as_values(a)) == repr(as_values(b))


@sampled
def test_same_state_same_draws_and_no_global_state(e: Example) -> None:
    law = e.law
    np.random.seed(7)
    before, others = np.random.get_state()[1].copy(), random.getstate()
    for make in (lambda: 5, lambda: np.int64(5), lambda: np.random.default_rng(5), lambda: np.random.RandomState(5)):
        first = law.sample(30, rng=make())
        assert same(first, law.sample(30, rng=make()))
        assert same(first, law.sampler(make()).sample(30))
    law.sampler(None).sample(30)
    law.sample(3)
    stream = law.sampler(5)
    assert all_alike(draws(e)) or not same(stream.sample(60), stream.sample(60))
    assert (np.random.get_state()[1] == before).all()
    assert random.getstate() == others


@some(lambda e: not e.sampled and "in part" not in e.tags)
def test_what_cannot_be_drawn_says_so(e: Example) -> None:
    with pytest.raises(StructureError, match=r"drawn|sampled|len_dist"):
        e.law.sampler(1).sample(3)


# -- persistence -------------------------------------------------------------------------------------------------------


def copies(node: Any) -> list[Any]:
    return [
        eval(repr(node), vars(stats).copy()),
        pickle.loads(pickle.dumps(node)),
        copy.deepcopy(node),
        copy.copy(node),
        from_json(to_json(node)),
        node.replace(),
    ]


@every
def test_copies_are_equal_to_the_bit(e: Example) -> None:
    rows = e.data(20) + list(e.off)
    expected = e.law.seq_log_density(rows)
    for node in (e.law, e.estimator):
        made = copies(node)
        number, shown, written = hash(node), repr(node), to_json(node)
        for i, other in enumerate(made):
            assert other == node
            assert hash(other) == number
            assert repr(other) == shown
            assert i == 0 or to_json(other) == written  # a repr does not say which nodes are one object
            if node is e.law:
                np.testing.assert_array_equal(other.seq_log_density(rows), expected)
    assert e.law != e.estimator
    assert e.estimator.family is type(e.law)
    assert e.estimator.layout == e.law.layout or isinstance(e.estimator.layout, Vector)


# -- types of input ----------------------------------------------------------------------------------------------------


def arrays(rows: Any, tmp_path: Any) -> dict[str, Any]:
    """The same numbers, `(n,)` or `(n, d)`, as everything a user may hold."""
    x = np.array(rows)
    frozen, saved = x.copy(), np.memmap(tmp_path / "x", x.dtype, "w+", shape=x.shape)
    frozen.setflags(write=False)
    saved[:] = x
    both = np.stack([x, x])
    out = {
        "array": x,
        "read-only": frozen,
        "memory-mapped": saved,
        "strided": np.concatenate([both, both])[::2][0],
        "tuple": tuple(x.tolist()),
    }
    out |= {"backwards": x[::-1].copy()[::-1], "objects": x.astype(object), "big-endian": x.astype(x.dtype.newbyteorder(">"))}
    out["Fortran"] = np.asfortranarray(x)
    if (np.float32(x) == x).all():
        out["float32"] = x.astype(np.float32)
    if (np.int64(x) == x).all():
        out |= {"int64": np.int64(x), "int32": np.int32(x), "float": np.float64(x), "ints": np.int64(x).tolist()}
        if (x >= 0).all() and (x < 256).all():
            out["uint8"] = x.astype(np.uint8)
    if np.isin(x, [0, 1]).all():
        out |= {"bool": x.astype(bool), "bools": x.astype(bool).tolist()}
    if x.ndim == 1:
        out |= {"Series": pd.Series(x, index=range(5, 5 + len(x))), "scalars": list(x)}
    else:
        out |= {"DataFrame": pd.DataFrame(x), "rows": list(x), "lists": x.tolist(), "tuples": list(map(tuple, x.tolist()))}
    return out


@some(lambda e: type(e.law.layout) in (Real, Count, Vector))
@pytest.mark.parametrize("form", ["drawn", "whole", "zero or one"])
def test_input_types_give_one_answer(e: Example, form: str, tmp_path: Any) -> None:
    x = np.array(e.data(70), dtype=np.float64 if isinstance(e.law.layout, (Real, Vector)) else np.int64)
    x = {"drawn": x.astype(np.float32).astype(x.dtype), "whole": np.round(np.abs(x)) % 100, "zero or one": np.round(np.abs(x)) % 2}[form]
    expected = e.law.seq_log_density(x.tolist())
    assert expected.dtype == np.float64
    for kind, data in arrays(x, tmp_path).items():
        before = copy.deepcopy(data)
        np.testing.assert_array_equal(e.law.seq_log_density(data), expected, err_msg=kind)
        e.law.seq_log_density(e.law.seq_encode(data))
        np.testing.assert_array_equal(np.asarray(data), np.asarray(before), err_msg=f"{kind} was modified")


@some(lambda e: isinstance(e.law.layout, (Labels, Maybe)) and np.ndim(e.data(1)[0]) == 0 and not isinstance(e.data(1)[0], (tuple, list)))
def test_labels_and_missing_values_from_frames(e: Example) -> None:
    rows = [v for v in e.data(80) if not isinstance(v, (tuple, list, np.ndarray))]
    expected = e.law.seq_log_density(rows)
    objects = np.empty(len(rows), dtype=object)
    objects[:] = rows
    tables = [objects, pd.Series(objects, index=range(9, 9 + len(rows)), dtype=object)]
    if isinstance(e.law.layout, Labels) and None in rows:  # a label in a list, a missing cell in a table
        for data in tables:
            with pytest.raises(DataError, match=f"row {rows.index(None)} is None; need a label"):
                e.law.seq_log_density(data)
        tables = []
    forms = [tuple(rows), *tables]
    if len(set(map(type, rows))) == 1:
        forms += [np.array(rows), pd.Series(rows), *([pd.Series(rows, dtype="category")] if isinstance(rows[0], str) else [])]
    if isinstance(e.law.layout, Maybe) and set(map(type, rows)) == {float, type(None)}:
        forms += [
            np.array(rows, dtype=float),
            pd.Series(rows, dtype=float),
            pd.array(rows, dtype="Float64"),
            [pd.NA if v is None else v for v in rows],
        ]
    for data in forms:
        np.testing.assert_array_equal(e.law.seq_log_density(data), expected)


@some(lambda e: isinstance(e.law.layout, Fields) and e.sampled and not any(isinstance(v, (tuple, list)) for v in e.data(1)[0]))
def test_data_frames_give_one_answer(e: Example) -> None:
    rows = e.data(90)
    expected = e.law.seq_log_density(rows)
    columns = list(zip(*rows, strict=True))
    frames = [pd.DataFrame({f"x{j}": list(column) for j, column in enumerate(columns)}, index=range(3, 3 + len(rows)))]
    frames += [frames[0].astype(object), frames[0].convert_dtypes()]
    if len(columns) == 1 and isinstance(columns[0][0], float):
        frames += [frames[0].to_numpy()]
    for frame in [*frames, [list(row) for row in rows], tuple(rows)]:
        before = copy.deepcopy(frame)
        np.testing.assert_array_equal(e.law.seq_log_density(frame), expected)
        assert repr(frame) == repr(before)


def test_numbers_of_records_from_an_array_or_a_frame() -> None:
    law = stats.CompositeDistribution((stats.GaussianDistribution(0.0, 1.0), stats.PoissonDistribution(2.0)))
    rows = [(0.5, 1), (-1.5, 4), (2.0, 0)]
    for data in (np.array(rows), np.array(rows, dtype=np.float32), np.array(rows)[:, ::-1][:, ::-1], pd.DataFrame(rows)):
        np.testing.assert_array_equal(law.seq_log_density(data), law.seq_log_density(rows))


def test_labels_equal_in_python_are_one_label() -> None:
    law = stats.CategoricalDistribution({1: 0.25, "a": 0.75})
    assert [law.density(x) for x in (1, 1.0, True, np.int64(1), "a", np.str_("a"), "1")] == [0.25, 0.25, 0.25, 0.25, 0.75, 0.75, 0.0]


# -- latent laws -------------------------------------------------------------------------------------------------------


@some(lambda e: hasattr(e.law, "seq_component_log_density"))
def test_posteriors_and_component_scores(e: Example, block: int) -> None:
    rows = e.data(30)
    each, posterior = e.law.seq_component_log_density(rows), e.law.seq_posterior(rows)  # type: ignore[attr-defined]
    if isinstance(e.law, stats.GatedMixtureDistribution):
        w = e.law.weights_given([z for z, _ in rows])
    else:
        w = e.law.pairs if isinstance(e.law, stats.JointMixtureDistribution) else e.law.w  # type: ignore[attr-defined]
    joint = each + np.where(w > 0, np.log(np.where(w > 0, w, 1.0)), -inf)
    log = scipy.special.logsumexp(joint.reshape(len(rows), -1), axis=1)
    assert_close(e.law.seq_log_density(rows), log)
    assert_close(posterior, np.exp(joint - log.reshape(-1, *[1] * (joint.ndim - 1))))
    assert_close(e.law.posterior(rows[0]), posterior[0])  # type: ignore[attr-defined]
    assert_close(e.law.component_log_density(rows[0]), each[0])  # type: ignore[attr-defined]
    many = rows * 20
    assert len(many) > block
    assert_close(e.law.seq_posterior(many), np.concatenate([posterior] * 20))  # type: ignore[attr-defined]
    assert_close(e.law.seq_component_log_density(many), np.concatenate([each] * 20))  # type: ignore[attr-defined]
    if isinstance(e.law, stats.MixtureDistribution):
        assert_close(each, np.array([parts_by_hand(e.law, x) for x in rows]))


@some(lambda e: hasattr(e.law, "posterior") and e.off)
def test_no_posterior_without_density(e: Example) -> None:
    with pytest.raises(SupportError, match="row 1 "):
        e.law.seq_posterior([e.data(1)[0], e.off[0]])  # type: ignore[attr-defined]


@some(lambda e: isinstance(e.law, stats.HierarchicalMixtureDistribution))
def test_hierarchical_mixture_is_its_expansion(e: Example) -> None:
    rows = e.data(300) + list(e.off)
    expanded = e.law.to_mixture()  # type: ignore[attr-defined]
    assert isinstance(expanded, stats.MixtureDistribution)
    assert_close(e.law.seq_log_density(rows), expanded.seq_log_density(rows))
    good = e.data(300)
    assert_close(e.law.seq_posterior(good), expanded.seq_posterior(good))  # type: ignore[attr-defined]


@some(lambda e: isinstance(e.law, stats.JointMixtureDistribution))
def test_joint_mixture_conditionals(e: Example) -> None:
    law: Any = e.law
    for x, y in e.data(20):
        pair = np.array([[by_hand(a, x) + by_hand(b, y) for b in law.components2] for a in law.components1])
        pair = np.exp(pair) * law.w1[:, None] * law.taus12
        assert_close(law.posterior((x, y)), pair / pair.sum())
        assert_close(law.log_density((x, y)), law.marginal1.log_density(x) + law.given1(x).log_density(y))
        assert_close(law.log_density((x, y)), law.marginal2.log_density(y) + law.given2(y).log_density(x))


def test_the_registry_holds_every_family() -> None:
    families = {value for value in vars(stats).values() if isinstance(value, type) and issubclass(value, Distribution)}
    families -= {stats.CommonParametersDistribution}  # a part of regressions, and no law
    nested = {type(node) for e in EXAMPLES for node in [e.law, *e.law.children()]}
    assert families <= nested
    assert families <= {type(e.law) for e in EXAMPLES}
    assert isinstance(BY_NAME["null"].law.layout, Anything)
