"""The code on the pages of docs/ runs from top to bottom, each page as one program in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from dmlcore import stats
from tests.pages import DOCS, has_code, run

ELSEWHERE = {"add_a_distribution.md", "unknown_values.md", "keeping_and_seeing.md"}  # run by tests that look at what they do
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if page.name not in ELSEWHERE and has_code(page)]


@pytest.mark.usefixtures("short_searches")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        assert len(run(page)) > 2  # its code left something behind
    finally:
        plt.close("all")


def test_the_reference_shows_every_family() -> None:
    pages = "".join(page.read_text("utf-8") for page in (DOCS / "api").glob("*.md"))
    shown = tuple(" ".join(re.findall(r"{exports} dmlcore\.stats\n:under: (.+)", pages)).split())
    assert [name for name in stats.__all__ if not getattr(stats, name).__module__.startswith(shown)] == []


def test_every_law_has_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "site"))
    from pictures import PICTURES, WITHOUT, picture

    laws = {name.removesuffix("Distribution") for name in stats.__all__ if name.endswith("Distribution")}
    assert set(PICTURES) | WITHOUT == laws
    assert "\n".join(picture("Gaussian")).count("mu 0, sigma2 4") == 1
    assert len(picture("Sequence")) > 8


@pytest.mark.usefixtures("short_searches")
def test_the_summary_on_the_page_is_the_one_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = DOCS / "keeping_and_seeing.md"
    test_the_code_of_a_page_runs(page, tmp_path, monkeypatch)
    shown = re.search(r"\n\n((?:    .*\n|\n(?=    ))+)", page.read_text("utf-8"))
    assert shown
    *lines, dots = [re.sub(r"[0-9.]+\b", "#", line[4:]) for line in shown[1].splitlines()]
    printed = re.sub(r"[0-9.]+\b", "#", capsys.readouterr().out.replace("\u00a0", " ")).splitlines()
    assert printed[: len(lines)] == lines  # numbers apart, which may change with the way of fitting
    assert dots == "..."
