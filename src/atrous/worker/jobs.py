"""The kinds of jobs, and the function that does each; what trains is imported by its own process alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.worker.exports import export
from atrous.worker.generation import generate
from atrous.worker.imports import import_zip
from atrous.worker.metadata import change_metadata
from atrous.worker.model_evaluation import evaluate_model
from atrous.worker.publishing import publish
from atrous.worker.training import train
from atrous.workspace.records import JobKind

if TYPE_CHECKING:
    from atrous.worker.watch import Work

JOBS: dict[JobKind, Work] = {
    JobKind.GENERATE: generate,
    JobKind.EXPORT: export,
    JobKind.TRAIN: train,
    JobKind.EVALUATE: evaluate_model,
    JobKind.METADATA: change_metadata,
    JobKind.IMPORT: import_zip,
    JobKind.PUBLISH: publish,
}
