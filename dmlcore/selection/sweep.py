"""Choosing among models: a sweep over candidates, every criterion in one table, and the best."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dmlcore.base.errors import DmlcoreError, EmptyError, ParameterError
from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.base.random import Random, generator, spawn
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.text_tables import as_html, as_text
from dmlcore.data.encoded import encode, row_weights
from dmlcore.data.values import listed
from dmlcore.fitting.drivers import UNSOUND
from dmlcore.fitting.fit import fit
from dmlcore.fitting.record import Fit
from dmlcore.selection.criteria import CRITERIA, Candidate


class Failure(NamedTuple):
    """A candidate that could not be fitted, and why: the message of the error, after its kind where it is none of this library's."""

    value: Any
    reason: str


@dataclass(frozen=True, repr=False)
class Selection:
    """What a sweep found.

    values: the candidates, in order. fits: the best `Fit` of each. rows: one dictionary per candidate: value, log_likelihood, parameters,
    every criterion, status, and of how many starts how many reached the best value found. criterion: the one that chose. best_index:
    the candidate chosen; a degenerate fit is chosen only if all are. failures: candidates that could not be fitted, and why.
    """

    criterion: str
    values: tuple[Any, ...]
    fits: tuple[Fit, ...]
    rows: tuple[dict[str, Any], ...]
    best_index: int
    failures: tuple[Failure, ...] = ()

    @property
    def best(self) -> Fit:
        """The fit chosen."""
        return self.fits[self.best_index]

    @property
    def model(self) -> Distribution:
        """The model chosen."""
        return self.best.model

    @property
    def value(self) -> Any:
        """The candidate chosen."""
        return self.values[self.best_index]

    def table(self) -> str:
        """The rows as text, the one chosen marked."""
        return as_text(self._shown())

    def __repr__(self) -> str:
        left_out = "".join(f"\nleft out {value!r}: {why}" for value, why in self.failures)
        return f"Selection by {self.criterion}: {self.value!r}\n{self.table()}{left_out}"

    def _repr_html_(self) -> str:
        return as_html(self._shown(), f"Selection by {self.criterion}: {self.value!r}")

    def _shown(self) -> list[dict[str, Any]]:
        return [{"": "*" if i == self.best_index else "", **row} for i, row in enumerate(self.rows)]

    def plot(self, ax: Any = None, criteria: Iterable[str] | None = None) -> Any:
        """Criteria against candidates, the one chosen marked, on a matplotlib axes; returns the axes."""
        from dmlcore.plot.axes import axes_or_new, plain_axes

        ax = plain_axes(axes_or_new(ax, (6.0, 3.8)))
        chosen = [self.criterion] if criteria is None else list(criteria)
        unknown = [name for name in chosen if name not in self.rows[0]]
        if unknown:
            raise ParameterError(f"there is no criterion {unknown[0]!r} in this table; there are {', '.join(self._criteria())}")
        numeric = all(isinstance(v, (int, float, np.number)) for v in self.values)
        x = list(self.values) if numeric else list(range(len(self.values)))
        for name in chosen:
            y = [row[name] for row in self.rows]
            (line,) = ax.plot(x, y, marker="o", label=name)
            if name == self.criterion:
                ax.plot(x[self.best_index], y[self.best_index], marker="o", ms=12, mfc="none", color=line.get_color())
        ax.set_xticks(x, [str(v) for v in self.values])
        ax.set_xlabel("candidate")
        ax.set_ylabel("criterion")
        ax.legend()
        return ax

    def _criteria(self) -> list[str]:
        return [name for name in CRITERIA if name in self.rows[0]]


