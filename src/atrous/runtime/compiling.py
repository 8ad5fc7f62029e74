"""Functions compiled to machine code, kept on disk where there is a place for them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function at its first call, or take what an earlier process kept of it.

    It is kept in `NUMBA_CACHE_DIR` if that is set, else beside the source, else in the user's own cache folder, else
    not at all.

    Args:
        options: of numba's `njit`.
    """

    def compile_function(function: Callable[..., Any]) -> Any:
        try:
            dispatcher: Any = njit(cache=True, **options)(function)
        except RuntimeError:
            # Nothing can be written anywhere, as in some containers: each process compiles for itself.
            return njit(**options)(function)
        _tolerate_bad_disk(dispatcher._cache)  # noqa: SLF001  (numba offers no other way)
        return dispatcher

    return compile_function


def _tolerate_bad_disk(cache: Any) -> None:
    """Let a full disk or a damaged file cost the time to compile, never an answer."""
    save, load = cache.save_overload, cache.load_overload

    def save_if_possible(*overload: Any) -> None:
        with suppress(OSError):
            save(*overload)

    def load_if_possible(*overload: Any) -> Any:
        try:
            return load(*overload)
        except Exception:  # noqa: BLE001  (a damaged pickle may raise anything)
            with suppress(OSError):
                cache.flush()
            return None

    cache.save_overload, cache.load_overload = save_if_possible, load_if_possible
