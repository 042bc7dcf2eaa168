"""A fit of a model that is proposed, with as many components as predict best."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dmlcore.base.errors import FitWarning, ParameterError
from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.base.random import Random, generator, spawn
from dmlcore.base.records import dataclass
from dmlcore.core.estimator import Estimator
from dmlcore.core.scoring import log_densities
from dmlcore.data.encoded import Encoded, encode, row_weights
from dmlcore.data.frames import rows_at
from dmlcore.data.partition import k_fold_split_index
from dmlcore.data.values import listed
from dmlcore.engines.choice import in_parts, parts_of
from dmlcore.engines.chunks import weights_apart
from dmlcore.fitting.drivers import UNSOUND
from dmlcore.fitting.effort import Starts
from dmlcore.fitting.fit import fit as fit_by
from dmlcore.fitting.moves import divided
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.record import Fit
from dmlcore.fitting.search import rows_as_points
from dmlcore.fitting.seeding import Descriptions
from dmlcore.proposal.proposing import ROWS_OF_PARTS, propose
from dmlcore.proposal.result import Proposal
from dmlcore.proposal.vectors import Reals, as_one_vector, explained
from dmlcore.selection.criteria import free_parameters
from dmlcore.selection.sweep import DECIDE_THE_START, Failure, Selection, select, table_row
from dmlcore.stats import MixtureDistribution

COMPONENTS_LOOKED_AT = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32)  # as long as more predict better
PATIENCE = 3  # numbers of components in a row that may be no better
FOLDS = 3
ROWS_COMPARED = 4000  # for the number of components
ROWS_FOR_ONE_FOLD = 1000  # from which on only one of the folds is held out
BRIEF_STARTS = 2  # at random, of the folds together, of brief fits of
FEW_COMPONENTS = 4  # at most: beside a fit that begins where that of fewer components ended, the heaviest ones split
MOST_LAST_STARTS = 4  # at random, of the fit of the number chosen, beside where the brief one ended
START_WORK = 20_000  # rows times components over which these are spread
BRIEF: dict[str, Any] = {"starts": 1, "accelerate": True, "max_its": 100}  # fits of which only the densities of rows held out are wanted
BRIEF_GAIN = 3e-4  # nats per row: brief fits end where a step gains less


def fit_proposed(
    data: Any, given: Estimator | Proposal | None, components: int | str | None, criterion: str | None, rng: Random, **options: Any
) -> Fit:
    """The fit of a proposal, or, without one, of what is proposed for the data. Arguments as of `dmlcore.fit`."""
    if in_parts(data):
        return _of_parts(data, given, components, criterion, rng, options)
    rng, data = generator(rng), listed(data)
    looking, choosing = spawn(rng, 2)
    proposal = given if isinstance(given, Proposal) else _proposed_for(data, looking, options)
    if components is None or components == "auto":
        if criterion is None:
            proposal, found = _predicting_best(proposal, data, choosing, options)
        else:
            found = select(proposal.mixture, COMPONENTS_LOOKED_AT, data, criterion, patience=PATIENCE, rng=choosing, **options)
        return _said(replace(found.best, proposal=replace(proposal, selection=found)))
    if isinstance(components, bool) or not isinstance(components, int) or components < 1:
        raise ParameterError(f"components must be a whole number >= 1 or 'auto', got {components!r}")
    return _said(replace(fit_by(data, proposal.mixture(components), rng=choosing, **options), proposal=proposal))


def _proposed_for(data: Any, rng: np.random.Generator, options: Mapping[str, Any]) -> Proposal:
    """What is proposed for data, with the options of their fit."""
    return propose(data, rng=rng, progress=options.get("progress", True), weights=options.get("weights"))


def _of_parts(data: Any, given: Any, components: Any, criterion: Any, rng: Random, options: dict[str, Any]) -> Fit:
    """A sample in memory says what is proposed, and how many components; where its fit ended, that of all rows begins."""
    whole = {name: options.pop(name) for name in ("weights", "checkpoint", "engine") if name in options}
    table, weights = parts_of(data).sample(ROWS_OF_PARTS), whole.get("weights") or getattr(data, "weights", None)
    if weights is not None:
        options["weights"], table = weights_apart(table, weights)
    found = fit_proposed(table, given, components, criterion, rng, **options)
    options.pop("weights", None)
    limits = {name: option for name, option in options.items() if name != "starts"}
    return _said(replace(fit_by(data, found.estimator, start=found.model, rng=rng, **whole, **limits), proposal=found.proposal))


def _said(found: Fit) -> Fit:
    """A fit, with a warning where it is no ordinary maximum: who asks for no law in particular looks at no status."""
    if found.status in UNSOUND:
        warnings.warn(f"the fit is {found.status}: {found.message}", FitWarning, stacklevel=5)
    return found


@dataclass(frozen=True)
class _Tried:
    """A number of components: the fit to all rows looked at, and the log density of each row under a fit without it; NaN of other rows.

    models: the fits without a fold.
    """

    components: int
    fit: Fit
    logs: np.ndarray
    models: tuple[Any, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether it is an ordinary maximum."""
        return self.fit.status not in UNSOUND


