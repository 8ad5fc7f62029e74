"""Published model folders in a bucket, as objects `models/WORKSPACE/SLUG.zip`, each unpacked once on every machine."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from atrous.core.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import datetime, timedelta

    from atrous.adapters.bucket import Bucket
    from atrous.adapters.disk_bundles import DiskBundles

PREFIX = "models"
SUFFIX = ".zip"


class BucketBundles:
    """Model folders that every machine with the same bucket has; whoever opens one verifies it by its manifest."""

    def __init__(self, bucket: Bucket, local: DiskBundles, scratch: Path) -> None:
        self._bucket = bucket
        self._local = local
        self._scratch = scratch

    def publish(self, folder: Path, workspace: str, slug: str) -> None:
        """Keep a folder here and in the bucket.

        Raises:
            StorageError: if the disk or the storage refuses.
            UnavailableError: if the storage cannot be reached.
        """
        self._local.publish(folder, workspace, slug)
        with self._draft() as draft:
            packed = draft / "model.zip"
            with zipfile.ZipFile(packed, "w") as archive:
                for path in sorted(folder.rglob("*")):
                    archive.write(path, path.relative_to(folder))
            self._bucket.put(_key(workspace, slug), packed)

    def locate(self, workspace: str, slug: str) -> Path:
        """The local folder of a model, fetched if it is not here yet.

        Raises:
            NotFoundError: if it is gone.
            StorageError: if the disk or the storage refuses, or what it gives is broken.
            UnavailableError: if the storage cannot be reached.
        """
        try:
            return self._local.locate(workspace, slug)
        except NotFoundError:
            self._fetch(workspace, slug)
        return self._local.locate(workspace, slug)

    def list(self) -> Iterator[tuple[str, str]]:
        """Workspace and slug of all that is published, in no order."""
        for key in self._bucket.list(PREFIX):
            _, workspace, name = key.rsplit("/", 2)
            yield workspace, name.removesuffix(SUFFIX)

    def find_age(self, workspace: str, slug: str, now: datetime) -> timedelta | None:
        """How long ago a model was published; None if it is gone."""
        moment = self._bucket.find_time(_key(workspace, slug))
        return None if moment is None else now - moment

    def remove(self, workspace: str, slug: str) -> None:
        """Forget a folder, if there is one."""
        self._bucket.remove(_key(workspace, slug))
        self._local.remove(workspace, slug)

    def _fetch(self, workspace: str, slug: str) -> None:
        with self._draft() as draft:
            packed, folder = draft / "model.zip", draft / "model"
            with packed.open("wb") as file:
                for chunk in self._bucket.stream(_key(workspace, slug)):
                    file.write(chunk)
            try:
                with zipfile.ZipFile(packed) as archive:
                    archive.extractall(folder)
            except zipfile.BadZipFile as error:
                raise StorageError(
                    f"model {workspace}/{slug}: was altered in its storage; restore it from a backup"
                ) from error
            self._local.publish(folder, workspace, slug)

    @contextmanager
    def _draft(self) -> Generator[Path]:
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=self._scratch, prefix="model-"))
            try:
                yield draft
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        except OSError as error:
            raise StorageError(f"{self._scratch}: cannot be written ({error.strerror}); free space") from error


def _key(workspace: str, slug: str) -> str:
    return f"{PREFIX}/{workspace}/{slug}{SUFFIX}"
