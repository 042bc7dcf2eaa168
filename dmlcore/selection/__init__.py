"""Choosing among models: criteria, sweeps, tests; and the order of components."""

from dmlcore.inference.relabel import aligned, ordered
from dmlcore.selection.assignments import entropy, labels, most_probable, responsibilities, uncertainty
from dmlcore.selection.criteria import CRITERIA, Criterion, aic, bic, free_parameters, icl
from dmlcore.selection.cross_validation import held_out
from dmlcore.selection.likelihood_ratio import LikelihoodRatio, likelihood_ratio_test
from dmlcore.selection.sweep import Failure, Selection, select

__all__ = [
    "CRITERIA",
    "Criterion",
    "Failure",
    "LikelihoodRatio",
    "Selection",
    "aic",
    "aligned",
    "bic",
    "entropy",
    "free_parameters",
    "held_out",
    "icl",
    "labels",
    "likelihood_ratio_test",
    "most_probable",
    "ordered",
    "responsibilities",
    "select",
    "uncertainty",
]
