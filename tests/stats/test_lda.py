"""Latent Dirichlet allocation: its bound against the density by enumeration and against a general optimiser, scikit-learn, and fits."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from scipy.special import gammaln, psi

from dmlcore import UNKNOWN, OnlineEM, condition, fit
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    GaussianDistribution,
    IntegerCategoricalDistribution,
    IntegerCategoricalEstimator,
    LDADistribution,
    LDAEstimator,
    MultinomialDistribution,
    PoissonDistribution,
)
from tests.reference import load

topics = [CategoricalDistribution({"a": 0.9, "b": 0.1}), CategoricalDistribution({"a": 0.2, "b": 0.8}), CategoricalDistribution({"c": 1.0})]
law = LDADistribution(topics, [0.4, 1.5, 0.7])


def log_density_by_enumeration(law: Any, words: Any) -> float:
    """Of words in some order: the sum over all topics of all words, whose probabilities are moments of a Dirichlet."""
    K, total = len(law.topics), 0.0
    for z in itertools.product(range(K), repeat=len(words)):
        counts = np.bincount(np.array(z, dtype=int), minlength=K)
        log = gammaln(law.alpha.sum()) - gammaln(law.alpha.sum() + len(words)) + (gammaln(law.alpha + counts) - gammaln(law.alpha)).sum()
        total += math.exp(log) * math.prod(law.topics[k].density(w) for k, w in zip(z, words, strict=True))
    return math.log(total)


@pytest.mark.parametrize("words", ["a", "ab", "aab", "abc", "cccc", "abbcaa"])
def test_the_bound_is_below_the_density_and_near(words: str) -> None:
    bag = {w: words.count(w) for w in words}
    ways = gammaln(len(words) + 1) - sum(gammaln(c + 1) for c in bag.values())
    gap = log_density_by_enumeration(law, words) + ways - law.log_density(bag)
    assert 0.0 < gap < 0.5


def test_no_word_and_one_topic_are_exact() -> None:
    assert law.log_density([]) == pytest.approx(0.0, abs=1e-12)
    one = LDADistribution(topics[:1], [0.3], PoissonDistribution(2.0))
    assert one.log_density({"a": 3, "b": 1}) == pytest.approx(
        MultinomialDistribution(topics[0], PoissonDistribution(2.0)).log_density({"a": 3, "b": 1})
    )


def best_bound(alpha: np.ndarray, p: np.ndarray, counts: np.ndarray) -> float:
    """The largest bound that L-BFGS finds over the parameters of a document's Dirichlet, from several starts; p `(K, words)`."""

    def negative(v: np.ndarray) -> float:
        gamma = np.exp(v)
        logs = psi(gamma) - psi(gamma.sum())
        prior = gammaln(alpha.sum()) - gammaln(alpha).sum() - gammaln(gamma.sum()) + gammaln(gamma).sum()
        return -float(prior + (alpha - gamma) @ logs + counts @ np.log(np.exp(logs) @ p))

    rng = np.random.default_rng(0)
    starts = [np.log(alpha + counts.sum() * rng.dirichlet(np.ones(len(alpha)))) for _ in range(4)]
    return -min(
        scipy.optimize.minimize(negative, v, method="L-BFGS-B", bounds=[(-12, 12)] * len(alpha), options={"ftol": 1e-15, "gtol": 1e-9}).fun
        for v in starts
    )


def test_proportions_and_bounds_of_documents() -> None:
    case = load("sklearn_lda")
    p, counts = np.array(case["topics"]), np.array(case["counts"])
    given = LDADistribution([IntegerCategoricalDistribution(0, row) for row in p], case["alpha"])
    documents = [dict(enumerate(row.tolist())) for row in counts]
    np.testing.assert_allclose(given.seq_posterior(documents), case["proportions"], atol=1e-7)
    ways = gammaln(counts.sum(axis=1) + 1) - gammaln(counts + 1).sum(axis=1)
    best = [best_bound(given.alpha, p, row) for row in counts]
    np.testing.assert_allclose(given.seq_log_density(documents) - ways, best, atol=1e-6)


def test_the_best_of_several_optima_is_kept() -> None:
    """Small alpha: a topic with a word or two may be there or not, and from even shares it stays where it had better go."""
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.full(40, 0.1), 5)
    given = LDADistribution([IntegerCategoricalDistribution(0, row) for row in p], np.full(5, 0.15))
    rows = np.array([rng.multinomial(50, rng.dirichlet(np.full(5, 0.2)) @ p) for _ in range(10)])
    found = given.seq_log_density([dict(enumerate(row.tolist())) for row in rows])
    ways = gammaln(rows.sum(axis=1) + 1) - gammaln(rows + 1).sum(axis=1)
    best = [best_bound(given.alpha, p, row) for row in rows]
    assert (found - ways >= np.array(best) - 1e-6).all()


