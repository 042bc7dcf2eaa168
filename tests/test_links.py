"""Relative links in the Markdown pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

from tests.pages import ROOT

LINK = re.compile(r"\[[^\]]*\]\(<?([^)<>\s]+)>?(?:\s+\"[^\"]*\")?\)")
BLOCK = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`[^`\n]+`")
FOLDERS = ("docs", "dmlcore", "tests", "benchmarks", "notebooks")


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])


def anchors(page: Path) -> set[str]:
    """Names of the headings, as they appear after `#` in a link."""
    headings = re.findall(r"^#+ +(.*?) *#*$", BLOCK.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    found = []
    for target in LINK.findall(SPAN.sub("", BLOCK.sub("", page.read_text("utf-8")))):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            found.append(f"{page.name}: {target}")
    return found


def test_relative_links_resolve() -> None:
    assert (ROOT / "README.md") in pages()
    assert [link for page in pages() for link in broken(page)] == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b` heading\n[ok](#a-b-heading) [no](#other) [gone](gone.md) `[code](code.md)`\n", "utf-8")
    assert broken(page) == ["page.md: #other", "page.md: gone.md"]
