"""Pictures of several callers in one pass."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.runtime.backends import Network


@dataclass(frozen=True, slots=True)
class _Seat:
    """What one caller brought, and what came of it."""

    input_BCHW: NDArray[np.float32]
    logits_BKhw: Future[NDArray[np.float32]] = field(default_factory=Future["NDArray[np.float32]"])


class Batches:
    """Runs one pass at a time, of whatever has queued while the last one ran; nobody is waited for.

    Safe to call from several threads at once. A pass runs on the thread of one of the callers.

    Args:
        network: takes any number of pictures.
        max_batch: pictures of one pass, at least 1.
    """

    def __init__(self, network: Network, max_batch: int) -> None:
        self._network = network
        self._max_batch = max_batch
        self._changed = Condition()
        self._waiting: deque[_Seat] = deque()
        self._is_running = False

    def __call__(self, input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give raw logits [B, K, h, w]; what a pass raises goes to all whose pictures were in it."""
        seat = _Seat(input_BCHW)
        with self._changed:
            self._waiting.append(seat)
        while seats := self._wait_for_turn(seat):
            self._run(seats)
        return seat.logits_BKhw.result()

    def _wait_for_turn(self, seat: _Seat) -> list[_Seat]:
        """Those at the head of the queue, whom this caller is to run, its own seat among them or not.

        Nobody once its own seat is done.
        """
        with self._changed:
            self._changed.wait_for(lambda: seat.logits_BKhw.done() or not self._is_running)
            if seat.logits_BKhw.done():
                return []
            self._is_running = True
            return self._take_seats()

    def _take_seats(self) -> list[_Seat]:
        seats = [self._waiting.popleft()]
        pictures = len(seats[0].input_BCHW)
        while self._waiting:
            following = self._waiting[0].input_BCHW
            pictures += len(following)
            if pictures > self._max_batch or following.shape[1:] != seats[0].input_BCHW.shape[1:]:
                break
            seats.append(self._waiting.popleft())
        return seats

    def _run(self, seats: list[_Seat]) -> None:
        try:
            inputs = [seat.input_BCHW for seat in seats]
            logits_BKhw = self._network(inputs[0] if len(inputs) == 1 else np.concatenate(inputs))
            first = 0
            for seat in seats:
                last = first + len(seat.input_BCHW)
                seat.logits_BKhw.set_result(logits_BKhw[first:last])
                first = last
        except BaseException as error:  # noqa: BLE001  (raised again by each caller)
            for seat in seats:
                seat.logits_BKhw.set_exception(error)
        finally:
            with self._changed:
                self._is_running = False
                self._changed.notify_all()
