"""The summary of a mixture of regressions: tables of coefficients with standard errors, and how the fit went."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from dmlcore.core.text_tables import as_html, as_text
from dmlcore.inference.uncertainty.result import StandardErrors
from dmlcore.regression.responses import FAMILIES, Family
from dmlcore.stats.latent.gated_mixture import GatedMixtureDistribution
from dmlcore.stats.sequences.sequence import SequenceDistribution

INTERCEPT_ROW = "(intercept)"
TINY_P = "<2e-16"  # p-values below this are not told apart


@dataclass(frozen=True, repr=False)
class Summary:
    """Printed as text, in a notebook as HTML.

    rows: one dictionary per number: part ("component 0", ..., "gate 1", ...), term, estimate, error, z, p, note. head, foot: lines above
    and below. titles: the line above the coefficients of each part.
    """

    head: str
    rows: tuple[dict[str, Any], ...]
    titles: dict[str, str]
    foot: tuple[str, ...]

    def __str__(self) -> str:
        blocks = [self.head]
        for part, title in self.titles.items():
            own = self._of(part)
            blocks.append(f"{title}\n{as_text(own)}" if own else title)
        return "\n\n".join([*blocks, "\n".join(self.foot)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        tables = [as_html(own, title) if (own := self._of(part)) else f"<p>{escape(title)}</p>" for part, title in self.titles.items()]
        return "".join([f"<p>{escape(self.head)}</p>", *tables, *(f"<p>{escape(line)}</p>" for line in self.foot)])

    def _of(self, part: str) -> list[dict[str, Any]]:
        """The rows of one part that are coefficients, without columns that say nothing."""
        own = [row for row in self.rows if row["part"] == part and row["z"] is not None]
        shown = ("term", "estimate", "error", "z", "p") + (("note",) if any(row["note"] for row in own) else ())
        return [{key: row[key] for key in shown} | {"p": TINY_P if row["p"] < float(TINY_P[1:]) else row["p"]} for row in own]


def summarised(fitted: Any, errors: StandardErrors) -> Summary:
    """The summary of a fitted `MixtureRegression`. Of several responses each has a part of its own, such as "component 0, y1"."""
    model, schema = fitted.model_, fitted._schema
    numbers = {row["parameter"]: row for row in errors.rows()}
    rows: list[dict[str, Any]] = []
    titles: dict[str, str] = {}
    gated = isinstance(model, GatedMixtureDistribution)
    several = len(schema.responses) > 1
    K = len(fitted.weights_)
    for k in range(K):
        whole, path = f"component {k}", f"components[{k}]" + (".dist" if isinstance(model.components[k], SequenceDistribution) else "")
        head = [_number(whole, "weight", fitted.weights_[k], None if gated else numbers.get(f"w[{k}]"))]
        if several:  # the weight has a line of its own
            titles[whole], rows, head = _title(whole, head), rows + head, []
        for j, response in enumerate(schema.responses):
            part, place = (f"{whole}, {response.name}", f"{path}.dists[{j}]") if several else (whole, path)
            family, mine = FAMILIES[response.family], _with_shared(numbers, place, fitted._laws()[k][j])
            own = head + ([] if family.field is None else [_scale(part, family, mine[f"{place}.{family.field}"])])
            titles[part] = _title(part, own)
            rows += own + _coefficients(part, mine, place, "", schema.names_of(response))
    for c in range(1, K if gated else 1):
        part = f"gate {c}"
        titles[part] = f"{part}: log odds of component {c} against component 0"
        rows += _coefficients(part, numbers, "gate", f"{c - 1}", fitted.gate_names_)
    count, unit = fitted.n_rows_
    families = " and ".join(dict.fromkeys(response.family for response in schema.responses))
    said = f"Mixture of {K} {families} regression{'s' * (K > 1)} of {count:g} {unit}"
    return Summary(said, tuple(rows), titles, _foot(fitted, errors))


def _with_shared(numbers: dict[str, Any], path: str, law: Any) -> dict[str, Any]:
    """The numbers by name, and under the names of one regression those that it shares."""
    out = dict(numbers)
    shared = {name.split(".common.")[1]: row for name, row in numbers.items() if ".common." in name}
    for place, key in law.tied:
        field = "scale" if place == law.scale_field else "coef"
        own = f"coef[{place}]" if isinstance(place, int) else place
        out[f"{path}.{own}"] = shared[f"{field}[{key!r}]"] | {"note": "shared"}
    return out


def _title(part: str, rows: list[dict[str, Any]]) -> str:
    return f"{part}: " + ", ".join(map(_said, rows)) if rows else part


def _foot(fitted: Any, errors: StandardErrors) -> tuple[str, ...]:
    record = fitted.fit_
    lines = [
        f"log likelihood {record.log_likelihood:.4f}, BIC {fitted.bic():.4f}, AIC {fitted.aic():.4f}, ICL {fitted.icl():.4f}",
        f"status: {record.status} ({record.message})",
    ]
    if record.starts:
        lines.append(
            f"starts: {len(record.starts)}; {record.ended} were followed to their end, {record.reached} of them to the best value found"
        )
    if errors.kind != "observed":
        lines.append(f"standard errors: {errors.kind}")
    return tuple(lines + [f"note: {event}" for event in record.events])


def _coefficients(part: str, numbers: dict[str, Any], path: str, row: str, names: Any) -> list[dict[str, Any]]:
    """The intercept and the coefficients under a path; `row`: which row of a matrix of them."""
    found = [(INTERCEPT_ROW, f"{path}.intercept[{row}]" if row else f"{path}.intercept")]
    found += [(str(name), f"{path}.coef[{row}, {j}]" if row else f"{path}.coef[{j}]") for j, name in enumerate(names)]
    return [_row(part, term, numbers[place], z=True) for term, place in found if place in numbers]


def _row(part: str, term: str, number: dict[str, Any], z: bool) -> dict[str, Any]:
    tests = {"z": number["z"], "p": number["p"]} if z else {"z": None, "p": None}
    return {"part": part, "term": term, "estimate": number["estimate"], "error": number["error"], **tests, "note": number["note"]}


def _number(part: str, term: str, value: float, number: dict[str, Any] | None) -> dict[str, Any]:
    return _row(part, term, {"estimate": float(value), "error": np.nan, "note": ""} | (number or {}), z=False)


def _scale(part: str, family: Family, number: dict[str, Any]) -> dict[str, Any]:
    """The scale, its error by the delta method."""
    value = number["estimate"]
    moved = number | {"estimate": family.scale(value), "error": abs(family.slope(value)) * number["error"]}
    return _row(part, family.scale_name, moved, z=False)


def _said(row: dict[str, Any]) -> str:
    error = "" if np.isnan(row["error"]) else f" (error {row['error']:.3g})"
    note = f" [{row['note']}]" if row["note"] else ""
    return f"{row['term']} {row['estimate']:.6g}{error}{note}"
