"""Online EM: streams of batches, what is forgotten, what the batches say, and files from which a stream goes on."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dmlcore.fitting.online as online_em
from dmlcore import OnlineEM, fit
from dmlcore.base.errors import DataError, EmptyError, FormatError, ParameterError, StructureError, SupportError
from dmlcore.engines.stream import stream
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.rows import WeightedRows
from dmlcore.fitting.saved_statistics import statistics_of
from dmlcore.stats import (
    BernoulliSetEstimator,
    CategoricalEstimator,
    CompositeEstimator,
    ExponentialEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MarkovChainEstimator,
    MixtureEstimator,
    PoissonEstimator,
)
from tests.examples import BY_NAME, EXAMPLES

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

TWO = MixtureEstimator([GaussianEstimator()] * 2)
RECORD = MixtureEstimator([CompositeEstimator({"x": GaussianEstimator(), "c": PoissonEstimator()})] * 2)


def table(seed: int, n: int = 150, shift: float = 0.0) -> Any:
    rng = np.random.default_rng(seed)
    k = rng.integers(0, 2, n)
    return pa.table({"w": rng.integers(0, 3, n), "c": rng.poisson(1 + 5 * k), "x": rng.normal(shift + 3 * k, 1.0)})


def online(example: Any) -> bool:
    """Whether the family's statistics hold under any model: regressions other than linear ones have others."""
    resolved = Problem.of(example.data(40), example.law.estimator(1.5)).resolved
    return not resolved.local and resolved.scalable


# -- files ---------------------------------------------------------------------------------------------------------------

FAMILIES = [e for e in EXAMPLES if online(e)]


@pytest.mark.parametrize("example", FAMILIES, ids=[e.name.replace(" ", "_") for e in FAMILIES])
def test_every_closed_family_goes_on_from_a_file_to_the_bit(example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online_em, "fit", partial(fit, starts=1, max_its=5))  # of the first batch, whatever it ends at
    batches = [example.data(60)[:40], example.data(60)[20:], example.data(60)]
    one = OnlineEM(example.law.estimator(1.5), rng=1).partial_fit(batches[0]).partial_fit(batches[1])
    try:
        one.save(tmp_path / "online.json")
    except StructureError as error:
        assert "statistics of the kind Contributions cannot be saved" in str(error)  # noqa: PT017
        return
    again = OnlineEM.load(tmp_path / "online.json")
    assert again.model == one.model
    assert again.history == one.history
    assert repr(again.partial_fit(batches[2]).model) == repr(one.partial_fit(batches[2]).model)
    assert again.history == one.history


def test_a_stream_that_is_stopped_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{i}.parquet") for i in range(5)]
    for i, path in enumerate(paths):
        pq.write_table(table(i), path)
    data = stream(paths, weights="w")
    whole = OnlineEM(RECORD, rng=1).follow(data)
    OnlineEM(RECORD, rng=1).follow(stream(paths[:3], weights="w"), checkpoint=tmp_path / "online.json")
    again = OnlineEM.load(tmp_path / "online.json")
    again.follow(data, skip=again.batches)
    assert again.model == whole.model
    assert again.history == whole.history
    assert [batch.where for batch in again.history] == paths
    assert again.rows == sum(table(i)["w"].to_numpy().sum() for i in range(5))


def changed(text: str) -> str:
    return text.replace('"rows": ', '"rows": 1', 1)


def cut(text: str) -> str:
    return text[:-30]


def of_a_fit(text: str) -> str:
    return text.replace("dmlcore online EM", "checkpoint", 1)


def other_statistics(text: str) -> str:
    return json.dumps({**json.loads(text), "mean": None})


