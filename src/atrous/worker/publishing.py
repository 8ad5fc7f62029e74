"""The publishing job: weights that were trained elsewhere in, a published model out."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from atrous.core.errors import ConflictError, InvalidInputError, StorageError
from atrous.core.ids import parse_version_id
from atrous.datasets.splits import Split
from atrous.training.model_types import ARCHITECTURES, ENCODERS, parse_model_type
from atrous.worker.bundling import export_bundle, score_bundle
from atrous.worker.class_order import find_order
from atrous.worker.training import require_torch
from atrous.workspace.evaluations import request_evaluation
from atrous.workspace.model_upload import (
    MODEL_TYPE,
    WEIGHTS,
    check_ready,
    find_uploaded_model,
    forget_weights,
    record_upload,
)
from atrous.workspace.models import publish_model
from atrous.workspace.versions import find_version, list_samples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from atrous.core.class_map import ClassMap
    from atrous.models.recognition import Recognised
    from atrous.worker.watch import Watch
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Model, Version

SHOWN_LENGTH = 300


def publish(ports: Ports, job: Job, folder: Path, watch: Watch) -> Mapping[str, Any]:
    """Publish weights that were uploaded; the result is the model's slug.

    Raises:
        AtrousError: why they cannot be published.
    """
    del watch
    model = find_uploaded_model(ports, job.workspace, job.id) or _publish_upload(ports, job, folder)
    request_evaluation(ports, model)
    # Last, so that the next run still has them if this one is killed.
    forget_weights(ports, job)
    return {"model": model.slug}


def publish_weights(
    ports: Ports,
    version: Version,
    path: Path,
    folder: Path,
    *,
    upload_id: str,
    names: Sequence[str] | None = None,
    int8: str = "auto",
    architectures: Sequence[str] = ARCHITECTURES,
    encoders: Sequence[str] = tuple(ENCODERS.values()),
) -> Model:
    """Make weights a model of a version: recognise them, export and compare, score, publish.

    A version without any picture gives a model that nobody has scored.

    Args:
        ports: the world.
        version: its classes and its preparation of pictures are the model's.
        path: a state dict of segmentation-models-pytorch.
        folder: where the bundle is made; emptied.
        names: of the classes in the order of the weights, the version's own order if not said.
        upload_id: makes the model's slug; the same one never makes two models.
        int8: `auto`, or `off` where no network in 8 bits is to be tried.
        architectures: what the weights may be of.
        encoders: what the weights may be of.

    Raises:
        MissingExtraError: if torch is not installed.
        ConflictError: if the version is not ready.
        InvalidInputError: if the weights do not fit the version or are of none of these networks.
        StorageError: if the disk refuses.
    """
    require_torch()
    check_ready(version)
    samples = list_samples(ports, version)
    if samples and not any(sample.split is Split.VALID for sample in samples):
        raise ConflictError(f"version {version.id}: has no valid pictures to try the model on; make one that has some")
    found = check_weights(version.class_map, path, names=names, architectures=architectures, encoders=encoders)
    sizes = {name: getattr(found.shape, name) for name in ("encoder_depth", "decoder_channels", "norm")}
    recipe = {"architecture": found.architecture, "encoder": found.encoder, "int8": int8} | sizes
    training = record_upload(ports, version, recipe, upload_id)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        export_bundle(folder, training, version, samples, weights=found.weights, facts={})
        metrics = score_bundle(folder, samples, {}, int8=int8) if samples else {}
        return publish_model(ports, training, folder, metrics)
    except OSError as error:
        raise StorageError(
            f"{folder}: the model cannot be written ({error.strerror}); free space, try again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_weights(
    class_map: ClassMap,
    path: Path,
    *,
    names: Sequence[str] | None = None,
    architectures: Sequence[str] = ARCHITECTURES,
    encoders: Sequence[str] = tuple(ENCODERS.values()),
) -> Recognised:
    """Read weights, find out whose they are, and bring their classes into the order of a class map.

    Raises:
        InvalidInputError: if the file, its classes or its network cannot be used.
    """
    from atrous.models.last_layer import order_classes
    from atrous.models.pretrained import read_state_dict
    from atrous.models.recognition import count_classes, recognise_network

    weights = read_state_dict(path)
    classes = count_classes(weights)
    if classes != len(class_map):
        raise InvalidInputError(
            f"the weights tell {classes} classes apart, but there are {len(class_map)} with background: "
            f"{', '.join(class_map.names)[:SHOWN_LENGTH]}; choose the version that they were trained on"
        )
    if names is not None:
        weights = order_classes(weights, find_order(class_map, names))
    return recognise_network(weights, architectures, encoders)


def _publish_upload(ports: Ports, job: Job, folder: Path) -> Model:
    version = find_version(ports, job.workspace, parse_version_id(job.subject))
    asked = parse_model_type(job.payload[MODEL_TYPE]) if job.payload[MODEL_TYPE] else None
    return publish_weights(
        ports,
        version,
        ports.blobs.path(job.payload[WEIGHTS]),
        folder,
        upload_id=job.id,
        architectures=(asked.architecture,) if asked else ARCHITECTURES,
        encoders=(asked.encoder,) if asked and asked.encoder else tuple(ENCODERS.values()),
    )
