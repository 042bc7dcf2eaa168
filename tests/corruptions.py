"""One corrupt cell in the data of every example, one corrupt place in every model file: `python -m tests.corruptions`.

Of data, one cell at any depth becomes something else, and the rows (as a list, an array or a frame) are scored, fitted and imputed. Either
they are refused by an error of the library that names the row and the value, or the result is right: no NaN, the other rows as before, the
same as of the row alone. Of a model file, one place changes, and it is refused by `FormatError`, or gives a model that is saved and loaded
again as it is, and that scores and draws. Nothing in it is run, imported or opened.

Prints a table by example, and what was wrong; exits with 1 if anything was. The same `--number` and `--seed` give the same corruptions.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from dmlcore import fit, impute
from dmlcore.base.errors import DataError, shorten
from dmlcore.base.labels import plain
from dmlcore.base.marks import is_missing
from dmlcore.io import from_json, to_json
from tests.damaged import FAULT, REFUSED, RIGHT, Outcome, Wrong, check_loading, outcome, typed
from tests.examples import BY_NAME, EXAMPLES, Example
from tests.spoiling import at, cells, spoilt, spoilt_text

GOLDEN = Path(__file__).parent / "golden"
ROWS = 24
_ADDRESS = re.compile(" at 0x[0-9a-f]+")
# -- data --------------------------------------------------------------------------------------------------------------


def as_array(rows: list[Any]) -> Any:
    """Rows as an array of objects."""
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


def as_frame(rows: list[Any]) -> Any:
    """Rows as a frame of one column, or of a column for each entry of tuples of one length."""
    listed = [row if isinstance(row, tuple) else (row,) for row in rows]
    if len(set(map(len, listed))) > 1 or {isinstance(row, tuple) for row in rows} != {isinstance(rows[0], tuple)}:
        return rows
    return pd.DataFrame({f"column {j}": pd.Series(list(column), dtype=object) for j, column in enumerate(zip(*listed, strict=True))})


CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {"list": list, "array": as_array, "frame": as_frame}


@cache
def _known(e: Example) -> tuple[list[Any], dict[str, Outcome]]:
    """Valid rows, and how they score in each container."""
    rows = e.data(ROWS)
    return rows, {name: outcome(lambda make=make: e.law.seq_log_density(make(rows))) for name, make in CONTAINERS.items()}


def check_data(e: Example, seed: int, thorough: bool = True) -> str:
    """Corrupts one cell of an example's data, and says whether that was refused or right. Raises `Wrong`. thorough: also fits."""
    rows, scores = _known(e)

    def drawn() -> tuple[int, Any, Any, Any]:
        rng = np.random.default_rng([seed, crc32(e.name.encode())])
        row = int(rng.integers(ROWS))
        return row, rng.choice(list(CONTAINERS), p=[0.7, 0.15, 0.15]), *spoilt(rows[row], rng)[1:]

    row, container, new, whole = drawn()
    container = str(container) if scores[str(container)].error is None else "list"  # None may be a label in lists alone

    def data() -> Any:
        return CONTAINERS[container]([*rows[:row], drawn()[3], *rows[row + 1 :]])  # anew: some can be gone through once

    what = f"{e.name}: {shorten(new)} in row {row} of a {container}, {shorten(whole)}"
    scored = outcome(lambda: e.law.seq_log_density(data()))
    typed(what, "scores", scored)
    if container == "list":
        _same_alone(what, scored, outcome(lambda: e.law.log_density(drawn()[3])), row)
    if isinstance(scored.error, DataError):
        _named(what, scored.error, row, whole if container == "list" else None)
    elif scored.error is None:
        _right_scores(what, scored.value, scores[container].value, row)
    if thorough or scored.error is not None:
        fitted = outcome(lambda: fit(data(), e.estimator, rng=0, max_its=2))
        typed(what, "fits", fitted)
        if scored.error is not None and fitted.error is None:
            raise Wrong(f"{what}: a fit takes what is not scored: {scored.error}")
        if fitted.error is None:
            _valid(what, fitted.value.model, rows)
    typed(what, "imputes", outcome(lambda: impute(e.law, data())))
    return REFUSED if scored.error is not None else RIGHT


def _named(what: str, error: DataError, row: int, whole: Any) -> None:
    """The error says which row, which value of it, and what is needed. whole: the row, or None where its values are told otherwise."""
    found = re.match(r"(?s).+?: row (\d+)(, element \d+)* is (.*); need ", str(error))
    if not found or int(found[1]) != row:
        raise Wrong(f"{what}: the row is not named: {error}")
    if whole is not None and _ADDRESS.sub("", found[3]) not in {_ADDRESS.sub("", text) for text in _shown(whole)}:
        raise Wrong(f"{what}: the value is not named: {error}")


