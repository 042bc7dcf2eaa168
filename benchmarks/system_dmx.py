"""dmx-learn: `seq_estimate` on encoded data is one EM step. (Its dedicated GaussianMixture is slower than the general one on W1, and
reaches another likelihood, so it is not tried.)"""

from __future__ import annotations

from typing import Any

from dmx import stats

from benchmarks.workloads import Workload, build

PACKAGE = "dmx-learn"


class System:
    """One workload in dmx-learn."""

    def __init__(self, work: Workload):
        self.rows = work.rows
        self.start = build(work.start, stats, "Distribution")
        self.estimator = build(work.estimator, stats, "Estimator")

    def encode(self) -> None:
        """Encode the rows; kept for what follows."""
        self.encoded = stats.seq_encode(self.rows, estimator=self.estimator)

    def ways(self) -> dict[str, Any]:
        """The ways to take an EM step, model to model, by name; the fastest is measured."""
        return {"seq_estimate": lambda model: stats.seq_estimate(self.encoded, self.estimator, model)}

    def log_likelihood(self, model: Any) -> float:
        """Log likelihood of the rows."""
        return float(stats.seq_log_density_sum(self.encoded, model)[1])

    def posteriors(self) -> Any:
        """Posteriors `(n, K)` of all encoded rows under the start model."""
        return self.start.seq_posterior(self.encoded[0][1])

    def posterior(self, row: Any) -> Any:
        """Posterior of one raw row under the start model."""
        return self.start.posterior(row)

    @staticmethod
    def sample(law: Any) -> Any:
        """A function that draws rows of a model, given how many."""
        return build(law, stats, "Distribution").sampler(seed=1).sample
