"""A server's world, ready to be changed by a test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.testclient import TestClient
from tests.fakes.bundles import make_bundle
from tests.fakes.pictures import as_base64
from tests.fakes.ports import add_training, fake_ports

from atrous.server.app import create_app
from atrous.server.settings import Settings
from atrous.workspace.keys import create_key
from atrous.workspace.records import Model

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports


def json_image(data: bytes) -> dict[str, str]:
    return {"type": "base64", "value": as_base64(data)}


@dataclass
class Place:
    """Ports with the workspaces `acme` and `other`, a folder, and a key of `acme`."""

    ports: Ports
    folder: Path
    key: str

    def publish(
        self,
        slug: str = "road-1-a",
        *,
        workspace: str = "acme",
        version: int = 1,
        training_id: str = "",
        **options: Any,
    ) -> Model:
        made = make_bundle(self.folder / "made" / workspace / slug, model_id=f"road/{version}", **options)
        self.ports.bundles.publish(made, workspace, slug)
        training_id = training_id or f"t-{workspace}"
        add_training(self.ports, training_id, workspace=workspace)
        model = Model(workspace, slug, "road", version, training_id, self.ports.clock.now())
        self.ports.store.add_model(model)
        return model

    def bundle_folder(self, slug: str = "road-1-a", workspace: str = "acme") -> Path:
        return self.ports.bundles.locate(workspace, slug)

    def client(self, settings: Settings | None = None, *, key: str | None = None, **ports: Any) -> TestClient:
        """A client that sends `key` as a header, or none; `ports` replace ours."""
        client = TestClient(create_app(settings or Settings(), replace(self.ports, **ports)))
        if key:
            client.headers["authorization"] = f"Bearer {key}"
        return client


def make_place(folder: Path) -> Place:
    ports = fake_ports(folder)
    ports.store.add_workspace("acme")
    ports.store.add_workspace("other")
    _, secret = create_key(ports, "acme", "tests")
    return Place(ports, folder, secret)