@pytest.mark.parametrize("spoil", [changed, cut, of_a_fit, other_statistics])
def test_damaged_files_are_named(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    path = tmp_path / "online.json"
    OnlineEM(TWO, rng=1).partial_fit(table(0)["x"]).save(path)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(FormatError, match=r"dmlcore online EM .*online\.json: "):
        OnlineEM.load(path)
    with pytest.raises(EmptyError, match="no model before the first batch"):
        OnlineEM(TWO).save(path)


def test_statistics_of_a_later_version_are_named() -> None:
    with pytest.raises(FormatError, match="statistics of the kind 'integrals' are not known to this version"):
        statistics_of([{"integrals": [1.0]}])


# -- sources -------------------------------------------------------------------------------------------------------------


def test_all_sources_are_followed_alike(tmp_path: Path) -> None:
    tables = [table(i).select(["c", "x"]) for i in range(3)]
    for i, one in enumerate(tables):
        pq.write_table(one, tmp_path / f"{i}.parquet")
    byhand = OnlineEM(RECORD, rng=1)
    for one in tables:
        byhand.partial_fit(one)
    rows = [[(x, c) for c, x in zip(*one.to_pydict().values(), strict=True)] for one in tables]
    for data in (tmp_path, str(tmp_path / "*.parquet"), stream(lambda: iter(tables)), iter(tables), lambda: tables, rows):
        assert OnlineEM(RECORD, rng=1).follow(data).model == byhand.model
    halves = OnlineEM(RECORD, rng=1).follow(stream(lambda: iter(tables), chunk_rows=75))
    assert [batch.rows for batch in halves.history] == [75.0] * 6


def test_data_in_parts_may_be_one_batch(tmp_path: Path) -> None:
    tables = [table(i).select(["c", "x"]) for i in range(4)]
    parts = [stream(lambda i=i: iter(tables[i : i + 2])) for i in (0, 2)]
    one = OnlineEM(RECORD, rng=1).partial_fit(parts[0]).partial_fit(parts[1])
    whole = OnlineEM(RECORD, rng=1).partial_fit(pa.concat_tables(tables[:2])).partial_fit(pa.concat_tables(tables[2:]))
    assert one.history[1].log_likelihood == pytest.approx(whole.history[1].log_likelihood, rel=1e-6)


def test_a_stream_without_an_end_may_be_left() -> None:
    follower = OnlineEM(RECORD, rng=1)

    def tables() -> Any:
        for i in itertools.count():
            if i == 4:
                raise KeyboardInterrupt
            yield table(i).select(["x", "c"])

    with pytest.raises(KeyboardInterrupt):
        follower.follow(tables())
    assert follower.batches == 4


def test_tables_that_say_nothing_are_passed_over_and_bad_ones_named() -> None:
    nothing = table(1).set_column(0, "w", pa.array([0] * 150))
    data = [table(0), table(0, 0), nothing, table(2)]
    follower = OnlineEM(RECORD, rng=1).follow(stream(lambda: iter(data), weights="w"))
    assert [batch.where for batch in follower.history] == ["table 0", "table 3"]
    bad = table(3).set_column(2, "x", pa.array([1.0, None] * 75))
    with pytest.raises(DataError, match="table 1: x: row 1 is nan"):
        OnlineEM(RECORD, rng=1).follow([table(0).drop("w"), bad.drop("w")])
    times = OnlineEM(ExponentialEstimator()).partial_fit([1.0, 2.0])
    with pytest.raises(SupportError, match="table 0: row 1 has density zero"):
        times.follow([[1.0, -1.0]])
    assert times.batches == 1


# -- forgetting and drift ------------------------------------------------------------------------------------------------


def test_a_constant_rate_follows_what_changes() -> None:
    batches = [np.random.default_rng(i).normal(0.0 if i < 30 else 4.0, 1.0, 100) for i in range(60)]
    means = {}
    for name, settings in {"rate": {"rate": 0.2}, "decay": {"decay": 1.0}}.items():
        follower = OnlineEM(GaussianEstimator(), **settings)
        for batch in batches:
            follower.partial_fit(batch)
        means[name] = follower.model.mu
    weights = 0.2 * 0.8 ** np.arange(60)[::-1]
    weights[0] /= 0.2  # all that there was
    assert means["rate"] == pytest.approx(float(weights @ np.mean(batches, axis=1)), rel=1e-12)
    assert means["decay"] == pytest.approx(float(np.mean(batches)), rel=1e-12)


def test_a_row_of_weight_two_is_two_rows() -> None:
    weighted, repeated = OnlineEM(GaussianEstimator(), rng=1), OnlineEM(GaussianEstimator(), rng=1)
    for k in range(3):
        x, weights = np.random.default_rng(k).normal(k, 1.0, 30), 1 + np.arange(30) % (2 + k)
        weighted.partial_fit(x, weights)
        repeated.partial_fit(np.repeat(x, weights))
    assert weighted.model.mu == pytest.approx(repeated.model.mu, rel=1e-12)
    assert weighted.model.sigma2 == pytest.approx(repeated.model.sigma2, rel=1e-12)


def test_priors_count_among_the_rows_that_are_remembered() -> None:
    follower = OnlineEM(GaussianEstimator(pseudo_count=50.0, suff_stat=(10.0, 1.0)), rate=0.5)
    for _ in range(30):
        follower.partial_fit([-1.0, 1.0] * 50)
    whole = fit([-1.0, 1.0] * 100, GaussianEstimator(pseudo_count=50.0, suff_stat=(10.0, 1.0)))  # 100 / 0.5 rows
    assert follower.model.mu == pytest.approx(whole.model.mu, rel=1e-6)


def test_batches_say_how_likely_they_were_before_they_were_learnt() -> None:
    follower = OnlineEM(TWO, rng=1, rate=0.3)
    models = []
    for i in range(8):
        follower.partial_fit(table(i, shift=5.0 * (i >= 5))["x"])
        models.append(follower.model)
    first, *later = follower.history
    assert (first.number, first.rows, first.log_likelihood, first.rate) == (1, 150.0, None, 1.0)
    for i, batch in enumerate(later, start=1):
        x = table(i, shift=5.0 * (i >= 5))["x"].to_numpy()
        assert batch.log_likelihood == pytest.approx(float(models[i - 1].seq_log_density(x).mean()), rel=1e-12)
        assert batch.rate == 0.3
    stable, fallen = [[b.log_likelihood for b in later[part]] for part in (slice(0, 4), slice(4, 5))]
    assert max(fallen) < min(stable) - 5  # the fifth is of other data


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"decay": 0.4}, "decay"), ({"rate": 0.0}, "rate"), ({"rate": 1.5}, "rate"), ({"rate": 0.5, "decay": 0.7}, "one of them")],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        OnlineEM(TWO, **settings)


