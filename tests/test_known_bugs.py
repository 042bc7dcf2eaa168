"""What was wrong in the predecessor, or goes wrong in systems people trust, and must not go wrong here. One test each.

The first part was reproduced on dmx-learn 1.1.1; the second was seen in systems of many kinds.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import DataError, DegenerateError, EmptyError, FitWarning, ParameterError, StructureError
from dmlcore.core.distribution import Distribution
from dmlcore.stats import *  # noqa: F403
from dmlcore.stats import (
    BernoulliSetDistribution,
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    DiagonalGaussianDistribution,
    DiagonalGaussianEstimator,
    ExponentialDistribution,
    ExponentialEstimator,
    GammaDistribution,
    GammaEstimator,
    GaussianDistribution,
    GaussianEstimator,
    GeometricDistribution,
    GeometricEstimator,
    HeterogeneousMixtureDistribution,
    HierarchicalMixtureDistribution,
    IntegerCategoricalDistribution,
    JointMixtureDistribution,
    MarkovChainDistribution,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianDistribution,
    MultivariateGaussianEstimator,
    OptionalEstimator,
    PoissonDistribution,
    PoissonEstimator,
    SequenceEstimator,
    SpikeAndSlabEstimator,
    WeightedDistribution,
    estimate,
    seq_estimate,
)
from dmlcore.utils.estimation import best_of, optimize
from tests.examples import EXAMPLES, Example

# -- the predecessor -----------------------------------------------------------------------------------------------------

TIED = {
    "Gaussian": (GaussianEstimator, [1.0, 2.0], [30.0, 50.0], lambda d: (d.mu, d.sigma2)),
    "Exponential": (ExponentialEstimator, [1.0, 2.0], [30.0, 50.0], lambda d: (d.beta,)),
    "Gamma": (GammaEstimator, [1.0, 2.0], [30.0, 50.0], lambda d: (d.k, d.theta)),
    "Geometric": (GeometricEstimator, [1, 2], [30, 50], lambda d: (d.p,)),
    "DiagonalGaussian": (DiagonalGaussianEstimator, [[1.0, 0.0], [2.0, 5.0]], [[9.0, 7.0], [4.0, 4.0]], lambda d: (*d.mu, *d.covar)),
    "MultivariateGaussian": (
        MultivariateGaussianEstimator,
        [[1.0, 0.0], [2.0, 5.0], [0.0, 1.0]],
        [[9.0, 7.0], [4.0, 4.0], [3.0, 8.0]],
        lambda d: (*d.mu, *d.covar.ravel()),
    ),
}


@pytest.mark.parametrize("how", ["optimize", "estimate", "seq_estimate", "mixture"])
@pytest.mark.parametrize("family", TIED)
def test_tied_fields_use_the_data_of_both(family: str, how: str) -> None:
    estimator, x, y, values = TIED[family]
    pair = CompositeEstimator((estimator(keys="k"), estimator(keys="k")))
    rows = list(zip(x, y, strict=True))
    pooled = values(estimate(x + y, estimator()))
    if how == "optimize":
        model = optimize(rows, pair)
    elif how == "estimate":
        model = estimate(rows, pair)
    else:
        start = optimize([(a, a) for a in x + y], pair)
        if how == "seq_estimate":
            model = seq_estimate(start.seq_encode(rows), pair, start)
        else:  # and fitted mixtures keep their keys
            two = MixtureEstimator([pair, pair], keys=("w", None))
            model = optimize(rows, two, 3, 0.0, prev_estimate=MixtureDistribution([start, start], [0.5, 0.5]))
            assert model.keys == ("w", None)
            model = model.components[1]
    for dist in model.dists:
        assert values(dist) == pytest.approx(pooled, rel=1e-9)
        assert dist.keys in ("k", ("k", "k"))


@pytest.mark.parametrize("sigma2", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_variances_are_refused_not_replaced(sigma2: float) -> None:
    with pytest.raises(ParameterError, match="sigma2"):
        GaussianDistribution(0.0, sigma2)
    with pytest.raises(DegenerateError, match="equal"):
        estimate([3.0] * 10, GaussianEstimator())


@pytest.mark.parametrize("seed", range(10))
def test_likelihood_never_falls_on_tied_data(seed: int) -> None:
    x = np.random.default_rng(seed).integers(0, 4, 60).astype(float)
    record = fit(x, MixtureEstimator([GaussianEstimator()] * 4), rng=seed, max_its=100, delta=0.0)
    assert record.iterations == 100
    assert np.diff(record.history).min() >= -1e-9


def test_variance_survives_an_offset_of_1e8() -> None:
    x = np.array([1.0, 2.0, 4.0, 9.0])
    assert estimate(x + 1e8, GaussianEstimator()).sigma2 == pytest.approx(x.var(), rel=1e-12)
    both = np.stack([x, x[::-1] ** 2], axis=1)
    assert estimate(both + 1e8, DiagonalGaussianEstimator()).covar == pytest.approx(both.var(axis=0), rel=1e-9)
    assert estimate(both + 1e8, MultivariateGaussianEstimator()).covar.ravel() == pytest.approx(np.cov(both.T, bias=True).ravel(), rel=1e-9)


def test_spike_is_the_most_frequent_value() -> None:
    model = estimate([0, 7, 7, 7, 3], SpikeAndSlabEstimator())
    assert (model.k, model.min_val, model.num_vals) == (7, 0, 8)
    assert model.p == pytest.approx(0.6)
    assert model.density(3) == pytest.approx(0.4 / 7)


def test_hierarchical_component_densities_agree_one_by_one_and_together() -> None:
    topics = [GaussianDistribution(-1.0, 1.0), GaussianDistribution(2.0, 0.5)]
    model = HierarchicalMixtureDistribution(topics, [0.3, 0.7], [[0.9, 0.1], [0.2, 0.8]], PoissonDistribution(2.0))
    rows = [[0.1, 2.0], [], [5.0, -3.0, 1.0]]
    together = model.seq_component_log_density(model.seq_encode(rows))
    for x, row in zip(rows, together, strict=True):
        np.testing.assert_allclose(model.component_log_density(x), row, rtol=1e-12)
        by_hand = [
            model.len_dist.log_density(len(x))
            + sum(np.log(sum(t * topic.density(v) for t, topic in zip(tau, topics, strict=True))) for v in x)
            for tau in model.taus
        ]
        np.testing.assert_allclose(row, by_hand, rtol=1e-12)


def test_markov_chain_densities_agree_where_a_row_is_absent() -> None:
    model = MarkovChainDistribution({"a": 0.5, "b": 0.5}, {"a": {"a": 0.1, "b": 0.9}})
    rows = [["a", "b"], ["b", "a"], ["b"], [], ["a", "z"]]
    together = model.seq_log_density(model.seq_encode(rows))
    assert together.tolist() == [model.log_density(x) for x in rows]
    assert together.tolist() == pytest.approx([np.log(0.45), -np.inf, np.log(0.5), 0.0, -np.inf])


def test_geometric_counts_from_one() -> None:
    assert GeometricDistribution(0.3).log_density(0) == -np.inf
    sure = estimate([1, 1, 1], GeometricEstimator())
    assert sure.p == 1.0
    assert sure.log_density(1) == 0.0
    assert sure.log_density(2) == -np.inf
    assert sure.seq_log_density([1, 2]).tolist() == [0.0, -np.inf]


def test_poisson_of_zeros() -> None:
    model = estimate([0, 0, 0], PoissonEstimator())
    assert model.lam == 0.0
    assert model.seq_log_density([0, 1]).tolist() == [0.0, -np.inf]
    mixed = fit([0] * 30 + [7, 8, 9, 8], MixtureEstimator([PoissonEstimator()] * 2), rng=1)
    assert mixed.log_likelihood > -np.inf


@pytest.mark.parametrize(
    "make",
    [
        lambda: MixtureDistribution([GaussianDistribution(0, 1)] * 2, [0.5, 0.6]),
        lambda: HeterogeneousMixtureDistribution([GaussianDistribution(0, 1)] * 2, [1.0, -0.0001]),
        lambda: HierarchicalMixtureDistribution([GaussianDistribution(0, 1)], [1.0], [[0.9]]),
        lambda: JointMixtureDistribution([GaussianDistribution(0, 1)], [GaussianDistribution(0, 1)], [1.0], [1.0], [[0.5]], [[1.0]]),
        lambda: ExponentialDistribution(-1),
        lambda: GammaDistribution(1.0, 0.0),
        lambda: PoissonDistribution(-0.1),
        lambda: GeometricDistribution(0.0),
        lambda: CategoricalDistribution({"a": -0.5, "b": 1.5}),
        lambda: CategoricalDistribution({"a": 0.5, "b": 0.4}),
        lambda: IntegerCategoricalDistribution(0, [0.5, 0.4]),
        lambda: BernoulliSetDistribution({"a": 1.5}),
        lambda: MarkovChainDistribution({"a": 1.0}, {"a": {"a": 0.5}}),
        lambda: MultivariateGaussianDistribution([0, 0], [[1.0, 2.0], [2.0, 1.0]]),
        lambda: DiagonalGaussianDistribution([0.0], [-1.0]),
    ],
)
def test_illegal_parameters_are_refused(make: Any) -> None:
    with pytest.raises(ParameterError, match="Distribution: "):
        make()


def test_extra_fields_are_refused() -> None:
    model = CompositeDistribution((GaussianDistribution(0, 1), PoissonDistribution(1.0)))
    for x in ((0.0, 1, 2), (0.0,), 0.0):
        with pytest.raises(DataError, match="2 entries"):
            model.log_density(x)
        with pytest.raises(DataError, match=r"row 1 .*2 entries"):
            optimize([(0.0, 1), x], model.estimator())


@pytest.mark.parametrize("family", [GaussianEstimator, ExponentialEstimator, GammaEstimator, PoissonEstimator, GeometricEstimator])
def test_nan_is_refused_one_by_one_and_together(family: Any) -> None:
    for fit_it in (estimate, optimize):
        with pytest.raises(DataError, match=r"row 1 is nan"):
            fit_it([1, float("nan"), 2], family())
    with pytest.raises(DataError, match="nan"):
        estimate([1, 2, 3], family()).log_density(float("nan"))


@pytest.mark.parametrize("e", EXAMPLES, ids=lambda e: e.name.replace(" ", "_"))
def test_nothing_to_fit_is_an_error(e: Example) -> None:
    for fit_it in (estimate, optimize):
        with pytest.raises(EmptyError, match="no rows"):
            fit_it([], e.estimator)


def test_labels_of_mixed_types() -> None:
    labels = ["a", 1, None, ("t", 2), b"b", True, 2.5, frozenset("xy"), "a"]
    model = estimate(labels, CategoricalEstimator())
    assert model.density("a") == pytest.approx(2 / 9)
    assert model.density(1) == model.density(True) == pytest.approx(2 / 9)  # equal in Python: one label
    assert model.density(None) == pytest.approx(1 / 9)
    assert estimate([[1, "a"], ["a", None]], SequenceEstimator(CategoricalEstimator())).dist.density("a") == 0.5
    sets = estimate([{1, "a"}, {None}], BernoulliSetDistribution({}).estimator())
    assert sets.log_density([1, "a"]) > -np.inf


def test_unknown_elements_and_labels_have_density_zero() -> None:
    model = BernoulliSetDistribution({"a": 0.5, "b": 0.5})
    assert model.log_density(["a", "z"]) == -np.inf
    assert model.seq_log_density([["z"], ["a"]]).tolist() == [-np.inf, pytest.approx(np.log(0.25))]
    assert CategoricalDistribution({"a": 1.0}).log_density("z") == -np.inf
    assert IntegerCategoricalDistribution(0, [0.5, 0.5]).seq_log_density([-1, 0, 2]).tolist() == [
        -np.inf,
        pytest.approx(np.log(0.5)),
        -np.inf,
    ]


def test_optimize_keeps_its_last_step() -> None:
    x = MixtureDistribution([GaussianDistribution(0, 1), GaussianDistribution(4, 1)], [0.5, 0.5]).sampler(1).sample(200)
    two = MixtureEstimator([GaussianEstimator()] * 2)
    start = optimize(x, two, 0, rng=1, starts=1)
    step = start
    for steps in range(1, 5):
        step = estimate(x, two, step)
        assert optimize(x, two, steps, 1e-300, prev_estimate=start) == step


def test_printing_follows_the_current_stdout() -> None:
    x = GaussianDistribution(0.0, 1.0).sampler(1).sample(30)
    for _ in range(2):  # a stream of today, not the one at import
        with contextlib.redirect_stdout(io.StringIO()) as out:
            optimize(x, GaussianEstimator(), print_iter=1)
        assert "Iteration" in out.getvalue()


def test_no_generator_is_shared_between_calls() -> None:
    x = GaussianDistribution(0.0, 1.0).sampler(1).sample(50)
    four = MixtureEstimator([GaussianEstimator()] * 4)
    assert optimize(x, four, 2, starts=1) != optimize(x, four, 2, starts=1)  # fresh entropy each time
    assert optimize(x, four, 2, rng=3, starts=1) == optimize(x, four, 2, rng=3, starts=1)
    assert best_of(x, None, four, 2, 2, rng=3) == best_of(x, None, four, 2, 2, rng=3)


SAMPLED = [e for e in EXAMPLES if e.sampled]


@pytest.mark.parametrize("e", SAMPLED, ids=lambda e: e.name.replace(" ", "_"))
def test_samples_are_lists_of_plain_values_and_fit_their_own_law(e: Example) -> None:
    many, one, none = e.law.sampler(1).sample(6), e.law.sampler(1).sample(), e.law.sampler(1).sample(0)
    assert type(many) is type(none) is list
    assert (len(many), len(none)) == (6, 0)
    assert "np." not in repr(many).replace("array", "")
    assert np.isfinite(e.law.seq_log_density(many)).all()
    assert np.isfinite(e.law.log_density(one))


@pytest.mark.parametrize("e", EXAMPLES, ids=lambda e: e.name.replace(" ", "_"))
def test_fitted_laws_evaluate_back_from_their_repr(e: Example) -> None:
    never_seen = e.name == "optional always"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # a component may be degenerate on so few rows
        model = e.law if never_seen else optimize(e.data(30), e.estimator, 2, prev_estimate=e.law)
    for node in (model, e.estimator, e.law.estimator(), model.estimator(2.0) if "keyed" not in e.name else model):
        assert eval(repr(node)) == node


def test_importing_compiles_and_loads_little() -> None:
    code = (
        "import sys, time; t = time.process_time(); import dmlcore.stats, dmlcore.utils.estimation, dmlcore.regression;"
        "t = time.process_time() - t;"
        "print(t); print([m for m in ('numba', 'scipy', 'pandas', 'polars', 'pyarrow', 'matplotlib', 'sklearn') if m in sys.modules])"
    )
    seconds, loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert float(seconds) < 3.0  # the predecessor took 39
    assert loaded == "[]"


def test_a_family_does_not_load_the_fitting_code_and_names_load_when_used() -> None:
    code = (
        "import sys, dmlcore; from dmlcore.stats.univariate.gaussian import GaussianDistribution;"
        "print([m for m in sys.modules if m.startswith(('dmlcore.fitting', 'dmlcore.inference', 'dmlcore.io'))]);"
        "from dmlcore import *; from dmlcore.stats import *;"
        "print(MixtureRegression.__name__, dmlcore.plot.__name__, dump_models.__name__);"
        "print(hasattr(dmlcore, 'nonsense'))"
    )
    lines = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines == ["[]", "MixtureRegression dmlcore.plot dump_models", "False"]


# -- systems people trust ------------------------------------------------------------------------------------------------


def test_components_of_tiny_data_do_not_collapse() -> None:
    law = MixtureDistribution([GaussianDistribution(-3.0, 1.0), GaussianDistribution(3.0, 1.0)], [0.5, 0.5])
    x = law.sample(400, rng=1)
    two = MixtureEstimator([GaussianEstimator()] * 2)
    for scale in (1e-10, 1e-140):
        model = optimize(x * scale, two, rng=1)
        assert sorted(c.mu / scale for c in model.components) == pytest.approx([-3, 3], abs=0.3)
        assert [c.sigma2 / scale**2 for c in model.components] == pytest.approx([1, 1], abs=0.3)


@pytest.mark.parametrize("family", [GaussianEstimator, DiagonalGaussianEstimator, MultivariateGaussianEstimator])
def test_float32_input_is_summed_in_float64(family: Any) -> None:
    x = (np.random.default_rng(0).standard_normal((20_000, 2)) * 0.3 + 1000).astype(np.float32)
    x = x[:, 0] if family is GaussianEstimator else x
    found = estimate(x, family())
    exact = np.cov(x.astype(float).T, bias=True)
    variance = found.sigma2 if family is GaussianEstimator else np.diag(found.covar) if found.covar.ndim == 2 else found.covar
    np.testing.assert_allclose(variance, np.diag(exact) if np.ndim(exact) else exact, rtol=1e-9)


def test_a_component_on_one_point_does_not_stop_or_oscillate() -> None:
    """The constrained likelihood rises to its bound and the status says why."""
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(0, 1, 30), [50.0]])
    start = MixtureDistribution([GaussianDistribution(m, 1.0) for m in (-1.0, 1.0, 50.0)], [0.5, 0.4, 0.1])
    record = fit(x, start.estimator(), start=start, max_its=3000)
    assert record.status == "degenerate"
    assert "components[2]" in record.message
    assert np.diff(record.objective).min() >= -1e-9
    for seed in (0, 3, 4):
        record = fit(x, start.estimator(), rng=seed, starts=1, max_its=3000)
        assert record.status in ("converged", "degenerate"), record.message
        assert np.diff(record.objective).min() >= -1e-9


def test_the_iteration_limit_is_not_convergence() -> None:
    x = np.concatenate([np.random.default_rng(1).normal(m, 1, 100) for m in (0.0, 1.5)])
    record = fit(x, MixtureEstimator([GaussianEstimator()] * 2), rng=1, max_its=5)
    assert (record.status, record.converged) == ("iteration limit", False)


def test_missing_mass_is_not_imputed() -> None:
    """What fills a missing field is the law of the values, never None."""
    rows = [(0.0, 1), (0.1, None), (5.0, 9), (5.1, None)] * 10
    estimator = MixtureEstimator([CompositeEstimator((GaussianEstimator(), OptionalEstimator(PoissonEstimator(), est_prob=True)))] * 2)
    model = optimize(rows, estimator, rng=1, init_p=1.0)
    filled = MixtureDistribution([c.dists[1].dist for c in model.components], model.posterior((0.1, None)))
    assert None not in filled.sampler(1).sample(100)
    assert filled.mean() == pytest.approx(1.0, abs=0.1)


def test_long_sequences_do_not_underflow() -> None:
    steps = 10**6
    chain = MarkovChainDistribution({"a": 1.0}, {"a": {"a": 0.5, "b": 0.5}, "b": {"a": 1.0}})
    assert chain.log_density(["a", "b"] * (steps // 2)) == pytest.approx(np.log(0.5) * steps / 2, rel=1e-9)
    model = HierarchicalMixtureDistribution([GaussianDistribution(0, 1), GaussianDistribution(1, 1)], [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]])
    posterior = model.posterior(np.zeros(steps))
    assert posterior.tolist() == [1.0, 0.0]
    assert np.isfinite(model.log_density(np.zeros(steps)))


def test_a_leaf_of_vectors_reads_lists_one_by_one() -> None:
    rows = [[0.0, 1.0], [2.0, 3.0], [1.0, 5.0]]
    for family in (DiagonalGaussianEstimator, MultivariateGaussianEstimator):
        assert estimate(rows, family()) == estimate(np.array(rows), family()) == estimate([np.array(x) for x in rows], family())
    assert all(type(e.law).log_densities is Distribution.log_densities or e.law.estimator().family is type(e.law) for e in EXAMPLES)


def test_a_weight_is_read_by_no_law_of_numbers() -> None:
    """A mixture took (value, weight) beside (value, count), and ended in an `AttributeError` when it was scored."""
    value = GaussianDistribution(0.0, 1.0)
    weighted, pair = WeightedDistribution(value), CompositeDistribution([value, PoissonDistribution(1.0)])
    for components in ([weighted, pair], [pair, weighted]):
        with pytest.raises(StructureError, match="components describe different observations"):
            MixtureDistribution(components, [0.5, 0.5])
