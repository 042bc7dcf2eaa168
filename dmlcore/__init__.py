"""dmlcore: compositional probabilistic models of heterogeneous records, and finite mixtures of regressions.

Nest estimators, fit them by EM, and get the same tree of distributions back. `dmlcore.stats` is the catalogue of families.
"""

from typing import TYPE_CHECKING

from dmlcore.base.lazy import lazily

if TYPE_CHECKING:
    from dmlcore.data.files import read
    from dmlcore.engines.stream import stream
    from dmlcore.fitting.drivers import best_of, iterate, optimize
    from dmlcore.fitting.online import OnlineEM
    from dmlcore.fitting.record import Fit
    from dmlcore.imputation.imputing import impute
    from dmlcore.inference.compare import compare
    from dmlcore.inference.condition import UNKNOWN, condition, marginal
    from dmlcore.inference.expectation import expected
    from dmlcore.inference.information import most_informative, mutual_information
    from dmlcore.inference.latent_classes import goodness_of_fit
    from dmlcore.inference.missing import missing_at_random
    from dmlcore.inference.pooling import pool
    from dmlcore.inference.probability import probability
    from dmlcore.inference.surprise import Surprise
    from dmlcore.inference.synthesise import synthesise
    from dmlcore.inference.uncertainty import profile_interval, standard_errors
    from dmlcore.io import from_json, load, save, to_json
    from dmlcore.io.tables import write
    from dmlcore.proposal.fitting import fit
    from dmlcore.proposal.proposing import propose
    from dmlcore.proposal.result import Proposal
    from dmlcore.regression.model import MixtureRegression
    from dmlcore.regression.three_step import three_step
    from dmlcore.reporting.report import report
    from dmlcore.selection import aic, bic, icl, labels, likelihood_ratio_test, ordered, select
    from dmlcore.stats.latent.events import Between
else:
    __getattr__ = lazily(
        __name__,
        {
            "dmlcore.data.files": "read",
            "dmlcore.engines.stream": "stream",
            "dmlcore.fitting.drivers": "best_of iterate optimize",
            "dmlcore.fitting.online": "OnlineEM",
            "dmlcore.fitting.record": "Fit",
            "dmlcore.imputation.imputing": "impute",
            "dmlcore.inference.compare": "compare",
            "dmlcore.inference.condition": "UNKNOWN condition marginal",
            "dmlcore.inference.expectation": "expected",
            "dmlcore.inference.information": "most_informative mutual_information",
            "dmlcore.inference.latent_classes": "goodness_of_fit",
            "dmlcore.inference.missing": "missing_at_random",
            "dmlcore.inference.pooling": "pool",
            "dmlcore.inference.probability": "probability",
            "dmlcore.inference.surprise": "Surprise",
            "dmlcore.inference.synthesise": "synthesise",
            "dmlcore.regression.three_step": "three_step",
            "dmlcore.inference.uncertainty": "profile_interval standard_errors",
            "dmlcore.io": "from_json load save to_json",
            "dmlcore.io.tables": "write",
            "dmlcore.proposal.fitting": "fit",
            "dmlcore.proposal.proposing": "propose",
            "dmlcore.proposal.result": "Proposal",
            "dmlcore.regression.model": "MixtureRegression",
            "dmlcore.reporting.report": "report",
            "dmlcore.selection": "aic bic icl labels likelihood_ratio_test ordered select",
            "dmlcore.stats.latent.events": "Between",
        },
    )

__version__ = "0.1.0"

__all__ = [
    "UNKNOWN",
    "Between",
    "Fit",
    "MixtureRegression",
    "OnlineEM",
    "Proposal",
    "Surprise",
    "aic",
    "best_of",
    "bic",
    "compare",
    "condition",
    "expected",
    "fit",
    "from_json",
    "goodness_of_fit",
    "icl",
    "impute",
    "iterate",
    "labels",
    "likelihood_ratio_test",
    "load",
    "marginal",
    "missing_at_random",
    "most_informative",
    "mutual_information",
    "optimize",
    "ordered",
    "pool",
    "probability",
    "profile_interval",
    "propose",
    "read",
    "report",
    "save",
    "select",
    "standard_errors",
    "stream",
    "synthesise",
    "three_step",
    "to_json",
    "write",
]
