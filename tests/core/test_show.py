"""Models as text and as HTML: what is there is shown, in bounded space, and nothing in a name or a label is markup."""

from __future__ import annotations

import io
import math
import sys
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import scipy.integrate

from dmlcore import fit, stats
from dmlcore.core.completion import ASKED
from dmlcore.core.component_table import component_table
from dmlcore.core.declared import name, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.html import html
from dmlcore.core.telling import information
from dmlcore.core.tree import outline, shown, tree
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeDistribution,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    HierarchicalMixtureDistribution,
    IgnoredDistribution,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianDistribution,
    NullDistribution,
    OptionalDistribution,
    PoissonDistribution,
    PoissonEstimator,
    SequenceDistribution,
)
from tests.examples import EXAMPLES, Example

every = pytest.mark.parametrize("e", EXAMPLES, ids=lambda e: e.name.replace(" ", "_"))
ab = CategoricalDistribution({"a": 0.9, "b": 0.1})
record = CompositeDistribution([GaussianDistribution(0.0, 1.0, name="size"), OptionalDistribution(PoissonDistribution(2.0), 0.25)])


TAGS, TABLE = {"div", "details", "summary", "b", "span", "i"}, {"table", "caption", "thead", "tbody", "tr", "th", "td"}


class Reader(HTMLParser):
    """Text and tags of HTML; fails where tags do not match."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_tree_of_a_mixture() -> None:
    other = record.replace(dists=[GaussianDistribution(3.0, 1e-7), OptionalDistribution(PoissonDistribution(8.0))])
    model = MixtureDistribution([record, other], [0.25, 0.75], name="visits", keys=("w", None))
    expected = """\
MixtureDistribution with 8 free parameters
           tells  component 1: 75%  component 0: 25%
field 0  * 100%   3 ± 0.000316      0 ± 1
field 1    46%    8 ± 2.83          2 ± 1.41; 25% missing

mixture 'visits'  keys=('w', None)
├─ 0.250  composite
│  ├─ field 0  gaussian 'size'  mu=0, sigma2=1
│  └─ field 1  optional poisson  p=0.25, lam=2
└─ 0.750  composite
   ├─ field 0  gaussian  mu=3, sigma2=1e-07
   └─ field 1  optional poisson  lam=8"""
    assert model.summary(tree=True).replace("\u00a0", " ") == expected
    assert expected.partition("\n\n")[2] == tree(model)


def test_the_tree_of_an_estimator_leaves_defaults_out() -> None:
    estimator = CompositeEstimator([GaussianEstimator(), GaussianEstimator((1.0, None), keys="k"), PoissonEstimator()])
    expected = """\
