"""What makes torch give the same weights again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import torch

if TYPE_CHECKING:
    from atrous.training.ranks import Ranks
    from atrous.training.recipe import Recipe


def make_repeatable(recipe: Recipe) -> None:
    """Set torch up for a training; a recipe can have a GPU take its fastest ways instead, which may differ each time.

    Operations that have no exact way go on with a warning.
    """
    # Read by cuBLAS when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=recipe.deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = not recipe.deterministic
    # A quarter of the time on a CPU, and of use only to find code that reads memory it never wrote.
    cast("Any", torch.utils.deterministic).fill_uninitialized_memory = False
    torch.manual_seed(recipe.seed)


def describe_surroundings(ranks: Ranks, device: torch.device) -> dict[str, Any]:
    """All beside version and recipe that the weights depend on."""
    on_gpu = device.type == "cuda"
    return {
        "torch": str(torch.__version__),
        "device": torch.cuda.get_device_name(device) if on_gpu else torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "processes": ranks.count,
    }
