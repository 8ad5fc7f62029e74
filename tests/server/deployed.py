"""Servers in threads of this process, and rows that say that deployments are there."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import uvicorn

from atrous.workspace.deployment import Deployment, DeploymentReport, DeploymentState

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from atrous.workspace.ports import DeploymentStore

HOST = "test-host"
LONG_S = 10
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MUCH_LATER = NOW + timedelta(days=1)
NOWHERE = "http://127.0.0.1:1"


@contextmanager
def serve(app: ASGIApp) -> Generator[str]:
    """The address of an app."""
    started = threading.Event()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http="h11", loop="asyncio", ws="none", log_config=None, server_header=False
    )
    server = uvicorn.Server(config)

    async def run() -> None:
        serving = asyncio.ensure_future(server.serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.001)
        started.set()
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert started.wait(LONG_S)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(LONG_S)


@dataclass
class Upstream:
    """A deployment that notes what it is asked and answers the same each time.

    Attributes:
        parts: seen of bodies; `has_part` is set at each.
        may_end: waited for before the end of a reply.
    """

    reply: bytes = b"done"
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    scopes: list[Scope] = field(default_factory=list[Any])
    parts: list[bytes] = field(default_factory=list[bytes])
    has_part: threading.Event = field(default_factory=threading.Event)
    has_lost: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_end.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.scopes.append(scope)
        while (await self._read(receive)).get("more_body", False):
            pass
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.reply, "more_body": True})
        gone = asyncio.ensure_future(receive())
        while not self.may_end.is_set() and not gone.done():
            await asyncio.sleep(0.001)
        if gone.done():
            self.has_lost.set()
        gone.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _read(self, receive: Receive) -> Message:
        message = await receive()
        if message["type"] == "http.disconnect":
            self.has_lost.set()
        if message.get("body"):
            self.parts.append(message["body"])
            self.has_part.set()
        return message

    @property
    def body(self) -> bytes:
        """All that it was sent."""
        return b"".join(self.parts)

    def told(self, name: str) -> list[str]:
        """The values of a header of the last request."""
        return [value.decode("latin-1") for found, value in self.scopes[-1]["headers"] if found == name.encode()]


@contextmanager
def hang_up_on_all(replies: Sequence[bytes] = ()) -> Generator[tuple[str, list[bytes]]]:
    """The address of a server that reads from each connection once, replies, and hangs up; and what it has read."""
    seen: list[bytes] = []

    def work() -> None:
        for reply in chain(replies, repeat(b"")):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                seen.append(connection.recv(65536))
                connection.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(LONG_S)


def deploy(
    store: DeploymentStore, address: str, name: str = "alpha", *, state: DeploymentState = DeploymentState.READY
) -> None:
    """Say that a deployment is there."""
    store.add_deployment(
        Deployment(
            name=name,
            workspace="acme",
            machine_type="dev-cpu",
            creator_email="a@example.org",
            created=NOW,
            state=state,
            address=address,
        )
    )


def move(store: DeploymentStore, address: str, name: str = "alpha", *, until: datetime = MUCH_LATER) -> None:
    """Say that a deployment is now elsewhere, and held there until then."""
    store.claim_deployments(HOST, ["dev-cpu"], NOW, until)
    store.report_deployment(name, HOST, DeploymentReport(DeploymentState.READY, address=address), NOW, until)
