"""A picture of each law of the catalogue, drawn as the site is built: curves, clouds, responses, or a few draws as text.

`picture(name)` gives lines of reStructuredText: an SVG drawing within the page, or draws. Laws in `WITHOUT` have none.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from dmlcore import stats
from dmlcore.core.distribution import as_values

INK = "#123457"  # a colour that nothing else has: it becomes the colour of the page's text, light or dark
COLOURS = ["#3b82c4", "#e07b26", "#3d9a50", "#b455a6"]
STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
}
TALLEST = 3.0  # of a density that is shown: those with poles are cut
DRAWS, SEED = 6, 3

Painter = Callable[[], Any]


def picture(name: str) -> list[str]:
    """The picture of the family `name` (without "Distribution")."""
    with plt.rc_context({**STYLE, "svg.hashsalt": name}):
        painted = PICTURES[name]()
        if isinstance(painted, list):
            return ["Draws:", "", ".. code-block:: text", "", *(f"   {line}" for line in painted)]
        return [".. raw:: html", "", *(f"   {line}" for line in _svg(painted, name).splitlines())]


def _svg(figure: Any, name: str) -> str:
    """The drawing as an element of a page: its ids are its own, and its ink is the page's."""
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    plt.close(figure)
    drawn = re.sub(r"(\bid=\"|href=\"#|url\(#)", rf"\g<1>{name}-", written.getvalue().replace(INK, "currentColor"))
    return f'<div class="picture" role="img" aria-label="Picture of {name}">\n{drawn[drawn.index("<svg") :]}</div>'


def _axes(width: float = 4.6, height: float = 2.1) -> tuple[Any, Any]:
    return plt.subplots(figsize=(width, height), constrained_layout=True)


