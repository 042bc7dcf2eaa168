"""`dmlcore.impute`: by a model, or, of a table alone, by draws from one that is made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.base.random import Random, generator, spawn
from dmlcore.base.threads import one_blas_thread
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.data.frames import Columns
from dmlcore.data.values import listed
from dmlcore.engines.choice import in_parts
from dmlcore.fitting.record import Fit
from dmlcore.imputation.chain import AugmentationChain
from dmlcore.imputation.fields import Field, LevelField, NumberField, cells_for_chain, fields_of
from dmlcore.imputation.followed import Completed, Follows
from dmlcore.imputation.matching import donors_for
from dmlcore.inference.impute import Filled, Imputation
from dmlcore.inference.impute import impute as impute_by
from dmlcore.inference.tables import table_with

WITHOUT_A_MODEL = ("mean", "sample")  # ways of filling
CHAINS = 4  # from starts of their own, so that copies also differ by which of several good fits they come from
WARM_UP, SWEEPS_BETWEEN, LEAST_SWEEPS = (
    80,
    10,
    60,
)  # of a chain: before copies, between them, and at least
ROWS_PER_NUMBER, MOST_COMPONENTS = 5, 5  # a component for so many times the numbers that describe one


@takes()
def impute(
    model: Distribution | Fit | Any,
    data: Any = None,
    how: str | None = None,
    draws: int | None = None,
    rng: Random = None,
    columns: Sequence[str] | None = None,
    *,
    estimator: Estimator | None = None,
    training: Any = None,
    weights: Any = None,
    bounds: Mapping[Any, tuple[float | None, float | None]] | None = None,
    ordered: Mapping[Any, Sequence[Any]] | Sequence[Any] = (),
    follows: Follows | None = None,
    matching: int | None = None,
) -> Any:
    """Fills the missing cells of a table: `impute(table)` by a model that is made for it, `impute(model, table)` by your own.

    `impute(table)` takes frames, arrays and lists of tuples or dictionaries. Numbers, dates and ordered labels are coordinates of a
    Gaussian vector that depends on the labels of the row, in a mixture of up to five components; parameters and missing cells are drawn
    in turn, so that copies hang together within rows and differ by what the data leave open. Draws stay inside the bounds of their column
    and have its decimals. Columns of which nothing can be learnt (constants, identifiers, texts) keep their gaps; `Imputation.left_out`
    says why.

    how: "mean" (the default): numbers at the mean of their law, labels the most probable; "sample" (with draws=m: m copies, see `pool`).
    columns: which columns are looked at (default: all). bounds: of columns of numbers, such as `{"volume": (0, 500)}`; None for no bound.
    By default, columns without negative numbers stay so. ordered: columns whose labels have an order, or the labels of each in order
    (categoricals of frames that say they are ordered need nothing). follows: columns that are computed from others, such as
    `{"bmi": lambda t: t["kg"] / t["m"] ** 2}`, where `t` gives columns of the completed table as arrays; no model is made for them.
    They may follow from each other, but not in a circle.
    matching=5: copies take each number from one of the 5 rows with the nearest expected value (predictive mean matching, Little 1988).

    `impute(model, table, ..)`, where the model is a distribution or what `fit` returned, takes the other arguments:

    """
    if not isinstance(model, (Distribution, Fit)):
        if isinstance(data, (Distribution, Fit)):
            raise TypeError("impute: model and data are in each other's place; it is impute(model, data)")
        given = {"data": data, "estimator": estimator, "training": training, "weights": weights}
        extra = [name for name, value in given.items() if value is not None]
        if extra:
            raise ParameterError(f"{', '.join(extra)}: only with a model; impute(model, data, ..) got a {type(model).__name__} as one")
        return _of_table(model, how, draws, rng, columns, bounds or {}, ordered, follows or {}, matching)
    own = {"bounds": bounds, "ordered": ordered or None, "follows": follows, "matching": matching}
    extra = [name for name, value in own.items() if value is not None]
    if extra:
        raise ParameterError(f"{', '.join(extra)}: only of a table without a model, impute(table, ..)")
    if data is None:
        raise ParameterError("impute(model, data) needs data to be filled")
    return impute_by(model, data, how, draws, rng, columns, estimator=estimator, training=training, weights=weights)


impute.__doc__ = f"{(impute.__doc__ or '').rstrip()}\n\n    {(impute_by.__doc__ or '').partition(chr(10) * 2)[2].strip()}\n    "


@one_blas_thread()
def _of_table(
    data: Any,
    how: str | None,
    draws: int | None,
    rng: Random,
    names: Sequence[Any] | None,
    bounds: Mapping[Any, Any],
    ordered: Any,
    follows: Follows,
    matching: int | None,
) -> Imputation:
    if in_parts(data):
        raise ParameterError("without a model, impute needs a table in memory; fit a model to data in parts, and give it")
    how = ("mean" if draws is None else "sample") if how is None else how
    count = _checked(how, draws, matching)
    random, data = generator(rng), listed(data)
    table = Columns(data)
    for name in follows:
        table.place(name)
    looked_at = [name for name in (table.names if names is None else names) if name not in follows]
    fields, left_out = fields_of(table, looked_at, bounds, ordered)
    gaps = {field.name: np.flatnonzero(field.contents.missing) for field in fields}
    gaps |= {name: table.missing(name) for name in follows}
    gaps = {name: rows for name, rows in gaps.items() if len(rows)}
    if not any(field.name in gaps for field in fields):
        laws: dict[Any, np.ndarray] = {}
        copies: list[dict[Any, Any]] = [{} for _ in range(count)]
    else:
        laws, copies = laws_and_copies(fields, len(table), count if how == "sample" else 0, matching, random)
    certain = {field.name: field.filled(laws[field.name]) for field in fields if field.name in laws}
    if how == "mean":
        copies = [{name: values for name, (values, _) in certain.items()}]
    return _completed(data, table, fields, gaps, copies, certain, follows, left_out)


def _checked(how: str, draws: Any, matching: Any) -> int:
    """How many copies are made. Raises `ParameterError`."""
    if how not in WITHOUT_A_MODEL:
        raise ParameterError(f"how must be one of {', '.join(WITHOUT_A_MODEL)} where no model is given, got {how!r}")
    if draws is not None and (not isinstance(draws, (int, np.integer)) or isinstance(draws, bool) or draws < 1):
        raise ParameterError(f"draws must be a whole number >= 1, got {draws!r}")
    if draws is not None and how != "sample":
        raise ParameterError(f'draws={draws} makes copies, which need how="sample", got {how!r}')
    if matching is not None and (not isinstance(matching, (int, np.integer)) or isinstance(matching, bool) or matching < 1):
        raise ParameterError(f"matching must be a whole number of rows >= 1, got {matching!r}")
    if matching is not None and how != "sample":
        raise ParameterError('matching draws cells: it needs draws=m, or how="sample"')
    return int(draws or 1)


def laws_and_copies(
    fields: list[Field], n: int, count: int, matching: int | None, rng: np.random.Generator
) -> tuple[dict[Any, np.ndarray], list[dict[Any, Any]]]:
    """By column, what its laws average to (of numbers mean and mean square, of levels probabilities), and so many copies of its gaps."""
    cells = cells_for_chain(fields, n)
    vector = [field for field in fields if field.kind != "label"]
    labels = [field for field in fields if field.kind == "label"]
    gaps = {field.name: np.flatnonzero(field.contents.missing) for field in fields}
    sums: dict[Any, Any] = {}
    copies: list[dict[Any, Any]] = []
    counted = 0
    for i, stream in enumerate(spawn(rng, CHAINS)):
        chain = AugmentationChain(cells, _components(n, cells.y.shape[1], cells.sizes), stream)
        own = (count + CHAINS - 1 - i) // CHAINS  # of the copies
        total = max(LEAST_SWEEPS, SWEEPS_BETWEEN * own)
        counted += total
        for sweep in range(1 - WARM_UP, total + 1):
            for kind, place, first, second in chain.sweep():
                if sweep > 0:
                    field = (vector if kind == "number" else labels)[place]
                    part = _part(field, first, second, gaps[field.name], chain.open_y[place] if kind == "number" else None)
                    sums[field.name] = sums.get(field.name, 0.0) + part
            if own and sweep > 0 and sweep % (total // own) == 0 and sweep // (total // own) <= own:
                copies.append(_copy(chain, vector, labels, gaps, matching))
    return {name: part / counted for name, part in sums.items() if len(gaps[name])}, copies


def _components(n: int, d: int, sizes: list[int]) -> int:
    describe = d + 1 + sum(size - 1 for size in sizes)
    return int(np.clip(n // (ROWS_PER_NUMBER * describe), 1, MOST_COMPONENTS))


def _part(field: Field, first: np.ndarray, second: np.ndarray, gaps: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
    """What is summed over sweeps of the laws of a column's gaps."""
    if isinstance(field, NumberField):
        return field.moments(first, second)
    if field.ordered is not None:
        own = np.searchsorted(rows, gaps)  # type: ignore[arg-type]
        return field.ordered.probabilities(first[own], second[own])
    p = np.exp(first)
    return p / p.sum(axis=1, keepdims=True)


