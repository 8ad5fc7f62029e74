"""A request's turn to be worked for, as the code that works for it sees it."""

from __future__ import annotations

import math
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from atrous.core.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from atrous.server.pixel_budget import PixelBudget


@dataclass(slots=True, eq=False)
class Turn:
    """A place in a queue, and then a slot.

    Attributes:
        key: whose queue it stands in.
        budget: what its pixels come from.
        answer_by_s: when its caller stops waiting, as `time.monotonic` counts.
        given: done when it has a slot; holds the error of a turn that is refused one.
        has_slot: whether a slot was set aside for it while it waited.
        is_wanted: whether anybody waits for what it makes.
        pixels: of the picture that it has in work.
    """

    key: Hashable
    budget: PixelBudget
    answer_by_s: float = math.inf
    given: Future[None] = field(default_factory=Future[None])
    has_slot: bool = False
    is_wanted: bool = True
    pixels: int = 0

    def hold(self, pixels: int) -> None:
        """Block until a picture of this size may be worked on, in place of the last one.

        Raises:
            UnavailableError: if nobody waits for the answer any more.
        """
        self.let_go()
        self.check()
        self.budget.take(pixels)
        self.pixels = pixels
        self.check()

    def let_go(self) -> None:
        """Hold no picture any more."""
        self.budget.give_back(self.pixels)
        self.pixels = 0

    def check(self) -> None:
        """Stop work that is in vain.

        Raises:
            UnavailableError: if nobody waits for the answer any more.
        """
        if not self.is_wanted:
            raise UnavailableError("the caller has left, or his time is up; nobody waits for this answer")


_current: ContextVar[Turn | None] = ContextVar("atrous_turn", default=None)


def begin_turn(turn: Turn) -> None:
    """Make it the turn of all that happens in this context from here on."""
    _current.set(turn)


def hold_pixels(pixels: int) -> None:
    """Block until a picture of this size may be worked on, in place of the last one; at once outside of turns.

    Raises:
        UnavailableError: if nobody waits for the answer any more.
    """
    turn = _current.get()
    if turn is not None:
        turn.hold(pixels)


def check_wanted() -> None:
    """Stop work that is in vain; cheap enough to be asked for every picture and tile. Says nothing outside of turns.

    Raises:
        UnavailableError: if nobody waits for the answer any more.
    """
    turn = _current.get()
    if turn is not None:
        turn.check()
