"""The sections of a report: each makes its part of the page from the subject, or says in a note why there is nothing to show."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dmlcore import plot
from dmlcore.base.errors import StructureError
from dmlcore.base.labels import plain
from dmlcore.core.flat import n_parameters
from dmlcore.core.html import html
from dmlcore.core.telling import largest_information
from dmlcore.core.words import label_and_share, mean_and_deviation, present
from dmlcore.data.frames import is_frame, with_only
from dmlcore.data.layouts import AnyKind, Anything, Count, Labels, Real
from dmlcore.data.times import Times, read_times
from dmlcore.data.values import is_hashable, is_time, plain_list
from dmlcore.inference.compare import compare
from dmlcore.inference.impute import impute
from dmlcore.inference.synthesise import synthesise
from dmlcore.plot.axes import as_written
from dmlcore.plot.posterior import uncertainty_of
from dmlcore.reporting.markup import (
    ON_PAPER,
    Entry,
    Markup,
    bold,
    grid_of,
    items,
    nested_in_short,
    note,
    number,
    paragraph,
    percent,
    share_entry,
    written_as_number,
)
from dmlcore.reporting.oddness import Oddness
from dmlcore.reporting.pictures import svg
from dmlcore.reporting.profiles import law_in_words, told
from dmlcore.reporting.subject import Subject
from dmlcore.stats.latent.spikes import Spiked, spiked

MAX_PICTURES = 24  # of columns
SHOWN_ROWS = 10  # of the most and the least typical, of uncertain ones, of filled cells
TOP_LABELS = 3
UNSURE = 0.1  # more than this left to other components is uncertain
HEAT = (2.0, 4.0, 8.0)  # nats above the usual from which a cell is marked more and more strongly
SYNTHETIC_ROWS = 2000
NUMBERS = (Real, Count)


# -- data --------------------------------------------------------------------------------------------------------------


def columns_section(subject: Subject) -> Markup:
    """What the table holds, column by column."""
    rows = [_column_row(subject, j) for j in range(len(subject.names))]
    heads = ["column", "holds", "missing", "distinct", "least", "median", "largest", "most frequent"]
    proposal: Any = subject.proposal
    proposed = "" if proposal is None else f'<h3>What was proposed, and why</h3><div class="scroll">{proposal._repr_html_()}</div>'
    return Markup(grid_of(heads, rows) + _looked_at(subject) + proposed)


def _column_row(subject: Subject, j: int) -> list[Any]:
    inner = subject.held(j)
    kinds: dict[Any, str] = {
        Real: "real numbers",
        Count: "whole numbers",
        Labels: "labels",
        AnyKind: "of several kinds",
        Anything: "not modelled",
    }
    kind = kinds.get(type(inner), type(inner).__name__.lower())
    values = subject.present(j, subject.sample)
    distinct: Any = len(set(values)) if all(map(is_hashable, values[:1])) else ""
    row: list[Any] = [Markup(bold(subject.names[j])), kind, share_entry(subject.missing[j].mean()), distinct]
    if values and (isinstance(inner, NUMBERS) or (isinstance(inner, AnyKind) and all(map(written_as_number, values)))):
        return [*row, *(float(q) for q in np.quantile(np.asarray(values, dtype=np.float64), [0, 0.5, 1])), ""]
    if isinstance(inner, Times) and values:
        ordered = np.sort(read_times(values)[0])
        return [*row, *(str(plain(ordered[i])) for i in (0, len(ordered) // 2, -1)), ""]
    often = Counter(values).most_common(TOP_LABELS) if isinstance(inner, Labels) else []
    return [*row, "", "", "", ", ".join(label_and_share(label, count / len(values)) for label, count in often)]


def _looked_at(subject: Subject) -> Markup:
    if len(subject.sample) == subject.n:
        return Markup("")
    return note(f"Distinct values, quantiles, profiles and pictures are of {len(subject.sample):,} evenly spaced rows of {subject.n:,}.")


# -- components --------------------------------------------------------------------------------------------------------


def number_section(subject: Subject) -> Markup:
    """How many components there are, and why."""
    K, selection = len(subject.components), subject.selection
    head = paragraph(
        bold(f"{K} components") if K else bold("One law for all rows"), ": the model ", "is a mixture." if K else "is no mixture."
    )
    if selection is None:
        alone = "A model alone does not say how its number of components was chosen; what fit or select returned does."
        return Markup(head + note(alone if subject.fit is None else "The number was given."))
    chosen = paragraph("Of ", len(selection.values), " candidates, ", bold(selection.value), f" has the best {selection.criterion}.")
    heads = list(selection.rows[0])
    rows: Any = [[Entry(row[head], degree=2 * (i == selection.best_index)) for head in heads] for i, row in enumerate(selection.rows)]
    said = items(selection.remarks) if selection.remarks else ""
    return Markup(head + chosen + grid_of(heads, rows) + said + svg(lambda ax: selection.plot(ax)))


def difference_section(subject: Subject) -> Markup:
    """The components side by side, the columns that tell most first."""
    if not subject.components:
        laws = [[bold(subject.names[j]), law_in_words(subject.totals[j])] for j in subject.modelled]
        return grid_of(["column", "law"], laws)
    tells, there = told(subject), largest_information(subject.w)
    shares = [Markup(f"{name}<br>{percent(w)}") for name, w in zip(subject.component_names, subject.w, strict=True)]
    rows: Any = [
        [
            bold(subject.names[j]),
            Entry(float(tells[j]), percent(min(tells[j] / there, 1.0))),
            *(law_in_words(laws[j]) for laws in subject.laws),
            law_in_words(subject.totals[j]),
        ]
        for j in _most_telling(subject, tells)
    ]
    said = note(
        "tells: how much of what there is to know about the component of a row this column alone tells (mutual information of column and "
        f"component, as a share of the entropy of the component, {number(there, 3)} nats). Numbers: mean ± standard deviation. Labels: the "
        "most probable. Under the names of components stand their weights."
    )
    return Markup(said + grid_of(["column", "tells", *shares, "all"], rows))


def _most_telling(subject: Subject, tells: np.ndarray) -> list[int]:
    """The columns that have a law, those that tell most first."""
    return sorted(subject.modelled, key=lambda j: -np.nan_to_num(tells[j], nan=-1.0))


def densities_section(subject: Subject) -> Markup:
    """The law of each column over its data."""
    order = _most_telling(subject, told(subject) if subject.components else np.zeros(len(subject.names)))
    drawn = [j for j in order if isinstance(subject.held(j), (*NUMBERS, Labels, Times)) or _beside_spikes(subject, j) is not None]
    pictures = "".join(_density(subject, j) for j in drawn[:MAX_PICTURES])
    others = [subject.names[j] for j in order if j not in drawn]
    said = [
        note(f"The {MAX_PICTURES} columns that tell most of {len(drawn)}.") if len(drawn) > MAX_PICTURES else "",
        note(f"Not drawn, as they hold no single numbers or labels: {', '.join(others)}.") if others else "",
    ]
    return Markup(f'<div class="pictures">{pictures}</div>{"".join(said)}')


def _density(subject: Subject, j: int) -> Markup:
    law, values, label = subject.totals[j], subject.present(j, subject.sample), as_written(subject.names[j])
    if (apart := _beside_spikes(subject, j)) is not None:
        law, values = apart.others(), [value for value in values if value not in apart.spikes]
        label += f" (without {', '.join(f'{value:g}: {percent(share)}' for value, share in sorted(apart.spikes.items()))})"
    return svg(lambda ax: plot.density(law, values, label=label, ax=ax), where="")


def _beside_spikes(subject: Subject, j: int) -> Spiked | None:
    """The law of a column taken apart, where some of its values have a probability of their own, and the others a law to draw."""
    apart = spiked(present(subject.totals[j])[0])
    return None if apart is None or apart.others() is None else apart


# -- rows --------------------------------------------------------------------------------------------------------------


def rows_section(subject: Subject) -> Markup:
    """The least typical rows with the cells that make them so, and the most typical ones."""
    oddness = Oddness(subject)
    least, most = oddness.order[:SHOWN_ROWS], oddness.order[::-1][:SHOWN_ROWS]
    try:
        excess = oddness.excess(least)
        said = (
            "The log density of a row is set against the average of rows that lack the same cells and hold as much in lists. Marked cells "
            "are odd: their surprise, minus the log density of the cell given the rest of its row, is that many nats above what it is for "
            "this column on average. "
            "Rows are counted from 0."
        )
    except StructureError as error:
        excess, said = np.zeros((len(least), len(subject.names))), f"Cells have no surprise of their own: {error}"
    heads = ["row", "log density", "less the average"]
    scores = {i: [i, float(subject.log_density[i]), float(oddness.above_usual[i])] for i in [*least.tolist(), *most.tolist()]}
    odd = [[*scores[i], _odd(subject, own), *_marked(subject, i, own)] for i, own in zip(least.tolist(), excess, strict=True)]
    usual = [[*scores[i], *_cells_of(subject, i)] for i in most.tolist()]
    return Markup(
        note(said)
        + grid_of([*heads, "what is odd", *subject.names], odd, "Least typical")
        + grid_of([*heads, *subject.names], usual, "Most typical")
    )


def _odd(subject: Subject, excess: np.ndarray) -> str:
    """The two cells that are oddest."""
    worst = [j for j in np.argsort(-excess, kind="stable")[:2].tolist() if excess[j] >= HEAT[0]]
    return "; ".join(f"{subject.names[j]}\u00a0+{number(excess[j], 3)}" for j in worst) or "no single cell"


def _marked(subject: Subject, i: int, excess: np.ndarray) -> list[Entry]:
    return [
        replace(cell, degree=sum(own >= heat for heat in HEAT), why=f"{number(own, 3)} nats above the usual")
        for cell, own in zip(_cells_of(subject, i), excess.tolist(), strict=True)
    ]


def _cells_of(subject: Subject, i: int) -> list[Entry]:
    """The cells of a row, numbers as they are in the data."""
    return [_as_in_data(column[i], bool(gone[i])) for column, gone in zip(subject.columns, subject.missing, strict=True)]


def _as_in_data(value: Any, missing: bool) -> Entry:
    if missing:
        return Entry(Markup('<span class="note">missing</span>'))
    if is_time(value):
        return Entry(str(plain(value)))
    return Entry(value, f"{value:.10g}" if written_as_number(value) else nested_in_short(value))


def uncertain_section(subject: Subject) -> Markup:
    """Rows that could be of several components."""
    if not subject.components:
        return note("The model is no mixture: there are no assignments.")
    posterior, names = subject.posterior, subject.component_names
    sure = np.nan_to_num(posterior.max(axis=1), nan=1.0)
    unsure = int((1 - sure > UNSURE).sum())
    order = np.argsort(sure, kind="stable")[: min(SHOWN_ROWS, unsure)]
    head = paragraph(
        f"Of {len(sure):,} rows, ",
        bold(f"{unsure:,} ({percent(unsure / len(sure))})"),
        f" leave more than {percent(UNSURE)} to other components.",
    )
    rows = []
    for i in order.tolist():
        first, second = np.argsort(-posterior[i], kind="stable")[:2].tolist()
        row = int(subject.sample[i])
        sure_of = [(names[k], share_entry(posterior[i, k])) for k in (first, second)]
        rows.append([row, *sure_of[0], *sure_of[1], *_cells_of(subject, row)])
    heads = ["row", "most probable", "probability", "next", "probability", *subject.names]
    known = posterior[~np.isnan(posterior).any(axis=1)]
    picture = svg(lambda ax: uncertainty_of(known, ax, UNSURE))
    return Markup(head + picture + (grid_of(heads, rows, "Least certain") if rows else ""))


# -- fits and cells ----------------------------------------------------------------------------------------------------


def fit_section(subject: Subject) -> Markup:
    """How the fit went."""
    fit = subject.fit
    if fit is None:
        return note("A model alone was given, which does not say how it was fitted; give what fit returned to see it here.")
    facts = [
        f"{fit.status}: {fit.message}",
        f"log likelihood {number(fit.log_likelihood, 7)} after {fit.iterations} EM steps, {number(fit.seconds, 3)} s",
    ]
    if fit.starts:
        facts.append(f"{len(fit.starts)} starts; {fit.reached} of the {fit.ended} that ran to their end came to the best optimum found")
    facts += [str(event) for event in fit.events[:SHOWN_ROWS]]
    moved = len(set(fit.history)) > 1
    picture = svg(lambda ax: plot.history(fit, remaining=True, ax=ax)) if moved else ""
    return Markup(items(facts) + picture)


def filled_section(subject: Subject) -> Markup:
    """What missing cells are filled with."""
    gaps = sum(int(gone.sum()) for gone in subject.missing)
    if not gaps:
        return note("No cell is missing.")
    cells = impute(subject.model, _rows(subject, subject.sample), columns=subject.names).cells
    total, each = [], []
    for name, cell in cells.items():
        values = plain_list(cell.values) if isinstance(cell.values, np.ndarray) else list(cell.values)
        if is_time(values[0]):
            middle: Any = str(sorted(values)[len(values) // 2])
            values = list(map(str, values))
        else:
            middle = float(np.mean(values)) if cell.measure == "standard deviation" else _most_frequent(values)
        sure = ("± " if cell.measure == "standard deviation" else "probability ") + number(float(np.mean(cell.uncertainty)), 3)
        total.append([bold(name), len(cell.rows), middle, sure])
        each += [
            (int(subject.sample[i]), name, v, float(u), cell.measure) for i, v, u in zip(cell.rows, values, cell.uncertainty, strict=True)
        ]
    shown = sorted(each, key=lambda line: line[0])[:SHOWN_ROWS]
    head = paragraph(f"{gaps:,} cells are missing. Each is filled from its law given the other cells of its row.")
    return Markup(
        head
        + grid_of(["column", "filled", "mean, middle or most frequent", "how sure, on average"], total)
        + grid_of(["row", "column", "filled with", "uncertainty", "which is a"], shown, f"The first {len(shown)}")
    )


def _most_frequent(values: Sequence[Any]) -> str:
    if not all(map(is_hashable, values[:1])):
        return ""
    label, count = Counter(values).most_common(1)[0]
    return f"{label} ({percent(count / len(values))})"


def synthetic_section(subject: Subject) -> Markup:
    """Draws of the model beside the data."""
    rows = subject.sample[np.unique(np.linspace(0, len(subject.sample) - 1, SYNTHETIC_ROWS).astype(np.intp))]
    real, drawn = _both_tables(subject, rows)
    classify = len(rows) >= 20 and importlib.util.find_spec("sklearn") is not None
    found = compare(real, drawn, classify=classify, rng=0)
    heads = ["column", "distance", "real", "synthetic", "missing, real", "missing, synthetic"]
    lines = [
        [bold(m.name), m.distance, _side(m.kind, m.real), _side(m.kind, m.synthetic), *map(share_entry, m.missing)] for m in found.marginals
    ]
    said = note(
        f"As many rows drawn from the model as are compared ({len(rows):,}). distance: of numbers the largest gap between the distribution "
        "functions, of labels half the sum of gaps between shares; 0 if alike."
    )
    told_apart = ""
    if found.classifier is not None:
        c = found.classifier
        told_apart = paragraph(
            "A classifier that tries to tell synthetic rows from real ones reaches ",
            bold(number(c.auc, 3)),
            f" on {c.rows:,} rows held out (area under the curve; 0.5 if it cannot, 1 if it always can).",
        )
    picture = svg(lambda ax: plot.dependence(found, ax=ax), (4.8, 4.6)) if found.pairs else ""
    return Markup(told_apart + said + grid_of(heads, lines) + picture)


def _both_tables(subject: Subject, rows: np.ndarray) -> tuple[Any, Any]:
    """Some real rows and as many drawn ones; drawn like a frame, where the data are one."""
    frame = subject.table.data
    if is_frame(frame):
        drawn = synthesise(subject.model, len(rows), 0, like=frame, columns=subject.table.names)
        real = with_only(frame, subject.table.places)
        if len(rows) == subject.n:
            return real, drawn
        return [_named_cells(subject, row) for row in _rows(subject, rows)], drawn
    sides = _rows(subject, rows), synthesise(subject.model, len(rows), 0)
    real, drawn = ([_named_cells(subject, row) for row in side] for side in sides)
    return real, drawn


def _named_cells(subject: Subject, row: Any) -> Mapping[str, Any]:
    if isinstance(row, Mapping):
        row = [row.get(column.key) for column in subject.table.read]
    return dict(zip(subject.names, (row,) if subject.table.single else row, strict=True))


def _side(kind: str, side: tuple[Any, float]) -> str:
    return label_and_share(*side) if kind == "label" else mean_and_deviation(*side)


def _rows(subject: Subject, rows: np.ndarray) -> list[Any]:
    """Rows as the model reads them."""
    columns = [subject.values(j, rows) for j in range(len(subject.names))]
    plain = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns]
    if subject.table.single:
        return list(plain[0])
    names, each = getattr(subject.model.layout, "names", None), zip(*plain, strict=True)
    return list(each) if names is None else [dict(zip(names, row, strict=True)) for row in each]


def tree_section(subject: Subject) -> Markup:
    """The whole model."""
    kind = "tree wide" if len(subject.components) + 1 > ON_PAPER // 2 else "tree"
    return Markup(f'<div class="{kind}">{html(subject.model)}</div>')


def lead_of(subject: Subject) -> Markup:
    """The first lines of a report."""
    K, log = len(subject.components), subject.log_density
    what = f"A mixture of {K} components" if K else f"A {subject.model.family_name()} model"
    zero = int((log == -np.inf).sum())
    parts = [
        f"{what} with {n_parameters(subject.model):,} free parameters, beside {subject.n:,} rows of {len(subject.names)} ",
        f"column{'s' * (len(subject.names) != 1)}. ",
        f"Mean log density of a row: {number(float(log[log > -np.inf].mean()) if zero < len(log) else -np.inf)} nats",
        f"; {zero:,} rows have density zero under the model." if zero else ".",
    ]
    return Markup(f'<p class="lead">{"".join(map(written_in_full, parts))}</p>')


def written_in_full(text: str) -> Markup:
    """Text of the library's own, which may be longer than a cell."""
    return Markup(text.replace("&", "&amp;").replace("<", "&lt;"))


SECTIONS: tuple[tuple[str, str, Callable[[Subject], Markup]], ...] = (
    ("columns", "Columns", columns_section),
    ("number", "Number of components", number_section),
    ("differences", "What makes components different", difference_section),
    ("densities", "Fitted laws over the data", densities_section),
    ("rows", "Least and most typical rows", rows_section),
    ("uncertain", "Uncertain assignments", uncertain_section),
    ("fit", "The fit", fit_section),
    ("filled", "Missing cells", filled_section),
    ("synthetic", "Synthetic against real", synthetic_section),
    ("model", "The model", tree_section),
)