def test_regressions_of_other_kinds_are_refused() -> None:
    with pytest.raises(StructureError, match="only those of linear ones do"):
        OnlineEM(BY_NAME["poisson regression"].estimator).partial_fit(BY_NAME["poisson regression"].data(40))


# -- what is new, and models that go on ----------------------------------------------------------------------------------

LABELS = MixtureEstimator([CompositeEstimator({"x": GaussianEstimator(), "c": CategoricalEstimator()})] * 2)


def labelled(seed: int, new: str | None = None, n: int = 300) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    k = rng.integers(0, 2, n)
    labels = np.where(rng.random(n) < 0.3 + 0.4 * k, "a", "b").astype(object)
    if new is not None:
        labels[::10] = new
    return [{"x": float(x), "c": str(c)} for x, c in zip(rng.normal(6.0 * k, 1.0), labels, strict=True)]


@pytest.mark.parametrize("unseen", [False, True])
def test_a_new_label_does_not_stop_a_stream(unseen: bool) -> None:
    fields = {"x": GaussianEstimator(), "c": CategoricalEstimator(default_value=unseen)}
    follower = OnlineEM(MixtureEstimator([CompositeEstimator(fields)] * 2), rate=0.2, rng=1).partial_fit(labelled(0))
    before = follower.model
    follower.partial_fit(labelled(1, "new"))
    shares = [component.dists[1].pmap["new"] for component in follower.model.components]
    assert shares == pytest.approx([0.02, 0.02], abs=0.008)  # a tenth of a fifth
    assert [c.dists[0].mu for c in follower.model.components] == pytest.approx([c.dists[0].mu for c in before.components], abs=0.2)
    assert np.isfinite(follower.history[-1].log_likelihood)
    follower.partial_fit(labelled(2, "new"))
    assert [c.dists[1].pmap["new"] for c in follower.model.components] == pytest.approx([0.036, 0.036], abs=0.012)


