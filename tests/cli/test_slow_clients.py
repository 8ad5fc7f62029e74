"""Callers who neither speak nor listen, against the real server over loopback."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest
from tests.cli.terminal import Server, publish
from tests.fakes.pictures import RED, encode_squares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PICTURE = encode_squares([[RED]])
LONG_S = 20


class Place:
    """A server of little patience, and a way to speak to it byte by byte."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.key = server.key
        host, port = server.url.removeprefix("http://").split(":")
        self._address = host, int(port)

    def connect(self, first: bytes = b"") -> socket.socket:
        connection = socket.create_connection(self._address, timeout=LONG_S)
        connection.sendall(first)
        return connection

    def head(self, length: int) -> bytes:
        lines = ["POST /road/1 HTTP/1.1", "Host: server", f"Authorization: Bearer {self.key}"]
        return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()

    def post(self, data: bytes = PICTURE) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.post(f"{self.server.url}/road/1", content=data, headers=headers, timeout=LONG_S)

    def read_metric(self, name: str) -> float:
        text = httpx.get(f"{self.server.url}/metrics", timeout=LONG_S).text
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("slow") / "home"
    publish(home)
    # Two seconds for a head: those who speak may themselves be kept waiting on a busy machine.
    settings = {"header_timeout_s": "2", "body_timeout_s": "1", "max_connections": "300"}
    with Server(home, settings=settings) as server:
        yield Place(server)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other end closes, in whatever way."""
    read = b""
    with connection:
        try:
            while part := connection.recv(65536):
                read += part
        except ConnectionResetError:
            pass
    return read


def wait_until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_connection_without_a_whole_head_is_closed(place: Place) -> None:
    started = time.monotonic()
    begun = [place.connect(first) for first in (b"", b"POST /road/1 HTT", b"GET /info HTTP/1.1\r\nHost: a\r\n")]
    for connection in begun:
        assert read_all(connection) == b""
        assert 0.5 < time.monotonic() - started < 10


def test_a_head_that_dribbles_in_does_not_buy_time(place: Place) -> None:
    connection, started = place.connect(), time.monotonic()
    with pytest.raises(OSError, match=r"Broken pipe|reset"):  # noqa: PT012
        while time.monotonic() - started < LONG_S:
            connection.sendall(b"x")
            time.sleep(0.1)
    connection.close()
    assert time.monotonic() - started < 10


def test_a_second_request_on_a_connection_has_no_more_time_than_the_first(place: Place) -> None:
    connection = place.connect(b"GET /info HTTP/1.1\r\nHost: a\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    started = time.monotonic()
    connection.sendall(b"GET /info HT")
    assert b"HTTP" not in read_all(connection)
    assert time.monotonic() - started < 4


def test_a_body_that_stops_arriving_is_told_so_and_hung_up_on(place: Place) -> None:
    reply = read_all(place.connect(place.head(1000) + b"half"))
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert "body_timeout_s" in orjson.loads(reply.partition(b"\r\n\r\n")[2])["message"]
    wait_until(lambda: place.read_metric("atrous_body_bytes") == 0)


def test_two_hundred_slow_callers_stop_nobody_else(place: Place) -> None:
    slow = [place.connect(b"POST /road/1 HTTP/1.1\r\nHost: a\r\n") for _ in range(100)]
    slow += [place.connect(place.head(1_000_000) + b"x" * 1000) for _ in range(100)]
    started = time.monotonic()
    assert place.post().status_code == 200
    assert httpx.get(f"{place.server.url}/readiness", timeout=LONG_S).status_code == 200
    assert time.monotonic() - started < 5
    replies = [read_all(connection) for connection in slow]
    assert replies[:100] == [b""] * 100
    assert {reply[:12] for reply in replies[100:]} == {b"HTTP/1.1 408"}
    wait_until(lambda: place.read_metric("atrous_body_bytes") == 0)
    assert place.read_metric("atrous_requests_in_flight") == 1, "the one that asks"


def test_callers_who_leave_in_the_middle_leave_nothing_behind(place: Place) -> None:
    for _ in range(50):
        place.connect(place.head(1_000_000) + b"x" * 200_000).close()
    wait_until(lambda: place.read_metric("atrous_body_bytes") == 0)
    wait_until(lambda: place.read_metric("atrous_requests_in_flight") == 1)
    assert place.post().status_code == 200


def test_a_caller_who_does_not_read_the_replies_is_hung_up_on(place: Place) -> None:
    count, length = 1000, len(httpx.get(f"{place.server.url}/openapi.json", timeout=LONG_S).content)
    assert count * length > 8_000_000, "or they would fit into the buffers of the kernel"
    lazy = place.connect(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * count)
    # Longer than a reply may lie unread.
    time.sleep(1.8)
    assert 0 < len(read_all(lazy)) < count * length
    wait_until(lambda: place.read_metric("atrous_requests_in_flight") == 1)


def test_a_body_far_over_the_limit_is_answered_while_it_is_sent(place: Place) -> None:
    reply = place.post(b"x" * 120_000_000)
    assert reply.status_code == 413
    assert "max_body_bytes" in reply.json()["message"]


def test_the_rest_of_a_refused_body_is_not_waited_for_for_ever(place: Place) -> None:
    connection, started = place.connect(place.head(120_000_000) + b"x" * 1000), time.monotonic()
    assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
    connection.sendall(b"x")
    read_all(connection)
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("first", [b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"HELLO\r\n\r\n", b"x" * 70_000], ids=len)
def test_what_is_no_http_is_answered_with_an_object(place: Place, first: bytes) -> None:
    reply = read_all(place.connect(first))
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert "message" in orjson.loads(reply.partition(b"\r\n\r\n")[2])


def test_a_body_of_broken_chunks_is_answered_and_its_route_let_go_of(place: Place) -> None:
    head = place.head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    connection = place.connect(head + b"4\r\nhalf\r\n")
    wait_until(lambda: place.read_metric("atrous_requests_in_flight") == 2)
    connection.sendall(b"no length\r\n")
    reply = read_all(connection)
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert "message" in orjson.loads(reply.partition(b"\r\n\r\n")[2])
    wait_until(lambda: place.read_metric("atrous_requests_in_flight") == 1)
    assert not any("request failed" in line for line in place.server.err)


def test_connections_over_the_limit_are_closed_at_once(tmp_path: Path) -> None:
    with Server(tmp_path / "home", settings={"max_connections": "3"}) as server:
        place = Place(server)
        kept = [place.connect() for _ in range(3)]
        started = time.monotonic()
        assert read_all(place.connect()) == b""
        assert time.monotonic() - started < 3
        for connection in kept:
            connection.close()
        wait_until(lambda: read_all(place.connect(b"GET /healthz HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200"))
