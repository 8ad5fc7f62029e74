"""What a recipe is derived from: a version and a device in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.datasets.content import count_class_pixels
from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atrous.core.class_map import ClassMap
    from atrous.core.sizes import Size
    from atrous.datasets.content import Sample

# Enough for shares, and counted in a moment.
COUNTED_PICTURES = 200
CPU, CUDA, UNKNOWN = "cpu", "cuda", "unknown"
# Of a worker that is not known yet: what a small machine has.
UNKNOWN_MEMORY_BYTES = 16 * 2**30


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """A version as presets see it.

    Attributes:
        size: of the network's input.
        train_pictures: in the split train.
        valid_pictures: in the split valid.
        class_pixels: labelled pixels by class name, background first, over the pictures that were counted; 0
            where none was seen.
    """

    size: Size
    train_pictures: int
    valid_pictures: int
    class_pixels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What will compute.

    Attributes:
        kind: `cpu`, `cuda`, or `unknown` where a worker is still to take the training.
        memory_bytes: all that it has.
        has_bf16: whether it computes in bfloat16 quickly.
    """

    kind: str = UNKNOWN
    memory_bytes: int = UNKNOWN_MEMORY_BYTES
    has_bf16: bool = False


UNKNOWN_DEVICE = DeviceFacts()


def describe_version(
    size: Size, pictures: Mapping[Split, int], counted: Sequence[Sample], class_map: ClassMap
) -> VersionFacts:
    """Count what presets look at.

    Args:
        size: of the network's input.
        pictures: how many each split has.
        counted: of the train pictures `COUNTED_PICTURES`, evenly spread, or all if they are fewer.
        class_map: the version's classes.

    Raises:
        InvalidDatasetError: naming the mask, if one is damaged.
    """
    pixels_K = count_class_pixels(counted, len(class_map))
    return VersionFacts(
        size=size,
        train_pictures=pictures.get(Split.TRAIN, 0),
        valid_pictures=pictures.get(Split.VALID, 0),
        class_pixels=dict(zip(class_map.names, pixels_K.tolist(), strict=True)),
    )
