"""Models and estimators as JSON that a reader understands: `{"dmlcore": 1, "model": {"family": "GaussianDistribution", "mu": 1.0, ...}}`.

A node holds its family and its declared fields, without those at their defaults. Floats are written so that they read back to the
bit; ints, floats, bools and None are JSON's own. What JSON has no word for is an object with one telling key:

    {"float": "inf"}  {"bytes": "00ff"}  {"date": "2020-01-31"}  {"datetime": "2020-01-31T12:00:00"}
    {"tuple": [..]}  {"frozenset": [..]}  {"set": [..]}  {"map": [[label, value], ..]}  {"array": [..], "dtype": "int64"}

Where the family declares an array, nested nodes, keys or a table over labels, the plain list stands without its key.
Nodes that were one object in memory become equal objects; what is tied by `keys` stays tied.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import numpy as np

from dmlcore.core.declared import Declared
from dmlcore.core.domains import Array, Child, Children, Domain, Keys, Simplex
from dmlcore.core.errors import DmlcoreError, FormatError, shorten
from dmlcore.core.label_domains import LabelProbabilities, Transitions
from dmlcore.core.labels import plain

SCHEMA = 1
WIDTH = 120  # longer objects and lists of lists are broken over lines
LABELS = "str, bytes, bool, int, float, None, date, datetime, and tuples or frozensets of them"


def to_json(node: Any) -> str:
    """A distribution or an estimator as JSON text, which `from_json` turns into an equal one.

    Raises `FormatError` for a label or a setting that JSON cannot hold exactly, and for a family that could not be found again.
    """
    if not isinstance(node, Declared):
        raise FormatError(f"to_json saves distributions and estimators, got {shorten(node)}")
    return _laid_out({"dmlcore": SCHEMA, "model": encode(node, "model")})


def from_json(text: str | bytes) -> Any:
    """The distribution or estimator that `to_json` wrote. Families of your own must be defined (imported) before.

    Raises `FormatError` if the text is no saved model, is of another schema, or names an unknown family or field; `ParameterError`
    and its kin if a parameter lies outside its domain.
    """
    try:
        saved = json.loads(text, parse_constant=_no_constant)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"from_json: not JSON ({error})") from None
    if not isinstance(saved, dict) or "dmlcore" not in saved or "model" not in saved:
        raise FormatError('from_json: not a saved model; need {"dmlcore": 1, "model": ...}')
    if type(saved["dmlcore"]) is not int or saved["dmlcore"] != SCHEMA:
        raise FormatError(
            f"from_json: schema {shorten(saved['dmlcore'])} is unknown; this version reads {SCHEMA}. A newer one may be needed"
        )
    node = decode(saved["model"], "model")
    if not isinstance(node, Declared):
        raise FormatError(f"from_json: model must be a distribution or an estimator, got {shorten(node)}")
    return node


# -- values ------------------------------------------------------------------------------------------------------------


def encode(value: Any, where: str) -> Any:
    """Any value of a field as JSON data; `where` names it in errors."""
    if isinstance(value, Declared):
        return _encode_node(value, where)
    if isinstance(value, np.ndarray):
        return _encode_array(value, where)
    if isinstance(value, Mapping):
        return {"map": [[encode_label(label, where), encode(v, f"{where}[{label!r}]")] for label, v in value.items()]}
    if type(value) is list:
        return _encode_all(value, where)
    if type(value) is tuple:
        return {"tuple": _encode_all(value, where)}
    if type(value) is set:
        return {"set": _encode_set(value, where)}
    return encode_label(value, where)


def encode_label(label: Any, where: str) -> Any:
    """A label as JSON data, its type kept; raises `FormatError` for a kind of label that has no exact form."""
    label = plain(label)
    if label is None or type(label) in (str, int, bool):
        return label
    if type(label) is float:
        return label if math.isfinite(label) else {"float": str(label)}
    if type(label) is bytes:
        return {"bytes": label.hex()}
    if type(label) in (date, datetime):
        return {type(label).__name__: label.isoformat()}
    if type(label) is tuple:
        return {"tuple": [encode_label(part, where) for part in label]}
    if type(label) is frozenset:
        return {"frozenset": _encode_set(label, where)}
    raise FormatError(f"{where}: cannot save {shorten(label)} of type {type(label).__name__}; labels and settings may be {LABELS}")


def decode(data: Any, where: str) -> Any:
    """The value that `encode` or `encode_label` wrote."""
    if isinstance(data, list):
        return [decode(item, f"{where}[{i}]") for i, item in enumerate(data)]
    if not isinstance(data, dict):
        return data
    if "family" in data:
        return _decode_node(data, where)
    try:
        return _decode_tagged(data, where)
    except DmlcoreError:
        raise
    except (ValueError, TypeError) as error:
        raise FormatError(f"{where}: {shorten(data)} cannot be read ({error})") from None


def _decode_tagged(data: dict[str, Any], where: str) -> Any:
    match data:
        case {"float": str(text)}:
            return float(text)
        case {"bytes": str(text)}:
            return bytes.fromhex(text)
        case {"date": str(text)}:
            return date.fromisoformat(text)
        case {"datetime": str(text)}:
            return datetime.fromisoformat(text)
        case {"tuple": list(items)}:
            return tuple(decode(items, where))
        case {"frozenset": list(items)}:
            return frozenset(decode(items, where))
        case {"set": list(items)}:
            return set(decode(items, where))
        case {"map": list(pairs)}:
            return dict(decode(pairs, where))
        case {"array": numbers}:
            array = np.array(decode(numbers, where), dtype=data.get("dtype", "float64"))
            return array.reshape(data["shape"]) if "shape" in data else array
    raise FormatError(f"{where}: {shorten(data)} is no value that this version knows")


def _encode_all(values: Any, where: str) -> list[Any]:
    return [encode(value, f"{where}[{i}]") for i, value in enumerate(values)]


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
    return array.tolist() if np.isfinite(array).all() else _encode_all(array.tolist(), "")


# -- nodes -------------------------------------------------------------------------------------------------------------


def _encode_node(node: Declared, where: str) -> dict[str, Any]:
    family = type(node).__name__
    if _families().get(family) is not type(node):
        raise FormatError(f"{where}: another family is called {family}, so this one could not be loaded again; rename it")
    out: dict[str, Any] = {"family": family}
    defaults = {f.name: f.default for f in dataclasses.fields(node)}  # type: ignore[arg-type]
    for (field, domain), value in zip(node._fields, node.fields().values(), strict=True):
        default = defaults[field]
        if value is default:
            continue
        path = f"{where}.{field}"
        data = _encode_field(value, domain, path)
        if default is dataclasses.MISSING or json.dumps(data) != json.dumps(_encode_field(default, domain, path)):
            out[field] = data
    return out


def _encode_field(value: Any, domain: Domain, where: str) -> Any:
    """The plain form where the declared domain says what a list means; otherwise any value's form."""
    if isinstance(domain, Transitions) and isinstance(value, Mapping):
        return [[encode_label(label, where), _pairs(row, where)] for label, row in value.items()]
    if isinstance(domain, LabelProbabilities) and isinstance(value, Mapping):
        return _pairs(value, where)
    if isinstance(domain, (Array, Simplex)) and isinstance(value, np.ndarray):
        return _numbers(value)
    if isinstance(domain, (Children, Keys)) and isinstance(value, tuple):
        return _encode_all(value, where)
    return encode(value, where)


