"""Whether all that rows name is there, and what is there without a name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from atrous.bundle.manifest import read_manifest, verify_files
from atrous.core.errors import InvalidBundleError, NotFoundError
from atrous.workspace.records import JobKind, JobState, TrainingState
from atrous.workspace.references import collect_references, follow_contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from atrous.workspace.ports import Ports, Snapshot
    from atrous.workspace.references import References

# An upload puts a blob before it adds the row.
YOUNG = timedelta(hours=1)
# Servers and workers mend by themselves what a killed one left.
SETTLING = timedelta(minutes=10)
OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)


class Ailment(StrEnum):
    """What can be wrong."""

    MISSING_BLOB = "missing blob"
    DAMAGED_BLOB = "damaged blob"
    MISSING_MODEL = "missing model"
    DAMAGED_MODEL = "damaged model"
    JOB_WITHOUT_LEASE = "job without lease"
    ABANDONED_TRAINING = "abandoned training"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong.

    Attributes:
        name: a sha256, a `workspace/slug` or an id.
        text: what it means and what to do, for people.
    """

    ailment: Ailment
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was looked at and found.

    Attributes:
        blobs: how many rows and versions name.
        models: how many there are.
        orphans: sha256 of blobs that nothing names and nobody is about to.
        orphan_models: `workspace/slug` of such folders.
        removed: whether the orphans are gone now.
    """

    blobs: int
    models: int
    findings: tuple[Finding, ...]
    orphans: tuple[str, ...]
    orphan_models: tuple[str, ...]
    removed: bool

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong; orphans only take space."""
        return not self.findings


def check_up(
    ports: Ports,
    *,
    check_hashes: bool = False,
    remove_orphans: bool = False,
    runs_here: Callable[[str], bool] = lambda _: False,
    on_blob: Callable[[int, int], None] = lambda _done, _total: None,
) -> Checkup:
    """Compare every row with every blob and model folder, while others go on working.

    Args:
        ports: the world.
        check_hashes: read every byte, too.
        remove_orphans: forget what nothing names.
        runs_here: whether a process of this machine works on the training of this id.
        on_blob: told how many blobs of how many are looked at.
    """
    now = ports.clock.now()
    with ports.store.open_snapshot() as snapshot:
        references = collect_references(snapshot)
        jobs = list(snapshot.rows("jobs"))
        findings = [*_check_jobs(jobs), *_check_trainings(snapshot, jobs, now, runs_here)]
    named, broken = follow_contents(ports.blobs, references)
    owners = named | references.owners
    kept = set(ports.blobs.list())
    findings += _check_blobs(ports, owners, kept, broken, on_blob, check_hashes=check_hashes)
    findings += _check_models(ports, references, check_hashes=check_hashes)
    orphans, orphan_models = _find_orphans(ports, owners, kept, references, _quiet_since(jobs, now))
    if remove_orphans:
        _remove(ports, orphans, orphan_models)
    return Checkup(
        blobs=len(owners),
        models=len(references.models),
        findings=tuple(findings),
        orphans=tuple(orphans),
        orphan_models=tuple(f"{workspace}/{slug}" for workspace, slug in orphan_models),
        removed=remove_orphans,
    )


def _check_blobs(
    ports: Ports,
    owners: dict[str, str],
    kept: set[str],
    broken: list[str],
    on_blob: Callable[[int, int], None],
    *,
    check_hashes: bool,
) -> Iterable[Finding]:
    for done, (sha256, owner) in enumerate(sorted(owners.items())):
        on_blob(done, len(owners))
        # Asked again, as it may have come after the list was made.
        if sha256 not in kept and not ports.blobs.has(sha256):
            yield Finding(Ailment.MISSING_BLOB, sha256, f"{owner}: its blob {sha256} is gone; restore it from a backup")
        elif sha256 in broken or (check_hashes and not _verify(ports, sha256)):
            text = f"{owner}: its blob {sha256} was altered; restore it from a backup"
            yield Finding(Ailment.DAMAGED_BLOB, sha256, text)
    on_blob(len(owners), len(owners))


