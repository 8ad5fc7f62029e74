"""Versions: numbered, made in the background, immutable from then on and named by the hash of their content."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from atrous.core.errors import ConflictError, InvalidInputError, NotFoundError
from atrous.core.ids import parse_version_id
from atrous.datasets.content import Sample
from atrous.datasets.splits import Split
from atrous.datasets.version_settings import describe_preprocessing, write_settings
from atrous.workspace.records import Job, JobKind, Version, VersionState
from atrous.workspace.version_content import ContentPicture, read_content, write_content
from atrous.workspace.version_plans import list_project_pictures, missing_project, plan_version
from atrous.workspace.version_sources import choose_pictures, write_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.core.ids import VersionId
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Project
    from atrous.workspace.version_sources import SourcePicture

# A request that is still alive has added its job by then.
BETWEEN_VERSION_AND_JOB = timedelta(minutes=1)


def request_version(
    ports: Ports, workspace: str, project_slug: str, settings: Mapping[str, Any], *, name: str = ""
) -> Version:
    """Note a project's pictures, labels, splits and classes as they are now, and have a version made of them.

    Args:
        ports: the world.
        workspace: owner of the project.
        project_slug: the project.
        settings: in the form of `datasets/version_settings.py`.
        name: what people call the version; the settings' own name if empty.

    Returns:
        The version, which a job makes; until then its numbers of pictures are what is expected.

    Raises:
        NotFoundError: if there is no such project.
        InvalidInputError: if the settings cannot be, or leave no labelled picture.
    """
    version = start_version(ports, workspace, project_slug, settings, name=name)
    ports.queue.add_job(make_job(ports, version))
    return version


def start_version(
    ports: Ports, workspace: str, project_slug: str, settings: Mapping[str, Any], *, name: str = ""
) -> Version:
    """As `request_version`, but who calls it sees to it that the version is made."""
    plan = plan_version(ports, workspace, project_slug, settings)
    source_sha256 = ports.blobs.put(write_source(plan.source))
    created = ports.clock.now()

    def make(number: int) -> Version:
        return Version(
            workspace=workspace,
            project=project_slug,
            number=number,
            content_sha256="",
            class_map=plan.class_map,
            preprocessing=plan.preprocessing,
            pictures=plan.expect_pictures(),
            created=created,
            name=name or plan.settings.name,
            state=VersionState.GENERATING,
            settings=write_settings(plan.settings),
            source_sha256=source_sha256,
            progress=0.0,
        )

    return ports.store.add_version(make, workspace, project_slug)


def make_job(ports: Ports, version: Version) -> Job:
    """The job that makes a version."""
    created = ports.clock.now()
    return Job(uuid.uuid4().hex, version.workspace, JobKind.GENERATE, str(version.id), created)


def resume_generations(ports: Ports) -> int:
    """Queue what a kill left between a version and its job; give how many there were."""
    lost = 0
    long_ago = ports.clock.now() - BETWEEN_VERSION_AND_JOB
    for workspace in ports.store.list_workspaces():
        for project in ports.store.list_projects(workspace):
            for version in ports.store.list_versions(workspace, project.slug):
                is_waiting = version.state is VersionState.GENERATING and version.created < long_ago
                if is_waiting and not _is_underway(ports, version):
                    ports.queue.add_job(make_job(ports, version))
                    lost += 1
    return lost


def _is_underway(ports: Ports, version: Version) -> bool:
    jobs = ports.queue.list_jobs(version.workspace, JobKind.GENERATE, str(version.id))
    return any(not job.state.is_final for job in jobs)


def fail_version(ports: Ports, workspace: str, version_id: VersionId, error: str) -> None:
    """Record why a version cannot be made; one that is ready stays so."""
    version = find_generating(ports, workspace, version_id)
    if version is not None:
        ports.store.set_version(replace(version, state=VersionState.FAILED, error=error))


def find_generating(ports: Ports, workspace: str, version_id: VersionId) -> Version | None:
    """A version that is not ready, in the trash or not."""
    found = ports.store.find_version(workspace, version_id.project, version_id.number)
    in_trash = [] if found else ports.store.list_versions(workspace, version_id.project, deleted=True)
    candidates = [found] if found else [version for version in in_trash if version.id == version_id]
    return next((version for version in candidates if version.state is not VersionState.READY), None)


def find_job_version(ports: Ports, job: Job) -> Version | None:
    """The version that a job is to make; None if it is ready or gone."""
    return find_generating(ports, job.workspace, parse_version_id(job.subject))


def end_version(ports: Ports, version: Version, pictures: Sequence[ContentPicture]) -> Version:
    """Make a version ready, in one write, and forget what it was made of."""
    counts = Counter(picture.split for picture in pictures)
    current = find_generating(ports, version.workspace, version.id)
    ready = replace(
        current or version,
        content_sha256=ports.blobs.put(write_content(version.class_map, version.preprocessing, pictures)),
        pictures={split: counts[split] for split in Split},
        state=VersionState.READY,
        source_sha256="",
        progress=1.0,
        error=None,
    )
    if current is not None:
        ports.store.set_version(ready)
    ports.blobs.remove(version.source_sha256)
    return ready


def create_version(
    ports: Ports, workspace: str, project_slug: str, preprocessing: Preprocessing, *, name: str = ""
) -> Version:
    """Freeze a project's labelled pictures, splits and classes at once; nothing but the preprocessing is chosen.

    Raises:
        NotFoundError: if there is no such project.
        InvalidInputError: if it has no labelled pictures, or the preprocessing cuts tiles, which takes a job.
    """
    if preprocessing.tiles:
        raise InvalidInputError(f"project {project_slug!r}: tiles are not cut at once; ask for the version by settings")
    project, pictures = list_project_pictures(ports, workspace, project_slug)
    settings = describe_preprocessing(preprocessing)
    content = [keep_original(picture) for picture in choose_pictures(pictures, settings, None)]
    content_sha256 = ports.blobs.put(write_content(project.class_map, preprocessing, content))
    counts = Counter(picture.split for picture in content)
    created = ports.clock.now()

    def make(number: int) -> Version:
        return Version(
            workspace=workspace,
            project=project_slug,
            number=number,
            content_sha256=content_sha256,
            class_map=project.class_map,
            preprocessing=preprocessing,
            pictures={split: counts[split] for split in Split},
            created=created,
            name=name,
            settings=write_settings(settings),
        )

    return ports.store.add_version(make, workspace, project_slug)


def keep_original(picture: SourcePicture) -> ContentPicture:
    """A project's picture as it is."""
    return ContentPicture(picture.name, picture.image_sha256, picture.mask_sha256, picture.split, picture.size)


