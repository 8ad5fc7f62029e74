from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.bundles import rename_classes
from tests.fakes.pictures import BLACK, BLUE, GREEN, RED, as_base64, encode_squares, read_mask
from tests.server.place import Place, json_image

from atrous.bundle.preprocessing import Fit
from atrous.core.sizes import Size
from atrous.server.settings import SEMANTIC_SEGMENTATION, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

    Post = Callable[..., Any]

PICTURE = encode_squares([[RED, BLACK, BLUE]])
# Scores 5.5 red, 5.0 green, 5.0 background: red wins with a probability of 0.45.
UNSURE = encode_squares([[(140, 127, 0)]])
# The same with 0.51: only red and background are near.
NEARLY_SURE = encode_squares([[(130, 0, 0)]])


def test_the_reply_has_the_keys_of_the_contract_in_order(post_v1: Post) -> None:
    reply = post_v1(json_image(PICTURE))
    content = reply.json()
    assert reply.headers["content-type"] == "application/json"
    assert list(content) == ["inference_id", "time", "resolved_model", "image", "predictions"]
    assert list(content["resolved_model"]) == ["model_id", "model_package_id", "backend", "quantization"]
    assert content["resolved_model"]["model_id"] == "acme/road-1-a"
    assert (content["resolved_model"]["backend"], content["resolved_model"]["quantization"]) == ("onnx", "fp32")
    assert content["image"] == {"width": 24, "height": 8}
    assert list(content["predictions"]) == ["segmentation_mask", "class_map", "confidence_mask", "present_class_ids"]
    assert content["predictions"]["class_map"] == {"0": "background", "1": "red", "2": "green", "3": "blue"}
    assert content["predictions"]["present_class_ids"] == [0, 1, 3]
    assert 0 < content["time"] < 10
    uuid.UUID(content["inference_id"])


def test_masks_have_the_size_of_the_picture_and_one_channel(post_v1: Post) -> None:
    content = post_v1(json_image(PICTURE)).json()
    mask, confidence = read_mask(content), read_mask(content, "confidence_mask")
    assert mask.shape == confidence.shape == (8, 24)
    assert mask[4, [4, 12, 20]].tolist() == [1, 0, 3]
    # e^10 / (e^10 + e^5 + 2) * 255, truncated
    assert confidence[4, 4] == 253


def test_v0_and_v1_answer_alike(post_v0: Post, post_v1: Post) -> None:
    first, second = post_v0(as_base64(PICTURE)).json(), post_v1(json_image(PICTURE)).json()
    assert first["predictions"] == second["predictions"]
    assert first["resolved_model"] == second["resolved_model"]


def test_a_letterboxed_model_answers_at_the_size_of_the_picture(place: Place) -> None:
    place.publish(size=Size(height=32, width=32), fit=Fit.LETTERBOX_GREY)
    client = place.client(key=place.key)
    mask = read_mask(client.post("/road/1", content=PICTURE).json())
    assert mask.shape == (8, 24)
    assert mask[4, [3, 12, 21]].tolist() == [1, 0, 3]


def test_an_object_gives_an_object_and_an_array_an_array(post_v1: Post) -> None:
    first, second = (json_image(encode_squares([[colour]])) for colour in (RED, GREEN))
    assert isinstance(post_v1(first).json(), dict)
    one = post_v1([first]).json()
    assert isinstance(one, list)
    assert len(one) == 1
    two = post_v1([first, second]).json()
    assert [reply["predictions"]["present_class_ids"] for reply in two] == [[1], [2]]
    assert two[0]["inference_id"] != two[1]["inference_id"]


def test_a_bad_picture_of_an_array_is_named(post_v1: Post) -> None:
    reply = post_v1([json_image(PICTURE), json_image(b"no picture")])
    assert reply.status_code == 400
    assert reply.json()["message"].startswith("image 1: Could not load input image. Cause: ")


def test_an_empty_array_is_refused(post_v1: Post) -> None:
    reply = post_v1([])
    assert reply.status_code == 400
    assert reply.json()["message"].startswith("Error with model input. Cause: ")


def test_more_pictures_than_the_limit_are_refused(place: Place) -> None:
    place.publish()
    client = place.client(Settings(max_images=2), key=place.key)
    body = {"model_id": "road/1", "image": [json_image(PICTURE)] * 3}
    reply = client.post("/infer/semantic_segmentation", json=body)
    assert reply.status_code == 413
    assert reply.json()["message"].startswith("the request has 3 images; send at most 2 at a time")


def test_the_id_is_echoed_and_other_keys_are_ignored(post_v1: Post) -> None:
    reply = post_v1(json_image(PICTURE), id="mine", visualize_predictions=False, iou_threshold=0.3, source=None)
    assert reply.json()["inference_id"] == "mine"
    assert "visualization" not in reply.json()


def test_an_overlay_comes_when_it_is_asked_for(post_v1: Post) -> None:
    reply = post_v1([json_image(PICTURE)], visualize_predictions=True, visualization_labels=True)
    assert reply.json()[0]["visualization"].startswith("/9j/")


