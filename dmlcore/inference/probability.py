"""How probable an event is: values in ranges and among labels, anywhere in an observation. Exact, by the walk that conditions."""

from __future__ import annotations

import math
from typing import Any

from dmlcore.base.errors import SupportError, shorten
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.partial import given as given_of
from dmlcore.fitting.record import Fit, model_of
from dmlcore.inference.events import Disjoint, both_of, collapsed, read_event


@takes()
def probability(model: Distribution | Fit, event: Any, given: Any = None) -> float:
    """The probability of an event, given another or an observation.

    model: a distribution, or what `fit` returned. event: an observation of the model in which a range `(low, high)` may stand for a number
    (or a date, a time, a duration) and a set of values for a label or a whole number, at any depth. Fields of tuples may be given by
    position or name in a mapping; those left out may be anything. Both ends belong to a range, and None leaves one open; `dmlcore.Between`
    is a range of labels that have an order. One value is the event that it is that, which is zero for laws with a density; None, that it is
    missing. given: the same, or values, also of laws with a density. What both speak of holds both.

    Exact where the laws that the event asks have a distribution function or probabilities; two or more ranges of the coordinates of one
    Gaussian vector by quasi-Monte Carlo, to about 1e-6. Raises `SupportError` where what is given has density zero, `DataError` where
    a list or a tuple stands for a label that it is not, and `StructureError` where the shape does not fit or a law says no probability.
    """
    model = model_of(model, "probability")
    x = read_event(model, event, points=True)
    if given is None:
        return min(math.exp(_log_density_of(model, x)), 1.0)
    y = read_event(model, given)
    below = _log_density_of(model, y)
    if below == -math.inf:
        raise SupportError(f"{model.label}: what is given, {shorten(given)}, has density zero, so nothing follows from it")
    try:
        both = both_of(x, y)
    except Disjoint:
        return 0.0
    return min(math.exp(_log_density_of(model, both) - below), 1.0)


def _log_density_of(model: Any, x: Any) -> float:
    return float(given_of(model, collapsed(x, model.layout), 1)[0][0])