def select(
    estimator_for: Callable[[Any], Estimator],
    values: Iterable[Any],
    data: Any,
    criterion: str = "bic",
    *,
    starts: int | None = None,
    weights: Any = None,
    patience: int | None = None,
    folds: int = 5,
    rng: Random = None,
    threads: int | None = None,
    **options: Any,
) -> Selection:
    """Fits a model for each of `values`, and chooses by a criterion.

    estimator_for: makes the estimator of a candidate, such as `lambda k: MixtureEstimator([GaussianEstimator()] * k)`. values: the
    candidates, such as `range(1, 7)`. criterion: "bic", "aic", "icl" (entropy form), "icl_hard" (each row given to its most probable
    component), all smaller the better; or "held_out", the log likelihood of a row that the fit did not see, by `folds` folds, larger
    the better (it fits every candidate `folds` times more). starts: random starts of each, as in `dmlcore.fit`. patience: stop once
    so many candidates in a row have been worse than the best; None goes through all. threads: how many (None: as
    DMLCORE_NUM_THREADS says, or else one per core); results do not depend on it. options: of `dmlcore.fit`. Ctrl-C ends the sweep with
    what it has.

    A candidate that cannot be fitted at all is left out and named in `failures`; if none can be fitted, the first error is raised.
    """
    _check(criterion, patience)
    if threads is None and "DMLCORE_NUM_THREADS" not in os.environ:
        threads = os.cpu_count()
    data, candidates = listed(data), list(values)
    if not candidates:
        raise EmptyError("there are no candidates to choose from")
    parent = generator(rng)
    kept: list[tuple[Any, Fit, dict[str, Any]]] = []
    failures: list[tuple[Any, Exception]] = []
    best, behind = 0, 0
    encoded: Any = None
    for value, stream in zip(candidates, spawn(parent, len(candidates)), strict=True):
        estimator = estimator_for(value)
        fit_rng, fold_rng = spawn(stream, 2)
        try:
            if encoded is None or encoded.layout != estimator.layout:
                encoded = encode(data, estimator.layout)
            found = fit(encoded, estimator, starts=starts, rng=fit_rng, weights=weights, threads=threads, **options)
            refit = dict(folds=folds, starts=starts, rng=fold_rng, threads=threads, **options)
            row = _row(value, found, encoded, weights, criterion, refit)
        except OUTSIDE_DOMAIN as error:
            failures.append((value, error))
            continue
        kept.append((value, found, row | {"status": found.status, "reached": found.reached, "starts": len(found.starts)}))
        best = min(range(len(kept)), key=lambda i: _rank(kept[i], criterion))
        behind = len(kept) - 1 - best
        if found.status == "interrupted" or (patience is not None and behind >= patience):
            break
    if not kept:
        raise failures[0][1]
    tried, fits, rows = zip(*kept, strict=True)
    left_out = tuple(Failure(value, _reason(error)) for value, error in failures)
    return Selection(criterion, tried, fits, rows, best, left_out)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, DmlcoreError) else f"{type(error).__name__}: {error}"


def _row(value: Any, found: Fit, encoded: Any, weights: Any, chooses: str, refit: dict[str, Any]) -> dict[str, Any]:
    w = row_weights(weights, len(encoded))
    candidate = Candidate(found.log_likelihood, found.model, found.rows, found.estimator, encoded, w, refit)
    out = {"value": value, "log_likelihood": found.log_likelihood, "parameters": candidate.p}
    for criterion in CRITERIA.values():
        if criterion.name == chooses or not criterion.refits:
            out |= criterion.row(candidate)
    return out


def _rank(candidate: tuple[Any, Fit, dict[str, Any]], criterion: str) -> tuple[bool, float]:
    _, found, row = candidate
    return found.status in UNSOUND, -row[criterion] if CRITERIA[criterion].larger_is_better else row[criterion]


def _check(criterion: str, patience: Any) -> None:
    if criterion not in CRITERIA:
        raise ParameterError(f"criterion must be one of {', '.join(CRITERIA)}, got {criterion!r}")
    if patience is not None and (not isinstance(patience, (int, np.integer)) or patience < 1):
        raise ParameterError(f"patience must be a whole number >= 1 or None, got {patience!r}")
