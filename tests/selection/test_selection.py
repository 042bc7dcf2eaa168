"""Choosing among models: criteria by hand, sweeps on data of known make, tests of known size, and the order of components."""

from __future__ import annotations

import math
import warnings
from itertools import count
from typing import Any

import numpy as np
import pytest
import scipy.stats

from dmlcore import Fit, fit
from dmlcore.base.errors import DegenerateError, EmptyError, FitWarning, ParameterError, StructureError, SupportError
from dmlcore.core.flat import flatten, unflatten
from dmlcore.core.keys import preorder
from dmlcore.data.partition import k_fold_split_index
from dmlcore.fitting.moves import splits
from dmlcore.inference.relabel import exchanges, permuted
from dmlcore.selection import (
    CRITERIA,
    Criterion,
    aic,
    aligned,
    bic,
    entropy,
    free_parameters,
    held_out,
    icl,
    likelihood_ratio_test,
    most_probable,
    ordered,
    responsibilities,
    select,
    uncertainty,
)
from dmlcore.selection.remarks import remarks
from dmlcore.stats import (
    BernoulliSetDistribution,
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    GatedMixtureDistribution,
    GaussianDistribution,
    GaussianEstimator,
    HeterogeneousMixtureDistribution,
    HierarchicalMixtureDistribution,
    JointMixtureDistribution,
    LogGaussianDistribution,
    MarkovChainDistribution,
    MarkovChainEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialLogisticRegressionDistribution,
    MultivariateGaussianEstimator,
    OptionalDistribution,
    PoissonDistribution,
    PoissonEstimator,
    SequenceDistribution,
    SpikeAndSlabDistribution,
)
from tests.examples import BY_NAME, EXAMPLES
from tests.reference import load

N, C = GaussianDistribution, CategoricalDistribution
TWO = MixtureDistribution([N(-2.0, 1.0), N(3.0, 1.0)], [0.4, 0.6])
DATA = TWO.sample(300, rng=1)


def gaussians(k: int) -> MixtureEstimator:
    return MixtureEstimator([GaussianEstimator()] * k)


# -- criteria --------------------------------------------------------------------------------------------------------------


def test_criteria_by_hand() -> None:
    law = fit(DATA, gaussians(2), rng=1).model
    joint = np.array([w * scipy.stats.norm.pdf(DATA, c.mu, np.sqrt(c.sigma2)) for w, c in zip(law.w, law.components, strict=True)])
    log_likelihood = np.log(joint.sum(axis=0)).sum()
    posterior = joint / joint.sum(axis=0)
    expected = -2 * log_likelihood + 5 * np.log(300)
    assert aic(log_likelihood, law) == pytest.approx(-2 * log_likelihood + 10)
    assert bic(log_likelihood, law, 300) == pytest.approx(expected)
    assert icl(law, DATA) == pytest.approx(expected - 2 * (posterior * np.log(posterior)).sum(), rel=1e-10)
    complete = np.log(joint.max(axis=0)).sum()  # every row given to its most probable component
    assert icl(law, DATA, hard=True) == pytest.approx(-2 * complete + 5 * np.log(300), rel=1e-10)


def test_criteria_of_a_fit_are_those_of_its_parts() -> None:
    estimator = MixtureEstimator([GaussianEstimator()] * 2, fixed_weights=[0.5, 0.5])  # does not count, which the fit knows
    weights = np.arange(300) % 3
    found = fit(DATA, estimator, rng=1, starts=1, weights=weights)
    assert found.rows == weights.sum()
    assert aic(found) == aic(found.log_likelihood, found.model, estimator)
    assert bic(found) == bic(found.log_likelihood, found.model, 300, estimator)
    assert bic(found, rows=50) == bic(found.log_likelihood, found.model, 50, estimator)
    for hard in (False, True):
        assert icl(found, DATA, weights=weights, hard=hard) == icl(found.model, DATA, weights=weights, hard=hard, estimator=estimator)
    with pytest.raises(ParameterError, match="give a fit"):
        bic(found.log_likelihood, found.model)


def test_a_criterion_is_one_entry_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hannan and Quinn's: sweeps list it, choose by it, and say so."""
    hqc = Criterion("hqc", lambda c: -2 * c.log_likelihood + 2 * c.p * math.log(math.log(c.n)))
    monkeypatch.setitem(CRITERIA, "hqc", hqc)
    found = select(gaussians, [1, 2], DATA, "hqc", rng=0, starts=2)
    best = found.rows[found.best_index]
    assert best["hqc"] == pytest.approx(-2 * best["log_likelihood"] + 2 * best["parameters"] * math.log(math.log(300)))
    assert best["hqc"] == min(row["hqc"] for row in found.rows)
    assert "hqc" in found.table()


