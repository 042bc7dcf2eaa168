"""Coefficients that all components share (fixed), or some of them (nested), and one scale for all: as settings of the regressions.

The words are those of Gruen and Leisch (2008); `tied` and `held` of the regression estimators are what they become.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate
from typing import Any

from dmlcore.base.errors import DataError, ParameterError, shorten
from dmlcore.base.records import dataclass
from dmlcore.data.frames import check_paired
from dmlcore.regression.named_columns import NamedColumns, check_rows, is_name, names_in
from dmlcore.regression.responses import FAMILIES


@dataclass(frozen=True)
class Sharing:
    """fixed: names of covariates with one coefficient in all components. nested: for blocks of components in turn, how many (of one block
    None: all others), and the covariates that these have, with one coefficient in the block; the others do not have them. intercept:
    whether it is fixed; scale: whether there is one for all components."""

    fixed: tuple[str, ...] = ()
    nested: tuple[tuple[Any, tuple[str, ...]], ...] = ()
    intercept: bool = False
    scale: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The covariates that are fixed or nested."""
        return tuple(dict.fromkeys([*self.fixed, *(name for _, names in self.nested for name in names)]))

    @property
    def counted(self) -> int:
        """How many components there are at least: those of blocks whose size is given."""
        return sum(size or 0 for size, _ in self.nested)

    @property
    def open(self) -> bool:
        """Whether there may be more."""
        return not self.nested or any(size is None for size, _ in self.nested)

    def for_components(self, K: int) -> Sharing:
        """The same of K components. Raises `ParameterError` where the blocks are not of so many in all."""
        rest = K - self.counted
        if rest < 0 or (rest > 0 and not self.open):
            raise ParameterError(f"nested speaks of {self.counted} components, n_components is {K}")
        return replace(self, nested=tuple((rest if size is None else size, names) for size, names in self.nested))

    def settings(self, k: int, response: Any, names: tuple[str, ...], several: bool) -> dict[str, Any]:
        """`tied` and `held` of the regression of a response on these covariates in component k."""
        prefix = f"{response.name}: " if several else ""
        tied: dict[Any, str] = {}
        held: dict[Any, float] = {}
        for j, name in enumerate(names):
            if name in self.fixed:
                tied[j] = prefix + name
            elif name in self.names:
                first, size = self._block(k, name)
                if not size:
                    held[j] = 0.0
                elif size > 1:
                    tied[j] = f"{prefix}{name} of components {first} to {first + size - 1}"
        field = FAMILIES[response.family].field
        if self.intercept:
            tied["intercept"] = prefix + "intercept"
        if self.scale and field is not None:
            tied[field] = prefix + field
        return {"tied": tied, "held": held}

    def _block(self, k: int, name: str) -> tuple[int, int]:
        """The first component and the size of the block of component k, if that has the covariate; otherwise the size is 0."""
        firsts = list(accumulate((size for size, _ in self.nested), initial=0))
        block = bisect_right(firsts, k) - 1
        size, names = self.nested[block]
        return firsts[block], size if name in names else 0


def sharing_of(table: NamedColumns, fixed: Any = None, nested: Any = None) -> Sharing:
    """What `fit` is told. fixed: names of covariates; or an array, which becomes further columns of the table. nested: `(size, names)` of
    each block."""
    columns: tuple[str, ...] = ()
    if fixed is not None:
        if is_name(fixed):
            columns = names_in(fixed)
        else:
            own = NamedColumns(fixed, "fixed", "fixed covariates")
            check_rows(own.n, "fixed", table.n)
            check_paired(table.index, fixed, "fixed")
            columns = own.names
            if taken := [name for name in columns if name in table.names]:
                raise DataError(f"fixed: column {taken[0]!r} is in X already; give its name")
            table.names, table.columns = table.names + columns, table.columns | dict(own.pick())
    out = Sharing(columns, tuple((size, names_in(names or [])) for size, names in blocks_of(nested)))
    check_shared(out)
    if unknown := [name for name in out.names if name not in table.names]:
        raise DataError(f"there is no column {unknown[0]!r}; there are {shorten(list(table.names))}")
    return out


def blocks_of(nested: Any) -> list[tuple[int, Any]]:
    """`(size, covariates)` of each block, checked for form. Raises `ParameterError`."""
    need = "nested must be a list of (number of components or None, covariates or None), one for each block of components"
    if nested is None:
        return []
    out = []
    for block in nested if isinstance(nested, (list, tuple)) else [nested]:
        if not isinstance(block, (list, tuple)) or len(block) != 2:
            raise ParameterError(f"{need}; got {shorten(block)}")
        size, names = block
        whole = size is None or (isinstance(size, int) and not isinstance(size, bool) and size >= 1)
        if not whole or not (names is None or names == [] or is_name(names)):
            raise ParameterError(f"{need}; got {shorten(block)}")
        out.append((size, names))
    if sum(size is None for size, _ in out) > 1:
        raise ParameterError("nested: only one block may be of all other components (None)")
    return out


def check_shared(sharing: Sharing) -> None:
    """Raises `ParameterError` where a covariate is both fixed and nested, or named twice."""
    both = [name for _, names in sharing.nested for name in names if name in sharing.fixed]
    if both:
        raise ParameterError(f"column {both[0]!r} is both fixed and nested")
    for names in (sharing.fixed, *(names for _, names in sharing.nested)):
        if len(set(names)) < len(names):
            raise ParameterError(f"a column is named twice: {shorten(list(names))}")
