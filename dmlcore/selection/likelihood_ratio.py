"""Is a larger model needed? The likelihood ratio test with its null distribution simulated."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import DegenerateError, DmlcoreError, ParameterError
from dmlcore.base.random import Random, generator, spawn
from dmlcore.base.records import dataclass
from dmlcore.core.arguments import takes
from dmlcore.core.estimator import Estimator
from dmlcore.core.text_tables import as_html
from dmlcore.data.encoded import encode
from dmlcore.fitting.fit import fit
from dmlcore.fitting.record import Fit


@dataclass(frozen=True, repr=False)
class LikelihoodRatio:
    """statistic: twice the gain in log likelihood of the larger model. p_value: how often data of the smaller model gain as much.

    simulated `(B,)`: the statistic on data drawn from the smaller model. null, alternative: the two fits.
    """

    statistic: float
    p_value: float
    simulated: np.ndarray
    null: Fit
    alternative: Fit

    def __repr__(self) -> str:
        quantile = f"{np.quantile(self.simulated, 0.95):.4g}" if len(self.simulated) else "none"
        return (
            f"Likelihood ratio test: statistic {self.statistic:.4g}, p = {self.p_value:.3g} "
            f"by {len(self.simulated)} data sets of the smaller model (95% of them below {quantile})"
        )

    def _repr_html_(self) -> str:
        sides = {"smaller": self.null, "larger": self.alternative}
        rows = [{"model": name, "log likelihood": one.log_likelihood, "AIC": one.aic, "BIC": one.bic} for name, one in sides.items()]
        return as_html(rows, repr(self))


@takes(fit, law="null")
def likelihood_ratio_test(
    data: Any,
    null: Estimator,
    alternative: Estimator,
    *,
    replicates: int = 99,
    starts: int | None = None,
    rng: Random = None,
    threads: int | None = None,
    **options: Any,
) -> LikelihoodRatio:
    """Tests `null` against a larger `alternative` by a parametric bootstrap (McLachlan 1987).

    Between mixtures of different numbers of components twice the log likelihood ratio has no chi-squared law; here its law under the
    fitted null model is simulated. p = (1 + number of simulated statistics >= the observed) / (1 + replicates). Both models are
    fitted to each of `replicates` data sets, the smaller from itself, the larger from `starts` random starts. options: of
    `dmlcore.fit`. Raises `DegenerateError` where most replicates fail.
    """
    if not isinstance(replicates, (int, np.integer)) or replicates < 1:
        raise ParameterError(f"replicates must be a whole number >= 1, got {replicates!r}")
    encoded = encode(data, null.layout)
    one, two, stream = spawn(generator(rng), 3)
    small = fit(encoded, null, starts=starts, rng=one, threads=threads, **options)
    large = fit(encoded, alternative, starts=starts, rng=two, threads=threads, **options)
    statistic = 2 * (large.log_likelihood - small.log_likelihood)
    simulated, failures = [], []
    for replicate in spawn(stream, int(replicates)):
        draw, starting = spawn(replicate, 2)
        rows = encode(small.model.sample(len(encoded), draw), null.layout)
        try:
            under = fit(rows, null, start=small.model, threads=threads, **options)
            over = fit(rows, alternative, starts=starts, rng=starting, threads=threads, **options)
        except (DmlcoreError, np.linalg.LinAlgError) as error:
            failures.append(error)
            continue
        simulated.append(2 * (over.log_likelihood - under.log_likelihood))
    if len(simulated) < replicates / 2:
        raise DegenerateError(f"{len(failures)} of {replicates} replicates could not be fitted; the first: {failures[0]}") from failures[0]
    as_large = sum(value >= statistic for value in simulated)
    return LikelihoodRatio(statistic, (1 + as_large) / (1 + len(simulated)), np.array(simulated), small, large)
