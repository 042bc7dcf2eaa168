"""Which names of a node completion shows (`dir`): its parameters, and what users ask. All others are there too, for the engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

ASKED = frozenset(
    word
    for topic in (
        "density log_density seq_log_density seq_encode sample sampler estimator plot bic aic icl interval",  # of every law
        "mean variance covariance covar mode median entropy cdf quantile sf isf probabilities typical",  # what it is like
        "posterior seq_posterior component_log_density seq_component_log_density num_components w components",  # its components
        "posterior1 posterior2 posterior1_given2 posterior2_given1 marginal1 marginal2 num_components1 num_components2",
        "viterbi seq_viterbi most_probable_states seq_most_probable_states filtered_posterior seq_filtered_posterior",  # its states
        "pair_posterior predict transitions_given mean_stays long_run_shares num_states n_states num_topics n_topics num_mixtures taus",
        "classify label_posterior dmap law_given target_given mean_given sample_given weights_given",  # given the rest
        "random_effects seq_random_effects",
        "dim num_vals max_val num_docs num_factors factor_scores prob_mat state_mat cut_points intercept",  # its shape
        "to_mixture to_conditional",  # the same as another
        "summary replace label",  # of every node
    )
    for word in topic.split()
)


def shown_names(node: Any, every: Iterable[str], contract: Iterable[str]) -> list[str]:
    """Of the names of a node those that completion shows. contract: names that any node has; a family of users' own shows its others."""
    fields, known = {field for field, _ in node._fields}, set(contract)
    own = {name for cls in type(node).__mro__ if cls.__module__.partition(".")[0] != "dmlcore" for name in vars(cls)} - known
    return [name for name in every if name.startswith("_") or name in fields or name in ASKED or name in own]
