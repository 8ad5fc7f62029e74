from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.bundles import damage_bundle

from atrous.bundle.preprocessing import Fit
from atrous.bundle.regions import Tiles
from atrous.workspace.evaluations import BEST_THRESHOLD
from atrous.workspace.keys import create_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place

WEIGHTS = "/models/v1/external/weights"
IDS = ["road/1", "acme/road-1-a"]


@pytest.fixture
def server(place: Place) -> TestClient:
    """What a stock server is: a key that may only predict."""
    _, secret = create_key(place.ports, "acme", "edge", scope=Scope.INFER)
    return place.client(key=secret)


def describe(client: TestClient, model_id: str = "road/1") -> dict[str, Any]:
    reply = client.get(WEIGHTS, params={"modelId": model_id, "pageSize": 25})
    assert reply.status_code == 200, reply.text
    return reply.json()["modelMetadata"]


def path_of(url: str) -> str:
    return url.removeprefix("http://testserver")


@pytest.mark.parametrize("model_id", IDS)
def test_a_newer_engine_learns_what_kind_of_model_it_is(place: Place, server: TestClient, model_id: str) -> None:
    place.publish()
    assert server.get("/models/v1/external/stat", params={"modelId": model_id}).json() == {
        "modelMetadata": {"modelArchitecture": "deep-lab-v3-plus", "taskType": "semantic-segmentation"}
    }


@pytest.mark.parametrize("model_id", IDS)
def test_a_newer_engine_gets_every_file_with_its_hash(place: Place, server: TestClient, model_id: str) -> None:
    place.publish()
    described = describe(server, model_id)
    (package,) = described["modelPackages"]
    assert described["modelId"] == model_id
    assert package["packageId"].isalnum()
    assert package["trustedSource"] is True
    assert package["packageManifest"]["dynamicBatchSize"] is True
    assert [file["fileHandle"] for file in package["packageFiles"]] == [
        "class_names.txt",
        "inference_config.json",
        "weights.onnx",
    ]
    for file in package["packageFiles"]:
        content = place.client().get(path_of(file["downloadUrl"])).content
        assert content == (place.bundle_folder() / file["fileHandle"]).read_bytes()
        assert hashlib.md5(content).hexdigest() == file["md5Hash"]


def test_a_file_may_be_fetched_in_parts(place: Place, server: TestClient) -> None:
    place.publish()
    url = path_of(describe(server)["modelPackages"][0]["packageFiles"][2]["downloadUrl"])
    head = place.client().head(url)
    assert head.headers["accept-ranges"] == "bytes"
    size = int(head.headers["content-length"])
    parts = [place.client().get(url, headers={"range": span}) for span in ("bytes=0-99", f"bytes=100-{size - 1}")]
    assert [part.status_code for part in parts] == [206, 206]
    assert b"".join(part.content for part in parts) == (place.bundle_folder() / "weights.onnx").read_bytes()
    assert place.client().get(url, headers={"range": f"bytes={size}-"}).status_code == 416


def test_no_other_file_of_a_model_is_handed_out(place: Place, server: TestClient) -> None:
    place.publish()
    folder = path_of(describe(server)["modelPackages"][0]["packageFiles"][0]["downloadUrl"]).rpartition("/")[0]
    (place.bundle_folder() / "weights.int8.onnx").write_bytes(b"of no use to a stock server")
    for name in ("manifest.json", "weights.pt", "weights.int8.onnx", "..%2Fmanifest.json"):
        assert place.client().get(f"{folder}/{name}").status_code == 404


def test_the_best_threshold_is_recommended_once_it_is_known(place: Place, server: TestClient) -> None:
    place.publish()
    assert describe(server)["recommendedParameters"] is None
    place.ports.store.add_metrics("acme", "road-1-a", {BEST_THRESHOLD: 0.35})
    assert describe(server)["recommendedParameters"] == {"confidence": 0.35}


def test_an_older_engine_gets_a_model_by_number(place: Place, server: TestClient) -> None:
    place.publish(fit=Fit.LETTERBOX_GREY, grayscale=True)
    params = {"nocache": "true", "device": "x", "dynamic": "true"}
    ort = server.get("/ort/road/1", params=params).json()["ort"]
    assert (ort["type"], ort["modelType"]) == ("semantic-segmentation", "deeplabv3plus")
    assert ort["classes"] == ["background", "red", "green", "blue"]
    environment = place.client().get(path_of(ort["environment"])).json()
    assert environment["PREPROCESSING"]["resize"]["format"] == "Fit (grey edges) in"
    assert environment["PREPROCESSING"]["grayscale"] == {"enabled": True}
    weights = place.client().get(path_of(ort["model"])).content
    assert weights == (place.bundle_folder() / "weights.onnx").read_bytes()


def test_an_older_engine_gets_a_model_by_slug(place: Place, server: TestClient) -> None:
    place.publish()
    found = server.get("/getWeights", params={"model": "acme/road-1-a"}).json()
    assert place.client().get(path_of(found["modelFiles"]["ort"]["model"])).status_code == 200
    assert found["environment"]["CLASS_MAP"] == {"0": "background", "1": "red", "2": "green", "3": "blue"}
    assert found["taskType"] == "semantic-segmentation"


@pytest.mark.parametrize(
    "path",
    [
        "/models/v1/external/stat?modelId=road/2",
        f"{WEIGHTS}?modelId=other/road-1-a",
        "/ort/road/2",
        "/getWeights?model=acme/road-1-b",
        "/acme/workflows/any",
    ],
)
def test_what_there_is_not_is_404(place: Place, server: TestClient, path: str) -> None:
    place.publish()
    place.publish(workspace="other")
    reply = server.get(path)
    assert reply.status_code == 404
    assert reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "path", ["/models/v1/external/stat?modelId=road/1", f"{WEIGHTS}?modelId=road/1", "/ort/road/1"]
)
def test_without_a_key_is_401(place: Place, path: str) -> None:
    place.publish()
    assert place.client().get(path).status_code == 401


def test_a_damaged_model_is_not_handed_out(place: Place, server: TestClient) -> None:
    place.publish(seed=71)
    damage_bundle(place.bundle_folder())
    reply = server.get(WEIGHTS, params={"modelId": "road/1"})
    assert reply.status_code == 500
    assert "acme/road-1-a" in reply.json()["message"]


def test_a_model_of_tiles_is_left_to_this_server(place: Place, server: TestClient) -> None:
    place.publish(tiles=Tiles(2, 2))
    reply = server.get(WEIGHTS, params={"modelId": "road/1"})
    assert reply.status_code == 409
    assert "tiles" in reply.json()["message"]


def test_reports_of_use_are_taken(server: TestClient) -> None:
    assert server.get("/usage/plan").json()["over_quota"] is False
    assert server.post("/usage/inference", json=[{"anything": 1}]).status_code == 200
    assert server.post("/inference-stats", json={"api_key": "x"}).status_code == 200
