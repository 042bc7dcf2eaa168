"""Reports: well-formed, self-contained, and their figures against brute force."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dmlcore
from dmlcore.base.errors import DataError, StructureError
from dmlcore.core.telling import largest_information
from dmlcore.core.words import number
from dmlcore.inference.surprise import cell_surprise
from dmlcore.reporting.markup import ON_PAPER, grid_of, nested_in_short
from dmlcore.reporting.oddness import Oddness
from dmlcore.reporting.profiles import law_in_words, told
from dmlcore.reporting.sections import _looked_at, rows_section
from dmlcore.reporting.subject import Subject
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    DirichletDistribution,
    GaussianDistribution,
    GaussianEstimator,
    HeterogeneousMixtureDistribution,
    IntegerCategoricalDistribution,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianEstimator,
    OptionalDistribution,
    PartialGaussianDistribution,
    PoissonDistribution,
    PoissonEstimator,
    SequenceDistribution,
)

pytestmark = pytest.mark.usefixtures("short_searches")

VOID = {"meta", "link", "br", "use", "path", "rect", "img", "hr", "input"}
NAMES = "age", "visits <per year>", "city"


class Nesting(HTMLParser):
    """Raises where tags do not nest; keeps what points elsewhere."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data + " "


def component(age: float, visits: float, oslo: float) -> CompositeDistribution:
    return CompositeDistribution(
        {
            NAMES[0]: GaussianDistribution(age, 25.0),
            NAMES[1]: PoissonDistribution(visits),
            NAMES[2]: OptionalDistribution(CategoricalDistribution({"Oslo": oslo, "Rome": 1 - oslo}), 0.1),
        }
    )


MODEL = MixtureDistribution([component(30.0, 4.0, 0.1), component(70.0, 4.0, 0.8)], [0.4, 0.6])


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    drawn: list[Any] = [tuple(row.values()) for row in MODEL.sample(120, rng=1)]
    return drawn


