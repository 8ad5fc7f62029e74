from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.testclient import TestClient
from tests.fakes.pictures import RED, as_base64, encode_squares
from tests.server.place import json_image

from atrous.core.errors import InvalidImageError
from atrous.server.app import create_app
from atrous.server.settings import Settings
from atrous.server.url_pictures import Network, UrlPictures, open_transport, resolve_host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.server.place import Place

PICTURE = encode_squares([[RED]])
PUBLIC, PUBLIC_TOO, PUBLIC_V6 = "93.184.216.34", "8.8.8.8", "2606:4700::6810:84e5"
CAUSE = "Could not load input image. Cause: "
FORBIDDEN = {
    "unspecified": "0.0.0.0",
    "this network": "0.1.2.3",
    "private 10": "10.0.0.1",
    "shared": "100.64.0.1",
    "loopback": "127.0.0.1",
    "loopback too": "127.8.8.8",
    "link-local": "169.254.1.1",
    "metadata": "169.254.169.254",
    "private 172": "172.16.0.1",
    "protocol": "192.0.0.192",
    "documentation": "192.0.2.1",
    "6to4 relay": "192.88.99.1",
    "private 192": "192.168.1.1",
    "benchmark": "198.18.0.1",
    "multicast": "224.0.0.1",
    "multicast too": "239.255.255.250",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "v6 unspecified": "::",
    "v6 loopback": "::1",
    "v6 mapped": "::ffff:93.184.216.34",
    "v6 mapped loopback": "::ffff:127.0.0.1",
    "v6 compatible": "::7f00:1",
    "nat64": "64:ff9b::5db8:d822",
    "nat64 private": "64:ff9b::a00:1",
    "nat64 local": "64:ff9b:1::1",
    "discard": "100::1",
    "teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "v6 documentation": "2001:db8::1",
    "6to4": "2002:7f00:1::1",
    "v6 documentation too": "3fff::1",
    "unique local": "fd00:ec2::254",
    "v6 link-local": "fe80::1",
    "v6 link-local of a card": "fe80::1%eth0",
    "site-local": "fec0::1",
    "v6 multicast": "ff02::1",
    "no address": "localhost",
}


class Body(httpx.AsyncByteStream):
    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            self.sent += len(part)
            yield part


def reply_with(data: bytes) -> httpx.Response:
    return httpx.Response(200, stream=Body([data]))


@dataclass
class Web(httpx.AsyncBaseTransport):
    """Hosts with addresses, and what is answered there; nothing is ever connected to."""

    addresses: dict[str, list[str]]
    answer: Callable[[httpx.Request], httpx.Response] = lambda _: reply_with(PICTURE)
    looked_up: list[tuple[str, int]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    async def resolve(self, host: str, port: int) -> list[str]:
        self.looked_up.append((host, port))
        if host not in self.addresses:
            raise socket.gaierror(8, "unknown")
        return self.addresses[host]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)

    @property
    def connected(self) -> list[str]:
        return [request.url.host for request in self.requests]

    def fetch(self, url: str, *, allowed: str = "https", max_bytes: int = 10_000, timeout_s: float = 5) -> bytes:
        urls = UrlPictures(allowed, max_bytes, timeout_s, Network(self.resolve, lambda: self))

        async def run() -> bytes:
            return await urls.fetch(url, urls.start())

        return asyncio.run(run())


def make_web(*addresses: str, **options: Any) -> Web:
    return Web({"a.example": list(addresses or [PUBLIC])}, **options)


def client_of(place: Place, web: Web, **settings: Any) -> TestClient:
    place.publish()
    network = Network(web.resolve, lambda: web)
    app = create_app(Settings(**{"url_pictures": "https", **settings}), place.ports, network=network)
    return TestClient(app, headers={"authorization": f"Bearer {place.key}"})


def v1(client: TestClient, image: Any) -> Any:
    return client.post("/infer/semantic_segmentation", json={"model_id": "road/1", "image": image})


def test_a_picture_by_url_is_answered_like_the_picture_itself(place: Place) -> None:
    web = make_web()
    client = client_of(place, web)
    by_url = {"type": "URL", "value": "https://a.example/a.png?x=1#part"}
    expected = v1(client, json_image(PICTURE)).json()["predictions"]
    assert v1(client, by_url).json()["predictions"] == expected
    assert [one["predictions"] for one in v1(client, [json_image(PICTURE), by_url]).json()] == [expected] * 2
    assert client.post("/road/1", params={"image": by_url["value"]}).json()["predictions"] == expected
    as_body = client.post("/road/1", params={"image_type": "url"}, content=by_url["value"])
    assert as_body.json()["predictions"] == expected
    both = client.post("/road/1", params={"image": by_url["value"]}, content=b"garbage")
    assert both.json()["predictions"] == expected


