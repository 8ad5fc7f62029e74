"""What the arguments of `atrous infer` stand for, and the names of what is made of them."""

from __future__ import annotations

import glob
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from atrous.bundle.picture import UNREADABLE
from atrous.cli.video_source import VIDEO_SUFFIXES, can_open_video, is_stream, name_stream
from atrous.core.errors import InvalidInputError
from atrous.datasets.files.picture_files import is_picture, keep_pictures
from atrous.datasets.files.tree import open_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where pictures, video files and streams are, each with the stem of its results below the output folder."""

    pictures: dict[Path, Path]
    videos: dict[Path, Path]
    streams: dict[str, Path]


def find_inputs(places: Sequence[str]) -> Inputs:
    """Sort out files, folders, globs and addresses.

    Raises:
        InvalidInputError: if there is nothing at one of them.
    """
    streams = dict.fromkeys(place for place in places if is_stream(place))
    files = _find_files(place for place in places if place not in streams)
    stems = _name_files(files)
    videos = {file: stems[file] for file in files if _is_video(file)}
    return Inputs(
        {file: stems[file] for file in files if file not in videos},
        videos,
        _name_streams(streams, {str(stem) for stem in stems.values()}),
    )


def _is_video(file: Path) -> bool:
    if is_picture(file.name):
        return False
    if file.suffix.lower() in VIDEO_SUFFIXES:
        return True
    try:
        with Image.open(file) as header:
            # Pillow knows films of that kind by their first bytes, and cannot read them.
            return header.format == "MPEG"
    except UNREADABLE:
        return can_open_video(file)


def _find_files(patterns: Iterable[str]) -> list[Path]:
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
            raise InvalidInputError(
                f"{pattern}: no picture there; name picture files, folders of pictures, videos, globs or streams"
            )
        for file in found:
            paths.setdefault(_absolute(file), file)
    return list(paths.values())


def _name_files(paths: Sequence[Path]) -> dict[Path, Path]:
    """A place for each file below the output folder: as below the files' common folder, never one for two."""
    if not paths:
        return {}
    root = Path(os.path.commonpath([_absolute(path).parent for path in paths]))
    files = {path: _absolute(path).relative_to(root) for path in paths}
    counts = Counter(file.with_suffix("") for file in files.values())
    stems = {
        path: file.with_suffix("") if counts[file.with_suffix("")] == 1 else file.with_name(file.name.replace(".", "_"))
        for path, file in files.items()
    }
    return stems if len(set(stems.values())) == len(stems) else files


def _name_streams(addresses: Iterable[str], taken: set[str]) -> dict[str, Path]:
    """A place for each stream, by its host and path; a number makes it the only one of its name."""
    names: dict[str, Path] = {}
    for address in addresses:
        name = first = name_stream(address)
        number = 1
        while name in taken:
            number += 1
            name = f"{first}_{number}"
        taken.add(name)
        names[address] = Path(name)
    return names


def _absolute(path: Path) -> Path:
    # Without `..`, which would lead out of the output folder; links keep their own names.
    return Path(os.path.abspath(path))  # noqa: PTH100
