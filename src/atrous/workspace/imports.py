"""Import of a dataset folder into a project: classes, pictures, labels and splits."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from atrous.bundle.picture import decode_grey_levels
from atrous.core.class_map import VOID_ID
from atrous.core.errors import ConflictError, InvalidDatasetError
from atrous.core.ids import check_slug
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.findings import Finding
from atrous.datasets.formats import AUTO, read_source
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.datasets.parallel import map_in_threads
from atrous.datasets.splits import Split, hold_out_valid, split_by_hash
from atrous.workspace.records import Picture, Project
from atrous.workspace.workspaces import choose_workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.datasets.class_mapping import ClassMapping, MappingRow
    from atrous.datasets.source import Source, SourceItem
    from atrous.workspace.ports import Ports

BATCH = 64  # rows kept at once; what an interruption can lose is at most this many


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        mapping: what each value of the source became.
        imported: new pictures by split.
        known: pictures that were in the project already.
        findings: files left out, relative to the dataset's folder.
        class_pixels: pixels of the new pictures by class name, in order of id.
        void_pixels: pixels of the new pictures that belong to no class.
        notes: what was decided on the way, as sentences for people.
    """

    project: str
    format: str
    mapping: tuple[MappingRow, ...]
    imported: dict[Split, int]
    known: int
    findings: tuple[Finding, ...]
    class_pixels: dict[str, int]
    void_pixels: int
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "project": self.project,
            "format": self.format,
            "mapping": [row.as_json() for row in self.mapping],
            "imported": {split.value: count for split, count in self.imported.items()},
            "known": self.known,
            "findings": [
                {"file": finding.file.as_posix(), "reason": finding.reason, "remedy": finding.remedy}
                for finding in self.findings
            ],
            "class_pixels": self.class_pixels,
            "void_pixels": self.void_pixels,
            "notes": list(self.notes),
        }


