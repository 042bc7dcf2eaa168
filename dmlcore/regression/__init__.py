"""Finite mixtures of regressions for practitioners: fit, choose the number of components, simulate."""

from dmlcore.regression.component_selection import ComponentSelection, select_components
from dmlcore.regression.model import MixtureRegression
from dmlcore.regression.simulate import SimulatedRegression, simulate_regression_mixture
from dmlcore.regression.summary import Summary
from dmlcore.stats.regression.penalties import Lasso, Penalty, Ridge

__all__ = [
    "ComponentSelection",
    "Lasso",
    "MixtureRegression",
    "Penalty",
    "Ridge",
    "SimulatedRegression",
    "Summary",
    "select_components",
    "simulate_regression_mixture",
]
