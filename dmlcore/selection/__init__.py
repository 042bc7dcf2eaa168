"""Choosing among models: information criteria."""

from dmlcore.selection.criteria import aic, bic

__all__ = ["aic", "bic"]
