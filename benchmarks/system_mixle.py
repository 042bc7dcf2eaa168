"""mixle, with its numba extra: each of its single-machine EM steps is tried, and the fastest is measured.

`seq_estimate` is the plain vectorised step; "fused kernel" is what `optimize(engine=FUSED_NUMPY_ENGINE)` does per iteration, compiled by
numba where the model allows; `CompiledEM` is its strategy for trees of which only parts can be compiled. `optimize` chooses among these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mixle import stats
from mixle.engines import FUSED_NUMPY_ENGINE
from mixle.inference import CompiledEM, seq_estimate

from benchmarks.workloads import Workload, build

PACKAGE = "mixle"


class System:
    """One workload in mixle."""

    def __init__(self, work: Workload):
        self.rows = work.rows
        self.start = build(work.start, stats, "Distribution")
        self.estimator = build(work.estimator, stats, "Estimator")

    def encode(self) -> None:
        """Encode the rows; kept for what follows."""
        self.encoded = stats.seq_encode(self.rows, model=self.start)

    def ways(self) -> dict[str, Any]:
        """The ways to take an EM step, model to model, by name; the fastest is measured."""
        compiled = CompiledEM()
        return {
            "seq_estimate": lambda model: seq_estimate(self.encoded, self.estimator, model),
            "fused kernel": self.fused_step,
            "CompiledEM": lambda model: compiled.step(self.encoded, self.estimator, model).model,
        }

    def fused_step(self, model: Any) -> Any:
        """One EM step through the kernel that `optimize` takes with `engine=FUSED_NUMPY_ENGINE`."""
        kernel = model.kernel(engine=FUSED_NUMPY_ENGINE, estimator=self.estimator)
        accumulator = self.estimator.accumulator_factory().make()
        for n, chunk in self.encoded:
            accumulator.combine(kernel.accumulate(chunk, np.ones(n)))
        keyed: dict[str, Any] = {}
        accumulator.key_merge(keyed)
        accumulator.key_replace(keyed)
        return self.estimator.estimate(len(self.rows), accumulator.value())

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
