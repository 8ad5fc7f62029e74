"""Which training of a version is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.errors import ConflictError, NotFoundError
from atrous.workspace.trainings import IN_FLIGHT, find_training
from atrous.workspace.versions import find_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.core.ids import VersionId
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Training

SHOWN_IDS = 5


def list_version_trainings(ports: Ports, workspace: str, version: VersionId) -> list[Training]:
    """All trainings of a version, oldest first.

    Raises:
        NotFoundError: if there is no such version.
    """
    found = find_version(ports, workspace, version)
    return ports.store.list_trainings(workspace, found.project, found.number)


def find_version_training(ports: Ports, workspace: str, version: VersionId, training_id: str | None) -> Training:
    """A training of a version; without an id its only one.

    Raises:
        NotFoundError: if there is none.
        ConflictError: if there are several and no id.
    """
    if not training_id:
        return _take_only(list_version_trainings(ports, workspace, version), version)
    training = find_training(ports, workspace, training_id)
    if (training.project, training.version) != (version.project, version.number):
        raise NotFoundError(f"training {training.id}: is not of version {version}; list those of the version")
    return training


def find_open_training(
    ports: Ports, workspace: str, version: VersionId, training_id: str | None, purpose: str
) -> Training:
    """A training of a version that is queued or runs; without an id the only one that does.

    Args:
        ports: the world.
        workspace: whose version it is.
        version: its id.
        training_id: of the training.
        purpose: what the caller is about to do with it, such as `cancel`.

    Raises:
        NotFoundError: if there is no such version or training.
        ConflictError: if none is under way, or several and no id.
    """
    if training_id:
        trainings = [find_version_training(ports, workspace, version, training_id)]
    else:
        trainings = list_version_trainings(ports, workspace, version)
    under_way = [training for training in trainings if training.state in IN_FLIGHT]
    if not under_way:
        why = f"training {training_id} is {trainings[0].state}" if training_id else "it has no training under way"
        # Clients look for the word and the verb together.
        raise ConflictError(f"version {version}: Cannot {purpose}, because {why}")
    return _take_only(under_way, version)


def _take_only(trainings: Sequence[Training], version: VersionId) -> Training:
    if not trainings:
        raise NotFoundError(f"version {version}: has no training; start one")
    if len(trainings) > 1:
        ids = ", ".join(training.id for training in trainings[-SHOWN_IDS:])
        raise ConflictError(f"version {version}: has {len(trainings)} trainings; name one by trainingId, such as {ids}")
    return trainings[0]
