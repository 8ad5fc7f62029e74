"""Models come, go and take the place of deleted ones under load: nobody notices but by the model's name."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.cli.terminal import Server, publish
from tests.fakes.pictures import BLACK, RED, as_base64, encode_squares, read_mask

from atrous.adapters.home import open_home
from atrous.workspace.trainings import delete_training, find_training

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PICTURE = encode_squares([[RED, BLACK]])
MASK = [[1] * 8 + [0] * 8] * 8
DECLARED = {"type": "base64", "value": as_base64(PICTURE)}
CALLERS, LONG_S, PAUSE_S = 4, 20, 0.1
ROUNDS = 4


@dataclass
class Load:
    """Callers who ask without a pause, and what they were answered."""

    client: httpx.Client
    slug_id: str
    statuses: Counter[str] = field(default_factory=Counter)
    models: list[str] = field(default_factory=list)
    wrong: list[Any] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._ask_on, args=(place,)) for place in range(CALLERS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(timeout=LONG_S)

    def _ask_on(self, place: int) -> None:
        model_id = (self.slug_id, "road/1")[place % 2]
        while not self._is_over.is_set():
            try:
                reply = self._ask(place, model_id)
                content = reply.json()
                is_good = reply.status_code == 200 and read_mask(content).tolist() == MASK
            except (httpx.HTTPError, KeyError, ValueError) as error:
                self.wrong.append(repr(error))
                continue
            if not is_good:
                self.wrong.append((reply.status_code, reply.text[:200]))
                continue
            self.statuses[f"{model_id} cold {reply.headers['x-model-cold-start']}"] += 1
            if model_id == "road/1":
                self.models.append(content["resolved_model"]["model_id"])

    def _ask(self, place: int, model_id: str) -> httpx.Response:
        if place < CALLERS // 2:
            return self.client.post(f"/{model_id}", content=PICTURE)
        return self.client.post("/infer/semantic_segmentation", json={"model_id": model_id, "image": DECLARED})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    publish(home)
    publish(home, project="sky", training="s1")
    # One model at a time in memory, so that each that is asked for pushes the other out.
    with Server(home, settings={"max_models": "1"}) as running:
        yield running


def change_models(client: httpx.Client) -> None:
    for model_id in ("road/1", "sky/1"):
        assert client.post("/model/remove", json={"model_id": model_id}).status_code == 200
        time.sleep(PAUSE_S)
        assert client.post("/model/add", json={"model_id": model_id}).status_code == 200
        time.sleep(PAUSE_S)
    assert client.post("/model/clear").status_code == 200
    assert client.get("/clear_cache").status_code == 200


def test_models_change_without_a_dropped_request(home: Path, server: Server) -> None:
    headers, ports = {"authorization": f"Bearer {server.key}"}, open_home(home)
    with httpx.Client(base_url=server.url, headers=headers, timeout=LONG_S) as client:
        models = [model["slug_id"] for model in client.get("/model/published").json()["models"]]
        first, of_sky = (next(one for one in models if f"/{project}-1-" in one) for project in ("road", "sky"))
        last, training = first, "t1"
        with Load(client, of_sky) as load:
            for number in range(ROUNDS):
                change_models(client)
                model = publish(home, training=f"again{number}", seed=number + 1)
                delete_training(ports, find_training(ports, model.workspace, training))
                last, training = f"{model.workspace}/{model.slug}", model.training
            changed = len(load.models)
            time.sleep(0.5)
    assert load.wrong == []
    assert len(load.statuses) == 4, "both ids were asked, cold and warm"
    assert load.statuses.total() > 100
    assert load.models[0] == first
    # Those that were on their way when it changed may still have the one before.
    assert set(load.models[changed + CALLERS :]) == {last}
    assert len(set(load.models)) == ROUNDS + 1
    assert not any("Traceback" in line for line in server.err)
