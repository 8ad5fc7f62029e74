"""What the rules need of the world, each with a real twin in `adapters` and a fake in the tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta
    from pathlib import Path

    from atrous.core.class_map import ClassMap
    from atrous.core.ids import VersionId
    from atrous.datasets.splits import Split
    from atrous.workspace.records import (
        AnnotationJob,
        EvaluationState,
        HeldMask,
        Job,
        JobKind,
        JobState,
        Key,
        Model,
        ModelEvaluation,
        Picture,
        Project,
        Training,
        Version,
        Wish,
    )
    from atrous.workspace.search import Search


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

    def rotate_key(
        self, workspace: str, key_id: str, digest: str, prefix: str, *, when: datetime, grace_until: datetime
    ) -> bool:
        """Give a key another secret; its last one stays valid until then. False if there is no such valid key."""
        ...


@dataclass(frozen=True, slots=True)
class PictureCounts:
    """Pictures of a project.

    Attributes:
        splits: how many by split; splits without pictures are left out.
        unlabelled: how many have no label.
        classes: class id -> how many show it.
    """

    splits: dict[Split, int]
    unlabelled: int
    classes: dict[int, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.splits.values())


@dataclass(frozen=True, slots=True)
class PictureSizes:
    """Sizes of a project's pictures, in pixels; zeros without pictures.

    Attributes:
        mean_width: over all pictures.
        mean_height: over all pictures.
        median_ratio: of width to height.
        with_objects: how many show a class besides background.
    """

    mean_width: float
    mean_height: float
    median_ratio: float
    with_objects: int


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """Pictures that came under one name; `created` is when the first of them did."""

    name: str
    pictures: int
    unlabelled: int
    created: datetime | None


class ProjectStore(Protocol):
    """Projects. Those in the trash are found only where it says so."""

    def add_project(self, project: Project) -> None:
        """Keep a new project. Raises ConflictError if it exists, also in the trash."""
        ...

    def find_project(self, workspace: str, slug: str) -> Project | None:
        """The project, or None."""
        ...

    def list_projects(self, workspace: str, *, deleted: bool = False) -> list[Project]:
        """Oldest first; those in the trash alone if asked for."""
        ...

    def set_project(self, project: Project) -> None:
        """Replace all that is kept of a project, in the trash or not, but for its classes."""
        ...

    def touch_project(self, workspace: str, slug: str, when: datetime) -> None:
        """Record that a project's pictures or classes changed."""
        ...

    def set_class_map(self, workspace: str, slug: str, class_map: ClassMap) -> None:
        """Replace the project's class map."""
        ...

    def extend_classes(self, workspace: str, slug: str, names: Sequence[str]) -> ClassMap:
        """Add the names that the project lacks, at the end, and give all; callers at the same time see each other's.

        Raises ConflictError if there would be too many.
        """
        ...

    def remove_project(self, workspace: str, slug: str) -> None:
        """Forget a project with its pictures, versions, trainings, models and evaluations, for good."""
        ...


