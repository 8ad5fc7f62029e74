"""Work that runs ahead of or behind the main thread, a few items at a time, so that memory stays flat."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

# A camera's read can hang longer than a person who wants to stop waits.
PATIENCE_S = 2.0

Item = TypeVar("Item")


class Belt(Generic[Item]):
    """A few items on their way from a thread that puts to a thread that takes."""

    def __init__(self, capacity: int) -> None:
        self._items: deque[Item] = deque()
        self._capacity = capacity
        self._changed = threading.Condition()
        self._is_ended = self._is_stopped = False
        self._fault: BaseException | None = None

    def put(self, item: Item) -> bool:
        """Add an item once there is room; False if nobody takes any more."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._capacity or self._is_stopped)
            return self._add(item)

    def put_newest(self, item: Item) -> bool:
        """Add an item at once, in place of the oldest if there is no room; False if nobody takes any more."""
        with self._changed:
            if len(self._items) >= self._capacity:
                self._items.popleft()
            return self._add(item)

    def end(self, fault: BaseException | None = None) -> None:
        """No more will be put; a fault is raised where the items are taken, after them."""
        with self._changed:
            self._is_ended, self._fault = True, fault or self._fault
            self._changed.notify_all()

    def stop(self, fault: BaseException | None = None) -> None:
        """No more will be taken; a fault is what `check` raises."""
        with self._changed:
            self._is_stopped, self._fault = True, fault or self._fault
            self._items.clear()
            self._changed.notify_all()

    def check(self) -> None:
        """Raise what went wrong at the other end."""
        if self._fault is not None:
            raise self._fault

    def take(self) -> Generator[Item]:
        """The items until the end; waits for each."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._is_ended)
                if not self._items:
                    break
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
        self.check()

    def _add(self, item: Item) -> bool:
        if not self._is_stopped:
            self._items.append(item)
            self._changed.notify_all()
        return not self._is_stopped


def read_ahead(items: Iterable[Item], capacity: int) -> Generator[Item]:
    """The items, drawn in a thread that is at most `capacity` ahead; none is lost."""
    belt = Belt[Item](capacity)
    yield from _take(belt, _draw(items, belt, belt.put))


def read_newest(items: Iterable[Item], capacity: int) -> Generator[Item]:
    """The items, drawn in a thread as they come; of those that nobody took in time, the oldest are lost."""
    belt = Belt[Item](capacity)
    yield from _take(belt, _draw(items, belt, belt.put_newest))


@contextmanager
def write_behind(write: Callable[[Item], None], capacity: int) -> Generator[Callable[[Item], None]]:
    """Give a function that hands an item to `write`, in a thread that is at most `capacity` behind.

    The block's end waits for the last item. What `write` raises ends the writing and is raised here.
    """
    belt = Belt[Item](capacity)

    def hand_over(item: Item) -> None:
        if not belt.put(item):
            belt.check()

    writer = threading.Thread(target=_drain, args=(belt, write), name="write-behind")
    writer.start()
    try:
        yield hand_over
    finally:
        belt.end()
        writer.join()
    belt.check()


def _take(belt: Belt[Item], reader: threading.Thread) -> Generator[Item]:
    reader.start()
    try:
        yield from belt.take()
    finally:
        belt.stop()
        reader.join(PATIENCE_S)


def _draw(items: Iterable[Item], belt: Belt[Item], put: Callable[[Item], bool]) -> threading.Thread:
    def draw() -> None:
        fault: BaseException | None = None
        drawn = iter(items)
        try:
            for item in drawn:
                if not put(item):
                    break
            # What a generator holds open is closed in the thread that used it.
            getattr(drawn, "close", lambda: None)()
        except BaseException as error:  # noqa: BLE001  (raised again where the items are taken)
            fault = error
        belt.end(fault)

    return threading.Thread(target=draw, name="read-ahead", daemon=True)


def _drain(belt: Belt[Item], write: Callable[[Item], None]) -> None:
    try:
        for item in belt.take():
            write(item)
    except BaseException as error:  # noqa: BLE001  (raised again where the items come from)
        belt.stop(error)
