"""Choosing among models: a sweep over candidates, every criterion in one table, and the best."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from html import escape
from itertools import count as count_from
from typing import Any, NamedTuple

import numpy as np

from dmlcore.base.errors import DmlcoreError, EmptyError, ParameterError, shorten
from dmlcore.base.lazy import above
from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.base.random import Random, generator, spawn
from dmlcore.base.records import dataclass
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.text_tables import as_html, as_text
from dmlcore.data.encoded import Encoded, encode, row_weights
from dmlcore.data.values import listed
from dmlcore.fitting.drivers import UNSOUND
from dmlcore.fitting.effort import Starts
from dmlcore.fitting.fit import fit
from dmlcore.fitting.observe import watched
from dmlcore.fitting.record import Fit
from dmlcore.selection.criteria import CRITERIA, Candidate
from dmlcore.selection.remarks import remarks

EstimatorFor = Callable[[Any], Estimator] | str  # what `select` asks for the estimator of a candidate

PAST_THE_BEST = 2  # candidates in a row that must be worse than the best to end a sweep that goes on
FIRST_STARTS = 8  # random starts of a candidate at first
DECIDE_THE_START = ("starts", "start", "init_estimator", "delta")  # options of `fit` that leave nothing open


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

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said besides the table: that the best is the largest tried, candidates that are degenerate or came out too low, a
        best value that one start alone came to, and candidates that were left out."""
        left_out = [f"left out {value!r}: {why}" for value, why in self.failures]
        return (*remarks(self.values, self.fits, self.rows, self.best_index, self.criterion), *left_out)

    def summary(self) -> str:
        """The table as text, and the remarks below it."""
        return "\n".join([f"Selection by {self.criterion}: {self.value!r}", self.table(), *self.remarks])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{escape(text)}</li>" for text in self.remarks)
        return as_html(self._shown(), f"Selection by {self.criterion}: {self.value!r}") + f"<ul>{said}</ul>" * bool(said)

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


@takes(fit)
def select(
    estimator_for: EstimatorFor,
    values: Iterable[Any],
    data: Any,
    criterion: str = "bic",
    *,
    starts: int | None = None,
    weights: Any = None,
    patience: int | None = None,
    beyond: bool = False,
    folds: int = 5,
    rng: Random = None,
    threads: int | None = None,
    **options: Any,
) -> Selection:
    """Fits a model for each of `values`, and chooses by a criterion.

    Of a formula, `select("y ~ x", range(1, 7), data)`, it is `dmlcore.regression.select_components`, and options are of that.

    estimator_for: makes the estimator of a candidate, such as `lambda k: MixtureEstimator([GaussianEstimator()] * k)`. values: the
    candidates, such as `range(1, 7)`. criterion: "bic", "aic", "icl" (entropy form), "icl_hard" (each row given to its most probable
    component), all smaller the better; or "held_out", the log likelihood of a row that the fit did not see, by `folds` folds, larger
    the better (it fits every candidate `folds` times more). starts: random starts of each, as in `dmlcore.fit`; without, each
    candidate is fitted from a few, and a mixture from the fit of one component less with each component split in turn, and those that the
    criterion then chooses are searched for at length, as `fit` does. patience: stop once so many candidates in a row have been worse than
    the best; None goes through all. beyond: whether to go on past the last of `values`, whole numbers, until two in a row (or `patience`)
    are worse than the best. threads: how many (None: as DMLCORE_NUM_THREADS says, or else one per core); results do not depend on
    it. options: of `dmlcore.fit`. Ctrl-C ends the sweep with what it has.

    What it returns says in `remarks` where the best is the last one tried, where a larger candidate came out lower than a smaller one,
    and the like. A candidate that cannot be fitted at all is left out and named in `failures`; if none can be fitted, the first error is
    raised.
    """
    if isinstance(estimator_for, str):
        given = {"sample_weight": weights} if weights is not None else {}
        regressions = above("dmlcore.regression.component_selection", "select_components")
        return regressions(estimator_for, data, components=values, criterion=criterion, starts=starts, random_state=rng, **given, **options)  # type: ignore[no-any-return]
    _check(estimator_for, criterion, patience)
    if threads is None and "DMLCORE_NUM_THREADS" not in os.environ:
        threads = os.cpu_count()
    data, candidates = listed(data), list(values)
    if not candidates:
        raise EmptyError("there are no candidates to choose from")
    if beyond and not all(isinstance(value, (int, np.integer)) and not isinstance(value, bool) for value in candidates):
        raise ParameterError(f"beyond=True is for candidates that are whole numbers, got {shorten(candidates)}")
    sweep = _Sweep(data, criterion, weights, threads, dict(starts=starts, **options), folds)
    tried: list[_Tried] = []
    failures: list[tuple[Any, Exception]] = []
    best = 0
    with watched(options.get("progress", True)) as watch:
        for i, (value, stream) in enumerate(_with_streams(candidates, generator(rng), beyond)):
            past = i >= len(candidates)
            if past and len(tried) - 1 - best >= (patience or PAST_THE_BEST):
                break
            watch.say(f"candidate {value}{_so_far(tried, best, criterion)}", i, i + 1 if past else len(candidates))
            estimator = estimator_for(value)
            try:
                tried.append(sweep.first_try(value, estimator, stream, tried[-1] if tried else None))
            except OUTSIDE_DOMAIN as error:
                failures.append((value, error))
                if past:
                    break
                continue
            best = sweep.best_of(tried)
            if tried[-1].fit.status == "interrupted" or (patience is not None and len(tried) - 1 - best >= patience):
                break
        if not tried:
            raise failures[0][1]
        while tried[best].brief and all(one.fit.status != "interrupted" for one in tried):
            watch.say(f"candidate {tried[best].value} at length{_so_far(tried, best, criterion)}")
            tried[best] = sweep.searched_for(tried[best])
            best = sweep.best_of(tried)
    left_out = tuple(Failure(value, _reason(error)) for value, error in failures)
    values_, fits, rows = zip(*((one.value, one.fit, one.row) for one in tried), strict=True)
    return Selection(criterion, values_, fits, rows, best, left_out)


