"""Published models and the ids that people call them by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.errors import NotFoundError
from atrous.core.ids import MAX_SLUG_LENGTH, ModelSlugId, VersionId, parse_model_id
from atrous.workspace.records import Model

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Training


def find_model(ports: Ports, workspace: str, model_id: str) -> Model:
    """Find what `project/version` (the model of its oldest training) or `workspace/model-slug` stands for.

    Raises:
        InvalidInputError: if the id has neither form.
        NotFoundError: if this workspace has no such model; models of other workspaces do not exist for it.
    """
    match parse_model_id(model_id):
        case VersionId() as version:
            model = ports.store.find_version_model(workspace, version)
        case ModelSlugId(owner, slug):
            model = ports.store.find_model(workspace, slug) if owner == workspace else None
    if model is None:
        raise NotFoundError(f"model {model_id!r}: not found in this workspace; `atrous model list` shows what is there")
    return model


def publish_model(ports: Ports, training: Training, folder: Path, metrics: dict[str, Any]) -> Model:
    """Take over a finished bundle under a slug of its own; what a killed job has published already is given back."""
    tail = f"-{training.version}-{training.id}"
    model = Model(
        workspace=training.workspace,
        # Shortened where it would be no slug any more; the training's id keeps it unique.
        slug=training.project[: MAX_SLUG_LENGTH - len(tail)] + tail,
        project=training.project,
        version=training.version,
        training=training.id,
        created=ports.clock.now(),
        metrics=metrics,
    )
    published = ports.store.find_model(model.workspace, model.slug)
    if published:
        return published
    ports.bundles.publish(folder, model.workspace, model.slug)
    ports.store.add_model(model)
    return model
