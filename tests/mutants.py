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
        "sums_to_one",
    ),
    mutant(
        "log x! dropped",
        "stats/univariate/poisson.py",
        "return special.xlogy(x, lam) - lam - special.gammaln(x + 1.0)",
        "return special.xlogy(x, lam) - lam",
        DRAWS,
        "-k",
        "sums_to_one",
    ),
    mutant(
        "the Jacobian of a logarithm dropped",
        "stats/univariate/log_gaussian.py",
        "return constant - scale * (log - self.mu) ** 2 - log",
        "return constant - scale * (log - self.mu) ** 2",
        DRAWS,
        "-k",
        "one_at_a_time",
    ),
    mutant(
        "values off the support reach the formula",
        "core/distribution.py",
        "if support is None or support.covers(column):\n            return leaf.log_densities",
        "if True:\n            return leaf.log_densities",
        DRAWS,
        "-k",
        "off_the_support or nan",
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
        "exchangeable",
    ),
    mutant(
        "structured draws grouped by component",
        "core/distribution.py",
        "return flat[order].tolist()",
        "return flat.tolist()",
        DRAWS,
        "-k",
        "exchangeable",
    ),
    mutant(
        "a sampler that starts anew on each call",
        "core/distribution.py",
        "draws = drawn(self.distribution, size, self.rng)",
        "draws = drawn(self.distribution, size, np.random.default_rng(0))",
        DRAWS,
        "-k",
        "same_state",
    ),
    mutant(
        "the missing mass kept",
        "stats/combinators/optional.py",
        "return math.log(self.p) if self.p > 0 else -math.inf, math.log1p(-self.p) if self.p < 1 else -math.inf",
        "return math.log(self.p) if self.p > 0 else -math.inf, 0.0",
        DRAWS,
        "-k",
        "sums_to_one or definition",
    ),
    mutant(
        "missing rows counted as present",
        "stats/combinators/optional.py",
        "there, missing = np.ascontiguousarray(weights[..., present]), weights[..., gone].sum(axis=-1)",
        "there, missing = np.ascontiguousarray(weights[..., present]), 0 * weights[..., gone].sum(axis=-1)",
        BAD,
        "-k",
        "missing",
    ),
    mutant(
        "an off-by-one lag: pairs reach into the next sequence",
        "data/sequences.py",
        "inner[starts[(starts > 0) & (starts < len(codes))] - 1] = False",
        "inner[starts[(starts > 0) & (starts < len(codes))]] = False",
        DRAWS,
        "-k",
        "markov",
    ),
    mutant(
        "offsets of a block not moved",
        "data/columns.py",
        "return Ragged(offsets - offsets[0], flat",
        "return Ragged(offsets, flat",
        DRAWS,
        "-k",
        "block",
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
        "weight",
    ),
    mutant(
        "a wrong merge of second moments",
        "core/statistics.py",
        "return square * beside(self.count * share, square)",
        "return square * beside(share, square)",
        FITS,
        "-k",
        "chunking or statistics_add",
    ),
    mutant(
        "sums over blocks lose the last labels",
        "core/statistics.py",
        "values: Any = self.values.union(other.values)",
        "values: Any = self.values",
        FITS,
        "-k",
        "chunking or statistics_add",
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
        "tied or key",
    ),
    mutant(
        "a prior counted once per node",
        "core/keys.py",
        "return tuple(part for part, group in self.own[place].items() if group in (None, place))",
        "return tuple(self.own[place])",
        FITS,
        "-k",
        "prior",
    ),
    mutant(
        "an absolute floor",
        "stats/univariate/moments.py",
        "floor=VARIANCE_FLOOR * variance_of(statistics), prior",
        "floor=1e-6, prior",
        FITS,
        "-k",
        "scale",
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
        "chunking or weight",
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
        "hierarchical",
    ),
    mutant(
        "absent members of a set not scored",
        "stats/sequences/bernoulli_set.py",
        "log += across(absent)",
        "log += 0.0",
        DRAWS,
        "-k",
        "set",
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
]


def copied(folder: Path) -> Path:
    """The package and its tests in a folder of their own."""
    for name in ("dmlcore", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Exit status of pytest, and its last line."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)
    lines = [line for line in done.stdout.splitlines() if line.strip()] or [done.stderr[-100:]]
    return done.returncode, next((line for line in lines if line.startswith("FAILED")), lines[-1])


def survives(mutant: Mutant, folder: Path) -> tuple[bool, str]:
    """Plants one bug, runs its tests, and takes it out again."""
    path = folder / mutant.file
    source = path.read_text("utf-8")
    path.write_text(source.replace(mutant.old, mutant.new), "utf-8")
    try:
        status, line = run(folder, mutant.tests)
    finally:
        path.write_text(source, "utf-8")
    return status != 1, line  # 1: tests failed; others: none was run, or pytest itself failed


def main(names: list[str]) -> int:
    chosen = [m for m in MUTANTS if not names or m.name in names]
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name))
        for tests in dict.fromkeys(m.tests for m in chosen):
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
