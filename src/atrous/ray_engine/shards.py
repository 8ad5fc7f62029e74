"""A shard's results: `shard-00017.tar` with the files of its pictures, and `shard-00017.jsonl`, a line a picture.

The lines are put last, so a shard has them exactly if all of it is kept. Whoever makes a shard again makes the same
bytes, so two that do so at once harm nothing.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atrous.cli.results import encode_result, name_result
from atrous.core.errors import StorageError
from atrous.ray_engine.outputs import DRAFT_END, DRAFT_START
from atrous.ray_engine.plan import name_shard

if TYPE_CHECKING:
    from collections.abc import Generator

    from atrous.cli.predictors import Seen
    from atrous.cli.results import Kind
    from atrous.core.errors import InvalidInputError
    from atrous.ray_engine.outputs import Output
    from atrous.ray_engine.places import Listed

KEPT = re.compile(r"shard-(\d{5,})\.jsonl")


class ShardFile:
    """A shard that is being made; its files lie in a draft, its lines in memory."""

    def __init__(self, archive: tarfile.TarFile, kinds: frozenset[Kind]) -> None:
        self._archive = archive
        self._kinds = sorted(kinds)
        self._lines: list[str] = []

    def add(self, picture: Listed, seen: Seen) -> None:
        """Add what is wanted of a picture."""
        height, width = seen.mask_HW.shape
        line: dict[str, Any] = {"picture": picture.address, "width": width, "height": height}
        for kind in self._kinds:
            name = name_result(picture.name, kind)
            line[kind.value] = name
            data = encode_result(kind, seen)
            # Owner and time are left at none, so that the same results are the same bytes.
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            self._archive.addfile(entry, io.BytesIO(data))
        self._lines.append(json.dumps(line))

    def add_fault(self, picture: Listed, error: InvalidInputError) -> None:
        """Add that a picture has no results, and why."""
        self._lines.append(json.dumps({"picture": picture.address, "error": str(error)}))

    def read_lines(self) -> bytes:
        """A line for each picture that was added."""
        return "".join(f"{line}\n" for line in self._lines).encode()


@contextmanager
def open_shard(output: Output, number: int, kinds: frozenset[Kind]) -> Generator[ShardFile]:
    """Make a shard within the block, and keep it at its end.

    Raises:
        StorageError: if the disk or the output refuses.
        UnavailableError: if the output cannot be reached.
    """
    name, draft = name_shard(number), _make_draft(output, number)
    try:
        with tarfile.open(draft, "w", format=tarfile.PAX_FORMAT) as archive:
            shard = ShardFile(archive, kinds)
            yield shard
        output.put(f"{name}.tar", draft)
        output.put(f"{name}.jsonl", shard.read_lines())
    except OSError as error:
        raise StorageError(
            f"{draft.parent}: cannot be written ({error.strerror}); free space and run it again"
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def find_kept(output: Output) -> set[int]:
    """Numbers of the shards that are kept."""
    matches = (KEPT.fullmatch(name) for name in output.list())
    return {int(match[1]) for match in matches if match}


def _make_draft(output: Output, number: int) -> Path:
    folder = output.scratch()
    try:
        with tempfile.NamedTemporaryFile(
            dir=folder, prefix=f"{DRAFT_START}{name_shard(number)}-", suffix=DRAFT_END, delete=False
        ) as draft:
            return Path(draft.name)
    except OSError as error:
        raise StorageError(
            f"{folder or 'temporary folder'}: cannot be written ({error.strerror}); free space"
        ) from error
