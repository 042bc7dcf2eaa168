"""dmlcore: compositional probabilistic models of heterogeneous records, and finite mixtures of regressions.

Nest estimators, fit them by EM, and get the same tree of distributions back. `dmlcore.stats` is the catalogue of families.
"""

from dmlcore.fitting.drivers import best_of, iterate, optimize
from dmlcore.fitting.fit import Fit, fit
from dmlcore.inference.condition import UNKNOWN, condition, marginal

__version__ = "0.1.0"

__all__ = ["UNKNOWN", "Fit", "best_of", "condition", "fit", "iterate", "marginal", "optimize"]
