"""The list of planted bugs fits the source. `python -m tests.mutants` plants them."""

from __future__ import annotations

import pytest

from tests.mutants import MUTANTS, ROOT, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_planted_bugs_fit_the_source(mutant: Mutant) -> None:
    source = (ROOT / mutant.file).read_text("utf-8")
    assert source.count(mutant.old) == 1
    assert mutant.old != mutant.new
    compile(source.replace(mutant.old, mutant.new), mutant.file, "exec")
    assert (ROOT / mutant.tests[0]).exists()


def test_names_are_distinct() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_every_folder_has_a_planted_bug() -> None:
    package = ROOT / "dmlcore"
    folders = {path.parent for path in package.rglob("*.py") if path.name != "__init__.py"}
    assert folders - {(ROOT / mutant.file).parent for mutant in MUTANTS} == set()
