"""The generation job: the pictures of a version are made, once and for all."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import orjson

from atrous.core.errors import NotFoundError, StoppedError
from atrous.core.sizes import Size
from atrous.datasets.parallel import map_in_threads
from atrous.datasets.version_settings import read_settings
from atrous.runtime.png import encode_grey_png
from atrous.workspace.records import VersionState
from atrous.workspace.version_content import ContentPicture, read_content_picture
from atrous.workspace.version_pictures import PictureMaker, encode_image, is_lossless, shows_class
from atrous.workspace.version_sources import keep_null_share, read_source
from atrous.workspace.versions import end_version, find_generating, find_job_version, keep_original

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from atrous.worker.watch import Watch
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Version
    from atrous.workspace.version_pictures import MadePicture
    from atrous.workspace.version_sources import SourcePicture

JOURNAL = "pictures.jsonl"
# How often the version's own progress is written: a client that waits asks each second.
PROGRESS_S = 1.0


def generate(ports: Ports, job: Job, folder: Path, watch: Watch) -> Mapping[str, Any]:
    """Make the version that the job's subject names, and make it ready; one that is ready stays as it is.

    A picture's share of the version is written down in the folder as soon as it is kept, so that a killed job goes on
    behind the last one. Nothing depends on where it was cut.

    Raises:
        AtrousError: why it cannot be made.
        StoppedError: if the watch wished for an end.
    """
    version = find_job_version(ports, job)
    if version is None:
        return {}
    ready = make_version(ports, version, folder, watch)
    return {"pictures": sum(ready.pictures.values()), "content_sha256": ready.content_sha256}


def make_version(ports: Ports, version: Version, folder: Path, watch: Watch) -> Version:
    """Make a version's pictures and give it ready.

    Raises:
        AtrousError: why it cannot be made.
        StoppedError: if the watch wished for an end.
    """
    if not version.source_sha256:
        raise NotFoundError(f"version {version.id}: what it was to be made of is gone; make another one")
    source = read_source(ports.blobs.get(version.source_sha256))
    maker = PictureMaker(ports, read_settings(version.settings), version.preprocessing, source)
    follow = _Follower(ports, version, watch)
    tasks = _choose_tiles(maker, follow)
    if maker.is_idle:
        made = [keep_original(picture) for picture, _ in tasks]
    else:
        made = _make_pictures(maker, tasks, folder, follow)
    ready = end_version(ports, version, made)
    (folder / JOURNAL).unlink(missing_ok=True)
    return ready


class _Follower:
    """Tells watch and version how far the work is, and ends it when it is to end."""

    def __init__(self, ports: Ports, version: Version, watch: Watch) -> None:
        self._ports, self._version, self._watch = ports, version, watch
        self._told_s = 0.0

    def report(self, phase: str, done: int, total: int) -> None:
        self._watch.report({"phase": phase, "done": done, "total": total})
        wish = self._watch.wish()
        if wish is not None:
            raise StoppedError(f"version {self._version.id}: its making was ended early ({wish}); make another one")
        if phase == "pictures" and time.monotonic() - self._told_s > PROGRESS_S:
            self._told_s = time.monotonic()
            current = find_generating(self._ports, self._version.workspace, self._version.id)
            if current is not None:
                told = replace(current, progress=done / total, state=VersionState.GENERATING, error=None)
                self._ports.store.set_version(told)


def _choose_tiles(maker: PictureMaker, follow: _Follower) -> list[tuple[SourcePicture, Collection[int] | None]]:
    """Pictures with those of their tiles that the null filter keeps; None stands for all there are."""
    pictures, percent = maker.source.pictures, maker.settings.filter_null
    if percent is None or (maker.settings.tiles is None and all(one.class_ids is not None for one in pictures)):
        return [(picture, None) for picture in pictures]
    pieces: list[tuple[int, int, bool]] = []
    with closing(map_in_threads(partial(_look_at_tiles, maker), pictures)) as looks:
        for place, are_shown in enumerate(looks):
            pieces += [(place, tile, is_shown) for tile, is_shown in enumerate(are_shown)]
            follow.report("filter", place + 1, len(pictures))
    kept: dict[int, set[int]] = {}
    for place, tile, _ in keep_null_share(
        pieces,
        percent,
        shows_class=lambda piece: piece[2],
        key=lambda piece: f"{pictures[piece[0]].image_sha256} {piece[1]}",
    ):
        kept.setdefault(place, set()).add(tile)
    return [(pictures[place], tiles) for place, tiles in kept.items()]


def _look_at_tiles(maker: PictureMaker, picture: SourcePicture) -> list[bool]:
    return [shows_class(mask_HW) for _, mask_HW in maker.cut(maker.load(picture))]


def _make_pictures(
    maker: PictureMaker,
    tasks: Sequence[tuple[SourcePicture, Collection[int] | None]],
    folder: Path,
    follow: _Follower,
) -> list[ContentPicture]:
    made = _read_journal(folder)
    remaining = tasks[len(made) :]
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / JOURNAL).open("ab") as journal,
        closing(map_in_threads(partial(_keep_pictures, maker), remaining)) as kept,
    ):
        for entries in kept:
            journal.write(orjson.dumps([entry.as_json() for entry in entries]) + b"\n")
            journal.flush()
            made.append(entries)
            follow.report("pictures", len(made), len(tasks))
    return [entry for entries in made for entry in entries]


def _read_journal(folder: Path) -> list[list[ContentPicture]]:
    """What earlier runs made, picture by picture; a line that a kill cut off is taken out."""
    path = folder / JOURNAL
    whole, _, _ = path.read_bytes().rpartition(b"\n") if path.is_file() else (b"", b"", b"")
    if path.is_file():
        with path.open("r+b") as file:
            file.truncate(len(whole) + 1 if whole else 0)
    return [[read_content_picture(entry) for entry in orjson.loads(line)] for line in whole.splitlines()]


def _keep_pictures(maker: PictureMaker, task: tuple[SourcePicture, Collection[int] | None]) -> list[ContentPicture]:
    picture, kept_tiles = task
    if maker.keeps_image(picture):
        return [_keep_image(maker, picture)]
    lossless = is_lossless(maker.ports.blobs.get(picture.image_sha256))
    return [_keep(maker, picture, made, lossless=lossless) for made in maker.make(picture, kept_tiles)]


def _keep_image(maker: PictureMaker, picture: SourcePicture) -> ContentPicture:
    if not maker.source.new_ids:
        return keep_original(picture)
    mask_sha256 = maker.ports.blobs.put(encode_grey_png(maker.load_mask(picture)))
    return replace(keep_original(picture), mask_sha256=mask_sha256, label=picture.mask_sha256)


def _keep(maker: PictureMaker, picture: SourcePicture, made: MadePicture, *, lossless: bool) -> ContentPicture:
    blobs = maker.ports.blobs
    return ContentPicture(
        name=_name(picture.name, made.ending, ".png" if lossless else ".jpg"),
        image_sha256=blobs.put(encode_image(made.image_HWC, lossless=lossless)),
        mask_sha256=blobs.put(encode_grey_png(made.mask_HW)),
        split=picture.split,
        size=Size(height=made.mask_HW.shape[0], width=made.mask_HW.shape[1]),
        stage=made.stage,
        origin=picture.image_sha256,
        label=picture.mask_sha256,
    )


def _name(name: str, ending: str, suffix: str) -> str:
    own_suffix = PurePosixPath(name).suffix
    return f"{name.removesuffix(own_suffix)}{ending}{suffix}"