def _verify(ports: Ports, sha256: str) -> bool:
    try:
        return ports.blobs.verify(sha256)
    except NotFoundError:
        # Whoever removed its row has removed it, too.
        return True


def _check_models(ports: Ports, references: References, *, check_hashes: bool) -> Iterable[Finding]:
    for workspace, slug in references.models:
        name = f"{workspace}/{slug}"
        try:
            folder = ports.bundles.locate(workspace, slug)
            manifest = read_manifest(folder)
            if check_hashes:
                verify_files(folder, manifest)
        except NotFoundError:
            text = f"model {name}: its folder is gone; restore it from a backup or train again"
            yield Finding(Ailment.MISSING_MODEL, name, text)
        except InvalidBundleError as error:
            yield Finding(Ailment.DAMAGED_MODEL, name, f"model {name}: {error}")


def _check_jobs(jobs: list[dict[str, Any]]) -> Iterable[Finding]:
    for row in jobs:
        if row["state"] == JobState.RUNNING and row["leased_until"] is None:
            text = f"job {row['id']} ({row['kind']} {row['subject']}): says that it runs, and no worker has it"
            yield Finding(Ailment.JOB_WITHOUT_LEASE, row["id"], text)


def _check_trainings(
    snapshot: Snapshot, jobs: list[dict[str, Any]], now: datetime, runs_here: Callable[[str], bool]
) -> Iterable[Finding]:
    cared_for = {
        row["subject"]
        for row in jobs
        if row["kind"] == JobKind.TRAIN and (row["state"] in OPEN_STATES or not _is_settled(row["ended"], now))
    }
    for row in snapshot.rows("trainings"):
        if row["state"] != TrainingState.RUNNING or row["id"] in cared_for:
            continue
        if _is_settled(row["started"] or row["created"], now) and not runs_here(row["id"]):
            version = f"{row['project']}/{row['version']}"
            text = (
                f"training {row['id']} of {version}: says that it runs, and nobody works on it; go on with "
                f"`atrous train {version} --resume`"
            )
            yield Finding(Ailment.ABANDONED_TRAINING, row["id"], text)


def _is_settled(moment: str | None, now: datetime) -> bool:
    return moment is not None and now - datetime.fromisoformat(moment) > SETTLING


def _quiet_since(jobs: list[dict[str, Any]], now: datetime) -> timedelta:
    """How old an orphan has to be: an open job may have put blobs since it was made, and name them at its end."""
    open_since = [datetime.fromisoformat(row["created"]) for row in jobs if row["state"] in OPEN_STATES]
    return max([YOUNG, *(now - moment + YOUNG for moment in open_since)])


def _find_orphans(
    ports: Ports, owners: dict[str, str], kept: set[str], references: References, quiet: timedelta
) -> tuple[list[str], list[tuple[str, str]]]:
    now = ports.clock.now()
    blobs = sorted(sha256 for sha256 in kept - owners.keys() if _is_old(ports.blobs.find_age(sha256, now), quiet))
    folders = sorted(set(ports.bundles.list()) - set(references.models))
    return blobs, [place for place in folders if _is_old(ports.bundles.find_age(*place, now), quiet)]


def _is_old(age: timedelta | None, quiet: timedelta) -> bool:
    return age is not None and age > quiet


def _remove(ports: Ports, orphans: list[str], orphan_models: list[tuple[str, str]]) -> None:
    for sha256 in orphans:
        # Looked at again: the same bytes may have been put a moment ago.
        if _is_old(ports.blobs.find_age(sha256, ports.clock.now()), YOUNG):
            ports.blobs.remove(sha256)
    for workspace, slug in orphan_models:
        ports.bundles.remove(workspace, slug)
