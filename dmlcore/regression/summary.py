"""The summary of a mixture of regressions: how the fit went, and tables of coefficients with standard errors and intervals."""

from __future__ import annotations

from dataclasses import field
from html import escape
from typing import Any

import numpy as np

from dmlcore.base.extras import library
from dmlcore.base.records import dataclass
from dmlcore.core.text_tables import as_html, as_text, cell
from dmlcore.inference.uncertainty.result import StandardErrors
from dmlcore.regression.responses import FAMILIES, Family
from dmlcore.selection.criteria import free_parameters
from dmlcore.stats.latent.gated_mixture import GatedMixtureDistribution
from dmlcore.stats.sequences.sequence import SequenceDistribution

INTERCEPT_ROW = "(intercept)"
TINY_P = "<2e-16"  # p-values below this are not told apart


@dataclass(frozen=True, repr=False)
class Summary:
    """Printed as text, in a notebook as HTML.

    head: what was fitted, in a line. facts: the block below it, by name: family, rows, criteria, how the fit went. rows: one dictionary per
    number: part ("component 0", ..., "gate 1", ...), term, estimate, error, z, p, low, high (the interval at `level`), note. titles: the
    line above the coefficients of each part. foot: notes.
    """

    head: str
    rows: tuple[dict[str, Any], ...]
    titles: dict[str, str]
    foot: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    level: float = 0.95

    def frame(self) -> Any:
        """The rows as a pandas frame."""
        return library("pandas", "frame() needs").DataFrame(list(self.rows))

    def __str__(self) -> str:
        width = max(map(len, self.facts), default=0)
        blocks = ["\n".join([self.head, *(f"  {name.ljust(width)}  {cell(value)}" for name, value in self.facts.items())])]
        for part, title in self.titles.items():
            own = self._of(part)
            blocks.append(f"{title}\n{as_text(own)}" if own else title)
        return "\n\n".join([*blocks, "\n".join(self.foot)]).rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        facts = as_html([{"": name, " ": cell(value)} for name, value in self.facts.items()], self.head)
        tables = [as_html(own, title) if (own := self._of(part)) else f"<p>{escape(title)}</p>" for part, title in self.titles.items()]
        return "".join([facts, *tables, *(f"<p>{escape(line)}</p>" for line in self.foot)])

    def _of(self, part: str) -> list[dict[str, Any]]:
        """The rows of one part that are coefficients, without columns that say nothing."""
        own = [row for row in self.rows if row["part"] == part and row["z"] is not None]
        tail = 50 * (1 - self.level)
        heads = {key: key for key in ("term", "estimate", "error", "z", "p")} | {"low": f"{tail:g}%", "high": f"{100 - tail:g}%"}
        if any(row["note"] for row in own):
            heads["note"] = "note"
        return [{head: _small(row[key]) if key == "p" else row[key] for key, head in heads.items()} for row in own]


def _small(p: float) -> Any:
    return TINY_P if p < float(TINY_P[1:]) else p


def summarised(fitted: Any, errors: StandardErrors, level: float) -> Summary:
    """The summary of a fitted `MixtureRegression`. Of several responses each has a part of its own, such as "component 0, y1"."""
    model, schema = fitted.model_, fitted._schema
    numbers = dict(zip(errors.names, errors.rows(level), strict=True))
    rows: list[dict[str, Any]] = []
    titles: dict[str, str] = {}
    gated = isinstance(model, GatedMixtureDistribution)
    several = len(schema.responses) > 1
    K = len(fitted.weights_)
    for k in range(K):
        whole = f"component {k}"
        head = [_number(whole, "weight", fitted.weights_[k], None if gated else numbers.get(f"w[{k}]"))]
        if several:  # the weight has a line of its own
            titles[whole], rows, head = _title(whole, head), rows + head, []
        for j, response in enumerate(schema.responses):
            part, place = f"{whole}, {response.name}" if several else whole, _path(fitted, k, j)
            family, mine = FAMILIES[response.family], _with_shared(numbers, place, fitted._laws()[k][j])
            own = head + ([] if family.field is None else [_scale(part, family, mine[f"{place}.{family.field}"])])
            titles[part] = _title(part, own)
            rows += own + _coefficients(part, mine, place, "", schema.names_of(response))
    for c in range(1, K if gated else 1):
        part = f"gate {c}"
        titles[part] = f"{part}: log odds of component {c} against component 0"
        rows += _coefficients(part, numbers, "gate", f"{c - 1}", fitted.gate_names_)
    notes = tuple(f"note: {event}" for event in fitted.fit_.events)
    return Summary(_said_of(fitted), tuple(rows), titles, notes, _facts(fitted, errors), level)


def _path(fitted: Any, k: int, j: int) -> str:
    """Where the regression of response j in component k stands in the model."""
    grouped = ".dist" if isinstance(fitted.model_.components[k], SequenceDistribution) else ""
    several = f".dists[{j}]" if len(fitted._schema.responses) > 1 else ""
    return f"components[{k}]{grouped}{several}" + ".dist" * fitted._given.has_gaps(j)


