"""What a report is about: a model, the fit and the selection it came from, and the table it is shown beside."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError, DmlcoreError, StructureError, shorten
from dmlcore.core.powers import Mixing, has
from dmlcore.data.layouts import Anything
from dmlcore.data.values import plain_list
from dmlcore.fitting.record import Fit
from dmlcore.inference.condition import marginal
from dmlcore.inference.table_evidence import TableEvidence
from dmlcore.inference.tables import ModelColumns
from dmlcore.plot.axes import component_names
from dmlcore.selection.sweep import Selection

ROWS_SHOWN = 20_000  # looked at for pictures and profiles; of more, evenly spaced ones


class Subject(TableEvidence):
    """The parts of a report ask it for columns, laws and scores; what several of them need is worked out once."""

    def __init__(self, model: Any, data: Any, columns: Sequence[str] | None = None):
        held = model.best if isinstance(model, Selection) else model
        self.fit: Fit | None = held if isinstance(held, Fit) else None
        self.proposal: Any = getattr(self.fit, "proposal", None)
        self.selection: Selection | None = model if isinstance(model, Selection) else getattr(self.proposal, "selection", None)
        self.model: Any = held.model if isinstance(held, Fit) else held
        if isinstance(self.model, type) or not hasattr(self.model, "seq_log_density"):
            raise StructureError(f"report needs a model, or what fit or select returned, got {shorten(model)}")
        super().__init__(self.model, ModelColumns(data, self.model.layout, columns))
        if not self.n:
            raise DataError("report needs a table with at least one row")

    # -- columns -------------------------------------------------------------------------------------------------------

    @cached_property
    def sample(self) -> np.ndarray:
        """Rows that stand for all: all of them, or evenly spaced ones."""
        return np.unique(np.linspace(0, self.n - 1, min(self.n, ROWS_SHOWN)).astype(np.intp))

    def present(self, j: int, rows: np.ndarray) -> list[Any]:
        """Values of a column in those of some rows that have it."""
        values = self.values(j, rows[~self.missing[j][rows]])
        return plain_list(values) if isinstance(values, np.ndarray) else list(values)

    # -- components ----------------------------------------------------------------------------------------------------

    @cached_property
    def components(self) -> list[Any]:
        """The components of a mixture with weights of its own; none of other models."""
        return list(self.model.components) if has(self.model, Mixing) and len(self.model.components) > 1 else []

    @property
    def w(self) -> np.ndarray:
        """Their weights."""
        return np.asarray(self.model.w)

    @cached_property
    def component_names(self) -> list[str]:
        """What they are called."""
        return component_names(self.components)

    @cached_property
    def laws(self) -> list[list[Any]]:
        """The law of each column in each component, `laws[k][j]`; None where it has no form."""
        return [[self._law(component, j) for j in range(len(self.names))] for component in self.components]

    @cached_property
    def totals(self) -> list[Any]:
        """The law of each column under the whole model; None where it has no form."""
        return [self._law(self.model, j) for j in range(len(self.names))]

    @cached_property
    def modelled(self) -> list[int]:
        """The columns that have a law."""
        return [j for j, law in enumerate(self.totals) if law is not None]

    def _law(self, law: Any, j: int) -> Any:
        if self.table.single:
            return law
        if isinstance(self.layouts[j], Anything):
            return None
        try:
            return marginal(law, self.table.read[j].key)
        except DmlcoreError:
            return None

    # -- scores --------------------------------------------------------------------------------------------------------

    @cached_property
    def posterior(self) -> np.ndarray:
        """Posterior probabilities `(rows of the sample, K)`; NaN in rows of density zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            joint = np.log(self.w)[:, None] + [self.evidence(self.sample, law=law) for law in self.components]
            share = np.exp(joint - joint.max(axis=0))
        return np.asarray(share / share.sum(axis=0)).T
