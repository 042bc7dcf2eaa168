"""Lists whose elements depend on those before them: against sums over all paths, and as known models."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import DataError, ParameterError, StructureError
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeDistribution,
    CompositeEstimator,
    ConditionalDistribution,
    GaussianDistribution,
    GaussianEstimator,
    HiddenMarkovModelDistribution,
    IntegerCategoricalDistribution,
    IntegerHiddenMarkovEstimator,
    IntegerHiddenMarkovModelDistribution,
    LinearRegressionDistribution,
    LinearRegressionEstimator,
    LookbackDistribution,
    LookbackHiddenMarkovDistribution,
    LookbackHiddenMarkovEstimator,
    PoissonDistribution,
    PoissonEstimator,
    SequenceDistribution,
)

W, MOVES = np.array([0.4, 0.6]), np.array([[0.7, 0.3], [0.2, 0.8]])


def follows(p: float) -> ConditionalDistribution:
    """The next of two letters, given the one before."""
    after = {"a": {"a": p, "b": 1 - p}, "b": {"a": 1 - p, "b": p}}
    return ConditionalDistribution({label: CategoricalDistribution(row) for label, row in after.items()})


def letters() -> LookbackDistribution:
    first = [CompositeDistribution((CategoricalDistribution({"a": p, "b": 1 - p}),)) for p in (0.3, 0.8)]
    return LookbackHiddenMarkovDistribution([follows(0.9), follows(0.2)], W, MOVES, 1, first, PoissonDistribution(4.0))


def regimes(lag: int = 2) -> LookbackDistribution:
    """Autoregression whose coefficients switch."""
    lines = [LinearRegressionDistribution(np.full(lag, c) / lag, level, s) for c, level, s in ((0.7, 1.0, 0.3), (-0.6, -1.0, 1.0))]
    first = [CompositeDistribution((GaussianDistribution(0.0, 1.0),) * lag)] * 2
    return LookbackHiddenMarkovDistribution(lines, W, [[0.95, 0.05], [0.1, 0.9]], lag, first, PoissonDistribution(40.0))


def by_paths(law: Any, x: list[Any], lag: int, apart: bool) -> dict[tuple[int, ...], float]:
    """The density of a list along each path of states, without its length."""
    chain, steps = law.dist, len(x) - lag + 1
    out = {}
    for path in itertools.product(range(chain.num_states), repeat=steps):
        first, _ = chain.topics[path[0]].dists
        log = np.log(chain.w[path[0]]) + first.dist.log_density(x[:lag])
        for t in range(1, steps):
            window = tuple(x[t - 1 : t + lag])
            log += np.log(chain.transitions[path[t - 1], path[t]])
            log += chain.topics[path[t]].dists[1].dist.log_density((window[:-1], window[-1]) if apart else window)
        out[path] = float(np.exp(log))
    return out


@pytest.mark.parametrize(("law", "lag"), [(letters(), 1), (regimes(), 2), (regimes(1), 1)], ids=["letters", "two before", "one before"])
def test_density_is_the_sum_over_paths(law: Any, lag: int) -> None:
    rows = [row[:7] for row in law.sample(5, rng=1) if len(row) >= lag] + [law.sample(1, rng=2)[0][:lag] or ["a"]]
    apart = lag > 1
    for x in rows:
        paths = by_paths(law, x, lag, apart)
        steps = len(x) - lag + 1
        assert law.log_density(x) == pytest.approx(np.log(sum(paths.values())) + law.dist.len_dist.log_density(steps), rel=1e-10)
        assert tuple(law.most_probable_states(x)) == max(paths, key=lambda path: paths[path])
        states = np.array([[sum(p for path, p in paths.items() if path[t] == s) for s in range(2)] for t in range(steps)])
        np.testing.assert_allclose(law.posterior(x), states / sum(paths.values()), rtol=1e-9)
    assert law.log_density([]) == law.dist.len_dist.log_density(0)
    many = law.seq_posterior(law.seq_encode(rows))
    np.testing.assert_allclose(many[0], law.posterior(rows[0]), rtol=1e-12)


def test_the_next_element_is_predicted_as_the_density_has_it() -> None:
    law, x = letters(), list("abba")
    ahead = law.predict(x)
    joint = np.array([np.exp(law.log_density([*x, label]) - law.dist.len_dist.log_density(5)) for label in "ab"])
    np.testing.assert_allclose([ahead.density(label) for label in "ab"], joint / joint.sum(), rtol=1e-10)
    assert regimes().predict([0.5, 1.0]).mean() == pytest.approx(regimes().predict((0.5, 1.0)).mean())
    with pytest.raises(ParameterError, match="at least 2 elements, got 1"):
        regimes().predict([0.5])


def test_laws_of_lists_read_windows_as_lists() -> None:
    law = LookbackHiddenMarkovDistribution([SequenceDistribution(GaussianDistribution(0.0, 1.0))], [1.0], [[1.0]], 2)
    x = [0.3, -1.0, 2.0, 0.7]
    each = [GaussianDistribution(0.0, 1.0).seq_log_density(x[t : t + 3]).sum() for t in (0, 1)]
    assert law.log_density(x) == pytest.approx(sum(each), rel=1e-12)


def test_switching_autoregression_is_found_again() -> None:
    law = regimes()
    rows = law.sample(30, rng=1)
    estimator = LookbackHiddenMarkovEstimator(
        [LinearRegressionEstimator()] * 2, 2, [CompositeEstimator((GaussianEstimator(),) * 2)] * 2, PoissonEstimator()
    )
    record = fit(rows, estimator, rng=1, starts=3)
    assert record.log_likelihood > law.seq_log_density(rows).sum()
    lines = sorted((state.dists[1].dist for state in record.model.dist.topics), key=lambda line: line.intercept)  # type: ignore[attr-defined]
    np.testing.assert_allclose([line.intercept for line in lines], [-1.0, 1.0], atol=0.2)
    np.testing.assert_allclose([line.coef for line in lines], [[-0.3] * 2, [0.35] * 2], atol=0.1)


def test_chains_that_look_back_share_their_transitions_alone() -> None:
    rows = [row for row in regimes(1).sample(30, rng=1) if row]
    one = LookbackHiddenMarkovEstimator([LinearRegressionEstimator()] * 2, 1, keys=(None, "moves", None))
    found: Any = fit([(row, row[::-1]) for row in rows], CompositeEstimator((one, one)), rng=1, starts=1, max_its=3)
    left, right = (side.dist for side in found.model.dists)
    np.testing.assert_array_equal(left.transitions, right.transitions)
    assert (left.w != right.w).any()


def test_what_cannot_be_read_or_drawn_is_named() -> None:
    with pytest.raises(DataError, match=r"row 1 is \[0.5\]; need lists of at least 2 elements, or of none"):
        regimes().seq_log_density([[0.5, 1.0], [0.5]])
    with pytest.raises(ParameterError, match="needs a law of lists of pairs"):
        LookbackDistribution(SequenceDistribution(GaussianDistribution(0.0, 1.0)), 1)
    pair = CompositeDistribution(letters().dist.topics[0].dists)  # type: ignore[attr-defined]
    with pytest.raises(StructureError, match="with a hidden Markov model alone"):
        LookbackDistribution(SequenceDistribution(pair, PoissonDistribution(3.0)), 1).sample(2)
    windows = LookbackHiddenMarkovDistribution([SequenceDistribution(GaussianDistribution(0.0, 1.0))], [1.0], [[1.0]], 1)
    with pytest.raises(StructureError, match="looks back 1 elements, the estimator 2"):
        fit([[0.0, 1.0, 3.0]] * 3, windows.estimator().replace(lag=2), start=windows)
    encoded = regimes().seq_encode([[0.5, 1.0, 2.0], [], [0.25, 4.0]])
    assert encoded.column.listed() == [[0.5, 1.0, 2.0], [], [0.25, 4.0]]


# -- whole numbers -------------------------------------------------------------------------------------------------------


def test_integer_chains_are_chains_of_integers() -> None:
    pmat = np.array([[0.6, 0.1], [0.3, 0.2], [0.1, 0.7]])
    law = IntegerHiddenMarkovModelDistribution(pmat, W, MOVES, PoissonDistribution(3.0), keys=("w", "w", None))
    topics = [IntegerCategoricalDistribution(0, column) for column in pmat.T]
    assert law == HiddenMarkovModelDistribution(topics, W, MOVES, None, PoissonDistribution(3.0), None, ("w", "w", None))
    estimator = IntegerHiddenMarkovEstimator(3, 2, PoissonEstimator(), (1.0, 2.0, 3.0), "chain", ("w", "w", None))
    record = fit(law.sample(60, rng=1), estimator, rng=1, starts=2, max_its=5)
    assert [len(topic.p_vec) for topic in record.model.topics] == [3, 3]  # type: ignore[attr-defined]
    with pytest.raises(ParameterError, match="pmat must be a matrix"):
        IntegerHiddenMarkovModelDistribution([0.5, 0.5], [1.0], [[1.0]])