def test_it_is_off_by_default_and_nothing_is_looked_up(place: Place) -> None:
    web = make_web()
    client = client_of(place, web, url_pictures="off")
    for reply in (
        v1(client, {"type": "url", "value": "https://a.example/"}),
        client.post("/road/1", params={"image": "https://a.example/"}),
    ):
        assert reply.status_code == 400
        assert "url_pictures" in reply.json()["message"]
    assert (web.looked_up, web.requests) == ([], [])


def test_a_bad_key_or_model_fetches_nothing(place: Place) -> None:
    web = make_web()
    client = client_of(place, web)
    assert client.post("/road/7", params={"image": "https://a.example/"}).status_code == 404
    bad_key = {"image": "https://a.example/", "api_key": "wrong-key"}
    assert client.post("/road/1", params=bad_key).status_code == 401
    assert web.looked_up == []


def test_the_address_that_was_checked_is_connected_to_under_the_hosts_name() -> None:
    web = make_web(PUBLIC)
    assert web.fetch("https://a.example/b%20c?d=e#f") == PICTURE
    (request,) = web.requests
    assert str(request.url) == f"https://{PUBLIC}/b%20c?d=e"
    assert request.headers["host"] == "a.example"
    assert request.extensions["sni_hostname"] == "a.example"
    assert web.looked_up == [("a.example", 443)]
    assert not {"cookie", "authorization", "referer"} & set(request.headers)


def test_an_ipv6_address_and_an_international_name_work() -> None:
    web = Web({"xn--bcher-kva.example": [PUBLIC_V6]})
    assert web.fetch("https://b\u00fccher.example/") == PICTURE
    assert web.connected == [PUBLIC_V6]


@pytest.mark.parametrize("address", FORBIDDEN.values(), ids=FORBIDDEN)
def test_an_address_that_is_not_public_is_refused_before_a_connection(address: str) -> None:
    for addresses in ([address], [PUBLIC, address], [address, PUBLIC]):
        web = make_web(*addresses)
        with pytest.raises(InvalidImageError, match="the URL's host cannot be reached") as raised:
            web.fetch("https://a.example/a.png")
        assert address not in str(raised.value)
        assert web.requests == []


def test_a_host_inside_is_refused_without_telling_where_it_is(place: Place) -> None:
    web = make_web(FORBIDDEN["metadata"])
    reply = client_of(place, web).post("/road/1", params={"image": "https://a.example/a.png"})
    assert reply.status_code == 400
    assert reply.json()["message"].startswith(CAUSE + "the URL's host cannot be reached")
    assert FORBIDDEN["metadata"] not in reply.text
    assert web.requests == []


@pytest.mark.parametrize("address", FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_redirect_to_an_address_that_is_not_public_is_refused_too(address: str) -> None:
    web = make_web(answer=lambda _: httpx.Response(302, headers={"location": "https://inner.example/secret"}))
    web.addresses["inner.example"] = [address]
    with pytest.raises(Exception, match="cannot be reached, or is not at a public address"):
        web.fetch("https://a.example/")
    assert web.connected == [PUBLIC]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "2130706433", "0x7f.1", "127.1", "017700000001", "localhost", "[::ffff:7f00:1]"]
)
def test_loopback_however_it_is_written_is_refused_by_the_systems_own_resolver(host: str) -> None:
    web = make_web()
    urls = UrlPictures("http", 1000, 5, Network(resolve_host, lambda: web))

    async def run() -> bytes:
        return await urls.fetch(f"http://{host}/", urls.start())

    with pytest.raises(Exception, match="cannot be reached, or is not at a public address"):
        asyncio.run(run())
    assert web.requests == []


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("", "the URL is not one"),
        ("a.png", "the URL is not one"),
        ("https://", "the URL is not one"),
        ("https://a.example/" + "a" * 2048, "the URL is not one"),
        ("https://a.example/\n", "the URL is not one"),
        ("http://a.example/", "the URL must start with https://"),
        ("ftp://a.example/", "the URL must start with https://"),
        ("file://a.example/etc/passwd", "the URL must start with https://"),
        ("https://a.example:8443/", "the URL names a port"),
        ("https://a.example:80/", "the URL names a port"),
        ("https://user:pass@a.example/", "the URL holds a user or password"),
        ("https://a.example\\@b.example/", "the URL holds a user or password"),
        ("https://none.example/", "the URL's host cannot be reached"),
    ],
)
def test_a_url_that_is_not_allowed_is_refused_without_a_connection(url: str, cause: str) -> None:
    web = make_web()
    with pytest.raises(Exception, match=cause):
        web.fetch(url)
    assert web.requests == []


def test_http_needs_to_be_allowed() -> None:
    web = make_web()
    assert web.fetch("http://a.example/", allowed="http") == PICTURE
    assert web.looked_up == [("a.example", 80)]


