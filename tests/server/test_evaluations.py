from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.evaluations import add_red_version, evaluate_now
from tests.fakes.pictures import as_base64, encode_squares
from tests.server.place import json_image, make_place

from atrous.workspace.evaluations import request_evaluation
from atrous.workspace.keys import create_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.server.place import Place

EVALS = "/acme/model-evals"
PANELS = [
    "map-results",
    "performance-by-class",
    "confusion-matrix",
    "confidence-sweep",
    "vector-analysis",
    "image-predictions",
    "recommendations",
]
COLOURS = ["background", "red", "green", "blue"]
# Its winner, red, has a confidence of 0.45.
UNSURE = encode_squares([[(140, 127, 0)]])
BEST_WORKFLOW = {
    "version": "1.0",
    "inputs": [{"type": "WorkflowImage", "name": "image"}],
    "steps": [
        {
            "type": "roboflow_core/roboflow_semantic_segmentation_model@v2",
            "name": "model",
            "images": "$inputs.image",
            "model_id": "road/1",
            "confidence_mode": "best",
        }
    ],
    "outputs": [{"type": "JsonField", "name": "found", "selector": "$steps.model.predictions"}],
}


@dataclass
class Evals:
    """A client, the id of a finished evaluation of `acme/road-1-a`, and its place."""

    client: TestClient
    id: str
    place: Place

    def get(self, path: str = "", **params: Any) -> Any:
        reply = self.client.get(f"{EVALS}/{self.id}{path}", params=params)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def fail(self, path: str, **params: Any) -> tuple[int, str]:
        reply = self.client.get(f"{EVALS}{path}", params=params)
        body = reply.json()
        assert isinstance(body["message"], str)
        return reply.status_code, body["error"]


def make_evals(folder: Path) -> Evals:
    place = make_place(folder)
    add_red_version(place.ports)
    done = evaluate_now(place.ports, place.publish(), folder / "jobs")
    return Evals(place.client(key=place.key), done.id, place)


@pytest.fixture(scope="module")
def evals(tmp_path_factory: pytest.TempPathFactory) -> Evals:
    """To be read."""
    return make_evals(tmp_path_factory.mktemp("evals"))


@pytest.fixture
def own_evals(tmp_path: Path) -> Evals:
    """To be changed."""
    return make_evals(tmp_path)


def test_an_evaluation_is_listed_with_what_it_is_about(evals: Evals) -> None:
    (listed,) = evals.client.get(EVALS).json()["evals"]
    assert {name: listed[name] for name in ("evalId", "status", "project", "versionId", "modelId")} == {
        "evalId": evals.id,
        "status": "done",
        "project": "road",
        "versionId": "1",
        "modelId": "acme/road-1-a",
    }
    assert listed["createdAt"].endswith("Z")


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"project": "road"}, 1),
        ({"project": "acme/road", "version": 1}, 1),
        ({"version": "road/1"}, 1),
        ({"version": "2"}, 0),
        ({"model": "acme/road-1-a"}, 1),
        ({"model": "road/1"}, 1),
        ({"model": "other/road-1-a"}, 0),
        ({"status": "running"}, 0),
    ],
)
def test_the_list_is_narrowed_down(evals: Evals, params: dict[str, Any], count: int) -> None:
    assert len(evals.client.get(EVALS, params=params).json()["evals"]) == count


@pytest.mark.parametrize(
    "params", [{"status": "finished"}, {"version": "one"}, {"version": "9" * 40}, {"model": "road/1", "version": 2}]
)
def test_a_list_of_what_cannot_be_is_refused(evals: Evals, params: dict[str, Any]) -> None:
    assert evals.fail("", **params)[0] == 400


