"""Columns of reals that tell of each other within a component: modelled as one Gaussian vector, where that predicts better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dmlcore.base.records import dataclass
from dmlcore.core.estimator import Estimator
from dmlcore.data.frames import Columns
from dmlcore.data.record_layouts import stacked
from dmlcore.proposal.result import VECTOR, Considered, Proposal, ProposedColumn
from dmlcore.stats import GaussianEstimator, MultivariateGaussianEstimator, OptionalEstimator, PartialGaussianEstimator

LEAST_TOLD = 0.005  # nats per row that two columns tell of each other, beyond chance, from which on they are tried as a vector


@dataclass(frozen=True)
class Reals:
    """The Gaussian columns of a proposal whose cells, where any are missing, are so at random; what each of them is rounded to, and the
    cells of some rows `(n, columns)`, NaN where missing."""

    roundings: Mapping[str, float]
    cells: np.ndarray

    @classmethod
    def of(cls, proposal: Proposal, table: Any) -> Reals:
        """Those of a proposal for a table whose columns have names."""
        roundings = {column.name: law.rounding for column in proposal.columns if (law := _gaussian(column.estimator)) is not None}
        columns, names = Columns(table), list(roundings)
        layout = PartialGaussianEstimator(len(names) or None).layout
        cells = stacked([columns.column(name) for name in names], names, layout) if names else np.zeros((len(columns), 0))
        return cls(roundings, cells)

    def most_told(self, proposal: Proposal, shares: np.ndarray) -> tuple[ProposedColumn, ProposedColumn] | None:
        """The two fields of a proposal of which columns tell most of each other within components, if any tell much. shares: `(n, K)`."""
        places = {name: j for j, name in enumerate(self.roundings)}
        fields = [column for column in proposal.columns if column.members[0] in places]
        by_chance = shares.shape[1] / (2 * len(shares))
        told, best, found = _told(self.cells, shares), LEAST_TOLD + by_chance, None
        for i, one in enumerate(fields):
            for other in fields[:i]:
                mine, theirs = ([places[name] for name in field.members] for field in (other, one))
                if (most := told[np.ix_(mine, theirs)].max()) > best:
                    best, found = most, (other, one)
        return found

    def too_narrow(self, model: Any, name: tuple[str, ...]) -> bool:
        """Whether a component knows a column from the others of its vector closer than it is rounded, and so makes much of ties."""
        floors = np.array([self.roundings[column] for column in name]) / math.sqrt(2 * math.pi)
        records = model.components if hasattr(model, "components") else [model]
        laws = [record.dists[record.field_names.index(name)] for record in records]
        return any((1 / np.diag(np.linalg.inv(law.covar)) < floors**2).any() for law in laws)


def _gaussian(estimator: Estimator) -> GaussianEstimator | None:
    if isinstance(estimator, OptionalEstimator) and not estimator.est_prob:
        estimator = estimator.children()[0]
    return estimator if type(estimator) is GaussianEstimator else None


def _told(x: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """What two columns tell of each other within components, if these are Gaussian, in nats per row `(columns, columns)`."""
    there = ~np.isnan(x)
    out = np.zeros((x.shape[1], x.shape[1]))
    for r in shares.T:
        w = there * r[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = (np.where(there, x, 0.0) * w).sum(axis=0) / w.sum(axis=0)
            apart = np.where(there, x - mean, 0.0)
            squares = (apart * apart * r[:, None]).T @ there
            correlation = (apart * r[:, None]).T @ apart / np.sqrt(squares * squares.T)
        square = np.minimum(np.nan_to_num(correlation) ** 2, 1 - 1e-12)
        out -= 0.5 * np.log1p(-square) * (r.sum() / len(x))
    return out


def as_one_vector(proposal: Proposal, one: ProposedColumn, other: ProposedColumn) -> tuple[Proposal, tuple[str, ...]]:
    """A proposal with two of its fields as one vector, which stands where the first stood; and the name of that."""
    name = (*one.members, *other.members)
    missing = max(one.missing, other.missing)
    estimator = PartialGaussianEstimator(len(name)) if missing else MultivariateGaussianEstimator(len(name))
    field = ProposedColumn(name, VECTOR, "", estimator, (), missing)
    return replace(proposal, columns=tuple(field if column is one else column for column in proposal.columns if column is not other)), name


def explained(proposal: Proposal, name: tuple[str, ...], together: float, apart: float, components: int) -> Proposal:
    """The proposal with the reason for a vector: log likelihoods per row held out, with it and with its two parts as they were before."""
    why = f"{together - apart:.3f} nats a row above its parts one by one, in {components} component{'s' * (components != 1)}"
    considered = (Considered(VECTOR, together, components), Considered("parts one by one", apart, components))
    columns = (replace(column, why=why, considered=considered) if column.name == name else column for column in proposal.columns)
    return replace(proposal, columns=tuple(columns))
