"""Zip archives: read in place, and hostile until proven otherwise."""

from __future__ import annotations

import stat
import struct
import tracemalloc
import zipfile
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.archive import Limits
from atrous.datasets.files.opening import open_dataset
from atrous.datasets.files.tree import MAX_FILE_BYTES, UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from tests.datasets.archives import MIB, RawEntry, deflate_zeros, write_raw_zip, write_zip

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"train/a.png": bytes(range(256)) * 40, "train/b.png": b"b" * 5000, "classes.csv": b""}
GOOD = RawEntry(b"good.png", b"good")
TEN_GIB = 10 << 10


def find_unsafe(path: Path, *entries: RawEntry) -> list[Finding]:
    """What is said about entries beside a good one, which must remain readable."""
    with open_dataset(write_raw_zip(path / "a.zip", [GOOD, *entries])) as tree:
        assert tree.files_below() == ["good.png"]
        assert tree.file("good.png").read() == b"good"
        return list(tree.findings)


def read_only_file(path: Path, entry: RawEntry) -> bytes:
    with open_dataset(write_raw_zip(path / "a.zip", [entry])) as tree:
        return tree.file(tree.files_below()[0]).read()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_every_method_gives_the_bytes(method: int, tmp_path: Path) -> None:
    with open_dataset(write_zip(tmp_path / "a.zip", FILES, method)) as tree:
        assert {name: tree.file(name).read() for name in tree.files_below()} == FILES
        assert tree.file("train/a.png").read_head(300) == FILES["train/a.png"][:300]
        assert tree.findings == ()


def test_archive_behind_a_program_that_unpacks_it_is_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", FILES)
    path.write_bytes(b"#!/bin/sh\n" * 1000 + path.read_bytes())
    with open_dataset(path) as tree:
        assert tree.file("train/b.png").read() == FILES["train/b.png"]


def test_large_format_is_read(tmp_path: Path) -> None:
    sizes = struct.pack("<2HQ", 1, 8, 5)
    path = write_raw_zip(tmp_path / "a.zip", [GOOD, RawEntry(b"a.png", b"large", size=0xFFFFFFFF, extra=sizes)])
    data = path.read_bytes()
    *_, table_size, table_at, _ = struct.unpack("<4s4H2IH", data[-22:])
    ending = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, table_size, table_at)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(data) - 22, 1)
    path.write_bytes(data[:-22] + ending + locator + b"PK\5\6" + bytes(4) + b"\xff" * 12 + bytes(2))
    with open_dataset(path) as tree, zipfile.ZipFile(path) as same:
        assert tree.files_below() == ["a.png", "good.png"]
        assert tree.file("a.png").read() == b"large"
        assert [entry.file_size for entry in same.infolist()] == [4, 5]


@pytest.mark.parametrize("entry", [
    RawEntry("straße.png".encode(), flags=1 << 11),
    RawEntry("straße.png".encode("cp437")),
    RawEntry(b"_.png", extra=struct.pack("<2HBI", 0x7075, 16, 1, zlib.crc32(b"_.png")) + "straße.png".encode()),
])  # fmt: skip
def test_names_are_decoded_as_the_archive_says(entry: RawEntry, tmp_path: Path) -> None:
    with open_dataset(write_raw_zip(tmp_path / "a.zip", [entry])) as tree:
        assert tree.files_below() == ["straße.png"]


@pytest.mark.parametrize(("name", "reason"), [
    (b"/etc/passwd", "absolute"), (b"C:\\a.png", "absolute"), (b"c:a.png", "absolute"), (b"\\\\host\\a", "absolute"),
    (b"../a.png", "leads out"), (b"a/../../b.png", "leads out"), (b"a\\..\\..\\b.png", "leads out"),
    (b"a\0.png", "control character"), (b"\x1b[2Ja.png", "control character"), (b"a\nb.png", "control character"),
    (b"a/" * 3000 + b"b", "4096 bytes"), (b"a" * 256, "255 between"), (b"./.", "no name"),
])  # fmt: skip
def test_unsafe_names_are_findings(name: bytes, reason: str, tmp_path: Path) -> None:
    [finding] = find_unsafe(tmp_path, RawEntry(name, b"x"))
    assert finding.kind == Kind.UNSAFE_ENTRY
    assert reason in finding.reason
    assert str(finding).isprintable()
    assert len(finding.file) < 300