def test_a_json_body_needs_no_content_type(client: TestClient) -> None:
    content = b'{"model_id": "road/1", "image": {"type": "base64", "value": "%s"}}' % as_base64(PICTURE).encode()
    assert client.post("/infer/semantic_segmentation", content=content).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"model_id": "\\ud800", "image": {"type": "base64", "value": "x"}}',
        b'{"model_id": "road/1"}',
        b'{"image": {"type": "base64", "value": "x"}}',
        b'{"model_id": null, "image": {"type": "base64", "value": "x"}}',
        b'{"model_id": "road/1", "image": "x"}',
        b'{"model_id": "road/1", "image": null}',
        b'{"model_id": "road/1", "image": [null]}',
        b'{"model_id": "road/1", "image": {"value": "x"}}',
        b'{"model_id": "road/1", "image": {"type": null, "value": "x"}}',
        b'{"model_id": "road/1", "image": {"type": "base64", "value": "x"}, "confidence": "high"}',
        b'{"model_id": "road/1", "image": {"type": "base64", "value": "x"}, "confidence": NaN}',
    ],
)
def test_a_body_of_another_form_is_422_with_place_and_message_only(client: TestClient, body: bytes) -> None:
    reply = client.post("/infer/semantic_segmentation", content=body)
    assert reply.status_code == 422
    assert list(reply.json()) == ["message", "detail"]
    assert all(set(item) == {"type", "loc", "msg"} for item in reply.json()["detail"])


@pytest.mark.parametrize("model_id", ["", "road", "a/b/c", "../../etc", "Road/1", "road/1/", "/road/1", "x" * 10_000])
def test_a_malformed_model_id_is_400(client: TestClient, model_id: str) -> None:
    body = {"model_id": model_id, "image": json_image(PICTURE)}
    reply = client.post("/infer/semantic_segmentation", json=body)
    assert reply.status_code == 400
    assert reply.json()["message"].startswith("model id ")


@pytest.mark.parametrize("model_id", ["road/2", "acme/none", "other/road-1-a", "road/99999999999999999999"])
def test_an_unknown_model_is_404(client: TestClient, model_id: str) -> None:
    body = {"model_id": model_id, "image": json_image(PICTURE)}
    assert client.post("/infer/semantic_segmentation", json=body).status_code == 404


@pytest.mark.parametrize(
    ("confidence", "ids"),
    [(None, [1]), (0.4, [1]), (0.46, [0]), ("default", [0]), ("best", [0]), (0, [1]), (-1, [1]), (1.5, [0]), (50, [0])],
)
def test_v1_confidence_is_a_probability_or_a_name(post_v1: Post, confidence: Any, ids: list[int]) -> None:
    reply = post_v1(json_image(UNSURE), confidence=confidence)
    assert reply.json()["predictions"]["present_class_ids"] == ids


def test_the_default_threshold_is_under_the_named_ones(post_v1: Post) -> None:
    assert post_v1(json_image(UNSURE)).json()["predictions"]["present_class_ids"] == [1]
    assert post_v1(json_image(NEARLY_SURE), confidence="best").json()["predictions"]["present_class_ids"] == [1]


def test_a_pixel_under_the_threshold_has_no_confidence(post_v1: Post) -> None:
    content = post_v1(json_image(UNSURE), confidence=0.9).json()
    assert read_mask(content, "confidence_mask").max() == 0


@pytest.mark.parametrize(
    ("confidence", "ids"),
    [
        ("0.4", [1]),
        ("40", [1]),
        ("46", [0]),
        ("0.46", [0]),
        ("1", [1]),
        ("0", [1]),
        ("-3", [1]),
        ("best", [0]),
        ("default", [0]),
        ("", [1]),
    ],
)
def test_v0_confidence_of_one_and_more_is_percent(post_v0: Post, confidence: str, ids: list[int]) -> None:
    reply = post_v0(as_base64(UNSURE), confidence=confidence)
    assert reply.json()["predictions"]["present_class_ids"] == ids


def test_headers_name_the_model_and_its_cold_start(client: TestClient) -> None:
    cold, warm = (client.post("/road/1", content=PICTURE) for _ in range(2))
    assert cold.headers["x-model-id"] == warm.headers["x-model-id"] == "road/1"
    assert (cold.headers["x-model-cold-start"], warm.headers["x-model-cold-start"]) == ("true", "false")
    assert float(cold.headers["x-model-load-time"]) > 0
    assert "x-model-load-time" not in warm.headers


def test_instance_segmentation_is_the_same_under_another_name(client: TestClient, post_v1: Post) -> None:
    body = {"model_id": "road/1", "image": [json_image(PICTURE)], "confidence": 0.4}
    (reply,) = client.post("/infer/instance_segmentation", json=body).json()
    assert reply["predictions"] == post_v1(json_image(PICTURE)).json()["predictions"]


def test_instance_segmentation_is_404_when_the_server_names_the_true_task(place: Place) -> None:
    place.publish()
    client = place.client(Settings(sdk_task=SEMANTIC_SEGMENTATION), key=place.key)
    body = {"model_id": "road/1", "image": json_image(PICTURE)}
    reply = client.post("/infer/instance_segmentation", json=body)
    assert reply.status_code == 404
    assert "/infer/semantic_segmentation" in reply.json()["message"]
    assert client.post("/infer/semantic_segmentation", json=body).status_code == 200


def test_a_network_that_contradicts_its_class_names_is_the_operators_fault(place: Place) -> None:
    place.publish()
    rename_classes(place.bundle_folder(), ("background", "red"))
    reply = place.client(key=place.key).post("/road/1", content=PICTURE)
    assert reply.status_code == 500
    assert reply.json()["message"].startswith("model acme/road-1-a cannot be loaded: weights.onnx")
