"""One kind of node: what a leaf has by default, and what a family may write anew."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore.base.domains import positive, real
from dmlcore.base.errors import EmptyError, LikelihoodError, StructureError
from dmlcore.base.support import POSITIVE
from dmlcore.core.declared import name, parameter, setting
from dmlcore.core.distribution import Distribution, typical_of
from dmlcore.core.estimator import Estimator
from dmlcore.core.rowlaws import Fixed
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Real
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.starts import random_start
from dmlcore.fitting.stopping import fell
from dmlcore.stats import (
    BernoulliSetEstimator,
    CompositeEstimator,
    GammaEstimator,
    HeterogeneousMixtureEstimator,
    LinearRegressionEstimator,
    MixtureEstimator,
    OptionalEstimator,
    PoissonEstimator,
)

pytestmark = pytest.mark.usefixtures("short_searches")


class LogTDistribution(Distribution):
    """exp(mu + sigma t), t of Student's law with 4 degrees of freedom."""

    mu: float = parameter(real)
    sigma: float = parameter(positive)
    name: str | None = name()

    kind = Real
    support = POSITIVE

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        assert (x > 0).all()
        t = (np.log(x) - self.mu) / self.sigma
        return math.log(0.375) - math.log(self.sigma) - np.log(x) - 2.5 * np.log1p(t * t / 4)

    def estimator(self, pseudo_count: Any = None) -> Any:
        return LogTEstimator()


class LogTEstimator(Estimator):
    """By EM: each value has a precision of its own, of which the law knows the mean (Dempster, Laird and Rubin 1977, section 4.6)."""

    name: str | None = name()
    seen: Any = setting()

    family = LogTDistribution

    def statistics(self, x: np.ndarray, weights: np.ndarray, law: Any = None) -> Sums:
        assert law is None or isinstance(law, LogTDistribution)
        y = np.log(x)
        precise = weights if law is None else weights * 5 / (4 + ((y - law.mu) / law.sigma) ** 2)
        return Sums(count=weights.sum(), precise=precise.sum(), y=precise @ y, square=precise @ (y * y))

    def estimate(self, statistics: Sums, previous: Any = None) -> LogTDistribution:
        mu = statistics.y / statistics.precise
        square = statistics.square - statistics.y * mu
        return LogTDistribution(float(mu), math.sqrt(square / statistics.count))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_statistics_may_see_the_law(rng: np.random.Generator) -> None:
    x = np.exp(1.5 + 0.5 * rng.standard_t(4, 400))
    record = dmlcore.fit(x, LogTEstimator(), rng=1)
    assert not any(fell(a, b) for a, b in zip(record.history, record.history[1:], strict=False))
    best = record.model.seq_log_density(x).sum()
    for dmu, dsigma in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)):
        assert LogTDistribution(record.model.mu + dmu, record.model.sigma + dsigma).seq_log_density(x).sum() < best


@pytest.mark.parametrize("repeats", [1, 40])
def test_in_mixtures_each_component_sees_its_own_law(rng: np.random.Generator, repeats: int) -> None:
    x = np.concatenate([np.exp(0.3 * rng.standard_t(4, 300)), np.exp(5 + 0.3 * rng.standard_t(4, 300))])
    rows = np.repeat(np.round(x, 2) + 0.01, repeats).tolist()  # repeated values are scored once
    record = dmlcore.fit(rows, MixtureEstimator([LogTEstimator()] * 2), rng=1)
    assert sorted(c.mu for c in record.model.components) == pytest.approx([0, 5], abs=0.1)
    assert not any(fell(a, b) for a, b in zip(record.history, record.history[1:], strict=False))
    fields = [(v if i % 7 else None, i % 3) for i, v in enumerate(rows)]
    parts = CompositeEstimator((OptionalEstimator(LogTEstimator()), PoissonEstimator()))
    assert dmlcore.fit(fields, MixtureEstimator([parts] * 2), rng=1, max_its=20).history


def test_values_of_another_kind_or_outside_the_support_reach_no_leaf(rng: np.random.Generator) -> None:
    rows: list[Any] = [*np.exp(rng.standard_t(4, 50)), *rng.poisson(3, 50).tolist(), -1.0]
    rows = [float(v) for v in rows[:50]] + [int(v) for v in rows[50:100]]
    model = dmlcore.fit(rows, HeterogeneousMixtureEstimator([LogTEstimator(), PoissonEstimator()]), rng=1, max_its=20).model
    assert np.isfinite(model.seq_log_density(rows)).all()
    assert model.log_density(-1.5) == -np.inf


class BrokenDistribution(LogTDistribution):
    """One whose density has a fault."""

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 5, np.nan, super().log_densities(x))

    def estimator(self, pseudo_count: Any = None) -> Any:
        return BrokenEstimator()


