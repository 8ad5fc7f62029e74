"""The evaluation job: a published model scored on a split of the version it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.errors import InvalidInputError
from atrous.datasets.content import load_sample
from atrous.datasets.splits import Split
from atrous.evaluation.evaluate import evaluate
from atrous.worker.turns import predict_both_ways
from atrous.workspace.versions import find_version, list_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atrous.datasets.content import Sample
    from atrous.evaluation.evaluation import Evaluation
    from atrous.evaluation.predicted import Labelled, Predicted
    from atrous.runtime.engine import Engine
    from atrous.runtime.glances import Glances
    from atrous.runtime.tiling import Tiling
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Model


def list_split(ports: Ports, model: Model, split: Split) -> list[Sample]:
    """The labelled pictures that a model can be scored on.

    Raises:
        InvalidInputError: if the version has none in this split.
    """
    version = find_version(ports, model.workspace, model.version_id)
    samples = [sample for sample in list_samples(ports, version) if sample.split is split]
    if not samples:
        held = ", ".join(f"{count} {name}" for name, count in version.pictures.items() if count)
        raise InvalidInputError(f"version {version.id}: has no {split} pictures (it has {held}); choose another split")
    return samples


def list_train(ports: Ports, model: Model) -> list[Sample]:
    """The labelled pictures that a model was trained on."""
    version = find_version(ports, model.workspace, model.version_id)
    return [sample for sample in list_samples(ports, version) if sample.split is Split.TRAIN]


def score_engine(
    engine: Engine,
    samples: Sequence[Sample],
    *,
    threshold: float,
    on_answer: Callable[[Labelled, Predicted], None] | None = None,
    on_picture: Callable[[int], None] | None = None,
    tiling: Tiling | Glances | None = None,
) -> Evaluation:
    """Score an engine on labelled pictures.

    Args:
        engine: as it serves.
        samples: labelled pictures.
        threshold: as the server is asked.
        on_answer: shown each picture and the answer.
        on_picture: told the number of pictures done.
        tiling: how large pictures are cut, or how often each is seen, which no server does; None is once and whole.
    """
    auto_orient = engine.bundle.preprocessing.auto_orient
    labelled = ((sample.name, *load_sample(sample, auto_orient=auto_orient)) for sample in samples)
    predict, tempered = predict_both_ways(engine, samples, tiling)
    return evaluate(
        labelled,
        predict,
        engine.bundle.class_map,
        threshold=threshold,
        tempered=tempered,
        on_answer=on_answer,
        on_picture=on_picture,
    )
