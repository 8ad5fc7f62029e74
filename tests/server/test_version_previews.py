"""Looks ahead at versions, and what two of them differ in, over HTTP."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from tests.fakes.versions import RESIZE, add_project, make

from atrous.workspace.keys import create_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.server.place import Place

PREVIEW = "/acme/road/preview"
DIFF = "/acme/road/1/diff"
SETTINGS = {"preprocessing": {"resize": RESIZE}, "augmentation": {"flip": {"horizontal": True}}}


@pytest.fixture
def client(place: Place, tmp_path: Path) -> TestClient:
    """A client of `acme`, whose project `road` has two versions."""
    add_project(place.ports)
    make(place.ports, tmp_path)
    make(place.ports, tmp_path, {"random-sample": {"percent": 1}, "grayscale": True})
    return place.client(key=place.key)


def test_previews_are_pictures_and_masks_of_the_networks_size(client: TestClient) -> None:
    reply = client.post(PREVIEW, json={"settings": SETTINGS, "count": 5})
    assert reply.status_code == 200
    previews = reply.json()["previews"]
    assert len(previews) == 5
    assert previews[0].keys() == {"name", "image", "mask"}
    image_HWC, mask_HW = (_decode(previews[0][part]) for part in ("image", "mask"))
    assert (image_HWC.shape, mask_HW.shape) == ((24, 32, 3), (24, 32))
    assert len(client.post(PREVIEW, json={"settings": {}}).json()["previews"]) == 4


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"settings": [], "count": 1}, 422),
        ({"settings": SETTINGS, "count": 17}, 422),
        ({"settings": {"preprocessing": {"sharpen": True}}}, 400),
        ({"settings": {"preprocessing": {"isolate": True}}}, 400),
    ],
)
def test_what_cannot_be_shown_is_refused(client: TestClient, body: Any, status: int) -> None:
    reply = client.post(PREVIEW, json=body)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


def test_versions_are_compared_in_either_direction(client: TestClient) -> None:
    forth = client.get(DIFF, params={"with": 2}).json()
    assert (forth["first"], forth["second"]) == ("road/1", "road/2")
    assert forth["counts"] == {"added": 0, "removed": 4, "relabelled": 0, "moved": 0, "kept": 3}
    assert {"setting": "preprocessing.grayscale.enabled", "before": None, "after": True} in forth["settings"]
    back = client.get("/acme/road/2/diff", params={"with": 1}).json()
    assert back["added"] == forth["removed"]


@pytest.mark.parametrize(("number", "status"), [("3", 404), ("x", 422), ("-1", 422), ("9" * 30, 422)])
def test_what_is_no_version_is_not_compared(client: TestClient, number: str, status: int) -> None:
    assert client.get(DIFF, params={"with": number}).status_code == status
    assert client.get(DIFF).status_code == 422


def test_another_workspace_sees_nothing(client: TestClient, place: Place) -> None:
    _, secret = create_key(place.ports, "other", "tests")
    stranger = place.client(key=secret)
    for path in (PREVIEW, "/other/road/preview"):
        assert stranger.post(path, json={"settings": {}}).status_code == 404
    for path in (DIFF, "/other/road/1/diff"):
        assert stranger.get(path, params={"with": 2}).status_code == 404


def test_looking_needs_the_scope_read(client: TestClient, place: Place) -> None:
    for scope, status in ((Scope.READ, 200), (Scope.INFER, 403)):
        _, secret = create_key(place.ports, "acme", "tests", scope=scope)
        asked = place.client(key=secret)
        assert asked.get(DIFF, params={"with": 2}).status_code == status
        assert asked.post(PREVIEW, json={"settings": SETTINGS, "count": 1}).status_code == status


def _decode(text: str) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_UNCHANGED)
