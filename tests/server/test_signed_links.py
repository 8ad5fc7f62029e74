from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request

from atrous.core.errors import NotFoundError
from atrous.server.signed_links import LIFE_S, check, own_url, sign

if TYPE_CHECKING:
    from tests.server.place import Place


def make_request(**headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {"type": "http", "method": "GET", "scheme": "http", "path": "/", "headers": named, "server": ("h", 1)}
    )


def test_a_token_gives_its_name_back_for_its_kind_alone(place: Place) -> None:
    name = "ab/Straße 1.zip"
    token = sign(place.ports, "exports", name)
    assert check(place.ports, "exports", token) == name
    with pytest.raises(NotFoundError):
        check(place.ports, "weights", token)


def test_a_token_is_over_after_its_life(place: Place) -> None:
    assert check(place.ports, "exports", sign(place.ports, "exports", "a", life_s=60)) == "a"
    over = sign(place.ports, "exports", "a", life_s=-1)
    with pytest.raises(NotFoundError, match="ask for a new one"):
        check(place.ports, "exports", over)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "z.YQ.YQ", "1.é.x", "ffff.YQ.YQ", "." * 50, "-1.YQ.YQ"])
def test_what_was_not_signed_here_opens_nothing(place: Place, token: str) -> None:
    with pytest.raises(NotFoundError):
        check(place.ports, "exports", token)


def test_no_part_of_a_token_can_be_changed(place: Place) -> None:
    expires, name, signature = sign(place.ports, "exports", "a").split(".")
    later = f"{int(expires, 16) + LIFE_S:x}"
    other = sign(place.ports, "exports", "b").split(".")[1]
    for forged in ((later, name, signature), (expires, other, signature), (expires, name, signature[:-1])):
        with pytest.raises(NotFoundError):
            check(place.ports, "exports", ".".join(forged))


def test_another_store_signs_otherwise(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.server.place import make_place

    stranger = make_place(tmp_path_factory.mktemp("other"))
    with pytest.raises(NotFoundError):
        check(place.ports, "exports", sign(stranger.ports, "exports", "a"))


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"host": "box:9001"}, "http://box:9001/x"),
        ({"host": "box", "x_forwarded_proto": "https"}, "https://box/x"),
        ({"host": "box", "x_forwarded_host": "out.example", "x_forwarded_prefix": "/seg"}, "http://out.example/seg/x"),
        ({"host": "[::1]:9001"}, "http://[::1]:9001/x"),
        ({"host": "box/evil?"}, "http://h:1/x"),
        ({"host": "box", "x_forwarded_proto": "javascript", "x_forwarded_prefix": "/a b"}, "http://box/x"),
    ],
)
def test_the_server_names_itself_as_the_caller_reaches_it(headers: dict[str, str], url: str) -> None:
    assert own_url(make_request(**headers), "/x") == url
