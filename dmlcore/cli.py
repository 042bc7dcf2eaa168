"""The command line: `dmlcore`, or `python -m dmlcore`. Each command reads files, calls one function of the library, and writes a file.

Exit codes: 0 all went well; 1 the data or the model are at fault, or a file cannot be read or written; 2 the command makes no sense, as
where an output is there already; 130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import dmlcore
from dmlcore.base.errors import FitWarning, FormatError, SlowWarning, shorten
from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.core.powers import Mixing, has
from dmlcore.data.files import STANDARD, known_suffix
from dmlcore.engines.choice import in_parts
from dmlcore.inference.impute import HOW
from dmlcore.io.tables import write
from dmlcore.reporting.kept import load_fit, save_fit

FAULT, USAGE, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141
STRAY, MOST_STRAYS = 0.05, 20  # share of a column's cells, and different texts, that make one wonder among numbers
FAULTS = (*OUTSIDE_DOMAIN, OSError, MemoryError)
ROWS_IN_REPORTS = 20_000  # about, of data that are read in parts
FILES = """Files of tables end in .csv, .tsv, .parquet or .jsonl; - is standard input or output, as CSV. A pattern in quotes, or a folder,
is read in parts, in little memory."""
EXAMPLES = """examples:
  dmlcore fit visits.csv -o model.json
  dmlcore show model.json
  dmlcore impute model.json visits.csv -o completed.csv
  dmlcore report model.json visits.csv -o report.html
  dmlcore sample model.json -n 1000 -o drawn.parquet
  dmlcore compare visits.csv drawn.parquet
