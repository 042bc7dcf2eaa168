"""Names of a package that are loaded when first used, so that importing a package, or one family, stays quick."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def above(module: str, name: str) -> Any:
    """What stands on a higher floor of this library: for methods of values below that only hand on a question, as a model its criteria."""
    return getattr(import_module(module), name)


def lazily(package: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` for a package, which finds its modules too. names: what comes from each module, separated by blanks."""
    home = {name: module for module, defined in names.items() for name in defined.split()}

    def load(name: str) -> Any:
        if name in home:
            value = getattr(import_module(home[name]), name)
        elif not name.startswith("_") and find_spec(f"{package}.{name}"):
            value = import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    return load
