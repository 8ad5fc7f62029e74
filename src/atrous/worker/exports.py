"""The export job: a version written as a zip file, which becomes a blob."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from atrous.core.errors import StoppedError, StorageError
from atrous.datasets.sinks import open_zip_sink
from atrous.workspace.export_notes import describe_dataset, describe_export
from atrous.workspace.exports import EXPORT_FORMATS, list_prepared, read_export, write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atrous.worker.watch import Watch
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Version


def export(ports: Ports, job: Job, folder: Path, watch: Watch) -> Mapping[str, Any]:
    """Write the version and format that the job's subject names; the same version gives the same bytes.

    Returns:
        `sha256` and `bytes` of the zip file, which is kept as a blob.

    Raises:
        NotFoundError: if version or pictures are gone.
        ConflictError: if the version is not ready.
        StorageError: if the disk refuses.
        StoppedError: if the watch wished for an end.
    """
    version, format_name = read_export(ports, job)
    path = folder / "export.zip"
    try:
        # What a killed run left is begun anew: a zip file cannot be gone on with.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _write(ports, version, format_name, path, watch)
        size_bytes = path.stat().st_size
        sha256 = ports.blobs.put_file(path)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror}); free space and try again") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"sha256": sha256, "bytes": size_bytes}


def _write(ports: Ports, version: Version, format_name: str, path: Path, watch: Watch) -> None:
    def follow(done: int, total: int) -> None:
        watch.report({"done": done, "total": total})
        if watch.wish() is not None:
            raise StoppedError(f"export of {version.id} as {format_name}: was ended early; ask for it again")

    with open_zip_sink(path) as sink:
        sink.write("README.dataset.txt", describe_dataset(version).encode())
        sink.write("README.roboflow.txt", describe_export(version, format_name).encode())
        write_files(
            EXPORT_FORMATS[format_name], list_prepared(ports, version), version.class_map, sink, progress=follow
        )
