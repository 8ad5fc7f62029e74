"""Memory that does not suffice, said in a sentence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Generator

    from atrous.core.sizes import Size
    from atrous.training.recipe import Recipe

# How torch's allocator for the CPU begins what it has to say, which is no class of its own.
CPU_ALLOCATOR = "DefaultCPUAllocator"


@contextmanager
def explain_shortage(recipe: Recipe, size: Size) -> Generator[None]:
    """Say what takes less memory, where a device has not enough.

    Args:
        recipe: of the training inside.
        size: of the network's input.

    Raises:
        InvalidInputError: if there was not enough.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and CPU_ALLOCATOR not in str(error):
            raise
        raise InvalidInputError(
            f"--batch-size {recipe.batch_size}: the device has not enough memory for {recipe.encoder} on pictures of "
            f"{size}; start again with a smaller batch size, or with pictures or an encoder that are smaller"
        ) from error
