"""What was proposed for a table, shown column by column, as an estimator, and as code."""

from __future__ import annotations

import re
from html import escape
from typing import Any, NamedTuple

from dmlcore.base.records import dataclass
from dmlcore.core.estimator import Estimator
from dmlcore.core.text_tables import as_html, as_text
from dmlcore.stats import CompositeEstimator, IgnoredEstimator, MixtureEstimator

VECTOR = "Gaussian vector"  # the family of columns that are modelled together
CLASS_NAME = re.compile(r"\b[A-Z]\w*(?:Estimator|Distribution)(?=\()")  # in code


class LeftOut(NamedTuple):
    """A column that is not modelled, and why."""

    name: Any
    reason: str


class Considered(NamedTuple):
    """A family that was considered for a column: its log likelihood per cell that it did not see, and with how many components."""

    family: str
    held_out: float
    components: int


@dataclass(frozen=True)
class ProposedColumn:
    """What is proposed for a column, or for several as a vector, whose name is then a tuple. considered: all families looked at, the best
    first. missing: the share of cells that are missing."""

    name: Any
    family: str
    why: str
    estimator: Estimator
    considered: tuple[Considered, ...]
    missing: float = 0.0

    @property
    def members(self) -> tuple[Any, ...]:
        """The columns of the table that it stands for."""
        return self.name if isinstance(self.name, tuple) and self.family == VECTOR else (self.name,)

    def shown(self, target: bool) -> dict[str, Any]:
        """Its line in a table."""
        own = [one.held_out for one in self.considered if one.family == self.family]
        others = [f"{one.family} {one.held_out:.3f}" for one in self.considered if one.family != self.family]
        name = ", ".join(map(str, self.members)) + " (target)" * target
        return {"column": name, "family": self.family, "why": self.why, "held out": own[0], "also considered": ", ".join(others)}


@dataclass(frozen=True, repr=False)
class Proposal:
    """A model proposed for a table.

    columns: those modelled; left_out: the others, each with the reason. order: the names of all columns, in that of the table; named:
    whether its rows are read by
    these names. rows: how many the table has; looked_at: how many of them were looked at for the families.
    target: the column that must be among those modelled, if one was named. selection: how the number of components was chosen, once
    `dmlcore.fit` did.
    """

    columns: tuple[ProposedColumn, ...]
    left_out: tuple[LeftOut, ...]
    order: tuple[Any, ...]
    named: bool
    rows: int
    looked_at: int
    target: Any = None
    selection: Any = None

    @property
    def estimator(self) -> Estimator:
        """Of one row: a record of independent columns."""
        return CompositeEstimator(self._fields())

    def mixture(self, components: int) -> Estimator:
        """Of a mixture of so many records; of one, the record itself."""
        return self.estimator if components == 1 else MixtureEstimator([self.estimator] * components)

    def _fields(self) -> Any:
        """The estimators by name; without names in the order of the table, where columns left out keep their place."""
        each = {column.name: column.estimator for column in self.columns}
        return each if self.named else [each.get(name, IgnoredEstimator()) for name in self.order]

    def code(self, components: int = 1) -> str:
        """Python that makes the estimator, to be edited; of a mixture of so many, if more than one."""
        if self.named:
            fields = [f"    {column.name!r}: {column.estimator!r}," for column in self.columns]
            lines = ["record = CompositeEstimator({", *fields, "})"]
        else:
            lines = ["record = CompositeEstimator([", *(f"    {estimator!r}," for estimator in self._fields()), "])"]
        last = "estimator = record" if components == 1 else f"estimator = MixtureEstimator([record] * {components})"
        used = sorted(set(CLASS_NAME.findall("\n".join([*lines, last]))))
        return "\n".join(["from dmlcore.stats import (", *(f"    {name}," for name in used), ")", "", *lines, last])

    def table(self) -> str:
        """One line per column modelled, as text."""
        return as_text(self._shown())

    def __repr__(self) -> str:
        left_out = [f"left out {one.name!r}: {one.reason}" for one in self.left_out]
        return "\n".join([self._headline(), self.table(), *left_out, "", self.code()])

    def _repr_html_(self) -> str:
        left_out = "".join(f"<li><b>{escape(str(one.name))}</b>: {escape(one.reason)}</li>" for one in self.left_out)
        code = f"<details><summary>Code</summary><pre>{escape(self.code())}</pre></details>"
        return as_html(self._shown(), self._headline()) + (f"<p>Left out:</p><ul>{left_out}</ul>" if left_out else "") + code

    def _headline(self) -> str:
        looked_at = "" if self.looked_at == self.rows else f", of which {self.looked_at:,} were looked at"
        modelled = sum(len(column.members) for column in self.columns)
        return f"Proposal for {modelled} of {len(self.order)} columns, {self.rows:,} rows{looked_at}"

    def _shown(self) -> list[dict[str, Any]]:
        return [column.shown(self.target is not None and self.target in column.members) for column in self.columns]
