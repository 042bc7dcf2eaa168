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
    from dmlcore.inference.missing import missing_at_random
    from dmlcore.inference.pooling import pool
    from dmlcore.inference.synthesise import synthesise
    from dmlcore.inference.uncertainty import profile_interval, standard_errors
    from dmlcore.io import from_json, load, save, to_json
    from dmlcore.io.tables import write
    from dmlcore.proposal.fitting import fit
    from dmlcore.proposal.proposing import propose
    from dmlcore.proposal.result import Proposal
    from dmlcore.regression.model import MixtureRegression
    from dmlcore.reporting.report import report
    from dmlcore.selection import aic, bic, icl, likelihood_ratio_test, ordered, select
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
            "dmlcore.inference.missing": "missing_at_random",
            "dmlcore.inference.pooling": "pool",
            "dmlcore.inference.synthesise": "synthesise",
            "dmlcore.inference.uncertainty": "profile_interval standard_errors",
            "dmlcore.io": "from_json load save to_json",
            "dmlcore.io.tables": "write",
            "dmlcore.proposal.fitting": "fit",
            "dmlcore.proposal.proposing": "propose",
            "dmlcore.proposal.result": "Proposal",
            "dmlcore.regression.model": "MixtureRegression",
            "dmlcore.reporting.report": "report",
            "dmlcore.selection": "aic bic icl likelihood_ratio_test ordered select",
        },
    )

__version__ = "0.1.0"

__all__ = [
    "UNKNOWN",
    "Fit",
    "MixtureRegression",
    "OnlineEM",
    "Proposal",
    "aic",
    "best_of",
    "bic",
    "compare",
    "condition",
    "fit",
    "from_json",
    "icl",
    "impute",
    "iterate",
    "likelihood_ratio_test",
    "load",
    "marginal",
    "missing_at_random",
    "optimize",
    "ordered",
    "pool",
    "profile_interval",
    "propose",
    "read",
    "report",
    "save",
    "select",
    "standard_errors",
    "stream",
    "synthesise",
    "to_json",
    "write",
]