def test_icl_is_that_of_flexmix() -> None:
    """flexmix's ICL is of the hard kind: its BIC and its posteriors give it."""
    found = load("flexmix_standard_errors")["flexmix_fit"]
    posterior = np.array(found["posterior"])
    assert found["BIC"] - 2 * np.log(1 - uncertainty(posterior)).sum() == pytest.approx(found["ICL"], rel=1e-10)


def test_icl_without_components_is_bic_and_weights_count_as_rows() -> None:
    law = fit(DATA, GaussianEstimator()).model
    total = law.seq_log_density(DATA).sum()
    assert icl(law, DATA) == pytest.approx(bic(total, law, 300))
    weights = np.arange(300) % 4
    mixture = fit(DATA, gaussians(2), rng=1, weights=weights).model
    assert icl(mixture, DATA, weights=weights) == pytest.approx(icl(mixture, np.repeat(DATA, weights)), rel=1e-10)


def test_the_table_of_a_sweep_counts_weights_as_rows() -> None:
    weights = np.arange(300) % 4
    row = select(lambda k: GaussianEstimator(), [1], DATA, weights=weights).rows[0]
    repeated = select(lambda k: GaussianEstimator(), [1], np.repeat(DATA, weights)).rows[0]
    for name in ("log_likelihood", "aic", "bic", "icl", "icl_hard"):
        assert row[name] == pytest.approx(repeated[name], rel=1e-12)


def test_fixed_parameters_do_not_count() -> None:
    estimator = MixtureEstimator([GaussianEstimator(), GaussianEstimator()], fixed_weights=[0.4, 0.6])
    law = fit(DATA, estimator, rng=1).model
    assert free_parameters(law) == 5
    assert free_parameters(law, estimator) == 4
    assert bic(-1.0, law, 10, estimator) == pytest.approx(2 + 4 * np.log(10))
    tied = CompositeEstimator((PoissonEstimator(keys="k"), PoissonEstimator(keys="k")))
    assert free_parameters(fit([(1, 2), (3, 1)], tied).model, tied) == 1


CHOOSES = ("optional always", "mixture of icl trees")  # which trees it has, and so how many tables of which size


@pytest.mark.parametrize("e", [e for e in EXAMPLES if e.name not in CHOOSES], ids=lambda e: e.name.replace(" ", "_"))
def test_every_estimate_of_one_estimator_has_the_same_number_of_parameters(e: Any) -> None:
    """Rows that are given to one class each leave zeros behind; they were estimated, so they count."""
    rows, counts, given = e.data(60), set(), set()
    for seed, assign in ((1, "soft"), (2, "hard"), (3, "hard")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)
            record = fit(rows, e.estimator, starts=1, rng=seed, max_its=3, assign=assign)
        counts.add(free_parameters(record.model))
        given.add(free_parameters(record.model, record.estimator))
    assert len(counts) == len(given) == 1
    assert counts == given or any(node.fixed_fields for node in preorder(record.estimator))


def classes(k: int, items: int) -> MixtureEstimator:
    return MixtureEstimator([CompositeEstimator([CategoricalEstimator()] * items)] * k)


def test_latent_classes_of_carcinoma() -> None:
    """poLCA counts 23 for three classes, probabilities that come out as zero among them, and BIC chooses three."""
    found = load("polca_carcinoma")
    rows, weights = [tuple(pattern) for pattern in found["patterns"]], list(found["patterns"].values())
    chosen = select(lambda k: classes(k, 7), range(2, 5), rows, weights=weights, delta=1e-4, rng=1)
    assert [row["parameters"] for row in chosen.rows] == [15, found["parameters"], 31]
    assert chosen.value == 3
    assert chosen.best.log_likelihood == pytest.approx(found["log_likelihood"], abs=1e-3)
    assert chosen.rows[1]["bic"] == pytest.approx(found["bic"], abs=2e-3)
    zeros = sum(p < 1e-12 for law in chosen.model.components for dist in law.dists for p in dist.pmap.values())
    assert zeros > 0


def test_many_levels_of_noise_are_one_class() -> None:
    rng = np.random.default_rng(0)
    rows = list(zip(*(rng.permutation(np.arange(100) % 20).tolist() for _ in range(3)), strict=True))
    chosen = select(lambda k: classes(k, 3), range(1, 5), rows, "aic", delta=1e-2, rng=0)
    assert [row["parameters"] for row in chosen.rows] == [57, 115, 173, 231]
    assert chosen.value == 1


