"""What happens in a fit, as values that read as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class Event(str):
    """A sentence, with what it says: `place: text`.

    kind: what happened, a word; step: after which EM step, None where it belongs to none; place: the path of the part of the model that it
    is about, as `dist.components[2]`, empty for the whole; component: of that part, which component, where `text` has `{component}`.
    """

    kind: str
    step: int | None
    place: str
    text: str
    component: int | None

    def __new__(cls, kind: str, text: str, *, step: int | None = None, place: str = "", component: int | None = None) -> Self:
        said = text if component is None else text.replace("{component}", str(component))
        out = super().__new__(cls, f"{place}: {said}" if place else said)
        out.kind, out.step, out.place, out.text, out.component = kind, step, place, text, component
        return out

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, Any]]:  # type: ignore[override]
        return (self.kind, self.text), {"step": self.step, "place": self.place, "component": self.component}

    def moved(self, places: Mapping[str, str], components: Mapping[int, int]) -> Event:
        """The same of a model whose parts are called otherwise: new names of the first step of a path, new numbers of components."""
        first, dot, rest = self.place.partition(".")
        place = places.get(first, first) + dot + rest
        component = self.component if self.component is None or first else components.get(self.component, self.component)
        return Event(self.kind, self.text, step=self.step, place=place, component=component)

    def with_text(self, text: str) -> Event:
        """The same with more to say."""
        return Event(self.kind, text, step=self.step, place=self.place, component=self.component)
