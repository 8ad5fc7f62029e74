"""Published model folders: `WORKSPACE/SLUG/` below one folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from atrous.core.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta


class DiskBundles:
    """Model folders on local disk. A model is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, folder: Path, workspace: str, slug: str) -> None:
        """Copy a folder beside its place, then move it there in one step.

        Raises:
            StorageError: if the disk refuses.
        """
        place = self._folder / workspace / slug
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=place.parent, prefix=".draft-"))
        except OSError as error:
            raise _refused(place, error) from error
        try:
            shutil.copytree(folder, draft, dirs_exist_ok=True)
            draft.chmod(0o755)
            os.utime(draft)
            shutil.rmtree(place, ignore_errors=True)
            draft.replace(place)
        except OSError as error:
            raise _refused(place, error) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def locate(self, workspace: str, slug: str) -> Path:
        """The folder of a model.

        Raises:
            NotFoundError: if it is gone.
        """
        place = self._folder / workspace / slug
        if not place.is_dir():
            raise NotFoundError(f"{place}: this model's folder is missing; restore it from a backup or train again")
        return place

    def list(self) -> Iterator[tuple[str, str]]:
        """Workspace and slug of all that is published, in no order."""
        return (
            (path.parent.name, path.name)
            for path in self._folder.glob("*/*")
            if path.is_dir() and not path.name.startswith(".")
        )

    def find_age(self, workspace: str, slug: str, now: datetime) -> timedelta | None:
        """How long ago a model was published; None if it is gone."""
        try:
            return now - datetime.fromtimestamp((self._folder / workspace / slug).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def remove(self, workspace: str, slug: str) -> None:
        """Forget a folder, if there is one."""
        shutil.rmtree(self._folder / workspace / slug, ignore_errors=True)


def _refused(place: Path, error: OSError) -> StorageError:
    # copytree gathers (from, to, reason) of every file; the first tells enough.
    reason = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror or error
    return StorageError(f"{place}: cannot be written ({reason}); free space and run the command again")
