"""A project or a version, written as a dataset that other tools read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from atrous.bundle.picture import decode_grey_levels
from atrous.core.ids import parse_version_id
from atrous.datasets.exports import write_dataset
from atrous.datasets.labelled_file import LabelledFile
from atrous.datasets.sinks import open_sink
from atrous.workspace.versions import find_project, find_version, list_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy import uint8
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.datasets.exports import ExportReport
    from atrous.workspace.ports import Ports


def export_dataset(
    ports: Ports,
    workspace: str,
    source: str,
    format_name: str,
    path: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> ExportReport:
    """Write pictures and labels to a folder, or to a zip file if the path ends with `.zip`.

    Args:
        ports: the world.
        workspace: owner of the project.
        source: slug of a project, as it is now, or `project/number` for a version.
        format_name: one of EXPORTS.
        path: where to write; there is nothing at it until the export is complete.
        progress: told how many of how many pictures were begun, before each.

    Raises:
        NotFoundError: if there is no such project or version.
        InvalidInputError: if there is no such format.
        ConflictError: if there is something at the path.
        StorageError: if the disk refuses.
    """
    class_map, files = _list_files(ports, workspace, source)

    def follow() -> Iterator[LabelledFile]:
        for done, file in enumerate(files):
            if progress:
                progress(done, len(files))
            yield file

    with open_sink(path) as sink:
        report = write_dataset(format_name, follow(), class_map, sink)
    if progress:
        progress(len(files), len(files))
    return report


def _list_files(ports: Ports, workspace: str, source: str) -> tuple[ClassMap, Sequence[LabelledFile]]:
    if "/" in source:
        version = find_version(ports, workspace, parse_version_id(source))
        samples = list_samples(ports, version)
        return version.class_map, [
            LabelledFile(one.name, one.split, one.image_path.read_bytes, partial(_load_mask, one.mask_path.read_bytes))
            for one in samples
        ]
    project = find_project(ports, workspace, source)
    return project.class_map, [
        LabelledFile(
            one.name,
            one.split,
            partial(ports.blobs.get, one.image_sha256),
            partial(_load_mask, partial(ports.blobs.get, one.mask_sha256)),
        )
        for one in ports.store.list_pictures(workspace, source)
        if one.mask_sha256 is not None
    ]


def _load_mask(read: Callable[[], bytes]) -> NDArray[uint8]:
    return decode_grey_levels(read())
