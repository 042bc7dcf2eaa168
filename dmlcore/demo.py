"""The main job on real data: fit nested mixtures to the Palmer penguins, choose one, impute what is missing, show it.

Run as `python -m dmlcore.demo [PNG [HTML]]`; the plot is saved to PNG, `penguins_model.png` by default, a report to HTML,
`penguins_report.html` by default.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Any

import numpy as np

from dmlcore import condition, labels, marginal, report, select
from dmlcore.base.extras import library
from dmlcore.datasets import load_penguins
from dmlcore.selection import Selection
from dmlcore.stats import CategoricalEstimator, CompositeEstimator, GaussianEstimator, MixtureEstimator, OptionalEstimator

EVIDENCE = (  # differences of BIC, after Kass and Raftery (1995)
    (2, "which is hardly a difference"),
    (6, "which speaks for the first, not strongly"),
    (10, "which speaks strongly for the first"),
    (float("inf"), "which leaves no doubt"),
)
FIELDS = ("island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex")


def estimator(components: int) -> MixtureEstimator:
    """A mixture of records: a label, four measurements that may be missing, and a label that may be missing."""
    measurements = {name: OptionalEstimator(GaussianEstimator()) for name in FIELDS[1:5]}
    record: Any = {"island": CategoricalEstimator(), **measurements, "sex": OptionalEstimator(CategoricalEstimator())}
    return MixtureEstimator([CompositeEstimator(record)] * components)


def main(path: str = "penguins_model.png", report_path: str = "penguins_report.html") -> None:
    library("matplotlib", "the plot needs").use("Agg")
    began = time.perf_counter()
    penguins = load_penguins()
    where = [penguins.columns.index(name) for name in FIELDS]
    rows = [tuple(row[j] for j in where) for row in penguins.rows]
    species = [row[penguins.columns.index("species")] for row in penguins.rows]
    missing = sum(value is None for row in rows for value in row)
    print(f"Palmer penguins: {len(rows)} rows of {', '.join(FIELDS)}; {missing} values missing. Species is kept out of the model.\n")

    choice = select(estimator, range(1, 10), rows, rng=1)
    chosen, model = choice.value, choice.model
    print(f"{choice}\n\n{seen(choice)}\n\n{model.summary()}\n")

    cluster = labels(model, rows)
    print("component   " + "".join(f"{name:>12}" for name in sorted(set(species))))
    for k in range(chosen):
        counts = Counter(s for s, c in zip(species, cluster, strict=True) if c == k)
        print(f"{k:9d}   " + "".join(f"{counts[name]:12d}" for name in sorted(set(species))))

    print("\nImputed values (mean and standard deviation, or probabilities):")
    for i, row in enumerate(rows):
        if None in row:
            print(f"  row {i:3d} ({species[i]}): {'; '.join(imputed(model, row))}")
    save_plot(path, rows, species, cluster, choice)
    report(choice, rows, report_path, title="Palmer penguins")
    print(f"\nPlot saved to {path}, report to {report_path}. {time.perf_counter() - began:.1f} s.")


def seen(choice: Selection) -> str:
    """How clear the choice is, in a sentence: by how much BIC is larger for the next best number of components."""
    next_best = min((row for row in choice.rows if row["value"] != choice.value), key=lambda row: row["bic"])
    best, gap = choice.rows[choice.best_index]["bic"], next_best["bic"] - choice.rows[choice.best_index]["bic"]
    strength = next(word for most, word in EVIDENCE if gap < most)
    return f"BIC is least at {choice.value} components ({best:.1f}); {next_best['value']} come {gap:.1f} behind, {strength}."


def imputed(model: Any, row: tuple[Any, ...]) -> list[str]:
    """What the model says of each missing value of a row, in words."""
    law = condition(model, row)
    gaps = [j for j, value in enumerate(row) if value is None]
    out = []
    for place, j in enumerate(gaps):
        part: Any = marginal(law, place) if len(gaps) > 1 else law
        if FIELDS[j] == "sex":
            out.append("sex " + ", ".join(f"{label} {part.density(label):.2f}" for label in ("female", "male")))
        else:
            out.append(f"{FIELDS[j]} {float(part.mean()):.1f} +- {float(part.variance()) ** 0.5:.1f}")
    return out


def save_plot(path: str, rows: list[Any], species: list[str], cluster: np.ndarray, choice: Selection) -> None:
    """BIC by number of components, and two measurements coloured by component with a marker per species."""
    plt = library("matplotlib.pyplot", "the plot needs")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    choice.plot(left)
    left.set(xlabel="components", ylabel="BIC (smaller is better)", title="Choosing the number of components")
    for name, marker in zip(sorted(set(species)), "o^s", strict=True):
        kept = [i for i, s in enumerate(species) if s == name and rows[i][1] is not None]
        points = np.array([(rows[i][3], rows[i][1]) for i in kept])
        right.scatter(*points.T, c=[f"C{cluster[i]}" for i in kept], marker=marker, s=28, alpha=0.75, edgecolors="none")
        right.scatter([], [], color="0.3", marker=marker, label=name)
    right.set(xlabel="flipper length (mm)", ylabel="bill length (mm)", title="Components (colour) and species (marker)")
    right.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:3])