def test_the_headline_figures_are_those_of_the_test_split(evals: Evals) -> None:
    summary = evals.get()["summary"]
    on_test = evals.get("/map-results")["splits"]["test"]
    assert summary["mAP"] is None
    assert summary["split"] == "test"
    assert [summary[name] for name in ("mIoU", "precision", "recall", "f1")] == [
        on_test[name] for name in ("mIoU", "precision", "recall", "f1")
    ]


def test_map_results_and_classes_tell_the_same(evals: Evals) -> None:
    results = evals.get("/map-results")
    assert results["taskType"] == "semantic-segmentation"
    assert set(results["splits"]) == {"valid", "test"}
    performance = evals.get("/performance-by-class", split="valid")
    assert [one.pop("className") for one in performance["classes"]] == COLOURS
    assert performance["classes"] == list(results["splits"]["valid"]["perClass"].values())


def test_the_confusion_matrix_counts_each_labelled_pixel_at_any_threshold(evals: Evals) -> None:
    labelled_px = 2 * 24 * 30
    for confidence in (0, 55, 100):
        told = evals.get("/confusion-matrix", confidence=confidence)
        assert (told["split"], told["confidenceThreshold"], told["classes"]) == ("test", confidence / 100, COLOURS)
        assert sum(map(sum, told["matrix"])) == labelled_px
    both = evals.get("/confusion-matrix", split="all")
    assert sum(map(sum, both["matrix"])) == 2 * labelled_px
    assert both["confidenceThreshold"] == evals.get()["summary"]["confidenceThreshold"]


def test_the_sweep_agrees_with_the_matrix_and_peaks_at_its_optimum(evals: Evals) -> None:
    valid = evals.get("/confidence-sweep")["splits"]["valid"]
    assert len(valid["perThreshold"]) == 101
    matrix = evals.get("/confusion-matrix", split="valid", confidence=60)["matrix"]
    red = valid["perClass"]["red"]["perThreshold"]["0.60"]
    assert red["recall"] == pytest.approx(matrix[1][1] / sum(matrix[1]))
    highest = max(one["f1"] or 0 for one in valid["perThreshold"].values())
    assert valid["optimalMetrics"]["f1"] == highest
    assert valid["optimalMetrics"] == valid["perThreshold"][f"{valid['optimalThreshold']:.2f}"]


def test_pictures_come_page_by_page_the_worst_first(evals: Evals) -> None:
    whole = evals.get("/image-predictions", confidence=60)
    assert (whole["split"], whole["totalImages"]) == ("all", 4)
    ious = [one["stats"]["mIoU"] for one in whole["images"]]
    assert ious == sorted(ious)
    page = evals.get("/image-predictions", confidence=60, limit=2, offset=1)
    assert page["images"] == whole["images"][1:3]
    ids = {picture.id for picture in evals.place.ports.store.list_pictures("acme", "road")}
    assert {one["imageId"] for one in whole["images"]} < ids


def test_the_pixels_of_the_pictures_add_up_to_the_matrix(evals: Evals) -> None:
    images = evals.get("/image-predictions", split="test", confidence=60)["images"]
    matrix = evals.get("/confusion-matrix", confidence=60)["matrix"]
    found = sum(matrix[i][i] for i in (1, 2, 3))
    assert sum(one["stats"]["truePositives"] for one in images) == found
    assert sum(one["stats"]["falseNegatives"] for one in images) == sum(map(sum, matrix[1:])) - found


def test_recommendations_have_numbers(evals: Evals) -> None:
    told = evals.get("/recommendations")
    items = told["recommendations"]["items"]
    assert told["generated"] is True
    assert told["recommendations"]["summary"]["count"] == len(items)
    (health,) = [item for item in items if item["type"] == "dataset_health"]
    assert "2 labelled test pictures" in health["message"]


def test_there_are_no_clusters_and_a_reason(evals: Evals) -> None:
    told = evals.get("/vector-analysis", confidence=20)
    assert told["clusters"] == []
    assert "no embeddings" in told["reason"]


