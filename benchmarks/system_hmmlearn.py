"""hmmlearn: the two halves of the loop inside `GaussianHMM.fit`, without its prior of variances; W6 only."""

from __future__ import annotations

from typing import Any

import numpy as np
from hmmlearn.hmm import GaussianHMM

from benchmarks.workloads import NO_SUCH_MODEL, Workload

PACKAGE = "hmmlearn"


class System:
    """One workload in hmmlearn: a hidden Markov model with Gaussian states."""

    def __init__(self, work: Workload):
        if work.start["law"] != "HiddenMarkovModel":
            raise NotImplementedError(NO_SUCH_MODEL)
        states, w, transitions = work.start["arguments"]
        self.rows = work.rows
        self.start = {
            "startprob_": np.array(w),
            "transmat_": np.array(transitions),
            "means_": np.array([s["arguments"][0] for s in states])[:, None],
            "covars_": np.array([s["arguments"][1] for s in states])[:, None],
        }

    def encode(self) -> None:
        """Rows end to end, with their lengths."""
        self.x, self.lengths = np.concatenate(self.rows)[:, None], list(map(len, self.rows))

    def ways(self) -> dict[str, Any]:
        """The ways to take an EM step, model to model, by name."""
        return {name: lambda model, name=name: self.step(model, name) for name in ("scaling", "log")}

    def model_of(self, parameters: dict[str, Any], implementation: str = "scaling") -> Any:
        """A model with these parameters, whose next fit is one step."""
        settings = {
            "n_iter": 1,
            "tol": 0.0,
            "init_params": "",
            "params": "stmc",
            "min_covar": 0.0,
            "covars_prior": 0.0,
            "covars_weight": 1.0,
        }
        model = GaussianHMM(len(parameters["startprob_"]), "diag", implementation=implementation, **settings)
        for name, value in parameters.items():
            setattr(model, name, value)
        return model

    def step(self, parameters: dict[str, Any], implementation: str) -> dict[str, Any]:
        """One step of Baum and Welch."""
        model = self.model_of(parameters, implementation).fit(self.x, self.lengths)
        return {**{name: getattr(model, name) for name in parameters}, "covars_": model.covars_[:, 0]}

    def log_likelihood(self, parameters: dict[str, Any]) -> float:
        """Log likelihood of the rows."""
        return float(self.model_of(parameters).score(self.x, self.lengths))

    @staticmethod
    def sample(law: Any) -> Any:
        """It draws arrays only."""
        raise NotImplementedError(NO_SUCH_MODEL)
