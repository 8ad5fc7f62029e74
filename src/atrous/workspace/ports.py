"""What the rules need of the world, each with a real twin in `adapters` and a fake in the tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from atrous.core.class_map import ClassMap
    from atrous.workspace.records import Key, Model, Picture, Project, Training, TrainingState, Version


class WorkspaceStore(Protocol):
    """Workspaces by slug."""

    def add_workspace(self, slug: str) -> None:
        """Keep a new workspace. Raises ConflictError if it exists."""
        ...

    def list_workspaces(self) -> list[str]:
        """Slugs, oldest first."""
        ...


class KeyStore(Protocol):
    """Keys by the hash of their secret."""

    def add_key(self, key: Key, digest: str) -> None:
        """Keep a key under the hash of its secret."""
        ...

    def find_key(self, digest: str) -> Key | None:
        """The key of this hash, revoked ones included."""
        ...

    def list_keys(self, workspace: str) -> list[Key]:
        """Oldest first, revoked ones included."""
        ...

    def revoke_key(self, workspace: str, key_id: str, when: datetime) -> bool:
        """Mark a key as revoked; False if there is none of this id that is still valid."""
        ...


class ProjectStore(Protocol):
    """Projects and their pictures."""

    def add_project(self, project: Project) -> None:
        """Keep a new project. Raises ConflictError if it exists."""
        ...

    def find_project(self, workspace: str, slug: str) -> Project | None:
        """The project, or None."""
        ...

    def list_projects(self, workspace: str) -> list[Project]:
        """Oldest first."""
        ...

    def set_class_map(self, workspace: str, slug: str, class_map: ClassMap) -> None:
        """Replace the project's class map."""
        ...

    def add_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> int:
        """Keep pictures whose image is not in the project yet; give how many were new."""
        ...

    def update_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> None:
        """Replace all that is kept of pictures that are in the project, found by their image, at once."""
        ...

    def list_pictures(self, workspace: str, project: str) -> list[Picture]:
        """In order of name, then of image hash."""
        ...


class VersionStore(Protocol):
    """Versions, numbered from 1 in each project."""

    def add_version(self, make: Callable[[int], Version], workspace: str, project: str) -> Version:
        """Keep what `make` gives for the next free number; no number is given twice."""
        ...

    def find_version(self, workspace: str, project: str, number: int) -> Version | None:
        """The version, or None."""
        ...

    def list_versions(self, workspace: str, project: str) -> list[Version]:
        """In order of number."""
        ...


class TrainingStore(Protocol):
    """Trainings of versions."""

    def add_training(self, training: Training) -> None:
        """Keep a new training."""
        ...

    def set_training_state(self, training_id: str, state: TrainingState, error: str | None) -> None:
        """Record where a training stands."""
        ...

    def list_trainings(self, workspace: str, project: str, version: int) -> list[Training]:
        """Oldest first."""
        ...


class ModelStore(Protocol):
    """Published models."""

    def add_model(self, model: Model) -> None:
        """Keep a new model. Raises ConflictError if its slug is taken."""
        ...

    def find_model(self, workspace: str, slug: str) -> Model | None:
        """The model of this slug, or None."""
        ...

    def list_models(self, workspace: str) -> list[Model]:
        """Oldest first."""
        ...


class Store(WorkspaceStore, KeyStore, ProjectStore, VersionStore, TrainingStore, ModelStore, Protocol):
    """Everything that is a row."""


class Blobs(Protocol):
    """Bytes by their sha256."""

    def put(self, data: bytes) -> str:
        """Keep bytes and give their sha256. Raises StorageError if the disk refuses."""
        ...

    def get(self, sha256: str) -> bytes:
        """The bytes. Raises NotFoundError if there are none."""
        ...

    def path(self, sha256: str) -> Path:
        """A local file holding the bytes, to be read only. Raises NotFoundError if there is none."""
        ...


class Bundles(Protocol):
    """Published model folders."""

    def publish(self, folder: Path, workspace: str, slug: str) -> None:
        """Copy a folder, all at once or not at all; what an interrupted publishing left there is replaced."""
        ...

    def locate(self, workspace: str, slug: str) -> Path:
        """The local folder of a model. Raises NotFoundError if it is gone."""
        ...


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Now, in UTC, with its time zone."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All of the world that the rules touch."""

    store: Store
    blobs: Blobs
    bundles: Bundles
    clock: Clock
