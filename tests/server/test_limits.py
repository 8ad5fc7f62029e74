"""What a request may take, and that it gives it back: through the app itself, whose caller these tests are."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.fakes.pictures import RED, encode_squares
from tests.server.place import json_image

from atrous.runtime.engine import Engine
from atrous.server.app import create_app
from atrous.server.settings import Settings
from atrous.server.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from tests.server.place import Place

    from atrous.server.service import Service

PICTURE = encode_squares([[RED]])
LONG_S = 20


@dataclass
class Caller:
    """Somebody at the other end of a connection, who sends his body as he likes and may hang up."""

    app: FastAPI
    key: str
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""

    def __post_init__(self) -> None:
        self._parts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def send(self, part: bytes, *, is_last: bool = True) -> None:
        self._parts.put_nowait({"type": "http.request", "body": part, "more_body": not is_last})

    def hang_up(self) -> None:
        self._parts.put_nowait({"type": "http.disconnect"})

    @property
    def message(self) -> str:
        return orjson.loads(self.body)["message"]

    def call(self, path: str = "/road/1") -> asyncio.Task[None]:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"authorization", b"Bearer " + self.key.encode())],
            "server": ("server", 80),
            "client": ("caller", 1),
        }
        return asyncio.create_task(self.app(scope, self._parts.get, self._take))

    async def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.body += message.get("body", b"")


async def wait_until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not fact():
            await asyncio.sleep(0.005)


def open_app(place: Place, **settings: Any) -> tuple[FastAPI, Service]:
    place.publish()
    app = create_app(Settings(concurrency=1, **settings), place.ports)
    return app, app.state.service


class Blocked:
    """All slots of a server at work, until the end of the block."""

    def __init__(self, slots: Slots) -> None:
        self._slots, self._gate = slots, Event()

    async def __aenter__(self) -> None:
        self._work = asyncio.create_task(self._slots.run(lambda: self._gate.wait(LONG_S)))
        await wait_until(lambda: self._slots.busy == 1)

    async def __aexit__(self, *_: object) -> None:
        self._gate.set()
        await self._work


def test_a_caller_who_leaves_gives_up_his_place_in_the_queue_and_his_body(place: Place) -> None:
    app, service = open_app(place, max_waiting=1)

    async def run() -> None:
        async with Blocked(service.slots):
            gone = Caller(app, place.key)
            gone.send(PICTURE)
            request = gone.call()
            await wait_until(lambda: service.slots.waiting == 1)
            assert service.body_budget.used == len(PICTURE)
            gone.hang_up()
            await asyncio.wait_for(request, LONG_S)
            assert (service.slots.waiting, service.body_budget.used, service.life.in_flight) == (0, 0, 0)
            assert gone.status == 0
            next_one = Caller(app, place.key)
            next_one.send(PICTURE)
            served = next_one.call()
            await wait_until(lambda: service.slots.waiting == 1)
        await asyncio.wait_for(served, LONG_S)
        assert next_one.status == 200

    asyncio.run(run())


def test_a_caller_who_leaves_in_the_middle_of_his_body_gives_it_back(place: Place) -> None:
    app, service = open_app(place)

    async def run() -> None:
        gone = Caller(app, place.key)
        gone.send(b"x" * 1000, is_last=False)
        request = gone.call()
        await wait_until(lambda: service.body_budget.used == 1000)
        gone.hang_up()
        await asyncio.wait_for(request, LONG_S)
        assert (service.body_budget.used, service.life.in_flight) == (0, 0)

    asyncio.run(run())


def test_a_request_that_waits_too_long_for_a_slot_is_503_and_names_the_setting(place: Place) -> None:
    app, service = open_app(place, request_timeout_s=0.2)

    async def run() -> None:
        async with Blocked(service.slots):
            caller = Caller(app, place.key)
            caller.send(PICTURE)
            await asyncio.wait_for(caller.call(), LONG_S)
            assert (caller.status, caller.headers[b"retry-after"]) == (503, b"1")
            assert "request_timeout_s" in caller.message
            assert (service.slots.waiting, service.body_budget.used) == (0, 0)

    asyncio.run(run())


def test_a_request_that_waits_too_long_for_a_cold_model_is_503_and_the_load_goes_on(place: Place) -> None:
    gate = Event()
    bundles = place.ports.bundles
    locate = bundles.locate

    class SlowBundles:
        def locate(self, workspace: str, slug: str) -> Any:
            assert gate.wait(LONG_S)
            return locate(workspace, slug)

    place.publish()
    client = place.client(Settings(request_timeout_s=0.2), key=place.key, bundles=SlowBundles())
    late = client.post("/road/1", content=PICTURE)
    assert (late.status_code, late.headers["retry-after"]) == (503, "1")
    gate.set()
    patient = place.client(key=place.key, bundles=SlowBundles())
    assert patient.post("/road/1", content=PICTURE).status_code == 200


def test_a_body_that_stops_arriving_is_408_and_names_the_setting(place: Place) -> None:
    app, service = open_app(place, body_timeout_s=0.1)

    async def run() -> None:
        caller = Caller(app, place.key)
        caller.send(b"half", is_last=False)
        await asyncio.wait_for(caller.call(), LONG_S)
        assert (caller.status, caller.headers[b"connection"]) == (408, b"close")
        assert "body_timeout_s" in caller.message
        assert service.body_budget.used == 0

    asyncio.run(run())


def test_bodies_over_what_the_server_holds_together_are_503_and_others_are_served(place: Place) -> None:
    app, service = open_app(place, max_total_body_bytes=10_000)

    async def run() -> None:
        holder, refused, small = (Caller(app, place.key) for _ in range(3))
        holder.send(b"x" * 9_000, is_last=False)
        held = holder.call()
        await wait_until(lambda: service.body_budget.used == 9_000)
        refused.send(b"x" * 2_000)
        await asyncio.wait_for(refused.call(), LONG_S)
        assert (refused.status, refused.headers[b"retry-after"]) == (503, b"1")
        assert "max_total_body_bytes" in refused.message
        small.send(PICTURE)
        await asyncio.wait_for(small.call(), LONG_S)
        assert small.status == 200
        held.cancel()
        with suppress(asyncio.CancelledError):
            await held
        assert service.body_budget.used == 0

    asyncio.run(run())


def test_a_flood_for_one_model_does_not_hold_up_another(place: Place) -> None:
    place.publish("road-2-a", version=2)
    app, service = open_app(place)
    order: list[str] = []

    async def ask(path: str) -> None:
        caller = Caller(app, place.key)
        caller.send(PICTURE)
        await caller.call(path)
        assert caller.status == 200
        order.append(path)

    async def run() -> None:
        await asyncio.gather(ask("/road/1"), ask("/road/2"))
        order.clear()
        asked: list[asyncio.Task[None]] = []
        async with Blocked(service.slots):
            for path in ["/road/1"] * 4 + ["/road/2"]:
                asked.append(asyncio.create_task(ask(path)))
                await wait_until(lambda: service.slots.waiting == len(asked))
        await asyncio.gather(*asked)

    asyncio.run(run())
    assert "/road/2" in order[:2]


def test_pictures_of_an_array_whose_caller_has_left_are_not_worked_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, service = open_app(place)
    begun, left, answer = Event(), Event(), Engine.answer
    worked_on: list[bool] = []

    def answer_slowly(*given: Any, **named: Any) -> Any:
        worked_on.append(True)
        begun.set()
        assert left.wait(LONG_S)
        return answer(*given, **named)

    monkeypatch.setattr(Engine, "answer", answer_slowly)

    async def run() -> None:
        caller = Caller(app, place.key)
        caller.send(orjson.dumps({"model_id": "road/1", "image": [json_image(PICTURE)] * 3}))
        request = caller.call("/infer/semantic_segmentation")
        await wait_until(begun.is_set)
        caller.hang_up()
        await asyncio.wait_for(request, LONG_S)
        left.set()
        await wait_until(lambda: service.slots.busy == 0)

    asyncio.run(run())
    assert worked_on == [True]
    assert service.slots.pixels == 0


def test_a_picture_over_what_may_be_in_work_is_answered_all_the_same(place: Place) -> None:
    place.publish()
    client = place.client(Settings(max_total_pixels=1), key=place.key)
    assert client.post("/road/1", content=PICTURE).status_code == 200


def test_a_full_queue_names_the_setting(place: Place) -> None:
    app, service = open_app(place, max_waiting=0)

    async def run() -> None:
        caller = Caller(app, place.key)
        caller.send(PICTURE)
        async with Blocked(service.slots):
            await asyncio.wait_for(caller.call(), LONG_S)
        assert caller.status == 503
        assert "max_waiting" in caller.message

    asyncio.run(run())


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_413_and_names_the_setting(place: Place, *, announced: bool) -> None:
    place.publish()
    body = b"x" * 2000
    client = place.client(Settings(max_body_bytes=1000), key=place.key)
    reply = client.post("/road/1", content=body if announced else iter([body]))
    assert reply.status_code == 413
    assert "max_body_bytes" in reply.json()["message"]


def test_a_picture_or_an_array_over_the_limit_is_413_and_names_the_setting(place: Place) -> None:
    place.publish()
    client = place.client(Settings(max_pixels=1000, max_images=2), key=place.key)
    big = client.post("/road/1", content=encode_squares([[RED]], side_px=100))
    body = {"model_id": "road/1", "image": [json_image(PICTURE)] * 3}
    many = client.post("/infer/semantic_segmentation", json=body)
    assert (big.status_code, many.status_code) == (413, 413)
    assert "max_pixels of the server" in big.json()["message"]
    assert "max_images of the server" in many.json()["message"]


def test_those_who_wait_get_their_turn_in_order() -> None:
    slots, order = Slots(1, max_waiting=10), []

    async def run() -> None:
        async with Blocked(slots):
            asked = []
            for number in range(5):
                asked.append(asyncio.create_task(slots.run(lambda number=number: order.append(number))))
                await asyncio.sleep(0)
            asked[2].cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(run())
    assert order == [0, 1, 3, 4]
    assert (slots.busy, slots.waiting) == (0, 0)


def test_no_slot_is_lost_when_waiting_is_given_up_at_any_moment() -> None:
    slots = Slots(2, max_waiting=1000)

    async def run() -> None:
        for round_number in range(60):
            asked = [asyncio.create_task(slots.run(lambda: None)) for _ in range(6)]
            for _ in range(round_number % 7):
                await asyncio.sleep(0)
            for task in asked[::2]:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        await wait_until(lambda: slots.busy == 0)

    asyncio.run(run())
    assert slots.waiting == 0
