from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.bundles import make_bundle
from tests.fakes.datasets import add_version
from tests.server.place import Place, make_place

from atrous.bundle.manifest import read_manifest, write_manifest
from atrous.server.settings import Settings
from atrous.training.recipe import Recipe, read_recipe
from atrous.training.template import make_template
from atrous.workspace.records import JobKind, Model, TrainingState, VersionState, Wish

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

    from atrous.workspace.records import Training

V2 = "/acme/road/1/v2/trainings"
OFFLINE = Settings(train_encoder_weights="none")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """With version 1 of `road`, on which nothing was trained."""
    place = make_place(tmp_path)
    add_version(place.ports, "acme", "road")
    return place


@pytest.fixture
def client(place: Place) -> TestClient:
    return place.client(OFFLINE, key=place.key)


def start(client: TestClient, **order: Any) -> str:
    reply = client.post(V2, json=order)
    assert reply.status_code == 200, reply.text
    return reply.json()["trainingId"]


def find(place: Place, training_id: str) -> Training:
    training = place.ports.store.find_training("acme", training_id)
    assert training is not None
    return training


def finish(place: Place, training_id: str, slug: str, **manifest: Any) -> None:
    """What a worker does, without the work."""
    training = replace(find(place, training_id), state=TrainingState.DONE, ended=place.ports.clock.now())
    place.ports.store.set_training(training)
    made = make_bundle(place.folder / slug)
    write_manifest(made, replace(read_manifest(made), **manifest))
    place.ports.bundles.publish(made, "acme", slug)
    model = Model("acme", slug, "road", 1, training_id, place.ports.clock.now(), {"miou": 0.5, "served_miou": 0.4})
    place.ports.store.add_model(model)


def test_nothing_asked_for_trains_the_default_from_the_weights_of_the_server(place: Place, client: TestClient) -> None:
    reply = client.post(V2)
    assert reply.json() | {"trainingId": "", "jobId": "", "modelGroup": ""} == {
        "trainingId": "",
        "jobId": "",
        "modelGroup": "",
        "status": "queued",
        "modelType": "deeplabv3plus-sem",
    }
    training = find(place, reply.json()["trainingId"])
    assert read_recipe(training.recipe) == Recipe(
        encoder_weights="none",
        preset="balanced",
        epochs=600,
        class_weights="none",
        batch_size=4,
        validate_every=6,
        auxiliary_weight=0.4,
    )
    assert training.recipe["derived"]["epochs"] == "at most 600 from random weights"
    (job,) = place.ports.queue.list_jobs("acme", JobKind.TRAIN)
    assert job.subject == training.id


@pytest.mark.parametrize("name", ["modelType", "model_type"])
def test_both_names_of_the_model_type_are_read(place: Place, client: TestClient, name: str) -> None:
    recipe = find(place, start(client, **{name: "deeplabv3-resnet50-sem"}, epochs=3)).recipe
    assert (recipe["architecture"], recipe["encoder"], recipe["epochs"]) == ("deeplabv3", "resnet50", 3)


def test_speed_is_a_preset(place: Place, client: TestClient) -> None:
    recipes = [
        find(place, start(client, speed=speed, modelType=model_type)).recipe
        for speed, model_type in (("fast", None), ("accurate", None), ("accurate", "deeplabv3plus-r18"))
    ]
    chosen = [(recipe["preset"], recipe["encoder"]) for recipe in recipes]
    assert chosen == [("fast", "mobilenet_v2"), ("accurate", "resnet34"), ("accurate", "resnet18")]


def test_the_recipe_goes_before_the_epochs_beside_it(place: Place, client: TestClient) -> None:
    recipe = {"hyperparameters": {"epochs": 4}, "online_augmentation": {"flip": False}}
    trained = find(place, start(client, epochs=9, trainRecipe=recipe)).recipe
    assert (trained["epochs"], trained["flip"]) == (4, False)


