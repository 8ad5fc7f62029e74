"""Weights that were trained elsewhere and become a model of a version."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atrous.core.errors import ConflictError, NotFoundError
from atrous.core.ids import VersionId
from atrous.workspace.jobs import JOB_ID_BYTES, add_job
from atrous.workspace.records import JobKind, Training, TrainingState, VersionState
from atrous.workspace.versions import find_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Model, Version

WEIGHTS = "weights"
MODEL_TYPE = "model_type"
ORIGIN = {"origin": "uploaded"}
TRAINING_ID_LENGTH = 8


@dataclass(frozen=True, slots=True)
class ModelUpload:
    """An upload that was announced.

    Attributes:
        id: of the job that publishes it, once the weights are there.
        model_type: what the weights are of; empty if that is to be found out.
    """

    id: str
    workspace: str
    version: VersionId
    model_type: str = ""


def announce_model(version: Version, model_type: str = "") -> ModelUpload:
    """Announce weights for a version.

    Raises:
        ConflictError: if the version is not ready.
    """
    check_ready(version)
    return ModelUpload(secrets.token_hex(JOB_ID_BYTES), version.workspace, version.id, model_type)


def check_ready(version: Version) -> None:
    """Do nothing where a model can be published.

    Raises:
        ConflictError: if the version is still being made, or could not be.
    """
    if version.state is not VersionState.READY:
        raise ConflictError(f"version {version.id}: is {version.state}; upload weights for it once it is ready")


def expect_weights(ports: Ports, upload: ModelUpload) -> None:
    """Let an upload pass whose weights have not come yet.

    Raises:
        NotFoundError: if its version is gone.
        ConflictError: if they are there already.
    """
    find_version(ports, upload.workspace, upload.version)
    if ports.queue.find_job(upload.workspace, upload.id) is not None:
        raise ConflictError(f"upload {upload.id}: its weights came already; start another upload")


def receive_weights(ports: Ports, upload: ModelUpload, path: Path) -> Job:
    """Keep the weights of an upload, and let a worker publish them.

    Raises:
        ConflictError: if they are there already.
        StorageError: if the disk refuses.
    """
    expect_weights(ports, upload)
    payload = {WEIGHTS: ports.blobs.put_file(path), MODEL_TYPE: upload.model_type}
    return add_job(ports, JobKind.PUBLISH, upload.workspace, str(upload.version), payload, job_id=upload.id)


def find_model_upload(ports: Ports, workspace: str, version: VersionId, upload_id: str) -> Job:
    """The job of an upload whose weights have come.

    Raises:
        NotFoundError: if there is none of this id.
    """
    job = ports.queue.find_job(workspace, upload_id)
    if job is None or job.kind is not JobKind.PUBLISH or job.subject != str(version):
        raise NotFoundError(f"upload {upload_id[:50]!r}: no weights came for version {version}; send them to its link")
    return job


def forget_weights(ports: Ports, job: Job) -> None:
    """Remove the file of an upload, unless another upload of the same bytes waits."""
    sha256 = job.payload[WEIGHTS]
    others = (one for one in ports.queue.list_jobs(kind=JobKind.PUBLISH) if one.id != job.id and not one.state.is_final)
    if all(one.payload.get(WEIGHTS) != sha256 for one in others):
        ports.blobs.remove(sha256)


def find_uploaded_model(ports: Ports, workspace: str, upload_id: str) -> Model | None:
    """The model that an upload became, or None."""
    training = ports.store.find_training(workspace, upload_id[:TRAINING_ID_LENGTH])
    return ports.store.find_training_model(training) if training else None


def record_upload(ports: Ports, version: Version, recipe: Mapping[str, Any], upload_id: str) -> Training:
    """Record the training that was done elsewhere, which the model belongs to; what a killed job recorded is given."""
    training_id = upload_id[:TRAINING_ID_LENGTH]
    recorded = ports.store.find_training(version.workspace, training_id)
    if recorded is not None:
        return recorded
    now = ports.clock.now()
    training = Training(
        id=training_id,
        workspace=version.workspace,
        project=version.project,
        version=version.number,
        recipe=dict(recipe) | ORIGIN,
        state=TrainingState.DONE,
        created=now,
        started=now,
        ended=now,
    )
    ports.store.add_training(training)
    return training


def parse_upload(text: str) -> ModelUpload:
    """Read what `write_upload` gave.

    Raises:
        NotFoundError: if it is not that.
    """
    try:
        upload_id, workspace, project, number, model_type = text.split("/")
        return ModelUpload(upload_id, workspace, VersionId(project, int(number)), model_type)
    except ValueError:
        raise NotFoundError("this link is not for weights; ask for a new one") from None


def write_upload(upload: ModelUpload) -> str:
    """An upload as one line of text."""
    return f"{upload.id}/{upload.workspace}/{upload.version}/{upload.model_type}"
