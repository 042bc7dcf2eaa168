"""Hard and stochastic EM, and the removal of light components."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans

from dmlcore import fit, iterate
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.core.mixing import Drawn, largest
from dmlcore.fitting.problem import Problem
from dmlcore.selection import bic
from dmlcore.selection.criteria import free_parameters
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    GatedMixtureDistribution,
    GatedMixtureEstimator,
    GaussianDistribution,
    GaussianEstimator,
    HierarchicalMixtureDistribution,
    JointMixtureDistribution,
    LinearRegressionEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialLogisticRegressionDistribution,
    OptionalDistribution,
    OptionalEstimator,
    PoissonDistribution,
    PoissonEstimator,
    PoissonRegressionDistribution,
    SequenceDistribution,
)
from tests.reference import load

TWO = MixtureEstimator([GaussianEstimator()] * 2)


def two_groups(n: int = 1000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, 1, n // 2), rng.normal(3, 1, n - n // 2)])


class UnitGaussianEstimator(GaussianEstimator):
    """A Gaussian whose variance is held at one."""

    def estimate(self, statistics: Any, previous: Any = None) -> GaussianDistribution:
        return GaussianDistribution(float(statistics.mean), 1.0)


def test_hard_em_of_equal_unit_gaussians_is_k_means() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 2)) + 3.0 * rng.integers(3, size=(400, 1))
    centres, K = x[:4], 4
    peer = KMeans(K, init=centres, n_init=1, tol=0, algorithm="lloyd").fit(x)
    start = MixtureDistribution(
        [CompositeDistribution([GaussianDistribution(m, 1.0) for m in row.tolist()]) for row in centres], [1 / K] * K
    )
    unit = CompositeEstimator([UnitGaussianEstimator()] * 2)
    record = fit([tuple(row) for row in x.tolist()], MixtureEstimator([unit] * K, [1 / K] * K), start=start, assign="hard")
    means = np.array([[d.mu for d in c.dists] for c in record.model.components])
    np.testing.assert_allclose(means, peer.cluster_centers_, rtol=1e-12)
    assert record.objective[-1] == pytest.approx(-peer.inertia_ / 2 - len(x) * np.log(2 * np.pi * K), rel=1e-12)
    assert record.status == "converged"


# -- hard EM: the classification likelihood, over all latent levels -------------------------------------------------------------


def classified(law: Any, x: Any) -> float:
    """`max_z log p(x, z)` of one observation, by the recursion itself."""
    if isinstance(law, MixtureDistribution):
        return max(np.log(w) + classified(c, x) for w, c in zip(law.w, law.components, strict=True) if w > 0)
    if isinstance(law, GatedMixtureDistribution):
        return max(np.log(w) + classified(c, x[1]) for w, c in zip(law.weights_given([x[0]])[0], law.components, strict=True))
    if isinstance(law, JointMixtureDistribution):
        one, two = ([classified(c, side) for c in part] for part, side in zip((law.components1, law.components2), x, strict=True))
        return max(np.log(law.pairs[k, l]) + a + b for k, a in enumerate(one) for l, b in enumerate(two) if law.pairs[k, l] > 0)
    if isinstance(law, CompositeDistribution):
        return sum(classified(d, value) for d, value in zip(law.dists, x, strict=True))
    if isinstance(law, SequenceDistribution):
        return sum(classified(law.dist, value) for value in x) + law.len_dist.log_density(len(x))
    if isinstance(law, OptionalDistribution) and x is not None:
        return np.log1p(-law.p) + classified(law.dist, x)
    return float(law.log_density(x))


def gaussians(*means: float, keys: str | None = None) -> list[Any]:
    return [GaussianDistribution(m, 1.0, None, keys) for m in means]


def poissons(*means: float) -> list[Any]:
    return [PoissonDistribution(m) for m in means]


NESTED = MixtureDistribution(
    [MixtureDistribution(gaussians(-4, -1), [0.5, 0.5]), MixtureDistribution(gaussians(2, 5), [0.3, 0.7])], [0.4, 0.6]
)
COUNTS = MixtureDistribution(
    [MixtureDistribution(poissons(1, 4), [0.5, 0.5]), MixtureDistribution(poissons(9, 20), [0.3, 0.7])], [0.4, 0.6]
)
LAWS: dict[str, Any] = {
    "mixture": MixtureDistribution(gaussians(0, 2), [0.3, 0.7]),
    "nested": NESTED,
    "nested on repeated counts": COUNTS,
    "groups": MixtureDistribution(
        [SequenceDistribution(MixtureDistribution(poissons(a, b), [0.5, 0.5]), PoissonDistribution(2.0)) for a, b in ((1, 5), (3, 12))],
        [0.5, 0.5],
    ),
    "optional composite": CompositeDistribution([OptionalDistribution(COUNTS, 0.2), MixtureDistribution(gaussians(0, 3), [0.5, 0.5])]),
    "hierarchical": HierarchicalMixtureDistribution(
        gaussians(0, 2, 5), [0.5, 0.5], [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], PoissonDistribution(4.0)
    ),
    "joint": JointMixtureDistribution(gaussians(0, 3), poissons(2, 8, 15), [0.4, 0.6], None, [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]),
    "tied": MixtureDistribution(
        [MixtureDistribution(gaussians(0, 3), w, None, (None, "topics")) for w in ([0.9, 0.1], [0.3, 0.7])], [0.5, 0.5]
    ),
}
ROWS = 150
GATED = GatedMixtureDistribution(gaussians(0, 2.5), MultinomialLogisticRegressionDistribution([[1.0]], [0.3], (0, 1)))


def rows_of(name: str) -> tuple[Any, list[Any]]:
    if name == "gated":
        z = np.random.default_rng(1).normal(size=(ROWS, 1))
        return GATED, list(zip(z.tolist(), GATED.sample_given(z, 5).tolist(), strict=True))
    return LAWS[name], LAWS[name].sample(ROWS, rng=5)


def classified_sum(law: Any, rows: list[Any], weights: np.ndarray) -> float:
    plain = law.to_mixture() if isinstance(law, HierarchicalMixtureDistribution) else law
    return float(weights @ [classified(plain, x) for x in rows])


@pytest.mark.parametrize("name", [*LAWS, "gated"])
def test_hard_em_raises_the_classification_likelihood_over_all_levels(name: str) -> None:
    law, rows = rows_of(name)
    weights = np.random.default_rng(2).integers(1, 4, size=len(rows)).astype(float)
    record = fit(rows, law.estimator(), start=law, weights=weights, assign="hard", max_its=30)
    objective = np.array(record.objective)
    assert objective[0] == pytest.approx(classified_sum(law, rows, weights), rel=1e-12)
    assert objective[-1] == pytest.approx(classified_sum(record.model, rows, weights), rel=1e-12)
    assert (np.diff(objective) >= -1e-10 * abs(objective[0])).all()
    assert objective[-1] > objective[0] + 1
    assert record.status in ("converged", "iteration limit", "degenerate")
    assert "classification" in record.message
    assert record.assign == "hard"
    assert record.log_likelihood == pytest.approx(weights @ record.model.seq_log_density(rows), rel=1e-12)


def test_hard_em_with_a_prior_maximises_both() -> None:
    x = two_groups()
    record = fit(x, MixtureEstimator([GaussianEstimator((5.0, 5.0), (1.0, 1.0))] * 2, None, None, 10.0), starts=1, rng=1, assign="hard")
    assert (np.diff(record.objective) >= -1e-8).all()
    assert len(record.objective) > 5


def test_hard_em_of_regressions_is_least_squares_by_turns() -> None:
    case = load("flexmix_npreg")["data"]
    x, y = (np.array(case[name]) for name in ("x", "yn"))
    design = np.stack([np.ones_like(x), x, x * x], axis=1)
    rows = list(zip(design[:, 1:].tolist(), y.tolist(), strict=True))
    soft = fit(rows, MixtureEstimator([LinearRegressionEstimator()] * 2), rng=1, starts=4)
    record = fit(rows, MixtureEstimator([LinearRegressionEstimator()] * 2), start=soft.model, assign="hard")

    z = soft.model.seq_posterior(rows).argmax(axis=1)
    before = -np.inf
    for _ in range(100):
        joint = np.empty((len(y), 2))
        for k in range(2):
            own = z == k
            beta = np.linalg.lstsq(design[own], y[own], rcond=None)[0]
            residual = y - design @ beta
            variance = (residual[own] ** 2).mean()
            joint[:, k] = np.log(own.mean()) - 0.5 * np.log(2 * np.pi * variance) - residual**2 / (2 * variance)
        z, value = joint.argmax(axis=1), joint.max(axis=1).sum()
        if value == before:
            break
        before = value
    assert record.objective[-1] == pytest.approx(before, rel=1e-12)
    assert record.objective[0] == pytest.approx(sum(classified(soft.model, row) for row in rows), rel=1e-12)
    assert record.objective[-1] > record.objective[0]
    assert record.log_likelihood < soft.log_likelihood


def test_results_of_hard_em_do_not_depend_on_threads() -> None:
    x = NESTED.sample(70_000, rng=1)
    one, two = (fit(x, NESTED.estimator(), start=NESTED, assign="hard", max_its=4, threads=t) for t in (1, 2))
    assert one.objective == two.objective
    assert one.model == two.model


# -- stochastic EM ----------------------------------------------------------------------------------------------------------------


def test_a_seed_gives_one_stochastic_fit_for_any_number_of_threads() -> None:
    x = COUNTS.sample(70_000, rng=1)
    one, two, other = (
        fit(x, COUNTS.estimator(), start=COUNTS, assign="stochastic", max_its=3, threads=t, rng=seed)
        for t, seed in ((1, 7), (2, 7), (1, 8))
    )
    assert one.history == two.history
    assert one.model == two.model
    assert one.history != other.history


@pytest.mark.parametrize("name", [*LAWS, "gated"])
def test_drawn_classes_are_right_on_average(name: str) -> None:
    """What a step adds up is, over many draws, what EM expects; each draw differs from it."""
    law, rows = rows_of(name)
    weights = np.random.default_rng(2).integers(1, 4, size=len(rows)).astype(float)
    problem = Problem.of(rows, law.estimator(), weights)
    value, wanted = problem.expect(law)
    drawn = problem.assigned("stochastic", np.random.default_rng(3))
    passes = [drawn.expect(law) for _ in range(200)]
    assert {round(found, 6) for found, _ in passes} == {round(value, 6)}
    for i, own in enumerate(wanted):
        if isinstance(own, np.ndarray) and own.size > 1:
            sums = np.array([owns[i] for _, owns in passes])
            error = sums.std(axis=0) / np.sqrt(len(sums))
            assert (np.abs(sums.mean(axis=0) - own) <= 5 * error + 1e-9).all()
            assert name == "optional composite" or error.max() > 0


def test_rows_that_are_alike_are_drawn_apart_and_keep_their_weight() -> None:
    law = MixtureDistribution(poissons(2.0, 2.0), [0.5, 0.5])
    problem = Problem.of([2] * 1000, law.estimator(), np.full(1000, 3.0))
    assert len(problem.encoded) == 1
    held = problem.assigned("stochastic", np.random.default_rng(0)).expect(law)[1][0]
    assert held.sum() == 3000.0
    assert 1200 < held[0] < 1800
    assert held[0] % 3 == 0


def test_a_stochastic_fit_wanders_about_the_maximum_and_returns_the_best() -> None:
    x = two_groups(4000)
    best = fit(x, TWO, rng=1)
    seen: list[list[float]] = []
    record = fit(
        x,
        TWO,
        start=best.model,
        assign="stochastic",
        rng=2,
        max_its=200,
        callback=lambda step, log, law: seen.append([c.mu for c in law.components]),
    )
    path = np.array(seen[50:])
    assert (path.std(axis=0) > 0).all()
    np.testing.assert_allclose(path.mean(axis=0), [c.mu for c in best.model.components], atol=0.05)
    assert record.log_likelihood == max(record.history[1:])
    assert best.log_likelihood - 0.5 < record.log_likelihood <= best.log_likelihood + 1e-9
    assert record.status == "iteration limit"
    assert f"of 200 steps, the data chose the model after step {record.iterations}" in record.events


def test_patience_ends_a_stochastic_fit() -> None:
    record = fit(two_groups(), TWO, starts=1, assign="stochastic", rng=2, patience=20)
    assert record.status == "converged"
    assert "20 steps" in record.message
    assert record.log_likelihood == max(record.history[1:])


def test_stochastic_em_of_an_estimator_that_takes_steps() -> None:
    law = MixtureDistribution([PoissonRegressionDistribution([0.5], 0.0), PoissonRegressionDistribution([-0.5], 2.0)], [0.5, 0.5])
    x = np.random.default_rng(1).normal(size=(500, 1))
    which = np.random.default_rng(2).integers(2, size=500)
    both = np.array([c.sample_given(x, 3) for c in law.components])
    rows = list(zip(x.tolist(), both[which, np.arange(500)].tolist(), strict=True))
    best = fit(rows, law.estimator(), start=law)
    record = fit(rows, law.estimator(), start=law, assign="stochastic", rng=1, max_its=60)
    assert best.log_likelihood - 2 < record.log_likelihood <= best.log_likelihood + 1e-9


def test_the_rules_on_small_tables() -> None:
    joint = np.array([[-1.0, -np.inf, -2.0, -np.inf], [-3.0, -np.inf, -2.0, -5.0]])
    log, chosen = largest(joint)
    assert log.tolist() == [-1.0, -np.inf, -2.0, -5.0]
    assert chosen.tolist() == [[1, 0, 1, 0], [0, 0, 0, 1]]
    log, drawn = Drawn(0)(np.repeat(joint, 1000, axis=1))
    assert log[0] == pytest.approx(np.logaddexp(-1, -3))
    assert drawn[0].reshape(4, 1000).mean(axis=1) == pytest.approx([1 / (1 + np.exp(-2)), 0, 0.5, 0], abs=0.05)
    assert drawn.sum(axis=0).reshape(4, 1000).mean(axis=1).tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({"assign": "classify"}, "one of 'soft', 'hard', 'stochastic'"),
        ({"assign": "hard", "accelerate": True}, "assign='soft'"),
        ({"assign": "stochastic", "delta": 1e-3}, "patience"),
        ({"assign": "stochastic", "change": 1e-3}, "patience"),
        ({"assign": "hard", "patience": 5}, "vdata"),
        ({"min_share": 1.0}, "min_share"),
        ({"min_share": "0.1"}, "min_share"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], needed: str) -> None:
    with pytest.raises(ParameterError, match=needed):
        fit(two_groups(), TWO, **options)


# -- light components -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assign", ["soft", "hard", "stochastic"])
def test_light_components_leave(assign: str) -> None:
    x = two_groups(2000)
    start = MixtureDistribution(gaussians(0, 3, 6, 7), [0.5, 0.4, 0.05, 0.05])
    estimator = MixtureEstimator([GaussianEstimator()] * 4, None, [4, 3, 2, 1], 2.0)
    record = fit(x, estimator, start=start, min_share=0.2, assign=assign, max_its=100, rng=1)
    assert record.removed == 2
    assert [e.split()[3] for e in record.events if "was removed" in e] in (["3", "2"], ["2", "3"])
    assert record.model.w.min() >= 0.2
    assert record.estimator == MixtureEstimator([GaussianEstimator()] * 2, None, np.array([4.0, 3.0]), 2.0)
    assert sorted(c.mu for c in record.model.components) == pytest.approx([0, 3], abs=0.4)
    falls = np.flatnonzero(np.diff(record.objective) < -1e-8)
    assert assign == "stochastic" or len(falls) <= 2
    assert record.log_likelihood == pytest.approx(record.model.seq_log_density(x).sum(), rel=1e-12)
    assert free_parameters(record.model, record.estimator) == 5
    assert np.isfinite(bic(record.log_likelihood, record.model, 2000, record.estimator))


def test_components_that_leave_are_called_by_their_first_numbers() -> None:
    start = MixtureDistribution(gaussians(0, 7, 6, 3), [0.5, 0.01, 0.02, 0.47])
    record = fit(two_groups(200), MixtureEstimator([GaussianEstimator()] * 4), start=start, min_share=0.2)
    assert [event.split()[3] for event in record.events if "was removed" in event] == ["1", "2"]


def test_removal_ends_where_a_fit_of_fewer_components_does() -> None:
    x = two_groups(400)
    record = fit(x, MixtureEstimator([GaussianEstimator()] * 3), rng=1, starts=1, min_share=0.25)
    two = MixtureDistribution(gaussians(0, 3), [0.5, 0.5])
    assert record.removed == 1
    assert record.log_likelihood == pytest.approx(fit(x, TWO, start=two).log_likelihood, abs=1e-6)


def test_one_component_stays() -> None:
    record = fit(two_groups(), TWO, rng=1, starts=1, min_share=0.999)
    assert record.model.w.tolist() == [1.0]
    assert record.removed == 1
    assert record.status == "converged"
    assert record.model.components[0].mu == pytest.approx(two_groups().mean())


def test_an_interrupted_fit_has_the_estimator_of_its_model() -> None:
    def stop(step: int, log_likelihood: float, model: Any) -> None:
        if model.num_components < 4:
            raise KeyboardInterrupt

    start = MixtureDistribution(gaussians(0, 3, 6, 7), [0.5, 0.4, 0.05, 0.05])
    record = fit(two_groups(), MixtureEstimator([GaussianEstimator()] * 4), start=start, min_share=0.2, callback=stop)
    assert record.status == "interrupted"
    assert record.removed == 1
    assert record.model.num_components == record.estimator.num_components == 3
    assert sum("was removed" in event for event in record.events) == 1


def test_exactly_so_many_steps_are_taken() -> None:
    hard = iterate(two_groups(), TWO, 3, rng=1, assign="hard")
    assert hard == fit(two_groups(), TWO, starts=1, rng=1, max_its=3, assign="hard").model
    drawn = fit(two_groups(), TWO, starts=1, rng=1, max_its=7, delta=0.0, assign="stochastic")
    assert "of 7 steps" in drawn.events[-1]


def test_what_is_tied_within_components_stays_tied() -> None:
    rng = np.random.default_rng(1)
    rows = list(zip(two_groups(300).tolist(), rng.poisson(4.0, 300).tolist(), strict=True))
    estimator = MixtureEstimator([CompositeEstimator([GaussianEstimator(), PoissonEstimator(keys="lam")])] * 3)
    record = fit(rows, estimator, rng=1, starts=1, min_share=0.3)
    lams = {c.dists[1].lam for c in record.model.components}
    assert record.removed >= 1
    assert len(lams) == 1
    assert lams.pop() == pytest.approx(np.mean([row[1] for row in rows]))


def test_a_gated_mixture_without_a_component_keeps_the_odds_of_the_others() -> None:
    gate = MultinomialLogisticRegressionDistribution([[1.0, 0.5], [-2.0, 0.1]], [0.3, 0.7], (0, 1, 2))
    law = GatedMixtureDistribution(gaussians(0, 3, 6), gate)
    z = np.random.default_rng(0).normal(size=(5, 2))
    for k in range(3):
        rest = np.delete(law.weights_given(z), k, axis=1)
        np.testing.assert_allclose(law.without(k).weights_given(z), rest / rest.sum(axis=1, keepdims=True), rtol=1e-12)
        assert [c.mu for c in law.without(k).components] == [m for j, m in enumerate((0, 3, 6)) if j != k]


def test_light_components_leave_a_gated_mixture() -> None:
    _, rows = rows_of("gated")
    three = MultinomialLogisticRegressionDistribution([[0.0], [1.0]], [2.0, 2.0], (0, 1, 2))
    start = GatedMixtureDistribution(gaussians(9, 0, 3), three)
    record = fit(rows, GatedMixtureEstimator([GaussianEstimator()] * 3), start=start, min_share=0.2)
    assert record.removed == 1
    assert record.log_likelihood == pytest.approx(fit(rows, GATED.estimator(), start=GATED).log_likelihood, abs=1e-6)
    last = fit(rows, GatedMixtureEstimator([GaussianEstimator()] * 2), start=GATED, min_share=0.9)
    assert last.model.num_components == 1
    assert last.model.components[0].mu == pytest.approx(np.mean([x for _, x in rows]))


def test_where_no_component_can_leave() -> None:
    x = two_groups()
    with pytest.raises(ParameterError, match="fixed_weights"):
        fit(x, MixtureEstimator([GaussianEstimator()] * 2, [0.5, 0.5]), min_share=0.1)
    with pytest.raises(StructureError, match="gaussian cannot lose"):
        fit(x, GaussianEstimator(), min_share=0.1)
    inner = MixtureEstimator([GaussianEstimator()] * 2, keys=("w", None))
    with pytest.raises(ParameterError, match="tied by a key"):
        fit(x, MixtureEstimator([inner, inner], keys=("w", None)), min_share=0.1)


def test_labels_as_a_start_are_a_hard_assignment() -> None:
    values = ["a"] * 6 + ["b"] * 4
    laws = [CategoricalDistribution({"a": p, "b": 1 - p}) for p in (0.9, 0.2)]
    record = fit(values, MixtureDistribution(laws, [0.5, 0.5]).estimator(), start=[0] * 6 + [1] * 4, assign="hard")
    assert record.model.w.tolist() == [0.6, 0.4]
    assert record.objective[-1] == pytest.approx(6 * np.log(0.6) + 4 * np.log(0.4))


def test_stochastic_em_reads_labels_that_may_be_missing() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (None if gone else "abc"[k], count)
        for gone, k, count in zip(rng.random(60) < 0.2, rng.integers(3, size=60), range(60), strict=True)
    ]
    fields = (OptionalEstimator(CategoricalEstimator(), est_prob=True), GaussianEstimator())
    ended = fit(rows, MixtureEstimator([CompositeEstimator(fields)] * 2), assign="stochastic", rng=0, max_its=3)
    assert np.isfinite(ended.history).all()