"""


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Runs a command, and returns its exit code."""
    options = _parser().parse_args(arguments)
    command = f"dmlcore {options.command}"
    try:
        with warnings.catch_warnings():
            _say_warnings(command)
            options.run(options)
            sys.stdout.flush()
    except UsageError as error:
        return _fail(f"{command}: {error}", USAGE)
    except KeyboardInterrupt:
        return _fail(f"{command}: interrupted", INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except FAULTS as error:
        return _fail(f"{command}: {_in_a_line(error)}", FAULT)
    return 0


class UsageError(Exception):
    """A command that cannot be meant."""


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def _fail(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _in_a_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _say_warnings(command: str) -> None:
    """Warnings on which the caller can act, as lines; no others."""
    warnings.simplefilter("ignore")
    for category in (FitWarning, SlowWarning):
        warnings.simplefilter("always", category)
    warnings.showwarning = lambda message, *rest: print(f"{command}: {_in_a_line(message)}", file=sys.stderr)  # type: ignore[assignment, arg-type]


# -- commands ----------------------------------------------------------------------------------------------------------


def _fit(options: argparse.Namespace) -> None:
    _check_output(options.output, options.force)
    if options.report:
        _check_output(options.report, options.force)
    table, found = _fitted(options)
    if options.output == STANDARD:
        print(dmlcore.to_json(found.model))
    else:
        save_fit(found, options.output)
    if options.report:
        dmlcore.report(found, _to_look_at(table), options.report, title=_title(options.data))
    for name, reason in found.proposal.left_out if found.proposal is not None else ():
        _say(f"left out {name}: {reason}")
    K = len(found.model.components) if has(found.model, Mixing) else 1
    _say(f"{K} component{'s' * (K != 1)}, log likelihood {found.log_likelihood:,.3f}, {found.status}: {found.message}")
    _say_written(options.output, options.report)


def _fitted(options: argparse.Namespace) -> tuple[Any, Any]:
    """The table, and a fit by a saved estimator, or of a model that is proposed."""
    if options.estimator:
        estimator = dmlcore.load(options.estimator)
        if hasattr(estimator, "log_density"):
            raise FormatError(f"{options.estimator}: holds a model; need an estimator, as save(estimator, ..) writes it")
        table = _data(options.data, options.columns)
        return table, dmlcore.fit(table, estimator, rng=options.seed)
    table = _data(options.data, options.columns)
    if not in_parts(table):
        _tell_stray_texts(table)
    return table, dmlcore.fit(table, components=options.components, rng=options.seed)


def _show(options: argparse.Namespace) -> None:
    print(dmlcore.load(options.model).summary(tree=True))


def _impute(options: argparse.Namespace) -> None:
    _check_output(options.output, options.force, table=True)
    model = _model(options.model)
    table = _data(options.data)
    done = dmlcore.impute(model, table, options.how, rng=options.seed, columns=options.columns)
    if in_parts(table):
        write(done, options.output, force=True)
        return _say_written(options.output)
    write(done.data, options.output, force=True)
    filled = ", ".join(f"{len(cell.rows)} of {name}" for name, cell in done.cells.items())
    _say(f"filled {filled}" if filled else "nothing was missing")
    _say_written(options.output)


def _score(options: argparse.Namespace) -> None:
    if options.output:
        _check_output(options.output, options.force, table=True)
    model = _model(options.model)
    table = _data(options.data, options.columns)
    if options.output:
        scores = partial(_scores, model)
        write(table.through(scores) if in_parts(table) else scores(table), options.output, force=True)
        return _say_written(options.output)
    log = model.seq_log_density(table)
    worst = int(np.argmin(log))
    print(f"rows                {len(log)}")
    print(f"log likelihood      {log.sum():.6f}")
    print(f"mean log density    {log.mean():.6f}")
    print(f"least log density   {log[worst]:.6f} in row {worst}")
    return None


def _scores(model: Any, table: Any) -> list[dict[str, Any]]:
    """The log density of each row, and of a mixture the most probable component."""
    scores = {"log_density": model.seq_log_density(table).tolist()}
    if has(model, Mixing):
        posterior = model.seq_posterior(table)
        scores |= {"component": posterior.argmax(axis=1).tolist(), "probability": posterior.max(axis=1).tolist()}
    return [dict(zip(scores, row, strict=True)) for row in zip(*scores.values(), strict=True)]


def _sample(options: argparse.Namespace) -> None:
    _check_output(options.output, options.force, table=True)
    like = dmlcore.read(options.like) if options.like else None
    drawn = dmlcore.synthesise(_model(options.model), options.number, options.seed, like, columns=options.columns)
    write(drawn, options.output, force=True)
    _say_written(options.output)


def _report(options: argparse.Namespace) -> None:
    _check_output(options.output, options.force)
    _model(options.model)  # which says so where the file holds an estimator
    found = load_fit(options.model)
    table = _to_look_at(_data(options.data))
    title = options.title or _title(options.data)
    text = dmlcore.report(found, table, None if options.output == STANDARD else options.output, columns=options.columns, title=title)
    if options.output == STANDARD:
        print(text)
    _say_written(options.output)


def _compare(options: argparse.Namespace) -> None:
    real, synthetic = dmlcore.read(options.real), dmlcore.read(options.synthetic)
    lacking = [name for name in real.column_names if name not in synthetic.column_names]
    if lacking and len(lacking) == real.num_columns - synthetic.num_columns:  # such as identifiers, which no model draws
        print(f"not compared, as {options.synthetic} lacks them: {', '.join(lacking)}")
        real = real.drop_columns(lacking)
    print(dmlcore.compare(real, synthetic, not options.no_classifier, options.seed))


def _demo(options: argparse.Namespace) -> None:
    from dmlcore import demo

    demo.main(options.picture, options.report)


# -- files -------------------------------------------------------------------------------------------------------------


def _data(source: str, columns: list[str] | None = None) -> Any:
    """A table, with only the columns named if any are; of a pattern of names or a folder, a stream of them."""
    if not in_parts(Path(source) if Path(source).is_dir() else source):
        return dmlcore.read(source, columns)
    whole = dmlcore.stream(source)
    return whole if columns is None else whole.through(lambda table: table.select(columns))


def _to_look_at(table: Any) -> Any:
    return table.sample(ROWS_IN_REPORTS) if in_parts(table) else table


def _tell_stray_texts(table: Any) -> None:
    """Warns of columns that are text for the sake of a few cells: what is proposed for them are labels."""
    for name in table.column_names:
        column = table[name]
        if not str(column.type).endswith("string"):
            continue
        strays = [text for text in column.unique().to_pylist() if text and not _is_number(text)]
        texts = column.drop_null().to_pylist() if 0 < len(strays) <= MOST_STRAYS else []
        odd = sum(text in strays for text in texts)
        if 0 < odd <= STRAY * len(texts):
            row = column.to_pylist().index(strays[0])
            said = f"{name}: row {row} is {shorten(strays[0])}, and {len(texts) - odd} of {len(texts)} cells are numbers"
            warnings.warn(f"{said}; the column is read as text", FitWarning, stacklevel=2)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _model(path: str) -> Any:
    """A saved distribution."""
    model = dmlcore.load(path)
    if not hasattr(model, "log_density"):
        raise FormatError(f"{path}: holds an estimator; need a model, as dmlcore fit writes it")
    return model


def _check_output(path: str, force: bool, table: bool = False) -> None:
    """Before any work: an output that is there is kept, unless `--force` says otherwise. Raises `UsageError`; `DataError` for a table whose
    name does not say of which kind it is."""
    if path == STANDARD:
        return
    if Path(path).is_dir() or not Path(path).absolute().parent.is_dir():
        raise UsageError(f"{path}: there is no such folder" if not Path(path).is_dir() else f"{path}: this is a folder; need a file")
    if os.path.isfile(path) and not force:
        raise UsageError(f"{path} is there already; give another name, or --force to replace it")
    place = Path(path).absolute()
    if not os.access(place if place.exists() and not place.is_file() else place.parent, os.W_OK):  # a device, or where the file will be
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    if table:
        known_suffix(path)


def _title(path: str) -> str:
    return "standard input" if path == STANDARD else Path(path).name


def _on_a_terminal() -> bool:
    return sys.stderr.isatty()


def _say(text: str) -> None:
    """What happened, for who sits before a terminal; pipes stay silent."""
    if _on_a_terminal():
        print(text, file=sys.stderr)


def _say_written(*paths: str | None) -> None:
    for path in paths:
        if path and path != STANDARD:
            _say(f"wrote {path}")


# -- arguments ---------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="dmlcore",
        description="Mixture models of tables: fit one, fill what is missing, draw rows, see what it found.",
        epilog=f"{EXAMPLES}\n{FILES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dmlcore {dmlcore.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True, parser_class=_Parser)

    one = _command(commands, "fit", _fit, "fit a model to a table", "dmlcore fit visits.csv -o model.json --components 3 --seed 1")
    one.add_argument("data", help="the table")
    _output(one, "the model, as JSON")
    one.add_argument("--components", type=_components, default="auto", metavar="K", help="how many components; auto (the default) chooses")
    one.add_argument("--estimator", metavar="FILE", help="a saved estimator that says what to fit, in place of a proposal")
    one.add_argument("--report", metavar="FILE", help="also write a report, which then shows the proposal and the fit")
    _columns(one, "which columns to model, in order, separated by commas (default: all)")
    _seed(one)

    one = _command(commands, "show", _show, "print a model as a tree", "dmlcore show model.json")
    one.add_argument("model", help="a model that fit wrote")

    one = _command(commands, "impute", _impute, "fill missing cells", "dmlcore impute model.json visits.csv -o completed.csv")
    _model_and_data(one)
    _output(one, "the completed table (default: standard output)", STANDARD)
    one.add_argument("--how", choices=[how for how in HOW if how != "distribution"], help="what cells are filled with (default: mean)")
    _seed(one)

    one = _command(commands, "score", _score, "say how probable rows are", "dmlcore score model.json visits.csv -o scores.csv")
    _model_and_data(one)
    _output(one, "log density of each row, its component and how sure that is (default: a summary is printed)", "")

    one = _command(commands, "sample", _sample, "draw rows", "dmlcore sample model.json -n 1000 -o drawn.parquet --like visits.csv")
    one.add_argument("model", help="a model that fit wrote")
    one.add_argument("-n", "--number", type=_count, required=True, help="how many rows")
    _output(one, "the rows (default: standard output)", STANDARD)
    one.add_argument("--like", metavar="TABLE", help="a table whose ranges, decimals, kinds of columns and gaps the rows should have")
    _columns(one, "which columns of that table the model reads, in order, separated by commas")
    _seed(one)

    one = _command(commands, "report", _report, "write a report", "dmlcore report model.json visits.csv -o report.html")
    _model_and_data(one)
    _output(one, "the report, one file of HTML")
    one.add_argument("--title", help="above the report (default: the name of the table)")

    one = _command(commands, "compare", _compare, "compare two tables", "dmlcore compare visits.csv drawn.parquet")
    one.add_argument("real", help="a table")
    one.add_argument("synthetic", help="another with the same columns")
    one.add_argument("--no-classifier", action="store_true", help="do not train a classifier to tell the rows apart")
    _seed(one)

    one = _command(commands, "demo", _demo, "fit the Palmer penguins and show what is found", "dmlcore demo")
    one.add_argument("--picture", default="penguins_model.png", help="where the picture goes (default: %(default)s)")
    one.add_argument("--report", default="penguins_report.html", help="where the report goes (default: %(default)s)")
    return parser


def _command(commands: Any, name: str, run: Any, what: str, example: str) -> Any:
    one = commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=f"example:\n  {example}\n\n{FILES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.set_defaults(run=run)
    return one


def _model_and_data(one: Any) -> None:
    one.add_argument("model", help="a model that fit wrote")
    one.add_argument("data", help="a table")
    _columns(one, "which columns the model reads, in order, separated by commas (default: all)")


def _output(one: Any, what: str, default: str | None = None) -> None:
    one.add_argument("-o", "--output", metavar="FILE", required=default is None, default=default, help=what)
    one.add_argument("--force", action="store_true", help="replace an output that is there already")


def _columns(one: Any, what: str) -> None:
    one.add_argument("--columns", type=_names, metavar="A,B", help=what)


def _seed(one: Any) -> None:
    one.add_argument("--seed", type=_seed_number, default=0, help="of random numbers, for the same result again (default: %(default)s)")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _components(text: str) -> int | str:
    return text if text == "auto" else _count(text, " or auto")


def _count(text: str, otherwise: str = "") -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"need a whole number >= 1{otherwise}, got {text!r}")
    return int(text)


def _seed_number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"need a whole number >= 0, got {text!r}")
    return int(text)
