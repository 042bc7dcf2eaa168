"""Nodes and values as JSON data: the forms that `dmlcore.io.json` describes."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from dmlcore.base.domains import Array, Children, Domain, Keys, Simplex
from dmlcore.base.errors import FormatError, shorten
from dmlcore.base.label_domains import LabelProbabilities, Transitions
from dmlcore.base.labels import LABEL_TYPES, MAX_BITS, plain
from dmlcore.core.declared import Declared
from dmlcore.io.families import MAX_PLACES, RESERVED, family_called
from dmlcore.io.label_forms import label_form


class Writer:
    """Turns one tree into JSON data. A node that stands at several places is written once, and named at the others."""

    def __init__(self) -> None:
        self.written: dict[int, dict[str, Any]] = {}  # id of a node -> its data
        self.sizes: dict[int, int] = {}  # id of a node -> places in its tree
        self.places = 0
        self.shared = 0

    # -- nodes -------------------------------------------------------------------------------------------------------------

    def node(self, node: Declared, where: str) -> dict[str, Any]:
        """A distribution or an estimator."""
        if id(node) in self.written:
            return self._again(node, where)
        before = self.places
        self.places += 1
        data = self._fields(node, where)
        self.written[id(node)], self.sizes[id(node)] = data, self.places - before
        return data

    def _again(self, node: Declared, where: str) -> dict[str, Any]:
        self.places += self.sizes[id(node)]
        if self.places > MAX_PLACES:
            raise FormatError(f"{where}: the tree has more than {MAX_PLACES:,} places")
        data = self.written[id(node)]
        if "shared" not in data:
            self.shared += 1
            fields = dict(data)
            data.clear()  # the same object, as its parent holds it; the number stands beside the family
            data.update({"family": fields["family"], "shared": self.shared, **fields})
        return {"shared": data["shared"]}

    def _fields(self, node: Declared, where: str) -> dict[str, Any]:
        family = type(node).__name__
        if family_called(family) is not type(node):
            raise FormatError(f"{where}: another family is called {family}, so this one could not be loaded again; rename it")
        out: dict[str, Any] = {"family": family}
        defaults = {f.name: f.default for f in dataclasses.fields(node)}  # type: ignore[arg-type]
        for (field, domain), value in zip(node._fields, node.fields().values(), strict=True):
            path = f"{where}.{field}"
            if field in RESERVED:
                raise FormatError(f"{path}: a field of this name cannot be saved; rename it")
            if not _is_default(value, defaults[field], domain, path):
                out[field] = self.field(value, domain, path)
        return out

    def field(self, value: Any, domain: Domain, where: str) -> Any:
        """The plain form where the declared domain says what a list means; otherwise any value's form."""
        if isinstance(domain, Transitions) and isinstance(value, Mapping):
            return [[encode_label(label, where), self._pairs(row, where)] for label, row in value.items()]
        if isinstance(domain, LabelProbabilities) and isinstance(value, Mapping):
            return self._pairs(value, where)
        if isinstance(domain, (Array, Simplex)) and isinstance(whole := domain.shown(value), np.ndarray):
            return _numbers(whole)
        if isinstance(domain, (Children, Keys)) and isinstance(value, tuple):
            return self._all(value, where)
        return self.value(value, where)

    # -- values ------------------------------------------------------------------------------------------------------------

    def value(self, value: Any, where: str) -> Any:
        """Any value of a field; `where` names it in errors."""
        if isinstance(value, Declared):
            return self.node(value, where)
        if isinstance(value, np.ndarray):
            return _encode_array(value, where)
        if isinstance(value, Mapping):
            return {"map": self._pairs(value, where)}
        if type(value) is list:
            return self._all(value, where)
        if type(value) is tuple:
            return {"tuple": self._all(value, where)}
        if type(value) is set:
            return {"set": _encode_set(value, where)}
        return encode_label(value, where)

    def _pairs(self, table: Mapping[Any, Any], where: str) -> list[Any]:
        return [[encode_label(label, where), self.value(value, f"{where}[{shorten(label)}]")] for label, value in table.items()]

    def _all(self, values: Any, where: str) -> list[Any]:
        return [self.value(value, f"{where}[{i}]") for i, value in enumerate(values)]


def encode_label(label: Any, where: str) -> Any:
    """A label as JSON data, its type kept; raises `FormatError` for a kind of label that has no exact form."""
    label = plain(label)
    if label is None or type(label) in (str, bool) or (type(label) is int and label.bit_length() <= MAX_BITS):
        return label
    if type(label) is float:
        return label if math.isfinite(label) else {"float": str(label)}
    if type(label) is bytes:
        return {"bytes": label.hex()}
    if type(label) is date or (type(label) is datetime and datetime.fromisoformat(label.isoformat()) == label):
        return {type(label).__name__: label.isoformat()}
    if type(label) is timedelta:
        return {"timedelta": [label.days, label.seconds, label.microseconds]}
    if type(label) is tuple:
        return {"tuple": [encode_label(part, where) for part in label]}
    if type(label) is frozenset:
        return {"frozenset": _encode_set(label, where)}
    if (form := label_form(label, lambda part: encode_label(part, where))) is not None:
        return form
    raise FormatError(f"{where}: cannot save {_shown(label)} of type {type(label).__name__}; labels and settings may be {LABEL_TYPES}")


def _shown(label: Any) -> str:
    return f"a whole number of {label.bit_length()} bits" if type(label) is int else shorten(label)


def _encode_set(values: Any, where: str) -> list[Any]:
    """In an order that does not depend on hashes, so that equal models give equal text."""
    return sorted((encode_label(value, where) for value in values), key=json.dumps)


def _encode_array(array: np.ndarray, where: str) -> dict[str, Any]:
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise FormatError(f"{where}: cannot save an array of {array.dtype}; need real numbers of at most 64 bits")
    out: dict[str, Any] = {"array": _numbers(array)}
    if array.dtype != np.float64:
        out["dtype"] = array.dtype.name
    if not array.size:
        out["shape"] = list(array.shape)
    return out


def _numbers(array: np.ndarray) -> Any:
    """Nested lists of the numbers of an array."""
    return array.tolist() if np.isfinite(array).all() else _marked(array.tolist())


def _marked(numbers: Any) -> Any:
    return [_marked(part) for part in numbers] if isinstance(numbers, list) else encode_label(numbers, "")


def _is_default(value: Any, default: Any, domain: Domain, where: str) -> bool:
    """Whether a field may be left out: its default would come back as the same type and the same bits."""
    if value is default:
        return True
    if default is dataclasses.MISSING or type(plain(value)) is not type(plain(default)):
        return False
    return json.dumps(Writer().field(value, domain, where)) == json.dumps(Writer().field(default, domain, where))
