from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from tests.fakes.datasets import CLASS_MAP, SIZE, add_version
from tests.fakes.ports import fake_ports

from atrous.bundle.bundle import open_bundle
from atrous.core.errors import InvalidInputError
from atrous.export.int8 import MAX_MIOU_LOSS
from atrous.models.architectures import Shape, build_network
from atrous.worker.jobs import JOBS
from atrous.worker.watch import SilentWatch
from atrous.workspace.model_upload import announce_model, receive_weights
from atrous.workspace.models import find_model
from atrous.workspace.records import JobKind

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    """With version 1 of `road`."""
    ports = fake_ports(tmp_path)
    ports.store.add_workspace("acme")
    add_version(ports, "acme", "road")
    return ports


def write_weights(path: Path, classes: int = len(CLASS_MAP)) -> Path:
    """What a person may have trained elsewhere."""
    torch.manual_seed(0)
    network = build_network("deeplabv3", "resnet18", classes, Shape(decoder_channels=16))
    torch.save({"state_dict": {f"model.{name}": value for name, value in network.network.state_dict().items()}}, path)
    return path


def upload(ports: Ports, path: Path, model_type: str = "") -> Job:
    version = ports.store.find_version("acme", "road", 1)
    assert version is not None
    return receive_weights(ports, announce_model(version, model_type), path)


def publish(ports: Ports, job: Job, folder: Path) -> str:
    return JOBS[JobKind.PUBLISH](ports, job, folder, SilentWatch())["model"]


def test_uploaded_weights_become_a_model_once(ports: Ports, tmp_path: Path) -> None:
    job = upload(ports, write_weights(tmp_path / "weights.pt"))
    slug = publish(ports, job, tmp_path / "job")
    model = find_model(ports, "acme", "road/1")
    assert model.slug == slug
    bundle = open_bundle(ports.bundles.locate("acme", slug))
    assert (bundle.manifest.architecture, bundle.manifest.encoder) == ("deeplabv3", "resnet18")
    assert bundle.class_map == CLASS_MAP
    assert bundle.manifest.picture_size == SIZE
    assert 0 <= model.metrics["miou"] <= 1
    assert bundle.weights_int8_onnx is not None
    assert abs(model.metrics["int8_miou"] - model.metrics["miou"]) <= MAX_MIOU_LOSS
    assert model.metrics["int8_bytes"] == bundle.weights_int8_onnx.stat().st_size < model.metrics["fp32_bytes"] / 2
    assert not ports.blobs.has(job.payload["weights"])
    assert [one.subject for one in ports.queue.list_jobs("acme", JobKind.EVALUATE)]
    training = ports.store.find_training("acme", model.training)
    assert training is not None
    assert training.recipe["origin"] == "uploaded"


def test_a_run_that_was_killed_after_publishing_makes_no_second_model(ports: Ports, tmp_path: Path) -> None:
    job = upload(ports, write_weights(tmp_path / "weights.pt"))
    slug = publish(ports, job, tmp_path / "job")
    assert publish(ports, job, tmp_path / "job") == slug
    assert len(ports.store.list_models("acme")) == 1


@pytest.mark.parametrize("classes", [2, 4])
def test_weights_for_other_classes_are_refused_by_both_counts(ports: Ports, tmp_path: Path, classes: int) -> None:
    job = upload(ports, write_weights(tmp_path / "weights.pt", classes))
    with pytest.raises(
        InvalidInputError, match=f"{classes} classes.*there are 3 with background: background, road, sign"
    ):
        publish(ports, job, tmp_path / "job")
    assert not ports.store.list_models("acme")


def test_weights_of_another_kind_than_announced_are_refused(ports: Ports, tmp_path: Path) -> None:
    job = upload(ports, write_weights(tmp_path / "weights.pt"), "deeplabv3plus-r18")
    with pytest.raises(InvalidInputError, match="none of deeplabv3plus"):
        publish(ports, job, tmp_path / "job")


def test_a_file_that_is_no_weights_is_refused(ports: Ports, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"no weights")
    with pytest.raises(InvalidInputError, match="torch can load safely"):
        publish(ports, upload(ports, path), tmp_path / "job")
