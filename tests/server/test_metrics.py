from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families
from tests.fakes.bundles import damage_bundle
from tests.fakes.pictures import RED, encode_squares
from tests.server.place import json_image

from atrous.server.settings import Settings
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place

PICTURE = encode_squares([[RED]])


def read_metrics(client: TestClient, **options: object) -> dict[str, float]:
    reply = client.get("/metrics", **options)  # type: ignore[arg-type]
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain")
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def test_requests_are_counted_and_timed_by_route(place: Place) -> None:
    place.publish()
    client = place.client(key=place.key)
    for path in ("/road/1", "/acme/road-1-a", "/nothing/1"):
        client.post(path, content=PICTURE)
    client.get("/no.where")
    found = read_metrics(client)
    route = "handler=/{project}/{version} method=POST"
    assert found[f"http_requests_total {route} status=2xx"] == 2
    assert found[f"http_requests_total {route} status=4xx"] == 1
    assert found[f"http_request_duration_seconds_count {route}"] == 3
    assert found["http_requests_total handler=none method=GET status=4xx"] == 1
    assert found["atrous_http_errors_total status=404"] == 2
    assert found["atrous_model_loads_total result=ok"] == 1
    assert found["atrous_models_loaded"] == 1
    assert found["atrous_requests_in_flight"] == 1, "the one that asks"
    assert (found["atrous_requests_waiting"], found["atrous_slots_busy"], found["atrous_body_bytes"]) == (0, 0, 0)


def test_models_are_counted_for_a_key_of_their_workspace_alone(place: Place) -> None:
    place.publish()
    place.publish("road-1-b", workspace="other")
    _, other = create_key(place.ports, "other", "tests")
    client = place.client(key=place.key)
    client.post("/road/1", content=PICTURE)
    client.post("/road/1", content=PICTURE)
    client.post("/road/1", content=b"no picture \xff")
    client.post("/road/1", content=PICTURE, headers={"authorization": f"Bearer {other}"})
    found = read_metrics(client)
    assert found["atrous_model_inferences_total model=acme/road-1-a"] == 2
    assert found["atrous_model_errors_total model=acme/road-1-a"] == 1
    assert (found["num_inferences_acme_road_1_a"], found["num_errors_acme_road_1_a"]) == (2, 1)
    assert found["avg_inference_time_acme_road_1_a"] > 0
    assert found["num_inferences_total"] == 2
    assert not [name for name in found if "other" in name]
    anonymous = place.client()
    anonymous.post("/road/1", params={"api_key": place.key}, content=PICTURE)
    assert not [name for name in read_metrics(anonymous) if "road" in name]


def test_parts_of_answers_are_timed_for_each_picture(place: Place) -> None:
    place.publish()
    client = place.client(key=place.key)
    image = json_image(PICTURE)
    client.post("/road/1", content=PICTURE)
    client.post("/infer/semantic_segmentation", json={"model_id": "road/1", "image": [image, image]})
    client.post("/acme/workflows/road-1-a", json={"inputs": {"image": image}})
    client.post("/road/1", content=b"no picture")
    found = read_metrics(client)
    stages = ("picture", "prepare", "pass", "pixels", "png", "json")
    assert [found[f"atrous_stage_seconds_count stage={stage}"] for stage in stages] == [4] * 6
    assert all(found[f"atrous_stage_seconds_sum stage={stage}"] > 0 for stage in stages)
    assert found["atrous_stage_seconds_bucket le=0.0005 stage=json"] <= 4


def test_a_wrong_key_gets_no_figures(place: Place) -> None:
    assert place.client().get("/metrics", params={"api_key": "wrong"}).status_code == 401


def test_without_keys_everybody_sees_the_models(place: Place) -> None:
    place.publish()
    client = place.client(Settings(auth_required=False))
    client.post("/road/1", content=PICTURE)
    assert read_metrics(client)["atrous_model_inferences_total model=acme/road-1-a"] == 1


def test_loads_that_fail_and_models_that_make_room_are_counted(place: Place) -> None:
    for version in (1, 2, 3):
        place.publish(f"road-{version}-a", version=version)
    damage_bundle(place.bundle_folder("road-3-a"))
    client = place.client(Settings(max_models=1), key=place.key)
    for version in (1, 2, 3):
        client.post(f"/road/{version}", content=PICTURE)
    found = read_metrics(client)
    assert found["atrous_model_loads_total result=ok"] == 2
    assert found["atrous_model_loads_total result=failed"] == 1
    assert found["atrous_model_evictions_total"] == 1


def test_paths_and_methods_that_anyone_may_invent_take_no_memory(place: Place) -> None:
    client = place.client()
    for number in range(20):
        client.request(f"M{number}", f"/nowhere/{number}/x")
    found = read_metrics(client)
    assert len([name for name in found if name.startswith("http_requests_total")]) <= 2


def test_two_apps_count_for_themselves(place: Place) -> None:
    first, second = place.client(), place.client()
    first.get("/info")
    assert "http_requests_total handler=/info method=GET status=2xx" in read_metrics(first)
    assert "http_requests_total handler=/info method=GET status=2xx" not in read_metrics(second)
