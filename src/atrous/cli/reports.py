"""The report of a model, made from what lies in the home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from atrous.bundle.manifest import read_manifest
from atrous.cli.precisions import list_networks
from atrous.cli.terminal import open_progress
from atrous.cli.tile_options import describe_tile
from atrous.datasets.splits import Split
from atrous.evaluation.about import About, read_epochs
from atrous.evaluation.label_issues import IssueList
from atrous.evaluation.report import Report
from atrous.runtime.loading import REPRODUCIBLE, load_engine
from atrous.worker.comparison import compare_bundles
from atrous.worker.evaluation import list_split, list_train, score_engine
from atrous.worker.speed import measure_speeds
from atrous.worker.split_traits import warn_about_train
from atrous.workspace.versions import find_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atrous.datasets.content import Sample
    from atrous.evaluation.comparison import Comparison
    from atrous.evaluation.evaluation import Evaluation
    from atrous.runtime.glances import Glances
    from atrous.runtime.tiling import Tiling
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Model


@dataclass(frozen=True, slots=True)
class Wish:
    """What a model is to be scored on and how it is to be asked."""

    split: Split
    threshold: float
    tiling: Tiling | None
    glances: Glances | None = None

    @property
    def seen(self) -> Tiling | Glances | None:
        """How a picture is seen while it is scored."""
        return self.glances or self.tiling


def make_report(ports: Ports, model: Model, other: Model | None, wish: Wish) -> Report:
    """Score a model, compare it with another one if there is one, and time it; progress is shown.

    Raises:
        InvalidInputError: if there is nothing to score on, or the models do not compare.
        InvalidBundleError: if a model does not verify.
    """
    samples = list_split(ports, model, wish.split)
    version = find_version(ports, model.workspace, model.version_id)
    class_map = version.class_map
    issues = IssueList(len(class_map))
    with open_progress() as progress:
        task = progress.add_task(f"evaluating {wish.split}", total=len(samples))

        def tell(done: int) -> None:
            progress.update(task, completed=done)

        evaluation, comparison = _score(ports, model, other, samples, wish, issues, tell)
    if wish.split is not Split.TRAIN:
        train, auto_orient = list_train(ports, model), version.preprocessing.auto_orient
        evaluation = warn_about_train(evaluation, wish.split, train, class_map, auto_orient=auto_orient)
    about = _describe(ports, model, other, samples, wish)
    return Report(about, class_map, evaluation, issues, comparison)


def _score(
    ports: Ports,
    model: Model,
    other: Model | None,
    samples: Sequence[Sample],
    wish: Wish,
    issues: IssueList,
    tell: Callable[[int], None],
) -> tuple[Evaluation, Comparison | None]:
    bundle = ports.bundles.locate(model.workspace, model.slug)
    if other is None:
        evaluation = score_engine(
            load_engine(bundle, REPRODUCIBLE),
            samples,
            threshold=wish.threshold,
            tiling=wish.seen,
            on_answer=issues.add,
            on_picture=tell,
        )
        return evaluation, None
    comparison = compare_bundles(
        ports.bundles.locate(other.workspace, other.slug),
        bundle,
        samples,
        threshold=wish.threshold,
        tiling=wish.seen,
        on_answer=issues.add,
        on_picture=tell,
    )
    return comparison.second, comparison


def _describe(ports: Ports, model: Model, other: Model | None, samples: Sequence[Sample], wish: Wish) -> About:
    bundle = ports.bundles.locate(model.workspace, model.slug)
    training = ports.store.find_training(model.workspace, model.training)
    return About(
        version=str(model.version_id),
        model=f"{model.workspace}/{model.slug}",
        split=wish.split.value,
        date=datetime.now(UTC),
        networks=list_networks(model.metrics),
        int8_reason=model.metrics.get("int8_reason", ""),
        tile=describe_tile(wish.tiling),
        tile_overlap=wish.tiling.overlap if wish.tiling else None,
        glances=wish.glances.describe() if wish.glances else "",
        epochs=read_epochs(training.epochs) if training else (),
        speeds=measure_speeds(bundle, samples, threshold=wish.threshold, tiling=wish.tiling),
        manifest=read_manifest(bundle),
        against=f"{other.workspace}/{other.slug}" if other else "",
        against_version=str(other.version_id) if other else "",
    )