def _with_streams(candidates: list[Any], rng: np.random.Generator, beyond: bool) -> Iterator[tuple[Any, np.random.Generator]]:
    """Each candidate with its random stream; beyond the last, the whole numbers that follow it."""
    yield from zip(candidates, spawn(rng, len(candidates)), strict=True)
    if beyond:
        yield from ((value, spawn(rng, 1)[0]) for value in count_from(max(candidates) + 1))


@dataclass(frozen=True)
class _Tried:
    """A candidate that was fitted. brief: from a few starts alone, so that others may lead to more."""

    value: Any
    estimator: Estimator
    fit: Fit
    row: dict[str, Any]
    rng: np.random.Generator
    brief: bool


class _Sweep:
    """What the fits of all candidates have in common.

    Each is first fitted from a few starts, and from the mixture of one component less. A long search is for those that are chosen after
    that: the criteria of most candidates are so far from the best that what it may find is of no consequence.
    """

    def __init__(self, data: Any, criterion: str, weights: Any, threads: int | None, options: dict[str, Any], folds: int):
        self.data, self.criterion, self.weights, self.threads = data, criterion, weights, threads
        self.options, self.folds = options, folds
        self.brief = not CRITERIA[criterion].refits and all(options.get(name) is None for name in DECIDE_THE_START)
        self._encoded: Any = None

    def encoded(self, estimator: Estimator) -> Encoded:
        """The data as an estimator reads them; once, as long as all read alike."""
        if self._encoded is None or self._encoded.layout != estimator.layout:
            self._encoded = encode(self.data, estimator.layout)
        return self._encoded

    def first_try(self, value: Any, estimator: Estimator, rng: np.random.Generator, before: _Tried | None) -> _Tried:
        """A candidate fitted as the options say; where they leave it open, from a few starts."""
        if not self.brief:
            return self._fitted(value, estimator, rng)
        smaller = before.fit.model if before is not None and _one_more(estimator, before.estimator) else None
        return self._fitted(value, estimator, rng, Starts(FIRST_STARTS, smaller))

    def searched_for(self, one: _Tried) -> _Tried:
        """A candidate fitted from as many starts as it takes, and from where it stands."""
        return self._fitted(one.value, one.estimator, one.rng, Starts(known=one.fit.model if one.estimator.is_mixture else None))

    def _fitted(self, value: Any, estimator: Estimator, rng: np.random.Generator, starts: Starts | None = None) -> _Tried:
        fit_rng, fold_rng = spawn(rng, 2)
        options = self.options if starts is None else self.options | {"starts": starts}
        encoded = self.encoded(estimator)
        found = fit(encoded, estimator, rng=fit_rng, weights=self.weights, threads=self.threads, **options)
        refit = dict(folds=self.folds, rng=fold_rng, threads=self.threads, **options)
        row = table_row(value, found, encoded, self.weights, self.criterion, refit)
        row |= {"status": found.status, "reached": found.reached, "starts": len(found.starts)}
        return _Tried(value, estimator, found, row, rng, starts is not None and starts.random is not None and len(found.starts) > 0)

    def best_of(self, tried: list[_Tried]) -> int:
        """Which is chosen."""
        return min(range(len(tried)), key=lambda i: _rank(tried[i], self.criterion))


def _one_more(estimator: Any, before: Any) -> bool:
    """Whether an estimator is of a mixture like another, of one component more."""
    return (
        estimator.is_mixture
        and before.is_mixture
        and estimator.layout == before.layout
        and estimator.num_components == before.num_components + 1
    )


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, DmlcoreError) else f"{type(error).__name__}: {error}"


def table_row(value: Any, found: Fit, encoded: Any, weights: Any, chooses: str, refit: dict[str, Any]) -> dict[str, Any]:
    """What a fit has by every criterion. chooses: of those that fit again, the one that is wanted; refit: how."""
    w = row_weights(weights, len(encoded))
    candidate = Candidate(found.log_likelihood, found.model, found.rows, found.estimator, encoded, w, refit)
    out = {"value": value, "log_likelihood": found.log_likelihood, "parameters": candidate.p}
    for criterion in CRITERIA.values():
        if criterion.name == chooses or not criterion.refits:
            out |= criterion.row(candidate)
    return out


def _so_far(tried: list[_Tried], best: int, criterion: str) -> str:
    return f", best so far {tried[best].value} ({criterion} {tried[best].row[criterion]:.6g})" if tried else ""


def _rank(one: _Tried, criterion: str) -> tuple[bool, float]:
    value = one.row[criterion]
    return one.fit.status in UNSOUND, -value if CRITERIA[criterion].larger_is_better else value


def _check(estimator_for: Any, criterion: str, patience: Any) -> None:
    if not callable(estimator_for):
        raise TypeError(f"select(estimator_for, values, data): the first makes the estimator of a candidate, got {shorten(estimator_for)}")
    if criterion not in CRITERIA:
        raise ParameterError(f"criterion must be one of {', '.join(CRITERIA)}, got {criterion!r}")
    if patience is not None and (not isinstance(patience, (int, np.integer)) or patience < 1):
        raise ParameterError(f"patience must be a whole number >= 1 or None, got {patience!r}")
