"""Requests for deployments, through a real server to real ones on loopback."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import JSONResponse
from tests.fakes.pictures import BLACK, RED, encode_squares
from tests.server.deployed import LONG_S, NOW, NOWHERE, Upstream, deploy, hang_up_on_all, move, serve
from tests.server.place import Place, make_place

from atrous.server.app import create_app
from atrous.server.deployment_directory import DeploymentDirectory
from atrous.server.settings import Settings
from atrous.workspace.deployment import DeploymentState

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

DOMAIN = "seg.example.org"


@dataclass
class Front:
    """A server that passes requests on."""

    place: Place
    client: httpx.Client
    names: Iterator[int] = field(default_factory=count)

    def deploy(self, address: str = NOWHERE, state: DeploymentState = DeploymentState.READY) -> str:
        """Say that a deployment is there, under a name of its own."""
        name = f"alpha-{next(self.names)}"
        deploy(self.place.ports.store, address, name, state=state)
        return name

    @contextmanager
    def deploy_app(self, app: ASGIApp) -> Generator[str]:
        """Run a deployment; gives what its paths begin with here."""
        with serve(app) as address:
            yield f"/deployments/{self.deploy(address)}"

    def connect(self) -> socket.socket:
        url = self.client.base_url
        return socket.create_connection((url.host, url.port or 80), timeout=LONG_S)


@contextmanager
def open_front(folder: Path, settings: Settings) -> Generator[Front]:
    place = make_place(folder)
    with serve(create_app(settings, place.ports)) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield Front(place, client)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with open_front(tmp_path_factory.mktemp("front"), Settings(deployments_domain=DOMAIN)) as front:
        yield front


@pytest.fixture(scope="module")
def small_front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """One that holds 1,000 bytes of bodies at a time, and takes 100,000 of each."""
    settings = Settings(max_total_body_bytes=1000, max_body_bytes=100_000)
    with open_front(tmp_path_factory.mktemp("small"), settings) as front:
        yield front


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_request_arrives_as_it_was_sent(front: Front, method: str) -> None:
    upstream = Upstream(status=207)
    with front.deploy_app(upstream) as prefix:
        reply = front.client.request(method, f"{prefix}/a%20b/1?x=%2F&y=%C3%A9&x=", content=b"picture")
    assert (reply.status_code, reply.content) == (207, b"done")
    scope = upstream.scopes[-1]
    assert (scope["method"], scope["raw_path"], scope["query_string"]) == (method, b"/a%20b/1", b"x=%2F&y=%C3%A9&x=")
    assert upstream.body == b"picture"


@pytest.mark.parametrize(
    ("path", "asked"),
    [("", "/"), ("/", "/"), ("//road/1", "//road/1"), ("/%2e%2e/x", "/%2e%2e/x"), ("/deployments/b", "/deployments/b")],
)
def test_the_prefix_is_taken_off_and_nothing_else(front: Front, path: str, asked: str) -> None:
    upstream = Upstream()
    with front.deploy_app(upstream) as prefix:
        assert front.client.get(prefix + path).status_code == 200
    assert upstream.scopes[-1]["raw_path"] == asked.encode()


def test_headers_of_the_connection_stay_behind_and_others_go_on(front: Front) -> None:
    upstream = Upstream()
    sent = {
        "connection": "keep-alive, x-hop",
        "x-hop": "mine",
        "te": "trailers",
        "proxy-authorization": "Basic eA==",
        "authorization": "Bearer abc",
        "x-other": "theirs",
    }
    with front.deploy_app(upstream) as prefix:
        front.client.get(f"{prefix}/info", headers=sent)
    names = {name for name, _ in upstream.scopes[-1]["headers"]}
    assert not names & {b"connection", b"x-hop", b"te", b"proxy-authorization"}
    assert (upstream.told("authorization"), upstream.told("x-other")) == (["Bearer abc"], ["theirs"])


def test_a_deployment_is_told_how_its_caller_reached_it(front: Front) -> None:
    upstream = Upstream()
    with front.deploy_app(upstream) as prefix:
        reply = front.client.get(f"{prefix}/info", headers={"host": "www.example.org"})
    assert upstream.told("host") == [f"127.0.0.1:{upstream.scopes[-1]['server'][1]}"]
    assert upstream.told("x-request-id") == [reply.headers["x-request-id"]]
    told = {name: upstream.told(f"x-forwarded-{name}") for name in ("for", "host", "prefix", "proto")}
    assert told == {"for": ["127.0.0.1"], "host": ["www.example.org"], "prefix": [prefix], "proto": ["http"]}


def test_what_a_proxy_in_front_says_of_the_caller_is_kept(front: Front) -> None:
    upstream = Upstream()
    said = {
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-host": "example.org",
        "x-forwarded-proto": "https",
        "x-forwarded-prefix": "/seg/",
    }
    with front.deploy_app(upstream) as prefix:
        front.client.get(f"{prefix}/info", headers=said)
    told = {name: upstream.told(name) for name in said}
    assert told == {name: [value] for name, value in said.items()} | {"x-forwarded-prefix": [f"/seg{prefix}"]}


def test_a_reply_comes_back_with_its_headers_once(front: Front) -> None:
    headers = [(b"content-length", b"4"), (b"x-class-map", b"{}"), (b"keep-alive", b"timeout=9"), (b"server", b"x")]
    upstream = Upstream(headers=[*headers, (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")])
    with front.deploy_app(upstream) as prefix:
        reply = front.client.get(f"{prefix}/info")
    assert (reply.headers["content-length"], reply.headers["x-class-map"]) == ("4", "{}")
    assert reply.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert len(reply.headers.get_list("date")) == 1
    assert not {"keep-alive", "server", "transfer-encoding"} & set(reply.headers)


@pytest.mark.parametrize(
    ("told", "given"),
    [("/docs", "PREFIX/docs"), ("https://example.org/x", "https://example.org/x"), ("//a.org/x", "//a.org/x")],
)
def test_a_place_on_the_deployment_is_one_below_its_prefix(front: Front, told: str, given: str) -> None:
    upstream = Upstream(status=302, headers=[(b"location", told.encode())])
    with front.deploy_app(upstream) as prefix:
        assert front.client.get(f"{prefix}/x").headers["location"] == given.replace("PREFIX", prefix)


def test_a_body_is_passed_on_while_it_is_sent(front: Front) -> None:
    upstream = Upstream()

    def send() -> Iterator[bytes]:
        yield b"first"
        assert upstream.has_part.wait(LONG_S)
        yield b"second"

    with front.deploy_app(upstream) as prefix:
        assert front.client.post(f"{prefix}/road/1", content=send()).status_code == 200
    assert upstream.body == b"firstsecond"


def test_a_reply_is_passed_back_while_it_is_made(front: Front) -> None:
    upstream = Upstream()
    upstream.may_end.clear()
    with front.deploy_app(upstream) as prefix, front.client.stream("GET", f"{prefix}/road/1") as reply:
        parts = reply.iter_raw()
        assert next(parts) == b"done"
        upstream.may_end.set()
        assert list(parts) == []


def test_bodies_that_are_passed_on_take_nothing_from_the_budget(small_front: Front) -> None:
    upstream, body = Upstream(), bytes(range(100)) * 1000
    with small_front.deploy_app(upstream) as prefix:
        assert small_front.client.post(f"{prefix}/road/1", content=body).status_code == 200
    assert upstream.body == body


def test_a_body_over_the_limit_is_refused_here(small_front: Front) -> None:
    with small_front.deploy_app(Upstream()) as prefix:
        reply = small_front.client.post(f"{prefix}/road/1", content=bytes(100_001))
    assert reply.status_code == 413
    assert "max_body_bytes" in reply.json()["message"]


def test_an_announced_length_beside_chunks_is_not_believed(front: Front) -> None:
    upstream = Upstream()
    with front.deploy_app(upstream) as prefix, front.connect() as caller:
        caller.sendall(
            f"POST {prefix}/road/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"
            "Connection: close\r\n\r\n5\r\nabcde\r\n0\r\n\r\n".encode()
        )
        reply = caller.makefile("rb").read()
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert (upstream.body, upstream.told("content-length")) == (b"abcde", [])


def test_a_deployment_learns_that_its_caller_has_left(front: Front) -> None:
    upstream = Upstream()
    upstream.may_end.clear()
    with front.deploy_app(upstream) as prefix:
        with front.connect() as caller:
            caller.sendall(f"GET {prefix}/road/1 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert caller.recv(4) == b"HTTP"
        assert upstream.has_lost.wait(LONG_S)


def test_the_deadline_holds_for_what_is_passed_on(tmp_path: Path) -> None:
    upstream = Upstream()

    def send() -> Iterator[bytes]:
        yield b"first"
        assert upstream.has_lost.wait(LONG_S)

    with open_front(tmp_path, Settings(request_timeout_s=0.3)) as front, front.deploy_app(upstream) as prefix:
        reply = front.client.post(f"{prefix}/road/1", content=send())
    assert reply.status_code == 503
    assert "0.3 s" in reply.json()["message"]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (DeploymentState.PENDING, 503),
        (DeploymentState.FAILED, 409),
        (DeploymentState.PAUSED, 409),
        (DeploymentState.EXPIRED, 409),
    ],
)
def test_a_deployment_that_is_not_ready_says_so(front: Front, state: DeploymentState, status: int) -> None:
    name = front.deploy(state=state)
    reply = front.client.post(f"/deployments/{name}/road/1", content=b"picture")
    assert reply.status_code == status
    assert repr(name) in reply.json()["message"]
    # 503 is what clients try again.
    assert ("retry-after" in reply.headers) == (status == 503)


@pytest.mark.parametrize("name", ["beta", "Alpha-0", "a.b", "%20", "a" * 5000])
def test_a_deployment_that_is_not_there_is_not_found(front: Front, name: str) -> None:
    reply = front.client.get(f"/deployments/{name}/info")
    assert reply.status_code == 404
    assert "deployment" in reply.json()["message"]


def test_a_deployment_that_cannot_be_reached_is_unavailable(front: Front) -> None:
    reply = front.client.get(f"/deployments/{front.deploy(NOWHERE)}/info")
    assert reply.status_code == 503
    assert int(reply.headers["retry-after"]) >= 1


def test_where_a_host_has_fallen_silent_nobody_is_asked(front: Front) -> None:
    upstream, name = Upstream(), front.deploy(NOWHERE)
    with serve(upstream) as address:
        move(front.place.ports.store, address, name, until=NOW + timedelta(microseconds=1))
        reply = front.client.post(f"/deployments/{name}/road/1", content=b"picture")
    assert (reply.status_code, upstream.scopes) == (503, [])


def test_a_refused_request_goes_to_where_the_deployment_is_now(front: Front) -> None:
    upstream, name = Upstream(), front.deploy(NOWHERE)
    assert front.client.get(f"/deployments/{name}/info").status_code == 503
    with serve(upstream) as address:
        move(front.place.ports.store, address, name)
        reply = front.client.post(f"/deployments/{name}/road/1", content=b"picture")
    assert reply.status_code == 200
    assert (upstream.body, len(upstream.scopes)) == (b"picture", 1)


def test_a_kept_connection_is_used_again(front: Front) -> None:
    upstream = Upstream()
    with front.deploy_app(upstream) as prefix:
        for _ in range(3):
            front.client.post(f"{prefix}/road/1", content=b"picture")
    assert len({scope["client"] for scope in upstream.scopes}) == 1


def test_a_deployment_that_was_started_again_at_its_port_is_found(front: Front) -> None:
    with hang_up_on_all(replies=[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"] * 2) as (address, seen):
        name = front.deploy(address)
        replies = [front.client.get(f"/deployments/{name}/info") for _ in range(2)]
    assert [reply.content for reply in replies] == [b"ok", b"ok"]
    assert len(seen) == 2


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer before anything of a body was read."""
    if scope["type"] == "http":
        await JSONResponse({"message": "no"}, 413)(scope, receive, send)


