"""dmlcore: `Problem.expect` and `Problem.maximise` are one EM step of `fit`, with the log likelihood for nothing."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from typing import Any

from benchmarks.workloads import Workload, build
from dmlcore import stats
from dmlcore.fitting.fit import fit
from dmlcore.fitting.problem import Problem

PACKAGE = "dmlcore"


class System:
    """One workload in dmlcore."""

    def __init__(self, work: Workload, threads: int = 1):
        self.rows, self.threads = work.rows, threads
        self.start = build(work.start, stats, "Distribution")
        self.estimator = build(work.estimator, stats, "Estimator")

    def encode(self) -> None:
        """Encode the rows; kept for what follows."""
        self.encoded = stats.seq_encode(self.rows, estimator=self.estimator)

    def ways(self) -> dict[str, Any]:
        """The ways to take an EM step, model to model, by name."""
        problem = Problem.of(self.encoded, self.estimator, threads=self.threads)
        self.together = problem.stacked()
        return {"expect, maximise": steps_of(problem, self.together)}

    def log_likelihood(self, model: Any) -> float:
        """Log likelihood of the rows."""
        model = self.together.stacking.model(model) if model.of_stacks else model
        return float(stats.seq_log_density_sum(self.encoded, model)[1])

    def posteriors(self) -> Any:
        """Posteriors `(n, K)` of all encoded rows under the start model."""
        return self.start.seq_posterior(self.encoded)

    def posterior(self, row: Any) -> Any:
        """Posterior of one raw row under the start model."""
        return self.start.posterior(row)

    @staticmethod
    def sample(law: Any) -> Any:
        """A function that draws rows of a model, given how many."""
        return build(law, stats, "Distribution").sampler(seed=1).sample

    # -- what only dmlcore is asked --------------------------------------------------------------------------------------

    def first_fit(self) -> dict[str, float]:
        """Seconds of the first fit in this process, and of the same fit again: ten steps, from raw rows."""
        seconds = []
        for _ in range(2):
            began = time.perf_counter()
            fit(self.rows, self.estimator, start=self.start, max_its=10, delta=0.0)
            seconds.append(time.perf_counter() - began)
        return {"first": seconds[0], "again": seconds[1]}

    def two_threads(self, steps: int) -> dict[str, list[float]]:
        """Wall seconds of EM steps with one thread and with two: runs of ten steps, as a fit takes them, in turn."""
        self.encode()
        seconds: dict[str, list[float]] = {"one": [], "two": []}
        for _ in range(max(2, steps // 5)):
            for name, threads in (("one", 1), ("two", 2)):
                problem, model = Problem.of(self.encoded, self.estimator, threads=threads), self.start
                take = steps_of(problem, problem.stacked())
                for step in range(10):
                    began = time.perf_counter()
                    model = take(model)
                    if step:
                        seconds[name].append(time.perf_counter() - began)
        return seconds

    def peak_memory(self, steps: int) -> dict[str, float]:
        """MB of the encoded data, and the most MB resident during EM steps beyond what was after encoding (Linux)."""
        few = Problem.of(self.rows[:100], self.estimator)  # loads the kernels
        few.maximise(few.expect(self.start)[1], self.start)
        self.encode()
        self.rows = None
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what the raw rows held goes back, or later arrays would hide in it
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak starts again from here
        before = resident("VmRSS")
        problem = Problem.of(self.encoded, self.estimator)
        model, take = self.start, steps_of(problem, problem.stacked())
        for _ in range(steps):
            model = take(model)
        return {"encoded": self.encoded.nbytes / 1e6, "beyond": (resident("VmHWM") - before) / 1e3}


def steps_of(problem: Problem, together: Problem) -> Callable[[Any], Any]:
    """Steps as a fit takes them: the first from the laws of the start, the others of stacks."""

    def step(model: Any) -> Any:
        if not model.of_stacks:
            return together.stack([problem.maximise(problem.expect(model)[1], model)])
        return together.maximise(together.expect(model)[1], model)

    return step


def resident(field: str) -> float:
    """One field of this process's memory, in kB."""
    with open("/proc/self/status") as file:
        return next(float(line.split()[1]) for line in file if line.startswith(field + ":"))