def _legend(ax: Any, beside: bool = False) -> None:
    if any(ax.get_legend_handles_labels()[1]):
        ax.legend(frameon=False, **({"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if beside else {}))


def law(name: str, *parameters: Any, **named: Any) -> Any:
    return getattr(stats, name + "Distribution")(*parameters, **named)


def curves(*laws: tuple[str, Any], low: float, high: float, whole: bool = False) -> Painter:
    """Densities of several laws between two bounds, with what the legend says of each; of whole numbers probabilities."""

    def paint() -> Any:
        figure, ax = _axes()
        x = np.arange(low, high + 1) if whole else np.linspace(low, high, 300)
        for said, one in laws:
            density = np.exp(one.seq_log_density(x))
            ax.plot(x, density, "o-" if whole else "-", ms=3, lw=0.8 if whole else 1.6, label=said)
        ax.set_ylim(0, min(ax.get_ylim()[1], TALLEST))
        _legend(ax)
        ax.set_ylabel("probability" if whole else "density")
        return figure

    return paint


def family(name: str, low: float, high: float, *settings: dict[str, Any], whole: bool = False) -> Painter:
    """Curves of one family for several values of its parameters."""
    return curves(
        *((", ".join(f"{k} {v:g}" for k, v in setting.items()), law(name, **setting)) for setting in settings),
        low=low,
        high=high,
        whole=whole,
    )


def bars(labels: Sequence[Any], one: Any) -> Painter:
    """Probabilities of labels."""

    def paint() -> Any:
        figure, ax = _axes(3.2, 1.8)
        ax.bar(range(len(labels)), np.exp(one.seq_log_density(list(labels))), width=0.6)
        ax.set_xticks(range(len(labels)), map(str, labels))
        ax.set_ylabel("probability")
        return figure

    return paint


def cloud(one: Any, n: int = 300) -> Painter:
    """Draws of a vector: its first two parts."""

    def paint() -> Any:
        figure, ax = _axes(3.0, 2.6)
        x = np.array(as_values(one.sample(n, rng=SEED)), dtype=np.float64)
        ax.plot(x[:, 0], x[:, 1], ".", ms=3, alpha=0.6)
        ax.set_aspect("equal", adjustable="datalim")
        ax.set_xlabel("x0")
        ax.set_ylabel("x1")
        return figure

    return paint


def response(*laws: tuple[str, Any], low: float = -2.0, high: float = 2.0, labels: Sequence[Any] | None = None) -> Painter:
    """A response against one covariate: its median, and the band that holds 90% of it; of labels the share of each."""

    def paint() -> Any:
        figure, ax = _axes()
        at = np.linspace(low, high, 61)
        for said, one in laws:
            drawn = as_values(one.sample_given(np.repeat(at, 500)[:, None], SEED))
            if labels is not None:
                shares = np.array([[label == y for y in drawn] for label in labels]).reshape(len(labels), len(at), 500).mean(axis=2)
                ax.stackplot(at, shares, labels=[str(label) for label in labels], colors=COLOURS, alpha=0.8)
                continue
            lower, middle, upper = np.quantile(np.reshape(np.array(drawn, dtype=np.float64), (len(at), 500)), [0.05, 0.5, 0.95], axis=1)
            (line,) = ax.plot(at, middle, lw=1.6, label=said)
            ax.fill_between(at, lower, upper, color=line.get_color(), alpha=0.2, lw=0)
        ax.set_xlabel("x")
        ax.set_ylabel("share of each label" if labels is not None else "y")
        _legend(ax, beside=labels is not None)
        return figure

    return paint


def lines(one: Any, n: int = 3) -> Painter:
    """Draws that are lists of numbers, along the list."""

    def paint() -> Any:
        figure, ax = _axes()
        for drawn in as_values(one.sample(n, rng=SEED)):
            ax.plot(drawn, "o-", ms=2.5, lw=0.9)
        ax.set_xlabel("step")
        return figure

    return paint


def groups(one: Any, n: int = 6) -> Painter:
    """Responses of some groups against one covariate."""

    def paint() -> Any:
        figure, ax = _axes()
        at = np.linspace(-2.0, 2.0, 9)
        for group in one.redraw([[(x, 0.0) for x in at[:, None]]] * n, np.random.default_rng(SEED)):
            ax.plot(at, [y for _, y in group], "o-", ms=2.5, lw=0.9)
        ax.set_xlabel("x")
        ax.set_ylabel("y of each group")
        return figure

    return paint


def draws(one: Any, n: int = DRAWS) -> Painter:
    """Some draws as text."""
    return lambda: [_said(x) for x in as_values(one.sample(n, rng=SEED))]


def _said(x: Any) -> str:
    if isinstance(x, float):
        return f"{x:.3g}"
    if isinstance(x, np.ndarray):
        return _said(x.tolist())
    if isinstance(x, tuple):
        return "(" + ", ".join(map(_said, x)) + ("," if len(x) == 1 else "") + ")"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k!r}: {_said(v)}" for k, v in x.items()) + "}"
    if isinstance(x, list):
        return "[" + ", ".join(map(_said, x)) + "]"
    return str(x) if isinstance(x, date) else repr(x)


def given(covariates: Sequence[Any], one: Any) -> Painter:
    """Draws of what needs covariates, with these."""
    return lambda: [f"given {_said(z)}: {_said(x)}" for z, x in zip(covariates, as_values(one.sample_given(covariates, SEED)), strict=True)]


N, C = stats.GaussianDistribution, stats.CategoricalDistribution
FEW = law("IntegerCategorical", 1, [0.2, 0.3, 0.3, 0.2])
WORDS = [C({"sun": 0.6, "rain": 0.3, "wind": 0.1}), C({"goal": 0.5, "match": 0.4, "rain": 0.1})]
TWO = [N(-1.5, 0.5), N(2.0, 1.0)]
FRUIT = ("plum", "pear", "fig")
SETS = {"milk": 0.3, "bread": 0.8, "figs": 0.1}
EDITS = law("BernoulliEdit", {"milk": 0.2, "bread": 0.1, "figs": 0.1}, {"milk": 0.9, "bread": 0.9, "figs": 0.5}, law("BernoulliSet", SETS))
NUMBERED_EDITS = np.log([[0.1, 0.9], [0.2, 0.8], [0.3, 0.6]])
WIDE = [[2.0, 0.9], [0.9, 0.8]]
STEADY, SLOW = [[0.9, 0.1], [0.2, 0.8]], [[0.97, 0.03], [0.05, 0.95]]
FORTY = law("PointMass", 40)
LEVELS = ("low", "middle", "high")
ENGLISH, FRENCH = C({"house": 0.5, "garden": 0.5}), {"house": C({"maison": 0.9, "jardin": 0.1}), "garden": C({"jardin": 1.0})}
TRANSLATION = law("Conditional", FRENCH)
LOOKBACK = law(
    "LookbackHiddenMarkov",
    [law("Conditional", {a: C({a: stay, b: 1 - stay}) for a, b in ("xy", "yx")}) for stay in (0.9, 0.2)],
    [0.5, 0.5],
    SLOW,
    1,
    [law("Composite", (C({"x": 0.5, "y": 0.5}),))] * 2,
    law("Poisson", 14.0),
)
GATES = [law("MultinomialLogisticRegression", [[2.0]], [b], (0, 1)) for b in (-1.0, 1.0)]
GATED_CHAIN = law("GatedHiddenMarkovModel", WORDS, [0.5, 0.5], GATES, law("Poisson", 7.0))
TABLES = [np.log([0.5, 0.5]), np.log([[0.9, 0.1], [0.2, 0.8]]), np.log([[0.7, 0.3], [0.1, 0.9]])]

WITHOUT = {"CommonParameters", "Null", "Weighted"}  # not laws of their own, or nothing can be drawn from them

PICTURES: dict[str, Painter] = {
    # single values
    "Gaussian": family("Gaussian", -5, 5, {"mu": 0, "sigma2": 1}, {"mu": 0, "sigma2": 4}, {"mu": 2, "sigma2": 0.5}),
    "StudentT": family(
        "StudentT", -5, 5, {"mu": 0, "scale": 1, "df": 1}, {"mu": 0, "scale": 1, "df": 30}, {"mu": 2, "scale": 0.5, "df": 3}
    ),
    "Laplace": family("Laplace", -5, 5, {"mu": 0, "scale": 1}, {"mu": 0, "scale": 2}, {"mu": 2, "scale": 0.5}),
    "Uniform": family("Uniform", -5, 5, {"low": -1, "high": 1}, {"low": -4, "high": 4}, {"low": 1, "high": 3}),
    "LogGaussian": family("LogGaussian", 0.01, 5, {"mu": 0, "sigma2": 0.1}, {"mu": 0, "sigma2": 1}, {"mu": 1, "sigma2": 0.1}),
    "Exponential": family("Exponential", 0, 5, {"beta": 0.5}, {"beta": 1}, {"beta": 3}),
    "Gamma": family("Gamma", 0.01, 10, {"k": 1, "theta": 2}, {"k": 2, "theta": 1}, {"k": 9, "theta": 0.5}),
    "Weibull": family("Weibull", 0.01, 5, {"shape": 0.7, "scale": 1}, {"shape": 1.5, "scale": 1}, {"shape": 4, "scale": 2}),
    "InverseGaussian": family("InverseGaussian", 0.01, 5, {"mu": 1, "lam": 0.5}, {"mu": 1, "lam": 3}, {"mu": 3, "lam": 20}),
    "Beta": family("Beta", 0.005, 0.995, {"a": 0.5, "b": 0.5}, {"a": 2, "b": 2}, {"a": 2, "b": 6}),
    "VonMises": family("VonMises", -np.pi, np.pi, {"mu": 0, "kappa": 0.5}, {"mu": 0, "kappa": 4}, {"mu": 2, "kappa": 8}),
    "Poisson": family("Poisson", 0, 20, {"lam": 1}, {"lam": 4}, {"lam": 10}, whole=True),
    "NegativeBinomial": family(
        "NegativeBinomial", 0, 20, {"mu": 4, "dispersion": 0.1}, {"mu": 4, "dispersion": 1}, {"mu": 10, "dispersion": 0.5}, whole=True
    ),
    "Geometric": family("Geometric", 1, 15, {"p": 0.2}, {"p": 0.5}, {"p": 0.8}, whole=True),
    "Binomial": family("Binomial", 0, 20, {"p": 0.5, "n": 10}, {"p": 0.2, "n": 20}, {"p": 0.9, "n": 20}, whole=True),
    "SpikeAndSlab": family("SpikeAndSlab", 0, 9, {"k": 2, "num_vals": 10, "p": 0.5}, {"k": 7, "num_vals": 10, "p": 0.3}, whole=True),
    "IntegerCategorical": bars(range(-1, 3), law("IntegerCategorical", -1, [0.2, 0.1, 0.4, 0.3])),
    "Categorical": bars(FRUIT, C({"plum": 0.5, "pear": 0.2, "fig": 0.3})),
    "Ordinal": bars(("low", "middle", "high"), law("Ordinal", ("low", "middle", "high"), [0.2, 0.5, 0.3])),
    "PointMass": bars((39, 40, 41), FORTY),
    # vectors
    "MultivariateGaussian": cloud(law("MultivariateGaussian", [0.0, 0.0], WIDE)),
    "PartialGaussian": cloud(law("PartialGaussian", [0.0, 0.0], WIDE)),
    "MultivariateStudentT": cloud(law("MultivariateStudentT", [0.0, 0.0], WIDE, 3.0)),
    "DiagonalGaussian": cloud(law("DiagonalGaussian", [0.0, 0.0], [2.0, 0.4])),
    "StructuredGaussian": cloud(law("StructuredGaussian", [0.0, 0.0], 1.0, [3.0, 1 / 3], [[0.6, -0.8], [0.8, 0.6]])),
    "PartialStructuredGaussian": cloud(law("PartialStructuredGaussian", [0.0, 0.0], 1.0, [3.0, 1 / 3], [[0.6, -0.8], [0.8, 0.6]])),
    "FactorAnalyzer": cloud(law("FactorAnalyzer", [0.0, 0.0, 0.0], [[1.5], [1.0], [-0.5]], [0.3, 0.2, 0.4])),
    "UniformVector": cloud(law("UniformVector", [-1.0, 0.0], [2.0, 1.5])),
    "Dirichlet": cloud(law("Dirichlet", [2.0, 3.0, 4.0])),
    "VonMisesFisher": cloud(law("VonMisesFisher", [0.6, 0.8, 0.0], 8.0)),
    "ICLTree": draws(law("ICLTree", [(0, None), (1, 0), (2, 1)], TABLES)),
    "SpearmanRanking": draws(law("SpearmanRanking", [2, 0, 3, 1], 0.3)),
    # sequences, sets and bags
    "Sequence": draws(law("Sequence", C({"a": 0.5, "b": 0.3, "c": 0.2}), FEW)),
    "MarkovChain": draws(
        law("MarkovChain", {"a": 0.7, "b": 0.3}, {"a": {"a": 0.8, "b": 0.2}, "b": {"a": 0.1, "b": 0.9}}, law("Poisson", 9.0))
    ),
    "IntegerMarkovChain": draws(
        law("IntegerMarkovChain", 2, STEADY, 1, law("Sequence", law("IntegerCategorical", 0, [0.3, 0.7])), law("Poisson", 9.0))
    ),
    "Multinomial": draws(law("Multinomial", WORDS[0], law("Poisson", 6.0))),
    "IntegerMultinomial": draws(law("IntegerMultinomial", 0, [0.2, 0.5, 0.3], law("Poisson", 6.0))),
    "BernoulliSet": draws(law("BernoulliSet", SETS)),
    "IntegerBernoulliSet": draws(law("IntegerBernoulliSet", np.log([0.3, 0.8, 0.1]))),
    "BernoulliEdit": draws(EDITS),
    "IntegerBernoulliEdit": draws(law("IntegerBernoulliEdit", NUMBERED_EDITS, law("IntegerBernoulliSet", np.log([0.3, 0.8, 0.1])))),
    "IntegerStepBernoulliEdit": draws(law("IntegerStepBernoulliEdit", NUMBERED_EDITS, law("IntegerBernoulliSet", np.log([0.3, 0.8, 0.1])))),
    # records
    "Composite": draws(law("Composite", {"height": N(170.0, 60.0), "visits": law("Poisson", 2.0), "fruit": C({"plum": 0.6, "fig": 0.4})})),
    "Optional": draws(law("Optional", N(2.0, 3.0), 0.3)),
    "Time": draws(law("Time", law("Gamma", 2.0, 20.0), "D", date(2026, 1, 1))),
    "Ignored": draws(law("Composite", (law("Ignored", FORTY), N(0.0, 1.0)))),
    "Conditional": draws(law("Conditional", {"plum": N(4.0, 0.1), "fig": N(2.0, 0.1)}, given_dist=C({"plum": 0.6, "fig": 0.4}))),
    # mixtures and what else is hidden
    "Mixture": curves(("", law("Mixture", [*TWO, law("Laplace", 5.0, 0.2)], [0.5, 0.3, 0.2])), low=-4, high=7),
    "HeterogeneousMixture": curves(
        ("", law("HeterogeneousMixture", [law("Exponential", 1.0), law("Gamma", 9.0, 0.5)], [0.5, 0.5])), low=0, high=9
    ),
    "GaussianMixture": curves(("", law("GaussianMixture", [-1.5, 2.0], [0.5, 1.0], [0.4, 0.6])), low=-4, high=6),
    "DiagonalGaussianMixture": cloud(law("DiagonalGaussianMixture", [[-2.0, 0.0], [2.0, 1.0]], [[0.5, 1.0], [1.0, 0.2]], [0.4, 0.6])),
    "DiracMixture": curves(*((f"p {p}", law("DiracMixture", law("Poisson", 5.0), p)) for p in (0.7, 0.95)), low=0, high=12, whole=True),
    "ZeroInflated": curves(*((f"p {p}", law("ZeroInflated", law("Poisson", 4.0), p)) for p in (0.05, 0.4)), low=0, high=12, whole=True),
    "Hurdle": curves(*((f"p {p}", law("Hurdle", law("Poisson", 4.0), p)) for p in (0.05, 0.4)), low=0, high=12, whole=True),
    "Truncated": curves(("from 0 to 4", law("Truncated", N(1.0, 4.0), 0.0, 4.0)), ("not truncated", N(1.0, 4.0)), low=-5, high=7),
    "Censored": lambda: ["2.3", "(5.0, None), which is 5 or more", "(None, 0.5), which is 0.5 or less", "(1.0, 2.0), which is between"],
    "JointMixture": draws(law("JointMixture", TWO, [C({"plum": 1.0}), C({"fig": 1.0})], [0.3, 0.7], None, STEADY)),
    "HierarchicalMixture": draws(law("HierarchicalMixture", WORDS, [0.4, 0.6], [[0.95, 0.05], [0.1, 0.9]], law("Poisson", 5.0))),
    "SemiSupervisedMixture": draws(law("SemiSupervisedMixture", TWO, [0.4, 0.6], labels=("low", "high"))),
    "GatedMixture": response(("", law("GatedMixture", TWO, law("MultinomialLogisticRegression", [[2.0]], [0.0], (0, 1))))),
    "LDA": draws(law("LDA", WORDS, [0.3, 0.3], law("Poisson", 9.0))),
    "IntegerPLSI": draws(law("IntegerPLSI", [[0.5, 0.1], [0.3, 0.1], [0.2, 0.8]], STEADY, [0.4, 0.6], law("Poisson", 6.0))),
    "HiddenMarkovModel": lines(law("HiddenMarkovModel", TWO, [0.5, 0.5], SLOW, len_dist=law("PointMass", 60)), 1),
    "IntegerHiddenMarkovModel": draws(law("IntegerHiddenMarkovModel", [[0.9, 0.2], [0.1, 0.8]], [0.5, 0.5], STEADY, law("Poisson", 12.0))),
    "TreeHiddenMarkovModel": draws(law("TreeHiddenMarkovModel", WORDS, [0.5, 0.5], STEADY, law("IntegerCategorical", 0, [0.6, 0.2, 0.2]))),
    "GatedHiddenMarkovModel": given([[[-2.0]] * 3 + [[2.0]] * 4], GATED_CHAIN),
    "Lookback": draws(LOOKBACK),
    "LookbackHiddenMarkov": draws(LOOKBACK),
    "HiddenAssociation": draws(law("HiddenAssociation", TRANSLATION, law("Multinomial", ENGLISH, FEW), law("Poisson", 3.0))),
    "IntegerHiddenAssociation": draws(
        law("IntegerHiddenAssociation", [[0.9, 0.1], [0.2, 0.8]], STEADY, 0.1, law("IntegerMultinomial", 0, [0.4, 0.6], FEW), FEW)
    ),
    "SparseMarkovAssociation": draws(
        law("SparseMarkovAssociation", [0.5, 0.3, 0.2], {0: {0: 0.2, 1: 0.8}, 1: {1: 0.5, 2: 0.5}}, 0.1, law("Composite", (FEW, FEW)))
    ),
    # a response given covariates
    "LinearRegression": response(("", law("LinearRegression", [1.5], 0.5, 0.6))),
    "PoissonRegression": response(("", law("PoissonRegression", [0.8], 1.0))),
    "NegativeBinomialRegression": response(("", law("NegativeBinomialRegression", [0.8], 1.0, 0.4))),
    "GammaRegression": response(("", law("GammaRegression", [0.6], 0.4, 4.0))),
    "WeibullRegression": response(("", law("WeibullRegression", [0.6], 0.4, 2.0))),
    "BetaRegression": response(("", law("BetaRegression", [1.0], 0.2, 12.0))),
    "LogisticRegression": response(("", law("LogisticRegression", [1.5], 0.3)), labels=(0, 1)),
    "MultinomialLogisticRegression": response(
        ("", law("MultinomialLogisticRegression", [[2.0], [-1.0]], [0.2, -0.3], FRUIT)), labels=FRUIT
    ),
    "LinearMixedRegression": groups(law("LinearMixedRegression", [1.0], 0.5, 0.1, [[1.5, 0.0], [0.0, 0.3]], ("intercept", 0))),
    "OrdinalRegression": response(("", law("OrdinalRegression", [1.5], [-1.5, 1.0], LEVELS)), labels=LEVELS),
}
