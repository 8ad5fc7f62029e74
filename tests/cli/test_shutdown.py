"""How a server ends, serves TLS, and shares its port among processes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.cli.terminal import Server, publish
from tests.fakes.pictures import RED, encode_squares

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.terminal import Said

PICTURE = encode_squares([[RED]])
LONG_S = 20


def begin(server: Server) -> socket.socket:
    """A request of which the last byte is still to come."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=LONG_S)
    head = f"POST /road/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.key}\r\n"
    connection.sendall(f"{head}Content-Length: {len(PICTURE)}\r\n\r\n".encode() + PICTURE[:-1])
    return connection


def wait_until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_ready(server: Server) -> bool:
    return httpx.get(f"{server.url}/readiness", timeout=LONG_S).status_code == 200


def test_a_server_asked_to_end_finishes_what_it_has_begun_and_refuses_what_is_new(home: Path) -> None:
    publish(home)
    with Server(home) as server:
        headers = {"authorization": f"Bearer {server.key}"}
        assert httpx.post(f"{server.url}/road/1", content=PICTURE, headers=headers, timeout=LONG_S).status_code == 200
        begun = begin(server)
        wait_until(lambda: "atrous_requests_in_flight 2.0" in httpx.get(f"{server.url}/metrics").text)
        server.ask_to_end()
        wait_until(lambda: not is_ready(server))
        refused = httpx.post(f"{server.url}/road/1", content=PICTURE, headers=headers, timeout=LONG_S)
        assert (refused.status_code, refused.headers["connection"]) == (503, "close")
        assert httpx.get(f"{server.url}/healthz", timeout=LONG_S).status_code == 200
        begun.sendall(PICTURE[-1:])
        reply = begun.recv(65536)
        assert reply.startswith(b"HTTP/1.1 200 ")
        begun.close()
        assert server.end() in (0, -signal.SIGTERM)
    assert not any("Traceback" in line for line in server.err)


def test_a_server_gives_what_it_has_begun_a_time_and_no_more(home: Path) -> None:
    publish(home)
    with Server(home, settings={"shutdown_timeout_s": "1", "body_timeout_s": "600"}) as server:
        begun, started = begin(server), time.monotonic()
        wait_until(lambda: "atrous_requests_in_flight 2.0" in httpx.get(f"{server.url}/metrics").text)
        server.end()
        begun.close()
    assert time.monotonic() - started < 10


def test_a_server_may_go_on_answering_until_balancers_have_noticed(home: Path) -> None:
    with Server(home, ("--auth", "off"), settings={"shutdown_delay_s": "1"}) as server:
        wait_until(lambda: is_ready(server))
        server.ask_to_end()
        wait_until(lambda: not is_ready(server))
        time.sleep(0.3)
        assert httpx.get(f"{server.url}/healthz", timeout=LONG_S).status_code == 200
        assert server.end() in (0, -signal.SIGTERM)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    certfile, keyfile = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(keyfile), "-out", str(certfile)]
    subprocess.run(command, check=True, capture_output=True)
    return certfile, keyfile


def test_a_server_with_a_certificate_speaks_https(home: Path, certificate: tuple[Path, Path]) -> None:
    certfile, keyfile = certificate
    context = ssl.create_default_context(cafile=str(certfile))
    with Server(home, ("--auth", "off", "--certfile", str(certfile), "--keyfile", str(keyfile))) as server:
        assert server.url.startswith("https://")
        assert httpx.get(f"{server.url}/healthz", verify=context, timeout=LONG_S).status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(server.url.replace("https", "http"), timeout=LONG_S)


def test_a_certificate_that_cannot_be_is_one_sentence(
    atrous: Callable[..., Said], home: Path, certificate: tuple[Path, Path]
) -> None:
    certfile, keyfile = certificate
    for options, problem in (
        (("--certfile", certfile), "give both or neither"),
        (("--certfile", "nothing.pem", "--keyfile", keyfile), "nothing.pem"),
        (("--certfile", keyfile, "--keyfile", keyfile), "cannot be used for TLS"),
    ):
        said = atrous("serve", "--port", 0, *options)
        assert said.code == 2
        assert problem in said.error


def test_workers_share_the_port_and_the_store_and_end_with_their_server(home: Path) -> None:
    publish(home)
    with Server(home, ("--workers", "2")) as server:
        headers = {"authorization": f"Bearer {server.key}"}

        def find_uuids() -> set[str]:
            return {httpx.get(f"{server.url}/info", timeout=LONG_S).json()["uuid"] for _ in range(8)}

        wait_until(lambda: len(find_uuids()) == 2)
        for _ in range(4):
            reply = httpx.post(f"{server.url}/road/1", content=PICTURE, headers=headers, timeout=LONG_S)
            assert reply.status_code == 200
        started = [int(line.rpartition(" ")[2]) for line in server.err if "worker started" in line]
        assert server.end() == 0
    for pid in started:
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            raise AssertionError("a worker outlived its server")


def test_workers_that_cannot_start_end_the_server(home: Path) -> None:
    with Server(home, ("--workers", "2")) as server:
        wait_until(lambda: len([line for line in server.err if "worker started" in line]) == 2)
        pids = [int(line.rpartition(" ")[2]) for line in server.err if "worker started" in line]
        os.kill(pids[0], signal.SIGKILL)
        server._process.wait(timeout=LONG_S)
        assert server._process.returncode == 1
    assert any("the workers died as soon as they were started" in line for line in server.err)
