from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from tests.fakes.bundles import CLASS_NAMES
from tests.fakes.pictures import BLACK, BLUE, GREEN, RED, as_base64, encode_squares, read_mask
from tests.server.place import json_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient
    from tests.server.place import Place

    Post = Callable[..., Any]

PICTURE = encode_squares([[RED, BLACK, BLUE]])
RED_AREA = {"class": "red", "class_id": 1, "area": 64, "share": pytest.approx(1 / 3), "bbox": [0, 0, 8, 8]}
CLASS_MAP = {"0": "background", "1": "red", "2": "green", "3": "blue"}
JSON, PNG = "application/json", "image/png"
STOCK = ["segmentation_mask", "class_map", "confidence_mask", "present_class_ids"]
LEFT = {
    "label": ["segmentation_mask", "class_map", "present_class_ids"],
    "none": ["class_map", "present_class_ids"],
    "rle": ["class_map", "present_class_ids", "classes"],
    "polygons": ["class_map", "present_class_ids", "regions", "truncated"],
}


def read_png(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def without_times(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in {"inference_id", "time"}}


# Less than both masks


@pytest.mark.parametrize("masks", list(LEFT))
def test_both_versions_leave_out_what_is_not_asked_for(post_v0: Post, post_v1: Post, masks: str) -> None:
    old, new = post_v0(PICTURE, masks=masks).json(), post_v1(json_image(PICTURE), masks=masks).json()
    assert list(new) == ["inference_id", "time", "resolved_model", "image", "predictions"]
    assert list(new["predictions"]) == LEFT[masks]
    assert without_times(old) == without_times(new), "and v0 no copy of the mask"
    assert new["predictions"]["class_map"] == CLASS_MAP
    assert new["predictions"]["present_class_ids"] == [0, 1, 3]


def test_the_label_mask_is_the_same_alone(post_v1: Post) -> None:
    alone, whole = post_v1(json_image(PICTURE), masks="label").json(), post_v1(json_image(PICTURE)).json()
    assert alone["predictions"]["segmentation_mask"] == whole["predictions"]["segmentation_mask"]


@pytest.mark.parametrize("masks", ["both", None])
def test_both_masks_are_what_comes_by_default(post_v0: Post, post_v1: Post, masks: str | None) -> None:
    asked = {"masks": masks}
    assert list(post_v1(json_image(PICTURE), **asked).json()["predictions"]) == STOCK
    assert list(post_v0(PICTURE, **asked).json()["predictions"]) == STOCK
    assert without_times(post_v0(PICTURE, **asked).json()) == without_times(post_v0(PICTURE).json())


def test_an_array_is_answered_in_the_form_too(post_v1: Post) -> None:
    pictures = [json_image(PICTURE), json_image(encode_squares([[GREEN]]))]
    first, second = post_v1(pictures, masks="rle").json()
    assert [part["class"] for part in first["predictions"]["classes"]] == ["red", "blue"]
    assert [part["class"] for part in second["predictions"]["classes"]] == ["green"]


@pytest.mark.parametrize(
    "asked",
    [
        {"masks": "all"},
        {"min_area": -1},
        {"min_area": "many"},
        {"simplify": -0.5},
        {"simplify": "inf"},
        {"simplify": 101},
    ],
)
def test_what_cannot_be_asked_for_is_422_and_says_where(post_v0: Post, post_v1: Post, asked: dict[str, Any]) -> None:
    for reply in (post_v0(PICTURE, **asked), post_v1(json_image(PICTURE), **asked)):
        assert reply.status_code == 422
        assert reply.json()["detail"][0]["loc"][-1] in asked


# Runs


def test_runs_give_each_class_back_as_the_mask_shows_it(post_v1: Post) -> None:
    whole = post_v1(json_image(PICTURE)).json()
    mask_HW, levels_HW = read_mask(whole), read_mask(whole, "confidence_mask")
    red, blue = post_v1(json_image(PICTURE), masks="rle").json()["predictions"]["classes"]
    assert list(red) == ["class", "class_id", "confidence", "area", "share", "bbox", "rle"]
    assert red == RED_AREA | {"confidence": red["confidence"], "rle": red["rle"]}
    assert red["confidence"] == pytest.approx(levels_HW[mask_HW == 1].mean() / 255)
    assert (blue["class_id"], blue["bbox"]) == (3, [16, 0, 8, 8])
    for part in (red, blue):
        assert part["rle"]["size"] == [8, 24]
        np.testing.assert_array_equal(coco_mask.decode(part["rle"]), mask_HW == part["class_id"])


# Polygons


def test_polygons_are_the_outlines_of_each_region(post_v1: Post) -> None:
    picture = encode_squares([[RED, RED, RED, BLACK], [RED, BLACK, RED, BLUE], [RED, RED, RED, BLACK]])
    predictions = post_v1(json_image(picture), masks="polygons").json()["predictions"]
    ring, square = predictions["regions"]
    assert predictions["truncated"] is False
    assert list(ring) == ["class", "class_id", "confidence", "area", "share", "bbox", "exterior", "holes"]
    assert (ring["class"], ring["area"], ring["bbox"]) == ("red", 512, [0, 0, 24, 24])
    assert sorted(ring["exterior"]) == [[0, 0], [0, 24], [24, 0], [24, 24]]
    assert [sorted(hole) for hole in ring["holes"]] == [[[8, 8], [8, 16], [16, 8], [16, 16]]]
    assert (square["class"], square["holes"]) == ("blue", [])
    assert square["exterior"] == [[24, 8], [32, 8], [32, 16], [24, 16]]


def test_specks_and_corners_are_left_out_if_wished(post_v0: Post) -> None:
    stairs = encode_squares([[RED, BLACK, BLUE], [RED, RED, BLACK]], side_px=2)
    exact = post_v0(stairs, masks="polygons").json()["predictions"]["regions"]
    assert [(part["area"], len(part["exterior"])) for part in exact] == [(12, 6), (4, 4)]
    (simple,) = post_v0(stairs, masks="polygons", min_area=5, simplify=2).json()["predictions"]["regions"]
    assert (simple["area"], len(simple["exterior"])) == (12, 3)


# The label mask as the whole reply


@pytest.mark.parametrize("accept", [PNG, "image/PNG;q=0.9, */*;q=0.8", f"{JSON};q=0.5,{PNG}", f"{PNG},{JSON}"])
def test_who_likes_png_best_gets_the_label_mask(client: TestClient, accept: str) -> None:
    expected_HW = read_mask(client.post("/road/1", content=PICTURE).json())
    body = {"model_id": "road/1", "image": json_image(PICTURE), "id": "mine — ünd deins\r\n"}
    headers = {"accept": accept}
    old = client.post("/road/1", content=PICTURE, headers=headers)
    new = client.post("/infer/semantic_segmentation", json=body, headers=headers)
    for reply in (old, new):
        assert (reply.status_code, reply.headers["content-type"]) == (200, PNG)
        np.testing.assert_array_equal(read_png(reply.content), expected_HW)
        assert json.loads(reply.headers["x-class-map"]) == CLASS_MAP
        assert reply.headers["x-model-id"] == "road/1"
    assert len(old.headers["x-inference-id"]) == 36
    assert new.headers["x-inference-id"] == "mine%20%E2%80%94%20%C3%BCnd%20deins%0D%0A"


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        JSON,
        "image/*",
        f"{JSON}, {PNG}",
        f"{PNG};q=0",
        f"{PNG};q=0.3,*/*;q=0.5",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,*/*;q=0.8",
        "text/html",
        "",
        ";;q=,,",
    ],
)
def test_everybody_else_gets_json(client: TestClient, accept: str) -> None:
    reply = client.post("/road/1", content=PICTURE, headers={"accept": accept})
    assert reply.headers["content-type"] == JSON
    assert list(reply.json()["predictions"]) == STOCK


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"masks": "label"}, PNG),
        ({"masks": "rle"}, JSON),
        ({"format": "image_and_json"}, JSON),
        ({"format": "image"}, "image/jpeg"),
    ],
)
def test_what_is_asked_for_by_name_goes_before_what_is_liked(
    client: TestClient, asked: dict[str, str], kind: str
) -> None:
    reply = client.post("/road/1", params=asked, content=PICTURE, headers={"accept": PNG})
    assert reply.headers["content-type"] == kind


def test_an_array_is_json_whatever_is_liked(client: TestClient) -> None:
    body = {"model_id": "road/1", "image": [json_image(PICTURE)]}
    reply = client.post("/infer/semantic_segmentation", json=body, headers={"accept": PNG})
    assert list(reply.json()[0]["predictions"]) == STOCK


def test_classes_in_the_head_are_plain_letters_and_few(place: Place) -> None:
    headers = {"accept": PNG}
    names = ("background", 'тротуар "é"', "日本\x7f", *(f"c{number}" for number in range(5)))
    place.publish(class_names=names)
    reply = place.client(key=place.key).post("/road/1", content=PICTURE, headers=headers)
    assert list(json.loads(reply.headers["x-class-map"]).values()) == list(names)
    assert reply.headers["x-class-map"].isascii()
    place.publish("road-2-a", version=2, class_names=(*CLASS_NAMES, *(f"class {number}" for number in range(200))))
    reply = place.client(key=place.key).post("/acme/road-2-a", content=PICTURE, headers=headers)
    assert reply.headers["content-type"] == PNG
    assert "x-class-map" not in reply.headers


def test_an_error_is_json_for_everybody(client: TestClient) -> None:
    reply = client.post("/road/1", content=b"no picture", headers={"accept": PNG})
    assert reply.status_code == 400
    assert reply.json()["message"].startswith("Could not load input image.")


# Where the time went


def read_timing(text: str) -> dict[str, float]:
    return {name: float(taken.removeprefix("dur=")) for name, taken in (part.split(";") for part in text.split(", "))}


def test_the_head_tells_where_the_time_went(post_v0: Post, post_v1: Post) -> None:
    stages = {"picture", "prepare", "pass", "pixels", "png", "json"}
    for reply in (post_v0(as_base64(PICTURE)), post_v1(json_image(PICTURE)), post_v1([json_image(PICTURE)] * 2)):
        timing = read_timing(reply.headers["server-timing"])
        assert set(timing) == stages
        assert 0 < sum(timing.values()) <= 1000 * float(reply.headers["x-processing-time"]) + 0.1
