"""Projects: how they come to be, and all that is told of one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from atrous.core.class_map import BACKGROUND, ClassMap
from atrous.core.errors import ConflictError, InvalidInputError
from atrous.core.ids import MAX_SLUG_LENGTH, RESERVED_SLUGS
from atrous.workspace.exports import EXPORT_FORMATS, export_subject, find_export
from atrous.workspace.records import JobKind, JobState, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atrous.workspace.ports import PictureCounts, Ports
    from atrous.workspace.records import Model, Training, Version

PROJECT_TYPE = "semantic-segmentation"
MAX_TEXT_LENGTH = 256
MAX_NAMESAKES = 1000
NAMELESS = "project"


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """A project, its pictures counted, and how many versions it has."""

    project: Project
    counts: PictureCounts
    versions: int


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """A version and what was trained on it.

    Attributes:
        version: the version.
        trainings: oldest first.
        model: what `project/version` stands for: the model of the oldest training that has one; None without.
        exports: formats that it is written in by now.
    """

    version: Version
    trainings: tuple[Training, ...]
    model: Model | None
    exports: tuple[str, ...]


def create_project(ports: Ports, workspace: str, name: str, *, annotation: str = "", license_name: str = "") -> Project:
    """Make an empty project under a slug made of its name, with a number at its end where that is taken.

    Args:
        ports: the world.
        workspace: owner of the project.
        name: what people call it.
        annotation: what its objects are called as a whole; the name if empty.
        license_name: what its pictures may be used for.

    Raises:
        InvalidInputError: if a text is empty, too long or no single line.
        ConflictError: if a thousand projects have this name already.
    """
    name = check_text(name, "project name")
    annotation = check_text(annotation or name, "annotation group")
    license_name = check_text(license_name, "license") if license_name.strip() else ""
    models = {model.slug for model in ports.store.list_models(workspace)}
    for slug in _list_slugs(name):
        # `workspace/slug` means a model where there is one of this slug.
        if slug in models:
            continue
        created = ports.clock.now()
        project = Project(workspace, slug, ClassMap((BACKGROUND,)), created, name, annotation, license_name)
        try:
            ports.store.add_project(project)
        except ConflictError:
            continue
        return project
    raise ConflictError(f"project {name!r}: {MAX_NAMESAKES} projects have this name already; choose another one")


def check_text(text: str, what: str) -> str:
    """A text for people without the space around and inside it.

    Raises:
        InvalidInputError: unless it has 1 to 256 printable characters.
    """
    tidy = " ".join(text.split())
    if not tidy or len(tidy) > MAX_TEXT_LENGTH or not tidy.isprintable():
        raise InvalidInputError(f"{what} {tidy[:50]!r}: use 1 to {MAX_TEXT_LENGTH} printable characters")
    return tidy


def make_slug(name: str) -> str:
    """The slug that a name suggests: lower-case ASCII, `-` for all else; never a number alone, never reserved."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:MAX_SLUG_LENGTH].rstrip("-_")
    if not slug:
        return NAMELESS
    if slug.isdigit() or slug in RESERVED_SLUGS:
        # A number would read as a version: `road/1`.
        return f"{NAMELESS}-{slug}"[:MAX_SLUG_LENGTH].rstrip("-_")
    return slug


def list_facts(ports: Ports, workspace: str) -> list[ProjectFacts]:
    """All projects of a workspace, oldest first."""
    return [find_facts(ports, project) for project in ports.store.list_projects(workspace)]


def find_facts(ports: Ports, project: Project) -> ProjectFacts:
    """What is told of a project."""
    counts = ports.store.count_pictures(project.workspace, project.slug)
    return ProjectFacts(project, counts, len(ports.store.list_versions(project.workspace, project.slug)))


def list_version_facts(ports: Ports, project: Project) -> list[VersionFacts]:
    """What is told of a project's versions, in order of number."""
    models = ports.store.list_models(project.workspace)
    written = _list_written(ports, project.workspace)
    versions = ports.store.list_versions(project.workspace, project.slug)
    return [_gather(ports, version, models, written) for version in versions]


def find_version_facts(ports: Ports, version: Version) -> VersionFacts:
    """What is told of a version."""
    models = ports.store.list_models(version.workspace)
    return _gather(ports, version, models, _list_written(ports, version.workspace))


def _gather(ports: Ports, version: Version, models: list[Model], written: set[str]) -> VersionFacts:
    trainings = ports.store.list_trainings(version.workspace, version.project, version.number)
    of_training: dict[str, Model] = {}
    for model in models:
        of_training.setdefault(model.training, model)
    return VersionFacts(
        version=version,
        trainings=tuple(trainings),
        model=next((of_training[training.id] for training in trainings if training.id in of_training), None),
        exports=tuple(
            name
            for name in EXPORT_FORMATS
            if export_subject(version, name) in written and _is_written(ports, version, name)
        ),
    )


def _list_written(ports: Ports, workspace: str) -> set[str]:
    """Subjects of the exports that are done."""
    jobs = ports.queue.list_jobs(workspace, JobKind.EXPORT)
    return {job.subject for job in jobs if job.state is JobState.DONE}


def _is_written(ports: Ports, version: Version, format_name: str) -> bool:
    job = find_export(ports, version, format_name)
    return job is not None and job.state is JobState.DONE


def _list_slugs(name: str) -> Iterator[str]:
    slug = make_slug(name)
    yield slug
    for number in count(2):
        if number > MAX_NAMESAKES:
            return
        tail = f"-{number}"
        yield slug[: MAX_SLUG_LENGTH - len(tail)].rstrip("-_") + tail
