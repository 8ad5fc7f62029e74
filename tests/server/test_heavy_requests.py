"""What the heaviest requests get, how long it takes and how much memory; the figures are logged.

Run `pytest -m slow -o log_cli=true -o log_cli_level=INFO tests/server/test_heavy_requests.py`.
"""

from __future__ import annotations

import logging
import socket
import struct
import time
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from tests.cli.terminal import Server, publish
from tests.fakes.pictures import RED, encode_squares
from tests.server.hostile import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure another process"),
]
logger = logging.getLogger(__name__)

PICTURE = encode_squares([[RED]])
LONG_S = 120
MB = 1_000_000


@dataclass
class Cost:
    """Of what happened inside `measure`: seconds, and bytes of memory beyond those before."""

    elapsed_s: float = 0.0
    peak_bytes: int = 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("heavy") / "home"
    publish(home)
    with Server(home) as running:
        assert post(running, PICTURE).status_code == 200
        yield running


def post(server: Server, data: bytes) -> httpx.Response:
    headers = {"authorization": f"Bearer {server.key}"}
    return httpx.post(f"{server.url}/road/1", content=data, headers=headers, timeout=LONG_S)


@contextmanager
def measure(server: Server, name: str) -> Iterator[Cost]:
    """Log the cost of what happens inside, as the kernel saw it."""
    target = Target(server.url, server.pid, server.key)
    Path(f"/proc/{server.pid}/clear_refs").write_text("5", encoding="ascii")
    before_bytes, started, cost = target.rss_bytes(), time.monotonic(), Cost()
    yield cost
    cost.elapsed_s = time.monotonic() - started
    cost.peak_bytes = target.rss_bytes("VmHWM") - before_bytes
    rest = target.rss_bytes() - before_bytes
    figures = (before_bytes / MB, cost.peak_bytes / MB, rest / MB)
    logger.info("%s: %.2f s; RSS %.0f MB before, +%.0f MB at its peak, +%.0f MB after", name, cost.elapsed_s, *figures)


def make_bomb(side_px: int) -> bytes:
    """A small PNG of a huge black square."""
    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes((1 + 3 * side_px) * side_px), 9)
    parts = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_bomb_below_the_limit_of_pixels_costs_what_its_pixels_cost(server: Server) -> None:
    bomb = make_bomb(8000)
    assert len(bomb) < MB / 4
    with measure(server, "bomb of 64 megapixels") as cost:
        assert post(server, bomb).status_code == 200
    assert cost.elapsed_s < 60
    assert cost.peak_bytes < 3000 * MB


def test_a_bomb_over_the_limit_of_pixels_is_not_decoded(server: Server) -> None:
    bomb = make_bomb(16_000)
    with measure(server, "bomb of 256 megapixels") as cost:
        reply = post(server, bomb)
    assert reply.status_code == 413
    assert "max_pixels" in reply.json()["message"]
    assert cost.elapsed_s < 2
    assert cost.peak_bytes < 30 * MB


def test_a_body_of_120_megabytes_is_not_held(server: Server) -> None:
    with measure(server, "body of 120 megabytes") as cost:
        reply = post(server, b"x" * 120_000_000)
    assert reply.status_code == 413
    assert cost.peak_bytes < 60 * MB


def test_200_slow_callers_hold_nobody_up(server: Server) -> None:
    address = urlsplit(server.url)
    head = f"POST /road/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.key}\r\nContent-Length: 1000000\r\n\r\n"
    with measure(server, "200 slow callers") as cost:
        slow = [socket.create_connection((address.hostname, address.port), timeout=LONG_S) for _ in range(200)]
        for place, connection in enumerate(slow):
            connection.sendall(head.encode() + bytes(1000) if place % 2 else head[:50].encode())
        started = time.monotonic()
        assert post(server, PICTURE).status_code == 200
        logger.info("one who is not slow: %.3f s", time.monotonic() - started)
        assert time.monotonic() - started < 5
        got = Counter(read_status(connection) for connection in slow)
    assert got == {"408": 100, "": 100}
    assert cost.elapsed_s < 30
    assert cost.peak_bytes < 60 * MB


def read_status(connection: socket.socket) -> str:
    """The status of the reply; empty if the connection was closed without one."""
    with connection:
        try:
            return connection.recv(65536)[9:12].decode("ascii")
        except ConnectionResetError:
            return ""
