"""Conditioning and marginals: the law of what is unknown in an observation, given the rest. Exact, by walking the tree.

Each node says of a partly known observation how probable the known part is, and what law the unknown part then has
(`Distribution.given`). A mixture's answer is Bayes' rule: components are reweighted by how well they explain what is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError, SupportError, shorten
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.field_names import with_field_names
from dmlcore.core.partial import MISSING, UNKNOWN, Known, Outcomes, Parts, field_path, given, unknown_inside
from dmlcore.core.powers import HoldsFixed, MayBeMissing, has
from dmlcore.core.row_columns import asked_for, names_of
from dmlcore.core.rowlaws import Fixed, Mixed, Product, RowLaw
from dmlcore.data.layouts import Layout
from dmlcore.data.record_layouts import Fields
from dmlcore.fitting.record import Fit, model_of
from dmlcore.inference.events import collapsed, read_event
from dmlcore.stats.latent.joined import distribution_of, in_a_tuple

__all__ = ["UNKNOWN", "condition", "log_evidence", "marginal"]


@takes()
def condition(model: Distribution | Fit, observed: Any, values: bool = False) -> Distribution:
    """The law of what is unknown in `observed`, of a model or what `fit` returned: an observation with `UNKNOWN` in places, at any depth.

    Fields of tuples may also be given by position or name in a mapping; those left out are unknown. Of one unknown the result is the
    law of that value; of several, a law of tuples in their order. Unknown coordinates of one vector stay together as one vector.

    A range `(low, high)` in place of a number (or date), or a set of values in place of a label, is all that is known of that value, as in
    `dmlcore.probability`: the result has its law within the range, or among the values.

    None (or NaN) in an Optional field says the value was seen to be missing: that informs the posterior, and the result is the law
    of the value it would have had. UNKNOWN there says nothing was seen, and the result keeps both possibilities; with `values`, it
    is that of the value whether or not it would be missing.

    Raises `SupportError` if what was observed has density zero, `DataError` if it is of the wrong kind, and `StructureError` if
    nothing is unknown, if the shape does not fit, or if no exact form exists.
    """
    model = model_of(model, "condition")
    x, log, law = _given(model, observed)
    if not law.slots:
        raise StructureError("nothing is unknown in the observation; put UNKNOWN where a value is wanted")
    if law.hardly_ever:
        raise SupportError(f"{model.label}: what was observed, {shorten(observed)}, has a range of hardly any probability")
    if log == -np.inf:
        raise SupportError(f"{model.label}: the observed part {shorten(observed)} has density zero, so nothing follows from it")
    out = distribution_of(values_alone(law) if values else law)
    paths = unknown_paths(model.layout, x)
    return with_field_names(out, names_of(model.layout, paths)) if len(paths) == law.slots > 1 else out  # type: ignore[arg-type]


def unknown_paths(layout: Layout, x: Any) -> list[tuple[int, ...]]:
    """Where the columns of a record with names stand of which nothing is known."""
    if not isinstance(layout, Fields) or layout.entry_names is None or not isinstance(x, Parts):
        return []
    out: list[tuple[int, ...]] = []
    for j, (name, entry) in enumerate(zip(layout.entry_names, x.entries, strict=True)):
        if entry is UNKNOWN or entry is MISSING or isinstance(entry, Outcomes):
            out.append((j,))
        elif isinstance(name, tuple) and isinstance(entry, Parts):
            out += [(j, i) for i, one in enumerate(entry.entries) if one is UNKNOWN or isinstance(one, Outcomes)]
    return out


def log_evidence(model: Distribution | Fit, observed: Any) -> float:
    """Log density of what is known in `observed`, whatever the unknowns are. Arguments and errors as for `condition`."""
    return _given(model_of(model, "log_evidence"), observed)[1]


def _given(model: Distribution, observed: Any) -> tuple[Any, float, RowLaw]:
    x = collapsed(read_event(model, observed), model.layout)
    if isinstance(x, Known) and unknown_inside(observed):
        raise StructureError(f"{model.label}: the observation {shorten(observed)} does not have the shape of the model")
    log, law = given(model, x, 1)
    return x, float(log[0]), law


@takes()
def marginal(model: Distribution | Fit, fields: int | str | Sequence[int | str], values: bool = False) -> Distribution:
    """The law of chosen fields of a tuple, or coordinates of a vector: that of one alone, or of several together, a tuple (or vector).

    fields: a position or a name (that of the node which reads the field), or a list of them in the order of the fields. values: of
    Optional fields the law of the values, whether or not they would be missing. Exact for every model that reads tuples or vectors:
    composites, Gaussian vectors, and mixtures of all kinds of them.
    Raises `StructureError` for a field that is not there or named twice.
    """
    model = model_of(model, "marginal")
    several = isinstance(fields, (list, tuple, np.ndarray))
    layout: Any = model.layout
    paths = [field_path(layout, field) for field in (fields if several else [fields])]  # type: ignore[union-attr]
    x, slots = asked_for(layout, paths)
    law = given(model, x, 1)[1].keep(slots)
    out = distribution_of(values_alone(law) if values else law)
    if not several or not isinstance(layout, Fields):
        return out
    names = None if layout.entry_names is None else names_of(layout, paths)
    out = in_a_tuple(out) if len(names or paths) == 1 else out
    return out if names is None else with_field_names(out, names)


def values_alone(law: RowLaw) -> RowLaw:
    """The same with every Optional in it replaced by the law of its values."""
    if isinstance(law, Product):
        return Product([values_alone(part) for part in law.parts])
    if isinstance(law, Mixed):
        return Mixed(law.weights, [values_alone(part) for part in law.parts], law.family)
    return Fixed(always_there(law.law)) if isinstance(law, Fixed) else law


def always_there(law: Any) -> Any:
    """A law with every Optional in it replaced by the law of its values."""
    if has(law, MayBeMissing):
        return always_there(law.value_law())
    if has(law, HoldsFixed):
        return law.replace(dist=always_there(law.held_law()))
    new = tuple(always_there(child) for child in law.children())
    if all(a is b for a, b in zip(new, law.children(), strict=True)):
        return law
    return law.replace(**law.child_values(new))
