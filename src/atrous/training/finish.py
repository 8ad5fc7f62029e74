"""The end of a training: the class weights that each class is better off without are taken out of the answers.

Axes: K classes, N pixels, h w cells of the network's grid, H W picture.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from atrous.datasets.splits import Split
from atrous.models.architectures import build_network, read_shape
from atrous.models.last_layer import shift_classes
from atrous.runtime.points import draw_points, pick_points
from atrous.training.checkpoint import hash_weights
from atrous.training.logit_adjustment import choose_adjustments
from atrous.training.validation import UNSHIFTED, score_pictures, validate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atrous.datasets.content import Sample
    from atrous.models.architectures import SegmentationNetwork
    from atrous.training.loop import TrainingResult
    from atrous.training.recipe import TrainingConfig

SEED = 0
# Of logits held at a time, however many classes and pictures there are: 16 MB.
MOST_LOGITS = 4_000_000


def adjust_classes(result: TrainingResult, config: TrainingConfig) -> TrainingResult:
    """Take the weights of a loss out of a network's answers, as far as each class has a better mean IoU for it.

    It is found on pixels of the valid pictures that are drawn by a seed, and kept if all their pixels agree. A training
    that weighed no class is given back as it is.
    """
    before = result.weighing
    if before is None:
        return result
    network = _build(result, config)
    device = next(network.parameters()).device
    valid = [sample for sample in config.samples if sample.split is Split.VALID]
    logits_NK, label_N = _draw_pixels(network, valid, config, device)
    after = choose_adjustments(logits_NK - before.find_shift(), label_N, before, config.class_map)
    change_K = after.find_shift() - before.find_shift()
    mious = validate(network, valid, config, device, shifts=(UNSHIFTED, change_K))
    if mious is None or mious[1] <= mious[0]:
        return result
    weights = shift_classes(result.weights, torch.from_numpy(change_K))
    return replace(result, weights=weights, weights_sha256=hash_weights(weights), best_miou=mious[1], weighing=after)


def _build(result: TrainingResult, config: TrainingConfig) -> SegmentationNetwork:
    recipe = config.recipe
    shape = read_shape(recipe.as_json())
    network = build_network(recipe.architecture, recipe.encoder, len(config.class_map), shape)
    network.network.load_state_dict(result.weights)
    on_gpu = recipe.device != "cpu" and torch.cuda.is_available()
    return network.to("cuda" if on_gpu else "cpu").eval()


def _draw_pixels(
    network: SegmentationNetwork, valid: Sequence[Sample], config: TrainingConfig, device: torch.device
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """logits_NK and label_N of pixels, as many drawn from each valid picture."""
    count = max(1, MOST_LOGITS // len(config.class_map) // len(valid))
    rng = np.random.default_rng(SEED)
    drawn = [
        draw_points(label_HW, count, rng, partial(pick_points, logits_Khw, placement))
        for label_HW, logits_Khw, placement in score_pictures(network, valid, config, device)
    ]
    return np.concatenate([logits for logits, _ in drawn]), np.concatenate([ids for _, ids in drawn])
