"""Synthetic data: rows drawn from a model, in the form of the data it was fitted to, some of their fields given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, ParameterError, StructureError, SupportError, shorten
from dmlcore.base.labels import plain
from dmlcore.base.random import Random, generator
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution, as_values
from dmlcore.core.partial import UNKNOWN, Known
from dmlcore.core.partial import given as given_known
from dmlcore.core.powers import HasProbabilities, HoldsFixed, MayBeMissing, Mixing, has
from dmlcore.core.row_columns import column_place, nested, row_columns
from dmlcore.core.rowlaws import Fixed, RowLaw
from dmlcore.data.frames import is_frame
from dmlcore.data.layouts import Count, Labels, Layout, Maybe, Real, Vector
from dmlcore.data.record_layouts import Fields
from dmlcore.data.values import is_missing, listed
from dmlcore.inference.tables import ModelColumns
from dmlcore.inference.written_columns import column_like, frame_of
from dmlcore.stats.latent.summaries import draw_within

MAX_DECIMALS = 8


@takes(law="model", data="n")
def synthesise(
    model: Distribution,
    n: int | None = None,
    rng: Random = None,
    like: Any = None,
    given: Mapping[Any, Any] | None = None,
    columns: Sequence[str] | None = None,
) -> Any:
    """Draws n rows from a model.

    like: a data frame (pandas, polars or pyarrow), such as the model was fitted to. The result is then a frame with its column names and
    dtypes. Numbers stay within the range of its columns (a draw beyond is replaced by one from its law given the rest of the row and
    that it lies within) and keep their decimals; where the model does not say how values go missing, they do so as in a row of
    `like` chosen at random. columns: which of its columns the fields of the model read (default: all, in order).

    given: values of some fields by position or name, one for all rows or a list with one for each; n may then be left out. The others
    are drawn from their law given these: exact, no row is rejected. Raises `SupportError` for given values of density zero,
    `StructureError` for fields that are not there, `DataError` for values or frames that do not fit.
    """
    random = generator(rng)
    layout = model.layout
    template = None if like is None else ModelColumns(_checked(like), layout, columns)
    known = _known(layout, given or {}, template.names if template is not None else None)
    n = _size(n, known)
    drawn = _drawn(model, n, known, random)
    if template is None:
        return _as_rows(layout, drawn, n)
    for j, (column, read) in enumerate(zip(template.columns, template.read, strict=True)):
        if j not in known and isinstance(_inner(read.layout), (Real, Count)):
            drawn[j] = _shaped(model, drawn, j, column, random)
    _hide(model, template, drawn, known, random)
    return _as_frame(template, drawn, np.argsort(template.places).tolist() if columns is None else range(len(drawn)))


def _checked(like: Any) -> Any:
    like = listed(like)
    if not is_frame(like):
        raise ParameterError(f"like must be a data frame of pandas, polars or pyarrow, got {shorten(like)}")
    return like


def _inner(layout: Layout) -> Layout:
    return layout.value if isinstance(layout, Maybe) else layout


def _known(layout: Layout, given: Mapping[Any, Any], names: list[str] | None) -> dict[int, Any]:
    """Given values by position."""
    if given and not isinstance(layout, (Fields, Vector)):
        raise StructureError(f"{layout.label}: rows of this model have no fields that could be given")
    out: dict[int, Any] = {}
    for key, value in given.items():
        j = names.index(key) if names is not None and key in names else column_place(layout, key)
        if j in out:
            raise StructureError(f"field {key!r} is given twice")
        out[j] = value
    return out


def _size(n: Any, known: dict[int, Any]) -> int:
    """How many rows; given values become lists of that many."""
    lengths = {len(v) for v in known.values() if _is_list(v)}
    if len(lengths) > 1 or (n is not None and lengths and lengths != {n}):
        raise DataError(f"given: the lists must have one value for each row, got lengths {sorted(lengths)}{f' for n={n}' if n else ''}")
    size = n if n is not None else lengths.pop() if lengths else None
    if not isinstance(size, (int, np.integer)) or size < 0:
        raise ParameterError(f"n must be a whole number >= 0, or follow from lists of given values, got {n!r}")
    for j, value in known.items():
        known[j] = list(map(plain, value)) if _is_list(value) else [value] * int(size)
    return int(size)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, np.ndarray)) or (hasattr(value, "to_numpy") and hasattr(value, "__len__"))  # no time of pandas


def _drawn(model: Any, n: int, known: dict[int, Any], rng: np.random.Generator) -> list[Any]:
    """All columns: those given, and draws of the others."""
    layout, columns = model.layout, row_columns(model.layout)
    if not isinstance(layout, (Fields, Vector)):
        return [model.draw(n, rng)]
    if not known or not n:
        rows, names = model.draw(n, rng), getattr(layout, "names", None)
        if isinstance(rows, np.ndarray):
            return list(rows.T)
        return [[row[column.path[0] if names is None else column.key] for row in rows] for column in columns]
    count = len(columns)
    log, law = given_known(model, _of_known(columns, known), n)
    if log.min() == -np.inf:
        row = int(np.argmin(log))
        raise SupportError(f"given: row {row}, {shorten({j: known[j][row] for j in known})}, has density zero under the model")
    rest = iter(law.draw(np.arange(n), rng))
    return [known[j] if j in known else next(rest) for j in range(count)]


def _as_rows(layout: Layout, drawn: list[Any], n: int) -> Any:
    if isinstance(layout, Vector):
        return np.array([np.asarray(column, dtype=np.float64) for column in drawn]).T.reshape(n, len(drawn))
    if not isinstance(layout, Fields):
        return drawn[0]
    rows = zip(*map(as_values, drawn), strict=True)
    return list(rows) if layout.names is None else [dict(zip(layout.names, row, strict=True)) for row in rows]


# -- as the training frame ---------------------------------------------------------------------------------------------


def _shaped(model: Any, drawn: list[Any], j: int, column: Any, rng: np.random.Generator) -> np.ndarray:
    """A column of numbers within the range of the training column, with its decimals; NaN where it is missing."""
    values = np.array([np.nan if is_missing(v) else v for v in as_values(drawn[j])], dtype=np.float64)
    real = np.array([v for v in as_values(column) if not is_missing(v)], dtype=np.float64)
    if not len(real):
        return values
    low, high = float(real.min()), float(real.max())
    rows = np.flatnonzero((values < low) | (values > high))
    if len(rows):
        values[rows] = _within(model, drawn, j, rows, low, high, rng)
    single = isinstance(column, np.ndarray) and column.dtype == np.float32
    return np.clip(np.round(values, decimals(real, 1e-6 if single else 1e-12)), low, high)


def _within(model: Any, drawn: list[Any], j: int, rows: np.ndarray, low: float, high: float, rng: np.random.Generator) -> np.ndarray:
    """Draws of field j of some rows from its law given the other fields, and that it is there and lies between two bounds."""
    columns = row_columns(model.layout)
    others = [
        UNKNOWN if i_ == j else Known([as_values(c)[i] for i in rows.tolist()], layout=columns[i_].layout) for i_, c in enumerate(drawn)
    ]
    law = Fixed(model) if not columns[0].path else given_known(model, nested(columns, others), len(rows))[1]
    atoms = [(w * share, there) for w, atom in law.atoms() for share, there in _there(atom)]
    whole = isinstance(_inner(columns[j].layout), Count)
    return draw_within(atoms, len(rows), low, high, whole, rng)


def _there(atom: Any) -> list[tuple[float, Any]]:
    """Of one value's law, those that it has where it is not missing, with the probability of each."""
    law: Any = atom.law if isinstance(atom, Fixed) else None
    if has(law, MayBeMissing):
        return [(share * (1 - (law.missing_probability() or 0.0)), there) for share, there in _there(Fixed(law.value_law()))]
    if has(law, Mixing):
        each = zip(law.w.tolist(), law.components, strict=True)
        return [(w * share, there) for w, component in each for share, there in _there(Fixed(component))]
    return _there(Fixed(law.held_law())) if has(law, HoldsFixed) else [(1.0, atom)]


