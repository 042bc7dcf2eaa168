"""scipy's special functions, loaded when first used, so that importing the library does not load scipy."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    import scipy.special

    function = getattr(scipy.special, name)
    globals()[name] = function
    return function
