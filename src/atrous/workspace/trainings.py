"""Trainings: one run on one version with one recipe."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from atrous.core.errors import NotFoundError
from atrous.workspace.records import Training, TrainingState

if TYPE_CHECKING:
    from collections.abc import Callable

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Version


def start_training(ports: Ports, version: Version, recipe: dict[str, Any]) -> Training:
    """Record a new training as running."""
    training = Training(
        id=secrets.token_hex(4),
        workspace=version.workspace,
        project=version.project,
        version=version.number,
        recipe=recipe,
        state=TrainingState.RUNNING,
        created=ports.clock.now(),
    )
    ports.store.add_training(training)
    return training


def resume_training(
    ports: Ports, version: Version, *, has_checkpoint: Callable[[Training], bool] = lambda _: True
) -> Training:
    """Take up the newest training of a version that has not ended.

    Args:
        ports: the world.
        version: what was trained on.
        has_checkpoint: asked of failed trainings alone; one that never got so far would fail again.

    Raises:
        NotFoundError: if there is none.
    """
    trainings = ports.store.list_trainings(version.workspace, version.project, version.number)
    for training in reversed(trainings):
        is_dead = training.state is TrainingState.FAILED and not has_checkpoint(training)
        # A killed process leaves its training as running, so that state is resumed too.
        if training.state is not TrainingState.DONE and not is_dead:
            ports.store.set_training_state(training.id, TrainingState.RUNNING, None)
            return training
    raise NotFoundError(f"version {version.id}: has no unfinished training to resume; train without --resume")


def end_training(ports: Ports, training: Training, state: TrainingState, error: str | None = None) -> None:
    """Record how a training ended."""
    ports.store.set_training_state(training.id, state, error)
