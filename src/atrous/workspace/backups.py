"""Backups: everything as blobs by their sha256, and a manifest that names them."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from atrous import __version__
from atrous.core.errors import ConflictError, InvalidInputError, NotFoundError, StorageError
from atrous.workspace.references import collect_references, follow_contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from atrous.workspace.ports import Archive, Blobs, Ports, Snapshot
    from atrous.workspace.references import References

FORMAT = 1


@dataclass(frozen=True, slots=True)
class DumpedTable:
    """Rows of a table, in a blob of one line of JSON each."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Backup:
    """What a manifest says.

    Attributes:
        format: of the manifest.
        atrous: the release that wrote it.
        revision: of the rows.
        made: when the rows were as they are in it, ISO 8601.
        tables: each after those that its rows belong to.
        models: `workspace/slug` -> path inside the folder -> sha256 of the file.
        config: blob with the home's config file; None if it has none.
        blobs: blob with the sha256 of every blob that the rows name, a line each.
        blob_count: how many these are.
        missing: blobs and models that were gone or altered when the backup was made, and so are not in it.
    """

    format: int
    atrous: str
    revision: str
    made: str
    tables: dict[str, DumpedTable]
    models: dict[str, dict[str, str]]
    config: str | None
    blobs: str
    blob_count: int
    missing: tuple[str, ...]


def make_backup(ports: Ports, archive: Archive, *, config: bytes | None, on_blob: Callable[[int, int], None]) -> Backup:
    """Bring an archive up to date while others go on working; until its end it holds the backup before.

    The rows come first and are those of one moment; the blobs that they name stay for as long as the rows do.

    Args:
        ports: the world.
        archive: what is already in it is not copied again.
        config: the home's config file.
        on_blob: told how many blobs of how many are done.

    Raises:
        StorageError: if the disk refuses.
    """
    made = ports.clock.now().isoformat()
    with ports.store.open_snapshot() as snapshot, archive.open_draft() as draft:
        references = collect_references(snapshot)
        tables = {name: _dump_table(snapshot, name, archive.blobs, draft / name) for name in snapshot.tables}
        revision = snapshot.revision
    named, _ = follow_contents(ports.blobs, references)
    blobs = sorted(named | references.owners)
    missing = _copy_blobs(ports.blobs, archive.blobs, blobs, on_blob)
    models, missing_models = _copy_models(ports, archive.blobs, references)
    backup = Backup(
        format=FORMAT,
        atrous=__version__,
        revision=revision,
        made=made,
        tables=tables,
        models=models,
        config=None if config is None else archive.blobs.put(config),
        blobs=archive.blobs.put("".join(f"{sha256}\n" for sha256 in blobs).encode()),
        blob_count=len(blobs),
        missing=(*missing, *missing_models),
    )
    archive.write_manifest(json.dumps(asdict(backup), indent=2).encode())
    _forget_others(archive.blobs, backup, blobs)
    return backup


