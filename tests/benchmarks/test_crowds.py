"""Callers and crowds against a server that answers what it is told to."""

from __future__ import annotations

import base64
import json
import struct
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING

import pytest
from benchmarks.against import parse_named
from benchmarks.callers import BUSY, OK, Caller, read_answer
from benchmarks.crowds import Crowd, run_crowd
from benchmarks.load import describe_crowd
from benchmarks.photographs import Photograph

from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


PHOTOGRAPH = Photograph("dot", b"jpeg", Size(height=3, width=4))


@contextmanager
def answering(say: Callable[[int], tuple[int, bytes]], *, closes: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says `say(number)` to each request; its address and the bodies that came.

    Args:
        say: gives status and body.
        closes: hang up after each answer without a word.
    """
    numbers, bodies = count(), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            status, body = say(next(numbers))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = closes

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/road/1", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def mask_of(width: int, height: int) -> bytes:
    png = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", width, height)
    return json.dumps({"predictions": {"segmentation_mask": base64.b64encode(png).decode()}}).encode()


def test_a_crowd_sends_as_many_requests_as_asked_for_and_no_more() -> None:
    with answering(lambda _: (OK, b"{}")) as (url, bodies):
        crowd = run_crowd(url, b"picture", clients=3, requests=20)
    assert bodies == [b"picture"] * 20
    assert len(crowd.seconds(OK)) == 20
    assert crowd.rate_per_s == pytest.approx(20 / crowd.elapsed_s)


def test_a_crowd_sends_nothing_after_its_time() -> None:
    with answering(lambda _: (OK, b"{}")) as (url, bodies):
        crowd = run_crowd(url, b"picture", clients=2, requests=1000, limit_s=0)
    assert bodies == []
    assert crowd.replies == []


def test_refusals_are_told_apart_from_answers() -> None:
    with answering(lambda number: (BUSY if number % 4 == 3 else OK, b"{}")) as (url, _):
        row = describe_crowd(run_crowd(url, b"picture", clients=1, requests=8, pause_s=0))
    assert (row["answered"], row["refused"]) == (6, 2)
    assert 0 < row["p50_ms"] <= row["p99_ms"]
    assert row["refused_p99_ms"] > 0


def test_what_did_not_happen_has_no_percentiles() -> None:
    row = describe_crowd(Crowd([], 1.0))
    assert (row["p50_ms"], row["refused_p50_ms"], row["rate_per_s"]) == (None, None, 0)


def test_another_status_ends_a_benchmark_with_what_the_server_said() -> None:
    with (
        answering(lambda _: (404, b"no such model")) as (url, _),
        pytest.raises(InvalidInputError, match="no such model"),
    ):
        run_crowd(url, b"picture", clients=2, requests=4)


def test_a_server_that_is_not_there_is_named() -> None:
    with Caller("http://127.0.0.1:9/road/1") as caller, pytest.raises(InvalidInputError, match=r":9/road/1: .*running"):
        caller.ask(b"picture")


@pytest.mark.parametrize("address", ["127.0.0.1:9001/road/1", "http://127.0.0.1:9001", "ftp://127.0.0.1/road/1"])
def test_an_address_without_scheme_or_model_is_refused(address: str) -> None:
    with pytest.raises(InvalidInputError, match="http://HOST:PORT/PROJECT/VERSION"):
        Caller(address)


def test_a_mask_of_another_size_is_not_compared() -> None:
    larger = mask_of(8, 6)
    with (
        answering(lambda _: (OK, larger)) as (url, _),
        Caller(url) as caller,
        pytest.raises(InvalidInputError, match="8x6 came for a picture of 4x3"),
    ):
        read_answer(caller, PHOTOGRAPH)


def test_a_picture_is_sent_as_base64() -> None:
    with answering(lambda _: (OK, mask_of(4, 3))) as (url, bodies), Caller(url) as caller:
        read_answer(caller, PHOTOGRAPH)
    assert base64.b64decode(bodies[0]) == b"jpeg"


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew() -> None:
    with answering(lambda _: (OK, b"{}"), closes=True) as (url, bodies), Caller(url) as caller:
        assert [caller.ask(b"picture").status for _ in range(3)] == [OK] * 3
    assert len(bodies) == 3


def test_a_server_is_named_before_its_address() -> None:
    named = parse_named("peer=http://127.0.0.1:9101/road/1?api_key=a=b")
    assert (named.name, named.model_url) == ("peer", "http://127.0.0.1:9101/road/1?api_key=a=b")
    with pytest.raises(InvalidInputError, match="NAME=http"):
        parse_named("http://127.0.0.1:9101/road/1")