@dataclass(frozen=True)
class _Compared:
    """Numbers of components tried, and which of them is chosen: the place of the least that cannot be told from the best."""

    tried: list[_Tried]
    failures: list[Failure]
    chosen: int

    @property
    def best(self) -> _Tried:
        """The one chosen."""
        return self.tried[self.chosen]

    @property
    def interrupted(self) -> bool:
        """Whether a user ended it."""
        return self.tried[-1].fit.status == "interrupted"


def _predicting_best(proposal: Proposal, data: Any, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Proposal, Selection]:
    """The number of components that predicts rows held out best; of those that cannot be told from it, the least. Columns that tell of
    each other within these become vectors, where that predicts better, and the numbers are compared again.

    Numbers are compared by brief fits, to a part of the rows if there are many; the one chosen is then fitted as the options say.
    """
    drawing, ending, *streams = spawn(rng, 2 + len(COMPONENTS_LOOKED_AT))
    encoded = encode(data, proposal.estimator.layout)
    part = _Part.of(data, encoded, options.get("weights"), drawing, options.get("threads"))
    found = _compared(proposal, part, streams)
    while proposal.named and not found.interrupted and not isinstance(data, Encoded):
        wider = _with_vectors(proposal, part, found.best)
        if wider is proposal:
            break
        reading = part.reading(wider)
        again = _compared(wider, reading, streams, found.best.components)
        if part.mean(again.best.logs) <= part.mean(found.best.logs):
            break
        proposal, part, found = wider, reading, again
    encoded = encoded if part.data.layout == encoded.layout else encode(data, proposal.estimator.layout)
    tried, chosen = found.tried, found.chosen
    fits, rows = [one.fit for one in tried], [part.row(one) for one in tried]
    if not found.interrupted:
        decided = any(options.get(name) is not None for name in DECIDE_THE_START)
        own = options if decided else {**options, **part.begun_from(fits[chosen])}
        fits[chosen] = fit_by(encoded, proposal.mixture(tried[chosen].components), rng=ending, **own)
        if len(part.data) == len(encoded):
            rows[chosen] = part.row(replace(tried[chosen], fit=fits[chosen]))
    values = tuple(one.components for one in tried)
    return proposal, Selection("held_out", values, tuple(fits), tuple(rows), chosen, tuple(found.failures))


def _compared(proposal: Proposal, part: _Part, streams: list[np.random.Generator], most: int = COMPONENTS_LOOKED_AT[-1]) -> _Compared:
    """Numbers of components, as long as more predict better, and up to `most`."""
    tried: list[_Tried] = []
    failures: list[Failure] = []
    chosen = 0
    for k, stream in zip(COMPONENTS_LOOKED_AT, streams, strict=True):
        if k > most or (tried and k * (free_parameters(tried[0].fit.model) + 1) > len(part.data)):
            break
        try:
            tried.append(part.tried(k, proposal.mixture(k), stream, tried[-1].models if tried else ()))
        except OUTSIDE_DOMAIN as error:
            if not tried:
                raise
            failures.append(Failure(k, str(error)))
            continue
        best = max(tried, key=lambda one: (one.sound, part.mean(one.logs)))
        chosen = next(i for i, one in enumerate(tried) if one.sound >= best.sound and part.as_good(one.logs, best.logs))
        if tried[-1].fit.status == "interrupted" or len(tried) - 1 - chosen >= PATIENCE:
            break
    return _Compared(tried, failures, chosen)


