"""A server of one workspace, as the process of a deployment is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.fakes.bundles import damage_bundle
from tests.fakes.pictures import RED, encode_squares

from atrous.server.settings import Settings
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient
    from tests.server.place import Place

    from atrous.server.life import Life

PICTURE = encode_squares([[RED]])
LONG_S = 20


def wait_until(fact: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + LONG_S
    while not fact():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def life_of(client: TestClient) -> Life:
    return client.app.state.service.life  # type: ignore[attr-defined]


def test_a_key_of_another_workspace_is_answered_as_one_that_does_not_exist(place: Place) -> None:
    place.publish()
    place.publish("road-1-b", workspace="other")
    _, foreign = create_key(place.ports, "other", "tests")
    client = place.client(Settings(only_workspace="acme"))
    answers = [client.post("/road/1", params={"api_key": key}, content=PICTURE) for key in (foreign, "0" * 39 + "a")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
    assert client.post("/road/1", params={"api_key": place.key}, content=PICTURE).status_code == 200


def test_without_keys_everybody_acts_for_the_only_workspace(place: Place) -> None:
    place.publish("road-1-b", workspace="other")
    client = place.client(Settings(only_workspace="other", auth_required=False))
    assert client.post("/road/1", content=PICTURE).status_code == 200
    assert place.client(Settings(auth_required=False)).post("/road/1", content=PICTURE).status_code == 404


def test_its_log_is_for_an_admin_of_its_workspace(place: Place) -> None:
    _, key = create_key(place.ports, "other", "tests")
    assert place.client(Settings(only_workspace="other"), key=key).get("/logs").status_code == 200
    assert place.client(key=key).get("/logs").status_code == 403


def test_a_deployment_says_which_one_it_is(place: Place) -> None:
    assert place.client(Settings(deployment="road-cam")).get("/info").json()["deployment"] == "road-cam"
    assert "deployment" not in place.client().get("/info").json()


def test_models_of_the_only_workspace_are_preloaded_and_no_others(place: Place) -> None:
    place.publish("road-1-b", workspace="other")
    for name, is_there in (("road/1", True), ("other/road-1-b", True), ("acme:road/1", False), ("acme/x", False)):
        settings = Settings(deployment="road-cam", only_workspace="other", preload_models=(name,))
        with place.client(settings) as client:
            life = life_of(client)
            wait_until(lambda life=life: life.is_ready or life.failure)
            assert life.is_ready is is_there, name


def test_a_deployment_whose_model_is_broken_ends_with_the_reason(place: Place) -> None:
    place.publish()
    damage_bundle(place.bundle_folder())
    with place.client(Settings(deployment="road-cam", only_workspace="acme", preload_models=("road/1",))) as client:
        wait_until(lambda: life_of(client).failure)
        assert "acme/road-1-a cannot be loaded: " in str(life_of(client).failure)


def test_a_limit_of_memory_counts_as_the_memory_of_the_machine(place: Place) -> None:
    place.publish()
    place.publish("road-2-a", version=2)
    client = place.client(Settings(memory_bytes=2), key=place.key)
    for version in (1, 2):
        assert client.post(f"/road/{version}", content=PICTURE).status_code == 200
    assert [model["model_id"] for model in client.get("/model/registry").json()["models"]] == ["road/2"]
