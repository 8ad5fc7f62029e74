from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from tests.fakes.pictures import BLACK, BLUE, GREEN, RED, as_base64, encode_squares, read_mask
from tests.server.place import json_image

from atrous.server.workflow_graph import BLOCK_V1, BLOCK_V2

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place

PICTURE = encode_squares([[RED, BLACK, BLUE], [RED, BLACK, BLACK]])
# Red wins with a probability of 0.45.
UNSURE = encode_squares([[(140, 127, 0)]])
ERROR_KEYS = ["message", "error_type", "context", "inner_error_type", "inner_error_message", "blocks_errors"]


def make_specification(block: str = BLOCK_V2, **step: Any) -> dict[str, Any]:
    return {
        "version": "1.0",
        "inputs": [
            {"type": "InferenceImage", "name": "image"},
            {"type": "WorkflowParameter", "name": "model", "default_value": "road/1"},
            {"type": "InferenceParameter", "name": "least"},
        ],
        "steps": [{"type": block, "name": "model", "images": "$inputs.image", "model_id": "road/1", **step}],
        "outputs": [
            {"type": "JsonField", "name": "found", "coordinates_system": "own", "selector": "$steps.model.predictions"},
            {"type": "JsonField", "name": "id", "selector": "$steps.model.inference_id"},
            {"type": "JsonField", "name": "all", "selector": "$steps.model.*"},
        ],
    }


def run(client: TestClient, specification: Any = None, image: Any = None, **fields: Any) -> Any:
    body = {
        "api_key": None,
        "use_cache": True,
        "enable_profiling": False,
        "inputs": {"image": json_image(PICTURE) if image is None else image},
        "specification": make_specification() if specification is None else specification,
    }
    return client.post(fields.pop("path", "/workflows/run"), json={**body, **fields})


@pytest.mark.parametrize("block", [BLOCK_V1, BLOCK_V2])
@pytest.mark.parametrize("path", ["/workflows/run", "/infer/workflows"])
def test_a_graph_of_one_block_gives_an_entry_for_each_class(client: TestClient, block: str, path: str) -> None:
    reply = run(client, make_specification(block), path=path)
    assert reply.status_code == 200, reply.text
    assert list(reply.json()) == ["outputs", "profiler_trace"]
    (outputs,) = reply.json()["outputs"]
    assert list(outputs) == ["found", "id", "all"]
    uuid.UUID(outputs["id"])
    assert outputs["all"]["model_id"] == "road/1"
    assert outputs["found"]["image"] == {"width": 24, "height": 16}
    red, blue = outputs["found"]["predictions"]
    assert (red["class"], red["class_id"], blue["class"], blue["class_id"]) == ("red", 1, "blue", 3)
    assert (red["x"], red["y"], red["width"], red["height"]) == (3.5, 7.5, 7.0, 15.0)
    assert (blue["x"], blue["y"], blue["width"], blue["height"]) == (19.5, 3.5, 7.0, 7.0)


def test_run_length_masks_and_confidence_are_those_of_the_masks(client: TestClient) -> None:
    expected = client.post("/road/1", content=as_base64(PICTURE), params={"confidence": "best"}).json()
    mask_HW, levels_HW = read_mask(expected), read_mask(expected, "confidence_mask")
    (outputs,) = run(client).json()["outputs"]
    for one in outputs["found"]["predictions"]:
        region = coco_mask.decode({**one["rle_mask"], "counts": one["rle_mask"]["counts"].encode()})
        np.testing.assert_array_equal(region == 1, mask_HW == one["class_id"])
        assert one["confidence"] == pytest.approx(levels_HW[region == 1].mean() / 255)


def test_an_array_of_pictures_gives_outputs_in_its_order(client: TestClient) -> None:
    images = [json_image(encode_squares([[colour]])) for colour in (RED, BLACK, GREEN)]
    outputs = run(client, image=images).json()["outputs"]
    assert [[found["class"] for found in one["found"]["predictions"]] for one in outputs] == [["red"], [], ["green"]]


