"""The page that holds a report: its looks, and the few lines of script that sort tables."""

from __future__ import annotations

import html
from collections.abc import Sequence

from dmlcore.reporting.markup import Markup

STYLE = """
:root { color-scheme: light dark; --ink: #1d1f23; --quiet: #5d636d; --paper: #ffffff; --line: #d9dce1; --band: #f4f5f7; --bar: #d1d3d7;
  --accent: #1f5fa8; --odd1: #fdf0d5; --odd2: #fbd9a5; --odd3: #f5b26b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e7ea; --quiet: #9aa1ad; --paper: #16181c; --line: #383c44; --band: #1f2227;
  --bar: #4b505a;
  --accent: #7fb4f0; --odd1: #3a2f1b; --odd2: #5b431a; --odd3: #875c16; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 68rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 0.4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 3rem 0 0.5rem; padding-top: 0.9rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 0.4rem; }
p, ul { max-width: 44rem; margin: 0.5rem 0; }
ul { padding-left: 1.2rem; }
.note, .lead { color: var(--quiet); }
.note { font-size: 0.92rem; }
a { color: var(--accent); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
nav { margin: 1.4rem 0 0; font-size: 0.94rem; }
nav a { display: inline-block; margin: 0 1.1rem 0.3rem 0; }
.scroll { overflow-x: auto; margin: 0.9rem 0; max-width: 100%; }
table { border-collapse: collapse; font-size: 0.9rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); padding-bottom: 0.35rem; }
th, td { padding: 0.32rem 0.8rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th, .number, .short { white-space: nowrap; } td { min-width: 3.5rem; max-width: 20rem; }
th:first-child, td:first-child { padding-left: 0.3rem; }
th { font-weight: 600; border-bottom-color: var(--quiet); }
tbody tr:hover { background: var(--band); }
.number { text-align: right; }
.odd1 { background: var(--odd1); } .odd2 { background: var(--odd2); } .odd3 { background: var(--odd3); }
th.sortable { cursor: pointer; user-select: none; }
th.sortable:hover, th.sortable:focus-visible { color: var(--accent); outline: none; }
th[aria-sort="ascending"]::after { content: " \\2191"; } th[aria-sort="descending"]::after { content: " \\2193"; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); gap: 1.2rem; margin: 1rem 0; }
.picture { max-width: 36rem; margin: 1rem 0; }
figure { margin: 0; min-width: 0; }
svg { display: block; width: 100%; height: auto; fill: currentColor; }
.tree { overflow-x: auto; margin: 0.9rem 0; }
footer { margin-top: 4rem; color: var(--quiet); font-size: 0.88rem; }
@media (max-width: 40rem) { body { padding: 1.4rem 0.9rem 3rem; } h1 { font-size: 1.5rem; } th, td { padding: 0.3rem 0.55rem; } }
@media print { :root { --ink: #000; --quiet: #444; --paper: #fff; --line: #bbb; --band: #fff; --bar: #ccc; --odd1: #f6f0e2; --odd2: #f0e0c0;
  --odd3: #e5c890; } body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; } .scroll { overflow: visible; }
  table { font-size: 7.5pt; } th, td { padding: 0.15rem 0.35rem; min-width: 0; }
  th, .short { white-space: normal; } .picture { max-width: 22rem; }
  table.wide thead { display: none; } table.wide tr { display: block; padding: 0.25rem 0; border-bottom: 1px solid var(--line); }
  table.wide td { display: inline; border: 0; padding: 0; } table.wide td:empty { display: none; }
  table.wide td:not(:last-child)::after { content: "; "; }
  table.wide td::before { content: attr(data-head) " "; color: var(--quiet); } table.wide .number { white-space: normal; }
  footer { margin-top: 1rem; } .tree { overflow: visible; } .tree.wide { zoom: 0.6; }
  h2, h3, caption { break-after: avoid; }
  figure, tr { break-inside: avoid; } }
"""

SCRIPT = """
document.querySelectorAll("table").forEach(function (table) {
  var body = table.tBodies[0], heads = table.tHead ? Array.from(table.tHead.rows[0].cells) : [];
  if (!body || body.rows.length < 2) { return; }
  function key(row, j) {
    var cell = row.cells[j], value = cell.dataset.value;
    return value === undefined ? cell.textContent : { inf: Infinity, "-inf": -Infinity }[value] || parseFloat(value);
  }
  function order(a, b) {
    if (typeof a === "number" && typeof b === "number") { return a === b ? 0 : isNaN(a) ? 1 : isNaN(b) ? -1 : a - b; }
    if (typeof a !== typeof b) { return typeof a === "number" ? -1 : 1; }
    return a.localeCompare(b, undefined, { numeric: true });
  }
  heads.forEach(function (head, j) {
    function sort() {
      var down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      Array.from(body.rows).sort(function (a, b) { return (down ? -1 : 1) * order(key(a, j), key(b, j)); })
        .forEach(function (row) { body.appendChild(row); });
    }
    head.className += " sortable";
    head.tabIndex = 0;
    head.addEventListener("click", sort);
    head.addEventListener("keydown", function (event) {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
    });
  });
});
"""


def html_page(title: str, lead: Markup, sections: Sequence[tuple[str, str, Markup]], foot: str) -> str:
    """A whole document. sections: name for links, title, content."""
    name = html.escape(title)
    links = "".join(f'<a href="#{key}">{html.escape(head)}</a>' for key, head, _ in sections)
    body = "".join(f'<section id="{key}"><h2>{html.escape(head)}</h2>{inside}</section>\n' for key, head, inside in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f"<header><h1>{name}</h1>{lead}<nav>{links}</nav></header>\n<main>\n{body}</main>\n"
        f"<footer><p>{html.escape(foot)}</p></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )
