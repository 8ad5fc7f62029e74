"""A verified bundle, ready for a runtime."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atrous.bundle.inference_config import read_inference_config, write_inference_config
from atrous.bundle.layout import CLASS_NAMES, INFERENCE_CONFIG, MODEL_CONFIG, WEIGHTS_INT8_ONNX, WEIGHTS_ONNX
from atrous.bundle.manifest import Manifest, read_manifest, verify_files
from atrous.core.class_map import MIN_MODEL_CLASSES, ClassMap
from atrous.core.errors import InvalidBundleError, InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.bundle.preprocessing import Preprocessing


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model folder whose files were found as its manifest says."""

    folder: Path
    class_map: ClassMap
    preprocessing: Preprocessing
    manifest: Manifest

    @property
    def weights_onnx(self) -> Path:
        """The network: input NCHW float32, output raw logits [N, K, h, w]."""
        return self.folder / WEIGHTS_ONNX

    @property
    def weights_int8_onnx(self) -> Path | None:
        """The same network in 8 bits, with the same input and output; None if the manifest tells of none."""
        return self.folder / WEIGHTS_INT8_ONNX if WEIGHTS_INT8_ONNX in self.manifest.sha256 else None


def open_bundle(folder: Path) -> Bundle:
    """Verify a folder against its manifest and read it.

    Raises:
        InvalidBundleError: naming the file that is missing, altered or unusable.
    """
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    class_map, preprocessing = read_configs(folder)
    return Bundle(folder=folder, class_map=class_map, preprocessing=preprocessing, manifest=manifest)


def read_configs(folder: Path) -> tuple[ClassMap, Preprocessing]:
    """Read what `write_configs` wrote, without verifying anything.

    Raises:
        InvalidBundleError: naming the file that is missing or unusable.
    """
    class_map = read_class_map(folder)
    if len(class_map) < MIN_MODEL_CLASSES:
        raise InvalidBundleError(f"{folder.name}/{CLASS_NAMES}: names {len(class_map)} class; a model has at least 2")
    return class_map, read_inference_config(_read_json(folder, INFERENCE_CONFIG))


def read_class_map(folder: Path) -> ClassMap:
    """The class names of a model's folder, in the order of its scores.

    Raises:
        InvalidBundleError: if they are missing or cannot be.
    """
    try:
        return ClassMap(tuple((folder / CLASS_NAMES).read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, InvalidInputError) as error:
        raise InvalidBundleError(f"{folder.name}/{CLASS_NAMES}: {error}") from error


def write_configs(folder: Path, class_map: ClassMap, preprocessing: Preprocessing) -> None:
    """Write the three small files that any runtime needs beside the weights."""
    (folder / CLASS_NAMES).write_text("\n".join(class_map.names), encoding="utf-8")
    model_config = {
        "model_architecture": "deep-lab-v3-plus",
        "task_type": "semantic-segmentation",
        "backend_type": "onnx",
    }
    for name, content in ((INFERENCE_CONFIG, write_inference_config(preprocessing)), (MODEL_CONFIG, model_config)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _read_json(folder: Path, name: str) -> Any:
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidBundleError(f"{folder.name}/{name}: damaged; export the model again") from error
