"""Arguments by the names that other libraries have for them, or in another order: they are refused with what is right."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from dmlcore.core.declared import Declared

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

F = TypeVar("F", bound=Callable[..., Any])


def takes(*passed_on_to: Callable[..., Any], law: str = "", data: str = "data") -> Callable[[F], F]:
    """Of a function: a keyword that it does not have is a `TypeError` with the one that was meant, and so are two arguments in each other's
    place.

    passed_on_to: functions whose keywords it takes as well. law, data: the names of two of its arguments: of a model, an estimator or the
    record of a fit, and of what is none.
    """

    def decorate(function: F) -> F:
        own = list(inspect.signature(function).parameters)
        both: list[Callable[..., Any]] = [function, *passed_on_to]
        known = {p.name for one in both for p in inspect.signature(one).parameters.values() if p.kind is not p.VAR_KEYWORD}
        places = (own.index(law), own.index(data)) if law else None
        order = f"{function.__name__}({', '.join(sorted((law, data), key=own.index))})" if law else ""

        @functools.wraps(function)
        def called(*args: Any, **given: Any) -> Any:
            for name in given:
                if name not in known:
                    raise TypeError(_no_argument(function.__name__, name, known))
            if places is not None:
                model, rows = (args[at] if at < len(args) else given.get(name) for at, name in zip(places, (law, data), strict=True))
                if _is_law(rows) and model is not None and not _is_law(model):
                    raise TypeError(f"{function.__name__}: {law} and {data} are in each other's place; it is {order}")
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
