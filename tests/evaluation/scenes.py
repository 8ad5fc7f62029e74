"""Small labelled pictures and predictions whose scores can be worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from atrous.evaluation.predicted import Labelled


@dataclass(frozen=True, slots=True)
class Answer:
    mask_HW: np.ndarray
    confidence_HW: np.ndarray


def sample(name: str, label: list[list[int]]) -> Labelled:
    label_HW = np.array(label, np.uint8)
    return name, np.zeros((*label_HW.shape, 3), np.uint8), label_HW


def answer(mask: list[list[int]], confidence: list[list[float]] | float = 0.9) -> Answer:
    mask_HW = np.array(mask, np.uint8)
    return Answer(mask_HW, np.broadcast_to(np.float32(confidence), mask_HW.shape).astype(np.float32))


def predict_in_turn(*answers: Answer) -> Callable[[np.ndarray], Answer]:
    left = iter(answers)
    return lambda _: next(left)
