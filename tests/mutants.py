"""Planted bugs, to show that the suite can fail: `python -m tests.mutants` plants each in a copy and runs the tests that must see it.

Prints a table, and exits with 1 if a bug survives. `python -m tests.mutants NAME ..` plants some of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DRAWS = "tests/test_conformance_distributions.py"
BAD = "tests/test_bad_input.py"
FITS = "tests/test_conformance_fitting.py"
DRIVERS = "tests/fitting/test_drivers.py"
IMPUTATION = "tests/inference/test_impute.py"
SELECTION = "tests/selection/test_selection.py"
SYNTHESIS = "tests/inference/test_synthesise.py"


@dataclass(frozen=True)
class Mutant:
    """One planted bug: in `file`, `old` becomes `new`; `tests` (pytest arguments) must go red."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def mutant(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, f"dmlcore/{file}", old, new, tests)


MUTANTS = [
    mutant(
        "a constant off by log 2 pi",
        "stats/univariate/gaussian.py",
        "-0.5 * (LOG_2PI + np.log(self.sigma2))",
        "-0.5 * np.log(self.sigma2)",
        DRAWS,
        "-k",
        "sums_to_one and gaussian",
    ),
    mutant(
        "log x! dropped",
        "stats/univariate/poisson.py",
        "return special.xlogy(x, lam) - lam - special.gammaln(x + 1.0)",
        "return special.xlogy(x, lam) - lam",
        "tests/stats/test_leaves.py",
        "-k",
        "agree_with_scipy and Poisson",
    ),
    mutant(
        "the Jacobian of a logarithm dropped",
        "stats/univariate/log_gaussian.py",
        "return constant - scale * (log - self.mu) ** 2 - log",
        "return constant - scale * (log - self.mu) ** 2",
        DRAWS,
        "-k",
        "one_at_a_time and log and gaussian",
    ),
    mutant(
        "values off the support reach the formula",
        "core/distribution.py",
        "if support is None or support.covers(column):\n            return leaf.log_densities",
        "if True:\n            return leaf.log_densities",
        DRAWS,
        "-k",
        "off_the_support and weibull",
    ),
    mutant(
        "the plain path of a mixture dropped",
        "stats/latent/mixture.py",
        "if least > SMALL:",
        "if True:",
        DRAWS,
        "-k",
        "underflows",
    ),
    mutant(
        "draws grouped by component",
        "core/distribution.py",
        "return np.concatenate(parts)[order]",
        "return np.concatenate(parts)",
        DRAWS,
        "-k",
        "exchangeable and structured",
    ),
    mutant(
        "structured draws grouped by component",
        "core/distribution.py",
        "return flat[order].tolist()",
        "return flat.tolist()",
        DRAWS,
        "-k",
        "exchangeable and sequences",
    ),
    mutant(
        "a sampler that starts anew on each call",
        "core/distribution.py",
        "draws = drawn(self.distribution, size, self.rng)",
        "draws = drawn(self.distribution, size, np.random.default_rng(0))",
        DRAWS,
        "-k",
        "same_state and gaussian",
    ),
    mutant(
        "the missing mass kept",
        "stats/combinators/optional.py",
        "return math.log(self.p) if self.p > 0 else -math.inf, math.log1p(-self.p) if self.p < 1 else -math.inf",
        "return math.log(self.p) if self.p > 0 else -math.inf, 0.0",
        DRAWS,
        "-k",
        "sums_to_one and optional",
    ),
    mutant(
        "missing rows counted as present",
        "stats/combinators/optional.py",
        "there, missing = np.ascontiguousarray(weights[..., present]), weights[..., gone].sum(axis=-1)",
        "there, missing = np.ascontiguousarray(weights[..., present]), 0 * weights[..., gone].sum(axis=-1)",
        BAD,
        "-k",
        "all_missing_with_a_prior",
    ),
    mutant(
        "an off-by-one lag: pairs reach into the next sequence",
        "data/sequences.py",
        "inner[starts[(starts > 0) & (starts < len(codes))] - 1] = False",
        "inner[starts[(starts > 0) & (starts < len(codes))]] = False",
        DRAWS,
        "-k",
        "one_at_a_time and markov",
    ),
    mutant(
        "offsets of a block not moved",
        "data/columns.py",
        "return Ragged(offsets - offsets[0], flat",
        "return Ragged(offsets, flat",
        DRAWS,
        "-k",
        "one_at_a_time and sequence",
    ),
    mutant(
        "an unseen label reads another's probability",
        "base/labels.py",
        "return out if complete else np.where(positions >= 0, out, default)",
        "return out",
        BAD,
        "-k",
        "unseen",
    ),
    mutant(
        "a dropped weight",
        "stats/univariate/counting.py",
        "x=weights @ x.astype(np.float64))",
        "x=0.0 * weights.sum(axis=-1) + x.sum())",
        FITS,
        "-k",
        "whole_number_weight and poisson",
    ),
    mutant(
        "a wrong merge of second moments",
        "core/statistics.py",
        "return square * beside(self.count * share, square)",
        "return square * beside(share, square)",
        FITS,
        "-k",
        "statistics_add and gaussian",
    ),
    mutant(
        "sums over blocks lose the last labels",
        "core/statistics.py",
        "values: Any = self.values.union(other.values)",
        "values: Any = self.values",
        FITS,
        "-k",
        "statistics_add and (markov or edit or sparse)",
    ),
    mutant(
        "parameters counted from the estimate",
        "core/flat.py",
        "return sum(domain.free(value) for",
        "return sum(len(domain.flatten(value)) for",
        "tests/selection/test_selection.py",
        "-k",
        "every_estimate or what_counts",
    ),
    mutant(
        "an unpooled key",
        "core/keys.py",
        "sums[slot] = sums[slot] + one if slot in sums else one",
        "sums[slot] = one",
        FITS,
        "-k",
        "tied_is_pooled",
    ),
    mutant(
        "a prior counted once per node",
        "core/keys.py",
        "return tuple(part for part, group in self.own[place].items() if group in (None, place))",
        "return tuple(self.own[place])",
        FITS,
        "-k",
        "counted_once_per_key",
    ),
    mutant(
        "an absolute floor",
        "stats/univariate/moments.py",
        "floor=VARIANCE_FLOOR * variance_of(statistics), prior",
        "floor=1e-6, prior",
        FITS,
        "-k",
        "fits_follow_the_scale and gaussian",
    ),
    mutant(
        "the last start returned instead of the best",
        "fitting/drivers.py",
        "if best is None or found[:2] > best[:2]:",
        "if True:",
        DRIVERS,
        "-k",
        "restarts",
    ),
    mutant(
        "the iteration limit called converged",
        "fitting/run.py",
        'return "iteration limit", f"stopped',
        'return "converged", f"stopped',
        FITS,
        "-k",
        "honest",
    ),
    mutant(
        "weights of a block read from the first rows",
        "fitting/rows.py",
        "self.each_weight[start:stop]",
        "self.each_weight[: stop - start]",
        FITS,
        "-k",
        "any_chunking and gaussian",
    ),
    mutant(
        "joint states linked the wrong way round",
        "stats/latent/joint_mixture.py",
        "z // self.num_components2), (self.components2, z % self.num_components2)",
        "z % self.num_components2), (self.components2, z // self.num_components2)",
        DRAWS,
        "-k",
        "joint",
    ),
    mutant(
        "lengths of a hierarchical mixture counted twice",
        "stats/latent/hierarchical_mixture.py",
        "return log + length, HierarchicalTape(",
        "return log + 2 * length, HierarchicalTape(",
        DRAWS,
        "-k",
        "definition and hierarchical",
    ),
    mutant(
        "absent members of a set not scored",
        "stats/sequences/bernoulli_set.py",
        "log += across(absent)",
        "log += 0.0",
        DRAWS,
        "-k",
        "definition and set",
    ),
    mutant(
        "the wrong row named behind missing ones",
        "data/layouts.py",
        "error.index, error.path = int(present[error.index]), f",
        "error.index, error.path = int(error.index), f",
        BAD,
        "-k",
        "corrupt",
    ),
    mutant(
        "a field path lost",
        "data/record_layouts.py",
        "{self.place(j)}{error.path if self.names is None or has_inner_places(layout) else ''}\"",
        '{self.place(j)}"',
        BAD,
        "-k",
        "corrupt",
    ),
    mutant(
        "NaN weights accepted",
        "data/encoded.py",
        "wrong = ~((w >= 0) & (w < np.inf))",
        "wrong = (w < 0) | (w == np.inf)",
        BAD,
        "-k",
        "weights",
    ),
    mutant(
        "a start that draws distinct values",
        "fitting/rows.py",
        "return rng.binomial(self.copies, p) / np.maximum(self.copies, 1)",
        "return (rng.random(len(self.copies)) < p).astype(np.float64)",
        "tests/test_dmlearn.py",
        "-k",
        "draws_rows",
    ),
    mutant(
        "an impossible row passed over",
        "fitting/problem.py",
        "if not log.min() > -np.inf:",
        "if False:",
        BAD,
        "-k",
        "impossible",
    ),
    mutant(
        "tuples saved as lists",
        "io/writing.py",
        'return {"tuple": self._all(value, where)}',
        "return self._all(value, where)",
        "tests/io/test_json.py",
    ),
    mutant(
        "threads that add in the order they finish",
        "base/threads.py",
        "yield waiting.popleft().result()\n        while waiting:",
        "yield waiting.pop().result()\n        while waiting:",
        FITS,
        "-k",
        "threads",
    ),
    mutant(
        "hard EM gives rows to the least probable class",
        "core/mixing.py",
        "one_of(joint.argmax(axis=-2), joint.shape[-2])",
        "one_of(joint.argmin(axis=-2), joint.shape[-2])",
        "tests/fitting/test_assignment.py",
    ),
    mutant(
        "classes are drawn by block, not by row",
        "core/mixing.py",
        "u = self.rng.random(log.shape)[..., None, :]",
        "u = self.rng.random()",
        "tests/fitting/test_assignment.py",
    ),
    mutant(
        "draws pass the bounds by a step of rounding",
        "inference/synthesise.py",
        "return np.clip(np.round(values, decimals(real, 1e-6 if single else 1e-12)), low, high)",
        "return np.round(values, decimals(real, 1e-6 if single else 1e-12))",
        SYNTHESIS,
        "-k",
        "bounds",
    ),
    mutant(
        "values go missing twice: whether the model hides them is read off the draws",
        "inference/synthesise.py",
        "if j not in known and not told[j] and absent.any():",
        "if j not in known and not any(map(is_missing, as_values(drawn[j]))) and absent.any():",
        SYNTHESIS,
        "-k",
        "share",
    ),
    mutant(
        "an accelerated point moves what EM leaves alone",
        "fitting/ascent.py",
        "beyond = np.where(here == there, there, beyond)",
        "beyond = np.asarray(beyond)",
        "tests/fitting/test_search.py",
        "-k",
        "bits",
    ),
    mutant(
        "what is given is rounded and cut to the bounds",
        "inference/synthesise.py",
        "if j not in known and isinstance(_inner(read.layout), (Real, Count)):",
        "if isinstance(_inner(read.layout), (Real, Count)):",
        SYNTHESIS,
        "-k",
        "a_frame_like",
    ),
    mutant(
        "vectors are compared by their lengths",
        "inference/compare.py",
        "if len(keys) > 1 or keys == {0}:",
        "if True:",
        SYNTHESIS,
        "-k",
        "vectors_are_compared",
    ),
    mutant(
        "dependence takes missing numbers for numbers",
        "inference/compare.py",
        "both = ~(np.isnan(x) | np.isnan(y))",
        "both = ~(np.isnan(x) & np.isnan(y))",
        SYNTHESIS,
        "-k",
        "without_gaps",
    ),
    mutant(
        "ties of scores are left out of a p-value",
        "inference/compare.py",
        "(total + 1 - (ties**3",
        "(total + 1 - 0 * (ties**3",
        SYNTHESIS,
        "-k",
        "area",
    ),
    mutant(
        "a set is filled as in the least probable component",
        "inference/impute.py",
        "best = np.argmax(weights, axis=0)",
        "best = np.argmin(weights, axis=0)",
        IMPUTATION,
        "-k",
        "typical",
    ),
    mutant(
        "all copies are drawn from one model",
        "inference/impute.py",
        "laws[i % len(laws)].draw",
        "laws[0].draw",
        "tests/inference/test_calibration.py",
        "-k",
        "pooled",
    ),
    mutant(
        "rows have equal weights when a model is drawn",
        "inference/uncertainty/bootstrap.py",
        "share = problem.rows.each_weight\n    drawn",
        "share = np.ones(len(problem.encoded))\n    drawn",
        IMPUTATION,
        "-k",
        "what_copies",
    ),
    mutant(
        "pooled degrees of freedom know no number of rows",
        "inference/pooling.py",
        "freedoms = 1 / (missing**2 / (m - 1) + known)",
        "freedoms = (m - 1) / missing**2",
        IMPUTATION,
        "-k",
        "freedom",
    ),
    mutant(
        "a fixed Optional keeps its missing values when values are asked for",
        "inference/condition.py",
        "    if has(law, HoldsFixed):\n        return law.replace(dist=always_there(law.held_law()))\n",
        "",
        "tests/inference/test_condition.py",
        "-k",
        "optional",
    ),
    mutant(
        "a sweep counts rows without their weights",
        "fitting/rows.py",
        "return float(self.each_weight.sum())",
        "return float(self.count)",
        SELECTION,
        "-k",
        "weights_as_rows",
    ),
    mutant(
        "held-out rows count without their weights",
        "selection/cross_validation.py",
        "mean = float(w[there] @ logs[there] / w.sum())",
        "mean = float(logs[there].mean())",
        SELECTION,
        "-k",
        "held_out",
    ),
    mutant(
        "components are matched by the largest numbers",
        "inference/relabel.py",
        "a, b = (rows / np.where(spread > 0, spread, 1.0) for rows in (a, b))",
        "a, b = (rows * 1.0 for rows in (a, b))",
        SELECTION,
        "-k",
        "aligning",
    ),
    mutant(
        "components of different families are matched",
        "inference/relabel.py",
        "cost += UNLIKE",
        "cost += 0 * UNLIKE",
        SELECTION,
        "-k",
        "aligning",
    ),
    mutant(
        "shared coefficients are solved as if nothing else could move",
        "stats/regression/glm/scoring.py",
        "left = matrix[..., others[:, None], others] - turned @ follows[..., :-1]",
        "left = 10 * matrix[..., others[:, None], others] - turned @ follows[..., :-1]",
        "tests/stats/test_shared_coefficients.py",
        "-k",
        "threads or weighted or two_levels",
    ),
    mutant(
        "a shared variance is that of the last regression alone",
        "stats/regression/glm/common_parameters.py",
        "sums[key] = sums[key] + own if key in sums else own",
        "sums[key] = own",
        "tests/stats/test_shared_coefficients.py",
    ),
    mutant(
        "variances are left out of a shared slope",
        "stats/regression/linear_regression.py",
        "return 1.0 if law is None else 1.0 / law.sigma2",
        "return 1.0",
        "tests/stats/test_shared_coefficients.py",
        "-k",
        "unlike_variances",
    ),
    mutant(
        "the slope of a shared parameter is that of its last member",
        "core/together.py",
        "gradient[:, where] += (8",
        "gradient[:, where] = (8",
        "tests/core/test_tied_and_held.py",
        "-k",
        "share_their_dispersion",
    ),
    mutant(
        "missing labels are labels",
        "datasets/penguins.py",
        'None if text == "NA" else kind(text)',
        'None if text == "NA" and kind is not str else kind(text)',
        "tests/datasets/test_datasets.py",
    ),
    mutant(
        "rows are counted anew in each part of a file",
        "engines/stream.py",
        "first = first if where == before else 0",
        "first = 0",
        "tests/engines/test_stream.py",
        "-k",
        "rows_are_counted",
    ),
    mutant(
        "a cache is taken for that of other weights",
        "engines/kept.py",
        '"weights": repr(stream.weights),',
        '"weights": "",',
        "tests/engines/test_stream.py",
        "-k",
        "cache_without_weights",
    ),
    mutant(
        "a component that there is not is taken for a start",
        "fitting/starts.py",
        "| ~(given < K)",
        "| ~(given <= K)",
        "tests/fitting/test_search.py",
        "-k",
        "bad_starts",
    ),
    mutant(
        "the last point is remembered twice by who goes on",
        "fitting/acceleration.py",
        '"points": [x.tolist() for x in self.points[:-1]], "steps": [x.tolist() for x in self.steps[:-1]]',
        '"points": [x.tolist() for x in self.points], "steps": [x.tolist() for x in self.steps]',
        "tests/fitting/test_checkpoint.py",
        "-k",
        "killed_at_any_step",
    ),
    mutant(
        "a residual stays what it was when its cell is drawn",
        "imputation/chain.py",
        "self.apart[rows, j] += new - self.y[rows, j]",
        "self.apart[rows, j] += 0.0 * new",
        "tests/imputation/test_impute_table.py",
        "-k",
        "each_given_the_others",
    ),
    mutant(
        "the Jacobian is dropped when powers are compared",
        "imputation/coordinates.py",
        "(self.power - 1) * np.log(there).sum() + len(there)",
        "len(there)",
        "tests/imputation/test_impute_table.py",
        "-k",
        "numbers_and_orders",
    ),
    mutant(
        "donors at an end of the range count several times",
        "imputation/matching.py",
        "apart[:, 1:][near[:, 1:] == near[:, :-1]] = np.inf",
        "apart[:, 1:][near[:, 1:] < near[:, :-1]] = np.inf",
        "tests/imputation/test_impute_table.py",
        "-k",
        "matching",
    ),
    mutant(
        "a shared node counts as one place however many it has",
        "io/reading.py",
        "self.shared[number] = node, self.places - before",
        "self.shared[number] = node, 1",
        "tests/io/test_io.py",
        "-k",
        "tree_of_shared_nodes",
    ),
    mutant(
        "the open side of an interval is lost in a file",
        "io/label_forms.py",
        "each(label.right), label.closed]",
        'each(label.right), "right"]',
        "tests/io/test_json.py",
        "-k",
        "less_usual_types",
    ),
    mutant(
        "a lone missing cell is an empty line",
        "io/tables.py",
        "if table.num_columns == 1 and table.column(0).null_count:",
        "if table.num_columns == 0 and table.column(0).null_count:",
        "tests/io/test_files.py",
        "-k",
        "gaps_in_the_only",
    ),
    mutant(
        "components are drawn without their weights",
        "plot/density.py",
        "curve = weight * np.exp(part.seq_log_density(grid))",
        "curve = np.exp(part.seq_log_density(grid))",
        "tests/plot/test_plots.py",
        "-k",
        "density_draws",
    ),
    mutant(
        "ellipses are too small by a root of two",
        "plot/contours.py",
        "np.sqrt(-2 * np.log1p(-share))",
        "np.sqrt(-np.log1p(-share))",
        "tests/plot/test_plots.py",
        "-k",
        "contours_hold",
    ),
    mutant(
        "families are judged by the cells that they were fitted to",
        "proposal/judging.py",
        "for seen, other in ((0, 1), (1, 0)):",
        "for seen, other in ((0, 0), (1, 1)):",
        "tests/proposal/test_proposal.py",
        "-k",
        "inside_a_mixture",
    ),
    mutant(
        "a degree of freedom too many",
        "proposal/missingness.py",
        "special.chdtrc(table.shape[1] - 1, ratio)",
        "special.chdtrc(table.shape[1], ratio)",
        "tests/proposal/test_proposal.py",
        "-k",
        "chance_of_an",
    ),
    mutant(
        "classification errors are counted without weights",
        "regression/three_step.py",
        "(posterior * weights[:, None]).T @ assigned",
        "posterior.T @ assigned",
        "tests/regression/test_three_step.py",
        "-k",
        "weights_count_as_rows",
    ),
    mutant(
        "an intercept is moved back the wrong way",
        "regression/three_step.py",
        "back[0, 1:] = -centre / spread",
        "back[0, 1:] = centre / spread",
        "tests/regression/test_three_step.py",
        "-k",
        "as_stepmix and covariate",
    ),
    mutant(
        "estimators stay in the order in which components were",
        "regression/ordering.py",
        "fitted_by.estimators[k] for k in order",
        "fitted_by.estimators[k] for k in range(len(order))",
        "tests/regression/test_sharing.py",
        "-k",
        "go_with_their",
    ),
    mutant(
        "the ends of an interval stay where a scale has turned them",
        "regression/summary.py",
        "low, high = sorted(family.scale",
        "low, high = (family.scale",
        "tests/regression/test_answers.py",
        "-k",
        "upside_up",
    ),
    mutant(
        "rows without the cell are left out of what it tells",
        "reporting/profiles.py",
        ".sum() / len(subject.sample)",
        ".sum() / len(rows)",
        "tests/reporting/test_report.py",
        "-k",
        "told_nothing",
    ),
    mutant(
        "the entropy of rows is summed without their weights",
        "selection/criteria.py",
        "return float(weights[there] @ each)",
        "return float(each.sum())",
        SELECTION,
        "-k",
        "weights_count_as_rows",
    ),
    mutant(
        "replicates that failed count as smaller",
        "selection/likelihood_ratio.py",
        "(1 + as_large) / (1 + len(simulated))",
        "(1 + as_large) / (1 + replicates)",
        SELECTION,
        "-k",
        "say_nothing",
    ),
    mutant(
        "patience is one candidate too long",
        "selection/sweep.py",
        "len(tried) - 1 - best >= patience):",
        "len(tried) - 1 - best > patience):",
        SELECTION,
        "-k",
        "patience_stops",
    ),
    mutant(
        "a score takes all rows alike",
        "sklearn/base.py",
        "np.average(self.score_samples(X), weights=sample_weight)",
        "np.average(self.score_samples(X))",
        "tests/scikit_learn/test_scikit_learn.py",
        "-k",
        "clusters_are_those",
    ),
    mutant(
        "a spike has the slab's share of the prior too",
        "stats/univariate/spike_and_slab.py",
        "self.count * (law.p - law._slab)",
        "self.count * law.p",
        "tests/test_dmlearn.py",
        "-k",
        "pseudo_counts",
    ),
    mutant(
        "degrees of freedom of the known part are left out",
        "stats/multivariate/multivariate_student_t.py",
        "(self.df + squares) / (self.df + known.k)",
        "(self.df + squares) / self.df",
        "tests/stats/test_heavy_tails.py",
        "-k",
        "given_others",
    ),
    mutant(
        "the upper end of an interval of counts is left out",
        "stats/latent/censored.py",
        ".astype(np.int64) + 1 - least",
        ".astype(np.int64) - least",
        "tests/stats/test_censored.py",
        "-k",
        "counts_in_classes",
    ),
    mutant(
        "the sign of the curvature between neighbouring cut points",
        "stats/regression/ordinal_regression.py",
        "information[..., c, :, c - 1, :] -= both\n                information[..., c - 1, :, c, :] -= both",
        "information[..., c, :, c - 1, :] += both\n                information[..., c - 1, :, c, :] += both",
        "tests/stats/test_ordinal_regression.py",
        "-k",
        "newtons_steps",
    ),
    mutant(
        "draws remember the last numbers in the wrong order",
        "stats/sequences/integer_markov_chain.py",
        "for back in range(self.lag, 0, -1):",
        "for back in range(1, self.lag + 1):",
        "tests/stats/test_integer_markov_chain.py",
        "-k",
        "lag_two",
    ),
    mutant(
        "pseudo-edits go to the wrong labels",
        "stats/sequences/bernoulli_edit.py",
        "count * four[:, 1:].T.ravel()",
        "count * four[:, 1:].ravel()",
        "tests/stats/test_bernoulli_edit.py",
        "-k",
        "estimates_are_shares",
    ),
    mutant(
        "dates beside times make times dates",
        "stats/combinators/times.py",
        "return KindOfTimes(TIMES)",
        "return KindOfTimes(DATES)",
        "tests/stats/test_times.py",
        "-k",
        "in_one_part",
    ),
    mutant(
        "values are joined the wrong way round",
        "utils/optsutil.py",
        "f(out[key], value)",
        "f(value, out[key])",
        DRIVERS,
        "-k",
        "counting_and_grouping",
    ),
    mutant(
        "empty lines at the end of a file are lost",
        "utils/optsutil.py",
        '.removesuffix("\\n")',
        '.rstrip("\\n")',
        DRIVERS,
        "-k",
        "lines_of_a_file",
    ),
    mutant(
        "a zero at an open end of the support reaches the formula",
        "base/support.py",
        "above = low > self.low if self.open_low or self.low == -np.inf else low >= self.low",
        "above = low >= self.low",
        DRAWS,
        "-k",
        "off_the_support and weibull",
    ),
    mutant(
        "two digits of a series are exchanged",
        "base/numerics.py",
        "(1 / 1260 -",
        "(1 / 1620 -",
        "tests/kernels/test_gamma_functions.py",
        "-k",
        "stirling",
    ),
    mutant(
        "the largest value seen grows with the weights",
        "core/statistics.py",
        'k.startswith(("low", "high")) else _times',
        'k.startswith("low") else _times',
        "tests/core/test_node.py",
        "-k",
        "not_scaled",
    ),
    mutant(
        "drawn times are cut to the microsecond before",
        "data/times.py",
        "ticks = np.rint(numbers",
        "ticks = np.floor(numbers",
        "tests/stats/test_times.py",
        "-k",
        "to_the_microsecond",
    ),
    mutant(
        "lists with like elements and unlike lengths are one row",
        "data/repeats.py",
        "if extra is not None:",
        "if extra is None and extra:",
        DRAWS,
        "-k",
        "one_at_a_time and markov",
    ),
    mutant(
        "a batch counts its rows without their weights",
        "fitting/online.py",
        "scaled(own, 1 / rows.weight) for own in statistics",
        "scaled(own, 1 / len(rows)) for own in statistics",
        "tests/fitting/test_online.py",
        "-k",
        "weight_two",
    ),
    mutant(
        "a second component removed is called by its new number",
        "fitting/removal.py",
        'f"component {self._left.pop(k)} held',
        'f"component {self._left.pop(k) and k} held',
        "tests/fitting/test_assignment.py",
        "-k",
        "first_numbers",
    ),
    mutant(
        "a bad cell is named by its place among the known ones",
        "inference/cells.py",
        "row = int(places[error.index])",
        "row = int(error.index)",
        IMPUTATION,
        "-k",
        "imputing_refuses",
    ),
    mutant(
        "the prior has no curvature",
        "inference/uncertainty/surface.py",
        "return model, float(self.problem.log_prior(model) - self.prior)",
        "return model, 0.0",
        "tests/inference/test_uncertainty.py",
        "-k",
        "pseudo_counts_add",
    ),
    mutant(
        "few clusters are as good as many",
        "inference/uncertainty/estimate.py",
        "* count / (count - 1)",
        "* 1.0",
        "tests/inference/test_clustered_errors.py",
        "-k",
        "few_clusters",
    ),
    mutant(
        "a path is drawn by the transitions of the step before",
        "kernels/chains.py",
        "q = which[t + 1] if len(P) > 1 and not last else 0",
        "q = which[t] if len(P) > 1 and not last else 0",
        "tests/kernels/test_chains.py",
    ),
    mutant(
        "of equally probable paths the last is taken",
        "kernels/chains.py",
        "if before[i] + log_P[q, i, j] > top:",
        "if before[i] + log_P[q, i, j] >= top:",
        "tests/stats/test_hidden_markov.py",
        "-k",
        "first_is_taken",
    ),
    mutant(
        "prior probabilities of classes are shares of rows, not of weights",
        "sklearn/classifier.py",
        "shares = np.bincount(codes[codes >= 0], weights[codes >= 0])",
        "shares = np.bincount(codes[codes >= 0])",
        "tests/scikit_learn/test_scikit_learn.py",
        "-k",
        "shares_of_classes",
    ),
    mutant(
        "the number of regressions is chosen without weights",
        "sklearn/regressor.py",
        "select_components(table, y, sample_weight=weights, **settings)",
        "select_components(table, y, **settings)",
        "tests/scikit_learn/test_scikit_learn.py",
        "-k",
        "a_regressor_is",
    ),
    mutant(
        "a count below a range with a fraction is not seen to be out of it",
        "stats/latent/truncated.py",
        "np.arange(least_whole(law), math.ceil(self.low))",
        "np.arange(least_whole(law), math.floor(self.low))",
        "tests/stats/test_zero_inflated.py",
        "-k",
        "between_them",
    ),
    mutant(
        "bounds of a draw leave out the lower one",
        "stats/latent/summaries.py",
        'atom.ask("cdf", low - 1 if whole else low)',
        'atom.ask("cdf", low)',
        SYNTHESIS,
        "-k",
        "beyond_the_bounds",
    ),
    mutant(
        "an elastic net is a ridge of full weight beside its lasso",
        "stats/regression/penalties.py",
        "return self.weight * (1.0 - self.ratio)",
        "return self.weight",
        "tests/stats/test_penalties.py",
        "-k",
        "coordinate_descent",
    ),
    mutant(
        "a seed does not reach the fit of an estimator",
        "cli.py",
        "dmlcore.fit(table, estimator, rng=options.seed)",
        "dmlcore.fit(table, estimator)",
        "tests/test_cli.py",
        "-k",
        "seed_reaches",
    ),
    mutant(
        "a class without weight forgets its probabilities",
        "core/weights.py",
        "/ counts.shape[-1]) if previous is None else previous",
        "/ counts.shape[-1])",
        FITS,
        "-k",
        "keeps_its_law and structured_gaussians",
    ),
    mutant(
        "what is left to gain is taken for the last gain",
        "fitting/stopping.py",
        "gain * ratio / (1 - ratio) < enough",
        "gain < enough",
        "tests/fitting/test_stopping.py",
        "-k",
        "slow_steps",
    ),
]


