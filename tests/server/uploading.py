"""A project of `acme` that is filled over HTTP, and what is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2

from atrous.bundle.picture import decode_grey_levels
from atrous.core.class_map import ClassMap
from atrous.workspace.records import Picture, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from starlette.testclient import TestClient
    from tests.server.place import Place


def add_project(place: Place, slug: str = "road", *names: str, workspace: str = "acme") -> Project:
    project = Project(workspace, slug, ClassMap(("background", *names)), place.ports.clock.now())
    place.ports.store.add_project(project)
    return project


def encode(pixels: NDArray[Any], extension: str = ".png") -> bytes:
    return cv2.imencode(extension, pixels)[1].tobytes()


def send(client: TestClient, name: str, data: bytes, *, project: str = "road", **params: Any) -> Any:
    """The reply to an upload as the stock client makes it; `split` goes into the form."""
    form = {"name": name, "split": params.pop("split", "train")}
    metadata = params.pop("metadata", None)
    if metadata is not None:
        form["metadata"] = metadata
    files = {"file": (name, data, "image/png")}
    return client.post(f"/dataset/{project}/upload", params=params, data=form, files=files)


def upload(client: TestClient, name: str, data: bytes, **params: Any) -> str:
    reply = send(client, name, data, **params)
    assert reply.status_code == 200, reply.text
    return reply.json()["id"]


def annotate(client: TestClient, picture_id: str, name: str, text: str, **params: Any) -> Any:
    labelmap = params.pop("labelmap", None)
    body = {"annotationFile": text, "labelmap": labelmap}
    return client.post(f"/dataset/road/annotate/{picture_id}", params={"name": name, **params}, json=body)


def pictures_of(place: Place, project: str = "road") -> dict[str, Picture]:
    return {picture.name: picture for picture in place.ports.store.list_pictures("acme", project)}


def mask_of(place: Place, picture: Picture) -> NDArray[np.uint8]:
    assert picture.mask_sha256 is not None
    return decode_grey_levels(place.ports.blobs.get(picture.mask_sha256))


def class_names(place: Place, project: str = "road") -> tuple[str, ...]:
    found = place.ports.store.find_project("acme", project)
    assert found is not None
    return found.class_map.names
