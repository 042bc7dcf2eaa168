"""What users of R and of scikit-learn do: chained equations, chained linear regressions, and chained forests."""

from __future__ import annotations

import csv
import subprocess
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.imputation.scores import COPIES, Answer
from benchmarks.imputation.tables import Table

CHAINS = 10  # with sample_posterior, for the law of a cell
TREES = 100
ROUNDS = 10  # most rounds over all columns


IN_R = """
suppressPackageStartupMessages(library(mice))
given <- commandArgs(TRUE)
table <- read.csv(given[1], stringsAsFactors = FALSE, na.strings = "")
for (name in strsplit(given[4], ",")[[1]]) table[[name]] <- factor(table[[name]])
for (name in strsplit(given[5], ",")[[1]]) table[[name]] <- factor(table[[name]], ordered = TRUE)
start <- proc.time()
found <- mice(table, m = as.integer(given[3]), seed = as.integer(given[6]), printFlag = FALSE)
cat(sum((proc.time() - start)[1:2]))
write.csv(complete(found, "long"), given[2], row.names = FALSE, na = "")
"""


def mice(table: Table, rows: dict[str, np.ndarray], seed: int) -> tuple[dict[str, Answer], float]:
    """R's mice as it is called by default (predictive mean matching, logistic regressions; five rounds): numbers at the mean of the copies,
    the most frequent label. The seconds are those of `mice()` alone."""
    short = {name: f"c{j}" for j, name in enumerate(table.columns)}
    with tempfile.TemporaryDirectory() as folder:
        script, before, after = (str(Path(folder) / name) for name in ("run.R", "table.csv", "copies.csv"))
        Path(script).write_text(IN_R)
        with open(before, "w", newline="") as file:
            csv.writer(file).writerows([short.values(), *zip(*table.columns.values(), strict=True)])
        labels, ordered = (",".join(short[name] for name in names) for names in (table.labels, table.ordered))
        command = ["Rscript", script, before, after, str(COPIES), labels, ordered, str(seed)]
        seconds = float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        with open(after, newline="") as file:
            copies = list(csv.DictReader(file))
    out = {}
    for name, where in rows.items():
        cells = np.array([row[short[name]] for row in copies], dtype=object).reshape(COPIES, len(table))[:, where]
        if name in table.labels:
            out[name] = Answer([Counter(column).most_common(1)[0][0] for column in cells.T], None)
        else:
            there = [v for v in table.columns[name] if v is not None]
            draws = np.array([[float(v) if v else np.mean(there) for v in copy] for copy in cells])  # it leaves out collinear columns
            out[name] = Answer(draws.mean(axis=0).tolist(), draws)
    return out, seconds


def drawn(mean: np.ndarray, sd: np.ndarray, seed: int) -> np.ndarray:
    """Draws of mixtures of S equally probable normals each `(S, m)`."""
    rng = np.random.default_rng(seed)
    at = rng.integers(len(mean), size=(COPIES, mean.shape[1])), np.arange(mean.shape[1])
    return mean[at] + sd[at] * rng.standard_normal((COPIES, mean.shape[1]))


