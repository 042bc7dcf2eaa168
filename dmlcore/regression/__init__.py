"""Finite mixtures of regressions for practitioners: fit, choose the number of components, simulate."""

from dmlcore.regression.component_selection import ComponentSelection, select_components
from dmlcore.regression.model import MixtureRegression
from dmlcore.regression.paths import PenaltyPath, penalty_path
from dmlcore.regression.simulate import SimulatedRegression, simulate_regression_mixture
from dmlcore.regression.summary import Summary
from dmlcore.stats.regression.penalties import ElasticNet, Lasso, Penalty, Ridge

__all__ = [
    "ComponentSelection",
    "ElasticNet",
    "Lasso",
    "MixtureRegression",
    "Penalty",
    "PenaltyPath",
    "Ridge",
    "SimulatedRegression",
    "Summary",
    "penalty_path",
    "select_components",
    "simulate_regression_mixture",
]
