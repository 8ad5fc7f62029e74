"""Which entries of an archive may be read: regular files, once each, by names that stay inside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.tree import MAX_FILE_BYTES, is_text, is_visible, show_name
from atrous.datasets.findings import Finding, Kind

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.datasets.files.archive import Limits

MAX_NAME_BYTES = 4096
MAX_PART_BYTES = 255
MAX_FINDINGS = 1000
# A name with these could also write to the terminal that shows it.
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
DRIVE = re.compile(r"[A-Za-z]:")
PACK_AGAIN = "pack the archive again from plain files with relative names"

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why an entry is not read, and what to do."""

    reason: str
    remedy: str = PACK_AGAIN


class Entries(Generic[Entry]):
    """What an index pass has found so far, in bounded memory."""

    def __init__(self, path: Path, limits: Limits) -> None:
        """`path` is the archive to name in messages."""
        self.by_name: dict[str, Entry] = {}
        self._path = path
        self._limits = limits
        self._count = 0
        self._names_bytes = 0
        self._folders = {""}
        self._repeated: set[str] = set()
        self._findings: list[Finding] = []
        self._unlisted = 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Entries that were left out, at most MAX_FINDINGS by name and the others as a number."""
        if not self._unlisted:
            return tuple(self._findings)
        reason = f"holds {self._unlisted:,} more entries that are unsafe or of the same name"
        return (*self._findings, Finding(Kind.UNSAFE_ENTRY, self._path.name, reason, PACK_AGAIN))

    def count(self) -> None:
        """Note that the archive has one more entry of any sort.

        Raises:
            InvalidDatasetError: if those are too many.
        """
        self._count += 1
        if self._count > self._limits.entries:
            raise InvalidDatasetError(
                f"{self._path}: has more than {self._limits.entries:,} entries; split it into several datasets"
            )

    def add(self, stored_name: str, entry: Entry, flaw: Flaw | None) -> None:
        """Take an entry that is no folder, unless it or its name has a flaw; the last of a name counts.

        Raises:
            InvalidDatasetError: if all names together are too long.
        """
        name = clean_name(stored_name)
        if ".." not in name.split("/") and not is_visible(name):
            return
        if flaw := find_name_flaw(stored_name, name) or flaw:
            self._report(Finding(Kind.UNSAFE_ENTRY, show_name(stored_name), flaw.reason, flaw.remedy))
            return
        if name not in self.by_name:
            self._weigh(name)
        elif name not in self._repeated:
            self._repeated.add(name)
            reason = "is in the archive more than once, and the last one is taken"
            self._report(Finding(Kind.SAME_NAME, show_name(name), reason, "give each file a name of its own"))
        self.by_name[name] = entry

    def drop(self, name: str, flaw: Flaw) -> None:
        """Leave out an entry that was taken."""
        del self.by_name[name]
        self._report(Finding(Kind.UNSAFE_ENTRY, show_name(name), flaw.reason, flaw.remedy))

    def _report(self, finding: Finding) -> None:
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(finding)
        else:
            self._unlisted += 1

    def _weigh(self, name: str) -> None:
        """A few long names of many folders each would fill the memory of whoever lists them."""
        self._names_bytes += len(name)
        folder = name.rpartition("/")[0]
        while folder not in self._folders:
            self._folders.add(folder)
            self._names_bytes += len(folder)
            folder = folder.rpartition("/")[0]
        if self._names_bytes > self._limits.names_bytes:
            raise InvalidDatasetError(
                f"{self._path}: its names fill more than {self._limits.names_bytes >> 20} MiB; use shorter names"
            )


def clean_name(stored_name: str) -> str:
    """A name as Tree wants it: parted by slashes, without a leading one and without parts that mean nothing."""
    return "/".join(part for part in stored_name.replace("\\", "/").split("/") if part not in {"", "."})


def find_name_flaw(stored_name: str, name: str) -> Flaw | None:
    """Why a name may not be used, cleaned or not: it leads out of the archive, or no file system would take it."""
    if CONTROL_CHARACTER.search(name):
        return Flaw("has a control character in its name")
    if stored_name.startswith(("/", "\\")) or DRIVE.match(name):
        return Flaw("has an absolute name")
    if ".." in name.split("/"):
        return Flaw("has a name that leads out of a folder by '..'")
    if not is_text(name):
        return Flaw("has a name that is not UTF-8")
    length = len(name.encode())
    if length > MAX_NAME_BYTES or (length > MAX_PART_BYTES and _find_longest_part(name) > MAX_PART_BYTES):
        return Flaw(f"has a name of over {MAX_NAME_BYTES} bytes, or {MAX_PART_BYTES} between slashes")
    return None if name else Flaw("has no name")


def find_size_flaw(size: int) -> Flaw | None:
    """Why a file of this many bytes is not read."""
    if size <= MAX_FILE_BYTES:
        return None
    return Flaw(f"says that it has {size:,} bytes, more than {MAX_FILE_BYTES >> 30} GiB", "leave it out of the dataset")


def _find_longest_part(name: str) -> int:
    return max(len(part.encode()) for part in name.split("/"))
