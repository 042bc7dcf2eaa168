"""What a fit leaves behind."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from dmlcore.base.errors import StructureError
from dmlcore.base.lazy import above
from dmlcore.core.declared import check_node
from dmlcore.core.distribution import Distribution
from dmlcore.core.text_tables import as_html, cell
from dmlcore.core.typeface import for_terminal
from dmlcore.fitting.events import Event

if TYPE_CHECKING:

    class Model(Distribution):
        """A distribution of a family that is known when it runs: type checkers let its own parameters pass."""

        def __getattr__(self, name: str) -> Any: ...

else:
    Model = Distribution


@dataclass
class Start:
    """How one start of a search went.

    objective: log likelihood and log prior where it ended, on the rows that were searched. status: converged, given up (others were
    better), failed, degenerate, ... message: why. steps: EM steps taken.
    """

    objective: float
    status: str
    steps: int
    message: str = ""


@dataclass(repr=False)
class Fit:
    """What a fit did.

    model: the best distribution found. status: converged, iteration limit, time limit, decreased, degenerate or interrupted; message:
    why, in a sentence. history: the log likelihood after i steps, i = 0, 1, .., which repeats where a step was refused because it would
    have gone down; objective: what was maximised, which is the same with the log prior, or, where assign is "hard", the classification
    log likelihood with the log prior. It falls where a component was removed, and where classes are drawn. seconds: wall time. events:
    what else happened on the way, such as a saddle that was left: sentences, which also know their kind, step and place.
    starts: how each start of a search went. assign: how rows were given
    to classes. estimator: the one that was given, without the components removed for `min_share`; removed: how many these are. rows: the
    weight of all rows. proposal: what was proposed (`dmlcore.propose`), where no estimator was given.
    """

    model: Model
    status: str
    message: str
    history: list[float] = field(repr=False)
    objective: list[float] = field(repr=False)
    seconds: float
    events: list[Event] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    searched: int = 0  # EM steps of the search for a start
    ended: int = 0  # starts of the search that were not given up early
    reached: int = 0  # of those, how many came to the best optimum found
    assign: str = "soft"
    estimator: Any = field(default=None, repr=False)
    removed: int = 0
    rows: float = math.nan
    proposal: Any = field(default=None, repr=False)

    def __repr__(self) -> str:
        head = f"status={self.status!r}, log_likelihood={self.log_likelihood!r}, iterations={self.iterations}, seconds={self.seconds:.3g}"
        if self.starts:
            head += f", starts={len(self.starts)}, reached='{self.reached} of {self.ended}'"
        if self.assign != "soft":
            head += f", assign={self.assign!r}"
        return f"Fit({head}, message={self.message!r}, events={self.events!r}, model={self.model!r})"

    def _repr_html_(self) -> str:
        events = "".join(f"<li>{escape(event)}</li>" for event in self.events)
        model = self.model._repr_html_() if hasattr(self.model, "_repr_html_") else ""
        return f"{as_html([self._facts()], self.message)}{f'<ul>{events}</ul>' * bool(events)}{model}"

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "status": self.status,
            "rows": int(self.rows) if float(self.rows).is_integer() else self.rows,
            "log likelihood": self.log_likelihood,
        }
        if self.rows > 0 and hasattr(self.model, "log_density"):
            facts |= {"AIC": self.aic, "BIC": self.bic}
        agreed = {"starts that agreed": f"{self.reached} of {self.ended}"} if self.starts else {}
        return facts | {"steps": self.iterations} | agreed | {"seconds": self.seconds}

    @property
    def log_likelihood(self) -> float:
        """Log likelihood of the data under `model`."""
        return self.history[-1]

    @property
    def iterations(self) -> int:
        """EM steps taken from the start that was chosen."""
        return len(self.history) - 1

    @property
    def converged(self) -> bool:
        """Whether the status is "converged"."""
        return self.status == "converged"

    @property
    def bic(self) -> float:
        """Bayesian information criterion, as of `dmlcore.bic`; smaller is better."""
        return float(above("dmlcore.selection.criteria", "bic")(self))

    @property
    def aic(self) -> float:
        """Akaike's information criterion, as of `dmlcore.aic`; smaller is better."""
        return float(above("dmlcore.selection.criteria", "aic")(self))

    def icl(self, data: Any, *, weights: Any = None, hard: bool = False) -> float:
        """Integrated completed likelihood, as of `dmlcore.icl`. It asks the rows, which a fit does not keep: give them again."""
        return float(above("dmlcore.selection.criteria", "icl")(self, data, weights=weights, hard=hard))

    def summary(self, tree: bool | None = None) -> str:
        """How the fit went, and the summary of the model, as text. tree: as of the model's own."""
        facts = [f"{name}: {shown}" for name, value in self._facts().items() if (shown := cell(value))]
        said = [for_terminal(f"  {event}") for event in self.events]
        return "\n".join([self.message, ", ".join(facts), *said, "", self.model.summary(tree)])

    def plot(self, data: Any = None, **options: Any) -> Any:
        """The model over the data, as its own `plot` draws it. (`dmlcore.plot.history` draws the way there.)"""
        return self.model.plot(data, **options)


def model_of(given: Any, who: str) -> Model:
    """The model of a fit, or a model as it is. Raises `StructureError` for what is neither."""
    model = given.model if isinstance(given, Fit) else given
    check_node(model, Distribution.noun, f"{who}: model", StructureError)
    return model


def fitted_by(given: Any, estimator: Any = None) -> tuple[Distribution, Any]:
    """A model and the estimator it was fitted by, of a fit, or of a model alone, whose estimator is then one of its own shape."""
    model, own = (given.model, given.estimator) if isinstance(given, Fit) else (given, None)
    estimator = own if estimator is None else estimator
    return model, model.estimator() if estimator is None else estimator