@pytest.mark.parametrize(
    ("step", "inputs", "count"),
    [
        ({}, {}, 0),
        ({"confidence_mode": "default"}, {}, 0),
        ({"confidence_mode": "custom"}, {}, 1),
        ({"confidence_mode": "custom", "custom_confidence": 0.46}, {}, 0),
        ({"confidence_mode": "custom", "custom_confidence": "$inputs.least"}, {"least": 0.3}, 1),
        ({"confidence_mode": "custom", "custom_confidence": "$inputs.least"}, {"least": 0.5}, 0),
    ],
)
def test_confidence_is_chosen_by_the_block(client: TestClient, step: Any, inputs: Any, count: int) -> None:
    image = {"image": json_image(UNSURE), **inputs}
    (outputs,) = run(client, make_specification(**step), inputs=image).json()["outputs"]
    assert len(outputs["found"]["predictions"]) == count


def test_the_first_version_of_the_block_has_the_servers_default(client: TestClient) -> None:
    (outputs,) = run(client, make_specification(BLOCK_V1), image=json_image(UNSURE)).json()["outputs"]
    assert len(outputs["found"]["predictions"]) == 1


def test_the_model_may_be_a_parameter(client: TestClient) -> None:
    specification = make_specification(model_id="$inputs.model")
    assert run(client, specification).status_code == 200
    inputs = {"image": json_image(PICTURE), "model": "acme/road-1-a"}
    assert run(client, specification, inputs=inputs).headers["x-model-id"] == "acme/road-1-a"


def test_excluded_fields_are_left_out(client: TestClient) -> None:
    (outputs,) = run(client, excluded_fields=["all", "id"]).json()["outputs"]
    assert list(outputs) == ["found"]


@pytest.mark.parametrize("path", ["/acme/workflows/road-1-a", "/infer/workflows/acme/road-1-a"])
def test_a_named_workflow_is_the_model_of_that_slug(client: TestClient, path: str) -> None:
    reply = client.post(path, json={"inputs": {"image": [json_image(UNSURE)], "confidence": 0.4}})
    assert reply.status_code == 200, reply.text
    (outputs,) = reply.json()["outputs"]
    assert list(outputs) == ["inference_id", "predictions", "model_id"]
    assert [one["class"] for one in outputs["predictions"]["predictions"]] == ["red"]


@pytest.mark.parametrize("path", ["/acme/workflows/none", "/other/workflows/road-1-a", "/infer/workflows/acme/none"])
def test_an_unknown_named_workflow_is_404(client: TestClient, path: str) -> None:
    reply = client.post(path, json={"inputs": {"image": json_image(PICTURE)}})
    assert reply.status_code == 404
    assert "no such workflow" in reply.json()["message"]


def broken(**parts: Any) -> dict[str, Any]:
    return {**make_specification(), **parts}


IMAGE = {"type": "WorkflowImage", "name": "image"}
FOUND = {"type": "JsonField", "name": "found", "selector": "$steps.model.predictions"}


