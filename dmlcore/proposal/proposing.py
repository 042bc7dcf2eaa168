"""Looking at every column of a table, and choosing a family for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, ParameterError
from dmlcore.base.random import Random, generator, spawn
from dmlcore.base.threads import one_blas_thread
from dmlcore.core.arguments import takes
from dmlcore.data.encoded import row_weights
from dmlcore.data.frames import Columns, rows_at
from dmlcore.data.values import listed
from dmlcore.engines.choice import in_parts, parts_of
from dmlcore.engines.chunks import weights_apart
from dmlcore.fitting.observe import watched
from dmlcore.proposal.candidates import families_for
from dmlcore.proposal.judging import Judged, best_of_the_simplest, judge
from dmlcore.proposal.kinds import Contents, NotModelled, cells_of, in_a_few_words
from dmlcore.proposal.missingness import told_by
from dmlcore.proposal.result import Considered, LeftOut, Proposal, ProposedColumn
from dmlcore.stats import OptionalEstimator, TimeEstimator

ROWS_LOOKED_AT = 5000  # looked at
ROWS_OF_PARTS = 20_000  # of data that are read in parts, which stand for all of them
LEAST_CELLS = 2  # cells in each half of a column


@one_blas_thread()
@takes()
def propose(
    table: Any, target: Any = None, *, rows: int = ROWS_LOOKED_AT, rng: Random = 0, progress: bool = True, weights: Any = None
) -> Proposal:
    """A model for a table: which family each column follows, judged by how well it predicts cells that it did not see.

    table: a data frame, an array of rows and columns, or a list of tuples or of dictionaries. target: a column that must be modelled; it
    is an error, with the reason, where it cannot be. Of data that are read in parts a sample stands for all, with the rows where columns
    have their least and largest values. rows: how many are looked at, drawn at random; what a column holds, and its range,
    is looked up in all of them. progress: as of `fit`. weights: of the rows, as of `fit`; of data in parts, the name of a column. One of
    weight two counts as two such rows, one of weight zero as none.

    Each family is fitted to one half of the cells and scored on the other, and the other way round, alone and as a mixture of up to
    three of its kind. Columns that say nothing, or of which nothing can be learnt, are left out with the reason: constants, identifiers,
    free text. Dates, times and durations follow laws of real numbers (`TimeEstimator`). Missing cells are missing at random, unless that
    they are missing goes together with other columns.

    Raises `DataError` where there is no column to model, `ParameterError` for a target that is not there.
    """
    if not isinstance(rows, (int, np.integer)) or rows < 2 * LEAST_CELLS:
        raise ParameterError(f"rows must be a whole number >= {2 * LEAST_CELLS}, got {rows!r}")
    columns, counted = _weighted(table, weights)
    if target is not None and target not in columns.names:
        raise ParameterError(f"target: there is no column {target!r}; there are {', '.join(map(repr, columns.names))}")
    draw, *streams = spawn(generator(rng), 1 + len(columns.names))
    sample = np.sort(draw.choice(len(columns), rows, replace=False)) if rows < len(columns) else np.arange(len(columns))
    kept: list[Contents] = []
    left_out: list[LeftOut] = []
    for place, name in enumerate(columns.names):
        try:
            levels = columns.levels(place)
            cells = cells_of(name, columns.plain(place), None if levels is None else tuple(levels))
            kept.append(replace(cells, weights=counted))
        except NotModelled as reason:
            if target is not None and name == target:
                raise DataError(f"target: the column {name!r} cannot be modelled: {reason}") from None
            left_out.append(LeftOut(name, str(reason)))
    looked_at = [cells.among(sample) for cells in kept]
    found = []
    with watched(progress) as watch:
        for i, (cells, seen, stream) in enumerate(zip(kept, looked_at, streams, strict=False)):
            watch.say(f"column {cells.name}", i, len(kept))
            try:
                found.append(_proposed(cells, seen, [other for other in looked_at if other is not seen], stream))
            except NotModelled as reason:
                left_out.append(LeftOut(cells.name, str(reason)))
    if not found:
        raise DataError("there is no column to model: " + "; ".join(f"{one.name!r} {one.reason}" for one in left_out))
    named = all(isinstance(name, str) for name in columns.names)
    return Proposal(tuple(found), tuple(left_out), tuple(columns.names), named, len(columns), len(sample), target)


def _weighted(table: Any, weights: Any) -> tuple[Columns, np.ndarray | None]:
    """The columns of the rows that carry weight, and what each of these counts `(n,)`; None where they count alike."""
    if in_parts(table):
        table = parts_of(table).sample(ROWS_OF_PARTS)
        if weights is not None:
            weights, table = weights_apart(table, weights)
    columns = Columns(listed(table))
    w = row_weights(weights, len(columns))
    if w is None or w.all():
        return columns, w
    there = np.flatnonzero(w)
    return Columns(rows_at(listed(table), there)), w[there]


def _proposed(cells: Contents, seen: Contents, others: list[Contents], rng: np.random.Generator) -> ProposedColumn:
    """The family for a column, judged by the cells seen."""
    families = families_for(cells)
    by = seen if len(seen.values) >= 2 * LEAST_CELLS else cells
    weights = by.row_weights[~by.missing]
    judged = judge(by.values, families, rng, weights) if len(by.values) >= 2 * LEAST_CELLS else []
    if not judged:
        raise NotModelled(f"no family fits: {in_a_few_words(cells)}, {len(by.values)} of them looked at")
    best = judged[best_of_the_simplest(judged)]
    missing, why, estimator = float(np.average(cells.missing, weights=cells.row_weights)), _why(cells, best, judged), best.family.estimator
    estimator = estimator if cells.scale is None else TimeEstimator(estimator, cells.scale.unit)
    if missing > 0:
        told = told_by(seen, others)
        estimator = OptionalEstimator(estimator, est_prob=told is not None)
        why += f"; {missing:.1%} missing, " + ("at random" if told is None else f"which goes together with {told}")
    best_first = sorted(judged, key=lambda one: -one.held_out)
    considered = tuple(Considered(one.family.label, one.held_out, one.components) for one in best_first)
    return ProposedColumn(cells.name, best.family.label, why, estimator, considered, missing)


def _why(cells: Contents, best: Judged, judged: list[Judged]) -> str:
    others = [one.held_out for one in judged if one is not best]
    if not others:
        return in_a_few_words(cells)
    lead = best.held_out - max(others)
    said = f"{lead:.3f} nats a cell above the next" if lead > 0 else "the simplest of those that predict as well"
    return f"{in_a_few_words(cells)}; {said}"
