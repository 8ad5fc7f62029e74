"""The trash: projects, versions and trainings are kept for 30 days after they were deleted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from atrous.core.errors import ConflictError, NotFoundError
from atrous.workspace.trainings import IN_FLIGHT, cancel_training, restore_training
from atrous.workspace.versions import find_project, find_version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from atrous.core.ids import VersionId
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Project, Training, Version
    from atrous.workspace.trainings import AliasChange

RETENTION = timedelta(days=30)


class TrashKind(StrEnum):
    """What can be in the trash."""

    PROJECT = "project"
    VERSION = "version"
    TRAINING = "training"


@dataclass(frozen=True, slots=True)
class TrashItem:
    """Something in the trash.

    Attributes:
        kind: what it is.
        id: a project's slug, a version's number, a training's id.
        name: what people call it.
        project: slug of the project it is, or is in.
        parent: what it is in as people call it, such as `Road` or `road/1`; empty for a project.
        deleted: when it went there.
    """

    kind: TrashKind
    id: str
    name: str
    project: str
    parent: str
    deleted: datetime

    @property
    def cleanup(self) -> datetime:
        """When it is forgotten for good."""
        return self.deleted + RETENTION


def delete_project(ports: Ports, workspace: str, slug: str) -> None:
    """Put a project in the trash, which hides all that is in it; its trainings in flight are cancelled.

    Raises:
        NotFoundError: if there is no such project.
    """
    project = find_project(ports, workspace, slug)
    for version in ports.store.list_versions(workspace, project.slug):
        _cancel_trainings(ports, version)
    ports.store.set_project_deleted(workspace, slug, ports.clock.now())


def restore_project(ports: Ports, workspace: str, slug: str) -> None:
    """Take a project back out of the trash.

    Raises:
        NotFoundError: if it is not there.
    """
    if not any(project.slug == slug for project in ports.store.list_projects(workspace, deleted=True)):
        raise NotFoundError(f"project {slug!r}: is not in the trash; `atrous project list --trash` shows what is")
    ports.store.set_project_deleted(workspace, slug, None)


def delete_version(ports: Ports, workspace: str, version_id: VersionId) -> None:
    """Put a version in the trash, with its models; its trainings in flight are cancelled.

    Raises:
        NotFoundError: if there is no such version.
    """
    version = find_version(ports, workspace, version_id)
    _cancel_trainings(ports, version)
    ports.store.set_version_deleted(workspace, version.project, version.number, ports.clock.now())


def restore_version(ports: Ports, workspace: str, version_id: VersionId) -> None:
    """Take a version back out of the trash.

    Raises:
        NotFoundError: if it is not there.
        ConflictError: if its project is in the trash too.
    """
    project, number = version_id.project, version_id.number
    if any(one.slug == project for one in ports.store.list_projects(workspace, deleted=True)):
        raise ConflictError(f"version {version_id}: its project is in the trash too; restore the project first")
    in_trash = ports.store.list_versions(workspace, project, deleted=True)
    if not any(version.number == number for version in in_trash):
        raise NotFoundError(f"version {version_id}: is not in the trash")
    ports.store.set_version_deleted(workspace, project, number, None)


def list_trash(ports: Ports, workspace: str) -> list[TrashItem]:
    """What can be restored, the last deleted first; what is inside of it is not listed by itself."""
    items = [
        TrashItem(TrashKind.PROJECT, project.slug, project.name or project.slug, project.slug, "", project.deleted)
        for project in ports.store.list_projects(workspace, deleted=True)
        if project.deleted
    ]
    for project in ports.store.list_projects(workspace):
        items += _list_versions(ports, project)
        for version in ports.store.list_versions(workspace, project.slug):
            items += _list_trainings(ports, version)
    return sorted(items, key=lambda item: item.deleted, reverse=True)


def restore_training_of(ports: Ports, workspace: str, training_id: str) -> tuple[Training, AliasChange]:
    """Take a training back out of the trash; tell what became of `project/version`.

    Raises:
        NotFoundError: if it is not there.
        ConflictError: if its version or project is in the trash too.
    """
    training = ports.store.find_training(workspace, training_id, deleted=True)
    if training is None:
        raise NotFoundError(f"training {training_id[:64]!r}: is not in the trash")
    if ports.store.find_version(workspace, training.project, training.version) is None:
        raise ConflictError(
            f"training {training_id}: version {training.project}/{training.version} is in the trash too; restore that "
            "first"
        )
    return training, restore_training(ports, workspace, training_id)


def empty_trash(ports: Ports, now: datetime) -> list[TrashItem]:
    """Forget for good what was deleted more than 30 days before now, in all workspaces; give what it was."""
    gone: list[TrashItem] = []
    for workspace in ports.store.list_workspaces():
        for item in list_trash(ports, workspace):
            if item.cleanup <= now:
                _forget(ports, workspace, item)
                gone.append(item)
    return gone


def _forget(ports: Ports, workspace: str, item: TrashItem) -> None:
    match item.kind:
        case TrashKind.PROJECT:
            ports.store.remove_project(workspace, item.id)
        case TrashKind.VERSION:
            ports.store.remove_version(workspace, item.project, int(item.id))
        case TrashKind.TRAINING:
            ports.store.remove_training(workspace, item.id)


def _list_versions(ports: Ports, project: Project) -> Iterator[TrashItem]:
    parent = project.name or project.slug
    for version in ports.store.list_versions(project.workspace, project.slug, deleted=True):
        if version.deleted:
            number = str(version.number)
            name = version.name or f"v{number}"
            yield TrashItem(TrashKind.VERSION, number, name, project.slug, parent, version.deleted)


def _list_trainings(ports: Ports, version: Version) -> Iterator[TrashItem]:
    trainings = ports.store.list_trainings(version.workspace, version.project, version.number, deleted=True)
    for training in trainings:
        if training.deleted:
            name = training.model_type or "training"
            parent = str(version.id)
            yield TrashItem(TrashKind.TRAINING, training.id, name, version.project, parent, training.deleted)


def _cancel_trainings(ports: Ports, version: Version) -> None:
    for training in ports.store.list_trainings(version.workspace, version.project, version.number):
        if training.state in IN_FLIGHT:
            # It may end by itself meanwhile.
            with suppress(ConflictError):
                cancel_training(ports, training)
