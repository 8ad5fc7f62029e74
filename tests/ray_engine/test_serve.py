"""`atrous serve --engine ray`: the answers of one process, whatever becomes of the processes that make them."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient
from tests.cli.terminal import run_process
from tests.fakes.bundles import damage_bundle
from tests.fakes.pictures import GREEN, RED, encode_squares, encode_stripes, read_mask
from tests.fakes.s3 import make_bucket_url
from tests.ray_engine.processes import find_processes
from tests.server.place import Place, json_image

from atrous.adapters.home import Places, open_home
from atrous.cli.engines import ServeSite, find_engine
from atrous.core.errors import InvalidInputError
from atrous.server.app import create_app
from atrous.server.settings import Settings
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

REPLICA = "ray::ServeReplica"
PICTURE = encode_squares([[RED, GREEN]])
SETTINGS = Settings(precision="fp32", backend="onnx", max_pixels=512 * 768)
LONG_S = 60
# What differs each time.
CHANCE = {"time", "inference_id", "detection_id"}


@dataclass
class Cluster:
    """A home in a bucket, and clients of servers on it."""

    place: Place
    places: Places
    stack: ExitStack

    def client(self, settings: Settings = SETTINGS, **table: Any) -> TestClient:
        """A client of a server whose models are on the cluster."""
        site = ServeSite(settings, self.place.folder, self.places, self.place.ports.bundles, table)
        models = self.stack.enter_context(find_engine("ray").serve(site))
        client = self.stack.enter_context(TestClient(create_app(settings, self.place.ports, models=models)))
        client.headers["authorization"] = f"Bearer {self.place.key}"
        return client


@pytest.fixture
def cluster_home(cluster: None, tmp_path: Path) -> Iterator[Cluster]:
    from ray import serve

    places = Places(blobs_url=make_bucket_url())
    ports = open_home(tmp_path, places)
    ports.store.add_workspace("acme")
    _, secret = create_key(ports, "acme", "tests")
    with ExitStack() as stack:
        yield Cluster(Place(ports, tmp_path, secret), places, stack)
    for name in serve.status().applications:
        serve.delete(name)


def predict(client: TestClient, picture: bytes = PICTURE, path: str = "/road/1") -> httpx.Response:
    return client.post(path, content=picture)


def wait_until(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def ask_everything(client: TestClient) -> list[tuple[int, dict[str, str], Any]]:
    """Status, what the head says of the reply, and the reply without what differs each time, of many requests."""
    told = {"model_id": "road/1", "id": "same"}
    image, stripes = json_image(PICTURE), json_image(encode_stripes())
    replies = [
        predict(client),
        predict(client, encode_stripes(), "/road/1?format=image"),
        predict(client, encode_stripes(), "/road/1?format=image_and_json"),
        client.post("/road/1", content=PICTURE, headers={"accept": "image/png"}),
        client.post("/infer/semantic_segmentation", json=told | {"image": [stripes, image], "confidence": 0.9}),
        client.post("/infer/semantic_segmentation", json=told | {"image": image, "response_mask_format": "rle"}),
        client.post("/acme/workflows/road-1-a", json={"inputs": {"image": image}}),
        client.get("/model/registry"),
        predict(client, b"no picture"),
        predict(client, encode_squares([[RED] * 64] * 64, side_px=16)),
        client.post("/infer/semantic_segmentation", json=told | {"image": [image, json_image(b"bad")]}),
    ]
    return [(reply.status_code, _head(reply), _without_chance(_content(reply))) for reply in replies]


def _head(reply: httpx.Response) -> dict[str, str]:
    return {
        name: reply.headers[name] for name in ("content-type", "x-model-id", "x-class-map") if name in reply.headers
    }


def _content(reply: httpx.Response) -> Any:
    return reply.json() if "json" in reply.headers["content-type"] else reply.content


def _without_chance(content: Any) -> Any:
    if isinstance(content, list):
        return [_without_chance(item) for item in content]
    if isinstance(content, dict):
        return {k: _without_chance(v) for k, v in content.items() if k not in CHANCE}
    return content


def test_answers_are_those_of_a_server_with_models_of_its_own(cluster_home: Cluster) -> None:
    cluster_home.place.publish()
    expected = ask_everything(cluster_home.place.client(SETTINGS, key=cluster_home.place.key))
    assert ask_everything(cluster_home.client()) == expected


def test_work_that_finds_the_queue_full_is_refused_with_the_time_to_come_again(cluster_home: Cluster) -> None:
    cluster_home.place.publish()
    client = cluster_home.client(Settings(precision="fp32", backend="onnx", concurrency=1, max_waiting=2))
    assert predict(client).status_code == 200
    # Each keeps the replica for longer than all of them take to arrive.
    picture = encode_squares([[RED, GREEN]] * 2, side_px=2000)
    with ThreadPoolExecutor(16) as threads:
        replies = list(threads.map(lambda _: predict(client, picture), range(16)))
    refused = [reply for reply in replies if reply.status_code == 503]
    assert refused
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
    answered = [reply.status_code for reply in replies if reply not in refused]
    assert answered
    assert set(answered) == {200}


@pytest.mark.slow
def test_a_killed_replica_costs_no_request(cluster_home: Cluster) -> None:
    cluster_home.place.publish()
    client = cluster_home.client(min_replicas=2, max_replicas=2)
    expected = _without_chance(predict(client).json())
    wait_until(lambda: len(find_processes(REPLICA)) == 2)

    def call(number: int) -> Any:
        if number == 20:
            os.kill(min(find_processes(REPLICA)), signal.SIGKILL)
        return _without_chance(predict(client).json())

    with ThreadPoolExecutor(4) as threads:
        assert all(reply == expected for reply in threads.map(call, range(80)))


def test_replicas_go_when_nobody_asks_and_come_when_somebody_does(
    cluster_home: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atrous.ray_engine.applications.LOOK_BACK_S", 1.5)
    cluster_home.place.publish()
    client = cluster_home.client(idle_s=0)
    assert predict(client).status_code == 200
    wait_until(lambda: not find_processes(REPLICA))
    reply = predict(client)
    assert reply.status_code == 200
    assert read_mask(reply.json())[0].tolist() == [1] * 8 + [2] * 8


@pytest.mark.slow
def test_replicas_come_back_when_somebody_shut_all_of_them_down(cluster_home: Cluster) -> None:
    from ray import serve

    cluster_home.place.publish()
    client = cluster_home.client()
    assert predict(client).status_code == 200
    serve.shutdown()
    assert predict(client).status_code == 200


def test_a_broken_model_is_told_as_by_a_server_with_models_of_its_own(cluster_home: Cluster) -> None:
    place = cluster_home.place
    place.publish()
    damage_bundle(place.bundle_folder())
    expected = predict(place.client(SETTINGS, key=place.key))
    reply = predict(cluster_home.client())
    assert (reply.status_code, reply.json()) == (500, expected.json())


@pytest.mark.slow
def test_models_share_a_replica_where_that_is_asked_for(cluster_home: Cluster) -> None:
    place = cluster_home.place
    for version in (1, 2, 3):
        place.publish(f"road-{version}-a", version=version, seed=version)
    client = cluster_home.client(multiplex=2, max_replicas=1)
    for version in (1, 2, 3, 1):
        reply = predict(client, path=f"/road/{version}").json()
        assert reply["resolved_model"]["model_id"] == f"acme/road-{version}-a"
        assert reply["predictions"]["present_class_ids"] == [1, 2]
    assert len(find_processes(REPLICA)) == 1


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ({"replicas": 2}, "replicas: unknown"),
        ({"max_replicas": 1.5}, "max_replicas=1.5"),
        ({"min_replicas": 3, "max_replicas": 2}, "min_replicas=3"),
        ({"address": 6379}, "address"),
    ],
)
def test_a_table_that_cannot_be_is_refused(table: dict[str, Any], place: str) -> None:
    scaling = pytest.importorskip(
        "atrous.ray_engine.scaling", reason="needs Ray; pip install 'atrous[ray]'", exc_type=ImportError
    )
    with pytest.raises(InvalidInputError, match=place):
        scaling.read_scaling(table)


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (["--engine", "abacus"], "--engine abacus: unknown"),
        (["--max-replicas", "2"], "--engine"),
        (["--engine", "ray", "--workers", "2"], "--workers 2"),
    ],
)
def test_options_that_do_not_go_together_end_the_server(home: Path, options: list[str], cause: str) -> None:
    pytest.importorskip(
        "atrous.ray_engine.scaling", reason="needs Ray; pip install 'atrous[ray]'", exc_type=ImportError
    )
    said = run_process(home, "serve", "--port", "0", "--auth", "off", *options)
    assert (said.code, cause in said.error) == (2, True)
