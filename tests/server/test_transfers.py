from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import ClientDisconnect

from atrous.server.deadline import Deadline

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

TIMEOUT_S = 0.5
PAUSE_S = 0.2
PIECES = 4


async def send_slowly(scope: Scope, receive: Receive, send: Send) -> None:
    """Each piece in time, the whole too late."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(PIECES):
        await asyncio.sleep(PAUSE_S)
        await send({"type": "http.response.body", "body": b"x", "more_body": number < PIECES - 1})


async def fall_silent(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await asyncio.sleep(60)


async def ask(path: str, app: Any = send_slowly) -> list[Message]:
    sent: list[Message] = []
    bodies = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        for message in bodies:
            return message
        return await asyncio.Event().wait()

    async def send(message: Message) -> None:
        sent.append(message)

    await Deadline(app, request_timeout_s=TIMEOUT_S, body_timeout_s=TIMEOUT_S, tell_retry_after=lambda: 1)(
        {"type": "http", "path": path}, receive, send
    )
    return sent


def test_a_transfer_may_take_longer_than_a_request_while_it_gets_ahead() -> None:
    assert len(asyncio.run(ask("/platform/exports/x.zip"))) == 1 + PIECES


@pytest.mark.parametrize(("path", "app"), [("/road/1", send_slowly), ("/platform/exports/x.zip", fall_silent)])
def test_others_and_silent_transfers_are_cut_off(path: str, app: Any) -> None:
    with pytest.raises(ClientDisconnect):
        asyncio.run(ask(path, app))
