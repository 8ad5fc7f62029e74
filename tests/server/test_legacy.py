from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from tests.fakes.pictures import BLACK, RED, as_base64, encode_squares
from tests.fakes.ports import engine_of

from atrous.adapters.sql_store import SqlStore
from atrous.runtime.overlay import class_colours_BGR

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient
    from tests.server.place import Place

    from atrous.workspace.records import Key, Model

    Post = Callable[..., Any]

PICTURE = encode_squares([[RED, BLACK]])
# What inference-sdk sends when every field of its configuration is set.
ALL_PARAMS = {
    "allow_reduced_mask_resolution": "False",
    "disable_active_learning": "False",
    "active_learning_target_dataset": "d",
    "confidence": "0.4",
    "keypoint_confidence": "0.1",
    "format": "json",
    "labels": "True",
    "mask_decode_mode": "fast",
    "tradeoff_factor": "0.5",
    "max_detections": "10",
    "overlap": "0.2",
    "stroke": "3",
    "disable_preproc_auto_orient": "True",
    "disable_preproc_contrast": "True",
    "disable_preproc_grayscale": "True",
    "disable_preproc_static_crop": "True",
    "source": "s",
    "source_info": "i",
    "source_info_origin": "o",
    "response_mask_format": "polygon",
    "include_anomaly_map": "False",
    "service_secret": "x",
    "countinference": "False",
    "image_type": "base64",
    "something_of_tomorrow": "1",
}
RESERVED = ["/model/none", "/infer/none", "/start/1", "/static/app.js", "/docs/none", "/build/1", "/device/x", "/api/1"]


class ForbiddenStore(SqlStore):
    def list_models(self, workspace: str) -> list[Model]:
        raise AssertionError(f"the store was asked for {workspace}")

    def find_key(self, digest: str) -> Key | None:
        raise AssertionError(f"the store was asked for {digest}")


def test_every_parameter_of_the_clients_is_accepted(post_v0: Post) -> None:
    assert post_v0(as_base64(PICTURE), **ALL_PARAMS).status_code == 200


def test_a_parameter_may_come_twice(client: TestClient) -> None:
    assert client.post("/road/1?a=1&a=2&confidence=&confidence=0.4&format=None", content=PICTURE).status_code == 200


@pytest.mark.parametrize(
    "params", [{"confidence": "high"}, {"confidence": "nan"}, {"disable_preproc_auto_orient": "x"}]
)
def test_a_parameter_that_cannot_be_is_422(post_v0: Post, params: dict[str, str]) -> None:
    reply = post_v0(as_base64(PICTURE), **params)
    assert reply.status_code == 422
    assert next(iter(params)) in reply.json()["message"]


@pytest.mark.parametrize(
    "path", ["/road/1", "//road/1", "/road//1", "/road/1/", "/road%2F1", "/r%6Fad/1", "/acme/road-1-a"]
)
def test_a_model_is_found_however_its_path_is_written(client: TestClient, path: str) -> None:
    reply = client.post(f"http://testserver{path}", content=as_base64(PICTURE))
    assert reply.status_code == 200
    assert isinstance(reply.json(), dict)


@pytest.mark.parametrize("path", RESERVED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_reserved_path_is_404_without_asking_the_store(place: Place, path: str, method: str) -> None:
    client = place.client(store=ForbiddenStore(engine_of(place.ports)), key=place.key)
    reply = client.request(method, path)
    assert reply.status_code == 404
    assert path in reply.json()["message"]


def test_other_methods_are_405(client: TestClient) -> None:
    assert client.put("/road/1").status_code == 405


def test_format_image_gives_the_picture_under_its_mask(post_v0: Post) -> None:
    reply = post_v0(as_base64(PICTURE), format="image")
    assert reply.headers["content-type"] == "image/jpeg"
    pixels = cv2.imdecode(np.frombuffer(reply.content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (8, 16, 3)
    assert pixels[:, 12:].max() < 30
    assert reply.headers["x-model-id"] == "road/1"


def pixels_of(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_format_image_and_json_adds_the_same_overlay_to_the_json(post_v0: Post) -> None:
    reply = post_v0(as_base64(PICTURE), format="image_and_json").json()
    assert list(reply)[-2:] == ["predictions", "visualization"]
    assert (
        base64.b64decode(reply["visualization"], validate=True) == post_v0(as_base64(PICTURE), format="image").content
    )


def test_the_roboflow_package_finds_the_mask_at_the_top_too(client: TestClient) -> None:
    files = {"file": ("imageToUpload", PICTURE, "image/jpeg")}
    reply = client.post("/road/1", params={"confidence": "50"}, files=files).json()
    nested = reply["predictions"]
    assert reply["segmentation_mask"] == nested["segmentation_mask"]
    assert reply["class_map"] == nested["class_map"] == {"0": "background", "1": "red", "2": "green", "3": "blue"}
    assert reply["image"] == {"width": 16, "height": 8}


def test_inference_sdk_is_not_sent_the_mask_twice(post_v0: Post) -> None:
    reply = post_v0(as_base64(PICTURE), allow_reduced_mask_resolution="False", disable_active_learning="False").json()
    assert list(reply) == ["inference_id", "time", "resolved_model", "image", "predictions"]


@pytest.mark.parametrize("wanted", ["json", "anything"])
def test_every_other_format_is_plain_json(post_v0: Post, wanted: str) -> None:
    assert list(post_v0(as_base64(PICTURE), format=wanted).json())[-1] == "predictions"


def test_labels_stroke_and_opacity_change_the_overlay(post_v0: Post) -> None:
    picture = as_base64(encode_squares([[RED, BLACK]], side_px=80))

    def draw(**params: Any) -> np.ndarray:
        return pixels_of(post_v0(picture, format="image", **params).content).astype(int)

    plain = draw(stroke="0", opacity="0")
    assert np.abs(plain[40, 20] - [0, 0, 255]).max() < 10
    assert np.abs(draw(stroke="0", opacity="1")[40, 20] - class_colours_BGR(2)[1]).max() < 10
    rim = draw(stroke="6", opacity="0")
    assert np.abs(rim[40, 75] - class_colours_BGR(2)[1]).max() < 30
    assert np.abs(rim[40, 20] - plain[40, 20]).max() < 10
    assert np.abs(draw(stroke="0", opacity="0", labels="True")[40, 10:70] - plain[40, 10:70]).max() > 50


@pytest.mark.parametrize("params", [{"stroke": "-1"}, {"stroke": "51"}, {"opacity": "2"}, {"labels": "perhaps"}])
def test_an_overlay_that_cannot_be_is_422(post_v0: Post, params: dict[str, str]) -> None:
    assert post_v0(as_base64(PICTURE), **params).status_code == 422


@pytest.mark.parametrize(("path", "status"), [("/road/2", 404), ("/none/1", 404), ("/Road/1", 400), ("/a b/c", 400)])
def test_an_unknown_model_is_refused_before_its_picture_is_looked_at(post_v0: Post, path: str, status: int) -> None:
    reply = post_v0("garbage!", path)
    assert reply.status_code == status
    assert list(reply.json()) == ["message"]