def test_what_counts() -> None:
    law = CategoricalDistribution({"a": 1.0, "b": 0.0, "c": 0.0}, default_value=0.1)
    assert free_parameters(law) == 2  # a chosen probability of other labels is none
    assert free_parameters(BernoulliSetDistribution({"a": 1.0, "b": 0.0}, min_prob=1e-3)) == 2
    chain = MarkovChainDistribution({"a": 1.0, "b": 0.0}, {"a": {"a": 0.0, "b": 1.0}})
    assert free_parameters(chain) == 2  # one for the first label, one for the label after "a"; "b" is never left
    assert free_parameters(OptionalDistribution(PoissonDistribution(0.0), 0.0)) == 2
    assert free_parameters(OptionalDistribution(PoissonDistribution(0.0), None)) == 1
    assert free_parameters(SpikeAndSlabDistribution(3, 1, 1.0, 3)) == 0
    assert free_parameters(MixtureDistribution([N(0.0, 1.0), N(1.0, 1.0)], [0.0, 1.0])) == 5


def test_pairs_of_labels_that_no_row_shows_are_no_parameters() -> None:
    rows = [["a", "b", "a"], ["b", "a"], ["a", "c"], ["c", "b"]]
    chain = fit(rows, MarkovChainEstimator()).model
    assert free_parameters(chain) == 2 + 1  # a -> b, c; b -> a; c -> b
    smoothed = fit(rows, MarkovChainEstimator(pseudo_count=1.0)).model
    assert free_parameters(smoothed) == 2 + 3 * 2


def test_weights_with_one_key_count_once() -> None:
    parts = [MixtureEstimator([PoissonEstimator()] * 2, keys=("w", None))] * 2
    rows = list(zip(*np.random.default_rng(0).poisson([[1.0], [9.0]], (2, 50)).tolist(), strict=True))
    record = fit(rows, CompositeEstimator(parts), starts=1, rng=1, max_its=5)
    assert free_parameters(record.model) == free_parameters(record.model, record.estimator) == 5
    assert len(flatten(record.model)) == 5
    assert unflatten(flatten(record.model) + 0.1, record.model).dists[0].w.tolist() == pytest.approx(
        unflatten(flatten(record.model) + 0.1, record.model).dists[1].w.tolist(), abs=0
    )


def test_fixed_weights_on_a_bound_do_not_count() -> None:
    estimator = MixtureEstimator([GaussianEstimator()] * 3, fixed_weights=[0.5, 0.5, 0.0])
    law = MixtureDistribution([N(0.0, 1.0)] * 2 + [N(1.0, 1.0)], [0.5, 0.5, 0.0])
    assert free_parameters(law.with_children((N(0.0, 1.0), N(2.0, 1.0), N(1.0, 1.0))), estimator) == 6


def test_components_that_keep_their_law_are_not_tied() -> None:
    """Two that begin at one law and have no rows stay there; still they are two."""
    same = PoissonDistribution(1e6)
    start = MixtureDistribution([PoissonDistribution(2.0), same, same], [1.0, 0.0, 0.0])
    record = fit([1, 2, 3], MixtureEstimator([PoissonEstimator()] * 3), start=start, max_its=2)
    assert free_parameters(record.model) == 5


# -- assignments -----------------------------------------------------------------------------------------------------------


