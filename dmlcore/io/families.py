"""Which classes a saved model may name: those that are already defined, by class name. Nothing is imported at a file's word."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import lru_cache

from dmlcore.core.declared import Declared
from dmlcore.core.estimator import Estimator

MAX_PLACES = 1_000_000  # places in a tree that are copies of shared nodes; walks of the tree visit each

RESERVED = ("family", "shared")  # words of the format itself


def family_called(name: str) -> type[Declared] | None:
    """The family of this class name: the library's own, or the latest definition, as a notebook cell may run twice."""
    found: type[Declared] | None = None
    for family in _by_name(Declared.definitions).get(name, ()):
        if not _abstract(family) and (found is None or not found.__module__.startswith("dmlcore.")):
            found = family
    return found


@lru_cache(maxsize=1)
def _by_name(definitions: int) -> dict[str, list[type[Declared]]]:
    """All classes that are declared, by name. definitions: how many have been; with one more, they are looked up again."""
    importlib.import_module("dmlcore.stats")
    found: dict[str, list[type[Declared]]] = {}
    for family in _descendants(Declared):
        found.setdefault(family.__name__, []).append(family)
    return found


def _descendants(cls: type[Declared]) -> Iterator[type[Declared]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


def _abstract(family: type[Declared]) -> bool:
    """Whether a class is a base of families, and none itself."""
    return family.__module__.startswith("dmlcore.core.") or (issubclass(family, Estimator) and not hasattr(family, "family"))
