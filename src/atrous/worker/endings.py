"""What is recorded of a job's subject when the job ends otherwise than by its own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.ids import parse_version_id
from atrous.workspace.evaluations import fail_evaluation
from atrous.workspace.records import EvaluationState, JobKind, JobState, TrainingState
from atrous.workspace.trainings import IN_FLIGHT, end_training, give_back_training
from atrous.workspace.versions import fail_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job

CANCELLED = "cancelled"


def record_end(ports: Ports, job: Job, state: JobState, error: str | None = None) -> None:
    """Bring what a job is about in line with the job; what its own process has recorded stays.

    Args:
        ports: the world.
        job: a job that nobody works on any more.
        state: failed, cancelled, or queued again.
        error: why it failed.
    """
    ending = ENDINGS.get(job.kind)
    if ending:
        ending(ports, job, state, error)


def _end_training(ports: Ports, job: Job, state: JobState, error: str | None) -> None:
    training = ports.store.find_training(job.workspace, job.subject)
    if training is None or training.state not in IN_FLIGHT:
        return
    if state is JobState.QUEUED:
        give_back_training(ports, training)
    else:
        end_training(ports, training, TrainingState(state.value), error)


def _end_generation(ports: Ports, job: Job, state: JobState, error: str | None) -> None:
    if state.is_final:
        fail_version(ports, job.workspace, parse_version_id(job.subject), error or CANCELLED)


def _end_evaluation(ports: Ports, job: Job, state: JobState, error: str | None) -> None:
    evaluation = ports.store.find_evaluation(job.workspace, job.subject)
    if evaluation and evaluation.state is EvaluationState.RUNNING and state.is_final:
        fail_evaluation(ports, evaluation, error or CANCELLED)


# Other kinds have nothing of their own beside the job.
ENDINGS: dict[JobKind, Callable[[Ports, Job, JobState, str | None], None]] = {
    JobKind.TRAIN: _end_training,
    JobKind.GENERATE: _end_generation,
    JobKind.EVALUATE: _end_evaluation,
}
