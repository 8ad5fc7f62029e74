"""Upload of weights to a server: announced, sent, and watched until they are published."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from atrous.cli.terminal import show_progress
from atrous.core.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from atrous.cli.platform_client import Platform
    from atrous.core.ids import VersionId

PART_BYTES = 1 << 20
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 2.0


def upload_remotely(platform: Platform, version: VersionId, path: Path, model_type: str | None) -> str:
    """Send weights to a server, wait until they are published, and give the model's id, `workspace/model-slug`.

    Raises:
        InvalidInputError: if the server cannot publish them.
        UnavailableError: if it cannot be reached, or answers with something else.
    """
    place = f"/{platform.find_workspace()}/{version}/upload-weights"
    try:
        task = platform.ask("POST", place, {"modelType": model_type})
        with show_progress("sending (MB)") as progress:
            platform.send_file(task["signedUrl"], _read(path, progress))
        return _wait(platform, f"{place}/{task['taskId']}")
    except KeyError as error:
        raise UnavailableError(f"{platform.url}: the answer has no {error}; is this Atrous?") from error


def _wait(platform: Platform, path: str) -> str:
    wait_s = FIRST_WAIT_S
    while True:
        status = platform.ask("GET", path)
        match status:
            case {"status": "done", "modelId": str(model_id)}:
                return model_id
            case {"status": "failed" | "cancelled", "error": error}:
                raise InvalidInputError(f"the server could not publish them: {error or 'cancelled'}")
            case {"status": str()}:
                time.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            case _:
                raise KeyError("status")


def _read(path: Path, progress: Callable[[int, int], None]) -> Iterator[bytes]:
    total, sent = path.stat().st_size, 0
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield part
            sent += len(part)
            progress(sent // 1_000_000, max(1, total // 1_000_000))
