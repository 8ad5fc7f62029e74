"""A training's run folder on a machine of the cluster, and how its checkpoints outlive that machine.

Ranks beside the first one work in its folder. That is the run's own folder where machines share the home, or else a
copy that the first rank brings to the bucket after each epoch. Ranks elsewhere read the last checkpoint alone, in a
folder of their own: pictures that are kept decoded in a folder are memory that only one machine can share.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.cli.home import find_home
from atrous.core.errors import StorageError, UnavailableError
from atrous.ray_engine.outputs import OutputFolder, extend_url, open_output
from atrous.training.checkpoint import BEST, LAST
from atrous.training.log import LOG

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.ray_engine.outputs import Output

# In this order: what a checkpoint speaks of is there before it.
KEPT = (BEST, LOG, LAST)
SHARED = "runs"
CACHE = "cache/runs"


@dataclass(frozen=True, slots=True)
class SharedRun:
    """Where all machines find a training's checkpoints.

    Attributes:
        folder: of the run, on the machine that began it.
        blobs_url: of the bucket; empty where machines share the folder.
    """

    folder: Path
    blobs_url: str

    def open(self) -> Output:
        """What holds the files.

        Raises:
            UnavailableError: if this machine does not share the folder.
        """
        if self.blobs_url:
            return open_output(extend_url(self.blobs_url, f"{SHARED}/{self.folder.name}"))
        if not self.folder.is_dir():
            raise UnavailableError(
                f"{self.folder}: is not on every machine of the cluster; put ATROUS_HOME on storage that they "
                "share, or set ATROUS_BLOBS_URL and ATROUS_DATABASE_URL"
            )
        return OutputFolder(self.folder)

    def choose_folder(self, *, beside_first: bool) -> Path:
        """The folder that a rank works in."""
        if beside_first and not self.blobs_url:
            return self.folder
        return find_home() / CACHE / f"{self.folder.name}-{'first' if beside_first else 'other'}"

    def fetch(self, folder: Path) -> None:
        """Bring a folder to where the training stands.

        Raises:
            StorageError: if the disk refuses.
        """
        if folder == self.folder and not self.blobs_url:
            return
        shared = self.open()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in KEPT:
                content = shared.read(name)
                (folder / name).unlink(missing_ok=True)
                if content is not None:
                    (folder / name).write_bytes(content)
        except OSError as error:
            raise StorageError(
                f"{folder}: cannot be written ({error.strerror}); free space and go on with --resume"
            ) from error

    def keep(self, folder: Path) -> None:
        """Bring what a folder has to where all machines find it."""
        if folder == self.folder:
            return
        shared = self.open()
        for name in KEPT:
            if (folder / name).is_file():
                shared.put(name, (folder / name).read_bytes())

    def drop(self, folder: Path) -> None:
        """Forget a copy."""
        if folder != self.folder:
            shutil.rmtree(folder, ignore_errors=True)