@pytest.mark.parametrize(
    ("order", "status", "named"),
    [
        ({"modelType": "yolov8n-sem"}, 400, "deeplabv3plus-r50-sem"),
        ({"epochs": 0}, 422, "epochs"),
        ({"epochs": "many"}, 422, "epochs"),
        ({"speed": "slow"}, 422, "speed"),
        ({"trainRecipe": []}, 422, "trainRecipe"),
        ({"trainRecipe": {"hyperparameters": {"learning_rate": "fast"}}}, 400, "trainRecipe.hyperparameters.learning"),
        ({"trainRecipe": {"online_augmentation": {"scale_max": 0.5}}}, 400, "scale"),
        ({"checkpoint": "acme/nothing"}, 400, "acme/nothing"),
        ({"checkpoint": "../etc"}, 400, "checkpoint"),
        ({"checkpoint": 7}, 400, "7"),
    ],
)
def test_an_order_that_cannot_be_is_refused_by_name(
    place: Place, client: TestClient, order: dict[str, Any], status: int, named: str
) -> None:
    reply = client.post(V2, json=order)
    assert reply.status_code == status
    assert named in reply.json()["error"]["message"]
    assert not place.ports.queue.list_jobs()


@pytest.mark.parametrize("checkpoint", ["acme/road-1-a", "road/1", "1", 1])
def test_a_checkpoint_decides_the_network_and_its_weights(place: Place, client: TestClient, checkpoint: Any) -> None:
    finish(place, start(client), "road-1-a", architecture="deeplabv3", encoder="resnet18", recipe={"encoder_depth": 4})
    template = {"hyperparameters": {"encoder_weights": "imagenet"}}
    recipe = find(place, start(client, checkpoint=checkpoint, trainRecipe=template)).recipe
    assert (recipe["architecture"], recipe["encoder"], recipe["encoder_depth"]) == ("deeplabv3", "resnet18", 4)
    assert recipe["encoder_weights"] == "model:acme/road-1-a"


def test_a_checkpoint_of_another_kind_is_refused(place: Place, client: TestClient) -> None:
    finish(place, start(client), "road-1-a", architecture="deeplabv3", encoder="resnet18")
    assert client.post(V2, json={"checkpoint": "1", "modelType": "deeplabv3-r18"}).status_code == 200
    for model_type in ("deeplabv3plus", "deeplabv3-r50"):
        reply = client.post(V2, json={"checkpoint": "1", "modelType": model_type})
        assert reply.status_code == 400
        assert "deeplabv3-r18-sem" in reply.json()["message"]


def test_a_version_that_is_not_ready_is_409(place: Place, client: TestClient) -> None:
    version = place.ports.store.find_version("acme", "road", 1)
    assert version is not None
    place.ports.store.set_version(replace(version, state=VersionState.GENERATING))
    assert client.post(V2, json={}).status_code == 409


def test_a_version_has_many_trainings_and_each_its_models(place: Place, client: TestClient) -> None:
    first, second = start(client), start(client, modelType="deeplabv3plus-r18")
    finish(place, first, "road-1-a")
    listed = client.get(V2).json()["trainings"]
    assert [(one["id"], one["status"], one["modelIds"]) for one in listed] == [
        (first, "finished", ["acme/road-1-a"]),
        (second, "queued", []),
    ]
    shown = client.get(f"{V2}/get", params={"trainingId": first}).json()
    assert shown["modelType"] == "deeplabv3plus-sem"
    assert shown["models"] == [
        {"modelId": "acme/road-1-a", "modelType": "deeplabv3plus-sem", "metrics": {"mIoU": 0.5, "servedMIoU": 0.4}}
    ]
    assert shown["end"] > shown["start"]


def test_the_only_training_needs_no_name(client: TestClient) -> None:
    assert client.get(f"{V2}/get").status_code == 404
    first = start(client)
    assert client.get(f"{V2}/get").json()["trainingId"] == first
    start(client)
    reply = client.get(f"{V2}/get")
    assert reply.status_code == 409
    assert first in reply.json()["message"]


def test_a_training_of_another_version_is_404(place: Place, client: TestClient) -> None:
    training_id = start(client)
    add_version(place.ports, "acme", "river")
    assert client.get("/acme/river/1/v2/trainings/get", params={"trainingId": training_id}).status_code == 404
    assert client.delete(f"/acme/river/1/v2/trainings/{training_id}").status_code == 404


def test_the_recipe_can_be_described_edited_and_sent_back(place: Place, client: TestClient) -> None:
    described = client.get(f"{V2}/recipe", params={"modelType": "deeplabv3plus-r18"}).json()
    assert described["modelType"] == "deeplabv3plus-r18-sem"
    template = described["template"]
    assert template["hyperparameters"]["encoder_weights"] == "none"
    template["hyperparameters"]["learning_rate"] = 0.01
    trained = find(place, start(client, modelType="deeplabv3plus-r18", trainRecipe=template)).recipe
    assert make_template(read_recipe(trained)) == template
    assert (trained["encoder"], trained["derived"]) == ("resnet18", {})


