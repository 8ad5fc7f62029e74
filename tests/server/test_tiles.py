"""`tile`: large pictures seen in parts."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from tests.fakes.pictures import as_base64, read_mask
from tests.server.place import json_image

from atrous.bundle.bundle import open_bundle
from atrous.core.errors import InvalidInputError, UnavailableError
from atrous.runtime.engine import Engine
from atrous.runtime.tiling import Tiling
from atrous.server.answer import Wish, predict_answer
from atrous.server.loaded_model import LoadedModel
from atrous.server.pixel_budget import PixelBudget
from atrous.server.settings import Settings, read_settings
from atrous.server.turns import Turn, begin_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from tests.server.place import Place

# Stripes of two pixels: at half its size, the network of the tests sees nothing but the mix of both colours.
STRIPES_HW = np.broadcast_to(np.repeat(np.tile([1, 3], 40), 2), (128, 160))
COLOURS_BGR = np.array([(0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0)], np.uint8)


@pytest.fixture(scope="module")
def picture() -> bytes:
    return cv2.imencode(".png", COLOURS_BGR[STRIPES_HW])[1].tobytes()


def share_right(reply: Any) -> float:
    assert reply.status_code == 200, reply.text
    mask_HW: NDArray[np.uint8] = read_mask(reply.json())
    assert mask_HW.shape == STRIPES_HW.shape
    return float((mask_HW == STRIPES_HW).mean())


def test_pictures_are_seen_whole_unless_a_request_says_otherwise(
    post_v0: Callable[..., Any], post_v1: Callable[..., Any], picture: bytes
) -> None:
    text, image = as_base64(picture), json_image(picture)
    for unsaid in ({}, {"tile": "off"}, {"tile": "off", "tile_overlap": 0.5}):
        assert share_right(post_v0(text, **unsaid)) < 0.7
        assert share_right(post_v1(image, **unsaid)) < 0.7
    assert share_right(post_v1(image, tile=None, tile_overlap=None)) < 0.7
    for asked in ({"tile": "auto"}, {"tile": "64"}, {"tile": 64}, {"tile": 64, "tile_overlap": 0}):
        assert share_right(post_v0(text, **asked)) == 1
        assert share_right(post_v1(image, **asked)) == 1


def test_each_picture_of_an_array_is_cut(post_v1: Callable[..., Any], picture: bytes) -> None:
    small = cv2.imencode(".png", np.zeros((20, 20, 3), np.uint8))[1].tobytes()
    replies = post_v1([json_image(picture), json_image(small)], tile="auto").json()
    assert (read_mask(replies[0]) == STRIPES_HW).all()
    assert read_mask(replies[1]).shape == (20, 20)


def test_the_overlay_is_of_the_tiles_answer(post_v0: Callable[..., Any], picture: bytes) -> None:
    drawn = [post_v0(as_base64(picture), format="image", tile=tile).content for tile in ("off", "64")]
    pixels = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in drawn]
    assert pixels[0].shape == pixels[1].shape
    assert (pixels[0] != pixels[1]).any()


@pytest.mark.parametrize(
    ("fields", "named", "sentence"),
    [
        ({"tile": "large"}, "tile", "write auto, off or the longer side of a tile"),
        ({"tile": 31}, "tile", "at least 32 pixels"),
        ({"tile": 64.5}, "tile", ""),
        ({"tile": -1}, "tile", "write auto, off"),
        ({"tile": 64, "tile_overlap": 0.95}, "tile_overlap", "less than or equal to 0.9"),
        ({"tile": 64, "tile_overlap": -0.1}, "tile_overlap", "greater than or equal to 0"),
        ({"tile_overlap": "much"}, "tile_overlap", "number"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_its_name(
    *,
    post_v0: Callable[..., Any],
    post_v1: Callable[..., Any],
    picture: bytes,
    fields: dict[str, Any],
    named: str,
    sentence: str,
) -> None:
    for reply in (post_v0(as_base64(picture), **fields), post_v1(json_image(picture), **fields)):
        assert reply.status_code == 422
        assert reply.json()["detail"][0]["loc"][-1] == named
        assert sentence in reply.json()["message"]


def test_more_tiles_than_anybody_waits_for_are_refused(
    post_v0: Callable[..., Any], post_v1: Callable[..., Any]
) -> None:
    blank = cv2.imencode(".png", np.zeros((2000, 2500), np.uint8))[1].tobytes()
    asked = {"tile": 32, "tile_overlap": 0.5}
    for reply in (post_v0(as_base64(blank), **asked), post_v1(json_image(blank), **asked)):
        assert reply.status_code == 413
        assert "4096 are the limit; use a larger tile" in reply.json()["message"]


def test_work_that_nobody_waits_for_ends_at_the_next_tile(place: Place, picture: bytes) -> None:
    model = place.publish()
    turn, passes = Turn(None, PixelBudget(10**9)), 0

    def lose_caller_at_third(input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal passes
        passes += 1
        turn.is_wanted = passes < 3
        return np.zeros((1, 4, *input_BCHW.shape[2:]), np.float32)

    engine = Engine(open_bundle(place.bundle_folder()), lose_caller_at_third)
    wish = Wish(threshold=0.4, max_pixels=10**6, tiling=Tiling(64))

    def work() -> None:
        begin_turn(turn)
        predict_answer(LoadedModel(model, engine, 0.0), picture, wish)

    with pytest.raises(UnavailableError, match="nobody waits"):
        copy_context().run(work)
    assert passes == 3


def test_an_operator_may_have_all_large_pictures_cut(place: Place, picture: bytes) -> None:
    place.publish()
    client = place.client(Settings(tile="auto"), key=place.key)
    assert share_right(client.post("/road/1", content=as_base64(picture))) == 1
    body = {"model_id": "road/1", "image": json_image(picture)}
    assert share_right(client.post("/infer/semantic_segmentation", json=body)) == 1
    assert share_right(client.post("/road/1?tile=off", content=as_base64(picture))) < 0.7


def test_the_setting_is_auto_or_off() -> None:
    assert read_settings({}, {}, {}).tile == "off"
    assert read_settings({"ATROUS_TILE": "auto"}, {}, {}).tile == "auto"
    with pytest.raises(InvalidInputError, match="ATROUS_TILE='64': must be off or auto"):
        read_settings({"ATROUS_TILE": "64"}, {}, {})
