"""One call of each peer: `optimize` with its own start and threshold and enough steps; scikit-learn's `GaussianMixture`, as it comes and
with a threshold that lets it end.

Each function prepares a problem (encoding is not timed) and gives what makes the call of one seed, which gives
`(model, log likelihood, EM steps or None)`. It is run in the peer's own environment, so nothing here imports dmlcore.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.convergence.problems import Problem
from benchmarks.workloads import NO_SUCH_MODEL, build

Made = Callable[[int], tuple[Any, float, "int | None"]]
MOST = 20_000  # EM steps
TIGHT = 1e-10  # nats a row


def dmx(problem: Problem) -> Made:
    """dmx-learn: `optimize` from its random start of a tenth of the rows, until a step gains less than 1e-9."""
    from dmx import stats
    from dmx.utils.estimation import optimize

    estimator = build(problem.spec, stats, "Estimator")
    encoded = stats.seq_encode(problem.rows, estimator=estimator)

    def call(seed: int) -> tuple[Any, float, int | None]:
        lines = Lines()
        model = optimize(None, estimator, max_its=MOST, rng=np.random.RandomState(seed), enc_data=encoded, out=lines, print_iter=1)
        return model, float(stats.seq_log_density_sum(encoded, model)[1]), lines.count

    return call


def mixle(problem: Problem) -> Made:
    """mixle: the same call."""
    from mixle import stats
    from mixle.inference import optimize

    if problem.name == "keyed":
        raise NotImplementedError("it refuses sequences without a law of their length in a mixture")
    estimator = build(problem.spec, Renamed(stats, SpikeAndSlab="IntegerUniformSpike"), "Estimator")
    encoder = estimator.accumulator_factory().make().acc_to_encoder()
    encoded = stats.seq_encode(problem.rows, encoder=encoder)

    def call(seed: int) -> tuple[Any, float, int | None]:
        model = optimize(None, estimator, max_its=MOST, rng=np.random.RandomState(seed), enc_data=encoded)
        return model, float(stats.seq_log_density_sum(encoded, model)[1]), int(model.fit_provenance().iterations)

    return call


def sklearn(problem: Problem) -> Made:
    """scikit-learn, as it comes: one start from k-means, until a step gains less than 1e-3 nats a row, at most 100 steps."""
    return gaussian_mixture(problem)


def sklearn_tight(problem: Problem) -> Made:
    """The same start, without its ridge on covariances, until a step gains less than `TIGHT`."""
    return gaussian_mixture(problem, tol=TIGHT, max_iter=MOST, reg_covar=0.0)


def gaussian_mixture(problem: Problem, **settings: Any) -> Made:
    from sklearn.mixture import GaussianMixture

    components = problem.spec["arguments"][0]
    if problem.spec["law"] != "Mixture" or components[0]["law"] not in ("Gaussian", "MultivariateGaussian"):
        raise NotImplementedError(NO_SUCH_MODEL)
    x = np.asarray(problem.rows, dtype=float).reshape(len(problem.rows), -1)

    def call(seed: int) -> tuple[Any, float, int | None]:
        found = GaussianMixture(len(components), random_state=seed, **settings).fit(x)
        parts = [named("MultivariateGaussian", mu=mu, covar=c) for mu, c in zip(found.means_, found.covariances_, strict=True)]
        return named("Mixture", components=parts, w=found.weights_), float(found.score_samples(x).sum()), int(found.n_iter_)

    return call


PEERS: dict[str, tuple[str, Callable[[Problem], Made]]] = {  # method: the environment it needs, and the call
    "dmx": ("dmx", dmx),
    "mixle": ("mixle", mixle),
    "sklearn": ("sklearn", sklearn),
    "sklearn tight": ("sklearn", sklearn_tight),
}


class Lines:
    """A stream that counts the lines written to it."""

    count = 0

    def write(self, text: str) -> None:
        self.count += text.count("\n")

    def flush(self) -> None:
        """Nothing is held back."""


class Renamed:
    """A module in which some families have another name."""

    def __init__(self, module: Any, **names: str):
        self.module, self.names = module, names

    def __getattr__(self, name: str) -> Any:
        for ours, theirs in self.names.items():
            name = name.replace(ours, theirs)
        return getattr(self.module, name)


def named(kind: str, **fields: Any) -> Any:
    """A model as `judge.py` reads it."""
    return type(kind + "Distribution", (SimpleNamespace,), {})(**fields)
