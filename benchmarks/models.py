"""The model that is measured: a folder given, the newest of `ATROUS_HOME`, or one that has learned nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from atrous.adapters.home import open_home
from atrous.bundle.bundle import open_bundle
from atrous.bundle.preprocessing import Preprocessing
from atrous.cli.home import find_home
from atrous.core.class_map import BACKGROUND, ClassMap
from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size
from benchmarks.photographs import SIZES, draw_picture

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.bundle.bundle import Bundle

PROJECT = "bench"
MODEL_ID = f"{PROJECT}/1"


def choose_bundle(given: Path | None, scratch: Path) -> Bundle:
    """Open the folder given, else the newest model of `ATROUS_HOME`, else random weights made in `scratch`.

    Raises:
        InvalidInputError: if there is neither a model nor torch to make one.
        InvalidBundleError: if the folder is no bundle.
    """
    return open_bundle(given or find_newest_bundle() or make_random_bundle(scratch / "bundle"))


def describe_bundle(bundle: Bundle) -> dict[str, Any]:
    """What of a model decides how long it takes."""
    return {
        "architecture": bundle.manifest.architecture,
        "encoder": bundle.manifest.encoder,
        "classes": len(bundle.class_map),
        "input": str(bundle.preprocessing.size),
        "fit": str(bundle.preprocessing.fit),
    }


def find_newest_bundle() -> Path | None:
    """The folder of the newest model of `ATROUS_HOME`, if there is one."""
    home = find_home()
    if not (home / "atrous.db").is_file():
        return None
    ports = open_home(home)
    models = [model for workspace in ports.store.list_workspaces() for model in ports.store.list_models(workspace)]
    newest = max(models, key=lambda model: model.created, default=None)
    return ports.bundles.locate(newest.workspace, newest.slug) if newest else None


def make_random_bundle(folder: Path) -> Path:
    """A DeepLabv3+ with MobileNetV2, 12 classes and 512x512, that has learned nothing.

    Raises:
        InvalidInputError: if torch is not installed.
    """
    try:
        import torch  # noqa: PLC0415  (a serving installation has none)

        from atrous.export.bundle import Provenance, write_bundle  # noqa: PLC0415
        from atrous.models.architectures import build_network  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InvalidInputError("no model in ATROUS_HOME and no torch to make one; name one: --bundle DIR") from error
    class_map = ClassMap((BACKGROUND, *(f"class {number}" for number in range(1, 12))))
    torch.manual_seed(0)
    weights = build_network("deeplabv3plus", "mobilenet_v2", len(class_map)).network.state_dict()
    folder.mkdir(parents=True)
    write_bundle(
        folder,
        weights=weights,
        class_map=class_map,
        preprocessing=Preprocessing(size=Size(height=512, width=512)),
        provenance=Provenance(MODEL_ID, "deeplabv3plus", "mobilenet_v2", {}, "", datetime.now(UTC).isoformat()),
        pictures_HWC=[draw_picture(SIZES[0])],
    )
    return folder