def find_project(ports: Ports, workspace: str, slug: str) -> Project:
    """Find a project by its slug.

    Raises:
        NotFoundError: if this workspace has no such project.
    """
    project = ports.store.find_project(workspace, slug)
    if project is None:
        raise missing_project(slug)
    return project


def find_version(ports: Ports, workspace: str, version_id: VersionId) -> Version:
    """Find a version by its id.

    Raises:
        NotFoundError: if this workspace has no such version.
    """
    version = ports.store.find_version(workspace, version_id.project, version_id.number)
    if version is None:
        raise NotFoundError(
            f"version {version_id}: does not exist; `atrous version create {version_id.project}` makes one"
        )
    return version


def list_content(ports: Ports, version: Version) -> list[ContentPicture]:
    """What a version holds, in the order that its hash was made of.

    Raises:
        ConflictError: if the version is not ready.
        StorageError: if the content no longer has the version's hash.
    """
    if version.state is VersionState.GENERATING:
        raise ConflictError(f"version {version.id}: is being made ({version.progress:.0%}); wait until it is ready")
    if version.state is VersionState.FAILED:
        raise ConflictError(f"version {version.id}: could not be made ({version.error}); make another one")
    return read_content(ports, version)


def list_samples(ports: Ports, version: Version) -> tuple[Sample, ...]:
    """The version's pictures and masks as local files, in the order that its hash was made of.

    Raises:
        ConflictError: if the version is not ready.
        StorageError: if the content no longer has the version's hash.
        NotFoundError: if a picture or mask is missing from the store.
    """
    return tuple(make_sample(ports, picture) for picture in list_content(ports, version))


def list_some_samples(ports: Ports, version: Version, split: Split, at_most: int) -> tuple[Sample, ...]:
    """Pictures of a split, evenly spread and the same ones each time; all if they are not more than that.

    Raises:
        ConflictError: if the version is not ready.
        StorageError: if the content no longer has the version's hash.
        NotFoundError: if a picture or mask is missing from the store.
    """
    pictures = [picture for picture in list_content(ports, version) if picture.split is split]
    stride = max(1, -(-len(pictures) // at_most))
    return tuple(make_sample(ports, picture) for picture in pictures[::stride])


def make_sample(ports: Ports, picture: ContentPicture) -> Sample:
    """A version's picture and mask as local files.

    Raises:
        NotFoundError: if one of them is missing from the store.
    """
    return Sample(
        name=picture.name,
        image_path=ports.blobs.path(picture.image_sha256),
        mask_path=ports.blobs.path(picture.mask_sha256),
        split=picture.split,
        stage=picture.stage,
    )