CompositeEstimator
composite
├─ field 0  gaussian
├─ field 1  gaussian  pseudo_count=(1.0, None), keys='k'
└─ field 2  poisson"""
    assert estimator.summary() == expected


def test_weights_stand_only_before_what_they_weigh() -> None:
    """A hierarchical mixture has as many weights here as nodes below it, of which one is the law of lengths."""
    model = HierarchicalMixtureDistribution([ab], [0.4, 0.6], [[1.0], [1.0]], PoissonDistribution(3.0))
    assert "w=[0.4, 0.6]" in tree(model)
    assert "├─ topics[0]  categorical" in tree(model)
    assert "└─ len_dist  poisson  lam=3" in tree(model)


def test_fixed_laws_are_shown_and_absent_ones_are_not() -> None:
    model = CompositeDistribution([IgnoredDistribution(PoissonDistribution(2.0)), SequenceDistribution(ab), NullDistribution()])
    assert "dist (fixed)  poisson  lam=2" in tree(model)
    assert tree(model).count("null") == 1


def test_an_object_at_several_places_is_shown_once() -> None:
    model = CompositeDistribution([MixtureDistribution([record, record], [0.5, 0.5]), record, record.dists[0]])
    text = tree(model)
    assert "0.500  composite  (#1)" in text
    assert "0.500  composite  (same as #1)" in text
    assert "field 1  composite  (same as #1)" in text
    assert "field 0  gaussian 'size'  mu=0, sigma2=1  (#2)" in text
    assert "field 2  gaussian 'size'  (same as #2)" in text
    assert text.count("poisson") == 1


def test_values_are_short() -> None:
    assert shown(np.array([1e-5, 20000.0, 1 / 3])) == "[1e-05, 2e+04, 0.3333]"
    assert shown(np.arange(100.0)) == "[0, 1, ..., 98, 99] of shape (100,)"
    assert shown({f"label {i}": i / 10 for i in range(5)}).startswith("{'label 4': 0.4, 'label 3': 0.3")
    many = CategoricalDistribution({f"label {i}" * 100: 1 / 1000 for i in range(1000)})
    assert len(tree(many)) < 600
    assert "... 994 more" in tree(many)
    assert len(tree(OptionalDistribution(ab, 0.5, missing_value="x" * 10**6))) < 300


def test_large_models_are_shown_in_bounded_space() -> None:
    wide = CompositeDistribution([MultivariateGaussianDistribution(np.arange(50.0), np.eye(50)) for _ in range(100)])
    model: Any = MixtureDistribution([wide, *(wide.replace() for _ in range(99))], np.full(100, 0.01))
    deep: Any = ab
    for _ in range(90):
        deep = CompositeDistribution([deep])
    for node in (model, CompositeDistribution([model] * 50), deep):
        shown = tree(node)
        assert len(shown.splitlines()) < 320
        assert len(shown) < 60_000
        assert len(html(node)) < 120_000
    assert tree(model).endswith("└─ ... 88 more")
    assert "└─ ... 1 more" in tree(CompositeDistribution([deep, deep.replace()]))


@every
def test_every_model_is_shown(e: Example) -> None:
    for node in (e.law, e.estimator):
        assert node.summary().startswith(type(node).__name__)
        page = Reader(node._repr_html_())
        for field, text in outline(node).parameters:
            assert f"{field} = {text}" in page.text
        assert page.tags <= TAGS | TABLE


def test_html_opens_and_closes_and_says_what_text_says() -> None:
    model = MixtureDistribution([record, record.replace(name="other")], [0.25, 0.75])
    page = Reader(model._repr_html_())
    assert page.tags == TAGS | TABLE - {"caption"}
    for word in ("MixtureDistribution with 5 free parameters", "0.250", "0.750", "composite 'other'", "mu = 0, sigma2 = 1", "same as #1"):
        assert word in page.text
    assert "<details open" not in model._repr_html_()  # the components stand side by side above the tree
    assert record._repr_html_().count("<details open") == 1


def test_the_states_of_a_chain_are_a_table() -> None:
    states = [GaussianDistribution(-1.0, 1.0, name="low"), GaussianDistribution(3.0, 4.0, name="high")]
    chain = stats.HiddenMarkovModelDistribution(states, [0.6, 0.4], [[0.9, 0.1], [0.0, 1.0]])
    assert chain.summary().split("\n\n")[1].replace("\u00a0", " ").splitlines() == [
        "States of hidden markov",
        "state  gives   first  to low  to high  mean stay  long run",
        "low    −1 ± 1  60%    90%     10%      10.0       0.0%",
        "high   3 ± 2   40%    0%      100%     ∞          100%",
    ]
    nested = MixtureDistribution([CompositeDistribution([chain.replace(name=name), ab]) for name in "xy"], [0.5, 0.5])
    page = Reader(nested._repr_html_())
    assert "States of x" in nested.summary()
    assert page.text.count("States of") == page.text.count("mean stay") == 2
    many = 20
    wide = stats.HiddenMarkovModelDistribution([GaussianDistribution(i, 1.0) for i in range(many)], np.full(many, 0.05), np.eye(many))
    assert "the first 12 of 20" in wide.summary()


HOSTILE = "<script>alert('x')</script>"


@pytest.mark.parametrize(
    "node",
    [
        CategoricalDistribution({HOSTILE: 0.5, ("&amp;", HOSTILE): 0.5}),
        GaussianDistribution(0.0, 1.0, name=HOSTILE),
        GaussianDistribution(0.0, 1.0, keys=HOSTILE),
        OptionalDistribution(ab, 0.5, missing_value=HOSTILE),
        stats.CategoricalEstimator(suff_stat={HOSTILE: 1.0}, pseudo_count=1.0),
    ],
    ids=["label", "name", "key", "value", "setting"],
)
def test_nothing_in_a_model_is_markup(node: Any) -> None:
    wrapped = CompositeDistribution([node, ab]) if hasattr(node, "log_density") else node
    page = Reader(wrapped._repr_html_())
    assert "script" not in page.tags
    assert "<script>alert(" in page.text


def test_names_of_fields_and_families_are_escaped_too() -> None:
    odd: Any = type(
        "A<b>Distribution", (Distribution,), {"__annotations__": {"name": "str | None", "x": Any}, "name": name(), "x": setting(1)}
    )
    page = Reader(html(odd(x=2)))
    assert "a<b>" in page.text


def test_lines_break_only_between_nodes() -> None:
    assert len(tree(CategoricalDistribution({"a\nb": 0.5, "c\u2028d": 0.5})).splitlines()) == 1
    assert len(tree(GaussianDistribution(0.0, 1.0, name="a\nb")).splitlines()) == 1


def test_components_of_records_stand_side_by_side() -> None:
    def law(mean: float, share: float) -> CompositeDistribution:
        kind = OptionalDistribution(CategoricalDistribution({"a": share, "b": 1 - share}), p=0.1)
        return CompositeDistribution({"size": GaussianDistribution(mean, 4.0), "kind": kind})

    model = MixtureDistribution([law(1.0, 0.25), law(1234.5, 1.0)], [0.3, 0.7])
    table = component_table(model)
    assert table is not None
    assert table.heads == ["component 1: 70%", "component 0: 30%"]
    assert table.fields == ["size", "kind"]
    plain = [[text.replace("\u00a0", " ") for text in line] for line in table.cells]
    assert plain == [["1234 ± 2", "1 ± 2"], ["a 100%; 10.0% missing", "b 75%, a 25%; 10.0% missing"]]
    assert table.tells[0] == pytest.approx(1.0)
    assert table.marked == [True, False]
    page = Reader(model._repr_html_())
    assert "1234\u00a0±\u00a02" in page.text
    assert "table" in page.tags
    assert component_table(MixtureDistribution([GaussianDistribution(0.0, 1.0)] * 2, [0.5, 0.5])) is None
    expected = """\