def copied(folder: Path) -> Path:
    """The package and its tests in a folder of their own, with the kernels that are compiled already."""
    for name in ("dmlcore", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Exit status of pytest, and its last line."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1200, check=False)
    lines = [line for line in done.stdout.splitlines() if line.strip()] or [done.stderr[-100:]]
    return done.returncode, next((line for line in lines if line.startswith("FAILED")), lines[-1])


def of_all(chosen: list[Mutant]) -> list[tuple[str, ...]]:
    """All tests of some bugs, as pytest's arguments for each file: what several of them run, once."""
    wanted: dict[str, list[str]] = {}
    for m in chosen:
        wanted.setdefault(m.tests[0], []).append(m.tests[2] if len(m.tests) > 1 else "")
    each = {file: "" if "" in names else " or ".join(f"({name})" for name in dict.fromkeys(names)) for file, names in wanted.items()}
    return [(file, "-k", names) if names else (file,) for file, names in each.items()]


def survives(mutant: Mutant, folder: Path) -> tuple[bool, str]:
    """Plants one bug, runs its tests, and takes it out again."""
    path = folder / mutant.file
    source, stat = path.read_text("utf-8"), path.stat()
    path.write_text(source.replace(mutant.old, mutant.new), "utf-8")
    try:
        status, line = run(folder, mutant.tests)
    finally:
        path.write_text(source, "utf-8")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # kernels that were compiled from it fit it still
    return status != 1, line  # 1: tests failed; others: none was run, or pytest itself failed


def main(names: list[str]) -> int:
    chosen = [m for m in MUTANTS if not names or m.name in names]
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name))
        for tests in of_all(chosen):
            status, line = run(folder, tests)
            if status != 0:
                print(f"red without any bug: pytest {' '.join(tests)}: {line}")
                return 2
        alive = 0
        for m in chosen:
            began = time.perf_counter()
            survived, line = survives(m, folder)
            alive += survived
            print(f"{'SURVIVED' if survived else 'killed':9} {time.perf_counter() - began:5.1f} s  {m.name:58} {line[:110]}", flush=True)
    print(f"{len(chosen) - alive} of {len(chosen)} planted bugs were seen")
    return int(alive > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
