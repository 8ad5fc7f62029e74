"""What a version's pictures have in common, split by split, and what that says about a score."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from atrous.core.errors import AtrousError
from atrous.datasets.content import load_sample
from atrous.datasets.parallel import map_in_threads
from atrous.evaluation.score_warnings import check_split
from atrous.evaluation.traits import Trait, Traits, describe_picture, join_traits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.core.class_map import ClassMap
    from atrous.datasets.content import Sample
    from atrous.evaluation.evaluation import Evaluation

logger = logging.getLogger(__name__)


def describe_samples(samples: Sequence[Sample], class_map: ClassMap, *, auto_orient: bool = True) -> Traits:
    """The traits of some pictures; those that cannot be read are left out, as no score depends on them."""
    describe = partial(_describe_sample, class_count=len(class_map), auto_orient=auto_orient)
    with closing(map_in_threads(describe, samples)) as traits:
        return join_traits([trait for trait in traits if trait], len(class_map))


def warn_about_train(
    evaluation: Evaluation, split: str, train: Sequence[Sample], class_map: ClassMap, *, auto_orient: bool = True
) -> Evaluation:
    """Add what sets the scored pictures apart from those of train, or does not set them apart enough.

    Args:
        evaluation: of pictures of a split other than train.
        split: its name.
        train: what the model was trained on.
        class_map: its classes.
        auto_orient: whether pictures were turned as their EXIF data says.
    """
    traits = describe_samples(train, class_map, auto_orient=auto_orient)
    found = check_split(split, evaluation.traits, traits, class_map)
    return replace(evaluation, warnings=(*evaluation.warnings, *found))


def _describe_sample(sample: Sample, *, class_count: int, auto_orient: bool) -> Trait | None:
    try:
        image_HWC, label_HW = load_sample(sample, auto_orient=auto_orient)
    except (AtrousError, OSError) as error:
        logger.warning("%s: not compared with the scored pictures, as it cannot be read (%s)", sample.name, error)
        return None
    return describe_picture(sample.name, image_HWC, label_HW, class_count=class_count)