def read_backup(archive: Archive) -> Backup:
    """Read what an archive holds, without looking at its blobs.

    Raises:
        InvalidInputError: if its manifest is damaged or of a newer format.
    """
    try:
        content = json.loads(archive.read_manifest() or b"")
        if content["format"] > FORMAT:
            raise InvalidInputError(
                f"{archive.name}: was made by Atrous {content['atrous']}; restore it with that release"
            )
        tables = {name: DumpedTable(**table) for name, table in content.pop("tables").items()}
        return Backup(tables=tables, missing=tuple(content.pop("missing")), **content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInputError(f"{archive.name}: its manifest is damaged; restore another backup") from error


def read_saved_config(archive: Archive, backup: Backup) -> bytes | None:
    """The config file of the home that was saved; None if it had none.

    Raises:
        StorageError: if it is missing or altered.
    """
    return None if backup.config is None else _take(archive, backup.config).read_bytes()


def restore_backup(
    ports: Ports, archive: Archive, backup: Backup, *, scratch: Path, on_blob: Callable[[int, int], None]
) -> None:
    """Fill an empty world with a backup; the rows come last, all or none.

    Args:
        ports: the world.
        archive: is only read.
        backup: what it holds.
        scratch: a folder for what is being put together; is not there yet.
        on_blob: told how many blobs of how many are done.

    Raises:
        ConflictError: if there are rows already.
        InvalidInputError: if the backup was made by a newer release.
        StorageError: if a blob of the backup is missing or altered, or the disk refuses.
    """
    _refuse_full(ports)
    blobs = [sha256 for sha256 in _read_lines(archive, backup.blobs) if sha256 not in backup.missing]
    for done, sha256 in enumerate(blobs):
        on_blob(done, len(blobs))
        if ports.blobs.put_file(_take(archive, sha256)) != sha256:
            raise _damaged(archive, sha256)
    on_blob(len(blobs), len(blobs))
    for name, files in backup.models.items():
        _restore_model(ports, archive, name, files, scratch)
    tables = ((name, _read_rows(archive, table)) for name, table in backup.tables.items())
    ports.store.load_rows(backup.revision, tables)


def _dump_table(snapshot: Snapshot, name: str, blobs: Blobs, draft: Path) -> DumpedTable:
    count = 0
    with draft.open("w", encoding="utf-8") as file:
        for row in snapshot.rows(name):
            file.write(json.dumps(row) + "\n")
            count += 1
    return DumpedTable(count, blobs.put_file(draft))


def _copy_blobs(source: Blobs, target: Blobs, blobs: list[str], on_blob: Callable[[int, int], None]) -> Iterable[str]:
    missing: list[str] = []
    for done, sha256 in enumerate(blobs):
        on_blob(done, len(blobs))
        if not target.has(sha256) and not _copy_blob(source, target, sha256):
            missing.append(sha256)
    on_blob(len(blobs), len(blobs))
    return missing


def _copy_blob(source: Blobs, target: Blobs, sha256: str) -> bool:
    """Whether it was there as it was put."""
    try:
        copied = target.put_file(source.path(sha256))
    except NotFoundError:
        return False
    if copied != sha256:
        target.remove(copied)
    return copied == sha256


def _copy_models(ports: Ports, target: Blobs, references: References) -> tuple[dict[str, dict[str, str]], list[str]]:
    models: dict[str, dict[str, str]] = {}
    missing: list[str] = []
    for workspace, slug in references.models:
        try:
            folder = ports.bundles.locate(workspace, slug)
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            hashes = {path.relative_to(folder).as_posix(): target.put_file(path) for path in files}
            models[f"{workspace}/{slug}"] = hashes
        except NotFoundError:
            missing.append(f"{workspace}/{slug}")
    return models, missing


def _forget_others(blobs: Blobs, backup: Backup, kept: list[str]) -> None:
    """Clear away what only an earlier backup or an interrupted one named."""
    needed = {*kept, backup.blobs, *(table.sha256 for table in backup.tables.values())}
    needed.update(sha256 for files in backup.models.values() for sha256 in files.values())
    if backup.config is not None:
        needed.add(backup.config)
    for sha256 in list(blobs.list()):
        if sha256 not in needed:
            blobs.remove(sha256)


def _refuse_full(ports: Ports) -> None:
    with ports.store.open_snapshot() as snapshot:
        if any(next(snapshot.rows(table), None) for table in snapshot.tables):
            raise ConflictError("the database is not empty; restore into an empty one, or into another home")


def _restore_model(ports: Ports, archive: Archive, name: str, files: dict[str, str], scratch: Path) -> None:
    workspace, _, slug = name.partition("/")
    try:
        for path, sha256 in files.items():
            place = scratch / path
            if not place.resolve().is_relative_to(scratch.resolve()):
                raise InvalidInputError(f"{archive.name}: its manifest is damaged; restore another backup")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_take(archive, sha256), place)
        ports.bundles.publish(scratch, workspace, slug)
    except OSError as error:
        raise StorageError(f"{scratch}: cannot be written ({error.strerror}); free space and try again") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _read_lines(archive: Archive, sha256: str) -> list[str]:
    return _take(archive, sha256).read_text(encoding="utf-8").split()


def _read_rows(archive: Archive, table: DumpedTable) -> Iterator[dict[str, Any]]:
    with _take(archive, table.sha256).open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _take(archive: Archive, sha256: str) -> Path:
    """A blob's file, once it has proved to be what it is called."""
    try:
        if archive.blobs.verify(sha256):
            return archive.blobs.path(sha256)
    except NotFoundError as error:
        raise _damaged(archive, sha256) from error
    raise _damaged(archive, sha256)


def _damaged(archive: Archive, sha256: str) -> StorageError:
    return StorageError(f"{archive.name}: its file {sha256} is missing or altered; restore another backup")
