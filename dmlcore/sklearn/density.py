"""`MixtureDensity`: the law of the rows of a table."""

from __future__ import annotations

from sklearn.base import DensityMixin

from dmlcore.sklearn.base import Density


class MixtureDensity(DensityMixin, Density):
    """The density of rows of a table as a mixture of records: `score_samples`, `score`, `sample`, `bic`, `aic`.

    n_components: how many, or "auto": as many as predict rows held out best (with an estimator of your own: as BIC says). estimator: of
    one component, or "auto" for one that is proposed from the table (`dmlcore.propose`); a law of single values, such as
    `GaussianEstimator()`, stands for one of every column. starts, max_iter: random starts and most EM steps, as of `dmlcore.fit`.
    random_state: a seed or a generator.
    """

    score = Density.score
