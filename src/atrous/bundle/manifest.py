"""`manifest.json`: what made a bundle, and the hash of each of its files."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from atrous.bundle.layout import MANIFEST, OPTIONAL_FILES, REQUIRED_FILES
from atrous.core.errors import InvalidBundleError, InvalidInputError
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from pathlib import Path

FORMAT_VERSION = 1
# A fact of the recipe: {"height": ..., "width": ...}.
PICTURE_SIZE = "picture_size"
# A fact of the calibration.
TEMPERATURE = "temperature"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a model comes from.

    Attributes:
        model_id: `project/version` it was trained on.
        version_hash: content hash of that version.
        metrics: scores of the exported model and the rule they were computed by.
        parity: largest and mean difference between the torch and the ONNX logits on real pictures, and the share of
            cells with the same class.
        sha256: hash of each file, by name.
        int8: what became of the network in 8 bits; empty where none was tried.
        calibration: the temperature that makes confidence mean what it says, and how it was found; empty where there is
            none.
    """

    format_version: int
    model_id: str
    architecture: str
    encoder: str
    recipe: dict[str, Any]
    version_hash: str
    metrics: dict[str, Any]
    parity: dict[str, Any]
    software: dict[str, str]
    created: str
    sha256: dict[str, str]
    int8: dict[str, Any] = field(default_factory=dict[str, Any])
    calibration: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def picture_size(self) -> Size | None:
        """The typical size of the pictures that the model was trained on; None if the recipe does not tell it.

        Raises:
            InvalidBundleError: if what it tells is no size.
        """
        told = self.recipe.get(PICTURE_SIZE)
        try:
            return None if told is None else Size(height=int(told["height"]), width=int(told["width"]))
        except (ValueError, KeyError, TypeError, InvalidInputError) as error:
            raise InvalidBundleError(f"{MANIFEST}: {PICTURE_SIZE} of the recipe is no size; export again") from error

    @property
    def temperature(self) -> float | None:
        """What logits are divided by so that confidence means what it says, above 0; None if it is not known.

        Raises:
            InvalidBundleError: if what the calibration tells is no such number.
        """
        told = self.calibration.get(TEMPERATURE)
        if told is None:
            return None
        if isinstance(told, bool) or not isinstance(told, int | float) or not 0 < told < math.inf:
            raise InvalidBundleError(f"{MANIFEST}: {TEMPERATURE} of the calibration is no number above 0; export again")
        return float(told)


def hash_files(folder: Path) -> dict[str, str]:
    """The sha256 of each file that a manifest speaks for.

    Raises:
        InvalidBundleError: if a required file is missing.
    """
    found = [name for name in OPTIONAL_FILES if (folder / name).is_file()]
    return {name: _hash_file(folder, name) for name in (*REQUIRED_FILES, *found)}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json` beside the files it speaks for."""
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False, default=str)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read `manifest.json` without verifying the files.

    Raises:
        InvalidBundleError: if it is missing, damaged or of a newer format.
    """
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version = content["format_version"]
        if version != FORMAT_VERSION:
            raise InvalidBundleError(f"{folder.name}/{MANIFEST}: format {version}; this release reads {FORMAT_VERSION}")
        # Older bundles tell nothing of these.
        content = {"int8": {}, "calibration": {}} | content
        manifest = Manifest(**{field.name: content[field.name] for field in fields(Manifest)})
        # As dicts, so that anything else is damage.
        return replace(
            manifest, sha256=dict(manifest.sha256), int8=dict(manifest.int8), calibration=dict(manifest.calibration)
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidBundleError(f"{folder.name}/{MANIFEST}: missing or damaged; export the model again") from error


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare each file with its hash.

    Raises:
        InvalidBundleError: naming the first file that is missing or differs.
    """
    for name in REQUIRED_FILES:
        if name not in manifest.sha256:
            raise InvalidBundleError(f"{folder.name}/{MANIFEST}: no hash of {name}; export the model again")
    for name in (*REQUIRED_FILES, *(name for name in OPTIONAL_FILES if name in manifest.sha256)):
        if _hash_file(folder, name) != manifest.sha256[name]:
            raise InvalidBundleError(
                f"{folder.name}/{name}: differs from its hash; restore it or export the model again"
            )


def _hash_file(folder: Path, name: str) -> str:
    try:
        with (folder / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidBundleError(f"{folder.name}/{name}: missing or unreadable; export the model again") from error
