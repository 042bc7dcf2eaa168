"""Plots as SVG inside a page: in its colours, light or dark, without a line that points elsewhere."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from typing import Any

from dmlcore.base.extras import library
from dmlcore.reporting.markup import Markup

FIGURE_SIZE = (5.2, 3.3)
INKS = ("#000000", "#262626", "#404040", "#4d4d4d", "#333333")  # of text and lines: the page's own
THINNED_FROM, THINNED_BELOW = 50, 0.7  # paths of more points are thinned: points nearer than this to the one before, in points of 1/72 inch
OF_DOCUMENTS = (r"<\?xml.*?\?>", r"<!DOCTYPE.*?>", r"<metadata>.*?</metadata>", r"<!--.*?-->", r' xmlns(:\w+)?="[^"]*"')


def svg(draw: Callable[[Any], Any], size: tuple[float, float] = FIGURE_SIZE, where: str = "picture") -> Markup:
    """What `draw` draws on axes of this size in inches, as a figure. Raises `LibraryError` without matplotlib."""
    figures = library("matplotlib.figure", "pictures in a report need")
    settings = {"svg.fonttype": "none", "svg.hashsalt": "dmlcore", "font.size": 10.0}
    with library("matplotlib", "pictures in a report need").rc_context(settings):
        figure = figures.Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        held = io.StringIO()
        figure.savefig(held, format="svg", transparent=True)
    text = held.getvalue()
    name = f"p{zlib.crc32(text.encode()):08x}"  # ids of several pictures on one page must differ
    return Markup(f'<figure class="{where}">{_of_page(text, name)}</figure>')


def _of_page(text: str, name: str) -> str:
    """An SVG document as an element of a page."""
    for pattern in OF_DOCUMENTS:
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    text = text.replace("xlink:href", "href")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text).replace("url(#", f"url(#{name}-")
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text)
    text = re.sub(r'(?<=\bd=")[^"]+', lambda found: _thinned(found[0]), text)
    for ink in INKS:
        text = text.replace(ink, "currentColor")
    return text.replace("#ffffff", "var(--paper)").replace("#d1d1d1", "var(--bar)").strip()


def _thinned(path: str) -> str:
    """A path without the points that lie so near the one before that no one sees them, in tenths of a point."""
    commands = re.findall(r"[A-Za-z][^A-Za-z]*", path)
    if len(commands) < THINNED_FROM:
        return path
    kept, last = [], None
    for command in commands:
        numbers = [float(x) for x in command[1:].split()]
        near = last is not None and command[0] == "L" and max(abs(a - b) for a, b in zip(numbers, last, strict=True)) < THINNED_BELOW
        if not near:
            kept.append(command[0] + " ".join(f"{x:.1f}" for x in numbers))
            last = numbers if command[0] in "ML" else None
    return "".join(kept)
