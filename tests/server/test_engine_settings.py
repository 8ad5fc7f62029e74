from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.fakes.pictures import BLUE, RED, encode_squares

from atrous.core.errors import MissingExtraError
from atrous.runtime.loading import check_backend
from atrous.server.app import create_app
from atrous.server.settings import Settings

if TYPE_CHECKING:
    from tests.server.place import Place

PICTURE = encode_squares([[RED, BLUE]])
TELLING = ("backend", "quantization")


def skip_without(backend: str) -> None:
    try:
        check_backend(backend)
    except MissingExtraError as error:
        pytest.skip(str(error))


def ask(place: Place, settings: Settings) -> dict[str, str]:
    reply = place.client(settings, key=place.key).post("/road/1", content=PICTURE)
    assert reply.status_code == 200, reply.text
    return {name: reply.json()["resolved_model"][name] for name in TELLING}


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_the_reply_tells_the_backend_that_was_chosen(place: Place, backend: str) -> None:
    skip_without(backend)
    place.publish()
    assert ask(place, Settings(backend=backend)) == {"backend": backend, "quantization": "fp32"}


def test_a_model_without_8_bits_is_refused_where_they_are_asked_for(place: Place) -> None:
    place.publish()
    reply = place.client(Settings(precision="int8"), key=place.key).post("/road/1", content=PICTURE)
    assert reply.status_code == 500
    assert "has no int8 weights; choose precision auto or fp32" in reply.text


def test_a_server_does_not_start_without_the_backend_that_it_is_to_use(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match="OpenVINO is not installed"):
        create_app(Settings(backend="openvino"), place.ports)


def test_requests_that_share_passes_get_their_own_answers(place: Place) -> None:
    place.publish()
    client = place.client(Settings(max_batch=4, concurrency=4, backend="onnx"), key=place.key)
    pictures = [encode_squares([[RED]]), encode_squares([[BLUE]])] * 8
    with ThreadPoolExecutor(8) as callers:
        replies = list(callers.map(lambda data: client.post("/road/1", content=data).json(), pictures))
    assert [reply["predictions"]["present_class_ids"] for reply in replies] == [[1], [3]] * 8
