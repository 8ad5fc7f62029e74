from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from math import exp
from typing import TYPE_CHECKING

import pytest
from tests.fakes.pictures import BLUE, RED, encode_squares, read_mask

from atrous.bundle.manifest import MANIFEST
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


def test_confidence_is_corrected_where_the_operator_asks_for_it(place: Place) -> None:
    place.publish()
    manifest = place.bundle_folder() / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"calibration": {"temperature": 2.0}}))

    def see(settings: Settings) -> tuple[list[int], int]:
        answer = place.client(settings, key=place.key).post("/road/1", content=PICTURE, params={"confidence": 0})
        content = answer.json()
        return content["predictions"]["present_class_ids"], int(read_mask(content, "confidence_mask").max())

    classes, sure = see(Settings())
    same_classes, less_sure = see(Settings(calibrated=True))
    assert same_classes == classes == [1, 3]
    # Red scores 10, background 5 and the others 0; then half of that.
    assert (sure, less_sure) == (int(255 / (1 + exp(-5) + 2 * exp(-10))), int(255 / (1 + exp(-2.5) + 2 * exp(-5))))
