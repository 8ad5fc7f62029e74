"""Bodies too large for memory, as files."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from atrous.core.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request


@asynccontextmanager
async def receive_file(request: Request) -> AsyncGenerator[Path]:
    """A file with a request's body, which is gone afterwards; only a part of it is in memory at a time.

    Raises:
        StorageError: if the disk refuses.
    """
    draft = await run_in_threadpool(_make_draft)
    try:
        await _save(request, draft)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _make_draft() -> Path:
    try:
        handle, name = tempfile.mkstemp(prefix="atrous-upload-")
    except OSError as error:
        raise _full(error) from error
    os.close(handle)
    return Path(name)


async def _save(request: Request, draft: Path) -> None:
    file = await asyncio.to_thread(draft.open, "wb")
    try:
        async for part in request.stream():
            await asyncio.to_thread(file.write, part)
    except OSError as error:
        raise _full(error) from error
    finally:
        await asyncio.to_thread(file.close)


def _full(error: OSError) -> StorageError:
    return StorageError(
        f"the server's folder for uploads cannot be written ({error.strerror}); free space there, or set TMPDIR to "
        "another folder"
    )
