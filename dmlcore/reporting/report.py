"""A report: one file of HTML about a model and its data, which opens anywhere and asks for nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import dmlcore
from dmlcore.base.errors import DmlcoreError, LibraryError
from dmlcore.base.extras import library
from dmlcore.core.arguments import takes
from dmlcore.fitting.observe import watched
from dmlcore.io.files import replaced
from dmlcore.reporting.markup import Markup, note
from dmlcore.reporting.page import html_page
from dmlcore.reporting.sections import SECTIONS, lead_of
from dmlcore.reporting.subject import Subject


@takes(law="model")
def report(
    model: Any,
    data: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    columns: Sequence[str] | None = None,
    title: str | None = None,
    progress: bool = True,
) -> str:
    """A page of HTML that shows a model beside data: what the columns hold and which laws they got, how many components there are and
    why, what makes them different, the least and most typical rows, uncertain assignments, missing cells, and synthetic rows against real.

    model: a distribution, or what `fit` or `select` returned, which says more. data: rows, an array or a data frame, as the model reads
    them. path: where to write it (the file is replaced whole or not at all). columns: which columns of a frame the model reads, in order,
    or what the columns of rows are called. progress: as of `fit`. Returns the text. A part that cannot be made for a model says why in its
    place.

    Raises `LibraryError` without matplotlib, `DataError` where the data do not fit the model, `OSError` where the file cannot be written.
    """
    library("matplotlib", "pictures in a report need")
    subject = Subject(model, data, columns)
    name = title or f"{', '.join(subject.names[:4])}{', …' if len(subject.names) > 4 else ''}"
    lead = lead_of(subject)
    made = []
    with watched(progress) as watch:
        for i, (key, head, make) in enumerate(SECTIONS):
            watch.say(f"report: {head}", i, len(SECTIONS))
            made.append((key, head, _made(make, subject)))
    text = html_page(name, lead, made, f"Made by dmlcore {dmlcore.__version__}.")
    if path is not None:
        with replaced(path) as file:
            file.write(text.encode())
    return text


def _made(make: Any, subject: Subject) -> Markup:
    """A section; where the model or the data do not have what it shows, the reason."""
    try:
        return make(subject)  # type: ignore[no-any-return]
    except LibraryError:
        raise
    except DmlcoreError as error:
        return note(f"There is nothing to show here: {error}")