@pytest.fixture(scope="module")
def page(rows: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    record = CompositeEstimator({NAMES[0]: GaussianEstimator(), NAMES[1]: PoissonEstimator(), NAMES[2]: CategoricalEstimator()})
    whole = [row for row in rows if None not in row]
    chosen = dmlcore.select(lambda K: MixtureEstimator([record] * K), [1, 2], whole, rng=1, starts=2)
    path = tmp_path_factory.mktemp("report") / "report.html"
    dmlcore.report(chosen, whole, path, title="A & B")
    return path


def test_a_report_is_whole_and_points_nowhere(page: Path) -> None:
    text = page.read_text("utf-8")
    seen = Nesting(text)
    assert all(link.startswith(("#", "data:,")) for link in seen.links)
    assert not re.search(r"https?:|@import|url\((?!#)", text)
    for name in (*NAMES, "A & B", "component 1", "bic", "EM step"):
        assert name in seen.text
    assert "nothing to show" not in seen.text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert {link[1:] for link in seen.links if link.startswith("#")} <= set(ids)


@pytest.fixture
def browser(tmp_path: Path) -> list[str]:
    """A command that opens a page in chromium without a window."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no chromium")
    return [found, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0", f"--user-data-dir={tmp_path / 'own'}"]


def test_a_browser_opens_it_without_an_error(page: Path, browser: list[str], tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    done = subprocess.run([*browser, f"--screenshot={shot}", page.as_uri()], capture_output=True, text=True, timeout=120)
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert shot.stat().st_size > 10_000


def test_a_click_on_a_head_sorts_its_table(page: Path, browser: list[str], tmp_path: Path) -> None:
    click = "<script>document.querySelectorAll('#rows th')[1].click()</script></body>"
    clicked = tmp_path / "clicked.html"
    clicked.write_text(page.read_text("utf-8").replace("</body>", click + click), "utf-8")
    done = subprocess.run([*browser, "--dump-dom", clicked.as_uri()], capture_output=True, text=True, timeout=120)
    table = re.search(r'<section id="rows">.*?</table>', done.stdout, re.DOTALL)
    assert table
    assert 'aria-sort="descending"' in table[0]
    rows = re.findall(r"<tr>(<td.*?)</tr>", table[0])
    values = [float(re.findall(r'data-value="([^"]+)"', row)[1]) for row in rows]
    assert len(values) == 10
    assert values == sorted(values, reverse=True)


def test_surprise_of_a_cell_is_that_of_its_law_given_the_rest(rows: list[Any]) -> None:
    subject = Subject(MODEL, rows)
    found = cell_surprise(subject, np.arange(5))
    for i, row in enumerate(rows[:5]):
        for j, name in enumerate(NAMES):
            rest = {other: value for other, value in zip(NAMES, row, strict=True) if other != name}
            assert found[i, j] == pytest.approx(-dmlcore.condition(MODEL, rest).log_density(row[j]))
    assert subject.log_density == pytest.approx(MODEL.seq_log_density(rows))
    assert subject.posterior == pytest.approx(MODEL.seq_posterior(rows))


def test_columns_tell_as_much_as_their_mutual_information(rows: list[Any]) -> None:
    subject = Subject(MODEL, [tuple(row.values()) for row in MODEL.sample(4000, rng=2)])
    tells = told(subject)
    assert tells[0] == pytest.approx(largest_information(MODEL.w), rel=0.02)  # eight deviations apart
    assert tells[1] == pytest.approx(0.0, abs=1e-12)
    joint = np.outer(MODEL.w, [0.9]) * np.array([[0.1, 0.9], [0.8, 0.2]])
    exact = (joint * np.log(joint / joint.sum(axis=0) / MODEL.w[:, None])).sum()  # missing cells tell nothing
    assert tells[2] == pytest.approx(exact, rel=0.1)


def test_rows_without_a_coordinate_are_told_nothing_by_it() -> None:
    model = MixtureDistribution([PartialGaussianDistribution([mean, 0.0], np.eye(2)) for mean in (0.0, 3.0)], [0.5, 0.5])
    x = np.array(model.sample(40, rng=1))
    whole = told(Subject(model, x[1::2]))[0]
    x[::2, 0] = np.nan
    assert told(Subject(model, x))[0] == pytest.approx(whole / 2)


def test_rows_that_lack_cells_are_set_against_their_like(rows: list[Any]) -> None:
    gaps = np.array([None in row for row in rows])
    above = Oddness(Subject(MODEL, rows)).above_usual
    assert gaps.any()
    assert above[gaps].mean() == pytest.approx(0.0, abs=1e-9)
    assert above[~gaps].mean() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        pytest.param(component(30.0, 4.0, 0.1), [(30.0, 4, "Oslo"), (31.0, 2, None)], id="no mixture"),
        pytest.param(MODEL, [(30.0, 4, "Oslo"), (31.0, 2, "Paris")], id="density zero"),
        pytest.param(MODEL, [(None, 4, "Oslo"), (31.0, 2, None)], id="a gap the model has no law of"),
        pytest.param(
            MixtureDistribution([PoissonDistribution(1.0), PoissonDistribution(9.0)], [0.5, 0.5]), [1, 2, 7, 9], id="single values"
        ),
        pytest.param(GaussianDistribution(0.0, 1.0), [0.5, -0.2], id="one law"),
    ],
)
def test_reports_of_other_shapes(model: Any, data: Any) -> None:
    page = Nesting(dmlcore.report(model, data))
    assert "Least and most typical rows" in page.text
    assert "The model" in page.text


def test_reports_of_vectors_and_of_lists() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(size=(30, 2)), rng.normal(6.0, 1.0, size=(30, 2))])
    vectors = dmlcore.fit(x, MixtureEstimator([MultivariateGaussianEstimator()] * 2), rng=1, starts=1)
    assert "field 1" in Nesting(dmlcore.report(vectors, x)).text
    parts = [SequenceDistribution(CategoricalDistribution({"a": p, "b": 1 - p}), PoissonDistribution(4.0)) for p in (0.1, 0.8)]
    lists = MixtureDistribution(parts, [0.5, 0.5])
    Nesting(dmlcore.report(lists, lists.sample(20, rng=1)))


def test_of_many_rows_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dmlcore.reporting.subject.ROWS_SHOWN", 40)
    law = CompositeDistribution({"x": GaussianDistribution(0.0, 1.0)})
    assert "are of 40 evenly spaced rows of 90." in str(_looked_at(Subject(law, pd.DataFrame({"x": np.linspace(-1, 1, 90)}))))
    assert str(_looked_at(Subject(law, pd.DataFrame({"x": np.linspace(-1, 1, 40)})))) == ""


def test_cells_without_laws_have_no_surprise() -> None:
    subject = Subject(DirichletDistribution([1.0, 2.0]), np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]]))
    assert "Cells have no surprise of their own: dirichlet: conditioning on part" in str(rows_section(subject))
    assert subject.modelled == []


def test_nested_records_are_written_entry_by_entry() -> None:
    place = CompositeDistribution({"lat": GaussianDistribution(1.0, 4.0), "lon": PoissonDistribution(9.0)})
    assert law_in_words(place).replace("\u00a0", " ") == "lat 1 ± 2, lon 9 ± 3"
    assert nested_in_short({"lat": 1.23456, "tags": ["a", 2]}) == "lat 1.235, tags (a, 2)"
    assert nested_in_short("a") is None


def test_what_cannot_be_reported_is_named() -> None:
    with pytest.raises(DataError, match="at least one row"):
        dmlcore.report(MODEL, [])
    with pytest.raises(StructureError, match="needs a model"):
        dmlcore.report(GaussianEstimator(), [1.0])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.14159, "3.142"),
        (41234.0, "41,234"),
        (2008.0, "2008"),
        (2008.123, "2008"),
        (-0.012346, "−0.01235"),
        (1e-7, "1.000e−07"),
        (float("nan"), ""),
        (0, "0"),
        (-np.inf, "−∞"),
    ],
)
def test_numbers_have_four_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_laws_in_words() -> None:
    law = OptionalDistribution(GaussianDistribution(38.8, 7.29), 0.03)
    assert law_in_words(law).replace("\u00a0", " ") == "38.80 ± 2.70; 3.0% missing"
    labels = CategoricalDistribution({"a": 0.5, "b": 0.3, "c": 0.1, "d": 0.1})
    assert law_in_words(labels).replace("\u00a0", " ") == "a 50%, b 30%, c 10%, …"


def test_wide_tables_say_on_paper_what_each_cell_is() -> None:
    heads = [f"column {j}" for j in range(ON_PAPER)] + ['<b>"&']
    wide, narrow = grid_of(heads, [range(ON_PAPER + 1)]), grid_of(heads[:-1], [range(ON_PAPER)])
    assert '<table class="wide">' in wide
    assert 'data-head="column 0"' in wide
    assert 'data-head="&lt;b&gt;&quot;&amp;"' in wide
    assert "data-head" not in narrow
    Nesting(wide)


def test_zeros_beside_a_density_are_told_apart() -> None:
    zero = IntegerCategoricalDistribution(0, [1.0])
    law = MixtureDistribution(
        [HeterogeneousMixtureDistribution([zero, GaussianDistribution(m, 4.0)], [w, 1 - w]) for m, w in ((10.0, 0.5), (20.0, 0.25))],
        [0.4, 0.6],
    )
    assert law_in_words(law.components[0]).replace("\u00a0", " ") == "0 50%, else 10 ± 2"
    # 0.35 of zeros; of the others 0.2 have mean 10 and 0.45 have mean 20: 16.92 in all, variance 4 + 100 * 0.2 * 0.45 / 0.65^2 = 25.30
    assert law_in_words(law).replace("\u00a0", " ") == "0 35%, else 16.92 ± 5.03"
    spent = law.sample(200, rng=1)
    text = dmlcore.report(law, spent)
    assert "Not drawn" not in text
    assert "without 0: 35%" in text
    assert "anykind" not in text
