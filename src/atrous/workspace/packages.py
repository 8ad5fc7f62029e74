"""Models as the files that a stock Roboflow server fetches to serve them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from atrous.bundle.bundle import read_configs
from atrous.bundle.layout import CLASS_NAMES, INFERENCE_CONFIG, WEIGHTS_ONNX
from atrous.bundle.manifest import read_manifest
from atrous.core.errors import BrokenModelError, ConflictError, InvalidBundleError

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.core.class_map import ClassMap
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Model

# A bundle's other files are ours, or are made by the server that fetches.
FILES = (CLASS_NAMES, INFERENCE_CONFIG, WEIGHTS_ONNX)
ID_LENGTH = 32
KEPT_HASHES = 4096


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a package; its md5 as hexadecimal digits."""

    name: str
    md5: str


@dataclass(frozen=True, slots=True)
class Package:
    """What a server needs of a model.

    Attributes:
        id: letters and digits; other weights have another one.
    """

    id: str
    class_map: ClassMap
    preprocessing: Preprocessing
    files: tuple[PackageFile, ...]


def describe_package(ports: Ports, model: Model) -> Package:
    """Describe a model's package. Reads the whole bundle the first time, later only its small files.

    Raises:
        NotFoundError: if the model's folder is gone.
        BrokenModelError: if a file of it is missing or altered.
        ConflictError: if such a server would answer something else than this one.
    """
    folder = ports.bundles.locate(model.workspace, model.slug)
    try:
        manifest = read_manifest(folder)
        class_map, preprocessing = read_configs(folder)
        files = tuple(PackageFile(name, _hash_file(folder / name, manifest.sha256[name])) for name in FILES)
    except (InvalidBundleError, KeyError, OSError) as error:
        raise BrokenModelError(
            f"model {model.workspace}/{model.slug}: its bundle is damaged ({error}); restore it or train again"
        ) from error
    if preprocessing.tiles:
        raise ConflictError(
            f"model {model.workspace}/{model.slug}: cuts pictures into tiles, which stock servers cannot; send its "
            "pictures to this server"
        )
    return Package(manifest.sha256[WEIGHTS_ONNX][:ID_LENGTH], class_map, preprocessing, files)


def locate_package_file(ports: Ports, model: Model, name: str) -> Path:
    """The local file of a package's file; `name` is one of `FILES`.

    Raises:
        NotFoundError: if the model's folder is gone.
    """
    return ports.bundles.locate(model.workspace, model.slug) / name


@lru_cache(KEPT_HASHES)
def _hash_file(path: Path, sha256: str) -> str:
    """The md5 of a file whose sha256 is known. Bundles never change, so the pair tells a file for good."""
    found, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            found.update(part)
            md5.update(part)
    if found.hexdigest() != sha256:
        raise InvalidBundleError(f"{path.name} differs from its hash")
    return md5.hexdigest()
