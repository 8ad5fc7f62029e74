"""A project or a version, written as a dataset that other tools read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atrous.bundle.picture import decode_grey_levels
from atrous.core.errors import InvalidInputError
from atrous.core.ids import parse_version_id
from atrous.datasets.content import Stage, load_fitted
from atrous.datasets.exports import write_dataset
from atrous.datasets.labelled_file import LabelledFile, drop_folders
from atrous.datasets.sinks import open_sink
from atrous.workspace.jobs import add_job
from atrous.workspace.records import JobKind, JobState
from atrous.workspace.version_pictures import encode_image
from atrous.workspace.versions import find_project, find_version, list_content, make_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy import uint8
    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.core.class_map import ClassMap
    from atrous.datasets.augmentation.geometry import Pair
    from atrous.datasets.exports import ExportReport
    from atrous.datasets.sinks import Sink
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Version
    from atrous.workspace.version_content import ContentPicture

# What the platform's clients call a format -> a name in EXPORTS.
EXPORT_FORMATS = {
    "png-mask-semantic": "png-masks",
    "coco": "coco",
    "coco-segmentation": "coco",
    "yolov5pytorch": "yolov5",
}
NAME_DIGITS = 32


def request_export(ports: Ports, version: Version, format_name: str) -> Job:
    """Have a version written as a zip file, once: the job that does it or did it.

    Its result tells `sha256` and `bytes` of the file, which is a blob.

    Raises:
        InvalidInputError: if there is no such format.
    """
    found = find_export(ports, version, check_format(format_name))
    if found is not None and _is_good(ports, found):
        return found
    return add_job(ports, JobKind.EXPORT, version.workspace, export_subject(version, format_name))


def check_format(format_name: str) -> str:
    """Give the name of a format back if there is one of this name.

    Raises:
        InvalidInputError: naming those there are.
    """
    if format_name not in EXPORT_FORMATS:
        raise InvalidInputError(
            f"export format {format_name[:50]!r}: unknown; choose one of {', '.join(EXPORT_FORMATS)}"
        )
    return format_name


def find_export(ports: Ports, version: Version, format_name: str) -> Job | None:
    """The job that writes a version in a format: one that is done rather than the newest one, None if there is none."""
    jobs = ports.queue.list_jobs(version.workspace, JobKind.EXPORT, export_subject(version, format_name))
    # Versions of a project that was made anew have the numbers of the old ones.
    own = [job for job in jobs if job.created >= version.created]
    good = [job for job in own if _is_good(ports, job)]
    return (good or own[-1:] or [None])[0]


def read_export(ports: Ports, job: Job) -> tuple[Version, str]:
    """The version and the format that a job's subject names.

    Raises:
        NotFoundError: if the version is gone.
    """
    version_id, _, format_name = job.subject.partition(":")
    return find_version(ports, job.workspace, parse_version_id(version_id)), format_name


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

    Pictures of a project are written as they were uploaded, those of a version as the network sees them.

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
        ConflictError: if there is something at the path, or the version is not ready.
        StorageError: if the disk refuses.
    """
    if "/" in source:
        version = find_version(ports, workspace, parse_version_id(source))
        class_map, files = version.class_map, list_prepared(ports, version)
    else:
        class_map, files = _list_originals(ports, workspace, source)
    with open_sink(path) as sink:
        return write_files(format_name, files, class_map, sink, progress=progress)


def write_files(
    format_name: str,
    files: Sequence[LabelledFile],
    class_map: ClassMap,
    sink: Sink,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> ExportReport:
    """Write pictures and labels; raises as `write_dataset` does."""

    def follow() -> Iterator[LabelledFile]:
        for done, file in enumerate(files):
            if progress:
                progress(done, len(files))
            yield file

    report = write_dataset(format_name, follow(), class_map, sink)
    if progress:
        progress(len(files), len(files))
    return report


def list_prepared(ports: Ports, version: Version) -> list[LabelledFile]:
    """A version's pictures as the network sees them, each under a name that tells where it comes from.

    Raises:
        ConflictError: if the version is not ready.
    """
    return [_prepare(ports, version, picture) for picture in list_content(ports, version)]


def _prepare(ports: Ports, version: Version, picture: ContentPicture) -> LabelledFile:
    # The name has to be there before the picture is, so it is told by what decides about its pixels.
    decisive = f"{version.content_sha256} {picture.image_sha256} {picture.name}"
    digits = hashlib.sha256(decisive.encode()).hexdigest()[:NAME_DIGITS]
    path = PurePosixPath(drop_folders(picture.name))
    kind = path.suffix.removeprefix(".")
    is_prepared = picture.stage is Stage.PREPARED
    suffix = path.suffix if is_prepared else ".jpg"
    name = f"{path.stem}_{kind}.rf.{digits}{suffix}"
    if is_prepared:
        blobs = ports.blobs
        load_mask = partial(_load_mask, partial(blobs.get, picture.mask_sha256))
        return LabelledFile(name, picture.split, partial(blobs.get, picture.image_sha256), load_mask)
    fitted = _Fitted(ports, picture, version.preprocessing)
    return LabelledFile(name, picture.split, fitted.load_image, fitted.load_mask)


@dataclass(slots=True, eq=False)
class _Fitted:
    """A picture as the network sees it, read once for both of its loaders."""

    ports: Ports
    picture: ContentPicture
    preprocessing: Preprocessing
    mask_HW: NDArray[uint8] | None = None

    def load_image(self) -> bytes:
        image_HWC, self.mask_HW = self._load()
        return encode_image(image_HWC, lossless=False)

    def load_mask(self) -> NDArray[uint8]:
        mask_HW, self.mask_HW = self.mask_HW, None
        return self._load()[1] if mask_HW is None else mask_HW

    def _load(self) -> Pair:
        return load_fitted(make_sample(self.ports, self.picture), self.preprocessing)


def _list_originals(ports: Ports, workspace: str, slug: str) -> tuple[ClassMap, Sequence[LabelledFile]]:
    project = find_project(ports, workspace, slug)
    return project.class_map, [
        LabelledFile(
            one.name,
            one.split,
            partial(ports.blobs.get, one.image_sha256),
            partial(_load_mask, partial(ports.blobs.get, one.mask_sha256)),
        )
        for one in ports.store.list_pictures(workspace, slug)
        if one.mask_sha256 is not None
    ]


def _load_mask(read: Callable[[], bytes]) -> NDArray[uint8]:
    return decode_grey_levels(read())


def export_subject(version: Version, format_name: str) -> str:
    """What the jobs that write a version in a format are about."""
    return f"{version.id}:{format_name}"


def _is_good(ports: Ports, job: Job) -> bool:
    """Whether a job is under way, or done and its file still there."""
    if not job.state.is_final:
        return True
    return job.state is JobState.DONE and ports.blobs.has(job.result["sha256"])
