"""Every row of the contract's table of errors (2.4), in its order: the case, what is sent, status and message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.bundles import damage_bundle, rename_classes
from tests.fakes.pictures import RED, as_base64, encode_squares

from atrous.core.errors import UnavailableError
from atrous.server.settings import Settings
from atrous.server.slots import Slots
from atrous.workspace.keys import create_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place

PICTURE = encode_squares([[RED]])
V1 = "/infer/semantic_segmentation"
CAUSE = "Could not load input image. Cause: "
SECRET = "5ecret5ecret5ecret"


def v1(value: Any = None, kind: Any = "base64", model_id: Any = "road/1") -> dict[str, Any]:
    return {"json": {"model_id": model_id, "image": {"type": kind, "value": value}}}


def v0(body: Any, content_type: str = "text/plain") -> dict[str, Any]:
    return {"content": body, "headers": {"content-type": content_type}}


GOOD = as_base64(PICTURE)
# Name of the row, path, request, status, start of the message.
ROWS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("garbage image v0", "/road/1", v0("nonexistent.jpg"), 400, CAUSE + "Malformed base64 input image."),
    ("garbage image v1", V1, v1("????"), 400, CAUSE + "Malformed base64 input image."),
    ("empty image v0", "/road/1", v0(""), 400, CAUSE + "Empty image payload."),
    ("empty image v1", V1, v1(""), 400, CAUSE + "Empty image payload."),
    ("raw bytes in json", V1, v1("\x89PNG\u00ff"), 400, CAUSE + "Invalid base64 input: the image payload contains raw"),
    ("data is not image", V1, v1(as_base64(b"no picture")), 400, CAUSE + "the data is not a picture"),
    ("unknown image type", V1, v1("x", "hologram"), 400, CAUSE + "Image declaration contains not recognised"),
    ("numpy disabled", V1, v1("gASV", "numpy"), 400, CAUSE + "NumPy image type is not supported"),
    ("numpy disabled v0", "/road/1?image_type=numpy", v0(b"\x80\x04."), 400, CAUSE + "NumPy image type is not"),
    ("url policy", V1, v1("https://example.com/a.jpg", "url"), 400, CAUSE + "URL input is off on this server"),
    ("url policy v0", "/road/1?image=https://example.com/a.jpg", {}, 400, CAUSE + "URL input is off on this server"),
    ("multipart without file", "/road/1", {"files": {"other": ("a", PICTURE)}}, 400, CAUSE + "Expected image to be"),
    ("no content type, no body", "/road/1", {}, 400, CAUSE + "Empty image payload."),
    ("malformed model id", V1, v1(GOOD, model_id="a/b/c"), 400, "model id 'a/b/c': write PROJECT/VERSION"),
    ("empty image list", V1, {"json": {"model_id": "road/1", "image": []}}, 400, "Error with model input. Cause: "),
    ("unknown model", V1, v1(GOOD, model_id="road/7"), 404, "model 'road/7': not found"),
    ("unknown model v0", "/road/7", v0(GOOD), 404, "model 'road/7': not found"),
    ("unknown path", "/a/b/c", {}, 404, ""),
    ("unknown infer path", "/infer/object_detection", v1(GOOD), 404, "/infer/object_detection: this server has no"),
    ("value null", V1, v1(None), 400, CAUSE + "Empty image payload."),
    ("value int", V1, v1(7), 400, CAUSE + "Malformed base64 input image."),
    ("type multipart", V1, v1("x", "multipart"), 400, CAUSE + "Multipart image type is not supported"),
    ("type pil", V1, v1("x", "pil"), 400, CAUSE + "PIL image type is not supported"),
    ("type file", V1, v1("/etc/passwd", "file"), 400, CAUSE + "Reading files of the server is off"),
    ("type file v0", "/road/1?image_type=file", v0("/etc/passwd"), 400, CAUSE + "Reading files of the server is off"),
    ("model id empty", V1, v1(GOOD, model_id=""), 400, "model id ''"),
    ("model id climbs", V1, v1(GOOD, model_id="../../etc"), 400, "model id '../../etc'"),
    ("validation", V1, {"json": {"image": 7, "api_key": SECRET}}, 422, "model_id: Field required"),
    ("validation of a query", "/road/1?confidence=high", v0(GOOD), 422, "query.confidence"),
    ("no json", V1, v0(b"{"), 422, "Invalid JSON"),
    ("countinference misuse", "/road/1?countinference=False&service_secret=x", v0(GOOD), 200, ""),
    ("pipelines", "/inference_pipelines/initialise", {"json": {"api_key": SECRET}}, 501, "video pipelines and WebRTC"),
    ("webrtc", "/initialise_webrtc_worker", {"json": {}}, 501, "video pipelines and WebRTC"),
]


@pytest.mark.parametrize(("path", "sent", "status", "start"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_an_error_has_its_status_and_an_object_with_a_message(
    client: TestClient, path: str, sent: dict[str, Any], status: int, start: str
) -> None:
    reply = client.post(path, **sent)
    assert reply.status_code == status, reply.text
    if status != 200:
        check_error(reply)
        assert reply.json()["message"].startswith(start)


def check_error(reply: Any) -> None:
    content = reply.json()
    assert reply.headers["content-type"] == "application/json"
    assert isinstance(content, dict)
    assert isinstance(content["message"], str)
    assert content["message"]
    for forbidden in (SECRET, GOOD, "Traceback", "127.0.0.1", "/tmp/", '"input"', '"ctx"'):
        assert forbidden not in reply.text


def test_other_methods_are_405(client: TestClient) -> None:
    reply = client.put("/road/1")
    assert reply.status_code == 405
    check_error(reply)


def test_missing_and_bad_keys_are_401(place: Place) -> None:
    place.publish()
    client = place.client()
    for key in (None, "None", SECRET):
        for reply in (
            client.post("/road/1", params={"api_key": key} if key else {}, content=GOOD),
            client.post(V1, json={**v1(GOOD)["json"], "api_key": key}),
        ):
            assert reply.status_code == 401
            check_error(reply)


def test_a_key_without_the_scope_is_403(place: Place) -> None:
    _, key = create_key(place.ports, "acme", "camera", scope=Scope.INFER)
    reply = place.client(key=key).post("/model/clear")
    assert reply.status_code == 403
    check_error(reply)
    assert key not in reply.text


def test_a_body_over_the_limit_is_413(place: Place) -> None:
    place.publish()
    reply = place.client(Settings(max_body_bytes=1000), key=place.key).post("/road/1", content=b"A" * 2000)
    assert reply.status_code == 413
    check_error(reply)


@pytest.mark.parametrize("breaking", ["bad hash", "classes that contradict the network", "no background", "missing"])
def test_a_broken_package_is_500_and_names_the_model_but_no_folder(place: Place, breaking: str) -> None:
    place.publish()
    folder = place.bundle_folder()
    match breaking:
        case "bad hash":
            damage_bundle(folder)
        case "missing":
            (folder / "weights.onnx").unlink()
        case "no background":
            rename_classes(folder, ("nothing", "red", "green", "blue"))
        case _:
            rename_classes(folder, ("background", "red"))
    reply = place.client(key=place.key).post("/road/1", content=PICTURE)
    assert reply.status_code == 500
    check_error(reply)
    assert reply.json()["message"].startswith("model acme/road-1-a cannot be ")
    assert str(place.folder) not in reply.text


def test_a_full_queue_is_503_with_retry_after(client: TestClient) -> None:
    class FullSlots(Slots):
        async def run(self, *_: Any) -> Any:
            raise UnavailableError("the server is busy and its queue is full; send the request again in a moment")

    service = client.app.state.service
    client.app.state.service = type("Service", (), {"__getattr__": lambda _, name: getattr(service, name)})()
    client.app.state.service.slots = FullSlots(1, max_waiting=0)
    reply = client.post("/road/1", content=GOOD)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    check_error(reply)


def test_a_422_keeps_detail_without_what_was_sent(client: TestClient) -> None:
    reply = client.post(V1, json={"api_key": SECRET, "image": [GOOD, {"value": GOOD}], "confidence": SECRET})
    assert reply.status_code == 422
    assert all(set(item) == {"type", "loc", "msg"} for item in reply.json()["detail"])
    check_error(reply)
    assert json.dumps(reply.json()).count(SECRET[:6]) == 0
