"""Ports that live in dicts and, where a path is needed, in a folder of the test."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from atrous.core.errors import ConflictError, NotFoundError
from atrous.workspace.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from atrous.core.class_map import ClassMap
    from atrous.workspace.records import Key, Model, Picture, Project, Training, TrainingState, Version

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeStore:
    """Every row in a dict, in the order it came."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._workspaces: list[str] = []
        self._keys: dict[str, Key] = {}
        self._projects: dict[tuple[str, str], Project] = {}
        self._pictures: dict[tuple[str, str], dict[str, Picture]] = {}
        self._versions: dict[tuple[str, str], list[Version]] = {}
        self._trainings: dict[str, Training] = {}
        self._models: dict[tuple[str, str], Model] = {}

    def add_workspace(self, slug: str) -> None:
        if slug in self._workspaces:
            raise ConflictError(f"workspace {slug!r}: exists already")
        self._workspaces.append(slug)

    def list_workspaces(self) -> list[str]:
        return list(self._workspaces)

    def add_key(self, key: Key, digest: str) -> None:
        self._keys[digest] = key

    def find_key(self, digest: str) -> Key | None:
        return self._keys.get(digest)

    def list_keys(self, workspace: str) -> list[Key]:
        return [key for key in self._keys.values() if key.workspace == workspace]

    def revoke_key(self, workspace: str, key_id: str, when: datetime) -> bool:
        for digest, key in self._keys.items():
            if (key.workspace, key.id, key.revoked) == (workspace, key_id, None):
                self._keys[digest] = replace(key, revoked=when)
                return True
        return False

    def add_project(self, project: Project) -> None:
        place = (project.workspace, project.slug)
        if place in self._projects:
            raise ConflictError(f"project {project.slug!r}: exists already")
        self._projects[place] = project

    def find_project(self, workspace: str, slug: str) -> Project | None:
        return self._projects.get((workspace, slug))

    def list_projects(self, workspace: str) -> list[Project]:
        return [project for project in self._projects.values() if project.workspace == workspace]

    def set_class_map(self, workspace: str, slug: str, class_map: ClassMap) -> None:
        self._projects[workspace, slug] = replace(self._projects[workspace, slug], class_map=class_map)

    def add_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> int:
        kept = self._pictures.setdefault((workspace, project), {})
        before = len(kept)
        for picture in pictures:
            kept.setdefault(picture.image_sha256, picture)
        return len(kept) - before

    def update_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> None:
        kept = self._pictures[workspace, project]
        kept |= {picture.image_sha256: picture for picture in pictures if picture.image_sha256 in kept}

    def list_pictures(self, workspace: str, project: str) -> list[Picture]:
        kept = self._pictures.get((workspace, project), {})
        return sorted(kept.values(), key=lambda picture: (picture.name, picture.image_sha256))

    def add_version(self, make: Callable[[int], Version], workspace: str, project: str) -> Version:
        with self._lock:
            kept = self._versions.setdefault((workspace, project), [])
            version = make(len(kept) + 1)
            kept.append(version)
            return version

    def find_version(self, workspace: str, project: str, number: int) -> Version | None:
        kept = self._versions.get((workspace, project), [])
        return next((version for version in kept if version.number == number), None)

    def list_versions(self, workspace: str, project: str) -> list[Version]:
        return list(self._versions.get((workspace, project), []))

    def add_training(self, training: Training) -> None:
        self._trainings[training.id] = training

    def set_training_state(self, training_id: str, state: TrainingState, error: str | None) -> None:
        self._trainings[training_id] = replace(self._trainings[training_id], state=state, error=error)

    def list_trainings(self, workspace: str, project: str, version: int) -> list[Training]:
        place = (workspace, project, version)
        return [one for one in self._trainings.values() if (one.workspace, one.project, one.version) == place]

    def add_model(self, model: Model) -> None:
        with self._lock:
            if (model.workspace, model.slug) in self._models:
                raise ConflictError(f"model {model.slug!r}: exists already")
            self._models[model.workspace, model.slug] = model

    def find_model(self, workspace: str, slug: str) -> Model | None:
        return self._models.get((workspace, slug))

    def list_models(self, workspace: str) -> list[Model]:
        return [model for model in list(self._models.values()) if model.workspace == workspace]


class FakeBlobs:
    """Bytes in a dict; a file is written only when its path is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self._bytes[sha256] = data
        return sha256

    def get(self, sha256: str) -> bytes:
        if sha256 not in self._bytes:
            raise NotFoundError(f"blob {sha256}: not found")
        return self._bytes[sha256]

    def path(self, sha256: str) -> Path:
        data = self.get(sha256)
        path = self._folder / sha256
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return path


class FakeBundles:
    """Published folders, moved under a folder of the test as the real twin moves them under the home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, folder: Path, workspace: str, slug: str) -> None:
        target = self._folder / workspace / slug
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)

    def locate(self, workspace: str, slug: str) -> Path:
        target = self._folder / workspace / slug
        if not target.is_dir():
            raise NotFoundError(f"model {workspace}/{slug}: its folder is gone")
        return target


class FakeClock:
    """A second later each time it is asked."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


def fake_ports(folder: Path) -> Ports:
    """Empty ports; what needs a path lies under the folder."""
    return Ports(
        store=FakeStore(),
        blobs=FakeBlobs(folder / "blobs"),
        bundles=FakeBundles(folder / "models"),
        clock=FakeClock(),
    )