def test_name_that_is_not_the_utf8_it_claims_to_be_is_a_finding(tmp_path: Path) -> None:
    [finding] = find_unsafe(tmp_path, RawEntry(b"\xff.png", flags=1 << 11))
    assert finding.reason == "has a name that is not UTF-8"


@pytest.mark.parametrize(("entry", "reason"), [
    (RawEntry(b"a.png", b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "symbolic link"),
    (RawEntry(b"a.png", mode=stat.S_IFIFO | 0o600), "device or a pipe"),
    (RawEntry(b"a.png", mode=stat.S_IFCHR | 0o600), "device or a pipe"),
    (RawEntry(b"a.png", b"x", flags=1), "encrypted"),
    (RawEntry(b"a.png", b"x", method=9), "packed by Deflate64"),
    (RawEntry(b"a.png", b"x", method=77), "packed by method 77"),
    (RawEntry(b"a.png", b"x", size=2), "two sizes"),
    (RawEntry(b"a.png", b"x", method=8, size=MAX_FILE_BYTES + 1), "more than 2 GiB"),
    (RawEntry(b"a.png", b"x", at=10**6), "overlaps"),
])  # fmt: skip
def test_unsafe_entries_are_findings(entry: RawEntry, reason: str, tmp_path: Path) -> None:
    [finding] = find_unsafe(tmp_path, entry)
    assert (finding.kind, finding.file) == (Kind.UNSAFE_ENTRY, "a.png")
    assert reason in finding.reason


def test_entries_that_share_their_bytes_are_findings(tmp_path: Path) -> None:
    kernel = RawEntry(b"kernel", deflate_zeros(16), 8, 16 * MIB)
    copies = [RawEntry(b"%d" % n, kernel.packed, 8, 16 * MIB, at=0) for n in range(50)]
    path = write_raw_zip(tmp_path / "a.zip", [kernel, *copies, RawEntry(b"good.png", b"good")])
    with open_dataset(path) as tree:
        assert tree.files_below() == ["good.png"]
        assert {finding.reason for finding in tree.findings} == {"overlaps another entry or the archive's end"}


def test_entry_that_quotes_the_next_one_is_a_finding(tmp_path: Path) -> None:
    inner = write_raw_zip(tmp_path / "inner.zip", [GOOD]).read_bytes()[:42]  # a local header and its content
    quoting = RawEntry(b"quoting", inner)
    path = write_raw_zip(tmp_path / "a.zip", [quoting, RawEntry(b"quoted", b"good", at=30 + len(quoting.name))])
    with open_dataset(path) as tree:
        assert [finding.file for finding in tree.findings] == ["quoting"]


def test_last_file_of_a_name_is_taken(tmp_path: Path) -> None:
    entries = [RawEntry(name, data) for name, data in ((b"a/b", b"1"), (b"a\\b", b"2"), (b"./a//b", b"3"))]
    with open_dataset(write_raw_zip(tmp_path / "a.zip", entries)) as tree:
        assert tree.files_below() == ["a/b"]
        assert tree.file("a/b").read() == b"3"
        assert [(finding.kind, finding.file) for finding in tree.findings] == [(Kind.SAME_NAME, "a/b")]


def test_folders_and_what_macos_leaves_are_nothing(tmp_path: Path) -> None:
    left = [b"__MACOSX/._a.png", b".DS_Store", b"a/", b"b\\", b"Icon\r", b".git/x"]
    entries = [RawEntry(name, b"x" if not name.endswith((b"/", b"\\")) else b"") for name in left]
    assert find_unsafe(tmp_path, *entries, RawEntry(b"c", mode=stat.S_IFDIR | 0o755)) == []


def test_findings_are_bounded(tmp_path: Path) -> None:
    findings = find_unsafe(tmp_path, *(RawEntry(b"../%d" % n) for n in range(1500)))
    assert len(findings) == 1001
    assert findings[-1].reason.startswith("holds 500 more entries")


def test_zip_bomb_gives_no_more_than_was_asked_for(tmp_path: Path) -> None:
    packed = deflate_zeros(TEN_GIB)
    entries = [RawEntry(b"lies.png", packed, 8, 1000), RawEntry(b"true.png", packed, 8, MAX_FILE_BYTES)]
    path = write_raw_zip(tmp_path / "a.zip", entries)
    assert path.stat().st_size < 24 * MIB
    with open_dataset(path) as tree:
        tracemalloc.start()
        assert tree.file("true.png").read_head(MIB) == bytes(MIB)
        with pytest.raises(UnreadableFileError, match="holds more than the 1,000 bytes"):
            tree.file("lies.png").read()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * MIB


@pytest.mark.parametrize(("entry", "reason"), [
    (RawEntry(b"a", b"x", crc=1), "checksum differs"),
    (RawEntry(b"a", deflate_zeros(16)[:-9], 8, 16 * MIB), "ends too early"),
    (RawEntry(b"a", b"\xff" * 20, 8, 100), "is damaged in the archive"),
    (RawEntry(b"a", b"\xff" * 20, 12, 100), "is damaged in the archive"),
    (RawEntry(b"a", deflate_zeros(16), 8, 17 * MIB), "is cut off"),
    (RawEntry(b"a", b"x", at=1), "is not where"),
])  # fmt: skip
def test_damaged_content_says_why(entry: RawEntry, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        read_only_file(tmp_path, entry)


def test_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with (
        open_dataset(write_zip(tmp_path / "a.zip", FILES)) as tree,
        pytest.raises(UnreadableFileError, match="is not in the archive"),
    ):
        tree.file("missing.png").read()


@pytest.mark.parametrize(("change", "reason"), [
    (lambda data: data[: len(data) // 2], "is cut off"),
    (lambda data: data.replace(b"PK\1\2", b"PK\1\3", 1), "table of contents is damaged"),
    (lambda data: data[:-10] + struct.pack("<I", 10**9) + data[-6:], "table of contents is damaged"),
    (lambda data: data[:-6] + struct.pack("<I", 2**31) + data[-2:], "table of contents is damaged"),
    (lambda data: data[:-14] + struct.pack("<2H", 7, 7) + data[-10:], "table of contents is damaged"),
    (lambda data: data[:-18] + struct.pack("<2H", 1, 1) + data[-14:], "one part of several"),
    (lambda data: b"PK\7\x08" + data[:-22], "one part of several"),
])  # fmt: skip
def test_archive_that_cannot_be_understood_is_refused(change, reason: str, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", FILES)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InvalidDatasetError, match=reason) as error:
        open_dataset(path)
    assert str(error.value).startswith(f"{path}: ")


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", FILES)
    with pytest.raises(InvalidDatasetError, match="split it"):
        open_dataset(path, Limits(entries=2))
    lying = write_raw_zip(tmp_path / "b.zip", [GOOD] * 3, count=1)
    with pytest.raises(InvalidDatasetError, match="has more than 2 entries"):
        open_dataset(lying, Limits(entries=2))


def test_table_of_contents_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", FILES)
    with pytest.raises(InvalidDatasetError, match="3 entries in 171 bytes, more than is read"):
        open_dataset(path, Limits(names_bytes=100))


def test_names_of_very_many_folders_are_refused(tmp_path: Path) -> None:
    entries = [RawEntry(b"%d/" % n + b"a/" * 2000 + b"b") for n in range(10)]
    with pytest.raises(InvalidDatasetError, match="its names fill more than 4 MiB"):
        open_dataset(write_raw_zip(tmp_path / "a.zip", entries), Limits(names_bytes=4 * MIB))


def test_encrypted_archive_asks_to_be_unpacked(tmp_path: Path) -> None:
    with pytest.raises(InvalidDatasetError, match=r"a\.png: is encrypted; unpack the archive with its password"):
        open_dataset(write_raw_zip(tmp_path / "a.zip", [RawEntry(b"a.png", b"x", flags=1)]))


@given(files=st.dictionaries(st.text("abcß/ 1", min_size=1, max_size=12), st.binary(max_size=300), max_size=8))
@settings(max_examples=40, deadline=None)
def test_what_the_standard_library_writes_comes_back(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    names = {name: name.strip("/") for name in files if not name.startswith("/") and not name.endswith("/")}
    kept = {clean: files[name] for name, clean in names.items() if "//" not in clean}
    path = write_zip(tmp_path_factory.getbasetemp() / "drawn.zip", kept)
    with suppress(InvalidDatasetError), open_dataset(path) as tree:
        assert {name: tree.file(name).read() for name in tree.files_below()} == kept
        return
    assert not kept


@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_flipped_bytes_never_give_a_traceback(
    flips: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.zip"
    data = bytearray(write_zip(path, {name: content[:40] for name, content in FILES.items()}).read_bytes())
    for place, bits in flips:
        data[place % len(data)] ^= bits
    path.write_bytes(data)
    with suppress(InvalidDatasetError), open_dataset(path) as tree:
        for name in tree.files_below():
            with suppress(UnreadableFileError):
                tree.file(name).read()