def test_a_further_word_is_predicted_and_an_unknown_one_refused() -> None:
    np.testing.assert_allclose(law.predict([]).w, law.alpha / law.alpha.sum())
    more = law.predict([("a", 3)])
    np.testing.assert_allclose(more.w, law.posterior([("a", 3)]))
    assert more.density("a") > law.predict([]).density("a")
    for document in ([("a", 2), (UNKNOWN, 1)], {"a": 2, UNKNOWN: 1}):
        with pytest.raises(StructureError, match=r"UNKNOWN stands inside .*, which has no parts"):
            condition(law, document)


def documents(D: int, seed: int = 1) -> tuple[LDADistribution, list[Any]]:
    rng = np.random.default_rng(5)
    parts = [IntegerCategoricalDistribution(0, p) for p in rng.dirichlet(np.full(30, 0.1), 3)]
    truth = LDADistribution(parts, [0.3, 0.6, 0.2], PoissonDistribution(40.0))
    return truth, truth.sample(D, rng=seed)


def test_topics_and_alpha_are_found() -> None:
    truth, rows = documents(400)
    record = fit(rows, LDAEstimator([IntegerCategoricalEstimator(0, 29)] * 3), rng=1, starts=6, max_its=200)
    model = record.model
    assert np.diff(record.objective).min() >= -1e-9 * abs(record.objective[-1])
    assert record.log_likelihood >= truth.replace(len_dist=None).seq_log_density(rows).sum()
    cost = np.array([[np.abs(a.p_vec - b.p_vec).sum() for b in model.topics] for a in truth.topics])
    order = scipy.optimize.linear_sum_assignment(cost)[1]
    assert cost[np.arange(3), order].max() < 0.15
    np.testing.assert_allclose(model.alpha[order], truth.alpha, rtol=0.35)
    assert model.seq_posterior(rows).sum(axis=1) == pytest.approx(1.0)


def test_alpha_of_one_topic_says_nothing_and_is_one() -> None:
    model: Any = fit([[("a", 2), ("b", 1)], [("b", 3)]] * 5, LDAEstimator([CategoricalEstimator()]), rng=1, starts=1, max_its=3).model
    assert model.alpha.tolist() == [1.0]


def test_alpha_may_be_given() -> None:
    truth, rows = documents(60)
    fixed = LDAEstimator([IntegerCategoricalEstimator(0, 29, pseudo_count=1.0)] * 3, fixed_alpha=0.5)
    assert fit(rows, fixed, rng=1, starts=2, max_its=5).model.alpha.tolist() == [0.5] * 3
    held = LDAEstimator([IntegerCategoricalEstimator(0, 29, pseudo_count=1.0)] * 3, pseudo_count=1e6, suff_stat=psi([2, 3, 4]) - psi(9))
    assert fit(rows, held, start=truth.replace(len_dist=None), max_its=3).model.alpha == pytest.approx([2, 3, 4], rel=0.01)


def test_a_stream_of_documents() -> None:
    parts = [IntegerCategoricalDistribution(0, p) for p in ([0.6, 0.3, 0.05, 0.05], [0.05, 0.05, 0.3, 0.6])]
    truth = LDADistribution(parts, [0.3, 0.3], PoissonDistribution(20.0))
    rows, later = truth.sample(120, rng=1), truth.sample(100, rng=9)
    stream = OnlineEM(LDAEstimator([IntegerCategoricalEstimator(0, 3)] * 2, fixed_alpha=0.3), rng=1)
    for i in range(0, 120, 40):
        stream.partial_fit(rows[i : i + 40])
    online, best = (law.seq_log_density(later).mean() for law in (stream.model, truth.replace(len_dist=None)))
    assert online == pytest.approx(best, abs=0.15)


def test_topics_may_be_any_laws() -> None:
    truth = LDADistribution([GaussianDistribution(-4.0, 1.0), GaussianDistribution(4.0, 1.0)], [0.3, 0.3], PoissonDistribution(10.0))
    rows = truth.sample(300, rng=1)
    model = fit(rows, truth.estimator(), rng=1, starts=4).model
    assert sorted(t.mu for t in model.topics) == pytest.approx([-4.0, 4.0], abs=0.15)
    assert truth.posterior([(-4.0, 1), (-4.2, 1), (4.0, 2), (3.9, 1), (4.1, 1)]) == pytest.approx([2.3 / 6.6, 4.3 / 6.6])


def test_what_is_wrong_is_said() -> None:
    for make in (
        lambda: LDADistribution(topics, [1.0, 2.0]),
        lambda: LDADistribution(topics, [1.0, 2.0, 0.0]),
        lambda: LDADistribution(topics, [1.0] * 3, gamma_threshold=0.0),
        lambda: LDAEstimator([t.estimator() for t in topics], fixed_alpha=[1.0, 2.0]),
        lambda: LDAEstimator([t.estimator() for t in topics], pseudo_count=1.0, suff_stat=[0.0, 0.0, 0.0]),
    ):
        with pytest.raises(ParameterError, match="LDA"):
            make()
