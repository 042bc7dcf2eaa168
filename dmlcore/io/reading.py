"""JSON data as nodes and values. Whatever the data, nothing but constructors of known families runs, and errors name the place."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from dmlcore.base.domains import Domain
from dmlcore.base.errors import FormatError, shorten
from dmlcore.base.label_domains import LabelProbabilities, Transitions
from dmlcore.base.labels import LABEL_TYPES, is_kept
from dmlcore.core.declared import Declared
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.io.families import MAX_PLACES, family_called
from dmlcore.io.label_forms import LABEL_KINDS, label_of

DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
FLOATS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
MAX_EQUAL_HASHES = 64  # labels of one hash in one table: more are made on purpose, to make its dictionary slow


class Reader:
    """Turns JSON data into one tree."""

    def __init__(self) -> None:
        self.shared: dict[int, tuple[Declared, int]] = {}  # number -> the node, and the places in its tree
        self.places = 0

    # -- nodes -------------------------------------------------------------------------------------------------------------

    def node(self, data: dict[str, Any], where: str) -> Declared:
        """A distribution or an estimator."""
        if "family" not in data:
            return self._again(data["shared"], where)
        number = data.get("shared")
        if number is not None and (type(number) is not int or number in self.shared):
            raise FormatError(f"{where}: shared must be a whole number that no other node has, got {shorten(number)}")
        before = self.places
        self.places += 1
        node = self._built(data, where)
        if number is not None:
            self.shared[number] = node, self.places - before
        return node

    def _again(self, number: Any, where: str) -> Declared:
        if type(number) is not int or number not in self.shared:
            raise FormatError(f'{where}: no node before this one is marked "shared": {shorten(number)}')
        node, places = self.shared[number]
        self.places += places
        if self.places > MAX_PLACES:
            raise FormatError(f"{where}: with its shared nodes the tree has more than {MAX_PLACES:,} places")
        return node

    def _built(self, data: dict[str, Any], where: str) -> Declared:
        name = data["family"]
        family = family_called(name) if isinstance(name, str) else None
        if family is None:
            raise FormatError(f"{where}: no family is called {shorten(name)}; if it is your own, import it before loading")
        domains = dict(family._fields)
        required = {f.name for f in dataclasses.fields(family) if f.default is dataclasses.MISSING}  # type: ignore[arg-type]
        given = {field: value for field, value in data.items() if field not in ("family", "shared")}
        for wrong, what in ((given.keys() - domains.keys(), "has no field"), (required - given.keys(), "needs the field")):
            if wrong:
                names = ", ".join(sorted(shorten(field)[1:-1] for field in wrong)[:10])
                raise FormatError(f"{where}: {name} {what} {names}; its fields are {', '.join(domains)}")
        fields = {field: self.field(value, domains[field], f"{where}.{field}") for field, value in given.items()}
        kind = Estimator if issubclass(family, Estimator) else Distribution
        for field, many in family._child_fields:
            _check_children(fields.get(field), many, kind, field in required, f"{where}.{field}")
        try:
            return family(**fields)
        except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:  # whatever its checks meet
            raise FormatError(f"{where}: {error}") from error

    def field(self, data: Any, domain: Domain, where: str) -> Any:
        """The value of a declared field."""
        if isinstance(domain, Transitions) and isinstance(data, list):
            rows = self._table(data, where, plain_values=True)
            return {label: self._table(row, f"{where}[{shorten(label)}]") for label, row in rows.items()}
        if isinstance(domain, LabelProbabilities) and isinstance(data, list):
            return self._table(data, where)
        return self.value(data, where)

    # -- values ------------------------------------------------------------------------------------------------------------

    def value(self, data: Any, where: str) -> Any:
        """Any value."""
        if isinstance(data, list):
            if not any(isinstance(item, (list, dict)) for item in data):
                return data
            return [self.value(item, f"{where}[{i}]") for i, item in enumerate(data)]
        if not isinstance(data, dict):
            return data
        if "family" in data or data.keys() == {"shared"}:
            return self.node(data, where)
        try:
            return self._tagged(data, where)
        except FormatError:
            raise
        except (ValueError, TypeError, OverflowError) as error:
            raise FormatError(f"{where}: {shorten(data)} cannot be read ({error})") from None

    def _tagged(self, data: dict[str, Any], where: str) -> Any:
        if "array" in data and data.keys() <= {"array", "dtype", "shape"}:
            return self._array(data, where)
        if len(data) == 1:
            match data:
                case {"float": str(text)} if text in FLOATS:
                    return FLOATS[text]
                case {"bytes": str(text)}:
                    return bytes.fromhex(text)
                case {"date": str(text)}:
                    return date.fromisoformat(text)
                case {"datetime": str(text)}:
                    return datetime.fromisoformat(text)
                case {"timedelta": [int(days), int(seconds), int(microseconds)]}:
                    return timedelta(days, seconds, microseconds)
                case {"tuple": list(items)}:
                    return tuple(self.value(items, where))
                case {"frozenset": list(items)}:
                    return frozenset(self._distinct(self.value(items, where), where))
                case {"set": list(items)}:
                    return set(self._distinct(self.value(items, where), where))
                case {"map": list(pairs)}:
                    return self._table(pairs, where)
            ((kind, form),) = data.items()
            if kind in LABEL_KINDS:
                return label_of(kind, form, lambda part: self.value(part, where))
        raise FormatError(f"{where}: {shorten(data)} is no value that this version knows")

    def _array(self, data: dict[str, Any], where: str) -> np.ndarray:
        dtype = data.get("dtype", "float64")
        if dtype not in DTYPES:  # others could ask for any amount of memory, or hold objects
            raise FormatError(f"{where}: an array of {shorten(dtype)} cannot be read; need one of {', '.join(DTYPES)}")
        array = np.array(self.value(data["array"], where), dtype=dtype)
        return array.reshape(data["shape"]) if "shape" in data else array

    def _table(self, pairs: Any, where: str, plain_values: bool = False) -> dict[Any, Any]:
        """A mapping from its list of `[label, value]`; values stay JSON data with `plain_values`."""
        if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise FormatError(f"{where}: {shorten(pairs)} must be a list of [label, value]")
        labels = self._distinct([self.value(label, where) for label, _ in pairs], where)
        values = (value if plain_values else self.value(value, f"{where}[{i}]") for i, (_, value) in enumerate(pairs))
        return dict(zip(labels, values, strict=True))

    def _distinct(self, labels: list[Any], where: str) -> list[Any]:
        """The same, if they are labels that can be told apart in reasonable time."""
        try:
            hashes = Counter(map(hash, labels))
        except TypeError:
            raise FormatError(f"{where}: cannot be read, as one of its labels is a list, a set or a map") from None
        if (odd := next((label for label in labels if not is_kept(label)), None)) is not None:
            raise FormatError(f"{where}: {shorten(odd)} is no label; need {LABEL_TYPES}")
        if hashes and max(hashes.values()) > MAX_EQUAL_HASHES:
            raise FormatError(f"{where}: more than {MAX_EQUAL_HASHES} of its labels have one hash, so they are no real labels")
        if len(set(labels)) < len(labels):
            again = next(label for label, count in Counter(labels).items() if count > 1)
            raise FormatError(f"{where}: the label {shorten(again)} stands there twice")
        return labels


def _check_children(value: Any, many: bool, kind: type[Declared], required: bool, where: str) -> None:
    """Below distributions stand distributions, below estimators estimators."""
    if many and not isinstance(value, list):
        raise FormatError(f"{where}: must be a list of {kind.__name__.lower()}s, got {shorten(value)}")
    for i, node in enumerate(value if many else [value]):
        if not isinstance(node, kind) and (node is not None or required):
            raise FormatError(
                f"{where}{f'[{i}]' * many}: must hold {'an estimator' if kind is Estimator else 'a distribution'}, got {shorten(node)}"
            )