def import_dataset(
    ports: Ports,
    workspace: str,
    project_slug: str,
    folder: Path,
    format_name: str = AUTO,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Add a dataset's pictures and labels to a project, which is made if it is new.

    Pairs that cannot be used are left out with a finding each. Pictures that the project has already stay as they
    are, so the same import can be run again, also after it was interrupted.

    Args:
        ports: the world.
        workspace: owner of the project.
        project_slug: its name in ids and addresses.
        folder: the dataset, unpacked.
        format_name: one of FORMATS, or `auto`.
        progress: told how many of how many pictures are done, after each.

    Raises:
        InvalidInputError: if the slug or the format's name cannot be.
        NotFoundError: if there is no such workspace.
        InvalidDatasetError: if the format or the classes cannot be made out, or not one picture can be used.
        ConflictError: if somebody else changed the project's classes meanwhile.
        StorageError: if the disk is full; what was stored until then stays.
    """
    check_slug(project_slug, "project")
    choose_workspace(ports, workspace)
    format_name, source = read_source(folder, format_name)
    project = ports.store.find_project(workspace, project_slug)
    mapping = map_classes(source.classes, project.class_map if project else None)
    target = _Target(ports, workspace, project_slug, project, mapping.class_map)
    tally = _Tally(folder, list(source.findings))
    items, split_notes = _choose_splits(source.items)
    try:
        with closing(map_in_threads(partial(_prepare, mapping=mapping), items)) as results:
            for done, (item, result) in enumerate(zip(items, results, strict=True), start=1):
                _take(item, result, target, tally)
                if progress:
                    progress(done, len(items))
    finally:
        # Also after Ctrl-C or on a full disk: what is stored so far is complete and stays usable.
        target.flush()
    if not tally.known and not sum(tally.imported.values()):
        raise InvalidDatasetError(_describe_nothing(folder, tally.findings))
    return _report(
        project=project_slug,
        format_name=format_name,
        source=source,
        mapping=mapping,
        tally=tally,
        split_notes=split_notes,
    )


# Splits


def _choose_splits(items: Sequence[SourceItem]) -> tuple[list[SourceItem], list[str]]:
    """Splits as given; otherwise by hash of what copies of one source share, and said so."""
    given = {item.split for item in items}
    if None in given:
        some = "some pictures have" if len(given) > 1 else "the source has"
        note = f"{some} no split: 70 % train, 20 % valid, 10 % test by hash of the name, copies of one source together"
        return [replace(item, split=item.split or split_by_hash(item.name)) for item in items], [note]
    if Split.TRAIN in given and Split.VALID not in given:
        chosen = [
            replace(item, split=hold_out_valid(item.name)) if item.split is Split.TRAIN else item for item in items
        ]
        held = sum(item.split is Split.VALID for item in chosen)
        note = f"no valid split: 20 % of train held out by hash of the name ({held} pictures), copies together"
        return chosen, [note]
    return list(items), []


# One pair


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A pair ready to be stored; `mask` is a PNG."""

    labelled: LabelledPicture
    image_sha256: str
    mask: bytes


def _prepare(item: SourceItem, mapping: ClassMapping) -> _Prepared | Finding:
    if not _is_utf8(item.name):
        shown = Path(os.fsencode(item.image_path).decode(errors="replace"))
        return Finding(shown, "has a name that is not UTF-8", "rename it")
    labelled = load_labelled_picture(item, mapping)
    if isinstance(labelled, Finding):
        return labelled
    return _Prepared(labelled, hashlib.sha256(labelled.image).hexdigest(), _encode_mask(labelled.mask_HW))


def _is_utf8(name: str) -> bool:
    # The system hands over bytes that are no UTF-8 as lone surrogates.
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _encode_mask(mask_HW: NDArray[np.uint8]) -> bytes:
    encoded, data = cv2.imencode(".png", mask_HW)
    if not encoded:
        raise AssertionError("an 8-bit grey array can always be encoded")
    return data.tobytes()


@dataclass(slots=True)
class _Tally:
    """What the report will say."""

    folder: Path
    findings: list[Finding]
    imported: Counter[Split] = field(default_factory=Counter[Split])
    known: int = 0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    undeclared_void_px: int = 0
    overpainted_px: int = 0
    ignored_outlines: int = 0

    def add(self, split: Split, labelled: LabelledPicture) -> None:
        """Count a new picture."""
        self.imported[split] += 1
        self.counts += labelled.counts
        self.undeclared_void_px += labelled.undeclared_void_px
        self.overpainted_px += labelled.overpainted_px
        self.ignored_outlines += labelled.ignored_outlines


def _take(item: SourceItem, result: _Prepared | Finding, target: _Target, tally: _Tally) -> None:
    if isinstance(result, Finding):
        tally.findings.append(result)
        return
    twin = target.find(result.image_sha256)
    if twin is None:
        split = item.split or Split.TRAIN
        target.add(item.name, split, result)
        tally.add(split, result.labelled)
        return
    if target.is_new(result.image_sha256):
        reason = f"is the same picture as {twin.name}, which was imported ({twin.split.value})"
        tally.findings.append(Finding(item.image_path, reason, "remove one of them"))
        return
    tally.known += 1
    if not target.has_mask(twin, result):
        reason = "is in the project already with another label, which was kept"
        tally.findings.append(Finding(item.image_path, reason, "import the new labels into a new project"))


class _Target:
    """The project as it grows: rows are kept in batches, each after the blobs that it names."""

    def __init__(self, ports: Ports, workspace: str, slug: str, project: Project | None, class_map: ClassMap) -> None:
        self._ports = ports
        self._workspace = workspace
        self._slug = slug
        self._project = project
        self._class_map = class_map
        old = ports.store.list_pictures(workspace, slug) if project else []
        self._pictures = {picture.image_sha256: picture for picture in old}
        self._new: set[str] = set()
        self._batch: list[Picture] = []

    def find(self, image_sha256: str) -> Picture | None:
        """The picture of these very bytes."""
        return self._pictures.get(image_sha256)

    def is_new(self, image_sha256: str) -> bool:
        """Whether it was added by this import."""
        return image_sha256 in self._new

    def has_mask(self, picture: Picture, prepared: _Prepared) -> bool:
        """Whether the stored mask says the same; pixels are compared, since encoders change over the years."""
        if picture.mask_sha256 == hashlib.sha256(prepared.mask).hexdigest():
            return True
        mask_HW = decode_grey_levels(self._ports.blobs.get(picture.mask_sha256))
        return np.array_equal(mask_HW, prepared.labelled.mask_HW)

    def add(self, name: str, split: Split, prepared: _Prepared) -> None:
        """Store a picture and its mask."""
        picture = Picture(
            name=name,
            image_sha256=self._ports.blobs.put(prepared.labelled.image),
            mask_sha256=self._ports.blobs.put(prepared.mask),
            split=split,
            size=prepared.labelled.size,
        )
        self._pictures[picture.image_sha256] = picture
        self._new.add(picture.image_sha256)
        self._batch.append(picture)
        if len(self._batch) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Keep the rows of what is stored; the first ones bring the project and its new classes with them."""
        if not self._batch:
            return
        self._keep_project()
        batch, self._batch = self._batch, []
        self._ports.store.add_pictures(self._workspace, self._slug, batch)

    def _keep_project(self) -> None:
        if self._project is None:
            self._project = Project(self._workspace, self._slug, self._class_map, self._ports.clock.now())
            self._ports.store.add_project(self._project)
        elif self._project.class_map != self._class_map:
            now = self._ports.store.find_project(self._workspace, self._slug)
            if now != self._project:
                raise ConflictError(f"project {self._slug!r}: its classes changed meanwhile; run the import again")
            self._ports.store.set_class_map(self._workspace, self._slug, self._class_map)
            self._project = replace(self._project, class_map=self._class_map)


# The report


def _report(
    *, project: str, format_name: str, source: Source, mapping: ClassMapping, tally: _Tally, split_notes: list[str]
) -> ImportReport:
    return ImportReport(
        project=project,
        format=format_name,
        mapping=mapping.rows,
        imported={split: tally.imported[split] for split in Split},
        known=tally.known,
        findings=tuple(_relative(finding, tally.folder) for finding in tally.findings),
        class_pixels={name: int(tally.counts[class_id]) for class_id, name in enumerate(mapping.class_map.names)},
        void_pixels=int(tally.counts[VOID_ID]),
        notes=(*source.notes, *split_notes, *_pixel_notes(tally)),
    )


def _relative(finding: Finding, folder: Path) -> Finding:
    is_inside = finding.file.is_relative_to(folder)
    return replace(finding, file=finding.file.relative_to(folder)) if is_inside else finding


def _pixel_notes(tally: _Tally) -> list[str]:
    notes: list[str] = []
    if tally.undeclared_void_px:
        notes.append(f"{tally.undeclared_void_px} pixels of value 255, which no class name declares, are void")
    if tally.overpainted_px:
        notes.append(f"{tally.overpainted_px} pixels where outlines of different classes overlap: the later one counts")
    if tally.ignored_outlines:
        notes.append(f"{tally.ignored_outlines} outlines without area were ignored")
    return notes


def _describe_nothing(folder: Path, findings: Sequence[Finding]) -> str:
    if not findings:
        return f"{folder}: has no pictures; give the folder that the dataset was unpacked to"
    return f"{folder}: not one of its pictures can be imported; the first of {len(findings)} findings is {findings[0]}"
