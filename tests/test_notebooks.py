"""Every notebook runs from top to bottom, and shows what is kept in it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import numpy as np
import pytest

from tests.notebooks import NOTEBOOKS, apart, code_cells, executed, kinds_of, text_of

SHOWN = {  # what must be among the results: BIC without and with the label that leaks, as the seed's document has them
    "imputation_and_synthetic_data": [],
    "mixture_models": [],
    "mixture_of_regressions": ["4210.23", "3822.66", "3770.84", "4138.50", "3774.48", "3731.61"],
}
REWRITE = "python -m tests.notebooks writes what notebooks show into them"


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(SHOWN)


@pytest.mark.filterwarnings("default")  # of the kernel's own machinery
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_shows_what_it_keeps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    kept, fresh = code_cells(nbformat.read(path, as_version=4)), code_cells(executed(path))
    assert [output.text for cell in fresh for output in cell.outputs if output.get("name") == "stderr"] == []
    for old, new in zip(kept, fresh, strict=True):
        (words, numbers), (words_now, numbers_now) = apart(text_of(old)), apart(text_of(new))
        assert words == words_now, REWRITE
        np.testing.assert_allclose(numbers_now, numbers, rtol=2e-3, atol=2e-3, err_msg=REWRITE)
        assert kinds_of(old) == kinds_of(new), REWRITE
    results = "".join(text_of(cell) for cell in fresh)
    assert [number for number in SHOWN[path.stem] if number not in results] == []
