from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atrous.server.settings import Settings

if TYPE_CHECKING:
    from tests.server.place import Place

ORIGIN = "https://app.example"
PREFLIGHT = {
    "origin": ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization",
}


def test_no_page_of_elsewhere_may_call_the_server_by_default(place: Place) -> None:
    client = place.client()
    assert "access-control-allow-origin" not in client.get("/info", headers={"origin": ORIGIN}).headers
    assert client.options("/road/1", headers=PREFLIGHT).status_code == 405


@pytest.mark.parametrize(("allowed", "answered"), [((ORIGIN,), ORIGIN), (("*",), "*")])
def test_pages_of_allowed_origins_may_call_and_read_our_headers(
    place: Place, allowed: tuple[str, ...], answered: str
) -> None:
    client = place.client(Settings(cors_origins=allowed))
    preflight = client.options("/road/1", headers=PREFLIGHT)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == answered
    assert preflight.headers["access-control-allow-headers"] == "authorization"
    reply = client.get("/info", headers={"origin": ORIGIN})
    assert reply.headers["access-control-allow-origin"] == answered
    assert "x-request-id" in reply.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in reply.headers


def test_a_page_of_another_origin_may_not(place: Place) -> None:
    client = place.client(Settings(cors_origins=(ORIGIN,)))
    assert client.options("/road/1", headers=PREFLIGHT | {"origin": "https://evil.example"}).status_code == 400
    other = client.get("/info", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
