"""Powers: declared once with what they mean, inherited by the families that have them, and asked for by name."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pytest

import dmlcore
from dmlcore.core import powers
from dmlcore.core.distribution import Distribution
from dmlcore.core.powers import HasCdf, HasMean, HasQuantile, MayBeMissing, Mixing, Univariate, has, members
from dmlcore.stats import (
    CategoricalDistribution,
    GaussianDistribution,
    IgnoredDistribution,
    MixtureDistribution,
    OptionalDistribution,
)

ROOT = Path(dmlcore.__file__).parent
POWERS = [power for _, power in vars(powers).items() if inspect.isclass(power) and Protocol in power.__mro__[1:]]
FAMILY = re.compile(r"(Gaussian|Poisson|Mixture|Categorical|Composite|Optional|Ignored|Null|Sequence|Chain)\w*(Distribution|Estimator)")
MAY_NAME = {
    "stats",
    "datasets",
    "demo.py",
    "utils",
    "regression",
    "proposal",
    "sklearn",
}  # families, data of them, and what makes models for users


def public_classes() -> list[type]:
    modules = [module.name for module in pkgutil.walk_packages(dmlcore.__path__, "dmlcore.") if not module.name.endswith("__main__")]
    found = [(name, value) for module in map(importlib.import_module, modules) for name, value in vars(module).items()]
    return list({value for name, value in found if inspect.isclass(value) and value.__module__ in modules and not name.startswith("_")})


def methods(cls: type) -> list[tuple[str, Any]]:
    fields = {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    kinds = (classmethod, staticmethod, property, cached_property)
    own = [(n, v) for n, v in vars(cls).items() if inspect.isfunction(v) or isinstance(v, kinds)]
    return [(n, v) for n, v in own if not n.startswith("_") and n not in fields]


def documented(cls: type, name: str) -> bool:
    """Whether a method or property says what it is for: where it is written, or where it is declared."""
    written = [vars(base).get(name) for base in cls.__mro__]
    return any(getattr(getattr(v, "__func__", v), "__doc__", None) for v in written if v is not None)


def test_every_public_method_says_what_it_is_for() -> None:
    classes = public_classes()
    assert len(classes) > 200
    assert [f"{c.__module__}.{c.__name__}.{name}" for c in classes for name, _ in methods(c) if not documented(c, name)] == []
    assert inspect.getdoc(GaussianDistribution.mean) == inspect.getdoc(HasMean.mean)


def families() -> list[type]:
    classes = [c for c in public_classes() if issubclass(c, Distribution) and c.__module__.startswith("dmlcore.stats")]
    return [c for c in classes if c.__module__ != "dmlcore.stats.combinators.fields"]


@pytest.mark.parametrize("power", POWERS, ids=lambda power: power.__name__)
def test_families_inherit_the_powers_they_have_and_write_them(power: Any) -> None:
    own = [name for name in members(power) if inspect.isfunction(getattr(power, name, None))]
    for family in families():
        if issubclass_of(family, power):
            assert all(getattr(family, name) is not getattr(power, name) for name in own), family
        elif len(members(power)) == 1 and own:
            assert not hasattr(family, own[0]), f"{family.__name__} has {own[0]}, and does not say so"


def issubclass_of(family: type, power: type) -> bool:
    return power in family.__mro__


def test_powers_are_asked_of_laws() -> None:
    gaussian, labels = GaussianDistribution(0.0, 1.0), CategoricalDistribution({"a": 1.0})
    assert has(gaussian, Univariate)
    assert not has(labels, HasMean)
    assert has(IgnoredDistribution(gaussian), HasQuantile)  # it passes on what it holds
    assert not has(IgnoredDistribution(labels), HasQuantile)
    assert has(OptionalDistribution(labels), MayBeMissing)
    assert has(MixtureDistribution([gaussian], [1.0]), Mixing)

    class Uniform(Distribution):
        """One of a user's own, that inherits none."""

        def cdf(self, x: Any) -> Any:
            return x

    assert has(Uniform(), HasCdf)
    assert not has(Uniform(), HasQuantile)
    assert has(None, HasCdf) is False


def names(path: Path) -> set[str]:
    """Names that a module's code holds, outside of its texts."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    out = {node.id for node in nodes if isinstance(node, ast.Name)} | {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return out | {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_no_module_outside_the_catalogue_names_a_family() -> None:
    paths = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in MAY_NAME]
    assert len(paths) > 80
    assert {str(path): sorted(filter(FAMILY.fullmatch, names(path))) for path in paths if any(map(FAMILY.fullmatch, names(path)))} == {}
    texts = [path for path in paths if re.search(r"family_name\(\) *[!=]=", path.read_text("utf-8"))]
    assert texts == []
