"""`atrous infer`: masks and annotated pictures of files and folders, in process or from a server."""

from __future__ import annotations

import glob
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from atrous.bundle.picture import decode_picture
from atrous.cli.home import WorkspaceOption, open_ports
from atrous.cli.remote import RemoteModel
from atrous.cli.terminal import open_progress, say, say_error
from atrous.core.errors import InvalidInputError
from atrous.datasets.files.picture_files import keep_pictures
from atrous.datasets.files.tree import open_folder
from atrous.runtime.decode import apply_threshold
from atrous.runtime.engine import Engine, load_engine
from atrous.runtime.overlay import draw_overlay
from atrous.runtime.png import encode_grey_png
from atrous.workspace.models import find_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap

# From a picture's bytes to its pixels, turned as the model saw them, its mask_HW after the threshold, and its classes.
Predict: TypeAlias = "Callable[[bytes], tuple[NDArray[np.uint8], NDArray[np.uint8], ClassMap]]"

FAILED = 2


def infer(
    model: Annotated[str, typer.Argument(help="PROJECT/VERSION or WORKSPACE/MODEL.")],
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURE...", help="Files, folders or globs.")],
    out: Annotated[Path, typer.Option(help="Folder for NAME_mask.png and NAME_overlay.jpg.")] = Path("predictions"),
    threshold: Annotated[float, typer.Option(min=0.0, max=1.0, help="Pixels below are background.")] = 0.4,
    api_url: Annotated[str | None, typer.Option(help="Ask this server instead of predicting here.")] = None,
    api_key: Annotated[str | None, typer.Option(envvar="ATROUS_API_KEY", help="Key for that server.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a class-id mask and an annotated picture for each picture; a bad one is named and the rest go on."""
    paths = _find_pictures(pictures)
    names = _name_outputs(paths)
    predict = _ask_server(api_url, model, api_key, threshold) if api_url else _predict_here(model, threshold, workspace)
    failed = 0
    with open_progress() as progress:
        for path in progress.track(paths, description="predicting"):
            try:
                _infer_one(path, out / names[path], predict)
            except InvalidInputError as error:
                say_error(f"{path}: {error}")
                failed += 1
    say(f"{len(paths) - failed} of {len(paths)} pictures written to {out}")
    if failed:
        raise typer.Exit(FAILED)


def _infer_one(path: Path, stem: Path, predict: Predict) -> None:
    import cv2

    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"cannot be read ({error.strerror})") from error
    image_HWC, mask_HW, class_map = predict(data)
    overlay_HWC = draw_overlay(image_HWC, mask_HW, class_map)
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_name(f"{stem.name}_mask.png").write_bytes(encode_grey_png(mask_HW))
    stem.with_name(f"{stem.name}_overlay.jpg").write_bytes(cv2.imencode(".jpg", overlay_HWC)[1].tobytes())


def _predict_here(model_id: str, threshold: float, workspace: str | None) -> Predict:
    ports, slug = open_ports(workspace)
    model = find_model(ports, slug, model_id)
    engine: Engine = load_engine(ports.bundles.locate(model.workspace, model.slug))

    def predict(data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8], ClassMap]:
        image_HWC = decode_picture(data, auto_orient=engine.bundle.preprocessing.auto_orient)
        return image_HWC, apply_threshold(engine.predict(image_HWC), threshold).mask_HW, engine.bundle.class_map

    return predict


def _ask_server(api_url: str, model_id: str, api_key: str | None, threshold: float) -> Predict:
    model = RemoteModel(api_url, model_id, api_key, threshold)

    def predict(data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8], ClassMap]:
        mask_HW, class_map = model.predict(data)
        image_HWC = decode_picture(data)
        if image_HWC.shape[:2] != mask_HW.shape:
            # The answer does not tell whether the model turns pictures; its mask's shape does.
            image_HWC = decode_picture(data, auto_orient=False)
        if image_HWC.shape[:2] != mask_HW.shape:
            raise InvalidInputError("the server's mask has another size than the picture")
        return image_HWC, mask_HW, class_map

    return predict


def _find_pictures(patterns: Sequence[str]) -> list[Path]:
    paths: dict[Path, Path] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if path.is_dir():
            found = [path / name for name in keep_pictures(open_folder(path).files_below())]
        elif path.is_file():
            found = [path]
        else:
            # glob takes a whole pattern, drive and absolute paths included, which Path.glob does not.
            found = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())  # noqa: PTH207
        if not found:
            raise InvalidInputError(f"{pattern}: no picture there; name files, folders or globs")
        for file in found:
            paths.setdefault(_absolute(file), file)
    return list(paths.values())


def _name_outputs(paths: Sequence[Path]) -> dict[Path, Path]:
    """A place for each picture below the output folder: as below the pictures' common folder, never one for two."""
    root = Path(os.path.commonpath([_absolute(path).parent for path in paths]))
    files = {path: _absolute(path).relative_to(root) for path in paths}
    counts = Counter(file.with_suffix("") for file in files.values())
    stems = {
        path: file.with_suffix("") if counts[file.with_suffix("")] == 1 else file.with_name(file.name.replace(".", "_"))
        for path, file in files.items()
    }
    return stems if len(set(stems.values())) == len(stems) else files


def _absolute(path: Path) -> Path:
    # Without `..`, which would lead out of the output folder; links keep their own names.
    return Path(os.path.abspath(path))  # noqa: PTH100
