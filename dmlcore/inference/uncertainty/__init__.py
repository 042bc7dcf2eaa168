"""How sure a fit is of its parameters: standard errors, intervals, bootstrap, profile likelihood."""

from dmlcore.inference.uncertainty.estimate import standard_errors
from dmlcore.inference.uncertainty.profile import profile_interval
from dmlcore.inference.uncertainty.result import StandardErrors

__all__ = ["StandardErrors", "profile_interval", "standard_errors"]