def decimals(values: np.ndarray, rounding: float = 1e-12) -> int:
    """The least number of decimals that keeps all values up to rounding, at most `MAX_DECIMALS`; 16 beyond, which keeps any value."""
    for places in range(MAX_DECIMALS + 1):
        if (np.abs(np.round(values, places) - values) <= rounding * np.abs(values)).all():
            return places
    return 16


def _hide(model: Any, template: ModelColumns, drawn: list[Any], known: dict[int, Any], rng: np.random.Generator) -> None:
    """Makes values missing, as in rows of the training frame drawn at random, in columns of which the model does not say how they do."""
    n = len(drawn[0])
    if not n or not len(template):
        return
    chosen, told = rng.integers(len(template), size=n), _told(model, known, n)
    for j, column in enumerate(template.columns):
        absent = np.array([is_missing(v) for v in as_values(column)], dtype=bool)
        if j not in known and not told[j] and absent.any():
            drawn[j] = [None if gone else v for v, gone in zip(as_values(drawn[j]), absent[chosen].tolist(), strict=True)]


def _of_known(columns: list[Any], known: dict[int, Any]) -> Any:
    """What is known of all columns, as `given` reads it."""
    return nested(columns, [Known(known[j], layout=column.layout) if j in known else UNKNOWN for j, column in enumerate(columns)])


def _told(model: Any, known: dict[int, Any], n: int) -> list[bool]:
    """Of each column whether the model says how its values go missing. Asked of its laws: few rows may have none by chance."""
    columns = row_columns(model.layout)
    count = len(columns)
    if not isinstance(model.layout, Fields):
        return [_tells(model)] * count
    law = given_known(model, _of_known(columns, known), n if known else 1)[1]
    free = [j for j in range(count) if j not in known]
    told = {j: any(map(_tells, _laws(law.keep([slot])))) for slot, j in enumerate(free)}
    return [told.get(j, True) for j in range(count)]


def _laws(law: RowLaw) -> list[Any]:
    """The distributions that take part in the law of one value."""
    return [part for w, atom in law.atoms() if np.any(w > 0) for _, (part,) in atom.cases(0)]


def _tells(law: Any) -> bool:
    """Whether a law says how often its value is missing: by the p of an Optional, or by a mark of missing ones among its labels."""
    if has(law, MayBeMissing):
        return law.missing_probability() is not None or _tells(law.value_law())
    if has(law, Mixing):
        return any(_tells(component) for component, w in zip(law.components, law.w, strict=True) if w > 0)
    if has(law, HoldsFixed):
        return _tells(law.held_law())
    if isinstance(law.layout, Labels):
        return any(map(is_missing, law.probabilities() if has(law, HasProbabilities) else ()))
    return isinstance(law.layout, Maybe)


def _as_frame(template: ModelColumns, drawn: list[Any], order: Sequence[int]) -> Any:
    columns = []
    for j in order:
        values = [None if is_missing(v) else v for v in as_values(drawn[j])]
        columns.append(column_like(template.held(j), template.names[j], values))
    return frame_of(template.data, [template.names[j] for j in order], columns)
