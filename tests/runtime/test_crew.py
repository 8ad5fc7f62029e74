from __future__ import annotations

from threading import Barrier, Lock, Thread

import pytest

from atrous.runtime.crew import ALONE, Crew


@pytest.mark.parametrize("helpers", [0, 1, 3])
@pytest.mark.parametrize("parts", [0, 1, 2, 50])
def test_every_part_is_done_once(helpers: int, parts: int) -> None:
    done: list[int] = []
    Crew(helpers).share(parts, done.append)
    assert sorted(done) == list(range(parts))


def test_helpers_work_at_the_same_time() -> None:
    # Nobody passes before both have come.
    meeting = Barrier(2, timeout=10)
    Crew(1).share(2, lambda _: meeting.wait())


def test_a_crew_that_is_busy_delays_nobody() -> None:
    crew, begun, may_end = Crew(1), Barrier(3, timeout=10), Barrier(3, timeout=10)

    def hold(_: int) -> None:
        begun.wait()
        may_end.wait()

    busy = Thread(target=crew.share, args=(2, hold))
    busy.start()
    begun.wait()
    done: list[int] = []
    crew.share(20, done.append)
    assert sorted(done) == list(range(20))
    may_end.wait()
    busy.join(10)


@pytest.mark.parametrize("crew", [ALONE, Crew(2)])
def test_what_a_part_raises_is_raised_after_all_have_ended(crew: Crew) -> None:
    lock, running = Lock(), [0]

    def work(part: int) -> None:
        with lock:
            running[0] += 1
        try:
            if part == 3:
                raise ValueError("part 3")
        finally:
            with lock:
                running[0] -= 1

    with pytest.raises(ValueError, match="part 3"):
        crew.share(40, work)
    assert running == [0]
