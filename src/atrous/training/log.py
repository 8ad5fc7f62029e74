"""`log.jsonl`: a line an epoch."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from atrous.core.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.training.listener import EpochReport

LOG = "log.jsonl"


def cut_log(run_folder: Path, epochs: int) -> None:
    """Keep the lines of the epochs that the checkpoint knows."""
    path = run_folder / LOG
    if path.is_file():
        lines = path.read_bytes().splitlines(keepends=True)
        os.truncate(path, sum(map(len, lines[:epochs])))


def append_line(run_folder: Path, report: EpochReport) -> None:
    """Write an epoch down.

    Raises:
        StorageError: if the disk refuses.
    """
    path = run_folder / LOG
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(report.as_json()) + "\n")
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror}); free space and go on with --resume"
        ) from error
