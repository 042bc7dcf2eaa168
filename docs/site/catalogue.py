"""What the site needs of Sphinx: a directive that shows all that a package exports, and docstrings read as they are written."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from docutils.statemachine import StringList
from docutils.utils.math.latex2mathml import tex2mathml
from pictures import WITHOUT, picture

from dmlcore.core.distribution import Distribution

FORMS = ["mean", "variance", "mode", "entropy", "cdf", "quantile", "sf", "isf", "probabilities"]  # of those powers that readers look for
MEMBERS = ["   :members:", "   :exclude-members: kind, support, family, estimator_family"]

CODE = re.compile(r"(`[^`]+`)")
ARGUMENT = re.compile(r"^((?:[a-z_*][\w*]*|[A-Z])(?:=[^:\s]+)?(?:, [\w*]+)*(?: `[^`]*`)?): +(\S.*)")
WITHIN = re.compile(r"(?:^|(?<=[.;] ))(?=[a-z_]\w*(?:=[^\s:]+)?(?:, \w+)*(?: `[^`]*`)?: )")  # before each `argument: ` of a paragraph
LAST = re.compile(r" (?=Raises `)")


class Exports(Directive):
    """Every name in `__all__` of a package; with `:under:` those that are defined below some packages."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"under": directives.unchanged, "without": directives.unchanged}

    def run(self) -> list[Any]:
        package = importlib.import_module(self.arguments[0])
        names = set(package.__all__) - set(self.options.get("without", "").split())
        under = tuple(self.options.get("under", "").split() or [""])
        lines = ["````{eval-rst}"]
        for name in sorted(names, key=_place(package)):
            thing = getattr(package, name)
            if getattr(thing, "__module__", "").startswith(under):
                lines += [f".. {_kind(thing)}:: {package.__name__}.{name}", *(MEMBERS if inspect.isclass(thing) else []), ""]
                lines += [f"   {line}" for line in _picture(name)] + [""]
        node = self.state_machine.node.__class__()
        self.state.nested_parse(StringList([*lines, "````"], self.state_machine.document["source"]), self.content_offset, node)
        return node.children


def _place(package: Any) -> Any:
    """By the module that defines a name, so that an estimator stands below its distribution."""

    def key(name: str) -> tuple[str, str]:
        return (getattr(getattr(package, name), "__module__", "") if package.__name__ == "dmlcore.stats" else "", name.lower())

    return key


def _picture(name: str) -> list[str]:
    family = name.removesuffix("Distribution")
    return [] if family == name or family in WITHOUT else picture(family)


def _kind(thing: Any) -> str:
    if inspect.isclass(thing):
        return "autoexception" if issubclass(thing, BaseException) else "autoclass"
    return "autofunction" if callable(thing) and hasattr(thing, "__name__") else "autodata"


def as_written(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text with code in backticks, and no reStructuredText: it is made here, paragraph by paragraph."""
    paragraphs = [part for text in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")) for part in _apart(text)]
    if what == "class" and issubclass(thing, Distribution) and (able := [name for name in FORMS if hasattr(thing, name)]):
        paragraphs.append(f"Has {', '.join(f'`{name}`' for name in able)}.")
    lines[:] = [*"\n\n".join(map(_paragraph, paragraphs)).split("\n"), ""]


def _paragraph(text: str) -> str:
    lines = text.split("\n")
    if lines[0].startswith(">>>"):
        return text
    if lines[0].startswith("```"):
        return "\n    ".join([".. code-block:: python", "", *lines[1:-1]]).replace("\n    \n", "\n\n", 1)
    if all(line.startswith("    ") for line in lines):
        return "::\n\n" + text
    if ARGUMENT.match(lines[0]) and all(ARGUMENT.match(line) or line.startswith("    ") for line in lines):  # a list of arguments
        return "\n".join(ARGUMENT.sub(_entry, line) if ARGUMENT.match(line) else "  " + _plain(line.strip()) for line in lines)
    if all(line.startswith(("- ", "  ")) for line in lines):
        return _plain(text)
    return _plain("\n".join(line.strip() for line in lines))


def _apart(text: str) -> list[str]:
    """A paragraph that says several arguments one after the other, as what is said before, one line for each, and what is raised."""
    whole = re.sub(r"\s+", " ", text.strip())
    before, *entries = WITHIN.split(whole)
    if len(entries) < 2 or "\n    " in text or text.startswith((">>>", "```", "    ", "- ")):
        return [text]
    last, *raised = LAST.split(entries[-1], maxsplit=1)
    return [part for part in (before.strip(), "\n".join(entry.strip() for entry in (*entries[:-1], last)), *raised) if part]


def _entry(found: re.Match[str]) -> str:
    return f"- **{_plain(found[1])}**: {_plain(found[2])}"


def _plain(text: str) -> str:
    return "".join(f"`{part}`" if CODE.fullmatch(part) else re.sub(r"([\\*_|])", r"\\\1", part) for part in CODE.split(text))


def small_anchors(app: Any, page: str, source: list[str]) -> None:
    """Links within notebooks, which Jupyter wants with the capitals of the headings."""
    if page.startswith("notebooks/"):
        source[0] = re.sub(r"\]\(#([^)]+)\)", lambda found: f"](#{found[1].lower()})", source[0])


def without_empty_output(app: Any, document: Any, page: str) -> None:
    """A line that showed progress and was taken away leaves an output of no text in a notebook."""
    for block in [block for block in document.findall(nodes.literal_block) if not block.astext().strip()]:
        block.parent.remove(block)


def write_math(translator: Any, node: Any) -> None:
    """Formulas as MathML, which browsers show without a script from elsewhere."""
    formula = node.astext().replace(r"\dots", r"\ldots")  # the one of the two that docutils knows
    translator.body.append(tex2mathml(formula, as_block=isinstance(node, nodes.math_block)))
    raise nodes.SkipNode


def not_ours(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leaves out what scikit-learn gives its estimators to route metadata, whose docstrings are its own."""
    return True if re.fullmatch(r"set_\w+_request|get_metadata_routing", name) else None


def setup(app: Any) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (write_math, None), (write_math, None))
    app.add_directive("exports", Exports)
    app.connect("source-read", small_anchors)
    app.connect("doctree-resolved", without_empty_output)
    app.connect("autodoc-process-docstring", as_written)
    app.connect("autodoc-skip-member", not_ours)
    return {"parallel_read_safe": True}
