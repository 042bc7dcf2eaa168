"""Fitting functions under the path that users of DMLearn know."""

from dmlcore.data.partition import k_fold_split_index, partition_data, partition_data_index
from dmlcore.fitting.drivers import best_of, iterate, optimize
from dmlcore.inference.divergence import empirical_kl_divergence

__all__ = ["best_of", "empirical_kl_divergence", "iterate", "k_fold_split_index", "optimize", "partition_data", "partition_data_index"]