def _copy(
    chain: AugmentationChain, vector: list[Field], labels: list[Field], gaps: dict[Any, np.ndarray], matching: int | None
) -> dict[Any, Any]:
    """What stands in the gaps of each column."""
    out: dict[Any, Any] = {}
    for j, field in enumerate(vector):
        rows = gaps[field.name]
        if isinstance(field, LevelField):
            out[field.name] = field.cells(field.ordered.codes(chain.y[rows, j]))  # type: ignore[union-attr]
        elif matching is not None and len(rows):
            mean, _ = chain.law_of(j, np.arange(chain.n))
            out[field.name] = field.cells(field.contents.values[donors_for(mean, field.contents.missing, matching, chain.rng)])
        else:
            out[field.name] = field.cells(field.number.drawn(chain.y[rows, j]))
    for column, field in enumerate(labels):
        out[field.name] = field.cells(chain.c[gaps[field.name], column])  # type: ignore[arg-type]
    return {name: values for name, values in out.items() if len(gaps[name])}


def _completed(
    data: Any,
    table: Columns,
    fields: list[Field],
    gaps: dict[Any, np.ndarray],
    copies: list[dict[Any, Any]],
    laws: dict[Any, tuple[Any, np.ndarray]],
    follows: Follows,
    left_out: dict[Any, str],
) -> Imputation:
    """The tables of all copies, and what was filled in."""
    tables = []
    for copy in copies:
        out = table_with(data, table, {table.place(name): (gaps[name], values) for name, values in copy.items()})
        completed = Completed(out, follows, gaps)
        copy.update(completed.found)
        tables.append(completed.table)
    cells = {}
    for name in [name for name in table.names if name in gaps]:
        values = tuple(copy[name] for copy in copies)
        if name in laws:
            expected, sure = laws[name]
            told = next(field for field in fields if field.name == name).contents.kind != "label"
        else:
            each = np.array(values, dtype=np.float64)
            expected, sure, told = each.mean(axis=0), each.std(axis=0), True
        measure = "standard deviation" if told else "probability"
        cells[name] = Filled(gaps[name], values[0], sure, measure, values, expected, table.plain(table.place(name)))
    return Imputation(tables[0], tuple(tables), cells, left_out)