class PictureStore(Protocol):
    """Pictures of projects."""

    def add_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> int:
        """Keep pictures whose image is not in the project yet; give how many were new."""
        ...

    def update_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> None:
        """Replace all that is kept of pictures but their ids; they are found in the project by their image."""
        ...

    def change_picture(self, workspace: str, picture_id: str, change: Callable[[Picture], Picture]) -> Picture | None:
        """Replace all that is kept of a picture but its id by what `change` makes of it; None if there is none.

        Nobody else changes it meanwhile, so nothing of what others wrote is lost.
        """
        ...

    def change_pictures(
        self, workspace: str, project: str, images: Sequence[str], change: Callable[[Picture], Picture]
    ) -> None:
        """The same for pictures of a project, all or none, found by their images; those that are gone stay so."""
        ...

    def remove_pictures(self, workspace: str, project: str, ids: Sequence[str]) -> int:
        """Take pictures out of a project; give how many were there."""
        ...

    def list_pictures(self, workspace: str, project: str) -> list[Picture]:
        """In order of name, then of image hash."""
        ...

    def find_picture(self, workspace: str, picture_id: str) -> tuple[Project, Picture] | None:
        """A picture by its id, in whichever project of the workspace it is."""
        ...

    def find_image(self, workspace: str, project: str, image_sha256: str) -> Picture | None:
        """A picture by its image."""
        ...

    def list_named(self, workspace: str, project: str, names: Sequence[str]) -> list[Picture]:
        """The pictures that have one of these names, of which there may be at most a few hundred; oldest first."""
        ...

    def count_pictures(self, workspace: str, project: str) -> PictureCounts:
        """How many there are, without looking at each."""
        ...

    def measure_pictures(self, workspace: str, project: str) -> PictureSizes:
        """How large they are, and how many show an object."""
        ...

    def search_pictures(self, workspace: str, search: Search) -> tuple[list[tuple[Project, Picture]], int]:
        """A page of what is searched for, and how many there are in all."""
        ...

    def list_batches(self, workspace: str, project: str) -> list[BatchCounts]:
        """The named batches, oldest first."""
        ...

    def hold_mask(self, workspace: str, project: str, mask: HeldMask) -> None:
        """Keep a mask until its picture comes; a newer one of the same name replaces it."""
        ...

    def find_held_mask(self, workspace: str, project: str, batch: str, stem: str) -> HeldMask | None:
        """A mask that waits, or None."""
        ...

    def take_mask(self, workspace: str, project: str, batch: str, stem: str) -> HeldMask | None:
        """Give and forget a mask."""
        ...

    def list_held_masks(self, workspace: str, project: str) -> list[HeldMask]:
        """Oldest first."""
        ...

    def add_annotation_job(self, job: AnnotationJob) -> None:
        """Keep a new annotation job."""
        ...

    def list_annotation_jobs(self, workspace: str, project: str) -> list[AnnotationJob]:
        """Oldest first."""
        ...


class VersionStore(Protocol):
    """Versions, numbered from 1 in each project. Those in the trash are found only where it says so."""

    def add_version(self, make: Callable[[int], Version], workspace: str, project: str) -> Version:
        """Keep what `make` gives for the next free number; no number is given twice."""
        ...

    def find_version(self, workspace: str, project: str, number: int) -> Version | None:
        """The version, or None."""
        ...

    def list_versions(self, workspace: str, project: str, *, deleted: bool = False) -> list[Version]:
        """In order of number; those in the trash alone if asked for."""
        ...

    def set_version(self, version: Version) -> None:
        """Replace all that is kept of a version, in the trash or not."""
        ...

    def remove_version(self, workspace: str, project: str, number: int) -> None:
        """Forget a version with its trainings, models and evaluations, for good; its number is not given again."""
        ...


class TrashStore(Protocol):
    """What is in the trash, and what is back; nothing else of a row is written, as others may be writing it."""

    def set_project_deleted(self, workspace: str, slug: str, deleted: datetime | None) -> bool:
        """Say when a project was deleted, or that it was not; False if there is none."""
        ...

    def set_version_deleted(self, workspace: str, project: str, number: int, deleted: datetime | None) -> bool:
        """The same for a version."""
        ...


class TrainingStore(Protocol):
    """Trainings of versions. Those in the trash are found only where it says so."""

    def add_training(self, training: Training) -> None:
        """Keep a new training."""
        ...

    def find_training(self, workspace: str, training_id: str, *, deleted: bool = False) -> Training | None:
        """The training, or None; one in the trash if asked for."""
        ...

    def set_training(self, training: Training) -> None:
        """Replace all that is kept of a training, in the trash or not."""
        ...

    def list_trainings(self, workspace: str, project: str, version: int, *, deleted: bool = False) -> list[Training]:
        """Oldest first; those in the trash alone if asked for."""
        ...

    def list_open_trainings(self) -> list[Training]:
        """Those that are queued or run, of all workspaces, oldest first."""
        ...

    def remove_training(self, workspace: str, training_id: str) -> None:
        """Forget a training with its models and their evaluations, for good."""
        ...


