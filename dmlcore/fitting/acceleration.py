"""Steps longer than EM's own, from the last few: Anderson's acceleration, made safe at saddles.

Near a point EM is linear: it multiplies deviations by a matrix J. From the last few points x and their EM steps M(x), J is known on
the span of the differences of x. There the way to the fixed point is (I - J)^-1 (M(x) - x) (Anderson 1965; for EM, Henderson and
Varadhan 2019); elsewhere the EM step is kept. An eigenvalue above one belongs to a direction in which EM moves away from a saddle: the
fixed point lies behind, and the step is taken forward instead, by as much (the saddle-free rule of Dauphin et al. 2014). No direction
is stretched more than `limit` times, and the limit follows success. Who calls this checks that the objective rises, and goes back to
the EM step where it does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MEMORY = 5  # differences of points that are kept
LIMIT = 4.0  # at first, how many times an EM step may be stretched
GROWTH = 4.0  # by how much that grows where it was reached with success, and shrinks on failure
SHORTEST_STEP, LONGEST_STEP = 1.5, 1e8
ALIKE = 1e-4  # a difference this near the span of the others tells nothing new


class Extrapolation:
    """Proposes points beyond EM's. `limited` says whether the last proposal was cut short by the limit."""

    def __init__(self) -> None:
        self.limit, self.limited = LIMIT, False
        self.points: list[np.ndarray] = []
        self.steps: list[np.ndarray] = []

    def forget(self) -> None:
        """Drops what is known of J: the model changed its shape, or lies on a boundary."""
        self.points, self.steps = [], []

    def memory(self) -> dict[str, Any]:
        """What goes on to the next step, but for the last point, which it adds again."""
        return {"limit": self.limit, "points": [x.tolist() for x in self.points[:-1]], "steps": [x.tolist() for x in self.steps[:-1]]}

    def remember(self, memory: dict[str, Any]) -> None:
        """Takes up what another left."""
        self.limit, self.points, self.steps = memory["limit"], *(list(map(np.array, memory[field])) for field in ("points", "steps"))

    def add(self, x: np.ndarray, step: np.ndarray) -> None:
        """A point and where EM leads from it, both as flat parameters."""
        if self.points and len(self.points[-1]) != len(x):
            self.forget()
        self.points = [*self.points[-MEMORY:], x]
        self.steps = [*self.steps[-MEMORY:], step]

    def propose(self) -> np.ndarray | None:
        """A point beyond the last EM step, or None before anything is known."""
        self.limited = False
        x, residual = self.points[-1], self.steps[-1] - self.points[-1]
        dx = np.diff(self.points[::-1], axis=0).T[:, : len(x)]  # the latest differences first
        dm = np.diff(self.steps[::-1], axis=0).T[:, : len(x)]
        sizes = np.linalg.norm(dx, axis=0) if dx.size else np.zeros(1)
        if not sizes.all():
            return None
        q, r = np.linalg.qr(dx / sizes)
        useful = np.cumprod(np.abs(np.diag(r)) > ALIKE).astype(bool)
        q, r, dm = q[:, useful], r[useful][:, useful], (dm / sizes)[:, useful]
        jq = np.linalg.solve(r.T, dm.T).T
        values, vectors = np.linalg.eig(q.T @ jq)
        away = np.where(values.real < 1, 1 - values, np.abs(1 - values))
        small = np.abs(away) < 1 / self.limit
        self.limited = bool(small.any())
        along = q.T @ residual
        try:
            inside = (vectors @ (np.linalg.solve(vectors, along.astype(complex)) / np.where(small, 1 / self.limit, away))).real
        except np.linalg.LinAlgError:
            return None
        out = x + residual + q @ (inside - along) + (jq - q @ (q.T @ jq)) @ inside
        return out if np.isfinite(out).all() else None

    def succeeded(self) -> None:
        """The objective rose at the last proposal."""
        if self.limited:
            self.limit = min(self.limit * GROWTH, LONGEST_STEP)

    def failed(self) -> None:
        """It did not: EM is not yet as linear as that."""
        self.limit = max(self.limit / GROWTH, SHORTEST_STEP)
        self.points, self.steps = self.points[-1:], self.steps[-1:]
