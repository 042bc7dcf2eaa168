"""The page on adding a distribution: its code runs, its Weibull agrees with scipy's, and nests like a family of the catalogue."""

from __future__ import annotations

import pickle
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore.base.errors import DataError, DegenerateError, ParameterError, SupportError
from dmlcore.core.flat import n_parameters
from dmlcore.fitting.stopping import fell
from dmlcore.io import from_json, to_json
from dmlcore.stats import (
    CompositeEstimator,
    GaussianEstimator,
    HierarchicalMixtureDistribution,
    HierarchicalMixtureEstimator,
    MixtureDistribution,
    MixtureEstimator,
    OptionalDistribution,
    OptionalEstimator,
    PoissonDistribution,
    PoissonEstimator,
    SequenceDistribution,
    SequenceEstimator,
    initialize,
)
from tests.pages import DOCS, run

# scipy 1.17.1, weibull_min(c=shape, scale=scale): log densities, and maximum likelihood by direct numerical maximisation
X = [0.001, 0.1, 0.5, 1, 2.3, 7, 25]
# fmt: off
LOG_DENSITIES = {
    (0.7, 1.0): [
        1.7077083574086662, 0.1345743524625933, -0.764302996443207, -1.3566749439387324, -2.3980174554088243,
        -4.844976765778048, -10.840607384978584,
    ],
    (1.5, 3.0): [
        -4.6963370501912625, -2.3998316775855253, -1.65706829691795, -1.4349034146238755, -1.497288290850815,
        -3.8337237908875528, -23.68927662869431,
    ],
    (4.0, 0.5): [
        -16.564382753602743, -2.7504721956224643, 1.0794415416798357, -11.84111691664033, -441.08798954783487,
        -38406.00338646948, -6249986.184489442,
    ],
}
SAMPLE = [
    0.9994012168945166, 1.1014922657706534, 0.0903029994328223, 4.814181933777638, 2.560030723504338, 3.0001248822764763,
    2.9517718409249185, 1.381859070449424, 1.4672516602343262, 2.7125701457032214, 2.318222431510709, 0.4650108569120969,
    1.6080422610658884, 4.015114586789089, 1.9104850119184966, 2.0124719197092937, 0.9978398188842127, 4.538910598009078,
    3.3859565424703213, 1.6438075459338497, 1.2363041165937616, 1.032434705609936, 1.371558007545981, 0.697233336802272,
    0.9482239112984601, 0.3428005047363144, 2.982093689219057, 0.4782271516121639, 0.3560080018802076, 2.9634299444127667,
    1.7249321255505925, 2.3269357135221695, 2.7685367516266606, 1.6017667996404599, 2.384411494387714, 1.6689098460155254,
    4.3820525145322, 2.723984854529615, 1.1001455005819367, 1.6464122389460751, 0.8246201809473256, 2.303617890005161,
    0.9424644121144156, 1.6579936953474617, 1.6907479153910747, 1.7769467499094378, 0.9564114261098492, 1.684705234492645,
    2.8956318712941296, 0.9800382520398025, 1.2135798875176282, 2.234041106315964, 0.8401768855907203, 3.8427018335609016,
    2.4909387521142494, 2.4956785912465707, 2.2860753086206014, 1.1184202139424684, 1.4946692106381823, 1.6449110256781052,
]
WEIGHTS = [
    1.559, 0.906, 1.724, 1.41, 0.234, 1.952, 1.534, 1.583, 0.3, 0.928, 0.773, 1.857, 1.306, 1.654, 0.915,
    0.493, 1.131, 0.174, 1.664, 1.282, 1.528, 0.741, 1.943, 1.792, 1.568, 0.43, 0.96, 0.135, 0.351, 1.382,
    1.502, 1.937, 0.685, 0.772, 0.966, 0.419, 0.303, 0.978, 0.492, 1.356, 0.902, 1.674, 1.416, 0.659, 1.673,
    1.619, 0.806, 0.612, 1.381, 0.323, 0.44, 0.064, 1.585, 1.346, 1.425, 1.572, 0.945, 1.159, 0.323, 0.273,
]
# fmt: on
FITS = {
    "weighted": (WEIGHTS, 1.8667872083959396, 2.159226258780006, -90.59523399053799),
    "unweighted": (None, 1.8491307931408745, 2.1397930633219198, -84.62006987133185),
}


