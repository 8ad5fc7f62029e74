"""Trained weights written as a bundle."""

from __future__ import annotations

import io
import platform
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch

from atrous.bundle.bundle import write_configs
from atrous.bundle.layout import WEIGHTS_ONNX, WEIGHTS_TORCH
from atrous.bundle.manifest import FORMAT_VERSION, Manifest, hash_files, read_manifest, write_manifest
from atrous.bundle.preprocessing import fit_image, normalise
from atrous.export.onnx import export_onnx
from atrous.export.parity import compare_networks
from atrous.models.architectures import build_network, read_shape
from atrous.runtime.backends.onnx import open_onnx

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.core.class_map import ClassMap

SOFTWARE = ("atrous", "torch", "segmentation-models-pytorch", "onnx", "onnxruntime", "numpy", "opencv-python-headless")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where weights come from, as the manifest tells it."""

    model_id: str
    architecture: str
    encoder: str
    recipe: dict[str, Any]
    version_hash: str
    created: str


def write_bundle(
    folder: Path,
    *,
    weights: dict[str, Tensor],
    class_map: ClassMap,
    preprocessing: Preprocessing,
    provenance: Provenance,
    pictures_HWC: Sequence[NDArray[np.uint8]],
) -> Manifest:
    """Export weights, compare the export with them on real pictures, and write everything a server needs.

    Args:
        folder: an existing, empty folder.
        weights: state dict of the network of segmentation-models-pytorch.
        class_map: the version's classes.
        preprocessing: the version's preparation of pictures.
        provenance: told in the manifest.
        pictures_HWC: BGR pictures of the version to compare on; at least one.

    Raises:
        InvalidBundleError: if the exported network disagrees with the trained one.
        OSError: if the disk refuses.
    """
    shape = read_shape(provenance.recipe)
    network = build_network(provenance.architecture, provenance.encoder, len(class_map), shape)
    network.network.load_state_dict(weights)
    network.eval()
    export_onnx(network, preprocessing.size, folder / WEIGHTS_ONNX)
    exported = open_onnx(folder / WEIGHTS_ONNX, 0)
    inputs_CHW = [normalise(fit_image(image_HWC, preprocessing), preprocessing) for image_HWC in pictures_HWC]
    parity = compare_networks(network, exported, inputs_CHW)
    packed = io.BytesIO()
    torch.save(weights, packed)
    # Written by Python, because torch reports a full disk as RuntimeError.
    (folder / WEIGHTS_TORCH).write_bytes(packed.getbuffer())
    write_configs(folder, class_map, preprocessing)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        model_id=provenance.model_id,
        architecture=provenance.architecture,
        encoder=provenance.encoder,
        recipe=provenance.recipe,
        version_hash=provenance.version_hash,
        metrics={},
        parity=parity.as_json(),
        software={"python": platform.python_version(), **{name: version(name) for name in SOFTWARE}},
        created=provenance.created,
        sha256=hash_files(folder),
    )
    write_manifest(folder, manifest)
    return manifest


def record_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Write the scores of a bundle into its manifest."""
    write_manifest(folder, replace(read_manifest(folder), metrics=metrics))


def record_calibration(folder: Path, calibration: dict[str, Any]) -> None:
    """Write how far a bundle's confidence can be trusted into its manifest."""
    write_manifest(folder, replace(read_manifest(folder), calibration=calibration))
