"""What this machine trains with."""

from __future__ import annotations

import torch

from atrous.core.memory import read_memory_bytes
from atrous.training.facts import CPU, CUDA, DeviceFacts


def describe_device(device: str) -> DeviceFacts:
    """Look at this machine.

    Args:
        device: a word of the recipe's `device`: `auto` takes the GPU where there is one.
    """
    if device == CPU or not torch.cuda.is_available():
        return DeviceFacts(CPU, read_memory_bytes())
    _, memory_bytes = torch.cuda.mem_get_info()
    return DeviceFacts(CUDA, memory_bytes, has_bf16=torch.cuda.is_bf16_supported(including_emulation=False))