@pytest.fixture(scope="module")
def page() -> Any:
    """The code of the page, run as one module, so that its classes can be pickled."""
    module = ModuleType("weibull_page")
    sys.modules[module.__name__] = module
    run(DOCS / "add_a_distribution.md", module.__dict__)
    yield module
    del sys.modules[module.__name__]


def monotone(record: Any) -> bool:
    steps = zip(record.objective, record.objective[1:], strict=False)
    return record.status != "decreased" and not any(fell(before, after) for before, after in steps)


# -- alone ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", LOG_DENSITIES)
def test_log_densities_are_those_of_scipy(page: Any, parameters: Any) -> None:
    law = page.LifetimeDistribution(*parameters)
    np.testing.assert_allclose(law.seq_log_density(X), LOG_DENSITIES[parameters], rtol=1e-12)
    np.testing.assert_allclose([law.log_density(x) for x in X], LOG_DENSITIES[parameters], rtol=1e-12)
    assert law.seq_log_density([0.0, -1.0, np.inf]).tolist() == [-np.inf] * 3
    assert law.log_density(1e200) < -1e100


@pytest.mark.parametrize("which", FITS)
def test_maximum_likelihood_is_that_of_scipy(page: Any, which: str) -> None:
    weights, shape, scale, log_likelihood = FITS[which]
    record = dmlcore.fit(SAMPLE, page.LifetimeEstimator(), weights=weights)
    assert (record.model.shape, record.model.scale) == pytest.approx((shape, scale), rel=1e-6)
    assert record.log_likelihood == pytest.approx(log_likelihood, abs=1e-8)
    assert record.status == "converged"


def test_the_fit_is_a_stationary_point_to_rounding(page: Any) -> None:
    law, x = dmlcore.fit(SAMPLE, page.LifetimeEstimator()).model, np.array(SAMPLE)
    power = x**law.shape
    assert law.scale**law.shape == pytest.approx(power.mean(), rel=1e-13)
    assert (power @ np.log(x)) / power.sum() - np.log(x).mean() == pytest.approx(1 / law.shape, rel=1e-13)


@pytest.mark.parametrize("shape", [0.05, 0.7, 3.0, 80.0, 1e5])
def test_truth_is_recovered_for_any_shape_and_unit(page: Any, shape: float) -> None:
    x = page.LifetimeDistribution(shape, 3.0).sample(20_000, rng=5)
    fitted = dmlcore.fit(x, page.LifetimeEstimator()).model
    assert fitted.shape == pytest.approx(shape, rel=0.03)
    scaled = dmlcore.fit(1e-150 * x, page.LifetimeEstimator()).model
    assert scaled.shape == pytest.approx(fitted.shape, rel=1e-9)


def test_draws_have_the_mean_and_are_reproducible(page: Any) -> None:
    law = page.LifetimeDistribution(1.7, 2.0)
    x = law.sample(100_000, rng=3)
    assert x.mean() == pytest.approx(law.mean(), abs=5 * x.std() / 100_000**0.5)
    assert np.array_equal(x, law.sampler(3).sample(100_000))


def test_what_follows_from_the_declaration(page: Any) -> None:
    law = page.LifetimeDistribution(1.7, 2.0, name="life", keys="k")
    assert eval(repr(law), vars(page)) == law
    assert pickle.loads(pickle.dumps(law)) == law
    assert from_json(to_json(law)) == law
    assert n_parameters(law) == 2
    assert law.estimator() == page.LifetimeEstimator("life", "k")
    with pytest.raises(ParameterError, match="LifetimeDistribution: shape must be positive, got -1"):
        page.LifetimeDistribution(-1.0, 1.0)