def test_three_redirects_are_followed_and_a_fourth_is_not() -> None:
    def lead_on(last: int) -> Callable[[httpx.Request], httpx.Response]:
        def answer(request: httpx.Request) -> httpx.Response:
            place = int(request.url.path.strip("/") or 0)
            if place == last:
                return reply_with(PICTURE)
            return httpx.Response(307, headers={"location": f"/{place + 1}", "set-cookie": "a=b"})

        return answer

    web = make_web(answer=lead_on(3))
    assert web.fetch("https://a.example/") == PICTURE
    assert len(web.looked_up) == 4
    assert not any("cookie" in request.headers for request in web.requests)
    with pytest.raises(Exception, match="leads on more than 3 times"):
        make_web(answer=lead_on(4)).fetch("https://a.example/")


def test_a_redirect_to_another_scheme_is_checked_too() -> None:
    web = make_web(answer=lambda _: httpx.Response(302, headers={"location": "http://a.example/"}))
    with pytest.raises(Exception, match="must start with https"):
        web.fetch("https://a.example/")
    assert len(web.requests) == 1


@pytest.mark.parametrize("status", [204, 304, 404, 500])
def test_another_status_is_told(status: int) -> None:
    with pytest.raises(Exception, match=f"answered with status {status}"):
        make_web(answer=lambda _: httpx.Response(status)).fetch("https://a.example/")


@pytest.mark.parametrize("announced", [True, False])
def test_too_many_bytes_are_refused_while_they_come(place: Place, announced: bool) -> None:
    body = Body([b"A" * 1000] * 100)
    headers = {"content-length": "100000"} if announced else {}
    web = make_web(answer=lambda _: httpx.Response(200, headers=headers, stream=body))
    reply = client_of(place, web, max_body_bytes=5000).post("/road/1", params={"image": "https://a.example/"})
    assert reply.status_code == 413
    assert "max_body_bytes" in reply.json()["message"]
    assert body.sent == (0 if announced else 6000)


def test_the_pictures_of_one_request_share_the_limit(place: Place) -> None:
    client = client_of(place, make_web(), max_body_bytes=1000)
    image = {"type": "url", "value": "https://a.example/"}
    most = 1000 // len(PICTURE)
    assert v1(client, [image] * most).status_code == 200
    reply = v1(client, [image] * (most + 1))
    assert reply.status_code == 413
    assert reply.json()["message"].startswith(f"image {most}: ")


def test_compressed_replies_are_not_unpacked() -> None:
    web = make_web(answer=lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Body([b"raw"])))
    assert web.fetch("https://a.example/") == b"raw"
    assert web.requests[0].headers["accept-encoding"] == "identity"


def test_a_host_that_falls_silent_is_left() -> None:
    class Silence(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"A"
            await asyncio.sleep(60)

    web = make_web(answer=lambda _: httpx.Response(200, stream=Silence()))
    with pytest.raises(Exception, match=r"no picture within 0\.05 seconds"):
        web.fetch("https://a.example/", timeout_s=0.05)


def test_a_dead_address_leaves_the_next_one_to_try() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == PUBLIC:
            raise httpx.ConnectError("down")
        return reply_with(PICTURE)

    web = make_web(PUBLIC, PUBLIC_TOO, answer=answer)
    assert web.fetch("https://a.example/") == PICTURE
    assert web.connected == [PUBLIC, PUBLIC_TOO]


def test_what_is_no_picture_is_refused_as_ever(place: Place) -> None:
    web = make_web(answer=lambda _: reply_with(b"<html>"))
    reply = client_of(place, web).post("/road/1", params={"image": "https://a.example/"})
    assert reply.status_code == 400
    assert "the data is not a picture" in reply.json()["message"]


@pytest.mark.parametrize("value", [None, 7, ["https://a.example/"]])
def test_a_url_that_is_no_text_is_refused(place: Place, value: Any) -> None:
    reply = v1(client_of(place, make_web()), [{"type": "url", "value": value}])
    assert reply.status_code == 400
    assert reply.json()["message"].startswith("image 0: " + CAUSE)


def test_the_real_transport_fetches_and_ignores_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a real connection to loopback, with every address turned into it, so that no other is ever contacted."""
    seen: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers["Host"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PICTURE)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    class ToLoopback(httpx.AsyncBaseTransport):
        def __init__(self) -> None:
            self._inner = open_transport()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            request.url = request.url.copy_with(host="127.0.0.1", port=server.server_port)
            return await self._inner.handle_async_request(request)

        async def aclose(self) -> None:
            await self._inner.aclose()

    urls = UrlPictures("http", 10_000, 5, Network(make_web().resolve, ToLoopback))

    async def run() -> bytes:
        return await urls.fetch("http://a.example/x.png", urls.start())

    try:
        assert asyncio.run(run()) == PICTURE
    finally:
        server.shutdown()
        server.server_close()
    assert seen == [("/x.png", "a.example")]


def test_base64_is_still_base64(place: Place) -> None:
    assert client_of(place, make_web()).post("/road/1", content=as_base64(PICTURE)).status_code == 200
