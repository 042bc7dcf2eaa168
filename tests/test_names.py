"""A name at the top level of a module means one thing in the package."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import dmlcore

PICTURES = {"responsibilities", "tree", "uncertainty"}  # what plots show has the names of what is computed
COMPILED = {"gather", "gather_many", "scatter", "scatter_many"}  # loops, and what chooses between them and NumPy
OF_MODELS = {"probability"}  # what a model says, and the domain of parameters that are one
OF_TABLES = {"fit", "impute"}  # those at the top level propose a model where none is given


def defined(path: Path) -> set[str]:
    out = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            out.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            out |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}
    return {name for name in out if not name.startswith("_")}


def test_top_level_names_mean_one_thing() -> None:
    modules = Counter(name for path in Path(dmlcore.__file__).parent.rglob("*.py") for name in defined(path))
    assert {name for name, count in modules.items() if count > 1} == PICTURES | COMPILED | OF_TABLES | OF_MODELS
