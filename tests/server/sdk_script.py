"""Run by tests/server/test_inference_sdk.py in an environment with inference-sdk: calls a server and tells what it saw.

Usage: sdk_script.py URL KEY PICTURE. Prints one JSON object; the value of each name is true, or what was seen instead.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import cv2
import numpy as np
from inference_sdk import InferenceConfiguration, InferenceHTTPClient
from inference_sdk.http.errors import HTTPCallErrorError

URL, KEY, PICTURE = sys.argv[1:]
MODEL, OTHER_ID = "road/1", "acme/road-1-a"


def make_client(transport: str | None = None, key: str = KEY, **options: Any) -> InferenceHTTPClient:
    client = InferenceHTTPClient(api_url=URL, api_key=key)
    client.configure(InferenceConfiguration(api_key_transport=transport, **options))
    return client


def is_answer(answer: Any) -> Any:
    """Red, black, blue squares of 8 pixels: classes 1, 0 and 3."""
    png = base64.b64decode(answer["predictions"]["segmentation_mask"])
    mask = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    return (mask.shape, mask[4, 4::8].tolist()) == ((8, 24), [1, 0, 3]) or f"{mask.shape} {mask[4].tolist()}"


def are_answers(answers: Any, count: int) -> Any:
    return (isinstance(answers, list) and len(answers) == count and all(is_answer(one) is True for one in answers)) or (
        f"{type(answers)} of {len(answers)}"
    )


def fails_with(status: int, call: Callable[[], Any]) -> Any:
    try:
        result = call()
    except HTTPCallErrorError as error:
        return (error.status_code == status and bool(error.api_message)) or f"{error.status_code} {error.api_message}"
    return f"no error but {str(result)[:200]}"


def check_v0(transport: str) -> Any:
    client = make_client(transport)
    client.select_api_v0()
    return is_answer(client.infer(PICTURE, model_id=MODEL))


def check_v0_list() -> Any:
    client = make_client("header", max_concurrent_requests=3)
    client.select_api_v0()
    return are_answers(client.infer([PICTURE] * 4, model_id=OTHER_ID), 4)


def check_v0_async() -> Any:
    client = make_client("both")
    client.select_api_v0()
    return are_answers(asyncio.run(client.infer_async([PICTURE] * 3, model_id=MODEL)), 3)


def check_v0_array() -> Any:
    client = make_client("header")
    client.select_api_v0()
    return is_answer(client.infer(cv2.imread(PICTURE), model_id=MODEL))


def check_v0_overlay(kind: str) -> Any:
    client = make_client("header", format=kind, visualize_labels=True, stroke_width=2)
    client.select_api_v0()
    answer = client.infer(PICTURE, model_id=MODEL)
    return len(base64.b64decode(answer["visualization"])) > 100


def check_v1(transport: str) -> Any:
    return is_answer(make_client(transport).infer(PICTURE, model_id=MODEL))


def check_v1_list() -> Any:
    return are_answers(make_client("header", max_batch_size=2).infer([PICTURE] * 5, model_id=MODEL), 5)


def check_v1_async() -> Any:
    client = make_client("both", max_batch_size=2)
    return are_answers(asyncio.run(client.infer_async([PICTURE] * 3, model_id=MODEL)), 3)


def check_v1_overlay() -> Any:
    answer = make_client("header", visualize_predictions=True).infer(PICTURE, model_id=MODEL)
    return len(base64.b64decode(answer["visualization"])) > 100


def check_models() -> Any:
    client = make_client("header")
    client.load_model(OTHER_ID)
    loaded = [model.model_id for model in client.list_loaded_models().models]
    left = client.unload_model(OTHER_ID).models
    client.load_model(OTHER_ID)
    cleared = client.unload_all_models().models
    described = client.get_model_description(MODEL)
    seen = (OTHER_ID in loaded, [one.model_id for one in left if one.model_id == OTHER_ID], cleared, described.model_id)
    return seen == (True, [], [], MODEL) or str(seen)


def check_info() -> Any:
    info = make_client("header").get_server_info()
    return bool(info.name and info.version and info.uuid)


def check_workflow(version: str, transport: str) -> Any:
    block = f"roboflow_core/roboflow_semantic_segmentation_model@{version}"
    specification = {
        "version": "1.0",
        "inputs": [{"type": "InferenceImage", "name": "image"}],
        "steps": [{"type": block, "name": "model", "images": "$inputs.image", "model_id": MODEL}],
        "outputs": [{"type": "JsonField", "name": "found", "selector": "$steps.model.predictions"}],
    }
    client = make_client(transport)
    outputs = client.run_workflow(specification=specification, images={"image": [PICTURE, PICTURE]})
    seen = [[one["class"] for one in output["found"]["predictions"]] for output in outputs]
    return seen == [["red", "blue"]] * 2 or str(seen)


def check_named_workflow() -> Any:
    client = make_client("header")
    images = {"image": PICTURE}
    found = [
        client.run_workflow(workspace_name="acme", workflow_id="road-1-a", images=images),
        client.infer_from_workflow(workspace_name="acme", workflow_name="road-1-a", images=images),
    ]
    seen = [one["class"] for (output,) in found for one in output["predictions"]["predictions"]]
    return seen == ["red", "blue"] * 2 or str(seen)


def check_error(status: int, call: str, mode: str, **options: Any) -> Any:
    client = make_client("header", **options)
    if mode == "v0":
        client.select_api_v0()
    picture = "garbage!" if call == "garbage" else PICTURE
    model_id = "road/9" if call == "unknown" else MODEL
    return fails_with(status, lambda: client.infer(picture, model_id=model_id))


def check_wrong_key(transport: str) -> Any:
    client = make_client(transport, key="wrong-key")
    client.select_api_v0()
    return fails_with(401, lambda: client.infer(PICTURE, model_id=MODEL))


def check_async_error() -> Any:
    client = make_client("header")
    client.select_api_v0()
    return fails_with(404, lambda: asyncio.run(client.infer_async(PICTURE, model_id="road/9")))


def check_pipelines() -> Any:
    return fails_with(501, make_client("header").list_inference_pipelines)


def check_foreign_workflow() -> Any:
    specification = {"version": "1.0", "inputs": [], "steps": [], "outputs": []}
    client = make_client("header")
    return fails_with(400, lambda: client.run_workflow(specification=specification, images={"image": PICTURE}))


TRANSPORTS = ("legacy", "both", "header")
CHECKS: dict[str, Callable[[], Any]] = {
    **{f"v0 {one}": lambda one=one: check_v0(one) for one in TRANSPORTS},
    **{f"v1 {one}": lambda one=one: check_v1(one) for one in TRANSPORTS},
    **{f"wrong key {one}": lambda one=one: check_wrong_key(one) for one in TRANSPORTS},
    **{f"workflow v1 {one}": lambda one=one: check_workflow("v1", one) for one in TRANSPORTS},
    "workflow v2": lambda: check_workflow("v2", "header"),
    "named workflow": check_named_workflow,
    "foreign workflow": check_foreign_workflow,
    "v0 list": check_v0_list,
    "v0 async": check_v0_async,
    "v0 array": check_v0_array,
    "v0 image": lambda: check_v0_overlay("image"),
    "v0 image_and_json": lambda: check_v0_overlay("image_and_json"),
    "v1 list": check_v1_list,
    "v1 async": check_v1_async,
    "v1 overlay": check_v1_overlay,
    "models": check_models,
    "info": check_info,
    "unknown model v0": lambda: check_error(404, "unknown", "v0"),
    "unknown model v1": lambda: check_error(404, "unknown", "v1"),
    "garbage v0": lambda: check_error(400, "garbage", "v0"),
    "garbage v1": lambda: check_error(400, "garbage", "v1"),
    "async error": check_async_error,
    "pipelines": check_pipelines,
}


def see(check: Callable[[], Any]) -> Any:
    try:
        return check()
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"[:500]


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        print(json.dumps({name: see(check) for name, check in CHECKS.items()}))  # noqa: T201