def _pairs(table: Mapping[Any, Any], where: str) -> list[Any]:
    return [[encode_label(label, where), encode(value, where)] for label, value in table.items()]


def _decode_node(data: dict[str, Any], where: str) -> Declared:
    family = _family(data["family"], where)
    domains = dict(family._fields)
    required = {f.name for f in dataclasses.fields(family) if f.default is dataclasses.MISSING}  # type: ignore[arg-type]
    given = {field: value for field, value in data.items() if field != "family"}
    for wrong, what in ((given.keys() - domains.keys(), "has no field"), (required - given.keys(), "needs the field")):
        if wrong:
            raise FormatError(f"{where}: {family.__name__} {what} {', '.join(sorted(wrong))}; its fields are {', '.join(domains)}")
    fields = {field: _decode_field(value, domains[field], f"{where}.{field}") for field, value in given.items()}
    try:
        return family(**fields)
    except TypeError as error:
        raise FormatError(f"{where}: {error}") from None


def _decode_field(data: Any, domain: Domain, where: str) -> Any:
    value = decode(data, where)
    if isinstance(domain, (Transitions, LabelProbabilities)) and isinstance(value, list):
        try:
            value = dict(value)
            return {label: dict(row) for label, row in value.items()} if isinstance(domain, Transitions) else value
        except (ValueError, TypeError):
            raise FormatError(f"{where}: {shorten(data)} must be a list of [label, value]") from None
    nodes = value if isinstance(domain, Children) else [value] if isinstance(domain, Child) else []
    for node in nodes:
        if not isinstance(node, Declared) and node is not None:
            raise FormatError(f"{where}: must hold distributions or estimators, got {shorten(node)}")
    return value


# -- families ----------------------------------------------------------------------------------------------------------


def _descendants(cls: type[Declared]) -> Iterator[type[Declared]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


def _families() -> dict[str, type[Declared]]:
    """Families by class name. The library's own come first, then the latest definition, as a notebook cell may run twice."""
    importlib.import_module("dmlcore.stats")
    found: dict[str, type[Declared]] = {}
    for family in _descendants(Declared):
        own = found.get(family.__name__)
        if own is None or not own.__module__.startswith("dmlcore."):
            found[family.__name__] = family
    return found


def _family(name: Any, where: str) -> type[Declared]:
    family = _families().get(name) if isinstance(name, str) else None
    if family is None:
        raise FormatError(f"{where}: no family is called {shorten(name)}; if it is your own, import it before loading")
    return family


# -- text --------------------------------------------------------------------------------------------------------------


def _no_constant(text: str) -> Any:
    raise FormatError(f'from_json: {text} is not JSON; write {{"float": "{text.lower()}"}}')


def _laid_out(data: Any, indent: str = "") -> str:
    """JSON text: what fits on a line stays on it, and so does any list of single values."""
    line = json.dumps(data)
    single = isinstance(data, list) and not any(isinstance(item, (list, dict)) for item in data)
    if not isinstance(data, (list, dict)) or single or len(indent) + len(line) <= WIDTH:
        return line
    inner = indent + "  "
    if isinstance(data, dict):
        parts, marks = [f"{json.dumps(key)}: {_laid_out(value, inner)}" for key, value in data.items()], "{}"
    else:
        parts, marks = [_laid_out(item, inner) for item in data], "[]"
    return marks[0] + "\n" + ",\n".join(inner + part for part in parts) + "\n" + indent + marks[1]
