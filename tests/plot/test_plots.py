"""Plots: what is drawn are the model's numbers, on the axes given, and every plot renders."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from dmlcore import Fit, compare, plot
from dmlcore.base.errors import StructureError, SupportError
from dmlcore.core.tree import outline
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeDistribution,
    DiagonalGaussianDistribution,
    ExponentialDistribution,
    GammaDistribution,
    GaussianDistribution,
    JointMixtureDistribution,
    LogGaussianDistribution,
    MixtureDistribution,
    MultivariateGaussianDistribution,
    OptionalDistribution,
    PoissonDistribution,
    SequenceDistribution,
)
from tests.examples import EXAMPLES

pytestmark = pytest.mark.usefixtures("short_searches")

N = GaussianDistribution
TWO = MixtureDistribution([N(-2.0, 1.0), N(3.0, 0.25)], [0.25, 0.75])
COUNTS = MixtureDistribution([PoissonDistribution(2.0), PoissonDistribution(9.0)], [0.4, 0.6])
RECORDS = MixtureDistribution(
    [
        CompositeDistribution(
            [N(0.0, 1.0, name="size $a$ b$"), OptionalDistribution(N(1.0, 4.0), 0.5), CategoricalDistribution({"a": 0.9, "b": 0.1})]
        ),
        CompositeDistribution(
            [N(5.0, 1.0, name="size $a$ b$"), OptionalDistribution(N(3.0, 1.0), 0.1), CategoricalDistribution({"b": 0.5, "c": 0.5})]
        ),
    ],
    [0.3, 0.7],
)
RECORD = Fit(TWO, "converged", "", [-900.0, -850.0, -840.0, -839.5], [-905.0, -856.0, -845.0, -844.0], 0.1)


def pdf(x: Any, mu: float, sigma2: float) -> Any:
    return np.exp(-((x - mu) ** 2) / (2 * sigma2)) / np.sqrt(2 * math.pi * sigma2)


@pytest.fixture(autouse=True)
def figures() -> Iterator[None]:
    """Every figure that a test leaves is rendered; warnings are errors."""
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def line(ax: Any, label: str) -> tuple[np.ndarray, np.ndarray]:
    (found,) = [line for line in ax.get_lines() if line.get_label().startswith(label)]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def said(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


# -- densities -----------------------------------------------------------------------------------------------------------


def test_density_draws_components_and_total() -> None:
    data = TWO.sample(500, rng=1)
    ax = plot.density(TWO, data, label="length (mm)")
    x, total = line(ax, "total")
    np.testing.assert_allclose(total, 0.25 * pdf(x, -2, 1) + 0.75 * pdf(x, 3, 0.25), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(line(ax, "component 0")[1], 0.25 * pdf(x, -2, 1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(line(ax, "component 0")[1] + line(ax, "component 1")[1], total, rtol=1e-9)
    assert np.trapezoid(total, x) == pytest.approx(1, abs=0.01)
    assert sum(bar.get_height() * bar.get_width() for bar in ax.patches) == pytest.approx(1)
    assert x.min() < data.min()
    assert x.max() > data.max()
    assert said(ax) == ["data", "component 0 (25%)", "component 1 (75%)", "total"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("length (mm)", "density")


def test_density_without_components_or_data() -> None:
    ax = plot.density(TWO, components=False)
    assert said(ax) == ["model"]
    assert said(plot.density(N(0.0, 1.0))) == ["model"]
    assert len(ax.get_lines()) == 1


def test_density_of_a_field_is_of_the_values_that_are_there() -> None:
    data = RECORDS.sample(400, rng=1)
    ax = plot.density(RECORDS, data, field=1)
    x, total = line(ax, "total")
    first, second = 0.3 * 0.5, 0.7 * 0.9
    np.testing.assert_allclose(total, (first * pdf(x, 1, 4) + second * pdf(x, 3, 1)) / (first + second), rtol=1e-9, atol=1e-12)
    assert sum(bar.get_height() * bar.get_width() for bar in ax.patches) == pytest.approx(1)
    assert ax.get_xlabel() == "field 1"
    assert plot.density(RECORDS, data, field=0).get_xlabel() == r"size \$a\$ b\$"


def test_density_of_counts_stacks_components() -> None:
    data = [0, 0, 1, 2, 2, 2, 9, 30]
    ax = plot.density(COUNTS, data)
    bars = {round(b.get_x() + b.get_width() / 2): b.get_y() + b.get_height() for b in ax.patches}
    for k in (0, 5, 12):
        mass = sum(w * math.exp(-lam) * lam**k / math.factorial(k) for w, lam in ((0.4, 2), (0.6, 9)))
        assert bars[k] == pytest.approx(mass)
    x, y = line(ax, "data")
    assert dict(zip(x.tolist(), y.tolist(), strict=True))[2] == 3 / 8
    assert sum(y) == pytest.approx(1)
    assert ax.get_ylim()[1] > max(*bars.values(), *y)
    assert ax.get_ylabel() == "probability"


def test_density_of_labels() -> None:
    ax = plot.density(RECORDS, [(0.0, None, "a")] * 3 + [(0.0, None, "d")], field=2)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["b", "c", "a", "d"]
    tops = [bar.get_y() + bar.get_height() for bar in ax.patches[-4:]]
    assert tops == pytest.approx([0.3 * 0.1 + 0.7 * 0.5, 0.35, 0.27, 0.0])
    assert line(ax, "data")[1].tolist() == [0, 0, 0.75, 0.25]
    many = CategoricalDistribution({f"label ${i}": (i + 1) / 5050 for i in range(100)})
    assert plot.density(many).get_xlabel() == "value (20 most probable of 100 labels)"


def test_a_spike_does_not_flatten_the_rest() -> None:
    law = MixtureDistribution([ExponentialDistribution(2.0), N(6.0, 1e-6)], [0.9, 0.1])
    ax = plot.density(law, law.sample(1000, rng=1))
    peak = line(ax, "total")[1].max()
    assert peak > 30
    assert ax.get_ylim()[1] < 2
    assert any(text.startswith("total (reaches") for text in said(ax))


@pytest.mark.parametrize(
    "name", ["gamma peaked", "poisson zero", "categorical mixed labels", "mixture of optionals", "mixture of poissons"]
)
def test_density_of_examples(name: str) -> None:
    e = next(e for e in EXAMPLES if e.name == name)
    for ax in (plot.density(e.law, e.data(50)), plot.density(e.law)):
        assert ax.lines or ax.collections or ax.patches
        assert np.isfinite(ax.get_ylim()).all()


@pytest.mark.parametrize("count", [9, 12])
def test_many_components_share_one_legend_entry(count: int) -> None:
    law = MixtureDistribution([N(float(k), 1.0) for k in range(count)], np.full(count, 1 / count))
    assert said(plot.density(law)) == ["total"]
    assert plot.responsibilities(law, [0.0, 3.0]).get_title() == f"{count} components, in order"


def test_density_says_what_it_cannot_draw() -> None:
    for law in (RECORDS, DiagonalGaussianDistribution([0.0], [1.0]), SequenceDistribution(N(0.0, 1.0), PoissonDistribution(2.0))):
        with pytest.raises(StructureError, match=r"density\(\) is of one number, time, count or label"):
            plot.density(law)
    with pytest.raises(StructureError, match="has no columns of numbers, times, counts or labels"):
        plot.columns(SequenceDistribution(N(0.0, 1.0), PoissonDistribution(2.0)))


# -- planes --------------------------------------------------------------------------------------------------------------


def test_contours_hold_their_share_of_the_mass() -> None:
    covar = np.array([[2.0, 0.6, 0.1], [0.6, 0.5, 0.0], [0.1, 0.0, 1.0]])
    law = MultivariateGaussianDistribution([1.0, -2.0, 0.0], covar)
    ax = plot.contours(law, law.sample(50, rng=1), fields=(2, 0), levels=(0.9, 0.5))
    inner, outer, centre = ax.get_lines()
    within = covar[np.ix_([2, 0], [2, 0])]
    for ellipse, share in ((inner, 0.5), (outer, 0.9)):
        apart = np.array(ellipse.get_data()) - [[0.0], [1.0]]
        squared = (apart * np.linalg.solve(within, apart)).sum(axis=0)
        np.testing.assert_allclose(1 - np.exp(-squared / 2), share, rtol=1e-9)  # chi squared with two degrees of freedom
    assert np.array(centre.get_data()).ravel().tolist() == [0.0, 1.0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("coordinate 2", "coordinate 0")


def test_contours_of_records_colour_rows_by_component() -> None:
    rows = [(0.0, 1.0, "a"), (5.0, 3.0, "c"), (5.0, None, "c")]
    ax = plot.contours(RECORDS, rows, labels=("size (m)", "mass (kg)"))
    (points,) = ax.collections
    assert points.get_offsets().tolist() == [[0.0, 1.0], [5.0, 3.0]]
    colours = [matplotlib.colors.to_hex(colour) for colour in points.get_facecolors()]
    assert colours == [matplotlib.colors.to_hex("C0"), matplotlib.colors.to_hex("C1")]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("size (m)", "mass (kg)")
    assert plot.contours(RECORDS).get_xlabel() == r"size \$a\$ b\$"
    with pytest.raises(StructureError, match="two Gaussian fields"):
        plot.contours(RECORDS, fields=(0, 2))
    with pytest.raises(StructureError, match="Gaussian vectors"):
        plot.contours(N(0.0, 1.0))


# -- posteriors ----------------------------------------------------------------------------------------------------------


def test_responsibilities_are_the_posteriors() -> None:
    data = [0.9, 3.0, -2.0, 1.5]
    ax = plot.responsibilities(TWO, data)
    joint = np.array([0.25 * pdf(np.array(data), -2, 1), 0.75 * pdf(np.array(data), 3, 0.25)])
    first = (joint / joint.sum(axis=0))[0]
    assert (first > 0.5).tolist() == [True, False, True, False]
    order = sorted(range(4), key=lambda i: (first[i] < 0.5, -max(first[i], 1 - first[i])))
    edges = [patch.get_data() for patch in ax.patches]
    np.testing.assert_allclose(edges[0].values, first[order])
    np.testing.assert_allclose(edges[1].values, 1)
    assert edges[0].edges.tolist() == [0, 1, 2, 3, 4]


def test_uncertainty_is_what_the_largest_posterior_leaves() -> None:
    data = TWO.sample(300, rng=2)
    ax = plot.uncertainty(TWO, data, threshold=0.2)
    x, y = ax.get_lines()[0].get_data()
    np.testing.assert_allclose(y, np.sort(1 - TWO.seq_posterior(data).max(axis=1)))
    assert x[-1] == 1
    assert ax.texts[0].get_text() == f"{(y > 0.2).mean():.1%} of rows above 0.2"


def test_posteriors_need_components_and_density() -> None:
    for show in (plot.responsibilities, plot.uncertainty):
        with pytest.raises(StructureError, match="has no components"):
            show(N(0.0, 1.0), [1.0])
        with pytest.raises(SupportError, match="row 1"):
            show(COUNTS, [1, -1])
    ab = CategoricalDistribution({"a": 0.5, "b": 0.5})
    joint = JointMixtureDistribution([N(0.0, 1.0), N(3.0, 1.0)], [ab, ab], [0.5, 0.5], None, np.full((2, 2), 0.5))
    assert said(plot.responsibilities(joint, [(0.0, "a")])) == [f"state {k}" for k in range(4)]


# -- comparison of tables --------------------------------------------------------------------------------------------------

REAL = [(1.0, "a", 1), (2.0, "b", 2), (4.0, "a", 2), (None, "a", 5)]
SYNTHETIC = [(1.5, "b", 1), (2.0, "b", 1), (3.0, "a", 2), (4.0, "c", 2), (4.0, None, 2)]


def test_a_column_of_numbers_beside_its_synthetic_one() -> None:
    report = compare(REAL, SYNTHETIC, classify=False)
    ax = plot.compared(report, "field 0")
    assert said(ax) == ["real (25% missing)", "synthetic (0% missing)"]
    for patch, x in zip(ax.patches, ([1.0, 2.0, 4.0], [1.5, 2.0, 3.0, 4.0, 4.0]), strict=True):
        heights, edges = np.histogram(x, np.linspace(1.0, 4.0, 11), density=True)
        xy = patch.get_xy()
        assert xy[:, 1].max() == pytest.approx(heights.max())
        assert (xy[:, 0].min(), xy[:, 0].max()) == (edges[0], edges[-1])


def test_columns_of_labels_and_of_few_whole_numbers_have_bars() -> None:
    report = compare(REAL, SYNTHETIC, classify=False)
    ax = plot.compared(report, "field 1")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b", "c", "missing"]
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.75, 0.25, 0.0, 0.0, 0.2, 0.4, 0.2, 0.2])
    counts = plot.compared(report, "field 2")
    assert [text.get_text() for text in counts.get_xticklabels()] == ["1", "2", "5"]
    assert [bar.get_height() for bar in counts.patches] == pytest.approx([0.25, 0.5, 0.25, 0.4, 0.6, 0.0])
    lists = plot.compared(compare([([1, 2],), ([],)], [([1],), ([2],)], classify=False), "field 0")
    assert lists.get_xlabel() == "length of field 0"
    with pytest.raises(StructureError, match=r"no column 'size' in this comparison; there are field 0, field 1, field 2"):
        plot.compared(report, "size")


@pytest.mark.parametrize(
    ("real", "synthetic", "inside"),
    [([1.5], [1.5, 1.5], 1.5), ([1.5, 2.5], [math.inf, 2.0], 2.0), ([1.0, 1.0 + 2**-52], [1.0], 1.0), ([1e300, 0.5], [1.5], 1.5)],
)
def test_columns_that_are_hard_to_bin(real: list[float], synthetic: list[float], inside: float) -> None:
    ax = plot.compared(compare([(x,) for x in real], [(x,) for x in synthetic], classify=False), "field 0")
    x, y = ax.patches[1].get_xy().T  # the outline, from left to right
    assert np.trapezoid(y, x) == pytest.approx(1)
    assert x[y > 0].min() <= inside <= x[y > 0].max()


def test_labels_of_bars_can_be_told_apart() -> None:
    large = plot.compared(compare([(10**12 + 1,), (10**12 + 2,)], [(10**12 + 2,)], classify=False), "field 0")
    assert [text.get_text() for text in large.get_xticklabels()] == ["1000000000001", "1000000000002"]
    report = compare([(f"label {i}",) for i in range(30)], [("label 29",)], classify=False)
    ax = plot.compared(report, "field 0")
    assert ax.get_xlabel() == "field 0 (12 most frequent of 30 labels)"
    assert ax.get_xticklabels()[0].get_text() == "label 29"


def test_an_empty_column_and_names_with_dollar_signs() -> None:
    real, other = ({"$x": [None, math.nan], "y$^{": [1.0, 3.0]}, {"$x": [1.0, 2.5], "y$^{": [0.0, -0.5]})
    report = compare(*(pd.DataFrame(side, dtype=object) for side in (real, other)), classify=False)
    for name in real:
        assert plot.compared(report, name).get_xlabel() == name.replace("$", r"\$")
    plot.dependence(report)


def test_dependence_of_pairs() -> None:
    report = compare(REAL, SYNTHETIC, classify=False)
    ax = plot.dependence(report)
    (points,) = [line for line in ax.get_lines() if line.get_linestyle() == "None" and line.get_color() == "C0"]
    assert points.get_xydata().tolist() == [[pair.real, pair.synthetic] for pair in report.pairs]
    worst = max(report.pairs, key=lambda pair: pair.gap)
    assert said(ax)[0] == " and ".join(worst.names)
    with pytest.raises(StructureError, match="one column"):
        plot.dependence(compare([(1.0,)], [(2.0,)], classify=False))


# -- records -------------------------------------------------------------------------------------------------------------


def test_history() -> None:
    ax = plot.history(RECORD)
    assert line(ax, "log likelihood")[1].tolist() == RECORD.history
    assert line(ax, "with the log prior")[1].tolist() == RECORD.objective
    assert ax.get_title() == "converged after 3 steps: -839.50"
    ax = plot.history(RECORD, remaining=True)
    assert line(ax, "log likelihood")[1][:3].tolist() == [60.5, 10.5, 0.5]
    assert ax.get_yscale() == "log"
    plain = Fit(TWO, "iteration limit", "", RECORD.history, RECORD.history, 0.1)
    assert len(plot.history(plain).get_lines()) == 1


def test_criteria_mark_the_least() -> None:
    ax = plot.criteria([(3, 120.0), (1, 140.0), (2, 110.0)])
    assert line(ax, "BIC")[1].tolist() == [140.0, 110.0, 120.0]
    assert said(ax) == ["BIC, least at 2"]
    ax = plot.criteria({"AIC": [(1, 3.0), (2, math.nan), (3, 2.0)], "BIC": [(1, 4.0), (2, 3.0), (3, 5.0)]}, label="states")
    assert said(ax) == ["AIC, least at 3", "BIC, least at 2"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("states", "criterion (smaller is better)")
    with pytest.raises(StructureError, match="BIC: has no finite value"):
        plot.criteria([(1, math.nan)])


def test_intervals() -> None:
    ax = plot.intervals(["a", "$b"], [1.0, 2.0], [0.5, 1.0], [1.5, 4.0], reference=0.0, label="length (mm)")
    (segments,) = [c.get_segments() for c in ax.collections]
    assert [segment.tolist() for segment in segments] == [[[0.5, 0], [1.5, 0]], [[1.0, 1], [4.0, 1]]]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "$b"]
    assert ax.get_ylim() == (1.5, -0.5)
    with pytest.raises(StructureError, match="equally many, got 1, 2, 1, 1"):
        plot.intervals(["a"], [1.0, 2.0], [0.0], [1.0])
    with pytest.raises(StructureError, match=r"interval of 'a' must have low <= high, got 2\.0 and 1\.0"):
        plot.intervals(["a"], [1.0], [2.0], [1.0])


# -- trees ---------------------------------------------------------------------------------------------------------------


def words(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_the_tree_shows_every_node_and_weight() -> None:
    ax = plot.tree(RECORDS)
    assert words(ax).count("composite") == 2
    assert words(ax).count("optional gaussian") == 2
    assert {"mixture", "0.300", "0.700", "field 1", "p=0.5, mu=1, sigma2=4"} <= set(words(ax))
    assert len(ax.patches) == 1 + 2 + 6


def test_boxes_of_the_tree_hold_their_text_and_do_not_overlap() -> None:
    for axes in (None, plt.subplots(2, 2)[1][1, 1]):
        ax = plot.tree(RECORDS, ax=axes)
        ax.figure.canvas.draw()
        boxes = [patch.get_window_extent() for patch in ax.patches]
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:i])
        inside = [text.get_window_extent() for text in ax.texts if text.get_ha() == "left"]
        for text in inside:
            assert any(b.x0 <= text.x0 and text.x1 <= b.x1 and b.y0 - 1 <= text.y0 and text.y1 <= b.y1 + 1 for b in boxes)


def test_a_large_tree_is_cut() -> None:
    wide = MixtureDistribution(
        [CompositeDistribution([GammaDistribution(1.0, 2.0) for _ in range(30)]) for _ in range(30)], np.full(30, 1 / 30)
    )
    ax = plot.tree(wide)
    assert len(ax.patches) < 90
    assert "… 18 more" in words(ax)
    assert outline(wide, 60).more == 18


def test_trees_of_estimators_and_odd_names() -> None:
    assert "composite" in " ".join(text.get_text() for text in plot.tree(RECORDS.estimator()).texts)
    odd = plot.tree(CategoricalDistribution({"$": 0.5, "^_{": 0.5}, name="$\\frac{$"))
    odd.figure.canvas.draw()
    assert "frac" in " ".join(text.get_text() for text in odd.texts)


# -- axes ----------------------------------------------------------------------------------------------------------------

SHOWS: list[Any] = [
    lambda ax: plot.density(TWO, [0.0, 1.0], ax=ax),
    lambda ax: plot.density(COUNTS, ax=ax),
    lambda ax: plot.density(LogGaussianDistribution(0.0, 1.0), ax=ax),
    lambda ax: plot.contours(RECORDS, ax=ax),
    lambda ax: plot.responsibilities(TWO, [0.0, 1.0], ax=ax),
    lambda ax: plot.uncertainty(TWO, [0.0, 1.0], ax=ax),
    lambda ax: plot.history(RECORD, ax=ax),
    lambda ax: plot.criteria([(1, 2.0)], ax=ax),
    lambda ax: plot.intervals(["a"], [1.0], [0.5], [1.5], ax=ax),
    lambda ax: plot.tree(TWO, ax=ax),
    lambda ax: plot.compared(compare(REAL, SYNTHETIC, classify=False), "field 1", ax=ax),
    lambda ax: plot.dependence(compare(REAL, SYNTHETIC, classify=False), ax=ax),
]


@pytest.mark.parametrize("show", SHOWS)
def test_a_plot_takes_and_returns_axes(show: Any) -> None:
    _, axes = plt.subplots(1, 2)
    assert show(axes[1]) is axes[1]
    assert len(plt.get_fignums()) == 1
    assert not axes[0].has_data()
    fresh = show(None)
    assert len(plt.get_fignums()) == 2
    assert fresh.figure.axes == [fresh]


@pytest.mark.parametrize("show", SHOWS)
def test_without_matplotlib_the_error_says_what_to_install(show: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"plots need matplotlib: pip install 'dmlcore\[plot\]'"):
        show(None)
