"""Model files that also hold how the model was fitted, so that a report of them has its history, its choice and its proposal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from dmlcore.base.errors import FormatError, shorten
from dmlcore.fitting.events import Event
from dmlcore.fitting.record import Fit, Start
from dmlcore.io.files import kept_beside, load, save
from dmlcore.proposal.result import Considered, LeftOut, Proposal, ProposedColumn
from dmlcore.selection.sweep import Failure, Selection

FIT = "fit"  # its name in the file
KIND = "record"  # the word by which a kept value names its class
RECORDS: dict[str, Any] = {
    kind.__name__: kind for kind in (Fit, Start, Event, Selection, Failure, Proposal, ProposedColumn, Considered, LeftOut)
}
ELSEWHERE = {Fit: ("model",), Selection: ("fits",)}  # the model stands in the file itself; of fits, the one chosen is enough


def save_fit(found: Fit, path: str | os.PathLike[str]) -> None:
    """Writes a model file, as `dmlcore.save(found.model, path)` does and `dmlcore.load` reads it, that holds the record of the fit beside
    the model. Of other candidates (`found.proposal.selection`) it keeps the table, not the fits."""
    save(found.model, path, {FIT: _as_data(found)})


def load_fit(path: str | os.PathLike[str]) -> Any:
    """What `save_fit` wrote; of a file without a record the model alone. Raises `FormatError`, `OSError`, as `dmlcore.load` does."""
    model, data = load(path), kept_beside(path, FIT)
    if data is None:
        return model
    try:
        found = _as_record(data)
        if not isinstance(found, Fit) or not found.history or not all(isinstance(x, float) for x in found.history + found.objective):
            raise FormatError(f"{FIT} must be the record of a fit, got {shorten(found)}")
        found = replace(found, model=model)
        selection = getattr(found.proposal, "selection", None)
        if selection is None:
            return found
        fits = tuple(replace(found, proposal=None) if i == selection.best_index else None for i in range(len(selection.values)))
        return replace(found, proposal=replace(found.proposal, selection=replace(selection, fits=fits)))
    except (TypeError, AttributeError, KeyError) as error:
        raise FormatError(f"load {path}: {FIT} cannot be read ({error})") from None


def _as_data(value: Any) -> Any:
    """Records as mappings that name their class, at any depth; other values as they are."""
    kind = type(value)
    if kind.__name__ in RECORDS and RECORDS[kind.__name__] is kind:
        return {KIND: kind.__name__} | {name: _as_data(getattr(value, name)) for name in _names(kind)}
    if isinstance(value, Mapping):
        return {name: _as_data(part) for name, part in value.items()}
    return kind(map(_as_data, value)) if kind in (list, tuple) else value


def _as_record(data: Any) -> Any:
    if isinstance(data, Mapping):
        parts = {name: _as_record(part) for name, part in data.items() if name != KIND}
        if KIND not in data:
            return parts
        kind = RECORDS[data[KIND]]
        return kind(**parts, **dict.fromkeys(ELSEWHERE.get(kind, ())))
    return type(data)(map(_as_record, data)) if isinstance(data, (list, tuple)) else data


def _names(kind: Any) -> list[str]:
    """The fields of a record that are kept."""
    if kind is Event:
        return ["kind", "text", "step", "place", "component"]
    names = [field.name for field in fields(kind)] if is_dataclass(kind) else list(kind._fields)
    return [name for name in names if name not in ELSEWHERE.get(kind, ())]
