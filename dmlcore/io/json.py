"""Models and estimators as JSON that a reader understands: `{"dmlcore": 1, "model": {"family": "GaussianDistribution", "mu": 1.0, ...}}`.

A node holds its family and its declared fields, without those at their defaults. Floats are written so that they read back to the
bit; ints, floats, bools and None are JSON's own. What JSON has no word for is an object with one telling key:

    {"float": "inf"}  {"bytes": "00ff"}  {"date": "2020-01-31"}  {"datetime": "2020-01-31T12:00:00"}
    {"timedelta": [days, seconds, microseconds]}
    {"tuple": [..]}  {"frozenset": [..]}  {"set": [..]}  {"map": [[label, value], ..]}  {"array": [..], "dtype": "int64"}

Beside the model may stand more, such as how it was fitted: `{"dmlcore": 1, "model": .., "fit": ..}`. Who reads models leaves it alone.

Where the family declares an array, nested nodes, keys or a table over labels, the plain list stands without its key.
A node that stands at several places of the tree (tied nodes are one object) is written at the first, with `"shared": 1`, and is
`{"shared": 1}` at the others; it is one object again when loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dmlcore.base.errors import FormatError, shorten
from dmlcore.core.arguments import takes
from dmlcore.core.declared import Declared
from dmlcore.io.reading import Reader
from dmlcore.io.text import MAX_DEPTH, laid_out, parse
from dmlcore.io.writing import Writer

SCHEMA = 1


@takes()
def to_json(node: Any, beside: Mapping[str, Any] | None = None) -> str:
    """A distribution or an estimator as JSON text, which `from_json` turns into an equal one, to the bit and tied as before.

    Raises `FormatError` for a label or a setting that JSON cannot hold exactly, for a family that could not be found again, and for
    a tree nested deeper than `dmlcore.io.text.MAX_DEPTH` allows. beside: values that stand in the text beside the model, by name.
    """
    if not isinstance(node, Declared):
        hint = "; its model can be saved" if isinstance(getattr(node, "model", None), Declared) else ""
        raise FormatError(f"to_json saves distributions and estimators, got {shorten(node)}{hint}")
    try:
        more = {name: Writer().value(value, name) for name, value in (beside or {}).items()}
        return laid_out({"dmlcore": SCHEMA, "model": Writer().node(node, "model"), **more})
    except RecursionError:
        raise FormatError(f"model: nested deeper than {MAX_DEPTH} levels, or holds itself") from None


@takes()
def from_json(text: str | bytes) -> Any:
    """The distribution or estimator that `to_json` wrote. Families of your own must be defined (imported) before.

    The text may come from anywhere: nothing in it is run or imported. Raises `FormatError`, naming the place, if it is no saved
    model, is of another schema, names an unknown family or field, or holds a parameter outside its domain.
    """
    return parsed(text, "from_json")


def dump_models(x: Any) -> str:
    """`to_json`, by the name that DMLearn has for a model as text."""
    return to_json(x)


def load_models(x: str | bytes) -> Any:
    """`from_json`, by the name that DMLearn has. Text that DMLearn wrote is Python code, which is not run here: `FormatError` says so."""
    try:
        return parsed(x, "load_models")
    except FormatError:
        if not re.match(r"\s*\w+Distribution\(", x if isinstance(x, str) else x.decode("utf-8", "replace")):
            raise
    need = "this text is Python code, as DMLearn writes models, and nothing is run here. If you trust it, make the model by"
    raise FormatError(f"load_models: {need} eval(text, vars(dmlcore.stats) | {{'np': numpy}}), and keep dump_models(model)")


def parsed(text: str | bytes, who: str, beside: str = "") -> Any:
    """`from_json`, with `who` in front of its errors; or the value of this name that stands beside the model, None without."""
    try:
        saved = parse(text)
        if not isinstance(saved, dict) or "dmlcore" not in saved or "model" not in saved:
            raise FormatError('not a saved model; need {"dmlcore": 1, "model": ...}')
        schema = saved["dmlcore"]
        if type(schema) is not int or schema != SCHEMA:
            raise FormatError(f"schema {shorten(schema)} is unknown; this version reads {SCHEMA}. A newer one may be needed")
        if beside:
            return Reader().value(saved.get(beside), beside)
        node = Reader().value(saved["model"], "model")
        if not isinstance(node, Declared):
            raise FormatError(f"model must be a distribution or an estimator, got {shorten(node)}")
        return node
    except FormatError as error:
        raise FormatError(f"{who}: {error}") from error.__cause__
    except RecursionError:
        raise FormatError(f"{who}: nested too deep to be read here") from None
