"""Two published models compared on labelled pictures, as they are served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.errors import InvalidInputError
from atrous.datasets.content import load_sample
from atrous.evaluation.comparison import check_comparable, compare
from atrous.runtime.loading import REPRODUCIBLE, load_engine
from atrous.worker.turns import predict_both_ways, predict_in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from atrous.datasets.content import Sample
    from atrous.evaluation.comparison import Comparison
    from atrous.evaluation.predicted import Labelled, Predicted
    from atrous.runtime.glances import Glances
    from atrous.runtime.tiling import Tiling

# Each has five views, and the page is to stay below 3 MB.
DIFFERING_PICTURES = 4
SHOWN_PICTURES = 3


def compare_bundles(
    first: Path,
    second: Path,
    samples: Sequence[Sample],
    *,
    threshold: float,
    tiling: Tiling | Glances | None = None,
    on_answer: Callable[[Labelled, Predicted], None] | None = None,
    on_picture: Callable[[int], None] | None = None,
) -> Comparison:
    """Score two bundles in one pass over the pictures.

    Args:
        first: the model compared against.
        second: the model in question, of whose pictures examples are kept.
        samples: labelled pictures.
        threshold: as the server is asked.
        tiling: how both see large pictures, or how often each.
        on_answer: shown each picture and the second model's answer.
        on_picture: told the number of pictures done.

    Raises:
        InvalidBundleError: if a bundle does not verify.
        InvalidInputError: if the models have other classes, or one turns pictures as EXIF says and the other does not.
    """
    engines = load_engine(first, REPRODUCIBLE), load_engine(second, REPRODUCIBLE)
    class_map = engines[1].bundle.class_map
    check_comparable(engines[0].bundle.class_map, class_map)
    orients = {engine.bundle.preprocessing.auto_orient for engine in engines}
    if len(orients) > 1:
        raise InvalidInputError(
            "the two models cannot be compared, as only one of them turns pictures upright; compare models of versions "
            "with the same auto-orient"
        )
    predict, tempered = predict_both_ways(engines[1], samples, tiling)
    return compare(
        ((sample.name, *load_sample(sample, auto_orient=orients == {True})) for sample in samples),
        predict_in_turn(engines[0], samples, tiling),
        predict,
        class_map,
        threshold=threshold,
        example_count=DIFFERING_PICTURES,
        shown_count=SHOWN_PICTURES,
        tempered=tempered,
        on_answer=on_answer,
        on_picture=on_picture,
    )