def test_models_of_a_version_are_compared(own_evals: Evals) -> None:
    own_evals.place.publish("road-1-b")
    told = own_evals.client.get(f"{EVALS}/compare", params={"project": "road", "version": 1}).json()
    assert told["frontierMetric"] == "mIoU"
    assert [(one["modelId"], one["onFrontier"], one["exclusionReason"]) for one in told["models"]] == [
        ("acme/road-1-a", True, None),
        ("acme/road-1-b", False, "no evaluation"),
    ]
    assert told["models"][0]["metrics"]["mIoU"] == own_evals.get()["summary"]["mIoU"]


def test_wrong_parameters_have_the_codes_that_clients_know(evals: Evals) -> None:
    one = f"/{evals.id}"
    assert evals.fail(f"{one}/performance-by-class", split="all") == (400, "invalid_split")
    assert evals.fail(f"{one}/performance-by-class", split="train") == (400, "invalid_split")
    assert evals.fail(f"{one}/confusion-matrix", split="most") == (400, "invalid_split")
    for confidence in ("101", "-1", "0.5", "much", "٣"):
        assert evals.fail(f"{one}/confusion-matrix", confidence=confidence) == (400, "invalid_confidence")
    assert evals.fail(f"{one}/image-predictions", limit=0) == (422, "invalid_request")
    assert evals.fail("/compare", project="road", version=1, frontierMetric="speed") == (400, "invalid_metric")
    assert evals.fail("/compare", project="road", version=9) == (404, "model_eval_not_found")


def test_what_is_not_done_or_not_there_is_said_of_each_panel(own_evals: Evals) -> None:
    waiting = request_evaluation(own_evals.place.ports, own_evals.place.publish("road-1-b"))
    for panel in PANELS:
        assert own_evals.fail(f"/{waiting.id}/{panel}") == (409, "model_eval_not_done")
        assert own_evals.fail(f"/nothing/{panel}") == (404, "model_eval_not_found")
    assert own_evals.client.get(f"{EVALS}/{waiting.id}").json()["status"] == "running"


def test_other_keys_see_nothing(evals: Evals) -> None:
    place = evals.place
    foreign = place.client(key=create_key(place.ports, "other", "tests")[1])
    predicting = place.client(key=create_key(place.ports, "acme", "tests", scope=Scope.INFER)[1])
    nobody = place.client()
    for path in ("", "/compare?project=road&version=1", f"/{evals.id}", *(f"/{evals.id}/{one}" for one in PANELS)):
        told = foreign.get(EVALS + path)
        assert (told.status_code, told.json()["error"]) == (404, "model_eval_not_found")
        own = foreign.get(f"/other/model-evals{path}")
        assert own.status_code == 404 or own.json() == {"evals": []}
        assert predicting.get(EVALS + path).json()["error"] == "forbidden"
        assert nobody.get(EVALS + path).json()["error"] == "unauthenticated"


@pytest.mark.parametrize(("threshold", "ids"), [(0.0, [1]), (0.44, [1]), (0.46, [0]), (1.0, [0])])
def test_best_is_the_threshold_that_was_found(own_evals: Evals, threshold: float, ids: list[int]) -> None:
    own_evals.place.ports.store.add_metrics("acme", "road-1-a", {"best_threshold": threshold})
    post = own_evals.client.post
    v0 = post("/road/1", content=as_base64(UNSURE), params={"confidence": "best"}).json()
    body = {"model_id": "road/1", "image": json_image(UNSURE), "confidence": "best"}
    v1 = post("/infer/semantic_segmentation", json=body).json()
    assert [one["predictions"]["present_class_ids"] for one in (v0, v1)] == [ids, ids]
    workflow = {"inputs": {"image": json_image(UNSURE)}, "specification": BEST_WORKFLOW}
    (outputs,) = post("/workflows/run", json=workflow).json()["outputs"]
    assert [one["class_id"] for one in outputs["found"]["predictions"]] == [i for i in ids if i]