@pytest.mark.parametrize(
    "specification",
    [
        {},
        broken(steps=[]),
        broken(steps=make_specification()["steps"] * 2),
        broken(steps="none"),
        broken(steps=[7]),
        broken(inputs=[]),
        broken(inputs=[IMAGE, {**IMAGE, "name": "second"}]),
        broken(inputs=[IMAGE, {"type": "WorkflowParameter", "name": "image"}]),
        broken(inputs=[{"type": "WorkflowVideoMetadata", "name": "image"}]),
        broken(inputs=[{"type": ["x"], "name": "image"}]),
        broken(outputs=[{**FOUND, "type": "Other"}]),
        broken(outputs=[{**FOUND, "selector": "$steps.other.predictions"}]),
        broken(outputs=[{**FOUND, "selector": "$steps.model.masks"}]),
        broken(outputs=[{**FOUND, "name": 7}]),
        make_specification("roboflow_core/roboflow_object_detection_model@v2"),
        make_specification(type=["x"]),
        make_specification(name=None),
        make_specification(images="$inputs.other"),
        make_specification(model_id="$inputs.other"),
        make_specification(model_id="$steps.model.x"),
        make_specification(model_id=None),
        make_specification(model_id={"a": 1}),
        make_specification(confidence_mode="high"),
        make_specification(confidence_mode=["best"]),
        make_specification(confidence_mode="custom", custom_confidence=2),
        make_specification(confidence_mode="custom", custom_confidence=True),
        make_specification(confidence_mode="custom", custom_confidence="$inputs.least"),
    ],
)
def test_any_other_graph_is_400_in_the_form_of_workflow_errors(client: TestClient, specification: Any) -> None:
    reply = run(client, specification)
    assert reply.status_code == 400
    content = reply.json()
    assert list(content) == ERROR_KEYS
    assert all(isinstance(content[key], str) and content[key] for key in ERROR_KEYS[:-1])
    assert isinstance(content["blocks_errors"], list)


def test_an_error_of_a_block_names_it(client: TestClient) -> None:
    (block,) = run(client, make_specification("some/block@v1")).json()["blocks_errors"]
    assert (block["block_id"], block["block_type"], block["property_name"]) == ("model", "some/block@v1", "type")


@pytest.mark.parametrize("image", ["text", 7, [[]], [None], {"value": "x"}, {"type": "base64"}])
def test_inputs_that_are_no_pictures_are_400_and_not_repeated(client: TestClient, image: Any) -> None:
    reply = run(client, image=image)
    assert reply.status_code == 400
    assert isinstance(reply.json()["message"], str)


def test_a_missing_picture_and_an_empty_array_are_400(client: TestClient) -> None:
    assert list(run(client, inputs={}).json()) == ERROR_KEYS
    assert run(client, inputs={"image": []}).status_code == 400


def test_a_bad_picture_is_named_by_its_place(client: TestClient) -> None:
    reply = run(client, image=[json_image(PICTURE), json_image(b"none")])
    assert reply.status_code == 400
    assert reply.json()["message"].startswith("image 1: Could not load input image.")


def test_an_unknown_model_is_404(client: TestClient) -> None:
    assert run(client, make_specification(model_id="road/9")).status_code == 404


@pytest.mark.parametrize(
    "path", ["/workflows/run", "/infer/workflows", "/workflows/validate", "/acme/workflows/road-1-a"]
)
def test_a_key_is_needed(place: Place, path: str) -> None:
    place.publish()
    assert run(place.client(), path=path).status_code == 401
    assert run(place.client(), path=path, api_key=place.key).status_code == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"specification": 7}', b'{"specification": {}, "inputs": []}'])
def test_a_body_of_another_form_is_422(client: TestClient, body: bytes) -> None:
    assert client.post("/workflows/run", content=body).status_code == 422


def test_a_specification_can_be_tried_without_a_picture(client: TestClient) -> None:
    assert client.post("/workflows/validate", json={"specification": make_specification()}).json() == {"status": "ok"}
    reply = client.post("/workflows/validate", json={"specification": {}})
    assert reply.status_code == 400
    assert list(reply.json()) == ERROR_KEYS


@pytest.mark.parametrize(
    "path",
    [
        "/workflows/describe_interface",
        "/workflows/blocks/describe",
        "/workflows/blocks/dynamic_outputs",
        "/workflows/definition/schema",
        "/acme/workflows/road-1-a/describe_interface",
    ],
)
def test_tools_of_editors_are_501(client: TestClient, path: str) -> None:
    reply = client.post(path, json={})
    assert reply.status_code == 501
    assert "one semantic segmentation block" in reply.json()["message"]