def test_rows_that_no_model_takes_are_named_and_leave_it_as_it_was() -> None:
    follower = OnlineEM(CompositeEstimator((ExponentialEstimator(), CategoricalEstimator()))).partial_fit([(1.0, "a"), (2.0, "b")])
    before = follower.model
    with pytest.raises(SupportError, match="row 1 has density zero"):
        follower.partial_fit([(1.0, "new"), (-2.0, "a")])
    assert follower.model == before
    assert follower.batches == 1
    follower = OnlineEM(CompositeEstimator((GaussianEstimator(), CategoricalEstimator()))).partial_fit([(1.0, "a"), (2.0, "b")])
    before = follower.model
    with pytest.raises(SupportError, match="row 1 has density zero"):
        follower.partial_fit([(1.0, "a"), (np.inf, "a")])
    assert follower.model == before


def test_new_labels_of_chains_and_sets() -> None:
    estimator = CompositeEstimator((MarkovChainEstimator(), BernoulliSetEstimator()))
    follower = OnlineEM(estimator, rate=0.5).partial_fit([(["a", "b"], ["u"]), (["b", "b"], [])])
    chain, tags = follower.partial_fit([(["a", "z"], ["u", "w"]), (["b", "b"], [])]).model.dists
    assert chain.transition_map["a"] == pytest.approx({"b": 0.5, "z": 0.5})
    assert tags.pmap["w"] == pytest.approx(0.25)


def test_a_model_goes_on_from_draws_of_itself(tmp_path: Path) -> None:
    model = fit(labelled(3, n=4000), LABELS, rng=1).model
    follower = OnlineEM(start=model, rate=0.1, rng=2)
    assert follower.model == model
    follower.partial_fit(labelled(4, n=2000))
    old, new = (sorted(c.dists[0].mu for c in m.components) for m in (model, follower.model))
    assert new == pytest.approx(old, abs=0.06)
    follower.save(tmp_path / "online.json")
    again = OnlineEM.load(tmp_path / "online.json")
    assert again.partial_fit(labelled(5, "new")).model == follower.partial_fit(labelled(5, "new")).model
    again = OnlineEM(LABELS, start=fit(labelled(3), LABELS, rng=1), start_rows=50, rng=3)
    assert again.rows == 50


def test_what_is_no_start() -> None:
    with pytest.raises(ParameterError, match="start="):
        OnlineEM()
    with pytest.raises(ParameterError, match="start_rows must be at least 1"):
        OnlineEM(start=GaussianDistribution(0.0, 1.0), start_rows=0)
    with pytest.raises(StructureError, match="does not fit the estimator"):
        OnlineEM(TWO, start=GaussianDistribution(0.0, 1.0))
    for estimator in (TWO, None):
        with pytest.raises(ParameterError, match="start must be a distribution"):
            OnlineEM(estimator, start=TWO)


@pytest.mark.parametrize(("unseen", "most"), [(False, 1), (True, 2)])  # a second time to see whether it holds a label that is new
def test_a_batch_is_gone_through_once(unseen: bool, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    online = OnlineEM(MixtureEstimator([CategoricalEstimator(default_value=unseen)] * 2), rng=1)
    online.partial_fit(["a", "b", "a", "c"] * 5)
    passes: list[Any] = []
    total = WeightedRows.total
    monkeypatch.setattr(WeightedRows, "total", lambda rows, work: passes.append(work) or total(rows, work))
    online.partial_fit(["c", "a"] * 5)
    assert len(passes) == most
    online.partial_fit(["a", "d"] * 5)
    assert "d" in online.model.components[0].pmap