def labels_of(fitted: Any) -> dict[str, str]:
    """What the parameters of the model of a fitted `MixtureRegression` are called, by their names."""
    out: dict[str, str] = {}
    for k in range(len(fitted.weights_)):
        out[f"w[{k}]"] = f"component {k}: weight"
        for j, response in enumerate(fitted._schema.responses):
            part = f"component {k}" + (f", {response.name}" if len(fitted._schema.responses) > 1 else "")
            path, law = _path(fitted, k, j), fitted._laws()[k][j]
            out[f"{path}.intercept"] = f"{part}: {INTERCEPT_ROW}"
            out |= {f"{path}.coef[{i}]": f"{part}: {name}" for i, name in enumerate(fitted._schema.names_of(response))}
            if law.scale_field is not None:
                out[f"{path}.{law.scale_field}"] = f"{part}: {law.scale_field}"
            for place, key in law.tied:
                out[f"{path}.common.{'scale' if place == law.scale_field else 'coef'}[{key!r}]"] = f"{key} (shared)"
    for c in range(1, len(fitted.weights_)):
        out[f"gate.intercept[{c - 1}]"] = f"gate {c}: {INTERCEPT_ROW}"
        out |= {f"gate.coef[{c - 1}, {i}]": f"gate {c}: {name}" for i, name in enumerate(fitted.gate_names_)}
    return out


def estimates(fitted: Any) -> str:
    """A fitted `MixtureRegression` in short: a table of what was estimated, terms down and components across."""
    schema = fitted._schema
    several = len(schema.responses) > 1
    columns = [f"component {k}" for k in range(len(fitted.weights_))]
    lines: list[tuple[str, Any]] = [("weight", fitted.weights_)]
    for j, response in enumerate(schema.responses):
        laws, prefix = [each[j] for each in fitted._laws()], f"{response.name}: " if several else ""
        if response.intercept:
            lines.append((prefix + INTERCEPT_ROW, [law.intercept for law in laws]))
        lines += [(prefix + name, [law.coef[i] for law in laws]) for i, name in enumerate(schema.names_of(response))]
        family = FAMILIES[response.family]
        if family.field is not None:
            lines.append((prefix + family.scale_name, [family.scale(getattr(law, family.field)) for law in laws]))
    table = as_text([{"": name} | dict(zip(columns, map(float, values), strict=True)) for name, values in lines])
    record = fitted.fit_
    return f"{_said_of(fitted)}: log likelihood {record.log_likelihood:.4f}, BIC {fitted.bic():.4f}, {record.status}\n{table}"


def _said_of(fitted: Any) -> str:
    K, (count, unit) = len(fitted.weights_), fitted.n_rows_
    families = " and ".join(dict.fromkeys(response.family for response in fitted._schema.responses))
    return f"Mixture of {K} {families} regression{'s' * (K > 1)} of {count:g} {unit}"


def _facts(fitted: Any, errors: StandardErrors) -> dict[str, Any]:
    """The block at the head of the summary."""
    record, given, schema = fitted.fit_, fitted._given, fitted._schema

    def lacking(j: int) -> int:
        return int(np.isnan(given.y[j]).sum())

    out = {
        "family": ", ".join(dict.fromkeys(response.family for response in schema.responses)),
        "response": ", ".join(fitted.response_names_),
        "rows": f"{given.total_rows:g}",
        "left out": f"{len(fitted.left_out_)} rows that lack a cell" if len(fitted.left_out_) else "",
        "missing": ", ".join(f"{one.name} in {lacking(j)} rows" for j, one in enumerate(schema.responses) if given.has_gaps(j)),
        "groups": "" if given.codes is None else f"{given.total:g}",
        "parameters": free_parameters(record.model, record.estimator),
        "log likelihood": record.log_likelihood,
        "AIC": fitted.aic(),
        "BIC": fitted.bic(),
        "ICL": fitted.icl(),
        "status": f"{record.status} ({record.message})",
        "starts": f"{record.reached} of {record.ended} that were followed to their end agree" if record.starts else "",
        "errors": errors.said,
    }
    return {name: value for name, value in out.items() if value != ""}


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


def _coefficients(part: str, numbers: dict[str, Any], path: str, row: str, names: Any) -> list[dict[str, Any]]:
    """The intercept and the coefficients under a path; `row`: which row of a matrix of them."""
    found = [(INTERCEPT_ROW, f"{path}.intercept[{row}]" if row else f"{path}.intercept")]
    found += [(str(name), f"{path}.coef[{row}, {j}]" if row else f"{path}.coef[{j}]") for j, name in enumerate(names)]
    return [_row(part, term, numbers[place], z=True) for term, place in found if place in numbers]


def _row(part: str, term: str, number: dict[str, Any], z: bool) -> dict[str, Any]:
    tests = {"z": number["z"], "p": number["p"]} if z else {"z": None, "p": None}
    return (
        {"part": part, "term": term}
        | {key: number[key] for key in ("estimate", "error")}
        | tests
        | {key: number[key] for key in ("low", "high", "note")}
    )


def _number(part: str, term: str, value: float, number: dict[str, Any] | None) -> dict[str, Any]:
    unsure = {"estimate": float(value), "error": np.nan, "low": np.nan, "high": np.nan, "note": ""}
    return _row(part, term, unsure | (number or {}), z=False)


def _scale(part: str, family: Family, number: dict[str, Any]) -> dict[str, Any]:
    """The scale, its error by the delta method; a monotone function of the parameter, and so are the ends of its interval."""
    value = number["estimate"]
    low, high = sorted(family.scale(number[end]) if number[end] > 0 else np.nan for end in ("low", "high"))
    moved = {"estimate": family.scale(value), "error": abs(family.slope(value)) * number["error"], "low": low, "high": high}
    return _row(part, family.scale_name, number | moved, z=False)


def _said(row: dict[str, Any]) -> str:
    error = "" if np.isnan(row["error"]) else f" (error {row['error']:.3g}, {row['low']:.6g} to {row['high']:.6g})"
    note = f" [{row['note']}]" if row["note"] else ""
    return f"{row['term']} {row['estimate']:.6g}{error}{note}"