def test_assignments() -> None:
    posterior = responsibilities(TWO, DATA)
    np.testing.assert_allclose(posterior.sum(axis=1), 1.0)
    np.testing.assert_array_equal(TWO.transform(DATA), posterior)
    assert most_probable(posterior).tolist() == [int(p[1] > p[0]) for p in posterior]
    sure = np.array([[1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(entropy(sure), [0.0, np.log(2)])
    np.testing.assert_allclose(uncertainty(sure), [0.0, 0.5])
    pairs = responsibilities(BY_NAME["joint"].law, [(-2.0, "a"), (2.0, "c")])
    assert most_probable(pairs).tolist() == [[0, 0], [1, 1]]
    assert entropy(pairs).shape == (2,)
    with pytest.raises(StructureError, match="no posterior"):
        responsibilities(N(0.0, 1.0), DATA)
    with pytest.raises(SupportError, match="row 1"):
        responsibilities(MixtureDistribution([PoissonDistribution(1.0)] * 2, [0.5, 0.5]), [1, -1])


@pytest.mark.parametrize(
    "law",
    [
        MixtureDistribution([N(-1.0, 1.0), N(0.5, 4.0), N(2.0, 1.0)], [0.2, 0.5, 0.3]),
        MixtureDistribution(
            [CompositeDistribution((PoissonDistribution(m), C({"a": p, "b": 1 - p}))) for m, p in ((2, 0.3), (4, 0.6))], [0.7, 0.3]
        ),
    ],
    ids=["reals", "records"],
)
def test_posteriors_are_calibrated(law: MixtureDistribution) -> None:
    """Components drawn, then rows: the place of the true component in its posterior is uniform (Talts et al. 2018), and of all rows
    given a component with probability about p, a share of about p is of it."""
    rng = np.random.default_rng(5)
    z = rng.choice(law.num_components, size=4000, p=law.w)
    rows: list[Any] = [None] * 4000
    for k, component in enumerate(law.components):
        at = np.flatnonzero(z == k)
        draws = component.sample(len(at), rng=k)
        for i, draw in zip(at.tolist(), draws, strict=True):
            rows[i] = draw
    posterior = responsibilities(law, rows)
    below = np.cumsum(posterior, axis=1)[np.arange(4000), z] - posterior[np.arange(4000), z]
    place = below + rng.random(4000) * posterior[np.arange(4000), z]
    assert scipy.stats.kstest(place, "uniform").pvalue > 1e-3
    for low in (0.1, 0.2, 0.3, 0.4):
        inside = (posterior[:, 0] > low) & (posterior[:, 0] <= low + 0.1)
        error = np.sqrt((posterior[inside, 0] * (1 - posterior[inside, 0])).sum())
        assert abs((z[inside] == 0).sum() - posterior[inside, 0].sum()) <= 4 * error


# -- sweeps ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", ["bic", "icl", "icl_hard", "held_out"])
def test_the_number_of_components_is_found(criterion: str) -> None:
    found = select(gaussians, range(1, 4), DATA, criterion, starts=1, rng=1, folds=3)
    assert found.value == 2
    assert found.model == found.fits[1].model
    assert [row["value"] for row in found.rows] == [1, 2, 3]
    assert [row["parameters"] for row in found.rows] == [2, 5, 8]
    for row, record in zip(found.rows, found.fits, strict=True):
        assert row["log_likelihood"] == record.log_likelihood
        assert row["bic"] == pytest.approx(bic(record.log_likelihood, record.model, 300))
        assert row["icl"] == pytest.approx(icl(record.model, DATA))
        assert row["icl_hard"] == pytest.approx(icl(record.model, DATA, hard=True))
    assert all(row["log_likelihood"] >= found.rows[0]["log_likelihood"] for row in found.rows)


def test_patience_stops_past_the_minimum() -> None:
    tried: list[int] = []

    def estimator_for(k: int) -> MixtureEstimator:
        tried.append(k)
        return gaussians(k)

    found = select(estimator_for, range(1, 20), DATA, starts=1, rng=1, patience=2, max_its=50)
    assert tried == [1, 2, 3, 4]
    assert found.value == 2
    assert found.values == (1, 2, 3, 4)


def test_long_searches_are_for_the_candidate_chosen() -> None:
    x = np.concatenate([np.random.default_rng(3).normal(c, 1.0, 60) for c in (0.0, 7.0)])
    found = select(lambda k: MixtureEstimator([GaussianEstimator()] * k), range(1, 5), x, rng=2)
    assert found.value == 2
    assert found.best.searched > max(one.searched for k, one in zip(found.values, found.fits, strict=True) if k != 2)
    assert np.all(np.diff([one.log_likelihood for one in found.fits]) > -1e-6)  # each begins with the one before, too
    same_number = select(lambda k: MixtureEstimator([GaussianEstimator()] * k), range(1, 4), x, starts=5, rng=2)
    assert [len(one.starts) for one in same_number.fits] == [0, 5, 5]


def test_splits_have_one_component_more() -> None:
    rng = np.random.default_rng(1)
    posterior = np.array([[0.9, 0.8, 0.9, 0.1, 0.2], [0.1, 0.2, 0.1, 0.9, 0.8]])
    found = splits(posterior, [rng.normal(size=(5, 2))], 3, rng)
    assert len(found) == 6
    for k, shares in enumerate(found):
        np.testing.assert_allclose(shares.sum(axis=0), 1.0)
        np.testing.assert_allclose(np.delete(shares, [k // 3, 2], axis=0), np.delete(posterior, k // 3, axis=0), atol=0.1)


def test_a_sweep_goes_on_past_its_edge_when_asked() -> None:
    short = select(gaussians, [1, 2], DATA, starts=1, rng=1, max_its=50)
    assert short.remarks[0] == "2 is the largest that was tried; larger ones may be better, and beyond=True goes on to them"
    assert short.remarks[0] in repr(short)
    assert short.remarks[0] in short._repr_html_()
    further = select(gaussians, [1, 2], DATA, starts=1, rng=1, max_its=50, beyond=True)
    assert further.values == (1, 2, 3, 4)
    assert [one.history for one in further.fits[:2]] == [one.history for one in short.fits]
    assert not any("largest" in text for text in further.remarks)
    with pytest.raises(ParameterError, match="whole numbers"):
        select({"a": GaussianEstimator()}.get, ["a"], DATA, beyond=True)


def table(*each: tuple[int, float, str]) -> list[dict[str, Any]]:
    return [{"log_likelihood": log, "parameters": 3 * k, "status": status} for k, log, status in each]


def test_what_a_sweep_remarks() -> None:
    sure, once = (Fit(TWO, "converged", "", [0.0], [0.0], 0.1, ended=6, reached=reached) for reached in (3, 1))

    def said(found: Fit, best: int, *each: tuple[int, float, str]) -> list[str]:
        return remarks([k for k, *_ in each], [found] * len(each), table(*each), best, "bic")

    good = "converged"
    assert said(sure, 1, (1, -9.0, good), (2, -5.0, good), (3, -4.9, good)) == []
    assert said(sure, 0, (1, -9.0, good)) == []
    assert said(sure, 0, (2, -9.0, good), (3, -8.9, good)) == ["2 is the smallest that was tried; smaller ones may be better"]
    (lower,) = said(sure, 1, (1, -9.0, good), (2, -5.0, good), (3, -5.5, good))
    assert lower.startswith("3 came out 0.5 nats below 2: its search ended too low")
    (alone,) = said(sure, 0, (1, -9.0, good), (2, 5.0, "degenerate"), (3, 6.0, "degenerate"))
    assert alone.startswith("all others (2, 3) are degenerate, so 1 was not chosen among several; a prior (pseudo_count=)")
    assert any(
        text.startswith("every candidate is degenerate, so bic compares no maxima") for text in said(sure, 0, (1, 5.0, "degenerate"))
    )
    (some,) = said(sure, 1, (1, -9.0, good), (2, -5.0, good), (3, 6.0, "degenerate"))
    assert some.startswith("degenerate, and so not chosen: 3")
    (met,) = said(once, 1, (1, -9.0, good), (2, -5.0, good), (3, -4.9, good))
    assert met.startswith("the best value for 2 was met by one of 6 starts only")


def test_threads_do_not_change_a_sweep_and_seeds_do() -> None:
    one, two = (select(gaussians, [2, 3], DATA[:100], starts=2, rng=4, threads=threads, max_its=30) for threads in (1, 2))
    assert [f.model for f in one.fits] == [f.model for f in two.fits]
    other = select(gaussians, [2, 3], DATA[:100], starts=2, rng=5, max_its=30)
    assert [f.history for f in one.fits] != [f.history for f in other.fits]


def test_a_sweep_uses_all_cores_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def recorded(*arguments: Any, threads: Any, **options: Any) -> Any:
        asked.append(threads)
        return fit(*arguments, threads=1, **options)

    monkeypatch.setattr("dmlcore.selection.sweep.fit", recorded)
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    monkeypatch.delenv("DMLCORE_NUM_THREADS", raising=False)
    select(gaussians, [1], DATA, starts=1)
    select(gaussians, [1], DATA, starts=1, threads=2)
    monkeypatch.setenv("DMLCORE_NUM_THREADS", "3")
    select(gaussians, [1], DATA, starts=1)
    assert asked == [7, 2, None]


def test_any_candidates_of_any_layout() -> None:
    counts = PoissonDistribution(4.0).sample(200, rng=1)
    families = {"poisson": PoissonEstimator(), "gaussian": GaussianEstimator(), "labels": CategoricalEstimator()}
    found = select(families.__getitem__, families, counts, "aic", starts=1)
    assert found.value == "poisson"
    assert {row["status"] for row in found.rows} == {"converged"}


def test_a_degenerate_fit_is_not_chosen() -> None:
    data = [0.0] * 12 + np.linspace(4.0, 6.0, 40).tolist()
    found = select(gaussians, [1, 2], data, starts=4, rng=1)
    assert found.rows[1]["status"] == "degenerate"
    assert found.rows[1]["bic"] < found.rows[0]["bic"]
    assert found.value == 1


def test_counting_moves_no_numbers() -> None:
    """A covariance in small units, or as near singular as floating point allows, has no neighbours a fixed step away."""
    x = np.random.default_rng(0).normal(size=(60, 2)) * 1e-10
    found = select({1: MultivariateGaussianEstimator()}.get, [1], x)
    assert found.failures == ()
    assert found.rows[0]["parameters"] == 5


def test_rows_of_weight_zero_need_no_density() -> None:
    rows = ["a", "b", "a", "new"]
    found = select(lambda k: MixtureEstimator([CategoricalEstimator()] * k), [1, 2], rows, weights=[1, 1, 1, 0], starts=1, rng=0)
    assert found.failures == ()
    assert np.isfinite(found.rows[1]["icl"])


class Unlucky(GaussianEstimator):
    def estimate(self, statistics: Any, previous: Any = None) -> Any:
        raise np.linalg.LinAlgError("Matrix is not positive definite")


def test_an_error_of_linear_algebra_ends_a_candidate_and_not_the_sweep() -> None:
    found = select({1: GaussianEstimator(), 2: Unlucky()}.get, [1, 2], DATA, starts=1)
    assert found.values == (1,)
    assert found.failures == ((2, "LinAlgError: Matrix is not positive definite"),)
    assert "left out 2: LinAlgError" in repr(found)


def test_candidates_that_cannot_be_fitted() -> None:
    def estimator_for(name: str) -> Any:
        return {"poisson": PoissonEstimator(), "gaussian": GaussianEstimator()}[name]

    found = select(estimator_for, ["poisson", "gaussian"], [-1, 2, 3], starts=1)
    assert found.values == ("gaussian",)
    assert found.failures[0].value == "poisson"
    assert found.failures[0].reason.startswith("row 0")
    assert "left out 'poisson': row 0" in repr(found)
    with pytest.raises(SupportError, match="row 0"):
        select(estimator_for, ["poisson"], [-1, 2, 3], starts=1)


def test_a_candidate_past_the_edge_that_cannot_be_fitted_is_the_last() -> None:
    tried: list[int] = []

    def estimator_for(k: int) -> Any:
        tried.append(k)
        return gaussians(k) if k < 3 else Unlucky()

    found = select(estimator_for, [1, 2], TWO.sample(200, rng=1), starts=1, beyond=True, rng=1)
    assert tried == [1, 2, 3]
    assert [one.value for one in found.failures] == [3]


def test_a_formula_is_for_regressions() -> None:
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=30)}).assign(y=lambda t: 2 * t.x + rng.normal(size=30))
    weights = 1 + np.arange(30) % 2
    found = select("y ~ x", [1], table, weights=weights)
    twice = select("y ~ x", [1], table.loc[np.repeat(np.arange(30), weights)])
    assert found.selection.values == (1,)
    assert found.selection.rows[0]["bic"] == pytest.approx(twice.selection.rows[0]["bic"])


def test_table_html_and_plot() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    found = select(gaussians, [1, 2], DATA, starts=1, rng=1)
    lines = found.table().splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("*")
    assert "icl_hard" in lines[0]
    assert "<table>" in found._repr_html_()
    assert repr(found).startswith("Selection by bic: 2")
    axes = found.plot(criteria=["bic", "icl"])
    assert isinstance(axes, matplotlib.axes.Axes)
    assert [line.get_ydata()[0] for line in axes.lines if len(line.get_xdata()) == 2] == [found.rows[0]["bic"], found.rows[0]["icl"]]
    assert found.plot(axes) is axes
    with pytest.raises(ParameterError, match="no criterion 'dic'"):
        found.plot(criteria=["dic"])


def test_bad_sweeps() -> None:
    with pytest.raises(ParameterError, match="criterion must be one of bic"):
        select(gaussians, [1], DATA, "dic")
    with pytest.raises(ParameterError, match="starts"):
        select(gaussians, [1], DATA, starts=0)
    with pytest.raises(ParameterError, match="patience"):
        select(gaussians, [1], DATA, patience=0)
    with pytest.raises(EmptyError, match="no candidates"):
        select(gaussians, [], DATA)
    with pytest.raises(ParameterError, match="folds"):
        held_out(DATA, GaussianEstimator(), folds=1)


# -- held out, and the test of the number of components ----------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, np.arange(300) % 4])
def test_held_out_by_hand(weights: Any) -> None:
    mean, error = held_out(DATA, GaussianEstimator(), folds=4, starts=1, rng=7, weights=weights)
    from dmlcore.base.random import spawn

    fold = k_fold_split_index(300, 4, spawn(np.random.default_rng(7), 5)[0])
    w = np.ones(300) if weights is None else weights
    logs = np.empty(300)
    for j in range(4):
        rest, its = DATA[fold != j], w[fold != j]
        centre = np.average(rest, weights=its)
        spread = math.sqrt(np.average((rest - centre) ** 2, weights=its))
        logs[fold == j] = scipy.stats.norm.logpdf(DATA[fold == j], centre, spread)
    assert mean == pytest.approx(np.average(logs, weights=w), rel=1e-10)
    assert error == pytest.approx(math.sqrt(np.average((logs - mean) ** 2, weights=w) / w.sum()), rel=1e-10)


def test_held_out_of_a_label_seen_once_is_minus_infinity() -> None:
    data = ["a"] * 20 + ["b"]
    assert held_out(data, CategoricalEstimator(), folds=3, starts=1, rng=1)[0] == -np.inf
    assert np.isfinite(held_out(data, CategoricalEstimator(default_value=True), folds=3, starts=1, rng=1)[0])


def test_likelihood_ratio_finds_two_components_and_does_not_find_them_in_one() -> None:
    options: dict[str, Any] = {"replicates": 19, "starts": 1, "rng": 1, "delta": 1e-3}
    found = likelihood_ratio_test(DATA[:100], GaussianEstimator(), gaussians(2), **options)
    assert found.p_value == 1 / 20
    assert found.statistic > found.simulated.max()
    assert found.statistic == 2 * (found.alternative.log_likelihood - found.null.log_likelihood)
    one = likelihood_ratio_test(N(0.0, 1.0).sample(100, rng=3), GaussianEstimator(), gaussians(2), **options)
    assert one.p_value > 0.1
    assert len(one.simulated) == 19
    again = likelihood_ratio_test(DATA[:100], GaussianEstimator(), gaussians(2), **{**options, "threads": 2, "replicates": 3})
    np.testing.assert_array_equal(again.simulated, found.simulated[:3])
    with pytest.raises(ParameterError, match="replicates"):
        likelihood_ratio_test(DATA, GaussianEstimator(), gaussians(2), replicates=0)


def test_replicates_that_cannot_be_fitted_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count()

    def third_fails(*args: Any, **options: Any) -> Any:
        if next(calls) == 2:
            raise DegenerateError("no fit")
        return fit(*args, **options)

    monkeypatch.setattr("dmlcore.selection.likelihood_ratio.fit", third_fails)
    found = likelihood_ratio_test(DATA[:20], GaussianEstimator(), GaussianEstimator(), replicates=4, rng=1)
    assert len(found.simulated) == 3
    assert found.p_value == 1.0  # all of them are as large as the observed: none

    def most_fail(*args: Any, **options: Any) -> Any:
        if next(calls) > 1:
            raise DegenerateError("no fit")
        return fit(*args, **options)

    calls = count()
    monkeypatch.setattr("dmlcore.selection.likelihood_ratio.fit", most_fail)
    with pytest.raises(DegenerateError, match="4 of 4 replicates could not be fitted; the first: no fit"):
        likelihood_ratio_test(DATA[:20], GaussianEstimator(), GaussianEstimator(), replicates=4, rng=1)


# -- order of components -----------------------------------------------------------------------------------------------------


def every_latent_node(model: Any) -> list[Any]:
    return [node for node in [model, *(n for child in model.children() for n in every_latent_node(child))] if exchanges(node)]


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.sampled], ids=repr)
def test_ordering_leaves_the_law_as_it_is(example: Any) -> None:
    rows = example.data(40)
    law = ordered(example.law)
    np.testing.assert_allclose(law.seq_log_density(rows), example.law.seq_log_density(rows), rtol=1e-10)
    assert ordered(law) == law
    for node in every_latent_node(law):
        for exchange in exchanges(node):
            shared = exchange.children and not law.repeated.isdisjoint(map(id, getattr(node, exchange.children)))
            weights = np.asarray(exchange.weights(node))
            assert shared or (np.diff(weights) <= 1e-15).all()


def test_ordering_by_a_key() -> None:
    law = MixtureDistribution([N(3.0, 1.0), N(-1.0, 1.0), N(0.0, 1.0)], [0.2, 0.5, 0.3])
    assert [c.mu for c in ordered(law).components] == [-1.0, 0.0, 3.0]
    found = ordered(law, key=lambda c: -c.mean())
    assert [c.mu for c in found.components] == [3.0, 0.0, -1.0]
    assert found.w.tolist() == [0.2, 0.3, 0.5]
    equal = MixtureDistribution([N(3.0, 1.0), N(-1.0, 1.0)], [0.5, 0.5])
    assert ordered(equal) == equal
    nested = MixtureDistribution([CompositeDistribution((N(m, 1.0), law)) for m in (2.0, 1.0)], [0.6, 0.4])
    found = ordered(nested, key=lambda c: c.dists[0].mu)  # a key of the outer components; the inner ones are ordered by weight
    assert [c.dists[0].mu for c in found.components] == [1.0, 2.0]
    assert found.components[0].dists[1].w.tolist() == [0.5, 0.3, 0.2]
    assert ordered(N(0.0, 1.0)) == N(0.0, 1.0)


def test_everything_is_permuted_at_once() -> None:
    law = JointMixtureDistribution(
        [N(0.0, 1.0), N(5.0, 1.0)], [PoissonDistribution(m) for m in (1.0, 9.0)], [0.3, 0.7], None, [[0.9, 0.1], [0.6, 0.4]]
    )
    found = ordered(law, key=lambda c: -c.mean())
    assert [c.mu for c in found.components1] == [5.0, 0.0]
    assert found.w1.tolist() == [0.7, 0.3]
    assert found.taus12.tolist() == [[0.4, 0.6], [0.1, 0.9]]
    np.testing.assert_allclose(found.w2, law.w2[::-1])
    topics = [C({"a": 0.9, "b": 0.1}), C({"a": 0.2, "b": 0.8})]
    two = HierarchicalMixtureDistribution(topics, [0.3, 0.7], [[0.9, 0.1], [0.2, 0.8]], PoissonDistribution(3.0))
    found = ordered(two)
    assert found.topics == (topics[1], topics[0])
    assert found.w.tolist() == [0.7, 0.3]
    assert found.taus.tolist() == [[0.8, 0.2], [0.1, 0.9]]


def test_a_gate_is_permuted_with_its_components() -> None:
    law = BY_NAME["gated mixture"].law
    rows = [([z, 1.0 - z], x) for z in (-1.0, 0.5, 2.0) for x in (-2.0, 3.0, 4.0)]
    three = GatedMixtureDistribution(
        [*law.components, N(9.0, 1.0)], MultinomialLogisticRegressionDistribution([[1.0, -0.5], [0.2, 2.0]], [0.3, -1.0], (0, 1, 2))
    )
    for gated in (law, three):
        found = ordered(gated, key=lambda c: -c.mu)
        assert [c.mu for c in found.components] == sorted((c.mu for c in gated.components), reverse=True)
        np.testing.assert_allclose(found.seq_log_density(rows), gated.seq_log_density(rows), rtol=1e-10)
        assert ordered(gated) == gated


def test_components_shared_between_mixtures_keep_their_places() -> None:
    shared = [C({"a": 0.9, "b": 0.1}), C({"a": 0.2, "b": 0.8})]
    law = MixtureDistribution([SequenceDistribution(MixtureDistribution(shared, w)) for w in ([0.3, 0.7], [0.8, 0.2])], [0.4, 0.6])
    found = ordered(law)
    assert found.w.tolist() == [0.6, 0.4]
    inner = [component.dist for component in found.components]
    assert [mixture.w.tolist() for mixture in inner] == [[0.8, 0.2], [0.3, 0.7]]
    assert inner[0].components[0] is inner[1].components[0]


@pytest.mark.parametrize("name", ["mixture", "hierarchical", "joint", "mixture of mixtures", "mixture of composites", "heterogeneous"])
def test_aligning_undoes_any_permutation(name: str) -> None:
    law, rng = BY_NAME[name].law, np.random.default_rng(1)

    def shuffled(node: Any) -> Any:
        node = node.with_children(tuple(shuffled(child) for child in node.children()))
        for exchange in exchanges(node):
            node = permuted(node, exchange, rng.permutation(len(exchange.weights(node))))
        return node

    for _ in range(6):
        found = aligned(shuffled(law), law)
        assert found == law


def test_aligning_weighs_parameters_by_their_spread() -> None:
    """One number of large scale that is the other way round counts no more than one of several shares that are alike."""

    def model(means: tuple[float, float]) -> Any:
        parts = ((means[0], 0.9), (means[1], 0.1))
        return MixtureDistribution(
            [CompositeDistribution((N(m, 1e4), *[CategoricalDistribution({"a": p, "b": 1 - p})] * 3)) for m, p in parts], [0.5, 0.5]
        )

    one, other = model((0.0, 500.0)), model((500.0, 0.0))
    assert aligned(one, other) == one
    turned = MixtureDistribution(one.components[::-1], one.w)
    assert aligned(turned, other) == one


def test_aligning_matches_families_before_numbers() -> None:
    one = HeterogeneousMixtureDistribution([N(0.0, 1.0), LogGaussianDistribution(5.0, 1.0)], [0.4, 0.6])
    other = HeterogeneousMixtureDistribution([LogGaussianDistribution(0.1, 1.0), N(5.1, 1.0)], [0.4, 0.6])
    assert [type(c) for c in aligned(other, one).components] == [type(c) for c in one.components]


def test_aligning_unlike_models_is_refused() -> None:
    with pytest.raises(StructureError, match="cannot be aligned"):
        aligned(TWO, N(0.0, 1.0))
    with pytest.raises(StructureError, match="cannot be aligned"):
        aligned(TWO, MixtureDistribution([*TWO.components, N(0.0, 1.0)], [0.3, 0.3, 0.4]))
