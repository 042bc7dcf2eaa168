"""Who watches a fit: the user's callback, and a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dmlcore.base.extras import library
from dmlcore.core.distribution import Distribution

if TYPE_CHECKING:
    from dmlcore.fitting.ascent import State

Callback = Callable[[int, float, Distribution], None]
Tell = Callable[["State"], None]


@contextmanager
def observers(callback: Callback | None, progress: bool, most: int) -> Iterator[Tell]:
    """What to call after each step: the callback, and the bar if one is asked for."""
    bar = _bar(most) if progress else None

    def tell(state: State) -> None:
        if bar is not None:
            bar.set_postfix_str(f"log likelihood {state.log_likelihood:.6f}", refresh=False)
            bar.update(state.step - bar.n)
        if callback is not None:
            callback(state.step, state.log_likelihood, state.model)

    try:
        yield tell
    finally:
        if bar is not None:
            bar.close()


def progress_bars() -> Any:
    """The library of progress bars. Raises `LibraryError`."""
    return library("tqdm.auto", "progress=True needs", "or use print_iter or a callback")


def _bar(most: int) -> Any:
    return progress_bars().tqdm(total=most, unit="step", desc="EM")