def _with_vectors(proposal: Proposal, part: _Part, one: _Tried) -> Proposal:
    """The proposal with columns that tell most of each other as vectors, one after the other, as long as rows held out gain by it.

    one: the number of components at which that is tried, from where its fits ended.
    """
    reals = Reals.of(proposal, part.table)
    while True:
        rows = np.arange(len(part.data))
        pair = reals.most_told(proposal, part.shares(one.fit.model, rows))
        if pair is None:
            return proposal
        wider, name = as_one_vector(proposal, *pair)
        reading = part.reading(wider)
        try:
            after = reading.continued(wider.mixture(one.components), part, one)
        except OUTSIDE_DOMAIN:
            return proposal
        narrow = any(reals.too_narrow(model, name) for model in (after.fit.model, *after.models))
        if narrow or not after.sound or part.as_good(one.logs, after.logs):
            return proposal
        proposal = explained(wider, name, part.mean(after.logs), part.mean(one.logs), one.components)
        part, one = reading, after


@dataclass(frozen=True)
class _Part:
    """The rows by which numbers of components are compared, as they were given and encoded: their weights `(n,)`, which fold each is in,
    and how many of these are held out in turn."""

    table: Any
    data: Encoded
    weights: np.ndarray
    fold: np.ndarray
    folds: int
    threads: int | None

    @classmethod
    def of(cls, table: Any, encoded: Encoded, weights: Any, rng: np.random.Generator, threads: int | None) -> _Part:
        """Of all rows that carry weight, or of some of them."""
        given: Any = row_weights(weights, len(encoded))
        w = np.ones(len(encoded)) if given is None else given
        rows = np.flatnonzero(w)
        rows = np.sort(rng.choice(rows, ROWS_COMPARED, replace=False)) if len(rows) > ROWS_COMPARED else rows
        data = encoded if len(rows) == len(encoded) else Encoded(encoded.column.take(rows), encoded.layout)
        table = table if len(rows) == len(encoded) or isinstance(table, Encoded) else rows_at(table, rows)
        folds = min(FOLDS, len(rows))
        held_out = folds if len(rows) < ROWS_FOR_ONE_FOLD else 1
        return cls(table, data, w[rows], k_fold_split_index(len(rows), folds, rng), held_out, threads)

    def reading(self, proposal: Proposal) -> _Part:
        """The same rows, as the model of another proposal reads them."""
        return replace(self, data=encode(self.table, proposal.estimator.layout))

    def shares(self, model: Any, rows: np.ndarray) -> np.ndarray:
        """The posterior probabilities of components in some rows, `(n, K)`; of a model that is no mixture, one."""
        return np.asarray(model.seq_posterior(self._of(rows))) if isinstance(model, MixtureDistribution) else np.ones((len(rows), 1))

    def continued(self, estimator: Estimator, before: _Part, one: _Tried) -> _Tried:
        """Fits of another estimator with as many components, which begin at the shares where those before ended. Raises where one cannot be
        made."""

        def fitted(rows: np.ndarray, model: Any) -> Fit:
            start = before.shares(model, rows) if estimator.is_mixture else None
            return self._fitted(estimator, rows, rng=0, start=start)

        logs, models = np.full(len(self.data), np.nan), []
        for j, model in enumerate(one.models):
            held = np.flatnonzero(self.fold == j)
            models.append(fitted(np.flatnonzero(self.fold != j), model).model)
            logs[held] = log_densities(models[-1], self._of(held), self.threads)
        return _Tried(one.components, fitted(np.arange(len(self.data)), one.fit.model), logs, tuple(models))

    def begun_from(self, found: Fit) -> dict[str, Any]:
        """Options of the fit of the number chosen: it begins where the brief one ended, and, where that is cheap, at random."""
        if not found.estimator.is_mixture:
            return {}
        random = START_WORK // (len(self.data) * len(found.estimator.children()))
        return {"starts": Starts(min(random, MOST_LAST_STARTS), found.model)} if random else {"start": found.model}

    def tried(self, k: int, estimator: Estimator, rng: np.random.Generator, fewer: tuple[Any, ...]) -> _Tried:
        """Fits of a number of components. fewer: the models of the number before, without each fold. Raises where one cannot be made."""
        logs, models = np.full(len(self.data), np.nan), []
        whole, *streams = spawn(rng, 1 + self.folds)
        for j, (stream, before) in enumerate(zip(streams, fewer or [None] * self.folds, strict=True)):
            held = np.flatnonzero(self.fold == j)
            models.append(self._brief(k, estimator, np.flatnonzero(self.fold != j), stream, before).model)
            logs[held] = log_densities(models[-1], self._of(held), self.threads)
        start = models[-1] if estimator.is_mixture else None
        return _Tried(k, self._fitted(estimator, np.arange(len(self.data)), rng=whole, start=start), logs, tuple(models))

    def _brief(self, k: int, estimator: Estimator, rows: np.ndarray, rng: np.random.Generator, before: Any) -> Fit:
        """The best of a few fits to some rows: from random starts, if there are few components, and from the model before, split."""
        splitting, continuing, *streams = spawn(rng, 2 + max(BRIEF_STARTS // self.folds, 1))
        shares = None if before is None else self._split(before, k, estimator, rows, splitting)
        fits = [] if shares is None else [self._fitted(estimator, rows, rng=continuing, start=shares)]
        if k <= FEW_COMPONENTS or not fits:
            fits += [self._fitted(estimator, rows, rng=stream) for stream in (streams if k > 1 else streams[:1])]
        return max(fits, key=lambda one: (one.status not in UNSOUND, one.log_likelihood))

    def _split(self, model: Any, k: int, estimator: Estimator, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
        """Shares `(n, k)` of more components than a model has: in turn the heaviest is divided; None where that cannot be done."""
        problem = Problem.of(self._of(rows), estimator, self.weights[rows], self.threads)
        points = rows_as_points(problem, Descriptions(problem.estimator, problem.encoded.column, rng))
        shares = model.seq_posterior(problem.encoded).T if isinstance(model, MixtureDistribution) else np.ones((1, len(rows)))
        while points and len(shares) < k:
            heaviest, wider = int((shares @ self.weights[rows]).argmax()), np.vstack([shares, np.zeros(len(rows))])
            found = divided(wider, shares[heaviest], heaviest, len(shares), points[rng.integers(len(points))], rng)
            if found is None:
                return None
            shares = found
        return shares.T if points else None

    def _fitted(self, estimator: Estimator, rows: np.ndarray, **options: Any) -> Fit:
        """A brief fit to some rows."""
        weights, delta = self.weights[rows], BRIEF_GAIN * len(rows)
        return fit_by(self._of(rows), estimator, weights=weights, threads=self.threads, delta=delta, **BRIEF, **options)

    def _of(self, rows: np.ndarray) -> Encoded:
        return Encoded(self.data.column.take(rows), self.data.layout)

    def mean(self, logs: np.ndarray) -> float:
        """Per row held out."""
        there = ~np.isnan(logs)
        return float(np.average(logs[there], weights=self.weights[there]))

    def error(self, logs: np.ndarray) -> float:
        """The standard error of the mean."""
        there = ~np.isnan(logs)
        w = self.weights[there]
        return float(np.sqrt((w**2) @ (logs[there] - self.mean(logs)) ** 2) / w.sum())

    def as_good(self, logs: np.ndarray, best: np.ndarray) -> bool:
        """Whether rows held out do not tell one from the best: the mean difference is no more than its standard error."""
        with np.errstate(invalid="ignore"):  # of rows without density under both
            behind = np.where(best == logs, 0.0, best - logs)
        return self.mean(behind) <= self.error(behind)

    def row(self, one: _Tried) -> dict[str, Any]:
        """Its row of the table."""
        found = one.fit
        row = table_row(one.components, found, self.data, self.weights, "bic", {})
        row |= {"held_out": self.mean(one.logs), "held_out_error": self.error(one.logs)}
        return row | {"status": found.status, "reached": found.reached, "starts": len(found.starts)}
