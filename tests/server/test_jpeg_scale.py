from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from tests.fakes.pictures import STRIPES_SHAPE, as_base64, encode_stripes, read_mask
from tests.server.place import Place, json_image

from atrous.bundle.reduction import JpegScale
from atrous.core.errors import InvalidInputError
from atrous.server.settings import Settings, read_settings

if TYPE_CHECKING:
    from starlette.testclient import TestClient

BACKGROUND, RED = 0, 1
HEIGHT, WIDTH = STRIPES_SHAPE
V1 = "/infer/semantic_segmentation"


@pytest.fixture
def client(place: Place) -> TestClient:
    place.publish()
    return place.client(Settings(jpeg_scale=JpegScale.AUTO), key=place.key)


def seen_in(reply: Any) -> int:
    """The one class of a reply, whose mask has the picture's size."""
    assert reply.status_code == 200, reply.text
    body = reply.json()
    mask_HW = read_mask(body)
    assert mask_HW.shape == read_mask(body, "confidence_mask").shape == (HEIGHT, WIDTH)
    assert body["image"] == {"width": WIDTH, "height": HEIGHT}
    (class_id,) = np.unique(mask_HW)
    return int(class_id)


def test_a_large_jpeg_is_seen_at_an_eighth_and_its_mask_has_its_own_size(client: TestClient) -> None:
    stripes = encode_stripes()
    assert seen_in(client.post("/road/1", content=as_base64(stripes))) == BACKGROUND
    assert seen_in(client.post(V1, json={"model_id": "road/1", "image": json_image(stripes)})) == BACKGROUND


def test_every_pixel_is_seen_by_default(place: Place) -> None:
    place.publish()
    assert seen_in(place.client(key=place.key).post("/road/1", content=as_base64(encode_stripes()))) == RED


def test_other_formats_are_seen_whole(client: TestClient) -> None:
    assert seen_in(client.post("/road/1", content=as_base64(encode_stripes("PNG")))) == RED


def test_where_an_overlay_is_drawn_every_pixel_is_seen(client: TestClient) -> None:
    stripes = as_base64(encode_stripes())
    both = client.post("/road/1", params={"format": "image_and_json"}, content=stripes)
    assert seen_in(both) == RED
    overlay = client.post("/road/1", params={"format": "image"}, content=stripes)
    assert Image.open(io.BytesIO(overlay.content)).size == (WIDTH, HEIGHT)


def test_the_setting_is_full_or_auto() -> None:
    assert read_settings({}, {}, {}).jpeg_scale is JpegScale.FULL
    assert read_settings({"ATROUS_JPEG_SCALE": "auto"}, {}, {}).jpeg_scale is JpegScale.AUTO
    with pytest.raises(InvalidInputError, match="--jpeg-scale='half': must be full or auto"):
        read_settings({}, {}, {"jpeg_scale": "half"})