class BrokenEstimator(LogTEstimator):
    family = BrokenDistribution

    def estimate(self, statistics: Sums, previous: Any = None) -> LogTDistribution:
        law = super().estimate(statistics, previous)
        return BrokenDistribution(law.mu, law.sigma)


@pytest.mark.parametrize(
    ("estimator", "said"),
    [(BrokenEstimator(), "row 2: the log density is NaN"), (MixtureEstimator([BrokenEstimator()] * 2), "a log density is NaN")],
)
def test_a_density_that_is_no_number_is_named(estimator: Any, said: str) -> None:
    with pytest.raises(LikelihoodError, match=said):
        dmlcore.fit([1.0, 2.0, 7.0, 3.0], estimator, rng=1, starts=1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LogTDistribution(1.0, 2.0, "x", 4), "LogTDistribution: got 4 values by their place, and takes 3: mu, sigma, name"),
        (lambda: LogTDistribution(1.0), r"LogTDistribution: sigma is missing; it takes LogTDistribution\(mu, sigma\)"),
        (lambda: LogTDistribution(1.0, sigme=2.0), "LogTDistribution: there is no argument sigme; did you mean sigma?"),
        (lambda: LogTDistribution(1.0, w=2.0), "LogTDistribution: there is no argument w; there are mu, sigma, name"),
        (lambda: LogTDistribution(1.0, mu=2.0), "LogTDistribution: mu is given twice; give it once"),
    ],
)
def test_wrong_arguments_are_named(make: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        make()


class BareDistribution(Distribution):
    """What a user has begun to write."""

    name: str | None = name()

    kind = Real

    def estimator(self, pseudo_count: Any = None) -> Any:
        return BareEstimator()


class BareEstimator(Estimator):
    name: str | None = name()

    family = BareDistribution


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: BareDistribution().log_density(1.0), "BareDistribution has no log_densities"),
        (lambda: BareDistribution().sample(2), "BareDistribution cannot be sampled"),
        (lambda: Distribution.estimator(BareDistribution()), "BareDistribution has no estimator"),
        (lambda: BareDistribution().expected_statistics(1.0), r"BareDistribution has no expected_statistics\(count\)"),
        (lambda: BareDistribution().log_likelihood(1.0), "BareDistribution takes no pseudo-observations"),
        (lambda: dmlcore.fit([1.0], BareEstimator()), r"BareEstimator has no statistics\(x, weights\)"),
        (lambda: BareEstimator().estimate(None), r"BareEstimator has no estimate\(statistics, previous\)"),
        (lambda: typical_of(BareDistribution()), r"has no typical\(\), mode\(\) or mean\(\)"),
        (lambda: Fixed(BareDistribution()).ask("mean"), r"has no mean\(\)"),
    ],
)
def test_what_a_family_has_not_got_is_named(call: Any, said: str) -> None:
    with pytest.raises(StructureError, match=said):
        call()


EMPTY: list[Any] = [
    (GammaEstimator(), [1.0, 2.0]),
    (LogTEstimator(), [1.0, 2.0]),
    (BernoulliSetEstimator(), [{"a"}, {"b"}]),
    (LinearRegressionEstimator(), [([1.0], 2.0), ([2.0], 3.5), ([3.0], 1.0)]),
]


@pytest.mark.parametrize(("estimator", "rows"), EMPTY, ids=[e.label for e, _ in EMPTY])
def test_the_rule_for_a_component_without_weight_stands_once(estimator: Any, rows: list[Any]) -> None:
    assert type(estimator).assemble is Estimator.assemble or type(estimator).__name__ == "LinearRegressionEstimator"
    problem = Problem.of(rows, estimator)
    model = random_start(problem, np.random.default_rng(1), 1.0)
    nothing = Problem.of(rows, estimator).weighted(np.zeros(len(problem.encoded))).expect(model)[1]
    assert problem.maximise(nothing, model) is model
    with pytest.raises(EmptyError, match="no row gives it any weight"):
        problem.maximise(nothing, None)


def test_the_least_and_the_greatest_are_not_scaled() -> None:
    sums = Sums(count=2.0, low=-1.0, high=3.0).scaled(0.5)
    assert dict(sums.items()) == {"count": 1.0, "low": -1.0, "high": 3.0}


@pytest.mark.parametrize("kind", ["distribution", "estimator"])
def test_old_names_of_bases_work_and_warn(kind: str) -> None:
    module = getattr(__import__(f"dmlcore.core.{kind}").core, kind)
    with pytest.warns(DeprecationWarning, match="has children"):
        assert getattr(module, f"Combinator{kind.title()}") is getattr(module, kind.title())
    with pytest.raises(AttributeError):
        _ = module.Nothing
