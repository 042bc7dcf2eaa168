"""Online EM: a model that follows a stream, batch by batch, with the statistics of an ordinary fit (Cappe and Moulines 2009)."""

from __future__ import annotations

from typing import Any

from dmlcore.base.errors import EmptyError, ParameterError, StructureError
from dmlcore.base.random import Random
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.fitting.fit import fit
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.record import Fit
from dmlcore.fitting.resolved import scaled


class OnlineEM:
    """EM on data that come in batches and are not kept.

    After batch t (from 1) the mean statistics per row s become `(1 - g) s + g s_t`, with `s_t` those of the batch under the current model
    and `g = t ** -decay`; the model is the maximum given s. decay: above 1/2, at most 1. With 1 every batch counts alike, which for a
    model without latent parts is the fit of all rows at once (batches of one size); with less, later batches count more, so that a
    poor beginning is forgotten. The first batch fixes floors, label sets and ranges, and is fitted to convergence from a searched start:
    it should hold some of every kind of row.

    Raises `ParameterError` for a decay out of range, `SupportError` for a row that has no density under the model so far (a label that
    the first batch lacked, without pseudo-counts), and what `dmlcore.fit` raises for the first batch.
    """

    def __init__(self, estimator: Estimator, *, decay: float = 0.6, rng: Random = None, threads: int | None = None):
        if not 0.5 < decay <= 1:
            raise ParameterError(f"decay must be above 0.5 and at most 1, got {decay!r}")
        self.estimator, self.decay, self.rng, self.threads = estimator, decay, rng, threads
        self.batches = 0
        self.rows = 0.0
        self.first: Fit | None = None  # the record of the first batch's fit
        self._model: Distribution | None = None
        self._problem: Problem | None = None
        self._mean: list[Any] = []

    @property
    def model(self) -> Any:
        """The model so far. Raises `EmptyError` before the first batch."""
        if self._model is None:
            raise EmptyError("there is no model before the first batch; call partial_fit(rows)")
        return self._model

    def partial_fit(self, data: Any, weights: Any = None) -> OnlineEM:
        """Takes in one batch of observations, with one weight per row if they count differently; returns itself."""
        if self._problem is None or self._model is None:
            problem = Problem.of(data, self.estimator, weights, self.threads)
            if problem.resolved.local or not problem.resolved.scalable:
                need = "online EM needs statistics that hold under any model and can be scaled, by a method scaled(factor)"
                raise StructureError(f"{need}; of regressions, only those of linear ones do")
            self.first = fit(problem, self.estimator, rng=self.rng)
            self._problem, self._model = problem, self.first.model
        else:
            problem = self._problem.on(data, weights)
        size = problem.rows.weight
        fresh = [own if own is None else scaled(own, 1 / size) for own in problem.expect(self._model)[1]]
        step = float((self.batches + 1) ** -self.decay)
        old = self._mean or fresh
        self._mean = [new if new is None else scaled(before, 1 - step) + scaled(new, step) for before, new in zip(old, fresh, strict=True)]
        self.batches, self.rows = self.batches + 1, self.rows + size
        if self.batches > 1:
            whole = [own if own is None else scaled(own, self.rows) for own in self._mean]
            self._model = problem.maximise(whole, self._model)
        return self

    def __repr__(self) -> str:
        return f"OnlineEM(batches={self.batches}, rows={self.rows:g}, model={self._model!r})"
