"""Imputation: missing cells filled from their law given the cells that are there, with how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.base.labels import plain
from dmlcore.base.random import Random, generator
from dmlcore.base.records import dataclass
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution, as_values, typical_of
from dmlcore.core.estimator import Estimator
from dmlcore.core.partial import given
from dmlcore.core.rowlaws import EachRow, Fixed, RowLaw, put
from dmlcore.data.frames import is_frame, with_only
from dmlcore.data.layouts import Real
from dmlcore.data.values import is_row
from dmlcore.engines.choice import in_parts, parts_of
from dmlcore.fitting.record import Fit
from dmlcore.inference.cells import Cell, Grid, refilled, whole
from dmlcore.inference.compare import Comparison, plain_columns
from dmlcore.inference.condition import values_alone
from dmlcore.inference.tables import ModelColumns, row_like
from dmlcore.inference.uncertainty.bootstrap import posterior_models
from dmlcore.stats.latent.joined import averaged_laws, distribution_of
from dmlcore.stats.latent.summaries import atoms_in_numbers, mean_of, mixed_variance, mode_of, probabilities_of, quantile_of

HOW = ("mean", "mode", "median", "sample", "distribution")


@dataclass(frozen=True)
class Filled:
    """The filled cells of one column. rows: where they are `(m,)`. values: what they were filled with (in the first copy); each: in all.

    expected: the mean of each cell's law; of labels the most probable. uncertainty `(m,)`: of numbers the standard deviation of the law
    they were filled from (of times in its unit), of anything else the probability of the value (or of the most probable one, where values
    were drawn). column: as it was.
    """

    rows: np.ndarray
    values: Any
    uncertainty: np.ndarray
    measure: str
    each: tuple[Any, ...] = field(default=(), repr=False)
    expected: Any = field(default=None, repr=False)
    column: Any = field(default=None, repr=False)

    @property
    def observed(self) -> list[Any]:
        """The values that were there."""
        filled = np.zeros(len(self.column), dtype=bool)
        filled[self.rows] = True
        return [value for value, gone in zip(as_values(self.column), filled.tolist(), strict=True) if not gone]


@dataclass(frozen=True)
class Imputation:
    """data: the completed table, of the kind that was given. copies: all of them, where several were drawn. cells: by column name.

    left_out: columns of which nothing could be learnt, or which the model ignores, with the reason; they keep their gaps.
    """

    data: Any
    copies: tuple[Any, ...]
    cells: dict[str, Filled]
    left_out: Mapping[Any, str] = field(default_factory=dict)

    def compared(self) -> Comparison:
        """The values that were there beside those filled in (of all copies), column by column: a short report, which
        `plot.compared(.., column)` shows. They may differ where what is missing goes together with other columns."""
        parts = [
            part
            for name, cell in self.cells.items()
            for part in plain_columns(name, [cell.observed, [value for copy in cell.each for value in as_values(copy)]])
        ]
        return Comparison(tuple(part.marginal() for part in parts), (), None, tuple(parts), ("observed", "imputed"))

    def __repr__(self) -> str:
        filled = ", ".join(f"{len(cell.rows)} of {name!r}" for name, cell in self.cells.items())
        left_out = f"; left out: {', '.join(map(repr, self.left_out))}" if self.left_out else ""
        nothing = "nothing was filled" if self.left_out else "nothing was missing"
        return f"Imputation({filled or nothing}; {len(self.copies)} copies{left_out})"


@takes(law="model")
def impute(
    model: Distribution | Fit,
    data: Any,
    how: str | None = None,
    draws: int | None = None,
    rng: Random = None,
    columns: Sequence[str] | None = None,
    *,
    estimator: Estimator | None = None,
    training: Any = None,
    weights: Any = None,
) -> Any:
    """Fills every missing cell of a table from its law given the other cells of its row.

    model: a distribution, or what `fit` returned. data: rows (tuples, vectors or single values), an array, or a data frame of pandas,
    polars or pyarrow, whose column names, dtypes and index are kept; an empty column gets the dtype of what fills it. Cells that are
    there are left as they are, to the bit. columns: which columns of a frame the fields of the model read, in order (default: all); the
    others pass through. A cell is missing if it is None, NaN, NA, NaT, masked or `UNKNOWN`. In an Optional field, all but UNKNOWN say
    that the value was seen to be missing, which informs the posterior; either way it is filled with the value it would have had. Columns
    that the model ignores keep their gaps (`Imputation.left_out`).

    how: "mean" (the default), "median" or "mode" of each cell's law (columns of whole numbers get the nearest one; labels their most
    probable, lists and sets a typical value of the most probable component); "sample", a joint draw for the cells of a row;
    "distribution", the law itself.

    draws=m: multiple imputation, m completed copies from draws (see `pool`). Of a fit, each comes from a model of its own, fitted again,
    from the first one on, to rows weighted at random (the Bayesian bootstrap), so that copies also differ by what the data leave open
    about the parameters, and uncertainties hold that too. A distribution's parameters are taken to be known, unless `estimator` says
    what it was fitted by. training, weights: what it was fitted to, if not `data` with equal weights. With another `how`, laws are
    averaged over m such models, and one copy comes of it.

    Gives an `Imputation`; of data in parts (`dmlcore.stream`, a pattern of file names), the stream of the completed tables, which are made
    as they are read or written; of a DataFrame of Spark, such a DataFrame; of data of Dask a collection of the same kind, not computed yet.

    Raises `DataError` where columns or values do not fit the model, `SupportError` naming column, row and value for what has
    density zero, `StructureError` where a law lacks what is asked, and `DegenerateError` where the model cannot be fitted again.
    """
    if in_parts(data):
        if draws is not None:
            raise ParameterError("draws= needs a table in memory; impute data in parts with how='sample', once for each copy")
        seed = int(generator(rng).integers(1 << 62))
        return parts_of(data).through(lambda table, rng: impute(model, table, how, None, rng, columns).data, seed)
    how = ("mean" if draws is None else "sample") if how is None else how
    first, assign = (model.model, model.assign) if isinstance(model, Fit) else (model, "soft")
    estimator = model.estimator if isinstance(model, Fit) and estimator is None else estimator
    _check(how, draws, estimator, training, weights)
    random = generator(rng)
    table = ModelColumns(data, first.layout, columns)
    grid = Grid(first, table.names)
    grid.read(table.columns)
    models = [first]
    if draws is not None and estimator is not None:
        seen = _training(table) if training is None else training
        models = posterior_models(estimator, first, seen, weights, int(draws), random, assign)
    count = int(draws or 1) if how == "sample" else 1
    filled = {cell: Gathered(cell, count) for cell in grid.cells}
    for rows, x, opened in grid.groups():
        laws = [_law(each, grid, x, rows) for each in models]
        every = np.arange(len(rows))
        copies = [laws[i % len(laws)].draw(every, random) for i in range(count)] if how == "sample" else []
        fill(filled, rows, averaged_laws(laws, len(rows)), opened, how, copies)
    out = tuple(completed(table, grid, filled, i, how) for i in range(count))
    return Imputation(out[0], out, {cell.name: g.result() for cell, g in filled.items() if g.rows}, grid.left_out)


def _law(model: Distribution, grid: Grid, x: Any, rows: np.ndarray) -> RowLaw:
    """The law of the open cells of a group of rows."""
    log, law = given(model, x, len(rows))
    if log.min() == -np.inf:
        raise grid.explain_zero_density(int(rows[np.argmin(log)]))
    return values_alone(law)


def _check(how: Any, draws: Any, estimator: Any, training: Any, weights: Any) -> None:
    if how not in HOW:
        raise ParameterError(f"how must be one of {', '.join(HOW)}, got {how!r}")
    if draws is not None and (not isinstance(draws, (int, np.integer)) or isinstance(draws, bool) or draws < 1):
        raise ParameterError(f"draws must be a whole number >= 1, got {draws!r}")
    if draws is not None and how != "sample" and estimator is None:
        raise ParameterError(f'draws={draws} with how={how!r} averages over fits: pass a fit, or estimator=; copies need how="sample"')
    if (training is not None or weights is not None) and (draws is None or estimator is None):
        raise ParameterError("training and weights are for fitting again: pass a fit, or estimator=, with draws=m")


def _training(table: ModelColumns) -> Any:
    """The rows of a table as an estimator reads them."""
    return with_only(table.data, table.places) if is_frame(table.data) else table.data


class Gathered:
    """What a cell is filled with, group by group."""

    def __init__(self, cell: Cell, draws: int):
        self.cell = cell
        self.rows: list[np.ndarray] = []
        self.uncertainty: list[np.ndarray] = []
        self.expected: list[Any] = []
        self.values: list[list[Any]] = [[] for _ in range(draws)]

    def result(self) -> Filled:
        """What was filled in, in the order of the rows."""
        rows = np.concatenate(self.rows)
        order = np.argsort(rows, kind="stable")
        each = tuple(in_that_order(end_to_end(parts), order) for parts in self.values)
        measure = "standard deviation" if self.cell.kind in ("real", "count", "time") else "probability"
        sure, expected = np.concatenate(self.uncertainty)[order], in_that_order(end_to_end(self.expected), order)
        return Filled(rows[order], each[0], sure, measure, each, expected, self.cell.values)


def in_that_order(values: Any, order: np.ndarray) -> Any:
    """An array or a list in another order."""
    return values[order] if isinstance(values, np.ndarray) else [values[i] for i in order.tolist()]


def end_to_end(parts: list[Any]) -> Any:
    """Columns end to end: an array if all are arrays, otherwise a list."""
    if all(isinstance(part, np.ndarray) and part.dtype != object for part in parts):
        return np.concatenate(parts)
    return [v for part in parts for v in (part.tolist() if isinstance(part, np.ndarray) else part)]


def fill(
    filled: dict[Cell, Gathered], rows: np.ndarray, law: RowLaw, opened: list[tuple[Cell, int]], how: str, copies: list[list[Any]]
) -> None:
    """Fills the open cells of one group of rows. copies: draws of them, where they are sampled."""
    slot = 0
    for cell, count in opened:
        mine = np.flatnonzero(~whole(cell)[rows])
        if count and len(mine):
            keep, out = law.keep(list(range(slot, slot + count))), filled[cell]
            if cell.partly is not None and cell.partly[rows[0]]:
                fill_inside(
                    out, int(rows[0]), [law.keep([j]) for j in range(slot, slot + count)], how, [c[slot : slot + count] for c in copies]
                )
            else:
                out.rows.append(rows[mine])
                atoms = [(w if np.ndim(w) == 0 else w[mine], atom.at(mine)) for w, atom in keep.atoms()]
                values, sure = value_and_uncertainty(cell, atoms, len(mine), how)
                out.uncertainty.append(sure)
                out.expected.append(values)
                for i, part in enumerate(out.values):
                    drawn = copies[i][slot] if how == "sample" else values
                    taken = (
                        drawn if how != "sample" else drawn[mine] if isinstance(drawn, np.ndarray) else [drawn[j] for j in mine.tolist()]
                    )
                    part.append([distribution_of(keep, int(j)) for j in mine] if how == "distribution" else taken)
        slot += count


def fill_inside(out: Gathered, row: int, laws: list[RowLaw], how: str, copies: list[list[Any]]) -> None:
    """Fills the unknown elements of one list. How sure: of the least sure element, the probability or standard deviation."""
    cell = out.cell
    parts = [distribution_of(law) for law in laws]
    cells = [Cell(cell.name, (), part.layout, False, False) for part in parts]
    best = [value_and_uncertainty(part, law.atoms(), 1, "mode" if how == "sample" else how) for part, law in zip(cells, laws, strict=True)]
    out.rows.append(np.array([row]))
    out.uncertainty.append(np.array([min(float(sure[0]) for _, sure in best)]))
    told = [round(float(value[0])) if part.kind == "count" else value[0] for part, (value, _) in zip(cells, best, strict=True)]
    out.expected.append([refilled(cell.values[row], cell.layout, map(plain, [value[0] for value, _ in best]))])
    for i, values in enumerate(out.values):
        drawn = [column[0] for column in copies[i]] if copies else parts if how == "distribution" else told
        values.append([refilled(cell.values[row], cell.layout, map(plain, drawn))])


def value_and_uncertainty(cell: Cell, atoms: Any, n: int, how: str) -> tuple[Any, np.ndarray]:
    """Values `(n,)` and their uncertainty `(n,)` from the laws of one cell."""
    if cell.kind == "time":
        scale, numbers = atoms_in_numbers(atoms)
        values, sure = value_and_uncertainty(replace(cell, layout=Real(cell.name)), numbers, n, how)
        return scale.times(values), sure
    if cell.kind in ("real", "count"):
        sure = np.sqrt(np.broadcast_to(mixed_variance(atoms), n))
        if how == "median":
            return quantile_of(atoms, 0.5, n, cell.kind == "count"), sure
        if how == "mode":
            return mode_of(atoms, n, cell.kind == "count"), sure
        return np.broadcast_to(mean_of(atoms), n).astype(np.float64), sure
    if cell.kind == "label":
        labels, p = probabilities_of(atoms, n)
        best = np.argmax(p, axis=0)
        return [labels[i] for i in best.tolist()], p[best, np.arange(n)]
    if any(isinstance(atom, EachRow) for _, atom in atoms):
        rows = [
            value_and_uncertainty(cell, [(w if np.ndim(w) == 0 else w[i], alone(atom, i)) for w, atom in atoms], 1, how) for i in range(n)
        ]
        return [values[0] for values, _ in rows], np.array([sure[0] for _, sure in rows])
    weights = np.array([np.broadcast_to(w, n) for w, _ in atoms])
    laws = [atom.law for _, atom in atoms]
    values = [typical_of(law) for law in laws]
    p = np.exp([[law.log_density(value) for law in laws] for value in values])
    best = np.argmax(weights, axis=0)
    out: Any = None
    for k in np.unique(best).tolist():
        where = np.flatnonzero(best == k)
        out = put(out, [values[k]] * len(where), where, n)
    return list(out), (p[best].T * weights).sum(axis=0)


def alone(atom: Any, row: int) -> Fixed:
    """The law of one row, of an atom that is a distribution in each."""
    ((_, (law,)),) = atom.cases(row)
    return Fixed(law)


def completed(table: ModelColumns, grid: Grid, filled: dict[Cell, Gathered], copy: int, how: str) -> Any:
    """The table with its cells filled."""
    cells = {j: new for j, node in enumerate(grid.columns) for new in [written(node, filled, copy, table.columns[j])] if new is not None}
    return table.rebuilt(cells, how != "distribution")


def written(node: Any, filled: dict[Cell, Gathered], copy: int, old: Any) -> tuple[np.ndarray, Any] | None:
    """The rows of a column that had gaps, and what stands in them now; None if there are none."""
    if isinstance(node, Cell):
        gathered = filled[node]
        return (np.concatenate(gathered.rows), end_to_end(gathered.values[copy])) if gathered.rows else None
    new: dict[int, list[Any]] = {}
    for j, part in enumerate(node):
        found = written(part, filled, copy, [row[j] if is_row(row, len(node)) else None for row in old])
        if found is not None:
            for i, value in zip(found[0].tolist(), as_values(found[1]), strict=True):
                new.setdefault(i, list(old[i]) if is_row(old[i], len(node)) else [None] * len(node))[j] = value
    if not new:
        return None
    some = next((row for row in old if is_row(row, len(node))), ())
    return np.array(list(new)), [row_like(old[i] if is_row(old[i], len(node)) else some, row) for i, row in new.items()]
