"""Arguments by the names that other libraries have for them, in another order, or of another kind than their annotations say: they are
refused with what is right."""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from dmlcore.base.errors import ParameterError, StructureError, shorten
from dmlcore.core.declared import Declared, check_node
from dmlcore.data.values import is_number, is_whole

OTHER_LIBRARIES = {  # what other libraries call arguments -> what they are called here
    "max_iter": "max_its",
    "maxiter": "max_its",
    "n_iter": "max_its",
    "random_state": "rng",
    "random_seed": "rng",
    "seed": "rng",
    "n_jobs": "threads",
    "num_threads": "threads",
    "n_init": "starts",
    "n_starts": "starts",
    "tol": "delta",
    "verbose": "progress",
    "sample_weight": "weights",
    "n_components": "components",
    "num_components": "components",
    "n_samples": "n",
    "prev_estimate": "start",
}

ARGUMENT_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {  # what annotations say of arguments, by their first word
    "float": (is_number, "a number"),
    "int": (is_whole, "a whole number"),
    "str": (lambda value: isinstance(value, str), "a text"),
    "bytes": (lambda value: isinstance(value, (bytes, bytearray)), "bytes"),
    "os.PathLike": (lambda value: isinstance(value, os.PathLike), "a path"),
    "Callable": (callable, "a function"),
    "Callback": (callable, "a function"),
    "Mapping": (lambda value: isinstance(value, Mapping), "a mapping"),
    "Follows": (lambda value: isinstance(value, Mapping), "a mapping"),
    "Sequence": (lambda value: isinstance(value, Iterable) and not isinstance(value, str), "a list"),
    "Iterable": (lambda value: isinstance(value, Iterable), "a list"),
    "Distribution": (lambda value: _is_node(value, "a distribution"), "a distribution"),
    "Estimator": (lambda value: _is_node(value, "an estimator"), "an estimator"),
    "Fit": (lambda value: not isinstance(value, type) and _is_law(value), "what fit returned"),
    "None": (lambda value: value is None, "None"),
}

F = TypeVar("F", bound=Callable[..., Any])


def takes(*passed_on_to: Callable[..., Any], law: str = "", data: str = "data") -> Callable[[F], F]:
    """Of a function: a keyword that it does not have is a `TypeError` with the one that was meant, and so are two arguments in each other's
    place. An argument of another kind than its annotation says is a `ParameterError`, or a `StructureError` where a node is needed.

    passed_on_to: functions whose keywords it takes as well. law, data: the names of two of its arguments: of a model, an estimator or the
    record of a fit, and of what is none.
    """

    def decorate(function: F) -> F:
        own = list(inspect.signature(function).parameters)
        both: list[Callable[..., Any]] = [function, *passed_on_to]
        known = {p.name for one in both for p in inspect.signature(one).parameters.values() if p.kind is not p.VAR_KEYWORD}
        places = (own.index(law), own.index(data)) if law else None
        who = function.__qualname__.removesuffix(".__init__")
        parameters = {p.name: p for one in reversed(both) for p in inspect.signature(one).parameters.values()}
        checks = {name: check for name, p in parameters.items() if (check := check_of(who, p)) is not None}
        order = f"{function.__name__}({', '.join(sorted((law, data), key=own.index))})" if law else ""

        @functools.wraps(function)
        def called(*args: Any, **given: Any) -> Any:
            for name in given:
                if name not in known:
                    raise TypeError(_no_argument(who, name, known))
            if places is not None:
                model, rows = (args[at] if at < len(args) else given.get(name) for at, name in zip(places, (law, data), strict=True))
                if _is_law(rows) and model is not None and not _is_law(model):
                    raise TypeError(f"{function.__name__}: {law} and {data} are in each other's place; it is {order}")
            for name, value in (*zip(own, args, strict=False), *given.items()):
                if name in checks:
                    checks[name](value)
            return function(*args, **given)

        return called  # type: ignore[return-value]

    return decorate


def _no_argument(function: str, name: str, known: set[str]) -> str:
    right = OTHER_LIBRARIES.get(name)
    if right in known:
        return f"{function} has no argument {name!r}: here it is called {right}"
    return f"{function} has no argument {name!r}; it has {', '.join(sorted(known))}"


def _is_law(value: Any) -> bool:
    """Whether it is a distribution or an estimator, or what a fit left behind."""
    return isinstance(value, Declared) or isinstance(getattr(value, "model", None), Declared)


def check_of(who: str, parameter: inspect.Parameter) -> Callable[[Any], None] | None:
    """What raises where an argument is of another kind than its annotation says; None where that is no kind that is known here."""
    said = str(parameter.annotation)
    while "[" in said:
        said = re.sub(r"\[[^\[\]]*\]", "", said)
    words = [word.strip() for word in said.split("|")]
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or not set(words) <= ARGUMENT_KINDS.keys():
        return None
    tests = [ARGUMENT_KINDS[word][0] for word in words]
    node = next((ARGUMENT_KINDS[word][1] for word in words if word in ("Distribution", "Estimator")), None)
    need = " or ".join(dict.fromkeys(ARGUMENT_KINDS[word][1] for word in words))

    def check(value: Any) -> None:
        if any(test(value) for test in tests):
            return
        if node is not None:
            check_node(value, node, f"{who}: {parameter.name}", StructureError)
        raise ParameterError(f"{who}: {parameter.name} must be {need}, got {shorten(value)}")

    return check


def _is_node(value: Any, noun: str) -> bool:
    return isinstance(value, Declared) and value.noun == noun
