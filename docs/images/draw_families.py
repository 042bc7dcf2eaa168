"""Draws families.png, the laws of single numbers in the reference: `python docs/images/draw_families.py`."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from dmlcore import stats

REALS = [
    ("Gaussian: mu, sigma2", (-5, 5), [(0, 1), (0, 4), (2, 0.5)]),
    ("StudentT: mu, scale, df", (-5, 5), [(0, 1, 1), (0, 1, 3), (0, 1, 30)]),
    ("Laplace: mu, scale", (-5, 5), [(0, 1), (0, 2), (2, 0.5)]),
    ("Uniform: low, high", (-5, 5), [(-1, 1), (-4, 4), (1, 3)]),
    ("LogGaussian: mu, sigma2", (0.01, 5), [(0, 0.1), (0, 1), (1, 0.1)]),
    ("Exponential: beta", (0, 5), [(0.5,), (1,), (3,)]),
    ("Gamma: k, theta", (0.01, 10), [(1, 2), (2, 1), (9, 0.5)]),
    ("Weibull: shape, scale", (0.01, 5), [(0.7, 1), (1.5, 1), (4, 2)]),
    ("InverseGaussian: mu, lam", (0.01, 5), [(1, 0.5), (1, 3), (3, 20)]),
    ("Beta: a, b", (0.01, 0.99), [(0.5, 0.5), (2, 2), (2, 6)]),
    ("VonMises: mu, kappa", (-np.pi, np.pi), [(0, 0.5), (0, 4), (2, 8)]),
]
COUNTS = [
    ("Poisson: lam", (0, 20), [(1,), (4,), (10,)]),
    ("NegativeBinomial: mu, dispersion", (0, 20), [(4, 0.1), (4, 1), (10, 0.5)]),
    ("Geometric: p", (1, 15), [(0.2,), (0.5,), (0.8,)]),
    ("Binomial: p, n", (0, 20), [(0.5, 10), (0.2, 20), (0.9, 20)]),
    ("SpikeAndSlab: k, num_vals, p", (0, 9), [(2, 10, 0.5), (7, 10, 0.3)]),
]


def main() -> None:
    figure, panels = plt.subplots(4, 4, figsize=(12, 9.5), constrained_layout=True)
    for ax, (title, (low, high), settings) in zip(panels.flat, REALS + COUNTS, strict=True):
        family = getattr(stats, title.split(":")[0] + "Distribution")
        whole = title in {count for count, _, _ in COUNTS}
        x = np.arange(low, high + 1) if whole else np.linspace(low, high, 400)
        for parameters in settings:
            density = np.exp(family(*parameters).seq_log_density(x))
            ax.plot(x, density, "o-" if whole else "-", ms=3, lw=0.8 if whole else 1.6, label=", ".join(map(str, parameters)))
        ax.set_title(title, fontsize=10)
        ax.set_ylim(0, min(ax.get_ylim()[1], 3.0))
        ax.tick_params(labelsize=8)
        ax.legend(fontsize=8, frameon=False)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).with_name("families.png"), dpi=90)


if __name__ == "__main__":
    main()
