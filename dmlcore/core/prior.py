"""What is known of a law before there are data, in one shape for every family. A new kind of prior is a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import StructureError
from dmlcore.base.records import dataclass
from dmlcore.core.statistics import Sums


class Prior:
    """Base. What is known, as observations that were never made would say it: it goes with the statistics of those that were."""

    decides: ClassVar[bool] = True
    """Whether an estimate has an answer without data."""

    def added_to(self, statistics: Any) -> Any:
        """Statistics at which the maximum of the likelihood is that of likelihood and prior together."""
        raise StructureError(f"{type(self).__name__} has no added_to(statistics)")

    def log_density(self, law: Any) -> Any:
        """What it adds to the objective at a law, up to a constant; at a stack, of each place."""
        raise StructureError(f"{type(self).__name__} has no log_density(law)")


@dataclass(frozen=True, eq=False)
class PseudoObservations(Prior):
    """Observations that were never made, as their statistics."""

    statistics: Any

    def added_to(self, statistics: Any) -> Any:
        return statistics + self.statistics

    def log_density(self, law: Any) -> Any:
        return law.log_likelihood(self.statistics)

    def of(self, parts: Sequence[str]) -> PseudoObservations:
        """What is known of some parts of their `Sums` alone: of the others, nothing was counted."""
        return PseudoObservations(self.statistics.only(parts))


@dataclass(frozen=True, eq=False)
class PseudoDraws(Prior):
    """Observations that were never made, as draws of a law whose statistics hold at one law alone: they are those that such draws have
    on average there. The law says `expected_beside(count, statistics)` and `mean_log_density(of)`, under another law."""

    law: Any
    count: float

    def added_to(self, statistics: Any) -> Any:
        return statistics + self.law.expected_beside(self.count, statistics)

    def log_density(self, law: Any) -> Any:
        return self.count * law.mean_log_density(self.law)


@dataclass(frozen=True, eq=False)
class PseudoCounts(Prior):
    """Counts of classes that were never seen: a Dirichlet density of their probabilities, which stand in an attribute of the law."""

    counts: np.ndarray
    probabilities: str

    def added_to(self, statistics: Any) -> Any:
        return statistics + self.counts

    def log_density(self, law: Any) -> Any:
        each = special.xlogy(self.counts, getattr(law, self.probabilities))  # none of them at probability zero add nothing
        return each.sum(axis=tuple(range(-self.counts.ndim, 0)))[()]


@dataclass(frozen=True, eq=False)
class PriorOfParts(Prior):
    """What is known of parts of the statistics, each by a prior of its own; of the others nothing is."""

    parts: dict[str, Prior]

    def added_to(self, statistics: Any) -> Any:
        own = dict(statistics.items())
        return Sums(**own | {part: prior.added_to(own[part]) for part, prior in self.parts.items()})

    def log_density(self, law: Any) -> Any:
        return sum(prior.log_density(law) for prior in self.parts.values())

    def of(self, parts: Sequence[str]) -> PriorOfParts:
        """What is known of some parts alone."""
        return PriorOfParts({part: prior for part, prior in self.parts.items() if part in parts})


def prior_of(estimator: Any) -> Prior | None:
    """What an estimator knows beforehand; statistics that a user's leaf has as its `prior` are those of pseudo-observations."""
    prior = estimator.prior
    return prior if prior is None or isinstance(prior, Prior) else PseudoObservations(prior)
