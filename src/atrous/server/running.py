"""An app on a port, from the first request to an orderly end."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import uvicorn

from atrous.server.protocol import make_protocol

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from fastapi import FastAPI

    from atrous.server.service import Service
    from atrous.server.settings import Settings


def run_app(app: FastAPI, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, finish what is in flight, and return.

    Raises:
        AtrousError: the reason, if the server ended because it could never become ready.
    """
    service: Service = app.state.service
    DrainingServer(_make_config(app, service.settings), service).run(sockets=[listener])
    if service.life.failure is not None:
        raise service.life.failure


class DrainingServer(uvicorn.Server):
    """Asked to end, it first finishes what is in flight, refusing what is new with 503, and then closes the port.

    So a balancer sees that the server is not ready, and nobody who was quick enough to connect is hung up on.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._life = service.life
        self._delay_s = service.settings.shutdown_delay_s
        self._timeout_s = service.settings.shutdown_timeout_s
        self._asked_s = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; a second Ctrl-C ends at once. SIGTERM may follow it: from whoever started this worker."""
        del frame
        if self._life.is_draining:
            if sig == signal.SIGINT:
                self.should_exit = self.force_exit = True
            return
        self._captured_signals.append(sig)
        self._asked_s = time.monotonic()
        self._life.begin_drain()

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; True ends the server."""
        if self._life.failure is not None:
            self.should_exit = True
        if self._life.is_draining and not self.should_exit:
            passed_s = time.monotonic() - self._asked_s
            is_done = passed_s >= self._delay_s and not self._life.in_flight
            self.should_exit = is_done or passed_s >= self._delay_s + self._timeout_s
            # What is still in flight has had its time.
            self.config.timeout_graceful_shutdown = 1
        return await super().on_tick(counter)


def _make_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=make_protocol(
            header_timeout_s=settings.header_timeout_s,
            stall_timeout_s=settings.body_timeout_s,
            max_connections=settings.max_connections,
        ),
        # Whatever other packages bring along, such as uvloop: the same server everywhere.
        loop="asyncio",
        ws="none",
        # Our own access log leaves out the query, where clients put their keys.
        access_log=False,
        log_config=None,
        server_header=False,
        workers=1,
        ssl_certfile=settings.certfile or None,
        ssl_keyfile=settings.keyfile or None,
    )