MixtureDistribution with 9 free parameters
        tells  component 1: 70%       component 0: 30%
size  * 100%   1234 ± 2               1 ± 2
kind    54%    a 100%; 10.0% missing  b 75%, a 25%; 10.0% missing

(summary(tree=True) shows the tree of all parameters)"""
    assert model.summary().replace("\u00a0", " ") == expected
    narrow = table.as_text(60).splitlines()
    assert [line.split(":")[0].split()[-2:] for line in narrow if "component" in line] == [["component", "1"], ["component", "0"]]
    record = fit([{"size": 1.0 + i % 7, "kind": "ab"[i % 2]} for i in range(40)], MixtureEstimator([law(1.0, 0.5).estimator()] * 2), rng=0)
    shown = Reader(record._repr_html_())
    assert record.message in shown.text
    assert "component 0" in shown.text


def test_what_a_column_tells_is_its_mutual_information_with_the_component() -> None:
    w = np.array([0.3, 0.7])
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    by_hand = sum(w[k] * p[k, x] * math.log(p[k, x] / (w @ p[:, x])) for k in range(2) for x in range(2))
    labels = [CategoricalDistribution({"a": a, "b": b}) for a, b in p.tolist()]
    assert information(labels, w) == pytest.approx(by_hand, rel=1e-12)
    half_missing = [OptionalDistribution(law, 0.5) for law in labels]
    assert information(half_missing, w) == pytest.approx(by_hand / 2, rel=1e-12)
    two = [GaussianDistribution(0.0, 1.0), GaussianDistribution(1.5, 4.0)]

    def gain(x: float, k: int) -> float:
        f = [law.density(x) for law in two]
        return float(w[k] * f[k] * math.log(f[k] / (w @ f)))

    exact = sum(scipy.integrate.quad(gain, -20, 25, args=(k,))[0] for k in range(2))
    assert information(two, w) == pytest.approx(exact, abs=5e-3)
    assert information([two[0], two[0]], w) == pytest.approx(0.0, abs=1e-12)


def test_text_is_ascii_where_the_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MixtureDistribution([record, record.replace(name="other")], [0.25, 0.75])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    text = model.summary(tree=True)
    assert text.isascii()
    assert "0 +- 1" in text
    assert "|- 0.250" in text


@every
def test_completion_shows_parameters_and_what_users_ask(e: Example) -> None:
    for node in (e.law, e.estimator):
        names = {name for name in dir(node) if not name.startswith("_")}
        assert {field for field, _ in node._fields} <= names
        assert names <= {field for field, _ in node._fields} | ASKED
    assert {"sample", "log_density", "plot"} <= set(dir(e.law))


def test_completion_shows_what_a_family_of_ones_own_adds() -> None:
    class Sized(GaussianDistribution):
        def size(self) -> float:
            return float(self.sigma2**0.5)

        def draw(self, size: int, rng: np.random.Generator) -> Any:
            return super().draw(size, rng)

    names = dir(Sized(0.0, 1.0))
    assert "size" in names
    assert "draw" not in names
    assert "__class__" in names
