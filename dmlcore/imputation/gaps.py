"""What is gone of Gaussian vectors, given what is seen of them."""

from __future__ import annotations

from typing import Self

import numpy as np

from dmlcore.base.records import dataclass

GROUP_NUMBERS = 2**18  # numbers in matrices of the rows of a group, one a row


@dataclass(frozen=True)
class Group:
    """Rows with equally many gaps. rows `(m,)`: which. patterns `(P, g)`: coordinates that are gone. at `(m,)`: which of these each has."""

    rows: np.ndarray
    patterns: np.ndarray
    at: np.ndarray

    @property
    def gone(self) -> tuple[np.ndarray, np.ndarray]:
        """The gaps, as places in arrays of these rows `(m, 1), (m, g)`."""
        return np.arange(len(self.rows))[:, None], self.patterns[self.at]


def groups_of(gone: np.ndarray) -> list[Group]:
    """All rows. gone `(n, d)`: which coordinates of which rows are gone."""
    patterns, of = np.unique(gone, axis=0, return_inverse=True)
    of, counts = of.reshape(-1), patterns.sum(axis=1)
    groups = []
    for count in np.unique(counts).tolist():
        own = np.flatnonzero(counts == count)
        places = np.nonzero(patterns[own])[1].reshape(len(own), count)
        rows = np.flatnonzero(counts[of] == count)
        size = max(1, GROUP_NUMBERS // max(1, gone.shape[1], count**2))
        for part in np.split(rows, range(size, len(rows), size)):
            groups.append(Group(part, places, np.searchsorted(own, of[part])))
    return groups


class GivenSeen:
    """The law of rows of a group in parts: of what is seen, and of what is gone given that.

    precision `(d, d)`: of whole vectors. inverses `(P, g, g)`: of the roots of that of what is gone, by pattern. All methods take how far
    rows are from their means, with zero in the gaps `(m, d)`, and which pattern each has `(m,)`.
    """

    def __init__(self, precision: np.ndarray, patterns: np.ndarray, inverses: np.ndarray, log_factor: np.ndarray):
        self.precision, self.patterns, self.inverses, self.log_factor = precision, patterns, inverses, log_factor

    @classmethod
    def under_each(cls, precisions: np.ndarray, group: Group) -> list[Self]:
        """One for each of some precisions `(K, d, d)`."""
        patterns = group.patterns
        roots = np.linalg.cholesky(precisions[:, patterns[:, :, None], patterns[:, None, :]])
        log_factors = log_determinants(np.linalg.cholesky(precisions))[:, None] - log_determinants(roots)
        each = zip(precisions, np.linalg.inv(roots), log_factors, strict=True)
        return [cls(precision, patterns, inverses, log_factor) for precision, inverses, log_factor in each]

    def log_densities(self, apart: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Of what is seen, up to a constant `(m,)`."""
        pulled, half = self._halves(apart, at)
        return self.log_factor[at] - 0.5 * ((apart * pulled).sum(axis=1) - (half**2).sum(axis=1))

    def expected(self, apart: np.ndarray, at: np.ndarray, noise: np.ndarray | float = 0.0) -> np.ndarray:
        """How far what is gone is expected from its mean, or, with standard normal noise `(m, g)`, a draw of that `(m, g)`."""
        half = self._halves(apart, at)[1]
        return ((noise - half)[:, None, :] @ self.inverses[at])[:, 0]

    def covariance(self, at: np.ndarray) -> np.ndarray:
        """Of what is gone, summed over rows, and zero elsewhere `(d, d)`."""
        out = np.zeros_like(self.precision)
        own = np.bincount(at, minlength=len(self.patterns))[:, None, None] * (self.inverses.swapaxes(1, 2) @ self.inverses)
        np.add.at(out, (self.patterns[:, :, None], self.patterns[:, None, :]), own)
        return out

    def _halves(self, apart: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pulled = apart @ self.precision
        return pulled, (self.inverses[at] @ pulled[np.arange(len(at))[:, None], self.patterns[at]][:, :, None])[:, :, 0]


def log_determinants(roots: np.ndarray) -> np.ndarray:
    """Of triangular matrices `(..., d, d)`."""
    return np.log(np.diagonal(roots, axis1=-2, axis2=-1)).sum(axis=-1)
