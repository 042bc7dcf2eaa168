"""Which classes a saved model may name: those that are already defined, by class name. Nothing is imported at a file's word."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from dmlcore.core.declared import Declared
from dmlcore.core.estimator import Estimator

MAX_PLACES = 1_000_000  # places in a tree that are copies of shared nodes; walks of the tree visit each

RESERVED = ("family", "shared")  # words of the format itself


def families() -> dict[str, type[Declared]]:
    """Families by class name. The library's own come first, then the latest definition, as a notebook cell may run twice."""
    importlib.import_module("dmlcore.stats")
    found: dict[str, type[Declared]] = {}
    for family in _descendants(Declared):
        own = found.get(family.__name__)
        if not _abstract(family) and (own is None or not own.__module__.startswith("dmlcore.")):
            found[family.__name__] = family
    return found


def _descendants(cls: type[Declared]) -> Iterator[type[Declared]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


def _abstract(family: type[Declared]) -> bool:
    """Whether a class is a base of families, and none itself."""
    return family.__module__.startswith("dmlcore.core.") or (issubclass(family, Estimator) and not hasattr(family, "family"))