def _shown(whole: Any) -> Iterator[str]:
    """The forms in which a message may tell a value of a row: as it is, plain, and as a list, a tuple, a number or pairs."""
    for place in cells(whole):
        value = at(whole, place)
        yield from (shorten(value), shorten(plain(value)))
        if is_missing(value):  # in an array
            yield from ("None", "nan")
        if isinstance(value, range):
            yield from map(shorten, value)
        if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
            listed = value.tolist() if isinstance(value, np.ndarray) else list(value)
            yield from (shorten(listed), shorten(tuple(listed)))
            for kind in (float, int):
                nothing = -1 if kind is int else math.nan if isinstance(value, np.ndarray) else None  # what numbers of arrays have there
                try:
                    numbers = [nothing if v is None else math.nan if v is np.ma.masked else kind(v) for v in listed]
                except Exception:  # what is no number says so in many ways
                    continue
                yield from (shorten(numbers), shorten(tuple(numbers)))
        elif isinstance(value, dict):
            yield shorten(list(value.items()))


def _same_alone(what: str, scored: Outcome, alone: Outcome, row: int) -> None:
    typed(what, "scores alone", alone)
    if (scored.error is None) != (alone.error is None):
        if "within reach of the " not in str(scored.error):  # which the other rows have
            raise Wrong(f"{what}: refused in one way of scoring alone: {scored.error or alone.error}")
    elif scored.error is None and not _close(scored.value[row], alone.value):
        raise Wrong(f"{what}: {scored.value[row]!r} among others, and {alone.value!r} alone")


def _close(one: Any, other: Any) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(np.all((one == other) | (np.abs(one - other) <= 1e-9 * np.maximum(1.0, np.abs(other)))))


def _right_scores(what: str, scores: np.ndarray, before: np.ndarray, row: int) -> None:
    if np.isnan(scores).any() or (scores == np.inf).any():
        raise Wrong(f"{what}: log densities are {scores}")
    if not _close(np.delete(scores, row), np.delete(before, row)):
        raise Wrong(f"{what}: other rows score otherwise: {scores - before}")


def _valid(what: str, model: Any, rows: list[Any]) -> None:
    """A model whose parameters are within their domains, as reading it again checks, and that scores."""
    again = outcome(lambda: from_json(to_json(model)))
    if again.value != model:
        raise Wrong(f"{what}: the model {shorten(model)} is not loaded again: {again.error or again.raw}")
    scored = outcome(lambda: model.seq_log_density(rows))
    typed(what, "the model scores", scored)
    if scored.error is None and (np.isnan(scored.value).any() or (scored.value == np.inf).any()):
        raise Wrong(f"{what}: log densities of the model are {scored.value}")


# -- model files -------------------------------------------------------------------------------------------------------


@cache
def texts() -> dict[str, str]:
    """Model files: of each example its law and its estimator, and the files that later versions must read."""
    laws = {e.name: to_json(e.law) for e in EXAMPLES}
    estimators = {f"{e.name}, estimated": to_json(e.estimator) for e in EXAMPLES}
    return laws | estimators | {path.name: path.read_text("utf-8") for path in sorted(GOLDEN.glob("*.json"))}


def check_text(name: str, seed: int) -> str:
    """Corrupts one place of a model file, and says whether it was refused or right. Raises `Wrong`."""
    changed, text = spoilt_text(texts()[name], np.random.default_rng([seed, crc32(name.encode())]))
    return check_loading(f"{name}: {changed}", text, BY_NAME[name].data(ROWS) if name in BY_NAME else ())


# -- all of them -------------------------------------------------------------------------------------------------------


def rounds(number: int) -> Iterator[tuple[str, Callable[[int], str]]]:
    """So many checks, each of an example by name and a seed: data and files in turn, all examples as often."""
    each: dict[str, Callable[[int], str]] = {}
    for e in EXAMPLES:
        each[e.name] = lambda seed, e=e: check_data(e, seed, thorough=seed % 4 == 0)  # type: ignore[misc]
    for name in texts():
        each[f"file of {name}"] = lambda seed, name=name: check_text(name, seed)  # type: ignore[misc]
    data, files = list(each.items())[: len(EXAMPLES)], list(each.items())[len(EXAMPLES) :]
    for i in range(number):
        kind = files if i % 2 else data
        yield kind[i // 2 % len(kind)]


def main(words: list[str]) -> int:
    """The command. Gives its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.corruptions", description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=1000, help="of corruptions, of data and of files in turn")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    table: dict[str, Counter[str]] = {}
    for i, (name, check) in enumerate(rounds(options.number)):
        try:
            came = check(options.seed * 1_000_003 + i)
        except Wrong as wrong:
            came = FAULT
            print(f"{FAULT} {i}: {wrong}", flush=True)
        table.setdefault(name, Counter())[came] += 1
    for name, counts in table.items():
        print(f"{name:60} {counts[REFUSED]:6} {REFUSED}  {counts[RIGHT]:6} {RIGHT}  {counts[FAULT]:4} {FAULT}")
    total = sum(table.values(), Counter())
    print(f"{'all':60} {total[REFUSED]:6} {REFUSED}  {total[RIGHT]:6} {RIGHT}  {total[FAULT]:4} {FAULT}")
    return int(total[FAULT] > 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
