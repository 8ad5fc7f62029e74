from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.server.place import Place, make_place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.testclient import TestClient


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


@pytest.fixture
def client(place: Place) -> TestClient:
    """A client with the key of `acme`, whose model is `road/1` or `acme/road-1-a`."""
    place.publish()
    return place.client(key=place.key)


@pytest.fixture
def post_v0(client: TestClient) -> Callable[..., Any]:
    def post(body: bytes | str, path: str = "/road/1", content_type: str = "application/json", **params: Any) -> Any:
        return client.post(path, params=params, content=body, headers={"content-type": content_type})

    return post


@pytest.fixture
def post_v1(client: TestClient) -> Callable[..., Any]:
    def post(image: Any, **fields: Any) -> Any:
        body = {"model_id": "road/1", "image": image, **fields}
        return client.post("/infer/semantic_segmentation", json=body)

    return post
