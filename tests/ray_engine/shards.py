"""What a run over a cluster leaves."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def read_index(out: Path) -> list[dict[str, Any]]:
    """A row for each picture, shard by shard."""
    return [json.loads(line) for path in sorted(out.glob("shard-*.jsonl")) for line in path.read_bytes().splitlines()]


def read_files(out: Path) -> list[tuple[str, bytes]]:
    """Names and bytes of all files of results, shard by shard."""
    return [found for path in sorted(out.glob("shard-*.tar")) for found in read_tar(path)]


def read_tar(path: Path) -> list[tuple[str, bytes]]:
    """Names and bytes of the files of a shard."""
    with tarfile.open(path) as archive:
        files = [(member.name, archive.extractfile(member)) for member in archive]
        return [(name, file.read()) for name, file in files if file]