def test_bad_data_are_named(page: Any) -> None:
    with pytest.raises(DataError, match="lifetime: row 1 is 'tall'; need a real number"):
        dmlcore.fit([1.0, "tall"], page.LifetimeEstimator())
    nested = CompositeEstimator((GaussianEstimator(), OptionalEstimator(page.LifetimeEstimator())))
    with pytest.raises(DataError, match=r"field 1 \(optional\)\.lifetime: row 2 is 'tall'; need a real number"):
        dmlcore.fit([(0.0, 1.0), (1.0, None), (2.0, "tall")], nested)
    with pytest.raises(SupportError, match=r"row 1 .*-1\.0 .*numbers > 0"):
        dmlcore.fit([1.0, -1.0, 2.0], page.LifetimeEstimator())
    with pytest.raises(DegenerateError, match=r"lifetime: all values equal 2\.0"):
        dmlcore.fit([2.0] * 5, page.LifetimeEstimator())


# -- inside others -------------------------------------------------------------------------------------------------------


def test_the_composite_mixture_of_the_page(page: Any) -> None:
    assert monotone(page.fitted)
    assert page.fitted.status == "converged"
    old, new = sorted(page.fitted.model.components, key=lambda c: c.dists[0].mean())
    assert (old.dists[0].shape, old.dists[0].scale) == pytest.approx((0.9, 2.0), rel=0.06)
    assert (new.dists[0].shape, new.dists[0].scale) == pytest.approx((4.0, 9.0), rel=0.06)
    assert old.dists[1].dist.pmap["pump"] == pytest.approx(0.8, abs=0.05)
    assert page.life == pytest.approx(0.9 * 9.0 * 0.9064 + 0.1 * 2.0, rel=0.1)  # mostly new ones: P(new | fan) is 0.84
    assert from_json(to_json(page.fitted.model)) == page.fitted.model


def test_a_mixture_is_monotone_and_recovers_the_truth(page: Any) -> None:
    truth = MixtureDistribution([page.LifetimeDistribution(1.2, 1.0), page.LifetimeDistribution(6.0, 8.0)], [0.3, 0.7])
    x = truth.sample(30_000, rng=2)
    record = dmlcore.fit(x, MixtureEstimator([page.LifetimeEstimator()] * 2), rng=4)
    assert monotone(record)
    assert record.status == "converged"
    assert record.log_likelihood > truth.seq_log_density(x).sum()
    first, second = sorted(record.model.components, key=lambda c: c.scale)
    assert (first.shape, first.scale, second.shape, second.scale) == pytest.approx((1.2, 1.0, 6.0, 8.0), rel=0.05)
    assert sorted(record.model.w) == pytest.approx([0.3, 0.7], abs=0.02)


def test_threads_give_the_same_bits(page: Any) -> None:
    truth = MixtureDistribution([page.LifetimeDistribution(1.2, 1.0), page.LifetimeDistribution(6.0, 8.0)], [0.3, 0.7])
    x = truth.sample(60_000, rng=2)
    est = MixtureEstimator([page.LifetimeEstimator()] * 2)
    one, two = (dmlcore.fit(x, est, rng=4, max_its=5, threads=threads) for threads in (1, 2))
    assert one.model == two.model
    assert one.history == two.history


def test_a_collapsing_component_stops_at_its_bound(page: Any) -> None:
    x = [*page.LifetimeDistribution(2.0, 1.0).sample(200, rng=1), *[0.5] * 40]
    start = MixtureDistribution([page.LifetimeDistribution(2.0, 1.0), page.LifetimeDistribution(1e4, 0.5)], [0.8, 0.2])
    record = dmlcore.fit(x, MixtureEstimator([page.LifetimeEstimator()] * 2), start=start)
    assert monotone(record)
    assert record.status == "degenerate"
    assert "lifetime sits on equal values" in record.message


def test_optional(page: Any) -> None:
    law = OptionalDistribution(page.LifetimeDistribution(1.5, 3.0), 0.25)
    rows = law.sample(8000, rng=7)
    record = dmlcore.fit(rows, OptionalEstimator(page.LifetimeEstimator(), est_prob=True))
    alone = dmlcore.fit([x for x in rows if x is not None], page.LifetimeEstimator())
    assert record.model.p == sum(x is None for x in rows) / 8000
    assert (record.model.dist.shape, record.model.dist.scale) == pytest.approx((alone.model.shape, alone.model.scale), rel=1e-12)