class ModelStore(Protocol):
    """Published models."""

    def add_model(self, model: Model) -> None:
        """Keep a new model. Raises ConflictError if its slug is taken."""
        ...

    def find_model(self, workspace: str, slug: str) -> Model | None:
        """The model of this slug, or None."""
        ...

    def find_version_model(self, workspace: str, version: VersionId) -> Model | None:
        """The first model of the oldest training of a version that has one, or None; trash does not count."""
        ...

    def find_training_model(self, training: Training) -> Model | None:
        """The first model of a training, or None; also while it is in the trash."""
        ...

    def list_models(self, workspace: str) -> list[Model]:
        """Oldest first, without those whose training, version or project is in the trash."""
        ...

    def add_metrics(self, workspace: str, slug: str, metrics: Mapping[str, Any]) -> None:
        """Put figures beside those of a model, in place of those of the same names, if there is such a model."""
        ...


@dataclass(frozen=True, slots=True)
class EvaluationFilter:
    """Which evaluations are meant; None is any."""

    project: str | None = None
    version: int | None = None
    model: str | None = None
    state: EvaluationState | None = None


class EvaluationStore(Protocol):
    """Evaluations of models. Those of models in the trash are not found."""

    def add_evaluation(self, evaluation: ModelEvaluation) -> None:
        """Keep a new evaluation."""
        ...

    def set_evaluation(self, evaluation: ModelEvaluation) -> None:
        """Replace all that is kept of an evaluation."""
        ...

    def find_evaluation(self, workspace: str, evaluation_id: str) -> ModelEvaluation | None:
        """The evaluation, or None."""
        ...

    def list_evaluations(
        self, workspace: str, which: EvaluationFilter | None = None, *, limit: int | None = None
    ) -> list[ModelEvaluation]:
        """Newest first; all if no limit is given."""
        ...


class SecretStore(Protocol):
    """Secrets that the server signs with, shared by all servers of one store."""

    def keep_secret(self, name: str, fresh: str) -> str:
        """Give the secret of this name, which is `fresh` where there was none."""
        ...


class Snapshot(Protocol):
    """All rows of a store as they were at one moment."""

    @property
    def revision(self) -> str:
        """What the shape of the rows is called."""
        ...

    @property
    def tables(self) -> Sequence[str]:
        """Names of all tables, each after those that its rows belong to."""
        ...

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of a table as values of JSON: times in ISO 8601, bytes in hexadecimal digits."""
        ...


class RowStore(Protocol):
    """Rows of every kind, as plain values."""

    def open_snapshot(self) -> AbstractContextManager[Snapshot]:
        """See all rows as they are now, whatever others change meanwhile."""
        ...

    def load_rows(self, revision: str, tables: Iterable[tuple[str, Iterable[Mapping[str, Any]]]]) -> None:
        """Fill an empty store with what a snapshot gave, also one of an older release; all of it or nothing.

        Raises ConflictError if the store is not empty, InvalidInputError if the rows are of a newer release.
        """
        ...


class Store(
    WorkspaceStore,
    KeyStore,
    ProjectStore,
    PictureStore,
    VersionStore,
    TrashStore,
    TrainingStore,
    ModelStore,
    EvaluationStore,
    SecretStore,
    RowStore,
    Protocol,
):
    """Everything that is a row."""


class Queue(Protocol):
    """Jobs, each held by one worker at a time.

    A worker holds a job by a lease that it renews; once a lease has run out, any worker may take the job. A worker that
    comes back later is told so by ConflictError, whatever it asks for.
    """

    def add_job(self, job: Job) -> None:
        """Put a new job at the end."""
        ...

    def find_job(self, workspace: str, job_id: str) -> Job | None:
        """The job, or None."""
        ...

    def list_jobs(
        self, workspace: str | None = None, kind: JobKind | None = None, subject: str | None = None
    ) -> list[Job]:
        """Oldest first, those that are over included."""
        ...

    def claim_job(self, owner: str, kinds: Sequence[JobKind], now: datetime, until: datetime) -> Job | None:
        """Take the oldest job that is queued or whose lease has run out, and count the attempt; None if none is."""
        ...

    def renew_lease(self, job_id: str, owner: str, until: datetime, progress: Mapping[str, Any] | None) -> Wish | None:
        """Hold a job longer and tell how far it is.

        Progress counts by its number `done` (or `current`): where that is less than before, what was told before stays;
        where it is more, the count of attempts starts again.

        Gives what a person wants of the job. Raises ConflictError if somebody else holds it now.
        """
        ...

    def release_job(self, job_id: str, owner: str) -> None:
        """Put a job back, to be taken at once. Raises ConflictError if somebody else holds it now."""
        ...

    def end_job(
        self,
        job_id: str,
        owner: str,
        state: JobState,
        now: datetime,
        *,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Record how a job ended. Raises ConflictError if somebody else holds it now."""
        ...

    def ask_job(self, workspace: str, job_id: str, wish: Wish, now: datetime) -> Job | None:
        """Say what is wanted of a job, and give it; one that nobody runs yet is cancelled at once.

        Who wanted it cancelled is not overruled. None if there is no such job or it is over.
        """
        ...


