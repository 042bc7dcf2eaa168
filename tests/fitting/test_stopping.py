"""When a fit stops, what it says of itself, and what it refuses to start from."""

from __future__ import annotations

import numpy as np
import pytest

from dmlcore import condition, fit, marginal
from dmlcore.base.errors import DataError, StructureError, SupportError
from dmlcore.inference.condition import UNKNOWN
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeDistribution,
    GammaEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    PoissonDistribution,
    PoissonEstimator,
    initialize,
)

TWO = MixtureEstimator([GaussianEstimator()] * 2)


def two_groups(n: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, 1, n // 2), rng.normal(3, 1, n // 2)])


@pytest.mark.parametrize("scale", [1e-300, 1e-8, 1 / 4000, 1e10])
def test_the_scale_of_weights_does_not_matter_to_stopping(scale: float) -> None:
    x = two_groups()
    plain, scaled = fit(x, TWO, rng=1), fit(x, TWO, rng=1, weights=np.full(len(x), scale))
    assert plain.status == scaled.status == "converged"
    assert scaled.log_likelihood / scale == pytest.approx(plain.log_likelihood, rel=1e-10)
    np.testing.assert_allclose([c.mu for c in scaled.model.components], [c.mu for c in plain.model.components], atol=1e-3)


def test_slow_steps_stop_when_little_is_left_and_not_when_they_are_small() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0.0, 1.0, 50), rng.normal(3.0, 1.0, 50)])
    start = MixtureDistribution([GaussianDistribution(-1.0, 1.0), GaussianDistribution(4.0, 1.0)], [0.5, 0.5])
    slow, best = (fit(x, TWO, start=start, accelerate=accelerate) for accelerate in (False, True))
    assert slow.status == "converged"
    assert slow.log_likelihood > best.log_likelihood - 2e-8


def test_a_saddle_is_left_and_recorded() -> None:
    x = two_groups()
    saddle = MixtureDistribution([GaussianDistribution(float(x.mean()), float(x.var()))] * 2, [0.5, 0.5])
    record = fit(x, TWO, start=saddle)
    assert sorted(c.mu for c in record.model.components) == pytest.approx([0.0, 3.0], abs=0.15)
    assert record.log_likelihood == pytest.approx(fit(x, TWO, rng=1).log_likelihood, abs=1e-6)
    assert any("saddle" in event for event in record.events)
    assert (np.diff(record.objective) > -1e-9).all()


def test_a_maximum_is_not_taken_for_a_saddle() -> None:
    x = two_groups()
    optimum = fit(x, TWO, rng=1).model
    again = fit(x, TWO, start=optimum)
    assert again.status == "converged"
    assert again.events == []
    assert again.iterations <= 10


def test_a_component_without_weight_is_recorded() -> None:
    x = two_groups(200)
    far = MixtureDistribution([GaussianDistribution(0.0, 1.0), GaussianDistribution(1e6, 1.0)], [0.5, 0.5])
    assert any("component 1 has no weight" in event for event in fit(x, TWO, start=far).events)


def test_a_start_that_rules_a_row_out_is_blamed_and_not_the_row() -> None:
    with pytest.raises(SupportError, match=r"row 1 has density zero under the start .*begin from another"):
        fit([0, 5], PoissonEstimator(), start=PoissonDistribution(0.0))


@pytest.mark.parametrize(("rows", "estimator"), [([np.inf, 1.0], GaussianEstimator()), ([0.0, 1.0], GammaEstimator())])
def test_an_impossible_row_is_named_before_what_is_left_is_called_constant(rows: list[float], estimator: GaussianEstimator) -> None:
    with pytest.raises(SupportError, match="row 0 has density zero under every choice"):
        fit(rows, estimator)


def test_initialize_names_impossible_rows() -> None:
    with pytest.raises(SupportError, match="row 2"):
        initialize([1.0, 2.0, np.inf, 4.0], TWO, 1)


def test_a_prior_over_too_many_pairs_of_labels_is_refused() -> None:
    rows = [[f"l{5 * i + j}" for j in range(5)] for i in range(300)]
    with pytest.raises(DataError, match="1500 x 1500 pairs of labels"):
        fit(rows, MarkovChainEstimator(pseudo_count=1.0))


def test_what_conditioning_refuses() -> None:
    law = CompositeDistribution((GaussianDistribution(0.0, 1.0), CategoricalDistribution({"a": 1.0})))
    with pytest.raises(StructureError, match="each may be asked for once"):
        marginal(law, [0, 0])
    with pytest.raises(StructureError, match="nothing is unknown"):
        condition(law, (1.0, "a"))
    labels = condition(MixtureDistribution([law, law], [0.5, 0.5]), (1.0, UNKNOWN))
    with pytest.raises(StructureError, match="a categorical has no mean"):
        labels.mean()


def test_an_interrupt_inside_a_kernel_call_returns_the_best_so_far() -> None:
    def callback(step: int, *_: object) -> None:
        if step == 2:
            raise SystemError("returned a result with an exception set") from KeyboardInterrupt()
        if step > 2:
            raise SystemError("not an interrupt")

    assert fit(two_groups(200), TWO, rng=1, callback=callback).status == "interrupted"
    with pytest.raises(SystemError, match="not an interrupt"):
        fit(two_groups(200), TWO, rng=1, callback=lambda step, *_: callback(step + 3))
