"""`disable_preproc_*`: each step of a model's preprocessing can be left out of one request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.pictures import BLACK, as_base64, encode_squares, read_mask
from tests.server.place import json_image

from atrous.bundle.contrast import Contrast
from atrous.bundle.regions import StaticCrop

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient
    from tests.server.place import Place

# Scores 10 * 120 / 255, less than the background's 5, unless its contrast is raised.
DULL_RED = (120, 0, 0)
# Colours that differ in one channel make the grey of 178, which scores 7 for all three classes.
YELLOW = (255, 174, 0)

# step of the model, flag, picture, then what the first row of squares is with the step and without it
CASES = {
    "static_crop": ({"crop": StaticCrop(50, 0, 100, 100)}, [(255, 0, 0), (255, 0, 0)], [0, 1], [1, 1]),
    "contrast": ({"contrast": Contrast.STRETCHING}, [DULL_RED, BLACK], [1, 0], [0, 0]),
    "grayscale": ({"grayscale": True}, [YELLOW, BLACK], [0, 0], [1, 0]),
}


def row_of(reply: dict[str, Any]) -> list[int]:
    """The class at the middle of each of two squares."""
    return [int(label) for label in read_mask(reply)[4, 4::8]]


@pytest.fixture
def ask(place: Place) -> Callable[..., list[dict[str, Any]]]:
    """Ask for a picture over both routes, v0 with words as Python writes them; give the two replies."""

    def ask_both(client: TestClient, picture: bytes, **flags: bool) -> list[dict[str, Any]]:
        # Half of grey is shared by three classes, so that it falls below a threshold that pure colours pass.
        v0 = client.post(
            "/road/1",
            params={"confidence": 0.6} | {name: str(value) for name, value in flags.items()},
            content=as_base64(picture),
        )
        body = {"model_id": "road/1", "image": json_image(picture), "confidence": 0.6, **flags}
        v1 = client.post("/infer/semantic_segmentation", json=body)
        assert (v0.status_code, v1.status_code) == (200, 200)
        return [v0.json(), v1.json()]

    return ask_both


@pytest.mark.parametrize("step", CASES)
def test_a_flag_leaves_its_step_out_of_one_request(
    place: Place, ask: Callable[..., list[dict[str, Any]]], step: str
) -> None:
    steps, squares, taken, left_out = CASES[step]
    place.publish(**steps)
    client, picture = place.client(key=place.key), encode_squares([squares])
    others = {f"disable_preproc_{other}": True for other in CASES if other != step}
    for reply in [*ask(client, picture), *ask(client, picture, **others)]:
        assert row_of(reply) == taken
        assert reply["image"] == {"width": 16, "height": 8}
    for reply in ask(client, picture, **{f"disable_preproc_{step}": True}):
        assert row_of(reply) == left_out
    for reply in ask(client, picture, **{f"disable_preproc_{step}": False}):
        assert row_of(reply) == taken


def test_requests_with_and_without_a_flag_are_not_mixed_up(
    place: Place, ask: Callable[..., list[dict[str, Any]]]
) -> None:
    steps, squares, taken, left_out = CASES["static_crop"]
    place.publish(**steps)
    client, picture = place.client(key=place.key), encode_squares([squares])
    flags = [bool(number % 3) for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, client, picture, disable_preproc_static_crop=flag) for flag in flags]
        rows = [[row_of(reply) for reply in one.result(timeout=60)] for one in asked]
    assert rows == [[left_out if flag else taken] * 2 for flag in flags]


def test_null_is_as_good_as_no_flag_and_a_number_is_no_flag(place: Place) -> None:
    place.publish(crop=StaticCrop(50, 0, 100, 100))
    client, picture = place.client(key=place.key), encode_squares([[(255, 0, 0), (255, 0, 0)]])
    body = {"model_id": "road/1", "image": json_image(picture)}
    reply = client.post("/infer/semantic_segmentation", json=body | {"disable_preproc_static_crop": None})
    assert row_of(reply.json()) == [0, 1]
    assert client.post("/infer/semantic_segmentation", json=body | {"disable_preproc_contrast": 7}).status_code == 422
    assert client.post("/road/1?disable_preproc_grayscale=x", content=as_base64(picture)).status_code == 422
