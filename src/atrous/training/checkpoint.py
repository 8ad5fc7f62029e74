"""Checkpoints: written whole or not at all, so that a crash or a full disk leaves the last good one."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import torch

from atrous.core.errors import InvalidInputError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

LAST = "last.pt"
BEST = "best.pt"


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Replace the file by a new one in one step.

    Raises:
        StorageError: if the disk refuses; the old file is intact.
    """
    draft = path.with_suffix(".draft")
    try:
        with draft.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a short write as RuntimeError
        draft.unlink(missing_ok=True)
        raise StorageError(
            f"{path}: the checkpoint cannot be written ({_reason(error)}); free space and go on with --resume, "
            "the checkpoint before it is intact"
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Read a checkpoint, or None if there is none.

    Raises:
        InvalidInputError: if the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InvalidInputError(f"{path}: damaged; remove it to start this training again") from error


def hash_weights(state: dict[str, Tensor]) -> str:
    """sha256 over names, types, shapes and bytes of weights, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(state):
        values = state[name].detach().cpu().numpy()
        digest.update(f"{name} {values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _reason(error: BaseException) -> str:
    cause = error if isinstance(error, OSError) else error.__context__
    return cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error).splitlines()[0]
