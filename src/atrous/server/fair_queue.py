"""Who is next: in order for each key, in rotation between keys."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from atrous.server.turns import Turn

# Keys whose place in the rotation is remembered while none of them waits.
MAX_IDLE_KEYS = 256


class FairQueue:
    """Turns that wait. The key that was served longest ago comes first, so a flood for one holds up no other.

    All keys share the places. When they are taken, the longest queue loses its newest turn to a newcomer whose own is
    shorter: a flood for one key costs another no place either. Not safe to use from several threads.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._count = 0
        # In order of the last turn given; keys that were served lately keep their place with nobody waiting.
        self._lanes: OrderedDict[Hashable, deque[Turn]] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def add(self, turn: Turn) -> Turn | None:
        """Let a turn wait; give the one, the same or another, for which there is no place any more."""
        lane = self._lane_of(turn.key)
        lane.append(turn)
        if self._count < self._max_waiting:
            self._count += 1
            return None
        longest = max(self._lanes.values(), key=len)
        return (longest if len(longest) > len(lane) else lane).pop()

    def remove(self, turn: Turn) -> bool:
        """Let a turn wait no longer; False if it does not wait."""
        lane = self._lanes.get(turn.key)
        if lane is None or turn not in lane:
            return False
        lane.remove(turn)
        self._count -= 1
        return True

    def take(self) -> Turn | None:
        """The turn that is next, which waits no longer; None if none waits."""
        if not self._count:
            return None
        turn = next(lane for lane in self._lanes.values() if lane).popleft()
        self._count -= 1
        self.note_served(turn.key)
        return turn

    def note_served(self, key: Hashable) -> None:
        """Let a key that just had a turn come last."""
        self._lane_of(key)
        self._lanes.move_to_end(key)

    def _lane_of(self, key: Hashable) -> deque[Turn]:
        if key not in self._lanes and len(self._lanes) >= MAX_IDLE_KEYS:
            self._forget_idle()
        return self._lanes.setdefault(key, deque())

    def _forget_idle(self) -> None:
        self._lanes = OrderedDict((key, lane) for key, lane in self._lanes.items() if lane)