class Blobs(Protocol):
    """Bytes by their sha256."""

    def put(self, data: bytes) -> str:
        """Keep bytes and give their sha256. Raises StorageError if the disk refuses."""
        ...

    def get(self, sha256: str) -> bytes:
        """The bytes. Raises NotFoundError if there are none."""
        ...

    def put_file(self, path: Path) -> str:
        """Keep a file's bytes, however many, and give their sha256. Raises StorageError if the disk refuses."""
        ...

    def path(self, sha256: str) -> Path:
        """A local file holding the bytes, to be read only. Raises NotFoundError if there is none."""
        ...

    def verify(self, sha256: str) -> bool:
        """Whether the bytes are still those that were put. Raises NotFoundError if there are none."""
        ...

    def has(self, sha256: str) -> bool:
        """Whether there are bytes of this hash."""
        ...

    def list(self) -> Iterator[str]:
        """The sha256 of all that is kept, in no order."""
        ...

    def find_age(self, sha256: str, now: datetime) -> timedelta | None:
        """How long ago they were last put; None if there are none."""
        ...

    def remove(self, sha256: str) -> None:
        """Forget bytes, if there are any of this hash."""
        ...


class Bundles(Protocol):
    """Published model folders."""

    def publish(self, folder: Path, workspace: str, slug: str) -> None:
        """Copy a folder, all at once or not at all; what an interrupted publishing left there is replaced."""
        ...

    def locate(self, workspace: str, slug: str) -> Path:
        """The local folder of a model. Raises NotFoundError if it is gone."""
        ...

    def list(self) -> Iterator[tuple[str, str]]:
        """Workspace and slug of all that is published, in no order."""
        ...

    def find_age(self, workspace: str, slug: str, now: datetime) -> timedelta | None:
        """How long ago a model was published; None if it is gone."""
        ...

    def remove(self, workspace: str, slug: str) -> None:
        """Forget a folder, if there is one."""
        ...


class Archive(Protocol):
    """A backup: blobs, and a manifest that names those that belong to it."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    @property
    def blobs(self) -> Blobs:
        """What the backup consists of."""
        ...

    def read_manifest(self) -> bytes | None:
        """The manifest; None before the first backup was finished."""
        ...

    def write_manifest(self, content: bytes) -> None:
        """Make this the backup, in one step. Raises StorageError if the disk refuses."""
        ...

    def open_draft(self) -> AbstractContextManager[Path]:
        """A folder for what is being written, gone afterwards."""
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
    queue: Queue
