"""Trainings: one run on one version with one recipe, by a worker or by a process of its own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from atrous.core.errors import ConflictError, NotFoundError
from atrous.core.ids import VersionId
from atrous.workspace.jobs import add_job
from atrous.workspace.records import JobKind, JobState, Training, TrainingState, VersionState, Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Model, Version

IN_FLIGHT = frozenset({TrainingState.QUEUED, TrainingState.RUNNING})
# What is left of a training whose job is over, should nobody have lived to record it.
STATE_AFTER = {
    JobState.DONE: TrainingState.DONE,
    JobState.FAILED: TrainingState.FAILED,
    JobState.CANCELLED: TrainingState.CANCELLED,
}
# Longer than anybody takes from the training's row to its job.
LOST_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class AliasChange:
    """What became of `project/version`, the alias of a version's first model.

    Attributes:
        action: `repointed` if it stands for another model now, `deleted` if for none any more, None if nothing changed.
        target: slug of the model that it stands for now; None if it stands for none.
    """

    action: str | None
    target: str | None


def queue_training(ports: Ports, version: Version, recipe: Mapping[str, Any], *, model_type: str = "") -> Training:
    """Record a new training and put it into the queue of the workers.

    Args:
        ports: the world.
        version: what to train on.
        recipe: all choices, as `Recipe.as_json` gives them.
        model_type: what its starter called the kind of model.

    Raises:
        ConflictError: if the version is still being made, or could not be.
    """
    if version.state is not VersionState.READY:
        raise ConflictError(f"version {version.id}: is {version.state}; train on it once it is ready")
    training = _make_training(ports, version, recipe, TrainingState.QUEUED, model_type)
    ports.store.add_training(training)
    _add_train_job(ports, training)
    return training


def start_training(ports: Ports, version: Version, recipe: Mapping[str, Any]) -> Training:
    """Record a new training as running, in this process and not through the queue."""
    training = _make_training(ports, version, recipe, TrainingState.RUNNING)
    ports.store.add_training(training)
    return training


def resume_training(
    ports: Ports, version: Version, *, has_checkpoint: Callable[[Training], bool] = lambda _: True
) -> Training:
    """Take up the newest training of a version that has not ended, in this process.

    Args:
        ports: the world.
        version: what was trained on.
        has_checkpoint: asked of failed trainings alone; one that never got so far would fail again.

    Raises:
        NotFoundError: if there is none.
        ConflictError: if a worker has it, or will.
    """
    trainings = ports.store.list_trainings(version.workspace, version.project, version.number)
    for training in reversed(trainings):
        is_dead = training.state is TrainingState.FAILED and not has_checkpoint(training)
        # A killed process leaves its training as running, so that state is resumed too.
        if is_dead or training.state in {TrainingState.DONE, TrainingState.CANCELLED}:
            continue
        if _has_open_job(ports, training):
            raise ConflictError(
                f"training {training.id}: is {training.state} in the workers' queue; wait for it or cancel it there"
            )
        return begin_training(ports, training)
    raise NotFoundError(f"version {version.id}: has no unfinished training to resume; train without --resume")


def find_training(ports: Ports, workspace: str, training_id: str) -> Training:
    """Find a training of a workspace.

    Raises:
        NotFoundError: if it has none of this id, or has it in the trash.
    """
    training = ports.store.find_training(workspace, training_id)
    if training is None:
        raise NotFoundError(f"training {training_id[:64]!r}: not found in this workspace; list those of the version")
    return training


def begin_training(ports: Ports, training: Training) -> Training:
    """Record that a training runs, from now on."""
    return _keep(ports, training, state=TrainingState.RUNNING, error=None, started=ports.clock.now(), ended=None)


def record_epochs(ports: Ports, training: Training, epochs: Sequence[Mapping[str, Any]]) -> Training:
    """Record the figures of all epochs that are finished."""
    return _keep(ports, training, epochs=tuple(epochs))


def give_back_training(ports: Ports, training: Training) -> Training:
    """Record that a training waits for a worker again, which goes on from the last checkpoint."""
    return _keep(ports, training, state=TrainingState.QUEUED, error=None)


def end_training(ports: Ports, training: Training, state: TrainingState, error: str | None = None) -> Training:
    """Record how a training ended."""
    return _keep(ports, training, state=state, error=error, ended=ports.clock.now())


def stop_training(ports: Ports, training: Training) -> Training:
    """Let a training end after its current step and publish its best weights; one that has not begun is cancelled.

    Raises:
        ConflictError: if it is neither queued nor running, or not by a worker.
    """
    return _ask(ports, training, Wish.STOP)


def cancel_training(ports: Ports, training: Training) -> Training:
    """Let a training end at once; nothing of it is kept but its row.

    Raises:
        ConflictError: if it is neither queued nor running, or not by a worker.
    """
    return _ask(ports, training, Wish.CANCEL)


def delete_training(ports: Ports, training: Training) -> AliasChange:
    """Put a training into the trash; its models are not found any more.

    Raises:
        ConflictError: if it is queued or runs.
    """
    current = _settle(ports, training)
    if current.state in IN_FLIGHT:
        raise ConflictError(f"training {training.id}: is {current.state}; cancel it first, then delete it")
    before = _find_alias(ports, current)
    ports.store.set_training(replace(current, deleted=ports.clock.now()))
    return _compare_aliases(before, _find_alias(ports, current))


def restore_training(ports: Ports, workspace: str, training_id: str) -> AliasChange:
    """Take a training out of the trash.

    Raises:
        NotFoundError: if the workspace's trash has none of this id.
    """
    training = ports.store.find_training(workspace, training_id, deleted=True)
    if training is None:
        raise NotFoundError(f"training {training_id[:64]!r}: is not in the trash; list what is there")
    before = _find_alias(ports, training)
    ports.store.set_training(replace(training, deleted=None))
    return _compare_aliases(before, _find_alias(ports, training))


def settle_trainings(ports: Ports) -> None:
    """Bring trainings in line with their jobs, where somebody was killed between the one and the other."""
    for training in ports.store.list_open_trainings():
        is_lost = ports.clock.now() - training.created > LOST_AFTER
        if training.state is TrainingState.QUEUED and is_lost and _find_job(ports, training) is None:
            _add_train_job(ports, training)
        else:
            _settle(ports, training)


def _make_training(
    ports: Ports, version: Version, recipe: Mapping[str, Any], state: TrainingState, model_type: str = ""
) -> Training:
    now = ports.clock.now()
    return Training(
        id=secrets.token_hex(4),
        workspace=version.workspace,
        project=version.project,
        version=version.number,
        recipe=dict(recipe),
        state=state,
        created=now,
        model_type=model_type,
        started=now if state is TrainingState.RUNNING else None,
    )


def _keep(ports: Ports, training: Training, **changes: Any) -> Training:
    """Change what is kept of a training by now, which may be more than the caller knows."""
    current = replace(ports.store.find_training(training.workspace, training.id) or training, **changes)
    ports.store.set_training(current)
    return current


def _job_id(training: Training) -> str:
    """Of the one job that a training has, so that it is never queued twice."""
    return f"train-{training.id}"


def _add_train_job(ports: Ports, training: Training) -> None:
    add_job(ports, JobKind.TRAIN, training.workspace, training.id, job_id=_job_id(training))


def _find_job(ports: Ports, training: Training) -> Job | None:
    return ports.queue.find_job(training.workspace, _job_id(training))


def _has_open_job(ports: Ports, training: Training) -> bool:
    job = _find_job(ports, training)
    return job is not None and not job.state.is_final


def _ask(ports: Ports, training: Training, wish: Wish) -> Training:
    current = _settle(ports, training)
    if current.state not in IN_FLIGHT:
        raise ConflictError(f"training {training.id}: is {current.state}, so there is nothing to {wish}")
    job = ports.queue.ask_job(training.workspace, _job_id(training), wish, ports.clock.now())
    if job is None:
        raise ConflictError(
            f"training {training.id}: no worker has it, so it cannot be asked to {wish}; end it where it was started"
        )
    if job.state is JobState.CANCELLED:
        return end_training(ports, current, TrainingState.CANCELLED)
    return current


def _settle(ports: Ports, training: Training) -> Training:
    """The training as it is kept, in line with its job if that is over."""
    current = ports.store.find_training(training.workspace, training.id) or training
    job = _find_job(ports, current) if current.state in IN_FLIGHT else None
    if job is None or not job.state.is_final:
        return current
    return end_training(ports, current, STATE_AFTER[job.state], job.error)


def _find_alias(ports: Ports, training: Training) -> Model | None:
    return ports.store.find_version_model(training.workspace, VersionId(training.project, training.version))


def _compare_aliases(before: Model | None, after: Model | None) -> AliasChange:
    if before == after:
        return AliasChange(None, after.slug if after else None)
    return AliasChange("repointed", after.slug) if after else AliasChange("deleted", None)