def test_sequence(page: Any) -> None:
    law = SequenceDistribution(page.LifetimeDistribution(1.5, 3.0), PoissonDistribution(4.0))
    rows = law.sample(3000, rng=7)
    record = dmlcore.fit(rows, SequenceEstimator(page.LifetimeEstimator(), PoissonEstimator()))
    alone = dmlcore.fit([x for row in rows for x in row], page.LifetimeEstimator())
    assert (record.model.dist.shape, record.model.dist.scale) == pytest.approx((alone.model.shape, alone.model.scale), rel=1e-12)
    element = rows[next(i for i, row in enumerate(rows) if row)]
    assert law.log_density(element) == pytest.approx(sum(map(law.dist.log_density, element)) + law.len_dist.log_density(len(element)))


def test_keys_pool(page: Any) -> None:
    one, two = (page.LifetimeDistribution(*p).sample(500, rng=1) for p in ((1.5, 3.0), (2.5, 1.0)))
    est = CompositeEstimator((page.LifetimeEstimator(keys="k"), page.LifetimeEstimator(keys="k")))
    model = dmlcore.fit(list(zip(one, two, strict=True)), est).model
    pooled = dmlcore.fit(np.concatenate([one, two]), page.LifetimeEstimator()).model
    assert model.dists[0] is model.dists[1]
    assert (model.dists[0].shape, model.dists[0].scale) == pytest.approx((pooled.shape, pooled.scale), rel=1e-12)
    loose = CompositeEstimator((page.LifetimeEstimator(), page.LifetimeEstimator()))
    assert dmlcore.fit(list(zip(one, two, strict=True)), loose).model.dists[1].shape == pytest.approx(2.5, rel=0.15)


def test_topics_of_a_hierarchical_mixture(page: Any) -> None:
    topics = [page.LifetimeDistribution(*parameters) for parameters in ((1.2, 1.0), (6.0, 8.0))]
    rows = HierarchicalMixtureDistribution(topics, [0.5, 0.5], [[0.8, 0.2], [0.1, 0.9]], PoissonDistribution(6.0)).sample(500, rng=1)
    est = HierarchicalMixtureEstimator([page.LifetimeEstimator()] * 2, 2)
    keyed = MixtureEstimator([SequenceEstimator(MixtureEstimator([page.LifetimeEstimator()] * 2, keys=(None, "topics")))] * 2)
    start = initialize(rows, est, rng=1)
    one = dmlcore.fit(rows, est, start=start, delta=0, max_its=10)
    two = dmlcore.fit(rows, keyed, start=start.to_mixture(), delta=0, max_its=10)
    assert monotone(one)
    np.testing.assert_allclose(one.history, two.history, rtol=1e-10)


def test_statistics_as_a_prior_are_those_of_pseudo_observations(page: Any) -> None:
    est = page.PriorLifetimeEstimator(pseudo_count=6.0, suff_stat=(1.0, 2.0))
    sample = est.statistics(np.array(SAMPLE), np.array(WEIGHTS))
    known = est.resolve(sample)
    plain, law = known.pinned(prior=known.prior.statistics), page.PriorLifetimeDistribution(1.2, 1.0)
    assert plain.has_prior
    assert plain.log_prior(law) == known.log_prior(law) != 0.0
    assert plain.estimate(sample) == known.estimate(sample) != page.LifetimeEstimator().estimate(sample)


def test_the_prior_is_the_pseudo_observations(page: Any) -> None:
    est = page.PriorLifetimeEstimator(pseudo_count=6.0, suff_stat=(1.0, 2.0))
    record = dmlcore.fit(SAMPLE, est, weights=WEIGHTS)
    added = dmlcore.fit([*SAMPLE, 1.0, 2.0], page.LifetimeEstimator(), weights=[*WEIGHTS, 3.0, 3.0])
    assert (record.model.shape, record.model.scale) == pytest.approx((added.model.shape, added.model.scale), rel=1e-12)
    assert record.objective[-1] == pytest.approx(added.log_likelihood, rel=1e-12)
    x = MixtureDistribution([page.LifetimeDistribution(1.2, 1.0), page.LifetimeDistribution(6.0, 8.0)], [0.3, 0.7]).sample(300, rng=2)
    assert monotone(dmlcore.fit(x, MixtureEstimator([est] * 2), rng=4))
    assert from_json(to_json(est)) == est