def test_a_preset_of_the_recipe_derives_what_is_left_open(place: Place, client: TestClient) -> None:
    template = {"hyperparameters": {"preset": "fast", "epochs": 2}}
    recipe = find(place, start(client, modelType="deeplabv3plus-m", trainRecipe=template)).recipe
    assert (recipe["encoder"], recipe["epochs"], recipe["decoder_channels"]) == ("resnet34", 2, 128)
    assert "epochs" not in recipe["derived"]
    assert recipe["derived"]["decoder_channels"] == "preset fast"


def test_speed_is_a_preset_where_the_recipe_names_none(place: Place, client: TestClient) -> None:
    named = {"hyperparameters": {"preset": "none"}}
    recipes = [find(place, start(client, speed="accurate", **more)).recipe for more in ({}, {"trainRecipe": named})]
    assert [recipe["preset"] for recipe in recipes] == ["accurate", "none"]
    assert [recipe["scale_max"] for recipe in recipes] == [2.0, 1.5]


@pytest.mark.parametrize(("wish", "kept"), [("cancel", Wish.CANCEL), ("stop", Wish.STOP)])
@pytest.mark.parametrize("path", [V2, "/acme/road/1/train"])
def test_the_training_under_way_can_be_ended(
    place: Place, client: TestClient, path: str, wish: str, kept: Wish
) -> None:
    training_id = start(client)
    now = place.ports.clock.now()
    assert place.ports.queue.claim_job("worker", list(JobKind), now, now.replace(year=now.year + 1))
    reply = client.post(f"{path}/{wish}", json={"continueIfNoRefund": True})
    assert (reply.status_code, reply.json()["trainingId"]) == (200, training_id)
    assert place.ports.queue.list_jobs()[0].wish is kept


@pytest.mark.parametrize("path", [V2, "/acme/road/1/train"])
def test_what_does_not_run_cannot_be_cancelled(place: Place, client: TestClient, path: str) -> None:
    finish(place, start(client), "road-1-a")
    reply = client.post(f"{path}/cancel", json={})
    assert reply.status_code == 409
    assert "Cannot cancel" in reply.json()["error"]["message"]


def test_a_deleted_training_hands_its_place_to_the_next_one(place: Place, client: TestClient) -> None:
    first, second = start(client), start(client)
    assert client.delete(f"{V2}/{first}").status_code == 409
    finish(place, first, "road-1-a")
    finish(place, second, "road-1-b")
    repointed = client.delete(f"{V2}/{first}").json()
    assert repointed == {
        "deleted": True,
        "type": "training",
        "trash": True,
        "id": first,
        "versionAliasAction": "repointed",
        "versionAliasTarget": "acme/road-1-b",
    }
    assert client.delete(f"{V2}/{second}").json()["versionAliasAction"] == "deleted"
    assert client.get(V2).json() == {"trainings": []}


def test_the_older_way_has_one_training_at_a_time(place: Place, client: TestClient) -> None:
    started = client.post("/acme/road/1/train", json={"modelType": "deeplabv3plus", "speed": "fast", "epochs": 2})
    assert started.status_code == 200
    again = client.post("/acme/road/1/train", json={})
    assert again.status_code == 409
    assert started.json()["trainingId"] in again.json()["error"]["message"]
    finish(place, started.json()["trainingId"], "road-1-a")
    assert client.post("/acme/road/1/train", json={}).status_code == 200


def test_results_are_those_of_the_model_that_is_served(place: Place, client: TestClient) -> None:
    assert client.get("/acme/road/1/training/results").status_code == 404
    first = start(client)
    assert client.get("/acme/road/1/training/results").json()["status"] == "queued"
    finish(place, first, "road-1-a")
    start(client)
    results = client.get("/acme/road/1/training/results").json()
    assert (results["trainingId"], results["modelCount"]) == (first, 1)


@pytest.mark.parametrize("path", ["/acme/road/2/train", "/acme/river/1/v2/trainings"])
def test_a_version_that_does_not_exist_is_404(client: TestClient, path: str) -> None:
    assert client.post(path, json={}).status_code == 404