def test_a_reply_that_comes_before_the_end_of_a_body_is_passed_back(front: Front) -> None:
    with front.deploy_app(refuse) as prefix:
        reply = front.client.post(f"{prefix}/road/1", content=bytes(10_000_000))
    assert (reply.status_code, reply.json()) == (413, {"message": "no"})


@pytest.mark.parametrize("reply", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_a_reply_that_is_no_http_is_a_bad_gateway(front: Front, reply: bytes) -> None:
    with hang_up_on_all(replies=[reply]) as (address, _):
        assert front.client.get(f"/deployments/{front.deploy(address)}/info").status_code == 502


def test_a_request_that_a_deployment_may_have_begun_with_is_not_sent_twice(front: Front) -> None:
    with hang_up_on_all() as (address, seen):
        name = front.deploy(address)
        reply = front.client.post(f"/deployments/{name}/road/1", content=b"picture")
    assert reply.status_code == 502
    assert repr(name) in reply.json()["message"]
    assert len(seen) == 1


def test_a_reply_that_breaks_off_does_not_look_whole(front: Front) -> None:
    upstream = Upstream(headers=[(b"content-length", b"9")])
    with front.deploy_app(upstream) as prefix, pytest.raises(httpx.RemoteProtocolError):
        front.client.get(f"{prefix}/info")


def test_no_request_is_lost_while_a_deployment_moves(front: Front) -> None:
    old, new = Upstream(reply=b"old"), Upstream(reply=b"new")
    seen: list[tuple[int, bytes]] = []
    is_over = threading.Event()

    def ask(path: str) -> None:
        while not is_over.is_set():
            reply = front.client.post(path, content=b"picture")
            seen.append((reply.status_code, reply.content))

    with serve(new) as newer, ThreadPoolExecutor(4) as threads:
        with serve(old) as older:
            name = front.deploy(older)
            asking = [threads.submit(ask, f"/deployments/{name}/road/1") for _ in range(4)]
            wait_until(lambda: len(seen) > 20)
            move(front.place.ports.store, newer, name)
            wait_until(lambda: (200, b"new") in seen)
        count_then = len(seen)
        wait_until(lambda: len(seen) > count_then + 20)
        is_over.set()
        for one in asking:
            one.result(LONG_S)
    assert set(seen) == {(200, b"old"), (200, b"new")}


def test_a_host_name_leads_to_its_deployment(front: Front) -> None:
    upstream = Upstream()
    with serve(upstream) as address:
        name = front.deploy(address)
        reply = front.client.get("/road/1?x=1", headers={"host": f"{name.title()}.{DOMAIN}:9001"})
    assert reply.content == b"done"
    assert upstream.scopes[-1]["raw_path"] == b"/road/1"
    assert upstream.told("x-forwarded-host") == [f"{name.title()}.{DOMAIN}:9001"]
    assert upstream.told("x-forwarded-prefix") == []


@pytest.mark.parametrize(("host", "status"), [(DOMAIN, 200), (f"not{DOMAIN}", 200), (f"gamma.{DOMAIN}", 404)])
def test_other_host_names_lead_to_the_server(front: Front, host: str, status: int) -> None:
    assert front.client.get("/info", headers={"host": host}).status_code == status


def test_a_deployment_passes_nothing_on(front: Front) -> None:
    name = front.deploy()
    client = front.place.client(Settings(deployment="beta", deployments_domain=DOMAIN))
    assert client.get(f"/deployments/{name}/info").status_code == 404
    assert client.get("/info", headers={"host": f"{name}.{DOMAIN}"}).status_code == 200


async def find_often(directory: DeploymentDirectory, name: str) -> None:
    for _ in range(20):
        await directory.find(name)


@pytest.mark.parametrize(("passed_s", "asked"), [(0.99, 1), (1.0, 2)])
def test_the_store_is_asked_once_a_second(passed_s: float, asked: int) -> None:
    names: list[str] = []
    now_s = [5.0]
    directory = DeploymentDirectory(names.append, lambda: now_s[0])
    asyncio.run(find_often(directory, "alpha"))
    now_s[0] += passed_s
    asyncio.run(find_often(directory, "alpha"))
    assert names == ["alpha"] * asked


def test_figures_of_deployments_are_for_their_workspace(front: Front) -> None:
    with front.deploy_app(Upstream(status=404)) as prefix:
        front.client.get(f"{prefix}/road/9")
    name = prefix.removeprefix("/deployments/")
    without_key = front.client.get("/metrics").text
    text = front.client.get("/metrics", headers={"authorization": f"Bearer {front.place.key}"}).text
    assert f'atrous_deployment_requests_total{{deployment="{name}",status="4xx"}} 1.0' in text
    assert f'atrous_deployment_seconds_total{{deployment="{name}",status="4xx"}} ' in text
    assert 'handler="/deployments/{name}/{path}"' in without_key
    assert name not in without_key


def test_lines_of_the_log_name_the_deployment(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    name = front.deploy(state=DeploymentState.PAUSED)
    # Lines are written after the answer, so those of earlier requests may still come.
    path = "/road/only-this-request"

    def find_lines() -> list[logging.LogRecord]:
        return [one for one in caplog.records if one.name == "atrous.server.access" and path in one.getMessage()]

    with caplog.at_level(logging.INFO, "atrous.server.access"):
        front.client.get(path, headers={"host": f"{name}.{DOMAIN}"})
        wait_until(lambda: bool(find_lines()))
    (record,) = find_lines()
    assert vars(record)["deployment"] == name
    assert record.getMessage().endswith(f", deployment {name}")


def test_a_deployment_answers_below_its_prefix_as_a_server_does(front: Front) -> None:
    front.place.publish()
    picture = encode_squares([[RED, BLACK]])
    headers = {"authorization": f"Bearer {front.place.key}"}
    app = create_app(Settings(deployment="alpha", only_workspace="acme"), front.place.ports)
    with front.deploy_app(app) as prefix:
        answers = [
            front.client.post(f"{before}/road/1", content=picture, headers=headers).json() for before in ("", prefix)
        ]
        described = front.client.get(f"{prefix}/openapi.json").json()
        info = front.client.get(f"{prefix}/info").json()
        page = front.client.get(f"{prefix}/docs")
    assert answers[0]["predictions"] == answers[1]["predictions"]
    assert described["servers"] == [{"url": prefix}]
    assert info["deployment"] == "alpha"
    assert page.headers["content-type"].startswith("text/html")


def test_a_server_of_its_own_describes_no_prefix(front: Front) -> None:
    assert "servers" not in front.client.get("/openapi.json").json()


def wait_until(is_so: Any) -> None:
    tick, deadline_s = threading.Event(), time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < deadline_s
        tick.wait(0.01)
