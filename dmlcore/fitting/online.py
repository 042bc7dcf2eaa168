"""Online EM: a model that follows a stream, batch by batch, with the statistics of an ordinary fit (Cappe and Moulines 2009)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any, Self

from dmlcore.base.errors import EmptyError, ParameterError, StructureError, SupportError
from dmlcore.base.random import Random, generator
from dmlcore.base.records import dataclass
from dmlcore.base.threads import thread_count
from dmlcore.core.arguments import takes
from dmlcore.core.declared import check_node
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.keys import Ties, resolve
from dmlcore.core.unseen import AllowsUnseen
from dmlcore.data.frames import column_names, is_frame
from dmlcore.engines.chunks import Chunk, layout_for
from dmlcore.engines.stream import Stream, as_stream, is_stream, stream
from dmlcore.fitting.chunked import rows_for, rows_of
from dmlcore.fitting.fit import fit
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.record import Fit, fitted_by
from dmlcore.fitting.resolved import Resolved, added, scaled
from dmlcore.fitting.saved_statistics import plain_statistics, statistics_of
from dmlcore.io.sealed import read_sealed, write_sealed

STATE = "dmlcore online EM"  # what the files of `save` call themselves


@dataclass(frozen=True)
class OnlineBatch:
    """One batch, as it came.

    rows: their weight. log_likelihood: per row, of the model before it learnt from them, so that a fall says that the data have changed;
    None of the first batch, before which there is no model; where a batch holds something new, of the model that allows for it. rate: the
    share that their statistics got. where: what they stood in.
    """

    number: int
    rows: float
    log_likelihood: float | None
    rate: float
    where: str = ""


class OnlineEM:
    """EM on data that come in batches and are not kept.

    After batch t (from 1) the mean statistics per row s become `(1 - g) s + g s_t`, with `s_t` those of the batch under the current model
    and `g = t ** -decay`; the model is the maximum given s. decay: above 1/2, at most 1. With 1 every batch counts alike, which for a
    model without latent parts is the fit of all rows at once (batches of one size); with less, later batches count more, so that a
    poor beginning is forgotten. rate: in place of decay, a `g` that stays: what is older than about 1 / rate batches is forgotten, and the
    model follows data that change. Priors count as they would among the rows that are not forgotten.

    The first batch fixes floors and ranges, and is fitted to convergence from a searched start: it should hold some of every kind of row.
    Or start: a model, or a fit, that goes on learning; `start_rows` draws of it, from `rng`, take the place of the first batch, and
    `estimator` may be left out. history: a `OnlineBatch` of each batch so far, with the log likelihood per row that it had before it was
    learnt from.

    What a later batch holds that is new, a label say, the model allows for before it learns from it: as if one row that is the average of
    the batch had come to every class.

    Raises `ParameterError` for a decay or a rate out of range, `SupportError` for a row that no model of the estimator gives a density,
    `StructureError` for a start that cannot be drawn from, and what `dmlcore.fit` raises for the first batch.
    """

    @takes()
    def __init__(
        self,
        estimator: Estimator | None = None,
        *,
        start: Any = None,
        start_rows: int = 10_000,
        decay: float | None = None,
        rate: float | None = None,
        rng: Random = None,
        threads: int | None = None,
    ):
        if start is not None:
            check_node(start.model if isinstance(start, Fit) else start, Distribution.noun, "start")
            start, estimator = fitted_by(start, estimator)
        elif estimator is None:
            raise ParameterError("OnlineEM needs an estimator, or a model to go on from: start=..")
        if decay is not None and rate is not None:
            raise ParameterError("decay makes the rate fall from batch to batch, and rate= holds it; give one of them")
        decay = 0.6 if decay is None else decay
        if not 0.5 < decay <= 1:
            raise ParameterError(f"decay must be above 0.5 and at most 1, got {decay!r}")
        if rate is not None and not 0 < rate <= 1:
            raise ParameterError(f"rate must be above 0 and at most 1, got {rate!r}")
        self.estimator, self.decay, self.rate, self.rng, self.threads = estimator, decay, rate, rng, threads
        self.history: list[OnlineBatch] = []
        self.rows = 0.0
        self.first: Fit | None = None  # the record of the first batch's fit
        self._model: Distribution | None = None
        self._resolved: Resolved | None = None
        self._mean: list[Any] = []
        if start is not None:
            self._go_on_from(start, start_rows)

    def _go_on_from(self, start: Distribution, count: int) -> None:
        """Takes draws of a model for the first batch."""
        if count < 1:
            raise ParameterError(f"start_rows must be at least 1, got {count!r}")
        rows = rows_for(start.sampler(generator(self.rng)).sample(count), self.estimator.layout, None, self.threads)
        resolved = Resolved.on(self.estimator, rows)
        problem = Problem(rows, resolved)
        self._begin(problem, start)
        self._add(problem, problem.expect(start)[1], None, 1.0, "start")

    @property
    def batches(self) -> int:
        """How many batches were taken in."""
        return len(self.history)

    @property
    def model(self) -> Any:
        """The model so far. Raises `EmptyError` before the first batch."""
        if self._model is None:
            raise EmptyError("there is no model before the first batch; call partial_fit(rows)")
        return self._model

    def partial_fit(self, data: Any, weights: Any = None) -> Self:
        """Takes in one batch of observations, with one weight per row if they count differently; returns itself.

        data: as of `dmlcore.fit`; data in parts (a file pattern, a DataFrame of Spark) are one batch, too.
        """
        return self._learn(rows_for(data, self._reading.layout, weights, self.threads))

    def follow(self, tables: Any, *, checkpoint: Any = None, skip: int = 0) -> Self:
        """Takes in tables one after the other, each as a batch; returns itself when there are no more.

        tables: what `dmlcore.stream` takes, or anything that gives tables (a generator that never ends, say), which is gone through once.
        checkpoint: a file that is written after each batch, as by `save`. skip: how many tables to pass over, `self.batches` of a source
        that begins from the first again. A table without rows, or whose rows have no weight, is none.
        """
        source, threads = _stream_of(tables), thread_count(self.threads)
        for piece in source.pieces():
            if piece.number < skip:
                continue
            names = column_names(piece.table) if is_frame(piece.table) else []
            layout = layout_for(self._reading.layout, names, source.weights)
            rows = replace(rows_of(Chunk.of(piece, layout, source.weights)), threads=threads)
            if rows.weight > 0:
                self._learn(rows, piece.where)
                if checkpoint is not None:
                    self.save(checkpoint)
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes all that the next batch needs to a file, so that `load` goes on with the same bits: the file is replaced whole or not at
        all. Raises `EmptyError` before the first batch, `FormatError` for what JSON cannot hold, and `StructureError` for statistics of a
        kind that it does not know (pickle those)."""
        model, resolved = self.model, self._resolved
        assert resolved is not None
        content = {
            "settings": {"decay": self.decay, "rate": self.rate},
            "estimator": self.estimator,
            "model": model,
            "rows": self.rows,
            "batches": [list(asdict(batch).values()) for batch in self.history],
            "start": plain_statistics(resolved.start_statistics),
            "mean": plain_statistics(self._mean),
        }
        write_sealed(path, STATE, content)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, threads: int | None = None) -> Self:
        """What `save` wrote; `first` is not kept. Raises `FormatError` for another or a damaged file, `OSError` where it cannot be read."""
        content = read_sealed(path, STATE)
        out = cls(content["estimator"], **_given(content["settings"]), threads=threads)
        out.history = [OnlineBatch(*batch) for batch in content["batches"]]
        out.rows, out._model = content["rows"], content["model"]
        out._resolved = _resolved_again(out.estimator, statistics_of(content["start"]))
        out._mean = statistics_of(content["mean"])
        return out

    @property
    def _reading(self) -> Any:
        """What says how observations are read: the estimator, with the names that the first batch gave it."""
        return self.estimator if self._resolved is None else self._resolved.estimator

    def _learn(self, rows: Any, where: str = "") -> Self:
        """Takes in the rows of a batch."""
        if self._resolved is None or self._model is None:
            problem = Problem(rows, Resolved.on(self.estimator, rows), together=rows.in_memory is rows)
            self._begin(problem)
            return self._add(problem, problem.expect(self._model)[1], None, 1.0, where)
        problem, model, log_likelihood, statistics = self._allowing_for(rows)
        self._resolved, self._model = problem.resolved, model
        step = float((self.batches + 1) ** -self.decay) if self.rate is None else self.rate
        return self._add(problem, statistics, log_likelihood / rows.weight, step, where)

    def _begin(self, problem: Problem, start: Distribution | None = None) -> None:
        """Fixes what the rows of the first batch fix, and the first model."""
        if problem.resolved.local or not problem.resolved.scalable:
            need = "online EM needs statistics that hold under any model and can be scaled, by a method scaled(factor)"
            raise StructureError(f"{need}; of regressions, only those of linear ones do")
        if start is None:
            self.first = fit(problem, self.estimator, rng=self.rng)
            start = self.first.model
        else:
            problem.check(start)
        self.estimator = problem.rows.named(self.estimator)
        self._resolved, self._model = problem.resolved, start

    def _allowing_for(self, rows: Any) -> tuple[Problem, Any, float, list[Any]]:
        """A later batch, the model, and the log likelihood and the statistics under it: one that allows for what is new in the batch, where
        something is."""
        before: Any = self._resolved
        problem = Problem(rows, before)
        found: tuple[float, list[Any]] | None = None
        try:
            found = problem.expect(self._model)
            if not _passes_over_unseen(before):
                return problem, self._model, *found
        except SupportError:
            pass
        fresh = Resolved.on(self.estimator, rows).start_statistics  # raises for rows that no model gives a density
        after = _resolved_again(self.estimator, added(before.start_statistics, fresh))
        if found is not None and known_to(after) == known_to(before):
            return problem, self._model, *found
        problem = Problem(rows, after)
        one = [own if own is None else scaled(own, 1 / rows.weight) for own in fresh]
        whole = [own if own is None else scaled(own, self._remembered) for own in self._mean]
        model = problem.maximise(added(whole, one), self._model)
        return problem, model, *problem.expect(model)

    def _add(self, problem: Problem, statistics: list[Any], log_likelihood: float | None, step: float, where: str) -> Self:
        """Takes in the statistics of a batch under the model."""
        rows = problem.rows
        fresh = [own if own is None else scaled(own, 1 / rows.weight) for own in statistics]
        old = self._mean or fresh
        self._mean = [new if new is None else scaled(before, 1 - step) + scaled(new, step) for before, new in zip(old, fresh, strict=True)]
        self.history.append(OnlineBatch(self.batches + 1, float(rows.weight), log_likelihood, step, where))
        self.rows += rows.weight
        if self.batches > 1:
            whole = [own if own is None else scaled(own, self._remembered) for own in self._mean]
            self._model = problem.maximise(whole, self._model)
        return self

    @property
    def _remembered(self) -> float:
        """How many rows the mean statistics stand for."""
        return self.rows if self.rate is None else min(self.rows, self.rows / self.batches / self.rate)

    def __repr__(self) -> str:
        return f"OnlineEM(batches={self.batches}, rows={self.rows:g}, model={self._model!r})"


def _stream_of(tables: Any) -> Stream:
    if is_stream(tables):
        return as_stream(tables)
    once = isinstance(tables, Iterable) and not isinstance(tables, (str, os.PathLike))
    return stream((lambda: tables) if once else tables)


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    """A rate, or a decay."""
    return {name: value for name, value in settings.items() if value is not None and (name == "rate" or settings["rate"] is None)}


def known_to(resolved: Resolved) -> int:
    """How many labels the nodes of an estimator know, those that can pass over others."""
    return sum(node.known for node in resolved.ties.nodes if isinstance(node, AllowsUnseen))


def _passes_over_unseen(resolved: Resolved) -> bool:
    """Whether a row that holds a new label may have a density, so that none tells of it."""
    return any(isinstance(node, AllowsUnseen) and node.default_value for node in resolved.ties.nodes)


def _resolved_again(estimator: Estimator, start: list[Any]) -> Resolved:
    """An estimator resolved on rows that are no longer there, from the statistics that they had."""
    resolved = resolve(estimator, start, Ties(estimator))
    return Resolved(resolved, Ties(resolved), start, latent=True, choosing=True)  # as of a model that is there already
