"""Laws that wrap another: they can do what that can, where there is a formula for it."""

from __future__ import annotations

from typing import Any

from dmlcore.base.errors import StructureError

POWERS = ("mean", "variance", "mode", "entropy", "cdf", "sf", "isf", "quantile")


class PowersOfLaw:
    """Has `mean`, as the method `_mean`, where the wrapped law has a mean; and so the other powers of single numbers."""

    dist: Any
    label: Any

    @property
    def offset(self) -> bool:
        """Of a regression: whether observations end with an offset."""
        return getattr(self.dist, "offset", False)

    @property
    def trials(self) -> bool:
        """Of a regression: whether observations hold a number of trials."""
        return getattr(self.dist, "trials", False)

    def regression(self) -> Any:
        """The law, where it is a regression. Raises `StructureError` where it is none."""
        if not hasattr(self.dist, "mean_given"):
            raise StructureError(f"{self.label}: a {self.dist.label} is no regression, so it takes no covariates x")
        return self.dist

    def has_powers(self) -> bool:
        """Whether its single numbers have moments at all, and not only given covariates."""
        return True

    def __getattr__(self, name: str) -> Any:
        if name in POWERS and hasattr(type(self), f"_{name}") and self.has_powers() and hasattr(self.dist, name):
            return getattr(self, f"_{name}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
