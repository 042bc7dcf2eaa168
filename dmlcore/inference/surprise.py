"""How unusual records are: as a rank among records that are usual, and which of their fields make them so.

A raw log density says little of that. A record with a longer list has more factors, and so a lower density, and one that lacks cells has
fewer. What counts is a log density beside those of records of the same shape: which cells are there, and how many elements lists have.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Self

import numpy as np
from scipy.optimize import nnls

from dmlcore.base.errors import DataError, StructureError
from dmlcore.base.marks import is_missing
from dmlcore.base.random import Random, generator
from dmlcore.base.records import dataclass
from dmlcore.core.arguments import takes
from dmlcore.data.layouts import Anything, Layout, Maybe
from dmlcore.data.sequences import Bag, LabelSet, Lists, Readings
from dmlcore.fitting.record import model_of
from dmlcore.inference.table_evidence import TableEvidence
from dmlcore.inference.tables import ModelColumns
from dmlcore.io.sealed import read_sealed, write_sealed

WHAT = "dmlcore surprise"  # what the files of `save` call themselves
USUAL_DRAWS = 2000  # of the model, where there are no records to compare with
CELL_ROWS = 500  # records that say how surprising each cell usually is
LEAST_VARIANCE = 1e-6  # of records of one shape, as a share of the mean over shapes: where all of them score alike
VARIANCE_ROUNDS = 3  # of weights for squared distances
USUAL_QUANTILES = 2001  # quantiles of the usual scores


@dataclass(frozen=True)
class Linear:
    """A number that is linear in the shape of a record."""

    weights: np.ndarray

    def of(self, shape: np.ndarray) -> np.ndarray:
        """`(n,)` of shapes `(n, m)`."""
        return np.asarray(shape @ self.weights)


def fitted_variance(shapes: np.ndarray, squares: np.ndarray, least: float) -> Linear:
    """The variance, from the squared distances from the mean: by least squares, in which small variances count by their ratio. So it is
    not below the square of what the mean misses, at shapes whose records all score alike."""
    found = Linear(nnls(shapes, squares)[0])
    for _ in range(VARIANCE_ROUNDS):
        unit = np.maximum(found.of(shapes), least)
        found = Linear(nnls(shapes / unit[:, None], squares / unit)[0])
    return found


class Surprise:
    """Says how unusual records are under a model, beside the records in `among`: those that it was fitted to, say.

    model: a distribution, or a fit. among: records that are usual, as data or a table; without them, 2,000 draws of the model (from `rng`)
    stand for what it takes for usual. columns: as of `dmlcore.impute`.

    The log density of a record is set against the mean and the standard deviation of those of the same shape. The mean and the variance are
    linear in which cells are there, in the number of elements of lists, in its logarithm, and in whether there are any (the variance has no
    negative parts), as of sums of independent parts; they are fitted to `among` by least squares. Raises `DataError` where no record of
    `among` has a density.

    ```
    surprise = dmlcore.Surprise(model, among=training)
    found = surprise(records)
    found.rank        # (n,): 0.999 is more unusual than 99.9% of the training records
    found.excess      # (n, fields): by how many nats each field is odder than it usually is
    ```
    """

    @takes()
    def __init__(self, model: Any, among: Any = None, *, columns: Sequence[str] | None = None, rng: Random = 0):
        self.model = model_of(model, "Surprise")
        self.columns = columns
        self._learn(self.model.sampler(generator(rng)).sample(USUAL_DRAWS) if among is None else among)

    def __call__(self, data: Any) -> Surprises:
        """What is unusual in records, of any number. Raises what the model raises for records that it does not read."""
        evidence = TableEvidence(self.model, self._table(data))
        try:
            return Surprises(self, evidence)
        except DataError:
            evidence.check()  # names the column
            raise

    def one(self, record: Any) -> float:
        """The rank of one record, quickly."""
        shape = [1.0]
        try:
            cells = self._cells(record)
        except (IndexError, TypeError):
            return float(self([record]).rank[0])  # raises, and says what is wrong
        for value, column in zip(cells, self._read, strict=True):
            there = is_there(value, column.layout)
            if not there and not isinstance(column.layout, Maybe):
                return float(self([record]).rank[0])  # a gap of which the model has no law says nothing
            shape += [float(there), *(own.item() for own in elements([value], column.layout, [there]))]
        return float(self._ranks(np.array([self.model.log_density(record)]), np.array([shape]))[0])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model and what it is compared with to a file, which is replaced whole or not at all."""
        cells = None if self._cell_usual is None else [usual.weights for usual in self._cell_usual]
        content = {
            "model": self.model,
            "columns": self.columns,
            "mean": self._mean.weights,
            "variance": self._variance.weights,
            "least_variance": self._least_variance,
            "usual": self._usual,
            "cells": cells,
        }
        write_sealed(path, WHAT, content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """What `save` wrote. Raises `FormatError` for another or a damaged file, `OSError` where it cannot be read."""
        content = read_sealed(path, WHAT)
        out = object.__new__(cls)
        out.model, out.columns = content["model"], content["columns"]
        out._mean, out._variance = Linear(np.asarray(content["mean"])), Linear(np.asarray(content["variance"]))
        out._least_variance = content["least_variance"]
        out._usual = np.asarray(content["usual"])
        cells = content["cells"]
        out.__dict__["_cell_usual"] = None if cells is None else [Linear(np.asarray(weights)) for weights in cells]
        return out

    def _table(self, data: Any) -> ModelColumns:
        return ModelColumns(data, self.model.layout, self.columns)

    def _learn(self, among: Any) -> None:
        self._among = evidence = TableEvidence(self.model, self._table(among))
        if not evidence.n:
            raise DataError("Surprise needs at least one record to compare with; among= has none")
        log, shapes = evidence.log_density, shapes_of(evidence)
        there = np.isfinite(log)
        if not there.any():
            raise DataError("no record of among= has a density under the model, so that nothing is usual")
        self._mean = usual_log_density(log, shapes)
        squares = (log[there] - self._mean.of(shapes[there])) ** 2
        self._least_variance = max(LEAST_VARIANCE * float(squares.mean()), np.finfo(float).tiny)
        self._variance = fitted_variance(shapes[there], squares, self._least_variance)
        scores = np.sort(self._scores(log[there], shapes[there]))
        self._usual = np.quantile(scores, np.linspace(0, 1, USUAL_QUANTILES)) if len(scores) > USUAL_QUANTILES else scores

    @cached_property
    def _cell_usual(self) -> list[Linear] | None:
        """The usual surprise of each column's cells; None where cells have none."""
        try:
            return usual_cells(self._among)
        except StructureError:
            return None

    def _cells(self, record: Any) -> list[Any]:
        """The values of one record, column by column."""
        layout: Any = self.model.layout
        if self._table_is_single:
            return [record]
        entries = layout.entries(record) if isinstance(record, Mapping) or is_missing(record) else record
        return [column.value(entries) for column in self._read]

    @cached_property
    def _read(self) -> list[Any]:
        return self._table([]).read

    @cached_property
    def _table_is_single(self) -> bool:
        return self._table([]).single

    def _scores(self, log: np.ndarray, shapes: np.ndarray) -> np.ndarray:
        """By how many standard deviations records are less dense than others of their shape."""
        variance = np.maximum(self._variance.of(shapes), self._least_variance)
        return np.asarray((self._mean.of(shapes) - log) / np.sqrt(variance))

    def _ranks(self, log: np.ndarray, shapes: np.ndarray) -> np.ndarray:
        scores = self._scores(log, shapes)
        below, at_most = (np.searchsorted(self._usual, scores, side=side) for side in ("left", "right"))
        return np.asarray((below + at_most) / 2 / len(self._usual))


class Surprises:
    """How unusual some records are.

    names: of the columns. log_density `(n,)`: as the model gives it. rank `(n,)`: the share of the usual records that are less unusual,
    those that are as unusual counted half; 1 where the density is zero.
    """

    def __init__(self, surprise: Surprise, evidence: TableEvidence):
        self._surprise, self._evidence = surprise, evidence
        self.names = evidence.names
        self.log_density = evidence.log_density
        self.rank = surprise._ranks(self.log_density, shapes_of(evidence))

    @cached_property
    def excess(self) -> np.ndarray:
        """By how many nats each cell is more surprising, given the rest of its record, than cells of its column are on average,
        `(n, fields)`; infinite where this cell makes its record impossible. Raises `StructureError` where the model has no laws of its
        columns."""
        usual = self._surprise._cell_usual
        if usual is None:
            raise StructureError(f"{self._surprise.model.label}: its columns have no laws of their own, so that no cell has a surprise")
        return cell_excess(self._evidence, np.arange(self._evidence.n), usual)

    @property
    def share(self) -> np.ndarray:
        """Which part each cell has in what is unusual, `(n, fields)`: its excess among those above zero, summing to one; zeros where
        there is none."""
        above = np.maximum(self.excess, 0.0)
        endless = np.isinf(above)
        above = np.where(endless.any(axis=1)[:, None], endless.astype(np.float64), above)
        total = above.sum(axis=1, keepdims=True)
        return np.divide(above, total, out=np.zeros_like(above), where=total > 0)

    def __len__(self) -> int:
        return len(self.rank)

    def __repr__(self) -> str:
        return f"Surprises({len(self)} records, {int((self.rank > 0.99).sum())} of them above rank 0.99)"


def usual_log_density(log: np.ndarray, shapes: np.ndarray) -> Linear:
    """The mean log density of records of each shape, by least squares, from log densities `(n,)`, of which those count that are
    finite."""
    there = np.isfinite(log)
    return Linear(np.linalg.lstsq(shapes[there], log[there], rcond=None)[0])


def shapes_of(evidence: TableEvidence) -> np.ndarray:
    """The shapes of records `(n, m)`: one, which cells are there, how many elements lists have."""
    out = [np.ones(evidence.n)]
    for values, layout in zip(evidence.columns, evidence.layouts, strict=True):
        there = which_are_there(values, layout)
        out += [there.astype(np.float64), *elements(values, layout, there.tolist())]
    return np.array(out).T


def usual_cells(evidence: TableEvidence) -> list[Linear]:
    """The usual surprise of each column's cells, from evenly spaced rows. Raises `StructureError` where cells have none."""
    rows = np.unique(np.linspace(0, evidence.n - 1, min(evidence.n, CELL_ROWS)).astype(np.intp))
    found, out = cell_surprise(evidence, rows), []
    for j in range(len(evidence.names)):
        own, there = cell_shapes(evidence, j, rows), np.isfinite(found[:, j])
        out.append(Linear(np.linalg.lstsq(own[there], found[there, j], rcond=None)[0]))
    return out


def cell_excess(evidence: TableEvidence, rows: np.ndarray, usual: Sequence[Linear]) -> np.ndarray:
    """By how many nats each cell of some rows is more surprising than cells of its column usually are, `(rows, columns)`."""
    each = [own.of(cell_shapes(evidence, j, rows)) for j, own in enumerate(usual)]
    return np.asarray(cell_surprise(evidence, rows) - np.array(each).T)


def cell_surprise(evidence: TableEvidence, rows: np.ndarray) -> np.ndarray:
    """Minus the log density of every cell of some rows given the rest of its row, `(rows, columns)`; infinite where only this cell makes a
    row impossible, or of several that do, each by itself. Raises `StructureError` where the model has no such laws."""
    if evidence.table.single:
        return -evidence.log_density[rows][:, None]
    every = range(len(evidence.names))
    with np.errstate(invalid="ignore"):
        each = np.array([evidence.evidence(rows, without={j}) - evidence.log_density[rows] for j in every]).T
    several = np.flatnonzero(np.isnan(each).all(axis=1))
    if len(several):
        alone = np.array([evidence.evidence(rows[several], without={*every} - {j}) for j in every]).T
        each[several] = np.where(np.isneginf(alone), np.inf, 0.0)
    return np.where(np.isnan(each), 0.0, each)


def cell_shapes(evidence: TableEvidence, j: int, rows: np.ndarray) -> np.ndarray:
    """What the surprise of a column's cells is linear in: whether they are there or not, and the number of elements of lists."""
    there = ~evidence.missing[j][rows]
    return np.array([there, ~there, *elements(evidence.values(j, rows), evidence.layouts[j], there.tolist())], dtype=np.float64).T


def which_are_there(values: Any, layout: Layout) -> np.ndarray:
    """Which values of a column are not missing, `(n,)`."""
    return layout.present(values) if isinstance(layout, Maybe) else ~layout.absent(values)


def is_there(value: Any, layout: Layout) -> bool:
    """The same of one value."""
    if value is None or (isinstance(value, float) and value != value):
        return False
    if isinstance(value, (float, int, str)):
        return not (isinstance(layout, Maybe) and value == layout.missing)
    return bool(which_are_there([value], layout)[0])


def elements(values: Any, layout: Layout, there: Sequence[bool]) -> list[np.ndarray]:
    """How many elements each value has that is a list, at each depth of lists in lists; nothing of other values. Sets count as one value:
    to hold many labels is unusual by itself."""
    layout = layout.value if isinstance(layout, Maybe) else layout
    layout = layout.ways[0] if isinstance(layout, Readings) else layout
    if not isinstance(layout, Lists) or isinstance(layout, LabelSet):
        return []
    held = [value if known else () for value, known in zip(values, there, strict=True)]
    if isinstance(layout, Bag):
        return [np.array([float(sum(_counts(bag))) for bag in held])]
    count = np.fromiter(map(len, held), dtype=np.float64, count=len(held))
    bent = [count, np.log1p(count), np.minimum(count, 1.0)]  # laws of lengths are not linear, least of all at none
    inner = list(chain.from_iterable(held))
    below = elements(inner, getattr(layout, "value", Anything()), [not is_missing(v) for v in inner])
    owner = np.repeat(np.arange(len(held)), count.astype(np.intp))
    return [*bent, *(np.bincount(owner, own, len(held)) for own in below)]


def _counts(bag: Any) -> Any:
    return bag.values() if isinstance(bag, Mapping) else (count for _, count in bag)
