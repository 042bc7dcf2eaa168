"""What columns tell about each other, and about the component of a mixture: mutual information, in nats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.base.random import Random, generator
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution, as_values
from dmlcore.core.partial import UNKNOWN, Known, Outcomes, Parts
from dmlcore.core.powers import JointlyNormal, Mixing, has
from dmlcore.core.row_columns import RowColumn, column_place, row_columns
from dmlcore.core.telling import gains
from dmlcore.data.record_layouts import Fields
from dmlcore.fitting.record import Fit, model_of
from dmlcore.inference.condition import condition, log_evidence, marginal
from dmlcore.inference.events import collapsed, read_event
from dmlcore.inference.expectation import Expectation, check_draws, finite_values, mean_of_draws
from dmlcore.stats.latent.joined import mixture_of

ENOUGH_DRAWS = 20_000


class Informative(NamedTuple):
    """A column, what it tells in nats, and the standard error of that: 0 where it is an exact sum."""

    column: Any
    information: float
    error: float


@takes()
def mutual_information(
    model: Distribution | Fit, a: int | str, b: int | str | None = None, size: int = ENOUGH_DRAWS, rng: Random = None
) -> Expectation:
    """How much a column tells about another, in nats; or, without b, about the component that an observation is of. With standard error.

    It is how much the entropy of the one falls on average where the other is known: 0 where they are independent. a, b: positions or names
    of fields, or of coordinates of vectors. Exact, with error 0, for columns of few values (labels, whole numbers in a range) and of
    jointly Gaussian ones; else by `size` draws from `rng`. Raises `StructureError` where the model has no such column, or no components.
    """
    model = model_of(model, "mutual_information")
    check_draws(size)
    if b is None:
        return _about_components(*_components(model, a), size, rng)
    places = sorted(column_place(model.layout, key) for key in (a, b))
    columns = row_columns(model.layout)
    if places[0] == places[1]:
        raise StructureError(f"{model.label}: {a!r} and {b!r} are one column; what it tells about itself is its entropy")
    correlation = _correlation(model, places)
    if correlation is not None:
        return Expectation(-0.5 * float(np.log1p(-(correlation**2))), 0.0)
    keys = [columns[place].key for place in places]
    joint, each = marginal(model, keys), [marginal(model, key) for key in keys]
    found = finite_values(joint)
    rows = as_values(joint.sample(size, rng=generator(rng))) if found is None else found[0]
    logs = joint.seq_log_density(rows)
    for law, column in zip(each, row_columns(joint.layout), strict=True):
        logs = logs - law.seq_log_density([column.value(_entries(joint, row)) for row in rows])
    return mean_of_draws(logs) if found is None else Expectation(float(found[1] @ logs), 0.0)


@takes()
def most_informative(
    model: Distribution | Fit, row: Any, about: int | str | None = None, size: int = ENOUGH_DRAWS, rng: Random = None
) -> list[Informative]:
    """Which unknown cell of an observation to ask for next: the unknown columns, the one that tells most first.

    row: an observation with `UNKNOWN` in places, or a mapping that leaves columns out, as for `condition`. about: the unknown column that
    one would like to know; None: the component that the observation is of. What a column tells is the mutual information of the two given
    what is known, in nats (`mutual_information`). One seed, from `rng`, is used for all columns.
    """
    model = model_of(model, "most_informative")
    check_draws(size)
    unknown = _unknown_columns(model, row)
    keys = [column.key for column in unknown]
    seed = int(generator(rng).integers(1 << 62))
    if about is None:
        laws, w = _given_components(model, row)
        found = [_about_components([_column(law, j, keys) for law in laws], w, size, seed) for j in range(len(keys))]
        asked = keys
    else:
        wanted = row_columns(model.layout)[column_place(model.layout, about)].key
        if wanted not in keys:
            raise StructureError(f"{model.label}: {about!r} is known, so there is nothing to ask about it")
        law, asked = condition(model, row), [key for key in keys if key != wanted]
        places = {key: j for j, key in enumerate(keys)}
        found = [mutual_information(law, places[key], places[wanted], size, seed) for key in asked]
    out = [Informative(key, float(one.value), float(one.error)) for key, one in zip(asked, found, strict=True)]
    return sorted(out, key=lambda one: -one.information)


def _correlation(model: Any, places: Sequence[int]) -> float | None:
    """The correlation of two columns that are jointly Gaussian; None where they are not."""
    if not has(model, JointlyNormal):
        return None
    try:
        _, covar = model.normal_of(places)
    except StructureError:
        return None
    return float(covar[0, 1] / np.sqrt(covar[0, 0] * covar[1, 1]))


def _entries(law: Any, row: Any) -> Any:
    """The entries of a row, in order."""
    return law.layout.entries(row) if isinstance(law.layout, Fields) else row


def _unknown_columns(model: Any, row: Any) -> list[RowColumn]:
    """The columns of which an observation leaves something unknown. Raises `StructureError` where there are none."""
    x, columns = collapsed(read_event(model, row), model.layout), row_columns(model.layout)
    if isinstance(x, Known):
        raise StructureError("nothing is unknown in the observation; put UNKNOWN where a value is wanted")
    out = []
    for column in columns:
        entry = x
        for place in column.path:
            entry = entry.entries[place] if isinstance(entry, Parts) else entry
        if entry is UNKNOWN or isinstance(entry, Outcomes):
            out.append(column)
    return out


# -- about components --------------------------------------------------------------------------------------------------


def _components(model: Any, key: Any) -> tuple[list[Any], np.ndarray]:
    """The laws of a column in each component, and the components' weights."""
    if has(model, Mixing):
        return [marginal(component, key) for component in model.components], model.w
    law: Any = marginal(model, key)
    if not has(law, Mixing):
        raise StructureError(f"{model.label}: has no components; name a second column that {key!r} may tell of")
    return list(law.components), law.w


def _given_components(model: Any, row: Any) -> tuple[list[Any], np.ndarray]:
    """The laws of what is unknown of an observation in each component that it may be of, and how probable these are."""
    if not has(model, Mixing):
        law: Any = condition(model, row)
        if not has(law, Mixing):
            raise StructureError(f"{model.label}: has no components; say what the answer is to be about")
        return list(law.components), law.w
    logs = np.array([log_evidence(component, row) for component in model.components])
    with np.errstate(divide="ignore"):
        logs = logs + np.log(model.w)
    there = np.flatnonzero(logs > -np.inf).tolist()
    w = np.exp(logs[there] - logs[there].max()) if there else np.zeros(0)
    if not there:
        condition(model, row)  # raises, and says why
    return [condition(model.components[k], row) for k in there], w / w.sum()


def _column(law: Any, place: int, keys: Sequence[Any]) -> Any:
    """The law of one of several unknown columns."""
    return law if len(keys) == 1 else marginal(law, place)


def _about_components(laws: Sequence[Any], w: np.ndarray, size: int, rng: Random) -> Expectation:
    """What one value tells about which of some laws it is drawn from."""
    law = mixture_of(laws, w)
    found = finite_values(law)
    rows = law.sample(size, rng=generator(rng)) if found is None else found[0]
    told = gains(law.seq_posterior(rows).T, law.w)
    return mean_of_draws(told) if found is None else Expectation(float(found[1] @ told), 0.0)
