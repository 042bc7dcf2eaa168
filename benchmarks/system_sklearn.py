"""scikit-learn: the two halves of the loop inside `GaussianMixture.fit`, without its ridge on covariances; W1 and W2 only."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture

from benchmarks.workloads import NO_SUCH_MODEL, Workload

PACKAGE = "scikit-learn"


class System:
    """One workload in scikit-learn: a full-covariance Gaussian mixture."""

    def __init__(self, work: Workload):
        if work.start["law"] != "Mixture" or "Gaussian" not in work.start["arguments"][0][0]["law"]:
            raise NotImplementedError(NO_SUCH_MODEL)
        components, weights = work.start["arguments"]
        self.rows = work.rows
        d = np.size(components[0]["arguments"][0])
        covariances = np.array([c["arguments"][1] for c in components], dtype=float).reshape(-1, d, d)
        self.start = GaussianMixture(len(components), reg_covar=0.0)
        self.start.weights_ = np.array(weights)
        self.start.means_ = np.array([c["arguments"][0] for c in components], dtype=float).reshape(-1, d)
        self.start.covariances_ = covariances
        self.start.precisions_cholesky_ = np.linalg.inv(np.linalg.cholesky(covariances)).transpose(0, 2, 1)

    def encode(self) -> None:
        """Rows as a matrix."""
        self.x = np.ascontiguousarray(self.rows, dtype=float).reshape(len(self.rows), -1)

    def ways(self) -> dict[str, Any]:
        """The ways to take an EM step, model to model (here the same object), by name."""
        return {"_e_step, _m_step": self.step}

    def step(self, model: Any) -> Any:
        """One pass of the loop in `fit`."""
        log_responsibilities = model._e_step(self.x)[1]
        model._m_step(self.x, log_responsibilities)
        return model

    def log_likelihood(self, model: Any) -> float:
        """Log likelihood of the rows."""
        return float(model.score_samples(self.x).sum())

    @staticmethod
    def sample(law: Any) -> Any:
        """It draws arrays only."""
        raise NotImplementedError(NO_SUCH_MODEL)