def iterative(table: Table, rows: dict[str, np.ndarray], seed: int) -> tuple[dict[str, Answer], float]:
    """`IterativeImputer(BayesianRidge())` on standardised numbers, and on one column of 0 and 1 for each label but the first.

    The law of a number is the mean of the predictive normals of the last regressions of ten chains with `sample_posterior`; their
    degrees of freedom are so large that normals do. Of labels there is none.
    """
    from sklearn.experimental import enable_iterative_imputer  # type: ignore[import-untyped]  # noqa: F401
    from sklearn.impute import IterativeImputer  # type: ignore[import-untyped]
    from sklearn.linear_model import BayesianRidge  # type: ignore[import-untyped]

    began = time.process_time()
    blocks, scale = {}, {}
    for name, values in table.columns.items():
        if name in table.labels:
            blocks[name] = np.array([[np.nan if v is None else float(v == label) for label in known(values)[1:]] for v in values])
        else:
            x = np.array(values, dtype=np.float64)
            scale[name] = float(np.nanmean(x)), float(np.nanstd(x))
            blocks[name] = ((x - scale[name][0]) / scale[name][1])[:, None]
    x = np.hstack(list(blocks.values()))
    start = dict(zip(blocks, np.cumsum([0, *(block.shape[1] for block in blocks.values())]).tolist(), strict=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # chains with draws never settle
        best = IterativeImputer(BayesianRidge(), max_iter=50, random_state=seed).fit_transform(x)
        chains = [IterativeImputer(BayesianRidge(), sample_posterior=True, random_state=CHAINS * seed + i) for i in range(CHAINS)]
        completed = [(chain, chain.fit_transform(x)) for chain in chains]
    out: dict[str, Any] = {}
    for name, where in rows.items():
        if not len(where):
            continue
        j = start[name]
        if name in table.labels:
            rest = best[where, j : j + blocks[name].shape[1]]
            labels = known(table.columns[name])
            top = np.hstack([1 - rest.sum(axis=1, keepdims=True), rest]).argmax(axis=1)
            out[name] = Answer([labels[i] for i in top.tolist()], None)
            continue
        centre, unit = scale[name]
        laws = []
        for chain, full in completed:
            last = [step for step in chain.imputation_sequence_ if step.feat_idx == j][-1]
            laws.append(last.estimator.predict(full[where][:, last.neighbor_feat_idx], return_std=True))
        mean, sd = (np.array(part) * unit for part in zip(*laws, strict=True))
        out[name] = Answer((best[where, j] * unit + centre).tolist(), drawn(mean + centre, sd, seed))
    return out, time.process_time() - began


def forests(table: Table, rows: dict[str, np.ndarray], seed: int) -> tuple[dict[str, Answer], float]:
    """Random forests in turn, column by column, until what they fill in changes more than in the round before (as MissForest does:
    Stekhoven and Buehlmann 2012): of regression for numbers, of classification for labels.

    The law of a number is normal with the out-of-bag residual variance.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor  # type: ignore[import-untyped]

    began = time.process_time()
    gaps = {name: np.array([v is None for v in values]) for name, values in table.columns.items()}
    x: dict[str, np.ndarray] = {}
    for name, values in table.columns.items():
        if name in table.labels:
            code = {label: i for i, label in enumerate(known(values))}
            x[name] = np.array([code.get(v, -1) for v in values])
            x[name][gaps[name]] = np.bincount(x[name][~gaps[name]]).argmax()
        else:
            x[name] = np.array(values, dtype=np.float64)
            x[name][gaps[name]] = np.nanmean(x[name])
    order = sorted((name for name in x if gaps[name].any()), key=lambda name: gaps[name].sum())
    change = (np.inf, np.inf)
    laws: dict[str, Any] = {}
    for turn in range(ROUNDS):
        before, laws_before, x = x, laws, {name: column.copy() for name, column in x.items()}
        laws = {}
        for name in order:
            others = np.column_stack([features(table, other, x[other]) for other in x if other != name])
            gap, kind = gaps[name], RandomForestClassifier if name in table.labels else RandomForestRegressor
            more = {} if name in table.labels else {"oob_score": True, "max_features": 1 / 3}
            forest = kind(TREES, random_state=ROUNDS * seed + turn, n_jobs=1, **more).fit(others[~gap], x[name][~gap])
            if name in table.labels:
                x[name][gap] = forest.predict(others[gap])
            else:
                x[name][gap] = forest.predict(others[gap])
                laws[name] = float(np.sqrt(np.mean((forest.oob_prediction_ - x[name][~gap]) ** 2)))
        now = changes(table, gaps, before, x)
        if now[0] >= change[0] and now[1] >= change[1]:
            x, laws = before, laws_before
            break
        change = now
    out: dict[str, Any] = {}
    for name, where in rows.items():
        filled = x[name][where]
        if name in table.labels:
            labels = known(table.columns[name])
            out[name] = Answer([labels[i] for i in filled.tolist()], None)
        else:
            out[name] = Answer(filled.tolist(), drawn(filled[None], np.full((1, len(where)), laws[name]), seed))
    return out, time.process_time() - began


def known(values: list[Any]) -> list[Any]:
    """The labels of a column."""
    return sorted({v for v in values if v is not None}, key=repr)


def features(table: Table, name: str, x: np.ndarray) -> np.ndarray:
    return np.eye(len(known(table.columns[name])))[x] if name in table.labels else x


def changes(table: Table, gaps: dict[str, np.ndarray], before: dict[str, np.ndarray], x: dict[str, np.ndarray]) -> tuple[float, float]:
    """How much the filled numbers changed, relative to their squares, and which share of the filled labels did."""
    old, new = (np.concatenate([side[name][gaps[name]] / table.spread(name) for name in table.numbers]) for side in (before, x))
    flips = [before[name][gaps[name]] != x[name][gaps[name]] for name in table.labels]
    return float(((new - old) ** 2).sum() / (new**2).sum()), float(np.concatenate(flips).mean()) if flips else 0.0
